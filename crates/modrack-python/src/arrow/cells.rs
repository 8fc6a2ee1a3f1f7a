//! One column of a record batch as Python objects, one for each cell.
//!
//! The type of the column is looked at once, when its reader is made; a cell then costs the making of its
//! object and no more. Objects that are dear to make and often repeated are kept for a while.

#![expect(unsafe_code, reason = "objects are made through the C API, one call each")]

use std::ptr::NonNull;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, DecimalType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray, OffsetSizeTrait};
use arrow_buffer::{ArrowNativeType, NullBuffer};
use arrow_schema::{DataType, Fields, TimeUnit};
use modrack_core::{Error, Result};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::{error, moments};

/// A new reference to the object of a cell.
pub(super) type Made = Result<NonNull<ffi::PyObject>>;

/// A column, read cell by cell.
pub(super) trait Cells {
    /// Which cells have no value.
    fn nulls(&self) -> Option<&NullBuffer>;

    /// The object of a cell that has a value.
    fn value(&mut self, py: Python<'_>, at: usize) -> Made;

    /// Puts cells from `first` on under `key` into `rows`, which have `None` there.
    ///
    /// Cells whose object cannot be made stay `None` and are told as failures, by their place in `rows`.
    fn fill(
        &mut self,
        py: Python<'_>,
        key: &Py<PyString>,
        first: usize,
        rows: &[Bound<'_, PyDict>],
    ) -> Vec<(usize, Error)>;
}

/// The reader of a column.
///
/// # Errors
/// [`modrack_core::Code::ValueDoesNotFit`] when its type has no Python values.
pub(super) fn reader(py: Python<'_>, name: &str, array: &ArrayRef) -> Result<Box<dyn Cells>> {
    let none = || error::no_python_type(name, array.data_type());
    let raised = |e: PyErr| crate::failure::error_from_pyerr(py, &e);
    Ok(match array.data_type() {
        DataType::Null => {
            of(array.clone(), |_, _, _| Err(Error::new(modrack_core::Code::Internal, "A null")))
        }
        DataType::Boolean => of(array.as_boolean().clone(), |py, a, i| {
            // SAFETY: the interpreter is held; the answer is a new reference or null.
            unsafe { owned(py, ffi::PyBool_FromLong(i64::from(a.value(i)))) }
        }),
        DataType::Int8 => int::<Int8Type>(array),
        DataType::Int16 => int::<Int16Type>(array),
        DataType::Int32 => int::<Int32Type>(array),
        DataType::Int64 => int::<Int64Type>(array),
        DataType::UInt8 => int::<UInt8Type>(array),
        DataType::UInt16 => int::<UInt16Type>(array),
        DataType::UInt32 => int::<UInt32Type>(array),
        DataType::UInt64 => of(array.as_primitive::<UInt64Type>().clone(), |py, a, i| {
            // SAFETY: the interpreter is held; the answer is a new reference or null.
            unsafe { owned(py, ffi::PyLong_FromUnsignedLongLong(a.value(i))) }
        }),
        DataType::Float16 => {
            of(array.as_primitive::<Float16Type>().clone(), |py, a, i| float(py, a.value(i).to_f64()))
        }
        DataType::Float32 => {
            of(array.as_primitive::<Float32Type>().clone(), |py, a, i| float(py, f64::from(a.value(i))))
        }
        DataType::Float64 => {
            of(array.as_primitive::<Float64Type>().clone(), |py, a, i| float(py, a.value(i)))
        }
        DataType::Utf8 => of(array.as_string::<i32>().clone(), |py, a, i| text(py, a.value(i))),
        DataType::LargeUtf8 => of(array.as_string::<i64>().clone(), |py, a, i| text(py, a.value(i))),
        DataType::Utf8View => of(array.as_string_view().clone(), |py, a, i| text(py, a.value(i))),
        DataType::Binary => of(array.as_binary::<i32>().clone(), |py, a, i| bytes(py, a.value(i))),
        DataType::LargeBinary => of(array.as_binary::<i64>().clone(), |py, a, i| bytes(py, a.value(i))),
        DataType::BinaryView => of(array.as_binary_view().clone(), |py, a, i| bytes(py, a.value(i))),
        DataType::FixedSizeBinary(_) => {
            of(array.as_fixed_size_binary().clone(), |py, a, i| bytes(py, a.value(i)))
        }
        DataType::Date32 => moment::<Date32Type>(array, |py, days| moments::date(py, i64::from(days))),
        DataType::Date64 => {
            moment::<Date64Type>(array, |py, millis| moments::date(py, millis.div_euclid(86_400_000)))
        }
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let per_second = per_second(*unit);
            wide(array, move |py, count| moments::time(py, moments::to_micros(count, per_second)?))?
        }
        DataType::Timestamp(unit, zone) => {
            let per_second = per_second(*unit);
            let zone = zone.as_ref().map(|z| moments::zone(py, z).map(Bound::unbind));
            let zone = zone.transpose().map_err(raised)?;
            wide(array, move |py, count| {
                let micros = moments::to_micros(count, per_second)?;
                moments::datetime(py, micros, zone.as_ref().map(|z| z.bind(py)))
            })?
        }
        DataType::Duration(unit) => {
            let per_second = per_second(*unit);
            wide(array, move |py, count| moments::timedelta(py, moments::to_micros(count, per_second)?))?
        }
        DataType::Decimal32(..) => decimal::<Decimal32Type>(py, array).map_err(raised)?,
        DataType::Decimal64(..) => decimal::<Decimal64Type>(py, array).map_err(raised)?,
        DataType::Decimal128(..) => decimal::<Decimal128Type>(py, array).map_err(raised)?,
        DataType::Decimal256(..) => decimal::<Decimal256Type>(py, array).map_err(raised)?,
        DataType::List(_) => list::<i32>(py, name, array)?,
        DataType::LargeList(_) => list::<i64>(py, name, array)?,
        DataType::FixedSizeList(_, size) => {
            let values = array.as_fixed_size_list();
            let size = usize::try_from(*size).map_err(|_| none())?;
            let mut items = reader(py, name, values.values())?;
            of(values.clone(), move |py, a, i| sequence(py, &mut *items, a.value_offset_at(i), size))
        }
        DataType::Struct(fields) => record(py, name, array, fields)?,
        DataType::Map(..) => mapping(py, name, array)?,
        DataType::Dictionary(keys, _) => match keys.as_ref() {
            DataType::Int8 => dictionary::<Int8Type>(py, name, array)?,
            DataType::Int16 => dictionary::<Int16Type>(py, name, array)?,
            DataType::Int32 => dictionary::<Int32Type>(py, name, array)?,
            DataType::Int64 => dictionary::<Int64Type>(py, name, array)?,
            DataType::UInt8 => dictionary::<UInt8Type>(py, name, array)?,
            DataType::UInt16 => dictionary::<UInt16Type>(py, name, array)?,
            DataType::UInt32 => dictionary::<UInt32Type>(py, name, array)?,
            DataType::UInt64 => dictionary::<UInt64Type>(py, name, array)?,
            _ => return Err(none()),
        },
        _ => return Err(none()),
    })
}

/// A new reference to the object of a cell, `None` where it has no value.
pub(super) fn cell(py: Python<'_>, cells: &mut dyn Cells, at: usize) -> Made {
    if cells.nulls().is_some_and(|nulls| nulls.is_null(at)) {
        return Ok(released(py.None().into_bound(py)));
    }
    cells.value(py, at)
}

/// A column and how an object is made of one of its cells.
struct Of<A, F> {
    array: A,
    nulls: Option<NullBuffer>,
    make: F,
}

fn of<A, F>(array: A, make: F) -> Box<dyn Cells>
where
    A: Array + 'static,
    F: FnMut(Python<'_>, &A, usize) -> Made + 'static,
{
    // A column of type null says that every cell is.
    let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    Box::new(Of { array, nulls, make })
}

impl<A, F> Cells for Of<A, F>
where
    A: Array,
    F: FnMut(Python<'_>, &A, usize) -> Made,
{
    fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    fn value(&mut self, py: Python<'_>, at: usize) -> Made {
        (self.make)(py, &self.array, at)
    }

    fn fill(
        &mut self,
        py: Python<'_>,
        key: &Py<PyString>,
        first: usize,
        rows: &[Bound<'_, PyDict>],
    ) -> Vec<(usize, Error)> {
        let mut failures = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(first + at)) {
                continue;
            }
            match (self.make)(py, &self.array, first + at) {
                // SAFETY: row and key are live objects, the value is a reference of ours that is let go of
                // here. Setting a key of type `str` fails for want of memory only, and leaves the row as it is.
                Ok(value) => unsafe {
                    if ffi::PyDict_SetItem(row.as_ptr(), key.as_ptr(), value.as_ptr()) != 0 {
                        ffi::PyErr_Clear();
                    }
                    ffi::Py_DECREF(value.as_ptr());
                },
                Err(error) => failures.push((at, error)),
            }
        }
        failures
    }
}

fn int<T>(array: &ArrayRef) -> Box<dyn Cells>
where
    T: ArrowPrimitiveType,
    i64: From<T::Native>,
{
    of(array.as_primitive::<T>().clone(), |py, a, i| {
        // SAFETY: the interpreter is held; the answer is a new reference or null.
        unsafe { owned(py, ffi::PyLong_FromLongLong(i64::from(a.value(i)))) }
    })
}

fn float(py: Python<'_>, value: f64) -> Made {
    // SAFETY: the interpreter is held; the answer is a new reference or null.
    unsafe { owned(py, ffi::PyFloat_FromDouble(value)) }
}

fn text(py: Python<'_>, value: &str) -> Made {
    // SAFETY: pointer and length are those of a string; the answer is a new reference or null.
    unsafe { owned(py, ffi::PyUnicode_FromStringAndSize(value.as_ptr().cast(), value.len().cast_signed())) }
}

fn bytes(py: Python<'_>, value: &[u8]) -> Made {
    // SAFETY: pointer and length are those of a slice; the answer is a new reference or null.
    unsafe { owned(py, ffi::PyBytes_FromStringAndSize(value.as_ptr().cast(), value.len().cast_signed())) }
}

/// How many of the last objects of a column are kept, by what they were made of.
const KEPT: usize = 256;

/// A column of objects that are dear to make: one that was made lately is given again.
fn moment<T>(
    array: &ArrayRef,
    make: impl for<'py> Fn(Python<'py>, T::Native) -> Result<Bound<'py, PyAny>> + 'static,
) -> Box<dyn Cells>
where
    T: ArrowPrimitiveType,
    i64: From<T::Native>,
{
    let mut kept: Vec<Option<(T::Native, Py<PyAny>)>> = (0..KEPT).map(|_| None).collect();
    of(array.as_primitive::<T>().clone(), move |py, a, i| {
        let count = a.value(i);
        // Counts of small units end in the same digits: the high half of a product spreads them.
        let spread = i64::from(count).cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let slot = &mut kept[(spread >> 56) as usize];
        match slot {
            Some((of, object)) if *of == count => Ok(released(object.bind(py).clone())),
            _ => {
                let object = make(py, count)?;
                *slot = Some((count, object.clone().unbind()));
                Ok(released(object))
            }
        }
    })
}

/// [`moment`] for the types that come in several units and widths.
fn wide(
    array: &ArrayRef,
    make: impl for<'py> Fn(Python<'py>, i64) -> Result<Bound<'py, PyAny>> + 'static,
) -> Result<Box<dyn Cells>> {
    let as_ints = match array.data_type() {
        DataType::Time32(_) => arrow_cast::cast(array, &DataType::Int32)
            .and_then(|array| arrow_cast::cast(&array, &DataType::Int64)),
        _ => arrow_cast::cast(array, &DataType::Int64),
    };
    let as_ints = as_ints.map_err(|e| error::unfit("column", &e))?;
    Ok(moment::<Int64Type>(&as_ints, make))
}

