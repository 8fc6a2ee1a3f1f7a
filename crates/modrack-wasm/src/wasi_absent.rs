//! What stands in the place of WASI in a build without it: nothing of the system is given.

use modrack_core::{Log, Result, Start};
use wasmtime::component::Linker;

use crate::data::Data;

/// What an instance is given of the system: there is no such thing.
pub(crate) enum Wasi {}

impl Wasi {
    /// Nothing was printed.
    pub(crate) fn flush(&self) {
        match *self {}
    }
}

/// Nothing.
pub(crate) fn of(_start: &Start<'_>, _log: &Log) -> Result<Option<Box<Wasi>>> {
    Ok(None)
}

/// No import of WASI is given.
pub(crate) fn is_given(_import: &str) -> bool {
    false
}

/// Adds nothing.
pub(crate) fn link(_linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    Ok(())
}

/// No component can ask to exit.
pub(crate) fn exit_status(_why: &wasmtime::Error) -> Option<i32> {
    None
}
