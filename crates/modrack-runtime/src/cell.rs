//! The one atomic pointer of a rack: who reads it pins what it saw, and never waits.
//!
//! A table that was pinned lives exactly as long as its last pin; its drop is what ends a grace period. A pin is a word that
//! its thread writes where others look (`pins`): no lock, and nothing that other threads write to. What makes that sure is one order,
//! held on both sides by a fence (`fences`):
//!
//! - who pins says which table, and then looks whether it still is the current one;
//! - who publishes changes which one is current, and then looks who says that it has the old one;
//! - who unpins says that it has it no more, and then looks whether it still is the current one: if not, it looks who else
//!   has it.
//!
//! So of a pin and a publishing that meet, one sees the other: the pin is taken anew, or the old table is kept; and whoever
//! unpins a replaced table last finds that it is the last, because those who look take turns. Only publishing, and looking after
//! tables that were replaced, take a lock, and no foreign code runs under it. Nothing here knows what a table is for.
//! `tests/cell` runs this file under a model checker.
#![expect(unsafe_code, reason = "tables are reached by a pointer that no count is kept of")]

use std::ops::Deref;

use crate::grace::Grace;
use crate::pins::{self, Place};
use crate::sync::{
    Arc, AtomicPtr, AtomicUsize, Fences, Mutex, MutexGuard, Ordering, PoisonError, Weak, fence, shared,
};

/// What a cell must know of a table.
pub(crate) trait Table {
    /// What tells it from every other; a later one has a higher number.
    fn version(&self) -> u64;

    /// Has its end told to `grace` from now on.
    fn end_tells(&self, grace: &Arc<Grace>);
}

/// Where the current table is.
pub(crate) struct TableCell<T> {
    id: u64,
    /// Of an `Arc`, with a count of its own; changed with `others` locked.
    current: AtomicPtr<T>,
    fences: Fences,
    /// Tables that calls may resolve through though they are not current.
    others: Mutex<Vec<Other<T>>>,
    publishing: Mutex<()>,
    grace: Arc<Grace>,
}

/// A table that is not current.
struct Other<T> {
    version: u64,
    table: Weak<T>,
    /// The table, while a pin may hold it that nobody counts.
    replaced: Option<Arc<T>>,
    /// Whether each pin of it can be seen.
    is_seen: bool,
}

/// A table that cannot go away while this lives. It stays on its thread, as the pointer sees to.
pub(crate) struct Pinned<'a, T> {
    cell: &'a TableCell<T>,
    table: *const T,
    /// Where it is pinned; without, it has a count of its own.
    place: Option<&'static Place>,
}

shared! { static CELLS: AtomicUsize = AtomicUsize::new(1) }

impl<T: Table> TableCell<T> {
    /// A cell that holds `first`.
    pub(crate) fn new(first: T) -> Self {
        Self {
            id: CELLS.fetch_add(1, Ordering::Relaxed) as u64,
            current: AtomicPtr::new(Arc::into_raw(Arc::new(first)).cast_mut()),
            fences: Fences::of_process(),
            others: Mutex::new(Vec::new()),
            publishing: Mutex::new(()),
            grace: Arc::default(),
        }
    }

    /// Replaces the current table by what `next` makes of it.
    ///
    /// `next` must not call foreign code: publishers wait for each other.
    pub(crate) fn publish<R>(&self, next: impl FnOnce(&T) -> (Option<T>, R)) -> R {
        let publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.pin();
        let (table, given) = next(&current);
        if let Some(table) = table {
            current.end_tells(&self.grace);
            self.replace(table);
        }
        drop(publishing);
        drop(current);
        self.collect();
        given
    }

    /// Makes a table one that calls can resolve through before it is published, or without.
    pub(crate) fn admit(&self, table: T) -> Arc<T> {
        let table = Arc::new(table);
        let (version, weak) = (table.version(), Arc::downgrade(&table));
        self.others().push(Other { version, table: weak, replaced: None, is_seen: true });
        table
    }

    fn replace(&self, table: T) {
        let new = Arc::into_raw(Arc::new(table)).cast_mut();
        let mut others = self.others();
        let old = self.current.swap(new, Ordering::AcqRel);
        // SAFETY: it was made by `Arc::into_raw`, and the count that it stands for was the cell's until now.
        let old = unsafe { Arc::from_raw(old) };
        let (version, table) = (old.version(), Arc::downgrade(&old));
        // Known before the lock goes: a call within a call finds the table of the outer one at any moment.
        let is_seen = self.fences.heavy();
        others.push(Other { version, table, replaced: Some(old), is_seen });
    }
}

impl<T> TableCell<T> {
    /// What is told of the ends of tables.
    pub(crate) fn grace(&self) -> &Arc<Grace> {
        &self.grace
    }

