//! What outlives a process: swaps, their history, the last good set, and what is gone back to.

use std::io::Write;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use modrack::live::{Differs, LiveRack, LiveSettings, SwapRequest, SwapSlot, in_force};
use modrack::{Backend, BackendName, Code, Description, Error, Event, Origin, Rack, Step, text};
use modrack_core::{Start, Started};

use crate::lab::{Fault, KINDS, Lab, Live, asked, attach, name};

/// Runs a case on each kind, with this in each slot.
fn each(more: &[&str], case: impl Fn(Lab)) {
    for kind in KINDS {
        for more in more {
            eprintln!("{kind:?}{more}");
            case(Lab::new(kind, more));
        }
    }
}

const TRIALS: &[&str] = &["", ", swap: { trial: { for: 0s } }"];

#[test]
fn a_swap_outlives_the_process_until_the_slots_text_changes() {
    each(TRIALS, |lab| {
        lab.write("other", 7, Fault::Nothing);
        let live = lab.started();
        live.swap("a", Some(&lab.file("other"))).expect("it swaps");
        assert_eq!((live.version("a"), live.version("b")), (Ok(7), Ok(1)));
        assert_eq!(live.overridden(), [("a".to_owned(), lab.file("other"))]);
        live.stop();
        let live = lab.started();
        assert_eq!((live.version("a"), live.version("b")), (Ok(7), Ok(1)));
        live.stop();
        // A comment is no change, nor is another slot's text.
        let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
        lab.rack_text(&format!("# a comment\n{text}  c: {}\n", lab.file("b")));
        let live = lab.started();
        assert_eq!((live.version("a"), live.version("c")), (Ok(7), Ok(1)));
        live.stop();
        lab.rack_text(&text.replace("a: { ", "a: { limits: { time: 9s }, "));
        let live = lab.started();
        assert_eq!(live.version("a"), Ok(1));
        assert!(live.overridden().is_empty());
    });
}

#[test]
fn the_history_tells_who_did_what_and_how_it_ended() {
    each(TRIALS, |lab| {
        let live = lab.started();
        lab.write("a", 2, Fault::Nothing);
        live.swap("a", None).expect("it swaps");
        lab.write("a", 3, Fault::Start);
        let failed = live.swap("a", None).expect_err("it does not start");
        assert_eq!(failed.step, Step::Start);
        assert_eq!(live.version("a"), Ok(2));
        live.rollback("a", None).expect("it is kept");
        assert_eq!(live.version("a"), Ok(1));
        live.0.unload(&name("a"), asked()).expect("it is loaded");
        assert_eq!(
            live.history(),
            [
                "load a done",
                "load b done",
                "swap a done",
                "swap a failed",
                "rollback a done",
                "unload a done"
            ]
        );
        let entries = live.0.history(Some(&name("a")), 3).expect("it can be read");
        let failed = &entries[2];
        assert_eq!((failed.who.as_str(), failed.why.as_str()), ("ann", "a test"));
        match &failed.outcome {
            modrack::live::Outcome::Failed(failed) => {
                assert_eq!((failed.step.as_str(), failed.slot.as_ref()), ("start", Some(&name("a"))));
            }
            other => panic!("{other:?}"),
        }
        let [back] = entries[1].slots.as_slice() else { panic!("{entries:?}") };
        assert_ne!(back.from, back.to.as_ref().and_then(|to| to.hash.clone()));
        // What was unloaded comes back as it was: the file's content does not serve because somebody called.
        assert_eq!(live.version("a"), Ok(1));
        let nothing = live.rollback("b", None).expect_err("it was never swapped");
        assert_eq!(nothing.error.code(), Code::NothingBefore);
    });
}

