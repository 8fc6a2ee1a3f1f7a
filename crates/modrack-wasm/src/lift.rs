//! The component model's dynamic values to ours.
//!
//! The engine has typed what it gives: a value that is not of its shape is a mistake of ours, told as one.

use std::sync::Arc;

use modrack_core::{Error, Foreign, Map, Text, Value};
use wasmtime::component::Val;

use crate::error::{does_not_fit, internal};
use crate::handle::Handle;
use crate::module::Plan;
use crate::seat::Seat;
use crate::shape::Shape;
use crate::wire::{CauseOut, ErrorOut, Part, TableOut, ValueOut};

/// The value of a result of this shape that `plan` gave.
///
/// # Errors
/// [`modrack_core::Code::ValueDoesNotFit`] for what has no form here.
pub(crate) fn lift(shape: &Shape, val: Val, plan: &Plan, seat: &Arc<Seat>) -> Result<Value, Error> {
    Ok(match (shape, val) {
        (_, Val::Bool(value)) => Value::Bool(value),
        (_, Val::U8(value)) => Value::Int(value.into()),
        (_, Val::U16(value)) => Value::Int(value.into()),
        (_, Val::U32(value)) => Value::Int(value.into()),
        (_, Val::U64(value)) => Value::Int(value.try_into().map_err(|_| {
            does_not_fit(
                format!(
                    "`{}` gave the number {value}, which does not fit 64 bits with a sign",
                    plan.info.name
                ),
                "Let it give numbers below 2^63, or a text",
            )
        })?),
        (_, Val::S8(value)) => Value::Int(value.into()),
        (_, Val::S16(value)) => Value::Int(value.into()),
        (_, Val::S32(value)) => Value::Int(value.into()),
        (_, Val::S64(value)) => Value::Int(value),
        (_, Val::Float32(value)) => Value::Float(value.into()),
        (_, Val::Float64(value)) => Value::Float(value),
        (_, Val::Char(letter)) => Value::from(letter.to_string()),
        (_, Val::String(text)) => Value::from(text),
        (Shape::Bytes, Val::List(vals)) => Value::Bytes(bytes(vals).into()),
        (Shape::List(item), Val::List(vals)) => {
            Value::List(vals.into_iter().map(|val| lift(item, val, plan, seat)).collect::<Result<_, _>>()?)
        }
        (Shape::Pairs(item), Val::List(vals)) => {
            let mut map = Map::with_capacity(vals.len());
            for val in vals {
                let Val::Tuple(pair) = val else { return Err(contradicts(plan)) };
                let Ok([Val::String(key), val]) = <[Val; 2]>::try_from(pair) else {
                    return Err(contradicts(plan));
                };
                map.insert(Text::from(key), lift(item, val, plan, seat)?);
            }
            Value::from(map)
        }
        (Shape::Tuple(items), Val::Tuple(vals)) => Value::List(
            items
                .iter()
                .zip(vals)
                .map(|(item, val)| lift(item, val, plan, seat))
                .collect::<Result<_, _>>()?,
        ),
        (Shape::Record(fields), Val::Record(vals)) => {
            let mut map = Map::with_capacity(vals.len());
            for ((_, name, shape), (_, val)) in fields.iter().zip(vals) {
                map.insert(Text::from(name.as_str()), lift(shape, val, plan, seat)?);
            }
            Value::from(map)
        }
        (_, Val::Option(None)) => Value::Null,
        (Shape::Option(some), Val::Option(Some(val))) => lift(some, *val, plan, seat)?,
        (_, Val::Enum(word)) => Value::from(word),
        (_, Val::Flags(words)) => Value::List(words.into_iter().map(Value::from).collect()),
        (Shape::Variant(cases), Val::Variant(case, val)) => {
            let (_, name, shape) =
                cases.iter().find(|(wit, ..)| *wit == case).ok_or_else(|| contradicts(plan))?;
            match (shape, val) {
                (Some(shape), Some(val)) => {
                    let value = lift(shape, *val, plan, seat)?;
                    Value::from(Map::from_iter([(Text::from(name.as_str()), value)]))
                }
                _ => Value::from(name.as_str()),
            }
        }
        (Shape::Result(ok, err), Val::Result(result)) => {
            let (name, shape, val) = match result {
                Ok(val) => ("ok", ok, val),
                Err(val) => ("err", err, val),
            };
            let value = match (shape, val) {
                (Some(shape), Some(val)) => lift(shape, *val, plan, seat)?,
                _ => Value::Null,
            };
            Value::from(Map::from_iter([(Text::from(name), value)]))
        }
        (Shape::Any, val) => {
            any(val).ok_or_else(|| contradicts(plan))?.value(&mut |bytes| seat.copied(bytes))?
        }
        (Shape::Table, val) => {
            let table = table(val).ok_or_else(|| contradicts(plan))?;
            seat.copied(table.ipc.len() as u64);
            crate::table::read(table.ipc)?
        }
        (Shape::Error, val) => {
            let error = error(val).ok_or_else(|| contradicts(plan))?;
            Value::from(Map::from_iter([
                (Text::from("class"), Value::from(error.class)),
                (Text::from("message"), Value::from(error.message)),
            ]))
        }
        (Shape::Own(name) | Shape::Borrow(name), Val::Resource(any)) => {
            Value::Foreign(Foreign::new(Handle::new(any, name, plan, seat)))
        }
        _ => return Err(contradicts(plan)),
    })
}

