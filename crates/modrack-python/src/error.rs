//! The failures of this backend that are not exceptions of a module.

use modrack_core::{Code, Error, Phase, Signature, SlotName, nearest};
use pyo3::prelude::*;

use crate::failure;

/// A failure of Python itself while this backend prepared something.
pub(crate) fn unexpected(py: Python<'_>, error: &PyErr) -> Error {
    let told = failure::error_from_pyerr(py, error);
    if told.code() == Code::Interrupted {
        return told;
    }
    let shown = Error::new(Code::Internal, format!("The Python backend failed: {}", told.message()));
    match told.traceback_text() {
        Some(text) => shown.traceback(text),
        None => shown,
    }
}

/// Files that are not what was described any more, where nothing is kept of that.
pub(crate) fn changed() -> Error {
    Error::new(Code::ChangedMeanwhile, "The module's files changed while it was loaded")
        .hint("Swap it again when they are written")
        .phase(Phase::Load)
}

/// A program that embeds Python has to start it.
pub(crate) fn not_initialised() -> Error {
    Error::new(Code::PythonMissing, "The program has not initialised the Python interpreter")
        .hint("Call `pyo3::Python::initialize()` before a rack is opened")
}

pub(crate) fn unknown_function(module: &str, name: &str, known: &[String]) -> Error {
    let error = Error::new(Code::UnknownFunction, format!("`{module}` has no function `{name}`"));
    with_names(error, name, known, "functions")
}

/// A function that the module has beside the class that fills the slot.
pub(crate) fn left_out(module: &str, name: &str, class: &str) -> Error {
    let file = module.strip_suffix(class).and_then(|rest| rest.strip_suffix(':')).unwrap_or(module);
    Error::new(Code::UnknownFunction, format!("`{module}` has no function `{name}`")).hint(format!(
        "Only its class `{class}` fills the slot; the function beside it is had with `{file}:{name}`"
    ))
}

/// An attribute that is not there.
pub(crate) fn unknown_attribute(module: &str, name: &str, known: &[String]) -> Error {
    let error = Error::new(Code::UnknownAttribute, format!("`{module}` has no attribute `{name}`"));
    with_names(error, name, known, "public names")
}

/// A name that no caller may use.
pub(crate) fn private(module: &str, name: &str, code: Code) -> Error {
    Error::new(code, format!("`{name}` of `{module}` is private"))
        .hint("Names that start with `_` are for the module itself; give it a public name to call it")
}

/// Something that is there and cannot be called.
pub(crate) fn not_callable(module: &str, name: &str, class: &str) -> Error {
    Error::new(Code::NotCallable, format!("`{name}` of `{module}` is a `{class}`, not a function"))
        .hint(format!("Read it with `modrack get SLOT {name}`"))
}

/// Arguments that Python could not bind.
pub(crate) fn bad_arguments(name: &str, said: &str, signature: Option<&Signature>) -> Error {
    // Python starts with the function's name, qualified; what follows is what is wrong.
    let said = match said.split_once("() ") {
        Some((function, rest)) if !function.contains(' ') => rest,
        _ => said,
    };
    let error = Error::new(Code::BadArguments, format!("The arguments do not fit `{name}`: {said}"));
    match signature {
        Some(signature) => error.hint(format!("It is `{name}{signature}`")),
        None => error,
    }
}

/// A name of the module that `use` gives, and that is not there once the module runs.
pub(crate) fn missing_name(module: &str, name: &str, known: &[String]) -> Error {
    let error = Error::new(Code::MissingName, format!("`{module}` has no `{name}`")).phase(Phase::Start);
    with_names(error, name, known, "public names")
}

/// Classes of which none is the obvious one.
pub(crate) fn ambiguous(module: &str, names: &[String]) -> Error {
    let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    Error::new(Code::AmbiguousModule, format!("`{module}` has several classes: {}", listed.join(", ")))
        .phase(Phase::Start)
        .hint(format!("Say which one: `{module}:{}`", names.first().map_or("", String::as_str)))
}

/// A call that its caller gave up.
pub(crate) fn cancelled(name: &str) -> Error {
    Error::new(Code::Cancelled, format!("`{name}` was given up by its caller"))
}

/// A call that is awaited, of which too many wait to be made.
pub(crate) fn held_back(slot: &SlotName, most: usize) -> Error {
    Error::new(Code::HeldBack, format!("{most} calls that are awaited wait already to be made"))
        .slot(slot)
        .hint("Call again later, or have fewer coroutines at once")
}

fn with_names(error: Error, name: &str, known: &[String], what: &str) -> Error {
    if known.is_empty() {
        return error.hint(format!("It has no {what}"));
    }
    let mut listed: Vec<String> = known.iter().take(20).map(|name| format!("`{name}`")).collect();
    if known.len() > listed.len() {
        listed.push("...".to_owned());
    }
    let listed = listed.join(", ");
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("Did you mean `{near}`? Its {what}: {listed}")),
        None => error.hint(format!("Its {what}: {listed}")),
    }
}
