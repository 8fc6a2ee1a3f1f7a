//! The life of what fills a slot, as one table: each way of swapping, with a failure at each step, by an error and by a
//! panic, of one slot and of two at once. Whatever fails, what served before serves, with its state, and nothing is left
//! running.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use modrack_core::{Call, Code, Error, Service, SlotName, Value};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend};
use modrack_runtime::{Asked, Before, Event, Rack, Step, Swap};

use crate::rack;

/// Each way to swap: what is written under `swap`.
const WAYS: [&str; 4] = [
    "",
    "trial: { for: 0s }",
    "state: exclusive, probe: { call: [version] }",
    "overlap: false, probe: { call: [version] }",
];

const STEPS: [Step; 8] = [
    Step::Fetch,
    Step::Match,
    Step::Start,
    Step::Drain,
    Step::Carry,
    Step::Retire,
    Step::Probe,
    Step::Switch,
];

/// Where a module of its own fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nowhere,
    Describe,
    Start,
    Export,
    Import,
    Probe,
    Stop,
}

/// A counter that says its version, carries its count, and fails at `fault`: by an error, or by a panic.
fn counter(version: i64, fault: Fault, panics: bool) -> Script {
    let fail = move |at: Fault| {
        assert!(!(panics && at == fault), "no {at:?}");
        if at == fault { Err(Error::new(Code::Raised, "No").hint("Mend it")) } else { Ok(()) }
    };
    let count = Arc::new(AtomicI64::new(0));
    let (read, write) = (count.clone(), count.clone());
    Script::new()
        .function("count", move |_, _| Ok(Value::Int(count.fetch_add(1, Ordering::SeqCst) + 1)))
        .function("version", move |_, _| fail(Fault::Probe).map(|()| Value::Int(version)))
        .exports(move |_| fail(Fault::Export).map(|()| Value::Int(read.load(Ordering::SeqCst))))
        .imports(move |_, state| {
            let Value::Int(count) = state.value else { panic!("no count: {state:?}") };
            write.store(count, Ordering::SeqCst);
            fail(Fault::Import)
        })
        .on_describe(move || fail(Fault::Describe))
        .on_start(move |_| fail(Fault::Start))
        .on_stop(move || fail(Fault::Stop))
}

fn good(version: i64) -> Script {
    counter(version, Fault::Nowhere, false)
}

/// A rack with two slots, started, each of which has counted to 1.
fn two(way: &str) -> (Rack, Arc<ScriptedBackend>) {
    let (rack, backend) = rack(&format!(
        "slots:\n  a: {{ use: 'python:a', swap: {{ {way} }} }}\n  b: {{ use: 'python:b', swap: {{ {way} }} }}\n"
    ));
    for slot in ["a", "b"] {
        backend.module(slot, good(1));
        assert_eq!(call(&rack, slot, "count"), Ok(1));
        assert_eq!(call(&rack, slot, "version"), Ok(1));
    }
    (rack, backend)
}

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).unwrap()
}

fn call(rack: &Rack, slot: &str, function: &str) -> Result<i64, Code> {
    let bound = rack.slot(slot).unwrap().function(Some(function)).map_err(|error| error.code())?;
    match bound.call(Call::new(&[])) {
        Ok(Value::Int(number)) => Ok(number),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.code()),
    }
}

fn generation(rack: &Rack, slot: &str) -> u64 {
    rack.slot(slot).unwrap().pin().unwrap().generation().0
}

/// Swaps one slot, or both as one.
fn swap(rack: &Rack, both: bool) -> Result<modrack_runtime::Swapped, modrack_runtime::SwapFailed> {
    let one = Swap::reload(name("a"));
    rack.swap(&if both { one.and(Swap::reload(name("b"))) } else { one })
}

/// That everything which was started was stopped once the rack is, but for starts that `failed`.
fn nothing_is_left_but(failed: usize, rack: &Rack, backend: &ScriptedBackend, case: &str) {
    rack.stop();
    let record = backend.record();
    let count = |what: &str| record.iter().filter(|entry| entry.starts_with(what)).count();
    assert_eq!(count("start"), count("stop") + failed, "{case}: {record:?}");
}

fn nothing_is_left(rack: &Rack, backend: &ScriptedBackend, case: &str) {
    nothing_is_left_but(0, rack, backend, case);
}

