//! How arguments become types of Rust. What does not fit says what it must be and what it is.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use crate::{Misfit, Row, Shape, Value, ValueRef};

/// A type that a function of a module may take. `#[derive(modrack::Value)]` makes one of a struct or an enum.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a module's function",
    label = "this type has no way in from a value",
    note = "Arguments are `bool`, whole numbers, `f64`, `&str`, `String`, `&[u8]`, `Vec<T>`, `Option<T>`, tuples, maps with `String` keys, `Row` and `Value`",
    note = "A type of your own becomes one by `#[derive(modrack::Value)]`; tables need the feature `arrow`"
)]
pub trait FromValue<'v>: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// What does not fit, and where.
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit>;

    /// What it is where no value is there; none where one must be.
    fn missing() -> Option<Self> {
        None
    }

    #[doc(hidden)]
    #[inline]
    fn list(value: ValueRef<'v>) -> Result<Vec<Self>, Misfit> {
        match value.shape() {
            Shape::List(items) => items.read(),
            _ => Err(value.misfit("a list")),
        }
    }
}

impl FromValue<'_> for bool {
    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        match value.shape() {
            Shape::Bool(truth) => Ok(truth),
            _ => Err(value.misfit("true or false")),
        }
    }
}

macro_rules! whole {
    ($($ty:ty $(: $list:item)?),*) => {
        $(impl FromValue<'_> for $ty {
            #[inline]
            fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
                match value.shape() {
                    Shape::Int(number) => Self::try_from(number).map_err(|_| {
                        value.misfit(&format!("a whole number from {} to {}", Self::MIN, Self::MAX))
                    }),
                    _ => Err(value.misfit("a whole number")),
                }
            }

            $($list)?
        })*
    };
}

whole!(i8, i16, i32, i64, i128, isize, u16, u32, u64, u128, usize);
whole!(u8: // Bytes are a list of numbers to Rust, and one value to everybody else.
    #[inline]
    fn list(value: ValueRef<'_>) -> Result<Vec<Self>, Misfit> {
        match value.shape() {
            Shape::Bytes(bytes) => Ok(bytes.to_owned()),
            Shape::List(items) => items.read(),
            _ => Err(value.misfit("bytes")),
        }
    }
);

impl FromValue<'_> for f64 {
    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        match value.shape() {
            Shape::Float(number) => Ok(number),
            Shape::Int(number) => Ok(number as Self),
            _ => Err(value.misfit("a number")),
        }
    }
}

impl FromValue<'_> for f32 {
    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        f64::from_value(value).map(|number| number as Self)
    }
}

impl FromValue<'_> for char {
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        let text = <&str>::from_value(value)?;
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => Ok(letter),
            _ => Err(Misfit::new("one character", format_args!("{} of them", text.chars().count()))),
        }
    }
}

impl<'v> FromValue<'v> for &'v str {
    #[inline]
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
        match value.shape() {
            Shape::Text(text) => Ok(text),
            _ => Err(value.misfit("text")),
        }
    }
}

impl FromValue<'_> for String {
    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        <&str>::from_value(value).map(str::to_owned)
    }
}

impl<'v> FromValue<'v> for &'v [u8] {
    #[inline]
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
        match value.shape() {
            Shape::Bytes(bytes) => Ok(bytes),
            _ => Err(value.misfit("bytes")),
        }
    }
}

impl<'v, T: FromValue<'v>> FromValue<'v> for Vec<T> {
    #[inline]
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
        T::list(value)
    }
}

impl<'v, T: FromValue<'v>> FromValue<'v> for Option<T> {
    #[inline]
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl<'v, T: FromValue<'v>> FromValue<'v> for Box<T> {
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
        T::from_value(value).map(Self::new)
    }

    fn missing() -> Option<Self> {
        T::missing().map(Self::new)
    }
}

impl FromValue<'_> for () {
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        if value.is_null() { Ok(()) } else { Err(value.misfit("nothing")) }
    }
}

/// Entries of a map, in order.
fn entries<'v, T: FromValue<'v>, C: FromIterator<(String, T)>>(value: ValueRef<'v>) -> Result<C, Misfit> {
    let Shape::Map(fields) = value.shape() else { return Err(value.misfit("a mapping")) };
    let entry = |(name, value): (&str, ValueRef<'v>)| match T::from_value(value) {
        Ok(value) => Ok((name.to_owned(), value)),
        Err(why) => Err(why.in_field(name)),
    };
    fields.iter().map(entry).collect()
}

impl<'v, T: FromValue<'v>> FromValue<'v> for BTreeMap<String, T> {
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
        entries(value)
    }
}

impl<'v, T: FromValue<'v>, S: BuildHasher + Default> FromValue<'v> for HashMap<String, T, S>
where
    String: Hash,
{
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
        entries(value)
    }
}

#[cfg(feature = "indexmap")]
impl<'v, T: FromValue<'v>, S: BuildHasher + Default> FromValue<'v> for indexmap::IndexMap<String, T, S> {
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
        entries(value)
    }
}

impl FromValue<'_> for Row {
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        let Shape::Map(fields) = value.shape() else { return Err(value.misfit("a mapping")) };
        let mut row = Vec::with_capacity(fields.len());
        for (name, value) in fields.iter() {
            row.push((name.to_owned(), Value::from_value(value).map_err(|why| why.in_field(name))?));
        }
        Ok(Self::of(row))
    }
}

impl FromValue<'_> for Value {
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        Ok(match value.shape() {
            Shape::Null => Self::Null,
            Shape::Bool(truth) => Self::Bool(truth),
            Shape::Int(number) => Self::Int(number),
            Shape::Float(number) => Self::Float(number),
            Shape::Text(text) => Self::Text(text.to_owned()),
            Shape::Bytes(bytes) => Self::Bytes(bytes.to_owned()),
            Shape::List(items) => Self::List(items.read::<Self, Vec<Self>>()?),
            Shape::Map(_) => Self::Map(Row::from_value(value)?),
            #[cfg(feature = "arrow")]
            Shape::Table(table) => Self::Table(table.to_table()?),
            #[cfg(not(feature = "arrow"))]
            Shape::Table(_) => {
                return Err(Misfit::said("is a table, and this module was built without them"));
            }
        })
    }

    fn missing() -> Option<Self> {
        Some(Self::Null)
    }
}

impl<'v> FromValue<'v> for ValueRef<'v> {
    #[inline]
    fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
        Ok(value)
    }

    fn missing() -> Option<Self> {
        Some(ValueRef::owned(&Value::Null))
    }
}

macro_rules! tuple {
    ($count:literal: $($item:ident $index:literal),*) => {
        impl<'v, $($item: FromValue<'v>),*> FromValue<'v> for ($($item,)*) {
            fn from_value(value: ValueRef<'v>) -> Result<Self, Misfit> {
                const WANTED: &str = concat!("a list of ", $count);
                let Shape::List(items) = value.shape() else { return Err(value.misfit(WANTED)) };
                if items.len() != $count {
                    return Err(Misfit::new(WANTED, format_args!("a list of {}", items.len())));
                }
                let item = |index| items.get(index).unwrap_or(ValueRef::owned(&Value::Null));
                Ok(($($item::from_value(item($index)).map_err(|why| why.at($index))?,)*))
            }
        }
    };
}

tuple!(1: A 0);
tuple!(2: A 0, B 1);
tuple!(3: A 0, B 1, C 2);
tuple!(4: A 0, B 1, C 2, D 3);
tuple!(5: A 0, B 1, C 2, D 3, E 4);
tuple!(6: A 0, B 1, C 2, D 3, E 4, F 5);
