//! Consensus in a SQLite file, for the processes of one host.
//!
//! One thread owns the writing connection and commits what has queued up as one transaction (H4). Writers of
//! all processes take turns by `flock` on a side file, which is fair where SQLite's own busy handler starves
//! (H2).
//!
//! Invariants:
//! 1. Each request of a group is judged inside the transaction, in order of arrival; nothing is answered
//!    before COMMIT returned; after a failed COMMIT all of the group are indeterminate.
//! 2. No code of this process opens the database, `-wal` or `-shm` files but SQLite: closing them would drop
//!    SQLite's locks. One store per canonical path and process.
//! 3. WAL and `synchronous=FULL` are set on each connection and read back.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use nix::fcntl::{Flock, FlockArg};
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::oneshot;

use self::checkpoint::{Checkpoints, Limits};
use self::queue::{Queue, Sender, queue};
use self::versions::{Sweep, newest, number, seqno};
use super::pool::Workers;
use super::{CasResult, Consensus, ErrorClass, Heads, StoreError, Versioned, check_successor};
use crate::clock::Clock;
use crate::ids::SeqNo;
use crate::mutant::Mutant;

/// Requests committed together, at most.
const GROUP_MAX: usize = 1024;
/// Bytes committed together, at most.
const GROUP_BYTES_MAX: usize = 16 << 20;
/// Connections that read.
const READERS: usize = 2;

pub use self::versions::SCHEMA;

enum Request {
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

/// A [`Consensus`] in a SQLite file.
#[derive(Clone)]
pub struct SqliteConsensus {
    core: Arc<Core>,
}

struct Core {
    path: PathBuf,
    writer: Sender<Request>,
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
        let (sender, receiver) = queue();
        std::thread::Builder::new()
            .name("shard-sqlite".into())
            .spawn(move || commit_loop(writer, checkpoints, lock, &receiver, mutant))
            .expect("a thread can be started");
        let core = Core {
            path: path.to_owned(),
            writer: sender,
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

/// What a group waits for that is not there yet, at most: this much of what the last group took.
const GATHERING_SHARE: u64 = 2;
/// And no longer than this,
const GATHERING_US_MAX: u64 = 2000;
/// nor for one that has not come so long after the one before.
const GATHERING_GAP_US: u64 = 500;

/// Takes what has queued up and commits it, for ever.
///
/// Those who were just answered are about to come again. Taken one by one, half of them would always find the others'
/// group under way and wait for two commits, and each commit would carry half: so a group waits a moment for
/// as many as there were lately. A writer that is alone never waits.
fn commit_loop(
    mut connection: Connection,
    mut checkpoints: Checkpoints,
    lock: File,
    requests: &Queue<Request>,
    mutant: Mutant,
) {
    let mut lock = Some(lock);
    let mut waiting: VecDeque<Request> = VecDeque::new();
    let mut sweep = Sweep::new(mutant);
    let (mut lately, mut took_us) = (0, 0);
    loop {
        if waiting.is_empty() && !requests.take_some(&mut waiting) {
            return;
        }
        let most_us = (took_us / GATHERING_SHARE).min(GATHERING_US_MAX);
        requests.gather(&mut waiting, lately, most_us, GATHERING_GAP_US);
        let file = lock.take().expect("it is put back below");
        let how = match mutant {
            Mutant::NoTurns => FlockArg::LockShared,
            _ => FlockArg::LockExclusive,
        };
        let guard = match Flock::lock(file, how) {
            Ok(guard) => guard,
            Err((file, error)) => {
                lock = Some(file);
                refuse_all(
                    waiting.drain(..).collect(),
                    &StoreError::determinate(format!("flock: {error}")),
                );
                continue;
            }
        };
        requests.take(&mut waiting);
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
        lately = writers(&mut group.iter());
        let began = Clock::monotonic_us();
        let answers = commit_group(&mut connection, group, &mut sweep, mutant);
        took_us = Clock::monotonic_us() - began;
        // Whoever comes from here on may be one who was just answered, and would be expected twice.
        requests.take(&mut waiting);
        lately += writers(&mut waiting.iter());
        answers.give();
        checkpoints.after_commit(&connection);
        lock = Some(guard.unlock().unwrap_or_else(|(guard, _)| {
            // An unlock that fails is undone by closing the file; open descriptors share the lock's file.
            guard.try_clone().expect("a file can be cloned")
        }));
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
struct Answers {
    verdicts: Vec<Verdict>,
    /// Whether the verdicts were committed.
    outcome: Result<(), StoreError>,
}

impl Answers {
    fn give(self) {
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
fn commit_group(
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

type Judged<T> = rusqlite::Result<Result<T, StoreError>>;

/// Compares with the newest version, looked up here and now; `known` is for the defect that looked before.
fn judge(
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
mod queue;
pub(crate) mod versions;

#[cfg(test)]
pub(crate) mod tests;
