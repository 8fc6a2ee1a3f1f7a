//! The steps of a swap, in order.
//!
//! New generations are made beside the old ones, in seats of no published table; the switch publishes one table with
//! all of them. A swap that may lose no state, or whose module cannot run twice, first publishes a table with gates in
//! those seats: calls that come wait there, and calls that are under way end on what they began on. No lock is held while
//! a module runs, and a panic in one is a failure of its step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use modrack_core::{Error, Phase, Result, SlotName};

use super::janitor::{Parked, ParkedSlot};
use super::member::{Comes, Member};
use super::retire::{drained, leave_empty, not_drained, publish, publish_under, retire};
use super::{Asked, Before, Step, Stepped, Swap, SwapFailed, Swapped, carry, guarded, matching, probe};
use crate::configuration::Configuration;
use crate::error;
use crate::events::Event;
use crate::gate::Gate;
use crate::keeper::Coming;
use crate::load;
use crate::rack::RackCore;
use crate::scope;
use crate::seat::SlotCore;
use crate::tables;
use crate::verify;

/// A swap that is under way.
pub(super) struct Transaction<'a> {
    pub(super) rack: &'a Arc<RackCore>,
    pub(super) members: Vec<Member>,
    force: bool,
    pub(super) asked: Asked,
    /// What the rack is configured to be from the switch on, if that changes.
    next: Option<Next>,
    /// How the new modules' own calls find what comes with them, until the switch.
    coming: tables::Coming<'a>,
    /// How the old modules' own calls find what was there with them, gates or not.
    before: tables::Coming<'a>,
    /// The version of the table with gates, once there is one.
    gated: Option<u64>,
}

/// A configuration that comes with a swap.
pub(super) struct Next {
    pub(super) configuration: Arc<Configuration>,
    /// Whether what is not loaded may be found or checked in another way than before.
    pub(super) renews: bool,
}

/// Does a swap.
pub(super) fn run(rack: &Arc<RackCore>, swap: &Swap) -> Stepped<Swapped> {
    let names: Vec<_> = swap.changes.iter().map(|change| change.slot.clone()).collect();
    run_when(rack, &names, || Ok(swap.clone()), |_| ())
}

/// Does the swap that `make` gives, when it is the turn of the slots called so, and tells `then` in that turn how it went.
pub(super) fn run_when(
    rack: &Arc<RackCore>,
    names: &[SlotName],
    make: impl FnOnce() -> Stepped<Swap>,
    then: impl FnOnce(&Stepped<Swapped>),
) -> Stepped<Swapped> {
    let turn_of = slots(rack, names)?;
    let Some(first) = turn_of.first() else { return Ok(Swapped::nothing()) };
    let failed = |error| SwapFailed::new(Step::Fetch, first, error);
    let indexes: Vec<_> = turn_of.iter().map(|slot| slot.index()).collect();
    let _turn = rack.turns().take(rack, indexes).map_err(failed)?;
    let done = make().and_then(|swap| in_turn(rack, &turn_of, &swap));
    then(&done);
    done
}

/// Does a swap of slots whose turn it is.
fn in_turn(rack: &Arc<RackCore>, turn_of: &[Arc<SlotCore>], swap: &Swap) -> Stepped<Swapped> {
    let names: Vec<_> = swap.changes.iter().map(|change| change.slot.clone()).collect();
    let slots = slots(rack, &names)?;
    let is_in_turn = |slot: &Arc<SlotCore>| turn_of.iter().any(|held| held.index() == slot.index());
    if let Some(other) = slots.iter().find(|slot| !is_in_turn(slot)) {
        let error = error::internal("A swap of a slot whose turn it is not");
        return Err(SwapFailed::new(Step::Fetch, other, error));
    }
    let mut members = Vec::new();
    for (slot, change) in slots.into_iter().zip(&swap.changes) {
        let mut member = Member::coming(rack, slot, change)?;
        member.carries &= !swap.leaves_state;
        members.push(member);
    }
    if swap.fills
        && let Err(failed) = fill(rack, &mut members)
    {
        // Who waits for what was claimed by then is told why nothing came.
        return Err(Transaction::new(rack, members, swap.force, swap.asked.clone(), None).undo(failed));
    }
    Transaction::new(rack, members, swap.force, swap.asked.clone(), None).run()
}

/// Takes the loads of all of these slots over; those that something fills are left out.
fn fill(rack: &Arc<RackCore>, members: &mut Vec<Member>) -> Stepped<()> {
    for m in members.iter_mut() {
        m.fill(rack).map_err(|error| SwapFailed::new(Step::Start, &m.slot, error))?;
    }
    members.retain(|m| m.fills);
    Ok(())
}

