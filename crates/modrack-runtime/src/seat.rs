//! A slot's place in the table: its identity, its plan, and what fills it.
//!
//! The identity ([`SlotCore`]) stays the same for as long as the rack lives; a seat is one filling of it. A
//! generation that replaces another comes in a seat of its own, so a seat is filled once and never emptied.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use modrack_core::contract::Contract;
use modrack_core::plan::SlotPlan;
use modrack_core::{BackendName, CopyMeter, Description, Error, Origin, Place, SlotName, State};

use crate::configuration::Configuration;
use crate::functions::FunctionNames;
use crate::gate::Gate;
use crate::generation::Generation;
use crate::meter::{Meters, SlotStats};

/// What of a slot outlives every generation.
pub(crate) struct SlotCore {
    name: SlotName,
    index: usize,
    /// The ids of its functions.
    pub(crate) functions: FunctionNames,
    /// What happened to it, and how long it took.
    pub(crate) meters: Meters,
    /// Tables that were copied into and out of its modules.
    pub(crate) copies: Arc<CopyMeter>,
}

/// Why there is a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The configuration describes it.
    Declared,
    /// The program that holds the rack gave it its name.
    Named,
    /// It only stands for a `use` text.
    Text,
    /// There is none: it was removed, or is not there yet. Whoever holds it finds nothing until it comes.
    Gone,
}

/// One filling of a slot.
pub(crate) struct Seat {
    id: u64,
    slot: Arc<SlotCore>,
    standing: Standing,
    plan: Arc<SlotPlan>,
    /// The same plan where it is written by now, if a configuration that came later has it elsewhere.
    written: Memo<SlotPlan>,
    configuration: Arc<Configuration>,
    /// Where its module comes from, whatever the plan's `use` leads to by now.
    origin: Option<Origin>,
    /// Whether a swap made it, which tells of it itself.
    coming: bool,
    found: Memo<Found>,
    checked: Memo<Checked>,
    /// From where its content can be loaded again.
    kept: Memo<Option<Origin>>,
    /// The version of the first table that had it.
    since: OnceLock<u64>,
    generation: OnceLock<Arc<Generation>>,
    /// Whether it serves again in the place of what replaced it.
    back: OnceLock<()>,
    /// The state of what filled the slot and was stopped, for what is loaded next.
    left: Memo<State>,
    /// Whether what fills it served before, and is only started again.
    has_served: AtomicBool,
    /// Why that was not taken.
    not_taken: OnceLock<Error>,
    /// Who asks for what fills it waits here, instead of loading it.
    gate: Option<Arc<Gate>>,
}

/// What a slot's `use` was resolved to.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// What a backend is asked for.
    pub(crate) origin: Origin,
    /// Which backend.
    pub(crate) backend: BackendName,
}

/// What is known of the module that fills a slot, before any of it runs.
pub(crate) struct Checked {
    /// Where it comes from.
    pub(crate) origin: Origin,
    /// What messages call it.
    pub(crate) called: String,
    /// What was read of it.
    pub(crate) description: Arc<Description>,
    /// The contract that it is used by.
    pub(crate) contract: Option<Arc<Contract>>,
    /// Whether that contract was asked for, and not only found by shape.
    pub(crate) declared: bool,
    /// Why it cannot be started, if so.
    pub(crate) faults: Vec<Error>,
}

/// Something that was found out once, until it is forgotten.
pub(crate) struct Memo<T>(Mutex<Option<Arc<T>>>);

impl SlotCore {
    /// A slot that is to stand at `index` of every table.
    pub(crate) fn new(name: SlotName, index: usize) -> Self {
        Self {
            name,
            index,
            functions: FunctionNames::default(),
            meters: Meters::default(),
            copies: Arc::default(),
        }
    }

    /// The slot's name.
    pub(crate) fn name(&self) -> &SlotName {
        &self.name
    }

    /// What happened to it until now.
    pub(crate) fn stats(&self) -> SlotStats {
        self.meters.stats(&self.name, self.copies.copies())
    }

