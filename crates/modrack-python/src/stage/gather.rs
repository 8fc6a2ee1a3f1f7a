//! Stages that take the whole input, or `batch: N` rows of it: what comes is held until it is enough.
//!
//! Batches are held as batches; rows that come as objects are held as objects only for a stage that takes
//! them as such.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use modrack_core::{Code, Error, Result, Takes};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::flow::{Before, Flow, Numbers, Origin, Row};
use super::give::{Given, give};
use super::node::{Node, Out, failed_together, push};
use super::results::{self, Fault};
use super::seat::Seat;
use super::step::Step;
use super::{copy, error, packages};
use crate::arrow::{RowReader, column_values, write_column};

/// What has come and was not used yet.
#[derive(Default)]
pub(super) struct Gather {
    held: Vec<Held>,
    rows: usize,
}

type Batch = (Arc<Origin>, RecordBatch, Numbers);

enum Held {
    Batch(Batch),
    Rows(Arc<Origin>, Vec<(Py<PyDict>, u64)>),
}

impl Gather {
    /// Holds what comes, and runs the stage whenever it is enough.
    pub(super) fn take<'py>(
        &mut self,
        seat: &Seat,
        out: &mut Out,
        rest: &mut [Node],
        step: &mut Step<'py>,
        flow: Flow<'py>,
    ) -> Result<()> {
        match flow {
            Flow::Batch(origin, batch, numbers) if batch.num_rows() > 0 => {
                if seat.takes == Takes::Column {
                    column_index(seat, &batch.schema())?;
                }
                self.rows += batch.num_rows();
                self.held.push(Held::Batch((origin, batch, numbers)));
            }
            Flow::Batch(..) => {}
            Flow::Rows(origin, rows) => {
                self.rows += rows.len();
                let rows = rows.into_iter().map(|row| (row.object.unbind(), row.number)).collect();
                self.held.push(Held::Rows(origin, rows));
            }
        }
        while let Some(wanted) = seat.spec.batch.filter(|wanted| (1..=self.rows).contains(wanted)) {
            let held = self.cut(wanted);
            run(seat, out, rest, step, held)?;
        }
        Ok(())
    }

    /// Runs the stage with what is left.
    pub(super) fn finish(
        &mut self,
        seat: &Seat,
        out: &mut Out,
        rest: &mut [Node],
        step: &mut Step<'_>,
    ) -> Result<()> {
        self.rows = 0;
        match std::mem::take(&mut self.held) {
            nothing if nothing.is_empty() => Ok(()),
            held => run(seat, out, rest, step, held),
        }
    }

    /// Takes the first `wanted` rows, of which there are at least as many.
    fn cut(&mut self, wanted: usize) -> Vec<Held> {
        let mut taken = Vec::new();
        let mut missing = wanted;
        let mut held = std::mem::take(&mut self.held).into_iter();
        while missing > 0 {
            let Some(next) = held.next() else { break };
            let len = next.len();
            if len <= missing {
                missing -= len;
                taken.push(next);
                continue;
            }
            let (first, second) = next.split(missing);
            taken.push(first);
            self.held.push(second);
            missing = 0;
        }
        self.held.extend(held);
        self.rows -= wanted - missing;
        taken
    }
}

impl Held {
    fn len(&self) -> usize {
        match self {
            Self::Batch((_, batch, _)) => batch.num_rows(),
            Self::Rows(_, rows) => rows.len(),
        }
    }

    fn split(self, at: usize) -> (Self, Self) {
        match self {
            Self::Batch((origin, batch, numbers)) => {
                let left = batch.num_rows() - at;
                let first = (Arc::clone(&origin), batch.slice(0, at), numbers.slice(0, at));
                (Self::Batch(first), Self::Batch((origin, batch.slice(at, left), numbers.slice(at, left))))
            }
            Self::Rows(origin, mut rows) => {
                let second = rows.split_off(at);
                (Self::Rows(Arc::clone(&origin), rows), Self::Rows(origin, second))
            }
        }
    }
}

