//! Calls that go on when their function has returned, because what it gave is awaited elsewhere: until that is done they have
//! their instance, are held to their time, and are counted by nobody.

use std::any::Any;
use std::sync::{Arc, Mutex, mpsc};

use expect_test::expect;
use modrack_core::{
    AtEnd, BackendName, Call, Chain, Code, Error, Foreign, ForeignObject, Items, Later, Result, Service,
    SlotName, Value, timed_out,
};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend};
use modrack_runtime::{Event, Rack, Swap};

use crate::rack;

/// What `begin` gives: its call goes on until this is told that it has ended.
#[derive(Clone, Default)]
struct Promise(Arc<Mutex<Vec<Box<dyn AtEnd>>>>);

impl Promise {
    fn end(&self, worked: Option<bool>) {
        let ends = std::mem::take(&mut *self.0.lock().unwrap());
        ends.into_iter().for_each(|end| end.ended(worked));
    }

    fn late(&self) -> Error {
        self.0.lock().unwrap().iter().fold(timed_out("begin", None), |late, end| end.blame(late))
    }
}

impl Later for Promise {
    fn at_end(&self, end: Box<dyn AtEnd>) {
        self.0.lock().unwrap().push(end);
    }
}

impl ForeignObject for Promise {
    fn backend(&self) -> BackendName {
        BackendName::Python
    }

    fn type_name(&self) -> String {
        "promise".into()
    }

    fn to_value(&self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn items(&self) -> Option<Items> {
        None
    }

    fn is_stream(&self) -> bool {
        false
    }

    fn later(&self) -> Option<&dyn Later> {
        Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A rack with a slot `b` that has these keys, and what its `begin` gives; `f` gives 1.
fn promising(keys: &str) -> (Rack, Arc<ScriptedBackend>, Arc<dyn Service>, Promise) {
    let (rack, backend) = rack(&format!("slots: {{ b: {{ use: 'python:b', {keys} }} }}\n"));
    let promise = Promise::default();
    backend.module("b", script(&promise));
    let b = rack.slot("b").unwrap().service();
    (rack, backend, b, promise)
}

fn script(promise: &Promise) -> Script {
    let promise = promise.clone();
    Script::new()
        .function("begin", move |_, _| Ok(Value::Foreign(Foreign::new(promise.clone()))))
        .function("f", |_, _| Ok(Value::Int(1)))
}

fn begin(b: &dyn Service) {
    b.call(Some("begin"), Call::new(&[])).unwrap();
}

fn f(b: &dyn Service) -> Result<Value> {
    b.call(Some("f"), Call::new(&[]))
}

#[test]
fn an_instance_takes_no_other_call_until_what_it_gave_was_awaited() {
    let (_rack, _backend, b, promise) = promising("instances: one");
    begin(&*b);
    assert!(Chain::without_waiting(|| f(&*b)).is_none());
    promise.end(Some(true));
    assert_eq!(Chain::without_waiting(|| f(&*b)).unwrap().unwrap(), Value::Int(1));
    // What is never awaited gives its instance back as well, when it goes.
    begin(&*b);
    assert!(Chain::without_waiting(|| f(&*b)).is_none());
    promise.0.lock().unwrap().clear();
    assert_eq!(Chain::without_waiting(|| f(&*b)).unwrap().unwrap(), Value::Int(1));
}

#[test]
fn an_instance_of_a_call_is_stopped_when_what_it_gave_was_awaited() {
    let (_rack, backend, b, promise) = promising("instances: per-call");
    begin(&*b);
    f(&*b).unwrap();
    assert_eq!(backend.count("stop b"), 1);
    promise.end(Some(true));
    while backend.count("stop b") < 2 {
        std::thread::yield_now();
    }
}

#[test]
fn branches_of_one_chain_wait_for_each_other() {
    let (_rack, backend, b, promise) = promising("instances: one");
    let waits = Gate::new();
    let asks = waits.clone();
    backend.on_let_go(move |wait| {
        asks.open();
        wait();
    });
    Chain::branch(|| begin(&*b));
    let chain = Chain::here();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| chain.within(|| Chain::branch(|| f(&*b))));
        waits.pass();
        promise.end(Some(true));
        assert_eq!(other.join().unwrap().unwrap(), Value::Int(1));
    });
}

