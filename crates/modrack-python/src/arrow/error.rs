//! The failures of tables: what an object that claims to be one can get wrong.
//!
//! Messages are made here and nowhere else in `arrow`.

use arrow_schema::ArrowError;
use modrack_abi::table::Refusal;
use modrack_core::{Code, Error, Place};

/// A table that cannot be taken.
pub(super) fn refused(class: &str, why: &Refusal) -> Error {
    match why {
        Refusal::Lie(lie) => bad_table(class, lie),
        Refusal::Unfit(error) => unfit(class, error),
        Refusal::NotRows(data_type) => not_rows(class, data_type),
    }
}

/// A table whose parts contradict each other.
pub(super) fn bad_table(class: &str, lie: &str) -> Error {
    Error::new(Code::BadTable, format!("The `{class}` contradicts itself: {lie}"))
        .hint("The library that made it exports it wrongly; make a new table of its data")
}

/// A table that was handed to somebody else already.
pub(super) fn taken(class: &str) -> Error {
    Error::new(Code::BadTable, format!("The `{class}` was taken already: its data is gone"))
        .hint("A stream can be read once; give a new one, or a table")
}

/// An object whose part of the interface is not what the interface says.
pub(super) fn bad_capsule(class: &str, wanted: &str) -> Error {
    Error::new(Code::BadTable, format!("The `{class}` gives no capsule called `{wanted}`"))
        .hint("Its `__arrow_c_array__` or `__arrow_c_stream__` must follow the Arrow PyCapsule interface")
}

/// An array that is a column, where rows were asked for.
fn not_rows(class: &str, data_type: &arrow_schema::DataType) -> Error {
    Error::new(Code::BadTable, format!("The `{class}` is a column of {data_type}, not rows of columns"))
        .hint("Give a record batch or a table")
}

/// A stream that failed while it was read.
pub(super) fn broken_stream(class: &str, said: Option<String>, code: i32) -> Error {
    let why = said.unwrap_or_else(|| format!("error {code}"));
    Error::new(Code::BadTable, format!("The `{class}` failed while it was read: {why}"))
}

/// What the Arrow crates found wrong with a table.
pub(super) fn unfit(class: &str, error: &ArrowError) -> Error {
    Error::new(Code::BadTable, format!("The `{class}` cannot be taken: {error}"))
}

/// A column of a type that has no Python values.
pub(super) fn no_python_type(column: &str, data_type: &arrow_schema::DataType) -> Error {
    Error::new(
        Code::ValueDoesNotFit,
        format!("The column `{column}` of type {data_type} has no Python values"),
    )
    .hint("Take batches instead of rows, or leave the column out")
    .place(column_place(column))
}

/// A type that rows cannot be written to.
pub(super) fn no_rows_type(column: &str, data_type: &arrow_schema::DataType) -> Error {
    Error::new(Code::Unsupported, format!("The column `{column}` cannot be written as {data_type}"))
        .hint("Use one of the types that `schema:` knows")
        .place(column_place(column))
}

/// The place of something that is known to be in a column, and nothing more.
pub(super) fn column_place(column: &str) -> Place {
    Place { key: Some(column.to_owned()), ..Place::default() }
}
