//! Garbage collection: deletes what no version that anyone may still read references.
//!
//! [`plan`] is pure: from the state at the start of the log, the log, and the current state it says what to
//! delete and where to cut. [`collect`] does it. Must not know readers: it trusts `seqno_since`.
//!
//! Invariants:
//! 1. Parts are deleted before the versions that remember them are truncated (SH-23).
//! 2. A rollup at the first retained version exists at every moment (SH-2): older rollups go after the cut.
//! 3. Nothing that the cut's rollup or the current state references is deleted (H10).
//! 4. Stopping anywhere leaves a location from which the same request can be redone.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::applier::{ShardCell, ShardError, scan_all};
use crate::ids::SeqNo;
use crate::machine::Flow;
use crate::mutant::Mutant;
use crate::retry::retry_external;
use crate::riders::Ride;
use crate::rt::{Boxed, join_limited};
use crate::state::codec::{decode_diff, decode_rollup};
use crate::state::diff::StateDiff;
use crate::state::{Part, State};
use crate::store::StoreError;

/// One cut of the log, and what becomes garbage by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The log will begin here; there is a rollup of this version.
    pub to: SeqNo,
    /// Blobs to delete before the cut.
    pub before: Vec<String>,
    /// Rollup blobs to delete after the cut.
    pub after: Vec<String>,
    /// Blobs that were removed by the log and are referenced all the same; never deleted.
    pub kept: Vec<String>,
}

/// What garbage collection did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs deleted.
    pub deleted: usize,
    /// The version the log now begins at.
    pub earliest: Option<SeqNo>,
    /// Blobs that looked like garbage but are referenced: a defect, reported and left alone.
    pub kept: Vec<String>,
}

/// What to delete and where to cut, so that the log begins at the newest rollup at or below `limit`.
///
/// `start` is the state at the log's first version, `diffs` the log after it, ascending and contiguous.
pub fn plan(start: &State, diffs: &[StateDiff], current: &State, limit: SeqNo) -> Vec<Cut> {
    let earliest = start.seqno;
    let still: BTreeSet<&str> = current.part_keys();
    let mut state = start.clone();
    let mut cuts = Vec::new();
    let mut remaining = diffs.iter();
    let mut from = earliest;
    for to in current
        .rollups
        .keys()
        .copied()
        .filter(|seqno| *seqno > earliest && *seqno <= limit)
    {
        let mut removed: Vec<String> = Vec::new();
        while state.seqno < to {
            let Some(diff) = remaining.next() else {
                return cuts;
            };
            let (parts, rollups) = diff.removed_blobs(&state);
            removed.extend(parts.iter().filter_map(Part::key).map(str::to_owned));
            removed.extend(rollups.into_iter().map(|rollup| rollup.key));
            if diff.apply(&mut state).is_err() {
                return cuts;
            }
        }
        let here = state.part_keys();
        let listed: BTreeSet<&str> = current
            .rollups
            .range(to..)
            .map(|(_, rollup)| rollup.key.as_str())
            .collect();
        let referenced = |key: &str| here.contains(key) || still.contains(key) || listed.contains(key);
        let (kept, before): (Vec<String>, Vec<String>) = removed.into_iter().partition(|key| referenced(key));
        let after = current
            .rollups
            .range(from..to)
            .map(|(_, rollup)| rollup.key.clone())
            .collect();
        cuts.push(Cut {
            to,
            before,
            after,
            kept,
        });
        from = to;
    }
    cuts
}

