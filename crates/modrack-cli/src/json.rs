//! Values as JSON, and JSON as values: the command's edge.
//!
//! Nothing is lost on the way: what JSON cannot write is an error that says where it is. Bytes are
//! `{"base64": "..."}` in both directions, a table is a list of its rows, and a float keeps its point (`2.0`).

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_json::WriterBuilder;
use arrow_json::writer::JsonArray;
use arrow_schema::DataType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use modrack_core::{Code, Error, Map, Result, Text, Value};

/// The one key of a mapping that stands for bytes.
const BYTES_KEY: &str = "base64";

/// The value as one line of JSON.
///
/// # Errors
/// [`Code::ValueDoesNotFit`] for NaN, the infinities and objects that are not data, with where they are.
pub(crate) fn to_text(value: &Value) -> Result<String> {
    let mut text = String::new();
    write(&mut text, value, &mut Vec::new())?;
    Ok(text)
}

/// JSON text as a value; `None` when it is not JSON.
///
/// # Errors
/// [`Code::ValueDoesNotFit`] for a number beyond 64 bits and for values that are nested too deeply, and
/// [`Code::Usage`] for a key that is given twice in one mapping.
pub(crate) fn parse(text: &str) -> Option<Result<Value>> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    if let Some(error) = fault(text) {
        return Some(Err(error));
    }
    // It is JSON, and its numbers fit.
    let parsed = serde_json::from_str(text).map_err(|_| too_deep());
    Some(parsed.map(from_json))
}

fn too_deep() -> Error {
    Error::new(Code::ValueDoesNotFit, "The JSON is nested too deeply")
        .hint("Take levels out, or give it as text, in quotes")
}

/// JSON text as it stands, held against what [`parse`] holds it against.
///
/// # Errors
/// As [`parse`], and [`Code::Usage`] for what is no JSON.
pub(crate) fn read(text: &str) -> Result<serde_json::Value> {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(Error::new(Code::Usage, format!("The JSON cannot be read: {error}")));
    }
    if let Some(error) = fault(text) {
        return Err(error);
    }
    serde_json::from_str(text).map_err(|_| too_deep())
}

/// JSON text over several lines, where one would be long to read.
pub(crate) fn indented(text: String) -> String {
    const SHORT: usize = 100;
    if text.len() <= SHORT {
        return text;
    }
    let parsed = serde_json::from_str::<serde_json::Value>(&text);
    parsed.and_then(|parsed| serde_json::to_string_pretty(&parsed)).unwrap_or(text)
}

/// A step on the way to a part of a value.
enum Step<'a> {
    Item(usize),
    Key(&'a str),
}

fn write<'a>(text: &mut String, value: &'a Value, path: &mut Vec<Step<'a>>) -> Result<()> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => {
            let _ = write!(text, "{number}");
        }
        Value::Float(number) => match serde_json::Number::from_f64(*number) {
            Some(number) => {
                let _ = write!(text, "{number}");
            }
            None => {
                return Err(unfit(format!("JSON has no way to write the number `{number}`"), path)
                    .hint("Return a finite number, or nothing"));
            }
        },
        Value::Text(words) => quote(text, words),
        Value::Bytes(bytes) => {
            let _ = write!(text, "{{\"{BYTES_KEY}\":\"{}\"}}", BASE64.encode(bytes));
        }
        Value::List(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                path.push(Step::Item(i));
                write(text, item, path)?;
                path.pop();
            }
            text.push(']');
        }
        Value::Map(map) => {
            text.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                quote(text, key);
                text.push(':');
                path.push(Step::Key(key));
                write(text, item, path)?;
                path.pop();
            }
            text.push('}');
        }
        Value::Table(batch) => {
            for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                // The writer of tables takes these for nulls.
                if let Some((row, number)) = not_finite(&**column) {
                    path.extend([Step::Item(row), Step::Key(field.name())]);
                    return Err(unfit(format!("JSON has no way to write the number `{number}`"), path)
                        .hint("Give a finite number, or null"));
                }
            }
            text.push_str(&rows(batch)?);
        }
        Value::Foreign(object) => {
            let data = object.to_value().map_err(|error| match path.is_empty() {
                true => error,
                false => unfit(error.message().to_owned(), path),
            })?;
            if let Value::Foreign(_) = data {
                return Err(unfit(format!("An object of `{}` is not data", object.type_name()), path));
            }
            // The data is made here and written here, so its steps are not those of `value`.
            let inner = to_text(&data).map_err(|error| match path.is_empty() {
                true => error,
                false => unfit(error.message().to_owned(), path),
            })?;
            text.push_str(&inner);
        }
    }
    Ok(())
}

