//! Batches brought to columns that are settled, where that loses nothing.
//!
//! A cast counts as lossless when casting back gives the same value; whatever does not come back is told
//! with its row. Columns are matched by name.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Schema, SchemaRef};
use modrack_core::{Error, Result};

use crate::error;
use crate::rows::exact_cast;
use crate::source::{same_values, type_words};

/// A batch in its new columns; the rows that do not fit are null in part and are to be taken out.
pub(crate) struct Conformed {
    /// As many rows as were given.
    pub(crate) batch: RecordBatch,
    /// The rows that do not fit, by their place, each once and in order.
    pub(crate) misfits: Vec<(usize, Error)>,
}

/// Brings `batch` to the columns of `schema`.
///
/// # Errors
/// A batch that Arrow cannot hold.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<Conformed> {
    let rows = batch.num_rows();
    let none_fits = |why: Error| {
        let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
        let batch = assemble(&crate::rows::all_nullable(schema), columns, rows)?;
        Ok(Conformed { batch, misfits: (0..rows).map(|row| (row, why.clone())).collect() })
    };
    let has = batch.schema();
    if let Some(extra) = has.fields().iter().find(|field| schema.field_with_name(field.name()).is_err()) {
        let why = format!("The rows have a column `{}` that the settled columns lack", extra.name());
        return none_fits(error::misfit(why));
    }
    let mut misfits: Vec<Option<Error>> = vec![None; rows];
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = field.name();
        let Some(column) = batch.column_by_name(name) else {
            let why = format!("The rows lack the column `{name}` of the settled columns");
            return none_fits(error::misfit(why));
        };
        let (from, to) = (column.data_type(), field.data_type());
        let wrong = || {
            let (was, is) = (type_words(to), type_words(from));
            error::misfit(format!("Column `{name}` was {was}, and now it is {is}"))
        };
        let made = if from == to {
            column.clone()
        } else if *from == DataType::Null {
            new_null_array(to, rows)
        } else if !can_be_lossless(from, to) {
            return none_fits(wrong());
        } else {
            let Some((made, fits)) = round_trip(column, to) else { return none_fits(wrong()) };
            for (row, fits) in fits.into_iter().enumerate() {
                if !fits {
                    let value = shown(column, row);
                    misfits[row].get_or_insert_with(|| {
                        error::misfit(format!(
                            "Column `{name}` is {}, and here it is `{value}`",
                            type_words(to)
                        ))
                    });
                }
            }
            made
        };
        if !field.is_nullable() && made.null_count() > 0 {
            for row in (0..rows).filter(|&row| made.is_null(row)) {
                misfits[row].get_or_insert_with(|| {
                    error::misfit(format!("Column `{name}` must have a value, and has none"))
                });
            }
        }
        columns.push(made);
    }
    let misfits: Vec<_> =
        misfits.into_iter().enumerate().filter_map(|(row, why)| Some((row, why?))).collect();
    let made = if misfits.is_empty() { schema.clone() } else { crate::rows::all_nullable(schema) };
    Ok(Conformed { batch: assemble(&made, columns, rows)?, misfits })
}

/// Whether `from` and `to` are of one sort, so that some values of one have the same meaning in the other.
pub(crate) fn can_be_lossless(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Date32, Date64, Dictionary, LargeBinary, LargeList, LargeUtf8, List, Timestamp,
    };
    use DataType::{Utf8, Utf8View};
    let number = |ty: &DataType| ty.is_integer() || ty.is_floating() || ty.is_decimal();
    let text = |ty: &DataType| matches!(ty, Utf8 | LargeUtf8 | Utf8View);
    let bytes = |ty: &DataType| matches!(ty, Binary | LargeBinary | BinaryView);
    let date = |ty: &DataType| matches!(ty, Date32 | Date64);
    match (from, to) {
        (Dictionary(_, from), to) => **from == *to || can_be_lossless(from, to),
        (from, Dictionary(_, to)) => *from == **to || can_be_lossless(from, to),
        (Timestamp(_, from), Timestamp(_, to)) => from.is_some() == to.is_some(),
        (List(from) | LargeList(from), List(to) | LargeList(to)) => {
            from.data_type() == to.data_type() || can_be_lossless(from.data_type(), to.data_type())
        }
        (DataType::Null, _) => true,
        _ => [number, text, bytes, date].iter().any(|sort: &fn(&DataType) -> bool| sort(from) && sort(to)),
    }
}

/// Casts there and back, and says for each row whether it came back.
fn round_trip(column: &ArrayRef, to: &DataType) -> Option<(ArrayRef, Vec<bool>)> {
    let made = exact_cast(column, to).ok()?;
    let plain = match column.data_type() {
        DataType::Dictionary(_, ty) => exact_cast(column, ty).ok()?,
        _ => column.clone(),
    };
    let back = exact_cast(&made, plain.data_type()).ok()?;
    let fits = match same_values(&*plain, &*back) {
        Some(same) => same.iter().map(|same| same == Some(true)).collect(),
        None => (0..plain.len())
            .map(|row| plain.slice(row, 1).to_data() == back.slice(row, 1).to_data())
            .collect(),
    };
    Some((made, fits))
}

fn shown(column: &ArrayRef, row: usize) -> String {
    let column = crate::zones::showable(&column.slice(row, 1));
    column
        .ok()
        .and_then(|column| arrow_cast::display::array_value_to_string(&column, 0).ok())
        .unwrap_or_default()
}

fn assemble(schema: &Arc<Schema>, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let count = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &count)
        .map_err(|why| error::arrow("bringing a batch to its columns", &why))
}
