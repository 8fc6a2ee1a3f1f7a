//! Writes what happens in a rack into its state: as the rack's keeper, before a module is started, and as its observer,
//! before who asked for a change is answered.
//!
//! What fails here after a switch fails nothing: it is a warning. Nothing here decides what serves, and no lock is held
//! while the rack or a module runs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use modrack_core::plan::SlotPlan;
use modrack_core::{ContentHash, Description, Error, GenerationId, Origin, Result, SlotName};
use modrack_runtime::{Asked, Coming, Event, Keeper, Rack, Served, WeakRack};
use modrack_state::{Action, Change, EntryId, Failed, Filling, Outcome, RackState, SlotChange, Standing};

use super::declared::{Declared, text_hash};
use super::error;
use super::meant::{Meant, Pin, filling};

/// After how many changes what is kept is cleaned up.
const CHANGES: u32 = 16;

/// How many warnings are kept for who asks for them.
const WARNINGS: usize = 100;

/// Writes what happens.
pub(super) struct Recorder {
    rack: WeakRack,
    /// None once the rack was stopped.
    state: Mutex<Option<Arc<RackState>>>,
    declared: RwLock<Arc<Declared>>,
    notes: Mutex<Notes>,
}

/// What is known of what goes on.
#[derive(Default)]
struct Notes {
    /// What was begun and has not ended, by what tells each attempt to fill a slot from those beside it.
    begun: HashMap<u64, (SlotName, EntryId)>,
    /// What is not loaded by itself, because processes ended of it and nothing is known to be good; and why.
    spared: HashMap<SlotName, (Filling, Error)>,
    /// The attempts to fill a slot that are under way, from before their content is kept.
    busy: HashSet<u64>,
    /// Who says what changes are, by number, until the changes are done: their content may be kept already.
    intending: HashSet<u64>,
    /// What the change of a slot that is under way is, where it is more than a swap; and the number of who says so.
    intents: HashMap<SlotName, (u64, Intent)>,
    next: u64,
    /// The content of each generation that is not stopped.
    generations: HashMap<GenerationId, ContentHash>,
    /// How many changes there were since what is kept was cleaned up.
    changes: u32,
    warnings: Vec<Error>,
}

/// What a change is.
#[derive(Clone)]
pub(super) struct Intent {
    pub(super) action: Action,
    /// Whether it leaves alone how the slot stands to its configuration.
    pub(super) keeps_standing: bool,
    /// The configuration that comes with it, and is in force once the change is done.
    pub(super) coming: Option<Arc<Declared>>,
}

/// An intent for slots, until this goes.
pub(super) struct Intended<'a> {
    recorder: &'a Recorder,
    slots: Vec<SlotName>,
    number: u64,
}

impl Intent {
    /// A change that brings no configuration.
    pub(super) fn of(action: Action) -> Self {
        Self { action, keeps_standing: false, coming: None }
    }
}

impl Recorder {
    pub(super) fn new(rack: WeakRack, state: RackState, declared: Declared) -> Self {
        Self {
            rack,
            state: Mutex::new(Some(Arc::new(state))),
            declared: RwLock::new(Arc::new(declared)),
            notes: Mutex::default(),
        }
    }

