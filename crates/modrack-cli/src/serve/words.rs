//! What the server says of itself: where it is, what started, and that it stops.
//!
//! With `--json` each of these is a line of JSON on standard output; else they are words, or events, on standard error. The
//! token is never printed, only where it is.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use modrack::live::{SlotStatus, Started};
use modrack::text::Source;
use modrack_core::SlotName;
use modrack_runtime::{ConfigureFailed, Configured, Pattern, Rack, Subscription, Told};
use serde_json::{Value as Json, json};

use crate::live_words;
use crate::output::{Failure, Level};
use crate::report::near;
use crate::serve::app::App;
use crate::serve::events;
use crate::serve::presence::{Presence, TOKEN};
use crate::session::Session;
use crate::style::{counted, span};

/// What is told of what happens, where nobody asked for more.
const CHANGES: &str = "swap.swapped,swap.failed,swap.rolled-back,swap.lingering,module.unloaded,module.mended,module.lost,\
     module.stop-failed,configuration.*,rack.ready,warning";

/// That every slot serves that is to be started, where that was not so at first.
const READY: &str = "rack.ready";

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
        ("rack", json!(file.map(|file| Source::of(file).absolute().file()))),
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
pub(crate) fn started(session: &mut Session, app: &App, started: &[Started]) -> Said {
    let names = |of: &dyn Fn(&Started) -> bool| -> Vec<&str> {
        started.iter().filter(|started| of(started)).map(|started| started.slot.as_str()).collect()
    };
    let serving = names(&|started| started.served.is_some());
    let before = names(&|started| started.served.is_some() && started.why.is_some());
    // Somebody may have called or swapped one in while the others started.
    let still = app.live.readiness().failed;
    let is_still = |slot: &SlotName| still.iter().any(|(failed, _)| failed == slot);
    let failed = names(&|started| started.served.is_none() && is_still(&started.slot));
    let plan = app.rack().plan();
    let lazy: Vec<&str> =
        plan.slots.values().filter(|slot| slot.lazy).map(|slot| slot.name.as_str()).collect();
    // Days later nobody remembers why an edit of the rack's own file changes nothing.
    let slots = app.live.status().map(|status| status.slots).unwrap_or_default();
    let swapped: Vec<&SlotStatus> = slots.iter().filter(|slot| slot.overridden.is_some()).collect();
    let fields = [
        ("started", json!(serving)),
        ("swapped_in", json!(swapped.iter().map(|slot| slot.slot.as_str()).collect::<Vec<_>>())),
        ("as_before", json!(before)),
        ("lazy", json!(lazy)),
        ("failed", json!(failed)),
    ];
    let paint = session.output.paint;
    let mut parts = vec![format!("{} started", serving.len())];
    if !before.is_empty() {
        let text = format!("{} of them as they were known to be good: {}", before.len(), before.join(", "));
        parts.push(paint.warning(&text));
    }
    if !lazy.is_empty() {
        parts.push(format!("{} lazy", lazy.len()));
    }
    if !failed.is_empty() {
        parts.push(paint.error(&format!("{} failed: {}", failed.len(), failed.join(", "))));
    }
    let end =
        if failed.is_empty() { paint.good("Ready") } else { "Not ready: `/readyz` says why".to_owned() };
    let mut text = format!("  {} {}\n", paint.faint("slots  "), parts.join(", "));
    if !swapped.is_empty() {
        let each: Vec<_> = swapped.iter().map(|slot| format!("{} ({})", slot.slot, slot.use_text)).collect();
        let each = each.join(", ");
        text +=
            &format!("  {} {each}, swapped in before; `--from-config` forgets it\n", paint.faint("serving"));
    }
    text += &end;
    text.push('\n');
    say(session, if failed.is_empty() { "ready" } else { "not-ready" }, &fields, &text)
}

/// How many lines wait for standard error to be read before some are left out.
const WAITING: usize = 1024;
/// How long the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What changes is told until this is dropped.
pub(crate) struct Telling {
    subscription: Option<Subscription>,
    /// Closed once the last line is written.
    written: mpsc::Receiver<()>,
}

