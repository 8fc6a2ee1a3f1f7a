//! Lines of text files, one file after the other, in bounded memory.
//!
//! Nothing here knows what a line means.

use std::sync::Arc;

use modrack_core::Result;
use modrack_core::plan::FormatOptions;

use crate::error;
use crate::input::{InputFile, Meter, Stream};

/// How much is read at once.
const STEP: usize = 1 << 20;
/// How much a batch may hold, however few lines that is.
const BATCH_BYTES: usize = 16 << 20;
/// How long one line may be.
const LINE_BYTES: usize = 256 << 20;

/// What is read.
pub(crate) enum Inputs {
    /// Files, one after the other.
    Files(Vec<InputFile>),
    /// One stream that can be read once.
    One(Stream),
}

/// One file's lines.
pub(crate) struct Lines {
    stream: Stream,
    buffer: Vec<u8>,
    filled: usize,
    next: usize,
    ended: bool,
    line: u64,
    start: (usize, u64),
    spans: Vec<(usize, usize)>,
}

/// The lines of several files.
pub(crate) struct LineFiles {
    files: std::vec::IntoIter<InputFile>,
    first: Option<Stream>,
    current: Option<Lines>,
    options: FormatOptions,
    meter: Meter,
}

impl Lines {
    /// The lines of `stream`; a byte order mark at its start is passed by.
    ///
    /// # Errors
    /// What reading the first bytes fails with.
    pub(crate) fn new(stream: Stream) -> Result<Self> {
        let mut lines = Self {
            stream,
            buffer: Vec::new(),
            filled: 0,
            next: 0,
            ended: false,
            line: 0,
            start: (0, 0),
            spans: Vec::new(),
        };
        while lines.filled < 3 && !lines.ended {
            lines.fill()?;
        }
        if lines.buffer[..lines.filled].starts_with(b"\xef\xbb\xbf") {
            lines.next = 3;
        }
        Ok(lines)
    }

    /// Takes up to `most` lines, fewer where they are long; none at the end.
    ///
    /// # Errors
    /// What reading fails with, and `M0606` for a line that is no line.
    pub(crate) fn take(&mut self, most: usize) -> Result<usize> {
        self.spans.clear();
        self.buffer.copy_within(self.next..self.filled, 0);
        self.filled -= self.next;
        self.next = 0;
        self.start = (0, self.line);
        let mut searched = 0;
        while self.spans.len() < most {
            let end = self.buffer[searched..self.filled].iter().position(|&byte| byte == b'\n');
            let (to, next) = match end {
                Some(at) => (searched + at, searched + at + 1),
                None if self.ended && self.next == self.filled => break,
                None if self.ended => (self.filled, self.filled),
                None if !self.spans.is_empty() && self.filled >= BATCH_BYTES => break,
                None if self.filled - self.next > LINE_BYTES => {
                    let why = format!("line {} is longer than {} MiB", self.line + 1, LINE_BYTES >> 20);
                    return Err(error::bad_file(self.stream.shown(), "text", why));
                }
                None => {
                    searched = self.filled;
                    self.fill()?;
                    continue;
                }
            };
            let line = &self.buffer[self.next..to];
            let end = to - usize::from(line.ends_with(b"\r"));
            self.spans.push((self.next, end));
            (self.next, searched) = (next, next);
            self.line += 1;
        }
        Ok(self.spans.len())
    }

    /// How many lines were taken last.
    pub(crate) fn taken(&self) -> usize {
        self.spans.len()
    }

    /// A line of those that were taken last.
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let (from, to) = self.spans[index];
        &self.buffer[from..to]
    }

    /// The number of a line of those that were taken last, counted from 1.
    pub(crate) fn number(&self, index: usize) -> u64 {
        self.start.1 + index as u64 + 1
    }

    /// Goes back to before the lines that were taken last.
    pub(crate) fn rewind(&mut self) {
        (self.next, self.line) = self.start;
    }

    /// The name that messages use.
    pub(crate) fn shown(&self) -> &Arc<str> {
        self.stream.shown()
    }

    fn fill(&mut self) -> Result<()> {
        if self.buffer.len() < self.filled + STEP {
            // Doubled, so that a long line is not copied once for each step.
            self.buffer.resize((self.filled + STEP).max(self.buffer.len() * 2), 0);
        }
        let count = self.stream.read(&mut self.buffer[self.filled..])?;
        self.filled += count;
        self.ended = count == 0;
        Ok(())
    }
}

impl LineFiles {
    /// The lines of what is read.
    pub(crate) fn new(inputs: Inputs, options: &FormatOptions, meter: Meter) -> Self {
        let (files, first) = match inputs {
            Inputs::Files(files) => (files, None),
            Inputs::One(stream) => (Vec::new(), Some(stream)),
        };
        Self { files: files.into_iter(), first, current: None, options: options.clone(), meter }
    }

    /// The file that is read now, with its next lines taken; none at the end. The flag says whether the
    /// file is new.
    ///
    /// # Errors
    /// What opening and reading fail with.
    pub(crate) fn take(&mut self, most: usize) -> Result<Option<(&mut Lines, bool)>> {
        let mut new = false;
        loop {
            if self.current.is_none() {
                let stream = match (self.first.take(), self.files.next()) {
                    (Some(stream), _) => stream,
                    (None, Some(file)) => super::next_stream(&file, &self.options, &self.meter)?,
                    (None, None) => return Ok(None),
                };
                self.current = Some(Lines::new(stream)?);
                new = true;
            }
            let empty = match &mut self.current {
                Some(lines) => lines.take(most)? == 0,
                None => true,
            };
            if !empty {
                return Ok(self.current.as_mut().map(|lines| (lines, new)));
            }
            self.current = None;
        }
    }

    /// The files that come after the one that is read now.
    pub(crate) fn coming(&self) -> &[InputFile] {
        self.files.as_slice()
    }
}
