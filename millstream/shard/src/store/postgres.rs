//! Consensus in PostgreSQL, for several hosts.
//!
//! One connection commits what has queued up as one transaction (H4), another reads.
//!
//! A compare-and-set runs at READ COMMITTED: `SELECT … WHERE seq = expected FOR KEY SHARE`, then the insert of
//! `expected + 1` in the same transaction. The lock keeps `expected` from being truncated under it, the primary
//! key decides between two; so version `expected + 1` is made only while `expected` is retained, and a
//! truncation that passed `expected` also passed its successor. An INSERT guarded by `max(seq) = expected`
//! forks below SERIALIZABLE (H1; `tests.rs` shows it). A sentinel with number 0, never truncated, guards the
//! first version and is hidden from reads.
//!
//! Invariants:
//! 1. Nothing of a group is answered before COMMIT returned (H4).
//! 2. `synchronous_commit` is on, on every connection.
//! 3. A failure before COMMIT was sent, and SQLSTATE 40001, 40P01, 23505, are determinate; all others are not.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use super::runtime::IoRuntime;
use super::{CasResult, Consensus, StoreError, Versioned, check_successor};
use crate::ids::SeqNo;
use crate::mutant::Mutant;

/// Requests committed together, at most.
const GROUP_MAX: usize = 256;
/// A group without an answer for this long is in doubt.
const GROUP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The table; made at open where it is missing.
pub const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS millstream_consensus (
    shard text NOT NULL,
    seq bigint NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (shard, seq)
)";
const SETUP: &str = "SET synchronous_commit = on; SET statement_timeout = '30s'";
/// The defect: what the database or the role says about synchronous commits holds.
const SETUP_AS_IT_COMES: &str = "SET statement_timeout = '30s'";
/// Locks the expected version; no row: it is not there, or not there any more.
const LOCK_EXPECTED: &str = "SELECT 1 FROM millstream_consensus WHERE shard = $1 AND seq = $2 FOR KEY SHARE";
/// What [`Mutant::MaxAtReadCommitted`] asks instead: right, and nothing holds it so until the insert (H1).
const MAX_IS_EXPECTED: &str =
    "SELECT 1 WHERE (SELECT max(seq) FROM millstream_consensus WHERE shard = $1) = $2";
/// Inserts the next version; no row: someone else has.
const INSERT: &str = "INSERT INTO millstream_consensus (shard, seq, data) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING RETURNING seq";
const HEAD: &str =
    "SELECT seq, data FROM millstream_consensus WHERE shard = $1 AND seq > 0 ORDER BY seq DESC LIMIT 1";
const SCAN: &str = "SELECT seq, data FROM millstream_consensus
    WHERE shard = $1 AND seq > 0 AND seq >= $2 ORDER BY seq LIMIT $3";
/// Answers the newest version, if any, and how many were deleted.
const TRUNCATE_RETURNING: &str = "WITH newest AS (
        SELECT max(seq) AS seq FROM millstream_consensus WHERE shard = $1 AND seq > 0
    ), gone AS (
        DELETE FROM millstream_consensus
        WHERE shard = $1 AND seq > 0 AND seq < $2 AND $2 <= (SELECT seq FROM newest)
        RETURNING seq
    )
    SELECT (SELECT seq FROM newest), (SELECT count(*) FROM gone)";
const HEADS: &str =
    "SELECT shard, max(seq) FROM millstream_consensus WHERE seq > 0 GROUP BY shard ORDER BY shard";

struct Request {
    key: String,
    expected: Option<SeqNo>,
    new: Versioned,
    answer: oneshot::Sender<Result<CasResult, StoreError>>,
}

/// A [`Consensus`] in a PostgreSQL table.
#[derive(Clone)]
pub struct PostgresConsensus {
    runtime: IoRuntime,
    requests: mpsc::UnboundedSender<Request>,
    reader: Arc<Mutex<Connector>>,
}

impl fmt::Debug for PostgresConsensus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresConsensus")
    }
}

impl PostgresConsensus {
    /// Connects, and makes the table if it is missing.
    pub async fn open(url: &str) -> Result<PostgresConsensus, StoreError> {
        PostgresConsensus::with(url, Mutant::None).await
    }

    pub(crate) async fn with(url: &str, mutant: Mutant) -> Result<PostgresConsensus, StoreError> {
        let config: Config = url.parse().map_err(|e: tokio_postgres::Error| {
            StoreError::determinate(format!("not a connection string: {e}")).permanent()
        })?;
        let runtime = IoRuntime::start("shard-postgres");
        let (requests, queue) = mpsc::unbounded_channel();
        let reader = Arc::new(Mutex::new(Connector::new(config.clone(), mutant)));
        let first = Arc::clone(&reader);
        runtime
            .run(async move { first.lock().await.session().await.map(drop) })
            .await?;
        runtime.spawn(commit_loop(Connector::new(config, mutant), queue));
        Ok(PostgresConsensus {
            runtime,
            requests,
            reader,
        })
    }

