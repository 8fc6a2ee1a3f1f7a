//! Whether what a slot asks to be guarded can be guarded by who loads its module.
//!
//! A guard that is not there is an error before anything runs, unless the slot says `enforce: best-effort`.

use modrack_core::{Backend, Description, Error, Guard, Instances, Phase};

use crate::error;
use crate::seat::Seat;

/// What the slot asks for and its backend, or its module, cannot give; and what it gives that is not enough to begin with.
pub(crate) fn check(seat: &Seat, backend: &dyn Backend, description: &Description) -> Vec<Error> {
    let plan = seat.plan();
    let blame = |error: Error, key: &str| seat.blame(error.phase(Phase::Check), key);
    let mut faults = Vec::new();
    let own = description.manifest.instances.unwrap_or_default();
    if plan.instances == Some(Instances::Shared) && own != Instances::Shared {
        faults.push(blame(error::not_shared(own), "instances"));
    }
    if let Some(most) = plan.limits.memory
        && let Some(least) = backend.least_memory(description).filter(|least| *least > most)
    {
        faults.push(blame(error::too_little_memory(least, most), "limits.memory"));
    }
    if plan.best_effort {
        return faults;
    }
    let guards = backend.guards();
    let limits = [
        ("limits.time", plan.limits.time.is_some(), guards.time),
        ("limits.memory", plan.limits.memory.is_some(), guards.memory),
        ("limits.output", plan.limits.output.is_some(), guards.output),
    ];
    let limits = limits.into_iter().filter(|(_, asked, guard)| *asked && *guard == Guard::Missing);
    let allow = guards.unguarded(&plan.allow);
    let keys = limits.map(|limit| limit.0.to_owned()).chain(allow.iter().map(|key| format!("allow.{key}")));
    faults.extend(keys.map(|key| {
        // What is not written in the slot holds for every slot.
        let own = plan.place.is_none() || plan.key_places.contains_key(&key);
        blame(error::unguarded(&key, backend.name(), own), &key)
    }));
    faults
}
