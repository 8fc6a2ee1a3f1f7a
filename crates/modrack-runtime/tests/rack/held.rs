//! What is left of generations that were stopped: when it is looked for, and who is told.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use modrack_core::{Call, Effort, Left, SlotName, Text, Value};
use modrack_runtime::doubles::{Gate, Script, ScriptedBackend, refuse_fences};
use modrack_runtime::{Asked, Before, Event, Held, Rack, Swap};

use crate::rack;

/// A rack whose module leaves what the looks are given, one after the other, and then the last of it for good; and what the
/// looks were allowed.
struct Lab {
    rack: Rack,
    backend: Arc<ScriptedBackend>,
    looks: mpsc::Receiver<Effort>,
    events: mpsc::Receiver<Held>,
}

impl Lab {
    fn new(finds: Vec<Left>) -> Self {
        let (rack, backend) = rack("slots:\n  a: { use: 'python:a', swap: { trial: { for: 0s } } }\n");
        let (send, looks) = mpsc::channel();
        let (finds, send) = (Mutex::new(finds.into_iter()), Mutex::new(send));
        let last = Mutex::new(Left::Nothing);
        let module = Script::new().function("f", |_, _| Ok(Value::Int(1))).leaves(move |effort| {
            send.lock().unwrap().send(effort).unwrap();
            let mut last = last.lock().unwrap();
            if effort != Effort::Glance
                && let Some(next) = finds.lock().unwrap().next()
            {
                *last = next;
            }
            last.clone()
        });
        backend.module("a", module);
        let (send, events) = mpsc::channel();
        let send = Mutex::new(send);
        rack.observe(move |event| {
            if let Event::Held { slot, generation, holders } = event {
                let (slot, generation, holders) = (slot.clone(), *generation, holders.clone());
                // Nobody listens when the test is over.
                let _ = send.lock().unwrap().send(Held { slot, generation, holders });
            }
        });
        let lab = Self { rack, backend, looks, events };
        call(&lab.rack);
        lab
    }

    /// Puts a module that leaves nothing in its place.
    fn swap(&self) {
        self.backend.module("a", Script::new().function("f", |_, _| Ok(Value::Int(1))));
        self.rack.swap(&Swap::reload(name())).unwrap();
    }

    fn look(&self) -> Effort {
        self.looks.recv_timeout(Duration::from_secs(60)).unwrap()
    }
}

fn call(rack: &Rack) {
    let function = rack.slot("a").unwrap().function(Some("f")).unwrap();
    assert_eq!(function.call(Call::new(&[])).unwrap(), Value::Int(1));
}

fn name() -> SlotName {
    SlotName::parse("a").unwrap()
}

fn by(holders: &[&str]) -> Left {
    Left::Held(holders.iter().map(|&holder| Text::from(holder)).collect())
}

#[test]
fn what_goes_by_itself_is_not_told() {
    let lab = Lab::new(vec![by(&["Thread `worker`"]), Left::Nothing]);
    lab.swap();
    lab.rack.advance(Duration::from_millis(100));
    assert_eq!(lab.look(), Effort::Idle);
    lab.rack.advance(Duration::from_secs(2));
    assert_eq!(lab.look(), Effort::Idle);
    assert!(lab.rack.stop().is_empty());
    assert!(lab.events.try_recv().is_err() && lab.rack.held().is_empty());
}

#[test]
fn what_is_held_is_told_once_with_who_holds_it() {
    let lab = Lab::new(vec![Left::Unknown, by(&["Thread `worker`", "`sys.meta_path`"])]);
    lab.swap();
    for _ in 0..2 {
        lab.rack.advance(Duration::from_secs(2));
        assert_eq!(lab.look(), Effort::Idle);
    }
    let held = lab.events.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!((held.slot.as_str(), held.generation.0), ("a", 1));
    assert_eq!(held.holders, ["Thread `worker`", "`sys.meta_path`"].map(Text::from));
    assert_eq!(lab.rack.held(), [held]);
    // Who lists them is told of what has gone meanwhile: that costs no more than a glance.
    assert_eq!(lab.look(), Effort::Glance);
    lab.rack.advance(Duration::from_secs(60));
    lab.rack.stop();
    assert!(lab.looks.try_recv().is_err() && lab.events.try_recv().is_err());
}

#[test]
fn what_is_not_known_is_looked_for_again_while_calls_go_on() {
    let lab = Lab::new(vec![Left::Unknown, Left::Unknown, Left::Unknown, Left::Nothing]);
    let gate = Gate::new();
    let inside = gate.clone();
    let busy = Script::new().function("f", move |_, _| {
        inside.pass();
        Ok(Value::Int(1))
    });
    lab.backend.module("a", busy);
    lab.rack.swap(&Swap::reload(name())).unwrap();
    let rack = &lab.rack;
    std::thread::scope(|scope| {
        scope.spawn(|| call(rack));
        gate.arrived(1);
        for _ in 0..3 {
            lab.rack.advance(Duration::from_secs(2));
            // The first may have come before the call.
            assert!(lab.look() >= Effort::Busy);
        }
        gate.open();
    });
    lab.rack.advance(Duration::from_secs(2));
    assert_eq!(lab.look(), Effort::Idle);
    assert!(lab.rack.held().is_empty());
}

#[test]
fn what_never_served_and_what_was_unloaded_is_looked_for_as_well() {
    let lab = Lab::new(vec![Left::Nothing]);
    lab.rack.unload(&name(), Asked::default()).unwrap();
    lab.rack.advance(Duration::from_secs(2));
    assert_eq!(lab.look(), Effort::Idle);
    call(&lab.rack);
    // It has no `f`, which is in use: it is stopped again.
    let (send, looks) = mpsc::channel();
    let send = Mutex::new(send);
    let module = Script::new().unlisted().leaves(move |effort| {
        send.lock().unwrap().send(effort).unwrap();
        Left::Nothing
    });
    lab.backend.module("a", module);
    lab.rack.swap(&Swap::reload(name())).unwrap_err();
    lab.rack.advance(Duration::from_secs(2));
    assert_eq!(looks.recv_timeout(Duration::from_secs(60)).unwrap(), Effort::Idle);
}

#[test]
fn who_cannot_know_whether_calls_have_ended_keeps_what_is_replaced_and_says_so_once() {
    let (rack, backend) = rack("slots:\n  a: { use: 'python:a', swap: { trial: { for: 0s }, drain: 0s } }\n");
    backend.module("a", Script::new().function("f", |_, _| Ok(Value::Int(1))));
    rack.slot("a").unwrap().pin().unwrap();
    refuse_fences(true);
    assert_eq!(rack.swap(&Swap::reload(name())).unwrap().before, Before::Lingering);
    rack.swap(&Swap::reload(name())).unwrap();
    let told = rack.events_since(0);
    let warned =
        told.iter().filter(|told| told.name == "warning").map(|told| told.fields["error"].to_string());
    let warned: Vec<_> = warned.collect();
    assert!(warned.len() == 1 && warned[0].contains("membarrier"), "{warned:?}");
    // As soon as it can be known, they go.
    refuse_fences(false);
    assert_eq!(rack.swap(&Swap::reload(name())).unwrap().before, Before::Stopped);
    assert!(rack.stop().is_empty());
    let record = backend.record();
    assert_eq!(record.iter().filter(|entry| entry.starts_with("stop ")).count(), 4, "{record:?}");
}
