//! Jobs: commands whose output is kept and shown when they have ended, so that two may run side by side.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::count::{Count, Runner};

/// A command with a name, and how what it prints is counted.
pub(crate) struct Job {
    /// The name, as it is shown.
    pub(crate) name: String,
    /// What is run.
    pub(crate) command: Command,
    /// Who counts its tests.
    pub(crate) runner: Runner,
}

/// What came of the jobs so far.
#[derive(Default)]
pub(crate) struct Report {
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    name: String,
    count: Count,
    time: Duration,
    note: String,
}

impl Job {
    /// A job.
    pub(crate) fn new(name: impl Into<String>, command: Command, runner: Runner) -> Self {
        Self { name: name.into(), command, runner }
    }
}

impl Report {
    /// Runs a job to its end and shows what came of it: its output only when it failed.
    pub(crate) fn run(&self, job: Job) {
        let started = Instant::now();
        let (printed, succeeded) = match capture(job.command) {
            Ok(ended) => ended,
            Err(error) => (format!("{error:#}\n"), false),
        };
        let count = Count::read(job.runner, &printed, succeeded);
        if !succeeded {
            print!("{}", framed(&job.name, &printed));
        }
        self.add(Entry { name: job.name, count, time: started.elapsed(), note: skips(&printed) });
    }

    /// Notes that something could not be tested here, and why.
    pub(crate) fn skip(&self, name: &str, why: &str) {
        let note = format!("  {why}\n");
        self.add(Entry { name: name.into(), count: Count::skipped(), time: Duration::ZERO, note });
    }

    /// Notes what came of something that is no command.
    pub(crate) fn tell(&self, name: &str, count: Count, time: Duration, note: String) {
        self.add(Entry { name: name.into(), count, time, note });
    }

    /// Notes that something failed before it could be tested.
    pub(crate) fn fail(&self, name: &str, why: &str) {
        let count = Count { failed: 1, ..Count::default() };
        let note = format!("  {why}\n");
        self.add(Entry { name: name.into(), count, time: Duration::ZERO, note });
    }

    /// Shows every job again in one table, and gives the sum.
    pub(crate) fn close(&self) -> Count {
        let mut total = Count::default();
        println!();
        for entry in &*self.lock() {
            println!("{:<34} {:>7.1} s  {}", entry.name, entry.time.as_secs_f64(), entry.count);
            total += entry.count;
        }
        total
    }

    fn add(&self, entry: Entry) {
        println!("{}: {} in {:.1} s", entry.name, entry.count, entry.time.as_secs_f64());
        print!("{}", entry.note);
        self.lock().push(entry);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Runs a command with stdout and stderr as one text.
pub(crate) fn capture(mut command: Command) -> Result<(String, bool)> {
    let (mut reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let shown = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("{shown} cannot be run"))?;
    // The command keeps its ends of the pipe until it is dropped, and reading ends when all are closed.
    drop(command);
    let mut printed = Vec::new();
    reader.read_to_end(&mut printed)?;
    let status = child.wait()?;
    Ok((String::from_utf8_lossy(&printed).into_owned(), status.success()))
}

fn framed(name: &str, printed: &str) -> String {
    format!("──── {name}\n{}\n────\n", printed.trim_end())
}

/// The reasons that pytest gives for what it skipped (`-ra`).
fn skips(printed: &str) -> String {
    let lines = printed.lines().filter(|line| line.starts_with("SKIPPED ["));
    lines.map(|line| format!("  {line}\n")).collect()
}
