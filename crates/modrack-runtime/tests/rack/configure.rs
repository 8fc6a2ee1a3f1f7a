//! Configuring a rack anew while it is called: what of it changes, what stays, and that nothing changes when it fails.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, mpsc};

use expect_test::{Expect, expect};
use modrack_core::plan::SlotPlan;
use modrack_core::{Call, Code, Error, SlotName, Value};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend};
use modrack_runtime::{Asked, Before, ConfigureFailed, Configured, Event, HostModule, Rack, Step, Swap};

use crate::{plan, plan_in, rack, rack_in, shown};

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).unwrap()
}

/// A script whose `f` gives its parameter `n`, or 0.
fn echo() -> Script {
    Script::new().function("f", |running, _| Ok(running.params.get("n").cloned().unwrap_or(Value::Int(0))))
}

fn f(rack: &Rack, slot: &str) -> Result<Value, Error> {
    rack.slot(slot)?.function(Some("f"))?.call(Call::new(&[]))
}

fn generation(rack: &Rack, slot: &str) -> u64 {
    rack.slot(slot).unwrap().pin().unwrap().generation().0
}

fn configure(rack: &Rack, yaml: &str) -> Result<Configured, ConfigureFailed> {
    rack.configure(plan(yaml), &Swap::default())
}

fn names(slots: &[SlotName]) -> String {
    slots.iter().map(|slot| slot.to_string()).collect::<Vec<_>>().join(" ")
}

/// What a configuration changed: added; changed; removed; started.
fn difference(configured: &Configured) -> String {
    let started: Vec<_> = configured.swapped.slots.iter().map(|served| served.slot.clone()).collect();
    let parts = [&configured.added, &configured.changed, &configured.removed, &started];
    parts.map(|slots| names(slots)).join("; ")
}

/// A rack of this text whose modules `a`, `b`, `c` echo, all of its slots loaded.
fn echoes(yaml: &str) -> (Rack, Arc<ScriptedBackend>) {
    let (rack, backend) = rack(yaml);
    for module in ["a", "b", "c"] {
        backend.module(module, echo());
    }
    for slot in rack.slots() {
        slot.pin().unwrap();
    }
    (rack, backend)
}

fn starts(backend: &ScriptedBackend) -> usize {
    backend.record().iter().filter(|entry| entry.starts_with("start")).count()
}

#[test]
fn only_slots_that_mean_something_else_are_replaced() {
    let before = "slots:\n  a: { use: 'python:a', params: { n: 1 } }\n  b: { use: 'python:b' }\n";
    let cases: &[(&str, &str, Expect)] = &[
        ("the same", before, expect!["; ; ; "]),
        (
            "comments, order and layout",
            "# more\nslots:\n  b:\n    use: 'python:b'   # b\n  a: { params: { n: 1 }, use: 'python:a' }\n",
            expect!["; ; ; "],
        ),
        (
            "params",
            "slots:\n  a: { use: 'python:a', params: { n: 2 } }\n  b: { use: 'python:b' }\n",
            expect!["; a; ; a"],
        ),
        (
            "another module",
            "slots:\n  a: { use: 'python:a', params: { n: 1 } }\n  b: { use: 'python:c' }\n",
            expect!["; b; ; b"],
        ),
        (
            "another need",
            "slots:\n  a: { use: 'python:a', params: { n: 1 }, needs: { x: b } }\n  b: { use: 'python:b' }\n",
            expect!["; a; ; a"],
        ),
        (
            "how it is swapped",
            "slots:\n  a: { use: 'python:a', params: { n: 1 }, swap: { drain: 1s } }\n  b: { use: 'python:b' }\n",
            expect!["; a; ; a"],
        ),
        (
            "a limit of one that hides the default",
            "defaults: { limits: { time: 9s } }\nslots:\n  a: { use: 'python:a', params: { n: 1 } }\n  b: { use: 'python:b' }\n",
            expect!["; a b; ; a b"],
        ),
        (
            "one more and one less",
            "slots:\n  b: { use: 'python:b' }\n  c: { use: 'python:c' }\n",
            expect!["c; ; a; "],
        ),
        ("what no slot depends on", &format!("{before}errors: {{ default: skip }}\n"), expect!["; ; ; "]),
    ];
    for (what, after, expected) in cases {
        let (rack, backend) = echoes(before);
        let kept: Vec<_> = ["a", "b"].map(|slot| generation(&rack, slot)).into();
        let configured = configure(&rack, after).unwrap();
        expected.assert_eq(&difference(&configured));
        for (slot, before) in ["a", "b"].iter().zip(kept) {
            let is_started = configured.swapped.slots.iter().any(|served| served.slot.as_str() == *slot);
            let is_gone = names(&configured.removed).contains(slot);
            if !is_gone {
                assert_eq!(generation(&rack, slot) != before, is_started, "{what}: {slot}");
            }
        }
        assert_eq!(starts(&backend), 2 + configured.swapped.slots.len(), "{what}");
    }
}

