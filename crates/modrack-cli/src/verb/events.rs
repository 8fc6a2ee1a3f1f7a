//! `modrack events`: what happens in the rack that is being served, as it happens.

use std::ops::ControlFlow;

use modrack_core::Code;
use serde_json::Value as Json;

use crate::args::Events;
use crate::client::{Heard, Told, escaped};
use crate::live_words;
use crate::output::{Failure, Level, Outcome};
use crate::session::Session;
use crate::there;

/// Prints events until there are no more, or the reader has seen enough.
pub(crate) fn run(what: &Events, session: &mut Session) -> Outcome {
    let client = there::server_there(session)?;
    let interrupt = session.watch_there();
    let pattern = Json::from(what.pattern.as_str());
    let path = format!("/v1/events?pattern={}", escaped(&what.pattern));
    let data = session.output.data();
    let is_enough = || data.reader_left();
    let heard = client.listen(&path, &interrupt.cancel(), is_enough, |heard| -> Result<_, Failure> {
        match heard {
            Heard::Begun => session.output.event(Level::Info, "listening", &[("pattern", pattern.clone())]),
            Heard::Told(told) => {
                let line = line(&told, session);
                session.output.print(&line)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    });
    match heard {
        Ok(()) if data.reader_left() => Err(Failure::ReaderGone),
        Ok(()) => {
            session.output.say("The rack is served no longer\n");
            Ok(0)
        }
        // That is how one stops to listen.
        Err(Failure::Failed(error)) if error.code() == Code::Interrupted => Ok(130),
        Err(failure) => Err(failure),
    }
}

/// An event as one line.
fn line(told: &Told, session: &Session) -> String {
    if session.output.json {
        return format!("{}\n", told.data);
    }
    let event: Json = serde_json::from_str(&told.data).unwrap_or_default();
    live_words::event(&told.name, &event, session.output.data_paint)
}
