//! Panics of a module's code: caught, and told with the place where they happened.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::error::{Error, What};

thread_local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Where a panic happened, and what the stack was if that was asked for.
struct Place {
    place: String,
    stack: Option<String>,
}

/// Runs the module's code; a panic is an error.
#[inline]
pub(super) fn caught<T>(run: impl FnOnce() -> crate::Result<T>) -> crate::Result<T> {
    // What a panic may leave half done is the module's own state: the host tells the caller, and the module's
    // next call finds what a lock that is poisoned would find.
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result,
        Err(payload) => Err(told(payload)),
    }
}

/// Has panics within calls be remembered rather than printed: the host says them.
pub(super) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !super::host::is_there() {
                return usual(info);
            }
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let stack = std::backtrace::Backtrace::capture();
            let is_asked = matches!(stack.status(), std::backtrace::BacktraceStatus::Captured);
            let stack = is_asked.then(|| stack.to_string());
            PLACE.with_borrow_mut(|there| *there = Some(Place { place, stack }));
        }));
    });
}

#[cold]
fn told(payload: Box<dyn Any + Send>) -> Error {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "The module panicked".to_owned(),
    };
    // What was thrown may panic when it is dropped.
    std::mem::forget(payload);
    let mut error = Error::of(What::Panicked, message).class("panic");
    if let Some(Place { place, stack }) = PLACE.take() {
        let traceback = match stack {
            Some(stack) => format!("{place}\n{stack}"),
            None => place,
        };
        error.record_mut().traceback = Some(traceback);
    }
    error
}
