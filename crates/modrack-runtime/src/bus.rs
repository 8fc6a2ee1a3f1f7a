//! The bus: what happens in a rack, for whoever subscribes to it.
//!
//! Who subscribes is told on a thread of the bus, one event after the other, and never on the thread on which it happened: a
//! subscriber may swap the very slot that it hears of. What waits to be heard is bounded; who is too slow loses the oldest.
//! No lock is held while a subscriber runs, and what it does with an event is its own: a panic goes no further. The
//! thread is there only while somebody subscribes. A call never comes here.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::{Duration, SystemTime};

use modrack_core::events::Pattern;
use modrack_core::{Error, Map, SlotName};

use crate::rack::{Rack, RackCore};
use crate::told::{self, Told};

/// How many events are kept, and how many may wait for one subscriber.
pub(crate) const MOST: usize = 1_024;

/// How long who stops a rack waits for what was told to be heard.
pub(crate) const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// The bus of a rack.
#[derive(Default)]
pub(crate) struct Bus(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something is to be told, or nobody is left to hear it.
    more: Condvar,
    /// All of it was heard.
    quiet: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of what was told last.
    last: u64,
    recent: VecDeque<Arc<Told>>,
    subscribers: Vec<Subscriber>,
    /// The number of the subscriber that came last.
    newest: u64,
    running: bool,
    /// The thread, while it tells somebody.
    telling: Option<ThreadId>,
    closed: bool,
}

/// Who subscribed, and what it has not heard yet.
struct Subscriber {
    id: u64,
    pattern: Pattern,
    waiting: VecDeque<Arc<Told>>,
    /// How many it lost, and the number of the last of them.
    missed: u64,
    missed_last: u64,
    /// It is the subscription's: what it holds (a rack, even) goes with that.
    listener: Weak<Listener>,
}

type Hear = Box<dyn FnMut(&Arc<Told>) + Send>;

/// What hears; nothing while it does.
struct Listener(Mutex<Option<Hear>>);

/// Being told of events, for as long as this lives.
///
/// When it goes, what is being told at that moment is not waited for.
#[must_use = "it ends when it is dropped"]
pub struct Subscription {
    bus: Weak<Shared>,
    id: u64,
    _listener: Arc<Listener>,
}

impl Rack {
    /// Has `hear` told what happens from now on and `pattern` asks for: in order, one at a time, on the bus's own thread.
    ///
    /// At most 1,024 events wait to be heard. Who is slower loses the oldest, and is told `missed` in their place,
    /// with their `count`. A panic is caught; the next event is told all the same.
    pub fn subscribe(
        &self,
        pattern: &Pattern,
        hear: impl FnMut(&Arc<Told>) + Send + 'static,
    ) -> Subscription {
        self.core().observer().bus().subscribe(pattern.clone(), Box::new(hear))
    }

    /// What was told after the event of this number, as far as it is still known: the last 1,024 are.
    pub fn events_since(&self, number: u64) -> Vec<Arc<Told>> {
        let state = self.core().observer().bus().0.state();
        state.recent.iter().filter(|told| told.number > number).cloned().collect()
    }

    /// Tells something on the bus that the rack itself does not see: `name` is one of [`EVENTS`](crate::EVENTS).
    pub fn announce(&self, name: &'static str, slot: Option<SlotName>, fields: Map) {
        self.core().observer().announce(name, slot, fields);
    }

    /// Tells, as [`Rack::announce`], of something that failed: what is known of the failure comes after `fields`.
    pub fn announce_failure(&self, name: &'static str, mut fields: Map, why: &Error) {
        fields.extend(told::failure(why));
        self.announce(name, None, fields);
    }

    /// Tells on the bus of something that went wrong and stops nobody.
    pub fn warn(&self, warning: &Error) {
        self.announce("warning", warning.slot_name().cloned(), told::warning(warning));
    }
}

impl Bus {
    /// Tells something: to be heard by who subscribes to it, and known for a while. Gives it as it was told.
    pub(crate) fn tell(&self, name: &'static str, slot: Option<SlotName>, fields: Map) -> Arc<Told> {
        let mut state = self.0.state();
        state.last += 1;
        let told = Arc::new(Told { number: state.last, at: SystemTime::now(), name, slot, fields });
        // What an event holds may be foreign, and its end runs code: not under the lock.
        let mut gone = Vec::new();
        for subscriber in state.subscribers.iter_mut().filter(|s| s.pattern.matches(name)) {
            subscriber.waiting.push_back(told.clone());
            if subscriber.waiting.len() > MOST
                && let Some(lost) = subscriber.waiting.pop_front()
            {
                subscriber.missed += 1;
                subscriber.missed_last = lost.number;
                gone.push(lost);
            }
        }
        state.recent.push_back(told.clone());
        if state.recent.len() > MOST {
            gone.extend(state.recent.pop_front());
        }
        self.begin(state);
        drop(gone);
        told
    }

