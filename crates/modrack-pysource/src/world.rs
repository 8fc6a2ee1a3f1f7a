//! The files round a module: reading each once, following imports from one to the next, and the content hash.
//!
//! A module's root is its folder, or its top package. What is inside belongs to it; other folders are looked
//! into only to understand what it inherits.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use modrack_core::{ContentHash, Result};

use crate::error;
use crate::extract;
use crate::facts::{Def, Facts, Imported, Link};
use crate::parse;
use crate::stdlib;
use crate::text::{MAX_BYTES, SourceText};

/// One file, read.
pub(crate) struct Unit {
    pub(crate) path: PathBuf,
    /// The packages it is in, outermost first; a package's own file is in its package.
    pub(crate) package: Vec<String>,
    pub(crate) is_package: bool,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) facts: Facts,
}

/// Files, each with what was read of it.
pub type Sources = Vec<(PathBuf, Arc<[u8]>)>;

/// Every file that was looked at to describe one module.
pub(crate) struct World<'a> {
    /// The folder that messages show paths against.
    shown_root: &'a Path,
    /// Where absolute imports of the module's own files begin.
    pub(crate) import_root: PathBuf,
    /// What belongs to the module is inside this folder.
    pub(crate) private_root: PathBuf,
    /// Other folders that are imported from.
    path: &'a [PathBuf],
    units: RefCell<HashMap<PathBuf, Option<Rc<Unit>>>>,
}

/// A definition that was found by name.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) unit: Rc<Unit>,
    pub(crate) name: String,
}

/// How far imports of imports are followed.
const MAX_HOPS: usize = 16;
/// How many bytes of a package's data are kept with it.
const MAX_DATA_BYTES: u64 = 256 << 20;
/// How many files of a package are hashed.
const MAX_FILES: usize = 10_000;

