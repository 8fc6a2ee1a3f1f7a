//! Results as they come out of typed calls, and how a result and its failure stand together there.

use std::marker::PhantomData;

use modrack_core::{Error, Value};
use wasmtime::component::{ComponentNamedList, Lift};

use crate::bounds::Crossing;
use crate::function::failed;
use crate::seat::Seat;
use crate::wire::{ErrorOut, TableOut, ValueOut};

/// A result as it comes out of a typed call.
pub(super) trait Gives: Lift + Send + Sync + 'static {
    /// How it crosses.
    const CROSSING: Crossing = Crossing::Typed;
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
    (): _value => Value::Null;
}

impl Gives for Vec<i64> {
    fn give(self, seat: &Seat) -> Result<Value, Error> {
        list(self, Value::Int, 0, seat)
    }
}

impl Gives for Vec<f64> {
    fn give(self, seat: &Seat) -> Result<Value, Error> {
        list(self, Value::Float, 0, seat)
    }
}

impl Gives for Vec<String> {
    const CROSSING: Crossing = Crossing::Texts;

    fn give(self, seat: &Seat) -> Result<Value, Error> {
        // Each text is made with two counts before it.
        let texts = self.iter().map(|text| (text.len() + 2 * size_of::<usize>()) as u64).sum();
        list(self, Value::from, texts, seat)
    }
}

/// A list of values, made beside the `items`; these hold so many bytes `elsewhere`.
fn list<T>(items: Vec<T>, value: fn(T) -> Value, elsewhere: u64, seat: &Seat) -> Result<Value, Error> {
    let each = (size_of::<T>() + size_of::<Value>()) as u64;
    seat.bounds.room(items.len(), (items.len() as u64).saturating_mul(each).saturating_add(elsewhere))?;
    Ok(Value::List(items.into_iter().map(value).collect()))
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
    /// How the result crosses.
    const CROSSING: Crossing;
    fn outcome(back: Self::Back, seat: &Seat) -> Result<Value, Error>;
}

impl<R: Gives> Form for Plain<R> {
    type Back = (R,);
    const CROSSING: Crossing = R::CROSSING;
    fn outcome((value,): (R,), seat: &Seat) -> Result<Value, Error> {
        value.give(seat)
    }
}

impl<R: Gives> Form for OrError<R> {
    type Back = (Result<R, ErrorOut>,);
    const CROSSING: Crossing = R::CROSSING;
    fn outcome((result,): Self::Back, seat: &Seat) -> Result<Value, Error> {
        result.map_err(ErrorOut::error)?.give(seat)
    }
}

impl<R: Gives> Form for OrText<R> {
    type Back = (Result<R, String>,);
    const CROSSING: Crossing = R::CROSSING;
    fn outcome((result,): Self::Back, seat: &Seat) -> Result<Value, Error> {
        result.map_err(|text| failed(&text))?.give(seat)
    }
}

/// Nothing at all.
pub(super) struct Void;

impl Form for Void {
    type Back = ();
    const CROSSING: Crossing = Crossing::Typed;
    fn outcome((): (), _seat: &Seat) -> Result<Value, Error> {
        Ok(Value::Null)
    }
}
