//! Neighbouring Python stages of a pipeline, run as one under one hold of the interpreter.
//!
//! Rows go from stage to stage as the objects they are; they become Arrow batches only where a stage takes
//! batches, and at the end. The interpreter is let go of between two batches. What happens to a row that fails
//! is decided by the stage in which it failed.

mod copy;
mod error;
mod flow;
mod gather;
mod give;
mod node;
mod pack;
mod packages;
mod results;
mod seat;
mod step;
mod takes;

use arrow_array::RecordBatch;
use modrack_core::{Fed, Result, RowPlace, StageCalls, StageRun, StageSeat};
use pyo3::prelude::*;

use crate::instance::PythonInstance;
use flow::{Flow, Numbers, Origin};
use node::Node;
use seat::Seat;
use step::Step;

/// Prepares neighbouring stages to be run as one; none when one of them is not a Python module.
///
/// # Errors
/// A stage whose function is not there, or whose kind contradicts what the pipeline asks.
pub(crate) fn fuse(py: Python<'_>, seats: Vec<StageSeat>) -> Result<Option<Box<dyn StageRun>>> {
    let mut nodes = Vec::with_capacity(seats.len());
    for (index, seat) in seats.iter().enumerate() {
        let Some(instance) = seat.instance.as_any().downcast_ref::<PythonInstance>() else {
            return Ok(None);
        };
        // An instance that fills several stages has ended when the last of them has.
        let is_last =
            seats[index + 1..].iter().all(|other| !std::ptr::addr_eq(&*other.instance, &*seat.instance));
        nodes.push(Node::new(Seat::new(py, index, instance, seat, is_last)?));
    }
    Ok(Some(Box::new(Fused { nodes, schema: None, gave: false })))
}

/// Stages that run as one.
struct Fused {
    nodes: Vec<Node>,
    /// The columns that came in.
    schema: Option<arrow_schema::SchemaRef>,
    /// Whether anything came out.
    gave: bool,
}

impl StageRun for Fused {
    fn feed(&mut self, batch: RecordBatch, place: RowPlace) -> Result<Fed> {
        self.schema = Some(batch.schema());
        Python::attach(|py| {
            let mut step = Step::begin(py, self.nodes.len());
            let origin = Origin::read(place, batch.schema());
            node::push(&mut self.nodes, &mut step, Flow::Batch(origin, batch, Numbers::From(0)))?;
            node::flush(&mut self.nodes, &mut step)?;
            let fed = step.end();
            self.gave |= !fed.batches.is_empty();
            Ok(fed)
        })
    }

    fn finish(&mut self) -> Result<Fed> {
        Python::attach(|py| {
            let mut step = Step::begin(py, self.nodes.len());
            node::finish(&mut self.nodes, &mut step, self.schema.as_ref())?;
            let mut fed = step.end();
            // A sink needs columns even when there are no rows.
            if !self.gave && fed.batches.is_empty() {
                let known = self.nodes.iter().rev().find_map(Node::schema).or_else(|| self.schema.clone());
                fed.batches.extend(known.map(RecordBatch::new_empty));
            }
            self.gave = true;
            Ok(fed)
        })
    }

    fn called(&mut self) -> Vec<StageCalls> {
        self.nodes.iter().map(|node| node.seat.called()).collect()
    }

    fn keeps(&self) -> bool {
        self.nodes.iter().any(Node::keeps)
    }
}
