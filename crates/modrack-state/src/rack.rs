//! The text of a rack in a row of a database: read, written over, and put.
//!
//! The database may be anybody's, with other tables in it: only the table of racks is made, only the row that is named is written, and
//! each writing is one transaction. A lock of somebody else is waited for a moment, and never broken. What the text means is known elsewhere.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use modrack_core::plan::{RackText, TextFormat};
use modrack_core::{Error, Result};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::{database, error};

/// What the name of a rack in a database begins with.
const SCHEME: &[u8] = b"sqlite:";

/// The name of the row where none is given.
const UNNAMED: &str = "rack";

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS modrack_rack (
        name TEXT NOT NULL PRIMARY KEY,
        format TEXT NOT NULL CHECK (format IN ('yaml', 'toml', 'json')),
        text TEXT NOT NULL
    ) WITHOUT ROWID";

/// The formats as they stand in a row.
const FORMATS: [(&str, TextFormat); 3] =
    [("yaml", TextFormat::Yaml), ("toml", TextFormat::Toml), ("json", TextFormat::Json)];

/// A row of a database with the text of a rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RackRow {
    database: PathBuf,
    name: String,
    patience: Duration,
}

impl RackRow {
    /// The row that `sqlite:PATH` or `sqlite:PATH#NAME` means; none where it is the path of a file. Without a name it is the row
    /// `rack`. Looks at nothing.
    pub fn of(rack: &Path) -> Option<Self> {
        let rest = rack.as_os_str().as_bytes().strip_prefix(SCHEME)?;
        let hash = rest.iter().rposition(|byte| *byte == b'#');
        // A folder may be called so too.
        let named = hash.map(|at| (&rest[..at], &rest[at + 1..])).filter(|(_, name)| !name.contains(&b'/'));
        let (path, name) = named.unwrap_or((rest, b""));
        let name = String::from_utf8_lossy(if name.is_empty() { UNNAMED.as_bytes() } else { name });
        let database = PathBuf::from(OsStr::from_bytes(path));
        Some(Self { database, name: name.into_owned(), patience: database::PATIENCE })
    }

    /// What it is called wherever a file would be: `sqlite:PATH#NAME`.
    pub fn file(&self) -> PathBuf {
        let whole = [SCHEME, self.database.as_os_str().as_bytes(), b"#", self.name.as_bytes()].concat();
        PathBuf::from(OsString::from_vec(whole))
    }

    /// The same row, by the path that its database has whatever the current folder is.
    #[must_use]
    pub fn absolute(&self) -> Self {
        let whole = self.database.canonicalize().or_else(|_| std::path::absolute(&self.database));
        Self { database: whole.unwrap_or_else(|_| self.database.clone()), ..self.clone() }
    }

    /// The folder of the database: what the rack's paths are relative to.
    ///
    /// # Errors
    /// [`modrack_core::Code::ConfigUnreadable`] when there is no current folder.
    pub fn root(&self) -> Result<PathBuf> {
        let whole = std::path::absolute(&self.database).map_err(|why| error::rack_unreadable(self, &why))?;
        Ok(whole.parent().unwrap_or(Path::new("/")).to_owned())
    }

    /// The files that change when the row does: the database, and what was written and is not in it yet.
    pub fn files(&self) -> Vec<PathBuf> {
        let there = self.absolute().database;
        let mut log = there.clone().into_os_string();
        log.push("-wal");
        let named = std::path::absolute(&self.database).ok().filter(|named| *named != there);
        named.into_iter().chain([there, log.into()]).collect()
    }

    /// Reads the text as it is now.
    ///
    /// # Errors
    /// [`modrack_core::Code::NoRack`] when there is no such database, table or row, and [`modrack_core::Code::ConfigUnreadable`] when it is none, is
    /// locked, or holds something else than a text.
    pub fn read(&self) -> Result<RackText> {
        let root = self.root()?;
        self.exists()?;
        let opened = database::open_to_read(&self.database, self.patience);
        let database = opened.map_err(|why| self.failed(&why))?;
        let (format, bytes) = self.found(&database)?;
        Ok(RackText { file: self.file(), root, format, bytes })
    }

    /// Sees to it that the row could be written now.
    ///
    /// # Errors
    /// As [`RackRow::write`].
    pub fn writable(&self, instead_of: &[u8]) -> Result<()> {
        self.exists()?;
        let mut database = self.open(OpenFlags::empty())?;
        let looked = self.begin(&mut database)?;
        self.still(&looked, instead_of)
    }

    /// Writes a text over the one that was read.
    ///
    /// # Errors
    /// As [`RackRow::read`], and [`modrack_core::Code::Unsupported`] when the row has another text than `instead_of` by now; then nothing is written.
    pub fn write(&self, text: &[u8], instead_of: &[u8]) -> Result<()> {
        self.exists()?;
        let mut database = self.open(OpenFlags::empty())?;
        let change = self.begin(&mut database)?;
        self.still(&change, instead_of)?;
        change
            .execute("UPDATE modrack_rack SET text = ?1 WHERE name = ?2", params![stored(text), self.name])
            .and_then(|_| change.commit())
            .map_err(|why| self.failed(&why))
    }

