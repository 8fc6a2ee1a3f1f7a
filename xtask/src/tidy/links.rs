//! Links in Markdown lead somewhere, and commands stand where a test runs them.

use std::path::{Component, Path, PathBuf};

use super::{Complaint, TextFile};
use crate::cargo::root;

/// Holds the rules of Markdown files.
pub(super) fn check(files: &[TextFile]) -> Vec<Complaint> {
    let pages: Vec<&TextFile> = files.iter().filter(|file| file.ending() == "md").collect();
    let mut complaints = Vec::new();
    for page in &pages {
        let mut fence: Option<&str> = None;
        for (number, line) in page.text.lines().enumerate() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                fence = if fence.is_some() { None } else { Some(language) };
                continue;
            }
            match fence {
                None => complaints.extend(links(line).filter_map(|link| {
                    let why = broken(page, link, &pages)?;
                    Some(Complaint::line(&page.path, number + 1, format!("`{link}` {why}")))
                })),
                Some("console") => {}
                Some(_) if line.starts_with("$ ") => complaints.push(Complaint::line(
                    &page.path,
                    number + 1,
                    "commands stand in a `console` block, which tests/python/test_docs.py runs",
                )),
                Some(_) => {}
            }
        }
    }
    complaints
}

/// The targets of the links in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// What is wrong with a link, if anything is.
fn broken(page: &TextFile, link: &str, pages: &[&TextFile]) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        page.path.clone()
    } else {
        plain(&page.path.parent().unwrap_or(Path::new("")).join(path))
    };
    if !root().join(&target).exists() {
        return Some("leads nowhere");
    }
    let target = pages.iter().find(|other| other.path == target)?;
    let headings = target.text.lines().filter(|line| line.starts_with('#'));
    let found = anchor.is_empty() || headings.map(slug).any(|slug| slug == anchor);
    (!found).then_some("names a heading that is not there")
}

/// The path with `..` taken away, for comparing.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, text: &str) -> TextFile {
        TextFile { path: path.into(), text: text.into() }
    }

    fn complaints(path: &str, text: &str) -> usize {
        check(&[page(path, text)]).len()
    }

    #[test]
    fn a_link_leads_somewhere() {
        assert_eq!(complaints("README.md", "see [the manifest](Cargo.toml) and [a site](https://x.org)"), 0);
        assert_eq!(complaints("README.md", "see [nothing](no-such-file.md)"), 1);
        assert_eq!(complaints("docs/x.md", "see [the manifest](../Cargo.toml)"), 0);
        assert_eq!(complaints("README.md", "# A: part\n[here](#a-part) and [there](#b)"), 1);
    }

    #[test]
    fn commands_stand_in_console_blocks() {
        assert_eq!(complaints("README.md", "```console\n$ modrack list\n```\n"), 0);
        assert_eq!(complaints("README.md", "```sh\n$ modrack list\n```\n"), 1);
    }
}
