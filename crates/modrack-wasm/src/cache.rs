//! Compiled code, kept between runs.
//!
//! Code that is loaded runs as it is, so only what this user's modrack compiled is ever loaded: each file begins
//! with a keyed hash of all that follows, in a folder that nobody else can write. The key is the user's own: it stands
//! in the user's home, never beside the code, because a folder of code may come with somebody's project, and its key
//! would come along. Names of files bear the key's mark too, so that what another user or machine kept is not ours
//! to look at. What does not pass is ignored, said, and compiled again. Files appear whole, by rename; what was used
//! longest ago goes when there is too much (`sweep`).

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use modrack_core::{ContentHash, Log};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::sweep::{self, CODE, UNFINISHED};

/// The most bytes of compiled code that are kept.
const MOST: u64 = 1 << 29;

const MAGIC: &[u8] = b"modrack compiled component 1\n";
const MAC: usize = 32;

/// The folder with compiled code.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
    log: Log,
}

/// What compiled code is kept under: the component, the engine, its settings, the processor's features.
pub(crate) struct Id {
    content: String,
    engine: String,
}

impl Id {
    /// The id of a component's code for an engine.
    pub(crate) fn new(content: &ContentHash, engine: &Engine) -> Self {
        let mut state = Blake(blake3::Hasher::new());
        env!("CARGO_PKG_VERSION").hash(&mut state);
        engine.precompile_compatibility_hash().hash(&mut state);
        Self { content: content.as_str().to_owned(), engine: state.0.finalize().to_hex()[..32].to_owned() }
    }
}

impl Cache {
    /// The cache in `folder`, by the key in the folder `keys`; both are made where they are not there. `None`, and a
    /// warning, when either is not this user's alone or cannot be had.
    pub(crate) fn open(folder: &Path, keys: Option<&Path>, log: &Log) -> Option<Self> {
        let user = |keys: &Path| {
            trusted(keys)
                .and_then(|()| key(keys))
                .map_err(|why| format!("the key in `{}`: {why}", keys.display()))
        };
        let key = keys.ok_or_else(|| "there is no home for its key".to_owned()).and_then(user);
        match key.and_then(|key| trusted(folder).map(|()| key)) {
            Ok(key) => Some(Self { folder: folder.to_owned(), key, log: log.clone() }),
            Err(why) => {
                log.warn(&format!("Compiled WebAssembly is not kept in `{}`: {why}", folder.display()));
                None
            }
        }
    }

    /// Whether this user's modrack has compiled this component, for whichever engine: then it was valid.
    pub(crate) fn knows(&self, content: &ContentHash) -> bool {
        let Ok(entries) = fs::read_dir(&self.folder) else { return false };
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let parts = name.to_str().and_then(|name| name.strip_prefix(content.as_str())?.strip_prefix('-'));
            // No name that somebody else can think of is one of ours.
            parts.and_then(|parts| parts.split_once('-')).is_some_and(|(engine, _)| {
                let id = Id { content: content.as_str().to_owned(), engine: engine.to_owned() };
                name.to_str() == Some(&self.file(&id))
            })
        })
    }

    /// The name of the file with the code.
    fn file(&self, id: &Id) -> String {
        let Id { content, engine } = id;
        let mark = blake3::keyed_hash(&self.key, format!("name of {content}-{engine}").as_bytes()).to_hex();
        format!("{content}-{engine}-{}.{CODE}", &mark[..32])
    }

    /// The code that was kept, when it is ours and whole.
    pub(crate) fn load(&self, engine: &Engine, id: &Id) -> Option<Component> {
        let path = self.folder.join(self.file(id));
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|mut file| {
            file.read_to_end(&mut bytes)?;
            Ok(file)
        });
        let file = match read {
            Ok(file) => file,
            Err(why) if why.kind() == ErrorKind::NotFound => return None,
            Err(why) => {
                self.warn(&path, &why.to_string());
                return None;
            }
        };
        let Some(code) = self.authentic(&bytes, id) else {
            self.warn(&path, "it was damaged, or is not modrack's own");
            return None;
        };
        #[expect(unsafe_code, reason = "compiled code can only be loaded by believing it")]
        // SAFETY: `code` is what `Component::serialize` gave in a process of this user: it passed a keyed hash
        // over the bytes that are loaded, whose key is in a file that only this user reads, in a folder of the user's
        // home that only this user writes (`trusted`, `key`), so that it comes with no project. The hash covers the id, so that it was made by this version for an
        // engine of the same settings and processor features, which the engine checks once more by itself.
        let loaded = unsafe { Component::deserialize(engine, code) };
        sweep::used(&file);
        loaded.map_err(|why| self.warn(&path, &why.to_string())).ok()
    }

    /// Keeps code. Failing to is no failure: it is compiled again.
    pub(crate) fn keep(&self, id: &Id, component: &Component) {
        let path = self.folder.join(self.file(id));
        let written = component.serialize().map_err(|why| why.to_string()).and_then(|code| {
            let (mut file, unfinished) = draft(&self.folder).map_err(|why| why.to_string())?;
            let done = file
                .write_all(MAGIC)
                .and_then(|()| file.write_all(self.mac(&code, id).as_bytes()))
                .and_then(|()| file.write_all(&code))
                .and_then(|()| fs::rename(&unfinished, &path));
            done.map_err(|why| {
                // What is left of it would be in nobody's way, but takes space.
                drop(fs::remove_file(&unfinished));
                why.to_string()
            })
        });
        sweep::sweep(&self.folder, MOST, &path);
        if let Err(why) = written {
            self.log.warn(&format!("Compiled WebAssembly is not kept in `{}`: {why}", self.folder.display()));
        }
    }

    fn authentic<'b>(&self, bytes: &'b [u8], id: &Id) -> Option<&'b [u8]> {
        let (mac, code) = bytes.strip_prefix(MAGIC)?.split_at_checked(MAC)?;
        let given = blake3::Hash::from_bytes(mac.try_into().ok()?);
        // Compared in constant time.
        (given == self.mac(code, id)).then_some(code)
    }

    fn mac(&self, code: &[u8], id: &Id) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(self.file(id).as_bytes()).update(&[0]).update(code);
        hasher.finalize()
    }

    fn warn(&self, path: &Path, why: &str) {
        self.log
            .warn(&format!("Compiled WebAssembly in `{}` is not used and made again: {why}", path.display()));
    }
}

