//! `verified`: what generating and checking cost, beside the same statements made beforehand and not checked; and, on
//! PostgreSQL, beside `pgbench` on the same server with the same mix of point reads and updates.
//!
//! Checked: a run as the command line makes it (turnstile, log, tracker, judge), until the last answer is judged.
//! Bare: the same visits on as many sessions, each statement's text and values ready; a visit goes to the session of its
//! first partition, so that what belongs together stays in order without anybody waiting for a turn.

use crate::rounds::{self, Series, Turn, interleaved, seconds};
use history::{Lts, Progress, Regenerate, SessionId, Visit, Watcher};
use run::plan::{Plan, Settings};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use targets::{OpenOptions, Rendered, Request, Target};
use workload::Partitions;
use workload::partitions::{VisitKind, Writes};

const SESSIONS: u16 = 8;
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn run(rounds: usize) {
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    let sqlite = |profile: &str, visits| compare(rounds, scratch.path(), "sqlite:", profile, visits, None);
    let heavy = sqlite("write-heavy", 20_000);
    print("SQLite, write-heavy", &heavy, Some(0.75));
    print("SQLite, read-heavy", &sqlite("read-heavy", 20_000), None);
    let Some(server) = Server::start(scratch.path()) else {
        println!("PostgreSQL: no server binaries on this machine, left out");
        return;
    };
    print(
        "PostgreSQL, default profile",
        &compare(
            rounds,
            scratch.path(),
            &server.url,
            "default",
            8_000,
            Some(&server.password),
        ),
        Some(0.9),
    );
    server.beside_pgbench(rounds, scratch.path());
}

/// Checked, then bare, in visits a second.
fn compare(
    rounds: usize,
    scratch: &Path,
    url: &str,
    profile: &str,
    visits: u64,
    password: Option<&str>,
) -> Vec<Series> {
    let plan = plan(url, profile, visits);
    let turns: Vec<Turn<'_>> = vec![
        ("checked", Box::new(|| checked(&plan, scratch, password))),
        ("bare", Box::new(|| bare(&plan, scratch, password))),
    ];
    interleaved(rounds, turns)
}

fn print(what: &str, series: &[Series], goal: Option<f64>) {
    println!("{what}, {SESSIONS} sessions");
    for one in series {
        rounds::print(one, 1e3, "k visits/s");
    }
    rounds::ratio(&series[0], &series[1], goal);
}

fn plan(url: &str, profile: &str, visits: u64) -> Plan {
    plan_at(url, profile, visits, &[])
}

/// [`plan`] with more settings.
pub(crate) fn plan_at(url: &str, profile: &str, visits: u64, more: &[(&str, &str)]) -> Plan {
    let mut settings = Settings::default();
    let visits = visits.to_string();
    let sessions = SESSIONS.to_string();
    let sessions = more
        .iter()
        .find(|(key, _)| *key == "sessions")
        .map_or(sessions.as_str(), |(_, n)| n);
    let given = [
        ("target", url),
        ("seed", "be"),
        ("profile", profile),
        ("visits", &visits),
        ("sessions", sessions),
    ];
    for (key, value) in given
        .iter()
        .chain(more.iter().filter(|(key, _)| *key != "sessions"))
        .copied()
    {
        settings
            .set(key, value, key)
            .expect("the settings of a benchmark are good ones");
    }
    settings
        .plan(&environment())
        .expect("the settings of a benchmark make a plan")
}

fn environment() -> targets::target::Environment {
    Arc::new(|name| std::env::var(name).ok())
}

pub(crate) struct Nobody;

impl Watcher for Nobody {
    fn see(&mut self, _: &Progress) {}
}

/// Visits a second of a run, from the first statement to the last judgement. Setting up and cleaning up are measured by a
/// run of one visit and taken off.
fn checked(plan: &Plan, scratch: &Path, password: Option<&str>) -> f64 {
    visits(plan) as f64 / checked_by(plan, scratch, password, &seconds)
}

