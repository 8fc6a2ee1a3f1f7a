//! Setting keys in the text of a rack where they stand, with its comments and its layout kept.
//!
//! The text is changed only where a value stands, or beside one that does; what cannot be done so is refused. What comes out
//! is read again, and means what the text with the keys set over it means, or nothing comes out.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::node::{At, Node, NodeValue};
use super::rack::{RackText, TextFormat, tree};
use super::report::Report;
use super::set::{self, Step};
use super::written::{quoted, written};
use super::{edit_toml, yaml};
use crate::{Code, Error, Place, Result};

/// A value of the text, and where it stands in it.
struct Spot {
    start: usize,
    end: usize,
    kind: Kind,
}

enum Kind {
    /// A value on one line, or in quotes.
    Scalar,
    /// What is in braces or brackets, or in indented lines.
    Map {
        flow: bool,
        entries: Entries,
    },
    List {
        flow: bool,
    },
    /// What has no text of its own, or more than a place.
    Other,
}

/// The entries of a mapping: key, where that stands, and the value.
type Entries = Vec<(String, Spot, Spot)>;

/// What is open while the text is read.
struct Open {
    start: usize,
    flow: bool,
    /// The entries of a mapping and the key that waits for its value; none for a list.
    map: Option<(Entries, Option<(String, Spot)>)>,
}

impl RackText {
    /// This text with every `path=value` written into it.
    ///
    /// # Errors
    /// [`Code::Unsupported`] where a key cannot be written without writing the text anew; what is wrong with a path or a value.
    pub fn with(&self, sets: &[String]) -> Result<Self> {
        let mut edited = self.clone();
        for set in sets {
            let (steps, value) = parsed(set)?;
            let text = std::str::from_utf8(&edited.bytes).map_err(|_| self.refused(set))?;
            let written = match self.format {
                TextFormat::Toml => edit_toml::put(text, &steps, &value),
                format => put(text, &steps, &value, format),
            };
            edited.bytes = written.ok_or_else(|| self.refused(set))?.into_bytes();
        }
        // What was written must be what was meant, and nothing else may have changed.
        let mut report = Report::new(&self.file, self.format);
        let mut meant = tree(self, &mut report)?;
        set::apply(&mut meant, sets, &mut report)?;
        let mut found = tree(&edited, &mut report);
        lengthen(&mut meant);
        found.iter_mut().for_each(lengthen);
        match (found, report.end(())) {
            (Ok(found), Ok(())) if same(&found, &meant) => Ok(edited),
            _ => Err(self.refused(sets.first().map_or("", String::as_str))),
        }
    }

    fn refused(&self, set: &str) -> Error {
        let key = set.split_once('=').map_or(set, |(key, _)| key);
        Error::new(Code::Unsupported, format!("`{key}` cannot be written into the rack as it is laid out"))
            .hint(format!("Write it yourself: `{set}`"))
            .place(Place { key: Some(key.to_owned()), ..Place::file(&self.file) })
    }
}

/// The way to a key, and its value.
fn parsed(set: &str) -> Result<(Vec<String>, Node)> {
    let nothing = || {
        Error::new(Code::BadValue, format!("`{set}` sets nothing"))
            .hint("Write `path=value`, with keys in the path")
    };
    let (path, value) = set::split(set).ok_or_else(nothing)?;
    let steps = set::steps(path).ok_or_else(nothing)?;
    let keys = steps.into_iter().map(|step| match step {
        Step::Key(key) => Ok(key.to_string()),
        Step::Item(_) => Err(nothing()),
    });
    let keys = keys.collect::<Result<_>>()?;
    let mut report = Report::new(std::path::Path::new(super::report::SETTINGS), TextFormat::Yaml);
    Ok((keys, yaml::parse_value(value, At::Set(0), &mut report)?))
}

/// Makes slots that are a text mappings with a `use`, which is the same.
fn lengthen(root: &mut Node) {
    let entries = |node: &mut Node| match &mut node.value {
        NodeValue::Map(entries) => std::mem::take(entries),
        _ => Vec::new(),
    };
    let mut top = entries(root);
    for slots in top.iter_mut().filter(|entry| &*entry.key == "slots") {
        if let NodeValue::Map(slots) = &mut slots.node.value {
            for slot in slots.iter_mut().filter(|slot| slot.node.as_text().is_some()) {
                slot.node = nested(&["use".to_owned()], &slot.node);
            }
        }
    }
    root.value = NodeValue::Map(top);
}

