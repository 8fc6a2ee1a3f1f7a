//! `${...}`: the environment, files and other keys, filled into a tree.
//!
//! Filling happens after parsing, so nothing that is filled in can change the shape of the text. A value that
//! is one `${...}` and nothing else takes the type expected of it, or, of another key, that key's value.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::check::not_yet;
use super::limits::Budget;
use super::node::{At, Node, NodeValue, Trail, Weight};
use super::rack::Ask;
use super::report::Report;
use super::set::{Step, steps};
use crate::{Code, Error, nearest};

/// Fills in every `${...}`.
///
/// # Errors
/// [`Code::ConfigTooLarge`] when the tree grows too large; everything else goes to `report`.
pub(crate) fn fill(
    root: &mut Node,
    folder: &Path,
    ask: &Ask<'_>,
    report: &mut Report<'_>,
) -> Result<(), Error> {
    if !mentions(root) {
        return Ok(());
    }
    let original = root.clone();
    let mut filler = Filler {
        original: &original,
        folder,
        ask,
        report,
        budget: Budget::default(),
        way: Vec::new(),
        circles: HashSet::new(),
        done: HashMap::new(),
    };
    filler.node(root, &Trail::Root, 0)
}

struct Filler<'f, 'r> {
    original: &'f Node,
    folder: &'f Path,
    ask: &'f Ask<'f>,
    report: &'f mut Report<'r>,
    budget: Budget,
    /// The keys that are being filled in because another key asks for them.
    way: Vec<Vec<Step>>,
    /// The circles that were reported, each as its keys in alphabetical order.
    circles: HashSet<Vec<String>>,
    /// Keys that others asked for, filled in.
    done: HashMap<String, (Node, Weight)>,
}

/// Why a value was not filled in.
enum Stop {
    /// Reported already.
    Reported,
    /// The tree grows too large; nothing more is read.
    TooLarge(Error),
}

