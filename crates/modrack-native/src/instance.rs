//! Instances of native modules.

#![expect(unsafe_code, reason = "a module's functions are called through C's interface")]

use std::any::Any;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use modrack_abi::{LEVEL_DEBUG, LEVEL_ERROR, LEVEL_INFO, LEVEL_TRACE, LEVEL_WARN, Output, STATUS_OK};
use modrack_core::{
    Call, Code, Error, Footprint, Function, Instance, Log, LogLevel, LogLine, Map, Phase, Result, Service,
    SlotName, State, Text, Value, nearest,
};

use crate::context::{self, CallContext};
use crate::failure;
use crate::function::NativeFunction;
use crate::library::Library;
use crate::lift::{self, Source};
use crate::lower::Room;

/// A started native module.
pub(crate) struct NativeInstance {
    inner: Arc<Inner>,
    version: Option<String>,
    stopped: AtomicBool,
}

/// What an instance, its functions and its results have in common: the module's instance ends with the last.
pub(crate) struct Inner {
    library: Arc<Library>,
    handle: *mut c_void,
    /// How the module is called in messages.
    shown: String,
    slot: SlotName,
    params: Map,
    services: Vec<(Text, Arc<dyn Service>)>,
    log: Log,
    /// Whether a call is under way, of a module that takes one at a time.
    is_called: AtomicBool,
    /// Something that went wrong where no call could say so, to be said by the next.
    has_fault: AtomicBool,
    fault: Mutex<Option<Error>>,
    /// Whether the host handed anything to it.
    has_handed: AtomicBool,
}

// SAFETY: the handle is the module's own, and is used by calls alone. A module that is not thread-safe is given one call
// at a time, which `enter` sees to; the rules say that calls may come from whatever thread.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

/// A call under way of a module that takes one at a time.
pub(crate) struct Entered<'a>(&'a AtomicBool);

/// What an instance is made of.
pub(crate) struct Made {
    pub(crate) library: Arc<Library>,
    pub(crate) shown: String,
    pub(crate) slot: SlotName,
    /// What the configuration gives, with the defaults of what it leaves out.
    pub(crate) params: Map,
    pub(crate) services: Vec<(Text, Arc<dyn Service>)>,
    pub(crate) log: Log,
    pub(crate) version: Option<String>,
}

impl NativeInstance {
    /// Has the module make an instance, and initializes it.
    ///
    /// # Errors
    /// [`Code::ConstructFailed`] or [`Code::InitializeFailed`], caused by what the module said.
    pub(crate) fn start(made: Made) -> Result<Self> {
        let Made { library, shown, slot, params, services, log, version } = made;
        let mut inner = Arc::new(Inner {
            library,
            handle: std::ptr::null_mut(),
            shown,
            slot,
            params,
            services,
            log,
            is_called: AtomicBool::new(false),
            has_fault: AtomicBool::new(false),
            fault: Mutex::default(),
            has_handed: AtomicBool::new(false),
        });
        let handle = create(&inner)?;
        // Nothing of the creation is left that could hold it.
        match Arc::get_mut(&mut inner) {
            Some(inner) => inner.handle = handle,
            None => return Err(Error::new(Code::Internal, "An instance is in use before it is made")),
        }
        let instance = Self { inner, version, stopped: AtomicBool::new(false) };
        if let Some(initialize) = instance.lifecycle(&["initialize"]) {
            let takes_none = initialize.signature().is_some_and(|signature| signature.params.is_empty());
            let config = [Value::from(instance.inner.params.clone())];
            initialize
                .call(Call::new(if takes_none { &[] } else { &config }))
                .map_err(|why| starting(Code::InitializeFailed, &instance.inner.shown, &why))?;
        }
        Ok(instance)
    }

    fn find(&self, name: &str) -> Option<NativeFunction> {
        let call = *self.inner.library.table.functions.get(name)?;
        let info = self.inner.library.functions.iter().find(|info| info.name == name);
        let signature = info.map(|info| info.signature.clone());
        Some(NativeFunction::new(Arc::clone(&self.inner), name.to_owned(), call, signature))
    }

    fn lifecycle(&self, names: &[&str]) -> Option<NativeFunction> {
        names.iter().find_map(|name| self.find(name))
    }
}

