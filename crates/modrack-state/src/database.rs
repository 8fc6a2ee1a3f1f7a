//! The database file of a state: opened to write or to read, held against our version, put aside when it is damaged.
//!
//! It is in WAL mode, so that who reads never waits for who writes, and every transaction is on the disk when it ends. A process
//! that dies leaves what was committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use modrack_core::{Code, Error, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{content, error, salvage, schema};

/// The name of the database in the state folder.
pub(crate) const NAME: &str = "state.db";

/// What a database that was put aside is called, before the time.
pub(crate) const ASIDE: &str = "state.db.damaged-";

/// For how long a lock of the database is waited for: another process holds one for a moment at a time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the database of a folder to write, and makes it if it is not there. A damaged one is put aside, which is said beside.
///
/// # Errors
/// [`Code::StateUnwritable`], and [`Code::StateNewer`] for one that a newer program wrote.
pub(crate) fn to_write(folder: &Path, now: SystemTime) -> Result<(Connection, Option<Error>)> {
    let path = folder.join(NAME);
    let why = match open(&path) {
        Err(why) if why.code() == Code::StateDamaged => why,
        opened => return opened.map(|database| (database, None)),
    };
    let aside = put_aside(folder, now).map_err(|why| error::unwritable(&path, why))?;
    let mut database = open(&path)?;
    let saved = salvage::rows(&aside, &mut database);
    Ok((database, Some(error::put_aside(&aside, &why, saved))))
}

/// Opens the database of a folder to read; none when there is none.
///
/// # Errors
/// [`Code::StateNewer`], [`Code::StateDamaged`], and [`Code::StateUnwritable`] when the system refuses.
pub(crate) fn to_read(folder: &Path) -> Result<Option<Connection>> {
    let path = folder.join(NAME);
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(why) => return Err(error::unwritable(&path, why)),
    }
    let failed = |why: rusqlite::Error| error::database(&path, &why);
    let database = open_to_read(&path, PATIENCE).map_err(failed)?;
    let version = schema::version(&database).map_err(failed)?;
    let ours = schema::newest(schema::STEPS);
    match version {
        // Just being made.
        0 => Ok(None),
        version if version > ours => Err(error::newer(&path, version, ours)),
        _ => Ok(Some(database)),
    }
}

/// Opens any database that is there to read, as it is.
///
/// # Errors
/// What SQLite says.
pub(crate) fn open_to_read(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let readable = Connection::open_with_flags(path, flags).and_then(|database| {
        database.busy_timeout(patience)?;
        schema::version(&database)?;
        Ok(database)
    });
    match readable {
        // In a folder that cannot be written there is no room for what readers share; and nobody writes there.
        Err(rusqlite::Error::SqliteFailure(said, _))
            if matches!(said.code, ErrorCode::CannotOpen | ErrorCode::ReadOnly) =>
        {
            let uri = format!("file:{}?immutable=1", escaped(path));
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
        }
        opened => opened,
    }
}

/// A database that is gone with the process.
///
/// # Errors
/// [`Code::StateUnwritable`] when there is no memory for it.
pub(crate) fn in_memory() -> Result<Connection> {
    let made = Connection::open_in_memory().and_then(|mut database| {
        settle(&mut database)?;
        Ok(database)
    });
    made.map_err(|why| error::unwritable(Path::new("memory"), why))
}

fn open(path: &Path) -> Result<Connection> {
    let failed = |why: rusqlite::Error| error::database(path, &why);
    // Content is kept only once there is a database.
    if fs::metadata(path).is_ok_and(|file| file.len() == 0) && path.with_file_name(content::FOLDER).exists() {
        return Err(error::damaged(path, "it is empty"));
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut database = Connection::open_with_flags(path, flags).map_err(failed)?;
    database.busy_timeout(PATIENCE).map_err(failed)?;
    let version = schema::version(&database).map_err(failed)?;
    let ours = schema::newest(schema::STEPS);
    if version > ours {
        return Err(error::newer(path, version, ours));
    }
    let application: i64 =
        database.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    if version > 0 && application != schema::APPLICATION {
        return Err(error::damaged(path, "it is a database of another program"));
    }
    let said: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if said != "ok" {
        return Err(error::damaged(path, said));
    }
    settle(&mut database).map_err(failed)?;
    Ok(database)
}

/// How a connection that writes is set, and the tables.
fn settle(database: &mut Connection) -> rusqlite::Result<()> {
    database.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))?;
    // Each transaction is on the disk when it ends: what was answered is not forgotten when the power fails.
    database.pragma_update(None, "synchronous", "FULL")?;
    database.pragma_update(None, "foreign_keys", true)?;
    schema::migrate(database, schema::STEPS)?;
    Ok(())
}

/// Gives the database another name, with what belongs to it. Gives that of the database.
fn put_aside(folder: &Path, now: SystemTime) -> std::io::Result<PathBuf> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let free = |n: u64| folder.join(format!("{ASIDE}{}", since.saturating_add(n)));
    let mut n = 0;
    while free(n).try_exists()? {
        n += 1;
    }
    let aside = free(n);
    // What belongs to it first: a process that dies between leaves a database that is still damaged, and is put aside then.
    for suffix in ["-wal", "-shm", ""] {
        let from = folder.join(format!("{NAME}{suffix}"));
        let mut to = aside.clone().into_os_string();
        to.push(suffix);
        match fs::rename(from, to) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
    }
    Ok(aside)
}

/// Whether a damaged database lies in the folder, which may name content that no other does.
pub(crate) fn is_aside(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(ASIDE))
    })
}

/// A path as it stands in a URI.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' => text.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(*byte)),
            byte => text.push_str(&format!("%{byte:02x}")),
        }
    }
    text
}
