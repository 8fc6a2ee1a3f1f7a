//! Files to read: which they are, how they are opened, and how far reading them has come.
//!
//! A file is listed once, at the start of a run; what happens to it between listing and opening is reported
//! as such. Nothing here knows what is in a file, except how it is compressed.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use globset::GlobBuilder;
use modrack_core::plan::Compression;
use modrack_core::{Error, Place, Result};

use crate::error;

/// A file that was listed.
#[derive(Clone, Debug)]
pub(crate) struct InputFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// How messages name it.
    pub(crate) shown: Arc<str>,
    /// How long it was when it was listed.
    pub(crate) bytes: u64,
}

/// How many bytes were read so far, for whoever shows progress.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<AtomicU64>);

impl Meter {
    /// Counts bytes.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes counted so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lists the files that `patterns` name, each pattern's own in sorted order, none twice.
///
/// # Errors
/// `M0601` when a file is not there or nothing fits a pattern, `M0602` when a folder cannot be read.
pub(crate) fn list(root: &Path, patterns: &[String], place: Option<&Place>) -> Result<Vec<InputFile>> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    for pattern in patterns {
        let literal = root.join(pattern);
        let found = match literal.metadata() {
            Ok(_) => vec![literal],
            Err(_) if is_pattern(pattern) => expand(root, pattern, place)?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                let near = near(&literal, pattern);
                return Err(error::source_missing(pattern, near.as_deref(), place));
            }
            Err(why) => return Err(error::unreadable(pattern, &why)),
        };
        for path in found {
            if !seen.insert(path.clone()) {
                continue;
            }
            let shown = error::shown(&path, root);
            let meta = path.metadata().map_err(|why| gone_or_unreadable(&shown, &why))?;
            if meta.is_dir() {
                let why = io::Error::from(io::ErrorKind::IsADirectory);
                return Err(error::unreadable(&shown, &why));
            }
            files.push(InputFile { path, shown: shown.into(), bytes: meta.len() });
        }
    }
    Ok(files)
}

/// Opens a listed file as it lies on the disk.
///
/// # Errors
/// `M0610` when it is gone by now, `M0602` when it cannot be read.
pub(crate) fn open_file(file: &InputFile) -> Result<File> {
    File::open(&file.path).map_err(|why| gone_or_unreadable(&file.shown, &why))
}

/// Opens a listed file and unpacks it on the way.
///
/// # Errors
/// `M0610` when it is gone by now, `M0602` when it cannot be read.
pub(crate) fn open(file: &InputFile, packed: Option<Compression>, meter: &Meter) -> Result<Stream> {
    let by_ending = packed.or_else(|| by_ending(&file.path));
    stream(Box::new(open_file(file)?), &file.shown, by_ending, meter)
}

/// Unpacks what `input` gives: as `packed` says, else as its first bytes say.
///
/// # Errors
/// `M0602` when its first bytes cannot be read.
pub(crate) fn stream(
    input: Box<dyn Read + Send>,
    shown: &Arc<str>,
    packed: Option<Compression>,
    meter: &Meter,
) -> Result<Stream> {
    let mut counted = Counted { input, meter: meter.clone() };
    let mut first = Vec::with_capacity(4);
    (&mut counted).take(4).read_to_end(&mut first).map_err(|why| error::unreadable(shown, &why))?;
    let by_bytes = match first.as_slice() {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => Compression::None,
    };
    // An ending is a guess too: a plain file called `.gz` is read as what it is.
    let packed = packed.filter(|_| by_bytes != Compression::None || first.is_empty()).unwrap_or(by_bytes);
    let whole = io::Cursor::new(first).chain(counted);
    let (input, how): (Box<dyn Read + Send>, _) = match packed {
        Compression::Gzip => (
            Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole))),
            Some("gzip"),
        ),
        Compression::Zstd => {
            let decoder = zstd::Decoder::new(whole).map_err(|why| error::unreadable(shown, &why))?;
            (Box::new(decoder), Some("Zstandard"))
        }
        Compression::None | Compression::Snappy | Compression::Lz4 => (Box::new(whole), None),
    };
    Ok(Stream { input, shown: shown.clone(), how })
}

/// Bytes as a format's reader takes them, with failures that say which file they are of.
pub(crate) struct Stream {
    input: Box<dyn Read + Send>,
    shown: Arc<str>,
    how: Option<&'static str>,
}

