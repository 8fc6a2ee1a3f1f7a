//! How instances serve calls: which call gets which, who waits and until when, what re-enters, what breaks.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use modrack_core::{Call, Cancel, Chain, Code, Error, Instances, Map, Value};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend};
use modrack_runtime::{Bound, Event, Rack};

use crate::{rack, shown, text};

/// A script whose `f` gives the number of its instance.
fn numbered() -> Script {
    Script::new().function("f", |running, _| Ok(number(running.number))).attribute("pi", 3.25).state("kept")
}

fn number(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap())
}

/// A rack with one slot `a`, whose instances serve calls so.
fn slot(instances: &str, script: Script) -> (Rack, Arc<ScriptedBackend>, Bound) {
    let (rack, backend) = rack(&format!("slots: {{ a: {{ use: 'python:a', instances: {instances} }} }}\n"));
    backend.module("a", script);
    let f = rack.slot("a").unwrap().function(Some("f")).unwrap();
    (rack, backend, f)
}

#[test]
fn each_policy_starts_and_stops_as_many_instances_as_it_needs() {
    let check = |instances: &str, answers: [usize; 3], expected: Expect| {
        let (rack, backend, f) = slot(instances, numbered());
        for answer in answers {
            assert_eq!(f.call(Call::new(&[])).unwrap(), number(answer), "{instances}");
        }
        assert!(rack.stop().is_empty());
        assert_eq!(f.call(Call::new(&[])).unwrap_err().code(), Code::RackStopped);
        let record: Vec<_> =
            backend.record().into_iter().filter(|entry| !entry.starts_with("desc")).collect();
        expected.assert_eq(&record.join(", "));
    };
    let once = || expect!["start python:a, call a.f, call a.f, call a.f, stop a"];
    check("shared", [1, 1, 1], once());
    check("one", [1, 1, 1], once());
    check("pool(2)", [1, 1, 1], once());
    check(
        "per-call",
        [1, 2, 3],
        expect![
            "start python:a, call a.f, stop a, start python:a, call a.f, stop a, start python:a, call a.f, stop a"
        ],
    );
}

#[test]
fn the_slot_decides_before_the_manifest_and_the_manifest_before_the_rest() {
    let check = |slot: &str, manifest: Option<Instances>, answers: [usize; 2]| {
        let (rack, backend) = rack(&format!("slots: {{ a: {{ use: 'python:a'{slot} }} }}\n"));
        backend.module("a", numbered().describe(|about| about.manifest.instances = manifest));
        let f = rack.slot("a").unwrap().function(Some("f")).unwrap();
        assert_eq!(answers.map(|_| f.call(Call::new(&[])).unwrap()), answers.map(number), "{slot}");
    };
    check("", None, [1, 1]);
    check("", Some(Instances::PerCall), [1, 2]);
    check(", instances: one", Some(Instances::PerCall), [1, 1]);
    check(", instances: per-call", Some(Instances::Shared), [1, 2]);
}

#[test]
fn so_many_calls_run_at_once_as_there_are_instances() {
    let check = |instances: &str, at_once: usize, started: usize| {
        let gate = Gate::new();
        let inside = gate.clone();
        let script = Script::new().function("f", move |running, _| {
            inside.pass();
            Ok(number(running.number))
        });
        let (rack, backend, f) = slot(instances, script);
        let asked = Gate::new();
        let queued = asked.clone();
        backend.on_let_go(move |wait| {
            queued.arrive();
            wait();
        });
        std::thread::scope(|scope| {
            let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| f.call(Call::new(&[])).unwrap())).collect();
            gate.arrived(at_once);
            // The others are in the queue, having let go of everything.
            asked.arrived(4 - at_once);
            assert_eq!(backend.count("call a.f"), at_once, "{instances}");
            gate.open();
            calls.into_iter().for_each(|call| drop(call.join().unwrap()));
        });
        assert_eq!(backend.count("call a.f"), 4);
        assert_eq!(backend.count("start python:a"), started, "{instances}");
        assert!(rack.stop().is_empty());
        assert_eq!(backend.count("stop a"), started, "{instances}");
    };
    check("one", 1, 1);
    check("pool(3)", 3, 3);
    check("per-call", 4, 4);
    check("shared", 4, 1);
}

