//! Python objects on their way through a rack.
//!
//! A handle keeps its object alive and nothing more: what looks inside attaches to the interpreter first.

use std::any::Any;
use std::sync::Arc;

use modrack_core::{BackendName, Foreign, ForeignObject, Items, Later, Result, Results, Value};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyIterator, PyList, PyTuple};

use crate::call::is_plain;
use crate::convert::{Unfit, data};
use crate::{convert, failure, names, waiter};

/// A Python object that is handed on unconverted.
pub struct PyHandle {
    object: Py<PyAny>,
    /// The call that goes on until it has been awaited.
    later: Option<Arc<dyn Later + Send + Sync>>,
}

impl PyHandle {
    /// Keeps `object`.
    pub fn new(object: Py<PyAny>) -> Self {
        Self { object, later: None }
    }

    /// Keeps `object`, which is awaited by who is given it, and until then the call goes on.
    pub(crate) fn of_call(object: Py<PyAny>, call: Arc<dyn Later + Send + Sync>) -> Self {
        Self { object, later: Some(call) }
    }

    /// `object` as a value that no other backend looks into.
    pub fn value(object: &Bound<'_, PyAny>) -> Value {
        Value::Foreign(Foreign::new(Self::new(object.clone().unbind())))
    }

    /// The object itself.
    pub fn bind<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.object.bind(py)
    }
}

impl ForeignObject for PyHandle {
    fn backend(&self) -> BackendName {
        BackendName::Python
    }

    fn type_name(&self) -> String {
        Python::attach(|py| names::class_of(self.bind(py)))
    }

    fn to_value(&self) -> Result<Value> {
        Python::attach(|py| data(self.bind(py)).map_err(Unfit::into_error))
    }

    fn items(&self) -> Option<Items> {
        Python::attach(|py| {
            let object = self.bind(py);
            let is_async = is_async_iterator(object);
            if !is_async && !is_iterator(object) {
                return None;
            }
            // Once: an `__iter__` may begin anew.
            let begun = match is_async {
                true => Ok(object.clone()),
                false => object.try_iter().map(Bound::into_any),
            };
            let object = match begun {
                Ok(object) => object.unbind(),
                Err(error) => {
                    let told = failure::error_from_pyerr(py, &error);
                    return Some(Box::new(std::iter::once(Err(told))) as Items);
                }
            };
            Some(Box::new(Yielding { object, is_async, ended: false }) as Items)
        })
    }

    fn is_stream(&self) -> bool {
        Python::attach(|py| {
            let object = self.bind(py);
            let iterates = object.cast::<PyIterator>().is_ok() && is_iterator(object);
            iterates || !(is_plain(object) || is_data(object)) && is_async_iterator(object)
        })
    }

    fn later(&self) -> Option<&dyn Later> {
        self.later.as_deref().map(|later| later as &dyn Later)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The values of an iterator, each converted when it is asked for.
struct Yielding {
    object: Py<PyAny>,
    is_async: bool,
    ended: bool,
}

impl Iterator for Yielding {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = Python::attach(|py| {
            let object = self.object.bind(py);
            let next = if self.is_async { next_awaited(object) } else { next_of(object) };
            match next {
                Ok(None) => None,
                Ok(Some(item)) => Some(convert::from_python(py, &item, Results::Converted)),
                Err(error) => Some(Err(error)),
            }
        });
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Whether `object` is an iterator in Python's sense: it has `__next__`, and its class says it iterates.
pub(crate) fn is_iterator(object: &Bound<'_, PyAny>) -> bool {
    let py = object.py();
    let class = object.get_type();
    class.hasattr(intern!(py, "__next__")).unwrap_or(false)
        && class.hasattr(intern!(py, "__iter__")).unwrap_or(false)
}

/// Whether `object` is of a class that results mostly are: nothing need be looked up.
fn is_data(object: &Bound<'_, PyAny>) -> bool {
    object.is_exact_instance_of::<PyFloat>()
        || object.is_exact_instance_of::<PyBool>()
        || object.is_exact_instance_of::<PyList>()
        || object.is_exact_instance_of::<PyTuple>()
}

/// Whether `object` is an iterator whose values are awaited.
fn is_async_iterator(object: &Bound<'_, PyAny>) -> bool {
    object.get_type().hasattr(intern!(object.py(), "__anext__")).unwrap_or(false)
}

fn next_of<'py>(object: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyAny>>> {
    let py = object.py();
    let next = object.cast::<PyIterator>().map_err(PyErr::from).and_then(|iterator| {
        // A second handle of the same iterator: going through it needs one that can be changed.
        iterator.clone().next().transpose()
    });
    next.map_err(|error| failure::error_from_pyerr(py, &error))
}

fn next_awaited<'py>(object: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyAny>>> {
    let py = object.py();
    let awaitable = object
        .call_method0(intern!(py, "__anext__"))
        .map_err(|error| failure::error_from_pyerr(py, &error))?;
    match waiter::wait(&awaitable, &waiter::Until::default()) {
        Ok(item) => Ok(Some(item)),
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyStopAsyncIteration>(py) => Ok(None),
        Err(error) => Err(failure::error_from_pyerr(py, &error)),
    }
}
