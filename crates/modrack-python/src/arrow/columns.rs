//! One column that is written object by object.
//!
//! Objects of exactly the expected class go a short way: a look at the class, one call of the C API, one push.
//! Everything else (subclasses, numpy's numbers, pandas' words for nothing) goes round by `odd`. What does not
//! fit leaves the column to be cut back by its owner.

#![expect(unsafe_code, reason = "objects are read through the C API, one call each")]

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray,
    Float64Array, Int64Array, ListArray, MapArray, NullArray, StringArray, StructArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DECIMAL128_MAX_PRECISION, DataType, FieldRef, Fields, TimeUnit};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::moments;
use crate::modules;

/// An object that does not fit its column. Why is found out afterwards, by who tells it.
#[derive(Debug)]
pub(super) struct NoFit;

/// A column under construction.
pub(super) struct Column {
    values: Values,
    valid: NullBufferBuilder,
}

enum Values {
    Null,
    Bool(BooleanBufferBuilder),
    Int(Vec<i64>),
    UInt(Vec<u64>),
    Float(Vec<f64>),
    Text(Pieces),
    Bytes(Pieces),
    Date(Vec<i32>),
    Time(Vec<i64>),
    Timestamp(Vec<i64>, Option<Arc<str>>, Recent),
    Duration(Vec<i64>),
    Decimal(Vec<i128>, u8, i8),
    List(FieldRef, Vec<i32>, Box<Column>),
    Record(Fields, Vec<(Py<PyString>, Column)>),
    Map(FieldRef, Vec<i32>, Box<(Column, Column)>),
}

/// Bytes of many values in one piece.
#[derive(Default)]
struct Pieces {
    ends: Vec<i32>,
    data: Vec<u8>,
}

/// Objects whose reading is dear, with what was read: rows often share one object.
struct Recent(Vec<Option<(Py<PyAny>, i64)>>);

