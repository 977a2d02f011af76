//! Commits what has queued up as one transaction (H4).
//!
//! Must not know how versions lie in the file, nor when the log is copied.
//!
//! Invariants:
//! 1. Each request of a group is judged inside the transaction, in order of arrival; nothing is answered
//!    before COMMIT returned; after a failed COMMIT all of the group are indeterminate.
//! 2. One group at a time, in this process and, by `flock` on a side file, among all.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{Flock, FlockArg};
use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::checkpoint::Checkpoints;
use super::failure_of;
use super::queue::{Queue, Sender, queue};
use super::versions::{self, Sweep, newest, number};
use crate::clock::Clock;
use crate::ids::SeqNo;
use crate::mutant::Mutant;
use crate::rt::take_leave_to_block;
use crate::store::{CasResult, ErrorClass, StoreError, Versioned};

/// Requests committed together, at most.
const GROUP_MAX: usize = 1024;
/// Bytes committed together, at most.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// What is to be committed, and who waits for it.
pub(super) enum Request {
    Cas {
        key: String,
        expected: Option<SeqNo>,
        new: Versioned,
        answer: oneshot::Sender<Result<CasResult, StoreError>>,
    },
    Truncate {
        key: String,
        to: SeqNo,
        answer: oneshot::Sender<Result<Option<usize>, StoreError>>,
    },
}

impl Request {
    fn bytes(&self) -> usize {
        match self {
            Request::Cas { new, .. } => new.data.len(),
            Request::Truncate { .. } => 0,
        }
    }
}

/// What a group waits for that is not there yet, at most: this much of what the last group took.
const GATHERING_SHARE: u64 = 2;
/// And no longer than this,
const GATHERING_US_MAX: u64 = 2000;
/// nor for one that has not come so long after the one before.
const GATHERING_GAP_US: u64 = 500;

/// Commits, one group at a time: the writing connection and what belongs to it.
pub(super) struct Committer {
    connection: Connection,
    checkpoints: Checkpoints,
    lock: Option<File>,
    sweep: Sweep,
    /// Appends that the last group had, and those that came meanwhile.
    lately: usize,
    /// How long its transaction took.
    took_us: u64,
    mutant: Mutant,
}

impl Committer {
    /// On `connection`, in turns with other processes by `lock`.
    pub(super) fn new(
        connection: Connection,
        checkpoints: Checkpoints,
        lock: File,
        mutant: Mutant,
    ) -> Committer {
        Committer {
            connection,
            checkpoints,
            lock: Some(lock),
            sweep: Sweep::new(mutant),
            lately: 0,
            took_us: 0,
            mutant,
        }
    }

    /// Waits a moment for those who are expected.
    fn gather(&self, waiting: &mut VecDeque<Request>, requests: &Queue<Request>) {
        let most_us = (self.took_us / GATHERING_SHARE).min(GATHERING_US_MAX);
        requests.gather(waiting, self.lately, most_us, GATHERING_GAP_US);
    }

    /// Commits a group of those who wait, and answers them. `come` moves those who came meanwhile to the end.
    fn commit(&mut self, waiting: &mut VecDeque<Request>, come: &dyn Fn(&mut VecDeque<Request>)) {
        let file = self.lock.take().expect("it is put back below");
        let how = match self.mutant {
            Mutant::NoTurns => FlockArg::LockShared,
            _ => FlockArg::LockExclusive,
        };
        let guard = match Flock::lock(file, how) {
            Ok(guard) => guard,
            Err((file, error)) => {
                self.lock = Some(file);
                refuse_all(
                    waiting.drain(..).collect(),
                    &StoreError::determinate(format!("flock: {error}")),
                );
                return;
            }
        };
        come(waiting);
        let mut bytes = 0;
        let fits = |request: &&Request| {
            bytes += request.bytes();
            bytes < GROUP_BYTES_MAX
        };
        let count = waiting.iter().take(GROUP_MAX).take_while(fits).count().max(1);
        let group: Vec<Request> = waiting.drain(..count).collect();
        let writers = |requests: &mut dyn Iterator<Item = &Request>| {
            requests
                .filter(|request| matches!(request, Request::Cas { .. }))
                .count()
        };
        self.lately = writers(&mut group.iter());
        let began = Clock::monotonic_us();
        let answers = commit_group(&mut self.connection, group, &mut self.sweep, self.mutant);
        self.took_us = Clock::monotonic_us() - began;
        // Whoever comes from here on may be one who was just answered, and would be expected twice.
        come(waiting);
        self.lately += writers(&mut waiting.iter());
        answers.give();
        self.checkpoints.after_commit(&self.connection);
        self.lock = Some(guard.unlock().unwrap_or_else(|(guard, _)| {
            // An unlock that fails is undone by closing the file; open descriptors share the lock's file.
            guard.try_clone().expect("a file can be cloned")
        }));
    }
}