    /// What tells this cell from every other of the process; never 0.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Pins the current table.
    #[inline]
    pub(crate) fn pin(&self) -> Pinned<'_, T> {
        if let Some(places) = pins::mine() {
            let place = places.first();
            let seen = self.current.load(Ordering::Acquire);
            if place.holds(seen.addr()) {
                return self.pinned(seen, place);
            }
            if place.is_free()
                && let Some(table) = self.try_pin(place, seen)
            {
                return table;
            }
        }
        self.pin_slowly()
    }

    /// The table of `version`, while somebody still pins it.
    pub(crate) fn at(&self, version: u64) -> Option<Arc<T>> {
        let others = self.others();
        others.iter().find(|other| other.version == version).and_then(|other| other.table.upgrade())
    }

    /// Whether any call still resolves through a table from that of `since` to the one before that of `version`.
    pub(crate) fn is_pinned_between(&self, since: u64, version: u64) -> bool {
        let mut others = self.others();
        self.see(&mut others);
        let held = pins::held();
        let is_pinned = |other: &Other<T>| match &other.replaced {
            // Ours is one.
            Some(table) => !other.is_free(&held) || Arc::strong_count(table) > 1,
            None => other.table.strong_count() > 0,
        };
        let mut between = others.iter().filter(|other| (since..version).contains(&other.version));
        let is_pinned = between.any(is_pinned);
        if !is_pinned {
            // Counts are read without any order: what was done with a table that was kept comes before its count went, and from
            // here on before what is done because nobody has it.
            fence(Ordering::Acquire);
        }
        is_pinned
    }

    /// Whether the system refuses to have pins of replaced tables be seen, as it does where it was told to after it had agreed: then
    /// nobody can say whether they are there.
    pub(crate) fn is_blind(&self) -> bool {
        self.others().iter().any(|other| !other.is_seen)
    }

    /// A pin where this thread has none yet, of another table than the first one, or of one that is just being replaced.
    #[cold]
    fn pin_slowly(&self) -> Pinned<'_, T> {
        let Some(places) = pins::ours() else { return self.pin_counted() };
        loop {
            let seen = self.current.load(Ordering::Acquire);
            match places.place_for(seen.addr()) {
                None => return self.pin_counted(),
                Some(place) if place.holds(seen.addr()) => return self.pinned(seen, place),
                Some(place) => {
                    if let Some(table) = self.try_pin(place, seen) {
                        return table;
                    }
                }
            }
        }
    }

    /// Pins `seen` in a free place, if it still is the current table then.
    #[inline]
    fn try_pin(&self, place: &'static Place, seen: *mut T) -> Option<Pinned<'_, T>> {
        place.say(seen.addr());
        self.fences.light();
        let now = self.current.load(Ordering::Acquire);
        if now.addr() == seen.addr() {
            return Some(self.pinned(now, place));
        }
        self.unsay(place);
        None
    }

    #[inline]
    fn pinned(&self, table: *const T, place: &'static Place) -> Pinned<'_, T> {
        place.count();
        Pinned { cell: self, table, place: Some(place) }
    }

    /// Takes back what was said of a table that was replaced meanwhile: who looked may have taken it for a pin.
    #[cold]
    fn unsay(&self, place: &Place) {
        place.say(0);
        self.collect();
    }

    /// A pin with a count of its own, for a thread that is ending, and for calls that are nested in many racks.
    fn pin_counted(&self) -> Pinned<'_, T> {
        let others = self.others();
        let table = self.current.load(Ordering::Acquire).cast_const();
        // SAFETY: it was made by `Arc::into_raw`, and the cell's own count stands while `others` is locked.
        unsafe { Arc::increment_strong_count(table) };
        drop(others);
        Pinned { cell: self, table, place: None }
    }

    /// Lets go of the replaced tables that nobody has pinned any more. What is counted keeps them, or nothing does.
    #[cold]
    fn collect(&self) {
        let mut others = self.others();
        self.see(&mut others);
        let held = pins::held();
        let free: Vec<_> =
            others.iter_mut().filter(|o| o.is_free(&held)).filter_map(|o| o.replaced.take()).collect();
        others.retain(|other| other.table.strong_count() > 0);
        drop(others);
        // What they hold may be foreign objects, whose ends run code.
        drop(free);
    }

    /// Has every pin of replaced tables be seen, where that could not be had when they were replaced.
    fn see(&self, others: &mut [Other<T>]) {
        if others.iter().any(|other| !other.is_seen) && self.fences.heavy() {
            others.iter_mut().for_each(|other| other.is_seen = true);
        }
    }

    fn others(&self) -> MutexGuard<'_, Vec<Other<T>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Other<T> {
    /// Whether none of the pins that nobody counts is of it.
    fn is_free(&self, held: &[usize]) -> bool {
        let is_held = |table: &Arc<T>| held.contains(&Arc::as_ptr(table).addr());
        self.is_seen && !self.replaced.as_ref().is_some_and(is_held)
    }
}

impl<T> Pinned<'_, T> {
    /// The pin for as long as the caller likes: what outlives a call, or moves to another thread.
    pub(crate) fn keep(self) -> Arc<T> {
        // SAFETY: it was made by `Arc::into_raw`, and does not go while it is pinned; the count that is taken here is the
        // caller's.
        unsafe {
            Arc::increment_strong_count(self.table);
            Arc::from_raw(self.table)
        }
    }
}

impl<T> Deref for Pinned<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: it was the current table when its place said so, or it has a count; either keeps it until this goes, and
        // nobody changes a table.
        unsafe { &*self.table }
    }
}

impl<T> Drop for Pinned<'_, T> {
    #[inline]
    fn drop(&mut self) {
        match self.place {
            Some(place) => {
                if place.let_go() {
                    self.cell.fences.light();
                    if self.cell.current.load(Ordering::Relaxed).addr() != self.table.addr() {
                        self.cell.collect();
                    }
                }
            }
            // SAFETY: the count was taken for this, by `pin_counted`.
            None => drop(unsafe { Arc::from_raw(self.table) }),
        }
    }
}

impl<T> Drop for TableCell<T> {
    fn drop(&mut self) {
        // SAFETY: it was made by `Arc::into_raw`, the count is the cell's, and no pin outlives the cell.
        drop(unsafe { Arc::from_raw(self.current.load(Ordering::Acquire)) });
    }
}
