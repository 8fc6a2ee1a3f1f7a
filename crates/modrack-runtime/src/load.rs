//! Loading: a state with an owner, not a lock.
//!
//! Who asks first loads; others wait and are given the same outcome; after a failure the next who asks tries
//! again. Every wait goes through the rack's one wait hook, and one that would close a circle of waits is
//! refused before it begins. No lock is held while a module runs.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use modrack_core::{Chain, Error, Guard, Phase, Result, Service, SlotName};

use crate::error;
use crate::events::Event;
use crate::generation::{Generation, Made};
use crate::instances::waits::{self, Ticket, Until, Why};
use crate::instances::{self, Recipe};
use crate::keeper::Coming;
use crate::rack::RackCore;
use crate::seat::Seat;
use crate::service::SlotService;
use crate::swap::{Asked, Served, probe};
use crate::told::Load;
use crate::verify;

/// The loads that are under way in a rack, and who waits for which.
#[derive(Default)]
pub(crate) struct Loads(Mutex<State>);

#[derive(Default)]
struct State {
    /// By seat.
    running: HashMap<u64, Running>,
    threads: HashMap<ThreadId, Thread>,
}

/// A load that is under way.
struct Running {
    owner: ThreadId,
    chain: u64,
    attempt: Arc<Attempt>,
}

/// What a thread loads, outermost first, and the seat whose load it waits for.
#[derive(Default)]
struct Thread {
    loading: Vec<(u64, SlotName)>,
    waiting: Option<u64>,
}

/// One attempt to load a seat: its outcome, once there is one.
#[derive(Default)]
struct Attempt {
    outcome: Mutex<Option<Result<Arc<Generation>>>>,
    ended: Condvar,
}

/// The load of a seat by a swap that fills its slot: who asks for the seat waits for the swap, and is given what comes of it.
pub(crate) struct Claim {
    rack: Arc<RackCore>,
    seat: Arc<Seat>,
    attempt: Arc<Attempt>,
    has_ended: bool,
}

/// What is to be done by who asks for a seat that nothing fills.
enum Part {
    /// It is filled by now.
    Done(Arc<Generation>),
    /// Load it.
    Own(Arc<Attempt>),
    /// Wait for who loads it; and the ticket of the wait.
    Wait(Arc<Attempt>, Ticket),
}

/// The current thread's wait for a load, until this goes.
struct Waited<'a> {
    loads: &'a Loads,
    _ticket: Ticket,
}

/// What fills `seat`, loaded now if nothing does. A wait for somebody else's load ends at `until`.
///
/// # Errors
/// What finding, checking, loading or starting failed with; [`modrack_core::Code::LoadCycle`].
#[cold]
pub(crate) fn generation(
    rack: &Arc<RackCore>,
    seat: &Arc<Seat>,
    until: Option<Instant>,
) -> Result<Arc<Generation>> {
    if seat.is_gone() {
        return Err(rack.unknown(seat.slot().name().as_str()));
    }
    if let Some(gate) = seat.gate() {
        let behind = gate.pass(rack, seat, until)?;
        let given = match behind.generation() {
            Some(generation) => generation.clone(),
            None if rack.is_stopped() => return Err(error::stopped().slot(seat.slot().name())),
            None => generation(rack, &behind, until)?,
        };
        return Ok(seat.fill(given).clone());
    }
    match rack.loads().part(seat)? {
        Part::Done(generation) => Ok(generation),
        Part::Own(attempt) => {
            let made = catch_unwind(AssertUnwindSafe(|| Chain::may_wait(|| make(rack, seat))));
            let outcome = made
                .unwrap_or_else(|payload| Err(error::panicked(&*payload)))
                .map_err(|error| seat.blame(error, "use"));
            let mut coming = None;
            match &outcome {
                Ok(generation) => {
                    seat.fill(generation.clone());
                }
                // The next attempt reads the module again: somebody may have mended it.
                Err(_) => {
                    coming = (!seat.is_coming()).then(|| Coming::of(seat, None));
                    seat.forget();
                }
            }
            rack.loads().end(seat);
            waits::load_ended(seat.slot().name());
            attempt.end(outcome.clone());
            match &outcome {
                Ok(generation) => {
                    let served = Served::of(seat, generation, None, false);
                    match seat.is_coming() {
                        true => rack.observer().tell_load(&Load::Started(&served)),
                        false => rack.observer().tell(&Event::Loaded { served }),
                    }
                }
                Err(why) => match coming {
                    Some(coming) => rack.observer().tell(&Event::LoadFailed { coming, why: why.clone() }),
                    None => rack.observer().tell_load(&Load::Failed(seat.slot().name(), why)),
                },
            }
            outcome
        }
        Part::Wait(attempt, ticket) => outcome_of(rack, seat, &attempt, ticket, until),
    }
}

