//! DuckDB: one database for all sessions of a run, in a process of its own whose crash is a finding and not our end.
//!
//! Nothing is linked: the library is found and opened when it is asked for, by a child that is this program again
//! ([`duckdb_engine`]). There is the face for finished text only; partitions need another dialect first.
//!
//! Invariants:
//! * there is one process at a time, for the engine locks its file; a new life begins when the one before has ended;
//! * a session that is said to be gone has rolled back.

mod child;
mod engine;
mod library;
mod lines;
mod ours;
mod session;
#[cfg(test)]
mod tests;

use crate::Unusable;
use crate::dialect::Renderer;
use crate::sql::{Sql, SqlSession, Waiting};
use crate::sqlite::Sqlite;
use crate::target::{
    Control, Description, Facts, Gone, Identity, OpenOptions, Rendered, Request, Session, Target,
};
use crate::url::{decode, split_query};
use child::{Child, NotBegun};
use datagen::domain::Limits;
use datagen::schema::Schema;
use datagen::value::Type;
use history::parallel::Seen;
use history::{Atomic, Claim, Level, Semantics, SessionId, Snapshot};
use lines::Hello;
use parking_lot::Mutex;
use session::DuckSession;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a question besides the sessions may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The hidden command of a program that may be started as the engine's process.
pub const DUCKDB_ENGINE: &str = "duckdb-engine";

/// Where the library may be named.
const VARIABLE: &str = "DUCKDB_LIBRARY";

/// What the program does that is started with [`DUCKDB_ENGINE`]: serves on its standard input and output. `Err`: in words.
pub fn duckdb_engine() -> Result<(), String> {
    engine::serve(std::io::stdin().lock(), std::io::stdout())
}

/// Where the library is on this machine (`cargo xtask servers duckdb`): tests ask.
pub fn duckdb_library() -> Option<PathBuf> {
    std::env::var_os(VARIABLE)
        .map(PathBuf::from)
        .or_else(library::find)
}

/// The target.
pub(crate) struct Duckdb(Arc<Inner>);

struct Inner {
    url: String,
    /// The database's file.
    file: PathBuf,
    /// The file is the run's own.
    temporary: bool,
    /// The library, where the URL names it.
    named: Option<PathBuf>,
    options: OpenOptions,
    /// What statements of the other workloads would be written with.
    sqlite: Sqlite,
    engine: Mutex<Option<Arc<Child>>>,
    lives: AtomicU64,
    sessions: AtomicU64,
}

impl Duckdb {
    /// Reads the URL; starts nothing. Errors: parameters.
    pub(crate) fn open(url: &str, options: &OpenOptions) -> Result<Self, Unusable> {
        let rest = url.split_once(':').map_or("", |(_, rest)| rest);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let bad = |what: String| {
            Unusable::usage(
                url,
                what,
                "the forms are duckdb: and duckdb:PATH, and ?lib=FILE behind either",
            )
        };
        let mut named = None;
        for (key, value) in split_query(query) {
            match (key, decode(value)) {
                ("lib", Some(value)) => named = Some(PathBuf::from(value)),
                _ => return Err(bad(format!("unknown parameter `{key}`"))),
            }
        }
        let path = path.strip_prefix("//").unwrap_or(path);
        if path == ":memory:" {
            return Err(bad("a database in memory would end with each crash".to_owned()));
        }
        let temporary = path.is_empty();
        let file = if temporary {
            options.folder.join("data.duckdb")
        } else {
            PathBuf::from(path)
        };
        Ok(Self(Arc::new(Inner {
            url: format!("duckdb:{path}"),
            file,
            temporary,
            named,
            options: options.clone(),
            sqlite: Sqlite::open("sqlite:", options)?,
            engine: Mutex::new(None),
            lives: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
        })))
    }
}

/// Tells the test that is the engine's process from the others.
const ENGINE_OF_TESTS: &str = "GRISTMILL_ENGINE_OF_TESTS";

/// This program again, as the engine's process. A test's program is told by a test's name.
fn program() -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    if cfg!(test) {
        command.args([
            "duckdb::tests::engine_of_the_tests",
            "--exact",
            "--quiet",
            "--nocapture",
        ]);
        command.env(ENGINE_OF_TESTS, "1");
    } else {
        command.arg(DUCKDB_ENGINE);
    }
    Ok(command)
}

