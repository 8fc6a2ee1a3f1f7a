//! The stages of a pipeline, gathered so that neighbours of one backend run as one.
//!
//! The modules are loaded here, before a row is read. What fills the slots of all groups is of one moment, and is had for
//! one batch at least; a run that keeps rows or state until its end has it until then.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{Field, Schema, SchemaRef};
use indexmap::IndexMap;
use modrack_core::plan::{ColumnType, PipelinePlan, StagePlan};
use modrack_core::{BackendName, Cancel, Code, Error, Fed, OnErrors, Result, StageRun, StageSeat, StageSpec};
use modrack_runtime::{Pin, Rack, Slot};

use crate::source::data_type;
use crate::stage::{CallByCall, Seated};

/// All stages of a pipeline, with what fills their slots.
pub(crate) struct Line<'a> {
    rack: &'a Rack,
    pipeline: &'a PipelinePlan,
    cancel: Cancel,
    /// In order; none while what filled the slots was let go of.
    pub(crate) groups: Vec<Group>,
}

/// Neighbouring stages that run as one.
pub(crate) struct Group {
    /// What runs them.
    pub(crate) run: Box<dyn StageRun>,
    /// The place of its first stage in the pipeline.
    pub(crate) first: usize,
    /// What fills the slots of its stages.
    pub(crate) pins: Vec<Pin>,
    /// The names of its stages, by which backends name them.
    names: Vec<String>,
}

impl<'a> Line<'a> {
    /// Loads the modules of all stages and prepares them.
    ///
    /// # Errors
    /// What loading fails with; a stage that the backend cannot run as it is described.
    pub(crate) fn prepare(rack: &'a Rack, pipeline: &'a PipelinePlan, cancel: &Cancel) -> Result<Self> {
        let mut line = Self { rack, pipeline, cancel: cancel.clone(), groups: Vec::new() };
        line.fill()?;
        Ok(line)
    }

    /// Makes sure, before a batch, that it goes through what fills the slots now.
    ///
    /// # Errors
    /// As [`Line::prepare`]: what came in meanwhile may not be a stage.
    pub(crate) fn follow(&mut self) -> Result<()> {
        self.let_go();
        if self.groups.is_empty() { self.fill() } else { Ok(()) }
    }

    /// Lets go of what was pinned before a swap, of whatever slot: the stages reach the others by what they are pinned with,
    /// and no swap is to wait for rows that are yet to come. All go together: a batch that goes through old and new is a mixture.
    pub(crate) fn let_go(&mut self) {
        let is_old = self.groups.iter().flat_map(|group| &group.pins).any(|pin| !pin.is_latest());
        if is_old && !self.groups.iter().any(|group| group.run.keeps()) {
            self.groups.clear();
        }
    }

