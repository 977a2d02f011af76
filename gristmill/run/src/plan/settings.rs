//! What a person gives: every key optional, from a file, the environment or flags. One table of keys serves all three.

mod reading;

use super::mistake::{Mistake, unknown_key};
use super::parallel::{Asked, Scenario, Work};
use super::values::{Millis, NotA, PerSecond, Rate, Seed, Stop};
use super::{Agent, FaultAt, Pace, Stages};
use crate::fault::{FAULTS, FaultKind};
use history::{Check, Discipline, Level};
use reading::Reading;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;
use toml::de::DeTable;
use workload::parallel::Complexity;

/// Settings of a run: what is `None` is drawn from the profile or has a default, see [`keys`].
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is a key; `keys` says what it means")]
pub struct Settings {
    pub seed: Option<Seed>,
    pub target: Option<String>,
    pub work: Option<Work>,
    pub complexity: Option<Asked<Complexity>>,
    pub scenario: Option<Asked<Scenario>>,
    pub profile: Option<String>,
    pub swarm: Option<bool>,
    pub weights: Option<BTreeMap<String, u32>>,
    pub ceilings: Option<BTreeMap<String, u32>>,
    pub sessions: Option<u16>,
    pub time: Option<Millis>,
    pub visits: Option<u64>,
    pub pace: Option<Pace>,
    pub rate: Option<PerSecond>,
    pub reads: Option<u32>,
    pub discipline: Option<Discipline>,
    pub exclusion: Option<bool>,
    pub bookkeeping: Option<bool>,
    pub isolation: Option<Level>,
    pub claim: Option<Level>,
    pub checkers: Option<u16>,
    pub stop: Option<Stop>,
    pub check: Option<Check>,
    pub keep: Option<bool>,
    pub against: Option<String>,
    pub agent: Option<Agent>,
    pub stages: Option<Stages>,
    pub retries: Option<u8>,
    pub look_ahead: Option<u32>,
    pub deadline: Option<Millis>,
    pub settle: Option<Millis>,
    pub busy: Option<Millis>,
    pub log_bytes: Option<u64>,
    pub evidence_bytes: Option<u64>,
    pub model_bytes: Option<u64>,
    pub choices: Option<u32>,
    pub rejected_percent: Option<u32>,
    pub not_compared_percent: Option<u32>,
    pub outside: Option<Vec<String>>,
    pub meet: Option<Vec<String>>,
    pub known: Option<String>,
    pub schema: Option<String>,
    /// DDL of the tables, and where it came from; no key.
    pub schema_text: Option<(String, String)>,
    pub history: Option<String>,
    pub faults: BTreeMap<FaultKind, Rate>,
    pub faults_at: Vec<FaultAt>,
    pub lies: BTreeMap<String, Rate>,
    /// Keys of the workload that replace the profile's.
    pub workload: toml::Table,
}

/// One key: its name, what its value must be, what it means.
#[derive(Clone, Copy)]
pub struct Key {
    /// As in files, and as flag with two dashes.
    pub name: &'static str,
    /// What its value must be, with an example.
    pub expected: &'static str,
    /// What it means, and its default.
    pub words: &'static str,
    set: fn(&mut Settings, &Raw<'_>) -> Option<()>,
}

/// A value as it was written.
enum Raw<'a> {
    Text(&'a str),
    Number(i64),
    Bool(bool),
    List(Vec<&'a str>),
    /// Of a type that no key has: only its text, to be shown.
    Other(String),
}

impl Raw<'_> {
    /// Its text: numbers are written out, so that `visits = 100` and `--visits 100` are one.
    fn parse<T: FromStr>(&self) -> Option<T> {
        match self {
            Raw::Text(text) => text.parse().ok(),
            Raw::Number(n) => n.to_string().parse().ok(),
            Raw::Bool(b) => b.to_string().parse().ok(),
            Raw::List(_) | Raw::Other(_) => None,
        }
    }

    fn within<T: FromStr + PartialOrd>(&self, min: T, max: T) -> Option<T> {
        self.parse().filter(|n| *n >= min && *n <= max)
    }

    /// Names with numbers, such as `insert=30`, in a list or with commas between them.
    fn numbered(&self, within: &RangeInclusive<u32>) -> Option<BTreeMap<String, u32>> {
        let one = |text: String| {
            let (name, number) = text.split_once('=')?;
            let number = number.trim().parse().ok().filter(|n| within.contains(n))?;
            Some((name.trim().to_owned(), number))
        };
        self.list(|_| true)?.into_iter().map(one).collect()
    }

    /// Words, as a list or with commas between them. `None` where one of them is none of those that there are.
    fn list(&self, is: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let words: Vec<&str> = match self {
            Raw::List(list) => list.clone(),
            Raw::Text(text) => text.split(',').map(str::trim).collect(),
            _ => return None,
        };
        let all = words.iter().all(|word| is(word));
        all.then(|| words.into_iter().map(str::to_owned).collect())
    }

    fn text(&self) -> Option<String> {
        match self {
            Raw::Text(text) if !text.is_empty() => Some((*text).to_owned()),
            _ => None,
        }
    }

    fn shown(&self) -> String {
        match self {
            Raw::Text(text) => format!("{text:?}"),
            Raw::Number(n) => n.to_string(),
            Raw::Bool(b) => b.to_string(),
            Raw::List(list) => format!("{list:?}"),
            Raw::Other(text) => text.clone(),
        }
    }
}

/// The most sessions of a run.
pub const SESSIONS_MAX: u16 = 1000;

/// Every key but the tables `fault`, `lie`, `workload`.
pub fn keys() -> &'static [Key] {
    KEYS
}

