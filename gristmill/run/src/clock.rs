//! The only clock of the tester. Time decides when a load ends and when a wait is given up; it never decides what is drawn
//! or how an answer is judged (ticks do that).
//!
//! Invariants:
//! * K1 no other file of this house asks the operating system what time it is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since the run began: monotonic, shared by every thread of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    before: Duration,
}

impl Clock {
    /// A clock that shows `before` now: zero, or what an earlier life of the worker had reached.
    #[expect(clippy::disallowed_methods, reason = "the house's one clock")]
    pub(crate) fn start(before: Duration) -> Clock {
        Clock {
            start: Instant::now(),
            before,
        }
    }

    /// What the clock shows.
    pub(crate) fn elapsed(&self) -> Duration {
        self.before + self.start.elapsed()
    }

    /// The same in nanoseconds; saturates after 584 years.
    pub(crate) fn ns(&self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Nanoseconds since 1970 modulo 2^64: only to make a seed that nobody gave.
#[expect(clippy::disallowed_methods, reason = "the house's one clock")]
pub(crate) fn unix_nanoseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| {
        d.as_secs().wrapping_mul(1_000_000_000) + u64::from(d.subsec_nanos())
    })
}

/// Seconds since 1970, for dates in the folder and for `--known` entries that expire. Never for judgements.
#[expect(clippy::disallowed_methods, reason = "the house's one clock")]
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}
