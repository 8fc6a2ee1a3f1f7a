//! A function of a slot that was bound and checked once, and is called without looking anything up again.

use std::sync::Arc;

use modrack_core::{Call, Result, Signature, SlotName, Value};

use crate::functions::FunctionId;
use crate::rack::RackCore;
use crate::seat::SlotCore;

/// A function of a slot. It stays good whatever comes to fill the slot.
///
/// Calling takes no lock and allocates nothing: the table is pinned, and the generation in it knows its own
/// function by the slot's number for it.
#[derive(Clone)]
pub struct Bound {
    rack: Arc<RackCore>,
    slot: Arc<SlotCore>,
    id: FunctionId,
}

impl Bound {
    pub(crate) fn new(rack: Arc<RackCore>, slot: Arc<SlotCore>, id: FunctionId) -> Self {
        Self { rack, slot, id }
    }

    /// Calls it.
    ///
    /// # Errors
    /// What the call failed with; with slot, module, generation and phase.
    #[inline]
    pub fn call(&self, call: Call<'_>) -> Result<Value> {
        self.rack.call(&self.slot, self.id, call)
    }

    /// The slot.
    pub fn slot(&self) -> &SlotName {
        self.slot.name()
    }

    /// The function's name, of the main function the one it has in the module that fills the slot now.
    ///
    /// # Errors
    /// What loading the slot anew failed with.
    pub fn name(&self) -> Result<String> {
        self.rack.with_generation(&self.slot, None, |g| g.entry(self.id).map(|entry| entry.name().to_owned()))
    }

    /// What the function takes and gives now, as far as that is known: by the module itself, else by what
    /// was read of it.
    pub fn signature(&self) -> Option<Signature> {
        let signature = self.rack.with_generation(&self.slot, None, |generation| {
            let entry = generation.entry(self.id)?;
            let own = entry.function().signature().cloned();
            let read =
                || generation.checked().description.function(entry.name()).map(|f| f.signature.clone());
            Ok(own.or_else(read))
        });
        signature.ok().flatten()
    }
}
