//! What is asked of the server besides the visits: facts, keyspaces, tables. One connection, opened when it is needed and
//! opened again when the server went away; nothing here is part of the history.

use super::Server;
use super::client::{self, Asked, Client};
use super::codes;
use super::config::{Config, Words};
use crate::Unusable;
use crate::dialect::ddl;
use crate::layout::TableLayout;
use crate::target::Facts;
use history::{Change, ChangeKind};
use parking_lot::Mutex;
use scylla::errors::ExecutionError;
use std::collections::BTreeMap;
use std::time::Duration;

/// The least version whose words this crate knows (PER PARTITION LIMIT, GROUP BY, filters on any column).
const VERSION_MIN: (u32, u32) = (3, 10);
/// The first with storage-attached indexes.
pub(super) const SAI_FROM: (u32, u32) = (5, 0);
/// How often an index that is being built is asked for: half a minute.
const INDEX_PAUSES: u32 = 300;

/// The connection.
#[derive(Default)]
pub(super) struct Admin(Mutex<Option<Client>>);

impl Admin {
    /// Does something with the connection. A connection that turns out dead is made anew before anything is asked.
    pub(super) fn with<T>(
        &self,
        server: &Server,
        work: impl FnOnce(&Client) -> Asked<T>,
    ) -> Result<T, Unusable> {
        let config = server.config()?;
        let mut slot = self.0.lock();
        let alive = slot
            .as_ref()
            .is_some_and(|c| c.ask("SELECT key FROM system.local").is_ok());
        if !alive {
            // The old one goes first, with its event loop.
            *slot = None;
            let fresh =
                Client::connect(&config, None, None).map_err(|e| client::unusable(&config.shown, &e))?;
            *slot = Some(fresh);
        }
        let client = slot.as_ref().expect("connected above");
        work(client).map_err(|error| refused(&config, &error))
    }
}

/// A question that was refused.
fn refused(config: &Config, error: &ExecutionError) -> Unusable {
    let answer = codes::verdict(error, true).answer;
    let (what, remedy) = match answer {
        history::Answer::Refused(reason) | history::Answer::Unknown(reason) => {
            let remedy = codes::remedy(&reason);
            let code = if reason.code.is_empty() {
                String::new()
            } else {
                format!(" ({})", reason.code)
            };
            (format!("{}{code}", reason.text), remedy)
        }
        other => (format!("{other:?}"), ""),
    };
    Unusable::server(config.shown.clone(), what, remedy)
}

/// What the server tells about itself.
pub(super) struct First {
    pub(super) facts: Facts,
    pub(super) version: (u32, u32),
    /// Replicas of the named keyspace; `None` where none is named, or it is not there.
    pub(super) replicas: Option<u16>,
}

/// Settings that matter for what is promised.
const SETTINGS: &[&str] = &[
    "commitlog_sync",
    "write_request_timeout",
    "read_request_timeout",
    "hinted_handoff_enabled",
    "tombstone_failure_threshold",
    "paxos_variant",
];

pub(super) fn first(client: &Client, keyspace: Option<&str>) -> Asked<First> {
    let local =
        client.ask("SELECT release_version, cluster_name, data_center, partitioner FROM system.local")?;
    let row = local.into_iter().next().unwrap_or_default();
    let field = |i: usize| row.get(i).cloned().unwrap_or_default();
    let version = field(0);
    let mut settings = BTreeMap::new();
    for (name, value) in [("cluster", field(1)), ("data centre", field(2))] {
        settings.insert(name.to_owned(), value);
    }
    let partitioner = field(3);
    settings.insert(
        "partitioner".to_owned(),
        partitioner.rsplit('.').next().unwrap_or_default().to_owned(),
    );
    settings.insert("nodes".to_owned(), client.nodes().to_string());
    // Virtual tables came with 4.0; ScyllaDB has others.
    for name in SETTINGS {
        let question = format!("SELECT value FROM system_views.settings WHERE name = '{name}'");
        if let Ok(rows) = client.ask(&question)
            && let Some(value) = rows.into_iter().flatten().next()
        {
            settings.insert((*name).to_owned(), value);
        }
    }
    let replicas = match keyspace {
        Some(keyspace) => replicas(client, keyspace)?,
        None => None,
    };
    Ok(First {
        version: numbers(&version),
        facts: Facts {
            version: format!("Cassandra {version}"),
            settings,
            ..Facts::default()
        },
        replicas,
    })
}

