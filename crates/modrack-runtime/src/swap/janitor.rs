//! What is left to the rack when a swap has answered: parked generations whose trial ends, and those whose last calls are
//! waited for; and looking for what is left of those that were stopped.
//!
//! A thread of the rack does it, which is there only while there is something to do. It keeps the rack alive no longer
//! than it takes to look, and no module runs while its lock is held.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use modrack_core::{Effort, Error, Remains};

use super::left::{Leftovers, Looked};
use super::{Before, Held, Kept, Served, back, retire};
use crate::events::Event;
use crate::generation::Generation;
use crate::grace::{Grace, Look};
use crate::rack::RackCore;
use crate::seat::Seat;

/// How often a trial is looked at: calls tell of failures at once, but only now and then of how long they took.
const LOOK: Duration = Duration::from_millis(250);

/// What is kept and waited for, and who looks after it.
#[derive(Default)]
pub(crate) struct Janitor {
    state: Mutex<State>,
    /// A chore has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    parked: Vec<Parked>,
    retiring: Vec<Retiring>,
    left: Leftovers,
    running: bool,
    /// The thread that does a chore.
    busy: Option<ThreadId>,
}

/// What one swap replaced, kept to go back to.
pub(super) struct Parked {
    /// The version of the table that the swap published, which is the parked set's number.
    pub(super) number: u64,
    pub(super) slots: Vec<ParkedSlot>,
    /// Until when it is kept.
    pub(super) until: Instant,
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

/// What the janitor found to do.
enum Chore {
    /// The trial is over, and was stood.
    Settle(Vec<Served>),
    /// The time that calls are given is over.
    End(Vec<Arc<Seat>>),
    /// The last call has ended.
    Stop(Retiring),
    /// What came for the set of this number did not stand its trial.
    GoBack(u64, Error),
    /// It is time to look for what is left of what was stopped.
    Look(Vec<Looked>),
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

    /// Keeps what was parked for the slot no longer.
    pub(super) fn unpark(&self, rack: &Arc<RackCore>, slot: usize) {
        self.drop_parked(rack, |parked| parked.has(slot));
    }

    /// Keeps what is parked under `number` no longer.
    pub(super) fn forget_parked(&self, rack: &Arc<RackCore>, number: u64) {
        self.drop_parked(rack, |parked| parked.number == number);
    }

    fn drop_parked(&self, rack: &Arc<RackCore>, which: impl Fn(&Parked) -> bool) {
        let mut state = self.state();
        let Some(at) = state.parked.iter().position(which) else { return };
        let parked = state.parked.remove(at);
        state.retiring.push(parked.into_retiring(rack));
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

    /// Waits for the chore that is being done, if another thread does one.
    pub(crate) fn ended(&self, rack: &RackCore) {
        let me = std::thread::current().id();
        let is_busy = |state: &mut State| state.busy.is_some_and(|busy| busy != me);
        if !is_busy(&mut self.state()) {
            return;
        }
        rack.waiting(&mut || {
            drop(self.ended.wait_while(self.state(), is_busy).unwrap_or_else(PoisonError::into_inner));
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parked {
    fn has(&self, slot: usize) -> bool {
        self.slots.iter().any(|parked| parked.old.slot().index() == slot)
    }

    /// Whether anything would end its trial before its time.
    fn is_bound(&self) -> bool {
        self.slots.iter().any(|slot| slot.new.plan().swap.trial.is_bound())
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
            version: self.number,
            until: Some(rack.clock().now() + drain),
            seats: self.slots.into_iter().map(|slot| slot.old).collect(),
        }
    }
}

impl State {
    /// What is to be done now; else when to look again, or that nothing is left.
    fn chore(&mut self, rack: &RackCore) -> Result<Chore, Option<Instant>> {
        let now = rack.clock().now();
        if let Some(at) = self.retiring.iter().position(|r| !rack.cell().are_pinned(&r.seats, r.version)) {
            return Ok(Chore::Stop(self.retiring.remove(at)));
        }
        if let Some(late) = self.retiring.iter_mut().find(|r| r.until.is_some_and(|until| until <= now)) {
            late.until = None;
            return Ok(Chore::End(late.seats.clone()));
        }
        if let Some(at) = self.parked.iter().position(|parked| parked.until <= now) {
            let parked = self.parked.remove(at);
            let served = parked.served();
            self.retiring.push(parked.into_retiring(rack));
            return Ok(Chore::Settle(served));
        }
        let failed = self.parked.iter().find_map(|p| Some((p.number, back::failed_trial(p)?)));
        if let Some((number, why)) = failed {
            return Ok(Chore::GoBack(number, why));
        }
        let due = self.left.due(now);
        if !due.is_empty() {
            return Ok(Chore::Look(due));
        }
        let parked = self.parked.iter().map(|parked| parked.until).chain(self.left.next());
        let looks = self.parked.iter().filter(|parked| parked.is_bound()).map(|_| now + LOOK);
        Err(parked.chain(looks).chain(self.retiring.iter().filter_map(|retiring| retiring.until)).min())
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

/// Does what comes to be done, until nothing is left.
fn look_after(rack: &Weak<RackCore>, grace: &Grace) {
    loop {
        let chore = grace.wait(|| {
            let Some(rack) = rack.upgrade() else { return Look::Done(None) };
            let mut state = rack.janitor().state();
            match state.chore(&rack) {
                Ok(chore) => {
                    state.busy = Some(std::thread::current().id());
                    drop(state);
                    Look::Done(Some((rack, chore)))
                }
                Err(None) if state.parked.is_empty() && state.retiring.is_empty() => {
                    state.running = false;
                    Look::Done(None)
                }
                Err(until) => {
                    let now = rack.clock().now();
                    Look::Again(until.map(|until| until.saturating_duration_since(now)))
                }
            }
        });
        let Some((rack, chore)) = chore else { return };
        // What runs modules guards itself; whatever else happens, nobody waits for this thread in vain.
        let _ = catch_unwind(AssertUnwindSafe(|| chore.run(&rack)));
        rack.janitor().state().busy = None;
        rack.janitor().ended.notify_all();
    }
}

impl Chore {
    fn run(self, rack: &Arc<RackCore>) {
        match self {
            Self::Settle(slots) => rack.observer().tell(&Event::Settled { slots }),
            Self::End(seats) => {
                retire::end_calls(&seats);
                retire::linger(rack, &seats);
            }
            Self::Stop(retiring) => {
                for generation in retiring.seats.iter().filter_map(|seat| seat.generation()) {
                    if let Some(why) = retire::stop(rack, generation) {
                        let slot = generation.slot().name().clone();
                        rack.observer().tell(&Event::StopFailed { slot, why });
                    }
                }
            }
            Self::GoBack(number, why) => back::by_itself(rack, number, &why),
            Self::Look(due) => {
                for looked in due {
                    let effort = if rack.is_called() { Effort::Busy } else { Effort::Idle };
                    let left = looked.look(effort);
                    let (told, gone) = rack.janitor().state().left.note(&looked, left);
                    if let Some(Held { slot, generation, holders }) = told {
                        rack.observer().tell(&Event::Held { slot, generation, holders });
                    }
                    drop(gone);
                }
            }
        }
    }
}
