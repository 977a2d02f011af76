//! Reading a log from its beginning to its end, or to the first damage.

use super::record::{CRC, HEAD, NS, checksum};
use super::segment::{
    BLOCK, BLOCK_HEAD, BlockHead, SEGMENT_HEAD, SegmentHead, block_span, numbers, path_of, u32_at,
};
use super::{Header, LogError, Record, What};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where reading ended, and why there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The writer closed the log.
    Closed,
    /// The writer did not close it: it was killed, or still writes.
    Open {
        /// The last record was being written; it is not counted.
        torn: bool,
    },
    /// Something is there that no writer wrote.
    Damaged {
        /// The segment.
        segment: PathBuf,
        /// Offset in it, in bytes.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
        /// Bytes from there to the end of the log, that were not read.
        unread_bytes: u64,
    },
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Open { torn: false } => f.write_str("not closed by its writer"),
            Self::Open { torn: true } => {
                f.write_str("not closed by its writer, which died in the last record")
            }
            Self::Damaged {
                segment,
                offset,
                what,
                unread_bytes,
            } => write!(
                f,
                "{what} in {} at byte {offset}; {unread_bytes} bytes from there on were not read",
                segment.display()
            ),
        }
    }
}

/// What a ring has forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// Records.
    pub records: u64,
    /// The tick of the last of them.
    pub upto_tick: u64,
}

/// Reads the records of a log in order. Holds one segment in memory.
pub struct Reader {
    folder: PathBuf,
    /// Segments not yet begun.
    ahead: std::vec::IntoIter<u64>,
    header: Header,
    forgotten: Option<Forgotten>,
    segment: Segment,
    block: Option<Block>,
    records: u64,
    last_tick: u64,
    last_was_closed: bool,
    ending: Option<Ending>,
}

struct Segment {
    path: PathBuf,
    head: SegmentHead,
    bytes: Vec<u8>,
    next_block: usize,
}

#[derive(Clone, Copy)]
struct Block {
    /// Where the next record begins.
    at: usize,
    /// Where records end: by the header where it is closed, else the end of the block.
    end: usize,
    kind: BlockKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    Open,
    Closed,
    /// Closed, and its checksum is wrong; it ends before the damage.
    Damaged,
}

impl Reader {
    /// Opens the log in a folder at its oldest segment.
    ///
    /// Errors: the folder holds no segment, or its first one is no log, or of a newer format.
    pub fn open(folder: &Path) -> Result<Reader, LogError> {
        let mut ahead = numbers(folder)?.into_iter();
        let Some(first) = ahead.next() else {
            return Err(LogError::NotALog {
                path: folder.to_owned(),
                what: "it holds no segment",
            });
        };
        let segment = load(folder, first)?.ok_or_else(|| LogError::NotALog {
            path: path_of(folder, first),
            what: "its first segment was never begun",
        })?;
        let (records, last_tick) = (segment.head.records_before, segment.head.tick_before);
        Ok(Reader {
            folder: folder.to_owned(),
            ahead,
            header: segment.head.header.clone(),
            forgotten: (first > 1).then_some(Forgotten {
                records,
                upto_tick: last_tick,
            }),
            segment,
            block: None,
            records,
            last_tick,
            last_was_closed: false,
            ending: None,
        })
    }

    /// Whose log it is.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What a ring has forgotten before the first record that is read; `None`: nothing.
    pub fn forgotten(&self) -> Option<Forgotten> {
        self.forgotten
    }

    /// How reading ended; `None` while there may be more.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Records up to here, forgotten ones included.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The tick of the last record read, or before the first one.
    pub fn last_tick(&self) -> u64 {
        self.last_tick
    }

    /// After the end: the segment in which it lies, its head, and the offset after the last record.
    pub(super) fn position(&self) -> (&SegmentHead, usize) {
        let at = self.block.map_or(SEGMENT_HEAD, |block| block.at);
        (&self.segment.head, at)
    }

    fn damaged(&mut self, offset: usize, what: &'static str) {
        let rest: u64 = self
            .ahead
            .as_slice()
            .iter()
            .map(|&n| size(&path_of(&self.folder, n)))
            .sum();
        let here = self.segment.bytes.len().saturating_sub(offset);
        self.ending = Some(Ending::Damaged {
            segment: self.segment.path.clone(),
            offset: offset as u64,
            what,
            unread_bytes: rest + here as u64,
        });
    }

