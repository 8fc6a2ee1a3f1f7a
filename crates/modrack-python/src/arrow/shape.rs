//! What type a column of Python objects is: found by looking at the objects of a first batch.
//!
//! Types only widen in ways that lose nothing: nothing to anything, int to float. Two objects that have no
//! common type are a contradiction, and the later one is at fault.

use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyFloat, PyList, PyMemoryView, PyString, PyTuple};

use super::columns::{as_bool, as_float, as_int, is_decimal, is_moment, is_nothing};
use super::moments;

/// How deep lists and dicts in a row may go: what contains itself has no end.
const DEPTH: usize = 64;
/// Digits that a decimal column has room for.
const DIGITS: u8 = 38;

/// The type of some objects, as far as they show it.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) enum Shape {
    /// Nothing but `None`.
    #[default]
    Null,
    Bool,
    /// Whole numbers; true when one of them needs all 64 bits for itself.
    Int(bool),
    Float,
    Text,
    Bytes,
    Date,
    Time,
    Timestamp(Option<Arc<str>>),
    Duration,
    /// Decimals, with so many digits behind the point.
    Decimal(i8),
    List(Box<Shape>),
    Record(Vec<(String, Shape)>),
}

impl Shape {
    /// The shape of one object; none when columns cannot hold such objects.
    pub(crate) fn of(value: &Bound<'_, PyAny>) -> Option<Self> {
        Self::within(value, DEPTH)
    }

