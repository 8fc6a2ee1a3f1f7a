//! Results as they come out of typed calls, and how a result and its failure stand together there.

use std::marker::PhantomData;

use modrack_core::{Error, Value};
use wasmtime::component::{ComponentNamedList, Lift};

use crate::function::failed;
use crate::seat::Seat;
use crate::wire::{ErrorOut, TableOut, ValueOut};

/// A result as it comes out of a typed call.
pub(super) trait Gives: Lift + Send + Sync + 'static {
    fn give(self, seat: &Seat) -> Result<Value, Error>;
}

macro_rules! gives {
    ($($ty:ty: $value:ident => $given:expr;)*) => {$(
        impl Gives for $ty {
            fn give(self, _seat: &Seat) -> Result<Value, Error> {
                let $value = self;
                Ok($given)
            }
        }
    )*};
}
gives! {
    bool: value => Value::Bool(value);
    i64: value => Value::Int(value);
    f64: value => Value::Float(value);
    String: value => Value::from(value);
    Vec<u8>: value => Value::Bytes(value.into());
    Vec<i64>: values => Value::List(values.into_iter().map(Value::Int).collect());
    Vec<f64>: values => Value::List(values.into_iter().map(Value::Float).collect());
    Vec<String>: values => Value::List(values.into_iter().map(Value::from).collect());
    (): _value => Value::Null;
}

impl Gives for TableOut {
    fn give(self, seat: &Seat) -> Result<Value, Error> {
        seat.copied(self.ipc.len() as u64);
        crate::table::read(self.ipc)
    }
}

impl Gives for ValueOut {
    fn give(self, seat: &Seat) -> Result<Value, Error> {
        self.value(&mut |bytes| seat.copied(bytes))
    }
}

impl Gives for Option<ValueOut> {
    fn give(self, seat: &Seat) -> Result<Value, Error> {
        self.map_or(Ok(Value::Null), |value| value.give(seat))
    }
}

/// A result that is there for sure.
pub(super) struct Plain<R>(PhantomData<R>);
/// A result, or an `error`.
pub(super) struct OrError<R>(PhantomData<R>);
/// A result, or a text.
pub(super) struct OrText<R>(PhantomData<R>);

/// How a result and its failure stand together in a typed call.
pub(super) trait Form: Send + Sync + 'static {
    type Back: ComponentNamedList + Lift + Send + Sync + 'static;
    fn outcome(back: Self::Back, seat: &Seat) -> Result<Value, Error>;
}

impl<R: Gives> Form for Plain<R> {
    type Back = (R,);
    fn outcome((value,): (R,), seat: &Seat) -> Result<Value, Error> {
        value.give(seat)
    }
}

impl<R: Gives> Form for OrError<R> {
    type Back = (Result<R, ErrorOut>,);
    fn outcome((result,): Self::Back, seat: &Seat) -> Result<Value, Error> {
        result.map_err(ErrorOut::error)?.give(seat)
    }
}

impl<R: Gives> Form for OrText<R> {
    type Back = (Result<R, String>,);
    fn outcome((result,): Self::Back, seat: &Seat) -> Result<Value, Error> {
        result.map_err(|text| failed(&text))?.give(seat)
    }
}

/// Nothing at all.
pub(super) struct Void;

impl Form for Void {
    type Back = ();
    fn outcome((): (), _seat: &Seat) -> Result<Value, Error> {
        Ok(Value::Null)
    }
}
