//! Starting a rack: every slot that is not lazy, and what is known to be good in the place of what fails.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use modrack_core::plan::{RackPlan, SlotPlan, SlotRef};
use modrack_core::{ContentHash, Error, Result, SlotName};
use modrack_runtime::{Asked, Served, Swap, SwapFailed};
use modrack_state::Action;

use super::recorder::Intent;
use super::tried::Tried;
use super::{LiveRack, error};

/// How a slot was started.
#[derive(Clone, Debug)]
pub struct Started {
    /// The slot.
    pub slot: SlotName,
    /// What serves; none when nothing does.
    pub served: Option<Served>,
    /// Why what the slot is meant to be does not serve. Where something serves, that is what is known to be good.
    pub why: Option<Error>,
}

/// Whether every slot that is to be started has been, and answered its probes.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    /// Slots that are not started yet.
    pub waiting: Vec<SlotName>,
    /// Slots that nothing fills, and why.
    pub failed: Vec<(SlotName, Error)>,
}

/// How it went with a slot that is to be started.
#[derive(Clone, Debug)]
pub(super) enum Start {
    /// Something serves; and why it is not what it is meant to be.
    Done(Option<Error>),
    /// Nothing does.
    Failed(Error),
}

impl Readiness {
    /// Whether all slots serve.
    pub fn is_ready(&self) -> bool {
        self.waiting.is_empty() && self.failed.is_empty()
    }
}

impl LiveRack {
    /// Starts every declared slot that is not lazy and that nothing fills yet, each after those it needs. A slot that fails
    /// is started from the content that is known to be good, if that is kept.
    pub fn start(&self) -> Vec<Started> {
        // Of what does not start they hear, too.
        self.0.rack.tell_slots();
        let started = self.in_order().iter().map(|slot| self.start_slot(slot)).collect();
        self.0.is_unready.store(!self.readiness().is_ready(), Ordering::Release);
        started
    }

    /// Whether every slot that is to be started serves.
    pub fn readiness(&self) -> Readiness {
        let starts = self.0.starts().clone();
        let mut readiness = Readiness::default();
        for slot in self.in_order() {
            let serves = || self.0.rack.slot(slot.as_str()).is_ok_and(|slot| slot.is_loaded());
            match starts.get(&slot) {
                Some(Start::Done(_)) => {}
                _ if serves() => {}
                Some(Start::Failed(why)) => readiness.failed.push((slot, why.clone())),
                None => readiness.waiting.push(slot),
            }
        }
        readiness
    }

    /// The declared slots that are to be started, each after those it needs.
    fn in_order(&self) -> Vec<SlotName> {
        let plan = self.0.recorder.declared().plan.clone();
        let is_started = |slot: &SlotPlan| !slot.lazy;
        let mut order = by_need(&plan, is_started);
        order.retain(|name| plan.slots.get(name).is_some_and(is_started));
        order
    }

    fn start_slot(&self, slot: &SlotName) -> Started {
        let known = match self.0.starts().get(slot) {
            Some(Start::Failed(why)) => Some(why.clone()),
            _ => None,
        };
        let started = match known {
            // Found out before: it must not be tried by itself.
            Some(why) => Started { slot: slot.clone(), served: None, why: Some(why) },
            None => self.try_start(slot),
        };
        let start = match (&started.served, &started.why) {
            (Some(_), why) => Start::Done(why.clone()),
            (None, Some(why)) => Start::Failed(why.clone()),
            (None, None) => Start::Failed(error::nothing_before(slot)),
        };
        self.0.starts().insert(slot.clone(), start);
        #[cfg(feature = "watch")]
        self.watch_slot(slot);
        started
    }

    fn try_start(&self, slot: &SlotName) -> Started {
        let slot = slot.clone();
        match self.load(&slot, None) {
            Ok(served) => Started { slot, served, why: None },
            Err(why) => self.start_good(slot, why),
        }
    }

    /// Starts a slot from what is known to be good, in the place of what failed. That is tried again when it is something else.
    fn start_good(&self, slot: SlotName, why: Error) -> Started {
        let meant = self.0.rack.slot(slot.as_str()).map(|slot| slot.plan());
        let tried = meant.map(|plan| Tried::now(&self.0.rack, plan));
        let good = self.load_good(&slot);
        if let Ok(tried) = tried {
            // After what is known to be good came in, which is not what the slot is meant to be.
            self.note_tried(tried);
        }
        match good {
            Ok(Some((served, hash))) => {
                let why = error::fell_back(&slot, &hash, &why);
                self.0.recorder.warn(why.clone());
                Started { slot, served: Some(served), why: Some(why) }
            }
            Ok(None) => Started { slot, served: None, why: Some(why) },
            Err(also) => Started { slot, served: None, why: Some(why.caused_by(&also)) },
        }
    }

    /// Loads what is known to be good; none when nothing is.
    fn load_good(&self, slot: &SlotName) -> Result<Option<(Served, ContentHash)>> {
        let good = self.0.recorder.state()?.read().last_good()?;
        let Some(filling) = good.into_iter().find(|good| good.slot == *slot).map(|good| good.filling) else {
            return Ok(None);
        };
        let Some(hash) = filling.hash.clone() else { return Ok(None) };
        let swap = self.good(slot, &filling)?;
        Ok(self.load(slot, Some(Swap::to(swap.0).at(swap.1)))?.map(|served| (served, hash)))
    }

    /// Loads a slot that nothing fills, with its probes; as it is meant to be, unless something else is given.
    fn load(&self, slot: &SlotName, with: Option<Swap>) -> Result<Option<Served>> {
        let rack = &self.0.rack;
        let mut intended = None;
        let mut serving = None;
        let make = || {
            let named = rack.slot(slot.as_str()).map_err(|error| super::change::failed(slot, error))?;
            serving = named.serving();
            if serving.is_some() {
                // What needs it loaded it before, or a call did.
                return Ok(Swap::default());
            }
            let intent = Intent { keeps_standing: true, ..Intent::of(Action::Load) };
            intended = Some(self.0.recorder.intend(vec![slot.clone()], intent));
            let swap = with.unwrap_or_else(|| named.as_meant());
            // A call, or what hears of events, may ask for the slot meanwhile.
            Ok(swap.filling().asked(self.asked(&Asked::default())))
        };
        let made = rack.swap_when(std::slice::from_ref(slot), make, |_| ());
        match made {
            Ok(swapped) => Ok(serving.or_else(|| swapped.slots.into_iter().next()).or_else(|| {
                // Somebody else's load came first, and was waited for.
                rack.slot(slot.as_str()).ok()?.serving()
            })),
            Err(SwapFailed { error, .. }) => Err(error),
        }
    }
}

/// These slots of a plan and all that they need, each after those it needs.
pub(super) fn by_need(plan: &RackPlan, which: impl Fn(&SlotPlan) -> bool) -> Vec<SlotName> {
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    // A slot is left when what it needs has been.
    let mut left: Vec<(SlotName, bool)> =
        plan.slots.values().rev().filter(|slot| which(slot)).map(|slot| (slot.name.clone(), false)).collect();
    while let Some((name, needs_done)) = left.pop() {
        if needs_done {
            order.push(name);
            continue;
        }
        if !seen.insert(name.clone()) {
            continue;
        }
        left.push((name.clone(), true));
        let Some(slot) = plan.slots.get(&name) else { continue };
        for (_, need) in slot.needs.iter().rev() {
            if let SlotRef::Declared(need) = need {
                left.push((need.clone(), false));
            }
        }
    }
    order
}
