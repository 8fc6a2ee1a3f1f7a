//! The rack: what holds slots, backends and figures together.
//!
//! It is made from a plan; no text is read here but the contracts that the plan names. Nothing is loaded
//! before it is asked for.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Instant;

use indexmap::IndexMap;
use modrack_core::contract::Contracts;
use modrack_core::plan::{RackPlan, SlotPlan, SlotRef};
use modrack_core::{
    Backend, BackendName, Call, Chain, Description, Error, GenerationId, Instance, Origin, Phase, Result,
    SlotName, Stays, Use, Value,
};

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::contracts;
use crate::descriptions::Descriptions;
use crate::error;
use crate::events::{Event, Observer};
use crate::functions::FunctionId;
use crate::generation::{Generation, Made};
use crate::instances::{self, STOP_WITHIN};
use crate::keeper::Keeper;
use crate::load::{self, Loads};
use crate::meter::SlotStats;
use crate::scope;
use crate::seat::{Checked, Found, Seat, SlotCore, Standing};
use crate::slot::Slot;
#[cfg(feature = "doubles")]
use crate::swap::Step;
use crate::swap::{Janitor, Turns};
use crate::table::SlotTable;
use crate::tables::Tables;
use crate::told;
use crate::verify;

/// A rack. It is a handle: cheap to clone; the last one that goes stops what was started.
#[derive(Clone)]
pub struct Rack(Arc<RackCore>);

/// A rack as whoever it holds knows it: it does not keep the rack.
#[derive(Clone)]
pub struct WeakRack(Weak<RackCore>);

/// What the handles share.
pub(crate) struct RackCore {
    root: PathBuf,
    descriptions: Descriptions,
    backends: Arc<[Arc<dyn Backend>]>,
    observer: Arc<Observer>,
    keeper: OnceLock<Arc<dyn Keeper>>,
    cell: Arc<Tables>,
    loads: Loads,
    started: Mutex<Vec<Arc<Generation>>>,
    generations: AtomicU64,
    measuring: AtomicBool,
    stopped: AtomicBool,
    /// Whether it was warned of that nobody can say which tables are in use.
    is_blind: AtomicBool,
    clock: Clock,
    turns: Turns,
    janitor: Janitor,
    #[cfg(feature = "doubles")]
    fault: Mutex<Option<(Step, Error)>>,
}

impl Rack {
    /// Opens a rack. Reads the contracts that the plan names; loads no module.
    ///
    /// # Errors
    /// A contract that cannot be read, or is wrong.
    pub fn open(plan: RackPlan, backends: Vec<Arc<dyn Backend>>) -> Result<Self> {
        let root =
            std::path::absolute(if plan.root.as_os_str().is_empty() { Path::new(".") } else { &plan.root })
                .map_err(|why| error::unreadable(&plan.root, Path::new(""), &why))?;
        let configuration = Arc::new(Configuration::read(&root, plan)?);
        let mut seats = IndexMap::new();
        for (name, slot) in &configuration.plan().slots {
            let core = Arc::new(SlotCore::new(name.clone(), seats.len()));
            let seat = Seat::new(core, Standing::Declared, Arc::new(slot.clone()), configuration.clone());
            seats.insert(name.clone(), Arc::new(seat));
        }
        Ok(Self(Arc::new(RackCore {
            root,
            descriptions: Descriptions::default(),
            backends: backends.into(),
            observer: Observer::new(),
            keeper: OnceLock::new(),
            cell: Tables::new(SlotTable::new(configuration, seats)),
            loads: Loads::default(),
            started: Mutex::new(Vec::new()),
            generations: AtomicU64::new(1),
            measuring: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            is_blind: AtomicBool::new(false),
            clock: Clock::default(),
            turns: Turns::default(),
            janitor: Janitor::default(),
            #[cfg(feature = "doubles")]
            fault: Mutex::default(),
        })))
    }

    pub(crate) fn core(&self) -> &Arc<RackCore> {
        &self.0
    }

    /// The rack for who is held by it, as a [`Keeper`] is.
    pub fn downgrade(&self) -> WeakRack {
        WeakRack(Arc::downgrade(&self.0))
    }

