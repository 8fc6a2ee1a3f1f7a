//! What a module may ask of whoever runs it: its log, its slot's parameters, other slots.

use std::time::Duration;

use crate::{Error, FromValue, IntoArgs, Result, Value};

#[cfg(target_family = "wasm")]
use crate::component as host;
#[cfg(not(target_family = "wasm"))]
use crate::native as host;

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Finer than anybody reads by default.
    Trace,
    /// For whoever looks for a mistake.
    Debug,
    /// What happens.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

/// Lines for the log of whoever runs the module. Where nobody does, they go to standard error.
///
/// ```
/// # use modrack_sdk as modrack;
/// let rate = 0.2;
/// modrack::log::info!("The rate is {rate}");
/// modrack::log::write(modrack::Level::Warn, "It is old");
/// ```
pub mod log {
    use super::{Level, host};

    /// Writes a line.
    pub fn write(level: Level, message: &str) {
        if !host::log(level, message) {
            eprintln!("{message}");
        }
    }

    #[doc(inline)]
    pub use crate::{__debug as debug, __error as error, __info as info, __trace as trace, __warn as warn};
}

/// Writes a line that is finer than anybody reads by default, as `format!` would.
#[doc(hidden)]
#[macro_export]
macro_rules! __trace {
    ($($message:tt)*) => { $crate::log::write($crate::Level::Trace, &::std::format!($($message)*)) };
}

/// Writes a line for whoever looks for a mistake, as `format!` would.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($message:tt)*) => { $crate::log::write($crate::Level::Debug, &::std::format!($($message)*)) };
}

/// Writes a line on what happens, as `format!` would.
#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($message:tt)*) => { $crate::log::write($crate::Level::Info, &::std::format!($($message)*)) };
}

/// Writes a line on what may be wrong, as `format!` would.
#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($message:tt)*) => { $crate::log::write($crate::Level::Warn, &::std::format!($($message)*)) };
}

/// Writes a line on what is wrong, as `format!` would.
#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($message:tt)*) => { $crate::log::write($crate::Level::Error, &::std::format!($($message)*)) };
}

/// One of the slot's parameters, as a type of Rust; nothing to an `Option` when there is none of this name.
///
/// # Errors
/// A parameter that is not there or does not fit, or that nobody runs the module.
pub fn config<T: for<'v> FromValue<'v>>(key: &str) -> Result<T> {
    match host::config(key) {
        Some(value) => value?.to().map_err(|why| Error::new(format!("Parameter `{key}`: {}", why.message()))),
        None => Err(nobody()),
    }
}

/// Another slot of the rack, by the name that `needs` of the module's own slot gives it.
///
/// ```no_run
/// # fn convert() -> modrack_sdk::Result<f64> {
/// # use modrack_sdk as modrack;
/// let rate: f64 = modrack::slot("rates").call("rate", modrack::args!["EUR", "USD"])?;
/// # Ok(rate)
/// # }
/// ```
pub fn slot(name: &str) -> Slot<'_> {
    Slot { name }
}

/// Another slot of the rack.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'n> {
    name: &'n str,
}

impl Slot<'_> {
    /// Calls a function of whatever fills the slot now.
    ///
    /// # Errors
    /// What the function failed with, a result that does not fit, or that nobody runs the module.
    pub fn call<T: for<'v> FromValue<'v>>(&self, function: &str, args: impl IntoArgs) -> Result<T> {
        let value: Value = host::call(self.name, function, args.into_args()?).ok_or_else(nobody)??;
        value
            .to()
            .map_err(|why| Error::new(format!("What `{}` gave does not fit: {}", self.name, why.message())))
    }

    /// Calls the main function of whatever fills the slot now.
    ///
    /// # Errors
    /// As [`Slot::call`].
    pub fn call_main<T: for<'v> FromValue<'v>>(&self, args: impl IntoArgs) -> Result<T> {
        self.call("", args)
    }
}

/// How much time the call has left; none where it has no deadline, or where the host ends it by itself.
pub fn time_left() -> Option<Duration> {
    host::time_left()
}

/// Whether nobody wants the result of the call any more: then it may end with any error.
pub fn cancelled() -> bool {
    host::cancelled()
}

fn nobody() -> Error {
    Error::new("No host runs this module")
        .hint("Ask within a function of the module, on the thread that runs it; in a test, by `modrack::test::Host`")
}
