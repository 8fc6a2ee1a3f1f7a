//! Imports as code of a generation makes them: `import helper` gives it its own `helper`.
//!
//! `__import__` is replaced once in the process. Code that is of no generation pays a look into its globals;
//! relative imports need no help, because a generation's modules are registered under one package of theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::{PyImportError, PyModuleNotFoundError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyModule, PyString};

use super::finder::Finder;
use super::{Generation, Mark, archive};
use crate::glue::glue;
use crate::modules;
use crate::names::{self, FAMILY};
use crate::sibling;

glue!(static LOGGERS = "loggers");

/// What `__import__` was; none while it is Python's own.
static REPLACED: PyOnceLock<Option<Py<PyAny>>> = PyOnceLock::new();
/// What `importlib.import_module` was.
static IMPORT_MODULE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
/// Whether `logging` gives plain names.
static LOGGING: AtomicBool = AtomicBool::new(false);

/// Puts the hooks in place, once in a process.
///
/// # Errors
/// What Python raised.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    if REPLACED.get(py).is_some() {
        return Ok(());
    }
    sibling::learn_standard(py)?;
    let builtins = modules::get(py, intern!(py, "builtins"))?;
    let before = builtins.getattr(intern!(py, "__import__"))?;
    let own = before.getattr(intern!(py, "__self__")).is_ok_and(|of| of.is(&builtins));
    if REPLACED.set(py, (!own).then(|| before.unbind())).is_err() {
        return Ok(());
    }
    let modules = modules::all(py)?;
    if !modules.contains(FAMILY)? {
        let family = PyModule::new(py, FAMILY)?;
        family.setattr(intern!(py, "__path__"), PyList::empty(py))?;
        modules.set_item(FAMILY, family)?;
    }
    let finders = modules::get(py, intern!(py, "sys"))?.getattr(intern!(py, "meta_path"))?;
    finders.call_method1(intern!(py, "insert"), (0, Finder))?;
    builtins.setattr(intern!(py, "__import__"), wrap_pyfunction!(import_hook, py)?)?;
    if modules.contains(intern!(py, "pickle"))? {
        archive::publish(py)?;
    }
    Ok(())
}

/// `__import__`.
#[pyfunction]
#[pyo3(name = "__import__", signature = (name, globals = None, locals = None, fromlist = None, level = 0))]
fn import_hook<'py>(
    py: Python<'py>,
    name: &Bound<'py, PyAny>,
    globals: Option<&Bound<'py, PyAny>>,
    locals: Option<&Bound<'py, PyAny>>,
    fromlist: Option<&Bound<'py, PyAny>>,
    level: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let asking = Asking { name, globals, locals, fromlist, level };
    match generation_of(py, globals) {
        None => asking.pass_on(name),
        Some(mark) => {
            let imported = asking.within(&mark.get().generation);
            after(py)?;
            imported
        }
    }
}

/// `importlib.import_module`.
#[pyfunction]
#[pyo3(signature = (name, package = None))]
fn import_module<'py>(
    py: Python<'py>,
    name: &Bound<'py, PyAny>,
    package: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(before) = IMPORT_MODULE.get(py) else {
        return Err(PyImportError::new_err("`import_module` is not there yet"));
    };
    if let Some(mark) = generation_of(py, None)
        && let Ok(text) = name.extract::<String>()
        && !text.starts_with('.')
    {
        let generation = &mark.get().generation;
        let top = text.split('.').next().unwrap_or_default();
        if generation.owns(py, top) {
            let globals = globals_here(py);
            let globals = globals.as_ref().and_then(|globals| globals.cast::<PyDict>().ok());
            let imported =
                generation.within(py, globals, || before.bind(py).call1((generation.private(&text),)));
            after(py)?;
            return imported;
        }
    }
    let imported = before.bind(py).call1((name, package));
    after(py)?;
    imported
}

/// One import, as it was asked for.
struct Asking<'a, 'py> {
    name: &'a Bound<'py, PyAny>,
    globals: Option<&'a Bound<'py, PyAny>>,
    locals: Option<&'a Bound<'py, PyAny>>,
    fromlist: Option<&'a Bound<'py, PyAny>>,
    level: i32,
}

