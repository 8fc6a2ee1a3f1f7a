//! Keeps the folder of copies within its size: what was used longest ago goes first.
//!
//! What is loaded stays mapped without its file, so that a copy that goes is missed by nobody who has it; the next start
//! makes it again. What may just be on its way to being loaded stays. When a copy was last used is the time of change of
//! its folder, see [`used`]. Failing to sweep is no failure.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The most bytes of copies that are kept.
pub(crate) const MOST: u64 = 1 << 30;

/// For how long what was used may still be on its way to being loaded.
const IN_USE: Duration = Duration::from_secs(60 * 60);

/// How old a note of use becomes before it is written again.
const NOTED: Duration = Duration::from_secs(60 * 30);

/// Notes that the copies in this folder are used now.
pub(crate) fn used(folder: &Path) {
    let Ok(folder) = File::open(folder) else { return };
    let noted = folder.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let now = SystemTime::now();
    if now.duration_since(noted).is_ok_and(|age| age > NOTED) {
        drop(folder.set_modified(now));
    }
}

/// Takes away what was used longest ago until all copies together have at most `most` bytes.
pub(crate) fn sweep(store: &Path, most: u64) {
    let Ok(entries) = fs::read_dir(store) else { return };
    let now = SystemTime::now();
    let mut copies: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        // A folder under the hash of its content, and nothing else that somebody put there.
        let is_ours = entry.file_name().to_str().is_some_and(|name| blake3::Hash::from_hex(name).is_ok());
        let Ok(meta) = entry.metadata() else { continue };
        if is_ours && meta.is_dir() {
            let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            copies.push((used, bytes(&entry.path()), entry.path()));
        }
    }
    let mut held: u64 = copies.iter().map(|(_, bytes, _)| bytes).sum();
    copies.sort();
    for (used, bytes, folder) in copies {
        if held <= most {
            return;
        }
        let is_in_use = now.duration_since(used).map_or(true, |age| age < IN_USE);
        if !is_in_use && fs::remove_dir_all(&folder).is_ok() {
            held = held.saturating_sub(bytes);
        }
    }
}

/// How many bytes the files below a folder have.
fn bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store with copies of ten bytes each, used so many hours ago.
    fn store(copies: &[(&str, u64)]) -> tempfile::TempDir {
        let store = tempfile::tempdir().unwrap();
        for (name, hours) in copies {
            let folder = store.path().join(name);
            fs::create_dir_all(folder.join("deps")).unwrap();
            fs::write(folder.join("x.so"), "01234").unwrap();
            fs::write(folder.join("deps/y.so"), "56789").unwrap();
            let used = SystemTime::now() - Duration::from_secs(hours * 60 * 60);
            File::open(&folder).unwrap().set_modified(used).unwrap();
        }
        store
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_and_what_is_in_use_stays() {
        let [old, older, new] = ["a", "b", "c"].map(|digit| digit.repeat(64));
        let copies = [(old.as_str(), 9), (older.as_str(), 30), (new.as_str(), 0), ("theirs", 90)];
        for (most, stays) in
            [(30, vec![&old, &older, &new]), (29, vec![&old, &new]), (10, vec![&new]), (0, vec![&new])]
        {
            let store = store(&copies);
            sweep(store.path(), most);
            let names = fs::read_dir(store.path()).unwrap().flatten();
            let mut left: Vec<_> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
            left.sort();
            let stays: Vec<&str> = stays.into_iter().map(String::as_str).chain(["theirs"]).collect();
            assert_eq!(left, stays, "at most {most}");
        }
    }

    #[test]
    fn a_use_is_noted() {
        let store = store(&[("a", 2), ("b", 0)]);
        for (name, is_noted) in [("a", true), ("b", false)] {
            let folder = store.path().join(name);
            let before = fs::metadata(&folder).unwrap().modified().unwrap();
            used(&folder);
            assert_eq!(fs::metadata(&folder).unwrap().modified().unwrap() > before, is_noted, "{name}");
        }
    }
}
