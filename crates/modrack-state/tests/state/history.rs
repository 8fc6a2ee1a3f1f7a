//! The history, the last good set, overrides, configurations.

use std::collections::BTreeMap;

use modrack_core::{Code, Error};
use modrack_state::{Action, Change, EntryId, Failed, Outcome, RackState, Reader, SlotChange, Standing};

use crate::bench::{Bench, filling, settings, slot, some_hash, swap};

#[test]
fn what_happened_is_told_newest_first_also_after_it_was_opened_again() {
    let bench = Bench::new();
    let [one, two] = [filling("a.py", b"1"), filling("a.py", b"2")];
    let why = Error::new(Code::ImportFailed, "It does not load");
    {
        let state = bench.state();
        state.record(&swap(&[("a", None, &one), ("b", None, &one)]), &Outcome::Done).unwrap();
        let failed = Failed::new(Some(slot("a")), "start", &why);
        state.record(&swap(&[("a", Some(&one), &two)]), &Outcome::Failed(failed)).unwrap();
    }
    let state = bench.state();
    state.record(&swap(&[("b", Some(&one), &two)]), &Outcome::Done).unwrap();
    let told = |name: Option<&str>, most| -> Vec<String> {
        let entries = state.read().history(name.map(slot).as_ref(), most).unwrap();
        let line = |entry: &modrack_state::Entry| {
            let slots: Vec<String> = entry
                .slots
                .iter()
                .map(|slot| {
                    let hash = |hash: Option<&modrack_core::ContentHash>| {
                        if hash == one.hash.as_ref() {
                            "1"
                        } else if hash.is_some() {
                            "2"
                        } else {
                            "-"
                        }
                    };
                    let to = slot.to.as_ref().and_then(|to| to.hash.as_ref());
                    format!("{} {}>{}", slot.slot, hash(slot.from.as_ref()), hash(to))
                })
                .collect();
            let outcome = match &entry.outcome {
                Outcome::Failed(Failed { slot, step, code, message }) => {
                    format!("{} {step} {code} {message}", slot.as_ref().unwrap())
                }
                other => other.as_str().to_owned(),
            };
            format!("{} by {} ({}): {}: {outcome}", entry.id.0, entry.who, entry.why, slots.join(", "))
        };
        entries.iter().map(line).collect()
    };
    let all = [
        "3 by anna (faster): b 1>2: done",
        "2 by anna (faster): a 1>2: a start M0401 It does not load",
        "1 by anna (faster): a ->1, b ->1: done",
    ];
    assert_eq!(told(None, 10), all);
    assert_eq!(told(None, 1), all[..1]);
    assert_eq!(told(Some("a"), 10), all[1..]);
    let entries = state.read().history(None, 10).unwrap();
    assert!(entries.windows(2).all(|pair| pair[0].at > pair[1].at));
    assert_eq!(state.read().entry(EntryId(2)).unwrap(), entries[1]);
    assert_eq!(state.read().entry(EntryId(9)).unwrap_err().code(), Code::UnknownEntry);
}

#[test]
fn what_was_begun_and_not_ended_was_interrupted() {
    let bench = Bench::new();
    let [one, two] = [filling("a.py", b"1"), filling("a.py", b"2")];
    let why = Error::new(Code::ImportFailed, "No");
    let (ended, failed, cut) = {
        let state = bench.state();
        let ended = state.begin(&swap(&[("a", None, &one)])).unwrap();
        let change = swap(&[("a", Some(&one), &two)]);
        state.finish(ended, &Outcome::Done, &change.slots).unwrap();
        let again = state.finish(ended, &Outcome::Done, &[]).unwrap_err();
        assert_eq!(again.code(), Code::UnknownEntry);
        let failed = state.begin(&change).unwrap();
        state.finish(failed, &Outcome::Failed(Failed::new(None, "start", &why)), &[]).unwrap();
        (ended, failed, state.begin(&change).unwrap())
    };
    let state = bench.state();
    let outcome = |id| state.read().entry(id).unwrap().outcome;
    assert_eq!((outcome(ended), outcome(cut)), (Outcome::Done, Outcome::Interrupted));
    // What really became of the slot, not what was meant at first; and what was meant, where nothing became of it.
    for id in [ended, failed, cut] {
        assert_eq!(state.read().entry(id).unwrap().slots[0].to.as_ref(), Some(&two), "{id:?}");
    }
}

#[test]
fn the_last_good_set_is_what_stood_its_trial() {
    let bench = Bench::new();
    let [one, two] = [filling("a.py", b"1"), filling("a.py", b"2")];
    let good = |state: &RackState| -> Vec<(String, bool)> {
        let good = state.read().last_good().unwrap();
        good.into_iter().map(|good| (good.slot.to_string(), good.filling == two)).collect()
    };
    let is = |name: &str, is_two| (name.to_owned(), is_two);
    {
        let state = bench.state();
        state.settle([(&slot("b"), &one), (&slot("a"), &one)]).unwrap();
        // A swap alone changes nothing about it.
        state.record(&swap(&[("a", Some(&one), &two)]), &Outcome::Done).unwrap();
        assert_eq!(good(&state), [is("a", false), is("b", false)]);
        state.settle([(&slot("a"), &two)]).unwrap();
    }
    let state = bench.state();
    assert_eq!(good(&state), [is("a", true), is("b", false)]);
    let since = |state: &RackState| state.read().last_good().unwrap()[0].since;
    let before = since(&state);
    state.settle([(&slot("a"), &two)]).unwrap();
    assert_eq!(since(&state), before, "nothing changed");
    state.keep_slots(&[slot("a")]).unwrap();
    assert_eq!(good(&state), [is("a", true)]);
}

