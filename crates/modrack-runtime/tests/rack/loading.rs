//! Loading: one owner, waiters, failures, cycles, and letting go of interpreters while waiting.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use expect_test::expect;
use modrack_core::plan::{Limits, SlotPlan, SlotRef};
use modrack_core::{Call, Cancel, Chain, Code, Error, Result, SlotName, Use, Value};
use modrack_runtime::doubles::{Gate, Running, Script, ScriptedBackend};
use modrack_runtime::{Asked, Rack, Swap};

use crate::{rack, shown, text};

const THREADS: usize = 16;

/// Runs `each` on so many threads at once.
fn on_threads<R: Send>(each: impl Fn() -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(&each)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Calls the slot's `f`, and gives what came of it.
fn call(rack: &Rack, slot: &str) -> Result<Value> {
    rack.slot(slot)?.function(Some("f"))?.call(Call::new(&[]))
}

/// Lets the backend's starts go on only when everybody else waits for the load.
fn when_all_wait(backend: &ScriptedBackend) -> Arc<Gate> {
    let waiting = Gate::new();
    let arrivals = waiting.clone();
    backend.on_let_go(move |wait| {
        arrivals.arrive();
        wait();
    });
    waiting
}

#[test]
fn who_asks_first_loads_and_the_others_wait() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    let waiting = when_all_wait(&backend);
    let script = Script::new().function("f", |_, _| Ok(text("done")));
    backend.module(
        "a",
        script.on_start(move |_| {
            waiting.arrived(THREADS - 1);
            Ok(())
        }),
    );
    for result in on_threads(|| call(&rack, "a")) {
        assert_eq!(result.unwrap(), text("done"));
    }
    assert_eq!(backend.count("describe python:a"), 1);
    assert_eq!(backend.count("start python:a"), 1);
    assert_eq!(backend.count("call a.f"), THREADS);
    let stats = rack.slot("a").unwrap().stats();
    assert_eq!((stats.find.count, stats.check.count, stats.load.count, stats.start.count), (1, 1, 1, 1));
    assert_eq!(stats.load.mean(), Duration::from_millis(2));
}

#[test]
fn a_failure_is_reported_to_all_and_the_next_call_tries_again() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    let waiting = when_all_wait(&backend);
    let attempts = AtomicUsize::new(0);
    let script = Script::new().function("f", |_, _| Ok(text("mended")));
    backend.module(
        "a",
        script.on_start(move |_| {
            if attempts.fetch_add(1, Ordering::Relaxed) > 0 {
                return Ok(());
            }
            waiting.arrived(THREADS - 1);
            Err(Error::new(Code::ConstructFailed, "It is broken").hint("Mend it"))
        }),
    );
    let errors: Vec<_> = on_threads(|| call(&rack, "a").unwrap_err()).iter().map(shown).collect();
    expect![[r#"
        M0403 slot=a module=a generation=1 phase=start at=rack.yaml:2:20(slots.a.use)
          It is broken
          hint: Mend it
    "#]]
    .assert_eq(&errors[0]);
    assert!(errors.iter().all(|error| *error == errors[0]));
    assert_eq!(backend.count("start python:a"), 1);
    assert_eq!(call(&rack, "a").unwrap(), text("mended"));
    assert_eq!(backend.count("describe python:a"), 2, "a module that was mended is read again");
    let stats = rack.slot("a").unwrap().stats();
    assert_eq!((stats.start.count, stats.start.errors), (2, 1));
}

#[test]
fn a_panic_while_loading_is_a_failure_for_all() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    let waiting = when_all_wait(&backend);
    backend.module(
        "a",
        Script::new().on_start(move |_| {
            waiting.arrived(THREADS - 1);
            panic!("the script panics")
        }),
    );
    for error in on_threads(|| call(&rack, "a").unwrap_err()) {
        assert_eq!(error.code(), Code::Internal);
        assert_eq!(error.message(), "The backend panicked: the script panics");
        assert_eq!(error.slot_name().unwrap().as_str(), "a");
    }
    backend.module("a", Script::new().function("f", |_, _| Ok(Value::Null)));
    assert_eq!(call(&rack, "a").unwrap(), Value::Null);
}

/// A lock that a thread holds while it runs and that is not tied to any scope, as an interpreter's is.
#[derive(Default)]
struct Interpreter {
    holder: Mutex<Option<ThreadId>>,
    released: Condvar,
}