impl Drop for Telling {
    fn drop(&mut self) {
        drop(self.subscription.take());
        let _ = self.written.recv_timeout(LAST_LINES);
    }
}

/// Tells what changes from now on, until what this gives is dropped.
///
/// On a thread of its own: the one that tells events tells them to the slots, too, which wait for no reader of standard error.
pub(crate) fn tell_events(session: &Session, rack: &Rack) -> Option<Telling> {
    let output = &session.output;
    if output.level == Level::Quiet {
        return None;
    }
    let pattern = if output.level >= Level::Info { "*" } else { CHANGES };
    let pattern = Pattern::parse(pattern).ok()?;
    let (is_log, is_json, paint) = (output.log_json, output.json, output.paint);
    let data = output.data.clone();
    let (tells, told) = mpsc::sync_channel::<Arc<Told>>(WAITING);
    let (ends, written) = mpsc::channel();
    let lost = Arc::new(AtomicU64::new(0));
    let counts = lost.clone();
    let line = move |told: &Arc<Told>| {
        let document = events::document(told);
        match told.name {
            _ if is_log => format!("{document}\n"),
            // As it is said where all slots start at once.
            READY if is_json => {
                // Who closed standard output does not read it.
                let _ = data.clone().write_all(format!("{}\n", json!({ "event": "ready" })).as_bytes());
                String::new()
            }
            READY => format!("{}\n", paint.good("Ready")),
            name => live_words::event(name, &document, paint) + &live_words::details(&document, paint),
        }
    };
    let write = move || {
        write_each(&told, &lost, line, &mut io::stderr());
        drop(ends);
    };
    thread::Builder::new().name("modrack-words".to_owned()).spawn(write).ok()?;
    let hear = move |told: &Arc<Told>| {
        if tells.try_send(told.clone()).is_err() {
            counts.fetch_add(1, Ordering::Relaxed);
        }
    };
    Some(Telling { subscription: Some(rack.subscribe(&pattern, hear)), written })
}

/// Writes a line for each thing that is told, and says how many were left out.
fn write_each<T>(
    told: &mpsc::Receiver<T>,
    lost: &AtomicU64,
    line: impl Fn(&T) -> String,
    to: &mut impl io::Write,
) {
    for told in told {
        let mut text = String::new();
        let left_out = lost.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            text = format!("warning: {} left out: nobody read them in time\n", counted(left_out, "event"));
        }
        text.push_str(&line(&told));
        // Who closed standard error does not read it.
        let _ = to.write_all(text.as_bytes());
    }
}

/// Says that there was nothing to read again; what was done, or failed, is told as an event.
pub(crate) fn of_reload(
    session: &Session,
) -> impl FnOnce(Result<Configured, ConfigureFailed>) + Send + use<> {
    let is_quiet = session.output.level == Level::Quiet;
    move |done| {
        let is_nothing = |done: &Configured| {
            done.swapped.slots.is_empty()
                && done.added.is_empty()
                && done.changed.is_empty()
                && done.removed.is_empty()
        };
        if !is_quiet && done.is_ok_and(|done| is_nothing(&done)) {
            // Who closed standard error does not read it.
            let _ = io::stderr().lock().write_all(b"What the rack means has not changed\n");
        }
    }
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

/// The modules did not stop in time.
pub(crate) fn not_stopped(session: &Session, within: Duration) {
    let text = format!(
        "warning: The modules did not stop within {} seconds, and go with the process
",
        within.as_secs()
    );
    session.output.say(&text);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_read_hears_how_much_was_left_out() {
        let (tells, told) = mpsc::sync_channel(2);
        let lost = AtomicU64::new(0);
        for number in 0..5 {
            if tells.try_send(number).is_err() {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        drop(tells);
        let mut written = Vec::new();
        write_each(&told, &lost, |number| format!("{number}\n"), &mut written);
        let wanted = "warning: 3 events left out: nobody read them in time\n0\n1\n";
        assert_eq!(String::from_utf8(written).unwrap(), wanted);
    }
}