#[test]
fn a_default_reaches_the_slots_that_do_not_say_otherwise() {
    let slots = "slots:\n  a: { use: 'python:a' }\n  b: { use: 'python:b', limits: { time: 3s } }\n";
    let (rack, _) = echoes(slots);
    f(&rack, "python:c").unwrap();
    let configured = configure(&rack, &format!("defaults: {{ limits: {{ time: 2s }} }}\n{slots}")).unwrap();
    // `use` texts have nothing else than the defaults.
    expect!["; a; ; a python:c"].assert_eq(&difference(&configured));
    assert_eq!(rack.slot("python:c").unwrap().pin().unwrap().time().unwrap().as_secs(), 2);
}

#[test]
fn what_is_not_loaded_only_gets_its_plan() {
    let (rack, backend) = rack("slots:\n  a: { use: 'python:a', params: { n: 1 } }\n");
    backend.module("a", echo());
    let more =
        "slots:\n  a: { use: 'python:a', params: { n: 2 } }\n  b: { use: 'python:a', params: { n: 3 } }\n";
    let configured = configure(&rack, more).unwrap();
    expect!["b; a; ; "].assert_eq(&difference(&configured));
    assert_eq!(configured.swapped.before, Before::Nothing);
    assert_eq!(starts(&backend), 0);
    assert_eq!((f(&rack, "a").unwrap(), f(&rack, "b").unwrap()), (Value::Int(2), Value::Int(3)));
}

#[test]
fn what_is_named_beside_is_started_along() {
    let (rack, backend) = rack("slots:\n  a: { use: 'python:a' }\n");
    backend.module("a", echo());
    backend.module("b", echo().on_start(|_| Err(Error::new(Code::ConstructFailed, "No").hint("Mend it"))));
    let more = plan("slots:\n  a: { use: 'python:a' }\n  b: { use: 'python:b' }\n");
    let failed = rack.configure(more.clone(), &Swap::reload(name("b"))).unwrap_err();
    assert_eq!(failed.error().code(), Code::ConstructFailed);
    assert_eq!(f(&rack, "b").unwrap_err().code(), Code::UnknownSlot);
    assert_eq!(rack.plan().slots.len(), 1);
    backend.module("b", echo());
    let configured = rack.configure(more, &Swap::reload(name("b"))).unwrap();
    expect!["b; ; ; b"].assert_eq(&difference(&configured));
    // What is gone with the plan cannot be named beside it, nor what nobody knows.
    for slot in ["b", "x"] {
        let failed = rack.configure(plan("slots:\n  a: { use: 'python:a' }\n"), &Swap::reload(name(slot)));
        assert_eq!(failed.unwrap_err().error().code(), Code::UnknownSlot);
    }
}