#[test]
fn a_wait_for_an_instance_ends_at_its_deadline_or_when_it_is_given_up() {
    let gate = Gate::new();
    let inside = gate.clone();
    let script = Script::new().function("f", move |_, _| {
        inside.pass();
        Ok(Value::Null)
    });
    let (rack, backend, f) = slot("one", script);
    let cancel = Cancel::default();
    let word = cancel.clone();
    // Who waits gives up as soon as it has let go of everything.
    backend.on_let_go(move |wait| {
        word.cancel();
        wait();
    });
    std::thread::scope(|scope| {
        let first = scope.spawn(|| f.call(Call::new(&[])));
        gate.arrived(1);
        let late = Call { deadline: Some(Instant::now()), ..Call::default() };
        expect![[r#"
            M0508 slot=a module=a generation=1 phase=call
              The call's time was up before an instance was free
              hint: The slot has `instances: one`: give it more of them, or more time
        "#]]
        .assert_eq(&shown(&f.call(late).unwrap_err()));
        let given_up = f.call(Call { cancel: Some(&cancel), ..Call::default() }).unwrap_err();
        assert_eq!(given_up.code(), Code::Cancelled);
        // The bounds of the call that a module is in hold for the calls that it makes.
        let nested =
            Chain::bounded(&late, || rack.slot("a").unwrap().service().call(Some("f"), Call::new(&[])));
        assert_eq!(nested.unwrap_err().code(), Code::TimedOut);
        gate.open();
        first.join().unwrap().unwrap();
    });
    assert_eq!(f.call(Call::new(&[])).unwrap(), Value::Null);
}

/// Slots, each with its `instances` and with the slot that its functions call: `f` calls `f` of it, `hop` does
/// so on another thread, and `cross` calls `quick` of it when everybody has arrived at the gate.
fn calling(slots: &[(&str, &str, &str)]) -> Rack {
    let line = |(name, instances, _): &(&str, &str, &str)| {
        format!("  {name}: {{ use: 'python:{name}', instances: {instances} }}\n")
    };
    let (rack, backend) = rack(&format!("slots:\n{}", slots.iter().map(line).collect::<String>()));
    let gate = Gate::new();
    for (name, _, next) in slots {
        // Needs that go round in a circle are refused in the rack's text; a module may still come by a slot.
        let next = rack.slot(next).unwrap().service();
        let (hop, cross, all) = (next.clone(), next.clone(), gate.clone());
        let everybody = slots.len();
        let script = Script::new()
            .function("f", move |_, call| next.call(Some("f"), call))
            .function("hop", move |_, _| {
                let (chain, next) = (Chain::here(), hop.clone());
                let there = move || chain.within(|| next.call(Some("f"), Call::new(&[])));
                std::thread::spawn(there).join().unwrap()
            })
            .function("cross", move |_, call| {
                all.arrive();
                all.arrived(everybody);
                cross.call(Some("quick"), call)
            })
            .function("quick", |_, _| Ok(text("quick")));
        backend.module(name, script);
        for function in ["f", "hop", "cross", "quick"] {
            rack.slot(name).unwrap().function(Some(function)).unwrap();
        }
    }
    rack
}

#[test]
fn what_comes_back_to_an_instance_it_is_in_is_refused() {
    let check = |slots: &[(&str, &str, &str)], function: &str, expected: Expect| {
        let rack = calling(slots);
        let f = rack.slot("a").unwrap().function(Some(function)).unwrap();
        let error = f.call(Call::new(&[])).unwrap_err();
        expected.assert_eq(&format!("{}: {}", error.code(), error.message()));
        // Nothing is held any more: the next call is refused alike, and does not wait.
        assert_eq!(f.call(Call::new(&[])).unwrap_err().code(), error.code());
    };
    let again = || expect!["M0511: `a` was called while it is in the same call already"];
    check(&[("a", "one", "a")], "f", again());
    check(&[("a", "one", "a")], "hop", again());
    check(&[("a", "one", "b"), ("b", "one", "a")], "f", again());
    check(&[("a", "one", "b"), ("b", "shared", "a")], "hop", again());
    check(
        &[("a", "pool(3)", "a")],
        "f",
        expect!["M0511: `a` was called while all its instances are in the same call already"],
    );
    let deep = || expect!["M0514: Calls between slots are nested more than 64 deep"];
    check(&[("a", "shared", "b"), ("b", "shared", "a")], "f", deep());
    check(&[("a", "per-call", "a")], "f", deep());
    check(&[("a", "pool(70)", "a")], "hop", deep());
}

#[test]
fn calls_that_would_wait_for_each_other_for_good_are_refused() {
    // Both are in their own instance before either wants the other's.
    let rack = calling(&[("a", "one", "b"), ("b", "one", "a")]);
    let bound = ["a", "b"].map(|slot| rack.slot(slot).unwrap().function(Some("cross")).unwrap());
    let outcomes = std::thread::scope(|scope| {
        let calls = bound.each_ref().map(|f| scope.spawn(|| f.call(Call::new(&[]))));
        calls.map(|call| call.join().unwrap())
    });
    // Who came second to wait is refused; that frees the other.
    let refused: Vec<&Error> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].code(), Code::Reentered);
    assert!(refused[0].message().starts_with("Calls would wait for each other's instances for good: `"));
    assert!(outcomes.iter().any(|outcome| outcome.as_ref().is_ok_and(|value| *value == text("quick"))));
}

