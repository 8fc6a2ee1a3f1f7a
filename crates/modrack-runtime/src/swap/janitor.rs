//! What is left to the rack when a swap has answered: parked generations whose trial ends, and those whose last calls are
//! waited for; and looking for what is left of those that were stopped.
//!
//! A thread of the rack finds what is to be done, and is there only while something may come to be. It keeps the rack alive no
//! longer than it takes to look. No module runs on it, nor while its lock is held: what it finds is done elsewhere (`chores`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use modrack_core::{Left, Remains};

use super::chores::{About, Chore, Chores};
use super::left::{Leftovers, Looked};
use super::{Before, Held, Kept, Served, back};
use crate::generation::Generation;
use crate::grace::{Grace, Look};
use crate::rack::RackCore;
use crate::seat::Seat;

/// How often a trial is looked at: calls tell of failures at once, but only now and then of how long they took.
const LOOK: Duration = Duration::from_millis(250);
/// How long it is before a way back is tried again for which calls did not end, at least and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What is kept and waited for, and who looks after it.
#[derive(Default)]
pub(crate) struct Janitor {
    state: Mutex<State>,
    chores: Arc<Chores>,
}

#[derive(Default)]
struct State {
    parked: Vec<Parked>,
    retiring: Vec<Retiring>,
    left: Leftovers,
    running: bool,
}

/// How a trial stands.
enum Trial {
    /// It is over, and was stood.
    Over,
    /// It was not stood.
    Failed,
    /// It is to be looked at again then, or when a chore that is about it has ended.
    Open(Option<Instant>),
}

/// What one swap replaced, kept to go back to.
pub(super) struct Parked {
    /// The version of the table that the swap published, which is the parked set's number.
    pub(super) number: u64,
    /// The version of the first table without it.
    pub(super) version: u64,
    pub(super) slots: Vec<ParkedSlot>,
    /// Until when it is kept.
    pub(super) until: Instant,
    /// When going back is tried again, where it could not be done though what came did not stand its trial.
    pub(super) again: Option<Instant>,
    /// How long that was put off.
    pub(super) pause: Duration,
    /// Whether what came did not stand its trial and cannot be taken back by itself: it is kept until somebody decides.
    pub(super) undecided: bool,
}

/// A slot of what one swap replaced.
pub(super) struct ParkedSlot {
    /// What served before.
    pub(super) old: Arc<Seat>,
    /// What serves since.
    pub(super) new: Arc<Seat>,
    /// Whether state was carried from the one to the other.
    pub(super) carried: bool,
}

/// What is stopped when no call uses it any more.
pub(super) struct Retiring {
    /// What it filled.
    pub(super) seats: Vec<Arc<Seat>>,
    /// The version of the first table without it.
    pub(super) version: u64,
    /// When its calls are to be ended, unless that was done.
    pub(super) until: Option<Instant>,
}

impl Janitor {
    /// Keeps what a swap replaced.
    pub(super) fn park(&self, rack: &Arc<RackCore>, parked: Parked) {
        for slot in &parked.slots {
            if let Some(new) = slot.new.generation().filter(|_| slot.new.plan().swap.trial.is_bound()) {
                new.on_trial(rack.cell().grace());
            }
        }
        let mut state = self.state();
        state.parked.push(parked);
        begin(rack, state);
    }

    /// Waits for the last calls of what was replaced, and stops it then.
    pub(super) fn look_after(&self, rack: &Arc<RackCore>, retiring: Retiring) {
        let mut state = self.state();
        state.retiring.push(retiring);
        begin(rack, state);
    }

    /// Looks for what is left of what was stopped, soon and once more later.
    pub(crate) fn look_for(
        &self,
        rack: &Arc<RackCore>,
        generation: &Generation,
        remains: Vec<Arc<dyn Remains>>,
    ) {
        if remains.is_empty() {
            return;
        }
        let now = rack.clock().now();
        let mut state = self.state();
        state.left.add(generation.slot().name(), generation.id(), remains, now);
        begin(rack, state);
    }

    /// What is known to be held. What has gone since it was looked for is forgotten.
    pub(super) fn held(&self) -> Vec<Held> {
        let known = self.state().left.known();
        let gone: Vec<_> = known.into_iter().filter(Looked::is_gone).collect();
        let mut state = self.state();
        for looked in &gone {
            state.left.forget(looked);
        }
        let held = state.left.held();
        drop(state);
        // What they remember of a module may be foreign, and its end runs code.
        drop(gone);
        held
    }

    /// Keeps what was parked for the slot no longer. What was replaced together with it stays on its trial.
    pub(super) fn unpark(&self, rack: &Arc<RackCore>, slot: usize) {
        let mut state = self.state();
        let Some(at) = state.parked.iter().position(|parked| parked.has(slot)) else { return };
        let (gone, rest) = state.parked.remove(at).split(slot);
        state.retiring.push(gone.into_retiring(rack));
        state.parked.extend(rest);
        begin(rack, state);
    }

    /// Takes what is parked under `number`, to go back to it.
    pub(super) fn take(&self, number: u64) -> Option<Parked> {
        let mut state = self.state();
        let at = state.parked.iter().position(|parked| parked.number == number)?;
        Some(state.parked.remove(at))
    }

