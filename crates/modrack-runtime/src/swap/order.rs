//! In which order the slots of one swap are stopped and started: what a slot needs is started before it and stopped after it.
//!
//! Who needs whom is read from plans; nothing is started or stopped here.

use std::collections::HashSet;
use std::sync::Arc;

use modrack_core::SlotName;
use modrack_core::plan::SlotRef;

use crate::seat::Seat;
use crate::table::SlotTable;

/// The places of `seats`, each after those whose slots it needs, by itself or over slots of `table`. Those that need each
/// other stay as they are.
pub(super) fn by_need(table: &SlotTable, seats: &[&Arc<Seat>]) -> Vec<usize> {
    let needed: Vec<_> = seats.iter().map(|seat| needed_by(table, seats, seat)).collect();
    let needs = |one: usize, other: usize| needed[one].contains(seats[other].slot().name());
    let mut left: Vec<_> = (0..seats.len()).collect();
    let mut order = Vec::with_capacity(seats.len());
    while !left.is_empty() {
        let waits = |one: usize| left.iter().any(|&other| needs(one, other) && !needs(other, one));
        let next = left.iter().position(|&one| !waits(one)).unwrap_or_default();
        order.push(left.remove(next));
    }
    order
}

/// The slots that `seat` needs, and those that they need, and so on.
fn needed_by(table: &SlotTable, seats: &[&Arc<Seat>], seat: &Seat) -> HashSet<SlotName> {
    let mut needed = HashSet::new();
    let mut left = names(seat);
    while let Some(name) = left.pop() {
        if needed.contains(&name) {
            continue;
        }
        let own = seats.iter().find(|seat| *seat.slot().name() == name).copied();
        left.extend(own.or_else(|| table.named(&name)).map(|seat| names(seat)).unwrap_or_default());
        needed.insert(name);
    }
    needed
}

/// The slots that a plan names.
fn names(seat: &Seat) -> Vec<SlotName> {
    let names = seat.plan().needs.iter().map(|(_, need)| match need {
        SlotRef::Declared(name) => name.clone(),
        SlotRef::Inline(text) => SlotName::undeclared(text),
    });
    names.collect()
}