#[test]
fn whatever_step_fails_what_served_before_serves_on() {
    for way in WAYS {
        for both in [false, true] {
            for step in STEPS {
                let case = format!("{{ {way} }}, {step}, both: {both}");
                let (rack, backend) = two(way);
                let before = ["a", "b"].map(|slot| generation(&rack, slot));
                for slot in ["a", "b"] {
                    backend.module(slot, good(2));
                }
                rack.fail_at(step, Error::new(Code::Internal, "Injected"));
                let swapped = swap(&rack, both);
                let exists = match step {
                    Step::Drain => way.contains("exclusive") || way.contains("overlap"),
                    Step::Retire => way.contains("overlap"),
                    _ => true,
                };
                if !exists {
                    assert!(swapped.is_ok(), "{case}");
                    continue;
                }
                let failed = swapped.map(drop).unwrap_err();
                assert_eq!((failed.step, failed.error.message()), (step, "Injected"), "{case}");
                // What was stopped to make room was started again; nothing else changed.
                let made_room = way.contains("overlap")
                    && matches!(step, Step::Start | Step::Carry | Step::Probe | Step::Switch);
                for (at, slot) in ["a", "b"].into_iter().enumerate() {
                    assert_eq!(call(&rack, slot, "count"), Ok(2), "{case}, {slot}");
                    let is_same = generation(&rack, slot) == before[at];
                    assert!(is_same || (made_room && (both || slot == "a")), "{case}, {slot}");
                }
                // And the next swap does what this one should have done.
                let swapped = swap(&rack, both).unwrap();
                assert!(swapped.slots.iter().all(|served| served.carried), "{case}");
                assert_eq!(
                    (call(&rack, "a", "version"), call(&rack, "a", "count")),
                    (Ok(2), Ok(3)),
                    "{case}"
                );
                nothing_is_left(&rack, &backend, &case);
            }
        }
    }
}

#[test]
fn a_module_that_fails_by_itself_is_not_swapped_in() {
    let faults = [
        (Fault::Describe, Step::Match),
        (Fault::Start, Step::Start),
        (Fault::Import, Step::Carry),
        (Fault::Probe, Step::Probe),
    ];
    for way in WAYS {
        for (fault, step) in faults {
            for panics in [false, true] {
                for both in [false, true] {
                    let case = format!("{{ {way} }}, {fault:?}, panics: {panics}, both: {both}");
                    if fault == Fault::Probe && !way.contains("probe") {
                        continue;
                    }
                    let (rack, backend) = two(way);
                    // Of two it is the second that fails, when the first was started; a module that is
                    // started again is what its script is by then.
                    let bad = if both { "b" } else { "a" };
                    for slot in ["a", "b"] {
                        backend.module(slot, good(2));
                    }
                    backend.module(bad, counter(2, fault, panics));
                    let failed = swap(&rack, both).map(drop).unwrap_err();
                    assert_eq!((failed.step, failed.slot.as_str()), (step, bad), "{case}: {}", failed.error);
                    if !way.contains("overlap") {
                        for slot in ["a", "b"] {
                            assert_eq!(call(&rack, slot, "version"), Ok(1), "{case}, {slot}");
                            assert_eq!(call(&rack, slot, "count"), Ok(2), "{case}, {slot}");
                        }
                    }
                    backend.module(bad, good(3));
                    swap(&rack, both).unwrap();
                    assert_eq!(call(&rack, bad, "version"), Ok(3), "{case}");
                    // With `overlap: false` what is started again is the same script, and fails as well.
                    let failed = if way.contains("overlap") { 2 } else { 1 };
                    let failed = if fault == Fault::Start { failed } else { 0 };
                    nothing_is_left_but(failed, &rack, &backend, &case);
                }
            }
        }
    }
}

