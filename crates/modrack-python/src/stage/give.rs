//! What a stage gave, on its way to the next: rows as they are or packed, tables with the columns of those before.
//!
//! Of what fails as a whole nothing goes out, where the run may go on after it: rows that are put aside are not
//! written as well.

use std::sync::Arc;

use arrow_array::RecordBatch;
use modrack_core::Result;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::flow::{Before, Flow, Numbers, Origin, Row};
use super::node::{MANY, Node, Out, push};
use super::results::{self, Fault, Item};
use super::seat::{Seat, Time};
use super::step::Step;

/// What a function of batches or whole inputs gave, and where it is from.
pub(super) struct Given<'py> {
    pub(super) result: Bound<'py, PyAny>,
    pub(super) time: Time,
    pub(super) origin: Arc<Origin>,
    pub(super) numbers: Numbers,
    /// Whether nothing is handed on before all has come and fits.
    pub(super) whole: bool,
}

/// Hands on what a function made of a batch of `len` rows, as a whole.
pub(super) fn give_of_batch<'py>(
    seat: &Seat,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'py>,
    (origin, numbers, len): (&Arc<Origin>, &Numbers, usize),
    result: Bound<'py, PyAny>,
    mut time: Time,
) -> Result<(), Fault> {
    let parts = collect(seat, out, result, &mut time)?;
    let gave: usize = parts.iter().map(Part::len).sum();
    // What has as many rows is taken for the same rows; of any other nobody knows which it was made of.
    let (origin, numbers) = match gave == len {
        true => (Arc::clone(origin), numbers.clone()),
        false => (origin.blurred(), Numbers::Since(numbers.get(0))),
    };
    let mut at = 0;
    let given =
        parts.into_iter().try_for_each(|part| part.give(seat, out, rest, step, &origin, &numbers, &mut at));
    out.gave(at);
    given.map_err(Fault::Ended)
}

/// Hands on what a function of batches or whole inputs gave.
pub(super) fn give<'py>(
    seat: &Seat,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'py>,
    given: Given<'py>,
) -> Result<(), Fault> {
    let Given { result, mut time, origin, numbers, whole } = given;
    let mut at = 0;
    let taken = if whole {
        let parts = collect(seat, out, result, &mut time)?;
        let mut parts = parts.into_iter();
        parts
            .try_for_each(|part| part.give(seat, out, rest, step, &origin, &numbers, &mut at))
            .map_err(Fault::Ended)
    } else {
        let mut rows = Vec::new();
        let mut misfit = None;
        let mut each = |item: Item<'py>| -> Result<()> {
            match item {
                Item::Row(object) => rows.push(object),
                Item::Table(table) => {
                    Part::Rows(std::mem::take(&mut rows))
                        .give(seat, out, rest, step, &origin, &numbers, &mut at)?;
                    match out.fitted(table) {
                        Ok(batches) => {
                            let part = Part::Batches(batches);
                            part.give(seat, out, rest, step, &origin, &numbers, &mut at)?;
                        }
                        Err(error) => misfit = Some(error),
                    }
                }
            }
            if rows.len() >= MANY {
                let rows = Part::Rows(std::mem::take(&mut rows));
                rows.give(seat, out, rest, step, &origin, &numbers, &mut at)?;
            }
            Ok(())
        };
        let taken = results::of_rows(seat, result, &mut time, &mut each);
        let rows = Part::Rows(rows);
        rows.give(seat, out, rest, step, &origin, &numbers, &mut at).map_err(Fault::Ended)?;
        taken.and(misfit.map_or(Ok(()), |error| Err(Fault::Wrong(error))))
    };
    out.gave(at);
    taken
}

/// All that a function gave. The columns are as they were when any of it does not come or does not fit.
fn collect<'py>(
    seat: &Seat,
    out: &mut Out,
    result: Bound<'py, PyAny>,
    time: &mut Time,
) -> Result<Vec<Part<'py>>, Fault> {
    let before = out.columns();
    let mut parts = Vec::new();
    let mut misfit = None;
    let taken = results::of_rows(seat, result, time, &mut |item| {
        match item {
            Item::Row(object) => match parts.last_mut() {
                Some(Part::Rows(rows)) => rows.push(object),
                _ => parts.push(Part::Rows(vec![object])),
            },
            Item::Table(table) => match out.fitted(table) {
                Ok(batches) => parts.push(Part::Batches(batches)),
                Err(error) => misfit = misfit.take().or(Some(error)),
            },
        }
        Ok(())
    });
    let taken = taken.and(misfit.map_or(Ok(()), |error| Err(Fault::Wrong(error))));
    match taken {
        Ok(()) => Ok(parts),
        Err(fault) => {
            out.go_back(before);
            Err(fault)
        }
    }
}

/// A part of what a function gave.
enum Part<'py> {
    Rows(Vec<Bound<'py, PyDict>>),
    /// Batches that fit.
    Batches(Vec<RecordBatch>),
}

impl<'py> Part<'py> {
    fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Batches(batches) => batches.iter().map(RecordBatch::num_rows).sum(),
        }
    }

    /// Hands it on; `at` counts what has been.
    #[expect(clippy::too_many_arguments, reason = "the parts of a stage are borrowed one by one")]
    fn give(
        self,
        seat: &Seat,
        out: &mut Out,
        rest: &mut [Node],
        step: &mut Step<'py>,
        origin: &Arc<Origin>,
        numbers: &Numbers,
        at: &mut usize,
    ) -> Result<()> {
        match self {
            Self::Rows(objects) => {
                let len = objects.len();
                let mut objects = objects.into_iter().enumerate().peekable();
                while objects.peek().is_some() {
                    let rows = objects.by_ref().take(MANY).map(|(index, object)| Row {
                        object,
                        number: numbers.get(*at + index),
                        before: Before::Lost,
                    });
                    let rows: Vec<_> = rows.collect();
                    give_rows(seat, out, rest, step, origin, rows)?;
                }
                *at += len;
            }
            Self::Batches(batches) => {
                for batch in batches {
                    let len = batch.num_rows();
                    step.counts(seat).rows_out += len as u64;
                    let numbers = numbers.slice(*at, len);
                    *at += len;
                    push(rest, step, Flow::Batch(origin.with_schema(batch.schema()), batch, numbers))?;
                }
            }
        }
        Ok(())
    }
}

/// Hands rows on: as they are to a stage that takes rows, else packed.
pub(super) fn give_rows<'py>(
    seat: &Seat,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'py>,
    origin: &Arc<Origin>,
    rows: Vec<Row<'py>>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    // Columns that were said are held against the rows, whoever takes these.
    if rest.first().is_some_and(Node::takes_rows) && seat.spec.schema.is_none() {
        step.counts(seat).rows_out += rows.len() as u64;
        return push(rest, step, Flow::Rows(Arc::clone(origin), rows));
    }
    for flow in out.pack.add(seat, step, origin, rows)? {
        push(rest, step, flow)?;
    }
    Ok(())
}
