//! A stage in the line of stages: takes what comes, and gives what its function makes of it to the next.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use modrack_core::{Result, Takes};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::copy;
use super::flow::{Before, Flow, Numbers, Origin, Row};
use super::gather::Gather;
use super::give::{Given, give, give_of_batch, give_rows};
use super::pack::Packer;
use super::packages;
use super::results::{self, Fault};
use super::seat::Seat;
use super::step::Step;
use super::takes::Form;
use crate::arrow::{Imported, RowReader, fit, settled_by};

/// So many rows that one row became are handed on before more are made.
pub(super) const MANY: usize = 1024;

/// A stage in the line.
pub(super) struct Node {
    pub(super) seat: Arc<Seat>,
    does: Does,
    pub(super) out: Out,
}

/// What a stage does with what comes.
enum Does {
    Rows(Option<RowReader>),
    Batches(Option<Form>),
    Gathers(Gather),
}

/// What a stage keeps of what it gave.
pub(super) struct Out {
    pub(super) pack: Packer,
    /// The columns of the batches it gave, or is to give.
    schema: Option<SchemaRef>,
    /// Where rows are from that the stage made of many, and how many there were.
    made: Option<Arc<Origin>>,
    count: u64,
}

impl Node {
    /// A stage that nothing has come to yet.
    pub(super) fn new(seat: Seat) -> Self {
        let does = match seat.takes {
            Takes::Row => Does::Rows(None),
            Takes::Batch => Does::Batches(None),
            Takes::Column | Takes::Rows | Takes::Table | Takes::Pandas | Takes::Polars => {
                Does::Gathers(Gather::default())
            }
        };
        let said = seat.spec.schema.clone();
        let out = Out { pack: Packer::new(said.clone()), schema: said, made: None, count: 0 };
        Self { seat: Arc::new(seat), does, out }
    }

    /// Whether something of the input is kept until the end.
    pub(super) fn keeps(&self) -> bool {
        self.seat.has_finish() || matches!(self.does, Does::Gathers(_))
    }

    /// Whether rows are better handed on as objects.
    pub(super) fn takes_rows(&self) -> bool {
        matches!(self.seat.takes, Takes::Row | Takes::Rows)
    }

    /// The columns it gives, once they are known.
    pub(super) fn schema(&self) -> Option<SchemaRef> {
        self.out.schema.clone().or_else(|| self.out.pack.schema())
    }

    fn take<'py>(&mut self, rest: &mut [Self], step: &mut Step<'py>, flow: Flow<'py>) -> Result<()> {
        let Self { seat, does, out } = self;
        step.counts(seat).rows_in += flow.len() as u64;
        match does {
            Does::Rows(reader) => match flow {
                Flow::Batch(origin, batch, numbers) => {
                    take_rows_of(seat, reader, out, rest, step, &origin, batch, &numbers)
                }
                Flow::Rows(origin, rows) => take_rows(seat, out, rest, step, &origin, rows),
            },
            Does::Batches(form) => match flow {
                Flow::Batch(origin, batch, numbers) => {
                    take_batch(seat, form, out, rest, step, (origin, batch, numbers))
                }
                // Rows are packed before they come to a stage that takes batches.
                Flow::Rows(..) => Ok(()),
            },
            Does::Gathers(gather) => gather.take(seat, out, rest, step, flow),
        }
    }

    fn finish<'py>(
        &mut self,
        rest: &mut [Self],
        step: &mut Step<'py>,
        input: Option<&SchemaRef>,
    ) -> Result<()> {
        let Self { seat, does, out } = self;
        if let Does::Gathers(gather) = does {
            gather.finish(seat, out, rest, step)?;
        }
        let mut time = seat.time();
        let Some(result) = seat.finish(step.py, &mut time) else { return Ok(()) };
        let result = result.map_err(|raised| seat.finish_failed(step.py, &raised))?;
        let origin = out.made(seat, input.cloned());
        let given = Given { result, time, origin, numbers: Numbers::From(out.count), whole: false };
        let given = give(seat, out, rest, step, given);
        given.map_err(|fault| match fault {
            Fault::Raised(raised) => seat.finish_failed(step.py, &raised),
            Fault::Wrong(error) | Fault::Ended(error) => seat.named(error),
        })
    }
}

impl Flow<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Rows(_, rows) => rows.len(),
            Self::Batch(_, batch, _) => batch.num_rows(),
        }
    }
}

