//! The rack's text, while the rack runs: read again and put in force as one swap, and gone back to.
//!
//! A text that is wrong, or whose modules do not come in, changes nothing and is told. What was swapped in stays in force for
//! the slots whose own text did not change. Everything here is done under the one turn of who configures the rack.

use std::cell::RefCell;
use std::sync::Arc;

use modrack_core::plan::{RackPlan, SlotPlan};
use modrack_core::{ContentHash, Error, Map, Result, SlotName, Text, Value};
use modrack_runtime::{Asked, ConfigureFailed, Configured, Swap, SwapFailed};
use modrack_state::{Action, Change, Failed, Outcome};

use super::declared::Declared;
use super::meant::Meant;
use super::recorder::{Intent, leads_to};
use super::refused::RefusedText;
use super::start::Start;
use super::tried::Tried;
use super::{LiveRack, error};

/// What a saved file led to and did not come in, and why.
type Broken = (Tried, Error);

impl LiveRack {
    /// Reads the rack's text again, and applies the difference to what is in force as one swap, together with the slots whose
    /// files hold something else than what serves. What such files hold and does not come in is left out where anything else has
    /// changed: it is told as a swap that failed.
    ///
    /// # Errors
    /// What is wrong with the text, what cannot change while the rack runs, or the step that failed: nothing has changed, and that
    /// is told as `configuration.refused`.
    pub fn reload_configuration(&self, asked: Asked) -> Result<Configured, ConfigureFailed> {
        self.configure(&asked, "configuration.changed", || Ok(()))
    }

    /// Writes the text of a configuration that served back to where the rack's text comes from, and applies it. `hash` is the
    /// beginning of its hash.
    ///
    /// # Errors
    /// [`modrack_core::Code::UnknownEntry`]; a text that cannot be written; else as [`LiveRack::reload_configuration`], and then the text is
    /// what it was before.
    pub fn restore_configuration(&self, hash: &str, asked: Asked) -> Result<Configured, ConfigureFailed> {
        let kept = self.configuration(hash)?;
        let source = self.0.source.as_ref().ok_or_else(error::no_text)?;
        let (before, refused) = (RefCell::new(None), self.refused_text_noted());
        let restored = self.configure(&asked, "configuration.restored", || {
            let read = source.read()?.bytes;
            let written = source.write(kept.text.as_bytes(), &read)?;
            *before.borrow_mut() = Some(read);
            written.finish()
        });
        if restored.is_err()
            && let Some(before) = before.take()
        {
            source.write(&before, kept.text.as_bytes())?.finish()?;
            // What stands there is what stood there: it is as refused as it was.
            let is_in_force = Some(modrack_state::hash_of(&before)) == self.0.recorder.declared().hash;
            self.note_text(refused.filter(|_| !is_in_force));
            #[cfg(feature = "watch")]
            if is_in_force {
                self.watch_rack();
            }
        }
        restored
    }

    /// Does `first`, reads the rack's text and puts it in force.
    ///
    /// A file that was saved and does not come in keeps nothing else back: it is left out, and is tried again when it is something else.
    fn configure(
        &self,
        asked: &Asked,
        name: &'static str,
        first: impl FnOnce() -> Result<()>,
    ) -> Result<Configured, ConfigureFailed> {
        let asked = self.asked(asked);
        let (mut first, mut left_out) = (Some(first), Vec::new());
        // Before it is tried: what is saved meanwhile is seen.
        #[cfg(feature = "watch")]
        self.watch_coming();
        loop {
            let broken = RefCell::new(None);
            let done = self.configure_without(&left_out, &broken, &asked, name, || {
                first.take().map_or(Ok(()), |first| first())
            });
            match broken.take() {
                Some(broken) => left_out.push(broken),
                None => {
                    // What is refused as a whole may have kept them from coming in.
                    let tried = left_out.into_iter().filter(|_| done.is_ok());
                    tried.for_each(|(tried, why)| self.did_not_come(tried, &why));
                    #[cfg(feature = "watch")]
                    match &done {
                        Ok(_) => self.watch_rack(),
                        Err(failed) => self.watch_refused(failed),
                    }
                    if done.is_ok() {
                        self.tell_mended();
                        self.tell_ready();
                    }
                    return done;
                }
            }
        }
    }

