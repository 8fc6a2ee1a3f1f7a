//! `modrack stats`: load and call figures of the rack that is being served.

use hyper::Method;

use crate::figures;
use crate::output::Outcome;
use crate::session::Session;
use crate::there;

/// Prints the figures.
pub(crate) fn run(session: &mut Session) -> Outcome {
    let client = there::server_there(session)?;
    let document =
        there::ask(client, &Method::GET, "/v1/stats", None, session).map_err(|refused| refused.error)?;
    if session.output.json {
        session.output.print_json(&document)?;
    } else {
        let text = figures::table(&document, session.output.data_paint);
        session.output.print(&text)?;
    }
    Ok(0)
}
