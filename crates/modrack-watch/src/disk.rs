//! What files there are and what is in them. The engine asks here, and tests give answers of their own.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use modrack_core::ContentHash;

use crate::error;
use crate::event::Found;
use crate::route::Node;

/// Files, as the engine sees them.
pub(crate) trait Disk: Send {
    /// What stands under a path whose folder has no links in it.
    fn node(&self, path: &Path) -> Node;
    /// What a path leads to.
    fn read(&self, path: &Path) -> Found;
    /// What can be known of a file without reading it; none of what is no file.
    fn stamp(&self, path: &Path) -> Option<Stamp>;
    /// How long ago a file was changed last, by the system's own note, which nobody can set.
    fn age(&self, path: &Path) -> Option<Duration>;
}

/// What can be known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    identity: (u64, u64),
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
    /// Whether it was changed so lately that the same stamp may stand for other content: clocks of files have ticks.
    pub(crate) is_fresh: bool,
}

/// The longest tick of a file system's clock.
const TICK: Duration = Duration::from_secs(2);

/// The files of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Real;

impl Disk for Real {
    fn node(&self, path: &Path) -> Node {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_symlink() => fs::read_link(path).map_or(Node::Missing, Node::Link),
            Ok(_) => Node::There,
            Err(_) => Node::Missing,
        }
    }

    fn read(&self, path: &Path) -> Found {
        // A folder that has taken a file's place is no file, and reading from a pipe would not end.
        let hash = || {
            if !fs::metadata(path)?.is_file() {
                return Err(io::Error::other("it is not a file"));
            }
            // Bit by bit: a module may be large.
            Ok(blake3::Hasher::new().update_reader(File::open(path)?)?.finalize())
        };
        match hash() {
            Ok(hash) => Found::Content(ContentHash::from_hex(&hash.to_hex())),
            Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Found::Gone
            }
            Err(why) => Found::Unreadable(error::unreadable(path, &why)),
        }
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        // A folder is another with each file in it.
        let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let age = meta.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        Some(Stamp {
            identity: (meta.dev(), meta.ino()),
            size: meta.size(),
            written: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            is_fresh: age.is_none_or(|age| age < TICK),
        })
    }

    fn age(&self, path: &Path) -> Option<Duration> {
        let meta = fs::metadata(path).ok()?;
        let (seconds, nanos) = (u64::try_from(meta.ctime()).ok()?, u32::try_from(meta.ctime_nsec()).ok()?);
        let at = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        SystemTime::now().duration_since(at).ok()
    }
}

impl Stamp {
    /// The stamp without what changes by time alone.
    pub(crate) fn settled(self) -> Self {
        Self { is_fresh: false, ..self }
    }
}

impl Stamp {
    /// Whether nobody saved the file between the two. Other rights, and another name for it, are no save.
    pub(crate) fn is_same_save(self, other: Self) -> bool {
        (self.identity, self.size, self.written) == (other.identity, other.size, other.written)
    }
}

#[cfg(test)]
impl Stamp {
    /// The stamp of a fresh file of this size, after so many writes of any.
    pub(crate) fn scripted(size: u64, writes: u64) -> Self {
        let at = (writes.cast_signed(), 0);
        Self { identity: (0, 0), size, written: at, changed: at, is_fresh: true }
    }
}
