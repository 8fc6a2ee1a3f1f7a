//! Files by the hash of their bytes, and folders in which modules find theirs under the names that they had.
//!
//! On the disk and not in the database: they can be large, backends load files and not bytes, and the database stays small enough to be checked at
//! each start. A file appears whole, by rename, after it is on the disk; it is read only, and held against its hash whenever it is
//! read. The folders are made of hard links to the files, and anew when something in them is wrong: nothing is lost with them.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use modrack_core::{ContentHash, Result};
use tempfile::NamedTempFile;

use crate::error;

/// The folder of the files, in the state folder.
pub(crate) const FOLDER: &str = "content";

/// The folder of the modules' folders.
const MODULES: &str = "modules";

/// What a file begins with whose hash is not its name's any more.
const DAMAGED: &str = "damaged";

/// The files of a state.
#[derive(Debug)]
pub(crate) struct Store {
    files: PathBuf,
    modules: PathBuf,
}

/// A file of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where it was.
    pub(crate) path: PathBuf,
    /// The hash of its bytes.
    pub(crate) content: ContentHash,
    /// How many there are.
    pub(crate) size: u64,
}

/// The hash of some bytes.
pub(crate) fn hash(bytes: &[u8]) -> ContentHash {
    ContentHash::from_hex(&blake3::hash(bytes).to_hex())
}

impl Store {
    /// The files in a state folder. Nothing is made before something is kept.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { files: folder.join(FOLDER), modules: folder.join(MODULES) }
    }

    /// Keeps bytes; what is there already is held against them.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateUnwritable`].
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<ContentHash> {
        let hash = hash(bytes);
        let path = self.place(&hash);
        self.write(&path, bytes).map_err(|why| error::unwritable(&path, why))?;
        Ok(hash)
    }

    /// The bytes of a hash.
    ///
    /// # Errors
    /// [`modrack_core::Code::ContentGone`], and [`modrack_core::Code::ContentDamaged`] for a file that is set aside
    /// with that.
    pub(crate) fn get(&self, wanted: &ContentHash) -> Result<Vec<u8>> {
        let path = self.place(wanted);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Err(error::content_gone(wanted)),
            Err(why) => return Err(error::unreadable(&path, &why)),
        };
        if hash(&bytes) == *wanted {
            return Ok(bytes);
        }
        let aside = path.with_extension(DAMAGED);
        let place = if fs::rename(&path, &aside).is_ok() { aside } else { path };
        Err(error::content_damaged(&place, wanted))
    }

    /// Lays out a module's files below a folder of its own, each under the whole path that it had, so that they lie to each other as they
    /// did. Every file is held against its hash. Gives the path of the first.
    ///
    /// # Errors
    /// As for [`get`](Self::get); [`modrack_core::Code::StateUnwritable`].
    pub(crate) fn lay_out(&self, module: &str, parts: &[Part]) -> Result<Option<PathBuf>> {
        let folder = self.modules.join(module);
        for part in parts {
            self.get(&part.content)?;
            let place = below(&folder, &part.path);
            self.link(&self.place(&part.content), &place).map_err(|why| error::unwritable(&place, why))?;
        }
        Ok(parts.first().map(|part| below(&folder, &part.path)))
    }

    /// The path of a module's first file as it [was laid out](Self::lay_out); none when anything of it is not there.
    ///
    /// # Errors
    /// [`modrack_core::Code::ContentDamaged`].
    pub(crate) fn laid_out(&self, module: &str, parts: &[Part]) -> Result<Option<PathBuf>> {
        let folder = self.modules.join(module);
        for part in parts {
            let place = below(&folder, &part.path);
            let Ok(bytes) = fs::read(&place) else { return Ok(None) };
            if hash(&bytes) != part.content {
                return Err(error::content_damaged(&place, &part.content));
            }
        }
        Ok(parts.first().map(|part| below(&folder, &part.path)))
    }

    /// Takes away every file and every module's folder but these. Gives how many files and bytes went.
    pub(crate) fn retain(&self, hashes: &HashSet<String>, modules: &HashSet<String>) -> (u64, u64) {
        let (mut files, mut bytes) = (0, 0);
        for name in names(&self.modules) {
            if !modules.contains(&name) {
                drop(fs::remove_dir_all(self.modules.join(name)));
            }
        }
        for prefix in names(&self.files) {
            let folder = self.files.join(prefix);
            for name in names(&folder) {
                let path = folder.join(&name);
                let size = path.metadata().map_or(0, |meta| meta.len());
                if !hashes.contains(&name) && fs::remove_file(path).is_ok() {
                    files += 1;
                    bytes += size;
                }
            }
            drop(fs::remove_dir(folder));
        }
        (files, bytes)
    }

    /// Where the bytes of a hash stand.
    fn place(&self, hash: &ContentHash) -> PathBuf {
        self.files.join(hash.as_str().get(..2).unwrap_or("_")).join(hash.as_str())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if is_the_same(path, bytes)? {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.files);
        fs::create_dir_all(folder)?;
        let mut file = NamedTempFile::with_prefix_in(".", folder)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(Permissions::from_mode(0o444))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // The name itself, and those of the folders, which may be new.
        for folder in [folder, &self.files] {
            File::open(folder)?.sync_all()?;
        }
        match self.files.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Gives a file that is kept another name.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let identity = |path: &Path| path.symlink_metadata().map(|meta| (meta.dev(), meta.ino()));
        let wanted = identity(from)?;
        match identity(to) {
            Ok(found) if found == wanted => return Ok(()),
            Ok(_) => fs::remove_file(to)?,
            Err(_) => {}
        }
        let folder = to.parent().unwrap_or(&self.modules);
        fs::create_dir_all(folder)?;
        if fs::hard_link(from, to).is_ok() {
            return Ok(());
        }
        // A file system without links, or too many of them.
        let mut file = NamedTempFile::with_prefix_in(".", folder)?;
        io::copy(&mut File::open(from)?, file.as_file_mut())?;
        file.persist(to)?;
        Ok(())
    }
}

