//! Calls that must end by a deadline, or that their caller may give up.
//!
//! An exception is put into the thread that runs the call: a best effort, which a bare `except:` swallows and
//! a wait in C does not notice. It belongs to one call: it is taken back when that call ends, so that it never
//! reaches the next one. One thread watches, and only while there is something to watch.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use modrack_core::Cancel;
use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::threads;

/// Why a call was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its deadline passed.
    Late,
    /// Its caller gave it up.
    Cancelled,
}

/// A call that is watched, until it is ended.
pub(crate) struct Watch {
    id: u64,
    ended: bool,
}

struct Call {
    id: u64,
    thread: threads::Id,
    deadline: Option<Instant>,
    cancel: Option<Cancel>,
    /// When its caller was first seen to have given it up.
    given_up: Option<Instant>,
    /// Why and when it was last told to stop.
    told: Option<(Why, Instant)>,
}

/// The calls that are watched, in the order of their beginning.
static CALLS: Mutex<VecDeque<Call>> = Mutex::new(VecDeque::new());
/// Tells the watcher that there is more to watch.
static CHANGED: Condvar = Condvar::new();
/// Whether the watcher runs.
static WATCHING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The calls, held still while the current thread forks the process.
    static FORKING: RefCell<Option<MutexGuard<'static, VecDeque<Call>>>> = const { RefCell::new(None) };
}

/// How often a caller's word is looked for.
const LOOK: Duration = Duration::from_millis(5);
/// How long a call that was given up is left to end by itself: whoever gives up has mostly interrupted what
/// runs as well, and that may have something to put in order.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a call is left alone before it is told again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long the watcher stays when there is nothing to watch.
const LINGER: Duration = Duration::from_millis(500);

/// Watches the call that the current thread is about to make.
pub(crate) fn begin(py: Python<'_>, deadline: Option<Instant>, cancel: Option<&Cancel>) -> Watch {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let call = Call {
        id,
        thread: threads::current(py),
        deadline,
        cancel: cancel.cloned(),
        given_up: None,
        told: None,
    };
    let needs_watcher = call.needs_watcher();
    let mut calls = calls();
    calls.push_back(call);
    // Under the lock: a word that is given from here on is followed by a `look` that finds the call.
    if needs_watcher || cancel.is_some_and(Cancel::is_cancelled) {
        wake_watcher(calls);
    }
    Watch { id, ended: false }
}

/// Has the watcher look at what is watched, if anything is: a caller that tells of its word has given it.
pub(crate) fn look() {
    let calls = calls();
    if !calls.is_empty() {
        wake_watcher(calls);
    }
}

/// Wakes the watcher, or starts it. Given the calls, so that it cannot end meanwhile.
fn wake_watcher(calls: MutexGuard<'_, VecDeque<Call>>) {
    let starts = !WATCHING.swap(true, Ordering::AcqRel);
    drop(calls);
    if starts {
        let spawned = std::thread::Builder::new().name("modrack-watch".to_owned()).spawn(watch);
        if spawned.is_err() {
            WATCHING.store(false, Ordering::Release);
        }
    } else {
        CHANGED.notify_one();
    }
}

impl Call {
    /// Whether only the watcher can see that the call is to end.
    fn needs_watcher(&self) -> bool {
        self.deadline.is_some() || self.cancel.as_ref().is_some_and(|cancel| !cancel.is_told())
    }
}

impl Watch {
    /// Ends the watching, with whatever was put into the thread taken back; why the call was stopped.
    pub(crate) fn end(mut self, py: Python<'_>) -> Option<Why> {
        self.ended = true;
        let mut calls = calls();
        let at = calls.iter().position(|call| call.id == self.id)?;
        let call = calls.remove(at)?;
        if call.told.is_some() {
            threads::take_back(py, call.thread);
            // A call round this one may have been told as well, and its word was taken back with ours.
            let mut rest = calls.iter_mut();
            if let Some(outer) = rest.find(|other| other.thread == call.thread && other.told.is_some()) {
                outer.told = None;
                CHANGED.notify_one();
            }
        }
        drop(calls);
        match (call.told, call.deadline) {
            (Some((why, _)), _) => Some(why),
            (None, Some(deadline)) if Instant::now() >= deadline => Some(Why::Late),
            (None, _) => None,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.ended {
            calls().retain(|call| call.id != self.id);
        }
    }
}

/// The class of the exception by which a call is stopped: no `except Exception` catches it.
pub(crate) fn stopped_class<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let made = CLASS.get_or_try_init(py, || {
        let base = py.get_type::<PyBaseException>();
        let doc = c"The call is not wanted any more: its time is up, or its caller gave it up.";
        PyErr::new_type(py, c"modrack.CallStopped", Some(doc), Some(&base), None)
    })?;
    Ok(made.bind(py))
}

