//! Writing: append a batch if the shard's upper is what the writer believes.
//!
//! The upper is the only fence: a writer that lost contact can lose races, it cannot insert into the past.
//! Must not know how a version is stored.
//!
//! Invariants:
//! 1. An append is in the shard once or not at all, however often its compare-and-set is tried (SH-10, SH-11).
//! 2. Whether an attempt that got no answer was committed is read from the slot it aimed at (H5), never
//!    guessed; where the slot is gone the answer is [`AppendError::Unknown`].
//! 3. A batch is given back only when it is definitely not in the shard (H9).

use std::fmt;
use std::sync::Arc;

use crate::applier::{Applied, Attempt, InDoubt, ShardCell, ShardError, Slot};
use crate::batch::{Batch, BatchBuilder, BuildError, UsageError, delete_parts, flush_inline};
use crate::format::Update;
use crate::ids::{ShardId, Token, WriterId};
use crate::machine::{AppendArgs, AppendVerdict};
use crate::mutant::Mutant;
use crate::retry::Backoff;
use crate::state::{BatchMeta, Description, State};
use crate::time::Frontier;

/// Why an append did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A contract was broken; nothing changed.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The shard's upper is not the expected one; nothing changed, and the batches are yours again.
    #[error("the shard's upper is {current}, not {expected}")]
    UpperMismatch {
        /// What it is.
        current: Frontier,
        /// What was expected.
        expected: Frontier,
        /// The batches, not appended. Append them again or [`WriteHandle::delete_batch`] them.
        batches: Vec<Batch>,
    },
    /// Whether the append is in the shard cannot be known any more. Read the shard, or go on with a fresh
    /// writer; the batches must stay in the store.
    #[error("shard {shard}: whether the append of [{lower}, {upper}) was committed cannot be known: {why}")]
    Unknown {
        /// Which shard.
        shard: ShardId,
        /// Where the append began.
        lower: Frontier,
        /// Where it ended.
        upper: Frontier,
        /// Why not.
        why: String,
    },
    /// The shard's state cannot be had.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The batch could not be stored.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// A writer of one shard. Holds nothing durable before its first append.
pub struct WriteHandle {
    cell: Arc<ShardCell>,
    id: WriterId,
    debug: String,
}

impl fmt::Debug for WriteHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteHandle({} of {})", self.id, self.cell.shard)
    }
}

impl WriteHandle {
    pub(crate) fn new(cell: Arc<ShardCell>, purpose: &str) -> WriteHandle {
        let id = cell.env.ids.writer();
        WriteHandle::with_id(cell, id, purpose)
    }

    pub(crate) fn with_id(cell: Arc<ShardCell>, id: WriterId, purpose: &str) -> WriteHandle {
        let debug = format!("{} {purpose}", cell.env.hostname);
        WriteHandle { cell, id, debug }
    }

    /// This writer's id.
    pub fn id(&self) -> WriterId {
        self.id
    }

    /// Its shard.
    pub fn shard(&self) -> ShardId {
        self.cell.shard
    }

    /// The shard's upper as known in this process; it may be older than the store's.
    pub fn cached_upper(&self) -> Frontier {
        self.cell.current().upper()
    }

    /// The shard's upper, asked from the store.
    pub async fn fetch_upper(&self) -> Result<Frontier, ShardError> {
        Ok(self.cell.fetch().await?.upper())
    }

    /// Waits until the shard's upper is strictly beyond `frontier`; answers the upper.
    pub async fn wait_for_upper_past(&self, frontier: Frontier) -> Result<Frontier, ShardError> {
        crate::read::wait_for_upper_past(&self.cell, frontier).await
    }

    /// Begins a batch of updates at or beyond `lower`.
    pub fn builder(&self, lower: Frontier) -> BatchBuilder {
        BatchBuilder::new(Arc::clone(&self.cell), lower)
    }

    /// A batch of these updates.
    pub async fn batch(
        &self,
        updates: &[Update],
        lower: Frontier,
        upper: Frontier,
    ) -> Result<Batch, BuildError> {
        let mut builder = self.builder(lower);
        for update in updates {
            if let Err(error) = builder.push(&update.row, update.time, update.diff).await {
                // Uploaded parts are removed; what failed is the answer.
                let _ = builder.finish(Frontier::MIN).await;
                return Err(error);
            }
        }
        builder.finish(upper).await
    }

    /// A batch that [`Batch::into_bytes`] wrote, here or in another process.
    pub fn batch_from_bytes(&self, bytes: &[u8]) -> Result<Batch, UsageError> {
        let batch = Batch::from_bytes(bytes)?;
        if batch.shard == self.cell.shard {
            return Ok(batch);
        }
        Err(UsageError::WrongShard {
            expected: self.cell.shard,
            found: batch.shard,
        })
    }

