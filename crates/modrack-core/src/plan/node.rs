//! A text as a tree of positioned nodes, the same whether it was YAML, TOML or JSON.
//!
//! Nodes know where they stand and nothing of racks. Every node and key keeps its line and column.

use std::fmt;

use crate::{Map, Text, Value};

/// Where a key or value stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum At {
    /// Line and column in the rack's text, both counted from 1, the column in characters.
    Text(u32, u32),
    /// A `--set` of the command line, counted from 0.
    Set(u32),
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: NodeValue,
    pub(crate) at: At,
    /// The text that a scalar was written as, where that is not the value itself.
    pub(crate) raw: Option<Text>,
    /// Whether the value was filled in from outside, by a `${...}` that is the whole of it.
    pub(crate) filled: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum NodeValue {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Text),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// What a `${...}` stands for that could not be filled in, which is reported: taken for anything.
    Unknown,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Text,
    pub(crate) key_at: At,
    pub(crate) node: Node,
}

/// The way from the root to a node, kept on the stack and written out only for messages.
#[derive(Clone, Copy)]
pub(crate) enum Trail<'a> {
    Root,
    /// A way that is written out already.
    Path(&'a str),
    Key(&'a Trail<'a>, &'a str),
    Item(&'a Trail<'a>, usize),
}

impl Node {
    pub(crate) fn new(value: NodeValue, at: At) -> Self {
        Self { value, at, raw: None, filled: false }
    }

    /// What the node is, in the words of messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "true or false",
            NodeValue::Int(_) => "a whole number",
            NodeValue::Float(_) => "a number",
            NodeValue::Text(_) => "text",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a mapping",
            NodeValue::Unknown => "unknown",
        }
    }

    pub(crate) fn as_text(&self) -> Option<&Text> {
        match &self.value {
            NodeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as it was written.
    pub(crate) fn as_written(&self) -> Option<&Text> {
        self.raw.as_ref().or_else(|| self.as_text())
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.value {
            NodeValue::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn as_count(&self) -> Option<usize> {
        match self.value {
            NodeValue::Int(value) => usize::try_from(value).ok(),
            _ => None,
        }
    }

    /// The entries of a mapping; none for everything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            NodeValue::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list, and one item for everything that is not a list.
    pub(crate) fn one_or_many(&self) -> &[Node] {
        match &self.value {
            NodeValue::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| *entry.key == *key).map(|entry| &entry.node)
    }

    /// The node as a value that modules are given.
    pub(crate) fn to_value(&self) -> Value {
        match &self.value {
            NodeValue::Null | NodeValue::Unknown => Value::Null,
            NodeValue::Bool(value) => Value::Bool(*value),
            NodeValue::Int(value) => Value::Int(*value),
            NodeValue::Float(value) => Value::Float(*value),
            NodeValue::Text(text) => Value::Text(text.clone()),
            NodeValue::List(items) => Value::List(items.iter().map(Self::to_value).collect()),
            NodeValue::Map(_) => Value::Map(Box::new(self.to_map())),
        }
    }

    /// A mapping as one that modules are given; empty for everything else.
    pub(crate) fn to_map(&self) -> Map {
        self.entries().iter().map(|entry| (entry.key.clone(), entry.node.to_value())).collect()
    }

    /// How many nodes there are from here down, how many bytes of text, and how deep they go.
    pub(crate) fn weigh(&self) -> Weight {
        let mut sum = Weight {
            nodes: 1,
            bytes: self.as_text().map_or(0, |text| text.len()) + self.raw.as_ref().map_or(0, |raw| raw.len()),
            depth: 0,
        };
        match &self.value {
            NodeValue::List(items) => items.iter().for_each(|item| sum.add_child(item.weigh())),
            NodeValue::Map(entries) => entries.iter().for_each(|entry| {
                sum.bytes += entry.key.len();
                sum.add_child(entry.node.weigh());
            }),
            _ => {}
        }
        sum
    }
}

/// What a tree weighs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    pub(crate) nodes: usize,
    pub(crate) bytes: usize,
    pub(crate) depth: usize,
}

impl Weight {
    fn add_child(&mut self, child: Self) {
        self.nodes += child.nodes;
        self.bytes += child.bytes;
        self.depth = self.depth.max(child.depth + 1);
    }
}

impl<'a> Trail<'a> {
    pub(crate) fn key(&'a self, key: &'a str) -> Self {
        Trail::Key(self, key)
    }

    pub(crate) fn item(&'a self, item: usize) -> Self {
        Trail::Item(self, item)
    }

    /// Whether it leads nowhere: to the whole text.
    pub(crate) fn is_root(&self) -> bool {
        matches!(self, Trail::Root | Trail::Path(""))
    }

    /// What a message calls the node: its own key, or that of the list it is in.
    pub(crate) fn name(&self) -> String {
        match self {
            Trail::Root => "The rack".into(),
            Trail::Path(path) => format!("`{path}`"),
            Trail::Key(_, key) => format!("`{key}`"),
            Trail::Item(parent, _) => format!("An item of {}", parent.name()),
        }
    }
}

impl fmt::Display for Trail<'_> {
    /// The full dotted key: `pipelines.delays.stages[1].use`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trail::Root => Ok(()),
            Trail::Path(path) => f.write_str(path),
            Trail::Key(parent, key) => {
                if !is_plain(key) {
                    return write!(f, "{parent}[{key:?}]");
                }
                let dot = if parent.is_root() { "" } else { "." };
                write!(f, "{parent}{dot}{key}")
            }
            Trail::Item(parent, item) => write!(f, "{parent}[{item}]"),
        }
    }
}

/// Whether a key can stand in a dotted path as it is.
pub(crate) fn is_plain(key: &str) -> bool {
    !key.is_empty() && !key.contains(['.', '[', ']', '"', '=', '}', ' '])
}
