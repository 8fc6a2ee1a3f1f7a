//! The two streams of the command: data on standard output, everything else on standard error.
//!
//! Nothing else in the crate writes to either. A reader of the data that went away (`| head`) ends the command
//! quietly.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use modrack_core::plan::RackText;
use modrack_core::{Cancel, Code, Error};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value as Json;

use crate::args::{Global, LogFormat};
use crate::report;
use crate::style::{Paint, is_coloured};

/// How much a pipe takes without a wait, once it says that it takes anything.
const AT_ONCE: usize = 4096;
/// How often a wait for the other end of a stream is left to see whether the verb was given up.
pub(crate) const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Where the command writes, and how.
pub(crate) struct Output {
    pub(crate) data: Data,
    /// Whether data and errors are JSON.
    pub(crate) json: bool,
    /// Whether events and errors on standard error are JSON, one object a line.
    pub(crate) log_json: bool,
    /// Which events are written.
    pub(crate) level: Level,
    /// Colour on standard error.
    pub(crate) paint: Paint,
    /// Colour on standard output.
    pub(crate) data_paint: Paint,
    /// Whether standard output is a terminal.
    pub(crate) data_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub(crate) words_are_terminal: bool,
    has_data: bool,
    /// The text of the rack, where it stands in no file, for who shows a line of it.
    pub(crate) row: OnceCell<RackText>,
    /// What was done before a failure: further keys of its JSON document.
    done_before: serde_json::Map<String, Json>,
}

/// Which events are written to standard error; errors always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing but errors: no summary, no advice, no progress.
    Quiet,
    /// Summaries, advice and warnings.
    #[default]
    Normal,
    /// What is being done.
    Info,
    /// What is being done, in detail.
    Debug,
}

/// Why a verb did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It failed; the error carries those that were found with it.
    Failed(Error),
    /// Whoever read the data went away.
    ReaderGone,
}

/// What a verb comes to: an exit status.
pub(crate) type Outcome = Result<u8, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Failure {
    /// A failure to write data.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            io::ErrorKind::StorageFull => {
                Self::Failed(Error::new(Code::DiskFull, "No space is left for standard output"))
            }
            _ => Self::Failed(Error::new(
                Code::SinkUnwritable,
                format!("Standard output cannot be written: {}", reason(&error)),
            )),
        }
    }
}

/// The stream for data. Clones write to the same place.
///
/// A reader that takes nothing, as behind a pipe that is full, does not keep a verb from being given up.
#[derive(Clone)]
pub(crate) struct Data {
    file: Option<Arc<File>>,
    /// Whether a write may wait for a reader.
    may_wait: bool,
    gone: Arc<AtomicBool>,
    /// How the verb is given up, once somebody watches for that.
    cancel: Arc<OnceLock<Cancel>>,
}

impl Data {
    fn open(file: Option<File>) -> Self {
        let file = file.or_else(|| io::stdout().as_fd().try_clone_to_owned().ok().map(File::from));
        let is_file = |file: &File| file.metadata().is_ok_and(|meta| meta.is_file());
        let may_wait = !file.as_ref().is_some_and(is_file);
        Self { file: file.map(Arc::new), may_wait, gone: Arc::default(), cancel: Arc::default() }
    }

    /// As much of `bytes` as can be written now, once the reader takes any.
    ///
    /// # Errors
    /// The verb was given up before the reader took any.
    fn taken<'a>(&self, file: &File, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        let Some(cancel) = self.cancel.get().filter(|_| self.may_wait) else { return Ok(bytes) };
        loop {
            match poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&PATIENCE)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {
                    if cancel.is_cancelled() {
                        return Err(io::Error::other("The reader takes nothing, and the verb was given up"));
                    }
                }
                // What cannot be waited for tells by itself what is wrong with it.
                Ok(_) | Err(_) => return Ok(&bytes[..bytes.len().min(AT_ONCE)]),
            }
        }
    }

    /// Whether the reader of the data went away, as far as writes have shown it.
    pub(crate) fn reader_is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// The same, also where nothing was written since: a pipe that nobody reads says so.
    pub(crate) fn reader_left(&self) -> bool {
        let Some(file) = &self.file else { return true };
        let mut pipe = [PollFd::new(&**file, PollFlags::empty())];
        let is_error = poll(&mut pipe, Some(&Timespec::default())).is_ok_and(|count| count > 0);
        is_error && pipe[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
    }
}

impl Write for Data {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &self.file else { return Err(io::Error::other("it is closed")) };
        let bytes = self.taken(file, bytes)?;
        (&**file).write(bytes).inspect_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.gone.store(true, Ordering::Relaxed);
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    /// The streams of this process, as the options and the environment want them.
    pub(crate) fn new(global: &Global, stdout: Option<File>, level: Option<&str>) -> Self {
        let data = Data::open(stdout);
        let data_is_terminal = data.file.as_ref().is_some_and(|file| file.is_terminal());
        let words_are_terminal = io::stderr().is_terminal();
        let level = match (global.quiet, global.verbose, level) {
            (true, ..) => Level::Quiet,
            (false, 0, Some("off" | "error")) => Level::Quiet,
            (false, 0, Some("info")) | (false, 1, _) => Level::Info,
            (false, 0, Some("debug" | "trace")) => Level::Debug,
            (false, 0, _) => Level::Normal,
            (false, ..) => Level::Debug,
        };
        Self {
            data,
            json: global.json,
            log_json: global.log_format == LogFormat::Json,
            level,
            paint: Paint { on: is_coloured(words_are_terminal) },
            data_paint: Paint { on: is_coloured(data_is_terminal) },
            data_is_terminal,
            words_are_terminal,
            has_data: false,
            row: OnceCell::new(),
            done_before: serde_json::Map::new(),
        }
    }

