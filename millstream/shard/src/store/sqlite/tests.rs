//! SQLite against the conformance suite, and against other processes: stale requests, and turns.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::versions::Sweep;
use super::{Checkpoints, Limits, Request, SqliteConsensus};
use crate::ids::SeqNo;
use crate::mutant::Mutant;
use crate::rt::block_on;
use crate::store::{CasResult, Consensus, StoreError, Versioned, conformance};

fn connect(path: &Path) -> Connection {
    super::connect(path, Mutant::None).unwrap()
}

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

/// A writing connection to a new file that copies its log at these lengths.
fn writer_that_copies(path: &Path, limits: Limits, mutant: Mutant) -> (Connection, Checkpoints) {
    let mut writer = connect(path);
    writer.execute_batch(super::SCHEMA).unwrap();
    writer
        .execute("INSERT INTO shards (id, shard) VALUES (1, 'a')", [])
        .unwrap();
    let checkpoints = Checkpoints::start(path, &mut writer, limits, mutant).unwrap();
    (writer, checkpoints)
}

/// Commits one version of 4,000 bytes, and what follows a commit.
fn commit(writer: &Connection, checkpoints: &mut Checkpoints, seq: i64) {
    let values = rusqlite::params![1, seq, vec![7u8; 4000]];
    writer
        .execute(
            "INSERT INTO versions (shard, seq, data) VALUES (?1, ?2, ?3)",
            values,
        )
        .unwrap();
    checkpoints.after_commit(writer);
}

/// A connection that reads the file as it is now until it is dropped.
fn reader_of_now(path: &Path) -> Connection {
    let reader = connect(path);
    reader.execute_batch("BEGIN").unwrap();
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    reader
        .query_row("SELECT count(*) FROM versions", [], count)
        .unwrap();
    reader
}

/// While somebody reads an old version the log cannot begin anew and grows; once he is gone it is as short as ever.
pub(crate) fn the_log_stays_bounded(mutant: Mutant) -> Result<(), String> {
    // Where all may be left to the committing thread, and where next to nothing may.
    for rest in [2 * OWN, 4] {
        the_log_stays_bounded_with(rest, mutant)?;
    }
    Ok(())
}

const OWN: i32 = 64;

fn the_log_stays_bounded_with(rest: i32, mutant: Mutant) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let limits = Limits {
        thread: 16,
        own: OWN,
        rest,
    };
    let (writer, mut checkpoints) = writer_that_copies(&path, limits, mutant);
    let reader = reader_of_now(&path);
    for seq in 0..400 {
        commit(&writer, &mut checkpoints, seq);
    }
    let held = checkpoints.length();
    if held < 4 * OWN {
        return Err(format!("{held} pages are no long log"));
    }
    drop(reader);
    let (mut anew, mut longest, mut last) = (false, 0, held);
    for seq in 400..1200 {
        commit(&writer, &mut checkpoints, seq);
        let length = checkpoints.length();
        anew |= length < last;
        longest = if anew { longest.max(length) } else { 0 };
        last = length;
    }
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let rows = writer.query_row("SELECT count(*) FROM versions", [], count);
    assert_eq!(rows, Ok(1200));
    // Twice as long at most, where the other thread has to come first. A commit of a few pages that begins below the limit
    // may end above it.
    let most = if rest < OWN { 2 * OWN } else { OWN };
    match anew && longest < most + 16 {
        true => Ok(()),
        false => Err(format!(
            "began anew: {anew}; then up to {longest} pages, {last} at the end"
        )),
    }
}

/// What a process left that was killed, or had no room to copy: a new one copies it, and the log begins anew.
pub(crate) fn what_was_left_in_the_log_is_copied(mutant: Mutant) -> Result<(), String> {
    const LEFT: i32 = 200;
    let folder = tempfile::tempdir().unwrap();
    let (killed, path) = (
        folder.path().join("killed.sqlite"),
        folder.path().join("c.sqlite"),
    );
    let (writer, mut checkpoints) = writer_that_copies(&killed, Limits::default(), Mutant::LogNeverCopied);
    for seq in 0..LEFT {
        commit(&writer, &mut checkpoints, i64::from(seq));
    }
    assert!(checkpoints.length() > LEFT, "a page of data each");
    std::fs::copy(&killed, &path).unwrap();
    std::fs::copy(
        folder.path().join("killed.sqlite-wal"),
        folder.path().join("c.sqlite-wal"),
    )
    .unwrap();
    let mut writer = connect(&path);
    let mut checkpoints = Checkpoints::start(&path, &mut writer, Limits::default(), mutant).unwrap();
    commit(&writer, &mut checkpoints, i64::from(LEFT));
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i32>(0);
    let rows = writer.query_row("SELECT count(*) FROM versions", [], count);
    assert_eq!(rows, Ok(LEFT + 1));
    match checkpoints.length() {
        pages if pages < 16 => Ok(()),
        pages => Err(format!("the log goes on behind what was left: {pages} pages")),
    }
}

static WAITED: AtomicBool = AtomicBool::new(false);

