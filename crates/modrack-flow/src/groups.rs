//! The stages of a pipeline, gathered so that neighbours of one backend run as one.
//!
//! The modules are loaded here, before a row is read. Each group keeps what fills its slots for the whole run.

use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use indexmap::IndexMap;
use modrack_core::plan::{ColumnType, PipelinePlan, StagePlan};
use modrack_core::{BackendName, Cancel, Code, Error, OnErrors, Result, StageRun, StageSeat, StageSpec};
use modrack_runtime::{Pin, Rack, Slot};

use crate::source::data_type;
use crate::stage::{CallByCall, Seated};

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

impl Group {
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

/// Loads the modules of all stages and prepares them.
///
/// # Errors
/// What loading fails with; a stage that the backend cannot run as it is described.
pub(crate) fn prepare(rack: &Rack, pipeline: &PipelinePlan, cancel: &Cancel) -> Result<Vec<Group>> {
    let outer = on_errors(rack, pipeline);
    let mut seated: Vec<(BackendName, Seated)> = Vec::with_capacity(pipeline.stages.len());
    for stage in &pipeline.stages {
        let slot = slot(rack, stage)?;
        let pin = slot.pin()?;
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
        seated.push((slot.backend()?, Seated { seat, pin }));
    }
    let mut groups = Vec::new();
    let mut left = seated.into_iter().peekable();
    let mut first = 0;
    while let Some((name, stage)) = left.next() {
        let mut stages = vec![stage];
        // A backend recognises its own instances alone, and runs stages together only where all are such.
        let direct = stages[0].pin.is_direct();
        let alike = |(other, next): &(BackendName, Seated)| *other == name && next.pin.is_direct() == direct;
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
        let run = fused.unwrap_or_else(|| Box::new(CallByCall::new(stages, cancel.clone())));
        groups.push(Group { run, first, pins, names });
        first += many;
    }
    Ok(groups)
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
