//! The one failure record that every part of modrack gives: a code, where it happened, why, and what to do.
//!
//! One record instead of an enum for each crate, because the same failure must have the same code whichever
//! backend met it; each crate has its constructors in its own `error.rs`. A message starts with a capital
//! letter, has no full stop, puts literals in backticks, and leaves advice to the hint.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Code, Foreign, GenerationId, Kind, SlotName};

/// What every fallible function of modrack gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure. Cheap to move and to clone: one failed load is reported to everybody who waited for it.
#[derive(Clone)]
pub struct Error(Arc<Failure>);

#[derive(Clone)]
struct Failure {
    code: Code,
    message: String,
    hint: Option<String>,
    phase: Option<Phase>,
    slot: Option<SlotName>,
    module: Option<String>,
    generation: Option<GenerationId>,
    place: Option<Place>,
    classes: Vec<String>,
    traceback: Option<String>,
    causes: Vec<Cause>,
    thrown: Option<Foreign>,
    also: Vec<Error>,
}

/// What was being done to a module when it failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Phase {
    /// Resolving what fills the slot.
    Find,
    /// Reading it without running it.
    Check,
    /// Running its top level.
    Load,
    /// Constructing and initializing it.
    Start,
    /// Calling a function of it.
    Call,
    /// Replacing it.
    Swap,
    /// Shutting it down.
    Stop,
}

/// Where in some text or data a failure is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// The file, or the name of what was read (`<stdin>`).
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The column in characters, counted from 1.
    pub column: Option<usize>,
    /// The full key (`slots.clean.params.width`) or the column's name.
    pub key: Option<String>,
}

/// One link of the chain that led to a failure, as the module's own language tells it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cause {
    /// The class of the exception.
    pub class: String,
    /// What it said.
    pub message: String,
    /// Notes that were added to it.
    pub notes: Vec<String>,
    /// Its own traceback.
    pub traceback: Option<String>,
    /// The slot in which it happened, where that is another than the failure's.
    pub slot: Option<SlotName>,
    /// The module in which it happened, where that is another than the failure's.
    pub module: Option<String>,
}

