//! Values to the component model's dynamic values, for functions that no typed call fits.

use modrack_core::{Error, Value};
use wasmtime::component::Val;

use crate::error::{does_not_fit, misfit};
use crate::handle;
use crate::seat::Seat;
use crate::shape::{IntKind, Shape};
use crate::wire::{Part, ValueOut};

/// The value for a place of this shape; `at` names the place.
///
/// # Errors
/// [`modrack_core::Code::BadArguments`] for another type, or a number beyond it;
/// [`modrack_core::Code::ValueDoesNotFit`] for what cannot go into any component.
pub(crate) fn lower(shape: &Shape, value: &Value, at: &str, seat: &Seat) -> Result<Val, Error> {
    let other = || misfit(at, &shape.shown(), &format!("`{}`", value.type_name()));
    Ok(match (shape, value) {
        (Shape::Bool, Value::Bool(value)) => Val::Bool(*value),
        (Shape::Int(kind), Value::Int(value)) => int(*kind, *value, at)?,
        (Shape::F64, value) => Val::Float64(float(value).ok_or_else(other)?),
        (Shape::F32, value) => Val::Float32(float(value).ok_or_else(other)? as f32),
        (Shape::Text, Value::Text(text)) => Val::String(text.to_string()),
        (Shape::Char, Value::Text(text)) => {
            let mut letters = text.chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => Val::Char(letter),
                _ => return Err(misfit(at, "char", &format!("a text of {} letters", text.chars().count()))),
            }
        }
        (Shape::Bytes, Value::Bytes(bytes)) => Val::List(bytes.iter().copied().map(Val::U8).collect()),
        (Shape::List(item), Value::List(values)) => Val::List(
            values
                .iter()
                .enumerate()
                .map(|(index, value)| lower(item, value, &format!("{at}[{index}]"), seat))
                .collect::<Result<_, _>>()?,
        ),
        (Shape::Pairs(item), Value::Map(map)) => Val::List(
            map.iter()
                .map(|(key, value)| {
                    let value = lower(item, value, &format!("{at}[`{key}`]"), seat)?;
                    Ok(Val::Tuple(vec![Val::String(key.to_string()), value]))
                })
                .collect::<Result<_, Error>>()?,
        ),
        (Shape::Tuple(items), Value::List(values)) if items.len() == values.len() => Val::Tuple(
            items
                .iter()
                .zip(values)
                .enumerate()
                .map(|(index, (item, value))| lower(item, value, &format!("{at}[{index}]"), seat))
                .collect::<Result<_, _>>()?,
        ),
        (Shape::Record(fields), Value::Map(map)) => {
            for key in map.keys() {
                if !fields.iter().any(|(wit, name, _)| name == key.as_str() || wit == key.as_str()) {
                    return Err(misfit(at, &shape.shown(), &format!("a mapping with `{key}`")));
                }
            }
            let fields = fields.iter().map(|(wit, name, shape)| {
                let given = map.get(name.as_str()).or_else(|| map.get(wit.as_str()));
                let value = match (given, shape) {
                    (Some(value), shape) => lower(shape, value, &format!("{at}.{name}"), seat)?,
                    (None, Shape::Option(_)) => Val::Option(None),
                    (None, _) => return Err(misfit(at, &format!("a mapping with `{name}`"), "one without")),
                };
                Ok((wit.clone(), value))
            });
            Val::Record(fields.collect::<Result<_, Error>>()?)
        }
        (Shape::Option(_), Value::Null) => Val::Option(None),
        (Shape::Option(some), value) => Val::Option(Some(Box::new(lower(some, value, at, seat)?))),
        (Shape::Enum(words), Value::Text(word)) => {
            Val::Enum(known(words, word).ok_or_else(|| misfit(at, &shape.shown(), &format!("`{word}`")))?)
        }
        (Shape::Flags(words), Value::List(values)) => {
            let flags = values.iter().map(|value| {
                let word = value.as_text().ok_or_else(other)?;
                known(words, word).ok_or_else(|| misfit(at, &shape.shown(), &format!("`{word}`")))
            });
            Val::Flags(flags.collect::<Result<_, _>>()?)
        }
        (Shape::Variant(cases), value) => variant(cases, value, at, seat)?.ok_or_else(other)?,
        (Shape::Result(ok, _), value) => Val::Result(Ok(match (ok, value) {
            (Some(ok), value) => Some(Box::new(lower(ok, value, at, seat)?)),
            (None, Value::Null) => None,
            (None, _) => return Err(other()),
        })),
        (Shape::Any, value) => any(value, seat)?,
        (Shape::Table, Value::Table(batch)) => {
            let ipc = crate::table::write(batch)?;
            seat.copied(ipc.len() as u64);
            table(ipc)
        }
        (Shape::Own(_) | Shape::Borrow(_), Value::Foreign(object)) => {
            let own = matches!(shape, Shape::Own(_));
            Val::Resource(handle::resource(object, seat, own).ok_or_else(other)??)
        }
        (Shape::Unsupported(what), _) => {
            return Err(does_not_fit(
                format!("{at} is a {what}, which cannot go into a component"),
                "Give the function a parameter of another type",
            ));
        }
        _ => return Err(other()),
    })
}