macro_rules! key {
    ($name:literal, $expected:literal, $words:literal, $field:ident, $parse:expr) => {
        Key {
            name: $name,
            expected: $expected,
            words: $words,
            set: |s, raw| {
                let parse: fn(&Raw<'_>) -> Option<_> = $parse;
                s.$field = Some(parse(raw)?);
                Some(())
            },
        }
    };
}

const KEYS: &[Key] = &[
    key!(
        "seed",
        "a number of 1 to 16 hexadecimal digits such as 7b3f0c",
        "where every draw comes from (default: drawn)",
        seed,
        |r| r.parse()
    ),
    key!(
        "target",
        "a URL such as sqlite: or postgres://user@host/database",
        "the database (default: sqlite:)",
        target,
        |r| r.text()
    ),
    key!(
        "workload",
        "partitions or parallel",
        "partitions: every read is compared with a model; parallel: statements over a schema that changes, every answer \
         explained or found (default: partitions)",
        work,
        |r| r.parse()
    ),
    key!(
        "complexity",
        "read, dml, ddl, ddl-only or random",
        "parallel: which actions there are (default: dml; with ddl, all of them, some findings are still false)",
        complexity,
        |r| r.parse()
    ),
    key!(
        "scenario",
        "regression, cancel, kill, rename, backup-restore, zero-downtime-deploy or random",
        "parallel: what is done to the server meanwhile; kill wants :local; `gristmill list scenarios` (default: regression, nothing)",
        scenario,
        |r| r.parse()
    ),
    key!(
        "profile",
        "the name of a profile",
        "what the workload is drawn from (default: default)",
        profile,
        |r| r.text()
    ),
    key!(
        "swarm",
        "on or off",
        "draw which kinds of statements exist at all, and how often (default: off; parallel: on, but for the profile reference)",
        swarm,
        |r| match r {
            Raw::Text("on") => Some(true),
            Raw::Text("off") => Some(false),
            _ => r.parse(),
        }
    ),
    key!(
        "weights",
        "actions and how often they come, such as insert=30,drop-table=0",
        "parallel: weights of actions instead of their own, 0: never; `gristmill list actions` (default: none)",
        weights,
        |r| r.numbered(&(0..=1_000))
    ),
    key!(
        "ceilings",
        "things and how many there may be of them, such as tables=30,rows=5000; at least 1 of each",
        "parallel: how many there may be of tables, views, materialized-views, indexes, schemas, sequences, roles, functions, \
         triggers, types, columns (of a table), rows (inserted into it), statements (of a transaction) (default: the profile's)",
        ceilings,
        |r| r.numbered(&(1..=1_000_000))
    ),
    key!(
        "sessions",
        "a number from 1 to 1000",
        "client sessions (default: 8)",
        sessions,
        |r| r.within(1, SESSIONS_MAX)
    ),
    key!(
        "time",
        "a duration such as 10s, 5m",
        "how long the load runs (default: 10s)",
        time,
        |r| r.within(Millis(1), Millis(u64::MAX))
    ),
    key!(
        "visits",
        "a number from 1",
        "how many visits, instead of a time",
        visits,
        |r| r.within(1, u64::MAX)
    ),
    key!(
        "pace",
        "free or lock-step",
        "lock-step: one session moves at a time, in an order drawn from the seed (default: free)",
        pace,
        |r| match r {
            Raw::Text("free") => Some(Pace::Free),
            Raw::Text("lock-step") => Some(Pace::LockStep),
            _ => None,
        }
    ),
    key!(
        "rate",
        "a number a second such as 200/s",
        "visits that may begin in a second, of all sessions together (default: as many as can)",
        rate,
        |r| r.parse()
    ),
    key!(
        "reads",
        "a number from 0 to 99",
        "percent of the visits that only read, exactly (default: as the profile has it)",
        reads,
        |r| r.within(0, 99)
    ),
    key!(
        "discipline",
        "ordered or lww",
        "ordered: visits of one partition run one after another; lww: they race, the greatest timestamp wins (default: the \
         target's)",
        discipline,
        |r| match r {
            Raw::Text("ordered") => Some(Discipline::Ordered),
            Raw::Text("lww") => Some(Discipline::Lww),
            _ => None,
        }
    ),
    key!(
        "exclusion",
        "true or false",
        "lww: whoever writes or reads a partition runs alone on it, instead of racing (default: false)",
        exclusion,
        |r| r.parse()
    ),
    key!(
        "bookkeeping",
        "true or false",
        "each visit leaves its number beside the partitions that it writes, and the lists are compared; costs a row a write, \
         and strict inserts (default: false)",
        bookkeeping,
        |r| r.parse()
    ),
    key!(
        "isolation",
        "an isolation level such as read-committed, serializable",
        "what is asked of the database (default: its own)",
        isolation,
        raw_level
    ),
    key!(
        "claim",
        "an isolation level such as read-committed, serializable",
        "what it is held to (default: what it promises at the level asked for)",
        claim,
        raw_level
    ),
    key!(
        "checkers",
        "a number from 0 to 64",
        "checker threads (default: 1)",
        checkers,
        |r| r.within(0, 64)
    ),
    key!(
        "stop",
        "first, never or a number from 1",
        "when findings end the load (default: first)",
        stop,
        |r| r.parse()
    ),
    key!(
        "check",
        "none, visible, quiescent or exhaustive",
        "how much is compared; none: a load, whose data `--keep` leaves for `check` (default: exhaustive)",
        check,
        |r| match r {
            Raw::Text("none") => Some(Check::None),
            Raw::Text("visible") => Some(Check::Visible),
            Raw::Text("quiescent") => Some(Check::Quiescent),
            Raw::Text("exhaustive") => Some(Check::Exhaustive),
            _ => None,
        }
    ),
    key!(
        "keep",
        "true or false",
        "leave what was made on the database, for `check RUN` later (default: false)",
        keep,
        |r| r.parse()
    ),
    key!(
        "against",
        "a URL such as sqlite: or postgres://user@host/database",
        "a second database to which everything is sent too, and whose answers are compared (default: none)",
        against,
        |r| r.text()
    ),
    key!(
        "agent",
        "a number and of how many, such as 2/4",
        "one of several processes on the same tables, each with partitions of its own; all with one seed (default: alone)",
        agent,
        |r| r.parse()
    ),
    key!(
        "stages",
        "stages such as `load 10000, validate, repeat 3`: load N or for a time (30s), validate and validate-replicas in any order, then perhaps repeat N",
        "loads, and between them reads of every partition written so far (default: one load)",
        stages,
        |r| r.parse()
    ),
    key!(
        "retries",
        "a number from 0 to 31",
        "attempts after the first at a visit that was refused for a lock or a serialization failure (default: 0)",
        retries,
        |r| r.within(0, 31)
    ),
    key!(
        "look-ahead",
        "a number from 1 to 1000",
        "visits a session that may wait for a partition while later ones overtake them (default: 8)",
        look_ahead,
        |r| r.within(1, 1000)
    ),
    key!(
        "deadline",
        "a duration such as 10s, 5m",
        "a statement without an answer is given up after this (default: 10s)",
        deadline,
        |r| r.within(Millis(1), Millis(u64::MAX))
    ),
    key!(
        "settle",
        "a duration such as 10s, 5m",
        "a visit that cannot be settled in this time retires its partitions (default: 10s)",
        settle,
        |r| r.within(Millis(1), Millis(u64::MAX))
    ),
    key!(
        "busy",
        "a duration such as 10s, 5m",
        "how long SQLite waits for a lock in free pace (default: the deadline)",
        busy,
        |r| r.parse()
    ),
    key!(
        "log-bytes",
        "a number of bytes from 3145728",
        "bytes of log, beyond which the oldest is forgotten (default: 2147483648)",
        log_bytes,
        |r| r.within(3 << 20, u64::MAX)
    ),
    key!(
        "evidence-bytes",
        "a number of bytes from 1048576",
        "bytes of answers that wait for the judge or are kept (default: 67108864)",
        evidence_bytes,
        |r| r.within(1 << 20, u64::MAX)
    ),
    key!(
        "model-bytes",
        "a number of bytes",
        "memory for the model of active partitions, 0 to keep nothing (default: 268435456)",
        model_bytes,
        |r| r.parse()
    ),
    key!(
        "choices",
        "a number from 1",
        "choices of overlapping visits tried for one answer (default: 4096)",
        choices,
        |r| r.within(1, u32::MAX)
    ),
    key!(
        "rejected-percent",
        "a number from 0 to 100",
        "visits that may be rejected against the plan before the verdict is unknown (default: 20)",
        rejected_percent,
        |r| r.within(0, 100)
    ),
    key!(
        "not-compared-percent",
        "a number from 0 to 100",
        "answers that may be left uncompared before the verdict is unknown (default: 5)",
        not_compared_percent,
        |r| r.within(0, 100)
    ),
    key!(
        "outside",
        "a list of cancel, terminate, restart",
        "faults that others do to the server while we run (default: none)",
        outside,
        |r| r.list(|s| matches!(s, "cancel" | "terminate" | "restart"))
    ),
    key!(
        "meet",
        "a list of names of `gristmill list defects`",
        "parallel: known defects of the target that the run does not keep away from (default: none)",
        meet,
        |r| r.list(|s| workload::parallel::DEFECTS.iter().any(|d| d.name == s))
    ),
    key!(
        "known",
        "the path of a file",
        "findings to tolerate (default: none)",
        known,
        |r| r.text()
    ),
    key!(
        "schema",
        "the path of a .toml, .sql or .cql file, or keyspace:NAME[.TABLE,TABLE] for tables like those of the target's keyspace",
        "the tables (default: drawn from the seed)",
        schema,
        |r| r.text()
    ),
    key!(
        "history",
        "a file in the notation of histories",
        "visits that are written down, with their tables and sessions, instead of a workload that is drawn",
        history,
        |r| r.text()
    ),
];

/// Tables of settings beside the keys.
const TABLES: [&str; 3] = ["fault", "lie", "workload"];

fn raw_level(raw: &Raw<'_>) -> Option<Level> {
    match raw {
        Raw::Text(text) => level(text),
        _ => None,
    }
}

/// An isolation level by its name.
pub fn level(name: &str) -> Option<Level> {
    Some(match name {
        "read-uncommitted" => Level::ReadUncommitted,
        "read-committed" => Level::ReadCommitted,
        "repeatable-read" => Level::RepeatableRead,
        "snapshot" => Level::Snapshot,
        "serializable" => Level::Serializable,
        _ => return None,
    })
}

/// The name of an isolation level.
pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::ReadUncommitted => "read-uncommitted",
        Level::ReadCommitted => "read-committed",
        Level::RepeatableRead => "repeatable-read",
        Level::Snapshot => "snapshot",
        Level::Serializable => "serializable",
    }
}

