//! Types of WIT and types of Rust: what is the same stays as it is, what is a `value` is read and made.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use crate::component::lent;
use crate::component::values::{Cause as WitCause, Error as WitError, Part, Value as WitValue};
use crate::{Error, FromValue, IntoValue, Misfit, Result, Value, ValueRef};

/// A type that is made of one of WIT.
pub trait FromWit<W>: Sized {
    /// Makes it.
    ///
    /// # Errors
    /// A `value` that does not fit.
    fn from_wit(value: W) -> Result<Self, Misfit>;
}

/// A type that one of WIT is made of.
pub trait IntoWit<W> {
    /// Makes it.
    ///
    /// # Errors
    /// What cannot be given.
    fn into_wit(self) -> Result<W>;
}

macro_rules! same {
    ($($ty:ty),*) => {
        $(impl FromWit<$ty> for $ty {
            #[inline]
            fn from_wit(value: $ty) -> Result<Self, Misfit> {
                Ok(value)
            }
        }

        impl IntoWit<$ty> for $ty {
            #[inline]
            fn into_wit(self) -> Result<$ty> {
                Ok(self)
            }
        }

        impl FromWit<$ty> for Box<$ty> {
            fn from_wit(value: $ty) -> Result<Self, Misfit> {
                Ok(Self::new(value))
            }
        }

        impl IntoWit<$ty> for Box<$ty> {
            fn into_wit(self) -> Result<$ty> {
                Ok(*self)
            }
        })*
    };
}

same!((), bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, char, String);

impl FromWit<u64> for usize {
    fn from_wit(value: u64) -> Result<Self, Misfit> {
        Self::try_from(value).map_err(|_| Misfit::new("a whole number of 32 bits", value))
    }
}

impl FromWit<i64> for isize {
    fn from_wit(value: i64) -> Result<Self, Misfit> {
        Self::try_from(value).map_err(|_| Misfit::new("a whole number of 32 bits", value))
    }
}

impl IntoWit<u64> for usize {
    fn into_wit(self) -> Result<u64> {
        Ok(self as u64)
    }
}

impl IntoWit<i64> for isize {
    fn into_wit(self) -> Result<i64> {
        Ok(self as i64)
    }
}

impl IntoWit<String> for &str {
    fn into_wit(self) -> Result<String> {
        Ok(self.to_owned())
    }
}

impl<W, T: IntoWit<W> + Clone> IntoWit<Vec<W>> for &[T] {
    fn into_wit(self) -> Result<Vec<W>> {
        self.iter().cloned().map(T::into_wit).collect()
    }
}

impl<W, T: FromWit<W>> FromWit<Vec<W>> for Vec<T> {
    fn from_wit(items: Vec<W>) -> Result<Self, Misfit> {
        let item = |(index, item)| T::from_wit(item).map_err(|why| why.at(index));
        items.into_iter().enumerate().map(item).collect()
    }
}

impl<W, T: IntoWit<W>> IntoWit<Vec<W>> for Vec<T> {
    fn into_wit(self) -> Result<Vec<W>> {
        self.into_iter().map(T::into_wit).collect()
    }
}

impl<W, T: FromWit<W>> FromWit<Option<W>> for Option<T> {
    fn from_wit(value: Option<W>) -> Result<Self, Misfit> {
        value.map(T::from_wit).transpose()
    }
}

impl<W, T: IntoWit<W>> IntoWit<Option<W>> for Option<T> {
    fn into_wit(self) -> Result<Option<W>> {
        self.map(T::into_wit).transpose()
    }
}

fn pairs<W, T: FromWit<W>, C: FromIterator<(String, T)>>(pairs: Vec<(String, W)>) -> Result<C, Misfit> {
    let pair = |(name, value): (String, W)| match T::from_wit(value) {
        Ok(value) => Ok((name, value)),
        Err(why) => Err(why.in_field(&name)),
    };
    pairs.into_iter().map(pair).collect()
}

impl<W, T: FromWit<W>> FromWit<Vec<(String, W)>> for BTreeMap<String, T> {
    fn from_wit(value: Vec<(String, W)>) -> Result<Self, Misfit> {
        pairs(value)
    }
}

impl<W, T: FromWit<W>, S: BuildHasher + Default> FromWit<Vec<(String, W)>> for HashMap<String, T, S> {
    fn from_wit(value: Vec<(String, W)>) -> Result<Self, Misfit> {
        pairs(value)
    }
}

impl<W, T: IntoWit<W>> IntoWit<Vec<(String, W)>> for BTreeMap<String, T> {
    fn into_wit(self) -> Result<Vec<(String, W)>> {
        self.into_iter().map(|(name, value)| Ok((name, value.into_wit()?))).collect()
    }
}

/// In the order of their names, because that of a hash map differs from run to run.
impl<W, T: IntoWit<W>, S> IntoWit<Vec<(String, W)>> for HashMap<String, T, S> {
    fn into_wit(self) -> Result<Vec<(String, W)>> {
        self.into_iter().collect::<BTreeMap<_, _>>().into_wit()
    }
}

#[cfg(feature = "indexmap")]
impl<W, T: FromWit<W>, S: BuildHasher + Default> FromWit<Vec<(String, W)>>
    for indexmap::IndexMap<String, T, S>
{
    fn from_wit(value: Vec<(String, W)>) -> Result<Self, Misfit> {
        pairs(value)
    }
}

