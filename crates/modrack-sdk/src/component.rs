//! The component form: types that came over WIT become those of the author, and go back.
//!
//! `wit-bindgen` writes the interface itself; nothing here handles a pointer.

mod cell;
mod contract;
mod host;
pub(crate) mod lent;
#[cfg(feature = "arrow")]
mod table;
mod wit;

pub use cell::{Cell, listen, made};
pub use contract::{Stream, lift, lower, map};
pub(crate) use host::{call, cancelled, config, log, time_left};
pub use wit::{FromWit, IntoWit, argument, failed, read, rest, spread};
pub use wit_bindgen;

/// What `modrack:types` and `modrack:host` are in Rust. The code of a module uses these types, not its own.
#[expect(missing_docs, reason = "written by wit-bindgen from the WIT, which is documented")]
pub mod bindings {
    wit_bindgen::generate!({
        path: ["contracts/types.wit", "contracts/host.wit"],
        inline: "package modrack:sdk; world sdk { import modrack:host/host@1.0.0; }",
        world: "modrack:sdk/sdk",
        generate_all,
    });
}

pub use bindings::modrack::host::host as host_interface;
pub use bindings::modrack::types::values;
