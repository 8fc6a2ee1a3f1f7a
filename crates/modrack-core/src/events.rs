//! The names of what a rack tells as it happens, and the patterns that pick some of them.
//!
//! One list, which feeds the patterns, their errors and the reader of racks. Nothing is told here.

use crate::{Code, Error, Result, nearest};

/// The names of the events.
pub const EVENTS: [&str; 22] = [
    "module.found",
    "module.loading",
    "module.loaded",
    "module.failed",
    "module.mended",
    "module.unloaded",
    "module.lost",
    "module.stop-failed",
    "swap.swapped",
    "swap.failed",
    "swap.rolled-back",
    "swap.settled",
    "swap.draining",
    "swap.lingering",
    "swap.retired",
    "swap.held",
    "configuration.changed",
    "configuration.refused",
    "configuration.restored",
    "configuration.mended",
    "rack.ready",
    "warning",
];

/// Which events are asked for: names and beginnings of names, `swap.*, module.loaded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(Box<str>),
    Beginning(Box<str>),
}

impl Pattern {
    /// Reads a pattern: an event's name, a beginning of names with `*` behind it, or several with commas between.
    ///
    /// # Errors
    /// [`Code::BadValue`] for a part that no event is called by.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split(',').map(|part| {
            let part = part.trim();
            let read = match part.strip_suffix('*') {
                Some(beginning) => Part::Beginning(beginning.into()),
                None => Part::Name(part.into()),
            };
            match EVENTS.iter().any(|name| read.matches(name)) {
                true => Ok(read),
                false => Err(unknown(part)),
            }
        });
        parts.collect::<Result<_>>().map(Self)
    }

    /// Whether an event of this name is asked for.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|part| part.matches(name))
    }
}

impl Part {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Name(known) => **known == *name,
            Self::Beginning(beginning) => name.starts_with(&**beginning),
        }
    }
}

/// A name of events that none is called by.
fn unknown(name: &str) -> Error {
    let error = Error::new(Code::BadValue, format!("There is no event `{name}`"));
    match nearest(name, EVENTS) {
        Some(near) => error.hint(format!("Did you mean `{near}`?")),
        None => error.hint("Name events as `swap.swapped`, several as `swap.*`, all as `*`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_pick_events_by_names_and_their_beginnings() {
        let picked = |pattern: &str| {
            let pattern = Pattern::parse(pattern).unwrap();
            EVENTS.into_iter().filter(|name| pattern.matches(name)).collect::<Vec<_>>()
        };
        assert_eq!(picked("*"), EVENTS);
        assert_eq!(picked("module.loaded, warning"), ["module.loaded", "warning"]);
        assert_eq!(picked("swap.s*"), ["swap.swapped", "swap.settled"]);
    }

    #[test]
    fn a_pattern_that_picks_nothing_is_an_error() {
        let hint = |pattern: &str| {
            let error = Pattern::parse(pattern).unwrap_err();
            (error.message().to_owned(), error.hint_text().unwrap_or_default().to_owned())
        };
        let (message, near) = hint("swap.*,swap.swaped");
        assert_eq!(message, "There is no event `swap.swaped`");
        assert_eq!(near, "Did you mean `swap.swapped`?");
        for pattern in ["", "swap", "swap.*.x", "swaps.*"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
