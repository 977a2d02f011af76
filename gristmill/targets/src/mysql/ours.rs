//! What begins with our prefix in a MariaDB database: listed, and removed so that nothing goes that is not in the list.
//!
//! The lists are not of one moment: they are compared while nobody changes anything.

use super::admin::{Asked, literal};
use super::client::Client;
use crate::sql::{Blocker, Waiting};
use crate::target::Identity;
use history::parallel::{Seen, SeenColumn, SeenKind, SeenObject};
use std::collections::BTreeMap;

/// `LIKE` of the prefix.
fn like(prefix: &str) -> String {
    let pattern = literal(&format!("{}|_%", prefix.replace('_', "|_")));
    format!("LIKE {pattern} ESCAPE '|'")
}

fn object(kind: SeenKind, name: &str, on: &str) -> SeenObject {
    SeenObject {
        kind,
        namespace: String::new(),
        name: name.to_owned(),
        on: on.to_owned(),
        owner: String::new(),
        valid: true,
        temporary: false,
        columns: Vec::new(),
    }
}

/// Everything of ours. The names of primary keys are not told by the server, so they are not listed.
pub(super) fn seen(client: &mut Client, prefix: &str) -> Asked<Seen> {
    let like = like(prefix);
    let mut columns: BTreeMap<String, Vec<SeenColumn>> = BTreeMap::new();
    let sql = format!(
        "SELECT table_name, column_name, column_type, is_nullable FROM information_schema.columns \
         WHERE table_schema = database() AND table_name {like} AND table_name IN (SELECT table_name \
         FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE') \
         ORDER BY table_name, ordinal_position"
    );
    for row in client.ask(&sql)? {
        if let [table, name, ty, nullable] = row.as_slice() {
            columns.entry(table.clone()).or_default().push(SeenColumn {
                name: name.clone(),
                ty: ty.clone(),
                not_null: nullable == "NO",
            });
        }
    }
    let sql = format!(
        "SELECT CASE table_type WHEN 'BASE TABLE' THEN 'table' ELSE lower(table_type) END, table_name, '' \
           FROM information_schema.tables WHERE table_schema = database() AND table_name {like} \
         UNION ALL SELECT DISTINCT 'index', index_name, table_name FROM information_schema.statistics \
           WHERE table_schema = database() AND table_name {like} AND index_name <> 'PRIMARY' \
         UNION ALL SELECT 'trigger', trigger_name, event_object_table FROM information_schema.triggers \
           WHERE trigger_schema = database() AND event_object_table {like} \
         UNION ALL SELECT 'constraint', constraint_name, table_name FROM information_schema.table_constraints \
           WHERE table_schema = database() AND table_name {like} AND constraint_name <> 'PRIMARY'"
    );
    let mut objects = Vec::new();
    for row in client.ask(&sql)? {
        if let [kind, name, on] = row.as_slice()
            && let Some(kind) = SeenKind::of(kind)
        {
            let mut object = object(kind, name, on);
            if kind == SeenKind::Table {
                object.columns = columns.remove(name).unwrap_or_default();
            }
            objects.push(object);
        }
    }
    objects.sort_unstable();
    Ok(Seen { objects })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What is ours and can be dropped by a statement of its own: what it is in words, and that statement. Foreign keys between
/// tables of ours come first, so that tables have an order to go in.
fn droppable(client: &mut Client, prefix: &str) -> Asked<Vec<(String, String)>> {
    let like = like(prefix);
    let sql = format!(
        "SELECT table_name, constraint_name FROM information_schema.referential_constraints \
         WHERE constraint_schema = database() AND table_name {like} ORDER BY 1, 2"
    );
    let mut found = Vec::new();
    for row in client.ask(&sql)? {
        if let [table, name] = row.as_slice() {
            let sql = format!(
                "ALTER TABLE {} DROP FOREIGN KEY IF EXISTS {}",
                quoted(table),
                quoted(name)
            );
            found.push((String::new(), sql));
        }
    }
    let sql = format!(
        "SELECT CASE table_type WHEN 'BASE TABLE' THEN 'table' ELSE lower(table_type) END, table_name \
         FROM information_schema.tables WHERE table_schema = database() AND table_name {like} \
         AND table_type IN ('BASE TABLE', 'VIEW', 'SEQUENCE') ORDER BY table_type DESC, 2"
    );
    for row in client.ask(&sql)? {
        if let [kind, name] = row.as_slice() {
            let name = quoted(name);
            // A session that hangs may hold a lock: better a message than a wait for ever.
            let wait = if kind == "table" { " WAIT 10" } else { "" };
            let sql = format!("DROP {kind} IF EXISTS {name}{wait}");
            found.push((format!("{kind} {name}"), sql));
        }
    }
    Ok(found)
}

/// Removes what is ours, in as many rounds as make less of it. What was removed, and what was not with the server's words.
pub(super) fn remove(client: &mut Client, prefix: &str) -> Asked<(Vec<String>, Vec<String>)> {
    let mut removed = Vec::new();
    loop {
        let (mut kept, mut any) = (Vec::new(), false);
        for (words, sql) in droppable(client, prefix)? {
            match client.run(&sql) {
                Ok(()) => {
                    any = true;
                    removed.extend(Some(words).filter(|words| !words.is_empty()));
                }
                Err(error) if error.is_end() => return Err(error),
                Err(error) => kept.push(format!("{words}: {}", super::codes::said(&error).1)),
            }
        }
        if kept.is_empty() || !any {
            return Ok((removed, kept));
        }
    }
}

/// What a session waits for, and whom, as far as this user may see it.
pub(super) fn waits(client: &mut Client, who: &Identity) -> Asked<Waiting> {
    let sql = format!(
        "SELECT coalesce(state, '') FROM information_schema.processlist WHERE id = {}",
        who.process
    );
    let Some(state) = client.ask(&sql)?.into_iter().next().map(|row| row.concat()) else {
        return Ok(Waiting {
            gone: true,
            ..Waiting::default()
        });
    };
    let sql = format!(
        "SELECT coalesce(p.id, 0), concat('user ', coalesce(p.user, ''), ', ', coalesce(p.state, ''), ': ', \
         coalesce(b.trx_query, p.info, '')) FROM information_schema.innodb_lock_waits w \
         JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id \
         JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id \
         LEFT JOIN information_schema.processlist p ON p.id = b.trx_mysql_thread_id \
         WHERE r.trx_mysql_thread_id = {}",
        who.process
    );
    let mut blockers = Vec::new();
    // Without the right PROCESS nobody is told who blocks whom.
    for row in client.ask(&sql).unwrap_or_default() {
        if let [process, words] = row.as_slice() {
            blockers.push(Blocker {
                process: process.parse().unwrap_or(0),
                server: false,
                words: words.clone(),
            });
        }
    }
    let waiting = state.starts_with("Waiting") || !blockers.is_empty();
    Ok(Waiting {
        event: if waiting { state } else { String::new() },
        blockers,
        ..Waiting::default()
    })
}