#[test]
fn an_override_lasts_until_the_slots_text_changes() {
    let bench = Bench::new();
    let [one, two] = [filling("a.py", b"1"), filling("b.py", b"2")];
    let record = |state: &RackState, name: &str, standing: Standing, outcome: &Outcome| {
        let (from, to) = (one.hash.clone(), Some(two.clone()));
        let slots = vec![SlotChange { slot: slot(name), from, to, standing }];
        let (who, why) = ("anna".into(), String::new());
        let change = Change { action: Action::Swap, who, why, config: None, slots };
        state.record(&change, outcome).unwrap()
    };
    let over = || Standing::Override { declared: some_hash("text") };
    let names = |state: &RackState| -> Vec<String> {
        let overrides = state.read().overrides().unwrap();
        overrides.into_iter().map(|over| over.slot.to_string()).collect()
    };
    {
        let state = bench.state();
        let entry = record(&state, "a", over(), &Outcome::Done);
        record(&state, "b", over(), &Outcome::Done);
        record(&state, "c", over(), &Outcome::Done);
        let failed = Failed::new(None, "start", &Error::new(Code::ImportFailed, "No"));
        record(&state, "d", over(), &Outcome::Failed(failed));
        record(&state, "b", Standing::Declared, &Outcome::Done);
        record(&state, "c", Standing::Unchanged, &Outcome::Done);
        let first = &state.read().overrides().unwrap()[0];
        assert_eq!((&first.to, first.entry), (&two, Some(entry)));
    }
    let state = bench.state();
    assert_eq!(names(&state), ["a", "c"]);
    let declared = |a: &str| BTreeMap::from([(slot("a"), some_hash(a)), (slot("c"), some_hash("text"))]);
    assert!(state.lapse(&declared("text")).unwrap().is_empty());
    let lapsed = state.lapse(&declared("another")).unwrap();
    assert_eq!((lapsed.len(), lapsed[0].slot.as_str()), (1, "a"));
    assert_eq!(names(&state), ["c"]);
    assert_eq!(state.drop_overrides().unwrap().len(), 1);
    assert!(names(&state).is_empty());
}

#[test]
fn every_configuration_that_served_is_kept() {
    let bench = Bench::new();
    {
        let state = bench.state();
        for text in ["rack: 1", "rack: 1\nslots: {}", "rack: 1\nslots: {}", "rack: 1"] {
            state.configure("rack.yaml", text).unwrap();
        }
    }
    let state = bench.state();
    let read = state.read();
    let texts: Vec<_> = read.configurations().unwrap().into_iter().map(|config| config.text).collect();
    assert_eq!(texts, ["rack: 1", "rack: 1\nslots: {}"]);
    let hash = some_hash("rack: 1");
    let found = read.configuration(hash.short()).unwrap();
    assert_eq!((found.text.as_str(), found.name.as_str()), ("rack: 1", "rack.yaml"));
    for hash in ["", "zz"] {
        assert_eq!(read.configuration(hash).unwrap_err().code(), Code::UnknownEntry, "{hash:?}");
    }
}

#[test]
fn others_read_while_one_writes() {
    let bench = Bench::new();
    assert!(Reader::open(&bench.state_folder()).unwrap().is_none());
    let state = bench.state();
    let reader = Reader::open(&bench.state_folder()).unwrap().unwrap();
    let one = filling("a.py", b"1");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..50 {
                let id = state.begin(&swap(&[("a", None, &one), ("b", None, &one)])).unwrap();
                state
                    .finish(id, &Outcome::Done, &swap(&[("a", None, &one), ("b", None, &one)]).slots)
                    .unwrap();
            }
        });
        let mut seen = 0;
        while seen < 50 {
            assert!(!writer.is_finished() || reader.history(None, 100).unwrap().len() == 50);
            let entries = reader.history(None, 100).unwrap();
            assert!(entries.len() >= seen, "nothing is forgotten");
            seen = entries.len();
            assert!(entries.iter().all(|entry| entry.slots.len() == 2), "no entry is half there");
        }
    });
    // What reads does not keep the one who writes from ending.
    drop(state);
    assert_eq!(reader.history(None, 100).unwrap().len(), 50);
    drop(reader);
    let reader = Reader::open(&bench.state_folder()).unwrap().unwrap();
    assert_eq!(reader.history(None, 100).unwrap().len(), 50);
    bench.state();
}

#[test]
fn a_state_in_memory_forgets() {
    let state = RackState::memory(settings()).unwrap();
    let modules = tempfile::tempdir().unwrap();
    let one = crate::bench::keep(&state, modules.path(), "a.py", b"1");
    state.record(&swap(&[("a", None, &one)]), &Outcome::Done).unwrap();
    state.settle([(&slot("a"), &one)]).unwrap();
    let origin = state.kept(one.hash.as_ref().unwrap(), None).unwrap();
    let modrack_core::Origin::File { path, .. } = origin else { panic!("{origin:?}") };
    assert_eq!(std::fs::read(&path).unwrap(), b"1");
    drop(state);
    assert!(!path.exists());
}
