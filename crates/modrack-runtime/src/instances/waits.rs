//! Who waits for which places, in the whole process: the queues, and the waits that would never end.
//!
//! A chain of calls that waits holds the places that it came through. When each place that it wants is held by a
//! chain that waits in turn, and so on back to it, nobody would ever go on: that is re-entry, or two chains that
//! want each other's places, and it is refused before the wait begins. A wait for a slot that another chain loads
//! counts too, and so does one for something that the event loop is to end, while somebody waits on the loop's own
//! thread. A chain that branches has not ended before its branches have, so it waits for what they wait for. No foreign code
//! runs under the lock.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use modrack_core::{Cancel, Chain, SlotName};

use super::places::Places;

/// Why a wait ended without what was waited for.
pub(crate) enum Why {
    /// It would have been in this circle of slots, the wanted one first.
    Circle(Vec<SlotName>),
    /// The deadline has passed.
    Late,
    /// The caller gave up.
    Cancelled,
    /// There is nothing to wait for any more.
    Stopped,
}

/// A wait, until when and whether it is still wanted.
pub(crate) struct Until<'a> {
    /// When it must have ended.
    pub(crate) deadline: Option<Instant>,
    /// How its caller can give it up.
    pub(crate) cancel: Option<&'a Cancel>,
    /// Whether there is nothing to wait for any more.
    pub(crate) stopped: &'a dyn Fn() -> bool,
}

impl Until<'_> {
    /// Why the wait is to end now, if it is.
    pub(crate) fn is_over(&self) -> Option<Why> {
        if (self.stopped)() {
            Some(Why::Stopped)
        } else if self.cancel.is_some_and(Cancel::is_cancelled) {
            Some(Why::Cancelled)
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(Why::Late)
        } else {
            None
        }
    }

    /// How long to wait before that is asked again.
    pub(crate) fn slice(&self) -> Duration {
        self.deadline.map_or(SLICE, |deadline| deadline.saturating_duration_since(Instant::now()).min(SLICE))
    }
}

/// A wait that is registered, until this goes: also by a panic of what waits.
pub(crate) struct Ticket(u64);

/// How long a wait goes without looking whether its caller gave up, or somebody began to wait for the event loop that
/// it holds up, or what is loaded or swapped is not wanted any more: none of that wakes anybody.
pub(crate) const SLICE: Duration = Duration::from_millis(20);

struct Waiting {
    ticket: u64,
    chain: u64,
    /// The chains that it is a branch of.
    above: Vec<u64>,
    /// Whether the event loop is held up by it.
    on_loop: bool,
    wanted: Wanted,
}

/// What is waited for.
enum Wanted {
    /// Any of these places, or that one.
    Place(Arc<Places>, Option<usize>),
    /// The end of a load of this slot, by this chain.
    Load(SlotName, u64),
    /// The end of a swap of this slot, by this chain.
    Gate(SlotName, u64),
}

#[derive(Default)]
struct Waits {
    next: u64,
    /// In the order in which they came.
    all: Vec<Waiting>,
}

static WAITS: Mutex<Waits> = Mutex::new(Waits { next: 0, all: Vec::new() });

/// Registers this thread's chain as waiting for a place: for any, or for `which`.
///
/// # Errors
/// [`Why::Circle`] when the wait would never end.
pub(super) fn enter(places: &Arc<Places>, which: Option<usize>) -> Result<Ticket, Why> {
    // Before anything is looked at: who gives a place back from now on sees that somebody waits.
    places.waiting.fetch_add(1, Ordering::SeqCst);
    lock().enter(Wanted::Place(places.clone(), which)).map(Ticket).map_err(Why::Circle)
}

/// Registers this thread's chain as waiting for the load of a slot that chain `owner` has begun.
///
/// # Errors
/// The slots of a wait that would never end.
pub(crate) fn enter_load(slot: &SlotName, owner: u64) -> Result<Ticket, Vec<SlotName>> {
    lock().enter(Wanted::Load(slot.clone(), owner)).map(Ticket)
}

