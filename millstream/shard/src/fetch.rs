//! From a part's description to its updates.
//!
//! Fetching needs no lease of its own: whoever handed out the part keeps it alive. Must not know frontiers
//! or progress.
//!
//! Invariants:
//! 1. A missing or damaged blob is an error value that names shard, part and time; never an empty part.
//! 2. Checksum and layout are verified before a fetch succeeds (H14).
//! 3. Memory of fetched parts of one client stays below its limit; one part greater than the limit proceeds
//!    alone (SH-30).

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::applier::ShardCell;
use crate::format::{PartError, PartView, UpdateRef, blocks};
use crate::ids::{ReaderId, SeqNo, ShardId};
use crate::mutant::Mutant;
use crate::retry::retry_external;
use crate::state::{Description, Part, PartBody, PartStats};
use crate::store::StoreError;
use crate::time::{Frontier, Timestamp};

/// Which updates of a part count, and at which times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartFilter {
    /// Those at or before `as_of`, all at `as_of`.
    Snapshot {
        /// The time of the snapshot.
        as_of: Timestamp,
    },
    /// Those after `as_of` and at or beyond `frontier`.
    Listen {
        /// Exclusive.
        as_of: Timestamp,
        /// What was emitted before.
        frontier: Timestamp,
    },
}

/// A part that can be sent anywhere and fetched there. Only its [`Lease`] keeps the blob alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeablePart {
    pub(crate) shard: ShardId,
    pub(crate) reader: ReaderId,
    pub(crate) seqno: SeqNo,
    pub(crate) desc: Description,
    pub(crate) filter: PartFilter,
    pub(crate) part: Part,
}

impl ExchangeablePart {
    /// Its shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// Its blob key; none for an inline part.
    pub fn key(&self) -> Option<&str> {
        self.part.key()
    }

    /// Length of its bytes.
    pub fn encoded_bytes(&self) -> usize {
        usize::try_from(self.part.encoded_bytes).expect("a part fits in memory")
    }

    /// What is known without fetching it; none for an inline part.
    pub fn stats(&self) -> Option<&PartStats> {
        self.part.stats.as_ref()
    }

    /// The interval of the batch it belongs to.
    pub fn desc(&self) -> Description {
        self.desc
    }

    /// Which of its updates count.
    pub fn filter(&self) -> PartFilter {
        self.filter
    }

    /// The time that every update of this part is at or beyond, after the filter.
    pub fn lower_time(&self) -> Timestamp {
        match self.filter {
            PartFilter::Snapshot { as_of } => as_of,
            PartFilter::Listen { frontier, .. } => frontier,
        }
    }

    /// The sum of diffs this part contributes, if its statistics say and no update is filtered out.
    pub fn whole_diff_sum(&self) -> Option<i64> {
        let stats = self.part.stats.as_ref()?;
        let whole = self.desc.lower.less_equal(stats.time_min)
            && !self.desc.upper.less_equal(stats.time_max)
            && match self.filter {
                PartFilter::Snapshot { as_of } => stats.time_max <= as_of,
                PartFilter::Listen { as_of, frontier } => {
                    stats.time_min > as_of && stats.time_min >= frontier
                }
            };
        whole.then_some(stats.diff_sum)
    }
}

/// Keeps everything alive that was referenced by one version of a shard. Clones count.
#[derive(Clone, Debug)]
pub struct Lease {
    pub(crate) seqno: SeqNo,
    pub(crate) _token: Arc<()>,
}

impl Lease {
    /// The version that is kept.
    pub fn seqno(&self) -> SeqNo {
        self.seqno
    }
}

/// A part and the lease that keeps its blob alive.
#[derive(Clone, Debug)]
pub struct LeasedPart {
    pub(crate) part: ExchangeablePart,
    pub(crate) lease: Lease,
}

impl LeasedPart {
    /// The part's description.
    pub fn part(&self) -> &ExchangeablePart {
        &self.part
    }

    /// Separates what may be sent away from what must stay with the reader's process.
    pub fn into_exchangeable(self) -> (ExchangeablePart, Lease) {
        (self.part, self.lease)
    }
}

/// Why a blob that should be there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingBecause {
    /// The reader that handed it out was silent for longer than its lease.
    LeaseExpired,
    /// The reader is still there: something deleted what it held.
    StillHeld,
    /// The shard's state could not be asked.
    Unknown,
}

