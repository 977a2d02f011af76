//! Databases: how to reach one, what it promises, what it keeps, what it says.
//!
//! ```text
//!   URL ──▶ open ──▶ Target ──▶ connect ──▶ Session ──▶ execute(Request) ──▶ Answer ──▶ outcome
//!                      │                       │
//!            claim, semantics, limits     dialect: AST + schema → statements
//!            prepare, cleanup, control    cell: driver's values → canonical bytes
//! ```
//!
//! `workload` and `history` hold operations as an AST with descriptors; here they become statements and values, and what
//! comes back becomes canonical bytes. Nothing here judges, draws visits, or knows what an answer should be; the one
//! exception, [`reference`], is a database.
//!
//! Invariants: T1–T3 of [`target`], O1–O3 of [`outcome`], D1–D3 of `dialect`, L1–L2 of [`flaws`].

pub mod bulk;
#[cfg(feature = "cassandra")]
mod cassandra;
mod cell;
#[cfg(test)]
mod conformance;
mod corruptor;
mod dialect;
mod duckdb;
mod exec;
pub mod exhausted;
pub mod flaws;
mod layout;
mod mysql;
pub mod outcome;
mod postgres;
mod process;
mod reference;
pub mod sql;
mod sqlite;
pub mod target;
mod throwaway;
pub mod unusable;
mod url;
mod watchdog;

use corruptor::Corruptor;
pub use dialect::{Renderer, parallel};
pub use duckdb::{DUCKDB_ENGINE, duckdb_engine, duckdb_library};
pub use exec::DOUBLE_QUOTED;
pub use exhausted::exhausted;
pub use flaws::{FLAWS, Flaw, FlawLine, Needs, Teller};
use history::Discipline;
pub use outcome::{Ended, Ending, Rules, outcome};
pub use sql::{Blocker, Sql, SqlSession, Waiting};
pub use target::{
    Cancel, Control, Declared, Description, Executed, Facts, Gone, Identity, Lie, Maintenance, OpenOptions,
    Rendered, Request, Session, Stall, Target, Upstream,
};
pub use unusable::{Complaint, Unusable};

/// A scheme of target URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// The part before the colon.
    pub name: &'static str,
    /// What can follow it.
    pub form: &'static str,
    /// What it is.
    pub words: &'static str,
    /// Which orders of writes it can be put through; the first is what it is put through unless something else is asked for.
    pub disciplines: &'static [Discipline],
}

/// Whether `cassandra:local` finds a Cassandra to start on this machine (`cargo xtask servers cassandra`): tests ask.
#[cfg(feature = "cassandra")]
pub fn cassandra_is_installed() -> bool {
    cassandra::is_installed()
}

/// Which order of writes a target is put through unless something else is asked for, by its URL.
pub fn own_discipline(url: &str) -> Discipline {
    disciplines(url).first().copied().unwrap_or_default()
}

/// Which orders of writes a target can be put through, by its URL; nothing of a scheme that is not known.
fn disciplines(url: &str) -> &'static [Discipline] {
    let name = match url.split_once(':').map_or(url, |(scheme, _)| scheme) {
        "postgresql" => "postgres",
        "mariadb" => "mysql",
        name => name,
    };
    let scheme = SCHEMES.iter().find(|scheme| scheme.name == name);
    scheme.map_or(&[], |scheme| scheme.disciplines)
}

/// Every scheme this binary knows, for `list targets` and messages.
pub const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "sqlite",
        form: "sqlite:",
        words: "a temporary file, sqlite:PATH, or sqlite::memory:",
        disciplines: &[Discipline::Ordered, Discipline::Lww],
    },
    Scheme {
        name: "postgres",
        form: "postgres://USER@HOST:PORT/DATABASE",
        words: "a server, or postgres:local for a throw-away one (?bin=, ?set=name=value)",
        disciplines: &[Discipline::Ordered, Discipline::Lww],
    },
    Scheme {
        name: "mysql",
        form: "mysql://USER@HOST:PORT/DATABASE",
        words: "MariaDB: a server, or mysql:local for a throw-away one (?bin=, ?set=name=value)",
        disciplines: &[Discipline::Ordered],
    },
    Scheme {
        name: "cassandra",
        form: "cassandra://USER@HOST:PORT/KEYSPACE",
        words: if cfg!(feature = "cassandra") {
            "a cluster, or cassandra:local for a throw-away one (?nodes=, ?version=, ?bin=, ?set=name=value)"
        } else {
            "not in this binary, which was built without its feature `cassandra`"
        },
        disciplines: &[Discipline::Lww],
    },
    Scheme {
        name: "duckdb",
        form: "duckdb:",
        words: "a temporary file, or duckdb:PATH (?lib= names DuckDB's library); --workload parallel only",
        disciplines: &[Discipline::Ordered],
    },
    Scheme {
        name: "exec",
        form: "exec:COMMAND",
        words: "a program that speaks lines of JSON and SQLite's SQL (docs/formats/exec.md)",
        disciplines: &[Discipline::Ordered],
    },
    Scheme {
        name: "reference",
        form: "reference:",
        words: "in memory, obviously right; can lie",
        disciplines: &[Discipline::Ordered, Discipline::Lww],
    },
];

