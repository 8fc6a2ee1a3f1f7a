//! Comma-separated values as a source: headers, column types, rows that are not what they should be.
//!
//! The types are found once, by looking at the first rows of the first files, and hold for all of them;
//! columns are matched by name. Every row that cannot be read is given by itself.

mod cells;
mod split;

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, SchemaRef};
use modrack_core::plan::FormatOptions;
use modrack_core::{Error, Place, Result};

use self::cells::Seen;
use self::split::{Record, Splitter};
use super::{BATCH_ROWS, BadRow, INFER_ROWS, Raw, Read, RowAt, Source};
use crate::error;
use crate::input::{InputFile, Meter, Stream};

/// What is read.
pub(crate) enum Inputs {
    /// Files, one after the other.
    Files(Vec<InputFile>),
    /// One stream that can be read once.
    One(Stream),
}

/// What holds for all files of the source.
struct Layout {
    options: FormatOptions,
    nulls: Vec<Vec<u8>>,
    /// The names of the header, in the order of the first file.
    names: Vec<String>,
    /// The columns that are read.
    schema: SchemaRef,
}

/// A source of comma-separated values.
pub(crate) struct CsvSource {
    layout: Arc<Layout>,
    files: std::vec::IntoIter<InputFile>,
    current: Option<CsvFile>,
    meter: Meter,
}

/// One file while it is read.
struct CsvFile {
    splitter: Splitter,
    shown: Arc<str>,
    /// The names of its own header, in its own order.
    names: Vec<String>,
    /// For each column of the schema its place in this file.
    places: Vec<usize>,
    row: u64,
}

impl CsvSource {
    /// Reads headers and first rows, as many files as it takes to see enough of them.
    ///
    /// # Errors
    /// `M0605` for a header that cannot be one, and what reading fails with.
    pub(crate) fn open(inputs: Inputs, options: FormatOptions, meter: Meter) -> Result<Self> {
        let nulls = match &options.null {
            Some(texts) => texts.iter().map(|text| text.clone().into_bytes()).collect(),
            None => vec![Vec::new()],
        };
        let mut layout = Layout { options, nulls, names: Vec::new(), schema: super::nullable([]) };
        let (mut files, first) = match inputs {
            Inputs::One(stream) => (Vec::new().into_iter(), layout.start(stream)?),
            Inputs::Files(files) => {
                let mut files = files.into_iter();
                let Some(first) = files.next() else {
                    return Ok(Self { layout: Arc::new(layout), files, current: None, meter });
                };
                let stream = super::next_stream(&first, &layout.options, &meter)?;
                (files, layout.start(stream)?)
            }
        };
        let mut first = first;
        layout.names = first.names.clone();
        let names: Vec<&str> = layout.names.iter().map(String::as_str).collect();
        if let Some(key) = layout.options.types.keys().find(|key| !names.contains(&key.as_str())) {
            let whose = format!("`{}`, of which `types:` speaks,", first.shown);
            return Err(error::unknown_column(key, &names, &whose).place(Place::file(&*first.shown)));
        }
        let wanted = super::projection(&names, &layout.options, &first.shown)?;
        let mut seen = vec![Seen::default(); names.len()];
        let most = layout.options.infer_rows.unwrap_or(INFER_ROWS);
        let mut rows = layout.look(&mut first, most, &mut seen)?;
        for file in files.as_slice() {
            if rows >= most {
                break;
            }
            let stream = super::next_stream(file, &layout.options, &Meter::default())?;
            let mut other = layout.start(stream)?;
            layout.agree(&other)?;
            rows += layout.look(&mut other, most - rows, &mut seen)?;
        }
        layout.schema = super::nullable(wanted.iter().map(|&at| {
            let name = layout.names[at].clone();
            let ty = layout
                .options
                .types
                .get(&name)
                .map_or_else(|| seen[at].data_type(), |&ty| super::data_type(ty));
            (name, ty)
        }));
        first.places = wanted;
        files = files.as_slice().to_vec().into_iter();
        Ok(Self { layout: Arc::new(layout), files, current: Some(first), meter })
    }
}

