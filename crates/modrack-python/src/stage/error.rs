//! The failures of stages: what a function gave that its place does not ask for.
//!
//! Messages are made here and nowhere else in `stage`.

use modrack_core::{Code, Error};
use pyo3::prelude::*;

use crate::arrow::shown;
use crate::names;

/// What a row function gives.
const ROW: &str = "a dict, `None` to drop the row, or a list or generator of dicts";
/// What a function of batches, tables or whole inputs gives.
const ROWS: &str = "an Arrow table or data frame, a list or generator of dicts, or `None`";

/// A row function gave something else.
pub(super) fn not_a_row(function: &str, found: &Bound<'_, PyAny>) -> Error {
    wrong(format!("`{function}` gave {}, which is not a row", described(found)), ROW)
}

/// Among the rows that a function gave was something else.
pub(super) fn not_among_rows(function: &str, found: &Bound<'_, PyAny>) -> Error {
    wrong(format!("`{function}` gave {} among its rows", described(found)), ROW)
}

/// A function of batches or whole inputs gave something else.
pub(super) fn not_rows(function: &str, found: &Bound<'_, PyAny>) -> Error {
    wrong(format!("`{function}` gave {}, which holds no rows", described(found)), ROWS)
}

/// A function of a column's values gave something else.
pub(super) fn not_values(function: &str, column: &str, found: &Bound<'_, PyAny>) -> Error {
    wrong(
        format!("`{function}` gave {} for the values of `{column}`", described(found)),
        "a list with as many values as it was given",
    )
}

/// A function of a column's values gave another number of them.
pub(super) fn not_as_many(function: &str, column: &str, took: usize, gave: usize) -> Error {
    let values = if gave == 1 { "value" } else { "values" };
    wrong(
        format!("`{function}` took {took} values of `{column}` and gave {gave} {values}"),
        "a list with as many values as it was given, `None` where there is none",
    )
}

/// A stage of a column that is not there.
pub(super) fn no_column(stage: &str, column: &str, has: &[&str]) -> Error {
    let hint = match has.iter().find(|name| name.eq_ignore_ascii_case(column)) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => {
            format!("Its columns are {}", has.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))
        }
    };
    Error::new(Code::UnknownColumn, format!("The input of `{stage}` has no column `{column}`")).hint(hint)
}

/// `column:` without a column, or with a function that takes something else.
pub(super) fn column_unsaid(stage: &str) -> Error {
    Error::new(
        Code::BadValue,
        format!("The stage `{stage}` takes the values of a column, and does not say which"),
    )
    .hint("Name it with `column:` on the stage")
}

/// `column:` on a stage whose function takes something else.
pub(super) fn column_unused(stage: &str, function: &str) -> Error {
    Error::new(
        Code::BadValue,
        format!("The stage `{stage}` names a column, but `{function}` does not take a list"),
    )
    .hint("Leave `column:` out, or annotate the parameter as `list`")
}

/// A package that a stage takes its input as.
pub(super) fn no_package(function: &str, package: &str, wants: &str) -> Error {
    Error::new(
        Code::PackageMissing,
        format!("`{function}` takes {wants}, which needs the package `{package}`"),
    )
    .hint(format!("Install it where modrack's Python runs: `python -m pip install {package}`"))
}

fn wrong(message: String, wanted: &str) -> Error {
    Error::new(Code::WrongResult, message).hint(format!("Give {wanted}"))
}

fn described(found: &Bound<'_, PyAny>) -> String {
    format!("the {} `{}`", names::class_of(found), shown(found))
}
