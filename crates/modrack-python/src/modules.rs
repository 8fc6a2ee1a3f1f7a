//! Modules of the standard library, without going through the import hook that is ours.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

/// `sys.modules`.
///
/// # Errors
/// What Python raised.
pub(crate) fn all(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    // Kept, because the import hook asks for it, and an import of `sys` would come to the hook again.
    let modules = MODULES.get_or_try_init(py, || {
        let modules = py.import("sys")?.getattr("modules")?;
        Ok::<_, PyErr>(modules.cast_into::<PyDict>()?.unbind())
    })?;
    Ok(modules.bind(py).clone())
}

/// The module called `name`, imported if it is not there.
///
/// # Errors
/// What importing it raised.
pub(crate) fn get<'py>(py: Python<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    match all(py)?.get_item(name)? {
        Some(module) => Ok(module),
        None => Ok(py.import(name)?.into_any()),
    }
}
