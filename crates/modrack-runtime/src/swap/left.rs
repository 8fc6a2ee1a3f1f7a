//! What is left of generations that were stopped: when it is looked for, and what was found.
//!
//! A first look comes soon after the stop, a second one later, because much that holds a module goes by itself; who holds it
//! still is told then. What is not known by then is looked for again and again. Nothing here looks by itself, and nothing of a
//! backend runs here but in [`Looked::look`] and [`Looked::is_gone`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use modrack_core::{Effort, GenerationId, Left, Remains, SlotName, Text};

/// How long after the stop the first look comes: who asked for the swap has let go of the old generation by then.
const SOON: Duration = Duration::from_millis(100);
/// How long after the first look the second one comes, and any other.
const LATER: Duration = Duration::from_secs(2);

/// A generation that was stopped, and whose memory does not go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The slot that it filled.
    pub slot: SlotName,
    /// The generation.
    pub generation: GenerationId,
    /// Who holds it, in words.
    pub holders: Vec<Text>,
}

/// What may be left of generations that were stopped.
#[derive(Default)]
pub(super) struct Leftovers {
    all: Vec<Leftover>,
    next: u64,
}

struct Leftover {
    looked: Looked,
    /// When it is looked for next; none when who holds it was told.
    due: Option<Instant>,
    /// Whether it was looked for before.
    again: bool,
    held: Held,
}

/// Something to look for.
#[derive(Clone)]
pub(super) struct Looked {
    number: u64,
    remains: Arc<[Arc<dyn Remains>]>,
}

impl Leftovers {
    /// Has it looked for from now on.
    pub(super) fn add(
        &mut self,
        slot: &SlotName,
        generation: GenerationId,
        remains: Vec<Arc<dyn Remains>>,
        now: Instant,
    ) {
        let looked = Looked { number: self.next, remains: remains.into() };
        self.next += 1;
        let held = Held { slot: slot.clone(), generation, holders: Vec::new() };
        self.all.push(Leftover { looked, due: Some(now + SOON), again: false, held });
    }

    /// What is to be looked for now. It is due again later, whatever becomes of the look.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Looked> {
        let due = self.all.iter_mut().filter(|left| left.due.is_some_and(|due| due <= now));
        let due = due.map(|left| {
            left.due = Some(now + LATER);
            left.looked.clone()
        });
        due.collect()
    }

    /// When something is to be looked for next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.all.iter().filter_map(|left| left.due).min()
    }

    /// Notes what a look found. Gives what is to be told of it, and what is remembered no longer.
    pub(super) fn note(&mut self, looked: &Looked, found: Left) -> (Option<Held>, Option<Looked>) {
        let Some(at) = self.all.iter().position(|left| left.looked.number == looked.number) else {
            return (None, None);
        };
        let left = &mut self.all[at];
        let was_before = std::mem::replace(&mut left.again, true);
        match found {
            Left::Nothing => return (None, Some(self.all.swap_remove(at).looked)),
            Left::Unknown => {}
            Left::Held(holders) => {
                left.held.holders = holders;
                if was_before {
                    left.due = None;
                    return (Some(left.held.clone()), None);
                }
            }
        }
        (None, None)
    }

    /// What was found to be held, to be looked at before it is told.
    pub(super) fn known(&self) -> Vec<Looked> {
        let known = self.all.iter().filter(|left| !left.held.holders.is_empty());
        known.map(|left| left.looked.clone()).collect()
    }

    /// Forgets what has gone.
    pub(super) fn forget(&mut self, gone: &Looked) {
        self.all.retain(|left| left.looked.number != gone.number);
    }

    /// What is held, the oldest first.
    pub(super) fn held(&self) -> Vec<Held> {
        let mut held: Vec<_> = self.all.iter().filter(|left| !left.held.holders.is_empty()).collect();
        held.sort_by_key(|left| left.looked.number);
        held.into_iter().map(|left| left.held.clone()).collect()
    }
}

impl Looked {
    /// Looks for it.
    pub(super) fn look(&self, effort: Effort) -> Left {
        let mut found = Left::Nothing;
        for remains in &*self.remains {
            found = match (found, remains.look(effort)) {
                (Left::Held(mut holders), Left::Held(more)) => {
                    holders.extend(more);
                    Left::Held(holders)
                }
                (Left::Held(holders), _) | (_, Left::Held(holders)) => Left::Held(holders),
                (Left::Unknown, _) | (_, Left::Unknown) => Left::Unknown,
                (Left::Nothing, Left::Nothing) => Left::Nothing,
            };
        }
        found
    }

    /// Whether it has gone, as far as that is known without looking for it.
    pub(super) fn is_gone(&self) -> bool {
        self.look(Effort::Glance) == Left::Nothing
    }
}
