//! Streams that outlive the call that gave them: what they keep of their instance, whom they wait for, who waits for them.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use modrack_core::{
    BackendName, Call, Cancel, Chain, Code, Error, Foreign, ForeignObject, Items, Result, Value,
};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend};
use modrack_runtime::{Bound, Rack};

use crate::rack;

/// Until when a value was asked for, and whether nobody wants it any more.
type Bounds = (Option<Instant>, bool);

type Next = Arc<dyn Fn() -> Option<Result<Value>> + Send + Sync>;

/// A stream whose values are what a function gives.
struct Numbers(Next);

impl ForeignObject for Numbers {
    fn backend(&self) -> BackendName {
        BackendName::Python
    }

    fn type_name(&self) -> String {
        "numbers".into()
    }

    fn to_value(&self) -> Result<Value> {
        Err(Error::new(Code::ValueDoesNotFit, "They are no data"))
    }

    fn items(&self) -> Option<Items> {
        let next = self.0.clone();
        Some(Box::new(std::iter::from_fn(move || next())))
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn stream(next: impl Fn() -> Option<Result<Value>> + Send + Sync + 'static) -> Value {
    Value::Foreign(Foreign::new(Numbers(Arc::new(next))))
}

/// Two numbers, and then no more.
fn two(check: impl Fn() -> Result<()> + Send + Sync + 'static) -> Value {
    let left = Mutex::new(2);
    stream(move || {
        let mut left = left.lock().unwrap();
        *left -= 1;
        (*left >= 0).then(|| check().map(|()| Value::Int(*left)))
    })
}

/// A rack with one slot `a`, whose instances serve calls so.
fn slot(keys: &str, script: Script) -> (Rack, Arc<ScriptedBackend>) {
    let (rack, backend) = rack(&format!("slots: {{ a: {{ use: 'python:a', {keys} }} }}\n"));
    backend.module("a", script.function("f", |_, _| Ok(Value::Null)));
    f(&rack).call(Call::default()).unwrap();
    (rack, backend)
}

fn f(rack: &Rack) -> Bound {
    rack.slot("a").unwrap().function(Some("f")).unwrap()
}

/// The stream that `read` of the slot gives.
fn read(rack: &Rack) -> Foreign {
    let Value::Foreign(object) =
        rack.slot("a").unwrap().function(Some("read")).unwrap().call(Call::default()).unwrap()
    else {
        panic!("it is no object")
    };
    object
}

fn items(object: &Foreign) -> Items {
    object.items().expect("a stream")
}

#[test]
fn a_stream_has_its_instance_until_it_was_read() {
    let check = |instances: &str, stops: [usize; 3]| {
        let script = |stopped: Arc<AtomicBool>| {
            let stop = stopped.clone();
            Script::new()
                .function("read", move |running, _| {
                    // Those of other calls are stopped as they end.
                    let (stopped, first) = (stopped.clone(), running.number == 2);
                    stopped.store(false, Ordering::SeqCst);
                    Ok(two(move || match stopped.load(Ordering::SeqCst) && first {
                        true => Err(Error::new(Code::Raised, "It is stopped")),
                        false => Ok(()),
                    }))
                })
                .on_stop(move || {
                    stop.store(true, Ordering::SeqCst);
                    Ok(())
                })
        };
        let (rack, backend) = slot(&format!("instances: {instances}"), script(Arc::default()));
        let before = backend.count("stop a");
        let stopped = || backend.count("stop a") - before;
        let object = read(&rack);
        assert_eq!(stopped(), stops[0], "{instances}");
        let got: Vec<_> = items(&object).collect::<Result<_>>().unwrap();
        assert_eq!(got, [Value::Int(1), Value::Int(0)], "{instances}");
        assert_eq!(stopped(), stops[1], "{instances}: it was read, and the object is there still");
        drop(object);
        assert_eq!(stopped(), stops[1], "{instances}");
        // One that nobody reads to its end.
        let object = read(&rack);
        assert_eq!(items(&object).next().unwrap().unwrap(), Value::Int(1));
        drop(object);
        assert_eq!(stopped(), stops[2], "{instances}");
        let calls = rack.slot("a").unwrap().pin().unwrap().instance().footprint().calls;
        assert_eq!(calls, 0, "{instances}");
    };
    check("per-call", [0, 1, 2]);
    check("one", [0; 3]);
    check("pool(2)", [0; 3]);
    check("shared", [0; 3]);
}

#[test]
fn what_is_asked_of_a_stream_takes_its_turn() {
    let (gate, inside) = (Gate::new(), Gate::new());
    let (open, arrive) = (gate.clone(), inside.clone());
    let script = Script::new().function("read", move |_, _| {
        let (open, arrive) = (open.clone(), arrive.clone());
        Ok(two(move || {
            arrive.arrive();
            open.pass();
            Ok(())
        }))
    });
    let (rack, backend) = slot("instances: one", script);
    let object = read(&rack);
    let waiting = Gate::new();
    let waits = waiting.clone();
    backend.on_let_go(move |wait| {
        waits.arrive();
        wait();
    });
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| items(&object).collect::<Result<Vec<_>>>().unwrap());
        inside.arrived(1);
        let before = backend.count("call a.f");
        let called = scope.spawn(|| f(&rack).call(Call::default()).unwrap());
        // It is in the queue, and comes between two values at the soonest.
        waiting.arrived(1);
        assert_eq!(backend.count("call a.f"), before);
        gate.open();
        assert_eq!(called.join().unwrap(), Value::Null);
        assert_eq!(reading.join().unwrap().len(), 2);
    });
    assert_eq!(backend.count("start python:a"), 1);
}

