//! All log invariants, and every part's bytes, checked on a live location.
//!
//! Holds a reader of its own while it looks, so that what it reads is not collected under it; where the log is
//! cut meanwhile it begins again. Must not repair anything.

use std::collections::BTreeSet;

use crate::applier::{ShardError, load, scan_all};
use crate::client::Client;
use crate::fetch::{FetchError, fetch_views};
use crate::format::PartError;
use crate::ids::{SeqNo, ShardId};
use crate::read::ReadHandle;
use crate::state::codec::{DecodeError, decode_diff, decode_rollup};
use crate::state::diff::StateDiff;
use crate::state::{Part, State};
use crate::store::StoreError;

/// What a look at a whole shard found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Broken invariants, each with its name. Empty: the shard is sound.
    pub problems: Vec<String>,
    /// The newest version looked at.
    pub seqno: Option<SeqNo>,
    /// Versions replayed.
    pub versions: usize,
    /// Parts whose bytes were read and checked.
    pub parts: usize,
    /// Updates in them.
    pub updates: u64,
    /// Blobs that no retained version references: left by processes that died, or just being written.
    pub unreferenced: Vec<String>,
}

/// Beginnings before a location that is cut faster than it can be read is given up on.
const TRIES: u32 = 8;

impl Client {
    /// Checks SH-1 to SH-6 and every part of the newest version. None if the shard was never made.
    pub async fn verify(&self, shard: ShardId) -> Result<Option<Verification>, ShardError> {
        let Some(cell) = self.known(shard).await? else {
            return Ok(None);
        };
        let reader = match ReadHandle::register(cell, "verify").await {
            Ok(reader) => Some(reader),
            Err(ShardError::Finalized { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut tries = 0;
        let found = loop {
            tries += 1;
            let before = self.ends(shard).await?;
            let found = self.verify_once(shard).await?;
            // A problem is one if nothing moved while it was looked for.
            if found.problems.is_empty() || tries >= TRIES || self.ends(shard).await? == before {
                break found;
            }
        };
        if let Some(reader) = reader {
            // A reader that lost its lease meanwhile is gone already.
            let _ = reader.expire().await;
        }
        Ok(Some(found))
    }

    /// The first and the newest retained version.
    async fn ends(&self, shard: ShardId) -> Result<(Option<SeqNo>, Option<SeqNo>), ShardError> {
        let store_error = |error| ShardError::Store { shard, error };
        let (consensus, key) = (self.env.location.consensus(), shard.to_string());
        let first = consensus.scan(&key, SeqNo::ZERO, 1).await.map_err(store_error)?;
        let newest = consensus.head(&key).await.map_err(store_error)?;
        Ok((first.first().map(|v| v.seqno), newest.map(|v| v.seqno)))
    }

    async fn verify_once(&self, shard: ShardId) -> Result<Verification, ShardError> {
        let env = &self.env;
        let store_error = |error: StoreError| ShardError::Store { shard, error };
        let key = shard.to_string();
        let mut out = Verification::default();
        let limit = env.settings.get().recent_diffs_limit.max(1);
        let versions = scan_all(env, shard, &key, SeqNo::ZERO, limit).await?;
        let Some(first) = versions.first().map(|v| v.seqno) else {
            return Ok(out);
        };
        for pair in versions.windows(2) {
            if pair[1].seqno != pair[0].seqno.next() {
                out.problems.push(format!(
                    "SH-1: {} is followed by {}",
                    pair[0].seqno, pair[1].seqno
                ));
            }
        }
        let mut diffs = Vec::new();
        for version in &versions {
            match decode_diff(&version.data) {
                Ok(diff) => diffs.push(diff),
                Err(error @ DecodeError::Newer { .. }) => return Err(ShardError::State { shard, error }),
                Err(error) => {
                    out.problems.push(format!("SH-1: {}: {error}", version.seqno));
                    return Ok(out);
                }
            }
        }
        let Some(current) = load(env, shard, &key).await? else {
            out.problems.push("SH-1: the log has vanished".to_owned());
            return Ok(out);
        };
        // Listed after both: whatever they reference was written before.
        let blobs: BTreeSet<String> = env
            .location
            .blob()
            .list(&format!("{shard}/"))
            .await
            .map_err(store_error)?
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        out.seqno = Some(current.seqno);
        out.versions = versions.len();
        self.verify_log(&current, first, &diffs, &blobs, &mut out).await?;
        self.verify_parts(shard, &current, &mut out).await?;
        Ok(out)
    }

    /// Replays the log from the rollup at its first version.
    async fn verify_log(
        &self,
        current: &State,
        first: SeqNo,
        diffs: &[StateDiff],
        blobs: &BTreeSet<String>,
        out: &mut Verification,
    ) -> Result<(), ShardError> {
        let shard = current.shard;
        let since = current.seqno_since();
        if first > since {
            out.problems
                .push(format!("SH-3: the log begins at {first}, {since} is held"));
        }
        for (seqno, rollup) in current.rollups.range(first..) {
            if !blobs.contains(&rollup.key) {
                out.problems
                    .push(format!("SH-4: the rollup at {seqno}, {}, is missing", rollup.key));
            }
        }
        let Some(rollup) = current.rollups.get(&first) else {
            out.problems
                .push(format!("SH-2: no rollup is listed at the first version, {first}"));
            return Ok(());
        };
        let bytes = self.env.location.blob().get(&rollup.key).await;
        let Some(bytes) = bytes.map_err(|error| ShardError::Store { shard, error })? else {
            return Ok(());
        };
        let mut state = match decode_rollup(&bytes) {
            Ok(state) => state,
            Err(error @ DecodeError::Newer { .. }) => return Err(ShardError::State { shard, error }),
            Err(error) => {
                out.problems.push(format!("SH-4: the rollup at {first}: {error}"));
                return Ok(());
            }
        };
        let mut referenced: BTreeSet<String> = current.part_keys().into_iter().map(str::to_owned).collect();
        referenced.extend(current.rollups.values().map(|rollup| rollup.key.clone()));
        let mut later = diffs.iter().filter(|diff| diff.to > first);
        loop {
            if let Err(why) = state.check() {
                out.problems
                    .push(format!("SH-5: the state at {}: {why}", state.seqno));
            }
            let keys = state
                .batches
                .values()
                .flat_map(|b| b.parts())
                .filter_map(Part::key);
            for key in keys {
                if state.seqno >= since && !blobs.contains(key) {
                    out.problems
                        .push(format!("SH-6: {key}, referenced by {}, is missing", state.seqno));
                }
                referenced.insert(key.to_owned());
            }
            referenced.extend(state.rollups.values().map(|rollup| rollup.key.clone()));
            let Some(diff) = later.next() else { break };
            let before = state.clone();
            if let Err(error) = diff.apply(&mut state) {
                out.problems.push(format!("SH-1: {error}"));
                return Ok(());
            }
            if let Err(why) = crate::testing::invariants::nothing_regressed(&before, &state) {
                out.problems.push(why);
            }
        }
        out.unreferenced = blobs
            .iter()
            .filter(|key| !referenced.contains(*key))
            .cloned()
            .collect();
        Ok(())
    }

    /// Reads and checks every part of the newest version.
    async fn verify_parts(
        &self,
        shard: ShardId,
        current: &State,
        out: &mut Verification,
    ) -> Result<(), ShardError> {
        let Some(cell) = self.known(shard).await? else {
            return Ok(());
        };
        for batch in current.batches.values() {
            for part in batch.parts() {
                match fetch_views(&cell, part, batch.desc.lower.time().unwrap_or(0), None).await {
                    Ok(views) => {
                        out.parts += 1;
                        let len: u64 = views.iter().map(|view| view.len() as u64).sum();
                        out.updates += len;
                        if len != part.len {
                            let (is, was) = (len, part.len);
                            out.problems
                                .push(format!("SH-6: a part holds {is} updates, not {was}"));
                        }
                    }
                    // Not damaged: it cannot be judged by this program.
                    Err(FetchError::Damaged {
                        error: PartError::Newer { found, ours },
                        ..
                    }) => return Err(newer_part(shard, found, ours)),
                    Err(error) => out.problems.push(format!("SH-6: {error}")),
                }
            }
        }
        Ok(())
    }
}

/// A part in a format that this program does not know.
pub(crate) fn newer_part(shard: ShardId, found: u8, ours: u8) -> ShardError {
    let error = DecodeError::Newer {
        what: "part",
        found: u32::from(found),
        ours: u32::from(ours),
    };
    ShardError::State { shard, error }
}
