//! Starting a module: loading it, finding what of it fills the slot, constructing and initializing that.
//!
//! How parameters are bound is decided by `modrack_pysource`; what cannot be read without running is asked of
//! the interpreter here.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use modrack_core::{
    Attr, Code, Description, Entry, Error, Origin, Param, ParamKind, Phase, Result, Service, Signature,
    Start, Started, Text, Type,
};
use modrack_pysource::{Binding, StartPlan, bind, plan_start};
use pyo3::exceptions::{PyAttributeError, PyModuleNotFoundError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule, PyTuple, PyType};

use crate::convert::mapping;
use crate::failure::{self, Doing};
use crate::generation::{Basis, Generation};
use crate::glue::glue;
use crate::instance::{Made, PythonInstance, Target};
use crate::service::ServiceProxy;
use crate::sibling::{Home, locate};
use crate::sources::Sources;
use crate::store::{Source, Store};
use crate::waiter::{self, Until};
use crate::{error, generation, modules, names, watch};

glue!(static INSPECT = "inspect");

/// Classes that Python marks as abstract have this bit among their flags.
const IS_ABSTRACT: u64 = 1 << 20;

/// Starts a module from its files as they were described, where it has any.
///
/// # Errors
/// A failure of phase load or start.
pub(crate) fn start(
    py: Python<'_>,
    store: &Store,
    start: &Start<'_>,
    sources: Option<Arc<Sources>>,
) -> Result<Started> {
    let shown = shown(start);
    let begun = Instant::now();
    let (module, generation) = load(py, store, start, (sources, &shown))?;
    let loaded = begun.elapsed();
    let starting = Starting { py, start, shown: &shown, module };
    match starting.make(generation.clone()) {
        Ok(instance) => Ok(Started {
            instance: Arc::new(instance),
            load: loaded,
            start: begun.elapsed().saturating_sub(loaded),
        }),
        Err(error) => {
            if let Some(generation) = generation {
                generation.forget(py);
            }
            Err(error)
        }
    }
}

/// Calls a function by which a module is shut down.
pub(crate) fn shut_down(
    py: Python<'_>,
    function: PyResult<Option<Bound<'_, PyAny>>>,
    shown: &str,
    within: Duration,
) -> Result<()> {
    let failed = |error: &PyErr| failure::of(py, error, Doing::Stop(shown));
    let Some(function) = function.map_err(|error| failed(&error))? else { return Ok(()) };
    let deadline = Instant::now().checked_add(within);
    let watch = watch::begin(py, deadline, None);
    let until = Until { deadline, cancel: None };
    let result = function.call0().and_then(|returned| awaited(returned, &until));
    let late = watch.end(py).is_some();
    match result {
        Ok(_) => Ok(()),
        // A `stop` that must be given something is no end of the module's life.
        Err(error) if error.is_instance_of::<PyTypeError>(py) && error.traceback(py).is_none() => Ok(()),
        Err(_) if late => {
            Err(Error::new(Code::StopFailed, format!("`{shown}` did not shut down in time"))
                .phase(Phase::Stop))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Says of a name whether a function can be given a parameter so called.
pub(crate) type NamedBy<'a> = Box<dyn Fn(&str) -> bool + 'a>;

/// Whether a function can be given a parameter by name, asked of its signature or of its code.
///
/// # Errors
/// What Python raised when it was asked.
pub(crate) fn named_by<'a>(
    function: &Bound<'_, PyAny>,
    signature: Option<&'a Signature>,
) -> PyResult<NamedBy<'a>> {
    if let Some(signature) = signature {
        return Ok(Box::new(move |name| {
            signature.named(name).is_some() || signature.params.iter().any(|p| p.kind == ParamKind::NamedRest)
        }));
    }
    let py = function.py();
    let Some(code) = function.getattr_opt(intern!(py, "__code__"))? else {
        return Ok(Box::new(|_| false));
    };
    let count = code.getattr(intern!(py, "co_argcount"))?.extract::<usize>()?
        + code.getattr(intern!(py, "co_kwonlyargcount"))?.extract::<usize>()?;
    let by_position = code.getattr(intern!(py, "co_posonlyargcount"))?.extract::<usize>()?;
    let takes_any = code.getattr(intern!(py, "co_flags"))?.extract::<u32>()? & 0x08 != 0;
    let mut known: Vec<String> = code.getattr(intern!(py, "co_varnames"))?.extract()?;
    known.truncate(count);
    known.drain(..by_position.min(known.len()));
    Ok(Box::new(move |name| takes_any || known.iter().any(|known| known == name)))
}

/// A function that is given `named` at each call.
///
/// # Errors
/// What Python raised.
pub(crate) fn partial(function: &Bound<'_, PyAny>, named: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
    let py = function.py();
    let partial = modules::get(py, intern!(py, "_functools"))?.getattr(intern!(py, "partial"))?;
    Ok(partial.call((function,), Some(named))?.unbind())
}

/// The module as messages call it: its path within the rack's folder, or what `use` says.
fn shown(start: &Start<'_>) -> String {
    match start.origin {
        Origin::File { path, attr } => {
            let path = path.strip_prefix(start.root).unwrap_or(path).display();
            attr.as_ref().map_or_else(|| path.to_string(), |attr| format!("{path}:{attr}"))
        }
        other => other.to_string(),
    }
}

type Loaded<'py> = (Bound<'py, PyModule>, Option<Arc<Generation>>);

