//! The arguments of a call, each put in the place of the parameter that it is for: in one way and in the same words for
//! every backend whose functions say what they take.
//!
//! Values are not held against types here: each backend does that as it hands them over.

use std::borrow::Cow;

use crate::{Args, Code, Error, ParamKind, Phase, Result, Signature, Type, Value};

/// Every parameter's argument, in order: null for an option that is not given, a list for what takes the rest.
///
/// # Errors
/// [`Code::BadArguments`] where there are too many, one is missing, is given twice, or has a name that no parameter has.
pub fn bind_arguments<'v>(
    function: &str,
    signature: &Signature,
    args: &Args<'v>,
) -> Result<Cow<'v, [Value]>> {
    let bad = |what: String| {
        let hint = format!("Its signature is `{function}{signature}`");
        Err(Error::new(Code::BadArguments, what).hint(hint).phase(Phase::Call))
    };
    let (given, params) = (args.positional, &signature.params);
    let (_, most) = signature.arity();
    if most.is_some_and(|most| given.len() > most) {
        let (takes, s) = (params.len(), if params.len() == 1 { "" } else { "s" });
        return bad(format!("`{function}` takes {takes} argument{s}, and is given {}", given.len()));
    }
    if let Some((name, _)) = args.named.iter().find(|(name, _)| signature.named(name).is_none()) {
        return bad(format!("`{function}` has no parameter `{name}`"));
    }
    if args.named.is_empty()
        && given.len() == params.len()
        && params.iter().all(|param| param.kind != ParamKind::Rest)
    {
        return Ok(given.into());
    }
    let mut values = Vec::with_capacity(params.len());
    for (index, param) in params.iter().enumerate() {
        if param.kind == ParamKind::Rest {
            values.push(Value::List(given.get(index..).unwrap_or_default().to_vec()));
            continue;
        }
        let named = args.named.iter().find(|(name, _)| name.as_str() == param.name);
        values.push(match (given.get(index), named) {
            (Some(_), Some(_)) => {
                return bad(format!("`{function}` is given `{}` twice", param.name));
            }
            (Some(value), None) | (None, Some((_, value))) => value.clone(),
            (None, None) if matches!(param.ty, Type::Option(_)) => Value::Null,
            (None, None) => return bad(format!("`{function}` must be given `{}`", param.name)),
        });
    }
    Ok(values.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Param, Text};

    fn check(positional: &[i64], named: &[(&str, i64)], expected: &str) {
        let param = |name: &str, ty: Type, kind: ParamKind| Param {
            name: name.to_owned(),
            ty,
            kind,
            ..Param::default()
        };
        let signature = Signature {
            params: vec![
                param("a", Type::Int, ParamKind::Either),
                param("b", Type::Option(Box::new(Type::Int)), ParamKind::Either),
            ],
            ..Signature::default()
        };
        let positional: Vec<Value> = positional.iter().copied().map(Value::Int).collect();
        let named: Vec<(Text, Value)> =
            named.iter().map(|(name, value)| (Text::from(*name), Value::Int(*value))).collect();
        let args = Args { positional: &positional, named: &named };
        let told = match bind_arguments("f", &signature, &args) {
            Ok(values) => format!("{values:?}"),
            Err(error) => error.message().to_owned(),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn each_argument_comes_to_its_parameter() {
        check(&[1, 2], &[], "[Int(1), Int(2)]");
        check(&[1], &[], "[Int(1), Null]");
        check(&[], &[("b", 2), ("a", 1)], "[Int(1), Int(2)]");
        check(&[1, 2, 3], &[], "`f` takes 2 arguments, and is given 3");
        check(&[], &[], "`f` must be given `a`");
        check(&[1], &[("a", 1)], "`f` is given `a` twice");
        check(&[1], &[("c", 1)], "`f` has no parameter `c`");
    }
}