#[test]
fn a_swap_is_written_into_the_rack_where_it_stands() {
    each(&["", ", params: { }"], |lab| {
        lab.write("other", 7, Fault::Nothing);
        let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
        let commented = text.replace("  a: {", "  # The first.\n  a: {");
        lab.rack_text(&commented);
        let live = lab.started();
        let save = |to: &str| {
            let slots = vec![SwapSlot { slot: name("a"), to: Some(to.to_owned()), set: Vec::new() }];
            live.0.swap(&SwapRequest { slots, save: true, asked: asked(), ..SwapRequest::default() })
        };
        // What comes to nothing is not written.
        lab.write("bad", 8, Fault::Start);
        save(&lab.file("bad")).expect_err("it does not start");
        assert_eq!(std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there"), commented);
        save(&lab.file("other")).expect("it swaps");
        let written = commented.replacen(&lab.file("a"), &lab.file("other"), 1);
        assert_eq!(std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there"), written);
        assert!(live.overridden().is_empty());
        let status = live.0.status().expect("it can be read");
        assert_eq!(
            (status.slots[0].declared_use.as_str(), status.drift.len()),
            (lab.file("other").as_str(), 0)
        );
        assert_eq!(live.0.configurations().expect("it can be read").len(), 2);
        // Somebody else's edit is not written over.
        lab.rack_text(&format!("{written}# edited\n"));
        let refused = save(&lab.file("a")).expect_err("it was changed");
        assert_eq!((refused.step, refused.error.code()), (Step::Fetch, Code::Unsupported));
        assert_eq!(live.version("a"), Ok(7));
        lab.rack_text(&written);
        live.stop();
        let left: Vec<_> = std::fs::read_dir(lab.path("")).expect("it is there").flatten().collect();
        assert!(
            !left.iter().any(|file| file.file_name().to_string_lossy().starts_with(".rack-")),
            "{left:?}"
        );
        assert_eq!(lab.started().version("a"), Ok(7));
    });
}

#[test]
fn any_kept_content_is_gone_back_to_by_the_beginning_of_its_hash() {
    each(TRIALS, |lab| {
        let live = lab.started();
        for version in 2..5 {
            lab.write("a", version, Fault::Nothing);
            live.swap("a", None).expect("it swaps");
        }
        let entries = live.0.history(Some(&name("a")), 100).expect("it can be read");
        let hash = |back: usize| {
            entries[back].slots[0].to.as_ref().and_then(|to| to.hash.clone()).expect("a file has one")
        };
        assert_eq!(entries.len(), 4);
        let back = live.rollback("a", Some(&hash(2).as_str()[..12])).expect("it is kept");
        assert_eq!((live.version("a"), back.slots[0].hash.clone()), (Ok(2), Some(hash(2))));
        // Without a hash: what it replaced is what served before the swap that brought it.
        live.rollback("a", Some(hash(1).as_str())).expect("it is kept");
        live.rollback("a", None).expect("it is kept");
        assert_eq!(live.version("a"), Ok(2));
        let nothing = live.rollback("a", Some("no hash begins so")).expect_err("none does");
        assert_eq!(nothing.error.code(), Code::UnknownEntry);
        let hint = nothing.error.hint_text().expect("it says what there is");
        assert!(hint.contains(hash(0).short()), "{hint}");
        assert_eq!(live.rollback("a", Some("")).expect_err("all do").error.code(), Code::UnknownEntry);
        // It is pinned: the file holds something else, and what served goes on serving.
        live.stop();
        let live = lab.started();
        assert_eq!(live.version("a"), Ok(2));
        let drift = live.0.status().expect("it can be read").drift;
        assert!(matches!(drift[0].how, Differs::Overridden(_)), "{drift:?}");
        live.stop();
        // Until the file holds something new.
        lab.write("a", 9, Fault::Nothing);
        let live = lab.started();
        assert_eq!(live.version("a"), Ok(9));
        assert!(live.overridden().is_empty());
    });
}

#[test]
fn params_that_are_set_stay_set_and_come_back_with_what_served() {
    let lab = Lab::new(crate::lab::Kind::Component, "");
    let live = lab.started();
    live.swap_set("a", None, &["limits.time=9s"]).expect("it swaps");
    let time = |live: &crate::lab::Live| live.0.rack().slot("a").expect("it is declared").plan().limits.time;
    let seconds = |n| Some(std::time::Duration::from_secs(n));
    assert_eq!(time(&live), seconds(9));
    // What is not set again stays as it is.
    lab.write("other", 7, Fault::Nothing);
    live.swap("a", Some("./other.wat")).expect("it swaps");
    assert_eq!((time(&live), live.version("a")), (seconds(9), Ok(7)));
    live.stop();
    let live = lab.started();
    assert_eq!((time(&live), live.version("a")), (seconds(9), Ok(7)));
    // To what the rack says: nothing is set over it any more.
    live.swap_set("a", Some("./a.wat"), &["limits={}"]).expect("it swaps");
    assert_eq!((time(&live), live.version("a")), (None, Ok(1)));
    let wrong = live.swap_set("a", None, &["limits.time=soon"]).expect_err("it is no time");
    assert_eq!(wrong.error.code(), Code::BadValue);
    assert_eq!(
        live.swap_set("a", None, &["width"]).expect_err("it sets nothing").error.code(),
        Code::BadValue
    );
}

#[test]
fn what_calls_alone_calls_what_was_swapped_in() {
    each(&[""], |lab| {
        let settings = |from_config| LiveSettings {
            folder: Some(lab.path(".modrack")),
            source: Some(text::Source::File(lab.path("rack.yaml"))),
            from_config,
            ..LiveSettings::default()
        };
        let called = |from_config: bool| {
            let rack = Rack::open(lab.path("")).expect("it opens");
            let warnings = in_force(rack.runtime(), &settings(from_config)).expect("it can be read");
            assert!(warnings.is_empty(), "{warnings:?}");
            let function = rack.slot("a").expect("it is declared").function::<(), i64>("version");
            function.expect("it loads").call(()).expect("it answers")
        };
        assert_eq!(called(false), 1);
        assert!(!lab.path(".modrack/state.db").exists(), "nothing is made where there is no state");
        lab.write("other", 7, Fault::Nothing);
        let live = lab.started();
        live.swap("a", Some(&lab.file("other"))).expect("it swaps");
        assert_eq!((called(false), called(true)), (7, 1));
        lab.write("other", 8, Fault::Nothing);
        assert_eq!(called(false), 8);
        live.swap("a", None).expect("it swaps");
        let back = live.rollback("a", None).expect("it is parked");
        assert_eq!((back.slots.len(), live.version("a"), called(false)), (1, Ok(7), 7));
        live.stop();
        // Another start drops it.
        let (live, _) = lab.attach_with(|settings| settings.from_config = true);
        live.0.start();
        assert_eq!((live.version("a"), live.overridden().len()), (Ok(1), 0));
    });
}

#[test]
fn a_state_has_one_writer_and_may_be_memory() {
    let lab = Lab::new(crate::lab::Kind::Component, "");
    let live = lab.started();
    let second = attach(&lab.path(""), |_| {}).map(drop).expect_err("it is written already");
    assert_eq!(second.code(), Code::StateInUse);
    let (other, _) = lab.attach_with(|settings| settings.folder = None);
    other.0.start();
    lab.write("a", 2, Fault::Nothing);
    other.swap("a", None).expect("it swaps");
    assert_eq!((other.version("a"), live.version("a")), (Ok(2), Ok(1)));
    other.rollback("a", None).expect("it is parked");
    assert_eq!(other.version("a"), Ok(1));
    other.stop();
    let stopped = live.0.clone();
    live.stop();
    assert_eq!(stopped.history(None, 1).map(drop).expect_err("it was given back").code(), Code::RackStopped);
    let blocked = lab.path("blocked");
    std::fs::write(&blocked, "").expect("it can be written");
    let unwritable = attach(&lab.path(""), |settings| settings.folder = Some(blocked.join("state")));
    let unwritable = unwritable.map(drop).expect_err("a file is no folder");
    assert_eq!(unwritable.code(), Code::StateUnwritable);
    assert!(unwritable.hint_text().is_some_and(|hint| hint.contains("state: memory")));
}

#[test]
fn what_is_kept_is_cleaned_up_and_what_is_loaded_is_spared() {
    let lab = Lab::new(crate::lab::Kind::Component, ", swap: { trial: { for: 0s } }");
    let live = lab.started();
    for version in 2..60 {
        lab.write("a", version, Fault::Nothing);
        live.swap("a", None).expect("it swaps");
    }
    // All of it is named by the history, which is what may be gone back to.
    let first = live.0.history(Some(&name("a")), 100).expect("it can be read").pop().expect("it was loaded");
    let first = first.slots[0].to.as_ref().and_then(|to| to.hash.clone()).expect("a file has one");
    live.rollback("a", Some(first.as_str())).expect("it is kept");
    assert_eq!(live.version("a"), Ok(1));
    assert!(live.0.take_warnings().is_empty());
    live.stop();
}

#[test]
fn what_was_swapped_in_with_other_params_is_gone_back_to_one_by_one() {
    each(TRIALS, |lab| {
        let live = lab.started();
        for time in ["limits.time=9s", "limits.time=8s"] {
            live.swap_set("a", None, &[time]).expect("it swaps");
        }
        let time = || live.0.rack().slot("a").expect("it is declared").plan().limits.time;
        let seconds = |n| Some(std::time::Duration::from_secs(n));
        live.rollback("a", None).expect("it is kept");
        assert_eq!(time(), seconds(9));
        live.rollback("a", None).expect("it is kept");
        assert_eq!(time(), None);
    });
}

#[test]
fn a_swap_that_fails_ends_no_load_beside_it() {
    let lab = Lab::new(crate::lab::Kind::Library, "");
    lab.gate();
    lab.write("a", 1, Fault::Waits);
    let (live, _) = lab.attach();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| live.version("a"));
        let gate = lab.arrived();
        live.swap("a", Some("./none.so")).expect_err("there is none");
        drop(gate);
        assert_eq!(first.join().expect("it ends"), Ok(1));
    });
    assert_eq!(live.history(), ["load a done", "swap a failed"]);
}