/// The same by any measure of what it took.
pub(crate) fn checked_by(
    plan: &Plan,
    scratch: &Path,
    password: Option<&str>,
    measure: &dyn Fn(&mut dyn FnMut()) -> f64,
) -> f64 {
    let whole = |plan: &Plan| {
        let mut verdict = None;
        let took = measure(&mut || {
            verdict = Some(run::run(plan, scratch, password, &mut Nobody).expect("a run ends"))
        });
        let verdict = verdict.expect("the run has ended").verdict;
        assert!(
            verdict.causes.is_empty(),
            "a healthy database has no findings: {:?}",
            verdict.causes
        );
        took
    };
    let mut one = plan.clone();
    one.length = run::plan::Length::Visits(1);
    let around = whole(&one);
    (whole(plan) - around).max(1e-9)
}

fn visits(plan: &Plan) -> u64 {
    match plan.length {
        run::plan::Length::Visits(n) => n,
        run::plan::Length::TimeMs(_) | run::plan::Length::Stages => panic!("a benchmark counts visits"),
    }
}

/// Visits a second of the same statements, rendered beforehand, answers read and dropped.
fn bare(plan: &Plan, scratch: &Path, password: Option<&str>) -> f64 {
    visits(plan) as f64 / bare_by(plan, scratch, password, &seconds)
}

/// The same by any measure of what it took.
pub(crate) fn bare_by(
    plan: &Plan,
    scratch: &Path,
    password: Option<&str>,
    measure: &dyn Fn(&mut dyn FnMut()) -> f64,
) -> f64 {
    let folder = tempfile::tempdir_in(scratch).expect("a temporary folder can be made");
    let mut options = OpenOptions::new(folder.path(), "gmbare");
    let count = plan.sessions;
    options.sessions = count;
    options.level = Some(plan.level);
    let password = password.map(str::to_owned);
    options.environment = Arc::new(move |name| match name {
        "PGPASSWORD" => password.clone(),
        name => std::env::var(name).ok(),
    });
    let target = targets::open(&plan.target, &options).expect("the target opens");
    let schema = Arc::new(plan.schema.clone());
    target.prepare(&schema).expect("tables can be made");
    let partitions =
        Partitions::new(plan.workload.clone(), plan.seed.0, Arc::clone(&schema)).expect("as in the run");
    let mut queues: Vec<Vec<Vec<Rendered>>> = (0..count).map(|_| Vec::new()).collect();
    for lts in 1..=visits(plan) {
        let Some(visit) = partitions.visit(Lts(lts)) else {
            continue;
        };
        let queue = visit
            .writes
            .first()
            .map_or(lts, |part| part.position ^ u64::from(part.table));
        let queue = usize::try_from(queue % u64::from(count)).expect("a small number");
        queues[queue].push(rendered(target.as_ref(), &schema, &visit));
    }
    let mut sessions: Vec<_> = (1..=count)
        .map(|n| target.connect(SessionId(n), &schema).expect("a session opens"))
        .collect();
    let took = measure(&mut || {
        thread::scope(|scope| {
            for (session, queue) in sessions.iter_mut().zip(&queues) {
                scope.spawn(move || {
                    for visit in queue {
                        for request in visit {
                            // A refusal (a duplicate, a serialization failure) is an answer like another.
                            let _ = session.replay(request, DEADLINE);
                        }
                    }
                });
            }
        });
    });
    drop(sessions);
    target.cleanup().expect("tables can be removed");
    took
}

/// The requests of a visit, as a session of a run sends them.
fn rendered(target: &dyn Target, schema: &datagen::schema::Schema, visit: &Visit) -> Vec<Rendered> {
    let one = |request| target.prerender(schema, &request);
    let all: Option<Vec<Rendered>> = Request::of(visit).map(one).collect();
    all.expect("a target with statements")
}

/// A PostgreSQL server of our own, for all rounds.
pub(crate) struct Server {
    /// Keeps it alive.
    _target: Box<dyn Target>,
    pub(crate) url: String,
    pub(crate) password: String,
    host: String,
    port: u16,
}

