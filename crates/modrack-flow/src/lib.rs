//! Pipelines: rows from a source, through stages, to a sink, in bounded memory.
//!
//! Reading, stages and writing go on at the same time, on three threads joined by short channels; the stages
//! run on the thread that calls [`run`]. Output has its name only once all of it is written. Nothing here
//! reads configuration or loads modules by itself: it is given a plan and a rack.

mod check;
mod conform;
mod error;
mod groups;
mod input;
mod module;
mod quarantine;
mod read;
mod rows;
mod run;
mod sink;
mod source;
mod stage;
mod summary;
mod write;
mod zones;

pub use check::check;
pub use run::{RunOptions, run};
pub use sink::remove_unfinished;
pub use summary::{Progress, Snapshot, StageSummary, Summary};
