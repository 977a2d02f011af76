//! The blocks of one part, one after another.
//!
//! From a store that reads pieces ([`crate::store::Blob::reads_pieces`]) a big part is never in memory as a whole: its
//! table comes first, and then one block after another. A block that the machine has in memory is read when it is its
//! turn, by whoever walks it. Of others several are asked for at once, since each wait costs more than reading a block, and
//! while those are walked the next are on their way. From other stores the part is fetched whole. Must not know what
//! walks it.
//!
//! Invariants:
//! 1. A block is verified before it is given out (H14), and a blob that is missing or damaged is the same error
//!    either way.
//! 2. Of a part that is read in pieces, twice [`AT_ONCE`] blocks are in memory at most, and one where nobody waits.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::applier::ShardCell;
use crate::fetch::{FetchError, OTHER_PART, Permit, damaged, fetch_views, missing};
use crate::format::blocks::{Block, HEAD, TAIL, begins, table};
use crate::format::{PartView, checksum};
use crate::ids::ReaderId;
use crate::mutant::Mutant;
use crate::retry::retry_external;
use crate::rt::{Boxed, begin};
use crate::state::{Part, PartBody};
use crate::store::{OpenBlob, StoreError};
use crate::time::Timestamp;

/// A part of fewer bytes is fetched whole.
const PIECES_FROM: u64 = 512 << 10;

/// Blocks that are waited for together.
const AT_ONCE: usize = 4;

type Got = Result<Option<Vec<(Bytes, u32)>>, StoreError>;

/// A part on its way.
pub(crate) struct PartBlocks {
    cell: Arc<ShardCell>,
    time: Timestamp,
    reader: Option<ReaderId>,
    source: Source,
    /// For what is in memory, if that counts as a reader's.
    permit: Option<Permit>,
}

enum Source {
    Whole(VecDeque<PartView>),
    Pieces {
        key: Arc<str>,
        opened: Option<Box<dyn OpenBlob>>,
        left: VecDeque<Block>,
        /// Those that have come, in order.
        here: VecDeque<(Block, Bytes, u32)>,
        under_way: Option<(Vec<Block>, Boxed<'static, Got>)>,
        /// Bytes of the longest block.
        longest: u64,
    },
}

impl PartBlocks {
    /// Opens `part`, whose updates are at or beyond `time`; `counts` if its memory is that of a reader.
    pub(crate) async fn open(
        cell: &Arc<ShardCell>,
        part: &Part,
        time: Timestamp,
        reader: Option<ReaderId>,
        counts: bool,
    ) -> Result<PartBlocks, FetchError> {
        let pieces = match &part.body {
            PartBody::Blob { key, crc } if part.encoded_bytes >= PIECES_FROM => {
                pieces(cell, key, *crc, part.encoded_bytes, time, reader).await?
            }
            _ => None,
        };
        let take = |bytes| counts.then(|| cell.env.memory.take(bytes));
        let (source, permit) = match pieces {
            Some(source) => {
                let Source::Pieces { longest, .. } = &source else {
                    unreachable!("made as pieces")
                };
                let permit = take(*longest);
                (source, permit)
            }
            None => {
                let permit = take(part.decoded_bytes);
                let views = fetch_views(cell, part, time, reader).await?;
                (Source::Whole(views.into()), permit)
            }
        };
        Ok(PartBlocks {
            cell: Arc::clone(cell),
            time,
            reader,
            source,
            permit,
        })
    }