impl std::fmt::Display for MissingBecause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            MissingBecause::LeaseExpired => "the lease of its reader expired",
            MissingBecause::StillHeld => "although its reader still holds it: the location lost data",
            MissingBecause::Unknown => "and the shard's state could not be read",
        })
    }
}

/// Why a part could not be fetched.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// The blob is not there.
    #[error("shard {shard}: part {key} (updates from {time} on) is missing: {because}")]
    Missing {
        /// Its shard.
        shard: ShardId,
        /// Its blob key.
        key: String,
        /// No update of the part is before this.
        time: Timestamp,
        /// What the shard's state says about it.
        because: MissingBecause,
    },
    /// The blob is not what was stored.
    #[error("shard {shard}: part {key} (updates from {time} on): {error}")]
    Damaged {
        /// Its shard.
        shard: ShardId,
        /// Its blob key, or `inline`.
        key: String,
        /// No update of the part is before this.
        time: Timestamp,
        /// What is wrong.
        error: PartError,
    },
    /// The part belongs to another shard than the fetcher.
    #[error("a part of shard {found} was given to a fetcher of shard {expected}")]
    WrongShard {
        /// The fetcher's.
        expected: ShardId,
        /// The part's.
        found: ShardId,
    },
    /// The blob store says no and will go on saying so.
    #[error("shard {shard}: {error}")]
    Store {
        /// Its shard.
        shard: ShardId,
        /// The store's answer.
        error: StoreError,
    },
}

/// Bytes in use, and whoever waits for some.
#[derive(Clone, Debug)]
pub(crate) struct MemoryGate {
    inner: Arc<GateInner>,
}

#[derive(Debug)]
struct GateInner {
    used: Mutex<u64>,
    freed: Notify,
}

impl MemoryGate {
    pub(crate) fn new() -> MemoryGate {
        MemoryGate {
            inner: Arc::new(GateInner {
                used: Mutex::new(0),
                freed: Notify::new(),
            }),
        }
    }

    /// Waits until `bytes` more stay below `limit`, or nothing else is in use.
    pub(crate) async fn acquire(&self, bytes: u64, limit: u64) -> Permit {
        loop {
            let freed = self.inner.freed.notified();
            let mut freed = std::pin::pin!(freed);
            freed.as_mut().enable();
            {
                let mut used = self.inner.used.lock();
                if *used == 0 || *used + bytes <= limit {
                    *used += bytes;
                    return Permit {
                        gate: Arc::clone(&self.inner),
                        bytes,
                    };
                }
            }
            freed.await;
        }
    }

    /// Takes `bytes` without waiting, beyond the limit if need be: for readers that hold one part a run and
    /// could wait for each other.
    pub(crate) fn take(&self, bytes: u64) -> Permit {
        *self.inner.used.lock() += bytes;
        Permit {
            gate: Arc::clone(&self.inner),
            bytes,
        }
    }

    pub(crate) fn used(&self) -> u64 {
        *self.inner.used.lock()
    }
}

/// A share of the memory for fetched parts, given back on drop.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<GateInner>,
    bytes: u64,
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.gate.used.lock() -= self.bytes;
        self.gate.freed.notify_waiters();
    }
}

/// Fetches parts of one shard. Clones share the client's memory limit.
#[derive(Clone, Debug)]
pub struct BatchFetcher {
    cell: Arc<ShardCell>,
}

impl BatchFetcher {
    pub(crate) fn new(cell: Arc<ShardCell>) -> BatchFetcher {
        BatchFetcher { cell }
    }

    /// Its shard.
    pub fn shard(&self) -> ShardId {
        self.cell.shard
    }

    /// Bytes of fetched parts that are alive in this client.
    pub fn memory_used(&self) -> u64 {
        self.cell.env.memory.used()
    }

    /// How many fetches a consumer should have in flight, as set now.
    pub fn concurrency(&self) -> usize {
        self.cell.env.settings.get().fetch_concurrency.max(1)
    }

    /// Downloads and verifies a part. Waits for memory first.
    pub async fn fetch(&self, part: &ExchangeablePart) -> Result<FetchedPart, FetchError> {
        if part.shard != self.cell.shard {
            return Err(FetchError::WrongShard {
                expected: self.cell.shard,
                found: part.shard,
            });
        }
        let limit = self.cell.env.settings.get().fetch_memory_bytes;
        let wanted = match self.cell.env.mutant {
            Mutant::FetchWithoutPermit => 0,
            Mutant::InlineBytesFree if part.key().is_none() => 0,
            _ => part.part.decoded_bytes,
        };
        let permit = self.cell.env.memory.acquire(wanted, limit).await;
        let views = fetch_views(&self.cell, &part.part, part.lower_time(), Some(part.reader)).await?;
        let mut desc = part.desc;
        if self.cell.env.mutant == Mutant::BoundsIgnoredOnRead {
            (desc.lower, desc.upper) = (Frontier::MIN, Frontier::Closed);
        }
        Ok(FetchedPart {
            views,
            desc,
            filter: part.filter,
            _permit: permit,
        })
    }
}

