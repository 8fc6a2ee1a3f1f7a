//! The reader's side of a run: batches go to the stages, rows that cannot be read to what is decided.

use std::sync::mpsc::SyncSender;
use std::time::Instant;

use modrack_core::{Cancel, Cause, Code, Error, OnError, OnErrors, Place, Result};

use crate::error;
use crate::quarantine::Quarantine;
use crate::source::{BadRow, Chunk, Read, Source};
use crate::summary::Tally;

/// What comes from the reader.
pub(crate) enum Coming {
    /// Rows.
    Rows(Chunk),
    /// There is nothing more, and everything was read.
    End,
}

/// How a side of a run came to its end.
#[derive(Default)]
pub(crate) enum Ended {
    /// As it should.
    Well,
    /// It failed.
    Failed(Error),
    /// The other side is gone, and knows why.
    #[default]
    Alone,
}

/// What the reader works with.
pub(crate) struct Reader<'a> {
    /// What is read.
    pub(crate) source: Box<dyn Source>,
    /// What is done about rows that cannot be read.
    pub(crate) on_errors: &'a OnErrors,
    /// Where rows go that are kept aside.
    pub(crate) quarantine: &'a Quarantine,
    /// Who counts.
    pub(crate) tally: &'a Tally,
    /// How many rows are read at most.
    pub(crate) limit: Option<u64>,
    /// How many rows may fail.
    pub(crate) max_errors: Option<u64>,
    /// How it is given up.
    pub(crate) cancel: &'a Cancel,
}

impl Reader<'_> {
    /// Reads until the end, the limit, a failure, or until nobody takes what was read.
    pub(crate) fn run(mut self, to: &SyncSender<Coming>) -> Ended {
        let mut left = self.limit.unwrap_or(u64::MAX);
        while left > 0 {
            if self.cancel.is_cancelled() {
                return Ended::Failed(error::interrupted());
            }
            let began = Instant::now();
            let read = self.source.read();
            Tally::spend(&self.tally.read_nanos, began.elapsed());
            let read = match read {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(why) => return Ended::Failed(why),
            };
            match self.pass(read, &mut left, to) {
                Ok(true) => {}
                Ok(false) => return Ended::Alone,
                Err(why) => return Ended::Failed(why),
            }
        }
        if to.send(Coming::End).is_ok() { Ended::Well } else { Ended::Alone }
    }

    /// Passes rows on in the order in which they stood. False when nobody takes them.
    fn pass(&mut self, read: Read, left: &mut u64, to: &SyncSender<Coming>) -> Result<bool> {
        let mut chunks = read.chunks.into_iter().peekable();
        let mut bad = read.bad.into_iter().peekable();
        while *left > 0 {
            let bad_first = match (chunks.peek(), bad.peek()) {
                (Some(chunk), Some(bad)) => bad.row < chunk.place.first_row,
                (None, Some(_)) => true,
                (Some(_), None) => false,
                (None, None) => break,
            };
            if bad_first {
                if let Some(bad) = bad.next() {
                    *left -= 1;
                    self.decide(&bad)?;
                }
            } else if let Some(mut chunk) = chunks.next() {
                let rows = chunk.batch.num_rows() as u64;
                if rows > *left {
                    chunk.batch = chunk.batch.slice(0, usize::try_from(*left).unwrap_or(usize::MAX));
                }
                let rows = rows.min(*left);
                *left -= rows;
                Tally::add(&self.tally.rows_in, rows);
                if to.send(Coming::Rows(chunk)).is_err() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn decide(&self, bad: &BadRow) -> Result<()> {
        Tally::add(&self.tally.rows_in, 1);
        match self.on_errors.decide(&bad.error) {
            OnError::Stop => return Err(bad.error.clone()),
            OnError::Skip => Tally::add(&self.tally.skipped, 1),
            OnError::Quarantine(to) => {
                self.quarantine.add_bad(bad, to.as_ref())?;
                Tally::add(&self.tally.quarantined, 1);
            }
        }
        let line = bad.line.and_then(|line| usize::try_from(line).ok());
        let place = Place { file: (&*bad.source).into(), line, ..Place::default() };
        check_most(self.tally, self.max_errors, place, Some(&bad.error))
    }
}

/// More rows may not fail than were allowed to.
///
/// # Errors
/// `M0612` at the row that was one too many, with what it failed with where that is known.
pub(crate) fn check_most(tally: &Tally, most: Option<u64>, place: Place, last: Option<&Error>) -> Result<()> {
    let failed = tally.failed();
    match most {
        Some(most) if failed > most => {
            let why = format!("{} failed where at most {most} may", error::counted(failed, "row"));
            let error = Error::new(Code::TooManyErrors, why)
                .hint("Mend the rows, or allow more with `--max-errors`")
                .place(place);
            Err(match last {
                Some(last) => {
                    let place = last.place_of().map_or_else(String::new, |place| format!(" ({place})"));
                    error.cause(Cause {
                        class: last.code().as_str().to_owned(),
                        message: format!("{}{place}", last.message()),
                        ..Cause::default()
                    })
                }
                None => error,
            })
        }
        _ => Ok(()),
    }
}
