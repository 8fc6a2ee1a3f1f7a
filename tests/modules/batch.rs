//! Gives batches back as they are, by the kit for authors in Rust: `batch.py`, `batch.c` and `batch.wat` do the same.

/// Gives batches back.
#[modrack::module(name = "batch", takes = "batch")]
pub mod batch {
    use modrack::RecordBatch;

    /// Gives a table back.
    pub fn transform(table: RecordBatch) -> RecordBatch {
        table
    }
}
