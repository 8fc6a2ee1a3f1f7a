//! State, from the old module to the new one. It is data, and no more of it than may be.

use std::sync::Arc;
use std::time::Instant;

use modrack_core::plan::SwapPlan;
use modrack_core::{Call, Chain, Phase, Result, State, Value};

use super::guarded;
use crate::error;
use crate::generation::Generation;
use crate::instances;
use crate::rack::RackCore;
use crate::seat::Seat;

/// What fills `seat` carries over, within its bounds; none when it was let go. An instance that takes one call at a time is
/// waited for as long as calls are.
///
/// # Errors
/// Unless forced: what its `export_state` raised; [`modrack_core::Code::StateTooLarge`]; state that is not data; an instance
/// that was not free in time.
pub(super) fn out(seat: &Seat, rules: &SwapPlan, force: bool) -> Result<Option<State>> {
    let bounds = Call { deadline: Instant::now().checked_add(rules.drain), ..Call::default() };
    match Chain::bounded(&bounds, || guarded(|| export(seat, rules))) {
        Err(_) if force => Ok(None),
        exported => exported,
    }
}

fn export(seat: &Seat, rules: &SwapPlan) -> Result<Option<State>> {
    let Some(from) = seat.generation() else {
        // Of what was stopped and could not be started again.
        return Ok(seat.left().get().map(|state| (*state).clone()));
    };
    if !instances::has_state(instances::policy(seat.plan(), &from.checked().description)) {
        return Ok(None);
    }
    let blame = |error| from.blame(error, Phase::Swap);
    let Some(state) = from.instance().export_state().map_err(blame)? else { return Ok(None) };
    if !state.value.is_data() {
        return Err(blame(error::state_no_data()));
    }
    let size = state.value.size();
    if size > rules.state_size {
        return Err(blame(error::state_too_large(size, rules.state_size)));
    }
    let version = from.checked().description.version.as_ref().map(ToString::to_string);
    Ok(Some(State { version: state.version.or(version), ..state }))
}

/// Gives `state` to `to`; false when it was let go.
///
/// # Errors
/// What `import_state` raised; [`modrack_core::Code::StateRefused`], unless forced.
pub(super) fn over(state: &State, to: &Generation, force: bool) -> Result<bool> {
    match to.instance().import_state(state) {
        Ok(true) => Ok(true),
        Ok(false) if force => Ok(false),
        Ok(false) => Err(to.blame(error::state_refused(), Phase::Swap)),
        Err(why) => Err(to.blame(why, Phase::Swap)),
    }
}

/// The state as the slot makes it that converts it, where one does: its main function is given the state, and the versions of
/// both modules, whichever of them is the newer.
///
/// # Errors
/// What the migrator raised.
pub(super) fn migrated(
    rack: &Arc<RackCore>,
    state: State,
    to: &Generation,
    rules: &SwapPlan,
) -> Result<State> {
    let Some(migrator) = &rules.migrate else { return Ok(state) };
    let slot = rack.slot_ref(migrator)?;
    let text = |version: Option<String>| version.map_or(Value::Null, |version| Value::from(version.as_str()));
    let now = to.checked().description.version.as_ref().map(ToString::to_string);
    let args = [state.value, text(state.version), text(now.clone())];
    let value = rack.with_generation(&slot, None, |generation| {
        let id = generation.bind(None)?;
        generation.call(generation.entry(id)?, Call::new(&args))
    })?;
    Ok(State { version: now, value })
}
