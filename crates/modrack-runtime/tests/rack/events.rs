//! What the bus tells: which events each thing that happens to a rack gives, in which order, and to whom.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::{Expect, expect};
use modrack_core::{Call, Code, Error, Map, Result, SlotName, Value};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend};
use modrack_runtime::{Asked, Pattern, Rack, Subscription, Swap, Told};

use crate::rack;

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

fn version(number: i64) -> Script {
    Script::new().function("f", move |_, _| Ok(Value::Int(number)))
}

fn call(rack: &Rack, slot: &str) -> Result<Value> {
    rack.slot(slot)?.function(Some("f"))?.call(Call::new(&[]))
}

/// Two slots, and what is told of `pattern`.
fn heard(swap: &str, text: &str) -> (Rack, Arc<ScriptedBackend>, Receiver<Arc<Told>>, Subscription) {
    let (rack, backend) = rack(&format!(
        "slots:\n  a: {{ use: 'python:a', swap: {{ {swap} }} }}\n  b: {{ use: 'python:b', swap: {{ {swap} }} }}\n"
    ));
    backend.module("a", version(1));
    backend.module("b", version(1));
    let (tell, told) = channel();
    let subscription = rack.subscribe(&pattern(text), move |event| drop(tell.send(event.clone())));
    (rack, backend, told, subscription)
}

/// What was told until now.
fn until_now(rack: &Rack, told: &Receiver<Arc<Told>>) -> Vec<Arc<Told>> {
    rack.announce("warning", None, Map::default());
    told.iter().take_while(|event| event.name != "warning").collect()
}

/// The events, a line each; the folder that the tests run in is left out of places.
fn shown(events: &[Arc<Told>]) -> String {
    let here = std::env::current_dir().unwrap().display().to_string() + "/";
    let line = |event: &Arc<Told>| {
        let slot = event.slot.as_ref().map_or_else(String::new, |slot| format!(" {slot}"));
        let fields = event.fields.iter().map(|(name, value)| format!(" {name}={}", whole(value)));
        format!("{}{slot}{}\n", event.name, fields.collect::<String>())
    };
    events.iter().map(line).collect::<String>().replace(&here, "")
}

