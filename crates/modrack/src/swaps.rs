//! Replacing what fills slots while they are called, going back, and being told of it.

use std::sync::Arc;

use modrack_core::{Result, SlotName};
use modrack_runtime::{
    Asked, Before, Event, Held, Kept, Pattern, Subscription, Swap, SwapFailed, Swapped, Told,
};

use crate::Rack;

impl Rack {
    /// Replaces what fills slots, all of them or none, while they are being called.
    ///
    /// Gives back control when the new modules serve and the old ones have been drained, parked or left to the rack.
    ///
    /// # Errors
    /// The step that failed, and why: what served before serves still.
    pub fn swap(&self, swap: &Swap) -> Result<Swapped, SwapFailed> {
        self.runtime().swap(swap)
    }

    /// Goes back to what filled the slot before its last swap, and those that were replaced with it and not again since.
    ///
    /// # Errors
    /// [`crate::Code::NothingBefore`] when it is not kept any more, or what carrying state back failed with.
    pub fn rollback(&self, slot: &SlotName, asked: Asked) -> Result<Swapped, SwapFailed> {
        self.runtime().rollback(slot, asked)
    }

    /// As [`Rack::rollback`], with the state of what is left staying behind: what comes back has what it had.
    ///
    /// # Errors
    /// [`crate::Code::NothingBefore`] when it is not kept any more.
    pub fn rollback_without_state(&self, slot: &SlotName, asked: Asked) -> Result<Swapped, SwapFailed> {
        self.runtime().rollback_without_state(slot, asked)
    }

    /// Stops what fills the slot, once its calls have ended. The next call loads it anew.
    ///
    /// # Errors
    /// A slot that is not there, or that the program fills itself; of a slot with `overlap: false`, calls that did not end in time.
    pub fn unload(&self, slot: &SlotName, asked: Asked) -> Result<Before, SwapFailed> {
        self.runtime().unload(slot, asked)
    }

    /// The generations that serve no new calls and are not stopped.
    pub fn kept(&self) -> Vec<Kept> {
        self.runtime().kept()
    }

    /// The generations that were stopped and whose memory does not go, because somebody holds it.
    pub fn held(&self) -> Vec<Held> {
        self.runtime().held()
    }

    /// Has `tell` told what happens in the rack, on the threads on which it happens.
    pub fn observe(&self, tell: impl Fn(&Event) + Send + Sync + 'static) {
        self.runtime().observe(tell);
    }

    /// Has `hear` told what happens and `pattern` asks for, in order, on a thread of the rack's own.
    ///
    /// At most 1,024 events wait to be heard; who is slower loses the oldest, and is told `missed` in their place.
    pub fn subscribe(
        &self,
        pattern: &Pattern,
        hear: impl FnMut(&Arc<Told>) + Send + 'static,
    ) -> Subscription {
        self.runtime().subscribe(pattern, hear)
    }

    /// What was told after the event of this number, as far as it is still known: the last 1,024 are.
    pub fn events_since(&self, number: u64) -> Vec<Arc<Told>> {
        self.runtime().events_since(number)
    }

    /// Has slots told from now on of what their `events` ask for, on a thread of their own.
    ///
    /// A slot that is not lazy is loaded by the first event that it is to hear. What a function fails with is told as a
    /// `warning`, and stops nothing. What happens because of such a call is not told to slots.
    pub fn tell_slots(&self) {
        self.runtime().tell_slots();
    }
}
