//! What is asked of the server besides the visits: facts, our tables, who is still there. One connection, opened when it is
//! needed and opened again when the server went away; nothing here is part of the history.

use super::client::{Client, Error};
use super::{Server, codes};
use crate::Unusable;
use crate::target::{Facts, Identity, Stall};
use parking_lot::Mutex;
use std::collections::BTreeMap;

pub(super) type Asked<T> = Result<T, Error>;

/// The connection.
#[derive(Default)]
pub(super) struct Admin(Mutex<Option<Client>>);

impl Admin {
    /// Does something with the connection. Where an old connection turns out dead before the server took the question, it
    /// is asked once more on a new one: these questions change nothing that asking twice would change twice.
    pub(super) fn with<T>(
        &self,
        server: &Server,
        work: impl FnOnce(&mut Client) -> Asked<T>,
    ) -> Result<T, Unusable> {
        let config = server.config()?;
        let mut slot = self.0.lock();
        if slot.as_mut().is_none_or(|client| client.run("DO 0").is_err()) {
            *slot = None;
            let unusable = |error| codes::unusable(&config.shown, &error);
            *slot = Some(Client::connect(&config, None).map_err(unusable)?);
        }
        let client = slot.as_mut().expect("connected above");
        work(client).map_err(|error| {
            if error.is_end() {
                *slot = None;
            }
            codes::unusable(&config.shown, &error)
        })
    }
}

/// The first row; what is missing is "".
fn row(client: &mut Client, sql: &str) -> Asked<Vec<String>> {
    Ok(client.ask(sql)?.into_iter().next().unwrap_or_default())
}

pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The second in which the server started: both numbers are whole seconds of one moment.
pub(super) fn began(client: &mut Client) -> Asked<String> {
    let sql = "SELECT unix_timestamp() - variable_value FROM information_schema.global_status \
               WHERE variable_name = 'UPTIME'";
    Ok(row(client, sql)?.concat())
}

/// Whether a session is there. It leaves the list only after what it had open was rolled back.
pub(super) fn is_there(client: &mut Client, who: &Identity) -> Asked<bool> {
    let sql = format!(
        "SELECT 1 FROM information_schema.processlist WHERE id = {}",
        who.process
    );
    Ok(!client.ask(&sql)?.is_empty())
}

/// What a session does, what it waits for, and who stands in its way, as far as this user may see it.
pub(super) fn stalled(client: &mut Client, who: &Identity, ours: &[u64]) -> Asked<Stall> {
    let sql = format!(
        "SELECT coalesce(state, ''), coalesce(info, '') FROM information_schema.processlist WHERE id = {}",
        who.process
    );
    let seen = row(client, &sql)?;
    let [state, query] = seen.as_slice() else {
        return Ok(Stall {
            words: format!("server connection {}, which is gone", who.process),
            outsider: false,
        });
    };
    let mut words = format!("server connection {} ({state}: {query})", who.process);
    let mut outsider = false;
    let sql = format!(
        "SELECT p.id, coalesce(p.user, ''), coalesce(b.trx_query, '') FROM information_schema.innodb_lock_waits w \
         JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id \
         JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id \
         LEFT JOIN information_schema.processlist p ON p.id = b.trx_mysql_thread_id \
         WHERE r.trx_mysql_thread_id = {}",
        who.process
    );
    // Without the right PROCESS nobody is told who blocks whom.
    for blocker in client.ask(&sql).unwrap_or_default() {
        let field = |i: usize| blocker.get(i).map_or("", String::as_str);
        if ours.iter().any(|ours| ours.to_string() == field(0)) {
            words += &format!(", blocked by connection {} (ours): {}", field(0), field(2));
        } else {
            outsider = true;
            words += &format!(
                ", blocked by connection {} (not ours: user {}): {}",
                field(0),
                field(1),
                field(2)
            );
        }
    }
    Ok(Stall { words, outsider })
}

