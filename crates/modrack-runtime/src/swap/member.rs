//! A slot that is being swapped: what it was, what it is to be, and how far that has come.

use std::sync::Arc;

use modrack_core::plan::{Carrying, SwapPlan};
use modrack_core::{Error, Result, State};

use super::{Change, Served, Step, Stepped, SwapFailed, guarded};
use crate::error;
use crate::gate::Gate;
use crate::generation::Generation;
use crate::load::{self, Claim};
use crate::rack::RackCore;
use crate::seat::{Seat, SlotCore};

/// What comes to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// A module that is started.
    Module,
    /// What has served before, and was kept.
    Back,
    /// Another plan for what is not loaded.
    Plan,
    /// Nothing: the slot goes.
    End,
}

/// A slot that is being swapped.
pub(super) struct Member {
    pub(super) slot: Arc<SlotCore>,
    /// What it is held to while it is swapped.
    pub(super) rules: SwapPlan,
    pub(super) old: Arc<Seat>,
    pub(super) new: Arc<Seat>,
    pub(super) comes: Comes,
    /// Whether state is carried over.
    pub(super) carries: bool,
    /// What was carried out of the old module.
    pub(super) state: Option<State>,
    /// Why nothing was, where the new one does not need it: what is started again will miss it.
    pub(super) lost: Option<Error>,
    pub(super) carried: bool,
    /// What the new one had itself, before it was given that.
    pub(super) own: Option<State>,
    pub(super) gate: Option<Arc<Gate>>,
    /// Whether the old generation was stopped to make room.
    pub(super) stopped: bool,
    /// The load of the old seat, which nothing fills, until it has ended.
    claim: Option<Claim>,
    /// Whether it is a load of what nothing fills.
    pub(super) fills: bool,
}

impl Member {
    /// The slot, to be filled anew.
    pub(super) fn coming(rack: &RackCore, slot: Arc<SlotCore>, change: &Change) -> Stepped<Self> {
        let old = seat(rack, &slot)?;
        if change.to.is_none() && old.is_given() {
            return Err(SwapFailed::new(Step::Fetch, &slot, error::of_program(slot.name())));
        }
        let plan = change.to.as_ref().map_or_else(|| old.plan().clone(), |plan| Arc::new((**plan).clone()));
        let configuration = rack.cell().pin().configuration().clone();
        let new = old.planned(plan, configuration).coming(change.origin.clone());
        Ok(Self::filled(old, new))
    }

    /// The slot that `old` fills, to be filled by a module in `new`.
    pub(super) fn filled(old: Arc<Seat>, new: Seat) -> Self {
        Self::new(Comes::Module, Self::rules(&old, &new), old, Arc::new(new))
    }

    /// What the new plan says of swaps. What either says must not run twice does not run beside the other.
    fn rules(old: &Seat, new: &Seat) -> SwapPlan {
        let rules = new.plan().swap.clone();
        SwapPlan { overlap: rules.overlap && (old.is_gone() || old.plan().swap.overlap), ..rules }
    }

    /// The slot that nothing fills and nothing will, to have `new`'s plan.
    pub(super) fn planned(old: Arc<Seat>, new: Seat) -> Self {
        // Who still finds the old plan may load by it.
        let rules = Self::rules(&old, &new);
        new.left().set(old.left().get());
        Self { carries: false, ..Self::new(Comes::Plan, rules, old, Arc::new(new)) }
    }

    /// The slot that `old` fills, to be gone.
    pub(super) fn ended(old: Arc<Seat>) -> Self {
        let new = Arc::new(old.gone());
        let rules = old.plan().swap.clone();
        Self { carries: false, ..Self::new(Comes::End, rules, old, new) }
    }

    /// The slot that `new` fills, to be filled by what filled it before.
    pub(super) fn back(old: Arc<Seat>, new: Arc<Seat>, carries: bool) -> Self {
        let newer = new.plan().swap.clone();
        // State changes its form on the way back, too. A migrator is told both versions.
        let migrate = newer.migrate.clone().or_else(|| old.plan().swap.migrate.clone());
        let rules = SwapPlan { migrate, overlap: true, ..newer };
        Self { carries, ..Self::new(Comes::Back, rules, new, old) }
    }

