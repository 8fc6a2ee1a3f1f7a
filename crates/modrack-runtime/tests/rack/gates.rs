//! Swaps that hold calls back, or have callers wait: who waits for what, and that nobody waits in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use expect_test::expect;
use modrack_core::{Backend, BackendName, Call, Code, Error, Value};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend};
use modrack_runtime::{Asked, Before, Event, HostModule, Rack, Step, Swap};

use crate::swaps::{answers, back, events, f, failure, lives, name, reload, slot, until};
use crate::{plan, rack};

#[test]
fn what_said_that_it_cannot_run_twice_does_not_run_beside_what_says_that_it_can() {
    for (before, after) in [("overlap: false", "overlap: true"), ("overlap: true", "overlap: false")] {
        let running = Arc::new(AtomicBool::new(false));
        let port = |answer: i64| {
            let (take, give) = (running.clone(), running.clone());
            answers(answer)
                .on_start(move |_| {
                    assert!(!take.swap(true, Ordering::SeqCst), "it runs twice");
                    Ok(())
                })
                .on_stop(move || {
                    give.store(false, Ordering::SeqCst);
                    Ok(())
                })
        };
        let (rack, backend) = slot(&format!(", swap: {{ {before} }}"), port(1));
        backend.module("b", port(2));
        let after = plan(&format!("slots: {{ a: {{ use: 'python:b', swap: {{ {after} }} }} }}\n"));
        let swapped = rack.swap(&Swap::to(after.slots[&name("a")].clone())).unwrap();
        assert_eq!(swapped.before, Before::Stopped);
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(2));
    }
}

#[test]
fn an_object_of_the_program_is_neither_unloaded_nor_read_anew() {
    let (rack, _) = rack("slots: {}\n");
    let object = HostModule::new("clock").function("f", None, |_| Ok(Value::Int(7)));
    let description = object.description();
    rack.register(name("clock"), Arc::new(object), description).unwrap();
    let unloaded = rack.unload(&name("clock"), Asked::default()).unwrap_err();
    expect![[r#"
        fetch of clock: M0110 `clock` is an object of the program, which nothing can load again
          hint: It stays as long as the rack; the program can change what the object does
    "#]]
    .assert_eq(&failure(&unloaded));
    let swapped = rack.swap(&Swap::reload(name("clock"))).unwrap_err();
    assert_eq!(failure(&swapped), failure(&unloaded));
    assert_eq!(f(&rack, "clock").unwrap(), Value::Int(7));
}

#[test]
fn what_panics_while_calls_are_held_back_leaves_nobody_waiting() {
    for (keys, unloads) in [("state: exclusive", false), ("overlap: false", false), ("overlap: false", true)]
    {
        let gate = Gate::new();
        let inside = gate.clone();
        let script = answers(1).function("wait", move |_, _| {
            inside.pass();
            Ok(Value::Null)
        });
        let (rack, backend) = slot(&format!(", swap: {{ {keys} }}"), script);
        let wait = rack.slot("a").unwrap().function(Some("wait")).unwrap();
        let panics = AtomicBool::new(true);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| wait.call(Call::new(&[])));
            gate.arrived(1);
            // The drain is to wait for that call.
            backend.on_let_go(move |wait| {
                assert!(!panics.swap(false, Ordering::SeqCst), "Not now");
                wait();
            });
            let failed = match unloads {
                true => rack.unload(&name("a"), Asked::default()).map(drop),
                false => reload(&rack).map(drop),
            };
            let answer = f(&rack, "a");
            gate.open();
            waits.join().unwrap().unwrap();
            assert_eq!(answer.unwrap(), Value::Int(1), "{keys}");
            let failed = failed.unwrap_err();
            assert_eq!((failed.step, failed.error.code()), (Step::Drain, Code::Internal), "{keys}");
        });
        assert_eq!(lives(&backend).matches("stop").count(), lives(&backend).matches("start").count() - 1);
        // And the next one does what this one should have done.
        reload(&rack).unwrap();
    }
}

