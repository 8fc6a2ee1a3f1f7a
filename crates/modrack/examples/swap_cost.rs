//! What swaps cost: the switch, going back, and what those who call meanwhile see of it. `swap_cost MODULE...` takes libraries
//! and components with `add: func(a: s64, b: s64) -> s64`; `cargo xtask bench --only swap` gives it those of the benchmarks.
//!
//! Calls come in an open loop: each is due at its time, whatever became of the one before, and is measured from then on. So
//! a pause is seen by every call that falls into it.

use std::error::Error;
use std::hint::{black_box, spin_loop};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use modrack::{Asked, Function, Rack, SlotName, Swap};

/// How often the switch and going back are measured.
const TIMES: usize = 200;

/// Calls in an open loop, and how far apart they are due.
const CALLS: u32 = 50_000;
const APART: Duration = Duration::from_micros(100);

type Add = Function<(i64, i64), i64>;

fn main() -> Result<(), Box<dyn Error>> {
    for module in std::env::args_os().skip(1) {
        measure(Path::new(&module))?;
    }
    Ok(())
}

/// Prints one line of JSON, with times in nanoseconds.
fn measure(module: &Path) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let ending = module.extension().ok_or("a module with an ending")?.display().to_string();
    std::fs::copy(module, folder.path().join(format!("one.{ending}")))?;
    let text = format!("rack: 1\nslots: {{ one: {{ use: ./one.{ending} }} }}\n");
    std::fs::write(folder.path().join("rack.yaml"), text)?;
    let rack = Rack::open(folder.path())?;
    let name = SlotName::parse("one")?;
    let add: Add = rack.slot("one")?.function("add")?;
    assert_eq!(add.call((1, 2))?, 3);

    let (mut switches, mut backs) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        switches.push(rack.swap(&Swap::reload(name.clone()))?.switch);
        let began = Instant::now();
        rack.rollback(&name, Asked::default())?;
        backs.push(began.elapsed());
    }
    let steady = open_loop(&add)?;
    let (done, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let swapped = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if rack.swap(&Swap::reload(name.clone())).is_ok() {
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let times = open_loop(&add);
        done.store(true, Ordering::Relaxed);
        times
    })?;
    println!(
        "{{\"ending\": \"{ending}\", \"switch\": {}, \"back\": {}, \"steady_p99\": {}, \"swaps_p99\": {}, \
         \"steady_longest\": {}, \"swaps_longest\": {}, \"swaps\": {}}}",
        at(switches, 50),
        at(backs, 50),
        at(steady.clone(), 99),
        at(swapped.clone(), 99),
        at(steady, 100),
        at(swapped, 100),
        swaps.load(Ordering::Relaxed),
    );
    Ok(())
}

/// How long each call took from the moment at which it was due.
fn open_loop(add: &Add) -> modrack::Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut due = Instant::now();
    for _ in 0..CALLS {
        due += APART;
        while Instant::now() < due {
            spin_loop();
        }
        black_box(add.call((black_box(1), black_box(2)))?);
        times.push(due.elapsed());
    }
    Ok(times)
}

/// The time that so many of a hundred stay within, in nanoseconds.
fn at(mut times: Vec<Duration>, percent: usize) -> u128 {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)].as_nanos()
}
