//! Extensions of Python: shared libraries that an interpreter loads. What they define is known once they run;
//! which module they are is read from their symbols.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use modrack_core::elf::{Elf, MAGIC};
use modrack_core::{BackendName, ContentHash, Description, Entry, Origin, Result};

use crate::manifest;

/// The name of the Python module that the file at `path` is, if it is an extension of Python and whole.
pub fn extension_module(path: &Path) -> Option<String> {
    name_in(&content(path)?).map(str::to_owned)
}

/// Describes the extension at `path`; none when it is something else.
///
/// # Errors
/// A manifest beside it that is wrong.
pub(crate) fn describe(origin: &Origin, path: &Path) -> Result<Option<Description>> {
    let Some(content) = content(path) else { return Ok(None) };
    let Some(name) = name_in(&content) else { return Ok(None) };
    let manifest = manifest::of_file(path, &[])?;
    let entry = match origin.attr() {
        Some(attr) if attr.factory => Entry::Factory(attr.path.clone()),
        Some(_) => Entry::Unknown,
        None => Entry::Module,
    };
    Ok(Some(Description {
        name: manifest.name.clone().unwrap_or_else(|| name.to_owned()),
        version: manifest.version.clone(),
        backend: Some(BackendName::Python),
        entry,
        manifest,
        open: true,
        hash: Some(ContentHash::from_hex(&blake3::hash(&content).to_hex())),
        files: vec![path.to_owned()],
        ..Description::default()
    }))
}

/// The content of an ELF file.
fn content(path: &Path) -> Option<Vec<u8>> {
    let mut first = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut first)).ok()?;
    if first == *MAGIC { fs::read(path).ok() } else { None }
}

fn name_in(content: &[u8]) -> Option<&str> {
    Elf::read(content).ok()?.dynamic().ok()?.python_module().filter(|name| !name.is_empty())
}
