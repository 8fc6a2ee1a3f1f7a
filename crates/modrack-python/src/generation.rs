//! Generations: one started version of a module, with everything under its root private to it.
//!
//! A generation's modules are registered under names of their own, found by its own finder, and read once: those that belong to
//! the module before anything of it runs ([`Sources`]), others of its folder when they are first imported.
//! Nothing of one generation meets another; what is installed is shared by the process.

mod archive;
mod finder;
mod importing;
mod loader;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use pyo3::exceptions::PyImportError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyModule};

use crate::modules;
use crate::names::{self, FAMILY};
use crate::sibling::Home;
use crate::sources::{Held, Sources};
use crate::store::{Source, Store};

pub(crate) use archive::resume;
pub(crate) use importing::install;

/// One generation's names, files and modules.
pub(crate) struct Generation {
    /// `_modrack.HASH.NUMBER`, without the final dot.
    prefix: String,
    home: Home,
    /// What belongs to the module; none for source without a file, and for an extension.
    sources: Option<Arc<Sources>>,
    store: Store,
    /// What was read, by plain dotted name.
    read: Mutex<HashMap<String, Entry>>,
    /// Whether the first part of an absolute import is the generation's own, as far as that was asked.
    owned: Mutex<HashMap<String, bool>>,
    /// How many of its modules' globals are alive.
    marks: AtomicUsize,
    /// Whether its names were taken away.
    forgotten: AtomicBool,
    /// How many imports are under way for which they are there again.
    returned: AtomicUsize,
}

/// Generations that other processes made, for as long as this one runs.
static RESTORED: Mutex<Vec<Arc<Generation>>> = Mutex::new(Vec::new());

/// The extensions that were loaded, by their files, and what each is called: their code stays, whatever stands in the files by now.
static EXTENSIONS: LazyLock<Mutex<HashMap<PathBuf, String>>> = LazyLock::new(Mutex::default);

/// A module that a generation has read, or is to read from the store.
#[derive(Clone)]
struct Entry {
    source: Source,
    is_package: bool,
}

/// What a generation is made from.
pub(crate) enum Basis {
    /// What was read of the module.
    Sources(Arc<Sources>),
    /// What its imports find in its home.
    Home(Home),
}

/// What stands in the globals of each module of a generation: it lives as long as they do.
#[pyclass(frozen, module = "_modrack")]
pub(crate) struct Mark {
    pub(crate) generation: Arc<Generation>,
}

impl Generation {
    /// Makes the names of a generation known; nothing runs yet.
    ///
    /// # Errors
    /// What changing `sys.modules` raised.
    pub(crate) fn new(
        py: Python<'_>,
        hash: &str,
        number: u64,
        from: Basis,
        store: &Store,
    ) -> PyResult<Arc<Self>> {
        install(py)?;
        let modules = modules::all(py)?;
        let mut number = number;
        let prefix = loop {
            let prefix = format!("{FAMILY}.{hash}.{number}");
            if !modules.contains(&prefix)? {
                break prefix;
            }
            number += 1;
        };
        Self::named(py, prefix, from, store.clone(), HashMap::new())
    }

    /// Makes a generation known that another process made.
    fn restored(
        py: Python<'_>,
        prefix: String,
        from: Basis,
        store: Store,
        read: HashMap<String, Entry>,
    ) -> PyResult<Arc<Self>> {
        let generation = Self::named(py, prefix, from, store, read)?;
        // Nobody else holds it, and nobody tells when its last module goes.
        lock(&RESTORED).push(Arc::clone(&generation));
        Ok(generation)
    }

    fn named(
        py: Python<'_>,
        prefix: String,
        from: Basis,
        store: Store,
        read: HashMap<String, Entry>,
    ) -> PyResult<Arc<Self>> {
        let (home, sources) = match from {
            Basis::Sources(sources) => (sources.located.home.clone(), Some(sources)),
            Basis::Home(home) => (home, None),
        };
        modules::all(py)?.set_item(&prefix, package(py, &prefix)?)?;
        let generation = Arc::new(Self {
            prefix,
            home,
            sources,
            store,
            read: Mutex::new(read),
            owned: Mutex::default(),
            marks: AtomicUsize::new(0),
            forgotten: AtomicBool::new(false),
            returned: AtomicUsize::new(0),
        });
        living().insert(generation.prefix.clone(), Arc::downgrade(&generation));
        Ok(generation)
    }