fn run<'py>(
    seat: &Seat,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'py>,
    held: Vec<Held>,
) -> Result<()> {
    if seat.takes == Takes::Rows {
        return run_rows(seat, out, rest, step, held);
    }
    let batches: Vec<Batch> = held
        .into_iter()
        .filter_map(|held| match held {
            Held::Batch(batch) => Some(batch),
            // Rows are packed before they come to a stage that takes tables.
            Held::Rows(..) => None,
        })
        .collect();
    let Some((origin, first, _)) = batches.first() else { return Ok(()) };
    if seat.takes == Takes::Column {
        return run_column(seat, out, rest, step, batches);
    }
    let schema = first.schema();
    let whole = || batches.iter().map(|(_, batch, _)| batch.clone()).collect();
    let py = step.py;
    let given = match seat.takes {
        Takes::Pandas => packages::pandas(py, seat, schema.clone(), whole())?,
        Takes::Polars => packages::polars(py, seat, schema.clone(), whole())?,
        _ => {
            let form = packages::settle(py, seat, "a table")?;
            packages::table(py, form, schema.clone(), whole())
        }
    };
    let made = out.made(seat, origin.schema.clone().or(Some(schema)));
    let numbers = Numbers::From(out.count());
    let mut time = seat.time();
    let done = match given.and_then(|given| seat.call(&given, &mut time)) {
        Ok(result) => {
            let given = Given { result, time, origin: made, numbers, whole: seat.goes_on };
            give(seat, out, rest, step, given)
        }
        Err(raised) => Err(Fault::Raised(raised)),
    };
    done.or_else(|fault| failed_together(seat, step, &batches, fault))
}

