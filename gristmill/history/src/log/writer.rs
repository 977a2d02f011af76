//! The one writer of a log, shared by the threads of the sessions.

use super::reader::{Ending, Reader};
use super::record::{encode, seal};
use super::segment::{
    BLOCK_HEAD, BlockHead, Mapped, SEGMENT_HEAD, SegmentHead, block_span, numbers, path_of,
};
use super::{Header, Limits, LogError, Record, What};
use crate::{SessionId, Tick};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Mutex, MutexGuard};

/// Appends records. Share it by reference or `Arc`; appending takes one short lock.
pub struct Writer {
    inner: Mutex<Inner>,
}

/// What a writer that takes over learns of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// The last tick in the log: the counter goes on after it.
    pub last_tick: Tick,
    /// Records in the log, forgotten ones included.
    pub records: u64,
}

struct Inner {
    folder: PathBuf,
    header: Header,
    limits: Limits,
    /// `None` once the log is closed.
    current: Option<Mapped>,
    /// Allocated ahead, never begun. `None`: the disk is full.
    spare: Option<Mapped>,
    number: u64,
    oldest: u64,
    forgotten: u64,
    /// Number of the current block in its segment.
    block: usize,
    block_records: u32,
    /// Where the next record goes, in the segment.
    at: usize,
    records: u64,
    last_tick: u64,
    scratch: Vec<u8>,
}

impl Writer {
    /// Begins a log in `folder`, which is made if needed.
    ///
    /// Errors: there is a log already; no room for two segments; anything the file system says.
    /// Panics: limits that break their rules, a run's id longer than 40 bytes.
    pub fn create(folder: &Path, header: Header, limits: Limits) -> Result<Writer, LogError> {
        assert!(
            limits.segment_bytes > 0 && limits.segment_bytes.is_multiple_of(64 << 10),
            "segments are whole blocks"
        );
        assert!(
            limits.bytes_max >= 3 * limits.segment_bytes,
            "a ring has room for three segments"
        );
        std::fs::create_dir_all(folder).map_err(|e| LogError::io(folder, e))?;
        if !numbers(folder)?.is_empty() {
            return Err(LogError::Exists {
                path: folder.to_owned(),
            });
        }
        let current = Mapped::create(folder, 1, limits.segment_bytes)?;
        let spare = Mapped::create(folder, 2, limits.segment_bytes)?;
        let mut inner = Inner {
            folder: folder.to_owned(),
            header,
            limits,
            current: Some(current),
            spare: Some(spare),
            number: 1,
            oldest: 1,
            forgotten: 0,
            block: 0,
            block_records: 0,
            at: 0,
            records: 0,
            last_tick: 0,
            scratch: Vec::with_capacity(256),
        };
        inner.begin_segment();
        Ok(Writer {
            inner: Mutex::new(inner),
        })
    }

    /// Takes over a log whose writer died, or closed it (F38). Every record is read once; `seen` is given each of them,
    /// so that the caller learns what was open. The caller appends [`What::Resumed`] next.
    ///
    /// Errors: as [`Reader::open`]; the log of another run or plan; damage anywhere but in the last record.
    pub fn resume(
        folder: &Path,
        header: Header,
        limits: Limits,
        seen: &mut dyn FnMut(&Record),
    ) -> Result<(Writer, Resumed), LogError> {
        let mut reader = Reader::open(folder)?;
        if *reader.header() != header {
            let Header { run, plan } = reader.header().clone();
            return Err(LogError::OtherRun {
                path: folder.to_owned(),
                run,
                plan,
            });
        }
        for record in reader.by_ref() {
            seen(&record);
        }
        if let Some(ending @ Ending::Damaged { .. }) = reader.ending() {
            return Err(LogError::Damaged {
                path: folder.to_owned(),
                ending: ending.clone(),
            });
        }
        let resumed = Resumed {
            last_tick: Tick(reader.last_tick()),
            records: reader.records(),
        };
        let (head, at) = reader.position();
        let all = numbers(folder)?;
        let limits = Limits {
            segment_bytes: head.bytes,
            ..limits
        };
        let mut inner = Inner {
            folder: folder.to_owned(),
            header,
            limits,
            current: Some(Mapped::reopen(folder, head.number, head.bytes)?),
            spare: None,
            number: head.number,
            oldest: all[0],
            forgotten: reader.forgotten().map_or(0, |f| f.records),
            block: 0,
            block_records: 0,
            at,
            records: reader.records(),
            last_tick: reader.last_tick(),
            scratch: Vec::with_capacity(256),
        };
        inner.reopen_block();
        inner.spare = Some(Mapped::create(
            folder,
            inner.number + 1,
            inner.limits.segment_bytes,
        )?);
        Ok((
            Writer {
                inner: Mutex::new(inner),
            },
            resumed,
        ))
    }

