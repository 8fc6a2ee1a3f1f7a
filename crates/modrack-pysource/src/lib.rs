//! Python source, read without running it: what a file defines, how it is started, what it says of itself.
//!
//! Nothing here imports, executes or asks an interpreter. What is read is advice where Python can change it
//! at run time; then the description is marked open.

mod backend;
mod class;
mod entry;
mod error;
mod extract;
mod facts;
mod function;
mod manifest;
mod params;
mod parse;
mod reader;
mod requires;
mod stdlib;
mod text;
mod types;
mod version;
mod world;

pub use backend::{SourceOnly, recognises};
pub use params::{Binding, StartPlan, bind, check_params, plan_start};
pub use reader::Reader;
pub use requires::check_requires;
pub use text::is_python;
pub use types::takes_of;

/// Functions by which a module is started, stopped and carried over; none is ever the main function.
pub const LIFECYCLE: &[&str] =
    &["create", "export_state", "finish", "import_state", "initialize", "shutdown", "start", "stop"];

/// Whether a function belongs to a module's life, not to its work.
pub fn is_lifecycle(name: &str) -> bool {
    LIFECYCLE.binary_search(&name).is_ok()
}