/// Has the module make what its functions are called with.
fn create(inner: &Arc<Inner>) -> Result<*mut c_void> {
    let Some(create) = inner.library.table.create else { return Ok(std::ptr::null_mut()) };
    let mut room = Room::default();
    let params = room.lower_map(&inner.params)?;
    let context = CallContext::new(inner, None, None);
    let (mut handle, mut output) = (std::ptr::null_mut(), Output::NULL);
    // SAFETY: the function is that of the table; parameters, context and both places are there until it returns.
    let status = unsafe { create(context.raw(), &raw const params, &raw mut handle, &raw mut output) };
    let said = lift::output(&mut output, &Source::of(inner, "create"));
    let fault = context::fault().map(|fault| failure::broken_rule("create", fault));
    let failed = match (status, fault) {
        (STATUS_OK, None) => return Ok(handle),
        (STATUS_OK, Some(fault)) => {
            // It is made all the same, and nobody else will end it.
            end(inner, handle);
            fault
        }
        (status, _) => failure::said("create", status, &said?, &context.carried()),
    };
    Err(starting(Code::ConstructFailed, &inner.shown, &failed))
}

/// Has the module end what it made, which nobody uses any more.
fn end(inner: &Inner, handle: *mut c_void) {
    if let Some(destroy) = inner.library.table.destroy.filter(|_| !handle.is_null()) {
        // SAFETY: the instance was made by this module, no function or result of it is left, and who calls this is
        // the only one that ends it.
        let ((), fault) = context::apart(|| unsafe { destroy(handle) });
        if let Some(fault) = fault {
            // No call of it is left that could say so.
            inner.log(LEVEL_ERROR, failure::broken_rule("destroy", fault).message());
        }
    }
}

/// A failure of starting, with what the module said as its cause.
fn starting(code: Code, shown: &str, why: &Error) -> Error {
    let what =
        if code == Code::ConstructFailed { "could not be constructed" } else { "could not be initialized" };
    let class = why.class_names().first();
    let named = match class {
        Some(class) if class != "panic" && !why.message().contains(class) => format!(", `{class}`"),
        _ => String::new(),
    };
    let said = match why.message() {
        "" => String::new(),
        said => format!(": {said}"),
    };
    let cause = modrack_core::Cause {
        class: class.cloned().unwrap_or_else(|| "error".to_owned()),
        message: why.message().to_owned(),
        traceback: why.traceback_text().map(str::to_owned),
        ..modrack_core::Cause::default()
    };
    let mut error =
        Error::new(code, format!("`{shown}` {what}{named}{said}")).phase(Phase::Start).cause(cause);
    for cause in why.causes() {
        error = error.cause(cause.clone());
    }
    let error = error.classes(why.class_names().to_vec());
    error.hint(
        why.hint_text()
            .unwrap_or("What it says is the module's own; what it is given is `params` of the slot"),
    )
}

impl Inner {
    /// The module's own instance.
    #[inline]
    pub(crate) fn handle(&self) -> *mut c_void {
        self.handle
    }

    /// Begins a call; one that is not alone is refused where the module takes one at a time. Other modules' calls are
    /// not counted: threads that call at once would all write to the count.
    ///
    /// # Errors
    /// [`Code::Reentered`].
    #[inline]
    pub(crate) fn enter(&self, function: &str) -> Result<Option<Entered<'_>>> {
        if self.library.is_thread_safe {
            return Ok(None);
        }
        if self.is_called.swap(true, Ordering::Acquire) {
            return Err(busy(function));
        }
        Ok(Some(Entered(&self.is_called)))
    }

    pub(crate) fn params(&self) -> &Map {
        &self.params
    }

    pub(crate) fn services(&self) -> &[(Text, Arc<dyn Service>)] {
        &self.services
    }

    pub(crate) fn slot(&self) -> &SlotName {
        &self.slot
    }

    /// Remembers that something was handed to it, which it may never give back.
    pub(crate) fn was_handed(&self) {
        self.has_handed.store(true, Ordering::Relaxed);
    }

    /// Writes a line to the log.
    pub(crate) fn log(&self, level: u32, message: &str) {
        let level = match level {
            LEVEL_TRACE => LogLevel::Trace,
            LEVEL_DEBUG => LogLevel::Debug,
            LEVEL_INFO => LogLevel::Info,
            LEVEL_WARN => LogLevel::Warn,
            _ => LogLevel::Error,
        };
        self.log.line(&LogLine { slot: Some(&self.slot), level, message });
    }

    /// Remembers a fault for the next call to say.
    pub(crate) fn remember(&self, fault: Error) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        self.has_fault.store(true, Ordering::Release);
    }

    /// Whether there is one to be said.
    #[inline]
    pub(crate) fn has_fault(&self) -> bool {
        self.has_fault.load(Ordering::Relaxed)
    }

    /// A fault that nobody was told of.
    #[inline]
    pub(crate) fn take_fault(&self) -> Option<Error> {
        if !self.has_fault() {
            return None;
        }
        self.has_fault.store(false, Ordering::Relaxed);
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        end(self, self.handle);
        if *self.has_handed.get_mut() {
            context::forget(self);
        }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cold]
