//! Going back, asked for or by the rack itself: with which state, of which of several slots, and what it waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use expect_test::expect;
use modrack_core::{Code, Error, Value};
use modrack_runtime::doubles::{Gate, Script};
use modrack_runtime::{Asked, Event, Step, Swap};

use crate::rack;
use crate::swaps::{answers, back, counter, events, f, name, reload, retired, slot, until};

/// What fails, and gives this state.
fn failing(state: i64) -> Script {
    Script::new()
        .function("f", |_, _| Err(Error::new(Code::Raised, "Never")))
        .exports(move |_| Ok(Value::Int(state)))
        .imports(|_, _| Ok(()))
}

#[test]
fn a_trial_that_failed_while_calls_went_on_is_ended_when_these_have() {
    let keys = "swap: { state: exclusive, trial: { for: 1h, min-calls: 4, errors: 5% } }";
    let (rack, backend) =
        rack(&format!("slots: {{ a: {{ use: 'python:a', {keys} }}, other: {{ use: 'python:other' }} }}\n"));
    let gate = Gate::new();
    let inside = gate.clone();
    backend.module("a", counter(0));
    backend.module(
        "other",
        Script::new().function("f", move |_, _| {
            inside.pass();
            Ok(Value::Null)
        }),
    );
    f(&rack, "a").unwrap();
    let told = events(&rack);
    backend.module("a", failing(41));
    reload(&rack).unwrap();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| f(&rack, "other"));
        gate.arrived(1);
        for _ in 0..4 {
            f(&rack, "a").unwrap_err();
        }
        until(&told, |event| matches!(event, Event::Draining { .. }));
        rack.advance(Duration::from_secs(60));
        let failed = until(&told, |event| matches!(event, Event::SwapFailed { .. }));
        let Event::SwapFailed { step: Step::Drain, why, .. } = failed else { panic!("{failed:?}") };
        // The calls that are waited for are not those of the module.
        let shown = format!("{} {}\n{}", why.code(), why.message(), why.hint_text().unwrap());
        gate.open();
        expect![[r#"
            M0413 A call of `other`, which may reach the old module, had not ended after 5s
            Raise `swap.drain` of the slot, or bound that slot's calls by `limits.time`; with `overlap: true` and `state: copy` nothing waits for them"#]]
        .assert_eq(&shown);
        other.join().unwrap().unwrap();
    });
    rack.advance(Duration::from_secs(60));
    let went = until(&told, |event| matches!(event, Event::RolledBack { .. } | Event::Retired { .. }));
    assert!(matches!(went, Event::RolledBack { why: Some(_), .. }), "{went:?}");
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(42));
}

#[test]
fn what_was_given_half_of_another_state_goes_back_with_its_own() {
    let keys = ", swap: { trial: { for: 1h, min-calls: 4, errors: 5% } }";
    let count = Arc::new(AtomicI64::new(0));
    let (read, write, now) = (count.clone(), count.clone(), count.clone());
    // What the new one gives is taken in part, and then refused.
    let old = Script::new()
        .function("f", move |_, _| Ok(Value::Int(count.fetch_add(1, Ordering::SeqCst) + 1)))
        .exports(move |_| Ok(Value::Int(read.load(Ordering::SeqCst))))
        .imports(move |_, state| {
            let Value::Int(count) = state.value else { panic!("no count: {state:?}") };
            write.store(count, Ordering::SeqCst);
            if count == 1_000 { Err(Error::new(Code::Raised, "Too many").hint("Count less")) } else { Ok(()) }
        });
    for by_itself in [false, true] {
        let (rack, backend) = slot(keys, old.clone());
        let Value::Int(before) = f(&rack, "a").unwrap() else { panic!("no count") };
        let told = events(&rack);
        backend.module("a", failing(1_000));
        reload(&rack).unwrap();
        if by_itself {
            for _ in 0..4 {
                f(&rack, "a").unwrap_err();
            }
            let went = until(&told, |event| matches!(event, Event::RolledBack { .. }));
            let Event::RolledBack { why, .. } = went else { panic!("{went:?}") };
            // And it says that state was left behind.
            assert!(!why.unwrap().causes().is_empty());
            assert_eq!(f(&rack, "a").unwrap(), Value::Int(before + 1));
        } else {
            assert_eq!(back(&rack).unwrap_err().step, Step::Carry);
            assert_eq!(now.load(Ordering::SeqCst), before);
        }
    }
}

#[test]
fn a_swap_of_one_of_several_ends_the_trial_of_that_one_alone() {
    let keys = "swap: { trial: { for: 1h, min-calls: 4, errors: 5% } }";
    for fails in [false, true] {
        let (rack, backend) = rack(&format!(
            "slots: {{ a: {{ use: 'python:a', {keys} }}, b: {{ use: 'python:b', {keys} }} }}\n"
        ));
        backend.module("a", answers(1));
        backend.module("b", answers(1));
        for slot in ["a", "b"] {
            f(&rack, slot).unwrap();
        }
        let told = events(&rack);
        backend.module("a", answers(2));
        backend.module("b", if fails { failing(0) } else { answers(2) });
        rack.swap(&Swap::reload(name("a")).and(Swap::reload(name("b"))).force(true)).unwrap();
        backend.module("a", answers(3));
        reload(&rack).unwrap();
        retired(&told, 1);
        assert_eq!(rack.kept().len(), 2);
        if fails {
            for _ in 0..4 {
                f(&rack, "b").unwrap_err();
            }
            let went = until(&told, |event| matches!(event, Event::RolledBack { .. }));
            let Event::RolledBack { slots, .. } = went else { panic!("{went:?}") };
            assert_eq!((slots.len(), slots[0].generation.0), (1, 2));
        } else {
            rack.advance(Duration::from_secs(2 * 60 * 60));
            let mut settled = Vec::new();
            while settled.len() < 2 {
                let event = until(&told, |event| matches!(event, Event::Settled { .. }));
                let Event::Settled { slots } = event else { panic!("{event:?}") };
                settled.extend(slots.iter().map(|served| served.generation.0));
            }
            settled.sort_unstable();
            assert_eq!(settled, [4, 5]);
        }
        let expected = if fails { 1 } else { 2 };
        assert_eq!((f(&rack, "a").unwrap(), f(&rack, "b").unwrap()), (Value::Int(3), Value::Int(expected)));
    }
}

#[test]
fn what_is_rolled_back_is_what_was_replaced_in_that_slot() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' }, b: { use: 'python:b' } }\n");
    for version in 1..=2 {
        backend.module("a", answers(version));
        backend.module("b", answers(version));
        rack.swap(&Swap::reload(name("a")).and(Swap::reload(name("b")))).unwrap();
    }
    backend.module("a", answers(3));
    reload(&rack).unwrap();
    // Each alone: `a` was replaced again since.
    rack.rollback(&name("b"), Asked::default()).unwrap();
    assert_eq!((f(&rack, "a").unwrap(), f(&rack, "b").unwrap()), (Value::Int(3), Value::Int(1)));
    back(&rack).unwrap();
    assert_eq!((f(&rack, "a").unwrap(), f(&rack, "b").unwrap()), (Value::Int(2), Value::Int(1)));
}
