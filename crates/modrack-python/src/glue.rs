//! The Python source that ships inside the extension, each piece run when it is first needed.

use std::ffi::CStr;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule};

use crate::modules;

/// A piece of Python source that is part of this crate.
pub(crate) struct Glue {
    name: &'static str,
    source: &'static CStr,
    module: PyOnceLock<Py<PyModule>>,
}

impl Glue {
    /// A piece that frames show as `<modrack NAME>`.
    pub(crate) const fn new(name: &'static str, source: &'static CStr) -> Self {
        Self { name, source, module: PyOnceLock::new() }
    }

    /// A function or class of the piece.
    ///
    /// # Errors
    /// What running the piece raised.
    pub(crate) fn get<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.module(py)?.getattr(name)
    }

    /// Whether the piece has run.
    pub(crate) fn is_made(&self, py: Python<'_>) -> bool {
        self.module.get(py).is_some()
    }

    fn module<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyModule>> {
        let made = self.module.get_or_try_init(py, || {
            let module = PyModule::new(py, &format!("_modrack_{}", self.name))?;
            let globals: Bound<'_, PyDict> = module.dict();
            let compile = modules::get(py, intern!(py, "builtins"))?.getattr("compile")?;
            let exec = modules::get(py, intern!(py, "builtins"))?.getattr("exec")?;
            let code = compile.call1((
                self.source.to_bytes(),
                format!("<modrack {}>", self.name),
                "exec",
                0,
                true,
            ))?;
            exec.call1((code, globals))?;
            Ok::<_, PyErr>(module.unbind())
        })?;
        Ok(made.bind(py))
    }
}

/// Declares a piece of glue whose file is `glue/NAME.py`.
macro_rules! glue {
    ($vis:vis static $ident:ident = $name:literal) => {
        $vis static $ident: $crate::glue::Glue = {
            const SOURCE: &str = concat!(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/glue/", $name, ".py")), "\0");
            const TEXT: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(SOURCE.as_bytes()) {
                Ok(text) => text,
                Err(_) => panic!("a piece of glue has a NUL in it"),
            };
            $crate::glue::Glue::new($name, TEXT)
        };
    };
}
pub(crate) use glue;