/// The way to the [`Committer`]: by its thread, or at once where nobody else is there.
///
/// Those who were just answered are about to come again. Taken one by one, half of them would always find the others'
/// group under way and wait for two commits, and each commit would carry half: so a group waits a moment for
/// as many as there were lately. A writer that is alone never waits, and where its thread may block
/// ([`take_leave_to_block`]) it commits by itself: on a busy machine two changes of threads take as long as half a commit.
pub(super) struct Commits {
    sender: Sender<Request>,
    inner: Arc<Inner>,
}

struct Inner {
    committer: Mutex<Committer>,
    /// The thread has a group, or waits for its turn with one.
    at_work: AtomicBool,
    /// The last group had one append, and no other came meanwhile.
    one_lately: AtomicBool,
}

impl Commits {
    /// Starts the thread.
    pub(super) fn start(committer: Committer) -> Commits {
        let (sender, requests) = queue();
        let inner = Arc::new(Inner {
            committer: Mutex::new(committer),
            at_work: AtomicBool::new(false),
            one_lately: AtomicBool::new(true),
        });
        let shared = Arc::clone(&inner);
        std::thread::Builder::new()
            .name("shard-sqlite".into())
            .spawn(move || commit_loop(&shared, &requests))
            .expect("a thread can be started");
        Commits { sender, inner }
    }

    /// Has `request` committed; it is answered when it is.
    pub(super) fn send(&self, request: Request) {
        if let Some(mut committer) = self.for_one() {
            committer.commit(&mut VecDeque::from([request]), &|_| {});
        } else {
            self.sender.send(request);
        }
    }

    /// The committer, if this thread may block, nobody else is at it, and nobody else was lately.
    fn for_one(&self) -> Option<MutexGuard<'_, Committer>> {
        let alone = || !self.inner.at_work.load(Ordering::SeqCst) && self.sender.is_empty();
        if !self.inner.one_lately.load(Ordering::SeqCst) || !alone() || !take_leave_to_block() {
            return None;
        }
        let committer = self.inner.committer.try_lock()?;
        alone().then_some(committer)
    }
}

/// Takes what has queued up and commits it, for ever.
fn commit_loop(inner: &Inner, requests: &Queue<Request>) {
    let mut waiting: VecDeque<Request> = VecDeque::new();
    loop {
        if waiting.is_empty() {
            inner.at_work.store(false, Ordering::SeqCst);
            if !requests.take_some(&mut waiting) {
                return;
            }
        }
        inner.at_work.store(true, Ordering::SeqCst);
        let mut committer = inner.committer.lock();
        committer.gather(&mut waiting, requests);
        committer.commit(&mut waiting, &|waiting| requests.take(waiting));
        inner.one_lately.store(committer.lately <= 1, Ordering::SeqCst);
    }
}

fn refuse_all(group: Vec<Request>, error: &StoreError) {
    for request in group {
        match request {
            Request::Cas { answer, .. } => drop(answer.send(Err(error.clone()))),
            Request::Truncate { answer, .. } => drop(answer.send(Err(error.clone()))),
        }
    }
}

enum Verdict {
    Cas(
        oneshot::Sender<Result<CasResult, StoreError>>,
        Result<CasResult, StoreError>,
    ),
    Truncate(
        oneshot::Sender<Result<Option<usize>, StoreError>>,
        Result<Option<usize>, StoreError>,
    ),
}

/// What becomes of a group.
#[must_use = "somebody waits for each of them"]
pub(super) struct Answers {
    verdicts: Vec<Verdict>,
    /// Whether the verdicts were committed.
    outcome: Result<(), StoreError>,
}

