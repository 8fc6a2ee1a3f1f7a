//! Tables as the Arrow IPC streams in which they cross: one copy each way.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_select::concat::concat_batches;
use modrack_core::{Code, Error, Phase, Value};

/// The table as a stream of one batch.
///
/// # Errors
/// [`Code::ValueDoesNotFit`] for a table that has no form as a stream.
pub(crate) fn write(batch: &RecordBatch) -> Result<Vec<u8>, Error> {
    let failed = |why: arrow_schema::ArrowError| {
        Error::new(Code::ValueDoesNotFit, format!("The table cannot go into a component: {why}"))
            .hint("Give it columns of types that Arrow IPC has")
            .phase(Phase::Call)
    };
    let mut bytes = Vec::with_capacity(batch.get_array_memory_size() + 1024);
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).map_err(failed)?;
    writer.write(batch).map_err(failed)?;
    writer.finish().map_err(failed)?;
    drop(writer);
    Ok(bytes)
}

/// The table that a stream holds; several batches are joined to one.
///
/// # Errors
/// [`Code::BadTable`] when it is not such a stream.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Error> {
    let bad = |why: String| {
        Error::new(Code::BadTable, format!("The module gave a table that is none: {why}"))
            .hint("A table is an Arrow IPC stream: schema, batches, end")
            .phase(Phase::Call)
    };
    let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(|why| bad(why.to_string()))?;
    let schema = reader.schema();
    let mut batches = reader.collect::<Result<Vec<_>, _>>().map_err(|why| bad(why.to_string()))?;
    let batch = match batches.len() {
        1 => batches.swap_remove(0),
        _ => concat_batches(&schema, &batches).map_err(|why| bad(why.to_string()))?,
    };
    Ok(Value::Table(Arc::new(batch)))
}
