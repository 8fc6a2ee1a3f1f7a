//! One step of a run: what came out so far, what was rejected, and how long each stage took.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use modrack_core::{Code, Error, Fed, OnError, Rejected, Result, StageCounts};
use pyo3::prelude::*;

use super::flow::{Before, Numbers, Origin};
use super::seat::Seat;
use crate::arrow::{RowWriter, shown};

/// A step under way.
pub(super) struct Step<'py> {
    pub(super) py: Python<'py>,
    pub(super) fed: Fed,
    /// Whose time runs, and since when.
    runs: usize,
    since: Instant,
}

impl<'py> Step<'py> {
    /// Begins a step of `stages` stages.
    pub(super) fn begin(py: Python<'py>, stages: usize) -> Self {
        let fed = Fed { counts: vec![StageCounts::default(); stages], ..Fed::default() };
        Self { py, fed, runs: 0, since: Instant::now() }
    }

    /// Ends it.
    pub(super) fn end(mut self) -> Fed {
        self.time(0);
        self.fed
    }

    /// Lets the time of `stage` run from now on; gives whose time ran.
    pub(super) fn time(&mut self, stage: usize) -> usize {
        let now = Instant::now();
        self.fed.counts[self.runs].time += now - self.since;
        self.since = now;
        std::mem::replace(&mut self.runs, stage)
    }

    /// The counts of a stage.
    pub(super) fn counts(&mut self, seat: &Seat) -> &mut StageCounts {
        &mut self.fed.counts[seat.index]
    }

    /// Decides about a row whose call raised.
    ///
    /// # Errors
    /// The failure, in full, when it ends the run.
    pub(super) fn raised(
        &mut self,
        seat: &Seat,
        origin: &Origin,
        number: u64,
        before: &Before,
        raised: &PyErr,
    ) -> Result<()> {
        let error = seat.failed_briefly(self.py, raised);
        seat.noted(&error);
        if stops(seat, &error) {
            return Err(self.stopped(seat, origin, number, seat.failed(self.py, raised)));
        }
        self.failed(seat, origin, number, before, error)
    }

    /// Decides about a row that failed.
    ///
    /// # Errors
    /// The failure, with its place, when it ends the run.
    pub(super) fn failed(
        &mut self,
        seat: &Seat,
        origin: &Origin,
        number: u64,
        before: &Before,
        error: Error,
    ) -> Result<()> {
        let Some(to) = self.decided(seat, origin, number, 1, &error)? else { return Ok(()) };
        let (rows, shown) = self.kept(before);
        self.reject(seat, origin, number, Kept { rows, shown }, to, error);
        Ok(())
    }

    /// Decides about all rows of some batches that failed together.
    ///
    /// # Errors
    /// The failure, with the place of the first row, when it ends the run.
    pub(super) fn failed_together(
        &mut self,
        seat: &Seat,
        batches: &[(Arc<Origin>, RecordBatch, Numbers)],
        error: &Error,
    ) -> Result<()> {
        for (origin, batch, numbers) in batches {
            let len = batch.num_rows();
            let Some(to) = self.decided(seat, origin, numbers.get(0), len as u64, error)? else { continue };
            // Rows that are rejected together are numbered on from the first of them.
            let mut from = 0;
            for end in numbers.breaks(len).into_iter().chain([len]) {
                let kept = Kept { rows: Some(batch.slice(from, end - from)), shown: None };
                self.reject(seat, origin, numbers.get(from), kept, to.clone(), error.clone());
                from = end;
            }
        }
        // A stage that was given no rows at all has nobody to decide about.
        if batches.is_empty() { Err(seat.named(error.clone())) } else { Ok(()) }
    }

    /// Decides about rows of which nothing was kept, because none of them can go to quarantine.
    ///
    /// # Errors
    /// The failure when it ends the run.
    pub(super) fn failed_unkept(&mut self, seat: &Seat, rows: u64, error: &Error) -> Result<()> {
        if stops(seat, error) {
            return Err(seat.named(error.clone()));
        }
        self.counts(seat).skipped += rows;
        Ok(())
    }

    /// What is decided about `rows` rows: the file they go to in quarantine, or nothing when they are skipped.
    fn decided(
        &mut self,
        seat: &Seat,
        origin: &Origin,
        number: u64,
        rows: u64,
        error: &Error,
    ) -> Result<Option<Option<Arc<str>>>> {
        if stops(seat, error) {
            return Err(self.stopped(seat, origin, number, error.clone()));
        }
        match seat.spec.on_errors.decide(error) {
            OnError::Quarantine(to) => {
                self.counts(seat).quarantined += rows;
                Ok(Some(to.clone()))
            }
            OnError::Skip | OnError::Stop => {
                self.counts(seat).skipped += rows;
                Ok(None)
            }
        }
    }

    fn reject(
        &mut self,
        seat: &Seat,
        origin: &Origin,
        number: u64,
        kept: Kept,
        to: Option<Arc<str>>,
        error: Error,
    ) {
        self.fed.rejected.push(Rejected {
            stage: seat.index,
            rows: kept.rows,
            shown: kept.shown,
            row: if origin.is_exact() { origin.row(number) } else { 0 },
            source: Arc::clone(origin.source()),
            to,
            error: blurred(seat.named(error), origin, number),
        });
    }

    /// A failure that ends the run, with where the row was read.
    fn stopped(&self, seat: &Seat, origin: &Origin, number: u64, error: Error) -> Error {
        let error = seat.named(error);
        if error.code() == Code::Interrupted {
            return error;
        }
        let Some(place) = origin.place(number) else { return error };
        let key = error.place_of().and_then(|place| place.key.clone());
        let has_line = place.line.is_some();
        let error = error.place(modrack_core::Place { key, ..place });
        if !origin.is_exact() {
            return blurred(error, origin, number);
        }
        if has_line || error.hint_text().is_some() {
            return error;
        }
        error.hint(format!(
            "It was row {} of `{}`; `errors:` says what is done about such rows",
            origin.row(number),
            origin.source()
        ))
    }

    /// A row as it came into its stage: as a table when it can be one, else as Python shows it.
    fn kept(&self, before: &Before) -> (Option<RecordBatch>, Option<String>) {
        match before {
            Before::Lost => (None, None),
            Before::At(batch, at) => (Some(batch.slice(*at, 1)), None),
            Before::Copy(row) => {
                let row = row.bind(self.py);
                let written = RowWriter::begin(self.py, std::slice::from_ref(row), None);
                match written {
                    Ok((mut writer, misfits)) if misfits.is_empty() => (writer.finish().ok(), None),
                    _ => (None, Some(row.repr().map_or_else(|_| shown(row), |text| text.to_string()))),
                }
            }
        }
    }
}

/// A rejected row, in either form.
struct Kept {
    rows: Option<RecordBatch>,
    shown: Option<String>,
}

/// A failure of a row of which only the first row that it may have been made of is known.
fn blurred(error: Error, origin: &Origin, number: u64) -> Error {
    if origin.is_exact() {
        return error;
    }
    let made = format!("was made of those of `{}` from row {} on", origin.source(), origin.row(number));
    let hint = match error.hint_text() {
        Some(hint) => format!("{hint}; the row {made}"),
        None => format!("The row {made}"),
    };
    error.hint(hint)
}

/// Whether a failure ends the run. An interrupt does, whatever was decided about failures.
fn stops(seat: &Seat, error: &Error) -> bool {
    error.code() == Code::Interrupted || *seat.spec.on_errors.decide(error) == OnError::Stop
}
