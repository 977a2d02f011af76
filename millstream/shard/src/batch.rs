//! Batches of updates on their way into a shard.
//!
//! A builder sorts and consolidates what it is given, cuts it into parts and uploads them while it fills the
//! next. Must not know the shard's state: bounds are checked here, the upper is checked on append.
//!
//! Invariants:
//! 1. Every update of a batch is at or beyond its lower and before its upper.
//! 2. Blobs of a batch that was never appended are deleted by [`Batch::delete`] or leak; a batch whose append
//!    is in doubt is never deleted (H9).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::applier::ShardCell;
use crate::client::Env;
use crate::format::{Columns, ROW_BYTES_MAX, UpdateRef};
use crate::ids::ShardId;
use crate::retry::retry_external;
use crate::state::{BatchMeta, Description, Part, PartBody, PartStats};
use crate::store::StoreError;
use crate::time::{Frontier, Timestamp};

/// A use of the library that breaks its contract. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// The interval runs backwards.
    #[error("the interval [{lower}, {upper}) ends before it begins")]
    InvalidBounds {
        /// Where it begins.
        lower: Frontier,
        /// Where it ends.
        upper: Frontier,
    },
    /// Data in an interval without times.
    #[error("the interval [{at}, {at}) holds no time, but there are updates")]
    InvalidEmptyTimeInterval {
        /// Its both ends.
        at: Frontier,
    },
    /// A batch does not cover the interval it is to be appended for.
    #[error("a batch of [{}, {}) does not cover [{}, {})", batch.0, batch.1, append.0, append.1)]
    InvalidBatchBounds {
        /// The batch's interval.
        batch: (Frontier, Frontier),
        /// The interval of the append.
        append: (Frontier, Frontier),
    },
    /// An update before the batch's lower.
    #[error("update at {time} is before the batch's lower {lower}")]
    UpdateNotBeyondLower {
        /// The update's time.
        time: Timestamp,
        /// The batch's lower.
        lower: Frontier,
    },
    /// An update at or beyond the batch's upper.
    #[error("update at {time} is not before the batch's upper {upper}")]
    UpdateBeyondUpper {
        /// The greatest time in the batch.
        time: Timestamp,
        /// The batch's upper.
        upper: Frontier,
    },
    /// A batch or part of another shard.
    #[error("this belongs to shard {found}, not to {expected}")]
    WrongShard {
        /// The handle's shard.
        expected: ShardId,
        /// The thing's shard.
        found: ShardId,
    },
    /// A row that is too long.
    #[error("a row of {bytes} bytes is longer than the limit of {ROW_BYTES_MAX}")]
    RowTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Bytes that are not a transmitted batch.
    #[error("these bytes are no batch: {0}")]
    NotABatch(String),
}

/// Why a batch could not be built.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BuildError {
    /// A contract was broken.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The blob store says no and will go on saying so.
    #[error("a part cannot be stored: {0}")]
    Store(StoreError),
}

/// Updates that are stored and wait to be appended. Consumed by an append.
pub struct Batch {
    pub(crate) shard: ShardId,
    pub(crate) meta: BatchMeta,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let desc = self.meta.desc;
        write!(
            f,
            "Batch([{}, {}), {} updates of {})",
            desc.lower, desc.upper, self.meta.len, self.shard
        )
    }
}

impl Batch {
    /// Its shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// No update is before this.
    pub fn lower(&self) -> Frontier {
        self.meta.desc.lower
    }

    /// Every update is before this.
    pub fn upper(&self) -> Frontier {
        self.meta.desc.upper
    }

    /// Updates in it, after consolidation within parts.
    pub fn len(&self) -> u64 {
        self.meta.len
    }

    /// Whether it holds no update.
    pub fn is_empty(&self) -> bool {
        self.meta.len == 0
    }

    /// Keys of its blobs.
    pub fn blob_keys(&self) -> Vec<String> {
        self.meta
            .parts()
            .filter_map(Part::key)
            .map(str::to_owned)
            .collect()
    }

    /// Bytes that another process turns back with [`crate::WriteHandle::batch_from_bytes`].
    pub fn into_bytes(self) -> Vec<u8> {
        postcard::to_allocvec(&(self.shard, &self.meta)).expect("batches have no unserializable parts")
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Batch, UsageError> {
        let (shard, meta) = postcard::from_bytes(bytes).map_err(|e| UsageError::NotABatch(e.to_string()))?;
        Ok(Batch { shard, meta })
    }
}

/// Fills a batch. Made by [`crate::WriteHandle::builder`].
pub struct BatchBuilder {
    core: PartWriter,
    lower: Frontier,
    greatest: Option<Timestamp>,
}

impl BatchBuilder {
    pub(crate) fn new(cell: Arc<ShardCell>, lower: Frontier) -> BatchBuilder {
        BatchBuilder {
            core: PartWriter::new(cell, true),
            lower,
            greatest: None,
        }
    }