    /// The state.
    ///
    /// # Errors
    /// [`modrack_core::Code::RackStopped`] when the rack was stopped, which gave it back.
    pub(super) fn state(&self) -> Result<Arc<RackState>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clone().ok_or_else(error::stopped)
    }

    /// Gives the state back: another may write it now.
    pub(super) fn close(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(state) = &state
            && let Err(why) = state.collect()
        {
            self.warn(why);
        }
    }

    /// Notes of what was begun and has not ended that it was given up: the process ends, and not because of it.
    pub(super) fn give_up(&self) {
        let begun = std::mem::take(&mut self.notes().begun);
        let Ok(state) = self.state() else { return };
        for (slot, id) in begun.into_values() {
            let why = error::given_up(&slot);
            let outcome = Outcome::Failed(Failed::new(Some(slot), "start", &why));
            // Of several slots of one change the first to be noted ends it; and who is told nothing finds it interrupted.
            let _ = state.finish(id, &outcome, &[]);
        }
    }

    /// The configuration that is in force.
    pub(super) fn declared(&self) -> Arc<Declared> {
        self.declared.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has another configuration be the one that is in force.
    pub(super) fn declare(&self, declared: Arc<Declared>) {
        *self.declared.write().unwrap_or_else(PoisonError::into_inner) = declared;
    }

    /// The configuration that a slot's change is held against: the one that comes with it, else the one that is in force.
    fn declared_for(&self, slot: Option<&SlotName>) -> Arc<Declared> {
        let coming = slot.and_then(|slot| self.intent(slot)).and_then(|intent| intent.coming);
        coming.unwrap_or_else(|| self.declared())
    }

    /// Has the configuration be in force that came with the change of a slot, if one did: the switch is done.
    fn came(&self, slot: Option<&SlotName>) {
        if let Some(coming) = slot.and_then(|slot| self.intent(slot)).and_then(|intent| intent.coming) {
            self.declare(coming);
        }
    }

    /// Says what the next change of these slots is. It is said under their turn.
    pub(super) fn intend(&self, slots: Vec<SlotName>, intent: Intent) -> Intended<'_> {
        let mut notes = self.notes();
        notes.next += 1;
        let number = notes.next;
        notes.intents.extend(slots.iter().map(|slot| (slot.clone(), (number, intent.clone()))));
        notes.intending.insert(number);
        drop(notes);
        Intended { recorder: self, slots, number }
    }

    /// Notes what went wrong and stops nobody.
    pub(super) fn warn(&self, warning: Error) {
        if let Some(rack) = self.rack.upgrade() {
            rack.warn(&warning);
        }
        let mut notes = self.notes();
        if notes.warnings.len() == WARNINGS {
            notes.warnings.remove(0);
        }
        notes.warnings.push(warning);
    }

    /// What went wrong and stopped nobody, since this was asked for.
    pub(super) fn take_warnings(&self) -> Vec<Error> {
        std::mem::take(&mut self.notes().warnings)
    }

    /// The content of a generation that is not stopped.
    pub(super) fn content_of(&self, generation: GenerationId) -> Option<ContentHash> {
        self.notes().generations.get(&generation).cloned()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn intent(&self, slot: &SlotName) -> Option<Intent> {
        self.notes().intents.get(slot).map(|(_, intent)| intent.clone())
    }

    /// Has this not be loaded in the slot from now on, unless a change is asked for.
    pub(super) fn spare(&self, slot: &SlotName, filling: Filling, why: Error) {
        self.notes().spared.insert(slot.clone(), (filling, why));
    }

    /// Refuses what is not loaded by itself, where nobody asked for it.
    fn is_spared(&self, changes: &[SlotChange]) -> Result<()> {
        let notes = self.notes();
        let is_asked = |slot: &SlotName| {
            notes.intents.get(slot).is_some_and(|(_, intent)| intent.action != Action::Load)
        };
        let why = changes.iter().filter(|change| !is_asked(&change.slot)).find_map(|change| {
            let (filling, why) = notes.spared.get(&change.slot)?;
            let to = change.to.as_ref()?;
            is_same(filling, to).then(|| why.clone())
        });
        why.map_or(Ok(()), Err)
    }

    /// Why kept content serves in the place of what the slot's `use` leads to; none when it leads to that very content.
    fn pin(&self, served: &Served, came_back: bool) -> Option<Pin> {
        let hash = served.hash.as_ref().filter(|_| served.pinned || came_back)?;
        let found = leads_to(&self.rack.upgrade()?, &served.plan);
        (found.as_ref() != Some(hash)).then_some(Pin { instead_of: found })
    }

    /// What became of a slot that something fills now.
    fn filled(&self, served: &Served, came_back: bool) -> SlotChange {
        let pin = self.pin(served, came_back);
        let keeps = self.intent(&served.slot).is_some_and(|intent| intent.keeps_standing) && !came_back;
        let declared = self.declared_for(Some(&served.slot));
        let standing = match declared.slot(&served.slot) {
            Some(slot) if !keeps => {
                if slot.means(&served.plan) && pin.is_none() {
                    Standing::Declared
                } else {
                    Standing::Override { declared: text_hash(slot) }
                }
            }
            _ => Standing::Unchanged,
        };
        let to = Some(filling(served, pin));
        SlotChange { slot: served.slot.clone(), from: served.was.clone(), to, standing }
    }

    fn change(&self, action: Action, asked: &Asked, slots: Vec<SlotChange>) -> Change {
        Change {
            action,
            who: asked.who.clone(),
            why: asked.why.clone(),
            config: self.declared_for(slots.first().map(|change| &change.slot)).hash.clone(),
            slots,
        }
    }

    /// Writes how a change ended: of the entry that was begun for these attempts, if one was.
    fn end(&self, action: Action, asked: &Asked, seats: &[u64], slots: Vec<SlotChange>, outcome: &Outcome) {
        let begun = {
            let mut notes = self.notes();
            notes.changes += 1;
            for seat in seats {
                notes.busy.remove(seat);
            }
            seats.iter().filter_map(|seat| notes.begun.remove(seat)).map(|(_, id)| id).last()
        };
        let written = self.state().and_then(|state| match begun {
            Some(begun) => state.finish(begun, outcome, &slots),
            None => state.record(&self.change(action, asked, slots), outcome).map(drop),
        });
        self.or_warn(written);
    }

    fn or_warn(&self, done: Result<()>) {
        if let Err(why) = done
            && self.state().is_ok()
        {
            self.warn(why);
        }
    }

    fn action(&self, slot: Option<&SlotName>) -> Action {
        slot.and_then(|slot| self.intent(slot)).map_or(Action::Swap, |intent| intent.action)
    }

    fn settle(&self, slots: &[Served]) {
        let good: Vec<_> = slots.iter().map(|served| (&served.slot, filling(served, None))).collect();
        let settled =
            self.state().and_then(|state| state.settle(good.iter().map(|(slot, filling)| (*slot, filling))));
        self.or_warn(settled);
    }

    /// Cleans up what is kept, now and then, when nothing is being loaded: what is loaded is spared.
    fn collect(&self) {
        let Ok(state) = self.state() else { return };
        let mut notes = self.notes();
        if notes.changes < CHANGES || !notes.busy.is_empty() || !notes.intending.is_empty() {
            return;
        }
        notes.changes = 0;
        let loaded: HashSet<_> = notes.generations.values().cloned().collect();
        // Under the lock: nothing begins to be kept meanwhile, which would be let go here.
        state.release_but(|hash| loaded.contains(hash));
        drop(notes);
        self.or_warn(state.collect().map(drop));
    }

    fn serves(&self, slots: &[Served]) {
        let mut notes = self.notes();
        for served in slots {
            notes.busy.remove(&served.seat);
            notes.spared.remove(&served.slot);
            if let Some(hash) = &served.hash {
                notes.generations.insert(served.generation, hash.clone());
            }
        }
    }

    /// Notes that the change of these slots that was intended, if one was, is done: it is told of under their turn.
    fn done<'a>(&self, slots: impl IntoIterator<Item = &'a SlotName>) {
        let mut notes = self.notes();
        for slot in slots {
            if let Some(number) = notes.intents.get(slot).map(|(number, _)| *number) {
                notes.intending.remove(&number);
            }
        }
    }

    /// Told of everything that happens in the rack.
    pub(super) fn tell(&self, event: &Event) {
        match event {
            Event::Swapped { slots, .. } | Event::RolledBack { slots, .. } => {
                self.done(slots.iter().map(|served| &served.slot));
            }
            Event::SwapFailed { slots, .. } => self.done(slots),
            Event::Unloaded { slot, .. } => self.done([slot]),
            _ => {}
        }
        match event {
            Event::Loaded { served } => {
                let begun = self.notes().begun.contains_key(&served.seat);
                self.serves(std::slice::from_ref(served));
                if begun {
                    let change = SlotChange { standing: Standing::Unchanged, ..self.filled(served, false) };
                    self.end(Action::Load, &Asked::default(), &[served.seat], vec![change], &Outcome::Done);
                    // It has no other to be held against: that it started is its trial.
                    self.settle(std::slice::from_ref(served));
                }
            }
            Event::LoadFailed { coming, why } => {
                let begun = self.notes().begun.contains_key(&coming.seat);
                self.notes().busy.remove(&coming.seat);
                if begun {
                    let failed = Failed::new(Some(coming.slot.clone()), "start", why);
                    let change = vec![about(coming)];
                    let seats = [coming.seat];
                    self.end(Action::Load, &Asked::default(), &seats, change, &Outcome::Failed(failed));
                }
            }
            Event::Swapped { slots, asked } => {
                self.came(slots.first().map(|served| &served.slot));
                self.serves(slots);
                let changes = slots.iter().map(|served| self.filled(served, false)).collect();
                let action = self.action(slots.first().map(|served| &served.slot));
                let seats: Vec<_> = slots.iter().map(|served| served.seat).collect();
                let begun = seats.iter().any(|seat| self.notes().begun.contains_key(seat));
                // What is loaded as it was known to be good is no news.
                if action != Action::Load || begun {
                    self.end(action, asked, &seats, changes, &Outcome::Done);
                }
            }
            Event::SwapFailed { slots, coming, slot, step, why, asked } => {
                let failed = Failed::new(Some(slot.clone()), step.as_str(), why);
                let mut changes: Vec<_> = coming.iter().map(about).collect();
                let action = if coming.is_empty() { Action::Rollback } else { self.action(slots.first()) };
                if coming.is_empty() {
                    changes.extend(slots.iter().map(unknown));
                }
                let seats: Vec<_> = coming.iter().map(|coming| coming.seat).collect();
                self.end(action, asked, &seats, changes, &Outcome::Failed(failed));
            }
            Event::RolledBack { slots, asked, .. } => {
                self.serves(slots);
                let changes = slots.iter().map(|served| self.filled(served, true)).collect();
                self.end(Action::Rollback, asked, &[], changes, &Outcome::Done);
            }
            Event::Settled { slots } => {
                self.settle(slots);
                self.collect();
            }
            Event::Unloaded { slot, was, asked, .. } => {
                self.came(Some(slot));
                let change = SlotChange { from: was.clone(), ..unknown(slot) };
                self.end(Action::Unload, asked, &[], vec![change], &Outcome::Done);
            }
            Event::Retired { generation, .. } => {
                self.notes().generations.remove(generation);
                self.collect();
            }
            _ => {}
        }
    }
}

