//! Bytes of one part: sorted updates in columns, with a checksum at the end.
//!
//! The layout is drawn in `docs/formats/shard-part.md`. A decoded part is a view into its bytes, or several, one a block
//! ([`blocks`]): nothing is copied per row. Must not know batches, bounds or stores.
//!
//! Invariants:
//! 1. `decode(encode(updates))` yields the same updates in the same order.
//! 2. Any change of any byte is noticed by `decode`.
//! 3. Whoever stores a part consolidates it first: within one part, `(row, time)` ascends strictly.

use std::ops::Range;

use bytes::Bytes;

use crate::time::Timestamp;

const MAGIC: [u8; 4] = *b"MSPT";
const END: [u8; 4] = *b"TPSM";
const FORMAT: u8 = 1;
const HEADER: usize = 40;
const FOOTER: usize = 8;
const CONST_TIME: u8 = 1;
const CONST_DIFF: u8 = 2;
const CONST_LEN: u8 = 4;

/// Greatest length of one row: offsets inside a part are 32 bits wide.
pub const ROW_BYTES_MAX: usize = 1 << 30;

/// One update: a row, when it changed, by how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpdateRef<'a> {
    /// The row's bytes.
    pub row: &'a [u8],
    /// When.
    pub time: Timestamp,
    /// By how much the row's count changed.
    pub diff: i64,
}

/// An update that owns its row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Update {
    /// The row's bytes.
    pub row: Vec<u8>,
    /// When.
    pub time: Timestamp,
    /// By how much the row's count changed.
    pub diff: i64,
}

impl Update {
    /// An update of these three.
    pub fn new(row: impl Into<Vec<u8>>, time: Timestamp, diff: i64) -> Update {
        Update {
            row: row.into(),
            time,
            diff,
        }
    }
}

/// Bytes that are not a part we can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// Not ours, cut short, or a bit flipped.
    #[error("the part is damaged: {0}")]
    Damaged(&'static str),
    /// Written by newer software.
    #[error("the part has format {found}, this program reads up to {ours}: upgrade it")]
    Newer {
        /// The format in the bytes.
        found: u8,
        /// The greatest format we read.
        ours: u8,
    },
}

/// Updates in columns, in the order they were pushed.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    rows: Vec<u8>,
    ends: Vec<u32>,
    times: Vec<Timestamp>,
    diffs: Vec<i64>,
}

impl Columns {
    /// Appends one update.
    pub fn push(&mut self, update: UpdateRef<'_>) {
        self.rows.extend_from_slice(update.row);
        self.ends
            .push(u32::try_from(self.rows.len()).expect("a part is cut long before 4 GiB"));
        self.times.push(update.time);
        self.diffs.push(update.diff);
    }

    /// Updates pushed.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether none was pushed.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Memory of what was pushed.
    pub fn bytes(&self) -> usize {
        self.rows.len() + self.len() * 20
    }

