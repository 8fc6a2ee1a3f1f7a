//! Functions of native modules: arguments held against the signature, the call, the result held against it.
//!
//! A call of a few scalars allocates nothing and takes no lock.

#![expect(unsafe_code, reason = "a module's functions are called through C's interface")]

use std::mem::MaybeUninit;
use std::sync::Arc;

use modrack_abi::{FunctionFn, Output, STATUS_OK, TAG_FLOAT, TAG_INT, Value as Raw};
use modrack_core::{
    Call, Code, Error, Function, Param, ParamKind, Phase, Result, Results, Signature, Type, Value,
    bind_arguments, misfit,
};

use crate::context::{self, CallContext};
use crate::failure;
use crate::instance::Inner;
use crate::lift::{self, Source};
use crate::lower::Room;

/// So many arguments go without an allocation.
const FEW: usize = 8;

/// A function of an instance.
pub(crate) struct NativeFunction {
    inner: Arc<Inner>,
    name: String,
    call: FunctionFn,
    signature: Option<Signature>,
    /// Whether arguments by position that are scalars can be checked one by one.
    is_plain: bool,
}

impl NativeFunction {
    pub(crate) fn new(
        inner: Arc<Inner>,
        name: String,
        call: FunctionFn,
        signature: Option<Signature>,
    ) -> Self {
        let is_plain = signature.as_ref().is_none_or(|signature| {
            signature.params.len() <= FEW
                && signature.params.iter().all(|param| param.kind == ParamKind::Either)
        });
        Self { inner, name, call, signature, is_plain }
    }