impl Column {
    /// An empty column of `data_type`; none when objects cannot be written as that.
    pub(super) fn new(data_type: &DataType) -> Option<Self> {
        let values = match data_type {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Bool(BooleanBufferBuilder::new(0)),
            DataType::Int64 => Values::Int(Vec::new()),
            DataType::UInt64 => Values::UInt(Vec::new()),
            DataType::Float64 => Values::Float(Vec::new()),
            DataType::Utf8 => Values::Text(Pieces::default()),
            DataType::Binary => Values::Bytes(Pieces::default()),
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Time64(TimeUnit::Microsecond) => Values::Time(Vec::new()),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                Values::Timestamp(Vec::new(), zone.clone(), Recent::new())
            }
            DataType::Duration(TimeUnit::Microsecond) => Values::Duration(Vec::new()),
            DataType::Decimal128(precision, scale) => Values::Decimal(Vec::new(), *precision, *scale),
            DataType::List(field) => {
                Values::List(field.clone(), vec![0], Box::new(Self::new(field.data_type())?))
            }
            DataType::Struct(fields) => {
                let parts = fields.iter().map(|field| {
                    let key = Python::attach(|py| PyString::intern(py, field.name()).unbind());
                    Some((key, Self::new(field.data_type())?))
                });
                Values::Record(fields.clone(), parts.collect::<Option<Vec<_>>>()?)
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(pair) = entries.data_type() else { return None };
                let columns = (Self::new(pair.first()?.data_type())?, Self::new(pair.get(1)?.data_type())?);
                Values::Map(entries.clone(), vec![0], Box::new(columns))
            }
            _ => return None,
        };
        Some(Self { values, valid: NullBufferBuilder::new(0) })
    }

    /// How many values it has.
    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    /// How many bytes of text it holds, as far as that can become too many.
    pub(super) fn bytes(&self) -> usize {
        match &self.values {
            Values::Text(pieces) | Values::Bytes(pieces) => pieces.data.len(),
            Values::List(_, _, items) => items.bytes(),
            Values::Record(_, parts) => parts.iter().map(|(_, part)| part.bytes()).sum(),
            Values::Map(_, _, pair) => pair.0.bytes() + pair.1.bytes(),
            _ => 0,
        }
    }

    /// Adds no value.
    pub(super) fn push_null(&mut self) {
        match &mut self.values {
            Values::Null => {}
            Values::Bool(bits) => bits.append(false),
            Values::Int(values)
            | Values::Time(values)
            | Values::Timestamp(values, ..)
            | Values::Duration(values) => values.push(0),
            Values::UInt(values) => values.push(0),
            Values::Float(values) => values.push(0.0),
            Values::Text(pieces) | Values::Bytes(pieces) => pieces.ends.push(pieces.end()),
            Values::Date(values) => values.push(0),
            Values::Decimal(values, ..) => values.push(0),
            Values::List(_, ends, _) | Values::Map(_, ends, _) => {
                ends.push(ends.last().copied().unwrap_or(0));
            }
            Values::Record(_, parts) => parts.iter_mut().for_each(|(_, part)| part.push_null()),
        }
        self.valid.append_null();
    }

    /// Adds a value. After [`NoFit`] the column must be cut back to what it was.
    ///
    /// `value` must be a live object.
    #[inline]
    pub(super) fn push(&mut self, py: Python<'_>, value: *mut ffi::PyObject) -> Result<(), NoFit> {
        // SAFETY: the value is live and the interpreter is held; the calls take objects of exactly the class
        // that was looked at, and give borrowed or plain data.
        unsafe {
            if value == ffi::Py_None() {
                self.push_null();
                return Ok(());
            }
            let class = ffi::Py_TYPE(value);
            match &mut self.values {
                Values::Int(values) if class == &raw mut ffi::PyLong_Type => {
                    let mut overflow = 0;
                    let int = ffi::PyLong_AsLongLongAndOverflow(value, &raw mut overflow);
                    if overflow != 0 {
                        return Err(NoFit);
                    }
                    values.push(int);
                }
                Values::Float(values) if class == &raw mut ffi::PyFloat_Type => {
                    values.push(ffi::PyFloat_AsDouble(value));
                }
                Values::Text(pieces) if class == &raw mut ffi::PyUnicode_Type => {
                    let mut len = 0;
                    let start = ffi::PyUnicode_AsUTF8AndSize(value, &raw mut len);
                    if start.is_null() {
                        ffi::PyErr_Clear();
                        return Err(NoFit);
                    }
                    pieces.push(std::slice::from_raw_parts(start.cast(), len.cast_unsigned()))?;
                }
                Values::Bool(bits) if class == &raw mut ffi::PyBool_Type => {
                    bits.append(value == ffi::Py_True());
                }
                _ => {
                    let value = Bound::from_borrowed_ptr(py, value);
                    return self.odd(&value);
                }
            }
        }
        self.valid.append_non_null();
        Ok(())
    }

    /// Adds a value that is not of the plainest class for this column.
    #[cold]
    fn odd(&mut self, value: &Bound<'_, PyAny>) -> Result<(), NoFit> {
        if is_nothing(value) {
            self.push_null();
            return Ok(());
        }
        let read = |read: PyResult<i64>| read.map_err(|_| NoFit);
        match &mut self.values {
            Values::Null => return Err(NoFit),
            Values::Bool(bits) => bits.append(as_bool(value).ok_or(NoFit)?),
            Values::Int(values) => values.push(as_int(value).ok_or(NoFit)?.extract().map_err(|_| NoFit)?),
            Values::UInt(values) => values.push(as_int(value).ok_or(NoFit)?.extract().map_err(|_| NoFit)?),
            Values::Float(values) => values.push(as_float(value).ok_or(NoFit)?),
            Values::Text(pieces) => {
                let text = value.cast::<PyString>().map_err(|_| NoFit)?.to_str().map_err(|_| NoFit)?;
                pieces.push(text.as_bytes())?;
            }
            Values::Bytes(pieces) => pieces.push(&as_bytes(value).ok_or(NoFit)?)?,
            Values::Date(values) => {
                let days = is_moment(value, |c| &c.date) && !is_moment(value, |c| &c.datetime);
                let days = if days { read(moments::days_of(value))? } else { return Err(NoFit) };
                values.push(i32::try_from(days).map_err(|_| NoFit)?);
            }
            Values::Time(values) => {
                let plain =
                    is_moment(value, |c| &c.time) && value.getattr("tzinfo").is_ok_and(|zone| zone.is_none());
                values.push(if plain { read(moments::clock_of(value))? } else { return Err(NoFit) });
            }
            Values::Timestamp(values, zone, recent) => {
                values.push(recent.micros(value, zone.is_some())?);
            }
            Values::Duration(values) => {
                let fits = is_moment(value, |c| &c.timedelta);
                values.push(if fits { read(moments::duration_of(value))? } else { return Err(NoFit) });
            }
            Values::Decimal(values, precision, scale) => {
                values.push(as_decimal(value, *precision, *scale).ok_or(NoFit)?);
            }
            Values::List(_, ends, items) => {
                items.push_all(value)?;
                ends.push(i32::try_from(items.len()).map_err(|_| NoFit)?);
            }
            Values::Record(_, parts) => push_record(parts, value.cast().map_err(|_| NoFit)?)?,
            Values::Map(_, ends, pair) => {
                for (key, item) in value.cast::<PyDict>().map_err(|_| NoFit)? {
                    if key.is_none() || is_nothing(&key) {
                        return Err(NoFit);
                    }
                    pair.0.push(value.py(), key.as_ptr())?;
                    pair.1.push(value.py(), item.as_ptr())?;
                }
                ends.push(i32::try_from(pair.0.len()).map_err(|_| NoFit)?);
            }
        }
        self.valid.append_non_null();
        Ok(())
    }

    /// Adds every item of a list or tuple.
    fn push_all(&mut self, value: &Bound<'_, PyAny>) -> Result<(), NoFit> {
        if let Ok(list) = value.cast::<PyList>() {
            return list.iter().try_for_each(|item| self.push(value.py(), item.as_ptr()));
        }
        let tuple = value.cast::<PyTuple>().map_err(|_| NoFit)?;
        tuple.iter().try_for_each(|item| self.push(value.py(), item.as_ptr()))
    }

    /// Cuts the column back to its first `len` values.
    pub(super) fn truncate(&mut self, len: usize) {
        match &mut self.values {
            Values::Null => {}
            Values::Bool(bits) => bits.truncate(len),
            Values::Int(values)
            | Values::Time(values)
            | Values::Timestamp(values, ..)
            | Values::Duration(values) => values.truncate(len),
            Values::UInt(values) => values.truncate(len),
            Values::Float(values) => values.truncate(len),
            Values::Text(pieces) | Values::Bytes(pieces) => {
                pieces.ends.truncate(len);
                let end = usize::try_from(pieces.end()).unwrap_or(0);
                pieces.data.truncate(end);
            }
            Values::Date(values) => values.truncate(len),
            Values::Decimal(values, ..) => values.truncate(len),
            Values::List(_, ends, items) => {
                ends.truncate(len + 1);
                items.truncate(last(ends));
            }
            Values::Record(_, parts) => parts.iter_mut().for_each(|(_, part)| part.truncate(len)),
            Values::Map(_, ends, pair) => {
                ends.truncate(len + 1);
                pair.0.truncate(last(ends));
                pair.1.truncate(last(ends));
            }
        }
        if self.valid.len() > len {
            self.valid.truncate(len);
        }
    }

    /// The column as an array; it is empty afterwards.
    ///
    /// # Errors
    /// What arrow-rs finds wrong with it.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let len = self.valid.len();
        let nulls = self.valid.finish();
        Ok(match &mut self.values {
            Values::Null => Arc::new(NullArray::new(len)),
            Values::Bool(bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            Values::Int(values) => Arc::new(Int64Array::try_new(taken(values), nulls)?),
            Values::UInt(values) => Arc::new(UInt64Array::try_new(taken(values), nulls)?),
            Values::Float(values) => Arc::new(Float64Array::try_new(taken(values), nulls)?),
            Values::Text(pieces) => {
                let (ends, data) = pieces.take();
                Arc::new(StringArray::try_new(ends, data, nulls)?)
            }
            Values::Bytes(pieces) => {
                let (ends, data) = pieces.take();
                Arc::new(BinaryArray::try_new(ends, data, nulls)?)
            }
            Values::Date(values) => Arc::new(Date32Array::try_new(taken(values), nulls)?),
            Values::Time(values) => Arc::new(Time64MicrosecondArray::try_new(taken(values), nulls)?),
            Values::Timestamp(values, zone, _) => Arc::new(
                TimestampMicrosecondArray::try_new(taken(values), nulls)?.with_timezone_opt(zone.clone()),
            ),
            Values::Duration(values) => Arc::new(DurationMicrosecondArray::try_new(taken(values), nulls)?),
            Values::Decimal(values, precision, scale) => Arc::new(
                Decimal128Array::try_new(taken(values), nulls)?
                    .with_precision_and_scale(*precision, *scale)?,
            ),
            Values::List(field, ends, items) => {
                let ends = std::mem::replace(ends, vec![0]);
                let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(ListArray::try_new(field.clone(), ends, items.finish()?, nulls)?)
            }
            Values::Record(fields, parts) => {
                let columns = parts.iter_mut().map(|(_, part)| part.finish()).collect::<Result<_, _>>()?;
                Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, len)?)
            }
            Values::Map(entries, ends, pair) => {
                let ends = std::mem::replace(ends, vec![0]);
                let DataType::Struct(fields) = entries.data_type().clone() else {
                    return Err(ArrowError::SchemaError("a map of no pairs".into()));
                };
                let columns = vec![pair.0.finish()?, pair.1.finish()?];
                let pairs = StructArray::try_new(fields, columns, None)?;
                let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(MapArray::try_new(entries.clone(), ends, pairs, nulls, false)?)
            }
        })
    }
}

