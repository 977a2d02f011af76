//! Which batches are worth rewriting, and whether a rewritten batch may take their place.
//!
//! Pure. A batch list is merged by size classes: a run of adjacent batches whose sizes are alike becomes one
//! batch of the next class, so that each update is rewritten a logarithmic number of times.
//!
//! Invariants:
//! 1. A replacement covers exactly a run of whole batches (same lower and upper), is not compacted beyond
//!    the shard's since, and is not longer than what it replaces.
//! 2. A part key is fresh, or is in the batches replaced (H10, SH-31): keys never return.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Flow;
use crate::ids::ShardId;
use crate::mutant::Mutant;
use crate::settings::CompactionSettings;
use crate::state::{BatchMeta, Part, State};
use crate::time::Frontier;

/// A run of adjacent batches to be rewritten as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRequest {
    /// The batches, ascending and contiguous.
    pub inputs: Vec<Arc<BatchMeta>>,
    /// Times up to this need not be told apart.
    pub since: Frontier,
}

impl MergeRequest {
    /// Updates in all inputs.
    pub fn len(&self) -> u64 {
        self.inputs.iter().map(|b| b.len).sum()
    }

    /// Whether there is nothing to rewrite.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Parts in all inputs.
    pub fn parts(&self) -> usize {
        self.inputs.iter().map(|b| b.parts().count()).sum()
    }

    /// Where the inputs begin and end.
    pub fn bounds(&self) -> (Frontier, Frontier) {
        let first = self.inputs.first().expect("a request has inputs");
        let last = self.inputs.last().expect("a request has inputs");
        (first.desc.lower, last.desc.upper)
    }
}

/// The size class of a batch: one more per factor `fanout` of updates.
fn class(batch: &BatchMeta, fanout: u64) -> u32 {
    batch.len.max(1).ilog(fanout.max(2))
}

/// Batches in a run of nothing but inline parts before this shard rewrites it: a quarter more or less than the setting, so
/// that shards which are written in step are not rewritten in step.
fn inline_inputs(shard: ShardId, settings: &CompactionSettings) -> usize {
    let quarter = settings.min_inline_inputs / 4;
    let more = usize::try_from(shard.spread()).expect("a small number") % (2 * quarter + 1);
    settings.min_inline_inputs - quarter + more
}

/// Whether a run of batches, `peers` of them of its greatest class, is worth a rewrite.
fn worth(run: &[&Arc<BatchMeta>], peers: usize, inline_inputs: usize, settings: &CompactionSettings) -> bool {
    let parts = || run.iter().map(|batch| batch.parts().count()).sum::<usize>();
    let enough = peers >= settings.min_inputs
        || run.len() >= settings.min_inputs * 2
        || (run.len() > 1 && peers > 1 && parts() >= settings.min_parts);
    enough
        && (run.len() >= inline_inputs
            || run
                .iter()
                .any(|batch| batch.parts().any(|part| part.key().is_some()))
            || run.iter().map(|batch| batch.inline_bytes()).sum::<u64>() >= settings.min_inline_bytes)
}

impl State {
    /// The next run of batches worth rewriting, if any.
    ///
    /// From the newest backwards, a run may absorb a batch of at most the greatest class seen so far; it is
    /// worth it with enough inputs, parts or updates of one class.
    pub fn merge_request(&self, settings: &CompactionSettings) -> Option<MergeRequest> {
        let inline_inputs = inline_inputs(self.shard, settings);
        let mut batches = self.batches.values().rev().peekable();
        let mut run: Vec<&Arc<BatchMeta>> = Vec::new();
        while let Some(newest) = batches.next() {
            run.clear();
            run.push(newest);
            // Smaller neighbours join, and so do all of the same class; a greater one ends the run.
            let level = class(newest, settings.fanout);
            let mut peers = 1;
            while let Some((batch, class)) = batches
                .peek()
                .map(|batch| (*batch, class(batch, settings.fanout)))
                .filter(|(_, class)| *class <= level)
            {
                peers += usize::from(class == level);
                run.push(batch);
                batches.next();
            }
            if worth(&run, peers, inline_inputs, settings) {
                return Some(MergeRequest {
                    inputs: run.into_iter().rev().map(Arc::clone).collect(),
                    since: self.since,
                });
            }
        }
        None
    }

    /// The whole history as one request: what `compact` by hand asks for. None if nothing would change.
    pub fn merge_everything(&self) -> Option<MergeRequest> {
        let inputs: Vec<Arc<BatchMeta>> = self.batches.values().map(Arc::clone).collect();
        let settled = match inputs.as_slice() {
            [] => true,
            [only] => only.runs.len() <= 1 && (only.desc.since == self.since || only.len == 0),
            _ => false,
        };
        (!settled).then_some(MergeRequest {
            inputs,
            since: self.since,
        })
    }

    /// All batches, worth it or not; for tests.
    #[cfg(test)]
    pub(crate) fn merge_run(&self) -> MergeRequest {
        MergeRequest {
            inputs: self.batches.values().map(Arc::clone).collect(),
            since: self.since,
        }
    }

    /// Puts `output` in the place of the batches it covers. Answers whether it was accepted.
    pub fn apply_merge(&mut self, output: &Arc<BatchMeta>, mutant: Mutant) -> Flow<bool> {
        let desc = output.desc;
        if self.is_tombstone() || (desc.since > self.since && mutant != Mutant::MergeBeyondSince) {
            return Flow::Doubt(false);
        }
        let replaced: Vec<Frontier> = self
            .batches
            .range(desc.lower..)
            .take_while(|(_, b)| b.desc.upper <= desc.upper)
            .map(|(lower, _)| *lower)
            .collect();
        let last = replaced.last().and_then(|lower| self.batches.get(lower));
        if replaced.first() != Some(&desc.lower) || last.map(|b| b.desc.upper) != Some(desc.upper) {
            return Flow::Doubt(false);
        }
        let old: Vec<Arc<BatchMeta>> = replaced
            .iter()
            .map(|lower| Arc::clone(&self.batches[lower]))
            .collect();
        if old.iter().any(|b| **b == **output) {
            return Flow::Doubt(true);
        }
        if output.len > old.iter().map(|b| b.len).sum() || old.iter().any(|b| b.desc.since > desc.since) {
            return Flow::Doubt(false);
        }
        let kept: BTreeSet<&str> = old.iter().flat_map(|b| b.parts()).filter_map(Part::key).collect();
        let elsewhere: BTreeSet<&str> = self
            .part_keys()
            .into_iter()
            .filter(|key| !kept.contains(key))
            .collect();
        let returns = output
            .parts()
            .filter_map(Part::key)
            .any(|key| elsewhere.contains(key));
        if returns && mutant != Mutant::KeysMayReturn {
            return Flow::Doubt(false);
        }
        for lower in replaced {
            self.batches.remove(&lower);
        }
        self.batches.insert(desc.lower, Arc::clone(output));
        Flow::Commit(true)
    }
}
