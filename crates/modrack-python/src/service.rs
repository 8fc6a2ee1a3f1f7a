//! Other slots as a module sees them: an object whose attributes are the slot's functions.
//!
//! Arguments and results of Python modules pass unconverted; an exception of another Python module comes
//! out as itself.
//!
//! No call that is awaited holds up the event loop: one that would have to wait before it begins, for a slot that is being
//! replaced, is made and waited for on a thread of its own, and its caller awaits that.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use modrack_core::{Args, Call, Cancel, Chain, Code, Error, Result, Results, Service, Text, Value};
use pyo3::exceptions::{PyAttributeError, PyException, PyKeyboardInterrupt};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::convert::{kept, to_python};
use crate::handle::PyHandle;
use crate::{error, waiter};

pyo3::create_exception!(
    modrack,
    ModrackError,
    PyException,
    "A failure of modrack, or of a module that is not written in Python."
);

thread_local! {
    /// How many calls through a service the current thread is in.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// A slot, injected into a module.
#[pyclass(frozen, name = "Service", module = "modrack")]
pub(crate) struct ServiceProxy {
    service: Arc<dyn Service>,
}

/// A function of a slot.
#[pyclass(frozen, name = "ServiceFunction", module = "modrack")]
struct ServiceFunction {
    service: Arc<dyn Service>,
    name: String,
}

/// The failure that a `ModrackError` stands for, whole: what it says of itself is only a part.
#[pyclass(frozen, name = "Failure", module = "modrack")]
struct Carried(Error);

/// The attribute that keeps it.
const CARRIED: &str = "__failure__";

/// The failure of another slot that an exception stands for.
pub(crate) fn carried(py: Python<'_>, error: &PyErr) -> Option<Error> {
    if !error.is_instance_of::<ModrackError>(py) {
        return None;
    }
    let carried = error.value(py).getattr(intern!(py, CARRIED)).ok()?;
    Some(carried.cast::<Carried>().ok()?.get().0.clone())
}

/// Whether somebody in Python waits on the current thread for what is being called: an exception is kept for
/// it.
pub(crate) fn is_inside() -> bool {
    INSIDE.with(Cell::get) > 0
}

impl ServiceProxy {
    /// The slot behind `service` as an object.
    ///
    /// # Errors
    /// What Python raised, which is for want of memory only.
    pub(crate) fn make(py: Python<'_>, service: Arc<dyn Service>) -> PyResult<Py<Self>> {
        Py::new(py, Self { service })
    }
}

#[pymethods]
impl ServiceProxy {
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        // Python asks every object for some of these; no slot is loaded for that.
        if name.starts_with("__") {
            return Err(absent(&self.service, name));
        }
        let known = at_once(py, || self.service.has_function(name)).unwrap_or_else(|| {
            // Whoever awaits it waits for the slot then.
            let is_awaited = waiter::as_it_began(py, || self.service.is_awaited(Some(name)));
            if is_awaited { Ok(true) } else { waiter::as_it_began(py, || self.service.has_function(name)) }
        });
        if known.map_err(|error| to_pyerr(py, &error))? {
            let function = ServiceFunction { service: Arc::clone(&self.service), name: name.to_owned() };
            return Ok(Bound::new(py, function)?.into_any());
        }
        match waiter::as_it_began(py, || self.service.attribute(name)) {
            Ok(value) => to_python(py, &value).map_err(|error| to_pyerr(py, &error)),
            Err(error) if matches!(error.code(), Code::UnknownAttribute | Code::UnknownFunction) => {
                Err(absent(&self.service, name))
            }
            Err(error) => Err(to_pyerr(py, &error)),
        }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        call(&self.service, None, args, kwargs)
    }

    fn __repr__(&self) -> String {
        format!("<slot {}>", self.service.slot())
    }
}

#[pymethods]
impl ServiceFunction {
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        call(&self.service, Some(&self.name), args, kwargs)
    }

    #[getter]
    fn __name__(&self) -> &str {
        &self.name
    }

    fn __repr__(&self) -> String {
        format!("<function {} of slot {}>", self.name, self.service.slot())
    }
}

