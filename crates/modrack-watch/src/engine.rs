//! What a watcher knows and decides, apart from threads, clocks and files: it is told what happened and what time it is, and
//! gives what is to be told.
//!
//! Times are those since the watcher began.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modrack_core::Error;

use crate::disk::{Disk, Stamp};
use crate::event::{Answer, Changed, FileChange, Found, Held, Settings, Watched};
use crate::route::{Node, Step, steps};
use crate::source::{Refusal, Seen, Source};

#[cfg(test)]
mod tests;

/// How often the way to a file is looked for anew when it changes while it is looked for.
const MOST_TRIES: usize = 8;

/// The state of a watcher.
pub(crate) struct Engine<K> {
    settings: Settings,
    disk: Box<dyn Disk>,
    /// None where nothing is asked of the system.
    source: Option<Box<dyn Source>>,
    /// What each key knows of its files.
    keys: BTreeMap<K, BTreeMap<PathBuf, Known>>,
    files: BTreeMap<PathBuf, File>,
    /// The watched paths that each name decides.
    names: BTreeMap<Step, BTreeSet<PathBuf>>,
    folders: BTreeMap<PathBuf, Folder>,
    offers: Vec<Offer<K>>,
    next_poll: Duration,
    warning: Option<Error>,
    has_warned: bool,
}

/// What a key knows of a file.
struct Known {
    /// What there was when it was told last; none where nothing was.
    found: Option<Found>,
    /// Of which save that was.
    stamp: Option<Stamp>,
    /// Whether each save is told.
    each_save: bool,
}

/// A watched path.
#[derive(Default)]
struct File {
    /// How many keys have it.
    keys: usize,
    steps: BTreeSet<Step>,
    /// Whether somebody writes it, as far as is known.
    is_open: bool,
    /// When something happened to it that was not looked at yet, for the first and the last time.
    happened: Option<(Duration, Duration)>,
    /// Whether it was found to be changed by something that was not heard of yet, and waited for once.
    has_waited: bool,
    /// Since when there is nothing that can be read.
    missing: Option<Duration>,
    /// What was known of it when it was polled last.
    stamp: Option<Stamp>,
    /// Whether that was another than the time before.
    is_settling: bool,
}

/// A folder whose names matter.
struct Folder {
    /// How many steps lead through it.
    steps: usize,
    is_watched: bool,
}

/// A change that could not be taken.
struct Offer<K> {
    changed: Changed<K>,
    at: Duration,
}

impl<K: Ord + Clone> Engine<K> {
    pub(crate) fn new(settings: Settings, disk: Box<dyn Disk>, source: Option<Box<dyn Source>>) -> Self {
        Self {
            settings,
            disk,
            source,
            keys: BTreeMap::new(),
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            folders: BTreeMap::new(),
            offers: Vec::new(),
            next_poll: Duration::ZERO,
            warning: None,
            has_warned: false,
        }
    }

    /// Watches these files for a key, and no others any more.
    pub(crate) fn set(&mut self, key: &K, files: impl IntoIterator<Item = Watched>, now: Duration) {
        for path in self.renew(key, files, now, false).into_keys() {
            self.let_go(&path);
        }
    }

    /// Watches these files for a key, and those that it has.
    pub(crate) fn add(&mut self, key: &K, files: impl IntoIterator<Item = Watched>, now: Duration) {
        let before = self.renew(key, files, now, false);
        self.know(key, before);
    }

    /// Watches these files for a key, and those that it has; of one that it has, the last save that it knows is known still.
    pub(crate) fn go_on(&mut self, key: &K, files: impl IntoIterator<Item = Watched>, now: Duration) {
        let before = self.renew(key, files, now, true);
        self.know(key, before);
    }

    fn know(&mut self, key: &K, before: BTreeMap<PathBuf, Known>) {
        if let Some(known) = self.keys.get_mut(key) {
            known.extend(before);
        }
    }

