//! What the interfaces of contracts have that other functions have not: records, which cross by way of values, and
//! rows that are asked for one by one.

use std::cell::RefCell;

use super::lent;
use super::values::Value as WitValue;
use super::wit::{IntoWit, push};
use crate::{Error, FromValue, IntoValue, Misfit, Result, Row, Rows, Value, ValueRef};

impl IntoValue for WitValue {
    fn into_value(self) -> Result<Value> {
        Value::from_value(ValueRef::lent(lent::Value::of(&self))).map_err(Error::from)
    }
}

impl FromValue<'_> for WitValue {
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        let mut parts = Vec::new();
        let value = Value::from_value(value)?;
        push(&mut parts, value, 0).map_err(|why| Misfit::said(why.message()))?;
        Ok(Self { parts })
    }

    fn missing() -> Option<Self> {
        Some(Self { parts: Vec::new() })
    }
}

impl IntoWit<Vec<WitValue>> for Rows {
    fn into_wit(self) -> Result<Vec<WitValue>> {
        self.map(|row| row?.into_wit()).collect()
    }
}

/// A mapping of a record.
///
/// # Errors
/// A table that cannot be read.
pub fn map(pairs: Vec<(String, WitValue)>) -> Result<Value> {
    let entries = pairs.into_iter().map(|(name, value)| Ok((name, value.into_value()?)));
    Ok(Value::Map(Row::of(entries.collect::<Result<_>>()?)))
}

/// An argument that came as a type of a contract's own.
///
/// # Errors
/// An argument that does not fit, said with its name.
pub fn lift<'v, T: FromValue<'v>>(value: &'v Value, name: &str) -> Result<T> {
    T::from_value(ValueRef::owned(value)).map_err(|why| why.of_argument(name))
}

/// A result as the contract has it.
///
/// # Errors
/// What does not fit, and where.
pub fn lower<W: for<'v> FromValue<'v>, T: IntoValue>(given: T) -> Result<W> {
    let value = given.into_value()?;
    W::from_value(ValueRef::owned(&value)).map_err(|why| {
        Error::new(format!("The result does not fit the contract: {}", Error::from(why).message()))
            .class("Misfit")
    })
}

/// The rows that are left to read. It is borrowed for each `next`, so that rows which ask their own source fail.
pub struct Stream(RefCell<Option<Rows>>);

impl Stream {
    /// All of them.
    pub fn new(rows: Rows) -> Self {
        Self(RefCell::new(Some(rows)))
    }

    /// The next one; nothing when there is no more.
    ///
    /// # Errors
    /// What the source failed with; then there is no more.
    pub fn next(&self) -> Result<Option<WitValue>> {
        let mut rows = self.0.try_borrow_mut().map_err(|_| Error::new("The rows are read already"))?;
        let row = match rows.as_mut().map(Iterator::next) {
            Some(Some(row)) => row.and_then(IntoWit::into_wit).map(Some),
            _ => Ok(None),
        };
        if !matches!(row, Ok(Some(_))) {
            *rows = None;
        }
        row
    }
}
