//! What is remembered: entries of the history, what fills slots, overrides, configurations.
//!
//! Nouns alone; nothing here touches a file or the database.

use std::time::SystemTime;

use modrack_core::{ContentHash, Error, SlotName};

/// The number of an entry of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub i64);

/// What was done to a rack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Slots were filled for the first time in a process.
    Load,
    /// What fills slots was replaced.
    Swap,
    /// What filled slots before fills them again.
    Rollback,
    /// Slots were emptied.
    Unload,
    /// An arm of an experiment became what fills its slot.
    Promote,
    /// The configuration was replaced.
    Configure,
}

/// Something that somebody wants done, or that was done.
#[derive(Clone, Debug)]
pub struct Change {
    /// What.
    pub action: Action,
    /// Who wants it; may be empty.
    pub who: String,
    /// Why; may be empty.
    pub why: String,
    /// The hash of the configuration that is in force, where it is known.
    pub config: Option<ContentHash>,
    /// What becomes of each slot.
    pub slots: Vec<SlotChange>,
}

/// What becomes of one slot.
#[derive(Clone, Debug)]
pub struct SlotChange {
    /// The slot.
    pub slot: SlotName,
    /// The hash of what filled it; none when nothing did, or it has none.
    pub from: Option<ContentHash>,
    /// What fills it; none when nothing does.
    pub to: Option<Filling>,
    /// How that stands to the configuration.
    pub standing: Standing,
}

/// What fills a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filling {
    /// The module's name.
    pub module: String,
    /// The hash of its content; none for what has no files.
    pub hash: Option<ContentHash>,
    /// Its `use` text.
    pub use_text: String,
    /// The rest of the slot's plan, in whatever form the caller reads again. Nothing here looks into it.
    pub plan: String,
}

/// How what fills a slot stands to the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// As before.
    #[default]
    Unchanged,
    /// It is what the configuration says: an override of the slot ends.
    Declared,
    /// It is something else, until the slot's text in the configuration changes.
    Override {
        /// The hash of that text now.
        declared: ContentHash,
    },
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    Begun,
    /// It was done.
    Done,
    /// It failed, and what was before is in force.
    Failed(Failed),
    /// The process ended in the middle of it.
    Interrupted,
}

/// Why a change failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The slot whose step failed.
    pub slot: Option<SlotName>,
    /// The step: `fetch`, `match`, `start` and so on.
    pub step: String,
    /// The code of the failure.
    pub code: String,
    /// What it says.
    pub message: String,
}

/// An entry of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number: a later entry has a higher one.
    pub id: EntryId,
    /// When it was begun.
    pub at: SystemTime,
    /// What was done.
    pub action: Action,
    /// Who wanted it.
    pub who: String,
    /// Why.
    pub why: String,
    /// The hash of the configuration that was in force.
    pub config: Option<ContentHash>,
    /// How it ended.
    pub outcome: Outcome,
    /// What became of each slot, or would have.
    pub slots: Vec<EntrySlot>,
}

/// A slot in an entry of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntrySlot {
    /// The slot.
    pub slot: SlotName,
    /// The hash of what filled it before.
    pub from: Option<ContentHash>,
    /// What filled it then, or would have.
    pub to: Option<Filling>,
    /// Whether the content of that is still kept, to go back to.
    pub is_kept: bool,
}

/// A slot that is filled by something else than its configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The slot.
    pub slot: SlotName,
    /// What fills it.
    pub to: Filling,
    /// The hash of the slot's text in the configuration when it began.
    pub declared: ContentHash,
    /// The entry of the history that tells who wanted it and why, as long as that is kept.
    pub entry: Option<EntryId>,
    /// Since when.
    pub since: SystemTime,
}

/// A slot of the last set that stood its trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// The slot.
    pub slot: SlotName,
    /// What fills it.
    pub filling: Filling,
    /// Since when it is known to be good.
    pub since: SystemTime,
}

/// A configuration that served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The hash of its text.
    pub hash: ContentHash,
    /// What it was read from.
    pub name: String,
    /// Its text, with nothing filled in.
    pub text: String,
    /// Since when it served, the last time it began to.
    pub since: SystemTime,
}

/// What was cleaned up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many entries of the history went.
    pub entries: u64,
    /// How many files went.
    pub files: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

impl Failed {
    /// What `why` says, for a step of a slot.
    pub fn new(slot: Option<SlotName>, step: impl Into<String>, why: &Error) -> Self {
        Self { slot, step: step.into(), code: why.code().to_string(), message: why.message().to_owned() }
    }
}

impl Action {
    const ALL: [Self; 6] =
        [Self::Load, Self::Swap, Self::Rollback, Self::Unload, Self::Promote, Self::Configure];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Swap => "swap",
            Self::Rollback => "rollback",
            Self::Unload => "unload",
            Self::Promote => "promote",
            Self::Configure => "configure",
        }
    }

    /// The action that a word stands for.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

impl Outcome {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}
