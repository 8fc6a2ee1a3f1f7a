//! Whether values are of the types that a contract promises.
//!
//! Objects that only their backend sees inside are taken as they are where the caller wants them so, and
//! wherever a type is known by its name only.

use modrack_core::{Args, Code, Error, Param, ParamKind, Phase, Result, Results, Signature, Type, Value};

/// Checks what a call gives against what the function takes. The module's `own` signature says by which other
/// names its parameters may be given.
///
/// # Errors
/// [`Code::BadArguments`] that names the parameter, what was expected and what was found.
pub(crate) fn arguments(
    function: &str,
    signature: &Signature,
    own: Option<&Signature>,
    args: &Args<'_>,
) -> Result<()> {
    let bad = |message: String| {
        Err(Error::new(Code::BadArguments, message)
            .hint(format!("Its contract says `{function}{signature}`"))
            .phase(Phase::Call))
    };
    // A contract's only parameter that is a record may be given by its fields.
    if let [Param { ty: Type::Record(_), .. }] = signature.params[..]
        && args.positional.is_empty()
    {
        return Ok(());
    }
    let by_position = positions(signature);
    for (param, value) in by_position.clone().zip(args.positional) {
        if let Some(found) = misfit(&param.ty, value, Results::Kept) {
            return bad(format!("`{}` of `{function}` takes {}, not {found}", param.name, shown(&param.ty)));
        }
    }
    for (position, param) in by_position.enumerate().skip(args.positional.len()) {
        let own = own.and_then(|own| positions(own).nth(position)).filter(|p| p.kind == ParamKind::Either);
        let is_called = |name: &str| name == param.name || own.is_some_and(|own| name == own.name);
        let named = args.named.iter().find(|(name, _)| is_called(name.as_str()));
        match named {
            Some((_, value)) => {
                if let Some(found) = misfit(&param.ty, value, Results::Kept) {
                    return bad(format!(
                        "`{}` of `{function}` takes {}, not {found}",
                        param.name,
                        shown(&param.ty)
                    ));
                }
            }
            None if param.is_required() && !matches!(param.ty, Type::Option(_)) => {
                return bad(format!("`{function}` needs `{}`", param.name));
            }
            None => {}
        }
    }
    Ok(())
}

/// The parameters that have a position.
fn positions(signature: &Signature) -> impl Iterator<Item = &Param> + Clone {
    signature.params.iter().filter(|p| matches!(p.kind, ParamKind::Positional | ParamKind::Either))
}

/// Checks what a function gave against what was promised.
///
/// # Errors
/// [`Code::WrongResult`] with what was expected and what was found.
pub(crate) fn result(function: &str, promised: &Type, value: &Value, results: Results) -> Result<()> {
    match misfit(promised, value, results) {
        None => Ok(()),
        Some(found) => Err(Error::new(
            Code::WrongResult,
            format!("`{function}` gave {found}; its contract says {}", shown(promised)),
        )
        .hint("Mend what the function returns, or let the slot name another contract")
        .phase(Phase::Call)),
    }
}

/// What was found in place of what is wanted; none when the value fits.
fn misfit(wanted: &Type, value: &Value, results: Results) -> Option<String> {
    let here = || Some(format!("`{}`", name_of(value)));
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
            .map(|value| format!("a list with `{}`", value.as_text().unwrap_or(name_of(value)))),
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
    if named || cases.iter().any(|(_, ty)| fits(ty)) { None } else { Some(format!("`{}`", name_of(value))) }
}

fn count(values: usize) -> String {
    format!("{values} value{}", if values == 1 { "" } else { "s" })
}

fn name_of(value: &Value) -> &'static str {
    value.type_name()
}

fn shown(ty: &Type) -> String {
    format!("`{ty}`")
}

#[cfg(test)]
mod tests {
    use modrack_core::{Field, Map};

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

    #[test]
    fn arguments_are_checked_by_position_and_by_name() {
        let signature = Signature {
            params: vec![Param::new("row", Type::Map(Box::new(Type::Any))), Param::new("n", Type::Int)],
            ..Signature::default()
        };
        let own = Signature {
            params: vec![Param::new("record", Type::Any), Param::new("count", Type::Any)],
            ..Signature::default()
        };
        let check = |positional: &[Value], named: &[(&str, Value)], message: Option<&str>| {
            let named: Vec<_> = named.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
            let args = Args { positional, named: &named };
            let got = arguments("f", &signature, Some(&own), &args).err();
            assert_eq!(got.as_ref().map(Error::message), message);
        };
        let row = Value::from(Map::new());
        check(&[row.clone(), Value::Int(1)], &[], None);
        check(std::slice::from_ref(&row), &[("n", Value::Int(1))], None);
        check(
            std::slice::from_ref(&row),
            &[("n", Value::from("x"))],
            Some("`n` of `f` takes `int`, not `text`"),
        );
        check(&[], &[("record", row.clone()), ("count", Value::Int(1))], None);
        check(
            &[],
            &[("row", row.clone()), ("count", Value::Bool(true))],
            Some("`n` of `f` takes `int`, not `bool`"),
        );
        check(&[], &[("count", row.clone()), ("n", Value::Int(1))], Some("`f` needs `row`"));
        check(&[Value::Int(1)], &[], Some("`row` of `f` takes `map<any>`, not `int`"));
        check(&[row], &[], Some("`f` needs `n`"));
    }
}
