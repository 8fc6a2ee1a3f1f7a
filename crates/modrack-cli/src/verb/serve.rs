//! `modrack serve`: the rack behind HTTP, until a signal stops it.

use crate::args;
use crate::output::Outcome;
use crate::serve;
use crate::session::Session;

/// Serves the rack.
pub(crate) fn run(what: &args::Serve, session: &mut Session) -> Outcome {
    serve::run(what, session)
}
