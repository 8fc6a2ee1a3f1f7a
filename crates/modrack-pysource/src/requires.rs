//! What a module's manifest requires, held against an interpreter's version and the packages it has.
//!
//! Packages are found by the folders of their metadata; nothing is imported. A requirement with a marker
//! (`; python_version < "3.11"`) holds only at times, and is left to whoever installs.

use std::path::PathBuf;

use modrack_core::{Code, Description, Error, Phase, Place, manifest};
use semver::Version;

/// What of a module's requirements is not there: `python` is the interpreter's version, `folders` where it
/// looks for packages.
pub fn check_requires(description: &Description, python: [u64; 3], folders: &[PathBuf]) -> Vec<Error> {
    let mut errors = Vec::new();
    for text in &description.manifest.requires {
        if text.contains(';') {
            continue;
        }
        let Some(required) = Requirement::parse(text) else {
            let message = format!("`{text}` is not a requirement");
            let error = Error::new(Code::BadManifest, message)
                .hint("Write a name and the versions that serve: `numpy >= 1.26, < 3`");
            errors.push(placed(error, description));
            continue;
        };
        let found = match required.name.as_str() {
            "python" => vec![python.map(|number| number.to_string()).join(".")],
            "modrack" => vec![env!("CARGO_PKG_VERSION").to_owned()],
            name => installed(name, folders),
        };
        if found.iter().any(|found| required.is_met_by(found)) {
            continue;
        }
        let module = &description.name;
        let (why, hint) = match found.first() {
            Some(found) if required.name == "python" => (
                format!("the interpreter is {found}"),
                "Choose another interpreter with `python: { venv: ... }`".to_owned(),
            ),
            Some(found) => (format!("found {found}"), install(text)),
            None => ("which is not installed".to_owned(), install(text)),
        };
        let message = format!("`{module}` requires `{text}`, {why}");
        errors.push(placed(Error::new(Code::RequirementUnmet, message).hint(hint), description));
    }
    errors
}

/// A package, and the versions of it that serve.
#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    name: String,
    bounds: Vec<(String, String)>,
}

const OPERATORS: &[&str] = &["===", "~=", "==", "!=", "<=", ">=", "<", ">"];

impl Requirement {
    /// Parses `numpy`, `numpy >= 1.26, < 3`, `numpy[extra]~=1.26`, `numpy (>=1.26)` and `numpy 1.26`, which
    /// means this version or a later one.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end =
            text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() {
            return None;
        }
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(extras) => extras.split_once(']')?.1,
            None => rest,
        };
        let rest = rest.trim();
        let rest = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
        let mut bounds = Vec::new();
        for bound in rest.split(',').map(str::trim).filter(|bound| !bound.is_empty()) {
            let operator = OPERATORS.iter().find(|operator| bound.starts_with(**operator));
            let (operator, version) = match operator {
                Some(operator) => (*operator, bound[operator.len()..].trim()),
                None => (">=", bound),
            };
            manifest::version(version.trim_end_matches(".*"))?;
            bounds.push((operator.to_owned(), version.to_owned()));
        }
        Some(Self { name: normal(name), bounds })
    }

    fn is_met_by(&self, found: &str) -> bool {
        let Some(installed) = manifest::version(found) else { return true };
        self.bounds.iter().all(|(operator, text)| holds(&installed, found, operator, text))
    }
}

/// Whether the installed version is on the right side of a bound.
fn holds(installed: &Version, found: &str, operator: &str, bound: &str) -> bool {
    let series = bound.strip_suffix(".*");
    let Some(wanted) = manifest::version(series.unwrap_or(bound)) else { return false };
    match operator {
        "===" => found == bound,
        "==" if series.is_some() => is_of(installed, &wanted, parts(bound) - 1),
        "!=" if series.is_some() => !is_of(installed, &wanted, parts(bound) - 1),
        "==" => installed.cmp_precedence(&wanted).is_eq(),
        "!=" => installed.cmp_precedence(&wanted).is_ne(),
        "~=" => {
            installed.cmp_precedence(&wanted).is_ge()
                && is_of(installed, &wanted, parts(bound).saturating_sub(1).max(1))
        }
        "<=" => installed.cmp_precedence(&wanted).is_le(),
        ">=" => installed.cmp_precedence(&wanted).is_ge(),
        "<" => installed.cmp_precedence(&wanted).is_lt(),
        _ => installed.cmp_precedence(&wanted).is_gt(),
    }
}

/// Whether the first `parts` numbers of both are the same.
fn is_of(installed: &Version, wanted: &Version, parts: usize) -> bool {
    let numbers = |v: &Version| [v.major, v.minor, v.patch];
    numbers(installed).into_iter().zip(numbers(wanted)).take(parts).all(|(one, other)| one == other)
}

fn parts(version: &str) -> usize {
    version.split('.').count()
}

/// The versions in which a package is there.
fn installed(name: &str, folders: &[PathBuf]) -> Vec<String> {
    let mut versions = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let file = entry.file_name();
            let Some(file) = file.to_str() else { continue };
            let Some(package) = file.strip_suffix(".dist-info").or_else(|| file.strip_suffix(".egg-info"))
            else {
                continue;
            };
            let mut parts = package.split('-');
            if parts.next().is_some_and(|found| normal(found) == name) {
                versions.extend(parts.next().map(str::to_owned));
            }
        }
    }
    versions
}

/// The name as it is compared: small letters, and `-` between words.
fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

fn install(requirement: &str) -> String {
    format!("Install it: `python3 -m pip install '{requirement}'`")
}

fn placed(error: Error, description: &Description) -> Error {
    let error = error.phase(Phase::Check);
    match description.files.first() {
        Some(file) => error.place(Place::file(file)),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_held_against_a_version() {
        for (requirement, version, met) in [
            ("numpy", "1.0", true),
            ("numpy >= 1.26, < 3", "2.1.0", true),
            ("numpy >= 1.26, < 3", "3.0", false),
            ("numpy>=2", "2.0rc1", false),
            ("numpy 1.26", "1.26.4", true),
            ("numpy (>=1.26)", "1.25", false),
            ("numpy[extra]~=1.4.2", "1.4.9", true),
            ("numpy~=1.4.2", "1.5.0", false),
            ("numpy~=1.4", "1.9", true),
            ("numpy==1.4.*", "1.4.7", true),
            ("numpy!=1.4.*", "1.4.7", false),
            ("numpy!=1.4.7", "1.4.8", true),
            ("numpy===1.4", "1.4", true),
        ] {
            let parsed = Requirement::parse(requirement).unwrap();
            assert_eq!(parsed.is_met_by(version), met, "{requirement} by {version}");
        }
        for wrong in ["", ">= 2", "numpy >= two", "numpy[extra"] {
            assert_eq!(Requirement::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("My_Package-1.2.0.dist-info")).unwrap();
        let mut description = Description { name: "clean".to_owned(), ..Description::default() };
        let requires =
            ["my.package >= 1", "my-package >= 2", "other", "python >= 3.99", "modrack >= 0.1", "?"];
        description.manifest.requires = requires.map(str::to_owned).to_vec();
        let errors = check_requires(&description, [3, 11, 2], &[folder.path().to_owned()]);
        let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "`clean` requires `my-package >= 2`, found 1.2.0 [M0309]",
                "`clean` requires `other`, which is not installed [M0309]",
                "`clean` requires `python >= 3.99`, the interpreter is 3.11.2 [M0309]",
                "`?` is not a requirement [M0308]",
            ]
        );
        assert!(errors.iter().all(|error| error.hint_text().is_some()));
    }
}
