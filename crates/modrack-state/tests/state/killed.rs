//! Processes that die while they write.
//!
//! `MODRACK_SEED` chooses when. The seed is in every failure's message; with it the same moments are chosen again.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use modrack_core::Code;
use modrack_state::{Good, Outcome, RackState, Reader};

use crate::bench::{Bench, Random, filling, keep, settings, slot, swap};

const FOLDER: &str = "MODRACK_TEST_STATE";
const FROM: &str = "MODRACK_TEST_FROM";
const SWAPS: usize = 100;

/// What the module of a swap holds: from nothing to some hundred kilobytes.
fn bytes(swap: usize) -> Vec<u8> {
    let size = [0, 10, 1000, 40_000, 300_000][swap % 5];
    let mut bytes = format!("swap {swap} ").into_bytes();
    bytes.resize(bytes.len() + size, (swap % 251) as u8);
    bytes
}

/// Swaps both slots to the module of this number, and has it stand its trial.
fn do_swap(state: &RackState, modules: &Path, n: usize) {
    let before = (n > 0).then(|| filling("a.py", &bytes(n - 1)));
    let now = keep(state, modules, "a.py", &bytes(n));
    let change = swap(&[("a", before.as_ref(), &now), ("b", before.as_ref(), &now)]);
    let id = state.begin(&change).unwrap();
    state.finish(id, &Outcome::Done, &change.slots).unwrap();
    state.settle([(&slot("a"), &now), (&slot("b"), &now)]).unwrap();
    if let Some(before) = before {
        state.release(before.hash.as_ref().unwrap());
    }
    if n.is_multiple_of(7) {
        state.collect().unwrap();
    }
}

/// The number of the swap whose set is the last good one; none before the first. The set is whole, with its bytes.
fn last_good(state: &RackState, what: &str) -> Option<usize> {
    let good = state.read().last_good().unwrap();
    let [Good { filling: a, .. }, Good { filling: b, .. }] = good.as_slice() else {
        assert!(good.is_empty(), "{what}: {good:?}");
        return None;
    };
    assert_eq!(a, b, "{what}: a mixture");
    let hash = a.hash.clone().unwrap();
    let content = state.read().content(&hash).unwrap_or_else(|why| panic!("{what}: {why:?}"));
    let (_, kept) = &content[0];
    state.kept(&hash, None).unwrap_or_else(|why| panic!("{what}: {why:?}"));
    let n = (0..SWAPS + 100).find(|n| bytes(*n) == *kept);
    Some(n.unwrap_or_else(|| panic!("{what}: other bytes")))
}

/// Does nothing as a test of its own: it is the process that the next test starts and kills.
#[test]
fn the_process_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let from: usize = std::env::var(FROM).unwrap().parse().unwrap();
    let state = RackState::open(Path::new(&folder), settings()).unwrap().state;
    let modules = Path::new(&folder).with_file_name("modules");
    for n in from.. {
        do_swap(&state, &modules, n);
        println!("swap {n}");
    }
}