    /// The shape of an object that goes at most `deep` levels down.
    fn within(value: &Bound<'_, PyAny>, deep: usize) -> Option<Self> {
        if value.is_none() || is_nothing(value) {
            return Some(Self::Null);
        }
        if as_bool(value).is_some() {
            return Some(Self::Bool);
        }
        if value.is_instance_of::<PyFloat>() {
            return Some(Self::Float);
        }
        if let Some(int) = as_int(value) {
            let wide = int.extract::<i64>().is_err();
            return (!wide || int.extract::<u64>().is_ok()).then_some(Self::Int(wide));
        }
        if value.is_instance_of::<PyString>() {
            return Some(Self::Text);
        }
        if value.is_instance_of::<PyBytes>()
            || value.is_instance_of::<PyByteArray>()
            || value.is_instance_of::<PyMemoryView>()
        {
            return Some(Self::Bytes);
        }
        if let Ok(items) = value.cast::<PyList>() {
            return Self::of_items(items.iter(), deep.checked_sub(1)?);
        }
        if let Ok(items) = value.cast::<PyTuple>() {
            return Self::of_items(items.iter(), deep.checked_sub(1)?);
        }
        if let Ok(dict) = value.cast::<PyDict>() {
            let deep = deep.checked_sub(1)?;
            let part = |(key, item): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
                Some((key.extract::<String>().ok()?, Self::within(&item, deep)?))
            };
            return dict.iter().map(part).collect::<Option<_>>().map(Self::Record);
        }
        Self::of_rare(value)
    }

    /// Widens the shape so that it holds what `other` holds as well. False when nothing does; the shape is
    /// then as it was.
    pub(crate) fn widen(&mut self, other: Self) -> bool {
        let wider = match (&mut *self, other) {
            (_, Self::Null) => return true,
            (Self::Null, other) => other,
            (Self::Int(wide), Self::Int(other)) => Self::Int(*wide || other),
            (Self::Int(false), Self::Float) | (Self::Float, Self::Int(false)) => Self::Float,
            (Self::Decimal(scale), Self::Decimal(other)) => Self::Decimal((*scale).max(other)),
            (Self::Decimal(scale), Self::Int(_)) => Self::Decimal(*scale),
            (Self::Int(_), Self::Decimal(scale)) => Self::Decimal(scale),
            // Instants are instants, whatever clocks they were read from: the first zone stays.
            (Self::Timestamp(Some(_)), Self::Timestamp(Some(_))) => return true,
            (Self::List(items), Self::List(other)) => return items.widen(*other),
            (Self::Record(parts), Self::Record(others)) => {
                let mut widened = parts.clone();
                for (name, other) in others {
                    match widened.iter_mut().find(|(n, _)| *n == name) {
                        None => widened.push((name, other)),
                        Some((_, part)) => {
                            if !part.widen(other) {
                                return false;
                            }
                        }
                    }
                }
                Self::Record(widened)
            }
            (this, other) => return *this == other,
        };
        *self = wider;
        true
    }

    /// The Arrow type of a column of this shape, where the input had a column of the same name and type
    /// `input`: it says what the objects leave open.
    pub(crate) fn data_type(&self, input: Option<&DataType>) -> DataType {
        match (self, input) {
            (Self::Null, input) => input.map_or(DataType::Null, written),
            (Self::Bool, _) => DataType::Boolean,
            (Self::Int(true), _) | (Self::Int(false), Some(DataType::UInt64)) => DataType::UInt64,
            (Self::Int(false), _) => DataType::Int64,
            (Self::Float, _) => DataType::Float64,
            (Self::Text, _) => DataType::Utf8,
            (Self::Bytes, _) => DataType::Binary,
            (Self::Date, _) => DataType::Date32,
            (Self::Time, _) => DataType::Time64(TimeUnit::Microsecond),
            (Self::Timestamp(Some(_)), Some(DataType::Timestamp(_, Some(zone)))) => {
                DataType::Timestamp(TimeUnit::Microsecond, Some(zone.clone()))
            }
            (Self::Timestamp(zone), _) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            (Self::Duration, _) => DataType::Duration(TimeUnit::Microsecond),
            (Self::Decimal(scale), Some(DataType::Decimal128(_, given))) => {
                DataType::Decimal128(DIGITS, *scale.max(given))
            }
            (Self::Decimal(scale), _) => DataType::Decimal128(DIGITS, *scale),
            (Self::List(items), input) => {
                let input = match input {
                    Some(DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _)) => {
                        Some(f.data_type())
                    }
                    _ => None,
                };
                DataType::List(Arc::new(Field::new_list_field(items.data_type(input), true)))
            }
            (Self::Record(_), Some(map @ DataType::Map(..))) => written(map),
            (Self::Record(parts), input) => {
                let given = match input {
                    Some(DataType::Struct(fields)) => Some(fields),
                    _ => None,
                };
                let fields = parts.iter().map(|(name, part)| {
                    let input = given.and_then(|fields| fields.find(name)).map(|(_, f)| f.data_type());
                    Field::new(name, part.data_type(input), true)
                });
                DataType::Struct(fields.collect())
            }
        }
    }

    fn of_items<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>, deep: usize) -> Option<Self> {
        let mut shape = Self::Null;
        for item in items {
            if !shape.widen(Self::within(&item, deep)?) {
                return None;
            }
        }
        Some(Self::List(Box::new(shape)))
    }

    fn of_rare(value: &Bound<'_, PyAny>) -> Option<Self> {
        if is_moment(value, |c| &c.datetime) {
            let zone = moments::zone_name(value).ok()?;
            return Some(Self::Timestamp(zone.map(Arc::from)));
        }
        if is_moment(value, |c| &c.date) {
            return Some(Self::Date);
        }
        if is_moment(value, |c| &c.time) {
            return Some(Self::Time);
        }
        if is_moment(value, |c| &c.timedelta) {
            return Some(Self::Duration);
        }
        if is_decimal(value) {
            // Of infinity and NaN the exponent is a letter.
            let exponent: i64 =
                value.call_method0("as_tuple").ok()?.getattr("exponent").ok()?.extract().ok()?;
            return i8::try_from((-exponent).max(0)).ok().filter(|s| *s <= 38).map(Self::Decimal);
        }
        as_float(value).map(|_| Self::Float)
    }
}

/// The type in which objects that were read from a column of type `input` are written.
pub(super) fn written(input: &DataType) -> DataType {
    let item = |field: &Field| Arc::new(Field::new_list_field(written(field.data_type()), true));
    match input {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => DataType::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Duration(_) => DataType::Duration(TimeUnit::Microsecond),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale)
            if *scale >= 0 =>
        {
            DataType::Decimal128(DIGITS, *scale)
        }
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            DataType::List(item(field))
        }
        DataType::Struct(fields) => DataType::Struct(
            fields.iter().map(|f| Field::new(f.name(), written(f.data_type()), true)).collect(),
        ),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let key = Field::new(pair[0].name(), written(pair[0].data_type()), false);
                let value = Field::new(pair[1].name(), written(pair[1].data_type()), true);
                let pair = DataType::Struct(vec![key, value].into());
                DataType::Map(Arc::new(Field::new(entries.name(), pair, false)), false)
            }
            _ => DataType::Null,
        },
        DataType::Dictionary(_, values) => written(values),
        DataType::Boolean | DataType::UInt64 => input.clone(),
        _ => DataType::Null,
    }
}