impl Stream {
    /// Reads as much as comes at once.
    ///
    /// # Errors
    /// `M0602` when the system refuses, `M0606` when what is compressed is damaged, `M0801` when the run
    /// was interrupted meanwhile.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.input.read(buffer) {
                Ok(count) => return Ok(count),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(self.failed(&why)),
            }
        }
    }

    /// The name that messages use.
    pub(crate) fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// What a failure to read means.
    pub(crate) fn failed(&self, why: &io::Error) -> Error {
        use io::ErrorKind::{InvalidData, InvalidInput, Other, StaleNetworkFileHandle, UnexpectedEof};
        match (why.kind(), self.how) {
            (io::ErrorKind::ConnectionAborted, _) => error::interrupted(),
            (StaleNetworkFileHandle, _) => error::vanished(&self.shown),
            (InvalidData | InvalidInput | UnexpectedEof | Other, Some(how)) => {
                error::bad_compression(&self.shown, how, why)
            }
            _ => error::unreadable(&self.shown, why),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

/// How a file is compressed, by its ending.
pub(crate) fn by_ending(path: &Path) -> Option<Compression> {
    match path.extension()?.to_str()? {
        "gz" | "gzip" => Some(Compression::Gzip),
        "zst" | "zstd" => Some(Compression::Zstd),
        _ => None,
    }
}

struct Counted {
    input: Box<dyn Read + Send>,
    meter: Meter,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.meter.add(count as u64);
        Ok(count)
    }
}

fn gone_or_unreadable(shown: &str, why: &io::Error) -> Error {
    if why.kind() == io::ErrorKind::NotFound { error::vanished(shown) } else { error::unreadable(shown, why) }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// The name beside `path` that was perhaps meant, written as the path was.
fn near(path: &Path, written: &str) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let names: Vec<String> = path
        .parent()?
        .read_dir()
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let near = modrack_core::nearest(wanted, names.iter().map(String::as_str))?;
    Some(format!("{}{near}", written.strip_suffix(wanted).unwrap_or_default()))
}

/// The files that fit a pattern, sorted. As in a shell, `*` stops at a slash and passes hidden names by.
fn expand(root: &Path, pattern: &str, place: Option<&Place>) -> Result<Vec<PathBuf>> {
    let bad = |why: &dyn std::fmt::Display| {
        let error = Error::new(
            modrack_core::Code::BadValue,
            format!("`{pattern}` is not a pattern for file names: {why}"),
        )
        .hint("`*` stands for any name, `**` for any folders, `{a,b}` for either, `[ab]` for one letter");
        match place {
            Some(place) => error.place(place.clone()),
            None => error,
        }
    };
    let full = root.join(pattern);
    // What comes before the first part with a `*` is a folder as it is written.
    let mut folder = PathBuf::new();
    let mut rest = Vec::new();
    for part in full.components() {
        let text = part.as_os_str().to_string_lossy();
        if rest.is_empty() && !(matches!(part, Component::Normal(_)) && is_pattern(&text)) {
            folder.push(part);
        } else {
            rest.push(text.into_owned());
        }
    }
    let hidden = rest.iter().any(|part| part.starts_with('.'));
    let deep = if rest.iter().any(|part| part.contains("**")) { usize::MAX } else { rest.len() };
    let glob = GlobBuilder::new(&rest.join("/"))
        .literal_separator(true)
        .build()
        .map_err(|why| bad(why.kind()))?
        .compile_matcher();
    let mut found = Vec::new();
    walk(&folder, Path::new(""), deep, hidden, &mut |relative| {
        if glob.is_match(relative) {
            found.push(folder.join(relative));
        }
    })
    .map_err(|(folder, why)| match why.kind() {
        io::ErrorKind::NotFound => error::nothing_matches(pattern, place),
        _ => error::unreadable(&error::shown(&folder, root), &why),
    })?;
    if found.is_empty() {
        return Err(error::nothing_matches(pattern, place));
    }
    found.sort();
    Ok(found)
}

fn walk(
    base: &Path,
    relative: &Path,
    deep: usize,
    hidden: bool,
    found: &mut dyn FnMut(&Path),
) -> std::result::Result<(), (PathBuf, io::Error)> {
    let folder = base.join(relative);
    let failed = |why| (folder.clone(), why);
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if !hidden && name.to_string_lossy().starts_with('.') {
            continue;
        }
        let path = relative.join(name);
        // A link to a folder is not followed below a `**`: it may lead in a circle.
        let kind = entry.file_type().map_err(failed)?;
        let is_folder = kind.is_dir() || (kind.is_symlink() && deep != usize::MAX && entry.path().is_dir());
        if !is_folder {
            found(&path);
        } else if deep > 1 {
            walk(base, &path, if deep == usize::MAX { deep } else { deep - 1 }, hidden, found)?;
        }
    }
    Ok(())
}
