//! Parquet as a sink: row groups of fixed size, so that memory does not grow with the input.

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use modrack_core::Result;
use modrack_core::plan::{Compression, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Page, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::Encoder;
use super::out::{Fate, Out};

const WHAT: &str = "Parquet";
/// Bytes in a row group where the pipeline does not say.
const ROW_GROUP: usize = 64 << 20;

/// Writes Parquet.
pub(crate) struct ParquetEncoder {
    writer: ArrowWriter<Out>,
    fate: Fate,
    row_group: usize,
    /// Bytes of the row group that is being made, before they are encoded.
    held: usize,
}

impl ParquetEncoder {
    /// Writes the head of the file.
    ///
    /// # Errors
    /// What the system refuses, and a type that Parquet has no form for.
    pub(crate) fn new(out: Out, fate: Fate, schema: &SchemaRef, options: &FormatOptions) -> Result<Self> {
        let page = match options.compression {
            None | Some(Compression::Snappy) => Page::SNAPPY,
            Some(Compression::None) => Page::UNCOMPRESSED,
            Some(Compression::Gzip) => Page::GZIP(GzipLevel::default()),
            Some(Compression::Zstd) => Page::ZSTD(ZstdLevel::default()),
            Some(Compression::Lz4) => Page::LZ4_RAW,
        };
        let properties = WriterProperties::builder()
            .set_compression(page)
            // Page indexes would be held until the end, and grow with the input.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_created_by(concat!("modrack ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties));
        let writer = writer.map_err(|why| fate.failure(WHAT, why))?;
        Ok(Self { writer, fate, row_group: options.row_group_bytes.unwrap_or(ROW_GROUP), held: 0 })
    }
}

impl Encoder for ParquetEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let failed = |fate: &Fate, why: parquet::errors::ParquetError| fate.failure(WHAT, why);
        self.writer.write(batch).map_err(|why| failed(&self.fate, why))?;
        let bytes = |column: &dyn Array| column.to_data().get_slice_memory_size().unwrap_or(0);
        self.held += batch.columns().iter().map(|column| bytes(column)).sum::<usize>();
        if self.held >= self.row_group {
            self.held = 0;
            self.writer.flush().map_err(|why| failed(&self.fate, why))?;
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { writer, fate, .. } = *self;
        let out = writer.into_inner().map_err(|why| fate.failure(WHAT, why))?;
        out.close().map_err(|why| fate.failure(WHAT, why))
    }
}