/// Runs a stage that takes a list of rows.
fn run_rows<'py>(
    seat: &Seat,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'py>,
    held: Vec<Held>,
) -> Result<()> {
    let py = step.py;
    let raised = |raised: PyErr| seat.named(crate::failure::error_from_pyerr(py, &raised));
    let list = PyList::empty(py);
    // What may have to be rejected is kept; everything else is let go of as soon as it is in the list.
    let mut kept: Vec<Batch> = Vec::new();
    let mut objects: Vec<(Arc<Origin>, Vec<Row<'py>>)> = Vec::new();
    let mut schema = None;
    let mut places = 0;
    for held in held {
        match held {
            Held::Batch((origin, batch, numbers)) => {
                schema = Some(batch.schema());
                append_rows(seat, step, &list, &origin, &batch, &numbers)?;
                match seat.quarantines {
                    true => kept.push((origin, batch, numbers)),
                    false => places += batch.num_rows(),
                }
            }
            Held::Rows(origin, rows) => {
                schema = schema.or_else(|| origin.schema.clone());
                let mut own = Vec::new();
                for (object, number) in rows {
                    let object = object.into_bound(py);
                    list.append(&object).map_err(raised)?;
                    let before = match seat.quarantines {
                        true => Before::Copy(copy::whole(&object).map_err(raised)?.unbind()),
                        false => Before::Lost,
                    };
                    own.push(Row { object, number, before });
                }
                objects.push((origin, own));
            }
        }
    }
    let made = out.made(seat, schema);
    let numbers = Numbers::From(out.count());
    let mut time = seat.time();
    let called = seat.call(list.as_any(), &mut time);
    drop(list);
    let done = match called {
        Ok(result) => {
            let given = Given { result, time, origin: made, numbers, whole: seat.goes_on };
            give(seat, out, rest, step, given)
        }
        Err(raised) => Err(Fault::Raised(raised)),
    };
    let error = match done {
        Ok(()) => return Ok(()),
        Err(Fault::Ended(error)) => return Err(error),
        Err(Fault::Wrong(error)) => error,
        Err(Fault::Raised(raised)) => seat.failed(py, &raised),
    };
    seat.noted(&error);
    if places > 0 {
        step.failed_unkept(seat, places as u64, &error)?;
    }
    if !kept.is_empty() {
        step.failed_together(seat, &kept, &error)?;
    }
    for (origin, rows) in objects {
        for row in rows {
            step.failed(seat, &origin, row.number, &row.before, error.clone())?;
        }
    }
    Ok(())
}

/// Appends the rows of a batch to a list; those that Python cannot hold are decided about.
fn append_rows(
    seat: &Seat,
    step: &mut Step<'_>,
    list: &Bound<'_, PyList>,
    origin: &Arc<Origin>,
    batch: &RecordBatch,
    numbers: &Numbers,
) -> Result<()> {
    let py = step.py;
    let raised = |raised: PyErr| seat.named(crate::failure::error_from_pyerr(py, &raised));
    let reader = RowReader::new(py, batch.schema()).map_err(raised)?;
    let mut reading = reader.batch(py, batch).map_err(|error| seat.named(error))?;
    let mut rows = Vec::new();
    loop {
        let (first, unreadable) = reading.next(py, &mut rows).map_err(raised)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (at, row) in rows.drain(..).enumerate() {
            let at = first + at;
            match unreadable.iter().find(|row| row.at == at) {
                None => list.append(row).map_err(raised)?,
                Some(row) => {
                    let before = Before::At(Arc::new(batch.clone()), at);
                    step.failed(seat, origin, numbers.get(at), &before, row.error.clone())?;
                }
            }
        }
    }
}

/// Runs a stage that takes the values of a column: everything else of the rows stays as it is.
fn run_column(
    seat: &Seat,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'_>,
    batches: Vec<Batch>,
) -> Result<()> {
    let py = step.py;
    let Some(schema) = batches.first().map(|(_, batch, _)| batch.schema()) else { return Ok(()) };
    let index = column_index(seat, &schema)?;
    let name = schema.field(index).name().clone();
    let taken = PyList::empty(py);
    for (_, batch, _) in &batches {
        column_values(py, &taken, &name, batch, index).map_err(|error| seat.named(error))?;
    }
    let mut time = seat.time();
    let called = match seat.call(taken.as_any(), &mut time) {
        Ok(result) => results::values(seat, &name, result, &mut time),
        Err(raised) => Err(Fault::Raised(raised)),
    };
    let rows: usize = batches.iter().map(|(_, batch, _)| batch.num_rows()).sum();
    let called = called.and_then(|values| match values.len() {
        len if len == rows => Ok(values),
        len => Err(Fault::Wrong(error::not_as_many(seat.function(), &name, rows, len))),
    });
    let values = match called {
        Ok(values) => values,
        Err(fault) => return failed_together(seat, step, &batches, fault),
    };
    let wanted = out.column_type(&name);
    let (column, misfits) = write_column(&values, &name, wanted.as_ref(), schema.field(index).data_type())
        .map_err(|error| seat.named(error))?;
    let mut misfits = misfits.into_iter().peekable();
    let schema = with_column(&schema, index, column.data_type());
    let mut at = 0;
    for (origin, batch, numbers) in batches {
        let len = batch.num_rows();
        let mut columns = batch.columns().to_vec();
        columns[index] = column.slice(at, len);
        let mut fits = vec![true; len];
        while let Some((bad, misfit)) = misfits.next_if(|(bad, _)| *bad < at + len) {
            let number = numbers.get(bad - at);
            fits[bad - at] = false;
            let before = Before::At(Arc::new(batch.clone()), bad - at);
            let error = misfit.into_error(origin.place(number).unwrap_or_default());
            step.failed(seat, &origin, number, &before, error)?;
        }
        at += len;
        let changed = RecordBatch::try_new(schema.clone(), columns).map_err(|e| internal(&e))?;
        let (changed, numbers) = match fits.iter().all(|fits| *fits) {
            true => (changed, numbers),
            false => {
                let left = (0..len).filter(|at| fits[*at]).map(|at| numbers.get(at)).collect();
                let fits = BooleanArray::from(fits);
                let left_rows = arrow_select::filter::filter_record_batch(&changed, &fits);
                (left_rows.map_err(|e| internal(&e))?, Numbers::Each(left))
            }
        };
        let changed = out.fit(changed).map_err(|error| seat.named(error))?;
        step.counts(seat).rows_out += changed.num_rows() as u64;
        push(rest, step, Flow::Batch(origin.with_schema(changed.schema()), changed, numbers))?;
    }
    Ok(())
}

/// The schema with another type for one column.
fn with_column(schema: &SchemaRef, index: usize, data_type: &arrow_schema::DataType) -> SchemaRef {
    let fields = schema.fields().iter().enumerate().map(|(at, field)| match at == index {
        true => Field::new(field.name(), data_type.clone(), true),
        false => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn column_index(seat: &Seat, schema: &SchemaRef) -> Result<usize> {
    let name = seat.spec.column.as_deref().unwrap_or_default();
    schema.index_of(name).map_err(|_| {
        let has: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        seat.named(error::no_column(&seat.spec.name, name, &has))
    })
}

fn internal(error: &arrow_schema::ArrowError) -> Error {
    Error::new(Code::Internal, format!("A column could not be put back: {error}"))
}