/// Takes the load of `seat` over for a swap by the current thread, which says how it ended; none when the seat is filled. Somebody else's
/// load is waited for.
///
/// # Errors
/// What that load failed with; [`modrack_core::Code::LoadCycle`].
pub(crate) fn claim(rack: &Arc<RackCore>, seat: &Arc<Seat>) -> Result<Option<Claim>> {
    match rack.loads().part(seat)? {
        Part::Done(_) => Ok(None),
        Part::Own(attempt) => {
            Ok(Some(Claim { rack: rack.clone(), seat: seat.clone(), attempt, has_ended: false }))
        }
        Part::Wait(attempt, ticket) => outcome_of(rack, seat, &attempt, ticket, None).map(|_| None),
    }
}

/// Waits for what comes of somebody else's load, as long as the rack is there and the callers want it.
fn outcome_of(
    rack: &RackCore,
    seat: &Seat,
    attempt: &Attempt,
    ticket: Ticket,
    until: Option<Instant>,
) -> Result<Arc<Generation>> {
    let (deadline, cancel) = Chain::bounds();
    let deadline = until.into_iter().chain(deadline).min();
    let until = Until { deadline, cancel: cancel.as_ref(), stopped: &|| rack.is_stopped() };
    let mut outcome = Err(Why::Late);
    let waited = Waited { loads: rack.loads(), _ticket: ticket };
    if Chain::may_not_wait() {
        return Err(error::may_not_wait().slot(seat.slot().name()));
    }
    rack.waiting(&mut || outcome = attempt.wait(&until));
    drop(waited);
    outcome.unwrap_or_else(|why| {
        Err(match why {
            // Who loads it may only now have begun to wait for what is held up here.
            Why::Circle(slots) => error::load_cycle(&slots),
            Why::Late => error::late_load().slot(seat.slot().name()),
            Why::Cancelled => error::cancelled(),
            Why::Stopped => error::stopped().slot(seat.slot().name()),
        })
    })
}

/// Finds, checks, loads and starts a module.
fn make(rack: &Arc<RackCore>, seat: &Arc<Seat>) -> Result<Arc<Generation>> {
    verify::renew(rack, seat);
    let checked = verify::checked(rack, seat)?;
    if let Some(error) = Error::all(checked.faults.clone()) {
        return Err(error);
    }
    verify::kept(rack, seat)?;
    if let Some(keeper) = rack.keeper().filter(|_| !seat.is_coming()) {
        keeper.starting(&[Coming::of(seat, None)], &Asked::default())?;
    }
    let found = verify::found(rack, seat)?;
    let backend = rack.backend(found.backend)?;
    rack.observer().tell_load(&Load::Begun(seat.slot().name(), &checked.module()));
    let plan = seat.plan();
    let id = rack.next_generation();
    let mut services = Vec::new();
    for (name, need) in &plan.needs {
        let slot = rack.slot_ref(need)?;
        services.push((name.clone(), SlotService::new(rack, slot) as Arc<dyn Service>));
    }
    let limits = plan.limits.or(&seat.configuration().plan().defaults);
    let time = limits.time;
    // A backend that cannot keep a result from growing leaves it to be measured.
    let most = limits.output.filter(|_| backend.guards().output < Guard::Held);
    let policy = instances::policy(plan, &checked.description);
    let recipe = Recipe {
        backend: backend.clone(),
        backends: rack.backends().clone(),
        observer: rack.observer().clone(),
        slot: seat.slot().clone(),
        id,
        checked: checked.clone(),
        params: plan.params_for(checked.description.constructor.as_ref()).into_owned(),
        services,
        limits,
        allow: plan.allow.clone(),
        root: rack.root().to_owned(),
        shared: OnceLock::new(),
    };
    let instance = instances::start(policy, recipe)?;
    let instance = match most {
        Some(most) => instances::measured(instance, most),
        None => instance,
    };
    let slot = seat.slot().clone();
    let main = plan.function.clone();
    let counted = plan.swap.trial.is_bound();
    let generation = Arc::new(Generation::new(Made { id, slot, instance, checked, main, time, counted }));
    if !rack.started(&generation) {
        // The rack was stopped meanwhile, and nobody else will stop this one.
        let _ = generation.instance().stop(instances::STOP_WITHIN);
        return Err(error::stopped());
    }
    answers(seat, &generation).inspect_err(|_| drop(rack.retire(&generation)))?;
    take_over(rack, seat, &generation);
    for why in backend.warnings() {
        rack.observer().tell(&Event::Warning { slot: seat.slot().name().clone(), why });
    }
    Ok(generation)
}