    /// The next block; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<PartView>, FetchError> {
        let (key, opened, left, here, under_way, longest) = match &mut self.source {
            Source::Whole(views) => return Ok(views.pop_front()),
            Source::Pieces {
                key,
                opened,
                left,
                here,
                under_way,
                longest,
            } => (key, opened, left, here, under_way, *longest),
        };
        let (cell, time) = (&self.cell, self.time);
        let shard = cell.shard;
        let decoded = |block: &Block, bytes, sum| {
            let view = block.decode(bytes, sum);
            view.map(Some).map_err(|error| damaged(shard, key, time, error))
        };
        if let Some((block, bytes, sum)) = here.pop_front() {
            return decoded(&block, bytes, sum);
        }
        let (blocks, reading) = match under_way.take() {
            Some(under_way) => under_way,
            None => {
                let Some(block) = left.front() else {
                    return Ok(None);
                };
                if let Some((bytes, sum)) = at_once(opened, &block.at) {
                    let block = left.pop_front().expect("it was in front");
                    return decoded(&block, bytes, sum);
                }
                if self.permit.is_some() {
                    self.permit = Some(cell.env.memory.take(2 * AT_ONCE as u64 * longest));
                }
                start(cell, key, left)
            }
        };
        let got = reading
            .await
            .map_err(|error| FetchError::Store { shard, error })?;
        let Some(got) = got else {
            return Err(missing(cell, key, time, self.reader).await);
        };
        if !left.is_empty() {
            let (next, mut reading) = start(cell, key, left);
            if let Some(got) = begin(&mut reading).await {
                reading = Box::pin(std::future::ready(got));
            }
            *under_way = Some((next, reading));
        }
        here.extend(
            blocks
                .into_iter()
                .zip(got)
                .map(|(block, (bytes, sum))| (block, bytes, sum)),
        );
        let (block, bytes, sum) = here.pop_front().expect("it was asked for");
        decoded(&block, bytes, sum)
    }
}

fn at_once(opened: &mut Option<Box<dyn OpenBlob>>, range: &Range<u64>) -> Option<(Bytes, u32)> {
    opened.as_mut()?.piece_at_once(range.clone())
}

/// Asks for the next few of what is left.
fn start(
    cell: &Arc<ShardCell>,
    key: &Arc<str>,
    left: &mut VecDeque<Block>,
) -> (Vec<Block>, Boxed<'static, Got>) {
    let blocks: Vec<Block> = left.drain(..left.len().min(AT_ONCE)).collect();
    let ranges: Vec<Range<u64>> = blocks.iter().map(|block| block.at.clone()).collect();
    let (env, key) = (Arc::clone(&cell.env), Arc::clone(key));
    let reading = async move {
        let blob = env.location.blob();
        retry_external(&env, &mut || blob.get_pieces(&key, ranges.clone())).await
    };
    (blocks, Box::pin(reading))
}

/// The blocks of a blob of `total` bytes, if its store reads pieces and it has a table.
async fn pieces(
    cell: &Arc<ShardCell>,
    key: &str,
    crc: u32,
    total: u64,
    time: Timestamp,
    reader: Option<ReaderId>,
) -> Result<Option<Source>, FetchError> {
    let (env, shard) = (&cell.env, cell.shard);
    let blob = env.location.blob();
    if !blob.reads_pieces() {
        return Ok(None);
    }
    let mut opened = retry_external(env, &mut || blob.open_pieces(key))
        .await
        .map_err(|error| FetchError::Store { shard, error })?;
    let mut read = async |range: Range<u64>| {
        if let Some((bytes, _)) = at_once(&mut opened, &range) {
            return Ok(bytes);
        }
        let got = retry_external(env, &mut || blob.get_piece(key, range.clone()))
            .await
            .map_err(|error| FetchError::Store { shard, error })?;
        match got {
            Some((bytes, _)) => Ok(bytes),
            None => Err(missing(cell, key, time, reader).await),
        }
    };
    let tail = read(total.saturating_sub(TAIL as u64)..total).await?;
    if env.mutant != Mutant::ChecksumIgnored && checksum(&tail) != Some(crc) {
        return Err(damaged(shard, key, time, OTHER_PART));
    }
    let Some((format, blocks)) = table(&tail, total) else {
        return Ok(None);
    };
    if !begins(&read(0..HEAD as u64).await?, format) {
        return Ok(None);
    }
    Ok(Some(Source::Pieces {
        key: key.into(),
        opened,
        longest: blocks
            .iter()
            .map(|block| block.at.end - block.at.start)
            .max()
            .unwrap_or(0),
        left: blocks.into(),
        here: VecDeque::new(),
        under_way: None,
    }))
}
