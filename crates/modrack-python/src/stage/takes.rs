//! What a stage's function takes: said by the pipeline, the manifest, the annotation of its first parameter,
//! or by `column:`; a row when nothing says anything.
//!
//! Annotations are read from the function itself, which knows what its names mean; those that are text are
//! looked up among its globals, never evaluated.

use modrack_core::{Result, StageSpec, Takes};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

use super::error;
use crate::arrow::Table;
use crate::call::PythonFunction;

/// The class in which a function takes tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// pyarrow's where pyarrow is installed, else modrack's own.
    Any,
    /// pyarrow's.
    Pyarrow,
    /// modrack's own.
    Own,
}

/// What `function` takes.
///
/// # Errors
/// [`modrack_core::Code::BadValue`] when `column:` is missing or has no use.
pub(super) fn decide(
    py: Python<'_>,
    function: &PythonFunction,
    manifest: Option<Takes>,
    spec: &StageSpec,
) -> Result<(Takes, Form)> {
    let annotated = first_annotation(function.bind(py))
        .and_then(|(annotation, globals)| read(&annotation, globals.as_ref(), 0));
    let form = annotated.map_or(Form::Any, |(_, form)| form);
    let takes = match (spec.takes.or(manifest), annotated, &spec.column) {
        // `list` is the word for a column's values and for all rows; `column:` says which.
        (Some(Takes::Rows), _, Some(_)) => Takes::Column,
        (Some(takes), _, _) => takes,
        (None, Some((Takes::Rows, _)), Some(_)) | (None, None, Some(_)) => Takes::Column,
        (None, Some((takes, _)), _) => takes,
        (None, None, None) => Takes::Row,
    };
    match (takes, &spec.column) {
        (Takes::Column, None) => Err(error::column_unsaid(&spec.name)),
        (Takes::Column, Some(_)) => Ok((takes, form)),
        (_, Some(_)) => Err(error::column_unused(&spec.name, function.name())),
        (_, None) => Ok((takes, form)),
    }
}

type Annotation<'py> = (Bound<'py, PyAny>, Option<Bound<'py, PyDict>>);

/// The annotation of the first parameter that a call fills, and the globals that its names are among.
fn first_annotation<'py>(function: &Bound<'py, PyAny>) -> Option<Annotation<'py>> {
    let py = function.py();
    let mut function = function.clone();
    let mut bound = 0;
    // Unwraps partial functions, methods and objects that can be called, down to the `def`.
    for _ in 0..16 {
        if let Some(code) = function.getattr_opt(intern!(py, "__code__")).ok()? {
            let names = code.getattr(intern!(py, "co_varnames")).ok()?;
            let count: usize = code.getattr(intern!(py, "co_argcount")).ok()?.extract().ok()?;
            if bound >= count {
                return None;
            }
            let annotations = function.getattr(intern!(py, "__annotations__")).ok()?;
            let annotation = annotations.get_item(names.get_item(bound).ok()?).ok()?;
            let globals = function.getattr(intern!(py, "__globals__")).ok()?.cast_into().ok();
            return Some((annotation, globals));
        }
        if let Some(inner) = function.getattr_opt(intern!(py, "__func__")).ok()? {
            bound = 1;
            function = inner;
        } else if let Some(inner) = function.getattr_opt(intern!(py, "func")).ok()? {
            function = inner;
        } else {
            function = function.get_type().getattr_opt(intern!(py, "__call__")).ok()??;
            bound = 1;
        }
    }
    None
}

/// What an annotation says.
fn read(
    annotation: &Bound<'_, PyAny>,
    globals: Option<&Bound<'_, PyDict>>,
    depth: usize,
) -> Option<(Takes, Form)> {
    let py = annotation.py();
    if depth > 4 {
        return None;
    }
    if let Ok(text) = annotation.cast::<PyString>() {
        return read_text(text.to_str().ok()?, globals, depth);
    }
    if let Some(origin) = annotation.getattr_opt(intern!(py, "__origin__")).ok()?
        && !origin.is_none()
    {
        return read(&origin, globals, depth + 1);
    }
    let class = annotation.cast::<PyType>().ok()?;
    if class.is(PyType::new::<Table>(py)) {
        return Some((Takes::Table, Form::Own));
    }
    if class.is_subclass_of::<PyDict>().ok()? {
        return Some((Takes::Row, Form::Any));
    }
    let module = class.module().ok()?;
    let package = module.to_str().ok()?.split('.').next()?;
    named(package, class.name().ok()?.to_str().ok()?)
}

/// What an annotation says that is text: looked up, else taken by its last word.
fn read_text(text: &str, globals: Option<&Bound<'_, PyDict>>, depth: usize) -> Option<(Takes, Form)> {
    let text = text.trim();
    let path = text.split(['[', '|', ' ']).next()?.trim();
    let mut words = path.split('.');
    let root = words.next()?;
    if let Some(globals) = globals {
        let mut found = globals.get_item(root).ok()?;
        for word in words {
            found = found.and_then(|object| object.getattr_opt(word).ok().flatten());
        }
        if let Some(found) = found {
            return read(&found, Some(globals), depth + 1);
        }
    }
    let package = match root {
        "pa" => "pyarrow",
        "pd" => "pandas",
        "pl" => "polars",
        other => other,
    };
    named(package, path.rsplit('.').next()?)
}

fn named(package: &str, name: &str) -> Option<(Takes, Form)> {
    Some(match (package, name) {
        (_, "RecordBatch") => (Takes::Batch, Form::Pyarrow),
        ("modrack", "Table") => (Takes::Table, Form::Own),
        (_, "Table") => (Takes::Table, Form::Pyarrow),
        ("polars", "DataFrame") => (Takes::Polars, Form::Any),
        ("pandas", "DataFrame") => (Takes::Pandas, Form::Any),
        (_, "dict" | "Dict" | "Mapping" | "MutableMapping" | "OrderedDict") => (Takes::Row, Form::Any),
        (_, "list" | "List" | "Sequence" | "MutableSequence") => (Takes::Rows, Form::Any),
        _ => return None,
    })
}