#[test]
fn an_old_module_that_fails_keeps_no_new_one_out_but_for_its_state() {
    for way in WAYS {
        for panics in [false, true] {
            for (fault, comes_in) in [(Fault::Export, false), (Fault::Stop, true)] {
                let case = format!("{{ {way} }}, {fault:?}, panics: {panics}");
                let (rack, backend) =
                    rack(&format!("slots: {{ a: {{ use: 'python:a', swap: {{ {way} }} }} }}\n"));
                let told = Arc::new(Mutex::new(0));
                let tell = told.clone();
                rack.observe(move |event| {
                    if matches!(event, Event::StopFailed { .. }) {
                        *tell.lock().unwrap() += 1;
                    }
                });
                backend.module("a", counter(1, fault, panics));
                assert_eq!(call(&rack, "a", "count"), Ok(1));
                backend.module("a", good(2));
                let swapped = rack.swap(&Swap::reload(name("a")));
                assert_eq!(swapped.is_ok(), comes_in, "{case}");
                assert_eq!(call(&rack, "a", "version"), Ok(if comes_in { 2 } else { 1 }), "{case}");
                if let Ok(swapped) = swapped
                    && swapped.before == Before::Stopped
                {
                    assert_eq!(swapped.stopped.len() + *told.lock().unwrap(), 1, "{case}");
                }
                nothing_is_left(&rack, &backend, &case);
            }
        }
    }
}

#[test]
fn an_observer_that_panics_changes_nothing() {
    let (rack, backend) = two("");
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    rack.observe(|_| panic!("not now"));
    rack.observe(move |event| tell.lock().unwrap().push(format!("{event:?}")));
    backend.module("a", good(2));
    assert_eq!(swap(&rack, false).unwrap().before, Before::Parked);
    assert!(told.lock().unwrap()[0].starts_with("Swapped"));
    nothing_is_left(&rack, &backend, "a panic of who observes");
}

#[test]
fn state_goes_up_and_down_in_both_modes() {
    for way in ["", "state: exclusive"] {
        let (rack, backend) = two(way);
        for version in 2..5 {
            backend.module("a", good(version));
            swap(&rack, false).unwrap();
            assert_eq!(call(&rack, "a", "count"), Ok(2 * version - 2), "{way}");
            let back = rack.rollback(&name("a"), Asked::default()).unwrap();
            assert!(back.slots[0].carried, "{way}");
            assert_eq!(call(&rack, "a", "version"), Ok(1), "{way}");
            assert_eq!(call(&rack, "a", "count"), Ok(2 * version - 1), "{way}");
        }
        nothing_is_left(&rack, &backend, way);
    }
}

#[test]
fn a_rollback_that_fails_leaves_the_new_one_serving_and_can_be_tried_again() {
    for way in ["", "state: exclusive"] {
        for step in [Step::Carry, Step::Switch] {
            let (rack, backend) = two(way);
            backend.module("a", good(2));
            backend.module("b", good(2));
            swap(&rack, true).unwrap();
            rack.fail_at(step, Error::new(Code::Internal, "Injected"));
            let failed = rack.rollback(&name("b"), Asked::default()).map(drop).unwrap_err();
            assert_eq!((failed.step, failed.error.message()), (step, "Injected"), "{way}");
            assert_eq!((call(&rack, "a", "version"), call(&rack, "b", "version")), (Ok(2), Ok(2)), "{way}");
            rack.rollback(&name("b"), Asked::default()).unwrap();
            assert_eq!((call(&rack, "a", "version"), call(&rack, "b", "version")), (Ok(1), Ok(1)), "{way}");
            nothing_is_left(&rack, &backend, way);
        }
    }
}

#[test]
fn a_stream_keeps_what_it_began_on_and_nothing_that_came_later() {
    let (rack, backend) = two("trial: { for: 0s }, drain: 0s");
    let stream = rack.slot("a").unwrap().pin().unwrap();
    backend.module("a", good(2));
    assert_eq!(swap(&rack, false).unwrap().before, Before::Lingering);
    let first = rack.kept();
    assert_eq!((first.len(), first[0].generation.0), (1, 1));
    // Neither the later generations of the slot nor those of another wait for it.
    for version in 3..6 {
        backend.module("a", good(version));
        assert_eq!(swap(&rack, false).unwrap().before, Before::Stopped);
    }
    assert_eq!(stream.call(Some("version"), Call::new(&[])).unwrap(), Value::Int(1));
    backend.module("b", good(2));
    assert_eq!(rack.swap(&Swap::reload(name("b"))).unwrap().before, Before::Lingering);
    assert_eq!(backend.count("stop b"), 0);
    assert_eq!(rack.kept().len(), 2);
    let (send, receive) = std::sync::mpsc::channel();
    let send = Mutex::new(send);
    rack.observe(move |event| {
        if let Event::Retired { generation, .. } = event {
            let _ = send.lock().unwrap().send(generation.0);
        }
    });
    drop(stream);
    let mut gone = [receive.recv().unwrap(), receive.recv().unwrap()];
    gone.sort_unstable();
    assert_eq!(gone, [1, 2]);
    nothing_is_left(&rack, &backend, "streams");
}

