//! Time in judgements (F3): one counter for the process, taken before sending and after receiving, and the mark below
//! which nothing is open any more (F5).
//!
//! Invariants:
//! * T1 every tick that a session takes is at least the low-water mark that anyone read before.
//! * T2 a session hands over the answers of a visit before it moves its mark, so whoever reads the mark and then empties
//!   the queue holds every answer below the mark.

use crate::times::Times;
use history::Tick;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// A session's mark on a cache line of its own, since each is written by one thread and read by the judge.
#[repr(align(64))]
struct Mark(AtomicU64);

/// The counter and the marks of the sessions.
pub(crate) struct Ticks {
    next: Arc<AtomicU64>,
    open: Box<[Mark]>,
    /// Where it is written down when they were taken.
    times: Option<Arc<Times>>,
}

const IDLE: u64 = u64::MAX;

impl Ticks {
    /// Marks over the process's counter, for `sessions` sessions numbered from 1, none of them in a visit.
    pub(crate) fn new(next: Arc<AtomicU64>, sessions: u16) -> Ticks {
        let open = (0..=sessions).map(|_| Mark(AtomicU64::new(IDLE))).collect();
        Ticks {
            next,
            open,
            times: None,
        }
    }

    /// The same, and it is written down when they are taken.
    pub(crate) fn timed(self, times: Option<Arc<Times>>) -> Ticks {
        Ticks { times, ..self }
    }

    /// The next tick; no two are equal.
    pub(crate) fn take(&self) -> Tick {
        let draw = || self.next.fetch_add(1, Ordering::SeqCst);
        Tick(match &self.times {
            None => draw(),
            Some(times) => times.take(draw),
        })
    }

    /// The tick that will be taken next.
    pub(crate) fn now(&self) -> Tick {
        Tick(self.next.load(Ordering::SeqCst))
    }

    /// The session begins a visit: every tick that it takes from here on is at least the mark.
    pub(crate) fn begin(&self, session: u16) {
        let now = self.next.load(Ordering::SeqCst);
        self.open[usize::from(session)].0.store(now, Ordering::SeqCst);
        // The log draws its ticks relaxed; none of them may slip before the mark (T1).
        fence(Ordering::SeqCst);
    }

    /// The session has ended its visit, handed over its answers and settled what was unknown.
    pub(crate) fn end(&self, session: u16) {
        self.open[usize::from(session)].0.store(IDLE, Ordering::SeqCst);
    }

    /// The low-water mark: no tick below it belongs to a visit that is open, or will be taken.
    pub(crate) fn low_water(&self) -> Tick {
        // The counter first: a session that begins after we passed its mark takes ticks at or above this value (T1).
        let now = self.next.load(Ordering::SeqCst);
        let open = self
            .open
            .iter()
            .map(|m| m.0.load(Ordering::SeqCst))
            .min()
            .unwrap_or(IDLE);
        Tick(now.min(open))
    }
}

#[cfg(test)]
mod tests;
