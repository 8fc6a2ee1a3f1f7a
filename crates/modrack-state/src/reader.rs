//! What a state remembers, asked for: by who writes it, and by others while that one does.
//!
//! Nothing here writes, but that a kept file which is damaged is set aside.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use modrack_core::{Attr, ContentHash, Origin, Result, SlotName};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::content::Store;
use crate::record::{
    Action, Configuration, Entry, EntryId, EntrySlot, Failed, Filling, Good, Outcome, Override,
};
use crate::{database, error};

/// A state that is read.
#[derive(Debug)]
pub struct Reader {
    /// What messages name: the database.
    pub(crate) path: PathBuf,
    pub(crate) store: Option<Store>,
    database: Mutex<Connection>,
}

impl Reader {
    /// The state in a folder; none when nothing was remembered there yet.
    ///
    /// Another process may write it meanwhile: what is asked for is what was committed when it was asked.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateNewer`], [`modrack_core::Code::StateDamaged`], and
    /// [`modrack_core::Code::StateUnwritable`] when the system refuses.
    pub fn open(folder: &Path) -> Result<Option<Self>> {
        let database = database::to_read(folder)?;
        Ok(database.map(|database| Self::over(folder.join(database::NAME), Some(folder), database)))
    }

    pub(crate) fn over(path: PathBuf, files: Option<&Path>, database: Connection) -> Self {
        Self { path, store: files.map(Store::new), database: Mutex::new(database) }
    }

    /// The last entries of the history, the newest first; those of one slot where it is named.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateDamaged`].
    pub fn history(&self, slot: Option<&SlotName>, most: usize) -> Result<Vec<Entry>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|database| {
            let mut select = database.prepare(
                "SELECT id, at, action, who, why, config, outcome, slot, step, code, message FROM history
                 WHERE ?1 IS NULL OR id IN (SELECT entry FROM history_slot WHERE slot = ?1)
                 ORDER BY id DESC LIMIT ?2",
            )?;
            let rows = select.query_map(params![slot.map(SlotName::as_str), most], entry)?;
            let mut entries = rows.collect::<rusqlite::Result<Vec<Entry>>>()?;
            for entry in &mut entries {
                entry.slots = slots(database, entry.id)?;
            }
            Ok(entries)
        })
    }

    /// One entry of the history.
    ///
    /// # Errors
    /// [`modrack_core::Code::UnknownEntry`].
    pub fn entry(&self, id: EntryId) -> Result<Entry> {
        let found = self.ask(|database| {
            let mut select = database.prepare(
                "SELECT id, at, action, who, why, config, outcome, slot, step, code, message FROM history
                 WHERE id = ?1",
            )?;
            let Some(mut entry) = select.query_row([id.0], entry).optional()? else { return Ok(None) };
            entry.slots = slots(database, id)?;
            Ok(Some(entry))
        })?;
        found.ok_or_else(|| error::unknown(&format!("entry {}", id.0)))
    }

    /// The last good set: what fills each slot that stood its trial, in the order of their names.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateDamaged`].
    pub fn last_good(&self) -> Result<Vec<Good>> {
        self.ask(|database| {
            let mut select = database.prepare(
                "SELECT v.module, v.hash, v.use, v.plan, good.slot, good.at
                 FROM good JOIN version v ON v.id = good.version ORDER BY good.slot",
            )?;
            let rows = select.query_map([], |row| {
                Ok(Good { filling: filling(row, 0)?, slot: slot(row, 4)?, since: time(row, 5)? })
            })?;
            rows.collect()
        })
    }

    /// The slots that are filled by something else than the configuration says, in the order of their names.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateDamaged`].
    pub fn overrides(&self) -> Result<Vec<Override>> {
        self.ask(|database| {
            let mut select = database.prepare(
                "SELECT v.module, v.hash, v.use, v.plan, o.slot, o.declared, o.entry, o.at
                 FROM override o JOIN version v ON v.id = o.version ORDER BY o.slot",
            )?;
            let rows = select.query_map([], |row| {
                Ok(Override {
                    to: filling(row, 0)?,
                    slot: slot(row, 4)?,
                    declared: ContentHash::from_hex(&row.get::<_, String>(5)?),
                    entry: row.get::<_, Option<i64>>(6)?.map(EntryId),
                    since: time(row, 7)?,
                })
            })?;
            rows.collect()
        })
    }

    /// The configurations that served, the one that began last first.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateDamaged`].
    pub fn configurations(&self) -> Result<Vec<Configuration>> {
        self.ask(|database| {
            let mut select = database.prepare(
                "SELECT t.hash, t.name, t.text, s.at, max(s.id) AS last FROM config_text t
                 JOIN config_served s ON s.hash = t.hash GROUP BY t.hash ORDER BY last DESC",
            )?;
            let rows = select.query_map([], |row| {
                Ok(Configuration {
                    hash: ContentHash::from_hex(&row.get::<_, String>(0)?),
                    name: row.get(1)?,
                    text: row.get(2)?,
                    since: time(row, 3)?,
                })
            })?;
            rows.collect()
        })
    }

    /// The configuration whose hash begins so.
    ///
    /// # Errors
    /// [`modrack_core::Code::UnknownEntry`] when none does, or several do.
    pub fn configuration(&self, hash: &str) -> Result<Configuration> {
        let mut found = self.configurations()?;
        found.retain(|config| !hash.is_empty() && config.hash.as_str().starts_with(hash));
        match (found.pop(), found.is_empty()) {
            (Some(config), true) => Ok(config),
            (Some(_), false) => Err(error::unknown_configuration(&format!("that is told apart by `{hash}`"))),
            (None, _) => Err(error::unknown_configuration(&format!("`{hash}`"))),
        }
    }

    /// The files of a module that is kept, each with where it was and its bytes, the module's own first.
    ///
    /// # Errors
    /// [`modrack_core::Code::ContentGone`], [`modrack_core::Code::ContentDamaged`].
    pub fn content(&self, hash: &ContentHash) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let (Some(store), Some((_, parts))) = (&self.store, self.parts(hash, None)?) else {
            return Err(error::content_gone(hash));
        };
        parts.into_iter().map(|part| Ok((part.path, store.get(&part.content)?))).collect()
    }

    /// From where a module that is kept can be loaded, if it was laid out before; its files are held against their hashes. Nothing is
    /// written, so what was cleaned up in a module's folder is not made anew.
    ///
    /// # Errors
    /// [`modrack_core::Code::ContentGone`], [`modrack_core::Code::ContentDamaged`].
    pub fn laid_out(&self, hash: &ContentHash, attr: Option<Attr>) -> Result<Origin> {
        let (Some(store), Some((kept, parts))) = (&self.store, self.parts(hash, None)?) else {
            return Err(error::content_gone(hash));
        };
        let path = store.laid_out(&kept.to_string(), &parts)?.ok_or_else(|| error::content_gone(hash))?;
        Ok(Origin::File { path, attr })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks in one transaction, so that the answer is of one moment.
    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let database = self.lock();
        let asked = database.unchecked_transaction().and_then(|moment| {
            let answer = ask(&moment)?;
            moment.commit()?;
            Ok(answer)
        });
        asked.map_err(|why| error::database(&self.path, &why))
    }

    /// The number and the files of what is kept under a module's hash; of that with its first file at `path`, or else of
    /// that which was kept last.
    pub(crate) fn parts(
        &self,
        hash: &ContentHash,
        path: Option<&Path>,
    ) -> Result<Option<(i64, Vec<crate::content::Part>)>> {
        let path = path.map(|path| path.as_os_str().as_encoded_bytes());
        self.ask(|database| {
            let kept: Option<i64> = database
                .query_row(
                    "SELECT id FROM kept WHERE hash = ?1 AND (?2 IS NULL OR path = ?2)
                     ORDER BY at DESC, id DESC LIMIT 1",
                    params![hash.as_str(), path],
                    |row| row.get(0),
                )
                .optional()?;
            let Some(kept) = kept else { return Ok(None) };
            let mut select =
                database.prepare("SELECT path, content, size FROM part WHERE kept = ?1 ORDER BY n")?;
            let rows = select.query_map([kept], |row| {
                Ok(crate::content::Part {
                    path: path_of(row.get(0)?),
                    content: ContentHash::from_hex(&row.get::<_, String>(1)?),
                    size: row.get::<_, i64>(2)?.unsigned_abs(),
                })
            })?;
            Ok(Some((kept, rows.collect::<rusqlite::Result<_>>()?)))
        })
    }
}

