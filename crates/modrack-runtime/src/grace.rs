//! Grace periods: waiting for the calls that pinned a table that was replaced.
//!
//! A table tells of its end when it is dropped; who waits looks again then. No foreign code runs under the lock.

use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex, PoisonError};

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
            let until = within.and_then(|within| Instant::now().checked_add(within));
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            // Told since the look began: it may have come too late for it.
            while *told == seen {
                told = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                    None => self.changed.wait(told).unwrap_or_else(PoisonError::into_inner),
                    Some(left) if left.is_zero() => break,
                    Some(left) => {
                        self.changed.wait_timeout(told, left).unwrap_or_else(PoisonError::into_inner).0
                    }
                };
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
