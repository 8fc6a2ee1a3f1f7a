//! Libraries that are in the process: each content once, from its own copy, for good.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

use modrack_core::{ContentHash, Error, FunctionInfo, Map, Result, Stays};

use crate::names::{Conflict, Taken};
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
    /// Where it was, as messages show it.
    shown: String,
    /// What it says of its functions.
    pub(crate) functions: Vec<FunctionInfo>,
    /// What parameters that are not given are.
    pub(crate) defaults: Map,
}

/// What is in the process by our doing.
#[derive(Default)]
struct Process {
    by_hash: HashMap<String, Arc<Library>>,
    /// What somebody loads now.
    loading: HashSet<String>,
    /// What was loaded and has a table that is wrong, and why: it would be so again, and once more in memory.
    refused: HashMap<String, String>,
}

static PROCESS: LazyLock<Mutex<Process>> = LazyLock::new(Mutex::default);

/// Somebody is done with loading.
static LOADED: Condvar = Condvar::new();

/// What is in the process. The lock is never held while a library's code runs.
fn process() -> MutexGuard<'static, Process> {
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Content that the current thread loads, for as long as this lives.
struct Loading(String);

impl Loading {
    /// Takes it upon itself to load a content; gives what came of it where somebody else has done that.
    ///
    /// Who waits here waits for the system's loader alone, which needs nothing that a waiter could hold.
    fn begin(hash: &ContentHash) -> Result<Self, Result<Arc<Library>, String>> {
        let hash = hash.as_str();
        let mut process = process();
        loop {
            if let Some(there) = process.by_hash.get(hash) {
                return Err(Ok(Arc::clone(there)));
            }
            if let Some(refused) = process.refused.get(hash) {
                return Err(Err(refused.clone()));
            }
            if process.loading.insert(hash.to_owned()) {
                return Ok(Self(hash.to_owned()));
            }
            process = LOADED.wait(process).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        process().loading.remove(&self.0);
        LOADED.notify_all();
    }
}

impl Library {
    /// The library of this content, if the process has it.
    pub(crate) fn loaded(hash: &ContentHash) -> Option<Arc<Self>> {
        process().by_hash.get(hash.as_str()).cloned()
    }

    /// Every library that the process has by our doing, and whether an instance uses it.
    pub(crate) fn all() -> Vec<Stays> {
        let stays = |library: &Arc<Self>| Stays {
            name: library.shown.clone(),
            hash: library.hash.clone(),
            bytes: library.bytes,
            is_used: Arc::strong_count(library) > 1,
        };
        let mut all: Vec<_> = process().by_hash.values().map(stays).collect();
        all.sort_by(|one, other| (&one.name, one.hash.as_str()).cmp(&(&other.name, other.hash.as_str())));
        all
    }

    /// How many bytes the libraries take that nothing uses any more.
    pub(crate) fn unused() -> u64 {
        let unused = |library: &&Arc<Self>| Arc::strong_count(library) == 1;
        process().by_hash.values().filter(unused).map(|library| library.bytes).sum()
    }

    /// The library, loaded now unless the process has it.
    ///
    /// # Errors
    /// A failure of phase load.
    pub(crate) fn load(read: Read, path: &Path, root: &Path, store: Option<&Path>) -> Result<Arc<Self>> {
        let loading = match Loading::begin(&read.hash) {
            Ok(loading) => loading,
            Err(done) => return done.map_err(|what| error::bad_table(path, root, &what)),
        };
        let taken =
            Taken::take(&read.parts, &error::shown(path, root)).map_err(|Conflict { name, by }| {
                let other = by.map_or("by the system".to_owned(), |by| format!("for `{by}`"));
                error::conflict(path, root, &name, &other)
            })?;
        let loaded = Self::load_now(read, path, root, store);
        let mut process = process();
        match loaded {
            Ok(Ok(library)) => {
                taken.keep();
                let library = Arc::new(library);
                process.by_hash.insert(loading.0.clone(), Arc::clone(&library));
                Ok(library)
            }
            Ok(Err(what)) => {
                taken.keep();
                process.refused.insert(loading.0.clone(), what.clone());
                Err(error::bad_table(path, root, &what))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The library, or what is wrong with its table.
    fn load_now(read: Read, path: &Path, root: &Path, store: Option<&Path>) -> Result<Result<Self, String>> {
        let copies = Copies::make(&read, store)?;
        let table = dlopen::load(&copies.library).map_err(|said| refused(path, root, &copies, &said))?;
        let table = match Table::read(table) {
            Ok(table) => table,
            Err(what) => return Ok(Err(what)),
        };
        let functions = read.said.functions.unwrap_or_default();
        if let Some(missing) = functions.iter().find(|info| !table.functions.contains_key(&info.name)) {
            return Ok(Err(error::lacks(&missing.name)));
        }
        copies.keep(store);
        Ok(Ok(Self {
            table,
            hash: read.hash,
            bytes: read.parts.iter().map(|part| part.size).sum(),
            shown: error::shown(path, root),
            is_thread_safe: read.is_thread_safe,
            functions,
            defaults: read.said.defaults,
        }))
    }
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
