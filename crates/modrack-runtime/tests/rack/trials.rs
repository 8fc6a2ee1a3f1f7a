//! What a trial counts of a new module, and what it holds that against.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use modrack_core::{Call, Cancel, Code, Error, Result, SlotName, Value};
use modrack_runtime::doubles::{Script, ScriptedBackend};
use modrack_runtime::{Event, Rack, Swap};

use crate::rack;

const TRIAL: &str = "trial: { for: 1h, min-calls: 4, errors: 5% }";

/// A rack with a slot `a` that swaps so, and what it tells.
fn slot(swap: &str) -> (Rack, Arc<ScriptedBackend>, mpsc::Receiver<Event>) {
    let (rack, backend) = rack(&format!(
        "slots: {{ a: {{ use: 'python:a', swap: {{ {swap} }} }}, b: {{ use: 'python:b', swap: {{ trial: {{ for: 1s }} }} }} }}\n"
    ));
    backend.module("a", good());
    backend.module("b", good());
    call(&rack).unwrap();
    rack.slot("b").unwrap().pin().unwrap();
    let (send, told) = mpsc::channel();
    let send = Mutex::new(send);
    rack.observe(move |event| drop(send.lock().unwrap().send(event.clone())));
    (rack, backend, told)
}

fn good() -> Script {
    Script::new().function("f", |_, _| Ok(Value::Int(1)))
}

fn failing(with: impl Fn() -> Error + Send + Sync + 'static) -> Script {
    Script::new().function("f", move |_, _| Err(with()))
}

fn raised() -> Error {
    Error::new(Code::Raised, "Never")
}

fn call(rack: &Rack) -> Result<Value> {
    rack.slot("a").unwrap().function(Some("f")).unwrap().call(Call::default())
}

fn reload(rack: &Rack) {
    rack.swap(&Swap::reload(name("a"))).unwrap();
}

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).unwrap()
}

/// Whether the trial that is under way comes to nothing: it is gone back, or it is stood when it is over.
fn goes_back(rack: &Rack, told: &mpsc::Receiver<Event>) -> bool {
    let is_back = |event: &Event| matches!(event, Event::RolledBack { .. });
    // Whoever looks after trials has looked when it has stopped what was swapped in `b`.
    for _ in 0..2 {
        rack.swap(&Swap::reload(name("b"))).unwrap();
        rack.advance(Duration::from_secs(2));
        let retired = |event: &Event| matches!(event, Event::Retired { slot, .. } if slot.as_str() == "b");
        let next =
            std::iter::repeat_with(|| told.recv().unwrap()).find(|event| is_back(event) || retired(event));
        if is_back(&next.unwrap()) {
            return true;
        }
    }
    rack.advance(Duration::from_secs(2 * 60 * 60));
    let ended = |event: &Event| is_back(event) || matches!(event, Event::Settled { .. });
    is_back(&std::iter::repeat_with(|| told.recv().unwrap()).find(ended).unwrap())
}

/// Waits until the rack went back by itself.
fn went_back(told: &mpsc::Receiver<Event>) {
    let is_back = |event: &Event| matches!(event, Event::RolledBack { why: Some(_), .. });
    std::iter::repeat_with(|| told.recv().unwrap()).find(is_back).unwrap();
}

#[test]
fn calls_through_a_pin_count_for_the_trial() {
    // Each through the runtime, or told of by who made them.
    for by_itself in [false, true] {
        let (rack, backend, told) = slot(TRIAL);
        backend.module("a", failing(raised));
        reload(&rack);
        let pin = rack.slot("a").unwrap().pin().unwrap();
        let (name, function) = pin.function(Some("f")).unwrap();
        if by_itself {
            pin.record(100, 100, Duration::from_millis(1));
        } else {
            for _ in 0..4 {
                pin.run(&name, &*function, Call::default()).unwrap_err();
            }
        }
        drop(pin);
        went_back(&told);
        assert_eq!(call(&rack).unwrap(), Value::Int(1));
    }
}

#[test]
fn few_of_many_calls_that_were_told_of_do_not_fail_a_trial() {
    let (rack, backend, told) = slot(TRIAL);
    backend.module("a", good());
    reload(&rack);
    rack.slot("a").unwrap().pin().unwrap().record(100, 5, Duration::from_millis(1));
    assert!(!goes_back(&rack, &told));
}

#[test]
fn what_callers_do_wrong_is_not_held_against_a_module() {
    for code in [Code::BadArguments, Code::Cancelled, Code::Interrupted] {
        let (rack, backend, told) = slot(TRIAL);
        backend.module("a", failing(move || Error::new(code, "The caller's doing")));
        reload(&rack);
        for _ in 0..20 {
            call(&rack).unwrap_err();
        }
        let cancel = Cancel::default();
        cancel.cancel();
        let f = rack.slot("a").unwrap().function(Some("f")).unwrap();
        assert_eq!(
            f.call(Call { cancel: Some(&cancel), ..Call::default() }).unwrap_err().code(),
            Code::Cancelled
        );
        assert!(!goes_back(&rack, &told), "{code}");
    }
}

#[test]
fn arguments_that_another_slot_refuses_are_the_doing_of_the_module() {
    let (rack, backend, told) = slot(TRIAL);
    let other = name("other");
    backend.module("a", failing(move || Error::new(Code::BadArguments, "Refused").slot(&other)));
    reload(&rack);
    for _ in 0..4 {
        let _ = call(&rack);
    }
    went_back(&told);
}

#[test]
fn probes_are_no_calls_of_a_trial() {
    let (rack, backend, told) = slot(
        "probe: [{ call: [f] }, { call: [f] }, { call: [f] }, { call: [f] }], trial: { for: 1h, min-calls: 4, slower: 2x }",
    );
    for _ in 0..20 {
        call(&rack).unwrap();
    }
    let probed = Mutex::new(0);
    let slow = Script::new().function("f", move |_, _| {
        let mut probed = probed.lock().unwrap();
        *probed += 1;
        let began = std::time::Instant::now();
        // Its first calls are slow: those are the probes.
        while *probed <= 4 && began.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        Ok(Value::Int(2))
    });
    backend.module("a", slow);
    reload(&rack);
    assert!(!goes_back(&rack, &told));
    assert_eq!(call(&rack).unwrap(), Value::Int(2));
}

#[test]
fn a_module_whose_calls_nobody_counted_is_a_measure_only_where_none_failed() {
    for fails in [false, true] {
        let (rack, backend, told) = slot("trial: { for: 1h }");
        if fails {
            backend.module("a", failing(raised));
            reload(&rack);
            call(&rack).unwrap_err();
            assert!(!goes_back(&rack, &told));
        }
        let mut plan = (*rack.slot("a").unwrap().plan()).clone();
        plan.swap.trial.min_calls = 4;
        plan.swap.trial.errors = Some(0.01);
        backend.module("a", failing(raised));
        rack.swap(&Swap::to(plan)).unwrap();
        for _ in 0..20 {
            let _ = call(&rack);
        }
        // Of one that failed as well it is not known how often.
        assert_eq!(goes_back(&rack, &told), !fails);
        if fails {
            // What comes after it is held against it: all of its calls failed.
            reload(&rack);
            for _ in 0..20 {
                call(&rack).unwrap_err();
            }
            assert!(!goes_back(&rack, &told));
        }
    }
}