/// Replicas of a keyspace, of all data centres; `None` where it is not there.
fn replicas(client: &Client, keyspace: &str) -> Asked<Option<u16>> {
    let question =
        format!("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'");
    let Some(map) = client.ask(&question)?.into_iter().flatten().next() else {
        return Ok(None);
    };
    // {'class':'…SimpleStrategy','replication_factor':'1'}, or a number for each data centre.
    let digits = map.split('\'').filter_map(|part| part.parse::<u16>().ok());
    Ok(Some(digits.sum::<u16>().max(1)))
}

/// Major and minor; 0.0 where there is none.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).flat_map(str::parse);
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Whether what the server told allows a run.
pub(super) fn judge(config: &Config, first: First) -> Result<Facts, Unusable> {
    let bad = |what: String, remedy: &str| Err(Unusable::server(config.shown.clone(), what, remedy));
    if first.version < VERSION_MIN {
        let (major, minor) = VERSION_MIN;
        return bad(
            format!("{} is too old", first.facts.version),
            &format!("use {major}.{minor} or newer"),
        );
    }
    match (&config.keyspace, first.replicas) {
        (Some(name), None) => bad(
            format!("there is no keyspace {name}"),
            "create it, or leave it out of the URL: then one is made for the run",
        ),
        (Some(name), Some(replicas)) if replicas != config.words.rf => bad(
            format!(
                "keyspace {name} has {replicas} replicas, and the URL says {}",
                config.words.rf
            ),
            &format!("write ?rf={replicas}"),
        ),
        _ => Ok(first.facts),
    }
}

pub(super) fn keyspace_exists(client: &Client, keyspace: &str) -> Asked<bool> {
    Ok(replicas(client, keyspace)?.is_some())
}

/// Our tables in a keyspace.
pub(super) fn tables(client: &Client, keyspace: &str, prefix: &str) -> Asked<Vec<String>> {
    named(client, ("tables", "table_name"), keyspace, prefix)
}

/// Our user-defined types in a keyspace.
pub(super) fn types(client: &Client, keyspace: &str, prefix: &str) -> Asked<Vec<String>> {
    named(client, ("types", "type_name"), keyspace, prefix)
}

fn named(client: &Client, (of, column): (&str, &str), keyspace: &str, prefix: &str) -> Asked<Vec<String>> {
    let question = format!("SELECT {column} FROM system_schema.{of} WHERE keyspace_name = '{keyspace}'");
    let mut names: Vec<String> = client.ask(&question)?.into_iter().flatten().collect();
    names.retain(|name| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with('_'))
    });
    Ok(names)
}

/// Whether the catalog shows what a change asks for.
pub(super) fn shows(client: &Client, keyspace: &str, table: &TableLayout, change: &Change) -> Asked<bool> {
    let plain = |name: &str| name.trim_matches('"').replace("\"\"", "\"").replace('\'', "''");
    let (catalog, named, name) = match change.what {
        ChangeKind::CreateIndex | ChangeKind::DropIndex => {
            ("indexes", "index_name", ddl::index_name(table, change.column))
        }
        ChangeKind::DropColumn | ChangeKind::AddColumn => {
            ("columns", "column_name", table.any(change.column).name.clone())
        }
    };
    let question = format!(
        "SELECT {named} FROM system_schema.{catalog} WHERE keyspace_name = '{}' AND table_name = '{}' AND {named} = '{}'",
        plain(keyspace),
        plain(&table.name),
        plain(&name)
    );
    let there = !client.ask(&question)?.is_empty();
    Ok(match change.what {
        ChangeKind::CreateIndex | ChangeKind::AddColumn => there,
        ChangeKind::DropIndex | ChangeKind::DropColumn => !there,
    })
}

/// The statement that makes a keyspace of ours.
pub(super) fn create_keyspace(keyspace: &str, words: &Words) -> String {
    let rf = words.rf;
    let replication = match &words.dc {
        None => format!("{{'class': 'SimpleStrategy', 'replication_factor': {rf}}}"),
        Some(dc) => format!("{{'class': 'NetworkTopologyStrategy', '{dc}': {rf}}}"),
    };
    format!("CREATE KEYSPACE {keyspace} WITH replication = {replication}")
}

/// Waits until an index answers: right after it is made it may not.
pub(super) fn await_index(client: &Client, question: &str) -> Asked<()> {
    await_index_while(client, question, &|| Ok(true))
}

/// The same for an index that others may drop meanwhile: then nothing is waited for.
pub(super) fn await_index_while(
    client: &Client,
    question: &str,
    there: &dyn Fn() -> Asked<bool>,
) -> Asked<()> {
    for _ in 0..INDEX_PAUSES {
        if client.ask(question).is_ok() || !there()? {
            return Ok(());
        }
        crate::process::pause(Duration::from_millis(100));
    }
    client.ask(question).map(drop)
}
