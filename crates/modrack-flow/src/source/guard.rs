//! Readers of binary formats, kept from taking the run along when a file lies.
//!
//! Damaged files are known to make such readers panic; that is a damaged file, not a mistake of modrack.

use modrack_core::{Result, caught};

use crate::error;

/// Runs a step of a reader; a failure and a panic alike mean that the file is damaged.
///
/// # Errors
/// `M0606`.
pub(crate) fn guarded<T, E: std::fmt::Display>(
    shown: &str,
    what: &str,
    step: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    match caught(step) {
        Some(Ok(value)) => Ok(value),
        Some(Err(why)) => Err(error::bad_file(shown, what, in_words(&why.to_string()))),
        None => Err(error::bad_file(shown, what, "its parts contradict each other")),
    }
}

/// A reader's message without the names of its own error types.
fn in_words(why: &str) -> String {
    const NAMES: &[&str] =
        &["Parquet error: ", "Parser error: ", "Ipc error: ", "EOF: ", "Arrow: ", "Io error: ", "External: "];
    let mut rest = why;
    while let Some(shorter) = NAMES.iter().find_map(|name| rest.strip_prefix(name)) {
        rest = shorter;
    }
    let mut letters = rest.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "it ends too early".to_owned(),
    }
}
