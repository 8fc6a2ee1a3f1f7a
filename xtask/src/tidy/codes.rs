//! Every code has its page in `docs/errors/`, and every page its code.
//!
//! The list is read as text from `code.rs`, because no crate of the workspace is used here.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};

use super::Complaint;
use crate::cargo::root;

const LIST: &str = "crates/modrack-core/src/code.rs";
const PAGES: &str = "docs/errors";

/// The parts of a page, in order. An example may be left out where none can be made on purpose.
const PARTS: &[&str] = &["## Example", "## What to do"];

/// A code of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedCode {
    /// As it is printed: `M0101`.
    pub(crate) number: String,
    /// The word for its kind.
    pub(crate) kind: String,
    /// The title of its page.
    pub(crate) title: String,
}

/// The codes, in order.
pub(crate) fn listed() -> Result<Vec<ListedCode>> {
    let text = fs::read_to_string(root().join(LIST)).context(LIST)?;
    let codes: Vec<ListedCode> = text.lines().filter_map(of_line).collect();
    ensure!(!codes.is_empty(), "{LIST} lists no codes");
    Ok(codes)
}

/// Holds the list and the pages against each other.
pub(super) fn check() -> Result<Vec<Complaint>> {
    let codes = listed()?;
    let mut complaints = Vec::new();
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(root().join(PAGES)).context(PAGES)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "README.md" {
            pages.insert(name);
        }
    }
    for code in &codes {
        let name = format!("{}.md", code.number);
        let path = format!("{PAGES}/{name}");
        if !pages.remove(&name) {
            complaints.push(Complaint::file(path, format!("{} has no page", code.number)));
            continue;
        }
        let page = fs::read_to_string(root().join(&path))?;
        let head = format!("# {}: {}", code.number, code.title);
        if page.lines().next() != Some(head.as_str()) {
            complaints.push(Complaint::line(
                path.clone(),
                1,
                format!("the page does not open with `{head}`"),
            ));
        }
        let parts: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        if !parts.iter().all(|part| PARTS.contains(part)) || parts.last() != PARTS.last() {
            complaints
                .push(Complaint::file(path, format!("the parts of a page are `{}`", PARTS.join("`, `"))));
        }
    }
    complaints
        .extend(pages.iter().map(|page| Complaint::file(format!("{PAGES}/{page}"), "no code has this page")));
    Ok(complaints)
}

/// Reads `Name = "M0101", Kind, "title";`.
fn of_line(line: &str) -> Option<ListedCode> {
    let (_, rest) = line.trim().strip_suffix("\";")?.split_once(" = \"M")?;
    let (digits, rest) = rest.split_once("\", ")?;
    let (kind, title) = rest.split_once(", \"")?;
    Some(ListedCode { number: format!("M{digits}"), kind: word(kind), title: title.into() })
}

/// `NotFound` as configuration writes it: `not-found`.
fn word(kind: &str) -> String {
    let mut word = String::new();
    for (i, c) in kind.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            word.push('-');
        }
        word.extend(c.to_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_from_its_line() {
        let code = of_line(r#"    ModuleNotFound = "M0201", NotFound, "The module is not there";"#);
        let (number, kind) = ("M0201".to_owned(), "not-found".to_owned());
        assert_eq!(code, Some(ListedCode { number, kind, title: "The module is not there".into() }));
        assert_eq!(of_line("    // The rack and its text."), None);
    }
}
