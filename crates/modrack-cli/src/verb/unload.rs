//! `modrack unload`: what fills a slot of the rack that is being served is stopped.

use hyper::Method;
use modrack_core::{Error, SlotName};
use serde_json::json;

use crate::args::Unload;
use crate::client::escaped;
use crate::live_words;
use crate::output::Outcome;
use crate::session::{Session, user};
use crate::there;
use crate::verb::change;

/// Has the server stop it.
pub(crate) fn run(what: &Unload, session: &mut Session) -> Outcome {
    let slot = change::slot(&what.slot)?;
    let client = match there::server_there(session) {
        Ok(client) => client,
        Err(why) => return not_served(why, &slot, session),
    };
    let body = json!({ "who": user(), "why": what.why });
    let path = format!("/v1/slots/{}/unload", escaped(slot.as_str()));
    match there::ask(client, &Method::POST, &path, Some(&body), session) {
        Ok(unloaded) if session.output.json => {
            session.output.print_json(&unloaded)?;
            Ok(0)
        }
        Ok(unloaded) => {
            session.output.say(&live_words::unloaded(slot.as_str(), &unloaded));
            Ok(0)
        }
        Err(refused) => change::not_done(refused.into(), session),
    }
}

/// A slot that the rack does not have is none, whether or not it is served.
fn not_served(why: Error, slot: &SlotName, session: &mut Session) -> Outcome {
    match session.rack().map(|rack| change::declared(&rack, slot)) {
        Ok(Err(unknown)) => change::not_done(unknown.into(), session),
        _ => Err(why.into()),
    }
}
