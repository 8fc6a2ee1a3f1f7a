//! The catalog: the index of the modules that can be found, made without running any of them.
//!
//! A module that is broken is an entry with its error, beside the healthy ones. Which of several versions is
//! meant is decided here; two of the same name and version are reported by a check.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modrack_core::plan::{CatalogSource, RackPlan};
use modrack_core::{BackendName, Content, Description, Error, Origin, Phase, Place, Result};
use semver::{Version, VersionReq};

use crate::entry_points;
use crate::error;
use crate::find;
use crate::rack::RackCore;

/// The modules that can be found, in the order of the rack's `catalog:`, each folder by file name.
#[derive(Debug, Default)]
pub struct Catalog {
    entries: Vec<CatalogEntry>,
}

/// A module that can be found.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    /// Its name: what its manifest says, else the file's without its ending.
    pub name: String,
    /// Its version, where it says one.
    pub version: Option<Version>,
    /// Who loads it.
    pub backend: Option<BackendName>,
    /// Where it is.
    pub origin: Origin,
    /// Which source of the catalog has it.
    pub source: CatalogSource,
    /// What was read of it; none when it is broken, or nothing here can read it.
    pub description: Option<Arc<Description>>,
    /// Why it is broken, if it is.
    pub error: Option<Error>,
}

impl Catalog {
    /// Reads the sources of a rack's catalog.
    ///
    /// # Errors
    /// A folder that is not there or cannot be read.
    pub(crate) fn index(rack: &RackCore, plan: &RackPlan) -> Result<Self> {
        let mut entries = Vec::new();
        for source in &plan.catalog {
            match source {
                CatalogSource::Folder(folder) => {
                    let folder = find::absolute(rack.root(), Path::new(folder));
                    for path in listed(&folder, rack.root())? {
                        entries.extend(entry(rack, path, source));
                    }
                }
                CatalogSource::EntryPoints(group) => {
                    entries.extend(entry_points::find(rack, plan, group).into_iter().map(|point| {
                        CatalogEntry {
                            name: point.name,
                            version: point.version,
                            backend: point.origin.backend(),
                            origin: point.origin,
                            source: source.clone(),
                            description: None,
                            error: point.error,
                        }
                    }));
                }
            }
        }
        Ok(Self { entries })
    }

    /// The modules.
    pub fn entries(&self) -> &[CatalogEntry] {
        &self.entries
    }

    /// The module called `name` in the highest version that fits; the first of the catalog's order where
    /// versions are equal. One without a version fits only where any version does.
    ///
    /// # Errors
    /// [`modrack_core::Code::NotInCatalog`], or why the module is broken: nothing else is taken in its place.
    pub fn find(&self, name: &str, wanted: &VersionReq) -> Result<&CatalogEntry> {
        let named = || self.entries.iter().filter(|entry| entry.name == name);
        let fits = |entry: &&CatalogEntry| match &entry.version {
            Some(version) => wanted.matches(version),
            None => *wanted == VersionReq::STAR,
        };
        // The last of equals is taken by `max_by`, so the order is turned round.
        let found = named().rev().filter(fits).max_by(|one, other| one.version.cmp(&other.version));
        match found {
            Some(CatalogEntry { error: Some(error), .. }) => Err(error.clone()),
            Some(entry) => Ok(entry),
            None => {
                let mut versions: Vec<_> = named().filter_map(|entry| entry.version.as_ref()).collect();
                versions.sort();
                versions.dedup();
                let versions: Vec<_> = versions.into_iter().map(Version::to_string).collect();
                Err(error::not_in_catalog(name, &wanted.to_string(), &versions, self.names()))
            }
        }
    }

    /// Whether there is a module called `name`, in whatever version.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// The modules' names, each once, in the catalog's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut seen = HashSet::new();
        self.entries.iter().map(|entry| entry.name.as_str()).filter(move |name| seen.insert(*name))
    }

    /// What is wrong with it: broken modules, and two of the same name and version.
    ///
    /// `root` is the folder that paths are shown against.
    pub(crate) fn check(&self, root: &Path) -> Vec<Error> {
        let mut errors: Vec<_> = self.entries.iter().filter_map(|entry| entry.error.clone()).collect();
        let mut first = HashMap::new();
        for entry in &self.entries {
            let other = first.entry((&entry.name, &entry.version)).or_insert(entry);
            if !std::ptr::eq(*other, entry) {
                errors.push(error::twice_in_catalog(entry, other, root));
            }
        }
        errors
    }
}

/// The entry of what stands at `path`; none when that is no module.
fn entry(rack: &RackCore, path: PathBuf, source: &CatalogSource) -> Option<CatalogEntry> {
    let backend = if path.is_dir() {
        Ok(find::recognised(rack, &path, None)?)
    } else {
        BackendName::by_ending(&path)?;
        find::backend_of(rack, &path)
    };
    let origin = Origin::File { path: path.clone(), attr: None };
    let mut entry = CatalogEntry {
        name: stem(&path, backend.as_ref().ok().copied()),
        version: None,
        backend: backend.as_ref().ok().copied(),
        origin,
        source: source.clone(),
        description: None,
        error: None,
    };
    // What no backend here can read is listed by its name.
    let described = match backend.map(|name| rack.backend(name)) {
        Ok(Ok(backend)) => backend.describe(&entry.origin),
        Ok(Err(_)) => return Some(entry),
        Err(error) => Err(error),
    };
    match described {
        Ok(description) => {
            if let Some(name) = &description.manifest.name {
                entry.name.clone_from(name);
            }
            entry.version = description.version.clone().or_else(|| description.manifest.version.clone());
            // Nothing is started of what the catalog has: the slot that names it reads it anew.
            let description = Description { content: Content::default(), ..description };
            entry.description = Some(Arc::new(description));
        }
        Err(error) => {
            let error = error.module(entry.name.clone()).phase(Phase::Check);
            let place = error.place_of().cloned().unwrap_or_else(|| Place::file(path));
            entry.error = Some(error.place(place));
        }
    }
    Some(entry)
}

/// What stands in a folder of the catalog, by name; hidden and private names left out.
fn listed(folder: &Path, root: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|why| error::catalog_unreadable(folder, root, &why))?;
    let mut paths: Vec<_> = entries
        .flatten()
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with(['_', '.']))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    Ok(paths)
}

/// The name of a module that does not say one: the file's, without ending and platform's prefix.
fn stem(path: &Path, backend: Option<BackendName>) -> String {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match name.strip_prefix(std::env::consts::DLL_PREFIX) {
        Some(bare) if backend == Some(BackendName::Native) && !bare.is_empty() => bare.to_owned(),
        _ => name,
    }
}
