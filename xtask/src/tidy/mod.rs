//! `cargo xtask tidy`: the project's own rules, held against the tree. Also a test of this crate.
//!
//! Each rule is a module that gives complaints: a file, a line where there is one, and what is wrong.

pub(crate) mod codes;
mod graph;
mod heads;
mod links;
mod words;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cargo::root;

/// Something that does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    file: PathBuf,
    line: Option<usize>,
    what: String,
}

/// A text file of the tree.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Its path from the root of the tree.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

/// Holds every rule and shows the complaints.
pub(crate) fn run() -> Result<bool> {
    let complaints = complaints()?;
    for complaint in &complaints {
        println!("{complaint}");
    }
    let s = if complaints.len() == 1 { "" } else { "s" };
    println!("{} complaint{s}", complaints.len());
    Ok(complaints.is_empty())
}

fn complaints() -> Result<Vec<Complaint>> {
    let files = text_files()?;
    let mut found = graph::check()?;
    found.extend(heads::check(&files));
    found.extend(codes::check()?);
    found.extend(links::check(&files));
    found.extend(words::check(&files));
    found.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Ok(found)
}

impl Complaint {
    /// A complaint about a file as a whole.
    pub(crate) fn file(file: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, what: what.into() }
    }

    /// A complaint about a line, counted from 1.
    pub(crate) fn line(file: impl Into<PathBuf>, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line: Some(line), what: what.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl TextFile {
    /// The file's ending, without the dot.
    pub(crate) fn ending(&self) -> &str {
        self.path.extension().and_then(|e| e.to_str()).unwrap_or_default()
    }

    /// Whether the file lies in `folder`.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }
}

/// Every text file that is written by people: what git does not ignore, less what is broken on purpose.
fn text_files() -> Result<Vec<TextFile>> {
    let mut found = Vec::new();
    collect(root(), &mut found)?;
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<TextFile>) -> Result<()> {
    /// Folders with nothing that people write, and modules that are broken on purpose.
    const PASSED_OVER: &[&str] =
        &["target", "__pycache__", "out", "full", "broken", "node_modules", "expect", "cases"];
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') && name != ".ci" && name != ".cargo" {
            continue;
        }
        if path.is_dir() {
            if !PASSED_OVER.contains(&name) {
                collect(&path, found)?;
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).unwrap_or(&path).to_owned();
            found.push(TextFile { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let complaints = super::complaints().expect("the tree can be read");
        let shown: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty(), "\n{}\n", shown.join("\n"));
    }
}
