//! What can be wrong with Python source before it runs, as errors with a place and a hint.

use std::path::Path;

use modrack_core::{Code, Error, Phase, Place};

use crate::parse::Syntax;
use crate::text::{NotText, SourceText};

/// The path as messages show it: relative to the rack's folder where it is inside.
pub(crate) fn shown(path: &Path, root: &Path) -> String {
    let near = path.strip_prefix(root).unwrap_or(path);
    near.display().to_string()
}

pub(crate) fn missing(path: &Path, root: &Path, near: Option<String>) -> Error {
    let error = Error::new(Code::ModuleNotFound, format!("There is no file `{}`", shown(path, root)))
        .phase(Phase::Find)
        .place(Place::file(path));
    match (near, path.parent()) {
        (Some(near), _) => error.hint(format!("Did you mean `{near}`?")),
        (None, Some(folder)) if folder.is_file() => {
            error.hint(format!("`{}` is a file, not a folder", shown(folder, root)))
        }
        (None, Some(folder)) if !folder.is_dir() => error.hint(format!(
            "The folder `{}` is not there either; paths are relative to the rack's folder",
            shown(folder, root)
        )),
        _ => error.hint("Paths are relative to the rack's folder"),
    }
}

pub(crate) fn unreadable(path: &Path, root: &Path, why: &std::io::Error) -> Error {
    Error::new(Code::ModuleUnreadable, format!("`{}` cannot be read: {}", shown(path, root), plain(why)))
        .phase(Phase::Find)
        .place(Place::file(path))
        .hint("See to it that the file is there and may be read by the user that runs this")
}

pub(crate) fn not_a_file(path: &Path, root: &Path) -> Error {
    Error::new(Code::ModuleUnreadable, format!("`{}` is not a regular file", shown(path, root)))
        .phase(Phase::Find)
        .place(Place::file(path))
        .hint("Name a Python file, or a folder with an `__init__.py`")
}

pub(crate) fn not_a_package(path: &Path, root: &Path, inside: Option<String>) -> Error {
    let folder = shown(path, root);
    let folder = if folder.is_empty() { ".".to_owned() } else { folder };
    Error::new(
        Code::NotPython,
        format!("The folder `{folder}` is not a Python package: it has no `__init__.py`"),
    )
    .phase(Phase::Check)
    .place(Place::file(path))
    .hint(match inside {
        Some(file) => format!("Name a file in it, `./{folder}/{file}`, or add an `__init__.py`"),
        None => "Add an `__init__.py` to it".to_owned(),
    })
}

pub(crate) fn not_text(path: &Path, root: &Path, why: &NotText) -> Error {
    let file = shown(path, root);
    let (said, place, hint) = match why {
        NotText::Binary(what) => (
            format!("`{file}` is not Python source: it is {what}"),
            Place::file(path),
            "Name a file of Python source; what a file is, its content decides, not its ending".to_owned(),
        ),
        NotText::Nul(line) => (
            format!("`{file}` is not Python source: it has a NUL byte"),
            Place::line(path, *line),
            "The file is binary or damaged; name a file of Python source".to_owned(),
        ),
        NotText::NotUtf8(line, column) => (
            format!("`{file}` is not UTF-8 text"),
            Place { column: Some(*column), ..Place::line(path, *line) },
            "Save it as UTF-8, or say its encoding in the first line: `# -*- coding: latin-1 -*-`".to_owned(),
        ),
        NotText::Coding(name, line) => (
            format!("`{file}` is written in `{name}`, which is not understood here"),
            Place::line(path, *line),
            "Save it as UTF-8 and take the `coding` line away; `utf-8` and `latin-1` are understood"
                .to_owned(),
        ),
        NotText::TooLarge => (
            format!("`{file}` is too large to be Python source"),
            Place::file(path),
            format!("At most {} MiB are read", crate::text::MAX_BYTES >> 20),
        ),
    };
    Error::new(Code::NotPython, said).phase(Phase::Check).place(place).hint(hint)
}

pub(crate) fn syntax(path: &Path, root: &Path, source: &SourceText, why: &Syntax) -> Error {
    let file = shown(path, root);
    let (line, column) = source.line_column(why.offset);
    let text = source.line_text(line);
    let bare = text.trim_start();
    let cut = text.chars().count() - bare.chars().count();
    let shown: String = bare.chars().take(120).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let place = Place { column: Some(column), ..Place::line(path, line) };
    let mut error =
        Error::new(Code::PythonSyntax, format!("`{file}` has a syntax error: {}", lower(&why.message)))
            .phase(Phase::Check)
            .place(place)
            .hint(if bare.starts_with("print ") {
                "In Python 3 `print` is a function: `print(...)`".to_owned()
            } else if why.too_deep {
                "Python does not take so many levels either; put parts of it into names of their own"
                    .to_owned()
            } else {
                format!("Mend line {line}; `python3 -m py_compile {file}` says it in Python's own words")
            });
    if !shown.is_empty() && !why.too_deep {
        let at = column.saturating_sub(1).saturating_sub(cut).min(shown.chars().count());
        error = error.traceback(format!("{shown}\n{}^", " ".repeat(at)));
    }
    error
}

