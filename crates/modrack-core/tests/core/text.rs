//! What the tests of rack texts share: a text in, its plan or its diagnostics out.

use std::path::{Path, PathBuf};

use modrack_core::plan::{Ask, RackPlan, RackText, TextFormat};
use modrack_core::{Error, Result};

/// Reads a YAML text called `rack.yaml`.
pub(crate) fn parse(text: &str) -> Result<RackPlan> {
    parse_as(TextFormat::Yaml, text.as_bytes(), &[])
}

/// Reads a text with `--set`s over it. The environment has `HOME_TOWN`, `WIDTH`, `ZIP` and `EMPTY`; the only
/// file is `secret.txt`.
pub(crate) fn parse_as(format: TextFormat, bytes: &[u8], set: &[&str]) -> Result<RackPlan> {
    let file = match format {
        TextFormat::Yaml => "rack.yaml",
        TextFormat::Toml => "rack.toml",
        TextFormat::Json => "rack.json",
    };
    let text =
        RackText { file: PathBuf::from(file), root: PathBuf::from("/rack"), format, bytes: bytes.to_vec() };
    let set: Vec<_> = set.iter().map(|set| (*set).to_owned()).collect();
    RackPlan::parse(&text, &set, &Ask { env: &env, read: &read, given: &[] })
}

/// Reads a YAML text that has nothing wrong.
pub(crate) fn plan(text: &str) -> RackPlan {
    parse(text).unwrap_or_else(|error| panic!("{}", show(&error)))
}

/// Every diagnostic as one line each: place, key, code, message and hint.
pub(crate) fn show(error: &Error) -> String {
    let mut shown = String::new();
    for error in error.each() {
        let place = error.place_of().expect("a diagnostic has a place");
        let key = place.key.as_ref().map_or(String::new(), |key| format!(" {key}"));
        shown += &format!("{place}{key}: {error}\n");
        if let Some(hint) = error.hint_text() {
            shown += &format!("    hint: {hint}\n");
        }
    }
    shown
}

fn env(name: &str) -> Option<String> {
    match name {
        "HOME_TOWN" => Some("Zürich".into()),
        "WIDTH" => Some("3".into()),
        "ZIP" => Some("01234".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(path: &Path) -> std::result::Result<String, String> {
    if path == Path::new("/rack/secret.txt") { Ok("hush\n".into()) } else { Err("no such file".into()) }
}
