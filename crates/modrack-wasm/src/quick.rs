//! Typed calls for the shapes that are called most: whole numbers, numbers, texts, bytes, values and tables. They
//! convert nothing that need not be, and bytes cross in one copy each way. Every other shape goes by dynamic values.

use std::marker::PhantomData;
use std::sync::Arc;

use modrack_core::{Error, Value};
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Func, Lift, Lower, ResourceAny, TypedFunc};

use crate::data::Data;
use crate::error::misfit;
use crate::function::failed;
use crate::handle;
use crate::lower::float;
use crate::module::{Fails, Plan};
use crate::seat::{Failed, Live, Seat};
use crate::shape::{IntKind, Shape};
use crate::wire::{ErrorOut, TableOut, ValueIn, ValueOut};

/// A function bound to a typed call.
pub(crate) trait Quick: Send + Sync {
    /// Calls it with one argument for each parameter.
    fn call(&self, live: &mut Live, args: &[Value], plan: &Plan, seat: &Arc<Seat>) -> Result<Value, Failed>;
}

/// The typed call that fits a function: how to bind it in a store.
#[derive(Clone, Copy)]
pub(crate) struct Shortcut(Bind);

type Bind = fn(Func, &Store<Data>) -> Option<Box<dyn Quick>>;

impl Shortcut {
    /// Binds a function.
    pub(crate) fn bind(self, func: Func, store: &Store<Data>) -> Option<Box<dyn Quick>> {
        (self.0)(func, store)
    }

    /// The shortcut for these parameters and this result, where there is one.
    pub(crate) fn find(params: &[Shape], result: Option<&Shape>, fails: &Fails) -> Option<Self> {
        use Letter::{
            Bool, Bytes, Float, Handle, Int, MaybeText, MaybeValue, Table, Text, Unit, Value, Values,
        };
        let params: Vec<Letter> = params.iter().map(Letter::of).collect::<Option<_>>()?;
        let result = result.map_or(Some(Unit), Letter::of)?;
        Some(match (params.as_slice(), result) {
            ([], Int) => held::<(), i64>(fails)?,
            ([], Float) => held::<(), f64>(fails)?,
            ([Int], Int) => held::<(i64,), i64>(fails)?,
            ([Int, Int], Int) => held::<(i64, i64), i64>(fails)?,
            ([Int, Int, Int], Int) => held::<(i64, i64, i64), i64>(fails)?,
            ([Int], Bool) => held::<(i64,), bool>(fails)?,
            ([Float], Float) => held::<(f64,), f64>(fails)?,
            ([Float, Float], Float) => held::<(f64, f64), f64>(fails)?,
            ([Bool], Bool) => held::<(bool,), bool>(fails)?,
            ([], Unit) => lent::<Nothing, ()>(fails)?,
            ([], Text) => lent::<Nothing, String>(fails)?,
            ([], Value) => lent::<Nothing, ValueOut>(fails)?,
            ([Text], Text) => lent::<OneText, String>(fails)?,
            ([Text], Int) => lent::<OneText, i64>(fails)?,
            ([Text], Bool) => lent::<OneText, bool>(fails)?,
            ([Text, Text], Text) => lent::<TwoTexts, String>(fails)?,
            ([Bytes], Bytes) => lent::<OneBytes, Vec<u8>>(fails)?,
            ([Bytes], Text) => lent::<OneBytes, String>(fails)?,
            ([Bytes], Int) => lent::<OneBytes, i64>(fails)?,
            ([Table], Table) => lent::<OneTable, TableOut>(fails)?,
            ([Table], Value) => lent::<OneTable, ValueOut>(fails)?,
            ([Value], Value) => lent::<OneValue, ValueOut>(fails)?,
            ([Value], Unit) => lent::<OneValue, ()>(fails)?,
            ([Value, MaybeText], Unit) => lent::<ValueAndText, ()>(fails)?,
            ([Values], Value) => lent::<AllValues, ValueOut>(fails)?,
            ([Handle], MaybeValue) => lent::<OneHandle, Option<ValueOut>>(fails)?,
            _ => return None,
        })
    }
}

/// What a parameter or a result is, of the types that typed calls are made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    Unit,
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    Table,
    Value,
    Values,
    MaybeText,
    MaybeValue,
    Handle,
}

impl Letter {
    fn of(shape: &Shape) -> Option<Self> {
        Some(match shape {
            Shape::Bool => Self::Bool,
            Shape::Int(IntKind::S64) => Self::Int,
            Shape::F64 => Self::Float,
            Shape::Text => Self::Text,
            Shape::Bytes => Self::Bytes,
            Shape::Table => Self::Table,
            Shape::Any => Self::Value,
            Shape::List(item) if **item == Shape::Any => Self::Values,
            Shape::Option(some) if **some == Shape::Text => Self::MaybeText,
            Shape::Option(some) if **some == Shape::Any => Self::MaybeValue,
            Shape::Borrow(_) => Self::Handle,
            _ => return None,
        })
    }
}

