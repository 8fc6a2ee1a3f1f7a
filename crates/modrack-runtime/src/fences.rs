//! The two fences between who pins a table and who replaces it: one that costs each call next to nothing, and one that costs
//! who publishes a call of the system, which has every thread of the process stand at a fence.
//!
//! Where the system has no such call, both are ordinary fences. What depends on the system stands here alone.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, compiler_fence, fence};

#[cfg(all(target_os = "linux", not(miri)))]
use rustix::thread::{MembarrierCommand, membarrier};

/// Which fences there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fences {
    /// Whether who pins stands at a fence of its own.
    ordinary: bool,
}

impl Fences {
    /// Those that this process has; the same ones each time.
    pub(crate) fn of_process() -> Self {
        static OF_PROCESS: OnceLock<Fences> = OnceLock::new();
        *OF_PROCESS.get_or_init(|| Self { ordinary: !register() })
    }

    /// Between what a thread says and what it looks at next.
    #[inline]
    pub(crate) fn light(self) {
        if self.ordinary {
            fence(Ordering::SeqCst);
        } else {
            compiler_fence(Ordering::SeqCst);
        }
    }

    /// Between what is changed and looking at what threads say: whoever does not see the change has said by then what it
    /// says. False when that could not be had, and nothing may be concluded.
    #[must_use]
    pub(crate) fn heavy(self) -> bool {
        fence(Ordering::SeqCst);
        #[cfg(feature = "doubles")]
        if REFUSED.get() {
            return false;
        }
        self.ordinary || reach_all()
    }
}

#[cfg(feature = "doubles")]
std::thread_local! { static REFUSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) } }

/// Has the system refuse this thread its call from now on, or grant it again: for tests.
#[cfg(feature = "doubles")]
pub(crate) fn refuse(is_refused: bool) {
    REFUSED.set(is_refused);
}

/// Has the system ready for [`reach_all`]; false when it has no such call.
#[cfg(all(target_os = "linux", not(miri)))]
fn register() -> bool {
    membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
}

/// Has every thread of the process that runs stand at a fence.
#[cfg(all(target_os = "linux", not(miri)))]
fn reach_all() -> bool {
    let reach = || membarrier(MembarrierCommand::PrivateExpedited).is_ok();
    // A child that was forked may have to say again that it wants this.
    reach() || (register() && reach())
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn register() -> bool {
    false
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn reach_all() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_had_in_either_way() {
        assert!(Fences::of_process().heavy());
        assert!(Fences { ordinary: true }.heavy());
        assert_eq!(Fences::of_process(), Fences::of_process());
    }
}
