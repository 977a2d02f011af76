//! Consensus in a SQLite file, for the processes of one host.
//!
//! One connection writes, and commits what has queued up as one transaction (H4, [`commits`]). Writers of
//! all processes take turns by `flock` on a side file, which is fair where SQLite's own busy handler starves
//! (H2).
//!
//! Invariants:
//! 1. No code of this process opens the database, `-wal` or `-shm` files but SQLite: closing them would drop
//!    SQLite's locks. One store per canonical path and process.
//! 2. WAL and `synchronous=FULL` are set on each connection and read back.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use nix::fcntl::{Flock, FlockArg};
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use self::checkpoint::{Checkpoints, Limits};
use self::commits::{Commits, Committer, Request};
use self::versions::seqno;
use super::pool::Workers;
use super::{CasResult, Consensus, Heads, StoreError, Versioned, check_successor};
use crate::ids::SeqNo;
use crate::mutant::Mutant;

/// Connections that read.
const READERS: usize = 2;

pub use self::versions::SCHEMA;

/// A [`Consensus`] in a SQLite file.
#[derive(Clone)]
pub struct SqliteConsensus {
    core: Arc<Core>,
}

struct Core {
    path: PathBuf,
    writer: Commits,
    readers: Workers,
    pool: Arc<Mutex<Vec<Connection>>>,
    heads: Arc<Mutex<CachedHeads>>,
}

/// The answer to `heads`, good until another connection changes the file.
#[derive(Default)]
struct CachedHeads {
    connection: Option<Connection>,
    version: i64,
    heads: Heads,
}

impl fmt::Debug for SqliteConsensus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteConsensus({})", self.core.path.display())
    }
}

impl SqliteConsensus {
    /// Opens (and makes) the file at `path`. The same file opened twice in a process is the same store.
    pub fn open(path: &Path) -> Result<SqliteConsensus, StoreError> {
        SqliteConsensus::with(path, Mutant::None)
    }

    pub(crate) fn with(path: &Path, mutant: Mutant) -> Result<SqliteConsensus, StoreError> {
        static OPEN: Mutex<BTreeMap<PathBuf, Weak<Core>>> = Mutex::new(BTreeMap::new());
        let parent = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or_else(|| Path::new("."));
        let canonical = parent
            .canonicalize()
            .map_err(|e| {
                StoreError::determinate(format!("cannot open {}: {e}", parent.display())).permanent()
            })?
            .join(
                path.file_name()
                    .ok_or_else(|| StoreError::determinate("a database needs a file name"))?,
            );
        refuse_network(parent)?;
        let mut open = OPEN.lock();
        if let Some(core) = open.get(&canonical).and_then(Weak::upgrade) {
            return Ok(SqliteConsensus { core });
        }
        let store = SqliteConsensus::start(&canonical, mutant)?;
        open.insert(canonical, Arc::downgrade(&store.core));
        Ok(store)
    }

    fn start(path: &Path, mutant: Mutant) -> Result<SqliteConsensus, StoreError> {
        let lock_path = path.with_extension("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|e| {
                StoreError::determinate(format!("cannot open {}: {e}", lock_path.display())).permanent()
            })?;
        let lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, e)| StoreError::determinate(e))?;
        let mut writer = connect(path, mutant)?;
        versions::prepare(&mut writer).map_err(|e| failure(&e))?;
        let lock = lock.unlock().map_err(|(_, e)| StoreError::determinate(e))?;
        let checkpoints = Checkpoints::start(path, &mut writer, Limits::default(), mutant)?;
        let readers = (0..READERS)
            .map(|_| connect(path, mutant))
            .collect::<Result<Vec<_>, _>>()?;
        let core = Core {
            path: path.to_owned(),
            writer: Commits::start(Committer::new(writer, checkpoints, lock, mutant)),
            readers: Workers::new("shard-sqlite-read", READERS),
            pool: Arc::new(Mutex::new(readers)),
            heads: Arc::default(),
        };
        Ok(SqliteConsensus { core: Arc::new(core) })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let pool = Arc::clone(&self.core.pool);
        self.core
            .readers
            .run(move || {
                let connection = pool.lock().pop().expect("as many threads as connections");
                let answer = read(&connection);
                pool.lock().push(connection);
                answer.map_err(|e| failure(&e))
            })
            .await
    }

    fn send(&self, request: Request) {
        self.core.writer.send(request);
    }
}

