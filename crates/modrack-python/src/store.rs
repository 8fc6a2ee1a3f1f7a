//! The content store: sources by the hash of their content, and what they were compiled to.
//!
//! Content decides, never a time stamp: compiled code is found by the hash of its source and the interpreter's
//! own number, and is taken only when its own hash is right. All of it is a cache: what cannot be written is
//! done without, what is damaged is made again, what is not used for long goes ([`sweep`]).

mod sweep;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use crate::modules;

pub(crate) use sweep::{hold, is_there, read};

/// What stands in a source file.
#[derive(Debug)]
pub(crate) struct FileText {
    /// It, as it was read.
    pub(crate) bytes: Arc<[u8]>,
    /// Its BLAKE3 hash, in hexadecimal.
    pub(crate) hash: String,
}

/// A source file as it was read, once.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Where it was read, or `<name>` for source without a file.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: Arc<FileText>,
}

/// Where content and compiled code are kept; in no folder, nothing outlives the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    folder: Option<PathBuf>,
}

/// What a file of compiled code begins with, before the hash of what follows.
const MAGIC: &[u8; 8] = b"modrack1";

impl Source {
    /// Takes `bytes` as the content of `path`.
    pub(crate) fn new(path: String, bytes: Vec<u8>) -> Self {
        let hash = blake3::hash(&bytes);
        Self { path, text: Arc::new(FileText::new(bytes.into(), &hash)) }
    }
}

impl FileText {
    /// Takes `bytes`, of which this is the hash, as what a file has.
    pub(crate) fn new(bytes: Arc<[u8]>, hash: &blake3::Hash) -> Self {
        Self { bytes, hash: hash.to_hex().to_string() }
    }
}

impl Store {
    /// A store in `folder`, which is made when something is first written.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The folder, if there is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The compiled code of `source`.
    ///
    /// # Errors
    /// The `SyntaxError` that compiling it raised.
    pub(crate) fn code<'py>(&self, py: Python<'py>, source: &Source) -> PyResult<Bound<'py, PyAny>> {
        let kept = self.code_file(py, &source.text.hash);
        if let Some(code) = kept.as_deref().and_then(|file| read_code(py, file, &source.path)) {
            return Ok(code);
        }
        let compile = modules::get(py, intern!(py, "builtins"))?.getattr(intern!(py, "compile"))?;
        let options = PyDict::new(py);
        options.set_item(intern!(py, "dont_inherit"), true)?;
        let args = (PyBytes::new(py, &source.text.bytes), &source.path, intern!(py, "exec"));
        let code = compile.call(args, Some(&options))?;
        if let Some(file) = kept {
            let marshal = modules::get(py, intern!(py, "marshal"))?;
            let dumped = marshal.call_method1(intern!(py, "dumps"), (&code,))?;
            if let Ok(dumped) = dumped.cast::<PyBytes>() {
                let payload = dumped.as_bytes();
                let mut content = Vec::with_capacity(payload.len() + 40);
                content.extend_from_slice(MAGIC);
                content.extend_from_slice(blake3::hash(payload).as_bytes());
                content.extend_from_slice(payload);
                if write(&file, &content)
                    && let Some(folder) = self.folder.as_deref()
                {
                    sweep::sweep(folder);
                }
            }
        }
        Ok(code)
    }

    /// Keeps the content of `source`; whether it is kept.
    pub(crate) fn keep(&self, source: &Source) -> bool {
        let Some(file) = self.content_file(&source.text.hash) else { return false };
        is_there(&file) || write(&file, &source.text.bytes)
    }

    /// The content that was kept under `hash`; none when it is not there, or damaged.
    pub(crate) fn content(&self, hash: &str) -> Option<Vec<u8>> {
        let bytes = read(&self.content_file(hash)?)?;
        (blake3::hash(&bytes).to_hex().as_str() == hash).then_some(bytes)
    }

    fn content_file(&self, hash: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join("content").join(hash))
    }

    fn code_file(&self, py: Python<'_>, hash: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join("code").join(format!("{hash}.{}", interpreter(py)?)))
    }
}

/// Writes a file of the store so that nobody sees half of it; whether it was written.
pub(crate) fn write(file: &Path, content: &[u8]) -> bool {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Some(folder) = file.parent() else { return false };
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let draft = folder.join(format!(".{}-{number}", std::process::id()));
    let written = fs::write(&draft, content).or_else(|_| {
        fs::create_dir_all(folder)?;
        fs::write(&draft, content)
    });
    if written.and_then(|()| fs::rename(&draft, file)).is_ok() {
        return true;
    }
    // A draft that cannot be taken away again is as harmless as one that was never made.
    let _ = fs::remove_file(&draft);
    false
}

/// What compiled code depends on beside its source: the interpreter's number for it, and how it optimises.
fn interpreter(py: Python<'_>) -> Option<&'static str> {
    static TAG: PyOnceLock<Option<String>> = PyOnceLock::new();
    TAG.get_or_init(py, || {
        let number =
            modules::get(py, intern!(py, "_frozen_importlib_external")).ok()?.getattr("MAGIC_NUMBER").ok()?;
        let number = number.extract::<Vec<u8>>().ok()?;
        let sys = modules::get(py, intern!(py, "sys")).ok()?;
        let tag = sys.getattr("implementation").ok()?.getattr("cache_tag").ok()?.extract::<String>().ok()?;
        let optimised = sys.getattr("flags").ok()?.getattr("optimize").ok()?.extract::<u8>().ok()?;
        let number: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("{tag}-{number}-{optimised}"))
    })
    .as_deref()
}

fn read_code<'py>(py: Python<'py>, file: &Path, path: &str) -> Option<Bound<'py, PyAny>> {
    let content = read(file)?;
    let payload = content.strip_prefix(MAGIC.as_slice())?;
    let (hash, payload) = payload.split_at_checked(blake3::OUT_LEN)?;
    if blake3::hash(payload).as_bytes() != hash {
        return None;
    }
    let marshal = modules::get(py, intern!(py, "marshal")).ok()?;
    let code = marshal.call_method1(intern!(py, "loads"), (PyBytes::new(py, payload),)).ok()?;
    // The same content may have been compiled for a file elsewhere.
    let imp = modules::get(py, intern!(py, "_imp")).ok()?;
    imp.call_method1(intern!(py, "_fix_co_filename"), (&code, path)).ok()?;
    Some(code)
}
