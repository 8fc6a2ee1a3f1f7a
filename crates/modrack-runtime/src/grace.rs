//! Grace periods: waiting for the calls that pinned a table that was replaced.
//!
//! A table tells of its end when it is dropped; who waits looks again then. No foreign code runs under the lock.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What ends of tables are told to, and who waits for them.
#[derive(Default)]
pub(crate) struct Grace {
    /// How often something changed.
    told: Mutex<u64>,
    changed: Condvar,
}

impl Grace {
    /// Has everybody who waits look again.
    pub(crate) fn tell(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Looks until `look` gives something, each time that something changed and when the time that it names is
    /// over.
    pub(crate) fn wait<R>(&self, mut look: impl FnMut() -> Look<R>) -> R {
        loop {
            let seen = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let within = match look() {
                Look::Done(given) => return given,
                Look::Again(within) => within,
            };
            let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let unchanged = |told: &mut u64| *told == seen;
            match within {
                None => {
                    drop(self.changed.wait_while(told, unchanged).unwrap_or_else(PoisonError::into_inner))
                }
                Some(within) => drop(
                    self.changed
                        .wait_timeout_while(told, within, unchanged)
                        .unwrap_or_else(PoisonError::into_inner),
                ),
            }
        }
    }
}

/// What a look gave.
pub(crate) enum Look<R> {
    /// What was waited for.
    Done(R),
    /// Nothing yet: look again after this long, or when something changed.
    Again(Option<Duration>),
}