#[test]
fn calls_past_the_drain_are_ended_where_they_can_be() {
    let (rack, backend) =
        rack("slots: { a: { use: 'python:a', swap: { drain: 0s, trial: { for: 0s } } } }\n");
    let (gate, end) = (Gate::new(), Gate::new());
    let (inside, ended, open) = (gate.clone(), end.clone(), end.clone());
    let old = good(1)
        .function("wait", move |_, _| {
            inside.arrive();
            ended.pass();
            Err(Error::new(Code::Cancelled, "Ended"))
        })
        .on_end_calls(move || open.open());
    backend.module("a", old);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(&rack, "a", "wait"));
        gate.arrived(1);
        backend.module("a", good(2).function("wait", |_, _| Ok(Value::Null)));
        assert_eq!(swap(&rack, false).unwrap().before, Before::Stopped);
        assert_eq!(waiting.join().unwrap(), Err(Code::Cancelled));
    });
    nothing_is_left(&rack, &backend, "ended");
}

#[test]
fn calls_wait_at_the_gate_and_none_fails_whatever_comes_of_the_swap() {
    for way in ["state: exclusive", "overlap: false"] {
        for fails in [false, true] {
            let (rack, backend) = two(way);
            let (gate, inside) = (Gate::new(), Gate::new());
            let (open, arrive) = (gate.clone(), inside.clone());
            // The gate is closed while the state is taken over.
            let new = good(2).imports(move |_, _| {
                arrive.arrive();
                open.pass();
                if fails { Err(Error::new(Code::Raised, "No").hint("Mend it")) } else { Ok(()) }
            });
            backend.module("a", new);
            std::thread::scope(|scope| {
                let swapping = scope.spawn(|| swap(&rack, false).map(drop));
                inside.arrived(1);
                let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| call(&rack, "a", "version"))).collect();
                assert_eq!(call(&rack, "b", "version"), Ok(1), "another slot is held back");
                if fails {
                    // What is started again takes its state back.
                    backend.module("a", good(1));
                }
                gate.open();
                assert_eq!(swapping.join().unwrap().is_err(), fails);
                for call in calls {
                    assert_eq!(call.join().unwrap(), Ok(if fails { 1 } else { 2 }), "{way}");
                }
            });
            nothing_is_left(&rack, &backend, way);
        }
    }
}

/// A counter that counts from 0 when it is started, and calls what it needs when it starts, gives its state, and ends. It fails to
/// start as often as `fails` says.
fn leaning(version: i64, fails: i64) -> Script {
    let count = Arc::new(AtomicI64::new(0));
    let fails = AtomicI64::new(fails);
    let needed: Arc<Mutex<Option<Arc<dyn Service>>>> = Arc::default();
    let (read, write, begin) = (count.clone(), count.clone(), count.clone());
    let (mine, exporting, stopping) = (needed.clone(), needed.clone(), needed);
    let ask = |needed: &Mutex<Option<Arc<dyn Service>>>| {
        let needed = needed.lock().unwrap().clone();
        needed.map_or(Ok(()), |needed| needed.call(Some("version"), Call::new(&[])).map(drop))
    };
    Script::new()
        .function("count", move |_, _| Ok(Value::Int(count.fetch_add(1, Ordering::SeqCst) + 1)))
        .function("version", move |_, _| Ok(Value::Int(version)))
        .exports(move |_| ask(&exporting).map(|()| Value::Int(read.load(Ordering::SeqCst))))
        .imports(move |_, state| {
            let Value::Int(count) = state.value else { panic!("no count: {state:?}") };
            write.store(count, Ordering::SeqCst);
            Ok(())
        })
        .on_start(move |running| {
            begin.store(0, Ordering::SeqCst);
            if fails.fetch_sub(1, Ordering::SeqCst) > 0 {
                return Err(Error::new(Code::ConstructFailed, "No").hint("Mend it"));
            }
            *mine.lock().unwrap() = running.services.first().map(|(_, service)| service.clone());
            ask(&mine)
        })
        .on_stop(move || ask(&stopping))
}