    fn ended(&mut self, torn: bool) {
        self.ending = Some(if self.last_was_closed && !torn {
            Ending::Closed
        } else {
            Ending::Open { torn }
        });
    }

    /// Goes to the next block, and to the next segment after the last one. Sets `ending` where there is none.
    fn advance(&mut self) {
        let (start, end) = block_span(self.segment.next_block);
        if start as u64 >= self.segment.head.bytes {
            return self.advance_segment();
        }
        let bytes = &self.segment.bytes;
        let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) else {
            // A writer cuts a file only when it closes the log.
            if self.last_was_closed {
                return self.ended(false);
            }
            return self.damaged(start.min(bytes.len()), "the file is cut");
        };
        let Some(head) = BlockHead::decode(rest) else {
            if rest.iter().take(BLOCK_HEAD).all(|&b| b == 0) {
                return self.tail(start, false);
            }
            return self.damaged(start, "no block header");
        };
        if head.number != self.segment.next_block as u64 || head.first_tick <= self.last_tick {
            return self.damaged(start, "a block out of its place");
        }
        let at = start + BLOCK_HEAD;
        let block = if head.used == 0 {
            Block {
                at,
                end: end.min(bytes.len()),
                kind: BlockKind::Open,
            }
        } else {
            let used = at.checked_add(head.used as usize).filter(|&used| used <= end);
            let Some(used) = used else {
                return self.damaged(start, "an impossible block length");
            };
            let Some(payload) = bytes.get(at..used) else {
                return self.damaged(bytes.len(), "the file is cut");
            };
            if crc32c::crc32c(payload) != head.crc {
                return self.damaged_block(at, used);
            }
            Block {
                at,
                end: used,
                kind: BlockKind::Closed,
            }
        };
        self.segment.next_block += 1;
        self.block = Some(block);
    }

    /// The checksum of a closed block is wrong: its records are still read up to the one that is damaged.
    fn damaged_block(&mut self, at: usize, end: usize) {
        let mut next = at;
        while let Some(length) = sound_record(&self.segment.bytes[..end], next) {
            next += length;
        }
        self.segment.next_block += 1;
        self.block = Some(Block {
            at,
            end: next,
            kind: BlockKind::Damaged,
        });
    }

    fn advance_segment(&mut self) {
        let Some(number) = self.ahead.next() else {
            return self.ended(false);
        };
        if number != self.segment.head.number + 1 {
            return self.damaged(self.segment.bytes.len(), "the next segment is missing");
        }
        match load(&self.folder, number) {
            Ok(Some(segment)) => {
                let fits = segment.head.header == self.header
                    && segment.head.records_before == self.records
                    && segment.head.tick_before == self.last_tick;
                self.segment = segment;
                self.block = None;
                if !fits {
                    self.damaged(0, "a segment that does not follow the one before it");
                }
            }
            Ok(None) => self.ended(false),
            Err(_) => {
                self.segment.path = path_of(&self.folder, number);
                self.segment.bytes = Vec::new();
                self.damaged(0, "a segment header that cannot be read");
            }
        }
    }

    /// The log ends in an open block (or where one could begin), at `at`: nothing may follow.
    fn tail(&mut self, at: usize, torn: bool) {
        let next = at.div_ceil(BLOCK) * BLOCK;
        let later = self.segment.bytes.get(next..).unwrap_or_default();
        let blocks = later
            .chunks(BLOCK)
            .any(|block| BlockHead::decode(block).is_some());
        let segments = self
            .ahead
            .as_slice()
            .iter()
            .any(|&n| begun(&path_of(&self.folder, n)));
        // A record that was being written is the last one: nothing sound stands behind it.
        let length = self
            .segment
            .bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .map(|l| u16::from_le_bytes(*l));
        let behind = length.is_some_and(|n| sound_record(&self.segment.bytes, at + usize::from(n)).is_some());
        match (blocks || segments || (torn && behind), torn) {
            (true, true) => self.damaged(at, "a record checksum that does not fit"),
            (true, false) => self.damaged(at, "a block that ends too early"),
            (false, _)
                if (self.segment.bytes.len() as u64) < self.segment.head.bytes && !self.last_was_closed =>
            {
                self.damaged(at, "the file is cut");
            }
            (false, _) => self.ended(torn),
        }
    }
}

