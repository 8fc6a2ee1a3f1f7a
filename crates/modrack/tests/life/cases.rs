//! The cases of the table. Each is given a rack whose slots `a` and `b` have counted to 1, and panics where something does
//! not hold. Where kinds differ by nature, as in what can be cancelled, the case says so.

use std::sync::{Arc, Mutex, mpsc};

use modrack::{Before, Code, Event, Step, Swap};

use super::load::Load;
use super::{Case, Fault, Kind, Lab, name};

/// Ways to swap that each case of plain edits must hold for.
const WAYS: &[&str] = &["", "state: exclusive", "overlap: false", "trial: { for: 0s }"];

/// All of them.
pub(crate) const CASES: &[Case] = &[
    Case { name: "an_edit_comes_in_with_the_state_of_what_it_replaces", swaps: WAYS, run: edits },
    Case {
        name: "what_is_broken_stays_out_and_what_served_serves_on",
        swaps: &["probe: { call: [version] }", "state: exclusive", "overlap: false"],
        run: broken,
    },
    Case {
        name: "a_probe_that_is_answered_wrong_keeps_a_module_out",
        swaps: &["probe: { call: [version], expect: 1 }"],
        run: probed,
    },
    Case { name: "a_rollback_goes_back_with_the_state", swaps: &["", "state: exclusive"], run: gone_back },
    Case {
        name: "a_shutdown_that_fails_is_told_and_changes_nothing",
        swaps: &["trial: { for: 0s }", "overlap: false"],
        run: stop_failed,
    },
    Case {
        name: "a_call_past_the_drain_is_ended_where_it_can_be_and_waited_for_elsewhere",
        swaps: &["trial: { for: 0s }, drain: 50ms"],
        run: past_the_drain,
    },
    Case {
        name: "what_fails_its_trial_is_taken_back_by_itself",
        swaps: &["trial: { for: 1h, min-calls: 8, errors: 5% }"],
        run: trial_failed,
    },
    Case {
        name: "slots_are_swapped_side_by_side_and_a_rack_that_is_stopped_meanwhile_starts_nothing",
        swaps: WAYS,
        run: side_by_side,
    },
    Case {
        name: "a_million_calls_and_200_swaps_lose_no_count_and_show_no_mixture",
        swaps: &["state: exclusive, drain: 1m"],
        run: under_load,
    },
];

fn edits(lab: Lab) {
    for version in 2..4 {
        lab.write("a", version, Fault::Nothing);
        // Nothing is looked at before somebody asks.
        assert_eq!(lab.call("a", "version"), Ok(version - 1));
        let swapped = lab.swap(&["a"]).expect("it swaps");
        assert!(swapped.slots[0].carried && swapped.slots[0].hash.is_some());
        lab.holds("a", version, version);
    }
    // The same content again is another generation with the same hash.
    let (once, again) = (lab.swap(&["a"]).expect("it swaps"), lab.swap(&["a"]).expect("it swaps"));
    assert_eq!(once.slots[0].hash, again.slots[0].hash);
    assert!(lab.rack.stop().is_empty());
}

fn broken(lab: Lab) {
    let faults = [
        (Fault::Gone, Step::Fetch),
        (Fault::Cut, Step::Match),
        (Fault::Lacks, Step::Match),
        (Fault::Start, Step::Start),
        (Fault::Import, Step::Carry),
    ];
    for (at, (fault, step)) in (0..).zip(faults) {
        lab.write("a", 2, Fault::Nothing);
        lab.write("b", 2, fault);
        // The second is what fails, when the first is there.
        let failed = lab.swap(&["a", "b"]).expect_err("it is broken");
        assert_eq!((failed.step, failed.slot.as_str()), (step, "b"), "{fault:?}: {}", failed.error);
        // What cannot run twice was stopped to make room, and was started again from its content, which was kept.
        lab.holds("a", 1, at + 2);
        lab.holds("b", 1, at + 2);
    }
    lab.write("b", 2, Fault::Nothing);
    lab.swap(&["a", "b"]).expect("it is mended");
    assert_eq!((lab.call("a", "version"), lab.call("b", "version")), (Ok(2), Ok(2)));
}

fn probed(lab: Lab) {
    lab.write("a", 2, Fault::Nothing);
    let failed = lab.swap(&["a"]).expect_err("it gives 2");
    assert_eq!((failed.step, failed.error.code()), (Step::Probe, Code::ProbeFailed));
    assert_eq!(failed.error.message(), "The probe of `version` gave 2, and 1 is expected");
    assert_eq!(lab.call("a", "version"), Ok(1));
}

fn gone_back(lab: Lab) {
    for slot in ["a", "b"] {
        lab.write(slot, 2, Fault::Nothing);
    }
    lab.swap(&["a", "b"]).expect("it swaps");
    assert_eq!((lab.call("a", "count"), lab.call("b", "count")), (Ok(2), Ok(2)));
    // What was swapped together goes back together.
    let back = lab.rollback("b").expect("it is parked");
    assert!(back.slots.iter().all(|served| served.carried));
    lab.holds("a", 1, 3);
    lab.holds("b", 1, 3);
    assert_eq!(lab.rollback("a").expect_err("nothing is left").error.code(), Code::NothingBefore);
}

