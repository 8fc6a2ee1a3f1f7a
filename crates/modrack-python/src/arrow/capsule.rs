//! The Arrow PyCapsule interface: capsules in and out.
//!
//! What comes in is moved out of its capsule, checked, and only then given to arrow-rs. What goes out shares
//! its buffers with us and is released when its last user lets go.

#![expect(unsafe_code, reason = "capsules hold raw structures of the C data interface")]

use std::ffi::CStr;
use std::ptr::NonNull;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, RecordBatch, RecordBatchIterator, StructArray};
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use modrack_abi::table;
use modrack_core::{Error, Result};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use super::error;

const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";
const STREAM: &CStr = c"arrow_array_stream";

/// A table as it came from another library.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Its columns.
    pub(crate) schema: SchemaRef,
    /// Its rows, in as many batches as its owner keeps them.
    pub(crate) batches: Vec<RecordBatch>,
}

impl Imported {
    /// All rows in one batch; they are copied only if there are several.
    ///
    /// # Errors
    /// [`modrack_core::Code::BadTable`] when they are too many for one.
    pub(crate) fn into_batch(self) -> Result<RecordBatch> {
        concat(&self.schema, &self.batches).map_err(|e| too_large(&e))
    }
}

/// Whether `object` has the interface.
///
/// # Errors
/// What asking for it raised: an object may answer for its attributes itself.
pub(crate) fn is_table(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = object.py();
    Ok(object.hasattr(intern!(py, "__arrow_c_array__"))?
        || object.hasattr(intern!(py, "__arrow_c_stream__"))?)
}

/// Takes the rows of any object that has the interface, without copying them.
///
/// # Errors
/// [`modrack_core::Code::BadTable`] when the object contradicts itself; what its methods raised.
pub(crate) fn import(object: &Bound<'_, PyAny>) -> Result<Imported> {
    let py = object.py();
    let raised = |e: PyErr| crate::failure::error_from_pyerr(py, &e);
    let class = class_of(object);
    if object.hasattr(intern!(py, "__arrow_c_array__")).map_err(raised)? {
        let pair = object.call_method0(intern!(py, "__arrow_c_array__")).map_err(raised)?;
        let pair = pair.cast::<PyTuple>().map_err(|_| error::bad_capsule(&class, "arrow_schema"))?;
        let (Ok(schema), Ok(array)) = (pair.get_item(0), pair.get_item(1)) else {
            return Err(error::bad_capsule(&class, "arrow_array"));
        };
        let schema = read_schema(&schema, &class)?;
        let array = take_array(&array, &class)?;
        let batch = to_batch(array, &schema, &class)?;
        return Ok(Imported { schema: batch.schema(), batches: vec![batch] });
    }
    let capsule = object.call_method0(intern!(py, "__arrow_c_stream__")).map_err(raised)?;
    read_stream(take_stream(&capsule, &class)?, &class)
}

/// A capsule of a table's columns.
pub(super) fn schema_capsule<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(cannot_export)?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}

/// A capsule of a batch's rows.
pub(super) fn array_capsule<'py>(py: Python<'py>, batch: &RecordBatch) -> PyResult<Bound<'py, PyCapsule>> {
    let rows = StructArray::from(batch.clone());
    PyCapsule::new_with_value(py, FFI_ArrowArray::new(&rows.to_data()), ARRAY)
}

/// A capsule of batches that come one after the other.
pub(super) fn stream_capsule<'py>(
    py: Python<'py>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> PyResult<Bound<'py, PyCapsule>> {
    let reader = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
}

fn read_schema(capsule: &Bound<'_, PyAny>, class: &str) -> Result<DataType> {
    let pointer = pointer_in::<FFI_ArrowSchema>(capsule, SCHEMA, class)?;
    // SAFETY: a capsule of this name holds an `ArrowSchema` for as long as it lives, which is until the
    // caller lets go of it; nobody else runs while the interpreter is held.
    let schema = unsafe { pointer.as_ref() };
    data_type(schema, class)
}

