//! `--set path=value`: what the command line says over the text.
//!
//! Applied to the tree before `${...}` is filled in and before anything is checked, so that what is set
//! passes the same checks as what is written, and its place is the command line or the request.

use super::node::{At, Entry, Node, NodeValue, Trail};
use super::report::{Report, bad_value};
use super::yaml;
use crate::{Error, Place, Text};

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Key(Text),
    Item(usize),
}

/// Applies every `--set`, in order.
///
/// # Errors
/// A value that is no YAML; what is wrong with a path goes to `report`.
pub(crate) fn apply(root: &mut Node, sets: &[String], report: &mut Report<'_>) -> Result<(), Error> {
    for (index, set) in sets.iter().enumerate() {
        let at = At::Set(u32::try_from(index).unwrap_or(u32::MAX));
        let Some((path, value)) = split(set) else {
            let error = bad_value(
                format!("`{set}` sets nothing"),
                "Write `--set path=value`: `--set slots.clean.params.width=3`",
            );
            report.add(at, &Trail::Root, error);
            continue;
        };
        let Some(steps) = steps(path) else {
            let error = bad_value(
                format!("`{path}` is not the path of a key"),
                "Write keys with dots between them, and items by number: `pipelines.delays.stages[0]`",
            );
            report.add(at, &Trail::Root, error);
            continue;
        };
        let mut node = yaml::parse_value(value, at, report)?;
        node.at = at;
        if let Err(error) = put(root, &steps, node, at) {
            let place = Place { key: Some(path.to_owned()), ..Place::file(super::report::SETTINGS) };
            report.add_placed(at, error.place(place));
        }
    }
    Ok(())
}

/// The steps of a dotted path: `a.b[0]["c.d"]`. `None` when it is none.
pub(crate) fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("[\"") {
            let end = inner.find("\"]")?;
            steps.push(Step::Key(inner[..end].into()));
            rest = &inner[end + 2..];
        } else if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']')?;
            steps.push(Step::Item(inner[..end].parse().ok()?));
            rest = &inner[end + 1..];
        } else {
            if !steps.is_empty() {
                rest = rest.strip_prefix('.')?;
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 || rest[..end].trim() != &rest[..end] {
                return None;
            }
            steps.push(Step::Key(rest[..end].into()));
            rest = &rest[end..];
        }
    }
    (!steps.is_empty()).then_some(steps)
}

/// Splits at the first `=` that is not within a quoted key.
pub(crate) fn split(set: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let at = set.char_indices().find_map(|(at, letter)| {
        quoted ^= letter == '"';
        (letter == '=' && !quoted).then_some(at)
    })?;
    let path = set[..at].trim();
    (!path.is_empty()).then_some((path, &set[at + 1..]))
}

fn put(root: &mut Node, steps: &[Step], value: Node, at: At) -> Result<(), Error> {
    let mut node = root;
    for (done, step) in steps.iter().enumerate() {
        let there = || show(&steps[..done]);
        node = match step {
            Step::Key(key) => {
                if done == 2
                    && is_slot(&steps[..done])
                    && let NodeValue::Text(_) = node.value
                {
                    // A text is short for `use`.
                    let used = std::mem::replace(node, Node::new(NodeValue::Null, at));
                    let entry = Entry { key: "use".into(), key_at: used.at, node: used };
                    node.value = NodeValue::Map(vec![entry]);
                }
                if matches!(node.value, NodeValue::Null) {
                    node.value = NodeValue::Map(Vec::new());
                    node.raw = None;
                }
                let kind = node.kind();
                let NodeValue::Map(entries) = &mut node.value else {
                    return Err(bad_value(
                        format!("`{key}` cannot be set: {} is {kind}, not a mapping", there()),
                        "Set the whole value, or correct the path",
                    ));
                };
                let index = entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
                    let node = Node::new(NodeValue::Null, at);
                    entries.push(Entry { key: key.clone(), key_at: at, node });
                    entries.len() - 1
                });
                // What is wrong with a key that is set is wrong with the `--set`.
                if done + 1 == steps.len() {
                    entries[index].key_at = at;
                }
                &mut entries[index].node
            }
            Step::Item(item) => {
                let kind = node.kind();
                if matches!(node.value, NodeValue::Null) {
                    node.value = NodeValue::List(Vec::new());
                    node.raw = None;
                }
                let NodeValue::List(items) = &mut node.value else {
                    return Err(bad_value(
                        format!("Item {item} cannot be set: {} is {kind}, not a list", there()),
                        "Set the whole value, or correct the path",
                    ));
                };
                if *item == items.len() {
                    items.push(Node::new(NodeValue::Null, at));
                }
                let count = items.len();
                let Some(node) = items.get_mut(*item) else {
                    let items = if count == 1 { "item" } else { "items" };
                    return Err(bad_value(
                        format!("Item {item} cannot be set: {} has {count} {items}", there()),
                        format!("Write `[{count}]` to add one at the end"),
                    ));
                };
                node
            }
        };
    }
    *node = value;
    Ok(())
}

/// Whether steps lead to a slot of the rack.
fn is_slot(steps: &[Step]) -> bool {
    matches!(steps, [Step::Key(slots), Step::Key(_)] if &**slots == "slots")
}

fn show(steps: &[Step]) -> String {
    if steps.is_empty() {
        return "the rack".into();
    }
    let path: String = steps
        .iter()
        .enumerate()
        .map(|(index, step)| match step {
            Step::Key(key) if index == 0 => key.to_string(),
            Step::Key(key) => format!(".{key}"),
            Step::Item(item) => format!("[{item}]"),
        })
        .collect();
    format!("`{path}`")
}
