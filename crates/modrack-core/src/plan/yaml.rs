//! YAML 1.2 to nodes: the core schema, one document, aliases and merge keys within bounds.
//!
//! Built from the parser's events with a stack of its own, so that no text can overflow the program's.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::limits::{Budget, too_deep};
use super::node::{At, Entry, Node, NodeValue, Trail, Weight};
use super::report::Report;
use crate::{Code, Error, Text};

/// Parses a whole text.
///
/// # Errors
/// What makes it no tree at all; keys given twice go to `report` and do not end the reading.
pub(crate) fn parse(text: &str, report: &mut Report<'_>) -> Result<Node, Error> {
    Builder::new(report, None).parse(text)
}

/// Parses the value of a `--set`, every part of which stands at that `--set`.
///
/// # Errors
/// As for [`parse`].
pub(crate) fn parse_value(text: &str, set: At, report: &mut Report<'_>) -> Result<Node, Error> {
    Builder::new(report, Some(set)).parse(text)
}

/// What a plain scalar is by the core schema.
///
/// # Errors
/// A number that does not fit 64 bits.
pub(crate) fn core_scalar(text: &str) -> Result<NodeValue, Error> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => NodeValue::Null,
        "true" | "True" | "TRUE" => NodeValue::Bool(true),
        "false" | "False" | "FALSE" => NodeValue::Bool(false),
        ".nan" | ".NaN" | ".NAN" => NodeValue::Float(f64::NAN),
        _ => return number(text).unwrap_or_else(|| Ok(NodeValue::Text(text.into()))),
    })
}

enum Frame {
    List { items: Vec<Node>, at: At, anchor: usize },
    Map { entries: Vec<Entry>, merged: Vec<Node>, key: Option<Key>, at: At, anchor: usize },
}

/// A key that waits for its value.
struct Key {
    text: Text,
    at: At,
    merges: bool,
}

struct Builder<'r, 'a> {
    report: &'r mut Report<'a>,
    set: Option<At>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, (Node, Weight)>,
    budget: Budget,
    root: Option<Node>,
    documents: usize,
}

impl<'r, 'a> Builder<'r, 'a> {
    fn new(report: &'r mut Report<'a>, set: Option<At>) -> Self {
        Self {
            report,
            set,
            stack: Vec::new(),
            anchors: HashMap::new(),
            budget: Budget::default(),
            root: None,
            documents: 0,
        }
    }

