//! One or several instances of a module that each take one call at a time.
//!
//! A call checks an instance out, and gives it back when it has ended. The first instance is there from the start;
//! the others are started when they are first needed, by the call that needs them, and so is what takes the place
//! of one that broke. A stream that an instance gave checks it out again for each value; what it gave to be awaited keeps it
//! until that is done.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use modrack_core::{
    AtEnd, Call, Cancel, Chain, Due, Error, Footprint, Function, Instance, Instances, Lease, Phase, Remains,
    Result, Signature, State, Value,
};

use super::Recipe;
use super::places::Places;
use super::streams::leased;
use super::waits::{self, Until, Why};
use crate::error;
use crate::functions::{ByFunction, FunctionId, FunctionNames};

/// The instances, behind one.
pub(super) struct Pooled(Arc<Pool>);

struct Pool {
    recipe: Recipe,
    policy: Instances,
    places: Arc<Places>,
    seated: Box<[ArcSwapOption<Seated>]>,
    names: Vec<String>,
    functions: FunctionNames,
    stopped: AtomicBool,
    /// Whether calls are to end, also those of instances that are started later.
    ending: AtomicBool,
}

/// An instance in its place, with the functions that were asked of it.
struct Seated {
    instance: Arc<dyn Instance>,
    functions: ByFunction<Arc<dyn Function>>,
}

/// A function of whichever instance is checked out.
struct PooledFunction {
    pool: Arc<Pool>,
    id: FunctionId,
    name: String,
    signature: Option<Signature>,
}

/// An instance that a stream is read from: it takes its turn for each value, as a call does.
struct Stream {
    pool: Arc<Pool>,
    at: usize,
    seated: Arc<Seated>,
    name: String,
}

/// An instance that is checked out for a call that goes on when its function has returned.
struct GoesOn {
    pool: Arc<Pool>,
    at: usize,
}

/// An instance that is checked out, until this goes.
struct Turn<'a> {
    pool: &'a Pool,
    at: usize,
}

impl Pooled {
    /// `count` places, with `first` in the first of them.
    pub(super) fn make(
        recipe: Recipe,
        first: Arc<dyn Instance>,
        count: u32,
        policy: Instances,
    ) -> Arc<dyn Instance> {
        let places = Arc::new(Places::new(recipe.slot.name().clone(), count));
        let seated: Box<[_]> = (0..places.count()).map(|_| ArcSwapOption::empty()).collect();
        let names = first.names();
        seated[0].store(Some(Arc::new(Seated { instance: first, functions: ByFunction::default() })));
        let functions = FunctionNames::default();
        let [stopped, ending] = [AtomicBool::new(false), AtomicBool::new(false)];
        Arc::new(Self(Arc::new(Pool { recipe, policy, places, seated, names, functions, stopped, ending })))
    }
}

impl Pool {
    /// Checks an instance out; waits in the queue if none is free.
    #[inline]
    fn turn(&self, deadline: Option<Instant>, cancel: Option<&Cancel>) -> Result<Turn<'_>> {
        let at = match self.places.take() {
            Some(at) => at,
            None => self.queue(None, deadline, cancel)?,
        };
        self.begun(at)
    }

    /// Checks the instance at that place out; waits in the queue if it is not free.
    fn turn_at(&self, at: usize) -> Result<Turn<'_>> {
        let at = if self.places.take_at(at) { at } else { self.queue(Some(at), None, None)? };
        self.begun(at)
    }

    #[inline]
    fn begun(&self, at: usize) -> Result<Turn<'_>> {
        let turn = Turn { pool: self, at };
        if self.stopped.load(Ordering::Acquire) { Err(error::stopped()) } else { Ok(turn) }
    }

    #[cold]
    fn queue(
        &self,
        which: Option<usize>,
        deadline: Option<Instant>,
        cancel: Option<&Cancel>,
    ) -> Result<usize> {
        if Chain::may_not_wait() {
            return Err(error::may_not_wait());
        }
        let (outer_deadline, outer_cancel) = Chain::bounds();
        let until = Until {
            deadline: deadline.into_iter().chain(outer_deadline).min(),
            cancel: cancel.or(outer_cancel.as_ref()),
            stopped: &|| self.stopped.load(Ordering::Acquire),
        };
        self.wait(which, &until).map_err(|why| match why {
            Why::Circle(slots) => error::reentered(&slots, self.policy),
            Why::Late => error::queue_late(self.policy),
            Why::Cancelled => error::cancelled(),
            Why::Stopped => error::stopped(),
        })
    }

    fn wait(&self, which: Option<usize>, until: &Until<'_>) -> Result<usize, Why> {
        let ticket = waits::enter(&self.places, which)?;
        let mut got = Got { places: &self.places, at: Err(Why::Stopped) };
        self.recipe.waiting(&mut || got.at = waits::wait(&self.places, &ticket, until));
        std::mem::replace(&mut got.at, Err(Why::Stopped))
    }
}

