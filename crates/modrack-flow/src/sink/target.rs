//! A file that is to be: it has its name only once it is whole.
//!
//! It is written under a hidden name beside its place and renamed at the end; whatever goes wrong, what was
//! begun is removed, and what stood there before is untouched.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use modrack_core::Result;

use crate::error;

static MADE: AtomicU64 = AtomicU64::new(0);
/// The hidden files that are being written, for a process that has to leave at once.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the files of runs that are under way: for a process that ends without waiting for them.
pub fn remove_unfinished() {
    for hidden in unfinished().drain(..) {
        let _ = fs::remove_file(hidden);
    }
}

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is to be.
#[derive(Debug)]
pub(crate) struct Target {
    shown: Arc<str>,
    path: PathBuf,
    /// The hidden name; none for what cannot be renamed, such as a device or a pipe.
    hidden: Option<PathBuf>,
    /// A handle for bringing it to the disk.
    file: Option<File>,
    /// Folders that were made for it, the outermost first.
    folders: Vec<PathBuf>,
}

impl Target {
    /// Makes the hidden file, and the folders it lies in.
    ///
    /// # Errors
    /// `M0608` when that is not allowed, `M0609` when there is no space.
    pub(crate) fn create(root: &Path, path: &Path) -> Result<(Self, File)> {
        let shown: Arc<str> = error::shown(path, root).into();
        let refused = |why: &io::Error| error::unwritable(&shown, why);
        // What a link points to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let before = match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => return Err(refused(&io::ErrorKind::IsADirectory.into())),
            Ok(meta) if !meta.is_file() => {
                let file = OpenOptions::new().write(true).open(&path).map_err(|why| refused(&why))?;
                return Ok((Self { shown, path, hidden: None, file: None, folders: Vec::new() }, file));
            }
            Ok(meta) => Some(meta),
            Err(_) => None,
        };
        if before.as_ref().is_some_and(|meta| meta.permissions().readonly()) {
            return Err(refused(&io::ErrorKind::PermissionDenied.into()));
        }
        let folder = path.parent().unwrap_or(root).to_owned();
        let mut target = Self { folders: missing(&folder), shown, path, hidden: None, file: None };
        let refused = |target: &Self, why: &io::Error| error::unwritable(&target.shown, why);
        fs::create_dir_all(&folder).map_err(|why| {
            // That there is something already says that it is no folder.
            let why = if why.kind() == io::ErrorKind::AlreadyExists {
                io::ErrorKind::NotADirectory.into()
            } else {
                why
            };
            refused(&target, &why)
        })?;
        let (hidden, file) = hidden(&target.path).map_err(|why| refused(&target, &why))?;
        target.hidden = Some(hidden);
        if let Some(meta) = before {
            file.set_permissions(meta.permissions()).map_err(|why| refused(&target, &why))?;
        }
        target.file = Some(file.try_clone().map_err(|why| refused(&target, &why))?);
        Ok((target, file))
    }

    /// How messages name it.
    pub(crate) fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// Brings what was written to the disk and gives it its name.
    ///
    /// # Errors
    /// `M0608` and `M0609`; then nothing is left of it.
    pub(crate) fn commit(mut self) -> Result<PathBuf> {
        let refused = |target: &Self, why: &io::Error| error::unwritable(&target.shown, why);
        if let Some(file) = self.file.take() {
            file.sync_all().map_err(|why| refused(&self, &why))?;
        }
        if let Some(hidden) = &self.hidden {
            fs::rename(hidden, &self.path).map_err(|why| refused(&self, &why))?;
            unfinished().retain(|path| path != hidden);
            self.hidden = None;
            self.folders.clear();
            // A rename is on the disk once its folder is; a system that cannot say so is believed.
            if let Some(folder) = self.path.parent().and_then(|folder| File::open(folder).ok()) {
                let _ = folder.sync_all();
            }
        }
        Ok(self.path.clone())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            let _ = fs::remove_file(hidden);
            unfinished().retain(|path| path != hidden);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The folders on the way to `folder` that are not there yet, the outermost first.
fn missing(folder: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<_> = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}

fn hidden(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    loop {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let hidden = path.with_file_name(format!(".{name}.{}-{number}.part", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&hidden) {
            Ok(file) => {
                unfinished().push(hidden.clone());
                return Ok((hidden, file));
            }
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why),
        }
    }
}
