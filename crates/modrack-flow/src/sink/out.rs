//! Bytes on their way out: packed where that is asked for, with the system's own reason kept when it refuses.
//!
//! The writers of formats wrap what the system said in errors of their own; the reason is kept aside, so that
//! a full disk is told as a full disk.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::write::GzEncoder;
use modrack_core::plan::Compression;
use modrack_core::{Error, Result};

use crate::error;

const BUFFER: usize = 1 << 18;

/// Where bytes go, and what became of it.
#[derive(Clone)]
pub(crate) struct Fate {
    shown: Arc<str>,
    refused: Arc<Mutex<Option<Refused>>>,
}

/// What the system said: its errors cannot be copied, what they are made of can.
type Refused = (io::ErrorKind, Option<i32>);

/// A writer that packs on the way.
pub(crate) enum Out {
    Plain(BufWriter<Raw>),
    Gzip(GzEncoder<BufWriter<Raw>>),
    Zstd(zstd::Encoder<'static, BufWriter<Raw>>),
}

/// What the bytes end in.
pub(crate) struct Raw {
    inner: Box<dyn Write + Send>,
    fate: Fate,
}

impl Fate {
    /// Nothing was refused yet.
    pub(crate) fn new(shown: Arc<str>) -> Self {
        Self { shown, refused: Arc::new(Mutex::new(None)) }
    }

    /// How messages name where the bytes go.
    pub(crate) fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// What the system refused, if it did.
    pub(crate) fn refused(&self) -> Option<io::Error> {
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.map(|(kind, number)| number.map_or_else(|| kind.into(), io::Error::from_raw_os_error))
    }

    /// The failure of a writer of `what`: the system's reason where there is one, else its own.
    pub(crate) fn failure(&self, what: &str, why: impl std::fmt::Display) -> Error {
        match self.refused() {
            Some(refused) => error::unwritable(&self.shown, &refused),
            None => error::unwritable_rows(&self.shown, what, why),
        }
    }

    /// Whether whoever read what is written has gone.
    pub(crate) fn reader_left(&self) -> bool {
        self.refused().is_some_and(|why| why.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl Out {
    /// A writer into `inner`, packed as `packed` says.
    ///
    /// # Errors
    /// A packer that cannot be set up.
    pub(crate) fn new(inner: Box<dyn Write + Send>, packed: Compression, fate: &Fate) -> Result<Self> {
        let raw = BufWriter::with_capacity(BUFFER, Raw { inner, fate: fate.clone() });
        Ok(match packed {
            Compression::Gzip => Self::Gzip(GzEncoder::new(raw, flate2::Compression::default())),
            Compression::Zstd => {
                Self::Zstd(zstd::Encoder::new(raw, 0).map_err(|why| fate.failure("Zstandard", why))?)
            }
            Compression::None | Compression::Snappy | Compression::Lz4 => Self::Plain(raw),
        })
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// What the system refuses.
    pub(crate) fn close(self) -> io::Result<()> {
        let mut raw = match self {
            Self::Plain(raw) => raw,
            Self::Gzip(packer) => packer.finish()?,
            Self::Zstd(packer) => packer.finish()?,
        };
        raw.flush()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.write(bytes),
            Self::Gzip(packer) => packer.write(bytes),
            Self::Zstd(packer) => packer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(raw) => raw.flush(),
            Self::Gzip(packer) => packer.flush(),
            Self::Zstd(packer) => packer.flush(),
        }
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.noted(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.noted(flushed)
    }
}

impl Raw {
    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(why) = &result
            && why.kind() != io::ErrorKind::Interrupted
        {
            let mut refused = self.fate.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.get_or_insert((why.kind(), why.raw_os_error()));
        }
        result
    }
}