    /// Puts the rack's clock forward: what its own deadlines (drains, trials) are read from.
    #[cfg(feature = "doubles")]
    pub fn advance(&self, by: std::time::Duration) {
        self.0.clock.advance(by);
        self.0.cell.grace().tell();
    }

    /// Has the next swap that comes to `step` fail there.
    #[cfg(feature = "doubles")]
    pub fn fail_at(&self, step: Step, error: Error) {
        *self.0.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some((step, error));
    }

    /// The plan that is in force, as this thread's calls find it: the one that it was made from, until it is configured anew.
    pub fn plan(&self) -> Arc<RackPlan> {
        self.0.configuration().plan().clone()
    }

    /// The folder that its paths are relative to, absolute.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Reads the contracts that a plan names, as one of this rack.
    ///
    /// # Errors
    /// A contract that cannot be read, or is wrong.
    pub fn check_contracts(&self, plan: &RackPlan) -> Result<()> {
        contracts::read(self.root(), plan).map(drop)
    }

    /// The contracts that it knows: the built-in ones and its own.
    pub fn contracts(&self) -> Arc<Contracts> {
        self.0.configuration().contracts().clone()
    }

    /// The index of the modules that can be found, made at the first asking. Runs none of them.
    ///
    /// A module that is broken is an entry with its error, beside the healthy ones.
    ///
    /// # Errors
    /// A folder of the catalog that is not there or cannot be read.
    pub fn catalog(&self) -> Result<Arc<Catalog>> {
        self.0.catalog()
    }

    /// The slot called `text`; else a slot that is filled by the `use` text `text`. Loads nothing.
    ///
    /// # Errors
    /// [`modrack_core::Code::UnknownSlot`], or a `use` text that cannot be understood.
    pub fn slot(&self, text: &str) -> Result<Slot> {
        self.0.named(text).map(|seat| Slot::new(self.0.clone(), &seat))
    }

    /// The slot that a plan refers to. Loads nothing.
    ///
    /// # Errors
    /// As [`Rack::slot`].
    pub fn slot_ref(&self, slot: &SlotRef) -> Result<Slot> {
        match slot {
            SlotRef::Declared(name) => self.slot(name.as_str()),
            SlotRef::Inline(text) => self.slot(text),
        }
    }

    /// Says what is to fill a slot that nothing fills, when it is asked for: what `plan` describes, from `origin` where that is
    /// given and else from where the plan's `use` leads to. Loads nothing; false, and nothing changes, when something fills
    /// the slot.
    ///
    /// # Errors
    /// [`modrack_core::Code::UnknownSlot`].
    pub fn prepare(&self, plan: SlotPlan, origin: Option<Origin>) -> Result<bool> {
        let slot = self.0.slot_named(&plan.name)?;
        Ok(self.0.cell.publish(|table| match table.seat(slot.index()) {
            Some(old) if old.generation().is_none() && old.gate().is_none() => {
                let seat = old.planned(Arc::new(plan), table.configuration().clone()).meant_from(origin);
                (Some(table.replacing([&Arc::new(seat)])), true)
            }
            _ => (None, false),
        }))
    }

    /// The slots that have names of their own: declared ones first, in their text's order, then the others in the order in
    /// which they came. Those that only stand for a `use` text are left out.
    pub fn slots(&self) -> Vec<Slot> {
        let table = self.0.table();
        let declared = &table.configuration().plan().slots;
        let first = declared.keys().filter_map(|name| table.named(name));
        let others = table.seats().filter(|seat| !declared.contains_key(seat.slot().name()));
        let named = first.chain(others).filter(|seat| seat.is_named());
        named.map(|seat| Slot::new(self.0.clone(), seat)).collect()
    }

    /// Adds a slot that stands in place, as in a pipeline's stage. A slot of the same name that is described
    /// alike is given as it is.
    ///
    /// # Errors
    /// [`modrack_core::Code::DuplicateName`] when another slot has the name.
    pub fn declare(&self, plan: SlotPlan) -> Result<Slot> {
        let name = plan.name.clone();
        let (seat, new) = self.0.add(&name, |core, configuration| {
            Seat::new(core, Standing::Named, Arc::new(plan.clone()), configuration.clone())
        });
        if !new && !seat.plan().means(&plan) {
            return Err(error::taken(&name));
        }
        Ok(Slot::new(self.0.clone(), &seat))
    }

