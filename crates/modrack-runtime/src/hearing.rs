//! Slots that hear of events: the functions that a slot's `events` names are called with what is told.
//!
//! Modules never run on the thread on which something happens, nor on that of the bus: one that takes its time holds up other
//! slots that hear, and nobody else. No lock is held while one runs. What comes of such a call within its chain is not told to
//! slots, and an event loads a slot once at most, so that none of it happens for ever by itself. What happens after the call, on
//! the rack's own thread, or is asked for by way of a server is told as ever: nothing here bounds a function that goes round so.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::{Duration, Instant, UNIX_EPOCH};

use modrack_core::{Call, Chain, Map, Result, SlotName, Text, Value};

use crate::bus::{HEARD_WITHIN, MOST};
use crate::error;
use crate::events::Observer;
use crate::rack::{Rack, RackCore};
use crate::scope;
use crate::seat::SlotCore;
use crate::told::{self, Told};

/// How long one function may take to hear of one event, where its slot's own limit is not shorter.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// What slots are to hear.
#[derive(Default)]
pub(crate) struct Hearing {
    /// The rack, once its slots are told.
    rack: OnceLock<Weak<RackCore>>,
    state: Mutex<State>,
    /// All of it was heard.
    quiet: Condvar,
    /// The chain of calls in which a slot hears; 0 for none.
    chain: AtomicU64,
}

#[derive(Default)]
struct State {
    queues: Vec<Queue>,
    /// The slots that were loaded when they heard, or that an event has loaded or tried to.
    met: HashSet<usize>,
    /// The thread, while there is one.
    thread: Option<ThreadId>,
    closed: bool,
}

/// What a function of a slot has not heard yet.
struct Queue {
    slot: Arc<SlotCore>,
    function: Option<String>,
    waiting: VecDeque<Arc<Told>>,
    missed: u64,
}

/// What a function is to hear next.
struct Next {
    slot: Arc<SlotCore>,
    function: Option<String>,
    told: Arc<Told>,
}

impl Rack {
    /// Has slots told from now on of what their `events` ask for, on a thread of their own.
    ///
    /// A slot that is not lazy is loaded by the first event that it is to hear. What a function fails with is told as a
    /// `warning`, and stops nothing. What happens because of such a call is not told to slots.
    pub fn tell_slots(&self) {
        let _ = self.core().observer().hearing().rack.set(Arc::downgrade(self.core()));
    }
}

impl Hearing {
    /// Notes what was told for the slots that are to hear of it.
    pub(crate) fn take(&self, observer: &Arc<Observer>, told: &Arc<Told>) {
        let Some(rack) = self.rack.get().and_then(Weak::upgrade) else { return };
        if Chain::is_of(self.chain.load(Ordering::Relaxed)) {
            return;
        }
        let table = rack.cell().pin();
        let mut hearing = Vec::new();
        for seat in table.seats().filter(|seat| !seat.is_gone()) {
            let asked = seat.plan().events.iter().filter(|hears| hears.pattern.matches(told.name));
            hearing.extend(asked.map(|hears| (seat.slot().clone(), hears.function.clone())));
        }
        drop(table);
        if hearing.is_empty() {
            return;
        }
        let mut state = self.state();
        if state.closed {
            return;
        }
        let mut gone = Vec::new();
        for (slot, function) in hearing {
            gone.extend(state.queue(slot, function).take(told.clone()));
        }
        self.begin(state, observer);
        // What an event holds may be foreign, and its end runs code: not under the lock.
        drop(gone);
    }