impl Pieces {
    fn end(&self) -> i32 {
        self.ends.last().copied().unwrap_or(0)
    }

    #[inline]
    fn push(&mut self, piece: &[u8]) -> Result<(), NoFit> {
        let end = i32::try_from(self.data.len() + piece.len()).map_err(|_| NoFit)?;
        self.data.extend_from_slice(piece);
        self.ends.push(end);
        Ok(())
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        let room = self.data.len();
        let data = std::mem::replace(&mut self.data, Vec::with_capacity(room));
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(data))
    }
}

impl Recent {
    fn new() -> Self {
        Self((0..256).map(|_| None).collect())
    }

    /// The microseconds of a `datetime`, which must know its zone exactly when the column has one.
    fn micros(&mut self, value: &Bound<'_, PyAny>, zoned: bool) -> Result<i64, NoFit> {
        // Objects lie at multiples of 16 and often at neighbouring ones.
        let at = (value.as_ptr().addr() >> 4) % self.0.len();
        if let Some((object, micros)) = &self.0[at]
            && object.is(value)
        {
            return Ok(*micros);
        }
        if !is_moment(value, |c| &c.datetime) {
            return Err(NoFit);
        }
        // pandas counts nanoseconds, which would be cut off.
        if value.getattr("nanosecond").and_then(|n| n.extract::<i64>()).is_ok_and(|nanos| nanos != 0) {
            return Err(NoFit);
        }
        let (micros, knows_zone) = moments::micros_of(value).map_err(|_| NoFit)?;
        if knows_zone != zoned {
            return Err(NoFit);
        }
        self.0[at] = Some((value.clone().unbind(), micros));
        Ok(micros)
    }
}

