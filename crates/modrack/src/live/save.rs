//! Writing what is swapped in into the rack's text.
//!
//! The new text is made and put beside the old one before anything is swapped, and takes its place when the swap is done; so what
//! cannot be written is refused while nothing has happened.

use std::sync::Arc;

use modrack_core::plan::SlotPlan;
use modrack_core::{Code, Error, Result};
use modrack_state::RackState;

use super::declared::Declared;
use super::recorder::Recorder;
use super::{LiveRack, error};
use crate::text::{Source, Written};

/// A text that is to take the place of the rack's.
pub(super) struct Saving {
    written: Written,
    declared: Declared,
    source: Source,
    /// What it was made of.
    before: Arc<Declared>,
}

impl LiveRack {
    /// Makes the text that declares these slots as they are meant, beside the one that is in force.
    ///
    /// # Errors
    /// [`Code::Unsupported`] when it cannot be written into the text, or means something else there; a text that was changed since it
    /// was read, or cannot be written.
    pub(super) fn saving(&self, plans: &[SlotPlan]) -> Result<Saving> {
        let before = self.0.recorder.declared();
        let (Some(source), Some(text)) = (&self.0.source, &before.text) else {
            return Err(error::no_text());
        };
        if source.read()?.bytes != text.bytes {
            return Err(error::changed_since(&source.name()));
        }
        let sets: Vec<_> = plans.iter().flat_map(|plan| plan.over.iter().cloned()).collect();
        let read = &text.bytes;
        let declared = Declared::parse(&self.0.rack, &text.with(&sets)?, before.set.clone())?;
        let is_meant = |plan: &SlotPlan| declared.slot(&plan.name).is_some_and(|slot| slot.means(plan));
        if let Some(other) = plans.iter().find(|plan| !is_meant(plan)) {
            let message = format!("`{}` would mean something else in the rack's text", other.name);
            return Err(Error::new(Code::Unsupported, message)
                .hint("Something is set over the text at each start, which this would not change")
                .slot(&other.name));
        }
        let bytes = declared.text.as_ref().map_or(&[][..], |text| &text.bytes);
        Ok(Saving {
            written: source.write(bytes, read)?,
            declared,
            source: source.clone(),
            before: before.clone(),
        })
    }
}

impl Saving {
    /// Has the text take its place, and be the one that is in force.
    ///
    /// # Errors
    /// What the system says; the swap is done, and goes on to be told apart from the text.
    pub(super) fn finish(self, recorder: &Recorder, name: &str) -> Result<()> {
        let is_before = |bytes: &[u8]| self.before.text.as_ref().is_some_and(|text| text.bytes == bytes);
        if !is_before(&self.source.read()?.bytes) {
            return Err(error::changed_since(name));
        }
        self.written.finish()?;
        let state = recorder.state()?;
        in_force(recorder, &state, name, self.declared)
    }
}

/// Has a configuration be the one in force: it is noted, and what it says of a slot otherwise than before ends what was swapped in.
///
/// # Errors
/// As for everything that writes the state.
pub(super) fn in_force(recorder: &Recorder, state: &RackState, name: &str, declared: Declared) -> Result<()> {
    if let Some(text) = &declared.text {
        state.configure(name, &String::from_utf8_lossy(&text.bytes))?;
    }
    let texts = declared.texts();
    recorder.declare(Arc::new(declared));
    state.lapse(&texts).map(drop)
}