    /// The stream for data itself, for who writes a lot of it.
    pub(crate) fn stream(&mut self) -> Data {
        self.has_data = true;
        self.data.clone()
    }

    /// The stream for data, for who only looks whether it is read.
    pub(crate) fn data(&self) -> Data {
        self.data.clone()
    }

    /// From now on no write of data waits for its reader once the verb is given up.
    pub(crate) fn give_up_with(&self, cancel: Cancel) {
        // The first who watches for it is the one: a verb watches once.
        let _ = self.data.cancel.set(cancel);
    }

    /// Whether the reader of the data went away.
    pub(crate) fn reader_is_gone(&self) -> bool {
        self.data.reader_is_gone()
    }

    /// Writes text as data, as it is.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.has_data = true;
        Ok(self.data.write_all(text.as_bytes())?)
    }

    /// Writes one JSON document and a line feed as data.
    pub(crate) fn print_json(&mut self, document: &Json) -> Result<(), Failure> {
        let text = if self.data_is_terminal {
            serde_json::to_string_pretty(document)
        } else {
            serde_json::to_string(document)
        };
        let text = text.map_err(|error| {
            Error::new(Code::Internal, format!("A document cannot be written as JSON: {error}"))
        })?;
        self.print(&(text + "\n"))
    }

    /// Writes words for people to standard error, unless quiet.
    pub(crate) fn say(&self, text: &str) {
        if self.level > Level::Quiet {
            self.words(text);
        }
    }

    /// Writes what went wrong and stops nobody to standard error, unless quiet.
    pub(crate) fn warn(&self, warning: &Error) {
        if self.log_json {
            self.event(Level::Normal, "warning", &[("error", report::record(warning))]);
        } else {
            self.say(&report::warning(warning, self.paint));
        }
    }

    /// Writes what is wrong with the command line to standard error, as clap words it.
    pub(crate) fn complain(&self, text: &str) {
        self.words(text);
    }

    /// Prints figures to standard error.
    pub(crate) fn figures(&self, text: &str) {
        self.words(text);
    }

    /// Prints a summary as JSON: as data, or to standard error when the data is something else.
    pub(crate) fn print_summary(&mut self, document: &Json, has_other_data: bool) -> Result<(), Failure> {
        if has_other_data {
            self.words(&format!("{document}\n"));
            return Ok(());
        }
        self.print_json(document)
    }

    /// Keeps the keys of `document` for the JSON document of the failure that is about to be reported.
    pub(crate) fn tell_with_failure(&mut self, document: Json) {
        if let Json::Object(keys) = document {
            self.done_before = keys;
        }
    }

    /// Whether a progress bar is to be shown.
    pub(crate) fn shows_progress(&self) -> bool {
        self.words_are_terminal && self.level > Level::Quiet && !self.log_json && !self.json
    }

    /// Writes an event to standard error, when events of this level are wanted.
    pub(crate) fn event(&self, level: Level, name: &str, fields: &[(&str, Json)]) {
        if level > self.level {
            return;
        }
        if self.log_json {
            let mut line = serde_json::Map::new();
            line.insert("time".into(), crate::clock::now_rfc3339().into());
            line.insert("level".into(), if level == Level::Debug { "debug" } else { "info" }.into());
            line.insert("event".into(), name.into());
            for (key, value) in fields {
                line.insert((*key).into(), value.clone());
            }
            self.words(&format!("{}\n", Json::Object(line)));
            return;
        }
        let mut text = format!("{} {name}", self.paint.faint("modrack:"));
        for (key, value) in fields {
            let value = match value {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            text.push_str(&format!(" {}{value}", self.paint.faint(&format!("{key}="))));
        }
        self.words(&(text + "\n"));
    }

    /// Reports a failure and those found with it, where and how the options want it.
    pub(crate) fn report(&mut self, error: &Error) {
        if self.json {
            let mut document = report::document(error);
            if let Json::Object(keys) = &mut document {
                keys.append(&mut self.done_before);
            }
            let text = format!("{document}\n");
            // Standard output holds one document: the data, or what went wrong. Data that has begun stays
            // as it is.
            if self.has_data || self.data.write_all(text.as_bytes()).is_err() {
                self.words(&text);
            }
        } else if self.log_json {
            for each in error.each() {
                let line = serde_json::json!({
                    "time": crate::clock::now_rfc3339(), "level": "error", "error": report::record(each),
                });
                self.words(&format!("{line}\n"));
            }
        } else {
            self.words(&report::text(error, self.row.get(), self.paint));
        }
    }

    /// Reports what went wrong after another failure was reported: for people, never as a second document.
    pub(crate) fn report_more(&self, error: &Error) {
        if !self.json && !self.log_json {
            self.words(&format!("\n{}", report::text(error, self.row.get(), self.paint)));
        }
    }

    fn words(&self, text: &str) {
        // There is nobody left to tell when standard error is gone.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// What the system says of an error, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}
