//! Stages of a pipeline, as a backend sees them: batches in, batches and rejected rows out.
//!
//! A backend may run several neighbouring stages as one ([`crate::Backend::fuse`]); how rows are read, written
//! and counted is the pipeline's.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{Error, Function, Instance, Result};

/// What a stage's function is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Takes {
    /// One row as a mapping; nothing drops it, a list or generator multiplies it.
    #[default]
    Row,
    /// One record batch.
    Batch,
    /// The values of one column as a list; as many come back.
    Column,
    /// All rows of the input as a list of mappings.
    Rows,
    /// The whole input as one table.
    Table,
    /// The whole input as a data frame: `pandas.DataFrame`.
    Pandas,
    /// The whole input as a data frame: `polars.DataFrame`.
    Polars,
}

/// What happens to a row whose stage failed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum OnError {
    /// The run ends.
    #[default]
    Stop,
    /// The row is dropped and counted.
    Skip,
    /// The row, the error and the place go to a file: the one that is named, else the pipeline's own.
    Quarantine(Option<Arc<str>>),
}

/// What a pipeline asks of one stage.
#[derive(Clone, Debug)]
pub struct StageSpec {
    /// The stage's name in messages and figures.
    pub name: String,
    /// What the function is given; none when the module is to say.
    pub takes: Option<Takes>,
    /// The column whose values it takes, for [`Takes::Column`].
    pub column: Option<String>,
    /// After how many rows a stage that takes the whole input is given what has come.
    pub batch: Option<usize>,
    /// The columns that come out, where the configuration says them.
    pub schema: Option<SchemaRef>,
    /// What happens to rows that fail, by the failure.
    pub on_errors: OnErrors,
    /// How long one call of the function may take.
    pub time: Option<Duration>,
}

/// One stage with what fills it.
#[derive(Clone)]
pub struct StageSeat {
    /// The instance that fills it.
    pub instance: Arc<dyn Instance>,
    /// Its function.
    pub function: Arc<dyn Function>,
    /// The function's name.
    pub function_name: String,
    /// What the pipeline asks of it.
    pub spec: StageSpec,
}

/// Neighbouring stages, prepared for one run of a pipeline.
pub trait StageRun: Send {
    /// Takes a batch and gives what comes out at the end of the last stage.
    ///
    /// # Errors
    /// A failure that ends the run.
    fn feed(&mut self, batch: RecordBatch, place: RowPlace) -> Result<Fed>;

    /// Ends the input: whole-input stages run, `finish` of each stage is called, the rest comes out.
    ///
    /// # Errors
    /// A failure that ends the run.
    fn finish(&mut self) -> Result<Fed>;

    /// The calls that were made since this was last asked, in the order of the seats; none where whoever runs the stages
    /// calls their functions as slots are called. Those that a caller's doing ended are not among them.
    fn called(&mut self) -> Vec<StageCalls> {
        Vec::new()
    }

    /// Whether something of the input is kept until [`StageRun::finish`]: a stage that takes the whole input, or a module
    /// with a `finish` of its own. Else other stages may take over after any batch.
    fn keeps(&self) -> bool;
}

/// Where a batch's rows were read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RowPlace {
    /// The file, or the name of what was read.
    pub source: Arc<str>,
    /// The number of the batch's first row in its source, counted from 1.
    pub first_row: u64,
    /// The line on which the first row starts, for text of one row a line.
    pub first_line: Option<u64>,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Fed {
    /// Batches, in order.
    pub batches: Vec<RecordBatch>,
    /// Rows that failed and are to be quarantined; those that are skipped are only counted.
    pub rejected: Vec<Rejected>,
    /// What each stage did, in the order of the seats.
    pub counts: Vec<StageCounts>,
}

/// A row that failed in a stage.
#[derive(Debug)]
pub struct Rejected {
    /// The stage's place among the seats.
    pub stage: usize,
    /// The row or rows as they came into the stage; none when they cannot be had as a table.
    pub rows: Option<RecordBatch>,
    /// The row as its language shows it, when it cannot be had as a table.
    pub shown: Option<String>,
    /// The number of the (first) row in its source, counted from 1.
    pub row: u64,
    /// The source.
    pub source: Arc<str>,
    /// The file it goes to, where the decision named one.
    pub to: Option<Arc<str>>,
    /// Why.
    pub error: Error,
}

/// Calls of a stage's functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageCalls {
    /// How many ended.
    pub count: u64,
    /// How many of them failed.
    pub errors: u64,
}

/// What a stage did in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageCounts {
    /// Rows that came in.
    pub rows_in: u64,
    /// Rows that went out.
    pub rows_out: u64,
    /// Rows that failed and were skipped.
    pub skipped: u64,
    /// Rows that failed and go to quarantine.
    pub quarantined: u64,
    /// Time spent.
    pub time: Duration,
}

/// Decisions by kind or class, the most specific first along the failure's classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnErrors {
    /// Decisions by the name of a kind, or of a class, bare or dotted.
    pub by_name: Vec<(String, OnError)>,
    /// What holds for everything else.
    pub default: OnError,
    /// Whether the default was said: only then it hides what is decided further out.
    pub default_said: bool,
}

impl OnErrors {
    /// These decisions, and behind them those of `outer`: the nearer one wins, name by name.
    #[must_use]
    pub fn over(&self, outer: &Self) -> Self {
        let mut merged = self.clone();
        for (name, decision) in &outer.by_name {
            if !merged.by_name.iter().any(|(known, _)| known == name) {
                merged.by_name.push((name.clone(), decision.clone()));
            }
        }
        if !self.default_said {
            merged.default = outer.default.clone();
            merged.default_said = outer.default_said;
        }
        merged
    }

    /// What is to be done about `error`: its classes are asked for, the most specific first, then its
    /// kind, then the default.
    pub fn decide(&self, error: &Error) -> &OnError {
        let named = |wanted: &str| self.by_name.iter().find(|(name, _)| name == wanted).map(|(_, d)| d);
        for class in error.class_names() {
            let bare = class.rsplit('.').next().unwrap_or(class);
            if let Some(decision) = named(class).or_else(|| named(bare)) {
                return decision;
            }
        }
        named(error.kind().as_str()).unwrap_or(&self.default)
    }
}
