//! What swaps cost: the switch, going back, and what those who call meanwhile see of it. `swap_cost MODULE...` takes libraries
//! and components with `add: func(a: s64, b: s64) -> s64`; `cargo xtask bench --only swap` gives it those of the benchmarks.
//!
//! Calls come in an open loop: each is due at its time, whatever became of the one before, and is measured from then on. So
//! a pause is seen by every call that falls into it. Swaps come one each 10 ms, which is a call in a hundred that meets a new
//! module first, and then without a break, which takes as much of the machine as it gives.

use std::error::Error;
use std::hint::{black_box, spin_loop};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use modrack::{Asked, Function, Rack, SlotName, Swap};

/// How often the switch and going back are measured.
const TIMES: usize = 200;

/// Calls in an open loop, and how far apart they are due.
const CALLS: usize = 50_000;
const APART: Duration = Duration::from_micros(100);

/// How far swaps are apart where they do not come without a break.
const PACE: Duration = Duration::from_millis(10);

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
    print!("{{\"ending\": \"{ending}\", \"switch\": {}, \"back\": {}", at(switches, 50), at(backs, 50));
    for (kind, pace) in [("steady", None), ("paced", Some(PACE)), ("continuous", Some(Duration::ZERO))] {
        let (swaps, times) = called(&rack, &name, &add, pace)?;
        print!(
            ", \"{kind}\": {{\"swaps\": {swaps}, \"p99\": {}, \"longest\": {}}}",
            at(times.clone(), 99),
            at(times, 100)
        );
    }
    println!("}}");
    Ok(())
}

/// How often was swapped while calls were made, and how long each took; with `pace` between the swaps.
fn called(
    rack: &Rack,
    name: &SlotName,
    add: &Add,
    pace: Option<Duration>,
) -> modrack::Result<(u64, Vec<Duration>)> {
    let (done, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        if let Some(pace) = pace {
            let (done, swaps) = (&done, &swaps);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    std::thread::sleep(pace);
                    if rack.swap(&Swap::reload(name.clone())).is_ok() {
                        swaps.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let times = open_loop(add);
        done.store(true, Ordering::Relaxed);
        Ok((swaps.load(Ordering::Relaxed), times?))
    })
}

/// How long each call took from the moment at which it was due.
fn open_loop(add: &Add) -> modrack::Result<Vec<Duration>> {
    // Written once, so that no page of it comes to be while calls are measured.
    let mut times = vec![Duration::MAX; CALLS];
    let mut due = Instant::now();
    for time in &mut times {
        due += APART;
        while Instant::now() < due {
            spin_loop();
        }
        black_box(add.call((black_box(1), black_box(2)))?);
        *time = due.elapsed();
    }
    Ok(times)
}

/// The time that so many of a hundred stay within, in nanoseconds.
fn at(mut times: Vec<Duration>, percent: usize) -> u128 {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)].as_nanos()
}
