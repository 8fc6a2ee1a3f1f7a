//! The diagnostics of one text, collected and given in the order of the text.
//!
//! What is wrong never stops the reading of the rest; only text that is no tree at all does.

use std::path::Path;

use super::TextFormat;
use super::node::{At, Trail};
use crate::{Code, Error, Place, Result, nearest};

/// Where something is that is set over a text. It is no file: who typed it or asked for it is not known here.
pub(crate) const SETTINGS: &str = "<command line or request>";

/// The diagnostics found so far.
pub(crate) struct Report<'a> {
    file: &'a Path,
    format: TextFormat,
    found: Vec<(At, Error)>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a Path, format: TextFormat) -> Self {
        Self { file, format, found: Vec::new() }
    }

    /// The line that a rack starts with.
    pub(crate) fn first_line(&self) -> &'static str {
        match self.format {
            TextFormat::Toml => "rack = 1",
            TextFormat::Json => "\"rack\": 1",
            TextFormat::Yaml => "rack: 1",
        }
    }

    /// A place in the text.
    pub(crate) fn place(&self, at: At, trail: &Trail<'_>) -> Place {
        let mut place = self.bare_place(at);
        place.key = (!trail.is_root()).then(|| trail.to_string());
        place
    }

    /// A place in the text of which no key is known.
    pub(crate) fn bare_place(&self, at: At) -> Place {
        match at {
            At::Text(line, column) => Place {
                file: self.file.to_owned(),
                line: Some(line as usize),
                column: Some(column as usize),
                key: None,
            },
            At::Set(_) => Place::file(SETTINGS),
        }
    }

    /// Adds what is wrong at a key or value.
    pub(crate) fn add(&mut self, at: At, trail: &Trail<'_>, error: Error) {
        let error = error.place(self.place(at, trail));
        self.found.push((at, error));
    }

    /// Adds what is wrong, its place being known to it already.
    pub(crate) fn add_placed(&mut self, at: At, error: Error) {
        self.found.push((at, error));
    }

    /// Gives `value` when nothing is wrong, else everything that is, in the order of the text.
    pub(crate) fn end<T>(mut self, value: T) -> Result<T> {
        self.found.sort_by_key(|(at, _)| *at);
        // A key that others refer to is met more than once.
        self.found.dedup_by(|(_, a), (_, b)| {
            a.code() == b.code() && a.message() == b.message() && a.place_of() == b.place_of()
        });
        match Error::all(self.found.into_iter().map(|(_, error)| error).collect()) {
            None => Ok(value),
            Some(error) => Err(error),
        }
    }
}

/// The hint for a word that is not one of `known`: the one that was probably meant, else all of them.
pub(crate) fn meant<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> Option<String> {
    if let Some(near) = nearest(word, known.clone()) {
        return Some(format!("Did you mean `{near}`?"));
    }
    let known: Vec<_> = known.map(|word| format!("`{word}`")).collect();
    match known.as_slice() {
        [] => None,
        [one] => Some(format!("Only {one} is known here")),
        [init @ .., last] if known.len() <= 24 => {
            Some(format!("Known here are {} and {last}", init.join(", ")))
        }
        init => Some(format!("Known here are {} and {} more", init[..12].join(", "), known.len() - 12)),
    }
}

/// A value that is well formed and still not allowed.
pub(crate) fn bad_value(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::new(Code::BadValue, message).hint(hint)
}

/// A sentence as a part of another one.
pub(crate) fn lower_first(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
