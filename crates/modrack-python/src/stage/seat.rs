//! A stage made ready: its function bound, its kind decided, its `finish` found.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use modrack_core::{
    Code, Error, OnError, Phase, Result, SlotName, StageCalls, StageSeat, StageSpec, Takes, timed_out,
};
use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::copy;
use super::takes::{self, Form};
use crate::call::PythonFunction;
use crate::instance::PythonInstance;
use crate::waiter::{self, Until};
use crate::watch::{self, Why};
use crate::{error, failure, vector};

/// A stage with what fills it.
pub(super) struct Seat {
    /// Its place among the stages that run as one.
    pub(super) index: usize,
    pub(super) spec: StageSpec,
    pub(super) takes: Takes,
    /// The class in which it takes tables.
    pub(super) form: Form,
    /// Whether rows that fail may go to quarantine: only then copies of rows are kept.
    pub(super) quarantines: bool,
    /// Whether the run may go on after a failure: then nothing may have gone out of what failed as a whole.
    pub(super) goes_on: bool,
    function: PythonFunction,
    finish: Option<PythonFunction>,
    /// The calls since they were last asked for.
    calls: AtomicU64,
    /// How many of them failed.
    errors: AtomicU64,
}

/// What is left of the time that a call may take. What others do with what it yields is not counted.
pub(super) struct Time {
    left: Option<Duration>,
}

impl Time {
    /// Runs a part of the call, which is stopped when the time is up.
    pub(super) fn bounds<T>(
        &mut self,
        py: Python<'_>,
        part: impl FnOnce(&Until<'_>) -> PyResult<T>,
    ) -> PyResult<T> {
        let Some(left) = &mut self.left else { return part(&Until::default()) };
        let begun = Instant::now();
        let until = Until { deadline: begun.checked_add(*left), cancel: None };
        let watch = watch::begin(py, until.deadline, None);
        let result = part(&until);
        let stopped = watch.end(py);
        *left = left.saturating_sub(begun.elapsed());
        match stopped {
            Some(why) => Err(watch::stopped(py, why)),
            None => result,
        }
    }
}

impl Seat {
    /// Makes a stage ready; `ends` says whether its instance's `finish` is this stage's to call.
    ///
    /// # Errors
    /// A function that is not there; a kind that contradicts what the pipeline asks.
    pub(super) fn new(
        py: Python<'_>,
        index: usize,
        instance: &PythonInstance,
        seat: &StageSeat,
        ends: bool,
    ) -> Result<Self> {
        let spec = seat.spec.clone();
        let slot = SlotName::undeclared(&spec.name);
        let function = instance.find(py, &seat.function_name).map_err(|error| error.slot(&slot))?;
        let manifest = instance.description().manifest.takes;
        let (takes, form) =
            takes::decide(py, &function, manifest, &spec).map_err(|error| error.slot(&slot))?;
        let finish = match ends && function.name() != "finish" {
            true => found(instance.find(py, "finish")).map_err(|error| error.slot(&slot))?,
            false => None,
        };
        let decisions = spec.on_errors.by_name.iter().map(|(_, decision)| decision);
        let decisions: Vec<_> = decisions.chain([&spec.on_errors.default]).collect();
        let quarantines = decisions.iter().any(|decision| matches!(decision, OnError::Quarantine(_)));
        let goes_on = decisions.iter().any(|decision| **decision != OnError::Stop);
        let (calls, errors) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { index, spec, takes, form, quarantines, goes_on, function, finish, calls, errors })
    }

    /// The function's name.
    pub(super) fn function(&self) -> &str {
        self.function.name()
    }

    /// The time that a call may take, with all that it yields.
    pub(super) fn time(&self) -> Time {
        Time { left: self.spec.time }
    }

