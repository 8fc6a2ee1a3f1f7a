//! What the process that runs the command gives to it: a Python backend where it has an interpreter, and the
//! stream for data where that is not descriptor 1.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use modrack_core::{Backend, Result};

/// What the process brings along.
#[derive(Default)]
pub struct Host {
    /// Makes the Python backend; none in a process without an interpreter.
    pub python: Option<PythonFactory>,
    /// Where data goes; none is the process's standard output.
    pub stdout: Option<File>,
    /// The interpreter that this process is, where it is one.
    pub interpreter: Option<Interpreter>,
}

/// The interpreter that runs the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Its version: `3.13.0`.
    pub version: String,
    /// Its program, where it knows it.
    pub executable: String,
    /// Where its packages are.
    pub prefix: String,
    /// The file of the extension module that it loaded.
    pub extension: String,
}

/// Makes the Python backend when the first slot needs it.
pub type PythonFactory = Box<dyn Fn(PythonSettings) -> Result<Arc<dyn Backend>>>;

/// What the Python backend is told about the rack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonSettings {
    /// The rack's folder: what paths in messages are shown against.
    pub root: PathBuf,
    /// Folders that modules import from, before everything else.
    pub path: Vec<PathBuf>,
    /// Where compiled code is kept between runs; none keeps none.
    pub store: Option<PathBuf>,
}

impl Host {
    /// A process with nothing but itself.
    pub fn plain() -> Self {
        Self::default()
    }
}
