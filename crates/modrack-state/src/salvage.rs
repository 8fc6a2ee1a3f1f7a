//! Takes over what can still be read of a damaged database.
//!
//! Row after row from the front, and where that ends from the back: damage is most often a page or the end of the file. What refers to a row that
//! is lost is lost with it, where it says nothing without. Nothing here fails; it gives how many rows there are.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use tempfile::TempDir;

use crate::schema;

/// Copies the rows of the damaged database into the new one.
pub(crate) fn rows(damaged: &Path, into: &mut Connection) -> usize {
    // Read from a copy, because reading takes in the write-ahead log; what was put aside stays as it was found.
    let folder = damaged.parent().unwrap_or(Path::new("."));
    let Ok(copies) = TempDir::with_prefix_in(".salvage-", folder) else { return 0 };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(copy) = copy_whole(damaged, copies.path()) else { return 0 };
    let Ok(from) = Connection::open_with_flags(copy, flags) else { return 0 };
    let ours = schema::newest(schema::STEPS);
    if !schema::version(&from).is_ok_and(|version| version == ours) {
        return 0;
    }
    let Ok(transaction) = into.transaction() else { return 0 };
    let mut saved = 0;
    for table in schema::TABLES {
        for order in ["ASC", "DESC"] {
            let (rows, is_whole) = take_over(&from, &transaction, table, order);
            saved += rows;
            if is_whole {
                break;
            }
        }
    }
    if transaction.commit().is_ok() { saved } else { 0 }
}

/// Copies a table until a row cannot be read: how many rows were new, and whether it was read to its end.
fn take_over(from: &Connection, into: &Connection, table: &str, order: &str) -> (usize, bool) {
    let mut saved = 0;
    let query = format!("SELECT * FROM {table} ORDER BY 1 {order}");
    let Ok(mut select) = from.prepare(&query) else { return (0, false) };
    let columns = select.column_count();
    let places = vec!["?"; columns].join(", ");
    let Ok(mut insert) = into.prepare(&format!("INSERT OR IGNORE INTO {table} VALUES ({places})")) else {
        return (0, false);
    };
    let Ok(mut rows) = select.query([]) else { return (0, false) };
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return (saved, true),
            Err(_) => return (saved, false),
        };
        let values: rusqlite::Result<Vec<Value>> = (0..columns).map(|column| row.get(column)).collect();
        let Ok(mut values) = values else { continue };
        let mut inserted = insert.execute(params_from_iter(&values));
        // What a row refers to in its last column may be lost without the row being worthless.
        if let (Err(_), Some(last)) = (&inserted, values.last_mut()) {
            *last = Value::Null;
            inserted = insert.execute(params_from_iter(&values));
        }
        saved += inserted.unwrap_or(0);
    }
}

/// Copies a database with its log. One that was cut short is filled up to the length that it says it has: SQLite reads nothing
/// of a file that is shorter.
fn copy_whole(damaged: &Path, to: &Path) -> io::Result<PathBuf> {
    let copy = to.join("state.db");
    fs::copy(damaged, &copy)?;
    let mut log = damaged.as_os_str().to_owned();
    log.push("-wal");
    match fs::copy(log, to.join("state.db-wal")) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    // The file format has the size of a page at 16 (1 stands for 65,536), and the number of pages at 28.
    let (mut size, mut pages) = ([0; 2], [0; 4]);
    let file = File::options().read(true).write(true).open(&copy)?;
    let length = file.metadata()?.len();
    if file.read_exact_at(&mut size, 16).is_ok() && file.read_exact_at(&mut pages, 28).is_ok() {
        let size = match u16::from_be_bytes(size) {
            1 => 1 << 16,
            size => u64::from(size),
        };
        let whole = size * u64::from(u32::from_be_bytes(pages));
        // What nobody writes takes no room on the disk; and more than a few times of what is there is no length but nonsense.
        if length < whole && whole / 16 < length {
            file.set_len(whole)?;
        }
    }
    Ok(copy)
}