impl Iterator for Reader {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while self.ending.is_none() {
            let Some(block) = self.block else {
                self.advance();
                continue;
            };
            let bytes = &self.segment.bytes;
            let zero = bytes
                .get(block.at..block.at + 2)
                .is_none_or(|length| length == [0, 0]);
            if block.at >= block.end || (zero && block.kind == BlockKind::Open) {
                match block.kind {
                    BlockKind::Open => self.tail(block.at, false),
                    BlockKind::Closed => self.advance(),
                    BlockKind::Damaged => self.damaged(block.at, "a checksum that does not fit"),
                }
                continue;
            }
            let record = sound_record(&bytes[..block.end], block.at)
                .and_then(|length| Some((length, Record::decode(&bytes[block.at..block.at + length])?)))
                .filter(|(_, record)| record.tick.0 > self.last_tick);
            let Some((length, record)) = record else {
                self.tail(block.at, true);
                continue;
            };
            self.block = Some(Block {
                at: block.at + length,
                ..block
            });
            self.records += 1;
            self.last_tick = record.tick.0;
            self.last_was_closed = matches!(record.what, What::Closed { .. });
            return Some(record);
        }
        None
    }
}

/// Length of the record at `at`, if its length is possible and its checksum right.
fn sound_record(bytes: &[u8], at: usize) -> Option<usize> {
    let length = usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let record = bytes.get(at..at + length).filter(|r| r.len() >= HEAD)?;
    (checksum(record) == u32_at(record, CRC.start)).then_some(length)
}

/// Reads a segment. `None`: allocated, but never begun.
fn load(folder: &Path, number: u64) -> Result<Option<Segment>, LogError> {
    let path = path_of(folder, number);
    let bytes = std::fs::read(&path).map_err(|e| LogError::io(&path, e))?;
    if !bytes.is_empty() && bytes.iter().take(SEGMENT_HEAD).all(|&b| b == 0) {
        return Ok(None);
    }
    let head = SegmentHead::decode(&bytes, &path)?;
    Ok(Some(Segment {
        path,
        head,
        bytes,
        next_block: 0,
    }))
}

fn begun(path: &Path) -> bool {
    let mut head = [0u8; 8];
    let read = std::fs::File::open(path).and_then(|mut f| std::io::Read::read_exact(&mut f, &mut head));
    read.is_ok() && head != [0; 8]
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

/// The bytes of a sound log with nanoseconds and checksums set to zero: equal for two runs of one plan that are
/// deterministic. Unused space is left out.
///
/// Errors: as [`Reader::open`], and a damaged log.
pub fn masked(folder: &Path) -> Result<Vec<u8>, LogError> {
    let mut reader = Reader::open(folder)?;
    reader.by_ref().for_each(drop);
    if let Some(ending @ Ending::Damaged { .. }) = reader.ending() {
        return Err(LogError::Damaged {
            path: folder.to_owned(),
            ending: ending.clone(),
        });
    }
    let mut out = Vec::new();
    for number in numbers(folder)? {
        let Some(Segment { mut bytes, .. }) = load(folder, number)? else {
            continue;
        };
        let mut block = 0;
        let mut used = SEGMENT_HEAD;
        while let (start, end) = block_span(block)
            && let Some(head) = bytes.get(start..).and_then(BlockHead::decode)
        {
            bytes[start + 12..start + 16].fill(0);
            let mut at = start + BLOCK_HEAD;
            let end = if head.used == 0 {
                end
            } else {
                at + head.used as usize
            };
            while let Some(length) = sound_record(&bytes[..end.min(bytes.len())], at) {
                bytes[at + CRC.start..at + CRC.end].fill(0);
                bytes[at + NS.start..at + NS.end].fill(0);
                at += length;
            }
            used = at;
            block += 1;
        }
        out.extend_from_slice(&bytes[..used]);
    }
    Ok(out)
}
