//! Leases on parts, by the time of their description, returned as fetches complete.
//!
//! 1. A lease pushed at `t` is held until the completed frontier has passed `t`.
//! 2. An older frontier changes nothing.

use std::collections::BTreeMap;

use timely::progress::frontier::AntichainRef;

use crate::Mutant;

/// Leases `L` by time.
#[derive(Debug)]
pub(crate) struct Leases<L> {
    by_time: BTreeMap<u64, Vec<L>>,
    mutant: Mutant,
}

impl<L> Leases<L> {
    pub(crate) fn new(mutant: Mutant) -> Self {
        Leases {
            by_time: BTreeMap::new(),
            mutant,
        }
    }

    /// Keeps `lease` until the frontier has passed `time`.
    pub(crate) fn push_at(&mut self, time: u64, lease: L) {
        if self.mutant == Mutant::LeasesReturnedAtOnce {
            return;
        }
        self.by_time.entry(time).or_default().push(lease);
    }

    /// Returns the leases of all times that are not beyond `frontier`.
    pub(crate) fn advance_to(&mut self, frontier: AntichainRef<'_, u64>) {
        let passed = |time: u64| match self.mutant {
            Mutant::LeasesNeverReturned => false,
            Mutant::LeaseReturnedOneEarly => !frontier.less_than(&time),
            _ => !frontier.less_equal(&time),
        };
        while let Some(entry) = self.by_time.first_entry() {
            if !passed(*entry.key()) {
                break;
            }
            entry.remove();
        }
    }

    /// Returns the leases of all times after `time`.
    pub(crate) fn forget_after(&mut self, time: u64) {
        if let Some(next) = time.checked_add(1) {
            self.by_time.split_off(&next);
        }
    }

    /// Leases held at each time.
    pub(crate) fn count_by_time(&self) -> BTreeMap<u64, usize> {
        self.by_time
            .iter()
            .map(|(time, leases)| (*time, leases.len()))
            .collect()
    }
}

#[cfg(test)]
mod tests;
