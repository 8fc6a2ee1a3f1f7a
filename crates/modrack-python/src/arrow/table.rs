//! `modrack.Table`: a table that Python code can hold without any package for tables.
//!
//! It shows its rows as Python objects and hands its columns to whoever knows the Arrow PyCapsule interface.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use modrack_core::{Error, Result};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList, PyTuple};

use super::capsule::{self, Imported, too_large};
use super::cells;
use super::rows::RowReader;
use super::write::RowWriter;

/// Rows of named, typed columns.
#[pyclass(frozen, name = "Table", module = "modrack")]
pub(crate) struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Table {
    /// A table of batches that all have `schema`.
    pub(crate) fn of(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self { schema, batches }
    }

    /// A table of one batch.
    pub(crate) fn new(batch: Arc<RecordBatch>) -> Self {
        Self::of(batch.schema(), vec![Arc::unwrap_or_clone(batch)])
    }

    /// The table as an object.
    ///
    /// # Errors
    /// What Python raised, which is for want of memory only.
    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(Bound::new(py, self)?.into_any())
    }

    fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

#[pymethods]
impl Table {
    /// Takes the rows of any object that has the Arrow PyCapsule interface.
    #[new]
    fn from_arrow(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        if !capsule::is_table(data)? {
            return Err(PyValueError::new_err(
                "an object with `__arrow_c_array__` or `__arrow_c_stream__` is needed; \
                 `Table.from_pylist` takes a list of dicts",
            ));
        }
        let Imported { schema, batches } = capsule::import(data).map_err(raise)?;
        Ok(Self { schema, batches })
    }

    /// Makes a table of a list of dicts.
    #[staticmethod]
    fn from_pylist(rows: &Bound<'_, PyList>) -> PyResult<Self> {
        let rows = rows.iter().map(|row| Ok(row.cast_into::<PyDict>()?)).collect::<PyResult<Vec<_>>>()?;
        let py = rows.first().map(Bound::py);
        let Some(py) = py else {
            return Ok(Self::of(SchemaRef::new(arrow_schema::Schema::empty()), Vec::new()));
        };
        let (mut writer, misfits) = RowWriter::begin(py, &rows, None).map_err(raise)?;
        if let Some((_, misfit)) = misfits.into_iter().next() {
            return Err(raise(misfit.into_error(modrack_core::Place::default())));
        }
        Ok(Self::new(Arc::new(writer.finish().map_err(raise)?)))
    }

    /// How many rows it has.
    #[getter]
    fn num_rows(&self) -> usize {
        self.rows()
    }

    /// How many columns it has.
    #[getter]
    fn num_columns(&self) -> usize {
        self.schema.fields().len()
    }

    /// The names of its columns.
    #[getter]
    fn column_names(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// Its rows as a list of dicts.
    fn to_pylist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let reader = RowReader::new(py, self.schema.clone())?;
        let all = PyList::empty(py);
        let mut rows = Vec::new();
        for batch in &self.batches {
            let mut reading = reader.batch(py, batch).map_err(raise)?;
            loop {
                let (_, unreadable) = reading.next(py, &mut rows)?;
                if let Some(row) = unreadable.into_iter().next() {
                    return Err(raise(row.error));
                }
                if rows.is_empty() {
                    break;
                }
                rows.iter().try_for_each(|row| all.append(row))?;
            }
        }
        Ok(all)
    }

    /// The values of one column as a list.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        let index = self.schema.index_of(name).map_err(|_| PyKeyError::new_err(name.to_owned()))?;
        let all = PyList::empty(py);
        for batch in &self.batches {
            column_values(py, &all, name, batch, index).map_err(raise)?;
        }
        Ok(all)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        self.column(py, name)
    }

    fn __len__(&self) -> usize {
        self.rows()
    }

    fn __repr__(&self) -> String {
        let columns: Vec<_> =
            self.schema.fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect();
        format!("<modrack.Table of {} rows: {}>", self.rows(), columns.join(", "))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema_capsule(py, &self.schema)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        // A consumer may ask for other types; giving the ones there are is allowed.
        drop(requested_schema);
        let batch = capsule::concat(&self.schema, &self.batches).map_err(|e| raise(too_large(&e)))?;
        let schema = capsule::schema_capsule(py, &self.schema)?;
        PyTuple::new(py, [schema, capsule::array_capsule(py, &batch)?])
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        capsule::stream_capsule(py, self.schema.clone(), self.batches.clone())
    }
}

/// Appends the values of column `index` of a batch to `all`.
///
/// # Errors
/// [`modrack_core::Code::ValueDoesNotFit`] for a value that Python cannot hold.
pub(crate) fn column_values(
    py: Python<'_>,
    all: &Bound<'_, PyList>,
    name: &str,
    batch: &RecordBatch,
    index: usize,
) -> Result<()> {
    let mut cells = cells::reader(py, name, batch.column(index))?;
    for at in 0..batch.num_rows() {
        let value = cells::bound(py, cells::cell(py, &mut *cells, at)?);
        all.append(value).map_err(|e| crate::failure::error_from_pyerr(py, &e))?;
    }
    Ok(())
}

fn raise(error: Error) -> PyErr {
    let hint = error.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
    PyValueError::new_err(format!("{error}{hint}"))
}
