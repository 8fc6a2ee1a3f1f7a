//! What the janitor has found to do, and who does it.
//!
//! Modules run in most of it, and one that hangs holds up nothing else: each stop, each way back and each look for what is left
//! is done by a thread of its own, one stop for each slot at a time and a few that have just begun. A stop keeps the rack no longer
//! than it takes to begin and to tell: a module that hangs keeps nobody from dropping the rack.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use modrack_core::Effort;

use super::left::Looked;
use super::{Held, Served, back, retire};
use crate::events::Event;
use crate::generation::Generation;
use crate::instances::STOP_WITHIN;
use crate::rack::{self, RackCore};
use crate::seat::Seat;

/// How many stops may have just begun. One that goes on for longer than a stop may take is not counted any more: it may
/// never end.
const STOPS: usize = 4;

/// Something to do.
pub(super) enum Chore {
    /// The trial is over, and was stood.
    Settle(Vec<Served>),
    /// The time that calls are given is over.
    End(Vec<Arc<Seat>>),
    /// The last call has ended.
    Stop(Arc<Seat>),
    /// What came for the set of this number did not stand its trial.
    GoBack(u64),
    /// It is time to look for what is left of what was stopped.
    Look(Vec<Looked>),
}

/// What a chore is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Telling who is told, and calls that are to end.
    Telling,
    /// The slot of this index, of which something is stopped.
    Stop(usize),
    /// The set that is parked under this number.
    Parked(u64),
    /// What is left of what was stopped.
    Left,
}

/// The chores that are being done. They are noted apart from the rack: who drops it waits for the last of them.
#[derive(Default)]
pub(super) struct Chores {
    doing: Mutex<Doing>,
    /// One has ended.
    ended: Condvar,
}

#[derive(Default)]
struct Doing {
    all: Vec<UnderWay>,
    next: u64,
}

struct UnderWay {
    number: u64,
    about: About,
    since: Instant,
    /// Who does it, once that is known.
    thread: Option<ThreadId>,
}

impl Chores {
    /// Whether a chore about this is being done.
    pub(super) fn has(&self, about: About) -> bool {
        self.doing().all.iter().any(|chore| chore.about == about)
    }

    /// When another stop may begin; `now` if that is not later.
    pub(super) fn stop_from(&self, now: Instant) -> Instant {
        let doing = self.doing();
        let stops = doing.all.iter().filter(|chore| matches!(chore.about, About::Stop(_)));
        let mut late: Vec<_> = stops.map(|chore| chore.since + STOP_WITHIN).filter(|at| *at > now).collect();
        late.sort_unstable();
        late.len().checked_sub(STOPS).map_or(now, |first| late[first])
    }

    /// Notes that a chore begins, and gives its number.
    pub(super) fn begin(&self, chore: &Chore, now: Instant) -> u64 {
        let mut doing = self.doing();
        let number = doing.next;
        doing.next += 1;
        doing.all.push(UnderWay { number, about: chore.about(), since: now, thread: None });
        number
    }

    /// Notes that the current thread does a chore.
    fn is_mine(&self, number: u64) {
        let me = std::thread::current().id();
        for chore in self.doing().all.iter_mut().filter(|chore| chore.number == number) {
            chore.thread = Some(me);
        }
    }

    fn end(&self, number: u64) {
        self.doing().all.retain(|chore| chore.number != number);
        self.ended.notify_all();
    }

    /// Waits, within `waiting`, for the chores that other threads do, for no longer than a stop may take.
    pub(super) fn ended(&self, waiting: impl FnOnce(&mut dyn FnMut())) {
        let me = std::thread::current().id();
        let is_busy = |doing: &mut Doing| doing.all.iter().any(|chore| chore.thread != Some(me));
        if !is_busy(&mut self.doing()) {
            return;
        }
        waiting(&mut || {
            let ended = self.ended.wait_timeout_while(self.doing(), STOP_WITHIN, is_busy);
            drop(ended.unwrap_or_else(PoisonError::into_inner));
        });
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chore {
    fn about(&self) -> About {
        match self {
            Self::Settle(_) | Self::End(_) => About::Telling,
            Self::Stop(seat) => About::Stop(seat.slot().index()),
            Self::GoBack(number) => About::Parked(*number),
            Self::Look(_) => About::Left,
        }
    }

    /// Sees to it that the chore is done, which has begun as `number`.
    pub(super) fn start(self, rack: Arc<RackCore>, number: u64) {
        let is_empty = matches!(&self, Self::Stop(seat) if seat.generation().is_none());
        if is_empty || self.about() == About::Telling {
            // What is told comes before what is done next.
            self.perform(rack, number);
            return;
        }
        let chore = Arc::new(Mutex::new(Some((self, rack))));
        let theirs = chore.clone();
        let perform = move |chore: &Mutex<Option<(Self, Arc<RackCore>)>>| {
            let taken = chore.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some((chore, rack)) = taken {
                chore.perform(rack, number);
            }
        };
        let thread = std::thread::Builder::new().name("modrack-chore".to_owned());
        if thread.spawn(move || perform(&theirs)).is_err() {
            // No thread can be had now: it is done here then.
            perform(&chore);
        }
    }

    fn perform(self, rack: Arc<RackCore>, number: u64) {
        let (chores, grace) = (rack.janitor().chores().clone(), rack.cell().grace().clone());
        chores.is_mine(number);
        // What runs modules guards itself; whatever else happens, nobody waits for this thread in vain.
        let _ = catch_unwind(AssertUnwindSafe(|| self.run(rack)));
        chores.end(number);
        grace.tell();
    }

    fn run(self, rack: Arc<RackCore>) {
        match self {
            Self::Settle(slots) => rack.observer().tell(&Event::Settled { slots }),
            Self::End(seats) => {
                retire::end_calls(&seats);
                retire::linger(&rack, &seats);
            }
            Self::Stop(seat) => {
                if let Some(generation) = seat.generation() {
                    stop(rack, generation);
                }
            }
            Self::GoBack(number) => back::by_itself(&rack, number),
            Self::Look(due) => look(&rack, due),
        }
    }
}

/// Stops what nobody calls any more, and tells of it.
fn stop(rack: Arc<RackCore>, generation: &Arc<Generation>) {
    if !rack.is_to_stop(generation) {
        return;
    }
    let remains = generation.instance().remains();
    let observer = rack.observer().clone();
    let weak = Arc::downgrade(&rack);
    drop(rack);
    let stopped = rack::stop(generation);
    if let Some(rack) = weak.upgrade() {
        rack.janitor().look_for(&rack, generation, remains);
    }
    let slot = generation.slot().name().clone();
    observer.tell(&Event::Retired { slot: slot.clone(), generation: generation.id() });
    if let Err(why) = stopped {
        observer.tell(&Event::StopFailed { slot, why });
    }
}

fn look(rack: &Arc<RackCore>, due: Vec<Looked>) {
    for looked in due {
        let effort = if rack.is_called() { Effort::Busy } else { Effort::Idle };
        let left = looked.look(effort);
        if let Some(Held { slot, generation, holders }) = rack.janitor().note(&looked, left) {
            rack.observer().tell(&Event::Held { slot, generation, holders });
        }
    }
}
