//! Tables: record batches of Arrow, as arguments and as results.

use std::fmt;
use std::ops::Deref;

use arrow_array::RecordBatch;

use crate::view::RawTable;
use crate::{FromValue, IntoValue, Misfit, Result, Shape, TableRef, Value, ValueRef};

/// Rows of named, typed columns: all that there are, where a [`RecordBatch`] is as many as came at once.
///
/// Natively a table crosses without a copy; into a component and out of it, it is copied once each way.
#[derive(Clone, PartialEq)]
pub struct Table(RecordBatch);

impl Table {
    /// The table with these rows.
    pub fn new(rows: RecordBatch) -> Self {
        Self(rows)
    }

    /// Its rows.
    pub fn into_batch(self) -> RecordBatch {
        self.0
    }
}

impl Deref for Table {
    type Target = RecordBatch;

    fn deref(&self) -> &RecordBatch {
        &self.0
    }
}

impl From<RecordBatch> for Table {
    fn from(rows: RecordBatch) -> Self {
        Self(rows)
    }
}

impl From<RecordBatch> for Value {
    fn from(rows: RecordBatch) -> Self {
        Self::Table(Table(rows))
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table of {} rows and {} columns", self.num_rows(), self.num_columns())
    }
}

impl TableRef<'_> {
    /// The table; one that was lent can be taken once.
    ///
    /// # Errors
    /// A table that was taken already, or that Arrow cannot read.
    pub fn to_table(self) -> Result<Table, Misfit> {
        match self.0 {
            RawTable::Owned(table) => Ok(table.clone()),
            RawTable::Lent(table) => table.read().map(Table),
        }
    }
}

impl FromValue<'_> for Table {
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        match value.shape() {
            Shape::Table(table) => table.to_table(),
            _ => Err(value.misfit("a table")),
        }
    }
}

impl FromValue<'_> for RecordBatch {
    fn from_value(value: ValueRef<'_>) -> Result<Self, Misfit> {
        Table::from_value(value).map(Table::into_batch)
    }
}

impl IntoValue for Table {
    fn into_value(self) -> Result<Value> {
        Ok(Value::Table(self))
    }
}

impl IntoValue for RecordBatch {
    fn into_value(self) -> Result<Value> {
        Ok(Value::Table(Table(self)))
    }
}
