//! Libraries that are in the process: each content once, from its own copy, for good.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use modrack_core::{ContentHash, Error, FunctionInfo, Map, Result};

use crate::read::Read;
use crate::store::Copies;
use crate::table::Table;
use crate::{dlopen, error};

/// A library that was loaded.
pub(crate) struct Library {
    pub(crate) table: Table,
    /// The hash of its content, that of its private dependencies included.
    pub(crate) hash: ContentHash,
    /// How many bytes its files have: they stay.
    pub(crate) bytes: u64,
    pub(crate) is_thread_safe: bool,
    /// What it says of its functions.
    pub(crate) functions: Vec<FunctionInfo>,
    /// What parameters that are not given are.
    pub(crate) defaults: Map,
}

/// What is in the process by our doing.
#[derive(Default)]
struct Process {
    by_hash: HashMap<String, Arc<Library>>,
    /// The names by which libraries are needed: the content of each, and the module it came with.
    names: HashMap<String, (blake3::Hash, String)>,
}

static PROCESS: LazyLock<Mutex<Process>> = LazyLock::new(Mutex::default);

/// What is in the process. The lock is never held while a library's code runs.
fn process() -> MutexGuard<'static, Process> {
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Library {
    /// The library of this content, if the process has it.
    pub(crate) fn loaded(hash: &ContentHash) -> Option<Arc<Self>> {
        process().by_hash.get(hash.as_str()).cloned()
    }

    /// The library, loaded now unless the process has it.
    ///
    /// # Errors
    /// A failure of phase load.
    pub(crate) fn load(read: Read, path: &Path, root: &Path, store: Option<&Path>) -> Result<Arc<Self>> {
        if let Some(there) = Self::loaded(&read.hash) {
            return Ok(there);
        }
        let taken = take_names(&read, path, root)?;
        let loaded = Self::load_now(read, path, root, store);
        let mut process = process();
        match loaded {
            Ok(library) => {
                let hash = library.hash.as_str().to_owned();
                // Another thread may have been quicker: both have the same library.
                Ok(Arc::clone(process.by_hash.entry(hash).or_insert_with(|| Arc::new(library))))
            }
            Err(failure) => {
                // What was loaded on the way stays loaded, and keeps its name.
                for name in taken.iter().filter(|name| !dlopen::is_loaded(name)) {
                    process.names.remove(name);
                }
                Err(failure)
            }
        }
    }

    fn load_now(read: Read, path: &Path, root: &Path, store: Option<&Path>) -> Result<Self> {
        let copies = Copies::make(&read, store)?;
        let table = dlopen::load(&copies.library).map_err(|said| refused(path, root, &copies, &said))?;
        drop(copies);
        let table = Table::read(table).map_err(|what| error::bad_table(path, root, &what))?;
        let functions = read.said.functions.unwrap_or_default();
        if let Some(missing) = functions.iter().find(|info| !table.functions.contains_key(&info.name)) {
            let what = format!("it lacks the function `{}`, which the library's WIT has", missing.name);
            return Err(error::bad_table(path, root, &what));
        }
        Ok(Self {
            table,
            hash: read.hash,
            bytes: read.parts.iter().map(|part| part.content.len() as u64).sum(),
            is_thread_safe: read.is_thread_safe,
            functions,
            defaults: read.said.defaults,
        })
    }
}

/// Takes the names of a library's private dependencies, so that no other content goes by them; gives those
/// that nobody had.
fn take_names(read: &Read, path: &Path, root: &Path) -> Result<Vec<String>> {
    let mut process = process();
    let mut taken = Vec::new();
    for (index, part) in read.parts.iter().enumerate() {
        for name in &part.names {
            let is_main = index == 0;
            match process.names.get(name) {
                // Modules are loaded by their paths: two of one name do not meet.
                Some(_) if is_main => {}
                Some((hash, _)) if *hash == part.hash => {}
                Some((_, by)) => {
                    let failure = error::conflict(path, root, name, &format!("for `{by}`"));
                    taken.iter().for_each(|name| drop(process.names.remove(name)));
                    return Err(failure);
                }
                None if !is_main && dlopen::is_loaded(name) => {
                    taken.iter().for_each(|name| drop(process.names.remove(name)));
                    return Err(error::conflict(path, root, name, "by the system"));
                }
                None => {
                    process.names.insert(name.clone(), (part.hash, error::shown(path, root)));
                    taken.push(name.clone());
                }
            }
        }
    }
    Ok(taken)
}

/// What the system's loader refused, by what it said.
fn refused(path: &Path, root: &Path, copies: &Copies, said: &str) -> Error {
    let copy = copies.library.display().to_string();
    let said = said.replace(&format!("{copy}: "), "").replace(&copy, "it");
    let is_missing =
        ["cannot open shared object file", "undefined symbol", "' not found", "symbol lookup error"];
    if is_missing.iter().any(|words| said.contains(words)) {
        return error::dependency_missing(path, root, &said);
    }
    error::not_loaded(path, root, &said)
}