impl Source for CsvSource {
    fn schema(&self) -> Option<SchemaRef> {
        Some(self.layout.schema.clone())
    }

    fn read(&mut self) -> Result<Option<Read>> {
        loop {
            if let Some(file) = &mut self.current {
                match file.read(&self.layout)? {
                    Some(read) => return Ok(Some(read)),
                    None => self.current = None,
                }
            }
            let Some(next) = self.files.next() else { return Ok(None) };
            let stream = super::next_stream(&next, &self.layout.options, &self.meter)?;
            let mut file = self.layout.start(stream)?;
            self.layout.agree(&file)?;
            let schema = &self.layout.schema;
            file.places = schema
                .fields()
                .iter()
                .map(|field| {
                    let own = file.names.iter().position(|name| name == field.name());
                    own.ok_or_else(|| error::internal("a column that both headers have is gone"))
                })
                .collect::<Result<_>>()?;
            self.current = Some(file);
        }
    }
}

impl Layout {
    fn has_header(&self) -> bool {
        self.options.header.unwrap_or(true)
    }

    fn is_null(&self, cell: &[u8]) -> bool {
        self.nulls.iter().any(|null| null == cell)
    }

    /// Opens a file and reads its header.
    fn start(&self, stream: Stream) -> Result<CsvFile> {
        let mut splitter = Splitter::new(stream, self.options.delimiter.unwrap_or(b','))?;
        let shown = splitter.shown().clone();
        if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = splitter.head() {
            return Err(error::bad_header(&shown, 1, format!("`{shown}` is UTF-16 text, not UTF-8"))
                .hint("Save it as UTF-8: `iconv -f UTF-16 -t UTF-8`"));
        }
        let Some(&record) = splitter.split(1)?.first() else {
            return Err(error::bad_header(&shown, 1, format!("`{shown}` is empty"))
                .hint("A CSV file has at least a header; leave the file out, or write it again"));
        };
        if record.unclosed {
            return Err(error::bad_header(&shown, record.line, "A quote in the header is never closed")
                .hint("Close it, or double it where a quote is meant: `\"\"`"));
        }
        let names = if self.has_header() {
            header(&splitter, &record, &shown)?
        } else {
            let names = (1..=record.width()).map(|at| format!("column_{at}")).collect();
            splitter.rewind();
            names
        };
        Ok(CsvFile { splitter, shown, names, places: Vec::new(), row: 0 })
    }

    /// A later file must have the columns of the first, in whatever order.
    fn agree(&self, file: &CsvFile) -> Result<()> {
        let differ = |message: String| {
            Err(error::bad_header(&file.shown, 1, message).hint(
                "Files of one source have the same columns; name them in sources of their own otherwise",
            ))
        };
        if !self.has_header() && file.names.len() != self.names.len() {
            let (has, others) = (file.names.len() as u64, self.names.len() as u64);
            let has = error::counted(has, "column");
            return differ(format!("`{}` has {has} where the files before it have {others}", file.shown));
        }
        if let Some(name) = file.names.iter().find(|name| !self.names.contains(name)) {
            return differ(format!("`{}` has a column `{name}` that the files before it lack", file.shown));
        }
        if let Some(name) = self.names.iter().find(|name| !file.names.contains(name)) {
            return differ(format!("`{}` lacks the column `{name}` of the files before it", file.shown));
        }
        Ok(())
    }

