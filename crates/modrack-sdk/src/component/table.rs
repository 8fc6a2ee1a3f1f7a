//! Tables as an Arrow IPC stream: read where the bytes lie, written once.

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;

use super::lent;
use super::values::Table as WitTable;
use super::wit::{FromWit, IntoWit};
use crate::{Error, Misfit, Result, Table};

impl lent::Table<'_> {
    pub(crate) fn read(self) -> Result<RecordBatch, Misfit> {
        decoded(Buffer::from(self.0.ipc.as_slice()))
    }
}

impl FromWit<WitTable> for Table {
    fn from_wit(table: WitTable) -> Result<Self, Misfit> {
        decoded(Buffer::from_vec(table.ipc)).map(Self::new)
    }
}

impl FromWit<WitTable> for RecordBatch {
    fn from_wit(table: WitTable) -> Result<Self, Misfit> {
        decoded(Buffer::from_vec(table.ipc))
    }
}

impl IntoWit<WitTable> for Table {
    fn into_wit(self) -> Result<WitTable> {
        self.into_batch().into_wit()
    }
}

impl IntoWit<WitTable> for RecordBatch {
    fn into_wit(self) -> Result<WitTable> {
        let room = self.get_array_memory_size() + 1024;
        let mut writer =
            StreamWriter::try_new(Vec::with_capacity(room), &self.schema()).map_err(Error::from)?;
        writer.write(&self)?;
        Ok(WitTable { ipc: writer.into_inner()? })
    }
}

fn decoded(mut bytes: Buffer) -> Result<RecordBatch, Misfit> {
    let unread = |why: arrow_schema::ArrowError| Misfit::said(format!("cannot be read: {why}"));
    let mut decoder = StreamDecoder::new();
    let mut rows = None;
    while let Some(batch) = decoder.decode(&mut bytes).map_err(unread)? {
        if rows.replace(batch).is_some() {
            return Err(Misfit::said("comes in several batches, but must come in one"));
        }
    }
    match (rows, decoder.schema()) {
        (Some(rows), _) => Ok(rows),
        (None, Some(schema)) => Ok(RecordBatch::new_empty(schema)),
        (None, None) => Err(Misfit::said("cannot be read: it has no schema")),
    }
}
