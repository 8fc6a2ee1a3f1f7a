//! The failures of watching, so that the same one reads the same wherever it is met.

use std::path::Path;

use modrack_core::{Code, Error, Place};

/// The system does not watch a folder. It is a warning: the files in it are polled.
pub(crate) fn refused(folder: &Path, why: &str) -> Error {
    let message = format!("The system does not watch `{}`: {why}", folder.display());
    Error::new(Code::WatchRefused, message)
        .hint(
            "Files there are looked at from time to time instead; raise `fs.inotify.max_user_watches` or \
             `fs.inotify.max_user_instances` to have their changes seen at once",
        )
        .place(Place::file(folder))
}

/// The system does not watch anything.
pub(crate) fn refused_all(why: &str) -> Error {
    Error::new(Code::WatchRefused, format!("The system does not watch files: {why}")).hint(
        "They are looked at from time to time instead; raise `fs.inotify.max_user_instances` to have changes seen at once",
    )
}

/// A watched file is there and cannot be read.
pub(crate) fn unreadable(path: &Path, why: &std::io::Error) -> Error {
    Error::new(Code::ModuleUnreadable, format!("`{}` cannot be read: {why}", path.display()))
        .hint("See to it that the file may be read by the user that runs this")
        .place(Place::file(path))
}

/// The thread that watches cannot be started.
pub(crate) fn no_thread(why: &std::io::Error) -> Error {
    Error::new(Code::WatchRefused, format!("The thread that watches files cannot be started: {why}"))
        .hint("Give the user more processes or memory")
}
