//! A state that is written: what happens is remembered here.
//!
//! Every method is one transaction, on the disk when it returns. They may be called from any thread; one waits for the other.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use modrack_core::{Attr, ContentHash, Description, Error, Origin, Result, SlotName};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tempfile::TempDir;

use crate::content::{self, Part};
use crate::lock::Lock;
use crate::reader::{Reader, millis};
use crate::record::{Change, EntryId, Filling, Outcome, Override, SlotChange, Standing};
use crate::{database, error};

/// How much is remembered, and by which clock.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many bytes of content are kept; what is in force and the last good set are kept beyond that.
    pub budget: u64,
    /// How many entries of the history are kept.
    pub entries: u32,
    /// The time now.
    pub clock: fn() -> SystemTime,
}

/// A state that was opened to write.
#[derive(Debug)]
pub struct Opened {
    /// The state.
    pub state: RackState,
    /// What went wrong and stops nobody: a damaged database was put aside.
    pub warning: Option<Error>,
}

/// A state that this process writes.
#[derive(Debug)]
pub struct RackState {
    pub(crate) reader: Reader,
    pub(crate) settings: Settings,
    /// The state folder; none in memory.
    pub(crate) folder: Option<PathBuf>,
    /// Where the first file of each module stands that was kept or laid out here and not let go since.
    pub(crate) pinned: Mutex<HashMap<(ContentHash, PathBuf), PathBuf>>,
    /// Held by many while files are kept that nothing names yet, by one while files are cleaned up.
    pub(crate) cleaning: RwLock<()>,
    // Dropped last: the lock is given back when the database is closed.
    lock: Option<Lock>,
    _temporary: Option<TempDir>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { budget: 1 << 30, entries: 10_000, clock: SystemTime::now }
    }
}

impl RackState {
    /// The state in a folder, which is made if it is not there. Changes that a process began and did not end are noted as
    /// interrupted.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateInUse`], [`modrack_core::Code::StateNewer`], and
    /// [`modrack_core::Code::StateUnwritable`], which names the alternatives.
    pub fn open(folder: &Path, settings: Settings) -> Result<Opened> {
        fs::create_dir_all(folder).map_err(|why| error::unwritable(folder, why))?;
        let lock = Lock::take(folder)?;
        let (database, warning) = database::to_write(folder, (settings.clock)())?;
        let reader = Reader::over(folder.join(database::NAME), Some(folder), database);
        let state = Self {
            reader,
            settings,
            folder: Some(folder.to_owned()),
            pinned: Mutex::default(),
            cleaning: RwLock::default(),
            lock: Some(lock),
            _temporary: None,
        };
        state.write(|database| {
            database.execute("UPDATE history SET outcome = 'interrupted' WHERE outcome = 'begun'", [])
        })?;
        Ok(Opened { state, warning })
    }

    /// A state that is gone with the process. Where no temporary file can be written, no content is kept.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateUnwritable`] when there is no memory for it.
    pub fn memory(settings: Settings) -> Result<Self> {
        let temporary = TempDir::with_prefix("modrack-").ok();
        let files = temporary.as_ref().map(TempDir::path);
        let reader = Reader::over("memory".into(), files, database::in_memory()?);
        let (pinned, cleaning) = (Mutex::default(), RwLock::default());
        Ok(Self { reader, settings, folder: None, pinned, cleaning, lock: None, _temporary: temporary })
    }

    /// What is remembered.
    pub fn read(&self) -> &Reader {
        &self.reader
    }

