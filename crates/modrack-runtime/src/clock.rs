//! What time it is for a rack: the system's clock, which a test can put forward.
//!
//! Only deadlines of the rack's own (a drain, a trial) are read here; calls look at the system's clock.

use std::time::{Duration, Instant};

#[cfg(feature = "doubles")]
use std::sync::atomic::{AtomicU64, Ordering};

/// The clock of a rack.
#[derive(Default)]
pub(crate) struct Clock {
    /// Nanoseconds that a test has put it forward by.
    #[cfg(feature = "doubles")]
    ahead: AtomicU64,
}

impl Clock {
    /// The time now.
    pub(crate) fn now(&self) -> Instant {
        Instant::now() + self.ahead()
    }

    /// The time when `length` is over; what is longer than anybody waits is as long as that.
    pub(crate) fn after(&self, length: Duration) -> Instant {
        const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
        let now = self.now();
        now.checked_add(length.min(LONGEST)).unwrap_or(now)
    }

    #[cfg(feature = "doubles")]
    fn ahead(&self) -> Duration {
        Duration::from_nanos(self.ahead.load(Ordering::Acquire))
    }

    #[cfg(not(feature = "doubles"))]
    #[expect(clippy::unused_self, reason = "a test's clock looks at itself")]
    fn ahead(&self) -> Duration {
        Duration::ZERO
    }

    /// Puts it forward.
    #[cfg(feature = "doubles")]
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::AcqRel);
    }
}