/// `a` needs `b`, and both are swapped so; each has counted to 1. What did not stop well is told.
fn leaning_on(way: &str) -> (Rack, Arc<ScriptedBackend>, Arc<Mutex<Vec<String>>>) {
    let (rack, backend) = rack(&format!(
        "slots:\n  a: {{ use: 'python:a', needs: {{ b: b }}, swap: {{ {way} }} }}\n  b: {{ use: 'python:b', swap: {{ {way} }} }}\n"
    ));
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    rack.observe(move |event| {
        if let Event::StopFailed { why, .. } = event {
            tell.lock().unwrap().push(why.to_string());
        }
    });
    for slot in ["a", "b"] {
        backend.module(slot, leaning(1, 0));
    }
    for slot in ["a", "b"] {
        assert_eq!(call(&rack, slot, "count"), Ok(1));
    }
    (rack, backend, told)
}

#[test]
fn what_was_there_together_ends_and_begins_together() {
    for way in ["overlap: false", "state: exclusive", "overlap: false, state: exclusive"] {
        for (first, second) in [("a", "b"), ("b", "a")] {
            let both = || Swap::reload(name(first)).and(Swap::reload(name(second)));
            for step in STEPS {
                let case = format!("{{ {way} }}, {first} {second}, {step}");
                let (rack, backend, told) = leaning_on(way);
                for slot in ["a", "b"] {
                    backend.module(slot, leaning(2, 0));
                }
                rack.fail_at(step, Error::new(Code::Internal, "Injected"));
                let swapped = rack.swap(&both());
                if step == Step::Retire && !way.contains("overlap") {
                    assert!(swapped.is_ok(), "{case}");
                    continue;
                }
                assert_eq!(swapped.unwrap_err().error.message(), "Injected", "{case}");
                // Nobody need call what was stopped for it to be there again.
                let lives = |what: &str| ["a", "b"].map(|s| backend.count(&format!("{what}{s}")));
                let running =
                    lives("start python:").iter().sum::<usize>() - lives("stop ").iter().sum::<usize>();
                assert_eq!(running, 2, "{case}: {:?}", backend.record());
                for slot in ["a", "b"] {
                    assert_eq!(call(&rack, slot, "count"), Ok(2), "{case}, {slot}");
                }
                let swapped = rack.swap(&both()).unwrap();
                assert!(swapped.slots.iter().all(|served| served.carried), "{case}");
                nothing_is_left(&rack, &backend, &case);
                assert!(told.lock().unwrap().is_empty(), "{case}: {told:?}");
            }
            for bad in ["a", "b"] {
                let case = format!("{{ {way} }}, {first} {second}, {bad} does not start");
                let (rack, backend, told) = leaning_on(way);
                for slot in ["a", "b"] {
                    backend.module(slot, leaning(2, i64::from(slot == bad)));
                }
                let failed = rack.swap(&both()).unwrap_err();
                assert_eq!(failed.error.code(), Code::ConstructFailed, "{case}");
                for slot in ["a", "b"] {
                    assert_eq!(call(&rack, slot, "count"), Ok(2), "{case}, {slot}");
                }
                assert!(told.lock().unwrap().is_empty(), "{case}: {told:?}");
            }
        }
    }
}

#[test]
fn state_waits_for_what_could_not_be_started_again() {
    for by_swap in [false, true] {
        let (rack, backend, _) = leaning_on("overlap: false");
        // The new one fails, and so does the start of what was there before.
        backend.module("b", leaning(2, 2));
        let failed = rack.swap(&Swap::reload(name("b"))).unwrap_err();
        assert_eq!(failed.step, Step::Start);
        backend.module("b", leaning(3, 0));
        if by_swap {
            assert!(rack.swap(&Swap::reload(name("b"))).unwrap().slots[0].carried);
        }
        assert_eq!(call(&rack, "b", "count"), Ok(2), "by a swap: {by_swap}");
        // It is taken once.
        assert_eq!(rack.unload(&name("b"), Asked::default()).unwrap(), Before::Stopped);
        assert_eq!(call(&rack, "b", "count"), Ok(1));
    }
}

