//! What a worker still owes: capabilities kept per time with a count, and the freeze.
//!
//! Why: fetches complete in any order. A result carries the time of its description and can release
//! only that time's capability, so no order of results and no failure can move the frontier past data
//! that was not emitted. Knows nothing of timely: a capability is any value that is dropped to release.
//!
//! 1. The capability of a time is held from its first expected part until all its parts have succeeded.
//! 2. A failed part is never counted as done: its time's capability is held for ever.
//! 3. After a failure at `f` (the least failed time), parts of times before `f` still succeed; parts at
//!    or after `f` are discarded without being counted.
//! 4. Parts are expected in nondecreasing time. So what is refused after a freeze at `f` lies at or
//!    after `f`, and refusing it cannot move the frontier past `f`.

use std::collections::{BTreeMap, VecDeque};

use crate::Mutant;

/// Capabilities `C` by time, the number of parts each is waiting for, and the least failed time.
#[derive(Debug)]
pub(crate) struct Outstanding<C> {
    by_time: BTreeMap<u64, Owed<C>>,
    frozen_at: Option<u64>,
    last_expected: u64,
    mutant: Mutant,
    /// The shape the review found: used by the mutants that pair by arrival.
    queue: VecDeque<C>,
}

#[derive(Debug)]
struct Owed<C> {
    capability: C,
    parts: usize,
}

impl<C> Outstanding<C> {
    pub(crate) fn new(mutant: Mutant) -> Self {
        Outstanding {
            by_time: BTreeMap::new(),
            frozen_at: None,
            last_expected: 0,
            mutant,
            queue: VecDeque::new(),
        }
    }

    /// Notes one more part at `time`; `capability` is called when it is the first of its time.
    ///
    /// Returns whether the part is wanted: not when frozen at or before `time`.
    /// Panics when `time` is before an earlier expected one (invariant 4).
    pub(crate) fn expect(&mut self, time: u64, capability: impl FnOnce() -> C) -> bool {
        assert!(
            self.last_expected <= time,
            "a part at {time} was described after one at {}: descriptions must come in order",
            self.last_expected,
        );
        self.last_expected = time;
        if self.pairs_by_arrival() {
            self.queue.push_back(capability());
            return true;
        }
        if self.mutant == Mutant::ThawsOnNewParts
            && let Some(frozen_at) = self.frozen_at
            && frozen_at < time
        {
            self.frozen_at = None;
            self.by_time.remove(&frozen_at);
        }
        if self.frozen_at.is_some_and(|frozen_at| frozen_at <= time) {
            return false;
        }
        let owed = self.by_time.entry(time).or_insert_with(|| Owed {
            capability: capability(),
            parts: 0,
        });
        owed.parts += 1;
        true
    }

    /// A part of `time` arrived: hands its capability to `emit`, then counts it as done.
    ///
    /// Returns `false` without calling `emit` when the part is to be discarded (invariant 3).
    /// Panics when no part of `time` is expected.
    pub(crate) fn succeed(&mut self, time: u64, emit: impl FnOnce(&C)) -> bool {
        if self.pairs_by_arrival() {
            if self.mutant == Mutant::FifoChecked && self.frozen_at.is_some() {
                return false;
            }
            let Some(capability) = self.queue.pop_front() else {
                return false;
            };
            emit(&capability);
            return true;
        }
        if self.mutant == Mutant::StopsAtFirstFailure && self.frozen_at.is_some() {
            return false;
        }
        if self.frozen_at.is_some_and(|frozen_at| frozen_at <= time) {
            return false;
        }
        let owed = self
            .by_time
            .get_mut(&time)
            .expect("a part arrives only at a time it is expected");
        emit(&owed.capability);
        owed.parts -= 1;
        if owed.parts == 0 {
            self.by_time.remove(&time);
        }
        true
    }

    /// A part of `time` failed: freezes at `time` unless already frozen before it.
    ///
    /// Returns whether this is the first failure, the one to report.
    pub(crate) fn fail(&mut self, time: u64) -> bool {
        let first = self.frozen_at.is_none();
        let earlier = self.frozen_at.is_none_or(|frozen_at| time < frozen_at);
        if self.mutant == Mutant::FailureCountsAsDone {
            if let Some(owed) = self.by_time.get_mut(&time) {
                owed.parts -= 1;
                if owed.parts == 0 {
                    self.by_time.remove(&time);
                }
            }
            return first;
        }
        if earlier && (first || self.mutant != Mutant::FreezeKeepsFirstReported) {
            self.frozen_at = Some(time);
        }
        if self.mutant == Mutant::FreezeKeepsFirstReported && !first {
            // The later report of an earlier time is taken for a success.
            if let Some(owed) = self.by_time.get_mut(&time) {
                owed.parts -= 1;
                if owed.parts == 0 {
                    self.by_time.remove(&time);
                }
            }
        }
        first
    }

    /// The least failed time, once something failed.
    pub(crate) fn frozen_at(&self) -> Option<u64> {
        self.frozen_at
    }

    /// The capability held at `time`, if parts of it are owed.
    pub(crate) fn held(&self, time: u64) -> Option<&C> {
        self.by_time.get(&time).map(|owed| &owed.capability)
    }

    /// Whether nothing is owed.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_time.is_empty() && self.queue.is_empty()
    }

    /// Releases every capability; only when the whole dataflow shuts down.
    pub(crate) fn clear(&mut self) {
        self.by_time.clear();
        self.queue.clear();
    }

    fn pairs_by_arrival(&self) -> bool {
        matches!(self.mutant, Mutant::FifoUnchecked | Mutant::FifoChecked)
    }
}

#[cfg(test)]
mod tests;
