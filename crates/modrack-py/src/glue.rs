//! What ties the command and the interpreter together: descriptors, arguments, and handing the interpreter back in
//! order. Both builds of the extension module are made of this file; `crate::WASM` and `crate::LIVE` are what they differ in.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::sync::Arc;

use modrack_cli::{Host, Interpreter, PythonFactory};
use modrack_core::Backend;
use modrack_python::PythonBackend;
use pyo3::prelude::*;

/// Puts everything into the module.
pub(crate) fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    modrack_python::register(module)
}

/// Runs the command with these arguments, its own name not among them, and gives its exit status.
///
/// From here on descriptor 1 is standard error: what modules print does not mix with data. Whoever calls this
/// ends the process with the status, so that the interpreter ends as it always does: threads are waited for,
/// `atexit` runs, logs are flushed.
#[pyfunction]
#[pyo3(pass_module)]
fn main(module: &Bound<'_, PyModule>, argv: Vec<OsString>) -> PyResult<u8> {
    let py = module.py();
    let sys = py.import("sys")?;
    let interpreter = interpreter(&sys, module)?;
    hear_interrupts(py)?;
    mind_forks(py)?;
    flush(&sys, "stdout");
    let stdout = part_stdout();
    if let Ok(stream) = sys.getattr("stdout")
        && let Ok(reconfigure) = stream.getattr("reconfigure")
    {
        // Standard error shows lines as they are written, and so does what goes there now.
        let options = pyo3::types::PyDict::new(py);
        options.set_item("line_buffering", true)?;
        let _ = reconfigure.call((), Some(&options));
    }
    let args = std::iter::once(OsString::from("modrack")).chain(argv).collect();
    let status = py.detach(move || {
        let (python, interpreter) = (Some(factory()), Some(interpreter));
        modrack_cli::run(args, Host { python, wasm: crate::WASM, live: crate::LIVE, stdout, interpreter })
    });
    // An interrupt that came while no Python code ran is told by the status, not raised by what runs next.
    let _ = py.check_signals();
    flush(&sys, "stdout");
    flush(&sys, "stderr");
    Ok(status)
}

fn factory() -> PythonFactory {
    Box::new(|settings| {
        let backend = PythonBackend::new(modrack_python::PythonSettings {
            root: settings.root,
            path: settings.path,
            store: settings.store,
        })?;
        Ok(backend as Arc<dyn Backend>)
    })
}

/// Lets Python answer an interrupt where it was begun to ignore it, as shells begin what runs in the
/// background: the command hears the signal all the same, and a module that is at work must end by it.
fn hear_interrupts(py: Python<'_>) -> PyResult<()> {
    let signal = py.import("_signal")?;
    let number = signal.getattr("SIGINT")?;
    if signal.call_method1("getsignal", (&number,))?.eq(signal.getattr("SIG_IGN")?)? {
        signal.call_method1("signal", (&number, signal.getattr("default_int_handler")?))?;
    }
    Ok(())
}

/// Lets a forked process be ended as any other: multiprocessing ends the processes of a pool by a signal.
///
/// The signal waits while the process forks, or a new process might hear it before it knows that it is one.
fn mind_forks(py: Python<'_>) -> PyResult<()> {
    let hooks = pyo3::types::PyDict::new(py);
    hooks.set_item("before", wrap_pyfunction!(before_fork, py)?)?;
    hooks.set_item("after_in_parent", wrap_pyfunction!(forked, py)?)?;
    hooks.set_item("after_in_child", wrap_pyfunction!(forked_off, py)?)?;
    py.import("posix")?.getattr("register_at_fork")?.call((), Some(&hooks))?;
    Ok(())
}

thread_local! {
    /// The signals that the current thread did not hear before it began to fork the process.
    static UNHEARD: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

#[pyfunction]
fn before_fork(py: Python<'_>) -> PyResult<()> {
    let signal = py.import("_signal")?;
    let more = (signal.getattr("SIG_BLOCK")?, (signal.getattr("SIGTERM")?,));
    let before = signal.call_method1("pthread_sigmask", more)?;
    UNHEARD.set(Some(before.unbind()));
    Ok(())
}

#[pyfunction]
fn forked(py: Python<'_>) -> PyResult<()> {
    if let Some(before) = UNHEARD.take() {
        let signal = py.import("_signal")?;
        signal.call_method1("pthread_sigmask", (signal.getattr("SIG_SETMASK")?, before))?;
    }
    Ok(())
}

#[pyfunction]
fn forked_off(py: Python<'_>) -> PyResult<()> {
    modrack_cli::forked_off();
    forked(py)
}

/// Keeps descriptor 1 for data under another number, and points 1 at standard error.
///
/// `None` when descriptor 1 is closed: then data has nowhere to go, and the command says so.
fn part_stdout() -> Option<File> {
    let kept = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).ok()?;
    // A process without standard error keeps its descriptor 1 as it is.
    let _ = rustix::stdio::dup2_stdout(rustix::stdio::stderr());
    Some(File::from(kept))
}

fn interpreter(sys: &Bound<'_, PyModule>, module: &Bound<'_, PyModule>) -> PyResult<Interpreter> {
    let text = |name: &str| -> PyResult<String> {
        let value = sys.getattr(name)?;
        Ok(if value.is_none() { String::new() } else { value.str()?.to_string_lossy().into_owned() })
    };
    let version = text("version")?;
    let version = version.split_whitespace().next().unwrap_or_default().trim_end_matches('+').to_owned();
    let extension = module.filename().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Interpreter { version, executable: text("executable")?, prefix: text("prefix")?, extension })
}

fn flush(sys: &Bound<'_, PyModule>, stream: &str) {
    // A stream that a module closed or replaced by something else has nothing of ours to flush.
    if let Ok(stream) = sys.getattr(stream) {
        let _ = stream.call_method0("flush");
    }
}
