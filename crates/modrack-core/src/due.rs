//! When a call or a start must have ended: by a limit of its own, or by the time that its callers have left, whichever
//! comes first; and the failure of what has not.
//!
//! Nothing here looks at a clock: whoever asks gives the time.

use std::time::{Duration, Instant};

use crate::{Code, Error};

/// When something must have ended, and by which limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// When that is; never, where nothing is said.
    pub at: Option<Instant>,
    /// Its own limit, where that is what ends it; none where its callers' time is up sooner.
    pub limit: Option<Duration>,
}

impl Due {
    /// The nearer of its own `limit`, from `now` on, and the deadline of its callers.
    pub fn nearer(limit: Option<Duration>, callers: Option<Instant>, now: impl FnOnce() -> Instant) -> Self {
        let own = limit.and_then(|limit| Some((now().checked_add(limit)?, limit)));
        match own {
            Some((own, limit)) if callers.is_none_or(|callers| own < callers) => {
                Self { at: Some(own), limit: Some(limit) }
            }
            _ => Self { at: callers, limit: None },
        }
    }

    /// Says of the failure of `function`, which its backend ended in time, by which limit: a backend is told no more
    /// than when a call must have ended. What a module says of it in its own words, or before that time, and what
    /// another slot did, stays.
    pub fn named(self, function: &str, error: Error, now: impl FnOnce() -> Instant) -> Error {
        let is_plain = error.code() == Code::TimedOut
            && error.slot_name().is_none()
            && error.causes().is_empty()
            && error.message() == timed_out(function, None).message();
        if is_plain && self.limit.is_some() && self.at.is_none_or(|at| now() >= at) {
            let named = timed_out(function, self.limit);
            return match error.traceback_text() {
                Some(traceback) => named.traceback(traceback),
                None => named,
            };
        }
        error
    }
}

/// The failure of `function`, which took longer than it may: than this limit, where it is known which one it was.
pub fn timed_out(function: &str, limit: Option<Duration>) -> Error {
    late(&format!("`{function}`"), limit)
}

/// The failure of a start of `module` that took longer than it may.
pub fn started_late(module: &str, limit: Option<Duration>) -> Error {
    late(&format!("The start of `{module}`"), limit)
}

fn late(what: &str, limit: Option<Duration>) -> Error {
    match limit {
        Some(limit) => Error::new(Code::TimedOut, format!("{what} took longer than {limit:?}"))
            .hint("Raise `limits.time` of the slot, or let it do less at a time"),
        None => Error::new(Code::TimedOut, format!("{what} took longer than it may"))
            .hint("Raise `limits.time` of the slot or of those that call it, or let it do less at a time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SlotName;

    #[test]
    fn the_nearer_of_a_limit_and_of_the_callers_time_holds() {
        let now = Instant::now();
        let [short, long] = [1, 9].map(Duration::from_secs);
        for (limit, callers, at, held) in [
            (None, None, None, None),
            (Some(short), None, Some(short), Some(short)),
            (None, Some(long), Some(long), None),
            (Some(short), Some(long), Some(short), Some(short)),
            (Some(long), Some(short), Some(short), None),
            // Callers whose time is up at the same moment say when.
            (Some(short), Some(short), Some(short), None),
            // A limit beyond all time is none.
            (Some(Duration::MAX), None, None, None),
            (Some(Duration::MAX), Some(short), Some(short), None),
        ] {
            let at = at.map(|at| now + at);
            let due = Due::nearer(limit, callers.map(|callers| now + callers), || now);
            assert_eq!(due, Due { at, limit: held }, "{limit:?} {callers:?}");
        }
    }

    #[test]
    fn the_limit_is_named_where_only_the_runtime_knows_it() {
        let limit = Some(Duration::from_millis(100));
        let now = Instant::now();
        let due = Due { at: Some(now), limit };
        let inner = SlotName::parse("inner").expect("a name");
        for (error, told) in [
            (timed_out("f", None), "`f` took longer than 100ms"),
            (timed_out("g", None), "`g` took longer than it may"),
            (timed_out("f", None).slot(&inner), "`f` took longer than it may"),
            (timed_out("f", None).caused_by(&timed_out("f", None)), "`f` took longer than it may"),
            (Error::new(Code::TimedOut, "No train came"), "No train came"),
            (Error::new(Code::Cancelled, "It was given up"), "It was given up"),
        ] {
            let traced = error.traceback("line 3");
            let named = due.named("f", traced.clone(), || now);
            assert_eq!((named.message(), named.traceback_text()), (told, Some("line 3")));
            assert_eq!(named.causes().len(), traced.causes().len());
            let early = Due { at: now.checked_add(Duration::from_secs(1)), limit };
            for other in [Due::default(), early] {
                assert_eq!(other.named("f", traced.clone(), || now).message(), traced.message());
            }
        }
        assert_eq!(started_late("price", limit).message(), "The start of `price` took longer than 100ms");
    }
}