#[test]
fn a_slot_that_is_gone_is_found_by_nobody_and_comes_back() {
    let both = "slots:\n  clean: { use: 'python:a' }\n  price: { use: 'python:b' }\n";
    let (rack, backend) = echoes(both);
    let bound = rack.slot("price").unwrap().function(Some("f")).unwrap();
    let slot = rack.slot("price").unwrap();
    let (told, events) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    rack.observe(move |event| drop(told.lock().unwrap().send(event.clone())));
    let configured = configure(&rack, "slots:\n  clean: { use: 'python:a' }\n").unwrap();
    expect!["; ; price; "].assert_eq(&difference(&configured));
    assert_eq!(configured.swapped.before, Before::Stopped);
    assert!(matches!(events.recv().unwrap(), Event::Unloaded { slot, .. } if slot == name("price")));
    assert!(matches!(events.recv().unwrap(), Event::Retired { slot, .. } if slot == name("price")));
    assert_eq!(backend.count("stop price"), 1);
    let expected = expect![[r#"
        M0106
          There is no slot `price`
          hint: The rack has `clean`
    "#]];
    expected.assert_eq(&shown(&bound.call(Call::new(&[])).unwrap_err()));
    assert_eq!(slot.function(Some("f")).err().unwrap().code(), Code::UnknownSlot);
    assert_eq!(slot.describe().err().unwrap().code(), Code::UnknownSlot);
    assert_eq!(rack.slot("price").err().unwrap().code(), Code::UnknownSlot);
    assert_eq!(rack.swap(&Swap::reload(name("price"))).unwrap_err().error.code(), Code::UnknownSlot);
    assert_eq!(rack.unload(&name("price"), Asked::default()).unwrap_err().error.code(), Code::UnknownSlot);
    assert_eq!(rack.slots().len(), 1);
    assert!(!slot.is_loaded());
    // Nothing was forgotten about who holds it.
    expect!["price; ; ; "].assert_eq(&difference(&configure(&rack, both).unwrap()));
    assert_eq!(bound.call(Call::new(&[])).unwrap(), Value::Int(0));
    assert_eq!(
        rack.slots().iter().map(|slot| slot.name().to_string()).collect::<Vec<_>>(),
        ["clean", "price"]
    );
    // Another one under its name is another slot to nobody.
    configure(&rack, "slots:\n  clean: { use: 'python:a' }\n").unwrap();
    rack.declare(SlotPlan { name: name("price"), ..rack.slot("python:c").unwrap().plan().as_ref().clone() })
        .unwrap();
    assert_eq!(bound.call(Call::new(&[])).unwrap(), Value::Int(0));
}

#[test]
fn calls_of_a_slot_that_goes_end_on_what_they_began_on() {
    let (rack, backend) = rack("slots:\n  a: { use: 'python:a' }\n  b: { use: 'python:b' }\n");
    let gate = Gate::new();
    let inside = gate.clone();
    backend.module(
        "a",
        Script::new().function("f", |running, _| running.service("b").call(Some("f"), Call::new(&[]))),
    );
    backend.module(
        "b",
        Script::new().function("f", move |_, _| {
            inside.pass();
            Ok(Value::Int(1))
        }),
    );
    let needs = "slots:\n  a: { use: 'python:a', needs: { b: b } }\n  b: { use: 'python:b' }\n";
    configure(&rack, needs).unwrap();
    for slot in rack.slots() {
        slot.pin().unwrap();
    }
    std::thread::scope(|scope| {
        let call = scope.spawn(|| f(&rack, "a"));
        gate.arrived(1);
        let going = scope.spawn(|| configure(&rack, "slots:\n  c: { use: 'python:c' }\n"));
        // The switch does not wait for the call; the answer does.
        while rack.plan().slots.contains_key(&name("a")) {
            std::thread::yield_now();
        }
        assert_eq!(f(&rack, "b").unwrap_err().code(), Code::UnknownSlot);
        gate.open();
        assert_eq!(call.join().unwrap().unwrap(), Value::Int(1));
        assert_eq!(going.join().unwrap().unwrap().swapped.before, Before::Stopped);
    });
    assert_eq!((backend.count("stop a"), backend.count("stop b")), (1, 1));
}

#[test]
fn what_fails_at_any_step_changes_nothing() {
    let before = "slots:\n  a: { use: 'python:a', params: { n: 1 } }\n  b: { use: 'python:b' }\n  c: { use: 'python:c', lazy: true }\n";
    let after = "errors: { default: skip }\nslots:\n  a: { use: 'python:a', params: { n: 2 } }\n  c: { use: 'python:b', lazy: true }\n  d: { use: 'python:a' }\n";
    for step in [Step::Fetch, Step::Match, Step::Start, Step::Carry, Step::Probe, Step::Switch] {
        let (rack, backend) = rack(before);
        for module in ["a", "b", "c"] {
            backend.module(module, echo());
        }
        for slot in ["a", "b"] {
            f(&rack, slot).unwrap();
        }
        rack.fail_at(step, Error::new(Code::Internal, "Injected"));
        let failed = configure(&rack, after).unwrap_err();
        assert!(matches!(&failed, ConfigureFailed::Swap(failed) if failed.step == step), "{failed}");
        assert_eq!(
            (f(&rack, "a").unwrap(), generation(&rack, "a"), generation(&rack, "b")),
            (Value::Int(1), 1, 2)
        );
        assert_eq!(f(&rack, "d").unwrap_err().code(), Code::UnknownSlot);
        assert_eq!((rack.plan().slots.len(), rack.slots().len()), (3, 3));
        assert!(!rack.plan().errors.default_said);
        assert_eq!(rack.slot("c").unwrap().plan().use_text, "python:c");
        // The same again, with nothing in its way.
        expect!["d; a c; b; a"].assert_eq(&difference(&configure(&rack, after).unwrap()));
        rack.stop();
        let record = backend.record();
        let count = |what: &str| record.iter().filter(|entry| entry.starts_with(what)).count();
        assert_eq!(count("start"), count("stop"), "{step}: {record:?}");
    }
}

#[test]
fn what_holds_for_the_process_is_refused_before_anything_is_touched() {
    let (rack, backend) = echoes("slots:\n  a: { use: 'python:a' }\n");
    let all = "python: { venv: .venv, path: [lib] }\nstate: elsewhere\nnative: { kept: 1KiB }\nslots:\n  b: { use: 'python:b' }\n";
    let failed = configure(&rack, all).unwrap_err();
    assert_eq!(failed.error().code(), Code::NeedsRestart);
    let lines: String = failed.error().clone().into_each().iter().map(shown).collect();
    expect![[r#"
        M0419 phase=swap at=rack.yaml
          `python.venv` cannot change while the rack runs
          hint: Undo the change, or stop the rack and start it again; nothing was changed
        M0419 phase=swap at=rack.yaml
          `python.path` cannot change while the rack runs
          hint: Undo the change, or stop the rack and start it again; nothing was changed
        M0419 phase=swap at=rack.yaml
          `state` cannot change while the rack runs
          hint: Undo the change, or stop the rack and start it again; nothing was changed
        M0419 phase=swap at=rack.yaml
          `native.kept` cannot change while the rack runs
          hint: Undo the change, or stop the rack and start it again; nothing was changed
    "#]]
    .assert_eq(&lines);
    assert_eq!(names(&rack.plan().slots.keys().cloned().collect::<Vec<_>>()), "a");
    assert_eq!(starts(&backend), 1);
    let elsewhere = rack.configure(plan_in("/else".as_ref(), "slots: {}\n"), &Swap::default());
    assert_eq!(elsewhere.unwrap_err().error().code(), Code::NeedsRestart);
}

#[test]
fn what_was_swapped_in_stays_until_its_own_text_changes() {
    let before = "slots:\n  a: { use: 'python:a' }\n  b: { use: 'python:b' }\n";
    let (rack, _) = echoes(before);
    let other =
        SlotPlan { name: name("a"), ..plan("slots:\n  a: { use: 'python:c' }\n").slots[&name("a")].clone() };
    rack.swap(&Swap::to(other)).unwrap();
    let now = generation(&rack, "a");
    configure(&rack, "slots:\n  a: { use: 'python:a' }\n  b: { use: 'python:b', params: { n: 1 } }\n")
        .unwrap();
    assert_eq!(generation(&rack, "a"), now);
    // The text says what serves already.
    let said =
        configure(&rack, "slots:\n  a: { use: 'python:c' }\n  b: { use: 'python:b', params: { n: 1 } }\n");
    expect!["; a; ; "].assert_eq(&difference(&said.unwrap()));
    assert_eq!(generation(&rack, "a"), now);
    let changed =
        configure(&rack, "slots:\n  a: { use: 'python:b' }\n  b: { use: 'python:b', params: { n: 1 } }\n");
    expect!["; a; ; a"].assert_eq(&difference(&changed.unwrap()));
}

#[test]
fn a_trial_that_fails_takes_back_what_was_replaced_and_what_went_with_it() {
    let before = "slots:\n  a: { use: 'python:a', needs: { b: b } }\n  b: { use: 'python:b' }\n";
    let (rack, backend) = rack(before);
    backend.module(
        "a",
        Script::new().function("f", |running, _| running.service("b").call(Some("f"), Call::new(&[]))),
    );
    backend.module("b", echo());
    backend
        .module("c", Script::new().function("f", |_, _| Err(Error::new(Code::Raised, "No").hint("Mend it"))));
    for slot in ["a", "b"] {
        f(&rack, slot).unwrap();
    }
    let (told, back) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    rack.observe(move |event| {
        if let Event::RolledBack { slots, .. } = event {
            told.lock().unwrap().send(slots.len()).unwrap();
        }
    });
    let after = "slots:\n  a: { use: 'python:c', swap: { trial: { min-calls: 3, errors: 0% } } }\n  d: { use: 'python:b' }\n";
    let configured = configure(&rack, after).unwrap();
    assert_eq!(configured.swapped.before, Before::Parked);
    for _ in 0..3 {
        let _ = f(&rack, "a");
    }
    assert_eq!(back.recv().unwrap(), 2);
    // It needs what was removed, which is there again; what was added stays.
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(0));
    assert_eq!(f(&rack, "d").unwrap(), Value::Int(0));
    // And goes when the rack is configured anew, since no text declares it.
    let again = configure(&rack, "slots:\n  a: { use: 'python:b' }\n  d: { use: 'python:b' }\n").unwrap();
    expect!["; a; ; a"].assert_eq(&difference(&again));
    assert_eq!(f(&rack, "b").unwrap_err().code(), Code::UnknownSlot);
}

#[test]
fn catalog_and_contracts_hold_with_the_switch() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("one/m.py", "scripted\nname m\nfunction one");
    write("two/m.py", "scripted\nname m\nfunction two");
    write("shape.wit", "package mine:shape@1.0.0;\ninterface shape { run: func() -> s64; }\n");
    let text = |folder: &str, more: &str| {
        format!("catalog: [./{folder}]\n{more}slots:\n  a: {{ use: m }}\n  b: {{ use: ./one/m.py }}\n")
    };
    let (rack, _) = rack_in(folder.path(), &text("one", ""));
    let functions = |slot: &str| {
        let described = rack.slot(slot).unwrap().describe().unwrap();
        described.functions.iter().map(|f| f.name.clone()).collect::<Vec<_>>().join(" ")
    };
    for slot in ["a", "b"] {
        rack.slot(slot).unwrap().pin().unwrap();
    }
    assert_eq!(functions("a"), "one");
    let configured = rack.configure(plan_in(folder.path(), &text("two", "")), &Swap::default()).unwrap();
    // Its plan says the same, and it leads elsewhere.
    expect!["; a; ; a"].assert_eq(&difference(&configured));
    assert_eq!((functions("a"), functions("b")), ("two".to_owned(), "one".to_owned()));
    let own = plan_in(folder.path(), &text("two", "contracts: [./shape.wit]\n"));
    expect!["; ; ; "].assert_eq(&difference(&rack.configure(own.clone(), &Swap::default()).unwrap()));
    let wanted = modrack_core::contract::ContractRef::parse("shape@1").unwrap();
    assert!(rack.contracts().find(&wanted).is_ok());
    write("shape.wit", "package mine:shape@1.0.0;\nno wit\n");
    let failed = rack.configure(own, &Swap::default()).unwrap_err();
    assert_eq!(failed.error().code(), Code::BadContract);
    assert!(rack.contracts().find(&wanted).is_ok());
}

#[test]
fn a_configuration_during_a_swap_waits_for_the_slots_that_it_changes_alone() {
    let before = "slots:\n  a: { use: 'python:a' }\n  b: { use: 'python:b' }\n";
    let (rack, backend) = echoes(before);
    let gate = Gate::new();
    let inside = gate.clone();
    backend.module(
        "a",
        echo().on_start(move |_| {
            inside.pass();
            Ok(())
        }),
    );
    std::thread::scope(|scope| {
        let swap = scope.spawn(|| rack.swap(&Swap::reload(name("a"))));
        gate.arrived(1);
        // Another slot is nothing to wait for.
        let other = configure(
            &rack,
            "slots:\n  a: { use: 'python:a' }\n  b: { use: 'python:b', params: { n: 1 } }\n",
        );
        expect!["; b; ; b"].assert_eq(&difference(&other.unwrap()));
        let same = scope.spawn(|| {
            configure(&rack, "slots:\n  a: { use: 'python:c', params: { n: 7 } }\n  b: { use: 'python:b', params: { n: 1 } }\n")
        });
        gate.open();
        swap.join().unwrap().unwrap();
        expect!["; a; ; a"].assert_eq(&difference(&same.join().unwrap().unwrap()));
    });
    assert_eq!((f(&rack, "a").unwrap(), f(&rack, "b").unwrap()), (Value::Int(7), Value::Int(1)));
    assert_eq!(rack.plan().slots[&name("a")].use_text, "python:c");
}

#[test]
fn what_must_not_run_twice_does_not_when_its_configuration_changes() {
    let text = |n: i64| {
        format!("slots:\n  a: {{ use: 'python:a', params: {{ n: {n} }}, swap: {{ overlap: false }} }}\n")
    };
    let (rack, backend) = rack(&text(1));
    let running = Arc::new(AtomicBool::new(false));
    let (starting, stopping) = (running.clone(), running);
    let gate = Gate::new();
    let inside = gate.clone();
    backend.module(
        "a",
        echo()
            .on_start(move |_| {
                assert!(!starting.swap(true, Ordering::SeqCst), "it runs twice");
                inside.pass();
                Ok(())
            })
            .on_stop(move || {
                stopping.store(false, Ordering::SeqCst);
                Ok(())
            }),
    );
    std::thread::scope(|scope| {
        // Its first load is under way.
        let first = scope.spawn(|| f(&rack, "a"));
        gate.arrived(1);
        let configured = scope.spawn(|| configure(&rack, &text(2)));
        gate.open();
        // What it loaded to bind the function may be gone when it calls.
        assert!([Value::Int(1), Value::Int(2)].contains(&first.join().unwrap().unwrap()));
        configured.join().unwrap().unwrap();
    });
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(2));
    configure(&rack, &text(3)).unwrap();
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(3));
}

