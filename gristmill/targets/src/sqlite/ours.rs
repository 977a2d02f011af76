//! What begins with our prefix in a SQLite database, as its schema table shows it.

use history::parallel::{Seen, SeenColumn, SeenKind, SeenObject};
use rusqlite::Connection;

/// Everything of ours, at one moment: one read transaction. Columns of views are left out: asking for those of a view whose
/// table is gone is an error.
pub(super) fn seen(connection: &Connection, prefix: &str) -> rusqlite::Result<Seen> {
    let pattern = format!("{}\\_%", prefix.replace('_', "\\_"));
    connection.execute_batch("BEGIN")?;
    let read = objects(connection, &pattern);
    connection.execute_batch("ROLLBACK")?;
    let mut objects = read?;
    objects.sort_unstable();
    Ok(Seen { objects })
}

fn objects(connection: &Connection, pattern: &str) -> rusqlite::Result<Vec<SeenObject>> {
    let mut statement = connection.prepare(
        "SELECT type, name, tbl_name FROM sqlite_schema WHERE name LIKE ?1 ESCAPE '\\' OR tbl_name LIKE ?1 ESCAPE '\\'",
    )?;
    let mut found = statement
        .query_map([pattern], |row| {
            let kind: String = row.get(0)?;
            let kind = SeenKind::of(&kind);
            let of_table = matches!(kind, Some(SeenKind::Index | SeenKind::Trigger));
            Ok(kind.map(|kind| SeenObject {
                kind,
                namespace: String::new(),
                name: row.get(1).unwrap_or_default(),
                on: if of_table {
                    row.get(2).unwrap_or_default()
                } else {
                    String::new()
                },
                owner: String::new(),
                valid: true,
                temporary: false,
                columns: Vec::new(),
            }))
        })?
        .filter_map(Result::transpose)
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut columns =
        connection.prepare("SELECT name, type, \"notnull\" FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    for table in found.iter_mut().filter(|object| object.kind == SeenKind::Table) {
        table.columns = columns
            .query_map([&table.name], |row| {
                Ok(SeenColumn {
                    name: row.get(0)?,
                    ty: row.get(1)?,
                    not_null: row.get(2)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
    }
    Ok(found)
}
