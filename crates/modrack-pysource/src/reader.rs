//! From an origin to a [`Description`]: the one way in.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use modrack_core::{
    BackendName, Code, Content, ContentHash, Description, Entry, Error, Language, Manifest, Origin, Phase,
    Result, Takes, nearest,
};

use crate::class::Listed;
use crate::entry::{self, Filling};
use crate::error;
use crate::extension;
use crate::extract;
use crate::manifest;
use crate::parse;
use crate::text::SourceText;
use crate::world::{Sources, Unit, World, files_of, module_file};

/// Reads Python modules without running them.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// The folder that paths in messages are shown against: the rack's.
    pub root: PathBuf,
    /// The folders that `python:` names, and bases from outside a module, are looked up in.
    pub path: Vec<PathBuf>,
}

impl Reader {
    /// Reads what can be known of a module without running it.
    ///
    /// What the interpreter imports by itself and is in none of [`Reader::path`] is described as open, with
    /// nothing listed: it is asked when it is loaded.
    ///
    /// # Errors
    /// [`Code::ModuleNotFound`], [`Code::ModuleUnreadable`], [`Code::NotPython`], [`Code::PythonSyntax`],
    /// [`Code::MissingName`], [`Code::AmbiguousModule`] or [`Code::BadManifest`], each with its place.
    pub fn describe(&self, origin: &Origin) -> Result<Description> {
        Ok(self.read(origin)?.0)
    }

    /// Reads what can be known of a module without running it, and gives the files that belong to it as they were read; none
    /// for what is no file, and for an extension.
    ///
    /// # Errors
    /// As [`Reader::describe`].
    pub fn read(&self, origin: &Origin) -> Result<(Description, Sources)> {
        let alone = |described| (described, Sources::new());
        let described = match origin {
            Origin::File { path, .. } => self.file(origin, path),
            Origin::Import { module, .. } => self.import(origin, module).map(alone),
            Origin::Source { name, language: Language::Python, text } => self.source(name, text).map(alone),
            Origin::Source { .. } | Origin::Host { .. } => {
                Err(Error::new(Code::UnknownBackend, format!("`{origin}` is not a Python module"))
                    .phase(Phase::Find)
                    .hint("Name a Python file, a package, or `python:MODULE`"))
            }
        };
        described.map_err(|error| error.module(origin.to_string()))
    }

    /// The files that reading and loading a module may ask for, its own first, whether they are there or not.
    pub fn asks_for(&self, origin: &Origin) -> Vec<PathBuf> {
        let own = match origin {
            Origin::File { path, .. } => {
                let path = tidy(path);
                match path.is_dir() {
                    true => path.join("__init__.py"),
                    false => path,
                }
            }
            Origin::Import { module, .. } => {
                let parts: Vec<&str> = module.split('.').collect();
                match self.path.iter().find_map(|folder| module_file(folder, &parts)) {
                    Some(own) => own,
                    None => {
                        return self
                            .path
                            .iter()
                            .flat_map(|folder| files_of(&folder.join(parts.iter().collect::<PathBuf>())))
                            .collect();
                    }
                }
            }
            Origin::Source { .. } | Origin::Host { .. } => return Vec::new(),
        };
        let mut asked = World::round(&own, &self.root, &self.path).asked(&own);
        if matches!(origin, Origin::File { .. }) && !own.exists() {
            // It may come as a package.
            asked.push(own.join("__init__.py"));
        }
        asked
    }

    fn file(&self, origin: &Origin, path: &Path) -> Result<(Description, Sources)> {
        let path = self.locate(path)?;
        if let Some(described) = extension::describe(origin, &path)? {
            return Ok((described, Sources::new()));
        }
        let world = World::round(&path, &self.root, &self.path);
        let unit = world.read(&path)?;
        let (sources, hash) = world.content(&unit, manifest::beside(&path, &unit.package))?;
        let filling = entry::filling(&world, &unit, origin.attr(), false, &self.root)?;
        let manifest = manifest::of_file(&path, &unit.package)?;
        let mut described = describe(&world, &unit, filling, manifest)?;
        if described.name.is_empty() {
            described.name = own_name(&path);
        }
        let files: Vec<PathBuf> = sources.iter().map(|(path, _)| path.clone()).collect();
        described.data = world.data(&unit, &files);
        described.files = files;
        described.hash = Some(hash);
        Ok((described, sources))
    }

    fn import(&self, origin: &Origin, module: &str) -> Result<Description> {
        let parts: Vec<&str> = module.split('.').collect();
        let Some(path) = self.path.iter().find_map(|folder| module_file(folder, &parts)) else {
            let entry = match origin.attr() {
                Some(attr) if attr.factory => Entry::Factory(attr.path.clone()),
                Some(_) => Entry::Unknown,
                None => Entry::Module,
            };
            return Ok(Description {
                name: module.to_owned(),
                backend: Some(BackendName::Python),
                entry,
                open: true,
                ..Description::default()
            });
        };
        let world = World::round(&path, &self.root, &self.path);
        let unit = world.read(&path)?;
        let filling = entry::filling(&world, &unit, origin.attr(), true, &self.root)?;
        let mut described = describe(&world, &unit, filling, Manifest::default())?;
        if described.name.is_empty() {
            module.clone_into(&mut described.name);
        }
        described.files = vec![path];
        Ok(described)
    }

