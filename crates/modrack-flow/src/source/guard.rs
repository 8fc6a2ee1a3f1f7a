//! Readers of binary formats, kept from taking the run along when a file lies.
//!
//! Damaged files are known to make such readers panic; that is a damaged file, not a mistake of modrack.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use modrack_core::Result;

use crate::error;

thread_local! {
    /// How many guarded steps this thread is in: their panics are told as what is wrong with the file.
    static GUARDED: Cell<u32> = const { Cell::new(0) };
}

static QUIET: Once = Once::new();

/// A guarded step, for as long as it lives.
struct Step;

impl Step {
    fn begin() -> Self {
        // Panics elsewhere are told as they were before.
        QUIET.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                if GUARDED.try_with(Cell::get).unwrap_or(0) == 0 {
                    before(panic);
                }
            }));
        });
        GUARDED.set(GUARDED.get() + 1);
        Self
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        GUARDED.set(GUARDED.get() - 1);
    }
}

/// Runs a step of a reader; a failure and a panic alike mean that the file is damaged.
///
/// # Errors
/// `M0606`.
pub(crate) fn guarded<T, E: std::fmt::Display>(
    shown: &str,
    what: &str,
    step: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    let caught = {
        let _step = Step::begin();
        catch_unwind(AssertUnwindSafe(step))
    };
    match caught {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(why)) => Err(error::bad_file(shown, what, in_words(&why.to_string()))),
        Err(_) => Err(error::bad_file(shown, what, "its parts contradict each other")),
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
