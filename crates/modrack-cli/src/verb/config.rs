//! `modrack config`: the configurations that served, going back to one, and putting another in their place.

use std::path::{Path, PathBuf};

use hyper::Method;
use modrack::live::{LiveRack, Reader};
use modrack::text::{self, Source};
use modrack_core::plan::RackText;
use modrack_core::{Code, Error};
use modrack_runtime::Asked;
use serde_json::{Value as Json, json};

use crate::args::Config;
use crate::client::escaped;
use crate::output::Outcome;
use crate::session::{Found, Session, own_state, user};
use crate::verb::change;
use crate::{live_json, live_words, there};

/// Lists the configurations, prints one, goes back to one, or takes that of a file.
pub(crate) fn run(what: &Config, session: &mut Session) -> Outcome {
    let found = session.plan();
    if let Config::Restore { hash, why } = what {
        return restore(hash, Asked { who: user(), why: why.clone() }, found, session);
    }
    if let Config::Put { file, why } = what {
        return put(file, Asked { who: user(), why: why.clone() }, found, session);
    }
    let ask = |path: &str, session: &Session| {
        let client = there::server(&found, session)?;
        Some(there::ask(client, &Method::GET, path, None, session).map_err(|refused| refused.error))
    };
    if let Some(all) = ask("/v1/configurations", session).transpose()? {
        let Config::Show { hash } = what else { return print_list(&all, session) };
        // The one that serves is the last that began to.
        let hash = hash.as_deref().or_else(|| all["configurations"][0]["hash"].as_str()).ok_or_else(none)?;
        let one = ask(&format!("/v1/configurations/{}", escaped(hash)), session).ok_or_else(none)??;
        return print_one(&one, session);
    }
    let folder = match session.state_of(&found) {
        // What served is known, whatever stands in the rack now.
        Some((folder, _)) => Some(folder),
        None => own_state(&session.there(found)?),
    };
    let reader = folder.map(|folder| Reader::open(&folder)).transpose()?.flatten();
    match what {
        Config::Restore { .. } | Config::Put { .. } | Config::List => {
            let all = reader.map_or_else(|| Ok(Vec::new()), |reader| reader.configurations())?;
            print_list(&live_json::configurations(&all), session)
        }
        Config::Show { hash } => {
            let one = match (&reader, hash) {
                (Some(reader), Some(hash)) => reader.configuration(hash)?,
                (Some(reader), None) => reader.configurations()?.into_iter().next().ok_or_else(none)?,
                (None, _) => return Err(none().into()),
            };
            print_one(&live_json::configuration(&one), session)
        }
    }
}

/// Has a text that served be the rack's again: by the server, or here.
fn restore(hash: &str, asked: Asked, found: Found, session: &mut Session) -> Outcome {
    if let Some(client) = there::server(&found, session) {
        let path = format!("/v1/configurations/{}/restore", escaped(hash));
        let body = json!({ "who": asked.who, "why": asked.why });
        return match there::ask(client, &Method::POST, &path, Some(&body), session) {
            Ok(configured) => restored(&configured, true, session),
            Err(refused) => change::not_done(refused.into(), session),
        };
    }
    if found.is_err()
        && let Some((folder, Some(file))) = session.state_of(&found)
    {
        return restore_over(hash, &folder, file, session);
    }
    let plan = session.there(found)?;
    let settings = session.live_settings(&plan);
    // Nothing is loaded, so that no module is started for it.
    let (live, warnings) = LiveRack::attach(session.open_as_written(plan)?, settings)?;
    warnings.iter().for_each(|warning| session.output.warn(warning));
    let done = live.restore_configuration(hash, asked).map(|done| live_json::configured(&done));
    live.take_warnings().iter().for_each(|warning| session.output.warn(warning));
    live.stop();
    match done {
        Ok(configured) => restored(&configured, false, session),
        Err(failed) => change::not_done(failed.into(), session),
    }
}

/// Writes a text that served over one that cannot be understood, so that nobody can say how they differ.
fn restore_over(hash: &str, folder: &Path, file: PathBuf, session: &mut Session) -> Outcome {
    let kept = Reader::open(folder)?.ok_or_else(none)?.configuration(hash)?;
    let source = Source::of(&file);
    let read = source.read()?;
    let text = RackText { bytes: kept.text.clone().into_bytes(), ..read.clone() };
    text::parse(&text, &session.live_settings(&session.no_rack()).set)?;
    source.write(kept.text.as_bytes(), &read.bytes)?.finish()?;
    restored(&nothing(), false, session)
}

/// Has the text of a file be the rack's. What its server does not put in force gives way to the text that was there.
fn put(file: &Path, asked: Asked, found: Found, session: &mut Session) -> Outcome {
    let text = text::read(file)?;
    let source = session.source()?.ok_or_else(|| {
        Error::new(Code::NoRack, "There is no rack here whose text could be another")
            .hint("Name the row of a database with `-r sqlite:PATH#NAME`")
    })?;
    let before = source.read().ok();
    source.put(&text)?;
    let Some(client) = there::server(&found, session) else {
        return told(&nothing(), "Nothing serves the rack: its text is that of the file\n", session);
    };
    let body = json!({ "who": asked.who, "why": asked.why });
    match there::ask(client, &Method::POST, "/v1/reload", Some(&body), session) {
        Ok(configured) => {
            told(&configured, "The rack's text is that of the file; it means what is in force\n", session)
        }
        Err(refused) => {
            if let Some(before) = before {
                source.put(&before)?;
            }
            change::not_done(refused.into(), session)
        }
    }
}

/// What came of a text of which nothing was put in force.
fn nothing() -> Json {
    json!({
        "slots": [], "before": "nothing", "switch_seconds": 0.0, "stopped": [], "added": [], "changed": [], "removed": [],
    })
}

/// Prints what came of a text that is the rack's again.
fn restored(configured: &Json, by_server: bool, session: &mut Session) -> Outcome {
    if by_server {
        told(configured, "The rack's text is that one again; it means what is in force\n", session)
    } else {
        told(configured, "Nothing serves the rack: its text is that one again\n", session)
    }
}

/// Prints what came of another text, or that nothing did.
fn told(configured: &Json, of_nothing: &str, session: &mut Session) -> Outcome {
    if session.output.json {
        session.output.print_json(configured)?;
        return Ok(0);
    }
    let text = live_words::configured(configured, session.output.data_paint);
    session.output.print(&text)?;
    change::warn_of_stops(configured, session);
    if text.is_empty() {
        session.output.say(of_nothing);
    }
    Ok(0)
}

fn print_list(document: &Json, session: &mut Session) -> Outcome {
    if session.output.json {
        session.output.print_json(document)?;
        return Ok(0);
    }
    let text = live_words::configurations(document, session.output.data_paint);
    session.output.print(&text)?;
    if text.is_empty() {
        session.output.say("No configuration served yet\n");
    }
    Ok(0)
}

fn print_one(document: &Json, session: &mut Session) -> Outcome {
    if session.output.json {
        session.output.print_json(document)?;
    } else {
        session.output.print(document["text"].as_str().unwrap_or_default())?;
    }
    Ok(0)
}

fn none() -> Error {
    Error::new(Code::UnknownEntry, "No configuration served yet")
        .hint("`modrack serve` keeps each configuration that it serves")
}
