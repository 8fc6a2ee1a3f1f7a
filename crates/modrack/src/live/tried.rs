//! What did not come in: for each slot that is not filled by what it is meant to be, what that was, so that it is tried again when
//! it is something else, and not before.
//!
//! Content decides. Nothing is loaded here, and what comes in makes the rack forget what failed before.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use modrack_core::plan::SlotPlan;
use modrack_core::{ContentHash, Error, SlotName};
use modrack_runtime::Event;

use super::declared::Declared;
use super::start::Start;
use super::{Live, LiveRack};

/// What was tried for a slot last, and failed.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    /// What the slot is meant to be.
    pub(super) plan: Arc<SlotPlan>,
    /// The hash of what that led to; none when it led nowhere.
    pub(super) found: Option<ContentHash>,
    /// The slots that were to change with it.
    pub(super) with: Vec<SlotName>,
}

impl LiveRack {
    /// What failed last for a slot, if nothing has come in since.
    pub(super) fn tried(&self, slot: &SlotName) -> Option<Tried> {
        self.0.tried().get(slot).cloned()
    }

    /// Notes that what a slot is meant to be did not come in. It is not tried again by itself before it leads to something else.
    pub(super) fn note_tried(&self, tried: Tried) {
        self.0.tried().insert(tried.plan.name.clone(), tried);
    }

    /// Notes that what a slot is meant to be did not come in, and why, where that is known while the rack runs.
    pub(super) fn did_not_come(&self, tried: Tried, why: &Error) {
        let slot = tried.plan.name.clone();
        self.note_tried(tried);
        if let Some(start @ Start::Failed(_)) = self.0.starts().get_mut(&slot) {
            *start = Start::Failed(why.clone());
        }
        // What is broken may include other files than what serves.
        #[cfg(feature = "watch")]
        self.watch_slot(&slot);
    }

    /// Has what failed be tried again as the text says now, where it was to be as the text said before.
    pub(super) fn tried_as_declared(&self, before: &Declared, now: &Declared) {
        self.0.tried().retain(|slot, tried| {
            let was = before.slot(slot).is_some_and(|was| was.means(&tried.plan));
            if was && let Some(plan) = now.slot(slot) {
                tried.plan = Arc::new(plan.clone());
            }
            !was || now.slot(slot).is_some()
        });
    }

    /// Whether nothing fills a slot because it could not be started.
    pub(super) fn has_failed(&self, slot: &SlotName) -> bool {
        let is_empty = self.0.rack.slot(slot.as_str()).is_ok_and(|slot| slot.serving().is_none());
        is_empty && matches!(self.0.starts().get(slot), Some(Start::Failed(_)))
    }
}

impl Live {
    pub(super) fn tried(&self) -> MutexGuard<'_, HashMap<SlotName, Tried>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told of everything that happens: what comes in has been started, and nothing of it failed.
    pub(super) fn tell(&self, event: &Event) {
        let served = match event {
            Event::Loaded { served } => std::slice::from_ref(served),
            Event::Swapped { slots, .. } | Event::RolledBack { slots, .. } => slots,
            _ => return,
        };
        for served in served {
            self.tried().remove(&served.slot);
            if let Some(start) = self.starts().get_mut(&served.slot) {
                *start = Start::Done(None);
            }
        }
    }
}
