//! A library, read and not loaded: whether it can be, and what it says of itself.

use std::fs;
use std::path::{Path, PathBuf};

use modrack_abi::{NOTE_OWNER, NOTE_SECTION, NOTE_TYPE};
use modrack_core::elf::Elf;
use modrack_core::manifest::Embedded;
use modrack_core::{ContentHash, Instances, Result};

use crate::error;
use crate::outline::Outline;
use crate::parts::parts;

/// A library with what belongs to it alone.
pub(crate) struct Read {
    /// The library itself, then its private dependencies.
    pub(crate) parts: Vec<Part>,
    /// The hash of all parts.
    pub(crate) hash: ContentHash,
    /// What it says of itself.
    pub(crate) said: Embedded,
    /// Whether it has a note at all.
    pub(crate) has_note: bool,
    /// Whether its table says that it is thread-safe.
    pub(crate) is_thread_safe: bool,
    /// What is needed and is nowhere.
    pub(crate) missing: Vec<Missing>,
}

/// What a part needs, by its number, and is called so.
pub(crate) type Missing = (usize, String);

/// A file that is loaded.
pub(crate) struct Part {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Where its copy is, in the folder of the module's copies; none where it is loaded from where it is.
    pub(crate) place: Option<PathBuf>,
    /// The names by which others need it.
    pub(crate) names: Vec<String>,
    /// What is in it, if it is copied.
    pub(crate) content: Vec<u8>,
    /// How many bytes it has.
    pub(crate) size: u64,
    /// The hash of its content.
    pub(crate) hash: blake3::Hash,
}

/// The most of one library that is taken as such, so that nobody waits for a disk image.
const LARGEST: u64 = 4 << 30;

/// Reads the library at `path`.
///
/// # Errors
/// A failure of phase find or check.
pub(crate) fn read(path: &Path, root: &Path) -> Result<Read> {
    let content = content(path, root)?;
    let elf = Elf::read(&content).map_err(|why| error::not_a_library(path, root, &why, &content))?;
    let dynamic = elf.dynamic().map_err(|why| error::not_a_library(path, root, &why, &content))?;
    let outline = Outline::read(path, root, &elf, &dynamic)?;
    let is_thread_safe = outline.is_thread_safe;
    let note = elf.note(NOTE_SECTION, NOTE_OWNER, NOTE_TYPE);
    let note = note.map_err(|why| error::not_a_library(path, root, &why, &content))?;
    let text = note.map(std::str::from_utf8).transpose().map_err(|_| error::bad_note(path))?;
    let mut said = text.map_or(Ok(Embedded::default()), |text| Embedded::read(path, text))?;
    if said.manifest.instances == Some(Instances::Shared) && !is_thread_safe {
        return Err(error::unsafe_shared(path));
    }
    if said.manifest.instances.is_none() {
        said.manifest.instances = Some(if is_thread_safe { Instances::Shared } else { Instances::One });
    }
    let said_of = said.functions.as_deref().unwrap_or_default();
    if let Some(info) = said_of.iter().find(|info| outline.lacks(&info.name)) {
        return Err(error::bad_table(path, root, &error::lacks(&info.name)));
    }
    let has_note = note.is_some();
    let (parts, missing) = parts(path, root, content)?;
    Ok(Read { hash: hash(&parts), parts, said, has_note, is_thread_safe, missing })
}

/// Whether the file at `path` is a module, or a library that is none: all but an extension of Python.
pub(crate) fn is_ours(path: &Path) -> bool {
    let Ok(content) = fs::read(path) else { return true };
    let Ok(elf) = Elf::read(&content) else { return true };
    elf.dynamic().map_or(true, |dynamic| dynamic.python_module().is_none())
}

/// The content of the file at `path`.
///
/// # Errors
/// A failure of phase find.
pub(crate) fn content(path: &Path, root: &Path) -> Result<Vec<u8>> {
    let unreadable = |why| error::unreadable(path, root, &why);
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(unreadable(std::io::Error::other("it is not a regular file of less than 4 GiB")));
    }
    fs::read(path).map_err(unreadable)
}

fn hash(parts: &[Part]) -> ContentHash {
    let hex = match parts {
        [only] => only.hash.to_hex(),
        several => {
            let mut all = blake3::Hasher::new();
            for part in several {
                let place = part.place.as_ref().unwrap_or(&part.path);
                all.update(place.as_os_str().as_encoded_bytes()).update(&[0]).update(part.hash.as_bytes());
            }
            all.finalize().to_hex()
        }
    };
    ContentHash::from_hex(&hex)
}