impl<'a> World<'a> {
    /// The surroundings of the file or package file at `path`.
    pub(crate) fn round(path: &Path, shown_root: &'a Path, folders: &'a [PathBuf]) -> Self {
        let packages = packages_of(path);
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut import_root = folder.clone();
        for _ in &packages {
            import_root.pop();
        }
        let private_root = match packages.first() {
            Some(top) => import_root.join(top),
            None => folder,
        };
        Self { shown_root, import_root, private_root, path: folders, units: RefCell::default() }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, is not Python source, or has a syntax error.
    pub(crate) fn read(&self, path: &Path) -> Result<Rc<Unit>> {
        if let Some(Some(unit)) = self.units.borrow().get(path) {
            return Ok(unit.clone());
        }
        let root = self.shown_root;
        let unreadable = |why: &std::io::Error| error::unreadable(path, root, why);
        let about = std::fs::metadata(path).map_err(|why| unreadable(&why))?;
        if !about.is_file() {
            return Err(error::not_a_file(path, root));
        }
        if about.len() > MAX_BYTES {
            return Err(error::not_text(path, root, &crate::text::NotText::TooLarge));
        }
        let bytes = std::fs::read(path).map_err(|why| unreadable(&why))?;
        let source = SourceText::decode(&bytes).map_err(|why| error::not_text(path, root, &why))?;
        let facts = parse::with_module(&source, |parsed| extract::facts(&source, path, parsed))
            .map_err(|why| error::syntax(path, root, &source, &why))?;
        let unit = Rc::new(Unit {
            path: path.to_owned(),
            package: packages_of(path),
            is_package: is_init(path),
            bytes: bytes.into(),
            facts,
        });
        self.units.borrow_mut().insert(path.to_owned(), Some(unit.clone()));
        Ok(unit)
    }

    /// Reads a file for what it tells about another; what is wrong with it is not that other's fault.
    fn peek(&self, path: &Path) -> Option<Rc<Unit>> {
        if let Some(known) = self.units.borrow().get(path) {
            return known.clone();
        }
        let unit = self.read(path).ok();
        self.units.borrow_mut().entry(path.to_owned()).or_insert_with(|| unit.clone());
        unit
    }

    /// The file of a module by its dotted parts.
    fn file_of(&self, parts: &[&str]) -> Option<PathBuf> {
        let found =
            std::iter::once(&self.import_root).chain(self.path).find_map(|root| module_file(root, parts));
        found.filter(|_| !parts.is_empty())
    }

    /// The dotted parts of what an import in `unit` names.
    fn parts<'b>(&self, unit: &'b Unit, level: u32, module: &'b str) -> Option<Vec<&'b str>> {
        let mut parts: Vec<&str> = Vec::new();
        if level > 0 {
            let keep = unit.package.len().checked_sub(level as usize - 1)?;
            if unit.package.is_empty() {
                return None;
            }
            parts.extend(unit.package[..keep].iter().map(String::as_str));
        }
        parts.extend(module.split('.').filter(|part| !part.is_empty()));
        Some(parts)
    }

    /// The unit that a link's module is.
    fn module(&self, unit: &Unit, link: &Link) -> Option<Rc<Unit>> {
        let parts = self.parts(unit, link.level, &link.module)?;
        self.peek(&self.file_of(&parts)?)
    }

    /// Finds what `name` is in `unit`, through imports where they can be followed.
    pub(crate) fn find(&self, unit: &Rc<Unit>, name: &str) -> Option<Found> {
        self.find_at(unit, name, 0)
    }

    fn find_at(&self, unit: &Rc<Unit>, name: &str, hops: usize) -> Option<Found> {
        if hops > MAX_HOPS {
            return None;
        }
        if let Some((first, rest)) = name.split_once('.') {
            let Some(Def::Import(link)) = unit.facts.names.get(first) else { return None };
            let inner = match &link.name {
                None => self.module(unit, link)?,
                Some(sub) => self.submodule(unit, link, sub)?,
            };
            return self.find_at(&inner, rest, hops + 1);
        }
        match unit.facts.names.get(name) {
            Some(Def::Import(link)) => {
                let wanted = link.name.as_deref()?;
                let inner = self.module(unit, link)?;
                if Rc::ptr_eq(&inner, unit) && wanted == name {
                    return None;
                }
                self.find_at(&inner, wanted, hops + 1)
            }
            Some(Def::Value(value)) => match &value.alias {
                Some(other) if other != name => match self.find_at(unit, other, hops + 1) {
                    Some(found) => Some(found),
                    None => Some(Found { unit: unit.clone(), name: name.to_owned() }),
                },
                _ => Some(Found { unit: unit.clone(), name: name.to_owned() }),
            },
            Some(_) => Some(Found { unit: unit.clone(), name: name.to_owned() }),
            None => unit.facts.stars.iter().find_map(|star| {
                let inner = self.module(unit, star)?;
                (!Rc::ptr_eq(&inner, unit) && inner.facts.is_public(name))
                    .then(|| self.find_at(&inner, name, hops + 1))?
            }),
        }
    }

    fn submodule(&self, unit: &Unit, link: &Link, name: &str) -> Option<Rc<Unit>> {
        let mut parts = self.parts(unit, link.level, &link.module)?;
        parts.push(name);
        self.peek(&self.file_of(&parts)?)
    }

    /// Whether every `from x import *` of the unit leads to a file that was read.
    pub(crate) fn stars_are_seen(&self, unit: &Unit) -> bool {
        unit.facts.stars.iter().all(|star| self.module(unit, star).is_some_and(|m| m.facts.stars.is_empty()))
    }

    /// The units that `from x import *` brings in.
    pub(crate) fn stars(&self, unit: &Unit) -> Vec<Rc<Unit>> {
        unit.facts.stars.iter().filter_map(|star| self.module(unit, star)).collect()
    }

    /// Whether a unit belongs to the module.
    pub(crate) fn is_private(&self, path: &Path) -> bool {
        path.starts_with(&self.private_root)
    }

    /// The files that belong to the module with their content, `unit`'s own first, its manifest with them, and the hash of all that.
    ///
    /// # Errors
    /// A file that loading the module certainly loads, too, has a syntax error or is not Python.
    pub(crate) fn content(
        &self,
        unit: &Rc<Unit>,
        manifest: Option<PathBuf>,
    ) -> Result<(Sources, ContentHash)> {
        let mut files: BTreeMap<PathBuf, Rc<Unit>> = BTreeMap::new();
        let mut seen: HashSet<(PathBuf, bool)> = HashSet::new();
        let mut others = BTreeMap::new();
        let mut queue = vec![(unit.clone(), true)];
        for init in self.inits(&unit.package) {
            if init != unit.path {
                queue.push((self.read(&init)?, true));
            }
        }
        while let Some((at, hard)) = queue.pop() {
            files.insert(at.path.clone(), at.clone());
            for import in &at.facts.imports {
                let hard = hard && import.hard;
                for path in self.targets(&at, import.level, &import.module, &import.names) {
                    if !seen.insert((path.clone(), hard)) {
                        continue;
                    }
                    if hard {
                        queue.push((self.read(&path)?, true));
                    } else if let Some(next) = self.peek(&path) {
                        queue.push((next, false));
                    } else if let Ok(bytes) = read_regular(&path) {
                        // Broken, and perhaps never loaded; but mending it changes the module.
                        others.insert(path, bytes.into());
                    }
                }
            }
        }
        // A package may load any of its files in ways that cannot be read.
        if unit.is_package && unit.path.parent() == Some(&self.private_root) {
            gather(&self.private_root, &mut others);
        }
        if let Some(path) = manifest
            && let Ok(bytes) = read_regular(&path)
        {
            others.insert(path, bytes.into());
        }
        others.extend(files.into_iter().map(|(path, unit)| (path, unit.bytes.clone())));
        let mut all: Sources = others.into_iter().collect();
        let mut hasher = blake3::Hasher::new();
        for (path, bytes) in &all {
            // A project's file, which has a package's manifest, stands above it.
            let above = || Path::new(path.file_name().unwrap_or_default());
            let name = path.strip_prefix(&self.private_root).unwrap_or_else(|_| above());
            let name = name.as_os_str().as_encoded_bytes();
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name);
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
        // Stable: only its own file changes its place.
        all.sort_by_key(|(path, _)| *path != unit.path);
        Ok((all, ContentHash::from_hex(&hasher.finalize().to_hex())))
    }

    /// The files of the module's package that are no source of it, which it may read when it runs; those that are too large to
    /// be copied now and then are left out.
    pub(crate) fn data(&self, unit: &Unit, source: &[PathBuf]) -> Vec<PathBuf> {
        let mut data = Vec::new();
        if !unit.package.is_empty() {
            let mut left = MAX_DATA_BYTES;
            gather_data(&self.private_root, source, &mut left, &mut data);
        }
        data
    }

    /// The files that reading and loading the module may ask for, its own first, whether they are there or not. What is broken is
    /// looked into as far as that goes.
    pub(crate) fn asked(&self, own: &Path) -> Vec<PathBuf> {
        let mut asked = vec![own.to_owned()];
        let mut seen: HashSet<PathBuf> = asked.iter().cloned().collect();
        let mut note = |path: PathBuf, asked: &mut Vec<PathBuf>| {
            if asked.len() < MAX_FILES && seen.insert(path.clone()) {
                asked.push(path);
            }
        };
        for init in self.inits(&packages_of(own)) {
            note(init, &mut asked);
        }
        if is_init(own) {
            let mut all = BTreeMap::new();
            gather(&self.private_root, &mut all);
            all.into_keys().for_each(|path| note(path, &mut asked));
        }
        let mut at = 0;
        while let Some(path) = asked.get(at).cloned() {
            at += 1;
            // What is another's is not looked into.
            let Some(unit) =
                Some(&path).filter(|path| self.is_private(path)).and_then(|path| self.peek(path))
            else {
                continue;
            };
            for import in &unit.facts.imports {
                for path in self.places(&unit, import) {
                    note(path, &mut asked);
                }
            }
        }
        asked
    }

    /// Where what one import names is, or would be.
    fn places(&self, unit: &Unit, import: &Imported) -> Vec<PathBuf> {
        let Some(parts) = self.parts(unit, import.level, &import.module) else { return Vec::new() };
        if import.level == 0 && parts.first().is_some_and(|first| stdlib::has(first)) {
            return Vec::new();
        }
        let mut places = Vec::new();
        for root in std::iter::once(&self.import_root).chain(self.path) {
            let mut folder = root.clone();
            for part in &parts {
                folder.push(part);
                places.extend(files_of(&folder));
            }
            // What is imported from a folder may be a file in it.
            if folder.is_dir() && !parts.is_empty() {
                let names = import.names.iter().filter(|name| *name != "*");
                places.extend(names.flat_map(|name| files_of(&folder.join(name))));
            }
            // A relative import leads to one place alone, and what was found is looked for no further.
            if import.level > 0 || parts.first().is_some_and(|first| module_file(root, &[first]).is_some()) {
                break;
            }
        }
        places
    }

    /// The files of the module that one import may load.
    fn targets(&self, unit: &Unit, level: u32, module: &str, names: &[String]) -> Vec<PathBuf> {
        let Some(parts) = self.parts(unit, level, module) else { return Vec::new() };
        let mut found = Vec::new();
        let mut add = |parts: &[&str]| {
            if let Some(path) = module_file(&self.import_root, parts)
                && self.is_private(&path)
            {
                found.push(path);
                return true;
            }
            false
        };
        for end in 1..=parts.len() {
            add(&parts[..end]);
        }
        let is_folder = !parts.is_empty()
            && self.import_root.join(parts.iter().collect::<PathBuf>()).starts_with(&self.private_root);
        if is_folder && !names.is_empty() {
            let folder = self.import_root.join(parts.iter().collect::<PathBuf>());
            if folder.is_dir() {
                for name in names.iter().filter(|name| *name != "*") {
                    let mut deeper = parts.clone();
                    deeper.push(name);
                    add(&deeper);
                }
            }
        }
        found
    }

    /// The `__init__.py` of each package, outermost first.
    fn inits(&self, packages: &[String]) -> Vec<PathBuf> {
        let mut folder = self.import_root.clone();
        packages
            .iter()
            .map(|name| {
                folder.push(name);
                folder.join("__init__.py")
            })
            .collect()
    }
}

/// The file of a module below `root`: a package wins over a file of the same name, as in Python.
pub(crate) fn module_file(root: &Path, parts: &[&str]) -> Option<PathBuf> {
    if parts.is_empty() {
        return None;
    }
    let mut path: PathBuf = root.join(parts.iter().collect::<PathBuf>());
    let package = path.join("__init__.py");
    if package.is_file() {
        return Some(package);
    }
    path.as_mut_os_string().push(".py");
    path.is_file().then_some(path)
}

/// The files that a module may be, whose dotted name makes this path.
pub(crate) fn files_of(module: &Path) -> [PathBuf; 2] {
    let mut file = module.to_owned();
    file.as_mut_os_string().push(".py");
    [module.join("__init__.py"), file]
}

/// The packages that a file is in, outermost first.
fn packages_of(path: &Path) -> Vec<String> {
    let mut packages = Vec::new();
    let mut folder = path.parent();
    while let Some(at) = folder {
        let Some(name) = at.file_name().filter(|_| at.join("__init__.py").is_file()) else { break };
        packages.push(name.to_string_lossy().into_owned());
        folder = at.parent();
    }
    packages.reverse();
    packages
}

fn is_init(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "__init__.py")
}

