//! What comes along with a library: the libraries that it finds by itself, and that these find, as the system's loader
//! would find them. Nothing of it is loaded.
//!
//! What is found relative to the library is copied with it. What is found in a folder that is named from the root stays
//! there, but is read as well: the process has one library of a name, wherever it lies.

use std::path::{Component, Path, PathBuf};

use modrack_core::Result;
use modrack_core::elf::Elf;

use crate::read::{Missing, Part, content};
use crate::{error, needs};

/// The folder that stands for one level above the module, in the place of its copies.
const LEVEL: &str = "d";

/// A step from the module's folder: into a folder of this name, or up.
type Step = Option<String>;

/// A library that was found.
struct Found {
    path: PathBuf,
    /// The way to its folder from that of the module, where it is copied.
    way: Option<Vec<Step>>,
    /// The one that needed it first.
    loader: Option<usize>,
    /// The names by which others need it.
    names: Vec<String>,
    needed: Vec<String>,
    search: Vec<String>,
    is_for_itself: bool,
    content: Vec<u8>,
    size: u64,
    hash: blake3::Hash,
}

/// Where one thing that is needed is.
enum Where {
    /// There, and the way to its folder where it is copied.
    File(PathBuf, Option<Vec<Step>>),
    /// With the system, or where only the system's loader knows.
    System,
    Nowhere,
}

/// The library at `path` and what it needs of its own, and what that needs. Then what is found nowhere.
///
/// # Errors
/// A failure of phase find or check.
pub(crate) fn parts(path: &Path, root: &Path, content: Vec<u8>) -> Result<(Vec<Part>, Vec<Missing>)> {
    // The module itself is loaded by its path: only what it calls itself could be taken for another's.
    let main = Found::read(path.to_owned(), root, content, Vec::new())?;
    let mut found = vec![Found { way: Some(Vec::new()), ..main }];
    let (mut at, mut missing) = (0, Vec::new());
    while at < found.len() {
        for needed in found[at].needed.clone() {
            // The loader takes what it has of that name, wherever it would find another.
            if found.iter().any(|known| known.names.contains(&needed)) {
                continue;
            }
            match locate(&needed, &found, at) {
                Where::System => {}
                Where::Nowhere => missing.push((at, needed)),
                Where::File(path, way) => {
                    if let Some(known) = found.iter_mut().find(|known| known.path == path) {
                        known.names.push(needed);
                        continue;
                    }
                    let content = self::content(&path, root)?;
                    let part = Found::read(path, root, content, vec![needed])?;
                    // The content of what is not copied is not kept in memory.
                    let content = if way.is_some() { part.content } else { Vec::new() };
                    found.push(Found { way, loader: Some(at), content, ..part });
                }
            }
        }
        at += 1;
    }
    // Whatever comes along is there for all of them.
    missing.retain(|(_, needed)| !found.iter().any(|part| part.names.contains(needed)));
    // How far above the module's own folder something lies.
    let climbs = |way: &[Step]| way.iter().filter(|step| step.is_none()).count();
    let levels = found.iter().filter_map(|part| part.way.as_deref()).map(climbs).max().unwrap_or(0);
    let parts = found.into_iter().map(|part| {
        let place = part.way.map(|way| {
            let mut place = PathBuf::new();
            place.extend(std::iter::repeat_n(LEVEL, levels - climbs(&way)));
            place.extend(way.iter().flatten());
            place.push(part.path.file_name().unwrap_or_default());
            place
        });
        let Found { path, names, content, size, hash, .. } = part;
        Part { path, place, names, content, size, hash }
    });
    Ok((parts.collect(), missing))
}

impl Found {
    fn read(path: PathBuf, root: &Path, content: Vec<u8>, mut names: Vec<String>) -> Result<Self> {
        let dynamic = Elf::read(&content).and_then(|elf| elf.dynamic());
        let dynamic = dynamic.map_err(|why| error::not_a_library(&path, root, &why, &content))?;
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        names.extend(dynamic.soname.filter(|name| !names.iter().any(|own| own == name)).map(str::to_owned));
        let (needed, search, is_for_itself) =
            (owned(&dynamic.needed), owned(&dynamic.search), dynamic.is_for_itself);
        let (size, hash) = (content.len() as u64, blake3::hash(&content));
        Ok(Self { path, way: None, loader: None, names, needed, search, is_for_itself, content, size, hash })
    }

    /// A folder relative to this library, and the way there where it is copied.
    fn beside(&self, rest: &str) -> (PathBuf, Option<Vec<Step>>) {
        let (mut at, mut way) = (self.path.parent().unwrap_or(Path::new("")).to_owned(), self.way.clone());
        for part in Path::new(rest.trim_start_matches('/')).components() {
            match part {
                Component::ParentDir => {
                    at.pop();
                    match &mut way {
                        Some(way) if matches!(way.last(), Some(Some(_))) => drop(way.pop()),
                        Some(way) => way.push(None),
                        None => {}
                    }
                }
                Component::Normal(name) => {
                    at.push(name);
                    if let Some(way) = &mut way {
                        way.push(Some(name.to_string_lossy().into_owned()));
                    }
                }
                _ => {}
            }
        }
        (at, way)
    }
}

/// Where the library called `needed` is, which that at `at` needs.
fn locate(needed: &str, found: &[Found], at: usize) -> Where {
    if needed.contains('/') {
        return match origin(needed) {
            Some(rest) => {
                let (folder, name) = rest.rsplit_once('/').unwrap_or(("", rest));
                let (folder, way) = found[at].beside(folder);
                existing(&folder.join(name), way).unwrap_or(Where::Nowhere)
            }
            None if needed.contains('$') => Where::System,
            None => existing(Path::new(needed), None).unwrap_or(Where::Nowhere),
        };
    }
    // Its own folders; and those of who loaded it, and of who loaded that, where none of them says that they are for
    // itself alone.
    let mut next = Some(at);
    while let Some(says) = next {
        let part = &found[says];
        next = part.loader.filter(|_| !found[at].is_for_itself);
        if says != at && part.is_for_itself {
            continue;
        }
        for folder in &part.search {
            let (folder, way) = match origin(folder) {
                Some(rest) => part.beside(rest),
                None if folder.contains('$') => return Where::System,
                None => (PathBuf::from(folder), None),
            };
            if let Some(file) = existing(&folder.join(needed), way) {
                let is_copied = matches!(file, Where::File(_, Some(_)));
                return if !is_copied && needs::is_system(&folder) { Where::System } else { file };
            }
        }
    }
    if needs::is_there(needed) { Where::System } else { Where::Nowhere }
}

/// What follows the word for the library's own folder.
fn origin(text: &str) -> Option<&str> {
    ["$ORIGIN", "${ORIGIN}"].iter().find_map(|origin| text.strip_prefix(origin))
}

fn existing(file: &Path, way: Option<Vec<Step>>) -> Option<Where> {
    file.is_file().then(|| Where::File(file.to_owned(), way))
}