impl Server {
    pub(crate) fn start(scratch: &Path) -> Option<Server> {
        let folder: PathBuf = scratch.join("server");
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let target = targets::open("postgres:local", &OpenOptions::new(&folder, "gmserver")).ok()?;
        target.facts().ok()?;
        let Ok(Some(targets::Upstream::Tcp(address))) = target.upstream() else {
            return None;
        };
        let (host, port) = (address.ip().to_string(), address.port());
        let password = std::fs::read_to_string(folder.join("postgres/password")).ok()?;
        Some(Server {
            _target: target,
            url: format!("postgres://gristmill@{host}:{port}/postgres?sslmode=disable"),
            password,
            host,
            port,
        })
    }

    /// Point reads and updates, one statement a visit, against pgbench's prepared mode with the same mix on a table of
    /// the same rows.
    fn beside_pgbench(&self, rounds: usize, scratch: &Path) {
        let script = scratch.join("mix.sql");
        let mix = "\\set k random(1, 4096)\n\\set w random(0, 3)\n\\if :w > 1\n\
                   SELECT v, t FROM gmpg WHERE p = :k AND c = :k;\n\\elif :w\n\
                   UPDATE gmpg SET v = :k WHERE p = :k AND c = :k;\n\\else\n\
                   INSERT INTO gmpg VALUES (:k, :k, 0, 'twenty letters of text') \
                   ON CONFLICT (p, c) DO UPDATE SET v = excluded.v, t = excluded.t;\n\\endif\n";
        std::fs::write(&script, mix).expect("a script can be written");
        let made = self.psql(
            "CREATE TABLE gmpg (p bigint, c bigint, v bigint, t text, PRIMARY KEY (p, c)); \
             INSERT INTO gmpg SELECT i, i, 0, 'twenty letters of text' FROM generate_series(1, 4096) i",
        );
        if !made {
            println!("psql or pgbench is not on this machine: left out");
            return;
        }
        // As pgbench does by default.
        let mut plan = plan_at(&self.url, "points", 20_000, &[("isolation", "read-committed")]);
        let config = &mut plan.workload;
        let kind = |name: &str, writes: u16| VisitKind {
            name: name.to_owned(),
            weight: 1,
            partitions: writes,
            writes,
            reads: 1 - writes,
            autocommit: true,
            strict: false,
        };
        config.visits = vec![kind("write", 1), kind("read", 0)];
        config.writes = Writes {
            upsert: 1,
            update_some: 1,
            ..Writes::NONE
        };
        let turns: Vec<Turn<'_>> = vec![
            (
                "checked",
                Box::new(|| checked(&plan, scratch, Some(&self.password))),
            ),
            (
                "pgbench -M prepared -c 8 -j 2",
                Box::new(|| self.pgbench(&script)),
            ),
        ];
        let series = interleaved(rounds, turns);
        print("PostgreSQL, point reads and updates", &series, Some(0.9));
        self.psql("DROP TABLE gmpg");
    }

    fn psql(&self, sql: &str) -> bool {
        Command::new("psql")
            .env("PGPASSWORD", &self.password)
            .args([
                "-q",
                "-h",
                &self.host,
                "-p",
                &self.port.to_string(),
                "-U",
                "gristmill",
                "-d",
                "postgres",
                "-c",
                sql,
            ])
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    }

    /// Transactions a second, as pgbench says.
    fn pgbench(&self, script: &Path) -> f64 {
        let output = Command::new("pgbench")
            .env("PGPASSWORD", &self.password)
            .args(["-n", "-M", "prepared", "-c", "8", "-j", "2", "-t", "2500", "-f"])
            .arg(script)
            .args([
                "-h",
                &self.host,
                "-p",
                &self.port.to_string(),
                "-U",
                "gristmill",
                "postgres",
            ])
            .output()
            .expect("pgbench starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines()
            .find_map(|l| l.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| {
                panic!(
                    "pgbench says no tps: {text}{}",
                    String::from_utf8_lossy(&output.stderr)
                )
            })
    }
}
