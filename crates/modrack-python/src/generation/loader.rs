//! The loader of one module of a generation, as the import system and the tools round it ask for it.

use std::path::Path;
use std::sync::Arc;

use pyo3::exceptions::PyImportError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyModule};

use super::{Generation, Mark};
use crate::store::Source;
use crate::{modules, names};

/// Loads one module.
#[pyclass(frozen, module = "_modrack")]
pub(super) struct Loader {
    generation: Arc<Generation>,
    name: String,
    path: String,
    is_package: bool,
}

impl Loader {
    pub(super) fn new(generation: Arc<Generation>, name: String, path: String, is_package: bool) -> Self {
        Self { generation, name, path, is_package }
    }

    fn source(&self, py: Python<'_>) -> PyResult<Source> {
        let plain = names::plain(&self.name);
        self.generation.read_file(py, plain, Path::new(&self.path), self.is_package)
    }
}

#[pymethods]
impl Loader {
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[getter]
    fn path(&self) -> &str {
        &self.path
    }

    /// Leaves the making of the module to the import system.
    fn create_module(&self, spec: &Bound<'_, PyAny>) -> Option<Py<PyAny>> {
        let _ = spec;
        None
    }

    /// Runs the module's top level.
    fn exec_module(&self, py: Python<'_>, module: &Bound<'_, PyModule>) -> PyResult<()> {
        let source = self.source(py)?;
        let code = self.generation.store.code(py, &source)?;
        let globals = module.dict();
        globals.set_item(intern!(py, names::MARK), Mark::new(&self.generation))?;
        // Through the one function whose frame Python itself takes out of tracebacks.
        let run = modules::get(py, intern!(py, "_frozen_importlib"))?
            .getattr(intern!(py, "_call_with_frames_removed"))?;
        let exec = modules::get(py, intern!(py, "builtins"))?.getattr(intern!(py, "exec"))?;
        run.call1((exec, code, globals))?;
        Ok(())
    }

    #[pyo3(signature = (fullname = None))]
    fn get_code<'py>(&self, py: Python<'py>, fullname: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        self.check(fullname)?;
        self.generation.store.code(py, &self.source(py)?)
    }

    #[pyo3(signature = (fullname = None))]
    fn get_source<'py>(&self, py: Python<'py>, fullname: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        self.check(fullname)?;
        decoded(py, &self.source(py)?)
    }

    #[pyo3(signature = (fullname = None))]
    fn get_filename(&self, fullname: Option<&str>) -> PyResult<&str> {
        self.check(fullname)?;
        Ok(&self.path)
    }

    #[pyo3(signature = (fullname = None))]
    fn is_package(&self, fullname: Option<&str>) -> PyResult<bool> {
        self.check(fullname)?;
        Ok(self.is_package)
    }

    /// The content of a file beside the module (`pkgutil.get_data`).
    fn get_data<'py>(&self, py: Python<'py>, path: &str) -> PyResult<Bound<'py, PyBytes>> {
        if path == self.path {
            return Ok(PyBytes::new(py, &self.source(py)?.text.bytes));
        }
        let bytes = py.detach(|| std::fs::read(path))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The reader of a package's data files (`importlib.resources`).
    fn get_resource_reader<'py>(
        slf: &Bound<'py, Self>,
        fullname: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        slf.get().check(Some(fullname))?;
        if !slf.get().is_package {
            return Ok(None);
        }
        // The place of the readers' module moved in 3.12; the old one is still there as an alias.
        py.import("importlib.readers")?.getattr("FileReader")?.call1((slf,)).map(Some)
    }

    fn __repr__(&self) -> String {
        format!("<modrack loader of {:?} at {:?}>", names::plain(&self.name), self.path)
    }
}

impl Loader {
    fn check(&self, fullname: Option<&str>) -> PyResult<()> {
        match fullname {
            Some(name) if name != self.name => {
                Err(PyImportError::new_err(format!("this loads `{}`, not `{name}`", self.name)))
            }
            _ => Ok(()),
        }
    }
}

/// A source as text, by the encoding that it names.
///
/// # Errors
/// What decoding it raised.
pub(super) fn decoded<'py>(py: Python<'py>, source: &Source) -> PyResult<Bound<'py, PyAny>> {
    modules::get(py, intern!(py, "_frozen_importlib_external"))?
        .call_method1(intern!(py, "decode_source"), (PyBytes::new(py, &source.text.bytes),))
}