/// A table as a JSON list of its rows, nulls written out.
fn rows(batch: &RecordBatch) -> Result<String> {
    let failed =
        |error| Error::new(Code::ValueDoesNotFit, format!("The table cannot be written as JSON: {error}"));
    let mut bytes = Vec::new();
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, JsonArray>(&mut bytes);
    writer.write(batch).and_then(|()| writer.finish()).map_err(failed)?;
    drop(writer);
    if bytes.is_empty() {
        return Ok("[]".to_owned());
    }
    String::from_utf8(bytes)
        .map_err(|error| Error::new(Code::Internal, format!("A table was written as JSON wrongly: {error}")))
}

/// The first number of a column that is none or has no end, and the row it is in.
fn not_finite(column: &dyn Array) -> Option<(usize, f64)> {
    let rows = || (0..column.len()).filter(|&row| column.is_valid(row));
    let each = |number: &dyn Fn(usize) -> f64| {
        rows().map(|row| (row, number(row))).find(|(_, number)| !number.is_finite())
    };
    let within = |part: &dyn Fn(usize) -> ArrayRef| {
        rows().find_map(|row| not_finite(&*part(row)).map(|(_, number)| (row, number)))
    };
    match column.data_type() {
        DataType::Float16 => each(&|row| column.as_primitive::<Float16Type>().value(row).to_f64()),
        DataType::Float32 => each(&|row| column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => each(&|row| column.as_primitive::<Float64Type>().value(row)),
        DataType::List(_) => within(&|row| column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => within(&|row| column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => within(&|row| column.as_fixed_size_list().value(row)),
        DataType::Map(..) => within(&|row| Arc::new(column.as_map().value(row))),
        DataType::Struct(_) => rows().find_map(|row| {
            let parts = column.as_struct().columns().iter();
            parts.map(|part| part.slice(row, 1)).find_map(|part| Some((row, not_finite(&*part)?.1)))
        }),
        _ => None,
    }
}

fn quote(text: &mut String, words: &str) {
    // Writing text to text does not fail.
    text.push_str(&serde_json::Value::from(words).to_string());
}

fn unfit(message: String, path: &[Step<'_>]) -> Error {
    if path.is_empty() {
        return Error::new(Code::ValueDoesNotFit, message);
    }
    let mut at = String::new();
    for step in path {
        let _ = match step {
            Step::Item(i) => write!(at, "[{i}]"),
            Step::Key(key) => write!(at, "[{key:?}]"),
        };
    }
    Error::new(Code::ValueDoesNotFit, format!("{message}, at `result{at}`"))
}

/// JSON as a value.
pub(crate) fn from_json(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Bool(flag),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(from_json).collect()),
        serde_json::Value::Object(fields) => {
            if let Some(bytes) = bytes_of(&fields) {
                return Value::Bytes(bytes.into());
            }
            let map: Map = fields.into_iter().map(|(key, item)| (Text::from(key), from_json(item))).collect();
            Value::from(map)
        }
    }
}

fn bytes_of(fields: &serde_json::Map<String, serde_json::Value>) -> Option<Vec<u8>> {
    match (fields.len(), fields.get(BYTES_KEY)?.as_str()) {
        (1, Some(text)) => BASE64.decode(text).ok(),
        _ => None,
    }
}

/// What the parser of JSON `text` would not tell: a number that 64 bits do not hold, which it would round, and
/// a key that is given twice, of which it would take the last.
fn fault(text: &str) -> Option<Error> {
    let bytes = text.as_bytes();
    let mut at = 0;
    // The keys of each mapping that is open; a list has none.
    let mut open: Vec<HashSet<String>> = Vec::new();
    while at < bytes.len() {
        let from = at;
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
                if text[at..].trim_start().starts_with(':')
                    && let Some(keys) = open.last_mut()
                    && let Ok(key) = serde_json::from_str::<String>(&text[from..at])
                    && let Some(key) = keys.replace(key)
                {
                    let error =
                        Error::new(Code::Usage, format!("The key `{key}` is given twice in one mapping"));
                    return Some(error.hint("Take one of the two out"));
                }
            }
            b'-' | b'0'..=b'9' => {
                while at < bytes.len() && matches!(bytes[at], b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                {
                    at += 1;
                }
                let number = &text[from..at];
                let fits = match number.contains(['.', 'e', 'E']) {
                    true => number.parse::<f64>().is_ok_and(f64::is_finite),
                    false => number.parse::<i64>().is_ok(),
                };
                if !fits {
                    let error = Error::new(Code::ValueDoesNotFit, format!("`{number}` does not fit 64 bits"));
                    return Some(error.hint("Give it as text, in quotes: `'\"...\"'`"));
                }
            }
            b'{' | b'[' => {
                open.push(HashSet::new());
                at += 1;
            }
            b'}' | b']' => {
                open.pop();
                at += 1;
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, ListArray};

    use super::*;

    fn check(json: &str) {
        let value = parse(json).unwrap().unwrap();
        assert_eq!(to_text(&value).unwrap(), json);
    }

    #[test]
    fn json_comes_back_as_it_was() {
        check("null");
        check("[1,-2,2.0,1e+300,true]");
        check(r#"{"b":1,"a":{"":[]}}"#);
        check(r#""a \"b\" \n é \u0001""#);
        check(r#"{"base64":"AAH/"}"#);
        check("9223372036854775807");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for number in [
            "9223372036854775808",
            "[1, -99999999999999999999]",
            r#"{"a 1": 18446744073709551615}"#,
            "-1e400",
        ] {
            assert_eq!(parse(number).unwrap().unwrap_err().code(), Code::ValueDoesNotFit, "{number}");
        }
        assert!(parse(r#""99999999999999999999 \" 99999999999999999999""#).unwrap().is_ok());
        assert!(parse("upper").is_none());
        let twice = |json: &str| parse(json).unwrap().map(drop).map_err(|error| error.message().to_owned());
        let said = |key: &str| Err(format!("The key `{key}` is given twice in one mapping"));
        assert_eq!(twice(r#"[{"a": 1, "b": {"a": 2}, "a": 3}]"#), said("a"));
        assert_eq!(twice(r#"{"b": [{"c" : 1, "\u0063":2}]}"#), said("c"));
        assert_eq!(twice(r#"[{"a": "a", "b": ["a", "a"]}, {"a": {"a": {}}}, "a"]"#), Ok(()));
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(parse(&deep).unwrap().unwrap_err().code(), Code::ValueDoesNotFit);
        let nested = Value::List(vec![Value::Map(Box::new(Map::from_iter([(
            Text::from("price"),
            Value::Float(f64::NAN),
        )])))]);
        let error = to_text(&nested).unwrap_err();
        assert_eq!(error.message(), "JSON has no way to write the number `NaN`, at `result[0][\"price\"]`");
    }

    #[test]
    fn a_number_of_a_table_without_an_end_is_an_error() {
        let lists = ListArray::from_iter_primitive::<Float64Type, _, _>([
            Some(vec![Some(1.0), None]),
            Some(vec![Some(f64::INFINITY)]),
        ]);
        let columns: [ArrayRef; 2] =
            [Arc::new(Float64Array::from(vec![None, Some(f64::NAN)])), Arc::new(lists)];
        for (column, shown) in columns.into_iter().zip(["NaN", "inf"]) {
            let table = RecordBatch::try_from_iter_with_nullable([("a", column, true)]).unwrap();
            assert!(to_text(&Value::from(table.slice(0, 1))).is_ok());
            let expected =
                format!("JSON has no way to write the number `{shown}`, at `result[1][\"a\"]` [M0506]");
            assert_eq!(to_text(&Value::from(table)).unwrap_err().to_string(), expected);
        }
    }
}
