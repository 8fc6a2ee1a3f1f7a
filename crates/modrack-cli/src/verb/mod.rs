//! The verbs, one page each. A verb takes its arguments and a session, prints, and comes to an exit status.

pub(crate) mod call;
pub(crate) mod change;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod events;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod new;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod swap;
pub(crate) mod unload;
pub(crate) mod version;

use crate::args::Verb;
use crate::output::Outcome;
use crate::session::Session;

/// Runs a verb that goes with a rack's state; other verbs do nothing here.
///
/// It is reached through [`crate::host::Live`] alone, so that a build without that links none of it.
pub(crate) fn live(verb: &Verb, session: &mut Session) -> Outcome {
    match verb {
        Verb::Swap(what) => swap::run(what, session),
        Verb::Rollback(what) => rollback::run(what, session),
        Verb::Unload(what) => unload::run(what, session),
        Verb::Status => status::run(session),
        Verb::Stats => stats::run(session),
        Verb::Events(what) => events::run(what, session),
        Verb::History(what) => history::run(what, session),
        Verb::Config(what) => config::run(what, session),
        Verb::Serve(what) => serve::run(what, session),
        _ => Ok(0),
    }
}
