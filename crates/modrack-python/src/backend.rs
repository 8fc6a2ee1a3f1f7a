//! Python as a backend of a rack.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modrack_core::{
    Backend, BackendName, Content, Description, Error, Guards, Map, Origin, Result, StageRun, StageSeat,
    Start, Started, Text,
};
use modrack_pysource::Reader;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::sources::{Sources, Texts};
use crate::store::Store;
use crate::{error, generation, modules, stage, start, threads, vector, watch};

/// What the backend is told of the rack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonSettings {
    /// The rack's folder, which paths in messages are shown against.
    pub root: PathBuf,
    /// Folders that modules import from, before everything else.
    pub path: Vec<PathBuf>,
    /// Where sources and compiled code are kept; none keeps none beyond the process.
    pub store: Option<PathBuf>,
}

/// Loads, starts and calls Python modules in the interpreter of this process.
pub struct PythonBackend {
    reader: Reader,
    texts: Texts,
    store: Store,
}

impl PythonBackend {
    /// Prepares the interpreter of this process: the rack's folders come first on its path.
    ///
    /// # Errors
    /// [`modrack_core::Code::PythonMissing`] when the program has not initialised the interpreter; what Python raised.
    pub fn new(settings: PythonSettings) -> Result<Arc<Self>> {
        let PythonSettings { root, path, store } = settings;
        Python::try_attach(|py| prepare(py, &path).map_err(|error| error::unexpected(py, &error)))
            .unwrap_or_else(|| Err(error::not_initialised()))?;
        let reader = Reader { root, path };
        Ok(Arc::new(Self { reader, texts: Texts::default(), store: Store::new(store) }))
    }

    /// Reads a module, and keeps the files that belong to it with the description.
    fn read(&self, origin: &Origin) -> Result<Description> {
        let (mut description, read) = self.reader.read(origin)?;
        if let Some(sources) = Sources::new(read, &self.texts) {
            description.content = Content::new(Arc::new(sources));
        }
        Ok(description)
    }

    /// The files of what is to be started, as they were when it was described; none where nothing is kept of them.
    ///
    /// # Errors
    /// [`modrack_core::Code::ChangedMeanwhile`] when they cannot be had any more.
    fn sources(&self, start: &Start<'_>) -> Result<Option<Arc<Sources>>> {
        let of = |description: &Description| description.content.get::<Arc<Sources>>().cloned();
        if let known @ Some(_) = of(start.description) {
            return Ok(known);
        }
        match start.origin {
            Origin::File { path, .. } if generation::loaded_extension(path).is_none() => {}
            _ => return Ok(None),
        }
        // An extension, or whoever described it kept nothing.
        let now = self.read(start.origin)?;
        match &start.description.hash {
            Some(hash) if now.hash.as_ref() != Some(hash) => Err(error::changed()),
            _ => Ok(of(&now)),
        }
    }
}

impl Backend for PythonBackend {
    fn name(&self) -> BackendName {
        BackendName::Python
    }

    fn describe(&self, origin: &Origin) -> Result<Description> {
        self.read(origin)
    }

    fn has_changed(&self, description: &Description) -> bool {
        description.content.get::<Arc<Sources>>().is_some_and(|sources| sources.have_changed())
    }

    fn asks_for(&self, origin: &Origin) -> Vec<PathBuf> {
        self.reader.asks_for(origin)
    }

    fn recognises(&self, path: &Path, first: Option<&[u8]>) -> bool {
        modrack_pysource::recognises(path, first)
    }

    fn check_params(&self, description: &Description, params: &Map, injected: &[Text]) -> Vec<Error> {
        modrack_pysource::check_params(description, params, injected)
    }

    fn check_requires(&self, description: &Description) -> Vec<Error> {
        if description.manifest.requires.is_empty() {
            return Vec::new();
        }
        Python::attach(|py| {
            let version = py.version_info();
            let version = [version.major, version.minor, version.patch].map(u64::from);
            let path = import_path(py).unwrap_or_default();
            modrack_pysource::check_requires(description, version, &path)
        })
    }

    fn guards(&self) -> Guards {
        modrack_pysource::GUARDS
    }

    fn libraries(&self) -> Vec<PathBuf> {
        Python::attach(|py| installed(py).unwrap_or_default())
    }

    fn start(&self, start: Start<'_>) -> Result<Started> {
        let sources = self.sources(&start)?;
        Python::attach(|py| start::start(py, &self.store, &start, sources))
    }

    fn fuse(&self, seats: Vec<StageSeat>) -> Result<Option<Box<dyn StageRun>>> {
        Python::attach(|py| stage::fuse(py, seats))
    }

    fn let_go(&self, wait: &mut dyn FnMut()) {
        if !vector::is_attached() {
            return wait();
        }
        let wait = SameThread(wait);
        Python::attach(|py| py.detach(move || wait.run()));
    }

    fn interrupt(&self) {
        watch::look();
        Python::attach(threads::interrupt);
    }

    fn wake(&self) {
        watch::look();
        // Up to 3.12 a signal that came to another thread is only noted, and the main thread looks no sooner
        // than it is asked to let somebody else in.
        Python::attach(|_| ());
    }
}

/// A closure that is run on the thread that made it.
struct SameThread<'a>(&'a mut dyn FnMut());

#[expect(unsafe_code, reason = "detaching asks for `Send`, and stays on its thread")]
// SAFETY: `Python::detach` runs the closure on the calling thread. What `Send` stands for there, that nothing
// bound to the interpreter is used while it is let go of, is what a wait of the runtime promises.
unsafe impl Send for SameThread<'_> {}

impl SameThread<'_> {
    fn run(self) {
        (self.0)();
    }
}

/// Puts the rack's folders on Python's path.
fn prepare(py: Python<'_>, folders: &[PathBuf]) -> PyResult<()> {
    let path = modules::get(py, intern!(py, "sys"))?.getattr(intern!(py, "path"))?.cast_into::<PyList>()?;
    let mut at = 0;
    for folder in folders {
        // As text: entries that are path objects are passed over by Python.
        let folder = folder.as_os_str();
        if !path.contains(folder)? {
            path.insert(at, folder)?;
            at += 1;
        }
    }
    static MINDS_FORKS: PyOnceLock<()> = PyOnceLock::new();
    MINDS_FORKS.get_or_try_init(py, || watch::mind_forks(py))?;
    generation::install(py)
}

/// The folders that the interpreter imports from.
fn import_path(py: Python<'_>) -> PyResult<Vec<PathBuf>> {
    py.import(intern!(py, "sys"))?.getattr(intern!(py, "path"))?.extract()
}

/// The folders of the interpreter's path in which packages are installed.
fn installed(py: Python<'_>) -> PyResult<Vec<PathBuf>> {
    let path: Vec<PathBuf> = modules::get(py, intern!(py, "sys"))?.getattr(intern!(py, "path"))?.extract()?;
    let holds_packages =
        |folder: &PathBuf| folder.ends_with("site-packages") || folder.ends_with("dist-packages");
    Ok(path.into_iter().filter(holds_packages).collect())
}
