//! Python source, read without running it: what a file defines, how it is started, what it says of itself.
//!
//! Nothing here imports, executes or asks an interpreter. What is read is advice where Python can change it
//! at run time; then the description is marked open.

mod backend;
mod class;
mod entry;
mod error;
mod extension;
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
mod world;

pub use backend::{GUARDS, SourceOnly, recognises};
pub use extension::extension_module;
pub use params::{Binding, StartPlan, bind, check_params, plan_start};
pub use reader::Reader;
pub use requires::check_requires;
pub use text::is_python;
pub use types::takes_of;
pub use world::Sources;
