//! Steps of others' code that are known to panic when what they read lies: the panic is an answer, and nothing is said
//! of it. Panics elsewhere are told as they were before.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// How many such steps this thread is in.
    static GUARDED: Cell<u32> = const { Cell::new(0) };
}

static QUIET: Once = Once::new();

/// A guarded step, for as long as it lives.
struct Step;

impl Step {
    fn begin() -> Self {
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

/// What the step gives; `None` when it panicked.
pub fn caught<T>(step: impl FnOnce() -> T) -> Option<T> {
    let _step = Step::begin();
    catch_unwind(AssertUnwindSafe(step)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_panics_gives_nothing() {
        assert_eq!(caught(|| 1), Some(1));
        assert_eq!(caught(|| -> u8 { panic!("so") }), None);
        assert_eq!(GUARDED.get(), 0);
    }
}
