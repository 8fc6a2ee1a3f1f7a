//! How results become values.

use std::collections::{BTreeMap, HashMap};

use crate::{Error, Result, Row, Value};

/// A type that a function of a module may give. `#[derive(modrack::Value)]` makes one of a struct or an enum.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a module's function",
    label = "this type has no way out as a value",
    note = "Results are `()`, `bool`, whole numbers, `f64`, `&str`, `String`, `Vec<T>`, `Option<T>`, tuples, maps with `String` keys, `Row`, `Value`, and `Result` of one of them",
    note = "A type of your own becomes one by `#[derive(modrack::Value)]`; tables need the feature `arrow`"
)]
pub trait IntoValue: Sized {
    /// Makes it a value.
    ///
    /// # Errors
    /// What no value can hold: a whole number of more than 64 bits.
    fn into_value(self) -> Result<Value>;

    #[doc(hidden)]
    #[inline]
    fn list(items: Vec<Self>) -> Result<Value> {
        Ok(Value::List(items.into_iter().map(Self::into_value).collect::<Result<_>>()?))
    }

    /// The rows that a source gives by it.
    #[doc(hidden)]
    #[cfg(target_family = "wasm")]
    fn into_rows(self) -> Result<crate::Rows> {
        self.into_value().map(crate::Rows::of)
    }

    /// Hands it to the host in the cheapest way there is.
    #[doc(hidden)]
    #[cfg(not(target_family = "wasm"))]
    #[inline]
    fn reply(self, to: &mut crate::native::Reply<'_>) -> Result<()> {
        to.value(self.into_value()?)
    }
}

/// What a function returns: a result, or something that may be an error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a module's function",
    label = "this type has no way out as a value",
    note = "Results are `()`, `bool`, whole numbers, `f64`, `&str`, `String`, `Vec<T>`, `Option<T>`, tuples, maps with `String` keys, `Row`, `Value`, and `Result` of one of them, whose error is text, a `modrack::Error`, or any type with the trait `std::error::Error`",
    note = "A type of your own becomes one by `#[derive(modrack::Value)]`; tables need the feature `arrow`"
)]
pub trait Outcome {
    /// What it gives when it goes well.
    type Good;

    /// The result, or the error.
    ///
    /// # Errors
    /// What the function failed with.
    fn outcome(self) -> Result<Self::Good>;
}

impl<T: IntoValue> Outcome for T {
    type Good = T;

    #[inline]
    fn outcome(self) -> Result<T> {
        Ok(self)
    }
}

impl<T, E: Into<Error>> Outcome for Result<T, E> {
    type Good = T;

    #[inline]
    fn outcome(self) -> Result<T> {
        self.map_err(Into::into)
    }
}

/// Replies that need no memory of their own.
macro_rules! plain {
    ($($ty:ty => |$value:ident| $variant:ident($to:expr), $tag:ident;)*) => {
        $(impl IntoValue for $ty {
            #[inline]
            fn into_value(self) -> Result<Value> {
                let $value = self;
                Ok(Value::$variant($to))
            }

            #[doc(hidden)]
            #[cfg(not(target_family = "wasm"))]
            #[inline]
            fn reply(self, to: &mut crate::native::Reply<'_>) -> Result<()> {
                let $value = self;
                to.$tag($to);
                Ok(())
            }
        })*
    };
}

plain! {
    bool => |truth| Bool(truth), bool;
    i8 => |number| Int(number.into()), int;
    i16 => |number| Int(number.into()), int;
    i32 => |number| Int(number.into()), int;
    i64 => |number| Int(number), int;
    u16 => |number| Int(number.into()), int;
    u32 => |number| Int(number.into()), int;
    u64 => |number| Int(whole(number)?), int;
    i128 => |number| Int(whole(number)?), int;
    u128 => |number| Int(whole(number)?), int;
    isize => |number| Int(whole(number)?), int;
    usize => |number| Int(whole(number)?), int;
    f32 => |number| Float(number.into()), float;
    f64 => |number| Float(number), float;
    String => |text| Text(text), text;
    char => |letter| Text(letter.to_string()), text;
}

