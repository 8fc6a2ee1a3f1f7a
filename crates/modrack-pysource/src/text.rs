//! Bytes of a file to Python source text, and offsets of that text to lines and columns.
//!
//! Content decides what a file is; its name only helps where the content leaves it open. Nothing here parses.

use std::path::Path;

/// Source text that can say where an offset is.
pub(crate) struct SourceText {
    /// The text, with `\n`, `\r\n` or `\r` as it was.
    pub(crate) text: String,
    /// The offset at which each line starts.
    starts: Vec<u32>,
}

/// Why bytes are not Python source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotText {
    /// They are some other kind of file, in these words.
    Binary(&'static str),
    /// A NUL byte stands in this line.
    Nul(usize),
    /// A byte that is not UTF-8 stands in this line and column.
    NotUtf8(usize, usize),
    /// The coding line names an encoding that is not understood.
    Coding(String, usize),
    /// There are too many of them.
    TooLarge,
}

/// The most bytes that are read as source.
pub(crate) const MAX_BYTES: u64 = 64 << 20;

impl SourceText {
    pub(crate) fn new(text: String) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let ends = *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            if ends {
                starts.push(u32::try_from(at + 1).unwrap_or(u32::MAX));
            }
        }
        Self { text, starts }
    }

    /// Takes the bytes of a file as source, as Python itself would.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, NotText> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(NotText::TooLarge);
        }
        if let Some(what) = magic(bytes) {
            return Err(NotText::Binary(what));
        }
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            return Err(NotText::Nul(line_of(bytes, at)));
        }
        let has_mark = bytes.starts_with(b"\xef\xbb\xbf");
        match coding(bytes) {
            Some((name, line)) if is_latin1(&name) => {
                if has_mark {
                    return Err(NotText::Coding(name, line));
                }
                Ok(Self::new(bytes.iter().map(|byte| char::from(*byte)).collect()))
            }
            Some((name, line)) if !is_utf8(&name) => Err(NotText::Coding(name, line)),
            _ => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Self::new(text.trim_start_matches('\u{feff}').to_owned())),
                Err(error) => {
                    let at = error.valid_up_to();
                    let line = line_of(bytes, at);
                    let start = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |nl| nl + 1);
                    let column = String::from_utf8_lossy(&bytes[start..at]).chars().count() + 1;
                    Err(NotText::NotUtf8(line, column))
                }
            },
        }
    }

    /// The line of an offset, counted from 1.
    pub(crate) fn line(&self, offset: u32) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    /// The line and the column in characters of an offset, each counted from 1.
    pub(crate) fn line_column(&self, offset: u32) -> (usize, usize) {
        let line = self.line(offset);
        let start = self.starts[line - 1] as usize;
        let end = (offset as usize).min(self.text.len());
        let column = self.text.get(start..end).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }

    /// The text of a line, counted from 1, without its end.
    pub(crate) fn line_text(&self, line: usize) -> &str {
        let Some(start) = self.starts.get(line - 1) else { return "" };
        let end = self.starts.get(line).map_or(self.text.len(), |next| *next as usize);
        self.text.get(*start as usize..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }
}

/// Whether a file with these first bytes is Python source.
///
/// Content decides: a binary is none whatever it is called. Text is when it is called so, when its first line
/// says so, or when it has a definition or an import that Python alone writes that way.
pub fn is_python(bytes: &[u8], path: &Path) -> bool {
    if magic(bytes).is_some() || bytes.contains(&0) {
        return false;
    }
    let named =
        path.extension().is_some_and(|e| e.eq_ignore_ascii_case("py") || e.eq_ignore_ascii_case("pyw"));
    if named {
        return true;
    }
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    match lines.next() {
        Some(first) if first.starts_with("#!") => return first.contains("python"),
        Some(first) if is_python_line(first) => return true,
        _ => {}
    }
    lines.any(is_python_line)
}

/// Lines that Python has and configuration, data and prose do not.
fn is_python_line(line: &str) -> bool {
    let line = line.trim_end();
    let definition = ["def ", "async def ", "class "].iter().any(|word| line.starts_with(word));
    if definition {
        return line.ends_with(':') || line.ends_with('(') || line.contains("):");
    }
    let module = |text: &str| {
        !text.is_empty() && text.split('.').all(|part| part.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    if let Some(rest) = line.strip_prefix("import ") {
        return rest.split(',').all(|one| module(one.split(" as ").next().unwrap_or("").trim()));
    }
    line.strip_prefix("from ")
        .and_then(|rest| rest.split_once(" import "))
        .is_some_and(|(from, _)| module(from.trim().trim_start_matches('.')) || from.trim() == ".")
}

/// What the first bytes say the file is, where it cannot be text.
fn magic(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: &[(&[u8], &str)] = &[
        (b"\x7fELF", "a shared library or program"),
        (b"\0asm", "a WebAssembly module"),
        (b"\xcf\xfa\xed\xfe", "a shared library or program"),
        (b"MZ\x90", "a shared library or program"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "a gzip file"),
        (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
        (b"PAR1", "a Parquet file"),
        (b"ARROW1", "an Arrow file"),
        (b"SQLite format 3", "an SQLite database"),
        (b"\x89PNG", "an image"),
        (b"%PDF", "a PDF"),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
    ];
    let known = KINDS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, what)| *what);
    // Compiled Python: a version of two bytes, then `\r\n`.
    known.or_else(|| (bytes.get(2..4) == Some(b"\r\n") && bytes.contains(&0)).then_some("compiled Python"))
}

/// The encoding that a comment in one of the first two lines names (PEP 263), and that line.
fn coding(bytes: &[u8]) -> Option<(String, usize)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (at, line) in bytes.split(|byte| *byte == b'\n').take(2).enumerate() {
        let blank = line.trim_ascii();
        if !blank.starts_with(b"#") {
            if blank.is_empty() {
                continue;
            }
            return None;
        }
        let text = String::from_utf8_lossy(blank);
        let Some(found) = text.find("coding") else { continue };
        let rest = &text[found + "coding".len()..];
        let Some(rest) = rest.strip_prefix([':', '=']) else { continue };
        let name: String = rest
            .trim_start()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            .collect();
        if !name.is_empty() {
            return Some((name, at + 1));
        }
    }
    None
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

fn is_utf8(name: &str) -> bool {
    let name = plain(name);
    matches!(name.as_str(), "utf-8" | "utf8" | "u8" | "utf-8-sig" | "ascii" | "us-ascii")
        || name.starts_with("utf-8-")
}

fn is_latin1(name: &str) -> bool {
    matches!(
        plain(name).as_str(),
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" | "iso-latin-1" | "8859" | "cp819"
    )
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}
