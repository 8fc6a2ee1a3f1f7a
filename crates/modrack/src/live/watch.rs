//! Watching: what is saved to the rack's text, or to a file that a generation includes, is put in force.
//!
//! Content decides: a slot is reloaded when what its files hold now is something else than what serves. Slots that one save touched
//! are swapped together, each after those that it needs. What does not parse is waited for, for a moment. Of a database the row's text
//! decides, whatever else is written there.
//!
//! What fails is tried again by each save of what serves, of what was tried, and of what that asked for and did not find, whatever
//! content that leaves; and by nothing else.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, Weak};

use modrack_core::plan::SlotPlan;
use modrack_core::{ContentHash, Error, Origin, Result, SlotName};
use modrack_runtime::{Asked, ConfigureFailed, Event, Rack, Swap, SwapFailed};
use modrack_state::Action;
use modrack_watch::{Answer, Changed, Settings, Sink, Watched, Watcher};

use super::declared::Declared;
use super::recorder::{Intent, described, leads_to};
use super::start::{Start, by_need};
use super::tried::{Tried, broken_files};
use super::{Live, LiveRack};
use crate::text::{self, Source};

/// What files are watched for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// The rack's text, and the contracts that it names.
    Rack,
    /// The database that the rack's text is a row of.
    Database,
    /// What fills a slot.
    Slot(SlotName),
}

/// Who is told of changes. It does not keep the rack.
struct Changes {
    live: Weak<Live>,
    /// The row's text that was last put in force or refused, and the one that was in force afterwards.
    taken: Option<Texts>,
}

/// The text that a row has, and the one that is in force.
type Texts = (ContentHash, Option<ContentHash>);