#[test]
fn of_two_changes_that_are_written_neither_is_lost_and_no_edit_is() {
    let lab = Lab::new(crate::lab::Kind::Library, "");
    lab.gate();
    lab.write("waits", 5, Fault::Waits);
    lab.write("other", 7, Fault::Nothing);
    let live = lab.started();
    let save = |slot: &str, to: &str| {
        let slots = vec![SwapSlot { slot: name(slot), to: Some(to.to_owned()), set: Vec::new() }];
        live.0.swap(&SwapRequest { slots, save: true, asked: asked(), ..SwapRequest::default() })
    };
    let text = || std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| save("a", "./waits.so"));
        let gate = lab.arrived();
        let second = scope.spawn(|| save("b", "./other.so"));
        drop(gate);
        first.join().expect("it ends").expect("it swaps");
        second.join().expect("it ends").expect("it swaps");
    });
    assert!(text().contains("waits.so") && text().contains("other.so"), "{}", text());
    assert!(live.overridden().is_empty());
    // What is edited while a module starts stays.
    lab.write("waits", 6, Fault::Waits);
    let edited = format!("{}# edited\n", text());
    std::thread::scope(|scope| {
        let swap = scope.spawn(|| save("b", "./waits.so"));
        let gate = lab.arrived();
        lab.rack_text(&edited);
        drop(gate);
        swap.join().expect("it ends").expect("it swaps");
    });
    assert_eq!((text(), live.version("b")), (edited, Ok(6)));
    assert_eq!((live.0.take_warnings().len(), live.overridden().len()), (1, 1));
}

