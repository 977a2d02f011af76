//! What changed between two consecutive states.
//!
//! `StateDiff::between(a, b).apply(a) == b` for all states of one shard. Must not know why they differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BatchMeta, CriticalReader, LeasedReader, Part, RollupRef, State, WriterState};
use crate::ids::{CriticalId, ReaderId, SeqNo, WriterId};
use crate::time::Frontier;

/// Changed entries of one map: the new value, or none where the entry is gone.
type Changes<K, V> = Vec<(K, Option<V>)>;

/// The difference of two consecutive states, plus the newest rollup of the later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateDiff {
    /// The version this diff leads from.
    pub from: SeqNo,
    /// The version this diff leads to.
    pub to: SeqNo,
    /// The newest rollup the later version lists: where a reader without a copy starts.
    pub latest_rollup: (SeqNo, RollupRef),
    /// Software version of the later state.
    pub applier_version: u32,
    /// Wall time of the later state.
    pub walltime_ms: u64,
    hostname: Option<String>,
    codec: Option<String>,
    last_gc_req: Option<SeqNo>,
    since: Option<Frontier>,
    rollups: Changes<SeqNo, RollupRef>,
    leased: Changes<ReaderId, LeasedReader>,
    critical: Changes<CriticalId, CriticalReader>,
    /// Changed writers; [`StateDiff::writer`] reads one.
    writers: Changes<WriterId, WriterState>,
    batches: Changes<Frontier, Arc<BatchMeta>>,
}

/// A diff that does not fit the state it was applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a diff from {from} does not apply to state {state}")]
pub struct DiffMismatch {
    from: SeqNo,
    state: SeqNo,
}

impl StateDiff {
    /// What changed from `old` to `new`.
    ///
    /// # Panics
    /// If the two are not consecutive versions of one shard, or `new` lists no rollup.
    pub fn between(old: &State, new: &State) -> StateDiff {
        assert_eq!(
            (old.shard, old.seqno.next()),
            (new.shard, new.seqno),
            "consecutive versions of one shard"
        );
        let (rollup, reference) = new.latest_rollup().expect("S5: every version lists a rollup");
        StateDiff {
            from: old.seqno,
            to: new.seqno,
            latest_rollup: (rollup, reference.clone()),
            applier_version: new.applier_version,
            walltime_ms: new.walltime_ms,
            hostname: (old.hostname != new.hostname).then(|| new.hostname.clone()),
            codec: (old.codec != new.codec).then(|| new.codec.clone()),
            last_gc_req: (old.last_gc_req != new.last_gc_req).then_some(new.last_gc_req),
            since: (old.since != new.since).then_some(new.since),
            rollups: changes(&old.rollups, &new.rollups, PartialEq::eq),
            leased: changes(&old.leased, &new.leased, PartialEq::eq),
            critical: changes(&old.critical, &new.critical, PartialEq::eq),
            writers: changes(&old.writers, &new.writers, PartialEq::eq),
            batches: changes(&old.batches, &new.batches, |a, b| Arc::ptr_eq(a, b) || a == b),
        }
    }

    /// Turns the earlier state into the later one.
    pub fn apply(&self, state: &mut State) -> Result<(), DiffMismatch> {
        if state.seqno != self.from {
            return Err(DiffMismatch {
                from: self.from,
                state: state.seqno,
            });
        }
        state.seqno = self.to;
        state.applier_version = self.applier_version;
        state.walltime_ms = self.walltime_ms;
        if let Some(hostname) = &self.hostname {
            state.hostname.clone_from(hostname);
        }
        if let Some(codec) = &self.codec {
            state.codec.clone_from(codec);
        }
        state.last_gc_req = self.last_gc_req.unwrap_or(state.last_gc_req);
        state.since = self.since.unwrap_or(state.since);
        apply_changes(&self.rollups, &mut state.rollups);
        apply_changes(&self.leased, &mut state.leased);
        apply_changes(&self.critical, &mut state.critical);
        apply_changes(&self.writers, &mut state.writers);
        apply_changes(&self.batches, &mut state.batches);
        Ok(())
    }

    /// What this diff says about `writer`: nothing, that it is gone, or its new entry.
    pub fn writer(&self, writer: WriterId) -> Option<Option<&WriterState>> {
        self.writers
            .iter()
            .find(|(id, _)| *id == writer)
            .map(|(_, entry)| entry.as_ref())
    }

    /// Whether this diff puts exactly `batch` into the state.
    pub fn sets_batch(&self, batch: &BatchMeta) -> bool {
        self.batches
            .iter()
            .any(|(lower, new)| *lower == batch.desc.lower && new.as_deref() == Some(batch))
    }

    /// Blobs that `before` references and the state after this diff does not: parts, then rollups.
    pub fn removed_blobs(&self, before: &State) -> (Vec<Part>, Vec<RollupRef>) {
        let gone = self
            .batches
            .iter()
            .filter_map(|(lower, _)| before.batches.get(lower));
        let kept: std::collections::BTreeSet<&str> = self
            .batches
            .iter()
            .filter_map(|(_, new)| new.as_ref())
            .flat_map(|b| b.parts())
            .filter_map(Part::key)
            .collect();
        let parts = gone
            .flat_map(|batch| batch.parts())
            .filter(|part| part.key().is_some_and(|key| !kept.contains(key)))
            .cloned()
            .collect();
        let rollups = self
            .rollups
            .iter()
            .filter_map(|(seqno, new)| match (before.rollups.get(seqno), new) {
                (Some(old), Some(new)) if old.key == new.key => None,
                (old, _) => old.cloned(),
            })
            .collect();
        (parts, rollups)
    }
}

fn changes<K: Ord + Clone, V: Clone>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    same: impl Fn(&V, &V) -> bool,
) -> Changes<K, V> {
    let (mut gone, mut fresh) = (Vec::new(), Vec::new());
    let mut olds = old.iter().peekable();
    for (key, value) in new {
        while let Some((old_key, _)) = olds.next_if(|(old_key, _)| *old_key < key) {
            gone.push((old_key.clone(), None));
        }
        match olds.next_if(|(old_key, _)| *old_key == key) {
            Some((_, before)) if same(before, value) => {}
            _ => fresh.push((key.clone(), Some(value.clone()))),
        }
    }
    gone.extend(olds.map(|(key, _)| (key.clone(), None)));
    gone.append(&mut fresh);
    gone
}

fn apply_changes<K: Ord + Clone, V: Clone>(changes: &Changes<K, V>, map: &mut BTreeMap<K, V>) {
    for (key, value) in changes {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}
