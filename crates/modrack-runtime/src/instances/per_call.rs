//! A new instance for each call, stopped when the call has ended, and what it gave is read or awaited.
//!
//! The instance that loading made is the first call's; what is asked of functions is asked of it too.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use modrack_core::{
    AtEnd, Call, Chain, Due, Error, Footprint, Function, Instance, Instances, Lease, Phase, Result,
    Signature, State, Value,
};

use super::Recipe;
use super::recipe::STOP_WITHIN;
use super::streams::leased;
use crate::error;
use crate::events::Event;

/// The instances, behind one.
pub(super) struct PerCall(Arc<Source>);

struct Source {
    recipe: Recipe,
    /// An instance that no call has had yet.
    fresh: Mutex<Option<Arc<dyn Instance>>>,
    names: Vec<String>,
    calls: AtomicU64,
    /// The instances that are in a call, for who ends calls.
    in_calls: Mutex<Vec<Weak<dyn Instance>>>,
    /// Whether calls are to end, also those of instances that are started later.
    ending: AtomicBool,
    stopped: AtomicBool,
}

struct PerCallFunction {
    source: Arc<Source>,
    name: String,
    signature: Option<Signature>,
}

/// A call under way, and the instance that it has; what a panic leaves behind is stopped.
struct UnderWay {
    source: Arc<Source>,
    instance: Option<Arc<dyn Instance>>,
}

/// The call that a stream came of, which is under way until the stream was read.
struct Stream {
    under_way: Mutex<Option<UnderWay>>,
    name: String,
}

/// A call that goes on when its function has returned.
struct GoesOn(Option<UnderWay>);

impl PerCall {
    /// A source of instances, the first of which is there.
    pub(super) fn make(recipe: Recipe, first: Arc<dyn Instance>) -> Arc<dyn Instance> {
        let names = first.names();
        Arc::new(Self(Arc::new(Source {
            recipe,
            fresh: Mutex::new(Some(first)),
            names,
            calls: AtomicU64::new(0),
            in_calls: Mutex::default(),
            ending: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        })))
    }
}

impl Source {
    /// An instance that no call has had.
    fn take(&self) -> Result<Arc<dyn Instance>> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(error::stopped());
        }
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner).take();
        fresh.map_or_else(|| self.recipe.start(), Ok)
    }

    fn in_calls(&self) -> MutexGuard<'_, Vec<Weak<dyn Instance>>> {
        self.in_calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an instance that no call has had for the next one.
    fn put_back(&self, instance: Arc<dyn Instance>) {
        let more = {
            let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
            let free = fresh.is_none() && !self.stopped.load(Ordering::Acquire);
            if free { fresh.replace(instance) } else { Some(instance) }
        };
        if let Some(more) = more {
            self.end(&*more);
        }
    }

    fn no_longer_in_call(&self, instance: &Arc<dyn Instance>) {
        let gone = std::ptr::from_ref(&**instance).cast::<()>();
        self.in_calls().retain(|other| other.as_ptr().cast::<()>() != gone);
    }

    /// Stops an instance. Its call has been answered: what its shutdown fails with is only told.
    fn end(&self, instance: &dyn Instance) {
        if let Err(why) = instance.stop(STOP_WITHIN) {
            let recipe = &self.recipe;
            let why = recipe.blame(why, Phase::Stop);
            recipe.observer.tell(&Event::StopFailed { slot: recipe.slot.name().clone(), why });
        }
    }
}

impl UnderWay {
    fn begin(source: &Arc<Source>, instance: Arc<dyn Instance>) -> Self {
        source.calls.fetch_add(1, Ordering::Relaxed);
        source.in_calls().push(Arc::downgrade(&instance));
        // Behind `push`: whoever has calls end either finds the instance, or is seen.
        if source.ending.load(Ordering::SeqCst) {
            instance.end_calls();
        }
        Self { source: source.clone(), instance: Some(instance) }
    }