    /// As [`LiveRack::configure`], where the files of the slots `left_out` are as they were. Says which is to be left out as well, if that
    /// is why it came to nothing.
    fn configure_without(
        &self,
        left_out: &[Broken],
        broken: &RefCell<Option<Broken>>,
        asked: &Asked,
        name: &'static str,
        first: impl FnOnce() -> Result<()>,
    ) -> Result<Configured, ConfigureFailed> {
        let (rack, recorder) = (&self.0.rack, &self.0.recorder);
        let (read, intended, saved) = (RefCell::new(None), RefCell::new(None), RefCell::new(Vec::new()));
        let (mut first, hash) = (Some(first), RefCell::new(None));
        let make = |turn_of: &[SlotName]| -> Result<(RackPlan, Swap), ConfigureFailed> {
            if let Some(first) = first.take() {
                first()?;
                let source = self.0.source.as_ref().ok_or_else(error::no_text)?;
                let before = recorder.declared();
                let text = source.read()?;
                *hash.borrow_mut() = Some(modrack_state::hash_of(&text.bytes));
                let new = Declared::parse(rack, &text, before.set.clone())?;
                *read.borrow_mut() = Some((before, Arc::new(new)));
            }
            let Some((_, new)) = read.borrow().clone() else { return Err(error::no_text().into()) };
            let (plan, more, files) = self.difference(&new, left_out)?;
            *saved.borrow_mut() = files;
            // It is held against the new text what this brings, and nothing else before that is in force.
            let intent = Intent { coming: Some(new), ..Intent::of(Action::Configure) };
            // Only what was said under these slots' turns before is taken back.
            drop(intended.take());
            *intended.borrow_mut() = Some(recorder.intend(turn_of.to_vec(), intent));
            Ok((plan, more.asked(asked.clone())))
        };
        rack.configure_when(make, |done| {
            match (done, read.take()) {
                (Ok(configured), Some((before, new))) => {
                    recorder.declare(new);
                    self.configured(configured, &before, asked, name);
                }
                (Err(failed), read) => {
                    let is_other = read.is_some_and(|(before, new)| before.hash != new.hash);
                    *broken.borrow_mut() = of_saved(failed, saved.take(), is_other || !left_out.is_empty());
                    if broken.borrow().is_none() {
                        self.refused(failed, asked, hash.take());
                    }
                }
                (Ok(_), None) => {}
            }
            drop(intended.take());
        })
    }

