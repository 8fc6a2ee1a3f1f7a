//! The text of a rack in a row of a database: what is read, what is written, and what is refused.

use std::path::{Path, PathBuf};

use modrack_core::Code;
use modrack_core::plan::TextFormat;
use modrack_state::RackRow;
use rusqlite::Connection;

fn row(database: &Path, name: &str) -> RackRow {
    RackRow::of(Path::new(&format!("sqlite:{}{name}", database.display()))).unwrap()
}

/// Makes a database with these statements, reads the rack `eu` from it, and says what is refused.
fn refused(sql: &str) -> (Code, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    Connection::open(&database).unwrap().execute_batch(sql).unwrap();
    told(&database)
}

fn told(database: &Path) -> (Code, String, String) {
    let error = row(database, "#eu").read().unwrap_err();
    let short = |text: &str| text.replace(&database.display().to_string(), "a.db");
    (error.code(), short(error.message()), short(error.hint_text().unwrap()))
}

const TABLE: &str = "CREATE TABLE modrack_rack (name, format, text);";

#[test]
fn a_rack_is_put_and_read_and_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    let (one, eu) = (row(&database, ""), row(&database, "#eu"));
    one.put(TextFormat::Yaml, b"rack: 1\n").unwrap();
    eu.put(TextFormat::Toml, b"rack = 1\n").unwrap();
    let read = eu.read().unwrap();
    assert_eq!((read.format, read.bytes.as_slice()), (TextFormat::Toml, b"rack = 1\n".as_slice()));
    assert_eq!(read.root, folder.path());
    assert_eq!(read.file, PathBuf::from(format!("sqlite:{}#eu", database.display())));
    assert_eq!(one.read().unwrap().file, PathBuf::from(format!("sqlite:{}#rack", database.display())));

    // Only over the text that was read.
    eu.write(b"rack = 1 # a\n", b"rack = 1\n").unwrap();
    for refused in [eu.write(b"rack = 1 # b\n", b"rack = 1\n"), eu.writable(b"rack = 1\n")] {
        assert_eq!(refused.unwrap_err().code(), Code::Unsupported);
    }
    eu.writable(b"rack = 1 # a\n").unwrap();
    assert_eq!(eu.read().unwrap().bytes, b"rack = 1 # a\n");
    assert_eq!(one.read().unwrap().bytes, b"rack: 1\n");

    // What is not UTF-8 stays what it is, for the parser to refuse.
    eu.write(b"\xff", b"rack = 1 # a\n").unwrap();
    assert_eq!(eu.read().unwrap().bytes, b"\xff");
    eu.put(TextFormat::Json, b"{\"rack\": 1}").unwrap();
    let read = eu.read().unwrap();
    assert_eq!((read.format, read.bytes.as_slice()), (TextFormat::Json, b"{\"rack\": 1}".as_slice()));
}

#[test]
fn a_database_of_another_program_keeps_what_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    let theirs = Connection::open(&database).unwrap();
    theirs
        .execute_batch("PRAGMA user_version = 900; CREATE TABLE orders (n); INSERT INTO orders VALUES (7)")
        .unwrap();
    let eu = row(&database, "#eu");
    eu.put(TextFormat::Yaml, b"rack: 1\n").unwrap();
    assert_eq!(eu.read().unwrap().bytes, b"rack: 1\n");
    let one = |sql: &str| theirs.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    assert_eq!(one("SELECT n FROM orders"), 7.into());
    assert_eq!(one("PRAGMA user_version"), 900.into());
    assert_eq!(one("PRAGMA journal_mode"), "delete".to_owned().into());
}

#[test]
fn what_is_not_there_or_is_no_rack_is_told() {
    let put = "Put a rack there with `modrack -r sqlite:a.db#eu config put FILE`";
    let check = |got: (Code, String, String), code, message: &str, hint: &str| {
        assert_eq!(got, (code, message.to_owned(), hint.to_owned()));
    };
    let folder = tempfile::tempdir().unwrap();
    check(told(&folder.path().join("a.db")), Code::NoRack, "There is no database `a.db`", put);
    check(
        refused("CREATE TABLE x (y)"),
        Code::NoRack,
        "The database `a.db` has no table `modrack_rack`",
        put,
    );
    check(refused(TABLE), Code::NoRack, "The database `a.db` has no rack `eu`", put);
    check(
        refused(&format!("{TABLE} INSERT INTO modrack_rack (name) VALUES ('us'), ('asia')")),
        Code::NoRack,
        "The database `a.db` has no rack `eu`",
        "It has `asia`, `us`",
    );
    check(
        refused(&format!("{TABLE} INSERT INTO modrack_rack VALUES ('eu', 'ini', 'rack: 1')")),
        Code::ConfigUnreadable,
        "The rack `sqlite:a.db#eu` has the format `ini`, which is none",
        "The column `format` says `yaml`, `toml` or `json`",
    );
    check(
        refused(&format!("{TABLE} INSERT INTO modrack_rack VALUES ('eu', 'yaml', NULL)")),
        Code::ConfigUnreadable,
        "The rack `sqlite:a.db#eu` has no text",
        put,
    );
    let none = folder.path().join("none.db");
    std::fs::write(&none, "rack: 1\n".repeat(200)).unwrap();
    check(
        told(&none),
        Code::ConfigUnreadable,
        "`a.db` is not a SQLite database",
        "A rack that is a file is named by its path alone",
    );
}
