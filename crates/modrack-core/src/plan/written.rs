//! What a node says, in one line, the same however it was laid out: what tells whether a slot was changed.
//!
//! The line is JSON, but for numbers that JSON has no form for, and so can be set as a value again. It is of what was
//! written: nothing of it is filled in.

use std::fmt::Write;

use super::node::{Node, NodeValue};

/// What a node says.
pub(crate) fn written(node: &Node) -> String {
    let mut out = String::new();
    write(node, &mut out);
    out
}

/// Text as JSON has it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(text, &mut out);
    out
}

fn write(node: &Node, out: &mut String) {
    match &node.value {
        NodeValue::Null | NodeValue::Unknown => out.push_str("null"),
        NodeValue::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        NodeValue::Int(value) => {
            let _ = write!(out, "{value}");
        }
        NodeValue::Float(value) if value.is_nan() => out.push_str(".nan"),
        NodeValue::Float(value) if value.is_infinite() => {
            out.push_str(if *value > 0.0 { ".inf" } else { "-.inf" });
        }
        NodeValue::Float(value) => {
            let _ = write!(out, "{value:?}");
        }
        NodeValue::Text(text) => quote(text, out),
        NodeValue::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write(item, out);
            }
            out.push(']');
        }
        NodeValue::Map(entries) => {
            out.push('{');
            for (at, entry) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                quote(&entry.key, out);
                out.push_str(": ");
                write(&entry.node, out);
            }
            out.push('}');
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Letters that end a line for some readers are written out too.
            letter if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::TextFormat;
    use super::super::node::At;
    use super::super::report::Report;
    use super::super::yaml;
    use super::*;

    #[test]
    fn what_is_written_is_the_same_for_every_layout_and_reads_as_it_was() {
        let cases = [
            ("{ a: 1, b: [x, 'y z', null, true] }", r#"{"a": 1, "b": ["x", "y z", null, true]}"#),
            (
                "a: 1 # one\nb:\n  - x\n  - \"y z\"\n  - ~\n  - true\n",
                r#"{"a": 1, "b": ["x", "y z", null, true]}"#,
            ),
            ("[1.0, 1e20, .inf, -.inf, '10s', 0x10]", r#"[1.0, 1e20, .inf, -.inf, "10s", 16]"#),
            ("'${env:NAME} \"and\" \\ é'", r#""${env:NAME} \"and\" \\ é""#),
            ("\"a\\tb\\nc\\u2028\\u0001\"", r#""a\tb\nc\u2028\u0001""#),
            ("{}", "{}"),
        ];
        for (text, expected) in cases {
            let mut report = Report::new(Path::new("rack.yaml"), TextFormat::Yaml);
            let mut read = |text: &str| yaml::parse_value(text, At::Set(0), &mut report).unwrap();
            let found = written(&read(text));
            assert_eq!(found, expected, "{text}");
            assert_eq!(written(&read(&found)), expected, "{text}");
        }
    }
}
