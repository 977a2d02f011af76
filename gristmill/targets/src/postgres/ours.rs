//! What begins with our prefix in a PostgreSQL database: listed in one snapshot, and removed without CASCADE, so that nothing
//! goes that is not in the list.

use super::admin::{Asked, Unasked, literal, rows};
use super::wire::Wire;
use crate::sql::{Blocker, Waiting};
use crate::target::Identity;
use history::parallel::{Seen, SeenColumn, SeenKind, SeenObject};
use std::collections::BTreeMap;

/// A LIKE pattern of the prefix, as a literal.
fn pattern(prefix: &str) -> String {
    literal(&format!("{}\\_%", prefix.replace('_', "\\_")))
}

/// One row an object or column: kind, namespace, name, on, owner, valid, temporary, type, not null. Names only: functions
/// that print definitions look into the newest catalogue and may miss what another session just dropped.
fn listing(prefix: &str) -> String {
    let like = pattern(prefix);
    format!(
        "WITH ns AS (SELECT oid, nspname, nspowner, CASE WHEN nspname = current_schema() THEN '' ELSE nspname END AS shown \
           FROM pg_namespace WHERE nspname !~ '^pg_toast' AND nspname NOT IN ('pg_catalog', 'information_schema')), \
         rel AS (SELECT c.oid, c.relname, c.relkind, c.relowner, c.relpersistence, c.relnamespace, ns.shown, ns.nspname \
           FROM pg_class c JOIN ns ON ns.oid = c.relnamespace WHERE c.relname LIKE {like} OR ns.nspname LIKE {like}) \
         SELECT 'schema', '', nspname, '', pg_get_userbyid(nspowner), true, false, '', false, 0 FROM ns WHERE nspname LIKE {like} \
         UNION ALL SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' \
           ELSE 'table' END, shown, relname, '', pg_get_userbyid(relowner), true, relpersistence = 't', '', false, 0 \
           FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'S') \
         UNION ALL SELECT 'index', rel.shown, rel.relname, t.relname, pg_get_userbyid(rel.relowner), i.indisvalid, \
           rel.relpersistence = 't', '', false, 0 FROM rel JOIN pg_index i ON i.indexrelid = rel.oid \
           JOIN pg_class t ON t.oid = i.indrelid \
         UNION ALL SELECT 'type', ns.shown, y.typname, '', pg_get_userbyid(y.typowner), true, false, '', false, 0 \
           FROM pg_type y JOIN ns ON ns.oid = y.typnamespace LEFT JOIN pg_class c ON c.oid = y.typrelid \
           WHERE (y.typname LIKE {like} OR ns.nspname LIKE {like}) AND (y.typrelid = 0 OR c.relkind = 'c') \
           AND y.typcategory <> 'A' AND y.typtype <> 'm' \
         UNION ALL SELECT 'function', ns.shown, p.proname, '', pg_get_userbyid(p.proowner), true, false, '', false, 0 \
           FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace WHERE p.proname LIKE {like} OR ns.nspname LIKE {like} \
         UNION ALL SELECT 'trigger', rel.shown, g.tgname, rel.relname, '', true, false, '', false, 0 \
           FROM pg_trigger g JOIN rel ON rel.oid = g.tgrelid WHERE NOT g.tgisinternal \
         UNION ALL SELECT 'constraint', rel.shown, k.conname, rel.relname, '', k.convalidated, false, k.contype::text, false, 0 \
           FROM pg_constraint k JOIN rel ON rel.oid = k.conrelid WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') \
         UNION ALL SELECT 'role', '', rolname, '', '', true, false, '', false, 0 FROM pg_roles WHERE rolname LIKE {like} \
         UNION ALL SELECT 'column', rel.shown, a.attname, rel.relname, '', true, false, format_type(a.atttypid, a.atttypmod), \
           a.attnotnull, a.attnum FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid \
           WHERE rel.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY 1, 2, 4, 10, 3"
    )
}