/// A result as it comes out of a typed call.
trait Gives: Lift + Send + Sync + 'static {
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
struct Plain<R>(PhantomData<R>);
/// A result, or an `error`.
struct OrError<R>(PhantomData<R>);
/// A result, or a text.
struct OrText<R>(PhantomData<R>);

/// How a result and its failure stand together in a typed call.
trait Form: Send + Sync + 'static {
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
struct Void;

impl Form for Void {
    type Back = ();
    fn outcome((): (), _seat: &Seat) -> Result<Value, Error> {
        Ok(Value::Null)
    }
}

/// Parameters that own what they hold, so that the typed function is looked up once.
trait Scalars: Sized + ComponentNamedList + Lower + Send + Sync + 'static {
    fn of(args: &[Value], plan: &Plan) -> Result<Self, Error>;
}

trait Scalar: Sized {
    fn scalar(value: &Value, plan: &Plan, at: usize) -> Result<Self, Error>;
}

impl Scalar for i64 {
    fn scalar(value: &Value, plan: &Plan, at: usize) -> Result<Self, Error> {
        match value {
            Value::Int(value) => Ok(*value),
            other => Err(wrong(plan, at, "int", other)),
        }
    }
}

impl Scalar for f64 {
    fn scalar(value: &Value, plan: &Plan, at: usize) -> Result<Self, Error> {
        float(value).ok_or_else(|| wrong(plan, at, "float", value))
    }
}

impl Scalar for bool {
    fn scalar(value: &Value, plan: &Plan, at: usize) -> Result<Self, Error> {
        match value {
            Value::Bool(value) => Ok(*value),
            other => Err(wrong(plan, at, "bool", other)),
        }
    }
}

macro_rules! scalars {
    ($($($name:ident $at:literal),*;)*) => {$(
        impl<$($name: Scalar + wasmtime::component::ComponentType + Lower + Send + Sync + 'static),*> Scalars for ($($name,)*) {
            fn of(args: &[Value], plan: &Plan) -> Result<Self, Error> {
                // Arguments were counted when they were put in their places.
                let _ = (args, plan);
                Ok(($($name::scalar(args.get($at).unwrap_or(&Value::Null), plan, $at)?,)*))
            }
        }
    )*};
}
scalars! {
    ;
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
}

/// A call whose typed function is kept.
struct Held<P, F: Form>(TypedFunc<P, F::Back>);

impl<P: Scalars, F: Form> Quick for Held<P, F> {
    fn call(&self, live: &mut Live, args: &[Value], plan: &Plan, seat: &Arc<Seat>) -> Result<Value, Failed> {
        let params = P::of(args, plan)?;
        let back = self.0.call(&mut live.store, params)?;
        Ok(F::outcome(back, seat)?)
    }
}

/// Parameters that are read where they lie.
trait Lent: Send + Sync + 'static {
    type In<'a>: ComponentNamedList + Lower + Send + Sync;
    fn of<'a>(args: &'a [Value], plan: &Plan, seat: &Seat) -> Result<Self::In<'a>, Error>;
    /// The typed function that was looked up once, for parameters that live as long as a call: what it takes for ever
    /// it takes for less.
    fn lent<'a, R>(kept: TypedFunc<Self::In<'static>, R>) -> TypedFunc<Self::In<'a>, R>;
}

macro_rules! lent {
    ($($(#[$doc:meta])* $name:ident, $in:ty: ($args:ident, $plan:ident, $seat:ident) => $make:expr;)*) => {$(
        $(#[$doc])*
        struct $name;

        impl Lent for $name {
            type In<'a> = $in;
            fn of<'a>($args: &'a [Value], $plan: &Plan, $seat: &Seat) -> Result<$in, Error> {
                $make
            }
            fn lent<'a, R>(kept: TypedFunc<Self::In<'static>, R>) -> TypedFunc<$in, R> {
                kept
            }
        }
    )*};
}
lent! {
    /// A text.
    OneText, (&'a str,): (args, plan, _seat) => Ok((text(args, 0, plan)?,));
    /// Two texts.
    TwoTexts, (&'a str, &'a str): (args, plan, _seat) => Ok((text(args, 0, plan)?, text(args, 1, plan)?));
    /// Bytes.
    OneBytes, (&'a [u8],): (args, plan, _seat) => match args.first() {
        Some(Value::Bytes(bytes)) => Ok((&bytes[..],)),
        other => Err(wrong(plan, 0, "bytes", other.unwrap_or(&Value::Null))),
    };
    /// Any value.
    OneValue, (ValueIn<'a>,): (args, _plan, seat) => Ok((value(args.first().unwrap_or(&NULL), seat)?,));
    /// Any value, and a text or nothing.
    ValueAndText, (ValueIn<'a>, Option<&'a str>): (args, plan, seat) => Ok((
        value(args.first().unwrap_or(&NULL), seat)?,
        match args.get(1) {
            None | Some(Value::Null) => None,
            Some(_) => Some(text(args, 1, plan)?),
        },
    ));
    /// However many values.
    AllValues, (Vec<ValueIn<'a>>,): (args, plan, seat) => match args.first() {
        Some(Value::List(values)) => {
            Ok((values.iter().map(|item| value(item, seat)).collect::<Result<_, _>>()?,))
        }
        other => Err(wrong(plan, 0, "list<any>", other.unwrap_or(&Value::Null))),
    };
}

/// A table.
struct OneTable;

impl Lent for OneTable {
    type In<'a> = (TableOut,);
    fn of(args: &[Value], plan: &Plan, seat: &Seat) -> Result<(TableOut,), Error> {
        match args.first() {
            Some(Value::Table(batch)) => {
                let ipc = crate::table::write(batch)?;
                seat.copied(ipc.len() as u64);
                Ok((TableOut { ipc },))
            }
            other => Err(wrong(plan, 0, "table", other.unwrap_or(&Value::Null))),
        }
    }
    fn lent<'a, R>(kept: TypedFunc<Self::In<'static>, R>) -> TypedFunc<Self::In<'a>, R> {
        kept
    }
}