/// A piece of a text.
enum Piece<'t> {
    Plain(&'t str),
    Ask(&'t str),
}

impl Filler<'_, '_> {
    fn node(&mut self, node: &mut Node, trail: &Trail<'_>, depth: usize) -> Result<(), Error> {
        let at = node.at;
        match &mut node.value {
            NodeValue::Text(text) if text.contains("${") => {
                let text = text.clone();
                match self.text(&text, at, trail, depth) {
                    Ok(filled) => *node = Node { at, ..filled },
                    Err(Stop::Reported) => {
                        // What stands there is taken for whatever is wanted, so that it is not reported again.
                        node.filled = true;
                        node.value = NodeValue::Unknown;
                    }
                    Err(Stop::TooLarge(error)) => return Err(error),
                }
            }
            NodeValue::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(item, &trail.item(index), depth + 1)?;
                }
            }
            NodeValue::Map(entries) => {
                for entry in entries {
                    self.node(&mut entry.node, &trail.key(&entry.key), depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str, at: At, trail: &Trail<'_>, depth: usize) -> Result<Node, Stop> {
        let Some(pieces) = pieces(text) else {
            return self.fail(
                at,
                trail,
                Error::new(Code::Interpolation, "A `${` is not closed")
                    .hint("Add the `}`, or write `$${` for the two characters themselves"),
            );
        };
        if let [Piece::Ask(asked)] = pieces.as_slice() {
            return self.asked(asked, at, trail, depth);
        }
        let mut whole = String::with_capacity(text.len());
        for piece in &pieces {
            match piece {
                Piece::Plain(plain) => whole.push_str(plain),
                Piece::Ask(asked) => {
                    let node = self.asked(asked, at, trail, depth)?;
                    let Some(part) = node.as_written() else {
                        if matches!(node.value, NodeValue::Null | NodeValue::Unknown) {
                            continue;
                        }
                        let error = Error::new(
                            Code::Interpolation,
                            format!("`${{{asked}}}` is {}, which cannot stand inside of a text", node.kind()),
                        )
                        .hint("Let it be the whole value, or name a key that holds text or a number");
                        return self.fail(at, trail, error);
                    };
                    whole.push_str(part);
                }
            }
        }
        self.take(Weight { nodes: 1, bytes: whole.len(), depth: 0 }, depth, at)?;
        Ok(Node::new(NodeValue::Text(whole.into()), at))
    }

    fn asked(&mut self, asked: &str, at: At, trail: &Trail<'_>, depth: usize) -> Result<Node, Stop> {
        match asked.split_once(':') {
            Some(("env", rest)) => self.env(rest, at, trail, depth),
            Some(("file", path)) => self.file(path, at, trail, depth),
            Some(("secret", _)) => {
                let error = not_yet("`${secret:...}`").hint("Use `${env:NAME}` or `${file:PATH}` until then");
                self.fail(at, trail, error)
            }
            Some((scheme, _)) if !scheme.contains(['.', '[']) => {
                let error = Error::new(Code::Interpolation, format!("`{scheme}:` is nothing that can be filled in"))
                    .hint("Write `${env:NAME}`, `${file:PATH}` or `${another.key}`; `$${` is the two characters themselves");
                self.fail(at, trail, error)
            }
            _ => self.key(asked, at, trail, depth),
        }
    }

    fn env(&mut self, rest: &str, at: At, trail: &Trail<'_>, depth: usize) -> Result<Node, Stop> {
        let (name, default) = match rest.split_once(',') {
            Some((name, default)) => (name.trim(), Some(default)),
            None => (rest.trim(), None),
        };
        if name.is_empty() || name.contains(['=', '$', '{', ' ']) {
            let error = Error::new(
                Code::Interpolation,
                format!("`{name}` is not the name of an environment variable"),
            )
            .hint("Write `${env:NAME}` or `${env:NAME,default}`");
            return self.fail(at, trail, error);
        }
        match ((self.ask.env)(name), default) {
            (Some(value), _) => self.outside(value, at, depth),
            (None, Some(default)) if default.contains("${") => {
                self.text(default, at, trail, depth).map(from_outside)
            }
            (None, Some(default)) => self.outside(default.to_owned(), at, depth),
            (None, None) => {
                let error = Error::new(Code::Interpolation, format!("The environment has no `{name}`"))
                    .hint(format!("Set it, or give a default: `${{env:{name},default}}`"));
                self.fail(at, trail, error)
            }
        }
    }

    fn file(&mut self, path: &str, at: At, trail: &Trail<'_>, depth: usize) -> Result<Node, Stop> {
        let path = path.trim();
        if path.is_empty() {
            let error =
                Error::new(Code::Interpolation, "`${file:}` names no file").hint("Write `${file:PATH}`");
            return self.fail(at, trail, error);
        }
        match (self.ask.read)(&self.folder.join(path)) {
            Ok(mut content) => {
                // An editor ends a file with a line feed that nobody means as part of a password.
                if content.ends_with('\n') {
                    content.pop();
                    if content.ends_with('\r') {
                        content.pop();
                    }
                }
                self.outside(content, at, depth)
            }
            Err(why) => {
                let error = Error::new(Code::Interpolation, format!("`{path}` cannot be read: {why}"))
                    .hint("The path is relative to the rack's folder");
                self.fail(at, trail, error)
            }
        }
    }

    fn outside(&mut self, value: String, at: At, depth: usize) -> Result<Node, Stop> {
        self.take(Weight { nodes: 1, bytes: value.len(), depth: 0 }, depth, at)?;
        Ok(from_outside(Node::new(NodeValue::Text(value.into()), at)))
    }

    fn key(&mut self, path: &str, at: At, trail: &Trail<'_>, depth: usize) -> Result<Node, Stop> {
        let path = path.trim();
        let Some(steps) = steps(path) else {
            let error = Error::new(Code::Interpolation, format!("`${{{path}}}` cannot be filled in"))
                .hint("Write `${env:NAME}`, `${file:PATH}` or `${another.key}`; `$${` is the two characters themselves");
            return self.fail(at, trail, error);
        };
        if let Some(from) = self.way.iter().position(|on_way| *on_way == steps) {
            let mut circle: Vec<_> =
                self.way[from..].iter().map(|steps| format!("`{}`", dotted(steps))).collect();
            let mut members = circle.clone();
            members.sort();
            if !self.circles.insert(members) {
                return Err(Stop::Reported);
            }
            circle.push(format!("`{path}`"));
            let error = Error::new(
                Code::CyclicReference,
                format!("Keys refer to each other in a circle: {}", circle.join(" refers to ")),
            )
            .hint("Write one of the values out");
            return self.fail(at, trail, error);
        }
        let own = dotted(&steps);
        if let Some((node, weight)) = self.done.get(&own) {
            let (node, weight) = (node.clone(), *weight);
            self.take(weight, depth, at)?;
            return Ok(node);
        }
        let found = match find(self.original, &steps) {
            Ok(found) => found,
            Err(hint) => {
                let error = Error::new(Code::Interpolation, format!("There is no key `{path}`")).hint(hint);
                return self.fail(at, trail, error);
            }
        };
        // Weighed before it is copied: a bomb must not go off while it is counted.
        self.take(found.weigh(), depth + self.way.len(), at)?;
        let mut node = found.clone();
        self.way.push(steps);
        // What is wrong with the other key is told of that key, where it stands.
        let filled = self.node(&mut node, &Trail::Path(&own), depth);
        self.way.pop();
        filled.map_err(Stop::TooLarge)?;
        if matches!(node.value, NodeValue::Unknown) {
            return Err(Stop::Reported);
        }
        self.done.insert(own, (node.clone(), node.weigh()));
        Ok(node)
    }

    fn take(&mut self, weight: Weight, depth: usize, at: At) -> Result<(), Stop> {
        self.budget.take(weight, depth, at, self.report).map_err(Stop::TooLarge)
    }

    fn fail<T>(&mut self, at: At, trail: &Trail<'_>, error: Error) -> Result<T, Stop> {
        self.report.add(at, trail, error);
        Err(Stop::Reported)
    }
}

fn from_outside(node: Node) -> Node {
    Node { filled: true, ..node }
}

/// Whether a `${` stands in a text of it.
pub(super) fn mentions(node: &Node) -> bool {
    match &node.value {
        NodeValue::Text(text) => text.contains("${"),
        NodeValue::List(items) => items.iter().any(mentions),
        NodeValue::Map(entries) => entries.iter().any(|entry| mentions(&entry.node)),
        _ => false,
    }
}

/// Splits a text at its `${...}`. `None` when one is not closed.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            // `$${`: the text as far as the first `$`, then `{` and what follows.
            pieces.push(Piece::Plain(&rest[..start]));
            pieces.push(Piece::Plain("{"));
            rest = &rest[start + 2..];
            continue;
        }
        if start > 0 {
            pieces.push(Piece::Plain(&rest[..start]));
        }
        let inner = &rest[start + 2..];
        let end = closing(inner)?;
        pieces.push(Piece::Ask(&inner[..end]));
        rest = &inner[end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    Some(pieces)
}

/// Where the brace stands that closes a `${`, others within it passed over.
fn closing(inner: &str) -> Option<usize> {
    let mut open = 0usize;
    let mut before = ' ';
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' if before == '$' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        before = letter;
    }
    None
}

/// The node at the end of `steps`, or a hint on where the way ends.
fn find<'n>(root: &'n Node, steps: &[Step]) -> Result<&'n Node, String> {
    let mut node = root;
    for step in steps {
        node = match step {
            Step::Key(key) => node.get(key).ok_or_else(|| {
                let known = node.entries().iter().map(|entry| entry.key.as_str());
                match nearest(key, known) {
                    Some(near) => format!("Did you mean `{near}` in place of `{key}`?"),
                    None => {
                        "Write the full key, from the top of the rack; `$${` is the two characters themselves"
                            .into()
                    }
                }
            })?,
            Step::Item(item) => match &node.value {
                NodeValue::List(items) => items.get(*item),
                _ => None,
            }
            .ok_or_else(|| format!("There is no item {item}"))?,
        };
    }
    Ok(node)
}

fn dotted(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Step::Item(item) => path.push_str(&format!("[{item}]")),
        }
    }
    path
}
