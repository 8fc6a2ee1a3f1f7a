//! Why a call of a component ended without a result, told as an error of modrack: a trap with the component's own
//! backtrace, a panic with its message, a limit, a deadline.

use modrack_core::{Cause, Code, Due, Error, Kind, Phase, started_late, timed_out};
use wasmtime::{Trap, WasmBacktrace};

use crate::data::{Data, Stopped};
use crate::module::innermost;
use crate::wasi;

/// The error for what the engine gave instead of a result of `function`.
pub(crate) fn failure(function: &str, why: &wasmtime::Error, data: &mut Data, output: Option<u64>) -> Error {
    let panicked = data.panicked.take();
    if let Some(status) = wasi::exit_status(why) {
        return Error::new(Code::ExitInCall, format!("The module asked to exit (status {status})"))
            .hint("Return, or give an error; a module does not end the process that it runs in");
    }
    let error = match data.stopped.take() {
        Some(Stopped::Deadline) => return timed_out(function, None),
        Some(Stopped::Cancelled) => return given_up(),
        Some(Stopped::Memory(wanted)) => {
            let most = data.memory.unwrap_or(wanted);
            Error::new(
                Code::MemoryLimit,
                format!("The module wants {wanted} bytes of memory, and may have {most}"),
            )
            .hint("Raise `limits.memory` of the slot, or let the module hold less")
        }
        None => match (why.downcast_ref::<Trap>(), panicked) {
            (Some(_), Some((message, place))) => {
                let place = place.map_or(String::new(), |place| format!(" at {place}"));
                Error::new(Code::Raised, format!("The module panicked{place}: {message}"))
                    .classes(vec!["panic".into()])
                    .hint("The instance is started again; its state is lost")
            }
            (Some(trap), None) => {
                let said = trap.to_string();
                let said = said.strip_prefix("wasm trap: ").unwrap_or(&said);
                Error::new(Code::Raised, format!("The module trapped: {said}"))
                    .classes(vec!["trap".into()])
                    .hint("The instance is started again; its state is lost")
            }
            (None, _) => return gave(&innermost(why), output),
        },
    };
    match why.downcast_ref::<WasmBacktrace>() {
        Some(trace) if !trace.frames().is_empty() => error.traceback(shown(trace)),
        _ => error,
    }
}

/// The failure of a call that its caller wanted no longer, or that was ended.
pub(crate) fn given_up() -> Error {
    Error::new(Code::Cancelled, "The call was given up").hint("Its caller wanted it no longer")
}

/// The failure of a start of `module`: one that was due before it had ended is late as a whole, whichever part of it ran.
/// What another slot failed with that it called has a cause, and stays what it is.
pub(crate) fn of_start(module: &str, error: Error, due: Due) -> Error {
    if error.code() != Code::TimedOut || !error.causes().is_empty() {
        return error;
    }
    started_late(module, due.limit).phase(Phase::Start)
}

/// The failure that `function` of a module told, with what it hands on: a failure of another slot that it was told of,
/// as it is or as a cause, keeps its slot and its classes. A limit that was reached in a slot that it called was
/// reached in this call too. Arguments that are to blame stay so.
pub(crate) fn handed_on(function: &str, error: Error, carried: &[Error]) -> Error {
    // What is wrong with the arguments a component says in words of its own, whatever led to it.
    let blames = error.code() == Code::BadArguments;
    if error.code() != Code::Raised && !blames {
        return error;
    }
    let led = |cause: &Cause, other: &Error| cause.message == other.message();
    let is_same = |other: &&Error| {
        error.message() == other.message() || error.causes().iter().any(|cause| led(cause, other))
    };
    let Some(other) = carried.iter().rev().find(is_same) else {
        return if blames { error } else { own(function, error) };
    };
    let is_limit = !blames && matches!(other.kind(), Kind::Timeout | Kind::Limit | Kind::Cancelled);
    let code = if is_limit { other.code() } else { error.code() };
    let mut classes = error.class_names().to_vec();
    for class in other.class_names() {
        if !classes.contains(class) {
            classes.push(class.clone());
        }
    }
    // The class of a failure that has none was told as its code.
    classes.retain(|class| class != other.code().as_str());
    let mut whole = Error::new(code, error.message().to_owned()).classes(classes);
    if error.message() != other.message() && !is_limit && !blames {
        whole = own(function, whole);
    }
    if let Some(hint) = error.hint_text() {
        whole = whole.hint(hint);
    }
    if let Some(traceback) = error.traceback_text().filter(|text| other.traceback_text() != Some(*text)) {
        whole = whole.traceback(traceback);
    }
    if error.message() != other.message() {
        let own = error.causes().iter().take_while(|cause| !led(cause, other));
        whole = own.cloned().fold(whole, Error::cause);
    }
    whole.caused_by(other)
}

/// A failure in the module's own words, with the function and the class said.
fn own(function: &str, error: Error) -> Error {
    let error = error.told_by(function);
    if error.class_names().is_empty() { error.classes(vec!["error".to_owned()]) } else { error }
}

/// What the module gave is not what it may give.
fn gave(why: &str, output: Option<u64>) -> Error {
    if why.contains("fuel") || why.contains("too much data") || why.contains("transfer") {
        return too_large(output);
    }
    let why = why.lines().next().unwrap_or_default();
    Error::new(Code::ValueDoesNotFit, format!("The module gave what is not of its type: {why}"))
        .hint("The component is broken: build it again with current tools")
}

/// A result that is larger than it may be.
pub(crate) fn too_large(output: Option<u64>) -> Error {
    let Some(most) = output else {
        let what = "The module hands over more than it may where `limits.output` says nothing";
        return Error::new(Code::OutputTooLarge, what)
            .hint("Give the slot `limits.output`, or let the function give less");
    };
    Error::new(Code::OutputTooLarge, format!("The result is larger than its limit of {most} bytes"))
        .hint("Raise `limits.output` of the slot, or let the function give less")
}

/// The innermost function first, as the name section calls it.
fn shown(trace: &WasmBacktrace) -> String {
    let mut text = String::from("WebAssembly backtrace (most recent call first):");
    for frame in trace.frames() {
        let name = frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), demangled);
        let at = frame.module_offset().map_or(String::new(), |at| format!(" at byte {at:#x}"));
        text.push_str("\n  ");
        text.push_str(&name);
        text.push_str(&at);
    }
    text
}

fn demangled(name: &str) -> String {
    rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"))
}
