use std::sync::Arc;

use super::{Request, SqliteConsensus};
use crate::ids::SeqNo;
use crate::mutant::Mutant;
use crate::rt::block_on;
use crate::store::{Versioned, conformance};

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

/// A group whose disk is full: the mismatch in it is not told before it is known that the group is lost.
fn nothing_is_told_before_the_commit(mutant: Mutant) -> Result<(), String> {
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

#[test]
fn h_4_nothing_of_a_group_is_told_before_its_commit() {
    nothing_is_told_before_the_commit(Mutant::None).unwrap();
    let mutant = nothing_is_told_before_the_commit(Mutant::AnswerBeforeCommit);
    assert!(mutant.is_err(), "H4 does not notice AnswerBeforeCommit");
}
