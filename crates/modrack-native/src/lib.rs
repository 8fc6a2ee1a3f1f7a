//! The native backend: shared libraries with a table of modrack's C interface.
//!
//! A library is read before it is loaded: whether it is whole, for this machine and of our version, and what it says
//! of itself. It is loaded from a copy under its content's hash and never unloaded. Nothing here
//! is copied that can be read where it lies, and nothing that comes back is believed before it was checked.

mod backend;
mod context;
mod dlopen;
mod error;
mod failure;
mod function;
mod instance;
mod library;
mod lift;
mod lower;
mod names;
mod needs;
mod outline;
mod parts;
mod places;
mod read;
mod store;
mod sweep;
mod table;

pub use backend::{NativeBackend, NativeSettings};