/// Runs the module's top level.
fn load<'py>(
    py: Python<'py>,
    store: &Store,
    start: &Start<'_>,
    (sources, shown): (Option<Arc<Sources>>, &str),
) -> Result<Loaded<'py>> {
    let hash = start.description.hash.as_ref();
    let failed = |error: &PyErr| failure::of(py, error, Doing::Load(shown));
    let new = |from: Basis, hash: &str| {
        Generation::new(py, hash, start.generation.0, from, store).map_err(|e| error::unexpected(py, &e))
    };
    let (generation, module) = match start.origin {
        Origin::File { path, .. } => {
            let short = hash.map_or("0", |hash| hash.short());
            match sources {
                Some(sources) => {
                    let generation = new(Basis::Sources(sources.clone()), short)?;
                    let module = generation.load(py, &sources);
                    (generation, module)
                }
                None => {
                    let known = generation::loaded_extension(path);
                    let name = known.or_else(|| modrack_pysource::extension_module(path));
                    let name = name.ok_or_else(error::changed)?;
                    let home = locate(path, Path::is_file).home;
                    let generation = new(Basis::Home(home), short)?;
                    let module = generation.load_extension(py, &name, path);
                    (generation, module)
                }
            }
        }
        Origin::Source { name, text, .. } => {
            let source = Source::new(format!("<{name}>"), text.as_bytes().to_vec());
            let generation = new(Basis::Home(Home::Nowhere), source.text.hash.get(..12).unwrap_or("0"))?;
            let plain: String =
                name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
            let module = generation.load_source(py, &plain, source);
            (generation, module)
        }
        Origin::Import { module, .. } => {
            return match imported(py, module) {
                Ok(found) => Ok((found, None)),
                Err(error) if is_absent(py, &error, module) => Err(not_there(py, module)),
                Err(error) => Err(failed(&error)),
            };
        }
        Origin::Host { name } => {
            return Err(Error::new(
                Code::Internal,
                format!("`{name}` is an object of the host, not a Python module"),
            ));
        }
    };
    match module {
        Ok(module) => Ok((module, Some(generation))),
        Err(error) => {
            let told = failed(&error);
            drop(error);
            generation.forget(py);
            Err(told)
        }
    }
}

/// Imports a module by its name; what Python remembers of folders is asked again before it is given up.
fn imported<'py>(py: Python<'py>, module: &str) -> PyResult<Bound<'py, PyModule>> {
    match py.import(module) {
        Err(error) if is_absent(py, &error, module) => {
            modules::get(py, intern!(py, "_frozen_importlib_external"))?
                .getattr(intern!(py, "PathFinder"))?
                .call_method0(intern!(py, "invalidate_caches"))?;
            py.import(module)
        }
        answer => answer,
    }
}

fn is_absent(py: Python<'_>, error: &PyErr, module: &str) -> bool {
    error.is_instance_of::<PyModuleNotFoundError>(py)
        && names::text(error.value(py).as_any(), intern!(py, "name"))
            .is_some_and(|name| module == name || module.starts_with(&format!("{name}.")))
}

fn not_there(py: Python<'_>, module: &str) -> Error {
    let top = module.split('.').next().unwrap_or(module);
    Error::new(Code::ModuleNotFound, format!("Python finds no module `{module}`"))
        .phase(Phase::Load)
        .hint(failure::install(py, top))
}

