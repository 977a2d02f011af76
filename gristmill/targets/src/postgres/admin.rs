//! What is asked of the server besides the visits: facts, our tables, who is still there. One connection, opened when
//! it is needed and opened again when the server went away; nothing here is part of the history.

use super::Server;
use super::codes;
use super::wire::{Failure, Lost, NoConnection, Wire};
use crate::Unusable;
use crate::target::{Facts, Identity, Stall};
use history::SessionId;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;

/// The least version whose catalogue and locks this crate knows.
const VERSION_MIN: u32 = 12;

/// How long these questions may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The connection.
#[derive(Default)]
pub(super) struct Admin(Mutex<Option<Wire>>);

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Unasked {
    Lost(Lost),
    Refused(Failure),
}

pub(super) type Asked<T> = Result<T, Unasked>;

impl Admin {
    /// Does something with the connection. Where an old connection turns out dead before the server took the question,
    /// it is asked once more on a new one: these questions change nothing that asking twice would change twice.
    pub(super) fn with<T>(
        &self,
        server: &Server,
        work: impl FnOnce(&mut Wire) -> Asked<T>,
    ) -> Result<T, Unusable> {
        let config = server.config()?;
        let mut slot = self.0.lock();
        let alive = slot.as_mut().is_some_and(|wire| {
            wire.set_patience(config.connect_timeout);
            matches!(wire.simple("SELECT 1"), Ok(Ok(_)))
        });
        if !alive {
            *slot = None;
            let wire = Wire::connect(&config, None, &[]).map_err(|e| no_connection(&config.shown, &e))?;
            *slot = Some(wire);
        }
        let wire = slot.as_mut().expect("connected above");
        wire.set_patience(PATIENCE);
        work(wire).map_err(|error| {
            if matches!(error, Unasked::Lost(_)) {
                *slot = None;
            }
            unusable(&config.shown, &error)
        })
    }
}

fn no_connection(url: &str, error: &NoConnection) -> Unusable {
    let (what, remedy) = codes::complaint(error);
    Unusable::server(url, what, remedy)
}

pub(super) fn unusable(url: &str, error: &Unasked) -> Unusable {
    match error {
        Unasked::Refused(failure) => no_connection(url, &NoConnection::Refused(failure.clone())),
        Unasked::Lost(Lost::Silent) => Unusable::server(url, "the server does not answer", ""),
        Unasked::Lost(Lost::Closed(why)) => Unusable::server(url, why.clone(), ""),
    }
}

/// Rows of text.
pub(super) fn rows(wire: &mut Wire, sql: &str) -> Asked<Vec<Vec<Option<String>>>> {
    wire.simple(sql).map_err(Unasked::Lost)?.map_err(Unasked::Refused)
}

/// The first row; missing columns and NULL are "".
fn row(wire: &mut Wire, sql: &str) -> Asked<Vec<String>> {
    let first = rows(wire, sql)?.into_iter().next().unwrap_or_default();
    Ok(first.into_iter().map(Option::unwrap_or_default).collect())
}

pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What changes when the server restarted, or when it threw its sessions away after a crash of one of them: the second
/// shows in the start of the checkpointer, where we may see that.
const INCARNATION: &str = "SELECT pg_postmaster_start_time()::text || coalesce(' ' || (SELECT backend_start::text \
                           FROM pg_stat_activity WHERE backend_type = 'checkpointer'), '')";

pub(super) fn incarnation(wire: &mut Wire) -> Asked<String> {
    Ok(row(wire, INCARNATION)?.concat())
}

/// Who a new session is to the server.
pub(super) fn identity(wire: &mut Wire, session: SessionId) -> Asked<Identity> {
    let sql = "SELECT pid::text, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let mut found = row(wire, sql)?.into_iter();
    let process = found.next().and_then(|pid| pid.parse().ok()).unwrap_or(0);
    let started = found.next().unwrap_or_default();
    Ok(Identity {
        session,
        process,
        started,
        incarnation: incarnation(wire)?,
    })
}