#[cfg(feature = "indexmap")]
impl<W, T: IntoWit<W>, S> IntoWit<Vec<(String, W)>> for indexmap::IndexMap<String, T, S> {
    fn into_wit(self) -> Result<Vec<(String, W)>> {
        self.into_iter().map(|(name, value)| Ok((name, value.into_wit()?))).collect()
    }
}

macro_rules! tuple {
    ($($from:ident $to:ident $index:literal),*) => {
        #[expect(non_snake_case, reason = "the type's letters name the item as well")]
        impl<$($from, $to: FromWit<$from>),*> FromWit<($($from,)*)> for ($($to,)*) {
            fn from_wit(($($from,)*): ($($from,)*)) -> Result<Self, Misfit> {
                Ok(($($to::from_wit($from).map_err(|why| why.at($index))?,)*))
            }
        }

        #[expect(non_snake_case, reason = "the type's letters name the item as well")]
        impl<$($from, $to: IntoWit<$from>),*> IntoWit<($($from,)*)> for ($($to,)*) {
            fn into_wit(self) -> Result<($($from,)*)> {
                let ($($to,)*) = self;
                Ok(($($to.into_wit()?,)*))
            }
        }
    };
}

tuple!(V A 0);
tuple!(V A 0, W B 1);
tuple!(V A 0, W B 1, X C 2);
tuple!(V A 0, W B 1, X C 2, Y D 3);
tuple!(V A 0, W B 1, X C 2, Y D 3, Z E 4);
tuple!(V A 0, W B 1, X C 2, Y D 3, Z E 4, U F 5);

impl<T: for<'v> FromValue<'v>> FromWit<WitValue> for T {
    fn from_wit(value: WitValue) -> Result<Self, Misfit> {
        T::from_value(ValueRef::lent(lent::Value::of(&value)))
    }
}

impl<T: IntoValue> IntoWit<WitValue> for T {
    fn into_wit(self) -> Result<WitValue> {
        let mut parts = Vec::new();
        push(&mut parts, self.into_value()?, 0)?;
        Ok(WitValue { parts })
    }
}

/// An argument of any type, read where it lies.
///
/// # Errors
/// An argument that does not fit, said with its name.
pub fn read<'v, T: FromValue<'v>>(value: &'v WitValue, name: &str) -> Result<T> {
    T::from_value(ValueRef::lent(lent::Value::of(value))).map_err(|why| why.of_argument(name))
}

/// An argument of a type of WIT's.
///
/// # Errors
/// An argument that does not fit, said with its name.
#[inline]
pub fn argument<W, T: FromWit<W>>(value: W, name: &str) -> Result<T> {
    T::from_wit(value).map_err(|why| why.of_argument(name))
}

/// However many arguments there are from `index` on.
///
/// # Errors
/// An argument that does not fit, said with its name.
pub fn rest<'v, T: FromValue<'v>>(values: &'v [WitValue], index: usize, name: &str) -> Result<Vec<T>> {
    let left = values.get(index..).unwrap_or_default();
    let one = |(at, value)| T::from_value(ValueRef::lent(lent::Value::of(value))).map_err(|why| why.at(at));
    left.iter().enumerate().map(one).collect::<Result<_, Misfit>>().map_err(|why| why.of_argument(name))
}

/// One of however many arguments; one that is not given is nothing.
///
/// # Errors
/// An argument that does not fit, said with its name.
pub fn spread<'v, T: FromValue<'v>>(values: &'v [WitValue], index: usize, name: &str) -> Result<T> {
    let value = values.get(index).map_or(lent::Value::Nothing, lent::Value::of);
    T::from_value(ValueRef::lent(value)).map_err(|why| why.of_argument(name))
}

/// How many levels lists and maps may be nested.
const MAX_DEPTH: u32 = 64;

pub(super) fn push(parts: &mut Vec<Part>, value: Value, depth: u32) -> Result<u32> {
    if depth >= MAX_DEPTH {
        return Err(Error::new(format!("The result is nested more than {MAX_DEPTH} levels deep"))
            .hint("Give it flatter, or as text"));
    }
    let at = parts.len();
    parts.push(Part::Null);
    parts[at] = match value {
        Value::Null => Part::Null,
        Value::Bool(truth) => Part::Bool(truth),
        Value::Int(number) => Part::Int(number),
        Value::Float(number) => Part::Float(number),
        Value::Text(text) => Part::Text(text),
        Value::Bytes(bytes) => Part::Bytes(bytes),
        Value::List(items) => {
            let items = items.into_iter().map(|item| push(parts, item, depth + 1));
            Part::List(items.collect::<Result<_>>()?)
        }
        Value::Map(row) => {
            let mut entries = Vec::with_capacity(row.len());
            for (name, value) in row {
                entries.push((name, push(parts, value, depth + 1)?));
            }
            Part::Map(entries)
        }
        #[cfg(feature = "arrow")]
        Value::Table(table) => Part::Table(table.into_wit()?),
    };
    u32::try_from(at).map_err(|_| Error::new("The result has too many parts"))
}

/// A failure, as WIT has it: one of the arguments by the class that says so.
pub fn failed(error: Error) -> WitError {
    let class = error.told_class().to_owned();
    let record = error.into_record();
    WitError {
        class,
        message: record.message,
        hint: record.hint,
        causes: record
            .causes
            .into_iter()
            .map(|cause| WitCause {
                class: cause.class.unwrap_or_default(),
                message: cause.message,
                traceback: None,
            })
            .collect(),
        traceback: record.traceback,
    }
}
