//! Going back to what is parked: asked for, or because the new module did not stand its trial.

use std::sync::Arc;

use modrack_core::plan::Carrying;
use modrack_core::{Code, Error, SlotName};

use super::janitor::{Parked, ParkedSlot};
use super::member::Member;
use super::retire::leave;
use super::transaction::{self, Transaction};
use super::{Asked, Before, Step, Stepped, SwapFailed, Swapped};
use crate::error;
use crate::events::Event;
use crate::meter::Figures;
use crate::rack::RackCore;

/// Who goes back where nobody asked for it.
const ITSELF: &str = "modrack";

/// Goes back to what is parked for a slot, and what was replaced with it; the state stays behind unless it `carries` that.
pub(super) fn rollback(
    rack: &Arc<RackCore>,
    name: &SlotName,
    carries: bool,
    asked: Asked,
) -> Stepped<Swapped> {
    let slot = transaction::slot(rack, name)?;
    let fetch = |error| SwapFailed::new(Step::Fetch, &slot, error);
    loop {
        let (number, indexes) =
            rack.janitor().parked_for(slot.index()).ok_or_else(|| fetch(error::nothing_before()))?;
        let _turn = rack.turns().take(rack, indexes).map_err(fetch)?;
        // Under the turn: a swap of these slots may have ended meanwhile, and parked others.
        let Some(parked) = rack.janitor().take(number) else { continue };
        // Or one of this slot alone, of several that had been replaced together.
        let went = parked.has(slot.index()).then(|| {
            let way = Way { carries, tries: false, why: None, asked: asked.clone() };
            go_back(rack, &parked, way)
        });
        if !matches!(went, Some(Ok(_))) {
            rack.janitor().park(rack, parked);
        }
        if let Some(went) = went {
            return went;
        }
    }
}

/// Goes back by itself, if what is parked under `number` was replaced by what does worse than it may.
pub(super) fn by_itself(rack: &Arc<RackCore>, number: u64) {
    let Some(indexes) = rack.janitor().parked_as(number) else { return };
    // Who is swapping decides what serves: nobody waits here for that, which may last.
    let Some(_turn) = rack.turns().take_now(indexes) else {
        rack.janitor().wait_for_turn(rack, number);
        return;
    };
    let Some(mut parked) = rack.janitor().take(number) else { return };
    let Some(why) = failed_trial(&parked) else {
        rack.janitor().park(rack, parked);
        return;
    };
    let asked = Asked { who: ITSELF.to_owned(), why: why.message().to_owned() };
    let lossy = parked.slots.iter().all(|p| p.new.plan().swap.state == Carrying::Copy);
    let way = Way { carries: true, tries: lossy, why: Some(why.clone()), asked: asked.clone() };
    let mut went = go_back(rack, &parked, way);
    // What does badly may not even give its state out: without it the old one goes on with what it had, unless none may be
    // lost.
    if let Err(failed) = &went
        && failed.step == Step::Carry
        && lossy
    {
        let left = format!("; the state of `{}` was left behind: {}", failed.slot, failed.error.message());
        let asked = Asked { why: asked.why + &left, ..asked };
        let why = Some(why.caused_by(&failed.error));
        went = go_back(rack, &parked, Way { carries: false, tries: false, why, asked });
    }
    match went {
        Ok(_) => {}
        // Calls will have ended some time, and what did not stand its trial does not stay for them. They are not told to end: what
        // has to is called no more, and may have to serve until then.
        Err(failed) if failed.error.code() == Code::NotDrained => {
            parked.put_off(rack);
            rack.janitor().park(rack, parked);
        }
        // What serves goes on serving, and nothing is tried again by itself: whoever looks at it decides what may be lost.
        Err(_) => rack.janitor().park(rack, Parked { undecided: true, ..parked }),
    }
}

/// In which way it is gone back.
struct Way {
    /// Whether state that was carried goes back.
    carries: bool,
    /// Whether it is gone back in another way should the state not be had.
    tries: bool,
    /// The trial that was not stood.
    why: Option<Error>,
    asked: Asked,
}

/// Has what is parked serve again.
fn go_back(rack: &Arc<RackCore>, parked: &Parked, way: Way) -> Stepped<Swapped> {
    let member = |p: &ParkedSlot| Member::back(p.old.clone(), p.new.clone(), way.carries && p.carried);
    let members = parked.slots.iter().map(member).collect();
    let mut transaction = Transaction::new(rack, members, false, way.asked.clone(), None);
    let (switch, version) = match transaction.until_switch() {
        Ok(done) => done,
        Err(failed) if failed.step == Step::Carry && way.tries => return Err(transaction.put_back(failed)),
        Err(failed) => return Err(transaction.undo(with_way_out(failed))),
    };
    parked.slots.iter().for_each(|p| p.old.came_back());
    let slots: Vec<_> = transaction.members.iter().filter_map(Member::served).collect();
    let Way { why, asked, .. } = way;
    rack.observer().tell(&Event::RolledBack { slots: slots.clone(), why, asked });
    let news: Vec<_> = parked.slots.iter().map(|p| p.new.clone()).collect();
    let drain = transaction.drain();
    leave(rack, transaction.gone_from(version), news, drain);
    Ok(Swapped { slots, switch, before: Before::Draining, stopped: Vec::new() })
}

/// The failure, with how to go back all the same where it is the state that cannot.
fn with_way_out(failed: SwapFailed) -> SwapFailed {
    // What is said of state that is refused or too large is how to have it taken.
    if failed.step != Step::Carry || matches!(failed.error.code(), Code::StateRefused | Code::StateTooLarge) {
        return failed;
    }
    SwapFailed { error: failed.error.hint(error::BACK_WITHOUT), ..failed }
}

/// How a module of what is parked does worse than it may, if one does.
pub(super) fn failed_trial(parked: &Parked) -> Option<Error> {
    parked.slots.iter().find_map(|p| {
        let trial = &p.new.plan().swap.trial;
        let (old, now) = (p.old.generation()?, p.new.generation()?.figures()?);
        if now.count < trial.min_calls.max(1) {
            return None;
        }
        // Where nobody counted the old one's calls, it is known of it at most that none failed.
        let before = old.figures();
        let failed = before.map(|before| share(&before)).or_else(|| (!old.has_failed()).then_some(0.0));
        let too_many = trial.errors.zip(failed).filter(|(more, failed)| share(&now) > failed + more);
        let timed = before.filter(|before| before.count > 0);
        let slower = trial
            .slower
            .zip(timed)
            .filter(|(times, before)| now.mean().as_secs_f64() > before.mean().as_secs_f64() * times);
        let why = match (too_many, slower) {
            (Some((_, failed)), _) => error::trial_errors(share(&now), failed),
            (_, Some((_, before))) => error::trial_slower(now.mean(), before.mean()),
            _ => return None,
        };
        Some(why.slot(p.old.slot().name()))
    })
}

/// The share of calls that failed.
fn share(figures: &Figures) -> f64 {
    if figures.count == 0 { 0.0 } else { figures.errors as f64 / figures.count as f64 }
}
