//! A run of a pipeline: reading, stages and writing at the same time, each ending when another one fails.
//!
//! The stages run on the calling thread. Every wait of that thread goes through the rack, because who waits
//! while it holds an interpreter blocks whoever needs it to end the wait.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use modrack_core::plan::{Endpoint, PipelinePlan};
use modrack_core::{Cancel, Code, Error, Fed, Place, Result, RowPlace};
use modrack_runtime::Rack;

use crate::groups::{self, Line};
use crate::input::{InputFile, Meter};
use crate::quarantine::Quarantine;
use crate::read::{Coming, Ended, Reader, check_most};
use crate::sink::{self, Sink};
use crate::source::{self, Chunk, Opening, Source};
use crate::summary::{Progress, Snapshot, StageSummary, Summary, Tally};
use crate::write::{Going, Writer, Written};
use crate::{check, error};

/// Batches that wait between two threads.
const BETWEEN: usize = 2;
/// How often a wait is left to see whether the run was given up.
const PATIENCE: Duration = Duration::from_millis(50);

/// How a pipeline is run.
#[derive(Default)]
pub struct RunOptions {
    /// How many rows are read at most, those that cannot be included; none means all.
    pub limit: Option<u64>,
    /// Whether nothing is to be run or written: the source's columns are read, and everything else is checked.
    pub dry_run: bool,
    /// How many rows may fail before the run fails; none means any number.
    pub max_errors: Option<u64>,
    /// How the run is given up.
    pub cancel: Cancel,
    /// The standard input; none means the process's own.
    pub stdin: Option<Box<dyn Read + Send>>,
    /// The standard output; none means the process's own.
    pub stdout: Option<Box<dyn Write + Send>>,
}

/// Runs a pipeline. The sink's file has its name only when all went well; otherwise nothing of it is left.
///
/// # Errors
/// What the source, a stage or the sink failed with, where nothing else was decided about it; `M0612` when
/// more rows failed than may; `M0801` when it was given up. Quarantine files are kept all the same.
pub fn run(
    rack: &Rack,
    pipeline: &PipelinePlan,
    options: RunOptions,
    progress: &dyn Progress,
) -> Result<Summary> {
    let began = Instant::now();
    let mut summary = Summary {
        pipeline: pipeline.name.clone(),
        rows_in: 0,
        rows_out: 0,
        skipped: 0,
        quarantined: 0,
        time: Duration::ZERO,
        stages: pipeline.stages.iter().map(|stage| StageSummary::new(&stage.name)).collect(),
        read_time: Duration::ZERO,
        write_time: Duration::ZERO,
        outputs: Vec::new(),
        quarantines: Vec::new(),
        dry_run: options.dry_run,
        columns: Vec::new(),
    };
    let cancel = options.cancel.clone();
    let tally = Tally::default();
    let done = prepare_and_run(rack, pipeline, options, progress, &tally, &mut summary);
    summary.rows_in = Tally::get(&tally.rows_in);
    summary.rows_out = Tally::get(&tally.rows_out);
    summary.skipped = Tally::get(&tally.skipped);
    summary.quarantined = Tally::get(&tally.quarantined);
    summary.read_time = Duration::from_nanos(Tally::get(&tally.read_nanos));
    summary.write_time = Duration::from_nanos(Tally::get(&tally.write_nanos));
    summary.time = began.elapsed();
    progress.ended(&summary);
    match done {
        Ok(()) => Ok(summary),
        // Whatever a module raised because it was told to stop, the reason is the interrupt.
        Err(_) if cancel.is_cancelled() => Err(error::interrupted()),
        Err(why) => Err(why),
    }
}

