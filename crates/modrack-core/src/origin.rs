//! Where a module comes from: a `use` text, parsed once, and what it was resolved to.
//!
//! Parsing is here and pure; looking at the file system is the runtime's.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use semver::VersionReq;

use crate::{BackendName, Code, Error, Result};

/// A `use` text, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// A path: `./x.py`, `./x.py:Name`, `./pkg/`, `./x.so`.
    Path {
        /// The path as written.
        path: String,
        /// What of it is meant.
        attr: Option<Attr>,
    },
    /// A name that an interpreter can import: `python:pkg.mod:attr`.
    Import {
        /// The dotted module.
        module: String,
        /// What of it is meant.
        attr: Option<Attr>,
    },
    /// A library without its platform's prefix and suffix: `native:./x`.
    Native {
        /// The path as written.
        path: String,
    },
    /// A module of the catalog: `name`, `name@^1.2`.
    Catalog {
        /// The module's name.
        name: String,
        /// Which versions fit.
        version: VersionReq,
    },
    /// Source that stands in the configuration.
    Source {
        /// What it is written in.
        language: Language,
        /// The text.
        text: Arc<str>,
    },
}

/// The part of a module that fills a slot: `Name`, `a.b`, or `make()`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attr {
    /// The name, dotted where it goes deeper.
    pub path: String,
    /// Whether it is a factory, marked by `()`.
    pub factory: bool,
}

/// What source in a configuration is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Python.
    Python,
    /// WebAssembly's text form.
    Wat,
}

/// A `use` text that was resolved: what a backend is asked to describe and start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, or a folder that is a Python package.
    File {
        /// The absolute path.
        path: PathBuf,
        /// What of it is meant.
        attr: Option<Attr>,
    },
    /// A name that the interpreter imports.
    Import {
        /// The dotted module.
        module: String,
        /// What of it is meant.
        attr: Option<Attr>,
    },
    /// Source that stands in the configuration.
    Source {
        /// The name under which it is shown in tracebacks.
        name: String,
        /// What it is written in.
        language: Language,
        /// The text.
        text: Arc<str>,
    },
    /// An object of the program that holds the rack.
    Host {
        /// The name it was registered under.
        name: String,
    },
}

impl Use {
    /// Parses a `use` text.
    ///
    /// What has a slash, a leading dot or a known ending is a path; `python:` and `native:` say so
    /// themselves; anything else is a module of the catalog.
    ///
    /// # Errors
    /// [`Code::BadUse`] when the text has none of these forms.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Err(Error::new(Code::BadUse, format!("`{text}` cannot be used: {why}"))
                .hint("Write a path (`./x.py:Name`), `python:pkg.mod:attr`, or a name of the catalog"))
        };
        if text.trim() != text || text.is_empty() {
            return bad("it is empty, or has spaces round it");
        }
        if let Some(rest) = text.strip_prefix("python:") {
            let (module, attr) = match rest.split_once(':') {
                Some((module, attr)) => (module, Some(Attr::parse(attr))),
                None => (rest, None),
            };
            let Some(attr) = attr.map_or(Some(None), |a| a.map(Some)) else {
                return bad("what follows the second `:` is not a name");
            };
            if !module.split('.').all(is_identifier) {
                return bad("what follows `python:` is not a dotted module name");
            }
            return Ok(Self::Import { module: module.into(), attr });
        }
        if let Some(path) = text.strip_prefix("native:") {
            return Ok(Self::Native { path: path.into() });
        }
        let (path, attr) = split_attr(text);
        if looks_like_path(path) {
            return match attr {
                None => Ok(Self::Path { path: path.into(), attr: None }),
                Some(attr) => match Attr::parse(attr) {
                    Some(attr) => Ok(Self::Path { path: path.into(), attr: Some(attr) }),
                    None => bad("what follows the `:` is not a name"),
                },
            };
        }
        let (name, version) = text.split_once('@').unwrap_or((text, "*"));
        if crate::SlotName::parse(name).is_err() {
            return bad("it is neither a path nor a name");
        }
        let version = if version.starts_with(|c: char| c.is_ascii_digit()) {
            format!("^{version}")
        } else {
            version.to_owned()
        };
        match VersionReq::parse(&version) {
            Ok(version) => Ok(Self::Catalog { name: name.into(), version }),
            Err(why) => bad(&format!("its version is not understood ({why})")),
        }
    }

    /// Whether `text`, standing where a slot is named, can only be a `use` text.
    pub fn is_unmistakable(text: &str) -> bool {
        text.starts_with("python:") || text.starts_with("native:") || looks_like_path(split_attr(text).0)
    }
}

