//! Which tables the threads of the process hold: a few places for each thread, each with the address of one table.
//!
//! A place is written by its thread alone, by plain stores, and read by whoever looks whether a table is still held. An
//! address is a number here: nothing follows it. Which order of stores and looks makes a look sure is the cell's to say
//! (`cell`). `tests/cell` runs this file under a model checker.

use std::cell::{Cell, RefCell};
// Of a place's own thread alone, and never looked at by others: not for the model checker.
use std::sync::atomic::AtomicUsize as Own;

use crate::sync::{AtomicUsize, HANDED_ON, Mutex, MutexGuard, Ordering, PoisonError, local, shared};

/// How many tables a thread holds at once without a lock: as many as calls into other racks, or begun on older tables, are
/// nested in each other. Tests run out of them soon.
const PLACES: usize = if cfg!(test) { 2 } else { 6 };

/// Where a thread says that it holds a table.
pub(crate) struct Place {
    /// 0 when it holds none.
    address: AtomicUsize,
    /// How many pins there are.
    times: Own,
}

/// The places of one thread, of which no other thread's share a cache line.
#[repr(align(128))]
pub(crate) struct Places {
    places: [Place; PLACES],
    /// Whether a thread has them: 1. They are taken with `ALL` locked.
    is_taken: Own,
}

/// The places of a thread, to be another's when it has ended.
struct Owner(&'static Places);

local! { static MINE: Cell<Option<&'static Places>> = Cell::new(None) }
local! { static OWNER: RefCell<Option<Owner>> = RefCell::new(None) }
shared! { static ALL: Mutex<Vec<&'static Places>> = Mutex::new(Vec::new()) }

/// The places of this thread, if it has any yet.
#[inline]
pub(crate) fn mine() -> Option<&'static Places> {
    MINE.with(Cell::get)
}

/// The places of this thread, had now if it has none; none when the thread is ending.
pub(crate) fn ours() -> Option<&'static Places> {
    if let Some(mine) = mine() {
        return Some(mine);
    }
    OWNER
        .try_with(|owner| {
            let places = take();
            *owner.borrow_mut() = Some(Owner(places));
            MINE.with(|mine| mine.set(Some(places)));
            places
        })
        .ok()
}

/// The addresses of all tables that any thread holds.
pub(crate) fn held() -> Vec<usize> {
    let all = all();
    let places = all.iter().flat_map(|places| &places.places);
    places.map(|place| place.address.load(Ordering::Acquire)).filter(|address| *address != 0).collect()
}

/// Places that no thread has, made if there are none.
fn take() -> &'static Places {
    let mut all = all();
    if let Some(free) = all.iter().find(|places| places.is_taken.load(Ordering::Acquire) == 0) {
        free.is_taken.store(1, Ordering::Relaxed);
        return free;
    }
    // Never given back: whoever looks may look at any moment, and there are as many as there were threads at once.
    let places: &'static Places = Box::leak(Box::new(Places {
        places: std::array::from_fn(|_| Place { address: AtomicUsize::new(0), times: Own::new(0) }),
        is_taken: Own::new(1),
    }));
    all.push(places);
    places
}

fn all() -> MutexGuard<'static, Vec<&'static Places>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    /// The place for a first pin, and mostly the only one.
    #[inline]
    pub(crate) fn first(&self) -> &Place {
        &self.places[0]
    }

    /// The place that holds `address`, else one that holds nothing.
    pub(crate) fn place_for(&self, address: usize) -> Option<&Place> {
        let holds = |place: &&Place| place.holds(address);
        self.places.iter().find(holds).or_else(|| self.places.iter().find(|place| place.is_free()))
    }
}

impl Place {
    /// Whether it holds nothing.
    #[inline]
    pub(crate) fn is_free(&self) -> bool {
        self.times.load(Ordering::Relaxed) == 0
    }

    /// Whether it holds the table at `address`.
    #[inline]
    pub(crate) fn holds(&self, address: usize) -> bool {
        !self.is_free() && self.address.load(Ordering::Relaxed) == address
    }

    /// Says that it is to hold the table at `address`, for others to see. Of a free place; it is no pin yet.
    #[inline]
    pub(crate) fn say(&self, address: usize) {
        // Whoever sees it also sees what this thread did with what stood here before.
        self.address.store(address, Ordering::Release);
    }

    /// Counts a pin of what it says.
    #[inline]
    pub(crate) fn count(&self) {
        self.times.store(self.times.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Ends a pin; whether it was the last one here.
    #[inline]
    pub(crate) fn let_go(&self) -> bool {
        let left = self.times.load(Ordering::Relaxed) - 1;
        self.times.store(left, Ordering::Relaxed);
        if left == 0 {
            self.say(0);
        }
        left == 0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = MINE.try_with(|mine| mine.set(None));
        // A pin that outlives its thread keeps its place, which is nobody's then.
        if HANDED_ON && self.0.places.iter().all(Place::is_free) {
            // Whoever takes them comes after all that this thread did with what it had pinned.
            self.0.is_taken.store(0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_had_is_another_ones_when_it_has_ended() {
        if !HANDED_ON {
            return;
        }
        const THREADS: usize = if cfg!(miri) { 100 } else { 1_000 };
        for _ in 0..THREADS {
            let thread = std::thread::spawn(|| ours().is_some_and(|places| places.first().is_free()));
            assert!(thread.join().is_ok_and(|is_free| is_free));
        }
        // Threads of other tests have some.
        assert!(all().len() < THREADS / 2);
    }
}
