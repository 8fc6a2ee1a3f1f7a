//! Changes that are asked for: swaps, and going back to whatever is kept.
//!
//! What a slot is to be is made from what it is, under its turn, so that of two changes at once neither is lost.

use std::cell::RefCell;

use modrack_core::plan::SlotPlan;
use modrack_core::{Code, ContentHash, Error, Origin, Result, SlotName};
use modrack_runtime::{Asked, Before, Step, Swap, SwapFailed, Swapped};
use modrack_state::{Action, Entry, Filling, Outcome};

use super::declared::{filled_by, then};
use super::meant::{Meant, filling};
use super::recorder::{Intent, is_same};
use super::{LiveRack, error};

/// A swap of one or several slots: all of them, or none.
#[derive(Clone, Debug, Default)]
pub struct SwapRequest {
    /// What is to become of each.
    pub slots: Vec<SwapSlot>,
    /// Whether functions in use may go, and state that the new module does not take.
    pub force: bool,
    /// Whether it is written into the rack's text.
    pub save: bool,
    /// Who asks for it, and why.
    pub asked: Asked,
}

/// What is to become of one slot.
#[derive(Clone, Debug)]
pub struct SwapSlot {
    /// The slot.
    pub slot: SlotName,
    /// The `use` text of what is to fill it; none reads anew what does.
    pub to: Option<String>,
    /// What is to be set, each a `key=value`: a param, or a key of the slot or below one (`limits.time=1s`).
    pub set: Vec<String>,
}

impl LiveRack {
    /// Replaces what fills slots, all of them or none, while they are being called. What differs from the rack's text then
    /// outlives the process, until the slot's text changes.
    ///
    /// # Errors
    /// The step that failed, and why: what served before serves still.
    pub fn swap(&self, request: &SwapRequest) -> Result<Swapped, SwapFailed> {
        let Some(first) = request.slots.first().filter(|_| request.save) else {
            return self.swap_now(request);
        };
        // Two texts that were made of one would lose what one of them says.
        let saved = self.0.rack.configuring(|| self.swap_now(request));
        saved.map_err(|error| failed(&first.slot, error))?
    }

    fn swap_now(&self, request: &SwapRequest) -> Result<Swapped, SwapFailed> {
        let slots: Vec<_> = request.slots.iter().map(|slot| slot.slot.clone()).collect();
        let (mut intended, saving) = (None, RefCell::new(None));
        let make = || {
            let mut plans = Vec::new();
            for wanted in &request.slots {
                plans.push(self.wanted(wanted).map_err(|error| failed(&wanted.slot, error))?);
            }
            if request.save
                && let Some(slot) = slots.first()
            {
                *saving.borrow_mut() = Some(self.saving(&plans).map_err(|error| failed(slot, error))?);
            }
            let all = plans.into_iter().map(Swap::to).fold(Swap::default(), Swap::and);
            let intent = Intent::of(Action::Swap);
            intended = Some(self.0.recorder.intend(slots.clone(), intent));
            Ok(all.force(request.force).asked(self.asked(&request.asked)))
        };
        let done = self.0.rack.swap_when(&slots, make, |done| {
            // In the slots' turn: what is swapped in after this is over the text that this writes.
            if let (Ok(_), Some(saving), Some(source)) = (done, saving.take(), &self.0.source)
                && let Err(why) = saving.finish(&self.0.recorder, &source.name())
            {
                // It serves, and outlives the process all the same.
                self.0.recorder.warn(why);
            }
        });
        self.tell_ready();
        done
    }

    /// What a slot is to be.
    fn wanted(&self, wanted: &SwapSlot) -> Result<SlotPlan> {
        let current = self.0.rack.slot(wanted.slot.as_str())?.plan();
        let declared = self.0.recorder.declared();
        let Some(slot) = declared.slot(&wanted.slot) else {
            // The slot has no text that anything could be set over.
            return match (&wanted.to, wanted.set.first()) {
                (_, Some(_)) => declared.over(&self.0.rack, &wanted.slot, wanted.set.clone()),
                (Some(to), None) => filled_by(&current, to),
                (None, None) => Ok((*current).clone()),
            };
        };
        // What was set over another text than the rack's is not asked for any more.
        let before = if current.text == slot.text { current.over.clone() } else { Vec::new() };
        let to = wanted.to.as_ref().map(|to| Ok(SlotPlan::setting_text(&wanted.slot, "use", to)));
        let set = wanted
            .set
            .iter()
            .map(|set| SlotPlan::setting(&wanted.slot, set).ok_or_else(|| error::sets_nothing(set)));
        let sets = to.into_iter().chain(set).collect::<Result<Vec<_>>>()?;
        declared.over(&self.0.rack, &wanted.slot, then(before, sets))
    }

