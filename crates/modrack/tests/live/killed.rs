//! Processes that die while they swap, and what the next one serves.
//!
//! `MODRACK_SEED` chooses when they die. The seed is in every failure's message; with it the same moments are chosen again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use modrack::live::{LiveRack, SwapRequest, SwapSlot};

use crate::lab::{Fault, Kind, Lab, attach, name, version, write};

const FOLDER: &str = "MODRACK_TEST_RACK";
const FROM: &str = "MODRACK_TEST_FROM";
const SWAPS: i64 = 100;

/// Numbers that look random, the same for the same seed.
struct Random(u64);

impl Random {
    /// One below `end`.
    fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// Whether the swap of this number brings a module that does not start.
fn is_broken(n: i64) -> bool {
    n % 5 == 4
}

/// Swaps `a` and `b` together to modules of this number, and `c` to its own file, which is edited.
fn do_swap(live: &LiveRack, folder: &Path, n: i64) {
    let fault = if is_broken(n) { Fault::Start } else { Fault::Nothing };
    let module = format!("m{}", n % 3);
    write(Kind::Component, folder, &module, n, fault);
    let to = |slot: &str| SwapSlot { slot: name(slot), to: Some(format!("./{module}.wat")), set: Vec::new() };
    let swapped = live.swap(&SwapRequest { slots: vec![to("a"), to("b")], ..SwapRequest::default() });
    assert_eq!(swapped.is_err(), is_broken(n), "{swapped:?}");
    println!("swap {n} {}", if is_broken(n) { "failed" } else { "done" });
}

/// Does nothing as a test of its own: it is the process that the next tests start.
#[test]
fn the_process_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let from: i64 = std::env::var(FROM).expect("it is set").parse().expect("a number");
    let folder = Path::new(&folder);
    let (live, _) = attach(folder, |_| {}).expect("it is nobody's");
    for started in live.start() {
        assert!(started.served.is_some(), "{started:?}");
    }
    for n in from.. {
        do_swap(&live, folder, n);
    }
}

fn start(folder: &Path, from: i64) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("it runs"));
    command.args(["--exact", "killed::the_process_that_is_killed", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env(FROM, from.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("it starts")
}

/// The number of the last swap that was said to be done, in what a process said.
fn said(line: &str) -> Option<(i64, bool)> {
    // The harness writes its own words before, on the same line.
    let (_, rest) = line.split_once("swap ")?;
    let (n, how) = rest.split_once(' ')?;
    Some((n.parse().ok()?, how == "done"))
}

#[test]
fn a_process_that_is_killed_at_any_moment_is_followed_by_one_that_serves_the_last_good_set() {
    let seed = std::env::var("MODRACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let mut random = Random(seed);
    let lab = Lab::new(Kind::Component, ", swap: { trial: { for: 0s } }");
    let folder = lab.path("");
    let (mut next, mut served, mut kills, mut unsaid) = (2, 1, 0, 0);
    while next < SWAPS {
        let mut child = start(&folder, next);
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        // So many swaps are answered, and then the process dies within some milliseconds, about as many as a swap takes.
        let answers = random.below(8);
        let within = Duration::from_micros(random.below(60_000));
        let mut answered = 0;
        let mut hear = |line: String| {
            let Some((n, done)) = said(&line) else { return 0 };
            next = n + 1;
            if done {
                served = n;
            }
            1
        };
        while answered < answers {
            let line = lines.next().unwrap_or_else(|| panic!("seed {seed}: the process ended"));
            answered += hear(line.expect("it is text"));
        }
        let until = Instant::now() + within;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().expect("it runs");
        for line in lines {
            hear(line.expect("it is text"));
        }
        child.wait().expect("it was killed");
        kills += 1;

        let what = format!("seed {seed}, kill {kills}, {served} served last, {next} would be next");
        let (live, warnings) = attach(&folder, |_| {}).unwrap_or_else(|why| panic!("{what}: {why:?}"));
        for started in live.start() {
            assert!(started.served.is_some(), "{what}: {started:?}");
        }
        assert!(live.readiness().is_ready(), "{what}");
        let found =
            ["a", "b"].map(|slot| version(&live, slot).unwrap_or_else(|why| panic!("{what}: {why:?}")));
        assert_eq!(found[0], found[1], "{what}: a mixture");
        let under_way = !is_broken(next) && found[0] == next;
        assert!(found[0] == served || under_way, "{what}: {found:?}, {warnings:?}");
        unsaid += i32::from(found[0] != served);
        if under_way {
            (served, next) = (next, next + 1);
        }
        assert!(live.stop().is_empty(), "{what}");
    }
    assert!(kills >= 15, "{kills} kills");
    println!("{kills} kills, {unsaid} after what was not answered yet");
}
