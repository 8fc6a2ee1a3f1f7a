//! What the server of a rack does for the command, where one serves: calls, attributes, and whatever else is asked of it.
//!
//! What it answers is printed as if it had been done here. Nothing here starts a module, and nothing becomes Python.

use std::collections::HashMap;

use hyper::Method;
use modrack_core::{Code, Error, SlotName};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::args;
use crate::client::{self, Client, escaped};
use crate::json;
use crate::output::{Level, Outcome};
use crate::reading::Words;
use crate::report::near;
use crate::session::{Found, Session};
use crate::verb::call::print_each;

/// The server of the rack, if one serves and the command may ask it.
pub(crate) fn server(found: &Found, session: &Session) -> Option<Client> {
    if session.is_local() {
        return None;
    }
    let (folder, rack) = session.state_of(found)?;
    match Client::find(&folder, rack.as_deref()) {
        client::Found::Served(client) => {
            let fields =
                [("pid", client.presence["pid"].clone()), ("address", client.presence["address"].clone())];
            session.output.event(Level::Info, "served", &fields);
            Some(client)
        }
        client::Found::Not => None,
        client::Found::Silent(why) => {
            // A number of a fresh module would pass for that of the one which served.
            session
                .output
                .say(&format!("The rack's server does not answer, and nothing is asked of it: {why}\n"));
            None
        }
        client::Found::Other(rack) => {
            session.output.event(
                Level::Info,
                "not served",
                &[("because", format!("its server has another rack: `{rack}`").into())],
            );
            None
        }
    }
}

/// The server of the rack that must be served.
///
/// # Errors
/// [`Code::NotServed`], or what is wrong with the rack.
pub(crate) fn server_there(session: &Session) -> modrack_core::Result<Client> {
    let found = session.plan();
    if let Some(client) = server(&found, session) {
        return Ok(client);
    }
    let plan = session.there(found)?;
    let rack =
        plan.file.map_or_else(|| plan.root.display().to_string(), |file| near(&file).display().to_string());
    let hint = match session.is_local() {
        true => "Leave `--local` out: this is asked of a server",
        false => "Serve it with `modrack serve`",
    };
    Err(Error::new(Code::NotServed, format!("Nothing serves the rack `{rack}`")).hint(hint))
}

/// Asks the server, and gives the JSON that it answers.
///
/// # Errors
/// As [`Client::ask`].
pub(crate) fn ask(
    client: Client,
    method: &Method,
    path: &str,
    body: Option<&Json>,
    session: &Session,
) -> Result<Json, client::Refused> {
    let interrupt = session.watch_there();
    let text = client.ask(method, path, body, &interrupt.cancel())?;
    serde_json::from_str(&text).map_err(|why| not_understood(&why).into())
}

/// Has the server make the call; none where nothing serves, or the rack has no such slot.
pub(crate) fn call(what: &args::Call, found: &Found, session: &mut Session) -> Option<Outcome> {
    let client = server_of(&what.slot, found, session)?;
    let path = format!("/v1/slots/{}/call/{}", escaped(&what.slot), escaped(&what.function));
    let interrupt = session.watch_there();
    let cancel = interrupt.cancel();
    let body = Words::of(&what.args, &cancel).to_json();
    let answer = client.ask(&Method::POST, &path, Some(&body), &cancel);
    let done = printed(answer, "result", session);
    drop(interrupt);
    if what.stats
        && let Some(client) = server(found, session)
        && let Ok(stats) = ask(client, &Method::GET, "/v1/stats", None, session)
    {
        session.output.figures(&crate::figures::table(&stats, session.output.paint));
    }
    Some(done)
}

/// Has the server read the attribute; none where nothing serves, or the rack has no such slot.
pub(crate) fn get(what: &args::Get, found: &Found, session: &mut Session) -> Option<Outcome> {
    let client = server_of(&what.slot, found, session)?;
    let path = format!("/v1/slots/{}/attribute/{}", escaped(&what.slot), escaped(&what.name));
    let interrupt = session.watch_there();
    let answer = client.ask(&Method::GET, &path, None, &interrupt.cancel());
    Some(printed(answer, "value", session))
}

/// The server of the rack, where the slot is one of the rack's: a `use` text is nothing that it serves. With values set for this once it
/// is another rack than the one that is served.
fn server_of(slot: &str, found: &Found, session: &Session) -> Option<Client> {
    let name = SlotName::parse(slot).ok()?;
    let is_declared = match found {
        Ok(plan) => plan.as_ref()?.slots.contains_key(&name),
        // What is served was read before the rack was broken.
        Err(_) => true,
    };
    if is_declared && !session.sets_values() { server(found, session) } else { None }
}

/// Prints what stands under `key` of an answer: as it stands there, so that no number of it is read and written anew.
fn printed(answer: Result<String, client::Refused>, key: &str, session: &mut Session) -> Outcome {
    let text = answer.map_err(|refused| refused.error)?;
    let parts: HashMap<String, Box<RawValue>> =
        serde_json::from_str(&text).map_err(|why| not_understood(&why))?;
    let Some(value) = parts.get(key).map(|value| value.get()) else {
        return Err(
            Error::new(Code::ServerGone, format!("The server of the rack answered without `{key}`")).into()
        );
    };
    if parts.get("yielded").is_some_and(|yielded| yielded.get() == "true") {
        let items: Vec<Box<RawValue>> = serde_json::from_str(value).map_err(|why| not_understood(&why))?;
        return print_each(items.iter().map(|item| Ok(item.get().to_owned())), session);
    }
    let text = value.to_owned();
    let text = if session.output.data_is_terminal { json::indented(text) } else { text };
    session.output.print(&(text + "\n"))?;
    Ok(0)
}

fn not_understood(why: &serde_json::Error) -> Error {
    Error::new(Code::ServerGone, format!("The answer of the rack's server cannot be understood: {why}"))
        .hint("It may be another version of modrack: `modrack version` shows which this is")
}
