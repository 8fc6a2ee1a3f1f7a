//! The crates depend on each other, and on others, as the tables in ARCHITECTURE.md say.
//!
//! Two tables are read: the crates with what of the workspace each may depend on, and the dependencies from
//! outside with the crates that use them. Both must say what `cargo metadata` says, no more and no less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Complaint;
use crate::cargo::{metadata, root};

const PAGE: &str = "ARCHITECTURE.md";

/// For each name in a table's first column, the names in another one.
type Table = BTreeMap<String, BTreeSet<String>>;

/// Holds the manifests against the tables.
pub(super) fn check() -> Result<Vec<Complaint>> {
    let page = fs::read_to_string(root().join(PAGE)).context(PAGE)?;
    let (inside, outside) = graph(&metadata()?);
    let mut complaints = compare("crate", &inside, &table(&page, "crate", "may depend on"));
    complaints.extend(compare("dependency", &outside, &table(&page, "dependency", "used by")));
    Ok(complaints)
}

/// What each crate depends on inside the workspace, and who uses what from outside.
fn graph(metadata: &Value) -> (Table, Table) {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let mut inside: Table = packages.iter().map(|package| (name(package), BTreeSet::new())).collect();
    let mut outside = Table::new();
    for package in packages {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let (user, used) = (name(package), name(dependency));
            if user == used {
                // A crate's tests may use the crate with other features.
            } else if dependency["path"].is_string() {
                inside.entry(user).or_default().insert(used);
            } else {
                outside.entry(used).or_default().insert(user);
            }
        }
    }
    (inside, outside)
}

/// Reads the table whose first column has this title: names are what stands in backticks.
fn table(page: &str, first: &str, column: &str) -> Table {
    let mut table = Table::new();
    let mut at: Option<usize> = None;
    for line in page.lines() {
        let cells: Vec<&str> = match line.trim().strip_prefix('|') {
            Some(row) => row.trim_end_matches('|').split('|').map(str::trim).collect(),
            None => {
                at = None;
                continue;
            }
        };
        if cells.first() == Some(&first) {
            at = cells.iter().position(|cell| *cell == column);
        } else if let Some(at) = at {
            for name in ticked(cells.first().copied().unwrap_or_default()) {
                let names = ticked(cells.get(at).copied().unwrap_or_default());
                table.entry(name).or_default().extend(names);
            }
        }
    }
    table
}

/// The words in backticks.
fn ticked(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn compare(what: &str, real: &Table, written: &Table) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let names: BTreeSet<&String> = real.keys().chain(written.keys()).collect();
    for name in names {
        let complaint = match (real.get(name), written.get(name)) {
            (Some(real), Some(written)) if real == written => continue,
            (Some(real), Some(written)) => {
                let missing: Vec<&str> = real.difference(written).map(String::as_str).collect();
                let unused: Vec<&str> = written.difference(real).map(String::as_str).collect();
                format!(
                    "`{name}`: the table lacks [{}] and has [{}] too many",
                    missing.join(", "),
                    unused.join(", ")
                )
            }
            (Some(real), None) => {
                let names: Vec<String> = real.iter().map(|name| format!("`{name}`")).collect();
                format!("the {what} `{name}` is not in its table ({})", names.join(", "))
            }
            (None, _) => format!("there is no {what} `{name}`"),
        };
        complaints.push(Complaint::file(PAGE, complaint));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
| crate | what it is | may depend on |
|---|---|---|
| `a` | the base | nothing |
| `b`, `c` | two more | `a` |

| dependency | why | used by |
|---|---|---|
| `x` | for a reason | `a` |
";

    fn check(metadata: &str, complaints: &[&str]) {
        let metadata = serde_json::from_str(metadata).expect("the test's own JSON");
        let (inside, outside) = graph(&metadata);
        let mut found = compare("crate", &inside, &table(PAGE, "crate", "may depend on"));
        found.extend(compare("dependency", &outside, &table(PAGE, "dependency", "used by")));
        let found: Vec<&str> = found.iter().map(|complaint| complaint.what.as_str()).collect();
        assert_eq!(found, complaints);
    }

    #[test]
    fn manifests_and_tables_say_the_same() {
        let b = r#"{"name": "b", "dependencies": [{"name": "a", "path": "a"}]}"#;
        let c = r#"{"name": "c", "dependencies": [{"name": "a", "path": "a"}]}"#;
        let a = r#"{"name": "a", "dependencies": [{"name": "x"}]}"#;
        check(&format!(r#"{{"packages": [{a}, {b}, {c}]}}"#), &[]);

        let c = r#"{"name": "c", "dependencies": [{"name": "b", "path": "b"}, {"name": "y"}]}"#;
        check(
            &format!(r#"{{"packages": [{a}, {b}, {c}]}}"#),
            &[
                "`c`: the table lacks [b] and has [a] too many",
                "the dependency `y` is not in its table (`c`)",
            ],
        );
    }
}
