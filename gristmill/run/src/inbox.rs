//! Where sessions leave the answers of a visit for the judge.
//!
//! Invariants:
//! * I1 leaving never waits for the judge, and wakes it at most once a batch of visits.
//! * I2 what a session left before it moved its mark is there for whoever reads the mark first (T2).

use crate::evidence::Held;
use history::{Answered, Lts, Tick, Visit};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;

/// The answers of one visit.
pub(crate) struct Batch {
    pub(crate) lts: Lts,
    /// The visit itself, where it is at hand.
    pub(crate) visit: Option<Arc<Visit>>,
    pub(crate) attempt: u8,
    /// To be compared with what is regenerated, if this visit is in the sample. `None`: an answer of an earlier life.
    pub(crate) sample: Option<Digests>,
    /// Where the answers lie in the ring.
    pub(crate) held: Held,
    pub(crate) answers: Vec<Answered>,
    /// When it was left, on the run's clock.
    pub(crate) left_ns: u64,
}

impl Batch {
    /// An answer of an earlier life of the worker: it lies in the ring, and its digests were sampled then.
    pub(crate) fn again(held: Held, answered: Answered) -> Batch {
        Batch {
            lts: answered.address.lts,
            visit: None,
            attempt: answered.address.attempt,
            sample: None,
            held,
            answers: vec![answered],
            left_ns: 0,
        }
    }
}

/// What is compared when a visit is regenerated (F4).
pub(crate) struct Digests {
    /// Of what was meant.
    pub(crate) meant: u64,
    /// Of the steps as sent, and how many were.
    pub(crate) sent: u64,
    pub(crate) steps: usize,
}

/// A box with a bell.
pub(crate) struct Inbox {
    inner: Mutex<Inner>,
    bell: Condvar,
    judged: Condvar,
}

struct Inner {
    batches: Vec<Batch>,
    rung: bool,
    judged_below: Tick,
    closed: bool,
}

/// Visits after which the judge is woken before its time: waking it and letting it sleep again costs some fifty microseconds
/// of the two threads together.
const BATCHES: usize = 256;

impl Inbox {
    pub(crate) fn new() -> Inbox {
        let inner = Inner {
            batches: Vec::new(),
            rung: false,
            judged_below: Tick(0),
            closed: false,
        };
        Inbox {
            inner: Mutex::new(inner),
            bell: Condvar::new(),
            judged: Condvar::new(),
        }
    }

    /// Leaves a batch.
    pub(crate) fn leave(&self, batch: Batch) {
        let mut inner = self.inner.lock();
        inner.batches.push(batch);
        if inner.batches.len() == BATCHES {
            self.bell.notify_one();
        }
    }

    /// Wakes the judge.
    pub(crate) fn ring(&self) {
        self.inner.lock().rung = true;
        self.bell.notify_one();
    }

    /// Everything that was left, swapped for `empty`; waits at most so long for something.
    pub(crate) fn take(&self, into: &mut Vec<Batch>, at_most: Duration) {
        let mut inner = self.inner.lock();
        // Taking a few at a time costs more than they do.
        if inner.batches.len() < BATCHES && !inner.rung && !at_most.is_zero() {
            self.bell.wait_for(&mut inner, at_most);
        }
        inner.rung = false;
        into.append(&mut inner.batches);
    }

    /// The judge has concluded every answer below the tick.
    pub(crate) fn judged(&self, below: Tick) {
        let mut inner = self.inner.lock();
        if below > inner.judged_below {
            inner.judged_below = below;
            self.judged.notify_all();
        }
    }

    /// The judge has gone: nobody waits for it.
    pub(crate) fn close(&self) {
        self.inner.lock().closed = true;
        self.judged.notify_all();
    }

    /// Waits until every answer below the tick is concluded (lock-step pace).
    pub(crate) fn wait_judged(&self, below: Tick) {
        let mut inner = self.inner.lock();
        while inner.judged_below < below && !inner.closed {
            inner.rung = true;
            self.bell.notify_one();
            self.judged.wait(&mut inner);
        }
    }
}