#[test]
fn a_load_that_wants_the_instance_of_who_waits_for_it_is_refused() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a', instances: one }, b: { use: 'python:b' } }\n");
    let [a, b] = ["a", "b"].map(|slot| rack.slot(slot).unwrap().service());
    // `a` is in its instance, and `b` is being loaded, before either wants the other.
    let gate = Gate::new();
    let (in_a, in_b) = (gate.clone(), gate);
    backend.module(
        "a",
        Script::new().function("quick", |_, _| Ok(Value::Null)).function("f", move |_, call| {
            in_a.arrive();
            in_a.arrived(2);
            b.call(Some("f"), call)
        }),
    );
    let once = Mutex::new(Some(()));
    backend.module(
        "b",
        Script::new().function("f", |_, _| Ok(text("b"))).on_start(move |_| {
            if once.lock().unwrap().take().is_none() {
                return Ok(());
            }
            in_b.arrive();
            in_b.arrived(2);
            a.call(Some("quick"), Call::new(&[])).map(drop)
        }),
    );
    let f = rack.slot("a").unwrap().function(Some("f")).unwrap();
    rack.slot("a").unwrap().function(Some("quick")).unwrap();
    let (called, loaded) = std::thread::scope(|scope| {
        let loading = scope.spawn(|| rack.slot("b").unwrap().pin().map(drop));
        let calling = scope.spawn(|| f.call(Call::new(&[])));
        (calling.join().unwrap(), loading.join().unwrap())
    });
    // Who came second to wait is refused, and the other goes on or is told of it.
    match (called, loaded) {
        (Err(error), Ok(())) => assert_eq!(error.code(), Code::LoadCycle),
        (Err(told), Err(error)) => {
            assert_eq!((told.code(), error.code()), (Code::Reentered, Code::Reentered));
        }
        (Ok(value), Err(error)) => assert_eq!((value, error.code()), (text("b"), Code::Reentered)),
        (Ok(_), Ok(())) => panic!("nobody was refused"),
    }
    assert_eq!(f.call(Call::new(&[])).unwrap(), text("b"));
}