/// Two slots on trial, whose modules may not fail; and what is told of generations that serve again.
fn on_trial() -> (Rack, Arc<ScriptedBackend>, mpsc::Receiver<SlotName>) {
    let (rack, backend) = two("trial: { for: 1h, min-calls: 2, errors: 0% }");
    let (send, receive) = mpsc::channel();
    let send = Mutex::new(send);
    rack.observe(move |event| {
        if let Event::RolledBack { slots, .. } = event {
            drop(send.lock().unwrap().send(slots[0].slot.clone()));
        }
    });
    (rack, backend, receive)
}

#[test]
fn an_end_that_hangs_holds_up_no_other_slot() {
    let (rack, backend, back) = on_trial();
    let (inside, door) = (Gate::new(), Gate::new());
    for version in 2..6 {
        let (arrive, pass) = (inside.clone(), door.clone());
        let hangs = good(version).on_stop(move || {
            arrive.arrive();
            pass.pass();
            Ok(())
        });
        backend.module("a", hangs);
        swap(&rack, false).unwrap();
    }
    // The second is stopped once the third serves, and does not end; nor does any that comes after it.
    inside.arrived(1);
    for version in 2..4 {
        backend.module("b", counter(version, Fault::Probe, false));
        rack.swap(&Swap::reload(name("b"))).unwrap();
        for _ in 0..2 {
            assert!(call(&rack, "b", "version").is_err());
        }
        assert_eq!(back.recv().unwrap(), name("b"));
        assert_eq!(call(&rack, "b", "version"), Ok(1));
    }
    // What is stopped waits for the one that hangs in its own slot alone.
    assert_eq!(backend.count("stop a"), 2);
    door.open();
    nothing_is_left(&rack, &backend, "an end that hangs");
}

#[test]
fn a_trial_that_fails_while_its_slot_is_swapped_holds_up_no_other() {
    let (rack, backend, back) = on_trial();
    for slot in ["a", "b"] {
        backend.module(slot, counter(2, Fault::Probe, false));
        rack.swap(&Swap::reload(name(slot))).unwrap();
    }
    let (inside, door) = (Gate::new(), Gate::new());
    let (arrive, pass) = (inside.clone(), door.clone());
    let slow = good(3).on_start(move |_| {
        arrive.arrive();
        pass.pass();
        Ok(())
    });
    backend.module("a", slow);
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| swap(&rack, false).map(drop));
        inside.arrived(1);
        for slot in ["a", "b"] {
            for _ in 0..2 {
                let _ = call(&rack, slot, "version");
            }
        }
        let first = back.recv().unwrap();
        door.open();
        assert_eq!(first, name("b"));
        swapping.join().unwrap().unwrap();
    });
    assert_eq!((call(&rack, "a", "version"), call(&rack, "b", "version")), (Ok(3), Ok(1)));
    nothing_is_left(&rack, &backend, "a swap that takes its time");
}

#[test]
fn who_waits_at_a_gate_waits_no_longer_than_the_rack_is_there() {
    let (rack, backend) = two("state: exclusive");
    let (gate, inside, passing) = (Gate::new(), Gate::new(), Gate::new());
    let (open, arrive, waiting) = (gate.clone(), inside.clone(), passing.clone());
    let new = good(2).imports(move |_, _| {
        arrive.arrive();
        open.pass();
        Ok(())
    });
    backend.module("a", new);
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| swap(&rack, false).map(drop));
        inside.arrived(1);
        backend.on_let_go(move |wait| {
            waiting.arrive();
            wait();
        });
        let call = scope.spawn(|| call(&rack, "a", "version"));
        passing.arrived(1);
        rack.stop();
        assert_eq!(call.join().unwrap(), Err(Code::RackStopped));
        gate.open();
        assert!(swapping.join().unwrap().is_err());
    });
}

#[test]
fn two_swaps_that_hold_calls_back_do_not_wait_for_each_other() {
    let (rack, backend) = two("state: exclusive");
    let (arrived, open) = (Gate::new(), Gate::new());
    for slot in ["a", "b"] {
        let (arrive, pass) = (arrived.clone(), open.clone());
        let new = good(2).on_start(move |_| {
            arrive.arrive();
            pass.pass();
            Ok(())
        });
        backend.module(slot, new);
    }
    std::thread::scope(|scope| {
        let swaps = ["a", "b"].map(|slot| {
            let rack = &rack;
            scope.spawn(move || rack.swap(&Swap::reload(name(slot))).map(drop))
        });
        arrived.arrived(2);
        open.open();
        for swap in swaps {
            swap.join().unwrap().unwrap();
        }
    });
    nothing_is_left(&rack, &backend, "two swaps");
}

