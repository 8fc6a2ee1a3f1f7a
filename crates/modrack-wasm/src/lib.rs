//! The WebAssembly backend: describes, compiles, starts and calls components.
//!
//! A component reaches nothing but what it imports, and is given `modrack:host`, and WASI as far
//! as the slot allows it (feature `wasi`). Describing one runs nothing
//! of it. The engine is made with the first component that starts; compiled code is kept between runs, and only
//! code that this user's modrack compiled is ever loaded (`cache`, the one place with `unsafe`).

mod backend;
mod bounds;
mod cache;
mod data;
mod describe;
mod engine;
mod error;
mod failure;
mod function;
mod handle;
mod host;
mod instance;
mod least;
mod lift;
mod lower;
mod module;
mod quick;
mod seat;
mod shape;
mod source;
mod stream;
mod sweep;
mod table;
mod ticker;
#[cfg(feature = "wasi")]
mod wasi;
#[cfg(not(feature = "wasi"))]
#[path = "wasi_absent.rs"]
mod wasi;
mod wire;

pub use backend::{InMemory, WasmBackend, WasmSettings};