impl Inner {
    fn usage(&self, what: impl Into<String>, remedy: impl Into<String>) -> Unusable {
        Unusable::usage(self.url.clone(), what, remedy)
    }

    /// The library: named by the URL or the environment, or found.
    fn library(&self) -> Result<PathBuf, Unusable> {
        let named = self
            .named
            .clone()
            .or_else(|| (self.options.environment)(VARIABLE).map(PathBuf::from));
        match named {
            Some(file) if file.is_file() => Ok(std::path::absolute(&file).unwrap_or(file)),
            Some(file) => Err(self.usage(format!("{} is no file", file.display()), library::REMEDY)),
            None => library::find().ok_or_else(|| {
                self.usage(
                    format!("DuckDB's library ({}) is not on this machine", library::FILE),
                    library::REMEDY,
                )
            }),
        }
    }

    /// The process of the engine, begun where there is none.
    fn engine(&self) -> Result<Arc<Child>, Unusable> {
        let mut slot = self.engine.lock();
        if let Some(child) = slot.as_ref().filter(|child| child.lives()) {
            return Ok(Arc::clone(child));
        }
        if let Some(old) = slot.take() {
            // It has closed its output: it ends, or has ended. Its lock on the file must be gone.
            old.kill();
        }
        self.look_at_file()?;
        let hello = Hello {
            library: self.library()?,
            database: std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone()),
        };
        let cannot = |e: std::io::Error| Unusable::server(self.url.clone(), e.to_string(), "");
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        let begun = Child::begin(program().map_err(cannot)?, &hello, life);
        let child = Arc::new(begun.map_err(|not| self.not_begun(not))?);
        *slot = Some(Arc::clone(&child));
        Ok(child)
    }

    fn not_begun(&self, not: NotBegun) -> Unusable {
        match not {
            NotBegun::Library(what) => self.usage(what, library::REMEDY),
            NotBegun::Database(what) if what.contains("not a valid DuckDB database file") => self.usage(
                what,
                "give the path of a DuckDB database, or of a file that does not exist yet",
            ),
            NotBegun::Database(what) => {
                let remedy = if what.contains("lock") {
                    "end the other program that holds the database"
                } else {
                    "give a file that may be written, or duckdb: for a temporary one"
                };
                Unusable::server(self.url.clone(), what, remedy)
            }
            NotBegun::Process(what) => Unusable::server(
                self.url.clone(),
                what,
                "see what it has written to standard error",
            ),
        }
    }

    /// What can be said of the file before the engine opens it.
    fn look_at_file(&self) -> Result<(), Unusable> {
        if self.temporary {
            return Ok(());
        }
        if self.file.is_dir() {
            return Err(self.usage("it is a folder", "give the path of a file"));
        }
        let parent = self.file.parent().filter(|p| !p.as_os_str().is_empty());
        if let Some(folder) = parent.filter(|p| !Path::is_dir(p)) {
            let what = format!("there is no folder {}", folder.display());
            return Err(self.usage(what, "give a path in a folder that exists and may be written"));
        }
        match std::fs::metadata(&self.file) {
            Ok(meta) if meta.permissions().readonly() => Err(self.usage(
                "the file is read-only",
                "give a file that may be written, or duckdb: for a temporary one",
            )),
            _ => Ok(()),
        }
    }

    fn session(&self, who: SessionId) -> Result<DuckSession, Unusable> {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(DuckSession::new(self.engine()?, number, who))
    }

    /// Asks in a session of its own, which then ends.
    fn with<T>(&self, work: impl FnOnce(&mut DuckSession) -> Result<T, String>) -> Result<T, Unusable> {
        let mut session = self.session(SessionId(0))?;
        work(&mut session).map_err(|what| Unusable::server(self.url.clone(), what, ""))
    }

    fn only_text(&self) -> Unusable {
        self.usage(
            "it takes finished text only, not partitions",
            "use --workload parallel",
        )
    }
}

