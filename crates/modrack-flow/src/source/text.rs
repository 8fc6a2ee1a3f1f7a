//! Lines of text as a source: one column, `line`.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use modrack_core::plan::FormatOptions;
use modrack_core::{Place, Result, RowPlace};

use super::lines::{Inputs, LineFiles};
use super::{BATCH_ROWS, BadRow, Chunk, Raw, Read, RowAt, Source};
use crate::error;
use crate::input::Meter;

/// A source of lines.
pub(crate) struct TextSource {
    files: LineFiles,
    batch_rows: usize,
    schema: SchemaRef,
}

impl TextSource {
    /// The lines of what is read.
    pub(crate) fn new(inputs: Inputs, options: &FormatOptions, meter: Meter) -> Self {
        Self {
            files: LineFiles::new(inputs, options, meter),
            batch_rows: options.batch_rows.unwrap_or(BATCH_ROWS),
            schema: super::nullable([("line".to_owned(), DataType::Utf8)]),
        }
    }
}

impl Source for TextSource {
    fn schema(&self) -> Option<SchemaRef> {
        Some(self.schema.clone())
    }

    fn read(&mut self) -> Result<Option<Read>> {
        let Some((lines, _)) = self.files.take(self.batch_rows)? else { return Ok(None) };
        let shown = lines.shown().clone();
        let many = lines.taken();
        let mut values = StringBuilder::with_capacity(many, many * 32);
        let (mut at, mut keep, mut bad) = (Vec::with_capacity(many), Vec::with_capacity(many), Vec::new());
        for index in 0..many {
            let number = lines.number(index);
            let text = std::str::from_utf8(lines.get(index));
            at.push(RowAt { row: number, line: Some(number) });
            keep.push(text.is_ok());
            values.append_option(text.ok());
            if text.is_err() {
                let place = Place::line(&*shown, number as usize);
                bad.push(BadRow {
                    raw: Raw::Bytes(lines.get(index).to_vec()),
                    row: number,
                    line: Some(number),
                    source: shown.clone(),
                    error: error::bad_cell(place, "The line is not UTF-8 text", "Save the file as UTF-8"),
                });
            }
        }
        let column: ArrayRef = Arc::new(values.finish());
        let batch = RecordBatch::try_new(self.schema.clone(), vec![column])
            .map_err(|why| error::arrow("making a batch of lines", &why))?;
        if bad.is_empty() {
            let place = RowPlace { source: shown, first_row: at[0].row, first_line: at[0].line };
            return Ok(Some(Read { chunks: vec![Chunk { batch, place }], bad }));
        }
        Ok(Some(Read { chunks: super::pieces(&batch, &at, &keep, &shown), bad }))
    }
}
