//! Reads the versions of what is linked from the lock file, for `modrack version`, and says how the command is linked.

use std::path::Path;
use std::{env, fs};

/// The packages whose versions people ask for when they report a fault.
const SHOWN: &[&str] =
    &["arrow-array", "parquet", "pyo3", "ruff_python_parser", "saphyr-parser", "wasmtime", "wit-parser"];

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let candidates = [Path::new(&here).join("Cargo.lock"), Path::new(&here).join("../../Cargo.lock")];
    let mut linked = Vec::new();
    if let Some(lock) = candidates.iter().find(|path| path.is_file()) {
        println!("cargo::rerun-if-changed={}", lock.display());
        let text = fs::read_to_string(lock).unwrap_or_default();
        for package in text.split("[[package]]") {
            let value = |key: &str| {
                let line = package.lines().find_map(|line| line.strip_prefix(key))?;
                Some(line.trim_matches('"').to_owned())
            };
            if let (Some(name), Some(version)) = (value("name = "), value("version = "))
                && SHOWN.contains(&name.as_str())
            {
                linked.push(format!("{name} {version}"));
            }
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=MODRACK_LINKED={}", linked.join(","));
    println!("cargo::rustc-env=MODRACK_TARGET={}", env::var("TARGET").unwrap_or_default());
    link();
}

/// Has the linker give the command an address of its own.
///
/// A program that may stand anywhere has each of its tables of functions written anew whenever it starts, and the
/// command often starts only to give its place to an interpreter. Libraries, stack and heap are placed at random all
/// the same.
fn link() {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bin=modrack=-no-pie");
    }
}