/// Somebody reads an old version all the time, so not all of the log can be copied; nobody waits for that.
pub(crate) fn copying_waits_for_nobody(mutant: Mutant) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let limits = Limits {
        thread: 1000,
        own: 8,
        rest: 8,
    };
    let (mut writer, mut checkpoints) = writer_that_copies(&path, limits, mutant);
    WAITED.store(false, Ordering::SeqCst);
    writer
        .busy_handler(Some(|_| {
            WAITED.store(true, Ordering::SeqCst);
            false
        }))
        .unwrap();
    commit(&writer, &mut checkpoints, 0);
    let _reader = reader_of_now(&path);
    for seq in 1..20 {
        commit(&writer, &mut checkpoints, seq);
    }
    match WAITED.load(Ordering::SeqCst) {
        false => Ok(()),
        true => Err("a commit waited for a reader".to_owned()),
    }
}

/// A file is opened with a log that each commit syncs; what cannot have one is refused.
pub(crate) fn sqlite_syncs_what_it_commits(mutant: Mutant) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let connection =
        super::connect(&folder.path().join("c.sqlite"), mutant).map_err(|error| error.to_string())?;
    let level = connection.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0));
    let mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
    assert_eq!((level, mode), (Ok(2), Ok("wal".to_owned())));
    match super::connect(Path::new(":memory:"), mutant) {
        Err(error) if error.permanent => Ok(()),
        other => Err(format!("a database without a log was answered {other:?}")),
    }
}

/// A group whose disk is full: the mismatch in it is not told before it is known that the group is lost.
pub(crate) fn nothing_is_told_before_the_commit(mutant: Mutant) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut connection = connect(&folder.path().join("c.sqlite"));
    let prepare = |c: &Connection| -> rusqlite::Result<()> {
        c.execute_batch(super::SCHEMA)?;
        c.execute_batch(
            "INSERT INTO shards (id, shard) VALUES (1, 'a'); INSERT INTO versions VALUES (1, 1, 1, x'00')",
        )?;
        c.query_row("PRAGMA max_page_count = 6", [], |_| Ok(()))
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
    super::commits::commit_group(
        &mut connection,
        vec![mismatch, too_big],
        &mut Sweep::new(mutant),
        mutant,
    )
    .give();
    match (first.try_recv(), second.try_recv()) {
        (Ok(Err(_)), Ok(Err(full))) if full.permanent => Ok(()),
        other => Err(format!("answered {other:?}")),
    }
}

/// Another process's transaction, and what is to happen while ours waits for it.
static PAUSED: Mutex<Option<Connection>> = Mutex::new(None);
/// One at a time: a busy handler is a function without surroundings.
static ALONE: Mutex<()> = Mutex::new(());

/// A compare-and-set on version 3 waits to begin; meanwhile others commit 4 to 6 and truncate past them all.
/// Answers what it was told, and the versions that are there afterwards.
fn a_stale_request_waits_to_begin(mutant: Mutant) -> (Result<CasResult, StoreError>, Vec<i64>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let mut ours = connect(&path);
    ours.execute_batch(super::SCHEMA).unwrap();
    ours.execute_batch(
        "INSERT INTO shards (id, shard) VALUES (1, 'k');
         INSERT INTO versions (shard, seq, data) VALUES (1, 1, x'01'), (1, 2, x'02'), (1, 3, x'03')",
    )
    .unwrap();
    let theirs = connect(&path);
    theirs
        .execute_batch(
            "BEGIN IMMEDIATE;
             INSERT INTO versions (shard, seq, data) VALUES (1, 4, x'04'), (1, 5, x'05'), (1, 6, x'06');
             DELETE FROM versions WHERE shard = 1 AND seq < 6",
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
    super::commits::commit_group(&mut ours, vec![request], &mut Sweep::new(mutant), mutant).give();
    assert!(PAUSED.lock().is_none(), "our BEGIN did not wait for theirs");
    let mut all = ours.prepare("SELECT seq FROM versions ORDER BY seq").unwrap();
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
fn a_writer_that_is_alone_commits_on_its_own_thread() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteConsensus::start(&folder.path().join("c.sqlite"), Mutant::None).unwrap();
    let version = |number: u64| Versioned {
        seqno: SeqNo::new(number).unwrap(),
        data: bytes::Bytes::from(number.to_string()),
    };
    let set = |key: &'static str, number: u64| -> crate::rt::Boxed<'_, _> {
        store.compare_and_set(
            key,
            SeqNo::new(number - 1).filter(|_| number > 1),
            version(number),
        )
    };
    for number in 1..=3 {
        let at_once = block_on(async { crate::rt::begin(&mut set("k", number)).await });
        assert_eq!(
            at_once,
            Some(Ok(CasResult::Committed)),
            "nobody had to be woken for {number}"
        );
    }
    // Of several at once only the first could be; all are committed.
    let all: Vec<_> = ["a", "b", "c", "d"].map(|key| set(key, 1)).into_iter().collect();
    let all = block_on(crate::rt::join_limited(all, 4));
    assert_eq!(all, vec![Ok(CasResult::Committed); 4]);
    let stale = block_on(set("k", 3));
    assert_eq!(stale, Ok(CasResult::ExpectationMismatch));
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
    let mut ours = connect(&path);
    let paused = ours
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .unwrap();
    let judged = super::commits::judge(&paused, "k", SeqNo::new(1), &version(2), None).unwrap();
    assert_eq!(judged, Ok(CasResult::Committed));
    let theirs = connect(&path);
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
