//! What a rack that is served, or was, tells of itself, as JSON: the same from a server and from the command alone.
//!
//! Only data becomes JSON here; what people read is made from that JSON, in `live_words`.

use modrack::live::{
    self, Configuration, Differs, Drift, Entry, EntrySlot, Outcome, Refused, SlotState, SlotStatus, Status,
};
use modrack_core::{ContentHash, SlotName, Stays};
use modrack_runtime::{Before, Configured, Held, Kept, Served, Swapped};
use serde_json::{Value as Json, json};

use crate::clock::at_rfc3339;
use crate::wire;

/// What serves after a swap, or after going back.
pub(crate) fn swapped(swapped: &Swapped) -> Json {
    json!({
        "slots": swapped.slots.iter().map(served).collect::<Vec<_>>(),
        "before": before(swapped.before),
        "switch_seconds": swapped.switch.as_secs_f64(),
        "stopped": swapped.stopped.iter().map(wire::record).collect::<Vec<_>>(),
    })
}

/// What came of putting another text of the rack in force.
pub(crate) fn configured(configured: &Configured) -> Json {
    let names = |slots: &[SlotName]| slots.iter().map(SlotName::as_str).map(Json::from).collect::<Json>();
    let mut document = swapped(&configured.swapped);
    document["added"] = names(&configured.added);
    document["changed"] = names(&configured.changed);
    document["removed"] = names(&configured.removed);
    document
}

/// What became of what filled a slot that nothing fills now.
pub(crate) fn unloaded(slot: &str, was: Before) -> Json {
    json!({ "slot": slot, "before": before(was) })
}

/// How a rack stands.
pub(crate) fn status(status: &Status) -> Json {
    json!({
        "configuration": hash(status.configuration.as_ref()),
        "refused": status.refused.as_ref().map(refused),
        "slots": status.slots.iter().map(slot_status).collect::<Vec<_>>(),
        "drift": status.drift.iter().map(drift).collect::<Vec<_>>(),
        "kept": status.kept.iter().map(kept).collect::<Vec<_>>(),
        "held": status.held.iter().map(held).collect::<Vec<_>>(),
        "stays": status.stays.iter().map(stays).collect::<Vec<_>>(),
    })
}

/// Entries of the history, the newest first.
pub(crate) fn history(entries: &[Entry]) -> Json {
    json!({ "entries": entries.iter().map(entry).collect::<Vec<_>>() })
}

/// The configurations that served, the last first; without their texts.
pub(crate) fn configurations(all: &[Configuration]) -> Json {
    let each = |one: &Configuration| json!({ "hash": one.hash.as_str(), "name": one.name, "since": at_rfc3339(one.since) });
    json!({ "configurations": all.iter().map(each).collect::<Vec<_>>() })
}

/// One configuration, with its text.
pub(crate) fn configuration(one: &Configuration) -> Json {
    json!({
        "hash": one.hash.as_str(), "name": one.name, "since": at_rfc3339(one.since), "text": one.text,
    })
}

fn served(served: &Served) -> Json {
    json!({
        "slot": served.slot.as_str(),
        "module": served.module,
        "use": served.plan.use_text,
        "generation": served.generation.0,
        "hash": hash(served.hash.as_ref()),
        "replaced": served.replaced.map(|replaced| replaced.0),
        "carried": served.carried,
    })
}

fn before(before: Before) -> &'static str {
    match before {
        Before::Nothing => "nothing",
        Before::Stopped => "stopped",
        Before::Parked => "parked",
        Before::Draining => "draining",
        Before::Lingering => "lingering",
    }
}

fn slot_status(slot: &SlotStatus) -> Json {
    let (state, failed) = match &slot.state {
        SlotState::Empty => ("empty", None),
        SlotState::Serving => ("serving", None),
        SlotState::OnTrial => ("on-trial", None),
        SlotState::Failed(why) => ("failed", Some(why)),
    };
    json!({
        "slot": slot.slot.as_str(),
        "state": state,
        "lazy": slot.lazy,
        "module": slot.module,
        "generation": slot.generation.map(|generation| generation.0),
        "hash": hash(slot.hash.as_ref()),
        "use": slot.use_text,
        "declared": slot.declared_use,
        "override": slot.overridden.as_ref().map(|over| json!({
            "use": over.to.use_text,
            "hash": hash(over.to.hash.as_ref()),
            "set": live::set_over(&over.to),
            "earlier": slot.of_earlier_text,
            "since": at_rfc3339(over.since),
            "entry": over.entry.map(|entry| entry.0),
        })),
        "error": failed.or(slot.why.as_ref()).map(wire::record),
        "refused": slot.refused.as_ref().map(refused),
    })
}

fn refused(refused: &Refused) -> Json {
    json!({ "at": at_rfc3339(refused.at), "error": wire::record(&refused.why) })
}

fn drift(drift: &Drift) -> Json {
    let (how, declared) = match &drift.how {
        Differs::Overridden(_) => ("overridden", None),
        Differs::OtherUse { declared } => ("other-use", Some(declared.clone())),
        Differs::OtherContent { declared } => ("other-content", Some(declared.as_str().to_owned())),
        Differs::Undeclared => ("undeclared", None),
    };
    json!({
        "slot": drift.slot.as_str(),
        "how": how,
        "use": drift.serves.use_text,
        "hash": hash(drift.serves.hash.as_ref()),
        "declared": declared,
    })
}

fn kept(kept: &Kept) -> Json {
    json!({ "slot": kept.slot.as_str(), "generation": kept.generation.0, "state": before(kept.state) })
}

fn held(held: &Held) -> Json {
    let holders: Vec<&str> = held.holders.iter().map(|holder| &**holder).collect();
    json!({ "slot": held.slot.as_str(), "generation": held.generation.0, "holders": holders })
}

fn stays(stays: &Stays) -> Json {
    json!({ "library": stays.name, "hash": stays.hash.as_str(), "bytes": stays.bytes })
}

fn entry(entry: &Entry) -> Json {
    let failed = match &entry.outcome {
        Outcome::Failed(failed) => Some(failed),
        Outcome::Begun | Outcome::Done | Outcome::Interrupted => None,
    };
    json!({
        "id": entry.id.0,
        "at": at_rfc3339(entry.at),
        "action": entry.action.as_str(),
        "who": entry.who,
        "why": entry.why,
        "configuration": hash(entry.config.as_ref()),
        "outcome": entry.outcome.as_str(),
        "failed": failed.map(|failed| json!({
            "slot": failed.slot.as_ref().map(|slot| slot.as_str()),
            "step": failed.step,
            "code": failed.code,
            "message": failed.message,
        })),
        "slots": entry.slots.iter().map(entry_slot).collect::<Vec<_>>(),
    })
}

fn entry_slot(slot: &EntrySlot) -> Json {
    let to = slot.to.as_ref();
    json!({
        "slot": slot.slot.as_str(),
        "from": hash(slot.from.as_ref()),
        "hash": hash(to.and_then(|to| to.hash.as_ref())),
        "module": to.map(|to| &to.module),
        "use": to.map(|to| &to.use_text),
        "set": to.map(live::set_over),
        "kept": slot.is_kept,
    })
}

fn hash(hash: Option<&ContentHash>) -> Option<&str> {
    hash.map(ContentHash::as_str)
}