/// The number, where nothing of it is lost.
pub(crate) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        Value::Int(value) if value.unsigned_abs() <= 1 << 53 => Some(*value as f64),
        _ => None,
    }
}

fn int(kind: IntKind, value: i64, at: &str) -> Result<Val, Error> {
    let out = |_| misfit(at, kind.name(), &format!("{value}"));
    Ok(match kind {
        IntKind::U8 => Val::U8(value.try_into().map_err(out)?),
        IntKind::U16 => Val::U16(value.try_into().map_err(out)?),
        IntKind::U32 => Val::U32(value.try_into().map_err(out)?),
        IntKind::U64 => Val::U64(value.try_into().map_err(out)?),
        IntKind::S8 => Val::S8(value.try_into().map_err(out)?),
        IntKind::S16 => Val::S16(value.try_into().map_err(out)?),
        IntKind::S32 => Val::S32(value.try_into().map_err(out)?),
        IntKind::S64 => Val::S64(value),
    })
}

fn known(words: &[String], word: &str) -> Option<String> {
    words.iter().find(|known| *known == word || crate::shape::snake(known) == word).cloned()
}

/// A case is its name, or a mapping of its name to its value.
fn variant(
    cases: &[(String, String, Option<Shape>)],
    value: &Value,
    at: &str,
    seat: &Seat,
) -> Result<Option<Val>, Error> {
    let by_name = |word: &str| cases.iter().find(|(wit, name, _)| wit == word || name == word);
    match value {
        Value::Text(word) => {
            if let Some((wit, _, None)) = by_name(word) {
                return Ok(Some(Val::Variant(wit.clone(), None)));
            }
        }
        Value::Map(map) if map.len() == 1 => {
            let Some((word, value)) = map.first() else { return Ok(None) };
            match by_name(word) {
                Some((wit, name, Some(shape))) => {
                    let value = lower(shape, value, &format!("{at}.{name}"), seat)?;
                    return Ok(Some(Val::Variant(wit.clone(), Some(Box::new(value)))));
                }
                Some((wit, _, None)) if *value == Value::Null => {
                    return Ok(Some(Val::Variant(wit.clone(), None)));
                }
                _ => {}
            }
        }
        _ => {}
    }
    // A value alone is of the one case that takes it.
    let mut fitting = cases.iter().filter_map(|(wit, _, shape)| {
        let shape = shape.as_ref()?;
        Some(Val::Variant(wit.clone(), Some(Box::new(lower(shape, value, at, seat).ok()?))))
    });
    Ok(match (fitting.next(), fitting.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    })
}

fn table(ipc: Vec<u8>) -> Val {
    Val::Record(vec![("ipc".into(), Val::List(ipc.into_iter().map(Val::U8).collect()))])
}

/// A `value` of `modrack:types`, part by part.
fn any(value: &Value, seat: &Seat) -> Result<Val, Error> {
    let parts = ValueOut::of(value, &mut |bytes| seat.copied(bytes))?.parts;
    let some = |val| Some(Box::new(val));
    let parts = parts.into_iter().map(|part| {
        let (case, val) = match part {
            Part::Null => ("null", None),
            Part::Bool(value) => ("bool", some(Val::Bool(value))),
            Part::Int(value) => ("int", some(Val::S64(value))),
            Part::Float(value) => ("float", some(Val::Float64(value))),
            Part::Text(text) => ("text", some(Val::String(text))),
            Part::Bytes(bytes) => ("bytes", some(Val::List(bytes.into_iter().map(Val::U8).collect()))),
            Part::List(items) => ("list", some(Val::List(items.into_iter().map(Val::U32).collect()))),
            Part::Map(items) => {
                let pairs =
                    items.into_iter().map(|(key, at)| Val::Tuple(vec![Val::String(key), Val::U32(at)]));
                ("map", some(Val::List(pairs.collect())))
            }
            Part::Table(written) => ("table", some(table(written.ipc))),
        };
        Val::Variant(case.into(), val)
    });
    Ok(Val::Record(vec![("parts".into(), Val::List(parts.collect()))]))
}
