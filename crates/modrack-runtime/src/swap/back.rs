//! Going back to what is parked: asked for, or because the new module did not stand its trial.

use std::sync::Arc;

use modrack_core::plan::Carrying;
use modrack_core::{Error, SlotName};

use super::janitor::Parked;
use super::member::Member;
use super::retire::leave;
use super::transaction::{self, Transaction};
use super::{Asked, Before, Step, Stepped, SwapFailed, Swapped};
use crate::error;
use crate::events::Event;
use crate::meter::Figures;
use crate::rack::RackCore;

/// Goes back to what is parked for a slot, and what was replaced with it.
pub(super) fn rollback(rack: &Arc<RackCore>, name: &SlotName, asked: Asked) -> Stepped<Swapped> {
    let slot = transaction::slot(rack, name)?;
    let fetch = |error| SwapFailed::new(Step::Fetch, &slot, error);
    loop {
        let (number, indexes) =
            rack.janitor().parked_for(slot.index()).ok_or_else(|| fetch(error::nothing_before()))?;
        let _turn = rack.turns().take(rack, indexes).map_err(fetch)?;
        // Under the turn: a swap of these slots may have ended meanwhile, and parked others.
        if let Some(parked) = rack.janitor().take(number) {
            return go_back(rack, parked, true, None, asked);
        }
    }
}

/// Goes back by itself: what is parked under `number` was replaced by what did worse than it may.
pub(super) fn by_itself(rack: &Arc<RackCore>, number: u64, why: &Error) {
    let Some(indexes) = rack.janitor().parked_as(number) else { return };
    // Who is swapping decides what serves; this looks again when it is done.
    let Ok(_turn) = rack.turns().take(rack, indexes) else { return };
    let Some(parked) = rack.janitor().take(number) else { return };
    let lossy = parked.slots.iter().all(|p| p.new.plan().swap.state == Carrying::Copy);
    let went = go_back(rack, parked, true, Some(why), Asked::default());
    // What does badly may not even give its state out: without it the old one goes on with what it had, unless none may be
    // lost.
    let went = match went {
        Err(failed) if failed.step == Step::Carry && lossy => match rack.janitor().take(number) {
            Some(parked) => go_back(rack, parked, false, Some(why), Asked::default()),
            None => Err(failed),
        },
        went => went,
    };
    if went.is_err() {
        // What serves goes on serving, and nothing is tried again.
        rack.janitor().forget_parked(rack, number);
    }
}

/// Has what is parked serve again; it is parked as it was when that fails.
fn go_back(
    rack: &Arc<RackCore>,
    parked: Parked,
    carries: bool,
    why: Option<&Error>,
    asked: Asked,
) -> Stepped<Swapped> {
    let members = parked
        .slots
        .iter()
        .map(|p| Member::back(p.old.clone(), p.new.clone(), carries && p.carried))
        .collect();
    let mut transaction = Transaction::new(rack, members, false, asked.clone(), None);
    let (switch, version) = match transaction.until_switch() {
        Ok(done) => done,
        Err(failed) => {
            let failed = transaction.undo(failed);
            rack.janitor().park(rack, parked);
            return Err(failed);
        }
    };
    parked.slots.iter().for_each(|p| p.old.came_back());
    let slots: Vec<_> = transaction.members.iter().filter_map(Member::served).collect();
    rack.observer().tell(&Event::RolledBack { slots: slots.clone(), why: why.cloned(), asked });
    let news: Vec<_> = parked.slots.iter().map(|p| p.new.clone()).collect();
    let drain = transaction.drain();
    leave(rack, version, news, drain);
    Ok(Swapped { slots, switch, before: Before::Draining, stopped: Vec::new() })
}

/// How a module of what is parked does worse than it may, if one does.
pub(super) fn failed_trial(parked: &Parked) -> Option<Error> {
    parked.slots.iter().find_map(|p| {
        let trial = &p.new.plan().swap.trial;
        let (before, now) = (p.old.generation()?.figures(), p.new.generation()?.figures());
        if now.count < trial.min_calls.max(1) {
            return None;
        }
        let too_many = trial.errors.is_some_and(|more| share(&now) > share(&before) + more);
        let slower = trial.slower.is_some_and(|times| {
            before.count > 0 && now.mean().as_secs_f64() > before.mean().as_secs_f64() * times
        });
        let why = match (too_many, slower) {
            (true, _) => error::trial_errors(share(&now), share(&before)),
            (_, true) => error::trial_slower(now.mean(), before.mean()),
            _ => return None,
        };
        Some(why.slot(p.old.slot().name()))
    })
}

/// The share of calls that failed.
fn share(figures: &Figures) -> f64 {
    if figures.count == 0 { 0.0 } else { figures.errors as f64 / figures.count as f64 }
}
