//! Entry points: the modules that installed packages declare under a group's name.
//!
//! They are read from the packages' own metadata; no interpreter runs for it.

use std::path::{Path, PathBuf};

use modrack_core::plan::RackPlan;
use modrack_core::{Error, Origin, Use};
use semver::Version;

use crate::error;
use crate::find;
use crate::rack::RackCore;

/// A module that an installed package declares.
#[derive(Debug)]
pub(crate) struct EntryPoint {
    /// The name it is declared under.
    pub(crate) name: String,
    /// The version of its package.
    pub(crate) version: Option<Version>,
    /// Where it is.
    pub(crate) origin: Origin,
    /// Why it can be none, if so.
    pub(crate) error: Option<Error>,
}

/// The entry points of `group`, by package, in each package as it lists them.
pub(crate) fn find(rack: &RackCore, plan: &RackPlan, group: &str) -> Vec<EntryPoint> {
    let mut points = Vec::new();
    for folder in folders(rack, plan) {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut packages: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        packages.sort();
        for package in packages {
            let Some(version) = version_of(&package) else { continue };
            let file = package.join("entry_points.txt");
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            for Line { name, target, number } in parse(&text, group) {
                let (origin, error) = match Use::parse(&format!("python:{target}")) {
                    Ok(Use::Import { module, attr }) => (Origin::Import { module, attr }, None),
                    _ => {
                        let error = error::bad_entry_point(&name, &target, &file, number);
                        (Origin::Import { module: target, attr: None }, Some(error))
                    }
                };
                points.push(EntryPoint { name, version: version.clone(), origin, error });
            }
        }
    }
    points
}

/// The folders in which packages are installed: the rack's own environment, and what backends know of.
fn folders(rack: &RackCore, plan: &RackPlan) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(venv) = &plan.python.venv {
        let venv = find::absolute(rack.root(), Path::new(venv));
        let mut versions: Vec<_> = std::fs::read_dir(venv.join("lib"))
            .map(|entries| entries.flatten().map(|entry| entry.path().join("site-packages")).collect())
            .unwrap_or_default();
        versions.sort();
        folders.append(&mut versions);
        folders.push(venv.join("Lib").join("site-packages"));
    }
    folders.extend(rack.backends().iter().flat_map(|backend| backend.libraries()));
    // One folder under two names (`lib64` beside `lib`) is read once.
    let mut seen = Vec::new();
    folders.retain(|folder| {
        let Ok(real) = folder.canonicalize() else { return false };
        let new = !seen.contains(&real);
        seen.push(real);
        new
    });
    folders
}

/// The version of the package whose metadata folder this is: `name-1.2.dist-info`; none when it is another
/// folder, `Some(None)` when the version is not one that can be compared.
fn version_of(package: &Path) -> Option<Option<Version>> {
    let name = package.file_name()?.to_str()?;
    let name = name.strip_suffix(".dist-info").or_else(|| name.strip_suffix(".egg-info"))?;
    Some(name.split('-').nth(1).and_then(version))
}

/// A version as packages write it: `1.2` is 1.2.0; what follows the numbers is left out.
fn version(text: &str) -> Option<Version> {
    if let Ok(version) = Version::parse(text) {
        return Some(version);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let mut numbers = text[..end].trim_end_matches('.').split('.').map(|n| n.parse().ok());
    Some(Version::new(
        numbers.next().flatten()?,
        numbers.next().flatten().unwrap_or(0),
        numbers.next().flatten().unwrap_or(0),
    ))
}

/// An entry as it is written.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    name: String,
    /// `module`, or `module:attribute`, without extras.
    target: String,
    /// Counted from 1.
    number: usize,
}

/// The entries of `group`. Lines without `=` are no entries.
fn parse(text: &str, group: &str) -> Vec<Line> {
    let mut inside = false;
    let mut points = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.trim() == group;
        } else if inside
            && !line.starts_with(['#', ';'])
            && let Some((name, target)) = line.split_once('=')
        {
            let target = target.split_once('[').map_or(target, |(target, _)| target);
            let parts: Vec<&str> = target.splitn(2, ':').map(str::trim).collect();
            points.push(Line { name: name.trim().to_owned(), target: parts.join(":"), number: index + 1 });
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entries_of_one_group_are_read() {
        let text = "[console_scripts]\nx = a:main\n\n[acme.plugins]\nupper = acme.text : Upper [extra]\n\
                    # said\nlower=acme.lower\n[other]\ny = b\n";
        let line =
            |name: &str, target: &str, number| Line { name: name.into(), target: target.into(), number };
        assert_eq!(
            parse(text, "acme.plugins"),
            [line("upper", "acme.text:Upper", 5), line("lower", "acme.lower", 7)]
        );
    }

    #[test]
    fn a_packages_version_is_read_from_its_folder() {
        let check = |folder: &str, version: Option<Option<&str>>| {
            let version = version.map(|v| v.map(|v| Version::parse(v).unwrap()));
            assert_eq!(version_of(Path::new(folder)), version, "{folder}");
        };
        check("/x/acme-1.2.3.dist-info", Some(Some("1.2.3")));
        check("/x/acme-1.2.dist-info", Some(Some("1.2.0")));
        check("/x/acme-2.0rc1.dist-info", Some(Some("2.0.0")));
        check("/x/acme-1.2-py3.11.egg-info", Some(Some("1.2.0")));
        check("/x/acme.egg-info", Some(None));
        check("/x/acme", None);
    }
}