#[test]
fn a_stream_waits_for_its_own_instance_and_no_other() {
    let (gate, inside) = (Gate::new(), Gate::new());
    let (open, arrive) = (gate.clone(), inside.clone());
    let script = Script::new()
        .function("read", |running, _| {
            let number = running.number;
            Ok(two(move || if number == 1 { Ok(()) } else { Err(Error::new(Code::Raised, "Another")) }))
        })
        .function("hold", move |running, _| {
            arrive.arrive();
            open.pass();
            Ok(Value::Int(i64::try_from(running.number).unwrap()))
        });
    let (rack, backend) = slot("instances: pool(2)", script);
    let object = read(&rack);
    let waiting = Gate::new();
    let waits = waiting.clone();
    backend.on_let_go(move |wait| {
        waits.arrive();
        wait();
    });
    std::thread::scope(|scope| {
        let hold = rack.slot("a").unwrap().function(Some("hold")).unwrap();
        let held = scope.spawn(move || hold.call(Call::default()).unwrap());
        inside.arrived(1);
        // The other place is free: a call takes it, also past the stream that waits for the first.
        let late = Call { deadline: Some(Instant::now()), ..Call::default() };
        let why = Chain::bounded(&late, || items(&object).next()).unwrap().unwrap_err();
        assert_eq!(why.code(), Code::TimedOut);
        let reading = scope.spawn(|| items(&object).collect::<Result<Vec<_>>>().unwrap());
        waiting.arrived(2);
        assert_eq!(f(&rack).call(Call::default()).unwrap(), Value::Null);
        gate.open();
        assert_eq!(held.join().unwrap(), Value::Int(1));
        assert_eq!(reading.join().unwrap().len(), 2);
    });
    assert_eq!(backend.count("start python:a"), 2);
}

#[test]
fn a_stream_is_read_within_its_own_instance_and_in_no_circle() {
    let given: Arc<Mutex<Option<Foreign>>> = Arc::default();
    let (inside, held) = (given.clone(), given.clone());
    let (rack, backend) = rack(
        "slots:
  a: { use: 'python:a', instances: one, needs: { b: b } }
  b: { use: 'python:b', instances: one, needs: { c: c } }
  c: { use: 'python:c' }
",
    );
    let first = |given: &Mutex<Option<Foreign>>| {
        let object = given.lock().unwrap().clone().unwrap();
        items(&object).next().unwrap()
    };
    backend.module(
        "a",
        Script::new()
            .function("read", |_, _| Ok(two(|| Ok(()))))
            .function("within", move |_, _| first(&inside))
            .function("b", |running, _| running.service("b").call(Some("f"), Call::default())),
    );
    backend.module(
        "b",
        Script::new().function("f", |running, _| running.service("c").call(None, Call::default())),
    );
    backend.module("c", Script::new().function("f", move |_, _| first(&held)));
    *given.lock().unwrap() = Some(read(&rack));
    let call =
        |function: &str| rack.slot("a").unwrap().function(Some(function)).unwrap().call(Call::default());
    // It would wait for the very call that it comes of: it is in the instance already.
    assert_eq!(call("within").unwrap(), Value::Int(1));
    assert_eq!(call("b").unwrap(), Value::Int(0));
    let lost = rack.slot("a").unwrap().stats().lost;
    assert_eq!((lost, backend.count("start python:a")), (0, 1));
    let object = given.lock().unwrap().take().unwrap();
    assert!(rack.stop().is_empty());
    assert_eq!(items(&object).next().unwrap().unwrap_err().code(), Code::RackStopped);
}

