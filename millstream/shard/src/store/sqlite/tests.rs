use std::sync::Arc;

use super::SqliteConsensus;
use crate::rt::block_on;
use crate::store::conformance;

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
