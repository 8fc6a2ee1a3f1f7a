//! How a rack stands: what serves in each slot, and how that differs from what its text says.

use std::collections::HashMap;

use modrack_core::{ContentHash, Error, GenerationId, Result, SlotName, Stays};
use modrack_runtime::{Before, Held, Kept, Rack};
use modrack_state::{Drift, Override, Reader};

use super::declared::{Declared, text_hash};
use super::meant::{Meant, filling};
use super::recorder::leads_to;
use super::refused::Refused;
use super::start::Start;
use super::{LiveRack, LiveSettings};

/// How a rack stands.
#[derive(Clone, Debug)]
pub struct Status {
    /// The slots that have names of their own, declared ones first.
    pub slots: Vec<SlotStatus>,
    /// How what serves differs from what the rack's text says.
    pub drift: Vec<Drift>,
    /// The hash of the text that is in force; none for a rack without one.
    pub configuration: Option<ContentHash>,
    /// Why the rack's text, as it stands where it comes from, is not the one in force: it was refused.
    pub refused: Option<Refused>,
    /// Generations that serve no new calls and are not stopped.
    pub kept: Vec<Kept>,
    /// Generations that were stopped and that something still holds.
    pub held: Vec<Held>,
    /// Libraries that stay in the process though nothing uses them any more.
    pub stays: Vec<Stays>,
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
    /// What was refused last of what the slot is meant to be, and was neither mended nor put back since.
    pub refused: Option<Refused>,
    /// The `use` text in the rack; of a slot that it does not declare, what fills it.
    pub declared_use: String,
    /// The `use` text that is in force.
    pub use_text: String,
    /// What was swapped in, and outlives the process.
    pub overridden: Option<Override>,
    /// Whether that is set over an earlier text of the slot, which was gone back to.
    pub of_earlier_text: bool,
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
        let (state, declared) = (self.0.recorder.state()?, self.0.recorder.declared());
        let starts = self.0.starts().clone();
        let mut status = Status::of(&self.0.rack, &declared, &state.read().overrides()?, &starts);
        status.refused = self.refused_text();
        for slot in &mut status.slots {
            slot.refused = self.refused_of(&slot.slot);
        }
        Ok(status)
    }
}

/// How a rack stands that nobody serves, with what was swapped into it before: for who asks and does not own the state.
///
/// # Errors
/// [`modrack_core::Code::StateDamaged`], [`modrack_core::Code::StateNewer`]; a text that cannot be read again.
pub fn status_of(rack: &Rack, settings: &LiveSettings) -> Result<Status> {
    let declared = Declared::at_start(rack, settings)?;
    let reader = settings.folder.as_deref().map(Reader::open).transpose()?.flatten();
    let mut overrides = reader.map_or_else(|| Ok(Vec::new()), |reader| reader.overrides())?;
    overrides.retain(|over| declared.slot(&over.slot).is_some_and(|slot| text_hash(slot) == over.declared));
    Ok(Status::of(rack, &declared, &overrides, &HashMap::new()))
}

impl Status {
    fn of(
        rack: &Rack,
        declared: &Declared,
        overrides: &[Override],
        starts: &HashMap<SlotName, Start>,
    ) -> Self {
        let kept = rack.kept();
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
            let overridden = overrides.iter().find(|over| over.slot == name).cloned();
            SlotStatus {
                state: match (&served, start_failed) {
                    (Some(_), _) if on_trial => SlotState::OnTrial,
                    (Some(_), _) => SlotState::Serving,
                    (None, Some(why)) => SlotState::Failed(why),
                    (None, None) => SlotState::Empty,
                },
                why,
                refused: None,
                module: served.as_ref().map(|served| served.module.clone()),
                generation: served.as_ref().map(|served| served.generation),
                hash: served.and_then(|served| served.hash),
                declared_use: declared.slot(&name).map_or(&plan.use_text, |slot| &slot.use_text).clone(),
                use_text: plan.use_text.clone(),
                of_earlier_text: overridden.as_ref().zip(declared.slot(&name)).is_some_and(|(over, slot)| {
                    let text = Meant::read(&over.to.plan).text;
                    !text.is_empty() && *text != *slot.text
                }),
                overridden,
                lazy: plan.lazy,
                slot: name,
            }
        });
        let slots = slots.collect();
        let known = declared.slots(|slot| leads_to(rack, slot));
        serving.retain(|(slot, _)| declared.slot(slot).is_some());
        let drift = modrack_state::drift(&known, overrides, serving);
        let mut stays = rack.stays();
        stays.retain(|stays| !stays.is_used);
        let configuration = declared.hash.clone();
        Self { slots, drift, configuration, refused: None, kept, held: rack.held(), stays }
    }
}