impl Settings {
    /// Reads a file of settings; `name` is what the mistakes call it. Every mistake of the file at once.
    pub fn parse(text: &str, name: &str) -> Result<Settings, Vec<Mistake>> {
        let mut reading = Reading {
            text,
            name,
            mistakes: Vec::new(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |s| s.start);
            reading.mistake(at, error.message().to_owned());
        }
        let mut settings = Settings::default();
        if reading.mistakes.is_empty() {
            reading.table(&mut settings, table.get_ref());
        }
        if reading.mistakes.is_empty() {
            return Ok(settings);
        }
        // Tables are read in the order of their keys; people read in the order of lines.
        reading.mistakes.sort_by_key(|(at, _)| *at);
        Err(reading.mistakes.into_iter().map(|(_, mistake)| mistake).collect())
    }

    /// Sets one key from a text: a flag (`place` is `--time`) or a variable of the environment.
    pub fn set(&mut self, key: &str, value: &str, place: &str) -> Result<(), Mistake> {
        let mistake = |what| Mistake {
            place: place.to_owned(),
            what,
        };
        let Some(known) = KEYS.iter().find(|k| k.name == key) else {
            return Err(mistake(unknown_key(key, KEYS.iter().map(|k| k.name))));
        };
        (known.set)(self, &Raw::Text(value))
            .ok_or_else(|| mistake(format!("{value:?} is not {}", known.expected)))
    }

