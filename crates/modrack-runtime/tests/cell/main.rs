//! The cell of the slot table, its pins and its grace periods, in every order in which threads can go through them.
//!
//! The files are those of the crate; what they are made of is the model checker's (`sync`). What this does not look at is
//! the system's call by which a publisher has all threads stand at a fence: here both sides have a fence of their own.

#[path = "../../src/cell.rs"]
mod cell;
#[path = "../../src/grace.rs"]
mod grace;
#[path = "../../src/pins.rs"]
mod pins;
mod sync;

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use cell::{Table, TableCell};
use grace::{Grace, Look};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use sync::{Arc, Watched};

/// A table that holds only what tables tell each other apart by.
struct Numbered {
    version: u64,
    /// What it was made of, as the tables of swaps that are under way have it.
    _base: Option<Arc<Numbered>>,
    grace: OnceLock<Arc<Grace>>,
    end: Watched,
    has_ended: AtomicBool,
}

impl Numbered {
    fn new(version: u64) -> Self {
        Self::over(version, None)
    }

    fn over(version: u64, base: Option<Arc<Numbered>>) -> Self {
        let (end, has_ended) = (Watched::default(), AtomicBool::new(false));
        Self { version, _base: base, grace: OnceLock::new(), end, has_ended }
    }
}

impl Table for Numbered {
    fn version(&self) -> u64 {
        self.end.look();
        assert!(!self.has_ended.load(Ordering::Relaxed), "{} has ended", self.version);
        self.version
    }

    fn end_tells(&self, grace: &Arc<Grace>) {
        let _ = self.grace.set(grace.clone());
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.end.change();
        assert!(!self.has_ended.swap(true, Ordering::Relaxed), "it ends twice");
        if let Some(grace) = self.grace.get() {
            grace.tell();
        }
    }
}

/// A cell, what the versions of its table lead to, and which of that was stopped: bit by bit.
struct Rack {
    cell: TableCell<Numbered>,
    modules: [Watched; 4],
    stopped: AtomicUsize,
}

impl Rack {
    fn new() -> std::sync::Arc<Self> {
        let cell = TableCell::new(Numbered::new(1));
        assert_ne!(cell.id(), 0, "0 is no cell");
        std::sync::Arc::new(Self { cell, modules: Default::default(), stopped: AtomicUsize::new(0) })
    }

    /// Publishes the next table, waits for the calls of those from `since` on, and stops what they had.
    fn swap(&self, since: u64) {
        let version = self.cell.publish(|table| {
            let next = Numbered::new(table.version() + 1);
            let version = next.version;
            (Some(next), version)
        });
        self.cell.grace().wait(|| match self.cell.is_pinned_between(since, version) {
            true => Look::Again(None),
            false => Look::Done(()),
        });
        for old in since..version {
            self.module(old).change();
            self.stopped.fetch_or(1 << old, Ordering::AcqRel);
        }
    }

    /// What a call on `version` may count on for as long as it has it pinned.
    fn runs(&self, version: u64) {
        assert_eq!(
            self.stopped.load(Ordering::Acquire) & (1 << version),
            0,
            "{version} was stopped in a call"
        );
        self.module(version).look();
    }

    fn module(&self, version: u64) -> &Watched {
        let at = usize::try_from(version).expect("a small number");
        self.modules.get(at).expect("few are published")
    }
}

/// Runs `run` in every order that takes a thread off at most three times where it would have gone on.
fn check(run: impl Fn() + Send + Sync + 'static) {
    check_within(3, run);
}

fn check_within(times: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut checker = loom::model::Builder::new();
    checker.preemption_bound = Some(times);
    checker.check(run);
}

