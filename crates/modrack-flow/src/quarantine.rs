//! Rows that failed and are kept: one JSON object a line, with the row, the error and the place.
//!
//! A quarantine file has its name only once it is whole, and it is kept also when the run fails afterwards:
//! what was put aside is not lost. A file of an earlier run is replaced by the first row of this one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use modrack_core::{Error, PipelineName, Rejected, Result};

use crate::error;
use crate::sink::{Target, json};
use crate::source::jsontext::{base64, quoted};
use crate::source::{BadRow, Raw};

/// The quarantine files of a run.
pub(crate) struct Quarantine {
    root: PathBuf,
    default: PathBuf,
    files: Mutex<BTreeMap<PathBuf, QuarantineFile>>,
}

struct QuarantineFile {
    target: Target,
    out: BufWriter<File>,
}

/// One line of a quarantine file, before it is text.
struct Entry<'a> {
    row: String,
    source: &'a str,
    row_number: Option<u64>,
    line: Option<u64>,
    stage: &'a str,
    error: &'a Error,
}

impl Quarantine {
    /// Nothing is made before the first row comes. `beside` is the sink's folder.
    pub(crate) fn new(root: &Path, beside: Option<&Path>, pipeline: &PipelineName) -> Self {
        let default = beside.unwrap_or(root).join(format!("{pipeline}.quarantine.jsonl"));
        Self { root: root.to_owned(), default, files: Mutex::default() }
    }

    /// The file that rows go to: the one that is named, else the pipeline's own.
    pub(crate) fn path(&self, to: Option<&Arc<str>>) -> PathBuf {
        to.map_or_else(|| self.default.clone(), |to| self.root.join(&**to))
    }

    /// Keeps a row that could not be read.
    ///
    /// # Errors
    /// A quarantine file that cannot be written.
    pub(crate) fn add_bad(&self, bad: &BadRow, to: Option<&Arc<str>>) -> Result<()> {
        let row = match &bad.raw {
            Raw::Text(text) => format!("\"raw\": {}", quoted(text)),
            Raw::Bytes(bytes) => format!("\"raw_base64\": \"{}\"", base64(bytes)),
            Raw::Row(row) => format!("\"row\": {}", one_row(row)?),
        };
        self.add(
            to,
            &[Entry {
                row,
                source: &bad.source,
                row_number: Some(bad.row),
                line: bad.line,
                stage: "source",
                error: &bad.error,
            }],
        )
    }

    /// Keeps rows that failed in a stage, each on a line of its own.
    ///
    /// # Errors
    /// A quarantine file that cannot be written.
    pub(crate) fn add_rejected(&self, rejected: &Rejected, stage: &str, line: Option<u64>) -> Result<()> {
        let rows = match (&rejected.rows, &rejected.shown) {
            (Some(rows), _) => json::lines(rows)?.into_iter().map(|row| format!("\"row\": {row}")).collect(),
            (None, Some(shown)) => vec![format!("\"raw\": {}", quoted(shown))],
            (None, None) => vec!["\"row\": null".to_owned()],
        };
        let many = rows.len() > 1;
        let entries: Vec<_> = rows
            .into_iter()
            .enumerate()
            .map(|(index, row)| Entry {
                row,
                source: &rejected.source,
                // What comes from `finish` was never read anywhere.
                row_number: (rejected.row > 0).then_some(rejected.row + index as u64),
                line: line.filter(|_| !many),
                stage,
                error: &rejected.error,
            })
            .collect();
        self.add(rejected.to.as_ref(), &entries)
    }

    /// Gives every file its name, and says which there are.
    ///
    /// # Errors
    /// A quarantine file that cannot be written.
    pub(crate) fn save(&self) -> Result<Vec<PathBuf>> {
        let files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let mut saved = Vec::new();
        let mut failed = Vec::new();
        for QuarantineFile { target, mut out } in files.into_values() {
            let shown = target.shown().clone();
            let written = out.flush().map_err(|why| error::unwritable(&shown, &why));
            match written.and_then(|()| target.commit()) {
                Ok(path) => saved.push(path),
                Err(why) => failed.push(why),
            }
        }
        Error::all(failed).map_or(Ok(saved), Err)
    }

    fn add(&self, to: Option<&Arc<str>>, entries: &[Entry<'_>]) -> Result<()> {
        let path = self.path(to);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match files.entry(path) {
            std::collections::btree_map::Entry::Occupied(file) => file.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let (target, file) = Target::create(&self.root, place.key())?;
                place.insert(QuarantineFile { target, out: BufWriter::new(file) })
            }
        };
        for entry in entries {
            let written = file.out.write_all(entry.line().as_bytes());
            written.map_err(|why| error::unwritable(file.target.shown(), &why))?;
        }
        Ok(())
    }
}

impl Entry<'_> {
    fn line(&self) -> String {
        let number =
            |number: Option<u64>| number.map_or_else(|| "null".to_owned(), |number| number.to_string());
        let text = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), quoted);
        let error = self.error;
        format!(
            "{{{}, \"source\": {}, \"row_number\": {}, \"line\": {}, \"stage\": {}, \"code\": \"{}\", \
             \"kind\": \"{}\", \"class\": {}, \"message\": {}, \"column\": {}}}\n",
            self.row,
            quoted(self.source),
            number(self.row_number),
            number(self.line),
            quoted(self.stage),
            error.code(),
            error.kind(),
            text(error.class_names().first().map(String::as_str)),
            quoted(error.message()),
            text(error.place_of().and_then(|place| place.key.as_deref())),
        )
    }
}

fn one_row(row: &RecordBatch) -> Result<String> {
    Ok(json::lines(row)?.pop().unwrap_or_else(|| "null".to_owned()))
}
