//! SQLite against the conformance suite, and against other processes: stale requests, and turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use parking_lot::Mutex;

use super::{Checkpoints, Limits, Request, SqliteConsensus};
use crate::ids::SeqNo;
use crate::mutant::Mutant;
use crate::rt::block_on;
use crate::store::{CasResult, Consensus, StoreError, Versioned, conformance};

#[test]
fn sqlite_is_a_consensus() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consensus.sqlite");
    let open = || Arc::new(SqliteConsensus::open(&path).unwrap());
    block_on(conformance::consensus(open(), &mut || open())).unwrap();
}

#[test]
fn the_same_file_is_the_same_store_in_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consensus.sqlite");
    let first = SqliteConsensus::open(&path).unwrap();
    let second = SqliteConsensus::open(&folder.path().join(".").join("consensus.sqlite")).unwrap();
    assert!(Arc::ptr_eq(&first.core, &second.core));
}

#[test]
fn a_file_that_is_no_database_is_refused_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consensus.sqlite");
    std::fs::write(
        &path,
        "not a database, but long enough to be mistaken for one".repeat(20),
    )
    .unwrap();
    let error = SqliteConsensus::open(&path).unwrap_err();
    assert!(error.permanent, "{error}");
}

#[test]
fn the_log_stays_bounded_while_commits_go_on() {
    const PAGE: u64 = 4096;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let mut writer = super::connect(&path).unwrap();
    writer.execute_batch(super::SCHEMA).unwrap();
    let limits = Limits { thread: 8, own: 64 };
    let mut checkpoints = Checkpoints::start(&path, &mut writer, limits).unwrap();
    let insert = |writer: &rusqlite::Connection, seq: i64| {
        let values = rusqlite::params!["a", seq, vec![7u8; 4000]];
        writer
            .execute("INSERT INTO consensus VALUES (?1, ?2, ?3)", values)
            .unwrap()
    };
    for seq in 0..400 {
        insert(&writer, seq);
        checkpoints.after_commit(&writer);
    }
    let log = std::fs::metadata(folder.path().join("c.sqlite-wal"))
        .unwrap()
        .len();
    assert!(log < 2 * 64 * PAGE, "the log has {log} bytes");
    let rows: i64 = writer
        .query_row("SELECT count(*) FROM consensus", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 400);
}

/// A group whose disk is full: the mismatch in it is not told before it is known that the group is lost.
pub(crate) fn nothing_is_told_before_the_commit(mutant: Mutant) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut connection = super::connect(&folder.path().join("c.sqlite")).map_err(|e| e.to_string())?;
    let prepare = |c: &rusqlite::Connection| -> rusqlite::Result<()> {
        c.execute_batch(super::SCHEMA)?;
        c.execute("INSERT INTO consensus VALUES ('a', 1, x'00')", [])?;
        c.query_row("PRAGMA max_page_count = 4", [], |_| Ok(()))
    };
    prepare(&connection).map_err(|e| e.to_string())?;
    let request = |key: &str, bytes: usize| {
        let (answer, receiver) = tokio::sync::oneshot::channel();
        let new = Versioned {
            seqno: SeqNo::FIRST,
            data: vec![7; bytes].into(),
        };
        (
            Request::Cas {
                key: key.to_owned(),
                expected: None,
                new,
                answer,
            },
            receiver,
        )
    };
    let (mismatch, mut first) = request("a", 1);
    let (too_big, mut second) = request("b", 1 << 20);
    super::commit_group(&mut connection, vec![mismatch, too_big], mutant);
    match (first.try_recv(), second.try_recv()) {
        (Ok(Err(_)), Ok(Err(full))) if full.permanent => Ok(()),
        other => Err(format!("answered {other:?}")),
    }
}

/// Another process's transaction, and what is to happen while ours waits for it.
static PAUSED: Mutex<Option<rusqlite::Connection>> = Mutex::new(None);
/// One at a time: a busy handler is a function without surroundings.
static ALONE: Mutex<()> = Mutex::new(());

