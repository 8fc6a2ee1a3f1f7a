//! Bounds the content store: what nobody has used for long is taken away.
//!
//! One look a day at most, by a process that has just written something. Compiled code may go at any time: who reads
//! it has it open, and who misses it makes it again. What child processes ask for goes only while nobody
//! [holds](hold) the store. What cannot be looked at or taken away stays.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// For so long what is not used is kept.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// So many files of compiled code are kept, those that were used last.
const MOST: usize = 10_000;

/// Reads a file of the store, and notes that it was used.
pub(crate) fn read(file: &Path) -> Option<Vec<u8>> {
    let mut opened = File::open(file).ok()?;
    used(&opened);
    let mut content = Vec::new();
    opened.read_to_end(&mut content).ok()?;
    Some(content)
}

/// Whether a file of the store is there; it is noted that it was used.
pub(crate) fn is_there(file: &Path) -> bool {
    match File::open(file) {
        Ok(opened) => {
            used(&opened);
            opened.metadata().is_ok_and(|about| about.is_file())
        }
        Err(_) => false,
    }
}

/// Keeps what child processes ask for in `folder`, for as long as this process runs.
pub(crate) fn hold(folder: &Path) {
    static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let Some(file) = lock_file(folder) else { return };
    if file.lock_shared().is_ok() {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    }
}

/// Takes away what was not used for long, unless that was done within a day.
pub(super) fn sweep(folder: &Path) {
    static LOOKED: AtomicBool = AtomicBool::new(false);
    if LOOKED.swap(true, Ordering::Relaxed) {
        return;
    }
    let mark = folder.join(".swept");
    if fs::metadata(&mark).is_ok_and(|about| age(about.modified().ok()) < DAY)
        || fs::write(&mark, "").is_err()
    {
        return;
    }
    let mut code = files(&folder.join("code"));
    code.sort_by_key(|(age, _)| *age);
    for (at, (age, file)) in code.into_iter().enumerate() {
        if age > KEPT || at >= MOST {
            let _ = fs::remove_file(file);
        }
    }
    let Some(lock) = lock_file(folder) else { return };
    if lock.try_lock().is_err() {
        return;
    }
    for part in ["content", "generations"] {
        for (age, file) in files(&folder.join(part)) {
            if age > KEPT {
                let _ = fs::remove_file(file);
            }
        }
    }
    for link in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_link = link.file_name().to_str().is_some_and(|name| name.starts_with("link-"));
        let package = link.path().join(crate::names::FAMILY);
        if is_link && files(&package).iter().all(|(age, _)| *age > KEPT) {
            let _ = fs::remove_dir_all(link.path());
        }
    }
}

/// Notes that a file was used; to the day is enough.
fn used(file: &File) {
    if file.metadata().is_ok_and(|about| age(about.modified().ok()) >= DAY) {
        // A store that cannot be changed is not swept either.
        let _ = file.set_modified(SystemTime::now());
    }
}

fn lock_file(folder: &Path) -> Option<File> {
    File::options().create(true).append(true).open(folder.join(".lock")).ok()
}

/// The files in a folder, each with the time since it was last used.
fn files(folder: &Path) -> Vec<(Duration, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let about = entry.metadata().ok()?;
            about.is_file().then(|| (age(about.modified().ok()), entry.path()))
        })
        .collect()
}

/// How long ago something was; a time to come is now.
fn age(when: Option<SystemTime>) -> Duration {
    when.and_then(|when| when.elapsed().ok()).unwrap_or_default()
}