impl LiveRack {
    /// Watches the rack's text and the files of what fills its slots from now on, but for slots with `watch: false`, and puts in
    /// force what is saved to them. What fails is told, and changes nothing.
    ///
    /// # Errors
    /// [`modrack_core::Code::WatchRefused`] when there is no thread for it.
    pub fn watch(&self) -> Result<()> {
        let changes = Changes { live: Arc::downgrade(&self.0), taken: None };
        let watcher = Arc::new(Watcher::new(Settings::default(), changes)?);
        *self.0.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher);
        let live = Arc::downgrade(&self.0);
        self.0.rack.observe(move |event| {
            let slots: Vec<&SlotName> = match event {
                Event::Loaded { served } => vec![&served.slot],
                Event::Swapped { slots, .. } | Event::RolledBack { slots, .. } => {
                    slots.iter().map(|served| &served.slot).collect()
                }
                Event::Unloaded { slot, .. } => vec![slot],
                _ => return,
            };
            if let Some(live) = live.upgrade().map(Self) {
                slots.into_iter().for_each(|slot| live.watch_slot(slot));
            }
        });
        self.watch_database();
        self.watch_rack();
        for slot in self.0.rack.slots() {
            self.watch_slot(slot.name());
        }
        Ok(())
    }

    /// Watches nothing any more, and gives the watcher, which may be in the middle of a change.
    pub(super) fn unwatch(&self) -> Option<Arc<Watcher<Key>>> {
        let watcher = self.0.watcher.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        watcher.stop();
        Some(watcher)
    }

    fn watcher(&self) -> Option<Arc<Watcher<Key>>> {
        self.0.watcher.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Watches the database that the rack's text is a row of.
    fn watch_database(&self) {
        let (Some(watcher), Some(Source::Row(row))) = (self.watcher(), &self.0.source) else { return };
        // Nothing is known of them, so that a row that was written since it was read is looked at once.
        let files = row.files().into_iter().map(Watched::unread);
        watcher.watch(&Key::Database, files);
    }

    /// Watches the rack's text as it is in force, where it is a file, and the contracts.
    pub(super) fn watch_rack(&self) {
        let (Some(watcher), Some(source)) = (self.watcher(), &self.0.source) else { return };
        let declared = self.0.recorder.declared();
        let text = match (source.absolute(), &declared.hash) {
            (Source::File(file), Some(hash)) => Some(Watched::as_read(file, hash.clone())),
            (Source::File(file), None) => Some(Watched::new(file)),
            (Source::Row(_), _) => None,
        };
        let contracts =
            declared.plan.contracts.iter().map(|path| Watched::new(self.0.rack.root().join(path)));
        watcher.watch(&Key::Rack, text.into_iter().chain(contracts));
    }

    /// The text that the rack's source has, and the one that is in force; none when it cannot be read.
    fn row_and_declared(&self) -> Option<Texts> {
        let read = self.0.source.as_ref()?.read().ok()?;
        Some((modrack_state::hash_of(&read.bytes), self.0.recorder.declared().hash.clone()))
    }

    /// Watches what the rack's text names as it stands there, beside what is watched of the one in force: where it does not come into force, it
    /// may by a save of any of that.
    pub(super) fn watch_coming(&self) {
        let (Some(watcher), Some(source)) = (self.watcher(), &self.0.source) else { return };
        let Ok(text) = source.read() else { return };
        let (rack, before) = (&self.0.rack, self.0.recorder.declared());
        let mut files = Vec::new();
        if let Source::File(file) = source.absolute() {
            files.push(Watched::as_read(file, modrack_state::hash_of(&text.bytes)));
        }
        if let Ok(new) = Declared::parse(rack, &text, before.set.clone()) {
            files.extend(new.plan.contracts.iter().map(|path| Watched::new(rack.root().join(path))));
            let is_other =
                |slot: &SlotPlan| before.plan.slots.get(&slot.name).is_none_or(|was| !was.means(slot));
            let coming = by_need(&new.plan, is_other);
            let coming =
                coming.iter().filter_map(|slot| new.plan.slots.get(slot)).filter(|slot| is_watched(slot));
            files.extend(coming.flat_map(|slot| asked_for(rack, slot)).map(Watched::new));
        }
        watcher.watch_also(&Key::Rack, files.into_iter().map(Watched::each_save));
    }

    /// Watches the files of the slot that the rack's text did not come into force for, too.
    pub(super) fn watch_refused(&self, failed: &ConfigureFailed) {
        let Some(watcher) = self.watcher() else { return };
        if let ConfigureFailed::Swap(SwapFailed { slot, .. }) = failed
            && let Some(plan) = self.meant_plan(slot).filter(|plan| is_watched(plan))
        {
            let files = asked_for(&self.0.rack, &plan).into_iter().map(Watched::new);
            watcher.go_on(&Key::Rack, files.map(Watched::each_save));
        }
    }

    /// Has what was saved of these slots, and of what the rack's text names, in the course of what failed be no reason to try it again: modules
    /// write files, too. What is saved from now on is.
    pub(super) fn settle(&self, slots: &[SlotName]) {
        let Some(watcher) = self.watcher() else { return };
        watcher.settle(&Key::Rack);
        slots.iter().for_each(|slot| watcher.settle(&Key::Slot(slot.clone())));
    }

    /// Watches the files of what fills a slot, or is to fill it and did not come in.
    pub(super) fn watch_slot(&self, name: &SlotName) {
        let Some(watcher) = self.watcher() else { return };
        let key = Key::Slot(name.clone());
        let slot = self.0.rack.slot(name.as_str()).ok();
        let serving = slot.as_ref().and_then(|slot| slot.serving());
        let is_wanted = serving.is_some() || self.has_failed(name);
        let meant =
            self.tried(name).map(|tried| tried.plan).or(serving.as_ref().map(|served| served.plan.clone()));
        let meant = meant.or_else(|| slot.as_ref().map(|slot| slot.plan()));
        let Some(plan) = meant.filter(|plan| is_wanted && is_watched(plan)) else {
            watcher.unwatch(&key);
            return;
        };
        if self.is_refused(name) {
            let serving = slot.filter(|_| serving.is_some()).and_then(|slot| slot.describe().ok());
            let serves = serving.iter().flat_map(|about| about.files.iter().cloned());
            let files = asked_for(&self.0.rack, &plan).into_iter().chain(serves);
            // What did not come in may be mended where it was before: by a file that is gone, and comes again.
            watcher.go_on(&key, first_unread(files).map(Watched::each_save));
            return;
        }
        let Ok(files) = files_of(&self.0.rack, &plan) else { return };
        if files.is_empty() {
            watcher.unwatch(&key);
            return;
        }
        watcher.watch(&key, first_unread(files));
    }

    /// Puts in force what was saved.
    fn changed(&self, changed: &Changed<Key>, is_rack: bool) -> Answer {
        let asked = Asked { who: "watch".to_owned(), why: "A file was saved".to_owned() };
        let (mut slots, saved) = (slots_of(&changed.keys), slots_of(&changed.saved));
        // A save after a failure is a reason to try again, whatever it leaves.
        let again: BTreeSet<_> = saved.iter().filter(|slot| self.is_refused(slot)).cloned().collect();
        let mut edited = self.edited(&slots, &again);
        // What is another and was not told to be saved may be in the middle of it, which is told in a moment.
        let is_early = |slot: &SlotName| slots.contains(slot) && !saved.contains(slot);
        let is_half = |slot: &SlotName| is_early(slot) || self.is_broken(slot);
        if !changed.is_last && (edited.iter().any(is_half) || is_rack && self.is_half()) {
            return Answer::NotYet;
        }
        if is_rack {
            self.try_again(&again);
            // It reloads slots that were edited as well.
            match self.reload_configuration(asked.clone()) {
                Ok(_) => return Answer::Taken,
                // A slot that was saved by itself comes in without the text that does not still.
                Err(ConfigureFailed::Swap(failed)) if self.is_broken(&failed.slot) => {
                    slots.remove(&failed.slot);
                }
                Err(_) => {}
            }
            slots.difference(&saved).for_each(|slot| self.watch_slot(slot));
            slots.retain(|slot| saved.contains(slot));
            edited = self.edited(&slots, &again);
        }
        if edited.is_empty() {
            self.tell_mended();
            return Answer::Taken;
        }
        let mut intended = None;
        let mut meant = Vec::new();
        let make = || {
            let intent = Intent::of(Action::Swap);
            intended = Some(self.0.recorder.intend(edited.clone(), intent));
            // Under their turn: somebody may have swapped them, or gone back, since they were looked at.
            let still = edited.iter().filter(|slot| self.differs(slot) || self.is_due(slot, &again));
            let plans = still.filter_map(|slot| self.meant_plan(slot));
            meant.extend(plans.map(|plan| Tried::now(&self.0.rack, plan)));
            let swaps = meant.iter().map(|meant| Swap::to((*meant.plan).clone()));
            Ok(swaps.fold(Swap::default(), Swap::and).asked(asked))
        };
        let done = self.0.rack.swap_when(&edited, make, |_| ());
        drop(intended);
        // What failed was told by the rack. It is not tried again before another save.
        if let Err(SwapFailed { slot, error, .. }) = done {
            let names: Vec<_> = meant.iter().map(|meant| meant.plan.name.clone()).collect();
            for tried in meant {
                self.note_tried(Tried { with: names.clone(), ..tried });
            }
            if let Some(start @ Start::Failed(_)) = self.0.starts().get_mut(&slot) {
                *start = Start::Failed(error);
            }
            // What is broken may include other files than what serves.
            names.iter().for_each(|slot| self.watch_slot(slot));
        }
        self.tell_mended();
        self.tell_ready();
        Answer::Taken
    }

    /// Which of these slots are to change, and those that were to change with one of them when that failed; each after those it needs.
    fn edited(&self, slots: &BTreeSet<SlotName>, again: &BTreeSet<SlotName>) -> Vec<SlotName> {
        let is_edited = |slot: &&SlotName| self.is_edited_since(slot) || self.is_due(slot, again);
        let mut edited: BTreeSet<_> = slots.iter().filter(is_edited).cloned().collect();
        let with: Vec<_> =
            edited.iter().filter_map(|slot| self.tried(slot)).flat_map(|tried| tried.with).collect();
        edited.extend(with.into_iter().filter(|slot| self.differs(slot)));
        let mut ordered = by_need(&self.0.recorder.declared().plan, |_| true);
        ordered.retain(|slot| edited.contains(slot));
        let others: Vec<_> = edited.into_iter().filter(|slot| !ordered.contains(slot)).collect();
        ordered.extend(others);
        ordered
    }

    /// What a slot is meant to be.
    fn meant_plan(&self, slot: &SlotName) -> Option<Arc<SlotPlan>> {
        let tried = self.tried(slot).map(|tried| tried.plan);
        tried.or_else(|| self.0.rack.slot(slot.as_str()).ok().map(|slot| slot.plan()))
    }

    /// Whether a slot is one of those to be tried again, and does not serve what it is meant to be.
    fn is_due(&self, name: &SlotName, again: &BTreeSet<SlotName>) -> bool {
        if !again.contains(name) {
            return false;
        }
        let serving = self.0.rack.slot(name.as_str()).ok().and_then(|slot| slot.serving());
        let leads_to = |plan: Arc<SlotPlan>| leads_to(&self.0.rack, &plan);
        match serving {
            Some(served) => served.hash.is_some() && self.meant_plan(name).and_then(leads_to) != served.hash,
            None => self.has_failed(name),
        }
    }

    /// Whether what a slot is meant to be leads nowhere.
    fn is_broken(&self, slot: &SlotName) -> bool {
        self.meant_plan(slot).is_some_and(|plan| leads_to(&self.0.rack, &plan).is_none())
    }

    /// Whether the slot's files hold something else than what serves, and than what failed last.
    fn is_edited_since(&self, name: &SlotName) -> bool {
        let failed = self.tried(name);
        failed.is_none_or(|tried| !tried.is_as_it_was(&self.0.rack)) && self.differs(name)
    }

    /// Whether the slot's files hold something else than what serves or, where kept content does, than when that came.
    fn differs(&self, name: &SlotName) -> bool {
        let Ok(slot) = self.0.rack.slot(name.as_str()) else { return false };
        match (slot.serving(), self.pinned_instead_of(name)) {
            (Some(served), Some(instead_of)) => {
                let found = leads_to(&self.0.rack, &served.plan);
                found != instead_of && found != served.hash
            }
            (Some(served), None) => {
                let meant = self.meant_plan(name);
                served.hash.is_some() && meant.and_then(|plan| leads_to(&self.0.rack, &plan)) != served.hash
            }
            (None, _) => self.has_failed(name),
        }
    }

    /// Whether the text that is there now does not parse, or a contract that it names.
    fn is_half(&self) -> bool {
        let (set, given) = (&self.0.recorder.declared().set, self.0.rack.given());
        let read = |source: &Source| {
            let plan = text::parse_with(&source.read()?, set, &given)?;
            self.0.rack.check_contracts(&plan)
        };
        self.0.source.as_ref().is_some_and(|source| read(source).is_err())
    }
}

