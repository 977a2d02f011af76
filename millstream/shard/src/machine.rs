//! Commands on a shard's state, as pure functions of state, arguments and wall time.
//!
//! Each command changes the copy it is given and says whether to commit it. Must not read clocks, random
//! sources or stores. Where a command answers without committing, the answer may rest on a stale copy;
//! [`Flow::Doubt`] asks for a fresh copy first.
//!
//! Invariants:
//! 1. `since`, `upper`, `seqno_since` and each reader's own holds never go back (SH-7).
//! 2. An append is judged by the upper alone, after its token (SH-9, SH-10).
//! 3. Expiry of a reader does not move `since`; the next downgrade does (SH-19).

use std::sync::Arc;

use crate::ids::{CriticalId, ReaderId, SeqNo, Token, WriterId};
use crate::mutant::Mutant;
use crate::state::{BatchMeta, CriticalReader, Description, LeasedReader, RollupRef, State, WriterState};
use crate::time::{Frontier, Timestamp};

pub(crate) mod merge;

/// What to do with the copy a command worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow<T> {
    /// Commit it and answer this.
    Commit(T),
    /// Answer this; nothing changed.
    Answer(T),
    /// Answer this if a fresh copy says the same.
    Doubt(T),
}

/// However far the wall time of two successive versions lies apart, leases age by at most this much (H11).
pub const SKEW_LIMIT_MS: u64 = 60_000;

/// The difference of a process's clock and a shard's recent wall time, when it is too great.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skew {
    /// This process's clock.
    pub now_ms: u64,
    /// The shard's most recent wall time.
    pub shard_ms: u64,
}

impl State {
    /// Adds a leased reader at the shard's since, holding the version being made. Idempotent.
    pub fn register_leased(
        &mut self,
        id: ReaderId,
        lease_ms: u64,
        now_ms: u64,
        debug: &str,
        mutant: Mutant,
    ) -> Flow<Option<Frontier>> {
        if self.is_tombstone() && mutant != Mutant::TombstoneAnswers {
            return Flow::Answer(None);
        }
        let (since, seqno) = (self.since, self.seqno.next());
        let heard = self.heard(now_ms, mutant);
        let reader = self.leased.entry(id).or_insert_with(|| LeasedReader {
            since,
            seqno,
            last_heartbeat_ms: heard,
            lease_ms,
            debug: debug.to_owned(),
        });
        Flow::Commit(Some(reader.since))
    }

    /// Raises a leased reader's holds, and the shard's since as far as all holds allow.
    ///
    /// `hold` is computed by the caller in one step with its leases (H8). Answers the reader's since, or
    /// none if its lease expired.
    pub fn downgrade_since(
        &mut self,
        id: ReaderId,
        hold: SeqNo,
        new_since: Frontier,
        now_ms: u64,
        mutant: Mutant,
    ) -> Flow<Option<Frontier>> {
        let heard = self.heard(now_ms, mutant);
        let Some(reader) = self.leased.get_mut(&id) else {
            return Flow::Doubt(None);
        };
        reader.last_heartbeat_ms = reader.last_heartbeat_ms.max(heard);
        let (old_hold, old_since) = (reader.seqno, reader.since);
        reader.seqno = if mutant == Mutant::HoldsMayRegress {
            hold
        } else {
            old_hold.max(hold)
        };
        reader.since = if mutant == Mutant::SinceMayRegress {
            new_since
        } else {
            old_since.max(new_since)
        };
        let since = reader.since;
        self.recompute_since();
        Flow::Commit(Some(since))
    }

    /// Says that a reader lives, and raises its SeqNo hold (H11). Answers whether it was still known.
    pub fn heartbeat(&mut self, id: ReaderId, hold: SeqNo, now_ms: u64, mutant: Mutant) -> Flow<bool> {
        let heard = self.heard(now_ms, mutant);
        let Some(reader) = self.leased.get_mut(&id) else {
            return Flow::Doubt(false);
        };
        reader.last_heartbeat_ms = reader.last_heartbeat_ms.max(heard);
        if mutant != Mutant::HeartbeatKeepsHold {
            reader.seqno = reader.seqno.max(hold);
        }
        Flow::Commit(true)
    }