/// Collects garbage as far as `seqno_since` (or `wanted`, if that is less) allows.
pub(crate) async fn collect(cell: &Arc<ShardCell>, wanted: SeqNo) -> Result<Option<Collected>, ShardError> {
    let env = &cell.env;
    let shard = cell.shard;
    let store_error = |error| ShardError::Store { shard, error };
    let mut current = cell.current();
    if current.seqno_since() < wanted {
        current = cell.fetch().await?;
    }
    let limit = match env.mutant {
        Mutant::GcIgnoresHolds => current.seqno,
        _ => wanted.min(current.seqno_since()),
    };
    let reachable = current.rollups.range(..=limit).count();
    if reachable < 2 {
        return Ok(None);
    }
    let Some((start, diffs)) = live_log(cell, &current).await? else {
        return Ok(None);
    };
    // The log begins beyond what this copy of the state allows: another collector knows more and is ahead.
    if start.seqno > limit && env.mutant != Mutant::GcIgnoresHolds {
        return Ok(None);
    }
    let cuts = plan(&start, &diffs, &current, limit);
    let mut done = Collected {
        earliest: Some(start.seqno),
        ..Collected::default()
    };
    // Rollups of an earlier collection that stopped between its cut and its end.
    let stale: Vec<String> = current
        .rollups
        .range(..start.seqno)
        .map(|(_, r)| r.key.clone())
        .collect();
    done.deleted += delete_all(cell, &stale).await.map_err(store_error)?;
    for cut in cuts {
        let consensus = env.location.consensus();
        let truncate = async || {
            retry_external(env, &mut || consensus.truncate(&cell.key, cut.to))
                .await
                .map_err(store_error)
        };
        if env.mutant == Mutant::TruncateBeforeDeletes {
            truncate().await?;
        }
        if env.mutant == Mutant::GcTrustsDiffs {
            done.deleted += delete_all(cell, &cut.kept).await.map_err(store_error)?;
        }
        done.deleted += delete_all(cell, &cut.before).await.map_err(store_error)?;
        truncate().await?;
        done.deleted += delete_all(cell, &cut.after).await.map_err(store_error)?;
        done.earliest = Some(cut.to);
        done.kept.extend(cut.kept);
    }
    if !current.is_tombstone() {
        let earliest = done.earliest.expect("set above");
        let gone: Vec<SeqNo> = current
            .rollups
            .range(..earliest)
            .map(|(seqno, _)| *seqno)
            .collect();
        let removed = gone.clone();
        let change = move |state: &mut State| matches!(state.remove_rollups(&removed), Flow::Commit(true));
        // One that is not committed, or nobody knows, is done once more: it is the same twice.
        if !gone.is_empty() && cell.ride(Box::new(change)).await != Ride::Committed {
            cell.apply_idempotent(&mut |state, _| state.remove_rollups(&gone))
                .await?;
        }
    }
    Ok(Some(done))
}

async fn delete_all(cell: &ShardCell, keys: &[String]) -> Result<usize, StoreError> {
    let env = &cell.env;
    let limit = env.settings.get().gc_delete_concurrency;
    let blob = env.location.blob();
    let deletes: Vec<Boxed<'_, Result<Option<usize>, StoreError>>> = keys
        .iter()
        .map(|key| Box::pin(async move { retry_external(env, &mut || blob.delete(key)).await }) as _)
        .collect();
    let mut deleted = 0;
    for answer in join_limited(deletes, limit).await {
        deleted += usize::from(answer?.is_some());
    }
    Ok(deleted)
}

/// The state at the first retained version and the diffs after it; none if another collector is ahead.
pub(crate) async fn live_log(
    cell: &Arc<ShardCell>,
    current: &State,
) -> Result<Option<(State, Vec<StateDiff>)>, ShardError> {
    let env = &cell.env;
    let shard = cell.shard;
    let limit = env.settings.get().recent_diffs_limit.max(1);
    let versions = scan_all(env, shard, &cell.key, SeqNo::ZERO, limit).await?;
    let Some(earliest) = versions.first().map(|v| v.seqno) else {
        return Ok(None);
    };
    let Some(rollup) = current.rollups.get(&earliest) else {
        return Ok(None);
    };
    let blob = env.location.blob();
    let bytes = retry_external(env, &mut || blob.get(&rollup.key))
        .await
        .map_err(|error| ShardError::Store { shard, error })?;
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let state_error = |error| ShardError::State { shard, error };
    let start = decode_rollup(&bytes).map_err(state_error)?;
    let diffs: Result<Vec<StateDiff>, _> = versions
        .iter()
        .filter(|v| v.seqno > earliest)
        .map(|v| decode_diff(&v.data))
        .collect();
    Ok(Some((start, diffs.map_err(state_error)?)))
}