    /// Its place in every table.
    #[inline]
    pub(crate) fn index(&self) -> usize {
        self.index
    }
}

impl Seat {
    /// A seat that nothing fills yet.
    pub(crate) fn new(
        slot: Arc<SlotCore>,
        standing: Standing,
        plan: Arc<SlotPlan>,
        configuration: Arc<Configuration>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            slot,
            standing,
            plan,
            written: Memo::default(),
            configuration,
            origin: None,
            coming: false,
            found: Memo::default(),
            checked: Memo::default(),
            kept: Memo::default(),
            since: OnceLock::new(),
            generation: OnceLock::new(),
            back: OnceLock::new(),
            left: Memo::default(),
            has_served: AtomicBool::new(false),
            not_taken: OnceLock::new(),
            gate: None,
        }
    }

    /// This seat's slot with another plan, under a configuration, that nothing fills yet.
    pub(crate) fn planned(&self, plan: Arc<SlotPlan>, configuration: Arc<Configuration>) -> Self {
        let is_same = Arc::ptr_eq(&plan, &self.plan);
        let seat = Self::new(self.slot.clone(), self.standing, plan, configuration);
        if is_same {
            seat.written.set(self.written.get());
        }
        seat
    }

    /// Notes where its plan is written from now on.
    pub(crate) fn is_written(&self, plan: &SlotPlan) {
        self.written.set(Some(Arc::new(plan.clone())));
    }

    /// This seat's slot, that nothing fills yet.
    pub(crate) fn empty(&self) -> Self {
        self.planned(self.plan.clone(), self.configuration.clone())
    }

    /// This seat's slot, where there is none any more. It keeps no configuration: whoever puts one there again brings its own.
    pub(crate) fn gone(&self) -> Self {
        self.planned(self.plan.clone(), Arc::default()).standing_as(Standing::Gone)
    }

    /// This seat's slot under another configuration, as that describes it if it does, that nothing fills yet.
    pub(crate) fn renewed(&self, configuration: &Arc<Configuration>) -> Self {
        let described =
            configuration.plan().slots.get(self.slot.name()).filter(|plan| plan.means(&self.plan));
        let plan = described.map_or_else(|| self.plan.clone(), |plan| Arc::new(plan.clone()));
        let seat = self.planned(plan, configuration.clone()).meant_from(self.origin.clone());
        seat.left.set(self.left.get());
        seat.has_served.store(self.has_served.load(Ordering::Relaxed), Ordering::Relaxed);
        seat
    }

    /// This seat, of a slot that is there for another reason.
    pub(crate) fn standing_as(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// This seat, filled by a swap, from `origin` if that is given, else from where its plan leads to.
    pub(crate) fn coming(self, origin: Option<Origin>) -> Self {
        Self { origin, coming: true, ..self }
    }

    /// This seat, filled when it is asked for, from `origin` if that is given, else from where its plan leads to.
    pub(crate) fn meant_from(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// A seat for the same module, from where its content is kept if it is, that nothing fills yet.
    pub(crate) fn again(&self) -> Self {
        let origin = self.kept.get().and_then(|kept| (*kept).clone()).or_else(|| self.origin.clone());
        Self { origin, ..self.empty() }
    }

    /// This seat with a gate in front of it, that nothing fills until the gate opens.
    pub(crate) fn gated(&self, gate: Arc<Gate>) -> Self {
        let seat = self.empty();
        seat.found.set(self.found.get());
        seat.checked.set(self.checked.get());
        Self { gate: Some(gate), ..seat }
    }

    /// Where its module comes from, if that is not for its plan to say.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Notes that it serves again in the place of what replaced it.
    pub(crate) fn came_back(&self) {
        let _ = self.back.set(());
    }

    /// From where its content is loaded again while its plan says the same; none for where that leads to.
    pub(crate) fn stays_at(&self) -> Option<Origin> {
        let kept = || self.back.get().and_then(|()| self.kept.get()).and_then(|kept| (*kept).clone());
        self.origin.clone().or_else(kept)
    }

    /// Whether a swap made it.
    pub(crate) fn is_coming(&self) -> bool {
        self.coming
    }

    /// From where its content can be loaded again, once that is known.
    pub(crate) fn kept(&self) -> &Memo<Option<Origin>> {
        &self.kept
    }

    /// What holds back who asks for what fills it.
    pub(crate) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.as_ref()
    }

    /// The state that its next load takes over, if it has not.
    pub(crate) fn left(&self) -> &Memo<State> {
        &self.left
    }

    /// Notes that what fills it served before: nothing is asked of it when it is started again.
    pub(crate) fn serves_again(&self) {
        self.has_served.store(true, Ordering::Relaxed);
    }

    /// Whether what fills it served before.
    pub(crate) fn has_served(&self) -> bool {
        self.has_served.load(Ordering::Relaxed)
    }

    /// Why what fills it did not take over what was left for it, if so.
    pub(crate) fn not_taken(&self) -> &OnceLock<Error> {
        &self.not_taken
    }

    /// What tells this seat from every other of the process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Notes that the table of `version` has it; the first one counts.
    pub(crate) fn is_in(&self, version: u64) {
        let _ = self.since.set(version);
    }

    /// The version of the first table that had it.
    pub(crate) fn since(&self) -> u64 {
        self.since.get().copied().unwrap_or_default()
    }

    /// The slot.
    pub(crate) fn slot(&self) -> &Arc<SlotCore> {
        &self.slot
    }

    /// What the slot is meant to be.
    pub(crate) fn plan(&self) -> &Arc<SlotPlan> {
        &self.plan
    }

    /// What the rack was configured to be when the seat was made.
    pub(crate) fn configuration(&self) -> &Arc<Configuration> {
        &self.configuration
    }

    /// Why there is a slot.
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether there is no such slot.
    pub(crate) fn is_gone(&self) -> bool {
        self.standing == Standing::Gone
    }

    /// Whether the slot has a name of its own: whether it is more than a `use` text where a slot is named.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self.standing, Standing::Declared | Standing::Named)
    }

    /// Whether the program that holds the rack fills it.
    pub(crate) fn is_given(&self) -> bool {
        let is_host = || self.found.get().is_some_and(|found| found.backend == BackendName::Host);
        self.standing == Standing::Named && is_host()
    }

    /// What its `use` was resolved to.
    pub(crate) fn found(&self) -> &Memo<Found> {
        &self.found
    }

    /// What is known of its module.
    pub(crate) fn checked(&self) -> &Memo<Checked> {
        &self.checked
    }

    /// What fills it.
    #[inline]
    pub(crate) fn generation(&self) -> Option<&Arc<Generation>> {
        self.generation.get()
    }

    /// Fills it; what fills it already stays.
    pub(crate) fn fill(&self, generation: Arc<Generation>) -> &Arc<Generation> {
        self.generation.get_or_init(|| generation)
    }

    /// Forgets what was found out, so that a module that was mended is seen.
    pub(crate) fn forget(&self) {
        self.found.set(None);
        self.checked.set(None);
        self.kept.set(None);
    }

    /// Where the slot's key is, else where the slot is.
    pub(crate) fn place(&self, key: &str) -> Option<Place> {
        let plan = self.written();
        plan.key_places.get(key).or(plan.place.as_ref()).cloned()
    }

    /// Where this very key of the slot is.
    pub(crate) fn place_of_key(&self, key: &str) -> Option<Place> {
        self.written().key_places.get(key).cloned()
    }

    fn written(&self) -> Arc<SlotPlan> {
        self.written.get().unwrap_or_else(|| self.plan.clone())
    }

    /// Says of `error` what slot it is about and, unless that is known, that it comes from the slot's `key`.
    pub(crate) fn blame(&self, error: Error, key: &str) -> Error {
        let error = error.slot(self.slot.name());
        match self.place(key) {
            Some(place) if error.place_of().is_none() => error.place(place),
            _ => error,
        }
    }
}

impl<T> Memo<T> {
    /// What was found out.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what was found out, or that nothing is.
    pub(crate) fn set(&self, value: Option<Arc<T>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}
