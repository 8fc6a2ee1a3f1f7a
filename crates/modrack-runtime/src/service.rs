//! A slot as modules see it when it is injected into them.
//!
//! It does not keep its rack alive: the rack holds the module that holds the service.

use std::sync::{Arc, Weak};

use modrack_core::{Call, Chain, Result, Service, SlotName, Value};

use crate::error;
use crate::functions::FunctionId;
use crate::rack::RackCore;
use crate::seat::SlotCore;

/// A slot that is injected. It is loaded when it is first called.
pub(crate) struct SlotService {
    rack: Weak<RackCore>,
    slot: Arc<SlotCore>,
}

impl SlotService {
    pub(crate) fn new(rack: &Arc<RackCore>, slot: Arc<SlotCore>) -> Arc<Self> {
        Arc::new(Self { rack: Arc::downgrade(rack), slot })
    }

    fn rack(&self) -> Result<Arc<RackCore>> {
        self.rack.upgrade().ok_or_else(|| error::stopped().slot(self.slot.name()))
    }
}

impl Service for SlotService {
    fn slot(&self) -> &SlotName {
        self.slot.name()
    }

    fn call(&self, function: Option<&str>, call: Call<'_>) -> Result<Value> {
        let rack = self.rack()?;
        let id: FunctionId = match self.slot.functions.find(function) {
            Some(id) => id,
            None => {
                let bind = || {
                    rack.with_generation(&self.slot, call.deadline, |generation| generation.bind(function))
                };
                Chain::bounded(&call, bind)?
            }
        };
        rack.call_nested(&self.slot, id, call)
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        self.rack()?.with_generation(&self.slot, None, |generation| generation.attribute(name))
    }

    fn has_function(&self, name: &str) -> Result<bool> {
        self.rack()?.with_generation(&self.slot, None, |generation| generation.has_function(name))
    }
}
