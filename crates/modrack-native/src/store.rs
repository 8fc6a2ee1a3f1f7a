//! Copies of libraries, each under the hash of its content: what is loaded is never what somebody edits.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, io, process};

use modrack_core::Result;

use crate::error;
use crate::read::Read;
use crate::sweep;

/// The copies of a library and of what belongs to it.
pub(crate) struct Copies {
    folder: PathBuf,
    /// The library itself.
    pub(crate) library: PathBuf,
    /// Whether the folder goes away with this value.
    is_temporary: bool,
}

impl Copies {
    /// Makes the copies in `store`, or without one in a folder of its own. They go away with this value unless they are
    /// [kept](Self::keep); what stood in the store before stays.
    ///
    /// # Errors
    /// [`modrack_core::Code::ModuleUnreadable`] when they cannot be written.
    pub(crate) fn make(read: &Read, store: Option<&Path>) -> Result<Self> {
        let folder = match store {
            Some(store) => store.join(read.hash.as_str()),
            None => temporary().map_err(|why| error::cannot_store(&env::temp_dir(), &why))?,
        };
        let library =
            folder.join(read.parts.first().and_then(|part| part.place.as_deref()).unwrap_or(Path::new("")));
        let is_temporary = store.is_none() || !folder.exists();
        let copies = Self { library, is_temporary, folder };
        sweep::used(&copies.folder);
        for part in &read.parts {
            let Some(place) = &part.place else { continue };
            let place = copies.folder.join(place);
            write(&place, &part.content).map_err(|why| error::cannot_store(&copies.folder, &why))?;
        }
        Ok(copies)
    }

    /// Leaves the copies in the store: the library is sound. What was used longest ago goes where there is too much.
    pub(crate) fn keep(mut self, store: Option<&Path>) {
        self.is_temporary &= store.is_none();
        if let Some(store) = store {
            sweep::sweep(store, sweep::MOST);
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        if self.is_temporary {
            // What is loaded stays mapped without its file; a file that cannot be taken away harms nobody.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Has `content` stand at `place`, whole or not at all. What stands there already is read, not believed.
fn write(place: &Path, content: &[u8]) -> io::Result<()> {
    if fs::read(place).is_ok_and(|held| held == content) {
        return Ok(());
    }
    let folder = place.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder)?;
    let (mut file, draft) = draft(folder)?;
    let written = file.write_all(content).and_then(|()| fs::rename(&draft, place));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// A new file of our own: a process elsewhere may have our number and the same folder.
fn draft(folder: &Path) -> io::Result<(File, PathBuf)> {
    loop {
        let draft = folder.join(format!(".{}-{}", process::id(), count()));
        match File::create_new(&draft) {
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (file, draft)),
        }
    }
}

/// A new folder that nobody else may look into.
fn temporary() -> io::Result<PathBuf> {
    loop {
        let folder = env::temp_dir().join(format!("modrack-{}-{}", process::id(), count()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| folder),
        }
    }
}

fn count() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_process_of_our_number_writes_is_left_alone() {
        let folder = temporary().unwrap();
        let theirs: Vec<PathBuf> =
            (0..200).map(|at| folder.join(format!(".{}-{at}", process::id()))).collect();
        theirs.iter().for_each(|path| fs::write(path, "theirs").unwrap());
        write(&folder.join("x.so"), b"ours").unwrap();
        assert_eq!(fs::read(folder.join("x.so")).unwrap(), b"ours");
        assert!(theirs.iter().all(|path| fs::read(path).unwrap() == b"theirs"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
