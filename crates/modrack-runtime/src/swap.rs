//! Swaps: what fills slots is replaced as one transaction, while the slots are being called.
//!
//! Fetch, match, start, carry, probe, switch, drain, retire. Whatever fails before the switch leaves everything as it
//! was. Several slots are replaced together or not at all, and no call sees a mixture, because the switch is one
//! publishing of one slot table. This page is what is asked for and what is answered; the steps are in the files
//! beside it.

mod back;
mod carry;
mod chores;
mod configure;
mod janitor;
mod left;
mod matching;
mod member;
mod order;
pub(crate) mod probe;
mod retire;
mod transaction;
mod turns;
mod undo;
mod unload;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use modrack_core::plan::{RackPlan, SlotPlan};
use modrack_core::{ContentHash, Error, GenerationId, Origin, Result, SlotName};

use crate::error;
use crate::generation::Generation;
use crate::rack::Rack;
use crate::seat::{Seat, SlotCore};

pub use configure::{ConfigureFailed, Configured};
pub(crate) use janitor::Janitor;
pub use left::Held;
pub(crate) use turns::Turns;

/// A step of a swap, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The new module is found and read.
    Fetch,
    /// It is held against its contract, its parameters, and the functions that are in use.
    Match,
    /// It is loaded and started, beside the old one.
    Start,
    /// State is carried over.
    Carry,
    /// It must answer as configured.
    Probe,
    /// It serves from here on.
    Switch,
    /// The old one's calls are waited for.
    Drain,
    /// The old one is stopped.
    Retire,
}

/// What is to fill slots from now on: all of them, or none.
#[derive(Clone, Debug, Default)]
pub struct Swap {
    changes: Vec<Change>,
    force: bool,
    leaves_state: bool,
    fills: bool,
    asked: Asked,
}

/// Who asked for a change, and why, as a history shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
}

/// What is to fill one slot.
#[derive(Clone, Debug)]
struct Change {
    slot: SlotName,
    /// What the slot is to be; none is what it is, read anew.
    to: Option<Box<SlotPlan>>,
    /// From where its content is loaded, whatever its `use` leads to.
    origin: Option<Origin>,
}

/// A swap that was done.
#[derive(Clone, Debug)]
pub struct Swapped {
    /// What serves now, in the order in which it was asked for.
    pub slots: Vec<Served>,
    /// How long it took from the last probe until the new modules served.
    pub switch: Duration,
    /// What became of the modules that served before.
    pub before: Before,
    /// What the old modules' shutdowns failed with.
    pub stopped: Vec<Error>,
}

/// What serves in a slot.
#[derive(Clone, Debug)]
pub struct Served {
    /// The slot.
    pub slot: SlotName,
    /// What tells how the slot was filled from what was begun beside it; [`Coming`](crate::Coming) has the same.
    pub seat: u64,
    /// The module.
    pub module: String,
    /// Its generation.
    pub generation: GenerationId,
    /// The hash of its content; none for what the interpreter imports by itself.
    pub hash: Option<ContentHash>,
    /// The generation that served before; none when nothing did.
    pub replaced: Option<GenerationId>,
    /// The hash of that one's content.
    pub was: Option<ContentHash>,
    /// Whether state was carried over.
    pub carried: bool,
    /// What the slot is meant to be.
    pub plan: Arc<SlotPlan>,
    /// From where its content can be loaded again.
    pub kept: Option<Origin>,
    /// Whether it was loaded from content that was kept, whatever the plan's `use` leads to.
    pub pinned: bool,
}

/// What became of the modules that served before a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing served.
    Nothing,
    /// They are stopped.
    Stopped,
    /// They are kept, to go back to, until the new modules' trial has ended.
    Parked,
    /// Their last calls are waited for by the rack, for as long as calls are waited for.
    Draining,
    /// A call of theirs goes on past that, and cannot be ended: they are stopped when it has ended.
    Lingering,
}

/// A swap that came to nothing: what served before serves still.
#[derive(Clone, Debug)]
pub struct SwapFailed {
    /// The step that failed.
    pub step: Step,
    /// The slot whose step it was.
    pub slot: SlotName,
    /// Why.
    pub error: Error,
}