    fn new(comes: Comes, rules: SwapPlan, old: Arc<Seat>, new: Arc<Seat>) -> Self {
        Self {
            slot: new.slot().clone(),
            rules,
            old,
            new,
            comes,
            carries: true,
            state: None,
            lost: None,
            carried: false,
            own: None,
            gate: None,
            stopped: false,
            claim: None,
            fills: false,
        }
    }

    /// Takes the load of the slot over, unless something fills it.
    ///
    /// # Errors
    /// What somebody else's load, which was waited for, failed with.
    pub(super) fn fill(&mut self, rack: &Arc<RackCore>) -> Result<()> {
        self.claim = load::claim(rack, &self.old)?;
        self.fills = self.claim.is_some();
        // Who waits for it comes to the new module with tables that have the old seat.
        self.new.is_in(self.old.since());
        Ok(())
    }

    /// Tells those who wait for the slot's load that it is filled, or why it is not.
    pub(super) fn end_claim(&mut self, failed: Option<&Error>) {
        let Some(claim) = self.claim.take() else { return };
        match (failed, self.new.generation()) {
            (None, Some(new)) => claim.end(Ok(new.clone())),
            (Some(why), _) => claim.end(Err(why.clone())),
            (None, None) => drop(claim),
        }
    }

    /// What fills the slot before the swap.
    pub(super) fn before(&self) -> Option<&Arc<Generation>> {
        // The old seat is given what comes.
        self.old.generation().filter(|_| !self.fills)
    }

    /// Whether calls are to be held back meanwhile.
    pub(super) fn needs_gate(&self) -> bool {
        if self.fills {
            // Nothing runs that they could reach, and they wait for the load.
            return false;
        }
        let alone = !self.rules.overlap || (self.carries && self.rules.state == Carrying::Exclusive);
        alone && !self.old.is_gone()
    }

    /// Whether what was there may come back when the new modules do not stand their trial.
    pub(super) fn can_come_back(&self) -> bool {
        !self.old.is_gone() && self.comes != Comes::Plan
    }

    /// Whether a module is started for it.
    pub(super) fn starts(&self) -> bool {
        self.comes == Comes::Module
    }

    /// What serves, once it does.
    pub(super) fn served(&self) -> Option<Served> {
        if !matches!(self.comes, Comes::Module | Comes::Back) {
            return None;
        }
        let replaced = self.before().map(|old| &**old);
        Some(Served::of(&self.new, self.new.generation()?, replaced, self.carried))
    }

    /// The seat that serves when the swap has come to nothing: the old one, or one for the same module if that was stopped.
    pub(super) fn old_again(&mut self) -> Arc<Seat> {
        if !self.stopped {
            return self.old.clone();
        }
        let seat = Arc::new(self.old.again());
        // Calls that were held back come to it with tables that are older than the one it is published with.
        seat.is_in(self.old.since());
        // Whoever starts it has it take this over: a neighbour that calls it first, or a call that comes when it could not be
        // started now.
        seat.left().set(self.state.take().map(Arc::new));
        seat.serves_again();
        seat
    }

    /// Starts what was stopped again, in the seat that is to serve.
    ///
    /// # Errors
    /// What that failed with, or that it is not what it was; the seat serves all the same.
    pub(super) fn start_again(&self, rack: &Arc<RackCore>, seat: &Arc<Seat>) -> Result<()> {
        if !self.stopped {
            return Ok(());
        }
        guarded(|| {
            let generation = load::generation(rack, seat, None)?;
            if let Some(why) = seat.not_taken().get().or(self.lost.as_ref()) {
                return Err(why.clone());
            }
            let was = self.old.generation().map(|old| old.checked().description.hash.clone());
            let is_same = was.as_ref() == Some(&generation.checked().description.hash);
            if is_same { Ok(()) } else { Err(error::restarted_other()) }
        })
    }
}

/// The slot's seat in the current table.
pub(super) fn seat(rack: &RackCore, slot: &SlotCore) -> Stepped<Arc<Seat>> {
    let table = rack.cell().pin();
    let seat = table.seat(slot.index()).cloned();
    seat.ok_or_else(|| SwapFailed::new(Step::Fetch, slot, error::internal("A slot that is not in the table")))
}
