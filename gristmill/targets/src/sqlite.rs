//! SQLite, in our own process through `rusqlite`: a temporary WAL file, a given file, or memory.
//!
//! Several connections, each in one thread at a time; SQLite's own locks do the rest. Writers begin with IMMEDIATE. A
//! given file keeps its journal mode, because that is a setting of the file; a file of ours is in WAL mode, with
//! `synchronous = NORMAL`: what was acknowledged survives the death of the process, not that of the machine.

mod busy;
mod codes;
mod ours;
mod session;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub(crate) use codes::{is_of_the_disk, kind as kind_of_code};
pub(crate) use text::shown;
pub(crate) use value::{Bound, decode};

use crate::Unusable;
use crate::dialect::{self, Renderer, SQLITE, SQLITE_DIGITS_MAX};
use crate::layout::Layouts;
use crate::sql::{Sql, SqlSession, Waiting};
use crate::target::{
    Description, Facts, Gone, Identity, Maintenance, OpenOptions, Rendered, Request, Session, Target,
};
use crate::watchdog::{Watchdog, Watched};
use datagen::domain::Limits;
use datagen::schema::Schema;
use datagen::value::Type;
use history::parallel::Seen;
use history::{
    Affected, Atomic, ChangeKind, Claim, Discipline, Level, Nulls, Semantics, SessionId, Snapshot, Sums,
};
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The target.
pub(crate) struct Sqlite {
    place: Place,
    options: OpenOptions,
    layouts: Layouts,
    watchdog: Watchdog,
    shared: Arc<Shared>,
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In the folder of the run; ours.
    Temporary(PathBuf),
    /// Where the user said.
    File(PathBuf),
    /// In memory: one connection, which the target keeps while no session has it.
    Memory,
}

/// What sessions give back.
#[derive(Default)]
struct Shared {
    serial: AtomicU64,
    open: Mutex<BTreeSet<u64>>,
    memory: Mutex<Option<Connection>>,
}

impl Shared {
    /// A session ends: its connection is closed, or kept where the database lives in it.
    fn end(&self, connection: Connection, serial: u64, keep: bool) {
        if keep {
            if !connection.is_autocommit() {
                // The only session of a database in memory ends: what it had not committed is gone, as with a file.
                connection
                    .execute_batch("ROLLBACK")
                    .expect("a transaction can be rolled back");
            }
            *self.memory.lock() = Some(connection);
        } else {
            drop(connection);
        }
        // Only now: whoever sees it gone may rely on its locks being gone too.
        self.open.lock().remove(&serial);
    }
}

impl Sqlite {
    /// Reads the URL; opens nothing. Errors: parameters, lies.
    pub(crate) fn open(url: &str, options: &OpenOptions) -> Result<Self, Unusable> {
        let rest = url.split_once(':').map_or("", |(_, rest)| rest);
        if rest.contains('?') {
            let remedy = "the forms are sqlite:, sqlite:PATH and sqlite::memory:";
            return Err(Unusable::usage(
                url,
                "a SQLite target takes no parameters",
                remedy,
            ));
        }
        let place = match rest.strip_prefix("//").unwrap_or(rest) {
            "" => Place::Temporary(options.folder.join("data.sqlite")),
            ":memory:" => Place::Memory,
            path => Place::File(path.into()),
        };
        Ok(Self {
            place,
            options: options.clone(),
            layouts: Layouts::new(&options.prefix),
            watchdog: Watchdog::new(),
            shared: Arc::default(),
        })
    }

    fn url(&self) -> String {
        match &self.place {
            Place::Temporary(_) => "sqlite:".into(),
            Place::File(path) => format!("sqlite:{}", path.display()),
            Place::Memory => "sqlite::memory:".into(),
        }
    }

