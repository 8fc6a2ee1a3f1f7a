//! Rows that nobody else can change: lists and dicts in a row are copied with it.
//!
//! Only Python's own containers are copied, and no code of a module runs: an object of a class of its own is
//! what it is, wherever it is held.

#![expect(unsafe_code, reason = "who holds an object, and whether it can hold others, the C API alone knows")]

use std::collections::HashMap;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyList, PySet, PyTuple};

/// How deep copies go; a row that is deeper fits no column.
const DEPTH: usize = 64;

/// A row with everything in it that can be changed copied.
pub(super) fn whole<'py>(row: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
    let copy = row.copy()?;
    if holds_others(row) {
        let mut copies = Copies::default();
        copies.made.insert(row.as_ptr(), copy.clone().into_any());
        copies.fill(&copy, DEPTH)?;
    }
    Ok(copy)
}

/// Makes what is in a row its own: what somebody else holds as well is copied.
pub(super) fn shared(row: &Bound<'_, PyDict>) -> PyResult<()> {
    own(row, DEPTH)
}

fn own(dict: &Bound<'_, PyDict>, deep: usize) -> PyResult<()> {
    if !holds_others(dict) {
        return Ok(());
    }
    for (key, value) in entries(dict) {
        if let Some(copy) = owned(&value, deep)? {
            dict.set_item(key, copy)?;
        }
    }
    Ok(())
}

/// What is to stand in the place of `value`, which its container holds and the caller; nothing when it may stay.
fn owned<'py>(value: &Bound<'py, PyAny>, deep: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(deep) = deep.checked_sub(1) else { return Ok(None) };
    // SAFETY: the object is live.
    let is_shared = unsafe { ffi::Py_REFCNT(value.as_ptr()) } > 2;
    if is_shared || value.cast_exact::<PyTuple>().is_ok() {
        return Copies::default().of(value, deep);
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        own(dict, deep)?;
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        for at in 0..list.len() {
            if let Some(copy) = owned(&list.get_item(at)?, deep)? {
                list.set_item(at, copy)?;
            }
        }
    }
    Ok(None)
}

/// Copies that were made, by what they are copies of: what stands in two places, or in itself, does so in the copy.
#[derive(Default)]
struct Copies<'py> {
    made: HashMap<*mut ffi::PyObject, Bound<'py, PyAny>>,
}

impl<'py> Copies<'py> {
    /// A copy of what can be changed; nothing for anything else.
    fn of(&mut self, value: &Bound<'py, PyAny>, deep: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(made) = self.made.get(&value.as_ptr()) {
            return Ok(Some(made.clone()));
        }
        let Some(deep) = deep.checked_sub(1) else { return Ok(None) };
        let py = value.py();
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            let copy = dict.copy()?;
            self.made.insert(value.as_ptr(), copy.clone().into_any());
            self.fill(&copy, deep)?;
            return Ok(Some(copy.into_any()));
        }
        if let Ok(list) = value.cast_exact::<PyList>() {
            let copy = PyList::new(py, list.iter())?;
            self.made.insert(value.as_ptr(), copy.clone().into_any());
            for at in 0..copy.len() {
                if let Some(item) = self.of(&copy.get_item(at)?, deep)? {
                    copy.set_item(at, item)?;
                }
            }
            return Ok(Some(copy.into_any()));
        }
        if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            let mut changed = false;
            let mut items = Vec::with_capacity(tuple.len());
            for item in tuple {
                let copy = self.of(&item, deep)?;
                changed |= copy.is_some();
                items.push(copy.unwrap_or(item));
            }
            return Ok(if changed { Some(PyTuple::new(py, items)?.into_any()) } else { None });
        }
        if value.cast_exact::<PySet>().is_ok() {
            return value.call_method0("copy").map(Some);
        }
        if let Ok(bytes) = value.cast_exact::<PyByteArray>() {
            return Ok(Some(PyByteArray::new(py, &bytes.to_vec()).into_any()));
        }
        Ok(None)
    }

    /// Puts copies in the places of what a new dict holds.
    fn fill(&mut self, copy: &Bound<'py, PyDict>, deep: usize) -> PyResult<()> {
        for (key, value) in entries(copy) {
            if let Some(value) = self.of(&value, deep)? {
                copy.set_item(key, value)?;
            }
        }
        Ok(())
    }
}

/// The entries of a dict as they are now, those aside whose value holds nothing.
fn entries<'py>(dict: &Bound<'py, PyDict>) -> Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    dict.iter()
        .filter(|(_, value)| {
            value.cast_exact::<PyDict>().is_ok()
                || value.cast_exact::<PyList>().is_ok()
                || value.cast_exact::<PyTuple>().is_ok()
                || value.cast_exact::<PySet>().is_ok()
                || value.cast_exact::<PyByteArray>().is_ok()
        })
        .collect()
}

/// Whether a dict holds anything beside plain values.
fn holds_others(dict: &Bound<'_, PyDict>) -> bool {
    // The collector looks after what can hold others, and after dicts that have such values; where it looks after
    // all dicts the answer is yes, which costs a look at the values. A `bytearray` it leaves out.
    // SAFETY: the object is live.
    unsafe { ffi::PyObject_GC_IsTracked(dict.as_ptr()) != 0 }
}
