//! The one atomic pointer of a rack: who reads it pins what it saw, and never waits.
//!
//! A table that was pinned lives exactly as long as its last pin; its drop is what ends a grace period. Only
//! publishing takes a lock, and no foreign code runs under it. Nothing here knows what a table is for.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::{ArcSwap, Guard};

use crate::table::SlotTable;

/// Where the current table is.
pub(crate) struct TableCell {
    id: u64,
    current: ArcSwap<SlotTable>,
    replaced: Mutex<Vec<Weak<SlotTable>>>,
}

/// A table that cannot go away while this lives.
pub(crate) struct Pinned(Guard<Arc<SlotTable>>);

impl TableCell {
    /// A cell that holds `first`.
    pub(crate) fn new(first: SlotTable) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            current: ArcSwap::from_pointee(first),
            replaced: Mutex::new(Vec::new()),
        }
    }

    /// What tells this cell from every other of the process; never 0.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Pins the current table.
    pub(crate) fn pin(&self) -> Pinned {
        Pinned(self.current.load())
    }

    /// Replaces the current table by what `next` makes of it.
    ///
    /// `next` must not call foreign code: publishers wait for each other.
    pub(crate) fn publish<R>(&self, next: impl FnOnce(&SlotTable) -> (Option<SlotTable>, R)) -> R {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, given) = next(&self.current.load());
        if let Some(table) = table {
            let old = self.current.swap(Arc::new(table));
            replaced.retain(|table| table.strong_count() > 0);
            replaced.push(Arc::downgrade(&old));
        }
        given
    }

    /// The table that was published under `version`, while somebody still pins it.
    pub(crate) fn at(&self, version: u64) -> Option<Arc<SlotTable>> {
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.iter().filter_map(Weak::upgrade).find(|table| table.version() == version)
    }
}

impl Pinned {
    /// The pin for as long as the caller likes: what outlives a call, or moves to another thread.
    pub(crate) fn keep(self) -> Arc<SlotTable> {
        Guard::into_inner(self.0)
    }
}

impl Deref for Pinned {
    type Target = SlotTable;

    fn deref(&self) -> &SlotTable {
        &self.0
    }
}
