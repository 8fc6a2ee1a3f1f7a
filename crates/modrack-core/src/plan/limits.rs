//! How much a rack may hold: bounds that no honest rack comes near, so that a hostile one costs little.
//!
//! Only numbers and the error of passing them are here.

use super::node::{At, Weight};
use super::report::Report;
use crate::{Code, Error};

/// Bytes of a rack's text.
pub(crate) const TEXT_BYTES: usize = 8 << 20;
/// Nodes, after aliases and `${...}` were filled in.
const NODES: usize = 400_000;
/// Bytes of all texts in it, after aliases and `${...}` were filled in.
const BYTES: usize = 16 << 20;
/// How deep values may be nested.
const DEPTH: usize = 100;

/// What has been used up of the bounds.
#[derive(Default)]
pub(crate) struct Budget {
    nodes: usize,
    bytes: usize,
}

impl Budget {
    /// Uses up `weight`, at a place that is `depth` deep already.
    ///
    /// # Errors
    /// [`Code::ConfigTooLarge`] when a bound is passed.
    pub(crate) fn take(
        &mut self,
        weight: Weight,
        depth: usize,
        at: At,
        report: &Report<'_>,
    ) -> Result<(), Error> {
        self.nodes = self.nodes.saturating_add(weight.nodes);
        self.bytes = self.bytes.saturating_add(weight.bytes);
        if depth + weight.depth > DEPTH {
            return Err(too_deep().place(report.bare_place(at)));
        }
        let (what, hint) = if self.nodes > NODES {
            (
                format!("The rack grows to more than {NODES} values"),
                "Look for aliases or `${...}` that repeat each other",
            )
        } else if self.bytes > BYTES {
            (
                format!("The rack grows to more than {} MiB of text", BYTES >> 20),
                "Name large data by its path instead",
            )
        } else {
            return Ok(());
        };
        Err(Error::new(Code::ConfigTooLarge, what).hint(hint).place(report.bare_place(at)))
    }
}

/// Values are nested deeper than any rack needs.
pub(crate) fn too_deep() -> Error {
    Error::new(Code::ConfigTooLarge, format!("Values are nested deeper than {DEPTH}"))
        .hint("Nest them less deeply")
}