impl Step {
    /// The step's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Match => "match",
            Self::Start => "start",
            Self::Carry => "carry",
            Self::Probe => "probe",
            Self::Switch => "switch",
            Self::Drain => "drain",
            Self::Retire => "retire",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SwapFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The swap of `{}` failed at its step `{}`: {}", self.slot, self.step, self.error)
    }
}

impl std::error::Error for SwapFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Swap {
    /// The slot's module, read anew.
    pub fn reload(slot: SlotName) -> Self {
        Self { changes: vec![Change { slot, to: None, origin: None }], ..Self::default() }
    }

    /// A slot as `plan` describes it.
    pub fn to(plan: SlotPlan) -> Self {
        let change = Change { slot: plan.name.clone(), to: Some(Box::new(plan)), origin: None };
        Self { changes: vec![change], ..Self::default() }
    }

    /// From the content that stands at `origin`, whatever the `use` of the slot named last leads to: how a module that a
    /// [`Keeper`](crate::Keeper) has kept comes back.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        if let Some(last) = self.changes.last_mut() {
            last.origin = Some(origin);
        }
        self
    }

    /// This and `other` as one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.changes.extend(other.changes);
        self.force |= other.force;
        self.leaves_state |= other.leaves_state;
        self.fills |= other.fills;
        self
    }

    /// Lets functions in use go, and state that the new module does not take.
    #[must_use]
    pub fn force(self, force: bool) -> Self {
        Self { force, ..self }
    }

    /// Carries no state over.
    #[must_use]
    pub fn leaving_state(self, leaves_state: bool) -> Self {
        Self { leaves_state, ..self }
    }

    /// Leaves slots as they are that something fills: it is one load with that of a call that comes meanwhile, and whoever
    /// began waits for nobody, and is waited for.
    #[must_use]
    pub fn filling(self) -> Self {
        Self { fills: true, ..self }
    }

    /// Says who asks for it, and why.
    #[must_use]
    pub fn asked(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }
}

impl Rack {
    /// Replaces what fills slots, all of them or none, while they are being called.
    ///
    /// Gives back control when the new modules serve and the old ones have been drained, parked or left to the rack.
    ///
    /// # Errors
    /// The step that failed, and why. Everything is as it was.
    pub fn swap(&self, swap: &Swap) -> Result<Swapped, SwapFailed> {
        transaction::run(self.core(), swap)
    }

    /// Does the swap that `make` gives when it is the turn of `slots`, and tells `then` how that went: nothing else replaces what fills
    /// them between. The swap may speak of no other slots.
    ///
    /// # Errors
    /// What `make` fails with, and as [`Rack::swap`].
    pub fn swap_when(
        &self,
        slots: &[SlotName],
        make: impl FnOnce() -> Result<Swap, SwapFailed>,
        then: impl FnOnce(&Result<Swapped, SwapFailed>),
    ) -> Result<Swapped, SwapFailed> {
        transaction::run_when(self.core(), slots, make, then)
    }

    /// Has the rack be what `plan` says from now on, while its slots are being called: the difference to the plan in force is
    /// applied as one swap, together with `more`.
    ///
    /// Slots that mean what they meant keep what fills them, a swap that brought something else than the plan said
    /// included. Slots that mean something else are replaced with all steps, if anything fills them; else, as those that
    /// are new, they are loaded when they are called, unless `more` names them. Slots that the plan has no more are gone
    /// with the switch: their calls end, and new ones find no such slot until it is there again.
    ///
    /// # Errors
    /// What cannot change while the rack runs, a contract that cannot be read, or the step that failed. Everything is as
    /// it was.
    pub fn configure(&self, plan: RackPlan, more: &Swap) -> Result<Configured, ConfigureFailed> {
        self.configure_when(|_| Ok((plan.clone(), more.clone())), |_| ())
    }

    /// Has the rack be what the plan says that `make` gives when nobody else configures it, as [`Rack::configure`], and tells `then`
    /// how that went, before anybody else does.
    ///
    /// `make` is told of which slots it is the turn: nothing else replaces what fills those until all is done. It is asked
    /// again, with more of them, until what it gives concerns no others; what it gave before is forgotten.
    ///
    /// # Errors
    /// What `make` fails with, and as [`Rack::configure`].
    pub fn configure_when(
        &self,
        make: impl FnMut(&[SlotName]) -> Result<(RackPlan, Swap), ConfigureFailed>,
        then: impl FnOnce(&Result<Configured, ConfigureFailed>),
    ) -> Result<Configured, ConfigureFailed> {
        configure::configure_when(self.core(), make, then)
    }

