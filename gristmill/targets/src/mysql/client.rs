//! One connection by the `mysql_async` driver. Its event loop runs only while a request is waited for: a session is one
//! thread's, and what breaks in one is no other's.
//!
//! Invariant: a statement is sent once, and a connection that broke, or that did not answer in time, is not used again.

use super::config::Config;
use super::value::{decode, encode};
use crate::dialect::{MARIADB_MODE, Statement};
use history::parallel::Table;
use history::{Level, Rows};
use mysql_async::consts::StatusFlags;
use mysql_async::prelude::{Query, Queryable};
use mysql_async::{Conn, Opts, OptsBuilder, Params, Row};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long a question besides the visits may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Statements that the driver keeps prepared on a connection.
const PREPARED_MAX: usize = 200;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Error {
    /// The server or the connection said something.
    Driver(mysql_async::Error),
    /// Nobody said anything in time.
    Silent,
}

/// What one statement was answered.
pub(super) enum Done {
    Rows(Rows),
    /// Rows that were changed, or that came and were not kept.
    Count(u64),
}

pub(super) struct Client {
    // First, so that its socket ends while there is a loop.
    conn: Option<Conn>,
    runtime: Runtime,
    patience: Duration,
}

/// What a statement of free-form text was answered.
pub(super) struct Told {
    /// The rows of the last of its results that had some.
    pub(super) rows: Option<Table>,
    /// Rows that were found to be changed.
    pub(super) affected: u64,
    /// A transaction is open now.
    pub(super) open: bool,
}

