//! Tables of other libraries as record batches: moved, checked, and only then believed. Nothing is copied.
//!
//! Host and modules take tables in the same way, whatever interface they came by.

use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;
use std::{fmt, format};

use arrow_array::cast::AsArray;
use arrow_array::ffi::from_ffi_and_data_type;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StructArray, make_array};
use arrow_data::ArrayData;
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

mod check;
mod memory;

pub use memory::is_mapped;

/// Why a table cannot be taken.
#[derive(Debug)]
pub enum Refusal {
    /// It contradicts itself, in words that go on after what it is called.
    Lie(String),
    /// The Arrow crates have no use for it.
    Unfit(ArrowError),
    /// It is a column of this type, not rows of columns.
    NotRows(DataType),
}

/// The type that a schema says.
///
/// # Errors
/// A schema that cannot be read.
pub fn data_type(schema: &FFI_ArrowSchema) -> Result<DataType, Refusal> {
    check::schema(schema).map_err(Refusal::Lie)?;
    DataType::try_from(schema).map_err(Refusal::Unfit)
}

/// Takes an array of rows over as a batch. The array must not be released.
///
/// # Errors
/// Rows that are not what `data_type` says, or claim memory that is not there.
pub fn to_batch(array: FFI_ArrowArray, data_type: &DataType) -> Result<RecordBatch, Refusal> {
    let schema = schema_of(data_type)?;
    check::array(&array, data_type).map_err(Refusal::Lie)?;
    #[expect(unsafe_code, reason = "the C data interface is read through raw pointers")]
    // SAFETY: the array has the buffers and children that its type asks for, in mapped memory; the order of
    // its offsets, its text and its keys are checked next, before anything reads by them.
    let data = unsafe { from_ffi_and_data_type(array, data_type.clone()) };
    let data = data.map_err(Refusal::Unfit)?;
    data.validate_full().map_err(|e| Refusal::Lie(said(&e)))?;
    if data.null_count() > 0 {
        return Err(Refusal::Lie("some of its rows are null as a whole".into()));
    }
    let rows = StructArray::from(data);
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let (_, columns, _) = rows.into_parts();
    let columns = columns.iter().map(with_own_nulls).collect::<Result<_, _>>().map_err(Refusal::Unfit)?;
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(Refusal::Unfit)
}

/// The columns of a table, all of them such as may be null: what is known of one batch is not promised of
/// the next.
///
/// # Errors
/// What is not rows, and two columns of one name.
pub fn schema_of(data_type: &DataType) -> Result<SchemaRef, Refusal> {
    let DataType::Struct(fields) = data_type else {
        return Err(Refusal::NotRows(data_type.clone()));
    };
    let fields: Vec<Field> = fields.iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    for (at, field) in fields.iter().enumerate() {
        if fields[..at].iter().any(|f| f.name() == field.name()) {
            return Err(Refusal::Lie(format!("two of its columns are called `{}`", field.name())));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// A batch as the two structures by which it is handed over. Its buffers are shared, not copied.
///
/// # Errors
/// A type that the interface has no form for.
pub fn from_batch(batch: &RecordBatch) -> Result<(FFI_ArrowSchema, FFI_ArrowArray), ArrowError> {
    let schema = FFI_ArrowSchema::try_from(batch.schema().as_ref())?;
    let rows = StructArray::from(batch.clone());
    Ok((schema, FFI_ArrowArray::new(&rows.to_data())))
}

/// A column that says itself which of its cells have no value: a dictionary may leave that to its values, which
/// not all who read or write columns look at. So do dictionaries within it.
fn with_own_nulls(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match has_dictionary(column.data_type()) {
        true => Ok(make_array(data_with_own_nulls(column.to_data())?)),
        false => Ok(Arc::clone(column)),
    }
}

fn data_with_own_nulls(data: ArrayData) -> Result<ArrayData, ArrowError> {
    if !has_dictionary(data.data_type()) {
        return Ok(data);
    }
    let parts: Result<Vec<_>, _> = data.child_data().iter().cloned().map(data_with_own_nulls).collect();
    let data = data.into_builder().child_data(parts?).build()?;
    let column = make_array(data.clone());
    match column.as_any_dictionary_opt() {
        Some(dictionary) if dictionary.values().null_count() > 0 => {
            data.into_builder().nulls(column.logical_nulls()).build()
        }
        _ => Ok(data),
    }
}

/// Whether a column of this type has dictionaries in it.
fn has_dictionary(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(..) => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::Map(field, _) => has_dictionary(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_dictionary(field.data_type())),
        _ => false,
    }
}

/// What an error of arrow-rs says, without the words in which it says of what sort it is.
fn said(error: &ArrowError) -> String {
    match error {
        ArrowError::InvalidArgumentError(text) | ArrowError::CDataInterface(text) => text.clone(),
        other => other.to_string(),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lie(lie) => f.write_str(lie),
            Self::Unfit(error) => write!(f, "it cannot be taken: {error}"),
            Self::NotRows(data_type) => write!(f, "it is a column of {data_type}, not rows of columns"),
        }
    }
}

impl std::error::Error for Refusal {}
