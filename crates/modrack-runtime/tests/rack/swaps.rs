//! Swaps: every step and the way back from it, what callers see meanwhile, state, trials, and who is stopped when.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use modrack_core::plan::RackPlan;
use modrack_core::{Call, Code, Error, SlotName, Value};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend};
use modrack_runtime::{Asked, Before, Event, Rack, Step, Swap, SwapFailed, Swapped};

use crate::{rack, text};

/// A script whose `f` gives `answer`.
pub(super) fn answers(answer: i64) -> Script {
    Script::new().function("f", move |_, _| Ok(Value::Int(answer)))
}

/// A rack with a slot `a` that has these keys, filled by a script that answers 1 and has answered.
pub(super) fn slot(keys: &str, script: Script) -> (Rack, Arc<ScriptedBackend>) {
    let (rack, backend) = rack(&format!("slots: {{ a: {{ use: 'python:a'{keys} }} }}\n"));
    backend.module("a", script);
    f(&rack, "a").unwrap();
    (rack, backend)
}

pub(super) fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).unwrap()
}

/// Calls `f` of a slot.
pub(super) fn f(rack: &Rack, slot: &str) -> Result<Value, Error> {
    rack.slot(slot).unwrap().function(Some("f")).unwrap().call(Call::new(&[]))
}

pub(super) fn reload(rack: &Rack) -> Result<Swapped, SwapFailed> {
    rack.swap(&Swap::reload(name("a")))
}

pub(super) fn back(rack: &Rack) -> Result<Swapped, SwapFailed> {
    rack.rollback(&name("a"), Asked::default())
}

/// Waits until something is told that `is` holds of.
pub(super) fn until(told: &mpsc::Receiver<Event>, is: impl Fn(&Event) -> bool) -> Event {
    std::iter::repeat_with(|| told.recv().unwrap()).find(|event| is(event)).unwrap()
}

/// Waits until generation `number` was stopped.
pub(super) fn retired(told: &mpsc::Receiver<Event>, number: u64) {
    until(told, |event| matches!(event, Event::Retired { generation, .. } if generation.0 == number));
}

/// Which modules were started and stopped, in order.
pub(super) fn lives(backend: &ScriptedBackend) -> String {
    let lives: Vec<_> = backend
        .record()
        .into_iter()
        .filter(|entry| entry.starts_with("start") || entry.starts_with("stop"))
        .collect();
    lives.join(", ")
}

pub(super) fn failure(failed: &SwapFailed) -> String {
    let hint = failed.error.hint_text().unwrap_or_default();
    format!(
        "{} of {}: {} {}\n  hint: {hint}\n",
        failed.step,
        failed.slot,
        failed.error.code(),
        failed.error.message()
    )
}

/// What the rack tells from now on.
pub(super) fn events(rack: &Rack) -> mpsc::Receiver<Event> {
    let (send, receive) = mpsc::channel();
    let send = Mutex::new(send);
    rack.observe(move |event| drop(send.lock().unwrap().send(event.clone())));
    receive
}

#[test]
fn what_is_swapped_in_serves_and_the_old_is_kept_for_its_trial() {
    let (rack, backend) = slot("", answers(1));
    let told = events(&rack);
    backend.module("a", answers(2));
    let swapped = reload(&rack).unwrap();
    assert_eq!(swapped.before, Before::Parked);
    assert_eq!(swapped.slots[0].generation.to_string(), "2");
    assert_eq!(swapped.slots[0].replaced.unwrap().to_string(), "1");
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(2));
    expect!["start python:a, start python:a"].assert_eq(&lives(&backend));
    assert_eq!(rack.kept().len(), 1);
    rack.advance(Duration::from_secs(31));
    assert!(matches!(told.recv().unwrap(), Event::Swapped { .. }));
    assert!(matches!(told.recv().unwrap(), Event::Settled { slots } if slots[0].generation.0 == 2));
    retired(&told, 1);
    assert!(rack.kept().is_empty());
    expect!["start python:a, start python:a, stop a"].assert_eq(&lives(&backend));
    assert_eq!(back(&rack).unwrap_err().error.code(), Code::NothingBefore);
}