#[test]
fn what_a_call_has_pinned_is_not_stopped_before_it_ends() {
    check(|| {
        let rack = Rack::new();
        let caller = rack.clone();
        let call = thread::spawn(move || {
            let pinned = caller.cell.pin();
            let version = pinned.version();
            caller.runs(version);
            thread::yield_now();
            caller.runs(pinned.version());
        });
        rack.swap(1);
        // Whoever comes from here on finds the new one.
        assert_eq!(rack.cell.pin().version(), 2);
        call.join().expect("the call ends");
    });
}

#[test]
fn a_call_within_a_call_finds_the_table_of_the_outer_one() {
    check(|| {
        let rack = Rack::new();
        let caller = rack.clone();
        let call = thread::spawn(move || {
            let pinned = caller.cell.pin();
            let outer = pinned.version();
            let now = caller.cell.pin();
            let inner = if now.version() == outer {
                outer
            } else {
                caller.cell.at(outer).expect("it is pinned by the outer call").version()
            };
            assert_eq!(inner, outer);
            caller.runs(inner);
        });
        rack.swap(1);
        call.join().expect("the call ends");
    });
}

#[test]
fn swaps_that_follow_each_other_stop_what_they_replaced_and_nothing_later() {
    // Two swaps are long: two times are some ten thousands of orders.
    check_within(2, || {
        let rack = Rack::new();
        let caller = rack.clone();
        let call = thread::spawn(move || {
            let pinned = caller.cell.pin();
            caller.runs(pinned.version());
            let kept = pinned.keep();
            caller.runs(kept.version());
        });
        rack.swap(1);
        rack.swap(2);
        call.join().expect("the call ends");
        assert!(!rack.cell.is_blind() && !rack.cell.is_pinned_between(1, 3));
    });
}

#[test]
fn of_two_that_end_at_once_the_last_one_finds_that_it_is() {
    // Three threads have more orders than can be waited for: those with one such moment.
    check_within(1, || {
        let rack = Rack::new();
        let calls = [0, 1].map(|_| {
            let caller = rack.clone();
            thread::spawn(move || {
                let pinned = caller.cell.pin();
                caller.runs(pinned.version());
            })
        });
        // A wait that nobody ends would be found.
        rack.swap(1);
        for call in calls {
            call.join().expect("the call ends");
        }
    });
}

#[test]
fn a_table_of_a_swap_under_way_keeps_what_it_was_made_of() {
    check(|| {
        let rack = Rack::new();
        let starter = rack.clone();
        // What a new module calls while it starts: a table over what is current then, with a number of its own.
        let start = thread::spawn(move || {
            let base = starter.cell.pin().keep();
            let version = base.version();
            let over = Numbered::over(7, Some(base));
            let table = starter.cell.admit(over);
            assert!(starter.cell.at(7).is_some());
            starter.runs(version);
            drop(table);
        });
        rack.swap(1);
        start.join().expect("it starts");
    });
}

#[test]
fn who_waits_is_told_however_late_the_last_call_ends() {
    // A wait that is never told would be found as threads that wait for each other for good.
    check(|| {
        let rack = Rack::new();
        let (pinned, caller) = (rack.cell.pin().keep(), rack.clone());
        let ending = thread::spawn(move || {
            caller.runs(pinned.version());
            drop(pinned);
        });
        rack.swap(1);
        ending.join().expect("it ends");
    });
}

#[test]
fn pins_end_in_any_order_and_one_more_than_there_is_room_for_is_a_pin_too() {
    check(|| {
        let rack = Rack::new();
        let other = TableCell::new(Numbered::new(9));
        let caller = rack.clone();
        let call = thread::spawn(move || {
            let outer = caller.cell.pin();
            let again = caller.cell.pin();
            let elsewhere = other.pin();
            // A thread has two places here: in a third table, the pin is counted.
            let last = [TableCell::new(Numbered::new(11)).pin().keep().version(), other.pin().version()];
            drop(outer);
            caller.runs(again.version());
            drop(elsewhere);
            caller.runs(again.version());
            last
        });
        rack.swap(1);
        assert_eq!(call.join().expect("the call ends"), [11, 9]);
    });
}
