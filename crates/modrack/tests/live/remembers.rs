//! What outlives a process: swaps, their history, the last good set, and what is gone back to.

use modrack::{Code, Step};

use crate::lab::{Fault, KINDS, Lab, asked, name};

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
