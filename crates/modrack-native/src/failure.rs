//! What a call of a module fails with: the module's own words, with their class and causes, or what of the
//! interface's rules it broke.

use std::collections::VecDeque;

use modrack_abi::{STATUS_BAD_ARGUMENTS, STATUS_CANCELLED, STATUS_FAILED, STATUS_PANICKED, STATUS_TIMED_OUT};
use modrack_core::{Cause, Code, Error, Kind, Map, Phase, Value};

/// What other slots failed with in a call, the last few of it: a module may ask and fail as often as it likes.
#[derive(Default)]
pub(crate) struct Carried {
    failures: VecDeque<Error>,
    /// The number of the first of them.
    first: usize,
}

/// How many failures of a call are remembered.
const REMEMBERED: usize = 64;

impl Carried {
    /// The number of the failure that comes next.
    pub(crate) fn next(&self) -> usize {
        self.first + self.failures.len()
    }

    /// Remembers a failure.
    pub(crate) fn push(&mut self, failure: Error) {
        if self.failures.len() == REMEMBERED {
            self.failures.pop_front();
            self.first += 1;
        }
        self.failures.push_back(failure);
    }

    fn get(&self, number: usize) -> Option<&Error> {
        self.failures.get(number.checked_sub(self.first)?)
    }
}

/// A module that did what no module may.
pub(crate) fn broken_rule(function: &str, what: &str) -> Error {
    Error::new(Code::RulesBroken, format!("`{function}` {what}"))
        .hint("docs/native-modules.md has the rules; the module's author has to mend it")
        .phase(Phase::Call)
}

/// The failure that a function tells by a status and an error, see [`said`], with the function and the class said.
pub(crate) fn told(function: &str, status: i32, error: &Value, carried: &Carried) -> Error {
    let failure = said(function, status, error, carried);
    let own = status == STATUS_FAILED && failure.code() == Code::Raised;
    let handed_on = failure.causes().first().is_some_and(|cause| cause.message == failure.message());
    if !own || handed_on {
        return failure;
    }
    let failure = failure.told_by(function);
    if failure.class_names().is_empty() { failure.classes(vec!["error".to_owned()]) } else { failure }
}

/// The failure that a module tells by a status and an error. `carried` are the failures of other slots that
/// it was told of in the call: one that it hands on, changed or not, is the cause.
pub(crate) fn said(function: &str, status: i32, error: &Value, carried: &Carried) -> Error {
    let said = Said::of(error);
    let number = said.map.and_then(|map| match map.get(CARRIED) {
        Some(Value::Int(number)) => usize::try_from(*number).ok(),
        _ => None,
    });
    let carried = number.and_then(|number| carried.get(number));
    // A limit that was reached in a slot that it called was reached in this call too.
    let is_limit = |code: &Code| matches!(code.kind(), Kind::Timeout | Kind::Limit | Kind::Cancelled);
    let own = carried.map(Error::code).filter(is_limit);
    let (code, silent) = match status {
        STATUS_FAILED => (own.unwrap_or(Code::Raised), ""),
        STATUS_PANICKED => (Code::Raised, "panicked"),
        STATUS_BAD_ARGUMENTS => (Code::BadArguments, "does not take these arguments"),
        STATUS_CANCELLED => (Code::Cancelled, "was given up"),
        STATUS_TIMED_OUT => (Code::TimedOut, "took longer than it may"),
        other => {
            return broken_rule(function, &format!("returned the status {other}, which there is not"));
        }
    };
    let message = match said.message {
        Some(message) if status == STATUS_PANICKED => format!("`{function}` panicked: {message}"),
        Some(message) => message.to_owned(),
        None if status == STATUS_FAILED => String::new(),
        None => format!("`{function}` {silent}"),
    };
    let mut error = Error::new(code, message).phase(Phase::Call);
    let mut named = said.map.map(classes).unwrap_or_default();
    for class in carried.map(Error::class_names).unwrap_or_default() {
        if !named.contains(class) {
            named.push(class.clone());
        }
    }
    if status == STATUS_PANICKED {
        error = error.classes(vec!["panic".to_owned()]);
    } else {
        error = error.classes(named);
    }
    let Some(map) = said.map else { return error };
    if let Some(hint) = text(map, "hint") {
        error = error.hint(hint);
    }
    if let Some(carried) = carried {
        return error.caused_by(carried);
    }
    if let Some(traceback) = text(map, "traceback") {
        error = error.traceback(traceback);
    }
    let Some(Value::List(causes)) = map.get("causes") else { return error };
    causes.iter().filter_map(Value::as_map).fold(error, |error, map| {
        let owned = |key| text(map, key).map(str::to_owned);
        error.cause(Cause {
            class: owned("class").unwrap_or_default(),
            message: owned("message").unwrap_or_default(),
            traceback: owned("traceback"),
            ..Cause::default()
        })
    })
}

/// The key by which a failure of another slot is known again when a module hands it on.
const CARRIED: &str = "failure";

/// A failure of another slot as a module is told it, the `number`th of the call.
pub(crate) fn to_value(error: &Error, number: usize) -> Value {
    let texts = |texts: &[String]| Value::List(texts.iter().map(|text| Value::from(text.as_str())).collect());
    let mut map = Map::new();
    let mut set = |key: &'static str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(modrack_core::Text::from_static(key), value);
        }
    };
    set(CARRIED, i64::try_from(number).ok().map(Value::Int));
    set("code", Some(Value::from(error.code().as_str())));
    set("kind", Some(Value::from(error.kind().as_str())));
    set("message", Some(Value::from(error.message())));
    set("class", error.class_names().first().map(|class| Value::from(class.as_str())));
    set("classes", Some(texts(error.class_names())));
    set("hint", error.hint_text().map(Value::from));
    set("traceback", error.traceback_text().map(Value::from));
    let cause = |cause: &Cause| {
        let mut map = Map::new();
        map.insert("class".into(), Value::from(cause.class.as_str()));
        map.insert("message".into(), Value::from(cause.message.as_str()));
        if let Some(traceback) = &cause.traceback {
            map.insert("traceback".into(), Value::from(traceback.as_str()));
        }
        Value::from(map)
    };
    set("causes", Some(Value::List(error.causes().iter().map(cause).collect())));
    Value::from(map)
}

/// What an error says: text, or a map with a message.
struct Said<'e> {
    message: Option<&'e str>,
    map: Option<&'e Map>,
}

impl<'e> Said<'e> {
    fn of(error: &'e Value) -> Self {
        match error {
            Value::Text(message) => Self { message: Some(message), map: None },
            Value::Map(map) => Self { message: text(map, "message"), map: Some(map) },
            _ => Self { message: None, map: None },
        }
    }
}

fn text<'m>(map: &'m Map, key: &str) -> Option<&'m str> {
    map.get(key).and_then(Value::as_text)
}

fn classes(map: &Map) -> Vec<String> {
    if let Some(Value::List(classes)) = map.get("classes") {
        return classes.iter().filter_map(Value::as_text).map(str::to_owned).collect();
    }
    text(map, "class").map(|class| vec![class.to_owned()]).unwrap_or_default()
}
