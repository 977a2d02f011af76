//! The face of every database: what it promises, what it keeps, how a session of it answers.
//!
//! Nothing here knows one database from another; nothing outside this crate sees a driver's type.
//!
//! Invariants:
//! * T1 what a database says to a statement is an [`Answer`]; [`Unusable`] is for a target that cannot be used at all.
//! * T2 nothing is tried twice: no reconnect, no retry, no second statement that was not asked for.
//! * T3 the digest that [`Session::execute`] reports equals that of [`Target::renderer`] for the same request.

use crate::Unusable;
use crate::dialect::{self, Renderer, Script};
use crate::sql::Sql;
use datagen::domain::Limits;
use datagen::schema::Schema;
use datagen::value::Type;
use history::{
    Address, Answer, Change, ChangeKind, Claim, Condition, Discipline, End, Level, Semantics, SessionId,
    Stamp, Step, Visit,
};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Looks up a variable of the environment (`PGPASSWORD`, `HOME`, …).
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Everything but the URL that a target needs to know.
#[derive(Clone)]
pub struct OpenOptions {
    /// The folder of the run: temporary files and `:local` servers live in it.
    pub folder: PathBuf,
    /// What the name of everything we make begins with: a lower-case letter, then letters, digits, `_`; at most 40 bytes.
    pub prefix: String,
    /// How many sessions the run will have.
    pub sessions: u16,
    /// The seed of the run: lies are drawn from it.
    pub seed: u64,
    /// The lies to tell; empty for the truth.
    pub lies: Vec<Lie>,
    /// The level of statements outside transactions; `None`: [`Target::default_level`].
    pub level: Option<Level>,
    /// Which order of the writes the model assumes: tables, statements and reads are written for it.
    pub discipline: Discipline,
    /// One session moves at a time: a lock that somebody holds answers at once instead of after `busy`.
    pub lock_step: bool,
    /// How long a lock of SQLite is waited for in free pace.
    pub busy: Duration,
    /// Connections of these sessions go to these addresses instead of the server's: the run's fault proxies.
    pub through: BTreeMap<SessionId, SocketAddr>,
    /// Where passwords and the like are looked up.
    pub environment: Environment,
}

impl OpenOptions {
    /// Eight sessions, no lies, free pace, five seconds of busy timeout, the environment of this process.
    pub fn new(folder: impl Into<PathBuf>, prefix: impl Into<String>) -> Self {
        Self {
            folder: folder.into(),
            prefix: prefix.into(),
            sessions: 8,
            seed: 0,
            lies: Vec::new(),
            level: None,
            discipline: Discipline::Ordered,
            lock_step: false,
            busy: Duration::from_secs(5),
            through: BTreeMap::new(),
            environment: Arc::new(|name| std::env::var(name).ok()),
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("folder", &self.folder)
            .field("prefix", &self.prefix)
            .field("sessions", &self.sessions)
            .field("lies", &self.lies)
            .field("lock_step", &self.lock_step)
            .field("through", &self.through)
            .finish_non_exhaustive()
    }
}

/// A lie by name (see [`crate::flaws::FLAWS`]) and how often it is told where it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lie {
    /// Its name.
    pub name: String,
    /// Told at so many of a million addresses.
    pub per_million: u32,
}

/// What a target is, known without a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The part of the URL before the colon.
    pub scheme: &'static str,
    /// The URL without its password.
    pub url: String,
    /// One line for people: "temporary file, WAL".
    pub words: String,
    /// The engine lives in this process: its crash is ours.
    pub embedded: bool,
    /// [`Control::kill9`] and [`Control::restart`] work.
    pub can_kill: bool,
    /// [`Session::cancel`] gives a handle.
    pub can_cancel: bool,
    /// [`Control::terminate`] works (the server may still refuse for want of rights).
    pub can_terminate: bool,
    /// Visits may have a condition ([`history::Stamp::condition`]): lightweight transactions.
    pub conditional: bool,
    /// Partitions lie on a ring by their tokens, and reads may ask for ranges of it, `ttl()` and `avg()`.
    pub ring: bool,
    /// What [`Target::maintain`] can do.
    pub maintains: Vec<Maintenance>,
    /// Which changes of the schema it takes while visits go on ([`history::Step::Change`]).
    pub changes: Vec<ChangeKind>,
    /// Only one session can be open at a time (`sqlite::memory:`).
    pub one_session: bool,
    /// Connections are TCP connections that a proxy can stand in ([`OpenOptions::through`]).
    pub can_proxy: bool,
    /// The isolation levels it offers, weakest first.
    pub levels: Vec<Level>,
    /// The driver and its version.
    pub driver: String,
}

