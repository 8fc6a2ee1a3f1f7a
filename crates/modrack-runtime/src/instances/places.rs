//! Places that are each in one call at a time: a free one is taken by an atomic, the rest is a queue.
//!
//! Who comes later waits longer: nobody takes a place past the queue. Nothing here knows what stands in a place.

use std::sync::Condvar;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use modrack_core::{Chain, SlotName};

/// Places of one slot's generation.
pub(crate) struct Places {
    slot: SlotName,
    /// The chain of calls that each place is in; 0 where it is free.
    holders: Box<[AtomicU64]>,
    /// How many wait.
    pub(super) waiting: AtomicUsize,
    /// A place may have become free, or the queue has moved on.
    pub(super) changed: Condvar,
}

impl Places {
    /// So many places, all free.
    pub(crate) fn new(slot: SlotName, count: u32) -> Self {
        Self {
            slot,
            holders: (0..count.max(1)).map(|_| AtomicU64::new(0)).collect(),
            waiting: AtomicUsize::new(0),
            changed: Condvar::new(),
        }
    }

    /// The slot.
    pub(crate) fn slot(&self) -> &SlotName {
        &self.slot
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.holders.len()
    }

    /// How many are in a call.
    pub(crate) fn held(&self) -> usize {
        self.holders.iter().filter(|holder| holder.load(Ordering::Relaxed) != 0).count()
    }

    /// Takes a free place for this thread's chain, unless somebody waits for one.
    #[inline]
    pub(crate) fn take(&self) -> Option<usize> {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            return None;
        }
        let me = Chain::id();
        self.holders.iter().position(|holder| take(holder, me))
    }

    /// Takes the place `at` for this thread's chain if it is free, unless somebody waits for one.
    pub(crate) fn take_at(&self, at: usize) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0 && self.take_now(at)
    }

    /// Takes the place `at` for this thread's chain if it is free.
    pub(super) fn take_now(&self, at: usize) -> bool {
        take(&self.holders[at], Chain::id())
    }

    /// Gives a place back.
    #[inline]
    pub(crate) fn give_back(&self, at: usize) {
        self.holders[at].store(0, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            super::waits::wake(self);
        }
    }

    /// The chain that the place `at` is in, 0 when it is free.
    pub(super) fn holder(&self, at: usize) -> u64 {
        self.holders[at].load(Ordering::SeqCst)
    }

    /// The chains that the places are in, 0 for a free one.
    pub(super) fn holders(&self) -> impl Iterator<Item = u64> {
        self.holders.iter().map(|holder| holder.load(Ordering::SeqCst))
    }
}

#[inline]
fn take(holder: &AtomicU64, me: u64) -> bool {
    holder.load(Ordering::SeqCst) == 0
        && holder.compare_exchange(0, me, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}
