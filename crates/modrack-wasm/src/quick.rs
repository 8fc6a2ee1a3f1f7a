//! Typed calls for the shapes that are called most: whole numbers, numbers, texts, lists of these, bytes, values and
//! tables. They convert nothing that need not be, and bytes cross in one copy each way. Every other shape goes by dynamic
//! values.

mod gives;
mod takes;

use std::sync::Arc;

use modrack_core::Value;
use wasmtime::Store;
use wasmtime::component::{Func, TypedFunc};

use crate::bounds::Crossing;
use crate::data::Data;
use crate::module::{Fails, Plan};
use crate::seat::{Failed, Live, Seat};
use crate::shape::{IntKind, Shape};
use crate::wire::{TableOut, ValueOut};
use gives::{Form, Gives, OrError, OrText, Plain, Void};
use takes::{
    AllValues, Lent, Nothing, OneBytes, OneFloats, OneHandle, OneInts, OneTable, OneText, OneTexts, OneValue,
    Scalars, TwoTexts, ValueAndText,
};

/// A function bound to a typed call.
pub(crate) trait Quick: Send + Sync {
    /// How its result crosses.
    fn crossing(&self) -> Crossing;

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
            Bool, Bytes, Float, Floats, Handle, Int, Ints, MaybeText, MaybeValue, Table, Text, Texts, Unit,
            Value, Values,
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
            ([Int], Bytes) => held::<(i64,), Vec<u8>>(fails)?,
            ([Text], Bytes) => lent::<OneText, Vec<u8>>(fails)?,
            ([], Ints) => lent::<Nothing, Vec<i64>>(fails)?,
            ([Ints], Int) => lent::<OneInts, i64>(fails)?,
            ([Ints], Ints) => lent::<OneInts, Vec<i64>>(fails)?,
            ([], Floats) => lent::<Nothing, Vec<f64>>(fails)?,
            ([Floats], Float) => lent::<OneFloats, f64>(fails)?,
            ([Floats], Floats) => lent::<OneFloats, Vec<f64>>(fails)?,
            ([], Texts) => lent::<Nothing, Vec<String>>(fails)?,
            ([Text], Texts) => lent::<OneText, Vec<String>>(fails)?,
            ([Texts], Text) => lent::<OneTexts, String>(fails)?,
            ([Texts], Texts) => lent::<OneTexts, Vec<String>>(fails)?,
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
    Ints,
    Floats,
    Texts,
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
            Shape::List(item) => match **item {
                Shape::Any => Self::Values,
                Shape::Int(IntKind::S64) => Self::Ints,
                Shape::F64 => Self::Floats,
                Shape::Text => Self::Texts,
                _ => return None,
            },
            Shape::Option(some) if **some == Shape::Text => Self::MaybeText,
            Shape::Option(some) if **some == Shape::Any => Self::MaybeValue,
            Shape::Borrow(_) => Self::Handle,
            _ => return None,
        })
    }
}

/// A call whose typed function is kept.
struct Held<P, F: Form>(TypedFunc<P, F::Back>);

impl<P: Scalars, F: Form> Quick for Held<P, F> {
    fn crossing(&self) -> Crossing {
        F::CROSSING
    }

    fn call(&self, live: &mut Live, args: &[Value], plan: &Plan, seat: &Arc<Seat>) -> Result<Value, Failed> {
        let params = P::of(args, plan)?;
        let back = self.0.call(&mut live.store, params)?;
        Ok(F::outcome(back, seat)?)
    }
}

/// A call whose parameters are lent.
struct Borrowed<P: Lent, F: Form>(TypedFunc<P::In<'static>, F::Back>);

impl<P: Lent, F: Form> Quick for Borrowed<P, F> {
    fn crossing(&self) -> Crossing {
        F::CROSSING
    }

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