#[test]
fn an_instance_that_broke_is_replaced_and_its_state_reported_lost() {
    let check = |instances: &str, answers: [usize; 2]| {
        let script = Script::new().typed_function("f", None, |running, call| {
            if call.args.positional.is_empty() {
                return Ok(number(running.number));
            }
            running.break_down();
            Err(Error::new(Code::Raised, "It trapped").classes(vec!["trap".into()]))
        });
        let (rack, backend, f) = slot(instances, script);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        rack.observe(move |event| {
            if let Event::InstanceLost { slot, generation, why, .. } = event {
                tell.lock().unwrap().push(format!("{slot} {generation} {}", why.code()));
            }
        });
        assert_eq!(f.call(Call::new(&[])).unwrap(), number(answers[0]));
        let error = f.call(Call::new(&[Value::Null])).unwrap_err();
        assert_eq!((error.code(), error.class_names()), (Code::Raised, &["trap".to_owned()][..]));
        assert_eq!(f.call(Call::new(&[])).unwrap(), number(answers[1]), "{instances}");
        let stats = rack.slot("a").unwrap().stats();
        assert_eq!((stats.lost, stats.start.count), (1, backend.count("start python:a") as u64));
        assert_eq!(*told.lock().unwrap(), ["a 1 M0504"], "{instances}");
    };
    check("one", [1, 2]);
    check("pool(2)", [1, 2]);
    check("per-call", [1, 3]);
}

#[test]
fn a_restart_that_fails_is_tried_again_by_the_next_call() {
    let script = numbered()
        .function("break", |running, _| {
            running.break_down();
            Err(Error::new(Code::Raised, "It trapped"))
        })
        .on_start(|running| match running.number {
            2 => Err(Error::new(Code::ConstructFailed, "Not now")),
            _ => Ok(()),
        });
    let (rack, _backend, f) = slot("one", script);
    let broken = rack.slot("a").unwrap().function(Some("break")).unwrap();
    broken.call(Call::new(&[])).unwrap_err();
    let error = f.call(Call::new(&[])).unwrap_err();
    assert_eq!((error.code(), error.phase_of()), (Code::ConstructFailed, Some(modrack_core::Phase::Start)));
    assert_eq!(f.call(Call::new(&[])).unwrap(), number(3));
}

