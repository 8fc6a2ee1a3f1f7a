//! Loads modules written in Python, Rust and WebAssembly by name while a program runs.
//!
//! This crate is the one Rust API of modrack; everything else is behind it. Its features pick what is
//! compiled: `native` (default) for shared libraries, `flow` for pipelines, `python` for Python modules,
//! `wasm` for WebAssembly components and `wasi` for what these have of the system; without them it is the rack alone, with
//! modules of the program's own.
#![doc = include_str!("../../../docs/rust-api.md")]

mod backends;
#[cfg(feature = "async")]
mod call_async;
mod function;
#[cfg(feature = "state")]
pub mod live;
mod module;
#[cfg(feature = "flow")]
mod pipelines;
mod rack;
mod swaps;
pub mod text;
mod values;

pub use bytes::Bytes;
pub use modrack_core::contract;
pub use modrack_core::plan;
pub use modrack_core::{
    Args, Backend, BackendName, Call, Cancel, Code, Description, Error, Function as BackendFunction,
    Instance, Kind, Manifest, Map, Origin, Phase, Place, Result, Results, Signature, SlotName, Stays, Text,
    Type, Value,
};
#[cfg(feature = "flow")]
pub use modrack_flow as flow;
#[cfg(feature = "native")]
pub use modrack_native as native;
#[cfg(feature = "python")]
pub use modrack_python as python;
pub use modrack_runtime::{
    Asked, Before, Bound, Catalog, CatalogEntry, Coming, ConfigureFailed, Configured, EVENTS, Event, Figures,
    Held, Keeper, Kept, Pattern, Served, SlotStats, Step, Subscription, Swap, SwapFailed, Swapped, Told,
};
#[cfg(feature = "wasm")]
pub use modrack_wasm as wasm;

pub use function::Function;
pub use module::Module;
pub use rack::{Rack, RackBuilder, Slot};
pub use values::{FromArgs, FromValue, IntoArgs, IntoValue};
