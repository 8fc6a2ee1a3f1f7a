//! Values to Python objects and back.
//!
//! Nothing is lost on the way: what has no form on the other side is refused, and the refusal says where in
//! the object it was met. Plain data is recognised by exact class first; subclasses come second.

use std::sync::Arc;

use bytes::Bytes;
use modrack_core::{Code, Error, Map, Result, Results, Text, Value};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyNone, PyString, PyTuple,
};

use crate::handle::PyHandle;
use crate::{arrow, failure, modules, names, stream};

/// How deep lists and mappings may go.
const DEEPEST: usize = 200;
/// Text and bytes from this size on are read where Python keeps them.
const LENT_FROM: usize = 4096;

/// What in an object has no form as a [`Value`].
pub(crate) struct Unfit {
    /// The steps from the inside to the outside.
    path: Vec<Step>,
    why: Why,
}

enum Step {
    Key(String),
    Item(usize),
}

enum Why {
    /// An object of this class.
    Class(String),
    /// A whole number beyond 64 bits.
    Wide,
    /// A key of this class.
    Key(String),
    /// Text with half of a surrogate pair.
    Surrogate,
    /// Too many levels.
    Deep,
    /// A conversion that the object itself offers, and that failed.
    Failed(Error),
}

/// `value` as a Python object.
///
/// # Errors
/// What the object of another backend says when it cannot be data.
pub fn to_python<'py>(py: Python<'py>, value: &Value) -> Result<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => PyNone::get(py).to_owned().into_any(),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Int(value) => integer(py, *value),
        Value::Float(value) => PyFloat::new(py, *value).into_any(),
        Value::Text(value) => PyString::new(py, value).into_any(),
        Value::Bytes(value) => PyBytes::new(py, value).into_any(),
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?).map_err(|e| failure::error_from_pyerr(py, &e))?;
            }
            list.into_any()
        }
        Value::Map(map) => mapping(py, map)?.into_any(),
        Value::Table(batch) => arrow::Table::new(Arc::clone(batch))
            .into_python(py)
            .map_err(|e| failure::error_from_pyerr(py, &e))?,
        Value::Foreign(object) => match object.downcast::<PyHandle>() {
            Some(handle) => match object.lease() {
                None => handle.bind(py).clone(),
                Some(lease) => stream::leased(handle.bind(py), lease)?,
            },
            None => match object.to_value()? {
                Value::Foreign(_) => {
                    return Err(Error::new(
                        Code::ValueDoesNotFit,
                        format!("An object of `{}` has no form in Python", object.type_name()),
                    ));
                }
                data => to_python(py, &data)?,
            },
        },
    })
}

/// `map` as a Python `dict`.
///
/// # Errors
/// As [`to_python`].
pub fn mapping<'py>(py: Python<'py>, map: &Map) -> Result<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, item) in map {
        let item = to_python(py, item)?;
        dict.set_item(PyString::new(py, key), item).map_err(|e| failure::error_from_pyerr(py, &e))?;
    }
    Ok(dict)
}

/// `object` as a value: as data when all of it can be data, else as the object that it is.
///
/// # Errors
/// What an object raised while it was asked for its rows.
pub fn from_python(py: Python<'_>, object: &Bound<'_, PyAny>, results: Results) -> Result<Value> {
    if results == Results::Kept {
        return Ok(kept(py, object));
    }
    match data(object) {
        Ok(value) => Ok(value),
        Err(Unfit { why: Why::Failed(error), .. }) => Err(error),
        Err(_) => Ok(PyHandle::value(object)),
    }
}

/// `object` as it is, for another function of this backend.
pub(crate) fn kept(_py: Python<'_>, object: &Bound<'_, PyAny>) -> Value {
    if object.is_none() { Value::Null } else { PyHandle::value(object) }
}

/// `object` as data.
pub(crate) fn data(object: &Bound<'_, PyAny>) -> Result<Value, Unfit> {
    convert(object, 0)
}