/// An exception that says why a call was stopped.
pub(crate) fn stopped(py: Python<'_>, why: Why) -> PyErr {
    let word = match why {
        Why::Late => "late",
        Why::Cancelled => "cancelled",
    };
    match stopped_class(py) {
        Ok(class) => PyErr::from_type(class.clone(), (word,)),
        Err(error) => error,
    }
}

/// Why an exception says that a call was stopped, if it is one of ours that says so.
pub(crate) fn why_stopped(py: Python<'_>, error: &PyErr) -> Option<Why> {
    let class = stopped_class(py).ok()?;
    if !error.is_instance(py, class) {
        return None;
    }
    let word = error.value(py).getattr("args").ok()?.get_item(0).ok()?.extract::<String>().ok()?;
    match word.as_str() {
        "late" => Some(Why::Late),
        "cancelled" => Some(Why::Cancelled),
        _ => None,
    }
}

/// Has a forked process begin without what is watched in its parent: only the thread that forked goes on there,
/// and a lock that another one held would stay held.
///
/// # Errors
/// What Python raised.
pub(crate) fn mind_forks(py: Python<'_>) -> PyResult<()> {
    let hooks = PyDict::new(py);
    hooks.set_item("before", wrap_pyfunction!(before_fork, py)?)?;
    hooks.set_item("after_in_parent", wrap_pyfunction!(forked, py)?)?;
    hooks.set_item("after_in_child", wrap_pyfunction!(forked_off, py)?)?;
    py.import("posix")?.getattr("register_at_fork")?.call((), Some(&hooks))?;
    Ok(())
}

#[pyfunction]
fn before_fork() {
    FORKING.set(Some(calls()));
}

#[pyfunction]
fn forked() {
    FORKING.take();
}

#[pyfunction]
fn forked_off() {
    if let Some(mut calls) = FORKING.take() {
        calls.clear();
        WATCHING.store(false, Ordering::Release);
    }
}

/// What the watcher does.
fn watch() {
    let mut calls = calls();
    let mut idle_since = None;
    loop {
        let now = Instant::now();
        let due = tell(&mut calls, now);
        if !due.is_empty() {
            drop(calls);
            Python::try_attach(|py| send(py, &due));
            calls = self::calls();
            continue;
        }
        if calls.is_empty() {
            let since = *idle_since.get_or_insert(now);
            if now.duration_since(since) >= LINGER {
                // Under the lock: a call that begins now starts a new watcher.
                WATCHING.store(false, Ordering::Release);
                return;
            }
        } else {
            idle_since = None;
        }
        let rest = next_look(&calls, now);
        calls = CHANGED.wait_timeout(calls, rest).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Notes the calls that are to be told now, and gives them.
fn tell(calls: &mut VecDeque<Call>, now: Instant) -> Vec<u64> {
    let mut due = Vec::new();
    for call in calls.iter_mut() {
        if call.told.is_some_and(|(_, when)| now.duration_since(when) < AGAIN) {
            continue;
        }
        if call.given_up.is_none() && call.cancel.as_ref().is_some_and(Cancel::is_cancelled) {
            call.given_up = Some(now);
        }
        let why = if call.deadline.is_some_and(|deadline| now >= deadline) {
            Why::Late
        } else if call.given_up.is_some_and(|since| now.duration_since(since) >= PATIENCE) {
            Why::Cancelled
        } else {
            continue;
        };
        call.told = Some((call.told.map_or(why, |(why, _)| why), now));
        due.push(call.id);
    }
    due
}

/// Puts the exception into the threads of those calls that have not ended meanwhile.
fn send(py: Python<'_>, due: &[u64]) {
    let Ok(class) = stopped_class(py) else { return };
    // Attached: a call cannot end between the look and the telling.
    let calls = calls();
    for call in calls.iter().filter(|call| due.contains(&call.id)) {
        threads::put(py, call.thread, class.as_any());
    }
}

fn next_look(calls: &VecDeque<Call>, now: Instant) -> Duration {
    let mut rest = LINGER;
    for call in calls {
        if call.cancel.is_some() {
            rest = rest.min(LOOK);
        }
        if call.told.is_some() {
            rest = rest.min(AGAIN);
        } else if let Some(deadline) = call.deadline {
            rest = rest.min(deadline.saturating_duration_since(now));
        }
    }
    rest
}

fn calls() -> MutexGuard<'static, VecDeque<Call>> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}
