//! Any value, owned: what is taken and given where no Rust type is named.

use crate::{Error, FromValue, IntoValue, Result, Row, ValueRef};

/// Any value that crosses the boundary of a module.
///
/// ```
/// use modrack_sdk::{Row, Value};
///
/// let row = Row::from_iter([("city", Value::from("Oslo")), ("days", Value::from(3))]);
/// let value = Value::from(row);
/// assert_eq!(value.get("city"), Some(&Value::Text("Oslo".into())));
/// assert_eq!(value.to::<std::collections::BTreeMap<String, Value>>().unwrap().len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Self>),
    /// Values by name, in order.
    Map(Row),
    /// Rows of named, typed columns.
    #[cfg(feature = "arrow")]
    Table(crate::Table),
}

impl Value {
    /// Reads it as a type of Rust.
    ///
    /// # Errors
    /// What does not fit, and where.
    ///
    /// ```
    /// use modrack_sdk::Value;
    /// assert_eq!(Value::Int(3).to::<f64>().unwrap(), 3.0);
    /// assert_eq!(Value::Int(300).to::<u8>().unwrap_err().message(), "Must be a whole number from 0 to 255, but is 300");
    /// ```
    pub fn to<'v, T: FromValue<'v>>(&'v self) -> Result<T> {
        T::from_value(ValueRef::owned(self)).map_err(Error::from)
    }

    /// The value of this name, where it is a map that has one.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(row) => row.get(name),
            _ => None,
        }
    }

    /// The text, where it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, where it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, where it is one, whole or not.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth, where it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

macro_rules! from {
    ($($from:ty => |$value:ident| $to:expr),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $to
            }
        })*
    };
}

from! {
    () => |_nothing| Self::Null,
    bool => |truth| Self::Bool(truth),
    i8 => |number| Self::Int(number.into()),
    i16 => |number| Self::Int(number.into()),
    i32 => |number| Self::Int(number.into()),
    i64 => |number| Self::Int(number),
    u8 => |number| Self::Int(number.into()),
    u16 => |number| Self::Int(number.into()),
    u32 => |number| Self::Int(number.into()),
    f32 => |number| Self::Float(number.into()),
    f64 => |number| Self::Float(number),
    &str => |text| Self::Text(text.to_owned()),
    String => |text| Self::Text(text),
    Vec<u8> => |bytes| Self::Bytes(bytes),
    Vec<Value> => |items| Self::List(items),
    Row => |row| Self::Map(row),
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(feature = "arrow")]
impl From<crate::Table> for Value {
    fn from(table: crate::Table) -> Self {
        Self::Table(table)
    }
}

/// The arguments of a call to another slot, of whatever types they are.
///
/// ```
/// use modrack_sdk::{args, Value};
/// assert_eq!(args![1, "EUR"].unwrap(), [Value::Int(1), Value::Text("EUR".into())]);
/// ```
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        (|| -> $crate::Result<::std::vec::Vec<$crate::Value>> {
            ::core::result::Result::Ok(::std::vec![$($crate::IntoValue::into_value($value)?),*])
        })()
    };
}

/// Arguments for another slot: what [`args!`] gives, or values that are there.
pub trait IntoArgs {
    /// The arguments.
    ///
    /// # Errors
    /// What is no value.
    fn into_args(self) -> Result<Vec<Value>>;
}

impl IntoArgs for Result<Vec<Value>> {
    fn into_args(self) -> Result<Vec<Value>> {
        self
    }
}

impl IntoArgs for Vec<Value> {
    fn into_args(self) -> Result<Vec<Value>> {
        Ok(self)
    }
}

impl<T: IntoValue, const N: usize> IntoArgs for [T; N] {
    fn into_args(self) -> Result<Vec<Value>> {
        self.into_iter().map(T::into_value).collect()
    }
}
