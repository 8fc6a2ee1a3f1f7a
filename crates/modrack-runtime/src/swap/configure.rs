//! Configuring a rack anew while its slots are being called: the difference to what is in force, as one swap.
//!
//! What a slot is meant to be decides, not where that is written: a slot that means what it meant keeps its generation. Slots
//! find each other through the table at each call, so that what a slot `needs` may change without it. Whatever fails
//! before the switch leaves everything as it was, the plan included.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use modrack_core::plan::{RackPlan, SlotPlan};
use modrack_core::{Error, Result, SlotName, Use};

use super::member::Member;
use super::retire::publish_under;
use super::transaction::{Next, Transaction};
use super::{Change, Step, Swap, SwapFailed, Swapped};
use crate::configuration::Configuration;
use crate::error;
use crate::find;
use crate::rack::RackCore;
use crate::seat::{Seat, SlotCore, Standing};
use crate::table::SlotTable;
use crate::verify;

/// The turn of who configures, which is no slot's.
const CONFIGURING: usize = usize::MAX;

/// A rack that was configured anew.
#[derive(Clone, Debug)]
pub struct Configured {
    /// What was started for it, and what became of what served before.
    pub swapped: Swapped,
    /// The slots that are new.
    pub added: Vec<SlotName>,
    /// The slots that mean something else than before, or were replaced with those.
    pub changed: Vec<SlotName>,
    /// The slots that are gone.
    pub removed: Vec<SlotName>,
}

/// A plan that did not come into force: everything is as it was.
#[derive(Clone, Debug)]
pub enum ConfigureFailed {
    /// It cannot come into force here.
    Plan(Error),
    /// A slot's step failed.
    Swap(SwapFailed),
}

/// The slots that a plan describes, those in place included.
type Described<'a> = IndexMap<&'a SlotName, &'a SlotPlan>;

/// What is to be changed, and against what.
struct Difference<'a> {
    rack: &'a Arc<RackCore>,
    old: Arc<Configuration>,
    new: Arc<Configuration>,
    more: &'a Swap,
}

impl ConfigureFailed {
    /// Why.
    pub fn error(&self) -> &Error {
        match self {
            Self::Plan(error) => error,
            Self::Swap(failed) => &failed.error,
        }
    }
}

impl fmt::Display for ConfigureFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(error) => error.fmt(f),
            Self::Swap(failed) => failed.fmt(f),
        }
    }
}

impl std::error::Error for ConfigureFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Plan(error) => Some(error),
            Self::Swap(failed) => Some(failed),
        }
    }
}

impl From<Error> for ConfigureFailed {
    fn from(error: Error) -> Self {
        Self::Plan(error)
    }
}

impl From<SwapFailed> for ConfigureFailed {
    fn from(failed: SwapFailed) -> Self {
        Self::Swap(failed)
    }
}

/// Has the rack be what `make` gives, and tells `then` how that went, in the one turn of who configures.
pub(super) fn configure_when(
    rack: &Arc<RackCore>,
    make: impl FnMut(&[SlotName]) -> Result<(RackPlan, Swap), ConfigureFailed>,
    then: impl FnOnce(&Result<Configured, ConfigureFailed>),
) -> Result<Configured, ConfigureFailed> {
    let _order = rack.turns().take(rack, vec![CONFIGURING])?;
    let done = configure(rack, make);
    then(&done);
    done
}

/// Does `run` in the one turn of who configures.
pub(super) fn configuring<R>(rack: &Arc<RackCore>, run: impl FnOnce() -> R) -> Result<R> {
    let _order = rack.turns().take(rack, vec![CONFIGURING])?;
    Ok(run())
}

/// Has the rack be what `make` gives under the turns of all slots that it concerns.
fn configure(
    rack: &Arc<RackCore>,
    mut make: impl FnMut(&[SlotName]) -> Result<(RackPlan, Swap), ConfigureFailed>,
) -> Result<Configured, ConfigureFailed> {
    let mut turn_of: Vec<Arc<SlotCore>> = Vec::new();
    loop {
        let indexes = turn_of.iter().map(|slot| slot.index()).collect();
        let _turn = rack.turns().take(rack, indexes)?;
        let names: Vec<_> = turn_of.iter().map(|slot| slot.name().clone()).collect();
        let (plan, more) = make(&names)?;
        let old = rack.cell().pin().configuration().clone();
        refuse(rack, old.plan(), &plan)?;
        let new = Arc::new(Configuration::read(rack.root(), plan)?);
        let difference = Difference { rack, old, new, more: &more };
        let more = difference.concerned()?;
        let is_held = |slot: &Arc<SlotCore>| turn_of.iter().any(|held| held.index() == slot.index());
        let more: Vec<_> = more.into_iter().filter(|slot| !is_held(slot)).collect();
        if more.is_empty() {
            return difference.apply();
        }
        // It is made again under the turns of these as well: what it was made from may have changed until they came.
        turn_of.extend(more);
    }
}

