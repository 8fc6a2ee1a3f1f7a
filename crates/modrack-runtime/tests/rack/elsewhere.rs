//! Calls that go on elsewhere than where they began, as coroutines do on the thread of their event loop: they stay the call
//! that they were, and swaps wait for them.
//!
//! `Chain::here` and `Chain::within` are what a backend does that has an event loop; there is none here.

use std::sync::{Arc, Mutex};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use expect_test::expect;
use modrack_core::{Call, Chain, Code, Error, Service, Signature, SlotName, Value};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend};
use modrack_runtime::{Rack, Swap};

use crate::rack;

fn reload(slot: &str) -> Swap {
    Swap::reload(SlotName::parse(slot).unwrap())
}

fn service(rack: &Rack, slot: &str) -> Arc<dyn Service> {
    rack.slot(slot).unwrap().service()
}

fn f(service: &dyn Service) -> Result<Value, Error> {
    service.call(Some("f"), Call::new(&[]))
}

/// A script whose `f` gives `answer` and is awaited; `plain` gives it as well, and is not.
fn answers(answer: i64) -> Script {
    let awaited = Signature { is_async: true, ..Signature::default() };
    Script::new()
        .typed_function("f", Some(awaited), move |_, _| Ok(Value::Int(answer)))
        .typed_function("plain", Some(Signature::default()), move |_, _| Ok(Value::Int(answer)))
        .function("begin", |_, _| Ok(Value::Null))
}

/// A script whose `f` goes on with its call on another thread once `door` is open, and waits for what that gives.
fn goes_on(door: &Arc<Gate>) -> Script {
    let door = door.clone();
    Script::new().function("f", move |running, _| {
        let (chain, b) = (Chain::here(), &running.services[0].1);
        let there = || {
            door.pass();
            chain.within(|| f(&**b))
        };
        std::thread::scope(|scope| scope.spawn(there).join().unwrap())
    })
}

/// A rack in which `begin` of slot `b` hands its call on: what is kept of it is in the slot that is given.
fn handing_on(swap: &str) -> (Rack, Arc<ScriptedBackend>, Arc<Mutex<Option<Chain>>>) {
    let (rack, backend) = rack(&format!("slots: {{ b: {{ use: 'python:b', swap: {{ {swap} }} }} }}\n"));
    let kept = Arc::<Mutex<Option<Chain>>>::default();
    let keeps = kept.clone();
    let script = answers(1).function("begin", move |_, _| {
        *keeps.lock().unwrap() = Some(Chain::here());
        Ok(Value::Null)
    });
    backend.module("b", script);
    service(&rack, "b").call(Some("begin"), Call::new(&[])).unwrap();
    backend.module("b", answers(2));
    (rack, backend, kept)
}

/// Waits until the slot of `service` holds calls back for a swap that goes on.
fn until_gated<T>(service: &dyn Service, swap: &ScopedJoinHandle<'_, T>) {
    while Chain::without_waiting(|| f(service)).is_some() {
        assert!(!swap.is_finished(), "no call was held back");
        std::thread::yield_now();
    }
}

#[test]
fn what_a_call_calls_elsewhere_is_what_it_would_have_called_before_a_swap() {
    let (rack, backend) = rack(
        "slots:\n  a: { use: 'python:a', needs: { b: b }, swap: { trial: { for: 0s } } }\n  b: { use: 'python:b' }\n",
    );
    let door = Gate::new();
    backend.module("a", goes_on(&door));
    backend.module("b", answers(1));
    f(&*service(&rack, "b")).unwrap();
    std::thread::scope(|scope| {
        let old = scope.spawn(|| f(&*service(&rack, "a")));
        door.arrived(1);
        backend.module("a", goes_on(&door));
        backend.module("b", answers(2));
        rack.swap(&reload("a").and(reload("b"))).unwrap();
        assert_eq!(f(&*service(&rack, "b")).unwrap(), Value::Int(2));
        door.open();
        assert_eq!(old.join().unwrap().unwrap(), Value::Int(1));
    });
    assert_eq!(f(&*service(&rack, "a")).unwrap(), Value::Int(2));
}

