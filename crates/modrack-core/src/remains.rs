//! What may be left of an instance that was stopped: memory that goes only when nobody holds it any more.
//!
//! A backend says how that is looked for; when is the runtime's. Nothing here frees anything.

use crate::{ContentHash, Text};

/// What was left of an instance when it was stopped.
///
/// It must keep nothing of the instance alive by itself.
pub trait Remains: Send + Sync {
    /// Looks what of it is still there.
    fn look(&self, effort: Effort) -> Left;
}

/// How much a look may cost those who call modules meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Nothing: only what is known anyway is told.
    Glance,
    /// Calls are under way: they may be held up no longer than they hold up each other.
    Busy,
    /// No call is under way.
    Idle,
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing is left.
    Nothing,
    /// Something is left, and may yet go by itself.
    Unknown,
    /// Something is left because it is held, by these: words for people.
    Held(Vec<Text>),
}

/// What stays in the process for good, as a library does that is never unloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// What it is, for people.
    pub name: String,
    /// The hash of its content.
    pub hash: ContentHash,
    /// How many bytes it takes, at least.
    pub bytes: u64,
    /// Whether an instance uses it.
    pub is_used: bool,
}
