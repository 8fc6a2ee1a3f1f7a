//! Holds a tree against the list of keys: unknown, missing and later keys, and wrong types.
//!
//! What passes has the types of the list; whoever reads it afterwards finds nothing at all where a type was
//! wrong, and says nothing more about it. Values filled in by `${...}` take the type expected here.

use super::keys::{Key, Object, Shape};
use super::node::{At, Node, NodeValue, Trail};
use super::report::{Report, bad_value, lower_first, meant};
use super::{keys, yaml};
use crate::{Code, Error, nearest};

/// Checks `node` and all below it.
pub(crate) fn check(node: &mut Node, shape: &Shape, trail: &Trail<'_>, report: &mut Report<'_>) {
    if node.filled {
        fill_in(node, shape);
    }
    let is_scalar = node.as_written().is_some();
    match (shape, &mut node.value) {
        (_, NodeValue::Unknown) => {}
        (Shape::Any, NodeValue::List(items)) => each(items, shape, trail, report),
        (Shape::Any, NodeValue::Map(entries)) => {
            for entry in entries {
                check(&mut entry.node, shape, &trail.key(&entry.key), report);
            }
        }
        (Shape::Any, _)
        | (Shape::Text | Shape::Duration | Shape::Bytes, NodeValue::Text(_))
        | (Shape::Bool, NodeValue::Bool(_))
        | (Shape::Bytes, NodeValue::Int(0..))
        | (Shape::Version, NodeValue::Int(1))
        // A mapping or list that was begun and left empty.
        | (Shape::Named(_) | Shape::List(_), NodeValue::Null) => {}
        (Shape::Scalar, _) if is_scalar => {}
        (Shape::Count, NodeValue::Int(1..)) => {}
        (Shape::Count, NodeValue::Int(_)) => {
            report.add(node.at, trail, bad_value(format!("{} must be above zero", trail.name()), "Write `1` or more"));
        }
        (Shape::Version, NodeValue::Int(other)) => {
            let error = bad_value(
                format!("`rack: {other}` is a form that this modrack does not read"),
                "Write `rack: 1`, or use a newer modrack",
            );
            report.add(node.at, trail, error);
        }
        (Shape::Words(words), NodeValue::Text(word)) => {
            if let Some(error) = unfit_word(word, words, trail) {
                report.add(node.at, trail, error);
            }
        }
        (Shape::List(item), NodeValue::List(items)) | (Shape::Many(item), NodeValue::List(items)) => {
            each(items, item, trail, report);
        }
        (Shape::Many(item), value) if suits(item, value) => check(node, item, trail, report),
        (Shape::Named(value), NodeValue::Map(entries)) => {
            for entry in entries {
                check(&mut entry.node, value, &trail.key(&entry.key), report);
            }
        }
        (Shape::Fields(object), NodeValue::Map(_) | NodeValue::Null) => fields(node, object, trail, report),
        (Shape::Either(shapes), value) => match shapes.iter().find(|shape| suits(shape, value)) {
            Some(shape) => check(node, shape, trail, report),
            None => report.add(node.at, trail, wrong_type(node, shape, trail)),
        },
        _ => report.add(node.at, trail, wrong_type(node, shape, trail)),
    }
}

fn each(items: &mut [Node], shape: &Shape, trail: &Trail<'_>, report: &mut Report<'_>) {
    for (index, item) in items.iter_mut().enumerate() {
        check(item, shape, &trail.item(index), report);
    }
}

fn fields(node: &mut Node, object: &'static Object, trail: &Trail<'_>, report: &mut Report<'_>) {
    let at = node.at;
    let misspelt: Vec<_> = object
        .iter()
        .filter(|key| key.required && is_misspelt(node, key.name, object))
        .map(|key| key.name)
        .collect();
    let later_slot = node.entries().iter().any(|entry| keys::LATER_SLOTS.contains(&entry.key.as_str()));
    let mut there: Vec<&str> = Vec::new();
    if let NodeValue::Map(entries) = &mut node.value {
        for entry in entries {
            let trail = trail.key(&entry.key);
            match object.find(&entry.key) {
                Some(key) if key.here => {
                    there.push(key.name);
                    check(&mut entry.node, &key.shape, &trail, report);
                }
                Some(key) => report.add(
                    entry.key_at,
                    &trail,
                    not_yet(&trail.name())
                        .hint(format!("It is of a later version ({}): leave it out", lower_first(key.doc))),
                ),
                // A service that is built in has options of its own, which are as unknown here as it is.
                None if later_slot => {}
                None => report.add(entry.key_at, &trail, unknown_key(&entry.key, object)),
            }
        }
    }
    let missing = |key: &&Key| key.required && !there.contains(&key.name) && !misspelt.contains(&key.name);
    for key in object.iter().filter(missing) {
        let error = match key.shape {
            Shape::Version => Error::new(Code::MissingKey, "The rack does not say its version")
                .hint(format!("Start it with `{}`", report.first_line())),
            _ => Error::new(Code::MissingKey, format!("{} has no `{}`", trail.name(), key.name))
                .hint(format!("Add `{}:` ({})", key.name, lower_first(key.doc))),
        };
        report.add(at, trail, error);
    }
}

/// What a later version brings.
pub(crate) fn not_yet(what: &str) -> Error {
    Error::new(Code::Unsupported, format!("{what} is not available in modrack 0.1 yet"))
}

