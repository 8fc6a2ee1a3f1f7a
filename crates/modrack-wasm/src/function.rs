//! A function of an instance: arguments bound to its parameters, the call by the typed way that fits or by dynamic
//! values, the result or the failure.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use modrack_core::{
    BackendName, Call, Code, Error, Function, ParamKind, Phase, Result, Signature, Value, bind_arguments,
};
use wasmtime::component::{Func, Val};

use crate::bounds::Crossing;
use crate::failure::too_large;
use crate::lift::{self, lift};
use crate::lower::lower;
use crate::module::{Fails, Plan};
use crate::quick::Quick;
use crate::seat::{Failed, Live, Seat};
use crate::shape::Shape;
use crate::wire::ErrorOut;

/// A function of an instance.
pub(crate) struct WasmFunction {
    seat: Arc<Seat>,
    plan: Arc<Plan>,
    bound: OnceLock<Bound>,
}

struct Bound {
    func: Func,
    /// What the engine may make of what the component hands over.
    fuel: usize,
    quick: Option<Box<dyn Quick>>,
}

impl WasmFunction {
    /// The function of this plan, to be bound at its first call.
    pub(crate) fn new(seat: Arc<Seat>, plan: Arc<Plan>) -> Self {
        Self { seat, plan, bound: OnceLock::new() }
    }

    /// What is known of the function.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How long a call may take.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.seat.bounds.time
    }

    fn bound(&self, live: &mut Live) -> Result<&Bound> {
        if let Some(bound) = self.bound.get() {
            return Ok(bound);
        }
        let missing =
            || crate::error::internal(&format!("`{}`", self.plan.info.name), "it is not where it was read");
        let at = self
            .seat
            .module
            .plans
            .iter()
            .position(|plan| Arc::ptr_eq(plan, &self.plan))
            .ok_or_else(missing)?;
        let index = &self.seat.compiled.indices[at];
        let func = live.instance.get_func(&mut live.store, index).ok_or_else(missing)?;
        let quick = self.plan.shortcut.and_then(|shortcut| shortcut.bind(func, &live.store));
        let crossing = quick.as_ref().map_or(Crossing::Dynamic, |quick| quick.crossing());
        let fuel = self.seat.bounds.fuel(crossing);
        Ok(self.bound.get_or_init(|| Bound { func, fuel, quick }))
    }

    #[inline]
    fn run(&self, call: &Call<'_>) -> Result<Value> {
        self.seat.run(&self.plan.info.name, call, |live| self.called(live, call))
    }

    fn called(&self, live: &mut Live, call: &Call<'_>) -> Result<Value, Failed> {
        let bound = self.bound(live)?;
        live.store.set_hostcall_fuel(bound.fuel);
        let positional = call.args.positional;
        let gathered;
        let simple =
            call.args.named.is_empty() && positional.len() == self.plan.params.len() && !self.has_rest();
        let foreign =
            |value: &Value| matches!(value, Value::Foreign(object) if object.backend() != BackendName::Wasm);
        let args = if simple && !positional.iter().any(foreign) {
            positional
        } else {
            // An object of another language crosses as the data that it stands for.
            let args = bind_arguments(&self.plan.info.name, &self.plan.info.signature, &call.args)?;
            let args = args.into_owned().into_iter().map(|value| match value {
                Value::Foreign(object) if object.backend() != BackendName::Wasm => object.to_value(),
                value => Ok(value),
            });
            gathered = args.collect::<Result<Vec<_>>>()?;
            &gathered
        };
        if let Some(quick) = &bound.quick {
            return quick.call(live, args, &self.plan, &self.seat);
        }
        self.dynamic(live, bound.func, args)
    }

    fn dynamic(&self, live: &mut Live, func: Func, args: &[Value]) -> Result<Value, Failed> {
        let plan = &*self.plan;
        let mut vals = Vec::with_capacity(args.len());
        for ((shape, param), value) in plan.params.iter().zip(&plan.info.signature.params).zip(args) {
            vals.push(lower(shape, value, &format!("`{}`", param.name), &self.seat)?);
        }
        let has_result = plan.result.is_some() || plan.fails != Fails::Never;
        let mut results = [Val::Bool(false)];
        func.call(&mut live.store, &vals, if has_result { &mut results } else { &mut [] })?;
        let [result] = results;
        let ok = match (&plan.fails, result) {
            (Fails::Never, result) => has_result.then_some(result),
            (_, Val::Result(Ok(ok))) => ok.map(|ok| *ok),
            (fails, Val::Result(Err(err))) => {
                return Err(raised(fails, err.map(|e| *e), plan, &self.seat)?.into());
            }
            _ => return Err(crate::error::internal(&plan.info.name, "it gave no result").into()),
        };
        Ok(match (&plan.result, ok) {
            (Some(shape), Some(val)) => lift(shape, val, plan, &self.seat)?,
            _ => Value::Null,
        })
    }

    fn has_rest(&self) -> bool {
        self.plan.info.signature.params.last().is_some_and(|param| param.kind == ParamKind::Rest)
    }
}

impl Function for WasmFunction {
    fn call(&self, call: Call<'_>) -> Result<Value> {
        let Some(most) = self.seat.bounds.output else { return self.run(&call) };
        let value = self.run(&call)?;
        if value.size() > most {
            return Err(too_large(Some(most)).phase(Phase::Call));
        }
        Ok(value)
    }

    fn signature(&self) -> Option<&Signature> {
        Some(&self.plan.info.signature)
    }
}

/// The error half of a result, as an error.
fn raised(fails: &Fails, val: Option<Val>, plan: &Plan, seat: &Arc<Seat>) -> Result<Error> {
    let odd = || crate::error::internal(&plan.info.name, "its error is not of the type that was read");
    Ok(match (fails, val) {
        (Fails::Error, Some(val)) => lift::error(val).map(ErrorOut::error).ok_or_else(odd)?,
        (Fails::Text, Some(Val::String(text))) => failed(&text),
        (Fails::Other(Some(shape)), Some(val)) => {
            match (shape, lift(shape, val, plan, seat)?) {
                // A word of an enum, or a case of a variant, is what `errors:` can match on.
                (Shape::Enum(_) | Shape::Variant(_), Value::Text(case)) => {
                    failed("").classes(vec![case.to_string()])
                }
                (Shape::Variant(_), Value::Map(map)) => {
                    let (case, value) = map.iter().next().map_or(("", &NULL), |(c, v)| (c.as_str(), v));
                    let said = match value {
                        Value::Text(said) => said.to_string(),
                        Value::Null => String::new(),
                        value => brief(value),
                    };
                    failed(&said).classes(vec![case.to_owned()])
                }
                (_, other) => failed(&brief(&other)),
            }
        }
        _ => failed(""),
    })
}

static NULL: Value = Value::Null;

/// A failure that a module told by a text.
pub(crate) fn failed(text: &str) -> Error {
    Error::new(Code::Raised, text)
}

/// A value in a message.
fn brief(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("`{text}`"),
        Value::Map(map) => {
            let items: Vec<_> =
                map.iter().take(8).map(|(key, value)| format!("{key}: {}", brief(value))).collect();
            items.join(", ")
        }
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        other => format!("a {}", other.type_name()),
    }
}
