//! What failed is tried again by each save, whatever it leaves, and by nothing else; and what was refused is known until it is not.

use modrack::Event;
use modrack::live::LiveRack;

use crate::changes::{begun, edit, hear, next, watched};
use crate::lab::{Fault, KINDS, Kind, Lab, asked, name};

/// Saves another slot's module: what is told next is of that, and so nothing else was.
fn nothing_else(lab: &Lab, told: &std::sync::mpsc::Receiver<String>, version: i64) {
    lab.write("b", version, Fault::Nothing);
    assert_eq!(next(told), "swapped b");
}

fn refused(live: &LiveRack) -> (bool, Vec<String>) {
    let status = live.status().expect("it can be read");
    let slots = status.slots.into_iter().filter(|slot| slot.refused.is_some());
    (status.refused.is_some(), slots.map(|slot| slot.slot.to_string()).collect())
}

#[test]
fn what_failed_is_tried_at_each_save_and_what_serves_is_not() {
    for kind in KINDS {
        let lab = Lab::new(kind, "");
        let (live, told) = watched(&lab);
        // As it is, it is no news.
        lab.write("a", 1, Fault::Nothing);
        nothing_else(&lab, &told, 2);
        for _ in 0..3 {
            lab.write("a", 2, Fault::Start);
            assert_eq!(next(&told), "failed a start");
            assert_eq!(refused(&live.0), (false, vec!["a".to_owned()]));
        }
        nothing_else(&lab, &told, 3);
        // Put back, it serves as it did; broken as it was, it is told.
        lab.write("a", 1, Fault::Nothing);
        nothing_else(&lab, &told, 4);
        assert_eq!(refused(&live.0), (false, Vec::new()));
        lab.write("a", 2, Fault::Start);
        assert_eq!(next(&told), "failed a start");
        lab.write("a", 3, Fault::Nothing);
        assert_eq!(next(&told), "swapped a");
        assert_eq!(refused(&live.0), (false, Vec::new()));
        // What serves is watched as it was before anything failed.
        lab.write("a", 3, Fault::Nothing);
        nothing_else(&lab, &told, 5);
        live.stop();
    }
}

#[test]
fn what_is_missing_at_the_start_is_started_when_it_comes() {
    let lab = Lab::new(Kind::Component, "");
    std::fs::remove_file(lab.path("a.wat")).expect("it is there");
    let live = begun(&lab);
    let told = hear(&live);
    let (tell, ready) = std::sync::mpsc::channel();
    let pattern = modrack::Pattern::parse("rack.ready").expect("it is one");
    let _heard = live.0.rack().subscribe(&pattern, move |_| {
        let _ = tell.send(());
    });
    live.0.watch().expect("there are threads");
    assert!(!live.0.readiness().is_ready());
    lab.write("a", 1, Fault::Start);
    assert_eq!(next(&told), "failed a start");
    lab.write("a", 1, Fault::Nothing);
    assert_eq!(next(&told), "swapped a");
    ready.recv().expect("it is ready");
    assert!(live.0.readiness().is_ready());
    live.stop();
}

#[test]
fn a_text_that_was_refused_is_tried_when_it_or_what_it_names_is_saved() {
    let lab = Lab::new(Kind::Component, "");
    let (live, told) = watched(&lab);
    let text = std::fs::read_to_string(lab.path("rack.yaml")).expect("it is there");
    edit(&lab, &text, &format!("{text}  c: ./c.wat\n"));
    assert_eq!(next(&told), "failed c fetch");
    assert_eq!(refused(&live.0), (true, Vec::new()));
    nothing_else(&lab, &told, 2);
    for _ in 0..2 {
        lab.rack_text(&format!("{text}  c: ./c.wat\n"));
        assert_eq!(next(&told), "failed c fetch");
    }
    for _ in 0..2 {
        lab.write("c", 7, Fault::Start);
        assert_eq!(next(&told), "failed c start");
    }
    lab.write("c", 7, Fault::Nothing);
    assert_eq!(next(&told), "swapped c");
    assert_eq!((live.version("c"), refused(&live.0)), (Ok(7), (false, Vec::new())));
    lab.write("c", 7, Fault::Nothing);
    nothing_else(&lab, &told, 3);
    live.stop();
}

#[test]
fn a_failure_for_which_a_save_is_not_to_blame_is_tried_again_by_a_save_alone() {
    let lab = Lab::new(Kind::Component, ", swap: { drain: 10ms, trial: { for: 0s }, overlap: false }");
    let (live, told) = watched(&lab);
    let used = live.0.rack().slot("a").and_then(|slot| slot.pin()).expect("it is filled");
    lab.write("a", 2, Fault::Nothing);
    assert_eq!(next(&told), "failed a drain");
    drop(used);
    nothing_else(&lab, &told, 2);
    assert_eq!(live.version("a"), Ok(1));
    // The same once more.
    lab.write("a", 2, Fault::Nothing);
    assert_eq!(next(&told), "swapped a");
    assert_eq!(live.version("a"), Ok(2));
    live.stop();
}

#[test]
fn what_somebody_asked_for_and_the_rack_does_not_say_is_not_refused_of_it() {
    let lab = Lab::new(Kind::Component, "");
    let live = lab.started();
    live.swap("a", Some("./none.wat")).expect_err("there is none");
    assert_eq!(refused(&live.0), (false, Vec::new()));
    lab.write("a", 2, Fault::Start);
    live.swap("a", None).expect_err("it does not start");
    assert_eq!(refused(&live.0), (false, vec!["a".to_owned()]));
    // A text that is restored and does not come in stands nowhere any more.
    edit(&lab, &lab.file("b"), "./none.wat");
    live.0.reload_configuration(asked()).expect_err("there is none");
    assert!(refused(&live.0).0);
    let (mended, told) = (name("a"), std::sync::mpsc::channel());
    live.0.rack().observe(move |event| {
        if let Event::Swapped { slots, .. } = event {
            let _ = told.0.send(slots.iter().any(|served| served.slot == mended));
        }
    });
    lab.write("a", 3, Fault::Nothing);
    live.swap("a", None).expect("it starts");
    assert_eq!(told.1.recv(), Ok(true));
    assert_eq!(refused(&live.0), (true, Vec::new()));
    edit(&lab, "./none.wat", &lab.file("b"));
    assert_eq!(refused(&live.0), (false, Vec::new()));
    live.stop();
}
