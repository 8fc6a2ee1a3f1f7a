//! What both forms share: what a constructor gives, and how many arguments a function takes.

use crate::error::What;
use crate::{Error, Result};

/// What a constructor gives: the state, or something that may be an error.
#[diagnostic::on_unimplemented(
    message = "The constructor of a module must give `Self` or `modrack::Result<Self>`",
    label = "`{Self}` is not what is wanted here"
)]
pub trait Made<S> {
    /// The state, or the error.
    ///
    /// # Errors
    /// What the constructor failed with.
    fn made(self) -> Result<S>;
}

impl<S> Made<S> for S {
    fn made(self) -> Result<S> {
        Ok(self)
    }
}

impl<S, E: Into<Error>> Made<S> for Result<S, E> {
    fn made(self) -> Result<S> {
        self.map_err(Into::into)
    }
}

/// A state that is there without parameters.
#[diagnostic::on_unimplemented(
    message = "Nothing makes `{Self}`, the state of the module",
    label = "there is no `create`, and it has no `Default`",
    note = "Write `pub fn create() -> Self` in the block of the module, or put `#[derive(Default)]` on the type"
)]
pub trait Begin {
    /// The state.
    fn begin() -> Self;
}

#[diagnostic::do_not_recommend]
impl<S: Default> Begin for S {
    fn begin() -> Self {
        Self::default()
    }
}

/// That so many arguments are not too few or too many.
///
/// # Errors
/// Too few or too many, said with the names.
#[inline]
pub fn count(given: usize, least: usize, names: &[&str], rest: bool) -> Result<()> {
    let is_right = given >= least && (rest || given <= names.len());
    if is_right { Ok(()) } else { miscounted(given, least, names, rest) }
}

#[cold]
fn miscounted(given: usize, least: usize, names: &[&str], rest: bool) -> Result<()> {
    let most = names.len();
    let wanted = match (rest, least == most) {
        (true, _) => format!("at least {least}"),
        (false, true) => most.to_string(),
        (false, false) => format!("{least} to {most}"),
    };
    let plural = if wanted.ends_with('1') && wanted.len() < 11 { "argument" } else { "arguments" };
    let were = if given == 1 { "was" } else { "were" };
    let message = format!("It takes {wanted} {plural}, but {given} {were} given");
    let hint = match names {
        [] => "Give none".to_owned(),
        _ => format!("Give `{}`", names.join("`, `")),
    };
    Err(Error::of(What::BadArguments, message).hint(hint))
}
