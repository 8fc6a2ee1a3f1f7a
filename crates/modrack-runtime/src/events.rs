//! What a rack tells whoever observes it, as it happens.

use std::sync::OnceLock;

use modrack_core::{Error, GenerationId, SlotName};

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An instance broke in a call and was given up. The next call starts another; what it had in memory is
    /// lost.
    InstanceLost {
        /// The slot that it filled.
        slot: SlotName,
        /// The module.
        module: String,
        /// The generation, which goes on.
        generation: GenerationId,
        /// What the call failed with.
        why: Error,
    },
    /// An instance that had served its one call did not shut down well.
    StopFailed {
        /// The slot that it filled.
        slot: SlotName,
        /// What its shutdown failed with.
        why: Error,
    },
}

type Tell = Box<dyn Fn(&Event) + Send + Sync>;

/// Who observes a rack.
#[derive(Default)]
pub(crate) struct Observer(OnceLock<Tell>);

impl Observer {
    /// Has `tell` told from now on; false when there is an observer.
    pub(crate) fn set(&self, tell: impl Fn(&Event) + Send + Sync + 'static) -> bool {
        self.0.set(Box::new(tell)).is_ok()
    }

    /// Tells the observer, if there is one.
    pub(crate) fn tell(&self, event: &Event) {
        if let Some(tell) = self.0.get() {
            tell(event);
        }
    }
}
