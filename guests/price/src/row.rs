//! A row, read from the parts that a value is made of.

use crate::modrack::types::values::{Error, Part, Value};

/// The part under a name, when the value is a row that has it.
pub(crate) fn get<'v>(row: &'v Value, name: &str) -> Option<&'v Part> {
    let Some(Part::Map(fields)) = row.parts.first() else { return None };
    let (_, position) = fields.iter().find(|(field, _)| field == name)?;
    row.parts.get(usize::try_from(*position).ok()?)
}

/// The number under a name.
pub(crate) fn number(row: &Value, name: &str) -> Result<f64, Error> {
    match get(row, name) {
        Some(Part::Int(number)) => Ok(*number as f64),
        Some(Part::Float(number)) => Ok(*number),
        Some(_) => Err(error("TypeError", format!("`{name}` is no number"))),
        None => Err(error("KeyError", name.to_owned())),
    }
}

/// The row with one more field, or another value of a field that it has.
pub(crate) fn with(mut row: Value, name: &str, part: Part) -> Result<Value, Error> {
    let position =
        u32::try_from(row.parts.len()).map_err(|_| error("OverflowError", "It is too much".to_owned()))?;
    let Some(Part::Map(fields)) = row.parts.first_mut() else {
        return Err(error("TypeError", "It takes a row".to_owned()));
    };
    match fields.iter_mut().find(|(field, _)| field == name) {
        Some((_, at)) => *at = position,
        None => fields.push((name.to_owned(), position)),
    }
    row.parts.push(part);
    Ok(row)
}

fn error(class: &str, message: String) -> Error {
    Error { class: class.to_owned(), message, hint: None, causes: Vec::new(), traceback: None }
}
