//! The finder of generations' modules: it answers for private names, and for nothing else.

use std::path::Path;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::loader::Loader;
use super::{Generation, Held, archive, of_name};
use crate::names::FAMILY;
use crate::{modules, sibling};

/// What stands first in `sys.meta_path`.
#[pyclass(frozen, module = "_modrack")]
pub(super) struct Finder;

#[pymethods]
impl Finder {
    /// How the import system asks for a module.
    #[pyo3(signature = (name, path = None, target = None))]
    fn find_spec<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        path: Option<Bound<'py, PyAny>>,
        target: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let _ = target;
        let Some(rest) = name.strip_prefix(FAMILY) else {
            if name == "pickle" {
                archive::publish(py)?;
            }
            return Ok(None);
        };
        if !rest.starts_with('.') {
            return Ok(None);
        }
        if rest.matches('.').count() < 2 {
            return archive::is_open().then(|| namespace(py, name)).transpose();
        }
        let generation = match of_name(name) {
            Some(generation) => generation,
            None => match archive::restore(py, name)? {
                Some(generation) => generation,
                None => return Ok(None),
            },
        };
        if generation.plain(name).is_none() {
            return namespace(py, name).map(Some);
        }
        find(py, &generation, name, path)
    }
}

fn find<'py>(
    py: Python<'py>,
    generation: &Arc<Generation>,
    name: &str,
    path: Option<Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(plain) = generation.plain(name) else { return Ok(None) };
    let known = generation.known(plain);
    if let Some((file, is_package)) = known {
        return spec(py, generation, name, Path::new(&file), is_package).map(Some);
    }
    let last = plain.rsplit('.').next().unwrap_or(plain);
    let folders: Vec<String> = if last.len() == plain.len() {
        if !generation.home.admits(plain) {
            return Ok(None);
        }
        generation.home.folder().and_then(Path::to_str).map(str::to_owned).into_iter().collect()
    } else {
        match path {
            Some(path) => path.try_iter()?.filter_map(|folder| folder.ok()?.extract().ok()).collect(),
            None => return Ok(None),
        }
    };
    for folder in &folders {
        // What belongs to the module is as it was when that was read, be there something else or nothing by now.
        match generation.held(Path::new(folder), last) {
            Some(Held::File(found)) => {
                return spec(py, generation, name, &found.path, found.is_package).map(Some);
            }
            Some(Held::Folder(folder)) => return plain_folder(py, name, &folder).map(Some),
            None => {}
        }
        if let Some(found) = sibling::source_in(Path::new(folder), last) {
            return spec(py, generation, name, &found.path, found.is_package).map(Some);
        }
    }
    // What is not source (a C extension in a package, a folder without a file) is found as Python finds it.
    let finder =
        modules::get(py, intern!(py, "_frozen_importlib_external"))?.getattr(intern!(py, "PathFinder"))?;
    let found = finder.call_method1(intern!(py, "find_spec"), (name, PyList::new(py, folders)?))?;
    Ok((!found.is_none()).then_some(found))
}

/// A package of nothing but names: `_modrack.HASH`, and `_modrack.HASH.NUMBER`.
fn namespace<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let class = modules::get(py, intern!(py, "_frozen_importlib"))?.getattr(intern!(py, "ModuleSpec"))?;
    let options = PyDict::new(py);
    options.set_item(intern!(py, "is_package"), true)?;
    class.call((name, py.None()), Some(&options))
}

/// A folder with modules in it and no file of its own.
fn plain_folder<'py>(py: Python<'py>, name: &str, folder: &Path) -> PyResult<Bound<'py, PyAny>> {
    let spec = namespace(py, name)?;
    let folders = PyList::new(py, [folder.to_string_lossy()])?;
    spec.setattr(intern!(py, "submodule_search_locations"), folders)?;
    Ok(spec)
}

fn spec<'py>(
    py: Python<'py>,
    generation: &Arc<Generation>,
    name: &str,
    file: &Path,
    is_package: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let path = file.to_string_lossy().into_owned();
    let class = modules::get(py, intern!(py, "_frozen_importlib"))?.getattr(intern!(py, "ModuleSpec"))?;
    let options = PyDict::new(py);
    options.set_item(intern!(py, "origin"), &path)?;
    options.set_item(intern!(py, "is_package"), is_package)?;
    let loader = Loader::new(Arc::clone(generation), name.to_owned(), path, is_package);
    let spec = class.call((name, loader), Some(&options))?;
    spec.setattr(intern!(py, "has_location"), true)?;
    if is_package && let Some(folder) = file.parent() {
        let folders = PyList::new(py, [folder.to_string_lossy()])?;
        spec.setattr(intern!(py, "submodule_search_locations"), folders)?;
    }
    Ok(spec)
}
