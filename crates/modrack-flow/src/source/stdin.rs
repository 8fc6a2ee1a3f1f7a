//! The standard input, read so that waiting for it can be given up.
//!
//! A read of a terminal or pipe blocks for as long as it likes. A thread of its own does the reading and is
//! left behind when the run is over; it ends with its next read, or with the process.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use modrack_core::{Cancel, Result};

use crate::error;

/// How often it is asked whether the run was given up.
const PATIENCE: Duration = Duration::from_millis(50);

/// Input that stops waiting when the run is given up: then it fails as `ConnectionAborted`.
pub(crate) struct Patient {
    coming: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
    ended: bool,
    cancel: Cancel,
}

impl Patient {
    /// Begins to read `input`.
    ///
    /// # Errors
    /// `M0602` when the system has no thread to give.
    pub(crate) fn new(mut input: Box<dyn Read + Send>, cancel: Cancel) -> Result<Self> {
        let (send, coming) = sync_channel(2);
        std::thread::Builder::new()
            .name("modrack-stdin".into())
            .spawn(move || {
                loop {
                    let mut piece = vec![0; 1 << 18];
                    let read = match input.read(&mut piece) {
                        Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                        Ok(count) => {
                            piece.truncate(count);
                            Ok(piece)
                        }
                        Err(why) => Err(why),
                    };
                    let last = !matches!(&read, Ok(piece) if !piece.is_empty());
                    if send.send(read).is_err() || last {
                        return;
                    }
                }
            })
            .map_err(|why| error::unreadable(super::STDIN, &why))?;
        Ok(Self { coming, piece: io::Cursor::default(), ended: false, cancel })
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || self.ended || buffer.is_empty() {
                return Ok(count);
            }
            match self.coming.recv_timeout(PATIENCE) {
                Ok(piece) => {
                    let piece = piece?;
                    self.ended = piece.is_empty();
                    self.piece = io::Cursor::new(piece);
                }
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
                Err(RecvTimeoutError::Timeout) if self.cancel.is_cancelled() => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}