/// Whether a session is there, or what it left behind: it leaves the list only after it has given up its locks.
pub(super) fn is_there(wire: &mut Wire, who: &Identity) -> Asked<bool> {
    if incarnation(wire)? != who.incarnation {
        return Ok(false);
    }
    Ok(!rows(wire, &format!("SELECT 1 FROM pg_stat_activity WHERE {}", is(who)))?.is_empty())
}

fn is(who: &Identity) -> String {
    format!(
        "pid = {} AND backend_start = {}::timestamptz",
        who.process,
        literal(&who.started)
    )
}

/// What a session does, what it waits for, and who stands in its way.
pub(super) fn stalled(wire: &mut Wire, who: &Identity, ours: &[u64]) -> Asked<Stall> {
    let sql = format!(
        "SELECT coalesce(state, ''), coalesce(wait_event_type || ' ' || wait_event, ''), coalesce(query, ''), \
         array_to_string(pg_blocking_pids(pid), ' ') FROM pg_stat_activity WHERE {}",
        is(who)
    );
    let seen = row(wire, &sql)?;
    let [state, event, query, blockers] = seen.as_slice() else {
        return Ok(Stall {
            words: format!("server process {}, which is gone", who.process),
            outsider: false,
        });
    };
    let event = if event.is_empty() {
        String::new()
    } else {
        format!(", waits for {event}")
    };
    let mut words = format!("server process {} ({state}{event}: {query})", who.process);
    let mut outsider = false;
    for pid in blockers.split(' ').filter(|pid| !pid.is_empty()) {
        let blocker = row(
            wire,
            &format!(
                "SELECT coalesce(application_name, ''), coalesce(usename, ''), coalesce(query, '') \
                 FROM pg_stat_activity WHERE pid = {pid}"
            ),
        )?;
        let field = |i: usize| blocker.get(i).map_or("", String::as_str);
        if ours.iter().any(|ours| ours.to_string() == pid) {
            words += &format!(", blocked by process {pid} (ours): {}", field(2));
        } else {
            outsider = true;
            let program = if field(0).is_empty() {
                "unnamed program"
            } else {
                field(0)
            };
            words += &format!(
                ", blocked by process {pid} (not ours: {program}, user {}): {}",
                field(1),
                field(2)
            );
        }
    }
    Ok(Stall { words, outsider })
}

pub(super) fn terminate(wire: &mut Wire, who: &Identity) -> Asked<bool> {
    let sql = format!(
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE {}",
        is(who)
    );
    Ok(row(wire, &sql)? == ["true"])
}

/// Tables with our prefix in the schema that new ones go to, quoted.
pub(super) fn ours(wire: &mut Wire, prefix: &str) -> Asked<Vec<String>> {
    named(wire, prefix, "'r', 'p'")
}

/// The relations of some kinds whose names begin with the prefix.
fn named(wire: &mut Wire, prefix: &str, kinds: &str) -> Asked<Vec<String>> {
    let pattern = literal(&format!("{}\\_%", prefix.replace('_', "\\_")));
    let sql = format!(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = current_schema() AND c.relkind IN ({kinds}) AND c.relname LIKE {pattern} ORDER BY 1"
    );
    Ok(rows(wire, &sql)?.into_iter().flatten().flatten().collect())
}

/// What is in memory goes to disk.
pub(super) fn checkpoint(wire: &mut Wire) -> Asked<()> {
    rows(wire, "CHECKPOINT").map(drop)
}

/// VACUUM or REINDEX of one table. It stands in nobody's way for long: where it cannot have its lock, it says so.
pub(super) fn tidy(wire: &mut Wire, word: &str, name: &str) -> Asked<()> {
    rows(wire, "SET lock_timeout = '10s'")?;
    rows(wire, &format!("{word} {name}")).map(drop)
}

/// Several statements in one transaction.
pub(super) fn all_or_nothing(wire: &mut Wire, statements: &[String]) -> Asked<()> {
    // Statements of one simple query are one transaction.
    rows(wire, &statements.join(";\n")).map(drop)
}