    /// Gives the instance up if it broke.
    fn failed(&mut self, why: &Error) {
        if let Some(instance) = self.instance.take_if(|instance| instance.broken()) {
            self.source.no_longer_in_call(&instance);
            self.source.recipe.give_up(&*instance, why);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.source.no_longer_in_call(&instance);
            let end = || self.source.end(&*instance);
            if std::thread::panicking() {
                // One panic is under way; a second one would end the process.
                let _ = catch_unwind(AssertUnwindSafe(end));
            } else {
                end();
            }
        }
        self.source.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Function for PerCallFunction {
    fn call(&self, call: Call<'_>) -> Result<Value> {
        let instance = self.source.take()?;
        let mut under_way = UnderWay::begin(&self.source, instance.clone());
        let function = instance.function(&self.name);
        match function.and_then(|function| Chain::bounded(&call, || function.call(call))) {
            Ok(value) => {
                if let Some(later) = value.later() {
                    later.at_end(Box::new(GoesOn(Some(under_way))));
                    return Ok(value);
                }
                let name = self.name.clone();
                Ok(leased(value, || Stream { under_way: Mutex::new(Some(under_way)), name }))
            }
            Err(why) => {
                under_way.failed(&why);
                Err(why)
            }
        }
    }

    fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }
}

impl AtEnd for GoesOn {}

impl Drop for GoesOn {
    fn drop(&mut self) {
        let under_way = self.0.take();
        // Where it ends may be an event loop, which the shutdown may need. Without a thread it is stopped there.
        let _ = std::thread::Builder::new().name("modrack-stop".to_owned()).spawn(move || drop(under_way));
    }
}

impl Stream {
    fn under_way(&self) -> MutexGuard<'_, Option<UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease for Stream {
    fn read(&self, read: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let source = self.under_way().as_ref().map(|under_way| under_way.source.clone());
        let (callers, _) = Chain::bounds();
        let limit = source.and_then(|source| source.recipe.limits.time);
        let due = Due::nearer(limit, callers, Instant::now);
        let within = Call { deadline: due.at, ..Call::default() };
        Chain::bounded(&within, read).map_err(|why| {
            // Out of its place: giving an instance up runs its code.
            let taken = self.under_way().take();
            if let Some(mut under_way) = taken {
                under_way.failed(&why);
            }
            due.named(&self.name, why, Instant::now)
        })
    }

    fn end(&self) {
        // The instance is stopped with no lock held.
        let taken = self.under_way().take();
        drop(taken);
    }
}

impl Instance for PerCall {
    fn function(&self, name: &str) -> Result<Arc<dyn Function>> {
        let source = &self.0;
        let instance = source.take()?;
        let found = instance.function(name).map(|function| function.signature().cloned());
        source.put_back(instance);
        let signature = found?;
        Ok(Arc::new(PerCallFunction { source: source.clone(), name: name.to_owned(), signature }))
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        Err(error::no_attributes(name, Instances::PerCall))
    }

    fn names(&self) -> Vec<String> {
        self.0.names.clone()
    }

    fn export_state(&self) -> Result<Option<State>> {
        Err(error::no_state(Instances::PerCall))
    }

    fn end_calls(&self) -> bool {
        self.0.ending.store(true, Ordering::SeqCst);
        let in_calls: Vec<_> = self.0.in_calls().iter().filter_map(Weak::upgrade).collect();
        in_calls.iter().fold(false, |any, instance| any | instance.end_calls())
    }

    fn stop(&self, within: Duration) -> Result<()> {
        let fresh = {
            let mut fresh = self.0.fresh.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.stopped.store(true, Ordering::Release);
            fresh.take()
        };
        fresh.map_or(Ok(()), |instance| instance.stop(within))
    }

    fn footprint(&self) -> Footprint {
        let fresh = self.0.fresh.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let one = fresh.map(|instance| instance.footprint()).unwrap_or_default();
        Footprint { calls: self.0.calls.load(Ordering::Relaxed), ..one }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
