//! `modrack get`: one attribute, as JSON.

use modrack_core::{Call, Chain};

use crate::args;
use crate::output::Outcome;
use crate::session::Session;
use crate::verb::call::print;

/// Reads the attribute and prints it.
pub(crate) fn run(what: &args::Get, session: &mut Session) -> Outcome {
    let found = session.plan();
    if let Some(live) = session.host().live
        && let Some(done) = (live.get)(what, &found, session)
    {
        return done;
    }
    let rack = session.open_found(found)?;
    let slot = rack.slot(&session.meant(rack.root(), &what.slot))?;
    session.needs_python(&rack, std::slice::from_ref(&slot), false)?;
    let interrupt = session.watch(&rack);
    let cancel = interrupt.cancel();
    let given_up = Call { cancel: Some(&cancel), ..Call::default() };
    let mut work = || -> Outcome {
        let value = Chain::bounded(&given_up, || slot.attribute(&what.name))?;
        print(&value, &slot, &interrupt, session)
    };
    let done = work().map_err(|failure| interrupt.explain(failure));
    session.close(&rack, done)
}