    /// Has a key know these files, anew unless it `goes_on`, and gives what it knew of others, which it still has.
    fn renew(
        &mut self,
        key: &K,
        files: impl IntoIterator<Item = Watched>,
        now: Duration,
        goes_on: bool,
    ) -> BTreeMap<PathBuf, Known> {
        let mut before = self.keys.remove(key).unwrap_or_default();
        self.forget_offers(key);
        let mut known = BTreeMap::new();
        for Watched { path, held, each_save } in files {
            let is_new = !before.contains_key(&path) && !known.contains_key(&path);
            if is_new {
                self.files.entry(path.clone()).or_default().keys += 1;
            }
            self.find_way(&path, now);
            // Read when it is watched: what happens from here on is told.
            let was = before.get(&path).filter(|_| goes_on);
            let found = match held {
                Held::Content(hash) => Some(Found::Content(hash)),
                Held::Now => Some(self.disk.read(&path)),
                Held::Unknown => None,
            };
            let stamp = was.map_or_else(|| self.disk.stamp(&path), |was| was.stamp);
            if let Some(file) = self.files.get_mut(&path) {
                file.stamp = None;
                file.happened = Some((now, now));
            }
            known.insert(path, Known { found, stamp, each_save });
        }
        before.retain(|path, _| !known.contains_key(path));
        self.keys.insert(key.clone(), known);
        self.next_poll = self.next_poll.min(now);
        before
    }

    /// Takes what was saved of a key's files until now as known, but for what they hold that is another content.
    pub(crate) fn settle(&mut self, key: &K) {
        for (path, known) in self.keys.get_mut(key).into_iter().flatten() {
            known.stamp = self.disk.stamp(path);
        }
    }

    /// Watches nothing for a key any more.
    pub(crate) fn unset(&mut self, key: &K) {
        self.forget_offers(key);
        for path in self.keys.remove(key).unwrap_or_default().into_keys() {
            self.let_go(&path);
        }
    }

    /// Takes note of what happened.
    pub(crate) fn saw(&mut self, seen: &Seen, now: Duration) {
        match seen {
            // A link is made and never written.
            Seen::Written(path) => {
                self.happened(path, now, |disk, _| !matches!(disk.node(path), Node::Link(_)));
            }
            Seen::Closed(path) => self.happened(path, now, |_, _| false),
            Seen::Touched(path) => {
                if self.folders.contains_key(path) {
                    self.replaced(path, now);
                }
                self.happened(path, now, |_, is_open| is_open);
            }
            Seen::Named(path) => {
                if self.folders.contains_key(path) {
                    self.replaced(path, now);
                }
                self.happened(path, now, |_, _| false);
            }
            Seen::Everything => {
                let folders: Vec<PathBuf> = self.folders.keys().cloned().collect();
                folders.iter().for_each(|folder| self.replaced(folder, now));
            }
        }
    }

    /// Looks at what is due, and gives what is to be told.
    pub(crate) fn turn(&mut self, now: Duration) -> Vec<Changed<K>> {
        self.poll(now);
        let mut due =
            self.batch().map_or_else(Vec::new, |(at, batch)| if at <= now { batch } else { Vec::new() });
        if self.waits_to_hear(&due, now) {
            due.clear();
        }
        let is_out = |file: &File| file.missing.is_some_and(|since| since + self.settings.patience <= now);
        due.extend(self.files.iter().filter(|(_, file)| is_out(file)).map(|(path, _)| path.clone()));
        due.sort_unstable();
        due.dedup();
        let mut told = self.look(&due, now);
        let offers = mem::take(&mut self.offers);
        for mut offer in offers {
            if offer.at <= now {
                offer.changed.is_last = true;
                told.push(offer.changed);
            } else {
                self.offers.push(offer);
            }
        }
        told
    }

    /// Takes note of what the consumer said of a change.
    pub(crate) fn answered(&mut self, changed: Changed<K>, answer: Answer, now: Duration) {
        if answer == Answer::NotYet && !changed.is_last {
            let mut changed = changed;
            changed.keys.retain(|key| self.keys.contains_key(key));
            changed.saved.retain(|key| self.keys.contains_key(key));
            let at = now + self.settings.patience;
            self.offers.push(Offer { changed, at });
            self.offers.retain(|offer| !offer.changed.keys.is_empty());
        }
    }

