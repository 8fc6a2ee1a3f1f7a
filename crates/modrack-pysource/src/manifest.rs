//! What a module says of itself: in `modrack.toml`, in `[tool.modrack]`, and in its own source.
//!
//! Files are addressed to modrack, so what is wrong in them is an error. Source is not: what cannot be read
//! there says nothing, except `plugin_version`, which is addressed to whoever loads plugins.

use std::path::{Path, PathBuf};

use modrack_core::manifest::{self, Document};
use modrack_core::{Manifest, Place, Result};

use crate::error;
use crate::facts::{Facts, Literal, ValueFact};

/// The file that has the manifest of the one at `path`, where one has.
pub(crate) fn beside(path: &Path, package: &[String]) -> Option<PathBuf> {
    let found = found(path, package).ok()??;
    // What a project says of everything else is not the module's.
    let is_project = found.is_project && !found.file.text.contains("tool.modrack");
    (!is_project).then_some(found.file.path)
}

/// Reads the manifest of the file at `path`: the nearest file that has one.
///
/// # Errors
/// [`modrack_core::Code::BadManifest`] with the line.
pub(crate) fn of_file(path: &Path, package: &[String]) -> Result<Manifest> {
    let Some(Found { file, is_project, section }) = found(path, package)? else {
        return Ok(Manifest::default());
    };
    let keys: &[&str] = if is_project { &["tool", "modrack"] } else { &[] };
    Document::new(&file.path, &file.text).manifest(keys, section.as_deref())
}

/// The nearest file that may have the manifest of the one at `path`.
fn found(path: &Path, package: &[String]) -> Result<Option<Found>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let is_init = stem == "__init__";
    if !is_init && let Some(file) = read(folder.join(format!("{stem}.modrack.toml")))? {
        return Ok(Some(Found { file, is_project: false, section: None }));
    }
    let section = (!is_init).then_some(stem);
    if let Some(file) = read(folder.join("modrack.toml"))? {
        return Ok(Some(Found { file, is_project: false, section }));
    }
    // A file in a package speaks for itself alone; a package's project may be one folder above, or two.
    let mut folders = vec![folder];
    if is_init && package.len() == 1 {
        let above = folder.parent();
        folders.extend(above);
        folders.extend(above.filter(|at| at.ends_with("src")).and_then(Path::parent));
    }
    for folder in folders {
        if let Some(file) = read(folder.join("pyproject.toml"))? {
            return Ok(Some(Found { file, is_project: true, section }));
        }
    }
    Ok(None)
}

/// Adds what the source says where no file said it: the class first, then the module.
///
/// # Errors
/// [`modrack_core::Code::BadManifest`] for a `plugin_version` that is no version.
pub(crate) fn add_source(manifest: &mut Manifest, class: &[(&str, &ValueFact)], facts: &Facts) -> Result<()> {
    let module: Vec<(&str, &ValueFact)> = facts
        .names
        .iter()
        .filter_map(|(name, def)| match def {
            crate::facts::Def::Value(value) => Some((name, value)),
            _ => None,
        })
        .collect();
    for (values, is_class) in [(class, true), (&module, false)] {
        let find = |names: &[&str]| {
            names.iter().find_map(|wanted| {
                values.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
            })
        };
        let text = |names: &[&str]| {
            find(names).and_then(|value| match &value.literal {
                Literal::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
                _ => None,
            })
        };
        if manifest.version.is_none() {
            if let Some(said) = text(&["plugin_version"]) {
                let place = find(&["plugin_version"]).and_then(|value| value.info.place.clone());
                manifest.version = Some(manifest::version(&said).ok_or_else(|| {
                    manifest::bad_version(&said, "plugin_version", place.unwrap_or_default())
                })?);
            } else {
                manifest.version =
                    text(&["__version__", "version"]).and_then(|said| manifest::version(&said));
            }
        }
        if manifest.name.is_none() {
            manifest.name = text(&["plugin_name", "__plugin_name__"]);
            // Bare `name` is a class's own word; in a module it is one variable among others.
            if is_class && manifest.name.is_none() {
                manifest.name = text(&["name"]);
            }
        }
        if manifest.author.is_none() {
            manifest.author = text(&["plugin_author", "__author__", "author"]);
        }
        if manifest.description.is_none() {
            manifest.description = text(&["plugin_description", "__description__", "description"]);
        }
        if manifest.requires.is_empty()
            && let Some(value) = find(&["plugin_requires", "__requires__", "requires"])
        {
            manifest.requires = match &value.literal {
                Literal::Text(one) => vec![one.clone()],
                Literal::Texts(all) => all.clone(),
                Literal::Other => Vec::new(),
            };
        }
        if manifest.contract.is_none() {
            manifest.contract = text(&["plugin_contract", "__contract__"]);
        }
        if manifest.formats.is_empty()
            && let Some(value) = find(&["plugin_formats", "formats"])
            && let Literal::Texts(all) = &value.literal
        {
            manifest.formats.clone_from(all);
        }
    }
    Ok(())
}

/// A file of TOML.
struct File {
    path: PathBuf,
    text: String,
}

/// A file that may have a manifest, and which part of it.
struct Found {
    file: File,
    is_project: bool,
    section: Option<String>,
}

fn read(path: PathBuf) -> Result<Option<File>> {
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(why) if why.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
        Err(why) => {
            let message = format!("`{}` cannot be read: {why}", name(&path));
            return Err(error::manifest(Place::file(path), message, "See to it that it may be read"));
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(File { path, text })),
        Err(_) => {
            let message = format!("`{}` is not UTF-8 text", name(&path));
            Err(error::manifest(Place::file(path), message, "Save it as UTF-8"))
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
