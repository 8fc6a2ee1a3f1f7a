//! Setting a key in a text of TOML where it stands: its comments and its layout are `toml_edit`'s to keep.

use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, Value};

use super::node::{Node, NodeValue};

/// The text with a value at the end of these keys; none when it cannot be put there.
pub(crate) fn put(text: &str, keys: &[String], value: &Node) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let (last, way) = keys.split_last()?;
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for (at, key) in way.iter().enumerate() {
        if table.get(key).is_none() {
            table.insert(key, Item::Value(Value::InlineTable(InlineTable::new())));
        }
        let there = table.get_mut(key)?;
        if at == 1
            && way[0] == "slots"
            && let Some(short) = there.as_str().map(str::to_owned)
        {
            // A text is short for `use`.
            let mut long = InlineTable::new();
            long.insert("use", short.into());
            replace(there, Value::InlineTable(long));
        }
        table = there.as_table_like_mut()?;
    }
    let value = of(value)?;
    match table.get_mut(last) {
        Some(there) => replace(there, value),
        None => drop(table.insert(last, Item::Value(value))),
    }
    Some(document.to_string())
}

/// Puts a value in the place of another, with the comment and the spaces round it.
fn replace(there: &mut Item, mut value: Value) {
    if let Some(old) = there.as_value() {
        *value.decor_mut() = old.decor().clone();
    }
    *there = Item::Value(value);
}

/// A node as TOML has it; none for what it has no form for.
fn of(node: &Node) -> Option<Value> {
    Some(match &node.value {
        NodeValue::Null | NodeValue::Unknown => return None,
        NodeValue::Bool(value) => (*value).into(),
        NodeValue::Int(value) => (*value).into(),
        NodeValue::Float(value) => (*value).into(),
        NodeValue::Text(text) => text.as_str().into(),
        NodeValue::List(items) => Value::Array(items.iter().map(of).collect::<Option<Array>>()?),
        NodeValue::Map(entries) => {
            let entries = entries.iter().map(|entry| Some((entry.key.as_str(), of(&entry.node)?)));
            Value::InlineTable(entries.collect::<Option<InlineTable>>()?)
        }
    })
}
