//! Reading: snapshots, listening, and the holds that keep what is read alive.
//!
//! A leased reader holds two things durably: a `since` (history stays distinguishable) and a SeqNo (parts
//! stay in the store). Must not know stores or garbage collection.
//!
//! Invariants:
//! 1. A part is leased at the version it was taken from, in the same critical section in which that version
//!    was read (H8, SH-18).
//! 2. The SeqNo hold never passes a version of which a part is still leased (SH-17).
//! 3. A listener's `since` stays behind its frontier, so the next batch can still tell `f - 1` from `f`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::applier::{ShardCell, ShardError};
use crate::fetch::{BatchFetcher, ExchangeablePart, FetchError, Lease, LeasedPart, PartFilter};
use crate::format::Update;
use crate::ids::{ReaderId, SeqNo, ShardId};
use crate::machine::SnapshotWait;
use crate::merge::{Merge, RunCursor, Times};
use crate::mutant::Mutant;
use crate::state::BatchMeta;
use crate::time::{Frontier, Timestamp};

/// Why a read cannot be answered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// History at that time is no longer distinguishable.
    #[error("shard {shard} cannot be read at {as_of}: history before {since} is compacted away")]
    AsOfBeforeSince {
        /// Which shard.
        shard: ShardId,
        /// The time asked for.
        as_of: Timestamp,
        /// The oldest readable time.
        since: Frontier,
    },
    /// The reader was silent for longer than its lease, and everyone may delete what it held.
    #[error("the lease of reader {reader} of shard {shard} has expired: open a new reader")]
    LeaseExpired {
        /// Which shard.
        shard: ShardId,
        /// Which reader.
        reader: ReaderId,
    },
    /// A batch was compacted past what this listener must still tell apart: a hold was lost.
    #[error("shard {shard}: a batch was compacted to {since}, this listener stands at {frontier}")]
    Compacted {
        /// Which shard.
        shard: ShardId,
        /// How far it was compacted.
        since: Frontier,
        /// Where the listener stands.
        frontier: Timestamp,
    },
    /// A part could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The shard's state cannot be had.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

/// What a reader and its background heartbeat share.
pub(crate) struct ReaderCore {
    pub(crate) cell: Arc<ShardCell>,
    pub(crate) id: ReaderId,
    leases: Mutex<BTreeMap<SeqNo, Arc<()>>>,
    since: Mutex<Frontier>,
    pub(crate) last_beat_ms: AtomicU64,
    pub(crate) expired: AtomicBool,
}

impl ReaderCore {
    fn lease(leases: &mut BTreeMap<SeqNo, Arc<()>>, seqno: SeqNo) -> Lease {
        let token = Arc::clone(leases.entry(seqno).or_default());
        Lease { seqno, _token: token }
    }

    /// The SeqNo hold that is safe now: nothing leased is below it, and nothing that can be leased later.
    fn safe_hold(&self) -> SeqNo {
        let mut leases = self.leases.lock();
        leases.retain(|_, token| Arc::strong_count(token) > 1);
        let cached = self.cell.current().seqno;
        match self.cell.env.mutant {
            Mutant::HoldIgnoresLeases => cached,
            _ => leases
                .keys()
                .next()
                .map_or(cached, |oldest| (*oldest).min(cached)),
        }
    }

    /// Raises the holds; the since only if it is given.
    async fn downgrade(&self, new_since: Option<Frontier>) -> Result<Frontier, ReadError> {
        let mut hold = self.safe_hold();
        let mutant = self.cell.env.mutant;
        let outside = mutant == Mutant::HoldOutsideCriticalSection;
        let nothing_leased = outside && self.leases.lock().is_empty();
        if outside {
            crate::rt::yield_now().await;
        }
        let target = new_since.unwrap_or_else(|| *self.since.lock());
        let answer = self
            .cell
            .apply_idempotent(&mut |state, now| {
                if nothing_leased {
                    hold = state.seqno.next();
                }
                state.downgrade_since(self.id, hold, target, now, mutant)
            })
            .await?;
        let Some(since) = answer else {
            self.expired.store(true, Ordering::SeqCst);
            return Err(ReadError::LeaseExpired {
                shard: self.cell.shard,
                reader: self.id,
            });
        };
        self.last_beat_ms
            .store(self.cell.env.clock.now_ms(), Ordering::SeqCst);
        *self.since.lock() = since;
        Ok(since)
    }

