//! What the process that runs the command gives to it: the backends that not every process has, and the stream for
//! data where that is not descriptor 1.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use modrack::live::{self, LiveSettings, Reader};
use modrack::text::Source;
use modrack_core::plan::RackText;
use modrack_core::{Backend, Code, Error, Result};
use modrack_runtime::Rack;
use modrack_wasm::{WasmBackend, WasmSettings};

use crate::args::{Call, Get, Verb};
use crate::output::Outcome;
use crate::session::{Found, Session};
use crate::{there, verb};

/// What the process brings along.
#[derive(Default)]
pub struct Host {
    /// Makes the Python backend; none in a process without an interpreter.
    pub python: Option<PythonFactory>,
    /// Makes the backend of components; none in an extension module that was built without it.
    pub wasm: Option<WasmFactory>,
    /// What goes with a rack's state; none in an extension module that was built without it.
    pub live: Option<Live>,
    /// Where data goes; none is the process's standard output.
    pub stdout: Option<File>,
    /// The interpreter that this process is, where it is one.
    pub interpreter: Option<Interpreter>,
}

/// The interpreter that runs the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Its version: `3.13.0`.
    pub version: String,
    /// Its program, where it knows it.
    pub executable: String,
    /// Where its packages are.
    pub prefix: String,
    /// The file of the extension module that it loaded.
    pub extension: String,
}

/// Makes the Python backend when the first slot needs it.
pub type PythonFactory = Box<dyn Fn(PythonSettings) -> Result<Arc<dyn Backend>>>;

/// Makes the backend of components. What does not name one has no part of it, once it is linked.
pub type WasmFactory = fn(WasmSettings) -> Arc<dyn Backend>;

/// What goes with a rack's state: the verbs that change it or ask it. What does not name this has no part of the database, the server
/// and its client, once it is linked.
#[derive(Clone, Copy)]
pub struct Live {
    /// Runs a verb of these.
    pub(crate) verb: fn(&Verb, &mut Session) -> Outcome,
    /// Puts in force what was swapped into a rack before.
    pub(crate) in_force: fn(&Rack, &LiveSettings) -> Result<InForce>,
    /// Reads the text of a rack that is in a database.
    pub(crate) read: fn(&Source) -> Result<RackText>,
    /// Has the rack's server make a call; none where nothing serves, or the slot is none of the rack's.
    pub(crate) call: fn(&Call, &Found, &mut Session) -> Option<Outcome>,
    /// Has the rack's server read an attribute, likewise.
    pub(crate) get: fn(&Get, &Found, &mut Session) -> Option<Outcome>,
}

/// What was put in force in a rack.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    /// Whether there was anything.
    pub(crate) any: bool,
    /// What could not be.
    pub(crate) warnings: Vec<Error>,
}

/// What the Python backend is told about the rack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonSettings {
    /// The rack's folder: what paths in messages are shown against.
    pub root: PathBuf,
    /// Folders that modules import from, before everything else.
    pub path: Vec<PathBuf>,
    /// Where compiled code is kept between runs; none keeps none.
    pub store: Option<PathBuf>,
}

impl Host {
    /// A process without an interpreter.
    pub fn plain() -> Self {
        Self { wasm: Some(components), live: Some(LIVE), ..Self::default() }
    }
}

/// The backend of components, for those that have it.
pub fn components(settings: WasmSettings) -> Arc<dyn Backend> {
    WasmBackend::new(settings)
}

/// What goes with a rack's state, for those that have it.
pub const LIVE: Live =
    Live { verb: verb::live, in_force, read: Source::read, call: there::call, get: there::get };

fn in_force(rack: &Rack, settings: &LiveSettings) -> Result<InForce> {
    let read = |folder| Reader::open(folder)?.map_or_else(|| Ok(Vec::new()), |reader| reader.overrides());
    let any = match settings.folder.as_deref().map(read).transpose() {
        Ok(overrides) if overrides.as_ref().is_none_or(Vec::is_empty) => return Ok(InForce::default()),
        Ok(_) => true,
        // Nothing of it is in force, and that is said.
        Err(why) if why.code() == Code::StateDamaged => false,
        Err(why) => return Err(why),
    };
    Ok(InForce { any, warnings: live::in_force(rack, settings)? })
}
