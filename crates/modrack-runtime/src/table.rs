//! The slot table: what fills each slot now. Immutable; a change publishes another table.
//!
//! A slot keeps its index in every table that follows, so that whoever holds an index need not look a name
//! up. The first load of a slot fills its seat in place: nothing was there before, so no call can have seen
//! anything else, and tables that share the seat share what fills it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use modrack_core::SlotName;

use crate::cell::Table;
use crate::configuration::Configuration;
use crate::grace::Grace;
use crate::seat::Seat;

/// What fills each slot, and the configuration that this is by.
pub(crate) struct SlotTable {
    version: u64,
    configuration: Arc<Configuration>,
    seats: IndexMap<SlotName, Arc<Seat>>,
    /// The table that it was made of, where it is one of a swap that is under way: what is pinned of the one is pinned of
    /// the other.
    base: Option<Arc<SlotTable>>,
    /// Who is told when it goes, once it was replaced.
    grace: OnceLock<Arc<Grace>>,
}

impl Drop for SlotTable {
    fn drop(&mut self) {
        // Whoever looks now finds that nobody has it any more.
        if let Some(grace) = self.grace.get() {
            grace.tell();
        }
    }
}

impl Table for SlotTable {
    fn version(&self) -> u64 {
        self.version
    }

    fn end_tells(&self, grace: &Arc<Grace>) {
        let _ = self.grace.set(grace.clone());
    }
}

impl SlotTable {
    /// A table of these seats, each at its slot's index.
    pub(crate) fn new(configuration: Arc<Configuration>, seats: IndexMap<SlotName, Arc<Seat>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let version = NEXT.fetch_add(1, Ordering::Relaxed);
        for seat in seats.values() {
            seat.is_in(version);
        }
        Self { version, configuration, seats, base: None, grace: OnceLock::new() }
    }

    /// This table with another seat, at its end unless its slot is here already.
    pub(crate) fn with(&self, seat: Arc<Seat>) -> Self {
        let mut seats = self.seats.clone();
        seats.insert(seat.slot().name().clone(), seat);
        Self::new(self.configuration.clone(), seats)
    }

    /// This table with every seat replaced by what `replace` makes of it.
    pub(crate) fn map(&self, replace: impl Fn(&Seat) -> Arc<Seat>) -> Self {
        let seats = self.seats.iter().map(|(name, seat)| (name.clone(), replace(seat)));
        Self::new(self.configuration.clone(), seats.collect())
    }

    /// This table with these seats in place of those of their slots.
    pub(crate) fn replacing<'a>(&self, seats: impl IntoIterator<Item = &'a Arc<Seat>>) -> Self {
        let mut all = self.seats.clone();
        for seat in seats {
            all.insert(seat.slot().name().clone(), seat.clone());
        }
        Self::new(self.configuration.clone(), all)
    }

    /// This table under another configuration.
    pub(crate) fn under(mut self, configuration: Arc<Configuration>) -> Self {
        self.configuration = configuration;
        self
    }

    /// `base` with these seats in place of those of their slots, for the calls that the new modules of a swap make.
    pub(crate) fn over<'a>(
        base: Arc<Self>,
        seats: impl IntoIterator<Item = &'a Arc<Seat>>,
        configuration: Option<&Arc<Configuration>>,
    ) -> Self {
        let configuration = configuration.unwrap_or(&base.configuration).clone();
        let mut table = base.replacing(seats).under(configuration);
        table.base = Some(base);
        table
    }

    /// Whether it is one of a swap that is under way, and was never published.
    pub(crate) fn is_over(&self) -> bool {
        self.base.is_some()
    }

    /// What tells this table from every other of the process.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// What the rack is configured to be.
    pub(crate) fn configuration(&self) -> &Arc<Configuration> {
        &self.configuration
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    /// The seat of the slot at `index`; none when the slot is younger than this table.
    #[inline]
    pub(crate) fn seat(&self, index: usize) -> Option<&Arc<Seat>> {
        self.seats.get_index(index).map(|(_, seat)| seat)
    }

    /// The seat of the slot called `name`.
    pub(crate) fn named(&self, name: &SlotName) -> Option<&Arc<Seat>> {
        self.seats.get(name)
    }

    /// All seats, in the order in which their slots came.
    pub(crate) fn seats(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.seats.values()
    }
}
