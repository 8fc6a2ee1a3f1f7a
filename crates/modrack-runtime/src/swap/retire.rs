//! What comes after a switch: the calls of what was replaced are waited for, and it is stopped.

use std::sync::Arc;
use std::time::Duration;

use modrack_core::{Error, SlotName};

use super::Before;
use super::janitor::Retiring;
use super::transaction::Next;
use crate::error;
use crate::events::Event;
use crate::generation::Generation;
use crate::grace::Look;
use crate::rack::RackCore;
use crate::scope;
use crate::seat::Seat;

/// How long calls that were told to end are waited for.
const ENDING: Duration = Duration::from_secs(1);

/// Publishes a table with these seats, and gives its version; none when the rack was stopped.
pub(super) fn publish(rack: &RackCore, seats: &[&Arc<Seat>]) -> Option<u64> {
    let version = rack.cell().publish(|table| {
        // Who stops the rack says so before it publishes the last table.
        if rack.is_stopped() {
            return (None, None);
        }
        let next = table.replacing(seats.iter().copied());
        let version = next.version();
        (Some(next), Some(version))
    });
    rack.warn_if_blind();
    version
}

/// Publishes a table with these seats under `next`, and gives its version; none when the rack was stopped.
///
/// What is not loaded is found and checked under it: such slots get seats of their own, unless somebody loads one and it
/// means what it meant.
pub(super) fn publish_under(
    rack: &Arc<RackCore>,
    seats: &[&Arc<Seat>],
    next: &Next,
    drain: Duration,
) -> Option<u64> {
    let configuration = &next.configuration;
    let is_new = |seat: &Arc<Seat>| seats.iter().any(|new| Arc::ptr_eq(new, seat));
    let stays = |seat: &Arc<Seat>| {
        let alone = !seat.plan().swap.overlap || rack.loads().is_running(seat);
        seat.is_gone()
            || seat.generation().is_some()
            || seat.gate().is_some()
            || is_new(seat)
            || (alone && !next.renews)
    };
    let (version, renewed) = rack.cell().publish(|table| {
        if rack.is_stopped() {
            return (None, (None, Vec::new()));
        }
        let table = table.replacing(seats.iter().copied());
        let olds: Vec<_> = table.seats().filter(|seat| !stays(seat)).cloned().collect();
        let news: Vec<_> = olds.iter().map(|old| Arc::new(old.renewed(configuration))).collect();
        let table = table.replacing(&news).under(configuration.clone());
        let version = table.version();
        (Some(table), (Some(version), olds))
    });
    rack.warn_if_blind();
    if let Some(version) = version {
        leave_empty(rack, version, renewed, drain);
    }
    version
}

/// Waits until no call can come to what fills `seats`, which no table has from `version` on; false when one still can when
/// `within` is over, or the rack was stopped.
pub(super) fn drained(rack: &RackCore, version: u64, seats: &[Arc<Seat>], within: Duration) -> bool {
    let is_drained = || !rack.cell().are_pinned(seats, version);
    if is_drained() {
        return true;
    }
    let until = rack.clock().after(within);
    let slots = seats.iter().map(|seat| seat.slot().name().clone()).collect();
    rack.observer().tell(&Event::Draining { slots, within });
    let mut ended = false;
    rack.waiting(&mut || {
        ended = rack.cell().grace().wait(|| {
            let left = until.saturating_duration_since(rack.clock().now());
            match (is_drained(), left.is_zero() || rack.is_stopped()) {
                (true, _) => Look::Done(true),
                (false, true) => Look::Done(false),
                (false, false) => Look::Again(Some(left)),
            }
        });
    });
    ended
}

/// Why what filled these seats was not drained: whose calls go on.
pub(super) fn not_drained(rack: &RackCore, seats: &[Arc<Seat>], within: Duration) -> Error {
    if rack.is_stopped() {
        return error::stopped();
    }
    let called = |seat: &Arc<Seat>| seat.generation().is_some_and(|g| g.instance().footprint().calls > 0);
    let is_own = |slot: &SlotName| seats.iter().any(|seat| seat.slot().name() == slot);
    let others: Vec<_> = rack.called().into_iter().filter(|slot| !is_own(slot)).collect();
    error::not_drained(within, seats.iter().any(called), &others)
}

/// Waits for the calls of what filled these seats until `version` was published, and stops it; or leaves it to the
/// rack. Gives what shutdowns failed with.
pub(super) fn retire(
    rack: &Arc<RackCore>,
    version: u64,
    seats: &[Arc<Seat>],
    drain: Duration,
) -> (Before, Vec<Error>) {
    // Who asks from within a call holds an older table itself.
    if scope::is_in(rack.cell()) {
        leave(rack, version, seats.to_vec(), drain);
        return (Before::Draining, Vec::new());
    }
    if drained(rack, version, seats, drain) || (end_calls(seats) && drained(rack, version, seats, ENDING)) {
        let mut before = Before::Nothing;
        let mut failed = Vec::new();
        // Looked at only now: a load that was under way may have filled a seat.
        for generation in seats.iter().filter_map(|seat| seat.generation()) {
            before = Before::Stopped;
            failed.extend(stop(rack, generation));
        }
        return (before, failed);
    }
    linger(rack, seats);
    rack.janitor().look_after(rack, Retiring { seats: seats.to_vec(), version, until: None });
    (Before::Lingering, Vec::new())
}

/// Leaves it to the rack to wait for the calls of what filled these seats, and to stop it.
pub(super) fn leave(rack: &Arc<RackCore>, version: u64, seats: Vec<Arc<Seat>>, drain: Duration) {
    let until = Some(rack.clock().after(drain));
    rack.janitor().look_after(rack, Retiring { seats, version, until });
}

/// Leaves it to the rack to stop what calls that began before `version` was published may still load into these seats.
pub(super) fn leave_empty(rack: &Arc<RackCore>, version: u64, seats: Vec<Arc<Seat>>, drain: Duration) {
    let reachable = |seat: &Arc<Seat>| rack.cell().are_pinned(std::slice::from_ref(seat), version);
    let left: Vec<_> =
        seats.into_iter().filter(|seat| seat.generation().is_some() || reachable(seat)).collect();
    if !left.is_empty() {
        leave(rack, version, left, drain);
    }
}

/// Ends calls whose time is up, where their backend can; whether any could be told.
pub(super) fn end_calls(seats: &[Arc<Seat>]) -> bool {
    let ended = seats.iter().filter_map(|seat| seat.generation()).map(|g| g.instance().end_calls());
    ended.fold(false, |any, told| any | told)
}

/// Tells that calls go on past their time.
pub(super) fn linger(rack: &RackCore, seats: &[Arc<Seat>]) {
    for generation in seats.iter().filter_map(|seat| seat.generation()) {
        let slot = generation.slot().name().clone();
        rack.observer().tell(&Event::Lingering { slot, generation: generation.id() });
    }
}

/// Stops what nobody calls any more, and tells of it.
pub(super) fn stop(rack: &Arc<RackCore>, generation: &Arc<Generation>) -> Option<Error> {
    let stopped = rack.retire(generation)?;
    let slot = generation.slot().name().clone();
    rack.observer().tell(&Event::Retired { slot, generation: generation.id() });
    stopped.err()
}