    /// Makes an object of the program that holds the rack a slot.
    ///
    /// # Errors
    /// [`modrack_core::Code::DuplicateName`] when a slot has the name.
    pub fn register(
        &self,
        name: SlotName,
        instance: Arc<dyn Instance>,
        mut description: Description,
    ) -> Result<Slot> {
        if self.0.stopped.load(Ordering::Acquire) {
            return Err(error::stopped().slot(&name));
        }
        description.backend.get_or_insert(BackendName::Host);
        let origin = Origin::Host { name: name.to_string() };
        let found = Found { origin: origin.clone(), backend: BackendName::Host };
        let id = self.0.next_generation();
        let rack = &self.0;
        let fills = Use::Path { path: origin.to_string(), attr: None };
        let configuration = rack.configuration();
        let defaults = &configuration.plan().defaults;
        let plan = Arc::new(SlotPlan::undeclared(name.as_str(), fills, defaults.clone()));
        // What is known of the object is found out before the table is changed, by a seat of no table.
        let core = Arc::new(SlotCore::new(name.clone(), 0));
        let aside = Seat::new(core, Standing::Named, plan.clone(), configuration.clone());
        let checked = Arc::new(verify::examine(rack, &aside, &origin, description));
        let time = defaults.time;
        let instance = match defaults.output {
            Some(most) => instances::measured(instance, most),
            None => instance,
        };
        let (seat, new) = rack.add(&name, |core, _| {
            let seat = Seat::new(core, Standing::Named, plan, configuration.clone());
            seat.found().set(Some(Arc::new(found)));
            seat.checked().set(Some(checked.clone()));
            let slot = seat.slot().clone();
            seat.fill(Arc::new(Generation::new(Made {
                id,
                slot,
                instance,
                checked,
                main: None,
                time,
                counted: false,
            })));
            seat
        });
        if !new {
            return Err(error::taken(&name));
        }
        if let Some(generation) = seat.generation() {
            rack.started(generation);
        }
        Ok(Slot::new(self.0.clone(), &seat))
    }

    /// The names of the slots that the program fills itself: a rack's text may name them as those of its own.
    pub fn given(&self) -> Vec<SlotName> {
        let table = self.0.cell.pin();
        table.seats().filter(|seat| seat.is_given()).map(|seat| seat.slot().name().clone()).collect()
    }

    /// The backends that these slots need, with what is injected into them and so on. Runs nothing.
    ///
    /// # Errors
    /// A failure of phase find.
    pub fn backends_needed(&self, slots: &[Slot]) -> Result<BTreeSet<BackendName>> {
        let mut seen = BTreeSet::new();
        let mut needed = BTreeSet::new();
        let mut left: Vec<Slot> = slots.to_vec();
        while let Some(slot) = left.pop() {
            if !seen.insert(slot.name().clone()) {
                continue;
            }
            needed.insert(slot.backend()?);
            for (_, need) in &slot.plan().needs {
                left.push(self.slot_ref(need)?);
            }
        }
        Ok(needed)
    }

    /// What stays in the process of all modules that were ever loaded in it, by this rack or another.
    pub fn stays(&self) -> Vec<Stays> {
        self.0.backends.iter().flat_map(|backend| backend.stays()).collect()
    }

    /// Whether calls are measured from now on: finding, checking, loading and starting always are.
    pub fn measure(&self, calls: bool) {
        self.0.measuring.store(calls, Ordering::Relaxed);
    }

    /// What happened to each slot until now, and how long it took; `use` texts where slots are named included.
    pub fn stats(&self) -> Vec<SlotStats> {
        self.0.table().seats().filter(|seat| !seat.is_gone()).map(|seat| seat.slot().stats()).collect()
    }

