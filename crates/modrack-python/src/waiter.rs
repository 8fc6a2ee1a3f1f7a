//! Coroutines of modules: they run on one event loop, in one thread that is made when the first is met.
//!
//! Who called waits without holding the interpreter, in slices short enough to notice a signal, a deadline or
//! a caller that gave up.
//!
//! A coroutine is part of the call that it goes on with, from its beginning to its end: it keeps the call's chain, and with
//! it what the call resolves through. So what it calls is what its caller would have called; a swap that waits for the calls of a
//! module waits for its coroutines; and one that is late, or was given up, is waited for as well, by its caller for a
//! while and by swaps until it has ended. A coroutine that is handed on to be awaited elsewhere on the loop is a call of its
//! own, which has its instance, is held to its time and is counted as one. Calls that coroutines make are branches of their
//! chain, for they may go on side by side. What a coroutine leaves running when it has ended belongs to no call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use modrack_core::{AtEnd, Awaiting, Cancel, Chain, Foreign, Later, Value, timed_out};
use pyo3::exceptions::PyTimeoutError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::glue::glue;
use crate::handle::PyHandle;
use crate::instance::Counted;
use crate::watch::{self, Why};
use crate::{modules, service, threads};

glue!(static LOOP = "loop");

/// Until when something is waited for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Until<'a> {
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancel: Option<&'a Cancel>,
}

/// How long a wait goes without looking round.
const SLICE: Duration = Duration::from_millis(50);

/// How long who waits no longer for an answer waits for the coroutine's end all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// A call that a coroutine goes on with.
struct Led {
    /// Its chain, until the coroutine has ended: what that leaves running belongs to no call.
    chain: Mutex<Option<Chain>>,
    /// That somebody waits for the coroutine, until it has ended or nobody does.
    awaited: Mutex<Option<Awaiting>>,
    /// What counts it among its module's calls.
    counted: Mutex<Option<Counted>>,
    /// What is due when it has ended; nothing any more once it has.
    ends: Mutex<Option<Vec<Box<dyn AtEnd>>>>,
    /// The name of its function.
    name: String,
    is_late: AtomicBool,
    has_ended: Mutex<bool>,
    ended: Condvar,
}

/// The call that a coroutine goes on with, as its context keeps it.
#[pyclass(frozen, name = "Chain", module = "modrack")]
struct LedHere(Arc<Led>);

/// That a coroutine has not ended, which it tells at its end; also that of one that was never begun, as this goes then.
#[pyclass(frozen, name = "Running", module = "modrack")]
struct Running(Arc<Led>);

#[pymethods]
impl Running {
    /// The coroutine has ended, which whoever waits for it is told only later; and whether it worked, unless it was given up.
    #[pyo3(signature = (worked=None))]
    fn ended(&self, worked: Option<bool>) {
        self.0.end(worked);
    }

    /// The exception for a coroutine that has not ended in time.
    fn late<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.0.is_late.store(true, Ordering::Relaxed);
        let ends = lock(&self.0.ends);
        let late = timed_out(&self.0.name, None);
        let late = ends.iter().flatten().fold(late, |error, end| end.blame(error));
        drop(ends);
        service::to_pyerr(py, &late).into_value(py).into_bound(py).into_any()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.end(None);
    }
}

impl Later for Led {
    fn at_end(&self, end: Box<dyn AtEnd>) {
        if let Some(ends) = lock(&self.ends).as_mut() {
            ends.push(end);
        }
    }
}

impl Led {
    /// What the current thread's chain goes on with.
    fn from_here(counted: Option<Counted>, name: &str) -> Arc<Self> {
        Arc::new(Self {
            chain: Mutex::new(Some(Chain::here())),
            awaited: Mutex::new(Some(Chain::awaits())),
            counted: Mutex::new(counted),
            ends: Mutex::new(Some(Vec::new())),
            name: name.to_owned(),
            is_late: AtomicBool::new(false),
            has_ended: Mutex::new(false),
            ended: Condvar::new(),
        })
    }

    fn end(&self, worked: Option<bool>) {
        let worked = if self.is_late.load(Ordering::Relaxed) { Some(false) } else { worked };
        // What goes with it may be the last of a module that was replaced: not under a lock.
        let (chain, counted, ends) = (take(&self.chain), take(&self.counted), take(&self.ends));
        for end in ends.into_iter().flatten() {
            end.ended(worked);
        }
        drop((chain, counted));
        self.nobody_waits();
        *lock(&self.has_ended) = true;
        self.ended.notify_all();
    }