#[test]
fn what_starts_with_a_swap_is_found_elsewhere_too() {
    let (rack, backend) =
        rack("slots:\n  a: { use: 'python:a', needs: { b: b } }\n  b: { use: 'python:b' }\n");
    backend.module("a", answers(1));
    backend.module("b", answers(1));
    for slot in ["a", "b"] {
        f(&*service(&rack, slot)).unwrap();
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    let script = answers(2).on_start(move |running| {
        let (chain, b) = (Chain::here(), &running.services[0].1);
        let there = || chain.within(|| f(&**b));
        sees.lock().unwrap().push(std::thread::scope(|scope| scope.spawn(there).join().unwrap())?);
        Ok(())
    });
    backend.module("a", script);
    backend.module("b", answers(2));
    rack.swap(&reload("a").and(reload("b"))).unwrap();
    assert_eq!(*seen.lock().unwrap(), [Value::Int(2)]);
}

#[test]
fn a_swap_that_loses_nothing_waits_for_a_call_that_was_handed_on() {
    for way in ["state: exclusive", "overlap: false"] {
        let (rack, _backend, kept) = handing_on(&format!("{way}, drain: 10ms"));
        let failed = rack.swap(&reload("b")).unwrap_err();
        assert_eq!((failed.step.as_str(), failed.error.code()), ("drain", Code::NotDrained), "{way}");
        assert_eq!(f(&*service(&rack, "b")).unwrap(), Value::Int(1));
        // It has ended.
        drop(kept.lock().unwrap().take());
        rack.swap(&reload("b")).unwrap();
        assert_eq!(f(&*service(&rack, "b")).unwrap(), Value::Int(2), "{way}");
    }
}

#[test]
fn a_swap_out_of_a_call_that_goes_on_elsewhere_is_refused_where_it_would_wait_for_it() {
    let (rack, _backend, kept) = handing_on("state: exclusive");
    let chain = kept.lock().unwrap().take().unwrap();
    let failed = std::thread::scope(|scope| {
        scope.spawn(|| chain.within(|| rack.swap(&reload("b")))).join().unwrap().unwrap_err()
    });
    assert_eq!(failed.error.code(), Code::SwapInside);
    rack.swap(&reload("b")).unwrap();
}

#[test]
fn a_call_on_the_loop_does_not_wait_at_a_gate_for_who_waits_for_the_loop() {
    let (rack, _backend, kept) = handing_on("state: exclusive, drain: 10m");
    let b = service(&rack, "b");
    std::thread::scope(|scope| {
        let swapped = scope.spawn(|| rack.swap(&reload("b")));
        until_gated(&*b, &swapped);
        // Who awaits it is told to wait elsewhere, and that it is there to be awaited.
        assert!(Chain::without_waiting(|| b.has_function("f")).is_none());
        assert!(b.is_awaited(Some("f")));
        assert!(!b.is_awaited(Some("plain")));
        assert!(!b.is_awaited(Some("none")));
        let elsewhere = scope.spawn(|| f(&*b));
        // Who does not would hold up the call that was handed on, for which the swap waits.
        let plain = || Chain::on_loop(|| b.call(Some("plain"), Call::new(&[])));
        let refused = scope.spawn(plain).join().unwrap().unwrap_err();
        expect![[r#"
            M0415 The call would hold up the event loop, for which the swap of the slot waits
            Await an `async` function of the slot, or call it from a thread: `await asyncio.to_thread(...)`"#]]
        .assert_eq(&format!(
            "{} {}\n{}",
            refused.code(),
            refused.message(),
            refused.hint_text().unwrap()
        ));
        drop(kept.lock().unwrap().take());
        swapped.join().unwrap().unwrap();
        assert_eq!(elsewhere.join().unwrap().unwrap(), Value::Int(2));
    });
}

#[test]
fn a_call_on_the_loop_waits_at_a_gate_for_who_needs_it_not() {
    let (rack, backend, kept) = handing_on("state: exclusive, drain: 10m");
    drop(kept.lock().unwrap().take());
    let door = Gate::new();
    let exports = door.clone();
    backend.module(
        "b",
        answers(1).exports(move |_| {
            exports.pass();
            Ok(Value::Null)
        }),
    );
    rack.swap(&reload("b")).unwrap();
    backend.module("b", answers(2).imports(|_, _| Ok(())));
    let b = service(&rack, "b");
    std::thread::scope(|scope| {
        let swapped = scope.spawn(|| rack.swap(&reload("b")));
        door.arrived(1);
        let waits = scope.spawn(|| Chain::on_loop(|| b.call(Some("plain"), Call::new(&[]))));
        // Once it waits, the swap comes to wait for the loop: nobody would go on.
        door.open();
        assert_eq!(waits.join().unwrap().unwrap(), Value::Int(2));
        swapped.join().unwrap().unwrap();
    });
    rack.advance(Duration::from_secs(60));
}
