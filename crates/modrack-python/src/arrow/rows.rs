//! Record batches as rows: a `dict` for each.
//!
//! The keys are made once for a schema and a row is a copy of one empty row, so that no dictionary grows
//! while it is filled. Columns are read one after the other over a handful of rows that stay in the cache.

#![expect(unsafe_code, reason = "the copy of a dictionary is made through the C API")]

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use modrack_core::{Error, Result};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::cells::{Cells, reader};
use super::error;

/// How many rows are made at a time.
pub(crate) const ROWS: usize = 64;

/// Makes rows of the batches of one schema.
pub(crate) struct RowReader {
    schema: SchemaRef,
    keys: Vec<Py<PyString>>,
    empty: Py<PyDict>,
}

/// The columns of one batch, ready to be read.
pub(crate) struct BatchRows<'r> {
    reader: &'r RowReader,
    columns: Vec<Box<dyn Cells>>,
    next: usize,
    len: usize,
}

/// A row with a cell that has no Python object.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The row's place in the batch.
    pub(crate) at: usize,
    /// What is wrong with it.
    pub(crate) error: Error,
}

impl RowReader {
    /// A reader of batches that have `schema`.
    ///
    /// # Errors
    /// What Python raised, which is for want of memory only.
    pub(crate) fn new(py: Python<'_>, schema: SchemaRef) -> PyResult<Self> {
        let keys: Vec<_> = schema.fields().iter().map(|f| PyString::intern(py, f.name()).unbind()).collect();
        let empty = PyDict::new(py);
        for key in &keys {
            empty.set_item(key, py.None())?;
        }
        Ok(Self { schema, keys, empty: empty.unbind() })
    }

    /// Whether batches of `schema` can be read.
    pub(crate) fn reads(&self, schema: &SchemaRef) -> bool {
        Arc::ptr_eq(&self.schema, schema) || self.schema == *schema
    }

    /// Begins to read a batch, which must be one that it [reads](Self::reads).
    ///
    /// # Errors
    /// [`modrack_core::Code::ValueDoesNotFit`] when a column's type has no Python values.
    pub(crate) fn batch(&self, py: Python<'_>, batch: &RecordBatch) -> Result<BatchRows<'_>> {
        let fields = self.schema.fields().iter();
        let columns = fields
            .zip(batch.columns())
            .map(|(field, array)| reader(py, field.name(), array))
            .collect::<Result<Vec<_>>>()?;
        Ok(BatchRows { reader: self, columns, next: 0, len: batch.num_rows() })
    }
}

impl BatchRows<'_> {
    /// Makes the next handful of rows; `rows` is empty afterwards when there are no more.
    ///
    /// Gives the place of the first of them and those of their rows that could not be read whole: what is in
    /// `rows` in their place must not be used.
    ///
    /// # Errors
    /// What Python raised, which is for want of memory only.
    pub(crate) fn next<'py>(
        &mut self,
        py: Python<'py>,
        rows: &mut Vec<Bound<'py, PyDict>>,
    ) -> PyResult<(usize, Vec<Unreadable>)> {
        rows.clear();
        let first = self.next;
        let count = ROWS.min(self.len - first);
        self.next += count;
        let empty = self.reader.empty.as_ptr();
        for _ in 0..count {
            // SAFETY: `empty` is a dictionary; the answer is a new reference to one, or null.
            let row = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyDict_Copy(empty))? };
            // SAFETY: the copy of a dictionary is one.
            rows.push(unsafe { row.cast_into_unchecked() });
        }
        let mut unreadable: Vec<Unreadable> = Vec::new();
        let named = self.reader.schema.fields().iter().zip(&self.reader.keys);
        for ((field, key), cells) in named.zip(&mut self.columns) {
            for (at, why) in cells.fill(py, key, first, rows) {
                if unreadable.iter().all(|row| row.at != first + at) {
                    let error = why.place(error::column_place(field.name()));
                    unreadable.push(Unreadable { at: first + at, error });
                }
            }
        }
        Ok((first, unreadable))
    }
}
