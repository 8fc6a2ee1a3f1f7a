//! The words behind `modrack call SLOT FUNCTION`, as the arguments of a call.
//!
//! An ARG is text where the parameter is text, else JSON, else text. `name=ARG` gives the parameter `name`,
//! `@FILE` and `@-` read the ARG, and `@@` stands for one `@`. What is known of the signature decides; a
//! function of which nothing is known takes everything by position. Nothing here reads a file: what an ARG reads is asked
//! of the caller.

use modrack_core::{Code, Error, Param, ParamKind, Result, Signature, Text, Type, Value, nearest};

use crate::json;

/// The arguments of a call, owned.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    /// By position.
    pub(crate) positional: Vec<Value>,
    /// By name.
    pub(crate) named: Vec<(Text, Value)>,
}

/// Gives what stands behind an `@`: the bytes of a file, or of standard input for `-`.
pub(crate) type Read<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<u8>>;

/// Reads the words as arguments of a function with this signature.
///
/// # Errors
/// What `read` fails with, [`Code::Usage`] for a parameter that is given twice or misspelt, and
/// [`Code::ValueDoesNotFit`] for a number beyond 64 bits.
pub(crate) fn parse(words: &[String], signature: Option<&Signature>, read: Read<'_>) -> Result<Arguments> {
    let mut arguments = Arguments::default();
    let mut stdin_is_read = false;
    let mut read = |path: &str| {
        if path == "-" && std::mem::replace(&mut stdin_is_read, true) {
            return Err(
                Error::new(Code::Usage, "Standard input is read by two arguments").hint("Write `@-` once")
            );
        }
        read(path)
    };
    for word in words {
        if let Some((name, rest, param)) = named(word, signature) {
            if arguments.named.iter().any(|(given, _)| &**given == name) {
                return Err(Error::new(Code::Usage, format!("The parameter `{name}` is given twice")));
            }
            let value = value(rest, param.map(|p| &p.ty), &mut read)?;
            arguments.named.push((name.into(), value));
        } else {
            let param = signature.and_then(|s| at_position(s, arguments.positional.len()));
            if let Some(error) = signature.and_then(|signature| misspelt(word, signature, param)) {
                return Err(error);
            }
            // Who began to name parameters goes on with it.
            if !arguments.named.is_empty()
                && let Some((name, signature)) = name_of(word).zip(signature)
            {
                let hint = format!("It takes {}", listed(signature));
                return Err(Error::new(Code::Usage, format!("There is no parameter `{name}`")).hint(hint));
            }
            let value = value(word, param.map(|p| &p.ty), &mut read)?;
            arguments.positional.push(value);
        }
    }
    Ok(arguments)
}

/// Splits `name=ARG` where the function can take `name`.
fn named<'a>(
    word: &'a str,
    signature: Option<&'a Signature>,
) -> Option<(&'a str, &'a str, Option<&'a Param>)> {
    let signature = signature?;
    let (name, rest) = word.split_once('=')?;
    if let Some(param) = signature.named(name) {
        return Some((name, rest, Some(param)));
    }
    let more = signature.params.iter().find(|p| p.kind == ParamKind::NamedRest)?;
    name_of(word).map(|name| (name, rest, Some(more)))
}

/// What stands before the `=` of a word, where that can be a name.
pub(crate) fn name_of(word: &str) -> Option<&str> {
    let (name, _) = word.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some(name)
}

/// The parameters that can be given by name.
fn listed(signature: &Signature) -> String {
    let named = signature.params.iter().filter(|p| matches!(p.kind, ParamKind::Either | ParamKind::Named));
    let names: Vec<_> = named.map(|param| format!("`{}`", param.name)).collect();
    if names.is_empty() { "none by name".to_owned() } else { names.join(", ") }
}

/// Why a word is probably no text, where what stands before its `=` is nearly a parameter's name.
fn misspelt(word: &str, signature: &Signature, at: Option<&Param>) -> Option<Error> {
    let (name, rest) = word.split_once('=')?;
    let can_be_named = |param: &&Param| matches!(param.kind, ParamKind::Either | ParamKind::Named);
    let near = nearest(name, signature.params.iter().filter(can_be_named).map(|param| &*param.name))?;
    let hint = match at.filter(can_be_named) {
        Some(at) => format!("Did you mean `{near}={rest}`? As it is, it is given with `{}={word}`", at.name),
        None => format!("Did you mean `{near}={rest}`?"),
    };
    Some(Error::new(Code::Usage, format!("There is no parameter `{name}`")).hint(hint))
}

fn at_position(signature: &Signature, position: usize) -> Option<&Param> {
    let mut by_position =
        signature.params.iter().filter(|p| matches!(p.kind, ParamKind::Positional | ParamKind::Either));
    by_position.nth(position).or_else(|| signature.params.iter().find(|p| p.kind == ParamKind::Rest))
}

