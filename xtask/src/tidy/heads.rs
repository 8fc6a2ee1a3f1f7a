//! Every source file opens by saying what it is, stays short enough to be read, and silences no lint in secret.

use super::{Complaint, TextFile};

/// A file that is longer is split by noun.
const LONGEST: usize = 800;

/// The crates that may have `unsafe` code.
const MAY_BE_UNSAFE: &[&str] = &[
    "crates/modrack-abi",
    "crates/modrack-native",
    "crates/modrack-python",
    "crates/modrack-runtime/src/cell.rs",
    "crates/modrack-runtime/tests/cell/sync.rs",
    "crates/modrack-sdk",
    "crates/modrack-sdk-macros",
    "crates/modrack-wasm/src/cache.rs",
];

/// Holds the rules of source files.
pub(super) fn check(files: &[TextFile]) -> Vec<Complaint> {
    files.iter().flat_map(of_file).collect()
}

fn of_file(file: &TextFile) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let head = match file.ending() {
        "rs" => "//! ",
        "py" => "\"\"\"",
        _ => return complaints,
    };
    // What a test takes as input says what the test needs, and nothing else.
    let is_input = file.is_in("crates") && file.ending() == "py";
    let first = file.text.lines().find(|line| !line.starts_with("#!/")).unwrap_or_default();
    if !first.starts_with(head) && !is_input {
        complaints.push(Complaint::line(
            &file.path,
            1,
            format!("the file does not open with `{head}`: say what it is"),
        ));
    }
    let lines = file.text.lines().count();
    if lines > LONGEST {
        complaints.push(Complaint::file(&file.path, format!("{lines} lines are too many: split it by noun")));
    }
    let name = file.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if ["utils", "util", "helpers", "misc", "common"].contains(&name) {
        complaints.push(Complaint::file(&file.path, "the name says nothing: name the noun"));
    }
    if file.ending() == "rs" {
        let bare = [concat!("#[", "allow("), concat!("#![", "allow(")];
        for (number, line) in file.text.lines().enumerate() {
            if bare.iter().any(|attribute| line.trim_start().starts_with(attribute)) {
                let what = "`expect` with a reason, not `allow`";
                complaints.push(Complaint::line(&file.path, number + 1, what));
            }
            if line.contains(concat!("expect(", "unsafe_code"))
                && !MAY_BE_UNSAFE.iter().any(|place| file.is_in(place))
            {
                let what = format!("`unsafe` stands in {} alone", MAY_BE_UNSAFE.join(", "));
                complaints.push(Complaint::line(&file.path, number + 1, what));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, complaints: usize) {
        let file = TextFile { path: path.into(), text: text.into() };
        assert_eq!(of_file(&file).len(), complaints, "{path}: {:?}", of_file(&file));
    }

    #[test]
    fn source_files_are_held_to_their_rules() {
        check("crates/a/src/lib.rs", "//! What it is.\n", 0);
        check("crates/a/src/lib.rs", "fn main() {}\n", 1);
        check("crates/a/src/utils.rs", "//! What it is.\n", 1);
        check("crates/a/src/lib.rs", concat!("//! What it is.\n#[", "allow(dead_code)]\n"), 1);
        check("crates/a/src/lib.rs", concat!("//! What it is.\n#![expect(", "unsafe_code)]\n"), 1);
        check("crates/modrack-python/src/a.rs", concat!("//! What it is.\n#![expect(", "unsafe_code)]\n"), 0);
        check("tests/python/test_x.py", "import os\n", 1);
        check("examples/run.py", "#!/usr/bin/env python3\n\"\"\"What it is.\"\"\"\n", 0);
        check("docs/x.md", "", 0);
        check("crates/a/src/lib.rs", &"//! Line.\n".repeat(801), 1);
    }
}
