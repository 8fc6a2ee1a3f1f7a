//! What a native module asks of its host, through the context of the call that the thread runs.

#![expect(unsafe_code, reason = "the host is asked through pointers of the C interface")]

use std::cell::Cell;
use std::ptr;
use std::time::Duration;

use modrack_abi as abi;

use super::lent;
use super::reply::Laid;
use crate::error::{Cause, Error, What};
use crate::{Level, Result, Value, ValueRef, test};

thread_local! {
    static CONTEXT: Cell<*const abi::Context> = const { Cell::new(ptr::null()) };
}

/// For as long as it is there, the thread runs a call with this context.
pub(super) struct Within {
    before: *const abi::Context,
}

impl Within {
    #[inline]
    pub(super) fn new(context: *const abi::Context) -> Self {
        Self { before: CONTEXT.replace(context) }
    }
}

impl Drop for Within {
    #[inline]
    fn drop(&mut self) {
        CONTEXT.set(self.before);
    }
}

/// An output of the host, released when nobody reads it any more.
struct Given(abi::Output);

impl Drop for Given {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            // SAFETY: the output is one that the host filled, and this is the one place that releases it.
            unsafe { release(&raw mut self.0) }
        }
    }
}

impl Given {
    fn value(&self) -> ValueRef<'_> {
        // SAFETY: an output of the host is as the interface says until it is released, when this is dropped.
        ValueRef::lent(unsafe { lent::Value::new(&self.0.value) })
    }

    /// What it says, by the status that came with it.
    fn read(&self, status: i32) -> Result<Value> {
        if status == abi::STATUS_OK {
            self.value().to().map_err(Error::from)
        } else {
            Err(self.error(status))
        }
    }

    fn error(&self, status: i32) -> Error {
        let what = match status {
            abi::STATUS_CANCELLED => What::Cancelled,
            abi::STATUS_TIMED_OUT => What::TimedOut,
            _ => What::Failed,
        };
        let text = |value: ValueRef<'_>, name: &str| value.field(name)?.as_str().map(str::to_owned);
        let told = self.value();
        let message = told.as_str().map(str::to_owned).or_else(|| text(told, "message"));
        let mut error = Error::of(what, message.unwrap_or_else(|| "The call failed".to_owned()));
        let record = error.record_mut();
        record.class = text(told, "class");
        record.hint = text(told, "hint");
        record.code = text(told, "code");
        record.traceback = text(told, "traceback");
        record.failure = told.field("failure").and_then(|number| number.to().ok());
        if let Some(crate::Shape::List(causes)) = told.field("causes").map(ValueRef::shape) {
            record.causes.extend(causes.iter().map(|cause| Cause {
                class: text(cause, "class"),
                message: text(cause, "message").unwrap_or_default(),
            }));
        }
        error
    }
}

/// Whether the thread runs a call that the host made.
pub(crate) fn is_there() -> bool {
    !CONTEXT.get().is_null()
}

/// Writes a line to the host's log; false where there is none.
pub(crate) fn log(level: Level, message: &str) -> bool {
    if !is_there() {
        return test::log(level, message);
    }
    with(|context, host| {
        // SAFETY: context and host are there while the call runs, and the text while this does.
        unsafe { (host.log)(context, level as u32, abi::Str::lent(message)) }
    })
    .is_some()
}

/// A parameter of the slot.
pub(crate) fn config(key: &str) -> Option<Result<Value>> {
    if !is_there() {
        return test::config(key);
    }
    with(|context, host| {
        let mut given = Given(abi::Output::NULL);
        // SAFETY: context and host are there while the call runs; the output is to be written.
        let status = unsafe { (host.config)(context, abi::Str::lent(key), &raw mut given.0) };
        given.read(status)
    })
}

/// Calls a function of another slot; the main one where `function` is empty.
pub(crate) fn call(slot: &str, function: &str, args: Vec<Value>) -> Option<Result<Value>> {
    if !is_there() {
        return test::call(slot, function, args);
    }
    with(|context, host| {
        let args = Laid::new(args)?;
        let mut given = Given(abi::Output::NULL);
        // SAFETY: context and host are there while the call runs, the arguments while this does; the output is to
        // be written.
        let status = unsafe {
            (host.call)(
                context,
                abi::Str::lent(slot),
                abi::Str::lent(function),
                args.values.as_ptr(),
                args.values.len(),
                &raw mut given.0,
            )
        };
        given.read(status)
    })
}

/// How much time the call has left; none where it has no deadline.
pub(crate) fn time_left() -> Option<Duration> {
    if !is_there() {
        return test::time_left();
    }
    // SAFETY: context and host are there while the call runs.
    let left = with(|context, host| unsafe { (host.time_left)(context) })?;
    (left != abi::NO_DEADLINE).then(|| Duration::from_nanos(left))
}

/// Whether nobody wants the result any more.
pub(crate) fn cancelled() -> bool {
    if !is_there() {
        return test::cancelled();
    }
    with(|context, _| {
        // SAFETY: the context is there while the call runs, and the byte for as long; the host sets it from
        // another thread, so it is read as one that changes.
        unsafe {
            let flag = (*context).cancelled;
            !flag.is_null() && flag.read_volatile() != 0
        }
    })
    .unwrap_or(false)
}

/// Asks the host, where there is one.
fn with<T>(ask: impl FnOnce(*const abi::Context, &abi::Host) -> T) -> Option<T> {
    let context = CONTEXT.get();
    if context.is_null() {
        return None;
    }
    // SAFETY: a context that is set is that of a call which runs on this thread; its host is there as long.
    let host = unsafe { (*context).host.as_ref() }?;
    Some(ask(context, host))
}