impl<'py> Asking<'_, 'py> {
    /// The import as code of `generation` means it.
    fn within(&self, generation: &Arc<Generation>) -> PyResult<Bound<'py, PyAny>> {
        let py = self.name.py();
        let Ok(text) = self.name.cast::<PyString>() else { return self.pass_on(self.name) };
        let text = text.to_str()?;
        if self.level > 0 {
            self.check_level()?;
            return generation.within(py, self.globals_dict(), || self.pass_on(self.name));
        }
        let top = text.split('.').next().unwrap_or_default();
        if top.is_empty() || top == FAMILY {
            return self.pass_on(self.name);
        }
        if generation.owns(py, top) {
            // A file that imports its own name means the installed package of that name, where there is one.
            if text == top && self.is_itself(generation, text) && !is_found(py, generation, text) {
                match self.pass_on(self.name) {
                    Err(error) if is_missing(py, &error, top) => {}
                    answer => return answer,
                }
            }
            return self.private(generation, text, top);
        }
        match self.pass_on(self.name) {
            Err(error) if generation.has_plain_folder(top) && is_missing(py, &error, top) => {
                match self.private(generation, text, top) {
                    Err(inner) if inner.is_instance_of::<PyModuleNotFoundError>(py) => Err(error),
                    answer => answer,
                }
            }
            answer => answer,
        }
    }

    /// Imports the generation's own `text`.
    fn private(&self, generation: &Arc<Generation>, text: &str, top: &str) -> PyResult<Bound<'py, PyAny>> {
        generation.within(self.name.py(), self.globals_dict(), || self.private_now(generation, text, top))
    }

    fn private_now(&self, generation: &Generation, text: &str, top: &str) -> PyResult<Bound<'py, PyAny>> {
        let py = self.name.py();
        let name = PyString::new(py, &generation.private(text)).into_any();
        let leaf = self.pass_on(&name)?;
        if self.names_something()? {
            return Ok(leaf);
        }
        // Without names to take from it, an import gives the first part, which is then gone through.
        let top = generation.private(top);
        match modules::all(py)?.get_item(&top)? {
            Some(module) => Ok(module),
            None => Err(PyModuleNotFoundError::new_err(format!("No module named '{}'", names::plain(&top)))),
        }
    }

    fn globals_dict(&self) -> Option<&Bound<'py, PyDict>> {
        self.globals.and_then(|globals| globals.cast::<PyDict>().ok())
    }

    fn is_itself(&self, generation: &Generation, text: &str) -> bool {
        let Some(globals) = self.globals.and_then(|globals| globals.cast::<PyDict>().ok()) else {
            return false;
        };
        let py = globals.py();
        let own = globals.get_item(intern!(py, "__name__")).ok().flatten();
        let own = own.and_then(|own| own.extract::<String>().ok());
        own.is_some_and(|own| generation.plain(&own) == Some(text))
            && !globals.contains(intern!(py, "__path__")).unwrap_or(false)
    }

    fn names_something(&self) -> PyResult<bool> {
        self.fromlist.map_or(Ok(false), |names| names.is_truthy())
    }

    /// A relative import stays in its package; above that are only our own names.
    fn check_level(&self) -> PyResult<()> {
        let Some(globals) = self.globals.and_then(|globals| globals.cast::<PyDict>().ok()) else {
            return Ok(());
        };
        let py = globals.py();
        let package = globals.get_item(intern!(py, "__package__"))?;
        let Some(package) = package.and_then(|package| package.extract::<String>().ok()) else {
            return Ok(());
        };
        // `_modrack.HASH.NUMBER` is what a file without a package has.
        let depth = package.matches('.').count().saturating_sub(2).max(1);
        if usize::try_from(self.level).is_ok_and(|level| level > depth) {
            return Err(PyImportError::new_err("attempted relative import beyond top-level package"));
        }
        Ok(())
    }

    /// The import as Python makes it, of `name` in place of the name that was asked for.
    fn pass_on(&self, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = name.py();
        if let Some(Some(before)) = REPLACED.get(py) {
            return before.bind(py).call1((name, self.globals, self.locals, self.fromlist, self.level));
        }
        let raw = |object: Option<&Bound<'py, PyAny>>| object.map_or(std::ptr::null_mut(), Bound::as_ptr);
        #[expect(unsafe_code, reason = "PyO3 has no wrapper of the function behind `__import__`")]
        // SAFETY: `name` is alive, the others are alive or null, as the function allows; it gives a new
        // reference, or null with an exception set.
        unsafe {
            let module = ffi::PyImport_ImportModuleLevelObject(
                name.as_ptr(),
                raw(self.globals),
                raw(self.locals),
                raw(self.fromlist),
                self.level,
            );
            Bound::from_owned_ptr_or_err(py, module)
        }
    }
}