/// What a connection shows, before it is judged.
pub(super) struct Seen {
    version: String,
    version_num: u32,
    encoding: String,
    schema: String,
    may_create: bool,
    /// A standby: it takes no writes.
    recovers: bool,
    /// Transactions may not write unless they say so.
    read_only: bool,
    settings: BTreeMap<String, String>,
    pooler: Option<String>,
}

const SETTINGS: &[&str] = &[
    "autovacuum",
    "default_transaction_isolation",
    "fsync",
    "full_page_writes",
    "max_connections",
    "server_encoding",
    "shared_buffers",
    "synchronous_commit",
    "wal_level",
];

pub(super) fn facts(wire: &mut Wire) -> Asked<Seen> {
    let first = row(
        wire,
        "SELECT current_setting('server_version'), current_setting('server_version_num'), \
         current_setting('server_encoding'), coalesce(current_schema(), ''), \
         coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)::text, \
         pg_is_in_recovery()::text, current_setting('transaction_read_only')",
    )?;
    let field = |i: usize| first.get(i).cloned().unwrap_or_default();
    let mut settings = BTreeMap::new();
    for name in SETTINGS {
        let value = row(
            wire,
            &format!("SELECT coalesce(current_setting('{name}', true), '')"),
        )?;
        settings.insert((*name).to_owned(), value.concat());
    }
    Ok(Seen {
        version: field(0),
        version_num: field(1).parse().unwrap_or(0),
        encoding: field(2),
        schema: field(3),
        may_create: field(4) == "true",
        recovers: field(5) == "true",
        read_only: field(6) == "on",
        settings,
        pooler: pooler(wire)?,
    })
}

/// The process that answers is the one that logged us in, twice; with a pooler it is not.
fn pooler(wire: &mut Wire) -> Asked<Option<String>> {
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(row(wire, "SELECT pg_backend_pid()::text")?.concat());
    }
    if seen[0] != seen[1] {
        return Ok(Some(format!(
            "the server process changed from {} to {} under one connection",
            seen[0], seen[1]
        )));
    }
    Ok(another(wire, seen[0].parse().unwrap_or(0)))
}

/// Whether another process answers than the one that logged us in, in words.
pub(super) fn another(wire: &Wire, answers: u64) -> Option<String> {
    let told = u64::try_from(wire.process).unwrap_or(0);
    (answers != 0 && told != answers).then(|| format!("process {told} was announced, {answers} answers"))
}

/// From what was seen to facts, or to why the server cannot be used.
pub(super) fn judge(url: &str, seen: Seen) -> Result<Facts, Unusable> {
    let version = seen.version_num / 10_000;
    if version < VERSION_MIN {
        let what = format!("it is PostgreSQL {}", seen.version);
        return Err(Unusable::server(
            url,
            what,
            format!("use version {VERSION_MIN} or newer"),
        ));
    }
    if seen.encoding != "UTF8" {
        let what = format!("its encoding is {}", seen.encoding);
        return Err(Unusable::server(
            url,
            what,
            "use a database whose encoding is UTF8",
        ));
    }
    if seen.recovers {
        let what = "it is in recovery: a standby, which takes no writes";
        return Err(Unusable::server(
            url,
            what,
            "give the address of its primary, or promote it",
        ));
    }
    if seen.read_only {
        let what = "its transactions are read-only (default_transaction_read_only)";
        let remedy = "set it off for this database or role, or use another one";
        return Err(Unusable::server(url, what, remedy));
    }
    let mut rights_missing = Vec::new();
    if seen.schema.is_empty() {
        rights_missing.push("no schema to create tables in: search_path names none that exists".to_owned());
    } else if !seen.may_create {
        rights_missing.push(format!("CREATE on schema {}", seen.schema));
    }
    Ok(Facts {
        version: format!("PostgreSQL {}", seen.version),
        settings: seen.settings,
        rights_missing,
        pooler: seen.pooler,
    })
}