    /// The update at `index`.
    pub fn get(&self, index: usize) -> UpdateRef<'_> {
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1] as usize
        };
        UpdateRef {
            row: &self.rows[start..self.ends[index] as usize],
            time: self.times[index],
            diff: self.diffs[index],
        }
    }

    /// Forgets all updates and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.ends.clear();
        self.times.clear();
        self.diffs.clear();
    }

    /// The same updates sorted by `(row, time)`, diffs of equal ones added, zero ones left out.
    pub fn consolidated(self) -> Columns {
        let is_already = self.diffs.iter().all(|diff| *diff != 0)
            && (1..self.len()).all(|i| {
                let (a, b) = (self.get(i - 1), self.get(i));
                (a.row, a.time) < (b.row, b.time)
            });
        if is_already {
            return self;
        }
        let mut order: Vec<u32> = (0..u32::try_from(self.len()).expect("checked on push")).collect();
        let sorted = (1..self.len()).all(|i| {
            let (a, b) = (self.get(i - 1), self.get(i));
            (a.row, a.time) <= (b.row, b.time)
        });
        if !sorted {
            order.sort_unstable_by(|a, b| {
                let (a, b) = (self.get(*a as usize), self.get(*b as usize));
                (a.row, a.time).cmp(&(b.row, b.time))
            });
        }
        let mut out = Columns::default();
        out.rows.reserve(self.rows.len());
        let mut open: Option<UpdateRef<'_>> = None;
        for index in order {
            let update = self.get(index as usize);
            match &mut open {
                Some(last) if last.row == update.row && last.time == update.time => {
                    last.diff = last.diff.wrapping_add(update.diff);
                }
                _ => {
                    if let Some(done) = open.replace(update).filter(|u| u.diff != 0) {
                        out.push(done);
                    }
                }
            }
        }
        if let Some(done) = open.filter(|u| u.diff != 0) {
            out.push(done);
        }
        out
    }

    /// Bytes of a part with these updates: one block of format 1, or, if they are many, several of them (format 3).
    pub fn encode(&self) -> Bytes {
        blocks::encode(self, blocks::BLOCK_BYTES)
    }

    /// Appends the updates at `range` as one block.
    fn encode_block(&self, range: Range<usize>, out: &mut Vec<u8>) {
        let begin = out.len();
        let n = range.len();
        let first = range.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let (times, diffs) = (&self.times[range.clone()], &self.diffs[range.clone()]);
        let ends = self.ends[range].iter().map(|end| end - first);
        let mut flags = 0;
        let time = times.first().copied().unwrap_or(0);
        let diff = diffs.first().copied().unwrap_or(0);
        let width = ends.clone().next().unwrap_or(0);
        let row_bytes = ends.clone().next_back().unwrap_or(0);
        if times.iter().all(|t| *t == time) {
            flags |= CONST_TIME;
        }
        if diffs.iter().all(|d| *d == diff) {
            flags |= CONST_DIFF;
        }
        if ends
            .clone()
            .enumerate()
            .all(|(i, end)| end as usize == (i + 1) * width as usize)
        {
            flags |= CONST_LEN;
        }
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[FORMAT, flags, 0, 0]);
        out.extend_from_slice(&u32::try_from(n).expect("checked on push").to_le_bytes());
        out.extend_from_slice(&width.to_le_bytes());
        out.extend_from_slice(&u64::from(row_bytes).to_le_bytes());
        out.extend_from_slice(&time.to_le_bytes());
        out.extend_from_slice(&diff.to_le_bytes());
        if flags & CONST_TIME == 0 {
            times.iter().for_each(|t| out.extend_from_slice(&t.to_le_bytes()));
        }
        if flags & CONST_DIFF == 0 {
            diffs.iter().for_each(|d| out.extend_from_slice(&d.to_le_bytes()));
        }
        if flags & CONST_LEN == 0 {
            ends.for_each(|e| out.extend_from_slice(&e.to_le_bytes()));
        }
        out.extend_from_slice(&self.rows[first as usize..(first + row_bytes) as usize]);
        let crc = crc32c::crc32c(&out[begin..]);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&END);
    }
}

/// The checksum a part carries at its end; none if the bytes are too short to be one. Not verified here.
pub fn checksum(bytes: &[u8]) -> Option<u32> {
    let at = bytes.len().checked_sub(FOOTER)?;
    Some(u32_at(bytes, at))
}

/// Whether `bytes`, whose CRC-32C is `sum`, begin and end as a part and are what was written.
///
/// The checksum at the end is of what stands before it. It holds if and only if all bytes sum up to what that checksum
/// makes of the bytes after it: a CRC tells apart any two beginnings of one end.
fn check_whole(bytes: &[u8], sum: u32) -> Result<(), PartError> {
    if bytes.len() < HEADER + FOOTER || bytes[..4] != MAGIC {
        return Err(PartError::Damaged("it does not begin as a part"));
    }
    let body = bytes.len() - FOOTER;
    if bytes[body + 4..] != END {
        return Err(PartError::Damaged("it does not end as a part"));
    }
    if sum != crc32c::crc32c_append(u32_at(bytes, body), &bytes[body..]) {
        return Err(PartError::Damaged("checksum differs"));
    }
    Ok(())
}

/// A block whose checksum held: a view of its updates.
#[derive(Clone, Debug)]
pub struct PartView {
    bytes: Bytes,
    flags: u8,
    len: usize,
    width: usize,
    time: Timestamp,
    diff: i64,
    times: usize,
    diffs: usize,
    ends: usize,
    rows: usize,
}

