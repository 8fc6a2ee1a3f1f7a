//! What the server says of itself: where it is, what started, and that it stops.
//!
//! With `--json` each of these is a line of JSON on standard output; else they are words, or events, on standard error. The
//! token is never printed, only where it is.

use std::net::SocketAddr;
use std::time::Duration;

use modrack_runtime::Rack;
use serde_json::{Value as Json, json};

use crate::output::{Failure, Level};
use crate::report::near;
use crate::serve::app::App;
use crate::serve::presence::{Presence, TOKEN};
use crate::session::Session;
use crate::style::{counted, span};

type Said = Result<(), Failure>;

/// It listens.
pub(crate) fn listening(
    session: &mut Session,
    rack: &Rack,
    address: SocketAddr,
    presence: Option<&Presence>,
) -> Said {
    let plan = rack.plan();
    let file = plan.file.as_deref();
    let socket = presence.map(|presence| presence.socket().display().to_string());
    let token = presence.map(|presence| presence.folder.join(TOKEN).display().to_string());
    let fields = [
        ("address", Json::from(format!("http://{address}"))),
        ("rack", json!(file.map(|file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned())))),
        ("pid", std::process::id().into()),
        ("socket", json!(socket)),
        ("token", json!(token)),
    ];
    let name = file.map_or_else(|| "the rack".to_owned(), |file| near(file).display().to_string());
    let paint = session.output.paint;
    let mut text =
        format!("{} {name} at {}\n", paint.good("Serving"), paint.strong(&format!("http://{address}")));
    match presence {
        Some(presence) => {
            let files = [("socket", presence.socket()), ("token", presence.folder.join(TOKEN))];
            for (what, path) in files {
                text.push_str(&format!(
                    "  {} {}\n",
                    paint.faint(&format!("{what:<7}")),
                    near(&path).display()
                ));
            }
        }
        None => text.push_str("  The rack has no state folder, so that nothing but a signal changes it\n"),
    }
    say(session, "listening", &fields, &text)
}

/// Every slot that is not lazy has started, or has failed to.
pub(crate) fn started(session: &mut Session, app: &App) -> Said {
    let missing = app.readiness.missing();
    let plan = app.rack.plan();
    let names = |lazy: bool| plan.slots.values().filter(move |slot| slot.lazy == lazy);
    let failed = |name: &str| missing.iter().any(|(slot, _)| slot.as_str() == name);
    let started: Vec<&str> =
        names(false).map(|slot| slot.name.as_str()).filter(|name| !failed(name)).collect();
    let lazy: Vec<&str> = names(true).map(|slot| slot.name.as_str()).collect();
    let failed: Vec<&str> = missing.iter().map(|(slot, _)| slot.as_str()).collect();
    let fields = [("started", json!(started)), ("lazy", json!(lazy)), ("failed", json!(failed))];
    let paint = session.output.paint;
    let mut text = format!("  {} {}\n", paint.faint("slots  "), {
        let mut parts = vec![format!("{} started", started.len())];
        if !lazy.is_empty() {
            parts.push(format!("{} lazy", lazy.len()));
        }
        if !failed.is_empty() {
            parts.push(paint.error(&format!("{} failed: {}", failed.len(), failed.join(", "))));
        }
        parts.join(", ")
    });
    text.push_str(if failed.is_empty() { "Ready\n" } else { "Not ready: `/readyz` says why\n" });
    say(session, if failed.is_empty() { "ready" } else { "not-ready" }, &fields, &text)
}

/// It stops.
pub(crate) fn stopping(session: &mut Session, under_way: usize, grace: Duration) -> Said {
    let fields = [("under_way", Json::from(under_way))];
    let text = match under_way as u64 {
        0 => "Stopping\n".to_owned(),
        some => format!(
            "Stopping; {} under way may take {} more. Another signal leaves at once\n",
            counted(some, "request"),
            span(grace)
        ),
    };
    say(session, "stopping", &fields, &text)
}

/// The time for calls to end by themselves is over.
pub(crate) fn given_up(session: &mut Session, left: usize) {
    if left > 0 {
        let text = format!(
            "warning: {} could not be ended, and goes with the process\n",
            counted(left as u64, "call")
        );
        session.output.say(&text);
    }
}

/// It has stopped.
pub(crate) fn stopped(session: &mut Session) -> Said {
    say(session, "stopped", &[], "Stopped\n")
}

fn say(session: &mut Session, event: &str, fields: &[(&str, Json)], text: &str) -> Said {
    let output = &mut session.output;
    if output.json {
        let mut line = serde_json::Map::from_iter([("event".to_owned(), Json::from(event))]);
        line.extend(fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        output.print(&format!("{}\n", Json::Object(line)))?;
    } else if output.log_json {
        output.event(Level::Normal, event, fields);
    } else {
        output.say(text);
    }
    Ok(())
}
