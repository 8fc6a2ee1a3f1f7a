//! JSON lines as a sink: one object a row, nulls written out, so that every row has every column.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_json::writer::{LineDelimited, Writer, WriterBuilder};
use arrow_schema::{Field, Schema};
use modrack_core::Result;

use super::Encoder;
use super::out::{Fate, Out};
use crate::{error, zones};

const WHAT: &str = "JSON";

/// Writes JSON lines.
pub(crate) struct JsonEncoder {
    writer: Writer<Out, LineDelimited>,
    fate: Fate,
}

impl JsonEncoder {
    /// Nothing is written before the first row.
    pub(crate) fn new(out: Out, fate: Fate) -> Self {
        Self { writer: WriterBuilder::new().with_explicit_nulls(true).build(out), fate }
    }
}

impl Encoder for JsonEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = zones::showable_batch(batch)?;
        self.writer.write(&batch).map_err(|why| self.fate.failure(WHAT, why))
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { mut writer, fate } = *self;
        let finished = writer.finish().map_err(|why| fate.failure(WHAT, why));
        finished.and_then(|()| writer.into_inner().close().map_err(|why| fate.failure(WHAT, why)))
    }
}

/// The rows of a batch, each as JSON text.
///
/// # Errors
/// A type that JSON has no form for.
pub(crate) fn lines(batch: &RecordBatch) -> Result<Vec<String>> {
    let mut writer: Writer<Vec<u8>, LineDelimited> =
        WriterBuilder::new().with_explicit_nulls(true).build(Vec::new());
    let written = writer.write(&zones::showable_batch(batch)?).and_then(|()| writer.finish());
    written.map_err(|why| error::arrow("writing rows as JSON", &why))?;
    let text =
        String::from_utf8(writer.into_inner()).map_err(|_| error::internal("JSON that is not UTF-8"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The values of a column, each as JSON text.
///
/// # Errors
/// A type that JSON has no form for.
pub(crate) fn texts(column: &ArrayRef) -> Result<ArrayRef> {
    const BEFORE: &str = "{\"v\":";
    let schema = Schema::new(vec![Field::new("v", column.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![column.clone()])
        .map_err(|why| error::arrow("writing a column as JSON", &why))?;
    let lines = lines(&batch)?;
    let texts: StringArray = lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let value = line.strip_prefix(BEFORE)?.strip_suffix('}')?;
            column.is_valid(index).then_some(value)
        })
        .collect();
    Ok(Arc::new(texts))
}
