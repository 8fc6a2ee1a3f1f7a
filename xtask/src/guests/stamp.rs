//! What a guest is made from, as one hash; and the section of a component by which it says what it is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cargo::root;

/// Folders that hold nothing a guest is made from.
const PASSED_OVER: &[&str] = &["target", "node_modules", "__pycache__"];

/// The hash of a guest: of the contracts, of what it is made from, and of the words that say what builds it.
///
/// # Errors
/// When a file cannot be read, or `from` names none.
pub(super) fn hash(tool: &str, from: &[&str]) -> Result<String> {
    hash_of(tool, &[from, &["contracts"]].concat())
}

/// The hash of files and folders of the tree, by path and content, and of some words.
///
/// # Errors
/// When a file cannot be read, or `from` names none.
pub(super) fn hash_of(words: &str, from: &[&str]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(words.as_bytes());
    let mut files = Vec::new();
    for path in from {
        collect(&root().join(path), &mut files)?;
    }
    files.sort();
    for file in files {
        part(file.strip_prefix(root()).unwrap_or(&file).as_os_str().as_encoded_bytes());
        part(&fs::read(&file).with_context(|| file.display().to_string())?);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    // A component that is kept beside its source is made from it, and its hash is this one.
    let is_made = path.extension().is_some_and(|ending| ending == "wasm" || ending == "hash");
    if is_made || path.file_name().is_some_and(|name| PASSED_OVER.iter().any(|passed| name == *passed)) {
        return Ok(());
    }
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else {
        path.metadata().with_context(|| path.display().to_string())?;
        files.push(path.to_owned());
    }
    Ok(())
}

/// The component with a custom section at its end: the number 0, the size of all that follows, the size of the name,
/// the name, the content.
pub(super) fn with_section(mut component: Vec<u8>, name: &str, content: &[u8]) -> Vec<u8> {
    let mut inner = Vec::new();
    size(name.len(), &mut inner);
    inner.extend(name.as_bytes());
    inner.extend(content);
    component.push(0);
    size(inner.len(), &mut component);
    component.extend(inner);
    component
}

/// A number as WebAssembly writes it: seven bits to a byte, the lowest first.
fn size(mut number: usize, to: &mut Vec<u8>) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_its_size_before_it() {
        assert_eq!(with_section(vec![9], "ab", b"xyz"), [9, 0, 6, 2, b'a', b'b', b'x', b'y', b'z']);
        let long = with_section(Vec::new(), "ab", &[7; 200]);
        assert_eq!(long[..6], [0, 0xcb, 1, 2, b'a', b'b']);
        assert_eq!(long.len(), 206);
    }

    #[test]
    fn a_hash_is_of_the_tool_and_of_what_the_files_hold() {
        let of = |tool, from: &[&str]| hash(tool, from).expect("the files are there");
        assert_eq!(of("a", &["README.md"]), of("a", &["README.md"]));
        assert_ne!(of("a", &["README.md"]), of("b", &["README.md"]));
        assert_ne!(of("a", &["README.md"]), of("a", &["STYLE.md"]));
        assert!(hash("a", &["not-there"]).is_err());
    }
}
