//! What a module's functions fail with, and what does not fit on the way in.

use std::fmt;

/// The result of a module's function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, as whoever called is told it.
///
/// Errors of the standard library and of others become one by `?`; their type's name is the class that a
/// rack's `errors:` can name.
///
/// ```
/// use modrack_sdk::{bail, Error, Result};
///
/// fn rate(text: &str) -> Result<f64> {
///     let rate: f64 = text.parse()?;
///     if rate < 0.0 {
///         bail!("No rate is below zero, but this one is {rate}");
///     }
///     if rate > 1.0 {
///         return Err(Error::new("A rate is at most 1").class("RateTooHigh").hint("Write 20 % as 0.2"));
///     }
///     Ok(rate)
/// }
///
/// assert_eq!(rate("0.2").unwrap(), 0.2);
/// assert_eq!(rate("much").unwrap_err().class_name(), Some("ParseFloatError"));
/// assert_eq!(rate("-1").unwrap_err().message(), "No rate is below zero, but this one is -1");
/// assert_eq!(rate("2").unwrap_err().class_name(), Some("RateTooHigh"));
/// ```
#[derive(Clone, PartialEq)]
pub struct Error(Box<Record>);

#[derive(Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) what: What,
    pub(crate) class: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) traceback: Option<String>,
    pub(crate) causes: Vec<Cause>,
    /// By what the host knows a failure of another slot again; a host of components remembers it by itself.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) failure: Option<i64>,
}

/// What kind of failure it is, to the host; a component ends by a trap where a library tells of a panic.
#[cfg_attr(target_family = "wasm", expect(dead_code, reason = "a component is ended by its host"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Failed,
    BadArguments,
    Panicked,
    Cancelled,
    TimedOut,
}

/// By this class of an error a component says that the arguments are to blame: `contracts/types.wit` has the rule. A
/// library says it by its status.
#[cfg(any(target_family = "wasm", test))]
const BAD_ARGUMENTS: &str = "modrack:bad-arguments";

/// A link of the chain of causes of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The class of what failed, where it is known.
    pub class: Option<String>,
    /// What happened.
    pub message: String,
}

impl Error {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(What::Failed, message.into())
    }

    pub(crate) fn of(what: What, message: String) -> Self {
        Self(Box::new(Record {
            what,
            class: None,
            message,
            hint: None,
            code: None,
            traceback: None,
            causes: Vec::new(),
            #[cfg(not(target_family = "wasm"))]
            failure: None,
        }))
    }

    /// Says of which class it is. A rack's `errors:` can name it.
    pub fn class(mut self, class: impl Into<String>) -> Self {
        self.0.class = Some(class.into());
        self
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a link to the chain of causes, after those that are there.
    pub fn cause(mut self, class: Option<&str>, message: impl Into<String>) -> Self {
        self.0.causes.push(Cause { class: class.map(str::to_owned), message: message.into() });
        self
    }

    /// Says what was being done, and makes what failed the first of its causes.
    ///
    /// ```
    /// use modrack_sdk::Error;
    /// let error = Error::new("It is not there").context("The rates cannot be read");
    /// assert_eq!(error.message(), "The rates cannot be read");
    /// assert_eq!(error.causes()[0].message, "It is not there");
    /// ```
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.0.message, message.into());
        self.0.causes.insert(0, Cause { class: self.0.class.clone(), message: inner });
        self
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Of which class it is.
    pub fn class_name(&self) -> Option<&str> {
        self.0.class.as_deref()
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The code of modrack, where the failure came from another slot.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The chain of causes, the nearest first.
    pub fn causes(&self) -> &[Cause] {
        &self.0.causes
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn record(&self) -> &Record {
        &self.0
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn into_record(self) -> Record {
        *self.0
    }

    /// The class by which a component tells it: never that of arguments that do not fit for a failure that an author
    /// calls so.
    #[cfg(any(target_family = "wasm", test))]
    pub(crate) fn told_class(&self) -> &str {
        match self.0.what {
            What::BadArguments => BAD_ARGUMENTS,
            _ => self.class_name().filter(|class| *class != BAD_ARGUMENTS).unwrap_or_default(),
        }
    }

    pub(crate) fn record_mut(&mut self) -> &mut Record {
        &mut self.0
    }

    #[doc(hidden)]
    pub fn __is_about_arguments(&self) -> bool {
        self.0.what == What::BadArguments
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// As it is shown when a test unwraps it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(class) = &self.0.class {
            write!(f, "{class}: ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(hint) = &self.0.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        for cause in &self.0.causes {
            write!(f, "\n  because: {}", cause.message)?;
        }
        Ok(())
    }
}

impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        of_source(&error).class(class_of::<E>())
    }
}

/// What says nothing but what it says: texts, and errors whose type is not known.
#[doc(hidden)]
pub trait Said {
    /// As an error.
    fn told(self) -> Error;
}

/// An error that is a text, or that stands in a box.
#[doc(hidden)]
pub fn said(error: impl Said) -> Error {
    error.told()
}

