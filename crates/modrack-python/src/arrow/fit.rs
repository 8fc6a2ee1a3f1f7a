//! Makes a batch have the columns that were promised, where that loses nothing.
//!
//! A column may come in another order, be missing, or be of another type that holds the same values; what
//! would be cut or rounded is a failure that names the column.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use modrack_core::{Code, Error, Result};

use super::error::column_place;

/// A schema whose columns without any value yet have the types that they have in `batch`.
pub(crate) fn settled_by(schema: &SchemaRef, batch: &RecordBatch) -> SchemaRef {
    let is_open = |field: &Field| *field.data_type() == DataType::Null;
    if !schema.fields().iter().any(|field| is_open(field)) {
        return schema.clone();
    }
    let fields = schema.fields().iter().map(|field| {
        let found = batch.schema_ref().field_with_name(field.name()).ok();
        found.filter(|_| is_open(field)).unwrap_or(field).clone()
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The batch with the columns of `schema`.
///
/// # Errors
/// [`Code::SchemaChanged`] with the column in its place.
pub(crate) fn fit(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    for field in batch.schema_ref().fields() {
        if schema.field_with_name(field.name()).is_err() {
            return Err(changed(
                format!("The column `{}` is not one of the output's columns", field.name()),
                field.name(),
            ));
        }
    }
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => convert(column, field.name(), field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(|e| Error::new(Code::Internal, format!("Columns that fit do not make a batch: {e}")))
}

fn convert(column: &ArrayRef, name: &str, wanted: &DataType) -> Result<ArrayRef> {
    let found = column.data_type();
    if found == wanted {
        return Ok(column.clone());
    }
    let misfit = || changed(format!("The column `{name}` is {found}, where {wanted} was promised"), name);
    if column.null_count() == column.len() || *found == DataType::Null {
        return Ok(new_null_array(wanted, column.len()));
    }
    if !same_sort(found, wanted) || !can_cast_types(found, wanted) {
        return Err(misfit());
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let converted = cast_with_options(column, wanted, &options).map_err(|_| misfit())?;
    // Numbers and times are rounded by a cast; what comes back must be what went in.
    let back = cast_with_options(&converted, found, &options).map_err(|_| misfit())?;
    if back.to_data() == column.to_data() { Ok(converted) } else { Err(misfit()) }
}

/// Whether two types hold values of one sort, so that changing between them is no surprise.
fn same_sort(found: &DataType, wanted: &DataType) -> bool {
    let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let bytes = |t: &DataType| {
        matches!(
            t,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
        )
    };
    match (found, wanted) {
        (DataType::Dictionary(_, values), wanted) => **values == *wanted || same_sort(values, wanted),
        (found, DataType::Dictionary(_, values)) => *found == **values || same_sort(found, values),
        (found, wanted) if found.is_numeric() && wanted.is_numeric() => true,
        (DataType::Timestamp(_, a), DataType::Timestamp(_, b)) => a.is_some() == b.is_some(),
        (DataType::Time32(_) | DataType::Time64(_), DataType::Time32(_) | DataType::Time64(_))
        | (DataType::Date32 | DataType::Date64, DataType::Date32 | DataType::Date64)
        | (DataType::Duration(_), DataType::Duration(_)) => true,
        (
            DataType::List(a) | DataType::LargeList(a) | DataType::FixedSizeList(a, _),
            DataType::List(b) | DataType::LargeList(b),
        ) => a.data_type() == b.data_type() || same_sort(a.data_type(), b.data_type()),
        (found, wanted) => (text(found) && text(wanted)) || (bytes(found) && bytes(wanted)),
    }
}

fn changed(message: String, column: &str) -> Error {
    Error::new(Code::SchemaChanged, message)
        .hint("The first batch settles the columns; say them with `schema:` in the stage, or decide with `errors:`")
        .place(column_place(column))
}