    /// Removes a leased reader. Answers whether it was there.
    pub fn expire_reader(&mut self, id: ReaderId) -> Flow<bool> {
        match self.leased.remove(&id) {
            Some(_) => Flow::Commit(true),
            None => Flow::Doubt(false),
        }
    }

    /// Removes a writer. Answers whether it was there.
    pub fn expire_writer(&mut self, id: WriterId) -> Flow<bool> {
        match self.writers.remove(&id) {
            Some(_) => Flow::Commit(true),
            None => Flow::Doubt(false),
        }
    }

    /// Adds a critical reader at the shard's since, or finds the one of that id. None on a tombstone.
    pub fn register_critical(&mut self, id: CriticalId, debug: &str) -> Flow<Option<CriticalReader>> {
        if self.is_tombstone() {
            return Flow::Answer(None);
        }
        let since = self.since;
        let reader = self.critical.entry(id).or_insert_with(|| CriticalReader {
            since,
            opaque: 0,
            debug: String::new(),
        });
        debug.clone_into(&mut reader.debug);
        Flow::Commit(Some(reader.clone()))
    }

    /// Raises a critical reader's since if its token is `expected`; the token becomes `opaque`.
    ///
    /// `Ok` is the new since. `Err` is the actual reader, committed as a version of its own so that the
    /// answer is linearized; `Err(None)` when nobody of that id is registered.
    pub fn compare_and_downgrade(
        &mut self,
        id: CriticalId,
        expected: u64,
        opaque: u64,
        new_since: Frontier,
        mutant: Mutant,
    ) -> Flow<Result<Frontier, Option<CriticalReader>>> {
        if self.is_tombstone() {
            return Flow::Answer(Err(None));
        }
        let Some(reader) = self.critical.get_mut(&id) else {
            return Flow::Doubt(Err(None));
        };
        if reader.opaque != expected && mutant != Mutant::FencingIgnored {
            return Flow::Commit(Err(Some(reader.clone())));
        }
        reader.opaque = opaque;
        reader.since = reader.since.max(new_since);
        let since = reader.since;
        self.recompute_since();
        Flow::Commit(Ok(since))
    }

    /// Removes a critical reader. Answers whether it was there.
    pub fn expire_critical(&mut self, id: CriticalId) -> Flow<bool> {
        match self.critical.remove(&id) {
            Some(_) => Flow::Commit(true),
            None => Flow::Doubt(false),
        }
    }

    /// The least hold of all readers becomes the since; without readers it stays.
    fn recompute_since(&mut self) {
        let leased = self.leased.values().map(|r| r.since);
        let critical = self.critical.values().map(|r| r.since);
        if let Some(least) = leased.chain(critical).min() {
            self.since = self.since.max(least);
        }
    }

    /// The time of a sign of life: that of the shard if it is ahead of this clock, so that a process whose clock
    /// runs ahead does not take the signs of all others for old ones.
    fn heard(&self, now_ms: u64, mutant: Mutant) -> u64 {
        if mutant == Mutant::HeartbeatInOwnTime {
            return now_ms;
        }
        now_ms.max(self.walltime_ms)
    }

    /// Removes leased readers and writers that were silent for longer than their lease.
    ///
    /// Leases age in the shard's own time, `recent_ms` to `now_ms`, and by at most [`SKEW_LIMIT_MS`] a version: a
    /// clock that is an hour ahead looks just like a shard that nobody touched for an hour, so neither counts for
    /// more than a minute. What was not counted is added to the signs of life, and stays uncounted for the next
    /// version. Answers the skew if it is why somebody was spared.
    pub fn expire_at(&mut self, now_ms: u64, recent_ms: u64, mutant: Mutant) -> Option<Skew> {
        let silent = |heartbeat: u64, lease: u64| heartbeat.saturating_add(lease) < now_ms;
        let mut signs: Vec<(&mut u64, u64)> = self
            .leased
            .values_mut()
            .map(|r| (&mut r.last_heartbeat_ms, r.lease_ms))
            .chain(
                self.writers
                    .values_mut()
                    .map(|w| (&mut w.last_heartbeat_ms, w.lease_ms)),
            )
            .collect();
        let uncounted = now_ms.saturating_sub(recent_ms).saturating_sub(SKEW_LIMIT_MS);
        let mut skew = None;
        if uncounted > 0 && mutant != Mutant::SkewedClockExpires {
            skew = signs
                .iter()
                .any(|(heartbeat, lease)| silent(**heartbeat, *lease))
                .then_some(Skew {
                    now_ms,
                    shard_ms: recent_ms,
                });
            if mutant == Mutant::SecondLookExpires {
                return skew;
            }
            for (heartbeat, _) in &mut signs {
                **heartbeat = heartbeat.saturating_add(uncounted).min(now_ms);
            }
        }
        if mutant != Mutant::ReadersNeverExpire {
            self.leased
                .retain(|_, r| !silent(r.last_heartbeat_ms, r.lease_ms));
        }
        self.writers
            .retain(|_, w| !silent(w.last_heartbeat_ms, w.lease_ms));
        if mutant == Mutant::CriticalExpires {
            self.critical.clear();
        }
        if mutant == Mutant::ExpiryMovesSince {
            self.recompute_since();
        }
        skew
    }

