//! `cargo xtask flights-data`: all rows of the flights example, for benchmarks.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo;
use crate::python::Interpreter;

/// Fetches all flights, unless they are there.
pub(crate) fn run() -> Result<bool> {
    full()?;
    Ok(true)
}

/// The file with all flights, fetched if need be.
pub(crate) fn full() -> Result<PathBuf> {
    let data = folder().join("data");
    let python = Interpreter::default()?;
    let status = Command::new(python.path).arg(data.join("fetch.py")).status()?;
    ensure!(status.success(), "the flights cannot be fetched");
    Ok(data.join("full").join("flights.csv"))
}

/// The folder of the example.
pub(crate) fn folder() -> PathBuf {
    cargo::root().join("examples").join("flights")
}
