//! What was refused last of the rack's text and of what fills its slots, until it is mended or put back; and that the rack is ready
//! after it was not.
//!
//! Nothing is tried here. What was asked for by somebody and is not what the rack says is none of it: that nothing came of it was
//! told to who asked.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::SystemTime;

use modrack_core::plan::SlotPlan;
use modrack_core::{ContentHash, Error, Map, SlotName, Text, Value};
use modrack_runtime::{Coming, ConfigureFailed, Event, Rack};

use super::recorder::leads_to;
use super::start::Start;
use super::{Live, LiveRack};

/// Something that did not come into force.
#[derive(Clone, Debug)]
pub struct Refused {
    /// When that was.
    pub at: SystemTime,
    /// Why.
    pub why: Error,
}

/// What was refused last.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// What fills slots, and what they are meant to be.
    slots: HashMap<SlotName, (Arc<SlotPlan>, Refused)>,
    /// The rack's text, or what it names.
    text: Option<RefusedText>,
}

/// A text that did not come into force.
#[derive(Clone, Debug)]
pub(super) struct RefusedText {
    /// The hash of the text; none of one that could not be read.
    hash: Option<ContentHash>,
    /// The slot that did not come in, if that is why.
    slot: Option<SlotName>,
    refused: Refused,
}

impl Refused {
    fn now(why: &Error) -> Self {
        Self { at: SystemTime::now(), why: why.clone() }
    }
}

impl RefusedText {
    pub(super) fn now(hash: Option<ContentHash>, failed: &ConfigureFailed) -> Self {
        let slot = match failed {
            ConfigureFailed::Swap(failed) => Some(failed.slot.clone()),
            ConfigureFailed::Plan(_) => None,
        };
        Self { hash, slot, refused: Refused::now(failed.error()) }
    }
}

impl Refusals {
    /// Takes note of what became of what fills a slot.
    fn tell(&mut self, event: &Event, rack: &Rack, declared: Option<&ContentHash>) {
        match event {
            Event::SwapFailed { coming, slot, why, .. } => {
                let coming = coming.iter().find(|coming| coming.slot == *slot && is_meant(coming, rack));
                if let Some(coming) = coming {
                    self.slots.insert(slot.clone(), (coming.plan.clone(), Refused::now(why)));
                }
            }
            Event::LoadFailed { coming, why } if is_meant(coming, rack) => {
                self.slots.insert(coming.slot.clone(), (coming.plan.clone(), Refused::now(why)));
            }
            Event::Loaded { served } => {
                self.came(&served.slot, declared);
            }
            Event::Swapped { slots, .. } | Event::RolledBack { slots, .. } => {
                for served in slots {
                    self.came(&served.slot, declared);
                }
            }
            Event::Unloaded { slot, .. } => drop(self.slots.remove(slot)),
            _ => {}
        }
    }

    /// Notes that a slot serves what it is meant to be, and with that the text in force what alone it was refused for; false where nothing
    /// had been.
    fn came(&mut self, slot: &SlotName, declared: Option<&ContentHash>) -> bool {
        let is_why = |text: &RefusedText| text.slot.as_ref() == Some(slot) && text.hash.as_ref() == declared;
        self.text.take_if(|text| is_why(text));
        self.slots.remove(slot).is_some()
    }
}

impl LiveRack {
    /// Takes note of what happened.
    pub(super) fn note_refused(&self, event: &Event) {
        let declared = self.0.recorder.declared();
        self.0.refusals().tell(event, &self.0.rack, declared.hash.as_ref());
        match event {
            Event::Loaded { .. } => self.tell_ready(),
            // Before anybody hears of it: who does may save something.
            #[cfg(feature = "watch")]
            Event::SwapFailed { slots, .. } => self.settle(slots),
            _ => {}
        }
    }

    /// Whether what a slot is meant to be was refused last, and nothing has come in since.
    pub(super) fn is_refused(&self, slot: &SlotName) -> bool {
        let is_noted = self.0.refusals().slots.contains_key(slot);
        is_noted || self.tried(slot).is_some() || self.has_failed(slot)
    }