    /// Looks at up to `most` rows without taking them, and says how many there were.
    fn look(&self, file: &mut CsvFile, most: usize, seen: &mut [Seen]) -> Result<usize> {
        let records = file.splitter.split(most.max(1))?.to_vec();
        let mut own = vec![Seen::default(); file.names.len()];
        let mut repeats = false;
        for record in &records {
            if record.unclosed || record.width() != own.len() || file.is_header_again(record) {
                continue;
            }
            for (at, seen) in own.iter_mut().enumerate() {
                let cell = file.splitter.field(record, at);
                if !self.is_null(cell) {
                    seen.add(cell);
                    repeats |= cell == file.names[at].as_bytes();
                }
            }
        }
        file.splitter.rewind();
        if self.options.header.is_none() {
            self.check_names(file, repeats)?;
        }
        for (name, own) in file.names.iter().zip(own) {
            if let Some(at) = self.names.iter().position(|other| other == name) {
                seen[at].merge(own);
            }
        }
        Ok(records.len())
    }

    /// A first line that holds values is no header: all of it looks like values, or some of it does and the
    /// rest stands in the rows too.
    fn check_names(&self, file: &CsvFile, repeats: bool) -> Result<()> {
        let is_value = |name: &String| {
            self.nulls.iter().any(|n| !n.is_empty() && n == name.as_bytes())
                || cells::looks_like_value(name.as_bytes())
        };
        let all = file.names.iter().all(is_value);
        let Some(value) = file.names.iter().find(|name| is_value(name)).filter(|_| all || repeats) else {
            return Ok(());
        };
        let message = format!("The first line of `{}` holds values like `{value}`, not names", file.shown);
        Err(error::bad_header(&file.shown, 1, message)
            .hint("Say `header: false` if it has no header, or `header: true` if these are the names"))
    }
}

/// The names of a header, each there once; a column without a name gets its place for one.
fn header(splitter: &Splitter, record: &Record, shown: &str) -> Result<Vec<String>> {
    let mut taken = HashSet::new();
    (0..record.width())
        .map(|at| {
            let bad = |message: String, hint: &str| {
                let place =
                    Place { column: splitter.column(record, at), ..Place::line(shown, record.line as usize) };
                Err(error::bad_header(shown, record.line, message).place(place).hint(hint))
            };
            let name = match std::str::from_utf8(splitter.field(record, at)) {
                Ok("") => format!("column_{}", at + 1),
                Ok(name) => name.to_owned(),
                Err(_) => {
                    return bad(format!("The header of `{shown}` is not UTF-8 text"), "Save it as UTF-8");
                }
            };
            if !taken.insert(name.clone()) {
                return bad(
                    format!("The header of `{shown}` has the column `{name}` twice"),
                    "Give each column a name of its own",
                );
            }
            Ok(name)
        })
        .collect()
}

impl CsvFile {
    fn is_header_again(&self, record: &Record) -> bool {
        // A single name can well be a value; a whole row of them cannot.
        record.width() == self.names.len()
            && record.width() > 1
            && (0..record.width()).all(|at| self.splitter.field(record, at) == self.names[at].as_bytes())
    }

    fn read(&mut self, layout: &Layout) -> Result<Option<Read>> {
        let most = layout.options.batch_rows.unwrap_or(BATCH_ROWS);
        if self.splitter.split(most)?.is_empty() {
            return Ok(None);
        }
        let mut bad = Vec::new();
        let mut rows = Vec::with_capacity(self.splitter.records().len());
        let mut at = Vec::with_capacity(rows.capacity());
        for index in 0..self.splitter.records().len() {
            let record = self.splitter.records()[index];
            self.row += 1;
            let here = RowAt { row: self.row, line: Some(record.line) };
            match self.check_record(&record, layout) {
                Ok(()) => {
                    rows.push(record);
                    at.push(here);
                }
                Err(why) => bad.push(self.bad_row(&record, here, why)),
            }
        }
        let mut keep = vec![true; rows.len()];
        let columns = layout
            .schema
            .fields()
            .iter()
            .zip(&self.places)
            .map(|(field, &place)| {
                let cells = rows.iter().map(|record| {
                    let cell = self.splitter.field(record, place);
                    (!layout.is_null(cell)).then_some(cell)
                });
                let strict = !layout.options.types.contains_key(field.name());
                cells::column(field.data_type(), strict, cells, &mut |index| {
                    // Of a row's several faults the first is told.
                    if std::mem::replace(&mut keep[index], false) {
                        let why = self.bad_cell(&rows[index], place, field.name(), field.data_type());
                        bad.push(self.bad_row(&rows[index], at[index], why));
                    }
                })
            })
            .collect::<Vec<ArrayRef>>();
        bad.sort_by_key(|bad| bad.row);
        let count = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(layout.schema.clone(), columns, &count)
            .map_err(|why| error::arrow("making a batch of CSV", &why))?;
        Ok(Some(Read { chunks: super::pieces(&batch, &at, &keep, &self.shown), bad }))
    }

