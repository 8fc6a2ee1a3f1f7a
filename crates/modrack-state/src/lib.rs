//! What a rack remembers: its history, the content of what served, the last good set, overrides of its configuration, and the configurations
//! themselves.
//!
//! One process writes a state ([`RackState`]), any number read it meanwhile ([`Reader`]). A process that dies at any point leaves what was committed; a
//! database that is damaged is put aside and never stops a rack. Nothing here knows of racks, backends or engines: what fills a slot is a
//! hash, a `use` text and a plan in the caller's form. Beside it stands the row of any database that holds a rack's text ([`RackRow`]).

mod collect;
mod content;
mod database;
mod drift;
mod error;
mod lock;
mod rack;
mod reader;
mod record;
mod salvage;
mod schema;
mod state;

pub use drift::{Declared, Differs, Drift, drift};
pub use rack::RackRow;
pub use reader::Reader;
pub use record::{
    Action, Change, Collected, Configuration, Entry, EntryId, EntrySlot, Failed, Filling, Good, Outcome,
    Override, SlotChange, Standing,
};
pub use state::{Opened, RackState, Settings};

/// The hash of some bytes, as content and texts are known by.
pub fn hash_of(bytes: &[u8]) -> modrack_core::ContentHash {
    content::hash(bytes)
}