/// The slots among these.
fn slots_of(keys: &[Key]) -> BTreeSet<SlotName> {
    let slots = keys.iter().filter_map(|key| match key {
        Key::Slot(slot) => Some(slot.clone()),
        Key::Rack | Key::Database => None,
    });
    slots.collect()
}

/// Files that are watched for one key; of the first nothing is known, so that what was changed since it was read is looked at once.
fn first_unread(files: impl IntoIterator<Item = PathBuf>) -> impl Iterator<Item = Watched> {
    let mut seen = BTreeSet::new();
    let files = files.into_iter().filter(move |file| seen.insert(file.clone()));
    files.enumerate().map(|(at, path)| if at == 0 { Watched::unread(path) } else { Watched::new(path) })
}

/// All that decides what becomes of what a slot is meant to be, whether it is there or not: what it asks for, and what its failure names.
fn asked_for(rack: &Rack, slot: &SlotPlan) -> Vec<PathBuf> {
    let mut files = rack.asks_for(slot).unwrap_or_default();
    if let Err(why) = described(rack, slot) {
        files.extend(broken_files(rack, slot, &why));
    }
    // A folder is watched for becoming a file, or for coming at all.
    files.sort_by_key(|file| file.is_dir());
    files
}

fn is_watched(slot: &SlotPlan) -> bool {
    slot.swap.watch != Some(false)
}

