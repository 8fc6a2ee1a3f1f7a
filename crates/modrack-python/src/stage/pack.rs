//! Rows that leave the last of some row stages, packed into batches of one schema.
//!
//! The schema is that of `schema:`, else the one that the first batch of rows has: until that has come whole,
//! rows wait.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use modrack_core::Result;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::flow::{Before, Flow, Numbers, Origin, Row};
use super::seat::Seat;
use super::step::Step;
use crate::arrow::{Misfit, RowWriter};

/// So many rows are a first batch, even if more of them come in one step.
const FIRST: usize = 16_384;
/// After so many rows it is seen whether a batch is full.
const LOOK: usize = 64;

/// Packs the rows of one stage.
pub(super) struct Packer {
    said: Option<SchemaRef>,
    writer: Option<RowWriter>,
    /// Where the rows in the writer are from, and their numbers there.
    origin: Option<Arc<Origin>>,
    numbers: Vec<u64>,
    waiting: Vec<Waiting>,
}

struct Waiting {
    object: Py<PyDict>,
    number: u64,
    before: Before,
}

impl Packer {
    /// A packer of rows that are to have the columns that were `said`, if any were.
    pub(super) fn new(said: Option<SchemaRef>) -> Self {
        Self { said, writer: None, origin: None, numbers: Vec::new(), waiting: Vec::new() }
    }

    /// The columns, once they are known.
    pub(super) fn schema(&self) -> Option<SchemaRef> {
        self.said.clone().or_else(|| self.writer.as_ref().map(|writer| writer.schema().clone()))
    }

    /// Adds rows, and gives the batches that became full.
    ///
    /// # Errors
    /// A row that does not fit, where that ends the run.
    pub(super) fn add<'py>(
        &mut self,
        seat: &Seat,
        step: &mut Step<'py>,
        origin: &Arc<Origin>,
        rows: Vec<Row<'py>>,
    ) -> Result<Vec<Flow<'py>>> {
        let mut full = Vec::new();
        if self.origin.as_ref().is_some_and(|own| !Arc::ptr_eq(own, origin)) {
            full.extend(self.flush(seat, step)?);
        }
        self.origin = Some(Arc::clone(origin));
        if self.writer.is_none() && self.said.is_none() {
            self.waiting.extend(rows.into_iter().map(|row| Waiting {
                object: row.object.unbind(),
                number: row.number,
                before: row.before,
            }));
            if self.waiting.len() >= FIRST {
                full.extend(self.flush(seat, step)?);
            }
            return Ok(full);
        }
        let py = step.py;
        for row in rows {
            let mut pushed = self.writer(py)?.push(&row.object);
            if pushed.is_err() {
                // A column that had no value so far takes the type of the first; what waits goes out without.
                if let Some(settled) = self.writer(py)?.settled_by(&row.object)? {
                    full.extend(self.flush(seat, step)?);
                    pushed = self.writer.insert(settled).push(&row.object);
                }
            }
            match pushed {
                Ok(()) => {
                    self.numbers.push(row.number);
                    step.counts(seat).rows_out += 1;
                    if self.numbers.len().is_multiple_of(LOOK) && self.writer(py)?.is_full() {
                        full.extend(self.flush(seat, step)?);
                    }
                }
                Err(misfit) => reject(seat, step, origin, row.number, row.before, &row.object, misfit)?,
            }
        }
        Ok(full)
    }

    /// Gives the rows that are there as a batch.
    ///
    /// # Errors
    /// A row that does not fit, where that ends the run.
    pub(super) fn flush<'py>(&mut self, seat: &Seat, step: &mut Step<'py>) -> Result<Option<Flow<'py>>> {
        if !self.waiting.is_empty() {
            self.begin(seat, step)?;
        }
        let (Some(writer), Some(origin)) = (&mut self.writer, &self.origin) else { return Ok(None) };
        if writer.len() == 0 {
            return Ok(None);
        }
        let batch: RecordBatch = writer.finish().map_err(|error| seat.named(error))?;
        let origin = origin.with_schema(batch.schema());
        Ok(Some(Flow::Batch(origin, batch, Numbers::Each(std::mem::take(&mut self.numbers)))))
    }

    /// Settles the columns by the rows that wait.
    fn begin(&mut self, seat: &Seat, step: &mut Step<'_>) -> Result<()> {
        let py = step.py;
        let waiting = std::mem::take(&mut self.waiting);
        let origin = self.origin.clone().unwrap_or_else(|| Origin::made(&seat.spec.name, None));
        let objects: Vec<_> = waiting.iter().map(|row| row.object.bind(py).clone()).collect();
        let (writer, mut misfits) = RowWriter::begin(py, &objects, origin.schema.as_deref())?;
        self.writer = Some(writer);
        for (at, row) in waiting.into_iter().enumerate() {
            match misfits.remove(&at) {
                None => {
                    self.numbers.push(row.number);
                    step.counts(seat).rows_out += 1;
                }
                Some(misfit) => reject(seat, step, &origin, row.number, row.before, &objects[at], misfit)?,
            }
        }
        Ok(())
    }

    fn writer(&mut self, py: Python<'_>) -> Result<&mut RowWriter> {
        if self.writer.is_none()
            && let Some(said) = &self.said
        {
            self.writer = Some(RowWriter::new(py, said.clone())?);
        }
        self.writer.as_mut().ok_or_else(|| {
            modrack_core::Error::new(
                modrack_core::Code::Internal,
                "Rows were written before their columns were known",
            )
        })
    }
}

fn reject<'py>(
    seat: &Seat,
    step: &mut Step<'py>,
    origin: &Origin,
    number: u64,
    before: Before,
    object: &Bound<'py, PyDict>,
    misfit: Misfit,
) -> Result<()> {
    let error = misfit.into_error(origin.place(number).unwrap_or_default());
    // A row that a stage made of nothing, at its end, is kept as it was to go out.
    let before = if matches!(before, Before::Lost) { Before::Copy(object.clone().unbind()) } else { before };
    step.failed(seat, origin, number, &before, error)
}