/// A module that counts, carries its count, and owns a port that nobody else may own.
fn owner(port: &Arc<AtomicBool>) -> Script {
    let (take, give) = (port.clone(), port.clone());
    let count = Arc::new(AtomicI64::new(0));
    let (read, write, begin) = (count.clone(), count.clone(), count.clone());
    Script::new()
        .function("f", move |_, _| Ok(Value::Int(count.fetch_add(1, Ordering::SeqCst) + 1)))
        .exports(move |_| Ok(Value::Int(read.load(Ordering::SeqCst))))
        .imports(move |_, state| {
            let Value::Int(count) = state.value else { panic!("no count: {state:?}") };
            write.store(count, Ordering::SeqCst);
            Ok(())
        })
        .on_start(move |_| match take.swap(true, Ordering::SeqCst) {
            true => Err(Error::new(Code::ConstructFailed, "The port is taken").hint("Free it")),
            false => {
                begin.store(0, Ordering::SeqCst);
                Ok(())
            }
        })
        .on_stop(move || {
            give.store(false, Ordering::SeqCst);
            Ok(())
        })
}

#[test]
fn what_must_not_run_twice_is_removed_when_its_calls_have_ended() {
    let before =
        "slots:\n  socket: { use: 'python:a', swap: { overlap: false } }\n  b: { use: 'python:b' }\n";
    let (rack, backend) = rack(before);
    let gate = Gate::new();
    let inside = gate.clone();
    backend.module("b", echo());
    backend.module(
        "a",
        Script::new().function("f", move |_, _| {
            inside.pass();
            Ok(Value::Int(1))
        }),
    );
    let bound = rack.slot("socket").unwrap().function(Some("f")).unwrap();
    let (told, events) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    rack.observe(move |event| drop(told.lock().unwrap().send(event.clone())));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| bound.call(Call::new(&[])));
        gate.arrived(1);
        let going = scope.spawn(|| configure(&rack, "slots:\n  b: { use: 'python:b' }\n"));
        let first = events.recv().unwrap();
        let stopped = backend.count("stop socket");
        gate.open();
        assert!(matches!(first, Event::Draining { .. }), "{first:?}");
        assert_eq!(stopped, 0);
        assert_eq!(call.join().unwrap().unwrap(), Value::Int(1));
        assert_eq!(going.join().unwrap().unwrap().swapped.before, Before::Stopped);
    });
    assert_eq!(backend.count("stop socket"), 1);
    assert_eq!(bound.call(Call::new(&[])).unwrap_err().code(), Code::UnknownSlot);
}

