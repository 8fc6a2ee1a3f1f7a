//! How a rack stands: what serves in each slot, and how that differs from what its text says.

use modrack_core::{ContentHash, Error, GenerationId, Result, SlotName};
use modrack_runtime::{Before, Kept};
use modrack_state::{Drift, Override};

use super::LiveRack;
use super::meant::filling;
use super::recorder::leads_to;
use super::start::Start;

/// How a rack stands.
#[derive(Clone, Debug)]
pub struct Status {
    /// The slots that have names of their own, declared ones first.
    pub slots: Vec<SlotStatus>,
    /// How what serves differs from what the rack's text says.
    pub drift: Vec<Drift>,
    /// The hash of the text that is in force; none for a rack without one.
    pub configuration: Option<ContentHash>,
    /// Generations that serve no new calls and are not stopped.
    pub kept: Vec<Kept>,
}

/// How a slot stands.
#[derive(Clone, Debug)]
pub struct SlotStatus {
    /// The slot.
    pub slot: SlotName,
    /// The module that serves.
    pub module: Option<String>,
    /// Its generation.
    pub generation: Option<GenerationId>,
    /// The hash of its content.
    pub hash: Option<ContentHash>,
    /// Whether it serves.
    pub state: SlotState,
    /// Why what serves is not what the slot is meant to be: that failed when the rack was started.
    pub why: Option<Error>,
    /// The `use` text in the rack; of a slot that it does not declare, what fills it.
    pub declared_use: String,
    /// The `use` text that is in force.
    pub use_text: String,
    /// What was swapped in, and outlives the process.
    pub overridden: Option<Override>,
    /// Whether it is loaded by its first call, and not when the rack is started.
    pub lazy: bool,
}

/// Whether a slot serves.
#[derive(Clone, Debug)]
pub enum SlotState {
    /// Nothing fills it: the next call does.
    Empty,
    /// It serves.
    Serving,
    /// It serves, and what it replaced is kept to go back to.
    OnTrial,
    /// Nothing fills it: it could not be started.
    Failed(Error),
}

impl LiveRack {
    /// How the rack stands now. Looks at the files that the slots' `use` leads to.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateDamaged`].
    pub fn status(&self) -> Result<Status> {
        let (rack, recorder) = (&self.0.rack, &self.0.recorder);
        let (state, declared) = (recorder.state()?, recorder.declared());
        let overrides = state.read().overrides()?;
        let (kept, starts) = (rack.kept(), self.0.starts().clone());
        let mut serving = Vec::new();
        let slots = rack.slots().into_iter().map(|slot| {
            let (name, plan, served) = (slot.name().clone(), slot.plan(), slot.serving());
            serving.extend(served.as_ref().map(|served| (name.clone(), filling(served, None))));
            let on_trial = kept.iter().any(|kept| kept.slot == name && kept.state == Before::Parked);
            let (start_failed, why) = match starts.get(&name) {
                Some(Start::Failed(why)) => (Some(why.clone()), None),
                Some(Start::Done(why)) => {
                    (None, why.clone().filter(|_| served.as_ref().is_some_and(|s| s.pinned)))
                }
                None => (None, None),
            };
            SlotStatus {
                state: match (&served, start_failed) {
                    (Some(_), _) if on_trial => SlotState::OnTrial,
                    (Some(_), _) => SlotState::Serving,
                    (None, Some(why)) => SlotState::Failed(why),
                    (None, None) => SlotState::Empty,
                },
                why,
                module: served.as_ref().map(|served| served.module.clone()),
                generation: served.as_ref().map(|served| served.generation),
                hash: served.and_then(|served| served.hash),
                declared_use: declared.slot(&name).map_or(&plan.use_text, |slot| &slot.use_text).clone(),
                use_text: plan.use_text.clone(),
                overridden: overrides.iter().find(|over| over.slot == name).cloned(),
                lazy: plan.lazy,
                slot: name,
            }
        });
        let slots = slots.collect();
        let known = declared.slots(|slot| leads_to(rack, slot));
        serving.retain(|(slot, _)| declared.slot(slot).is_some());
        let drift = modrack_state::drift(&known, &overrides, serving);
        Ok(Status { slots, drift, configuration: declared.hash.clone(), kept })
    }
}