/// What a connection tells about the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Name and version: "PostgreSQL 15.18", "SQLite 3.54.1".
    pub version: String,
    /// Settings that matter for the claims.
    pub settings: BTreeMap<String, String>,
    /// Rights that a run needs and this user has not; in words.
    pub rights_missing: Vec<String>,
    /// Why we think that a pooler stands in between; faults are then off.
    pub pooler: Option<String>,
}

/// Tables that are somebody's, as we can make their likes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declared {
    /// For [`datagen::schema::ddl::read`], replication included.
    pub ddl: String,
    /// What is there and not in it, one thing each, in words.
    pub left_out: Vec<String>,
}

/// A session as the server knows it: enough to see later whether it is gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The session of the run.
    pub session: SessionId,
    /// The server's name for it: a pid, or a counter of ours.
    pub process: u64,
    /// When it began, in the server's own words: a pid may be used again.
    pub started: String,
    /// [`Target::incarnation`] at that time.
    pub incarnation: String,
}

/// Whether a server session can still do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// It cannot: what it did is done, what it did not will never be.
    Gone,
    /// It is still there.
    StillThere,
    /// Nobody can say (a pooler, a server that does not answer); why.
    CannotTell(String),
}

/// What a session that does not answer is doing, as the server tells another connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// In words: which process, its statement, what it waits for, who blocks it.
    pub words: String,
    /// It waits for a lock of somebody who is not of this run.
    pub outsider: bool,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// An address.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// One thing to ask of a session.
#[derive(Debug, Clone, Copy)]
pub enum Request<'a> {
    /// BEGIN. `writes`: the transaction will write (SQLite: BEGIN IMMEDIATE).
    Begin {
        /// The isolation level.
        level: Level,
        /// Whether the transaction writes.
        writes: bool,
    },
    /// A step of the visit; outside a transaction it commits by itself, at [`OpenOptions::level`].
    Step(&'a Step),
    /// Under `lww`: one write, one read, or a batch of writes of one partition, with the timestamp of the visit.
    Stamped {
        /// The steps; one, but for a batch.
        steps: &'a [Step],
        /// What the visit says beside them.
        stamp: &'a Stamp,
        /// As one batch, and whether through the batch log.
        batch: Option<bool>,
    },
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
}

impl<'a> Request<'a> {
    /// Everything that a visit asks when nothing is refused, in order.
    pub fn of(visit: &'a Visit) -> impl Iterator<Item = Request<'a>> {
        let stamped = Request::stamped(visit);
        let begin = Request::Begin {
            level: visit.level,
            writes: !visit.writes.is_empty(),
        };
        let (first, last) = match visit.end {
            End::Autocommit | End::Batch { .. } => (None, None),
            End::Commit => (Some(begin), Some(Request::Commit)),
            End::Rollback => (Some(begin), Some(Request::Rollback)),
        };
        let single: &[Step] = if stamped.is_some() { &[] } else { &visit.steps };
        let steps = single.iter().map(Request::Step);
        first.into_iter().chain(stamped).chain(steps).chain(last)
    }

    /// One step of a visit by itself, as a person is shown it.
    pub fn alone(visit: &'a Visit, step: &'a Step) -> Request<'a> {
        match &visit.stamp {
            None => Request::Step(step),
            Some(stamp) => Request::Stamped {
                steps: std::slice::from_ref(step),
                stamp,
                batch: None,
            },
        }
    }

    /// What must hold for a lightweight transaction to be done; `None` of any other request.
    pub fn condition(&self) -> Option<&'a Condition> {
        match self {
            Request::Stamped { stamp, .. } => stamp.condition.as_ref(),
            _ => None,
        }
    }

    /// The one request of a visit under `lww`; `None` of any other.
    pub fn stamped(visit: &'a Visit) -> Option<Request<'a>> {
        let stamp = visit.stamp.as_ref()?;
        let batch = match visit.end {
            End::Batch { logged } => Some(logged),
            End::Autocommit | End::Commit | End::Rollback => None,
        };
        Some(Request::Stamped {
            steps: &visit.steps,
            stamp,
            batch,
        })
    }
}