    /// Everything that can be known to be wrong without running a module, slots first, in their order.
    pub fn check(&self) -> Vec<Error> {
        let mut errors: Vec<_> = self.slots().iter().flat_map(Slot::check).collect();
        for slot in self.plan().slots.values() {
            for (name, need) in &slot.needs {
                if let SlotRef::Inline(text) = need {
                    let key = format!("needs.{name}");
                    let place = slot.key_places.get(&key).or(slot.place.as_ref()).cloned();
                    let faults = self.slot(text).map_or_else(|error| vec![error], |need| need.check());
                    errors.extend(faults.into_iter().map(|error| match &place {
                        Some(place) if error.place_of().is_none() => error.place(place.clone()),
                        _ => error,
                    }));
                }
            }
        }
        errors.extend(self.check_together());
        // A module that fills a slot was reported with the slot.
        let known = |error: &Error| {
            let same = |e: &Error| (e.code(), e.message()) == (error.code(), error.message());
            errors.iter().any(|e| same(e) && e.place_of() == error.place_of())
        };
        let catalog = self.catalog().map_or_else(|error| vec![error], |catalog| catalog.check(&self.0.root));
        let catalog: Vec<_> = catalog.into_iter().filter(|error| !known(error)).collect();
        errors.extend(catalog);
        errors
    }

    /// What keeps modules of the rack from being in one process.
    fn check_together(&self) -> Vec<Error> {
        let slots = self.slots();
        let known: Vec<_> = slots.iter().filter_map(|slot| Some((slot, slot.checked()?))).collect();
        let each = self.0.backends.iter().flat_map(|backend| {
            let mine = |checked: &Checked| checked.description.backend == Some(backend.name());
            let theirs: Vec<_> = known.iter().filter(|(_, checked)| mine(checked)).collect();
            let modules: Vec<&Description> = theirs.iter().map(|(_, known)| &*known.description).collect();
            let faults = backend.check_together(&modules).into_iter();
            let blamed = faults.filter_map(|(index, fault)| Some(theirs.get(index)?.0.blame(fault)));
            blamed.collect::<Vec<_>>()
        });
        each.collect()
    }

    /// The backend called `name`.
    ///
    /// # Errors
    /// [`modrack_core::Code::UnknownBackend`] when there is none here.
    pub fn backend(&self, name: BackendName) -> Result<&Arc<dyn Backend>> {
        self.0.backend(name)
    }

    /// Has `tell` told what happens in the rack, on the threads on which it happens, after those who are told already.
    pub fn observe(&self, tell: impl Fn(&Event) + Send + Sync + 'static) {
        self.0.observer.add(tell);
    }

    /// Stops every generation, the last started first. The rack starts nothing any more.
    ///
    /// Gives what the modules' own shutdowns failed with.
    pub fn stop(&self) -> Vec<Error> {
        self.0.stop()
    }

    /// Runs `wait` with the current thread having let go of every backend: the one way to wait for another
    /// thread that may need one.
    pub fn waiting(&self, wait: &mut dyn FnMut()) {
        self.0.waiting(wait);
    }
}

impl WeakRack {
    /// The rack, while anybody keeps it.
    pub fn upgrade(&self) -> Option<Rack> {
        self.0.upgrade().map(Rack)
    }
}

impl RackCore {
    /// Calls a function of whatever fills a slot in the table that this thread's calls resolve through.
    #[inline]
    pub(crate) fn call(
        self: &Arc<Self>,
        slot: &Arc<SlotCore>,
        id: FunctionId,
        call: Call<'_>,
    ) -> Result<Value> {
        if scope::is_inside() {
            return self.call_nested(slot, id, call);
        }
        self.call_here(slot, id, call)
    }

    /// Calls a function on behalf of a module: one call deeper, and bounded as the calls that led here are.
    ///
    /// # Errors
    /// [`modrack_core::Code::TooDeep`]; else what the call failed with.
    pub(crate) fn call_nested(
        self: &Arc<Self>,
        slot: &Arc<SlotCore>,
        id: FunctionId,
        call: Call<'_>,
    ) -> Result<Value> {
        // Each backend wants room of its own below the call, which nobody can ask it for.
        const ROOM: usize = 768 << 10;
        if stacker::remaining_stack().is_some_and(|left| left < ROOM) {
            return Err(error::no_stack(slot.name()));
        }
        let (deadline, cancel) = Chain::bounds();
        let call = Call {
            deadline: call.deadline.into_iter().chain(deadline).min(),
            cancel: call.cancel.or(cancel.as_ref()),
            ..call
        };
        Chain::deeper(|| self.call_here(slot, id, call)).unwrap_or_else(|| Err(error::too_deep(slot.name())))
    }

