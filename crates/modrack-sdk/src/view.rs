//! Values that are read where they lie: in the caller's memory, in what came into a component, or in a
//! [`Value`]. Nothing is copied before a type of Rust asks for it.

use std::fmt;

use crate::{FromValue, Misfit, Value};

#[cfg(target_family = "wasm")]
use crate::component::lent;
#[cfg(not(target_family = "wasm"))]
use crate::native::lent;

/// A value that somebody else owns. A function may take one: then it reads of a row only what it needs.
///
/// ```
/// use modrack_sdk::{FromValue, Row, Value, ValueRef};
///
/// fn is_late(row: ValueRef<'_>) -> bool {
///     row.field("minutes").and_then(|minutes| minutes.as_float()).is_some_and(|minutes| minutes > 15.0)
/// }
///
/// let row = Value::from(Row::from_iter([("minutes", 20)]));
/// assert!(is_late(ValueRef::owned(&row)));
/// ```
#[derive(Clone, Copy)]
pub struct ValueRef<'v>(Raw<'v>);

#[derive(Clone, Copy)]
enum Raw<'v> {
    Owned(&'v Value),
    Lent(lent::Value<'v>),
}

/// What a value is.
#[derive(Clone, Copy)]
pub enum Shape<'v> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(&'v str),
    /// Bytes.
    Bytes(&'v [u8]),
    /// Values in order.
    List(Items<'v>),
    /// Values by name, in order.
    Map(Fields<'v>),
    /// Rows of named, typed columns.
    Table(TableRef<'v>),
}

/// Values in order, read where they lie.
#[derive(Clone, Copy)]
pub struct Items<'v>(RawItems<'v>);

#[derive(Clone, Copy)]
enum RawItems<'v> {
    Owned(&'v [Value]),
    Lent(lent::Items<'v>),
}

/// Values by name, read where they lie.
#[derive(Clone, Copy)]
pub struct Fields<'v>(RawFields<'v>);

#[derive(Clone, Copy)]
enum RawFields<'v> {
    Owned(&'v [(String, Value)]),
    Lent(lent::Fields<'v>),
}

/// A table, read where it lies.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "arrow"), expect(dead_code, reason = "tables are read with the feature `arrow`"))]
pub struct TableRef<'v>(pub(crate) RawTable<'v>);

#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "arrow"), expect(dead_code, reason = "tables are read with the feature `arrow`"))]
pub(crate) enum RawTable<'v> {
    #[cfg(feature = "arrow")]
    Owned(&'v crate::Table),
    Lent(lent::Table<'v>),
}

impl<'v> ValueRef<'v> {
    /// A value of one's own, seen as one that is lent.
    pub const fn owned(value: &'v Value) -> Self {
        Self(Raw::Owned(value))
    }

    #[inline]
    pub(crate) const fn lent(value: lent::Value<'v>) -> Self {
        Self(Raw::Lent(value))
    }

    /// What it is.
    #[inline]
    pub fn shape(self) -> Shape<'v> {
        match self.0 {
            Raw::Lent(value) => value.shape(),
            Raw::Owned(value) => match value {
                Value::Null => Shape::Null,
                Value::Bool(truth) => Shape::Bool(*truth),
                Value::Int(number) => Shape::Int(*number),
                Value::Float(number) => Shape::Float(*number),
                Value::Text(text) => Shape::Text(text),
                Value::Bytes(bytes) => Shape::Bytes(bytes),
                Value::List(items) => Shape::List(Items(RawItems::Owned(items))),
                Value::Map(row) => Shape::Map(Fields::owned(row.entries())),
                #[cfg(feature = "arrow")]
                Value::Table(table) => Shape::Table(TableRef(RawTable::Owned(table))),
            },
        }
    }

    /// Reads it as a type of Rust.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub fn to<T: FromValue<'v>>(self) -> Result<T, Misfit> {
        T::from_value(self)
    }

    /// The value of this name, where it is a map that has one.
    pub fn field(self, name: &str) -> Option<ValueRef<'v>> {
        match self.shape() {
            Shape::Map(fields) => fields.get(name),
            _ => None,
        }
    }

    /// The text, where it is text.
    pub fn as_str(self) -> Option<&'v str> {
        match self.shape() {
            Shape::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, where it is one.
    pub fn as_int(self) -> Option<i64> {
        match self.shape() {
            Shape::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The number, where it is one, whole or not.
    pub fn as_float(self) -> Option<f64> {
        match self.shape() {
            Shape::Int(number) => Some(number as f64),
            Shape::Float(number) => Some(number),
            _ => None,
        }
    }

    /// Whether it is nothing.
    pub fn is_null(self) -> bool {
        matches!(self.shape(), Shape::Null)
    }

    /// That it is not what is wanted.
    pub fn misfit(self, wanted: &str) -> Misfit {
        match self.shape() {
            Shape::Bool(truth) => Misfit::new(wanted, truth),
            Shape::Int(number) => Misfit::new(wanted, number),
            Shape::Float(number) => Misfit::new(wanted, number),
            other => Misfit::new(wanted, other.name()),
        }
    }
}

impl Shape<'_> {
    /// The kind of value, in a word or two.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Table(_) => "a table",
        }
    }
}