/// Makes sure that nobody but this user can write what is in the folder.
fn trusted(folder: &Path) -> Result<(), String> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|why| why.to_string())?;
    let meta = fs::symlink_metadata(folder).map_err(|why| why.to_string())?;
    if !meta.is_dir() {
        return Err("it is not a folder".into());
    }
    ours(&meta)?;
    if meta.mode() & 0o022 != 0 {
        return Err("others may write to it".into());
    }
    Ok(())
}

fn ours(meta: &fs::Metadata) -> Result<(), String> {
    if meta.uid() == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err("it belongs to somebody else".into())
    }
}

/// Where the user's own key stands: in `modrack` under `$XDG_STATE_HOME`, else under `~/.local/state`. `None` without
/// a home, or with one that is relative, which might be a project.
pub(crate) fn keys_of_user() -> Option<PathBuf> {
    let named = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local").join("state")));
    Some(state?.join("modrack"))
}

/// The key in this folder, made where there is none.
fn key(folder: &Path) -> Result<[u8; 32], String> {
    let path = folder.join("key");
    for _ in 0..2 {
        match File::open(&path) {
            Ok(mut file) => {
                let meta = file.metadata().map_err(|why| why.to_string())?;
                ours(&meta)?;
                if meta.mode() & 0o077 != 0 {
                    return Err("others may read it".into());
                }
                let mut key = [0; 32];
                let read = file.read_exact(&mut key);
                if read.is_ok() && meta.len() == 32 {
                    return Ok(key);
                }
                // A key that was cut is worth nothing, and so is the code under it.
                fs::remove_file(&path).map_err(|why| why.to_string())?;
            }
            Err(why) if why.kind() == ErrorKind::NotFound => {}
            Err(why) => return Err(why.to_string()),
        }
        make_key(folder, &path).map_err(|why| why.to_string())?;
    }
    Err("it cannot be made".into())
}

/// Makes a key, unless another process was faster.
fn make_key(folder: &Path, path: &Path) -> io::Result<()> {
    let mut key = [0; 32];
    let mut filled = 0;
    while filled < key.len() {
        filled += rustix::rand::getrandom(&mut key[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    let (mut file, unfinished) = draft(folder)?;
    let written = file.write_all(&key);
    let linked = written.and_then(|()| fs::hard_link(&unfinished, path));
    fs::remove_file(&unfinished)?;
    match linked {
        Err(why) if why.kind() != ErrorKind::AlreadyExists => Err(why),
        _ => Ok(()),
    }
}

/// A new file of our own: a process elsewhere may have our number and the same folder.
fn draft(folder: &Path) -> io::Result<(File, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{}-{count}.{UNFINISHED}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (file, path)),
        }
    }
}

/// A hasher whose hash does not depend on the process.
struct Blake(blake3::Hasher);

impl Hasher for Blake {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}
