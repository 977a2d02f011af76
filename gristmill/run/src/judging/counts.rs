//! What was compared, counted cheaply.

use check::Explanation;
use history::{Counts, Finding};
use std::collections::BTreeMap;

/// Counts that are still being made.
#[derive(Default)]
pub(crate) struct Compared {
    counts: Counts,
    /// Few, and nearly always found by their address; a name may stand here twice.
    kinds: Vec<(&'static str, u64)>,
    not_compared: BTreeMap<&'static str, u64>,
}

impl Compared {
    pub(crate) fn explained(&mut self, e: &Explanation) {
        // BEGIN, savepoints: nothing to compare.
        if e.kinds.is_empty() {
            return;
        }
        self.counts.answers += 1;
        self.counts.reads += u64::from(e.read);
        self.counts.rows += e.rows;
        self.counts.cells += e.cells;
        self.counts.replayed += e.replayed;
        self.counts.overlapped += u64::from(e.overlapped);
        for one in &e.kinds {
            match self.kinds.iter_mut().find(|(kind, _)| std::ptr::eq(*kind, *one)) {
                Some((_, n)) => *n += 1,
                None => self.kinds.push((*one, 1)),
            }
        }
    }

    /// The answer was compared for this, too.
    pub(crate) fn also(&mut self, kind: &'static str) {
        *self.counts.exercised.entry(kind.to_owned()).or_default() += 1;
    }

    pub(crate) fn not_compared(&mut self, why: &'static str) {
        *self.not_compared.entry(why).or_default() += 1;
    }

    /// A wrong answer was compared, too.
    pub(crate) fn broken(&mut self, finding: &Finding) {
        self.counts.answers += 1;
        self.counts.reads += u64::from(finding.action.starts_with("read"));
        *self.counts.exercised.entry(finding.action.clone()).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        for (kind, n) in &self.kinds {
            *counts.exercised.entry((*kind).to_owned()).or_default() += n;
        }
        counts.not_compared = self
            .not_compared
            .iter()
            .map(|(why, n)| ((*why).to_owned(), *n))
            .collect();
        counts
    }
}

#[cfg(test)]
mod tests;
