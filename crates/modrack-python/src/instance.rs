//! Started Python modules.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use modrack_core::{
    Code, Description, Entry, Footprint, Function, FunctionInfo, Instance, Remains, Result, Results,
    Signature, State, Text, Value,
};
use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyModule, PyString, PyType};

use crate::call::PythonFunction;
use crate::failure::{self, Doing};
use crate::generation::Generation;
use crate::remains::PythonRemains;
use crate::{convert, error, modules, names};

/// A started Python module.
pub(crate) struct PythonInstance {
    target: Target,
    /// How the module is called in messages.
    shown: String,
    description: Arc<Description>,
    /// Parameters that functions take by name at each call.
    params: Option<Py<PyDict>>,
    for_functions: Vec<Text>,
    generation: Option<Arc<Generation>>,
    shared: Arc<Shared>,
    stopped: Mutex<bool>,
}

/// What fills the slot.
pub(crate) enum Target {
    /// An object, or a module, whose attributes are the functions.
    Object(Py<PyAny>),
    /// One function, alone.
    Function {
        /// The function, with what it is given at each call.
        callable: Py<PyAny>,
        /// Its name.
        name: String,
    },
}

/// What an instance is made of.
pub(crate) struct Made {
    pub(crate) target: Target,
    pub(crate) shown: String,
    pub(crate) description: Arc<Description>,
    pub(crate) params: Option<Py<PyDict>>,
    pub(crate) for_functions: Vec<Text>,
    pub(crate) generation: Option<Arc<Generation>>,
}

/// What the functions of an instance have in common.
#[derive(Default)]
pub(crate) struct Shared {
    /// Calls under way; changed by attached threads only.
    calls: AtomicU64,
}

/// A call under way.
pub(crate) struct UnderWay<'a>(&'a AtomicU64);

/// A call that goes on when its function has returned. It goes on an attached thread.
pub(crate) struct Counted(Arc<Shared>);

impl Counted {
    /// Counts a call for as long as what is given back lives.
    pub(crate) fn enter(py: Python<'_>, shared: &Arc<Shared>) -> Self {
        std::mem::forget(shared.enter(py));
        Self(shared.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        drop(UnderWay(&self.0.calls));
    }
}

impl Shared {
    /// Counts a call for as long as what is given back lives.
    #[inline]
    pub(crate) fn enter<'a>(&'a self, _py: Python<'_>) -> UnderWay<'a> {
        // A load and a store will do: whoever changes the count holds the interpreter's lock.
        self.calls.store(self.calls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        UnderWay(&self.calls)
    }
}

impl Drop for UnderWay<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
    }
}

impl PythonInstance {
    pub(crate) fn new(made: Made) -> Self {
        let Made { target, shown, description, params, for_functions, generation } = made;
        let shared = Arc::default();
        let stopped = Mutex::new(false);
        Self { target, shown, description, params, for_functions, generation, shared, stopped }
    }

    /// What was read of the module before it ran.
    pub(crate) fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// What is known of the function called `name`.
    pub(crate) fn info(&self, name: &str) -> Option<&FunctionInfo> {
        self.description.function(name)
    }

    /// The function called `name`, bound.
    ///
    /// # Errors
    /// [`Code::UnknownFunction`], [`Code::NotCallable`], or what looking it up raised.
    pub(crate) fn find(&self, py: Python<'_>, name: &str) -> Result<PythonFunction> {
        let found = match &self.target {
            Target::Function { callable, name: own } if own == name || name == "__call__" => {
                callable.bind(py).clone()
            }
            Target::Function { .. } => {
                return Err(error::unknown_function(&self.shown, name, &self.functions(py)));
            }
            Target::Object(target) => self.attribute_of(py, target.bind(py), name)?,
        };
        if !found.is_callable() {
            return Err(error::not_callable(&self.shown, name, &names::class_of(&found)));
        }
        let signature = self.info(name).map(|info| info.signature.clone());
        let callable = self.with_params(py, found, signature.as_ref())?;
        let shared = Arc::clone(&self.shared);
        Ok(PythonFunction::new(callable, name.to_owned(), signature, shared))
    }

