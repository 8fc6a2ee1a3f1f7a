//! A started component: its life from `initialize` to `shutdown`, its functions, its state.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use modrack_core::{
    Args, Call, Cancel, Code, Description, Due, Error, Footprint, Function, Instance, Map, Param, Phase,
    Result, Signature, State, Text, Type, Value, nearest,
};

use crate::describe::public_names;
use crate::failure::of_start;
use crate::function::WasmFunction;
use crate::module::Plan;
use crate::seat::Seat;

/// A started component.
pub(crate) struct WasmInstance {
    seat: Arc<Seat>,
    /// The functions, each made when it is first asked for.
    functions: Vec<OnceLock<Arc<WasmFunction>>>,
}

impl WasmInstance {
    /// The instance that stands at `seat`.
    pub(crate) fn new(seat: Arc<Seat>) -> Self {
        let functions = seat.module.plans.iter().map(|_| OnceLock::new()).collect();
        Self { seat, functions }
    }

    /// Gives the component its params, by its `initialize` where it has one, as the rest of a start that is `due`.
    ///
    /// # Errors
    /// [`Code::InitializeFailed`] with what the component said.
    pub(crate) fn initialize(&self, params: &Map, due: Due, cancel: Option<&Cancel>) -> Result<()> {
        let Some(function) = self.get("initialize") else { return Ok(()) };
        let signature = &function.plan().info.signature;
        let (positional, named) = match signature.params.as_slice() {
            [Param { ty: Type::Any | Type::Map(_) | Type::Record(_), .. }] => {
                (vec![Value::from(params.clone())], Vec::new())
            }
            _ => (Vec::new(), params.iter().map(|(name, value)| (name.clone(), value.clone())).collect()),
        };
        let call = Call {
            args: Args { positional: &positional, named: &named },
            deadline: due.at,
            cancel,
            ..Call::default()
        };
        function.call(call).map(drop).map_err(|error| {
            let error = of_start(&self.seat.module.name, error, due);
            self.told(Code::InitializeFailed, "initialized", &error, Phase::Start)
        })
    }

    fn at(&self, at: usize, plan: &Arc<Plan>) -> Arc<WasmFunction> {
        let make = || Arc::new(WasmFunction::new(self.seat.clone(), plan.clone()));
        self.functions[at].get_or_init(make).clone()
    }

    fn get(&self, name: &str) -> Option<Arc<WasmFunction>> {
        let (at, plan) =
            self.seat.module.plans.iter().enumerate().find(|(_, plan)| plan.info.name == name)?;
        Some(self.at(at, plan))
    }

    /// A failure within a function of the module's life.
    fn told(&self, code: Code, what: &str, error: &Error, phase: Phase) -> Error {
        // What is a limit or a deadline stays one: the code says what to do about it. Arguments that the module refused
        // are nothing that a caller gave.
        if !matches!(error.code(), Code::Raised | Code::BadArguments) {
            return error.clone().phase(phase);
        }
        let what = format!("`{}` could not be {what}: {}", self.seat.module.name, error.message());
        let mut told = Error::new(code, what).classes(error.class_names().to_vec()).phase(phase);
        let own = (code == Code::InitializeFailed)
            .then_some("What it says is the module's own; what it is given is `params` of the slot");
        if let Some(hint) = error.hint_text().or(own) {
            told = told.hint(hint);
        }
        if let Some(traceback) = error.traceback_text() {
            told = told.traceback(traceback);
        }
        error.causes().iter().cloned().fold(told, Error::cause)
    }
}

impl Instance for WasmInstance {
    fn function(&self, name: &str) -> Result<Arc<dyn Function>> {
        if let Some(function) = self.get(name) {
            return Ok(function);
        }
        let names = public_names(&self.seat.module.plans);
        let error = Error::new(Code::UnknownFunction, format!("The component has no function `{name}`"))
            .phase(Phase::Call);
        Err(match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                error.hint(format!("It has {}", names.join(", ")))
            }
        })
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        Err(Error::new(Code::UnknownAttribute, format!("The component has no attribute `{name}`"))
            .hint("A component shows functions alone: call one that gives the value")
            .phase(Phase::Call))
    }

    fn names(&self) -> Vec<String> {
        public_names(&self.seat.module.plans)
    }

    fn export_state(&self) -> Result<Option<State>> {
        let Some(function) = self.get("export_state") else { return Ok(None) };
        let value = function.call(Call::default())?;
        let version = self.seat.module.description.version.as_ref().map(ToString::to_string);
        Ok(Some(State { version, value }))
    }

    fn import_state(&self, state: &State) -> Result<bool> {
        let Some(function) = self.get("import_state") else { return Ok(false) };
        let version = state.version.as_deref().map_or(Value::Null, Value::from);
        let args = [state.value.clone(), version];
        let takes = function.signature().map_or(args.len(), |signature| signature.params.len());
        function.call(Call::new(&args[..takes.min(args.len())])).map(|_| true)
    }

    fn end_calls(&self) -> bool {
        self.seat.end_calls();
        true
    }

    fn broken(&self) -> bool {
        self.seat.is_broken()
    }

    fn stop(&self, within: Duration) -> Result<()> {
        if self.seat.is_broken() {
            return Ok(());
        }
        let Some(function) = self.get("shutdown") else { return Ok(()) };
        self.seat.may_call_again();
        let call = Call { deadline: Instant::now().checked_add(within), ..Call::default() };
        function
            .call(call)
            .map(drop)
            .map_err(|error| self.told(Code::StopFailed, "shut down", &error, Phase::Stop))
    }

    fn shared(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(self.seat.compiled.clone())
    }

    fn footprint(&self) -> Footprint {
        let (bytes, calls) = self.seat.held();
        let hash = self.seat.module.description.hash.clone();
        Footprint { bytes: (calls == 0).then_some(bytes), calls, kept: 0, hash }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What of the params the component would not take. `reads` is whether it asks for any without saying which.
pub(crate) fn check_params(
    description: &Description,
    reads: bool,
    params: &Map,
    injected: &[Text],
) -> Vec<Error> {
    if reads || description.constructor.is_some() {
        return modrack_core::check_params(description, params, injected);
    }
    // It has no `initialize` that would take one.
    let nothing = Description { constructor: Some(Signature::default()), ..description.clone() };
    modrack_core::check_params(&nothing, params, injected)
}