fn prepare_and_run(
    rack: &Rack,
    pipeline: &PipelinePlan,
    options: RunOptions,
    progress: &dyn Progress,
    tally: &Tally,
    summary: &mut Summary,
) -> Result<()> {
    if let Some(why) = Error::all(check::coherent(pipeline)) {
        return Err(why);
    }
    if options.dry_run
        && let Some(why) = Error::all(check::check(rack, pipeline))
    {
        return Err(why);
    }
    let files = source::list(rack, &pipeline.source)?;
    check::files_are_apart(rack, pipeline, &files)?;
    let meter = Meter::default();
    let bytes_total = match &pipeline.source.from {
        Endpoint::Files(..) => Some(files.iter().map(|file| file.bytes).sum()),
        Endpoint::Standard(_) | Endpoint::Slot(..) => None,
    };
    let output = sink::path(rack.root(), &pipeline.sink);
    if options.dry_run {
        summary.columns = dry_columns(rack, pipeline, &files, &options.cancel)?;
        summary.outputs = output.into_iter().collect();
        return Ok(());
    }
    let source = source::open(
        Opening {
            rack,
            plan: &pipeline.source,
            stdin: options.stdin,
            meter: meter.clone(),
            cancel: options.cancel.clone(),
        },
        files,
    )?;
    let schema = source.schema();
    summary.columns = schema.as_ref().map(columns).unwrap_or_default();
    let line = Line::prepare(rack, pipeline, &options.cancel)?;
    let sink = Sink::open(rack, &pipeline.sink, options.stdout, options.cancel.clone())?;
    let beside = output.as_deref().and_then(|path| path.parent());
    let quarantine = Quarantine::new(rack.root(), beside, &pipeline.name);
    let run = Run {
        rack,
        pipeline,
        line,
        progress,
        tally,
        quarantine: &quarantine,
        summary,
        schema,
        meter,
        bytes_total,
        limit: options.limit,
        max_errors: options.max_errors,
        cancel: &options.cancel,
    };
    let done = run.go(source, sink);
    // Whatever became of the run, the rows that were put aside are kept.
    let kept = quarantine.save();
    match (done, kept) {
        (Ok(()), Ok(files)) => {
            summary.quarantines.extend(files);
            Ok(())
        }
        (Err(why), Ok(files)) => {
            let why = match (why.code(), files.first(), why.hint_text()) {
                (Code::TooManyErrors, Some(file), Some(hint)) => {
                    let hint =
                        format!("{hint}; those put aside are in `{}`", error::shown(file, rack.root()));
                    why.hint(hint)
                }
                _ => why,
            };
            summary.quarantines.extend(files);
            Err(why)
        }
        (Ok(()), Err(why)) | (Err(why), Err(_)) => Err(why),
    }
}

/// The source's columns, without loading a module or waiting for input.
fn dry_columns(
    rack: &Rack,
    pipeline: &PipelinePlan,
    files: &[InputFile],
    cancel: &Cancel,
) -> Result<Vec<(String, String)>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let opening = Opening {
        rack,
        plan: &pipeline.source,
        stdin: None,
        meter: Meter::default(),
        cancel: cancel.clone(),
    };
    let source = source::open(opening, files.to_vec())?;
    Ok(source.schema().as_ref().map(columns).unwrap_or_default())
}

fn columns(schema: &SchemaRef) -> Vec<(String, String)> {
    let words = |field: &std::sync::Arc<arrow_schema::Field>| {
        (field.name().clone(), source::type_words(field.data_type()))
    };
    schema.fields().iter().map(words).collect()
}

struct Run<'a> {
    rack: &'a Rack,
    pipeline: &'a PipelinePlan,
    line: Line<'a>,
    progress: &'a dyn Progress,
    tally: &'a Tally,
    quarantine: &'a Quarantine,
    summary: &'a mut Summary,
    schema: Option<SchemaRef>,
    meter: Meter,
    bytes_total: Option<u64>,
    limit: Option<u64>,
    max_errors: Option<u64>,
    cancel: &'a Cancel,
}

/// Why the stages stopped before the end.
enum Halt {
    Failed(Error),
    /// The reader or the writer is gone, and knows why.
    Alone,
}

impl From<Error> for Halt {
    fn from(why: Error) -> Self {
        Self::Failed(why)
    }
}

