//! Where rows go: one encoder for each format, into a file that has its name only once it is whole.
//!
//! Nothing here decides what is done about rows that do not fit; what is written is settled before.

mod arrow;
mod csv;
pub(crate) mod json;
mod module;
mod out;
mod parquet;
mod target;
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use modrack_core::plan::{Compression, Endpoint, Format, FormatOptions, SinkPlan};
use modrack_core::{Cancel, Result};
use modrack_runtime::Rack;

pub(crate) use self::module::ModuleSink;
use self::out::{Fate, Out};
pub(crate) use self::target::Target;
pub use self::target::remove_unfinished;
use crate::error;
use crate::input;

/// How messages name the standard output.
pub(crate) const STDOUT: &str = "<stdout>";

/// Writes rows in one format.
pub(crate) trait Encoder: Send {
    /// Writes a batch, whose columns are those that were settled.
    ///
    /// # Errors
    /// What the system refuses, and a value that the format has no form for.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes what ends the data.
    ///
    /// # Errors
    /// What the system refuses.
    fn close(self: Box<Self>) -> Result<()>;
}

/// A sink that was opened.
pub(crate) enum Sink {
    /// Bytes in a format: a file or the standard output.
    Bytes(Box<ByteSink>),
    /// A module.
    Module(ModuleSink),
}

/// Bytes in a format.
pub(crate) struct ByteSink {
    format: Format,
    options: FormatOptions,
    fate: Fate,
    target: Option<Target>,
    out: Option<Out>,
    encoder: Option<Box<dyn Encoder>>,
}

impl Sink {
    /// Opens a sink: makes the hidden file, or loads the module.
    ///
    /// # Errors
    /// `M0608` and `M0609`, or what loading fails with.
    pub(crate) fn open(
        rack: &Rack,
        plan: &SinkPlan,
        stdout: Option<Box<dyn Write + Send>>,
        cancel: Cancel,
    ) -> Result<Self> {
        let options = plan.options.clone();
        match &plan.to {
            Endpoint::Slot(slot, function) => {
                ModuleSink::open(rack, slot, function.as_deref(), &options, cancel).map(Self::Module)
            }
            Endpoint::Standard(format) => {
                let inner = stdout.unwrap_or_else(|| Box::new(std::io::stdout()));
                ByteSink::new(*format, options, None, inner, STDOUT.into()).map(Self::bytes)
            }
            Endpoint::Files(format, _) => {
                let path = path(rack.root(), plan).ok_or_else(|| error::internal("a sink without a file"))?;
                let (target, file) = Target::create(rack.root(), &path)?;
                let shown = target.shown().clone();
                ByteSink::new(*format, options, Some((target, path)), Box::new(file), shown).map(Self::bytes)
            }
        }
    }

    fn bytes(sink: ByteSink) -> Self {
        Self::Bytes(Box::new(sink))
    }

    /// Writes a batch, whose columns are those of `schema`.
    ///
    /// # Errors
    /// What the system or the module refuses.
    pub(crate) fn write(&mut self, schema: &SchemaRef, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Module(sink) => sink.write(batch),
            Self::Bytes(sink) => sink.encoder(schema)?.write(batch),
        }
    }

    /// Writes what ends the data; `commit` is still to come.
    ///
    /// # Errors
    /// What the system or the module refuses.
    pub(crate) fn finish(&mut self, schema: &SchemaRef) -> Result<()> {
        match self {
            Self::Module(sink) => sink.finish(),
            Self::Bytes(sink) => {
                sink.encoder(schema)?;
                sink.encoder.take().map_or(Ok(()), Encoder::close)
            }
        }
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// `M0608` and `M0609`.
    pub(crate) fn commit(self) -> Result<Option<PathBuf>> {
        match self {
            Self::Module(_) => Ok(None),
            Self::Bytes(sink) => sink.target.map(Target::commit).transpose(),
        }
    }

    /// Whether whoever read what is written has gone.
    pub(crate) fn reader_left(&self) -> bool {
        matches!(self, Self::Bytes(sink) if sink.target.is_none() && sink.fate.reader_left())
    }
}

impl ByteSink {
    fn new(
        format: Format,
        options: FormatOptions,
        target: Option<(Target, PathBuf)>,
        inner: Box<dyn Write + Send>,
        shown: std::sync::Arc<str>,
    ) -> Result<Self> {
        let fate = Fate::new(shown);
        // These two pack what is in them, not the file.
        let packed = match format {
            Format::Parquet | Format::Arrow => Compression::None,
            _ => {
                let by_ending = target.as_ref().and_then(|(_, path)| input::by_ending(path));
                options.compression.or(by_ending).unwrap_or(Compression::None)
            }
        };
        let out = Out::new(inner, packed, &fate)?;
        let target = target.map(|(target, _)| target);
        Ok(Self { format, options, fate, target, out: Some(out), encoder: None })
    }

    fn encoder(&mut self, schema: &SchemaRef) -> Result<&mut Box<dyn Encoder>> {
        if let Some(out) = self.out.take() {
            let fate = self.fate.clone();
            self.encoder = Some(match self.format {
                Format::Csv => Box::new(csv::CsvEncoder::new(out, fate, schema, &self.options)?),
                Format::Json => Box::new(json::JsonEncoder::new(out, fate)),
                Format::Parquet => Box::new(parquet::ParquetEncoder::new(out, fate, schema, &self.options)?),
                Format::Arrow => {
                    let stream = self.target.is_none();
                    Box::new(arrow::ArrowEncoder::new(out, fate, schema, &self.options, stream)?)
                }
                Format::Text => Box::new(text::TextEncoder::new(out, fate, schema)?),
            });
        }
        self.encoder.as_mut().ok_or_else(|| error::internal("a sink that was closed is written to"))
    }
}

/// The file of a sink, where it is one.
pub(crate) fn path(root: &Path, plan: &SinkPlan) -> Option<PathBuf> {
    match &plan.to {
        Endpoint::Files(_, paths) => paths.first().map(|path| root.join(path)),
        Endpoint::Standard(_) | Endpoint::Slot(..) => None,
    }
}
