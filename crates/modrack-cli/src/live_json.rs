//! What a rack that is served, or was, tells of itself, as JSON: the same from a server and from the command alone.
//!
//! Only data becomes JSON here; what people read is made from that JSON, in `live_words`.

use modrack_core::ContentHash;
use modrack_state::{Configuration, Entry, EntrySlot, Outcome};
use serde_json::{Value as Json, json};

use crate::clock::at_rfc3339;

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
        "kept": slot.is_kept,
    })
}

fn hash(hash: Option<&ContentHash>) -> Option<&str> {
    hash.map(ContentHash::as_str)
}
