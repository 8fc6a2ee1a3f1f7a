//! Generations as other processes find them: what a pickle names is found by name in the content store.
//!
//! Nothing is written before somebody imports `pickle`; `multiprocessing` and its like all do. A child finds
//! a small package `_modrack` at the end of its path, which loads this extension and asks here.

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::{Basis, Entry, Generation, living, lock};
use crate::modules;
use crate::names::FAMILY;
use crate::sibling::Home;
use crate::sources::{Sources, Texts};
use crate::store::{self, Source, Store};

/// Whether generations are written down as they grow.
static PUBLISHED: AtomicBool = AtomicBool::new(false);
/// Where generations are looked up that this process did not make.
static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The package that a child of this process finds.
const LINK: &str = include_str!("../glue/link.py");

/// Writes down every living generation, and those to come.
///
/// # Errors
/// What Python raised; a store that cannot be written is none.
pub(super) fn publish(py: Python<'_>) -> PyResult<()> {
    if PUBLISHED.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    let generations: Vec<Arc<Generation>> = living().values().filter_map(std::sync::Weak::upgrade).collect();
    for generation in generations {
        note(py, &generation)?;
    }
    Ok(())
}

/// Writes down what `generation` has read so far, if that is done at all.
pub(super) fn note(py: Python<'_>, generation: &Generation) -> PyResult<()> {
    if !PUBLISHED.load(Ordering::Acquire) {
        return Ok(());
    }
    let Some(folder) = folder_of(py, &generation.store)? else { return Ok(()) };
    let kept = Store::new(Some(folder.clone()));
    let entries: Vec<(String, Entry)> =
        lock(&generation.read).iter().map(|(name, entry)| (name.clone(), entry.clone())).collect();
    let manifest = PyDict::new(py);
    let (kind, home, top) = match &generation.home {
        Home::Folder(folder) => ("folder", folder.to_string_lossy().into_owned(), ""),
        Home::Package { folder, top } => ("package", folder.to_string_lossy().into_owned(), top.as_str()),
        Home::Nowhere => ("nowhere", String::new(), ""),
    };
    manifest.set_item("home", (kind, home, top))?;
    let modules = PyDict::new(py);
    for (name, entry) in &entries {
        if kept.keep(&entry.source) {
            modules.set_item(name, (&entry.source.path, &entry.source.text.hash, entry.is_package))?;
        }
    }
    manifest.set_item("modules", modules)?;
    manifest.set_item("sources", sources_of(py, generation, &kept)?)?;
    let dumped =
        modules::get(py, intern!(py, "marshal"))?.call_method1(intern!(py, "dumps"), (manifest, 2))?;
    if let Ok(bytes) = dumped.cast::<PyBytes>() {
        store::write(&manifest_file(&folder, &generation.prefix), bytes.as_bytes());
    }
    Ok(())
}

/// The hash under which what belongs to a generation's module is kept, all in one; none when nothing does, or it cannot be kept.
fn sources_of<'g>(py: Python<'_>, generation: &'g Generation, kept: &Store) -> PyResult<Option<&'g str>> {
    let Some(sources) = &generation.sources else { return Ok(None) };
    if sources.kept.get().is_none() {
        let files: Vec<_> = sources.all().map(|(path, bytes)| (path, PyBytes::new(py, bytes))).collect();
        let files =
            PyList::new(py, files.into_iter().filter_map(|(path, bytes)| Some((path.to_str()?, bytes))))?;
        let dumped =
            modules::get(py, intern!(py, "marshal"))?.call_method1(intern!(py, "dumps"), (files, 2))?;
        let Ok(dumped) = dumped.cast::<PyBytes>() else { return Ok(None) };
        let source = Source::new(String::new(), dumped.as_bytes().to_vec());
        if !kept.keep(&source) {
            return Ok(None);
        }
        // Whoever was first kept the same.
        _ = sources.kept.set(source.text.hash.clone());
    }
    Ok(sources.kept.get().map(String::as_str))
}

/// What was kept so.
fn restored_sources(py: Python<'_>, kept: &Store, hash: &str) -> PyResult<Option<Sources>> {
    let Some(content) = kept.content(hash) else { return Ok(None) };
    let loads = modules::get(py, intern!(py, "marshal"))?.getattr(intern!(py, "loads"))?;
    let files: Vec<(PathBuf, Vec<u8>)> = loads.call1((PyBytes::new(py, &content),))?.extract()?;
    Ok(Sources::new(files.into_iter().map(|(path, bytes)| (path, bytes.into())).collect(), &Texts::default()))
}

/// Whether generations that this process did not make can be looked up.
pub(super) fn is_open() -> bool {
    lock(&FOLDER).is_some()
}