fn stop_failed(lab: Lab) {
    let (send, told) = mpsc::channel();
    let send = Mutex::new(send);
    lab.rack.observe(move |event| {
        if let Event::StopFailed { why, .. } = event {
            let _ = send.lock().expect("nobody panics").send(why.code());
        }
    });
    lab.write("a", 2, Fault::Shutdown);
    lab.swap(&["a"]).expect("it swaps");
    lab.write("a", 3, Fault::Nothing);
    let swapped = lab.swap(&["a"]).expect("it swaps");
    let mut failed: Vec<_> = swapped.stopped.iter().map(modrack::Error::code).collect();
    failed.extend(told.try_iter());
    assert_eq!(failed, [Code::StopFailed]);
    assert_eq!(lab.call("a", "version"), Ok(3));
}

fn past_the_drain(lab: Lab) {
    let (send, told) = mpsc::channel();
    let send = Mutex::new(send);
    lab.rack.observe(move |event| {
        let _ = send.lock().expect("nobody panics").send(event.clone());
    });
    std::fs::write(lab.path("held"), "").expect("it can be written");
    // No scope: a call that never ended would keep a failure of this from being seen.
    let lab = Arc::new(lab);
    let caller = lab.clone();
    let call = std::thread::spawn(move || caller.call("a", "hold"));
    let is_cancelled = lab.kind == Kind::Component;
    if is_cancelled {
        let slot = lab.rack.slot("a").expect("it is declared");
        let pin = slot.runtime().pin().expect("it is loaded");
        while pin.instance().footprint().calls == 0 {
            std::thread::yield_now();
        }
    } else {
        while !lab.path("inside").exists() {
            std::thread::yield_now();
        }
    }
    lab.write("a", 2, Fault::Nothing);
    // What is in a call may have no state to give: the swap goes without.
    let swapped = lab.rack.swap(&Swap::reload(name("a")).force(true)).expect("it swaps");
    assert_eq!(lab.call("a", "version"), Ok(2));
    if is_cancelled {
        assert_eq!(swapped.before, Before::Stopped);
        assert_eq!(call.join().expect("no panic"), Err(Code::Cancelled));
    } else {
        assert_eq!((swapped.before, lab.rack.kept()[0].state), (Before::Lingering, Before::Lingering));
        std::fs::remove_file(lab.path("held")).expect("it is there");
        assert_eq!(call.join().expect("no panic"), Ok(1));
        let is_first =
            |event: &Event| matches!(event, Event::Retired { generation, .. } if generation.0 == 1);
        while !is_first(&told.recv().expect("it is told")) {}
    }
    assert!(lab.rack.kept().is_empty());
}

fn trial_failed(lab: Lab) {
    let (send, told) = mpsc::channel();
    let send = Mutex::new(send);
    lab.rack.observe(move |event| {
        if let Event::RolledBack { why: Some(why), .. } = event {
            let _ = send.lock().expect("nobody panics").send(why.code());
        }
    });
    lab.write("a", 2, Fault::Count);
    lab.swap(&["a"]).expect("it does all that is asked of it before it serves");
    for _ in 0..8 {
        lab.call("a", "count").expect_err("it fails");
    }
    assert_eq!(told.recv(), Ok(Code::TrialFailed));
    assert_eq!(lab.call("a", "version"), Ok(1));
    lab.call("a", "count").expect("it serves again");
}

fn side_by_side(lab: Lab) {
    std::thread::scope(|scope| {
        for slot in ["a", "b"] {
            let lab = &lab;
            scope.spawn(move || {
                for turn in 2..6 {
                    assert_eq!(lab.swap(&[slot]).expect("it swaps").slots[0].slot.as_str(), slot);
                    assert_eq!(lab.call(slot, "count"), Ok(turn));
                }
            });
        }
    });
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| {
            std::iter::repeat_with(|| lab.swap(&["a"])).find_map(Result::err).expect("it is stopped")
        });
        while lab.call("a", "count") != Ok(8) && !swapping.is_finished() {
            std::thread::yield_now();
        }
        lab.rack.stop();
        let failed = swapping.join().expect("no panic");
        assert_eq!(failed.error.code(), Code::RackStopped, "{failed}");
    });
    assert_eq!(lab.call("a", "count"), Err(Code::RackStopped));
    assert!(lab.rack.kept().is_empty());
}

fn under_load(lab: Lab) {
    // Calls of one process share one interpreter, so they are fewer there.
    let load = match lab.kind {
        Kind::Python => Load { threads: 6, calls: 100_000, changes: 100 },
        Kind::Library | Kind::Component => Load { threads: 4, calls: 1_000_000, changes: 200 },
    };
    let good = [2, 3, 4].map(|version| lab.made(version, Fault::Nothing));
    let broken = [Fault::Cut, Fault::Lacks, Fault::Start, Fault::Import];
    let broken = broken.map(|fault| lab.made(5, fault));
    let counted = load.put_on(&lab.rack, |at| {
        let turn = usize::try_from(at).expect("it is small");
        let is_good = at % 4 != 3;
        for slot in ["a", "b"] {
            let bytes = if is_good || slot == "a" { &good[turn % 3] } else { &broken[turn / 4 % 4] };
            lab.put(slot, bytes);
        }
        assert_eq!(lab.swap(&["a", "b"]).is_ok(), is_good, "swap {at}");
        if at % 10 == 0 {
            lab.rollback("a").expect("it is parked");
        }
    });
    assert_eq!(lab.call("a", "count"), Ok(1 + counted + 1));
    assert!(lab.rack.stop().is_empty());
}
