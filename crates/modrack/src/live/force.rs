//! Putting in force what was swapped in before: overrides of the rack's text, kept content, and what is known to be good in
//! the place of what a process ended of.
//!
//! Nothing is loaded here; slots are told what to load when they are asked for.

use std::path::Path;

use modrack_core::plan::SlotPlan;
use modrack_core::{Code, ContentHash, Error, Origin, Result, SlotName};
use modrack_runtime::{Asked, Rack};
use modrack_state::{Action, Change, Filling, Outcome, Override, Reader, SlotChange, Standing};

use super::declared::{Declared, text_hash};
use super::meant::{Meant, Pin};
use super::recorder::{is_same, leads_to};
use super::tried::Tried;
use super::{LiveRack, LiveSettings, error};

/// How many entries of a slot's history are looked at for how its last start ended.
const LOOKED_AT: usize = 20;

/// Puts in force in an open rack, of which nothing is loaded yet, what was swapped into it before: for who calls and does not
/// own the state. Where there is no state nothing is opened. Gives what cannot be put in force: with a state that is damaged, which
/// its next owner puts aside, the rack is as its text says.
///
/// # Errors
/// [`modrack_core::Code::StateNewer`]; a text that cannot be read again.
pub fn in_force(rack: &Rack, settings: &LiveSettings) -> Result<Vec<Error>> {
    let (Some(folder), Some(_)) = (&settings.folder, &settings.source) else { return Ok(Vec::new()) };
    let known = read(folder).map(|reader| reader.map(|it| (it.overrides(), it)));
    let (reader, overrides) = match known {
        Ok(None) => return Ok(Vec::new()),
        Ok(Some((Ok(overrides), reader))) => (reader, overrides),
        Ok(Some((Err(why), _))) | Err(why) if why.code() == Code::StateDamaged => return Ok(vec![why]),
        Ok(Some((Err(why), _))) | Err(why) => return Err(why),
    };
    if settings.from_config || overrides.is_empty() {
        return Ok(Vec::new());
    }
    let declared = Declared::at_start(rack, settings)?;
    let mut warnings = Vec::new();
    for over in overrides {
        let holds = declared.slot(&over.slot).is_some_and(|slot| text_hash(slot) == over.declared);
        if !holds {
            continue;
        }
        match put(rack, &declared, &over, |hash, attr| reader.laid_out(hash, attr)) {
            Ok(_) => {}
            Err(why) => warnings.push(error::not_in_force(&over.slot, &why)),
        }
    }
    Ok(warnings)
}

fn read(folder: &Path) -> Result<Option<Reader>> {
    Reader::open(folder)
}

/// Tells a slot to load what an override says; false when that is over, because what it stood in for is not there any more.
fn put(
    rack: &Rack,
    declared: &Declared,
    over: &Override,
    kept: impl FnOnce(&ContentHash, Option<modrack_core::Attr>) -> Result<Origin>,
) -> Result<bool> {
    let meant = Meant::read(&over.to.plan);
    let plan = declared.meant(rack, &over.slot, &meant)?;
    let origin = match (&meant.pin, &over.to.hash) {
        (Some(pin), Some(hash)) => {
            // What the `use` leads to is loaded again as soon as it is something else.
            let found = leads_to(rack, &plan);
            if found.is_some() && found != pin.instead_of {
                return Ok(false);
            }
            Some(kept(hash, meant.attr)?)
        }
        _ => None,
    };
    rack.prepare(plan, origin)?;
    Ok(true)
}

impl LiveRack {
    /// Puts in force what the state says.
    pub(super) fn put_in_force(&self) -> Result<()> {
        let recorder = &self.0.recorder;
        let (state, declared) = (recorder.state()?, recorder.declared());
        for over in state.read().overrides()? {
            match put(&self.0.rack, &declared, &over, |hash, attr| state.kept(hash, attr)) {
                Ok(true) => {}
                Ok(false) => drop(state.end_override(&over.slot)?),
                Err(why) => recorder.warn(error::not_in_force(&over.slot, &why)),
            }
        }
        for slot in declared.plan.slots.keys() {
            self.spare(slot)?;
        }
        Ok(())
    }

