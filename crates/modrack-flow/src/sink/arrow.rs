//! Arrow's IPC as a sink: the file format for files, the stream format for the standard output.

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, SchemaRef};
use modrack_core::Result;
use modrack_core::plan::{Compression, FormatOptions};

use super::Encoder;
use super::out::{Fate, Out};

const WHAT: &str = "Arrow";

/// Writes Arrow's IPC.
pub(crate) struct ArrowEncoder {
    writer: Writer,
    fate: Fate,
}

enum Writer {
    File(Box<FileWriter<Out>>),
    Stream(Box<StreamWriter<Out>>),
}

impl ArrowEncoder {
    /// Writes the schema.
    ///
    /// # Errors
    /// What the system refuses.
    pub(crate) fn new(
        out: Out,
        fate: Fate,
        schema: &SchemaRef,
        options: &FormatOptions,
        stream: bool,
    ) -> Result<Self> {
        let packed = match options.compression {
            Some(Compression::Zstd) => Some(CompressionType::ZSTD),
            Some(Compression::Lz4) => Some(CompressionType::LZ4_FRAME),
            _ => None,
        };
        let make = || -> std::result::Result<Writer, ArrowError> {
            let ipc = IpcWriteOptions::default().try_with_compression(packed)?;
            Ok(if stream {
                Writer::Stream(Box::new(StreamWriter::try_new_with_options(out, schema, ipc)?))
            } else {
                Writer::File(Box::new(FileWriter::try_new_with_options(out, schema, ipc)?))
            })
        };
        Ok(Self { writer: make().map_err(|why| fate.failure(WHAT, why))?, fate })
    }
}

impl Encoder for ArrowEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = match &mut self.writer {
            Writer::File(writer) => writer.write(batch),
            Writer::Stream(writer) => writer.write(batch),
        };
        written.map_err(|why| self.fate.failure(WHAT, why))
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { writer, fate } = *self;
        // Taking the writer apart writes what ends the file.
        let out = match writer {
            Writer::File(writer) => writer.into_inner(),
            Writer::Stream(writer) => writer.into_inner(),
        };
        let out = out.map_err(|why| fate.failure(WHAT, why))?;
        out.close().map_err(|why| fate.failure(WHAT, why))
    }
}