    fn unusable(&self, error: &rusqlite::Error) -> Unusable {
        let remedy = match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ReadOnly) => {
                "give a file that may be written, or sqlite: for a temporary one"
            }
            Some(rusqlite::ErrorCode::CannotOpen) => "give a path in a folder that exists and may be written",
            Some(rusqlite::ErrorCode::NotADatabase) => {
                "give the path of a SQLite database, or of a file that does not exist yet"
            }
            Some(rusqlite::ErrorCode::DatabaseBusy) => "end the other program that holds the database locked",
            _ => "",
        };
        Unusable::server(self.url(), codes::words(error), remedy)
    }

    /// A new connection with our settings.
    fn connection(&self) -> Result<Connection, Unusable> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &self.place {
            Place::Memory => match self.shared.memory.lock().take() {
                Some(connection) => return Ok(connection),
                None if !self.shared.open.lock().is_empty() => {
                    let remedy = "use --sessions 1, or sqlite: for a temporary file";
                    return Err(Unusable::usage(
                        self.url(),
                        "a database in memory has one session",
                        remedy,
                    ));
                }
                None => Connection::open_in_memory_with_flags(flags),
            },
            Place::Temporary(path) => Connection::open_with_flags(path, flags),
            Place::File(path) => {
                refuse_read_only(&self.url(), path)?;
                Connection::open_with_flags(path, flags)
            }
        };
        let mut connection = connection.map_err(|e| self.unusable(&e))?;
        self.set_up(&mut connection).map_err(|e| self.unusable(&e))?;
        Ok(connection)
    }

    fn set_up(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let busy = if self.options.lock_step {
            std::time::Duration::ZERO
        } else {
            self.options.busy
        };
        busy::install(connection, busy)?;
        connection.set_prepared_statement_cache_capacity(512);
        if let Place::Temporary(_) = self.place {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
        }
        Ok(())
    }

    /// Gives a connection that was only borrowed back: the one in memory must outlive its borrower.
    fn give_back(&self, connection: Connection) {
        if self.place == Place::Memory {
            *self.shared.memory.lock() = Some(connection);
        }
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Unusable> {
        let connection = self.connection()?;
        let done = work(&connection);
        self.give_back(connection);
        done.map_err(|e| self.unusable(&e))
    }

    /// Our tables and, first, our views, each with what it is.
    fn ours(&self, connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
        let pattern = format!("{}\\_%", self.options.prefix.replace('_', "\\_"));
        let mut statement = connection.prepare(
            "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name LIKE ?1 ESCAPE '\\' \
             ORDER BY type DESC, name",
        )?;
        statement
            .query_map([pattern], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    }
}

/// Root may write what nobody may; a file that says read-only is meant so.
fn refuse_read_only(url: &str, path: &Path) -> Result<(), Unusable> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(Unusable::server(url, "it is a folder", "give the path of a file")),
        Ok(meta) if meta.permissions().readonly() => {
            let remedy = "give a file that may be written, or sqlite: for a temporary one";
            Err(Unusable::server(url, "the file is read-only", remedy))
        }
        _ => Ok(()),
    }
}

impl Target for Sqlite {
    fn describe(&self) -> Description {
        Description {
            scheme: "sqlite",
            url: self.url(),
            words: match &self.place {
                Place::Temporary(_) => "temporary file, WAL".into(),
                Place::File(_) => "file".into(),
                Place::Memory => "in memory".into(),
            },
            embedded: true,
            can_kill: false,
            can_cancel: true,
            can_terminate: false,
            conditional: false,
            changes: vec![ChangeKind::CreateIndex, ChangeKind::DropIndex],
            ring: false,
            maintains: if self.place == Place::Memory {
                Vec::new()
            } else {
                vec![Maintenance::Flush, Maintenance::Repair]
            },
            one_session: self.place == Place::Memory,
            can_proxy: false,
            levels: vec![Level::Serializable],
            driver: format!("rusqlite, SQLite {} bundled", rusqlite::version()),
        }
    }

    /// A reader's snapshot is taken by its first statement. A writer's is taken by BEGIN IMMEDIATE, but nobody else can
    /// write from there to its first statement, so the same words fit.
    fn claim(&self, _: Level) -> Claim {
        Claim {
            level: Level::Serializable,
            real_time: true,
            hidden_until_commit: true,
            atomic: Atomic::Visit,
            snapshot: Snapshot::FirstMessage,
            durable: self.place != Place::Memory,
        }
    }

