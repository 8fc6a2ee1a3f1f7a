//! The tables of a rack, those of swaps that are under way included.
//!
//! While a new module starts, its calls find the modules that come with it, and for all other slots what serves them at
//! that moment. Each such call has a table of its own, so that a swap holds no table while it waits, and swaps of
//! different slots never wait for each other.
//!
//! The tables of every rack of the process are found by their cell's number, which is all that a thread notes of them.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use modrack_core::Chain;

use crate::cell::{Pinned, TableCell};
use crate::configuration::Configuration;
use crate::scope;
use crate::seat::Seat;
use crate::table::SlotTable;

/// The tables of a rack.
pub(crate) struct Tables {
    cell: TableCell<SlotTable>,
    /// The seats that swaps under way fill, by the number of the swap.
    coming: Mutex<Vec<(u64, UnderWay)>>,
}

/// What comes with a swap that is under way.
#[derive(Clone)]
struct UnderWay {
    seats: Arc<[Arc<Seat>]>,
    /// The configuration that comes along, if one does.
    configuration: Option<Arc<Configuration>>,
}

/// What a number that a thread has noted stands for.
pub(crate) enum Noted {
    /// A table that is pinned.
    Table(Arc<SlotTable>),
    /// A table for a call that a new module makes before it serves.
    Over(Arc<SlotTable>),
}

/// The tables of all racks.
static ALL: Mutex<Vec<(u64, Weak<Tables>)>> = Mutex::new(Vec::new());

/// The seats of a swap, found by the calls of who has its number, until this goes.
pub(crate) struct Coming<'a> {
    tables: &'a Tables,
    number: u64,
}

impl Tables {
    /// Tables of which `first` is current.
    pub(crate) fn new(first: SlotTable) -> Arc<Self> {
        Chain::scopes_by(scope::keep);
        let tables = Arc::new(Self { cell: TableCell::new(first), coming: Mutex::default() });
        all().push((tables.id(), Arc::downgrade(&tables)));
        tables
    }

    /// The tables whose cell has this number, while their rack is there.
    pub(crate) fn of(cell: u64) -> Option<Arc<Self>> {
        all().iter().find(|(id, _)| *id == cell).and_then(|(_, tables)| tables.upgrade())
    }

    /// The table of `version`, which the caller has pinned and keeps from now on; none where it is a swap's number.
    pub(crate) fn kept(&self, version: u64) -> Option<Arc<SlotTable>> {
        let now = self.cell.pin();
        if now.version() == version { Some(now.keep()) } else { self.cell.at(version) }
    }

    /// Has the calls of who notes the number of what is given find these seats, and this configuration if there is one.
    pub(crate) fn coming(
        &self,
        seats: Arc<[Arc<Seat>]>,
        configuration: Option<Arc<Configuration>>,
    ) -> Coming<'_> {
        // No table has such a number.
        static NEXT: AtomicU64 = AtomicU64::new(1 << 63);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.under_way().push((number, UnderWay { seats, configuration }));
        Coming { tables: self, number }
    }

    /// What `number` stands for; `now`, the current table, when it stands for nothing any more.
    pub(crate) fn noted(&self, number: u64, now: Pinned<'_, SlotTable>) -> Noted {
        if let Some(table) = self.cell.at(number) {
            return Noted::Table(table);
        }
        let coming =
            self.under_way().iter().find(|(known, _)| *known == number).map(|(_, coming)| coming.clone());
        match coming {
            Some(UnderWay { seats, configuration }) => {
                let table = SlotTable::over(now.keep(), seats.iter(), configuration.as_ref());
                Noted::Over(self.cell.admit(table))
            }
            None => Noted::Table(now.keep()),
        }
    }

    /// Whether any call may still come to what fills one of `seats`, of which the table of `version` was the first without.
    pub(crate) fn are_pinned(&self, seats: &[Arc<Seat>], version: u64) -> bool {
        let since = seats.iter().map(|seat| seat.since()).min();
        since.is_some_and(|since| self.cell.is_pinned_between(since, version))
    }

    fn under_way(&self) -> MutexGuard<'_, Vec<(u64, UnderWay)>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn all() -> MutexGuard<'static, Vec<(u64, Weak<Tables>)>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Tables {
    fn drop(&mut self) {
        let id = self.cell.id();
        all().retain(|(other, _)| *other != id);
    }
}

impl Deref for Tables {
    type Target = TableCell<SlotTable>;

    fn deref(&self) -> &TableCell<SlotTable> {
        &self.cell
    }
}

impl Coming<'_> {
    /// Its number, to be noted in place of a table's.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let mut coming = self.tables.under_way();
        let at = coming.iter().position(|(known, _)| *known == self.number);
        let ended = at.map(|at| coming.swap_remove(at));
        drop(coming);
        // What fills its seats may be foreign, and its end runs code.
        drop(ended);
    }
}
