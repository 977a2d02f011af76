//! The tracker of a run in a file of its own: 16 bytes a visit, mapped, so that it survives the worker (F39).
//!
//! ```text
//! slot n (visit n), two words of 64 bits, little-endian            slot 0 is the header: "GMTRACK", version
//!   place   visible_from 48 | session 16
//!   fate    attempt 5 | state 3 | length 56
//! ```
//! `length` is the distance from `visible_from` (from 0 where the end was never sent) to the tick at which the state was
//! reached. Ticks are at most 2^48 − 2.
//!
//! Any thread may read at any time. One thread writes a visit at a time: the session that does it, then whoever settles
//! it; the hand-over orders them.
//!
//! Invariants:
//! * T1 `place` is written before the `fate` that rests on it; a reader that sees a fate sees its place.
//! * T2 a track only goes Waiting → Open → (Committed | Rejected | Unknown), Unknown → (Committed | Rejected),
//!   Rejected → Open with the next attempt, Waiting → Skipped; anything else panics.
//! * T3 bytes are mapped only after they are allocated: a full disk is an error, not SIGBUS (F40).

mod file;
#[cfg(test)]
mod tests;

use crate::{Lts, Outcome, SessionId, State, Tick, Track, Tracker};
use file::Segment;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

/// Version of the format that this code writes, and the newest that it reads.
pub const VERSION: u8 = 1;

/// Visits in a segment: 4 MiB.
const SEGMENT: u64 = 1 << 18;
/// Most segments: 2^32 visits.
const SEGMENTS: usize = 1 << 14;
const MAGIC: [u8; 7] = *b"GMTRACK";
/// `visible_from` of a visit whose end was not sent.
const NEVER: u64 = (1 << 48) - 1;
/// Most attempts at one visit, by the width of the field.
pub const ATTEMPT_MAX: u8 = 31;

/// Why a tracker cannot be opened or grown.
#[derive(Debug, thiserror::Error)]
pub enum TrackerError {
    /// The disk is full (or a quota is used up).
    #[error("no room for {bytes} more bytes in {}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What was wanted.
        bytes: u64,
    },
    /// Not a tracker, or damaged.
    #[error("{} is not a gristmill tracker", path.display())]
    NotATracker {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer gristmill.
    #[error("{} has tracker format {found}, this gristmill reads up to {VERSION}: use the one that wrote it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u8,
    },
    /// More visits than a tracker can hold.
    #[error("a tracker holds visits 1 to {}, not {lts}", SEGMENT * SEGMENTS as u64 - 1)]
    TooFar {
        /// The visit.
        lts: Lts,
    },
    /// Anything the file system says.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// The tracks of a run. See the module.
pub struct TrackerFile {
    path: PathBuf,
    file: File,
    segments: Box<[OnceLock<Segment>]>,
    grow: Mutex<()>,
}

/// One visit's two words.
struct Slot<'a> {
    place: &'a AtomicU64,
    fate: &'a AtomicU64,
}

/// States as stored; `Late` ones were unknown before they were settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Waiting,
    Open,
    Committed,
    Rejected,
    Skipped,
    Unknown,
    LateCommitted,
    LateRejected,
}

impl TrackerFile {
    /// Makes the file, empty. One that is there is overwritten.
    ///
    /// Errors: a full disk, or what the file system says.
    pub fn create(path: &Path) -> Result<TrackerFile, TrackerError> {
        let file = file::open(path, true)?;
        let tracker = Self::over(path, file);
        tracker.segment(0)?;
        let head = u64::from_le_bytes(*b"GMTRACK\x01");
        tracker
            .slot(Lts(0))
            .expect("segment 0 is there")
            .place
            .store(head, Ordering::Release);
        Ok(tracker)
    }

    /// Opens one that a worker left behind, however it ended.
    ///
    /// Errors: it is none, or of a newer format.
    pub fn open(path: &Path) -> Result<TrackerFile, TrackerError> {
        let file = file::open(path, false)?;
        let bytes = file.metadata().map_err(|e| TrackerError::io(path, e))?.len();
        let tracker = Self::over(path, file);
        if bytes < 16 {
            return Err(TrackerError::NotATracker {
                path: path.to_owned(),
            });
        }
        for n in 0..bytes.div_ceil(SEGMENT * 16) {
            tracker.segment(usize::try_from(n).expect("64-bit"))?;
        }
        let head = tracker
            .slot(Lts(0))
            .expect("segment 0 is there")
            .place
            .load(Ordering::Acquire)
            .to_le_bytes();
        if head[..7] != MAGIC {
            return Err(TrackerError::NotATracker {
                path: path.to_owned(),
            });
        }
        if head[7] > VERSION {
            return Err(TrackerError::Newer {
                path: path.to_owned(),
                found: head[7],
            });
        }
        Ok(tracker)
    }

