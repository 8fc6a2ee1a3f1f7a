//! One started version of what fills a slot. It never changes; a call ends on the generation it began on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use modrack_core::{
    AtEnd, Call, Chain, Code, Due, Error, Function, GenerationId, Instance, Phase, Result, Signature, Value,
    timed_out,
};

use crate::error;
use crate::fits;
use crate::functions::{ByFunction, FunctionId};
use crate::grace::Grace;
use crate::main_function;
use crate::meter::{Calls, Figures};
use crate::seat::{Checked, SlotCore};

/// What is said to a failure whose language says nothing more of it.
const RAISED: &str =
    "What it says is the module's own; in a pipeline, `errors:` decides what becomes of such rows";

/// A started module in a slot.
pub(crate) struct Generation {
    id: GenerationId,
    slot: Arc<SlotCore>,
    instance: Arc<dyn Instance>,
    checked: Arc<Checked>,
    main: Option<String>,
    time: Option<Duration>,
    /// Its own calls, where its trial or that of its successor will ask for them.
    calls: Option<Box<Calls>>,
    /// Whether a call of it failed, known where calls are not counted too.
    has_failed: AtomicBool,
    /// Who is told now and then that calls were counted, while its trial lasts.
    trial: OnceLock<Arc<Grace>>,
    functions: ByFunction<Entry>,
}

/// A function of this generation, with what the slot holds it to.
pub(crate) struct Entry {
    name: String,
    function: Arc<dyn Function>,
    promised: Option<Arc<Signature>>,
}

/// What a generation is made of.
pub(crate) struct Made {
    /// Its number.
    pub(crate) id: GenerationId,
    /// The slot that it fills.
    pub(crate) slot: Arc<SlotCore>,
    /// The started module.
    pub(crate) instance: Arc<dyn Instance>,
    /// What was known of it before.
    pub(crate) checked: Arc<Checked>,
    /// The main function that the slot's plan names.
    pub(crate) main: Option<String>,
    /// How long a call may take.
    pub(crate) time: Option<Duration>,
    /// Whether its calls are counted.
    pub(crate) counted: bool,
}

