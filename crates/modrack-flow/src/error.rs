//! The failures of pipelines: one constructor for each, so that the same failure reads the same everywhere.
//!
//! Nothing here decides what is done about a failure; that is `decide`'s.

use std::io;
use std::path::Path;

use arrow_schema::ArrowError;
use modrack_core::{Code, Error, Place, nearest};

/// A source that is not there; `near` is a name that was perhaps meant.
pub(crate) fn source_missing(shown: &str, near: Option<&str>, place: Option<&Place>) -> Error {
    let error = Error::new(Code::SourceMissing, format!("There is no file `{shown}` to read"));
    let error = match near {
        Some(near) => error.hint(format!("Did you mean `{near}`?")),
        None => error.hint("Paths are relative to the rack's folder"),
    };
    placed(error, place)
}

/// A pattern that no file fits.
pub(crate) fn nothing_matches(pattern: &str, place: Option<&Place>) -> Error {
    let error = Error::new(Code::SourceMissing, format!("No file fits `{pattern}`"))
        .hint("`*` stands for any name, `**` for any folders; paths are relative to the rack's folder");
    placed(error, place)
}

/// A source that the system does not let us read.
pub(crate) fn unreadable(shown: &str, why: &io::Error) -> Error {
    let error = Error::new(Code::SourceUnreadable, format!("`{shown}` cannot be read: {}", io_words(why)))
        .place(Place::file(shown));
    match why.kind() {
        io::ErrorKind::PermissionDenied => error.hint("See who may read it: `ls -l`"),
        io::ErrorKind::IsADirectory => error.hint(format!("Name its files: `{shown}/*`")),
        _ => error.hint("See that the file and its disk are whole"),
    }
}

/// A source that was listed and is no longer there.
pub(crate) fn vanished(shown: &str) -> Error {
    Error::new(Code::SourceVanished, format!("`{shown}` was there when the run began, and is gone"))
        .place(Place::file(shown))
        .hint("Run the pipeline when nothing moves or removes its files")
}

/// A compressed file that cannot be unpacked.
pub(crate) fn bad_compression(shown: &str, how: &str, why: &io::Error) -> Error {
    Error::new(Code::BadFile, format!("`{shown}` cannot be unpacked as {how}: {}", io_words(why)))
        .place(Place::file(shown))
        .hint("The file is damaged or cut short, or `compression:` names another kind than it has")
}

/// A file that is not what its format asks for.
pub(crate) fn bad_file(shown: &str, what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Code::BadFile, format!("`{shown}` is not a whole {what} file: {why}"))
        .place(Place::file(shown))
        .hint("It was cut short or damaged, or it is of another format; fetch or write it again")
}

/// A header that cannot be one.
pub(crate) fn bad_header(shown: &str, line: u64, message: impl Into<String>) -> Error {
    Error::new(Code::BadHeader, message).place(Place::line(shown, line as usize))
}

/// A row that is not valid in its format.
pub(crate) fn bad_row(shown: &str, line: u64, message: impl Into<String>) -> Error {
    Error::new(Code::BadCsv, message).place(Place::line(shown, line as usize))
}

/// A value that is not of its column's type.
pub(crate) fn bad_cell(place: Place, message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::new(Code::BadCell, message).place(place).hint(hint)
}

/// A column that is named and not there.
pub(crate) fn unknown_column(wanted: &str, has: &[&str], whose: &str) -> Error {
    let error = Error::new(Code::UnknownColumn, format!("{whose} has no column `{wanted}`"));
    match nearest(wanted, has.iter().copied()) {
        Some(near) => error.hint(format!("Did you mean `{near}`?")),
        None if has.is_empty() => error.hint("It has no columns at all"),
        None => error.hint(format!("Its columns are {}", listed(has))),
    }
}

/// Rows that do not fit columns that are settled.
pub(crate) fn misfit(message: impl Into<String>) -> Error {
    Error::new(Code::SchemaChanged, message).hint(
        "The first batch settles the columns; say them with `schema:` in the stage, or decide with `errors:`",
    )
}

/// A sink that cannot be written.
pub(crate) fn unwritable(shown: &str, why: &io::Error) -> Error {
    if why.kind() == io::ErrorKind::StorageFull || why.kind() == io::ErrorKind::QuotaExceeded {
        return Error::new(Code::DiskFull, format!("No space is left to write `{shown}`"))
            .place(Place::file(shown))
            .hint("Make room, or name a sink on another disk; what was begun has been removed");
    }
    let error = Error::new(Code::SinkUnwritable, format!("`{shown}` cannot be written: {}", io_words(why)))
        .place(Place::file(shown));
    match why.kind() {
        io::ErrorKind::PermissionDenied => error.hint("See who may write its folder: `ls -ld`"),
        io::ErrorKind::IsADirectory => error.hint("It is a folder; name a file in it"),
        io::ErrorKind::NotADirectory => error.hint("A part of its path is a file, not a folder"),
        io::ErrorKind::ReadOnlyFilesystem => error.hint("Its disk cannot be written; name another place"),
        _ => error.hint("Name a sink in a folder that can be written"),
    }
}

/// What a writer of a format refused, when no write to the file had failed.
pub(crate) fn unwritable_rows(shown: &str, what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Code::SinkUnwritable, format!("Rows cannot be written to `{shown}` as {what}: {why}"))
        .place(Place::file(shown))
        .hint("Name another format for the sink, or change the column in a stage")
}

/// The run was interrupted.
pub(crate) fn interrupted() -> Error {
    Error::new(Code::Interrupted, "Interrupted").hint("Nothing was written; run it again")
}

/// A mistake in modrack itself.
pub(crate) fn internal(what: &str) -> Error {
    Error::new(Code::Internal, format!("A mistake in modrack: {what}"))
        .hint("Please report it with the rack and the first rows of its source")
}

/// An Arrow operation that cannot fail on checked data, and did.
pub(crate) fn arrow(what: &str, why: &ArrowError) -> Error {
    match why {
        ArrowError::MemoryError(_) | ArrowError::OffsetOverflowError(_) => {
            Error::new(Code::BadTable, format!("{what}: {why}"))
                .hint("The batch is too large; set a smaller `batch-rows:`")
        }
        _ => internal(&format!("{what}: {why}")),
    }
}

/// `a`, `b` and `c`: at most twelve, the rest counted.
pub(crate) fn listed(names: &[&str]) -> String {
    const MOST: usize = 12;
    let mut shown: Vec<_> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST {
        shown.push(format!("{} more", names.len() - MOST));
    }
    match shown.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// What the system says, without Rust's own error numbers.
pub(crate) fn io_words(why: &io::Error) -> String {
    let text = why.to_string();
    match text.find(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The path as messages show it: relative to `root` where it lies in it.
pub(crate) fn shown(path: &Path, root: &Path) -> String {
    match path.strip_prefix(root) {
        Ok(inside) if inside.as_os_str().is_empty() => ".".to_owned(),
        Ok(inside) => inside.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

fn placed(error: Error, place: Option<&Place>) -> Error {
    match place {
        Some(place) => error.place(place.clone()),
        None => error,
    }
}