    /// Runs one query on the reading connection, which is made again after an error.
    async fn query(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        let reader = Arc::clone(&self.reader);
        self.runtime
            .run(async move {
                let mut reader = reader.lock().await;
                let answer = match reader.session().await {
                    Ok(session) => match tokio::time::timeout(GROUP_TIMEOUT, query.run(session)).await {
                        Ok(rows) => rows.map_err(|e| failure(&e)),
                        Err(_) => Err(StoreError::indeterminate("no answer in time")),
                    },
                    Err(error) => Err(error),
                };
                if answer.is_err() {
                    reader.session = None;
                }
                answer
            })
            .await
    }
}

enum Query {
    Head(String),
    Scan(String, i64, i64),
    Truncate(String, i64),
    Heads,
}

impl Query {
    async fn run(&self, session: &Session) -> Result<Vec<Row>, tokio_postgres::Error> {
        let client = &session.client;
        match self {
            Query::Head(key) => client.query(&session.head, &[key]).await,
            Query::Scan(key, from, limit) => client.query(&session.scan, &[key, from, limit]).await,
            Query::Truncate(key, to) => client.query(&session.truncate, &[key, to]).await,
            Query::Heads => client.query(&session.heads, &[]).await,
        }
    }
}

struct Session {
    client: Client,
    lock: Statement,
    insert: Statement,
    head: Statement,
    scan: Statement,
    truncate: Statement,
    heads: Statement,
}

/// A connection that is made when it is needed.
struct Connector {
    config: Config,
    session: Option<Session>,
    ready: bool,
    /// What each connection begins with.
    setup: &'static str,
    /// How the expected version is held.
    lock: &'static str,
}

impl Connector {
    fn new(mut config: Config, mutant: Mutant) -> Connector {
        config
            .connect_timeout(CONNECT_TIMEOUT)
            .application_name("millstream");
        Connector {
            config,
            session: None,
            ready: false,
            setup: match mutant {
                Mutant::CommitNotSynced => SETUP_AS_IT_COMES,
                _ => SETUP,
            },
            lock: match mutant {
                Mutant::MaxAtReadCommitted => MAX_IS_EXPECTED,
                _ => LOCK_EXPECTED,
            },
        }
    }

    async fn session(&mut self) -> Result<&Session, StoreError> {
        if self
            .session
            .as_ref()
            .is_none_or(|session| session.client.is_closed())
        {
            self.session = None;
            let client = connect(&self.config).await?;
            client.batch_execute(self.setup).await.map_err(|e| failure(&e))?;
            if !self.ready {
                // Needed before statements can be prepared; two openers may race to make it.
                if client
                    .simple_query("SELECT 1 FROM millstream_consensus LIMIT 0")
                    .await
                    .is_err()
                    && let Err(error) = client.batch_execute(SCHEMA).await
                    && error.code() != Some(&SqlState::UNIQUE_VIOLATION)
                    && error.code() != Some(&SqlState::DUPLICATE_TABLE)
                {
                    return Err(failure(&error));
                }
                self.ready = true;
            }
            let prepare = async |sql: &str| client.prepare(sql).await.map_err(|e| failure(&e));
            let statements = [
                prepare(self.lock).await?,
                prepare(INSERT).await?,
                prepare(HEAD).await?,
                prepare(SCAN).await?,
                prepare(TRUNCATE_RETURNING).await?,
                prepare(HEADS).await?,
            ];
            let [lock, insert, head, scan, truncate, heads] = statements;
            self.session = Some(Session {
                client,
                lock,
                insert,
                head,
                scan,
                truncate,
                heads,
            });
        }
        Ok(self.session.as_ref().expect("made above"))
    }
}