fn unknown_key(key: &str, object: &'static Object) -> Error {
    let names = || object.iter().filter(|key| key.here).map(|key| key.name);
    let error = Error::new(Code::UnknownKey, format!("`{key}` is not a key of {}", object.shown));
    match meant(key, names()) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Whether a key that nobody knows was probably meant to be `wanted`, which is then not missing as well.
pub(crate) fn is_misspelt(node: &Node, wanted: &str, object: &'static Object) -> bool {
    let names = || object.iter().filter(|key| key.here).map(|key| key.name);
    node.entries()
        .iter()
        .any(|entry| object.find(&entry.key).is_none() && nearest(&entry.key, names()) == Some(wanted))
}

/// Whether a mapping has a key that nobody knows.
pub(crate) fn has_unknown(node: &Node, object: &'static Object) -> bool {
    node.entries().iter().any(|entry| object.find(&entry.key).is_none())
}

fn unfit_word(word: &str, words: &'static [(&'static str, bool)], trail: &Trail<'_>) -> Option<Error> {
    match words.iter().find(|(known, _)| *known == word) {
        Some((_, true)) => None,
        Some((word, false)) => Some(not_yet(&format!("`{word}`")).hint("Use another value until then")),
        None => {
            let known = words.iter().filter(|(_, here)| *here).map(|(word, _)| *word);
            let shown: Vec<_> = known.clone().map(|word| format!("`{word}`")).collect();
            let hint = match nearest(word, known) {
                Some(near) => format!("Did you mean `{near}`?"),
                None if shown.len() == 1 => format!("Write {}", shown[0]),
                None => format!("Write one of {}", shown.join(", ")),
            };
            Some(bad_value(format!("{} cannot be `{word}`", trail.name()), hint))
        }
    }
}

fn wrong_type(node: &Node, shape: &Shape, trail: &Trail<'_>) -> Error {
    let error = Error::new(
        Code::WrongType,
        format!("{} must be {}, not {}", trail.name(), expected(shape), node.kind()),
    );
    let scalar = !matches!(node.value, NodeValue::List(_) | NodeValue::Map(_) | NodeValue::Null);
    error.hint(match shape {
        Shape::Text if scalar => "Put it in quotes to have it as text",
        Shape::Text | Shape::Scalar | Shape::Words(_) | Shape::Any => "Write one value",
        Shape::Bool => "Write `true` or `false`",
        Shape::Count => "Write digits alone: `1000`",
        Shape::Duration => "Write a number and its unit: `10s`, `50ms`, `2m`",
        Shape::Bytes => "Write a number and its unit: `64MiB`, `512kB`",
        Shape::Version => "The version of a rack's form is the number 1",
        Shape::List(_) => "Write `[...]`, or each item on a line of its own after a `-`",
        Shape::Named(_) | Shape::Fields(_) => {
            "Write `key: value`, each on a line of its own or all of them within `{...}`"
        }
        Shape::Many(Shape::Text | Shape::Either([Shape::Text, ..])) | Shape::Either([Shape::Text, ..])
            if scalar =>
        {
            "Put it in quotes to have it as text"
        }
        Shape::Many(_) => "Write one value, or a list of them",
        Shape::Either(_) => "Write one value, or `key: value`, each on a line of its own or within `{...}`",
    })
}

/// What a shape takes, in the words of messages.
fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".into(),
        Shape::Text => "text".into(),
        Shape::Scalar => "text or a number".into(),
        Shape::Bool => "true or false".into(),
        Shape::Count => "a whole number".into(),
        Shape::Duration => "a length of time".into(),
        Shape::Bytes => "a number of bytes".into(),
        Shape::Version => "`1`".into(),
        Shape::Words(words) if words.len() == 1 => format!("`{}`", words[0].0),
        Shape::Words(_) => "one of its words".into(),
        Shape::List(_) => "a list".into(),
        Shape::Many(item) => format!("{} or a list", expected(item)),
        Shape::Named(_) | Shape::Fields(_) => "a mapping".into(),
        Shape::Either(shapes) => shapes.iter().map(expected).collect::<Vec<_>>().join(" or "),
    }
}

/// Whether a value of this sort is what the shape describes, be it right in detail or not.
fn suits(shape: &Shape, value: &NodeValue) -> bool {
    match shape {
        Shape::Any => true,
        Shape::List(_) => matches!(value, NodeValue::List(_)),
        Shape::Many(item) => matches!(value, NodeValue::List(_)) || suits(item, value),
        Shape::Named(_) | Shape::Fields(_) => matches!(value, NodeValue::Map(_) | NodeValue::Null),
        Shape::Either(shapes) => shapes.iter().any(|shape| suits(shape, value)),
        Shape::Text | Shape::Words(_) => matches!(value, NodeValue::Text(_)),
        _ => !matches!(value, NodeValue::List(_) | NodeValue::Map(_)),
    }
}

/// Gives a text that was filled in the type that is expected of it.
fn fill_in(node: &mut Node, shape: &Shape) {
    let NodeValue::Text(text) = &node.value else { return };
    let typed = match shape {
        Shape::Bool | Shape::Count | Shape::Bytes | Shape::Version => yaml::core_scalar(text).ok(),
        Shape::Any => yaml::core_scalar(text).ok().filter(|value| reads_back(value, text)),
        _ => None,
    };
    if let Some(typed) = typed.filter(|value| !matches!(value, NodeValue::Text(_))) {
        node.raw = Some(text.clone());
        node.value = typed;
    }
}

/// Whether a value is written as the text and in no other way: `007` and `+5` stay text.
fn reads_back(value: &NodeValue, text: &str) -> bool {
    match value {
        NodeValue::Int(value) => value.to_string() == text,
        NodeValue::Float(_) => {
            text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit())
                && !text
                    .trim_start_matches('-')
                    .strip_prefix('0')
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        }
        NodeValue::Bool(value) => value.to_string() == text,
        NodeValue::Null => text == "null",
        _ => true,
    }
}

/// Where the root of a text that is empty stands.
pub(crate) const START: At = At::Text(1, 1);
