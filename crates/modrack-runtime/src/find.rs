//! Resolving a `use` text: what a backend is to be asked for, and which backend.
//!
//! What a file is, its content tells; its ending decides only where no content does. A path that leads
//! nowhere is an error, and nothing else is searched in its place.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use modrack_core::plan::SlotPlan;
use modrack_core::{BackendName, Description, Origin, Result, Use};

use crate::catalog::Catalog;
use crate::configuration::Configuration;
use crate::error;
use crate::rack::{Rack, RackCore};
use crate::seat::Found;

/// How much of a file is looked at to tell what it is.
const FIRST: u64 = 8 * 1024;

impl Rack {
    /// Where what a plan's `use` leads to comes from, as it is now. Looks at files, and reads no more of them than tells what
    /// they are.
    ///
    /// # Errors
    /// A failure of phase find.
    pub fn origin_of(&self, plan: &SlotPlan) -> Result<Origin> {
        Ok(find(self.core(), plan, &self.core().configuration())?.origin)
    }

    /// What a slot's `use` names, whether it is there or not.
    ///
    /// # Errors
    /// A name that the catalog does not have.
    pub fn named_by(&self, plan: &SlotPlan) -> Result<Origin> {
        named(self.core(), plan, &self.core().configuration())
    }

    /// The files that may decide what becomes of what a slot's `use` names when it is loaded, its own first, whether they are there
    /// or not. Runs nothing.
    ///
    /// # Errors
    /// A name that the catalog does not have.
    pub fn asks_for(&self, plan: &SlotPlan) -> Result<Vec<PathBuf>> {
        let origin = self.named_by(plan)?;
        // Of what is not there nobody knows who would load it.
        let mut files: Vec<_> =
            self.core().backends().iter().flat_map(|backend| backend.asks_for(&origin)).collect();
        files.extend(self.describe(&origin).map(|about| about.files).unwrap_or_default());
        let mut seen = BTreeSet::new();
        files.retain(|file| seen.insert(file.clone()));
        Ok(files)
    }

    /// What is known of the module that stands at `origin`, read anew. Runs nothing.
    ///
    /// # Errors
    /// A failure of phase find or check.
    pub fn describe(&self, origin: &Origin) -> Result<Description> {
        let found = at(self.core(), origin)?;
        self.core().backend(found.backend)?.describe(&found.origin)
    }
}

/// Resolves what fills a slot.
///
/// # Errors
/// A failure of phase find.
pub(crate) fn find(rack: &RackCore, plan: &SlotPlan, configuration: &Configuration) -> Result<Found> {
    at(rack, &named(rack, plan, configuration)?)
}

/// What a slot's `use` names, whether it is there or not.
///
/// # Errors
/// A name that the catalog does not have.
pub(crate) fn named(rack: &RackCore, plan: &SlotPlan, configuration: &Configuration) -> Result<Origin> {
    Ok(match &plan.fills {
        Use::Path { path, attr } => {
            Origin::File { path: absolute(rack.root(), Path::new(path)), attr: attr.clone() }
        }
        Use::Native { path } => {
            let path = absolute(rack.root(), Path::new(path));
            let stem = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let name = format!("{}{stem}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
            Origin::File { path: path.with_file_name(name), attr: None }
        }
        Use::Import { module, attr } => Origin::Import { module: module.clone(), attr: attr.clone() },
        Use::Catalog { name, version } => match configuration.catalog(rack)?.find(name, version) {
            Ok(entry) => entry.origin.clone(),
            // It may have been mended, or have come, since the catalog was read.
            Err(_) => Catalog::index(rack, configuration.plan())?.find(name, version)?.origin.clone(),
        },
        Use::Source { language, text } => {
            Origin::Source { name: plan.name.to_string(), language: *language, text: text.clone() }
        }
    })
}

/// What is asked for what stands at `origin`.
///
/// # Errors
/// A failure of phase find.
pub(crate) fn at(rack: &RackCore, origin: &Origin) -> Result<Found> {
    let backend = match (origin, origin.backend()) {
        (_, Some(backend)) => backend,
        (Origin::File { path, .. }, None) => backend_of(rack, path)?,
        (_, None) => return Err(error::internal("An origin that nothing loads")),
    };
    Ok(Found { origin: origin.clone(), backend })
}

/// Who loads what stands at `path`.
///
/// # Errors
/// A failure of phase find: there is nothing, it cannot be read, or nothing loads it.
pub(crate) fn backend_of(rack: &RackCore, path: &Path) -> Result<BackendName> {
    let metadata = path.metadata().map_err(|why| match why.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            error::module_missing(path, rack.root(), &beside(path))
        }
        _ => error::unreadable(path, rack.root(), &why),
    })?;
    if metadata.is_dir() {
        return recognised(rack, path, None).ok_or_else(|| error::folder_of_nothing(path, rack.root()));
    }
    // A pipe or a device could be read for ever.
    if !metadata.is_file() {
        return Err(error::nothing_loads(path, rack.root(), "It is a pipe or a device, and no file"));
    }
    let first = first_bytes(path).map_err(|why| error::unreadable(path, rack.root(), &why))?;
    // An extension of Python is a shared library too: who looks closer is asked first.
    recognised(rack, path, Some(&first))
        .or_else(|| BackendName::by_content(&first))
        .or_else(|| BackendName::by_ending(path))
        .ok_or_else(|| error::nothing_loads(path, rack.root(), to_be_built(path)))
}

/// What to do with a file that is no module: source in a language that is built first is told so.
fn to_be_built(path: &Path) -> &'static str {
    match path.extension().and_then(OsStr::to_str).unwrap_or_default() {
        "rs" => "Rust is built first: `use` names the library or the component that cargo makes of it",
        "c" | "h" | "cpp" | "cc" | "zig" | "go" => {
            "It is built first: `use` names the shared library or the component that it becomes"
        }
        "js" | "mjs" | "ts" => "It is built first: `use` names the component that it becomes",
        _ => "A module is Python source, a WebAssembly component or a shared library",
    }
}

/// The path from the root, without `.` and doubled slashes.
pub(crate) fn absolute(root: &Path, path: &Path) -> PathBuf {
    root.join(path).components().collect()
}

pub(crate) fn recognised(rack: &RackCore, path: &Path, first: Option<&[u8]>) -> Option<BackendName> {
    rack.backends().iter().find(|backend| backend.recognises(path, first)).map(|backend| backend.name())
}

fn first_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut first = Vec::new();
    File::open(path)?.take(FIRST).read_to_end(&mut first)?;
    Ok(first)
}

/// The names beside a path that leads nowhere.
fn beside(path: &Path) -> Vec<String> {
    let Some(Ok(entries)) = path.parent().map(std::fs::read_dir) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
