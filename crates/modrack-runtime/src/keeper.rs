//! Who keeps the content of what is served, so that it can be loaded again when its files have changed.

use std::sync::Arc;

use modrack_core::{Description, Origin, Result, SlotName};

use crate::rack::Rack;

/// Who keeps content.
pub trait Keeper: Send + Sync {
    /// Keeps what a module consists of (its files and the hash are in `description`) before it is started, and gives from
    /// where that very content can be loaded later; none for what is no file.
    ///
    /// It is called on the thread that loads, with no lock held, for each first load of a slot and in step `fetch` of each
    /// swap; of content that is kept already it only says where.
    ///
    /// # Errors
    /// What keeps it from being kept: the load or the swap fails with it.
    fn keep(&self, slot: &SlotName, origin: &Origin, description: &Description) -> Result<Option<Origin>>;
}

impl Rack {
    /// Has `keeper` keep the content of what is loaded from now on. A rack has one: false when it has one already.
    pub fn keep_with(&self, keeper: Arc<dyn Keeper>) -> bool {
        self.core().set_keeper(keeper)
    }
}
