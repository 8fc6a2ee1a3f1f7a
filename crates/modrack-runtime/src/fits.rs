//! Whether values are of the types that a contract promises.
//!
//! Objects that only their backend sees inside are taken as they are where the caller wants them so, and
//! wherever a type is known by its name only.

use modrack_core::{
    Args, Code, Error, Param, ParamKind, Phase, Result, Results, Signature, Type, Value, misfit,
};

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

fn shown(ty: &Type) -> String {
    format!("`{ty}`")
}

#[cfg(test)]
mod tests {
    use modrack_core::Map;

    use super::*;

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