fn convert(object: &Bound<'_, PyAny>, depth: usize) -> Result<Value, Unfit> {
    if let Ok(float) = object.cast_exact::<PyFloat>() {
        return Ok(Value::Float(float.value()));
    }
    if let Ok(text) = object.cast_exact::<PyString>() {
        return text_value(text);
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    // Before whole numbers: `True` is one in Python.
    if let Ok(value) = object.cast::<PyBool>() {
        return Ok(Value::Bool(value.is_true()));
    }
    if let Ok(value) = object.cast::<PyInt>() {
        return value.extract::<i64>().map(Value::Int).map_err(|_| Unfit::new(Why::Wide));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return map_value(dict, depth);
    }
    if let Ok(list) = object.cast::<PyList>() {
        return items_value(list.iter(), list.len(), depth);
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        return items_value(tuple.iter(), tuple.len(), depth);
    }
    other(object, depth)
}

fn map_value(dict: &Bound<'_, PyDict>, depth: usize) -> Result<Value, Unfit> {
    too_deep(depth)?;
    let mut map = Map::with_capacity(dict.len());
    // A copy of the items: converting one may run Python code that changes the mapping.
    for pair in dict.items().iter() {
        let (Ok(key), Ok(item)) = (pair.get_item(0), pair.get_item(1)) else { continue };
        let Ok(key) = key.cast::<PyString>() else {
            return Err(Unfit::new(Why::Key(names::class_of(&key))));
        };
        let Ok(key) = key.to_str() else { return Err(Unfit::new(Why::Surrogate)) };
        let item = convert(&item, depth + 1).map_err(|unfit| unfit.at(Step::Key(key.to_owned())))?;
        map.insert(Text::from(key), item);
    }
    Ok(Value::from(map))
}

fn items_value<'py>(
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    len: usize,
    depth: usize,
) -> Result<Value, Unfit> {
    too_deep(depth)?;
    let mut list = Vec::with_capacity(len);
    for (i, item) in items.enumerate() {
        list.push(convert(&item, depth + 1).map_err(|unfit| unfit.at(Step::Item(i)))?);
    }
    Ok(Value::List(list))
}

/// What is not of the plain classes themselves.
fn other(object: &Bound<'_, PyAny>, depth: usize) -> Result<Value, Unfit> {
    let py = object.py();
    if let Ok(float) = object.cast::<PyFloat>() {
        return Ok(Value::Float(float.value()));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return text_value(text);
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Value::Bytes(bytes_value(bytes)));
    }
    if let Ok(bytes) = object.cast::<PyByteArray>() {
        return Ok(Value::Bytes(Bytes::from(bytes.to_vec())));
    }
    if object.cast::<PyMemoryView>().is_ok() {
        let bytes = object.call_method0(intern!(py, "tobytes")).map_err(|e| Unfit::failed(py, &e))?;
        return bytes
            .cast::<PyBytes>()
            .map(|b| Value::Bytes(bytes_value(b)))
            .map_err(|_| Unfit::class(object));
    }
    if arrow::is_table(object).map_err(|e| Unfit::failed(py, &e))? {
        let table = arrow::import(object).and_then(arrow::Imported::into_batch);
        return table.map(Value::from).map_err(|error| Unfit::new(Why::Failed(error)));
    }
    if let Some(item) = numpy_scalar(object) {
        return convert(&item.map_err(|e| Unfit::failed(py, &e))?, depth);
    }
    Err(Unfit::class(object))
}

/// What a scalar of numpy holds, as Python's own class; none when `object` is no such scalar, or has no
/// such class.
fn numpy_scalar<'py>(object: &Bound<'py, PyAny>) -> Option<PyResult<Bound<'py, PyAny>>> {
    let py = object.py();
    let numpy = modules::all(py).ok()?.get_item(intern!(py, "numpy")).ok()??;
    let generic = numpy.getattr(intern!(py, "generic")).ok()?;
    if !object.is_instance(&generic).ok()? {
        return None;
    }
    match object.call_method0(intern!(py, "item")) {
        Ok(item) if item.is_instance(&generic).unwrap_or(true) => None,
        item => Some(item),
    }
}

