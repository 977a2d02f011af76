//! One file of the ring, mapped.

use memmap2::MmapMut;
use nix::fcntl::{FallocateFlags, fallocate};
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes before the first record.
pub(super) const HEAD: usize = 16;
const MAGIC: &[u8; 8] = b"GMANSWER";
/// The length 0 that ends the records.
const END: usize = 4;

pub(super) struct Segment {
    path: PathBuf,
    number: u64,
    map: MmapMut,
    at: usize,
}

impl Segment {
    /// A new file whose every page is allocated before use: a full disk is an error here, not a signal later (F40).
    pub(super) fn create(dir: &Path, number: u64, bytes: u64) -> io::Result<Segment> {
        let path = dir.join(name(number));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        let length = i64::try_from(bytes).map_err(io::Error::other)?;
        fallocate(&file, FallocateFlags::empty(), 0, length).map_err(io::Error::from)?;
        Segment::map(path, &file, number)
    }

    /// A file of an earlier life of the worker, to be written over when its turn comes.
    pub(super) fn adopt(path: PathBuf, number: u64) -> io::Result<Segment> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let map = map(&file)?;
        let at = map.len();
        Ok(Segment {
            path,
            number,
            map,
            at,
        })
    }

    /// The same file under a new number, empty.
    pub(super) fn renew(self, dir: &Path, number: u64) -> io::Result<Segment> {
        let Segment { path, mut map, .. } = self;
        // Empty before it is renamed: killed in between, it is an old segment without records.
        map[HEAD..HEAD + END].fill(0);
        let renamed = dir.join(name(number));
        std::fs::rename(&path, &renamed)?;
        let mut segment = Segment {
            path: renamed,
            number,
            map,
            at: HEAD,
        };
        segment.head();
        Ok(segment)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn bytes(&self) -> u64 {
        self.map.len() as u64
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.at + bytes + END <= self.map.len()
    }

    /// Appends framed records. The end mark first, so that a reader never runs into what was there before.
    pub(super) fn write(&mut self, records: &[u8]) {
        let end = self.at + records.len();
        assert!(
            end + END <= self.map.len(),
            "{}: the caller asked for room",
            self.path.display()
        );
        self.map[end..end + END].fill(0);
        self.map[self.at..end].copy_from_slice(records);
        self.at = end;
    }

    fn map(path: PathBuf, file: &std::fs::File, number: u64) -> io::Result<Segment> {
        let mut segment = Segment {
            path,
            number,
            map: map(file)?,
            at: HEAD,
        };
        segment.head();
        Ok(segment)
    }

    fn head(&mut self) {
        self.map[..8].copy_from_slice(MAGIC);
        self.map[8..HEAD].copy_from_slice(&self.number.to_le_bytes());
        self.map[HEAD..HEAD + END].fill(0);
    }
}

#[expect(
    unsafe_code,
    reason = "a shared mapping outlives the death of our process; nobody else writes the run's folder"
)]
fn map(file: &std::fs::File) -> io::Result<MmapMut> {
    // SAFETY: the file lies in the run's own folder, is as long as it will ever be, and is not truncated while mapped.
    unsafe { MmapMut::map_mut(file) }
}

fn name(number: u64) -> String {
    format!("{number:08}.ring")
}

/// The ring's files in order of their numbers. A folder that is not there holds none.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "ring")
            && let Some(number) = path
                .file_stem()
                .and_then(|s| s.to_str())
                .and_then(|s| s.parse().ok())
        {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}
