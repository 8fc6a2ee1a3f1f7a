//! The chain of calls that led to where a thread is: which one it is, how deep it is nested, until when its
//! callers want an answer, and what its calls resolve through.
//!
//! The runtime keeps it; it follows the thread. A backend that goes on with a call on another thread takes the
//! chain along: [`Chain::here`] on the one, [`Chain::within`] on the other. As long as a chain is kept, what its calls resolve
//! through stays as it is: whoever keeps one lets it go when the call has ended, and not before.
//!
//! What goes on beside other calls of one chain is a branch of it ([`Chain::branch`]), and a chain too: it can wait for what
//! another branch has, but not for what one has that it comes of, which does not end before it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::{Call, Cancel};

/// A chain of calls, kept to be gone on with elsewhere.
#[derive(Clone, Debug)]
pub struct Chain {
    id: u64,
    depth: u32,
    bounds: Bounds,
    scope: Option<Arc<dyn Scope>>,
    above: Option<Arc<Above>>,
}

/// A chain that another one is a branch of.
#[derive(Debug)]
struct Above {
    id: u64,
    above: Option<Arc<Above>>,
}

/// What the calls of a chain resolve through, kept from going away. It is the runtime's.
pub trait Scope: Debug + Send + Sync {
    /// Has the calls of the current thread resolve through it, until what is given goes.
    fn enter(&self) -> Box<dyn Any>;
}

/// A number that no chain has.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// How the runtime keeps what the current thread's calls resolve through.
static KEEP: OnceLock<Keep> = OnceLock::new();

type Keep = fn() -> Option<Arc<dyn Scope>>;

/// What of a chain is only there when somebody set it.
#[derive(Clone, Debug, Default)]
struct Bounds {
    deadline: Option<Instant>,
    cancel: Option<Cancel>,
}

thread_local! {
    // A thread runs one chain at a time, so that its number serves for those that begin on it.
    static ID: Cell<u64> = Cell::new(next());
    static ABOVE: RefCell<Option<Arc<Above>>> = const { RefCell::new(None) };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static BOUNDS: RefCell<Bounds> = const { RefCell::new(Bounds { deadline: None, cancel: None }) };
    static ON_LOOP: Cell<bool> = const { Cell::new(false) };
    static AT_ONCE: Cell<AtOnce> = const { Cell::new(AtOnce { depth: None, refused: false }) };
}

/// Whether a thread's calls wait.
#[derive(Clone, Copy)]
struct AtOnce {
    /// How deep the calls are nested that do not; those that come of them wait.
    depth: Option<u32>,
    /// Whether a wait was refused.
    refused: bool,
}

/// The chains that wait for something that the event loop is to end, each by the number of its wait.
static AWAITING: Mutex<BTreeMap<u64, u64>> = Mutex::new(BTreeMap::new());

/// A chain's wait for something that the event loop is to end, until this goes.
///
/// A backend has one event loop at most, in one thread: who waits on that thread holds all of it up. So these waits
/// count when the runtime looks for those that would never end.
#[derive(Debug)]
pub struct Awaiting(u64);