    /// Keeps the files of a module, and gives from where they can be loaded. What has no files (an import, source in
    /// the rack, an object of the host) is not kept.
    ///
    /// `hash` says which hash a module has that is loaded from there: it must be the description's, because the files may have
    /// been changed since they were described. What is kept is not cleaned up before it is [let go](Self::release).
    ///
    /// # Errors
    /// [`modrack_core::Code::StateUnwritable`], [`modrack_core::Code::ModuleUnreadable`] when a file cannot be read or was changed.
    pub fn keep(
        &self,
        origin: &Origin,
        description: &Description,
        hash: impl FnOnce(&Origin) -> Result<Option<ContentHash>>,
    ) -> Result<Option<Origin>> {
        let (Origin::File { attr, .. }, Some(wanted), Some(first), Some(store)) =
            (origin, &description.hash, description.files.first(), &self.reader.store)
        else {
            return Ok(None);
        };
        let from = |path: &Path| Origin::File { path: path.to_owned(), attr: attr.clone() };
        let key = (wanted.clone(), first.clone());
        if let Some(place) = self.pins(|pinned| pinned.get(&key).cloned()) {
            return Ok(Some(from(&place)));
        }
        let _kept_until_pinned = self.cleaning.read().unwrap_or_else(PoisonError::into_inner);
        let mut parts = Vec::with_capacity(description.files.len());
        for path in &description.files {
            let bytes = fs::read(path).map_err(|why| error::unreadable(path, &why))?;
            let content = store.put(&bytes)?;
            parts.push(Part { path: path.clone(), content, size: bytes.len() as u64 });
        }
        for path in &description.data {
            // It may come and go as the module runs, which is for the module to bear.
            let Ok(bytes) = fs::read(path) else { continue };
            let content = store.put(&bytes)?;
            parts.push(Part { path: path.clone(), content, size: bytes.len() as u64 });
        }
        // Under a name of its own until it is known to be what was described.
        let kept = self.note(wanted, first, &parts)?;
        let place = store.lay_out(&kept.to_string(), &parts)?.ok_or_else(|| error::content_gone(wanted))?;
        let found = hash(&from(&place));
        if !matches!(&found, Ok(Some(found)) if found == wanted) {
            self.write(|database| database.execute("DELETE FROM kept WHERE id = ?1", [kept]))?;
            return Err(match found {
                Err(why) => why,
                Ok(_) => error::changed(first),
            });
        }
        self.pins(|pinned| pinned.insert(key, place.clone()));
        Ok(Some(from(&place)))
    }

    /// From where a module that served can be loaded again; its files are held against their hashes. They are not cleaned up before they are
    /// [let go](Self::release).
    ///
    /// # Errors
    /// [`modrack_core::Code::ContentGone`], [`modrack_core::Code::ContentDamaged`],
    /// [`modrack_core::Code::StateUnwritable`].
    pub fn kept(&self, hash: &ContentHash, attr: Option<Attr>) -> Result<Origin> {
        let _kept_until_pinned = self.cleaning.read().unwrap_or_else(PoisonError::into_inner);
        let (Some(store), Some((kept, parts))) = (&self.reader.store, self.reader.parts(hash, None)?) else {
            return Err(error::content_gone(hash));
        };
        let path = store.lay_out(&kept.to_string(), &parts)?.ok_or_else(|| error::content_gone(hash))?;
        if let Some(first) = parts.into_iter().next() {
            self.pins(|pinned| pinned.insert((hash.clone(), first.path), path.clone()));
        }
        Ok(Origin::File { path, attr })
    }

    /// Lets a module's content go: no generation is loaded from it any more, and what names it decides for how long it is
    /// kept.
    pub fn release(&self, hash: &ContentHash) {
        self.pins(|pinned| pinned.retain(|(kept, _), _| kept != hash));
    }

    /// [Lets go](Self::release) of every module's content but that of which this holds.
    pub fn release_but(&self, is_loaded: impl Fn(&ContentHash) -> bool) {
        self.pins(|pinned| pinned.retain(|(kept, _), _| is_loaded(kept)));
    }