/// A loaded module, on the way to an instance.
struct Starting<'a, 'py> {
    py: Python<'py>,
    start: &'a Start<'a>,
    shown: &'a str,
    module: Bound<'py, PyModule>,
}

impl<'py> Starting<'_, 'py> {
    fn make(&self, generation: Option<Arc<Generation>>) -> Result<PythonInstance> {
        let py = self.py;
        let (object, entry) = self.entry()?;
        let description = self.described(&object, entry)?;
        let needs: Vec<Text> = self.start.services.iter().map(|(name, _)| name.clone()).collect();
        let plan = plan_start(&description, self.start.params, &needs);
        let params = mapping(py, self.start.params)?;
        let built = self.build(&description, &object, &plan, &params)?;
        if let Target::Object(target) = &built {
            let target = target.bind(py);
            self.inject(target, &plan)?;
            self.initialize(target, &description, &plan, &params)?;
        }
        let params = (!plan.for_functions.is_empty()).then(|| params.unbind());
        Ok(PythonInstance::new(Made {
            target: built,
            shown: self.shown.to_owned(),
            description: Arc::new(description),
            params,
            for_functions: plan.for_functions,
            generation,
        }))
    }

    /// What is named, or what fills the slot when nothing is, as the running module has it.
    fn entry(&self) -> Result<(Bound<'py, PyAny>, Entry)> {
        let module = self.module.as_any();
        Ok(match &self.start.description.entry {
            Entry::Module => (module.clone(), Entry::Module),
            Entry::Factory(name) => (self.find(name)?, Entry::Factory(name.clone())),
            Entry::Class(name) | Entry::Function(name) | Entry::Object(name) => {
                let object = self.find(name)?;
                let entry = kind_of(&object, name);
                (object, entry)
            }
            Entry::Unknown => match self.start.origin.attr() {
                Some(Attr { path, factory: true }) => (self.find(path)?, Entry::Factory(path.clone())),
                Some(Attr { path, factory: false }) => {
                    let object = self.find(path)?;
                    let entry = kind_of(&object, path);
                    (object, entry)
                }
                None => self.unnamed()?,
            },
        })
    }

    /// What fills the slot of a module that names nothing and could not be read.
    fn unnamed(&self) -> Result<(Bound<'py, PyAny>, Entry)> {
        let module = self.module.as_any();
        if matches!(self.start.origin, Origin::Import { .. }) {
            return Ok((module.clone(), Entry::Module));
        }
        let found = || -> PyResult<Vec<(String, Bound<'py, PyType>)>> {
            let own = self.module.name()?;
            let mut classes = Vec::new();
            for (name, value) in self.module.dict().iter() {
                let name = name.extract::<String>()?;
                if let Ok(class) = value.cast_into::<PyType>()
                    && !name.starts_with('_')
                    && class.getattr(intern!(self.py, "__module__"))?.eq(&own)?
                    && is_concrete(&class)?
                {
                    classes.push((name, class));
                }
            }
            Ok(classes)
        };
        if let Ok(Some(create)) = module.getattr_opt(intern!(self.py, "create"))
            && create.is_callable()
        {
            return Ok((create, Entry::Factory("create".to_owned())));
        }
        let mut classes = found().map_err(|error| error::unexpected(self.py, &error))?;
        match classes.len() {
            0 => Ok((module.clone(), Entry::Module)),
            1 => {
                let (name, class) = classes.remove(0);
                Ok((class.into_any(), Entry::Class(name)))
            }
            _ => {
                let names: Vec<String> = classes.into_iter().map(|(name, _)| name).collect();
                Err(error::ambiguous(self.shown, &names))
            }
        }
    }

    /// The object that a dotted name of the module stands for.
    fn find(&self, path: &str) -> Result<Bound<'py, PyAny>> {
        let mut object = self.module.clone().into_any();
        for part in path.split('.') {
            object = match object.getattr(part) {
                Ok(next) => next,
                Err(error) if error.is_instance_of::<PyAttributeError>(self.py) => {
                    let known = crate::instance::public_names(self.py, &object);
                    return Err(error::missing_name(self.shown, part, &known));
                }
                Err(error) => return Err(failure::of(self.py, &error, Doing::Load(self.shown))),
            };
        }
        Ok(object)
    }

    /// The description, with what could only be known now.
    fn described(&self, object: &Bound<'py, PyAny>, entry: Entry) -> Result<Description> {
        let mut description = self.start.description.clone();
        description.entry = entry;
        let is_called = matches!(description.entry, Entry::Class(_) | Entry::Factory(_) | Entry::Function(_));
        let is_given = !self.start.params.is_empty() || !self.start.services.is_empty();
        if is_called && is_given && description.constructor.is_none() {
            description.constructor =
                inspected(object).map_err(|error| error::unexpected(self.py, &error))?;
        }
        Ok(description)
    }

    /// Constructs what is to be constructed.
    fn build(
        &self,
        description: &Description,
        object: &Bound<'py, PyAny>,
        plan: &StartPlan,
        params: &Bound<'py, PyDict>,
    ) -> Result<Target> {
        let py = self.py;
        let given = self.given(plan, params)?;
        match &description.entry {
            Entry::Function(name) => {
                let callable = if given.is_empty() {
                    object.clone().unbind()
                } else {
                    partial(object, &given).map_err(|error| error::unexpected(py, &error))?
                };
                let own = name.rsplit('.').next().unwrap_or(name).to_owned();
                Ok(Target::Function { callable, name: own })
            }
            Entry::Class(_) | Entry::Factory(_) => {
                let made = self.called(object, &given, Doing::Construct(self.shown))?;
                // A `create` that only prepares its module leaves the module to serve.
                let made = if made.is_none() { self.module.clone().into_any() } else { made };
                let is_function =
                    made.cast::<PyType>().is_err() && made.hasattr(intern!(py, "__code__")).unwrap_or(false);
                if is_function {
                    let name = names::text(&made, intern!(py, "__name__")).unwrap_or_default();
                    return Ok(Target::Function { callable: made.unbind(), name });
                }
                Ok(Target::Object(made.unbind()))
            }
            Entry::Module | Entry::Object(_) | Entry::Unknown => Ok(Target::Object(object.clone().unbind())),
        }
    }

    /// The arguments of the class, factory or function.
    fn given(&self, plan: &StartPlan, params: &Bound<'py, PyDict>) -> Result<Bound<'py, PyDict>> {
        let given = arguments(&plan.construct, params).map_err(|error| error::unexpected(self.py, &error))?;
        for name in &plan.injected {
            let proxy = self.proxy(name)?;
            given.set_item(&**name, proxy).map_err(|error| error::unexpected(self.py, &error))?;
        }
        Ok(given)
    }

    fn inject(&self, target: &Bound<'py, PyAny>, plan: &StartPlan) -> Result<()> {
        for name in &plan.attributes {
            let proxy = self.proxy(name)?;
            target
                .setattr(&**name, proxy)
                .map_err(|error| failure::of(self.py, &error, Doing::Construct(self.shown)))?;
        }
        Ok(())
    }

    fn initialize(
        &self,
        target: &Bound<'py, PyAny>,
        description: &Description,
        plan: &StartPlan,
        params: &Bound<'py, PyDict>,
    ) -> Result<()> {
        let py = self.py;
        let unexpected = |error: PyErr| error::unexpected(py, &error);
        let (function, binding) = match &plan.initialize {
            Some((name, binding)) => match target.getattr_opt(name.as_str()).map_err(unexpected)? {
                Some(function) => (function, binding.clone()),
                None => return Ok(()),
            },
            // An instance whose class could not be read may have one all the same.
            None if description.open && matches!(description.entry, Entry::Class(_) | Entry::Factory(_)) => {
                match target.getattr_opt(intern!(py, "initialize")).map_err(unexpected)? {
                    Some(function) if function.is_callable() => {
                        let signature = inspected(&function).map_err(unexpected)?;
                        let binding = bind(signature.as_ref(), self.start.params, &[]);
                        (function, binding)
                    }
                    _ => return Ok(()),
                }
            }
            None => return Ok(()),
        };
        let given = arguments(&binding, params).map_err(unexpected)?;
        self.called(&function, &given, Doing::Initialize(self.shown))?;
        Ok(())
    }

    /// What calling `function` gives, awaited if need be.
    fn called(
        &self,
        function: &Bound<'py, PyAny>,
        given: &Bound<'py, PyDict>,
        doing: Doing<'_>,
    ) -> Result<Bound<'py, PyAny>> {
        let py = self.py;
        let args = PyTuple::empty(py);
        let result = function.call(args, Some(given)).and_then(|made| awaited(made, &Until::default()));
        result.map_err(|error| {
            let told = failure::of(py, &error, doing);
            let unbound = error.is_instance_of::<PyTypeError>(py) && error.traceback(py).is_none();
            match (&self.start.description.constructor, unbound) {
                (Some(signature), true) => {
                    told.hint(format!("It takes `{signature}`; look at the slot's `params`"))
                }
                _ => told,
            }
        })
    }

    fn proxy(&self, name: &Text) -> Result<Py<ServiceProxy>> {
        let found: Option<&Arc<dyn Service>> =
            self.start.services.iter().find(|(given, _)| given == name).map(|(_, service)| service);
        let Some(service) = found else {
            return Err(Error::new(Code::Internal, format!("No service was given for `{name}`")));
        };
        ServiceProxy::make(self.py, Arc::clone(service)).map_err(|error| error::unexpected(self.py, &error))
    }
}

