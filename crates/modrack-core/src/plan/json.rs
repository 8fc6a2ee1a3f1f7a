//! JSON to nodes: no comments, no trailing commas, no key twice.
//!
//! The parser gives byte offsets; numbers keep their text until they are known to fit.

use std::borrow::Cow;

use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};

use super::limits::{Budget, too_deep};
use super::lines::Lines;
use super::node::{Entry, Node, NodeValue, Trail, Weight};
use super::report::{Report, lower_first};
use super::yaml;
use crate::{Code, Error};

/// Parses a whole text.
///
/// # Errors
/// What makes it no tree at all; keys given twice go to `report` and do not end the reading.
pub(crate) fn parse(text: &str, report: &mut Report<'_>) -> Result<Node, Error> {
    let lines = Lines::new(text);
    let options = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let collect = CollectOptions { comments: CommentCollectionStrategy::Off, tokens: false };
    let parsed = parse_to_ast(text, &collect, &options).map_err(|error| {
        let kind = error.kind();
        let at = lines.at(error.range().start);
        if matches!(kind, ParseErrorKind::NestingDepthExceeded) {
            return too_deep().place(report.bare_place(at));
        }
        Error::new(Code::ConfigSyntax, format!("This is not valid JSON: {}", lower_first(&kind.to_string())))
            .hint(hint(kind))
            .place(report.bare_place(at))
    })?;
    let Some(value) = parsed.value else { return Ok(Node::new(NodeValue::Null, lines.at(0))) };
    Reader { lines: &lines, report, budget: Budget::default() }.node(value, &Trail::Root, 0)
}

struct Reader<'r, 'a, 't> {
    lines: &'r Lines<'t>,
    report: &'r mut Report<'a>,
    budget: Budget,
}

impl Reader<'_, '_, '_> {
    fn node(&mut self, value: Value<'_>, trail: &Trail<'_>, depth: usize) -> Result<Node, Error> {
        let at = self.lines.at(value.start());
        self.budget.take(Weight { nodes: 1, bytes: 0, depth: 0 }, depth, at, self.report)?;
        let mut raw = None;
        let value = match value {
            Value::NullKeyword(_) => {
                raw = Some("null".into());
                NodeValue::Null
            }
            Value::BooleanLit(literal) => {
                raw = Some(literal.value.to_string().into());
                NodeValue::Bool(literal.value)
            }
            Value::StringLit(literal) => NodeValue::Text(text(literal.value)),
            Value::NumberLit(literal) => {
                raw = Some(literal.value.into());
                yaml::core_scalar(literal.value).map_err(|error| error.place(self.report.bare_place(at)))?
            }
            Value::Array(array) => {
                let items = array.elements.into_iter().enumerate();
                let items: Result<_, _> =
                    items.map(|(index, item)| self.node(item, &trail.item(index), depth + 1)).collect();
                NodeValue::List(items?)
            }
            Value::Object(object) => {
                let mut entries = Vec::with_capacity(object.properties.len());
                for property in object.properties {
                    let key_at = self.lines.at(property.start());
                    let key = match property.name {
                        ObjectPropName::String(literal) => text(literal.value),
                        ObjectPropName::Word(word) => word.value.into(),
                    };
                    let node = self.node(property.value, &trail.key(&key), depth + 1)?;
                    entries.push(Entry { key, key_at, node });
                }
                yaml::report_twins(yaml::take_twins(&mut entries), trail, self.report);
                NodeValue::Map(entries)
            }
        };
        Ok(Node { value, at, raw, filled: false })
    }
}

fn text(text: Cow<'_, str>) -> crate::Text {
    match text {
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => text.into(),
    }
}

fn hint(kind: &ParseErrorKind) -> &'static str {
    match kind {
        ParseErrorKind::CommentsNotAllowed => "Take the comment out, or write the rack in YAML or TOML",
        ParseErrorKind::TrailingCommasNotAllowed => "Take out the comma after the last item",
        ParseErrorKind::SingleQuotedStringsNotAllowed => "Write text in double quotes",
        ParseErrorKind::ExpectedComma => "Put a comma between the items",
        ParseErrorKind::UnterminatedArray | ParseErrorKind::UnterminatedObject => {
            "A `{` or `[` that was opened is not closed"
        }
        _ => "Check the commas, quotes and brackets just before this place",
    }
}