#[test]
fn what_was_to_be_removed_serves_with_its_state_when_that_comes_to_nothing() {
    let socket = "  socket: { use: 'python:a', swap: { overlap: false } }\n";
    let rest = "  b: { use: 'python:b', params: { n: 1 }, swap: { probe: { call: [f], expect: 2 } } }\n";
    let plug = "  plug: { use: 'python:c', swap: { overlap: false } }\n";
    // A slot beside it does not stand its probe; what comes for its port does not start; a step fails.
    for case in ["probe", "start", "switch"] {
        let (rack, backend) = rack(&format!("slots:\n{socket}  b: {{ use: 'python:b' }}\n"));
        let port = Arc::new(AtomicBool::new(false));
        backend.module("a", owner(&port));
        backend.module("b", echo());
        backend.module("c", owner(&port));
        assert_eq!((f(&rack, "socket").unwrap(), f(&rack, "b").unwrap()), (Value::Int(1), Value::Int(0)));
        let (after, more) = match case {
            "probe" => (format!("slots:\n{rest}"), Swap::default()),
            _ => (format!("slots:\n{plug}  b: {{ use: 'python:b' }}\n"), Swap::reload(name("plug"))),
        };
        match case {
            "start" => {
                let no = |_: &_| Err(Error::new(Code::ConstructFailed, "No").hint("Mend it"));
                backend.module("c", owner(&port).on_start(no));
            }
            "switch" => rack.fail_at(Step::Switch, Error::new(Code::Internal, "Injected")),
            _ => {}
        }
        let failed = rack.configure(plan(&after), &more).unwrap_err();
        let ConfigureFailed::Swap(failed) = failed else { panic!("{case}: {failed}") };
        assert_eq!(failed.step.as_str(), case, "{failed}");
        // Nobody has to call it for that.
        assert_eq!(backend.count("start python:a"), 2, "{case}");
        assert!(port.load(Ordering::SeqCst), "{case}");
        assert_eq!(f(&rack, "socket").unwrap(), Value::Int(2), "{case}");
        if case != "probe" {
            backend.module("c", owner(&port));
            rack.configure(plan(&after), &more).unwrap();
            assert_eq!(f(&rack, "plug").unwrap(), Value::Int(1), "{case}");
            assert_eq!(f(&rack, "socket").unwrap_err().code(), Code::UnknownSlot, "{case}");
        }
        rack.stop();
        assert!(!port.load(Ordering::SeqCst), "{case}");
    }
}