    /// What the rack is to be by a new text, what is swapped beside what that says, and what of that is there because a file was saved;
    /// but for the slots `left_out`.
    fn difference(&self, new: &Declared, left_out: &[Broken]) -> Result<(RackPlan, Swap, Vec<Tried>)> {
        let (rack, state) = (&self.0.rack, self.0.recorder.state()?);
        let (overrides, texts) = (state.read().overrides()?, new.texts());
        let (mut plan, mut more, mut saved) = ((*new.plan).clone(), Swap::default(), Vec::new());
        let was_started = !self.0.starts().is_empty();
        let before = rack.plan();
        for (name, slot) in &new.plan.slots {
            let known = before.slots.contains_key(name).then(|| rack.slot(name.as_str())).transpose()?;
            let Some(known) = known else {
                if was_started && !slot.lazy {
                    more = more.and(Swap::to(slot.clone()));
                }
                continue;
            };
            let over = overrides.iter().find(|over| over.slot == *name);
            let is_filled = known.serving().is_some();
            let wanted = match over {
                Some(over) if texts.get(name) == Some(&over.declared) => {
                    let meant = Meant::read(&over.to.plan);
                    let wanted = new.meant(rack, name, &meant)?;
                    if is_filled && self.tried(name).is_none() && !wanted.means(&known.plan()) {
                        let swap = Swap::to(wanted.clone());
                        more = more.and(match (&meant.pin, &over.to.hash) {
                            (Some(_), Some(hash)) => swap.at(state.kept(hash, meant.attr)?),
                            _ => swap,
                        });
                        plan.slots.insert(name.clone(), wanted);
                        continue;
                    }
                    plan.slots.insert(name.clone(), wanted.clone());
                    wanted
                }
                // It stood in for what the text said, which says something else now.
                Some(_) => {
                    if is_filled || self.has_failed(name) {
                        more = more.and(Swap::to(slot.clone()));
                    }
                    continue;
                }
                None => slot.clone(),
            };
            let is_same = wanted.means(&known.plan());
            let is_said = is_same || wanted.says(&known.plan());
            if over.is_none() && self.has_failed(name) && !is_said {
                // What did not start is started as the text says now.
                more = more.and(Swap::to(wanted));
            } else if (is_same || self.has_failed(name))
                && !left_out.iter().any(|(tried, _)| tried.plan.name == *name)
                && self.was_saved(name, &wanted, over.is_some())
            {
                more = more.and(Swap::to(wanted.clone()));
                saved.push(Tried::now(rack, Arc::new(wanted)));
            }
        }
        Ok((plan, more, saved))
    }

    /// Whether what the files of a slot hold now that is to be `wanted` is to be put in force because they were saved.
    fn was_saved(&self, name: &SlotName, wanted: &SlotPlan, is_over: bool) -> bool {
        let Ok(slot) = self.0.rack.slot(name.as_str()) else { return false };
        let (serving, has_failed) = (slot.serving(), self.has_failed(name));
        if wanted.swap.watch == Some(false) && !has_failed {
            return false;
        }
        let is_pinned = serving.as_ref().is_some_and(|served| served.pinned);
        match self.tried(name) {
            // What is as broken as it was is in nobody's way.
            Some(tried) => {
                let is_other = match is_over {
                    true => self.was_edited(name),
                    false => is_pinned || self.is_edited(name),
                };
                let is_news = tried.is_due || leads_to(&self.0.rack, wanted) != tried.found;
                is_news && (has_failed || is_other)
            }
            None if is_over => self.was_edited(name),
            None => !is_pinned && self.is_edited(name),
        }
    }

    /// Whether the slot's files hold something else than what serves or, where kept content does, than when that came.
    fn was_edited(&self, name: &SlotName) -> bool {
        let Ok(slot) = self.0.rack.slot(name.as_str()) else { return false };
        match (slot.serving(), self.pinned_instead_of(name)) {
            (Some(served), Some(instead_of)) => {
                let found = leads_to(&self.0.rack, &served.plan);
                found != instead_of && found != served.hash
            }
            _ => self.is_edited(name),
        }
    }

    /// What led nowhere else when kept content came to serve in the slot; none when none serves in the place of its files.
    pub(super) fn pinned_instead_of(&self, name: &SlotName) -> Option<Option<ContentHash>> {
        let overrides = self.0.recorder.state().ok()?.read().overrides().ok()?;
        let over = overrides.into_iter().find(|over| over.slot == *name)?;
        Meant::read(&over.to.plan).pin.map(|pin| pin.instead_of)
    }

    /// Whether the slot's `use` leads to something else than what serves.
    fn is_edited(&self, name: &SlotName) -> bool {
        let Ok(slot) = self.0.rack.slot(name.as_str()) else { return false };
        let Some(served) = slot.serving() else { return false };
        served.hash.is_some() && leads_to(&self.0.rack, &served.plan) != served.hash
    }