/// What this server or its administrator does not let us do.
pub(super) fn cannot(wire: &mut Wire) -> Asked<Vec<(&'static str, String)>> {
    let sql = "SELECT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user), \
               EXISTS (SELECT FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a \
                 WHERE n.nspname = current_schema() AND a.grantee = 0 AND a.privilege_type = 'USAGE'), \
               EXISTS (SELECT FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole WHERE r.rolname = current_user), \
               current_setting('server_version_num')::integer >= 150000, \
               current_setting('server_version_num')::integer >= 140000";
    let row = rows(wire, sql)?.into_iter().next().unwrap_or_default();
    // Others that speak this wire may not know it.
    let discards = match rows(wire, "DISCARD PLANS") {
        Ok(_) => true,
        Err(Unasked::Refused(_)) => false,
        Err(lost @ Unasked::Lost(_)) => return Err(lost),
    };
    let is = |at: usize| row.get(at).and_then(Option::as_deref) == Some("t");
    let reasons = [
        (
            !is(0),
            "roles",
            "this user may make no roles: ALTER ROLE … CREATEROLE",
        ),
        (
            is(0) && !is(1),
            "roles",
            "a new role may not use this schema: GRANT USAGE ON SCHEMA … TO PUBLIC",
        ),
        (
            is(0) && is(1) && is(2),
            "roles",
            "this user has default privileges, which give rights that the run does not know: use another user",
        ),
        (!is(3), "merge", "the server is older than 15"),
        (!is(4), "functions", "the server is older than 14"),
        (!discards, "discard", "the server refuses DISCARD PLANS"),
    ];
    let missing = reasons.into_iter().filter(|(missing, _, _)| *missing);
    Ok(missing.map(|(_, what, why)| (what, why.to_owned())).collect())
}

/// Everything of ours, at one moment.
pub(super) fn seen(wire: &mut Wire, prefix: &str) -> Asked<Seen> {
    let mut objects = Vec::new();
    let mut columns: BTreeMap<(String, String), Vec<SeenColumn>> = BTreeMap::new();
    for row in rows(wire, &listing(prefix))? {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        let (kind, namespace, name, on, owner) = (next(), next(), next(), next(), next());
        let (valid, temporary, ty, not_null) = (next() == "t", next() == "t", next(), next() == "t");
        match SeenKind::of(&kind) {
            Some(kind) => objects.push(SeenObject {
                kind,
                namespace,
                name,
                on,
                owner,
                valid,
                temporary,
                columns: Vec::new(),
            }),
            None => columns
                .entry((namespace, on))
                .or_default()
                .push(SeenColumn { name, ty, not_null }),
        }
    }
    for object in &mut objects {
        let has = matches!(
            object.kind,
            SeenKind::Table | SeenKind::View | SeenKind::MaterializedView
        );
        if has && let Some(of) = columns.remove(&(object.namespace.clone(), object.name.clone())) {
            object.columns = of;
        }
    }
    objects.sort_unstable();
    Ok(Seen { objects })
}

/// What is ours and can be dropped by a statement of its own: what it is in words, and that statement. What stands on
/// other things comes before them, as far as kinds tell.
fn droppable(wire: &mut Wire, prefix: &str) -> Asked<Vec<(String, String)>> {
    let like = pattern(prefix);
    let sql = format!(
        "WITH ns AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)' \
           AND nspname NOT IN ('pg_catalog', 'information_schema')), \
         rel AS (SELECT c.oid, c.relkind, format('%I.%I', ns.nspname, c.relname) AS name FROM pg_class c \
           JOIN ns ON ns.oid = c.relnamespace \
           WHERE (c.relname LIKE {like} AND ns.nspname = current_schema()) OR ns.nspname LIKE {like}) \
         SELECT * FROM ( \
         SELECT 1, 'view ' || name, 'DROP VIEW IF EXISTS ' || name FROM rel WHERE relkind = 'v' \
         UNION ALL SELECT 1, 'materialized view ' || name, 'DROP MATERIALIZED VIEW IF EXISTS ' || name FROM rel \
           WHERE relkind = 'm' \
         UNION ALL SELECT 3, 'sequence ' || name, 'DROP SEQUENCE IF EXISTS ' || name FROM rel WHERE relkind = 'S' \
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = rel.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0) \
         UNION ALL SELECT 4, 'function ' || p.oid::regprocedure, 'DROP ROUTINE IF EXISTS ' || p.oid::regprocedure \
           FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace \
           WHERE (p.proname LIKE {like} AND ns.nspname = current_schema()) OR ns.nspname LIKE {like} \
         UNION ALL SELECT 5, 'type ' || format('%I.%I', ns.nspname, y.typname), \
           'DROP TYPE IF EXISTS ' || format('%I.%I', ns.nspname, y.typname) FROM pg_type y JOIN ns ON ns.oid = y.typnamespace \
           LEFT JOIN pg_class c ON c.oid = y.typrelid WHERE (y.typrelid = 0 OR c.relkind = 'c') AND y.typcategory <> 'A' \
           AND y.typtype <> 'm' AND ((y.typname LIKE {like} AND ns.nspname = current_schema()) OR ns.nspname LIKE {like}) \
         UNION ALL SELECT 6, 'schema ' || nspname, 'DROP SCHEMA IF EXISTS ' || quote_ident(nspname) FROM ns \
           WHERE nspname LIKE {like} \
         UNION ALL SELECT 7, 'role ' || rolname, 'DROP ROLE IF EXISTS ' || quote_ident(rolname) FROM pg_roles \
           WHERE rolname LIKE {like}) AS all_of (place, words, sql) ORDER BY place, words"
    );
    let line = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().skip(1).map(Option::unwrap_or_default);
        Some((row.next()?, row.next()?))
    };
    let mut found: Vec<(String, String)> = rows(wire, &sql)?.into_iter().filter_map(line).collect();
    // Tables may name each other in a circle: they go in one statement.
    let sql = format!(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_(toast|temp)' \
         AND ((c.relname LIKE {like} AND n.nspname = current_schema()) OR n.nspname LIKE {like}) ORDER BY 1"
    );
    let tables: Vec<String> = rows(wire, &sql)?.into_iter().flatten().flatten().collect();
    if !tables.is_empty() {
        let at = found
            .iter()
            .position(|(words, _)| !words.contains("view "))
            .unwrap_or(found.len());
        let words: Vec<String> = tables.iter().map(|name| format!("table {name}")).collect();
        let sql = format!("DROP TABLE IF EXISTS {}", tables.join(", "));
        found.insert(at, (words.join("\n"), sql));
    }
    Ok(found)
}

