//! Physical compaction: rewrites a run of batches as one batch with fewer, coarser times.
//!
//! Runs beside reads and writes: inputs stay referenced until the output takes their place in one
//! compare-and-set, and stay in the store until garbage collection. Must not decide what is worth it
//! ([`crate::machine::merge`] does).
//!
//! Invariants:
//! 1. The collection at every readable time is unchanged (SH-8).
//! 2. Output blobs are deleted only after a definite refusal (H9).

use std::sync::Arc;

use crate::applier::{Applied, Attempt, ShardCell, ShardError, Slot};
use crate::batch::{PartWriter, delete_parts};
use crate::fetch::FetchError;
use crate::format::{PartError, UpdateRef};
use crate::machine::Flow;
use crate::machine::merge::MergeRequest;
use crate::merge::{Merge, RunCursor, Times};
use crate::mutant::Mutant;
use crate::retry::Backoff;
use crate::riders::Ride;
use crate::settings::CompactionSettings;
use crate::state::{BatchMeta, Description, Part, State};
use crate::time::{Frontier, Timestamp};

/// Rewrites what is due, until nothing is. Answers how many batches were replaced.
pub(crate) async fn compact_due(cell: &Arc<ShardCell>) -> Result<usize, ShardError> {
    let mut replaced = 0;
    loop {
        let Some(request) = due(cell, &cell.env.settings.get().compaction) else {
            return Ok(replaced);
        };
        match compact(cell, request).await? {
            0 => return Ok(replaced),
            n => replaced += n,
        }
    }
}

/// What is to be rewritten next.
pub(crate) fn due(cell: &ShardCell, settings: &CompactionSettings) -> Option<MergeRequest> {
    let state = cell.current();
    settings.enabled.then(|| state.merge_request(settings)).flatten()
}

/// [`compact_due`] for as long as what is due lives in the state alone: it takes little memory, so that many shards can be at
/// it at once.
pub(crate) async fn compact_due_inline(cell: &Arc<ShardCell>) -> Result<(), ShardError> {
    loop {
        let request = due(cell, &cell.env.settings.get().compaction);
        let Some(request) = request.filter(|request| request.inputs.iter().all(|batch| is_inline(batch)))
        else {
            return Ok(());
        };
        if compact(cell, request).await? == 0 {
            return Ok(());
        }
    }
}

fn is_inline(batch: &BatchMeta) -> bool {
    batch.parts().all(|part| part.key().is_none())
}

/// Rewrites everything as one batch, in as many rounds as memory asks for.
pub(crate) async fn compact_everything(cell: &Arc<ShardCell>) -> Result<usize, ShardError> {
    cell.fetch().await?;
    let mut replaced = 0;
    while let Some(request) = cell.current().merge_everything() {
        match compact(cell, request).await? {
            0 => break,
            n => replaced += n,
        }
    }
    Ok(replaced)
}

/// Cuts a request to the inputs whose runs can be open at once; at least two.
fn within_memory(request: MergeRequest, memory_bytes: u64) -> MergeRequest {
    let mut bytes = 0;
    let mut inputs = Vec::new();
    for batch in request.inputs {
        let open = |run: &Vec<Part>| run.iter().map(|p| p.decoded_bytes).max().unwrap_or(0);
        bytes += batch.runs.iter().map(open).sum::<u64>();
        if bytes > memory_bytes && inputs.len() >= 2 {
            break;
        }
        inputs.push(batch);
    }
    MergeRequest {
        inputs,
        since: request.since,
    }
}

/// The time that compaction advances to: times up to `since` are alike, and stay inside the batch.
fn advance_to(desc: Description) -> Timestamp {
    let last = match desc.upper {
        Frontier::At(upper) => upper - 1,
        Frontier::Closed => Timestamp::MAX,
    };
    match desc.since {
        Frontier::At(since) => since.min(last),
        Frontier::Closed => last,
    }
}

