//! A file that is read piece by piece, as far as the machine has it in memory.
//!
//! Why: bytes that are in the page cache take less time to copy than to send a thread for them, and whoever walks them
//! next finds them in its own processor's cache. Reads never wait for a disk here; must not know what is read.
//!
//! A file system in memory (tmpfs) refuses to be asked for what does not wait, and never waits: it is simply read. (What it
//! may have in swap is waited for, as any memory of this process would be.)

use std::fs::File;
use std::io::IoSliceMut;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use rustix::io::{ReadWriteFlags, preadv2};

use super::{Lent, PIECE, Spare};
use crate::store::OpenBlob;

/// An open file, and where its buffers come from.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    spare: Arc<Spare>,
    how: ReadWriteFlags,
}

impl OpenFile {
    pub(super) fn new(file: File, spare: Arc<Spare>) -> OpenFile {
        let in_memory = fstatfs(&file).is_ok_and(|about| about.filesystem_type() == TMPFS_MAGIC);
        let how = match in_memory {
            true => ReadWriteFlags::empty(),
            false => ReadWriteFlags::NOWAIT,
        };
        OpenFile { file, spare, how }
    }
}

impl OpenBlob for OpenFile {
    fn piece_at_once(&mut self, range: Range<u64>) -> Option<(Bytes, u32)> {
        let wanted = range.end.saturating_sub(range.start);
        let mut bytes = self
            .spare
            .take(usize::try_from(wanted).expect("a piece fits in memory"));
        let (mut at, mut sum) = (0, 0);
        while at < bytes.len() {
            let to = bytes.len().min(at + PIECE);
            let into = &mut [IoSliceMut::new(&mut bytes[at..to])];
            match preadv2(&self.file, into, range.start + at as u64, self.how) {
                Ok(0) => bytes.truncate(at),
                Ok(n) => {
                    sum = crc32c::crc32c_append(sum, &bytes[at..at + n]);
                    at += n;
                }
                // Not in memory, or this file system cannot tell.
                Err(_) => {
                    self.spare.give_back(bytes);
                    return None;
                }
            }
        }
        let spare = Arc::clone(&self.spare);
        Some((Bytes::from_owner(Lent { bytes, spare }), sum))
    }
}