impl Out {
    /// Where rows are from that the stage makes of many.
    pub(super) fn made(&mut self, seat: &Seat, schema: Option<SchemaRef>) -> Arc<Origin> {
        Arc::clone(self.made.get_or_insert_with(|| Origin::made(&seat.spec.name, schema)))
    }

    /// How many rows the stage made of many.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Counts rows that it made of many.
    pub(super) fn gave(&mut self, rows: usize) {
        self.count += rows as u64;
    }

    /// The columns that are settled so far.
    pub(super) fn columns(&self) -> Option<SchemaRef> {
        self.schema.clone()
    }

    /// Goes back to the columns that were settled before.
    pub(super) fn go_back(&mut self, columns: Option<SchemaRef>) {
        self.schema = columns;
    }

    /// The type of a column it gives, once that is known.
    pub(super) fn column_type(&self, name: &str) -> Option<arrow_schema::DataType> {
        let schema = self.schema.as_ref()?;
        schema.field_with_name(name).ok().map(|field| field.data_type().clone())
    }

    /// The batches of a table with the columns of those before it.
    pub(super) fn fitted(&mut self, table: Imported) -> Result<Vec<RecordBatch>> {
        let Imported { schema, batches } = table;
        if batches.is_empty() && self.schema.is_none() {
            self.schema = Some(schema);
        }
        batches.into_iter().map(|batch| self.fit(batch)).collect()
    }

    /// Makes a batch have the columns of those before it, and settles them with the first.
    pub(super) fn fit(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        match &self.schema {
            Some(schema) => {
                // A column that had no value so far takes the first type that it is given.
                let schema = settled_by(schema, &batch);
                let batch = fit(batch, &schema)?;
                self.schema = Some(schema);
                Ok(batch)
            }
            None => {
                self.schema = Some(batch.schema());
                Ok(batch)
            }
        }
    }
}

/// Gives something to the first of `nodes`; behind the last it has come out.
pub(super) fn push<'py>(nodes: &mut [Node], step: &mut Step<'py>, flow: Flow<'py>) -> Result<()> {
    let Some((node, rest)) = nodes.split_first_mut() else {
        if let Flow::Batch(_, batch, _) = flow {
            step.fed.batches.push(batch);
        }
        return Ok(());
    };
    let ran = step.time(node.seat.index);
    let taken = node.take(rest, step, flow);
    step.time(ran);
    taken
}

/// Lets every stage give the rows that wait to become a batch.
pub(super) fn flush(nodes: &mut [Node], step: &mut Step<'_>) -> Result<()> {
    for at in 0..nodes.len() {
        let (done, rest) = nodes.split_at_mut(at + 1);
        let node = &mut done[at];
        let ran = step.time(node.seat.index);
        if let Some(flow) = node.out.pack.flush(&node.seat, step)? {
            push(rest, step, flow)?;
        }
        step.time(ran);
    }
    Ok(())
}

/// Ends every stage, the first one first: its rest goes through those that follow.
pub(super) fn finish(nodes: &mut [Node], step: &mut Step<'_>, input: Option<&SchemaRef>) -> Result<()> {
    for at in 0..nodes.len() {
        let (done, rest) = nodes.split_at_mut(at + 1);
        let node = &mut done[at];
        let ran = step.time(node.seat.index);
        node.finish(rest, step, input)?;
        if let Some(flow) = node.out.pack.flush(&node.seat, step)? {
            push(rest, step, flow)?;
        }
        step.time(ran);
    }
    Ok(())
}

