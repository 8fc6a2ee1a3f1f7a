//! Parameters: what a rack gives to a module when it starts.

use std::cmp::Ordering;

use crate::view::Fields;
use crate::{FromValue, Misfit, Result};

/// A struct of parameters, made by `#[derive(modrack::Params)]`: `create` takes one.
///
/// `#[param(...)]` of a field says its `default`, and its bounds: `min`, `max`, `one_of = ["a", "b"]`, and `check`, a function from
/// the value to `Result<(), E>`. A field that is an `Option` need not be given; every other one without a default must be.
///
/// ```
/// use modrack_sdk::{Params, Row, Value};
///
/// #[derive(Debug, Params)]
/// # #[modrack(crate = "modrack_sdk")]
/// struct Settings {
///     /// The rate.
///     #[param(default = 0.2, min = 0.0, max = 1.0)]
///     tax: f64,
///     /// Whose prices they are.
///     currency: Option<String>,
/// }
///
/// let given = Row::from_iter([("currency", "EUR")]);
/// assert_eq!(Settings::from_row(&given).unwrap().tax, 0.2);
/// let given = Row::from_iter([("tax", 20.0)]);
/// assert_eq!(Settings::from_row(&given).unwrap_err().message(), "`tax` must be at most 1.0, but is 20.0");
/// let given = Row::from_iter([("taxes", 0.1)]);
/// assert_eq!(Settings::from_row(&given).unwrap_err().message(), "There is no parameter `taxes`");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a struct of parameters",
    label = "`create` cannot be given this",
    note = "Put `#[derive(modrack::Params)]` on it"
)]
pub trait Params: Sized {
    /// The parameters as a module's manifest has them, in TOML.
    #[doc(hidden)]
    const MANIFEST: &'static str;

    /// Reads them.
    ///
    /// # Errors
    /// What is missing, does not fit, or is not known.
    #[doc(hidden)]
    fn from_params(given: Fields<'_>) -> Result<Self>;

    /// Reads them, as a module's `create` is given them.
    ///
    /// # Errors
    /// What is missing, does not fit, or is not known.
    fn from_row(given: &crate::Row) -> Result<Self> {
        Self::from_params(Fields::owned(given.entries()))
    }
}

/// Whatever there is: nothing is said of it beforehand, and nothing is refused.
impl Params for crate::Row {
    const MANIFEST: &'static str = "";

    fn from_params(given: Fields<'_>) -> Result<Self> {
        let mut row = Self::with_capacity(given.len());
        for (name, value) in given.iter() {
            row.set(name, crate::Value::from_value(value).map_err(|why| why.in_field(name))?);
        }
        Ok(row)
    }
}

/// A field that is not given is what `default` gives, else what stands for nothing.
#[doc(hidden)]
pub fn param<'v, T: FromValue<'v>>(given: Fields<'v>, name: &str, default: Option<fn() -> T>) -> Result<T> {
    let read = match (given.get(name), default) {
        (Some(value), Some(default)) if value.is_null() => Ok(T::missing().unwrap_or_else(default)),
        (Some(value), _) => T::from_value(value).map_err(|why| why.in_field(name)),
        (None, Some(default)) => Ok(default()),
        (None, None) => {
            T::missing().ok_or_else(|| Misfit::said("must be given, as a parameter").in_field(name))
        }
    };
    read.map_err(Misfit::refused)
}

/// That every parameter that is given is known.
#[doc(hidden)]
pub fn known(given: Fields<'_>, names: &[&str]) -> Result<()> {
    match given.iter().find(|(name, _)| !names.contains(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let hint = match names {
                [] => "It takes none".to_owned(),
                _ => format!("It takes `{}`", names.join("`, `")),
            };
            let error =
                crate::Error::of(crate::error::What::BadArguments, format!("There is no parameter `{name}`"));
            Err(error.hint(hint))
        }
    }
}

/// That a parameter is within its bounds.
#[doc(hidden)]
pub fn bounds<T: PartialOrd + std::fmt::Debug>(
    name: &str,
    value: &T,
    min: Option<T>,
    max: Option<T>,
) -> Result<()> {
    // What cannot be compared, as a number that is none, is within no bounds.
    let wanted = match (min, max) {
        (Some(min), _) if value.partial_cmp(&min).is_none_or(Ordering::is_lt) => format!("at least {min:?}"),
        (_, Some(max)) if value.partial_cmp(&max).is_none_or(Ordering::is_gt) => format!("at most {max:?}"),
        _ => return Ok(()),
    };
    Err(Misfit::new(&wanted, format_args!("{value:?}")).of_argument(name))
}

/// That a parameter is one of some words.
#[doc(hidden)]
pub fn one_of(name: &str, value: &str, words: &[&str]) -> Result<()> {
    if words.contains(&value) {
        return Ok(());
    }
    let wanted = format!("one of `{}`", words.join("`, `"));
    Err(Misfit::new(&wanted, format_args!("`{value}`")).of_argument(name))
}