/// The arguments that a binding gives, by name.
fn arguments<'py>(binding: &Binding, params: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
    let py = params.py();
    let given = PyDict::new(py);
    let pick = |into: &Bound<'py, PyDict>, names: &[Text]| -> PyResult<()> {
        for name in names {
            if let Some(value) = params.get_item(&**name)? {
                into.set_item(&**name, value)?;
            }
        }
        Ok(())
    };
    match binding {
        Binding::Nothing => {}
        Binding::Keywords(names) => pick(&given, names)?,
        Binding::Mapping { parameter, keys, by_name } => {
            let whole = PyDict::new(py);
            pick(&whole, keys)?;
            given.set_item(parameter, whole)?;
            pick(&given, by_name)?;
        }
    }
    Ok(given)
}

fn awaited<'py>(returned: Bound<'py, PyAny>, until: &Until<'_>) -> PyResult<Bound<'py, PyAny>> {
    if waiter::is_awaitable(&returned) { waiter::wait(&returned, until) } else { Ok(returned) }
}

/// What kind of thing a name stands for, once it is there.
fn kind_of(object: &Bound<'_, PyAny>, name: &str) -> Entry {
    let py = object.py();
    if object.cast::<PyType>().is_ok() {
        Entry::Class(name.to_owned())
    } else if object.hasattr(intern!(py, "__code__")).unwrap_or(false) || is_builtin_function(object) {
        Entry::Function(name.to_owned())
    } else {
        Entry::Object(name.to_owned())
    }
}

