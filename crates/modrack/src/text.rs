//! The text of a rack: finding its file or its row of a database, reading it, writing it, and giving the parser what it asks for.
//!
//! The core parses and does no I/O; all of it is here, but for databases, which the state's crate knows. Nothing that reads files alone leads there.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use modrack_core::plan::{Ask, RackPlan, RackText, TextFormat};
use modrack_core::{Code, Error, Place, Result, SlotName};

/// The names that a rack's file may have, in its folder.
pub const NAMES: &[&str] = &["rack.yaml", "rack.yml", "rack.toml", "rack.json"];

/// Where the text of a rack comes from, to be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A row of a database.
    #[cfg(feature = "state")]
    Row(modrack_state::RackRow),
}

impl Source {
    /// What a rack's file, as a [`RackPlan`] or a command line names it, stands for: `sqlite:PATH` and `sqlite:PATH#NAME` are a row of a
    /// database (feature `state`), everything else is a file. Looks at nothing.
    pub fn of(rack: &Path) -> Self {
        #[cfg(feature = "state")]
        if let Some(row) = modrack_state::RackRow::of(rack) {
            return Self::Row(row);
        }
        Self::File(rack.to_owned())
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Reads the text as it is now.
    ///
    /// # Errors
    /// As [`read`]; of a row [`Code::NoRack`] when there is no such database, table or row, and [`Code::ConfigUnreadable`].
    pub fn read(&self) -> Result<RackText> {
        match self {
            Self::File(file) => read(file),
            #[cfg(feature = "state")]
            Self::Row(row) => row.read(),
        }
    }

    /// What messages and the history call it.
    pub fn name(&self) -> String {
        self.file().display().to_string()
    }

    /// Its file, or what a row is called in the place of one: `sqlite:PATH#NAME`.
    pub fn file(&self) -> PathBuf {
        match self {
            Self::File(file) => file.clone(),
            #[cfg(feature = "state")]
            Self::Row(row) => row.file(),
        }
    }

    /// The same, however it was named and whatever the current folder is.
    #[must_use]
    pub fn absolute(&self) -> Self {
        match self {
            Self::File(file) => Self::File(std::path::absolute(file).unwrap_or_else(|_| file.clone())),
            #[cfg(feature = "state")]
            Self::Row(row) => Self::Row(row.absolute()),
        }
    }

    /// The folder that the rack's paths are relative to.
    ///
    /// # Errors
    /// [`Code::ConfigUnreadable`] when there is no current folder.
    pub fn root(&self) -> Result<PathBuf> {
        match self {
            Self::File(file) => root_of(file),
            #[cfg(feature = "state")]
            Self::Row(row) => row.root(),
        }
    }

    /// Has a text wait to take the place of the one that was read, `instead_of`, when it is [finished](Written::finish).
    ///
    /// # Errors
    /// [`Code::ConfigUnreadable`] when the system refuses. Of a row [`Code::Unsupported`] when it has another text by now.
    #[cfg(feature = "state")]
    pub fn write(&self, bytes: &[u8], instead_of: &[u8]) -> Result<Written> {
        match self {
            Self::File(file) => Written::beside(file, bytes).map_err(|why| unwritable(file, &why)),
            Self::Row(row) => {
                row.writable(instead_of)?;
                Ok(Written(Waiting::Row {
                    row: row.clone(),
                    text: bytes.to_vec(),
                    instead_of: instead_of.to_vec(),
                }))
            }
        }
    }

    /// Puts a text here, whatever was here, at once or not at all. It is parsed first, as one whose paths are relative to this folder; a
    /// database, its table and the row are made where they are missing.
    ///
    /// # Errors
    /// What is wrong with the text, placed in the file that it was read from; [`Code::ConfigUnreadable`] when it cannot be written, or the name of the
    /// file is not that of the text's format.
    #[cfg(feature = "state")]
    pub fn put(&self, text: &RackText) -> Result<()> {
        parse(&RackText { root: self.root()?, ..text.clone() }, &[])?;
        match self {
            Self::File(file) => {
                if format_of(file)? != text.format {
                    return Err(other_format(file, &text.file));
                }
                Written::beside(file, &text.bytes).map_err(|why| unwritable(file, &why))?.finish()
            }
            Self::Row(row) => row.put(text.format, &text.bytes),
        }
    }
}

/// A text that waits to take the place of another; it is gone when this goes.
#[cfg(feature = "state")]
#[derive(Debug)]
pub struct Written(Waiting);

/// Where a text waits.
#[cfg(feature = "state")]
#[derive(Debug)]
enum Waiting {
    /// In a file beside the one whose place it takes.
    File { there: PathBuf, file: tempfile::NamedTempFile },
    /// Here: a lock of a database is not held while modules are swapped.
    Row { row: modrack_state::RackRow, text: Vec<u8>, instead_of: Vec<u8> },
}

#[cfg(feature = "state")]
impl Written {
    fn beside(file: &Path, bytes: &[u8]) -> std::io::Result<Self> {
        use std::io::Write;
        use std::os::unix::fs::PermissionsExt;

        // What a link leads to is written, and the link stays.
        let there = match file.canonicalize() {
            Err(why) if why.kind() == ErrorKind::NotFound => std::path::absolute(file)?,
            there => there?,
        };
        let mut builder = tempfile::Builder::new();
        // As any new file has them; those of one that is there are set below.
        builder.prefix(".rack-").permissions(std::fs::Permissions::from_mode(0o666));
        let mut beside = builder.tempfile_in(there.parent().unwrap_or(Path::new("/")))?;
        beside.write_all(bytes)?;
        match there.metadata() {
            Ok(before) => beside.as_file().set_permissions(before.permissions())?,
            Err(why) if why.kind() == ErrorKind::NotFound => {}
            Err(why) => return Err(why),
        }
        beside.as_file().sync_all()?;
        Ok(Self(Waiting::File { there, file: beside }))
    }

