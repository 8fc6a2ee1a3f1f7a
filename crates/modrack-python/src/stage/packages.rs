//! pyarrow, pandas and polars: imported only for a stage that takes or gives their objects.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use modrack_core::Result;
use pyo3::exceptions::PyModuleNotFoundError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};

use super::error;
use super::results::Fault;
use super::seat::Seat;
use super::takes::Form;
use crate::arrow::{self, Imported, Table};
use crate::failure::error_from_pyerr;

/// The form that a stage's tables really have: pyarrow's only where it is installed.
///
/// # Errors
/// [`modrack_core::Code::PackageMissing`] when the function takes nothing else.
pub(super) fn settle(py: Python<'_>, seat: &Seat, wants: &str) -> Result<Form> {
    match seat.form {
        Form::Own => Ok(Form::Own),
        Form::Pyarrow => package(py, seat, "pyarrow", wants).map(|_| Form::Pyarrow),
        Form::Any => match py.import("pyarrow") {
            Ok(_) => Ok(Form::Pyarrow),
            Err(missing) if is_missing(py, &missing, "pyarrow") => Ok(Form::Own),
            Err(broken) => Err(error_from_pyerr(py, &broken)),
        },
    }
}

/// A batch as a function takes it.
pub(super) fn batch(py: Python<'_>, form: Form, batch: RecordBatch) -> PyResult<Bound<'_, PyAny>> {
    let own = Table::of(batch.schema(), vec![batch]).into_python(py)?;
    match form {
        Form::Pyarrow => py.import("pyarrow")?.call_method1(intern!(py, "record_batch"), (own,)),
        Form::Own | Form::Any => Ok(own),
    }
}

/// Batches as one table, as a function takes it.
pub(super) fn table(
    py: Python<'_>,
    form: Form,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> PyResult<Bound<'_, PyAny>> {
    let own = Table::of(schema, batches).into_python(py)?;
    match form {
        Form::Pyarrow => py.import("pyarrow")?.call_method1(intern!(py, "table"), (own,)),
        Form::Own | Form::Any => Ok(own),
    }
}

/// Batches as one `pandas.DataFrame`.
pub(super) fn pandas<'py>(
    py: Python<'py>,
    seat: &Seat,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> Result<PyResult<Bound<'py, PyAny>>> {
    package(py, seat, "pandas", "a pandas data frame")?;
    package(py, seat, "pyarrow", "a pandas data frame")?;
    Ok(table(py, Form::Pyarrow, schema, batches)
        .and_then(|table| table.call_method0(intern!(py, "to_pandas"))))
}

/// Batches as one `polars.DataFrame`.
pub(super) fn polars<'py>(
    py: Python<'py>,
    seat: &Seat,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> Result<PyResult<Bound<'py, PyAny>>> {
    let polars = package(py, seat, "polars", "a polars data frame")?;
    let own = Table::of(schema, batches).into_python(py);
    Ok(own.and_then(|own| polars.call_method1(intern!(py, "DataFrame"), (own,))))
}

/// Whether an object is a table of any kind we take.
///
/// # Errors
/// What asking it raised.
pub(super) fn is_table(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(is_pandas(object) || arrow::is_table(object)?)
}

/// Whether an object is a `pandas.DataFrame`.
pub(super) fn is_pandas(object: &Bound<'_, PyAny>) -> bool {
    object.get_type().mro().iter().any(|class| {
        class.cast::<pyo3::types::PyType>().is_ok_and(|class| {
            class.name().is_ok_and(|name| name == "DataFrame")
                && class.module().is_ok_and(|module| module.to_string().split('.').next() == Some("pandas"))
        })
    })
}

/// The rows of a data frame. An index that has a name is a column of its own; one that only numbers the rows
/// is not.
pub(super) fn from_pandas(seat: &Seat, frame: &Bound<'_, PyAny>) -> Result<Imported, Fault> {
    let py = frame.py();
    let pyarrow = package(py, seat, "pyarrow", "a pandas data frame").map_err(Fault::Wrong)?;
    let mut frame = frame.clone();
    let names = frame.getattr(intern!(py, "index"))?.getattr(intern!(py, "names"))?;
    for name in names.try_iter()? {
        if !name?.is_none() {
            frame = frame.call_method0(intern!(py, "reset_index"))?;
            break;
        }
    }
    let plain = PyDict::new(py);
    plain.set_item("preserve_index", false)?;
    let table = pyarrow.getattr("Table")?.call_method("from_pandas", (frame,), Some(&plain))?;
    arrow::import(&table).map_err(Fault::Wrong)
}

/// A package that a stage cannot do without.
fn package<'py>(py: Python<'py>, seat: &Seat, name: &str, wants: &str) -> Result<Bound<'py, PyModule>> {
    py.import(name).map_err(|raised| match is_missing(py, &raised, name) {
        true => seat.named(error::no_package(seat.function(), name, wants)),
        false => seat.named(error_from_pyerr(py, &raised)),
    })
}

fn is_missing(py: Python<'_>, raised: &PyErr, name: &str) -> bool {
    raised.is_instance_of::<PyModuleNotFoundError>(py)
        && raised.value(py).getattr("name").and_then(|n| n.extract::<String>()).is_ok_and(|n| n == name)
}
