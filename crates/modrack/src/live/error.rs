//! What goes wrong where a rack and its state meet, so that the same failure reads the same wherever it is met.

use modrack_core::{Code, ContentHash, Error, SlotName};

/// The rack was stopped, and its state given back.
pub(super) fn stopped() -> Error {
    Error::new(Code::RackStopped, "The rack was stopped").hint("Open the rack again")
}

/// The process was told to end while a slot was being started.
pub(super) fn given_up(slot: &SlotName) -> Error {
    Error::new(Code::Cancelled, format!("The start of `{slot}` was given up: the process was told to end"))
        .slot(slot)
}

/// Something is to be set that has no value.
pub(super) fn sets_nothing(set: &str) -> Error {
    Error::new(Code::BadValue, format!("`{set}` sets nothing"))
        .hint("Write `KEY=VALUE`: `width=3` is a param, and `limits.time=1s` a key of the slot")
}

/// Nothing that served in the slot has a hash that begins so.
pub(super) fn nothing_kept(slot: &SlotName, prefix: &str, kept: &[ContentHash]) -> Error {
    let hint = if kept.is_empty() {
        "Nothing is kept of it: the history tells what served".to_owned()
    } else {
        format!("Kept are {}, the latest first", listed(kept))
    };
    Error::new(Code::UnknownEntry, format!("Nothing that served in `{slot}` is kept as `{prefix}`"))
        .hint(hint)
        .slot(slot)
}

/// Several have.
pub(super) fn ambiguous(slot: &SlotName, prefix: &str, kept: &[ContentHash]) -> Error {
    let message = format!("`{prefix}` is the beginning of {} hashes that served in `{slot}`", kept.len());
    Error::new(Code::UnknownEntry, message).hint(format!("Write more of one of {}", listed(kept))).slot(slot)
}

/// There is no text that could be written.
pub(super) fn no_text() -> Error {
    Error::new(Code::Unsupported, "The rack has no text that could be written")
        .hint("Put the rack into a file, or swap without saving")
}

/// The text is not the one that is in force.
pub(super) fn changed_since(name: &str) -> Error {
    Error::new(Code::Unsupported, format!("`{name}` was changed since it was read, and is not written over"))
        .hint("Have it read again first, or take the change back")
}

/// There is nothing to go back to.
pub(super) fn nothing_before(slot: &SlotName) -> Error {
    Error::new(Code::NothingBefore, format!("Nothing is kept that served in `{slot}` before"))
        .hint("The history tells what served, and what of it is kept")
        .slot(slot)
}

/// What is in force for a slot cannot be put in force.
pub(super) fn not_in_force(slot: &SlotName, why: &Error) -> Error {
    let message =
        format!("What was swapped into `{slot}` cannot be put in force again, and what the rack says is");
    Error::new(why.code(), message).hint("Swap it again, or roll it back").slot(slot).caused_by(why)
}

/// A module was being started when the process ended.
pub(super) fn interrupted(slot: &SlotName, hash: &ContentHash) -> Error {
    let message = format!("The process ended while `{}` was started in `{slot}`", hash.short());
    Error::new(Code::Interrupted, message)
        .hint("It is not tried again by itself: mend it, or swap it in once more")
        .slot(slot)
}

/// A slot serves what is known to be good, because what it should serve failed.
pub(super) fn fell_back(slot: &SlotName, good: &ContentHash, why: &Error) -> Error {
    let message =
        format!("`{slot}` serves `{}`, the last that is known to be good: {}", good.short(), why.message());
    let error = Error::new(why.code(), message).slot(slot).caused_by(why);
    match why.hint_text() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn listed(hashes: &[ContentHash]) -> String {
    const MOST: usize = 10;
    let shown: Vec<_> = hashes.iter().take(MOST).map(|hash| format!("`{}`", hash.short())).collect();
    let more = if hashes.len() > MOST { " and others" } else { "" };
    format!("{}{more}", shown.join(", "))
}
