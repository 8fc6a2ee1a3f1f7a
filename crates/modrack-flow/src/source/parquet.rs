//! Parquet files as a source: read page by page, columns that are not wanted not at all.
//!
//! The columns are those of the first file; the others must have them too, in whatever order, of types that
//! fit without loss.

use std::fs::File;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use modrack_core::plan::FormatOptions;
use modrack_core::{Result, RowPlace};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::guard::guarded;
use super::{BATCH_ROWS, Read, Source};
use crate::error;
use crate::input::{self, InputFile, Meter};

const WHAT: &str = "Parquet";

/// A source of Parquet files.
pub(crate) struct ParquetSource {
    files: std::vec::IntoIter<InputFile>,
    current: Option<ParquetFile>,
    options: FormatOptions,
    schema: SchemaRef,
    meter: Meter,
}

struct ParquetFile {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    shown: Arc<str>,
    row: u64,
    rows: u64,
    bytes: u64,
    /// Bytes that were told to the meter: a file's bytes are shared out among its rows.
    told: u64,
}

impl ParquetSource {
    /// Reads what the first file says of itself.
    ///
    /// # Errors
    /// `M0606` when it is damaged, `M0614` for a column that it lacks.
    pub(crate) fn open(files: Vec<InputFile>, options: &FormatOptions, meter: Meter) -> Result<Self> {
        let mut files = files.into_iter();
        let current = match files.next() {
            Some(file) => Some(ParquetFile::open(input::open_file(&file)?, file.shown, file.bytes, options)?),
            None => None,
        };
        let schema = current.as_ref().map_or_else(|| super::nullable([]), |file| file.schema.clone());
        Ok(Self { files, current, options: options.clone(), schema, meter })
    }

    /// Reads one file that is open already.
    ///
    /// # Errors
    /// As [`ParquetSource::open`].
    pub(crate) fn of_file(file: File, shown: Arc<str>, options: &FormatOptions) -> Result<Self> {
        let current = ParquetFile::open(file, shown, 0, options)?;
        let schema = current.schema.clone();
        Ok(Self {
            files: Vec::new().into_iter(),
            current: Some(current),
            options: options.clone(),
            schema,
            meter: Meter::default(),
        })
    }
}

impl Source for ParquetSource {
    fn schema(&self) -> Option<SchemaRef> {
        Some(self.schema.clone())
    }

    fn read(&mut self) -> Result<Option<Read>> {
        loop {
            if let Some(file) = &mut self.current {
                if let Some(batch) = file.next()? {
                    let rows = batch.num_rows() as u64;
                    let place =
                        RowPlace { source: file.shown.clone(), first_row: file.row + 1, first_line: None };
                    file.row += rows;
                    let told = file.bytes.checked_mul(file.row).map_or(0, |part| part / file.rows.max(1));
                    self.meter.add(told.saturating_sub(file.told));
                    file.told = file.told.max(told);
                    return super::to_schema(batch, &self.schema, place).map(Some);
                }
                self.meter.add(file.bytes - file.told.min(file.bytes));
                self.current = None;
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            let opened = input::open_file(&file)?;
            self.current = Some(ParquetFile::open(opened, file.shown, file.bytes, &self.options)?);
        }
    }
}

impl ParquetFile {
    fn open(file: File, shown: Arc<str>, bytes: u64, options: &FormatOptions) -> Result<Self> {
        if file.metadata().is_ok_and(|meta| meta.len() == 0) {
            return Err(error::bad_file(&shown, WHAT, "it is empty"));
        }
        let mut builder = guarded(&shown, WHAT, || ParquetRecordBatchReaderBuilder::try_new(file))?;
        let mut schema = builder.schema().clone();
        let mut order = None;
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let wanted = super::projection(&names, options, &shown)?;
        if options.columns.is_some() {
            let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
            builder = builder.with_projection(mask);
            order = Some(wanted);
        }
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        if let Some(order) = order {
            let fields: Vec<_> = order.iter().map(|&at| schema.fields()[at].clone()).collect();
            schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        }
        let batch_rows = options.batch_rows.unwrap_or(BATCH_ROWS);
        let reader = guarded(&shown, WHAT, || builder.with_batch_size(batch_rows).build())?;
        Ok(Self { reader, schema, shown, row: 0, rows, bytes, told: 0 })
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let batch = guarded(&self.shown, WHAT, || self.reader.next().transpose())?;
        batch.map(|batch| in_order(&batch, &self.schema)).transpose()
    }
}

/// The columns in the order of `schema`, which has the same ones.
fn in_order(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let places: Result<Vec<usize>, _> =
        schema.fields().iter().map(|field| batch.schema_ref().index_of(field.name())).collect();
    places.and_then(|places| batch.project(&places)).map_err(|why| error::arrow("ordering columns", &why))
}