fn whole<N: TryInto<i64> + Copy + std::fmt::Display>(number: N) -> Result<i64> {
    number.try_into().map_err(|_| {
        Error::new(format!("{number} is a whole number of more than 64 bits"))
            .hint("Give it as text, or as `f64`")
    })
}

impl IntoValue for u8 {
    fn into_value(self) -> Result<Value> {
        Ok(Value::Int(self.into()))
    }

    // Bytes are a list of numbers to Rust, and one value to everybody else.
    fn list(items: Vec<Self>) -> Result<Value> {
        Ok(Value::Bytes(items))
    }
}

impl IntoValue for () {
    #[inline]
    fn into_value(self) -> Result<Value> {
        Ok(Value::Null)
    }

    #[cfg(not(target_family = "wasm"))]
    #[inline]
    fn reply(self, _to: &mut crate::native::Reply<'_>) -> Result<()> {
        Ok(())
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Result<Value> {
        Ok(Value::Text(self.to_owned()))
    }

    #[cfg(not(target_family = "wasm"))]
    #[inline]
    fn reply(self, to: &mut crate::native::Reply<'_>) -> Result<()> {
        to.lent_text(self);
        Ok(())
    }
}

impl IntoValue for &[u8] {
    fn into_value(self) -> Result<Value> {
        Ok(Value::Bytes(self.to_owned()))
    }

    #[cfg(not(target_family = "wasm"))]
    #[inline]
    fn reply(self, to: &mut crate::native::Reply<'_>) -> Result<()> {
        to.lent_bytes(self);
        Ok(())
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    #[inline]
    fn into_value(self) -> Result<Value> {
        T::list(self)
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    #[inline]
    fn into_value(self) -> Result<Value> {
        self.map_or(Ok(Value::Null), T::into_value)
    }

    #[cfg(not(target_family = "wasm"))]
    #[inline]
    fn reply(self, to: &mut crate::native::Reply<'_>) -> Result<()> {
        self.map_or(Ok(()), |some| some.reply(to))
    }
}

impl<T: IntoValue> IntoValue for Box<T> {
    fn into_value(self) -> Result<Value> {
        (*self).into_value()
    }
}

impl<T: IntoValue> IntoValue for BTreeMap<String, T> {
    fn into_value(self) -> Result<Value> {
        entries(self)
    }
}

/// In the order of their names, because that of a hash map differs from run to run.
impl<T: IntoValue, S> IntoValue for HashMap<String, T, S> {
    fn into_value(self) -> Result<Value> {
        entries(self.into_iter().collect::<BTreeMap<_, _>>())
    }
}

#[cfg(feature = "indexmap")]
impl<T: IntoValue, S> IntoValue for indexmap::IndexMap<String, T, S> {
    fn into_value(self) -> Result<Value> {
        entries(self)
    }
}

fn entries<T: IntoValue>(entries: impl IntoIterator<Item = (String, T)>) -> Result<Value> {
    let entries = entries.into_iter().map(|(name, value)| Ok((name, value.into_value()?)));
    Ok(Value::Map(Row::of(entries.collect::<Result<_>>()?)))
}

impl IntoValue for Row {
    #[inline]
    fn into_value(self) -> Result<Value> {
        Ok(Value::Map(self))
    }
}

impl IntoValue for Value {
    #[inline]
    fn into_value(self) -> Result<Value> {
        Ok(self)
    }
}

macro_rules! tuple {
    ($($item:ident),*) => {
        impl<$($item: IntoValue),*> IntoValue for ($($item,)*) {
            fn into_value(self) -> Result<Value> {
                #[expect(non_snake_case, reason = "the type's letter names the item as well")]
                let ($($item,)*) = self;
                Ok(Value::List(vec![$($item.into_value()?),*]))
            }
        }
    };
}

tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
tuple!(A, B, C, D, E, F);
