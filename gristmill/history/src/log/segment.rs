//! The bytes of segments and blocks, and a segment file that is mapped for writing.

use super::{Header, LogError, VERSION};
use memmap2::MmapMut;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// First bytes of every segment.
pub(super) const MAGIC: [u8; 8] = *b"GRISTLOG";
/// Size of a block; blocks are aligned to it.
pub(super) const BLOCK: usize = 64 << 10;
/// Size of the segment header, at the start of a segment's first block.
pub(super) const SEGMENT_HEAD: usize = 128;
/// Size of a block's header.
pub(super) const BLOCK_HEAD: usize = 32;
/// First bytes of every block.
pub(super) const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"GMBL");
const RUN_MAX: usize = 40;

/// What a segment says of itself and of what came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentHead {
    /// From 1.
    pub(super) number: u64,
    /// Allocated size.
    pub(super) bytes: u64,
    /// Records in all segments before this one.
    pub(super) records_before: u64,
    /// The last tick before this segment.
    pub(super) tick_before: u64,
    /// Whose log it is.
    pub(super) header: Header,
}

impl SegmentHead {
    /// The 128 bytes. Panics when the run's id is longer than 40 bytes.
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEAD] {
        let mut out = [0u8; SEGMENT_HEAD];
        let run = self.header.run.as_bytes();
        assert!(
            run.len() <= RUN_MAX,
            "a run's id has at most {RUN_MAX} bytes: {:?}",
            self.header.run
        );
        out[0..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[12..16].copy_from_slice(&u32::try_from(BLOCK).expect("64 KiB").to_le_bytes());
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..32].copy_from_slice(&self.bytes.to_le_bytes());
        out[32..40].copy_from_slice(&self.records_before.to_le_bytes());
        out[40..48].copy_from_slice(&self.tick_before.to_le_bytes());
        out[48..56].copy_from_slice(&self.header.plan.to_le_bytes());
        out[56] = u8::try_from(run.len()).expect("checked");
        out[57..57 + run.len()].copy_from_slice(run);
        let crc = crc32c::crc32c(&out[..124]);
        out[124..128].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a segment's header; `path` is for the message.
    pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<SegmentHead, LogError> {
        let not = |what| LogError::NotALog {
            path: path.to_owned(),
            what,
        };
        let head: &[u8; SEGMENT_HEAD] = bytes
            .first_chunk()
            .ok_or_else(|| not("it is shorter than a header"))?;
        if head[0..8] != MAGIC {
            return Err(not("it does not begin with GRISTLOG"));
        }
        let version = u32_at(head, 8);
        if version > VERSION {
            return Err(LogError::Newer {
                path: path.to_owned(),
                found: version,
            });
        }
        if crc32c::crc32c(&head[..124]) != u32_at(head, 124) {
            return Err(not("the checksum of its header is wrong"));
        }
        if u32_at(head, 12) as usize != BLOCK {
            return Err(not("its blocks are not 64 KiB"));
        }
        let run = head
            .get(57..57 + usize::from(head[56]))
            .filter(|run| run.len() <= RUN_MAX);
        let run = run
            .and_then(|run| std::str::from_utf8(run).ok())
            .ok_or_else(|| not("its run has no name"))?;
        Ok(SegmentHead {
            number: u64_at(head, 16),
            bytes: u64_at(head, 24),
            records_before: u64_at(head, 32),
            tick_before: u64_at(head, 40),
            header: Header {
                run: run.to_owned(),
                plan: u64_at(head, 48),
            },
        })
    }
}

/// What a block says of itself. `used == 0`: it was never closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockHead {
    /// Bytes of records, from the end of this header.
    pub(super) used: u32,
    /// How many records.
    pub(super) records: u32,
    /// crc32c of those bytes.
    pub(super) crc: u32,
    /// Number of the block in its segment, from 0.
    pub(super) number: u64,
    /// The tick of its first record.
    pub(super) first_tick: u64,
}

