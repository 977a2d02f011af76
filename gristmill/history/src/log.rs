//! The log of a run: who did what when, and what became of it. What was *meant* is a function of the plan; what was
//! *said* by the database lies in the ring of answers; the log holds what neither can tell.
//!
//! ```text
//! log/00000001.seg          segments of equal size, allocated before use, mapped
//! ├─ segment header         128 bytes: magic, version, number, run, digest of the plan, what came before it
//! ├─ block 0                64 KiB (the first one less 128 bytes)
//! │  ├─ block header        32 bytes: used bytes, records and checksum, filled in when the block closes
//! │  └─ record …            each with its own checksum, so that the open tail can be read
//! └─ block 1 …
//! ```
//! `docs/formats/history-log.md` draws every byte.
//!
//! This module must not know what a visit is, nor read a clock: nanoseconds and ticks are given.
//!
//! Invariants:
//! * L1 a record is in the kernel's hands when [`Writer::append`] returns: the death of our process loses nothing.
//! * L2 records lie in tick order; the tick is drawn under the writer's lock.
//! * L3 blocks close by size, never by time: two runs that append the same records write the same bytes, but for the
//!   nanoseconds and the checksums over them ([`masked`]).
//! * L4 bytes are never written to a page that was not allocated (a full disk is an error, not SIGBUS), and one segment is
//!   always allocated ahead, so that the ends of what was begun still find room when the disk is full.
//! * L5 a reader stops at the first byte that is not what a writer would have written, and says where.

mod reader;
mod record;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{Ending, Forgotten, Reader, masked};
pub use record::{Fate, Record, What, When};
pub(crate) use segment::allocate_blocks;
pub use writer::{Resumed, Writer};

use std::io;
use std::path::PathBuf;

/// Version of the format that this code writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// What every segment repeats: whose log this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The run's id, at most 40 bytes.
    pub run: String,
    /// Digest of `plan.toml`.
    pub plan: u64,
}

/// How much the log may take. Reaching it makes the log a ring: the oldest segment is forgotten, and the reader says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of a segment: a multiple of 64 KiB.
    pub segment_bytes: u64,
    /// Size of all segments together; at least three segments.
    pub bytes_max: u64,
}

impl Default for Limits {
    /// Segments of 4 MiB, 2 GiB in all.
    fn default() -> Self {
        Self {
            segment_bytes: 4 << 20,
            bytes_max: 2 << 30,
        }
    }
}

/// Why a log cannot be written or opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk is full (or a quota is used up).
    #[error("no room for {bytes} more bytes of log in {}", path.display())]
    Full {
        /// The segment that could not be allocated.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// There is already a log where a new one was to be made.
    #[error("{} already holds a log", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Not a log of ours.
    #[error("{} is not a gristmill log: {what}", path.display())]
    NotALog {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Written by a newer gristmill.
    #[error("{} has log format {found}, this gristmill reads up to {VERSION}: use the one that wrote it", path.display())]
    Newer {
        /// The segment.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Belongs to another run or plan than the caller's.
    #[error("{} belongs to run {run} with plan {plan:016x}, not to this one", path.display())]
    OtherRun {
        /// The segment.
        path: PathBuf,
        /// The run that it names.
        run: String,
        /// The plan that it names.
        plan: u64,
    },
    /// The log is damaged before its tail; appending would bury the damage.
    #[error("{} is damaged: {ending}", path.display())]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// Where reading ended.
        ending: Ending,
    },
    /// Anything the file system says.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl LogError {
    fn io(path: &std::path::Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
