//! The two traits by which a rack knows its backends, and what passes between them.
//!
//! A backend describes a module without running it, and starts it; an instance answers calls. Neither knows
//! slots, tables or configuration text, and no backend knows another.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::plan::{Allow, Limits};
use crate::{
    BackendName, Call, Code, ContentHash, CopyMeter, Description, Error, GenerationId, Guards, Map, Origin,
    Phase, Remains, Result, Signature, SlotName, StageRun, StageSeat, Stays, TableCopies, Text, Value,
    nearest,
};

/// What loads one kind of module.
pub trait Backend: Send + Sync {
    /// The backend's name.
    fn name(&self) -> BackendName;

    /// Reads a module without running any of it.
    ///
    /// # Errors
    /// A failure of phase find or check: the module is not there, or is not what it should be.
    fn describe(&self, origin: &Origin) -> Result<Description>;

    /// Whether a module that was described is another one by now, as far as that is quickly told. Asked when a slot is first loaded that was
    /// described some time before.
    fn has_changed(&self, _description: &Description) -> bool {
        false
    }

    /// The files that may decide what becomes of what stands at `origin` when it is read and started, its own first, whether they
    /// are there or not: those that it includes, and where others that it asks for would be. Of what is broken these are as many as
    /// can be known.
    fn asks_for(&self, origin: &Origin) -> Vec<PathBuf> {
        match origin {
            Origin::File { path, .. } => vec![path.clone()],
            Origin::Import { .. } | Origin::Source { .. } | Origin::Host { .. } => Vec::new(),
        }
    }

    /// Whether this backend loads what stands at `path`, by what is in it.
    ///
    /// `first` is the beginning of a file, cut at some kilobytes; none for a folder. The ending decides only
    /// where no backend recognises the content ([`BackendName::by_ending`]).
    fn recognises(&self, _path: &Path, _first: Option<&[u8]>) -> bool {
        false
    }

    /// What of the configuration's parameters the module would not take, without running it.
    ///
    /// `injected` are the parameters that services are given for.
    fn check_params(&self, _description: &Description, _params: &Map, _injected: &[Text]) -> Vec<Error> {
        Vec::new()
    }

    /// What the module's manifest requires and this backend does not have, without running the module.
    fn check_requires(&self, _description: &Description) -> Vec<Error> {
        Vec::new()
    }

    /// Which of these modules could not be started in one process with those before it, and why, without running
    /// any of them.
    fn check_together(&self, _modules: &[&Description]) -> Vec<(usize, Error)> {
        Vec::new()
    }

    /// What of `limits` and `allow` the backend enforces. What it leaves as [`crate::Guard::Late`] the runtime
    /// refuses after the call.
    fn guards(&self) -> Guards {
        Guards::LATE
    }

    /// The bytes of memory that an instance of the module begins with, at least, where that is known without running it.
    /// Asked where the slot has a limit for them.
    fn least_memory(&self, _description: &Description) -> Option<u64> {
        None
    }

    /// How often a table is copied on its way into and out of this backend's modules.
    fn table_copies(&self) -> TableCopies {
        TableCopies::None
    }

    /// The folders in which packages are installed for this backend, where it knows them.
    ///
    /// The catalog reads the packages' entry points from there; nothing is run for it.
    fn libraries(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Loads a module, constructs and initializes an instance of it.
    ///
    /// The instance is made beside every other; nothing that runs is touched. How many instances there are, and
    /// which call goes to which, is the runtime's: it asks again for each instance of a pool, for each call that
    /// has an instance of its own, and for one that takes the place of an instance that broke. All but the first
    /// should be cheap. What bounds the calls that led here ([`crate::Chain::bounds`]) bounds the start as well, where the
    /// backend can end it.
    ///
    /// What is started is the content that was described, whatever the origin leads to by now ([`Description::content`]); where that cannot be
    /// had any more, it is refused.
    ///
    /// # Errors
    /// A failure of phase load or start, with the module's own traceback; [`Code::ChangedMeanwhile`].
    fn start(&self, start: Start<'_>) -> Result<Started>;

    /// What stays in the process of all modules that were ever loaded in it, whatever becomes of their instances.
    fn stays(&self) -> Vec<Stays> {
        Vec::new()
    }

    /// What it has to warn of by now, each once. Asked after each load.
    fn warnings(&self) -> Vec<Error> {
        Vec::new()
    }

    /// Prepares neighbouring stages of a pipeline, all of this backend's instances, to be run as one.
    ///
    /// `None` when the backend has no better way than to call each function for itself.
    ///
    /// # Errors
    /// A stage that cannot be had as it is described.
    fn fuse(&self, _seats: Vec<StageSeat>) -> Result<Option<Box<dyn StageRun>>> {
        Ok(None)
    }

    /// Runs `wait` with whatever the current thread holds of the backend let go of.
    ///
    /// Every wait of the runtime goes through here: who waits while it holds an interpreter blocks the
    /// thread that would end the wait.
    fn let_go(&self, wait: &mut dyn FnMut()) {
        wait();
    }

    /// Tells what runs on behalf of `cancel` that it is not wanted any more, as well as the backend can.
    fn interrupt(&self) {}

    /// Has what runs look whether the process was sent a signal, where the backend handles signals itself and
    /// a thread that is not its own may have caught it.
    fn wake(&self) {}
}

/// What a new instance is made of.
pub struct Start<'a> {
    /// Where the module comes from.
    pub origin: &'a Origin,
    /// What was read of it.
    pub description: &'a Description,
    /// The slot it is to fill.
    pub slot: &'a SlotName,
    /// The generation it is to be.
    pub generation: GenerationId,
    /// What the configuration gives to it.
    pub params: &'a Map,
    /// The slots that are injected: parameter or attribute, and what it calls.
    pub services: Vec<(Text, Arc<dyn Service>)>,
    /// Bounds on its calls and on what it holds, those that hold for every slot included.
    pub limits: &'a Limits,
    /// What it may reach. Where a key is left out, a backend that can guard it allows nothing.
    pub allow: &'a Allow,
    /// Where tables that are copied into or out of it are counted.
    pub copies: &'a Arc<CopyMeter>,
    /// The folder that relative paths in messages are shown against, and those of `allow` are relative to.
    pub root: &'a Path,
}

/// A new instance, and how long its making took.
pub struct Started {
    /// The instance.
    pub instance: Arc<dyn Instance>,
    /// How long running the module's top level took.
    pub load: Duration,
    /// How long constructing and initializing took.
    pub start: Duration,
}

/// A started module.
pub trait Instance: Send + Sync {
    /// A function to be called, found once and kept.
    ///
    /// # Errors
    /// [`crate::Code::UnknownFunction`] or [`crate::Code::NotCallable`].
    fn function(&self, name: &str) -> Result<Arc<dyn Function>>;

