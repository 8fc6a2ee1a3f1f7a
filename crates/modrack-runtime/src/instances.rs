//! How a module's instances serve calls: one that is shared, one or several that take one call at a time, or a
//! new one for each call.
//!
//! A shared instance stands in its generation as the backend made it, and costs a call nothing. The others stand
//! behind an instance of ours, which checks theirs out. What breaks is given up and started again.

mod measured;
mod per_call;
mod places;
mod pooled;
mod recipe;
mod streams;
pub(crate) mod waits;

use std::sync::Arc;

use modrack_core::{Description, Instance, Instances, Result};

use modrack_core::plan::SlotPlan;

pub(crate) use measured::measured;
pub(crate) use recipe::{Recipe, STOP_WITHIN};

use measured::Measured;
use per_call::PerCall;
use pooled::Pooled;

/// How the slot's instances serve calls: as its plan says, else as its module does.
pub(crate) fn policy(plan: &SlotPlan, description: &Description) -> Instances {
    plan.instances.or(description.manifest.instances).unwrap_or_default()
}

/// Whether a slot with this policy has one state, to be carried over: several instances have as many states, and none of
/// them is the slot's.
pub(crate) fn has_state(policy: Instances) -> bool {
    matches!(policy, Instances::Shared | Instances::One)
}

/// Whether an instance is ours, with those of its backend behind it.
pub(crate) fn is_ours(instance: &dyn Instance) -> bool {
    let any = instance.as_any();
    any.is::<Pooled>() || any.is::<PerCall>() || any.is::<Measured>()
}

/// What fills a slot by this policy. The first instance is started now; failing to is failing to load.
///
/// # Errors
/// What the start failed with.
pub(crate) fn start(policy: Instances, recipe: Recipe) -> Result<Arc<dyn Instance>> {
    let first = recipe.start()?;
    Ok(match policy {
        Instances::Shared => first,
        Instances::One => Pooled::make(recipe, first, 1, policy),
        Instances::Pool(count) => Pooled::make(recipe, first, count, policy),
        Instances::PerCall => PerCall::make(recipe, first),
    })
}