impl Keeper for Recorder {
    fn keep(&self, seat: u64, origin: &Origin, about: &Description) -> Result<Option<Origin>> {
        let (Some(rack), Ok(state)) = (self.rack.upgrade(), self.state()) else { return Ok(None) };
        self.notes().busy.insert(seat);
        state.keep(origin, about, |copy| rack.describe(copy).map(|copy| copy.hash))
    }

    fn starting(&self, slots: &[Coming], asked: &Asked) -> Result<()> {
        let Ok(state) = self.state() else { return Ok(()) };
        let changes: Vec<_> = slots.iter().map(about).collect();
        // What is known to be good needs no note before it is loaded as it was.
        let is_first = slots.iter().all(|coming| coming.was.is_none());
        if is_first {
            self.is_spared(&changes)?;
            if are_good(&state, &changes)? && !was_interrupted(&state, &changes)? {
                return Ok(());
            }
        }
        let action = match slots.first().and_then(|coming| self.intent(&coming.slot)) {
            Some(intent) => intent.action,
            None if is_first => Action::Load,
            None => Action::Swap,
        };
        let id = state.begin(&self.change(action, asked, changes))?;
        self.notes().begun.extend(slots.iter().map(|coming| (coming.seat, (coming.slot.clone(), id))));
        Ok(())
    }
}