impl Error {
    /// A failure with nothing but its code and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Arc::new(Failure {
            code,
            message: message.into(),
            hint: None,
            phase: None,
            slot: None,
            module: None,
            generation: None,
            place: None,
            classes: Vec::new(),
            traceback: None,
            causes: Vec::new(),
            thrown: None,
            also: Vec::new(),
        }))
    }

    /// Several failures as one: the first, which carries the others along.
    ///
    /// `None` when there is none.
    pub fn all(errors: Vec<Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        Some(first.edit(|f| f.also.extend(errors)))
    }

    /// Says what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.edit(|f| f.hint = Some(hint.into()))
    }

    /// Says in which phase it happened, unless that is known.
    pub fn phase(self, phase: Phase) -> Self {
        self.edit(|f| f.phase = f.phase.or(Some(phase)))
    }

    /// Says which slot it is about, unless that is known.
    pub fn slot(self, slot: &SlotName) -> Self {
        self.edit(|f| f.slot = f.slot.take().or_else(|| Some(slot.clone())))
    }

    /// Says which module it is about, unless that is known.
    pub fn module(self, module: impl Into<String>) -> Self {
        self.edit(|f| f.module = f.module.take().or_else(|| Some(module.into())))
    }

    /// Says which generation it is about, unless that is known.
    pub fn generation(self, generation: GenerationId) -> Self {
        self.edit(|f| f.generation = f.generation.or(Some(generation)))
    }

    /// Says where it is.
    pub fn place(self, place: Place) -> Self {
        self.edit(|f| f.place = Some(place))
    }

    /// Says the classes of the exception, the most specific first, each as `module.Name`.
    pub fn classes(self, classes: Vec<String>) -> Self {
        self.edit(|f| f.classes = classes)
    }

    /// Adds the traceback of the module's own language.
    pub fn traceback(self, traceback: impl Into<String>) -> Self {
        self.edit(|f| f.traceback = Some(traceback.into()))
    }

    /// Adds a link to the chain of causes, after those that are there.
    pub fn cause(self, cause: Cause) -> Self {
        self.edit(|f| f.causes.push(cause))
    }

    /// Says that another failure led to it, as when a module fails because a slot that it called has: that one
    /// is a link of the chain, with its slot, module and traceback, and what led to it follows.
    pub fn caused_by(self, other: &Self) -> Self {
        self.edit(|f| {
            f.causes.push(Cause {
                class: other.0.classes.first().cloned().unwrap_or_else(|| other.code().to_string()),
                message: other.0.message.clone(),
                notes: Vec::new(),
                traceback: other.0.traceback.clone(),
                slot: other.0.slot.clone(),
                module: other.0.module.clone(),
            });
            f.causes.extend(other.0.causes.iter().cloned());
        })
    }

    /// Says of a failure that a module told in its own words which function told it, and of which class it is,
    /// unless the words name the class themselves: in every language the same.
    pub fn told_by(self, function: &str) -> Self {
        self.edit(|f| {
            let class = f.classes.first().map(|class| format!("`{class}`"));
            if class.as_ref().is_some_and(|class| f.message.contains(class)) {
                return;
            }
            let said = f.message.trim();
            f.message = match (class, said.is_empty()) {
                (Some(class), false) => format!("`{function}` raised {class}: {said}"),
                (Some(class), true) => format!("`{function}` raised {class}"),
                (None, false) => format!("`{function}` failed: {said}"),
                (None, true) => format!("`{function}` failed and did not say why"),
            };
        })
    }

    /// Keeps the exception itself, for a caller of the same backend that may want to catch it.
    pub fn thrown(self, exception: Foreign) -> Self {
        self.edit(|f| f.thrown = Some(exception))
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The kind of the code.
    pub fn kind(&self) -> Kind {
        self.0.code.kind()
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The phase, where it is known.
    pub fn phase_of(&self) -> Option<Phase> {
        self.0.phase
    }

    /// The slot, where it is known.
    pub fn slot_name(&self) -> Option<&SlotName> {
        self.0.slot.as_ref()
    }

    /// The module, where it is known.
    pub fn module_name(&self) -> Option<&str> {
        self.0.module.as_deref()
    }

    /// The generation, where it is known.
    pub fn generation_id(&self) -> Option<GenerationId> {
        self.0.generation
    }

    /// The place, where it is known.
    pub fn place_of(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// The classes of the exception, the most specific first.
    pub fn class_names(&self) -> &[String] {
        &self.0.classes
    }

    /// The traceback of the module's own language.
    pub fn traceback_text(&self) -> Option<&str> {
        self.0.traceback.as_deref()
    }

    /// The chain of causes, the nearest first.
    pub fn causes(&self) -> &[Cause] {
        &self.0.causes
    }

    /// The exception itself, where it was kept.
    pub fn thrown_object(&self) -> Option<&Foreign> {
        self.0.thrown.as_ref()
    }

    /// This failure and those that were found with it.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.0.also)
    }

    /// This failure and those that were found with it, each alone.
    pub fn into_each(self) -> Vec<Self> {
        if self.0.also.is_empty() {
            return vec![self];
        }
        let mut also = Vec::new();
        let first = self.edit(|f| also = std::mem::take(&mut f.also));
        std::iter::once(first).chain(also.into_iter().flat_map(Self::into_each)).collect()
    }

    fn edit(mut self, change: impl FnOnce(&mut Failure)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl Phase {
    /// The phase as messages and `--json` write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Check => "check",
            Self::Load => "load",
            Self::Start => "start",
            Self::Call => "call",
            Self::Swap => "swap",
            Self::Stop => "stop",
        }
    }
}

impl Place {
    /// A place in a file, with nothing more known.
    pub fn file(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), ..Self::default() }
    }

    /// A line of a file.
    pub fn line(file: impl Into<PathBuf>, line: usize) -> Self {
        Self { file: file.into(), line: Some(line), ..Self::default() }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.0.message, self.0.code)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)?;
        if let Some(place) = &self.0.place {
            write!(f, " at {place}")?;
        }
        for cause in &self.0.causes {
            write!(f, "; caused by {}: {}", cause.class, cause.message)?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, " (hint: {hint})")?;
        }
        if !self.0.also.is_empty() {
            write!(f, " (and {} more: {:?})", self.0.also.len(), self.0.also)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_says_stands_behind_its_function_and_its_class() {
        let cases = [
            ("no stock", Some("acme.Empty"), "`take` raised `acme.Empty`: no stock"),
            ("", Some("acme.Empty"), "`take` raised `acme.Empty`"),
            ("no stock", None, "`take` failed: no stock"),
            (" ", None, "`take` failed and did not say why"),
            ("`count` raised `acme.Empty`: none", Some("acme.Empty"), "`count` raised `acme.Empty`: none"),
        ];
        for (said, class, told) in cases {
            let error =
                Error::new(Code::Raised, said).classes(class.map(str::to_owned).into_iter().collect());
            assert_eq!(error.told_by("take").message(), told);
        }
    }

    #[test]
    fn a_failure_that_another_led_to_keeps_what_both_said() {
        let link = |class: &str| Cause { class: class.to_owned(), ..Cause::default() };
        let slot = SlotName::undeclared("inner");
        let inner =
            Error::new(Code::Raised, "It trapped").classes(vec!["trap".into()]).slot(&slot).module("m");
        let inner = inner.traceback("at 0x1").cause(link("deeper"));
        let outer = Error::new(Code::Raised, "It failed").cause(link("near")).caused_by(&inner);
        let told: Vec<_> = outer.causes().iter().map(|cause| cause.class.as_str()).collect();
        assert_eq!(told, ["near", "trap", "deeper"]);
        let trap = &outer.causes()[1];
        assert_eq!((&*trap.message, trap.traceback.as_deref()), ("It trapped", Some("at 0x1")));
        assert_eq!((trap.slot.as_ref(), trap.module.as_deref()), (Some(&slot), Some("m")));
    }
}
