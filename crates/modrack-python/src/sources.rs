//! The files of a module as they were read when it was described: what its generations are made of, whatever stands in the files by
//! then.
//!
//! They go with the last description and the last generation that has them; a file that is the same in several of them is held once.
//! Nothing that is in a file by now gets in here.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use crate::sibling::{Located, SourceFile, locate};
use crate::store::{FileText, Source};

/// The files of one module.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Where the module stands.
    pub(crate) located: Located,
    files: BTreeMap<PathBuf, Arc<FileText>>,
    bytes: u64,
    /// The hash under which all of them were kept for child processes, once they were.
    pub(crate) kept: OnceLock<String>,
}

/// What a name in a folder is.
pub(crate) enum Held {
    /// A file, or a package by its own file.
    File(SourceFile),
    /// A folder with files in it and none of its own.
    Folder(PathBuf),
}

/// The files that are held, so that each is held once.
#[derive(Debug, Default)]
pub(crate) struct Texts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_hash: HashMap<blake3::Hash, Weak<FileText>>,
    /// How many may be known before those are forgotten that nobody holds.
    full: usize,
}

/// So many are known before any is looked at again.
const FEW: usize = 64;

impl Sources {
    /// Holds what was read, the module's own file first; none when nothing was.
    pub(crate) fn new(read: modrack_pysource::Sources, texts: &Texts) -> Option<Self> {
        let own = read.first()?.0.clone();
        let bytes = read.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let files: BTreeMap<_, _> =
            read.into_iter().map(|(path, bytes)| (path, texts.share(bytes))).collect();
        let located = locate(&own, |path| files.contains_key(path));
        Some(Self { located, files, bytes, kept: OnceLock::new() })
    }

    /// All of them, the module's own first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let own = &self.located.file.path;
        let first = self.files.get_key_value(own);
        let others = self.files.iter().filter(move |(path, _)| *path != own);
        first.into_iter().chain(others).map(|(path, text)| (path.as_path(), &*text.bytes))
    }

    /// Whether the files have something else by now, or are gone.
    pub(crate) fn have_changed(&self) -> bool {
        self.files.iter().any(|(path, text)| {
            // A file that grew is not read to its end.
            let length = std::fs::metadata(path).map(|about| about.len());
            !length.is_ok_and(|length| length == text.bytes.len() as u64)
                || !std::fs::read(path).is_ok_and(|bytes| *bytes == *text.bytes)
        })
    }

    /// How much they hold.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the file at `path` is one of them.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains_key(Path::new(path))
    }

    /// The file at `path`, if it is one of them.
    pub(crate) fn get(&self, path: &str) -> Option<Source> {
        let text = self.files.get(Path::new(path))?.clone();
        Some(Source { path: path.to_owned(), text })
    }

    /// What `name` in `folder` is by these files: a package before a file, as Python has it.
    pub(crate) fn find(&self, folder: &Path, name: &str) -> Option<Held> {
        let inside = folder.join(name);
        let package = inside.join("__init__.py");
        if self.files.contains_key(&package) {
            return Some(Held::File(SourceFile { path: package, is_package: true }));
        }
        let file = folder.join(format!("{name}.py"));
        if self.files.contains_key(&file) {
            return Some(Held::File(SourceFile { path: file, is_package: false }));
        }
        // Paths are in order by their parts: what is in a folder comes right behind it.
        let behind =
            self.files.range::<Path, _>((Bound::Excluded(inside.as_path()), Bound::Unbounded)).next();
        behind.is_some_and(|(path, _)| path.starts_with(&inside)).then_some(Held::Folder(inside))
    }
}

impl Texts {
    /// `bytes` as they are held already, else these.
    fn share(&self, bytes: Arc<[u8]>) -> Arc<FileText> {
        let hash = blake3::hash(&bytes);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = known.by_hash.get(&hash).and_then(Weak::upgrade) {
            return there;
        }
        if known.by_hash.len() >= known.full.max(FEW) {
            known.by_hash.retain(|_, text| text.strong_count() > 0);
            known.full = 2 * known.by_hash.len();
        }
        let text = Arc::new(FileText::new(bytes, &hash));
        known.by_hash.insert(hash, Arc::downgrade(&text));
        text
    }
}