/// The files that a slot's module consists of, its own first; none when it comes from no file. Of what is broken not all are known: its own,
/// and those in which something is wrong.
///
/// # Errors
/// Nothing is known by the name that the slot uses.
fn files_of(rack: &Rack, slot: &SlotPlan) -> Result<Vec<PathBuf>> {
    let origin = rack.named_by(slot)?;
    let Origin::File { path, .. } = &origin else { return Ok(Vec::new()) };
    let mut files = match rack.describe(&origin) {
        Ok(about) => {
            let own = (!path.is_dir()).then(|| path.clone());
            own.into_iter().chain(about.files).collect()
        }
        Err(why) => broken_files(rack, slot, &why),
    };
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

impl Sink<Key> for Changes {
    fn changed(&mut self, changed: &Changed<Key>) -> Answer {
        let Some(live) = self.live.upgrade().map(LiveRack) else { return Answer::Taken };
        let mut is_rack = changed.keys.contains(&Key::Rack);
        let mut row = None;
        if changed.keys.contains(&Key::Database) {
            let texts = live.row_and_declared();
            let is_known = |(row, declared): &Texts| Some(row) == declared.as_ref() || texts == self.taken;
            is_rack |= !texts.as_ref().is_some_and(is_known);
            row = texts.map(|(row, _)| row);
        }
        let answer = live.changed(changed, is_rack);
        if let (Answer::Taken, Some(row)) = (answer, row) {
            self.taken = Some((row, live.0.recorder.declared().hash.clone()));
        }
        answer
    }

    fn warned(&mut self, warning: &Error) {
        if let Some(live) = self.live.upgrade() {
            live.recorder.warn(warning.clone());
        }
    }
}
