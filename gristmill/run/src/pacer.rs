//! `--rate`: visits begin at fixed moments, however long the one before took.
//!
//! The moments are laid out from the beginning of the load: moment `n` is `n / rate` seconds after it. A session takes the
//! next one and waits for it; who comes late begins at once, and how late is a latency of its own, so that a slow answer
//! is not hidden by the visits that it kept from beginning (coordinated omission).
//!
//! Invariants:
//! * Q1 in any span of t seconds at most `rate × (t + 1)` visits begin: what was missed more than a second ago is not
//!   made up for.

use crate::plan::PerSecond;
use parking_lot::Mutex;

/// The moments at which visits may begin. Knows numbers of nanoseconds, no clock.
pub(crate) struct Pacer {
    period_ns: u64,
    /// The next moment that nobody has; `None` before the first.
    next: Mutex<Option<u64>>,
}

/// A second.
const BEHIND_MAX_NS: u64 = 1_000_000_000;

impl Pacer {
    pub(crate) fn new(rate: PerSecond) -> Pacer {
        Pacer {
            period_ns: (1_000_000_000 / u64::from(rate.0)).max(1),
            next: Mutex::new(None),
        }
    }

    /// The moment at which whoever asks may begin, on the clock of `now`.
    pub(crate) fn moment(&self, now: u64) -> u64 {
        let mut next = self.next.lock();
        let due = next.unwrap_or(now).max(now.saturating_sub(BEHIND_MAX_NS));
        *next = Some(due + self.period_ns);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_lie_a_period_apart_and_a_long_stop_is_not_made_up_for() {
        let pacer = Pacer::new(PerSecond(1000));
        let moments: Vec<u64> = (0..3).map(|_| pacer.moment(5_000_000)).collect();
        assert_eq!(moments, [5_000_000, 6_000_000, 7_000_000]);
        // Half a second late: made up for. Ten seconds: the last of them only.
        assert_eq!(pacer.moment(500_000_000), 8_000_000);
        assert_eq!(pacer.moment(10_000_000_000), 9_000_000_000);
        assert_eq!(pacer.moment(10_000_000_000), 9_001_000_000);
    }
}