    #[inline]
    fn call_here(self: &Arc<Self>, slot: &Arc<SlotCore>, id: FunctionId, call: Call<'_>) -> Result<Value> {
        scope::within(&self.cell, |table| {
            if let Some(seat) = table.seat(slot.index())
                && let Some(generation) = seat.generation()
                && let Some(entry) = generation.known(id)
                && !self.measuring.load(Ordering::Relaxed)
            {
                return generation.call(entry, call);
            }
            self.call_slowly(table, slot, id, call)
        })
    }

    /// The first call of a function, of a slot that nothing fills, or one that is measured.
    #[inline(never)]
    fn call_slowly(
        self: &Arc<Self>,
        table: &SlotTable,
        slot: &Arc<SlotCore>,
        id: FunctionId,
        call: Call<'_>,
    ) -> Result<Value> {
        // What bounds the call bounds the load that it waits for.
        let generation = Chain::bounded(&call, || self.generation(table, slot, call.deadline))?;
        let entry = generation.entry(id)?;
        if !self.measuring.load(Ordering::Relaxed) {
            return generation.call(entry, call);
        }
        let began = Instant::now();
        let result = generation.call(entry, call);
        slot.meters.record(Phase::Call, began.elapsed(), result.is_ok());
        result
    }

    /// Runs `run` with what fills the slot in the table that this thread's calls resolve through, loaded now
    /// if nothing does.
    pub(crate) fn with_generation<R>(
        self: &Arc<Self>,
        slot: &Arc<SlotCore>,
        until: Option<Instant>,
        run: impl FnOnce(&Arc<Generation>) -> Result<R>,
    ) -> Result<R> {
        scope::within(&self.cell, |table| run(&self.generation(table, slot, until)?))
    }

    /// Runs `run` with the slot's seat in the table that this thread's calls resolve through.
    pub(crate) fn with_seat<R>(
        &self,
        slot: &SlotCore,
        run: impl FnOnce(&Arc<Seat>) -> Result<R>,
    ) -> Result<R> {
        scope::within(&self.cell, |table| {
            let seat = self.seat(table, slot)?;
            if seat.is_gone() { Err(self.unknown(slot.name().as_str())) } else { run(&seat) }
        })
    }

    /// The slot called `text`, or filled by it.
    fn named(self: &Arc<Self>, text: &str) -> Result<Arc<Seat>> {
        let name = SlotName::undeclared(text);
        if let Some(seat) = self.cell.pin().named(&name).filter(|seat| !seat.is_gone()) {
            return Ok(seat.clone());
        }
        let fills = match Use::parse(text) {
            Ok(fills) => fills,
            // A text that is nearly a slot's name was meant as one.
            Err(error) if Use::is_unmistakable(text) || text.contains('@') => return Err(error),
            Err(_) => return Err(self.unknown(text)),
        };
        if let Use::Catalog { name, .. } = &fills
            && name == text
            && !self.catalog()?.has(name)
        {
            return Err(self.unknown(text));
        }
        let added = self.add(&name, |core, configuration| {
            let plan = SlotPlan::undeclared(text, fills, configuration.plan().defaults.clone());
            Seat::new(core, Standing::Text, Arc::new(plan), configuration.clone())
        });
        Ok(added.0)
    }

    /// The slot that a plan refers to.
    pub(crate) fn slot_ref(self: &Arc<Self>, slot: &SlotRef) -> Result<Arc<SlotCore>> {
        let text = match slot {
            SlotRef::Declared(name) => name.as_str(),
            SlotRef::Inline(text) => text,
        };
        Ok(self.named(text)?.slot().clone())
    }

    /// That there is no slot `text`.
    pub(crate) fn unknown(&self, text: &str) -> Error {
        let table = self.cell.pin();
        let slots = table.seats().filter(|seat| seat.is_named()).map(|seat| seat.slot().name().as_str());
        let is_file = !text.is_empty() && self.root.join(text).is_file();
        let catalog = self.catalog().ok();
        error::unknown_slot(text, slots, catalog.iter().flat_map(|catalog| catalog.names()), is_file)
    }