/// Whether two trees say the same, in whatever order.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (NodeValue::Map(entries), NodeValue::Map(others)) => {
            let has = |key: &str, node: &Node| {
                let twin = others.iter().find(|entry| *entry.key == *key);
                twin.is_some_and(|twin| same(node, &twin.node))
            };
            entries.len() == others.len() && entries.iter().all(|entry| has(&entry.key, &entry.node))
        }
        (NodeValue::List(items), NodeValue::List(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(one, other)| same(one, other))
        }
        _ => written(one) == written(other),
    }
}

/// The text of YAML or JSON with a value at the end of these keys; none when it cannot be put there.
fn put(text: &str, keys: &[String], value: &Node, format: TextFormat) -> Option<String> {
    let root = spots(text)?;
    let mut spot = &root;
    for (at, key) in keys.iter().enumerate() {
        let Kind::Map { flow, entries } = &spot.kind else {
            // A slot may be a text, which is short for its `use`.
            return match (&spot.kind, at) {
                (Kind::Scalar, 2) if keys[0] == "slots" && key != "use" => {
                    let word =
                        |key: &str| if format == TextFormat::Json { quoted(key) } else { key.to_owned() };
                    let rest = shown(&nested(&keys[at..], value), format);
                    let inner = rest.strip_prefix('{')?.trim_start();
                    let long = format!("{{ {}: {}, {inner}", word("use"), &text[spot.start..spot.end]);
                    Some(replaced(text, spot.start, spot.end, &long))
                }
                (Kind::Scalar, 2) if keys[0] == "slots" && keys.len() == 3 => {
                    Some(replaced(text, spot.start, spot.end, &shown(value, format)))
                }
                _ => None,
            };
        };
        match entries.iter().find(|(known, ..)| known == key) {
            Some((.., there)) => spot = there,
            None => {
                let value = nested(&keys[at + 1..], value);
                let line = match format {
                    TextFormat::Json => format!("{}: {}", quoted(key), shown(&value, format)),
                    _ => format!("{}: {}", shown(&text_node(key), format), shown(&value, format)),
                };
                return if *flow {
                    into_flow(text, spot, entries, &line)
                } else {
                    into_block(text, entries, &line)
                };
            }
        }
    }
    match &spot.kind {
        Kind::Scalar | Kind::Map { flow: true, .. } | Kind::List { flow: true } => {
            Some(replaced(text, spot.start, spot.end, &shown(value, format)))
        }
        _ => None,
    }
}

fn replaced(text: &str, start: usize, end: usize, with: &str) -> String {
    format!("{}{with}{}", &text[..start], &text[end..])
}

/// Writes an entry behind the last one of a mapping in braces.
fn into_flow(text: &str, map: &Spot, entries: &[(String, Spot, Spot)], line: &str) -> Option<String> {
    let Some((_, first, _)) = entries.first() else {
        return Some(replaced(text, map.start, map.end, &format!("{{ {line} }}")));
    };
    let (_, key, value) = entries.last()?;
    let end = if value.end > value.start { value.end } else { key.end };
    // Where each entry has a line of its own, so has this one.
    let before = &text[map.start + 1..first.start];
    let between = match before.rfind('\n') {
        Some(at) => format!(",{}", &before[at..]),
        None => ", ".to_owned(),
    };
    Some(replaced(text, end, end, &format!("{between}{line}")))
}

/// Writes an entry on a line of its own into a mapping of indented lines.
fn into_block(text: &str, entries: &[(String, Spot, Spot)], line: &str) -> Option<String> {
    let (_, first, _) = entries.first()?;
    let begins = text[..first.start].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[begins..first.start];
    let indent: String = before.chars().map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
    // Behind `use`, where that is a line; else behind the last entry that is one.
    let is_line = |spot: &Spot| {
        spot.end > spot.start
            && !matches!(spot.kind, Kind::Other | Kind::Map { flow: false, .. } | Kind::List { flow: false })
    };
    let used = entries.iter().find(|(key, _, value)| key == "use" && is_line(value));
    let behind = used.or_else(|| entries.iter().rfind(|(.., value)| is_line(value)));
    match behind {
        Some((.., value)) => {
            let end = text[value.end..].find('\n').map_or(text.len(), |at| value.end + at);
            let end = if text[..end].ends_with('\r') { end - 1 } else { end };
            Some(replaced(text, end, end, &format!("\n{indent}{line}")))
        }
        None => Some(replaced(text, first.start, first.start, &format!("{line}\n{indent}"))),
    }
}

