//! The extension module `modrack_py` without the backend of components and without what goes with a rack's state: half as large, so that a call of a Python
//! function begins sooner. The system's loader writes every table of functions of a library anew before anything of it runs,
//! and the compiler of components has half of them.
//!
//! The plain `modrack` command takes it for racks whose slots need no component, where it is there.

#[path = "../../modrack-py/src/glue.rs"]
mod glue;

use modrack_cli::{Live, WasmFactory};
use pyo3::prelude::*;

/// Nothing here makes the backend of components, so that next to nothing of it is linked.
const WASM: Option<WasmFactory> = None;
/// Nor does anything here remember or serve.
const LIVE: Option<Live> = None;

/// The engine and the Python backend of modrack.
#[pymodule]
fn modrack_py(module: &Bound<'_, PyModule>) -> PyResult<()> {
    glue::fill(module)
}
