//! Calls of Python functions.
//!
//! A call without deadline and without a way to give it up goes straight to the function: nothing is taken,
//! formatted or allocated beside what Python itself does.

use std::sync::Arc;
use std::time::Instant;

use modrack_core::{Args, Call, Error, Function, Result, Results, Signature, Value, timed_out};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyString, PyTuple};

use crate::convert::{from_python, to_python};
use crate::failure::{self, Doing};
use crate::instance::{Counted, Shared};
use crate::{error, start, vector, waiter, watch};

/// A function of an instance.
pub(crate) struct PythonFunction {
    callable: Py<PyAny>,
    name: String,
    signature: Option<Signature>,
    /// What the interpreter knows of the signature, where nothing was read: asked when somebody wants it.
    inspected: PyOnceLock<Option<Signature>>,
    shared: Arc<Shared>,
}

/// How many arguments are kept on the stack.
const FEW: usize = 6;

impl PythonFunction {
    pub(crate) fn new(
        callable: Py<PyAny>,
        name: String,
        signature: Option<Signature>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { callable, name, signature, inspected: PyOnceLock::new(), shared }
    }

    /// The function itself, bound.
    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.callable.bind(py)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An exception that a call of the function raised, as a failure.
    #[cold]
    pub(crate) fn failed(&self, py: Python<'_>, error: &PyErr) -> Error {
        // Arguments that do not bind raise before the function has a frame of its own.
        if error.is_instance_of::<PyTypeError>(py) && error.traceback(py).is_none() {
            let said = error.value(py).str().map(|said| said.to_string_lossy().into_owned());
            return error::bad_arguments(&self.name, &said.unwrap_or_default(), self.signature.as_ref());
        }
        failure::of(py, error, Doing::Call(&self.name))
    }

    #[inline]
    fn plain(&self, py: Python<'_>, call: &Call<'_>) -> Result<Value> {
        let returned = match self.run(py, &call.args)? {
            Ok(returned) => returned,
            Err(error) => return Err(self.failed(py, &error)),
        };
        if call.results == Results::Converted
            && let Ok(float) = returned.cast_exact::<PyFloat>()
        {
            return Ok(Value::Float(float.value()));
        }
        self.finish(py, returned, call)
    }

    /// Calls the function with converted arguments; the outer failure is one of their conversion.
    #[inline]
    fn run<'py>(&self, py: Python<'py>, args: &Args<'_>) -> Result<PyResult<Bound<'py, PyAny>>> {
        let callable = self.bind(py);
        if !args.named.is_empty() || args.positional.len() > FEW {
            return self.run_with_names(py, args);
        }
        let mut given: [Option<Bound<'py, PyAny>>; FEW] = Default::default();
        for (place, value) in given.iter_mut().zip(args.positional) {
            *place = Some(match value {
                Value::Float(value) => PyFloat::new(py, *value).into_any(),
                other => to_python(py, other)?,
            });
        }
        Ok(vector::call(callable, &given, args.positional.len()))
    }

    fn run_with_names<'py>(&self, py: Python<'py>, args: &Args<'_>) -> Result<PyResult<Bound<'py, PyAny>>> {
        let given: Vec<_> =
            args.positional.iter().map(|value| to_python(py, value)).collect::<Result<_>>()?;
        let given = PyTuple::new(py, given).map_err(|error| error::unexpected(py, &error))?;
        let named = PyDict::new(py);
        for (name, value) in args.named {
            let value = to_python(py, value)?;
            named.set_item(PyString::new(py, name), value).map_err(|error| error::unexpected(py, &error))?;
        }
        Ok(self.bind(py).call(given, Some(&named)))
    }

    /// Awaits what is to be awaited and gives the result as it is wanted.
    fn finish(&self, py: Python<'_>, returned: Bound<'_, PyAny>, call: &Call<'_>) -> Result<Value> {
        if is_plain(&returned) || !waiter::is_awaitable(&returned) {
            return from_python(py, &returned, call.results);
        }
        if call.results == Results::Kept && waiter::is_on_loop(py) {
            if !waiter::is_coroutine(&returned) {
                // What runs by itself, or is more than its answer, is the caller's as it is.
                return from_python(py, &returned, call.results);
            }
            // Who calls from a coroutine awaits the answer there: waiting here would hold up the loop.
            let counted = Counted::enter(py, &self.shared);
            let handed_on = waiter::lead(&returned, &self.name, call.deadline, counted);
            return handed_on.map_err(|error| error::unexpected(py, &error));
        }
        let until = waiter::Until { deadline: call.deadline, cancel: call.cancel };
        match waiter::wait(&returned, &until) {
            Ok(result) => from_python(py, &result, call.results),
            Err(error) => Err(match watch::why_stopped(py, &error) {
                Some(watch::Why::Late) => timed_out(&self.name, None),
                Some(watch::Why::Cancelled) => error::cancelled(&self.name),
                None => self.failed(py, &error),
            }),
        }
    }

    /// A call that may have to be stopped.
    #[cold]
    fn watched(&self, py: Python<'_>, call: &Call<'_>) -> Result<Value> {
        if call.cancel.is_some_and(modrack_core::Cancel::is_cancelled) {
            return Err(error::cancelled(&self.name));
        }
        if call.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(timed_out(&self.name, None));
        }
        let watch = watch::begin(py, call.deadline, call.cancel);
        let result = self.plain(py, call);
        let stopped = watch.end(py);
        match (stopped, result) {
            (Some(watch::Why::Late), _) => Err(timed_out(&self.name, None)),
            (Some(watch::Why::Cancelled), Err(_)) => Err(error::cancelled(&self.name)),
            (_, result) => result,
        }
    }
}

impl Function for PythonFunction {
    #[inline]
    fn call(&self, call: Call<'_>) -> Result<Value> {
        Python::attach(|py| {
            let _under_way = self.shared.enter(py);
            if call.deadline.is_none() && call.cancel.is_none() {
                self.plain(py, &call)
            } else {
                self.watched(py, &call)
            }
        })
    }

    fn signature(&self) -> Option<&Signature> {
        if self.signature.is_some() {
            return self.signature.as_ref();
        }
        Python::attach(|py| {
            // What cannot be asked is as unknown as what has no answer.
            let ask = || start::inspected(self.bind(py)).ok().flatten();
            self.inspected.get_or_init(py, ask).as_ref()
        })
    }
}

/// Whether `object` is of a class that nobody awaits.
pub(crate) fn is_plain(object: &Bound<'_, PyAny>) -> bool {
    object.is_none()
        || object.cast_exact::<PyString>().is_ok()
        || object.cast_exact::<PyInt>().is_ok()
        || object.cast_exact::<PyDict>().is_ok()
        || object.cast_exact::<PyBytes>().is_ok()
}
