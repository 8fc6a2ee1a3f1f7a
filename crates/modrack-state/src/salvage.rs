//! Takes over what can still be read of a damaged database.
//!
//! Row after row from the front, and where that ends from the back: damage is most often a page or the end of the file. What refers to a row that
//! is lost is lost with it. Nothing here fails; it gives how many rows there are.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use crate::schema;

/// Copies the rows of the damaged database into the new one.
pub(crate) fn rows(damaged: &Path, into: &mut Connection) -> usize {
    // Opened to write, because readers of a write-ahead log write beside it. It is nobody's any more.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(from) = Connection::open_with_flags(damaged, flags) else { return 0 };
    let ours = schema::newest(schema::STEPS);
    if !schema::version(&from).is_ok_and(|version| version == ours) {
        return 0;
    }
    let Ok(transaction) = into.transaction() else { return 0 };
    let mut saved = 0;
    for table in schema::TABLES {
        for order in ["ASC", "DESC"] {
            let (rows, is_whole) = copy(&from, &transaction, table, order);
            saved += rows;
            if is_whole {
                break;
            }
        }
    }
    if transaction.commit().is_ok() { saved } else { 0 }
}

/// Copies a table until a row cannot be read: how many rows were new, and whether it was read to its end.
fn copy(from: &Connection, into: &Connection, table: &str, order: &str) -> (usize, bool) {
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
        if let Ok(values) = values {
            saved += insert.execute(params_from_iter(values)).unwrap_or(0);
        }
    }
}
