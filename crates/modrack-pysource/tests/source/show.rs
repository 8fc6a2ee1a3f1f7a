//! Small sources in a folder of their own, and descriptions as text that one can read and compare.

use std::path::{Path, PathBuf};

use expect_test::Expect;
use modrack_core::{Attr, Description, Error, Origin};
use modrack_pysource::Reader;
use tempfile::TempDir;

/// Describes a file with this source.
pub(crate) fn check(source: &str, expected: Expect) {
    check_files(&[("x.py", source)], "x.py", expected);
}

/// Describes what `text` means in a folder with these files.
pub(crate) fn check_files(files: &[(&str, &str)], text: &str, expected: Expect) {
    let folder = folder(files);
    let root = folder.path();
    let shown = match describe(root, text) {
        Ok(described) => show(root, &described),
        Err(error) => show_error(root, &error),
    };
    expected.assert_eq(&shown);
}

/// A folder with these files, each given as its path and its text.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// What a `use` text means in a folder: `x.py:Name`, `pkg:make()`, `python:pkg.mod:attr`.
pub(crate) fn origin(root: &Path, text: &str) -> Origin {
    let (rest, is_import) = match text.strip_prefix("python:") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (module, attr) = match rest.split_once(':') {
        Some((module, attr)) => (module, Some(Attr::parse(attr).unwrap())),
        None => (rest, None),
    };
    match is_import {
        true => Origin::Import { module: module.into(), attr },
        false => Origin::File { path: root.join(module), attr },
    }
}

/// Describes what `text` means in `root`, which is importable as a rack's folder is.
pub(crate) fn describe(root: &Path, text: &str) -> Result<Description, Error> {
    let reader = Reader { root: root.to_owned(), path: vec![root.to_owned()] };
    reader.describe(&origin(root, text))
}

/// A description in few lines; paths are relative to `root`.
pub(crate) fn show(root: &Path, described: &Description) -> String {
    let mut lines = vec![format!(
        "{}: {:?}{}",
        described.name,
        described.entry,
        if described.open { ", open" } else { "" }
    )];
    let mut say = |text: String| lines.push(text);
    if let Some(version) = &described.version {
        say(format!("version {version}"));
    }
    if let Some(doc) = &described.doc {
        say(format!("doc {doc:?}"));
    }
    match &described.constructor {
        Some(signature) => say(format!("new {signature}")),
        None => say("new ?".into()),
    }
    for function in &described.functions {
        let signature = &function.signature;
        let mut marks = String::new();
        if signature.is_async {
            marks.push_str("async ");
        }
        if signature.is_generator {
            marks.push_str("gen ");
        }
        let line = function.place.as_ref().and_then(|place| place.line).unwrap_or(0);
        say(format!("{marks}def {}{signature} @{line}", function.name));
    }
    for attribute in &described.attributes {
        let annotation = attribute.annotation.as_ref().map_or(String::new(), |a| format!(": {a}"));
        let value = attribute.value.as_ref().map_or(String::new(), |v| format!(" = {v}"));
        say(format!("attr {}{annotation}{value}", attribute.name));
    }
    for class in &described.classes {
        let bases = class.bases.join(", ");
        say(format!("class {}({bases}){}", class.name, if class.concrete { "" } else { " abstract" }));
    }
    let manifest = &described.manifest;
    for (word, value) in [
        ("author", manifest.author.clone()),
        ("about", manifest.description.clone()),
        ("contract", manifest.contract.clone()),
        ("function", manifest.function.clone()),
        ("requires", (!manifest.requires.is_empty()).then(|| manifest.requires.join(", "))),
        ("instances", manifest.instances.map(|i| format!("{i:?}"))),
        ("takes", manifest.takes.map(|t| format!("{t:?}"))),
        ("formats", (!manifest.formats.is_empty()).then(|| manifest.formats.join(", "))),
        ("other", (!manifest.other.is_empty()).then(|| format!("{:?}", manifest.other))),
    ] {
        if let Some(value) = value {
            say(format!("{word} {value}"));
        }
    }
    if described.files.len() > 1 {
        let files: Vec<_> = described.files.iter().map(|file| near(root, file)).collect();
        say(format!("files {}", files.join(" ")));
    }
    lines.join("\n") + "\n"
}

/// A failure in few lines: code, message, place, hint; paths are relative to `root`.
pub(crate) fn show_error(root: &Path, error: &Error) -> String {
    let mut text = format!("{}: {}\n", error.code(), error.message());
    if let Some(place) = error.place_of() {
        let key = place.key.as_ref().map_or(String::new(), |key| format!(" {key}"));
        text.push_str(&format!("at {place}{key}\n"));
    }
    if let Some(traceback) = error.traceback_text() {
        traceback.lines().for_each(|line| text.push_str(&format!("| {line}\n")));
    }
    if let Some(hint) = error.hint_text() {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text.replace(&format!("{}/", root.display()), "")
}

fn near(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(&PathBuf::from(path)).display().to_string()
}
