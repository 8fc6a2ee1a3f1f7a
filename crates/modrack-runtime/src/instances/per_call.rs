//! A new instance for each call, stopped when the call has ended.
//!
//! The instance that loading made is the first call's; what is asked of functions is asked of it too.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use modrack_core::{
    Call, Chain, Footprint, Function, Instance, Instances, Phase, Result, Signature, State, Value,
};

use super::Recipe;
use super::recipe::STOP_WITHIN;
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
    stopped: AtomicBool,
}

struct PerCallFunction {
    source: Arc<Source>,
    name: String,
    signature: Option<Signature>,
}

/// A call under way, and the instance that it has; what a panic leaves behind is stopped.
struct UnderWay<'a> {
    source: &'a Source,
    instance: Option<Arc<dyn Instance>>,
}

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

impl Drop for UnderWay<'_> {
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
        let source = &*self.source;
        let instance = source.take()?;
        source.calls.fetch_add(1, Ordering::Relaxed);
        source.in_calls().push(Arc::downgrade(&instance));
        let mut under_way = UnderWay { source, instance: Some(instance.clone()) };
        let result =
            instance.function(&self.name).and_then(|function| Chain::bounded(&call, || function.call(call)));
        if let Err(why) = &result
            && instance.broken()
        {
            under_way.instance = None;
            source.no_longer_in_call(&instance);
            source.recipe.give_up(&*instance, why);
        }
        result
    }

    fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
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