/// Takes the rows of a batch one by one.
#[expect(clippy::too_many_arguments, reason = "the parts of a stage are borrowed one by one")]
fn take_rows_of<'py>(
    seat: &Seat,
    reader: &mut Option<RowReader>,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'py>,
    origin: &Arc<Origin>,
    batch: RecordBatch,
    numbers: &Numbers,
) -> Result<()> {
    let py = step.py;
    let raised = |raised: PyErr| seat.named(crate::failure::error_from_pyerr(py, &raised));
    let origin = origin.with_schema(batch.schema());
    if !reader.as_ref().is_some_and(|reader| reader.reads(batch.schema_ref())) {
        *reader = Some(RowReader::new(py, batch.schema()).map_err(raised)?);
    }
    let Some(reader) = reader else { return Ok(()) };
    let batch = Arc::new(batch);
    let mut reading = reader.batch(py, &batch).map_err(|error| seat.named(error))?;
    let mut rows = Vec::new();
    let mut given = Vec::new();
    loop {
        let (first, unreadable) = reading.next(py, &mut rows).map_err(raised)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (at, row) in rows.drain(..).enumerate() {
            let at = first + at;
            let number = numbers.get(at);
            if let Some(row) = unreadable.iter().find(|row| row.at == at) {
                let before = Before::At(Arc::clone(&batch), at);
                step.failed(seat, &origin, number, &before, row.error.clone())?;
                continue;
            }
            let before = match seat.quarantines {
                true => Before::At(Arc::clone(&batch), at),
                false => Before::Lost,
            };
            take_row(seat, out, rest, step, &origin, Row { object: row, number, before }, &mut given)?;
        }
        give_rows(seat, out, rest, step, &origin, std::mem::take(&mut given))?;
    }
}

/// Takes rows that come as objects.
fn take_rows<'py>(
    seat: &Seat,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'py>,
    origin: &Arc<Origin>,
    rows: Vec<Row<'py>>,
) -> Result<()> {
    let py = step.py;
    let mut given = Vec::with_capacity(rows.len());
    for mut row in rows {
        // The function may change the row before it fails.
        row.before = match seat.quarantines {
            true => {
                let copy = copy::whole(&row.object);
                Before::Copy(copy.map_err(|e| crate::failure::error_from_pyerr(py, &e))?.unbind())
            }
            false => Before::Lost,
        };
        take_row(seat, out, rest, step, origin, row, &mut given)?;
    }
    give_rows(seat, out, rest, step, origin, given)
}

/// Calls the function with a row; what it gives is added to `given`.
fn take_row<'py>(
    seat: &Seat,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'py>,
    origin: &Arc<Origin>,
    row: Row<'py>,
    given: &mut Vec<Row<'py>>,
) -> Result<()> {
    let py = step.py;
    let Row { object, number, before } = row;
    let mut time = seat.time();
    let called = match seat.call(object.as_any(), &mut time) {
        Ok(result) => results::of_row(seat, &object, result, &mut time, &mut |made: Bound<'py, PyDict>| {
            given.push(Row { object: made, number, before: before.again(py) });
            if given.len() >= MANY {
                give_rows(seat, out, rest, step, origin, std::mem::take(given))?;
            }
            Ok(())
        }),
        Err(raised) => Err(Fault::Raised(raised)),
    };
    match called {
        Ok(()) => Ok(()),
        Err(Fault::Raised(raised)) => step.raised(seat, origin, number, &before, &raised),
        Err(Fault::Wrong(error)) => {
            seat.noted(&error);
            step.failed(seat, origin, number, &before, error)
        }
        Err(Fault::Ended(error)) => Err(error),
    }
}

/// Calls the function with a batch.
fn take_batch<'py>(
    seat: &Seat,
    form: &mut Option<Form>,
    out: &mut Out,
    rest: &mut [Node],
    step: &mut Step<'py>,
    taken: (Arc<Origin>, RecordBatch, Numbers),
) -> Result<()> {
    let (origin, batch, numbers) = &taken;
    if batch.num_rows() == 0 {
        return Ok(());
    }
    let form = match *form {
        Some(form) => form,
        None => *form.insert(packages::settle(step.py, seat, "a record batch")?),
    };
    let mut time = seat.time();
    let called = packages::batch(step.py, form, batch.clone()).and_then(|given| seat.call(&given, &mut time));
    let given = match called {
        Ok(result) => give_of_batch(seat, out, rest, step, (origin, numbers, batch.num_rows()), result, time),
        Err(raised) => Err(Fault::Raised(raised)),
    };
    given.or_else(|fault| failed_together(seat, step, &[taken], fault))
}

/// Decides about batches whose call failed.
pub(super) fn failed_together(
    seat: &Seat,
    step: &mut Step<'_>,
    taken: &[(Arc<Origin>, RecordBatch, Numbers)],
    fault: Fault,
) -> Result<()> {
    let error = match fault {
        Fault::Raised(raised) => seat.failed(step.py, &raised),
        Fault::Wrong(error) => error,
        Fault::Ended(error) => return Err(error),
    };
    seat.noted(&error);
    step.failed_together(seat, taken, &error)
}
