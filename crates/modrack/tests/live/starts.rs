//! What a start does with modules that do not start: what is known to be good serves, and nothing is tried for ever.

use std::process::Command;

use modrack::live::{SwapRequest, SwapSlot};
use modrack::{Code, Value};

use crate::lab::{Fault, KINDS, Kind, Lab, attach, name};

const NO_TRIAL: &str = ", swap: { trial: { for: 0s } }";

#[test]
fn what_does_not_start_is_replaced_by_what_is_known_to_be_good() {
    for kind in KINDS {
        let lab = Lab::new(kind, NO_TRIAL);
        lab.started().stop();
        for fault in [Some(Fault::Start), None] {
            match fault {
                Some(fault) => lab.write("a", 2, fault),
                None => std::fs::remove_file(lab.path(&lab.file("a")[2..])).expect("it is there"),
            }
            let (live, warnings) = lab.attach();
            assert!(warnings.is_empty(), "{warnings:?}");
            let started = live.0.start();
            assert!(started.iter().all(|started| started.served.is_some()), "{started:?}");
            let why = started[0].why.as_ref().expect("it is said");
            assert!(why.message().starts_with("`a` serves `"), "{why}");
            assert!(started[1].why.is_none());
            assert!(live.0.readiness().is_ready());
            assert_eq!((live.version("a"), live.version("b")), (Ok(1), Ok(1)));
            assert_eq!(live.0.take_warnings().len(), 1);
            let told = live.0.rack().events_since(0);
            let warned: Vec<_> = told.iter().filter(|told| told.name == "warning").collect();
            assert_eq!(warned.len(), 1);
            assert_eq!(warned[0].slot, Some(name("a")));
            assert!(matches!(warned[0].fields.get("error"), Some(Value::Map(_))));
            let status = live.0.status().expect("it can be read");
            assert!(status.slots[0].why.is_some() && status.slots[0].overridden.is_none());
            live.stop();
        }
        // It is tried anew each time: mended, it serves.
        lab.write("a", 3, Fault::Nothing);
        let live = lab.started();
        assert_eq!(live.version("a"), Ok(3));
    }
}

#[test]
fn what_never_started_leaves_its_slot_empty_and_says_why() {
    for kind in KINDS {
        let lab = Lab::new(kind, "");
        lab.write("a", 1, Fault::Start);
        let (live, _) = lab.attach();
        let started = live.0.start();
        assert!(started[0].served.is_none() && started[1].served.is_some(), "{started:?}");
        let readiness = live.0.readiness();
        assert!(!readiness.is_ready());
        assert_eq!(readiness.failed[0].0, name("a"));
        // Once it is mended, whoever calls it first has it loaded.
        lab.write("a", 2, Fault::Nothing);
        assert_eq!(live.version("a"), Ok(2));
        assert!(live.0.readiness().is_ready());
    }
}

const FOLDER: &str = "MODRACK_TEST_ENDS";

/// Does nothing as a test of its own: it is the process that the next test starts, and that a module ends.
#[test]
fn the_process_that_a_module_ends() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (live, _) = attach(folder.as_ref(), |_| {}).expect("it is nobody's");
    for started in live.start() {
        assert!(started.served.is_some(), "{started:?}");
    }
    if let Ok(to) = std::fs::read_to_string(std::path::Path::new(&folder).join("swap")) {
        let slots = vec![SwapSlot { slot: name("a"), to: Some(to), set: Vec::new() }];
        live.swap(&SwapRequest { slots, ..SwapRequest::default() }).expect("it swaps");
    }
    assert!(live.stop().is_empty());
}

/// Whether a process came to its end by itself.
fn process(lab: &Lab) -> bool {
    let mut command = Command::new(std::env::current_exe().expect("it runs"));
    command.args(["--exact", "starts::the_process_that_a_module_ends", "--test-threads=1"]);
    let out = command.env(FOLDER, lab.path("")).output().expect("it starts");
    if !out.status.success() {
        assert_eq!(out.status.code(), Some(9), "{out:?}");
    }
    out.status.success()
}

#[test]
fn a_module_that_ended_the_process_at_its_start_is_not_tried_again_by_itself() {
    let lab = Lab::new(Kind::Library, NO_TRIAL);
    assert!(process(&lab));
    lab.write("a", 2, Fault::Ends);
    assert!(!process(&lab));
    for round in 0..2 {
        let (live, warnings) = lab.attach();
        assert_eq!(warnings.len(), usize::from(round == 0), "{warnings:?}");
        assert!(live.0.start().iter().all(|started| started.served.is_some()));
        assert_eq!((live.version("a"), live.version("b")), (Ok(1), Ok(1)));
        let told = live.history();
        assert_eq!(told, ["load a done", "load b done", "load a interrupted", "rollback a done"]);
        assert_eq!(live.overridden(), [("a".to_owned(), "./a.so".to_owned())]);
        live.stop();
    }
    // Mended, it is loaded again by itself.
    lab.write("a", 3, Fault::Nothing);
    let live = lab.started();
    assert_eq!(live.version("a"), Ok(3));
    assert!(live.overridden().is_empty());
}

#[test]
fn a_swap_that_ended_the_process_was_none() {
    let lab = Lab::new(Kind::Library, NO_TRIAL);
    lab.write("bad", 2, Fault::Ends);
    std::fs::write(lab.path("swap"), "./bad.so").expect("it can be written");
    assert!(!process(&lab));
    let live = lab.started();
    assert_eq!((live.version("a"), live.version("b")), (Ok(1), Ok(1)));
    assert_eq!(live.history(), ["load a done", "load b done", "swap a interrupted"]);
    assert!(live.overridden().is_empty());
}

#[test]
fn what_ends_every_process_is_tried_twice_and_no_more() {
    let lab = Lab::new(Kind::Library, "");
    lab.write("a", 1, Fault::Ends);
    assert!(!process(&lab) && !process(&lab));
    let (live, _) = lab.attach();
    let started = live.0.start();
    assert_eq!(started[0].why.as_ref().map(modrack::Error::code), Some(Code::Interrupted));
    assert_eq!((live.version("b"), live.0.readiness().failed.len()), (Ok(1), 1));
    // Nor does a call end this one.
    assert_eq!(live.version("a"), Err(Code::Interrupted));
    // Who asks for it has it tried.
    lab.write("a", 2, Fault::Nothing);
    live.swap("a", None).expect("it starts");
    assert!(live.0.readiness().is_ready());
}

#[test]
fn what_ended_the_process_by_what_it_was_given_is_replaced_by_what_was_good() {
    let lab = Lab::new(Kind::Library, NO_TRIAL);
    lab.write("a", 1, Fault::EndsSometimes);
    assert!(process(&lab));
    // The same content, given something else.
    let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
    lab.rack_text(&text.replacen("use: ", "limits: { time: 9s }, use: ", 1));
    std::fs::write(lab.path("ends"), "").expect("it can be written");
    assert!(!process(&lab));
    std::fs::remove_file(lab.path("ends")).expect("it is there");
    let (live, warnings) = lab.attach();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(live.0.start().iter().all(|started| started.served.is_some()));
    let time = || live.0.rack().slot("a").expect("it is declared").plan().limits.time;
    assert_eq!((live.version("a"), time()), (Ok(1), None));
    live.stop();
    // Given something else again, it is what the text says.
    lab.rack_text(&text.replacen("use: ", "limits: { time: 8s }, use: ", 1));
    assert!(lab.started().overridden().is_empty());
}
