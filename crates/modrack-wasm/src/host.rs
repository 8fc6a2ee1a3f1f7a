//! What components may import: `modrack:host`, the log, the slot's params and calls of the slots that it needs; and the
//! resource that layers go on with.

use modrack_core::{Args, Call, Error, LogLevel, LogLine, Results, Value, not_needed};
use wasmtime::component::{ComponentType, Lift, Linker, Resource, ResourceType};
use wasmtime::{Engine, StoreContextMut};

use crate::data::Data;
use crate::wire::{ErrorOut, ValueOut};

/// The interface that is given.
pub(crate) const HOST: &str = "modrack:host/host@1.0.0";

/// The types of layers, with the resource that stands for the rest of a call. A component of that contract imports it,
/// and so it is given; that a component gets one, nothing brings about but a layer in use.
pub(crate) const LAYER: &str = "modrack:layer/types@1.0.0";

/// The rest of a call that a layer stands round.
enum Next {}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "components alone make them: the engine lifts them by their number")]
pub(crate) enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// What is given to components of this engine; WASI to those that import it.
///
/// # Errors
/// A name that is defined twice: a mistake of ours.
pub(crate) fn linker(engine: &Engine, wasi: bool) -> wasmtime::Result<Linker<Data>> {
    let mut linker = Linker::new(engine);
    if wasi {
        crate::wasi::link(&mut linker)?;
    }
    let mut host = linker.instance(HOST)?;
    host.func_wrap("log", |cx: StoreContextMut<'_, Data>, (level, message): (Level, String)| {
        let level = match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        let data = cx.data();
        data.log.line(&LogLine { slot: Some(&data.slot), level, message: &message });
        Ok(())
    })?;
    host.func_wrap("config", |cx: StoreContextMut<'_, Data>, (key,): (String,)| {
        let copies = cx.data().copies.clone();
        let value = cx.data().params.get(key.as_str());
        let value = value.map(|value| ValueOut::of(value, &mut |bytes| copies.add(bytes)));
        // A parameter that is an object of another language is none that a component can read.
        Ok((value.and_then(Result::ok),))
    })?;
    host.func_wrap("panicked", |mut cx: StoreContextMut<'_, Data>, said: (String, Option<String>)| {
        cx.data_mut().panicked = Some(said);
        Ok(())
    })?;
    host.func_wrap(
        "call",
        |mut cx: StoreContextMut<'_, Data>,
         (slot, function, args): (String, Option<String>, Vec<ValueOut>)| {
            let answer = call(cx.data(), &slot, function.as_deref(), args).map_err(|error| {
                let told = ErrorOut::of(&error);
                cx.data_mut().carry(error);
                told
            });
            Ok((answer,))
        },
    )?;
    let mut layer = linker.instance(LAYER)?;
    layer.resource("next", ResourceType::host::<Next>(), |_, _| Ok(()))?;
    layer.func_wrap(
        "[method]next.call",
        |_: StoreContextMut<'_, Data>,
         (_, _): (Resource<Next>, Vec<ValueOut>)|
         -> wasmtime::Result<(Result<ValueOut, ErrorOut>,)> {
            // Nothing makes one, so that nobody has one to call this with.
            Err(wasmtime::Error::msg("there is no call to go on with"))
        },
    )?;
    Ok(linker)
}

/// Calls another slot within the time that is left.
fn call(data: &Data, slot: &str, function: Option<&str>, args: Vec<ValueOut>) -> Result<ValueOut, Error> {
    let named = |name: &str| data.services.iter().find(|(known, _)| known.as_str() == name);
    let Some((_, service)) = named(slot) else {
        return Err(not_needed(&data.slot, slot, data.services.iter().map(|(name, _)| name.as_str())));
    };
    let mut copied = |bytes| data.copies.add(bytes);
    let args = args.into_iter().map(|arg| arg.value(&mut copied)).collect::<Result<Vec<Value>, _>>()?;
    let call = Call {
        args: Args { positional: &args, named: &[] },
        deadline: data.deadline,
        cancel: data.cancel.as_ref(),
        results: Results::Converted,
    };
    let result = service.call(function, call)?;
    let result = match &result {
        Value::Foreign(object) => object.to_value()?,
        _ => result,
    };
    ValueOut::of(&result, &mut copied)
}