    /// Shows that the reader lives, and lets go of versions nobody needs (H11). Answers whether it is known.
    pub(crate) async fn heartbeat(&self) -> Result<bool, ShardError> {
        let hold = self.safe_hold();
        let known = self
            .cell
            .apply_idempotent(&mut |state, now| state.heartbeat(self.id, hold, now, self.cell.env.mutant))
            .await?;
        self.last_beat_ms
            .store(self.cell.env.clock.now_ms(), Ordering::SeqCst);
        if !known {
            self.expired.store(true, Ordering::SeqCst);
        }
        Ok(known)
    }

    fn leased_parts(&self, batches: &[Arc<BatchMeta>], lease: &Lease, filter: PartFilter) -> Vec<LeasedPart> {
        let parts = batches
            .iter()
            .flat_map(|batch| batch.parts().map(|part| (batch.desc, part)));
        parts
            .map(|(desc, part)| LeasedPart {
                part: ExchangeablePart {
                    shard: self.cell.shard,
                    reader: self.id,
                    seqno: lease.seqno,
                    desc,
                    filter,
                    part: part.clone(),
                },
                lease: lease.clone(),
            })
            .collect()
    }
}

/// A reader of one shard under a lease. Dropping it expires the reader when the background work gets to it;
/// [`ReadHandle::expire`] does it at once.
pub struct ReadHandle {
    core: Arc<ReaderCore>,
    done: bool,
}

impl fmt::Debug for ReadHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadHandle({} of {})", self.core.id, self.core.cell.shard)
    }
}

impl Drop for ReadHandle {
    fn drop(&mut self) {
        if !self.done && !self.core.expired.load(Ordering::SeqCst) {
            self.core.cell.pending.lock().expire.push(self.core.id);
            self.core.cell.wake_background();
        }
    }
}

impl ReadHandle {
    pub(crate) async fn register(cell: Arc<ShardCell>, purpose: &str) -> Result<ReadHandle, ShardError> {
        let id = cell.env.ids.reader();
        let (mutant, lease_ms) = (cell.env.mutant, cell.env.settings.get().reader_lease_ms);
        let debug = format!("{} {purpose}", cell.env.hostname);
        let since = cell
            .apply_idempotent(&mut |state, now| state.register_leased(id, lease_ms, now, &debug, mutant))
            .await?
            .ok_or(ShardError::Finalized { shard: cell.shard })?;
        let core = Arc::new(ReaderCore {
            id,
            leases: Mutex::new(BTreeMap::new()),
            since: Mutex::new(since),
            last_beat_ms: AtomicU64::new(cell.env.clock.now_ms()),
            expired: AtomicBool::new(false),
            cell,
        });
        let mut readers = core.cell.readers.lock();
        readers.retain(|reader| reader.strong_count() > 0);
        readers.push(Arc::downgrade(&core));
        drop(readers);
        Ok(ReadHandle { core, done: false })
    }

    /// This reader's id.
    pub fn id(&self) -> ReaderId {
        self.core.id
    }

    /// Its shard.
    pub fn shard(&self) -> ShardId {
        self.core.cell.shard
    }

    /// What this reader holds: it can read at this time and later.
    pub fn since(&self) -> Frontier {
        *self.core.since.lock()
    }

    /// The shard's upper as known in this process; it may be older than the store's.
    pub fn cached_upper(&self) -> Frontier {
        self.core.cell.current().upper()
    }

    /// The shard's upper, asked from the store.
    pub async fn fetch_upper(&self) -> Result<Frontier, ReadError> {
        Ok(self.core.cell.fetch().await?.upper())
    }

    /// Waits until the shard's upper is strictly beyond `frontier`; answers the upper.
    pub async fn wait_for_upper_past(&self, frontier: Frontier) -> Result<Frontier, ReadError> {
        wait_for_upper_past(&self.core.cell, frontier)
            .await
            .map_err(ReadError::Shard)
    }

