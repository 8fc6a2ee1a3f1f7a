//! What an instance of a slot is made of, kept so that another one can be made like it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use modrack_core::plan::{Allow, Limits};
use modrack_core::{
    Backend, Error, GenerationId, Instance, Map, Phase, Result, Service, Start, Started, Text,
};

use crate::error;
use crate::events::{Event, Observer};
use crate::rack::let_go;
use crate::seat::{Checked, SlotCore};

/// How long an instance that is given up may take to shut down before it is called late.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What an instance is made of.
pub(crate) struct Recipe {
    /// Who makes it.
    pub(crate) backend: Arc<dyn Backend>,
    /// Every backend of the rack: each must be let go of by who waits.
    pub(crate) backends: Arc<[Arc<dyn Backend>]>,
    /// Who is told when an instance is lost.
    pub(crate) observer: Arc<Observer>,
    /// The slot that it fills.
    pub(crate) slot: Arc<SlotCore>,
    /// The generation that it belongs to.
    pub(crate) id: GenerationId,
    /// What was known of the module before.
    pub(crate) checked: Arc<Checked>,
    /// What it is given.
    pub(crate) params: Map,
    /// What is injected into it.
    pub(crate) services: Vec<(Text, Arc<dyn Service>)>,
    /// Bounds on it.
    pub(crate) limits: Limits,
    /// What it may reach.
    pub(crate) allow: Allow,
    /// The rack's folder.
    pub(crate) root: PathBuf,
    /// What its instances share, once there was one.
    pub(crate) shared: OnceLock<Option<Arc<dyn Any + Send + Sync>>>,
}

impl Recipe {
    /// Starts an instance.
    ///
    /// # Errors
    /// What loading or starting failed with; a backend that panicked.
    pub(crate) fn start(&self) -> Result<Arc<dyn Instance>> {
        let began = Instant::now();
        let started = catch_unwind(AssertUnwindSafe(|| {
            self.backend.start(Start {
                origin: &self.checked.origin,
                description: &self.checked.description,
                slot: self.slot.name(),
                generation: self.id,
                params: &self.params,
                services: self.services.clone(),
                limits: &self.limits,
                allow: &self.allow,
                copies: &self.slot.copies,
                root: &self.root,
            })
        }));
        let meters = &self.slot.meters;
        match started.unwrap_or_else(|payload| Err(error::panicked(&*payload))) {
            Ok(Started { instance, load, start }) => {
                meters.record(Phase::Load, load, true);
                meters.record(Phase::Start, start, true);
                self.shared.get_or_init(|| instance.shared());
                Ok(instance)
            }
            Err(error) => {
                let error = self.blame(error, Phase::Start);
                let phase = error.phase_of().filter(|&p| p == Phase::Load).unwrap_or(Phase::Start);
                meters.record(phase, began.elapsed(), false);
                Err(error)
            }
        }
    }

    /// Says of `error` whose it is.
    pub(crate) fn blame(&self, error: Error, phase: Phase) -> Error {
        error.slot(self.slot.name()).module(self.checked.module()).generation(self.id).phase(phase)
    }

    /// Gives an instance up that broke in a call that failed with `why`: counts it, tells of it, stops it.
    #[cold]
    pub(crate) fn give_up(&self, instance: &dyn Instance, why: &Error) {
        self.slot.meters.lost();
        self.observer.tell(&Event::InstanceLost {
            slot: self.slot.name().clone(),
            module: self.checked.module(),
            generation: self.id,
            why: why.clone(),
        });
        // It is broken already: what its shutdown fails with says nothing more.
        let _ = instance.stop(STOP_WITHIN);
    }

    /// Runs `wait` with every backend let go of.
    pub(crate) fn waiting(&self, wait: &mut dyn FnMut()) {
        let_go(&self.backends, wait);
    }
}