#[test]
fn a_reader_sees_one_configuration_or_the_other() {
    let text = |n: i64| {
        let gone = if n % 2 == 0 { "  d: { use: 'python:b' }\n" } else { "  e: { use: 'python:b' }\n" };
        format!(
            "slots:\n  a: {{ use: 'python:a', params: {{ n: {n} }}, needs: {{ b: b }}, swap: {{ trial: {{ for: 0s }} }} }}\n  b: {{ use: 'python:b', params: {{ n: {n} }} }}\n{gone}"
        )
    };
    let (rack, backend) = rack(&text(0));
    backend.module("b", echo());
    backend.module(
        "a",
        Script::new().function("f", |running, _| {
            let inner = running.service("b").call(Some("f"), Call::new(&[]))?;
            Ok(Value::List(vec![running.params["n"].clone(), inner]))
        }),
    );
    let (done, seen) = (AtomicBool::new(false), std::sync::atomic::AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let bound = rack.slot("a").unwrap().function(Some("f")).unwrap();
                let other = |slot: &str| {
                    rack.slot(slot).and_then(|slot| slot.function(Some("f"))?.call(Call::new(&[])))
                };
                while !done.load(Ordering::Relaxed) {
                    let value = bound.call(Call::new(&[])).unwrap();
                    let Value::List(both) = &value else { panic!("{value}") };
                    assert_eq!(both[0], both[1], "a mixture");
                    // One of them is there at any time, and a slot that is not there says so and nothing else.
                    for slot in ["d", "e"] {
                        if let Err(error) = other(slot) {
                            assert_eq!(error.code(), Code::UnknownSlot);
                        }
                    }
                    let slots = rack.plan().slots.len();
                    assert_eq!(slots, 3);
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for n in 1..=60 {
            if n % 7 == 0 {
                rack.fail_at(Step::Probe, Error::new(Code::Internal, "Injected"));
                assert!(configure(&rack, &text(n)).is_err());
            }
            configure(&rack, &text(n)).unwrap();
        }
        let enough = seen.load(Ordering::Relaxed) + 20;
        while seen.load(Ordering::Relaxed) < enough {
            std::thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(rack.stop().len(), 0);
    let record = backend.record();
    let count = |what: &str| record.iter().filter(|entry| entry.starts_with(what)).count();
    assert_eq!(count("start"), count("stop"));
}

#[test]
fn a_rack_that_is_stopped_is_not_configured() {
    let (rack, _) = echoes("slots:\n  a: { use: 'python:a' }\n");
    rack.stop();
    for yaml in ["slots: {}\n", "slots:\n  a: { use: 'python:a' }\n", "slots:\n  a: { use: 'python:b' }\n"] {
        let failed = configure(&rack, yaml).unwrap_err();
        assert_eq!(failed.error().code(), Code::RackStopped, "{yaml}");
    }
}

#[test]
fn a_slot_that_is_gone_or_did_not_come_keeps_no_configuration() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a', lazy: true } }");
    backend.module("a", echo());
    let before = Arc::downgrade(&rack.plan());
    configure(&rack, "slots: {}").unwrap();
    assert_eq!(f(&rack, "a").unwrap_err().code(), Code::UnknownSlot);
    assert!(before.upgrade().is_none());
    // One that is refused has left the place that it had for a slot, and no more.
    rack.fail_at(Step::Fetch, Error::new(Code::Internal, "Injected"));
    configure(&rack, "slots: { b: { use: 'python:a' } }").unwrap_err();
    let empty = Arc::downgrade(&rack.plan());
    configure(&rack, "slots: { b: { use: 'python:a' } }").unwrap();
    assert!(empty.upgrade().is_none());
    assert_eq!(f(&rack, "b").unwrap(), Value::Int(0));
}

#[test]
fn what_a_configuration_is_made_from_is_looked_at_under_the_turns_of_its_slots() {
    let (rack, _) = echoes("slots:\n  a: { use: 'python:a' }\n  b: { use: 'python:b' }\n");
    let after = plan("slots:\n  a: { use: 'python:a', params: { n: 1 } }\n  b: { use: 'python:b' }\n");
    let other = plan("slots:\n  b: { use: 'python:b', params: { n: 5 } }\n").slots[&name("b")].clone();
    let mut asked = Vec::new();
    let make = |turn_of: &[SlotName]| {
        let found = (*rack.slot("b")?.plan()).clone();
        if asked.is_empty() {
            // Somebody else swaps it after it was looked at.
            rack.swap(&Swap::to(other.clone()))?;
        }
        asked.push(names(turn_of));
        let mut plan = after.clone();
        plan.slots.insert(name("b"), found.clone());
        Ok((plan, Swap::to(found)))
    };
    let mut told = false;
    rack.configure_when(make, |done| told = done.is_ok()).unwrap();
    assert_eq!(asked, ["", "a b"]);
    assert_eq!((f(&rack, "a").unwrap(), f(&rack, "b").unwrap()), (Value::Int(1), Value::Int(5)));
    assert!(told);
}

#[test]
fn what_stands_in_for_a_slot_stays_when_the_defaults_alone_change() {
    for is_loaded in [true, false] {
        let slots = "slots:\n  a: { use: 'python:a' }\n";
        let (rack, backend) = echoes(slots);
        backend.module("c", Script::new().function("f", |_, _| Ok(Value::Int(3))));
        let other = rack.origin_of(&plan("slots: { c: 'python:c' }").slots[&name("c")]).unwrap();
        if is_loaded {
            rack.swap(&Swap::to((*rack.slot("a").unwrap().plan()).clone()).at(other)).unwrap();
        } else {
            rack.unload_to(&name("a"), other, Asked::default()).unwrap();
        }
        configure(&rack, &format!("defaults: {{ limits: {{ time: 2s }} }}\n{slots}")).unwrap();
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(3));
        assert_eq!(rack.slot("a").unwrap().pin().unwrap().time().unwrap().as_secs(), 2);
        // What the slot's own text says is not what it stands in for.
        configure(&rack, "slots:\n  a: { use: 'python:a', params: { n: 1 } }\n").unwrap();
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(1));
    }
}

