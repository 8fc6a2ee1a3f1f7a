//! Functions of slots with Rust types: the same table of calls, whatever the module is written in.
#![cfg(all(feature = "native", feature = "wasm"))]

mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use modrack::Rack;

/// The sources of the module, in each language.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/modules")
}

#[test]
fn a_library_is_called_with_rust_types() {
    let folder = tempfile::tempdir().expect("there is room");
    let library = folder.path().join("lab.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-I"]).arg(sources().join("../../include"));
    compiler.arg("-o").arg(&library).arg(sources().join("lab.c"));
    assert!(compiler.status().expect("Rust links with it").success());
    table::check(&Rack::builder().root(folder.path()).open().expect("it opens"), "./lab.so");
}

#[test]
fn a_component_is_called_with_rust_types() {
    let folder = tempfile::tempdir().expect("there is room");
    let text = |name: &str| fs::read_to_string(sources().join(name)).expect("it is there");
    let component = format!("(component\n{}\n{})\n", text("begin.wat"), text("lab.wat"));
    fs::write(folder.path().join("lab.wat"), component).expect("it can be written");
    table::check(&Rack::builder().root(folder.path()).open().expect("it opens"), "./lab.wat");
}