/// Opens a target by its URL. Connects to nothing yet, but a `:local` server may be started by the first use.
///
/// Errors: [`Unusable::Usage`] for an unknown scheme, a malformed URL, a lie that the target cannot tell.
pub fn open(url: &str, options: &OpenOptions) -> Result<Box<dyn Target>, Unusable> {
    check_prefix(&options.prefix)?;
    let disciplines = disciplines(url);
    if !disciplines.is_empty() && !disciplines.contains(&options.discipline) {
        let asked = match options.discipline {
            Discipline::Ordered => "`ordered`",
            Discipline::Lww => "`lww`",
        };
        let remedy = "leave `discipline` out: then it is one that the target can do";
        return Err(Unusable::usage(
            format!("`{url}`"),
            format!("it cannot be put through discipline {asked}"),
            remedy,
        ));
    }
    let (scheme, _) = url.split_once(':').unwrap_or((url, ""));
    // The reference tells most lies itself, deeper than an answer.
    let outside = |lie: &&Lie| {
        let line = FLAWS.iter().find(|l| l.name == lie.name);
        line.is_some_and(|l| matches!(l.teller, Teller::Corruptor | Teller::Database))
    };
    match scheme {
        "sqlite" => Corruptor::before(
            Box::new(sqlite::Sqlite::open(url, options)?),
            options,
            options.lies.clone(),
        ),
        "postgres" | "postgresql" => Corruptor::before(
            Box::new(postgres::Postgres::open(url, options)?),
            options,
            options.lies.clone(),
        ),
        "mysql" | "mariadb" => Corruptor::before(
            Box::new(mysql::Mysql::open(url, options)?),
            options,
            options.lies.clone(),
        ),
        #[cfg(not(feature = "cassandra"))]
        "cassandra" => Err(Unusable::usage(
            url::without_password(url),
            "this binary was built without Cassandra's driver",
            "build one with it: cargo build --release --package gristmill (feature `cassandra`, on by default)",
        )),
        #[cfg(feature = "cassandra")]
        "cassandra" => Corruptor::before(cassandra::open(url, options)?, options, options.lies.clone()),
        "duckdb" => Corruptor::before(
            Box::new(duckdb::Duckdb::open(url, options)?),
            options,
            options.lies.clone(),
        ),
        "exec" => Corruptor::before(
            Box::new(exec::Exec::open(url, options)?),
            options,
            options.lies.clone(),
        ),
        "reference" => {
            let before: Vec<Lie> = options.lies.iter().filter(outside).cloned().collect();
            let inside = options
                .lies
                .iter()
                .filter(|l| !before.contains(l))
                .cloned()
                .collect();
            let own = OpenOptions {
                lies: inside,
                ..options.clone()
            };
            Corruptor::before(Box::new(reference::Reference::open(&own)?), options, before)
        }
        other => {
            let known: Vec<&str> = SCHEMES.iter().map(|s| s.form).collect();
            let what = format!("unknown scheme `{other}`");
            Err(Unusable::usage(
                format!("`{url}`"),
                what,
                format!("known are {}", known.join(", ")),
            ))
        }
    }
}

/// A prefix goes into names and into LIKE patterns of the clean-up: nothing else of the server may begin with it by chance.
fn check_prefix(prefix: &str) -> Result<(), Unusable> {
    let fine = prefix.len() >= 3
        && prefix.len() <= 40
        && prefix.starts_with(|c: char| c.is_ascii_lowercase())
        && prefix
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if fine {
        return Ok(());
    }
    let remedy = "use 3 to 40 lower-case letters, digits and underscores, a letter first";
    Err(Unusable::usage(
        format!("the prefix `{prefix}`"),
        "it cannot begin a table's name",
        remedy,
    ))
}