impl Interpreter {
    fn take(&self) {
        let holder = self.holder.lock().unwrap();
        let mut holder = self.released.wait_while(holder, |holder| holder.is_some()).unwrap();
        *holder = Some(std::thread::current().id());
    }

    fn release(&self) {
        *self.holder.lock().unwrap() = None;
        self.released.notify_all();
    }

    fn is_mine(&self) -> bool {
        *self.holder.lock().unwrap() == Some(std::thread::current().id())
    }
}

#[test]
fn who_waits_lets_go_of_what_the_loader_needs() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    let interpreter = Arc::new(Interpreter::default());
    let lock = interpreter.clone();
    backend.on_let_go(move |wait| {
        let mine = lock.is_mine();
        if mine {
            lock.release();
        }
        wait();
        if mine {
            lock.take();
        }
    });
    let (started, lock) = (Gate::new(), interpreter.clone());
    let starting = started.clone();
    backend.module(
        "a",
        Script::new().function("f", |_, _| Ok(Value::Null)).on_start(move |_| {
            starting.arrive();
            lock.take();
            lock.release();
            Ok(())
        }),
    );
    interpreter.take();
    std::thread::scope(|scope| {
        let loader = scope.spawn(|| call(&rack, "a"));
        started.arrived(1);
        // This thread holds what the loader needs, and waits for the loader.
        call(&rack, "a").unwrap();
        assert!(interpreter.is_mine());
        loader.join().unwrap().unwrap();
    });
}

/// A module that calls the slot that is injected into it as `other` while it starts.
fn asks_other() -> Script {
    Script::new().function("f", |_, _| Ok(Value::Null)).on_start(ask_other)
}

fn ask_other(running: &Running) -> Result<()> {
    running.service("other").call(Some("f"), Call::new(&[])).map(drop)
}

/// A rack of slots that are each injected into the one before, and the first into the last. A rack's text may
/// not say that; slots that are declared while it runs may.
fn circle(slots: &[&str]) -> (Rack, Arc<ScriptedBackend>) {
    let (rack, backend) = rack("");
    for (at, slot) in slots.iter().enumerate() {
        let other = SlotName::parse(slots[(at + 1) % slots.len()]).unwrap();
        let use_text = format!("python:{slot}");
        let plan = SlotPlan {
            name: SlotName::parse(slot).unwrap(),
            needs: vec![("other".into(), SlotRef::Declared(other))],
            ..SlotPlan::undeclared(&use_text, Use::parse(&use_text).unwrap(), Limits::default())
        };
        rack.declare(plan).unwrap();
    }
    (rack, backend)
}

