//! The types of `modrack:types` as they cross into a component and out of it by typed calls, and what they are
//! to callers.
//!
//! A value is its parts: the first is the value itself, lists and mappings name their items by position. What
//! comes from a module is looked through before it is believed: every part is named once, after who names it.

use modrack_core::{Cause, Code, Error, Map, Text, Value};
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::error::does_not_fit;
use crate::table;

/// How deep values may be nested.
const DEPTH: usize = 200;

/// A value on its way into a component; its texts and bytes are read where they lie.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct ValueIn<'a> {
    parts: Vec<PartIn<'a>>,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum PartIn<'a> {
    #[component(name = "null")]
    Null,
    #[component(name = "bool")]
    Bool(bool),
    #[component(name = "int")]
    Int(i64),
    #[component(name = "float")]
    Float(f64),
    #[component(name = "text")]
    Text(&'a str),
    #[component(name = "bytes")]
    Bytes(&'a [u8]),
    #[component(name = "list")]
    List(Vec<u32>),
    #[component(name = "map")]
    Map(Vec<(&'a str, u32)>),
    #[component(name = "table")]
    Table(TableOut),
}

/// A value of its own: what comes out of a component, and what the host's functions give to one.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct ValueOut {
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum Part {
    #[component(name = "null")]
    Null,
    #[component(name = "bool")]
    Bool(bool),
    #[component(name = "int")]
    Int(i64),
    #[component(name = "float")]
    Float(f64),
    #[component(name = "text")]
    Text(String),
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
    #[component(name = "list")]
    List(Vec<u32>),
    #[component(name = "map")]
    Map(Vec<(String, u32)>),
    #[component(name = "table")]
    Table(TableOut),
}

/// A table as an Arrow IPC stream.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct TableOut {
    pub(crate) ipc: Vec<u8>,
}

/// The class of an error by which a component says that the arguments are to blame. No language has a class that is
/// called so, `contracts/types.wit` keeps it, and no failure of another slot is told by it.
const BAD_ARGUMENTS: &str = "modrack:bad-arguments";

/// Why a function failed.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct ErrorOut {
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) causes: Vec<CauseOut>,
    pub(crate) traceback: Option<String>,
}

/// What led to it.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct CauseOut {
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) traceback: Option<String>,
}

impl<'a> ValueIn<'a> {
    /// The parts of a value.
    ///
    /// # Errors
    /// [`Code::ValueDoesNotFit`] for an object, and for what is nested too deep.
    pub(crate) fn of(value: &'a Value, copied: &mut dyn FnMut(u64)) -> Result<Self, Error> {
        let mut parts = Vec::with_capacity(1);
        put(value, &mut parts, 0, copied)?;
        Ok(Self { parts })
    }
}

fn put<'a>(
    value: &'a Value,
    parts: &mut Vec<PartIn<'a>>,
    depth: usize,
    copied: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    if depth > DEPTH {
        return Err(too_deep());
    }
    let at = parts.len();
    parts.push(match value {
        Value::Null | Value::List(_) | Value::Map(_) => PartIn::Null,
        Value::Bool(value) => PartIn::Bool(*value),
        Value::Int(value) => PartIn::Int(*value),
        Value::Float(value) => PartIn::Float(*value),
        Value::Text(value) => PartIn::Text(value),
        Value::Bytes(value) => PartIn::Bytes(value),
        Value::Table(batch) => {
            let ipc = table::write(batch)?;
            copied(ipc.len() as u64);
            PartIn::Table(TableOut { ipc })
        }
        Value::Foreign(object) => {
            return Err(does_not_fit(
                format!("A `{}` cannot go into a component", object.type_name()),
                "Give it data: numbers, texts, lists, mappings, tables",
            ));
        }
    });
    match value {
        Value::List(values) => {
            let mut items = Vec::with_capacity(values.len());
            for value in values {
                items.push(index(parts.len())?);
                put(value, parts, depth + 1, copied)?;
            }
            parts[at] = PartIn::List(items);
        }
        Value::Map(map) => {
            let mut items = Vec::with_capacity(map.len());
            for (key, value) in map.iter() {
                items.push((key.as_str(), index(parts.len())?));
                put(value, parts, depth + 1, copied)?;
            }
            parts[at] = PartIn::Map(items);
        }
        _ => {}
    }
    Ok(())
}

fn index(at: usize) -> Result<u32, Error> {
    u32::try_from(at)
        .map_err(|_| does_not_fit("A value of more than 2^32 parts cannot cross", "Give it in parts"))
}

fn too_deep() -> Error {
    does_not_fit(format!("A value is nested deeper than {DEPTH}"), "Nest it less deeply")
}

