//! Copies the write-ahead log into the database beside the commits, not in one of them.
//!
//! Left to itself SQLite copies in the commit that fills the thousandth page, and all of that group wait for a page
//! of every shard and for the sync of another file. Must not know what is committed.
//!
//! Invariants:
//! 1. Copying never waits for readers or writers, and nothing but SQLite touches the files.
//! 2. The log stays bounded. It begins anew only when all of it was copied, and a thread that copies while commits
//!    go on never gets that far: beyond [`Limits::own`] pages the committing thread copies the rest itself, as soon as the
//!    other has left it no more than [`Limits::rest`].
//! 3. What an earlier process left in the log (it was killed, or its disk was full) is copied before the first commit, as far as
//!    that goes without waiting: else a log that fills a disk would stay there, and grow, when room has been made.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::{connect, failure};
use crate::mutant::Mutant;
use crate::store::StoreError;

/// Lengths of the log, in pages of the database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The thread copies each time so many have come.
    pub(super) thread: i32,
    /// From here on the log is to begin anew,
    pub(super) own: i32,
    /// for which the committing thread copies no more than this; unless the thread does not get that far for as long as
    /// another log of `own`.
    pub(super) rest: i32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            thread: 1000,
            own: 4000,
            rest: 400,
        }
    }
}

/// Copies the log of one writing connection.
pub(super) struct Checkpoints {
    limits: Limits,
    /// Length of the log after the last commit, written by SQLite's hook.
    pages: Arc<AtomicI32>,
    seen: i32,
    /// Where the thread copies next, and where the committing thread may.
    next: (i32, i32),
    /// Of the log, what was copied when a copier last looked. A log that began anew meanwhile makes it too great, and the
    /// committing thread's share too.
    copied: Arc<AtomicI32>,
    wake: SyncSender<()>,
    /// Two cannot copy at once: SQLite turns the second away.
    copying: Arc<Mutex<()>>,
    mutant: Mutant,
}

impl Checkpoints {
    /// Takes over from SQLite's own copying on `writer`, a connection to the database at `path`.
    pub(super) fn start(
        path: &Path,
        writer: &mut Connection,
        limits: Limits,
        mutant: Mutant,
    ) -> Result<Checkpoints, StoreError> {
        let copier = connect(path, mutant)?;
        let pages = Arc::new(AtomicI32::new(0));
        let length = Arc::clone(&pages);
        writer
            .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
                length.store(pages, Ordering::Relaxed);
                Ok(())
            }))
            .map_err(|e| failure(&e))?;
        let copying = Arc::new(Mutex::new(()));
        if mutant != Mutant::LogNeverCopied {
            copy(writer, &copying, &AtomicI32::new(0), mutant);
        }
        let theirs = Arc::clone(&copying);
        let copied = Arc::new(AtomicI32::new(0));
        let progress = Arc::clone(&copied);
        let (wake, woken) = sync_channel(1);
        std::thread::Builder::new()
            .name("shard-sqlite-copy".into())
            .spawn(move || {
                while woken.recv().is_ok() {
                    copy(&copier, &theirs, &progress, mutant);
                }
            })
            .expect("a thread can be started");
        Ok(Checkpoints {
            limits,
            pages,
            seen: 0,
            next: (limits.thread, limits.own),
            copied,
            wake,
            copying,
            mutant,
        })
    }

    /// Pages in the log after the last commit.
    pub(super) fn length(&self) -> i32 {
        self.pages.load(Ordering::Relaxed)
    }

    /// Called after each commit of `writer`, in its turn.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        let pages = self.length();
        if self.mutant == Mutant::LogNeverCopied {
            return;
        }
        let Limits { thread, own, rest } = self.limits;
        if pages < self.seen && self.mutant != Mutant::LogLimitsNotReset {
            self.next = (thread, own);
            self.copied.store(0, Ordering::Relaxed);
        }
        self.seen = pages;
        let late = pages >= self.next.1;
        let left = pages - self.copied.load(Ordering::Relaxed);
        if late && (left <= rest || pages >= self.next.1 + own) {
            copy(writer, &self.copying, &self.copied, self.mutant);
            // Readers of old versions, or another process that copies, may have kept it from the end.
            self.next = (pages + thread, pages + thread);
        } else if pages >= self.next.0 {
            // A thread that is busy copies once more when it is done.
            let _ = self.wake.try_send(());
            self.next.0 = pages + if late { rest } else { thread };
        }
    }
}

/// Copies what can be copied without waiting. What fails stays in the log, which is as durable, and is tried again.
fn copy(connection: &Connection, copying: &Mutex<()>, copied: &AtomicI32, mutant: Mutant) {
    let _one = copying.lock();
    let mode = match mutant {
        Mutant::CopyWaits => CheckpointMode::FULL,
        _ => CheckpointMode::PASSIVE,
    };
    if let Ok((_, pages)) = connection.wal_checkpoint_v2(None::<&str>, mode) {
        copied.store(pages, Ordering::Relaxed);
    }
}