#[test]
fn slots_that_start_each_other_in_one_thread_are_named() {
    let (rack, backend) = circle(&["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        backend.module(name, asks_other());
    }
    let error = call(&rack, "b").unwrap_err();
    assert_eq!(error.code(), Code::LoadCycle);
    assert_eq!(error.message(), "Slots wait for each other to load: `b` -> `c` -> `a` -> `b`");
    assert!(error.hint_text().is_some());
}

#[test]
fn slots_that_wait_for_each_other_across_threads_are_named() {
    let (rack, backend) = circle(&["a", "b", "c"]);
    let all_loading = Gate::new();
    for name in ["a", "b", "c"] {
        let all_loading = all_loading.clone();
        backend.module(
            name,
            Script::new().function("f", |_, _| Ok(Value::Null)).on_start(move |running| {
                all_loading.arrive();
                all_loading.arrived(3);
                ask_other(running)
            }),
        );
    }
    let errors: Vec<Error> = std::thread::scope(|scope| {
        let threads = ["a", "b", "c"].map(|slot| scope.spawn(|| call(&rack, slot)));
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    // One of them closes the circle; the others fail with what it failed with.
    assert_eq!(errors.len(), 3);
    for error in errors {
        assert_eq!(error.code(), Code::LoadCycle);
        for slot in ["`a`", "`b`", "`c`"] {
            assert!(error.message().contains(slot), "{}", error.message());
        }
    }
}

#[test]
fn a_slot_that_is_needed_loads_when_it_is_called() {
    let (rack, backend) = circle(&["a", "b"]);
    // Needing each other is no circle while nobody waits.
    let forward = |running: &Running, call: Call<'_>| running.service("other").call(Some("g"), call);
    let own = |running: &Running, _: Call<'_>| Ok(Value::from(running.slot.as_str()));
    for name in ["a", "b"] {
        backend.module(name, Script::new().function("f", forward).function("g", own));
    }
    let a = rack.slot("a").unwrap().function(Some("f")).unwrap();
    assert_eq!(backend.record(), ["describe python:a", "start python:a"]);
    assert_eq!(a.call(Call::new(&[])).unwrap(), text("b"));
    assert_eq!(call(&rack, "b").unwrap(), text("a"));
}

#[test]
fn a_call_does_not_wait_longer_for_a_load_than_it_may() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    let (started, gate) = (Gate::new(), Gate::new());
    let (has_started, passing) = (started.clone(), gate.clone());
    backend.module(
        "a",
        Script::new().function("f", |_, _| Ok(Value::Null)).on_start(move |_| {
            has_started.arrive();
            passing.pass();
            Ok(())
        }),
    );
    let service = rack.slot("a").unwrap().service();
    std::thread::scope(|scope| {
        let loader = scope.spawn(|| call(&rack, "a"));
        started.arrived(1);
        let late = Call { deadline: Some(Instant::now()), ..Call::default() };
        let error = service.call(Some("f"), late).unwrap_err();
        assert_eq!(error.code(), Code::TimedOut);
        gate.open();
        loader.join().unwrap().unwrap();
    });
}

#[test]
fn who_gives_up_or_stops_the_rack_waits_for_no_load_that_hangs() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    let (gate, passing) = (Gate::new(), Gate::new());
    let inside = gate.clone();
    let script = Script::new().function("f", |_, _| Ok(Value::Null));
    backend.module(
        "a",
        script.on_start(move |_| {
            inside.pass();
            Ok(())
        }),
    );
    let waiting = passing.clone();
    backend.on_let_go(move |wait| {
        waiting.arrive();
        wait();
    });
    let (service, cancel) = (rack.slot("a").unwrap().service(), Cancel::default());
    std::thread::scope(|scope| {
        let loader = scope.spawn(|| call(&rack, "a"));
        gate.arrived(1);
        let given_up = scope.spawn(|| {
            service.call(Some("f"), Call { cancel: Some(&cancel), ..Call::default() }).unwrap_err().code()
        });
        passing.arrived(1);
        cancel.cancel();
        assert_eq!(given_up.join().unwrap(), Code::Cancelled);
        // The bounds of the call that a module is in hold for what it waits for.
        let late = Call { deadline: Some(Instant::now()), ..Call::default() };
        let nested = Chain::bounded(&late, || service.attribute("x"));
        assert_eq!(nested.unwrap_err().code(), Code::TimedOut);
        let stopped = scope.spawn(|| call(&rack, "a").unwrap_err().code());
        passing.arrived(3);
        assert!(rack.stop().is_empty());
        assert_eq!(stopped.join().unwrap(), Code::RackStopped);
        gate.open();
        assert_eq!(loader.join().unwrap().unwrap_err().code(), Code::RackStopped);
    });
}

#[test]
fn a_load_that_awaits_the_event_loop_does_not_wait_for_who_holds_it_up() {
    // The load awaits before it is waited for, or only once somebody waits for it on the loop's thread.
    for awaits_first in [true, false] {
        let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
        let (begun, held_up, ended) = (Gate::new(), Gate::new(), Gate::new());
        let (begins, waits, ends) = (begun.clone(), held_up.clone(), ended.clone());
        let script = Script::new().function("f", |_, _| Ok(Value::Int(1))).on_start(move |_| {
            if awaits_first {
                let awaiting = Chain::awaits();
                begins.arrive();
                ends.pass();
                drop(awaiting);
            } else {
                begins.arrive();
                waits.pass();
                let _awaiting = Chain::awaits();
                ends.pass();
            }
            Ok(())
        });
        backend.module("a", script);
        let asks = held_up.clone();
        backend.on_let_go(move |wait| {
            asks.open();
            wait();
        });
        let call = || call(&rack, "a");
        std::thread::scope(|scope| {
            let loads = scope.spawn(call);
            begun.arrived(1);
            let refused = scope.spawn(|| Chain::on_loop(call)).join().unwrap().unwrap_err();
            assert_eq!(refused.code(), Code::LoadCycle);
            assert_eq!(refused.message(), "Slots wait for each other to load: `a` -> `a`");
            ended.open();
            assert_eq!(loads.join().unwrap().unwrap(), Value::Int(1));
        });
        assert_eq!(call().unwrap(), Value::Int(1));
    }
}

#[test]
fn a_wait_on_the_event_loop_for_what_goes_on_without_it_ends() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    let (begun, ended) = (Gate::new(), Gate::new());
    let (begins, ends) = (begun.clone(), ended.clone());
    let script = Script::new().function("f", |_, _| Ok(Value::Int(1))).on_start(move |_| {
        begins.arrive();
        ends.pass();
        Ok(())
    });
    backend.module("a", script);
    let goes_on = ended.clone();
    backend.on_let_go(move |wait| {
        goes_on.open();
        wait();
    });
    let call = || call(&rack, "a");
    std::thread::scope(|scope| {
        let loads = scope.spawn(call);
        begun.arrived(1);
        // Somebody else awaits the loop meanwhile, and has nothing to do with the load.
        let _awaiting = scope.spawn(Chain::awaits).join().unwrap();
        assert_eq!(scope.spawn(|| Chain::on_loop(call)).join().unwrap().unwrap(), Value::Int(1));
        assert_eq!(loads.join().unwrap().unwrap(), Value::Int(1));
    });
}

