//! Parameters as they go into typed calls: those that own what they hold, and those that are read where they lie.

use modrack_core::{Error, Value};
use wasmtime::component::{ComponentNamedList, Lower, ResourceAny, TypedFunc};

use crate::error::misfit;
use crate::handle;
use crate::lower::float;
use crate::module::Plan;
use crate::seat::Seat;
use crate::shape::Shape;
use crate::wire::{TableOut, ValueIn};

/// Parameters that own what they hold, so that the typed function is looked up once.
pub(super) trait Scalars: Sized + ComponentNamedList + Lower + Send + Sync + 'static {
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

/// Parameters that are read where they lie.
pub(super) trait Lent: Send + Sync + 'static {
    type In<'a>: ComponentNamedList + Lower + Send + Sync;
    fn of<'a>(args: &'a [Value], plan: &Plan, seat: &Seat) -> Result<Self::In<'a>, Error>;
    /// The typed function that was looked up once, for parameters that live as long as a call: what it takes for ever
    /// it takes for less.
    fn lent<'a, R>(kept: TypedFunc<Self::In<'static>, R>) -> TypedFunc<Self::In<'a>, R>;
}

macro_rules! lent {
    ($($(#[$doc:meta])* $name:ident, $in:ty: ($args:ident, $plan:ident, $seat:ident) => $make:expr;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl Lent for $name {
            type In<'a> = $in;
            fn of<'a>($args: &'a [Value], $plan: &Plan, $seat: &Seat) -> Result<Self::In<'a>, Error> {
                $make
            }
            fn lent<'a, R>(kept: TypedFunc<Self::In<'static>, R>) -> TypedFunc<Self::In<'a>, R> {
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
    /// Whole numbers.
    OneInts, (Vec<i64>,): (args, plan, _seat) => Ok((items(args, plan, |value| match value {
        Value::Int(number) => Some(*number),
        _ => None,
    })?,));
    /// Numbers.
    OneFloats, (Vec<f64>,): (args, plan, _seat) => Ok((items(args, plan, float)?,));
    /// Texts.
    OneTexts, (Vec<&'a str>,): (args, plan, _seat) => Ok((items(args, plan, Value::as_text)?,));
    /// However many values.
    AllValues, (Vec<ValueIn<'a>>,): (args, plan, seat) => match args.first() {
        Some(Value::List(values)) => {
            Ok((values.iter().map(|item| value(item, seat)).collect::<Result<_, _>>()?,))
        }
        other => Err(wrong(plan, 0, "list<any>", other.unwrap_or(&Value::Null))),
    };
}

/// A table.
pub(super) struct OneTable;

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
pub(super) struct OneHandle;

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
pub(super) struct Nothing;

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

fn value<'a>(value: &'a Value, seat: &Seat) -> Result<ValueIn<'a>, Error> {
    ValueIn::of(value, &mut |bytes| seat.copied(bytes))
}

/// The items of the only argument, a list.
fn items<'a, T>(
    args: &'a [Value],
    plan: &Plan,
    item: impl Fn(&'a Value) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let shape = plan.params.first();
    let Some(Value::List(values)) = args.first() else {
        let wanted = shape.map(Shape::shown).unwrap_or_default();
        return Err(wrong(plan, 0, &wanted, args.first().unwrap_or(&NULL)));
    };
    let misfit_at = |at: usize, value: &Value| {
        let name = plan.info.signature.params.first().map_or("", |param| param.name.as_str());
        let wanted = match shape {
            Some(Shape::List(item)) => item.shown(),
            _ => String::new(),
        };
        misfit(&format!("`{name}`[{at}]"), &wanted, &format!("`{}`", value.type_name()))
    };
    values.iter().enumerate().map(|(at, value)| item(value).ok_or_else(|| misfit_at(at, value))).collect()
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