    /// Something that fetches this reader's parts.
    pub fn fetcher(&self) -> BatchFetcher {
        BatchFetcher::new(Arc::clone(&self.core.cell))
    }

    /// The parts that add up to the collection at `as_of`; waits until `as_of` is complete.
    ///
    /// Each part is leased: its blob stays until the lease (and every clone of it) is dropped.
    pub async fn snapshot(&self, as_of: Timestamp) -> Result<Vec<LeasedPart>, ReadError> {
        let (batches, lease) = self.snapshot_batches(as_of).await?;
        let parts = self
            .core
            .leased_parts(&batches, &lease, PartFilter::Snapshot { as_of });
        if self.core.cell.env.mutant == Mutant::LeaseAtCurrent {
            drop(lease);
            return Ok(self.lease_late(parts).await);
        }
        Ok(parts)
    }

    async fn snapshot_batches(&self, as_of: Timestamp) -> Result<(Vec<Arc<BatchMeta>>, Lease), ReadError> {
        let cell = &self.core.cell;
        let mutant = cell.env.mutant;
        let lost = |since| ReadError::AsOfBeforeSince {
            shard: cell.shard,
            as_of,
            since,
        };
        if !self.since().less_equal(as_of) && mutant != Mutant::SnapshotIgnoresSince {
            return Err(lost(self.since()));
        }
        loop {
            let taken = {
                let mut leases = self.core.leases.lock();
                let state = cell.current();
                match state.snapshot(as_of, mutant) {
                    Ok(batches) => Ok((batches, ReaderCore::lease(&mut leases, state.seqno))),
                    Err(wait) => Err((state.seqno, wait)),
                }
            };
            match taken {
                Ok(taken) => return Ok(taken),
                Err((_, SnapshotWait::Lost { since })) => return Err(lost(since)),
                Err((seqno, SnapshotWait::NotYet { .. })) => {
                    if cell.fetch().await?.seqno == seqno {
                        cell.wait_newer(seqno, None).await?;
                    }
                }
            }
        }
    }

    /// The mutant that leases whatever version is current after a pause.
    async fn lease_late(&self, parts: Vec<LeasedPart>) -> Vec<LeasedPart> {
        let parts: Vec<ExchangeablePart> = parts.into_iter().map(|p| p.into_exchangeable().0).collect();
        crate::rt::yield_now().await;
        let mut leases = self.core.leases.lock();
        let lease = ReaderCore::lease(&mut leases, self.core.cell.current().seqno);
        parts
            .into_iter()
            .map(|part| LeasedPart {
                part,
                lease: lease.clone(),
            })
            .collect()
    }

