//! Names that were checked once and are trusted from then on.
//!
//! A name that exists has the right form; no code below the edge checks it again.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::{Code, Error, Result};

/// The name of a slot: a letter or `_`, then letters, digits, `_` and `-`; `/` joins an arm to its parent.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotName(Arc<str>);

/// The name of a pipeline, formed as a [`SlotName`] is, without `/`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineName(Arc<str>);

/// What loads one kind of module: `python`, `native`, `wasm`, `process` or `host`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum BackendName {
    /// Python files, packages and importable names.
    Python,
    /// Shared libraries.
    Native,
    /// WebAssembly components.
    Wasm,
    /// A child process that runs any of the others.
    Process,
    /// Objects of the program that holds the rack.
    Host,
}

/// One started version of what fills a slot, counted from 1 in each rack.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct GenerationId(pub u64);

/// The BLAKE3 hash of a module's content, in hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(Arc<str>);

impl SlotName {
    /// Checks the form of `name`.
    ///
    /// # Errors
    /// [`Code::BadValue`] when the form is not that of a slot's name.
    pub fn parse(name: &str) -> Result<Self> {
        if !name.is_empty() && name.split('/').all(is_word) {
            return Ok(Self(name.into()));
        }
        Err(malformed("slot", name))
    }

    /// The name for a slot that no rack declares: a `use` text that stands where a slot is named.
    pub fn undeclared(use_text: &str) -> Self {
        Self(use_text.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PipelineName {
    /// Checks the form of `name`.
    ///
    /// # Errors
    /// [`Code::BadValue`] when the form is not that of a pipeline's name.
    pub fn parse(name: &str) -> Result<Self> {
        if is_word(name) { Ok(Self(name.into())) } else { Err(malformed("pipeline", name)) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BackendName {
    /// The name as it is written in configuration and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Native => "native",
            Self::Wasm => "wasm",
            Self::Process => "process",
            Self::Host => "host",
        }
    }

    /// Who loads a file that begins with `first`, where its format says so itself: a component, or a shared
    /// library of any platform.
    pub fn by_content(first: &[u8]) -> Option<Self> {
        const NATIVE: &[&[u8]] = &[
            b"\x7fELF",
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"MZ\x90\x00",
        ];
        if first.starts_with(b"\0asm") {
            return Some(Self::Wasm);
        }
        NATIVE.iter().any(|magic| first.starts_with(magic)).then_some(Self::Native)
    }

    /// Who loads a file called so, where its content does not say.
    pub fn by_ending(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "py" => Some(Self::Python),
            "wasm" | "wat" => Some(Self::Wasm),
            "so" | "dylib" | "dll" => Some(Self::Native),
            _ => None,
        }
    }

    /// What this backend loads, in the word that messages use.
    pub fn loads(self) -> &'static str {
        match self {
            Self::Python => "Python modules",
            Self::Native => "shared libraries",
            Self::Wasm => "WebAssembly components",
            Self::Process => "child processes",
            Self::Host => "objects of the host program",
        }
    }
}

impl ContentHash {
    /// Takes a hash that was computed elsewhere, in hexadecimal.
    pub fn from_hex(hex: &str) -> Self {
        Self(hex.into())
    }

    /// All of the hash, in hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits: enough to tell versions apart when people read them.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

fn is_word(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|rest| rest.is_alphanumeric() || rest == '_' || rest == '-')
}

fn malformed(what: &str, name: &str) -> Error {
    Error::new(Code::BadValue, format!("`{name}` is not a {what} name"))
        .hint("Start with a letter, then use letters, digits, `_` and `-`")
}

macro_rules! shows_its_text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
shows_its_text!(SlotName, PipelineName, BackendName, ContentHash);

macro_rules! debugs_as_text {
    ($($name:ty),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    )*};
}
debugs_as_text!(SlotName, PipelineName, ContentHash);

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_name_is_words_joined_by_slashes() {
        for (name, fits) in [
            ("clean", true),
            ("price/a", true),
            ("_x-1", true),
            ("größe", true),
            ("", false),
            ("1st", false),
            ("a b", false),
            ("a//b", false),
            ("./x.py", false),
        ] {
            assert_eq!(SlotName::parse(name).is_ok(), fits, "{name:?}");
        }
    }
}
