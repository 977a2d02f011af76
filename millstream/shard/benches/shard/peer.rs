//! What a user would take instead: a plain SQLite table, as durable as ours.

use std::path::Path;

use rusqlite::{Connection, params};

/// Into the plain table.
pub(crate) const INSERT: &str = "INSERT INTO consensus (shard, seq, data) VALUES (?1, ?2, ?3)";

/// The table that anyone would make for versions of shards.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS consensus (
    shard TEXT NOT NULL,
    seq INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (shard, seq)
) WITHOUT ROWID";

/// SQLite with the durability of the consensus store, and that table.
pub(crate) fn sqlite(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("SQLite opens");
    connection
        .busy_timeout(std::time::Duration::from_secs(10))
        .expect("a setting");
    let mode: String = connection
        .query_row("PRAGMA journal_mode=WAL", [], |r| r.get(0))
        .expect("a pragma");
    assert_eq!(mode, "wal");
    connection
        .execute_batch("PRAGMA synchronous=FULL")
        .expect("a pragma");
    connection.execute_batch(SCHEMA).expect("a table");
    connection
}

/// The same with the tables of the store, and the shard `s` in them.
pub(crate) fn as_stored(path: &Path) -> Connection {
    let connection = sqlite(path);
    connection
        .execute_batch(shard::store::sqlite::SCHEMA)
        .expect("tables");
    connection
        .execute("INSERT OR IGNORE INTO shards (shard) VALUES ('s')", [])
        .expect("a shard");
    connection
}

/// Into the tables of the store, as that inserts: the shard by its name.
pub(crate) const INSERT_AS_STORED: &str = "INSERT INTO versions (shard, seq, data)
    VALUES ((SELECT id FROM shards WHERE shard = ?1), ?2, ?3)";

/// A table of rows with times and diffs.
pub(crate) fn table(path: &Path) -> Connection {
    let connection = sqlite(path);
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, row BLOB, time INTEGER, diff INTEGER)",
        )
        .expect("a table");
    connection
}

pub(crate) fn insert_row(connection: &Connection, row: &[u8], time: u64) {
    connection
        .prepare_cached("INSERT INTO log (row, time, diff) VALUES (?1, ?2, 1)")
        .expect("a statement")
        .execute(params![row, time.cast_signed()])
        .expect("an insert");
}

/// Rows after `id`, in order: what a poller asks.
pub(crate) fn rows_after(connection: &Connection, id: i64, each: &mut dyn FnMut(i64, &[u8])) {
    let mut statement = connection
        .prepare_cached("SELECT id, row FROM log WHERE id > ?1 ORDER BY id")
        .expect("a statement");
    let mut rows = statement.query(params![id]).expect("a query");
    while let Some(row) = rows.next().expect("a row") {
        let bytes = row.get_ref(1).expect("a column").as_blob().expect("bytes");
        each(row.get(0).expect("a number"), bytes);
    }
}