    /// Lists a rollup. Answers whether it is (now) listed under this key.
    pub fn add_rollup(&mut self, seqno: SeqNo, rollup: &RollupRef) -> Flow<bool> {
        match self.rollups.get(&seqno) {
            Some(there) => Flow::Doubt(there.key == rollup.key),
            None if seqno < self.rollups.keys().next().copied().unwrap_or(SeqNo::ZERO) => Flow::Doubt(false),
            None => {
                self.rollups.insert(seqno, rollup.clone());
                Flow::Commit(true)
            }
        }
    }

    /// Drops these rollups from the list. Answers whether any was listed.
    pub fn remove_rollups(&mut self, gone: &[SeqNo]) -> Flow<bool> {
        let before = self.rollups.len();
        self.rollups.retain(|seqno, _| !gone.contains(seqno));
        if self.rollups.len() < before {
            Flow::Commit(true)
        } else {
            Flow::Doubt(false)
        }
    }

    /// Finalizes: nothing can be read or written any more. Needs a closed since and upper.
    pub fn become_tombstone(&mut self) -> Flow<Result<(), (Frontier, Frontier)>> {
        if self.is_tombstone() && self.batches.len() == 1 {
            return Flow::Answer(Ok(()));
        }
        if !self.since.is_closed() || !self.upper().is_closed() {
            return Flow::Doubt(Err((self.since, self.upper())));
        }
        self.leased.clear();
        self.critical.clear();
        self.writers.clear();
        let desc = Description {
            lower: Frontier::MIN,
            upper: Frontier::Closed,
            since: Frontier::Closed,
        };
        self.batches.clear();
        self.batches.insert(
            Frontier::MIN,
            Arc::new(BatchMeta {
                desc,
                runs: vec![],
                len: 0,
            }),
        );
        Flow::Commit(Ok(()))
    }

    /// What a read at `as_of` consists of.
    pub fn snapshot(&self, as_of: Timestamp, mutant: Mutant) -> Result<Vec<Arc<BatchMeta>>, SnapshotWait> {
        if !self.since.less_equal(as_of) && mutant != Mutant::SnapshotIgnoresSince {
            return Err(SnapshotWait::Lost { since: self.since });
        }
        if self.upper().less_equal(as_of) && mutant != Mutant::SnapshotDoesNotWait {
            return Err(SnapshotWait::NotYet { upper: self.upper() });
        }
        Ok(self
            .batches
            .values()
            .filter(|b| b.desc.lower.less_equal(as_of))
            .map(Arc::clone)
            .collect())
    }

    /// The batch that moves a listener from `frontier` on, if it is there.
    pub fn listen_batch(&self, frontier: Timestamp) -> Option<Arc<BatchMeta>> {
        self.batches
            .range(..=Frontier::At(frontier))
            .next_back()
            .map(|(_, batch)| batch)
            .filter(|batch| Frontier::At(frontier) < batch.desc.upper)
            .map(Arc::clone)
    }
}

/// Why a snapshot cannot be had from this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotWait {
    /// History at that time is no longer distinguishable.
    Lost {
        /// The shard's since.
        since: Frontier,
    },
    /// The time is not complete yet.
    NotYet {
        /// The shard's upper.
        upper: Frontier,
    },
}