    /// Calls `each` with every row of the collection at `as_of`, in row order, consolidated, until it answers
    /// false. Memory is one fetched part a sorted run.
    pub async fn snapshot_each(
        &self,
        as_of: Timestamp,
        each: &mut (dyn FnMut(crate::format::UpdateRef<'_>) -> bool + Send),
    ) -> Result<(), ReadError> {
        let (runs, _lease) = self.snapshot_runs(as_of).await?;
        Merge::new(runs).await?.for_each(each).await?;
        Ok(())
    }

    /// The sorted runs of a snapshot, and the lease that keeps them.
    async fn snapshot_runs(&self, as_of: Timestamp) -> Result<(Vec<RunCursor>, Lease), ReadError> {
        let (batches, lease) = self.snapshot_batches(as_of).await?;
        let times = Times::Read(PartFilter::Snapshot { as_of });
        let runs = batches
            .iter()
            .flat_map(|batch| batch.runs.iter().map(|run| (batch.desc, run.clone())));
        let cursors = runs
            .map(|(desc, run)| {
                RunCursor::new(Arc::clone(&self.core.cell), desc, times, Some(self.core.id), run)
            })
            .collect();
        Ok((cursors, lease))
    }

    /// The collection at `as_of`, sorted by row, in memory. For small shards and tests.
    pub async fn snapshot_and_fetch(&self, as_of: Timestamp) -> Result<Vec<Update>, ReadError> {
        let parts = self.snapshot(as_of).await?;
        fetch_consolidated(&self.fetcher(), &parts).await
    }

    /// Turns into a listener for updates strictly after `as_of`; its since is raised to `as_of`.
    ///
    /// Does not wait for `as_of` to be complete.
    pub async fn listen(self, as_of: Timestamp) -> Result<Listen, ReadError> {
        let cell = &self.core.cell;
        for since in [self.since(), cell.current().since] {
            if !since.less_equal(as_of) {
                return Err(ReadError::AsOfBeforeSince {
                    shard: cell.shard,
                    as_of,
                    since,
                });
            }
        }
        self.core.downgrade(Some(Frontier::At(as_of))).await?;
        Ok(Listen {
            as_of,
            frontier: Frontier::At(as_of),
            poll_ms: None,
            handle: self,
        })
    }

    /// A snapshot at `as_of` and a listener that continues it.
    pub async fn subscribe(self, as_of: Timestamp) -> Result<(Vec<LeasedPart>, Listen), ReadError> {
        let parts = self.snapshot(as_of).await?;
        Ok((parts, self.listen(as_of).await?))
    }

    /// Raises this reader's since (it never goes down) and lets go of versions of which nothing is leased.
    pub async fn downgrade_since(&self, new_since: Frontier) -> Result<Frontier, ReadError> {
        self.core.downgrade(Some(new_since)).await
    }

    /// Shows that the reader lives. Background clients do it by themselves.
    pub async fn heartbeat(&self) -> Result<(), ReadError> {
        if self.core.heartbeat().await? {
            return Ok(());
        }
        Err(ReadError::LeaseExpired {
            shard: self.shard(),
            reader: self.id(),
        })
    }

    /// Gives up this reader and its holds, now.
    pub async fn expire(mut self) -> Result<(), ReadError> {
        self.done = true;
        let id = self.core.id;
        self.core
            .cell
            .apply_idempotent(&mut |state, _| state.expire_reader(id))
            .await?;
        Ok(())
    }

    /// Versions of which something is leased right now, with the number of leases.
    pub fn outstanding(&self) -> BTreeMap<SeqNo, usize> {
        let leases = self.core.leases.lock();
        leases
            .iter()
            .map(|(s, t)| (*s, Arc::strong_count(t) - 1))
            .filter(|(_, n)| *n > 0)
            .collect()
    }
}

/// Waits until a shard's upper is strictly beyond `frontier`.
pub(crate) async fn wait_for_upper_past(
    cell: &ShardCell,
    frontier: Frontier,
) -> Result<Frontier, ShardError> {
    let mut fetched = false;
    loop {
        let state = cell.current();
        if state.upper() > frontier {
            return Ok(state.upper());
        }
        if fetched {
            cell.wait_newer(state.seqno, None).await?;
        } else {
            cell.fetch().await?;
            fetched = true;
        }
    }
}

/// Fetches parts one by one and adds them up.
pub(crate) async fn fetch_consolidated(
    fetcher: &BatchFetcher,
    parts: &[LeasedPart],
) -> Result<Vec<Update>, ReadError> {
    let mut sums: BTreeMap<(Vec<u8>, Timestamp), i64> = BTreeMap::new();
    for part in parts {
        let fetched = fetcher.fetch(&part.part).await?;
        for update in fetched.updates() {
            *sums.entry((update.row.to_vec(), update.time)).or_insert(0) += update.diff;
        }
    }
    let updates = sums.into_iter().filter(|(_, diff)| *diff != 0);
    Ok(updates
        .map(|((row, time), diff)| Update { row, time, diff })
        .collect())
}

/// What one step of a listener brings.
#[derive(Debug)]
pub struct ListenBatch {
    /// Updates of these parts are at or beyond the frontier before this step, and before `progress`.
    pub parts: Vec<LeasedPart>,
    /// Everything before this has been handed out.
    pub progress: Frontier,
}

/// Follows a shard. Owns its reader.
#[derive(Debug)]
pub struct Listen {
    handle: ReadHandle,
    as_of: Timestamp,
    frontier: Frontier,
    poll_ms: Option<u64>,
}

impl Listen {
    /// Everything before this has been handed out.
    pub fn frontier(&self) -> Frontier {
        self.frontier
    }

    /// The reader inside, for its holds and its fetcher.
    pub fn reader(&self) -> &ReadHandle {
        &self.handle
    }

    /// Looks at the store itself, at least this often, instead of relying on the location's poll.
    pub fn set_poll_ms(&mut self, poll_ms: Option<u64>) {
        self.poll_ms = poll_ms;
    }

    /// The next batch, when there is one; none once the shard is closed and everything was handed out.
    ///
    /// May be dropped at any await: nothing is lost, the same batch comes again.
    pub async fn next(&mut self) -> Result<Option<ListenBatch>, ReadError> {
        let Frontier::At(frontier) = self.frontier else {
            return Ok(None);
        };
        let core = &self.handle.core;
        let cell = &core.cell;
        let (desc, parts) = loop {
            let taken = {
                let mut leases = core.leases.lock();
                let state = cell.current();
                match state.listen_batch(frontier) {
                    Some(batch) => {
                        let lease = ReaderCore::lease(&mut leases, state.seqno);
                        let filter = match cell.env.mutant {
                            Mutant::ListenIgnoresFrontier => PartFilter::Listen {
                                as_of: self.as_of,
                                frontier: 0,
                            },
                            _ => PartFilter::Listen {
                                as_of: self.as_of,
                                frontier,
                            },
                        };
                        Ok((batch.desc, core.leased_parts(&[batch], &lease, filter)))
                    }
                    None => Err(state.seqno),
                }
            };
            match taken {
                Ok(taken) => break taken,
                Err(seqno) => {
                    if cell.fetch().await?.seqno == seqno {
                        cell.wait_newer(seqno, self.poll_ms).await?;
                    }
                }
            }
        };
        let told_apart = desc.since < Frontier::At(frontier)
            || (frontier == self.as_of && desc.since <= Frontier::At(frontier));
        if !told_apart {
            return Err(ReadError::Compacted {
                shard: cell.shard,
                since: desc.since,
                frontier,
            });
        }
        let lease_ms = cell.env.settings.get().reader_lease_ms;
        let beat = core.last_beat_ms.load(Ordering::SeqCst);
        if cell.env.clock.now_ms().saturating_sub(beat) >= lease_ms / 4 {
            self.raise_since(desc.upper).await?;
        }
        self.frontier = desc.upper;
        Ok(Some(ListenBatch {
            parts,
            progress: desc.upper,
        }))
    }

    /// [`Listen::next`], with the parts fetched and added up. For small shards and tests.
    pub async fn fetch_next(&mut self) -> Result<Option<(Vec<Update>, Frontier)>, ReadError> {
        let Some(batch) = self.next().await? else {
            return Ok(None);
        };
        let updates = fetch_consolidated(&self.handle.fetcher(), &batch.parts).await?;
        Ok(Some((updates, batch.progress)))
    }

    /// Raises the durable since to just behind the frontier, now instead of at the next occasion.
    pub async fn downgrade_now(&mut self) -> Result<(), ReadError> {
        self.raise_since(self.frontier).await
    }

    /// While the frontier is (about to be) `next`, the hold stays at the step before it.
    async fn raise_since(&self, next: Frontier) -> Result<(), ReadError> {
        let behind = match (self.frontier, self.handle.core.cell.env.mutant) {
            (_, Mutant::SinceAtNewFrontier) => next,
            (Frontier::At(f), _) if next > self.frontier => Frontier::At(f),
            (Frontier::At(f), _) => Frontier::At(f.saturating_sub(1).max(self.as_of)),
            (Frontier::Closed, _) => self.handle.since(),
        };
        self.handle.core.downgrade(Some(behind)).await.map(drop)
    }

    /// Gives up the reader and its holds, now.
    pub async fn expire(self) -> Result<(), ReadError> {
        self.handle.expire().await
    }
}