    /// Notes that a text is in force, and tells of it.
    fn configured(&self, done: &Configured, before: &Declared, asked: &Asked, name: &'static str) {
        let recorder = &self.0.recorder;
        let now = recorder.declared();
        let noted = recorder.state().and_then(|state| {
            if let (Some(source), Some(text)) = (&self.0.source, &now.text) {
                state.configure(&source.name(), &String::from_utf8_lossy(&text.bytes))?;
            }
            state.lapse(&now.texts())?;
            state.keep_slots(&now.plan.slots.keys().cloned().collect::<Vec<_>>())?;
            if done.swapped.slots.is_empty() && before.hash != now.hash {
                state.record(&self.change_of(asked), &Outcome::Done)?;
            }
            Ok(())
        });
        if let Err(why) = noted {
            recorder.warn(why);
        }
        self.tried_as_declared(before, &now);
        let mut starts = self.0.starts();
        starts.retain(|slot, _| !done.removed.contains(slot));
        for served in done.swapped.slots.iter().filter(|served| now.plan.slots.contains_key(&served.slot)) {
            starts.insert(served.slot.clone(), Start::Done(None));
        }
        drop(starts);
        #[cfg(feature = "watch")]
        done.removed.iter().for_each(|slot| self.watch_slot(slot));
        let was_refused = self.note_text(None).is_some();
        let hash = now.hash.as_ref().map_or(Value::Null, |hash| Value::from(hash.as_str()));
        let is_nothing = before.hash == now.hash && done.swapped.slots.is_empty();
        if is_nothing {
            if was_refused {
                self.0.rack.announce("configuration.mended", None, map([("hash", hash)]));
            }
            return;
        }
        let listed = |slots: &[SlotName]| {
            Value::List(slots.iter().map(|slot| Value::from(slot.as_str())).collect::<Vec<_>>())
        };
        let fields = [
            ("hash", hash),
            ("who", Value::from(asked.who.as_str())),
            ("why", Value::from(asked.why.as_str())),
            ("added", listed(&done.added)),
            ("changed", listed(&done.changed)),
            ("removed", listed(&done.removed)),
        ];
        self.0.rack.announce(name, None, map(fields));
    }

    /// Notes that the text of this hash did not come into force, and tells of it.
    fn refused(&self, failed: &ConfigureFailed, asked: &Asked, hash: Option<ContentHash>) {
        self.note_text(Some(RefusedText::now(hash, failed)));
        let recorder = &self.0.recorder;
        if let ConfigureFailed::Plan(why) = failed {
            // What failed at a step of its swap is in the history by that.
            let outcome = Outcome::Failed(Failed::new(None, "match", why));
            let noted = recorder.state().and_then(|state| state.record(&self.change_of(asked), &outcome));
            if let Err(why) = noted {
                recorder.warn(why);
            }
        }
        let fields = [("who", Value::from(asked.who.as_str())), ("why", Value::from(asked.why.as_str()))];
        self.0.rack.announce_failure("configuration.refused", map(fields), failed.error());
    }

    fn change_of(&self, asked: &Asked) -> Change {
        Change {
            action: Action::Configure,
            who: asked.who.clone(),
            why: asked.why.clone(),
            config: self.0.recorder.declared().hash.clone(),
            slots: Vec::new(),
        }
    }
}

/// The saved file that kept everything back, where there is something else to be put in force.
fn of_saved(failed: &ConfigureFailed, saved: Vec<Tried>, is_other: bool) -> Option<Broken> {
    let ConfigureFailed::Swap(SwapFailed { slot, error, .. }) = failed else { return None };
    let is_more = is_other || saved.len() > 1;
    let tried = saved.into_iter().find(|tried| tried.plan.name == *slot).filter(|_| is_more)?;
    Some((tried, error.clone()))
}

fn map(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Map {
    fields.into_iter().map(|(name, value)| (Text::from_static(name), value)).collect()
}
