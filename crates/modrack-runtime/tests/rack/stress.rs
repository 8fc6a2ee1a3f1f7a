//! A million calls of many threads while slots are swapped, rolled back, unloaded and tried, to good modules and to broken
//! ones, in an order that a seed decides.
//! `MODRACK_SEED` replays one; what fails says which it was.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use modrack_core::{Call, Code, Error, SlotName, Value};
use modrack_runtime::doubles::{Script, ScriptedBackend};
use modrack_runtime::{Asked, Event, Rack, Swap};

use crate::rack;

const SWAPS: u64 = 200;

/// Of modules, those that modules make included; the swaps are spread over them.
const CALLS: u64 = 1_000_000;

/// Says that something has ended, however it did.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Numbers that a seed decides (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

fn seed() -> u64 {
    let given = std::env::var("MODRACK_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() & 0xFFFF_FFFF).unwrap()
    })
}

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).unwrap()
}

fn no(code: Code) -> Error {
    Error::new(code, "No").hint("Mend it")
}

/// The outer of the two that belong together: what it and the inner one say, asked twice.
fn outer(version: i64) -> Script {
    Script::new().function("f", move |running, _| {
        let inner = running.service("inner");
        let first = inner.call(Some("f"), Call::new(&[]))?;
        std::thread::yield_now();
        let second = inner.call(Some("f"), Call::new(&[]))?;
        Ok(Value::List(vec![Value::Int(version), first, second]))
    })
}

fn inner(version: i64) -> Script {
    Script::new().function("f", move |_, _| Ok(Value::Int(version)))
}

/// A counter that carries its count.
fn counter() -> Script {
    let count = Arc::new(AtomicI64::new(0));
    let (read, write) = (count.clone(), count.clone());
    Script::new()
        .function("f", move |_, _| Ok(Value::Int(count.fetch_add(1, Ordering::SeqCst) + 1)))
        .exports(move |_| Ok(Value::Int(read.load(Ordering::SeqCst))))
        .imports(move |_, state| {
            let Value::Int(count) = state.value else { panic!("no count: {state:?}") };
            write.store(count, Ordering::SeqCst);
            Ok(())
        })
}

/// A module that does not come in, broken in one of several ways.
fn broken(dice: &mut Dice, good: Script) -> Script {
    match dice.roll(5) {
        0 => good.on_describe(|| Err(no(Code::PythonSyntax))),
        1 => good.on_start(|_| Err(no(Code::ConstructFailed))),
        2 => good.on_start(|_| panic!("broken by a panic")),
        3 => good.imports(|_, _| Err(no(Code::Raised))).exports(|_| Ok(Value::Null)),
        _ => Script::new().function("g", |_, _| Ok(Value::Null)),
    }
}

/// The sides of the die; those under 4 are for what belongs together.
const SIDES: u64 = 12;

/// One swap, or something like it, of what a die says.
fn change(rack: &Rack, backend: &ScriptedBackend, dice: &mut Dice, version: i64) {
    match dice.roll(SIDES) {
        // Both that belong together.
        0..=2 => {
            backend.module("outer", outer(version));
            backend.module("inner", inner(version));
            let fails = dice.roll(3) == 0;
            if fails {
                let bad = match broken(dice, inner(version)) {
                    // It has no state that it could refuse.
                    _ if dice.roll(2) == 0 => inner(version).on_start(|_| Err(no(Code::ConstructFailed))),
                    bad => bad.on_start(|_| Err(no(Code::ConstructFailed))),
                };
                backend.module("inner", bad);
            }
            let both = Swap::reload(name("outer")).and(Swap::reload(name("inner")));
            assert_eq!(rack.swap(&both).is_err(), fails);
        }
        // Back, if there is anything to go back to: a swap that failed changed nothing.
        3 => {
            if let Err(failed) = rack.rollback(&name("inner"), Asked::default()) {
                assert_eq!(failed.error.code(), Code::NothingBefore);
            }
        }
        4 => {
            let script = broken(dice, counter());
            backend.module("count", script);
            assert!(rack.swap(&Swap::reload(name("count"))).is_err());
        }
        5 | 6 => {
            let slot = name(if dice.roll(2) == 0 { "count" } else { "tried" });
            if let Err(failed) = rack.rollback(&slot, Asked::default()) {
                assert_eq!(failed.error.code(), Code::NothingBefore);
            }
        }
        // It does not stand its trial, if that many call it before the next swap.
        7 => {
            backend.module("tried", Script::new().function("f", |_, _| Err(no(Code::Raised))));
            rack.swap(&Swap::reload(name("tried"))).unwrap();
            backend.module("tried", inner(version));
        }
        8 => {
            rack.unload(&name("tried"), Asked::default()).unwrap();
        }
        9 => {
            backend.module("tried", inner(version));
            rack.swap(&Swap::reload(name("tried"))).unwrap();
        }
        _ => {
            backend.module("count", counter());
            rack.swap(&Swap::reload(name("count"))).unwrap();
        }
    }
}