    fn semantics(&self) -> Semantics {
        let lww = self.options.discipline == Discipline::Lww;
        Semantics {
            update_creates_rows: lww,
            nulls: Nulls::First,
            affected: if lww {
                Affected::NotReported
            } else {
                Affected::Matched
            },
            ties: history::Ties::Greatest,
            replicas: 1,
            clustered: false,
            sums: Sums::Exact,
        }
    }

    fn default_level(&self) -> Level {
        Level::Serializable
    }

    fn limits(&self, ty: &Type) -> Option<Limits> {
        (SQLITE.column_type)(*ty)?;
        Some(Limits {
            nul_bytes: false,
            nan: false,
            negative_zero: false,
            numeric_digits: SQLITE_DIGITS_MAX,
            ..Limits::default()
        })
    }

    fn column_type(&self, ty: &Type) -> Option<String> {
        (SQLITE.column_type)(*ty)
    }

    fn left_out(&self) -> Vec<String> {
        vec![
            "NaN (SQLite stores it as NULL)".into(),
            "−0 (SQLite returns it as 0)".into(),
            "U+0000 in text (SQLite's functions end the text there)".into(),
            format!("numerics of more than {SQLITE_DIGITS_MAX} digits (kept as 64-bit integers)"),
        ]
        .into_iter()
        .chain(dialect::left_out_of(self.options.discipline))
        .collect()
    }

    fn facts(&self) -> Result<Facts, Unusable> {
        self.with(|connection| {
            // A write lock shows a file or folder that cannot be written before anything is made.
            connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
            let mut settings = BTreeMap::new();
            for name in ["journal_mode", "synchronous", "page_size", "encoding"] {
                let value: rusqlite::types::Value =
                    connection.pragma_query_value(None, name, |row| row.get(0))?;
                let value = match value {
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Integer(n) => n.to_string(),
                    other => format!("{other:?}"),
                };
                settings.insert(name.to_owned(), value);
            }
            let version = format!("SQLite {}", rusqlite::version());
            Ok(Facts {
                version,
                settings,
                ..Facts::default()
            })
        })
    }