/// Has a swap fill slot `a` beside a call of it, of which the one waits for the load of the other, and gives what came of both: how many
/// slots the swap filled, and what the call gave.
fn filled_beside_a_call(
    keys: &str,
    swap_first: bool,
    start: impl Fn() -> Result<()> + Send + Sync + 'static,
) -> (Rack, Arc<ScriptedBackend>, Result<usize>, Result<Value>) {
    let (rack, backend) = rack(&format!("slots: {{ a: {{ use: 'python:a', {keys} }} }}\n"));
    let waiting = when_all_wait(&backend);
    let begun = Gate::new();
    let begins = begun.clone();
    let script = Script::new().function("f", |_, _| Ok(text("done")));
    let first = AtomicUsize::new(0);
    backend.module(
        "a",
        script.on_start(move |_| {
            begins.arrive();
            if first.fetch_add(1, Ordering::SeqCst) == 0 {
                waiting.arrived(1);
            }
            start()
        }),
    );
    let (filled, called) = std::thread::scope(|scope| {
        let filled = scope.spawn(|| {
            if !swap_first {
                begun.arrived(1);
            }
            rack.swap(&fills_a()).map(|swapped| swapped.slots.len()).map_err(|failed| failed.error)
        });
        let called = scope.spawn(|| {
            if swap_first {
                begun.arrived(1);
            }
            call(&rack, "a")
        });
        (filled.join().unwrap(), called.join().unwrap())
    });
    (rack, backend, filled, called)
}

fn fills_a() -> Swap {
    Swap::reload(SlotName::parse("a").unwrap()).filling()
}

#[test]
fn a_swap_that_fills_a_slot_is_one_load_with_that_of_a_call() {
    for (keys, swap_first) in [
        ("", true),
        ("", false),
        ("swap: { overlap: false }", true),
        ("swap: { overlap: false }", false),
        ("swap: { state: exclusive }", true),
    ] {
        let (rack, backend, filled, called) = filled_beside_a_call(keys, swap_first, || Ok(()));
        assert_eq!(filled.unwrap(), usize::from(swap_first), "{keys}");
        assert_eq!(called.unwrap(), text("done"));
        assert_eq!(rack.slot("a").unwrap().serving().unwrap().generation.0, 1);
        // What fills it stays.
        assert_eq!(rack.swap(&fills_a()).unwrap().slots.len(), 0);
        assert_eq!(call(&rack, "a").unwrap(), text("done"));
        assert_eq!(backend.count("start python:a"), 1, "{keys} {swap_first}");
        rack.unload(&SlotName::parse("a").unwrap(), Asked::default()).unwrap();
        assert_eq!(backend.count("stop a"), 1, "{keys} {swap_first}");
    }
}

#[test]
fn who_waits_for_a_swap_that_fills_a_slot_is_told_why_it_failed() {
    for swap_first in [true, false] {
        let tries = AtomicUsize::new(0);
        let (rack, backend, filled, called) =
            filled_beside_a_call("", swap_first, move || match tries.fetch_add(1, Ordering::SeqCst) {
                0 => Err(Error::new(Code::ConstructFailed, "Not yet")),
                _ => Ok(()),
            });
        assert_eq!(shown(&filled.unwrap_err()), shown(&called.unwrap_err()));
        assert_eq!(backend.count("start python:a"), 1);
        assert_eq!(call(&rack, "a").unwrap(), text("done"));
        assert_eq!(backend.count("start python:a"), 2);
    }
}
