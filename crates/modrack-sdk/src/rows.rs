//! Rows that come one after the other, as a source gives them.

use std::fmt;

use crate::{IntoValue, Outcome, Result, Value};

/// What a source gives: rows, lists of rows or tables, one after the other.
///
/// A component makes each when it is asked for, and a library makes all of them before the first goes on; where memory matters,
/// let a library give fewer and larger ones, or be a component.
///
/// ```
/// use modrack_sdk::{Result, Row, Rows};
///
/// fn read(text: &'static str) -> Rows {
///     Rows::new(text.lines().map(|line| -> Result<Row> {
///         Ok(Row::from_iter([("n", line.parse::<i64>()?)]))
///     }))
/// }
///
/// let mut rows = read("1\nx");
/// assert_eq!(rows.next().unwrap().unwrap().get("n"), Some(&1.into()));
/// assert_eq!(rows.next().unwrap().unwrap_err().class_name(), Some("ParseIntError"));
/// ```
pub struct Rows(Box<dyn Iterator<Item = Result<Value>> + Send>);

impl Rows {
    /// The rows of an iterator, which may fail at each. It is asked later, so it owns what it reads from.
    pub fn new<I>(items: I) -> Self
    where
        I: IntoIterator<IntoIter: Send + 'static>,
        I::Item: Outcome<Good: IntoValue>,
    {
        Self(Box::new(items.into_iter().map(|item| item.outcome()?.into_value())))
    }

    /// The items of what a function gave: those of a list, what is no list as one.
    #[cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "a library gives a list as it is"))]
    pub(crate) fn of(value: Value) -> Self {
        match value {
            Value::Null => Self(Box::new(std::iter::empty())),
            Value::List(items) => Self(Box::new(items.into_iter().map(Ok))),
            other => Self(Box::new(std::iter::once(Ok(other)))),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Result<Value>> {
        self.0.next()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rows")
    }
}

impl IntoValue for Rows {
    fn into_value(self) -> Result<Value> {
        Ok(Value::List(self.collect::<Result<_>>()?))
    }

    #[cfg(target_family = "wasm")]
    fn into_rows(self) -> Result<Self> {
        Ok(self)
    }
}
