//! A library, read and not loaded: whether it can be, and what it says of itself.

use std::fs;
use std::path::{Component, Path, PathBuf};

use modrack_abi::{
    ABI_MAJOR, Function, Head, Module, NOTE_OWNER, NOTE_SECTION, NOTE_TYPE, SYMBOL, THREAD_SAFE,
};
use modrack_core::elf::{Dynamic, Elf};
use modrack_core::manifest::Embedded;
use modrack_core::{ContentHash, Instances, Result};

use crate::error;

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
}

/// A file that is loaded from a copy.
pub(crate) struct Part {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Where its copy is, in the folder of the module's copies.
    pub(crate) place: PathBuf,
    /// The names by which others need it.
    pub(crate) names: Vec<String>,
    pub(crate) content: Vec<u8>,
    /// The hash of its content.
    pub(crate) hash: blake3::Hash,
}

/// The most of one library that is taken as such, so that nobody waits for a disk image.
const LARGEST: u64 = 4 << 30;

/// The folder that stands for one level above the module, in the place of its copies.
const LEVEL: &str = "d";

/// Reads the library at `path`.
///
/// # Errors
/// A failure of phase find or check.
pub(crate) fn read(path: &Path, root: &Path) -> Result<Read> {
    let content = content(path, root)?;
    let elf = Elf::read(&content).map_err(|why| error::not_a_library(path, root, &why, &content))?;
    let dynamic = elf.dynamic().map_err(|why| error::not_a_library(path, root, &why, &content))?;
    let is_thread_safe = check_table(path, root, &elf, &dynamic)?;
    let note = elf.note(NOTE_SECTION, NOTE_OWNER, NOTE_TYPE);
    let text = note.map(std::str::from_utf8).transpose().map_err(|_| error::bad_note(path))?;
    let mut said = text.map_or(Ok(Embedded::default()), |text| Embedded::read(path, text))?;
    if said.manifest.instances == Some(Instances::Shared) && !is_thread_safe {
        return Err(error::unsafe_shared(path));
    }
    if said.manifest.instances.is_none() {
        said.manifest.instances = Some(if is_thread_safe { Instances::Shared } else { Instances::One });
    }
    let has_note = note.is_some();
    let parts = parts(path, root, content)?;
    Ok(Read { hash: hash(&parts), parts, said, has_note, is_thread_safe })
}

/// Whether the file at `path` is a module, or a library that is none: all but an extension of Python.
pub(crate) fn is_ours(path: &Path) -> bool {
    let Ok(content) = fs::read(path) else { return true };
    let Ok(elf) = Elf::read(&content) else { return true };
    elf.dynamic().map_or(true, |dynamic| dynamic.python_module().is_none())
}

fn content(path: &Path, root: &Path) -> Result<Vec<u8>> {
    let unreadable = |why| error::unreadable(path, root, &why);
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(unreadable(std::io::Error::other("it is not a regular file of less than 4 GiB")));
    }
    fs::read(path).map_err(unreadable)
}

/// Holds what the file has of the module's table against the interface; whether it says that it is thread-safe.
fn check_table(path: &Path, root: &Path, elf: &Elf<'_>, dynamic: &Dynamic<'_>) -> Result<bool> {
    let bad = |what: &str| error::bad_table(path, root, what);
    let Some(symbol) = dynamic.symbol(SYMBOL) else {
        let other = dynamic.symbols.iter().find(|symbol| symbol.name.starts_with("modrack_module_v"));
        return Err(other.map_or_else(
            || error::no_symbol(path, root),
            |symbol| error::other_symbol(path, root, symbol.name),
        ));
    };
    if symbol.is_function {
        return Err(bad("`modrack_module_v1` is a function, and must be an object"));
    }
    let bytes = elf.at(symbol.address).unwrap_or_default();
    let u16_at = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (Some(size), Some(major), Some(minor)) = (u32_at(0), u16_at(4), u16_at(6)) else {
        return Err(bad("it lies outside of the file's data"));
    };
    if major != ABI_MAJOR {
        return Err(error::other_version(path, root, major, minor));
    }
    let least = size_of::<Module>();
    if (size as usize) < least || u64::from(size) > symbol.size || symbol.size > bytes.len() as u64 {
        return Err(bad(&format!(
            "it says that it has {size} bytes; the symbol has {}, and version {ABI_MAJOR}.0 has {least}",
            symbol.size
        )));
    }
    for (at, what, least) in [
        (std::mem::offset_of!(Module, function_count), "functions", size_of::<Function>()),
        (std::mem::offset_of!(Module, attribute_count), "attributes", size_of::<modrack_abi::Attribute>()),
    ] {
        let (count, size) = (u32_at(at).unwrap_or_default(), u32_at(at + 4).unwrap_or_default() as usize);
        if count > crate::table::MOST || count > 0 && (size < least || size > 4096 || size % 8 != 0) {
            return Err(bad(&format!("it says that it has {count} {what} of {size} bytes each")));
        }
    }
    const { assert!(std::mem::offset_of!(Module, flags) == size_of::<Head>()) };
    let flags = bytes.get(size_of::<Head>()..).and_then(|rest| rest.first_chunk().copied());
    Ok(u64::from_le_bytes(flags.unwrap_or_default()) & THREAD_SAFE != 0)
}

