//! `modrack config`: the configurations that served.

use modrack::live::{Configuration, Reader};
use modrack_core::{Code, Error};

use crate::args::Config;
use crate::output::Outcome;
use crate::session::{Session, state};
use crate::{live_json, live_words};

/// Lists the configurations, or prints one.
pub(crate) fn run(what: &Config, session: &mut Session) -> Outcome {
    let plan = session.plan_there()?;
    let reader = state(&plan).map(|folder| Reader::open(&folder)).transpose()?.flatten();
    match what {
        Config::List => {
            let all = reader.map_or_else(|| Ok(Vec::new()), |reader| reader.configurations())?;
            list(&all, session)
        }
        Config::Show { hash } => {
            let one = match (&reader, hash) {
                (Some(reader), Some(hash)) => reader.configuration(hash)?,
                (Some(reader), None) => reader.configurations()?.into_iter().next().ok_or_else(none)?,
                (None, _) => return Err(none().into()),
            };
            show(&one, session)
        }
    }
}

fn list(all: &[Configuration], session: &mut Session) -> Outcome {
    let document = live_json::configurations(all);
    if session.output.json {
        session.output.print_json(&document)?;
        return Ok(0);
    }
    let text = live_words::configurations(&document, session.output.data_paint);
    session.output.print(&text)?;
    if text.is_empty() {
        session.output.say("No configuration served yet\n");
    }
    Ok(0)
}

fn show(one: &Configuration, session: &mut Session) -> Outcome {
    let document = live_json::configuration(one);
    if session.output.json {
        session.output.print_json(&document)?;
    } else {
        session.output.print(&one.text)?;
    }
    Ok(0)
}

fn none() -> Error {
    Error::new(Code::UnknownEntry, "No configuration served yet")
        .hint("`modrack serve` keeps each configuration that it serves")
}
