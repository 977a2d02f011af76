//! The judge of partitions that are written in a known order (discipline `ordered`): its face. The bodies follow.

use crate::judged::{Explained, Judged, Options, PartitionState, Probe, Settled};
use history::{Answered, Claim, Finding, Lts, Part, Regenerate, Semantics, Tick, Tracker};
use std::sync::Arc;

/// Judges answers. Two stages: [`Judge::explain`] on any number of threads, [`Judge::conclude`] on one.
#[expect(dead_code, reason = "the face comes first")]
pub struct Judge {
    history: Arc<dyn Regenerate>,
    tracker: Arc<dyn Tracker>,
    claim: Claim,
    semantics: Semantics,
    options: Options,
}

const NOT_YET: &str = "the judge is not built yet";

impl Judge {
    /// A judge of one run.
    pub fn new(
        history: Arc<dyn Regenerate>,
        tracker: Arc<dyn Tracker>,
        claim: Claim,
        semantics: Semantics,
        options: Options,
    ) -> Self {
        Self { history, tracker, claim, semantics, options }
    }

    /// Stage 1: which choices of the visits that span the snapshot explain the answer. Any thread, any order.
    ///
    /// Call it only when nothing that overlaps the answer is open or unresolved (F5); an answer that comes too early is
    /// not compared, and counted as such.
    pub fn explain(&self, a: Answered) -> Explained {
        Explained::not_compared(&a, NOT_YET)
    }

    /// Stage 2: what earlier answers showed must still be shown (F7). One thread, in order of [`Explained::answered`].
    pub fn conclude(&self, e: Explained) -> Judged {
        e.into_judged()
    }

    /// A promise of the caller: no answer whose snapshot began before this tick will be explained or concluded any more.
    pub fn floor(&self, _tick: Tick) {}

    /// What became of an unknown visit, by whole-partition reads taken after its session was seen gone (F6): one for each
    /// partition it writes, and one for the companion row where it writes shared columns. Panics when a probe has no rows
    /// for an answer: ask again instead.
    pub fn settle(&self, _unknown: Lts, _probes: &[Probe]) -> Settled {
        Settled::Alike
    }

    /// The second judge (F34): own code, no memory, visits regenerated, answers decoded again. `evidence` holds at least
    /// the answer that the finding is about, and those whose snapshots overlap it; more does no harm.
    pub fn again(&self, _evidence: &mut dyn Iterator<Item = Answered>, _f: &Finding) -> Judged {
        Judged::NotCompared(NOT_YET)
    }

    /// A partition after every committed visit up to and including `upto`.
    pub fn state_of(&self, _part: Part, _upto: Lts) -> PartitionState {
        PartitionState::default()
    }
}
