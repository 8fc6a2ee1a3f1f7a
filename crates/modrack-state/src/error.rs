//! The failures of the state, so that the same one reads the same wherever it is met.

use std::fmt::Display;
use std::path::Path;

use modrack_core::{Code, ContentHash, Error, Place};
use rusqlite::ErrorCode;

/// What to do about a state that cannot be written.
const ELSEWHERE: &str = "Make the folder writable, name another one with `state:` or `MODRACK_STATE`, or write \
                         `state: memory`, by which nothing outlives the process";

/// The folder, or a file in it, cannot be made, written or read.
pub(crate) fn unwritable(path: &Path, why: impl Display) -> Error {
    Error::new(Code::StateUnwritable, format!("The state in `{}` cannot be written: {why}", path.display()))
        .hint(ELSEWHERE)
        .place(Place::file(path))
}

/// Another process writes this state, or this one does already.
pub(crate) fn in_use(folder: &Path, by: Option<u32>) -> Error {
    let by = match by {
        Some(id) if id == std::process::id() => "this process itself".to_owned(),
        Some(id) => format!("process {id}"),
        None => "another process".to_owned(),
    };
    Error::new(Code::StateInUse, format!("The state in `{}` is written by {by}", folder.display()))
        .hint("Stop that one, talk to it instead, or name another state with `state:` or `MODRACK_STATE`")
        .place(Place::file(folder))
}

/// The database's version is above ours.
pub(crate) fn newer(path: &Path, version: i64, ours: i64) -> Error {
    let message = format!(
        "The state in `{}` has version {version}, and this modrack knows those up to {ours}",
        path.display()
    );
    Error::new(Code::StateNewer, message)
        .hint("Use the newer modrack, or name another state with `state:` or `MODRACK_STATE`")
        .place(Place::file(path))
}

/// The database cannot be understood. Said to who only reads.
pub(crate) fn damaged(path: &Path, why: impl Display) -> Error {
    Error::new(Code::StateDamaged, format!("The state in `{}` is damaged: {why}", path.display()))
        .hint("The next start of the rack puts it aside, takes over what can be read, and begins a new one")
        .place(Place::file(path))
}

/// The database could not be understood, and was put aside.
pub(crate) fn put_aside(aside: &Path, why: &Error, saved: usize) -> Error {
    let saved = match saved {
        0 => "nothing of it could be read".to_owned(),
        1 => "one row of it was taken over".to_owned(),
        rows => format!("{rows} rows of it were taken over"),
    };
    let message = format!("{}; it was put aside as `{}`, and {saved}", why.message(), aside.display());
    Error::new(Code::StateDamaged, message)
        .hint("Look at the file that was put aside, or take it away; the rack serves with a new one")
        .place(Place::file(aside))
}

/// Nothing of that hash is kept.
pub(crate) fn content_gone(hash: &ContentHash) -> Error {
    Error::new(Code::ContentGone, format!("The content `{}` is not kept", hash.short()))
        .hint("Go back to a later entry of the history, or swap to the module's file itself")
}

/// A kept file is not what it was.
pub(crate) fn content_damaged(path: &Path, hash: &ContentHash) -> Error {
    let message = format!("The kept content `{}` in `{}` is damaged", hash.short(), path.display());
    Error::new(Code::ContentDamaged, message)
        .hint("Load the module from its own file again, which keeps it anew")
        .place(Place::file(path))
}

/// The file of a module that is to be kept cannot be read.
pub(crate) fn unreadable(path: &Path, why: &std::io::Error) -> Error {
    let code = match why.kind() {
        std::io::ErrorKind::NotFound => Code::ModuleNotFound,
        _ => Code::ModuleUnreadable,
    };
    Error::new(code, format!("`{}` cannot be read: {why}", path.display()))
        .hint("See to it that the file is there and may be read by the user that runs this")
        .place(Place::file(path))
}

/// The history does not have it.
pub(crate) fn unknown(what: &str) -> Error {
    Error::new(Code::UnknownEntry, format!("The history has no {what}"))
        .hint("Look at the history for what there is")
}

/// What SQLite said, told apart: damaged, or refused by the system.
pub(crate) fn database(path: &Path, why: &rusqlite::Error) -> Error {
    match why {
        rusqlite::Error::SqliteFailure(said, _)
            if matches!(said.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
        {
            damaged(path, why)
        }
        rusqlite::Error::SqliteFailure(said, _) if said.code == ErrorCode::DatabaseBusy => in_use(path, None),
        rusqlite::Error::SqliteFailure(said, _) if said.code == ErrorCode::ConstraintViolation => {
            damaged(path, why)
        }
        // Its own tables, which other rows than ours are in.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => damaged(path, why),
        rusqlite::Error::SqliteFailure(said, Some(words))
            if said.code == ErrorCode::Unknown && words.starts_with("no such ") =>
        {
            damaged(path, why)
        }
        _ => unwritable(path, why),
    }
}

/// A module's files are not what was described.
pub(crate) fn changed(path: &Path) -> Error {
    Error::new(Code::ModuleUnreadable, format!("`{}` was changed while it was read", path.display()))
        .hint("Try again: the new content is then read")
        .place(Place::file(path))
}
