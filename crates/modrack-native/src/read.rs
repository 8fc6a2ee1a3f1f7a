//! A library, read and not loaded: whether it can be, and what it says of itself.

use std::fs;
use std::path::{Component, Path, PathBuf};

use modrack_abi::{NOTE_OWNER, NOTE_SECTION, NOTE_TYPE};
use modrack_core::elf::Elf;
use modrack_core::manifest::Embedded;
use modrack_core::{ContentHash, Instances, Result};

use crate::error;
use crate::needs;
use crate::outline::Outline;

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

fn content(path: &Path, root: &Path) -> Result<Vec<u8>> {
    let unreadable = |why| error::unreadable(path, root, &why);
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(unreadable(std::io::Error::other("it is not a regular file of less than 4 GiB")));
    }
    fs::read(path).map_err(unreadable)
}

/// The library and what it needs of its own: what is found by way of `$ORIGIN`, and what that needs. Then what is
/// found nowhere.
fn parts(path: &Path, root: &Path, content: Vec<u8>) -> Result<(Vec<Part>, Vec<Missing>)> {
    let mut found = vec![(path.to_owned(), Vec::new(), content)];
    let (mut at, mut missing) = (0, Vec::new());
    while at < found.len() {
        let (path, folder, content) = &found[at];
        let dynamic = Elf::read(content).and_then(|elf| elf.dynamic());
        let dynamic = dynamic.map_err(|why| error::not_a_library(path, root, &why, content))?;
        let beside = path.parent().unwrap_or(Path::new(""));
        let mut more = Vec::new();
        for needed in &dynamic.needed {
            let Some((file, place)) = private(needed, &dynamic.search, beside, folder) else {
                if !needs::is_there(needed, &dynamic.search, beside) {
                    missing.push((at, (*needed).to_owned()));
                }
                continue;
            };
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
    // Whatever comes along is there for all of them.
    missing.retain(|(_, needed)| !parts.iter().any(|part| part.names.contains(needed)));
    Ok((parts, missing))
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