/// Ends a session; `false` where it was gone already.
pub(super) fn terminate(client: &mut Client, who: &Identity) -> Asked<bool> {
    if !is_there(client, who)? {
        return Ok(false);
    }
    match client.run(&format!("KILL CONNECTION {}", who.process)) {
        Ok(()) => Ok(true),
        // It went by itself meanwhile.
        Err(error) if error.code() == Some(codes::NO_SUCH_THREAD) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Tables with our prefix in the database of the URL, quoted.
pub(super) fn ours(client: &mut Client, prefix: &str) -> Asked<Vec<String>> {
    let pattern = literal(&format!("{}|_%", prefix.replace('_', "|_")));
    let sql = format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE' \
         AND table_name LIKE {pattern} ESCAPE '|' ORDER BY 1"
    );
    let names = client.ask(&sql)?.into_iter().flatten();
    Ok(names
        .map(|name| format!("\"{}\"", name.replace('"', "\"\"")))
        .collect())
}

/// One statement.
pub(super) fn run(client: &mut Client, sql: &str) -> Asked<()> {
    client.run(sql)
}

/// What a connection shows, before it is judged.
pub(super) struct Seen {
    version: String,
    comment: String,
    database: String,
    settings: BTreeMap<String, String>,
    grants: Vec<String>,
}

const SETTINGS: &[&str] = &[
    "innodb_doublewrite",
    "innodb_flush_log_at_trx_commit",
    "innodb_snapshot_isolation",
    "lower_case_table_names",
    "max_connections",
    "read_only",
    "sql_mode",
    "sync_binlog",
    "tx_isolation",
];

pub(super) fn facts(client: &mut Client) -> Asked<Seen> {
    let first = row(
        client,
        "SELECT version(), @@version_comment, coalesce(database(), '')",
    )?;
    let field = |i: usize| first.get(i).cloned().unwrap_or_default();
    let names: Vec<String> = SETTINGS.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT lower(variable_name), variable_value FROM information_schema.global_variables \
         WHERE variable_name IN ({})",
        names.join(", ")
    );
    let mut settings = BTreeMap::new();
    for pair in client.ask(&sql)? {
        if let [name, value] = pair.as_slice() {
            settings.insert(name.clone(), value.clone());
        }
    }
    Ok(Seen {
        version: field(0),
        comment: field(1),
        database: field(2),
        settings,
        grants: client.ask("SHOW GRANTS")?.into_iter().flatten().collect(),
    })
}

/// Rights that a run needs on its database.
const RIGHTS: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "INDEX"];

/// From what was seen to facts, or to why the server cannot be used.
pub(super) fn judge(url: &str, seen: Seen) -> Result<Facts, Unusable> {
    let maria = seen.version.contains("MariaDB") || seen.comment.contains("MariaDB");
    if !maria {
        let what = format!("it is MySQL {}", seen.version);
        let remedy =
            "use MariaDB 10.11.8 or newer: what MySQL promises is not known to this version of gristmill";
        return Err(Unusable::server(url, what, remedy));
    }
    if !seen.settings.contains_key("innodb_snapshot_isolation") {
        let what = format!(
            "it is MariaDB {}, without innodb_snapshot_isolation",
            seen.version
        );
        return Err(Unusable::server(
            url,
            what,
            "use version 10.11.8, 11.4.2 or newer",
        ));
    }
    if seen.database.is_empty() {
        return Err(Unusable::server(
            url,
            "no database is selected",
            "name one in the URL: mysql://USER@HOST/DATABASE",
        ));
    }
    let mut rights_missing = Vec::new();
    if seen.settings.get("read_only").is_some_and(|value| value == "ON") {
        rights_missing.push("writing: the server is read-only".to_owned());
    }
    for right in RIGHTS {
        if !seen
            .grants
            .iter()
            .any(|grant| grants(grant, right, &seen.database))
        {
            rights_missing.push(format!("{right} on {}", seen.database));
        }
    }
    Ok(Facts {
        version: format!("MariaDB {}", seen.version),
        settings: seen.settings,
        rights_missing,
        pooler: None,
    })
}

/// Whether a line of SHOW GRANTS gives a right on all tables of a database. `_` and `%` in its name are patterns there;
/// a pattern counts as given, for the server will say otherwise soon enough.
pub(super) fn grants(line: &str, right: &str, database: &str) -> bool {
    let Some((rights, place)) = line
        .strip_prefix("GRANT ")
        .and_then(|rest| rest.split_once(" ON "))
    else {
        return false;
    };
    let named = rights
        .split(", ")
        .any(|name| name == right || name == "ALL PRIVILEGES");
    let scope = place.split(" TO ").next().unwrap_or_default();
    let whole = scope
        .strip_suffix(".*")
        .map(|name| name.trim_matches(['`', '"']).replace('\\', ""));
    named && whole.is_some_and(|name| name == "*" || name == database || name.contains(['%', '_']))
}
