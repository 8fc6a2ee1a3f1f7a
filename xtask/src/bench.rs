//! `cargo xtask bench`: runs the benchmarks and writes `benches/RESULTS.md`.
//!
//! The benchmarks are a workspace of their own, because they link libpython and nothing else here does. What is
//! measured inside one process is criterion's; `benches/drive.py` measures whole processes and writes the page.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{Product, root};
use crate::flights;
use crate::python::Interpreter;

/// Builds what is measured, in release, and measures it. Words after `bench` go to `drive.py`.
pub(crate) fn run(more: &[String]) -> Result<bool> {
    flights::full()?;
    let product = Product::build("release")?;
    let benches = root().join("benches");
    let venv = Interpreter::default()?.venv(&root().join("tests/python/requirements.txt"))?;
    let python = venv.folder.join("bin").join("python");

    if !more.iter().any(|word| word == "--only") {
        let mut inside = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        inside.current_dir(&benches).arg("bench").env("PYO3_PYTHON", &python);
        inside.env("CARGO_TARGET_DIR", benches.join("target"));
        ensure!(inside.status()?.success(), "the benchmarks do not run");
    }
    let mut processes = venv.python();
    processes.current_dir(&benches).arg("drive.py").arg("--command").arg(&product.command);
    processes.arg("--python").arg(&python).args(more);
    Ok(processes.status()?.success())
}
