//! Databases that are not what they should be.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use modrack_core::Code;
use modrack_state::{Outcome, RackState, Reader};

use crate::bench::{Bench, Random, settings, slot, swap};

/// A state with so many swaps, closed.
fn filled(swaps: usize) -> Bench {
    let bench = Bench::new();
    let state = bench.state();
    let mut one = bench.keep(&state, "a.py", b"content");
    for n in 0..swaps {
        one.plan = format!("{n} ").repeat(600);
        state.record(&swap(&[("a", None, &one)]), &Outcome::Done).unwrap();
    }
    state.settle([(&slot("a"), &one)]).unwrap();
    drop(state);
    bench
}

fn database(bench: &Bench) -> std::path::PathBuf {
    bench.state_folder().join("state.db")
}

/// Opens a state that was damaged so: it serves, says what it did, and the damaged one is kept. Gives how many entries
/// were taken over.
fn opens(what: &str, damage: impl Fn(&Path)) -> usize {
    let bench = filled(40);
    let path = database(&bench);
    damage(&path);
    let bytes = fs::read(&path).unwrap();
    // Who only reads says so, or reads what there is; and puts nothing aside.
    if let Err(why) = Reader::open(&bench.state_folder()) {
        assert_eq!(why.code(), Code::StateDamaged, "{what}");
    }
    assert_eq!(fs::read(&path).unwrap(), bytes, "{what}");
    let opened = bench.opened(settings());
    let warning = opened.warning.unwrap_or_else(|| panic!("{what}: no warning"));
    assert_eq!(warning.code(), Code::StateDamaged, "{what}");
    assert!(warning.hint_text().is_some());
    let aside = &warning.place_of().unwrap().file;
    assert_eq!(fs::metadata(aside).unwrap().len(), bytes.len() as u64, "{what}");
    let saved = opened.state.read().history(None, 1000).unwrap().len();
    // It is whole, and content that only the damaged one names stays as long as that lies there.
    let one = bench.keep(&opened.state, "b.py", b"new");
    opened.state.record(&swap(&[("b", None, &one)]), &Outcome::Done).unwrap();
    assert_eq!(opened.state.collect().unwrap().files, 0, "{what}");
    drop(opened.state);
    let again = bench.opened(settings());
    assert!(again.warning.is_none(), "{what}: {:?}", again.warning);
    assert_eq!(again.state.read().history(None, 1000).unwrap().len(), saved + 1, "{what}");
    fs::remove_file(aside).unwrap();
    again.state.collect().unwrap();
    saved
}

#[test]
fn a_damaged_state_is_put_aside_and_stops_nobody() {
    assert_eq!(
        opens("text", |path| fs::write(path, "not a database, and long enough to be read").unwrap()),
        0
    );
    assert_eq!(opens("empty", |path| fs::write(path, "").unwrap()), 0);
    assert_eq!(
        opens("another program's", |path| {
            fs::remove_file(path).unwrap();
            let other = rusqlite::Connection::open(path).unwrap();
            other.execute_batch("CREATE TABLE x (y); PRAGMA user_version = 1;").unwrap();
        }),
        0
    );
}

#[test]
fn what_can_be_read_of_a_damaged_state_is_taken_over() {
    let cut = opens("cut short", |path| {
        let file = fs::File::options().write(true).open(path).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length - length / 8).unwrap();
    });
    let hole = opens("a page lost", |path| {
        let file = fs::File::options().write(true).open(path).unwrap();
        let middle = file.metadata().unwrap().len() / 2 / 4096 * 4096;
        file.write_all_at(&[0xff; 4096], middle).unwrap();
    });
    println!("of 40 entries {cut} are left when the end is cut off, {hole} when a page is lost");
    assert!(cut >= 20 && hole >= 20, "{cut} {hole}");
}

#[test]
fn a_page_lost_anywhere_stops_nobody() {
    let (mut random, seed) = Random::seeded();
    for round in 0..20 {
        let bench = filled(12);
        let path = database(&bench);
        let file = fs::File::options().write(true).open(&path).unwrap();
        let pages = file.metadata().unwrap().len() / 4096;
        let page = random.below(pages);
        file.write_all_at(&[0x5a; 4096], page * 4096).unwrap();
        let opened = RackState::open(&bench.state_folder(), settings());
        let opened = opened.unwrap_or_else(|why| panic!("seed {seed}, round {round}, page {page}: {why:?}"));
        // A page that nothing uses may be lost without anybody knowing.
        drop(opened.warning);
        let one = bench.keep(&opened.state, "b.py", b"new");
        opened.state.record(&swap(&[("b", None, &one)]), &Outcome::Done).unwrap();
        opened.state.settle([(&slot("b"), &one)]).unwrap();
    }
}

#[test]
fn a_newer_state_is_refused_and_left_as_it_is() {
    let bench = filled(1);
    let newer = rusqlite::Connection::open(database(&bench)).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let before = fs::read(database(&bench)).unwrap();
    for why in [
        RackState::open(&bench.state_folder(), settings()).unwrap_err(),
        Reader::open(&bench.state_folder()).unwrap_err(),
    ] {
        assert_eq!(why.code(), Code::StateNewer);
        assert!(why.message().contains("has version 99"), "{why}");
    }
    assert_eq!(fs::read(database(&bench)).unwrap(), before);
}

#[test]
fn a_folder_that_cannot_be_one_is_an_error_that_names_the_alternatives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for place in [file.clone(), file.join("below")] {
        let why = RackState::open(&place, settings()).unwrap_err();
        assert_eq!(why.code(), Code::StateUnwritable);
        let hint = why.hint_text().unwrap();
        for alternative in ["`state:`", "`MODRACK_STATE`", "`state: memory`"] {
            assert!(hint.contains(alternative), "{hint}");
        }
    }
}

#[test]
fn a_second_writer_is_refused() {
    let bench = Bench::new();
    let state = bench.state();
    let why = RackState::open(&bench.state_folder(), settings()).unwrap_err();
    assert_eq!(why.code(), Code::StateInUse);
    drop(state);
    bench.state();
}
