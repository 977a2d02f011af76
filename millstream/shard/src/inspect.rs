//! Looking at a shard without changing it, and work asked for by hand.

use std::sync::Arc;

use crate::applier::{ShardCell, ShardError, load, scan_all};
use crate::client::Client;
use crate::gc::Collected;
use crate::ids::{SeqNo, ShardId};
use crate::machine::Skew;
use crate::state::State;

/// A shard's durable state, read from the stores.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The newest version.
    pub state: Arc<State>,
    /// The first retained version.
    pub earliest: SeqNo,
    /// Versions retained in Consensus.
    pub live_diffs: usize,
    /// Their bytes.
    pub consensus_bytes: u64,
    /// The last time this client refused to expire others because its clock and the shard's differ.
    pub skew: Option<Skew>,
}

impl Client {
    /// The durable state of a shard, or none if it was never made. Registers nothing.
    pub async fn inspect(&self, shard: ShardId) -> Result<Option<Inspection>, ShardError> {
        let key = shard.to_string();
        loop {
            let Some(state) = load(&self.env, shard, &key).await? else {
                return Ok(None);
            };
            let limit = self.env.settings.get().recent_diffs_limit.max(1);
            let log = scan_all(&self.env, shard, &key, SeqNo::ZERO, limit).await?;
            let Some(first) = log.first() else {
                return Ok(None);
            };
            if first.seqno > state.seqno {
                continue;
            }
            let known = self.env.opened(shard);
            return Ok(Some(Inspection {
                earliest: first.seqno,
                live_diffs: log.len(),
                consensus_bytes: log.iter().map(|v| v.data.len() as u64).sum(),
                skew: known.and_then(|cell| cell.skew()),
                state: Arc::new(state),
            }));
        }
    }

    /// Every shard of the location with its newest version, in order of id.
    pub async fn shards(&self) -> Result<Vec<(ShardId, SeqNo)>, crate::store::StoreError> {
        let heads = self.env.location.consensus().heads().await?;
        Ok(heads
            .into_iter()
            .filter_map(|(key, seqno)| Some((key.parse().ok()?, seqno)))
            .collect())
    }

    /// Rewrites all of a shard's batches as one; answers how many were replaced.
    pub async fn compact(&self, shard: ShardId) -> Result<usize, ShardError> {
        match self.known(shard).await? {
            Some(cell) => crate::compact::compact_everything(&cell).await,
            None => Ok(0),
        }
    }

    /// Writes a rollup of the newest version and collects all garbage up to what readers hold.
    pub async fn collect_garbage(&self, shard: ShardId) -> Result<Option<Collected>, ShardError> {
        let Some(cell) = self.known(shard).await? else {
            return Ok(None);
        };
        cell.fetch().await?;
        crate::maintenance::write_rollup(&cell).await?;
        let limit = cell.current().seqno_since();
        crate::gc::collect(&cell, limit).await
    }

    /// Brings this client's copy of the shard's state up to date; answers its version.
    pub async fn refresh(&self, shard: ShardId) -> Result<Option<SeqNo>, ShardError> {
        match self.known(shard).await? {
            Some(cell) => Ok(Some(cell.fetch().await?.seqno)),
            None => Ok(None),
        }
    }

    /// The cell of a shard that exists, whatever its codec.
    pub(crate) async fn known(&self, shard: ShardId) -> Result<Option<Arc<ShardCell>>, ShardError> {
        let known = self.env.opened(shard);
        if known.is_some() {
            return Ok(known);
        }
        match load(&self.env, shard, &shard.to_string()).await? {
            Some(state) => Ok(Some(self.cell(shard, &state.codec).await?)),
            None => Ok(None),
        }
    }
}
