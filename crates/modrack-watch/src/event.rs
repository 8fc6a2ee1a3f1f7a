//! What is watched and what is told: nouns alone.

use std::path::PathBuf;
use std::time::Duration;

use modrack_core::{ContentHash, Error};

/// How patient a watcher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For how long nothing may have happened before files are looked at.
    pub quiet: Duration,
    /// For how long at most that is waited for, when things go on happening.
    pub longest: Duration,
    /// For how long a file may be gone, or be something that its consumer cannot take, before that is what it is.
    pub patience: Duration,
    /// How often files are looked at that the system does not watch.
    pub poll: Duration,
    /// Whether the system is not asked at all: for file systems that take watches and tell nothing.
    pub always_poll: bool,
}

/// A file that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its absolute path.
    pub path: PathBuf,
    /// What it held when it began to matter.
    pub held: Held,
    /// Whether each save of it is told, also of one that leaves its content as it was.
    pub each_save: bool,
}

/// What a file held when it began to matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// What it holds when it begins to be watched.
    Now,
    /// The content of this hash: anything else is told.
    Content(ContentHash),
    /// Nobody knows: what it holds is told once, and that is no save.
    Unknown,
}

/// Files whose content has changed.
#[derive(Clone, Debug)]
pub struct Changed<K> {
    /// Whose files they are, in order.
    pub keys: Vec<K>,
    /// Those of them of whose files one was saved; of the others it is looked for the first time what they hold.
    pub saved: Vec<K>,
    /// The files, in the order of their paths.
    pub files: Vec<FileChange>,
    /// Whether this is told for the last time as it is: whoever cannot take it has failed. It is false the first time.
    pub is_last: bool,
}

/// A file whose content has changed.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// The path under which it is watched.
    pub path: PathBuf,
    /// What there is now.
    pub found: Found,
}

/// What there is at a path.
#[derive(Clone, Debug)]
pub enum Found {
    /// A file with this content.
    Content(ContentHash),
    /// Nothing, for longer than a moment.
    Gone,
    /// A file that cannot be read.
    Unreadable(Error),
}

/// What the consumer of a change says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was taken, or has failed for good.
    Taken,
    /// It cannot be taken as it is; perhaps more is being written. It is told once more after [`Settings::patience`], as the last
    /// time, unless files of the same key change before.
    NotYet,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(15),
            longest: Duration::from_millis(500),
            patience: Duration::from_millis(400),
            poll: Duration::from_secs(1),
            always_poll: false,
        }
    }
}

impl Watched {
    /// A file as it is now.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), held: Held::Now, each_save: false }
    }

    /// A file of which nothing is known: what it holds is told once.
    pub fn unread(path: impl Into<PathBuf>) -> Self {
        Self { held: Held::Unknown, ..Self::new(path) }
    }

    /// A file that held this when it was read: what was changed since is told.
    pub fn as_read(path: impl Into<PathBuf>, hash: ContentHash) -> Self {
        Self { held: Held::Content(hash), ..Self::new(path) }
    }

    /// Has each save of it be told, also of one that leaves its content as it was.
    #[must_use]
    pub fn each_save(self) -> Self {
        Self { each_save: true, ..self }
    }
}

impl Found {
    /// Whether both are the same as far as can be known. A file that cannot be read is not read again and again.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Content(one), Self::Content(other)) => one == other,
            (Self::Gone, Self::Gone) | (Self::Unreadable(_), Self::Unreadable(_)) => true,
            _ => false,
        }
    }
}