fn text_value(text: &Bound<'_, PyString>) -> Result<Value, Unfit> {
    let Ok(words) = text.to_str() else { return Err(Unfit::new(Why::Surrogate)) };
    if words.len() < LENT_FROM {
        return Ok(Value::Text(Text::from(words)));
    }
    match pyo3::pybacked::PyBackedStr::try_from(text.clone()) {
        Ok(owner) => Ok(Value::Text(Text::lent(Arc::new(owner)))),
        Err(_) => Err(Unfit::new(Why::Surrogate)),
    }
}

fn bytes_value(bytes: &Bound<'_, PyBytes>) -> Bytes {
    if bytes.as_bytes().len() < LENT_FROM {
        return Bytes::copy_from_slice(bytes.as_bytes());
    }
    Bytes::from_owner(pyo3::pybacked::PyBackedBytes::from(bytes.clone()))
}

fn integer(py: Python<'_>, value: i64) -> Bound<'_, PyAny> {
    // The conversion has no failure of its own: its error type is empty.
    match value.into_pyobject(py) {
        Ok(value) => value.into_any(),
        Err(never) => match never {},
    }
}

fn too_deep(depth: usize) -> Result<(), Unfit> {
    if depth < DEEPEST { Ok(()) } else { Err(Unfit::new(Why::Deep)) }
}

impl Unfit {
    fn new(why: Why) -> Self {
        Self { path: Vec::new(), why }
    }

    fn class(object: &Bound<'_, PyAny>) -> Self {
        Self::new(Why::Class(names::class_of(object)))
    }

    fn failed(py: Python<'_>, error: &PyErr) -> Self {
        Self::new(Why::Failed(failure::error_from_pyerr(py, error)))
    }

    fn at(mut self, step: Step) -> Self {
        // Steps out of a bottomless object say nothing.
        if !matches!(self.why, Why::Deep) {
            self.path.push(step);
        }
        self
    }

    /// The refusal as people read it, with the path from the whole to the part.
    pub(crate) fn into_error(self) -> Error {
        let mut at = String::from("result");
        for step in self.path.iter().rev() {
            match step {
                Step::Key(key) => at.push_str(&format!("[{key:?}]")),
                Step::Item(i) => at.push_str(&format!("[{i}]")),
            }
        }
        let unfit = |message: String, hint: &str| Error::new(Code::ValueDoesNotFit, message).hint(hint);
        match self.why {
            Why::Class(class) => {
                let hint = advice(&class);
                unfit(format!("`{at}` is not data: its class is `{class}`"), hint)
            }
            Why::Wide => unfit(
                format!("`{at}` is a whole number that does not fit 64 bits"),
                "Return it as text (`str(n)`) or as a `float`",
            ),
            Why::Key(class) => unfit(
                format!("`{at}` is a mapping with a key of `{class}`; only text can be a key"),
                "Make the keys text: `{str(k): v for k, v in d.items()}`",
            ),
            Why::Surrogate => unfit(
                format!("`{at}` is text with a lone surrogate, which UTF-8 cannot write"),
                "Decode the text with `errors=\"replace\"`, or return bytes",
            ),
            Why::Deep => unfit(
                format!("`{at}` is nested deeper than {DEEPEST} levels"),
                "Look whether a list or mapping contains itself",
            ),
            Why::Failed(error) => error,
        }
    }
}

/// What to return in place of an object of `class`.
fn advice(class: &str) -> &'static str {
    match class {
        "set" | "frozenset" => "Return a list: `sorted(s)`",
        "datetime.datetime" | "datetime.date" | "datetime.time" => "Return text: `d.isoformat()`",
        "decimal.Decimal" => "Return text (`str(d)`) or a `float`",
        "generator" | "async_generator" => "Return a list, or go through it item by item",
        "complex" => "Return its parts: `[z.real, z.imag]`",
        _ => "Return numbers, text, bytes, lists, mappings or tables",
    }
}
