//! Which slots have not started yet, and why.

use std::sync::{Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use modrack_core::{Error, SlotName};
use modrack_runtime::Rack;

/// The slots that are to start, until they have.
pub(crate) struct Readiness(Mutex<IndexMap<SlotName, Option<Error>>>);

impl Readiness {
    /// Every slot of the rack that is not lazy.
    pub(crate) fn of(rack: &Rack) -> Self {
        let plan = rack.plan();
        let slots = plan.slots.iter().filter(|(_, slot)| !slot.lazy);
        Self(Mutex::new(slots.map(|(name, _)| (name.clone(), None)).collect()))
    }

    /// Notes that a slot has started, or why it has not.
    pub(crate) fn note(&self, slot: &SlotName, failed: Option<Error>) {
        let mut slots = self.slots();
        match failed {
            None => drop(slots.shift_remove(slot)),
            failed => drop(slots.insert(slot.clone(), failed)),
        }
    }

    /// The slots that have not started, with what kept them from it where it did.
    pub(crate) fn missing(&self) -> Vec<(SlotName, Option<Error>)> {
        self.slots().iter().map(|(slot, why)| (slot.clone(), why.clone())).collect()
    }

    fn slots(&self) -> MutexGuard<'_, IndexMap<SlotName, Option<Error>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