impl Answers {
    pub(super) fn give(self) {
        for verdict in self.verdicts {
            let outcome = self.outcome.clone();
            match verdict {
                Verdict::Cas(answer, value) => drop(answer.send(outcome.and(value))),
                Verdict::Truncate(answer, value) => drop(answer.send(outcome.and(value))),
            }
        }
    }
}

/// One transaction for all of `group`. Nobody is answered yet.
pub(super) fn commit_group(
    connection: &mut Connection,
    group: Vec<Request>,
    sweep: &mut Sweep,
    mutant: Mutant,
) -> Answers {
    let seen = (mutant == Mutant::JudgedBeforeBegin).then(|| {
        let key = |request: &Request| match request {
            Request::Cas { key, .. } | Request::Truncate { key, .. } => key.clone(),
        };
        group
            .iter()
            .map(|r| newest(connection, &key(r)).unwrap_or(None))
            .collect::<Vec<_>>()
    });
    let path = connection.path().unwrap_or("?").to_owned();
    let transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        // Busy here is determinate: nothing was begun.
        Err(error) => {
            refuse_all(group, &failure_of(&path, &error));
            return Answers {
                verdicts: Vec::new(),
                outcome: Ok(()),
            };
        }
    };
    let mut verdicts = Vec::with_capacity(group.len());
    let mut broken = None;
    let written = group.len();
    for (index, request) in group.into_iter().enumerate() {
        verdicts.push(match request {
            Request::Cas {
                key,
                expected,
                new,
                answer,
            } => {
                let known = seen.as_ref().map(|seen| seen[index]);
                let verdict = judge(&transaction, &key, expected, &new, known).unwrap_or_else(|e| {
                    let failed = failure_of(&path, &e);
                    broken = Some(failed.clone());
                    Err(failed)
                });
                if mutant == Mutant::AnswerBeforeCommit && verdict == Ok(CasResult::ExpectationMismatch) {
                    let _ = answer.send(verdict);
                    continue;
                }
                Verdict::Cas(answer, verdict)
            }
            Request::Truncate { key, to, answer } => {
                let verdict = truncate(&transaction, &key, to).unwrap_or_else(|e| {
                    let failed = failure_of(&path, &e);
                    broken = Some(failed.clone());
                    Err(failed)
                });
                if !matches!(verdict, Ok(Some(0)) | Err(_)) {
                    sweep.owe();
                }
                Verdict::Truncate(answer, verdict)
            }
        });
    }
    if broken.is_none()
        && let Err(e) = sweep.go_on(&transaction, written)
    {
        broken = Some(failure_of(&path, &e));
    }
    // A statement that failed for the disk's sake has undone the others, or may have: nothing is committed.
    let outcome = match broken {
        // A full disk has ended the transaction already.
        Some(error) if transaction.is_autocommit() => Err(error),
        Some(error) => Err(transaction
            .rollback()
            .map_or_else(StoreError::indeterminate, |()| error)),
        None => transaction.commit().map_err(|e| StoreError {
            class: ErrorClass::Indeterminate,
            ..failure_of(&path, &e)
        }),
    };
    if outcome.is_err() {
        *sweep = Sweep::new(mutant);
    }
    Answers { verdicts, outcome }
}

pub(super) type Judged<T> = rusqlite::Result<Result<T, StoreError>>;

/// Compares with the newest version, looked up here and now; `known` is for the defect that looked before.
pub(super) fn judge(
    connection: &Connection,
    key: &str,
    expected: Option<SeqNo>,
    new: &Versioned,
    known: Option<Option<SeqNo>>,
) -> Judged<CasResult> {
    let newest = match known {
        Some(known) => known,
        None => newest(connection, key)?,
    };
    if newest != expected {
        return Ok(Ok(CasResult::ExpectationMismatch));
    }
    versions::add(connection, key, expected.is_none(), number(new.seqno), &new.data)?;
    Ok(Ok(CasResult::Committed))
}

fn truncate(connection: &Connection, key: &str, to: SeqNo) -> Judged<Option<usize>> {
    match newest(connection, key)? {
        None => Ok(Err(StoreError::determinate(format!(
            "truncate of unknown key {key}"
        )))),
        Some(head) if to > head => Ok(Err(StoreError::determinate(format!(
            "truncate to {to} is beyond the newest, {head}"
        )))),
        Some(_) => Ok(Ok(Some(versions::truncate(connection, key, to)?))),
    }
}
