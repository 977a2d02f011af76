//! What the view should hold and its shard does not: `desired − persist`, by time.
//!
//! Why: writing this difference, and nothing else, makes a shard equal to the view whatever it held
//! before and whoever else wrote it. In steady state it is empty or small; while hydrating it may hold
//! both collections once.
//!
//! 1. A time before the since counts as the since (at what has been read back everything is history).
//! 2. Lists are consolidated when they have doubled, so memory is at most twice what differs, plus a
//!    floor.
//! 3. What [`Correction::before`] yields is consolidated: one entry a row and time, no diff zero.

use std::collections::BTreeMap;

use shard::Frontier;

use crate::Row;

/// Lists below this length are not worth consolidating.
const CONSOLIDATE_ROWS_MIN: usize = 64;

/// Updates by time, consolidated from time to time.
#[derive(Debug, Default)]
pub(crate) struct Correction {
    by_time: BTreeMap<u64, Pile>,
    since: u64,
}

#[derive(Debug, Default)]
struct Pile {
    updates: Vec<(Row, i64)>,
    /// Length after the last consolidation.
    clean: usize,
}

impl Pile {
    fn push(&mut self, row: Row, diff: i64) {
        self.updates.push((row, diff));
        if self.updates.len() >= CONSOLIDATE_ROWS_MIN.max(2 * self.clean) {
            self.consolidate();
        }
    }

    fn consolidate(&mut self) {
        if self.clean != self.updates.len() {
            differential_dataflow::consolidation::consolidate(&mut self.updates);
        }
        self.clean = self.updates.len();
    }
}

impl Correction {
    /// Adds `diff` copies of `row` at `time`: positive for what is desired, negative for what is there.
    pub(crate) fn add(&mut self, row: Row, time: u64, diff: i64) {
        if diff == 0 {
            return;
        }
        self.by_time
            .entry(time.max(self.since))
            .or_default()
            .push(row, diff);
    }

    /// Everything before `since` happened at `since`. An earlier since changes nothing.
    pub(crate) fn advance(&mut self, since: u64) {
        if since <= self.since {
            return;
        }
        self.since = since;
        let later = self.by_time.split_off(&since);
        let earlier = std::mem::replace(&mut self.by_time, later);
        for pile in earlier.into_values() {
            let into = self.by_time.entry(since).or_default();
            into.updates.extend(pile.updates);
        }
        if let Some(pile) = self.by_time.get_mut(&since) {
            pile.clean = 0;
            pile.consolidate();
        }
        self.by_time.retain(|_, pile| !pile.updates.is_empty());
    }

    /// The first time before `upper` at which something is left. What lies before it is forgotten.
    pub(crate) fn first_before(&mut self, upper: Frontier) -> Option<u64> {
        while let Some(mut pile) = self.by_time.first_entry() {
            if upper.less_equal(*pile.key()) {
                return None;
            }
            pile.get_mut().consolidate();
            if !pile.get().updates.is_empty() {
                return Some(*pile.key());
            }
            pile.remove();
        }
        None
    }

    /// The consolidated updates of times before `upper`, in order of time and row; times before `lower`
    /// are given as `lower`.
    pub(crate) fn before(&mut self, lower: u64, upper: Frontier) -> Vec<(Row, u64, i64)> {
        let mut found = Vec::new();
        for (time, pile) in &mut self.by_time {
            if upper.less_equal(*time) {
                break;
            }
            pile.consolidate();
            found.extend(
                pile.updates
                    .iter()
                    .map(|(row, diff)| (row.clone(), (*time).max(lower), *diff)),
            );
        }
        differential_dataflow::consolidation::consolidate_updates(&mut found);
        found.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        found
    }

    /// Updates held, consolidated or not.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_time.values().map(|pile| pile.updates.len()).sum()
    }
}

#[cfg(test)]
mod tests;
