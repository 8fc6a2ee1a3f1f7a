//! `modrack status`: what serves in each slot, and how that differs from what the rack says.

use hyper::Method;
use modrack::live;
use serde_json::Value as Json;

use crate::output::Outcome;
use crate::session::{Found, Session};
use crate::{live_json, live_words, there};

/// Prints how the rack stands.
pub(crate) fn run(session: &mut Session) -> Outcome {
    let found = session.plan();
    let document = match there::server(&found, session) {
        Some(client) => {
            let presence = client.presence.clone();
            let mut document = there::ask(client, &Method::GET, "/v1/status", None, session)
                .map_err(|refused| refused.error)?;
            document["served"] = presence;
            document
        }
        None => here(found, session)?,
    };
    if session.output.json {
        session.output.print_json(&document)?;
        return Ok(0);
    }
    let text = live_words::status(&document, session.output.data_paint);
    session.output.print(&text)?;
    session.output.say(&live_words::served(&document));
    Ok(0)
}

/// Of a rack that nobody serves: what its slots would be filled with.
fn here(found: Found, session: &Session) -> modrack_core::Result<Json> {
    let plan = session.there(found)?;
    let settings = session.live_settings(&plan);
    let rack = session.open(plan)?;
    let mut document = live_json::status(&live::status_of(&rack, &settings)?);
    document["served"] = Json::Null;
    Ok(document)
}
