//! The backend itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use modrack_core::elf::MAGIC;
use modrack_core::{
    Backend, BackendName, ContentHash, Description, Error, Guards, Log, Map, Origin, Result, Start, Started,
    Stays, Text, check_params,
};

use crate::instance::{Made, NativeInstance};
use crate::library::Library;
use crate::read::{Part, Read};
use crate::{error, read};

/// What the native backend is told about a rack.
#[derive(Clone, Debug, Default)]
pub struct NativeSettings {
    /// The folder that paths in messages are shown against: the rack's.
    pub root: PathBuf,
    /// The folder for the copies that are loaded. Without one they are in a folder for temporary files, and gone
    /// as soon as they are loaded.
    pub store: Option<PathBuf>,
    /// Where the lines go that modules write to the log.
    pub log: Log,
    /// How many bytes of libraries that nothing uses any more may stay in the process before that is warned of, once; none warns
    /// of nothing.
    pub kept: Option<u64>,
}

/// Loads shared libraries.
pub struct NativeBackend {
    settings: NativeSettings,
    /// What was found out about libraries by reading them, by the hashes of their content.
    known: Mutex<HashMap<ContentHash, Known>>,
    /// Whether it was warned of what stays.
    warned: AtomicBool,
}

/// What counts when a library is loaded beside others.
struct Known {
    /// The names by which it and what it brings along are needed, and the content of each. The module itself is loaded
    /// by its path, and gives way.
    names: Vec<Named>,
    /// What a part of it needs and is nowhere.
    missing: Vec<(PathBuf, String)>,
}

struct Named {
    name: String,
    hash: blake3::Hash,
    is_main: bool,
}

impl NativeBackend {
    /// A backend for a rack.
    pub fn new(settings: NativeSettings) -> Self {
        Self { settings, known: Mutex::default(), warned: AtomicBool::new(false) }
    }

    /// Keeps what counts when the library is loaded beside others, if anything does.
    fn remember(&self, read: &Read) {
        let named = |(index, part): (usize, &Part)| {
            let (hash, is_main) = (part.hash, index == 0);
            part.names.iter().map(move |name| Named { name: name.clone(), hash, is_main }).collect::<Vec<_>>()
        };
        let names: Vec<Named> = read.parts.iter().enumerate().flat_map(named).collect();
        let missing = read.missing.iter();
        let missing: Vec<(PathBuf, String)> = missing
            .filter_map(|(index, needed)| Some((read.parts.get(*index)?.path.clone(), needed.clone())))
            .collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if names.is_empty() && missing.is_empty() {
            known.remove(&read.hash);
        } else {
            known.insert(read.hash.clone(), Known { names, missing });
        }
    }

    fn path<'o>(&self, origin: &'o Origin) -> Result<&'o Path> {
        match origin {
            Origin::File { path, attr: None } => Ok(path),
            Origin::File { path, attr: Some(attr) } => Err(error::no_attr(path, &attr.to_string())),
            other => Err(error::wrong_origin(&other.to_string())),
        }
    }
}

impl Backend for NativeBackend {
    fn name(&self) -> BackendName {
        BackendName::Native
    }

    fn describe(&self, origin: &Origin) -> Result<Description> {
        let path = self.path(origin)?;
        let read = read::read(path, &self.settings.root)?;
        self.remember(&read);
        let said = read.said;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let stem = stem.strip_prefix(std::env::consts::DLL_PREFIX).filter(|s| !s.is_empty()).unwrap_or(&stem);
        Ok(Description {
            name: said.manifest.name.clone().unwrap_or_else(|| stem.to_owned()),
            version: said.manifest.version.clone(),
            backend: Some(BackendName::Native),
            doc: said.doc.or_else(|| said.manifest.description.clone()),
            open: said.functions.is_none(),
            functions: said.functions.unwrap_or_default(),
            attributes: said.attributes,
            constructor: if read.has_note { Some(said.constructor.unwrap_or_default()) } else { None },
            manifest: said.manifest,
            hash: Some(read.hash),
            files: read.parts.into_iter().map(|part| part.path).collect(),
            ..Description::default()
        })
    }

    fn recognises(&self, path: &Path, first: Option<&[u8]>) -> bool {
        first.is_some_and(|first| first.starts_with(MAGIC)) && read::is_ours(path)
    }

    fn check_params(&self, description: &Description, params: &Map, injected: &[Text]) -> Vec<Error> {
        check_params(description, params, injected)
    }

    fn check_requires(&self, description: &Description) -> Vec<Error> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = description.hash.as_ref().and_then(|hash| known.get(hash));
        let missing = known.map(|known| known.missing.as_slice()).unwrap_or_default();
        let root = &self.settings.root;
        missing.iter().map(|(path, needed)| error::dependency_nowhere(path, root, needed)).collect()
    }

    fn check_together(&self, modules: &[&Description]) -> Vec<(usize, Error)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let root = &self.settings.root;
        let mut names: HashMap<&str, (blake3::Hash, usize)> = HashMap::new();
        let mut faults = Vec::new();
        let path = |index: usize| modules.get(index).and_then(|module| module.files.first());
        for (index, module) in modules.iter().enumerate() {
            let Some(known) = module.hash.as_ref().and_then(|hash| known.get(hash)) else { continue };
            for Named { name, hash, is_main } in &known.names {
                match names.get(name.as_str()) {
                    Some((other, by)) if other != hash && !is_main => {
                        if let (Some(path), Some(other)) = (path(index), path(*by)) {
                            let other = error::shown(other, root);
                            faults.push((index, error::conflict_with(path, root, name, &other)));
                        }
                    }
                    Some(_) => {}
                    None => drop(names.insert(name, (*hash, index))),
                }
            }
        }
        faults
    }

    fn guards(&self) -> Guards {
        Guards::LATE
    }

    fn stays(&self) -> Vec<Stays> {
        Library::all()
    }

    fn warnings(&self) -> Vec<Error> {
        let Some(most) = self.settings.kept else { return Vec::new() };
        let unused = Library::unused();
        if unused <= most || self.warned.swap(true, Ordering::AcqRel) {
            return Vec::new();
        }
        vec![error::much_stays(unused, most)]
    }

    fn start(&self, start: Start<'_>) -> Result<Started> {
        let begun = Instant::now();
        let path = self.path(start.origin)?;
        let root = start.root;
        // Content that is in the process already need not be read again: another instance of it is cheap.
        let library = match start.description.hash.as_ref().and_then(Library::loaded) {
            Some(library) => library,
            None => {
                let read = read::read(path, root)?;
                if start.description.hash.as_ref().is_some_and(|hash| *hash != read.hash) {
                    return Err(error::changed(path, root));
                }
                Library::load(read, path, root, self.settings.store.as_deref())?
            }
        };
        let mut params = library.defaults.clone();
        params.extend(start.params.iter().map(|(name, value)| (name.clone(), value.clone())));
        let load = begun.elapsed();
        let begun = Instant::now();
        let instance = NativeInstance::start(Made {
            library,
            shown: error::shown(path, root),
            slot: start.slot.clone(),
            params,
            services: start.services,
            log: self.settings.log.clone(),
            version: start.description.version.as_ref().map(ToString::to_string),
        })?;
        Ok(Started { instance: Arc::new(instance), load, start: begun.elapsed() })
    }
}
