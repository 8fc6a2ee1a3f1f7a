//! Resources: things that callers hold by a handle. How many live is counted, so that a handle that is dropped is seen.

use std::cell::Cell;

use crate::Values;
use crate::exports::guests::values::counters::{Counter, CounterBorrow, Guest, GuestCounter};

thread_local! {
    static LIVING: Cell<u32> = const { Cell::new(0) };
}

/// What is behind a handle.
pub struct Count(Cell<i64>);

impl Count {
    fn begin(at: i64) -> Self {
        LIVING.set(LIVING.get() + 1);
        Self(Cell::new(at))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        LIVING.set(LIVING.get() - 1);
    }
}

impl GuestCounter for Count {
    fn new(start: i64) -> Self {
        Self::begin(start)
    }

    fn add(&self, by: i64) -> i64 {
        self.0.set(self.0.get().wrapping_add(by));
        self.0.get()
    }

    fn merge(a: Counter, b: Counter) -> Counter {
        let at = |counter: &Counter| counter.get::<Count>().0.get();
        Counter::new(Count::begin(at(&a).wrapping_add(at(&b))))
    }
}

impl Guest for Values {
    type Counter = Count;

    fn peek(of: CounterBorrow<'_>) -> i64 {
        of.get::<Count>().0.get()
    }

    fn close(of: Counter) -> i64 {
        of.get::<Count>().0.get()
    }

    fn living() -> u32 {
        LIVING.get()
    }
}
