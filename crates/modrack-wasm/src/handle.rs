//! Resources as objects that callers hold and hand back; what they hand back is theirs no more where it is owned.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use modrack_core::{
    Args, BackendName, Call, Chain, Due, Foreign, ForeignObject, Function, Items, Result, Value,
};
use wasmtime::component::ResourceAny;

use crate::error::does_not_fit;
use crate::function::WasmFunction;
use crate::module::Plan;
use crate::seat::Seat;

/// A resource that a component gave.
pub(crate) struct Handle {
    resource: Arc<Resource>,
    /// Its method `next`, for a resource that gives items.
    next: Option<Arc<Plan>>,
}

struct Resource {
    any: ResourceAny,
    name: String,
    seat: Arc<Seat>,
    /// Whether it was handed back for good.
    gone: AtomicBool,
}

impl Handle {
    /// The resource `name`, as `plan` gave it.
    pub(crate) fn new(any: ResourceAny, name: &str, plan: &Plan, seat: &Arc<Seat>) -> Self {
        let wanted = format!("{name}.next");
        let next = seat.module.plans.iter().find(|p| p.own_name == wanted && p.interface == plan.interface);
        let resource =
            Resource { any, name: name.to_owned(), seat: seat.clone(), gone: AtomicBool::new(false) };
        Self { resource: Arc::new(resource), next: next.cloned() }
    }
}

/// The resource behind an object, for a call of the instance that gave it. `None` for an object of anything else.
pub(crate) fn resource(object: &Foreign, seat: &Seat, own: bool) -> Option<Result<ResourceAny>> {
    let handle = &object.downcast::<Handle>()?.resource;
    if !std::ptr::eq(Arc::as_ptr(&handle.seat), seat) {
        return None;
    }
    let gone =
        if own { handle.gone.swap(true, Ordering::AcqRel) } else { handle.gone.load(Ordering::Acquire) };
    Some(if gone {
        Err(does_not_fit(
            format!("The `{}` was handed back already", handle.name),
            "An object that a function takes for its own is gone with the call",
        ))
    } else {
        Ok(handle.any)
    })
}

impl Drop for Resource {
    fn drop(&mut self) {
        if self.any.owned() && !self.gone.load(Ordering::Acquire) {
            self.seat.drop_later(self.any);
        }
    }
}

impl ForeignObject for Handle {
    fn backend(&self) -> BackendName {
        BackendName::Wasm
    }

    fn type_name(&self) -> String {
        self.resource.name.clone()
    }

    fn to_value(&self) -> Result<Value> {
        Err(does_not_fit(
            format!("A `{}` is an object that stays with its component, not data", self.resource.name),
            "Call its functions, and hand on what they give",
        ))
    }

    fn items(&self) -> Option<Items> {
        let plan = self.next.clone()?;
        let function = WasmFunction::new(self.resource.seat.clone(), plan);
        let this = Foreign::new(Self { resource: self.resource.clone(), next: None });
        let mut done = false;
        Some(Box::new(std::iter::from_fn(move || {
            if done {
                return None;
            }
            match next(&function, &this) {
                Ok(Value::Null) => {
                    done = true;
                    None
                }
                Err(error) => {
                    done = true;
                    Some(Err(error))
                }
                Ok(item) => Some(Ok(item)),
            }
        })))
    }

    fn is_stream(&self) -> bool {
        self.next.is_some()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Asks for an item: a call like any other, within the slot's time and that of who reads.
fn next(function: &WasmFunction, this: &Foreign) -> Result<Value> {
    let args = [Value::Foreign(this.clone())];
    let (callers, cancel) = Chain::bounds();
    let due = Due::nearer(function.time(), callers, Instant::now);
    let call = Call {
        args: Args { positional: &args, named: &[] },
        deadline: due.at,
        cancel: cancel.as_ref(),
        ..Call::default()
    };
    Chain::bounded(&call, || function.call(call))
        .map_err(|error| due.named(&function.plan().info.name, error, Instant::now))
}