impl PartView {
    /// Checks `bytes`, one block, and opens them.
    pub fn decode(bytes: Bytes) -> Result<PartView, PartError> {
        let sum = crc32c::crc32c(&bytes);
        PartView::decode_summed(bytes, sum)
    }

    /// [`PartView::decode`] of bytes whose CRC-32C is known to be `sum`.
    pub(crate) fn decode_summed(bytes: Bytes, sum: u32) -> Result<PartView, PartError> {
        check_whole(&bytes, sum)?;
        PartView::open(bytes)
    }

    /// Opens bytes whose checksum held.
    fn open(bytes: Bytes) -> Result<PartView, PartError> {
        if bytes.len() < HEADER + FOOTER || bytes[..4] != MAGIC {
            return Err(PartError::Damaged("a block does not begin as one"));
        }
        let body = bytes.len() - FOOTER;
        if bytes[4] != FORMAT {
            return Err(PartError::Newer {
                found: bytes[4],
                ours: blocks::FORMAT,
            });
        }
        let flags = bytes[5];
        let len = u32_at(&bytes, 8) as usize;
        let width = u32_at(&bytes, 12) as usize;
        let row_bytes = usize::try_from(u64_at(&bytes, 16)).map_err(|_| PartError::Damaged("length"))?;
        let times = HEADER;
        let diffs = times + if flags & CONST_TIME == 0 { len * 8 } else { 0 };
        let ends = diffs + if flags & CONST_DIFF == 0 { len * 8 } else { 0 };
        let rows = ends + if flags & CONST_LEN == 0 { len * 4 } else { 0 };
        if rows.checked_add(row_bytes) != Some(body) {
            return Err(PartError::Damaged("its columns do not fill it"));
        }
        let view = PartView {
            flags,
            len,
            width,
            time: u64_at(&bytes, 24),
            diff: u64_at(&bytes, 32).cast_signed(),
            times,
            diffs,
            ends,
            rows,
            bytes,
        };
        if len > 0 && view.end(len - 1) != row_bytes {
            return Err(PartError::Damaged("its rows do not fill it"));
        }
        Ok(view)
    }

    /// Updates in the block.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the block holds no update.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Length of the block's bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The time of every update, if it is the same.
    pub(crate) fn one_time(&self) -> Option<Timestamp> {
        (self.flags & CONST_TIME != 0 && self.len > 0).then_some(self.time)
    }

    /// Calls `each` with the updates at `range`, all at `time`, until it answers false; then it answers where.
    pub(crate) fn each_at(
        &self,
        range: Range<usize>,
        time: Timestamp,
        each: &mut (dyn FnMut(UpdateRef<'_>) -> bool + Send),
    ) -> Option<usize> {
        if range.is_empty() {
            return None;
        }
        if self.flags & (CONST_DIFF | CONST_LEN) == CONST_DIFF | CONST_LEN && self.width > 0 {
            let bytes = self.rows + range.start * self.width..self.rows + range.end * self.width;
            let diff = self.diff;
            return self.bytes[bytes]
                .chunks_exact(self.width)
                .position(|row| !each(UpdateRef { row, time, diff }))
                .map(|index| range.start + index);
        }
        range.into_iter().find(|index| {
            !each(UpdateRef {
                time,
                ..self.get(*index)
            })
        })
    }

    fn end(&self, index: usize) -> usize {
        if self.flags & CONST_LEN == 0 {
            u32_at(&self.bytes, self.ends + index * 4) as usize
        } else {
            (index + 1) * self.width
        }
    }

    /// The update at `index`.
    ///
    /// # Panics
    /// If `index >= len()`.
    pub fn get(&self, index: usize) -> UpdateRef<'_> {
        assert!(index < self.len, "update {index} of {}", self.len);
        let start = if index == 0 { 0 } else { self.end(index - 1) };
        UpdateRef {
            row: &self.bytes[self.rows + start..self.rows + self.end(index)],
            time: if self.flags & CONST_TIME == 0 {
                u64_at(&self.bytes, self.times + index * 8)
            } else {
                self.time
            },
            diff: if self.flags & CONST_DIFF == 0 {
                u64_at(&self.bytes, self.diffs + index * 8).cast_signed()
            } else {
                self.diff
            },
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub(crate) mod blocks;

#[cfg(test)]
mod tests;
