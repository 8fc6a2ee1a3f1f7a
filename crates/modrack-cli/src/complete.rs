//! What a shell offers for slots, functions, attributes and pipelines: from the rack and the index, nothing
//! is run and nothing is said.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};

pub(crate) fn pipelines(current: &OsStr) -> Vec<CompletionCandidate> { vec![] }
pub(crate) fn slots(current: &OsStr) -> Vec<CompletionCandidate> { vec![] }
pub(crate) fn functions(current: &OsStr) -> Vec<CompletionCandidate> { vec![] }
pub(crate) fn attributes(current: &OsStr) -> Vec<CompletionCandidate> { vec![] }
