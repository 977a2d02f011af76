//! What a shard durably knows about itself: metadata only, never rows.
//!
//! A [`State`] is a value. Commands ([`crate::machine`]) make the next one, [`diff`] says what changed,
//! [`codec`] turns both into bytes. Must not know stores, clocks or handles.
//!
//! Invariants ([`State::check`] names them; it runs after each transition in debug builds):
//! - S1: batches are contiguous, non-empty intervals that start at the minimum time.
//! - S2: no batch is compacted beyond the shard's `since`.
//! - S3: `since` never passes a reader's hold.
//! - S4: a reader's SeqNo hold is at most the version itself.
//! - S5: some rollup is listed at or below `seqno_since` (SH-5).
//! - S6: a blob key is referenced at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::{CriticalId, ReaderId, SeqNo, ShardId, Token, WriterId};
use crate::time::{Frontier, Timestamp};

pub mod codec;
pub mod diff;

/// The version of this software as written into states; older software refuses newer states.
pub const APPLIER_VERSION: u32 = 1;

/// Where a batch's updates begin and end, and how far their times were advanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// No update is before this.
    pub lower: Frontier,
    /// Every update is before this.
    pub upper: Frontier,
    /// Times up to this are no longer told apart.
    pub since: Frontier,
}

/// What a reader may conclude about a part without fetching it. Bounds describe a superset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartStats {
    /// Updates in the part, before any bound is applied.
    pub len: u64,
    /// Sum of all diffs in the part.
    pub diff_sum: i64,
    /// Smallest and greatest time in the part.
    pub time_min: Timestamp,
    /// See `time_min`.
    pub time_max: Timestamp,
    /// No row is smaller, in byte order. Cut to a limit of bytes.
    pub row_min: Vec<u8>,
    /// No row is greater, in byte order; none if cutting left no such bound.
    pub row_max: Option<Vec<u8>>,
}

/// Where the bytes of a part are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartBody {
    /// In a blob.
    Blob {
        /// Its key.
        key: String,
        /// The checksum at its end, so that a foreign blob under this key is noticed. (Not one over all its
        /// bytes: a checksum over data and its own checksum is the same for all data.)
        crc: u32,
    },
    /// In the state itself.
    Inline(Bytes),
}

/// One immutable piece of a batch: sorted, consolidated updates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where the bytes are.
    pub body: PartBody,
    /// Length of the bytes.
    pub encoded_bytes: u64,
    /// Memory the part takes once fetched.
    pub decoded_bytes: u64,
    /// What is known without fetching.
    pub stats: Option<PartStats>,
    /// Updates in the part.
    pub len: u64,
}

impl Part {
    /// The blob key, if the bytes are in a blob.
    pub fn key(&self) -> Option<&str> {
        match &self.body {
            PartBody::Blob { key, .. } => Some(key),
            PartBody::Inline(_) => None,
        }
    }

    /// Bytes this part adds to the state.
    pub fn inline_bytes(&self) -> u64 {
        match &self.body {
            PartBody::Blob { .. } => 0,
            PartBody::Inline(bytes) => bytes.len() as u64,
        }
    }
}

/// A batch: an interval of time and the parts that hold its updates.
///
/// `runs` are sequences of parts; within a run, parts and the updates in them ascend by `(row, time)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchMeta {
    /// Its interval. Updates outside it are to be dropped on reading.
    pub desc: Description,
    /// Sorted runs of parts.
    pub runs: Vec<Vec<Part>>,
    /// Updates in all parts.
    pub len: u64,
}

impl BatchMeta {
    /// All parts, run by run.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.runs.iter().flatten()
    }

    /// Bytes this batch adds to the state.
    pub fn inline_bytes(&self) -> u64 {
        self.parts().map(Part::inline_bytes).sum()
    }
}

/// A full copy of a state, kept as a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupRef {
    /// Its blob key.
    pub key: String,
    /// Its size.
    pub encoded_bytes: u64,
}

/// A reader that must show signs of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeasedReader {
    /// No part referenced by this version or a later one may be deleted.
    pub seqno: SeqNo,
    /// History from here on must stay distinguishable.
    pub since: Frontier,
    /// When it was last heard of.
    pub last_heartbeat_ms: u64,
    /// How long it may be silent.
    pub lease_ms: u64,
    /// Host, process and purpose, for people.
    pub debug: String,
}

/// A reader that outlives its process; fenced by `opaque`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriticalReader {
    /// History from here on must stay distinguishable.
    pub since: Frontier,
    /// The current owner's epoch.
    pub opaque: u64,
    /// For people.
    pub debug: String,
}

/// A writer's last word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterState {
    /// The token of its most recent append.
    pub token: Token,
    /// The upper of its most recent append.
    pub upper: Frontier,
    /// When it was last heard of.
    pub last_heartbeat_ms: u64,
    /// How long it may be silent.
    pub lease_ms: u64,
    /// For people.
    pub debug: String,
}