/// Prepared transactions of ours: they hold locks, and belong to nobody's session.
fn prepared(wire: &mut Wire, prefix: &str) -> Asked<Vec<String>> {
    let sql = format!(
        "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE {} AND database = current_database() ORDER BY 1",
        pattern(prefix)
    );
    Ok(rows(wire, &sql)?.into_iter().flatten().flatten().collect())
}

/// Removes what is ours, in as many rounds as make less of it. What was removed, and what was not with the server's words.
pub(super) fn remove(wire: &mut Wire, prefix: &str) -> Asked<(Vec<String>, Vec<String>)> {
    let mut removed = Vec::new();
    for gid in prepared(wire, prefix)? {
        rows(wire, &format!("ROLLBACK PREPARED {}", literal(&gid)))?;
        removed.push(format!("prepared transaction {gid}"));
    }
    // A session that hangs may hold a lock: better a message than a wait for ever.
    rows(wire, "SET lock_timeout = '10s'")?;
    loop {
        let mut kept = Vec::new();
        let mut any = false;
        for (words, sql) in droppable(wire, prefix)? {
            match rows(wire, &sql) {
                Ok(_) => {
                    any = true;
                    removed.extend(words.split('\n').map(str::to_owned));
                }
                Err(Unasked::Refused(failure)) => {
                    kept.push(format!("{}: {}", words.replace('\n', ", "), failure.text));
                }
                Err(lost) => return Err(lost),
            }
        }
        if kept.is_empty() || !any {
            return Ok((removed, kept));
        }
    }
}

/// What a process waits for, and whom.
pub(super) fn waits(wire: &mut Wire, who: &Identity) -> Asked<Waiting> {
    let sql = format!(
        "SELECT coalesce(CASE WHEN wait_event_type = 'Client' THEN '' ELSE wait_event_type || ' ' || wait_event END, ''), \
         array_to_string(pg_blocking_pids(pid), ' ') FROM pg_stat_activity WHERE pid = {} AND backend_start = {}::timestamptz",
        who.process,
        literal(&who.started)
    );
    let Some(seen) = rows(wire, &sql)?.into_iter().next() else {
        return Ok(Waiting {
            gone: true,
            ..Waiting::default()
        });
    };
    let mut seen = seen.into_iter().map(Option::unwrap_or_default);
    let (event, pids) = (seen.next().unwrap_or_default(), seen.next().unwrap_or_default());
    let mut blockers = Vec::new();
    for pid in pids.split(' ').filter(|pid| !pid.is_empty()) {
        let sql = format!(
            "SELECT (backend_type <> 'client backend')::text, coalesce(nullif(application_name, ''), 'unnamed program') || ', user ' || coalesce(usename, '') || ', ' || \
             coalesce(state, '') || ': ' || coalesce(query, '') FROM pg_stat_activity WHERE pid = {pid}"
        );
        let mut row = rows(wire, &sql)?.into_iter().flatten();
        let (server, words) = (row.next().flatten(), row.next().flatten());
        blockers.push(Blocker {
            server: server.as_deref() == Some("true"),
            // A prepared transaction holds locks as process 0.
            process: pid.parse().unwrap_or(0),
            words: words.unwrap_or_else(|| "a prepared transaction, or a process that is gone".to_owned()),
        });
    }
    Ok(Waiting {
        event,
        blockers,
        ..Waiting::default()
    })
}