fn value(word: &str, ty: Option<&Type>, read: Read<'_>) -> Result<Value> {
    let Some(path) = word.strip_prefix('@') else { return meant(word.to_owned(), ty) };
    if path.starts_with('@') {
        return meant(path.to_owned(), ty);
    }
    let bytes = read(path)?;
    if matches!(ty.map(bare), Some(Type::Bytes)) {
        return Ok(Value::Bytes(bytes.into()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => meant(text, ty),
        Err(error) => Ok(Value::Bytes(error.into_bytes().into())),
    }
}

/// What `text` means where `ty` is taken.
fn meant(text: String, ty: Option<&Type>) -> Result<Value> {
    let is_null = text == "null";
    match ty {
        Some(Type::Option(_)) if is_null => return Ok(Value::Null),
        Some(Type::Union(types)) if is_null && types.contains(&Type::Null) => return Ok(Value::Null),
        _ => {}
    }
    match ty.map(bare) {
        Some(Type::Text | Type::Enum(_)) => return Ok(Value::from(text)),
        Some(Type::Float) => {
            // JSON has no word for these.
            if matches!(text.trim_start_matches('-'), "NaN" | "nan" | "inf" | "Infinity")
                && let Ok(number) = text.parse::<f64>()
            {
                return Ok(Value::Float(number));
            }
        }
        _ => {}
    }
    let value = json::parse(&text).transpose()?;
    match (value, ty.map(bare)) {
        (Some(Value::Text(text)), Some(Type::Bytes)) => Ok(Value::Bytes(text.as_bytes().to_vec().into())),
        (None, Some(Type::Bytes)) => Ok(Value::Bytes(text.into_bytes().into())),
        (Some(value), _) => Ok(value),
        (None, _) => Ok(Value::from(text)),
    }
}

/// The type without its `Option`.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Option(inner) => bare(inner),
        Type::Union(types) => match types.iter().filter(|t| **t != Type::Null).collect::<Vec<_>>()[..] {
            [one] => bare(one),
            _ => ty,
        },
        _ => ty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature() -> Signature {
        let rest = |name: &str, kind| Param { kind, ..Param::new(name, Type::Any) };
        Signature {
            params: vec![
                Param::new("text", Type::Text),
                Param::new("count", Type::Int),
                Param::new("scale", Type::Option(Box::new(Type::Float))),
                Param::new("blob", Type::Bytes),
                rest("args", ParamKind::Rest),
            ],
            ..Signature::default()
        }
    }

    /// One file is there, and standard input.
    fn read(path: &str) -> Result<Vec<u8>> {
        match path {
            "three" => Ok(b"3".to_vec()),
            "-" => Ok(vec![0, 255]),
            _ => Err(Error::new(Code::Usage, format!("`{path}` cannot be read"))),
        }
    }

    fn check(words: &[&str], shown: &str) {
        let words: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
        let got = match parse(&words, Some(&signature()), &mut read) {
            Ok(arguments) => format!("{:?} {:?}", arguments.positional, arguments.named),
            Err(error) => format!("{error}"),
        };
        assert_eq!(got, shown, "{words:?}");
    }

    #[test]
    fn the_parameter_decides_what_a_word_means() {
        check(&["12", "12"], r#"[Text("12"), Int(12)] []"#);
        check(&["a", "{\"k\": [1]}"], r#"[Text("a"), Map({"k": List([Int(1)])})] []"#);
        check(&["a", "1", "null"], r#"[Text("a"), Int(1), Null] []"#);
        check(&["a", "1", "-inf"], r#"[Text("a"), Int(1), Float(-inf)] []"#);
        check(&["a", "1", "1", "xy"], r#"[Text("a"), Int(1), Int(1), Bytes(b"xy")] []"#);
        check(
            &["a", "1", "1", "xy", "z", "2"],
            r#"[Text("a"), Int(1), Int(1), Bytes(b"xy"), Text("z"), Int(2)] []"#,
        );
        check(&["@@home"], r#"[Text("@home")] []"#);
    }

    #[test]
    fn a_word_with_a_parameters_name_is_given_by_name() {
        check(&["text=a=b", "count=3"], r#"[] [("text", Text("a=b")), ("count", Int(3))]"#);
        check(&["other=3"], r#"[Text("other=3")] []"#);
        check(&["cuont=3"], "There is no parameter `cuont` [M0116]");
        check(&["text=cuont=3"], r#"[] [("text", Text("cuont=3"))]"#);
        check(&["count=3", "count=4"], "The parameter `count` is given twice [M0116]");
    }

    #[test]
    fn what_stands_behind_an_at_is_read_where_it_is_an_argument() {
        check(&["@three", "@three"], r#"[Text("3"), Int(3)] []"#);
        check(&["count=@three", "blob=@-"], r#"[] [("count", Int(3)), ("blob", Bytes(b"\0\xff"))]"#);
        check(&["other=@none"], r#"[Text("other=@none")] []"#);
        check(&["@-", "@-"], "Standard input is read by two arguments [M0116]");
        check(&["@none"], "`none` cannot be read [M0116]");
        check(&["a", "99999999999999999999"], "`99999999999999999999` does not fit 64 bits [M0506]");
    }

    #[test]
    fn a_function_of_which_nothing_is_known_takes_everything_by_position() {
        let words = ["a=1".to_owned(), "2".to_owned()];
        let arguments = parse(&words, None, &mut read).unwrap();
        assert_eq!(arguments.positional, [Value::from("a=1"), Value::Int(2)]);
    }
}