/// Refuses what cannot change while the rack runs.
fn refuse(rack: &RackCore, old: &RackPlan, new: &RackPlan) -> Result<()> {
    let root = std::path::absolute(&new.root).unwrap_or_else(|_| new.root.clone());
    let faults = [
        (old.python.venv != new.python.venv, "`python.venv`"),
        (old.python.path != new.python.path, "`python.path`"),
        (old.state != new.state, "`state`"),
        (old.native.kept != new.native.kept, "`native.kept`"),
        (!new.root.as_os_str().is_empty() && root != *rack.root(), "The rack's folder"),
    ];
    let faults = faults.iter().filter(|(is, _)| *is).map(|(_, what)| error::needs_restart(what, new));
    Error::all(faults.collect()).map_or(Ok(()), Err)
}

/// What `plan` describes.
fn described(plan: &RackPlan) -> Described<'_> {
    plan.every_slot().map(|slot| (&slot.name, slot)).collect()
}

impl Difference<'_> {
    /// The slots that may have to change. Each that is to come has its place in the table then, where nobody finds it yet.
    fn concerned(&self) -> Result<Vec<Arc<SlotCore>>, ConfigureFailed> {
        let (before, after) = (described(self.old.plan()), described(self.new.plan()));
        self.check_more(&before, &after)?;
        self.check_given()?;
        for (name, plan) in &self.new.plan().slots {
            self.rack.reserve(name, plan);
        }
        let table = self.rack.cell().pin().keep();
        let concerned = table.seats().filter(|seat| self.concerns(seat, &before, &after));
        Ok(concerned.map(|seat| seat.slot().clone()).collect())
    }

    /// Has the rack be what the new plan says, under the turns of all slots that this concerns.
    fn apply(&self) -> Result<Configured, ConfigureFailed> {
        let (before, after) = (described(self.old.plan()), described(self.new.plan()));
        let members = self.members(&self.rack.cell().pin().keep(), &before, &after)?;
        let named = |which: &dyn Fn(&SlotName) -> bool, of: &RackPlan| -> Vec<SlotName> {
            of.slots.keys().filter(|name| which(name)).cloned().collect()
        };
        let (old, new) = (self.old.plan(), self.new.plan());
        let is_changed = |name: &SlotName| {
            let is_other = old.slots.get(name).is_some_and(|was| !was.means(&new.slots[name]));
            is_other
                || members.iter().any(|m| m.slot.name() == name && old.slots.contains_key(name) && m.starts())
        };
        let configured = Configured {
            swapped: Swapped::nothing(),
            added: named(&|name| !old.slots.contains_key(name), new),
            changed: named(&is_changed, new),
            removed: named(&|name| !new.slots.contains_key(name), old),
        };
        let next = Next { configuration: self.new.clone(), renews: self.renews() };
        if members.is_empty() {
            publish_under(self.rack, &[], &next, Duration::ZERO).ok_or_else(error::stopped)?;
            self.note_places();
            return Ok(configured);
        }
        let swapped =
            Transaction::new(self.rack, members, self.more.force, self.more.asked.clone(), Some(next))
                .run()?;
        self.note_places();
        Ok(Configured { swapped, ..configured })
    }

    /// Has what is wrong with slots that mean what they meant be said where they stand in the new text.
    fn note_places(&self) {
        let after = described(self.new.plan());
        for seat in self.rack.cell().pin().seats() {
            let plan = after.get(seat.slot().name()).filter(|plan| seat.plan().means(plan));
            if let Some(plan) = plan {
                seat.is_written(plan);
            }
        }
    }

    /// Whether what is not loaded may be found or checked in another way than before.
    fn renews(&self) -> bool {
        self.is_found_anew() || self.old.contracts() != self.new.contracts() || self.has_other_defaults()
    }

    fn is_found_anew(&self) -> bool {
        self.old.plan().catalog != self.new.plan().catalog
    }

    fn has_other_defaults(&self) -> bool {
        self.old.plan().defaults != self.new.plan().defaults
    }

    /// Refuses slots that are named to be swapped and are not there, or are gone then.
    fn check_more(&self, before: &Described<'_>, after: &Described<'_>) -> Result<(), SwapFailed> {
        for change in &self.more.changes {
            let known = || self.rack.slot_named(&change.slot).is_ok();
            if !after.contains_key(&change.slot) && (before.contains_key(&change.slot) || !known()) {
                let error = self.rack.unknown(change.slot.as_str());
                return Err(SwapFailed { step: Step::Fetch, slot: change.slot.clone(), error });
            }
        }
        Ok(())
    }

    /// Refuses slots that the program fills itself.
    fn check_given(&self) -> Result<()> {
        let table = self.rack.cell().pin();
        let is_given = |slot: &&SlotPlan| table.named(&slot.name).is_some_and(|seat| seat.is_given());
        let given = self.new.plan().slots.values().filter(is_given).map(|slot| {
            let error = error::taken(&slot.name);
            slot.place.clone().map_or_else(|| error.clone(), |place| error.clone().place(place))
        });
        Error::all(given.collect()).map_or(Ok(()), Err)
    }

    fn asked_for(&self, name: &SlotName) -> Option<&Change> {
        self.more.changes.iter().find(|change| change.slot == *name)
    }

    /// Whether a slot may have to change.
    fn concerns(&self, seat: &Seat, before: &Described<'_>, after: &Described<'_>) -> bool {
        let name = seat.slot().name();
        let is_same = match (before.get(name), after.get(name)) {
            (Some(was), Some(is)) => was.means(is),
            (None, None) => seat.standing() != Standing::Declared,
            _ => false,
        };
        !is_same || self.renews() || seat.is_gone() || self.asked_for(name).is_some()
    }

    fn members(
        &self,
        table: &SlotTable,
        before: &Described<'_>,
        after: &Described<'_>,
    ) -> Result<Vec<Member>, SwapFailed> {
        let mut members = Vec::new();
        for seat in table.seats() {
            let name = seat.slot().name();
            members.extend(match after.get(name) {
                Some(plan) => self.described(seat, plan, before.get(name).copied())?,
                None if before.contains_key(name) || seat.standing() == Standing::Declared => {
                    (!seat.is_gone()).then(|| Member::ended(seat.clone()))
                }
                None => self.undescribed(seat)?,
            });
        }
        Ok(members)
    }

    /// What is to be done about a slot that the new plan describes.
    fn described(
        &self,
        seat: &Arc<Seat>,
        plan: &SlotPlan,
        was: Option<&SlotPlan>,
    ) -> Result<Option<Member>, SwapFailed> {
        let declared = self.new.plan().slots.contains_key(seat.slot().name());
        let standing = if declared { Standing::Declared } else { Standing::Named };
        let is_same = !seat.is_gone()
            && seat.standing() == standing
            && (was.is_some_and(|was| was.means(plan)) || seat.plan().means(plan));
        let asked = self.asked_for(seat.slot().name());
        if is_same && asked.is_none() && !self.leads_elsewhere(seat) {
            return Ok(None);
        }
        // A slot in place comes into being when its pipeline runs.
        if seat.is_gone() && !declared && asked.is_none() {
            return Ok(None);
        }
        let own = || if is_same { seat.plan().clone() } else { Arc::new(plan.clone()) };
        Ok(Some(self.member(seat, standing, own, asked)))
    }

    /// What is to be done about a slot that neither plan describes.
    fn undescribed(&self, seat: &Arc<Seat>) -> Result<Option<Member>, SwapFailed> {
        let asked = self.asked_for(seat.slot().name());
        let (old, new) = (&self.old.plan().defaults, &self.new.plan().defaults);
        let is_held_to_defaults = old != new && seat.plan().limits == *old;
        if seat.is_gone()
            || seat.is_given()
            || (asked.is_none() && !is_held_to_defaults && !self.leads_elsewhere(seat))
        {
            return Ok(None);
        }
        let own = || match is_held_to_defaults {
            true => Arc::new(SlotPlan { limits: new.clone(), ..(**seat.plan()).clone() }),
            false => seat.plan().clone(),
        };
        Ok(Some(self.member(seat, seat.standing(), own, asked)))
    }

    fn member(
        &self,
        seat: &Arc<Seat>,
        standing: Standing,
        own: impl FnOnce() -> Arc<SlotPlan>,
        asked: Option<&Change>,
    ) -> Member {
        let given = asked.and_then(|change| change.to.as_ref());
        let plan = given.map_or_else(own, |plan| Arc::new((**plan).clone()));
        // What was gone back to is not what its plan leads to, and stays while that says the same.
        let origin = match asked {
            Some(change) => change.origin.clone(),
            None => plan.says(seat.plan()).then(|| seat.stays_at()).flatten(),
        };
        let new = seat.planned(plan, self.new.clone()).standing_as(standing);
        let is_loaded = seat.generation().is_some() || self.rack.loads().is_running(seat);
        if is_loaded || asked.is_some() {
            Member::filled(seat.clone(), new.coming(origin))
        } else {
            Member::planned(seat.clone(), new.meant_from(origin))
        }
    }

    /// Whether what fills a slot would be another module by now, or be used by another contract, though its plan says the same.
    fn leads_elsewhere(&self, seat: &Seat) -> bool {
        if seat.generation().is_none() {
            // It is found and checked anew in any case.
            return false;
        }
        let is_elsewhere = || {
            let is_listed = matches!(seat.plan().fills, Use::Catalog { .. }) && seat.origin().is_none();
            let now = || find::find(self.rack, seat.plan(), &self.new).ok().map(|found| found.origin);
            is_listed && seat.found().get().is_some_and(|found| now().as_ref() != Some(&found.origin))
        };
        let is_used_otherwise = || {
            seat.checked().get().is_some_and(|checked| {
                let now = verify::contract(seat, &self.new, &checked.description);
                !now.is_ok_and(|(contract, _)| contract == checked.contract)
            })
        };
        (self.is_found_anew() && is_elsewhere())
            || (self.old.contracts() != self.new.contracts() && is_used_otherwise())
    }
}