/// The library and what it needs of its own: what is found by way of `$ORIGIN`, and what that needs.
fn parts(path: &Path, root: &Path, content: Vec<u8>) -> Result<Vec<Part>> {
    let mut found = vec![(path.to_owned(), Vec::new(), content)];
    let mut at = 0;
    while at < found.len() {
        let (path, folder, content) = &found[at];
        let dynamic = Elf::read(content).and_then(|elf| elf.dynamic());
        let dynamic = dynamic.map_err(|why| error::not_a_library(path, root, &why, content))?;
        let beside = path.parent().unwrap_or(Path::new(""));
        let mut more = Vec::new();
        for needed in &dynamic.needed {
            let Some((file, place)) = private(needed, &dynamic.search, beside, folder) else { continue };
            let is_known = |(other, ..): &(PathBuf, Vec<Step>, Vec<u8>)| *other == file;
            if !found.iter().any(is_known) && !more.iter().any(is_known) {
                let content = self::content(&file, root)?;
                more.push((file, place, content));
            }
        }
        found.extend(more);
        at += 1;
    }
    // How far above the module's own folder something lies.
    let climbs = |place: &[Step]| place.iter().filter(|part| part.is_none()).count();
    let levels = found.iter().map(|(_, place, _)| climbs(place)).max().unwrap_or(0);
    let mut parts = Vec::new();
    for (path, folder, content) in found {
        let dynamic = Elf::read(&content).and_then(|elf| elf.dynamic());
        let dynamic = dynamic.map_err(|why| error::not_a_library(&path, root, &why, &content))?;
        let name = path.file_name().unwrap_or_default().to_owned();
        // The module itself is loaded by its path: only what it calls itself could be taken for another's.
        let own = name.to_string_lossy().into_owned();
        let mut names = if parts.is_empty() { Vec::new() } else { vec![own] };
        names.extend(
            dynamic.soname.filter(|soname| names.first().is_none_or(|own| own != soname)).map(str::to_owned),
        );
        let mut place = PathBuf::new();
        place.extend(std::iter::repeat_n(LEVEL, levels - climbs(&folder)));
        place.extend(folder.iter().flatten());
        place.push(name);
        let hash = blake3::hash(&content);
        parts.push(Part { path, place, names, content, hash });
    }
    Ok(parts)
}

/// A step from the module's folder: into a folder of this name, or up.
type Step = Option<String>;

/// Where the library called `needed` is, if that is said relative to the one that needs it, and the way there
/// from the module's folder.
fn private(needed: &str, search: &[&str], beside: &Path, folder: &[Step]) -> Option<(PathBuf, Vec<Step>)> {
    if needed.contains('/') {
        return None;
    }
    for dir in search {
        let Some(rest) = ["$ORIGIN", "${ORIGIN}"].iter().find_map(|origin| dir.strip_prefix(origin)) else {
            // An absolute folder, the same for every copy: if it is there, the system finds it there.
            if Path::new(dir).join(needed).is_file() {
                return None;
            }
            continue;
        };
        let (mut at, mut place) = (beside.to_owned(), folder.to_vec());
        for part in Path::new(rest.trim_start_matches('/')).components() {
            match part {
                Component::ParentDir => {
                    at.pop();
                    match place.last() {
                        Some(Some(_)) => drop(place.pop()),
                        _ => place.push(None),
                    }
                }
                Component::Normal(name) => {
                    at.push(name);
                    place.push(Some(name.to_string_lossy().into_owned()));
                }
                _ => {}
            }
        }
        let file = at.join(needed);
        if file.is_file() {
            return Some((file, place));
        }
    }
    None
}

fn hash(parts: &[Part]) -> ContentHash {
    let hex = match parts {
        [only] => only.hash.to_hex(),
        several => {
            let mut all = blake3::Hasher::new();
            for part in several {
                all.update(part.place.as_os_str().as_encoded_bytes())
                    .update(&[0])
                    .update(part.hash.as_bytes());
            }
            all.finalize().to_hex()
        }
    };
    ContentHash::from_hex(&hex)
}
