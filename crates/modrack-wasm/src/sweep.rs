//! Keeps the folder of compiled code within its size: what was used longest ago goes first.
//!
//! Code is read whole before it is used, so that a file that goes is missed by nobody who runs it; the next
//! start compiles it again. When a file was last used is its time of change, see [`used`]. Failing to sweep is
//! no failure.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The end of the names of compiled code.
pub(crate) const CODE: &str = "code";

/// The end of the names of files that are being written.
pub(crate) const UNFINISHED: &str = "tmp";

/// After how long a file that was never finished is nobody's any more.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// How old a note of use becomes before it is written again: a start should not write each time.
const NOTED: Duration = Duration::from_secs(24 * 60 * 60);

/// Notes that the file was used now.
pub(crate) fn used(file: &File) {
    let noted = file.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let now = SystemTime::now();
    if now.duration_since(noted).is_ok_and(|age| age > NOTED) {
        drop(file.set_modified(now));
    }
}

/// Takes away what was used longest ago until all code together has at most `most` bytes, and what others began
/// and never finished. `kept`, which was written just now, stays whatever its size.
pub(crate) fn sweep(folder: &Path, most: u64, kept: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut code: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    let now = SystemTime::now();
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(meta) = entry.metadata() else { continue };
        let changed = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        match path.extension().and_then(|end| end.to_str()) {
            Some(CODE) if meta.is_file() => code.push((changed, meta.len(), path)),
            Some(UNFINISHED) if now.duration_since(changed).is_ok_and(|age| age > ABANDONED) => {
                drop(fs::remove_file(&path));
            }
            _ => {}
        }
    }
    let mut held: u64 = code.iter().map(|(_, bytes, _)| bytes).sum();
    code.sort();
    for (_, bytes, path) in code {
        if held <= most {
            return;
        }
        if path != kept && fs::remove_file(&path).is_ok() {
            held = held.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files of ten bytes, each with the hours since it was used.
    fn folder(files: &[(&str, u64)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, hours) in files {
            let path = folder.path().join(name);
            fs::write(&path, "0123456789").unwrap();
            let used = SystemTime::now() - Duration::from_secs(hours * 60 * 60);
            File::options().write(true).open(&path).unwrap().set_modified(used).unwrap();
        }
        folder
    }

    fn left(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_and_what_is_new_stays() {
        let files = [("key", 90), ("a.code", 9), ("b.code", 30), ("c.code", 0), ("d.code", 2)];
        for (most, stays) in [
            (40, vec!["a.code", "b.code", "c.code", "d.code", "key"]),
            (39, vec!["a.code", "c.code", "d.code", "key"]),
            (20, vec!["c.code", "d.code", "key"]),
            (0, vec!["c.code", "key"]),
        ] {
            let folder = folder(&files);
            sweep(folder.path(), most, &folder.path().join("c.code"));
            assert_eq!(left(folder.path()), stays, "at most {most}");
        }
    }

    #[test]
    fn what_was_never_finished_goes_when_nobody_can_be_at_it() {
        let folder = folder(&[(".1-1.tmp", 2), (".2-2.tmp", 0), ("a.code", 5)]);
        sweep(folder.path(), 100, &folder.path().join("a.code"));
        assert_eq!(left(folder.path()), [".2-2.tmp", "a.code"]);
    }

    #[test]
    fn a_use_is_noted_once_a_day() {
        let folder = folder(&[("a.code", 2), ("b.code", 48)]);
        for (name, is_noted) in [("a.code", false), ("b.code", true)] {
            let path = folder.path().join(name);
            let before = fs::metadata(&path).unwrap().modified().unwrap();
            used(&File::open(&path).unwrap());
            let after = fs::metadata(&path).unwrap().modified().unwrap();
            assert_eq!(after > before, is_noted, "{name}");
        }
    }
}