/// The answer to one request, and what was really sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// What the database said. A partition delete that is two statements answers the sum of both counts.
    pub answer: Answer,
    /// Digest of the statements with their values (F4).
    pub digest: u64,
}

/// The statements of one request with their values; only the target that made it can read it.
#[derive(Debug, Clone, Default)]
pub struct Rendered(pub(crate) Script);

/// A database that can be asked.
pub trait Target: Send + Sync {
    /// What it is; needs no connection.
    fn describe(&self) -> Description;

    /// What it promises at a level; needs no connection. For levels that it does not offer, of the next stronger one.
    fn claim(&self, level: Level) -> Claim;

    /// How its statements mean what they mean; needs no connection.
    fn semantics(&self) -> Semantics;

    /// The level of a session that asks for none; needs no connection.
    fn default_level(&self) -> Level;

    /// What a column of the type can keep; `None` where the type is not offered. A static table (F20).
    fn limits(&self, ty: &Type) -> Option<Limits>;

    /// What a column of the type is declared as; `None` where the type is not offered, or nothing is declared.
    fn column_type(&self, _ty: &Type) -> Option<String> {
        None
    }

    /// What it cannot keep or do, in words, one thing each: "NaN (SQLite stores it as NULL)".
    fn left_out(&self) -> Vec<String>;

    /// Whether it has words for a request on these tables, and if not, what it cannot say, in a few words; needs no
    /// connection. Workloads draw no other, and a written history with another is a mistake.
    fn says(&self, _schema: &Schema, request: &Request<'_>) -> Result<(), String> {
        let steps = match request {
            Request::Stamped { steps, .. } => *steps,
            Request::Step(step) => std::slice::from_ref(*step),
            Request::Begin { .. } | Request::Commit | Request::Rollback => &[],
        };
        if let [Step::Change(change)] = steps
            && !self.describe().changes.contains(&change.what)
        {
            return Err(format!("`{}`", change.what.name()));
        }
        dialect::not_offered(request, self.describe().conditional).map_or(Ok(()), |what| Err(what.to_owned()))
    }

    /// Version, settings, rights; connects. Errors: [`Unusable::Server`] when it cannot be used.
    fn facts(&self) -> Result<Facts, Unusable>;

    /// Makes the tables of the schema. What exists already with our prefix is an error: nothing is overwritten.
    fn prepare(&self, schema: &Arc<Schema>) -> Result<(), Unusable>;

    /// Removes everything whose name begins with the prefix; says what was removed, in words.
    fn cleanup(&self) -> Result<Vec<String>, Unusable>;

    /// The statements that [`Target::prepare`] would run.
    fn plan_of_objects(&self, schema: &Schema) -> Vec<String>;

    /// Opens a session.
    fn connect(&self, who: SessionId, schema: &Arc<Schema>) -> Result<Box<dyn Session>, Unusable>;

    /// Whether a session is gone, asked of the server by another connection.
    fn gone(&self, who: &Identity) -> Gone;

    /// What a session that does not answer is doing; `ours` are the server processes of this run's sessions. `None` where
    /// nobody can be asked.
    fn stalled(&self, _who: &Identity, _ours: &[u64]) -> Option<Stall> {
        None
    }

    /// Why we think that a pooler stands in between, as far as connections have shown so far. It may show late: it has
    /// nothing to hand round while there is one connection only.
    fn pooler(&self) -> Option<String> {
        None
    }

    /// Changes when the server restarted.
    fn incarnation(&self) -> Result<String, Unusable>;