    /// Deletes the blobs of a batch that was never appended, or whose append was a definite mismatch.
    pub async fn delete_batch(&self, batch: Batch) -> Result<(), ShardError> {
        delete_parts(&self.cell.env, &batch.meta)
            .await
            .map_err(|error| ShardError::Store {
                shard: self.cell.shard,
                error,
            })
    }

    /// Adds `updates` and moves the upper from `expected` to `new`, atomically, or changes nothing.
    ///
    /// All updates must be at or beyond `expected` and before `new`. With `expected == new` and no updates it
    /// is a no-op that still shows the writer alive.
    pub async fn compare_and_append(
        &self,
        updates: &[Update],
        expected: Frontier,
        new: Frontier,
    ) -> Result<(), AppendError> {
        check_interval(expected, new, updates.is_empty())?;
        let batch = self.batch(updates, expected, new).await?;
        match self.compare_and_append_batches(vec![batch], expected, new).await {
            Err(AppendError::UpperMismatch {
                current,
                expected,
                batches,
            }) => {
                for batch in batches {
                    self.delete_batch(batch).await?;
                }
                Err(AppendError::UpperMismatch {
                    current,
                    expected,
                    batches: vec![],
                })
            }
            other => other,
        }
    }

    /// Adds batches, each covering at least `[expected, new)`, and moves the upper from `expected` to `new`.
    ///
    /// Only the batches' updates inside the interval count.
    pub async fn compare_and_append_batches(
        &self,
        batches: Vec<Batch>,
        expected: Frontier,
        new: Frontier,
    ) -> Result<(), AppendError> {
        let mut meta = self.combine(&batches, expected, new)?;
        match self.append_meta(&mut meta, expected, new).await? {
            None => Ok(()),
            Some(current) => {
                // Flushing may have moved inline parts of these batches into blobs: hand those back too.
                let batches = give_back(batches, meta);
                Err(AppendError::UpperMismatch {
                    current,
                    expected,
                    batches,
                })
            }
        }
    }

    /// For several writers that compute identical data: whatever of `[lower, upper)` is not there yet is
    /// added. A shard that is further is success; one that has not reached `lower` is a mismatch.
    pub async fn append(
        &self,
        updates: &[Update],
        lower: Frontier,
        upper: Frontier,
    ) -> Result<(), AppendError> {
        check_interval(lower, upper, updates.is_empty())?;
        let batch = self.batch(updates, lower, upper).await?;
        let mut batches = vec![batch];
        let mut from = lower;
        loop {
            match self.compare_and_append_batches(batches, from, upper).await {
                Err(AppendError::UpperMismatch {
                    current,
                    batches: back,
                    ..
                }) => {
                    if current >= upper || current < lower {
                        for batch in back {
                            self.delete_batch(batch).await?;
                        }
                        if current >= upper {
                            return Ok(());
                        }
                        return Err(AppendError::UpperMismatch {
                            current,
                            expected: lower,
                            batches: vec![],
                        });
                    }
                    from = current;
                    batches = back;
                }
                other => return other,
            }
        }
    }

    /// Forgets this writer durably; its lease would do it later.
    pub async fn expire(self) -> Result<(), ShardError> {
        let id = self.id;
        self.cell
            .apply_idempotent(&mut |state, _| state.expire_writer(id))
            .await?;
        Ok(())
    }

    /// The same writer again, for tests that hand it to several tasks.
    #[cfg(test)]
    pub(crate) fn same(&self) -> WriteHandle {
        WriteHandle {
            cell: Arc::clone(&self.cell),
            id: self.id,
            debug: self.debug.clone(),
        }
    }

    fn combine(&self, batches: &[Batch], lower: Frontier, upper: Frontier) -> Result<BatchMeta, UsageError> {
        for batch in batches {
            if batch.shard != self.cell.shard {
                return Err(UsageError::WrongShard {
                    expected: self.cell.shard,
                    found: batch.shard,
                });
            }
            let short = batch.lower() > lower || batch.upper() < upper;
            if short && self.cell.env.mutant != Mutant::BatchBoundsUnchecked {
                let batch = (batch.lower(), batch.upper());
                return Err(UsageError::InvalidBatchBounds {
                    batch,
                    append: (lower, upper),
                });
            }
        }
        check_interval(lower, upper, batches.iter().all(Batch::is_empty))?;
        Ok(BatchMeta {
            desc: Description {
                lower,
                upper,
                since: Frontier::MIN,
            },
            runs: batches.iter().flat_map(|b| b.meta.runs.iter().cloned()).collect(),
            len: batches.iter().map(|b| b.meta.len).sum(),
        })
    }

