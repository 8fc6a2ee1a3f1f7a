//! For authors of modrack modules in Rust: one source builds as a native library and as a WebAssembly component.
//!
//! Depend on it under the name `modrack`, and put the attribute on an `impl` block, or on a module of free functions:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//!
//! [dependencies]
//! modrack = { package = "modrack-sdk", version = "0.1" }
//! ```
//!
//! ```standalone_crate
//! # extern crate modrack_sdk as modrack;
//! use modrack::{Params, Result, Row};
//!
//! pub struct Price {
//!     tax: f64,
//! }
//!
//! #[derive(Params)]
//! pub struct Settings {
//!     /// The rate.
//!     #[param(default = 0.2, min = 0.0, max = 1.0)]
//!     tax: f64,
//! }
//!
//! /// What an order comes to.
//! #[modrack::module]
//! impl Price {
//!     pub fn create(settings: Settings) -> Self {
//!         Self { tax: settings.tax }
//!     }
//!
//!     /// Adds `total`; drops orders of nothing.
//!     pub fn transform(&self, mut row: Row) -> Result<Option<Row>> {
//!         let quantity: f64 = row.read("quantity")?;
//!         if quantity == 0.0 {
//!             return Ok(None);
//!         }
//!         let price: f64 = row.read("price")?;
//!         row.set("total", price * quantity * (1.0 + self.tax));
//!         Ok(Some(row))
//!     }
//! }
//!
//! # fn main() {
//! let price = Price::create(Settings { tax: 0.5 });
//! let row = Row::from_iter([("price", 2.0), ("quantity", 3.0)]);
//! let row = price.transform(row).unwrap().unwrap();
//! assert_eq!(row.read::<f64>("total").unwrap(), 9.0);
//! # }
//! ```
//!
//! Every `pub fn` is a function of the module. Built as a `cdylib` for the machine it is a native library, built for a
//! `wasm32` target a component; functions, types and documentation stand in the file and are read from it
//! without running it. The functions stay plain functions of Rust, so `cargo test` tests them as they are; what they
//! ask of their host, a [`test::Host`] answers.

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod component;
pub mod contract;
mod error;
mod give;
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
pub mod native;
mod params;
mod read;
mod row;
mod rows;
mod said;
mod services;
mod started;
#[cfg(feature = "arrow")]
mod table;
#[cfg(not(target_family = "wasm"))]
pub mod test;
mod value;
mod view;

#[cfg(feature = "arrow")]
pub use arrow_array;
#[cfg(feature = "arrow")]
pub use arrow_array::RecordBatch;
#[cfg(feature = "arrow")]
pub use arrow_schema;
pub use error::{Cause, Error, Misfit, Result};
pub use give::{IntoValue, Outcome};
#[cfg(feature = "indexmap")]
pub use indexmap::IndexMap;
pub use modrack_sdk_macros::{Params, Value, module};
pub use params::Params;
pub use read::FromValue;
pub use row::Row;
pub use rows::Rows;
pub use services::{Level, Slot, cancelled, config, log, slot, time_left};
#[cfg(feature = "arrow")]
pub use table::Table;
pub use value::{IntoArgs, Value};
pub use view::{Fields, Items, Shape, TableRef, ValueRef};

/// For the code that the macros write; no part of what is promised.
#[doc(hidden)]
pub mod __private {
    pub use std::collections;

    #[cfg(target_family = "wasm")]
    #[doc(no_inline)]
    pub use crate::component;
    pub use crate::error::{boxed, said};
    #[cfg(not(target_family = "wasm"))]
    #[doc(no_inline)]
    pub use crate::native;
    pub use crate::params::{bounds, known, one_of, param};
    pub use crate::said::{joined, length};
    pub use crate::started::{Begin, Made, count};
}