impl Run<'_> {
    fn go(mut self, source: Box<dyn Source>, sink: Sink) -> Result<()> {
        let on_errors = groups::on_errors(self.rack, self.pipeline);
        let (tally, quarantine, cancel) = (self.tally, self.quarantine, self.cancel);
        let (limit, max_errors) = (self.limit, self.max_errors);
        let reader = Reader { source, on_errors: &on_errors, quarantine, tally, limit, max_errors, cancel };
        let writer = Writer { sink, on_errors: &on_errors, quarantine, tally, max_errors, cancel };
        let (to_stages, coming) = sync_channel(BETWEEN);
        let (going, to_writer) = sync_channel(BETWEEN);
        let (staged, read, written) = std::thread::scope(|scope| {
            let spawn = |name: &str| std::thread::Builder::new().name(name.into());
            let reader = spawn("modrack-read").spawn_scoped(scope, move || reader.run(&to_stages));
            let writer = spawn("modrack-write").spawn_scoped(scope, move || writer.run(&to_writer));
            let staged = match (&reader, &writer) {
                // A panic here must not leave the other threads without a word.
                (Ok(_), Ok(_)) => catch_unwind(AssertUnwindSafe(|| self.stages(&coming, &going)))
                    .unwrap_or_else(|panic| Err(Halt::Failed(panicked("a stage", &*panic)))),
                (Err(why), _) | (_, Err(why)) => {
                    Err(Halt::Failed(error::internal(&format!("no thread could be started: {why}"))))
                }
            };
            // With these gone, the other sides end too.
            drop(coming);
            drop(going);
            (staged, self.joined(reader.ok()), self.joined(writer.ok()))
        });
        let read = read.unwrap_or_else(|panic| Ended::Failed(panicked("the reader", &*panic)));
        let (ended, written) = written
            .unwrap_or_else(|panic| (Ended::Failed(panicked("the writer", &*panic)), Written::default()));
        self.summary.outputs.extend(written.output);
        self.summary.quarantines.extend(written.quarantines);
        self.tell();
        match (staged, ended, read) {
            (Err(Halt::Failed(why)), _, _) | (_, Ended::Failed(why), _) | (_, _, Ended::Failed(why)) => {
                Err(why)
            }
            // A reader of the standard output that has gone ends the run well.
            (_, Ended::Well, _) => Ok(()),
            _ if cancel.is_cancelled() => Err(error::interrupted()),
            _ => Err(error::internal("a run ended and nobody knows why")),
        }
    }

    /// Waits for a thread; one that was never started has nothing to say.
    fn joined<T: Send + Default>(&self, thread: Option<ScopedJoinHandle<'_, T>>) -> std::thread::Result<T> {
        let mut thread = thread;
        let mut joined = Ok(T::default());
        self.rack.waiting(&mut || {
            if let Some(thread) = thread.take() {
                joined = thread.join();
            }
        });
        joined
    }

    fn stages(&mut self, coming: &Receiver<Coming>, going: &SyncSender<Going>) -> Result<(), Halt> {
        loop {
            self.tell();
            match self.receive(coming)? {
                Coming::Rows(Chunk { batch, place }) => {
                    self.line.follow()?;
                    self.feed(0, batch, &place, going)?;
                }
                Coming::End => break,
            }
        }
        for at in 0..self.line.groups.len() {
            let group = &mut self.line.groups[at];
            let pin = group.pins.first().cloned();
            let fed = match pin {
                Some(pin) => pin.within(|| group.run.finish()),
                None => group.run.finish(),
            };
            group.count(fed.as_ref().ok());
            let fed = fed.map_err(|why| group.blame(why))?;
            self.pass(at, fed, &RowPlace::default(), going)?;
        }
        let schema = self.schema_if_empty();
        self.send(going, Going::End(schema))
    }

    /// The columns of an output without rows: those of the last stage that says them, else the source's.
    fn schema_if_empty(&self) -> SchemaRef {
        let said = self.pipeline.stages.iter().rev().find_map(|stage| stage.schema.as_ref());
        match said {
            Some(columns) => groups::schema(columns),
            None => self.schema.clone().unwrap_or_else(|| source::nullable([])),
        }
    }

    fn feed(
        &mut self,
        at: usize,
        batch: RecordBatch,
        place: &RowPlace,
        going: &SyncSender<Going>,
    ) -> Result<(), Halt> {
        if self.cancel.is_cancelled() {
            return Err(Halt::Failed(error::interrupted()));
        }
        let Some(group) = self.line.groups.get_mut(at) else {
            return self.send(going, Going::Rows(batch, place.clone()));
        };
        let pin = group.pins.first().cloned();
        let fed = match pin {
            Some(pin) => pin.within(|| group.run.feed(batch, place.clone())),
            None => group.run.feed(batch, place.clone()),
        };
        group.count(fed.as_ref().ok());
        let fed = fed.map_err(|why| group.blame(why))?;
        self.pass(at, fed, place, going)
    }

    /// Counts what a group gave and hands it on.
    fn pass(&mut self, at: usize, fed: Fed, place: &RowPlace, going: &SyncSender<Going>) -> Result<(), Halt> {
        let group = &self.line.groups[at];
        let mut skipped = 0;
        for (offset, counts) in fed.counts.iter().enumerate() {
            if let Some(stage) = self.summary.stages.get_mut(group.first + offset) {
                stage.add(counts);
            }
            skipped += counts.skipped;
        }
        Tally::add(&self.tally.skipped, skipped);
        let mut last = None;
        for mut rejected in fed.rejected {
            if let Some(pin) = group.pins.get(rejected.stage) {
                rejected.error = pin.blame(rejected.error);
            }
            let stage =
                self.pipeline.stages.get(group.first + rejected.stage).map_or("", |stage| &stage.name);
            // The line is known for rows of the batch that was just read.
            let line = place.first_line.filter(|_| rejected.row > 0 && rejected.source == place.source);
            let line = line.and_then(|line| (line + rejected.row).checked_sub(place.first_row));
            let rows = rejected.rows.as_ref().map_or(1, |rows| rows.num_rows() as u64);
            self.quarantine.add_rejected(&rejected, stage, line)?;
            Tally::add(&self.tally.quarantined, rows);
            let line = line.and_then(|line| usize::try_from(line).ok());
            let at = Place { file: (&*rejected.source).into(), line, ..Place::default() };
            last = Some((at, rejected.error));
        }
        if skipped > 0 || last.is_some() {
            let (at, last) = last.unzip();
            // Of rows that were skipped it is known only where they were read.
            let at = at.unwrap_or_else(|| Place::file(&*place.source));
            check_most(self.tally, self.max_errors, at, last.as_ref())?;
        }
        // Rows may have gone or come on the way, and then lines are not theirs any more.
        let place = RowPlace { first_line: None, ..place.clone() };
        fed.batches.into_iter().try_for_each(|batch| self.feed(at + 1, batch, &place, going))
    }

    fn receive(&mut self, coming: &Receiver<Coming>) -> Result<Coming, Halt> {
        match coming.try_recv() {
            Ok(coming) => return Ok(coming),
            Err(TryRecvError::Disconnected) => return Err(Halt::Alone),
            Err(TryRecvError::Empty) => {}
        }
        loop {
            if self.cancel.is_cancelled() {
                return Err(Halt::Failed(error::interrupted()));
            }
            let mut got = Err(RecvTimeoutError::Timeout);
            self.rack.waiting(&mut || got = coming.recv_timeout(PATIENCE));
            match got {
                Ok(coming) => return Ok(coming),
                Err(RecvTimeoutError::Disconnected) => return Err(Halt::Alone),
                Err(RecvTimeoutError::Timeout) => {
                    self.tell();
                    self.line.let_go();
                }
            }
        }
    }

    fn send(&self, going: &SyncSender<Going>, what: Going) -> Result<(), Halt> {
        let mut left = match going.try_send(what) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(_)) => return Err(Halt::Alone),
            Err(TrySendError::Full(what)) => Some(what),
        };
        let mut sent = Err(());
        self.rack.waiting(&mut || {
            if let Some(what) = left.take() {
                sent = going.send(what).map_err(drop);
            }
        });
        sent.map_err(|()| Halt::Alone)
    }

    fn tell(&self) {
        self.progress.update(&Snapshot {
            rows_in: Tally::get(&self.tally.rows_in),
            rows_out: Tally::get(&self.tally.rows_out),
            skipped: Tally::get(&self.tally.skipped),
            quarantined: Tally::get(&self.tally.quarantined),
            bytes_read: self.meter.bytes(),
            bytes_total: self.bytes_total,
        });
    }
}

/// What a panic said, as a failure.
fn panicked(who: &str, panic: &(dyn std::any::Any + Send)) -> Error {
    let said =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    error::internal(&format!("{who} panicked: {}", said.unwrap_or("no reason was given")))
}