pub(crate) fn no_such_name(file: &Path, root: &Path, name: &str, near: Option<&str>, has: &[&str]) -> Error {
    let error = Error::new(Code::MissingName, format!("`{}` has no `{name}`", shown(file, root)))
        .phase(Phase::Check)
        .place(Place::file(file));
    match (near, has) {
        (Some(near), _) => error.hint(format!("Did you mean `{near}`?")),
        (None, []) => error.hint("It defines nothing that has a public name"),
        (None, has) => error.hint(format!("It has {}", listed(has))),
    }
}

pub(crate) fn ambiguous(file: &Path, root: &Path, classes: &[(String, Place)]) -> Error {
    let lines: Vec<_> = classes
        .iter()
        .map(|(name, place)| format!("`{name}` ({}:{})", shown(&place.file, root), place.line.unwrap_or(1)))
        .collect();
    let name = file_name(file);
    let first = classes.first().map_or("Name", |(name, _)| name.as_str());
    let error = Error::new(
        Code::AmbiguousModule,
        format!("`{}` has several classes that could fill the slot: {}", shown(file, root), lines.join(", ")),
    )
    .phase(Phase::Check)
    .hint(format!(
        "Say which: `{name}:{first}`; or list the one that is meant in `__all__`, or begin the others' names with `_`"
    ));
    match classes.first() {
        Some((_, place)) => error.place(place.clone()),
        None => error.place(Place::file(file)),
    }
}

pub(crate) fn manifest(place: Place, message: String, hint: impl Into<String>) -> Error {
    Error::new(Code::BadManifest, message).phase(Phase::Check).place(place).hint(hint)
}

pub(crate) fn unknown_param(
    module: &str,
    name: &str,
    place: Option<Place>,
    near: Option<&str>,
    has: &[&str],
) -> Error {
    let error = Error::new(Code::BadParams, format!("`{module}` takes no parameter `{name}`"));
    let error = match (near, has) {
        (Some(near), _) => error.hint(format!("Did you mean `{near}`?")),
        (None, []) => error.hint("It takes no parameters; take `params` away"),
        (None, has) => error.hint(format!("It takes {}", listed(has))),
    };
    param_place(error, module, place)
}

pub(crate) fn missing_param(
    module: &str,
    name: &str,
    annotation: Option<&str>,
    place: Option<Place>,
) -> Error {
    let kind = annotation.map_or(String::new(), |text| format!(" ({text})"));
    let error = Error::new(Code::BadParams, format!("`{module}` must be given the parameter `{name}`"))
        .hint(format!("Add `{name}`{kind} to `params`, or inject it with `needs`"));
    param_place(error, module, place)
}

pub(crate) fn wrong_param(
    module: &str,
    name: &str,
    annotation: &str,
    given: &str,
    place: Option<Place>,
) -> Error {
    let error = Error::new(
        Code::BadParams,
        format!("The parameter `{name}` of `{module}` is `{annotation}`, but is given {given}"),
    )
    .hint(format!("Give `{name}` a value that is `{annotation}`"));
    param_place(error, module, place)
}

pub(crate) fn needs_interpreter(module: &str) -> Error {
    Error::new(
        Code::PythonMissing,
        format!("`{module}` is a Python module, and here is no interpreter to run it"),
    )
    .phase(Phase::Load)
    .hint("Run it with the `modrack` command, or from Python; a Rust program asks for the feature `python`")
}

fn param_place(error: Error, module: &str, place: Option<Place>) -> Error {
    let error = error.phase(Phase::Check).module(module);
    match place {
        Some(place) => error.place(place),
        None => error,
    }
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<_> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(shown.len());
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if name == "__init__.py" {
        let folder = path.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
        return format!("./{}/", folder.unwrap_or_default());
    }
    format!("./{name}")
}

fn lower(message: &str) -> String {
    let mut letters = message.chars();
    match letters.next() {
        Some(first) if message.chars().nth(1).is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => message.to_owned(),
    }
}

/// The system's words without its number: `permission denied`.
fn plain(why: &std::io::Error) -> String {
    let text = why.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    lower(text)
}
