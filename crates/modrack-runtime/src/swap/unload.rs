//! Emptying a slot, until it is called.

use std::sync::Arc;

use modrack_core::{Origin, SlotName};

use super::member::seat;
use super::retire::{drained, not_drained, publish, retire};
use super::{Asked, Before, Step, Stepped, SwapFailed, guarded, transaction};
use crate::error;
use crate::events::Event;
use crate::gate::Gate;
use crate::rack::RackCore;
use crate::scope;
use crate::seat::Seat;

/// Calls that are held back until this goes, whatever it goes by.
struct HeldBack<'a> {
    rack: &'a RackCore,
    gate: Arc<Gate>,
    /// What they go on with.
    to: Arc<Seat>,
}

impl Drop for HeldBack<'_> {
    fn drop(&mut self) {
        // Of a rack that was stopped nothing serves any more.
        let to = match publish(self.rack, &[&self.to]) {
            Some(_) => self.to.clone(),
            None => Arc::new(self.to.empty()),
        };
        self.gate.open(to);
    }
}

/// Empties a slot, and stops what filled it once its calls have ended.
pub(super) fn unload(
    rack: &Arc<RackCore>,
    name: &SlotName,
    asked: Asked,
    origin: Option<Origin>,
) -> Stepped<Before> {
    let slot = transaction::slot(rack, name)?;
    let failed = |step, error| SwapFailed::new(step, &slot, error);
    let _turn = rack.turns().take(rack, vec![slot.index()]).map_err(|error| failed(Step::Fetch, error))?;
    let old = seat(rack, &slot)?;
    if old.is_given() {
        return Err(failed(Step::Fetch, error::of_program(name)));
    }
    let stopped = || failed(Step::Switch, error::stopped());
    // What comes from kept content comes from there again.
    let origin = origin.or_else(|| old.stays_at());
    let configuration = rack.cell().pin().configuration().clone();
    let empty = Arc::new(old.planned(old.plan().clone(), configuration).meant_from(origin));
    let drain = old.plan().swap.drain;
    let was = old.generation().map(|old| (old.id(), old.checked().description.hash.clone()));
    let (before, errors) = if old.plan().swap.overlap {
        let version = publish(rack, &[&empty]).ok_or_else(stopped)?;
        rack.janitor().unpark(rack, slot.index());
        retire(rack, version, &[old], drain)
    } else {
        // What is loaded next must not run beside it: calls that come wait until it is gone.
        if scope::is_in(rack.cell()) {
            return Err(failed(Step::Drain, error::swap_inside()));
        }
        let gate = Gate::new();
        let gated = Arc::new(old.gated(gate.clone()));
        let version = publish(rack, &[&gated]).ok_or_else(stopped)?;
        let mut held = HeldBack { rack, gate, to: old.clone() };
        // Calls that the gate lets through have this table.
        empty.is_in(version);
        let is_drained = guarded(|| Ok(drained(rack, version, std::slice::from_ref(&old), drain)));
        if !is_drained.map_err(|error| failed(Step::Drain, error))? {
            return Err(failed(Step::Drain, not_drained(rack, &[old], drain)));
        }
        held.to = empty;
        retire(rack, version, &[old], drain)
    };
    for why in errors {
        rack.observer().tell(&Event::StopFailed { slot: name.clone(), why });
    }
    if let Some((generation, was)) = was {
        rack.observer().tell(&Event::Unloaded { slot: name.clone(), generation, was, asked });
    }
    Ok(before)
}