    /// The slot called `name`, made by `seat` if there is none; and whether it was made.
    pub(crate) fn add(
        &self,
        name: &SlotName,
        seat: impl FnOnce(Arc<SlotCore>, &Arc<Configuration>) -> Seat,
    ) -> (Arc<Seat>, bool) {
        self.cell.publish(|table| {
            let core = match table.named(name) {
                Some(seat) if !seat.is_gone() => return (None, (seat.clone(), false)),
                // Who holds the slot since it was there before finds it again.
                Some(gone) => gone.slot().clone(),
                None => Arc::new(SlotCore::new(name.clone(), table.len())),
            };
            let seat = Arc::new(seat(core, table.configuration()));
            (Some(table.with(seat.clone())), (seat, true))
        })
    }

    /// Gives a slot that is not there yet its place in the table, where nobody finds it.
    pub(crate) fn reserve(&self, name: &SlotName, plan: &SlotPlan) {
        if self.cell.pin().named(name).is_none() {
            self.add(name, |core, _| Seat::new(core, Standing::Gone, Arc::new(plan.clone()), Arc::default()));
        }
    }

    /// The slot's seat in `table`; a slot that came after the table is taken as it is now.
    fn seat(&self, table: &SlotTable, slot: &SlotCore) -> Result<Arc<Seat>> {
        let seat = table.seat(slot.index()).cloned();
        seat.or_else(|| self.cell.pin().seat(slot.index()).cloned())
            .ok_or_else(|| error::internal("A slot that is not in the table").slot(slot.name()))
    }

    fn generation(
        self: &Arc<Self>,
        table: &SlotTable,
        slot: &SlotCore,
        until: Option<Instant>,
    ) -> Result<Arc<Generation>> {
        let seat = self.seat(table, slot)?;
        // What a swap waits for waits no longer for another swap than calls are waited for.
        let until = match seat.gate() {
            Some(_) if table.is_over() => {
                let own = Instant::now().checked_add(seat.plan().swap.drain);
                until.into_iter().chain(own).min()
            }
            _ => until,
        };
        match seat.generation() {
            Some(generation) => Ok(generation.clone()),
            None if self.stopped.load(Ordering::Acquire) => Err(error::stopped().slot(slot.name())),
            None => load::generation(self, &seat, until),
        }
    }

