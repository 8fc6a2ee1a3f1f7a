//! The nouns of modrack and its pure logic: names, values, signatures, contracts, configuration, errors,
//! and the traits by which a rack knows its backends.
//!
//! Nothing here does I/O: no file, environment, network, process or clock. What needs one is given in as a
//! function or a value. No type here is `Serialize`; the command line, HTTP and Python convert at the edge.

mod arguments;
mod backend;
mod call;
mod caught;
mod chain;
pub mod code;
mod content;
pub mod contract;
mod describe;
mod due;
pub mod elf;
mod error;
pub mod events;
mod fits;
mod foreign;
mod guard;
mod log;
pub mod manifest;
mod name;
mod origin;
mod params;
pub mod plan;
mod remains;
mod signature;
mod stage;
mod suggest;
mod text;
mod value;

pub use arguments::bind_arguments;
pub use backend::{Backend, Footprint, Function, Instance, Service, Start, Started, State, not_needed};
pub use call::{Args, Call, Cancel, Results};
pub use caught::caught;
pub use chain::{Awaiting, Chain, Scope};
pub use code::{Code, Kind};
pub use content::Content;
pub use describe::{
    AttributeInfo, ClassInfo, Description, Entry, FunctionInfo, Instances, Manifest, is_lifecycle,
};
pub use due::{Due, started_late, timed_out};
pub use error::{Cause, Error, Phase, Place, Result};
pub use fits::misfit;
pub use foreign::{AtEnd, Foreign, ForeignObject, Items, Later, Lease};
pub use guard::{Copies, CopyMeter, Guard, Guards, TableCopies};
pub use log::{Log, LogLevel, LogLine};
pub use name::{BackendName, ContentHash, GenerationId, PipelineName, SlotName};
pub use origin::{Attr, Language, Origin, Use};
pub use params::check_params;
pub use remains::{Effort, Left, Remains, Stays};
pub use signature::{Field, Param, ParamKind, Signature, Type};
pub use stage::{
    Fed, OnError, OnErrors, Rejected, RowPlace, StageCalls, StageCounts, StageRun, StageSeat, StageSpec,
    Takes,
};
pub use suggest::nearest;
pub use text::Text;
pub use value::{Map, Value};