    fn attribute_of<'py>(
        &self,
        py: Python<'py>,
        target: &Bound<'py, PyAny>,
        name: &str,
    ) -> Result<Bound<'py, PyAny>> {
        if name.starts_with('_') && name != "__call__" && self.info(name).is_none() {
            return Err(error::private(&self.shown, name, Code::UnknownFunction));
        }
        match target.getattr(name) {
            Ok(found) => Ok(found),
            Err(raised) if is_absence(py, &raised, target, name) => {
                if let Entry::Class(class) = &self.description.entry
                    && is_beside(target, name)
                {
                    return Err(error::left_out(&self.shown, name, class));
                }
                Err(error::unknown_function(&self.shown, name, &self.functions(py)))
            }
            Err(raised) => Err(failure::of(py, &raised, Doing::Call(name))),
        }
    }

    /// A function with the parameters that it is given by name at each call.
    fn with_params(
        &self,
        py: Python<'_>,
        function: Bound<'_, PyAny>,
        signature: Option<&Signature>,
    ) -> Result<Py<PyAny>> {
        let (Some(params), false) = (&self.params, self.for_functions.is_empty()) else {
            return Ok(function.unbind());
        };
        let bound = || -> PyResult<Py<PyAny>> {
            let given = PyDict::new(py);
            let takes = crate::start::named_by(&function, signature)?;
            for name in &self.for_functions {
                if takes(name)
                    && let Some(value) = params.bind(py).get_item(&**name)?
                {
                    given.set_item(&**name, value)?;
                }
            }
            if given.is_empty() {
                return Ok(function.clone().unbind());
            }
            crate::start::partial(&function, &given)
        };
        bound().map_err(|error| error::unexpected(py, &error))
    }

    /// The names of its functions.
    fn functions(&self, py: Python<'_>) -> Vec<String> {
        match &self.target {
            Target::Function { name, .. } => vec![name.clone()],
            Target::Object(target) => {
                let target = target.bind(py);
                let mut all = public_names(py, target);
                all.retain(|name| {
                    target
                        .getattr(name.as_str())
                        .is_ok_and(|found| found.is_callable() && found.cast::<PyType>().is_err())
                });
                all
            }
        }
    }

    /// Calls a function of the module's life, if it has one of these names.
    fn lifecycle<'py>(
        &self,
        py: Python<'py>,
        wanted: &[&'static str],
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Target::Object(target) = &self.target else { return Ok(None) };
        let target = target.bind(py);
        for name in wanted {
            if let Some(function) = target.getattr_opt(*name)?
                && function.is_callable()
            {
                return Ok(Some(function));
            }
        }
        Ok(None)
    }
}

impl Instance for PythonInstance {
    fn function(&self, name: &str) -> Result<Arc<dyn Function>> {
        Python::attach(|py| Ok(Arc::new(self.find(py, name)?) as Arc<dyn Function>))
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        Python::attach(|py| {
            let target = match &self.target {
                Target::Object(target) => target.bind(py),
                Target::Function { callable, .. } => callable.bind(py),
            };
            let dunder = name.starts_with("__") && name.ends_with("__");
            if name.starts_with('_') && !dunder {
                return Err(error::private(&self.shown, name, Code::UnknownAttribute));
            }
            match target.getattr(name) {
                Ok(found) => convert::from_python(py, &found, Results::Converted),
                Err(raised) if is_absence(py, &raised, target, name) => {
                    Err(error::unknown_attribute(&self.shown, name, &public_names(py, target)))
                }
                Err(raised) => Err(failure::of(py, &raised, Doing::Call(name))),
            }
        })
    }

    fn names(&self) -> Vec<String> {
        Python::attach(|py| match &self.target {
            Target::Function { name, .. } => vec![name.clone()],
            Target::Object(target) => public_names(py, target.bind(py)),
        })
    }

    fn export_state(&self) -> Result<Option<State>> {
        Python::attach(|py| {
            let export = self.lifecycle(py, &["export_state"]).map_err(|e| error::unexpected(py, &e))?;
            let Some(export) = export else { return Ok(None) };
            let state = export.call0().map_err(|e| failure::of(py, &e, Doing::Call("export_state")))?;
            let value = convert::data(&state).map_err(convert::Unfit::into_error)?;
            let version = self.description.version.as_ref().map(ToString::to_string);
            Ok(Some(State { version, value }))
        })
    }

    fn import_state(&self, state: &State) -> Result<bool> {
        Python::attach(|py| {
            let unexpected = |e: PyErr| error::unexpected(py, &e);
            let Some(import) = self.lifecycle(py, &["import_state"]).map_err(unexpected)? else {
                return Ok(false);
            };
            let value = convert::to_python(py, &state.value)?;
            let both = (value.clone(), state.version.as_deref());
            let takes_both = py
                .import(intern!(py, "inspect"))
                .and_then(|inspect| inspect.call_method1(intern!(py, "signature"), (&import,)))
                .and_then(|signature| signature.call_method1(intern!(py, "bind"), both.clone()))
                .is_ok();
            let done = if takes_both { import.call1(both) } else { import.call1((value,)) };
            done.map(|_| true).map_err(|e| failure::of(py, &e, Doing::Call("import_state")))
        })
    }

