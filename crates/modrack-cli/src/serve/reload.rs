//! Reading again what changed on the disk, because a signal or a request says so: all slots whose modules' files changed, as one swap.
//!
//! What was gone back to stays: its files are not what it is loaded from.

use modrack::live::{LiveRack, SwapRequest, SwapSlot};
use modrack_core::SlotName;
use modrack_runtime::{Asked, Rack, SwapFailed, Swapped};

/// Replaces every module whose files have other content than what serves, or cannot be read any more, which the swap then says. Gives none
/// when there is none.
///
/// # Errors
/// The step of the swap that failed. Nothing is changed.
pub(crate) fn reload(live: &LiveRack, asked: Asked) -> Result<Option<Swapped>, SwapFailed> {
    let rack = live.rack();
    let declared: Vec<SlotName> = rack.plan().slots.keys().cloned().collect();
    let changed = declared.into_iter().filter(|slot| has_changed(rack, slot));
    let slots: Vec<SwapSlot> = changed.map(|slot| SwapSlot { slot, to: None, set: Vec::new() }).collect();
    if slots.is_empty() {
        return Ok(None);
    }
    live.swap(&SwapRequest { slots, force: false, save: false, asked }).map(Some)
}

fn has_changed(rack: &Rack, slot: &SlotName) -> bool {
    let Some(served) = rack.slot(slot.as_str()).ok().and_then(|slot| slot.serving()) else { return false };
    if served.pinned || served.hash.is_none() {
        return false;
    }
    match rack.origin_of(&served.plan).and_then(|origin| rack.describe(&origin)) {
        Ok(now) => now.hash != served.hash,
        Err(_) => true,
    }
}
