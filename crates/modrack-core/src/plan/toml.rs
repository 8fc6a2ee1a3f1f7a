//! TOML to nodes, in the order of the text.
//!
//! The parser gives tables in alphabetical order with byte offsets; order and positions come from the offsets.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::limits::Budget;
use super::lines::Lines;
use super::node::{Entry, Node, NodeValue, Trail, Weight};
use super::report::Report;
use super::yaml::too_large;
use crate::{Code, Error};

/// Parses a whole text.
///
/// # Errors
/// What makes it no tree at all; keys given twice go to `report` and do not end the reading.
pub(crate) fn parse(text: &str, report: &mut Report<'_>) -> Result<Node, Error> {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut fatal = Vec::new();
    let mut twins = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or_default();
        let at = lines.at(span.start);
        if error.message() == "duplicate key" {
            let (table, key) = table_and_key(text, span);
            // The keys of a table that is there twice are no mistakes of their own.
            if !twins.contains(&table) {
                let path = if table.is_empty() { key.clone() } else { format!("{table}.{key}") };
                let error = Error::new(Code::DuplicateName, format!("`{key}` is given twice"))
                    .hint("Give one of the two another name");
                report.add(at, &Trail::Path(&path), error);
                twins.push(path);
            }
            continue;
        }
        let hint = if error.message().contains("string") {
            "Check that each quote that is opened is closed"
        } else {
            "Put text in quotes, and write each table as `[name]`"
        };
        fatal.push((
            span.start,
            Error::new(Code::ConfigSyntax, format!("This is not valid TOML: {}", error.message()))
                .hint(hint)
                .place(report.bare_place(at)),
        ));
    }
    fatal.sort_by_key(|(offset, _)| *offset);
    if let Some(error) = Error::all(fatal.into_iter().map(|(_, error)| error).collect()) {
        return Err(error);
    }
    let mut node =
        Reader { lines: &lines, text, report, budget: Budget::default() }.table(table.into_inner(), 0, 0)?;
    node.at = lines.at(0);
    Ok(node)
}

struct Reader<'r, 'a, 't> {
    lines: &'r Lines<'t>,
    text: &'t str,
    report: &'r Report<'a>,
    budget: Budget,
}

impl Reader<'_, '_, '_> {
    fn table(&mut self, table: DeTable<'_>, offset: usize, depth: usize) -> Result<Node, Error> {
        let mut pairs: Vec<_> = table.into_iter().collect();
        pairs.sort_by_key(|(key, _)| key.span().start);
        let mut entries = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let key_at = self.lines.at(key.span().start);
            entries.push(Entry {
                key: (&**key.get_ref()).into(),
                key_at,
                node: self.node(value, depth + 1)?,
            });
        }
        Ok(Node::new(NodeValue::Map(entries), self.lines.at(offset)))
    }

    fn node(&mut self, value: Spanned<DeValue<'_>>, depth: usize) -> Result<Node, Error> {
        let span = value.span();
        let at = self.lines.at(span.start);
        self.budget.take(Weight { nodes: 1, bytes: 0, depth: 0 }, depth, at, self.report)?;
        let wide = |what: &str| {
            Error::new(Code::BadValue, format!("`{what}` does not fit 64 bits"))
                .hint("Put it in quotes to have it as text")
                .place(self.report.bare_place(at))
        };
        let written = || Some(self.text.get(span.clone()).unwrap_or_default().into());
        let (value, raw) = match value.into_inner() {
            DeValue::String(text) => (NodeValue::Text((&*text).into()), None),
            DeValue::Integer(number) => {
                let whole = i64::from_str_radix(number.as_str(), number.radix());
                (NodeValue::Int(whole.map_err(|_| wide(&number.to_string()))?), written())
            }
            DeValue::Float(number) => {
                let float: f64 = number.as_str().parse().map_err(|_| wide(number.as_str()))?;
                if float.is_infinite() && !number.as_str().contains("inf") {
                    return Err(too_large(number.as_str()).place(self.report.bare_place(at)));
                }
                (NodeValue::Float(float), written())
            }
            DeValue::Boolean(value) => (NodeValue::Bool(value), written()),
            // A rack has no type for points in time: modules get them as they are written.
            DeValue::Datetime(time) => (NodeValue::Text(time.to_string().into()), None),
            DeValue::Array(items) => {
                let items: Result<_, _> = items.into_iter().map(|item| self.node(item, depth + 1)).collect();
                (NodeValue::List(items?), None)
            }
            DeValue::Table(table) => return self.table(table, span.start, depth),
        };
        Ok(Node { value, at, raw, filled: false })
    }
}

/// The table that a key stands in, and the key: of `[a.b]` these are `a` and `b`.
fn table_and_key(text: &str, key: std::ops::Range<usize>) -> (String, String) {
    let name = text.get(key.clone()).unwrap_or_default().trim();
    let before = text.get(..key.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default().trim_start();
    if let Some(table) = line.strip_prefix('[') {
        return (table.trim_start_matches('[').trim_end_matches('.').trim().to_owned(), name.to_owned());
    }
    let header = before.lines().rev().find_map(|line| line.trim().strip_prefix('['));
    let table = header.map_or("", |line| line.trim_start_matches('[').split(']').next().unwrap_or_default());
    (table.trim().to_owned(), name.to_owned())
}
