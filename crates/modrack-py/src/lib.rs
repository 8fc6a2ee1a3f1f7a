//! The extension module `modrack_py`: the whole command, with the Python backend, inside an interpreter.
//!
//! The plain `modrack` command has an interpreter load it by its path; the Python package brings it along.

mod glue;

use modrack_cli::{Live, WasmFactory};
use pyo3::prelude::*;

/// Makes the backend of components.
const WASM: Option<WasmFactory> = Some(modrack_cli::components);
/// What goes with a rack's state.
const LIVE: Option<Live> = Some(modrack_cli::LIVE);

/// The engine and the Python backend of modrack.
#[pymodule]
fn modrack_py(module: &Bound<'_, PyModule>) -> PyResult<()> {
    glue::fill(module)
}