/// A value below keys that are not there yet.
fn nested(keys: &[String], value: &Node) -> Node {
    keys.iter().rev().fold(value.clone(), |node, key| {
        let entry = super::node::Entry { key: key.as_str().into(), key_at: node.at, node };
        Node::new(NodeValue::Map(vec![entry]), At::Set(0))
    })
}

fn text_node(text: &str) -> Node {
    Node::new(NodeValue::Text(text.into()), At::Set(0))
}

/// A value as it is written: plain where it can be, in braces and brackets where it has parts.
fn shown(node: &Node, format: TextFormat) -> String {
    if format == TextFormat::Json {
        return written(node);
    }
    match &node.value {
        NodeValue::Text(text) if is_plain(text) => text.to_string(),
        NodeValue::Map(entries) if !entries.is_empty() => {
            let entries: Vec<_> = entries
                .iter()
                .map(|entry| {
                    format!("{}: {}", shown(&text_node(&entry.key), format), shown(&entry.node, format))
                })
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        NodeValue::List(items) => {
            let items: Vec<_> = items.iter().map(|item| shown(item, format)).collect();
            format!("[{}]", items.join(", "))
        }
        _ => written(node),
    }
}

/// Whether a text reads as itself without quotes, wherever it stands.
fn is_plain(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_./-:@^()".contains(letter);
    let begins = text.starts_with(|letter: char| letter.is_ascii_alphanumeric() || "_./".contains(letter));
    begins
        && text.chars().all(plain)
        && !text.ends_with(':')
        && matches!(yaml::core_scalar(text), Ok(NodeValue::Text(_)))
}

/// Where everything stands in a text of YAML; none when it is none.
fn spots(text: &str) -> Option<Spot> {
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let place = |span: &Span| {
        let at = |mark: usize| offsets.get(mark).copied().unwrap_or(text.len());
        let (start, end) = (at(span.start.index()), at(span.end.index()));
        (start, start + text.get(start..end).unwrap_or_default().trim_end().len())
    };
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.ok()?;
        let (start, end) = place(&span);
        let spot = match event {
            Event::Scalar(word, style, ..) => {
                let is_line = matches!(
                    style,
                    ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted
                );
                let kind = if is_line && end > start { Kind::Scalar } else { Kind::Other };
                Some((Spot { start, end, kind }, Some(word.into_owned())))
            }
            Event::Alias(_) => Some((Spot { start, end, kind: Kind::Other }, None)),
            Event::SequenceStart(..) => {
                open.push(Open { start, flow: text[start..].starts_with('['), map: None });
                None
            }
            Event::MappingStart(..) => {
                open.push(Open {
                    start,
                    flow: text[start..].starts_with('{'),
                    map: Some((Vec::new(), None)),
                });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Open { start, flow, map } = open.pop()?;
                let kind = match map {
                    Some((entries, _)) => Kind::Map { flow, entries },
                    None => Kind::List { flow },
                };
                Some((Spot { start, end, kind }, None))
            }
            _ => None,
        };
        let Some((spot, word)) = spot else { continue };
        match open.last_mut() {
            None => root = Some(spot),
            Some(Open { map: Some((entries, key)), .. }) => match key.take() {
                None => *key = Some((word?, spot)),
                Some((name, at)) => entries.push((name, at, spot)),
            },
            Some(Open { map: None, .. }) => {}
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, bytes: &str) -> RackText {
        let format = TextFormat::of(name.as_ref()).unwrap();
        RackText { file: name.into(), root: ".".into(), format, bytes: bytes.into() }
    }

    fn check(name: &str, before: &str, sets: &[&str], after: Option<&str>) {
        let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
        let found = text(name, before).with(&sets);
        match (&found, after) {
            (Ok(found), Some(after)) => assert_eq!(String::from_utf8_lossy(&found.bytes), after, "{sets:?}"),
            (Err(why), None) => assert_eq!(why.code(), Code::Unsupported, "{sets:?}"),
            _ => panic!("{before}{sets:?}: {found:?}"),
        }
    }

    #[test]
    fn keys_are_written_where_they_stand() {
        let block = "# A rack\nrack: 1\nslots:\n  a: # the first\n    use: ./a.py   # an old one\n    params:\n      width: 3 # wide\n  b: { use: ./b.py, lazy: true }\n  c: ./c.py # short\n";
        let cases: &[(&[&str], &str, &str)] = &[
            (&["slots.a.use=\"./n.py:Name\""], "./a.py ", "./n.py:Name "),
            (&["slots.a.params.width=4"], "width: 3", "width: 4"),
            (&["slots.a.params.name=a b"], "width: 3 # wide\n", "width: 3 # wide\n      name: \"a b\"\n"),
            (&["slots.a.limits.time=1s"], "# an old one\n", "# an old one\n    limits: { time: 1s }\n"),
            (&["slots.b.use=\"./n.wasm\""], "./b.py,", "./n.wasm,"),
            (
                &["slots.b.params.x=[1, yes, 'true']"],
                "lazy: true }",
                "lazy: true, params: { x: [1, yes, \"true\"] } }",
            ),
            (&["slots.c.use=\"price@^1.2\""], "./c.py #", "price@^1.2 #"),
            (&["slots.c.params.x=1"], "./c.py #", "{ use: ./c.py, params: { x: 1 } } #"),
            (
                &["slots.c.use=\"./n.py\"", "slots.c.params.x=1", "slots.c.params.y=2.5"],
                "./c.py #",
                "{ use: ./n.py, params: { x: 1, y: 2.5 } } #",
            ),
            (&["slots.a.use=\"$${x}\""], "./a.py ", "\"$${x}\" "),
            (&["slots.a.params={}"], "", ""),
        ];
        for (sets, from, to) in cases {
            if from.is_empty() {
                check("rack.yaml", block, sets, None);
                continue;
            }
            for ends in ["\n", "\r\n"] {
                let (before, from, to) =
                    (block.replace('\n', ends), from.replace('\n', ends), to.replace('\n', ends));
                let after = before.replacen(&from, &to, 1);
                // A line that comes to be ends as lines of this program do, which reads the same.
                let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
                let found =
                    text("rack.yaml", &before).with(&sets).unwrap_or_else(|why| panic!("{sets:?}: {why}"));
                let found = String::from_utf8(found.bytes).unwrap();
                assert_eq!(found.replace("\r\n", "\n"), after.replace("\r\n", "\n"), "{sets:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_written_there_is_refused() {
        let sets = ["slots.a.use=\"./n.py\""];
        for before in [
            "slots: { a: &x { use: &y ./a.py }, b: { use: *y } }\n",
            "slots:\n  a: &x { use: ./a.py }\n  b: *x\n",
            "slots:\n  a:\n    use: |\n      ./a.py\n",
            "slots:\n  a: *x\n",
            "slots:\n  a:\n    use:\n      source: x = 1\n      language: python\n",
        ] {
            assert!(text("rack.yaml", before).with(&sets.map(str::to_owned)).is_err(), "{before}");
        }
    }

    #[test]
    fn json_and_toml_keep_their_layout() {
        let json =
            "{\n  \"rack\": 1,\n  \"slots\": {\n    \"a\": {\n      \"use\": \"./a.py\"\n    }\n  }\n}\n";
        check("rack.json", json, &["slots.a.use=\"./n.py\""], Some(&json.replace("./a.py", "./n.py")));
        let more = "\"./a.py\",\n      \"params\": {\"width\": 3}\n";
        check("rack.json", json, &["slots.a.params.width=3"], Some(&json.replace("\"./a.py\"\n", more)));
        let toml = "rack = 1 # one\n\n[slots.a] # the first\nuse = './a.py' # old\n[slots.a.params]\nwidth = 3\n[slots]\nc = \"./c.py\" # short\n";
        check("rack.toml", toml, &["slots.a.use=\"./n.py\""], Some(&toml.replace("'./a.py'", "\"./n.py\"")));
        check("rack.toml", toml, &["slots.a.params.width=4"], Some(&toml.replace("= 3", "= 4")));
        check(
            "rack.toml",
            toml,
            &["slots.a.params.name=x"],
            Some(&toml.replace("= 3\n", "= 3\nname = \"x\"\n")),
        );
        let long = "{ use = \"./c.py\", params = { x = 1 } }";
        check("rack.toml", toml, &["slots.c.params.x=1"], Some(&toml.replace("\"./c.py\"", long)));
        check("rack.toml", toml, &["slots.a.params.none=null"], None);
    }
}
