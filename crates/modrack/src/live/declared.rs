//! What the rack's text declares, and what slots mean when something is set over it.
//!
//! A plan is always made by the one parser, from the text that is in force: nothing here knows what a key means.

use std::collections::BTreeMap;
use std::sync::Arc;

use modrack_core::plan::{RackPlan, RackText, SlotPlan};
use modrack_core::{Code, ContentHash, Error, Result, SlotName, Use};
use modrack_runtime::Rack;
use modrack_state::Declared as DeclaredSlot;

use super::LiveSettings;
use super::meant::Meant;
use crate::text;

/// The configuration that is in force.
pub(super) struct Declared {
    /// The text; none for a rack that was put together without one.
    pub(super) text: Option<Arc<RackText>>,
    /// What is set over it at each reading.
    pub(super) set: Vec<String>,
    /// What both mean.
    pub(super) plan: Arc<RackPlan>,
    /// The hash of the text, as the state knows it.
    pub(super) hash: Option<ContentHash>,
}

impl Declared {
    /// What a text means in a rack, with `set` over it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn parse(rack: &Rack, text: &RackText, set: Vec<String>) -> Result<Self> {
        let plan = text::parse_with(text, &set, &rack.given())?;
        Ok(Self::of(Arc::new(plan), set))
    }

    /// What the rack's source says while the rack is as it was opened, with `set` over it; without a source that is what the rack is.
    ///
    /// # Errors
    /// A text that cannot be read again, and everything that is wrong with it.
    pub(super) fn at_start(rack: &Rack, settings: &LiveSettings) -> Result<Self> {
        let plan = rack.plan();
        match &settings.source {
            // It was read and understood already.
            Some(source) if plan.text.as_ref().is_some_and(|text| text.file == source.file()) => {
                Ok(Self::of(plan, settings.set.clone()))
            }
            Some(source) => Self::parse(rack, &source.read()?, settings.set.clone()),
            None => Ok(Self { text: None, set: Vec::new(), plan, hash: None }),
        }
    }

    /// What a plan was read from, with `set` over it.
    fn of(plan: Arc<RackPlan>, set: Vec<String>) -> Self {
        let text = plan.text.clone();
        let hash = text.as_ref().map(|text| modrack_state::hash_of(&text.bytes));
        Self { text, set, plan, hash }
    }

    /// The slot as it is declared.
    pub(super) fn slot(&self, name: &SlotName) -> Option<&SlotPlan> {
        self.plan.slots.get(name).filter(|_| self.text.is_some())
    }

    /// The hash of what the text says of each slot.
    pub(super) fn texts(&self) -> BTreeMap<SlotName, ContentHash> {
        let slots = self.plan.slots.values().filter(|_| self.text.is_some());
        slots.map(|slot| (slot.name.clone(), text_hash(slot))).collect()
    }

    /// The slots for who looks how what serves differs.
    pub(super) fn slots(&self, content: impl Fn(&SlotPlan) -> Option<ContentHash>) -> Vec<DeclaredSlot> {
        let slots = self.plan.slots.values().map(|slot| DeclaredSlot {
            slot: slot.name.clone(),
            use_text: slot.use_text.clone(),
            text: text_hash(slot),
            content: content(slot),
        });
        slots.collect()
    }

    /// The slot as it is meant: what the text said of it then, and what was set over that.
    ///
    /// # Errors
    /// What is wrong with it in the rack as it is now.
    pub(super) fn meant(&self, rack: &Rack, name: &SlotName, meant: &Meant) -> Result<SlotPlan> {
        let is_as_declared =
            self.slot(name).is_none_or(|slot| meant.text.is_empty() || *slot.text == *meant.text);
        let base = (!is_as_declared).then(|| format!("slots.{name}={}", meant.text));
        let mut plan = self.with(rack, name, base.iter().chain(&meant.over))?;
        if let Some(text) = base.map(|_| meant.text.as_str()) {
            plan.text = text.into();
        }
        plan.over.clone_from(&meant.over);
        Ok(plan)
    }

    /// The slot with `over` set over its text. What comes to mean what the text says has nothing set over it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn over(&self, rack: &Rack, name: &SlotName, over: Vec<String>) -> Result<SlotPlan> {
        let mut plan = self.with(rack, name, over.iter())?;
        let declared = self.slot(name).is_some_and(|slot| slot.means(&plan));
        plan.over = if declared { Vec::new() } else { over };
        Ok(plan)
    }

    fn with<'a>(
        &self,
        rack: &Rack,
        name: &SlotName,
        over: impl Iterator<Item = &'a String>,
    ) -> Result<SlotPlan> {
        let Some((declared, text)) = self.slot(name).zip(self.text.as_ref()) else {
            return Err(undeclared(name));
        };
        let set: Vec<_> = self.set.iter().cloned().chain(over.cloned()).collect();
        if set.len() == self.set.len() {
            return Ok(declared.clone());
        }
        let mut plan = text::parse_with(text, &set, &rack.given())?;
        let mut plan = plan.slots.swap_remove(name).ok_or_else(|| undeclared(name))?;
        plan.text = declared.text.clone();
        Ok(plan)
    }
}

/// A slot that no text declares, filled by something else.
///
/// # Errors
/// [`Code::BadUse`].
pub(super) fn filled_by(plan: &SlotPlan, use_text: &str) -> Result<SlotPlan> {
    Ok(SlotPlan { fills: Use::parse(use_text)?, use_text: use_text.to_owned(), ..plan.clone() })
}

/// What is set over a slot's text already, and then `sets`: what sets the same again takes the place of what did.
pub(super) fn then(mut over: Vec<String>, sets: impl IntoIterator<Item = String>) -> Vec<String> {
    let path = |set: &str| set.split_once('=').map(|(path, _)| path.trim().to_owned());
    for set in sets {
        over.retain(|before| path(before) != path(&set));
        over.push(set);
    }
    over
}

/// The hash of what the text says of a slot.
pub(super) fn text_hash(slot: &SlotPlan) -> ContentHash {
    modrack_state::hash_of(slot.text.as_bytes())
}

fn undeclared(name: &SlotName) -> Error {
    Error::new(Code::UnknownSlot, format!("Slot `{name}` is not declared in the rack"))
        .hint("Declare it in the rack: what is set for a slot is set over its text")
        .slot(name)
}
