//! Parts of many updates: blocks, one after another, and a table of them at the end.
//!
//! Why: whoever walks a part needs no more of it than one block at a time, and finds that block in the processor's
//! cache, where a whole part would have left it. Each block has a checksum of its own, so that none of its rows is
//! used before it is verified.
//!
//! Invariants:
//! 1. The blocks, in order, hold the part's updates, in order; none is empty.
//! 2. Any change of any byte is noticed, also by a reader that takes the table first and then block by block: it
//!    compares the table with what the state knows of the part, each block with the table, and the format.
//! 3. A program that knows format 1 only finds the checksum right and a newer format.
//! 4. The checksum at the end tells apart parts of other updates: each block's own checksum cancels the block out of it, so
//!    it depends on them through the table, whose checksum is stored [`mixed`].

use std::ops::Range;

use bytes::Bytes;

use super::{Columns, END, FOOTER, MAGIC, PartError, PartView, check_whole, checksum, u32_at};

/// The format of a part of several blocks; the greatest we read.
pub(super) const FORMAT: u8 = 3;
/// The same with a table whose checksum stands as it is, and cancels it out: read, not written.
const UNMIXED: u8 = 2;
/// A block is cut when its updates reach this many bytes.
pub(super) const BLOCK_BYTES: usize = 256 << 10;
/// Bytes before the first block.
pub(crate) const HEAD: usize = 8;
/// Bytes of the table a block.
const ENTRY: usize = 12;
/// Bytes after the last entry: how many, the checksum of the table, and the end of every part.
const TABLE_END: usize = 8 + FOOTER;
/// Bytes at the end that hold the whole table, unless it is very long.
pub(crate) const TAIL: usize = 4096;

/// One block as the table knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where in the part it lies.
    pub(crate) at: Range<u64>,
    /// Its updates.
    len: u32,
    /// Its checksum.
    crc: u32,
}

/// Bytes of a part, in blocks of about `target` bytes.
pub(crate) fn encode(columns: &Columns, target: usize) -> Bytes {
    let mut out = Vec::with_capacity(super::HEADER + FOOTER + columns.bytes());
    if columns.bytes() <= target {
        columns.encode_block(0..columns.len(), &mut out);
        return Bytes::from(out);
    }
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[FORMAT, 0, 0, 0]);
    let mut table = Vec::new();
    let number = |n: usize| {
        u32::try_from(n)
            .expect("a part is cut long before 4 GiB")
            .to_le_bytes()
    };
    let (mut from, mut bytes) = (0, 0);
    for at in 0..columns.len() {
        bytes += columns.get(at).row.len() + 20;
        if bytes < target && at + 1 < columns.len() {
            continue;
        }
        let begin = out.len();
        columns.encode_block(from..at + 1, &mut out);
        table.extend_from_slice(&number(out.len() - begin));
        table.extend_from_slice(&number(at + 1 - from));
        table.extend_from_slice(&checksum(&out).expect("a block was just written").to_le_bytes());
        (from, bytes) = (at + 1, 0);
    }
    let count = table.len() / ENTRY;
    table.extend_from_slice(&number(count));
    let crc = crc32c::crc32c(&table);
    out.extend_from_slice(&table);
    out.extend_from_slice(&mixed(crc).to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&END);
    Bytes::from(out)
}

/// What stands for the checksum of a table.
///
/// A CRC over bytes and their own CRC is the same number whatever the bytes are. Rotated and with a constant added, as LevelDB's
/// log does it, it is none of them any more.
fn mixed(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Checks a whole part whose CRC-32C is `sum`, and opens its blocks.
pub(crate) fn decode(bytes: &Bytes, sum: u32) -> Result<Vec<PartView>, PartError> {
    if !matches!(bytes.get(4), Some(&(FORMAT | UNMIXED))) {
        return Ok(vec![PartView::decode_summed(bytes.clone(), sum)?]);
    }
    check_whole(bytes, sum)?;
    let (_, table) = table(bytes, bytes.len() as u64)
        .filter(|(format, _)| begins(&bytes[..HEAD], *format))
        .ok_or(PartError::Damaged("its table of blocks does not fit it"))?;
    let open = |block: &Block| {
        let at = usize::try_from(block.at.start).expect("inside the part")
            ..usize::try_from(block.at.end).expect("inside the part");
        block.check(PartView::open(bytes.slice(at))?)
    };
    table.iter().map(open).collect()
}

/// The format and the blocks of a part of `total` bytes that ends with `tail`, if it has a table and all of it is there.
pub(crate) fn table(tail: &[u8], total: u64) -> Option<(u8, Vec<Block>)> {
    let end = tail.len().checked_sub(TABLE_END)?;
    let count = u32_at(tail, end) as usize;
    let begin = end.checked_sub(count.checked_mul(ENTRY)?)?;
    let crc = crc32c::crc32c(&tail[begin..end + 4]);
    let format = match u32_at(tail, end + 4) {
        stands if stands == mixed(crc) => FORMAT,
        stands if stands == crc => UNMIXED,
        _ => return None,
    };
    let mut at = HEAD as u64;
    let mut blocks = Vec::with_capacity(count);
    for entry in tail[begin..end].chunks_exact(ENTRY) {
        let next = at + u64::from(u32_at(entry, 0));
        let (len, crc) = (u32_at(entry, 4), u32_at(entry, 8));
        blocks.push(Block {
            at: at..next,
            len,
            crc,
        });
        at = next;
    }
    (at + (count * ENTRY + TABLE_END) as u64 == total).then_some((format, blocks))
}

/// Whether a part that begins with `head` has a table of blocks, as `format` has one.
pub(crate) fn begins(head: &[u8], format: u8) -> bool {
    head.len() == HEAD && head[..4] == MAGIC && head[4..] == [format, 0, 0, 0]
}

impl Block {
    /// Checks the bytes of this block, whose CRC-32C is `sum`, and opens them.
    pub(crate) fn decode(&self, bytes: Bytes, sum: u32) -> Result<PartView, PartError> {
        self.check(PartView::decode_summed(bytes, sum)?)
    }

    fn check(&self, view: PartView) -> Result<PartView, PartError> {
        if view.len() == self.len as usize && checksum(&view.bytes) == Some(self.crc) {
            return Ok(view);
        }
        Err(PartError::Damaged("a block is not the one in its table"))
    }
}

#[cfg(test)]
mod tests;
