//! What begins with our prefix in a DuckDB database: listed at one moment, and removed.

use super::PATIENCE;
use super::session::DuckSession;
use history::parallel::{Seen, SeenColumn, SeenKind, SeenObject};
use std::collections::BTreeMap;

/// A condition on names.
fn like(column: &str, prefix: &str) -> String {
    format!("starts_with({column}, '{prefix}_')")
}

/// Runs questions inside one transaction: its snapshot is their moment.
fn at_once<T>(
    session: &mut DuckSession,
    work: impl FnOnce(&mut DuckSession) -> Result<T, String>,
) -> Result<T, String> {
    session.texts("BEGIN", PATIENCE)?;
    let done = work(session);
    session.texts("ROLLBACK", PATIENCE)?;
    done
}

/// Everything of ours. Schemas of ours, and what is in them; the rest is in `main`, which is home.
pub(super) fn seen(session: &mut DuckSession, prefix: &str) -> Result<Seen, String> {
    at_once(session, |session| {
        let ours = |name: &str| {
            format!(
                "database_name = current_database() AND ({} OR {})",
                like(name, prefix),
                like("schema_name", prefix)
            )
        };
        let sql = format!(
            "SELECT schema_name, table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE NOT internal \
             AND {} ORDER BY schema_name, table_name, column_index",
            ours("table_name")
        );
        let mut columns: BTreeMap<(String, String), Vec<SeenColumn>> = BTreeMap::new();
        for row in session.texts(&sql, PATIENCE)? {
            if let [schema, table, name, ty, nullable] = row.as_slice() {
                columns
                    .entry((schema.clone(), table.clone()))
                    .or_default()
                    .push(SeenColumn {
                        name: name.clone(),
                        ty: ty.clone(),
                        not_null: nullable == "false",
                    });
            }
        }
        let sql = format!(
            "SELECT 'schema', '', schema_name, '' FROM duckdb_schemas() WHERE database_name = current_database() AND {} \
             UNION ALL SELECT 'table', schema_name, table_name, '' FROM duckdb_tables() WHERE NOT internal AND {} \
             UNION ALL SELECT 'view', schema_name, view_name, '' FROM duckdb_views() WHERE NOT internal AND {} \
             UNION ALL SELECT 'index', schema_name, index_name, table_name FROM duckdb_indexes() WHERE {} \
             UNION ALL SELECT 'sequence', schema_name, sequence_name, '' FROM duckdb_sequences() WHERE {}",
            like("schema_name", prefix),
            ours("table_name"),
            ours("view_name"),
            ours("table_name"),
            ours("sequence_name"),
        );
        let mut objects = Vec::new();
        for row in session.texts(&sql, PATIENCE)? {
            let [kind, schema, name, on] = row.as_slice() else {
                continue;
            };
            let Some(kind) = SeenKind::of(kind) else { continue };
            let own = columns
                .remove(&(schema.clone(), name.clone()))
                .unwrap_or_default();
            objects.push(SeenObject {
                kind,
                namespace: if schema == "main" {
                    String::new()
                } else {
                    schema.clone()
                },
                name: name.clone(),
                on: on.clone(),
                owner: String::new(),
                valid: true,
                temporary: false,
                columns: if kind == SeenKind::Table { own } else { Vec::new() },
            });
        }
        objects.sort_unstable();
        Ok(Seen { objects })
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Removes what is ours, in as many rounds as make less of it: what was removed, and what was not with the engine's words.
pub(super) fn remove(session: &mut DuckSession, prefix: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let mut removed = Vec::new();
    loop {
        let (mut kept, mut any) = (Vec::new(), false);
        let objects = seen(session, prefix)?.objects;
        // Indexes go with their tables.
        let alone = objects.iter().filter(|o| o.kind != SeenKind::Index);
        for object in alone {
            let mut name = quoted(&object.name);
            if !object.namespace.is_empty() {
                name = format!("{}.{name}", quoted(&object.namespace));
            }
            let kind = object.kind.name();
            match session.texts(&format!("DROP {kind} {name}"), PATIENCE) {
                Ok(_) => {
                    any = true;
                    removed.push(format!("{kind} {}", object.name));
                }
                Err(what) => kept.push(what),
            }
        }
        if kept.is_empty() || !any {
            return Ok((removed, kept));
        }
    }
}