    /// What was refused last for a slot, where what it is meant to be does not serve still.
    pub(super) fn refused_of(&self, slot: &SlotName) -> Option<Refused> {
        let (plan, refused) = self.0.refusals().slots.get(slot).cloned()?;
        let serving = self.0.rack.slot(slot.as_str()).ok()?.serving();
        let is_put_back = serving.is_some_and(|served| leads_to(&self.0.rack, &plan) == served.hash);
        (!is_put_back).then_some(refused)
    }

    /// The text that was refused last, where it stands still in the place of the one that is in force.
    pub(super) fn refused_text(&self) -> Option<Refused> {
        let text = self.0.refusals().text.clone()?;
        let declared = self.0.recorder.declared().hash.clone();
        let is_put_back = || {
            let read = self.0.source.as_ref().and_then(|source| source.read().ok());
            text.hash != declared
                && read.is_some_and(|read| Some(modrack_state::hash_of(&read.bytes)) == declared)
        };
        (!is_put_back()).then_some(text.refused)
    }

    /// The text that was refused last, as it is noted.
    pub(super) fn refused_text_noted(&self) -> Option<RefusedText> {
        self.0.refusals().text.clone()
    }

    /// Notes that a text was refused, or that none is any more.
    pub(super) fn note_text(&self, text: Option<RefusedText>) -> Option<RefusedText> {
        std::mem::replace(&mut self.0.refusals().text, text)
    }

    /// Tells of each slot that serves what it is meant to be again, because what was refused was put back.
    pub(super) fn tell_mended(&self) {
        let mut plans: HashMap<SlotName, Arc<SlotPlan>> =
            self.0.refusals().slots.iter().map(|(slot, (plan, _))| (slot.clone(), plan.clone())).collect();
        plans.extend(self.0.tried().values().map(|tried| (tried.plan.name.clone(), tried.plan.clone())));
        for (name, plan) in plans {
            let serving = self.0.rack.slot(name.as_str()).ok().and_then(|slot| slot.serving());
            let Some(served) = serving.filter(|served| served.hash.is_some()) else { continue };
            if leads_to(&self.0.rack, &plan) != served.hash {
                continue;
            }
            let was_tried = self.0.tried().remove(&name).is_some();
            let declared = self.0.recorder.declared();
            let was_refused = self.0.refusals().came(&name, declared.hash.as_ref());
            if !was_tried && !was_refused {
                // Something came in meanwhile.
                continue;
            }
            if let Some(start) = self.0.starts().get_mut(&name) {
                *start = Start::Done(None);
            }
            #[cfg(feature = "watch")]
            self.watch_slot(&name);
            let generation = i64::try_from(served.generation.0).unwrap_or(i64::MAX);
            let hash = served.hash.as_ref().map_or(Value::Null, |hash| Value::from(hash.as_str()));
            let fields = [("generation", Value::from(generation)), ("hash", hash)];
            let fields = fields.into_iter().map(|(name, value)| (Text::from_static(name), value)).collect();
            self.0.rack.announce("module.mended", Some(name), fields);
        }
    }

    /// Tells that every slot serves that is to be started, where that was not so before.
    pub(super) fn tell_ready(&self) {
        if self.0.is_unready.load(Ordering::Acquire)
            && self.readiness().is_ready()
            && self.0.is_unready.swap(false, Ordering::AcqRel)
        {
            self.0.rack.announce("rack.ready", None, Map::default());
        }
    }
}

impl Live {
    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this is what the slot is meant to be, and no other that somebody asked for; and other content than what serves, which is not refused
/// where it is read anew.
fn is_meant(coming: &Coming, rack: &Rack) -> bool {
    let slot = rack.slot(coming.slot.as_str());
    let is_other = coming.hash.is_none() || coming.hash != coming.was;
    !coming.pinned && is_other && slot.is_ok_and(|slot| slot.plan().means(&coming.plan))
}
