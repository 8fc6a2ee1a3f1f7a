//! The list of keys as a JSON Schema, for editors.
//!
//! It says what the reader's checks say, from the same list; what a key's value means is not in it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::keys::{Key, Object, RACK, Shape};

/// The JSON Schema (draft 2020-12) of a rack's text, with the documentation of each key.
pub fn schema_json() -> String {
    let mut parts = BTreeMap::from([("filled", filled())]);
    let root = fields(&RACK, &mut parts);
    let mut schema = vec![
        ("$schema".to_owned(), Json::text("https://json-schema.org/draft/2020-12/schema")),
        ("title".to_owned(), Json::text("rack.yaml of modrack")),
    ];
    schema.extend(root);
    let parts = parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect();
    schema.push(("$defs".to_owned(), Json::Object(parts)));
    let mut out = String::new();
    Json::Object(schema).write(&mut out, 0);
    out.push('\n');
    out
}

enum Json {
    /// A literal: a number, `true`, `null`.
    Literal(&'static str),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

type Parts = BTreeMap<&'static str, Json>;

/// A text that `${...}` is filled into stands wherever another type is wanted.
fn filled() -> Json {
    Json::object([
        ("type", Json::text("string")),
        ("pattern", Json::text(r"\$\{.+\}")),
        (
            "description",
            Json::text("A value that is filled in: `${env:NAME}`, `${file:PATH}`, `${another.key}`"),
        ),
    ])
}

fn fields(object: &'static Object, parts: &mut Parts) -> Vec<(String, Json)> {
    let keys = || object.iter().filter(|key| key.here);
    let properties = keys().map(|key| (key.name.to_owned(), property(key, parts))).collect();
    let required: Vec<_> = keys().filter(|key| key.required).map(|key| Json::text(key.name)).collect();
    let mut schema = vec![
        ("type".to_owned(), Json::text("object")),
        ("properties".to_owned(), Json::Object(properties)),
        ("additionalProperties".to_owned(), Json::Literal("false")),
    ];
    if !required.is_empty() {
        schema.push(("required".to_owned(), Json::List(required)));
    }
    schema
}

fn property(key: &Key, parts: &mut Parts) -> Json {
    let mut schema = vec![("description".to_owned(), Json::text(key.doc))];
    match shape(&key.shape, parts) {
        Json::Object(more) => schema.extend(more),
        other => schema.push(("allOf".to_owned(), Json::List(vec![other]))),
    }
    Json::Object(schema)
}

fn shape(shape_: &Shape, parts: &mut Parts) -> Json {
    let or_filled = |schema| {
        Json::object([(
            "anyOf",
            Json::List(vec![schema, Json::object([("$ref", Json::text("#/$defs/filled"))])]),
        )])
    };
    match shape_ {
        Shape::Any => Json::Object(Vec::new()),
        Shape::Text | Shape::Duration => Json::object([("type", Json::text("string"))]),
        Shape::Scalar => Json::types(&["string", "number", "boolean", "null"]),
        Shape::Bool => or_filled(Json::object([("type", Json::text("boolean"))])),
        Shape::Count => {
            or_filled(Json::object([("type", Json::text("integer")), ("minimum", Json::Literal("1"))]))
        }
        Shape::Bytes => Json::types(&["string", "integer"]),
        Shape::Version => Json::object([("const", Json::Literal("1"))]),
        Shape::Words(words) => {
            let words = words.iter().filter(|(_, here)| *here).map(|(word, _)| Json::text(word)).collect();
            or_filled(Json::object([("enum", Json::List(words))]))
        }
        Shape::List(item) => {
            Json::object([("type", Json::types_list(&["array", "null"])), ("items", shape(item, parts))])
        }
        Shape::Many(item) => {
            let one = shape(item, parts);
            let many = Json::object([("type", Json::text("array")), ("items", shape(item, parts))]);
            Json::object([("anyOf", Json::List(vec![one, many]))])
        }
        Shape::Named(value) => Json::object([
            ("type", Json::types_list(&["object", "null"])),
            ("additionalProperties", shape(value, parts)),
        ]),
        Shape::Fields(object) => {
            if !parts.contains_key(object.name) {
                let fields = fields(object, parts);
                parts.insert(object.name, Json::Object(fields));
            }
            Json::object([("$ref", Json::Text(format!("#/$defs/{}", object.name)))])
        }
        Shape::Either(shapes) => {
            let shapes = shapes.iter().map(|one| shape(one, parts)).collect();
            Json::object([("anyOf", Json::List(shapes))])
        }
    }
}

impl Json {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn object<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn types_list(types: &[&str]) -> Self {
        Self::List(types.iter().map(|ty| Self::text(ty)).collect())
    }

    fn types(types: &[&str]) -> Self {
        Self::object([("type", Self::types_list(types))])
    }

    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Self::Literal(literal) => out.push_str(literal),
            Self::Text(text) => quote(text, out),
            Self::List(items)
                if items.iter().all(|item| matches!(item, Self::Text(_) | Self::Literal(_))) =>
            {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    item.write(out, depth);
                }
                out.push(']');
            }
            Self::List(items) => {
                let lines = items.iter().map(|item| (None, item));
                block(out, depth, ['[', ']'], lines);
            }
            Self::Object(fields) if fields.is_empty() => out.push_str("{}"),
            Self::Object(fields) => {
                let lines = fields.iter().map(|(name, value)| (Some(name.as_str()), value));
                block(out, depth, ['{', '}'], lines);
            }
        }
    }
}

fn block<'j>(
    out: &mut String,
    depth: usize,
    [open, close]: [char; 2],
    lines: impl Iterator<Item = (Option<&'j str>, &'j Json)>,
) {
    let indent = |out: &mut String, depth: usize| out.extend(std::iter::repeat_n("  ", depth));
    out.push(open);
    for (index, (name, value)) in lines.enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        indent(out, depth + 1);
        if let Some(name) = name {
            quote(name, out);
            out.push_str(": ");
        }
        value.write(out, depth + 1);
    }
    out.push('\n');
    indent(out, depth);
    out.push(close);
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