/// The slots that a swap speaks of, each once.
fn slots(rack: &Arc<RackCore>, names: &[SlotName]) -> Stepped<Vec<Arc<SlotCore>>> {
    let mut slots: Vec<Arc<SlotCore>> = Vec::new();
    for name in names {
        let slot = slot(rack, name)?;
        if slots.iter().any(|other| other.index() == slot.index()) {
            return Err(SwapFailed::new(Step::Fetch, &slot, error::swapped_twice()));
        }
        slots.push(slot);
    }
    Ok(slots)
}

/// The slot called `name`.
pub(super) fn slot(rack: &Arc<RackCore>, name: &SlotName) -> Stepped<Arc<SlotCore>> {
    rack.slot_named(name).map_err(|error| SwapFailed { step: Step::Fetch, slot: name.clone(), error })
}

impl<'a> Transaction<'a> {
    /// A swap of these slots.
    pub(super) fn new(
        rack: &'a Arc<RackCore>,
        members: Vec<Member>,
        force: bool,
        asked: Asked,
        next: Option<Next>,
    ) -> Self {
        let configuration = next.as_ref().map(|next| next.configuration.clone());
        let coming = rack.cell().coming(members.iter().map(|m| m.new.clone()).collect(), configuration);
        let olds = members.iter().filter(|m| m.before().is_some()).map(|m| m.old.clone());
        let before = rack.cell().coming(olds.collect(), None);
        Self { rack, members, force, asked, next, coming, before, gated: None }
    }

    /// Everything.
    pub(super) fn run(mut self) -> Stepped<Swapped> {
        if self.members.is_empty() {
            return Ok(Swapped::nothing());
        }
        match self.until_switch() {
            Ok((switch, version)) => Ok(self.finish(switch, version)),
            Err(failed) => Err(self.undo(failed)),
        }
    }

