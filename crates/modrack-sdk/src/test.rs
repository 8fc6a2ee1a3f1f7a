//! A host for `cargo test`: what a module asks for is answered by the test, and what it says is kept.
//!
//! It stands in for the one that runs modules and never beside it: a call that a real host makes asks that one.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::{Error, IntoValue, Level, Outcome, Result, Row, Value};

/// A host that a test makes: parameters, slots that answer, and a log that is kept.
///
/// ```
/// use modrack_sdk as modrack;
/// use modrack::test::Host;
/// use modrack::{Level, Result};
///
/// // Of the module:
/// fn convert(amount: f64, currency: &str) -> Result<f64> {
///     let base: String = modrack::config("base")?;
///     let rate: f64 = modrack::slot("rates").call("rate", modrack::args![currency, base])?;
///     modrack::log::info!("1 {currency} is {rate}");
///     Ok(amount * rate)
/// }
///
/// // Of its test:
/// let host = Host::new()
///     .config("base", "EUR")
///     .answer("rates", "rate", |args| match args[0].as_str() {
///         Some("USD") => Ok(0.5),
///         _ => Err(modrack::Error::new("No rate is known")),
///     });
/// assert_eq!(host.run(|| convert(3.0, "USD")).unwrap(), 1.5);
/// assert_eq!(host.lines(), [(Level::Info, "1 USD is 0.5".to_owned())]);
/// assert_eq!(host.calls()[0].args, ["USD".into(), "EUR".into()]);
/// assert_eq!(host.run(|| convert(3.0, "ABC")).unwrap_err().message(), "No rate is known");
/// ```
#[derive(Clone, Default)]
pub struct Host(Rc<Inner>);

#[derive(Default)]
struct Inner {
    params: RefCell<Row>,
    answers: RefCell<Vec<Answer>>,
    lines: RefCell<Vec<(Level, String)>>,
    calls: RefCell<Vec<Call>>,
    time_left: RefCell<Option<Duration>>,
    is_cancelled: RefCell<bool>,
}

/// What a slot answers.
struct Answer {
    slot: String,
    function: String,
    gives: Gives,
}

/// Makes an answer of the arguments.
type Gives = Rc<dyn Fn(&[Value]) -> Result<Value>>;

/// A call of another slot that the module made.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The slot.
    pub slot: String,
    /// The function; empty for the main one.
    pub function: String,
    /// What it was given.
    pub args: Vec<Value>,
}

thread_local! {
    /// The hosts that stand in on this thread, the innermost last.
    static HERE: RefCell<Vec<Host>> = const { RefCell::new(Vec::new()) };
}

impl Host {
    /// A host with no parameters and no slots.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a parameter of the slot.
    pub fn config(self, key: &str, value: impl Into<Value>) -> Self {
        self.0.params.borrow_mut().set(key, value);
        self
    }

    /// Has a function of another slot answer; `""` is its main one. What `gives` fails with is what the call fails with.
    pub fn answer<T: Outcome<Good: IntoValue>>(
        self,
        slot: &str,
        function: &str,
        gives: impl Fn(&[Value]) -> T + 'static,
    ) -> Self {
        let gives = move |args: &[Value]| gives(args).outcome()?.into_value();
        let answer = Answer { slot: slot.to_owned(), function: function.to_owned(), gives: Rc::new(gives) };
        self.0.answers.borrow_mut().push(answer);
        self
    }

    /// Gives the calls so much time.
    pub fn time_left(self, left: Duration) -> Self {
        *self.0.time_left.borrow_mut() = Some(left);
        self
    }

    /// Says that nobody wants the result any more.
    pub fn cancelled(self) -> Self {
        *self.0.is_cancelled.borrow_mut() = true;
        self
    }

    /// Runs something with this host, on this thread.
    pub fn run<T>(&self, run: impl FnOnce() -> T) -> T {
        HERE.with_borrow_mut(|hosts| hosts.push(self.clone()));
        // Taken away also where the test panics.
        let _within = Within;
        run()
    }

    /// What was written to the log until now.
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.0.lines.borrow().clone()
    }

    /// Which other slots were called until now.
    pub fn calls(&self) -> Vec<Call> {
        self.0.calls.borrow().clone()
    }

    fn reply(&self, slot: &str, function: &str, args: Vec<Value>) -> Result<Value> {
        let answer = |answer: &&Answer| answer.slot == slot && answer.function == function;
        let gives = self.0.answers.borrow().iter().rfind(answer).map(|answer| Rc::clone(&answer.gives));
        let result = match gives {
            Some(gives) => gives(&args),
            None => {
                let message = match function {
                    "" => format!("The host of the test has no answer for `{slot}`"),
                    _ => format!("The host of the test has no answer for `{slot}.{function}`"),
                };
                let hint =
                    format!("Give it one: `Host::new().answer(\"{slot}\", \"{function}\", |args| ...)`");
                Err(Error::new(message).hint(hint))
            }
        };
        self.0.calls.borrow_mut().push(Call { slot: slot.to_owned(), function: function.to_owned(), args });
        result
    }
}

/// For as long as it is there, the last host stands in.
struct Within;

impl Drop for Within {
    fn drop(&mut self) {
        HERE.with_borrow_mut(Vec::pop);
    }
}

fn here() -> Option<Host> {
    HERE.with_borrow(|hosts| hosts.last().cloned())
}

/// Writes a line to the log that the test keeps; false where no test stands in.
pub(crate) fn log(level: Level, message: &str) -> bool {
    let Some(host) = here() else { return false };
    host.0.lines.borrow_mut().push((level, message.to_owned()));
    true
}

/// A parameter that the test gives.
pub(crate) fn config(key: &str) -> Option<Result<Value>> {
    let host = here()?;
    let value = host.0.params.borrow().get(key).cloned();
    Some(Ok(value.unwrap_or_default()))
}

/// The answer of a slot that the test gives.
pub(crate) fn call(slot: &str, function: &str, args: Vec<Value>) -> Option<Result<Value>> {
    Some(here()?.reply(slot, function, args))
}

/// The time that the test gives.
pub(crate) fn time_left() -> Option<Duration> {
    *here()?.0.time_left.borrow()
}

/// Whether the test wants no result.
pub(crate) fn cancelled() -> bool {
    here().is_some_and(|host| *host.0.is_cancelled.borrow())
}
