//! SH-1 to SH-7, checked on what the stores really hold.

use std::collections::BTreeSet;

use crate::ids::ShardId;
use crate::state::codec::{decode_diff, decode_rollup};
use crate::state::diff::StateDiff;
use crate::state::{Part, State};
use crate::store::mem::{MemBlob, MemConsensus};

/// Remembers the last state seen, so that nothing may go back.
#[derive(Debug)]
pub struct Watcher {
    shard: ShardId,
    last: Option<State>,
}

impl Watcher {
    /// A watcher that has seen nothing.
    pub fn new(shard: ShardId) -> Watcher {
        Watcher { shard, last: None }
    }

    /// Checks everything; the first broken invariant by its name.
    pub fn check(&mut self, consensus: &MemConsensus, blob: &MemBlob) -> Result<(), String> {
        let Some(log) = Log::read(self.shard, consensus, blob)? else {
            return Ok(());
        };
        log.check(blob)?;
        if let Some(last) = &self.last {
            nothing_regressed(last, &log.current)?;
        }
        self.last = Some(log.current);
        Ok(())
    }
}

/// A shard's log, replayed.
#[derive(Debug)]
pub struct Log {
    /// The state at the first retained version.
    pub start: State,
    /// The diffs after it.
    pub diffs: Vec<StateDiff>,
    /// The newest state.
    pub current: State,
}

impl Log {
    /// Reads and replays; none if the shard was never made.
    pub fn read(shard: ShardId, consensus: &MemConsensus, blob: &MemBlob) -> Result<Option<Log>, String> {
        let versions = consensus.dump(&shard.to_string());
        let Some(first) = versions.first() else {
            return Ok(None);
        };
        for pair in versions.windows(2) {
            if pair[1].seqno != pair[0].seqno.next() {
                return Err(format!(
                    "SH-1: {} is followed by {}",
                    pair[0].seqno, pair[1].seqno
                ));
            }
        }
        let diffs: Vec<StateDiff> = versions
            .iter()
            .map(|v| decode_diff(&v.data).map_err(|e| e.to_string()))
            .collect::<Result<_, _>>()?;
        let newest = diffs.last().expect("there is a first");
        let (seqno, rollup) = &newest.latest_rollup;
        let bytes = blob
            .peek(&rollup.key)
            .ok_or_else(|| format!("SH-4: the newest rollup, {seqno}, is missing"))?;
        let mut current = decode_rollup(&bytes).map_err(|e| e.to_string())?;
        for diff in diffs.iter().filter(|diff| diff.to > *seqno) {
            diff.apply(&mut current).map_err(|e| format!("SH-1: {e}"))?;
        }
        let at_start = current
            .rollups
            .get(&first.seqno)
            .ok_or_else(|| format!("SH-2: no rollup is listed at the first version, {}", first.seqno))?;
        let bytes = blob.peek(&at_start.key).ok_or_else(|| {
            format!(
                "SH-4: the rollup at the first version, {}, is missing",
                first.seqno
            )
        })?;
        let start = decode_rollup(&bytes).map_err(|e| e.to_string())?;
        let diffs = diffs.into_iter().filter(|diff| diff.to > start.seqno).collect();
        Ok(Some(Log {
            start,
            diffs,
            current,
        }))
    }

    /// Checks SH-2 to SH-6.
    pub fn check(&self, blob: &MemBlob) -> Result<(), String> {
        let since = self.current.seqno_since();
        if self.start.seqno > since {
            return Err(format!(
                "SH-3: the log begins at {}, {since} is held",
                self.start.seqno
            ));
        }
        for (seqno, rollup) in self.current.rollups.range(self.start.seqno..) {
            if blob.peek(&rollup.key).is_none() {
                return Err(format!("SH-4: the rollup at {seqno} is missing"));
            }
        }
        let mut state = self.start.clone();
        let mut diffs = self.diffs.iter();
        loop {
            state
                .check()
                .map_err(|why| format!("SH-5 or state at {}: {why}", state.seqno))?;
            if state.seqno >= since {
                for part in state.batches.values().flat_map(|b| b.parts()) {
                    if part.key().is_some_and(|key| blob.peek(key).is_none()) {
                        return Err(format!(
                            "SH-6: {} of {} is missing",
                            part.key().unwrap_or(""),
                            state.seqno
                        ));
                    }
                }
            }
            let Some(diff) = diffs.next() else { break };
            diff.apply(&mut state).map_err(|e| format!("SH-1: {e}"))?;
        }
        if state != self.current {
            return Err("SH-1: the log does not replay to the newest state".to_owned());
        }
        Ok(())
    }

    /// Every blob that some retained version references.
    pub fn referenced(&self) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        let mut state = self.start.clone();
        let mut diffs = self.diffs.iter();
        loop {
            keys.extend(
                state
                    .batches
                    .values()
                    .flat_map(|b| b.parts())
                    .filter_map(Part::key)
                    .map(str::to_owned),
            );
            keys.extend(
                state
                    .rollups
                    .range(self.start.seqno..)
                    .map(|(_, r)| r.key.clone()),
            );
            let Some(diff) = diffs.next() else { return keys };
            diff.apply(&mut state).expect("the log was replayed before");
        }
    }
}

/// SH-7: neither since, upper, seqno_since, last_gc_req nor a reader's own holds go back.
pub fn nothing_regressed(old: &State, new: &State) -> Result<(), String> {
    let pairs = [
        ("seqno", old.seqno <= new.seqno),
        ("since", old.since <= new.since),
        ("upper", old.upper() <= new.upper()),
        ("seqno_since", old.seqno_since() <= new.seqno_since()),
        ("last_gc_req", old.last_gc_req <= new.last_gc_req),
        (
            "walltime",
            old.seqno == new.seqno || old.walltime_ms < new.walltime_ms,
        ),
    ];
    if let Some((what, _)) = pairs.iter().find(|(_, kept)| !kept) {
        return Err(format!(
            "SH-7: {what} went back from {} to {}",
            old.seqno, new.seqno
        ));
    }
    for (id, before) in &old.leased {
        if let Some(after) = new.leased.get(id)
            && (after.since < before.since || after.seqno < before.seqno)
        {
            return Err(format!("SH-7: a hold of {id} went back"));
        }
    }
    Ok(())
}
