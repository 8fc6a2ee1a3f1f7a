//! Rust values as they cross into modules and back.
//!
//! A conversion loses nothing: what does not fit is an error that says what was expected and what was found.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use modrack_core::{Args, Code, Error, Map, Result, Text, Type, Value};

/// A Rust value that can be given to a module.
pub trait IntoValue {
    /// What it is, as signatures say it.
    fn value_type() -> Type;

    /// The value.
    fn into_value(self) -> Value;
}

/// A Rust value that can be made of what a module gives.
pub trait FromValue: Sized {
    /// What it is, as signatures say it.
    fn value_type() -> Type;

    /// Takes the value.
    ///
    /// # Errors
    /// [`Code::ValueDoesNotFit`] with what was expected and what was found.
    fn from_value(value: Value) -> Result<Self>;
}

/// The arguments of a call: a tuple of values, by position.
pub trait IntoArgs {
    /// The values, where they lie.
    type Values: AsRef<[Value]>;

    /// What they are; none when that is known only at run time.
    fn types() -> Option<Vec<Type>>;

    /// The values.
    fn into_values(self) -> Self::Values;
}

/// What a Rust function takes when it is called by name: a tuple of values, by position.
pub trait FromArgs: Sized {
    /// What they are.
    fn types() -> Vec<Type>;

    /// Takes the arguments.
    ///
    /// # Errors
    /// [`Code::BadArguments`] when there are too few, too many, or some do not fit.
    fn from_args(args: &Args<'_>) -> Result<Self>;
}

/// The failure of a value that is not what is wanted.
fn misfit(wanted: &Type, found: &Value) -> Error {
    let found = match found {
        Value::Foreign(object) => object.type_name(),
        value => value.type_name().to_owned(),
    };
    Error::new(Code::ValueDoesNotFit, format!("Expected `{wanted}`, found `{found}`"))
        .hint("Ask for `modrack::Value` to take whatever comes")
}

macro_rules! simple {
    ($($rust:ty, $ty:expr, $into:expr, $pattern:pat => $from:expr;)*) => {$(
        impl IntoValue for $rust {
            fn value_type() -> Type {
                $ty
            }

            fn into_value(self) -> Value {
                ($into)(self)
            }
        }

        impl FromValue for $rust {
            fn value_type() -> Type {
                $ty
            }

            fn from_value(value: Value) -> Result<Self> {
                match value {
                    $pattern => Ok($from),
                    other => Err(misfit(&$ty, &other)),
                }
            }
        }
    )*};
}

simple! {
    (), Type::Null, |()| Value::Null, Value::Null => ();
    bool, Type::Bool, Value::Bool, Value::Bool(value) => value;
    i64, Type::Int, Value::Int, Value::Int(value) => value;
    String, Type::Text, Value::from, Value::Text(value) => value.as_str().to_owned();
    Text, Type::Text, Value::Text, Value::Text(value) => value;
    Bytes, Type::Bytes, Value::Bytes, Value::Bytes(value) => value;
    Map, Type::Map(Box::new(Type::Any)), Value::from, Value::Map(value) => *value;
    RecordBatch, Type::Table, Value::from, Value::Table(value) => Arc::unwrap_or_clone(value);
}

impl IntoValue for Value {
    fn value_type() -> Type {
        Type::Any
    }

    fn into_value(self) -> Value {
        self
    }
}

impl FromValue for Value {
    fn value_type() -> Type {
        Type::Any
    }

    fn from_value(value: Value) -> Result<Self> {
        Ok(value)
    }
}

macro_rules! floats {
    ($($rust:ty),*) => {$(
        impl IntoValue for $rust {
            fn value_type() -> Type {
                Type::Float
            }

            fn into_value(self) -> Value {
                Value::Float(self.into())
            }
        }
    )*};
}
floats!(f64, f32);

impl FromValue for f64 {
    fn value_type() -> Type {
        Type::Float
    }