    fn parse(mut self, text: &str) -> Result<Node, Error> {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| self.syntax(text, &error))?;
            let at = self.at(&span);
            match event {
                Event::DocumentStart(_) => {
                    self.documents += 1;
                    if self.documents > 1 {
                        let error = Error::new(Code::ConfigSyntax, "There is more than one document")
                            .hint("A rack is one document: take the `---` out, or put the rest into a file of its own");
                        return Err(error.place(self.report.bare_place(at)));
                    }
                }
                Event::Alias(id) => self.alias(id, at)?,
                Event::Scalar(text, style, anchor, tag) => {
                    let node = self.scalar(&text, style, tag.as_deref(), at)?;
                    self.put(node, anchor)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.collection_tag(tag.as_deref(), "seq", at)?;
                    self.stack.push(Frame::List { items: Vec::new(), at, anchor });
                    self.open(at)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.collection_tag(tag.as_deref(), "map", at)?;
                    self.stack.push(Frame::Map {
                        entries: Vec::new(),
                        merged: Vec::new(),
                        key: None,
                        at,
                        anchor,
                    });
                    self.open(at)?;
                }
                Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                    Some(Frame::List { items, at, anchor }) => {
                        self.put(Node::new(NodeValue::List(items), at), anchor)?;
                    }
                    Some(Frame::Map { entries, merged, at, anchor, .. }) => {
                        let mut entries = entries;
                        let twins = take_twins(&mut entries);
                        if !twins.is_empty() {
                            report_twins(twins, &Trail::Path(&self.path()), self.report);
                        }
                        let entries = merge(entries, merged);
                        self.put(Node::new(NodeValue::Map(entries), at), anchor)?;
                    }
                    None => {}
                },
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        let start = self.set.unwrap_or(At::Text(1, 1));
        Ok(self.root.unwrap_or_else(|| Node::new(NodeValue::Null, start)))
    }

    fn at(&self, span: &Span) -> At {
        self.set.unwrap_or_else(|| at_mark(span.start.line(), span.start.col()))
    }

    fn open(&mut self, at: At) -> Result<(), Error> {
        self.budget.take(Weight { nodes: 1, bytes: 0, depth: 0 }, self.stack.len(), at, self.report)
    }

    fn alias(&mut self, id: usize, at: At) -> Result<(), Error> {
        let Some((node, weight)) = self.anchors.get(&id) else {
            let error =
                Error::new(Code::CyclicReference, "An alias stands inside of what it is an alias for")
                    .hint("Write the value out, without the alias");
            return Err(error.place(self.report.bare_place(at)));
        };
        // Weighed before it is copied: a bomb must not go off while it is counted.
        self.budget.take(*weight, self.stack.len(), at, self.report)?;
        let node = Node { at, ..node.clone() };
        self.put(node, 0)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: At) -> Result<Node, Error> {
        self.budget.take(
            Weight { nodes: 1, bytes: text.len(), depth: 0 },
            self.stack.len(),
            at,
            self.report,
        )?;
        let plain = style == ScalarStyle::Plain;
        let value = match tag {
            None if plain => core_scalar(text),
            None => Ok(NodeValue::Text(text.into())),
            Some(tag) => tagged(text, tag),
        };
        let value = value.map_err(|error| error.place(self.report.bare_place(at)))?;
        let raw = (!matches!(value, NodeValue::Text(_)) && !text.is_empty()).then(|| text.into());
        Ok(Node { value, at, raw, filled: false })
    }

    fn collection_tag(&self, tag: Option<&Tag>, own: &str, at: At) -> Result<(), Error> {
        match tag {
            Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == own) => {
                Err(unknown_tag(tag).place(self.report.bare_place(at)))
            }
            _ => Ok(()),
        }
    }

    /// Puts a whole node where the one that is open wants it.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Error> {
        if anchor != 0 {
            let weight = node.weigh();
            self.budget.take(weight, self.stack.len(), node.at, self.report)?;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, merged, key, .. }) => match key.take() {
                None => *key = Some(as_key(node, self.report)?),
                Some(Key { merges: true, at, .. }) => {
                    if let Some(other) =
                        node.one_or_many().iter().find(|n| !matches!(n.value, NodeValue::Map(_)))
                    {
                        let error =
                            Error::new(Code::WrongType, format!("`<<` takes mappings, not {}", other.kind()))
                                .hint("Give it an alias of a mapping, or a list of them");
                        return Err(error.place(self.report.bare_place(at)));
                    }
                    match node.value {
                        NodeValue::List(maps) => merged.extend(maps),
                        _ => merged.push(node),
                    }
                }
                Some(Key { text: key, at: key_at, .. }) => entries.push(Entry { key, key_at, node }),
            },
        }
        Ok(())
    }

    /// The full key of the value that the open collections are waiting for.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.stack {
            path = match frame {
                Frame::List { items, .. } => Trail::Path(&path).item(items.len()).to_string(),
                Frame::Map { key: Some(key), .. } => Trail::Path(&path).key(&key.text).to_string(),
                Frame::Map { key: None, .. } => path,
            };
        }
        path
    }

    fn syntax(&self, text: &str, error: &ScanError) -> Error {
        let mark = error.marker();
        if let Some((line, column)) = tab_near(text, mark.line()) {
            return Error::new(Code::ConfigSyntax, "A tab is used to indent")
                .hint("YAML is indented with spaces: replace the tab")
                .place(self.report.bare_place(self.set.unwrap_or_else(|| at_mark(line, column))));
        }
        let at = self.set.unwrap_or_else(|| at_mark(mark.line(), mark.col()));
        if error.info().contains("recursion limit") {
            return too_deep().place(self.report.bare_place(at));
        }
        Error::new(Code::ConfigSyntax, format!("This is not valid YAML: {}", error.info()))
            .hint(syntax_hint(error.info()))
            .place(self.report.bare_place(at))
    }
}

/// So many keys are compared with each other faster than they are hashed.
const FEW: usize = 16;

/// Takes out the entries whose key was there before, and gives each with where it was.
pub(crate) fn take_twins(entries: &mut Vec<Entry>) -> Vec<(Entry, At)> {
    if entries.len() <= FEW {
        let twice =
            |(index, entry): (usize, &Entry)| entries[..index].iter().any(|before| before.key == entry.key);
        if !entries.iter().enumerate().any(twice) {
            return Vec::new();
        }
    }
    let mut seen: HashSet<Text> = HashSet::with_capacity(entries.len());
    let twins: Vec<Entry> = entries.extract_if(.., |entry| !seen.insert(entry.key.clone())).collect();
    twins
        .into_iter()
        .map(|twin| {
            let first =
                entries.iter().find(|entry| entry.key == twin.key).map_or(twin.key_at, |entry| entry.key_at);
            (twin, first)
        })
        .collect()
}

/// Reports what [`take_twins`] took out.
pub(crate) fn report_twins(twins: Vec<(Entry, At)>, trail: &Trail<'_>, report: &mut Report<'_>) {
    for (entry, first) in twins {
        report.add(entry.key_at, &trail.key(&entry.key), twin(&entry.key, first));
    }
}

/// A key that is given twice in one mapping.
fn twin(key: &str, first: At) -> Error {
    let error = Error::new(Code::DuplicateName, format!("`{key}` is given twice"));
    match first {
        At::Text(line, _) => {
            error.hint(format!("It was given on line {line} before: give one of the two another name"))
        }
        At::Set(_) => error.hint("Give one of the two another name"),
    }
}

