//! What did not come in: for each slot that is not filled by what it is meant to be, what that was, so that it is tried again when
//! it is something else, and not before.
//!
//! Content decides. Nothing is loaded here, and what comes in makes the rack forget what failed before.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use modrack_core::plan::SlotPlan;
use modrack_core::{ContentHash, Error, Origin, SlotName};
use modrack_runtime::{Event, Rack};

use super::declared::Declared;
use super::recorder::described;
use super::start::Start;
use super::{Live, LiveRack};

/// What was tried for a slot last, and failed.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    /// What the slot is meant to be.
    pub(super) plan: Arc<SlotPlan>,
    /// The hash of what that led to; none when it led nowhere.
    pub(super) found: Option<ContentHash>,
    /// Why it led nowhere, and what stood where that is wrong.
    pub(super) why: Option<Why>,
    /// The slots that were to change with it.
    pub(super) with: Vec<SlotName>,
    /// Whether it is to be tried again as it is: it was saved since.
    pub(super) is_due: bool,
}

/// Why something leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Why {
    words: String,
    /// What stands in the files in which something is wrong.
    files: Vec<Option<ContentHash>>,
}

impl Tried {
    /// What a slot is meant to be, and what that leads to now.
    pub(super) fn now(rack: &Rack, plan: Arc<SlotPlan>) -> Self {
        let (found, why) = match described(rack, &plan) {
            Ok(about) => (about.hash, None),
            Err(why) => (None, Some(Why::of(rack, &plan, &why))),
        };
        Self { plan, found, why, with: Vec::new(), is_due: false }
    }

    /// Whether it was not saved since it was tried, as far as is known, and leads to the same still, or is as broken: what was saved since is worth telling of, though it is broken, too.
    pub(super) fn is_as_it_was(&self, rack: &Rack) -> bool {
        let now = Self::now(rack, self.plan.clone());
        !self.is_due && now.found == self.found && now.why == self.why
    }
}

impl Why {
    fn of(rack: &Rack, plan: &SlotPlan, why: &Error) -> Self {
        let files: BTreeSet<_> = broken_files(rack, plan, why).into_iter().collect();
        let hash = |file: PathBuf| std::fs::read(file).ok().map(|bytes| modrack_state::hash_of(&bytes));
        Self {
            words: why.each().map(|one| format!("{one:?}\n")).collect(),
            files: files.into_iter().map(hash).collect(),
        }
    }
}

/// The files in which what does not come in is known to be wrong: its own, and those that its failure names.
pub(super) fn broken_files(rack: &Rack, plan: &SlotPlan, why: &Error) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Ok(Origin::File { path, .. }) = rack.named_by(plan) {
        // Until a package has it, it is no module.
        files.push(if path.is_dir() { path.join("__init__.py") } else { path });
    }
    let places = why.each().filter_map(Error::place_of);
    files.extend(places.map(|place| rack.root().join(&place.file)));
    files
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

    /// Has what failed for these slots be tried again, though it may be as it was: it was saved.
    #[cfg(feature = "watch")]
    pub(super) fn try_again(&self, slots: &BTreeSet<SlotName>) {
        let mut tried = self.0.tried();
        slots.iter().for_each(|slot| tried.get_mut(slot).into_iter().for_each(|tried| tried.is_due = true));
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