#[test]
fn a_new_module_that_would_wait_for_a_swap_that_waits_for_it_is_refused() {
    let (rack, backend) = rack(
        "slots:\n  a: { use: 'python:a', swap: { overlap: false } }\n  d: { use: 'python:d', instances: one, needs: { a: a } }\n",
    );
    let (inside, go_on) = (Gate::new(), Gate::new());
    let (arrive, pass) = (inside.clone(), go_on.clone());
    backend.module("a", good(1));
    let d = Script::new().function("version", |_, _| Ok(Value::Int(1))).function(
        "through",
        move |running, call| {
            if running.number == 1 {
                arrive.arrive();
                pass.pass();
            }
            running.service("a").call(Some("version"), call)
        },
    );
    backend.module("d", d);
    assert_eq!(call(&rack, "a", "version"), Ok(1));
    assert_eq!(call(&rack, "d", "version"), Ok(1));
    let (starting, started) = (Gate::new(), Gate::new());
    let (arrive, pass) = (starting.clone(), started.clone());
    let inner = rack.clone();
    // The new `a` calls `d`, whose only instance is in a call that waits for `a`.
    let new = good(2).on_start(move |running| {
        if running.number == 2 {
            arrive.arrive();
            pass.pass();
            inner.slot("d")?.function(Some("version"))?.call(Call::new(&[])).map(drop)?;
        }
        Ok(())
    });
    backend.module("a", new);
    let refused = std::thread::scope(|scope| {
        let swapping = scope.spawn(|| rack.swap(&Swap::reload(name("a"))).map(drop));
        starting.arrived(1);
        // It began after the gate was closed, and has `d` to itself.
        let through = scope.spawn(|| call(&rack, "d", "through"));
        inside.arrived(1);
        go_on.open();
        started.open();
        // One of the two is refused, whichever comes second; nothing waits for good.
        let (swapped, through) = (swapping.join().unwrap(), through.join().unwrap());
        assert!(swapped.is_err() || through.is_err(), "{swapped:?} {through:?}");
        assert!(swapped.is_ok() || through.is_ok(), "{swapped:?} {through:?}");
        swapped.is_err()
    });
    nothing_is_left_but(usize::from(refused), &rack, &backend, "a circle");
}

#[test]
fn who_asked_and_what_serves_is_told_in_order() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a', swap: { trial: { for: 1m } } } }\n");
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    rack.observe(move |event| {
        let line = match event {
            Event::Loaded { served } => format!("loaded {} {}", served.slot, served.generation),
            Event::Swapped { slots, asked } => {
                format!("swapped {} {} for {}: {}", slots[0].slot, slots[0].generation, asked.who, asked.why)
            }
            Event::SwapFailed { slots, slot, step, asked, .. } => {
                format!("{step} of {slot} of {} failed for {}", slots.len(), asked.who)
            }
            Event::RolledBack { slots, asked, .. } => {
                format!("back to {} for {}", slots[0].generation, asked.who)
            }
            Event::Unloaded { slot, generation, asked, .. } => {
                format!("unloaded {slot} {generation} for {}", asked.who)
            }
            Event::Retired { .. } => return,
            other => format!("{other:?}"),
        };
        tell.lock().unwrap().push(line);
    });
    let asked = || Asked { who: "ann".to_owned(), why: "a new tax".to_owned() };
    backend.module("a", good(1));
    assert_eq!(call(&rack, "a", "version"), Ok(1));
    backend.module("a", good(2));
    rack.swap(&Swap::reload(name("a")).asked(asked())).unwrap();
    rack.rollback(&name("a"), asked()).unwrap();
    backend.module("a", counter(3, Fault::Start, false));
    rack.swap(&Swap::reload(name("a")).asked(asked())).map(drop).unwrap_err();
    rack.unload(&name("a"), asked()).unwrap();
    let told = told.lock().unwrap().clone();
    assert_eq!(
        told,
        [
            "loaded a 1",
            "swapped a 2 for ann: a new tax",
            "back to 1 for ann",
            "start of a of 1 failed for ann",
            "unloaded a 1 for ann",
        ]
    );
}
