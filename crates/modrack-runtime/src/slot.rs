//! A slot of a rack, as callers hold it.

use std::sync::Arc;
use std::time::Duration;

use modrack_core::contract::Contract;
use modrack_core::plan::SlotPlan;
use modrack_core::{
    BackendName, Call, Description, Error, Function, GenerationId, Instance, Instances, OnErrors, Origin,
    Phase, Result, Service, SlotName, TableCopies, Value,
};

use crate::bound::Bound;
use crate::generation::Generation;
use crate::instances;
use crate::main_function;
use crate::meter::SlotStats;
use crate::rack::RackCore;
use crate::scope;
use crate::seat::{Checked, Seat, SlotCore};
use crate::service::SlotService;
use crate::swap::{Served, Swap};
use crate::table::SlotTable;
use crate::verify;

/// A slot. It is a handle: cheap to clone, and good whatever comes to fill the slot.
#[derive(Clone)]
pub struct Slot {
    rack: Arc<RackCore>,
    core: Arc<SlotCore>,
    /// What the slot was meant to be when the handle was made.
    first: Arc<SlotPlan>,
}

/// What fills a slot, kept from going away: for who makes many calls that belong together.
#[derive(Clone)]
pub struct Pin {
    rack: Arc<RackCore>,
    table: Arc<SlotTable>,
    generation: Arc<Generation>,
}

impl Slot {
    pub(crate) fn new(rack: Arc<RackCore>, seat: &Seat) -> Self {
        Self { rack, core: seat.slot().clone(), first: seat.plan().clone() }
    }

    /// The slot's name; of a slot that no rack declares, its `use` text.
    pub fn name(&self) -> &SlotName {
        self.core.name()
    }

    /// What the slot is meant to be, as this thread's calls find it: a swap may bring another plan.
    pub fn plan(&self) -> Arc<SlotPlan> {
        let plan = self.rack.with_seat(&self.core, |seat| Ok(seat.plan().clone()));
        plan.unwrap_or_else(|_| self.first.clone())
    }

    /// Where its module comes from. Looks at files; reads no more of them than tells what they are.
    ///
    /// # Errors
    /// A failure of phase find.
    pub fn origin(&self) -> Result<Origin> {
        self.rack.with_seat(&self.core, |seat| Ok(verify::found(&self.rack, seat)?.origin.clone()))
    }

    /// Who loads its module.
    ///
    /// # Errors
    /// A failure of phase find.
    pub fn backend(&self) -> Result<BackendName> {
        self.rack.with_seat(&self.core, |seat| Ok(verify::found(&self.rack, seat)?.backend))
    }

    /// What is known of its module without running it.
    ///
    /// # Errors
    /// A failure of phase find or check.
    pub fn describe(&self) -> Result<Arc<Description>> {
        self.rack.with_seat(&self.core, |seat| Ok(verify::checked(&self.rack, seat)?.description.clone()))
    }

    /// The contract that its module is used by: the slot's, else the manifest's, else one found by shape.
    ///
    /// # Errors
    /// A failure of phase find or check; a contract that is not known.
    pub fn contract(&self) -> Result<Option<Arc<Contract>>> {
        self.rack.with_seat(&self.core, |seat| Ok(verify::checked(&self.rack, seat)?.contract.clone()))
    }

    /// The function that a call without a name means, as far as that is known without running the module.
    ///
    /// # Errors
    /// [`modrack_core::Code::NoMainFunction`], or a failure of phase find or check.
    pub fn main_function(&self) -> Result<String> {
        self.rack.with_seat(&self.core, |seat| {
            let checked = verify::checked(&self.rack, seat)?;
            main_function::of_description(&checked, seat.plan().function.as_deref())
                .map_err(|error| seat.blame(error, "use").module(checked.module()).phase(Phase::Check))
        })
    }

    /// How its instances serve calls.
    ///
    /// # Errors
    /// A failure of phase find or check.
    pub fn instances(&self) -> Result<Instances> {
        Ok(instances::policy(&self.plan(), &*self.describe()?))
    }

    /// How often a table is copied on its way into and out of its module.
    ///
    /// # Errors
    /// A failure of phase find.
    pub fn table_copies(&self) -> Result<TableCopies> {
        Ok(self.rack.backend(self.backend()?).map_or(TableCopies::None, |backend| backend.table_copies()))
    }

    /// Everything that is wrong with the slot and can be known without running its module.
    pub fn check(&self) -> Vec<Error> {
        let faults = self.rack.with_seat(&self.core, |seat| {
            Ok(match verify::checked(&self.rack, seat) {
                Ok(checked) => checked.faults.clone(),
                Err(error) => vec![error],
            })
        });
        faults.unwrap_or_else(|error| vec![error]).into_iter().flat_map(Error::into_each).collect()
    }

    /// What is known of its module, if it could be read.
    pub(crate) fn checked(&self) -> Option<Arc<Checked>> {
        self.rack.with_seat(&self.core, |seat| verify::checked(&self.rack, seat)).ok()
    }

    /// Says of a fault of its module that it is the slot's.
    pub(crate) fn blame(&self, fault: Error) -> Error {
        let blamed = self.rack.with_seat(&self.core, |seat| Ok(seat.blame(fault.clone(), "use")));
        blamed.unwrap_or(fault)
    }

