//! Files that lie in the tree twice: the contracts, which packages that are published by themselves have to hold.
//!
//! A package is what lies in its folder, so whoever has it from a registry has no `contracts/` beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cargo::root;

/// Where the files are written.
const FROM: &str = "contracts";

/// The packages, and which contracts are copied into the folder `contracts` of each; none is all of them.
const COPIES: &[(&str, Option<&[&str]>)] =
    &[("crates/modrack-sdk", Some(&["host.wit", "types.wit"])), ("crates/modrack-sdk-macros", None)];

/// Every copy, as it must be.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn wanted() -> Result<Vec<(PathBuf, String)>> {
    let names = names(&root().join(FROM))?;
    let mut wanted = Vec::new();
    for (package, some) in COPIES {
        for name in &names {
            if some.is_none_or(|some| some.contains(&name.as_str())) {
                let text = fs::read_to_string(root().join(FROM).join(name))?;
                wanted.push((root().join(package).join(FROM).join(name), text));
            }
        }
    }
    Ok(wanted)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_what_they_are_copied_from() {
        let wanted = wanted().expect("the contracts can be read");
        for (path, text) in &wanted {
            let held = fs::read_to_string(path).unwrap_or_default();
            assert!(held == *text, "{}: `cargo xtask codegen` writes it", path.display());
        }
        for (package, _) in COPIES {
            let folder = root().join(package).join(FROM);
            for name in names(&folder).expect("there are copies") {
                let path = folder.join(name);
                assert!(wanted.iter().any(|(there, _)| *there == path), "{} is no copy", path.display());
            }
        }
    }

    #[test]
    fn packages_that_are_published_hold_all_that_they_are_built_from() {
        for package in ["crates/modrack-abi", "crates/modrack-sdk", "crates/modrack-sdk-macros"] {
            let mut folders = vec![root().join(package).join("src")];
            while let Some(folder) = folders.pop() {
                for name in names(&folder).expect("a package has source") {
                    let path = folder.join(name);
                    if path.is_dir() {
                        folders.push(path);
                        continue;
                    }
                    let text = fs::read_to_string(&path).expect("source is text");
                    // Only tests of the documentation may, which nobody runs who has the package alone.
                    let mut reaches = text.lines().filter(|line| line.contains("../../"));
                    let is_held = reaches.all(|line| line.starts_with("#![cfg_attr(doctest, "));
                    assert!(is_held, "{} reaches out of its package", path.display());
                }
            }
        }
    }
}