/// The generation of the code that imports: by the globals it gave, else by those of the frame that runs.
fn generation_of<'py>(py: Python<'py>, globals: Option<&Bound<'py, PyAny>>) -> Option<Bound<'py, Mark>> {
    let globals = match globals {
        Some(globals) => globals.clone(),
        None => globals_here(py)?,
    };
    let globals = globals.cast::<PyDict>().ok()?;
    globals.get_item(intern!(py, names::MARK)).ok()??.cast_into::<Mark>().ok()
}

/// The globals of the frame that runs.
fn globals_here(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    #[expect(unsafe_code, reason = "PyO3 has no wrapper for the globals of the frame that runs")]
    // SAFETY: the function gives a borrowed reference or null; it is made an own one at once.
    unsafe {
        Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetGlobals())
    }
}

/// Whether Python's path leads from `top` to the generation's own file, which is not to run a second time.
fn is_found(py: Python<'_>, generation: &Generation, top: &str) -> bool {
    let Some((own, _)) = generation.known(top) else { return false };
    let found = modules::get(py, intern!(py, "_frozen_importlib_external"))
        .and_then(|external| external.getattr(intern!(py, "PathFinder")))
        .and_then(|finder| finder.call_method1(intern!(py, "find_spec"), (top,)))
        .ok()
        .and_then(|spec| names::text(&spec, intern!(py, "origin")));
    found.is_some_and(|found| {
        let same = std::fs::canonicalize(found).ok();
        same.is_some() && same == std::fs::canonicalize(own).ok()
    })
}

/// Whether an error says that `top` itself, and nothing within it, is not there.
fn is_missing(py: Python<'_>, error: &PyErr, top: &str) -> bool {
    error.is_instance_of::<PyModuleNotFoundError>(py)
        && names::text(error.value(py).as_any(), intern!(py, "name")).is_some_and(|name| name == top)
}

/// Has loggers let go of what the generation of this name hung on them, where its successor did so too.
pub(super) fn forget_handlers(py: Python<'_>, prefix: &str) {
    if LOGGING.load(Ordering::Relaxed) {
        // A handler that does not close keeps nothing from going.
        let _ = LOGGERS.get(py, "forget").and_then(|forget| forget.call1((prefix,)));
    }
}

/// What is to be done once code of a generation has got hold of a library that knows modules by name.
fn after(py: Python<'_>) -> PyResult<()> {
    if LOGGING.load(Ordering::Relaxed) && IMPORT_MODULE.get(py).is_some() {
        return Ok(());
    }
    let modules = modules::all(py)?;
    if !LOGGING.load(Ordering::Relaxed)
        && let Some(logging) = modules.get_item(intern!(py, "logging"))?
        && logging.hasattr(intern!(py, "Manager"))?
        && !LOGGING.swap(true, Ordering::Relaxed)
    {
        LOGGERS.get(py, "install")?.call1((logging,))?;
    }
    if IMPORT_MODULE.get(py).is_none()
        && let Some(importlib) = modules.get_item(intern!(py, "importlib"))?
        && let Ok(before) = importlib.getattr(intern!(py, "import_module"))
        && IMPORT_MODULE.set(py, before.unbind()).is_ok()
    {
        importlib.setattr(intern!(py, "import_module"), wrap_pyfunction!(import_module, py)?)?;
    }
    Ok(())
}
