//! Small changes of a shard's state that travel with somebody else's commit.
//!
//! Commands of one process on one shard take turns. An append that comes while upkeep commits waits for two commits
//! instead of one; so upkeep leaves what it wants changed here for a moment, and the next command that commits takes
//! it along. Must not know what is changed, nor commit anything.
//!
//! Invariants:
//! 1. A change is aboard of one attempt at a time. After an attempt that certainly failed it waits for the next one.
//! 2. Whoever left a change learns that it is committed, that it is not and nobody will, or that nobody knows; also
//!    if nobody commits any more.

use std::fmt;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::mutant::Mutant;
use crate::rt::{Either, race};
use crate::state::State;

/// Changes a copy of the state; false if there is nothing to change on it.
pub(crate) type Change = Box<dyn FnMut(&mut State) -> bool + Send>;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ride {
    /// It is in a version.
    Committed,
    /// It is in none and will be in none.
    Not,
    /// It may be in the version whose attempt got no answer.
    Unknown,
}

struct Rider {
    number: u64,
    change: Change,
    told: oneshot::Sender<Ride>,
}

/// Changes that wait.
pub(crate) struct Riders {
    inner: Mutex<Inner>,
    mutant: Mutant,
}

#[derive(Default)]
struct Inner {
    waiting: Vec<Rider>,
    last: u64,
}

impl fmt::Debug for Riders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Riders({} waiting)", self.inner.lock().waiting.len())
    }
}

/// Changes that are part of an attempt; dropped, nobody knows what became of them.
#[derive(Default)]
#[must_use = "those aboard want to know how it ended"]
pub(crate) struct Aboard(Vec<Rider>);

impl Riders {
    /// Nobody waits yet.
    pub(crate) fn new(mutant: Mutant) -> Riders {
        Riders {
            inner: Mutex::default(),
            mutant,
        }
    }

    /// Leaves `change` for whoever commits within `wait_ms`.
    pub(crate) async fn ride(&self, clock: &Clock, wait_ms: u64, change: Change) -> Ride {
        if wait_ms == 0 {
            return Ride::Not;
        }
        let (told, mut answer) = oneshot::channel();
        let number = {
            let mut inner = self.inner.lock();
            inner.last += 1;
            let number = inner.last;
            inner.waiting.push(Rider { number, change, told });
            number
        };
        // Given up, it must not travel.
        let _withdrawn = Withdraw { riders: self, number };
        loop {
            match race(&mut answer, clock.sleep(wait_ms)).await {
                Either::Left(answer) => return answer.unwrap_or(Ride::Unknown),
                Either::Right(()) if self.withdraw(number) => return Ride::Not,
                Either::Right(()) if self.mutant == Mutant::RideOutlastsPatience => {
                    return answer.await.unwrap_or(Ride::Unknown);
                }
                // Aboard of an attempt, which may fail and put it back where nobody comes by any more.
                Either::Right(()) => {}
            }
        }
    }

    /// Applies to `state` what waits; what does not apply is told so.
    pub(crate) fn board(&self, state: &mut State) -> Aboard {
        let mut aboard = Vec::new();
        if self.mutant == Mutant::RideLeftBehind {
            return Aboard(aboard);
        }
        for mut rider in std::mem::take(&mut self.inner.lock().waiting) {
            if (rider.change)(state) {
                aboard.push(rider);
            } else {
                let _ = rider.told.send(match self.mutant {
                    Mutant::RideUnappliedCommitted => Ride::Committed,
                    _ => Ride::Not,
                });
            }
        }
        Aboard(aboard)
    }

    /// The attempt certainly failed: they wait for the next one, but for those who were given up meanwhile.
    pub(crate) fn put_back(&self, aboard: Aboard) {
        let still = aboard.0.into_iter().filter(|rider| match self.mutant {
            Mutant::RideLostWithAttempt => false,
            Mutant::RideWithoutOwner => true,
            _ => !rider.told.is_closed(),
        });
        self.inner.lock().waiting.splice(0..0, still);
    }

    /// Whether the change still waited; now it does not.
    fn withdraw(&self, number: u64) -> bool {
        let waiting = &mut self.inner.lock().waiting;
        let before = waiting.len();
        if self.mutant == Mutant::RideAfterWithdrawal {
            return waiting.iter().any(|rider| rider.number == number);
        }
        waiting.retain(|rider| rider.number != number);
        waiting.len() < before
    }
}

impl Aboard {
    /// Says how the attempt ended.
    pub(crate) fn tell(self, how: Ride) {
        for rider in self.0 {
            let _ = rider.told.send(how);
        }
    }
}

struct Withdraw<'a> {
    riders: &'a Riders,
    number: u64,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        self.riders.withdraw(self.number);
    }
}