    /// The number of what is parked for the slot, and its slots.
    pub(super) fn parked_for(&self, slot: usize) -> Option<(u64, Vec<usize>)> {
        let state = self.state();
        let parked = state.parked.iter().find(|parked| parked.has(slot))?;
        Some((parked.number, parked.indexes()))
    }

    /// The slots of what is parked under `number`.
    pub(super) fn parked_as(&self, number: u64) -> Option<Vec<usize>> {
        self.state().parked.iter().find(|parked| parked.number == number).map(Parked::indexes)
    }

    /// What is kept and waited for.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let state = self.state();
        let parked = state.parked.iter().flat_map(|p| p.slots.iter().map(|slot| (&slot.old, Before::Parked)));
        let retiring = state.retiring.iter().flat_map(|r| {
            let state = if r.until.is_some() { Before::Draining } else { Before::Lingering };
            r.seats.iter().map(move |old| (old, state))
        });
        let kept = parked.chain(retiring).filter_map(|(seat, state)| {
            let generation = seat.generation()?.id();
            Some(Kept { slot: seat.slot().name().clone(), generation, state })
        });
        kept.collect()
    }

    /// Forgets everything: the rack is being stopped, and stops all generations itself.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        let (parked, retiring) = (std::mem::take(&mut state.parked), std::mem::take(&mut state.retiring));
        let left = std::mem::take(&mut state.left);
        drop(state);
        // What fills them may be foreign, and its end runs code.
        drop((parked, retiring, left));
    }

    /// Waits for the chores that other threads do, for no longer than a stop may take.
    pub(crate) fn ended(&self, rack: &RackCore) {
        self.chores.ended(|wait| rack.waiting(wait));
    }

    /// What is being done.
    pub(super) fn chores(&self) -> &Arc<Chores> {
        &self.chores
    }

    /// Has what is parked under `number` looked at again when who swaps its slots may have done so.
    pub(super) fn wait_for_turn(&self, rack: &RackCore, number: u64) {
        let mut state = self.state();
        for parked in state.parked.iter_mut().filter(|parked| parked.number == number) {
            parked.again = Some(rack.clock().after(LOOK));
        }
    }

    /// Notes what a look for what is left found, and gives what is to be told of it.
    pub(super) fn note(&self, looked: &Looked, found: Left) -> Option<Held> {
        let (told, gone) = self.state().left.note(looked, found);
        // What it remembers of a module may be foreign, and its end runs code.
        drop(gone);
        told
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parked {
    /// Puts going back off: each time for longer.
    pub(super) fn put_off(&mut self, rack: &RackCore) {
        let drain = self.slots.iter().map(|slot| slot.new.plan().swap.drain).max().unwrap_or_default();
        let (least, most) = PAUSES;
        self.pause = (self.pause * 2).max(drain).clamp(least, most);
        self.again = Some(rack.clock().after(self.pause));
    }

    /// What was replaced in the slot, and in the others, if there are others.
    fn split(self, slot: usize) -> (Self, Option<Self>) {
        let Self { number, version, slots, until, again, pause, undecided } = self;
        let (gone, rest): (Vec<_>, Vec<_>) = slots.into_iter().partition(|p| p.old.slot().index() == slot);
        let of = |slots| Self { number, version, slots, until, again, pause, undecided };
        let rest = (!rest.is_empty()).then(|| of(rest));
        (of(gone), rest)
    }

    pub(super) fn has(&self, slot: usize) -> bool {
        self.slots.iter().any(|parked| parked.old.slot().index() == slot)
    }

    /// Whether anything would end its trial before its time.
    fn is_bound(&self) -> bool {
        self.slots.iter().any(|slot| slot.new.plan().swap.trial.is_bound())
    }

    /// How its trial stands.
    fn trial(&self, chores: &Chores, now: Instant) -> Trial {
        if self.undecided || chores.has(About::Parked(self.number)) {
            return Trial::Open(None);
        }
        match (back::failed_trial(self), self.again) {
            (Some(_), Some(again)) if again > now => Trial::Open(Some(again)),
            // What did not stand it and could not be taken back yet has not stood it later either.
            (Some(_), Some(_)) => Trial::Failed,
            _ if self.until <= now => Trial::Over,
            (Some(_), None) => Trial::Failed,
            (None, _) if self.is_bound() => Trial::Open(Some(self.until.min(now + LOOK))),
            (None, _) => Trial::Open(Some(self.until)),
        }
    }

    fn indexes(&self) -> Vec<usize> {
        self.slots.iter().map(|parked| parked.old.slot().index()).collect()
    }

    fn served(&self) -> Vec<Served> {
        let served = self.slots.iter().filter_map(|slot| {
            let replaced = slot.old.generation().map(|old| &**old);
            Some(Served::of(&slot.new, slot.new.generation()?, replaced, slot.carried))
        });
        served.collect()
    }

    fn into_retiring(self, rack: &RackCore) -> Retiring {
        let drain = self.slots.iter().map(|slot| slot.new.plan().swap.drain).max().unwrap_or_default();
        Retiring {
            version: self.version,
            until: Some(rack.clock().after(drain)),
            seats: self.slots.into_iter().map(|slot| slot.old).collect(),
        }
    }
}

impl Retiring {
    /// Whether a call may still come to it.
    fn is_called(&self, rack: &RackCore) -> bool {
        rack.cell().are_pinned(&self.seats, self.version)
    }
}

impl State {
    /// What is to be done now; else when to look again, or that nothing is left.
    fn chore(&mut self, rack: &RackCore) -> Result<Chore, Option<Instant>> {
        let now = rack.clock().now();
        let chores = rack.janitor().chores();
        let (unused, stop_from) = (self.unused(rack), chores.stop_from(now));
        if let Some((at, seat)) = unused
            && stop_from <= now
        {
            let seat = self.retiring[at].seats.remove(seat);
            if self.retiring[at].seats.is_empty() {
                self.retiring.remove(at);
            }
            return Ok(Chore::Stop(seat));
        }
        // What waits for another stop alone has no calls that could be late.
        let is_late = |r: &Retiring| r.until.is_some_and(|until| until <= now) && r.is_called(rack);
        if let Some(late) = self.retiring.iter_mut().find(|r| is_late(r)) {
            late.until = None;
            return Ok(Chore::End(late.seats.clone()));
        }
        let trials: Vec<_> = self.parked.iter().map(|parked| parked.trial(chores, now)).collect();
        if let Some(at) = trials.iter().position(|trial| matches!(trial, Trial::Over)) {
            let parked = self.parked.remove(at);
            let served = parked.served();
            self.retiring.push(parked.into_retiring(rack));
            return Ok(Chore::Settle(served));
        }
        if let Some(at) = trials.iter().position(|trial| matches!(trial, Trial::Failed)) {
            return Ok(Chore::GoBack(self.parked[at].number));
        }
        // Who looks tells when that has ended.
        let looks = !chores.has(About::Left);
        let due = if looks { self.left.due(now) } else { Vec::new() };
        if !due.is_empty() {
            return Ok(Chore::Look(due));
        }
        let trials = trials.into_iter().filter_map(|trial| match trial {
            Trial::Open(until) => until,
            Trial::Over | Trial::Failed => Some(now),
        });
        let left = self.left.next().filter(|_| looks);
        let stops = unused.map(|_| stop_from);
        let retiring = self.retiring.iter().filter(|r| r.is_called(rack)).filter_map(|r| r.until);
        Err(trials.chain(left).chain(stops).chain(retiring).min())
    }

    /// Whether nothing can come to be done. What is being looked for may be looked for again.
    fn is_empty(&self) -> bool {
        self.parked.is_empty() && self.retiring.is_empty() && self.left.next().is_none()
    }

    /// What no call uses any more, of a slot of which nothing else is being stopped: which of what retires, and which
    /// seat of that.
    fn unused(&self, rack: &RackCore) -> Option<(usize, usize)> {
        let chores = rack.janitor().chores();
        let is_free = |seat: &Arc<Seat>| !chores.has(About::Stop(seat.slot().index()));
        let unused = self.retiring.iter().enumerate();
        let mut unused = unused.filter_map(|(at, r)| Some((at, r.seats.iter().position(is_free)?)));
        unused.find(|&(at, _)| !self.retiring[at].is_called(rack))
    }
}

/// Sees to it that there is a thread that looks after what is there now.
fn begin(rack: &Arc<RackCore>, mut state: MutexGuard<'_, State>) {
    if rack.is_stopped() {
        // Who stops the rack stops everything that was started, and may have forgotten what was there before this came.
        drop(state);
        rack.janitor().forget();
        return;
    }
    let start = !std::mem::replace(&mut state.running, true);
    drop(state);
    if start {
        let (weak, grace) = (Arc::downgrade(rack), rack.cell().grace().clone());
        let thread = std::thread::Builder::new().name("modrack-janitor".to_owned());
        if thread.spawn(move || look_after(&weak, &grace)).is_err() {
            // No thread can be had now; the next swap tries again, and stopping the rack stops everything.
            rack.janitor().state().running = false;
        }
    } else {
        rack.cell().grace().tell();
    }
}

/// Finds what is to be done and has it done, until nothing is left.
fn look_after(rack: &Weak<RackCore>, grace: &Grace) {
    loop {
        let chore = grace.wait(|| {
            let Some(rack) = rack.upgrade() else { return Look::Done(None) };
            let mut state = rack.janitor().state();
            match state.chore(&rack) {
                Ok(chore) => {
                    let number = rack.janitor().chores().begin(&chore, rack.clock().now());
                    drop(state);
                    Look::Done(Some((rack, chore, number)))
                }
                Err(None) if state.is_empty() => {
                    state.running = false;
                    Look::Done(None)
                }
                Err(until) => {
                    let now = rack.clock().now();
                    Look::Again(until.map(|until| until.saturating_duration_since(now)))
                }
            }
        });
        let Some((rack, chore, number)) = chore else { return };
        chore.start(rack, number);
    }
}