/// A compare-and-set on version 3 waits to begin; meanwhile others commit 4 to 6 and truncate past them all.
/// Answers what it was told, and the versions that are there afterwards.
fn a_stale_request_waits_to_begin(mutant: Mutant) -> (Result<CasResult, StoreError>, Vec<i64>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let mut ours = super::connect(&path).unwrap();
    ours.execute_batch(super::SCHEMA).unwrap();
    ours.execute_batch("INSERT INTO consensus VALUES ('k', 1, x'01'), ('k', 2, x'02'), ('k', 3, x'03')")
        .unwrap();
    let theirs = super::connect(&path).unwrap();
    theirs
        .execute_batch(
            "BEGIN IMMEDIATE;
             INSERT INTO consensus VALUES ('k', 4, x'04'), ('k', 5, x'05'), ('k', 6, x'06');
             DELETE FROM consensus WHERE shard = 'k' AND seq < 6",
        )
        .unwrap();
    let _alone = ALONE.lock();
    *PAUSED.lock() = Some(theirs);
    // Called when our BEGIN finds the database busy: only now do the others commit.
    ours.busy_handler(Some(|_| {
        let theirs = PAUSED.lock().take();
        theirs.is_some_and(|theirs| theirs.execute_batch("COMMIT").is_ok())
    }))
    .unwrap();
    let (answer, mut receiver) = tokio::sync::oneshot::channel();
    let request = Request::Cas {
        key: "k".to_owned(),
        expected: SeqNo::new(3),
        new: Versioned {
            seqno: SeqNo::new(4).unwrap(),
            data: bytes::Bytes::from_static(b"fork"),
        },
        answer,
    };
    super::commit_group(&mut ours, vec![request], mutant);
    assert!(PAUSED.lock().is_none(), "our BEGIN did not wait for theirs");
    let mut all = ours.prepare("SELECT seq FROM consensus ORDER BY seq").unwrap();
    let left = all.query_map([], |row| row.get(0)).unwrap();
    (receiver.try_recv().unwrap(), left.map(Result::unwrap).collect())
}

pub(crate) fn a_request_is_judged_after_it_began(mutant: Mutant) -> Result<(), String> {
    match a_stale_request_waits_to_begin(mutant) {
        (Ok(CasResult::ExpectationMismatch), left) if left == [6] => Ok(()),
        (answer, left) => Err(format!("it was told {answer:?}, and the log is {left:?}")),
    }
}

#[test]
fn h_1_nobody_commits_past_a_request_that_began() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let store = SqliteConsensus::start(&path, Mutant::None).unwrap();
    let version = |number: u64| Versioned {
        seqno: SeqNo::new(number).unwrap(),
        data: bytes::Bytes::from(number.to_string()),
    };
    block_on(store.compare_and_set("k", None, version(1))).unwrap();
    // Ours pauses between its judgement and its commit.
    let mut ours = super::connect(&path).unwrap();
    let paused = ours
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .unwrap();
    let judged = super::judge(&paused, "k", SeqNo::new(1), &version(2), None).unwrap();
    assert_eq!(judged, Ok(CasResult::Committed));
    let theirs = super::connect(&path).unwrap();
    theirs.busy_timeout(std::time::Duration::ZERO).unwrap();
    let refused = theirs.execute_batch("BEGIN IMMEDIATE").unwrap_err();
    assert_eq!(
        refused.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy)
    );
    paused.commit().unwrap();
    let answer = block_on(store.compare_and_set("k", SeqNo::new(1), version(2)));
    assert_eq!(answer, Ok(CasResult::ExpectationMismatch));
}

/// Four stores on one file, as four processes have them, commit as fast as they can until one of them has
/// committed `enough` times. Answers how often each did.
fn commits_of_four(mutant: Mutant, enough: u64) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let stores: Vec<SqliteConsensus> = (0..4)
        .map(|_| SqliteConsensus::start(&path, mutant).unwrap())
        .collect();
    let over = AtomicBool::new(false);
    let begin = Barrier::new(stores.len());
    std::thread::scope(|scope| {
        let running: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(index, store)| {
                let (over, begin) = (&over, &begin);
                scope.spawn(move || {
                    let key = format!("k{index}");
                    let mut last = None;
                    let mut count = 0;
                    begin.wait();
                    while !over.load(Ordering::SeqCst) {
                        let next = last.map_or(SeqNo::FIRST, SeqNo::next);
                        let new = Versioned {
                            seqno: next,
                            data: bytes::Bytes::from_static(b"x"),
                        };
                        // Busy is an answer too: it was not this one's turn.
                        if block_on(store.compare_and_set(&key, last, new)) == Ok(CasResult::Committed) {
                            last = Some(next);
                            count += 1;
                        }
                        if count == enough {
                            over.store(true, Ordering::SeqCst);
                        }
                    }
                    count
                })
            })
            .collect();
        running.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

/// How often each of four committed when somebody starved, three times running. On a busy machine a thread without
/// a core looks like a store without a turn, but hardly three times running.
fn somebody_starves(mutant: Mutant) -> Option<Vec<u64>> {
    let mut starved = None;
    for _ in 0..3 {
        let commits = commits_of_four(mutant, 300);
        println!("commits of four processes: {commits:?} ({mutant:?})");
        let most = commits.iter().max().copied().unwrap_or(0);
        if commits.iter().all(|count| *count >= most / 3) {
            return None;
        }
        starved = Some(commits);
    }
    starved
}

pub(crate) fn writers_of_several_processes_take_turns(mutant: Mutant) -> Result<(), String> {
    // Who starves without turns is SQLite's luck: a defect gets more than one chance to show.
    let chances = if mutant == Mutant::None { 1 } else { 10 };
    for _ in 0..chances {
        if let Some(commits) = somebody_starves(mutant) {
            return Err(format!("somebody starved, three times running: {commits:?}"));
        }
    }
    Ok(())
}