    /// Adds a fault, `NAME=RATE`.
    pub fn fault(&mut self, text: &str, place: &str) -> Result<(), Mistake> {
        let (name, rate) = named_rate(text, place)?;
        let kind: FaultKind = name.parse().map_err(|_| Mistake {
            place: place.to_owned(),
            what: unknown("fault", name, FAULTS.iter().map(|f| f.name)),
        })?;
        self.faults.insert(kind, rate);
        Ok(())
    }

    /// Adds a lie, `NAME=RATE` or `NAME` (then at 1 of 50). Whether the target knows it is seen when the plan is made.
    pub fn lie(&mut self, text: &str, place: &str) -> Result<(), Mistake> {
        let (name, rate) = if text.contains('=') {
            named_rate(text, place)?
        } else {
            (text, Rate { num: 1, den: 50 })
        };
        self.lies.insert(name.to_owned(), rate);
        Ok(())
    }

    /// These settings, and where they say nothing, the others'.
    #[must_use]
    pub fn over(self, under: Settings) -> Settings {
        let mut workload = under.workload;
        merge(&mut workload, self.workload);
        // A given time or number of visits replaces the other's, whichever it was.
        let (time, visits) = if self.time.is_some() || self.visits.is_some() {
            (self.time, self.visits)
        } else {
            (under.time, under.visits)
        };
        let mut faults = under.faults;
        faults.extend(self.faults);
        let mut lies = under.lies;
        lies.extend(self.lies);
        let mut faults_at = under.faults_at;
        faults_at.extend(self.faults_at);
        Settings {
            seed: self.seed.or(under.seed),
            target: self.target.or(under.target),
            work: self.work.or(under.work),
            complexity: self.complexity.or(under.complexity),
            scenario: self.scenario.or(under.scenario),
            profile: self.profile.or(under.profile),
            swarm: self.swarm.or(under.swarm),
            weights: self.weights.or(under.weights),
            ceilings: self.ceilings.or(under.ceilings),
            sessions: self.sessions.or(under.sessions),
            time,
            visits,
            pace: self.pace.or(under.pace),
            rate: self.rate.or(under.rate),
            reads: self.reads.or(under.reads),
            discipline: self.discipline.or(under.discipline),
            exclusion: self.exclusion.or(under.exclusion),
            bookkeeping: self.bookkeeping.or(under.bookkeeping),
            isolation: self.isolation.or(under.isolation),
            claim: self.claim.or(under.claim),
            checkers: self.checkers.or(under.checkers),
            stop: self.stop.or(under.stop),
            check: self.check.or(under.check),
            keep: self.keep.or(under.keep),
            against: self.against.or(under.against),
            agent: self.agent.or(under.agent),
            stages: self.stages.or(under.stages),
            retries: self.retries.or(under.retries),
            look_ahead: self.look_ahead.or(under.look_ahead),
            deadline: self.deadline.or(under.deadline),
            settle: self.settle.or(under.settle),
            busy: self.busy.or(under.busy),
            log_bytes: self.log_bytes.or(under.log_bytes),
            evidence_bytes: self.evidence_bytes.or(under.evidence_bytes),
            model_bytes: self.model_bytes.or(under.model_bytes),
            choices: self.choices.or(under.choices),
            rejected_percent: self.rejected_percent.or(under.rejected_percent),
            not_compared_percent: self.not_compared_percent.or(under.not_compared_percent),
            outside: self.outside.or(under.outside),
            meet: self.meet.or(under.meet),
            known: self.known.or(under.known),
            schema: self.schema.or(under.schema),
            schema_text: self.schema_text.or(under.schema_text),
            history: self.history.or(under.history),
            faults,
            faults_at,
            lies,
            workload,
        }
    }
}

/// Keys of the workload whose value has one of several shapes.
const SHAPES: [&str; 5] = ["wide", "narrow", "walk", "policy", "popularity"];

/// Tables are merged, everything else replaced: also a table that is one of several shapes, since it is not two of them.
pub(super) fn merge(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over))
                if !SHAPES.contains(&key.as_str()) =>
            {
                merge(under, over);
            }
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn named_rate<'t>(text: &'t str, place: &str) -> Result<(&'t str, Rate), Mistake> {
    let mistake = |what: String| Mistake {
        place: place.to_owned(),
        what,
    };
    let Some((name, rate)) = text.split_once('=') else {
        return Err(mistake(format!(
            "{text:?} is not NAME=RATE, such as cancel=1/1000"
        )));
    };
    let rate = rate
        .parse()
        .map_err(|NotA { expected }| mistake(format!("{rate:?} is not {expected}")))?;
    Ok((name, rate))
}

/// A name that is not in a list, with the nearest that is.
pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match super::mistake::nearest(name, known.clone()) {
        Some(near) => format!("there is no {what} `{name}` (did you mean `{near}`?)"),
        None => format!(
            "there is no {what} `{name}`: one of {}",
            known.collect::<Vec<_>>().join(", ")
        ),
    }
}
