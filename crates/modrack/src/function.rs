//! Functions of slots with Rust types, and the check that they can be had with these.

use std::marker::PhantomData;

use modrack_core::{Args, Call, Cancel, Code, Error, ParamKind, Result, Signature, SlotName, Type};
use modrack_runtime::Bound;

use crate::values::{FromValue, IntoArgs};

/// A function of a slot that takes `A` and gives `R`. It stays good whatever comes to fill the slot.
pub struct Function<A, R> {
    bound: Bound,
    types: PhantomData<fn(A) -> R>,
}

impl<A: IntoArgs, R: FromValue> Function<A, R> {
    /// Gives a bound function its types.
    ///
    /// # Errors
    /// [`Code::BadArguments`] or [`Code::WrongResult`] when its signature is known and cannot fit them.
    pub(crate) fn new(name: Option<&str>, bound: Bound) -> Result<Self> {
        if let Some(signature) = bound.signature() {
            let name = match name {
                Some(name) => name.to_owned(),
                None => bound.name()?,
            };
            fits::<A, R>(&name, &signature).map_err(|error| error.slot(bound.slot()))?;
        }
        Ok(Self { bound, types: PhantomData })
    }

    /// Calls it.
    ///
    /// # Errors
    /// What the call failed with, and a result that is not an `R`.
    pub fn call(&self, args: A) -> Result<R> {
        let values = args.into_values();
        self.result(Call::new(values.as_ref()))
    }

    /// Calls it so that another thread can give the call up.
    ///
    /// # Errors
    /// As [`Function::call`], and [`Code::Cancelled`].
    pub fn call_until(&self, args: A, cancel: &Cancel) -> Result<R> {
        let values = args.into_values();
        let args = Args { positional: values.as_ref(), named: &[] };
        self.result(Call { args, cancel: Some(cancel), ..Call::default() })
    }

    /// The slot.
    pub fn slot(&self) -> &SlotName {
        self.bound.slot()
    }

    /// The function without its types.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// The result of a call, as an `R`.
    pub(crate) fn result(&self, call: Call<'_>) -> Result<R> {
        R::from_value(self.bound.call(call)?)
            .map_err(|error| error.slot(self.bound.slot()).phase(modrack_core::Phase::Call))
    }
}

impl<A, R> Clone for Function<A, R> {
    fn clone(&self) -> Self {
        Self { bound: self.bound.clone(), types: PhantomData }
    }
}

/// Whether a function of this signature can be called with `A` and give an `R`.
fn fits<A: IntoArgs, R: FromValue>(name: &str, signature: &Signature) -> Result<()> {
    let hint = || format!("Its signature is `{name}{signature}`");
    if let Some(types) = A::types() {
        let (least, most) = signature.arity();
        let named_only = signature.params.iter().find(|p| p.kind == ParamKind::Named && p.is_required());
        if types.len() < least || most.is_some_and(|most| types.len() > most) {
            let message = format!("`{name}` cannot be called with {}", counted(types.len()));
            return Err(Error::new(Code::BadArguments, message).hint(hint()));
        }
        if let Some(param) = named_only {
            let message = format!("`{name}` takes `{}` by name only", param.name);
            return Err(Error::new(Code::BadArguments, message).hint(hint()));
        }
        let by_position = signature.params.iter().filter(|p| p.kind != ParamKind::Named);
        for (param, given) in by_position.zip(&types) {
            if !matches!(param.kind, ParamKind::Rest | ParamKind::NamedRest) && !meets(given, &param.ty) {
                let message =
                    format!("`{}` of `{name}` takes `{}`, and is given `{given}`", param.name, param.ty);
                return Err(Error::new(Code::BadArguments, message).hint(hint()));
            }
        }
    }
    let wanted = R::value_type();
    if !signature.is_generator && !meets(&signature.result, &wanted) {
        let message = format!("`{name}` gives `{}`, and `{wanted}` is asked for", signature.result);
        return Err(Error::new(Code::WrongResult, message).hint(hint()));
    }
    Ok(())
}

/// Whether some value of type `given` is one of type `wanted`. What is known by name only may be anything.
fn meets(given: &Type, wanted: &Type) -> bool {
    match (given, wanted) {
        (Type::Any | Type::Class(_) | Type::Resource(_), _)
        | (_, Type::Any | Type::Class(_) | Type::Resource(_))
        | (Type::Int, Type::Float) => true,
        (Type::Union(types), wanted) => types.iter().any(|ty| meets(ty, wanted)),
        (given, Type::Union(types)) => types.iter().any(|ty| meets(given, ty)),
        (Type::Option(given), Type::Option(wanted)) => meets(given, wanted),
        (Type::Option(given), wanted) => meets(given, wanted) || *wanted == Type::Null,
        (given, Type::Option(wanted)) => meets(given, wanted) || *given == Type::Null,
        (Type::Result(given, _), wanted) => meets(given, wanted),
        (given, Type::Result(wanted, _)) => meets(given, wanted),
        (Type::List(given) | Type::Stream(given), Type::List(wanted) | Type::Stream(wanted)) => {
            meets(given, wanted)
        }
        (Type::Tuple(given), Type::List(wanted)) => given.iter().all(|given| meets(given, wanted)),
        (Type::List(given), Type::Tuple(wanted)) => wanted.iter().all(|wanted| meets(given, wanted)),
        (Type::Tuple(given), Type::Tuple(wanted)) => {
            given.len() == wanted.len()
                && given.iter().zip(wanted).all(|(given, wanted)| meets(given, wanted))
        }
        (Type::Map(given), Type::Map(wanted)) => meets(given, wanted),
        (Type::Record(_), Type::Map(_)) | (Type::Map(_), Type::Record(_)) => true,
        (Type::Enum(_), Type::Text) | (Type::Text, Type::Enum(_)) => true,
        (Type::Flags(_), Type::List(_)) | (Type::List(_), Type::Flags(_)) => true,
        (Type::Variant(_), _) | (_, Type::Variant(_)) => true,
        (given, wanted) => given == wanted,
    }
}

fn counted(arguments: usize) -> String {
    match arguments {
        0 => "no argument".to_owned(),
        1 => "1 argument".to_owned(),
        more => format!("{more} arguments"),
    }
}