    /// Has a slot load what is known to be good when the process ended the last time while it started what it would load now.
    fn spare(&self, slot: &SlotName) -> Result<()> {
        let recorder = &self.0.recorder;
        let state = recorder.state()?;
        let entries = state.read().history(Some(slot), LOOKED_AT)?;
        let Some(last) = entries.first().filter(|entry| entry.outcome == Outcome::Interrupted) else {
            return Ok(());
        };
        let tried = last.slots.iter().find(|tried| tried.slot == *slot).and_then(|tried| tried.to.clone());
        let Some((filling, tried)) = tried.and_then(|tried| Some((tried.clone(), tried.hash?))) else {
            return Ok(());
        };
        let plan = self.0.rack.slot(slot.as_str())?.plan();
        // It is not what would be loaded now when its content was mended, or what it is given.
        let was = Meant::read(&filling.plan);
        let is_meant = *was.text == *plan.text && was.over == plan.over;
        if !is_meant || self.would_load(slot, &plan)?.as_ref() != Some(&tried) {
            return Ok(());
        }
        let why = error::interrupted(slot, &tried);
        let good = state.read().last_good()?.into_iter().find(|good| good.slot == *slot);
        let good = good.map(|good| good.filling).filter(|good| !is_same(good, &filling));
        let Some((good, hash)) = good.and_then(|good| Some((good.clone(), good.hash?))) else {
            // Nothing else can serve: it is tried once more, and then never by itself.
            let again = entries.iter().take_while(|entry| entry.outcome == Outcome::Interrupted).count() > 1;
            if again {
                self.note_tried(Tried {
                    plan,
                    found: Some(tried),
                    why: None,
                    with: Vec::new(),
                    is_due: false,
                });
                recorder.spare(slot, filling, why.clone());
                self.0.starts().insert(slot.clone(), super::start::Start::Failed(why));
            }
            return Ok(());
        };
        match self.good(slot, &good) {
            Ok((plan, origin)) => {
                let meant = Meant::of(&plan, Some(&origin), Some(Pin { instead_of: Some(tried) }));
                let to = Filling { plan: meant.write(), ..good };
                self.note_spared(&plan, to, &why)?;
                self.0.rack.prepare(plan, Some(origin))?;
                recorder.warn(error::fell_back(slot, &hash, &why));
            }
            Err(not) => recorder.warn(why.caused_by(&not)),
        }
        Ok(())
    }

    /// The content that a slot would be loaded from: the kept one, where that serves in the place of its files.
    fn would_load(&self, slot: &SlotName, plan: &SlotPlan) -> Result<Option<ContentHash>> {
        let overrides = self.0.recorder.state()?.read().overrides()?;
        let pinned = overrides.into_iter().find(|over| over.slot == *slot);
        let pinned = pinned.filter(|over| Meant::read(&over.to.plan).pin.is_some());
        Ok(match pinned {
            Some(over) => over.to.hash,
            None => leads_to(&self.0.rack, plan),
        })
    }

    fn note_spared(&self, plan: &SlotPlan, to: Filling, why: &Error) -> Result<()> {
        let recorder = &self.0.recorder;
        let declared = recorder.declared();
        let standing = match declared.slot(&plan.name) {
            Some(slot) => Standing::Override { declared: text_hash(slot) },
            None => Standing::Unchanged,
        };
        let change = Change {
            action: Action::Rollback,
            who: "modrack".to_owned(),
            why: why.message().to_owned(),
            config: declared.hash.clone(),
            slots: vec![SlotChange { slot: plan.name.clone(), from: None, to: Some(to), standing }],
        };
        recorder.state()?.record(&change, &Outcome::Done).map(drop)
    }

    /// How something that served is loaded again: what the slot was meant to be then, and where its content is kept.
    ///
    /// # Errors
    /// Content that is not kept or damaged; what is wrong with it in the rack as it is now.
    pub(super) fn good(&self, slot: &SlotName, filling: &Filling) -> Result<(SlotPlan, Origin)> {
        let recorder = &self.0.recorder;
        let meant = Meant::read(&filling.plan);
        let declared = recorder.declared();
        let plan = match declared.slot(slot) {
            Some(_) => declared.meant(&self.0.rack, slot, &meant)?,
            None => super::declared::filled_by(&self.0.rack.slot(slot.as_str())?.plan(), &filling.use_text)?,
        };
        let hash = filling.hash.as_ref().ok_or_else(|| error::nothing_before(slot))?;
        let origin = recorder.state()?.kept(hash, meant.attr)?;
        Ok((plan, origin))
    }

    /// Who asks, where nobody is named.
    pub(super) fn asked(&self, asked: &Asked) -> Asked {
        let who = if asked.who.is_empty() { &self.0.who } else { &asked.who };
        Asked { who: who.clone(), why: asked.why.clone() }
    }
}