    fn nobody_waits(&self) {
        drop(take(&self.awaited));
    }

    /// Waits until the coroutine has ended, for a while.
    fn wait(&self) {
        let has_ended = lock(&self.has_ended);
        drop(self.ended.wait_timeout_while(has_ended, PATIENCE, |has_ended| !*has_ended));
    }
}

fn take<T>(from: &Mutex<Option<T>>) -> Option<T> {
    lock(from).take()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `run` as part of the chain of calls that the current coroutine goes on with; as it is outside of one.
pub(crate) fn as_it_began<R>(py: Python<'_>, run: impl FnOnce() -> R) -> R {
    if !LOOP.is_made(py) {
        return run();
    }
    // The context goes along to threads that the coroutine starts; they hold up nothing.
    match (led_here(py), is_on_loop(py)) {
        (Some(chain), true) => Chain::on_loop(|| chain.within(|| Chain::branch(run))),
        (Some(chain), false) => chain.within(|| Chain::branch(run)),
        (None, true) => Chain::on_loop(|| Chain::branch(run)),
        (None, false) => run(),
    }
}

fn led_here(py: Python<'_>) -> Option<Chain> {
    let kept = LOOP.get(py, "chain").ok()?.call_method0(intern!(py, "get")).ok()?;
    let led = kept.cast::<LedHere>().ok()?.get();
    lock(&led.0.chain).clone()
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

/// Whether something awaitable is a coroutine, which does nothing before it is awaited, and nothing else can be asked of.
pub(crate) fn is_coroutine(awaitable: &Bound<'_, PyAny>) -> bool {
    let (py, class) = (awaitable.py(), awaitable.get_type());
    let has = |name| class.hasattr(name).unwrap_or(false);
    has(intern!(py, "send")) && has(intern!(py, "throw"))
}

/// Whether the current thread runs the event loop.
pub(crate) fn is_on_loop(py: Python<'_>) -> bool {
    let of_loop = || LOOP.get(py, "ident").ok()?.extract::<threads::Id>().ok();
    LOOP.is_made(py) && of_loop() == Some(threads::current(py))
}

/// What the function `name` gave to be awaited, as it is handed on to who awaits it on the loop: with the call that it goes on
/// with, which must have ended by the deadline.
///
/// # Errors
/// What Python raised, which is for want of memory only.
pub(crate) fn lead(
    awaitable: &Bound<'_, PyAny>,
    name: &str,
    deadline: Option<Instant>,
    counted: Counted,
) -> PyResult<Value> {
    let py = awaitable.py();
    let led = Led::from_here(Some(counted), name);
    // By the time that its caller has, that one is ended, and all that it awaits.
    let callers = led_here(py).and_then(|chain| chain.deadline());
    let own = deadline.filter(|deadline| callers.is_none_or(|callers| *deadline < callers));
    let within = own.map(|own| own.saturating_duration_since(Instant::now()).as_secs_f64());
    let given = (awaitable, LedHere(led.clone()), Running(led.clone()), within);
    let handed_on = LOOP.get(py, "lead")?.call1(given)?;
    Ok(Value::Foreign(Foreign::new(PyHandle::of_call(handed_on.unbind(), led))))
}

/// What is awaited in place of a call that is made on a thread of its own.
///
/// # Errors
/// What Python raised, which is for want of memory only.
pub(crate) fn elsewhere<'py>(call: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    LOOP.get(call.py(), "elsewhere")?.call1((call,))
}

/// Awaits `awaitable` and gives its result.
///
/// # Errors
/// What it raised; [`watch::stopped`] when it was not wanted any more.
pub(crate) fn wait<'py>(awaitable: &Bound<'py, PyAny>, until: &Until<'_>) -> PyResult<Bound<'py, PyAny>> {
    let py = awaitable.py();
    prepare(py);
    let led = Led::from_here(None, "");
    let given = (awaitable, LedHere(led.clone()), Running(led.clone()));
    let future = LOOP.get(py, "submit")?.call1(given).inspect_err(|_| {
        // Python warns of a coroutine that goes without having been begun.
        let _ = awaitable.call_method0(intern!(py, "close"));
    })?;
    let answer = listen(&future, until);
    if answer.is_err() {
        // Nobody waits for it any more; a future that has ended is left as it is. An exception that was put
        // into this thread meanwhile may come out of the first try.
        let _ = future
            .call_method0(intern!(py, "cancel"))
            .or_else(|_| future.call_method0(intern!(py, "cancel")));
        py.detach(|| led.wait());
        led.nobody_waits();
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