/// Gets and verifies the bytes of a part: its blocks.
pub(crate) async fn fetch_views(
    cell: &ShardCell,
    part: &Part,
    time: Timestamp,
    reader: Option<ReaderId>,
) -> Result<Vec<PartView>, FetchError> {
    let shard = cell.shard;
    let (bytes, sum, key) = match &part.body {
        PartBody::Inline(bytes) => (bytes.clone(), crc32c::crc32c(bytes), "inline"),
        PartBody::Blob { key, crc } => {
            let blob = cell.env.location.blob();
            let got = retry_external(&cell.env, &mut || blob.get_summed(key))
                .await
                .map_err(|error| FetchError::Store { shard, error })?;
            let Some((bytes, sum)) = got else {
                return Err(missing(cell, key, time, reader).await);
            };
            if cell.env.mutant != Mutant::ChecksumIgnored && crate::format::checksum(&bytes) != Some(*crc) {
                return Err(damaged(shard, key, time, OTHER_PART));
            }
            (bytes, sum, key.as_str())
        }
    };
    blocks::decode(&bytes, sum).map_err(|error| damaged(shard, key, time, error))
}

/// What stands under a key has another checksum than the state knows.
pub(crate) const OTHER_PART: PartError =
    PartError::Damaged("it is not the part that was stored under this key");

pub(crate) fn damaged(shard: ShardId, key: &str, time: Timestamp, error: PartError) -> FetchError {
    FetchError::Damaged {
        shard,
        key: key.to_owned(),
        time,
        error,
    }
}

/// The error of a blob that is not there.
pub(crate) async fn missing(
    cell: &ShardCell,
    key: &str,
    time: Timestamp,
    reader: Option<ReaderId>,
) -> FetchError {
    let because = match cell.fetch().await {
        Err(_) => MissingBecause::Unknown,
        Ok(state) => match reader {
            Some(reader) if !state.leased.contains_key(&reader) => MissingBecause::LeaseExpired,
            _ => MissingBecause::StillHeld,
        },
    };
    FetchError::Missing {
        shard: cell.shard,
        key: key.to_owned(),
        time,
        because,
    }
}

/// A part in memory; its permit is given back on drop.
#[derive(Debug)]
pub struct FetchedPart {
    /// Its blocks.
    views: Vec<PartView>,
    desc: Description,
    filter: PartFilter,
    _permit: Permit,
}

/// How far a part was read. The default is its beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    block: usize,
    update: usize,
}

impl FetchedPart {
    /// Updates stored in the part.
    pub fn len(&self) -> usize {
        self.views.iter().map(PartView::len).sum()
    }

    /// Whether the part stores no update.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next update at `position` or after it that counts, at the time at which it counts; moves `position` behind it.
    pub fn next(&self, position: &mut Position) -> Option<UpdateRef<'_>> {
        loop {
            let view = self.views.get(position.block)?;
            while position.update < view.len() {
                let update = view.get(position.update);
                position.update += 1;
                let admitted = admit(update, self.desc, self.filter);
                if admitted.is_some() {
                    return admitted;
                }
            }
            *position = Position {
                block: position.block + 1,
                update: 0,
            };
        }
    }

    /// All updates that count.
    pub fn updates(&self) -> impl Iterator<Item = UpdateRef<'_>> {
        let mut position = Position::default();
        std::iter::from_fn(move || self.next(&mut position))
    }
}

/// Applies a batch's interval and a reader's filter to one update.
pub(crate) fn admit(update: UpdateRef<'_>, desc: Description, filter: PartFilter) -> Option<UpdateRef<'_>> {
    let time = update.time;
    let above_lower = desc.lower.less_equal(time);
    let below_upper = !desc.upper.less_equal(time);
    if !above_lower || !below_upper {
        return None;
    }
    match filter {
        PartFilter::Snapshot { as_of } => (time <= as_of).then_some(UpdateRef {
            time: as_of,
            ..update
        }),
        PartFilter::Listen { as_of, frontier } => (time > as_of && time >= frontier).then_some(update),
    }
}
