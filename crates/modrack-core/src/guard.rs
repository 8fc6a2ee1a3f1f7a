//! What a backend can keep modules from, and what passes through its hands.
//!
//! Only the words and the counters are here; who asks for a guard that is not there is told by the runtime,
//! before anything runs.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::plan::Allow;

/// How well a limit holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// Not at all: asking for it is an error.
    #[default]
    Missing,
    /// What passed it is refused, once it has come about: the module is not stopped.
    Late,
    /// As well as the module's language allows.
    BestEffort,
    /// Nothing gets past it.
    Held,
}

/// What a backend can guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// How long a call takes.
    pub time: Guard,
    /// How much memory an instance holds.
    pub memory: Guard,
    /// How large a result is.
    pub output: Guard,
    /// Which files are read and written.
    pub files: Guard,
    /// Who is reached over the network.
    pub net: Guard,
    /// Which variables of the environment are seen.
    pub env: Guard,
}

/// How often a table is copied on its way between callers and a backend's modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TableCopies {
    /// Never: both sides read the same memory.
    #[default]
    None,
    /// Once on its way in, once on its way out.
    OneEachWay,
}

/// Tables that were copied between callers and a slot's modules: backends add to it where they copy.
#[derive(Debug, Default)]
pub struct CopyMeter {
    tables: AtomicU64,
    bytes: AtomicU64,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// How many tables, each time they were copied.
    pub tables: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Guards {
    /// What holds for any module: the runtime refuses a result that came too late or is too large.
    pub const LATE: Self = Self {
        time: Guard::Late,
        memory: Guard::Missing,
        output: Guard::Late,
        files: Guard::Missing,
        net: Guard::Missing,
        env: Guard::Missing,
    };

    /// Everything, and nothing gets past it.
    pub const ALL: Self = Self {
        time: Guard::Held,
        memory: Guard::Held,
        output: Guard::Held,
        files: Guard::Held,
        net: Guard::Held,
        env: Guard::Held,
    };

    /// The keys of `allow` that ask for what is not guarded.
    pub fn unguarded(&self, allow: &Allow) -> Vec<&'static str> {
        let asked = [
            ("read", allow.read.is_some(), self.files),
            ("write", allow.write.is_some(), self.files),
            ("net", allow.net.is_some(), self.net),
            ("env", allow.env.is_some(), self.env),
        ];
        asked
            .into_iter()
            .filter(|(_, asked, guard)| *asked && *guard == Guard::Missing)
            .map(|k| k.0)
            .collect()
    }
}

impl Default for Guards {
    fn default() -> Self {
        Self::LATE
    }
}

impl Guard {
    /// The word for it in `inspect` and `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "no",
            Self::Late => "late",
            Self::BestEffort => "best-effort",
            Self::Held => "yes",
        }
    }
}

impl TableCopies {
    /// The words for it in `inspect` and `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OneEachWay => "one each way",
        }
    }
}

impl CopyMeter {
    /// Counts a table of so many bytes that was copied.
    pub fn add(&self, bytes: u64) {
        self.tables.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What was copied until now.
    pub fn copies(&self) -> Copies {
        Copies { tables: self.tables.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }
}
