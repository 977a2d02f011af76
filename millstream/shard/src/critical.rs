//! Critical readers: holds on `since` that survive their process, fenced by a token.
//!
//! They hold no SeqNo and never expire (SH-20). Must not read data.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::applier::{ShardCell, ShardError};
use crate::ids::{CriticalId, ShardId};
use crate::time::Frontier;

/// A downgrade was refused: another owner swapped the token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DowngradeError {
    /// Another owner has taken over; stop.
    #[error("the token of {id} is {actual}, not {expected}: another owner has taken over")]
    OpaqueMismatch {
        /// Which hold.
        id: CriticalId,
        /// What was expected.
        expected: u64,
        /// What it is.
        actual: u64,
        /// The hold as it is.
        since: Frontier,
    },
    /// The hold is gone: someone gave it up, or the shard was finalized.
    #[error("nobody is registered as {id}")]
    Gone {
        /// Which hold.
        id: CriticalId,
    },
    /// The shard's state cannot be had.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

/// The owner's view of one critical hold. Dropping it does nothing durable.
pub struct SinceHandle {
    cell: Arc<ShardCell>,
    id: CriticalId,
    since: Frontier,
    opaque: u64,
    last_ms: AtomicU64,
}

impl fmt::Debug for SinceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SinceHandle({} of {}, since {})",
            self.id, self.cell.shard, self.since
        )
    }
}

impl SinceHandle {
    pub(crate) async fn register(
        cell: Arc<ShardCell>,
        id: CriticalId,
        purpose: &str,
    ) -> Result<SinceHandle, ShardError> {
        let debug = format!("{} {purpose}", cell.env.hostname);
        let reader = cell
            .apply_idempotent(&mut |state, _| state.register_critical(id, &debug))
            .await?
            .ok_or(ShardError::Finalized { shard: cell.shard })?;
        Ok(SinceHandle {
            since: reader.since,
            opaque: reader.opaque,
            id,
            last_ms: AtomicU64::new(0),
            cell,
        })
    }

    /// Its id.
    pub fn id(&self) -> CriticalId {
        self.id
    }

    /// Its shard.
    pub fn shard(&self) -> ShardId {
        self.cell.shard
    }

    /// What is held, as last heard.
    pub fn since(&self) -> Frontier {
        self.since
    }

    /// The token, as last heard. A new hold has 0.
    pub fn opaque(&self) -> u64 {
        self.opaque
    }

    /// Raises the hold to `since` (it never goes down) and sets the token to `opaque`, if the token is
    /// `expected`.
    pub async fn compare_and_downgrade_since(
        &mut self,
        expected: u64,
        opaque: u64,
        since: Frontier,
    ) -> Result<Frontier, DowngradeError> {
        let (id, mutant) = (self.id, self.cell.env.mutant);
        let mut attempt = 0;
        let answer = self
            .cell
            .apply_idempotent(&mut |state, _| {
                attempt += 1;
                // Run again after doubt, the first try may have swapped the token already.
                let swapped = attempt > 1
                    && opaque != expected
                    && state
                        .critical
                        .get(&id)
                        .is_some_and(|reader| reader.opaque == opaque);
                let expected = if swapped { opaque } else { expected };
                state.compare_and_downgrade(id, expected, opaque, since, mutant)
            })
            .await?;
        self.last_ms.store(self.cell.env.clock.now_ms(), Ordering::SeqCst);
        match answer {
            Ok(since) => {
                (self.since, self.opaque) = (since, opaque);
                Ok(since)
            }
            Err(None) => Err(DowngradeError::Gone { id }),
            Err(Some(actual)) => {
                (self.since, self.opaque) = (actual.since, actual.opaque);
                Err(DowngradeError::OpaqueMismatch {
                    id,
                    expected,
                    actual: actual.opaque,
                    since: actual.since,
                })
            }
        }
    }

    /// [`SinceHandle::compare_and_downgrade_since`], at most once an interval; none if it was too early.
    pub async fn maybe_compare_and_downgrade_since(
        &mut self,
        expected: u64,
        opaque: u64,
        since: Frontier,
    ) -> Option<Result<Frontier, DowngradeError>> {
        let interval = self.cell.env.settings.get().critical_downgrade_interval_ms;
        let last = self.last_ms.load(Ordering::SeqCst);
        if last != 0 && self.cell.env.clock.now_ms().saturating_sub(last) < interval {
            return None;
        }
        Some(self.compare_and_downgrade_since(expected, opaque, since).await)
    }

    /// Gives the hold up for good.
    pub async fn expire(self) -> Result<(), ShardError> {
        let id = self.id;
        self.cell
            .apply_idempotent(&mut |state, _| state.expire_critical(id))
            .await?;
        Ok(())
    }
}
