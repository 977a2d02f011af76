//! Which findings are one cause: those that share kind, shape and action, and those whose proofs begin or end with the same
//! visit (one torn commit makes reads of many kinds wrong).

use super::signature;
use history::verdict::Cause;
use history::{Finding, Lts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Causes in the order in which they were found.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Families(Vec<Family>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Family {
    cause: Cause,
    signatures: BTreeSet<String>,
    /// Visits with which proofs of this cause begin or end; at most [`VISITS_MAX`].
    visits: BTreeSet<Lts>,
}

/// Decisive visits that are remembered of one cause.
const VISITS_MAX: usize = 10_000;

impl Families {
    /// Counts a finding with the cause that it belongs to; `false`: it is a new one.
    pub(crate) fn count(&mut self, finding: &Finding) -> bool {
        let signature = signature(finding);
        let shares = |f: &Family| decisive(finding).any(|lts| f.visits.contains(&lts));
        let at = self
            .0
            .iter()
            .position(|f| f.signatures.contains(&signature))
            .or_else(|| self.0.iter().position(shares));
        let Some(at) = at else { return false };
        let family = &mut self.0[at];
        family.cause.times += 1;
        family.signatures.insert(signature);
        if family.visits.len() < VISITS_MAX {
            family.visits.extend(decisive(finding));
        }
        true
    }

    /// Adds a new cause; `signature` is that of its finding when it came in.
    pub(crate) fn add(&mut self, signature: String, cause: Cause) {
        let visits = decisive(&cause.finding).collect();
        self.0.push(Family {
            cause,
            signatures: BTreeSet::from([signature]),
            visits,
        });
    }

    /// Every cause, the first found first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cause> {
        self.0.iter().map(|f| &f.cause)
    }

    /// Every cause, most frequent first.
    pub(crate) fn sorted(&self) -> Vec<Cause> {
        let mut all: Vec<Cause> = self.iter().cloned().collect();
        all.sort_by(|a, b| {
            b.times
                .cmp(&a.times)
                .then_with(|| a.finding.read.cmp(&b.finding.read))
        });
        all
    }
}

fn decisive(finding: &Finding) -> impl Iterator<Item = Lts> {
    finding
        .proof
        .first()
        .into_iter()
        .chain(finding.proof.last())
        .copied()
}
