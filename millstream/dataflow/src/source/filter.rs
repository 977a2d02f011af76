//! Which parts are worth fetching, judged by their statistics, and the audit of that judgement.
//!
//! Why: a filter that can tell from minimum and maximum that no row of a part passes saves its fetch.
//! A wrong filter loses rows in silence, so a share of the discarded parts is fetched all the same and
//! the decoder stops the process when a row of one of them passes.
//!
//! 1. A part without statistics, or inline in the state, is never presented: it is kept.
//! 2. The audit costs no more bytes than the kept parts earned, beyond a first budget.

use crate::Mutant;
use crate::source::spread::stable_hash;

/// What a filter says about a part from its statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterResult {
    /// Some row may pass.
    Keep,
    /// No row can pass.
    Discard,
    /// Every row passes and only their number matters: the part counts as that many copies of `row`.
    ///
    /// Valid for the parts of a snapshot whose sum of diffs is known; elsewhere the part is kept.
    ReplaceWith(Vec<u8>),
}

/// What to do with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Fetch it; `audited`: it was discarded, no row of it may pass.
    Fetch { audited: bool },
    /// Neither fetch nor emit.
    Skip,
    /// Emit `diff` copies of `row` at the snapshot's time.
    Replace { row: Vec<u8>, diff: i64 },
}

/// The budget and share of the audit.
#[derive(Debug)]
pub(crate) struct Audit {
    percent: u64,
    budget_bytes: u64,
    mutant: Mutant,
}

impl Audit {
    /// `percent` of the discarded parts are audited, 0 to 100, while `budget_bytes` last.
    pub(crate) fn new(percent: u64, budget_bytes: u64, mutant: Mutant) -> Self {
        Audit {
            percent,
            budget_bytes,
            mutant,
        }
    }

    /// Turns the filter's `result` on the part `key` of `bytes` into what to do.
    /// `diff_sum` is the part's sum of diffs where replacing is allowed.
    pub(crate) fn decide(
        &mut self,
        result: FilterResult,
        key: &str,
        bytes: u64,
        diff_sum: Option<i64>,
    ) -> Decision {
        match (result, diff_sum) {
            (FilterResult::ReplaceWith(row), Some(diff)) if self.mutant != Mutant::FetchesCounted => {
                self.budget_bytes += bytes;
                Decision::Replace { row, diff }
            }
            (FilterResult::Keep | FilterResult::ReplaceWith(_), _) => {
                self.budget_bytes += bytes;
                Decision::Fetch { audited: false }
            }
            (FilterResult::Discard, _) => {
                let chosen = stable_hash(key.as_bytes()) % 100 < self.percent;
                if self.mutant == Mutant::FetchesDiscarded {
                    return Decision::Fetch { audited: false };
                }
                let affordable = bytes < self.budget_bytes || self.mutant == Mutant::AuditsWithoutBudget;
                if chosen && affordable {
                    self.budget_bytes = self.budget_bytes.saturating_sub(bytes);
                    return Decision::Fetch { audited: true };
                }
                Decision::Skip
            }
        }
    }
}

#[cfg(test)]
mod tests;