    /// Appends one event and returns its tick. `tick` draws from the process's counter; it is called once, under the lock
    /// (L2). `ns` are nanoseconds since the run began. When this returns, the record survives our process.
    ///
    /// Errors: the disk is full and what was allocated ahead is used up; nothing was appended then, no tick was drawn.
    /// Panics: the log was closed; the counter went back.
    pub fn append(
        &self,
        session: SessionId,
        ns: u64,
        tick: &dyn Fn() -> Tick,
        what: &What,
    ) -> Result<Tick, LogError> {
        self.lock().append(session, ns, tick, what)
    }

    /// Whether the disk is full: the load should end, there is room for the ends of what was begun.
    pub fn is_full(&self) -> bool {
        let inner = self.lock();
        inner.current.is_some() && inner.spare.is_none()
    }

    /// Records appended so far, by writers before this one too.
    pub fn records(&self) -> u64 {
        self.lock().records
    }

    /// Records that the ring has forgotten.
    pub fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// Appends [`What::Closed`], closes the last block and cuts the file to what was used. Appending afterwards panics.
    ///
    /// Errors: no room for the record, or what the file system says.
    pub fn close(&self, ns: u64, tick: &dyn Fn() -> Tick) -> Result<(), LogError> {
        let mut inner = self.lock();
        let records = inner.records;
        inner.append(SessionId(0), ns, tick, &What::Closed { records })?;
        inner.close_block();
        let used = inner.at as u64;
        if let Some(spare) = inner.spare.take() {
            let path = spare.path.clone();
            drop(spare);
            std::fs::remove_file(&path).map_err(|e| LogError::io(&path, e))?;
        }
        inner
            .current
            .take()
            .expect("append would have panicked")
            .cut(used)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it appends")
    }
}

impl Inner {
    fn append(
        &mut self,
        session: SessionId,
        ns: u64,
        tick: &dyn Fn() -> Tick,
        what: &What,
    ) -> Result<Tick, LogError> {
        assert!(self.current.is_some(), "the log is closed");
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        encode(ns, session, what, &mut scratch);
        let appended = self.append_bytes(tick, &mut scratch);
        self.scratch = scratch;
        appended
    }

    /// The tick is drawn when nothing can fail any more.
    fn append_bytes(&mut self, tick: &dyn Fn() -> Tick, record: &mut [u8]) -> Result<Tick, LogError> {
        let (_, end) = block_span(self.block);
        if self.at + record.len() > end {
            self.next_block()?;
        }
        let tick = tick();
        assert!(tick.0 > self.last_tick, "the counter of ticks never goes back");
        seal(record, tick);
        if self.block_records == 0 {
            self.begin_block(tick);
        }
        let at = self.at;
        self.bytes()[at..at + record.len()].copy_from_slice(record);
        self.at += record.len();
        self.block_records += 1;
        self.records += 1;
        self.last_tick = tick.0;
        Ok(tick)
    }

    fn bytes(&mut self) -> &mut [u8] {
        self.current.as_mut().expect("the log is open").bytes()
    }

    fn begin_segment(&mut self) {
        let head = SegmentHead {
            number: self.number,
            bytes: self.current.as_ref().expect("just set").len() as u64,
            records_before: self.records,
            tick_before: self.last_tick,
            header: self.header.clone(),
        };
        let bytes = head.encode();
        self.bytes()[..bytes.len()].copy_from_slice(&bytes);
        self.block = 0;
        self.block_records = 0;
        self.at = block_span(0).0 + BLOCK_HEAD;
    }

