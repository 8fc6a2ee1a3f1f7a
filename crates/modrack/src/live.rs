//! A rack that remembers: what was swapped into it outlives the process, what breaks at start is replaced by what was good, and
//! whatever served can be gone back to.
//!
//! A [`LiveRack`] joins a rack to its state. It decides what is loaded when the rack's text and the state differ; how that is
//! done is the runtime's, and how it is kept the state's. Everything blocks, and can be used from any thread; no lock is held
//! while modules run. Swaps of one slot take turns in the runtime, and what a change is made from is read under that turn.

mod change;
mod configuration;
mod declared;
mod error;
mod force;
mod meant;
mod recorder;
mod refused;
mod save;
mod start;
mod status;
mod tried;
#[cfg(feature = "watch")]
mod watch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use modrack_core::{Error, Result, SlotName};
use modrack_runtime::Rack;
pub use modrack_state::{
    Action, Configuration, Differs, Drift, Entry, EntryId, EntrySlot, Failed, Filling, Outcome, Override,
    Reader,
};
use modrack_state::{Opened, RackState};

pub use change::{SwapRequest, SwapSlot};
pub use force::in_force;
pub use meant::set_over;
pub use refused::Refused;
pub use start::{Readiness, Started};
pub use status::{SlotState, SlotStatus, Status, status_of};

use crate::text::Source;
use declared::Declared;
use recorder::Recorder;

/// A rack that remembers. It is a handle: cheap to clone.
#[derive(Clone)]
pub struct LiveRack(Arc<Live>);

/// What the handles share.
struct Live {
    rack: Rack,
    recorder: Arc<Recorder>,
    who: String,
    source: Option<Source>,
    /// How it went with each slot that is to be started.
    starts: Mutex<HashMap<SlotName, start::Start>>,
    /// What did not come in.
    tried: Mutex<HashMap<SlotName, tried::Tried>>,
    /// What was refused last, and is not mended.
    refusals: Mutex<refused::Refusals>,
    /// Whether a slot that is to be started was not, and nobody was told since that all of them serve.
    is_unready: AtomicBool,
    #[cfg(feature = "watch")]
    watcher: Mutex<Option<Arc<modrack_watch::Watcher<watch::Key>>>>,
}

/// How a rack is joined to its state.
#[derive(Clone, Debug, Default)]
pub struct LiveSettings {
    /// The state folder; none keeps the state in memory, where it is gone with the process.
    pub folder: Option<PathBuf>,
    /// Where the rack's text comes from; none for a rack that was put together without one.
    pub source: Option<Source>,
    /// What is set over the text at each reading, each a `path=value`; the rack was opened with the same.
    pub set: Vec<String>,
    /// Whether what was swapped in before is dropped, so that the rack is what its text says.
    pub from_config: bool,
    /// Who asks, where nobody else is named.
    pub who: String,
}

impl LiveRack {
    /// Joins a rack, of which nothing is loaded yet, to its state: what was swapped in before is put in force, what is loaded from
    /// now on is kept, and what happens is remembered. Gives what went wrong on the way and stops nobody.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateInUse`] when another process has the state, [`modrack_core::Code::StateUnwritable`],
    /// [`modrack_core::Code::StateNewer`]; a text that cannot be read again.
    pub fn attach(rack: Rack, settings: LiveSettings) -> Result<(Self, Vec<Error>)> {
        let (state, damaged) = open(settings.folder.as_deref())?;
        let declared = Declared::at_start(&rack, &settings)?;
        if let (Some(source), Some(text)) = (&settings.source, &declared.text) {
            state.configure(&source.name(), &String::from_utf8_lossy(&text.bytes))?;
        }
        if settings.from_config {
            state.drop_overrides()?;
        } else if declared.text.is_some() {
            state.lapse(&declared.texts())?;
        }
        let recorder = Arc::new(Recorder::new(rack.downgrade(), state, declared));
        damaged.into_iter().for_each(|why| recorder.warn(why));
        rack.keep_with(recorder.clone());
        let told = recorder.clone();
        rack.observe(move |event| told.tell(event));
        let live = Self(Arc::new(Live {
            rack,
            recorder,
            who: settings.who,
            source: settings.source,
            starts: Mutex::default(),
            tried: Mutex::default(),
            refusals: Mutex::default(),
            is_unready: AtomicBool::new(false),
            #[cfg(feature = "watch")]
            watcher: Mutex::default(),
        }));
        let told = Arc::downgrade(&live.0);
        live.0.rack.observe(move |event| {
            if let Some(live) = told.upgrade() {
                live.tell(event);
                LiveRack(live).note_refused(event);
            }
        });
        live.put_in_force()?;
        let warnings = live.0.recorder.take_warnings();
        Ok((live, warnings))
    }

    /// The rack.
    pub fn rack(&self) -> &Rack {
        &self.0.rack
    }

    /// The last changes, the newest first; those of one slot where it is named.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateDamaged`].
    pub fn history(&self, slot: Option<&SlotName>, most: usize) -> Result<Vec<Entry>> {
        self.0.recorder.state()?.read().history(slot, most)
    }

    /// The configurations that served, the one that began last first.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateDamaged`].
    pub fn configurations(&self) -> Result<Vec<Configuration>> {
        self.0.recorder.state()?.read().configurations()
    }

    /// The configuration whose hash begins so.
    ///
    /// # Errors
    /// [`modrack_core::Code::UnknownEntry`] when none does, or several do.
    pub fn configuration(&self, hash: &str) -> Result<Configuration> {
        self.0.recorder.state()?.read().configuration(hash)
    }

    /// What went wrong since this was asked for, and stopped nobody.
    pub fn take_warnings(&self) -> Vec<Error> {
        self.0.recorder.take_warnings()
    }

    /// Notes in the state that what is being started, or swapped in, was given up, for who ends the process without waiting for it: the next
    /// one tries it again, as it does not what ended the process by itself.
    pub fn give_up(&self) {
        self.0.recorder.give_up();
    }

    /// Stops the rack's modules and gives the state back. Gives what the modules' own shutdowns failed with.
    pub fn stop(&self) -> Vec<Error> {
        #[cfg(feature = "watch")]
        let watcher = self.unwatch();
        let errors = self.0.rack.stop();
        #[cfg(feature = "watch")]
        if let Some(watcher) = watcher {
            // What it has the rack do has ended by now, or is about to; it may need what this thread has.
            self.0.rack.waiting(&mut || watcher.join());
        }
        self.0.recorder.close();
        errors
    }
}

impl Live {
    fn starts(&self) -> MutexGuard<'_, HashMap<SlotName, start::Start>> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a state, and gives what is damaged of it.
fn open(folder: Option<&Path>) -> Result<(RackState, Option<Error>)> {
    let settings = modrack_state::Settings::default();
    match folder {
        Some(folder) => {
            let Opened { state, warning } = RackState::open(folder, settings)?;
            Ok((state, warning))
        }
        None => Ok((RackState::memory(settings)?, None)),
    }
}
