//! A slot as modules see it when it is injected into them.
//!
//! It does not keep its rack alive: the rack holds the module that holds the service.

use std::sync::{Arc, Weak};

use modrack_core::{Call, Chain, Result, Service, SlotName, Value};

use crate::error;
use crate::functions::FunctionId;
use crate::main_function;
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

    /// Runs `run` with the rack, which is there for as long as that takes.
    fn within<R>(&self, run: impl FnOnce(&Arc<RackCore>) -> Result<R>) -> Result<R> {
        let rack = self.rack()?;
        let result = run(&rack);
        if let Some(last) = Arc::into_inner(rack) {
            end_elsewhere(last);
        }
        result
    }
}

/// Stops a rack of which everybody else let go while a module called a slot: on a thread that is no module's, because a module may
/// wait for its own threads when it is stopped.
#[cold]
fn end_elsewhere(rack: RackCore) {
    let thread = std::thread::Builder::new().name("modrack-end".to_owned());
    // Where no thread can be had, what was to be given to it goes here.
    let _ = thread.spawn(move || drop(rack));
}

impl Service for SlotService {
    fn slot(&self) -> &SlotName {
        self.slot.name()
    }

    fn call(&self, function: Option<&str>, call: Call<'_>) -> Result<Value> {
        self.within(|rack| {
            let id: FunctionId = match self.slot.functions.find(function) {
                Some(id) => id,
                None => {
                    let bind = || {
                        rack.with_generation(&self.slot, call.deadline, |generation| {
                            generation.bind(function)
                        })
                    };
                    Chain::bounded(&call, bind)?
                }
            };
            rack.call_nested(&self.slot, id, call)
        })
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        self.within(|rack| rack.with_generation(&self.slot, None, |generation| generation.attribute(name)))
    }

    fn has_function(&self, name: &str) -> Result<bool> {
        self.within(|rack| rack.with_generation(&self.slot, None, |generation| generation.has_function(name)))
    }

    fn is_awaited(&self, function: Option<&str>) -> bool {
        let Ok(rack) = self.rack() else { return false };
        let is_awaited = rack.with_seat(&self.slot, |seat| {
            let known = seat.generation().map(|generation| generation.checked().clone());
            let Some(checked) = known.or_else(|| seat.checked().get()) else { return Ok(false) };
            let name = match function {
                Some(name) => name.to_owned(),
                None => main_function::of_description(&checked, seat.plan().function.as_deref())?,
            };
            let signature = checked.description.function(&name).map(|function| &function.signature);
            Ok(signature.is_some_and(|signature| signature.is_async && !signature.is_generator))
        });
        is_awaited.unwrap_or(false)
    }
}