/// A connection with the settings that durability needs, read back.
fn connect(path: &Path, mutant: Mutant) -> Result<Connection, StoreError> {
    let connection = Connection::open(path).map_err(|e| failure(&e))?;
    let prepare = || -> rusqlite::Result<(String, i64)> {
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        let mode = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
        connection.execute_batch(match mutant {
            Mutant::LogNotSynced => "PRAGMA synchronous=NORMAL",
            _ => "PRAGMA synchronous=FULL",
        })?;
        let synchronous = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        // Else a statement is compiled again whenever another value is bound to it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok((mode, synchronous))
    };
    match prepare().map_err(|e| failure(&e))? {
        (mode, 2) if mode == "wal" => Ok(connection),
        _ if mutant == Mutant::SettingsNotReadBack => Ok(connection),
        (mode, level) => Err(StoreError::determinate(format!(
            "{}: SQLite runs with journal_mode={mode}, synchronous={level}, not wal and 2 (FULL)",
            path.display()
        ))
        .permanent()),
    }
}

/// Locks and shared memory of network file systems cannot be trusted.
fn refuse_network(folder: &Path) -> Result<(), StoreError> {
    use nix::sys::statfs::{NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, statfs};
    let kind = statfs(folder).map_err(|e| StoreError::determinate(format!("{}: {e}", folder.display())))?;
    let kind = kind.filesystem_type();
    if kind == NFS_SUPER_MAGIC || kind == SMB_SUPER_MAGIC {
        let text = format!(
            "{} is on a network file system; use postgres for several hosts",
            folder.display()
        );
        return Err(StoreError::determinate(text).permanent());
    }
    Ok(())
}

fn failure(error: &rusqlite::Error) -> StoreError {
    let code = error.sqlite_error_code();
    let permanent = matches!(
        code,
        Some(
            ErrorCode::ReadOnly
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::NotADatabase
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseCorrupt
        )
    );
    let out = match code {
        Some(ErrorCode::DiskFull) => StoreError::determinate(format!("{error}: make room on that disk")),
        _ => StoreError::determinate(error),
    };
    if permanent { out.permanent() } else { out }
}

/// The same of a database that is written to, by its name.
fn failure_of(path: &str, error: &rusqlite::Error) -> StoreError {
    let out = failure(error);
    StoreError {
        message: format!("cannot write {path}: {}", out.message),
        ..out
    }
}

fn versioned(row: &rusqlite::Row<'_>) -> rusqlite::Result<Versioned> {
    Ok(Versioned {
        seqno: seqno(row.get(0)?),
        data: Bytes::from(row.get::<_, Vec<u8>>(1)?),
    })
}

#[async_trait]
impl Consensus for SqliteConsensus {
    async fn head(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        let key = key.to_owned();
        self.read(move |c| versions::head(c, &key, versioned)).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<SeqNo>,
        new: Versioned,
    ) -> Result<CasResult, StoreError> {
        check_successor(expected, new.seqno)?;
        let (answer, receiver) = oneshot::channel();
        self.send(Request::Cas {
            key: key.to_owned(),
            expected,
            new,
            answer,
        });
        receiver
            .await
            .unwrap_or_else(|_| Err(StoreError::indeterminate("the store's thread panicked")))
    }

    async fn scan(&self, key: &str, from: SeqNo, limit: usize) -> Result<Vec<Versioned>, StoreError> {
        let key = key.to_owned();
        self.read(move |c| versions::scan(c, &key, from, limit, versioned))
            .await
    }

    async fn truncate(&self, key: &str, to: SeqNo) -> Result<Option<usize>, StoreError> {
        let (answer, receiver) = oneshot::channel();
        self.send(Request::Truncate {
            key: key.to_owned(),
            to,
            answer,
        });
        receiver
            .await
            .unwrap_or_else(|_| Err(StoreError::indeterminate("the store's thread panicked")))
    }

    async fn heads(&self) -> Result<Vec<(String, SeqNo)>, StoreError> {
        Ok(self.heads_shared().await?.to_vec())
    }

    async fn heads_shared(&self) -> Result<Heads, StoreError> {
        let (heads, path) = (Arc::clone(&self.core.heads), self.core.path.clone());
        self.core
            .readers
            .run(move || {
                let mut cached = heads.lock();
                if cached.connection.is_none() {
                    cached.connection = Some(connect(&path, Mutant::None)?);
                    cached.version = -1;
                }
                let connection = cached.connection.as_ref().expect("made above");
                let look = || -> rusqlite::Result<Option<(i64, Vec<(String, SeqNo)>)>> {
                    // Changes whenever any other connection, of this or another process, has committed.
                    let version: i64 = connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
                    if version == cached.version {
                        return Ok(None);
                    }
                    Ok(Some((version, versions::heads(connection)?)))
                };
                if let Some((version, heads)) = look().map_err(|e| failure(&e))? {
                    cached.version = version;
                    cached.heads = Arc::new(heads);
                }
                Ok(Arc::clone(&cached.heads))
            })
            .await
    }
}

mod checkpoint;
mod commits;
mod queue;
pub(crate) mod versions;

#[cfg(test)]
pub(crate) mod tests;