/// Every Python file below `folder`, without following links to folders.
fn gather(folder: &Path, into: &mut BTreeMap<PathBuf, Arc<[u8]>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if into.len() >= MAX_FILES || name.starts_with('.') || name == "__pycache__" {
            continue;
        }
        if kind.is_dir() {
            gather(&path, into);
        } else if name.ends_with(".py")
            && let Ok(bytes) = read_regular(&path)
        {
            into.insert(path, bytes.into());
        }
    }
}

/// Every file below `folder` that is neither source nor made of it, in order, without following links to folders.
fn gather_data(folder: &Path, source: &[PathBuf], left: &mut u64, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort_unstable();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name == "__pycache__" || name.ends_with(".py") || name.ends_with(".pyc") {
            continue;
        }
        let Ok(about) = path.symlink_metadata() else { continue };
        if about.is_dir() {
            gather_data(&path, source, left, into);
            continue;
        }
        let Some(size) = path.metadata().ok().filter(std::fs::Metadata::is_file).map(|about| about.len())
        else {
            continue;
        };
        if into.len() < MAX_FILES && size <= *left && !source.contains(&path) {
            *left -= size;
            into.push(path);
        }
    }
}

/// The content of a regular file that is not too large to be source.
fn read_regular(path: &Path) -> std::io::Result<Vec<u8>> {
    let about = std::fs::metadata(path)?;
    if !about.is_file() || about.len() > MAX_BYTES {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    std::fs::read(path)
}
