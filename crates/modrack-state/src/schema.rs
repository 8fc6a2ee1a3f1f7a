//! The tables of a state, and how older ones become them.
//!
//! A version is the number of the steps that were taken. Each step is taken in one transaction with the number of its version, so that
//! a process that dies in it leaves the version before.

use rusqlite::{Connection, TransactionBehavior};

/// What tells our databases from others: `mdrk`.
pub(crate) const APPLICATION: i64 = 0x6d64_726b;

/// What leads from each version to the next. Once published, a step is never changed.
pub(crate) const STEPS: &[&str] = &["
    CREATE TABLE kept (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        hash TEXT NOT NULL,
        path BLOB NOT NULL,
        at INTEGER NOT NULL,
        UNIQUE (hash, path)
    );
    CREATE TABLE part (
        kept INTEGER NOT NULL REFERENCES kept ON DELETE CASCADE,
        n INTEGER NOT NULL,
        path BLOB NOT NULL,
        content TEXT NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (kept, n)
    ) WITHOUT ROWID;
    CREATE INDEX part_content ON part (content);
    CREATE TABLE version (
        id INTEGER PRIMARY KEY,
        module TEXT NOT NULL,
        hash TEXT,
        use TEXT NOT NULL,
        plan TEXT NOT NULL,
        kept INTEGER REFERENCES kept ON DELETE SET NULL
    );
    CREATE INDEX version_hash ON version (hash);
    CREATE TABLE history (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        action TEXT NOT NULL,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        config TEXT,
        outcome TEXT NOT NULL,
        slot TEXT,
        step TEXT,
        code TEXT,
        message TEXT
    );
    CREATE TABLE history_slot (
        entry INTEGER NOT NULL REFERENCES history ON DELETE CASCADE,
        n INTEGER NOT NULL,
        slot TEXT NOT NULL,
        was TEXT,
        version INTEGER REFERENCES version,
        PRIMARY KEY (entry, n)
    ) WITHOUT ROWID;
    CREATE INDEX history_slot_slot ON history_slot (slot, entry);
    CREATE INDEX history_slot_version ON history_slot (version);
    CREATE TABLE good (
        slot TEXT PRIMARY KEY,
        version INTEGER NOT NULL REFERENCES version,
        at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE override (
        slot TEXT PRIMARY KEY,
        version INTEGER NOT NULL REFERENCES version,
        declared TEXT NOT NULL,
        entry INTEGER,
        at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE config_text (
        hash TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        text TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE config_served (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        hash TEXT NOT NULL REFERENCES config_text
    );
"];

/// The tables, in an order in which each refers only to those before it.
pub(crate) const TABLES: &[&str] = &[
    "kept",
    "part",
    "version",
    "history",
    "history_slot",
    "good",
    "override",
    "config_text",
    "config_served",
];

/// The version of a database; 0 for an empty one.
pub(crate) fn version(database: &Connection) -> rusqlite::Result<i64> {
    database.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The version that `steps` lead to.
pub(crate) fn newest(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

/// Takes the steps that are still to be taken.
pub(crate) fn migrate(database: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    loop {
        let step = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = version(&step)?;
        let Some(next) = usize::try_from(version).ok().and_then(|version| steps.get(version)) else {
            return Ok(());
        };
        step.execute_batch(next)?;
        step.pragma_update(None, "user_version", version + 1)?;
        step.pragma_update(None, "application_id", APPLICATION)?;
        step.commit()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_listed() {
        let mut database = Connection::open_in_memory().unwrap();
        migrate(&mut database, STEPS).unwrap();
        let mut names: Vec<String> = database
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut listed = TABLES.to_vec();
        names.sort();
        listed.sort_unstable();
        assert_eq!(names, listed);
    }

    #[test]
    fn an_older_state_becomes_a_newer_one_with_what_is_in_it() {
        let steps = ["CREATE TABLE a (x TEXT);", "ALTER TABLE a ADD y TEXT DEFAULT 'new';", "bad"];
        let mut database = Connection::open_in_memory().unwrap();
        migrate(&mut database, &steps[..1]).unwrap();
        database.execute("INSERT INTO a VALUES ('old')", []).unwrap();
        migrate(&mut database, &steps[..2]).unwrap();
        let row = |database: &Connection| {
            database
                .query_row("SELECT x || y FROM a", [], |row| row.get::<_, String>(0))
                .map(|row| (row, version(database).unwrap()))
        };
        assert_eq!(row(&database).unwrap(), ("oldnew".to_owned(), 2));
        // A step that fails leaves what was before it.
        migrate(&mut database, &steps).unwrap_err();
        assert_eq!(row(&database).unwrap(), ("oldnew".to_owned(), 2));
    }
}