/// A resource that stays with the caller.
struct OneHandle;

impl Lent for OneHandle {
    type In<'a> = (ResourceAny,);
    fn of(args: &[Value], plan: &Plan, seat: &Seat) -> Result<(ResourceAny,), Error> {
        let given = args.first().unwrap_or(&NULL);
        match given {
            Value::Foreign(object) => handle::resource(object, seat, false),
            _ => None,
        }
        .unwrap_or_else(|| Err(wrong(plan, 0, "a resource of this component", given)))
        .map(|any| (any,))
    }
    fn lent<'a, R>(kept: TypedFunc<Self::In<'static>, R>) -> TypedFunc<Self::In<'a>, R> {
        kept
    }
}

/// No parameter.
struct Nothing;

impl Lent for Nothing {
    type In<'a> = ();
    fn of(_args: &[Value], _plan: &Plan, _seat: &Seat) -> Result<(), Error> {
        Ok(())
    }
    fn lent<'a, R>(kept: TypedFunc<Self::In<'static>, R>) -> TypedFunc<Self::In<'a>, R> {
        kept
    }
}

static NULL: Value = Value::Null;

/// A call whose parameters are lent.
struct Borrowed<P: Lent, F: Form>(TypedFunc<P::In<'static>, F::Back>);

impl<P: Lent, F: Form> Quick for Borrowed<P, F> {
    fn call(&self, live: &mut Live, args: &[Value], plan: &Plan, seat: &Arc<Seat>) -> Result<Value, Failed> {
        let params = P::of(args, plan, seat)?;
        let back = P::lent(self.0).call(&mut live.store, params)?;
        Ok(F::outcome(back, seat)?)
    }
}

fn held<P: Scalars, R: Gives>(fails: &Fails) -> Option<Shortcut> {
    fn bind<P: Scalars, F: Form>(func: Func, store: &Store<Data>) -> Option<Box<dyn Quick>> {
        Some(Box::new(Held::<P, F>(func.typed(store).ok()?)))
    }
    Some(Shortcut(match fails {
        Fails::Never => bind::<P, Plain<R>>,
        Fails::Error => bind::<P, OrError<R>>,
        Fails::Text => bind::<P, OrText<R>>,
        Fails::Other(_) => return None,
    }))
}

fn lent<P: Lent, R: Gives>(fails: &Fails) -> Option<Shortcut> {
    fn bind<P: Lent, F: Form>(func: Func, store: &Store<Data>) -> Option<Box<dyn Quick>> {
        Some(Box::new(Borrowed::<P, F>(func.typed(store).ok()?)))
    }
    let nothing = std::any::TypeId::of::<R>() == std::any::TypeId::of::<()>();
    Some(Shortcut(match fails {
        Fails::Never if nothing => bind::<P, Void>,
        Fails::Never => bind::<P, Plain<R>>,
        Fails::Error => bind::<P, OrError<R>>,
        Fails::Text => bind::<P, OrText<R>>,
        Fails::Other(_) => return None,
    }))
}

fn value<'a>(value: &'a Value, seat: &Seat) -> Result<ValueIn<'a>, Error> {
    ValueIn::of(value, &mut |bytes| seat.copied(bytes))
}

fn text<'a>(args: &'a [Value], at: usize, plan: &Plan) -> Result<&'a str, Error> {
    match args.get(at) {
        Some(Value::Text(text)) => Ok(text),
        other => Err(wrong(plan, at, "text", other.unwrap_or(&Value::Null))),
    }
}

fn wrong(plan: &Plan, at: usize, wanted: &str, found: &Value) -> Error {
    let name = plan.info.signature.params.get(at).map_or("", |param| param.name.as_str());
    misfit(&format!("`{name}` of `{}`", plan.info.name), wanted, &format!("`{}`", found.type_name()))
}
