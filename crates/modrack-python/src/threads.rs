//! Threads as the interpreter knows them, and exceptions that are put into them.

#![expect(unsafe_code, reason = "PyO3 has no wrappers for exceptions put into threads")]

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{modules, names};

/// A thread, by the number that Python gives it.
pub(crate) type Id = std::ffi::c_ulong;

/// The current thread.
pub(crate) fn current(_py: Python<'_>) -> Id {
    // SAFETY: the thread is attached, and the function only reads its own number.
    unsafe { ffi::PyThread_get_thread_ident() }
}

/// Has `thread` raise `class` at its next bytecode.
pub(crate) fn put(_py: Python<'_>, thread: Id, class: &Bound<'_, PyAny>) {
    // SAFETY: the thread is attached; the class is alive, and the interpreter takes its own reference. A
    // thread that is gone is not found, which is no failure.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread.cast_signed(), class.as_ptr()) };
}

/// Takes back what was put into `thread` and has not been raised yet.
pub(crate) fn take_back(_py: Python<'_>, thread: Id) {
    // SAFETY: as in `put`; null stands for no exception.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread.cast_signed(), std::ptr::null_mut()) };
}

/// Interrupts what runs for a rack: the main thread as Ctrl-C does, and every thread whose Python code was
/// called from here.
pub(crate) fn interrupt(py: Python<'_>) {
    // SAFETY: the function only sets a flag; a process that handles the signal otherwise is left to it.
    unsafe { ffi::PyErr_SetInterrupt() };
    let frames = modules::get(py, intern!(py, "sys"))
        .and_then(|sys| sys.call_method0(intern!(py, "_current_frames")))
        .and_then(|frames| Ok(frames.cast_into::<PyDict>()?));
    let Ok(frames) = frames else { return };
    let class = py.get_type::<PyKeyboardInterrupt>();
    let main = main_thread(py);
    for (thread, frame) in frames.iter() {
        let Ok(thread) = thread.extract::<Id>() else { continue };
        if Some(thread) != main && is_ours(frame) {
            put(py, thread, class.as_any());
        }
    }
}

/// Whether the outermost frame of a thread is code of a generation: it was called from outside Python.
fn is_ours(frame: Bound<'_, PyAny>) -> bool {
    let py = frame.py();
    let mut outermost = frame;
    while let Ok(outer) = outermost.getattr(intern!(py, "f_back")) {
        if outer.is_none() {
            break;
        }
        outermost = outer;
    }
    outermost
        .getattr(intern!(py, "f_globals"))
        .and_then(|globals| globals.contains(intern!(py, names::MARK)))
        .unwrap_or(false)
}

fn main_thread(py: Python<'_>) -> Option<Id> {
    let threading = modules::all(py).ok()?.get_item(intern!(py, "threading")).ok()??;
    threading.call_method0("main_thread").ok()?.getattr("ident").ok()?.extract().ok()
}