/// A failure as an exception: the one that a Python module raised, as it was; else one that says what failed.
pub(crate) fn to_pyerr(py: Python<'_>, error: &Error) -> PyErr {
    if let Some(handle) = error.thrown_object().and_then(|thrown| thrown.downcast::<PyHandle>()) {
        return PyErr::from_value(handle.bind(py).clone());
    }
    if error.code() == Code::Interrupted {
        return PyKeyboardInterrupt::new_err(());
    }
    let raised = ModrackError::new_err(match error.hint_text() {
        Some(hint) => format!("{}: {} ({hint})", error.code(), error.message()),
        None => format!("{}: {}", error.code(), error.message()),
    });
    let value = raised.value(py);
    let told = value
        .setattr("code", error.code().as_str())
        .and_then(|()| value.setattr("kind", error.kind().as_str()))
        .and_then(|()| value.setattr("message", error.message()))
        .and_then(|()| value.setattr("hint", error.hint_text()))
        .and_then(|()| value.setattr("slot", error.slot_name().map(|slot| slot.as_str())))
        .and_then(|()| value.setattr("module", error.module_name()))
        .and_then(|()| value.setattr(intern!(py, CARRIED), Bound::new(py, Carried(error.clone()))?));
    match told {
        Ok(()) => raised,
        Err(failed) => failed,
    }
}

fn call<'py>(
    service: &Arc<dyn Service>,
    name: Option<&str>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = args.py();
    let positional: Vec<Value> = args.iter().map(|arg| kept(py, &arg)).collect();
    let mut named = Vec::new();
    for (key, value) in kwargs.into_iter().flat_map(|kwargs| kwargs.iter()) {
        named.push((Text::from(key.extract::<String>()?), kept(py, &value)));
    }
    let args = Args { positional: &positional, named: &named };
    let call = Call { args, results: Results::Kept, ..Call::default() };
    let depth = Depth::deeper();
    let answer = match at_once(py, || service.call(name, call)) {
        Some(answer) => answer,
        None if waiter::as_it_began(py, || service.is_awaited(name)) => {
            let elsewhere = Elsewhere::new(service, name, positional, named);
            let elsewhere = elsewhere.map_err(|error| to_pyerr(py, &error))?;
            return waiter::elsewhere(&Bound::new(py, elsewhere)?.into_any());
        }
        None => waiter::as_it_began(py, || service.call(name, call)),
    };
    drop(depth);
    answered(py, answer)
}

fn answered(py: Python<'_>, answer: Result<Value>) -> PyResult<Bound<'_, PyAny>> {
    match answer {
        Ok(value) => to_python(py, &value).map_err(|error| to_pyerr(py, &error)),
        Err(error) => Err(to_pyerr(py, &error)),
    }
}

/// Runs `run` as part of the current coroutine's call; none when it would have to wait, and hold up the event loop.
fn at_once<R>(py: Python<'_>, run: impl FnOnce() -> R) -> Option<R> {
    waiter::as_it_began(py, || if Chain::is_on_loop() { Chain::without_waiting(run) } else { Some(run()) })
}

/// A call that is made on a thread of its own, because it would have to wait.
#[pyclass(frozen, name = "Call", module = "modrack")]
struct Elsewhere {
    service: Arc<dyn Service>,
    name: Option<String>,
    positional: Vec<Value>,
    named: Vec<(Text, Value)>,
    cancel: Cancel,
}

/// How many there are, each with its thread.
static ELSEWHERE: AtomicUsize = AtomicUsize::new(0);
/// How many there are at most.
const MOST: usize = 1_000;

impl Elsewhere {
    fn new(
        service: &Arc<dyn Service>,
        name: Option<&str>,
        positional: Vec<Value>,
        named: Vec<(Text, Value)>,
    ) -> Result<Self> {
        let (service, name, cancel) = (service.clone(), name.map(str::to_owned), Cancel::default());
        let before = ELSEWHERE.fetch_add(1, Ordering::Relaxed);
        let made = Self { service, name, positional, named, cancel };
        if before >= MOST { Err(error::held_back(made.service.slot(), MOST)) } else { Ok(made) }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        ELSEWHERE.fetch_sub(1, Ordering::Relaxed);
    }
}

#[pymethods]
impl Elsewhere {
    /// Makes the call, and waits for its end.
    fn __call__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let args = Args { positional: &self.positional, named: &self.named };
        let call = Call { args, results: Results::Kept, cancel: Some(&self.cancel), ..Call::default() };
        let depth = Depth::deeper();
        let answer = waiter::as_it_began(py, || self.service.call(self.name.as_deref(), call));
        drop(depth);
        answered(py, answer)
    }

    /// Nobody awaits it any more.
    fn cancel(&self) {
        self.cancel.cancel();
    }
}

fn absent(service: &Arc<dyn Service>, name: &str) -> PyErr {
    PyAttributeError::new_err(format!("slot `{}` has no function or attribute `{name}`", service.slot()))
}

/// One call deeper, for as long as this lives.
struct Depth;

impl Depth {
    fn deeper() -> Self {
        INSIDE.with(|inside| inside.set(inside.get() + 1));
        Self
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(inside.get().saturating_sub(1)));
    }
}
