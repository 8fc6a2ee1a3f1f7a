//! Streams of Python modules that Python reads: objects as they are, with the lease of what they read from.

use std::sync::Arc;

use modrack_core::{Lease, Result};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::glue::glue;
use crate::service::to_pyerr;
use crate::{error, waiter};

glue!(static STREAM = "stream");

/// The lease of a stream. It ends with this at the latest.
#[pyclass(frozen, name = "Lease", module = "modrack")]
struct Leasing(Arc<dyn Lease>);

#[pymethods]
impl Leasing {
    /// Asks for a value: what `ask` gives, called as a call of the instance.
    #[pyo3(signature = (ask, *args))]
    fn read<'py>(&self, ask: &Bound<'py, PyAny>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = ask.py();
        let mut answer = None;
        let read = waiter::as_it_began(py, || {
            self.0.read(&mut || {
                answer = Some(ask.call1(args));
                Ok(())
            })
        });
        match read {
            Err(why) if answer.is_none() => Err(to_pyerr(py, &why)),
            _ => answer.unwrap_or_else(|| Err(PyRuntimeError::new_err("the stream was not asked"))),
        }
    }

    /// Nothing more is asked for.
    fn end(&self) {
        self.0.end();
    }
}

/// `object` for whoever reads it in Python.
///
/// # Errors
/// What Python raised, which is for want of memory only.
pub(crate) fn leased<'py>(object: &Bound<'py, PyAny>, lease: Arc<dyn Lease>) -> Result<Bound<'py, PyAny>> {
    let py = object.py();
    let made =
        Bound::new(py, Leasing(lease)).and_then(|lease| STREAM.get(py, "leased")?.call1((lease, object)));
    made.map_err(|raised| error::unexpected(py, &raised))
}