    fn over(path: &Path, file: File) -> TrackerFile {
        let segments = std::iter::repeat_with(OnceLock::new).take(SEGMENTS).collect();
        TrackerFile {
            path: path.to_owned(),
            file,
            segments,
            grow: Mutex::new(()),
        }
    }

    /// Makes room for all visits up to `lts`. The others panic where there is no room, so the dispatcher calls this
    /// before it releases a visit. Cheap where there is room.
    ///
    /// Errors: a full disk.
    pub fn reserve(&self, lts: Lts) -> Result<(), TrackerError> {
        let n = usize::try_from(lts.0 / SEGMENT).unwrap_or(usize::MAX);
        if n >= SEGMENTS {
            return Err(TrackerError::TooFar { lts });
        }
        if self.segments[n].get().is_some() {
            return Ok(());
        }
        (0..=n).try_for_each(|n| self.segment(n))
    }

    fn segment(&self, n: usize) -> Result<(), TrackerError> {
        let _one_at_a_time = self.grow.lock().expect("growing does not panic");
        if self.segments[n].get().is_none() {
            let segment = Segment::map(&self.file, &self.path, n as u64 * SEGMENT * 16, SEGMENT * 16)?;
            assert!(
                self.segments[n].set(segment).is_ok(),
                "only the holder of `grow` sets segments"
            );
        }
        Ok(())
    }

    /// An attempt at the visit begins.
    pub fn begin(&self, lts: Lts, attempt: u8, session: SessionId) {
        assert!(
            attempt <= ATTEMPT_MAX,
            "visit {lts}: attempt {attempt} of at most {ATTEMPT_MAX}"
        );
        let slot = self.here(lts);
        let (state, before, _) = slot.fate();
        match state {
            Stored::Waiting => assert_eq!(attempt, 0, "visit {lts} begins with attempt 0"),
            Stored::Rejected | Stored::LateRejected => assert_eq!(attempt, before + 1, "visit {lts}"),
            other => panic!("visit {lts} is {other:?}, it cannot begin"),
        }
        slot.place
            .store(NEVER | u64::from(session.0) << 48, Ordering::Release);
        slot.set(Stored::Open, attempt, 0);
    }

    /// Its COMMIT or autocommit statement is about to be sent; `tick` was just drawn.
    pub fn sent(&self, lts: Lts, tick: Tick) {
        assert!(tick.0 < NEVER, "ticks have 48 bits");
        let slot = self.here(lts);
        assert_eq!(slot.fate().0, Stored::Open, "visit {lts}");
        let session = slot.place.load(Ordering::Relaxed) & !NEVER;
        slot.place.store(tick.0 | session, Ordering::Release);
    }

    /// It ended at `tick`: acknowledged; left nothing (refused, or rolled back by plan); or its end was sent and no
    /// answer came.
    pub fn end(&self, lts: Lts, outcome: Outcome, tick: Tick) {
        let to = match outcome {
            Outcome::Committed => Stored::Committed,
            Outcome::Rejected => Stored::Rejected,
            Outcome::Unknown => Stored::Unknown,
        };
        self.go(lts, Stored::Open, to, tick);
    }

    /// It was unknown and is settled at `tick` (F6): its effects are there, or never will be.
    /// Panics on `Outcome::Unknown`, which settles nothing.
    pub fn settle(&self, lts: Lts, outcome: Outcome, tick: Tick) {
        let to = match outcome {
            Outcome::Committed => Stored::LateCommitted,
            Outcome::Rejected => Stored::LateRejected,
            Outcome::Unknown => panic!("visit {lts} is not settled by an unknown outcome"),
        };
        self.go(lts, Stored::Unknown, to, tick);
    }

    /// It will not be done (F16).
    pub fn skip(&self, lts: Lts) {
        let slot = self.here(lts);
        assert_eq!(slot.fate().0, Stored::Waiting, "visit {lts}");
        slot.set(Stored::Skipped, 0, 0);
    }

