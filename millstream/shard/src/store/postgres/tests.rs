//! Against a real server: conformance, and the fork that a guarded insert makes where ours does not (H1).

use std::sync::Arc;

use bytes::Bytes;
use tokio_postgres::NoTls;

use super::PostgresConsensus;
use crate::ids::SeqNo;
use crate::mutant::Mutant;
use crate::rt::block_on;
use crate::store::servers::PostgresServer;
use crate::store::{CasResult, Consensus, StoreError, Versioned, conformance};

fn version(number: u64) -> Versioned {
    Versioned {
        seqno: SeqNo::new(number).unwrap(),
        data: Bytes::from(number.to_string()),
    }
}

#[test]
fn postgres_is_a_consensus() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let open = || Arc::new(block_on(PostgresConsensus::open(&server.url("postgres"))).unwrap());
    block_on(conformance::consensus(open(), &mut || open())).unwrap();
}

#[test]
fn a_wrong_password_or_database_is_refused_for_good() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let error = block_on(PostgresConsensus::open(&server.url("nowhere"))).unwrap_err();
    assert!(error.permanent, "{error}");
}

/// A compare-and-set on version 3 pauses inside its transaction, at its first statement that meets another's
/// transaction; meanwhile that one commits 4 to 6 and truncates past them all. Answers what it was told, and the
/// versions that are there afterwards.
async fn a_stale_request_pauses(
    server: &PostgresServer,
    key: &'static str,
    mutant: Mutant,
) -> (Result<CasResult, StoreError>, Vec<u64>) {
    let store = PostgresConsensus::with(&server.url("postgres"), mutant)
        .await
        .unwrap();
    for number in 1..=3 {
        let expected = SeqNo::new(number - 1).filter(|s| *s > SeqNo::ZERO);
        let answer = store.compare_and_set(key, expected, version(number)).await;
        assert_eq!(answer, Ok(CasResult::Committed));
    }
    let (theirs, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls)
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    theirs
        .batch_execute(&format!(
            "BEGIN;
             INSERT INTO millstream_consensus VALUES ('{key}', 4, ''), ('{key}', 5, ''), ('{key}', 6, '');
             DELETE FROM millstream_consensus WHERE shard = '{key}' AND seq > 0 AND seq < 6"
        ))
        .await
        .unwrap();
    let stale = store.clone();
    let asked = tokio::spawn(async move { stale.compare_and_set(key, SeqNo::new(3), version(4)).await });
    // Until the server says that somebody waits for a lock: the request is inside its transaction.
    let (watcher, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls)
        .await
        .unwrap();
    let watching = tokio::spawn(connection);
    loop {
        let waiting = watcher
            .query(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
                &[],
            )
            .await
            .unwrap();
        if !waiting.is_empty() {
            break;
        }
        assert!(!asked.is_finished(), "it met nobody: {:?}", asked.await);
    }
    theirs.batch_execute("COMMIT").await.unwrap();
    let answer = asked.await.unwrap();
    let left = store.scan(key, SeqNo::ZERO, 99).await.unwrap();
    drop((driver, watching));
    (answer, left.iter().map(|v| v.seqno.get()).collect())
}

/// A server and an executor; `None` where there is no PostgreSQL, which is said, and a failure in CI.
fn served() -> Option<(PostgresServer, tokio::runtime::Runtime)> {
    let server = PostgresServer::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Some((server, runtime.unwrap()))
}

/// Nothing was shown, neither the claim nor the defect.
fn left_out(mutant: Mutant) -> Result<(), String> {
    (mutant == Mutant::None)
        .then_some(())
        .ok_or_else(|| "left out".to_owned())
}

pub(crate) fn a_stale_request_does_not_fork_the_log(mutant: Mutant) -> Result<(), String> {
    let Some((server, runtime)) = served() else {
        return left_out(mutant);
    };
    match runtime.block_on(a_stale_request_pauses(&server, "k", mutant)) {
        (Ok(CasResult::ExpectationMismatch), left) if left == [6] => Ok(()),
        (answer, left) => Err(format!("it was told {answer:?}, and the log is {left:?}")),
    }
}

/// A database whose commits do not wait for the disk: ours do, on the first connection and on the one that takes its
/// place. A trigger notes what holds where a version is inserted.
pub(crate) fn postgres_syncs_what_it_commits(mutant: Mutant) -> Result<(), String> {
    let Some((server, runtime)) = served() else {
        return left_out(mutant);
    };
    let noted = runtime.block_on(levels_of_commits(&server, mutant));
    match noted.iter().all(|level| level == "on") && noted.len() >= 2 {
        true => Ok(()),
        false => Err(format!(
            "versions were committed with synchronous_commit {noted:?}"
        )),
    }
}

/// What `synchronous_commit` was at each insert of a version, two connections long.
async fn levels_of_commits(server: &PostgresServer, mutant: Mutant) -> Vec<String> {
    let (admin, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls)
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    admin
        .batch_execute(
            "ALTER DATABASE postgres SET synchronous_commit = off;
             CREATE TABLE noted (level TEXT NOT NULL);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$",
        )
        .await
        .unwrap();
    let store = PostgresConsensus::with(&server.url("postgres"), mutant)
        .await
        .unwrap();
    admin
        .batch_execute(
            "CREATE TRIGGER note BEFORE INSERT ON millstream_consensus FOR EACH ROW EXECUTE FUNCTION note()",
        )
        .await
        .unwrap();
    let first = store.compare_and_set("k", None, version(1)).await;
    assert_eq!(first, Ok(CasResult::Committed));
    admin
        .batch_execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'millstream'",
        )
        .await
        .unwrap();
    // The first to notice that its connection is gone gets no answer, and its request was not committed.
    while store
        .compare_and_set("k", SeqNo::new(1), version(2))
        .await
        .is_err()
    {}
    let rows = admin.query("SELECT level FROM noted", &[]).await.unwrap();
    drop(driver);
    rows.iter().map(|row| row.get(0)).collect()
}
