//! One call of a function: what it is given, until when, and how its result is wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::{Text, Value};

/// The arguments of a call, borrowed from the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Args<'a> {
    /// Arguments by position.
    pub positional: &'a [Value],
    /// Arguments by name.
    pub named: &'a [(Text, Value)],
}

/// How the caller wants its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Results {
    /// As data, whatever can be data; the rest as a foreign object.
    #[default]
    Converted,
    /// As the backend's own object where the backend has one: the caller hands it on within that backend.
    Kept,
}

/// One call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// What the function is given.
    pub args: Args<'a>,
    /// When the call must have ended.
    pub deadline: Option<Instant>,
    /// How the caller can give the call up.
    pub cancel: Option<&'a Cancel>,
    /// How the result is wanted.
    pub results: Results,
}

/// A caller's word that it no longer wants what it asked for. Clones speak of the same word.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    is_told: bool,
}

impl<'a> Call<'a> {
    /// A call with arguments by position, no deadline and no way to give up.
    pub fn new(positional: &'a [Value]) -> Self {
        Self { args: Args { positional, named: &[] }, ..Self::default() }
    }
}

impl From<Arc<AtomicBool>> for Cancel {
    /// A word that is also given by setting `flag`, which a signal handler may do.
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self { flag, is_told: false }
    }
}

impl Cancel {
    /// A word that is given by setting `flag`, of which the backends are told then, with
    /// [`Backend::wake`](crate::Backend::wake) or [`Backend::interrupt`](crate::Backend::interrupt): none has to
    /// keep looking for it.
    pub fn told(flag: Arc<AtomicBool>) -> Self {
        Self { flag, is_told: true }
    }

    /// Whether the backends are told when the word is given.
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// Gives up. What runs is told at the next point at which its backend can tell it.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Release);
    }

    /// The word itself, for who cannot ask for it otherwise.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Whether the caller has given up.
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }
}