impl Drop for Intended<'_> {
    fn drop(&mut self) {
        let mut notes = self.recorder.notes();
        notes.intending.remove(&self.number);
        for slot in &self.slots {
            if notes.intents.get(slot).is_some_and(|(number, _)| *number == self.number) {
                notes.intents.remove(slot);
            }
        }
    }
}

/// The hash of what a slot's `use` leads to now; none when it leads nowhere.
pub(super) fn leads_to(rack: &Rack, plan: &SlotPlan) -> Option<ContentHash> {
    described(rack, plan).ok()?.hash
}

/// What is known of what a slot's `use` leads to now.
pub(super) fn described(rack: &Rack, plan: &SlotPlan) -> Result<Description> {
    rack.origin_of(plan).and_then(|origin| rack.describe(&origin))
}

/// Whether all of it is of the last good set.
fn are_good(state: &RackState, changes: &[SlotChange]) -> Result<bool> {
    let good = state.read().last_good()?;
    let is_good = |change: &SlotChange| {
        change
            .to
            .as_ref()
            .is_some_and(|to| good.iter().any(|good| good.slot == change.slot && is_same(&good.filling, to)))
    };
    Ok(changes.iter().all(is_good))
}

/// Whether the process ended the last time that one of these slots was changed, of what it is to be now.
fn was_interrupted(state: &RackState, changes: &[SlotChange]) -> Result<bool> {
    for change in changes {
        let last = state.read().history(Some(&change.slot), 1)?;
        let tried = last.first().filter(|last| last.outcome == Outcome::Interrupted);
        let mut tried = tried.iter().flat_map(|last| &last.slots).filter(|tried| tried.slot == change.slot);
        if tried.any(|tried| tried.to.as_ref().zip(change.to.as_ref()).is_some_and(|(a, b)| is_same(a, b))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether two are the same content, meant as the same, wherever it is loaded from.
pub(super) fn is_same(one: &Filling, other: &Filling) -> bool {
    let meant = |filling: &Filling| Meant { pin: None, ..Meant::read(&filling.plan) };
    (&one.hash, &one.use_text) == (&other.hash, &other.use_text) && meant(one) == meant(other)
}

/// What is to become of a slot, as far as that is known before it has.
fn about(coming: &Coming) -> SlotChange {
    let to = Filling {
        module: coming.module.clone().unwrap_or_else(|| coming.plan.use_text.clone()),
        hash: coming.hash.clone(),
        use_text: coming.plan.use_text.clone(),
        plan: Meant::of(&coming.plan, coming.origin.as_ref(), None).write(),
    };
    SlotChange {
        slot: coming.slot.clone(),
        from: coming.was.clone(),
        to: Some(to),
        standing: Standing::Unchanged,
    }
}

/// A slot of which nothing is known but that it is the one.
fn unknown(slot: &SlotName) -> SlotChange {
    SlotChange { slot: slot.clone(), from: None, to: None, standing: Standing::Unchanged }
}

#[cfg(test)]
mod tests;
