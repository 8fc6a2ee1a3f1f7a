//! The `modrack` command as a library.
//!
//! It is run by the plain `modrack` binary, and by the Python extension module inside an interpreter; what
//! differs between the two is in [`Host`]. Nothing here links Python.

mod args;
mod arguments;
mod clock;
mod complete;
mod host;
mod interrupt;
mod json;
mod output;
mod python_host;
mod report;
mod style;
mod table;
mod verb;

use std::ffi::OsString;

pub use host::{Host, PythonFactory, PythonSettings};

/// x
pub fn run(args: Vec<OsString>, host: Host) -> u8 { 0 }