fn decimal<T: DecimalType>(py: Python<'_>, array: &ArrayRef) -> PyResult<Box<dyn Cells>> {
    let class = py.import("decimal")?.getattr("Decimal")?.unbind();
    Ok(of(array.as_primitive::<T>().clone(), move |py, a, i| {
        let object = class.bind(py).call1((a.value_as_string(i),));
        object.map(released).map_err(|e| crate::failure::error_from_pyerr(py, &e))
    }))
}

fn list<O: OffsetSizeTrait>(py: Python<'_>, name: &str, array: &ArrayRef) -> Result<Box<dyn Cells>> {
    let mut items = reader(py, name, array.as_list::<O>().values())?;
    Ok(of(array.as_list::<O>().clone(), move |py, a, i| {
        let first = a.value_offsets()[i].as_usize();
        sequence(py, &mut *items, first, a.value_length(i).as_usize())
    }))
}

/// A Python list of some cells.
fn sequence(py: Python<'_>, items: &mut dyn Cells, first: usize, count: usize) -> Made {
    // SAFETY: the interpreter is held; the answer is a new reference or null.
    let list = unsafe { owned(py, ffi::PyList_New(count.cast_signed()))? };
    for at in 0..count {
        match cell(py, items, first + at) {
            // SAFETY: the list is new, ours alone, and has `count` free places; it takes the reference over.
            Ok(item) => unsafe {
                ffi::PyList_SetItem(list.as_ptr(), at.cast_signed(), item.as_ptr());
            },
            Err(error) => {
                // SAFETY: the reference is ours; places that are still free are allowed to be.
                unsafe { ffi::Py_DECREF(list.as_ptr()) };
                return Err(error);
            }
        }
    }
    Ok(list)
}