    fn go(&self, lts: Lts, from: Stored, to: Stored, tick: Tick) {
        let slot = self.here(lts);
        let (state, attempt, _) = slot.fate();
        assert_eq!(state, from, "visit {lts} cannot become {to:?}");
        let base = slot.visible_from().unwrap_or(0);
        slot.set(
            to,
            attempt,
            tick.0.checked_sub(base).expect("it ends after its end was sent"),
        );
    }

    /// The last visit that is not waiting, or 0. Looks through the file: for those that start from a folder.
    pub fn highest(&self) -> Lts {
        let all = SEGMENT * self.segments.iter().take_while(|s| s.get().is_some()).count() as u64;
        (1..all)
            .rev()
            .map(Lts)
            .find(|&lts| self.get(lts).state != State::Waiting)
            .unwrap_or(Lts(0))
    }

    fn slot(&self, lts: Lts) -> Option<Slot<'_>> {
        let segment = self.segments.get(usize::try_from(lts.0 / SEGMENT).ok()?)?.get()?;
        let [place, fate] = segment.words(usize::try_from(lts.0 % SEGMENT).expect("below SEGMENT"));
        Some(Slot { place, fate })
    }

    fn here(&self, lts: Lts) -> Slot<'_> {
        assert!(lts.0 > 0, "visits are numbered from 1");
        self.slot(lts).expect("reserve comes first")
    }
}

impl Slot<'_> {
    fn set(&self, state: Stored, attempt: u8, length: u64) {
        assert!(length < 1 << 56);
        self.fate.store(
            u64::from(attempt) << 59 | (state as u64) << 56 | length,
            Ordering::Release,
        );
    }

    fn fate(&self) -> (Stored, u8, u64) {
        unpack(self.fate.load(Ordering::Acquire))
    }

    fn visible_from(&self) -> Option<u64> {
        Some(self.place.load(Ordering::Acquire) & NEVER).filter(|&from| from != NEVER)
    }

    /// Both words as they stood together at one moment.
    fn read(&self) -> (u64, u64) {
        loop {
            let fate = self.fate.load(Ordering::Acquire);
            let place = self.place.load(Ordering::Acquire);
            if self.fate.load(Ordering::Acquire) == fate {
                return (place, fate);
            }
        }
    }
}

fn unpack(fate: u64) -> (Stored, u8, u64) {
    let state = match fate >> 56 & 7 {
        0 => Stored::Waiting,
        1 => Stored::Open,
        2 => Stored::Committed,
        3 => Stored::Rejected,
        4 => Stored::Skipped,
        5 => Stored::Unknown,
        6 => Stored::LateCommitted,
        _ => Stored::LateRejected,
    };
    (
        state,
        u8::try_from(fate >> 59).expect("five bits"),
        fate & ((1 << 56) - 1),
    )
}

impl Tracker for TrackerFile {
    fn get(&self, lts: Lts) -> Track {
        const OPEN_END: Tick = Tick(u64::MAX);
        let none = Track {
            state: State::Waiting,
            attempt: 0,
            session: SessionId(0),
            visible_from: OPEN_END,
            visible_by: OPEN_END,
        };
        let Some(slot) = (lts.0 > 0).then(|| self.slot(lts)).flatten() else {
            return none;
        };
        let (place, fate) = slot.read();
        let (stored, attempt, length) = unpack(fate);
        let state = match stored {
            Stored::Waiting => return none,
            Stored::Open => State::Open,
            Stored::Committed | Stored::LateCommitted => State::Committed,
            Stored::Rejected | Stored::LateRejected => State::Rejected,
            Stored::Skipped => State::Skipped,
            Stored::Unknown => State::Unknown,
        };
        let sent = (place & NEVER != NEVER && stored != Stored::Skipped).then_some(place & NEVER);
        let visible_by = match state {
            State::Committed => Tick(sent.unwrap_or(0) + length),
            _ => OPEN_END,
        };
        let session = SessionId(u16::try_from(place >> 48).expect("16 bits"));
        Track {
            state,
            attempt,
            session,
            visible_from: sent.map_or(OPEN_END, Tick),
            visible_by,
        }
    }

    fn settled(&self, lts: Lts) -> Option<Tick> {
        let (place, fate) = self.slot(lts).filter(|_| lts.0 > 0)?.read();
        let (stored, _, length) = unpack(fate);
        let base = Some(place & NEVER).filter(|&from| from != NEVER).unwrap_or(0);
        matches!(stored, Stored::LateCommitted | Stored::LateRejected).then_some(Tick(base + length))
    }
}

impl TrackerError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