#[test]
fn what_the_program_fills_is_none_of_a_texts_slots() {
    let (rack, _) = echoes("slots:\n  a: { use: 'python:a' }\n");
    let own = HostModule::new("own").function("f", None, |_| Ok(Value::Int(5)));
    let description = own.description();
    rack.register(name("own"), Arc::new(own), description).unwrap();
    assert_eq!(names(&rack.given()), "own");
    let failed =
        configure(&rack, "slots:\n  a: { use: 'python:a' }\n  own: { use: 'python:b' }\n").unwrap_err();
    expect![[r#"
        M0107 slot=own at=rack.yaml:4:3(slots.own)
          There is a slot `own` already
          hint: Give it another name
    "#]]
    .assert_eq(&shown(failed.error()));
    assert_eq!(rack.plan().slots.len(), 1);
}

#[test]
fn what_is_wrong_with_a_slot_is_said_where_it_stands_by_now() {
    let (rack, backend) = echoes("slots:\n  a: { use: 'python:a' }\n");
    let before = generation(&rack, "a");
    configure(&rack, "# one\n# two\nslots:\n\n  a: { use: 'python:a' }\n").unwrap();
    assert_eq!(generation(&rack, "a"), before);
    backend.module("a", echo().on_start(|_| Err(Error::new(Code::ConstructFailed, "No").hint("Mend it"))));
    let place = |error: &Error| error.place_of().map(|place| place.line);
    let failed = rack.swap(&Swap::reload(name("a"))).unwrap_err();
    assert_eq!(place(&failed.error), Some(Some(6)));
    rack.unload(&name("a"), Asked::default()).unwrap();
    assert_eq!(place(&f(&rack, "a").unwrap_err()), Some(Some(6)));
}