    /// Lowers arguments that are scalars of the types that are wanted; false when something else must look.
    #[inline]
    fn lower_scalars(&self, args: &[Value], raw: &mut [MaybeUninit<Raw>; FEW]) -> bool {
        match &self.signature {
            Some(signature) if signature.params.len() != args.len() => return false,
            None if args.len() > FEW => return false,
            _ => {}
        }
        for (index, arg) in args.iter().enumerate() {
            let wanted = self.signature.as_ref().map_or(&Type::Any, |signature| &signature.params[index].ty);
            let value = match (arg, wanted) {
                (Value::Int(value), Type::Int | Type::Any) => Raw::int(*value),
                (Value::Int(value), Type::Float) => Raw::float(*value as f64),
                (Value::Float(value), Type::Float | Type::Any) => Raw::float(*value),
                (Value::Bool(value), Type::Bool | Type::Any) => Raw::bool(*value),
                (Value::Text(value), Type::Text | Type::Any) => Raw::text(value),
                (Value::Bytes(value), Type::Bytes | Type::Any) => Raw::bytes(value),
                (Value::Null, Type::Any | Type::Option(_) | Type::Null) => Raw::NULL,
                _ => return false,
            };
            raw[index].write(value);
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn call_any(&self, call: Call<'_>) -> Result<Value> {
        let values = self.bind(&call)?;
        let mut room = Room::default();
        let mut raw = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let wanted = self.signature.as_ref().and_then(|s| s.params.get(index)).map(|param| &param.ty);
            raw.push(match (value, wanted) {
                (Value::Int(value), Some(Type::Float)) => Raw::float(*value as f64),
                (value, _) => room.lower(value)?,
            });
        }
        self.cross(&raw, &values, Some(&room), call)
    }

    /// Every parameter's argument, in order.
    fn bind<'v>(&self, call: &Call<'v>) -> Result<std::borrow::Cow<'v, [Value]>> {
        let Some(signature) = &self.signature else {
            if let Some((name, _)) = call.args.named.first() {
                let what = format!("`{}` takes arguments by position; `{name}` is given by name", self.name);
                return Err(bad(what, "The library does not say what its parameters are called"));
            }
            return Ok(call.args.positional.into());
        };
        let values = bind_arguments(&self.name, signature, &call.args)?;
        for (param, value) in signature.params.iter().zip(values.iter()) {
            if param.kind != ParamKind::Rest {
                self.check(param, value)?;
            }
        }
        Ok(values)
    }

    fn check(&self, param: &Param, value: &Value) -> Result<()> {
        let plain = match value {
            Value::Foreign(object) => Some(object.to_value()?),
            _ => None,
        };
        let Some(found) = misfit(&param.ty, plain.as_ref().unwrap_or(value), Results::Converted) else {
            return Ok(());
        };
        let what = format!("`{}` of `{}` takes `{}`, not {found}", param.name, self.name, param.ty);
        Err(bad(what, format!("Give it a value that is `{}`", param.ty)))
    }

    /// Calls the module. `values` are what `args` point at, by way of `room` if they are not plain.
    #[inline]
    fn cross(&self, args: &[Raw], values: &[Value], room: Option<&Room>, call: Call<'_>) -> Result<Value> {
        let _entered = self.inner.enter(&self.name)?;
        let context = CallContext::new(&self.inner, call.deadline, call.cancel);
        let mut output = Output::NULL;
        // SAFETY: the function is one of the instance's table, the instance is not ended as long as `inner` is
        // there, and `enter` saw to it that calls come as the module says it can take them; arguments, context and output
        // are there until it returns.
        let status = unsafe {
            (self.call)(self.inner.handle(), context.raw(), args.as_ptr(), args.len(), &raw mut output)
        };
        let fault = context::fault();
        if status == STATUS_OK
            && fault.is_none()
            && !self.inner.has_fault()
            && let Some(plain) = self.plain(&output)
        {
            return Ok(plain);
        }
        let source = Source { inner: &self.inner, function: &self.name, args: values, room };
        let value = lift::output(&mut output, &source);
        if let Some(fault) = fault.or_else(context::fault) {
            return Err(failure::broken_rule(&self.name, fault));
        }
        if status != STATUS_OK {
            return Err(failure::told(&self.name, status, &value?, &context.carried()));
        }
        let value = value?;
        if let Some(fault) = self.inner.take_fault() {
            return Err(fault);
        }
        self.check_result(value)
    }

    /// A number that a function of numbers gave: it is what most calls give, and needs no more looking at.
    #[inline]
    fn plain(&self, output: &Output) -> Option<Value> {
        if output.release.is_some() {
            return None;
        }
        let wanted = self.signature.as_ref().map_or(&Type::Any, |signature| &signature.result);
        match (output.value.tag, wanted) {
            (TAG_INT, Type::Int | Type::Any) => {
                // SAFETY: the tag says which field was written; any bytes are a number.
                let number = unsafe { output.value.payload.integer };
                Some(Value::Int(number))
            }
            (TAG_FLOAT, Type::Float | Type::Any) => {
                // SAFETY: as above.
                let number = unsafe { output.value.payload.number };
                Some(Value::Float(number))
            }
            _ => None,
        }
    }

    #[inline]
    fn check_result(&self, value: Value) -> Result<Value> {
        let Some(signature) = &self.signature else { return Ok(value) };
        match (&signature.result, &value) {
            (Type::Any, _)
            | (Type::Int, Value::Int(_))
            | (Type::Float, Value::Float(_))
            | (Type::Null, Value::Null) => Ok(value),
            (wanted, value_of) => match misfit(wanted, value_of, Results::Converted) {
                None => Ok(value),
                Some(found) => Err(Error::new(
                    Code::WrongResult,
                    format!("`{}` gave {found}; the library's WIT says `{wanted}`", self.name),
                )
                .hint("The module does not keep what it says; its author has to mend it")
                .phase(Phase::Call)),
            },
        }
    }
}

impl Function for NativeFunction {
    #[inline]
    fn call(&self, call: Call<'_>) -> Result<Value> {
        if self.is_plain && call.args.named.is_empty() {
            let mut raw = [const { MaybeUninit::uninit() }; FEW];
            let args = call.args.positional;
            if self.lower_scalars(args, &mut raw) {
                // SAFETY: `lower_scalars` wrote one value for each argument, of which there are at most as many as
                // there is room for.
                let raw = unsafe { std::slice::from_raw_parts(raw.as_ptr().cast::<Raw>(), args.len()) };
                return self.cross(raw, args, None, call);
            }
        }
        self.call_any(call)
    }

    fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }
}

fn bad(what: String, hint: impl Into<String>) -> Error {
    Error::new(Code::BadArguments, what).hint(hint).phase(Phase::Call)
}
