//! A gate in front of a slot: calls that come are held back until it is known what serves them.
//!
//! A gated seat is not filled by who asks for it. Its gate opens once, to the seat that is asked from then on: the new
//! one, or the old one when the swap came to nothing. A wait that the swap itself would wait for is refused before it
//! begins; and one on the thread of an event loop as soon as the swap waits for what that loop is to end. What is awaited does
//! not wait there at all: it is told that it would have to, and is called from elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use modrack_core::{Chain, Result};

use crate::error;
use crate::instances::waits::{self, Until, Why};
use crate::rack::RackCore;
use crate::scope;
use crate::seat::Seat;

/// How many calls are held back at most.
const MOST: usize = 1_000;

/// A gate.
pub(crate) struct Gate {
    /// The chain of calls that will open it.
    owner: u64,
    behind: Mutex<Option<Arc<Seat>>>,
    opened: Condvar,
    waiting: AtomicUsize,
}

/// A call that is held back, until this goes.
struct Held<'a>(&'a AtomicUsize);

impl Gate {
    /// A closed gate, which the current thread's chain will open.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            owner: Chain::id(),
            behind: Mutex::default(),
            opened: Condvar::new(),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Opens it to a seat.
    pub(crate) fn open(&self, to: Arc<Seat>) {
        *self.behind.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
        self.opened.notify_all();
    }

    /// What is behind it, once it is open.
    ///
    /// # Errors
    /// [`modrack_core::Code::HeldBack`]; a deadline that passed, a caller that gave up, a rack that was stopped; a wait that would never
    /// end.
    pub(crate) fn pass(&self, rack: &RackCore, seat: &Seat, until: Option<Instant>) -> Result<Arc<Seat>> {
        let slot = seat.slot();
        if let Some(seat) = self.behind.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(seat);
        }
        if Chain::may_not_wait() {
            return Err(error::may_not_wait().slot(slot.name()));
        }
        let held = Held(&self.waiting);
        if held.0.fetch_add(1, Ordering::AcqRel) >= MOST {
            return Err(error::held_back(MOST).slot(slot.name()));
        }
        let ticket = waits::enter_gate(slot.name(), self.owner)
            .map_err(|slots| error::swap_circle(&slots).slot(slot.name()))?;
        let (deadline, cancel) = Chain::bounds();
        let deadline = until.into_iter().chain(deadline).min();
        let is_waited_for = || scope::is_kept_before(rack.cell(), seat.since());
        let is_held_up = || Chain::is_on_loop() && (is_waited_for() || waits::circle_on_loop().is_some());
        let stopped = || rack.is_stopped() || is_held_up();
        let until = Until { deadline, cancel: cancel.as_ref(), stopped: &stopped };
        let mut given = Err(Why::Late);
        rack.waiting(&mut || given = self.wait(&until));
        drop(ticket);
        given.map_err(|why| match why {
            Why::Circle(slots) => error::swap_circle(&slots).slot(slot.name()),
            Why::Late => error::late_swap().slot(slot.name()),
            Why::Cancelled => error::cancelled(),
            // The swap waits for a call that the event loop is to end.
            Why::Stopped if !rack.is_stopped() => error::swap_held_up().slot(slot.name()),
            Why::Stopped => error::stopped().slot(slot.name()),
        })
    }

    fn wait(&self, until: &Until<'_>) -> Result<Arc<Seat>, Why> {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(seat) = &*behind {
                return Ok(seat.clone());
            }
            if let Some(why) = until.is_over() {
                return Err(why);
            }
            let waited = self.opened.wait_timeout(behind, until.slice());
            behind = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