async fn connect(config: &Config) -> Result<Client, StoreError> {
    // Nothing was asked yet: a failure to connect is determinate.
    let refused = |e: tokio_postgres::Error| {
        let class = failure(&e);
        StoreError {
            class: super::ErrorClass::Determinate,
            ..class
        }
    };
    if config.get_ssl_mode() == SslMode::Require {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = rustls::RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
        let (client, connection) = config.connect(tls).await.map_err(refused)?;
        tokio::spawn(async move { drop(connection.await) });
        return Ok(client);
    }
    let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

fn failure(error: &tokio_postgres::Error) -> StoreError {
    let Some(code) = error.code() else {
        // Its own words leave out why: nobody listens, an unknown name, a broken pipe.
        let why = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        return StoreError::indeterminate(format!("PostgreSQL: {error}{}", why.unwrap_or_default()));
    };
    let text = error.as_db_error().map_or_else(
        || error.to_string(),
        |e| format!("{} ({})", e.message(), code.code()),
    );
    let text = text.as_str();
    match code.code() {
        "40001" | "40P01" | "23505" => StoreError::determinate(text),
        // Authorization, unknown database, privilege, read-only, disk full.
        "28000" | "28P01" | "3D000" | "42501" | "25006" | "53100" => {
            if code.code() == "53100" {
                StoreError::indeterminate(text).permanent()
            } else {
                StoreError::determinate(text).permanent()
            }
        }
        _ => StoreError::indeterminate(text),
    }
}

/// Takes what has queued up and commits it, until the last handle is dropped.
async fn commit_loop(mut connector: Connector, mut queue: mpsc::UnboundedReceiver<Request>) {
    while let Some(first) = queue.recv().await {
        let mut group = vec![first];
        while group.len() < GROUP_MAX {
            let Ok(next) = queue.try_recv() else { break };
            group.push(next);
        }
        // Sorted by key, so that two groups never wait for each other crosswise; stable, so that requests of
        // one key keep their order of arrival.
        group.sort_by(|a, b| a.key.cmp(&b.key));
        let outcome = match connector.session().await {
            Ok(session) => match tokio::time::timeout(GROUP_TIMEOUT, commit(session, &group)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(StoreError::indeterminate("no answer in time")),
            },
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            connector.session = None;
        }
        for (index, request) in group.into_iter().enumerate() {
            let verdict = outcome.clone().map(|verdicts| verdicts[index]);
            // A dropped caller does not withdraw its request.
            let _ = request.answer.send(verdict);
        }
    }
}

/// Judges a group in one transaction.
async fn commit(session: &Session, group: &[Request]) -> Result<Vec<CasResult>, StoreError> {
    let client = &session.client;
    // Until COMMIT is sent nothing can have happened.
    let judged = async {
        client
            .batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await?;
        let mut verdicts = Vec::with_capacity(group.len());
        for request in group {
            verdicts.push(judge(session, request).await?);
        }
        Ok::<_, tokio_postgres::Error>(verdicts)
    };
    let verdicts = match judged.await {
        Ok(verdicts) => verdicts,
        Err(error) => {
            let lost = failure(&error);
            return Err(StoreError {
                class: super::ErrorClass::Determinate,
                ..lost
            });
        }
    };
    client.batch_execute("COMMIT").await.map_err(|e| failure(&e))?;
    Ok(verdicts)
}

async fn judge(session: &Session, request: &Request) -> Result<CasResult, tokio_postgres::Error> {
    let client = &session.client;
    let (key, data, nothing) = (&request.key, &request.new.data[..], &b""[..]);
    let seq = number(request.new.seqno);
    let held = match request.expected {
        Some(expected) => !client
            .query(&session.lock, &[key, &number(expected)])
            .await?
            .is_empty(),
        None => !client
            .query(&session.insert, &[key, &0i64, &nothing])
            .await?
            .is_empty(),
    };
    let won = held
        && !client
            .query(&session.insert, &[key, &seq, &data])
            .await?
            .is_empty();
    Ok(if won {
        CasResult::Committed
    } else {
        CasResult::ExpectationMismatch
    })
}

fn number(seqno: SeqNo) -> i64 {
    i64::try_from(seqno.get()).expect("SeqNo::MAX is i64::MAX")
}

fn seqno(row: &Row, column: usize) -> SeqNo {
    let number: i64 = row.get(column);
    SeqNo::new(number.unsigned_abs()).expect("SeqNo::MAX is i64::MAX")
}

fn versioned(row: &Row) -> Versioned {
    Versioned {
        seqno: seqno(row, 0),
        data: Bytes::from(row.get::<_, Vec<u8>>(1)),
    }
}

#[async_trait]
impl Consensus for PostgresConsensus {
    async fn head(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        Ok(self
            .query(Query::Head(key.to_owned()))
            .await?
            .first()
            .map(versioned))
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<SeqNo>,
        new: Versioned,
    ) -> Result<CasResult, StoreError> {
        check_successor(expected, new.seqno)?;
        let (answer, receiver) = oneshot::channel();
        let request = Request {
            key: key.to_owned(),
            expected,
            new,
            answer,
        };
        if self.requests.send(request).is_err() {
            return Err(StoreError::determinate("the store's runtime has ended"));
        }
        receiver
            .await
            .unwrap_or_else(|_| Err(StoreError::indeterminate("the store's runtime has ended")))
    }

    async fn scan(&self, key: &str, from: SeqNo, limit: usize) -> Result<Vec<Versioned>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self
            .query(Query::Scan(key.to_owned(), number(from), limit))
            .await?;
        Ok(rows.iter().map(versioned).collect())
    }

    async fn truncate(&self, key: &str, to: SeqNo) -> Result<Option<usize>, StoreError> {
        let rows = self.query(Query::Truncate(key.to_owned(), number(to))).await?;
        let (newest, deleted): (Option<i64>, i64) = rows.first().map_or((None, 0), |r| (r.get(0), r.get(1)));
        match newest {
            None => Err(StoreError::determinate(format!("truncate of unknown key {key}"))),
            Some(newest) if number(to) > newest => Err(StoreError::determinate(format!(
                "truncate to {to} is beyond the newest, v{newest}"
            ))),
            Some(_) => Ok(Some(usize::try_from(deleted).expect("a count"))),
        }
    }

    async fn heads(&self) -> Result<Vec<(String, SeqNo)>, StoreError> {
        let rows = self.query(Query::Heads).await?;
        Ok(rows.iter().map(|row| (row.get(0), seqno(row, 1))).collect())
    }
}

#[cfg(test)]
pub(crate) mod tests;
