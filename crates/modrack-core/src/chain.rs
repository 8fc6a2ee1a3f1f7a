//! The chain of calls that led to where a thread is: which one it is, how deep it is nested, and until when its
//! callers want an answer.
//!
//! The runtime keeps it; it follows the thread. A backend that goes on with a call on another thread takes the
//! chain along: [`Chain::here`] on the one, [`Chain::within`] on the other.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::{Call, Cancel};

/// A chain of calls, kept to be gone on with elsewhere.
#[derive(Clone, Debug)]
pub struct Chain {
    id: u64,
    depth: u32,
    bounds: Bounds,
}

/// What of a chain is only there when somebody set it.
#[derive(Clone, Debug, Default)]
struct Bounds {
    deadline: Option<Instant>,
    cancel: Option<Cancel>,
}

thread_local! {
    // A thread runs one chain at a time, so that its number serves for those that begin on it.
    static ID: Cell<u64> = {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Cell::new(NEXT.fetch_add(1, Ordering::Relaxed))
    };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static BOUNDS: RefCell<Bounds> = const { RefCell::new(Bounds { deadline: None, cancel: None }) };
    static ON_LOOP: Cell<bool> = const { Cell::new(false) };
}

/// The chains that wait for something that the event loop is to end, each with the number of its wait.
static AWAITING: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

/// A chain's wait for something that the event loop is to end, until this goes.
///
/// A backend has one event loop at most, in one thread: who waits on that thread holds all of it up. So these waits
/// count when the runtime looks for those that would never end.
#[derive(Debug)]
pub struct Awaiting(u64);

impl Drop for Awaiting {
    fn drop(&mut self) {
        AWAITING.lock().unwrap_or_else(PoisonError::into_inner).retain(|(number, _)| *number != self.0);
    }
}

impl Chain {
    /// How deep calls between slots may be nested.
    pub const DEEPEST: u32 = 64;

    /// The chain that the current thread is in.
    pub fn here() -> Self {
        Self { id: ID.get(), depth: DEPTH.get(), bounds: BOUNDS.with_borrow(Bounds::clone) }
    }

    /// Runs `run` as part of this chain, on whatever thread.
    pub fn within<R>(self, run: impl FnOnce() -> R) -> R {
        let _id = Named { before: ID.replace(self.id) };
        let _depth = Deeper { before: DEPTH.replace(self.depth) };
        let _bounds = Within { before: BOUNDS.replace(self.bounds) };
        run()
    }

    /// Runs `run` one call deeper; `None`, and nothing is run, when that is too deep.
    #[inline]
    pub fn deeper<R>(run: impl FnOnce() -> R) -> Option<R> {
        let before = DEPTH.get();
        if before >= Self::DEEPEST {
            return None;
        }
        DEPTH.set(before + 1);
        let _depth = Deeper { before };
        Some(run())
    }

    /// Runs `run` with what `call` bounds noted for the calls that come of it: its deadline, if it is the
    /// nearer one, and its way to be given up.
    #[inline]
    pub fn bounded<R>(call: &Call<'_>, run: impl FnOnce() -> R) -> R {
        if call.deadline.is_none() && call.cancel.is_none() { run() } else { Self::noted(call, run) }
    }

    #[inline(never)]
    fn noted<R>(call: &Call<'_>, run: impl FnOnce() -> R) -> R {
        let bounds = BOUNDS.with_borrow(|outer| Bounds {
            deadline: nearer(outer.deadline, call.deadline),
            cancel: call.cancel.cloned().or_else(|| outer.cancel.clone()),
        });
        let _bounds = Within { before: BOUNDS.replace(bounds) };
        run()
    }

    /// Notes that the current thread's chain waits for something that the event loop is to end.
    pub fn awaits() -> Awaiting {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        AWAITING.lock().unwrap_or_else(PoisonError::into_inner).push((number, Self::id()));
        Awaiting(number)
    }

    /// The chains that wait for something that the event loop is to end.
    pub fn awaiting() -> Vec<u64> {
        let awaiting = AWAITING.lock().unwrap_or_else(PoisonError::into_inner);
        awaiting.iter().map(|(_, chain)| *chain).collect()
    }

    /// Runs `run` as what it is: something that the event loop runs, on its thread.
    pub fn on_loop<R>(run: impl FnOnce() -> R) -> R {
        let _looping = Looping { before: ON_LOOP.replace(true) };
        run()
    }

    /// Whether the current thread holds up the event loop when it waits.
    pub fn is_on_loop() -> bool {
        ON_LOOP.get()
    }

    /// What tells the current thread's chain from every other that is under way; never 0.
    #[inline]
    pub fn id() -> u64 {
        ID.get()
    }

    /// When the outermost callers of the current thread want an answer, and how they give up.
    pub fn bounds() -> (Option<Instant>, Option<Cancel>) {
        BOUNDS.with_borrow(|bounds| (bounds.deadline, bounds.cancel.clone()))
    }
}

/// The earlier of two deadlines.
fn nearer(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

struct Deeper {
    before: u32,
}

impl Drop for Deeper {
    #[inline]
    fn drop(&mut self) {
        DEPTH.set(self.before);
    }
}

struct Looping {
    before: bool,
}

impl Drop for Looping {
    fn drop(&mut self) {
        ON_LOOP.set(self.before);
    }
}

struct Named {
    before: u64,
}

impl Drop for Named {
    fn drop(&mut self) {
        ID.set(self.before);
    }
}

struct Within {
    before: Bounds,
}

impl Drop for Within {
    fn drop(&mut self) {
        BOUNDS.set(std::mem::take(&mut self.before));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_chain_is_as_deep_as_its_calls_and_goes_along_to_other_threads() {
        fn nested(left: u32) -> Option<u32> {
            if left == 0 { Some(Chain::here().depth) } else { Chain::deeper(|| nested(left - 1))? }
        }
        assert_eq!(nested(3), Some(3));
        assert_eq!(nested(Chain::DEEPEST), Some(Chain::DEEPEST));
        assert_eq!(nested(Chain::DEEPEST + 1), None);
        Chain::deeper(|| {
            let (here, id) = (Chain::here(), Chain::id());
            let there = std::thread::spawn(|| {
                let own = Chain::id();
                let within = here.within(|| (nested(1), Chain::id()));
                (own, within, Chain::id())
            });
            let (own, within, after) = there.join().expect("no panic");
            assert_eq!((within, after), ((Some(2), id), own));
            assert_ne!(own, id);
        });
        assert_eq!(nested(0), Some(0));
    }

    #[test]
    fn the_nearest_deadline_holds_for_all_that_comes_of_a_call() {
        let now = Instant::now();
        let (near, far) = (now + Duration::from_secs(1), now + Duration::from_secs(2));
        let until = |deadline| Call { deadline: Some(deadline), ..Call::default() };
        let cancel = Cancel::default();
        Chain::bounded(&Call { cancel: Some(&cancel), ..until(near) }, || {
            Chain::bounded(&until(far), || {
                cancel.cancel();
                let (deadline, cancel) = Chain::bounds();
                assert_eq!(deadline, Some(near));
                assert!(cancel.is_some_and(|cancel| cancel.is_cancelled()));
            });
        });
        assert_eq!(Chain::bounds().0, None);
    }

    #[test]
    fn a_panic_leaves_the_chain_as_it_was() {
        let caught = std::panic::catch_unwind(|| Chain::deeper(|| -> () { panic!("so") }));
        assert!(caught.is_err());
        assert_eq!(Chain::here().depth, 0);
    }
}
