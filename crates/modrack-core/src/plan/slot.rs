//! A slot's mapping to a `SlotPlan`, and decisions about errors.
//!
//! Types were checked before; here is what a value means, and what of it makes no sense.

use indexmap::IndexMap;

use super::check::is_misspelt;
use super::keys::{LATER_SLOTS, SLOT};
use super::node::{At, Node, NodeValue, Trail};
use super::report::{Report, bad_value};
use super::{Allow, HearsPlan, Limits, SlotPlan, swap, units};
use crate::contract::ContractRef;
use crate::events::Pattern;
use crate::{Code, Error, Instances, Language, OnError, OnErrors, SlotName, Use};

/// Reads a slot. `None` when it cannot be told what fills it, which is reported.
pub(crate) fn slot(
    name: SlotName,
    node: &Node,
    key_at: At,
    trail: &Trail<'_>,
    defaults: &Limits,
    report: &mut Report<'_>,
) -> Option<SlotPlan> {
    // A text is short for `use`.
    let use_node = if node.as_text().is_some() { Some(node) } else { node.get("use") };
    let use_trail = if node.as_text().is_some() { *trail } else { trail.key("use") };
    let filled = match use_node {
        Some(use_node) => filling(use_node, &use_trail, &name, report),
        None => {
            let told = is_later(node) || is_misspelt(node, "use", &SLOT);
            if matches!(node.value, NodeValue::Map(_) | NodeValue::Null) && !told {
                let error = Error::new(Code::MissingKey, format!("{} has no `use`", trail.name()))
                    .hint("Say what fills the slot: `use: ./x.py`");
                report.add(key_at, trail, error);
            }
            None
        }
    };
    let contract = node.get("contract").and_then(|contract| {
        let text = contract.as_text()?;
        ContractRef::parse(text).map_err(|e| report.add(contract.at, &trail.key("contract"), e)).ok()
    });
    let limits = node.get("limits").map(|limits| limits_of(limits, &trail.key("limits"), report));
    let errors = node.get("errors").map(|errors| on_errors(errors, &trail.key("errors"), report));
    let (fills, use_text) = filled?;
    Some(SlotPlan {
        name,
        fills,
        use_text,
        function: node.get("function").and_then(Node::as_text).map(|text| text.to_string()),
        params: node.get("params").map(Node::to_map).unwrap_or_default(),
        contract,
        needs: Vec::new(),
        limits: limits.unwrap_or_default().or(defaults),
        allow: node.get("allow").map(allow).unwrap_or_default(),
        instances: node.get("instances").and_then(|said| instances(said, &trail.key("instances"), report)),
        errors,
        lazy: node.get("lazy").and_then(Node::as_bool).unwrap_or_default(),
        best_effort: node.get("enforce").is_some(),
        swap: node.get("swap").map(|node| swap::swap(node, &trail.key("swap"), report)).unwrap_or_default(),
        events: node.get("events").map(|node| hears(node, &trail.key("events"), report)).unwrap_or_default(),
        place: Some(report.place(key_at, trail)),
        key_places: key_places(node, trail, report),
        filled: filled_params(node),
        text: "".into(),
        over: Vec::new(),
    })
}

/// Whether a slot is of a kind that a later version brings.
pub(crate) fn is_later(node: &Node) -> bool {
    node.entries().iter().any(|entry| LATER_SLOTS.contains(&entry.key.as_str()))
}