#[test]
fn a_rollback_goes_back_to_what_was_parked() {
    let (rack, backend) = slot("", answers(1));
    let told = events(&rack);
    backend.module("a", answers(2));
    reload(&rack).unwrap();
    let went = back(&rack).unwrap();
    assert_eq!((went.slots[0].generation.0, went.before), (1, Before::Draining));
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(1));
    retired(&told, 2);
    // Nothing was started for it, and the second was stopped.
    expect!["start python:a, start python:a, stop a"].assert_eq(&lives(&backend));
    assert_eq!(back(&rack).unwrap_err().error.code(), Code::NothingBefore);
}

#[test]
fn a_failure_at_any_step_before_the_switch_leaves_the_old_one_serving() {
    let steps = [Step::Fetch, Step::Match, Step::Start, Step::Carry, Step::Probe, Step::Switch];
    for keys in ["", ", swap: { state: exclusive }", ", swap: { overlap: false }"] {
        for step in steps {
            let (rack, backend) = slot(keys, answers(1).state("s").imports(|_, _| Ok(())));
            backend.module("a", answers(2).state("s").imports(|_, _| Ok(())));
            rack.fail_at(step, Error::new(Code::Internal, "Injected"));
            let failed = reload(&rack).unwrap_err();
            assert_eq!((failed.step, failed.error.message()), (step, "Injected"), "{keys}");
            // With `overlap: false` the old one was stopped, and what starts again is read from where it was.
            let answer = f(&rack, "a").unwrap();
            let restarted = keys.contains("overlap") && step >= Step::Start;
            assert!(answer == Value::Int(1) || restarted, "{keys} {step}: {answer}");
            rack.stop();
            let record = backend.record();
            let count = |what: &str| record.iter().filter(|entry| entry.starts_with(what)).count();
            assert_eq!(count("start"), count("stop"), "{keys} {step}: {record:?}");
        }
    }
}

#[test]
fn what_does_not_answer_its_probe_is_not_loaded_either() {
    let (rack, backend) =
        rack("slots: { a: { use: 'python:a', swap: { probe: { call: [f], expect: 1 } } } }\n");
    backend.module("a", answers(2));
    let call = || rack.slot("a").unwrap().service().call(Some("f"), Call::new(&[]));
    for _ in 0..2 {
        let failed = call().unwrap_err();
        assert_eq!(failed.code(), Code::ProbeFailed);
        assert_eq!(failed.hint_text(), Some("Mend the module, or what `swap.probe` expects of it"));
    }
    backend.module("a", answers(1));
    assert_eq!(call().unwrap(), Value::Int(1));
    assert_eq!(lives(&backend), "start python:a, stop a, start python:a, stop a, start python:a");
}