    fn check_record(&self, record: &Record, layout: &Layout) -> Result<()> {
        let (has, wants) = (record.width() as u64, self.names.len() as u64);
        if record.unclosed {
            return Err(error::bad_row(
                &self.shown,
                record.line,
                "A quote that is opened here is never closed",
            )
            .hint("Close it, or double it where a quote is meant: `\"\"`"));
        }
        if has != wants {
            let has = error::counted(has, "value");
            let whose = if layout.has_header() { "the header" } else { "the first row" };
            return Err(error::bad_row(
                &self.shown,
                record.line,
                format!("The row has {has} where {whose} has {wants}"),
            )
            .hint("Values that hold the delimiter must be quoted; `delimiter:` says which it is"));
        }
        if layout.has_header() && self.is_header_again(record) {
            return Err(error::bad_header(&self.shown, record.line, "The header stands here again")
                .hint("Remove the line: files were perhaps joined with their headers"));
        }
        Ok(())
    }

    fn bad_cell(&self, record: &Record, place: usize, name: &str, ty: &DataType) -> Error {
        let cell = self.splitter.field(record, place);
        let at = Place {
            file: (&*self.shown).into(),
            line: Some(record.line as usize),
            column: self.splitter.column(record, place),
            key: Some(name.to_owned()),
        };
        let Ok(text) = std::str::from_utf8(cell) else {
            return error::bad_cell(
                at,
                format!("A value of column `{name}` is not UTF-8 text"),
                "Save the file as UTF-8",
            );
        };
        let hint = match better_type(cell) {
            Some(better) => {
                format!("Say its type: `types: {{ {name}: {better} }}`, or list the text under `null:`")
            }
            None => format!(
                "If it stands for no value, list it: `null: [\"\", {}]`",
                super::jsontext::quoted(text)
            ),
        };
        let words = super::type_words(ty);
        error::bad_cell(at, format!("Column `{name}` is {words}, and here it is `{}`", shortened(text)), hint)
    }

    fn bad_row(&self, record: &Record, at: RowAt, error: Error) -> BadRow {
        let raw = self.splitter.raw(record);
        let raw = match std::str::from_utf8(raw) {
            Ok(text) => Raw::Text(text.to_owned()),
            Err(_) => Raw::Bytes(raw.to_vec()),
        };
        BadRow { raw, row: at.row, line: at.line, source: self.shown.clone(), error }
    }
}

/// The type that would take a cell that its column's type does not.
fn better_type(cell: &[u8]) -> Option<&'static str> {
    let mut seen = Seen::default();
    seen.add(cell);
    match seen.data_type() {
        DataType::Float64 => Some("float"),
        DataType::Utf8 if cell.first().is_some_and(u8::is_ascii_digit) => Some("text"),
        DataType::Timestamp(_, Some(_)) => Some("timestamp-utc"),
        DataType::Timestamp(_, None) => Some("timestamp"),
        DataType::Boolean | DataType::Int64 | DataType::Date32 => Some("text"),
        _ => None,
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
