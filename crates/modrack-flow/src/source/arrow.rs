//! Arrow's IPC files and streams as a source; which of the two it is, the first bytes say.
//!
//! The columns are those of the first file; the others must have them too, in whatever order, of types that
//! fit without loss. Buffers are checked against what they claim.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::SchemaRef;
use modrack_core::plan::FormatOptions;
use modrack_core::{Result, RowPlace};

use super::guard::guarded;
use super::{Read, Source, spool};
use crate::error;
use crate::input::{self, InputFile, Meter, Stream};

const WHAT: &str = "Arrow";
const MAGIC: &[u8] = b"ARROW1";

/// What is read.
pub(crate) enum Inputs {
    /// Files, one after the other.
    Files(Vec<InputFile>),
    /// One stream that can be read once.
    One(Stream),
}

/// A source of Arrow files.
pub(crate) struct ArrowSource {
    files: std::vec::IntoIter<InputFile>,
    current: Option<ArrowFile>,
    options: FormatOptions,
    schema: SchemaRef,
    meter: Meter,
}

struct ArrowFile {
    reader: Reader,
    schema: SchemaRef,
    shown: Arc<str>,
    row: u64,
}

enum Reader {
    File(Box<FileReader<BufReader<File>>>),
    Stream(Box<StreamReader<BufReader<Box<dyn std::io::Read + Send>>>>),
}

impl ArrowSource {
    /// Reads what the first file says of itself.
    ///
    /// # Errors
    /// `M0606` when it is damaged, `M0614` for a column that it lacks.
    pub(crate) fn open(inputs: Inputs, options: &FormatOptions, meter: Meter) -> Result<Self> {
        let (files, current) = match inputs {
            Inputs::One(stream) => (Vec::new(), Some(ArrowFile::open(stream, options)?)),
            Inputs::Files(files) => {
                let mut files = files;
                if files.is_empty() {
                    (files, None)
                } else {
                    let first = files.remove(0);
                    let opened = open_file(&first, options, &meter)?;
                    (files, Some(opened))
                }
            }
        };
        let schema = current.as_ref().map_or_else(|| super::nullable([]), |file| file.schema.clone());
        Ok(Self { files: files.into_iter(), current, options: options.clone(), schema, meter })
    }
}

impl Source for ArrowSource {
    fn schema(&self) -> Option<SchemaRef> {
        Some(self.schema.clone())
    }

    fn read(&mut self) -> Result<Option<Read>> {
        loop {
            if let Some(file) = &mut self.current {
                if let Some(batch) = file.next()? {
                    let place =
                        RowPlace { source: file.shown.clone(), first_row: file.row + 1, first_line: None };
                    file.row += batch.num_rows() as u64;
                    return super::to_schema(batch, &self.schema, place).map(Some);
                }
                self.current = None;
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            self.current = Some(open_file(&file, &self.options, &self.meter)?);
        }
    }
}

/// Opens a file of either kind: one that is not compressed is read where its end says what it holds.
fn open_file(file: &InputFile, options: &FormatOptions, meter: &Meter) -> Result<ArrowFile> {
    let mut plain = input::open_file(file)?;
    let mut magic = [0; MAGIC.len()];
    let is_file = std::io::Read::read_exact(&mut plain, &mut magic).is_ok() && magic == MAGIC;
    if !is_file {
        return ArrowFile::open(super::next_stream(file, options, meter)?, options);
    }
    plain.rewind().map_err(|why| error::unreadable(&file.shown, &why))?;
    meter.add(file.bytes);
    ArrowFile::of_file(plain, file.shown.clone(), options)
}

impl ArrowFile {
    fn of_file(file: File, shown: Arc<str>, options: &FormatOptions) -> Result<Self> {
        let reader = guarded(&shown, WHAT, || FileReader::try_new_buffered(file, None))?;
        let reader = Reader::File(Box::new(reader));
        Self::of_reader(reader, shown, options)
    }

    fn open(mut stream: Stream, options: &FormatOptions) -> Result<Self> {
        let shown = stream.shown().clone();
        let mut head = vec![0; MAGIC.len()];
        let mut have = 0;
        while have < head.len() {
            match stream.read(&mut head[have..])? {
                0 => break,
                count => have += count,
            }
        }
        head.truncate(have);
        let is_file = head == MAGIC;
        if head.is_empty() {
            return Err(error::bad_file(&shown, WHAT, "it is empty"));
        }
        let whole: Box<dyn std::io::Read + Send> =
            Box::new(std::io::Read::chain(std::io::Cursor::new(head), stream));
        if is_file {
            let whole =
                input::stream(whole, &shown, Some(modrack_core::plan::Compression::None), &Meter::default())?;
            return Self::of_file(spool::spool(whole)?, shown, options);
        }
        let reader =
            guarded(&shown, WHAT, || StreamReader::try_new(BufReader::with_capacity(1 << 16, whole), None))?;
        Self::of_reader(Reader::Stream(Box::new(reader)), shown, options)
    }

    fn of_reader(reader: Reader, shown: Arc<str>, options: &FormatOptions) -> Result<Self> {
        let whole = match &reader {
            Reader::File(reader) => reader.schema(),
            Reader::Stream(reader) => reader.schema(),
        };
        let names: Vec<&str> = whole.fields().iter().map(|field| field.name().as_str()).collect();
        let wanted = super::projection(&names, options, &shown)?;
        let schema = whole.project(&wanted).map_err(|why| error::arrow("choosing columns", &why))?;
        Ok(Self { reader, schema: Arc::new(schema), shown, row: 0 })
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let batch = guarded(&self.shown, WHAT, || match &mut self.reader {
            Reader::File(reader) => reader.next().transpose(),
            Reader::Stream(reader) => reader.next().transpose(),
        })?;
        let Some(batch) = batch else { return Ok(None) };
        let places: Result<Vec<usize>, _> =
            self.schema.fields().iter().map(|field| batch.schema_ref().index_of(field.name())).collect();
        let batch = places.and_then(|places| batch.project(&places));
        batch.map(Some).map_err(|why| error::arrow("choosing columns", &why))
    }
}