/// A time as a row has it: milliseconds since 1970.
pub(crate) fn millis(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<SystemTime> {
    let millis: i64 = row.get(column)?;
    Ok(UNIX_EPOCH + Duration::from_millis(millis.unsigned_abs()))
}

/// A slot's name was checked before it was written, and one that no rack declares is any text.
fn slot(row: &Row<'_>, column: usize) -> rusqlite::Result<SlotName> {
    row.get::<_, String>(column).map(|name| SlotName::undeclared(&name))
}

/// A filling whose columns begin here: module, hash, use, plan.
fn filling(row: &Row<'_>, from: usize) -> rusqlite::Result<Filling> {
    Ok(Filling {
        module: row.get(from)?,
        hash: row.get::<_, Option<String>>(from + 1)?.map(|hash| ContentHash::from_hex(&hash)),
        use_text: row.get(from + 2)?,
        plan: row.get(from + 3)?,
    })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let unknown = |column: usize, word: String| {
        let why = format!("`{word}` is not known");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, why.into())
    };
    let action: String = row.get(2)?;
    let outcome: String = row.get(6)?;
    let outcome = match outcome.as_str() {
        "begun" => Outcome::Begun,
        "done" => Outcome::Done,
        "interrupted" => Outcome::Interrupted,
        "failed" => Outcome::Failed(Failed {
            slot: row.get::<_, Option<String>>(7)?.map(|slot| SlotName::undeclared(&slot)),
            step: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
            code: row.get::<_, Option<String>>(9)?.unwrap_or_default(),
            message: row.get::<_, Option<String>>(10)?.unwrap_or_default(),
        }),
        _ => return Err(unknown(6, outcome)),
    };
    Ok(Entry {
        id: EntryId(row.get(0)?),
        at: time(row, 1)?,
        action: Action::parse(&action).ok_or_else(|| unknown(2, action))?,
        who: row.get(3)?,
        why: row.get(4)?,
        config: row.get::<_, Option<String>>(5)?.map(|hash| ContentHash::from_hex(&hash)),
        outcome,
        slots: Vec::new(),
    })
}

fn slots(database: &Connection, entry: EntryId) -> rusqlite::Result<Vec<EntrySlot>> {
    let mut select = database.prepare(
        "SELECT s.slot, s.was, s.version, v.kept IS NOT NULL, v.module, v.hash, v.use, v.plan
         FROM history_slot s LEFT JOIN version v ON v.id = s.version WHERE s.entry = ?1 ORDER BY s.n",
    )?;
    let rows = select.query_map([entry.0], |row| {
        let version: Option<i64> = row.get(2)?;
        Ok(EntrySlot {
            slot: slot(row, 0)?,
            from: row.get::<_, Option<String>>(1)?.map(|hash| ContentHash::from_hex(&hash)),
            to: version.map(|_| filling(row, 4)).transpose()?,
            is_kept: row.get(3)?,
        })
    })?;
    rows.collect()
}
