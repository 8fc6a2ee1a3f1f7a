//! State whose form changes from one version to the next: through its migrator forth and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use modrack_core::{Code, Error, Value};
use modrack_runtime::doubles::{Script, ScriptedBackend};
use modrack_runtime::{Event, Rack, Swap};

use crate::swaps::{back, events, f, name, reload, until};
use crate::{rack, text};

/// A script of this version, whose `f` counts and whose state is the count behind the version.
fn versioned(version: i64, fails: bool) -> Script {
    let count = Arc::new(AtomicI64::new(0));
    let (read, write) = (count.clone(), count.clone());
    Script::new()
        .describe(move |about| about.version = format!("{version}.0.0").parse().ok())
        .function("f", move |_, call| {
            let count = count.fetch_add(1, Ordering::SeqCst) + 1;
            match fails && call.args.positional.is_empty() {
                true => Err(Error::new(Code::Raised, "Never")),
                false => Ok(Value::Int(count)),
            }
        })
        .exports(move |_| Ok(text(&format!("v{version}: {}", read.load(Ordering::SeqCst)))))
        .imports(move |_, state| {
            // What it does not know leaves it half changed.
            write.store(-1000, Ordering::SeqCst);
            let of_mine = format!("v{version}: ");
            let count = state.value.as_text().and_then(|text| text.strip_prefix(&*of_mine)?.parse().ok());
            write.store(count.ok_or_else(|| Error::new(Code::Raised, "Not mine"))?, Ordering::SeqCst);
            Ok(())
        })
}

/// A migrator that knows the forms of all versions up to `newest`.
fn migrator(newest: char) -> Script {
    Script::new().function("m", move |_, call| {
        let word = |at: usize| call.args.positional[at].as_text().unwrap().to_owned();
        let (state, from, to) = (word(0), word(1), word(2));
        let (from, to) = (from.chars().next().unwrap(), to.chars().next().unwrap());
        if from.max(to) > newest {
            return Err(Error::new(Code::Raised, "Not known"));
        }
        let count = state.strip_prefix(&format!("v{from}: ")).unwrap();
        Ok(text(&format!("v{to}: {count}")))
    })
}

/// A rack with a slot `a` whose state has another form in each version, and a migrator `m`.
fn migrating(keys: &str, newest: char) -> (Rack, Arc<ScriptedBackend>) {
    let (rack, backend) = rack(&format!(
        "slots: {{ a: {{ use: 'python:a', swap: {{ migrate: m{keys} }} }}, m: {{ use: 'python:m' }} }}\n"
    ));
    backend.module("a", versioned(1, false));
    backend.module("m", migrator(newest));
    f(&rack, "a").unwrap();
    (rack, backend)
}

#[test]
fn the_way_back_goes_through_the_migrator() {
    for keys in ["", ", state: exclusive"] {
        let (rack, backend) = migrating(keys, '2');
        backend.module("a", versioned(2, false));
        reload(&rack).unwrap();
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(2), "{keys}");
        assert!(back(&rack).unwrap().slots[0].carried, "{keys}");
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(3), "{keys}");
    }
}

#[test]
fn a_trial_that_failed_takes_the_state_back_through_the_migrator() {
    for keys in ["", ", state: exclusive"] {
        let keys = format!("{keys}, trial: {{ for: 1h, min-calls: 4, errors: 5% }}");
        let (rack, backend) = migrating(&keys, '2');
        let told = events(&rack);
        backend.module("a", versioned(2, true));
        reload(&rack).unwrap();
        for _ in 0..4 {
            f(&rack, "a").unwrap_err();
        }
        let back = until(&told, |event| matches!(event, Event::RolledBack { .. } | Event::SwapFailed { .. }));
        let Event::RolledBack { slots, why, asked } = &back else { panic!("{keys}: {back:?}") };
        assert!(slots[0].carried, "{keys}");
        assert!(why.as_ref().unwrap().causes().is_empty(), "{keys}");
        assert_eq!((&*asked.who, &*asked.why), ("modrack", "100.0% of its calls failed, 0.0% before"));
        assert_eq!(f(&rack, "a").unwrap(), Value::Int(6), "{keys}");
    }
}

#[test]
fn the_newer_of_two_migrators_knows_the_way_back() {
    let (rack, backend) = migrating(", state: exclusive", '1');
    backend.module("a", versioned(2, false));
    backend.module("m", migrator('2'));
    rack.swap(&Swap::reload(name("a")).and(Swap::reload(name("m")))).unwrap();
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(2));
    back(&rack).unwrap();
    assert_eq!(f(&rack, "a").unwrap(), Value::Int(3));
}
