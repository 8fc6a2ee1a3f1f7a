//! How what fills a slot is replaced while the rack runs: the mapping `swap` of a slot.
//!
//! Types were checked before; here is what a value means, and what of it makes no sense. Nothing is replaced here.

use std::time::Duration;

use super::node::{Node, NodeValue, Trail};
use super::report::{Report, bad_value};
use super::{SlotRef, units};
use crate::{Text, Value};

/// How what fills a slot is replaced while the rack runs.
#[derive(Clone, Debug, PartialEq)]
pub struct SwapPlan {
    /// Whether a change of the module's files replaces it; none leaves it to whoever watches.
    pub watch: Option<bool>,
    /// Calls that the new module must answer before it serves.
    pub probes: Vec<Probe>,
    /// How long the calls of the old module are waited for.
    pub drain: Duration,
    /// Whether the new module is started while the old one serves. A module that owns a port or a lock cannot be.
    pub overlap: bool,
    /// How state is carried over.
    pub state: Carrying,
    /// How many bytes of state are carried over at most.
    pub state_size: u64,
    /// The slot that turns the old module's state into the new one's.
    pub migrate: Option<SlotRef>,
    /// What the new module is held to at first.
    pub trial: TrialPlan,
}

/// A call that a module must answer before it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The function; none is the main one.
    pub function: Option<String>,
    /// What it is given.
    pub args: Vec<Value>,
    /// What it must give; none is anything but a failure.
    pub expect: Option<Value>,
}

/// How state is carried over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carrying {
    /// While the old module serves: what is written between is lost.
    #[default]
    Copy,
    /// With new calls held back: nothing is lost.
    Exclusive,
}

/// What a new module is held to at first, against the one that it replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialPlan {
    /// How long it lasts. The replaced module is kept for as long.
    pub length: Duration,
    /// How many calls must have been answered before anything is decided.
    pub min_calls: u64,
    /// By how much the share of failed calls may be above the replaced module's, from 0 to 1.
    pub errors: Option<f64>,
    /// How many times as long as the replaced module it may take on average.
    pub slower: Option<f64>,
}

impl Default for SwapPlan {
    fn default() -> Self {
        Self {
            watch: None,
            probes: Vec::new(),
            drain: Duration::from_secs(5),
            overlap: true,
            state: Carrying::Copy,
            state_size: 64 << 20,
            migrate: None,
            trial: TrialPlan::default(),
        }
    }
}

impl Default for TrialPlan {
    fn default() -> Self {
        Self { length: Duration::from_secs(30), min_calls: 100, errors: None, slower: None }
    }
}

impl TrialPlan {
    /// Whether anything would end it before its time.
    pub fn is_bound(&self) -> bool {
        self.errors.is_some() || self.slower.is_some()
    }
}

impl Carrying {
    /// Every way with its word.
    pub(crate) const WORDS: &'static [(&'static str, bool)] = &[("copy", true), ("exclusive", true)];
}

/// Reads the mapping `swap`.
pub(crate) fn swap(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> SwapPlan {
    let mut plan = SwapPlan { watch: node.get("watch").and_then(Node::as_bool), ..SwapPlan::default() };
    if let Some(probes) = node.get("probe") {
        let trail = trail.key("probe");
        let many = matches!(probes.value, NodeValue::List(_));
        for (at, item) in probes.one_or_many().iter().enumerate() {
            let trail = if many { trail.item(at) } else { trail };
            plan.probes.extend(probe(item, &trail, report));
        }
    }
    if let Some(drain) = length(node.get("drain"), &trail.key("drain"), report) {
        plan.drain = drain;
    }
    plan.overlap = node.get("overlap").and_then(Node::as_bool).unwrap_or(true);
    if node.get("state").and_then(Node::as_text).is_some_and(|word| &**word == "exclusive") {
        plan.state = Carrying::Exclusive;
    }
    if let Some(size) =
        node.get("state-size").and_then(|n| super::slot::bytes_of(n, &trail.key("state-size"), report))
    {
        plan.state_size = size;
    }
    if let Some(limits) = node.get("trial") {
        plan.trial = trial(limits, &trail.key("trial"), report);
    }
    plan
}

/// Reads `{ call: [function, argument...], expect: value }`.
fn probe(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> Option<Probe> {
    let call = node.get("call")?;
    let items = call.one_or_many();
    let Some(function) = items.first().and_then(Node::as_text) else {
        let error = bad_value(
            "A probe calls nothing".to_owned(),
            "Name the function first, `_` for the main one, then what it is given: `call: [add, 1, 2]`",
        );
        report.add(call.at, &trail.key("call"), error);
        return None;
    };
    Some(Probe {
        function: Some(function.to_string()).filter(|name| name != "_"),
        args: items.iter().skip(1).map(Node::to_value).collect(),
        expect: node.get("expect").map(Node::to_value),
    })
}

fn trial(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> TrialPlan {
    let mut plan = TrialPlan::default();
    if let Some(length) = length(node.get("for"), &trail.key("for"), report) {
        plan.length = length;
    }
    if let Some(calls) = node.get("min-calls").and_then(Node::as_count) {
        plan.min_calls = calls as u64;
    }
    plan.errors = written(node.get("errors"), &trail.key("errors"), report, share, "`5%`");
    plan.slower = written(node.get("slower"), &trail.key("slower"), report, times, "`2x`");
    plan
}

/// Reads a length of time; zero is one.
fn length(node: Option<&Node>, trail: &Trail<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let node = node?;
    let text = node.as_text()?;
    let length = units::duration(text);
    if length.is_none() {
        let error = bad_value(
            format!("`{text}` is not a length of time"),
            "Write a number and its unit: `10s`, `50ms`, `2m`",
        );
        report.add(node.at, trail, error);
    }
    length
}

/// Reads a number that is written with a sign of its own.
fn written(
    node: Option<&Node>,
    trail: &Trail<'_>,
    report: &mut Report<'_>,
    read: fn(&Text) -> Option<f64>,
    example: &str,
) -> Option<f64> {
    let node = node?;
    let text = node.as_written()?;
    let number = read(text);
    if number.is_none() {
        let error =
            bad_value(format!("{} cannot be `{text}`", trail.name()), format!("Write it as {example}"));
        report.add(node.at, trail, error);
    }
    number
}

/// `5%`, from 0 to 1.
fn share(text: &Text) -> Option<f64> {
    let number: f64 = text.trim().strip_suffix('%')?.trim_end().parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number / 100.0)
}

/// `2x`, at least 1.
fn times(text: &Text) -> Option<f64> {
    let number: f64 = text.trim().strip_suffix('x')?.trim_end().parse().ok()?;
    (number.is_finite() && number >= 1.0).then_some(number)
}