/// Whether the file has these bytes.
fn is_the_same(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(meta) if meta.len() == bytes.len() as u64 => Ok(fs::read(path)? == bytes),
        Ok(_) => Ok(false),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(why) => Err(why),
    }
}

/// A path as one below a folder: nothing of it leads out again.
fn below(folder: &Path, path: &Path) -> PathBuf {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some("..-".as_ref()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    folder.join(parts.collect::<PathBuf>())
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use modrack_core::Code;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        (folder, store)
    }

    fn part(store: &Store, path: &str, bytes: &[u8]) -> Part {
        Part { path: path.into(), content: store.put(bytes).unwrap(), size: bytes.len() as u64 }
    }

    /// Overwrites a kept file, as another program would.
    fn spoil(path: &Path) {
        fs::remove_file(path).unwrap();
        fs::write(path, "spoilt").unwrap();
    }

    #[test]
    fn bytes_are_found_by_their_hash() {
        let (_folder, store) = store();
        for bytes in [&b""[..], b"one", &[0; 100_000]] {
            let hash = store.put(bytes).unwrap();
            assert_eq!(store.put(bytes).unwrap(), hash);
            assert_eq!(store.get(&hash).unwrap(), bytes);
        }
        assert_eq!(store.get(&hash(b"two")).unwrap_err().code(), Code::ContentGone);
    }

    #[test]
    fn what_was_changed_is_never_given_and_is_kept_anew() {
        let (_folder, store) = store();
        let hash = store.put(b"one").unwrap();
        spoil(&store.place(&hash));
        let why = store.get(&hash).unwrap_err();
        assert_eq!(why.code(), Code::ContentDamaged);
        assert_eq!(fs::read(&why.place_of().unwrap().file).unwrap(), b"spoilt");
        assert_eq!(store.get(&hash).unwrap_err().code(), Code::ContentGone);
        spoil_in_place(&store, &hash);
        assert_eq!(store.get(&hash).unwrap(), b"one");
    }

    /// What is there and wrong is replaced when the same is kept again.
    fn spoil_in_place(store: &Store, hash: &ContentHash) {
        fs::write(store.place(hash), "two").unwrap();
        store.put(b"one").unwrap();
    }

    #[test]
    fn a_module_lies_in_its_folder_as_it_did_and_is_mended() {
        let (folder, store) = store();
        let parts = [part(&store, "/a/pkg/x.py", b"import y"), part(&store, "/a/pkg/sub/y.py", b"Y = 1")];
        let first = store.lay_out("m", &parts).unwrap().unwrap();
        assert!(first.starts_with(folder.path()) && first.ends_with("a/pkg/x.py"));
        let second = first.with_file_name("sub").join("y.py");
        assert_eq!(fs::read(&second).unwrap(), b"Y = 1");
        spoil(&second);
        assert_eq!(store.lay_out("m", &parts).unwrap(), Some(first));
        assert_eq!(fs::read(&second).unwrap(), b"Y = 1");
        let inside = below(Path::new("/s"), Path::new("/../../etc/x"));
        assert_eq!(inside, Path::new("/s/..-/..-/etc/x"));
    }

    #[test]
    fn what_nobody_names_goes() {
        let (_folder, store) = store();
        let [one, two] = [part(&store, "/x", b"one"), part(&store, "/y", b"three")];
        for (name, part) in [("one", &one), ("two", &two)] {
            store.lay_out(name, std::slice::from_ref(part)).unwrap();
        }
        let only = |name: &str| HashSet::from([name.to_owned()]);
        assert_eq!(store.retain(&only(one.content.as_str()), &only("one")), (1, 5));
        assert_eq!(store.get(&one.content).unwrap(), b"one");
        assert_eq!(store.get(&two.content).unwrap_err().code(), Code::ContentGone);
        assert_eq!(names(&store.modules), ["one"]);
    }
}