#[test]
fn lengths_that_no_clock_has_are_as_long_as_any() {
    let text = "slots: { a: { use: 'python:a', swap: { drain: 1s, trial: { for: 1s } } } }\n";
    let mut plan = plan(text);
    let swap = &mut plan.slots.get_mut(&name("a")).unwrap().swap;
    (swap.drain, swap.trial.length) = (Duration::MAX, Duration::MAX);
    let backend = ScriptedBackend::new(BackendName::Python);
    let rack = Rack::open(plan, vec![backend.clone() as Arc<dyn Backend>]).unwrap();
    backend.module("a", answers(1));
    f(&rack, "a").unwrap();
    for version in 2..5 {
        backend.module("a", answers(version));
        assert_eq!(reload(&rack).unwrap().before, Before::Parked);
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(version));
    }
    back(&rack).unwrap();
    assert_eq!(rack.unload(&name("a"), Asked::default()).unwrap(), Before::Stopped);
}

#[test]
fn calls_that_waited_for_the_new_module_are_not_calls_of_the_old_one() {
    let (inside, go_on) = (Gate::new(), Gate::new());
    let (arrive, pass) = (inside.clone(), go_on.clone());
    let (calls, end) = (Gate::new(), Gate::new());
    let (called, ends) = (calls.clone(), end.clone());
    let (rack, backend) =
        slot(", swap: { state: exclusive, drain: 0s, trial: { for: 0s } }", answers(1).state("s"));
    let new = Script::new()
        .function("f", move |_, _| {
            called.arrive();
            ends.pass();
            Ok(Value::Int(2))
        })
        .imports(move |_, _| {
            arrive.arrive();
            pass.pass();
            Ok(())
        });
    backend.module("a", new);
    let waiting = Gate::new();
    let waits = waiting.clone();
    backend.on_let_go(move |wait| {
        waits.arrive();
        wait();
    });
    let bound = rack.slot("a").unwrap().function(Some("f")).unwrap();
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| reload(&rack));
        inside.arrived(1);
        let call = scope.spawn(|| bound.call(Call::new(&[])));
        // It waits at the gate, and goes on with the new module for as long as it likes.
        waiting.arrived(1);
        go_on.open();
        calls.arrived(1);
        let swapped = swapping.join().unwrap();
        let stopped = backend.count("stop a");
        end.open();
        assert_eq!((swapped.unwrap().before, stopped), (Before::Stopped, 1));
        assert_eq!(call.join().unwrap().unwrap(), Value::Int(2));
    });
}

#[test]
fn who_waits_for_a_slot_that_is_filled_with_another_is_told_why_it_was_not() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' }, b: { use: 'python:b' } }\n");
    let (inside, go_on, waiting) = (Gate::new(), Gate::new(), Gate::new());
    let (arrive, pass, waits) = (inside.clone(), go_on.clone(), waiting.clone());
    backend.module("a", answers(1));
    backend.module(
        "b",
        answers(1).on_start(move |_| {
            arrive.arrive();
            pass.pass();
            Err(Error::new(Code::ConstructFailed, "It does not start").hint("Mend it"))
        }),
    );
    backend.on_let_go(move |wait| {
        waits.arrive();
        wait();
    });
    let told = events(&rack);
    let both = Swap::reload(name("a")).and(Swap::reload(name("b"))).filling();
    std::thread::scope(|scope| {
        let (rack, both) = (&rack, &both);
        let load = move |slot: &str| rack.slot(slot).unwrap().function(Some("f")).map(drop);
        let other = scope.spawn(move || load("b"));
        inside.arrived(1);
        let filling = scope.spawn(move || rack.swap(both));
        waiting.arrived(1);
        let call = scope.spawn(move || load("a"));
        waiting.arrived(2);
        go_on.open();
        assert_eq!(other.join().unwrap().unwrap_err().code(), Code::ConstructFailed);
        let failed = filling.join().unwrap().unwrap_err();
        assert_eq!(
            (failed.step, failed.slot, failed.error.code()),
            (Step::Start, name("b"), Code::ConstructFailed)
        );
        assert_eq!(call.join().unwrap().unwrap_err().code(), Code::ConstructFailed);
    });
    let failed = until(&told, |event| matches!(event, Event::SwapFailed { .. }));
    assert!(matches!(failed, Event::SwapFailed { slots, .. } if slots == [name("a"), name("b")]));
    // Who asks for it next loads it.
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(1));
}