#[test]
fn attributes_and_state_are_those_of_one_instance() {
    let check = |instances: &str, expected: Expect| {
        let (rack, _backend, _) = slot(instances, numbered());
        let slot = rack.slot("a").unwrap();
        let attribute = slot.attribute("pi");
        let state = slot.pin().unwrap().instance().export_state();
        assert_eq!(attribute.is_ok(), state.is_ok());
        let tell = |error: &Error| format!("{}: {}", error.code(), error.message());
        expected.assert_eq(&match (attribute, state) {
            (Ok(value), Ok(state)) => format!("{value:?} {:?}", state.map(|state| state.value)),
            (attribute, state) => format!("{}\n{}", tell(&attribute.unwrap_err()), tell(&state.unwrap_err())),
        });
    };
    check("shared", expect![[r#"Float(3.25) Some(Text("kept"))"#]]);
    check("one", expect![[r#"Float(3.25) Some(Text("kept"))"#]]);
    check(
        "pool(2)",
        expect![[r#"
            M0110: `pi` cannot be read: the slot has `instances: pool(2)`
            M0110: No state can be had: the slot has `instances: pool(2)`"#]],
    );
    check(
        "per-call",
        expect![[r#"
            M0110: `pi` cannot be read: the slot has `instances: per-call`
            M0110: No state can be had: the slot has `instances: per-call`"#]],
    );
}

#[test]
fn an_instance_that_is_in_a_call_is_not_shut_down_under_it() {
    let gate = Gate::new();
    let inside = gate.clone();
    let script = Script::new().function("f", move |_, _| {
        inside.pass();
        Ok(Value::Null)
    });
    let (rack, backend, f) = slot("one", script);
    let opening = gate.clone();
    backend.on_let_go(move |wait| {
        // The rack waits for the call: let it end.
        opening.open();
        wait();
    });
    std::thread::scope(|scope| {
        let call = scope.spawn(|| f.call(Call::new(&[])));
        gate.arrived(1);
        assert!(rack.stop().is_empty());
        assert_eq!(call.join().unwrap().unwrap(), Value::Null);
    });
    assert_eq!(backend.count("stop a"), 1);
}

#[test]
fn a_stop_out_of_a_call_does_not_wait_for_itself() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a', instances: one } }\n");
    let stopping: Arc<Mutex<Option<Rack>>> = Arc::default();
    let inside = stopping.clone();
    backend.module(
        "a",
        Script::new().function("f", move |_, _| {
            let rack = inside.lock().unwrap().take().unwrap();
            Ok(Value::from(rack.stop().iter().map(|e| text(e.message())).collect::<Vec<_>>()))
        }),
    );
    *stopping.lock().unwrap() = Some(rack.clone());
    let told = rack.slot("a").unwrap().function(Some("f")).unwrap().call(Call::new(&[])).unwrap();
    assert_eq!(told, Value::from(vec![text("Instances that are still in a call: 1")]));
}

#[test]
fn a_result_that_is_too_large_is_refused() {
    let check = |value: Value, allowed: u64, expected: Expect| {
        let (rack, backend) =
            rack(&format!("slots: {{ a: {{ use: 'python:a', limits: {{ output: {allowed} }} }} }}\n"));
        backend.module("a", Script::new().function("f", move |_, _| Ok(value.clone())));
        let called = rack.slot("a").unwrap().function(None).unwrap().call(Call::new(&[]));
        expected.assert_eq(&called.map_or_else(|e| shown(&e), |value| value.type_name().to_owned()));
    };
    let map = Value::from(Map::from_iter([("key".into(), text("12345"))]));
    check(text("12345"), 5, expect!["text"]);
    check(
        text("123456"),
        5,
        expect![[r#"
            M0512 slot=a module=a generation=1 phase=call
              `f` gave 6 bytes, and 5 are allowed
              hint: Raise `limits.output` of the slot, or give the result in parts
        "#]],
    );
    check(map.clone(), 8, expect!["map"]);
    check(
        Value::from(vec![map, Value::Null]),
        15,
        expect![[r#"
            M0512 slot=a module=a generation=1 phase=call
              `f` gave 16 bytes, and 15 are allowed
              hint: Raise `limits.output` of the slot, or give the result in parts
        "#]],
    );
}

#[test]
fn deep_calls_leave_room_on_the_stack() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    let next = rack.slot("a").unwrap().service();
    // Sixty-four of these would want more than any thread has here.
    let greedy = Script::new().function("f", move |_, call| {
        let held = [0_u8; 128 << 10];
        std::hint::black_box(&held);
        let answer = next.call(Some("f"), call);
        std::hint::black_box(&held);
        answer
    });
    backend.module("a", greedy);
    let f = rack.slot("a").unwrap().function(Some("f")).unwrap();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let error = thread.spawn(move || f.call(Call::new(&[])).unwrap_err()).unwrap().join().unwrap();
    expect!["M0514: The thread's stack has no room for another call of a slot within a call"]
        .assert_eq(&format!("{}: {}", error.code(), error.message()));
}

#[test]
fn a_slot_that_is_called_in_time_leaves_the_rest_of_its_time_to_others() {
    let (rack, backend) = rack(
        "slots:
  outer: { use: 'python:outer', limits: { time: 1h }, needs: { inner: inner } }
  inner: { use: 'python:inner' }
",
    );
    let forward = |running: &modrack_runtime::doubles::Running, _: Call<'_>| {
        running.service("inner").call(None, Call::new(&[]))
    };
    backend.module("outer", Script::new().function("f", forward));
    backend.module(
        "inner",
        Script::new().function("f", |_, call| {
            let left = call.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            Ok(Value::Bool(left.is_some_and(|left| left <= Duration::from_secs(3600))))
        }),
    );
    let f = rack.slot("outer").unwrap().function(None).unwrap();
    assert_eq!(f.call(Call::new(&[])).unwrap(), Value::Bool(true));
}

#[test]
fn a_panic_while_waiting_leaves_the_queue_and_the_place_to_others() {
    // Whoever lets go panics before the wait, or behind it, when it has got the place already.
    for before in [true, false] {
        let gate = Gate::new();
        let inside = gate.clone();
        let script = Script::new().function("f", move |running, _| {
            inside.pass();
            Ok(number(running.number))
        });
        let (rack, backend, f) = slot("one", script);
        let first = std::sync::atomic::AtomicBool::new(true);
        let asked = Gate::new();
        let asks = asked.clone();
        backend.on_let_go(move |wait| {
            let panics = first.swap(false, std::sync::atomic::Ordering::SeqCst);
            asks.arrive();
            assert!(!(panics && before), "it is before the wait");
            wait();
            assert!(!panics, "it is behind the wait");
        });
        std::thread::scope(|scope| {
            let holds = scope.spawn(|| f.call(Call::new(&[])));
            gate.arrived(1);
            let panics = scope.spawn(|| {
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f.call(Call::new(&[])).is_err()))
            });
            asked.arrived(1);
            if before {
                assert!(panics.join().unwrap().unwrap_or(true));
                let waits = scope.spawn(|| f.call(Call::new(&[])));
                asked.arrived(2);
                gate.open();
                assert_eq!(waits.join().unwrap().unwrap(), number(1));
            } else {
                gate.open();
                assert!(panics.join().unwrap().unwrap_or(true));
            }
            assert_eq!(holds.join().unwrap().unwrap(), number(1));
        });
        assert_eq!(f.call(Call::new(&[])).unwrap(), number(1));
        assert!(rack.stop().is_empty());
    }
}

#[test]
fn an_instance_of_a_call_that_panicked_is_stopped() {
    let script = Script::new().function("f", |running, _| match running.number {
        1 => panic!("it is the first"),
        number => Ok(self::number(number)),
    });
    let (rack, backend, f) = slot("per-call", script);
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f.call(Call::new(&[])).is_err()));
    assert!(panics.unwrap_or(true));
    assert_eq!(f.call(Call::new(&[])).unwrap(), number(2));
    assert_eq!((backend.count("start python:a"), backend.count("stop a")), (2, 2));
    drop(rack);
}

#[test]
fn an_instance_that_is_started_when_calls_were_ended_already_is_told_too() {
    let check = |instances: &str, told: usize| {
        let (started, open, held) = (Gate::new(), Gate::new(), Gate::new());
        let (starting, opens, holds) = (started.clone(), open.clone(), held.clone());
        let ended = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let (ends, lets_go) = (ended.clone(), open.clone());
        let script = Script::new()
            .function("f", move |running, _| {
                if running.number == 1 {
                    holds.arrive();
                    opens.pass();
                }
                Ok(Value::Null)
            })
            .on_start(move |running| {
                if running.number == 2 {
                    starting.pass();
                }
                Ok(())
            })
            .on_end_calls(move || {
                ends.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                lets_go.open();
            });
        let (rack, _backend, f) = slot(instances, script);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| f.call(Call::new(&[])));
            held.arrived(1);
            let second = scope.spawn(|| f.call(Call::new(&[])));
            started.arrived(1);
            assert!(rack.slot("a").unwrap().pin().unwrap().instance().end_calls());
            assert_eq!(ended.load(std::sync::atomic::Ordering::SeqCst), 1, "{instances}");
            started.open();
            first.join().unwrap().unwrap();
            second.join().unwrap().unwrap();
        });
        // One that nobody started before, through a table of before.
        f.call(Call::new(&[])).unwrap();
        assert_eq!(ended.load(std::sync::atomic::Ordering::SeqCst), told, "{instances}");
    };
    check("pool(2)", 2);
    check("per-call", 3);
}