impl ValueOut {
    /// The value with everything that it holds copied.
    ///
    /// # Errors
    /// As [`ValueIn::of`].
    pub(crate) fn of(value: &Value, copied: &mut dyn FnMut(u64)) -> Result<Self, Error> {
        let parts = ValueIn::of(value, copied)?.parts.into_iter().map(|part| match part {
            PartIn::Null => Part::Null,
            PartIn::Bool(value) => Part::Bool(value),
            PartIn::Int(value) => Part::Int(value),
            PartIn::Float(value) => Part::Float(value),
            PartIn::Text(value) => Part::Text(value.to_owned()),
            PartIn::Bytes(value) => Part::Bytes(value.to_vec()),
            PartIn::List(items) => Part::List(items),
            PartIn::Map(items) => {
                Part::Map(items.into_iter().map(|(key, at)| (key.to_owned(), at)).collect())
            }
            PartIn::Table(table) => Part::Table(table),
        });
        Ok(Self { parts: parts.collect() })
    }

    /// The value that the parts stand for.
    ///
    /// # Errors
    /// [`Code::ValueDoesNotFit`] when the parts contradict each other, [`Code::BadTable`] for a table that is none.
    pub(crate) fn value(self, copied: &mut dyn FnMut(u64)) -> Result<Value, Error> {
        let count = self.parts.len();
        let mut made: Vec<Option<(Value, usize)>> = Vec::with_capacity(count);
        made.resize_with(count, || None);
        // From the last to the first: who is named stands behind who names it, so it is there already.
        for (at, part) in self.parts.into_iter().enumerate().rev() {
            let mut depth = 0;
            let mut take = |item: u32| {
                let item = item as usize;
                if item <= at {
                    return Err(malformed(&format!(
                        "its part {at} names the part {item}, which is not behind it"
                    )));
                }
                let taken = made.get_mut(item).and_then(Option::take);
                let (value, inside) = taken.ok_or_else(|| {
                    malformed(&format!(
                        "its part {at} names the part {item}, which is not there or was named before"
                    ))
                })?;
                depth = depth.max(inside + 1);
                Ok(value)
            };
            let value = match part {
                Part::Null => Value::Null,
                Part::Bool(value) => Value::Bool(value),
                Part::Int(value) => Value::Int(value),
                Part::Float(value) => Value::Float(value),
                Part::Text(value) => Value::from(value),
                Part::Bytes(value) => Value::Bytes(value.into()),
                Part::List(items) => Value::List(items.into_iter().map(take).collect::<Result<_, _>>()?),
                Part::Map(items) => {
                    let mut map = Map::with_capacity(items.len());
                    for (key, item) in items {
                        let value = take(item)?;
                        if let Some((key, _)) = map.get_key_value(key.as_str()) {
                            return Err(malformed(&format!("a mapping has the key `{key}` twice")));
                        }
                        map.insert(Text::from(key), value);
                    }
                    Value::from(map)
                }
                Part::Table(table) => {
                    copied(table.ipc.len() as u64);
                    table::read(table.ipc)?
                }
            };
            if depth > DEPTH {
                return Err(too_deep());
            }
            made[at] = Some((value, depth));
        }
        let mut made = made.into_iter();
        match made.next().flatten() {
            Some((value, _)) if made.all(|part| part.is_none()) => Ok(value),
            Some(_) => Err(malformed("it has parts that nothing names")),
            None => Err(malformed("it has no parts")),
        }
    }
}

fn malformed(why: &str) -> Error {
    does_not_fit(
        format!("The module gave a `value` that is none: {why}"),
        "Make values with modrack's kit for authors, or as `contracts/types.wit` says",
    )
}

impl ErrorOut {
    /// The failure in the module's own words; where it says that the arguments are to blame, it has the code of that.
    pub(crate) fn error(self) -> Error {
        let mut error = match self.class.as_str() {
            BAD_ARGUMENTS => Error::new(Code::BadArguments, self.message),
            "" => Error::new(Code::Raised, self.message),
            _ => Error::new(Code::Raised, self.message).classes(vec![self.class]),
        };
        if let Some(hint) = self.hint {
            error = error.hint(hint);
        }
        if let Some(traceback) = self.traceback {
            error = error.traceback(traceback);
        }
        self.causes.into_iter().fold(error, |error, cause| {
            error.cause(Cause {
                class: cause.class,
                message: cause.message,
                traceback: cause.traceback,
                ..Cause::default()
            })
        })
    }

    /// A failure of another slot, as a component is told it.
    pub(crate) fn of(error: &Error) -> Self {
        // Whoever's arguments did not fit: who hands this on does not say it of its own.
        let class = error.class_names().first().filter(|class| *class != BAD_ARGUMENTS);
        let causes = error.causes().iter().map(|cause| CauseOut {
            class: cause.class.clone(),
            message: cause.message.clone(),
            traceback: cause.traceback.clone(),
        });
        Self {
            class: class.cloned().unwrap_or_else(|| error.code().as_str().to_owned()),
            message: error.message().to_owned(),
            hint: error.hint_text().map(str::to_owned),
            causes: causes.collect(),
            traceback: error.traceback_text().map(str::to_owned),
        }
    }
}