    /// Runs the module of `sources`, which the generation is made from, and gives it.
    ///
    /// # Errors
    /// What its top level raised.
    pub(crate) fn load<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
        sources: &Sources,
    ) -> PyResult<Bound<'py, PyModule>> {
        let located = &sources.located;
        let path = &located.file.path;
        let regular = path.extension().is_some_and(|ending| ending == "py")
            && path.file_stem().is_some_and(|stem| stem.to_str() == located.name.rsplit('.').next());
        if !located.file.is_package && !regular {
            // A file that no import would find by its name: it is read here, and found as already read.
            self.read_file(py, &located.name, path, false)?;
        }
        py.import(self.private(&located.name))
    }

    /// Runs `source`, which stands in no file, as the module `name`.
    ///
    /// # Errors
    /// What its top level raised.
    pub(crate) fn load_source<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
        name: &str,
        source: Source,
    ) -> PyResult<Bound<'py, PyModule>> {
        lock(&self.read).insert(name.to_owned(), Entry { source, is_package: false });
        py.import(self.private(name))
    }

    /// Loads the extension at `path` as the module `name`: its code is the process's, its names are private.
    ///
    /// # Errors
    /// What loading it raised.
    pub(crate) fn load_extension<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
        name: &str,
        path: &Path,
    ) -> PyResult<Bound<'py, PyModule>> {
        let private = self.private(name);
        let external = modules::get(py, intern!(py, "_frozen_importlib_external"))?;
        let place = (&private, path.as_os_str());
        let loader = external.getattr(intern!(py, "ExtensionFileLoader"))?.call1(place)?;
        let named = PyDict::new(py);
        named.set_item(intern!(py, "loader"), &loader)?;
        let spec = external.getattr(intern!(py, "spec_from_file_location"))?.call(place, Some(&named))?;
        let bootstrap = modules::get(py, intern!(py, "_frozen_importlib"))?;
        let module = bootstrap.call_method1(intern!(py, "module_from_spec"), (spec,))?;
        let modules = modules::all(py)?;
        modules.set_item(&private, &module)?;
        match loader.call_method1(intern!(py, "exec_module"), (&module,)) {
            Ok(_) => {
                lock(&EXTENSIONS).insert(path.to_owned(), name.to_owned());
                Ok(module.cast_into::<PyModule>()?)
            }
            Err(raised) => {
                modules.del_item(&private)?;
                Err(raised)
            }
        }
    }

    /// Takes the generation's names away, so that its memory can go when nobody holds it.
    ///
    /// Code that still runs, at the end of the process or in a thread, can import all the same: what was loaded is
    /// kept by the modules themselves, and goes with the last of them.
    pub(crate) fn forget(&self, py: Python<'_>) {
        self.forgotten.store(true, Ordering::Release);
        living().remove(&self.prefix);
        importing::forget_handlers(py, &self.prefix);
        let Ok(modules) = modules::all(py) else { return };
        let inside = format!("{}.", self.prefix);
        let gone = PyDict::new(py);
        for (name, module) in modules.iter() {
            let Ok(text) = name.extract::<String>() else { continue };
            if text == self.prefix || text.starts_with(&inside) {
                // What cannot be kept for want of memory is loaded anew.
                let _ = gone.set_item(&name, module);
            }
        }
        for (name, module) in gone.iter() {
            // Another thread may have taken it away already.
            let _ = modules.del_item(name);
            let Ok(module) = module.cast_into::<PyModule>() else { continue };
            let globals = module.dict();
            if globals.contains(intern!(py, names::MARK)).unwrap_or(false) {
                let _ = globals.set_item(intern!(py, names::KEPT), &gone);
            }
        }
    }

    /// Makes an import for code whose globals are given; of a generation that was forgotten, the names are there
    /// for as long as it takes.
    fn within<T>(
        self: &Arc<Self>,
        py: Python<'_>,
        globals: Option<&Bound<'_, PyDict>>,
        import: impl FnOnce() -> PyResult<T>,
    ) -> PyResult<T> {
        if !self.forgotten.load(Ordering::Acquire) {
            return import();
        }
        if self.returned.fetch_add(1, Ordering::AcqRel) == 0 {
            self.come_back(py, globals)?;
        }
        let imported = import();
        if self.returned.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.forget(py);
        }
        imported
    }

    fn come_back(self: &Arc<Self>, py: Python<'_>, globals: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        living().insert(self.prefix.clone(), Arc::downgrade(self));
        let modules = modules::all(py)?;
        let kept = globals.and_then(|globals| globals.get_item(intern!(py, names::KEPT)).ok().flatten());
        if let Some(kept) = kept.and_then(|kept| kept.cast_into::<PyDict>().ok()) {
            for (name, module) in kept.iter() {
                modules.set_item(name, module)?;
            }
        }
        if !modules.contains(&self.prefix)? {
            modules.set_item(&self.prefix, package(py, &self.prefix)?)?;
        }
        Ok(())
    }

    /// `_modrack.HASH.NUMBER`.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether no module of the generation has living globals any more.
    pub(crate) fn is_freed(&self) -> bool {
        self.marks.load(Ordering::Acquire) == 0
    }

    /// Bytes of source that the generation keeps.
    pub(crate) fn bytes(&self) -> u64 {
        let read = lock(&self.read);
        let others = read.values().map(|entry| &entry.source).filter(|source| !self.has(&source.path));
        let others: u64 = others.map(|source| source.text.bytes.len() as u64).sum();
        others + self.sources.as_ref().map_or(0, |sources| sources.bytes())
    }

    /// Whether the file at `path` was read before anything ran.
    fn has(&self, path: &str) -> bool {
        self.sources.as_ref().is_some_and(|sources| sources.has(path))
    }

    /// What was read of the file at `path`.
    fn source(&self, path: &str) -> Option<Source> {
        let known = self.sources.as_ref().and_then(|sources| sources.get(path));
        known.or_else(|| {
            let read = lock(&self.read);
            read.values().find(|entry| entry.source.path == path).map(|entry| entry.source.clone())
        })
    }

    /// What `name` in `folder` is by what belongs to the module.
    fn held(&self, folder: &Path, name: &str) -> Option<Held> {
        self.sources.as_ref()?.find(folder, name)
    }

    /// The registered name of what is called `plain` within the generation.
    fn private(&self, plain: &str) -> String {
        format!("{}.{plain}", self.prefix)
    }

    /// What is called `private` among all modules, as it is called within the generation.
    fn plain<'a>(&self, private: &'a str) -> Option<&'a str> {
        private.strip_prefix(&self.prefix)?.strip_prefix('.')
    }

    /// Whether an absolute import of `top` means the generation's own.
    fn owns(&self, py: Python<'_>, top: &str) -> bool {
        if let Some(&known) = lock(&self.owned).get(top) {
            return known;
        }
        let own = lock(&self.read).contains_key(top)
            || (self.home.looks_up(py, top) && matches!(self.in_home(top), Some(Held::File(_))))
            || self.home.owns(py, top);
        lock(&self.owned).insert(top.to_owned(), own);
        own
    }

    /// Whether `top` is a folder of the home without a package's file: a last resort of an import.
    fn has_plain_folder(&self, top: &str) -> bool {
        self.home.has_plain_folder(top)
            || (matches!(self.home, Home::Folder(_)) && matches!(self.in_home(top), Some(Held::Folder(_))))
    }

    /// What the first part of a private name is by what belongs to the module.
    fn in_home(&self, top: &str) -> Option<Held> {
        self.held(self.home.folder()?, top)
    }

    /// The file of a module that was read, and whether it is a package's.
    fn known(&self, plain: &str) -> Option<(String, bool)> {
        lock(&self.read).get(plain).map(|entry| (entry.source.path.clone(), entry.is_package))
    }

    /// The content of a file: that of a module that was read before, of a file that belongs to the module, or what stands in it now.
    fn read_file(&self, py: Python<'_>, plain: &str, path: &Path, is_package: bool) -> PyResult<Source> {
        if let Some(entry) = lock(&self.read).get(plain) {
            return Ok(entry.source.clone());
        }
        let shown = path.to_str().ok_or_else(|| {
            PyImportError::new_err(format!("the path of `{plain}` is not UTF-8: {}", path.display()))
        })?;
        let source = match self.sources.as_ref().and_then(|sources| sources.get(shown)) {
            Some(source) => source,
            None => {
                let bytes = py.detach(|| std::fs::read(path)).map_err(|error| unreadable(shown, &error))?;
                Source::new(shown.to_owned(), bytes)
            }
        };
        let entry = Entry { source: source.clone(), is_package };
        lock(&self.read).insert(plain.to_owned(), entry);
        archive::note(py, self)?;
        Ok(source)
    }
}