/// The generation that `name` belongs to, as some process wrote it down.
pub(super) fn restore(py: Python<'_>, name: &str) -> PyResult<Option<Arc<Generation>>> {
    let Some(folder) = lock(&FOLDER).clone() else { return Ok(None) };
    let parts: Vec<&str> = name.split('.').take(3).collect();
    let prefix = parts.join(".");
    let Some(bytes) = store::read(&manifest_file(&folder, &prefix)) else { return Ok(None) };
    let loads = modules::get(py, intern!(py, "marshal"))?.getattr(intern!(py, "loads"))?;
    let Some(written) = loads.call1((PyBytes::new(py, &bytes),)).ok().and_then(|w| Written::of(&w)) else {
        return Ok(None);
    };
    let kept = Store::new(Some(folder));
    let mut read = std::collections::HashMap::new();
    for (plain, path, hash, is_package) in written.modules {
        if let Some(content) = kept.content(&hash) {
            read.insert(plain, Entry { source: Source::new(path, content), is_package });
        }
    }
    let sources = match &written.sources {
        Some(hash) => restored_sources(py, &kept, hash)?,
        None => None,
    };
    let basis = match sources {
        Some(sources) => Basis::Sources(Arc::new(sources)),
        None => Basis::Home(written.home),
    };
    let generation = Generation::restored(py, prefix, basis, kept, read)?;
    Ok(Some(generation))
}

/// What a manifest says.
struct Written {
    home: Home,
    modules: Vec<(String, String, String, bool)>,
    sources: Option<String>,
}

impl Written {
    fn of(written: &Bound<'_, PyAny>) -> Option<Self> {
        let (kind, folder, top): (String, PathBuf, String) = written.get_item("home").ok()?.extract().ok()?;
        let home = match kind.as_str() {
            "folder" => Home::Folder(folder),
            "package" => Home::Package { folder, top },
            _ => Home::Nowhere,
        };
        let entries = written.get_item("modules").ok()?.cast_into::<PyDict>().ok()?;
        let mut modules = Vec::new();
        for (name, about) in entries.iter() {
            let about = about.cast_into::<PyTuple>().ok()?;
            let (path, hash, is_package) = about.extract::<(String, String, bool)>().ok()?;
            modules.push((name.extract().ok()?, path, hash, is_package));
        }
        let sources = written.get_item("sources").ok().and_then(|hash| hash.extract().ok());
        Some(Self { home, modules, sources })
    }
}

/// Makes a child process of a rack able to find its parent's generations: what the package `_modrack` of the
/// store calls.
///
/// # Errors
/// What Python raised.
#[pyfunction(name = "_resume")]
pub(crate) fn resume(py: Python<'_>, folder: PathBuf) -> PyResult<()> {
    store::hold(&folder);
    *lock(&FOLDER) = Some(folder);
    super::install(py)
}

/// The folder for what is written down: the store's, else one for this process alone. With its link on
/// Python's path.
fn folder_of(py: Python<'_>, kept: &Store) -> PyResult<Option<PathBuf>> {
    if let Some(folder) = lock(&FOLDER).clone() {
        return Ok(Some(folder));
    }
    let Some(folder) = kept.folder().map(Path::to_owned).or_else(|| own_folder(py)) else {
        return Ok(None);
    };
    let Some(extension) = extension() else { return Ok(None) };
    let text = LINK
        .replace("\"EXTENSION\"", &quoted(py, &extension)?)
        .replace("\"FOLDER\"", &quoted(py, &folder.to_string_lossy())?);
    let name = blake3::hash(text.as_bytes()).to_hex();
    let link = folder.join(format!("link-{}", &name[..12]));
    let file = link.join(FAMILY).join("__init__.py");
    // Before anything is written: from here on nobody takes it away.
    let _ = std::fs::create_dir_all(&folder);
    store::hold(&folder);
    if !store::is_there(&file) && !store::write(&file, text.as_bytes()) {
        return Ok(None);
    }
    let path = modules::get(py, intern!(py, "sys"))?.getattr(intern!(py, "path"))?;
    path.call_method1(intern!(py, "append"), (link.to_string_lossy(),))?;
    *lock(&FOLDER) = Some(folder.clone());
    Ok(Some(folder))
}

/// A folder that goes when the process ends.
fn own_folder(py: Python<'_>) -> Option<PathBuf> {
    let made = py.import("tempfile").ok()?.call_method1("mkdtemp", ("", "modrack-")).ok()?;
    let remove = py.import("shutil").ok()?.getattr("rmtree").ok()?;
    py.import("atexit").ok()?.call_method1("register", (remove, &made, true)).ok()?;
    made.extract().ok()
}

fn manifest_file(folder: &Path, prefix: &str) -> PathBuf {
    folder.join("generations").join(prefix)
}

fn quoted(py: Python<'_>, text: &str) -> PyResult<String> {
    pyo3::types::PyString::new(py, text).repr()?.extract()
}

/// The file of the extension module that this code is part of.
fn extension() -> Option<String> {
    #[expect(unsafe_code, reason = "only the dynamic linker knows the file")]
    // SAFETY: `info` is written by `dladdr` when it gives something else than 0, and only then read; the name
    // it points to lives as long as the library, whose code is running.
    unsafe {
        let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
        let here: fn() -> Option<String> = extension;
        if libc::dladdr(here as *const libc::c_void, info.as_mut_ptr()) == 0 {
            return None;
        }
        let name = info.assume_init().dli_fname;
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}