    /// Calls the function with what it takes.
    pub(super) fn call<'py>(
        &self,
        given: &Bound<'py, PyAny>,
        time: &mut Time,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = given.py();
        count(&self.calls, 1);
        time.bounds(py, |until| {
            settled(vector::call(self.function.bind(py), &[Some(given.clone())], 1)?, until)
        })
    }

    /// Whether the module is told of the end.
    pub(super) fn has_finish(&self) -> bool {
        self.finish.is_some()
    }

    /// Calls `finish`, where there is one.
    pub(super) fn finish<'py>(
        &self,
        py: Python<'py>,
        time: &mut Time,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        let finish = self.finish.as_ref()?;
        count(&self.calls, 1);
        Some(time.bounds(py, |until| settled(finish.bind(py).call0()?, until)))
    }

    /// Notes that a call failed so; one that a caller's doing ended is none of the module's.
    pub(super) fn noted(&self, error: &Error) {
        match error.code().is_callers() {
            true => self.calls.store(self.calls.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed),
            false => count(&self.errors, 1),
        }
    }

    /// The calls since this was last asked.
    pub(super) fn called(&self) -> StageCalls {
        let (calls, errors) = (self.calls.swap(0, Ordering::Relaxed), self.errors.swap(0, Ordering::Relaxed));
        // A call may have given several rows that are wrong.
        StageCalls { count: calls, errors: errors.min(calls) }
    }

    /// What a call raised, in full.
    pub(super) fn failed(&self, py: Python<'_>, raised: &PyErr) -> Error {
        told(py, &self.function, self.spec.time, raised)
    }

    /// What `finish` raised, in full.
    pub(super) fn finish_failed(&self, py: Python<'_>, raised: &PyErr) -> Error {
        let error = match &self.finish {
            Some(finish) => told(py, finish, self.spec.time, raised),
            None => failure::error_from_pyerr(py, raised).phase(Phase::Call),
        };
        self.noted(&error);
        self.named(error)
    }

    /// What a call raised, as far as a decision about a row needs it.
    pub(super) fn failed_briefly(&self, py: Python<'_>, raised: &PyErr) -> Error {
        // Arguments that do not bind are told in full: that is no matter of one row.
        if raised.traceback(py).is_none() {
            return self.failed(py, raised);
        }
        failure::brief(py, raised, self.function())
    }

    /// A failure with the stage's name.
    pub(super) fn named(&self, error: Error) -> Error {
        error.slot(&SlotName::undeclared(&self.spec.name))
    }
}

/// Adds to what one thread at a time counts, the one that has the interpreter: nothing is locked for it.
fn count(counted: &AtomicU64, more: u64) {
    counted.store(counted.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}

/// What a call of `function` raised, which may take so long, in full.
fn told(py: Python<'_>, function: &PythonFunction, time: Option<Duration>, raised: &PyErr) -> Error {
    let error = match watch::why_stopped(py, raised) {
        Some(Why::Late) => timed_out(function.name(), time),
        Some(Why::Cancelled) => error::cancelled(function.name()),
        None => function.failed(py, raised),
    };
    error.phase(Phase::Call)
}

/// A function that need not be there.
fn found(function: Result<PythonFunction>) -> Result<Option<PythonFunction>> {
    match function {
        Ok(function) => Ok(Some(function)),
        Err(error) if matches!(error.code(), Code::UnknownFunction | Code::NotCallable) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The result of a call, awaited where it is to be awaited. What yields asynchronously becomes a list.
fn settled<'py>(result: Bound<'py, PyAny>, until: &Until<'_>) -> PyResult<Bound<'py, PyAny>> {
    if result.cast_exact::<PyDict>().is_ok()
        || result.is_none()
        || result.cast_exact::<PyList>().is_ok()
        || result.cast_exact::<PyTuple>().is_ok()
    {
        return Ok(result);
    }
    if waiter::is_awaitable(&result) {
        return waiter::wait(&result, until);
    }
    let py = result.py();
    if !result.get_type().hasattr(intern!(py, "__anext__"))? {
        return Ok(result);
    }
    let items = PyList::empty(py);
    loop {
        let next = result.call_method0(intern!(py, "__anext__"))?;
        match waiter::wait(&next, until) {
            // What yields may give one dict again and again, and change it in between.
            Ok(item) => match item.cast_into::<PyDict>() {
                Ok(row) => items.append(copy::whole(&row)?)?,
                Err(other) => items.append(other.into_inner())?,
            },
            Err(end) if end.is_instance_of::<PyStopAsyncIteration>(py) => return Ok(items.into_any()),
            Err(raised) => return Err(raised),
        }
    }
}
