//! What holds modules and calls them: slots, generations, loading, the catalog.
//!
//! A [`Rack`] is made from a plan and knows its backends only as a trait; no engine is named here. Callers
//! hold a [`Slot`] or a [`Bound`] function and need not know what fills the slot, or when that changes.
//! Nothing here parses configuration, and nothing runs before it is asked for.

mod bound;
mod bus;
mod catalog;
mod cell;
mod clock;
mod configuration;
mod contracts;
mod descriptions;
#[cfg(feature = "doubles")]
pub mod doubles;
mod entry_points;
mod error;
mod events;
mod fences;
mod find;
mod fits;
mod functions;
mod gate;
mod generation;
mod grace;
mod guards;
mod hearing;
mod host;
mod instances;
mod keeper;
mod load;
mod main_function;
mod meter;
mod pins;
mod rack;
mod scope;
mod seat;
mod service;
mod slot;
mod swap;
mod sync;
mod table;
mod tables;
mod told;
mod verify;

pub use modrack_core::events::{EVENTS, Pattern};

pub use bound::Bound;
pub use bus::Subscription;
pub use catalog::{Catalog, CatalogEntry};
pub use events::Event;
pub use host::HostModule;
pub use keeper::{Coming, Keeper};
pub use meter::{Figures, SlotStats};
pub use rack::{Rack, WeakRack};
pub use slot::{Pin, Slot};
pub use swap::{
    Asked, Before, ConfigureFailed, Configured, Held, Kept, Served, Step, Swap, SwapFailed, Swapped,
};
pub use told::Told;