impl Target for Duckdb {
    fn describe(&self) -> Description {
        Description {
            scheme: "duckdb",
            url: self.0.url.clone(),
            words: if self.0.temporary {
                "temporary file"
            } else {
                "file"
            }
            .to_owned(),
            embedded: false,
            can_kill: true,
            can_cancel: true,
            can_terminate: false,
            conditional: false,
            ring: false,
            maintains: Vec::new(),
            changes: Vec::new(),
            one_session: false,
            can_proxy: false,
            levels: vec![Level::Snapshot],
            driver: "DuckDB's C API, in a process of its own".to_owned(),
        }
    }

    fn claim(&self, _: Level) -> Claim {
        Claim {
            level: Level::Snapshot,
            real_time: true,
            hidden_until_commit: true,
            atomic: Atomic::Visit,
            snapshot: Snapshot::FirstMessage,
            durable: true,
        }
    }

    fn semantics(&self) -> Semantics {
        self.0.sqlite.semantics()
    }

    fn default_level(&self) -> Level {
        Level::Snapshot
    }

    fn limits(&self, ty: &Type) -> Option<Limits> {
        self.0.sqlite.limits(ty)
    }

    fn left_out(&self) -> Vec<String> {
        vec!["partitions: --workload parallel only".to_owned()]
    }

    fn facts(&self) -> Result<Facts, Unusable> {
        let version = format!("DuckDB {}", self.0.engine()?.version);
        Ok(Facts {
            version,
            ..Facts::default()
        })
    }

    fn prepare(&self, _: &Arc<Schema>) -> Result<(), Unusable> {
        Err(self.0.only_text())
    }

    /// A temporary file is evidence and stays in the folder of the run, whose end is its end.
    fn cleanup(&self) -> Result<Vec<String>, Unusable> {
        if self.0.temporary || !self.0.file.exists() {
            return Ok(Vec::new());
        }
        let prefix = self.0.options.prefix.clone();
        let (removed, kept) = self.0.with(|session| ours::remove(session, &prefix))?;
        match kept.first() {
            Some(what) => Err(Unusable::server(self.0.url.clone(), what.clone(), "")),
            None => Ok(removed),
        }
    }

    fn plan_of_objects(&self, schema: &Schema) -> Vec<String> {
        self.0.sqlite.plan_of_objects(schema)
    }

    fn connect(&self, _: SessionId, _: &Arc<Schema>) -> Result<Box<dyn Session>, Unusable> {
        Err(self.0.only_text())
    }

    fn gone(&self, who: &Identity) -> Gone {
        let engine = self.0.engine.lock();
        match engine.as_ref().filter(|child| child.life == who.incarnation) {
            Some(child) if child.holds(who.process) => Gone::StillThere,
            _ => Gone::Gone,
        }
    }

    fn incarnation(&self) -> Result<String, Unusable> {
        Ok(self.0.engine()?.life.clone())
    }

    fn text(&self, schema: &Schema, request: &Request<'_>) -> Vec<String> {
        self.0.sqlite.text(schema, request)
    }

    fn renderer(&self, schema: &Schema) -> Renderer {
        self.0.sqlite.renderer(schema)
    }

    fn prerender(&self, schema: &Schema, request: &Request<'_>) -> Option<Rendered> {
        self.0.sqlite.prerender(schema, request)
    }

    fn control(&self) -> Option<Arc<dyn Control>> {
        let control: Arc<dyn Control> = Arc::<Inner>::clone(&self.0);
        Some(control)
    }

    fn sql(&self) -> Option<&dyn Sql> {
        Some(self)
    }
}

impl Sql for Duckdb {
    fn open(&self, who: SessionId) -> Result<Box<dyn SqlSession>, Unusable> {
        Ok(Box::new(self.0.session(who)?))
    }

    fn catalog(&self) -> Result<Seen, Unusable> {
        let prefix = self.0.options.prefix.clone();
        self.0.with(|session| ours::seen(session, &prefix))
    }

    /// Nobody waits for anybody: a conflict is refused at once.
    fn waits(&self, _: &Identity) -> Option<Waiting> {
        None
    }
}

impl Control for Inner {
    fn kill9(&self) -> Result<(), Unusable> {
        if let Some(child) = self.engine.lock().as_ref() {
            child.kill();
        }
        Ok(())
    }

    fn restart(&self) -> Result<(), Unusable> {
        self.engine().map(|_| ())
    }

    fn terminate(&self, _: &Identity) -> Result<bool, Unusable> {
        Err(self.usage("a session is not ended from outside", "leave this step out"))
    }
}