/// A backend of no module, which says when somebody waits for what another thread does.
struct Waits(Mutex<Sender<()>>);

impl Backend for Waits {
    fn name(&self) -> BackendName {
        BackendName::Python
    }

    fn describe(&self, _: &Origin) -> modrack::Result<Description> {
        Err(Error::new(Code::Unsupported, "It has no modules"))
    }

    fn start(&self, _: Start<'_>) -> modrack::Result<Started> {
        Err(Error::new(Code::Unsupported, "It has no modules"))
    }

    fn let_go(&self, wait: &mut dyn FnMut()) {
        let _ = self.0.lock().expect("nobody panicked").send(());
        wait();
    }
}

#[test]
fn what_is_swapped_in_while_another_change_is_written_is_over_what_is_written() {
    let lab = Lab::new(crate::lab::Kind::Component, "");
    for (module, version) in [("other", 7), ("third", 8)] {
        lab.write(module, version, Fault::Nothing);
    }
    let (tell, told) = channel();
    let waits = Arc::new(Waits(Mutex::new(tell.clone())));
    let rack = Rack::builder().file(lab.path("")).backend(waits).open().expect("it is right");
    let settings = LiveSettings {
        folder: Some(lab.path(".modrack")),
        source: Some(text::Source::File(lab.path("rack.yaml"))),
        ..LiveSettings::default()
    };
    let (live, _) = LiveRack::attach(rack.runtime().clone(), settings).expect("it is nobody's");
    let live = Live(live);
    live.0.start();
    let tell = Mutex::new(tell);
    rack.runtime().observe(move |event| {
        if matches!(event, Event::Swapped { .. }) {
            let _ = tell.lock().expect("nobody panicked").send(());
        }
    });
    while told.try_recv().is_ok() {}
    // The text is a pipe: who reads it has come as far as that.
    let before = std::fs::read(lab.path("rack.yaml")).expect("it is there");
    std::fs::remove_file(lab.path("rack.yaml")).expect("it is there");
    assert!(Command::new("mkfifo").arg(lab.path("rack.yaml")).status().expect("it runs").success());
    let read = || std::fs::File::options().write(true).open(lab.path("rack.yaml")).expect("it is a pipe");
    std::thread::scope(|scope| {
        let slots = vec![SwapSlot { slot: name("a"), to: Some("./other.wat".to_owned()), set: Vec::new() }];
        let request = SwapRequest { slots, save: true, ..SwapRequest::default() };
        let live = &live;
        let saved = scope.spawn(move || live.0.swap(&request));
        read().write_all(&before).expect("it is read");
        // It has read all of that: it serves, and is about to be written.
        told.recv().expect("it is told");
        let mut again = read();
        let third = scope.spawn(|| live.swap("a", Some("./third.wat")));
        // It is done, or waits for the other to be.
        told.recv().expect("it is told");
        again.write_all(&before).expect("it is read");
        drop(again);
        saved.join().expect("it ends").expect("it swaps");
        third.join().expect("it ends").expect("it swaps");
    });
    let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
    assert!(text.contains("./other.wat"), "{text}");
    assert_eq!(live.overridden(), [("a".to_owned(), "./third.wat".to_owned())]);
    assert_eq!(live.version("a"), Ok(8));
    live.stop();
    assert_eq!(lab.started().version("a"), Ok(8));
}