    /// Everything up to the switch, and that: how long it took, and the version of the table that serves.
    pub(super) fn until_switch(&mut self) -> Stepped<(Duration, u64)> {
        // Who waits at a gate goes on whatever happens before it is to open.
        let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare()));
        prepared.unwrap_or_else(|payload| {
            let step = if self.gated.is_some() { Step::Drain } else { Step::Fetch };
            Err(self.failed(0, step, error::step_panicked(&*payload)))
        })?;
        let began = Instant::now();
        let version = self.publish();
        let version = version.ok_or_else(|| self.failed(0, Step::Switch, error::stopped()))?;
        for m in &mut self.members {
            if let Some(gate) = m.gate.take() {
                gate.open(m.new.clone());
            }
            m.end_claim(None);
        }
        Ok((began.elapsed(), version))
    }

    /// Everything up to the switch.
    fn prepare(&mut self) -> Stepped<()> {
        let gated = self.members.iter().any(Member::needs_gate);
        if gated && scope::is_in(self.rack.cell()) {
            // The call that asks holds a table for which the swap would wait.
            return Err(self.failed(0, Step::Fetch, error::swap_inside()));
        }
        self.each(Step::Fetch, Self::fetch)?;
        self.each(Step::Match, |this, m| {
            let old = m.old.generation().map(|old| &**old);
            if m.starts() { matching::before_start(this.rack, &m.new, old, this.force) } else { Ok(()) }
        })?;
        self.starting()?;
        self.each(Step::Start, |this, m| if m.rules.overlap { this.start(m) } else { Ok(()) })?;
        if gated {
            self.gate()?;
        }
        self.make_room()?;
        self.each_mut(Step::Carry, Self::carry)?;
        self.each(Step::Probe, |this, m| match m.new.generation() {
            Some(new) if m.starts() => this.as_coming(|| probe::all(new, &m.rules.probes, Phase::Swap)),
            _ => Ok(()),
        })?;
        self.each(Step::Switch, |_, _| Ok(()))
    }

    /// The version of the first table without what was there before, when that of `switch` serves. Calls that waited at a gate
    /// have a table from before the switch, and what came with it.
    pub(super) fn gone_from(&self, switch: u64) -> u64 {
        self.gated.unwrap_or(switch)
    }

    /// What comes after the switch: nothing of it can fail the swap.
    fn finish(self, switch: Duration, version: u64) -> Swapped {
        let Self { rack, members, .. } = &self;
        let gone_from = self.gone_from(version);
        let slots: Vec<_> = members.iter().filter_map(Member::served).collect();
        if !slots.is_empty() {
            rack.observer().tell(&Event::Swapped { slots: slots.clone(), asked: self.asked.clone() });
        }
        for m in members.iter().filter(|m| m.comes == Comes::End) {
            if let Some(old) = m.before() {
                rack.observer().tell(&Event::Unloaded {
                    slot: m.slot.name().clone(),
                    generation: old.id(),
                    was: old.checked().description.hash.clone(),
                    asked: self.asked.clone(),
                });
            }
        }
        // What was parked for these slots is older than what is replaced now.
        for m in members {
            rack.janitor().unpark(rack, m.slot.index());
        }
        let was_any = members.iter().any(|m| m.before().is_some());
        let replaced = members.iter().any(|m| m.starts() && m.before().is_some());
        let can_be_kept = replaced && members.iter().all(|m| m.rules.overlap || m.comes == Comes::Plan);
        let trials = members.iter().filter(|m| m.starts()).map(|m| m.rules.trial.length);
        let length = trials.max().unwrap_or_default();
        if can_be_kept && !length.is_zero() {
            let parked =
                |m: &Member| ParkedSlot { old: m.old.clone(), new: m.new.clone(), carried: m.carried };
            let until = rack.clock().after(length);
            let (kept, rest): (Vec<_>, Vec<_>) =
                members.iter().filter(|m| !m.fills).partition(|m| m.can_come_back());
            let slots_parked = kept.into_iter().map(parked).collect();
            leave_empty(rack, gone_from, rest.iter().map(|m| m.old.clone()).collect(), self.drain());
            let number = version;
            let (version, again, pause, undecided) = (gone_from, None, Duration::ZERO, false);
            let parked = Parked { number, version, slots: slots_parked, until, again, pause, undecided };
            rack.janitor().park(rack, parked);
            return Swapped { slots, switch, before: Before::Parked, stopped: Vec::new() };
        }
        if !slots.is_empty() {
            rack.observer().tell(&Event::Settled { slots: slots.clone() });
        }
        let olds = members.iter().filter(|m| !m.stopped && !m.fills).map(|m| m.old.clone());
        let (olds, empty): (Vec<_>, Vec<_>) = olds.partition(|old| old.generation().is_some());
        // Nobody need wait for what was not loaded; a call that began before may still load it.
        leave_empty(rack, gone_from, empty, self.drain());
        let (before, stopped) = retire(rack, gone_from, &olds, self.drain());
        let before = if before == Before::Nothing && was_any { Before::Stopped } else { before };
        Swapped { slots, switch, before, stopped }
    }

    /// How long calls are waited for.
    pub(super) fn drain(&self) -> Duration {
        self.members.iter().map(|m| m.rules.drain).max().unwrap_or_default()
    }

    /// Finds and reads a module, and has its content kept.
    fn fetch(&self, m: &Member) -> Result<()> {
        if !m.starts() {
            return Ok(());
        }
        verify::found(self.rack, &m.new)?;
        // What cannot be read is told when it is held against what it should be.
        if guarded(|| verify::checked(self.rack, &m.new)).is_ok() {
            verify::kept(self.rack, &m.new)?;
        }
        Ok(())
    }

    /// What is to be started.
    pub(super) fn coming_to(&self) -> impl Iterator<Item = Coming> {
        self.members.iter().filter(|m| m.starts()).map(|m| Coming::of(&m.new, Some(&m.old)))
    }

    /// Has it noted what is about to be started.
    fn starting(&self) -> Stepped<()> {
        let coming: Vec<_> = self.coming_to().collect();
        match self.rack.keeper() {
            Some(keeper) if !coming.is_empty() => guarded(|| keeper.starting(&coming, &self.asked))
                .map_err(|error| self.failed(0, Step::Start, error)),
            _ => Ok(()),
        }
    }

    fn start(&self, m: &Member) -> Result<()> {
        if !m.starts() {
            return Ok(());
        }
        let new = self.as_coming(|| load::generation(self.rack, &m.new, None))?;
        verify::unchanged(self.rack, &m.new)?;
        matching::after_start(&new, m.old.generation().map(|old| &**old), self.force)
    }

    fn carry(&self, m: &mut Member) -> Result<()> {
        let Some(new) = m.new.generation().filter(|_| m.carries) else { return Ok(()) };
        if !m.stopped {
            m.state = self.as_before(|| carry::out(&m.old, &m.rules, self.force))?;
        }
        let Some(state) = m.state.clone() else { return Ok(()) };
        let migrate = || carry::migrated(self.rack, state, new, &m.rules);
        let state = if m.comes == Comes::Back {
            // It served before with what it has, and may have to again.
            m.own = self.as_coming(|| carry::out(&m.new, &m.rules, true))?;
            // Who knows both forms of the state is the newer migrator.
            self.as_before(migrate)?
        } else {
            self.as_coming(migrate)?
        };
        m.carried = self.as_coming(|| carry::over(&state, new, self.force))?;
        Ok(())
    }

    /// Holds new calls back, and waits for those that are under way.
    fn gate(&mut self) -> Stepped<()> {
        let gates: Vec<_> = self.members.iter().map(|_| Gate::new()).collect();
        let gated = self.members.iter().zip(&gates).map(|(m, gate)| Arc::new(m.old.gated(gate.clone())));
        let gated: Vec<_> = gated.collect();
        let version = publish(self.rack, &gated.iter().collect::<Vec<_>>());
        let version = version.ok_or_else(|| self.failed(0, Step::Drain, error::stopped()))?;
        self.gated = Some(version);
        for (m, gate) in self.members.iter_mut().zip(gates) {
            m.gate = Some(gate);
            // Calls that the gate lets through have this table, and not the one that is published with what they come to.
            m.new.is_in(version);
        }
        // A test may have this step fail as well.
        self.each(Step::Drain, |_, _| Ok(()))?;
        let drain = self.drain();
        let olds: Vec<_> = self.members.iter().map(|m| m.old.clone()).collect();
        if drained(self.rack, version, &olds, drain) {
            Ok(())
        } else {
            Err(self.failed(0, Step::Drain, not_drained(self.rack, &olds, drain)))
        }
    }

    /// Stops old modules that the new ones cannot run beside, and starts those.
    fn make_room(&mut self) -> Stepped<()> {
        if self.members.iter().all(|m| m.rules.overlap) {
            return Ok(());
        }
        self.each_mut(Step::Carry, |this, m| {
            if m.rules.overlap {
                return Ok(());
            }
            match this.as_before(|| carry::out(&m.old, &m.rules, this.force)) {
                Ok(state) => m.state = state,
                Err(why) if m.carries => return Err(why),
                // It is for the old one alone, should that have to be started again.
                Err(why) => m.lost = Some(why),
            }
            Ok(())
        })?;
        self.each(Step::Retire, |_, m| match m.before() {
            Some(_) if !m.rules.overlap && m.gate.is_none() => {
                Err(error::internal("A module that would be stopped under its calls"))
            }
            _ => Ok(()),
        })?;
        self.stop_olds();
        self.each(Step::Start, |this, m| if m.rules.overlap { Ok(()) } else { this.start(m) })
    }

    /// Publishes what comes, and gives the version of its table; none when the rack was stopped.
    fn publish(&self) -> Option<u64> {
        let seats: Vec<_> = self.members.iter().map(|m| &m.new).collect();
        let Some(next) = &self.next else { return publish(self.rack, &seats) };
        publish_under(self.rack, &seats, next, self.drain())
    }

    /// Runs `run` with calls finding what comes with this swap.
    pub(super) fn as_coming<R>(&self, run: impl FnOnce() -> R) -> R {
        scope::with_version(self.rack.cell(), self.coming.number(), run)
    }

    /// Runs `run` with calls finding what was there before this swap.
    fn as_before<R>(&self, run: impl FnOnce() -> R) -> R {
        scope::with_version(self.rack.cell(), self.before.number(), run)
    }

    fn each(&self, step: Step, run: impl Fn(&Self, &Member) -> Result<()>) -> Stepped<()> {
        for (at, member) in self.members.iter().enumerate() {
            guarded(|| self.may_go_on(step).and_then(|()| run(self, member)))
                .map_err(|error| self.failed(at, step, error))?;
        }
        Ok(())
    }

    fn each_mut(&mut self, step: Step, run: impl Fn(&Self, &mut Member) -> Result<()>) -> Stepped<()> {
        let mut members = std::mem::take(&mut self.members);
        let mut done = Ok(());
        for member in &mut members {
            done = guarded(|| self.may_go_on(step).and_then(|()| run(self, member)))
                .map_err(|error| SwapFailed::new(step, &member.slot, error));
            if done.is_err() {
                break;
            }
        }
        self.members = members;
        done
    }

    /// Whether the rack goes on, and a test lets the step be done.
    fn may_go_on(&self, _step: Step) -> Result<()> {
        #[cfg(feature = "doubles")]
        self.rack.fault(_step)?;
        if self.rack.is_stopped() { Err(error::stopped()) } else { Ok(()) }
    }

    fn failed(&self, at: usize, step: Step, error: Error) -> SwapFailed {
        SwapFailed::new(step, &self.members[at].slot, error)
    }
}
