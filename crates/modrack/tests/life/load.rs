//! Calls of many threads while slots `a` and `b` are swapped. Nothing here knows what kind of module it calls.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use modrack::Rack;

/// How many calls are made, and over how many changes they are spread.
pub(super) struct Load {
    pub(super) threads: usize,
    pub(super) calls: i64,
    pub(super) changes: i64,
}

/// Says that something has ended, however it did.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Load {
    /// Has half of the threads count in `a`, and the others ask both slots for their version as one, which must be the same;
    /// meanwhile `change` is called with 0, 1 and so on. No call may fail. Gives how often was counted.
    pub(super) fn put_on(&self, rack: &Rack, mut change: impl FnMut(i64)) -> i64 {
        let (done, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        let (calls, counted) = (AtomicI64::new(0), AtomicI64::new(0));
        let until_made = |wanted: i64| {
            while calls.load(Ordering::Relaxed) < wanted && !ended.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            let _done = Ends(&done);
            for thread in 0..self.threads {
                let (done, ended, calls, counted) = (&done, &ended, &calls, &counted);
                scope.spawn(move || {
                    let _ended = Ends(ended);
                    let slots = ["a", "b"].map(|slot| rack.slot(slot).expect("it is declared"));
                    let count = slots[0].function::<(), i64>("count").expect("it is there");
                    let versions =
                        slots.clone().map(|slot| slot.function::<(), i64>("version").expect("it is there"));
                    while !done.load(Ordering::Relaxed) {
                        if thread % 2 == 0 {
                            count.call(()).expect("no call fails");
                            counted.fetch_add(1, Ordering::Relaxed);
                            calls.fetch_add(1, Ordering::Relaxed);
                        } else {
                            // As calls within one call: all of them find the same table.
                            let pin = slots[0].runtime().pin().expect("it is loaded");
                            let seen = pin
                                .within(|| versions.each_ref().map(|v| v.call(()).expect("no call fails")));
                            assert_eq!(seen[0], seen[1], "a mixture");
                            calls.fetch_add(2, Ordering::Relaxed);
                        }
                    }
                });
            }
            for at in 0..self.changes {
                until_made(at * (self.calls / self.changes));
                change(at);
            }
            until_made(self.calls);
        });
        counted.into_inner()
    }
}
