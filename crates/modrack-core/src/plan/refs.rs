//! Slots where they are named: declared, of the catalog, or a `use` text in place; and circles of needs.
//!
//! Only names are looked at; whether a file or a catalog module is there is the runtime's.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::node::{At, Node, Trail};
use super::report::{Report, bad_value};
use super::{SlotPlan, SlotRef};
use crate::{Code, Error, SlotName, Text, Use, nearest};

/// The names that a rack declares, be their slots well described or not.
pub(crate) struct Names {
    pub(crate) slots: HashMap<Text, SlotName>,
    /// Whether a bare name may be of the catalog.
    pub(crate) catalog: bool,
}

impl Names {
    /// Reads a slot where one is named, with the function that was named along with it.
    pub(crate) fn slot_ref(
        &self,
        node: &Node,
        trail: &Trail<'_>,
        report: &mut Report<'_>,
    ) -> Option<(SlotRef, Option<String>)> {
        let text = node.as_text()?;
        if let Some(name) = self.slots.get(text) {
            return Some((SlotRef::Declared(name.clone()), None));
        }
        if Use::is_unmistakable(text) || text.contains('@') {
            return match Use::parse(text) {
                Ok(_) => Some((SlotRef::Inline(text.as_str().into()), None)),
                Err(error) => {
                    report.add(node.at, trail, error);
                    None
                }
            };
        }
        let (head, function) = match text.split_once('.') {
            Some((head, function)) if !function.is_empty() => (head, Some(function.to_owned())),
            _ => (text.as_str(), None),
        };
        if let Some(name) = self.slots.get(head) {
            return Some((SlotRef::Declared(name.clone()), function));
        }
        if self.catalog && Use::parse(head).is_ok() {
            return Some((SlotRef::Inline(Arc::from(head)), function));
        }
        report.add(node.at, trail, self.unknown(head));
        None
    }

    /// Reads a slot where a whole one is wanted and no function of it.
    pub(crate) fn whole_slot(
        &self,
        node: &Node,
        trail: &Trail<'_>,
        report: &mut Report<'_>,
    ) -> Option<SlotRef> {
        let (slot, function) = self.slot_ref(node, trail, report)?;
        if let Some(function) = function {
            let error = bad_value(
                format!("{} names the function `{function}`; a whole slot goes there", trail.name()),
                "Leave the function out: the module calls what it needs of the slot",
            );
            report.add(node.at, trail, error);
            return None;
        }
        Some(slot)
    }

    fn unknown(&self, name: &str) -> Error {
        let error = Error::new(Code::UnknownSlot, format!("There is no slot `{name}`"));
        match nearest(name, self.slots.keys().map(Text::as_str)) {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => {
                error.hint(format!("Declare it under `slots:`, or name the module itself (`./{name}.py`)"))
            }
        }
    }
}

/// Reads what is injected.
pub(crate) fn needs(
    node: &Node,
    trail: &Trail<'_>,
    names: &Names,
    report: &mut Report<'_>,
) -> Vec<(Text, SlotRef)> {
    let Some(needs) = node.get("needs") else { return Vec::new() };
    let trail = trail.key("needs");
    let read = needs.entries().iter().filter_map(|entry| {
        let slot = names.whole_slot(&entry.node, &trail.key(&entry.key), report)?;
        Some((entry.key.clone(), slot))
    });
    read.collect()
}

/// Reports each circle of slots that need each other, once.
pub(crate) fn circles(
    slots: &IndexMap<SlotName, SlotPlan>,
    at: &HashMap<(SlotName, Text), At>,
    report: &mut Report<'_>,
) {
    // 0 is not seen, 1 is on the way, 2 is done.
    let mut state = vec![0u8; slots.len()];
    for start in 0..slots.len() {
        if state[start] != 0 {
            continue;
        }
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        state[start] = 1;
        while let Some((slot, need)) = way.last_mut() {
            let (slot, index) = (*slot, *need);
            let Some((name, plan)) = slots.get_index(slot) else { break };
            let Some((key, target)) = plan.needs.get(index) else {
                state[slot] = 2;
                way.pop();
                continue;
            };
            *need += 1;
            let SlotRef::Declared(target) = target else { continue };
            let Some(next) = slots.get_index_of(target) else { continue };
            match state[next] {
                0 => {
                    state[next] = 1;
                    way.push((next, 0));
                }
                1 => {
                    let from = way.iter().position(|(on_way, _)| *on_way == next).unwrap_or_default();
                    let mut circle: Vec<String> = way[from..]
                        .iter()
                        .filter_map(|(slot, _)| slots.get_index(*slot))
                        .map(|(name, _)| format!("`{name}`"))
                        .collect();
                    circle.push(format!("`{target}`"));
                    let error = Error::new(
                        Code::CyclicReference,
                        format!("Slots need each other in a circle: {}", circle.join(" needs ")),
                    )
                    .hint("Take one of these needs out, or have the module fetch what it needs when it is called");
                    let at = at.get(&(name.clone(), key.clone())).copied().unwrap_or(super::check::START);
                    let (slots_trail, root) = ("slots", Trail::Root);
                    let slots_trail = root.key(slots_trail);
                    let slot_trail = slots_trail.key(name.as_str());
                    let needs_trail = slot_trail.key("needs");
                    report.add(at, &needs_trail.key(key), error);
                }
                _ => {}
            }
        }
    }
}