    /// Ends it: what waits is told, and nothing after it.
    pub(crate) fn close(&self) {
        self.0.state().closed = true;
        self.0.more.notify_all();
    }

    /// Waits until what was told was heard, for a while at most: who hears may wait for who waits here.
    pub(crate) fn heard(&self, rack: &RackCore) {
        let me = std::thread::current().id();
        let is_waited_for = |state: &mut State| state.is_behind() && state.telling != Some(me);
        if !is_waited_for(&mut self.0.state()) {
            return;
        }
        rack.waiting(&mut || {
            let state = self.0.state();
            drop(self.0.quiet.wait_timeout_while(state, HEARD_WITHIN, is_waited_for));
        });
    }

    fn subscribe(&self, pattern: Pattern, hear: Hear) -> Subscription {
        let listener = Arc::new(Listener(Mutex::new(Some(hear))));
        let mut state = self.0.state();
        state.newest += 1;
        let id = state.newest;
        let (waiting, listens) = (VecDeque::new(), Arc::downgrade(&listener));
        state.subscribers.push(Subscriber {
            id,
            pattern,
            waiting,
            missed: 0,
            missed_last: 0,
            listener: listens,
        });
        drop(state);
        Subscription { bus: Arc::downgrade(&self.0), id, _listener: listener }
    }

    /// Sees to it that there is a thread while something waits to be heard.
    fn begin(&self, mut state: MutexGuard<'_, State>) {
        if state.closed || !state.is_behind() {
            return;
        }
        let start = !std::mem::replace(&mut state.running, true);
        drop(state);
        if !start {
            self.0.more.notify_all();
            return;
        }
        let shared = self.0.clone();
        let thread = std::thread::Builder::new().name("modrack-bus".to_owned());
        if thread.spawn(move || shared.serve()).is_err() {
            // No thread can be had now: what waits is told with the next event.
            self.0.state().running = false;
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what waits, until nobody is left to hear it.
    fn serve(&self) {
        let mut state = self.state();
        loop {
            if let Some((listener, told)) = state.next() {
                state.telling = Some(std::thread::current().id());
                drop(state);
                listener.hear(told);
                // It goes here when its subscription went meanwhile, and with it what is foreign.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(listener)));
                state = self.state();
                state.telling = None;
            } else {
                self.quiet.notify_all();
                if state.closed || state.subscribers.is_empty() {
                    state.running = false;
                    return;
                }
                state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl State {
    /// Whether anything was told that was not heard.
    fn is_behind(&self) -> bool {
        self.telling.is_some() || self.subscribers.iter().any(|s| !s.waiting.is_empty())
    }

    /// What is told next, and to whom: the oldest, to those who subscribed to it in the order in which they came.
    fn next(&mut self) -> Option<(Arc<Listener>, Arc<Told>)> {
        let waiting = self.subscribers.iter_mut().filter(|s| !s.waiting.is_empty());
        let subscriber = waiting.min_by_key(|s| s.waiting.front().map(|told| told.number))?;
        // A subscription leaves the list before what it holds goes.
        let listener = subscriber.listener.upgrade()?;
        let told = match std::mem::take(&mut subscriber.missed) {
            0 => subscriber.waiting.pop_front()?,
            missed => Arc::new(Told::missed(missed, subscriber.missed_last)),
        };
        Some((listener, told))
    }
}

impl Listener {
    fn hear(&self, told: Arc<Told>) {
        let taken = self.hear_of().take();
        let Some(mut hear) = taken else { return };
        // Who hears cannot end the bus: a panic is told by its hook, and goes no further.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            hear(&told);
            drop(told);
        }));
        *self.hear_of() = Some(hear);
    }

    fn hear_of(&self) -> MutexGuard<'_, Option<Hear>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(bus) = self.bus.upgrade() else { return };
        let mut state = bus.state();
        let at = state.subscribers.iter().position(|subscriber| subscriber.id == self.id);
        let gone = at.map(|at| state.subscribers.remove(at));
        drop(state);
        bus.more.notify_all();
        // What events hold may be foreign, and its end runs code.
        drop(gone);
    }
}
