//! Time zones by name, for what can only reckon with offsets.
//!
//! A point in time is the same whatever zone it is labelled with. Text shows it in UTC, because the tables of
//! the zones are not linked; columns keep their label wherever they stay columns.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use modrack_core::Result;

use crate::error;

/// The offset that stands for every zone that is named.
const UTC: &str = "+00:00";

/// The type with offsets in place of named zones; none when it has no named zone.
pub(crate) fn by_offset(ty: &DataType) -> Option<DataType> {
    let inner = |field: &FieldRef| -> Option<FieldRef> {
        let ty = by_offset(field.data_type())?;
        Some(Arc::new(field.as_ref().clone().with_data_type(ty)))
    };
    Some(match ty {
        DataType::Timestamp(unit, Some(zone)) if !zone.starts_with(['+', '-']) => {
            DataType::Timestamp(*unit, Some(UTC.into()))
        }
        DataType::List(field) => DataType::List(inner(field)?),
        DataType::LargeList(field) => DataType::LargeList(inner(field)?),
        DataType::FixedSizeList(field, length) => DataType::FixedSizeList(inner(field)?, *length),
        DataType::Map(field, sorted) => DataType::Map(inner(field)?, *sorted),
        DataType::Dictionary(key, value) => DataType::Dictionary(key.clone(), Box::new(by_offset(value)?)),
        DataType::Struct(fields) => {
            if !fields.iter().any(|field| by_offset(field.data_type()).is_some()) {
                return None;
            }
            let fields: Fields =
                fields.iter().map(|field| inner(field).unwrap_or_else(|| field.clone())).collect();
            DataType::Struct(fields)
        }
        _ => return None,
    })
}

/// A column whose points in time can be shown as text.
///
/// # Errors
/// A column that Arrow cannot hold.
pub(crate) fn showable(column: &ArrayRef) -> Result<ArrayRef> {
    match by_offset(column.data_type()) {
        Some(ty) => cast(column, &ty).map_err(|why| error::arrow("showing points in time", &why)),
        None => Ok(column.clone()),
    }
}

/// A batch whose points in time can be shown as text.
///
/// # Errors
/// A column that Arrow cannot hold.
pub(crate) fn showable_batch(batch: &RecordBatch) -> Result<RecordBatch> {
    if batch.columns().iter().all(|column| by_offset(column.data_type()).is_none()) {
        return Ok(batch.clone());
    }
    let columns = batch.columns().iter().map(showable).collect::<Result<Vec<_>>>()?;
    let fields: Vec<Field> = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()))
        .collect();
    let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &count)
        .map_err(|why| error::arrow("showing points in time", &why))
}
