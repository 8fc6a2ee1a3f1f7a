//! What a module may ask while it is called: log, configuration, time, and the slots that its slot needs.
//!
//! What is handed to a module is the host's, and is released by the module once. Each is known by its place, so that
//! what is released twice, or was never ours, is found out and nothing is freed for it.

#![expect(unsafe_code, reason = "these functions are called through C's interface")]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Instant;

use modrack_abi::table::is_mapped;
use modrack_abi::{
    Context, Head, Host, NO_DEADLINE, Output, STATUS_BAD_ARGUMENTS, STATUS_CANCELLED, STATUS_FAILED,
    STATUS_OK, STATUS_TIMED_OUT, Str, Value as Raw,
};
use modrack_core::{Args, Call, Cancel, Code, Error, Result, Results, Value, not_needed};

use crate::failure::{self, Carried};
use crate::instance::Inner;
use crate::lift;
use crate::lower::Room;

/// The context of one call, with what the module does not see behind it.
#[repr(C)]
pub(crate) struct CallContext<'a> {
    abi: Context,
    inner: &'a Arc<Inner>,
    deadline: Option<Instant>,
    cancel: Option<&'a Cancel>,
    /// What other slots failed with in this call.
    carried: RefCell<Carried>,
}

static HOST: Host = Host { head: Head::of::<Host>(), log, config, call, time_left };

impl<'a> CallContext<'a> {
    #[inline]
    pub(crate) fn new(inner: &'a Arc<Inner>, deadline: Option<Instant>, cancel: Option<&'a Cancel>) -> Self {
        let cancelled = cancel.map_or(std::ptr::null(), |cancel| {
            let flag: *const AtomicBool = cancel.flag();
            flag.cast::<u8>()
        });
        // What code of another module left here, such as what frees a table, is not this one's.
        FAULT.set(None);
        let abi = Context { head: Head::of::<Context>(), host: &raw const HOST, cancelled };
        Self { abi, inner, deadline, cancel, carried: RefCell::default() }
    }

    /// What other slots failed with in this call.
    #[cold]
    pub(crate) fn carried(&self) -> Carried {
        self.carried.take()
    }

    /// The context as the module is given it.
    #[inline]
    pub(crate) fn raw(&self) -> *const Context {
        std::ptr::from_ref(self).cast()
    }
}

thread_local! {
    /// What a module did wrong with what it was given, since somebody asked.
    static FAULT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// What a module did wrong on this thread with what it was given, since this was asked.
#[inline]
pub(crate) fn fault() -> Option<&'static str> {
    FAULT.take()
}

/// Runs code of a module that no call of it asked for, and gives what it did wrong: that is not the fault of the
/// module whose call this thread is in, and what that one did wrong stays with it.
pub(crate) fn apart<T>(run: impl FnOnce() -> T) -> (T, Option<&'static str>) {
    let before = FAULT.take();
    let done = run();
    (done, FAULT.replace(before))
}

/// Frees what was handed to an instance that is over, and that it never gave back.
pub(crate) fn forget(inner: &Inner) {
    let instance = std::ptr::from_ref(inner).addr();
    let left: Vec<Handed> = {
        let mut handed = HANDED.lock().unwrap_or_else(PoisonError::into_inner);
        handed.extract_if(|_, handed| handed.instance == instance).map(|(_, handed)| handed).collect()
    };
    // What frees a value may be a module's code: nothing is locked any more.
    drop(left);
}

/// What the host handed to modules and was not given back, by place.
static HANDED: LazyLock<Mutex<HashMap<usize, Handed>>> = LazyLock::new(Mutex::default);

/// A value that a module reads, and the room for its pointers.
struct Handed {
    _room: Room,
    /// The instance it was handed to, by its place.
    instance: usize,
}

// SAFETY: what points into the room is with the module alone, which reads it and gives it back.
unsafe impl Send for Handed {}

/// Hands a value to the module.
fn hand(value: Value, output: *mut Output, context: Option<&CallContext<'_>>) -> Result<()> {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    let mut room = Room::default();
    let raw = room.hold(value)?;
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let owner = std::ptr::without_provenance_mut::<c_void>(number);
    let instance = context.map_or(0, |context| {
        context.inner.was_handed();
        Arc::as_ptr(context.inner).addr()
    });
    let handed = Handed { _room: room, instance };
    HANDED.lock().unwrap_or_else(PoisonError::into_inner).insert(number, handed);
    // SAFETY: `checked` found the output to be the module's to be written.
    unsafe { output.write(Output { value: raw, release: Some(release), owner }) };
    Ok(())
}

/// Takes back what was handed to a module.
unsafe extern "C" fn release(output: *mut Output) {
    guarded(|| {
        if !is_output(output) {
            FAULT.set(Some("released what is no output"));
            return;
        }
        // SAFETY: the pointer is aligned, and mapped over the whole output.
        let given = unsafe { &mut *output };
        let taken = HANDED.lock().unwrap_or_else(PoisonError::into_inner).remove(&given.owner.addr());
        if taken.is_none() {
            FAULT.set(Some("released an output that is not the host's, or was released before"));
        }
        given.release = None;
    });
}