impl<'v> TableRef<'v> {
    #[inline]
    pub(crate) const fn lent(table: lent::Table<'v>) -> Self {
        Self(RawTable::Lent(table))
    }
}

impl<'v> Items<'v> {
    #[inline]
    pub(crate) const fn lent(items: lent::Items<'v>) -> Self {
        Self(RawItems::Lent(items))
    }

    /// How many there are.
    #[inline]
    pub fn len(self) -> usize {
        match self.0 {
            RawItems::Owned(items) => items.len(),
            RawItems::Lent(items) => items.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The one at this place, counted from 0.
    #[inline]
    pub fn get(self, index: usize) -> Option<ValueRef<'v>> {
        match self.0 {
            RawItems::Owned(items) => items.get(index).map(ValueRef::owned),
            RawItems::Lent(items) => items.get(index).map(ValueRef::lent),
        }
    }

    /// All of them.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = ValueRef<'v>> {
        (0..self.len()).map(move |index| self.get(index).unwrap_or(ValueRef::owned(&Value::Null)))
    }

    /// Reads each as a type of Rust.
    ///
    /// # Errors
    /// What does not fit, and where.
    #[inline]
    pub fn read<T: FromValue<'v>, C: FromIterator<T>>(self) -> Result<C, Misfit> {
        self.iter()
            .enumerate()
            .map(|(index, item)| T::from_value(item).map_err(|why| why.at(index)))
            .collect()
    }
}

impl<'v> Fields<'v> {
    pub(crate) const fn owned(entries: &'v [(String, Value)]) -> Self {
        Self(RawFields::Owned(entries))
    }

    #[inline]
    pub(crate) const fn lent(fields: lent::Fields<'v>) -> Self {
        Self(RawFields::Lent(fields))
    }

    /// How many there are.
    #[inline]
    pub fn len(self) -> usize {
        match self.0 {
            RawFields::Owned(entries) => entries.len(),
            RawFields::Lent(fields) => fields.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The name and value at this place, counted from 0.
    #[inline]
    pub fn at(self, index: usize) -> Option<(&'v str, ValueRef<'v>)> {
        match self.0 {
            RawFields::Owned(entries) => {
                entries.get(index).map(|(name, value)| (name.as_str(), ValueRef::owned(value)))
            }
            RawFields::Lent(fields) => fields.at(index).map(|(name, value)| (name, ValueRef::lent(value))),
        }
    }

    /// The value of this name.
    pub fn get(self, name: &str) -> Option<ValueRef<'v>> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The value of this name as a type of Rust; a name that is not there is nothing to an `Option`.
    ///
    /// # Errors
    /// A name that is not there, or a value that does not fit.
    pub fn read<T: FromValue<'v>>(self, name: &str) -> Result<T, Misfit> {
        match self.get(name) {
            Some(value) => T::from_value(value).map_err(|why| why.in_field(name)),
            None => T::missing().ok_or_else(|| Misfit::missing(name)),
        }
    }

    /// All of them, in order.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = (&'v str, ValueRef<'v>)> {
        (0..self.len()).map(move |index| self.at(index).unwrap_or(("", ValueRef::owned(&Value::Null))))
    }
}

impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape() {
            Shape::Null => f.write_str("Null"),
            Shape::Bool(truth) => truth.fmt(f),
            Shape::Int(number) => number.fmt(f),
            Shape::Float(number) => number.fmt(f),
            Shape::Text(text) => text.fmt(f),
            Shape::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Shape::List(items) => f.debug_list().entries(items.iter()).finish(),
            Shape::Map(fields) => f.debug_map().entries(fields.iter()).finish(),
            Shape::Table(_) => f.write_str("Table"),
        }
    }
}