fn data_type(schema: &FFI_ArrowSchema, class: &str) -> Result<DataType> {
    table::data_type(schema).map_err(|why| error::refused(class, &why))
}

fn take_array(capsule: &Bound<'_, PyAny>, class: &str) -> Result<FFI_ArrowArray> {
    let pointer = pointer_in::<FFI_ArrowArray>(capsule, ARRAY, class)?;
    // SAFETY: a capsule of this name holds an `ArrowArray`; moving it out marks what stays as released,
    // which is what the interface asks of a consumer.
    let array = unsafe { FFI_ArrowArray::from_raw(pointer.as_ptr()) };
    if array.is_released() { Err(error::taken(class)) } else { Ok(array) }
}

fn take_stream(capsule: &Bound<'_, PyAny>, class: &str) -> Result<FFI_ArrowArrayStream> {
    let pointer = pointer_in::<FFI_ArrowArrayStream>(capsule, STREAM, class)?;
    // SAFETY: a capsule of this name holds an `ArrowArrayStream`; moving it out marks what stays as released.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
    if stream.release().is_none() { Err(error::taken(class)) } else { Ok(stream) }
}

/// The pointer of a capsule that must have the name `name`.
fn pointer_in<T>(capsule: &Bound<'_, PyAny>, name: &'static CStr, class: &str) -> Result<NonNull<T>> {
    let wrong = || error::bad_capsule(class, &name.to_string_lossy());
    let capsule = capsule.cast::<PyCapsule>().map_err(|_| wrong())?;
    let pointer = capsule.pointer_checked(Some(name)).map_err(|_| wrong())?.cast::<T>();
    if pointer.is_aligned() { Ok(pointer) } else { Err(wrong()) }
}

fn read_stream(mut stream: FFI_ArrowArrayStream, class: &str) -> Result<Imported> {
    let (Some(get_schema), Some(get_next)) = (stream.get_schema(), stream.get_next()) else {
        return Err(error::bad_table(class, "its stream lacks what every stream has"));
    };
    let mut schema = FFI_ArrowSchema::empty();
    // SAFETY: the stream was moved to us and is not released; `schema` is empty and ours to be filled.
    let code = unsafe { get_schema(&raw mut stream, &raw mut schema) };
    if code != 0 {
        return Err(error::broken_stream(class, last_error(&mut stream), code));
    }
    let data_type = data_type(&schema, class)?;
    let mut batches = Vec::new();
    loop {
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: as above, for `array`.
        let code = unsafe { get_next(&raw mut stream, &raw mut array) };
        if code != 0 {
            return Err(error::broken_stream(class, last_error(&mut stream), code));
        }
        if array.is_released() {
            return Ok(Imported { schema: schema_of(&data_type, class)?, batches });
        }
        batches.push(to_batch(array, &data_type, class)?);
    }
}

fn last_error(stream: &mut FFI_ArrowArrayStream) -> Option<String> {
    let get_last_error = stream.get_last_error()?;
    // SAFETY: the stream is not released, and its last call failed: only then may it be asked.
    let text = unsafe { get_last_error(std::ptr::from_mut(stream)) };
    // SAFETY: what is not null is a C string that lives until the next call on the stream.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

fn to_batch(array: FFI_ArrowArray, data_type: &DataType, class: &str) -> Result<RecordBatch> {
    table::to_batch(array, data_type).map_err(|why| error::refused(class, &why))
}

fn schema_of(data_type: &DataType, class: &str) -> Result<SchemaRef> {
    table::schema_of(data_type).map_err(|why| error::refused(class, &why))
}

fn cannot_export(error: ArrowError) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(error.to_string())
}

/// The class of an object, as messages name it.
pub(super) fn class_of(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "object".into(), |name| name.to_string())
}

/// Several batches of one schema as one.
pub(super) fn concat(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    match batches {
        [only] => Ok(only.clone()),
        _ => arrow_select::concat::concat_batches(schema, batches),
    }
}

/// The failure of putting batches together: text of more than two gigabytes in one column.
pub(super) fn too_large(error: &ArrowError) -> Error {
    self::error::unfit("table", error)
}