    /// Goes back: to what was replaced last, or to what served before and whose hash begins with `to`. Where nothing served before what
    /// was swapped in, that is what the rack says. With `force` the state of what serves is left behind.
    ///
    /// # Errors
    /// [`modrack_core::Code::NothingBefore`] when nothing is kept, [`modrack_core::Code::UnknownEntry`] when nothing or several
    /// things that are kept have such a hash; else what swapping it in fails with.
    pub fn rollback(
        &self,
        slot: &SlotName,
        to: Option<&str>,
        force: bool,
        asked: Asked,
    ) -> Result<Swapped, SwapFailed> {
        let asked = self.asked(&asked);
        let rack = &self.0.rack;
        let mut parked =
            rack.kept().into_iter().filter(|kept| kept.slot == *slot && kept.state == Before::Parked);
        if let Some(parked) = parked.next() {
            let is_wanted = match to {
                // Nothing need be known of what was before: it is there.
                None => true,
                Some(to) => {
                    let wanted = self.kept(slot, Some(to)).map_err(|error| failed(slot, error))?;
                    wanted.hash.is_some() && wanted.hash == self.0.recorder.content_of(parked.generation)
                }
            };
            if is_wanted {
                let went = match force {
                    true => rack.rollback_without_state(slot, asked.clone()),
                    false => rack.rollback(slot, asked.clone()),
                };
                match went {
                    // Its trial ended meanwhile, and it is what the history says was before.
                    Err(ended) if ended.error.code() == Code::NothingBefore => {}
                    done => return done,
                }
            }
        }
        let mut intended = None;
        let make = || {
            let found = self.kept(slot, to).and_then(|filling| self.good(slot, &filling));
            let back = match found {
                Ok((plan, origin)) => Swap::to(plan).at(origin),
                Err(error) => {
                    let declared = if to.is_none() { self.as_declared(slot, &error) } else { None };
                    Swap::to(declared.ok_or_else(|| failed(slot, error))?)
                }
            };
            let intent = Intent::of(Action::Rollback);
            intended = Some(self.0.recorder.intend(vec![slot.clone()], intent));
            // It may have fewer functions than what it replaces: who goes back wants what was.
            Ok(back.force(true).leaving_state(force).asked(asked))
        };
        rack.swap_when(std::slice::from_ref(slot), make, |_| ())
    }

    /// Stops what fills the slot, once its calls have ended. The next call loads it anew: what was gone back to, as it was.
    ///
    /// # Errors
    /// A slot that is not there; of a slot with `overlap: false`, calls that did not end in time.
    pub fn unload(&self, slot: &SlotName, asked: Asked) -> Result<Before, SwapFailed> {
        let asked = self.asked(&asked);
        match self.pinned(slot).map_err(|error| failed(slot, error))? {
            Some(origin) => self.0.rack.unload_to(slot, origin, asked),
            None => self.0.rack.unload(slot, asked),
        }
    }

    /// The slot as the rack says, where something was swapped in over that and nothing is kept from before.
    fn as_declared(&self, slot: &SlotName, why: &Error) -> Option<SlotPlan> {
        let overrides = self.0.recorder.state().ok()?.read().overrides().ok()?;
        let is_over = why.code() == Code::NothingBefore && overrides.iter().any(|over| over.slot == *slot);
        self.0.recorder.declared().slot(slot).filter(|_| is_over).cloned()
    }

    /// From where the slot's content is loaded, where it is kept content.
    fn pinned(&self, slot: &SlotName) -> Result<Option<Origin>> {
        let state = self.0.recorder.state()?;
        let over = state.read().overrides()?.into_iter().find(|over| over.slot == *slot);
        let Some((over, hash)) = over.and_then(|over| Some((over.to.clone(), over.to.hash?))) else {
            return Ok(None);
        };
        let meant = Meant::read(&over.plan);
        meant.pin.map(|_| state.kept(&hash, meant.attr)).transpose()
    }

