//! Which table the calls of this thread resolve through.
//!
//! A top-level call pins the current table and notes its version for the thread; calls that modules make in
//! it find the same table by that version. Only numbers are noted, never a reference: a thread whose stack is
//! switched by foreign code (greenlets) can at worst resolve through the current table, and nothing stays noted when the
//! calls have ended, in whatever order they did.
//!
//! A call that goes on elsewhere ([`modrack_core::Chain`]) takes along what is noted, and a reference to it: the table of a call stays
//! pinned until the call has ended, wherever that is. What a swap has noted for the modules that it starts goes along as its
//! number alone, for a swap under way holds no table.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::table::SlotTable;
use crate::tables::{Noted, Tables};

/// A table that a call of this thread has pinned. Cell 0 is no cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What this thread's calls resolve through, for a call that goes on elsewhere; none outside of calls.
pub(crate) fn keep() -> Option<Arc<dyn modrack_core::Scope>> {
    let innermost = Some(CURRENT.get()).filter(|current| current.cell != 0)?;
    let mut kept: Vec<Kept> = Vec::new();
    let outer = OUTER.with_borrow(Vec::clone);
    for entered in std::iter::once(innermost).chain(outer.into_iter().rev()) {
        // Of the calls into one rack the innermost counts.
        if kept.iter().all(|kept| kept.entered.cell != entered.cell) {
            let table = Tables::of(entered.cell).and_then(|cell| cell.kept(entered.version));
            kept.push(Kept { entered, table });
        }
    }
    let mut times = times_kept();
    for kept in kept.iter().filter(|kept| kept.table.is_some()) {
        *times.entry((kept.entered.cell, kept.entered.version)).or_default() += 1;
    }
    drop(times);
    Some(Arc::new(KeptScope(kept)))
}

/// Whether a call that goes on elsewhere keeps a table of the cell that is older than `version`.
pub(crate) fn is_kept_before(cell: &Tables, version: u64) -> bool {
    times_kept().range((cell.id(), 0)..(cell.id(), version)).next().is_some()
}

/// How often a table is kept for calls that go on elsewhere, by its cell and its version.
fn times_kept() -> MutexGuard<'static, BTreeMap<(u64, u64), usize>> {
    static TIMES: Mutex<BTreeMap<(u64, u64), usize>> = Mutex::new(BTreeMap::new());
    TIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is noted, innermost first.
struct KeptScope(Vec<Kept>);

struct Kept {
    entered: Entered,
    /// The table itself, where it is one that is pinned.
    table: Option<Arc<SlotTable>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(table) = self.table.take() else { return };
        // Its end may run code of modules, and whoever is told of it looks at what is kept.
        let mut times = times_kept();
        if let Entry::Occupied(mut times) = times.entry((self.entered.cell, self.entered.version)) {
            *times.get_mut() -= 1;
            if *times.get() == 0 {
                times.remove();
            }
        }
        drop(times);
        drop(table);
    }
}

impl fmt::Debug for KeptScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|kept| kept.entered)).finish()
    }
}

impl modrack_core::Scope for KeptScope {
    fn enter(&self) -> Box<dyn Any> {
        let entered = self.0.iter().rev().map(|kept| Scope::enter(kept.entered));
        Box::new(entered.collect::<Vec<_>>())
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
    entered: Entered,
    is_outermost: bool,
}

impl Scope {
    #[inline]
    fn enter(entered: Entered) -> Self {
        let before = CURRENT.replace(entered);
        let is_outermost = before.cell == 0;
        if !is_outermost {
            OUTER.with_borrow_mut(|outer| outer.push(before));
        }
        Self { entered, is_outermost }
    }

    /// One of several, or not the innermost: foreign code has switched the stack.
    #[cold]
    fn leave(&self) {
        OUTER.with_borrow_mut(|outer| {
            if CURRENT.get() == self.entered {
                CURRENT.set(outer.pop().unwrap_or(NOWHERE));
            } else if let Some(at) = outer.iter().rposition(|other| *other == self.entered) {
                outer.remove(at);
            }
        });
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        if self.is_outermost && CURRENT.get() == self.entered {
            CURRENT.set(NOWHERE);
        } else {
            self.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use modrack_core::Chain;

    use super::*;

    fn empty() -> SlotTable {
        SlotTable::new(Arc::default(), IndexMap::new())
    }

    fn tables() -> Arc<Tables> {
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
    fn a_call_that_goes_on_elsewhere_keeps_its_table_until_it_has_ended() {
        let (cell, other) = (tables(), tables());
        assert!(keep().is_none());
        let (first, chain) = within(&cell, |table| {
            within(&other, |_| publish(&cell));
            (table.version(), Chain::here())
        });
        assert_ne!(version(&cell), first);
        let elsewhere = || {
            assert_eq!(chain.clone().within(|| (version(&cell), is_in(&cell))), (first, true));
            // From within a call that began later, too; and what was there before is there again.
            let later = within(&cell, |table| {
                assert_eq!(chain.clone().within(|| version(&cell)), first);
                (table.version(), version(&cell))
            });
            assert_eq!(later.0, later.1);
            assert!(!is_inside());
        };
        std::thread::scope(|scope| scope.spawn(elsewhere).join().expect("it holds"));
        assert!(cell.is_pinned_between(first, first + 1));
        drop(chain);
        assert!(!cell.is_pinned_between(first, first + 1));
    }

    #[test]
    fn a_call_into_two_racks_keeps_the_tables_of_both() {
        let (cell, other) = (tables(), tables());
        let (versions, chain) =
            within(&cell, |one| within(&other, |two| ((one.version(), two.version()), Chain::here())));
        publish(&cell);
        publish(&other);
        let there = || chain.within(|| (version(&cell), version(&other)));
        let there = std::thread::scope(|scope| scope.spawn(there).join());
        assert_eq!(there.expect("no panic"), versions);
    }

    #[test]
    fn what_comes_with_a_swap_is_found_elsewhere_and_holds_no_table() {
        let cell = tables();
        let first = version(&cell);
        let coming = cell.coming(Arc::default(), None);
        let chain = with_version(&cell, coming.number(), Chain::here);
        publish(&cell);
        assert!(!cell.is_pinned_between(first, first + 1));
        let over = || chain.clone().within(|| within(&cell, SlotTable::is_over));
        assert!(std::thread::scope(|scope| scope.spawn(over).join()).expect("no panic"));
        drop(coming);
        assert!(!chain.within(|| within(&cell, SlotTable::is_over)));
    }

    #[test]
    fn nothing_stays_noted_when_calls_end_in_another_order_than_they_began() {
        let cells = [tables(), tables(), tables()];
        let enter =
            |cell: &Arc<Tables>| Some(Scope::enter(Entered { cell: cell.id(), version: version(cell) }));
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut scopes = [enter(&cells[0]), enter(&cells[1]), enter(&cells[2])];
            for (ended, at) in order.into_iter().enumerate() {
                assert!(is_inside());
                scopes[at] = None;
                let left = cells.iter().filter(|cell| is_in(cell)).count();
                assert_eq!(left, cells.len() - 1 - ended);
            }
            assert!(!is_inside());
            assert!(OUTER.with_borrow(Vec::is_empty));
        }
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