impl Generation {
    /// A generation with no function bound yet.
    pub(crate) fn new(made: Made) -> Self {
        let Made { id, slot, instance, checked, main, time, counted } = made;
        let calls = counted.then(Box::default);
        Self {
            id,
            slot,
            instance,
            checked,
            main,
            time,
            calls,
            has_failed: AtomicBool::new(false),
            trial: OnceLock::new(),
            functions: ByFunction::default(),
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> GenerationId {
        self.id
    }

    /// The slot that it fills.
    pub(crate) fn slot(&self) -> &Arc<SlotCore> {
        &self.slot
    }

    /// How long a call may take.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.time
    }

    /// Has its calls told of from now on, as its trial begins.
    pub(crate) fn on_trial(&self, grace: &Arc<Grace>) {
        let _ = self.trial.set(grace.clone());
    }

    /// Its own calls; none where they are not counted.
    pub(crate) fn figures(&self) -> Option<Figures> {
        self.calls.as_ref().map(|calls| calls.figures())
    }

    /// Whether a call of it failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// The started module.
    pub(crate) fn instance(&self) -> &Arc<dyn Instance> {
        &self.instance
    }

    /// What was known of it before it was started.
    pub(crate) fn checked(&self) -> &Arc<Checked> {
        &self.checked
    }

    /// The function of `id`, if it was called here before.
    #[inline]
    pub(crate) fn known(&self, id: FunctionId) -> Option<&Entry> {
        self.functions.get(id)
    }

    /// The function of `id`, asked of the instance if need be.
    pub(crate) fn entry(&self, id: FunctionId) -> Result<&Entry> {
        if let Some(entry) = self.functions.get(id) {
            return Ok(entry);
        }
        let entry = self.ask(self.slot.functions.name(id).as_deref())?;
        self.functions.fill(id, entry).ok_or_else(error::too_many_functions)
    }

    /// The id of the function called `name`, checked to be there.
    pub(crate) fn bind(&self, name: Option<&str>) -> Result<FunctionId> {
        if let Some(id) = self.slot.functions.find(name) {
            self.entry(id)?;
            return Ok(id);
        }
        // A name that was never bound: it is given an id once the module is known to have it.
        let entry = self.ask(name)?;
        let id = name.map_or(FunctionId::MAIN, |name| self.slot.functions.add(name));
        self.functions.fill(id, entry).ok_or_else(error::too_many_functions)?;
        Ok(id)
    }

    /// Calls a function of it.
    #[inline]
    pub(crate) fn call(self: &Arc<Self>, entry: &Entry, call: Call<'_>) -> Result<Value> {
        let free = entry.promised.is_none() && self.time.is_none() && self.calls.is_none();
        let result = if free && call.deadline.is_none() && call.cancel.is_none() {
            entry.function.call(call)
        } else {
            self.call_bound(entry, call)
        };
        match result {
            Err(error) => Err(self.failed_call(entry, error)),
            value => value,
        }
    }

    /// Calls a function that is held to something, or counted.
    #[inline(never)]
    fn call_bound(self: &Arc<Self>, entry: &Entry, call: Call<'_>) -> Result<Value> {
        let result = self.counted(|| self.call_guarded(entry, call));
        self.goes_on(entry.name(), result)
    }

    /// Calls a function of it before it serves: no trial counts that.
    pub(crate) fn probe(&self, entry: &Entry, call: Call<'_>) -> Result<Value> {
        self.call_guarded(entry, call).map_err(|error| self.blame_call(entry, error))
    }

    /// Calls a function of it by its name, within the slot's time, and counts the call.
    pub(crate) fn run(
        self: &Arc<Self>,
        name: &str,
        function: &dyn Function,
        call: Call<'_>,
    ) -> Result<Value> {
        let result = self.counted(|| self.in_time(name, function, call));
        self.goes_on(name, result).inspect_err(|error| self.failed(error))
    }

    /// Has a call that goes on when its function has returned, and is late then, say by which limit and whose it is.
    fn goes_on(self: &Arc<Self>, name: &str, result: Result<Value>) -> Result<Value> {
        if self.time.is_some()
            && let Ok(value) = &result
            && let Some(later) = value.later()
        {
            later.at_end(Box::new(InTime { generation: self.clone(), name: name.to_owned() }));
        }
        result
    }

    /// Makes a call, and counts it where a trial asks for it: unless it was the caller's doing that it failed.
    fn counted(self: &Arc<Self>, call: impl FnOnce() -> Result<Value>) -> Result<Value> {
        let Some(calls) = &self.calls else { return call() };
        let began = Instant::now();
        let result = call();
        if let Some(later) = result.as_ref().ok().and_then(|value| value.later()) {
            later.at_end(Box::new(Counted { generation: self.clone(), began }));
            return result;
        }
        let counts = result.as_ref().err().is_none_or(|error| self.is_own(error));
        if counts && calls.record(began.elapsed(), result.is_ok()) {
            self.tell_trial();
        }
        result
    }

    #[cold]
    #[inline(never)]
    fn failed_call(&self, entry: &Entry, error: Error) -> Error {
        self.failed(&error);
        self.blame_call(entry, error)
    }

    #[cold]
    fn failed(&self, error: &Error) {
        if self.is_own(error) {
            self.has_failed.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a call failed by the module's own doing, which giving another slot what that does not take is too.
    fn is_own(&self, error: &Error) -> bool {
        let is_here = error.slot_name().is_none_or(|slot| slot == self.slot.name());
        !error.code().is_callers() || (error.code() == Code::BadArguments && !is_here)
    }

    /// Counts `count` calls that were made past it, `errors` of which failed, and which took `time` together.
    pub(crate) fn record(&self, count: u64, errors: u64, time: Duration) {
        if errors > 0 {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        if let Some(calls) = self.calls.as_ref().filter(|_| count > 0) {
            calls.record_many(count, errors, time);
            self.tell_trial();
        }
    }

    fn tell_trial(&self) {
        if let Some(grace) = self.trial.get() {
            grace.tell();
        }
    }

    #[cold]
    #[inline(never)]
    fn blame_call(&self, entry: &Entry, error: Error) -> Error {
        self.blame(entry.explain(error), Phase::Call)
    }

    /// Reads an attribute of it.
    pub(crate) fn attribute(&self, name: &str) -> Result<Value> {
        self.instance.attribute(name).map_err(|error| {
            let bare = error.code() == Code::UnknownAttribute && error.hint_text().is_none();
            let hint = || format!("`modrack inspect {}` lists what it has", self.slot.name());
            self.blame(if bare { error.hint(hint()) } else { error }, Phase::Call)
        })
    }

    /// Whether it has a function called `name`.
    pub(crate) fn has_function(&self, name: &str) -> Result<bool> {
        match self.bind(Some(name)) {
            Ok(_) => Ok(true),
            Err(e) if matches!(e.code(), Code::UnknownFunction | Code::NotCallable) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Says of `error` whose it is.
    #[cold]
    pub(crate) fn blame(&self, error: Error, phase: Phase) -> Error {
        let error = match error.code() {
            Code::Raised if error.hint_text().is_none() => error.hint(RAISED),
            Code::BadArguments if error.hint_text().is_none() => {
                error.hint(format!("`modrack inspect {}` shows what its functions take", self.slot.name()))
            }
            _ => error,
        };
        error.slot(self.slot.name()).module(self.checked.module()).generation(self.id).phase(phase)
    }

    #[inline(never)]
    fn call_guarded(&self, entry: &Entry, call: Call<'_>) -> Result<Value> {
        if call.cancel.is_some_and(modrack_core::Cancel::is_cancelled) {
            return Err(error::cancelled());
        }
        if let Some(promised) = &entry.promised {
            fits::arguments(&entry.name, promised, entry.function.signature(), &call.args)?;
        }
        let value = self.in_time(&entry.name, &*entry.function, call)?;
        if let Some(promised) = &entry.promised {
            fits::result(&entry.name, &promised.result, &value, call.results)?;
        }
        Ok(value)
    }

    /// Calls a function of it by its name within the slot's time, and that of its callers.
    pub(crate) fn in_time(&self, name: &str, function: &dyn Function, mut call: Call<'_>) -> Result<Value> {
        let due = Due::nearer(self.time, call.deadline, Instant::now);
        call.deadline = due.at;
        let value = Chain::bounded(&call, || function.call(call))
            .map_err(|error| due.named(name, error, Instant::now))?;
        // A backend that cannot end a call in time is reported late.
        match due.at {
            Some(at) if Instant::now() > at => Err(timed_out(name, due.limit)),
            _ => Ok(value),
        }
    }

    /// Asks the instance for a function; the main one without a name.
    fn ask(&self, name: Option<&str>) -> Result<Entry> {
        let blame = |error| self.blame(error, Phase::Call);
        let name = match name {
            Some(name) => name.to_owned(),
            None => main_function::of_instance(&self.checked, self.main.as_deref(), &*self.instance)
                .map_err(blame)?,
        };
        let function = self.instance.function(&name).map_err(|error| {
            let bare = error.code() == Code::UnknownFunction && error.hint_text().is_none();
            let hint = error::function_missing(&name, self.instance.names().iter().map(String::as_str));
            blame(match hint.hint_text() {
                Some(hint) if bare => error.hint(hint),
                _ => error,
            })
        })?;
        let promised = self.promised(&name, &*function);
        Ok(Entry { name, function, promised })
    }

    /// What the slot's contract holds the function to. A contract that was only found by shape is advice.
    fn promised(&self, name: &str, function: &dyn Function) -> Option<Arc<Signature>> {
        let contract = self.checked.contract.as_ref().filter(|_| self.checked.declared)?;
        // The slot or the manifest may call the contract's main function by another name. Those that a
        // module may leave out are given as much as it takes.
        let main = self.main.as_deref().or(self.checked.description.manifest.function.as_deref());
        let promised = match contract.main() {
            Some(function) if main == Some(name) => function,
            _ => contract.functions.iter().find(|f| f.info.name == name && !f.optional)?,
        };
        let mut signature = promised.info.signature.clone();
        if signature.result == modrack_core::Type::Any
            && let Some(own) = function.signature()
        {
            signature.result = own.result.clone();
        }
        Some(Arc::new(signature))
    }
}

/// A call that goes on when its function has returned, and is counted when it has ended.
struct Counted {
    generation: Arc<Generation>,
    began: Instant,
}

impl AtEnd for Counted {
    fn ended(self: Box<Self>, worked: Option<bool>) {
        if let Some(worked) = worked {
            self.generation.record(1, u64::from(!worked), self.began.elapsed());
        }
    }
}

/// A call that goes on when its function has returned, and must have ended by its slot's time.
struct InTime {
    generation: Arc<Generation>,
    name: String,
}

impl AtEnd for InTime {
    fn blame(&self, error: Error) -> Error {
        let due = Due { at: None, limit: self.generation.time };
        self.generation.blame(due.named(&self.name, error, Instant::now), Phase::Call)
    }
}

impl Entry {
    /// Says what the function takes, where a module refused its arguments and gave no hint.
    #[cold]
    fn explain(&self, error: Error) -> Error {
        match self.function.signature() {
            Some(signature) if error.code() == Code::BadArguments && error.hint_text().is_none() => {
                error.hint(format!("Its signature is `{}{signature}`", self.name))
            }
            _ => error,
        }
    }

    /// The function's own name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The function.
    pub(crate) fn function(&self) -> &Arc<dyn Function> {
        &self.function
    }
}