/// Reads bounds on calls.
pub(crate) fn limits_of(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> Limits {
    let time = node.get("time").and_then(|time| {
        let text = time.as_text()?;
        match units::duration(text) {
            Some(length) if !length.is_zero() => Some(length),
            _ => {
                let error = bad_value(
                    format!("`{text}` is not a length of time"),
                    "Write a number above zero and its unit: `10s`, `50ms`, `2m`",
                );
                report.add(time.at, &trail.key("time"), error);
                None
            }
        }
    });
    let mut bytes = |key: &str| bytes_of(node.get(key)?, &trail.key(key), report);
    Limits { time, memory: bytes("memory"), output: bytes("output") }
}

/// Reads a number of bytes above zero.
pub(crate) fn bytes_of(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> Option<u64> {
    let written = node.as_written()?;
    let bytes = units::bytes(written).filter(|&bytes| bytes > 0).and_then(|bytes| u64::try_from(bytes).ok());
    if bytes.is_none() {
        let error = bad_value(
            format!("`{written}` is not a number of bytes"),
            "Write a number above zero and its unit: `64MiB`, `512kB`",
        );
        report.add(node.at, trail, error);
    }
    bytes
}

/// Reads what a module may reach.
fn allow(node: &Node) -> Allow {
    let texts = |key: &str| {
        let items = node.get(key)?.one_or_many();
        Some(items.iter().filter_map(Node::as_text).map(|text| text.to_string()).collect())
    };
    Allow { read: texts("read"), write: texts("write"), net: texts("net"), env: texts("env") }
}

/// Reads how instances serve calls.
fn instances(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> Option<Instances> {
    let text = node.as_text()?;
    let instances = Instances::parse(text);
    if instances.is_none() {
        let error = bad_value(
            format!("{} cannot be `{text}`", trail.name()),
            format!("Write one of `shared`, `one`, `pool(N)` with up to {}, and `per-call`", Instances::MOST),
        );
        report.add(node.at, trail, error);
    }
    instances
}

/// Reads what its functions are told of.
fn hears(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> Vec<HearsPlan> {
    let mut all = Vec::new();
    for entry in node.entries() {
        let trail = trail.key(&entry.key);
        let Some(function) = entry.node.as_text() else { continue };
        match Pattern::parse(&entry.key) {
            Ok(pattern) => all.push(HearsPlan {
                pattern,
                function: Some(function.to_string()).filter(|name| name != "_"),
                text: entry.key.to_string(),
            }),
            Err(error) => report.add(entry.key_at, &trail, error),
        }
    }
    all
}

/// Reads decisions about errors: a word for all, or a mapping by kind and class.
pub(crate) fn on_errors(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> OnErrors {
    let mut errors = OnErrors::default();
    if node.as_text().is_some() {
        errors.default = decision(node, trail, report).unwrap_or_default();
        errors.default_said = true;
        return errors;
    }
    for entry in node.entries() {
        let trail = trail.key(&entry.key);
        if !is_class(&entry.key) {
            let error = bad_value(
                format!("`{}` is neither a kind of failure nor a class", entry.key),
                "Write a kind (`type`, `raised`, `timeout`), a class (`ValueError`, `pkg.mod.Error`) or `default`",
            );
            report.add(entry.key_at, &trail, error);
        }
        let Some(decision) = decision(&entry.node, &trail, report) else { continue };
        if &*entry.key == "default" {
            errors.default = decision;
            errors.default_said = true;
        } else {
            errors.by_name.push((entry.key.to_string(), decision));
        }
    }
    errors
}

fn decision(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> Option<OnError> {
    if let Some(word) = node.as_text() {
        return match &**word {
            "stop" => Some(OnError::Stop),
            "skip" => Some(OnError::Skip),
            "quarantine" => Some(OnError::Quarantine(None)),
            _ => None,
        };
    }
    if let NodeValue::Map(entries) = &node.value
        && entries.is_empty()
    {
        report.add(
            node.at,
            trail,
            bad_value(
                format!("{} decides nothing", trail.name()),
                "Write `stop`, `skip`, `quarantine` or `{ quarantine: PATH }`",
            ),
        );
    }
    let path = node.get("quarantine")?.as_text()?;
    Some(OnError::Quarantine(Some(path.as_str().into())))
}

/// What fills a slot, and its text as written.
fn filling(
    node: &Node,
    trail: &Trail<'_>,
    slot: &SlotName,
    report: &mut Report<'_>,
) -> Option<(Use, String)> {
    if let Some(text) = node.as_text() {
        return match Use::parse(text) {
            Ok(used) => Some((used, text.to_string())),
            Err(error) => {
                report.add(node.at, trail, error);
                None
            }
        };
    }
    let source = node.get("source")?.as_text()?;
    let language = match &**node.get("language")?.as_text()? {
        "python" => Language::Python,
        "wat" => Language::Wat,
        _ => return None,
    };
    Some((Use::Source { language, text: source.as_str().into() }, format!("<{slot}>")))
}

fn key_places(node: &Node, trail: &Trail<'_>, report: &Report<'_>) -> IndexMap<String, crate::Place> {
    let mut places = IndexMap::new();
    if node.as_text().is_some() {
        places.insert("use".to_owned(), report.place(node.at, trail));
    }
    for entry in node.entries() {
        let trail = trail.key(&entry.key);
        places.insert(entry.key.to_string(), report.place(entry.node.at, &trail));
        if matches!(&*entry.key, "params" | "needs" | "limits" | "allow" | "events") {
            for inner in entry.node.entries() {
                let key = format!("{}.{}", entry.key, inner.key);
                places.insert(key, report.place(inner.key_at, &trail.key(&inner.key)));
            }
        }
    }
    places
}

/// The params that were filled in from outside, as the text that they were.
fn filled_params(node: &Node) -> IndexMap<String, crate::Text> {
    let Some(params) = node.get("params") else { return IndexMap::new() };
    let filled = params.entries().iter().filter(|entry| entry.node.filled && entry.node.as_text().is_none());
    filled.filter_map(|entry| Some((entry.key.to_string(), entry.node.raw.clone()?))).collect()
}

fn is_class(name: &str) -> bool {
    !name.is_empty()
        && name.split('.').all(|part| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
        })
}
