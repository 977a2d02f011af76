//! The ring of answers (F10): what the database said, on disk until it is judged and for as long after as there is room.
//!
//! ```text
//! evidence/00000001.ring    segments in order of their numbers; the oldest judged one becomes the newest
//! ├─ 16 bytes               magic "GMANSWER", number of the segment
//! ├─ record                 u32 length, u32 crc32c, body (codec.rs)
//! ├─ record …
//! └─ u32 0                  nothing more
//! ```
//!
//! After a crash the answers that were not judged are judged from here; `check RUN` judges again what is held; the second
//! judge of a finding decodes its answers from here.
//!
//! Invariants:
//! * E1 an answer is in the kernel's hands when [`Ring::append`] returns.
//! * E2 a segment is written over only when every answer in it was judged.
//! * E3 appending never waits: a visit holds the low-water mark, and the judge cannot free anything above it. Sessions wait
//!   for room before they begin a visit.

pub(crate) mod calls;
mod codec;
mod segment;

use history::Answered;
use parking_lot::{Condvar, Mutex};
use segment::Segment;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

/// Segments that the limit is divided into.
const SEGMENTS: u64 = 8;

/// The ring that is written.
pub(crate) struct Ring {
    dir: PathBuf,
    segment_bytes: u64,
    inner: Mutex<Inner>,
    freed: Condvar,
}

struct Inner {
    /// The one that is written.
    current: Segment,
    /// Answers in it that are not judged.
    open: usize,
    /// Older ones, oldest first, each with its answers that are not judged.
    older: VecDeque<(Segment, usize)>,
    scratch: Vec<u8>,
}

/// Where an answer lies: give it back with [`Ring::judged`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held(u64);

impl Ring {
    /// A ring in the folder `dir`, which is made; what lies there already is kept, `held` of it until it is judged. About
    /// `bytes_max` bytes are used, more only while answers cannot be judged.
    pub(crate) fn open(dir: &Path, bytes_max: u64, held: &mut dyn Iterator<Item = Held>) -> io::Result<Ring> {
        std::fs::create_dir_all(dir)?;
        let mut open: BTreeMap<u64, usize> = BTreeMap::new();
        for Held(segment) in held {
            *open.entry(segment).or_default() += 1;
        }
        let mut older = VecDeque::new();
        for (number, path) in segment::list(dir)? {
            let open = open.get(&number).copied().unwrap_or(0);
            older.push_back((Segment::adopt(path, number)?, open));
        }
        let next = older.back().map_or(1, |(s, _)| s.number() + 1);
        let segment_bytes = (bytes_max / SEGMENTS).max(64 << 10);
        let current = Segment::create(dir, next, segment_bytes)?;
        let inner = Inner {
            current,
            open: 0,
            older,
            scratch: Vec::new(),
        };
        Ok(Ring {
            dir: dir.to_owned(),
            segment_bytes,
            inner: Mutex::new(inner),
            freed: Condvar::new(),
        })
    }

    /// Where it lies.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes the answers of a visit.
    pub(crate) fn append(&self, answers: &[Answered]) -> io::Result<Held> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        inner.scratch.clear();
        for answer in answers {
            codec::frame(answer, &mut inner.scratch);
        }
        if !inner.current.has_room(inner.scratch.len()) {
            let size = self.segment_bytes.max(inner.scratch.len() as u64 + 64);
            let next = self.next_segment(inner, size)?;
            let full = std::mem::replace(&mut inner.current, next);
            inner.older.push_back((full, std::mem::take(&mut inner.open)));
        }
        inner.current.write(&inner.scratch);
        inner.open += answers.len();
        Ok(Held(inner.current.number()))
    }

    /// So many answers of a segment were judged.
    pub(crate) fn judged(&self, held: Held, answers: usize) {
        let mut inner = self.inner.lock();
        if held.0 == inner.current.number() {
            inner.open -= answers;
            return;
        }
        let (_, open) = inner
            .older
            .iter_mut()
            .find(|(s, _)| s.number() == held.0)
            .expect("E2: a segment with open answers is kept");
        *open -= answers;
        if *open == 0 {
            self.freed.notify_all();
        }
    }

    /// Waits until the segments that cannot be freed leave room for another visit; `false` if `patience` ended first.
    pub(crate) fn wait_for_room(&self, patience: std::time::Duration) -> bool {
        let mut inner = self.inner.lock();
        while inner.stuck() >= SEGMENTS as usize - 1 {
            if self.freed.wait_for(&mut inner, patience).timed_out() {
                return inner.stuck() < SEGMENTS as usize - 1;
            }
        }
        true
    }

    /// Whether segments should be freed soon: half of them hold answers that are not.
    pub(crate) fn wants_room(&self) -> bool {
        self.inner.lock().stuck() >= SEGMENTS as usize / 2
    }

    /// Whether a session that is about to begin a visit has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.inner.lock().stuck() >= SEGMENTS as usize - 1
    }

    /// The oldest judged segment, written over; a new one while there is room or nothing is judged.
    fn next_segment(&self, inner: &mut Inner, size: u64) -> io::Result<Segment> {
        let number = inner.current.number() + 1;
        let used: u64 = inner.older.iter().map(|(s, _)| s.bytes()).sum::<u64>() + inner.current.bytes();
        if used + size > self.segment_bytes * SEGMENTS
            && let Some(at) = inner
                .older
                .iter()
                .position(|(s, open)| *open == 0 && s.bytes() >= size)
        {
            let (old, _) = inner.older.remove(at).expect("a position in it");
            return old.renew(&self.dir, number);
        }
        Segment::create(&self.dir, number, size)
    }
}

impl Inner {
    /// Older segments that hold answers that are not judged.
    fn stuck(&self) -> usize {
        self.older.iter().filter(|(_, open)| *open > 0).count()
    }
}

/// Every answer that a ring holds, in the order in which it was taken, and how many segments ended in damage.
pub(crate) fn read(dir: &Path) -> io::Result<(Vec<Answered>, usize)> {
    let (placed, damaged) = read_placed(dir)?;
    Ok((
        placed.into_iter().map(|(_, answered)| answered).collect(),
        damaged,
    ))
}

/// The same, each with its place.
pub(crate) fn read_placed(dir: &Path) -> io::Result<(Vec<(Held, Answered)>, usize)> {
    let mut placed = Vec::new();
    let mut damaged = 0;
    for (number, path) in segment::list(dir)? {
        let bytes = std::fs::read(&path)?;
        let mut answers = Vec::new();
        damaged += usize::from(!codec::unframe_all(
            bytes.get(segment::HEAD..).unwrap_or(&[]),
            &mut answers,
        ));
        placed.extend(answers.into_iter().map(|answered| (Held(number), answered)));
    }
    Ok((placed, damaged))
}

#[cfg(test)]
mod tests;