    /// A whole number is taken where a float can hold it exactly.
    fn from_value(value: Value) -> Result<Self> {
        const EXACT: i64 = 1 << 53;
        match value {
            Value::Float(value) => Ok(value),
            #[expect(clippy::cast_precision_loss, reason = "numbers up to 2^53 are exact")]
            Value::Int(value) if (-EXACT..=EXACT).contains(&value) => Ok(value as f64),
            other => Err(misfit(&Type::Float, &other)),
        }
    }
}

macro_rules! whole_numbers {
    ($($rust:ty),*) => {$(
        impl FromValue for $rust {
            fn value_type() -> Type {
                Type::Int
            }

            fn from_value(value: Value) -> Result<Self> {
                match value {
                    Value::Int(number) => Self::try_from(number).map_err(|_| {
                        let most = concat!("`", stringify!($rust), "`");
                        Error::new(Code::ValueDoesNotFit, format!("The number {number} does not fit {most}"))
                            .hint("Ask for `i64`, which holds every whole number that modules give")
                    }),
                    other => Err(misfit(&Type::Int, &other)),
                }
            }
        }
    )*};
}
whole_numbers!(i8, i16, i32, isize, u8, u16, u32, u64, usize);

macro_rules! small_numbers {
    ($($rust:ty),*) => {$(
        impl IntoValue for $rust {
            fn value_type() -> Type {
                Type::Int
            }

            fn into_value(self) -> Value {
                Value::Int(self.into())
            }
        }
    )*};
}
small_numbers!(i8, i16, i32, u8, u16, u32);

impl IntoValue for &str {
    fn value_type() -> Type {
        Type::Text
    }

    fn into_value(self) -> Value {
        self.into()
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn value_type() -> Type {
        Type::Option(Box::new(T::value_type()))
    }

    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn value_type() -> Type {
        Type::Option(Box::new(T::value_type()))
    }

    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn value_type() -> Type {
        Type::List(Box::new(T::value_type()))
    }

    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn value_type() -> Type {
        Type::List(Box::new(T::value_type()))
    }

    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::List(values) => values.into_iter().map(T::from_value).collect(),
            other => Err(misfit(&Self::value_type(), &other)),
        }
    }
}

impl<T: IntoValue> IntoValue for BTreeMap<String, T> {
    fn value_type() -> Type {
        Type::Map(Box::new(T::value_type()))
    }

    fn into_value(self) -> Value {
        Value::from(self.into_iter().map(|(key, value)| (key.into(), value.into_value())).collect::<Map>())
    }
}

impl<T: FromValue> FromValue for BTreeMap<String, T> {
    fn value_type() -> Type {
        Type::Map(Box::new(T::value_type()))
    }

    fn from_value(value: Value) -> Result<Self> {
        by_key(value)
    }
}

impl<T: IntoValue, S: BuildHasher> IntoValue for HashMap<String, T, S> {
    fn value_type() -> Type {
        Type::Map(Box::new(T::value_type()))
    }

    fn into_value(self) -> Value {
        Value::from(self.into_iter().map(|(key, value)| (key.into(), value.into_value())).collect::<Map>())
    }
}

impl<T: FromValue, S: BuildHasher + Default> FromValue for HashMap<String, T, S> {
    fn value_type() -> Type {
        Type::Map(Box::new(T::value_type()))
    }

    fn from_value(value: Value) -> Result<Self> {
        by_key(value)
    }
}

fn by_key<T: FromValue, M: FromIterator<(String, T)>>(value: Value) -> Result<M> {
    match value {
        Value::Map(map) => {
            map.into_iter().map(|(key, value)| Ok((key.as_str().to_owned(), T::from_value(value)?))).collect()
        }
        other => Err(misfit(&Type::Map(Box::new(T::value_type())), &other)),
    }
}

