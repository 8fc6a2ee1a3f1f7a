//! The one atomic pointer of a rack: who reads it pins what it saw, and never waits.
//!
//! A table that was pinned lives exactly as long as its last pin; its drop is what ends a grace period. Only
//! publishing and looking for an older table take a lock, and no foreign code runs under it. Nothing here knows what a table is for.
//! `tests/cell` runs this file under a model checker.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::grace::Grace;
use crate::sync::{Arc, ArcSwap, Guard, Mutex, MutexGuard, PoisonError, Weak};

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
    current: ArcSwap<T>,
    /// Tables that calls may resolve through though they are not current, by version.
    others: Mutex<Vec<(u64, Weak<T>)>>,
    publishing: Mutex<()>,
    grace: Arc<Grace>,
}

/// A table that cannot go away while this lives.
pub(crate) struct Pinned<T>(Guard<Arc<T>>);

impl<T: Table> TableCell<T> {
    /// A cell that holds `first`.
    pub(crate) fn new(first: T) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            current: ArcSwap::from_pointee(first),
            others: Mutex::default(),
            publishing: Mutex::default(),
            grace: Arc::default(),
        }
    }

    /// What is told of the ends of tables.
    pub(crate) fn grace(&self) -> &Arc<Grace> {
        &self.grace
    }

    /// What tells this cell from every other of the process; never 0.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Pins the current table.
    pub(crate) fn pin(&self) -> Pinned<T> {
        Pinned(self.current.load())
    }

    /// Replaces the current table by what `next` makes of it.
    ///
    /// `next` must not call foreign code: publishers wait for each other.
    pub(crate) fn publish<R>(&self, next: impl FnOnce(&T) -> (Option<T>, R)) -> R {
        let publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, given) = next(&self.current.load());
        let old = table.map(|table| {
            // Before it is replaced: a call within a call finds the table of the outer one at any moment.
            let current = self.current.load_full();
            self.note(&current);
            current.end_tells(&self.grace);
            self.current.swap(Arc::new(table))
        });
        drop(publishing);
        // What it held may be foreign objects, whose ends run code.
        drop(old);
        given
    }

    /// Makes a table one that calls can resolve through before it is published, or without.
    pub(crate) fn admit(&self, table: T) -> Arc<T> {
        let table = Arc::new(table);
        self.note(&table);
        table
    }

    /// The table of `version`, while somebody still pins it.
    pub(crate) fn at(&self, version: u64) -> Option<Arc<T>> {
        let others = self.others();
        others.iter().find(|(known, _)| *known == version).and_then(|(_, table)| table.upgrade())
    }

    /// Whether any call still resolves through a table from that of `since` to the one before that of `version`.
    pub(crate) fn is_pinned_between(&self, since: u64, version: u64) -> bool {
        self.others()
            .iter()
            .any(|(known, table)| (since..version).contains(known) && table.strong_count() > 0)
    }

    fn note(&self, table: &Arc<T>) {
        let mut others = self.others();
        others.retain(|(_, table)| table.strong_count() > 0);
        others.push((table.version(), Arc::downgrade(table)));
    }

    fn others(&self) -> MutexGuard<'_, Vec<(u64, Weak<T>)>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Pinned<T> {
    /// The pin for as long as the caller likes: what outlives a call, or moves to another thread.
    pub(crate) fn keep(self) -> Arc<T> {
        Guard::into_inner(self.0)
    }
}

impl<T> Deref for Pinned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