impl Attr {
    /// Parses `Name`, `a.b` or `make()`.
    pub fn parse(text: &str) -> Option<Self> {
        let (path, factory) = match text.strip_suffix("()") {
            Some(path) => (path, true),
            None => (text, false),
        };
        path.split('.').all(is_identifier).then(|| Self { path: path.into(), factory })
    }
}

impl Origin {
    /// What of the module is meant, where something was named.
    pub fn attr(&self) -> Option<&Attr> {
        match self {
            Self::File { attr, .. } | Self::Import { attr, .. } => attr.as_ref(),
            Self::Source { .. } | Self::Host { .. } => None,
        }
    }

    /// Who loads it, where its form says so; what a file is, its content tells.
    pub fn backend(&self) -> Option<BackendName> {
        match self {
            Self::File { .. } => None,
            Self::Import { .. } | Self::Source { language: Language::Python, .. } => {
                Some(BackendName::Python)
            }
            Self::Source { language: Language::Wat, .. } => Some(BackendName::Wasm),
            Self::Host { .. } => Some(BackendName::Host),
        }
    }
}

impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.factory { "()" } else { "" })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "{}", path.display())?,
            Self::Import { module, .. } => write!(f, "python:{module}")?,
            Self::Source { name, .. } => write!(f, "<{name}>")?,
            Self::Host { name } => write!(f, "host:{name}")?,
        }
        self.attr().map_or(Ok(()), |attr| write!(f, ":{attr}"))
    }
}

/// The endings that make a text without any slash a path.
const ENDINGS: &[&str] = &[".py", ".wasm", ".wat", ".so", ".dylib", ".dll"];

fn looks_like_path(text: &str) -> bool {
    text.contains(['/', '\\']) || text.starts_with('.') || ENDINGS.iter().any(|e| text.ends_with(e))
}

/// Splits `./x.py:Name` at the colon behind the last slash.
fn split_attr(text: &str) -> (&str, Option<&str>) {
    let tail = text.rfind('/').map_or(0, |at| at + 1);
    match text[tail..].find(':') {
        Some(at) => (&text[..tail + at], Some(&text[tail + at + 1..])),
        None => (text, None),
    }
}

fn is_identifier(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && letters.all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        let got = match Use::parse(text) {
            Ok(used) => format!("{used:?}"),
            Err(error) => error.code().to_string(),
        };
        assert!(got.contains(shown), "{text}: {got}");
    }

    #[test]
    fn a_use_text_says_what_it_is() {
        check("./x.py", r#"Path { path: "./x.py", attr: None }"#);
        check("x.py:Name", r#"path: "x.py", attr: Some(Attr { path: "Name", factory: false })"#);
        check("./a:b/x.py:make()", r#"path: "./a:b/x.py", attr: Some(Attr { path: "make", factory: true })"#);
        check("./pkg/", r#"Path { path: "./pkg/""#);
        check("python:os.path:join", r#"Import { module: "os.path", attr: Some(Attr { path: "join""#);
        check("python:a b", "M0205");
        check("native:./x", r#"Native { path: "./x" }"#);
        check("upper", r#"Catalog { name: "upper""#);
        check("upper@^1.2", "minor: Some(2)");
        check("upper@1", "op: Caret, major: 1");
        check("upper@banana", "M0205");
        check("", "M0205");
        check("./x.py:1a", "M0205");
    }
}
