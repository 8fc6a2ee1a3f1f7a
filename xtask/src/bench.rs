//! `cargo xtask bench`: runs the benchmarks and writes `benches/RESULTS.md`.
//!
//! The benchmarks are a workspace of their own, because they link libpython and nothing else here does. What
//! runs as processes is measured by `benches/processes.py`; both are driven, and reported, by `benches/run.py`.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{Product, root, target};
use crate::flights;
use crate::python::Interpreter;

/// Builds what is measured, in release, and measures it. Words after `bench` pick rows by name.
pub(crate) fn run(only: &[String]) -> Result<bool> {
    flights::full()?;
    let product = Product::build("release")?;
    let benches = root().join("benches");
    let interpreter = Interpreter::default()?;
    let venv = interpreter.venv(&benches.join("requirements.txt"))?;
    let build = target()?.join("benches");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&benches).args(["build", "--release", "--target-dir"]).arg(&build);
    cargo.env("PYO3_PYTHON", venv.folder.join("bin").join("python"));
    ensure!(cargo.status()?.success(), "the benchmarks do not build");

    let mut command = venv.python();
    command.current_dir(&benches).arg("run.py").args(only);
    command.env("MODRACK_COMMAND", &product.command).env("MODRACK_PYTHON_EXTENSION", &product.extension);
    command.env("MODRACK_BENCHES", build.join("release"));
    Ok(command.status()?.success())
}