unsafe extern "C" fn log(context: *const Context, level: u32, message: Str) {
    guarded(|| {
        // SAFETY: the module gives the context that it was given, which is there for as long as the call.
        let Some(context) = (unsafe { of(context) }) else { return };
        match bytes(message) {
            Some(message) => context.inner.log(level, &String::from_utf8_lossy(message)),
            None => FAULT.set(Some("gave a line for the log that is not there")),
        }
    });
}

unsafe extern "C" fn config(context: *const Context, key: Str, output: *mut Output) -> i32 {
    // SAFETY: the module gives the context that it was given, which is there for as long as the call.
    let context = unsafe { of(context) };
    answered(output, context, || {
        let (Some(context), Some(key)) = (context, text(key)) else { return Err(bad("The key is not text")) };
        Ok(context.inner.params().get(key).cloned().unwrap_or(Value::Null))
    })
}

unsafe extern "C" fn call(
    context: *const Context,
    slot: Str,
    function: Str,
    args: *const Raw,
    count: usize,
    output: *mut Output,
) -> i32 {
    // SAFETY: the module gives the context that it was given, which is there for as long as the call.
    let context = unsafe { of(context) };
    answered(output, context, || {
        let (Some(context), Some(slot), Some(function)) = (context, text(slot), text(function)) else {
            return Err(bad("The names of slot and function are not text"));
        };
        let services = context.inner.services();
        let Some((_, service)) = services.iter().find(|(name, _)| name.as_str() == slot) else {
            let names = services.iter().map(|(name, _)| name.as_str());
            return Err(not_needed(context.inner.slot(), slot, names));
        };
        let values = lift::arguments(args, count, context.inner)?;
        let call = Call {
            args: Args { positional: &values, named: &[] },
            deadline: context.deadline,
            cancel: context.cancel,
            results: Results::Converted,
        };
        // What this module did wrong before is its own fault, not that of the one that is called.
        let before = FAULT.take();
        let answer = service.call((!function.is_empty()).then_some(function), call);
        FAULT.set(before.or_else(|| FAULT.take()));
        answer
    })
}

unsafe extern "C" fn time_left(context: *const Context) -> u64 {
    // SAFETY: the module gives the context that it was given, which is there for as long as the call.
    let deadline = unsafe { of(context) }.and_then(|context| context.deadline);
    deadline.map_or(NO_DEADLINE, |deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_nanos()).unwrap_or(NO_DEADLINE - 1)
    })
}

/// The whole of a context.
///
/// # Safety
/// The pointer is null, or that of a context which the host gave to the call that runs.
unsafe fn of<'a>(context: *const Context) -> Option<&'a CallContext<'a>> {
    if context.is_null() || !context.is_aligned() {
        return None;
    }
    // SAFETY: every context that the host gives is the beginning of a `CallContext`, which is there until the call
    // returns; the caller promises that it is one.
    Some(unsafe { &*context.cast::<CallContext<'a>>() })
}

/// Answers a module: with a value, or with a failure as a value and its status.
fn answered(
    output: *mut Output,
    context: Option<&CallContext<'_>>,
    answer: impl FnOnce() -> Result<Value>,
) -> i32 {
    if !is_output(output) {
        FAULT.set(Some("asked the host for something, and gave no output for it"));
        return STATUS_BAD_ARGUMENTS;
    }
    // SAFETY: the pointer is aligned and mapped over the whole output, which the module gives to be written.
    unsafe { output.write(Output::NULL) };
    let answer = guarded(answer).unwrap_or_else(|| Err(Error::new(Code::Internal, "The host panicked")));
    let failed = match answer.and_then(|value| hand(value, output, context)) {
        Ok(()) => return STATUS_OK,
        Err(failed) => failed,
    };
    let status = match failed.code() {
        Code::Cancelled => STATUS_CANCELLED,
        Code::TimedOut => STATUS_TIMED_OUT,
        _ => STATUS_FAILED,
    };
    let number = context.map_or(0, |context| context.carried.borrow().next());
    let told = failure::to_value(&failed, number);
    if let Some(context) = context {
        context.carried.borrow_mut().push(failed);
    }
    match hand(told, output, context) {
        Ok(()) | Err(_) => status,
    }
}

fn is_output(output: *mut Output) -> bool {
    !output.is_null()
        && output.is_aligned()
        && is_mapped(output.cast::<u8>().cast_const(), size_of::<Output>())
}

/// Runs the host's side of a module's question: a panic of it must not go through the module.
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

/// Text of the module, for as long as the module waits.
fn text<'a>(text: Str) -> Option<&'a str> {
    std::str::from_utf8(bytes(text)?).ok()
}

/// What should be text of the module, for as long as the module waits.
fn bytes<'a>(text: Str) -> Option<&'a [u8]> {
    if text.len == 0 {
        return Some(&[]);
    }
    if !lift::can_be(text.data, text.len) {
        return None;
    }
    // SAFETY: the module says that so many bytes lie there, and waits until they were read; that is asked where there
    // are many of them.
    Some(unsafe { std::slice::from_raw_parts(text.data, text.len) })
}

fn bad(what: &str) -> Error {
    Error::new(Code::BadArguments, what).hint("Names are given as UTF-8 text")
}