fn record(py: Python<'_>, name: &str, array: &ArrayRef, fields: &Fields) -> Result<Box<dyn Cells>> {
    let rows = array.as_struct();
    let mut parts = Vec::with_capacity(fields.len());
    for (field, column) in fields.iter().zip(rows.columns()) {
        let key = PyString::intern(py, field.name()).unbind();
        parts.push((key, reader(py, &format!("{name}.{}", field.name()), column)?));
    }
    Ok(of(rows.clone(), move |py, _, i| {
        let dict = PyDict::new(py);
        for (key, cells) in &mut parts {
            let value = bound(py, cell(py, &mut **cells, i)?);
            dict.set_item(&*key, value).map_err(|e| crate::failure::error_from_pyerr(py, &e))?;
        }
        Ok(released(dict.into_any()))
    }))
}

fn mapping(py: Python<'_>, name: &str, array: &ArrayRef) -> Result<Box<dyn Cells>> {
    let rows = array.as_map();
    let mut keys = reader(py, name, rows.keys())?;
    let mut values = reader(py, name, rows.values())?;
    Ok(of(rows.clone(), move |py, a, i| {
        let dict = PyDict::new(py);
        let first = a.value_offsets()[i].as_usize();
        for at in first..first + a.value_length(i).as_usize() {
            let key = bound(py, cell(py, &mut *keys, at)?);
            let value = bound(py, cell(py, &mut *values, at)?);
            dict.set_item(key, value).map_err(|e| crate::failure::error_from_pyerr(py, &e))?;
        }
        Ok(released(dict.into_any()))
    }))
}

