//! Where rows come from: one reader for each format, all of them streaming.
//!
//! A reader gives whole batches with the place of their first row, and each row that it cannot read by
//! itself; what is done about such rows is the run's. Nothing here runs stages or writes.

mod arrow;
mod csv;
mod guard;
mod json;
pub(crate) mod jsontext;
mod lines;
mod module;
mod parquet;
mod spool;
mod stdin;
mod text;

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use modrack_core::plan::{ColumnType, Endpoint, Format, FormatOptions, SourcePlan};
use modrack_core::{Cancel, Code, Error, Place, Result, RowPlace};
use modrack_runtime::Rack;

use crate::conform;
use crate::error;
use crate::input::{self, InputFile, Meter, Stream};

pub(crate) use module::ModuleSource;

/// Rows in a batch where the pipeline does not say.
pub(crate) const BATCH_ROWS: usize = 8192;
/// Rows that are looked at to find the columns' types where the pipeline does not say.
pub(crate) const INFER_ROWS: usize = 10_000;
/// How messages name the standard input.
pub(crate) const STDIN: &str = "<stdin>";

/// Rows that were read, in one piece of their source.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The rows.
    pub(crate) batch: RecordBatch,
    /// Where the first of them stood; the others follow it without a gap.
    pub(crate) place: RowPlace,
}

/// A row that could not be read.
#[derive(Debug)]
pub(crate) struct BadRow {
    /// What stood there.
    pub(crate) raw: Raw,
    /// Its number in its source, counted from 1.
    pub(crate) row: u64,
    /// Its line, for text.
    pub(crate) line: Option<u64>,
    /// Its source.
    pub(crate) source: Arc<str>,
    /// Why.
    pub(crate) error: Error,
}

/// What stood where a row could not be read.
#[derive(Debug)]
pub(crate) enum Raw {
    /// Text as it stood there.
    Text(String),
    /// Bytes that are not text.
    Bytes(Vec<u8>),
    /// A row whose columns do not fit.
    Row(RecordBatch),
}

/// What one step of reading gave.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Rows, in order.
    pub(crate) chunks: Vec<Chunk>,
    /// Rows that could not be read, in order.
    pub(crate) bad: Vec<BadRow>,
}

/// A source that was opened.
pub(crate) trait Source: Send {
    /// The columns, where they are known before a row is read.
    fn schema(&self) -> Option<SchemaRef>;

    /// The next rows; none at the end.
    ///
    /// # Errors
    /// What makes the whole source unreadable.
    fn read(&mut self) -> Result<Option<Read>>;
}

/// What a source is opened with.
pub(crate) struct Opening<'a> {
    /// The rack that it belongs to.
    pub(crate) rack: &'a Rack,
    /// What is read.
    pub(crate) plan: &'a SourcePlan,
    /// What the standard input is.
    pub(crate) stdin: Option<Box<dyn std::io::Read + Send>>,
    /// Who counts the bytes.
    pub(crate) meter: Meter,
    /// How waiting for input is given up.
    pub(crate) cancel: Cancel,
}

/// Lists the files of a source; none for a source that is no file.
///
/// # Errors
/// `M0601` and `M0602`, as [`input::list`].
pub(crate) fn list(rack: &Rack, plan: &SourcePlan) -> Result<Vec<InputFile>> {
    match &plan.from {
        Endpoint::Files(_, patterns) => input::list(&rack.plan().root, patterns, plan.place.as_ref()),
        Endpoint::Standard(_) | Endpoint::Slot(..) => Ok(Vec::new()),
    }
}

/// Opens a source and finds its columns.
///
/// # Errors
/// What makes the source unreadable from its start.
pub(crate) fn open(opening: Opening<'_>, files: Vec<InputFile>) -> Result<Box<dyn Source>> {
    let options = opening.plan.options.clone();
    match &opening.plan.from {
        Endpoint::Files(format, _) => Ok(match format {
            Format::Csv => Box::new(csv::CsvSource::open(csv::Inputs::Files(files), options, opening.meter)?),
            Format::Json => {
                Box::new(json::JsonSource::open(lines::Inputs::Files(files), options, opening.meter)?)
            }
            Format::Text => {
                Box::new(text::TextSource::new(lines::Inputs::Files(files), &options, opening.meter))
            }
            Format::Parquet => Box::new(parquet::ParquetSource::open(files, &options, opening.meter)?),
            Format::Arrow => {
                Box::new(arrow::ArrowSource::open(arrow::Inputs::Files(files), &options, opening.meter)?)
            }
        }),
        Endpoint::Standard(format) => {
            let input = opening.stdin.unwrap_or_else(|| Box::new(std::io::stdin()));
            let input = Box::new(stdin::Patient::new(input, opening.cancel)?);
            let shown: Arc<str> = STDIN.into();
            let stream = input::stream(input, &shown, options.compression, &opening.meter)?;
            Ok(match format {
                Format::Csv => {
                    Box::new(csv::CsvSource::open(csv::Inputs::One(stream), options, opening.meter)?)
                }
                Format::Json => {
                    Box::new(json::JsonSource::open(lines::Inputs::One(stream), options, opening.meter)?)
                }
                Format::Text => {
                    Box::new(text::TextSource::new(lines::Inputs::One(stream), &options, opening.meter))
                }
                Format::Parquet => {
                    // Its columns are listed at its end, so it is laid down in a file first.
                    let file = spool::spool(stream)?;
                    Box::new(parquet::ParquetSource::of_file(file, shown, &options)?)
                }
                Format::Arrow => {
                    Box::new(arrow::ArrowSource::open(arrow::Inputs::One(stream), &options, opening.meter)?)
                }
            })
        }
        Endpoint::Slot(slot, function) => Ok(Box::new(ModuleSource::open(
            opening.rack,
            slot,
            function.as_deref(),
            &options,
            opening.cancel,
        )?)),
    }
}

