//! What is saved while a rack runs: its text, and the files of its modules. Each test waits for what is told, and for no time.

use std::os::unix::fs::symlink;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use modrack::live::{LiveRack, LiveSettings, SwapRequest, SwapSlot};
use modrack::{Asked, Code, Event, Module, Rack, text};

use crate::lab::{Fault, KINDS, Kind, Lab, Live, asked, name};

/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A started rack that is watched, and what it tells of swaps and configurations, a line each.
pub(super) fn watched(lab: &Lab) -> (Live, Receiver<String>) {
    let live = lab.started();
    let told = hear(&live);
    live.0.watch().expect("there are threads");
    (live, told)
}

pub(super) fn hear(live: &Live) -> Receiver<String> {
    let (tell, told) = channel();
    let tell: Mutex<Sender<String>> = Mutex::new(tell);
    live.0.rack().observe(move |event| {
        let line = match event {
            Event::Swapped { slots, .. } => {
                let slots: Vec<_> = slots.iter().map(|served| served.slot.to_string()).collect();
                format!("swapped {}", slots.join(" "))
            }
            Event::SwapFailed { slot, step, .. } => format!("failed {slot} {step}"),
            _ => return,
        };
        drop(tell.lock().expect("nobody panicked").send(line));
    });
    told
}

pub(super) fn next(told: &Receiver<String>) -> String {
    told.recv_timeout(PATIENCE).expect("something is told")
}

fn generations(live: &Live) -> Vec<u64> {
    live.0.rack().slots().iter().filter_map(|slot| Some(slot.serving()?.generation.0)).collect()
}

pub(super) fn edit(lab: &Lab, from: &str, to: &str) {
    let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
    assert!(text.contains(from), "{text}");
    lab.rack_text(&text.replace(from, to));
}