/// A column that names its values by number: each value is made once, unless who has it could change it.
fn dictionary<K: ArrowDictionaryKeyType>(
    py: Python<'_>,
    name: &str,
    array: &ArrayRef,
) -> Result<Box<dyn Cells>> {
    let column: DictionaryArray<K> = array.as_dictionary::<K>().clone();
    let mut values = reader(py, name, column.values())?;
    let mut made: Vec<Option<Py<PyAny>>> = (0..column.values().len()).map(|_| None).collect();
    let can_be_changed = column.values().data_type().is_nested();
    Ok(of(column, move |py, a, i| {
        let key = a.keys().value(i).as_usize();
        if can_be_changed {
            return cell(py, &mut *values, key);
        }
        if let Some(object) = &made[key] {
            return Ok(released(object.bind(py).clone()));
        }
        let object = bound(py, cell(py, &mut *values, key)?);
        made[key] = Some(object.clone().unbind());
        Ok(released(object))
    }))
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A new reference as the C API gave it, or what it raised.
///
/// # Safety
/// `pointer` is null with an exception set, or a reference that the caller owns.
unsafe fn owned(py: Python<'_>, pointer: *mut ffi::PyObject) -> Made {
    NonNull::new(pointer).ok_or_else(|| crate::failure::error_from_pyerr(py, &PyErr::fetch(py)))
}

fn released(object: Bound<'_, PyAny>) -> NonNull<ffi::PyObject> {
    // SAFETY: the pointer of an object is never null.
    unsafe { NonNull::new_unchecked(object.into_ptr()) }
}

/// Takes a cell's reference over.
pub(super) fn bound(py: Python<'_>, made: NonNull<ffi::PyObject>) -> Bound<'_, PyAny> {
    // SAFETY: what makes cells gives references away.
    unsafe { Bound::from_owned_ptr(py, made.as_ptr()) }
}
