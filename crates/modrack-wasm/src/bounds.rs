//! How much a component may hand over in one call: what it gives, and what it gives to a function of the host.
//!
//! The engine counts what it makes of it in the host's memory, in bytes of its own, while it makes it: texts and
//! bytes as they are, dynamic values many times over. That is a coarse bound, set so that nothing that may be given
//! is refused; a result is measured once more when it is there.

use modrack_core::plan::Limits;

/// The most that is handed over where nothing says how much.
const MOST: u64 = 1 << 30;

/// What a component may always hand over, were it to another slot, whatever its own output may be.
const LEAST: u64 = 1 << 24;

/// The limits of a slot that say how much.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    /// The most bytes of a result.
    pub(crate) output: Option<u64>,
    /// The most bytes that the component holds, so that it has no more to give.
    memory: Option<u64>,
}

/// How values cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crossing {
    /// By a typed call: the parts of a `value` take up to three times the room that they have in the component.
    Typed,
    /// By dynamic values: a byte takes up to forty.
    Dynamic,
}

impl Bounds {
    /// The bounds of these limits.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { output: limits.output, memory: limits.memory }
    }

    /// What the engine may make in one call.
    pub(crate) fn fuel(self, crossing: Crossing) -> usize {
        let times: u64 = match crossing {
            Crossing::Typed => 4,
            Crossing::Dynamic => 40,
        };
        let held = self.memory.map_or(MOST, |memory| memory.saturating_mul(times).min(MOST));
        let most = self.output.map_or(held, |output| output.saturating_mul(times).max(held.min(LEAST)));
        usize::try_from(most.saturating_add(1 << 12)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_made_than_may_be_given() {
        let mib = |many: u64| Some(many << 20);
        // Output, memory, and the MiB that are made: typed, dynamic.
        for (output, memory, typed, dynamic) in [
            (None, None, 1024, 1024),
            (None, mib(4), 16, 160),
            (None, mib(1000), 1024, 1024),
            (mib(1), None, 16, 40),
            (mib(100), mib(1), 400, 4000),
            (mib(1), mib(1), 4, 40),
        ] {
            let bounds = Bounds { output, memory };
            let made = [Crossing::Typed, Crossing::Dynamic].map(|crossing| bounds.fuel(crossing) >> 20);
            assert_eq!(made, [typed, dynamic], "{bounds:?}");
        }
    }
}