    /// The statements of a request with their values in place, for people. More than one only for a partition delete.
    fn text(&self, schema: &Schema, request: &Request<'_>) -> Vec<String>;

    /// What writes requests as the sessions of this target do, digests included.
    fn renderer(&self, schema: &Schema) -> Renderer;

    /// A request with its statements written and its values encoded, for [`Session::replay`]; `None` where sessions do
    /// not work from statements (the reference).
    fn prerender(&self, _schema: &Schema, _request: &Request<'_>) -> Option<Rendered> {
        None
    }

    /// What a fault proxy forwards to; `None` where there is no connection to stand in (embedded engines).
    fn upstream(&self) -> Result<Option<Upstream>, Unusable> {
        Ok(None)
    }

    /// What can be done to the server; `None` where nothing can.
    fn control(&self) -> Option<Arc<dyn Control>> {
        None
    }

    /// Has the server put its files in order, or go round once, and waits until it has. What is read may not change by it.
    /// `Err`: in words.
    fn maintain(&self, _what: Maintenance) -> Result<(), Unusable> {
        let remedy = "leave this step out";
        Err(Unusable::usage(
            self.describe().url,
            "its files are not ours to put in order",
            remedy,
        ))
    }

    /// The tables of a keyspace that is there already, as DDL; those that are named, or all of them. Nothing is changed there.
    /// `Err`: there is nothing that could be taken over.
    fn declared(&self, _keyspace: &str, _tables: &[String]) -> Result<Declared, Unusable> {
        let remedy = "give the tables in a file: --schema FILE";
        Err(Unusable::usage(
            self.describe().url,
            "it has no keyspaces whose tables could be read",
            remedy,
        ))
    }

    /// Whether the server's catalog shows what a change asks for: its index or column is there, or is not.
    fn shows(&self, _schema: &Schema, _change: &Change) -> Result<bool, Unusable> {
        let remedy = "leave this step out";
        Err(Unusable::usage(
            self.describe().url,
            "its schema is not changed while visits go on",
            remedy,
        ))
    }

    /// Its face for finished text; `None` where it has none.
    fn sql(&self) -> Option<&dyn Sql> {
        None
    }

    /// Lies told so far, by name. A lie that changed no answer is not counted.
    fn lies(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

/// One client session. Dropping it closes the connection without another word to the server but goodbye.
pub trait Session: Send {
    /// Sends one request and waits at most `deadline` for its answer. After the deadline the answer is
    /// `Unknown(Deadline)` and the session is [`Session::broken`], unless the engine has promised that nothing happened.
    fn execute(&mut self, at: Address, request: &Request<'_>, deadline: Duration) -> Executed;

    /// Sends what was rendered beforehand: [`Session::execute`] without writing statements and without a digest. Rows
    /// are read to the end and counted in `Affected`, not kept. The outcome of a COMMIT is not looked into: this is for
    /// measuring what the checking costs, not for checking.
    ///
    /// # Panics
    /// On targets whose [`Target::prerender`] gives nothing.
    fn replay(&mut self, _rendered: &Rendered, _deadline: Duration) -> Answer {
        panic!("a target without statements was given some")
    }

    /// Who we are to the server.
    fn identity(&self) -> Identity;

    /// A handle that cancels the running statement from another thread.
    fn cancel(&self) -> Option<Arc<dyn Cancel>>;

    /// It must be replaced by a new [`Target::connect`]; it answers nothing but `Refused(Disconnected)` from now on.
    fn broken(&self) -> bool;
}

/// Cancels what a session is doing.
pub trait Cancel: Send + Sync {
    /// Asks once; the session's answer says whether it came in time. `Err`: the request could not be delivered, in words.
    fn cancel(&self) -> Result<(), String>;
}

/// What can be done to a server by its owner.
pub trait Control: Send + Sync {
    /// Ends the server's processes at once, without a last word. `Err`: in words.
    fn kill9(&self) -> Result<(), Unusable>;

    /// Starts it again and waits until it answers.
    fn restart(&self) -> Result<(), Unusable>;

    /// Ends one server session; `false` where it was gone already.
    fn terminate(&self, who: &Identity) -> Result<bool, Unusable>;
}

/// What a server's files can be put through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Maintenance {
    /// What is in memory goes to disk.
    Flush,
    /// Files are merged.
    Compact,
    /// Replicas are compared, and brought to agree; or indexes are made anew.
    Repair,
    /// The server ends in order, and starts again.
    Restart,
}

impl Maintenance {
    /// Its name, a verb.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Compact => "compact",
            Self::Repair => "repair",
            Self::Restart => "restart",
        }
    }
}
