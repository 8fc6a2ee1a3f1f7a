//! What a component asks of its host: the interface that it imports.

use std::time::Duration;

use super::host_interface::{self as host, Level as WitLevel};
use super::values::{Error as WitError, Value as WitValue};
use super::wit::{FromWit as _, push};
use crate::error::Cause;
use crate::{Error, Level, Result, Value};

/// Writes a line to the host's log, which is always there.
pub(crate) fn log(level: Level, message: &str) -> bool {
    let level = match level {
        Level::Trace => WitLevel::Trace,
        Level::Debug => WitLevel::Debug,
        Level::Info => WitLevel::Info,
        Level::Warn => WitLevel::Warn,
        Level::Error => WitLevel::Error,
    };
    host::log(level, message);
    true
}

/// A parameter of the slot.
pub(crate) fn config(key: &str) -> Option<Result<Value>> {
    Some(host::config(key).map_or(Ok(Value::Null), |value| Value::from_wit(value).map_err(Error::from)))
}

/// Calls a function of another slot; the main one where `function` is empty.
pub(crate) fn call(slot: &str, function: &str, args: Vec<Value>) -> Option<Result<Value>> {
    let function = (!function.is_empty()).then_some(function);
    let mut given = Vec::with_capacity(args.len());
    for arg in args {
        let mut parts = Vec::new();
        if let Err(error) = push(&mut parts, arg, 0) {
            return Some(Err(error));
        }
        given.push(WitValue { parts });
    }
    Some(match host::call(slot, function, &given) {
        Ok(value) => Value::from_wit(value).map_err(Error::from),
        Err(error) => Err(told(error)),
    })
}

/// A component is ended by the host when its time is up, and is not told before.
pub(crate) fn time_left() -> Option<Duration> {
    None
}

/// A component is ended by the host when nobody wants its result.
pub(crate) fn cancelled() -> bool {
    false
}

fn told(error: WitError) -> Error {
    let mut made = Error::new(error.message);
    let some = |text: String| (!text.is_empty()).then_some(text);
    let record = made.record_mut();
    record.class = some(error.class);
    record.hint = error.hint;
    record.traceback = error.traceback;
    let cause = |cause: super::values::Cause| Cause { class: some(cause.class), message: cause.message };
    record.causes = error.causes.into_iter().map(cause).collect();
    made
}