/// The place that a wait has got, given back if whoever lets go for it panics.
struct Got<'a> {
    places: &'a Places,
    at: Result<usize, Why>,
}

impl Drop for Got<'_> {
    fn drop(&mut self) {
        if let Ok(at) = self.at {
            self.places.give_back(at);
        }
    }
}

impl Turn<'_> {
    /// Runs `run` with the instance that is checked out, started now if there is none; gives it up if it
    /// broke.
    fn run<R>(&self, run: impl FnOnce(&Arc<Seated>) -> Result<R>) -> Result<R> {
        let place = &self.pool.seated[self.at];
        let mut seated = place.load();
        if seated.is_none() {
            let instance = self.pool.recipe.start()?;
            place.store(Some(Arc::new(Seated { instance, functions: ByFunction::default() })));
            seated = place.load();
            // Behind `store`: whoever has calls end either sees the instance, or is seen.
            fence(Ordering::SeqCst);
            if let Some(seated) = &*seated
                && self.pool.ending.load(Ordering::SeqCst)
            {
                seated.instance.end_calls();
            }
        }
        match &*seated {
            Some(seated) => self.run_with(seated, run),
            None => Err(error::internal("An instance went from its place")),
        }
    }

    #[inline]
    fn run_with<R>(&self, seated: &Arc<Seated>, run: impl FnOnce(&Arc<Seated>) -> Result<R>) -> Result<R> {
        match run(seated) {
            Err(why) => Err(self.failed(seated, why)),
            done => done,
        }
    }

    #[cold]
    #[inline(never)]
    fn failed(&self, seated: &Arc<Seated>, why: Error) -> Error {
        // What a stream is read from may have been given up before.
        let is_there = |there: &Arc<Seated>| Arc::ptr_eq(there, seated);
        if seated.instance.broken() && self.pool.seated[self.at].load().as_ref().is_some_and(is_there) {
            self.pool.seated[self.at].store(None);
            self.pool.recipe.give_up(&*seated.instance, &why);
        }
        why
    }
}

impl Turn<'_> {
    /// The same, of a call that has not ended though its function has returned.
    #[cold]
    fn goes_on(self, pool: &Arc<Pool>) -> GoesOn {
        let at = self.at;
        std::mem::forget(self);
        GoesOn { pool: pool.clone(), at }
    }
}

impl AtEnd for GoesOn {}

impl Drop for GoesOn {
    fn drop(&mut self) {
        self.pool.places.give_back(self.at);
    }
}

impl Drop for Turn<'_> {
    #[inline]
    fn drop(&mut self) {
        self.pool.places.give_back(self.at);
    }
}

impl Seated {
    /// The function called `name`, found once.
    #[inline]
    fn function(&self, id: FunctionId, name: &str) -> Result<&Arc<dyn Function>> {
        match self.functions.get(id) {
            Some(function) => Ok(function),
            None => {
                let function = self.instance.function(name)?;
                self.functions.fill(id, function).ok_or_else(error::too_many_functions)
            }
        }
    }
}

impl Function for PooledFunction {
    fn call(&self, call: Call<'_>) -> Result<Value> {
        let turn = self.pool.turn(call.deadline, call.cancel)?;
        let value = turn.run(|seated| {
            let function = seated.function(self.id, &self.name)?;
            let value = Chain::bounded(&call, || function.call(call))?;
            Ok(leased(value, || self.stream(turn.at, seated)))
        })?;
        if let Some(later) = value.later() {
            later.at_end(Box::new(turn.goes_on(&self.pool)));
        }
        Ok(value)
    }

    fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }
}

impl PooledFunction {
    #[cold]
    fn stream(&self, at: usize, seated: &Arc<Seated>) -> Stream {
        Stream { pool: self.pool.clone(), at, seated: seated.clone(), name: self.name.clone() }
    }
}

impl Lease for Stream {
    fn read(&self, read: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let (callers, _) = Chain::bounds();
        let due = Due::nearer(self.pool.recipe.limits.time, callers, Instant::now);
        let within = Call { deadline: due.at, ..Call::default() };
        Chain::bounded(&within, || {
            if Chain::is_of(self.pool.places.holder(self.at)) {
                // Who reads it is in the instance already, and what breaks there that call is asked for; who stopped it has
                // its place for good.
                return if self.pool.stopped.load(Ordering::Acquire) {
                    Err(error::stopped())
                } else {
                    read()
                };
            }
            let turn = self.pool.turn_at(self.at)?;
            read().map_err(|why| turn.failed(&self.seated, why))
        })
        .map_err(|error| due.named(&self.name, error, Instant::now))
    }

    fn end(&self) {}
}

impl Instance for Pooled {
    fn function(&self, name: &str) -> Result<Arc<dyn Function>> {
        let pool = &self.0;
        let (id, signature) = pool.turn(None, None)?.run(|seated| {
            let function = seated.instance.function(name)?;
            let id = pool.functions.add(name);
            let signature = function.signature().cloned();
            seated.functions.fill(id, function);
            Ok((id, signature))
        })?;
        Ok(Arc::new(PooledFunction { pool: pool.clone(), id, name: name.to_owned(), signature }))
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        if self.0.policy != Instances::One {
            return Err(error::no_attributes(name, self.0.policy));
        }
        self.0.turn(None, None)?.run(|seated| seated.instance.attribute(name))
    }

    fn names(&self) -> Vec<String> {
        self.0.names.clone()
    }

    fn export_state(&self) -> Result<Option<State>> {
        if self.0.policy != Instances::One {
            return Err(error::no_state(self.0.policy));
        }
        self.0.turn(None, None)?.run(|seated| seated.instance.export_state())
    }

    fn import_state(&self, state: &State) -> Result<bool> {
        if self.0.policy != Instances::One {
            return Ok(false);
        }
        self.0.turn(None, None)?.run(|seated| seated.instance.import_state(state))
    }

    fn end_calls(&self) -> bool {
        self.0.ending.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let seated = self.0.seated.iter().filter_map(|place| place.load_full());
        seated.fold(false, |any, seated| any | seated.instance.end_calls())
    }

    fn stop(&self, within: Duration) -> Result<()> {
        let pool = &self.0;
        if pool.stopped.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        waits::wake(&pool.places);
        // Each place once: what is in a call may not be shut down meanwhile. They are never given back.
        let deadline = Instant::now().checked_add(within);
        let until = Until { deadline, cancel: None, stopped: &|| false };
        let mut failed = Vec::new();
        for _ in 0..pool.places.count() {
            let at = match pool.places.take() {
                Some(at) => at,
                None => match pool.wait(None, &until) {
                    Ok(at) => at,
                    Err(_) => {
                        failed.push(error::still_called(pool.places.held()));
                        break;
                    }
                },
            };
            if let Some(seated) = pool.seated[at].swap(None)
                && let Err(why) = seated.instance.stop(within)
            {
                failed.push(pool.recipe.blame(why, Phase::Stop));
            }
        }
        Error::all(failed).map_or(Ok(()), Err)
    }

    fn remains(&self) -> Vec<Arc<dyn Remains>> {
        let seated = self.0.seated.iter().filter_map(|place| place.load_full());
        seated.flat_map(|seated| seated.instance.remains()).collect()
    }

    fn footprint(&self) -> Footprint {
        let mut all = Footprint::default();
        for seated in &self.0.seated {
            if let Some(seated) = &*seated.load() {
                let one = seated.instance.footprint();
                all.bytes = all.bytes.into_iter().chain(one.bytes).reduce(|sum, more| sum + more);
                all.kept += one.kept;
                all.hash = all.hash.or(one.hash);
            }
        }
        all.calls = self.0.places.held() as u64;
        all
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
