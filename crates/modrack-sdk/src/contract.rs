//! The records of modrack's contracts. A test of the macros holds the contracts themselves against the WIT, one of
//! this crate these types.

use crate::{IntoValue, Result, Row, Value};

/// A source file: what an `analyzer` looks at, and what a `source-transform` rewrites.
#[derive(Clone, Debug, PartialEq, Eq, modrack_sdk_macros::Value)]
#[modrack(crate = "crate")]
pub struct SourceFile {
    /// Where it lies.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

/// What an `analyzer` found, and where; lines and columns are counted from 1.
///
/// ```
/// use modrack_sdk::contract::{Finding, SourceFile};
///
/// fn analyze(file: SourceFile) -> Vec<Finding> {
///     let lines = file.text.lines().enumerate();
///     let long = lines.filter(|(_, line)| line.len() > 120);
///     long.map(|(at, _)| Finding::new("The line is long").at(at + 1).severity("hint")).collect()
/// }
///
/// let file = SourceFile { path: "a.py".into(), text: format!("a = 1\n{}", "#".repeat(130)) };
/// assert_eq!(analyze(file)[0].line, Some(2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, modrack_sdk_macros::Value)]
#[modrack(crate = "crate")]
pub struct Finding {
    /// What was found.
    pub message: String,
    /// In which line.
    pub line: Option<u32>,
    /// In which column.
    pub column: Option<u32>,
    /// How much it matters, in a word.
    pub severity: Option<String>,
    /// A code that it can be looked up by.
    pub code: Option<String>,
}

impl Finding {
    /// Something that was found.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Says in which line; one that no file has is left out.
    pub fn at(mut self, line: usize) -> Self {
        self.line = u32::try_from(line).ok();
        self
    }

    /// Says in which column of the line.
    pub fn column(mut self, column: usize) -> Self {
        self.column = u32::try_from(column).ok();
        self
    }

    /// Says how much it matters.
    pub fn severity(mut self, severity: impl Into<String>) -> Self {
        self.severity = Some(severity.into());
        self
    }

    /// Says by which code it can be looked up.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}

/// A call that failed, which an `error-handler` decides about.
#[derive(Clone, Debug, Default, PartialEq, modrack_sdk_macros::Value)]
#[modrack(crate = "crate")]
pub struct Failure {
    /// The kind of the failure.
    pub kind: String,
    /// Its code.
    pub code: String,
    /// Its class, where it has one.
    pub class: Option<String>,
    /// What happened.
    pub message: String,
    /// Which slot was called.
    pub slot: String,
    /// Which function.
    pub function: String,
    /// With what.
    pub args: Vec<Value>,
    /// How often it was called, this time included.
    pub attempt: u32,
}

/// What an `error-handler` decides.
///
/// ```
/// use modrack_sdk::contract::{Decision, Failure};
///
/// fn handle(error: Failure) -> Decision {
///     match (error.class.as_deref(), error.attempt) {
///         (Some("Timeout"), 1..3) => Decision::Retry,
///         (Some("KeyError"), _) => Decision::Instead(0.into()),
///         _ => Decision::Stop,
///     }
/// }
/// # assert_eq!(handle(Failure::default()), Decision::Stop);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The failure goes on to whoever called.
    Stop,
    /// The row is left out.
    Skip,
    /// The call is made again.
    Retry,
    /// The row is put aside.
    Quarantine,
    /// This is the result.
    Instead(Value),
}

impl IntoValue for Decision {
    fn into_value(self) -> Result<Value> {
        Ok(match self {
            Self::Stop => "stop".into(),
            Self::Skip => "skip".into(),
            Self::Retry => "retry".into(),
            Self::Quarantine => "quarantine".into(),
            Self::Instead(value) => value,
        })
    }
}

/// A call that ended, of which a `metric` gives the figure.
#[derive(Clone, Debug, Default, PartialEq, modrack_sdk_macros::Value)]
#[modrack(crate = "crate")]
pub struct Measured {
    /// What it gave; nothing when it failed.
    pub result: Value,
    /// What it was given.
    pub args: Vec<Value>,
    /// What it failed with.
    pub error: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// A call on its way to a module, which a `layer` stands round.
#[derive(Clone, Debug, Default, PartialEq, modrack_sdk_macros::Value)]
#[modrack(crate = "crate")]
pub struct Call {
    /// Which slot is called.
    pub slot: String,
    /// Which function.
    pub function: String,
    /// With what, by position.
    pub args: Vec<Value>,
    /// With what, by name.
    pub named: Row,
}
