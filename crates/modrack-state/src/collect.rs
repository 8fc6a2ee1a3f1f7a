//! Cleans up: what neither the last good set nor an override nor the history names, and of the history what is beyond its budget.
//!
//! What is in force is kept whatever it takes. First the rows go and then the files, so that a process that dies between leaves
//! files that nothing names, which the next time takes away; never a row whose file is gone.

use std::collections::HashSet;
use std::sync::PoisonError;

use modrack_core::Result;
use rusqlite::{Connection, params};

use crate::database;
use crate::record::Collected;
use crate::state::RackState;

impl RackState {
    /// Cleans up what is kept beyond the settings, the oldest first. What was [kept](RackState::keep) or loaded here and not let go is
    /// not touched; nor is any content as long as a damaged database lies in the folder, which may name it.
    ///
    /// # Errors
    /// [`modrack_core::Code::StateUnwritable`], [`modrack_core::Code::StateDamaged`].
    pub fn collect(&self) -> Result<Collected> {
        let spared = self.folder.as_deref().is_some_and(database::is_aside);
        let (budget, most) = (self.settings.budget, self.settings.entries);
        // Held to the end: nothing is being kept while files go.
        let _alone = self.cleaning.write().unwrap_or_else(PoisonError::into_inner);
        let pinned: HashSet<(String, Vec<u8>)> = self.pins(|pinned| {
            let keys = pinned.keys();
            keys.map(|(hash, path)| (hash.as_str().into(), path.as_os_str().as_encoded_bytes().into()))
                .collect()
        });
        let (entries, hashes, modules) = self.write(|database| {
            let entries = prune(database, most)?;
            if !spared {
                drop_beyond(database, budget, &pinned)?;
            }
            let modules = strings(database, "SELECT CAST(id AS TEXT) FROM kept")?;
            Ok((entries, strings(database, "SELECT DISTINCT content FROM part")?, modules))
        })?;
        let (files, bytes) = match &self.reader.store {
            Some(store) if !spared => store.retain(&hashes, &modules),
            _ => (0, 0),
        };
        Ok(Collected { entries, files, bytes })
    }
}

/// Drops the entries of the history beyond so many, and what only they named.
fn prune(database: &Connection, most: u32) -> rusqlite::Result<u64> {
    let entries = database.execute(
        "DELETE FROM history WHERE outcome <> 'begun'
         AND id <= (SELECT id FROM history ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        [most],
    )?;
    database.execute(
        "DELETE FROM version WHERE id NOT IN (SELECT version FROM good)
         AND id NOT IN (SELECT version FROM override)
         AND id NOT IN (SELECT version FROM history_slot WHERE version IS NOT NULL)",
        [],
    )?;
    Ok(entries as u64)
}

/// Drops the modules that nothing names, and those that only the history does beyond so many bytes.
fn drop_beyond(
    database: &Connection,
    budget: u64,
    pinned: &HashSet<(String, Vec<u8>)>,
) -> rusqlite::Result<()> {
    let in_force: HashSet<i64> = {
        let mut select = database.prepare(
            "SELECT kept FROM version WHERE kept IS NOT NULL
             AND (id IN (SELECT version FROM good) OR id IN (SELECT version FROM override))",
        )?;
        select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    let mut select = database.prepare(
        "SELECT k.id, k.hash, k.path, max(s.entry) AS last FROM kept k
         LEFT JOIN version v ON v.kept = k.id LEFT JOIN history_slot s ON s.version = v.id
         GROUP BY k.id ORDER BY last DESC",
    )?;
    let mut modules: Vec<(i64, bool, bool)> = select
        .query_map([], |row| {
            let id: i64 = row.get(0)?;
            let is_pinned = pinned.contains(&(row.get(1)?, row.get(2)?));
            let is_named = row.get::<_, Option<i64>>(3)?.is_some();
            Ok((id, is_pinned || in_force.contains(&id), is_named))
        })?
        .collect::<rusqlite::Result<_>>()?;
    // What is in force counts first; the order is kept otherwise.
    modules.sort_by_key(|(_, in_force, _)| !in_force);
    let mut counted: HashSet<String> = HashSet::new();
    let mut bytes = 0u64;
    let mut is_full = false;
    let mut parts = database.prepare("SELECT content, size FROM part WHERE kept = ?1")?;
    for (id, in_force, is_named) in modules {
        let of_it: Vec<(String, i64)> =
            parts.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        let new = of_it.iter().filter(|(content, _)| !counted.contains(content));
        let more: u64 = new.map(|(_, size)| size.unsigned_abs()).sum();
        // What is older than the first that does not fit goes too: what can be gone back to has no gaps.
        is_full |= !in_force && is_named && bytes.saturating_add(more) > budget;
        if in_force || is_named && !is_full {
            bytes = bytes.saturating_add(more);
            counted.extend(of_it.into_iter().map(|(content, _)| content));
        } else {
            database.execute("DELETE FROM kept WHERE id = ?1", params![id])?;
        }
    }
    Ok(())
}

fn strings(database: &Connection, query: &str) -> rusqlite::Result<HashSet<String>> {
    let mut select = database.prepare(query)?;
    select.query_map([], |row| row.get(0))?.collect()
}
