//! What a rack tells whoever observes it, as it happens, and its bus, which tells it on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use modrack_core::{ContentHash, Error, GenerationId, Map, SlotName, Text};

use crate::bus::Bus;
use crate::hearing::Hearing;
use crate::keeper::Coming;
use crate::swap::{Asked, Served, Step};
use crate::told::{self, Load};

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
    /// What was stopped did not shut down well.
    StopFailed {
        /// The slot that it filled.
        slot: SlotName,
        /// What its shutdown failed with.
        why: Error,
    },
    /// A slot that nothing filled was filled.
    Loaded {
        /// What serves now.
        served: Served,
    },
    /// A slot that nothing filled could not be filled.
    LoadFailed {
        /// What was to fill it.
        coming: Coming,
        /// Why.
        why: Error,
    },
    /// What fills slots was replaced, or filled for the first time by a swap.
    Swapped {
        /// What serves now.
        slots: Vec<Served>,
        /// Who asked for it.
        asked: Asked,
    },
    /// A swap came to nothing: what served before serves still.
    SwapFailed {
        /// The slots that were to be replaced.
        slots: Vec<SlotName>,
        /// What was to fill them; empty where they were to be as they had been.
        coming: Vec<Coming>,
        /// The slot whose step failed.
        slot: SlotName,
        /// The step.
        step: Step,
        /// Why.
        why: Error,
        /// Who asked for it.
        asked: Asked,
    },
    /// What fills slots is what it was before their last swap.
    RolledBack {
        /// What serves now.
        slots: Vec<Served>,
        /// The trial that was not stood, where the rack went back by itself.
        why: Option<Error>,
        /// Who asked for it.
        asked: Asked,
    },
    /// The trial of what was swapped in is over, and was stood; or there was none.
    Settled {
        /// What goes on serving.
        slots: Vec<Served>,
    },
    /// Nothing fills a slot any more, until it is called.
    Unloaded {
        /// The slot.
        slot: SlotName,
        /// What filled it.
        generation: GenerationId,
        /// The hash of its content.
        was: Option<ContentHash>,
        /// Who asked for it.
        asked: Asked,
    },
    /// Calls that began before a swap are waited for.
    Draining {
        /// The slots that were swapped.
        slots: Vec<SlotName>,
        /// For how long at most.
        within: Duration,
    },
    /// Calls of a replaced generation go on past the time that they were given; it is stopped when they have ended.
    Lingering {
        /// The slot that it filled.
        slot: SlotName,
        /// The generation.
        generation: GenerationId,
    },
    /// A replaced generation was stopped.
    Retired {
        /// The slot that it filled.
        slot: SlotName,
        /// The generation.
        generation: GenerationId,
    },
    /// Something may be wrong, though all was done as it was asked.
    Warning {
        /// The slot at which it was noticed.
        slot: SlotName,
        /// What.
        why: Error,
    },
    /// The memory of a generation that was stopped does not go, because somebody holds it.
    Held {
        /// The slot that it filled.
        slot: SlotName,
        /// The generation.
        generation: GenerationId,
        /// Who holds it, in words.
        holders: Vec<Text>,
    },
}

type Tell = Arc<dyn Fn(&Event) + Send + Sync>;

/// Who observes a rack.
pub(crate) struct Observer {
    tells: ArcSwap<Vec<Tell>>,
    bus: Bus,
    hearing: Hearing,
    /// Itself, for the threads that it needs.
    own: Weak<Observer>,
}

impl Observer {
    /// One that nobody listens to yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            tells: ArcSwap::default(),
            bus: Bus::default(),
            hearing: Hearing::default(),
            own: own.clone(),
        })
    }

    /// Has `tell` told from now on, after those that are told already.
    pub(crate) fn add(&self, tell: impl Fn(&Event) + Send + Sync + 'static) {
        let tell: Tell = Arc::new(tell);
        self.tells.rcu(|all| all.iter().cloned().chain([tell.clone()]).collect::<Vec<_>>());
    }

    /// The bus.
    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The slots that hear.
    pub(crate) fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    /// Tells everybody who observes, and then the bus: who hears of it there finds it noted.
    pub(crate) fn tell(&self, event: &Event) {
        for tell in self.tells.load_full().iter() {
            // Who observes cannot end what is observed: a panic is told by its hook, and goes no further.
            let _ = catch_unwind(AssertUnwindSafe(|| tell(event)));
        }
        let (name, slot, fields) = told::of(event);
        self.announce(name, slot, fields);
    }

    /// Tells the bus of a step of a load.
    pub(crate) fn tell_load(&self, load: &Load<'_>) {
        let (name, slot, fields) = told::of_load(load);
        self.announce(name, slot, fields);
    }

    /// Tells the bus, and the slots that hear.
    pub(crate) fn announce(&self, name: &'static str, slot: Option<SlotName>, fields: Map) {
        let told = self.bus.tell(name, slot, fields);
        if let Some(own) = self.own.upgrade() {
            self.hearing.take(&own, &told);
        }
    }
}
