//! Stopping old modules to make room, and the way back from each step: new ones stopped, old ones serving again.
//!
//! Modules that end or begin here may call each other: what was there together finds itself together, though calls from
//! outside are held back at that time. What needs another is stopped before that, and started after it. No table is held
//! while a module runs.

use std::sync::Arc;

use modrack_core::{Error, Phase};

use super::member::Member;
use super::order::by_need;
use super::retire::{publish, stop};
use super::transaction::Transaction;
use super::{SwapFailed, guarded};
use crate::events::Event;
use crate::gate::Gate;
use crate::scope;
use crate::seat::Seat;

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // Only what panics comes here with a gate that is closed: before the switch, or right after it.
        if self.members.iter().all(|m| m.gate.is_none()) {
            return;
        }
        let now = self.rack.cell().pin().keep();
        for m in &mut self.members {
            let serves = now.seat(m.slot.index()).is_some_and(|seat| Arc::ptr_eq(seat, &m.new));
            if let Some(gate) = m.gate.take_if(|_| serves) {
                gate.open(m.new.clone());
            }
        }
        drop(now);
        drop(self.serve_again());
    }
}

impl Transaction<'_> {
    /// Stops the old modules that the new ones cannot run beside.
    pub(super) fn stop_olds(&mut self) {
        let running = |m: &&Member| m.before().is_some() && !m.stopped;
        let olds: Vec<_> = self.members.iter().filter(running).map(|m| m.old.clone()).collect();
        for old in self.in_order(&olds).into_iter().rev() {
            // Those that are stopped are called by nobody any more.
            let together = self.members.iter().filter(running).map(|m| m.old.clone()).collect();
            let is_it = |m: &Member| Arc::ptr_eq(&m.old, &old) && !m.rules.overlap;
            let Some(at) = self.members.iter().position(is_it) else { continue };
            let Some(generation) = old.generation() else { continue };
            self.members[at].stopped = true;
            // It is gone whatever its shutdown says, and that is not the new one's fault.
            if let Some(why) = self.among(together, || stop(self.rack, generation)) {
                let slot = old.slot().name().clone();
                self.rack.observer().tell(&Event::StopFailed { slot, why });
            }
        }
    }

    /// Has everything as it was: new generations stopped, old ones serving, calls that were held back going on. Gives the
    /// failure, which is told.
    pub(super) fn undo(&mut self, failed: SwapFailed) -> SwapFailed {
        let failed = self.put_back(failed);
        self.rack.observer().tell(&Event::SwapFailed {
            slots: self.members.iter().map(|m| m.slot.name().clone()).collect(),
            coming: self.coming_to().collect(),
            slot: failed.slot.clone(),
            step: failed.step,
            why: failed.error.clone(),
            asked: self.asked.clone(),
        });
        failed
    }

    /// Has everything as it was, and tells nobody: what is to happen is done in another way.
    pub(super) fn put_back(&mut self, failed: SwapFailed) -> SwapFailed {
        let mut failed = failed;
        self.stop_news();
        self.members.iter_mut().for_each(|m| m.end_claim(Some(&failed.error)));
        for why in self.give_back().into_iter().chain(self.serve_again()) {
            failed.error = failed.error.caused_by(&why);
        }
        failed
    }

    /// Stops what was started and never served.
    fn stop_news(&self) {
        let news = self.members.iter().filter(|m| m.starts() && m.new.generation().is_some());
        let news: Vec<_> = news.map(|m| m.new.clone()).collect();
        let mut running = self.in_order(&news);
        while let Some(new) = running.pop() {
            let together = running.iter().cloned().chain([new.clone()]).collect();
            if let Some(generation) = new.generation() {
                // Nobody asks how it went.
                drop(self.among(together, || self.rack.retire(generation)));
            }
        }
    }

    /// Gives what was to come back the state that it had: what it was given instead may have reached it in part. Gives why that
    /// failed.
    fn give_back(&mut self) -> Vec<Error> {
        let mut failed = Vec::new();
        let owned: Vec<_> =
            self.members.iter_mut().filter_map(|m| Some((m.own.take()?, m.new.clone()))).collect();
        for (own, new) in owned {
            let Some(generation) = new.generation() else { continue };
            let given = self.as_coming(|| guarded(|| generation.instance().import_state(&own)));
            failed.extend(given.err().map(|why| generation.blame(why, Phase::Swap)));
        }
        failed
    }

    /// Has calls that are held back go on with what was there, which is started again where it was stopped. Gives why that
    /// failed.
    fn serve_again(&mut self) -> Vec<Error> {
        let mut failed = Vec::new();
        let gated = self.members.iter_mut().filter_map(|m| Some((m.gate.take()?, m.old_again())));
        let gated: Vec<(Arc<Gate>, Arc<Seat>)> = gated.collect();
        if gated.is_empty() {
            return failed;
        }
        let seats: Vec<_> = gated.iter().map(|(_, seat)| seat.clone()).collect();
        for seat in self.in_order(&seats) {
            let Some(m) = self.members.iter().find(|m| m.slot.index() == seat.slot().index()) else {
                continue;
            };
            failed.extend(self.among(seats.clone(), || m.start_again(self.rack, &seat)).err());
        }
        let stopped = publish(self.rack, &seats.iter().collect::<Vec<_>>()).is_none();
        for (gate, seat) in gated {
            // Of a rack that was stopped nothing serves any more.
            gate.open(if stopped { Arc::new(seat.again()) } else { seat });
        }
        failed
    }

    /// These seats, each after those that it needs.
    fn in_order(&self, seats: &[Arc<Seat>]) -> Vec<Arc<Seat>> {
        let order = by_need(&self.rack.cell().pin(), &seats.iter().collect::<Vec<_>>());
        order.into_iter().map(|at| seats[at].clone()).collect()
    }

    /// Runs `run` with calls finding these seats in place of what is in the table.
    fn among<R>(&self, seats: Vec<Arc<Seat>>, run: impl FnOnce() -> R) -> R {
        let coming = self.rack.cell().coming(seats.into(), None);
        scope::with_version(self.rack.cell(), coming.number(), run)
    }
}