    /// What fills the slot, loaded now if nothing does, and kept for as long as the pin lives.
    ///
    /// # Errors
    /// What finding, checking, loading or starting failed with.
    pub fn pin(&self) -> Result<Pin> {
        let table = self.rack.table();
        let generation = scope::with_table(self.rack.cell(), &table, || {
            self.rack.with_generation(&self.core, None, |generation| Ok(generation.clone()))
        })?;
        Ok(Pin { rack: self.rack.clone(), table, generation })
    }

    /// Binds a function; the main one without a name. Loads the slot if nothing fills it.
    ///
    /// # Errors
    /// What loading failed with, or that there is no such function.
    pub fn function(&self, name: Option<&str>) -> Result<Bound> {
        let id = self.rack.with_generation(&self.core, None, |generation| generation.bind(name))?;
        Ok(Bound::new(self.rack.clone(), self.core.clone(), id))
    }

    /// Reads an attribute. Loads the slot if nothing fills it.
    ///
    /// # Errors
    /// What loading failed with, that there is no such attribute, or what reading it raised.
    pub fn attribute(&self, name: &str) -> Result<Value> {
        self.rack.with_generation(&self.core, None, |generation| generation.attribute(name))
    }

    /// The slot as it is injected into modules.
    pub fn service(&self) -> Arc<dyn Service> {
        SlotService::new(&self.rack, self.core.clone())
    }

    /// What is done about its errors, where the slot decides.
    pub fn errors(&self) -> Option<OnErrors> {
        self.plan().errors.clone()
    }

    /// Whether anything fills it now.
    pub fn is_loaded(&self) -> bool {
        self.rack.table().seat(self.core.index()).is_some_and(|seat| seat.generation().is_some())
    }

    /// What serves in it now; none when nothing does.
    pub fn serving(&self) -> Option<Served> {
        let table = self.rack.table();
        let seat = table.seat(self.core.index())?;
        Some(Served::of(seat, seat.generation()?, None, false))
    }

    /// The swap that fills the slot as it is meant to be, with what was [prepared](crate::Rack::prepare) for it.
    pub fn as_meant(&self) -> Swap {
        let meant = self.rack.with_seat(&self.core, |seat| {
            let swap = Swap::to((**seat.plan()).clone());
            Ok(match seat.origin() {
                Some(origin) => swap.at(origin.clone()),
                None => swap,
            })
        });
        meant.unwrap_or_else(|_| Swap::to((*self.first).clone()))
    }

    /// What happened to it until now, and how long it took.
    pub fn stats(&self) -> SlotStats {
        self.core.stats()
    }
}

impl Pin {
    /// The started module.
    pub fn instance(&self) -> &Arc<dyn Instance> {
        self.generation.instance()
    }

    /// Whether [`Pin::instance`] is the backend's own, for it to recognise; else others stand behind it, or its
    /// results are measured.
    pub fn is_direct(&self) -> bool {
        !instances::is_ours(&**self.instance())
    }

    /// Calls a function that [`Pin::function`] gave, by its name, within the slot's time, with what bounds the call
    /// noted for those that come of it; and says whose its failure is.
    ///
    /// # Errors
    /// What the call failed with.
    pub fn run(&self, name: &str, function: &dyn Function, call: Call<'_>) -> Result<Value> {
        self.within(|| self.generation.run(name, function, call)).map_err(|why| self.blame(why))
    }

    /// Has calls counted that were made past [`Pin::run`], by a backend that runs stages together: so many, of which so
    /// many failed, and which took so long together.
    pub fn record(&self, count: u64, errors: u64, time: Duration) {
        self.generation.record(count, errors, time);
    }

    /// How long a call may take: by the slot's limits, or by those that hold for all slots.
    pub fn time(&self) -> Option<Duration> {
        self.generation.time()
    }

    /// Its number.
    pub fn generation(&self) -> GenerationId {
        self.generation.id()
    }

    /// What was known of the module before it was started.
    pub fn description(&self) -> &Arc<Description> {
        &self.generation.checked().description
    }

    /// A function of it with its name; the main one without a name.
    ///
    /// Called directly it is only the module's: errors do not say whose they are, see [`Pin::blame`], and no
    /// limit of the slot holds.
    ///
    /// # Errors
    /// That there is no such function.
    pub fn function(&self, name: Option<&str>) -> Result<(String, Arc<dyn Function>)> {
        let id = self.generation.bind(name)?;
        let entry = self.generation.entry(id)?;
        Ok((entry.name().to_owned(), entry.function().clone()))
    }

    /// Calls a function of it, as [`Bound::call`] does.
    ///
    /// # Errors
    /// What the call failed with, or that there is no such function.
    pub fn call(&self, name: Option<&str>, call: Call<'_>) -> Result<Value> {
        let id = self.generation.bind(name)?;
        self.within(|| self.generation.call(self.generation.entry(id)?, call))
    }

    /// Runs `run` with every call that this thread makes into the rack resolving as it did when this was
    /// pinned.
    pub fn within<R>(&self, run: impl FnOnce() -> R) -> R {
        scope::with_table(self.rack.cell(), &self.table, run)
    }

    /// Whether this thread's calls resolve now as they did when this was pinned: nothing was swapped since.
    pub fn is_latest(&self) -> bool {
        self.rack.table().version() == self.table.version()
    }

    /// Says of a failure whose it is: slot, module, generation, and phase call unless another is known.
    #[must_use]
    pub fn blame(&self, error: Error) -> Error {
        self.generation.blame(error, Phase::Call)
    }
}
