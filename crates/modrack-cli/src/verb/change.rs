//! What the verbs that change a rack have in common, and its server with them: which slots can be changed, acting here where nothing serves,
//! and telling what came of it.
//!
//! Acting here takes the state as its one writer, loads and starts what is to serve, has it answer its probes, remembers it, and
//! stops it again: what is loaded later is that.

use std::collections::BTreeSet;

use modrack::live::{LiveRack, SwapRequest};
use modrack_core::{BackendName, Code, Error, Result, SlotName};
use modrack_runtime::{Asked, Before, ConfigureFailed, Rack, Step, SwapFailed, Swapped};
use serde_json::{Value as Json, json};

use crate::client::Refused;
use crate::output::{Failure, Outcome};
use crate::session::{Found, Session};
use crate::{live_json, live_words, report};

/// Why a change came to nothing.
pub(crate) struct NotDone {
    error: Error,
    slot: Option<String>,
    step: Option<String>,
}

/// Who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The server of the rack.
    Server,
    /// This process, for those that come.
    Command,
    /// This process, for nobody: the rack keeps no state.
    CommandAlone,
}

impl From<Error> for NotDone {
    fn from(error: Error) -> Self {
        Self { error, slot: None, step: None }
    }
}

impl From<SwapFailed> for NotDone {
    fn from(failed: SwapFailed) -> Self {
        Self {
            error: failed.error,
            slot: Some(failed.slot.to_string()),
            step: Some(failed.step.as_str().to_owned()),
        }
    }
}

impl From<ConfigureFailed> for NotDone {
    fn from(failed: ConfigureFailed) -> Self {
        match failed {
            ConfigureFailed::Plan(error) => error.into(),
            ConfigureFailed::Swap(failed) => failed.into(),
        }
    }
}

impl From<Refused> for NotDone {
    fn from(refused: Refused) -> Self {
        let text = |key: &str| refused.document["error"][key].as_str().map(str::to_owned);
        Self { slot: text("slot"), step: text("step"), error: refused.error }
    }
}

/// Swaps what fills slots that the rack declares.
///
/// # Errors
/// As [`declared`] and [`LiveRack::swap`].
pub(crate) fn swap(live: &LiveRack, request: &SwapRequest) -> Result<Swapped, SwapFailed> {
    request.slots.iter().try_for_each(|wanted| declared(live.rack(), &wanted.slot))?;
    live.swap(request)
}

/// Goes back in a slot that the rack declares.
///
/// # Errors
/// As [`declared`] and [`LiveRack::rollback`].
pub(crate) fn roll_back(
    live: &LiveRack,
    slot: &SlotName,
    to: Option<&str>,
    force: bool,
    asked: Asked,
) -> Result<Swapped, SwapFailed> {
    declared(live.rack(), slot)?;
    live.rollback(slot, to, force, asked)
}

/// Stops what fills a slot that the rack declares.
///
/// # Errors
/// As [`declared`] and [`LiveRack::unload`].
pub(crate) fn unload(live: &LiveRack, slot: &SlotName, asked: Asked) -> Result<Before, SwapFailed> {
    declared(live.rack(), slot)?;
    live.unload(slot, asked)
}

/// Holds that the rack declares the slot. A module of the catalog can be called by its name, and has no slot that could be changed.
///
/// # Errors
/// [`Code::UnknownSlot`].
pub(crate) fn declared(rack: &Rack, slot: &SlotName) -> Result<(), SwapFailed> {
    if rack.plan().slots.contains_key(slot) {
        return Ok(());
    }
    let of_the_catalog = || {
        Error::new(Code::UnknownSlot, format!("The rack has no slot `{slot}`"))
            .hint("It is a module of the catalog: a slot with `use` names it")
    };
    let error = match rack.catalog() {
        Ok(catalog) if catalog.has(slot.as_str()) => of_the_catalog(),
        _ => rack.slot(slot.as_str()).err().unwrap_or_else(of_the_catalog),
    };
    Err(SwapFailed { step: Step::Fetch, slot: slot.clone(), error: error.slot(slot) })
}

/// Has `work` change the rack in this process, with the modules of all the backends that `needed` names at hand.
///
/// # Errors
/// What opening the rack and taking its state fails with; a state that another process has.
pub(crate) fn here(
    found: Found,
    session: &mut Session,
    needed: impl FnOnce(&Rack) -> Result<BTreeSet<BackendName>>,
    work: impl FnOnce(&LiveRack) -> Result<Swapped, SwapFailed>,
) -> Outcome {
    let plan = session.there(found)?;
    let settings = session.live_settings(&plan);
    let is_kept = settings.folder.is_some();
    let rack = session.open(plan)?;
    session.needs(&rack, &needed(&rack)?, true)?;
    let (live, warnings) = LiveRack::attach(rack, settings)?;
    warnings.iter().for_each(|warning| session.output.warn(warning));
    let interrupt = session.watch(live.rack());
    let worked = work(&live);
    live.take_warnings().iter().for_each(|warning| session.output.warn(warning));
    let done = match worked {
        Ok(swapped) => {
            let by = if is_kept { By::Command } else { By::CommandAlone };
            done(&live_json::swapped(&swapped), by, session)
        }
        Err(failed) => match interrupt.explain(failed.error.clone().into()) {
            Failure::Failed(error) => not_done(NotDone { error, ..failed.into() }, session),
            gone @ Failure::ReaderGone => Err(gone),
        },
    };
    let closed = session.close(live.rack(), done);
    live.stop();
    closed
}

/// Prints what serves now.
pub(crate) fn done(swapped: &Json, by: By, session: &mut Session) -> Outcome {
    if session.output.json {
        session.output.print_json(swapped)?;
        return Ok(0);
    }
    let text = live_words::swapped(swapped, session.output.data_paint);
    session.output.print(&text)?;
    warn_of_stops(swapped, session);
    session.output.say(&match by {
        By::Server => live_words::before(swapped),
        By::Command => {
            "Nothing serves the rack: `call`, `run` and `serve` begin with it from now on\n".to_owned()
        }
        By::CommandAlone => {
            "The rack keeps no state (`state: memory`): it was tried, and is forgotten\n".to_owned()
        }
    });
    Ok(0)
}

/// Warns of what the shutdowns of replaced modules failed with.
pub(crate) fn warn_of_stops(swapped: &Json, session: &Session) {
    for why in swapped["stopped"].as_array().into_iter().flatten() {
        if let Some(why) = crate::wire::error_of(&json!({ "error": why })) {
            session.output.warn(&why);
        }
    }
}

/// Reports what failed, and at which step of which slot.
pub(crate) fn not_done(not: NotDone, session: &mut Session) -> Outcome {
    let NotDone { error, slot, step } = not;
    let Some(step) = step else { return Err(error.into()) };
    session.output.tell_with_failure(json!({ "slot": slot, "step": step }));
    session.output.report(&error);
    if !session.output.json && !session.output.log_json {
        let slot = slot.map_or_else(String::new, |slot| format!(" of `{slot}`"));
        session.output.say(&format!("Nothing was changed: step `{step}`{slot} failed\n"));
    }
    Ok(report::status(&error))
}

/// The slot that is named; the rack has it, or its server says that it has not.
///
/// # Errors
/// [`modrack_core::Code::BadValue`] for what is no name of a slot.
pub(crate) fn slot(name: &str) -> Result<SlotName> {
    SlotName::parse(name)
}
