//! What callers notice of swaps of a Python module: the longest a call takes while nothing is swapped, and while modules are
//! swapped that are small, that have much source to be compiled, and that compute while they are loaded. Calls of one process
//! share one interpreter; this says for how long a new module keeps it. No call may fail, and none may be lost. With `--json`
//! each line is an object, with times in nanoseconds.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use modrack::{Rack, SlotName, Swap};
use pyo3::prelude::*;

/// How many threads call.
const THREADS: usize = 4;

/// How many swaps of each kind are made.
const SWAPS: u64 = 20;

const COUNTER: &str = "import threading\n\nlock = threading.Lock()\n\n\nclass Counter:\n    def __init__(self):\n        self.counted = 0\n\n    \
def count(self) -> int:\n        with lock:\n            self.counted += 1\n            return self.counted\n\n    def export_state(self):\n        \
return self.counted\n\n    def import_state(self, state):\n        self.counted = state\n";

fn main() {
    Python::initialize();
    Python::attach(|py| {
        py.detach(|| {
            for kind in ["nothing", "small", "much source", "much source, compiled before", "computes"] {
                measure(kind);
            }
        });
    });
}

fn measure(kind: &str) {
    let folder = tempfile::tempdir().expect("there is room");
    let folder = folder.path();
    let text = "rack: 1\nslots:\n  a: { use: './a.py:Counter', swap: { state: exclusive, trial: { for: 0s }, drain: 1h } }\n";
    write(&folder.join("rack.yaml"), text);
    write(&folder.join("a.py"), COUNTER);
    let rack = Rack::open(folder).expect("it opens");
    let count = rack.slot("a").and_then(|slot| slot.function::<(), i64>("count")).expect("it is there");
    count.call(()).expect("it counts");
    let (done, longest, calls) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(1));
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    count.call(()).expect("no call fails");
                    longest.fetch_max(began.elapsed().as_micros() as u64, Ordering::Relaxed);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 0..SWAPS {
            if kind == "nothing" {
                let until = calls.load(Ordering::Relaxed) + 2_000;
                while calls.load(Ordering::Relaxed) < until {
                    std::thread::yield_now();
                }
                continue;
            }
            let more = match kind {
                "small" => format!("# {number}\n"),
                "computes" => {
                    format!("# {number}\nkept = [number * number for number in range(2_000_000)]\ndel kept\n")
                }
                "much source" => (0..5_000)
                    .map(|at| format!("def f{at}(a, b={number}):\n    return a + b * {at}\n"))
                    .collect(),
                _ => (0..5_000)
                    .map(|at| format!("def f{at}(a, b={}):\n    return a + b * {at}\n", number % 2))
                    .collect(),
            };
            write(&folder.join("a.py"), &format!("{COUNTER}\n\n{more}"));
            if number == 2 && kind.ends_with("before") {
                longest.store(0, Ordering::Relaxed);
            }
            let began = Instant::now();
            rack.swap(&Swap::reload(SlotName::parse("a").expect("a name"))).expect("it swaps");
            slowest = slowest.max(began.elapsed());
        }
        done.store(true, Ordering::Relaxed);
    });
    let (calls, longest) = (calls.into_inner(), Duration::from_micros(longest.into_inner()));
    assert_eq!(
        count.call(()).expect("it counts"),
        i64::try_from(calls).expect("it fits") + 1,
        "none is lost"
    );
    if std::env::args().nth(1).as_deref() == Some("--json") {
        let (longest, slowest) = (longest.as_nanos(), slowest.as_nanos());
        println!("{{\"kind\": \"{kind}\", \"longest\": {longest}, \"swap\": {slowest}, \"calls\": {calls}}}");
    } else {
        println!("{kind}: longest call {longest:.1?}, longest swap {slowest:.1?}, {calls} calls");
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("it can be written");
}