/// Whether a value is one of pandas' words for nothing.
pub(super) fn is_nothing(value: &Bound<'_, PyAny>) -> bool {
    let class = value.get_type();
    class.name().is_ok_and(|name| name == "NAType" || name == "NaTType")
        && class.module().is_ok_and(|module| module.to_string().starts_with("pandas."))
}

/// A truth value: Python's own, or numpy's.
pub(super) fn as_bool(value: &Bound<'_, PyAny>) -> Option<bool> {
    if value.is_instance_of::<pyo3::types::PyBool>()
        || (is_numpy(value) && class_is(value, &["bool", "bool_"]))
    {
        return value.is_truthy().ok();
    }
    None
}

/// A whole number that is not a truth value: Python's own, or one that can stand as an index (numpy's).
pub(super) fn as_int<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    if as_bool(value).is_some() {
        return None;
    }
    if value.is_instance_of::<pyo3::types::PyInt>() {
        return Some(value.clone());
    }
    // SAFETY: the value is live and the interpreter is held; the answer is a new reference or null.
    let index = unsafe {
        if ffi::PyIndex_Check(value.as_ptr()) == 0 {
            return None;
        }
        Bound::from_owned_ptr_or_opt(value.py(), ffi::PyNumber_Index(value.as_ptr()))
    };
    if index.is_none() {
        drop(PyErr::take(value.py()));
    }
    index
}

