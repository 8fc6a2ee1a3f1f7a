//! Who may write a state: one process, and in it one [`crate::RackState`].
//!
//! The lock is a record lock of the system, because that is held by the process alone: it goes however the process ends, and a
//! child that was forked off and lives on does not have it, as it would have one that goes with an open file. Within a process it does not count, so
//! that a list stands beside it; the file is opened once, because closing any descriptor of it would let go.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use modrack_core::Result;
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::error;

/// The folders that this process writes.
static OURS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The right to write a state; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: PathBuf,
    process: u32,
    file: Option<File>,
}

impl Lock {
    /// Takes the right to write what is in `folder`, which is there.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateInUse`] when somebody has it, [`modrack_core::Code::StateUnwritable`] when the
    /// folder cannot be written.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let refused = |why: io::Error| error::unwritable(folder, why);
        let folder = folder.canonicalize().map_err(refused)?;
        let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
        if ours.contains(&folder) {
            return Err(error::in_use(&folder, Some(std::process::id())));
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("lock"))
            .map_err(refused)?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                return Err(error::in_use(&folder, holder(&mut file)));
            }
            Err(why) => return Err(refused(why.into())),
        }
        // Who has it is told to whoever is refused; nothing depends on it.
        let process = std::process::id();
        let noted = file.set_len(0).and_then(|()| file.write_all(format!("{process}\n").as_bytes()));
        noted.map_err(refused)?;
        ours.insert(folder.clone());
        Ok(Self { folder, process, file: Some(file) })
    }

    /// Holds that this is the process that took it, and none that was forked off.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateInUse`] in another process.
    pub(crate) fn is_ours(&self) -> Result<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(error::in_use(&self.folder, Some(self.process)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
        // Closed before anybody here can open it again: closing takes away the lock of the whole process.
        drop(self.file.take());
        ours.remove(&self.folder);
    }
}

/// The process that noted itself in the file.
fn holder(file: &mut File) -> Option<u32> {
    let mut noted = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut noted).ok()?;
    noted.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use modrack_core::Code;

    use super::*;

    #[test]
    fn a_state_has_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        assert!(first.is_ours().is_ok());
        let again = Lock::take(&folder.path().join(".")).unwrap_err();
        assert_eq!(again.code(), Code::StateInUse);
        assert!(again.message().ends_with("is written by this process itself"), "{again}");
        drop(first);
        Lock::take(folder.path()).unwrap();
    }
}