    /// Has the text take its place, at once or not at all.
    ///
    /// # Errors
    /// [`Code::ConfigUnreadable`] when the system refuses. Of a row [`Code::Unsupported`] when it has another text than the one that was read.
    pub fn finish(self) -> Result<()> {
        let (there, file) = match self.0 {
            Waiting::File { there, file } => (there, file),
            Waiting::Row { row, text, instead_of } => return row.write(&text, &instead_of),
        };
        let done = file.persist(&there).map_err(|why| why.error).and_then(|_| {
            let folder = there.parent().unwrap_or(Path::new("/"));
            std::fs::File::open(folder)?.sync_all()
        });
        done.map_err(|why| unwritable(&there, &why))
    }
}

/// A file larger than this is not read on: the parser refuses far less, and says so.
const MOST_BYTES: u64 = 64 << 20;

/// The rack's file: what `named` leads to, a file or a folder with one; without it the one in the folder
/// `from` or in the nearest folder above. `None` when nothing was named and nothing is found.
///
/// # Errors
/// [`Code::NoRack`] when what is named is not there or has no rack in it, [`Code::DuplicateName`] when a folder
/// has two.
pub fn find(named: Option<&Path>, from: &Path) -> Result<Option<PathBuf>> {
    let Some(named) = named else {
        let from = std::path::absolute(from).map_err(|why| unreadable(from, &why))?;
        for folder in from.ancestors() {
            if let Some(file) = in_folder(folder)? {
                return Ok(Some(file));
            }
        }
        return Ok(None);
    };
    if !named.is_dir() {
        return if named.exists() { Ok(Some(named.to_owned())) } else { Err(missing(named)) };
    }
    match in_folder(named)? {
        Some(file) => Ok(Some(file)),
        None => {
            Err(Error::new(Code::NoRack, format!("There is no rack in the folder `{}`", named.display()))
                .hint("A rack is a file `rack.yaml`, `rack.toml` or `rack.json`"))
        }
    }
}

/// Reads a rack's file. Its folder is what the rack's paths are relative to.
///
/// # Errors
/// [`Code::NoRack`] when there is no such file, [`Code::ConfigUnreadable`] when it cannot be read or is of no
/// known format.
pub fn read(file: &Path) -> Result<RackText> {
    let format = format_of(file)?;
    let root = root_of(file)?;
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(MOST_BYTES).read_to_end(&mut bytes))
        .map_err(|why| unreadable(file, &why))?;
    Ok(RackText { file: file.to_owned(), root, format, bytes })
}

fn format_of(file: &Path) -> Result<TextFormat> {
    TextFormat::of(file).ok_or_else(|| {
        Error::new(Code::ConfigUnreadable, format!("`{}` is not called like a rack", file.display()))
            .hint("Its name must end in `.yaml`, `.yml`, `.toml` or `.json`")
            .place(Place::file(file))
    })
}

fn root_of(file: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(file).map_err(|why| unreadable(file, &why))?;
    Ok(absolute.parent().unwrap_or(&absolute).to_owned())
}