    /// Does `run` when nobody else configures the rack; it may not configure it itself.
    ///
    /// # Errors
    /// [`modrack_core::Code::SwapInside`] where that would wait for itself; [`modrack_core::Code::RackStopped`].
    pub fn configuring<R>(&self, run: impl FnOnce() -> R) -> Result<R> {
        configure::configuring(self.core(), run)
    }

    /// Goes back to what filled the slot before its last swap, and those that were replaced with it and not again since.
    ///
    /// Gives back control when they serve; the rack waits for the last calls of those that they replace, and stops them.
    ///
    /// # Errors
    /// [`modrack_core::Code::NothingBefore`] when it is not kept any more, or what carrying state back failed with.
    pub fn rollback(&self, slot: &SlotName, asked: Asked) -> Result<Swapped, SwapFailed> {
        back::rollback(self.core(), slot, true, asked)
    }

    /// As [`Rack::rollback`], with the state of what is left staying behind: what comes back has what it had.
    ///
    /// # Errors
    /// [`modrack_core::Code::NothingBefore`] when it is not kept any more.
    pub fn rollback_without_state(&self, slot: &SlotName, asked: Asked) -> Result<Swapped, SwapFailed> {
        back::rollback(self.core(), slot, false, asked)
    }

    /// Stops what fills the slot, once its calls have ended. The next call loads it anew.
    ///
    /// # Errors
    /// [`modrack_core::Code::UnknownSlot`]; [`modrack_core::Code::Unsupported`] of an object of the program; of a slot with
    /// `overlap: false`, calls that did not end in time.
    pub fn unload(&self, slot: &SlotName, asked: Asked) -> Result<Before, SwapFailed> {
        unload::unload(self.core(), slot, asked, None)
    }

    /// As [`Rack::unload`]; what the next call loads comes from `origin`, whatever the slot's `use` leads to.
    ///
    /// # Errors
    /// As [`Rack::unload`].
    pub fn unload_to(&self, slot: &SlotName, origin: Origin, asked: Asked) -> Result<Before, SwapFailed> {
        unload::unload(self.core(), slot, asked, Some(origin))
    }

    /// The generations that serve no new calls and are not stopped: parked ones, and those whose last calls are waited for.
    pub fn kept(&self) -> Vec<Kept> {
        self.core().janitor().kept()
    }

    /// The generations that were stopped and whose memory does not go, because somebody holds it.
    pub fn held(&self) -> Vec<Held> {
        self.core().janitor().held()
    }
}

/// A generation that is kept or waited for, for who lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The slot that it filled.
    pub slot: SlotName,
    /// The generation.
    pub generation: GenerationId,
    /// Whether it is parked, is drained, or lingers.
    pub state: Before,
}

impl Swapped {
    /// A swap of nothing.
    fn nothing() -> Self {
        Self { slots: Vec::new(), switch: Duration::ZERO, before: Before::Nothing, stopped: Vec::new() }
    }
}

impl SwapFailed {
    fn new(step: Step, slot: &SlotCore, error: Error) -> Self {
        Self { step, slot: slot.name().clone(), error: error.slot(slot.name()) }
    }
}

impl Served {
    pub(crate) fn of(
        seat: &Seat,
        generation: &Generation,
        replaced: Option<&Generation>,
        carried: bool,
    ) -> Self {
        Self {
            slot: seat.slot().name().clone(),
            seat: seat.id(),
            module: generation.checked().module(),
            generation: generation.id(),
            hash: generation.checked().description.hash.clone(),
            replaced: replaced.map(Generation::id),
            was: replaced.and_then(|old| old.checked().description.hash.clone()),
            carried,
            plan: seat.plan().clone(),
            kept: seat.kept().get().and_then(|kept| (*kept).clone()).or_else(|| seat.origin().cloned()),
            pinned: seat.origin().is_some(),
        }
    }
}

type Stepped<T> = Result<T, SwapFailed>;

/// Runs a step, in which modules may run; a panic is a failure like any other.
fn guarded<T>(step: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|payload| Err(error::step_panicked(&*payload)))
}
