//! Figures of what happens to slots: how often, how long, how often in vain.
//!
//! Finding, checking, loading and starting are always measured; calls only while somebody asked for it,
//! because reading the clock costs more than the rest of a call.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use modrack_core::{Copies, Phase, SlotName};

/// The figures of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotStats {
    /// The slot.
    pub slot: SlotName,
    /// Resolving what fills it.
    pub find: Figures,
    /// Reading it without running it.
    pub check: Figures,
    /// Running its top level.
    pub load: Figures,
    /// Constructing and initializing it.
    pub start: Figures,
    /// Calls, while they were measured.
    pub call: Figures,
    /// How often an instance broke and was given up, with what it had in memory.
    pub lost: u64,
    /// Tables that were copied on their way in and out.
    pub copies: Copies,
}

/// How often something was done, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How often it was done, failures included.
    pub count: u64,
    /// How often it failed.
    pub errors: u64,
    /// How long all of it took.
    pub total: Duration,
    /// How long the shortest took.
    pub min: Duration,
    /// How long the longest took.
    pub max: Duration,
}

/// The meters of one slot.
#[derive(Default)]
pub(crate) struct Meters {
    find: Meter,
    check: Meter,
    load: Meter,
    start: Meter,
    calls: Calls,
    lost: AtomicU64,
}

/// Calls, from any number of threads at once.
#[derive(Default)]
pub(crate) struct Calls([Shard; SHARDS]);

const SHARDS: usize = 8;

/// Threads that call one slot at once write to cache lines of their own.
#[derive(Default)]
#[repr(align(128))]
struct Shard(Meter);

#[derive(Default)]
struct Meter {
    count: AtomicU64,
    errors: AtomicU64,
    total: AtomicU64,
    // Kept as one more than the shortest, so that 0 means that there is none.
    min: AtomicU64,
    max: AtomicU64,
}

impl Figures {
    /// How long it took on average.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(nanos(self.total).checked_div(self.count).unwrap_or(0))
    }
}

impl Meters {
    /// Notes that `phase` took `time`, and whether it did what it should.
    pub(crate) fn record(&self, phase: Phase, time: Duration, done: bool) {
        let meter = match phase {
            Phase::Find => &self.find,
            Phase::Check => &self.check,
            Phase::Load => &self.load,
            Phase::Start => &self.start,
            Phase::Call | Phase::Swap | Phase::Stop => {
                self.calls.record(time, done);
                return;
            }
        };
        meter.record(time, done);
    }

    /// Notes that an instance was given up.
    pub(crate) fn lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// What was noted until now.
    pub(crate) fn stats(&self, slot: &SlotName, copies: Copies) -> SlotStats {
        SlotStats {
            slot: slot.clone(),
            find: self.find.figures(),
            check: self.check.figures(),
            load: self.load.figures(),
            start: self.start.figures(),
            call: self.calls.figures(),
            lost: self.lost.load(Ordering::Relaxed),
            copies,
        }
    }
}

impl Calls {
    /// Notes that a call took `time`, and whether it did what it should. Gives whether enough was noted to look again:
    /// a failure, or some calls.
    pub(crate) fn record(&self, time: Duration, done: bool) -> bool {
        const SOME: u64 = 16;
        !done | self.0[shard()].0.record(time, done).is_multiple_of(SOME)
    }

    /// Notes calls that took `time` together.
    pub(crate) fn record_many(&self, count: u64, errors: u64, time: Duration) {
        self.0[shard()].0.record_many(count, errors.min(count), time);
    }

    /// What was noted until now.
    pub(crate) fn figures(&self) -> Figures {
        self.0.iter().map(|shard| shard.0.figures()).fold(Figures::default(), Figures::with)
    }
}

impl Figures {
    fn with(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        Self {
            count: self.count + other.count,
            errors: self.errors + other.errors,
            total: self.total + other.total,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

impl Meter {
    fn record(&self, time: Duration, done: bool) -> u64 {
        let time = nanos(time);
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.errors.fetch_add(u64::from(!done), Ordering::Relaxed);
        self.total.fetch_add(time, Ordering::Relaxed);
        self.between(time);
        count
    }

    /// Notes many at once, each with the time that they took on average.
    fn record_many(&self, count: u64, errors: u64, time: Duration) {
        let time = nanos(time);
        self.count.fetch_add(count, Ordering::Relaxed);
        self.errors.fetch_add(errors, Ordering::Relaxed);
        self.total.fetch_add(time, Ordering::Relaxed);
        self.between(time.checked_div(count).unwrap_or(0));
    }

    /// Notes how long one took for the longest and the shortest.
    fn between(&self, time: u64) {
        self.max.fetch_max(time, Ordering::Relaxed);
        let shorter = |min: u64| (min == 0 || time < min - 1).then_some(time.saturating_add(1));
        // Fails when the shortest stands as it is, which is no failure.
        let _ = self.min.fetch_update(Ordering::Relaxed, Ordering::Relaxed, shorter);
    }

    fn figures(&self) -> Figures {
        Figures {
            count: self.count.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            total: Duration::from_nanos(self.total.load(Ordering::Relaxed)),
            min: Duration::from_nanos(self.min.load(Ordering::Relaxed).saturating_sub(1)),
            max: Duration::from_nanos(self.max.load(Ordering::Relaxed)),
        }
    }
}

/// The shard of this thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    MINE.with(|mine| *mine)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_all_that_was_recorded() {
        let meters = Meters::default();
        for ms in [4, 2, 6] {
            meters.record(Phase::Call, Duration::from_millis(ms), ms != 6);
        }
        std::thread::scope(|s| s.spawn(|| meters.record(Phase::Call, Duration::ZERO, true)).join().unwrap());
        let stats = meters.stats(&SlotName::undeclared("a"), Copies::default());
        assert_eq!(stats.load, Figures::default());
        assert_eq!((stats.call.count, stats.call.errors), (4, 1));
        assert_eq!(stats.call.mean(), Duration::from_millis(3));
        assert_eq!((stats.call.min, stats.call.max), (Duration::ZERO, Duration::from_millis(6)));
    }
}