    fn fill(&mut self) -> Result<()> {
        let (rack, pipeline) = (self.rack, self.pipeline);
        let outer = on_errors(rack, pipeline);
        let mut seated: Vec<(BackendName, Seated)> = Vec::with_capacity(pipeline.stages.len());
        for stage in &pipeline.stages {
            let slot = slot(rack, stage)?;
            // All are what the first one's table says.
            let pin = match seated.first() {
                Some((_, first)) => first.pin.within(|| slot.pin()),
                None => slot.pin(),
            }?;
            let (function_name, function) =
                pin.function(stage.function.as_deref()).map_err(|why| placed(pin.blame(why), stage))?;
            // What was pinned goes with the plan that it was made by.
            let plan = pin.within(|| slot.plan());
            let inner = plan.errors.as_ref().map_or_else(|| outer.clone(), |errors| errors.over(&outer));
            let spec = StageSpec {
                name: stage.name.clone(),
                takes: stage.takes.or(pin.description().manifest.takes),
                column: stage.column.clone(),
                batch: stage.batch,
                schema: stage.schema.as_ref().map(schema),
                on_errors: stage.errors.as_ref().map_or_else(|| inner.clone(), |errors| errors.over(&inner)),
                time: pin.time(),
            };
            let seat = StageSeat { instance: pin.instance().clone(), function, function_name, spec };
            let backend = pin.within(|| slot.backend())?;
            seated.push((backend, Seated { seat, pin }));
        }
        let mut left = seated.into_iter().peekable();
        let mut first = 0;
        while let Some((name, stage)) = left.next() {
            let mut stages = vec![stage];
            // A backend recognises its own instances alone, and runs stages together only where all are such.
            let direct = stages[0].pin.is_direct();
            let alike =
                |(other, next): &(BackendName, Seated)| *other == name && next.pin.is_direct() == direct;
            while let Some((_, stage)) = left.next_if(alike) {
                stages.push(stage);
            }
            let many = stages.len();
            let pins = stages.iter().map(|stage| stage.pin.clone()).collect();
            let names = stages.iter().map(|stage| stage.seat.spec.name.clone()).collect();
            let seats = stages.iter().map(|stage| stage.seat.clone()).collect();
            // Objects of the host program have no backend that could be asked.
            let fused = match rack.backend(name) {
                Ok(backend) => backend.fuse(seats)?,
                Err(_) => None,
            };
            let run = fused.unwrap_or_else(|| Box::new(CallByCall::new(stages, self.cancel.clone())));
            self.groups.push(Group { run, first, pins, names });
            first += many;
        }
        Ok(())
    }
}

impl Group {
    /// Has the calls of the last step counted, where whoever ran them did not call as slots are called. Of one that ended
    /// the run nobody knows how long its calls took.
    pub(crate) fn count(&mut self, fed: Option<&Fed>) {
        for (at, (calls, pin)) in self.run.called().into_iter().zip(&self.pins).enumerate() {
            let time = fed.and_then(|fed| fed.counts.get(at)).map_or(Duration::ZERO, |counts| counts.time);
            pin.record(calls.count, calls.errors, time);
        }
    }

    /// Says whose failure it is, as far as that is clear.
    pub(crate) fn blame(&self, why: Error) -> Error {
        if why.code() == Code::Interrupted {
            return why;
        }
        let pin = match (why.slot_name(), self.pins.as_slice()) {
            (Some(name), pins) => {
                let at = self.names.iter().position(|stage| stage == name.as_str());
                at.and_then(|at| pins.get(at))
            }
            (None, [pin]) => Some(pin),
            (None, _) => None,
        };
        match pin {
            Some(pin) => pin.blame(why),
            None => why,
        }
    }
}

/// What is done about errors in the pipeline where no stage decides.
pub(crate) fn on_errors(rack: &Rack, pipeline: &PipelinePlan) -> OnErrors {
    let rack = &rack.plan().errors;
    pipeline.errors.as_ref().map_or_else(|| rack.clone(), |errors| errors.over(rack))
}

/// The slot of a stage.
///
/// # Errors
/// A slot that is not there, or a `use` text that cannot be understood.
pub(crate) fn slot(rack: &Rack, stage: &StagePlan) -> Result<Slot> {
    let slot = match &stage.in_place {
        Some(plan) => rack.declare(plan.clone()),
        None => rack.slot_ref(&stage.slot),
    };
    slot.map_err(|why| placed(why, stage))
}

/// The columns that `schema:` names.
pub(crate) fn schema(columns: &IndexMap<String, ColumnType>) -> SchemaRef {
    let fields: Vec<Field> =
        columns.iter().map(|(name, ty)| Field::new(name, data_type(*ty), true)).collect();
    Arc::new(Schema::new(fields))
}

/// Says where the stage is described, unless a place is known.
pub(crate) fn placed(why: Error, stage: &StagePlan) -> Error {
    match &stage.place {
        Some(place) if why.place_of().is_none() => why.place(place.clone()),
        _ => why,
    }
}
