//! Tells when the content of files has changed.
//!
//! A [`Watcher`] holds a set of files for each key: a module and what its generation includes, or a configuration. Changes are told
//! by key, with the hash of what each file holds now. What the system says is only a reason to look: content decides, so that a
//! file that was touched and not changed is no change, and two edits of one size within a second are two. Only who asks for
//! [each save](Watched::each_save) of a file is told of those that change nothing.
//!
//! A file is looked at when nobody has it open for writing and nothing has happened for [`Settings::quiet`], so that half a file is never
//! taken. What is gone is given [`Settings::patience`] to come back, and what a consumer cannot take yet is offered once more after that. Only the
//! files themselves are looked for, by the names under which they are watched: what an editor writes beside them is nobody's. Links on the way to a
//! file are followed and watched, as they change where a file is replaced by turning a link.
//!
//! There is one watch for each folder, by the system's own means; where that refuses, the files are looked at from time to time,
//! with a warning.

mod disk;
mod engine;
mod error;
mod event;
mod route;
mod source;
mod watcher;

pub use event::{Answer, Changed, FileChange, Found, Held, Settings, Watched};
pub use watcher::{Sink, Watcher};
