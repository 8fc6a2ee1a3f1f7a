//! The failures of the state, so that the same one reads the same wherever it is met.

use std::fmt::Display;
use std::path::Path;

use modrack_core::{Code, ContentHash, Error, Place};
use rusqlite::ErrorCode;

use crate::rack::RackRow;

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
        .hint("The next `modrack serve`, or change of the rack, puts it aside, takes over what can be read, and begins a new one")
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

/// No configuration that served is called so.
pub(crate) fn unknown_configuration(what: &str) -> Error {
    unknown(&format!("configuration {what}")).hint("`modrack config list` shows those that served")
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

/// There is no database where the rack's text is to be.
pub(crate) fn no_rack_database(row: &RackRow) -> Error {
    Error::new(Code::NoRack, format!("There is no database `{}`", row.database().display()))
        .hint(putting(row))
}

/// The database is not one that racks are in.
pub(crate) fn no_racks(row: &RackRow) -> Error {
    let message = format!("The database `{}` has no table `modrack_rack`", row.database().display());
    Error::new(Code::NoRack, message).hint(putting(row)).place(Place::file(row.file()))
}

/// The database has other racks.
pub(crate) fn no_rack_row(row: &RackRow, there: &[String]) -> Error {
    let message = format!("The database `{}` has no rack `{}`", row.database().display(), row.name());
    let listed: Vec<_> = there.iter().map(|name| format!("`{name}`")).collect();
    let hint = match listed.is_empty() {
        true => putting(row),
        false => format!("It has {}", listed.join(", ")),
    };
    Error::new(Code::NoRack, message).hint(hint).place(Place::file(row.file()))
}

/// The row says that its text is in a format that racks do not have.
pub(crate) fn rack_format(row: &RackRow, format: &str) -> Error {
    let message = format!("The rack `{}` has the format `{format}`, which is none", row.file().display());
    Error::new(Code::ConfigUnreadable, message)
        .hint("The column `format` says `yaml`, `toml` or `json`")
        .place(Place::file(row.file()))
}

/// The row has something else than a text.
pub(crate) fn rack_no_text(row: &RackRow) -> Error {
    let message = format!("The rack `{}` has no text", row.file().display());
    Error::new(Code::ConfigUnreadable, message).hint(putting(row)).place(Place::file(row.file()))
}

/// The row has another text than the one that was read.
pub(crate) fn rack_changed(row: &RackRow) -> Error {
    let name = row.file();
    let message = format!("`{}` was changed since it was read, and is not written over", name.display());
    Error::new(Code::Unsupported, message).hint("Have it read again first, or take the change back")
}

/// The system refuses the database of a rack's text.
pub(crate) fn rack_unreadable(row: &RackRow, why: &std::io::Error) -> Error {
    let message = format!("The database `{}` cannot be read: {why}", row.database().display());
    Error::new(Code::ConfigUnreadable, message)
        .hint("Check that the file is readable for you")
        .place(Place::file(row.file()))
}

/// What SQLite said of the database of a rack's text.
pub(crate) fn rack_database(row: &RackRow, why: &rusqlite::Error) -> Error {
    let path = row.database().display();
    let (message, hint) = match why.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            (format!("`{path}` is not a SQLite database"), "A rack that is a file is named by its path alone")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            format!("The database `{path}` is locked by somebody else"),
            "Try again when that one has ended what it does",
        ),
        Some(ErrorCode::ReadOnly) => (
            format!("The database `{path}` cannot be written: {why}"),
            "Check that the file and its folder are writable for you",
        ),
        _ => (
            format!("The database `{path}` cannot be used: {why}"),
            "Check the file with `PRAGMA integrity_check`, and that it and its folder are accessible for you",
        ),
    };
    Error::new(Code::ConfigUnreadable, message).hint(hint).place(Place::file(row.file()))
}

/// How a rack comes into a database.
fn putting(row: &RackRow) -> String {
    format!("Put a rack there with `modrack -r {} config put FILE`", row.file().display())
}