    /// The slot called `name`.
    pub(crate) fn slot_named(&self, name: &SlotName) -> Result<Arc<SlotCore>> {
        let table = self.cell.pin();
        let known = table.named(name).filter(|seat| !seat.is_gone()).map(|seat| seat.slot().clone());
        known.ok_or_else(|| self.unknown(name.as_str()))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    pub(crate) fn janitor(&self) -> &Janitor {
        &self.janitor
    }

    /// What a test wants a swap to fail with at this step.
    #[cfg(feature = "doubles")]
    pub(crate) fn fault(&self, step: Step) -> Result<()> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match fault.take_if(|(at, _)| *at == step) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    pub(crate) fn table(&self) -> Arc<SlotTable> {
        scope::current(&self.cell)
    }

    pub(crate) fn cell(&self) -> &Tables {
        &self.cell
    }

    /// What the rack is configured to be, in the table that this thread's calls resolve through.
    pub(crate) fn configuration(&self) -> Arc<Configuration> {
        self.table().configuration().clone()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn descriptions(&self) -> &Descriptions {
        &self.descriptions
    }

    pub(crate) fn observer(&self) -> &Arc<Observer> {
        &self.observer
    }

    pub(crate) fn keeper(&self) -> Option<&Arc<dyn Keeper>> {
        self.keeper.get()
    }

    pub(crate) fn set_keeper(&self, keeper: Arc<dyn Keeper>) -> bool {
        self.keeper.set(keeper).is_ok()
    }

    pub(crate) fn backends(&self) -> &Arc<[Arc<dyn Backend>]> {
        &self.backends
    }

    pub(crate) fn loads(&self) -> &Loads {
        &self.loads
    }

    pub(crate) fn catalog(&self) -> Result<Arc<Catalog>> {
        self.configuration().catalog(self)
    }

    pub(crate) fn backend(&self, name: BackendName) -> Result<&Arc<dyn Backend>> {
        self.backends
            .iter()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| error::no_backend(name, None))
    }

    pub(crate) fn next_generation(&self) -> GenerationId {
        GenerationId(self.generations.fetch_add(1, Ordering::Relaxed))
    }

    /// Notes a generation as one that is to be stopped; false when the rack was stopped before.
    pub(crate) fn started(&self, generation: &Arc<Generation>) -> bool {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: who stops the rack says so before it takes the lock to look for what is to be stopped.
        let running = !self.stopped.load(Ordering::Acquire);
        if running {
            started.push(generation.clone());
        }
        running
    }

    /// Whether a generation is to be stopped by who asks; false when somebody else has stopped it, or does.
    pub(crate) fn is_to_stop(&self, generation: &Arc<Generation>) -> bool {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let at = started.iter().position(|other| Arc::ptr_eq(other, generation));
        at.map(|at| started.remove(at)).is_some()
    }

    /// Stops a generation that nobody calls any more, and gives what its shutdown failed with; none when somebody else has
    /// stopped it, or does.
    pub(crate) fn retire(self: &Arc<Self>, generation: &Arc<Generation>) -> Option<Result<()>> {
        if !self.is_to_stop(generation) {
            return None;
        }
        let remains = generation.instance().remains();
        let stopped = stop(generation);
        self.janitor.look_for(self, generation, remains);
        Some(stopped)
    }

    /// Warns, once, where nobody can say any more whether calls of what was replaced have ended.
    pub(crate) fn warn_if_blind(&self) {
        if self.cell.is_blind() && !self.is_blind.swap(true, Ordering::AcqRel) {
            let why = error::fences_refused();
            self.observer.announce("warning", None, told::warning(&why));
        }
    }

    /// Whether a call is under way in any module that is not stopped.
    pub(crate) fn is_called(&self) -> bool {
        !self.called().is_empty()
    }

    /// The slots whose modules count a call that is under way, each once.
    pub(crate) fn called(&self) -> Vec<SlotName> {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let called = started.iter().filter(|generation| generation.instance().footprint().calls > 0);
        let called: BTreeSet<_> = called.map(|generation| generation.slot().name().clone()).collect();
        called.into_iter().collect()
    }

    /// Whether the rack was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub(crate) fn waiting(&self, wait: &mut dyn FnMut()) {
        let_go(&self.backends, wait);
    }

    fn stop(&self) -> Vec<Error> {
        self.observer.hearing().end(self);
        self.stopped.store(true, Ordering::Release);
        self.janitor.forget();
        self.turns.wake();
        self.cell.grace().tell();
        let mut errors = Vec::new();
        loop {
            // One after the other: a load that was under way when the rack was stopped may still add one.
            let last = self.started.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(generation) = last else { break };
            errors.extend(stop(&generation).err());
        }
        self.janitor.ended(self);
        self.cell.publish(|table| {
            let renewed = table.map(|seat| Arc::new(seat.empty()));
            (Some(renewed), ())
        });
        self.observer.bus().heard(self);
        errors
    }
}

impl Drop for RackCore {
    fn drop(&mut self) {
        // Nobody is left to tell what failed.
        let _ = self.stop();
        self.observer.bus().close();
    }
}

/// Stops what nobody calls any more; a panic is a failure like any other.
pub(crate) fn stop(generation: &Generation) -> Result<()> {
    let stopped = catch_unwind(AssertUnwindSafe(|| generation.instance().stop(STOP_WITHIN)));
    stopped
        .unwrap_or_else(|payload| Err(error::stop_panicked(&*payload)))
        .map_err(|error| generation.blame(error, Phase::Stop))
}

/// Runs `wait` inside the `let_go` of each backend.
pub(crate) fn let_go(backends: &[Arc<dyn Backend>], wait: &mut dyn FnMut()) {
    match backends.split_first() {
        None => wait(),
        Some((backend, others)) => backend.let_go(&mut || let_go(others, wait)),
    }
}
