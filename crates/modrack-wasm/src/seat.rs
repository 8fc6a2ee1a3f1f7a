//! Where an instance stands: who calls it takes it out, and puts it back when the call has ended. Whoever comes
//! meanwhile is told so, never made to wait.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use modrack_core::{Call, Code, CopyMeter, Error, Phase, Result, Value};
use wasmtime::Store;
use wasmtime::component::{Instance, ResourceAny};

use crate::bounds::Bounds;
use crate::data::Data;
use crate::engine::Engines;
use crate::failure::{failure, given_up, handed_on};
use crate::module::{Compiled, Module};
use crate::ticker::Hold;

/// An instance with its store.
pub(crate) struct Live {
    pub(crate) store: Store<Data>,
    pub(crate) instance: Instance,
    /// Whether the store looks at the time.
    watched: bool,
}

/// The place of an instance.
pub(crate) struct Seat {
    pub(crate) module: Arc<Module>,
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) engines: Arc<Engines>,
    pub(crate) copies: Arc<CopyMeter>,
    pub(crate) bounds: Bounds,
    live: Mutex<Option<Box<Live>>>,
    broken: AtomicBool,
    /// Whether all calls are to end; the store looks at it.
    ended: Arc<AtomicBool>,
    /// Resources whose last handle is gone.
    unwanted: Mutex<Vec<ResourceAny>>,
    has_unwanted: AtomicBool,
}

/// Why a call gave nothing.
pub(crate) enum Failed {
    /// The engine stopped it: nobody can vouch for the instance.
    Engine(wasmtime::Error),
    /// It failed as it may, or its arguments did not fit.
    Module(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Module(error)
    }
}

impl From<wasmtime::Error> for Failed {
    fn from(error: wasmtime::Error) -> Self {
        Self::Engine(error)
    }
}

impl Live {
    /// An instance in its store.
    pub(crate) fn new(store: Store<Data>, instance: Instance) -> Self {
        // A new store looks at the time until it is told otherwise.
        Self { store, instance, watched: true }
    }
}

impl Seat {
    /// A place for an instance that is yet to come.
    pub(crate) fn new(
        module: Arc<Module>,
        compiled: Arc<Compiled>,
        engines: Arc<Engines>,
        copies: Arc<CopyMeter>,
        bounds: Bounds,
        live: Live,
    ) -> Self {
        let ended = live.store.data().ended.clone();
        Self {
            module,
            compiled,
            engines,
            copies,
            bounds,
            live: Mutex::new(Some(Box::new(live))),
            broken: AtomicBool::new(false),
            ended,
            unwanted: Mutex::default(),
            has_unwanted: AtomicBool::new(false),
        }
    }

    /// Counts a table that was copied.
    pub(crate) fn copied(&self, bytes: u64) {
        self.copies.add(bytes);
    }

    /// Whether the instance can answer no more calls. One that is in a call can, as far as is known.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Has a resource dropped before the next call.
    pub(crate) fn drop_later(&self, any: ResourceAny) {
        self.unwanted.lock().unwrap_or_else(PoisonError::into_inner).push(any);
        self.has_unwanted.store(true, Ordering::Release);
    }

    /// Runs a call of `function` with the instance, within the call's time.
    ///
    /// # Errors
    /// [`Code::Reentered`] when it is being called, else what the call failed with.
    pub(crate) fn run(
        &self,
        function: &str,
        call: &Call<'_>,
        work: impl FnOnce(&mut Live) -> Result<Value, Failed>,
    ) -> Result<Value> {
        let Some(live) = self.live.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Err(Error::new(Code::Reentered, "The component was called while it was being called")
                .hint("An instance of a component takes one call at a time: let it be called when it has answered")
                .phase(Phase::Call));
        };
        let mut out = Out { seat: self, live: Some(live), vouched: true };
        let Some(live) = out.live.as_mut() else { return Err(self.lost()) };
        if self.is_broken() {
            return Err(self.lost());
        }
        let _hold = self.begin(live, call)?;
        // Behind `begin`: whoever ends calls from here on has the store look.
        fence(Ordering::Acquire);
        if self.ended.load(Ordering::Acquire) {
            return Err(given_up());
        }
        if self.has_unwanted.load(Ordering::Relaxed) && self.has_unwanted.swap(false, Ordering::AcqRel) {
            self.drop_unwanted(live);
        }
        live.store.data_mut().carried.clear();
        // Until it has answered: a panic of ours leaves an instance that nobody uses.
        out.vouched = false;
        let worked = work(live);
        if let Some(wasi) = &live.store.data().wasi {
            wasi.flush();
        }
        match worked {
            Ok(value) => {
                out.vouched = true;
                Ok(value)
            }
            Err(Failed::Module(error)) => {
                out.vouched = true;
                Err(handed_on(function, error, &live.store.data().carried))
            }
            Err(Failed::Engine(why)) => {
                Err(failure(function, &why, live.store.data_mut(), self.bounds.output))
            }
        }
    }

    /// Has the call under way end, and every later one.
    pub(crate) fn end_calls(&self) {
        self.ended.store(true, Ordering::Release);
        // A call that begins after the tick finds itself ended: the engine counts ticks without an order.
        fence(Ordering::Release);
        // Every store looks at the next tick, whoever's it is; most have nothing to look for but this.
        self.engines.ticker.tick_now();
    }

    /// Lets calls be made after all: the last one, when it is stopped.
    pub(crate) fn may_call_again(&self) {
        self.ended.store(false, Ordering::Release);
    }

    /// Whether the instance is there and nobody uses it.
    pub(crate) fn held(&self) -> (u64, u64) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.as_ref().map_or((0, 1), |live| (live.store.data().held, 0))
    }

    fn begin(&self, live: &mut Live, call: &Call<'_>) -> Result<Option<Hold>> {
        if call.deadline.is_none() && call.cancel.is_none() {
            if live.watched {
                live.watched = false;
                let data = live.store.data_mut();
                data.deadline = None;
                data.cancel = None;
                // It looks when somebody else's call has the engine tick, and when its calls are to end: nobody ticks for it.
                live.store.set_epoch_deadline(1);
            }
            return Ok(None);
        }
        live.watched = true;
        let data = live.store.data_mut();
        data.deadline = call.deadline;
        data.cancel = call.cancel.cloned();
        live.store.set_epoch_deadline(1);
        self.engines.ticker.hold().map(Some)
    }

    fn drop_unwanted(&self, live: &mut Live) {
        let unwanted = std::mem::take(&mut *self.unwanted.lock().unwrap_or_else(PoisonError::into_inner));
        for any in unwanted {
            if any.resource_drop(&mut live.store).is_err() {
                // Its destructor trapped: the next call finds the component closed, and says so.
                return;
            }
        }
    }

    fn lost(&self) -> Error {
        Error::new(Code::Raised, "The component trapped before, and takes no more calls")
            .classes(vec!["trap".into()])
            .hint("Start the slot again")
            .phase(Phase::Call)
    }
}

/// An instance that was taken out; it goes back whatever happens.
struct Out<'a> {
    seat: &'a Seat,
    live: Option<Box<Live>>,
    /// Whether it can answer more calls.
    vouched: bool,
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        // Before it is back, and never while a call merely runs: whoever is refused meanwhile asks whether it broke.
        if !self.vouched {
            self.seat.broken.store(true, Ordering::Release);
        }
        *self.seat.live.lock().unwrap_or_else(PoisonError::into_inner) = self.live.take();
    }
}