    /// Adds one update. Waits when as many parts as allowed are being uploaded.
    pub async fn push(&mut self, row: &[u8], time: Timestamp, diff: i64) -> Result<(), BuildError> {
        if !self.lower.less_equal(time) {
            return Err(UsageError::UpdateNotBeyondLower {
                time,
                lower: self.lower,
            }
            .into());
        }
        if row.len() > ROW_BYTES_MAX {
            return Err(UsageError::RowTooLong { bytes: row.len() }.into());
        }
        self.greatest = self.greatest.max(Some(time));
        if self.core.add(UpdateRef { row, time, diff }) {
            self.core.cut().await.map_err(BuildError::Store)?;
        }
        Ok(())
    }

    /// Ends the batch at `upper`. On a broken contract the uploaded parts are deleted.
    pub async fn finish(mut self, upper: Frontier) -> Result<Batch, BuildError> {
        let usage = if upper < self.lower {
            Some(UsageError::InvalidBounds {
                lower: self.lower,
                upper,
            })
        } else {
            self.greatest
                .filter(|time| upper.less_equal(*time))
                .map(|time| UsageError::UpdateBeyondUpper { time, upper })
        };
        let cell = Arc::clone(&self.core.cell);
        let (runs, len) = self.core.finish().await.map_err(BuildError::Store)?;
        let desc = Description {
            lower: self.lower,
            upper,
            since: Frontier::MIN,
        };
        let batch = Batch {
            shard: cell.shard,
            meta: BatchMeta { desc, runs, len },
        };
        match usage {
            None => Ok(batch),
            Some(error) => {
                delete_parts(&cell.env, &batch.meta)
                    .await
                    .map_err(BuildError::Store)?;
                Err(error.into())
            }
        }
    }
}

/// Deletes the blobs of a batch that nothing references.
pub(crate) async fn delete_parts(env: &Arc<Env>, meta: &BatchMeta) -> Result<(), StoreError> {
    let blob = env.location.blob();
    for key in meta.parts().filter_map(Part::key) {
        retry_external(env, &mut || blob.delete(key)).await?;
    }
    Ok(())
}

/// Turns a sequence of updates into parts; shared by builders and compaction.
///
/// Parts that follow one another in order make one run, so that data which came sorted is read without a merge.
pub(crate) struct PartWriter {
    cell: Arc<ShardCell>,
    /// Builders sort what comes; compaction's input is sorted already.
    sorts: bool,
    buffer: Columns,
    /// Where the part in the making is cut.
    target: usize,
    full: Vec<Columns>,
    runs: Vec<Vec<Part>>,
    /// The last update of the last run.
    end: Option<(Vec<u8>, Timestamp)>,
    len: u64,
}

impl PartWriter {
    pub(crate) fn new(cell: Arc<ShardCell>, sorts: bool) -> PartWriter {
        PartWriter {
            target: cell.env.settings.get().blob_target_bytes,
            cell,
            sorts,
            buffer: Columns::default(),
            full: Vec::new(),
            runs: Vec::new(),
            end: None,
            len: 0,
        }
    }

    /// Adds an update. True if that made the part full: it is to be [`PartWriter::cut`] before the next.
    pub(crate) fn add(&mut self, update: UpdateRef<'_>) -> bool {
        self.buffer.push(update);
        self.buffer.bytes() >= self.target
    }

    /// Ends the part in the making; uploads when as many as allowed are full.
    pub(crate) async fn cut(&mut self) -> Result<(), StoreError> {
        let full = std::mem::take(&mut self.buffer);
        self.full
            .push(if self.sorts { full.consolidated() } else { full });
        let settings = self.cell.env.settings.get();
        self.target = settings.blob_target_bytes;
        if self.full.len() >= settings.outstanding_uploads.max(1) {
            self.upload().await?;
        }
        Ok(())
    }

