//! Tables as the Arrow IPC streams in which they cross: written and copied in, copied out and used where they lie.

use std::fmt::Display;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use modrack_core::{Code, Error, Phase, Value, caught};

use crate::stream::{END, Unsound, sound};

/// The table as a stream of one batch.
///
/// # Errors
/// [`Code::ValueDoesNotFit`] for a table that has no form as a stream.
pub(crate) fn write(batch: &RecordBatch) -> Result<Vec<u8>, Error> {
    let failed = |why: ArrowError| {
        Error::new(Code::ValueDoesNotFit, format!("The table cannot go into a component: {why}"))
            .hint("Give it columns of types that Arrow IPC has")
            .phase(Phase::Call)
    };
    // Columns may lie in one buffer, of which each needs its part only.
    let size = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_default();
    let mut bytes = Vec::with_capacity(batch.columns().iter().map(size).sum::<usize>() + 1024);
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).map_err(failed)?;
    writer.write(batch).map_err(failed)?;
    writer.finish().map_err(failed)?;
    drop(writer);
    Ok(bytes)
}

/// The table that a stream holds; several batches are joined to one. The columns of a single batch lie where the
/// stream lies, unless they lie askew.
///
/// # Errors
/// [`Code::BadTable`] when it is not such a stream, contradicts itself, or would grow as it is read.
pub(crate) fn read(bytes: Vec<u8>) -> Result<Value, Error> {
    let end = sound(&bytes).map_err(|why| match why {
        Unsound::Grows(how) => {
            bad(how, "Write the stream without compression and without deltas of dictionaries")
        }
        Unsound::Lies(why) => bad(why, STREAM),
    })?;
    // Whatever contradicts itself beyond that is the module's mistake, however the reader takes it.
    let table = caught(|| decode(Buffer::from_vec(bytes), end));
    let table = table.ok_or_else(|| bad("its columns contradict each other", STREAM))?;
    table.map(|batch| Value::Table(Arc::new(batch))).map_err(|why| bad(why, STREAM))
}

const STREAM: &str = "A table is an Arrow IPC stream: schema, batches, end";

fn bad(why: impl Display, hint: &str) -> Error {
    Error::new(Code::BadTable, format!("The module gave a table that is none: {why}"))
        .hint(hint)
        .phase(Phase::Call)
}

fn decode(stream: Buffer, end: usize) -> Result<RecordBatch, ArrowError> {
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    // What ends the stream may be missing, or be followed by something.
    for mut part in [stream.slice_with_length(0, end), Buffer::from(END)] {
        while !part.is_empty() {
            batches.extend(decoder.decode(&mut part)?);
        }
    }
    decoder.finish()?;
    let schema = decoder.schema().ok_or_else(|| ArrowError::IpcError("There is no schema".into()))?;
    match batches.len() {
        1 => Ok(batches.swap_remove(0)),
        _ => concat_batches(&schema, &batches),
    }
}