/// Who appends, and under which token.
#[derive(Debug, Clone)]
pub struct AppendArgs<'a> {
    /// The writer.
    pub writer: WriterId,
    /// Names this append.
    pub token: Token,
    /// The writer's lease.
    pub lease_ms: u64,
    /// Wall time.
    pub now_ms: u64,
    /// Bytes of inline parts a state may hold (exclusive).
    pub inline_total_max: u64,
    /// For people.
    pub debug: &'a str,
    /// Whether a missing writer entry may be made (H5).
    pub may_register: bool,
    /// Test only.
    pub mutant: Mutant,
}

/// How an append was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendVerdict {
    /// The batch is in this version.
    Appended,
    /// An earlier try of the same token was committed.
    AlreadyCommitted,
    /// The upper is not the expected one.
    UpperMismatch {
        /// What it is.
        current: Frontier,
    },
    /// Inline parts must be moved to blobs first.
    InlineBackpressure,
    /// The writer's entry is gone, and with it the memory of what it committed.
    WriterExpired,
}

impl State {
    /// Adds `batch` if the upper is its lower. The bounds are the caller's to validate.
    pub fn compare_and_append(
        &mut self,
        batch: &Arc<BatchMeta>,
        args: &AppendArgs<'_>,
    ) -> Flow<AppendVerdict> {
        if self.is_tombstone() {
            return Flow::Answer(AppendVerdict::UpperMismatch {
                current: Frontier::Closed,
            });
        }
        if !args.may_register && !self.writers.contains_key(&args.writer) {
            return Flow::Doubt(AppendVerdict::WriterExpired);
        }
        let writer = self.writers.get(&args.writer).cloned();
        if writer.as_ref().is_some_and(|w| w.token == args.token) {
            if args.mutant == Mutant::BatchAppendedTwice {
                self.add_again(batch);
                return Flow::Commit(AppendVerdict::Appended);
            }
            return Flow::Answer(AppendVerdict::AlreadyCommitted);
        }
        let upper = self.upper();
        if upper != batch.desc.lower && args.mutant != Mutant::UpperUnchecked {
            return Flow::Doubt(AppendVerdict::UpperMismatch { current: upper });
        }
        let inline = batch.inline_bytes();
        if inline > 0
            && self.inline_bytes() + inline >= args.inline_total_max
            && args.mutant != Mutant::InlineTotalUnchecked
        {
            return Flow::Answer(AppendVerdict::InlineBackpressure);
        }
        if batch.desc.lower < batch.desc.upper {
            self.push_batch(batch, args.mutant);
        }
        let heard = self.heard(args.now_ms, args.mutant);
        let entry = WriterState {
            token: args.token,
            upper: writer
                .as_ref()
                .map_or(batch.desc.upper, |w| w.upper.max(batch.desc.upper)),
            last_heartbeat_ms: writer.map_or(heard, |w| w.last_heartbeat_ms.max(heard)),
            lease_ms: args.lease_ms,
            debug: args.debug.to_owned(),
        };
        self.writers.insert(args.writer, entry);
        Flow::Commit(AppendVerdict::Appended)
    }

    /// The defect of a retry that is judged by neither token nor upper.
    fn add_again(&mut self, batch: &Arc<BatchMeta>) {
        if let Some(mut last) = self.batches.last_entry() {
            let mut both = BatchMeta::clone(last.get());
            both.runs.extend(batch.runs.iter().cloned());
            both.len += batch.len;
            last.insert(Arc::new(both));
        }
    }

    /// Puts a batch at the end. An empty one widens an empty predecessor instead of joining the list.
    fn push_batch(&mut self, batch: &Arc<BatchMeta>, mutant: Mutant) {
        let mut desc = batch.desc;
        desc.since = desc.since.min(self.since);
        if mutant == Mutant::UpperUnchecked {
            desc.lower = self.upper();
            if desc.upper <= desc.lower {
                return;
            }
        }
        if batch.len == 0
            && let Some((lower, last)) = self.batches.iter().next_back()
            && last.len == 0
        {
            let lower = *lower;
            let desc = Description {
                lower,
                upper: desc.upper,
                since: last.desc.since.min(desc.since),
            };
            self.batches.insert(
                lower,
                Arc::new(BatchMeta {
                    desc,
                    runs: vec![],
                    len: 0,
                }),
            );
            return;
        }
        let batch = BatchMeta {
            desc,
            runs: batch.runs.clone(),
            len: batch.len,
        };
        self.batches.insert(desc.lower, Arc::new(batch));
    }
}