fn busy(function: &str) -> Error {
    Error::new(Code::Reentered, format!("`{function}` was called while its module was being called"))
        .hint(
            "The module takes one call at a time; set `MODRACK_THREAD_SAFE` in its table if it can take more",
        )
        .phase(Phase::Call)
}

impl Instance for NativeInstance {
    fn function(&self, name: &str) -> Result<Arc<dyn Function>> {
        if let Some(function) = self.find(name) {
            return Ok(Arc::new(function));
        }
        let table = &self.inner.library.table;
        if table.attributes.contains_key(name) {
            return Err(Error::new(Code::NotCallable, format!("`{name}` is a value, not a function"))
                .hint(format!("Read it as an attribute: `get SLOT {name}`")));
        }
        let error =
            Error::new(Code::UnknownFunction, format!("`{}` has no function `{name}`", self.inner.shown));
        Err(match nearest(name, table.functions.keys().map(String::as_str)) {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => error,
        })
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        let table = &self.inner.library.table;
        let Some(get) = table.attributes.get(name) else {
            let error = Error::new(
                Code::UnknownAttribute,
                format!("`{}` has no attribute `{name}`", self.inner.shown),
            );
            return Err(match nearest(name, table.attributes.keys().map(String::as_str)) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None if table.functions.contains_key(name) => {
                    error.hint(format!("`{name}` is a function: call it"))
                }
                None => error,
            });
        };
        let _entered = self.inner.enter(name)?;
        let context = CallContext::new(&self.inner, None, None);
        let mut output = Output::NULL;
        // SAFETY: as with a function: it is of the instance's table, and all that it is given is there until it returns.
        let status = unsafe { get(self.inner.handle, context.raw(), &raw mut output) };
        let value = lift::output(&mut output, &Source::of(&self.inner, name));
        match context::fault() {
            Some(fault) => Err(failure::broken_rule(name, fault)),
            None if status == STATUS_OK => value,
            None => Err(failure::told(name, status, &value?, &context.carried())),
        }
    }

    fn names(&self) -> Vec<String> {
        let table = &self.inner.library.table;
        table.functions.keys().chain(table.attributes.keys()).cloned().collect()
    }

    fn export_state(&self) -> Result<Option<State>> {
        let Some(export) = self.lifecycle(&["export_state"]) else { return Ok(None) };
        Ok(Some(State { version: self.version.clone(), value: export.call(Call::default())? }))
    }

    fn import_state(&self, state: &State) -> Result<bool> {
        let Some(function) = self.lifecycle(&["import_state"]) else { return Ok(false) };
        let version = state.version.as_deref().map_or(Value::Null, Value::from);
        let args = [state.value.clone(), version];
        let takes = function.signature().map_or(args.len(), |signature| signature.params.len());
        function.call(Call::new(&args[..takes.min(args.len())])).map(|_| true)
    }

    fn stop(&self, _within: Duration) -> Result<()> {
        if self.stopped.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let Some(shutdown) = self.lifecycle(&["shutdown", "stop"]) else { return Ok(()) };
        shutdown.call(Call::default()).map(drop).map_err(|why| {
            let what = format!("`{}` could not be shut down: {}", self.inner.shown, why.message());
            Error::new(Code::StopFailed, what).phase(Phase::Stop).classes(why.class_names().to_vec())
        })
    }

    fn footprint(&self) -> Footprint {
        let library = &self.inner.library;
        Footprint {
            bytes: Some(library.bytes),
            calls: u64::from(self.inner.is_called.load(Ordering::Relaxed)),
            // A library is never unloaded.
            kept: library.bytes,
            hash: Some(library.hash.clone()),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
