//! The failures of this backend, so that the same one reads the same wherever it is met.

use std::path::Path;

use modrack_core::{Code, Error, Phase, Place};

/// The file, or the source, cannot be read.
pub(crate) fn unreadable(path: &Path, why: &std::io::Error) -> Error {
    let (code, phase) = match why.kind() {
        std::io::ErrorKind::NotFound => (Code::ModuleNotFound, Phase::Find),
        _ => (Code::ModuleUnreadable, Phase::Find),
    };
    Error::new(code, format!("`{}` cannot be read: {why}", path.display()))
        .hint("Look whether the path is right and may be read")
        .phase(phase)
        .place(Place::file(path))
}

/// A component that is not what was described any more, where nothing is kept of that.
pub(crate) fn changed(name: &str, place: Place) -> Error {
    Error::new(Code::ChangedMeanwhile, format!("`{name}` changed while it was loaded"))
        .hint("Swap it again when it is written")
        .phase(Phase::Load)
        .place(place)
}

/// A core module where a component is wanted.
pub(crate) fn not_a_component(name: &str, place: Place) -> Error {
    Error::new(Code::NotAComponent, format!("`{name}` is a core WebAssembly module, not a component"))
        .hint("Build it as a component: with Rust for `wasm32-wasip2`, else with `wasm-tools component new`")
        .phase(Phase::Check)
        .place(place)
}

/// Bytes that no component has.
pub(crate) fn damaged(name: &str, why: &str, place: Place) -> Error {
    let why = why.lines().next().unwrap_or_default().trim();
    Error::new(Code::BadComponent, format!("`{name}` is not a valid component: {why}"))
        .hint("Build it again, or copy it again: it was cut short or changed")
        .phase(Phase::Check)
        .place(place)
}

/// Text that is not WebAssembly's.
pub(crate) fn bad_text(name: &str, why: &str, place: Place) -> Error {
    let why = why.lines().next().unwrap_or_default().trim();
    Error::new(Code::BadComponent, format!("`{name}` is not valid WebAssembly text: {why}"))
        .hint("Mend the text at this place")
        .phase(Phase::Check)
        .place(place)
}

/// Imports that nobody gives.
pub(crate) fn imports(name: &str, missing: &[String], place: Place) -> Error {
    let names: Vec<_> = missing.iter().map(|import| format!("`{import}`")).collect();
    let only_wasi = missing.iter().all(|import| import.starts_with("wasi:"));
    let hint = match (only_wasi, cfg!(feature = "wasi")) {
        (true, false) => {
            "This program was built without the feature `wasi`: add it, or build the component without WASI"
        }
        (false, false) => "Components are given `modrack:host/host@1.0.0` alone; build it without the others",
        (_, true) => {
            "Components are given `modrack:host/host@1.0.0`, and of WASI 0.2 `cli`, `clocks`, `filesystem`, `io`, \
             `random` and `sockets`; build it without the others"
        }
    };
    Error::new(Code::ImportNotGiven, format!("`{name}` imports what it is not given: {}", names.join(", ")))
        .hint(hint)
        .phase(Phase::Check)
        .place(place)
}

/// A contract that is spoken in another version, or not at all.
pub(crate) fn other_contract(name: &str, found: &str, spoken: &str, place: Place) -> Error {
    Error::new(Code::ContractMismatch, format!("`{name}` exports `{found}`, which is not spoken here"))
        .hint(format!("Expected {spoken}; build the component for that version"))
        .phase(Phase::Check)
        .place(place)
}

/// A value that is not what a parameter takes.
pub(crate) fn misfit(at: &str, wanted: &str, found: &str) -> Error {
    Error::new(Code::BadArguments, format!("{at} takes `{wanted}`, not {found}"))
        .hint(format!("Give it a value that is `{wanted}`"))
        .phase(Phase::Call)
}

/// A value that cannot cross.
pub(crate) fn does_not_fit(message: impl Into<String>, hint: &str) -> Error {
    Error::new(Code::ValueDoesNotFit, message).hint(hint).phase(Phase::Call)
}

/// A mistake of ours, or of the engine's.
pub(crate) fn internal(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, format!("{what}: {why}"))
        .hint("This is a mistake in modrack; please report it")
}