/// One version of a shard's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The newest software that wrote this shard.
    pub applier_version: u32,
    /// Whose state this is.
    pub shard: ShardId,
    /// Which version.
    pub seqno: SeqNo,
    /// When it was made; strictly increasing from version to version.
    pub walltime_ms: u64,
    /// Where it was made, for people.
    pub hostname: String,
    /// The name of the rows' encoding.
    pub codec: String,
    /// The greatest `seqno_since` garbage collection was asked for.
    pub last_gc_req: SeqNo,
    /// Full copies by version.
    pub rollups: BTreeMap<SeqNo, RollupRef>,
    /// Leased readers.
    pub leased: BTreeMap<ReaderId, LeasedReader>,
    /// Critical readers.
    pub critical: BTreeMap<CriticalId, CriticalReader>,
    /// Writers.
    pub writers: BTreeMap<WriterId, WriterState>,
    /// Reads are correct at and after this.
    pub since: Frontier,
    /// Batches by their lower bound.
    pub batches: BTreeMap<Frontier, Arc<BatchMeta>>,
}

impl State {
    /// The state before the first version.
    pub fn empty(shard: ShardId, codec: &str) -> State {
        State {
            applier_version: APPLIER_VERSION,
            shard,
            seqno: SeqNo::ZERO,
            walltime_ms: 0,
            hostname: String::new(),
            codec: codec.to_owned(),
            last_gc_req: SeqNo::ZERO,
            rollups: BTreeMap::new(),
            leased: BTreeMap::new(),
            critical: BTreeMap::new(),
            writers: BTreeMap::new(),
            since: Frontier::MIN,
            batches: BTreeMap::new(),
        }
    }

    /// Times at or beyond this may still receive updates.
    pub fn upper(&self) -> Frontier {
        self.batches
            .values()
            .next_back()
            .map_or(Frontier::MIN, |batch| batch.desc.upper)
    }

    /// Parts referenced by this version or a later one must stay.
    pub fn seqno_since(&self) -> SeqNo {
        self.leased.values().map(|r| r.seqno).fold(self.seqno, SeqNo::min)
    }

    /// Whether the shard is finalized: it can neither be read nor written any more.
    pub fn is_tombstone(&self) -> bool {
        self.upper().is_closed()
            && self.since.is_closed()
            && self.leased.is_empty()
            && self.critical.is_empty()
            && self.writers.is_empty()
    }

    /// Bytes of parts that live in this state.
    pub fn inline_bytes(&self) -> u64 {
        self.batches.values().map(|b| b.inline_bytes()).sum()
    }

    /// Every part key this version references.
    pub fn part_keys(&self) -> BTreeSet<&str> {
        self.batches
            .values()
            .flat_map(|b| b.parts())
            .filter_map(Part::key)
            .collect()
    }

    /// The newest rollup listed.
    pub fn latest_rollup(&self) -> Option<(SeqNo, &RollupRef)> {
        self.rollups
            .iter()
            .next_back()
            .map(|(seqno, rollup)| (*seqno, rollup))
    }

    /// Checks S1–S6; the first broken one in words.
    pub fn check(&self) -> Result<(), String> {
        let mut upper = Frontier::MIN;
        for (lower, batch) in &self.batches {
            let desc = batch.desc;
            if *lower != desc.lower || desc.lower != upper || desc.upper <= desc.lower {
                return Err(format!(
                    "S1: batch [{}, {}) does not continue {upper}",
                    desc.lower, desc.upper
                ));
            }
            if desc.since > self.since {
                return Err(format!("S2: batch since {} is beyond {}", desc.since, self.since));
            }
            upper = desc.upper;
        }
        for (id, reader) in &self.leased {
            if self.since > reader.since {
                return Err(format!(
                    "S3: since {} passed {id}'s hold {}",
                    self.since, reader.since
                ));
            }
            if reader.seqno > self.seqno {
                return Err(format!(
                    "S4: {id} holds {}, the version is {}",
                    reader.seqno, self.seqno
                ));
            }
        }
        for (id, reader) in &self.critical {
            if self.since > reader.since {
                return Err(format!(
                    "S3: since {} passed {id}'s hold {}",
                    self.since, reader.since
                ));
            }
        }
        let seqno_since = self.seqno_since();
        if self.seqno > SeqNo::ZERO && !self.rollups.keys().any(|seqno| *seqno <= seqno_since) {
            return Err(format!("S5: no rollup at or below {seqno_since}"));
        }
        let keys = self
            .batches
            .values()
            .flat_map(|b| b.parts())
            .filter(|p| p.key().is_some())
            .count();
        if keys != self.part_keys().len() {
            return Err("S6: a blob is referenced twice".to_owned());
        }
        Ok(())
    }
}