fn start(folder: &Path, from: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::the_process_that_is_killed", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env(FROM, from.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_process_that_is_killed_at_any_moment_leaves_the_last_good_set_whole() {
    let (mut random, seed) = Random::seeded();
    let bench = Bench::new();
    let folder = bench.state_folder();
    let (mut next, mut kills, mut interrupted, mut unsaid) = (0, 0, 0, 0);
    while next < SWAPS {
        let mut child = start(&folder, next);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // So many swaps are answered, and then the process dies within some milliseconds, about as many as a swap takes.
        let answers = random.below(4) as usize;
        let within = Duration::from_micros(random.below(40_000));
        let mut answered = next;
        while answered < next + answers {
            let line = lines.next().unwrap_or_else(|| panic!("seed {seed}: the process ended")).unwrap();
            // The harness writes its own words before, on the same line.
            answered += usize::from(line.ends_with(&format!("swap {answered}")));
        }
        let until = Instant::now() + within;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        // What it had said by then was on the disk.
        for line in lines {
            answered += usize::from(line.unwrap().ends_with(&format!("swap {answered}")));
        }
        child.wait().unwrap();
        kills += 1;

        let what = format!("seed {seed}, kill {kills}, {answered} swaps answered");
        let opened = RackState::open(&folder, settings()).unwrap_or_else(|why| panic!("{what}: {why:?}"));
        assert!(opened.warning.is_none(), "{what}: {:?}", opened.warning);
        let state = opened.state;
        let found = last_good(&state, &what).map_or(0, |n| n + 1);
        assert!(found == answered || found == answered + 1, "{what}: {found} are good");
        unsaid += found - answered;
        let entries = state.read().history(None, 1000).unwrap();
        let cut = entries.iter().filter(|entry| entry.outcome == Outcome::Interrupted).count();
        assert!(cut <= interrupted + 1, "{what}: {cut} interrupted");
        interrupted = cut;
        assert!(entries.iter().all(|entry| entry.slots.len() == 2), "{what}: half an entry");
        assert!(
            entries.windows(2).all(|pair| pair[0].id.0 == pair[1].id.0 + 1),
            "{what}: an entry is missing"
        );
        let done = entries.iter().filter(|entry| entry.outcome == Outcome::Done).count();
        assert!(done >= found, "{what}: {done} done");
        next = found;
    }
    assert!(kills >= 20, "{kills} kills");
    println!(
        "{kills} kills, {interrupted} in the middle of an entry, {unsaid} after what was not answered yet"
    );
}

#[test]
fn a_lock_goes_with_its_process() {
    let bench = Bench::new();
    let mut child = start(&bench.state_folder(), 0);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().ends_with("swap 0") {}
    let why = RackState::open(&bench.state_folder(), settings()).unwrap_err();
    let reader = Reader::open(&bench.state_folder()).unwrap().unwrap();
    assert!(!reader.last_good().unwrap().is_empty(), "it is read meanwhile");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(why.code(), Code::StateInUse);
    assert!(why.message().ends_with(&format!("process {}", child.id())), "{why}");
    bench.state();
}

/// A log of writes that was cut at any byte, as by a power failure: what is there is one of the sets that were good, whole.
#[test]
fn a_log_that_is_cut_anywhere_is_a_moment_that_was() {
    let (mut random, seed) = Random::seeded();
    let bench = Bench::new();
    let folder = bench.state_folder();
    let state = bench.state();
    for n in 0..12 {
        do_swap(&state, &folder.with_file_name("modules"), n);
    }
    let mut logs = Vec::new();
    for round in 0..60 {
        let copy = tempfile::tempdir().unwrap();
        copy_all(&folder, copy.path());
        let log = copy.path().join("state.db-wal");
        let length = fs::metadata(&log).unwrap().len();
        let cut = random.below(length + 1);
        fs::File::options().write(true).open(&log).unwrap().set_len(cut).unwrap();
        let what = format!("seed {seed}, round {round}, {cut} of {length} bytes");
        let opened = RackState::open(copy.path(), settings()).unwrap_or_else(|why| panic!("{what}: {why:?}"));
        assert!(opened.warning.is_none(), "{what}: {:?}", opened.warning);
        // Content of sets before the last may have been cleaned up meanwhile, which a log that was cut does not know.
        let good = opened.state.read().last_good().unwrap();
        assert!(good.is_empty() || good.len() == 2 && good[0].filling == good[1].filling, "{what}: {good:?}");
        logs.push((cut, good.first().map(|good| good.since)));
        if cut == length {
            assert_eq!(last_good(&opened.state, &what), Some(11));
        }
    }
    logs.sort();
    // The longer the log, the younger the set.
    assert!(logs.iter().map(|(_, since)| since).is_sorted(), "seed {seed}: {logs:?}");
    assert!(logs.iter().any(|(_, since)| since.is_some()), "seed {seed}: {logs:?}");
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy_all(&path, &to);
        } else if entry.file_name() != "lock" && entry.file_name() != "state.db-shm" {
            fs::copy(path, to).unwrap();
        }
    }
}
