//! What a stage's function gave, taken apart into rows and tables.

use modrack_core::{Error, Result};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyTuple};

use super::seat::{Seat, Time};
use super::{copy, error, packages};
use crate::arrow::{self, Imported};
use crate::handle::is_iterator;

/// A part of a result.
pub(super) enum Item<'py> {
    Row(Bound<'py, PyDict>),
    Table(Imported),
}

/// Why a result could not be taken.
pub(super) enum Fault {
    /// Taking it raised: a generator, say.
    Raised(PyErr),
    /// It is not what the place asks for.
    Wrong(Error),
    /// The run has ended further on.
    Ended(Error),
}

impl From<PyErr> for Fault {
    fn from(raised: PyErr) -> Self {
        Self::Raised(raised)
    }
}

/// Gives each part of what a row function made of `given` to `each`.
pub(super) fn of_row<'py>(
    seat: &Seat,
    given: &Bound<'py, PyDict>,
    result: Bound<'py, PyAny>,
    time: &mut Time,
    each: &mut dyn FnMut(Bound<'py, PyDict>) -> Result<()>,
) -> Result<(), Fault> {
    if result.is_none() {
        return Ok(());
    }
    let result = match result.cast_into::<PyDict>() {
        Ok(row) => {
            let holders = if row.is(given) { 2 } else { 1 };
            return each(own(row, holders)?).map_err(Fault::Ended);
        }
        Err(other) => other.into_inner(),
    };
    if is_many(&result) {
        let holders = holders_of_items(&result);
        let mut items = result.try_iter()?;
        while let Some(item) = next(&mut items, time)? {
            if item.is_none() {
                continue;
            }
            match as_row(item, holders)? {
                Ok(row) => each(row).map_err(Fault::Ended)?,
                Err(item) => return Err(Fault::Wrong(error::not_among_rows(seat.function(), &item))),
            }
        }
        return Ok(());
    }
    match as_row(result, 1)? {
        Ok(row) => each(row).map_err(Fault::Ended),
        Err(result) => Err(Fault::Wrong(error::not_a_row(seat.function(), &result))),
    }
}

/// Gives each part of what a function of batches or whole inputs gave to `each`.
pub(super) fn of_rows<'py>(
    seat: &Seat,
    result: Bound<'py, PyAny>,
    time: &mut Time,
    each: &mut dyn FnMut(Item<'py>) -> Result<()>,
) -> Result<(), Fault> {
    if result.is_none() {
        return Ok(());
    }
    if !is_many(&result) || packages::is_table(&result)? {
        return each(item(seat, result, 1)?).map_err(Fault::Ended);
    }
    let holders = holders_of_items(&result);
    let mut parts = result.try_iter()?;
    while let Some(part) = next(&mut parts, time)? {
        if !part.is_none() {
            each(item(seat, part, holders)?).map_err(Fault::Ended)?;
        }
    }
    Ok(())
}

/// A list of what a function of a column's values gave.
pub(super) fn values<'py>(
    seat: &Seat,
    column: &str,
    result: Bound<'py, PyAny>,
    time: &mut Time,
) -> Result<Bound<'py, PyList>, Fault> {
    let py = result.py();
    let result = match result.cast_into::<PyList>() {
        Ok(list) => return Ok(list),
        Err(other) => other.into_inner(),
    };
    // Arrays and series of other packages know how to be a list; a generator becomes one.
    for name in [intern!(py, "to_pylist"), intern!(py, "tolist"), intern!(py, "to_list")] {
        if result.hasattr(name)?
            && let Ok(list) = result.call_method0(name)?.cast_into()
        {
            return Ok(list);
        }
    }
    if is_many(&result) {
        let list = PyList::empty(py);
        let mut items = result.try_iter()?;
        while let Some(item) = next(&mut items, time)? {
            list.append(item)?;
        }
        return Ok(list);
    }
    Err(Fault::Wrong(error::not_values(seat.function(), column, &result)))
}

/// What comes next, which is a part of the call that gave the iterator.
fn next<'py>(items: &mut Bound<'py, PyIterator>, time: &mut Time) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = items.py();
    time.bounds(py, |_| items.next().transpose())
}

fn item<'py>(seat: &Seat, part: Bound<'py, PyAny>, holders: isize) -> Result<Item<'py>, Fault> {
    let part = match part.cast_into::<PyDict>() {
        Ok(row) => return Ok(Item::Row(own(row, holders)?)),
        Err(other) => other.into_inner(),
    };
    if packages::is_pandas(&part) {
        return packages::from_pandas(seat, &part).map(Item::Table);
    }
    if arrow::is_table(&part)? {
        return arrow::import(&part).map(Item::Table).map_err(Fault::Wrong);
    }
    match as_row(part, holders)? {
        Ok(row) => Ok(Item::Row(row)),
        Err(part) => Err(Fault::Wrong(error::not_rows(seat.function(), &part))),
    }
}

/// Whether an object stands for several: a list, a tuple, or what yields.
fn is_many(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() || is_iterator(object)
}

/// A row that nobody else holds, so that it stays as it is until it is written: a function may keep one dict
/// and give it again for every row. `holders` is how many hold a row that was made for us alone.
fn own<'py>(row: Bound<'py, PyDict>, holders: isize) -> PyResult<Bound<'py, PyDict>> {
    // SAFETY: the row is a live object.
    #[expect(unsafe_code, reason = "how many hold an object is known to the C API alone")]
    let held = unsafe { ffi::Py_REFCNT(row.as_ptr()) };
    if held > holders {
        return copy::whole(&row);
    }
    copy::shared(&row)?;
    Ok(row)
}

/// How many hold a row that was made for us alone and comes in `many`: it, unless it yields, and we. Nobody, when
/// `many` itself is kept by somebody.
fn holders_of_items(many: &Bound<'_, PyAny>) -> isize {
    if is_iterator(many) {
        return 1;
    }
    // SAFETY: the object is live.
    #[expect(unsafe_code, reason = "how many hold an object is known to the C API alone")]
    let held = unsafe { ffi::Py_REFCNT(many.as_ptr()) };
    if held > 1 { 0 } else { 2 }
}

/// An object as a row: a dict, or a copy of another mapping as one; the object itself when it is neither.
#[expect(unsafe_code, reason = "any mapping can be copied into a dict by one call of the C API")]
fn as_row<'py>(
    object: Bound<'py, PyAny>,
    holders: isize,
) -> PyResult<Result<Bound<'py, PyDict>, Bound<'py, PyAny>>> {
    let py = object.py();
    let object = match object.cast_into::<PyDict>() {
        Ok(row) => return own(row, holders).map(Ok),
        Err(other) => other.into_inner(),
    };
    let class = object.get_type();
    let is_mapping = class.hasattr(intern!(py, "keys"))?
        && class.hasattr(intern!(py, "__getitem__"))?
        && !packages::is_table(&object)?
        && !class.hasattr(intern!(py, "to_frame"))?;
    if !is_mapping {
        return Ok(Err(object));
    }
    let row = PyDict::new(py);
    // SAFETY: the first is a new dictionary, the second a live object; failing sets an exception.
    match unsafe { ffi::PyDict_Update(row.as_ptr(), object.as_ptr()) } {
        0 => Ok(Ok(row)),
        _ => Err(PyErr::fetch(py)),
    }
}