fn run(seed: u64) {
    let (rack, backend) = rack(
        "slots:\n  outer: { use: 'python:outer', needs: { inner: inner } }\n  inner: { use: 'python:inner' }\n  count: { use: 'python:count', swap: { state: exclusive, drain: 1m } }\n  tried: { use: 'python:tried', swap: { trial: { for: 1h, min-calls: 4, errors: 5% } } }\n",
    );
    backend.module("outer", outer(0));
    backend.module("inner", inner(0));
    backend.module("count", counter());
    backend.module("tried", inner(0));
    let stopped_badly = Arc::new(Mutex::new(Vec::new()));
    let tell = stopped_badly.clone();
    rack.observe(move |event| {
        if matches!(event, Event::StopFailed { .. } | Event::Lingering { .. }) {
            tell.lock().unwrap().push(format!("{event:?}"));
        }
    });
    // What is loaded first is what its script is at that moment: all of it is loaded before any is changed.
    for slot in ["outer", "inner", "count", "tried"] {
        rack.slot(slot).unwrap().pin().unwrap();
    }
    // Nobody waits for those who ended by a panic.
    let (done, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let (counted, made) = (AtomicU64::new(0), AtomicU64::new(0));
    let until_made = |calls: u64| {
        while made.load(Ordering::Relaxed) < calls && !ended.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        let _done = Ends(&done);
        for thread in 0..6 {
            let (rack, done, ended, counted, made) = (&rack, &done, &ended, &counted, &made);
            scope.spawn(move || {
                let _ended = Ends(ended);
                let outer = rack.slot("outer").unwrap().function(Some("f")).unwrap();
                let count = rack.slot("count").unwrap().function(Some("f")).unwrap();
                let tried = rack.slot("tried").unwrap().function(Some("f")).unwrap();
                let mut highest = 0;
                while !done.load(Ordering::Relaxed) {
                    made.fetch_add(if thread % 2 == 0 { 3 } else { 1 }, Ordering::Relaxed);
                    if thread == 5 {
                        // What it fails with is its own, and nothing of the rack's.
                        let failed = tried.call(Call::new(&[])).err().map(|error| error.code());
                        assert!(matches!(failed, None | Some(Code::Raised)), "{failed:?}");
                    } else if thread % 2 == 0 {
                        let seen = outer.call(Call::new(&[])).unwrap();
                        let Value::List(versions) = &seen else { panic!("{seen}") };
                        assert!(versions.iter().all(|version| *version == versions[0]), "a mixture: {seen}");
                    } else {
                        let Value::Int(now) = count.call(Call::new(&[])).unwrap() else { panic!("no count") };
                        assert!(now > highest, "{now} after {highest}");
                        highest = now;
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        // Two threads swap: of one slot in turn, of several at once.
        std::thread::scope(|swapping| {
            for half in 0..2 {
                let (rack, backend, until_made) = (&rack, &backend, &until_made);
                swapping.spawn(move || {
                    let mut dice = Dice(seed ^ half);
                    for version in 0..SWAPS / 2 {
                        until_made(version * (CALLS / (SWAPS / 2)));
                        // One thread has the counter, the other those that belong together.
                        let version = i64::try_from(2 * version + half + 1).unwrap();
                        loop {
                            let mut next = Dice(dice.roll(u64::MAX));
                            if (Dice(next.0).roll(SIDES) < 4) == (half == 0) {
                                change(rack, backend, &mut next, version);
                                break;
                            }
                        }
                    }
                });
            }
        });
        until_made(CALLS);
    });
    let count = rack.slot("count").unwrap().function(Some("f")).unwrap();
    let counted = i64::try_from(counted.load(Ordering::Relaxed)).unwrap();
    assert_eq!(
        count.call(Call::new(&[])).unwrap(),
        Value::Int(counted + 1),
        "calls were lost or counted twice"
    );
    rack.stop();
    assert_eq!(*stopped_badly.lock().unwrap(), Vec::<String>::new());
    let record = backend.record();
    let count = |what: &str| record.iter().filter(|entry| entry.starts_with(what)).count();
    // Those that failed to start, or panicked, were never there to be stopped.
    assert!(count("start ") >= count("stop "));
}

#[test]
fn no_call_of_a_million_fails_or_sees_a_mixture_and_none_is_lost_while_200_swaps_are_made() {
    let seed = seed();
    let run = std::panic::catch_unwind(|| run(seed));
    assert!(run.is_ok(), "replay it with MODRACK_SEED={seed}");
}
