//! Where it is learned that something happened: the system's watches.
//!
//! This is the one file that knows `notify`. What it says is turned into the few words that the engine knows.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use modrack_core::Error;
use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, MetadataKind, ModifyKind};
use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::error;

/// Something that happened to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Somebody who has the file open wrote to it, or made it: more may come.
    Written(PathBuf),
    /// Somebody who had the file open for writing closed it.
    Closed(PathBuf),
    /// What is said of the file, as who may read it, was changed.
    Touched(PathBuf),
    /// The name came, went, or stands for something else.
    Named(PathBuf),
    /// Something was missed.
    Everything,
}

/// Why a folder is not watched.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is not there.
    Missing,
    /// The system does not do it.
    Refused(Error),
}

/// What tells of folders.
pub(crate) trait Source: Send {
    /// Tells from now on what happens to the names in a folder, not to those in folders within.
    fn watch(&mut self, folder: &Path) -> Result<(), Refusal>;
    /// Tells no more. The folder may be gone.
    fn unwatch(&mut self, folder: &Path);
}

/// The system.
pub(crate) struct System(RecommendedWatcher);

impl System {
    /// Gives what happens, in these words, to `tell`.
    ///
    /// # Errors
    /// [`modrack_core::Code::WatchRefused`].
    pub(crate) fn new<M: From<Seen> + Send + 'static>(tell: Sender<M>) -> Result<Self, Error> {
        let tell = move |told: notify::Result<notify::Event>| {
            let seen = match told {
                Ok(event) => words(event),
                // Whatever it was, something may have been missed.
                Err(_) => vec![Seen::Everything],
            };
            for seen in seen {
                // Nobody listens when the watcher is just being dropped.
                drop(tell.send(M::from(seen)));
            }
        };
        let watcher = RecommendedWatcher::new(tell, Config::default());
        watcher.map(Self).map_err(|why| error::refused_all(&why.to_string()))
    }
}

impl Source for System {
    fn watch(&mut self, folder: &Path) -> Result<(), Refusal> {
        self.0.watch(folder, RecursiveMode::NonRecursive).map_err(|why| match why.kind {
            notify::ErrorKind::PathNotFound => Refusal::Missing,
            notify::ErrorKind::Io(ref io) if io.kind() == std::io::ErrorKind::NotFound => Refusal::Missing,
            notify::ErrorKind::MaxFilesWatch => {
                Refusal::Refused(error::refused(folder, "the limit of watches is reached"))
            }
            kind => Refusal::Refused(error::refused(folder, &notify::Error::new(kind).to_string())),
        })
    }

    fn unwatch(&mut self, folder: &Path) {
        // It forgets by itself a folder that is gone.
        drop(self.0.unwatch(folder));
    }
}

fn words(event: notify::Event) -> Vec<Seen> {
    if event.need_rescan() {
        return vec![Seen::Everything];
    }
    let word: fn(PathBuf) -> Seen = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Seen::Closed,
        EventKind::Create(CreateKind::File) | EventKind::Modify(ModifyKind::Data(_)) => Seen::Written,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => Seen::Named,
        // Rights may have been given or taken; and other systems than Linux say no more than this of a write.
        EventKind::Modify(
            ModifyKind::Any
            | ModifyKind::Other
            | ModifyKind::Metadata(
                MetadataKind::Any
                | MetadataKind::Permissions
                | MetadataKind::Ownership
                | MetadataKind::WriteTime
                | MetadataKind::Other,
            ),
        )
        | EventKind::Any => Seen::Touched,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) | EventKind::Other => {
            return Vec::new();
        }
    };
    event.paths.into_iter().map(word).collect()
}