impl Client {
    /// Connects, or to `through` in place of the server.
    pub(super) fn connect(config: &Config, through: Option<SocketAddr>) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("an event loop can be made");
        let (host, port) = match through {
            Some(proxy) => (proxy.ip().to_string(), proxy.port()),
            None => (config.host.clone(), config.port),
        };
        let opts: Opts = OptsBuilder::default()
            .ip_or_hostname(host)
            .tcp_port(port)
            .user(Some(config.user.clone()))
            .pass(config.password.clone())
            .db_name(config.database.clone())
            .prefer_socket(false)
            .client_found_rows(true)
            .stmt_cache_size(PREPARED_MAX)
            .tcp_nodelay(true)
            .init(vec![MARIADB_MODE.to_owned()])
            .into();
        let connected =
            runtime.block_on(async { tokio::time::timeout(config.connect_timeout, Conn::new(opts)).await });
        Ok(Self {
            conn: Some(connected.map_err(|_| Error::Silent)?.map_err(Error::Driver)?),
            runtime,
            patience: PATIENCE,
        })
    }

    /// Sets up a session that runs visits: the level of statements outside transactions; a lock that somebody holds is
    /// waited for, or in lock step answers at once.
    pub(super) fn begin_session(&mut self, level: Level, lock_step: bool) -> Result<(), Error> {
        let level = match level {
            Level::ReadUncommitted | Level::ReadCommitted => "READ COMMITTED",
            Level::RepeatableRead | Level::Snapshot => "REPEATABLE READ",
            Level::Serializable => "SERIALIZABLE",
        };
        self.run(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"))?;
        self.run("SET SESSION innodb_snapshot_isolation = ON")?;
        if lock_step {
            self.run("SET SESSION innodb_lock_wait_timeout = 0")?;
        }
        Ok(())
    }

    /// Sets up a session of free-form text: locks are waited for `busy` in whole seconds, one at least; texts are compared
    /// as those of the columns are.
    pub(super) fn begin_text(&mut self, level: Level, busy: Duration) -> Result<(), Error> {
        self.begin_session(level, false)?;
        let seconds = busy.as_secs().max(1);
        self.run(&format!(
            "SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
        ))?;
        self.run("SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin")
    }

    /// The server's number for this connection.
    pub(super) fn id(&self) -> u64 {
        self.conn.as_ref().map_or(0, |conn| u64::from(conn.id()))
    }

    /// How long each of the next statements may take.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// A statement without values; its rows are dropped.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), Error> {
        self.wait(async |conn| conn.query_drop(sql).await)
    }

    /// The rows of a question as texts; NULL is "".
    pub(super) fn ask(&mut self, sql: &str) -> Result<Vec<Vec<String>>, Error> {
        let rows: Vec<Row> = self.wait(async |conn| sql.fetch(&mut *conn).await)?;
        let text = |row: Row| {
            let columns = row.unwrap().into_iter();
            columns
                .map(|value| match value {
                    mysql_async::Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                    mysql_async::Value::NULL => String::new(),
                    other => other.as_sql(true),
                })
                .collect()
        };
        Ok(rows.into_iter().map(text).collect())
    }

    /// One statement of a visit, prepared and kept so, with its values. Rows are kept in canonical bytes, or only counted.
    pub(super) fn execute(&mut self, statement: &Statement, keep: bool) -> Result<Done, Error> {
        let values: Vec<mysql_async::Value> = statement.cells().map(encode).collect();
        let params = if values.is_empty() {
            Params::Empty
        } else {
            Params::Positional(values)
        };
        self.wait(async |conn| {
            // Words of transactions are not all of them taken by the prepared protocol, and have no values.
            if statement.slots.is_empty() && statement.answer.is_empty() {
                conn.query_drop(statement.sql.as_str()).await?;
                return Ok(Done::Count(conn.affected_rows()));
            }
            let prepared = conn.prep(statement.sql.as_str()).await?;
            let mut result = conn.exec_iter(&prepared, params).await?;
            if statement.answer.is_empty() {
                let count = result.affected_rows();
                result.drop_result().await?;
                return Ok(Done::Count(count));
            }
            let mut rows = Rows::default();
            let mut count = 0;
            while let Some(row) = result.next().await? {
                count += 1;
                if keep {
                    for (i, want) in statement.answer.iter().enumerate() {
                        decode(row.as_ref(i), *want, &mut rows.bytes);
                    }
                    rows.end_row();
                }
            }
            Ok(if keep {
                Done::Rows(rows)
            } else {
                Done::Count(count)
            })
        })
    }

    /// A statement as finished text. Its last answer counts where it is several.
    pub(super) fn tell(&mut self, sql: &str, keep: bool) -> Result<Told, Error> {
        self.wait(async |conn| {
            let mut result = conn.query_iter(sql).await?;
            let mut rows = None;
            loop {
                let columns = result.columns_ref();
                let mut table = (!columns.is_empty()).then(|| {
                    let names = columns.iter().map(|column| column.name_str().into_owned());
                    crate::sql::Rows::new(names.collect(), keep)
                });
                while let Some(row) = result.next().await? {
                    if let Some(table) = &mut table {
                        table.row(row.unwrap_raw().into_iter().map(shown));
                    }
                }
                rows = table.map(crate::sql::Rows::done).or(rows);
                if result.is_empty() {
                    break;
                }
            }
            let affected = result.affected_rows();
            drop(result);
            let status = conn.last_ok_packet().map(|ok| ok.status_flags());
            let open = status.is_some_and(|flags| flags.contains(StatusFlags::SERVER_STATUS_IN_TRANS));
            Ok(Told { rows, affected, open })
        })
    }

    async fn within<T>(
        patience: Duration,
        work: impl Future<Output = mysql_async::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(patience, work).await {
            Ok(done) => done.map_err(Error::Driver),
            Err(_) => Err(Error::Silent),
        }
    }

    fn wait<T>(&mut self, work: impl AsyncFnOnce(&mut Conn) -> mysql_async::Result<T>) -> Result<T, Error> {
        let Some(conn) = self.conn.as_mut() else {
            return Err(Error::Silent);
        };
        let done = self.runtime.block_on(Self::within(self.patience, work(conn)));
        if matches!(&done, Err(error) if error.is_end()) {
            // Closed without another word: what is still on its way would be taken for the next answer.
            self.conn = None;
        }
        done
    }
}

/// A value of the text protocol: the server's bytes; what is no UTF-8 is shown by its digits.
fn shown(value: Option<mysql_async::Value>) -> Option<Cow<'static, str>> {
    match value {
        None | Some(mysql_async::Value::NULL) => None,
        Some(mysql_async::Value::Bytes(bytes)) => Some(Cow::Owned(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => error.as_bytes().iter().fold("x'".to_owned(), |mut out, byte| {
                out.push_str(&format!("{byte:02x}"));
                out
            }),
        })),
        Some(other) => Some(Cow::Owned(other.as_sql(true))),
    }
}

impl Error {
    /// The server's number of it.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Driver(mysql_async::Error::Server(error)) => Some(error.code),
            Self::Driver(_) | Self::Silent => None,
        }
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Silent => true,
            Self::Driver(_) => self.code().is_none_or(super::codes::ends_connection),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            // Goodbye, for which nobody waits long.
            drop(
                self.runtime.block_on(async {
                    tokio::time::timeout(Duration::from_secs(1), conn.disconnect()).await
                }),
            );
        }
    }
}