    fn stop(&self, within: Duration) -> Result<()> {
        {
            let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            if std::mem::replace(&mut *stopped, true) {
                return Ok(());
            }
        }
        Python::attach(|py| {
            let result =
                crate::start::shut_down(py, self.lifecycle(py, &["shutdown", "stop"]), &self.shown, within);
            if let Some(generation) = &self.generation {
                generation.forget(py);
            }
            result
        })
    }

    fn remains(&self) -> Vec<Arc<dyn Remains>> {
        let generation = self.generation.iter();
        generation.map(|g| Arc::new(PythonRemains::new(g, &self.shared)) as Arc<dyn Remains>).collect()
    }

    fn footprint(&self) -> Footprint {
        let held = self.generation.as_ref().map(|generation| generation.bytes());
        let is_stopped = *self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let is_freed = self.generation.as_ref().is_none_or(|generation| generation.is_freed());
        Footprint {
            bytes: held,
            calls: self.shared.calls.load(Ordering::Relaxed),
            kept: if is_stopped && !is_freed { held.unwrap_or(0) } else { 0 },
            hash: self.description.hash.clone(),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Whether an `AttributeError` says that `target` has no `name`, and not something about what `name` does.
fn is_absence(py: Python<'_>, raised: &PyErr, target: &Bound<'_, PyAny>, name: &str) -> bool {
    if !raised.is_instance_of::<PyAttributeError>(py) {
        return false;
    }
    let value = raised.value(py);
    let of = value.getattr(intern!(py, "obj")).ok();
    let named = names::text(value.as_any(), intern!(py, "name"));
    match (of, named) {
        (Some(of), Some(named)) => of.is(target) && named == name,
        // A `__getattr__` that raises without saying of what.
        _ => true,
    }
}

/// Whether the module that an object's class is of has a function called `name`.
fn is_beside(target: &Bound<'_, PyAny>, name: &str) -> bool {
    let py = target.py();
    let module = target.get_type().getattr(intern!(py, "__module__"));
    let module = module.and_then(|module| modules::all(py)?.get_item(module)).ok().flatten();
    let found = module.and_then(|module| module.getattr(name).ok());
    found.is_some_and(|found| found.is_callable() && found.cast::<PyType>().is_err())
}

/// The public names of an object: what a module says in `__all__`, else what is its own.
pub(crate) fn public_names(py: Python<'_>, target: &Bound<'_, PyAny>) -> Vec<String> {
    if let Ok(module) = target.cast::<PyModule>() {
        return module_names(py, module);
    }
    let Ok(listed) = target.dir() else { return Vec::new() };
    texts(&listed).into_iter().filter(|name| !name.starts_with('_')).collect()
}

fn module_names(py: Python<'_>, module: &Bound<'_, PyModule>) -> Vec<String> {
    if let Ok(all) = module.getattr(intern!(py, "__all__"))
        && let Ok(all) = all.try_iter()
    {
        return all.filter_map(|name| name.ok()?.extract().ok()).collect();
    }
    let own = names::text(module.as_any(), intern!(py, "__name__"));
    let mut found = Vec::new();
    for (name, value) in module.dict().iter() {
        let Ok(name) = name.extract::<String>() else { continue };
        if name.starts_with('_') || value.cast::<PyModule>().is_ok() {
            continue;
        }
        // Functions and classes say where they are from; what was imported is not the module's own.
        let from = if value.is_callable() { names::text(&value, intern!(py, "__module__")) } else { None };
        if from.is_none() || from == own || own.as_deref().is_some_and(|own| is_within(from.as_deref(), own))
        {
            found.push(name);
        }
    }
    found
}

/// Whether something comes from inside the package `own`.
fn is_within(from: Option<&str>, own: &str) -> bool {
    from.and_then(|from| from.strip_prefix(own)).is_some_and(|rest| rest.starts_with('.'))
}

fn texts(list: &Bound<'_, PyList>) -> Vec<String> {
    list.iter()
        .filter_map(|name| Some(name.cast_into::<PyString>().ok()?.to_string_lossy().into_owned()))
        .collect()
}