/// Rewrites one request. Answers how many batches it replaced: none if it was refused or overtaken.
pub(crate) async fn compact(cell: &Arc<ShardCell>, request: MergeRequest) -> Result<usize, ShardError> {
    let env = &cell.env;
    let shard = cell.shard;
    let request = within_memory(request, env.settings.get().compaction.memory_bytes);
    let (lower, upper) = request.bounds();
    let desc = Description {
        lower,
        upper,
        since: request.since,
    };
    let mut to = advance_to(desc);
    if env.mutant == Mutant::CompactPastSince {
        to = to.saturating_add(1).min(advance_to(Description {
            since: Frontier::Closed,
            ..desc
        }));
    }
    let cursors = request
        .inputs
        .iter()
        .flat_map(|batch| batch.runs.iter().map(|run| (batch.desc, run.clone())))
        .map(|(desc, parts)| RunCursor::new(Arc::clone(cell), desc, Times::Advance(to), None, parts))
        .collect();
    let (runs, len) = match rewrite(cell, cursors).await {
        Ok(written) => written,
        // Another compaction replaced the inputs and they were collected: its output stands.
        Err(Interrupted::Fetch(FetchError::Missing { .. })) => return Ok(0),
        Err(Interrupted::Fetch(FetchError::Store { error, .. }) | Interrupted::Store(error)) => {
            return Err(ShardError::Store { shard, error });
        }
        Err(Interrupted::Fetch(FetchError::Damaged {
            error: PartError::Newer { found, ours },
            ..
        })) => {
            return Err(crate::verify::newer_part(shard, found, ours));
        }
        Err(Interrupted::Fetch(error)) => {
            return Err(ShardError::Corrupt {
                shard,
                why: error.to_string(),
            });
        }
    };
    let output = Arc::new(BatchMeta { desc, runs, len });
    match swap(cell, &output).await? {
        Swapped::Yes => return Ok(request.inputs.len()),
        // It may be referenced: it is left where it is.
        Swapped::Unknown => return Ok(0),
        Swapped::No => {}
    }
    delete_parts(env, &output)
        .await
        .map_err(|error| ShardError::Store { shard, error })?;
    Ok(0)
}

/// Whether an output is in the shard.
enum Swapped {
    Yes,
    No,
    Unknown,
}

/// Puts `output` in the place of what it covers.
///
/// An attempt without an answer is decided by the version it aimed at, as an append's is (H5). Trying again on
/// a later state would not do: if the attempt was committed and another rewrite replaced its output since, the
/// output would be accepted a second time, and collection deletes the blobs that return (H10).
async fn swap(cell: &Arc<ShardCell>, output: &Arc<BatchMeta>) -> Result<Swapped, ShardError> {
    let env = &cell.env;
    match swap_riding(cell, output).await {
        Ride::Committed => return Ok(Swapped::Yes),
        // The append that it travelled with asks for its own sake only. Blobs stay, and leak where it was not committed.
        Ride::Unknown => return Ok(Swapped::Unknown),
        Ride::Not => {}
    }
    let mut command = |state: &mut State, _: u64| state.apply_merge(output, env.mutant);
    'fresh: loop {
        let doubt = match cell.apply(&mut command).await? {
            Applied::Done(true) => return Ok(Swapped::Yes),
            Applied::Done(false) => return Ok(Swapped::No),
            Applied::InDoubt(_) if env.mutant == Mutant::InDoubtOutputDeleted => return Ok(Swapped::No),
            Applied::InDoubt(doubt) => doubt,
        };
        if env.mutant == Mutant::OutputMayReturn {
            cell.env.clock.sleep(1).await;
            cell.fetch().await?;
            continue;
        }
        let slot = doubt.expected.seqno.next();
        let mut error = doubt.error;
        let mut backoff = Backoff::new(env);
        loop {
            match cell.look_at(slot, error.clone(), &mut backoff).await? {
                Slot::Empty => {}
                Slot::Truncated => return Ok(Swapped::Unknown),
                Slot::Taken(diff) if diff.sets_batch(output) => return Ok(Swapped::Yes),
                Slot::Taken(_) => continue 'fresh,
            }
            match cell.attempt(&doubt.expected, &mut command).await? {
                Attempt::Committed(_) => return Ok(Swapped::Yes),
                Attempt::InDoubt(again) => error = again,
                Attempt::Mismatch => {}
                Attempt::Answered(_) | Attempt::Doubtful(_) => {
                    unreachable!("the same command on the same state commits again")
                }
            }
        }
    }
}

/// Swaps with the next commit of somebody else, so that no append waits for it.
async fn swap_riding(cell: &ShardCell, output: &Arc<BatchMeta>) -> Ride {
    let (output, mutant) = (Arc::clone(output), cell.env.mutant);
    let change = move |state: &mut State| matches!(state.apply_merge(&output, mutant), Flow::Commit(true));
    cell.ride(Box::new(change)).await
}

enum Interrupted {
    Fetch(FetchError),
    Store(crate::store::StoreError),
}

/// Merges the cursors into parts, a bounded stretch of updates at a time.
async fn rewrite(
    cell: &Arc<ShardCell>,
    cursors: Vec<RunCursor>,
) -> Result<(Vec<Vec<Part>>, u64), Interrupted> {
    let mut writer = PartWriter::new(Arc::clone(cell), false);
    let mut merge = Merge::new(cursors).await.map_err(Interrupted::Fetch)?;
    let mut all = false;
    while !all {
        let mut full = false;
        let mut add = |update: UpdateRef<'_>| {
            full = writer.add(update);
            !full
        };
        all = merge.for_each(&mut add).await.map_err(Interrupted::Fetch)?;
        if full {
            writer.cut().await.map_err(Interrupted::Store)?;
        }
    }
    writer.finish().await.map_err(Interrupted::Store)
}
