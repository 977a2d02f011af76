//! Against a real server: conformance, and the fork that a guarded insert makes where ours does not (H1).

use std::sync::Arc;

use bytes::Bytes;
use tokio_postgres::NoTls;

use super::{INSERT, LOCK_EXPECTED, PostgresConsensus};
use crate::ids::SeqNo;
use crate::rt::block_on;
use crate::store::servers::PostgresServer;
use crate::store::{CasResult, Consensus, Versioned, conformance};

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
    let open = || Arc::new(block_on(PostgresConsensus::open(&server.url())).unwrap());
    block_on(conformance::consensus(open(), &mut || open())).unwrap();
}

#[test]
fn a_wrong_password_or_database_is_refused_for_good() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let error = block_on(PostgresConsensus::open(&server.url_of("nowhere"))).unwrap_err();
    assert!(error.permanent, "{error}");
}

/// A writer reads, pauses inside its transaction while others commit and truncate past it, then writes.
async fn paused_writer(url: &str, store: &PostgresConsensus, key: &str, ours: bool) -> bool {
    let set = async |number: u64| {
        let expected = SeqNo::new(number - 1).filter(|s| *s > SeqNo::ZERO);
        store
            .compare_and_set(key, expected, version(number))
            .await
            .unwrap()
    };
    for number in 1..=3 {
        assert_eq!(set(number).await, CasResult::Committed);
    }
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client
        .batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        .await
        .unwrap();
    let may = if ours {
        !client
            .query(LOCK_EXPECTED, &[&key, &3i64])
            .await
            .unwrap()
            .is_empty()
    } else {
        let newest: i64 = client
            .query_one(
                "SELECT max(seq) FROM millstream_consensus WHERE shard = $1",
                &[&key],
            )
            .await
            .unwrap()
            .get(0);
        newest == 3
    };
    assert!(may);
    for number in 4..=6 {
        assert_eq!(set(number).await, CasResult::Committed);
    }
    let other = store.clone();
    let name = key.to_owned();
    let cut = tokio::spawn(async move { other.truncate(&name, SeqNo::new(6).unwrap()).await });
    if !ours {
        cut.await.unwrap().unwrap();
        let made = client.query(INSERT, &[&key, &4i64, &&b"fork"[..]]).await.unwrap();
        client.batch_execute("COMMIT").await.unwrap();
        drop(driver);
        return !made.is_empty();
    }
    // Ours: the truncation waits for the lock on version 3, and version 4 is still there to refuse the insert.
    let made = client.query(INSERT, &[&key, &4i64, &&b"fork"[..]]).await.unwrap();
    client.batch_execute("COMMIT").await.unwrap();
    cut.await.unwrap().unwrap();
    drop(driver);
    !made.is_empty()
}

#[test]
fn h_1_a_guarded_insert_forks_and_a_locked_one_does_not() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = PostgresConsensus::open(&server.url()).await.unwrap();
        assert!(
            paused_writer(&server.url(), &store, "naive", false).await,
            "the naive insert did not fork"
        );
        assert!(
            !paused_writer(&server.url(), &store, "ours", true).await,
            "the locked insert forked"
        );
        let head = store.head("ours").await.unwrap().unwrap();
        assert_eq!(head.seqno.get(), 6);
        let stale = store.compare_and_set("ours", SeqNo::new(3), version(4)).await;
        assert_eq!(stale, Ok(CasResult::ExpectationMismatch));
    });
}
