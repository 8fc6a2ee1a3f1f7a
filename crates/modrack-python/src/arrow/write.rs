//! Rows of Python objects as record batches.
//!
//! A writer has a schema and keeps to it: a row either fits whole, or leaves no trace but its reason. Rows
//! whose keys come in the order of the row before are written without looking a key up.

#![expect(unsafe_code, reason = "dictionaries are walked through the C API")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use indexmap::IndexMap;
use modrack_core::{Code, Error, Place, Result};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::capsule::class_of;
use super::columns::Column;
use super::error;
use super::shape::Shape;

/// A batch is given out at this many rows, or this many bytes of text.
const ROWS: usize = 16_384;
const BYTES: usize = 64 << 20;

/// Writes rows to the columns of one schema.
pub(crate) struct RowWriter {
    schema: SchemaRef,
    keys: Vec<Py<PyString>>,
    columns: Vec<Column>,
    /// The column of each place in the last row that was looked up.
    order: Vec<usize>,
    rows: usize,
}

/// A row that does not fit the columns.
#[derive(Debug)]
pub(crate) struct Misfit {
    column: String,
    message: String,
    code: Code,
}

impl RowWriter {
    /// A writer of rows with the columns of `schema`.
    ///
    /// # Errors
    /// [`Code::Unsupported`] when a column has a type that Python objects cannot be written as.
    pub(crate) fn new(py: Python<'_>, schema: SchemaRef) -> Result<Self> {
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let column = Column::new(field.data_type());
            columns.push(column.ok_or_else(|| error::no_rows_type(field.name(), field.data_type()))?);
        }
        let keys: Vec<_> = schema.fields().iter().map(|f| PyString::intern(py, f.name()).unbind()).collect();
        let order = (0..keys.len()).collect();
        Ok(Self { schema, keys, columns, order, rows: 0 })
    }

    /// A writer that holds `rows`, with their own columns: their keys in the order in which they are first
    /// seen, each of the type that holds all of its values. `input` says what the values leave open.
    ///
    /// Gives beside it the places of rows that do not go together with those before them.
    ///
    /// # Errors
    /// [`Code::Internal`] when the columns do not make a schema.
    pub(crate) fn begin(
        py: Python<'_>,
        rows: &[Bound<'_, PyDict>],
        input: Option<&Schema>,
    ) -> Result<(Self, BTreeMap<usize, Misfit>)> {
        let mut shapes = Shapes::default();
        let mut misfits = BTreeMap::new();
        shapes.widen(rows, 0, &mut misfits);
        // Writing is a quick way to find the next row that the columns do not hold yet.
        'again: loop {
            let mut writer = Self::new(py, shapes.schema(input))?;
            for (at, row) in rows.iter().enumerate() {
                if misfits.contains_key(&at) {
                    continue;
                }
                let Err(misfit) = writer.push(row) else { continue };
                if shapes.widen(rows, at, &mut misfits) {
                    continue 'again;
                }
                misfits.entry(at).or_insert(misfit);
            }
            return Ok((writer, misfits));
        }
    }

    /// A writer whose columns without any value yet take the types of the values in `row`; none when there is
    /// no such column.
    ///
    /// # Errors
    /// As for [`RowWriter::new`].
    pub(crate) fn settled_by(&self, row: &Bound<'_, PyDict>) -> Result<Option<Self>> {
        let mut settled = false;
        let fields = self.schema.fields().iter().zip(&self.keys).map(|(field, key)| {
            let value = row.get_item(key).ok().flatten().filter(|_| *field.data_type() == DataType::Null);
            match value.and_then(|value| Shape::of(&value)).filter(|shape| *shape != Shape::Null) {
                None => field.as_ref().clone(),
                Some(shape) => {
                    settled = true;
                    Field::new(field.name(), shape.data_type(None), true)
                }
            }
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        settled.then(|| Self::new(row.py(), schema)).transpose()
    }

    /// The columns it writes.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows wait to be given out.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Whether it is time to give a batch out.
    pub(crate) fn is_full(&self) -> bool {
        self.rows >= ROWS || self.columns.iter().map(Column::bytes).sum::<usize>() >= BYTES
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Why the row does not fit; the writer is then as it was before.
    pub(crate) fn push(&mut self, row: &Bound<'_, PyDict>) -> Result<(), Misfit> {
        let written = self.write(row);
        match written {
            Ok(()) => self.rows += 1,
            Err(_) => self.columns.iter_mut().for_each(|column| column.truncate(self.rows)),
        }
        written
    }

    /// The rows so far as a batch; the writer is empty afterwards.
    ///
    /// # Errors
    /// [`Code::Internal`] when the columns do not make a batch.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.columns
            .iter_mut()
            .map(Column::finish)
            .collect::<Result<Vec<_>, _>>()
            .and_then(|columns| RecordBatch::try_new_with_options(self.schema.clone(), columns, &options))
            .map_err(|e| Error::new(Code::Internal, format!("Rows did not make a batch: {e}")))
    }

    fn write(&mut self, row: &Bound<'_, PyDict>) -> Result<(), Misfit> {
        let py = row.py();
        let mut key = std::ptr::null_mut();
        let mut value = std::ptr::null_mut();
        let (mut at, mut place) = (0, 0);
        // SAFETY: the row is a live dictionary. It can be changed while it is walked only by what columns of
        // rare types call; they take references of their own first, and walking on is allowed then.
        while unsafe { ffi::PyDict_Next(row.as_ptr(), &raw mut at, &raw mut key, &raw mut value) } != 0 {
            let column = match self.order.get(place) {
                Some(&column) if self.keys[column].as_ptr() == key => column,
                _ => {
                    // SAFETY: the key is borrowed from the row, which was not touched since.
                    let key = unsafe { Bound::from_borrowed_ptr(py, key) };
                    self.look_up(&key, place)?
                }
            };
            // A dictionary that was changed while it was walked may show a key twice.
            if self.columns[column].len() != self.rows {
                return Err(self.twice(column));
            }
            if self.columns[column].push(py, value).is_err() {
                return Err(self.misfit(column, row));
            }
            place += 1;
        }
        if place < self.columns.len() {
            let rows = self.rows;
            self.columns.iter_mut().filter(|column| column.len() == rows).for_each(Column::push_null);
        }
        Ok(())
    }

    /// The column of a key that is not the one expected at `place`.
    #[cold]
    fn look_up(&mut self, key: &Bound<'_, PyAny>, place: usize) -> Result<usize, Misfit> {
        let Ok(name) = key.cast::<PyString>().map_err(|_| ()).and_then(|k| k.to_str().map_err(|_| ())) else {
            return Err(Misfit::key(key));
        };
        let Ok(column) = self.schema.index_of(name) else {
            return Err(Misfit {
                message: format!("The row has the key `{name}`, which is not one of the output's columns"),
                column: name.to_owned(),
                code: Code::SchemaChanged,
            });
        };
        if let Some(expected) = self.order.get_mut(place) {
            *expected = column;
        }
        Ok(column)
    }

    #[cold]
    fn misfit(&self, column: usize, row: &Bound<'_, PyDict>) -> Misfit {
        let field = self.schema.field(column);
        let value = row.get_item(&self.keys[column]).ok().flatten();
        Misfit::value(field.name(), field.data_type(), value.as_ref())
    }

    #[cold]
    fn twice(&self, column: usize) -> Misfit {
        let name = self.schema.field(column).name().clone();
        Misfit {
            message: format!("The row was changed while it was written, and has `{name}` twice"),
            column: name,
            code: Code::SchemaChanged,
        }
    }
}

impl Misfit {
    fn key(key: &Bound<'_, PyAny>) -> Self {
        let shown = shown(key);
        let message = format!("The row has the key `{shown}`, which is not text");
        Self { message, column: shown, code: Code::SchemaChanged }
    }

    fn value(column: &str, data_type: &DataType, value: Option<&Bound<'_, PyAny>>) -> Self {
        let found = value.map_or_else(|| "A value".into(), described);
        let word = type_word(data_type);
        let message = format!("{found} does not fit the column `{column}`, which is {word}");
        Self { message, column: column.to_owned(), code: Code::SchemaChanged }
    }

    /// The failure, at a place of which the column is filled in here.
    pub(crate) fn into_error(self, place: Place) -> Error {
        let hint = match self.code {
            Code::SchemaChanged => {
                "The first batch settles the columns; say them with `schema:` in the stage, or decide with `errors:`"
            }
            _ => "Make it a number, text, bytes, a date or time, a list or a dict of these",
        };
        Error::new(self.code, self.message).hint(hint).place(Place { key: Some(self.column), ..place })
    }
}

/// Values as a column of type `wanted`, else of the type that holds all of them; `input` says what they leave
/// open.
///
/// Gives beside it the places of values that do not fit: the column has none there.
///
/// # Errors
/// [`Code::Unsupported`] when the type is one that objects cannot be written as; [`Code::Internal`].
pub(crate) fn write_column(
    values: &Bound<'_, PyList>,
    name: &str,
    wanted: Option<&DataType>,
    input: &DataType,
) -> Result<(ArrayRef, Vec<(usize, Misfit)>)> {
    let mut misfits = Vec::new();
    let data_type = match wanted {
        Some(wanted) => wanted.clone(),
        None => {
            let mut shape = Shape::default();
            for value in values {
                // What has no shape, or another one, is found again when it is written.
                if let Some(found) = Shape::of(&value) {
                    shape.widen(found);
                }
            }
            shape.data_type(Some(input))
        }
    };
    let mut column = Column::new(&data_type).ok_or_else(|| error::no_rows_type(name, &data_type))?;
    for (at, value) in values.iter().enumerate() {
        if column.push(values.py(), value.as_ptr()).is_err() {
            column.truncate(at);
            column.push_null();
            misfits.push((at, Misfit::value(name, &data_type, Some(&value))));
        }
    }
    let column = column
        .finish()
        .map_err(|e| Error::new(Code::Internal, format!("Values did not make a column: {e}")))?;
    Ok((column, misfits))
}

/// How many rows are looked at in one go for the types of their values.
const LOOK: usize = 64;

/// What columns there are, and what is known of their types.
#[derive(Default)]
struct Shapes(IndexMap<String, Shape>);

impl Shapes {
    /// Takes a handful of rows into account, `first` first; tells whether that changed anything.
    fn widen(
        &mut self,
        rows: &[Bound<'_, PyDict>],
        first: usize,
        misfits: &mut BTreeMap<usize, Misfit>,
    ) -> bool {
        let mut changed = false;
        for (at, row) in rows.iter().enumerate().skip(first).take(LOOK) {
            if misfits.contains_key(&at) {
                continue;
            }
            match self.widen_by(row) {
                Ok(by_row) => changed |= by_row,
                Err(misfit) => {
                    misfits.insert(at, misfit);
                }
            }
        }
        changed
    }

    fn widen_by(&mut self, row: &Bound<'_, PyDict>) -> Result<bool, Misfit> {
        let mut seen = Vec::new();
        for (key, value) in row {
            let Ok(name) = key.extract::<String>() else { return Err(Misfit::key(&key)) };
            let Some(shape) = Shape::of(&value) else {
                return Err(Misfit {
                    message: format!("{} cannot be put into the column `{name}`", described(&value)),
                    column: name,
                    code: Code::ValueDoesNotFit,
                });
            };
            let known = self.0.get(&name);
            let mut wider = known.cloned().unwrap_or_default();
            if !wider.widen(shape) {
                let word = type_word(&wider.data_type(None));
                return Err(Misfit {
                    message: format!(
                        "{} does not fit the column `{name}`, which is {word} in the rows before",
                        described(&value)
                    ),
                    column: name,
                    code: Code::SchemaChanged,
                });
            }
            if known != Some(&wider) {
                seen.push((name, wider));
            }
        }
        // Only a row that fits whole says anything about the columns.
        let changed = !seen.is_empty();
        self.0.extend(seen);
        Ok(changed)
    }

    fn schema(&self, input: Option<&Schema>) -> SchemaRef {
        let fields = self.0.iter().map(|(name, shape)| {
            let input = input.and_then(|schema| schema.field_with_name(name).ok()).map(Field::data_type);
            Field::new(name, shape.data_type(input), true)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// A value and its class, for messages: `` The str `'abc'` ``.
fn described(value: &Bound<'_, PyAny>) -> String {
    format!("The {} `{}`", class_of(value), shown(value))
}

/// A value as Python shows it, cut to what fits a line.
pub(crate) fn shown(value: &Bound<'_, PyAny>) -> String {
    let Ok(text) = value.repr() else { return "(cannot be shown)".into() };
    let text = text.to_string_lossy();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}

/// A type in the words of `schema:`, where it has one.
fn type_word(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "empty".into(),
        DataType::Boolean => "bool".into(),
        DataType::Int64 => "int".into(),
        DataType::Float64 => "float".into(),
        DataType::Utf8 => "text".into(),
        DataType::Binary => "bytes".into(),
        DataType::Date32 => "date".into(),
        DataType::Time64(_) => "time".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Timestamp(_, Some(zone)) => format!("timestamp in {zone}"),
        DataType::List(item) => format!("a list of {}", type_word(item.data_type())),
        other => other.to_string(),
    }
}
