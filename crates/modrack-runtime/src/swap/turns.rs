//! Whose turn it is: swaps of one slot are serial, of different slots parallel.
//!
//! A swap takes all of its slots at once, so that two swaps never hold what the other wants.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use modrack_core::Result;

use crate::error;
use crate::rack::RackCore;
use crate::scope;

/// How long a swap that is asked for within a call waits for its turn: the other swap may wait for that very call.
const WITHIN_A_CALL: Duration = Duration::from_secs(5);

/// The slots that are being swapped, by index, and on which thread.
#[derive(Default)]
pub(crate) struct Turns {
    taken: Mutex<HashMap<usize, ThreadId>>,
    given_back: Condvar,
}

/// The right to swap some slots, until this goes.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    slots: Vec<usize>,
}

/// What a look at the slots gave.
enum Look {
    Taken,
    /// This thread is swapping one of them itself.
    Mine,
    /// Somebody else is.
    Theirs,
}

impl Turns {
    /// Waits until none of these slots is being swapped.
    ///
    /// # Errors
    /// [`modrack_core::Code::SwapInside`] when this thread is swapping one of them and would wait for itself, or waits from
    /// within a call for too long; [`modrack_core::Code::RackStopped`].
    pub(super) fn take<'a>(&'a self, rack: &RackCore, slots: Vec<usize>) -> Result<Turn<'a>> {
        // Looked at first without letting go of anything: mostly nobody swaps.
        let mut look = look(&mut self.taken(), &slots);
        if matches!(look, Look::Theirs) {
            let until = scope::is_in(rack.cell()).then(|| Instant::now() + WITHIN_A_CALL);
            rack.waiting(&mut || look = self.wait(rack, &slots, until));
        }
        match look {
            Look::Taken => Ok(Turn { turns: self, slots }),
            Look::Mine => Err(error::swap_inside()),
            Look::Theirs if rack.is_stopped() => Err(error::stopped()),
            Look::Theirs => Err(error::turn_late()),
        }
    }

    /// Takes these slots if none of them is being swapped.
    pub(super) fn take_now(&self, slots: Vec<usize>) -> Option<Turn<'_>> {
        let look = look(&mut self.taken(), &slots);
        matches!(look, Look::Taken).then(|| Turn { turns: self, slots })
    }

    /// Has who waits look again.
    pub(crate) fn wake(&self) {
        // Nobody is between looking and waiting while the lock is held.
        drop(self.taken());
        self.given_back.notify_all();
    }

    fn wait(&self, rack: &RackCore, slots: &[usize], until: Option<Instant>) -> Look {
        let mut taken = self.taken();
        loop {
            let look = look(&mut taken, slots);
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if !matches!(look, Look::Theirs) || rack.is_stopped() || left.is_some_and(|left| left.is_zero()) {
                return look;
            }
            taken = match left {
                None => self.given_back.wait(taken).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    self.given_back.wait_timeout(taken, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<usize, ThreadId>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the slots if nobody has one of them.
fn look(taken: &mut HashMap<usize, ThreadId>, slots: &[usize]) -> Look {
    let me = std::thread::current().id();
    let mut owners = slots.iter().filter_map(|slot| taken.get(slot));
    if owners.clone().any(|owner| *owner == me) {
        return Look::Mine;
    }
    if owners.next().is_some() {
        return Look::Theirs;
    }
    taken.extend(slots.iter().map(|&slot| (slot, me)));
    Look::Taken
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        for slot in &self.slots {
            taken.remove(slot);
        }
        drop(taken);
        self.turns.given_back.notify_all();
    }
}
