//! Which table the calls of this thread resolve through.
//!
//! A top-level call pins the current table and notes its version for the thread; calls that modules make in
//! it find the same table by that version. Only numbers are noted, never a reference: a thread whose stack is
//! switched by foreign code (greenlets) can at worst resolve through the current table.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::table::SlotTable;
use crate::tables::{Noted, Tables};

/// A table that a call of this thread has pinned. Cell 0 is no cell.
#[derive(Clone, Copy)]
struct Entered {
    cell: u64,
    version: u64,
}

const NOWHERE: Entered = Entered { cell: 0, version: 0 };

thread_local! {
    static CURRENT: Cell<Entered> = const { Cell::new(NOWHERE) };
    // Calls into one rack out of calls into another: what was current before, outermost first.
    static OUTER: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

/// Runs `run` with the table that this thread's calls into the cell's rack resolve through.
#[inline]
pub(crate) fn within<R>(cell: &Tables, run: impl FnOnce(&SlotTable) -> R) -> R {
    let now = cell.pin();
    let current = CURRENT.get();
    if current.cell == cell.id() && current.version == now.version() {
        return run(&now);
    }
    if current.cell != 0
        && let Some(version) = noted(cell.id())
    {
        if version == now.version() {
            return run(&now);
        }
        return match cell.noted(version, now) {
            Noted::Table(table) => run(&table),
            // A call that a new module makes before it serves: it has a table of its own, as any call from outside.
            Noted::Over(table) => {
                let _scope = Scope::enter(Entered { cell: cell.id(), version: table.version() });
                run(&table)
            }
        };
    }
    let _scope = Scope::enter(Entered { cell: cell.id(), version: now.version() });
    run(&now)
}

/// Whether this thread is in a call into any rack.
#[inline]
pub(crate) fn is_inside() -> bool {
    CURRENT.get().cell != 0
}

/// Whether this thread is in a call into the cell's rack.
pub(crate) fn is_in(cell: &Tables) -> bool {
    noted(cell.id()).is_some()
}

/// Runs `run` with all calls of this thread into the cell's rack resolving through `table`, which the caller
/// keeps pinned.
pub(crate) fn with_table<R>(cell: &Tables, table: &SlotTable, run: impl FnOnce() -> R) -> R {
    with_version(cell, table.version(), run)
}

/// Runs `run` with all calls of this thread into the cell's rack resolving through what `version` stands for.
pub(crate) fn with_version<R>(cell: &Tables, version: u64, run: impl FnOnce() -> R) -> R {
    let _scope = Scope::enter(Entered { cell: cell.id(), version });
    run()
}

/// The table that this thread's calls into the cell's rack resolve through, for the caller to keep.
pub(crate) fn current(cell: &Tables) -> Arc<SlotTable> {
    let now = cell.pin();
    match noted(cell.id()) {
        Some(version) if version != now.version() => match cell.noted(version, now) {
            Noted::Table(table) | Noted::Over(table) => table,
        },
        _ => now.keep(),
    }
}

/// The version of the table that this thread has pinned in `cell`.
fn noted(cell: u64) -> Option<u64> {
    let current = CURRENT.get();
    if current.cell == cell {
        return Some(current.version);
    }
    OUTER.with_borrow(|outer| outer.iter().rev().find(|e| e.cell == cell).map(|e| e.version))
}

/// Notes a table for as long as it lives.
struct Scope {
    before: Entered,
}

impl Scope {
    #[inline]
    fn enter(entered: Entered) -> Self {
        let before = CURRENT.replace(entered);
        if before.cell != 0 {
            OUTER.with_borrow_mut(|outer| outer.push(before));
        }
        Self { before }
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
        if self.before.cell != 0 {
            OUTER.with_borrow_mut(|outer| {
                outer.pop();
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;

    fn empty() -> SlotTable {
        SlotTable::new(Arc::default(), IndexMap::new())
    }

    fn tables() -> Tables {
        Tables::new(empty())
    }

    fn version(cell: &Tables) -> u64 {
        within(cell, SlotTable::version)
    }

    fn publish(cell: &Tables) {
        cell.publish(|_| (Some(empty()), ()));
    }

    #[test]
    fn calls_within_a_call_resolve_through_its_table() {
        let (cell, other) = (tables(), tables());
        let first = version(&cell);
        within(&cell, |_| {
            publish(&cell);
            assert_eq!(version(&cell), first);
            assert_eq!(current(&cell).version(), first);
            // The same from within a call into another rack; and other threads see the new table.
            within(&other, |_| assert_eq!(version(&cell), first));
            std::thread::scope(|scope| {
                scope.spawn(|| assert_ne!(version(&cell), first));
            });
        });
        assert_ne!(version(&cell), first);
    }

    #[test]
    fn a_table_goes_with_its_last_pin() {
        let cell = tables();
        let kept = cell.pin().keep();
        let weak = Arc::downgrade(&kept);
        let pinned = cell.pin();
        publish(&cell);
        assert!(cell.at(kept.version()).is_some());
        drop(pinned);
        drop(kept);
        assert_eq!(weak.strong_count(), 0);
    }

    #[test]
    fn a_panic_ends_the_call_it_comes_from() {
        let cell = tables();
        let caught =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| within(&cell, |_| panic!("so"))));
        assert!(caught.is_err());
        publish(&cell);
        assert_eq!(version(&cell), cell.pin().version());
    }
}
