//! The one instance that a component holds, and what is set up before its code runs.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

use super::{host_interface, lent};
use crate::component::values::Value as WitValue;
use crate::view::{Fields, Shape};
use crate::{Error, Result, ValueRef};

/// Where the state is, from `initialize` to `shutdown`.
pub struct Cell<S>(RefCell<Option<S>>);

impl<S> Cell<S> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Puts the state in, or takes it out.
    ///
    /// # Errors
    /// When a call has it.
    pub fn set(&self, state: Option<S>) -> Result<()> {
        *self.0.try_borrow_mut().map_err(|_| busy())? = state;
        Ok(())
    }

    /// Runs a function that only looks at the state.
    ///
    /// # Errors
    /// What it failed with, or that the state is not there.
    #[inline]
    pub fn with<T>(&self, run: impl FnOnce(&S) -> Result<T>) -> Result<T> {
        match &*self.0.try_borrow().map_err(|_| busy())? {
            Some(state) => run(state),
            None => Err(missing()),
        }
    }

    /// Runs a function that may change the state.
    ///
    /// # Errors
    /// What it failed with, or that the state is not there.
    #[inline]
    pub fn with_mut<T>(&self, run: impl FnOnce(&mut S) -> Result<T>) -> Result<T> {
        match &mut *self.0.try_borrow_mut().map_err(|_| busy())? {
            Some(state) => run(state),
            None => Err(missing()),
        }
    }

    /// Whether the state is there.
    pub fn is_there(&self) -> bool {
        self.0.try_borrow().map_or(true, |state| state.is_some())
    }
}

impl<S> Default for Cell<S> {
    fn default() -> Self {
        Self::new()
    }
}

#[cold]
fn busy() -> Error {
    Error::new("The module is called while it is in a call")
        .hint("Let what it calls not call it back, or let its functions take `&self`")
}

#[cold]
fn missing() -> Error {
    Error::new("The module is called before it was initialized, or after it was shut down")
}

/// Makes something of the parameters that `initialize` is given.
///
/// # Errors
/// What the constructor failed with, or a parameter that does not fit.
pub fn made<S>(config: &WitValue, create: impl FnOnce(Fields<'_>) -> Result<S>) -> Result<S> {
    let params = ValueRef::lent(lent::Value::of(config));
    match params.shape() {
        Shape::Map(given) => create(given),
        Shape::Null => create(Fields::owned(&[])),
        _ => Err(params.misfit("a mapping").of_argument("config")),
    }
}

/// Has a panic be told to the host before it ends the component as a trap.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let message =
                match (info.payload().downcast_ref::<&str>(), info.payload().downcast_ref::<String>()) {
                    (Some(text), _) => text,
                    (_, Some(text)) => text.as_str(),
                    _ => "The module panicked",
                };
            let place = info.location().map(ToString::to_string);
            host_interface::panicked(message, place.as_deref());
        }));
    });
}