/// Parses a rack's text, with the `path=value` of each `set` over it. `${env:...}` and `${file:...}` are
/// answered by this process.
///
/// # Errors
/// Everything that is wrong with the text ([`Error::each`]).
pub fn parse(text: &RackText, set: &[String]) -> Result<RackPlan> {
    parse_with(text, set, &[])
}

/// Parses a rack's text as [`parse`] does, where the program around it fills the slots `given`.
pub(crate) fn parse_with(text: &RackText, set: &[String], given: &[SlotName]) -> Result<RackPlan> {
    let ask = Ask {
        env: &|name| std::env::var(name).ok(),
        read: &|path| std::fs::read_to_string(path).map_err(|why| why.to_string()),
        given,
    };
    RackPlan::parse(text, set, &ask)
}

/// The rack's file in a folder.
fn in_folder(folder: &Path) -> Result<Option<PathBuf>> {
    let mut files = NAMES.iter().map(|name| folder.join(name)).filter(|file| file.is_file());
    let Some(file) = files.next() else { return Ok(None) };
    match files.next() {
        None => Ok(Some(file)),
        Some(other) => {
            let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let message = format!(
                "The folder `{}` has two racks: `{}` and `{}`",
                folder.display(),
                name(&file),
                name(&other)
            );
            Err(Error::new(Code::DuplicateName, message)
                .hint("Take one of them away, or name the one that is meant")
                .place(Place::file(other)))
        }
    }
}

fn missing(file: &Path) -> Error {
    Error::new(Code::NoRack, format!("There is no rack `{}`", file.display()))
        .hint("Name a file, or a folder that has a `rack.yaml`, `rack.toml` or `rack.json`")
}

#[cfg(feature = "state")]
fn other_format(file: &Path, from: &Path) -> Error {
    let message = format!("`{}` is in another format than `{}`", from.display(), file.display());
    Error::new(Code::ConfigUnreadable, message)
        .hint("The ending of both names says which: `.yaml` or `.yml`, `.toml`, `.json`")
        .place(Place::file(file))
}

#[cfg(feature = "state")]
fn unwritable(file: &Path, why: &std::io::Error) -> Error {
    Error::new(Code::ConfigUnreadable, format!("`{}` cannot be written: {why}", file.display()))
        .hint("Check that the file and its folder are writable for you")
        .place(Place::file(file))
}

fn unreadable(file: &Path, why: &std::io::Error) -> Error {
    if why.kind() == ErrorKind::NotFound {
        return missing(file);
    }
    Error::new(Code::ConfigUnreadable, format!("`{}` cannot be read: {why}", file.display()))
        .hint("Check that the file is readable for you")
        .place(Place::file(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes the files, looks for a rack, and says what was found, relative to the folder they are in.
    fn check(files: &[&str], named: Option<&str>, from: &str, found: Result<Option<&str>, Code>) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "rack: 1\n").unwrap();
        }
        let named = named.map(|name| folder.path().join(name));
        let got = find(named.as_deref(), &folder.path().join(from)).map_err(|error| {
            assert!(error.hint_text().is_some());
            error.code()
        });
        let found = found.map(|file| file.map(|file| folder.path().join(file)));
        assert_eq!(got, found, "{files:?} {named:?} {from:?}");
    }

    #[test]
    fn the_rack_is_the_one_that_is_named_or_the_nearest_upwards() {
        let both = &["rack.yaml", "a/rack.toml", "a/b/x.py"];
        check(both, None, "", Ok(Some("rack.yaml")));
        check(both, None, "a/b", Ok(Some("a/rack.toml")));
        check(both, Some("a"), "", Ok(Some("a/rack.toml")));
        check(both, Some("rack.yaml"), "a", Ok(Some("rack.yaml")));
        check(both, Some("a/b"), "", Err(Code::NoRack));
        check(both, Some("other.yaml"), "", Err(Code::NoRack));
        check(&["rack.yaml", "rack.json"], None, "", Err(Code::DuplicateName));
        check(&["rack.yaml", "rack.json"], Some("rack.json"), "", Ok(Some("rack.json")));
    }

    #[test]
    fn a_file_that_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rack.txt"), "").unwrap();
        std::fs::create_dir(folder.path().join("rack.yaml")).unwrap();
        for (name, code) in [
            ("rack.txt", Code::ConfigUnreadable),
            ("rack.yaml", Code::ConfigUnreadable),
            ("none.yaml", Code::NoRack),
        ] {
            let error = read(&folder.path().join(name)).unwrap_err();
            assert_eq!(error.code(), code, "{name}");
            assert!(error.hint_text().is_some());
        }
    }
}
