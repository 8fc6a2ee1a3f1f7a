//! `modrack history`: what was done to the rack, the newest first.

use modrack_core::SlotName;
use modrack_state::Reader;
use serde_json::Value as Json;

use crate::args::History;
use crate::output::Outcome;
use crate::session::{Session, state};
use crate::{live_json, live_words};

/// Prints the entries of the history.
pub(crate) fn run(what: &History, session: &mut Session) -> Outcome {
    let document = here(what, session)?;
    if session.output.json {
        session.output.print_json(&document)?;
        return Ok(0);
    }
    let text = live_words::history(&document, session.output.data_paint);
    session.output.print(&text)?;
    if text.is_empty() {
        session.output.say("Nothing is remembered yet\n");
    }
    Ok(0)
}

fn here(what: &History, session: &Session) -> modrack_core::Result<Json> {
    let plan = session.plan_there()?;
    let slot = what.slot.as_deref().map(SlotName::parse).transpose()?;
    let reader = state(&plan).map(|folder| Reader::open(&folder)).transpose()?.flatten();
    let entries = match reader {
        Some(reader) => reader.history(slot.as_ref(), what.most)?,
        None => Vec::new(),
    };
    Ok(live_json::history(&entries))
}
