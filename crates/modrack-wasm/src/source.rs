//! The bytes of a component: a file in its binary or its text form, or text that stands in the configuration.

use std::path::{Path, PathBuf};

use modrack_core::{Code, ContentHash, Error, Language, Origin, Phase, Place, Result};

use crate::error::{bad_text, damaged, not_a_component, unreadable};

/// How a binary begins, whichever it is.
const MAGIC: &[u8] = b"\0asm";

/// A component as it was read.
pub(crate) struct Source {
    /// The file, or the name in the configuration.
    pub(crate) path: PathBuf,
    /// Whether it is a file.
    pub(crate) is_file: bool,
    /// Its name in messages.
    pub(crate) name: String,
    /// The binary form.
    pub(crate) bytes: Vec<u8>,
    /// The hash of the binary form.
    pub(crate) hash: ContentHash,
}

/// Whether a file that begins so is WebAssembly: the binary form of either kind, or the text form.
pub(crate) fn is_webassembly(first: &[u8]) -> bool {
    first.starts_with(MAGIC) || is_text(first)
}

/// Reads a component in whichever form.
///
/// # Errors
/// [`Code::ModuleUnreadable`], [`Code::NotAComponent`], [`Code::BadComponent`] with the line of a text.
pub(crate) fn read(origin: &Origin) -> Result<Source> {
    let (path, is_file, raw) = match origin {
        Origin::File { path, .. } => {
            let raw = std::fs::read(path).map_err(|why| unreadable(path, &why))?;
            (path.clone(), true, raw)
        }
        Origin::Source { name, text, language: Language::Wat } => {
            (PathBuf::from(format!("<{name}>")), false, text.as_bytes().to_vec())
        }
        other => {
            return Err(Error::new(
                Code::UnknownBackend,
                format!("`{other}` is not a WebAssembly component"),
            )
            .hint("A component is a file `x.wasm` or `x.wat`, or source of language `wat`")
            .phase(Phase::Find));
        }
    };
    if let Some(attr) = origin.attr() {
        return Err(Error::new(
            Code::MissingName,
            format!("`{}` has no `{attr}` to start from", path.display()),
        )
        .hint("A component is used whole: leave out what follows the `:`")
        .phase(Phase::Check)
        .place(Place::file(path)));
    }
    let name =
        path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into());
    let bytes = if raw.starts_with(MAGIC) { raw } else { assemble(&name, &path, &raw)? };
    let place = || Place::file(&path);
    match bytes.get(4..8) {
        Some([_, _, 0, 0]) => return Err(not_a_component(&name, place())),
        Some([_, _, 1, 0]) => {}
        _ => return Err(damaged(&name, "it does not say what kind of WebAssembly it is", place())),
    }
    let hash = ContentHash::from_hex(blake3::hash(&bytes).to_hex().as_str());
    Ok(Source { path, is_file, name, bytes, hash })
}

/// Text to the binary form.
fn assemble(name: &str, path: &Path, raw: &[u8]) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(raw)
        .map_err(|_| bad_text(name, "it is neither WebAssembly nor text", Place::file(path)))?;
    wat::parse_str(text).map_err(|why| {
        let shown = why.to_string();
        let place = place_in(&shown).map_or_else(
            || Place::file(path),
            |(line, column)| Place { line: Some(line), column: Some(column), ..Place::file(path) },
        );
        bad_text(name, &shown, place)
    })
}

/// The line and column that a message of the text parser names: `--> <anon>:3:14`.
fn place_in(message: &str) -> Option<(usize, usize)> {
    let line = message.lines().find_map(|line| line.trim().strip_prefix("--> "))?;
    let mut parts = line.rsplit(':');
    let column = parts.next()?.trim().parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some((line, column))
}

/// Whether the first thing in a text, behind blanks and comments, opens a component or a module.
fn is_text(first: &[u8]) -> bool {
    let text = match std::str::from_utf8(first) {
        Ok(text) => text,
        // The beginning of a file may be cut within a letter.
        Err(why) => std::str::from_utf8(&first[..why.valid_up_to()]).unwrap_or_default(),
    };
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        rest = if let Some(comment) = rest.strip_prefix(";;") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = rest.strip_prefix("(;") {
            comment.split_once(";)").map_or("", |(_, rest)| rest)
        } else {
            break;
        }
        .trim_start();
    }
    let word = rest.strip_prefix('(').map(str::trim_start).unwrap_or_default();
    ["component", "module"].iter().any(|kind| {
        word.strip_prefix(kind)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_what_is_webassembly() {
        for (first, is) in [
            ("\0asm\x0d\0\x01\0", true),
            ("(component)", true),
            ("  ;; a comment\n(; another ;) ( module\n", true),
            ("(components)", false),
            ("def f(): pass", false),
            ("", false),
        ] {
            assert_eq!(is_webassembly(first.as_bytes()), is, "{first:?}");
        }
    }
}
