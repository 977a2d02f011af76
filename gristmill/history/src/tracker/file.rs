//! The mapped file under the tracker: segments of words that several threads read and write.

use super::TrackerError;
use crate::log::allocate_blocks;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// A part of the file, mapped shared for as long as the tracker lives.
pub(super) struct Segment {
    map: MmapRaw,
    slots: usize,
}

pub(super) fn open(path: &Path, create: bool) -> Result<File, TrackerError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create).truncate(create);
    options.open(path).map_err(|e| TrackerError::io(path, e))
}

impl Segment {
    /// Allocates (where needed) and maps `bytes` of the file from `offset` on.
    pub(super) fn map(file: &File, path: &Path, offset: u64, bytes: u64) -> Result<Segment, TrackerError> {
        allocate_blocks(file, offset + bytes).map_err(|source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => TrackerError::Full {
                path: path.to_owned(),
                bytes,
            },
            _ => TrackerError::io(path, source),
        })?;
        let length = usize::try_from(bytes).expect("64-bit");
        let map = MmapOptions::new().offset(offset).len(length).map_raw(file);
        let map = map.map_err(|e| TrackerError::io(path, e))?;
        Ok(Segment {
            map,
            slots: length / 16,
        })
    }

    /// The two words of a slot. Panics if there is no such slot.
    #[expect(
        unsafe_code,
        reason = "words of a mapped file are shared with nobody but the atomics made here"
    )]
    pub(super) fn words(&self, slot: usize) -> [&AtomicU64; 2] {
        assert!(slot < self.slots);
        let words = self.map.as_mut_ptr().cast::<u64>();
        // SAFETY: the mapping is page-aligned, 16 bytes a slot long, lives as long as `self`, and all access to it, from
        // any thread, is through these atomics. Only this process maps the file for writing.
        unsafe {
            [
                AtomicU64::from_ptr(words.add(2 * slot)),
                AtomicU64::from_ptr(words.add(2 * slot + 1)),
            ]
        }
    }
}