    /// Appends; `Some` is the upper that stood in the way, for certain.
    async fn append_meta(
        &self,
        meta: &mut BatchMeta,
        lower: Frontier,
        upper: Frontier,
    ) -> Result<Option<Frontier>, AppendError> {
        let cell = &self.cell;
        let settings = cell.env.settings.get();
        let token = cell.env.ids.token();
        let deadline = cell
            .env
            .clock
            .now_ms()
            .saturating_add(settings.writer_lease_ms / 2);
        let unknown = |why: String| AppendError::Unknown {
            shard: cell.shard,
            lower,
            upper,
            why,
        };
        let mut may_register = true;
        loop {
            let batch = Arc::new(meta.clone());
            let mut command = |state: &mut State, now: u64| {
                let args = AppendArgs {
                    writer: self.id,
                    token,
                    lease_ms: settings.writer_lease_ms,
                    now_ms: now,
                    inline_total_max: settings.inline_total_bytes,
                    debug: &self.debug,
                    may_register,
                    mutant: cell.env.mutant,
                };
                state.compare_and_append(&batch, &args)
            };
            let verdict = match cell.apply(&mut command).await? {
                Applied::Done(verdict) => verdict,
                Applied::InDoubt(doubt) => {
                    if cell.env.mutant == Mutant::DoubtIsMismatch {
                        return Ok(Some(cell.fetch().await?.upper()));
                    }
                    let knew_us = doubt.expected.writers.contains_key(&self.id);
                    // Whatever stands in the way of an answer leaves the attempt in doubt.
                    let fate = self.resolve(doubt, token, deadline, &mut command).await;
                    match fate.unwrap_or_else(|error| Fate::Unknown(error.to_string())) {
                        Fate::Committed => return Ok(None),
                        Fate::NotCommitted => {
                            may_register = !knew_us || cell.env.mutant == Mutant::WriterEntryRecreated;
                            cell.fetch().await?;
                            continue;
                        }
                        Fate::Unknown(why) => return Err(unknown(why)),
                    }
                }
            };
            match verdict {
                AppendVerdict::Appended | AppendVerdict::AlreadyCommitted => return Ok(None),
                AppendVerdict::UpperMismatch { current } => return Ok(Some(current)),
                AppendVerdict::InlineBackpressure => {
                    flush_inline(cell, meta)
                        .await
                        .map_err(|error| ShardError::Store {
                            shard: cell.shard,
                            error,
                        })?
                }
                AppendVerdict::WriterExpired => {
                    return Err(unknown(
                        "the writer's lease expired while an attempt was in doubt".to_owned(),
                    ));
                }
            }
        }
    }

    /// Finds out what became of an attempt that got no answer, by looking at the version it aimed at.
    async fn resolve(
        &self,
        mut doubt: InDoubt,
        token: Token,
        deadline_ms: u64,
        command: &mut (dyn FnMut(&mut State, u64) -> crate::machine::Flow<AppendVerdict> + Send),
    ) -> Result<Fate, ShardError> {
        let cell = &self.cell;
        let env = &cell.env;
        if matches!(env.mutant, Mutant::DoubtMeansFailure | Mutant::BatchAppendedTwice) {
            return Ok(Fate::NotCommitted);
        }
        if env.mutant == Mutant::DoubtMeansSuccess {
            return Ok(Fate::Committed);
        }
        let slot = doubt.expected.seqno.next();
        let mut backoff = Backoff::new(env);
        loop {
            match cell.look_at(slot, doubt.error.clone(), &mut backoff).await? {
                Slot::Empty => {}
                Slot::Truncated => {
                    return Ok(Fate::Unknown(format!("{slot}, which would tell, was truncated")));
                }
                Slot::Taken(diff) => {
                    let ours = diff
                        .writer(self.id)
                        .flatten()
                        .is_some_and(|writer| writer.token == token);
                    return Ok(if ours { Fate::Committed } else { Fate::NotCommitted });
                }
            }
            if env.clock.now_ms() > deadline_ms {
                return Ok(Fate::Unknown(
                    "the store gave no answer for half the writer's lease".to_owned(),
                ));
            }
            match cell.attempt(&doubt.expected, command).await? {
                Attempt::Committed(_) => return Ok(Fate::Committed),
                Attempt::InDoubt(error) => doubt.error = error,
                Attempt::Mismatch => {}
                Attempt::Answered(_) | Attempt::Doubtful(_) => {
                    unreachable!("the same command on the same state commits again")
                }
            }
        }
    }
}

/// What became of an attempt.
enum Fate {
    Committed,
    NotCommitted,
    Unknown(String),
}

/// Puts the runs of an append back into the batches they came from.
fn give_back(batches: Vec<Batch>, meta: BatchMeta) -> Vec<Batch> {
    let mut runs = meta.runs.into_iter();
    batches
        .into_iter()
        .map(|mut batch| {
            let count = batch.meta.runs.len();
            batch.meta.runs = runs.by_ref().take(count).collect();
            batch
        })
        .collect()
}

fn check_interval(lower: Frontier, upper: Frontier, empty: bool) -> Result<(), UsageError> {
    if upper < lower {
        return Err(UsageError::InvalidBounds { lower, upper });
    }
    if upper == lower && !empty {
        return Err(UsageError::InvalidEmptyTimeInterval { at: lower });
    }
    Ok(())
}