impl BlockHead {
    pub(super) fn encode(&self) -> [u8; BLOCK_HEAD] {
        let mut out = [0u8; BLOCK_HEAD];
        out[0..4].copy_from_slice(&BLOCK_MAGIC.to_le_bytes());
        out[4..8].copy_from_slice(&self.used.to_le_bytes());
        out[8..12].copy_from_slice(&self.records.to_le_bytes());
        out[12..16].copy_from_slice(&self.crc.to_le_bytes());
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..32].copy_from_slice(&self.first_tick.to_le_bytes());
        out
    }

    /// `None`: these bytes are no block header.
    pub(super) fn decode(bytes: &[u8]) -> Option<BlockHead> {
        let head: &[u8; BLOCK_HEAD] = bytes.first_chunk()?;
        (u32_at(head, 0) == BLOCK_MAGIC).then(|| BlockHead {
            used: u32_at(head, 4),
            records: u32_at(head, 8),
            crc: u32_at(head, 12),
            number: u64_at(head, 16),
            first_tick: u64_at(head, 24),
        })
    }
}

/// Where block `number` of a segment begins, and where it ends.
pub(super) fn block_span(number: usize) -> (usize, usize) {
    let start = if number == 0 { SEGMENT_HEAD } else { number * BLOCK };
    (start, (number + 1) * BLOCK)
}

/// The file of a segment.
pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.seg"))
}

/// Numbers of the segments in a folder, ascending.
pub(super) fn numbers(folder: &Path) -> Result<Vec<u64>, LogError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| LogError::io(folder, e))? {
        let name = entry.map_err(|e| LogError::io(folder, e))?.file_name();
        let number = name
            .to_str()
            .and_then(|n| n.strip_suffix(".seg"))
            .and_then(|n| n.parse::<u64>().ok());
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

/// A segment that may be written: allocated on disk, mapped shared.
pub(super) struct Mapped {
    pub(super) path: PathBuf,
    file: File,
    map: MmapMut,
}

impl Mapped {
    /// Makes the file, allocates all of its bytes, maps it. A file of that name is overwritten.
    pub(super) fn create(folder: &Path, number: u64, bytes: u64) -> Result<Mapped, LogError> {
        let path = path_of(folder, number);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path);
        let file = file.map_err(|e| LogError::io(&path, e))?;
        if let Err(error) = allocate(&file, bytes, &path) {
            drop(file);
            // An unallocated segment would be taken for a damaged one.
            std::fs::remove_file(&path).map_err(|e| LogError::io(&path, e))?;
            return Err(error);
        }
        Self::map(path, file)
    }

    /// Maps a segment that is there, after making it `bytes` long again.
    pub(super) fn reopen(folder: &Path, number: u64, bytes: u64) -> Result<Mapped, LogError> {
        let path = path_of(folder, number);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| LogError::io(&path, e))?;
        allocate(&file, bytes, &path)?;
        Self::map(path, file)
    }

    #[expect(
        unsafe_code,
        reason = "mapping a file is unsafe: it may be cut by others while it is mapped"
    )]
    fn map(path: PathBuf, file: File) -> Result<Mapped, LogError> {
        // SAFETY: the folder belongs to this run; nobody but its one writer changes the length of a segment.
        let map = unsafe { MmapMut::map_mut(&file) }.map_err(|e| LogError::io(&path, e))?;
        Ok(Mapped { path, file, map })
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.map
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// Unmaps the segment and cuts the file to what was used.
    pub(super) fn cut(self, used: u64) -> Result<(), LogError> {
        let Mapped { path, file, map } = self;
        drop(map);
        file.set_len(used)
            .and_then(|()| file.sync_data())
            .map_err(|e| LogError::io(&path, e))
    }
}

/// Allocates `bytes` on disk, so that writing to the mapping cannot meet a full disk (F40).
pub(crate) fn allocate_blocks(file: &File, bytes: u64) -> std::io::Result<()> {
    let length = i64::try_from(bytes).expect("files stay below 8 EiB");
    nix::fcntl::posix_fallocate(file, 0, length).map_err(std::io::Error::from)
}

fn allocate(file: &File, bytes: u64, path: &Path) -> Result<(), LogError> {
    allocate_blocks(file, bytes).map_err(|source| match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => LogError::Full {
            path: path.to_owned(),
            bytes,
        },
        _ => LogError::io(path, source),
    })
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes"))
}