macro_rules! tuples {
    ($($count:literal: $($name:ident $value:ident),*;)*) => {$(
        impl<$($name: IntoValue),*> IntoArgs for ($($name,)*) {
            type Values = [Value; $count];

            fn types() -> Option<Vec<Type>> {
                Some(vec![$($name::value_type()),*])
            }

            fn into_values(self) -> Self::Values {
                let ($($value,)*) = self;
                [$($value.into_value()),*]
            }
        }

        impl<$($name: FromValue),*> FromArgs for ($($name,)*) {
            fn types() -> Vec<Type> {
                vec![$($name::value_type()),*]
            }

            fn from_args(args: &Args<'_>) -> Result<Self> {
                let [$($value),*] = counted(args)?;
                Ok(($(given($value)?,)*))
            }
        }
    )*};
}
tuples! {
    0: ;
    1: A a;
    2: A a, B b;
    3: A a, B b, C c;
    4: A a, B b, C c, D d;
    5: A a, B b, C c, D d, E e;
    6: A a, B b, C c, D d, E e, F f;
    7: A a, B b, C c, D d, E e, F f, G g;
    8: A a, B b, C c, D d, E e, F f, G g, H h;
}

/// Values that are known only at run time, by position.
impl IntoArgs for &[Value] {
    type Values = Self;

    fn types() -> Option<Vec<Type>> {
        None
    }

    fn into_values(self) -> Self::Values {
        self
    }
}

fn counted<'a, const N: usize>(args: &Args<'a>) -> Result<&'a [Value; N]> {
    if let Some((name, _)) = args.named.first() {
        return Err(Error::new(Code::BadArguments, format!("There is no parameter called `{name}`"))
            .hint("Functions of the host program take their arguments by position"));
    }
    args.positional.try_into().map_err(|_| {
        let plural = if N == 1 { "" } else { "s" };
        Error::new(
            Code::BadArguments,
            format!("The function takes {N} argument{plural}, {} given", args.positional.len()),
        )
        .hint("Give as many arguments as it takes")
    })
}

fn given<T: FromValue>(value: &Value) -> Result<T> {
    T::from_value(value.clone()).map_err(|error| {
        let arguments = Error::new(Code::BadArguments, error.message());
        match error.hint_text() {
            Some(hint) => arguments.hint(hint),
            None => arguments,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: FromValue + std::fmt::Debug + PartialEq>(value: Value, wanted: Result<T, &str>) {
        let got = T::from_value(value);
        match (&got, &wanted) {
            (Ok(got), Ok(wanted)) => assert_eq!(got, wanted),
            (Err(error), Err(message)) => {
                assert_eq!((error.code(), error.message()), (Code::ValueDoesNotFit, *message));
            }
            _ => panic!("{got:?}, not {wanted:?}"),
        }
    }

    #[test]
    fn a_value_becomes_what_is_asked_for_or_an_error() {
        check(Value::Int(3), Ok(3_i64));
        check(Value::Int(300), Err::<u8, _>("The number 300 does not fit `u8`"));
        check(Value::Int(1 << 53), Ok(9_007_199_254_740_992.0));
        check(Value::Int((1 << 53) + 1), Err::<f64, _>("Expected `float`, found `int`"));
        check(Value::Null, Ok(None::<String>));
        check(Value::from("a"), Ok(Some("a".to_owned())));
        check(vec![1_i64, 2].into_value(), Ok(vec![1_i32, 2]));
        check(Value::from("a"), Err::<Vec<i64>, _>("Expected `list<int>`, found `text`"));
        let map = HashMap::from([("x".to_owned(), 1_i64)]);
        check(map.clone().into_value(), Ok(map));
    }

    #[test]
    fn arguments_are_counted() {
        let error = <(i64, i64)>::from_args(&Args { positional: &[Value::Int(1)], named: &[] }).unwrap_err();
        assert_eq!(error.message(), "The function takes 2 arguments, 1 given");
        let both = (1_i64, "x").into_values();
        assert_eq!(
            <(i64, String)>::from_args(&Args { positional: &both, named: &[] }).unwrap(),
            (1, "x".into())
        );
    }
}
