//! Who keeps the content of what is served, so that it can be loaded again when its files have changed.

use std::sync::Arc;

use modrack_core::plan::SlotPlan;
use modrack_core::{ContentHash, Description, Origin, Result, SlotName};

use crate::rack::Rack;
use crate::seat::Seat;
use crate::swap::Asked;

/// Who keeps content.
pub trait Keeper: Send + Sync {
    /// Keeps what a module consists of (its files and the hash are in `description`) before it is started, and gives from
    /// where that very content can be loaded later; none for what is no file. `seat` tells the attempt to fill the slot from those that
    /// are made beside it, as [`Coming`] does: it is told how that ended, even where nothing of it was started.
    ///
    /// It is called on the thread that loads, with no lock held, for each first load of a slot and in step `fetch` of each
    /// swap; of content that is kept already it only says where.
    ///
    /// # Errors
    /// What keeps it from being kept: the load or the swap fails with it.
    fn keep(&self, seat: u64, origin: &Origin, description: &Description) -> Result<Option<Origin>>;

    /// Notes what is about to be started, before any of its code runs: a process that ends before it is told how that went has
    /// perhaps ended of it. All slots of a swap are told together.
    ///
    /// It is called on the thread that loads, with no lock held. How it went is told to who observes:
    /// [`Event::Loaded`](crate::Event::Loaded), [`Event::LoadFailed`](crate::Event::LoadFailed),
    /// [`Event::Swapped`](crate::Event::Swapped), [`Event::SwapFailed`](crate::Event::SwapFailed).
    ///
    /// # Errors
    /// What keeps it from being noted: nothing is started, and the load or the swap fails with it.
    fn starting(&self, slots: &[Coming], asked: &Asked) -> Result<()> {
        let _ = (slots, asked);
        Ok(())
    }
}

/// What is to fill a slot, as far as that is known before it does.
#[derive(Clone, Debug)]
pub struct Coming {
    /// The slot.
    pub slot: SlotName,
    /// What tells this attempt to fill the slot from those that are made beside it; what serves has the same.
    pub seat: u64,
    /// What the slot is meant to be.
    pub plan: Arc<SlotPlan>,
    /// The module, once it was read.
    pub module: Option<String>,
    /// The hash of its content.
    pub hash: Option<ContentHash>,
    /// The hash of what serves; none when nothing does, or it has none.
    pub was: Option<ContentHash>,
    /// Where it comes from, once that is known.
    pub origin: Option<Origin>,
    /// Whether that is content that was kept, whatever the plan's `use` leads to.
    pub pinned: bool,
}

impl Coming {
    /// What is to fill `seat`, in place of what fills `old`.
    pub(crate) fn of(seat: &Seat, old: Option<&Seat>) -> Self {
        let checked = seat.checked().get();
        let was = old.and_then(Seat::generation);
        Self {
            slot: seat.slot().name().clone(),
            seat: seat.id(),
            plan: seat.plan().clone(),
            module: checked.as_ref().map(|checked| checked.module()),
            hash: checked.as_ref().and_then(|checked| checked.description.hash.clone()),
            was: was.and_then(|was| was.checked().description.hash.clone()),
            origin: checked.map(|checked| checked.origin.clone()),
            pinned: seat.origin().is_some(),
        }
    }
}

impl Rack {
    /// Has `keeper` keep the content of what is loaded from now on. A rack has one: false when it has one already.
    pub fn keep_with(&self, keeper: Arc<dyn Keeper>) -> bool {
        self.core().set_keeper(keeper)
    }
}