/// Registers this thread's chain as waiting for the swap of a slot that chain `owner` does.
///
/// # Errors
/// The slots of a wait that would never end.
pub(crate) fn enter_gate(slot: &SlotName, owner: u64) -> Result<Ticket, Vec<SlotName>> {
    lock().enter(Wanted::Gate(slot.clone(), owner)).map(Ticket)
}

/// The slots of a wait that would never end, if this thread's is one that holds up the event loop.
pub(crate) fn circle_on_loop() -> Option<Vec<SlotName>> {
    lock().circle_on_loop()
}

/// Notes that this thread's chain has ended the load of a slot: who waits for it will go on, though it has not yet.
pub(crate) fn load_ended(slot: &SlotName) {
    let me = Chain::id();
    for waiting in &mut lock().all {
        if let Wanted::Load(wanted, owner) = &mut waiting.wanted
            && *owner == me
            && wanted == slot
        {
            *owner = 0;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let left = lock().leave(self.0);
        // Whoever is next may be so only now.
        if let Some(places) = left {
            places.changed.notify_all();
        }
    }
}

/// Waits for a place; call it with everything let go of.
///
/// # Errors
/// Why there is none.
pub(super) fn wait(places: &Places, ticket: &Ticket, until: &Until<'_>) -> Result<usize, Why> {
    let ticket = ticket.0;
    let mut waits = lock();
    loop {
        // Under the lock: who looks for circles never sees a chain both wait and hold what it waited for.
        let got = waits.take(ticket, places);
        let now = Instant::now();
        let ended = if let Some(at) = got {
            Some(Ok(at))
        } else if let Some(slots) = waits.circle_on_loop() {
            Some(Err(Why::Circle(slots)))
        } else if (until.stopped)() {
            Some(Err(Why::Stopped))
        } else if until.cancel.is_some_and(Cancel::is_cancelled) {
            Some(Err(Why::Cancelled))
        } else if until.deadline.is_some_and(|deadline| now >= deadline) {
            Some(Err(Why::Late))
        } else {
            None
        };
        if let Some(ended) = ended {
            waits.leave(ticket);
            drop(waits);
            places.changed.notify_all();
            return ended;
        }
        let left = until.deadline.map(|deadline| deadline.saturating_duration_since(now));
        let slice = match (left, until.cancel.is_some() || Chain::is_on_loop()) {
            (Some(left), true) => Some(left.min(SLICE)),
            (None, true) => Some(SLICE),
            (left, false) => left,
        };
        waits = match slice {
            Some(slice) => {
                places.changed.wait_timeout(waits, slice).unwrap_or_else(PoisonError::into_inner).0
            }
            None => places.changed.wait(waits).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

/// Has those who wait for a place look again.
#[cold]
pub(super) fn wake(places: &Places) {
    // Nobody is between looking and waiting while the lock is held.
    drop(lock());
    places.changed.notify_all();
}

impl Wanted {
    /// Which of `places` are waited for, if any is.
    fn of(&self, places: &Places) -> Option<Option<usize>> {
        match self {
            Self::Place(wanted, which) if std::ptr::eq(&**wanted, places) => Some(*which),
            _ => None,
        }
    }

    fn slot(&self) -> &SlotName {
        match self {
            Self::Place(places, _) => places.slot(),
            Self::Load(slot, _) | Self::Gate(slot, _) => slot,
        }
    }

    /// The chains of which any could end the wait; 0 where it has ended.
    fn holders(&self) -> Vec<u64> {
        match self {
            Self::Place(places, None) => places.holders().collect(),
            Self::Place(places, Some(at)) => vec![places.holder(*at)],
            Self::Load(_, owner) | Self::Gate(_, owner) => vec![*owner],
        }
    }
}

/// What keeps a chain from going on.
#[derive(Clone, Copy)]
enum Stuck<'a> {
    /// What it waits for.
    Wants(&'a Wanted),
    /// The event loop, which somebody holds up.
    Loop(u64),
    /// One of its branches.
    Branch(u64),
}

impl Stuck<'_> {
    fn holders(self) -> Vec<u64> {
        match self {
            Self::Wants(wanted) => wanted.holders(),
            Self::Loop(chain) | Self::Branch(chain) => vec![chain],
        }
    }
}

impl Waits {
    fn enter(&mut self, wanted: Wanted) -> Result<u64, Vec<SlotName>> {
        let ticket = self.next;
        self.next += 1;
        let (chain, above, on_loop) = (Chain::id(), Chain::above(), Chain::is_on_loop());
        self.all.push(Waiting { ticket, chain, above, on_loop, wanted });
        match self.circle() {
            None => Ok(ticket),
            Some(slots) => {
                self.leave(ticket);
                Err(slots)
            }
        }
    }

    /// Takes the place that this wait may have by now: who came first has the first one free that serves it.
    fn take(&self, ticket: u64, places: &Places) -> Option<usize> {
        let mut free: Vec<usize> = (0..places.count()).filter(|at| places.holder(*at) == 0).collect();
        for waiting in &self.all {
            let Some(which) = waiting.wanted.of(places) else { continue };
            let serves = |at: &usize| which.is_none_or(|which| which == *at);
            if waiting.ticket == ticket {
                return free.into_iter().find(|at| serves(at) && places.take_now(*at));
            }
            if let Some(first) = free.iter().position(serves) {
                free.remove(first);
            }
        }
        None
    }

    /// Ends a wait, if it has not ended; gives the places that it was for.
    fn leave(&mut self, ticket: u64) -> Option<Arc<Places>> {
        let at = self.all.iter().position(|waiting| waiting.ticket == ticket)?;
        match self.all.remove(at).wanted {
            Wanted::Place(places, _) => {
                places.waiting.fetch_sub(1, Ordering::SeqCst);
                Some(places)
            }
            Wanted::Load(..) | Wanted::Gate(..) => None,
        }
    }

    /// The slots that would wait for each other for good, as this thread's chain waits for the last that was
    /// entered.
    fn circle(&self) -> Option<Vec<SlotName>> {
        let me = Chain::id();
        let mut stuck: Vec<(u64, Stuck<'_>)> = Vec::new();
        for waiting in &self.all {
            stuck.push((waiting.chain, Stuck::Wants(&waiting.wanted)));
            stuck.extend(waiting.above.iter().map(|above| (*above, Stuck::Branch(waiting.chain))));
        }
        // What a chain waits for here is more than what it awaits: that is what it came from.
        if let Some(holder) = self.all.iter().find(|waiting| waiting.on_loop).map(|waiting| waiting.chain) {
            let waits: HashSet<_> = self.all.iter().map(|waiting| waiting.chain).collect();
            let awaiting = Chain::awaiting().into_iter().filter(|chain| !waits.contains(chain));
            stuck.extend(awaiting.map(|chain| (chain, Stuck::Loop(holder))));
        }
        // A chain goes on when nothing keeps it from that; what no longer does is struck out until all of the rest does.
        let mut kept: HashMap<u64, usize> = HashMap::new();
        for (chain, _) in &stuck {
            *kept.entry(*chain).or_default() += 1;
        }
        let goes_on = |kept: &HashMap<u64, usize>, chain: u64| kept.get(&chain).is_none_or(|by| *by == 0);
        while let Some(at) =
            stuck.iter().position(|(_, by)| by.holders().into_iter().any(|h| goes_on(&kept, h)))
        {
            let (chain, _) = stuck.swap_remove(at);
            kept.entry(chain).and_modify(|by| *by -= 1);
        }
        // The way round, for the message: from what is wanted to what its holder wants, and so on.
        let mine = |(chain, by): &(u64, Stuck<'_>)| *chain == me && matches!(by, Stuck::Wants(_));
        let mut next = stuck.iter().position(mine);
        next?;
        let mut slots = Vec::new();
        while let Some(at) = next {
            let (_, by) = stuck.swap_remove(at);
            if let Stuck::Wants(wanted) = by {
                slots.push(wanted.slot().clone());
            }
            let holder = by.holders().first().copied();
            next = stuck.iter().position(|(chain, _)| Some(*chain) == holder);
        }
        Some(slots)
    }

    /// The circle that this thread's wait has come to be in, if it holds up the event loop: whoever began to wait for
    /// that later is not told.
    fn circle_on_loop(&self) -> Option<Vec<SlotName>> {
        if Chain::is_on_loop() { self.circle() } else { None }
    }
}

fn lock() -> MutexGuard<'static, Waits> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}
