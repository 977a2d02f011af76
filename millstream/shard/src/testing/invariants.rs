//! SH-1 to SH-7, checked on what the stores really hold.
//!
//! Two ways to the same verdict: [`Log`] replays everything that is retained, [`Watcher`] what is new since it last looked.
//! Looking after each of n changes, the first would replay some n² diffs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::ids::{SeqNo, ShardId};
use crate::state::codec::{decode_diff, decode_rollup};
use crate::state::diff::StateDiff;
use crate::state::{Part, State};
use crate::store::Versioned;
use crate::store::mem::{MemBlob, MemConsensus};

/// Checks after each change what that change could have broken; nothing may go back from version to version.
///
/// Says that something is broken whenever [`Log::check`] would: each rollup, the one where replaying begins included, is
/// equal to the state that replaying led to, so that where one begins makes no difference.
#[derive(Debug)]
pub struct Watcher {
    shard: ShardId,
    /// The retained versions, each with the state that it leads to.
    replayed: VecDeque<(Versioned, State)>,
    /// The bytes of rollups that were found equal to their state.
    rollups: BTreeMap<SeqNo, Bytes>,
    /// Keys of parts, each with the newest version that refers to it.
    parts: BTreeMap<String, SeqNo>,
}

impl Watcher {
    /// A watcher that has seen nothing.
    pub fn new(shard: ShardId) -> Watcher {
        Watcher {
            shard,
            replayed: VecDeque::new(),
            rollups: BTreeMap::new(),
            parts: BTreeMap::new(),
        }
    }

    /// Checks everything; the first broken invariant by its name.
    pub fn check(&mut self, consensus: &MemConsensus, blob: &MemBlob) -> Result<(), String> {
        let versions = consensus.dump(&self.shard.to_string());
        let Some(first) = versions.first() else {
            return Ok(());
        };
        follow_each_other(&versions)?;
        if !self.is_continued_by(&versions) {
            self.start_over(&versions, consensus, blob)?;
        }
        while self
            .replayed
            .front()
            .is_some_and(|(version, _)| version.seqno < first.seqno)
        {
            self.replayed.pop_front();
        }
        for version in &versions[self.replayed.len()..] {
            self.replay(version)?;
        }
        let (_, current) = self.replayed.back().expect("there is a first");
        if !current.rollups.contains_key(&first.seqno) {
            return Err(format!(
                "SH-2: no rollup is listed at the first version, {}",
                first.seqno
            ));
        }
        let since = current.seqno_since();
        if first.seqno > since {
            return Err(format!(
                "SH-3: the log begins at {}, {since} is held",
                first.seqno
            ));
        }
        self.rollups.retain(|seqno, _| *seqno >= first.seqno);
        for (seqno, rollup) in current.rollups.range(first.seqno..) {
            let Some(bytes) = blob.peek(&rollup.key) else {
                return Err(format!("SH-4: the rollup at {seqno} is missing"));
            };
            if self.rollups.get(seqno).is_some_and(|known| same(known, &bytes)) {
                continue;
            }
            let state = decode_rollup(&bytes).map_err(|e| e.to_string())?;
            let then = self
                .replayed
                .binary_search_by_key(seqno, |(version, _)| version.seqno);
            if then.map_or(true, |index| self.replayed[index].1 != state) {
                return Err(format!("SH-1: the log does not replay to the rollup at {seqno}"));
            }
            self.rollups.insert(*seqno, bytes);
        }
        // `since` does not go back: what only older versions refer to is never asked for again.
        self.parts.retain(|_, newest| *newest >= since);
        for (key, newest) in &self.parts {
            if blob.peek(key).is_none() {
                return Err(format!("SH-6: {key} of {newest} is missing"));
            }
        }
        Ok(())
    }

    /// Whether all that was seen and is still retained is as it was, and nothing between it and the new is gone.
    fn is_continued_by(&self, versions: &[Versioned]) -> bool {
        let first = versions[0].seqno;
        let mut kept = self
            .replayed
            .iter()
            .filter(|(seen, _)| seen.seqno >= first)
            .peekable();
        let joined = kept.peek().is_some_and(|(seen, _)| seen.seqno == first);
        let mut now = versions.iter();
        joined
            && kept.all(|(seen, _)| {
                now.next()
                    .is_some_and(|now| now.seqno == seen.seqno && same(&now.data, &seen.data))
            })
    }

    /// Replays from the first retained version on, keeping only the last state seen, which must not regress.
    fn start_over(
        &mut self,
        versions: &[Versioned],
        consensus: &MemConsensus,
        blob: &MemBlob,
    ) -> Result<(), String> {
        let last = self.replayed.pop_back().map(|(_, state)| state);
        *self = Watcher::new(self.shard);
        let log = Log::read(self.shard, consensus, blob)?.expect("there is a first");
        log.check(blob)?;
        if let Some(last) = last {
            nothing_regressed(&last, &log.current)?;
        }
        if log.start.seqno != versions[0].seqno {
            return Err(format!(
                "SH-2: the rollup at the first version, {}, is of {}",
                versions[0].seqno, log.start.seqno
            ));
        }
        self.refer(&log.start);
        self.replayed.push_back((versions[0].clone(), log.start));
        Ok(())
    }

    /// One more version.
    fn replay(&mut self, version: &Versioned) -> Result<(), String> {
        let diff = decode_diff(&version.data).map_err(|e| e.to_string())?;
        let (_, before) = self.replayed.back().expect("there is a first");
        let mut state = before.clone();
        diff.apply(&mut state).map_err(|e| format!("SH-1: {e}"))?;
        state
            .check()
            .map_err(|why| format!("SH-5 or state at {}: {why}", state.seqno))?;
        nothing_regressed(before, &state)?;
        let (seqno, newest) = &diff.latest_rollup;
        if state.latest_rollup() != Some((*seqno, newest)) {
            return Err(format!(
                "SH-4: {} begins reading at a rollup of {seqno} that it does not list",
                state.seqno
            ));
        }
        self.refer(&state);
        self.replayed.push_back((version.clone(), state));
        Ok(())
    }

    fn refer(&mut self, state: &State) {
        for key in state
            .batches
            .values()
            .flat_map(|b| b.parts())
            .filter_map(Part::key)
        {
            match self.parts.get_mut(key) {
                Some(newest) => *newest = state.seqno,
                None => {
                    self.parts.insert(key.to_owned(), state.seqno);
                }
            }
        }
    }
}

/// Equal bytes; mostly they are the very same, and need not be looked at.
fn same(a: &Bytes, b: &Bytes) -> bool {
    (a.as_ptr(), a.len()) == (b.as_ptr(), b.len()) || a == b
}

/// SH-1: retained versions have no gap.
fn follow_each_other(versions: &[Versioned]) -> Result<(), String> {
    match versions
        .windows(2)
        .find(|pair| pair[1].seqno != pair[0].seqno.next())
    {
        None => Ok(()),
        Some(pair) => Err(format!(
            "SH-1: {} is followed by {}",
            pair[0].seqno, pair[1].seqno
        )),
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
        follow_each_other(&versions)?;
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
