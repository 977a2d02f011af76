//! Work that becomes due with a state change and that nobody waits for.
//!
//! What is due is noted at commit ([`Pending`]), and done by background threads or by [`step`]. Must not be
//! needed for correctness: leaving all of it undone costs space and time only.
//!
//! Invariants:
//! 1. A rollup blob is deleted only if it is certain that no version lists it.

use std::sync::Arc;

use bytes::Bytes;

use crate::applier::{Applied, ShardCell, ShardError, rollup_key};
use crate::client::Env;
use crate::ids::{ReaderId, SeqNo};
use crate::machine::Flow;
use crate::mutant::Mutant;
use crate::retry::{Backoff, retry_external};
use crate::riders::Ride;
use crate::state::codec::encode_rollup;
use crate::state::{RollupRef, State};

/// What is due on one shard.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) rollup: bool,
    pub(crate) gc: Option<SeqNo>,
    pub(crate) compact: bool,
    pub(crate) expire: Vec<ReaderId>,
}

impl Pending {
    pub(crate) fn any(&self) -> bool {
        self.rollup || self.gc.is_some() || self.compact || !self.expire.is_empty()
    }

    /// Notes what the commit of `state` made due.
    pub(crate) fn note(&mut self, env: &Env, state: &State, gc: Option<SeqNo>) {
        let settings = env.settings.get();
        self.rollup |= state.rollup_wanted(settings.rollup_threshold);
        self.gc = self.gc.max(gc);
        self.compact = self.compact
            || (settings.compaction.enabled && state.merge_request(&settings.compaction).is_some());
    }
}

impl State {
    /// Whether this version should be rolled up: every `threshold` versions, in each shard others. Shards that are written
    /// in step would be due in step, and their rollups together in the way of their writers.
    pub fn rollup_wanted(&self, threshold: u64) -> bool {
        let latest = self.latest_rollup().map_or(SeqNo::ZERO, |(seqno, _)| seqno);
        let distance = self.seqno.get() - latest.get();
        if self.is_tombstone() {
            return distance > 1;
        }
        let turn = (self.seqno.get() + self.shard.spread()).is_multiple_of(threshold.max(1));
        distance > 0 && (turn || distance > threshold.saturating_mul(3))
    }

    /// The `seqno_since` to collect garbage up to, if enough has become free since the last request.
    pub fn gc_wanted(&self) -> Option<SeqNo> {
        let since = self.seqno_since();
        let due = u64::from(self.seqno.get().max(1).next_power_of_two().trailing_zeros()).max(1);
        let gained = since.get().saturating_sub(self.last_gc_req.get());
        (gained >= due || self.is_tombstone()).then_some(since)
    }
}

/// What a maintenance step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The version a rollup was written of.
    pub rollup: Option<SeqNo>,
    /// Blobs deleted, and the version the log now begins at.
    pub gc: Option<crate::gc::Collected>,
    /// Batches replaced by one.
    pub compacted: usize,
    /// Dropped readers expired.
    pub expired: usize,
}

impl Done {
    /// Whether there was nothing to do.
    pub fn is_nothing(&self) -> bool {
        *self == Done::default()
    }
}

/// Does everything that is due on one shard.
pub(crate) async fn step(cell: &Arc<ShardCell>) -> Result<Done, ShardError> {
    let mut done = step_small(cell).await?;
    done.gc = collect(cell).await?;
    if std::mem::take(&mut cell.pending.lock().compact) {
        done.compacted = crate::compact::compact_due(cell).await?;
    }
    Ok(done)
}

/// Everything but garbage collection and compaction: short pieces of work.
pub(crate) async fn step_small(cell: &Arc<ShardCell>) -> Result<Done, ShardError> {
    let mut done = Done::default();
    let expire = std::mem::take(&mut cell.pending.lock().expire);
    for id in expire {
        cell.apply_idempotent(&mut |state, _| state.expire_reader(id))
            .await?;
        done.expired += 1;
    }
    if std::mem::take(&mut cell.pending.lock().rollup) {
        done.rollup = write_rollup(cell).await?;
    }
    Ok(done)
}

/// Collects the garbage that is due.
pub(crate) async fn collect(cell: &Arc<ShardCell>) -> Result<Option<crate::gc::Collected>, ShardError> {
    let due = cell.pending.lock().gc.take();
    match due {
        Some(seqno) => crate::gc::collect(cell, seqno).await,
        None => Ok(None),
    }
}

/// Writes the current state as a rollup and lists it. None if it was not wanted or not accepted.
pub(crate) async fn write_rollup(cell: &Arc<ShardCell>) -> Result<Option<SeqNo>, ShardError> {
    let env = &cell.env;
    let state = cell.current();
    if state.rollups.contains_key(&state.seqno) {
        return Ok(None);
    }
    let store_error = |error| ShardError::Store {
        shard: cell.shard,
        error,
    };
    let seqno = state.seqno;
    let bytes = Bytes::from(encode_rollup(&state));
    let rollup = RollupRef {
        key: rollup_key(env, cell.shard, seqno),
        encoded_bytes: bytes.len() as u64,
    };
    let blob = env.location.blob();
    if env.mutant != Mutant::RollupNotWritten {
        retry_external(env, &mut || blob.set(&rollup.key, bytes.clone()))
            .await
            .map_err(store_error)?;
    }
    let mut doubted = match list_riding(cell, seqno, rollup.clone()).await {
        Ride::Committed => return Ok(Some(seqno)),
        Ride::Not => false,
        Ride::Unknown => true,
    };
    let mut backoff = Backoff::new(env);
    loop {
        match cell
            .apply(&mut |state, _| state.add_rollup(seqno, &rollup))
            .await?
        {
            Applied::Done(true) => return Ok(Some(seqno)),
            Applied::Done(false) => break,
            Applied::InDoubt(doubt) => {
                doubted = true;
                backoff.after(doubt.error).await.map_err(store_error)?;
                cell.fetch().await?;
            }
        }
    }
    if !doubted {
        retry_external(env, &mut || blob.delete(&rollup.key))
            .await
            .map_err(store_error)?;
    }
    Ok(None)
}

/// Lists a rollup with the next commit of somebody else.
async fn list_riding(cell: &ShardCell, seqno: SeqNo, rollup: RollupRef) -> Ride {
    let change = move |state: &mut State| matches!(state.add_rollup(seqno, &rollup), Flow::Commit(true));
    cell.ride(Box::new(change)).await
}
