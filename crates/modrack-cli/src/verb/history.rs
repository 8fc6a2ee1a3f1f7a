//! `modrack history`: what was done to the rack, the newest first.

use hyper::Method;
use modrack::live::Reader;
use modrack_core::SlotName;
use serde_json::Value as Json;

use crate::args::History;
use crate::client::escaped;
use crate::output::Outcome;
use crate::session::{Found, Session, own_state};
use crate::{live_json, live_words, there};

/// Prints the entries of the history.
pub(crate) fn run(what: &History, session: &mut Session) -> Outcome {
    let found = session.plan();
    let document = match there::server(&found, session) {
        Some(client) => {
            let slot = what.slot.as_ref().map_or_else(String::new, |slot| format!("&slot={}", escaped(slot)));
            let path = format!("/v1/history?most={}{slot}", what.most);
            there::ask(client, &Method::GET, &path, None, session).map_err(|refused| refused.error)?
        }
        None => here(what, found, session)?,
    };
    if session.output.json {
        session.output.print_json(&document)?;
        return Ok(0);
    }
    let text = live_words::history(&document, session.output.data_paint);
    session.output.print(&text)?;
    if text.is_empty() {
        session.output.say(match what.slot.is_some() {
            true => "Nothing is remembered of this slot\n",
            false => "Nothing is remembered yet\n",
        });
    }
    Ok(0)
}

fn here(what: &History, found: Found, session: &Session) -> modrack_core::Result<Json> {
    let plan = session.there(found)?;
    let slot = what.slot.as_deref().map(SlotName::parse).transpose()?;
    let reader = own_state(&plan).map(|folder| Reader::open(&folder)).transpose()?.flatten();
    let entries = match reader {
        Some(reader) => reader.history(slot.as_ref(), what.most)?,
        None => Vec::new(),
    };
    Ok(live_json::history(&entries))
}
