//! What a run did and does: figures for whoever shows them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use modrack_core::{PipelineName, StageCounts};

/// Who is told how a run goes.
pub trait Progress: Sync {
    /// Something happened since the last time; called from the thread that runs the stages, often.
    fn update(&self, now: &Snapshot);

    /// The run is over, whether it failed or not.
    fn ended(&self, _summary: &Summary) {}
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Rows that were read, those that could not be included.
    pub rows_in: u64,
    /// Rows that were written.
    pub rows_out: u64,
    /// Rows that failed and were skipped.
    pub skipped: u64,
    /// Rows that failed and went to quarantine.
    pub quarantined: u64,
    /// Bytes of the source that were read, as they lie on the disk.
    pub bytes_read: u64,
    /// Bytes that the source has, where that is known.
    pub bytes_total: Option<u64>,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Rows that were read, those that could not be included.
    pub rows_in: u64,
    /// Rows that were written; of a run that failed, none of them is anywhere to be found.
    pub rows_out: u64,
    /// Rows that failed and were skipped.
    pub skipped: u64,
    /// Rows that failed and went to quarantine.
    pub quarantined: u64,
    /// From beginning to end.
    pub time: Duration,
    /// What each stage did, in order.
    pub stages: Vec<StageSummary>,
    /// Time spent reading.
    pub read_time: Duration,
    /// Time spent writing.
    pub write_time: Duration,
    /// The files that were written; of a dry run, those that would be.
    pub outputs: Vec<PathBuf>,
    /// The quarantine files that were written.
    pub quarantines: Vec<PathBuf>,
    /// Whether nothing was read beyond the columns, run or written.
    pub dry_run: bool,
    /// The source's columns with their types, where they are known before a row is read.
    pub columns: Vec<(String, String)>,
}

/// What one stage did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageSummary {
    /// Its name.
    pub name: String,
    /// Rows that came in.
    pub rows_in: u64,
    /// Rows that went out.
    pub rows_out: u64,
    /// Rows that failed and were skipped.
    pub skipped: u64,
    /// Rows that failed and went to quarantine.
    pub quarantined: u64,
    /// Time spent in it.
    pub time: Duration,
}

impl StageSummary {
    /// A stage that did nothing yet.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds what it did in one step.
    pub(crate) fn add(&mut self, step: &StageCounts) {
        self.rows_in += step.rows_in;
        self.rows_out += step.rows_out;
        self.skipped += step.skipped;
        self.quarantined += step.quarantined;
        self.time += step.time;
    }
}

/// Figures that the threads of a run share.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rows_in: AtomicU64,
    pub(crate) rows_out: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) quarantined: AtomicU64,
    pub(crate) read_nanos: AtomicU64,
    pub(crate) write_nanos: AtomicU64,
}

impl Tally {
    /// Adds to a figure.
    pub(crate) fn add(figure: &AtomicU64, count: u64) {
        figure.fetch_add(count, Ordering::Relaxed);
    }

    /// Adds to a time.
    pub(crate) fn spend(figure: &AtomicU64, time: Duration) {
        figure.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A figure as it is now.
    pub(crate) fn get(figure: &AtomicU64) -> u64 {
        figure.load(Ordering::Relaxed)
    }

    /// Rows that failed and were not the end of the run.
    pub(crate) fn failed(&self) -> u64 {
        Self::get(&self.skipped) + Self::get(&self.quarantined)
    }
}
