//! The writer's side of a run: the first batch settles the columns, the rest is brought to them.
//!
//! While a column was never seen with a value, a few batches wait for one that has it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use modrack_core::{Cancel, Error, OnError, OnErrors, Place, Rejected, Result, RowPlace};

use crate::quarantine::Quarantine;
use crate::read::{Ended, check_most};
use crate::sink::Sink;
use crate::source::filtered;
use crate::summary::Tally;
use crate::{conform, error};

/// How many batches wait for a column to have a value.
const WAITING: usize = 8;

/// What goes to the writer.
pub(crate) enum Going {
    /// Rows, and where what they were made of was read.
    Rows(RecordBatch, RowPlace),
    /// There is nothing more; the columns if no row came.
    End(SchemaRef),
}

/// What the writer works with.
pub(crate) struct Writer<'a> {
    /// Where rows go.
    pub(crate) sink: Sink,
    /// What is done about rows that do not fit.
    pub(crate) on_errors: &'a OnErrors,
    /// Where rows go that are kept aside.
    pub(crate) quarantine: &'a Quarantine,
    /// Who counts.
    pub(crate) tally: &'a Tally,
    /// How many rows may fail.
    pub(crate) max_errors: Option<u64>,
    /// How it is given up.
    pub(crate) cancel: &'a Cancel,
}

/// What the writer left behind.
#[derive(Default)]
pub(crate) struct Written {
    /// The file that has its name now.
    pub(crate) output: Option<PathBuf>,
    /// The quarantine files.
    pub(crate) quarantines: Vec<PathBuf>,
}

impl Writer<'_> {
    /// Writes until the end, a failure, or until nobody gives more.
    pub(crate) fn run(self, from: &Receiver<Going>) -> (Ended, Written) {
        match self.write_all(from) {
            Ok(Some(written)) => (Ended::Well, written),
            Ok(None) => (Ended::Alone, Written::default()),
            Err(why) => (Ended::Failed(why), Written::default()),
        }
    }

    fn write_all(mut self, from: &Receiver<Going>) -> Result<Option<Written>> {
        let mut columns: Option<SchemaRef> = None;
        let mut waiting: Vec<(RecordBatch, RowPlace)> = Vec::new();
        let last = loop {
            let going = from.recv();
            if self.cancel.is_cancelled() {
                return Err(error::interrupted());
            }
            match going {
                Err(_) => return Ok(None),
                Ok(Going::End(schema)) => break schema,
                Ok(Going::Rows(batch, place)) => match &columns {
                    Some(columns) => self.write(columns, batch, &place)?,
                    None => {
                        waiting.push((batch, place));
                        if let Some(schema) = settled(&waiting, waiting.len() >= WAITING) {
                            columns = Some(self.begin(schema, &mut waiting)?);
                        }
                    }
                },
            }
            if self.sink.reader_left() {
                return Ok(Some(Written { output: None, quarantines: self.quarantine.save()? }));
            }
        };
        let columns = match columns {
            Some(columns) => columns,
            None => {
                let schema = settled(&waiting, true).unwrap_or_else(|| without_null(&last));
                self.begin(schema, &mut waiting)?
            }
        };
        let began = Instant::now();
        let finished = self.sink.finish(&columns);
        if self.sink.reader_left() {
            return Ok(Some(Written { output: None, quarantines: self.quarantine.save()? }));
        }
        finished?;
        let quarantines = self.quarantine.save()?;
        if self.cancel.is_cancelled() {
            return Err(error::interrupted());
        }
        let tally = self.tally;
        let output = self.sink.commit()?;
        Tally::spend(&tally.write_nanos, began.elapsed());
        Ok(Some(Written { output, quarantines }))
    }

    fn begin(&mut self, columns: SchemaRef, waiting: &mut Vec<(RecordBatch, RowPlace)>) -> Result<SchemaRef> {
        for (batch, place) in std::mem::take(waiting) {
            self.write(&columns, batch, &place)?;
        }
        Ok(columns)
    }

    fn write(&mut self, columns: &SchemaRef, batch: RecordBatch, place: &RowPlace) -> Result<()> {
        let batch = self.fitting(columns, batch, place)?;
        let began = Instant::now();
        let written = self.sink.write(columns, &batch);
        Tally::spend(&self.tally.write_nanos, began.elapsed());
        match written {
            // Whoever read the standard output has seen enough: that is no failure.
            Err(_) if self.sink.reader_left() => Ok(()),
            Err(why) => Err(why),
            Ok(()) => {
                Tally::add(&self.tally.rows_out, batch.num_rows() as u64);
                Ok(())
            }
        }
    }

    /// The rows of a batch that fit the columns; what is decided is done about the others.
    fn fitting(&self, columns: &SchemaRef, batch: RecordBatch, place: &RowPlace) -> Result<RecordBatch> {
        if batch.schema_ref().fields() == columns.fields() {
            return Ok(batch);
        }
        let made = conform::conform(&batch, columns)?;
        let mut keep = vec![true; batch.num_rows()];
        for (index, why) in made.misfits {
            keep[index] = false;
            let why = why.place(Place { file: (&*place.source).into(), ..Place::default() });
            self.decide(&batch, index, why, place)?;
        }
        filtered(&made.batch, &keep)
    }

    fn decide(&self, batch: &RecordBatch, index: usize, why: Error, place: &RowPlace) -> Result<()> {
        match self.on_errors.decide(&why) {
            OnError::Stop => return Err(why),
            OnError::Skip => Tally::add(&self.tally.skipped, 1),
            OnError::Quarantine(to) => {
                let rejected = Rejected {
                    stage: 0,
                    rows: Some(batch.slice(index, 1)),
                    shown: None,
                    row: place.first_row + index as u64,
                    source: place.source.clone(),
                    to: to.clone(),
                    error: why.clone(),
                };
                self.quarantine.add_rejected(&rejected, "sink", None)?;
                Tally::add(&self.tally.quarantined, 1);
            }
        }
        let at = Place { file: (&*place.source).into(), ..Place::default() };
        check_most(self.tally, self.max_errors, at, Some(&why))
    }
}

/// The columns that what waits settles: each with the first type that it comes with. None while one has none,
/// unless there is no more waiting; then it is text.
fn settled(waiting: &[(RecordBatch, RowPlace)], now: bool) -> Option<SchemaRef> {
    let (first, _) = waiting.first()?;
    let mut fields: Vec<Arc<Field>> = first.schema_ref().fields().iter().cloned().collect();
    for field in &mut fields {
        let typed = |(batch, _): &(RecordBatch, RowPlace)| {
            let other = batch.schema_ref().field_with_name(field.name()).ok()?;
            (*other.data_type() != DataType::Null).then(|| other.data_type().clone())
        };
        if *field.data_type() != DataType::Null {
            continue;
        }
        match waiting.iter().find_map(typed) {
            Some(ty) => *field = Arc::new(Field::new(field.name(), ty, true)),
            None if now => *field = Arc::new(Field::new(field.name(), DataType::Utf8, true)),
            None => return None,
        }
    }
    Some(Arc::new(Schema::new_with_metadata(fields, first.schema_ref().metadata().clone())))
}

fn without_null(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Null => Field::new(field.name(), DataType::Utf8, true),
            _ => field.as_ref().clone(),
        })
        .collect();
    Arc::new(Schema::new(fields))
}