    fn source(&self, name: &str, text: &str) -> Result<Description> {
        let path = PathBuf::from(format!("<{name}>"));
        let source = SourceText::new(text.to_owned());
        let facts = parse::with_module(&source, |parsed| extract::facts(&source, &path, parsed))
            .map_err(|why| error::syntax(&path, &self.root, &source, &why))?;
        let unit = Rc::new(Unit {
            path: path.clone(),
            package: Vec::new(),
            is_package: false,
            bytes: std::sync::Arc::default(),
            facts,
        });
        let mut world = World::round(&path, &self.root, &self.path);
        // Nothing stands beside source that stands in a configuration.
        world.import_root.clone_from(&path);
        world.private_root = path;
        let filling = entry::filling(&world, &unit, None, false, &self.root)?;
        let mut described = describe(&world, &unit, filling, Manifest::default())?;
        if described.name.is_empty() {
            name.clone_into(&mut described.name);
        }
        described.hash = Some(ContentHash::from_hex(&blake3::hash(text.as_bytes()).to_hex()));
        Ok(described)
    }

    /// The file that a path means: itself, or a package's `__init__.py`.
    fn locate(&self, path: &Path) -> Result<PathBuf> {
        let path = tidy(path);
        let about = match std::fs::metadata(&path) {
            Ok(about) => about,
            Err(why) => {
                use std::io::ErrorKind::{NotADirectory, NotFound};
                return Err(match why.kind() {
                    NotFound | NotADirectory => error::missing(&path, &self.root, self.beside(&path)),
                    _ => error::unreadable(&path, &self.root, &why),
                });
            }
        };
        if !about.is_dir() {
            return Ok(path);
        }
        let init = path.join("__init__.py");
        if init.is_file() {
            return Ok(init);
        }
        let inside = python_files(&path).into_iter().next();
        Err(error::not_a_package(&path, &self.root, inside))
    }

    /// The file beside a missing one that was probably meant, as one would write it.
    fn beside(&self, path: &Path) -> Option<String> {
        let wanted = path.file_name()?.to_string_lossy().into_owned();
        let folder = path.parent()?;
        let mut names = python_files(folder);
        let entries = std::fs::read_dir(folder).ok()?.flatten();
        let is_package = |entry: &std::fs::DirEntry| entry.path().join("__init__.py").is_file();
        names
            .extend(entries.filter(is_package).map(|entry| entry.file_name().to_string_lossy().into_owned()));
        names.sort_unstable();
        let near = nearest(&wanted, names.iter().map(String::as_str)).or_else(|| {
            names.iter().map(String::as_str).find(|name| name.strip_suffix(".py") == Some(&wanted))
        })?;
        let shown = error::shown(&folder.join(near), &self.root);
        Some(if Path::new(&shown).is_absolute() { shown } else { format!("./{shown}") })
    }
}

fn describe(world: &World<'_>, unit: &Rc<Unit>, filling: Filling, manifest: Manifest) -> Result<Description> {
    let mut manifest = manifest;
    let values = filling.class.as_ref().map(|class| class.values()).unwrap_or_default();
    manifest::add_source(&mut manifest, &values, &unit.facts)?;
    if manifest.takes.is_none() {
        manifest.takes = takes(&filling.functions);
    }
    Ok(Description {
        name: manifest.name.clone().unwrap_or_default(),
        version: manifest.version.clone(),
        backend: Some(BackendName::Python),
        doc: filling.doc.or_else(|| unit.facts.doc.clone()),
        entry: filling.entry,
        functions: filling.functions.into_iter().map(|listed| listed.info).collect(),
        attributes: filling.attributes,
        classes: entry::classes(world, unit),
        constructor: filling.constructor,
        manifest,
        open: filling.open,
        hash: None,
        files: Vec::new(),
        data: Vec::new(),
        content: Content::default(),
    })
}

/// What a module's transform takes, where all its functions that could be one say the same.
fn takes(functions: &[Listed]) -> Option<Takes> {
    let mut mains = functions.iter().filter(|one| !modrack_core::is_lifecycle(&one.info.name));
    let first = mains.next()?.takes;
    mains.all(|one| one.takes == first).then_some(first)?
}

/// The name of a module by its file: the stem, or the package's folder.
fn own_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    let name = match path.parent().and_then(Path::file_name) {
        Some(folder) if stem == "__init__" => folder,
        _ => stem,
    };
    name.to_string_lossy().into_owned()
}

/// The Python files of a folder by name, in order.
fn python_files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".py"))
        .collect();
    names.sort_unstable();
    names
}

/// The path without `.` and a trailing slash; `..` stays, for links may stand before it.
fn tidy(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}