/// An `error` of `modrack:types`.
pub(crate) fn error(val: Val) -> Option<ErrorOut> {
    let [class, message, hint, causes, traceback] = fields::<5>(val)?;
    let Val::List(causes) = causes else { return None };
    let causes = causes.into_iter().map(|cause| {
        let [class, message, traceback] = fields::<3>(cause)?;
        Some(CauseOut { class: text(class)?, message: text(message)?, traceback: option(traceback)? })
    });
    Some(ErrorOut {
        class: text(class)?,
        message: text(message)?,
        hint: option(hint)?,
        causes: causes.collect::<Option<_>>()?,
        traceback: option(traceback)?,
    })
}

fn any(val: Val) -> Option<ValueOut> {
    let [parts] = fields::<1>(val)?;
    let Val::List(parts) = parts else { return None };
    let index = |val| match val {
        Val::U32(at) => Some(at),
        _ => None,
    };
    let parts = parts.into_iter().map(|part| {
        let Val::Variant(case, val) = part else { return None };
        Some(match (case.as_str(), val.map(|val| *val)) {
            ("null", None) => Part::Null,
            ("bool", Some(Val::Bool(value))) => Part::Bool(value),
            ("int", Some(Val::S64(value))) => Part::Int(value),
            ("float", Some(Val::Float64(value))) => Part::Float(value),
            ("text", Some(Val::String(value))) => Part::Text(value),
            ("bytes", Some(Val::List(vals))) => Part::Bytes(bytes(vals)),
            ("list", Some(Val::List(vals))) => {
                Part::List(vals.into_iter().map(index).collect::<Option<_>>()?)
            }
            ("map", Some(Val::List(vals))) => {
                let pairs = vals.into_iter().map(|pair| {
                    let Val::Tuple(pair) = pair else { return None };
                    let [key, at] = <[Val; 2]>::try_from(pair).ok()?;
                    Some((text(key)?, index(at)?))
                });
                Part::Map(pairs.collect::<Option<_>>()?)
            }
            ("table", Some(val)) => Part::Table(table(val)?),
            _ => return None,
        })
    });
    Some(ValueOut { parts: parts.collect::<Option<_>>()? })
}

fn table(val: Val) -> Option<TableOut> {
    let [ipc] = fields::<1>(val)?;
    let Val::List(vals) = ipc else { return None };
    Some(TableOut { ipc: bytes(vals) })
}

fn fields<const N: usize>(val: Val) -> Option<[Val; N]> {
    let Val::Record(fields) = val else { return None };
    <[Val; N]>::try_from(fields.into_iter().map(|(_, val)| val).collect::<Vec<_>>()).ok()
}

fn text(val: Val) -> Option<String> {
    match val {
        Val::String(text) => Some(text),
        _ => None,
    }
}

fn option(val: Val) -> Option<Option<String>> {
    match val {
        Val::Option(None) => Some(None),
        Val::Option(Some(val)) => Some(Some(text(*val)?)),
        _ => None,
    }
}

fn bytes(vals: Vec<Val>) -> Vec<u8> {
    let byte = |val| match val {
        Val::U8(byte) => Some(byte),
        _ => None,
    };
    vals.into_iter().filter_map(byte).collect()
}

fn contradicts(plan: &Plan) -> Error {
    internal(&format!("The result of `{}`", plan.info.name), "it is not of the type that was read")
}