    /// Uploads what is full, together.
    async fn upload(&mut self) -> Result<(), StoreError> {
        let mut full = std::mem::take(&mut self.full);
        full.retain(|columns| !columns.is_empty());
        let mut follows = Vec::with_capacity(full.len());
        for columns in &full {
            let (first, last) = (columns.get(0), columns.get(columns.len() - 1));
            let end = self.end.as_ref();
            follows.push(end.is_some_and(|(row, time)| (row.as_slice(), *time) < (first.row, first.time)));
            self.end = Some((last.row.to_vec(), last.time));
        }
        let cell = Arc::clone(&self.cell);
        let _under_way = self.sorts.then(|| cell.env.uploads.begin(&cell.env.clock));
        let writes: Vec<crate::rt::Boxed<'_, Result<Part, StoreError>>> = full
            .into_iter()
            .map(|columns| Box::pin(write_part(&cell, columns, false)) as _)
            .collect();
        let written = crate::rt::join_limited(writes, usize::MAX).await;
        for (part, follows) in written.into_iter().zip(follows) {
            let part = part?;
            self.len += part.len;
            match self.runs.last_mut() {
                Some(run) if follows => run.push(part),
                _ => self.runs.push(vec![part]),
            }
        }
        Ok(())
    }

    pub(crate) async fn finish(&mut self) -> Result<(Vec<Vec<Part>>, u64), StoreError> {
        let rest = std::mem::take(&mut self.buffer);
        let rest = if self.sorts { rest.consolidated() } else { rest };
        if self.full.is_empty() && self.runs.is_empty() && !rest.is_empty() {
            let large = rest.bytes() as u64 >= self.cell.env.settings.get().inline_part_bytes;
            let env = &self.cell.env;
            let _under_way = (self.sorts && large).then(|| env.uploads.begin(&env.clock));
            let part = write_part(&self.cell, rest, true).await?;
            return Ok((vec![vec![part.clone()]], part.len));
        }
        self.full.push(rest);
        self.upload().await?;
        Ok((std::mem::take(&mut self.runs), self.len))
    }
}

/// Stores one part: inline if it is small and may be, else as a blob.
async fn write_part(cell: &ShardCell, columns: Columns, may_inline: bool) -> Result<Part, StoreError> {
    let settings = cell.env.settings.get();
    let bytes = columns.encode();
    let mut part = Part {
        encoded_bytes: bytes.len() as u64,
        decoded_bytes: bytes.len() as u64,
        stats: None,
        len: columns.len() as u64,
        body: PartBody::Inline(bytes.clone()),
    };
    if may_inline && part.encoded_bytes < settings.inline_part_bytes {
        return Ok(part);
    }
    part.stats = Some(stats(&columns, settings.stats_bytes));
    part.body = put_blob(cell, bytes).await?;
    Ok(part)
}

/// Moves the inline parts of a batch into blobs.
pub(crate) async fn flush_inline(cell: &ShardCell, meta: &mut BatchMeta) -> Result<(), StoreError> {
    for part in meta.runs.iter_mut().flatten() {
        if let PartBody::Inline(bytes) = &part.body {
            part.body = put_blob(cell, bytes.clone()).await?;
        }
    }
    Ok(())
}

async fn put_blob(cell: &ShardCell, bytes: Bytes) -> Result<PartBody, StoreError> {
    let env = &cell.env;
    let key = format!("{}/p/{:032x}", cell.shard, env.ids.fresh());
    let crc = crate::format::checksum(&bytes).expect("these bytes were encoded here");
    let blob = env.location.blob();
    retry_external(env, &mut || blob.set(&key, bytes.clone())).await?;
    Ok(PartBody::Blob { key, crc })
}

/// Statistics of consolidated updates: their rows ascend.
fn stats(columns: &Columns, limit: usize) -> PartStats {
    let all = || (0..columns.len()).map(|i| columns.get(i));
    let (first, last) = (columns.get(0), columns.get(columns.len() - 1));
    PartStats {
        len: columns.len() as u64,
        diff_sum: all().fold(0, |sum, update| sum.wrapping_add(update.diff)),
        time_min: all().fold(first.time, |least, update| least.min(update.time)),
        time_max: all().fold(first.time, |most, update| most.max(update.time)),
        row_min: first.row[..first.row.len().min(limit)].to_vec(),
        row_max: cut_above(last.row, limit),
    }
}

/// The shortest-cut upper bound of `row` within `limit` bytes: the prefix with its last byte raised.
fn cut_above(row: &[u8], limit: usize) -> Option<Vec<u8>> {
    if row.len() <= limit {
        return Some(row.to_vec());
    }
    let mut cut = row[..limit].to_vec();
    while let Some(last) = cut.pop() {
        if last < u8::MAX {
            cut.push(last + 1);
            return Some(cut);
        }
    }
    None
}

#[cfg(test)]
mod tests;