/// Gives a module the state that it had when it was stopped, where it left some. It serves without as well.
fn take_over(rack: &RackCore, seat: &Seat, generation: &Generation) {
    let Some(state) = seat.left().get() else { return };
    let taken = catch_unwind(AssertUnwindSafe(|| generation.instance().import_state(&state)));
    seat.left().set(None);
    let why = match taken {
        Ok(Ok(true)) => return,
        Ok(Ok(false)) => error::state_not_taken(),
        Ok(Err(why)) => why,
        Err(payload) => error::panicked(&*payload),
    };
    let why = generation.blame(why, Phase::Swap);
    let _ = seat.not_taken().set(why.clone());
    rack.observer().tell(&Event::Warning { slot: seat.slot().name().clone(), why });
}

/// Has what was started answer its probes.
///
/// # Errors
/// [`modrack_core::Code::ProbeFailed`].
fn answers(seat: &Seat, started: &Generation) -> Result<()> {
    // A swap asks when it has given what comes its state. On an event loop's thread nobody can wait for what is awaited.
    if seat.is_coming() || seat.has_served() || Chain::is_on_loop() {
        return Ok(());
    }
    probe::all(started, &seat.plan().swap.probes, Phase::Start)
}

impl Claim {
    /// Says how the load ended; what came of it fills the seat as well.
    pub(crate) fn end(mut self, outcome: Result<Arc<Generation>>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Result<Arc<Generation>>) {
        self.has_ended = true;
        if let Ok(generation) = &outcome {
            self.seat.fill(generation.clone());
        }
        self.rack.loads().end(&self.seat);
        waits::load_ended(self.seat.slot().name());
        self.attempt.end(outcome);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.has_ended {
            self.tell(Err(error::internal("A load that nobody ended")));
        }
    }
}

impl Loads {
    /// Whether somebody loads `seat`.
    pub(crate) fn is_running(&self, seat: &Seat) -> bool {
        self.state().running.contains_key(&seat.id())
    }

    /// Decides what the current thread is to do, and notes it.
    fn part(&self, seat: &Arc<Seat>) -> Result<Part> {
        let me = std::thread::current().id();
        let mut state = self.state();
        if let Some(generation) = seat.generation() {
            return Ok(Part::Done(generation.clone()));
        }
        if let Some(running) = state.running.get(&seat.id()) {
            if let Some(slots) = state.cycle(seat.id(), me) {
                return Err(error::load_cycle(&slots));
            }
            // Whoever loads it may itself wait for an instance that this chain of calls is in.
            let slot = seat.slot().name();
            let ticket = waits::enter_load(slot, running.chain).map_err(|slots| error::load_cycle(&slots))?;
            let attempt = running.attempt.clone();
            state.threads.entry(me).or_default().waiting = Some(seat.id());
            return Ok(Part::Wait(attempt, ticket));
        }
        let attempt = Arc::<Attempt>::default();
        state.running.insert(seat.id(), Running { owner: me, chain: Chain::id(), attempt: attempt.clone() });
        let loading = (seat.id(), seat.slot().name().clone());
        state.threads.entry(me).or_default().loading.push(loading);
        Ok(Part::Own(attempt))
    }

    /// Notes that the current thread has ended loading `seat`.
    fn end(&self, seat: &Seat) {
        let mut state = self.state();
        state.running.remove(&seat.id());
        state.change(|thread| thread.loading.retain(|(id, _)| *id != seat.id()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waited<'_> {
    fn drop(&mut self) {
        self.loads.state().change(|thread| thread.waiting = None);
    }
}

impl State {
    /// The slots that would wait for each other if thread `me` waited for `seat`; none when none would.
    fn cycle(&self, seat: u64, me: ThreadId) -> Option<Vec<SlotName>> {
        let mut slots = Vec::new();
        let mut wanted = seat;
        loop {
            let owner = self.running.get(&wanted)?.owner;
            let thread = self.threads.get(&owner)?;
            let from = thread.loading.iter().position(|(id, _)| *id == wanted)?;
            slots.extend(thread.loading.iter().skip(from).map(|(_, name)| name.clone()));
            if owner == me {
                // A swap loads the seat of a slot by another one.
                slots.dedup();
                return Some(slots);
            }
            wanted = thread.waiting?;
        }
    }

    /// Changes what is noted of the current thread, and forgets a thread of which nothing is.
    fn change(&mut self, change: impl FnOnce(&mut Thread)) {
        let me = std::thread::current().id();
        if let Some(thread) = self.threads.get_mut(&me) {
            change(thread);
            if thread.loading.is_empty() && thread.waiting.is_none() {
                self.threads.remove(&me);
            }
        }
    }
}

impl Attempt {
    fn end(&self, outcome: Result<Arc<Generation>>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.ended.notify_all();
    }

    /// Waits for the outcome.
    ///
    /// # Errors
    /// Why there is none.
    fn wait(&self, until: &Until<'_>) -> Result<Result<Arc<Generation>>, Why> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = &*outcome {
                return Ok(outcome.clone());
            }
            if let Some(why) = until.is_over().or_else(|| waits::circle_on_loop().map(Why::Circle)) {
                return Err(why);
            }
            let waited = self.ended.wait_timeout(outcome, until.slice());
            outcome = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