impl Mark {
    fn new(generation: &Arc<Generation>) -> Self {
        generation.marks.fetch_add(1, Ordering::AcqRel);
        Self { generation: Arc::clone(generation) }
    }
}

#[pymethods]
impl Mark {
    /// By which names the generation is registered, or was.
    #[getter]
    fn prefix(&self) -> &str {
        &self.generation.prefix
    }

    /// By what the content of the file at `path` is known that the generation runs; none when it runs none of that name.
    fn content(&self, path: &str) -> Option<String> {
        Some(self.generation.source(path)?.text.hash.clone())
    }

    /// That content, as text.
    fn text<'py>(&self, py: Python<'py>, path: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.generation.source(path).map(|source| loader::decoded(py, &source)).transpose()
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.generation.marks.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the extension at `path` is called, if it was loaded before.
pub(crate) fn loaded_extension(path: &Path) -> Option<String> {
    lock(&EXTENSIONS).get(path).cloned()
}

/// The package under which the modules of a generation are registered.
fn package<'py>(py: Python<'py>, prefix: &str) -> PyResult<Bound<'py, PyModule>> {
    let package = PyModule::new(py, prefix)?;
    package.setattr(intern!(py, "__path__"), PyList::empty(py))?;
    Ok(package)
}

/// The generation that a registered name belongs to.
fn of_name(name: &str) -> Option<Arc<Generation>> {
    let mut parts = name.match_indices('.').map(|(at, _)| at);
    let end = parts.nth(2).unwrap_or(name.len());
    living().get(&name[..end])?.upgrade()
}

/// Every generation that has not been forgotten.
fn living() -> MutexGuard<'static, HashMap<String, Weak<Generation>>> {
    static LIVING: LazyLock<Mutex<HashMap<String, Weak<Generation>>>> = LazyLock::new(Mutex::default);
    lock(&LIVING)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds one of these locks can panic half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unreadable(path: &str, error: &std::io::Error) -> PyErr {
    PyImportError::new_err(format!("`{path}` cannot be read: {error}"))
}
