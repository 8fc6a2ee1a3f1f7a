//! Exceptions as failures: class, message, place, traceback, causes, notes and groups, as Python tells them.
//!
//! Whatever an exception does while it is looked at (a `__str__` that raises, say) stays here: telling of a
//! failure does not fail.

use std::path::PathBuf;

use modrack_core::{Cause, Code, Error, Foreign, Kind, Phase, Place};
use pyo3::exceptions::{
    PyAttributeError, PyImportError, PyKeyboardInterrupt, PyModuleNotFoundError, PyRecursionError,
    PySyntaxError, PySystemExit,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use crate::glue::glue;
use crate::handle::PyHandle;
use crate::{modules, names, service, sibling};

glue!(static REPORT = "report");

/// The longest chain of causes that is told.
const CAUSES: usize = 32;

/// What was being done when an exception came.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Doing<'a> {
    /// Running a module's top level.
    Load(&'a str),
    /// Making an instance.
    Construct(&'a str),
    /// `initialize` of an instance.
    Initialize(&'a str),
    /// A call of this function.
    Call(&'a str),
    /// `shutdown` of an instance.
    Stop(&'a str),
    /// Anything else.
    Work,
}

/// An exception as a failure of a call, told in full.
pub fn error_from_pyerr(py: Python<'_>, error: &PyErr) -> Error {
    of(py, error, Doing::Work)
}

/// An exception as a failure of a call of `function`, without traceback and causes: for rows that are
/// rejected by the thousand.
pub(crate) fn brief(py: Python<'_>, error: &PyErr, function: &str) -> Error {
    head(py, error, Doing::Call(function))
}

/// An exception as a failure of what was being done, told in full.
pub(crate) fn of(py: Python<'_>, error: &PyErr, doing: Doing<'_>) -> Error {
    let mut told = head(py, error, doing);
    if told.code() == Code::Interrupted {
        return told;
    }
    if let Some(text) = rendered(py, error, true) {
        told = told.traceback(text);
    }
    // What a slot that was called failed with, told by whoever wrote that module.
    if let Some(carried) = service::carried(py, error) {
        told = told.caused_by(&carried);
    }
    for cause in causes(py, error) {
        told = told.cause(cause);
    }
    if let Some(carried) = carried_on_the_way(py, error) {
        told = told.caused_by(&carried);
    }
    told
}

/// What a slot failed with that an exception was raised because of.
fn carried_on_the_way(py: Python<'_>, error: &PyErr) -> Option<Error> {
    let mut next = led_to(py, error);
    for _ in 0..CAUSES {
        let cause = next?;
        if let Some(carried) = service::carried(py, &cause) {
            return Some(carried);
        }
        next = led_to(py, &cause);
    }
    None
}

/// Code, message, classes, place and hint.
fn head(py: Python<'_>, error: &PyErr, doing: Doing<'_>) -> Error {
    let class = names::class_name(&error.get_type(py));
    let said = message(py, error);
    let failure = if error.is_instance_of::<PyKeyboardInterrupt>(py) {
        Error::new(Code::Interrupted, "Interrupted")
    } else if error.is_instance_of::<PySystemExit>(py) {
        exit(py, error, doing)
    } else {
        broken(py, error, doing, &class, &said)
    };
    let mut classes = classes(py, error);
    let mut failure = failure;
    if let Some(carried) = service::carried(py, error) {
        // A limit that was reached in a slot that it called was reached in this call too.
        if matches!(doing, Doing::Call(_))
            && matches!(carried.kind(), Kind::Timeout | Kind::Limit | Kind::Cancelled)
        {
            let what = failure.message().to_owned();
            failure = match carried.hint_text() {
                Some(hint) => Error::new(carried.code(), what).hint(hint),
                None => Error::new(carried.code(), what),
            };
        }
        classes.extend(carried.class_names().iter().cloned());
    }
    let mut failure = failure.classes(classes);
    if let Some(phase) = phase(doing) {
        failure = failure.phase(phase);
    }
    if let Some(place) = place(py, error) {
        failure = failure.place(place);
    }
    if service::is_inside() {
        let thrown = PyHandle::new(error.value(py).clone().into_any().unbind());
        failure = failure.thrown(Foreign::new(thrown));
    }
    failure
}

fn phase(doing: Doing<'_>) -> Option<Phase> {
    match doing {
        Doing::Load(_) => Some(Phase::Load),
        Doing::Construct(_) | Doing::Initialize(_) => Some(Phase::Start),
        Doing::Call(_) => Some(Phase::Call),
        Doing::Stop(_) => Some(Phase::Stop),
        Doing::Work => None,
    }
}

fn exit(py: Python<'_>, error: &PyErr, doing: Doing<'_>) -> Error {
    let status = match error.value(py).getattr(intern!(py, "code")) {
        Ok(code) if code.is_none() => "0".to_owned(),
        Ok(code) => safe_str(&code),
        Err(_) => "0".to_owned(),
    };
    let (code, what) = match doing {
        Doing::Load(name) | Doing::Construct(name) | Doing::Initialize(name) => {
            (Code::ExitWhileLoading, format!("`{name}` asked to exit while it was loaded"))
        }
        Doing::Call(name) => (Code::ExitInCall, format!("`{name}` asked to exit")),
        Doing::Stop(name) => (Code::StopFailed, format!("`{name}` asked to exit while it was shut down")),
        Doing::Work => (Code::ExitInCall, "The module asked to exit".to_owned()),
    };
    Error::new(code, format!("{what} (status {status})"))
        .hint("Raise an exception, or return; a module does not end the process that it runs in")
}

/// What to do about a module whose own code raised, by what was being done to it.
const MEND: &str = "The traceback is the module's own: mend what its last line says";
const MEND_START: &str = "The traceback is the module's own; what it is given is `params` of the slot";
const DECIDE: &str =
    "The traceback is the module's own; in a pipeline, `errors:` decides what becomes of such rows";

fn broken(py: Python<'_>, error: &PyErr, doing: Doing<'_>, class: &str, said: &str) -> Error {
    let tail = if said.is_empty() { String::new() } else { format!(": {said}") };
    let notes: String = notes(error.value(py)).iter().map(|note| format!("\n{note}")).collect();
    let tell = |code: Code, what: String| Error::new(code, format!("{what}{tail}{notes}"));
    let missing = missing_package(py, error);
    match doing {
        Doing::Load(_) | Doing::Construct(_) | Doing::Initialize(_) if is_circular(py, error, said) => {
            tell(Code::CircularImport, "Modules import each other in a circle".to_owned()).hint(
                "Move the import into the function that needs it, or what both need into a third module",
            )
        }
        Doing::Load(name) => match missing {
            Some(package) => missing_error(py, name, &package),
            None => {
                let failure =
                    tell(Code::ImportFailed, format!("`{name}` failed while it was loaded, `{class}`"));
                failure.hint(import_hint(py, error).unwrap_or_else(|| MEND.to_owned()))
            }
        },
        Doing::Construct(name) => {
            tell(Code::ConstructFailed, format!("`{name}` could not be made, `{class}`")).hint(MEND_START)
        }
        Doing::Initialize(name) => {
            tell(Code::InitializeFailed, format!("`{name}` could not be initialized, `{class}`"))
                .hint(MEND_START)
        }
        Doing::Stop(name) => tell(Code::StopFailed, format!("`{name}` could not be shut down, `{class}`"))
            .hint("It is gone all the same; see that what it lets go of is still there"),
        Doing::Call(name) => {
            hinted(py, error, missing, tell(Code::Raised, format!("`{name}` raised `{class}`")))
        }
        Doing::Work => hinted(py, error, missing, tell(Code::Raised, format!("`{class}` was raised"))),
    }
}

/// What can be said beside an exception that a call raised.
fn hinted(py: Python<'_>, error: &PyErr, missing: Option<String>, failure: Error) -> Error {
    if let Some(package) = missing {
        return failure.hint(install(py, &package));
    }
    if error.is_instance_of::<PyRecursionError>(py) {
        return failure.hint("Look for a function that calls itself without an end");
    }
    failure.hint(DECIDE)
}

/// The third-party package whose absence an exception tells of.
fn missing_package(py: Python<'_>, error: &PyErr) -> Option<String> {
    if !error.is_instance_of::<PyModuleNotFoundError>(py) {
        return None;
    }
    let name = names::text(error.value(py).as_any(), intern!(py, "name"))?;
    let top = name.split('.').next().unwrap_or(&name);
    (top == name && name != names::FAMILY && !sibling::is_standard(py, &name)).then_some(name)
}

fn missing_error(py: Python<'_>, name: &str, package: &str) -> Error {
    Error::new(
        Code::PackageMissing,
        format!("`{name}` needs the package `{package}`, which is not installed"),
    )
    .hint(install(py, package))
}

pub(crate) fn install(py: Python<'_>, package: &str) -> String {
    let python = modules::get(py, intern!(py, "sys"))
        .and_then(|sys| sys.getattr(intern!(py, "executable")))
        .map_or_else(|_| "python3".to_owned(), |path| safe_str(&path));
    format!(
        "Install it into the interpreter that runs this rack: `{python} -m pip install {package}`; \
         if `{package}` is a file of yours, put it beside the module or on `python.path`"
    )
}

fn import_hint(py: Python<'_>, error: &PyErr) -> Option<String> {
    if !error.is_instance_of::<PyImportError>(py) {
        return None;
    }
    let name = names::text(error.value(py).as_any(), intern!(py, "name"))?;
    let name = names::plain(&name);
    Some(format!("Look at what `{name}` defines, and from where it is imported"))
}

fn is_circular(py: Python<'_>, error: &PyErr, said: &str) -> bool {
    (error.is_instance_of::<PyImportError>(py) || error.is_instance_of::<PyAttributeError>(py))
        && said.contains("circular import")
}

/// The classes of an exception, the most specific first.
fn classes(py: Python<'_>, error: &PyErr) -> Vec<String> {
    let mro: Bound<'_, PyTuple> = error.get_type(py).mro();
    mro.iter()
        .filter_map(|class| class.cast_into::<PyType>().ok())
        .map(|class| names::class_name(&class))
        .filter(|name| name != "object")
        .collect()
}

/// What an exception says, or that it cannot say it.
fn message(py: Python<'_>, error: &PyErr) -> String {
    let value = error.value(py);
    let said = match value.str() {
        Ok(text) => names::plain_text(&text.to_string_lossy()).into_owned(),
        Err(raised) => {
            let class = names::class_name(&raised.get_type(py));
            return format!("<its `str` raised `{class}`>");
        }
    };
    // Python adds place and line to a syntax error's text; the place says them already.
    if error.is_instance_of::<PySyntaxError>(py) {
        return names::text(value.as_any(), intern!(py, "msg")).unwrap_or(said);
    }
    said
}

fn safe_str(object: &Bound<'_, PyAny>) -> String {
    object.str().map_or_else(|_| "?".to_owned(), |text| text.to_string_lossy().into_owned())
}

fn notes(value: &Bound<'_, pyo3::exceptions::PyBaseException>) -> Vec<String> {
    let py = value.py();
    let Ok(notes) = value.getattr(intern!(py, "__notes__")) else { return Vec::new() };
    let Ok(notes) = notes.cast_into::<PyList>() else { return Vec::new() };
    notes
        .iter()
        .filter_map(|note| note.cast_into::<PyString>().ok())
        .map(|note| note.to_string_lossy().into_owned())
        .collect()
}

/// Causes, the nearest first; then what a group holds.
fn causes(py: Python<'_>, error: &PyErr) -> Vec<Cause> {
    let mut told = Vec::new();
    let mut seen = vec![error.value(py).as_ptr()];
    members(py, error, &mut told);
    let mut next = led_to(py, error);
    while let Some(cause) = next {
        if seen.contains(&cause.value(py).as_ptr()) {
            break;
        }
        if told.len() >= CAUSES {
            if let Some(last) = told.last_mut() {
                last.notes.push(format!("{} more causes are left out", 1 + more_than(py, &cause)));
            }
            break;
        }
        seen.push(cause.value(py).as_ptr());
        told.push(link(py, &cause));
        members(py, &cause, &mut told);
        next = led_to(py, &cause);
    }
    told
}

/// How many exceptions led to one.
fn more_than(py: Python<'_>, error: &PyErr) -> usize {
    let cut = REPORT.get(py, "cut").and_then(|cut| cut.call1((error.value(py), 1)));
    cut.and_then(|cut| cut.get_item(1)?.extract()).unwrap_or(0)
}

/// What Python would print above an exception: its cause, else its context unless that is suppressed.
fn led_to(py: Python<'_>, error: &PyErr) -> Option<PyErr> {
    if let Some(cause) = error.cause(py) {
        return Some(cause);
    }
    let suppressed = error.value(py).getattr(intern!(py, "__suppress_context__"));
    if suppressed.and_then(|s| s.is_truthy()).unwrap_or(false) {
        return None;
    }
    error.context(py)
}

/// What an exception group holds, groups within it included.
fn members(py: Python<'_>, error: &PyErr, told: &mut Vec<Cause>) {
    let value = error.value(py);
    if !value.hasattr(intern!(py, "derive")).unwrap_or(false) {
        return;
    }
    let Ok(inner) = value.getattr(intern!(py, "exceptions")) else { return };
    let Ok(inner) = inner.cast_into::<PyTuple>() else { return };
    for member in inner.iter() {
        if told.len() >= CAUSES {
            return;
        }
        let member = PyErr::from_value(member);
        told.push(link(py, &member));
        members(py, &member, told);
    }
}

fn link(py: Python<'_>, error: &PyErr) -> Cause {
    Cause {
        class: names::class_name(&error.get_type(py)),
        message: message(py, error),
        notes: notes(error.value(py)),
        traceback: rendered(py, error, false),
        ..Cause::default()
    }
}

/// The traceback as Python prints it; none when there is none, or printing it fails.
fn rendered(py: Python<'_>, error: &PyErr, chain: bool) -> Option<String> {
    // Before 3.12 the interpreter keeps the traceback beside the exception, not in it.
    if let Some(traceback) = error.traceback(py) {
        error.value(py).setattr(intern!(py, "__traceback__"), traceback).ok()?;
    }
    let text = REPORT.get(py, "render").and_then(|render| render.call1((error.value(py), chain))).ok()?;
    let text = text.cast_into::<PyString>().ok()?;
    Some(names::plain_text(&text.to_string_lossy()).into_owned())
}

/// The deepest line of a module's own code that an exception went through; else the deepest line at all.
fn place(py: Python<'_>, error: &PyErr) -> Option<Place> {
    if error.is_instance_of::<PySyntaxError>(py)
        && let Some(place) = syntax_place(py, error)
    {
        return Some(place);
    }
    let mut found: Option<(Bound<'_, PyAny>, bool)> = None;
    let mut next = error.traceback(py).map(Bound::into_any);
    while let Some(entry) = next {
        let ours = is_of_a_generation(&entry);
        if ours || !matches!(found, Some((_, true))) {
            found = Some((entry.clone(), ours));
        }
        next = entry.getattr(intern!(py, "tb_next")).ok().filter(|next| !next.is_none());
    }
    let (entry, _) = found?;
    let code = entry.getattr(intern!(py, "tb_frame")).ok()?.getattr(intern!(py, "f_code")).ok()?;
    let file = names::text(&code, intern!(py, "co_filename"))?;
    if file.starts_with("<modrack") || file.starts_with("<frozen") {
        return None;
    }
    let line = entry.getattr(intern!(py, "tb_lineno")).ok()?.extract::<usize>().ok();
    Some(Place { file: PathBuf::from(file), line, ..Place::default() })
}

fn is_of_a_generation(entry: &Bound<'_, PyAny>) -> bool {
    let py = entry.py();
    let globals = entry
        .getattr(intern!(py, "tb_frame"))
        .and_then(|frame| frame.getattr(intern!(py, "f_globals")))
        .and_then(|globals| Ok(globals.cast_into::<PyDict>()?));
    globals.is_ok_and(|globals| globals.contains(intern!(py, names::MARK)).unwrap_or(false))
}

fn syntax_place(py: Python<'_>, error: &PyErr) -> Option<Place> {
    let value = error.value(py).as_any();
    let file = names::text(value, intern!(py, "filename"))?;
    let number = |name| value.getattr(name).ok()?.extract::<usize>().ok();
    Some(Place {
        file: PathBuf::from(file),
        line: number(intern!(py, "lineno")),
        column: number(intern!(py, "offset")).filter(|&column| column > 0),
        key: None,
    })
}
