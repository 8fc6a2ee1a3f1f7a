//! The Python backend: loads, starts and calls modules in the interpreter that runs the process.
//!
//! It needs a process with an interpreter and never makes one. Everything under a module's root is private to
//! its generation (`generation`); objects that pass from one Python module to the next are handed on as they
//! are (`handle`). No lock is held while Python code runs.

mod arrow;
mod backend;
mod call;
mod convert;
mod error;
mod failure;
mod generation;
mod glue;
mod handle;
mod instance;
mod modules;
mod names;
mod remains;
mod service;
mod sibling;
mod sources;
mod stage;
mod start;
mod store;
mod stream;
mod threads;
mod vector;
mod waiter;
mod watch;

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

pub use backend::{PythonBackend, PythonSettings};
pub use convert::{from_python, mapping, to_python};
pub use failure::error_from_pyerr;
pub use handle::PyHandle;
pub use service::ModrackError;

/// Gives the extension module what Python code finds there, and what child processes of a rack ask for.
///
/// # Errors
/// What Python raised.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(class, module)?)?;
    module.add_function(wrap_pyfunction!(generation::resume, module)?)
}

/// The module's classes, each made when somebody asks for it: most runs need none.
#[pyfunction]
#[pyo3(name = "__getattr__")]
fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
    match name {
        "Table" => Ok(py.get_type::<arrow::Table>()),
        "ModrackError" => Ok(py.get_type::<ModrackError>()),
        _ => Err(PyAttributeError::new_err(format!("module 'modrack_py' has no attribute '{name}'"))),
    }
}