#[test]
fn a_module_that_does_not_fit_is_not_swapped_in() {
    let check = |keys: &str, new: Script, expected: Expect| {
        let (rack, backend) = slot(keys, answers(1).state("kept").imports(|_, _| Ok(())));
        backend.module("a", new);
        expected.assert_eq(&failure(&reload(&rack).unwrap_err()));
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(1));
    };
    check(
        "",
        Script::new().function("g", |_, _| Ok(Value::Null)),
        expect![[r#"
            match of a: M0410 `f` is in use, and the new module does not have it
              hint: Keep the function, or let it go with `--force`
        "#]],
    );
    check(
        "",
        Script::new().function("g", |_, _| Ok(Value::Null)).unlisted(),
        expect![[r#"
            start of a: M0410 `f` is in use, and the new module does not have it
              hint: Keep the function, or let it go with `--force`
        "#]],
    );
    check(
        "",
        answers(2).on_describe(|| Err(Error::new(Code::PythonSyntax, "It is no Python").hint("Mend it"))),
        expect![[r#"
            match of a: M0302 It is no Python
              hint: Mend it
        "#]],
    );
    check(
        "",
        answers(2).on_start(|_| Err(Error::new(Code::ConstructFailed, "It does not start").hint("Mend it"))),
        expect![[r#"
            start of a: M0403 It does not start
              hint: Mend it
        "#]],
    );
    check(
        "",
        answers(2),
        expect![[r#"
            carry of a: M0412 The old module has state, and the new one has no `import_state`
              hint: Give it `import_state(state, from_version)`, or let the state go with `--force`
        "#]],
    );
    check(
        ", swap: { state-size: 3 B }",
        answers(2).imports(|_, _| Ok(())),
        expect![[r#"
            carry of a: M0411 The state has 4 bytes, and 3 may be carried over
              hint: Raise `swap.state-size` of the slot, or keep large state outside of the module
        "#]],
    );
    check(
        ", swap: { probe: { call: [f], expect: 1 } }",
        answers(2).imports(|_, _| Ok(())),
        expect![[r#"
            probe of a: M0409 The probe of `f` gave 2, and 1 is expected
              hint: What served before serves still; mend the module, or what `swap.probe` expects of it
        "#]],
    );
}

#[test]
fn nothing_is_asked_of_what_is_started_again() {
    let is_down = Arc::new(AtomicBool::new(false));
    let script = || {
        let is_down = is_down.clone();
        Script::new().function("f", move |_, _| match is_down.load(Ordering::Relaxed) {
            true => Err(Error::new(Code::Internal, "What it needs is not there")),
            false => Ok(Value::Int(1)),
        })
    };
    let (rack, backend) = slot(", swap: { overlap: false, probe: { call: [f] } }", script());
    backend.module("a", script());
    is_down.store(true, Ordering::Relaxed);
    assert_eq!(reload(&rack).unwrap_err().step, Step::Probe);
    assert!(rack.slot("a").unwrap().serving().is_some());
    is_down.store(false, Ordering::Relaxed);
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(1));
}

#[test]
fn the_main_function_may_come_under_another_name() {
    let (rack, backend) = rack("slots: { a: 'python:a' }\n");
    backend.module("a", answers(1));
    let main = rack.slot("a").unwrap().function(None).unwrap();
    assert_eq!(main.call(Call::new(&[])).unwrap(), Value::Int(1));
    backend.module("a", Script::new().function("g", |_, _| Ok(Value::Int(2))));
    reload(&rack).unwrap();
    assert_eq!(main.call(Call::new(&[])).unwrap(), Value::Int(2));
    let both = Script::new().function("h", |_, _| Ok(Value::Null)).function("i", |_, _| Ok(Value::Null));
    backend.module("a", both);
    expect![[r#"
        start of a: M0410 The main function is in use, and the new module has none
          hint: Keep one main function, name it by `function:` of the slot, or let it go with `--force`
    "#]]
    .assert_eq(&failure(&reload(&rack).unwrap_err()));
    assert_eq!(main.call(Call::new(&[])).unwrap(), Value::Int(2));
}

#[test]
fn what_is_let_go_by_force_goes() {
    let (rack, backend) = slot("", answers(1).state("kept"));
    backend.module("a", Script::new().function("g", |_, _| Ok(text("g"))));
    let swapped = rack.swap(&Swap::reload(name("a")).force(true)).unwrap();
    assert!(!swapped.slots[0].carried);
    let error = rack.slot("a").unwrap().function(Some("f")).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::UnknownFunction);
}

/// A counter that carries its count.
pub(super) fn counter(from: i64) -> Script {
    let count = Arc::new(AtomicI64::new(from));
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

#[test]
fn state_goes_over_and_back() {
    for keys in ["", ", swap: { state: exclusive }", ", swap: { overlap: false }"] {
        let (rack, backend) = slot(keys, counter(0));
        backend.module("a", counter(100));
        assert!(reload(&rack).unwrap().slots[0].carried, "{keys}");
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(2), "{keys}");
        if !keys.contains("overlap") {
            back(&rack).unwrap();
            assert_eq!(f(&rack, "a").unwrap(), Value::Int(3));
        }
    }
}

#[test]
fn a_migrator_turns_the_old_state_into_the_new_ones() {
    let (rack, backend) =
        rack("slots: { a: { use: 'python:a', swap: { migrate: m } }, m: { use: 'python:m' } }\n");
    backend.module("a", answers(1).state("old").describe(|about| about.version = "1.0.0".parse().ok()));
    let twice = |_: &_, call: Call<'_>| {
        let args = call.args.positional;
        Ok(Value::from(format!("{} from {} to {}", args[0], args[1], args[2]).as_str()))
    };
    backend.module("m", Script::new().function("m", twice));
    f(&rack, "a").unwrap();
    let seen = Arc::new(Mutex::new(None));
    let into = seen.clone();
    let new = answers(2).describe(|about| about.version = "2.0.0".parse().ok()).imports(move |_, state| {
        *into.lock().unwrap() = Some(state.clone());
        Ok(())
    });
    backend.module("a", new);
    reload(&rack).unwrap();
    let state = seen.lock().unwrap().clone().unwrap();
    assert_eq!(state.value, text(r#""old" from "1.0.0" to "2.0.0""#));
}

#[test]
fn no_call_is_lost_and_none_counted_twice_when_state_is_exclusive() {
    let (rack, backend) = slot(", swap: { state: exclusive }", counter(0));
    let done = AtomicBool::new(false);
    let calls = AtomicU64::new(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let bound = rack.slot("a").unwrap().function(Some("f")).unwrap();
                while !done.load(Ordering::Relaxed) {
                    bound.call(Call::new(&[])).unwrap();
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..50 {
            backend.module("a", counter(1_000_000));
            reload(&rack).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let last = f(&rack, "a").unwrap();
    assert_eq!(last, Value::Int(i64::try_from(calls.load(Ordering::Relaxed)).unwrap() + 1));
}

#[test]
fn slots_that_are_swapped_together_are_never_seen_apart() {
    let (rack, backend) =
        rack("slots: { a: { use: 'python:a', needs: { b: b } }, b: { use: 'python:b' } }\n");
    let set = |version: i64| {
        let a = Script::new().function("f", move |running, call| {
            let b = running.service("b").call(Some("f"), call)?;
            Ok(Value::List(vec![Value::Int(version), b]))
        });
        backend.module("a", a);
        backend.module("b", answers(version));
    };
    set(0);
    f(&rack, "a").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let bound = rack.slot("a").unwrap().function(Some("f")).unwrap();
                while !done.load(Ordering::Relaxed) {
                    let seen = bound.call(Call::new(&[])).unwrap();
                    assert!(matches!(&seen, Value::List(both) if both[0] == both[1]), "{seen}");
                }
            });
        }
        for version in 1..100 {
            set(version);
            // Every third is a swap in which one of the two is broken: neither comes in.
            if version % 3 == 0 {
                backend
                    .module("b", answers(version).on_start(|_| Err(Error::new(Code::ConstructFailed, "No"))));
            }
            let both = Swap::reload(name("a")).and(Swap::reload(name("b")));
            assert_eq!(rack.swap(&both).is_ok(), version % 3 != 0);
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_new_module_sees_the_others_that_come_with_it_while_it_starts() {
    let (rack, backend) =
        rack("slots: { a: { use: 'python:a', needs: { b: b } }, b: { use: 'python:b' } }\n");
    let set = |version: i64| {
        backend.module("b", answers(version));
        let a = answers(version).on_start(move |running| {
            assert_eq!(running.service("b").call(Some("f"), Call::new(&[])).unwrap(), Value::Int(version));
            Ok(())
        });
        backend.module("a", a);
    };
    set(1);
    f(&rack, "a").unwrap();
    set(2);
    rack.swap(&Swap::reload(name("a")).and(Swap::reload(name("b")))).unwrap();
    assert_eq!(backend.count("start python:b"), 2);
}

#[test]
fn calls_end_on_what_they_began_on_and_that_is_stopped_only_then() {
    let gate = Gate::new();
    let inside = gate.clone();
    let old = Script::new().function("f", move |_, call| {
        if !call.args.positional.is_empty() {
            inside.pass();
        }
        Ok(Value::Int(1))
    });
    let (rack, backend) = slot(", swap: { trial: { for: 0s }, drain: 5s }", old);
    let told = events(&rack);
    std::thread::scope(|scope| {
        let bound = rack.slot("a").unwrap().function(Some("f")).unwrap();
        let call = scope.spawn(move || bound.call(Call::new(&[Value::Null])));
        gate.arrived(1);
        backend.module("a", answers(2));
        let swap = scope.spawn(|| reload(&rack));
        until(&told, |event| matches!(event, Event::Swapped { .. }));
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(2));
        until(&told, |event| matches!(event, Event::Draining { .. }));
        rack.advance(Duration::from_secs(6));
        assert_eq!(swap.join().unwrap().unwrap().before, Before::Lingering);
        until(&told, |event| matches!(event, Event::Lingering { generation, .. } if generation.0 == 1));
        assert_eq!(rack.kept()[0].state, Before::Lingering);
        assert_eq!(backend.count("stop a"), 0);
        gate.open();
        assert_eq!(call.join().unwrap().unwrap(), Value::Int(1));
        retired(&told, 1);
        assert_eq!(backend.count("stop a"), 1);
    });
}

#[test]
fn what_cannot_run_twice_is_stopped_first_and_started_again_on_failure() {
    let keys = ", swap: { overlap: false }";
    let (rack, backend) = slot(keys, answers(1));
    backend.module("a", answers(2));
    assert_eq!(reload(&rack).unwrap().before, Before::Stopped);
    expect!["start python:a, stop a, start python:a"].assert_eq(&lives(&backend));

    let owned = Arc::new(AtomicBool::new(false));
    let port = |owned: &Arc<AtomicBool>, answer: i64, good: bool| {
        let (take, give) = (owned.clone(), owned.clone());
        answers(answer)
            .on_start(move |_| {
                assert!(!take.load(Ordering::SeqCst), "it runs twice");
                if !good {
                    return Err(Error::new(Code::ConstructFailed, "No such port"));
                }
                take.store(true, Ordering::SeqCst);
                Ok(())
            })
            .on_stop(move || {
                give.store(false, Ordering::SeqCst);
                Ok(())
            })
    };
    let (rack, backend) = slot(keys, port(&owned, 1, true));
    let bad = AtomicBool::new(false);
    // The first start after this fails, and the next does not: that is the old one's.
    let (take, give) = (owned.clone(), owned.clone());
    let script = answers(2)
        .on_start(move |_| {
            if !bad.swap(true, Ordering::SeqCst) {
                return Err(Error::new(Code::ConstructFailed, "No such port"));
            }
            assert!(!take.swap(true, Ordering::SeqCst));
            Ok(())
        })
        .on_stop(move || {
            give.store(false, Ordering::SeqCst);
            Ok(())
        });
    backend.module("a", script);
    assert_eq!(reload(&rack).unwrap_err().step, Step::Start);
    assert!(f(&rack, "a").is_ok());
    assert!(owned.load(Ordering::SeqCst));
}

#[test]
fn a_swap_from_within_a_call_never_waits_for_itself() {
    for (keys, allowed) in
        [("", true), (", swap: { trial: { for: 0s } }", true), (", swap: { state: exclusive }", false)]
    {
        let (rack, backend) = rack(&format!("slots: {{ a: {{ use: 'python:a'{keys} }} }}\n"));
        let inner = rack.clone();
        let old = Script::new().function("f", move |_, call| {
            if call.args.positional.is_empty() {
                return Ok(Value::Int(1));
            }
            let swapped = reload(&inner).map(|swapped| format!("{:?}", swapped.before));
            Ok(Value::from(swapped.unwrap_or_else(|failed| failed.error.code().to_string()).as_str()))
        });
        backend.module("a", old);
        f(&rack, "a").unwrap();
        backend.module("a", answers(2));
        let bound = rack.slot("a").unwrap().function(Some("f")).unwrap();
        let given = bound.call(Call::new(&[Value::Null])).unwrap();
        assert_eq!(given.as_text() != Some("M0415"), allowed, "{keys}: {given}");
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(if allowed { 2 } else { 1 }), "{keys}");
        rack.stop();
    }
}

#[test]
fn a_swap_within_a_swap_of_the_slot_is_refused() {
    let (rack, backend) = slot("", answers(1));
    let inner = rack.clone();
    let seen = Arc::new(Mutex::new(None));
    let into = seen.clone();
    let new = answers(2).on_start(move |_| {
        *into.lock().unwrap() = reload(&inner).err().map(|failed| failed.error.code());
        Ok(())
    });
    backend.module("a", new);
    reload(&rack).unwrap();
    assert_eq!(*seen.lock().unwrap(), Some(Code::SwapInside));
    backend.module("a", answers(3));
    rack.stop();
}

#[test]
fn swaps_of_one_slot_are_serial_and_of_two_parallel() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' }, b: { use: 'python:b' } }\n");
    backend.module("a", answers(1));
    backend.module("b", answers(1));
    f(&rack, "a").unwrap();
    f(&rack, "b").unwrap();
    let gate = Gate::new();
    let inside = gate.clone();
    let starting = Arc::new(AtomicU64::new(0));
    let slow = answers(2).on_start(move |_| {
        assert_eq!(starting.fetch_add(1, Ordering::SeqCst), 0, "two swaps of one slot at once");
        inside.pass();
        starting.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    });
    backend.module("a", slow);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| reload(&rack).unwrap());
        gate.arrived(1);
        let second = scope.spawn(|| reload(&rack).unwrap());
        backend.module("b", answers(2));
        rack.swap(&Swap::reload(name("b"))).unwrap();
        assert_eq!(f(&rack, "b").unwrap(), Value::Int(2));
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(1));
        gate.open();
        let (first, second) = (first.join().unwrap(), second.join().unwrap());
        assert_eq!(first.slots[0].replaced.map(|id| id.0), Some(1));
        assert_eq!(second.slots[0].replaced, Some(first.slots[0].generation));
    });
}

#[test]
fn a_module_that_fails_more_than_it_may_is_taken_back() {
    let keys = ", swap: { trial: { for: 1h, min-calls: 20, errors: 5% } }";
    let (rack, backend) = slot(keys, answers(1));
    let told = events(&rack);
    let count = AtomicU64::new(0);
    let flaky = Script::new().function("f", move |_, _| {
        if count.fetch_add(1, Ordering::SeqCst) % 5 == 4 {
            return Err(Error::new(Code::Raised, "Now and then"));
        }
        Ok(Value::Int(2))
    });
    backend.module("a", flaky);
    reload(&rack).unwrap();
    assert!(matches!(told.recv().unwrap(), Event::Swapped { .. }));
    for _ in 0..20 {
        let _ = f(&rack, "a");
    }
    let Event::RolledBack { slots, why, .. } = told.recv().unwrap() else { panic!("not rolled back") };
    assert_eq!(slots[0].generation.0, 1);
    expect!["20.0% of its calls failed, 0.0% before"].assert_eq(why.unwrap().message());
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(1));
}

#[test]
fn a_module_that_is_slower_than_it_may_be_is_taken_back() {
    let keys = ", swap: { trial: { for: 1h, min-calls: 20, slower: 2x } }";
    let (rack, backend) = slot(keys, answers(1));
    let told = events(&rack);
    for _ in 0..20 {
        f(&rack, "a").unwrap();
    }
    let slow = Script::new().function("f", |_, _| {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        Ok(Value::Int(2))
    });
    backend.module("a", slow);
    reload(&rack).unwrap();
    for _ in 0..20 {
        f(&rack, "a").unwrap();
    }
    let Event::RolledBack { why, .. } = until(&told, |event| matches!(event, Event::RolledBack { .. }))
    else {
        panic!("not rolled back")
    };
    assert_eq!(why.unwrap().code(), Code::TrialFailed);
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(1));
}

#[test]
fn a_trial_that_failed_goes_back_without_state_where_some_may_be_lost() {
    for (way, goes_back) in [("copy", true), ("exclusive", false)] {
        let keys = format!(", swap: {{ state: {way}, trial: {{ for: 1h, min-calls: 16, errors: 5% }} }}");
        let (rack, backend) = slot(&keys, counter(0));
        let told = events(&rack);
        // It fails, and does not give its state out.
        let bad = Script::new()
            .function("f", |_, _| Err(Error::new(Code::Raised, "Never")))
            .exports(|_| Err(Error::new(Code::Raised, "Lost")))
            .imports(|_, _| Ok(()));
        backend.module("a", bad);
        reload(&rack).unwrap();
        // The rack may have gone back before the last of them: what served before counts those.
        let counted = (0..16).filter(|_| f(&rack, "a").is_ok()).count();
        let went = until(&told, |event| matches!(event, Event::RolledBack { .. } | Event::SwapFailed { .. }));
        if goes_back {
            let Event::RolledBack { slots, why, asked } = went else { panic!("{way}: {went:?}") };
            assert!(!slots[0].carried);
            assert_eq!(why.unwrap().causes()[0].message, "Lost");
            let wanted = "100.0% of its calls failed, 0.0% before; the state of `a` was left behind: Lost";
            assert_eq!((&*asked.who, &*asked.why), ("modrack", wanted));
            let next = 2 + i64::try_from(counted).unwrap();
            assert_eq!(f(&rack, "a").unwrap(), Value::Int(next), "with the state that it had");
        } else {
            let Event::SwapFailed { step: Step::Carry, why, asked, .. } = went else {
                panic!("{way}: {went:?}")
            };
            let shown = format!("{} {}\n{}", why.code(), why.message(), why.hint_text().unwrap());
            expect![[r#"
                M0504 Lost
                `modrack rollback --force` leaves the state behind; `swap.migrate` names what converts it both ways"#]]
            .assert_eq(&shown);
            assert_eq!((&*asked.who, &*asked.why), ("modrack", "100.0% of its calls failed, 0.0% before"));
            assert!(f(&rack, "a").is_err());
            // It is kept until somebody decides, and what failed is never said to have stood its trial.
            rack.advance(Duration::from_secs(2 * 60 * 60));
            assert_eq!(back(&rack).unwrap_err().step, Step::Carry);
            assert_eq!(rack.kept()[0].state, Before::Parked);
            let went = rack.rollback_without_state(&name("a"), Asked::default()).unwrap();
            assert!(!went.slots[0].carried);
            assert_eq!(f(&rack, "a").unwrap(), Value::Int(2), "with the state that it had");
            retired(&told, 2);
            assert!(told.try_iter().all(|event| !matches!(event, Event::Settled { .. })));
        }
    }
}

#[test]
fn a_trial_of_what_was_swapped_again_meanwhile_takes_nothing_back() {
    let keys = ", swap: { trial: { for: 1h, min-calls: 4, errors: 5% } }";
    let (rack, backend) = slot(keys, answers(1));
    let told = events(&rack);
    backend.module("a", Script::new().function("f", |_, _| Err(Error::new(Code::Raised, "Never"))));
    reload(&rack).unwrap();
    for _ in 0..3 {
        f(&rack, "a").unwrap_err();
    }
    backend.module("a", answers(3));
    reload(&rack).unwrap();
    for _ in 0..32 {
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(3));
    }
    rack.advance(Duration::from_secs(2 * 60 * 60));
    let settled = until(&told, |event| matches!(event, Event::Settled { .. } | Event::RolledBack { .. }));
    assert!(matches!(&settled, Event::Settled { slots } if slots[0].generation.0 == 3), "{settled:?}");
}

#[test]
fn what_is_unloaded_is_stopped_and_loaded_anew_when_it_is_called() {
    let (rack, backend) = slot("", answers(1));
    assert_eq!(rack.unload(&name("a"), Asked::default()).unwrap(), Before::Stopped);
    assert_eq!(rack.unload(&name("a"), Asked::default()).unwrap(), Before::Nothing);
    expect!["start python:a, stop a"].assert_eq(&lives(&backend));
    backend.module("a", answers(2));
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(2));
}

#[test]
fn a_rack_that_is_stopped_during_a_swap_leaves_nothing_running() {
    for keys in ["", ", swap: { state: exclusive }", ", swap: { overlap: false }"] {
        let (rack, backend) = slot(keys, answers(1));
        let gate = Gate::new();
        let inside = gate.clone();
        backend.module(
            "a",
            answers(2).on_start(move |_| {
                inside.pass();
                Ok(())
            }),
        );
        std::thread::scope(|scope| {
            let swap = scope.spawn(|| reload(&rack));
            gate.arrived(1);
            rack.stop();
            gate.open();
            assert_eq!(swap.join().unwrap().unwrap_err().error.code(), Code::RackStopped, "{keys}");
        });
        assert_eq!(f_error(&rack), Code::RackStopped, "{keys}");
        let record = backend.record();
        let count = |what: &str| record.iter().filter(|entry| entry.starts_with(what)).count();
        assert_eq!(count("start"), count("stop"), "{keys}: {record:?}");
    }
}

fn f_error(rack: &Rack) -> Code {
    let bound = rack.slot("a").unwrap().function(Some("f"));
    bound.and_then(|bound| bound.call(Call::new(&[]))).unwrap_err().code()
}

#[test]
fn another_plan_for_a_slot_is_served_from_the_switch_on() {
    let (rack, backend) = slot("", answers(1));
    backend.module("other", answers(7));
    let text = modrack_core::plan::RackText {
        file: "rack.yaml".into(),
        root: "/nowhere".into(),
        format: modrack_core::plan::TextFormat::Yaml,
        bytes: b"rack: 1\nslots: { a: { use: 'python:other' } }\n".to_vec(),
    };
    let ask = modrack_core::plan::Ask { env: &|_| None, read: &|_| Err("no files".into()), given: &[] };
    let plan = RackPlan::parse(&text, &[], &ask).unwrap().slots.swap_remove(&name("a")).unwrap();
    let before = rack.slot("a").unwrap();
    let swapped = rack.swap(&Swap::to(plan)).unwrap();
    assert_eq!(swapped.slots[0].module, "other");
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(7));
    // A handle that was had before finds what the slot is meant to be now.
    assert_eq!(before.plan().use_text, "python:other");
    back(&rack).unwrap();
    assert_eq!(before.plan().use_text, "python:a");
}