    /// Ends the override of a slot; gives it, if there was one.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub fn end_override(&self, slot: &SlotName) -> Result<Option<Override>> {
        Ok(self.end_overrides(|over| over.slot == *slot)?.pop())
    }

    /// Remembers that a change is begun. When the process ends before the change [does](Self::finish), the next one finds it
    /// interrupted.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateUnwritable`], [`modrack_core::Code::StateDamaged`]; as for every method here that writes.
    pub fn begin(&self, change: &Change) -> Result<EntryId> {
        let at = self.now();
        self.write(|database| insert(database, at, change, &Outcome::Begun))
    }

    /// Remembers how a change that was begun ended. `slots` is what became of them; where it is empty, as it may be when nothing did,
    /// the entry goes on to tell what was meant.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin); [`modrack_core::Code::UnknownEntry`] for one that is not there or has ended.
    pub fn finish(&self, id: EntryId, outcome: &Outcome, slots: &[SlotChange]) -> Result<()> {
        let at = self.now();
        let ended = self.write(|database| {
            let known = "SELECT 1 FROM history WHERE id = ?1 AND outcome = 'begun'";
            if database.query_row(known, [id.0], |_| Ok(())).optional()?.is_none() {
                return Ok(false);
            }
            end(database, id, outcome)?;
            if !slots.is_empty() {
                database.execute("DELETE FROM history_slot WHERE entry = ?1", [id.0])?;
                fill(database, at, id, outcome, slots)?;
            }
            Ok(true)
        })?;
        if ended { Ok(()) } else { Err(error::unknown(&format!("entry {} that goes on", id.0))) }
    }

    /// Remembers a change together with how it ended.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub fn record(&self, change: &Change, outcome: &Outcome) -> Result<EntryId> {
        let at = self.now();
        self.write(|database| insert(database, at, change, outcome))
    }

    /// Remembers that what fills these slots stood its trial: it is of the last good set from now on, with what is in that
    /// for other slots.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub fn settle<'a>(&self, slots: impl IntoIterator<Item = (&'a SlotName, &'a Filling)>) -> Result<()> {
        let at = self.now();
        self.write(|database| {
            for (slot, filling) in slots {
                let version = version(database, filling)?;
                database.execute(
                    "INSERT INTO good (slot, version, at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (slot) DO UPDATE SET version = ?2, at = ?3 WHERE version <> ?2",
                    params![slot.as_str(), version, at],
                )?;
            }
            Ok(())
        })
    }

    /// Takes slots out of the last good set, but these: the rack has no others any more.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub fn keep_slots(&self, slots: &[SlotName]) -> Result<()> {
        self.write(|database| {
            for name in names(database, "good")? {
                if !slots.iter().any(|slot| slot.as_str() == name) {
                    database.execute("DELETE FROM good WHERE slot = ?1", [name])?;
                }
            }
            Ok(())
        })
    }

    /// Remembers that a configuration serves now, and gives the hash of its text. The one that does already is not noted again.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub fn configure(&self, name: &str, text: &str) -> Result<ContentHash> {
        let (at, hash) = (self.now(), content::hash(text.as_bytes()));
        self.write(|database| {
            database.execute(
                "INSERT INTO config_text (hash, name, text) VALUES (?1, ?2, ?3)
                 ON CONFLICT (hash) DO UPDATE SET name = ?2",
                params![hash.as_str(), name, text],
            )?;
            let last = "SELECT hash FROM config_served ORDER BY id DESC LIMIT 1";
            let last: Option<String> = database.query_row(last, [], |row| row.get(0)).optional()?;
            if last.as_deref() != Some(hash.as_str()) {
                let insert = "INSERT INTO config_served (at, hash) VALUES (?1, ?2)";
                database.execute(insert, params![at, hash.as_str()])?;
            }
            Ok(())
        })?;
        Ok(hash)
    }

    /// Ends the overrides of slots whose text in the configuration is not what it was when they began, or that are gone from
    /// it. Gives those that ended.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub fn lapse(&self, declared: &BTreeMap<SlotName, ContentHash>) -> Result<Vec<Override>> {
        self.end_overrides(|over| declared.get(&over.slot) != Some(&over.declared))
    }

    /// Ends every override. Gives those that ended.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub fn drop_overrides(&self) -> Result<Vec<Override>> {
        self.end_overrides(|_| true)
    }

    fn end_overrides(&self, ends: impl Fn(&Override) -> bool) -> Result<Vec<Override>> {
        let mut overrides = self.reader.overrides()?;
        overrides.retain(ends);
        self.write(|database| {
            for over in &overrides {
                let delete = "DELETE FROM override WHERE slot = ?1 AND declared = ?2";
                database.execute(delete, [over.slot.as_str(), over.declared.as_str()])?;
            }
            Ok(())
        })?;
        Ok(overrides)
    }

    /// Notes which files a module consists of; gives the number of that.
    fn note(&self, hash: &ContentHash, first: &Path, parts: &[Part]) -> Result<i64> {
        match self.reader.parts(hash, Some(first))? {
            Some((kept, noted)) if noted == parts => return Ok(kept),
            _ => {}
        }
        let at = self.now();
        self.write(|database| {
            let path = first.as_os_str().as_encoded_bytes();
            database
                .execute("DELETE FROM kept WHERE hash = ?1 AND path = ?2", params![hash.as_str(), path])?;
            let insert = "INSERT INTO kept (hash, path, at) VALUES (?1, ?2, ?3)";
            database.execute(insert, params![hash.as_str(), path, at])?;
            let kept = database.last_insert_rowid();
            for (n, part) in parts.iter().enumerate() {
                database.execute(
                    "INSERT INTO part (kept, n, path, content, size) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        kept,
                        count(n),
                        part.path.as_os_str().as_encoded_bytes(),
                        part.content.as_str(),
                        i64::try_from(part.size).unwrap_or(i64::MAX),
                    ],
                )?;
            }
            let found = "UPDATE version SET kept = ?1 WHERE hash = ?2 AND kept IS NULL";
            database.execute(found, params![kept, hash.as_str()])?;
            Ok(kept)
        })
    }

    /// Writes in one transaction, on the disk when it ends.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        if let Some(lock) = &self.lock {
            lock.is_ours()?;
        }
        let mut database = self.reader.lock();
        let written = database.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|all| {
            let answer = write(&all)?;
            all.commit()?;
            Ok(answer)
        });
        written.map_err(|why| error::database(&self.reader.path, &why))
    }

    pub(crate) fn pins<T>(&self, with: impl FnOnce(&mut HashMap<(ContentHash, PathBuf), PathBuf>) -> T) -> T {
        with(&mut self.pinned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> i64 {
        millis((self.settings.clock)())
    }
}

/// The slots that a table names.
fn names(database: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut select = database.prepare(&format!("SELECT slot FROM {table}"))?;
    select.query_map([], |row| row.get(0))?.collect()
}

fn insert(database: &Connection, at: i64, change: &Change, outcome: &Outcome) -> rusqlite::Result<EntryId> {
    let config = change.config.as_ref().map(ContentHash::as_str);
    database.execute(
        "INSERT INTO history (at, action, who, why, config, outcome) VALUES (?1, ?2, ?3, ?4, ?5, 'begun')",
        params![at, change.action.as_str(), change.who, change.why, config],
    )?;
    let id = EntryId(database.last_insert_rowid());
    end(database, id, outcome)?;
    fill(database, at, id, outcome, &change.slots)?;
    Ok(id)
}

fn end(database: &Connection, id: EntryId, outcome: &Outcome) -> rusqlite::Result<()> {
    let failed = match outcome {
        Outcome::Failed(failed) => Some(failed),
        Outcome::Begun | Outcome::Done | Outcome::Interrupted => None,
    };
    database.execute(
        "UPDATE history SET outcome = ?2, slot = ?3, step = ?4, code = ?5, message = ?6 WHERE id = ?1",
        params![
            id.0,
            outcome.as_str(),
            failed.and_then(|failed| failed.slot.as_ref()).map(SlotName::as_str),
            failed.map(|failed| &failed.step),
            failed.map(|failed| &failed.code),
            failed.map(|failed| &failed.message),
        ],
    )?;
    Ok(())
}

/// Notes what becomes of slots, and, when that was done, how they stand to the configuration.
fn fill(
    database: &Connection,
    at: i64,
    id: EntryId,
    outcome: &Outcome,
    slots: &[SlotChange],
) -> rusqlite::Result<()> {
    for (n, change) in slots.iter().enumerate() {
        let slot = change.slot.as_str();
        let version = change.to.as_ref().map(|filling| version(database, filling)).transpose()?;
        database.execute(
            "INSERT INTO history_slot (entry, n, slot, was, version) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![id.0, count(n), slot, change.from.as_ref().map(ContentHash::as_str), version],
        )?;
        if *outcome != Outcome::Done {
            continue;
        }
        match (&change.standing, version) {
            (Standing::Unchanged, _) => {}
            (Standing::Override { declared }, Some(version)) => {
                database.execute(
                    "INSERT OR REPLACE INTO override (slot, version, declared, entry, at)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![slot, version, declared.as_str(), id.0, at],
                )?;
            }
            (Standing::Declared | Standing::Override { .. }, _) => {
                database.execute("DELETE FROM override WHERE slot = ?1", [slot])?;
            }
        }
    }
    Ok(())
}

/// The number of what fills a slot, with what is kept of it now.
fn version(database: &Connection, filling: &Filling) -> rusqlite::Result<i64> {
    let hash = filling.hash.as_ref().map(ContentHash::as_str);
    let kept: Option<i64> = database
        .query_row("SELECT id FROM kept WHERE hash = ?1 ORDER BY at DESC, id DESC LIMIT 1", [hash], |row| {
            row.get(0)
        })
        .optional()?;
    let known: Option<i64> = database
        .query_row(
            "SELECT id FROM version WHERE hash IS ?1 AND module = ?2 AND use = ?3 AND plan = ?4",
            params![hash, filling.module, filling.use_text, filling.plan],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(known) = known {
        database.execute("UPDATE version SET kept = ?2 WHERE id = ?1", params![known, kept])?;
        return Ok(known);
    }
    database.execute(
        "INSERT INTO version (module, hash, use, plan, kept) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![filling.module, hash, filling.use_text, filling.plan, kept],
    )?;
    Ok(database.last_insert_rowid())
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
