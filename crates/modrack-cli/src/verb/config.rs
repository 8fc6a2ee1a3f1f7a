//! `modrack config`: the configurations that served.

use hyper::Method;
use modrack::live::Reader;
use modrack_core::{Code, Error};
use serde_json::Value as Json;

use crate::args::Config;
use crate::client::escaped;
use crate::output::Outcome;
use crate::session::{Session, state};
use crate::{live_json, live_words, there};

/// Lists the configurations, or prints one.
pub(crate) fn run(what: &Config, session: &mut Session) -> Outcome {
    let found = session.plan();
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
    let plan = session.there(found)?;
    let reader = state(&plan).map(|folder| Reader::open(&folder)).transpose()?.flatten();
    match what {
        Config::List => {
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