/// A value as it is shown, at whatever length.
fn whole(value: &Value) -> String {
    match value {
        Value::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("\"{key}\": {}", whole(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::List(items) => format!("[{}]", items.iter().map(whole).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// What `act` gives, once both slots are loaded.
fn check(swap: &str, act: impl FnOnce(&Rack, &ScriptedBackend), given: &Expect) {
    let (rack, backend, told, _subscription) = heard(swap, "*");
    call(&rack, "a").unwrap();
    call(&rack, "b").unwrap();
    until_now(&rack, &told);
    act(&rack, &backend);
    given.assert_eq(&shown(&until_now(&rack, &told)));
}

fn reload(rack: &Rack, backend: &ScriptedBackend) {
    backend.module("a", version(2));
    let asked = Asked { who: "me".into(), why: "better".into() };
    rack.swap(&Swap::reload(name("a")).asked(asked)).unwrap();
}

#[test]
fn a_load_is_told_as_it_goes() {
    let (rack, backend, told, _subscription) = heard("", "*");
    call(&rack, "a").unwrap();
    // Told once: what is loaded is only called.
    call(&rack, "a").unwrap();
    backend
        .module("b", version(1).on_start(|_| Err(Error::new(Code::ConstructFailed, "No").hint("Mend it"))));
    call(&rack, "b").unwrap_err();
    expect![[r#"
        module.found a origin="python:a"
        module.loading a module="a"
        module.loaded a module="a" generation=1 serves=true
        module.found b origin="python:b"
        module.loading b module="b"
        module.failed b error={"code": "M0403", "kind": "broken", "message": "No", "module": "b", "place": {"file": "rack.yaml", "line": 4, "column": 13, "key": "slots.b.use"}, "hint": "Mend it"}
    "#]].assert_eq(&shown(&until_now(&rack, &told)));
}

#[test]
fn a_swap_is_told_as_it_goes() {
    check(
        "",
        reload,
        &expect![[r#"
            module.found a origin="python:a"
            module.loading a module="a"
            module.loaded a module="a" generation=3 serves=false
            swap.swapped a slots=[{"slot": "a", "module": "a", "generation": 3, "replaced": 1}] who="me" why="better"
        "#]],
    );
    check(
        "trial: { for: 0s }",
        reload,
        &expect![[r#"
            module.found a origin="python:a"
            module.loading a module="a"
            module.loaded a module="a" generation=3 serves=false
            swap.swapped a slots=[{"slot": "a", "module": "a", "generation": 3, "replaced": 1}] who="me" why="better"
            swap.settled a slots=[{"slot": "a", "module": "a", "generation": 3, "replaced": 1}]
            swap.retired a generation=1
        "#]],
    );
}

#[test]
fn a_swap_of_two_is_told_as_one() {
    let both = |rack: &Rack, backend: &ScriptedBackend| {
        backend.module("a", version(2));
        backend.module("b", version(2));
        rack.swap(&Swap::reload(name("a")).and(Swap::reload(name("b")))).unwrap();
    };
    check(
        "trial: { for: 0s }",
        both,
        &expect![[r#"
            module.found a origin="python:a"
            module.found b origin="python:b"
            module.loading a module="a"
            module.loaded a module="a" generation=3 serves=false
            module.loading b module="b"
            module.loaded b module="b" generation=4 serves=false
            swap.swapped slots=[{"slot": "a", "module": "a", "generation": 3, "replaced": 1}, {"slot": "b", "module": "b", "generation": 4, "replaced": 2}]
            swap.settled slots=[{"slot": "a", "module": "a", "generation": 3, "replaced": 1}, {"slot": "b", "module": "b", "generation": 4, "replaced": 2}]
            swap.retired a generation=1
            swap.retired b generation=2
        "#]],
    );
}

#[test]
fn a_swap_that_fails_is_told_with_its_step() {
    let act = |rack: &Rack, backend: &ScriptedBackend| {
        backend.module(
            "a",
            version(2).on_start(|_| Err(Error::new(Code::ConstructFailed, "No").hint("Mend it"))),
        );
        rack.swap(&Swap::reload(name("a"))).unwrap_err();
    };
    check(
        "",
        act,
        &expect![[r#"
            module.found a origin="python:a"
            module.loading a module="a"
            module.failed a error={"code": "M0403", "kind": "broken", "message": "No", "module": "a", "place": {"file": "rack.yaml", "line": 3, "column": 13, "key": "slots.a.use"}, "hint": "Mend it"}
            swap.failed a slots=[{"slot": "a"}] step="start" error={"code": "M0403", "kind": "broken", "message": "No", "module": "a", "place": {"file": "rack.yaml", "line": 3, "column": 13, "key": "slots.a.use"}, "hint": "Mend it"}
        "#]],
    );
}

#[test]
fn going_back_is_told() {
    let (rack, backend, told, _subscription) = heard("", "swap.rolled-back,swap.retired,warning");
    call(&rack, "a").unwrap();
    reload(&rack, &backend);
    rack.rollback(&name("a"), Asked::default()).unwrap();
    // What was gone back from is stopped by the rack in its own time.
    let events: Vec<_> = told.iter().take(2).collect();
    expect![[r#"
        swap.rolled-back a slots=[{"slot": "a", "module": "a", "generation": 1, "replaced": 2}]
        swap.retired a generation=2
    "#]]
    .assert_eq(&shown(&events));
}

#[test]
fn unloading_is_told() {
    let act = |rack: &Rack, _: &ScriptedBackend| {
        rack.unload(&name("a"), Asked::default()).unwrap();
    };
    check(
        "",
        act,
        &expect![[r#"
        swap.retired a generation=1
        module.unloaded a generation=1
    "#]],
    );
}

#[test]
fn calls_that_are_waited_for_are_told() {
    let gate = Gate::new();
    let (rack, backend, told, _subscription) = heard("trial: { for: 0s }, drain: 1m", "swap.*,warning");
    let inside = gate.clone();
    backend.module(
        "a",
        Script::new().function("f", move |_, _| {
            inside.pass();
            Ok(Value::Null)
        }),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| call(&rack, "a").unwrap());
        gate.arrived(1);
        scope.spawn(|| reload(&rack, &backend));
        let mut seen = Vec::new();
        // The last call ends only when its end is waited for.
        while seen.last().is_none_or(|event: &Arc<Told>| event.name != "swap.draining") {
            seen.extend(told.recv());
        }
        expect![[r#"
            swap.swapped a slots=[{"slot": "a", "module": "a", "generation": 2, "replaced": 1}] who="me" why="better"
            swap.settled a slots=[{"slot": "a", "module": "a", "generation": 2, "replaced": 1}]
            swap.draining a slots=[{"slot": "a"}] within=60.0
        "#]].assert_eq(&shown(&seen));
        gate.open();
    });
}

#[test]
fn only_what_the_pattern_picks_is_told_and_all_of_it_is_known_for_a_while() {
    let (rack, _backend, told, subscription) = heard("", "module.loaded,warning");
    call(&rack, "a").unwrap();
    let events = until_now(&rack, &told);
    assert_eq!(events.iter().map(|event| event.name).collect::<Vec<_>>(), ["module.loaded"]);
    let names = |number| rack.events_since(number).iter().map(|event| event.name).collect::<Vec<_>>();
    assert_eq!(names(0), ["module.found", "module.loading", "module.loaded", "warning"]);
    assert_eq!(names(events[0].number), ["warning"]);
    let numbers: Vec<_> = rack.events_since(0).iter().map(|event| event.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    drop(subscription);
    rack.announce("warning", None, Map::default());
    // What hears went with its subscription.
    assert!(told.recv().is_err());
    for _ in 0..2_000 {
        rack.announce("warning", None, Map::default());
    }
    assert_eq!(rack.events_since(0).len(), 1_024);
    assert_eq!(rack.events_since(0)[0].number, 2_005 - 1_023);
}

#[test]
fn who_is_slow_loses_the_oldest_and_is_told_how_many() {
    let (rack, _) = rack("slots: {}\n");
    let gate = Gate::new();
    let (tell, told) = channel();
    let inside = gate.clone();
    let _slow = rack.subscribe(&pattern("warning"), move |event| {
        inside.pass();
        drop(tell.send(event.clone()));
    });
    rack.announce("warning", None, Map::default());
    gate.arrived(1);
    // One is being heard: as many wait as may, and three are too many.
    for _ in 0..1_024 + 3 {
        rack.announce("warning", None, Map::default());
    }
    gate.open();
    let heard: Vec<_> = told.iter().take(1 + 1 + 1_024).collect();
    assert_eq!((heard[0].name, heard[0].number), ("warning", 1));
    assert_eq!((heard[1].name, heard[1].number, &heard[1].fields["count"]), ("missed", 4, &Value::Int(3)));
    let numbers: Vec<_> = heard[2..].iter().map(|event| event.number).collect();
    assert_eq!(numbers, (5..=1_028).collect::<Vec<_>>());
}

#[test]
fn who_hears_may_swap_the_very_slot_that_it_hears_of() {
    let (rack, backend, told, _subscription) = heard("", "swap.swapped");
    call(&rack, "a").unwrap();
    let (tell, done) = channel();
    let (swapper, scripts) = (rack.clone(), backend.clone());
    let mut first = true;
    let _subscription = rack.subscribe(&pattern("swap.swapped"), move |event| {
        if std::mem::take(&mut first) {
            assert_eq!(event.slot, Some(name("a")));
            scripts.module("a", version(3));
            drop(tell.send(swapper.swap(&Swap::reload(name("a"))).map(drop)));
        }
    });
    reload(&rack, &backend);
    done.recv().unwrap().unwrap();
    assert_eq!(call(&rack, "a").unwrap(), Value::Int(3));
    let generations: Vec<_> = told.iter().take(2).map(|event| event.fields["slots"].to_string()).collect();
    assert_eq!(generations.len(), 2);
    assert_ne!(generations[0], generations[1]);
}

#[test]
fn a_panic_ends_neither_the_bus_nor_what_is_observed() {
    let (rack, _backend, told, _subscription) = heard("", "module.loaded,warning");
    let mut panics = 0;
    let (tell, panicked) = channel();
    let _broken = rack.subscribe(&pattern("module.loaded"), move |_| {
        panics += 1;
        let _ = tell.send(panics);
        panic!("broken by a panic");
    });
    call(&rack, "a").unwrap();
    call(&rack, "b").unwrap();
    assert_eq!(until_now(&rack, &told).len(), 2);
    assert_eq!(panicked.iter().take(2).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_subscription_may_end_itself_and_goes_with_what_it_holds() {
    let (rack, _) = rack("slots: {}\n");
    let mine = Arc::new(Mutex::new(None));
    let (tell, told) = channel();
    let own = mine.clone();
    // It holds the rack, which it does not keep from going.
    let kept = rack.clone();
    let subscription = rack.subscribe(&pattern("*"), move |event| {
        drop(own.lock().unwrap().take());
        let _ = tell.send((event.number, kept.slots().len()));
    });
    *mine.lock().unwrap() = Some(subscription);
    rack.announce("warning", None, Map::default());
    rack.announce("warning", None, Map::default());
    assert_eq!(told.iter().collect::<Vec<_>>(), [(1, 0)]);
}

#[test]
fn what_was_told_is_heard_before_a_rack_has_stopped() {
    let (rack, _backend, told, _subscription) = heard("", "*");
    call(&rack, "a").unwrap();
    rack.stop();
    let names: Vec<_> = told.try_iter().map(|event| event.name).collect();
    assert_eq!(names, ["module.found", "module.loading", "module.loaded"]);
}

#[test]
fn who_hears_may_stop_the_rack() {
    let (rack, _backend, told, _subscription) = heard("", "warning");
    let (tell, stopped) = channel();
    let stopper = rack.clone();
    let _subscription = rack.subscribe(&pattern("module.loaded"), move |_| {
        let _ = tell.send(stopper.stop().len());
    });
    // A load and no call, which would find the rack stopped.
    rack.slot("a").unwrap().pin().unwrap();
    assert_eq!(stopped.recv_timeout(Duration::from_secs(30)), Ok(0));
    assert_eq!(call(&rack, "a").unwrap_err().code(), Code::RackStopped);
    drop(told);
}