    /// The value of an attribute.
    ///
    /// # Errors
    /// [`crate::Code::UnknownAttribute`], or what reading it raised.
    fn attribute(&self, name: &str) -> Result<Value>;

    /// The names of the functions and attributes it has now, public ones only, in order.
    fn names(&self) -> Vec<String>;

    /// What the instance would carry over to its successor; none when it carries nothing.
    ///
    /// # Errors
    /// What the module's `export_state` raised, or state that is not data.
    fn export_state(&self) -> Result<Option<State>> {
        Ok(None)
    }

    /// Takes over what an instance before it carried; false when it takes nothing over.
    ///
    /// # Errors
    /// What the module's `import_state` raised.
    fn import_state(&self, _state: &State) -> Result<bool> {
        Ok(false)
    }

    /// Has the calls that are under way end, where the backend can end a call from outside: they fail as cancelled, soon.
    /// Gives whether it can. Nobody calls the instance afterwards but to stop it.
    fn end_calls(&self) -> bool {
        false
    }

    /// Whether it can answer no more calls: its last call left it as nobody can vouch for, as a trap does.
    ///
    /// Asked after each call that failed, unless the instance is shared: nobody could stop one under other
    /// calls. The runtime stops such an instance and starts another in its place; its state is lost.
    fn broken(&self) -> bool {
        false
    }

    /// Shuts the instance down; it is not called afterwards.
    ///
    /// # Errors
    /// [`crate::Code::StopFailed`] with what the module raised; the instance is gone all the same.
    fn stop(&self, within: Duration) -> Result<()>;

    /// What the instances of its module share beside each other and is gone with the last of them: who may start more of them keeps it
    /// until then, so that all but the first are cheap. None where there is no such thing.
    fn shared(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }

    /// How to look for what is left of it once it was stopped and nobody here has it any more. Asked before it is stopped;
    /// empty where nothing ever is.
    fn remains(&self) -> Vec<Arc<dyn Remains>> {
        Vec::new()
    }

    /// What the instance holds.
    fn footprint(&self) -> Footprint;

    /// The instance for its own backend to recognise.
    fn as_any(&self) -> &dyn Any;
}

/// A function of an instance.
pub trait Function: Send + Sync {
    /// Calls it.
    ///
    /// # Errors
    /// What the module raised, or a value that does not fit.
    fn call(&self, call: Call<'_>) -> Result<Value>;

    /// What it takes and gives, as far as that is known.
    fn signature(&self) -> Option<&Signature>;
}

/// A slot as a module sees it when it is injected.
pub trait Service: Send + Sync {
    /// The slot's name.
    fn slot(&self) -> &SlotName;

    /// Calls a function of whatever fills the slot now; `None` is the main function.
    ///
    /// # Errors
    /// What the call failed with.
    fn call(&self, function: Option<&str>, call: Call<'_>) -> Result<Value>;

    /// Reads an attribute of whatever fills the slot now.
    ///
    /// # Errors
    /// What reading it failed with.
    fn attribute(&self, name: &str) -> Result<Value>;

    /// Whether `name` is a function of whatever fills the slot now.
    ///
    /// # Errors
    /// What loading the slot failed with.
    fn has_function(&self, name: &str) -> Result<bool>;

    /// Whether what the function gives is awaited, as far as that is known without waiting for anything: of a slot that is
    /// being replaced, as it was.
    fn is_awaited(&self, _function: Option<&str>) -> bool {
        false
    }
}

/// The failure of a module of `slot` that calls `asked`, which its slot does not need. `needed` are the names that it
/// may call by, which are those in `needs` and no others, whatever fills them.
pub fn not_needed<'n>(slot: &SlotName, asked: &str, needed: impl IntoIterator<Item = &'n str>) -> Error {
    let error = Error::new(Code::UnknownSlot, format!("`{slot}` needs no slot `{asked}`")).phase(Phase::Call);
    error.hint(match nearest(asked, needed) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("Add it to the slot's `needs`: `needs: {{ {asked}: {asked} }}`"),
    })
}

/// What an instance carries over to its successor.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The version of the module that wrote it.
    pub version: Option<String>,
    /// The state: data, never an object.
    pub value: Value,
}

/// What an instance holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes it is known to hold.
    pub bytes: Option<u64>,
    /// Calls under way, as far as they are counted.
    pub calls: u64,
    /// Bytes that stay when it is gone.
    pub kept: u64,
    /// The content it was made from.
    pub hash: Option<ContentHash>,
}