/// The Arrow type of a column that configuration gives a type.
pub(crate) fn data_type(named: ColumnType) -> DataType {
    match named {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Text => DataType::Utf8,
        ColumnType::Bytes => DataType::Binary,
        ColumnType::Date => DataType::Date32,
        ColumnType::Time => DataType::Time64(TimeUnit::Microsecond),
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// The word for a type in messages: that of configuration where there is one.
pub(crate) fn type_words(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "bool".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "bytes".into(),
        DataType::Int64 => "int".into(),
        DataType::Float64 => "float".into(),
        DataType::Date32 => "date".into(),
        DataType::Time64(_) | DataType::Time32(_) => "time".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Timestamp(_, Some(zone)) if &**zone == "UTC" => "timestamp-utc".into(),
        DataType::Null => "null".into(),
        other => other.to_string(),
    }
}

/// Where a row was read, beside its batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowAt {
    /// Its number in its source, counted from 1.
    pub(crate) row: u64,
    /// Its line, for text.
    pub(crate) line: Option<u64>,
}

/// Cuts a batch into pieces that have no gap: where rows were left out, the numbers jump.
pub(crate) fn pieces(batch: &RecordBatch, at: &[RowAt], keep: &[bool], source: &Arc<str>) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut from = 0;
    while from < at.len() {
        if !keep[from] {
            from += 1;
            continue;
        }
        let mut to = from + 1;
        while to < at.len() && keep[to] && at[to].row == at[to - 1].row + 1 {
            to += 1;
        }
        // Lines are told only where each row has one: else the number of a later row would be wrong.
        let rows = (to - from - 1) as u64;
        let first_line = at[from].line.filter(|line| at[to - 1].line == Some(line + rows));
        chunks.push(Chunk {
            batch: batch.slice(from, to - from),
            place: RowPlace { source: source.clone(), first_row: at[from].row, first_line },
        });
        from = to;
    }
    chunks
}

/// The columns named by `columns:`, in that order, as places among `names`; all when none are named.
///
/// # Errors
/// `M0614` when one is not there, `M0613` when a name stands twice: rows have each name once.
pub(crate) fn projection(names: &[&str], options: &FormatOptions, shown: &str) -> Result<Vec<usize>> {
    let mut taken = HashSet::new();
    if let Some(name) = names.iter().find(|name| !taken.insert(**name)) {
        return Err(Error::new(Code::BadTable, format!("`{shown}` has the column `{name}` twice"))
            .place(Place::file(shown))
            .hint("Give each column a name of its own when the file is written"));
    }
    let Some(columns) = &options.columns else {
        return Ok((0..names.len()).collect());
    };
    columns
        .iter()
        .map(|column| {
            names.iter().position(|name| name == column).ok_or_else(|| {
                error::unknown_column(column, names, &format!("`{shown}`")).place(Place::file(shown))
            })
        })
        .collect()
}

/// Brings a batch of one file to the columns of all; rows that do not fit become bad rows.
pub(crate) fn to_schema(batch: RecordBatch, schema: &SchemaRef, place: RowPlace) -> Result<Read> {
    if batch.schema_ref().fields() == schema.fields() {
        return Ok(Read { chunks: vec![Chunk { batch, place }], bad: Vec::new() });
    }
    let made = conform::conform(&batch, schema)?;
    let rows = batch.num_rows();
    let at: Vec<RowAt> = (0..rows as u64).map(|i| RowAt { row: place.first_row + i, line: None }).collect();
    let mut keep = vec![true; rows];
    let mut bad = Vec::new();
    for (index, error) in made.misfits {
        keep[index] = false;
        bad.push(BadRow {
            raw: Raw::Row(batch.slice(index, 1)),
            row: at[index].row,
            line: None,
            source: place.source.clone(),
            error: error
                .hint(
                    "Files of one source have the same columns; name them in sources of their own otherwise",
                )
                .place(Place::file(&*place.source)),
        });
    }
    Ok(Read { chunks: pieces(&made.batch, &at, &keep, &place.source), bad })
}

/// Keeps the rows that `keep` says.
pub(crate) fn filtered(batch: &RecordBatch, keep: &[bool]) -> Result<RecordBatch> {
    if keep.iter().all(|&keep| keep) {
        return Ok(batch.clone());
    }
    arrow_select::filter::filter_record_batch(batch, &BooleanArray::from(keep.to_vec()))
        .map_err(|why| error::arrow("keeping rows", &why))
}

/// A schema all of whose fields may be null, under the names given.
pub(crate) fn nullable(fields: impl IntoIterator<Item = (String, DataType)>) -> SchemaRef {
    let fields: Vec<Field> = fields.into_iter().map(|(name, ty)| Field::new(name, ty, true)).collect();
    Arc::new(Schema::new(fields))
}

/// Whether two columns hold the same values, null for null.
pub(crate) fn same_values(left: &dyn Array, right: &dyn Array) -> Option<BooleanArray> {
    arrow_ord::cmp::not_distinct(&left, &right).ok()
}

/// What every reader of files does at the start of each: opens it, unpacked.
pub(crate) fn next_stream(file: &InputFile, options: &FormatOptions, meter: &Meter) -> Result<Stream> {
    input::open(file, options.compression, meter)
}
