//! Comma-separated values as a sink: numbers so that they read back the same, dates and times as ISO text,
//! lists and records as JSON.

use std::fmt::Write as _;
use std::io::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions as Display};
use arrow_schema::{DataType, SchemaRef};
use modrack_core::Result;
use modrack_core::plan::FormatOptions;

use super::out::{Fate, Out};
use super::{Encoder, json};
use crate::{error, zones};

const WHAT: &str = "CSV";

/// Writes comma-separated values.
pub(crate) struct CsvEncoder {
    out: Out,
    fate: Fate,
    delimiter: u8,
    null: String,
    row: Vec<u8>,
    text: String,
}

enum Column<'a> {
    Bool(&'a BooleanArray),
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    Text(&'a StringArray),
    Shown(&'a dyn Array, ArrayFormatter<'a>),
}

impl CsvEncoder {
    /// Writes the header.
    ///
    /// # Errors
    /// What the system refuses.
    pub(crate) fn new(out: Out, fate: Fate, schema: &SchemaRef, options: &FormatOptions) -> Result<Self> {
        let null = options.null.as_ref().and_then(|texts| texts.first()).cloned().unwrap_or_default();
        let delimiter = options.delimiter.unwrap_or(b',');
        let mut encoder = Self { out, fate, delimiter, null, row: Vec::new(), text: String::new() };
        if options.header.unwrap_or(true) && !schema.fields().is_empty() {
            let alone = schema.fields().len() == 1;
            for (index, field) in schema.fields().iter().enumerate() {
                encoder.separate(index);
                put(&mut encoder.row, field.name(), delimiter, alone && field.name().is_empty());
            }
            encoder.end_rows()?;
        }
        Ok(encoder)
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.row.push(self.delimiter);
        }
    }

    fn end_rows(&mut self) -> Result<()> {
        if !self.row.ends_with(b"\n") {
            self.row.push(b'\n');
        }
        let written = self.out.write_all(&self.row);
        self.row.clear();
        written.map_err(|why| self.fate.failure(WHAT, why))
    }
}

impl Encoder for CsvEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let plain = batch.columns().iter().map(plain).collect::<Result<Vec<_>>>()?;
        let display = Display::new().with_display_error(false);
        let columns = plain
            .iter()
            .map(|column| {
                Ok(match column.data_type() {
                    DataType::Boolean => Column::Bool(column.as_boolean()),
                    DataType::Int64 => Column::Int(column.as_primitive::<Int64Type>()),
                    DataType::Float64 => Column::Float(column.as_primitive::<Float64Type>()),
                    DataType::Utf8 => Column::Text(column.as_string::<i32>()),
                    _ => {
                        let shown = ArrayFormatter::try_new(column, &display)
                            .map_err(|why| error::unwritable_rows(self.fate.shown(), WHAT, why))?;
                        Column::Shown(column, shown)
                    }
                })
            })
            .collect::<Result<Vec<_>>>()?;
        for index in 0..batch.num_rows() {
            for (at, column) in columns.iter().enumerate() {
                self.separate(at);
                let valid = match column {
                    Column::Bool(array) => array.is_valid(index),
                    Column::Int(array) => array.is_valid(index),
                    Column::Float(array) => array.is_valid(index),
                    Column::Text(array) => array.is_valid(index),
                    Column::Shown(array, _) => array.is_valid(index),
                };
                if !valid {
                    // A line of one empty value would be no line at all.
                    let null = self.null.as_bytes();
                    self.row.extend_from_slice(if columns.len() == 1 && null.is_empty() {
                        b"\"\""
                    } else {
                        null
                    });
                    continue;
                }
                match column {
                    Column::Text(array) => {
                        let text = array.value(index);
                        put(&mut self.row, text, self.delimiter, text == self.null);
                        continue;
                    }
                    Column::Bool(array) => {
                        self.row.extend_from_slice(if array.value(index) { b"true" } else { b"false" });
                        continue;
                    }
                    Column::Int(array) => {
                        put_int(&mut self.row, array.value(index));
                        continue;
                    }
                    Column::Float(array) => {
                        self.text.clear();
                        let _ = write!(self.text, "{:?}", array.value(index));
                    }
                    Column::Shown(_, shown) => {
                        self.text.clear();
                        let shown = write!(self.text, "{}", shown.value(index));
                        shown.map_err(|why| error::unwritable_rows(self.fate.shown(), WHAT, why))?;
                    }
                }
                put(&mut self.row, &self.text, self.delimiter, false);
            }
            self.row.push(b'\n');
        }
        if self.row.is_empty() { Ok(()) } else { self.end_rows() }
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { out, fate, .. } = *self;
        out.close().map_err(|why| fate.failure(WHAT, why))
    }
}

/// A column in a type that is written as it stands.
fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    let to = match column.data_type() {
        DataType::Dictionary(_, ty) => ty.as_ref().clone(),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Float16 | DataType::Float32 => return Ok(column.clone()),
        ty if ty.is_integer() && *ty != DataType::UInt64 => DataType::Int64,
        ty if ty.is_nested() => return json::texts(column),
        _ => return zones::showable(column),
    };
    let made = cast(column, &to).map_err(|why| error::arrow("writing a column as CSV", &why))?;
    if made.data_type().is_nested() || matches!(made.data_type(), DataType::LargeUtf8) {
        plain(&made)
    } else {
        Ok(made)
    }
}

fn put(row: &mut Vec<u8>, text: &str, delimiter: u8, quote: bool) {
    let special = |byte: &u8| *byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r');
    if !quote && !text.as_bytes().iter().any(special) {
        row.extend_from_slice(text.as_bytes());
        return;
    }
    row.push(b'"');
    for &byte in text.as_bytes() {
        if byte == b'"' {
            row.push(b'"');
        }
        row.push(byte);
    }
    row.push(b'"');
}

fn put_int(row: &mut Vec<u8>, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        row.push(b'-');
    }
    row.extend_from_slice(&digits[at..]);
}
