//! `modrack swap`: something else fills a slot, or the same read anew.

use std::collections::BTreeSet;
use std::path::Path;

use hyper::Method;
use modrack::live::{SwapRequest, SwapSlot};
use modrack_core::plan::SlotRef;
use modrack_core::{BackendName, Result};
use modrack_runtime::{Asked, Rack};
use serde_json::{Value as Json, json};

use crate::args::Swap;
use crate::client::escaped;
use crate::output::Outcome;
use crate::session::{Session, user};
use crate::there;
use crate::verb::change;

/// Swaps: by the server, or here.
pub(crate) fn run(what: &Swap, session: &mut Session) -> Outcome {
    let found = session.plan();
    let slots = slots(what, &session.root_of(&found), session)?;
    let asked = Asked { who: user(), why: what.why.clone() };
    if let Some(client) = there::server(&found, session) {
        let mut body = json!({
            "force": what.force, "save": what.save, "who": asked.who, "why": asked.why,
        });
        let path = match slots.as_slice() {
            [one] => {
                body["use"] = json!(one.to);
                body["set"] = json!(one.set);
                format!("/v1/slots/{}/swap", escaped(one.slot.as_str()))
            }
            several => {
                body["slots"] = several.iter().map(document).collect();
                "/v1/swap".to_owned()
            }
        };
        return match there::ask(client, &Method::POST, &path, Some(&body), session) {
            Ok(swapped) => change::done(&swapped, change::By::Server, session),
            Err(refused) => change::not_done(refused.into(), session),
        };
    }
    let request = SwapRequest { slots, force: what.force, save: what.save, asked };
    let wanted = request.slots.clone();
    change::here(found, session, |rack| needed(rack, &wanted), |live| change::swap(live, &request))
}

/// What is to become of each slot: the first with all that is set, those behind `--with` after it.
fn slots(what: &Swap, root: &Path, session: &Session) -> Result<Vec<SwapSlot>> {
    let meant = |word: &str| session.meant(root, word);
    let mut slots = vec![SwapSlot {
        slot: change::slot(&what.slot)?,
        to: what.use_text.as_deref().map(meant),
        set: what.set.clone(),
    }];
    for with in &what.with {
        let (slot, to) = match with.split_once('=') {
            Some((slot, to)) => (slot, Some(meant(to))),
            None => (&**with, None),
        };
        slots.push(SwapSlot { slot: change::slot(slot)?, to, set: Vec::new() });
    }
    Ok(slots)
}

fn document(slot: &SwapSlot) -> Json {
    json!({ "slot": slot.slot.as_str(), "use": slot.to, "set": slot.set })
}

/// The backends of what is to fill the slots, and of what they need. What cannot be found is told by the swap.
fn needed(rack: &Rack, slots: &[SwapSlot]) -> Result<BTreeSet<BackendName>> {
    let mut needed = BTreeSet::new();
    for wanted in slots {
        let Ok(slot) = rack.slot(wanted.slot.as_str()) else { continue };
        let mut all = vec![match &wanted.to {
            Some(to) => rack.slot(to),
            None => Ok(slot.clone()),
        }];
        all.extend(slot.plan().needs.iter().filter_map(|(_, need)| match need {
            SlotRef::Declared(name) => Some(rack.slot(name.as_str())),
            _ => None,
        }));
        for slot in all.into_iter().flatten() {
            needed.extend(rack.backends_needed(std::slice::from_ref(&slot)).unwrap_or_default());
        }
    }
    Ok(needed)
}
