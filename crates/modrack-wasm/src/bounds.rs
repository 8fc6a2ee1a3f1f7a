//! How much a component may hand over in one call: what it gives, and what it gives to a function of the host.
//!
//! The engine counts what it makes of it in the host's memory, in bytes of its own, while it makes it: texts and
//! bytes as they are, dynamic values many times over. That is a coarse bound, set so that nothing that may be given
//! is refused; a result is measured once more when it is there. What is then made of a typed list by ourselves, an item
//! for an item, the engine does not count: it is bounded before it is made.

use std::time::Duration;

use modrack_core::plan::Limits;
use modrack_core::{Error, Phase};

use crate::failure::too_large;

/// The most that is handed over where nothing says how much.
const MOST: u64 = 1 << 30;

/// What a component may always hand over, were it to another slot, whatever its own output may be.
const LEAST: u64 = 1 << 24;

/// What an item of a list counts at least, as [`modrack_core::Value::size`] says.
const ITEM: u64 = 8;

/// The limits of a slot that say how much.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    /// How long a call may take; whoever calls keeps it, but for the items of a stream.
    pub(crate) time: Option<Duration>,
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
    /// By a typed call that gives texts: each of them takes the room of a `String`, however short it is.
    Texts,
    /// By dynamic values: a byte takes up to forty.
    Dynamic,
}

impl Bounds {
    /// The bounds of these limits.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { time: limits.time, output: limits.output, memory: limits.memory }
    }

    /// What the engine may make in one call.
    pub(crate) fn fuel(self, crossing: Crossing) -> usize {
        let times: u64 = match crossing {
            Crossing::Typed => 4,
            Crossing::Texts => 25,
            Crossing::Dynamic => 40,
        };
        let held = self.memory.map_or(MOST, |memory| memory.saturating_mul(times).min(MOST));
        let most = self.output.map_or(held, |output| output.saturating_mul(times).max(held.min(LEAST)));
        usize::try_from(most.saturating_add(1 << 12)).unwrap_or(usize::MAX)
    }

    /// Whether values may be made of a list of so many `items` that crossed by a typed call: within the output, or
    /// within what is handed over at most, where both together take so many `bytes`.
    ///
    /// # Errors
    /// [`modrack_core::Code::OutputTooLarge`]
    pub(crate) fn room(self, items: usize, bytes: u64) -> Result<(), Error> {
        let fits = match self.output {
            Some(output) => (items as u64).saturating_mul(ITEM) <= output,
            None => bytes <= MOST,
        };
        if fits { Ok(()) } else { Err(too_large(self.output).phase(Phase::Call)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_made_than_may_be_given() {
        let mib = |many: u64| Some(many << 20);
        // Output, memory, and the MiB that are made: typed, of texts, dynamic.
        for (output, memory, typed, texts, dynamic) in [
            (None, None, 1024, 1024, 1024),
            (None, mib(4), 16, 100, 160),
            (None, mib(1000), 1024, 1024, 1024),
            (mib(1), None, 16, 25, 40),
            (mib(100), mib(1), 400, 2500, 4000),
            (mib(1), mib(1), 4, 25, 40),
        ] {
            let bounds = Bounds { time: None, output, memory };
            let crossings = [Crossing::Typed, Crossing::Texts, Crossing::Dynamic];
            let made = crossings.map(|crossing| bounds.fuel(crossing) >> 20);
            assert_eq!(made, [typed, texts, dynamic], "{bounds:?}");
        }
    }

    #[test]
    fn values_are_made_of_a_list_as_far_as_they_may_be_given() {
        for (output, items, bytes, fits) in [
            (None, 1, MOST, true),
            (None, 1, MOST + 1, false),
            (Some(800), 100, 1 << 40, true),
            (Some(800), 101, 0, false),
            (Some(1 << 40), 1 << 36, 1 << 42, true),
        ] {
            let got = Bounds { time: None, output, memory: None }.room(items, bytes);
            assert_eq!(got.is_ok(), fits, "{output:?} {items} {bytes}");
        }
    }
}