    /// Ends it: what waits is heard, for a while, and nothing after it.
    pub(crate) fn end(&self, rack: &RackCore) {
        let me = std::thread::current().id();
        let is_waited_for = |state: &mut State| state.thread.is_some_and(|thread| thread != me);
        let mut state = self.state();
        state.closed = true;
        if is_waited_for(&mut state) {
            drop(state);
            rack.waiting(&mut || {
                drop(self.quiet.wait_timeout_while(self.state(), HEARD_WITHIN, is_waited_for));
            });
            state = self.state();
        }
        let left = std::mem::take(&mut state.queues);
        drop(state);
        drop(left);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that there is a thread while something is to be heard.
    fn begin(&self, mut state: MutexGuard<'_, State>, observer: &Arc<Observer>) {
        if state.thread.is_some() {
            return;
        }
        let observer = observer.clone();
        let thread = std::thread::Builder::new().name("modrack-events".to_owned());
        // Where no thread can be had, what waits is heard with the next event.
        if let Ok(thread) = thread.spawn(move || observer.hearing().serve(&observer)) {
            state.thread = Some(thread.thread().id());
        }
    }

    /// Calls functions until nothing is left to be heard.
    fn serve(&self, observer: &Observer) {
        loop {
            let mut state = self.state();
            let Some(next) = state.next() else {
                state.thread = None;
                self.quiet.notify_all();
                return;
            };
            drop(state);
            let Some(rack) = self.rack.get().and_then(Weak::upgrade) else { continue };
            let called = catch_unwind(AssertUnwindSafe(|| self.call(&rack, &next)));
            let Err(why) = called.unwrap_or_else(|payload| Err(error::panicked(&*payload))) else { continue };
            if rack.is_stopped() {
                continue;
            }
            let _chain = InChain::enter(&self.chain);
            let (event, number) = (next.told.name, told::number(next.told.number));
            let fields = told::of_warning(&why, [("event", event.into()), ("number", number.into())]);
            observer.announce("warning", Some(next.slot.name().clone()), fields);
        }
    }

    /// Has a function hear of an event, by what fills its slot in one table: what is unloaded meanwhile is not loaded for it again.
    fn call(&self, rack: &Arc<RackCore>, next: &Next) -> Result<()> {
        scope::within(rack.cell(), |_| self.call_pinned(rack, next))
    }

    fn call_pinned(&self, rack: &Arc<RackCore>, next: &Next) -> Result<()> {
        let (loaded, lazy) =
            rack.with_seat(&next.slot, |seat| Ok((seat.generation().is_some(), seat.plan().lazy)))?;
        if !loaded {
            // What is told of the slot itself is no reason to load it.
            let own = next.told.slot.as_ref() == Some(next.slot.name());
            if lazy || own || !self.state().met.insert(next.slot.index()) {
                return Ok(());
            }
        } else {
            self.state().met.insert(next.slot.index());
        }
        let deadline = Instant::now() + CALL_WITHIN;
        let function = next.function.as_deref();
        // What is told of its own load, others hear of, and it too.
        let id = rack.with_generation(&next.slot, Some(deadline), |generation| generation.bind(function))?;
        let _chain = InChain::enter(&self.chain);
        let args = [Value::from(as_map(&next.told))];
        let call = Call { deadline: Some(deadline), ..Call::new(&args) };
        rack.call(&next.slot, id, call).map(drop)
    }
}

impl State {
    /// The queue of a function of a slot.
    fn queue(&mut self, slot: Arc<SlotCore>, function: Option<String>) -> &mut Queue {
        let is_its = |queue: &Queue| queue.slot.index() == slot.index() && queue.function == function;
        let at = self.queues.iter().position(is_its).unwrap_or(self.queues.len());
        if at == self.queues.len() {
            self.queues.push(Queue { slot, function, waiting: VecDeque::new(), missed: 0 });
        }
        &mut self.queues[at]
    }

    /// What is heard next: the oldest.
    fn next(&mut self) -> Option<Next> {
        let oldest = |queue: &&mut Queue| queue.waiting.front().map(|told| told.number);
        let queue = self.queues.iter_mut().min_by_key(oldest)?;
        let told = match std::mem::take(&mut queue.missed) {
            0 => queue.waiting.pop_front()?,
            missed => Arc::new(Told::missed(missed, queue.waiting.front()?.number.saturating_sub(1))),
        };
        let next = Next { slot: queue.slot.clone(), function: queue.function.clone(), told };
        self.queues.retain(|queue| !queue.waiting.is_empty());
        Some(next)
    }
}

impl Queue {
    /// Puts it where its number belongs, and gives what is lost for it.
    fn take(&mut self, told: Arc<Told>) -> Option<Arc<Told>> {
        let at = self.waiting.partition_point(|other| other.number < told.number);
        self.waiting.insert(at, told);
        let lost = if self.waiting.len() > MOST { self.waiting.pop_front() } else { None };
        self.missed += u64::from(lost.is_some());
        lost
    }
}

/// The current thread's chain, as that in which a slot hears, until this goes.
struct InChain<'a>(&'a AtomicU64);

impl<'a> InChain<'a> {
    fn enter(chain: &'a AtomicU64) -> Self {
        chain.store(Chain::id(), Ordering::Relaxed);
        Self(chain)
    }
}

impl Drop for InChain<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// An event as modules are given it.
fn as_map(told: &Told) -> Map {
    let time = told.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let slot = told.slot.as_ref().map_or(Value::Null, |slot: &SlotName| Value::from(slot.as_str()));
    Map::from_iter([
        (Text::from_static("name"), Value::from(told.name)),
        (Text::from_static("number"), Value::from(told::number(told.number))),
        (Text::from_static("time"), Value::from(time)),
        (Text::from_static("slot"), slot),
        (Text::from_static("fields"), Value::from(told.fields.clone())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::MISSED;

    #[test]
    fn what_is_too_much_is_missed_and_order_is_by_number() {
        let slot = Arc::new(SlotCore::new(SlotName::parse("a").unwrap(), 0));
        let told = |number| Arc::new(Told { number, ..Told::missed(1, 0) });
        let mut state = State::default();
        let queue = state.queue(slot.clone(), None);
        let most = u64::try_from(MOST).unwrap();
        for number in [2, 1].into_iter().chain(3..=most + 2) {
            queue.take(told(number));
        }
        assert_eq!(state.queue(slot, None).missed, 2);
        let heard = state.next().unwrap().told;
        assert_eq!((heard.name, heard.number), (MISSED, 2));
        assert_eq!(heard.fields["count"], Value::Int(2));
        assert_eq!(state.next().unwrap().told.number, 3);
        let rest = std::iter::from_fn(|| state.next()).map(|next| next.told.number);
        assert!(rest.eq(4..=most + 2));
        assert!(state.queues.is_empty());
    }
}