    /// When there is something to do next, if nothing happens.
    pub(crate) fn next(&self) -> Option<Duration> {
        let missing = self.files.values().filter_map(|file| Some(file.missing? + self.settings.patience));
        let offers = self.offers.iter().map(|offer| offer.at);
        let polled = self.is_polling().then_some(self.next_poll);
        missing.chain(offers).chain(polled).chain(self.batch().map(|(at, _)| at)).min()
    }

    /// What went wrong and stops nobody, once.
    pub(crate) fn warning(&mut self) -> Option<Error> {
        self.warning.take()
    }

    /// Has a warning told, unless one was.
    pub(crate) fn warn(&mut self, warning: Error) {
        if !mem::replace(&mut self.has_warned, true) {
            self.warning = Some(warning);
        }
    }

    /// The files to which something happened and that nobody writes, and when they are to be looked at; files that somebody writes
    /// alone, when they have been left alone for long.
    fn batch(&self) -> Option<(Duration, Vec<PathBuf>)> {
        let mut whole: Option<(Duration, Duration)> = None;
        let mut batch = Vec::new();
        let mut open: Option<(Duration, &PathBuf)> = None;
        for (path, file) in &self.files {
            let Some((first, last)) = file.happened else { continue };
            if file.is_open {
                let at = last + self.settings.longest;
                open = Some(open.map_or((at, path), |before| before.min((at, path))));
                continue;
            }
            whole = Some(whole.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
            batch.push(path.clone());
        }
        let whole = whole
            .map(|(first, last)| ((last + self.settings.quiet).min(first + self.settings.longest), batch));
        match (whole, open) {
            (Some(whole), Some((at, _))) if whole.0 <= at => Some(whole),
            (_, Some((at, path))) => Some((at, vec![path.clone()])),
            (whole, None) => whole,
        }
    }

    /// Whether one of these files was changed after all that is known to have happened to it: whoever did that may still write, which is heard
    /// in a moment. All of them wait for it then, once.
    fn waits_to_hear(&mut self, due: &[PathBuf], now: Duration) -> bool {
        let mut waits = false;
        for path in due.iter().filter(|path| !self.is_polled(path)).collect::<Vec<_>>() {
            let age = self.disk.age(path);
            let Some(file) = self.files.get_mut(path) else { continue };
            let Some((first, last)) = file.happened else { continue };
            let is_unheard = age.is_some_and(|age| last + age < now);
            if is_unheard && !mem::replace(&mut file.has_waited, true) {
                file.happened = Some((first, now));
                waits = true;
            }
        }
        waits
    }

    /// Looks at files, and gives what is to be told of them.
    fn look(&mut self, due: &[PathBuf], now: Duration) -> Vec<Changed<K>> {
        let (mut keys, mut saved): (BTreeSet<K>, BTreeSet<K>) = (BTreeSet::new(), BTreeSet::new());
        let mut files: BTreeMap<PathBuf, Found> = BTreeMap::new();
        for path in due {
            self.find_way(path, now);
            if self.is_polled(path) && self.is_being_written(path, now) {
                continue;
            }
            let (found, stamp) = (self.disk.read(path), self.disk.stamp(path));
            let Some(file) = self.files.get_mut(path) else { continue };
            file.happened = None;
            file.is_open = false;
            file.has_waited = false;
            let is_there = matches!(found, Found::Content(_));
            let is_patient = !is_there && now < *file.missing.get_or_insert(now) + self.settings.patience;
            if is_patient {
                // Nobody waits for what is known to be so.
                let is_known = |known: &BTreeMap<PathBuf, Known>| {
                    known.get(path).is_none_or(|known| known.holds(&found) == Some(true))
                };
                if self.keys.values().all(is_known) {
                    file.missing = None;
                }
                continue;
            }
            file.missing = None;
            for (key, known) in &mut self.keys {
                let Some(known) = known.get_mut(path) else { continue };
                let is_saved = known.holds(&found) == Some(false) || known.was_saved(stamp);
                if is_saved || known.found.is_none() {
                    (known.found, known.stamp) = (Some(found.clone()), stamp);
                    keys.insert(key.clone());
                    files.insert(path.clone(), found.clone());
                }
                if is_saved {
                    saved.insert(key.clone());
                }
            }
        }
        if keys.is_empty() {
            return Vec::new();
        }
        self.absorb(&mut keys, &mut saved, &mut files);
        let files = files.into_iter().map(|(path, found)| FileChange { path, found }).collect();
        let (keys, saved) = (keys.into_iter().collect(), saved.into_iter().collect());
        vec![Changed { keys, saved, files, is_last: false }]
    }

    /// Takes in what was told of the same keys and not taken: it is told together with what happened since.
    fn absorb(
        &mut self,
        keys: &mut BTreeSet<K>,
        saved: &mut BTreeSet<K>,
        files: &mut BTreeMap<PathBuf, Found>,
    ) {
        let offers = mem::take(&mut self.offers);
        for offer in offers {
            if !offer.changed.keys.iter().any(|key| keys.contains(key)) {
                self.offers.push(offer);
                continue;
            }
            keys.extend(offer.changed.keys);
            saved.extend(offer.changed.saved);
            for FileChange { path, found } in offer.changed.files {
                files.entry(path).or_insert(found);
            }
        }
    }

    fn forget_offers(&mut self, key: &K) {
        for offer in &mut self.offers {
            offer.changed.keys.retain(|other| other != key);
            offer.changed.saved.retain(|other| other != key);
        }
        self.offers.retain(|offer| !offer.changed.keys.is_empty());
    }

    /// Notes that something happened to a name, and whether it is open now if it was or was not before.
    fn happened(&mut self, path: &Path, now: Duration, is_open: impl Fn(&dyn Disk, bool) -> bool) {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
        let step = Step { folder: folder.to_owned(), name: name.to_owned() };
        for path in self.names.get(&step).into_iter().flatten() {
            let Some(file) = self.files.get_mut(path) else { continue };
            let (first, _) = file.happened.unwrap_or((now, now));
            file.happened = Some((first, now));
            file.has_waited = false;
            file.is_open = is_open(&*self.disk, file.is_open);
        }
    }

    /// Watches a folder anew, in which whatever may have happened.
    fn replaced(&mut self, folder: &Path, now: Duration) {
        let names = self.names.iter().filter(|(step, _)| step.folder == folder);
        let paths: BTreeSet<PathBuf> = names.flat_map(|(_, paths)| paths.iter().cloned()).collect();
        // All of them leave before one comes back, so that the watch is another one.
        for path in &paths {
            self.leave_way(path);
            if let Some(file) = self.files.get_mut(path) {
                let (first, _) = file.happened.unwrap_or((now, now));
                file.happened = Some((first, now));
                file.is_open = false;
            }
        }
        for path in &paths {
            self.find_way(path, now);
        }
    }

    /// Finds the way to a file, and watches it.
    fn find_way(&mut self, path: &Path, now: Duration) {
        let mut is_whole = true;
        for _ in 0..MOST_TRIES {
            let found = steps(path, &|path| self.disk.node(path));
            let Some(file) = self.files.get(path) else { return };
            if file.steps == found && is_whole {
                return;
            }
            self.leave_way(path);
            is_whole = true;
            for step in &found {
                is_whole &= self.enter(step, path);
            }
            if let Some(file) = self.files.get_mut(path) {
                file.steps = found;
            }
            // Once more, because it may have changed before it was watched.
        }
        // It changes as fast as it is looked at.
        if let Some(file) = self.files.get_mut(path) {
            file.happened = Some((now, now));
        }
    }

    /// Has a name decide a path. False when its folder is gone meanwhile.
    fn enter(&mut self, step: &Step, path: &Path) -> bool {
        self.names.entry(step.clone()).or_default().insert(path.to_owned());
        if let Some(folder) = self.folders.get_mut(&step.folder) {
            folder.steps += 1;
            return true;
        }
        let watched = self.source.as_mut().map(|source| source.watch(&step.folder));
        let (is_watched, is_there) = match watched {
            Some(Ok(())) => (true, true),
            Some(Err(Refusal::Missing)) => (false, false),
            Some(Err(Refusal::Refused(why))) => {
                self.warn(why);
                (false, true)
            }
            None => (false, true),
        };
        self.folders.insert(step.folder.clone(), Folder { steps: 1, is_watched });
        is_there
    }

    /// Forgets the way to a file.
    fn leave_way(&mut self, path: &Path) {
        let Some(file) = self.files.get_mut(path) else { return };
        for step in mem::take(&mut file.steps) {
            if let Some(paths) = self.names.get_mut(&step) {
                paths.remove(path);
                if paths.is_empty() {
                    self.names.remove(&step);
                }
            }
            let Some(folder) = self.folders.get_mut(&step.folder) else { continue };
            folder.steps -= 1;
            if folder.steps == 0 {
                let is_watched = folder.is_watched;
                self.folders.remove(&step.folder);
                if let (Some(source), true) = (&mut self.source, is_watched) {
                    source.unwatch(&step.folder);
                }
            }
        }
    }

    /// One key less has a file.
    fn let_go(&mut self, path: &Path) {
        let Some(file) = self.files.get_mut(path) else { return };
        file.keys -= 1;
        if file.keys == 0 {
            self.leave_way(path);
            self.files.remove(path);
        }
    }

    /// Whether a file that is polled is another than when it was polled last: then it is looked at when it has settled.
    fn is_being_written(&mut self, path: &Path, now: Duration) -> bool {
        let stamp = self.disk.stamp(path);
        let wait = self.settling();
        let Some(file) = self.files.get_mut(path) else { return false };
        if file.stamp.is_none() || file.stamp.map(Stamp::settled) == stamp.map(Stamp::settled) {
            return false;
        }
        file.stamp = stamp;
        file.is_settling = true;
        file.happened = None;
        self.next_poll = self.next_poll.min(now + wait);
        true
    }

    fn is_polled(&self, path: &Path) -> bool {
        let is_watched = |step: &Step| self.folders.get(&step.folder).is_some_and(|folder| folder.is_watched);
        self.files.get(path).is_some_and(|file| !file.steps.iter().all(is_watched))
    }

    /// After how long a file that is polled is held against what it was.
    fn settling(&self) -> Duration {
        (self.settings.poll / 8).max(self.settings.quiet)
    }

    fn is_polling(&self) -> bool {
        self.folders.values().any(|folder| !folder.is_watched)
    }

    /// Looks at what can be known without reading of files that the system does not watch. A file whose stamp was another a moment ago
    /// is being written.
    fn poll(&mut self, now: Duration) {
        if now < self.next_poll || !self.is_polling() {
            return;
        }
        let mut is_settling = false;
        let mut polled: Vec<PathBuf> = self.files.keys().cloned().collect();
        polled.retain(|path| self.is_polled(path));
        for path in &polled {
            let Some(file) = self.files.get_mut(path) else { continue };
            let stamp = self.disk.stamp(path);
            if file.stamp.map(Stamp::settled) != stamp.map(Stamp::settled) {
                is_settling = true;
                file.is_settling = file.stamp.is_some();
                // The first time there is nothing to compare with, and it is looked at as it is.
                if file.stamp.is_none() && file.happened.is_none() {
                    file.happened = Some((now, now));
                }
            } else if mem::take(&mut file.is_settling) || stamp.is_some_and(|stamp| stamp.is_fresh) {
                file.happened.get_or_insert((now, now));
            }
            file.stamp = stamp;
        }
        let wait = if is_settling { self.settling() } else { self.settings.poll };
        self.next_poll = now + wait;
    }
}

impl Known {
    /// Whether there is now what is known; none where nothing is.
    fn holds(&self, found: &Found) -> Option<bool> {
        self.found.as_ref().map(|known| known.is_same(found))
    }

    /// Whether it was saved since, where each save is told, or nothing else tells it.
    fn was_saved(&self, stamp: Option<Stamp>) -> bool {
        let is_same = match (self.stamp, stamp) {
            (Some(one), Some(other)) => one.is_same_save(other),
            (None, None) => true,
            _ => false,
        };
        (self.each_save || self.found.is_none()) && !is_same
    }
}