impl Drop for Awaiting {
    fn drop(&mut self) {
        AWAITING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

impl Chain {
    /// How deep calls between slots may be nested.
    pub const DEEPEST: u32 = 64;

    /// The chain that the current thread is in.
    pub fn here() -> Self {
        let scope = KEEP.get().and_then(|keep| keep());
        let above = ABOVE.with_borrow(Clone::clone);
        Self { id: ID.get(), depth: DEPTH.get(), bounds: BOUNDS.with_borrow(Bounds::clone), scope, above }
    }

    /// Says how what the current thread's calls resolve through is kept: `keep` gives nothing where the thread is in no
    /// call. The first to say so is heard.
    pub fn scopes_by(keep: fn() -> Option<Arc<dyn Scope>>) {
        let _ = KEEP.set(keep);
    }

    /// Runs `run` as part of this chain, on whatever thread.
    pub fn within<R>(self, run: impl FnOnce() -> R) -> R {
        let _scope = self.scope.as_ref().map(|scope| scope.enter());
        let _id = Named { before: ID.replace(self.id), above: ABOVE.replace(self.above) };
        let _depth = Deeper { before: DEPTH.replace(self.depth) };
        let _bounds = Within { before: BOUNDS.replace(self.bounds) };
        run()
    }

    /// Runs `run` as a branch of the current thread's chain: what may go on beside other calls of it, and not after it.
    pub fn branch<R>(run: impl FnOnce() -> R) -> R {
        let above = Above { id: ID.get(), above: ABOVE.with_borrow(Clone::clone) };
        let _id = Named { before: ID.replace(next()), above: ABOVE.replace(Some(Arc::new(above))) };
        run()
    }

    /// The chains that the current thread's is a branch of, the nearest first.
    pub fn above() -> Vec<u64> {
        ABOVE.with_borrow(|above| {
            std::iter::successors(above.as_deref(), |above| above.above.as_deref()).map(|a| a.id).collect()
        })
    }

    /// Whether the current thread's chain is the one with this number, or a branch of it.
    pub fn is_of(id: u64) -> bool {
        ID.get() == id || Self::above().contains(&id)
    }

    /// When its callers want an answer.
    pub fn deadline(&self) -> Option<Instant> {
        self.bounds.deadline
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
        AWAITING.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Self::id());
        Awaiting(number)
    }

    /// The chains that wait for something that the event loop is to end.
    pub fn awaiting() -> Vec<u64> {
        let awaiting = AWAITING.lock().unwrap_or_else(PoisonError::into_inner);
        awaiting.values().copied().collect()
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

    /// Runs `run`, of which no call may wait before it begins: for a slot that is being replaced or loaded, or for an instance.
    /// `None` when one would have had to; what it gave instead is nothing to go by.
    ///
    /// A backend whose thread must not be held up asks this way first, and has the call made elsewhere if it must wait.
    pub fn without_waiting<R>(run: impl FnOnce() -> R) -> Option<R> {
        let now = AtOnce { depth: Some(DEPTH.get() + 1), refused: false };
        let before = Waiting { before: AT_ONCE.replace(now) };
        let given = run();
        let refused = AT_ONCE.get().refused;
        drop(before);
        if refused { None } else { Some(given) }
    }

    /// Whether the call that is about to wait may not: whoever is told so fails it, which nobody will see.
    pub fn may_not_wait() -> bool {
        let at_once = AT_ONCE.get();
        let refused = at_once.depth.is_some_and(|depth| DEPTH.get() <= depth);
        if refused {
            AT_ONCE.set(AtOnce { refused, ..at_once });
        }
        refused
    }

    /// Runs `run`, in which modules run whatever the call that led here may do: their own calls wait.
    pub fn may_wait<R>(run: impl FnOnce() -> R) -> R {
        let _before = Waiting { before: AT_ONCE.replace(AtOnce { depth: None, refused: false }) };
        run()
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

struct Waiting {
    before: AtOnce,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        AT_ONCE.set(self.before);
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
    above: Option<Arc<Above>>,
}

impl Drop for Named {
    fn drop(&mut self) {
        ID.set(self.before);
        ABOVE.set(self.above.take());
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
    fn a_branch_is_a_chain_that_knows_what_it_comes_of() {
        let own = Chain::id();
        let (one, other) = Chain::branch(|| {
            assert_eq!(Chain::above(), [own]);
            let id = Chain::id();
            let chain = Chain::here();
            let there = std::thread::spawn(move || {
                let elsewhere = Chain::id();
                let nested = chain.within(|| {
                    assert!(!Chain::is_of(elsewhere));
                    Chain::branch(|| (Chain::above(), Chain::is_of(own), Chain::is_of(Chain::id())))
                });
                assert!(Chain::above().is_empty());
                nested
            });
            assert_eq!(there.join().expect("no panic"), (vec![id, own], true, true));
            (id, Chain::branch(Chain::id))
        });
        assert!(one != own && other != one && !Chain::is_of(one));
        assert!(Chain::above().is_empty());
    }

    #[test]
    fn who_may_not_wait_is_told_that_a_call_would_have() {
        assert!(!Chain::may_not_wait());
        assert_eq!(Chain::without_waiting(|| 1), Some(1));
        assert_eq!(Chain::without_waiting(Chain::may_not_wait), None);
        assert_eq!(Chain::without_waiting(|| Chain::deeper(Chain::may_not_wait)), None);
        // What comes of the call waits as it always does, and so does what is loaded for it.
        let nested = || Chain::deeper(|| Chain::deeper(Chain::may_not_wait));
        assert_eq!(Chain::without_waiting(nested), Some(Some(Some(false))));
        assert_eq!(Chain::without_waiting(|| Chain::may_wait(Chain::may_not_wait)), Some(false));
        assert!(!Chain::may_not_wait());
    }

    #[test]
    fn a_panic_leaves_the_chain_as_it_was() {
        let caught = std::panic::catch_unwind(|| Chain::deeper(|| -> () { panic!("so") }));
        assert!(caught.is_err());
        assert_eq!(Chain::here().depth, 0);
    }
}