    fn prepare(&self, schema: &Arc<Schema>) -> Result<(), Unusable> {
        let statements = dialect::objects(&SQLITE, &self.layouts.of(schema), self.options.discipline);
        let url = self.url();
        let taken = self.with(|connection| self.ours(connection))?;
        if let Place::Temporary(_) = self.place {
            // The file is the run's own: an earlier life of the run was killed before it had done anything.
            self.with(|connection| drop_all(connection, &taken))?;
        } else if let Some((kind, name)) = taken.iter().find(|(kind, _)| kind == "table") {
            let remedy = format!("gristmill clean {url}");
            return Err(Unusable::server(
                url,
                format!("{kind} {name} exists already"),
                remedy,
            ));
        }
        self.with(|connection| {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let made = statements
                .iter()
                .try_for_each(|sql| connection.execute_batch(sql));
            connection.execute_batch(if made.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
            made
        })
    }

    /// A temporary file is evidence and stays in the folder of the run, whose end is its end.
    fn cleanup(&self) -> Result<Vec<String>, Unusable> {
        let Place::File(path) = &self.place else {
            return Ok(Vec::new());
        };
        if !path.exists() {
            return Ok(Vec::new());
        }
        self.with(|connection| {
            let names = self.ours(connection)?;
            drop_all(connection, &names)?;
            let words = names.into_iter().map(|(kind, name)| format!("{kind} {name}"));
            Ok(words.collect())
        })
    }

    fn plan_of_objects(&self, schema: &Schema) -> Vec<String> {
        dialect::objects(&SQLITE, &self.layouts.of(schema), self.options.discipline)
    }

    fn connect(&self, who: SessionId, schema: &Arc<Schema>) -> Result<Box<dyn Session>, Unusable> {
        let (connection, serial, watched) = self.begin()?;
        let renderer = self.renderer(schema);
        let shared = Arc::clone(&self.shared);
        let keep = self.place == Place::Memory;
        Ok(Box::new(session::SqliteSession::new(
            connection, renderer, who, serial, shared, watched, keep,
        )))
    }

    /// A connection of our own process is gone when it was dropped; one of another process died with it.
    fn gone(&self, who: &Identity) -> Gone {
        if who.incarnation != incarnation() || !self.shared.open.lock().contains(&who.process) {
            Gone::Gone
        } else {
            Gone::StillThere
        }
    }

    fn incarnation(&self) -> Result<String, Unusable> {
        Ok(incarnation())
    }

    /// A checkpoint of the log, and REINDEX of our tables. VACUUM is not offered: it would refuse the sessions.
    fn maintain(&self, what: Maintenance) -> Result<(), Unusable> {
        if !self.describe().maintains.contains(&what) {
            let remedy = "leave this step out";
            return Err(Unusable::usage(
                self.url(),
                format!("it cannot {} while sessions are open", what.name()),
                remedy,
            ));
        }
        self.with(|connection| match what {
            // Readers may hold the log open: then as much of it goes into the file as can.
            Maintenance::Flush => connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())),
            _ => {
                let ours = self.ours(connection)?;
                let tables = ours.iter().filter(|(kind, _)| kind == "table");
                tables.into_iter().try_for_each(|(_, name)| {
                    connection.execute_batch(&format!("REINDEX \"{}\"", name.replace('"', "\"\"")))
                })
            }
        })
    }

    fn text(&self, schema: &Schema, request: &Request<'_>) -> Vec<String> {
        dialect::text(&SQLITE, &self.layouts.of(schema), request)
    }

    fn renderer(&self, schema: &Schema) -> Renderer {
        Renderer::new(&SQLITE, self.layouts.of(schema))
    }

    fn prerender(&self, schema: &Schema, request: &Request<'_>) -> Option<Rendered> {
        Some(dialect::rendered(&SQLITE, &self.layouts.of(schema), request))
    }

    fn sql(&self) -> Option<&dyn Sql> {
        Some(self)
    }
}

impl Sql for Sqlite {
    /// The session enforces foreign keys, and takes what stands in double quotes for a name: SQLite does neither unless it is
    /// asked to.
    fn open(&self, who: SessionId) -> Result<Box<dyn SqlSession>, Unusable> {
        let (connection, serial, watched) = self.begin()?;
        connection
            .pragma_update(None, "foreign_keys", true)
            .and_then(|()| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false))
            .and_then(|_| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false))
            .map_err(|e| self.unusable(&e))?;
        let (shared, keep) = (Arc::clone(&self.shared), self.place == Place::Memory);
        Ok(Box::new(text::TextSession::new(
            connection, who, serial, shared, watched, keep,
        )))
    }

    fn catalog(&self) -> Result<Seen, Unusable> {
        self.with(|connection| ours::seen(connection, &self.options.prefix))
    }

    fn waits(&self, _: &Identity) -> Option<Waiting> {
        None
    }
}

impl Sqlite {
    /// A connection of a new session, its number, and its deadlines.
    fn begin(&self) -> Result<(Connection, u64, Arc<Watched>), Unusable> {
        let connection = self.connection()?;
        let serial = self.shared.serial.fetch_add(1, Ordering::Relaxed) + 1;
        self.shared.open.lock().insert(serial);
        let interrupt = connection.get_interrupt_handle();
        let watched = self.watchdog.watch(Box::new(move || interrupt.interrupt()));
        Ok((connection, serial, watched))
    }
}

fn drop_all(connection: &Connection, names: &[(String, String)]) -> rusqlite::Result<()> {
    names.iter().try_for_each(|(kind, name)| {
        connection.execute_batch(&format!("DROP {kind} \"{}\"", name.replace('"', "\"\"")))
    })
}

/// The engine lives as long as this process.
fn incarnation() -> String {
    format!("pid {}", std::process::id())
}