    fn begin_block(&mut self, first: Tick) {
        let head = BlockHead {
            used: 0,
            records: 0,
            crc: 0,
            number: self.block as u64,
            first_tick: first.0,
        };
        let (start, _) = block_span(self.block);
        self.bytes()[start..start + BLOCK_HEAD].copy_from_slice(&head.encode());
    }

    fn close_block(&mut self) {
        let (start, _) = block_span(self.block);
        let (at, records) = (self.at, self.block_records);
        let bytes = self.bytes();
        let open = BlockHead::decode(&bytes[start..]).expect("a block with records has a header");
        let payload = &bytes[start + BLOCK_HEAD..at];
        let used = u32::try_from(payload.len()).expect("a block has 64 KiB");
        let head = BlockHead {
            used,
            records,
            crc: crc32c::crc32c(payload),
            ..open
        }
        .encode();
        // The length comes last: while it is zero the block counts as open, should we be killed here.
        bytes[start + 8..start + BLOCK_HEAD].copy_from_slice(&head[8..]);
        fence(Ordering::SeqCst);
        bytes[start + 4..start + 8].copy_from_slice(&head[4..8]);
    }

    /// After `resume`: finds the block in which `at` lies, and opens it again.
    fn reopen_block(&mut self) {
        let at = self.at;
        // `at` may be the end of a full block: then that block is closed, and the next append goes on.
        self.block = at.saturating_sub(1) / super::segment::BLOCK;
        let (start, end) = block_span(self.block);
        if at <= start + BLOCK_HEAD {
            self.at = start + BLOCK_HEAD;
            self.block_records = 0;
            let from = start;
            self.bytes()[from..end].fill(0);
            return;
        }
        let mut records = 0;
        let mut next = start + BLOCK_HEAD;
        let bytes = self.bytes();
        while next < at {
            next += usize::from(u16::from_le_bytes([bytes[next], bytes[next + 1]]));
            records += 1;
        }
        assert_eq!(next, at, "the reader ended at the end of a record");
        bytes[at..end].fill(0);
        let open = BlockHead::decode(&bytes[start..]).expect("a block with records has a header");
        let head = BlockHead {
            used: 0,
            records: 0,
            crc: 0,
            ..open
        };
        bytes[start..start + BLOCK_HEAD].copy_from_slice(&head.encode());
        self.block_records = records;
    }

    fn next_block(&mut self) -> Result<(), LogError> {
        let (start, _) = block_span(self.block + 1);
        if start < self.current.as_ref().expect("the log is open").len() {
            self.close_block();
            self.block += 1;
            self.block_records = 0;
            self.at = start + BLOCK_HEAD;
            return Ok(());
        }
        let next = match self.spare.take() {
            Some(spare) => spare,
            None => Mapped::create(&self.folder, self.number + 1, self.limits.segment_bytes)?,
        };
        self.close_block();
        self.number += 1;
        self.current = Some(next);
        self.begin_segment();
        self.forget()?;
        // Without a spare the load ends (`is_full`), and there is room for the ends of what was begun. Whatever stands in
        // the way is told when that room is used up too.
        self.spare = Mapped::create(&self.folder, self.number + 1, self.limits.segment_bytes).ok();
        Ok(())
    }

    /// Removes the oldest segments until the current ones and the next spare fit in the limit.
    fn forget(&mut self) -> Result<(), LogError> {
        let fits = self.limits.bytes_max / self.limits.segment_bytes;
        while self.number + 1 - self.oldest + 1 > fits {
            let path = path_of(&self.folder, self.oldest);
            std::fs::remove_file(&path).map_err(|e| LogError::io(&path, e))?;
            self.oldest += 1;
            let oldest = path_of(&self.folder, self.oldest);
            let mut head = [0; SEGMENT_HEAD];
            let read = File::open(&oldest).and_then(|mut file| file.read_exact(&mut head));
            read.map_err(|e| LogError::io(&oldest, e))?;
            self.forgotten = SegmentHead::decode(&head, &oldest)?.records_before;
        }
        Ok(())
    }
}
