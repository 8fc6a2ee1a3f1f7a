//! What crosses between a caller and a module, whatever language either is written in.
//!
//! A value that does not fit is an error of the backend that met it; no conversion here loses anything.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use indexmap::IndexMap;

use crate::{Foreign, Later, Text};

/// A mapping from text to values that keeps the order in which its keys were set.
pub type Map = IndexMap<Text, Value>;

/// One value of a call: an argument or a result.
///
/// Text, bytes and tables may lie in memory that a module owns, and are read there without copying.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number of 64 bits. What does not fit is an error, never cut.
    Int(i64),
    /// A number of 64 bits, with NaN and the infinities.
    Float(f64),
    /// UTF-8 text.
    Text(Text),
    /// Bytes.
    Bytes(Bytes),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name, in order.
    Map(Box<Map>),
    /// Rows of named, typed columns.
    Table(Arc<RecordBatch>),
    /// An object that one backend owns; only that backend sees inside, and it comes back unconverted.
    Foreign(Foreign),
}

impl fmt::Display for Value {
    /// As messages show it: like JSON, cut where it is long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 120;
        let mut text = String::new();
        write_brief(self, &mut text, SHOWN);
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{}...", &text[..end]),
            None => f.write_str(&text),
        }
    }
}

/// Writes a value until there is enough of it to be cut.
fn write_brief(value: &Value, text: &mut String, enough: usize) {
    match value {
        _ if text.len() > 4 * enough => {}
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => text.push_str(&value.to_string()),
        Value::Float(value) => text.push_str(&format!("{value:?}")),
        Value::Text(value) => text.push_str(&format!("{:?}", value.as_str())),
        Value::Bytes(value) => text.push_str(&format!("<{} bytes>", value.len())),
        Value::Table(value) => text.push_str(&format!("<table of {} rows>", value.num_rows())),
        Value::Foreign(_) => text.push_str("<object>"),
        Value::List(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                write_brief(item, text, enough);
            }
            text.push(']');
        }
        Value::Map(map) => {
            text.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                text.push_str(&format!("{:?}: ", key.as_str()));
                write_brief(item, text, enough);
            }
            text.push('}');
        }
    }
}

impl Value {
    /// The call that gave it, where that goes on until the value has been awaited.
    #[inline]
    pub fn later(&self) -> Option<&dyn Later> {
        match self {
            Self::Foreign(object) => object.later(),
            _ => None,
        }
    }

    /// What the value is, in the word that messages use.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Table(_) => "table",
            Self::Foreign(_) => "object",
        }
    }

    /// How many bytes the value has: text, bytes and cells of tables as they are, and 8 for each other item. What stands
    /// in a list or in a mapping has 8 at least, a key included. An object of a backend counts as an item.
    pub fn size(&self) -> u64 {
        const ITEM: u64 = 8;
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::List(items) => items.iter().map(|item| item.size().max(ITEM)).sum(),
            Self::Map(map) => {
                map.iter().map(|(key, value)| (key.len() as u64 + value.size()).max(ITEM)).sum()
            }
            Self::Table(table) => {
                let sizes = table.columns().iter().map(|column| {
                    let data = column.to_data();
                    data.get_slice_memory_size().unwrap_or_else(|_| column.get_buffer_memory_size()) as u64
                });
                sizes.sum()
            }
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Foreign(_) => ITEM,
        }
    }

    /// Whether it is data through and through: no object of a backend is in it.
    pub fn is_data(&self) -> bool {
        match self {
            Self::Foreign(_) => false,
            Self::List(items) => items.iter().all(Self::is_data),
            Self::Map(map) => map.values().all(Self::is_data),
            _ => true,
        }
    }

    /// The text, if that is what the value is.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The map, if that is what the value is.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::List(value)
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Self::Map(Box::new(value))
    }
}

impl From<RecordBatch> for Value {
    fn from(value: RecordBatch) -> Self {
        Self::Table(Arc::new(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_list_or_in_a_mapping_has_a_size() {
        let text = |length: usize| Value::from("x".repeat(length));
        let map = |items: &[(&str, Value)]| {
            Value::from(items.iter().map(|(key, value)| (Text::from(*key), value.clone())).collect::<Map>())
        };
        for (value, size) in [
            (text(0), 0),
            (text(3), 3),
            (Value::Null, 8),
            (Value::List(vec![]), 0),
            (Value::List(vec![text(0); 1000]), 8000),
            (Value::List(vec![text(3), text(8), text(9)]), 25),
            (Value::List(vec![Value::Bytes(Bytes::new()), Value::List(vec![]), map(&[])]), 24),
            (Value::List(vec![Value::Int(1); 5]), 40),
            (map(&[("", text(0)), ("a", text(3)), ("b", text(9))]), 26),
            (map(&[("key", Value::Int(1))]), 11),
        ] {
            assert_eq!(value.size(), size, "{value}");
        }
    }
}