    /// Puts a text into the row, whatever was in it. What is not there is made: database, table, row.
    ///
    /// # Errors
    /// [`modrack_core::Code::ConfigUnreadable`].
    pub fn put(&self, format: TextFormat, text: &[u8]) -> Result<()> {
        let is_new = !self.database.exists();
        let mut database = self.open(OpenFlags::SQLITE_OPEN_CREATE)?;
        let mut made = || {
            if is_new {
                // So that who reads never waits for who writes.
                database.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))?;
            }
            let change = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change.execute_batch(TABLE)?;
            let format = FORMATS.iter().find(|(_, known)| *known == format).map(|(name, _)| *name);
            let row = params![self.name, format, stored(text)];
            let written =
                change.execute("UPDATE modrack_rack SET format = ?2, text = ?3 WHERE name = ?1", row)?;
            if written == 0 {
                change.execute("INSERT INTO modrack_rack (name, format, text) VALUES (?1, ?2, ?3)", row)?;
            }
            change.commit()
        };
        made().map_err(|why| self.failed(&why))
    }

    /// The database's path as it was given.
    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// The row's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn exists(&self) -> Result<()> {
        match self.database.try_exists() {
            Ok(true) => Ok(()),
            Ok(false) => Err(error::no_rack_database(self)),
            Err(why) => Err(error::rack_unreadable(self, &why)),
        }
    }

    fn open(&self, more: OpenFlags) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let database = Connection::open_with_flags(&self.database, flags).map_err(|why| self.failed(&why))?;
        database.busy_timeout(self.patience).map_err(|why| self.failed(&why))?;
        Ok(database)
    }

    fn begin<'a>(&self, database: &'a mut Connection) -> Result<Transaction<'a>> {
        database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|why| self.failed(&why))
    }

    /// Holds the row against the text that was read.
    fn still(&self, database: &Connection, read: &[u8]) -> Result<()> {
        let (_, now) = self.found(database)?;
        if now == read { Ok(()) } else { Err(error::rack_changed(self)) }
    }

    /// The row's format and text.
    fn found(&self, database: &Connection) -> Result<(TextFormat, Vec<u8>)> {
        let has_table = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'modrack_rack')";
        let has_table: bool =
            database.query_row(has_table, [], |row| row.get(0)).map_err(|why| self.failed(&why))?;
        if !has_table {
            return Err(error::no_racks(self));
        }
        let row = database
            .query_row("SELECT format, text FROM modrack_rack WHERE name = ?1", [&self.name], |row| {
                let format = row.get_ref(0)?.as_str().map(str::to_owned).unwrap_or_default();
                let text = match row.get_ref(1)? {
                    ValueRef::Text(text) | ValueRef::Blob(text) => Some(text.to_vec()),
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => None,
                };
                Ok((format, text))
            })
            .optional()
            .map_err(|why| self.failed(&why))?;
        let Some((format, text)) = row else {
            return Err(error::no_rack_row(self, &self.names(database)?));
        };
        let known = FORMATS.iter().find(|(name, _)| *name == format).map(|(_, format)| *format);
        let format = known.ok_or_else(|| error::rack_format(self, &format))?;
        Ok((format, text.ok_or_else(|| error::rack_no_text(self))?))
    }

    /// The names of all racks of the database, in order.
    fn names(&self, database: &Connection) -> Result<Vec<String>> {
        database
            .prepare("SELECT name FROM modrack_rack ORDER BY name")
            .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect())
            .map_err(|why| self.failed(&why))
    }

    fn failed(&self, why: &rusqlite::Error) -> Error {
        error::rack_database(self, why)
    }
}

/// A text as it is stored: one that is not UTF-8 keeps its bytes.
fn stored(text: &[u8]) -> Value {
    match std::str::from_utf8(text) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Blob(text.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use modrack_core::Code;

    use super::*;

    #[test]
    fn a_row_is_named_by_path_and_name() {
        let named = |text: &str| RackRow::of(Path::new(text)).map(|row| row.file().display().to_string());
        let check = |text, is| assert_eq!(named(text).as_deref(), is, "{text}");
        check("sqlite:a.db", Some("sqlite:a.db#rack"));
        check("sqlite:a.db#", Some("sqlite:a.db#rack"));
        check("sqlite:/x/a.db#eu", Some("sqlite:/x/a.db#eu"));
        check("sqlite:a#b#c", Some("sqlite:a#b#c"));
        check("sqlite:a#b/c.db", Some("sqlite:a#b/c.db#rack"));
        check("a.db#eu", None);
        check("./sqlite:a.db", None);
        let row = RackRow::of(Path::new("sqlite:a#b#c")).unwrap();
        assert_eq!((row.database(), row.name()), (Path::new("a#b"), "c"));
    }

    #[test]
    fn a_locked_database_is_waited_for_and_then_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut row = RackRow::of(Path::new(&format!("sqlite:{}", path.display()))).unwrap();
        row.put(TextFormat::Yaml, b"rack: 1\n").unwrap();
        row.patience = Duration::ZERO;
        let other = Connection::open(&path).unwrap();
        // Who only writes keeps nobody from reading.
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(row.read().unwrap().bytes, b"rack: 1\n");
        let refused = row.write(b"rack: 2\n", b"rack: 1\n").unwrap_err();
        assert_eq!(refused.code(), Code::ConfigUnreadable);
        other.execute_batch("COMMIT; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE").unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let refused = row.read().unwrap_err();
        assert_eq!(refused.code(), Code::ConfigUnreadable);
        assert_eq!(
            refused.message(),
            format!("The database `{}` is locked by somebody else", path.display())
        );
        assert!(refused.hint_text().is_some());
        drop(other);
        row.write(b"rack: 2\n", b"rack: 1\n").unwrap();
        assert_eq!(row.read().unwrap().bytes, b"rack: 2\n");
    }
}