#[test]
fn a_stream_that_breaks_its_instance_has_it_replaced_once() {
    let check = |instances: &str, started: usize| {
        let script = Script::new().function("read", |running, _| {
            let breaks = running.breaking();
            Ok(stream(move || {
                breaks();
                Some(Err(Error::new(Code::Raised, "It trapped")))
            }))
        });
        let (rack, backend) = slot(&format!("instances: {instances}"), script);
        let objects = [read(&rack), read(&rack)];
        for object in &objects {
            assert_eq!(items(object).next().unwrap().unwrap_err().message(), "It trapped");
            assert!(items(object).next().is_some_and(|item| item.is_err()));
        }
        assert_eq!(f(&rack).call(Call::default()).unwrap(), Value::Null);
        assert_eq!(backend.count("start python:a"), started, "{instances}");
        rack.slot("a").unwrap().stats().lost
    };
    assert_eq!(check("one", 2), 1);
    assert_eq!(check("pool(2)", 2), 1);
    assert_eq!(check("per-call", 4), 2);
}

#[test]
fn values_have_the_time_of_calls_and_are_given_up_as_calls_are() {
    for instances in ["one", "per-call"] {
        let seen: Arc<Mutex<Vec<Bounds>>> = Arc::default();
        let saw = seen.clone();
        let script = Script::new().function("read", move |_, _| {
            let saw = saw.clone();
            Ok(two(move || {
                let (deadline, cancel) = Chain::bounds();
                saw.lock().unwrap().push((deadline, cancel.is_some_and(|cancel| cancel.is_cancelled())));
                Ok(())
            }))
        });
        let (rack, _backend) = slot(&format!("instances: {instances}, limits: {{ time: 1h }}"), script);
        let object = read(&rack);
        let began = Instant::now();
        items(&object).next().unwrap().unwrap();
        let cancel = Cancel::default();
        cancel.cancel();
        let given_up = Call { cancel: Some(&cancel), deadline: Some(began), ..Call::default() };
        Chain::bounded(&given_up, || items(&object).next()).unwrap().unwrap();
        let seen = seen.lock().unwrap();
        let hour = seen[0].0.unwrap() - began;
        assert!(hour >= Duration::from_secs(3600) && hour < Duration::from_secs(7200), "{instances}");
        assert_eq!((seen[0].1, seen[1]), (false, (Some(began), true)), "{instances}");
    }
}

#[test]
fn a_stream_of_another_slot_is_handed_on_with_what_it_keeps() {
    let (rack, backend) = rack(
        "slots: { a: { use: 'python:a', instances: per-call, needs: { b: b } }, b: { use: 'python:b', instances: per-call } }\n",
    );
    backend.module(
        "a",
        Script::new().function("read", |running, _| running.service("b").call(Some("read"), Call::default())),
    );
    backend.module("b", Script::new().function("read", |_, _| Ok(two(|| Ok(())))));
    let object = read(&rack);
    // Only what it reads from is kept.
    assert_eq!((backend.count("stop a"), backend.count("stop b")), (1, 0));
    assert_eq!(items(&object).count(), 2);
    assert_eq!((backend.count("stop a"), backend.count("stop b")), (1, 1));
    assert_eq!(object.type_name(), "numbers");
    assert!(object.downcast::<Numbers>().is_some());
}