/// Whether `object` is a function, method or partial of C code.
fn is_builtin_function(object: &Bound<'_, PyAny>) -> bool {
    let class = names::class_of(object);
    matches!(
        class.as_str(),
        "builtin_function_or_method" | "method" | "method_descriptor" | "functools.partial" | "numpy.ufunc"
    ) || (object.is_callable() && object.hasattr("__wrapped__").unwrap_or(false))
}

/// Whether instances can be made of a class, and it is no exception, enumeration or protocol.
fn is_concrete(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let flags = class.getattr(intern!(py, "__flags__"))?.extract::<u64>()?;
    let is_protocol =
        class.getattr_opt(intern!(py, "_is_protocol"))?.is_some_and(|p| p.is_truthy().unwrap_or(false));
    let is_enum = class.hasattr(intern!(py, "__members__"))?;
    let is_exception = class.is_subclass_of::<pyo3::exceptions::PyBaseException>()?;
    Ok(flags & IS_ABSTRACT == 0 && !is_protocol && !is_enum && !is_exception)
}

/// The signature of something that could not be read, as the interpreter knows it; none where that is nothing.
///
/// # Errors
/// What Python raised when it was asked.
pub(crate) fn inspected(object: &Bound<'_, PyAny>) -> PyResult<Option<Signature>> {
    let py = object.py();
    let told = INSPECT.get(py, "signature")?.call1((object,))?;
    if told.is_none() {
        return Ok(None);
    }
    let told: Vec<(String, String, bool, bool)> = told.extract()?;
    let params = told.into_iter().map(|(name, kind, has_default, is_mapping)| Param {
        name,
        ty: if is_mapping { Type::Map(Box::new(Type::Any)) } else { Type::Any },
        kind: match kind.as_str() {
            "positional" => ParamKind::Positional,
            "named" => ParamKind::Named,
            "rest" => ParamKind::Rest,
            "named-rest" => ParamKind::NamedRest,
            _ => ParamKind::Either,
        },
        default: has_default.then(|| "...".to_owned()),
        annotation: None,
    });
    Ok(Some(Signature { params: params.collect(), ..Signature::default() }))
}
