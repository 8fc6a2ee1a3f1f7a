//! Whether a value is of a type.
//!
//! Objects that only their backend sees inside are taken as they are where the caller wants them so, and
//! wherever a type is known by its name only.

use crate::{Results, Type, Value};

/// What was found in place of what is wanted; none when the value fits.
pub fn misfit(wanted: &Type, value: &Value, results: Results) -> Option<String> {
    let here = || Some(format!("`{}`", value.type_name()));
    let inside = |place: String, found: String| Some(format!("{found} at {place}"));
    if let Value::Foreign(_) = value {
        let opaque =
            matches!(wanted, Type::Any | Type::Class(_) | Type::Resource(_) | Type::Stream(_) | Type::Table);
        let within = match wanted {
            Type::Option(item) => misfit(item, value, results).is_none(),
            Type::Result(ok, _) => misfit(ok, value, results).is_none(),
            Type::Union(items) => items.iter().any(|item| misfit(item, value, results).is_none()),
            _ => false,
        };
        return if opaque || within || results == Results::Kept { None } else { here() };
    }
    match (wanted, value) {
        (Type::Any | Type::Class(_) | Type::Resource(_), _)
        | (Type::Null, Value::Null)
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Float, Value::Float(_) | Value::Int(_))
        | (Type::Text, Value::Text(_))
        | (Type::Bytes, Value::Bytes(_))
        | (Type::Table, Value::Table(_))
        | (Type::Option(_), Value::Null) => None,
        (Type::Option(item), value) => misfit(item, value, results),
        (Type::Result(ok, _), value) => misfit(ok, value, results),
        (Type::List(item) | Type::Stream(item), Value::List(values)) => {
            values.iter().enumerate().find_map(|(at, value)| {
                misfit(item, value, results).and_then(|found| inside(format!("[{at}]"), found))
            })
        }
        (Type::Tuple(items), Value::List(values)) => {
            if items.len() != values.len() {
                return Some(count(values.len()));
            }
            items.iter().zip(values).enumerate().find_map(|(at, (item, value))| {
                misfit(item, value, results).and_then(|found| inside(format!("[{at}]"), found))
            })
        }
        (Type::Map(item), Value::Map(map)) => map.iter().find_map(|(key, value)| {
            misfit(item, value, results).and_then(|found| inside(format!("`{key}`"), found))
        }),
        (Type::Record(fields), Value::Map(map)) => fields.iter().find_map(|field| {
            match (map.get(field.name.as_str()), &field.ty) {
                (Some(value), ty) => misfit(ty, value, results),
                (None, Type::Option(_) | Type::Any) => None,
                (None, _) => Some("nothing".to_owned()),
            }
            .and_then(|found| inside(format!("`{}`", field.name), found))
        }),
        (Type::Union(items), value) => {
            if items.iter().any(|item| misfit(item, value, results).is_none()) {
                None
            } else {
                here()
            }
        }
        (Type::Enum(words), Value::Text(word)) => {
            if words.iter().any(|w| w == word.as_str()) {
                None
            } else {
                Some(format!("`{word}`"))
            }
        }
        (Type::Flags(words), Value::List(values)) => values
            .iter()
            .find(|value| !value.as_text().is_some_and(|text| words.iter().any(|w| w == text)))
            .map(|value| format!("a list with `{}`", value.as_text().unwrap_or(value.type_name()))),
        (Type::Variant(cases), value) => variant(cases, value, results),
        _ => here(),
    }
}

/// A case is its name, or a map of its name to its value; a value alone is of the case that takes it.
fn variant(cases: &[(String, Option<Type>)], value: &Value, results: Results) -> Option<String> {
    let by_name = |name: &str| cases.iter().find(|(case, _)| case == name);
    let named = match value {
        Value::Text(name) => by_name(name).is_some_and(|(_, ty)| ty.is_none()),
        Value::Map(map) if map.len() == 1 => map.iter().all(|(name, value)| {
            by_name(name).is_some_and(|(_, ty)| match ty {
                Some(ty) => misfit(ty, value, results).is_none(),
                None => *value == Value::Null,
            })
        }),
        _ => false,
    };
    let fits = |ty: &Option<Type>| match ty {
        Some(ty) => misfit(ty, value, results).is_none(),
        None => *value == Value::Null,
    };
    if named || cases.iter().any(|(_, ty)| fits(ty)) {
        None
    } else {
        Some(format!("`{}`", value.type_name()))
    }
}

fn count(values: usize) -> String {
    format!("{values} value{}", if values == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use crate::{Field, Map};

    use super::*;

    fn check(wanted: &Type, value: &Value, found: Option<&str>) {
        assert_eq!(misfit(wanted, value, Results::Converted).as_deref(), found, "{wanted} of {value:?}");
    }

    #[test]
    fn a_value_fits_its_type_or_the_first_misfit_is_named() {
        let list = |values: &[i64]| Value::List(values.iter().map(|&i| Value::Int(i)).collect());
        let row = |key: &str, value: Value| Value::from(Map::from_iter([(key.into(), value)]));
        let record = Type::Record(vec![
            Field { name: "x".into(), ty: Type::Int },
            Field { name: "y".into(), ty: Type::Option(Box::new(Type::Int)) },
        ]);
        check(&Type::Any, &Value::Null, None);
        check(&Type::Int, &Value::Int(1), None);
        check(&Type::Int, &Value::Bool(true), Some("`bool`"));
        check(&Type::Float, &Value::Int(1), None);
        check(&Type::Text, &Value::Null, Some("`null`"));
        check(&Type::Option(Box::new(Type::Text)), &Value::Null, None);
        check(&Type::List(Box::new(Type::Int)), &list(&[1, 2]), None);
        check(&Type::List(Box::new(Type::Text)), &list(&[1]), Some("`int` at [0]"));
        check(&Type::Tuple(vec![Type::Int, Type::Int]), &list(&[1]), Some("1 value"));
        check(&record, &row("x", Value::Int(1)), None);
        check(&record, &row("y", Value::Int(1)), Some("nothing at `x`"));
        check(&Type::Enum(vec!["red".into()]), &Value::from("blue"), Some("`blue`"));
        check(&Type::Union(vec![Type::Int, Type::Text]), &Value::from(1.5), Some("`float`"));
        let variant = Type::Variant(vec![("none".into(), None), ("size".into(), Some(Type::Int))]);
        check(&variant, &Value::from("none"), None);
        check(&variant, &row("size", Value::Int(3)), None);
        check(&variant, &Value::from("big"), Some("`text`"));
    }
}
