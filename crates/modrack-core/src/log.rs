//! Lines that modules write to the log of whoever runs them, and what a backend has to say meanwhile.
//!
//! Where they go is the program's own affair: a backend is given a [`Log`], and writes to no stream itself.

use std::fmt;
use std::sync::Arc;

use crate::SlotName;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Steps, for whoever looks for a mistake in them.
    Trace,
    /// What was done, for whoever looks for a mistake.
    Debug,
    /// What happened.
    Info,
    /// Something that may be wrong.
    Warn,
    /// What a module printed.
    Print,
    /// Something that is wrong.
    Error,
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// The slot whose module wrote it; none for a backend's own.
    pub slot: Option<&'a SlotName>,
    /// How much it matters.
    pub level: LogLevel,
    /// What it says.
    pub message: &'a str,
}

/// Where lines go. Without one they go nowhere.
#[derive(Clone, Default)]
pub struct Log(Option<Arc<Write>>);

type Write = dyn Fn(&LogLine<'_>) + Send + Sync;

impl Log {
    /// Lines go to `write`, which must not panic and not wait for a module.
    pub fn new(write: impl Fn(&LogLine<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(write)))
    }

    /// Writes a line.
    pub fn line(&self, line: &LogLine<'_>) {
        if let Some(write) = &self.0 {
            write(line);
        }
    }

    /// Writes a line of a backend's own about what it did.
    pub fn debug(&self, message: &str) {
        self.line(&LogLine { slot: None, level: LogLevel::Debug, message });
    }

    /// Writes a line of a backend's own that something may be wrong.
    pub fn warn(&self, message: &str) {
        self.line(&LogLine { slot: None, level: LogLevel::Warn, message });
    }
}

impl LogLevel {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Print => "print",
            Self::Error => "error",
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Log(given)" } else { "Log(none)" })
    }
}