/// What is merged in stands behind what is there, and never replaces it.
fn merge(mut entries: Vec<Entry>, merged: Vec<Node>) -> Vec<Entry> {
    for node in merged {
        let NodeValue::Map(more) = node.value else { continue };
        for entry in more {
            if !entries.iter().any(|there| there.key == entry.key) {
                entries.push(entry);
            }
        }
    }
    entries
}

fn as_key(node: Node, report: &Report<'_>) -> Result<Key, Error> {
    let merges = node.as_text().is_some_and(|text| &**text == "<<");
    match node.as_written() {
        Some(text) => Ok(Key { text: text.clone(), at: node.at, merges }),
        None if matches!(node.value, NodeValue::Null) => Ok(Key { text: "".into(), at: node.at, merges }),
        None => Err(Error::new(Code::ConfigSyntax, format!("A key must be text, not {}", node.kind()))
            .hint("Put what has braces or brackets in quotes")
            .place(report.bare_place(node.at))),
    }
}

fn at_mark(line: usize, column: usize) -> At {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    At::Text(number(line.max(1)), number(column).saturating_add(1))
}

fn number(text: &str) -> Option<Result<NodeValue, Error>> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let whole = |digits: &str, radix| {
        i64::from_str_radix(&format!("{sign}{digits}"), radix).map(NodeValue::Int).map_err(|_| too_wide(text))
    };
    let first = *digits.as_bytes().first()?;
    if !matches!(first, b'0'..=b'9' | b'.') {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(whole(digits, 10));
    }
    if digits.len() == text.len() {
        for (prefix, radix) in [("0x", 16), ("0o", 8)] {
            if let Some(digits) = digits.strip_prefix(prefix) {
                let fits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
                return fits.then(|| whole(digits, radix));
            }
        }
    }
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Some(Ok(NodeValue::Float(if sign == "-" { f64::NEG_INFINITY } else { f64::INFINITY })));
    }
    let in_form = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let float = in_form.then(|| digits.parse::<f64>().ok())??;
    if float.is_infinite() {
        return Some(Err(too_large(text)));
    }
    Some(Ok(NodeValue::Float(if sign == "-" { -float } else { float })))
}

fn too_wide(text: &str) -> Error {
    Error::new(Code::BadValue, format!("`{text}` does not fit a whole number of 64 bits"))
        .hint("Put it in quotes to have it as text, or write it with a `.` to have it as a float")
}

/// A number that is written with digits and that only infinity would stand for.
pub(crate) fn too_large(text: &str) -> Error {
    Error::new(Code::BadValue, format!("`{text}` is beyond what a number of 64 bits holds"))
        .hint("Put it in quotes to have it as text")
}

fn tagged(text: &str, tag: &Tag) -> Result<NodeValue, Error> {
    if tag.handle.is_empty() && tag.suffix == "!" {
        return Ok(NodeValue::Text(text.into()));
    }
    if !tag.is_yaml_core_schema() {
        return Err(unknown_tag(tag));
    }
    if tag.suffix == "str" {
        return Ok(NodeValue::Text(text.into()));
    }
    let value = core_scalar(text)?;
    match (tag.suffix.as_str(), value) {
        ("float", NodeValue::Int(whole)) => Ok(NodeValue::Float(whole as f64)),
        ("null", value @ NodeValue::Null)
        | ("bool", value @ NodeValue::Bool(_))
        | ("int", value @ NodeValue::Int(_))
        | ("float", value @ NodeValue::Float(_)) => Ok(value),
        ("null" | "bool" | "int" | "float", _) => Err(Error::new(
            Code::BadValue,
            format!("`{text}` is not of the type that its tag `!!{}` says", tag.suffix),
        )
        .hint("Correct the value, or take the tag out")),
        _ => Err(unknown_tag(tag)),
    }
}

fn unknown_tag(tag: &Tag) -> Error {
    let shown = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
    Error::new(Code::ConfigSyntax, format!("`{shown}` is a tag that means nothing in a rack"))
        .hint("Take it out, or put the value in quotes if it is text")
}

/// The first tab that indents a line, of the lines round the one where reading failed.
fn tab_near(text: &str, line: usize) -> Option<(usize, usize)> {
    let first = line.saturating_sub(1).max(1);
    text.lines().enumerate().skip(first - 1).take(3).find_map(|(index, content)| {
        let indent = &content[..content.len() - content.trim_start_matches([' ', '\t']).len()];
        (indent.len() < content.len()).then(|| indent.find('\t'))?.map(|column| (index + 1, column))
    })
}

fn syntax_hint(info: &str) -> &'static str {
    if info.contains("mapping values are not allowed") {
        "Check the indentation, and put text that holds `: ` in quotes"
    } else if info.contains("quoted scalar") {
        "A quote that was opened is not closed"
    } else if info.contains("cannot start") || info.contains("unexpected character") {
        "Put text that starts with a special character in quotes"
    } else if info.contains("flow") || info.contains("expected ',' or") {
        "A `{` or `[` that was opened is not closed, or a comma is missing"
    } else {
        "Check the indentation and the quotes just before this place"
    }
}
