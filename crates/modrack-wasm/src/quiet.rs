//! Steps whose panics are expected and told as errors: nothing is printed for them. Panics elsewhere are told as before.

use std::cell::Cell;
use std::panic::{self, UnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether this thread is in such a step.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// A step, for as long as it lives.
struct Step;

impl Drop for Step {
    fn drop(&mut self) {
        QUIET.set(false);
    }
}

/// Runs a step; `None` when it panicked.
pub(crate) fn caught<T>(step: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.try_with(Cell::get).unwrap_or(false) {
                before(panic);
            }
        }));
    });
    QUIET.set(true);
    let _step = Step;
    catch_unwind(step).ok()
}
