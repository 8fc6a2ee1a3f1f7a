//! Calls: whose a failure is, limits, contracts, the table that a call sees, figures.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use modrack_core::{
    Call, Cancel, Chain, Code, Error, Manifest, Map, Param, Signature, SlotName, Type, Value,
};
use modrack_runtime::HostModule;
use modrack_runtime::doubles::{Gate, Script};

use crate::{rack, shown, text};

#[test]
fn a_failure_says_whose_it_is() {
    let (rack, backend) = rack(
        "slots:
  outer: { use: 'python:outer', needs: { inner: inner } }
  inner: { use: 'python:inner' }
",
    );
    let forward = Script::new().function("f", |running, call| running.service("inner").call(Some("f"), call));
    backend.module("outer", forward);
    backend.module("inner", Script::new().function("f", |_, _| Err(Error::new(Code::Raised, "It failed"))));
    let outer = rack.slot("outer").unwrap().function(Some("f")).unwrap();
    // The inner slot is the one that failed, whoever called it.
    expect![[r#"
        M0504 slot=inner module=inner generation=2 phase=call
          It failed
          hint: What it says is the module's own; in a pipeline, `errors:` decides what becomes of such rows
    "#]]
    .assert_eq(&shown(&outer.call(Call::new(&[])).unwrap_err()));
}

#[test]
fn functions_and_attributes_are_asked_for_by_name() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    backend.module("a", Script::new().function("upper", |_, _| Ok(Value::Null)).attribute("pi", 3.25));
    let slot = rack.slot("a").unwrap();
    let check = |name: &str, expected: Expect| {
        expected.assert_eq(&slot.function(Some(name)).map_or_else(|e| shown(&e), |b| b.name().unwrap()));
    };
    check("upper", expect!["upper"]);
    check(
        "uper",
        expect![[r#"
        M0501 slot=a module=a generation=1 phase=call
          There is no function `uper`
          hint: Did you mean `upper`?
    "#]],
    );
    check(
        "pi",
        expect![[r#"
        M0502 slot=a module=a generation=1 phase=call
          `pi` is not a function
    "#]],
    );
    assert_eq!(slot.attribute("pi").unwrap(), Value::Float(3.25));
    assert_eq!(slot.attribute("e").unwrap_err().code(), Code::UnknownAttribute);
    let service = slot.service();
    assert!(service.has_function("upper").unwrap());
    assert!(!service.has_function("pi").unwrap());
    assert!(!service.has_function("lower").unwrap());
    assert_eq!(service.attribute("pi").unwrap(), Value::Float(3.25));
}

#[test]
fn a_call_has_until_its_slots_limit_or_its_own_deadline_whichever_is_nearer() {
    let (rack, backend) = rack(
        "defaults: { limits: { time: 1h } }\nslots:
  a: { use: 'python:a', limits: { time: 2h } }
  b: { use: 'python:a' }
",
    );
    backend.module(
        "a",
        Script::new().function("f", |_, call| {
            let left =
                call.deadline.map_or(0, |deadline| deadline.duration_since(Instant::now()).as_secs() / 60);
            Ok(Value::Int(i64::try_from(left).unwrap()))
        }),
    );
    let check = |slot: &str, call: Call<'_>, minutes: i64| {
        let f = rack.slot(slot).unwrap().function(Some("f")).unwrap();
        assert_eq!(f.call(call).unwrap(), Value::Int(minutes), "{slot}");
    };
    check("a", Call::default(), 119);
    check("b", Call::default(), 59);
    check("python:a", Call::default(), 59);
    let within = |minutes: u64| Some(Instant::now() + Duration::from_secs(60 * minutes));
    check("a", Call { deadline: within(180), ..Call::default() }, 119);
    check("a", Call { deadline: within(30), ..Call::default() }, 29);
}

#[test]
fn what_is_loaded_on_the_way_has_no_longer_than_who_waits_for_it() {
    let (rack, backend) = rack(
        "slots:
  outer: { use: 'python:outer', needs: { inner: inner } }
  inner: { use: 'python:inner' }
",
    );
    let forward = Script::new().function("f", |running, call| {
        running.service("inner").call(Some("f"), Call { deadline: None, cancel: None, ..call })
    });
    backend.module("outer", forward);
    let inner = Script::new().function("f", |_, _| Ok(Value::Null)).on_start(|_| {
        let (deadline, cancel) = Chain::bounds();
        let cancelled = cancel.is_some_and(|cancel| cancel.is_cancelled());
        let left = deadline.map_or(Duration::ZERO, |deadline| deadline.duration_since(Instant::now()));
        assert!(!cancelled && left > Duration::from_secs(60 * 29), "{left:?}");
        Ok(())
    });
    backend.module("inner", inner);
    let outer = rack.slot("outer").unwrap().function(Some("f")).unwrap();
    let (deadline, cancel) = (Some(Instant::now() + Duration::from_secs(60 * 30)), Cancel::default());
    outer.call(Call { deadline, cancel: Some(&cancel), ..Call::default() }).unwrap();
    // Nobody waits for what is bound before it is called.
    backend.module(
        "alone",
        Script::new().function("f", |_, _| Ok(Value::Null)).on_start(|_| {
            assert!(Chain::bounds().0.is_none());
            Ok(())
        }),
    );
    rack.slot("python:alone").unwrap().function(Some("f")).unwrap();
}

#[test]
fn a_call_that_comes_back_late_is_late_and_one_given_up_does_not_begin() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a', limits: { time: 1ms } } }\n");
    let busy = |call: Call<'_>| while call.deadline.is_some_and(|deadline| Instant::now() <= deadline) {};
    backend.module(
        "a",
        Script::new().function("f", move |_, call| {
            busy(call);
            Ok(Value::Null)
        }),
    );
    let f = rack.slot("a").unwrap().function(Some("f")).unwrap();
    expect![[r#"
        M0508 slot=a module=a generation=1 phase=call
          `f` took longer than 1ms
          hint: Raise `limits.time` of the slot, or let it do less at a time
    "#]]
    .assert_eq(&shown(&f.call(Call::default()).unwrap_err()));
    let cancel = Cancel::default();
    cancel.cancel();
    let given_up = f.call(Call { cancel: Some(&cancel), ..Call::default() }).unwrap_err();
    assert_eq!(given_up.code(), Code::Cancelled);
    assert_eq!(backend.count("call a.f"), 1);
}

#[test]
fn values_are_held_against_the_contract_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let wit = "package acme:scale@1.0.0;
interface scale { scale: func(value: f64, times: u32) -> f64; }
world module { export scale; }
";
    std::fs::write(folder.path().join("scale.wit"), wit).unwrap();
    let (rack, backend) = crate::rack_in(
        folder.path(),
        "contracts: [scale.wit]
slots:
  good: { use: 'python:good', contract: scale@1 }
  bad: { use: 'python:bad', contract: scale@1 }
  open: { use: 'python:bad' }
  renamed: { use: 'python:renamed', contract: scale, function: grow }
  missing: { use: 'python:missing', contract: scale }
",
    );
    let module = |name: &str, given: Value| {
        let params = ["value", "times"].map(|name| Param::new(name, Type::Any)).to_vec();
        let signature = Signature { params, ..Signature::default() };
        Script::new().typed_function(name, Some(signature), move |_, _| Ok(given.clone()))
    };
    backend.module("good", module("scale", Value::Float(2.0)));
    backend.module("bad", module("scale", text("two")));
    backend.module("renamed", module("grow", text("two")));
    backend.module("missing", Script::new().function("scales", |_, _| Ok(Value::Null)));
    let good = [Value::Float(1.0), Value::Int(2)];
    let check = |slot: &str, args: &[Value], expected: Expect| {
        let called = rack.slot(slot).unwrap().function(None).and_then(|f| f.call(Call::new(args)));
        expected.assert_eq(&called.map_or_else(|error| shown(&error), |value| format!("{value:?}")));
    };
    check("good", &good, expect!["Float(2.0)"]);
    check(
        "good",
        &[text("x"), Value::Int(2)],
        expect![[r#"
        M0503 slot=good module=good generation=1 phase=call
          `value` of `scale` takes `float`, not `text`
          hint: Its contract says `scale(value: float, times: int) -> float`
    "#]],
    );
    check(
        "good",
        &[Value::Float(1.0)],
        expect![[r#"
        M0503 slot=good module=good generation=1 phase=call
          `scale` needs `times`
          hint: Its contract says `scale(value: float, times: int) -> float`
    "#]],
    );
    check(
        "bad",
        &good,
        expect![[r#"
        M0505 slot=bad module=bad generation=2 phase=call
          `scale` gave `text`; its contract says `float`
          hint: Mend what the function returns, or let the slot name another contract
    "#]],
    );
    check("open", &good, expect![[r#"Text("two")"#]]);
    check(
        "renamed",
        &good,
        expect![[r#"
        M0505 slot=renamed module=renamed generation=4 phase=call
          `grow` gave `text`; its contract says `float`
          hint: Mend what the function returns, or let the slot name another contract
    "#]],
    );
    check(
        "missing",
        &good,
        expect![[r#"
        M0305 slot=missing module=missing phase=check at=rack.yaml:8:47(slots.missing.contract)
          The module `missing` has no `scale`, which the contract `scale@1.0.0` asks for
          hint: Did you mean `scale` where the module has `scales`?
    "#]],
    );
}

#[test]
fn objects_of_the_program_are_modules_too() {
    let (rack, _) = rack("slots: { a: { use: 'python:a' } }\n");
    let module = || {
        HostModule::new("calc")
            .function("double", None, |call| match call.args.positional {
                [Value::Int(n)] => Ok(Value::Int(n * 2)),
                _ => panic!("it takes a number"),
            })
            .attribute("base", 10_i64)
            .manifest(Manifest { description: Some("Calculates".into()), ..Manifest::default() })
    };
    let register = |name: &str| {
        let module = module();
        let description = module.description();
        rack.register(SlotName::parse(name).unwrap(), Arc::new(module), description)
    };
    let slot = register("calc").unwrap();
    let double = slot.function(None).unwrap();
    assert_eq!(double.call(Call::new(&[Value::Int(4)])).unwrap(), Value::Int(8));
    assert_eq!(slot.attribute("base").unwrap(), Value::Int(10));
    assert_eq!(slot.origin().unwrap().to_string(), "host:calc");
    let check = |error: Error, expected: Expect| expected.assert_eq(&shown(&error));
    check(
        double.call(Call::new(&[])).unwrap_err(),
        expect![[r#"
            M0504 slot=calc module=calc generation=1 phase=call
              `double` panicked: it takes a number
              hint: What it says is the module's own; in a pipeline, `errors:` decides what becomes of such rows
        "#]],
    );
    check(
        slot.attribute("bas").unwrap_err(),
        expect![[r#"
        M0510 slot=calc module=calc generation=1 phase=call
          The module has no attribute `bas`
          hint: Did you mean `base`?
    "#]],
    );
    check(
        slot.function(Some("base")).err().unwrap(),
        expect![[r#"
        M0502 slot=calc module=calc generation=1 phase=call
          `base` is a value, not a function
          hint: Read it as an attribute: `get SLOT base`
    "#]],
    );
    check(
        register("a").err().unwrap(),
        expect![[r#"
        M0107 slot=a
          There is a slot `a` already
          hint: Give it another name
    "#]],
    );
    check(
        register("calc").err().unwrap(),
        expect![[r#"
        M0107 slot=calc
          There is a slot `calc` already
          hint: Give it another name
    "#]],
    );
}

#[test]
fn calls_are_measured_when_somebody_asks_for_it() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    backend.module(
        "a",
        Script::new().function("f", |_, call| match call.args.positional {
            [] => Ok(Value::Null),
            _ => Err(Error::new(Code::Raised, "Too much")),
        }),
    );
    let f = rack.slot("a").unwrap().function(Some("f")).unwrap();
    f.call(Call::new(&[])).unwrap();
    assert_eq!(rack.stats()[0].call.count, 0);
    rack.measure(true);
    f.call(Call::new(&[])).unwrap();
    f.call(Call::new(&[Value::Null])).unwrap_err();
    let call = rack.stats()[0].call;
    assert_eq!((call.count, call.errors), (2, 1));
    assert!(call.min <= call.mean() && call.mean() <= call.max);
}

#[test]
fn a_pin_keeps_what_it_saw_and_a_stopped_rack_starts_nothing() {
    let (rack, backend) = rack(
        "slots:
  a: { use: 'python:a', needs: { other: b } }
  b: { use: 'python:b' }
  c: { use: 'python:b' }
",
    );
    let own = |running: &modrack_runtime::doubles::Running, _: Call<'_>| Ok(text(running.slot.as_str()));
    let failing = || Err(Error::new(Code::StopFailed, "It does not stop").hint("Mend it"));
    let forward = Script::new().function("f", |running, call| running.service("other").call(None, call));
    backend.module("a", forward.on_stop(failing));
    backend.module("b", Script::new().function("f", own));
    let a = rack.slot("a").unwrap();
    let pin = a.pin().unwrap();
    let f = a.function(Some("f")).unwrap();
    assert_eq!(pin.call(None, Call::new(&[])).unwrap(), text("b"));
    assert_eq!(pin.within(|| f.call(Call::new(&[]))).unwrap(), text("b"));
    assert_eq!(pin.function(None).unwrap().0, "f");
    let errors = rack.stop();
    expect![[r#"
        M0407 slot=a module=a generation=1 phase=stop
          It does not stop
          hint: Mend it
    "#]]
    .assert_eq(&crate::shown_all(&errors));
    assert_eq!(backend.record()[5..], ["call b.f", "call a.f", "call b.f", "stop b", "stop a"]);
    expect![[r#"
        M0408 slot=a
          The rack was stopped
          hint: Open the rack again, or keep it for as long as its modules are called
    "#]]
    .assert_eq(&shown(&f.call(Call::new(&[])).unwrap_err()));
    assert_eq!(rack.slot("c").unwrap().function(None).err().unwrap().code(), Code::RackStopped);
    assert!(rack.stop().is_empty(), "what was stopped is not stopped again");
}

#[test]
fn a_module_is_not_stopped_on_a_thread_of_its_own() {
    let (rack, backend) =
        rack("slots: { a: { use: 'python:a', needs: { b: b } }, b: { use: 'python:b' } }\n");
    let (gate, (stopped_on, stops)) = (Gate::new(), mpsc::channel());
    let inside = gate.clone();
    backend.module(
        "b",
        Script::new().function("f", move |_, _| {
            inside.pass();
            Ok(Value::Null)
        }),
    );
    let own = Arc::new(Mutex::new(None));
    let (thread, stopped_on) = (own.clone(), Mutex::new(stopped_on));
    let module = Script::new()
        .function("f", |_, _| Ok(Value::Null))
        .on_start(move |running| {
            let b = running.service("b").clone();
            let calls = std::thread::spawn(move || b.call(Some("f"), Call::new(&[])).map(drop));
            *thread.lock().unwrap() = Some(calls);
            Ok(())
        })
        .on_stop(move || {
            stopped_on.lock().unwrap().send(std::thread::current().id()).unwrap();
            Ok(())
        });
    backend.module("a", module);
    rack.slot("a").unwrap().function(Some("f")).unwrap().call(Call::new(&[])).unwrap();
    gate.arrived(1);
    // The call of the module's own thread is the last that has it.
    drop(rack);
    gate.open();
    let own = own.lock().unwrap().take().unwrap();
    let id = own.thread().id();
    assert_ne!(stops.recv().unwrap(), id);
    own.join().unwrap().unwrap();
}

#[test]
fn the_last_handle_stops_what_was_started() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    backend.module("a", Script::new().function("f", |_, _| Ok(Value::from(Map::new()))));
    let f = rack.slot("a").unwrap().function(Some("f")).unwrap();
    let service = rack.slot("a").unwrap().service();
    drop(rack);
    f.call(Call::new(&[])).unwrap();
    assert_eq!(backend.count("stop a"), 0);
    drop(f);
    assert_eq!(backend.count("stop a"), 1);
    assert_eq!(service.call(Some("f"), Call::new(&[])).unwrap_err().code(), Code::RackStopped);
}