/// A number that a float holds exactly.
pub(super) fn as_float(value: &Bound<'_, PyAny>) -> Option<f64> {
    if value.is_instance_of::<pyo3::types::PyFloat>()
        || (is_numpy(value) && class_is(value, &["float16", "float32", "float64"]))
    {
        return value.extract().ok();
    }
    let int: i64 = as_int(value)?.extract().ok()?;
    let float = int as f64;
    (float as i128 == i128::from(int)).then_some(float)
}

fn as_bytes(value: &Bound<'_, PyAny>) -> Option<Vec<u8>> {
    use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Some(bytes.as_bytes().to_vec());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Some(bytes.to_vec());
    }
    let view = value.cast::<PyMemoryView>().ok()?;
    view.call_method0("tobytes").ok()?.cast::<PyBytes>().ok().map(|bytes| bytes.as_bytes().to_vec())
}

/// A `Decimal` or whole number as so many units of 10 to the power of minus `scale`.
fn as_decimal(value: &Bound<'_, PyAny>, precision: u8, scale: i8) -> Option<i128> {
    let most = 10_u128.checked_pow(u32::from(precision))?;
    let fits = |units: i128| (units.unsigned_abs() < most).then_some(units);
    if let Some(int) = as_int(value) {
        let unit = 10_i128.checked_pow(u32::try_from(scale).ok()?)?;
        return fits(int.extract::<i128>().ok()?.checked_mul(unit)?);
    }
    if !is_decimal(value) {
        return None;
    }
    let ask = |name: &str| value.call_method0(name).ok();
    if !ask("is_finite")?.is_truthy().ok()? {
        return None;
    }
    if !value.is_truthy().ok()? {
        return Some(0);
    }
    // Written out, a number has as many digits as its exponent says: only those are written that can fit.
    let place: i64 = ask("adjusted")?.extract().ok()?;
    if place.unsigned_abs() > u64::from(DECIMAL128_MAX_PRECISION) {
        return None;
    }
    let builtins = modules::get(value.py(), intern!(value.py(), "builtins")).ok()?;
    let text: String = builtins.getattr("format").ok()?.call1((value, "f")).ok()?.extract().ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::try_from(scale).ok()?.checked_sub(fraction.len())?;
    fits(format!("{whole}{fraction}{}", "0".repeat(missing)).parse().ok()?)
}

/// Whether a value is a `decimal.Decimal`, without importing `decimal` to find out.
pub(super) fn is_decimal(value: &Bound<'_, PyAny>) -> bool {
    value.get_type().mro().iter().any(|class| {
        class.cast::<pyo3::types::PyType>().is_ok_and(|class| {
            class.name().is_ok_and(|name| name == "Decimal")
                && class.module().is_ok_and(|module| module == "decimal" || module == "_pydecimal")
        })
    })
}

/// Whether a value is of one of the classes of `datetime`.
pub(super) fn is_moment(
    value: &Bound<'_, PyAny>,
    class: impl Fn(&moments::Classes) -> &Py<pyo3::types::PyType>,
) -> bool {
    let py = value.py();
    moments::classes(py).and_then(|classes| value.is_instance(class(classes).bind(py))).unwrap_or(false)
}

fn is_numpy(value: &Bound<'_, PyAny>) -> bool {
    value.get_type().module().is_ok_and(|module| module == "numpy")
}

fn class_is(value: &Bound<'_, PyAny>, names: &[&str]) -> bool {
    value.get_type().name().is_ok_and(|name| names.iter().any(|n| name == *n))
}

fn push_record(parts: &mut [(Py<PyString>, Column)], value: &Bound<'_, PyDict>) -> Result<(), NoFit> {
    let mut found = 0;
    for (key, part) in parts {
        match value.get_item(&*key).map_err(|_| NoFit)? {
            Some(item) => {
                part.push(value.py(), item.as_ptr())?;
                found += 1;
            }
            None => part.push_null(),
        }
    }
    if found == value.len() { Ok(()) } else { Err(NoFit) }
}

/// The values of a column, leaving room for as many again.
fn taken<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    let room = values.len();
    ScalarBuffer::from(std::mem::replace(values, Vec::with_capacity(room)))
}

fn last(ends: &[i32]) -> usize {
    ends.last().and_then(|end| usize::try_from(*end).ok()).unwrap_or(0)
}