#[test]
fn an_edit_of_the_text_changes_what_it_says_and_nothing_else() {
    for kind in KINDS {
        let lab = Lab::new(kind, "");
        let live = lab.started();
        let before = generations(&live);
        edit(&lab, "a: { ", "a: { limits: { time: 9s }, ");
        let done = live.0.reload_configuration(asked()).expect("it is right");
        assert_eq!(done.changed, [name("a")]);
        let after = generations(&live);
        assert!(after[0] != before[0] && after[1] == before[1]);
        // The same once more is nothing.
        let again = live.0.reload_configuration(asked()).expect("it is right");
        assert!(again.changed.is_empty() && again.swapped.slots.is_empty());
        assert_eq!(generations(&live), after);
        // One that is wrong changes nothing, and neither does one whose module does not come in.
        for wrong in ["nonsense: [", "limits: { time: never }, ", "use: ./none.py, #"] {
            let good = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
            edit(&lab, "a: { ", &format!("a: {{ {wrong}"));
            assert!(live.0.reload_configuration(asked()).is_err(), "{wrong}");
            assert_eq!(generations(&live), after, "{wrong}");
            lab.rack_text(&good);
        }
        assert_eq!((live.version("a"), live.version("b")), (Ok(1), Ok(1)));
        // Whatever served can be gone back to: the text is what it was.
        let first = live.0.configurations().expect("it can be read").pop().expect("there are two");
        assert!(!first.text.contains("9s"));
        live.0.restore_configuration(first.hash.short(), asked()).expect("it is kept");
        assert_eq!(std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there"), first.text);
        assert_eq!(
            live.0.restore_configuration("ffff", asked()).expect_err("none").error().code(),
            Code::UnknownEntry
        );
    }
}

#[test]
fn what_was_swapped_in_stays_through_an_edit_of_another_slot_and_lapses_with_its_own() {
    let lab = Lab::new(Kind::Component, "");
    let live = lab.started();
    lab.write("other", 7, Fault::Nothing);
    live.swap("a", Some(&lab.file("other"))).expect("it swaps");
    edit(&lab, "b: { ", "b: { limits: { time: 9s }, ");
    live.0.reload_configuration(asked()).expect("it is right");
    assert_eq!(live.version("a"), Ok(7));
    assert_eq!(live.overridden().len(), 1);
    edit(&lab, "a: { ", "a: { limits: { time: 9s }, ");
    live.0.reload_configuration(asked()).expect("it is right");
    assert_eq!(live.version("a"), Ok(1));
    assert!(live.overridden().is_empty());
}

#[test]
fn slots_come_and_go_with_the_text() {
    let lab = Lab::new(Kind::Component, "");
    let live = lab.started();
    lab.write("c", 3, Fault::Start);
    let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
    lab.rack_text(&format!("{text}  c: {}\n", lab.file("c")));
    assert!(live.0.reload_configuration(asked()).is_err());
    assert_eq!(live.version("c"), Err(Code::UnknownSlot));
    lab.write("c", 3, Fault::Nothing);
    let done = live.0.reload_configuration(Asked::default()).expect("it starts");
    assert_eq!((done.added, live.version("c")), (vec![name("c")], Ok(3)));
    lab.rack_text(&text);
    assert_eq!(live.0.reload_configuration(asked()).expect("it is right").removed, [name("c")]);
    assert_eq!(live.version("c"), Err(Code::UnknownSlot));
    assert!(live.0.readiness().is_ready());
}

#[test]
fn what_is_saved_is_put_in_force() {
    for kind in KINDS {
        let lab = Lab::new(kind, "");
        let (live, told) = watched(&lab);
        lab.write("a", 2, Fault::Nothing);
        assert_eq!(next(&told), "swapped a");
        assert_eq!((live.version("a"), live.version("b")), (Ok(2), Ok(1)));
        // Of the same size, at once.
        lab.write("a", 3, Fault::Nothing);
        assert_eq!(next(&told), "swapped a");
        assert_eq!(live.version("a"), Ok(3));
        // What does not come in changes nothing, and is tried again when it is mended.
        lab.write("a", 4, Fault::Start);
        assert_eq!(next(&told), "failed a start");
        assert_eq!(live.version("a"), Ok(3));
        // What was only touched is no change: the next that is told is of the other.
        let same = std::fs::read(lab.path(&lab.file("b"))).expect("it is there");
        std::fs::write(lab.path(&lab.file("b")), same).expect("it can be written");
        lab.write("a", 5, Fault::Nothing);
        assert_eq!(next(&told), "swapped a");
        assert_eq!(live.version("a"), Ok(5));
        edit(&lab, "b: { ", "b: { limits: { time: 9s }, ");
        assert_eq!(next(&told), "swapped b");
        live.stop();
    }
}

#[test]
fn a_slot_that_is_not_watched_stays_what_it_is() {
    let lab = Lab::new(Kind::Component, "");
    edit(&lab, "a: { ", "a: { swap: { watch: false }, ");
    let (live, told) = watched(&lab);
    lab.write("a", 2, Fault::Nothing);
    lab.write("b", 2, Fault::Nothing);
    assert_eq!(next(&told), "swapped b");
    assert_eq!((live.version("a"), live.version("b")), (Ok(1), Ok(2)));
}

#[test]
fn a_text_behind_links_is_seen_to_change_as_clusters_change_it() {
    let lab = Lab::new(Kind::Component, "");
    let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
    let folder = |name: &str, text: &str| {
        std::fs::create_dir(lab.path(name)).expect("there is none");
        std::fs::write(lab.path(name).join("rack.yaml"), text).expect("it can be written");
    };
    folder("one", &text);
    folder("two", &text.replace("a: { ", "a: { limits: { time: 9s }, "));
    std::fs::remove_file(lab.path("rack.yaml")).expect("it is there");
    symlink("one", lab.path("data")).expect("there is none");
    symlink("data/rack.yaml", lab.path("rack.yaml")).expect("there is none");
    let (_live, told) = watched(&lab);
    symlink("two", lab.path("data-new")).expect("there is none");
    std::fs::rename(lab.path("data-new"), lab.path("data")).expect("it turns");
    assert_eq!(next(&told), "swapped a");
}

#[test]
fn what_was_gone_back_to_stays_until_its_file_is_saved_again() {
    let lab = Lab::new(Kind::Component, "");
    let (live, told) = watched(&lab);
    lab.write("a", 2, Fault::Nothing);
    assert_eq!(next(&told), "swapped a");
    live.rollback("a", None).expect("it is kept");
    // Until it is parked, going back to it is a swap, which is told as one.
    while told.try_recv().is_ok() {}
    lab.write("b", 2, Fault::Nothing);
    assert_eq!(next(&told), "swapped b");
    assert_eq!(live.version("a"), Ok(1));
    lab.write("a", 3, Fault::Nothing);
    assert_eq!(next(&told), "swapped a");
    assert_eq!((live.version("a"), live.overridden().len()), (Ok(3), 0));
}

/// A rack that is opened and started, whatever fails.
pub(super) fn begun(lab: &Lab) -> Live {
    let (live, warnings) = lab.attach();
    assert!(warnings.is_empty(), "{warnings:?}");
    live.0.start();
    live
}

#[test]
fn what_did_not_start_is_started_when_it_is_mended() {
    for kind in KINDS {
        let lab = Lab::new(kind, "");
        lab.write("a", 1, Fault::Start);
        let live = begun(&lab);
        let told = hear(&live);
        live.0.watch().expect("there are threads");
        assert!(!live.0.readiness().is_ready());
        lab.write("a", 2, Fault::Start);
        assert_eq!(next(&told), "failed a start");
        assert_eq!(live.0.readiness().failed.len(), 1);
        lab.write("a", 3, Fault::Nothing);
        assert_eq!(next(&told), "swapped a");
        assert!(live.0.rack().slot("a").expect("it is declared").is_loaded());
        assert!(live.0.readiness().is_ready());
        assert_eq!(live.version("a"), Ok(3));
        // What somebody unloads is not started because it is saved.
        live.0.unload(&name("a"), asked()).expect("it serves");
        lab.write("a", 4, Fault::Nothing);
        lab.write("b", 4, Fault::Nothing);
        assert_eq!(next(&told), "swapped b");
        assert!(!live.0.rack().slot("a").expect("it is declared").is_loaded());
        live.stop();
    }
}

#[test]
fn reading_again_starts_what_was_mended_and_leaves_what_was_not() {
    for kind in KINDS {
        let lab = Lab::new(kind, "");
        lab.write("a", 1, Fault::Start);
        let live = begun(&lab);
        // It is as broken as it was: the others are changed all the same.
        edit(&lab, "b: { ", "b: { limits: { time: 9s }, ");
        assert_eq!(live.0.reload_configuration(asked()).expect("it is right").changed, [name("b")]);
        assert!(!live.0.readiness().is_ready());
        lab.write("a", 2, Fault::Nothing);
        live.0.reload_configuration(asked()).expect("it is mended");
        assert!(live.0.rack().slot("a").expect("it is declared").is_loaded());
        assert!(live.0.readiness().is_ready());
        live.stop();
        // Mended in the rack's text.
        let lab = Lab::new(kind, "");
        lab.write("a", 1, Fault::Start);
        let live = begun(&lab);
        lab.write("other", 7, Fault::Nothing);
        edit(&lab, &lab.file("a"), &lab.file("other"));
        live.0.reload_configuration(asked()).expect("it is mended");
        assert!(live.0.readiness().is_ready());
        assert_eq!(live.version("a"), Ok(7));
        live.stop();
    }
}

#[test]
fn what_serves_in_the_place_of_a_broken_file_goes_when_that_is_mended() {
    for kind in KINDS {
        for is_watched in [true, false] {
            let lab = Lab::new(kind, ", swap: { trial: { for: 0s } }");
            lab.started().stop();
            lab.write("a", 2, Fault::Start);
            let live = begun(&lab);
            assert_eq!(live.version("a"), Ok(1));
            let told = hear(&live);
            if is_watched {
                live.0.watch().expect("there are threads");
            } else {
                // What is as broken as it was is in nobody's way.
                let done = live.0.reload_configuration(asked()).expect("nothing has changed");
                assert!(done.swapped.slots.is_empty(), "{done:?}");
            }
            lab.write("a", 3, Fault::Nothing);
            if !is_watched {
                live.0.reload_configuration(asked()).expect("it is mended");
            }
            assert_eq!(next(&told), "swapped a");
            assert_eq!((live.version("a"), live.overridden().len()), (Ok(3), 0));
            live.stop();
        }
    }
}

#[test]
fn what_was_saved_together_comes_in_together_once_it_is_mended() {
    let lab = Lab::new(Kind::Component, "");
    let (live, told) = watched(&lab);
    lab.write("b", 2, Fault::Nothing);
    lab.write("a", 2, Fault::Start);
    while next(&told) != "failed a start" {}
    lab.write("a", 3, Fault::Nothing);
    while !next(&told).starts_with("swapped a") {}
    assert_eq!((live.version("a"), live.version("b")), (Ok(3), Ok(2)));
}

#[test]
fn a_rack_is_stopped_in_the_middle_of_what_a_save_does() {
    let lab = Lab::new(Kind::Component, ", swap: { drain: 1h, trial: { for: 0s } }");
    let live = lab.started();
    let (tell, told) = channel();
    live.0.rack().observe(move |event| {
        if matches!(event, Event::Draining { .. }) {
            let _ = tell.send(());
        }
    });
    live.0.watch().expect("there are threads");
    let slot = live.0.rack().slot("a").expect("it is declared");
    let used = slot.pin().expect("it is filled");
    lab.write("a", 2, Fault::Nothing);
    told.recv_timeout(PATIENCE).expect("it waits for who uses the old one");
    // Stopping ends that, and then waits for the watcher: the other way round it would wait for an hour.
    let (tell, stopped) = channel();
    let stopping = std::thread::spawn(move || {
        live.stop();
        let _ = tell.send(());
    });
    stopped.recv_timeout(PATIENCE).expect("it is stopped");
    stopping.join().expect("nothing failed");
    drop(used);
}

#[test]
fn a_text_that_did_not_come_into_force_is_tried_once() {
    let lab = Lab::new(Kind::Component, "");
    lab.write("bad", 2, Fault::Start);
    let (live, told) = watched(&lab);
    edit(&lab, &lab.file("a"), &lab.file("bad"));
    assert_eq!(next(&told), "failed a start");
    for version in 2..5 {
        lab.write("b", version, Fault::Nothing);
        assert_eq!(next(&told), "swapped b");
    }
    assert_eq!(live.version("a"), Ok(1));
    live.stop();
}

#[test]
fn a_text_comes_into_force_when_what_it_names_is_mended() {
    for kind in KINDS {
        let lab = Lab::new(kind, "");
        lab.write("bad", 2, Fault::Start);
        let (live, told) = watched(&lab);
        edit(&lab, &lab.file("a"), &lab.file("bad"));
        assert_eq!(next(&told), "failed a start");
        lab.write("b", 2, Fault::Nothing);
        assert_eq!(next(&told), "swapped b");
        lab.write("bad", 3, Fault::Nothing);
        assert_eq!(next(&told), "swapped a");
        assert_eq!((live.version("a"), live.version("b")), (Ok(3), Ok(2)));
        // From now on it is watched as what fills the slot.
        lab.write("bad", 4, Fault::Nothing);
        assert_eq!(next(&told), "swapped a");
        live.stop();
    }
}

#[test]
fn what_was_gone_back_to_stays_when_the_text_is_read_again() {
    for more in ["", ", swap: { trial: { for: 0s } }"] {
        let lab = Lab::new(Kind::Component, more);
        let live = lab.started();
        lab.write("a", 2, Fault::Nothing);
        live.swap("a", None).expect("it swaps");
        live.rollback("a", None).expect("it is kept");
        let before = generations(&live);
        live.0.reload_configuration(asked()).expect("it is right");
        assert_eq!((live.version("a"), generations(&live)), (Ok(1), before));
        // Until its file is saved again.
        lab.write("a", 3, Fault::Nothing);
        live.0.reload_configuration(asked()).expect("it is right");
        assert_eq!((live.version("a"), live.overridden().len()), (Ok(3), 0));
    }
}

#[test]
fn a_text_is_in_force_when_its_modules_serve_and_not_before() {
    let lab = Lab::new(Kind::Library, "");
    lab.gate();
    lab.write("c", 3, Fault::Waits);
    lab.write("other", 7, Fault::Nothing);
    let live = lab.started();
    let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
    lab.rack_text(&format!("{text}  c: ./c.so\n"));
    let declared = || live.0.status().expect("it can be read").slots.len();
    std::thread::scope(|scope| {
        let configured = scope.spawn(|| live.0.reload_configuration(asked()));
        let gate = lab.arrived();
        assert!(live.0.readiness().is_ready());
        // Other slots go on to be changed meanwhile.
        live.swap("a", Some("./other.so")).expect("it swaps");
        live.rollback("a", None).expect("it is parked");
        live.swap("b", Some("./other.so")).expect("it swaps");
        drop(gate);
        configured.join().expect("it ends").expect("it starts");
    });
    assert_eq!((live.version("a"), live.version("b"), live.version("c")), (Ok(1), Ok(7), Ok(3)));
    assert_eq!(live.overridden(), [("b".to_owned(), "./other.so".to_owned())]);
    assert_eq!(declared(), 3);
    assert!(live.0.readiness().is_ready());
}

#[test]
fn what_is_saved_and_broken_keeps_nothing_else_from_changing() {
    for kind in KINDS {
        for is_watched in [false, true] {
            let lab = Lab::new(kind, "");
            let live = lab.started();
            let told = hear(&live);
            let before = generations(&live);
            if is_watched {
                live.0.watch().expect("there are threads");
            }
            lab.write("a", 2, Fault::Start);
            if is_watched {
                assert_eq!(next(&told), "failed a start");
            } else {
                // Where nothing else has changed, it is why nothing changes.
                let broken = live.0.reload_configuration(asked()).expect_err("it does not start");
                assert_eq!(broken.error().slot_name(), Some(&name("a")));
            }
            for time in ["9s", "8s"] {
                let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
                let (a, _) = text.split_once("  b: ").expect("it is the last");
                let use_b = lab.file("b");
                lab.rack_text(&format!("{a}  b: {{ use: {use_b}, limits: {{ time: {time} }} }}\n"));
                if is_watched {
                    while next(&told) != "swapped b" {}
                } else {
                    let done = live.0.reload_configuration(asked()).expect("the text is right");
                    assert_eq!(done.changed, [name("b")]);
                }
                let now = generations(&live);
                assert!(now[0] == before[0] && now[1] != before[1]);
            }
            assert_eq!((live.version("a"), live.version("b")), (Ok(1), Ok(1)));
            lab.write("a", 3, Fault::Nothing);
            if !is_watched {
                live.0.reload_configuration(asked()).expect("it is mended");
            }
            while next(&told) != "swapped a" {}
            assert_eq!(live.version("a"), Ok(3));
            live.stop();
        }
    }
}

#[test]
fn what_did_not_start_and_is_not_watched_is_started_when_the_text_is_read_again() {
    for kind in KINDS {
        let lab = Lab::new(kind, ", swap: { watch: false }");
        lab.write("a", 1, Fault::Start);
        let live = begun(&lab);
        lab.write("a", 2, Fault::Nothing);
        live.0.reload_configuration(asked()).expect("it is mended");
        assert!(live.0.rack().slot("a").expect("it is declared").is_loaded());
        assert!(live.0.readiness().is_ready());
        // What serves stays what it is.
        lab.write("a", 3, Fault::Nothing);
        live.0.reload_configuration(asked()).expect("it is right");
        assert_eq!(live.version("a"), Ok(2));
        live.stop();
    }
}

#[test]
fn what_serves_in_the_place_of_a_broken_file_goes_on_under_other_defaults() {
    let lab = Lab::new(Kind::Component, ", swap: { trial: { for: 0s } }");
    lab.started().stop();
    lab.write("a", 2, Fault::Start);
    let live = begun(&lab);
    let limit = || live.0.rack().slot("a").expect("it is declared").plan().limits.time;
    edit(&lab, "rack: 1\n", "rack: 1\ndefaults: { limits: { time: 9s } }\n");
    live.0.reload_configuration(asked()).expect("it is right");
    assert_eq!((live.version("a"), limit()), (Ok(1), Some(Duration::from_secs(9))));
    lab.write("a", 3, Fault::Nothing);
    live.0.reload_configuration(asked()).expect("it is mended");
    assert_eq!((live.version("a"), limit()), (Ok(3), Some(Duration::from_secs(9))));
    live.stop();
}

#[test]
fn a_text_that_is_read_again_may_need_what_the_program_adds() {
    let lab = Lab::new(Kind::Library, "");
    edit(&lab, "a: { ", "a: { needs: { helper: helper }, ");
    let rack =
        Rack::builder().file(lab.path("")).module("helper", Module::new()).open().expect("it is right");
    let settings = LiveSettings {
        folder: Some(lab.path(".modrack")),
        source: Some(text::Source::File(lab.path("rack.yaml"))),
        ..LiveSettings::default()
    };
    let (live, warnings) = LiveRack::attach(rack.runtime().clone(), settings).expect("it is nobody's");
    assert!(warnings.is_empty(), "{warnings:?}");
    let live = Live(live);
    assert!(live.0.start().iter().all(|started| started.why.is_none()));
    edit(&lab, "b: { ", "b: { needs: { helper: helper }, ");
    assert_eq!(live.0.reload_configuration(asked()).expect("it is right").changed, [name("b")]);
    live.swap_set("a", None, &["limits.time=9s"]).expect("it swaps");
    lab.write("other", 7, Fault::Nothing);
    let slots = vec![SwapSlot { slot: name("b"), to: Some(lab.file("other")), set: Vec::new() }];
    live.0.swap(&SwapRequest { slots, save: true, ..SwapRequest::default() }).expect("it is written");
    assert_eq!((live.version("a"), live.version("b"), live.overridden().len()), (Ok(1), Ok(7), 1));
    // What the program fills is none of the text's.
    let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
    lab.rack_text(&format!("{text}  helper: ./b.so\n"));
    let taken = live.0.reload_configuration(asked()).expect_err("there is one");
    assert_eq!(taken.error().code(), Code::DuplicateName);
    live.stop();
}