    /// What served in the slot, is kept, and has a hash that begins with `prefix`; without that, what served before.
    fn kept(&self, slot: &SlotName, prefix: Option<&str>) -> Result<Filling> {
        let Some(prefix) = prefix else {
            return self.before(slot)?.ok_or_else(|| error::nothing_before(slot));
        };
        let state = self.0.recorder.state()?;
        let now = self.0.rack.slot(slot.as_str())?.serving().map(|served| filling(&served, None));
        let mut kept: Vec<Filling> = Vec::new();
        for filling in
            state.read().history(Some(slot), usize::MAX)?.iter().flat_map(|entry| served(entry, slot))
        {
            match kept.iter_mut().find(|known| known.hash == filling.hash) {
                // Of what has the same content, it is what is not there already.
                Some(known) if now.as_ref().is_some_and(|now| is_same(now, known)) => {
                    known.clone_from(filling);
                }
                Some(_) => {}
                None => kept.push(filling.clone()),
            }
        }
        let is_meant = |filling: &&Filling| {
            let hash = filling.hash.as_ref();
            !prefix.is_empty() && hash.is_some_and(|hash| hash.as_str().starts_with(prefix))
        };
        let hashes = |of: &[&Filling]| {
            of.iter().filter_map(|filling| filling.hash.clone()).collect::<Vec<ContentHash>>()
        };
        let found: Vec<_> = kept.iter().filter(is_meant).collect();
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(error::nothing_kept(slot, prefix, &hashes(&kept.iter().collect::<Vec<_>>()))),
            several => Err(error::ambiguous(slot, prefix, &hashes(several))),
        }
    }

    /// What served in the slot before what serves came, by a swap and not by going back; none when it is not kept.
    fn before(&self, slot: &SlotName) -> Result<Option<Filling>> {
        let state = self.0.recorder.state()?;
        let history = state.read().history(Some(slot), usize::MAX)?;
        let done: Vec<_> = history
            .iter()
            .filter(|entry| entry.outcome == Outcome::Done)
            .flat_map(|entry| entry.slots.iter().map(move |change| (entry.action, change)))
            .filter(|(_, change)| change.slot == *slot)
            .collect();
        let now = match self.0.rack.slot(slot.as_str())?.serving() {
            Some(served) => Some(filling(&served, None)),
            // Nothing is loaded: what served last would be.
            None => done.iter().find_map(|(_, change)| change.to.clone()),
        };
        let Some(now) = now else { return Ok(None) };
        // The same content may have served with other params: that was something else.
        let came = done.iter().enumerate().filter(|(_, (action, _))| *action != Action::Rollback);
        let came = came.filter_map(|(at, (_, change))| {
            change.to.as_ref().filter(|to| is_same(to, &now)).and(change.from.clone()).map(|from| (at, from))
        });
        let mut from = None;
        for (at, hash) in came {
            let older =
                done[at + 1..].iter().filter_map(|(_, change)| Some((change.is_kept, change.to.as_ref()?)));
            let last = older.clone().next().filter(|(_, to)| to.hash.as_ref() == Some(&hash));
            if last.is_some_and(|(_, to)| is_same(to, &now)) {
                // It was read anew and was the same: what was before that is meant.
                continue;
            }
            let known = last.filter(|(is_kept, _)| *is_kept).map(|(_, to)| to.clone());
            if known.is_some() {
                return Ok(known);
            }
            if Some(&hash) != now.hash.as_ref() {
                from = Some(hash);
                break;
            }
        }
        let Some(from) = from else { return Ok(None) };
        let of = |filling: &&Filling| filling.hash.as_ref() == Some(&from);
        let known = history.iter().flat_map(|entry| served(entry, slot)).find(of).cloned();
        // What was good when the process began is not in the history of long ago.
        let good = || state.read().last_good().map(|good| good.into_iter().find(|good| good.slot == *slot));
        Ok(match known {
            Some(known) => Some(known),
            None => good()?.map(|good| good.filling).filter(|good| of(&good)),
        })
    }
}

/// What an entry says that served in the slot and is kept.
fn served<'a>(entry: &'a Entry, slot: &SlotName) -> impl Iterator<Item = &'a Filling> {
    let done = entry.outcome == Outcome::Done;
    let slot = slot.clone();
    let slots = entry.slots.iter().filter(move |change| done && change.is_kept && change.slot == slot);
    slots.filter_map(|change| change.to.as_ref().filter(|to| to.hash.is_some()))
}

pub(super) fn failed(slot: &SlotName, error: Error) -> SwapFailed {
    SwapFailed { step: Step::Fetch, slot: slot.clone(), error: error.slot(slot) }
}
