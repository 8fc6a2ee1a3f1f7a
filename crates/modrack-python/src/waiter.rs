//! Coroutines of modules: they run on one event loop, in one thread that is made when the first is met.
//!
//! Who called waits without holding the interpreter, in slices short enough to notice a signal, a deadline or
//! a caller that gave up.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use modrack_core::{Awaiting, Cancel, Chain};
use pyo3::exceptions::PyTimeoutError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::glue::glue;
use crate::modules;
use crate::watch::{self, Why};

glue!(static LOOP = "loop");

/// Until when something is waited for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Until<'a> {
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancel: Option<&'a Cancel>,
}

/// How long a wait goes without looking round.
const SLICE: Duration = Duration::from_millis(50);

/// The chain of calls that a coroutine goes on with, as its context keeps it; none once its call has ended, for
/// what the coroutine leaves running belongs to no call.
#[pyclass(frozen, name = "Chain", module = "modrack")]
struct LedHere {
    chain: Mutex<Option<Chain>>,
    /// That somebody waits for the coroutine, until it has ended.
    awaited: Mutex<Option<Awaiting>>,
}

#[pymethods]
impl LedHere {
    /// The coroutine has ended, which whoever waits for it is told only later.
    fn ended(&self) {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Runs `run` as part of the chain of calls that the current coroutine goes on with; as it is outside of one.
pub(crate) fn as_it_began<R>(py: Python<'_>, run: impl FnOnce() -> R) -> R {
    match led_here(py) {
        // The context goes along to threads that the coroutine starts; they hold up nothing.
        Some(chain) if is_on_loop(py) => Chain::on_loop(|| chain.within(run)),
        Some(chain) => chain.within(run),
        None => run(),
    }
}

fn led_here(py: Python<'_>) -> Option<Chain> {
    if !LOOP.is_made(py) {
        return None;
    }
    let kept = LOOP.get(py, "chain").ok()?.call_method0(intern!(py, "get")).ok()?;
    kept.cast::<LedHere>().ok()?.get().chain().clone()
}

impl LedHere {
    fn chain(&self) -> MutexGuard<'_, Option<Chain>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `object` is to be awaited.
pub(crate) fn is_awaitable(object: &Bound<'_, PyAny>) -> bool {
    let py = object.py();
    let class = object.get_type();
    static COROUTINE: PyOnceLock<Option<Py<PyType>>> = PyOnceLock::new();
    let coroutine = COROUTINE.get_or_init(py, || {
        let found = modules::get(py, intern!(py, "_collections_abc")).ok()?.getattr("coroutine").ok()?;
        found.cast_into::<PyType>().ok().map(Bound::unbind)
    });
    coroutine.as_ref().is_some_and(|coroutine| class.is(coroutine))
        || class.hasattr(intern!(py, "__await__")).unwrap_or(false)
}

/// Whether the current thread runs the event loop.
pub(crate) fn is_on_loop(py: Python<'_>) -> bool {
    LOOP.is_made(py)
        && LOOP
            .get(py, "is_here")
            .and_then(|is_here| is_here.call0())
            .is_ok_and(|here| here.is_truthy().unwrap_or(false))
}

/// Awaits `awaitable` and gives its result.
///
/// # Errors
/// What it raised; [`watch::stopped`] when it was not wanted any more.
pub(crate) fn wait<'py>(awaitable: &Bound<'py, PyAny>, until: &Until<'_>) -> PyResult<Bound<'py, PyAny>> {
    let py = awaitable.py();
    prepare(py);
    let (chain, awaited) = (Mutex::new(Some(Chain::here())), Mutex::new(Some(Chain::awaits())));
    let led_here = Bound::new(py, LedHere { chain, awaited })?;
    let future = LOOP.get(py, "submit")?.call1((awaitable, &led_here)).inspect_err(|_| {
        // Python warns of a coroutine that goes without having been begun.
        let _ = awaitable.call_method0(intern!(py, "close"));
    })?;
    let answer = listen(&future, until);
    led_here.get().chain().take();
    led_here.get().ended();
    if answer.is_err() {
        // Nobody waits for it any more; a future that has ended is left as it is. An exception that was put
        // into this thread meanwhile may come out of the first try.
        let _ = future
            .call_method0(intern!(py, "cancel"))
            .or_else(|_| future.call_method0(intern!(py, "cancel")));
    }
    let failure = answer?;
    if failure.is_none() {
        return future.call_method0(intern!(py, "result"));
    }
    Err(PyErr::from_value(failure))
}

/// Makes the event loop, unless it is there.
///
/// In a thread of its own: an exception that is put into this one would leave `asyncio` half imported for the
/// rest of the process.
fn prepare(py: Python<'_>) {
    if LOOP.is_made(py) {
        return;
    }
    py.detach(|| {
        let made = std::thread::Builder::new()
            .name("modrack-prepare".to_owned())
            .spawn(|| Python::attach(|py| LOOP.get(py, "submit").map(drop)));
        // What went wrong is met again, and told, by whoever needs the loop.
        let _ = made.map(std::thread::JoinHandle::join);
    });
}

/// Waits until `future` has ended and gives the exception that it ended with.
fn listen<'py>(future: &Bound<'py, PyAny>, until: &Until<'_>) -> PyResult<Bound<'py, PyAny>> {
    let py = future.py();
    loop {
        let mut slice = SLICE;
        if let Some(deadline) = until.deadline {
            let rest = deadline.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Err(watch::stopped(py, Why::Late));
            }
            slice = slice.min(rest);
        }
        if until.cancel.is_some_and(Cancel::is_cancelled) {
            return Err(watch::stopped(py, Why::Cancelled));
        }
        match LOOP.get(py, "listen")?.call1((future, slice.as_secs_f64())) {
            Err(error) if error.is_instance_of::<PyTimeoutError>(py) => py.check_signals()?,
            answer => return answer,
        }
    }
}