#[test]
fn a_branch_does_not_wait_for_what_it_comes_of() {
    let (_rack, _backend, b, promise) = promising("instances: one");
    let chain = Chain::branch(|| {
        begin(&*b);
        Chain::here()
    });
    let refused = std::thread::scope(|scope| {
        let nested = || chain.within(|| Chain::branch(|| Chain::branch(|| f(&*b))));
        scope.spawn(nested).join().unwrap().unwrap_err()
    });
    assert_eq!(refused.code(), Code::Reentered);
    promise.end(Some(true));
    assert_eq!(f(&*b).unwrap(), Value::Int(1));
}

#[test]
fn two_branches_that_want_what_the_other_has_are_refused() {
    let (rack, backend) =
        rack("slots:\n  a: { use: 'python:a', instances: one }\n  b: { use: 'python:b', instances: one }\n");
    let [one, two] = [Promise::default(), Promise::default()];
    backend.module("a", script(&one));
    backend.module("b", script(&two));
    let [a, b] = ["a", "b"].map(|slot| rack.slot(slot).unwrap().service());
    let waits = Gate::new();
    let asks = waits.clone();
    let begins = |slot: &Arc<dyn Service>| {
        Chain::branch(|| {
            begin(&**slot);
            Chain::here()
        })
    };
    let (in_a, in_b) = (begins(&a), begins(&b));
    backend.on_let_go(move |wait| {
        asks.open();
        wait();
    });
    std::thread::scope(|scope| {
        // Each from a branch of its own of the call that has the other slot.
        let first = scope.spawn(|| in_a.within(|| Chain::branch(|| f(&*b))));
        waits.pass();
        let second = scope.spawn(|| in_b.within(|| Chain::branch(|| f(&*a)))).join().unwrap();
        let refused = second.unwrap_err();
        assert_eq!(refused.code(), Code::Reentered);
        two.end(None);
        assert_eq!(first.join().unwrap().unwrap(), Value::Int(1));
    });
    one.end(None);
}

#[test]
fn a_trial_counts_a_call_when_what_it_gave_was_awaited() {
    let (rack, backend, b, promise) = promising("swap: { trial: { for: 1h, min-calls: 4, errors: 5% } }");
    let (send, told) = mpsc::channel();
    let send = Mutex::new(send);
    rack.observe(move |event| drop(send.lock().unwrap().send(event.clone())));
    for _ in 0..4 {
        f(&*b).unwrap();
    }
    let failing = Promise::default();
    backend.module("b", script(&failing));
    rack.swap(&Swap::reload(SlotName::parse("b").unwrap())).unwrap();
    for _ in 0..3 {
        begin(&*b);
        failing.end(Some(false));
    }
    // Their callers gave these up, and nobody awaited that one.
    begin(&*b);
    failing.end(None);
    begin(&*b);
    failing.0.lock().unwrap().clear();
    assert!(told.try_iter().all(|event| !matches!(event, Event::RolledBack { .. })));
    begin(&*b);
    failing.end(Some(false));
    let back = told.iter().find(|event| matches!(event, Event::RolledBack { .. } | Event::Settled { .. }));
    assert!(matches!(back, Some(Event::RolledBack { .. })), "{back:?}");
    drop(promise);
}

#[test]
fn an_awaited_call_that_is_late_is_its_slots() {
    let (_rack, _backend, b, promise) = promising("limits: { time: 1m }");
    begin(&*b);
    let late = promise.late();
    expect!["M0508 b: `begin` took longer than 60s"].assert_eq(&format!(
        "{} {}: {}",
        late.code(),
        late.slot_name().unwrap(),
        late.message()
    ));
    promise.end(Some(false));
}
