//! Writes a record as words: `processors/as_text.py`, in Rust.

/// Writes a record as words.
#[modrack::module]
pub mod as_text {
    use modrack::{Row, Value};

    /// The record as `key is value`, one after the other.
    pub fn process(record: Row) -> String {
        let mut words: Vec<_> =
            record.iter().map(|(key, value)| format!("{key} is {}", shown(value))).collect();
        words.sort();
        words.join(", ")
    }

    fn shown(value: &Value) -> String {
        match value {
            Value::Text(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            other => format!("{other:?}"),
        }
    }
}
