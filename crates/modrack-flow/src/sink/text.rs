//! Lines of text as a sink: the column `line`, else the only one there is.

use std::io::Write;

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::SchemaRef;
use modrack_core::{Place, Result};

use super::Encoder;
use super::out::{Fate, Out};
use crate::{error, zones};

const WHAT: &str = "text";

/// Writes lines.
pub(crate) struct TextEncoder {
    out: Out,
    fate: Fate,
    column: usize,
    lines: Vec<u8>,
}

impl TextEncoder {
    /// Finds the column that is written.
    ///
    /// # Errors
    /// `M0614` when it is not clear which one that is.
    pub(crate) fn new(out: Out, fate: Fate, schema: &SchemaRef) -> Result<Self> {
        let column = match schema.index_of("line") {
            Ok(column) => column,
            Err(_) if schema.fields().len() <= 1 => 0,
            Err(_) => {
                let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                return Err(error::unknown_column("line", &names, "What is written as text")
                    .place(Place::file(&**fate.shown()))
                    .hint("A text sink writes the column `line`, or the only one; leave one column in the last stage"));
            }
        };
        Ok(Self { out, fate, column, lines: Vec::new() })
    }
}

impl Encoder for TextEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(column) = batch.columns().get(self.column) else { return Ok(()) };
        let column = &zones::showable(column)?;
        let options = FormatOptions::new().with_display_error(false);
        let shown = ArrayFormatter::try_new(column, &options).map_err(|why| self.fate.failure(WHAT, why))?;
        self.lines.clear();
        for index in 0..column.len() {
            if column.is_valid(index) {
                write!(self.lines, "{}", shown.value(index)).map_err(|why| self.fate.failure(WHAT, why))?;
            }
            self.lines.push(b'\n');
        }
        self.out.write_all(&self.lines).map_err(|why| self.fate.failure(WHAT, why))
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { out, fate, .. } = *self;
        out.close().map_err(|why| fate.failure(WHAT, why))
    }
}
