//! `modrack rollback`: what filled a slot before fills it again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hyper::Method;
use modrack::live::{LiveRack, Reader};
use modrack_core::{BackendName, Code, Result, SlotName, Use};
use modrack_runtime::{Asked, Rack};
use serde_json::json;

use crate::args::Rollback;
use crate::client::escaped;
use crate::output::Outcome;
use crate::session::{Session, own_state, user};
use crate::there;
use crate::verb::change;
use crate::verb::list::backend_by_text;

/// Goes back: by the server, or here.
pub(crate) fn run(what: &Rollback, session: &mut Session) -> Outcome {
    let found = session.plan();
    let slot = change::slot(&what.slot)?;
    let asked = Asked { who: user(), why: what.why.clone() };
    if let Some(client) = there::server(&found, session) {
        let body = json!({ "to": what.hash, "force": what.force, "who": asked.who, "why": asked.why });
        let path = format!("/v1/slots/{}/rollback", escaped(slot.as_str()));
        return match there::ask(client, &Method::POST, &path, Some(&body), session) {
            Ok(swapped) => change::done(&swapped, change::By::Server, session),
            Err(refused) => change::not_done(refused.into(), session),
        };
    }
    let to = what.hash.as_deref();
    let back = |live: &LiveRack| change::roll_back(live, &slot, to, what.force, asked);
    change::here(found, session, |rack| needed(rack, &slot, to), back)
}

/// The backends of what fills the slot, and of what is kept that did.
fn needed(rack: &Rack, slot: &SlotName, to: Option<&str>) -> Result<BTreeSet<BackendName>> {
    let slots = rack.slot(slot.as_str()).map(|slot| vec![slot]).unwrap_or_default();
    let mut needed = rack.backends_needed(&slots).unwrap_or_default();
    let read = |folder: PathBuf| {
        Reader::open(&folder)?.map_or_else(|| Ok(Vec::new()), |reader| reader.history(Some(slot), usize::MAX))
    };
    let history = match own_state(&rack.plan()).map(read).transpose() {
        // Who takes the state puts it aside.
        Err(why) if why.code() == Code::StateDamaged => Vec::new(),
        history => history?.unwrap_or_default(),
    };
    let changes = history.into_iter().flat_map(|entry| entry.slots);
    for filling in
        changes.filter(|change| change.slot == *slot && change.is_kept).filter_map(|change| change.to)
    {
        let is_meant = |to: &str| filling.hash.as_ref().is_some_and(|hash| hash.as_str().starts_with(to));
        if to.is_none_or(is_meant)
            && let Ok(fills) = Use::parse(&filling.use_text)
        {
            needed.extend(backend_by_text(&fills));
        }
    }
    Ok(needed)
}