/// An error of a library that has one type for all of them.
#[doc(hidden)]
pub fn boxed(error: impl Into<Box<dyn std::error::Error>>) -> Error {
    of_source(&*error.into())
}

fn of_source(error: &dyn std::error::Error) -> Error {
    let mut made = Error::new(error.to_string());
    let mut source = error.source();
    while let Some(inner) = source {
        made.0.causes.push(Cause { class: None, message: inner.to_string() });
        source = inner.source();
    }
    made
}

macro_rules! said {
    ($($ty:ty => |$error:ident| $told:expr),* $(,)?) => {
        $(impl Said for $ty {
            fn told(self) -> Error {
                let $error = self;
                $told
            }
        })*
    };
}

said! {
    String => |text| Error::new(text),
    &str => |text| Error::new(text),
    std::borrow::Cow<'_, str> => |text| Error::new(text),
    Box<str> => |text| Error::new(text),
    Box<dyn std::error::Error> => |error| of_source(&*error),
    Box<dyn std::error::Error + Send> => |error| of_source(&*error),
    Box<dyn std::error::Error + Send + Sync> => |error| of_source(&*error),
}

/// The name of a type without its path, which for types of the standard library differs from compiler to compiler.
fn class_of<E>() -> String {
    let name = std::any::type_name::<E>();
    let plain = name.split('<').next().unwrap_or(name);
    plain.rsplit("::").next().unwrap_or(plain).to_owned()
}

/// Ends the function with a failure of this message, which is written as for `format!`.
///
/// ```
/// fn half(number: i64) -> modrack_sdk::Result<i64> {
///     if number % 2 != 0 {
///         modrack_sdk::bail!("{number} is odd");
///     }
///     Ok(number / 2)
/// }
/// assert_eq!(half(3).unwrap_err().message(), "3 is odd");
/// ```
#[macro_export]
macro_rules! bail {
    ($($message:tt)*) => {
        return ::core::result::Result::Err($crate::Error::new(::std::format!($($message)*)).into())
    };
}

/// A value that is not of the type that is wanted, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    /// Outermost last: it is built on the way out.
    path: Vec<Step>,
    said: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

impl Misfit {
    /// A value that must be `wanted`, but is `found`.
    pub fn new(wanted: &str, found: impl fmt::Display) -> Self {
        Self::said(format!("must be {wanted}, but is {found}"))
    }

    /// What is wrong with a value, in words that go on after its name: `must be even`.
    pub fn said(said: impl Into<String>) -> Self {
        Self(Box::new(Inner { path: Vec::new(), said: said.into() }))
    }

    pub(crate) fn missing(name: &str) -> Self {
        Self::said(format!("has no `{name}`"))
    }

    /// Says in which field of a map it stands.
    pub fn in_field(mut self, name: &str) -> Self {
        self.0.path.push(Step::Name(name.to_owned()));
        self
    }

    /// Says at which place of a list it stands.
    pub fn at(mut self, index: usize) -> Self {
        self.0.path.push(Step::Index(index));
        self
    }

    /// As a failure of the call, of the argument `name`.
    pub(crate) fn of_argument(self, name: &str) -> Error {
        self.in_field(name).refused()
    }

    /// As a failure of the call: what was given does not fit.
    pub(crate) fn refused(self) -> Error {
        Error::of(What::BadArguments, self.to_string())
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Name(name) if path.is_empty() => path.push_str(name),
                Step::Name(name) => path.push_str(&format!(".{name}")),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        match (path.is_empty(), self.0.said.strip_prefix("has no ")) {
            (false, _) => write!(f, "`{path}` {}", self.0.said),
            (true, Some(name)) => write!(f, "There is no {name}"),
            (true, None) => write!(f, "{}{}", self.0.said[..1].to_uppercase(), &self.0.said[1..]),
        }
    }
}

/// A value that a function looked into is data, not an argument that was refused: it fails like everything else.
impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        Self::new(misfit.to_string()).class("Misfit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_by_a_class_that_no_failure_of_an_author_has() {
        let refused = Misfit::new("a whole number", "a text").of_argument("days");
        assert_eq!(refused.told_class(), "modrack:bad-arguments");
        assert_eq!(refused.context("It failed").told_class(), "modrack:bad-arguments");
        assert_eq!(Error::new("It failed").told_class(), "");
        assert_eq!(Error::new("It failed").class("TooLate").told_class(), "TooLate");
        assert_eq!(Error::new("It failed").class(BAD_ARGUMENTS).told_class(), "");
        // What a function looked into by itself is no argument of its own.
        assert_eq!(Error::from(Misfit::said("must be even")).told_class(), "Misfit");
        assert_eq!(Error::from(i8::try_from(300).unwrap_err()).told_class(), "TryFromIntError");
    }

    #[test]
    fn the_class_of_bad_arguments_is_that_of_the_contract() {
        assert!(include_str!("../contracts/types.wit").contains(&format!("`{BAD_ARGUMENTS}`")));
    }
}
