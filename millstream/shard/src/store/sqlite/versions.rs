//! The tables of the versions: written in order of arrival, so that a commit for many shards is a few pages.
//!
//! A table in order of (shard, number) would have a page of its own for each shard that commits. Here versions of all shards
//! follow each other as they came, beside an index of (shard, number) in which a shard is a small number. For the same reason
//! a truncation removes nothing by itself: it says from where on a shard's versions count, and each commit removes what no
//! longer does in the order in which it came, a few at a time.
//!
//! Invariants:
//! 1. A version below its shard's `since` is not there for any reader, whether or not its row is still there.
//! 2. Only such rows are removed; the newest version of a shard never is one.
//! 3. What a truncation gave up is gone after two laps of the sweep at most. Each commit goes on with the lap until nothing is
//!    owed; without commits nothing is removed.

use rusqlite::{Connection, OptionalExtension, params};

use crate::ids::SeqNo;
use crate::mutant::Mutant;

/// The tables, as everyone who looks at the file meets them.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS shards (
    id INTEGER PRIMARY KEY,
    shard TEXT NOT NULL UNIQUE,
    since INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS versions (
    id INTEGER PRIMARY KEY,
    shard INTEGER NOT NULL REFERENCES shards (id),
    seq INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS versions_of_shards ON versions (shard, seq);
";

/// From the one table of before, in order of (shard, number).
const MOVE: &str = "
INSERT INTO shards (shard) SELECT DISTINCT shard FROM consensus;
INSERT INTO versions (shard, seq, data)
    SELECT s.id, c.seq, c.data FROM consensus c JOIN shards s ON s.shard = c.shard ORDER BY c.seq;
DROP TABLE consensus;
";

const HEAD: &str = "SELECT seq, data FROM versions WHERE shard = (SELECT id FROM shards WHERE shard = ?1)
    ORDER BY seq DESC LIMIT 1";
const HEAD_SEQ: &str = "SELECT seq FROM versions WHERE shard = (SELECT id FROM shards WHERE shard = ?1)
    ORDER BY seq DESC LIMIT 1";
const KNOW: &str = "INSERT INTO shards (shard) VALUES (?1) ON CONFLICT DO NOTHING";
const INSERT: &str = "INSERT INTO versions (shard, seq, data)
    VALUES ((SELECT id FROM shards WHERE shard = ?1), ?2, ?3)";
const SCAN: &str = "SELECT v.seq, v.data FROM shards s CROSS JOIN versions v ON v.shard = s.id
    WHERE s.shard = ?1 AND v.seq >= max(?2, s.since) ORDER BY v.seq LIMIT ?3";
const COUNT: &str = "SELECT count(*) FROM shards s CROSS JOIN versions v ON v.shard = s.id
    WHERE s.shard = ?1 AND v.seq >= s.since AND v.seq < ?2";
const TRUNCATE: &str = "UPDATE shards SET since = ?2 WHERE shard = ?1 AND since < ?2";
const HEADS: &str = "SELECT shard, seq FROM (SELECT s.shard AS shard,
    (SELECT v.seq FROM versions v WHERE v.shard = s.id ORDER BY v.seq DESC LIMIT 1) AS seq FROM shards s)
    WHERE seq IS NOT NULL ORDER BY shard";
const NEXT: &str = "SELECT v.id, v.seq < s.since FROM versions v CROSS JOIN shards s ON s.id = v.shard
    WHERE v.id > ?1 ORDER BY v.id LIMIT ?2";
const REMOVE: &str = "DELETE FROM versions WHERE id = ?1";

/// Makes the tables where they are not there, and moves what an earlier version of this program left into them.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    let before = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'consensus'";
    let before: Option<i64> = transaction.query_row(before, [], |row| row.get(0)).optional()?;
    if before.is_some() {
        transaction.execute_batch(MOVE)?;
    }
    transaction.commit()
}

pub(super) fn number(seqno: SeqNo) -> i64 {
    i64::try_from(seqno.get()).expect("SeqNo::MAX is i64::MAX")
}

pub(super) fn seqno(number: i64) -> SeqNo {
    SeqNo::new(number.unsigned_abs()).expect("SeqNo::MAX is i64::MAX")
}

/// Number and bytes of a shard's newest version.
pub(super) fn head<T>(
    connection: &Connection,
    key: &str,
    row: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    connection
        .prepare_cached(HEAD)?
        .query_row(params![key], row)
        .optional()
}

/// The number of a shard's newest version.
pub(super) fn newest(connection: &Connection, key: &str) -> rusqlite::Result<Option<SeqNo>> {
    let mut head = connection.prepare_cached(HEAD_SEQ)?;
    let number: Option<i64> = head.query_row(params![key], |row| row.get(0)).optional()?;
    Ok(number.map(seqno))
}

/// Adds a version; `first`: the shard may not be known yet.
pub(super) fn add(
    connection: &Connection,
    key: &str,
    first: bool,
    number: i64,
    data: &[u8],
) -> rusqlite::Result<()> {
    if first {
        connection.prepare_cached(KNOW)?.execute(params![key])?;
    }
    connection
        .prepare_cached(INSERT)?
        .execute(params![key, number, data])?;
    Ok(())
}

/// The versions from `from` on, in their order, at most `limit`.
pub(super) fn scan<T>(
    connection: &Connection,
    key: &str,
    from: SeqNo,
    limit: usize,
    row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(SCAN)?;
    statement
        .query_map(params![key, number(from), limit], row)?
        .collect()
}

/// Gives up the versions below `to`; answers how many.
pub(super) fn truncate(connection: &Connection, key: &str, to: SeqNo) -> rusqlite::Result<usize> {
    let mut count = connection.prepare_cached(COUNT)?;
    let count: i64 = count.query_row(params![key, number(to)], |row| row.get(0))?;
    connection
        .prepare_cached(TRUNCATE)?
        .execute(params![key, number(to)])?;
    Ok(usize::try_from(count).expect("a count"))
}

/// All shards with their newest versions, in order of their names.
pub(super) fn heads(connection: &Connection) -> rusqlite::Result<Vec<(String, SeqNo)>> {
    let mut statement = connection.prepare_cached(HEADS)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, seqno(row.get(1)?))))?;
    rows.collect()
}

/// Rows that are looked at for each that a group writes: what is still of use is passed by, so that less than all are removed.
const LOOKED_AT: usize = 4;

/// Where the removing of what was given up has come to.
#[derive(Debug)]
pub(super) struct Sweep {
    after: i64,
    /// Something was given up before this lap began: it is behind or before us, and gone at the end of the next.
    owed: bool,
    /// Something was given up since.
    new: bool,
    mutant: Mutant,
}

impl Sweep {
    /// At the beginning: an earlier process may have left something.
    pub(super) fn new(mutant: Mutant) -> Sweep {
        Sweep {
            after: 0,
            owed: true,
            new: false,
            mutant,
        }
    }

    /// Something was given up.
    pub(super) fn owe(&mut self) {
        self.new = true;
    }

    /// Removes a few rows, in the transaction of a group that writes so many.
    pub(super) fn go_on(&mut self, connection: &Connection, written: usize) -> rusqlite::Result<()> {
        if (!self.owed && !self.new) || self.mutant == Mutant::SweepNever {
            return Ok(());
        }
        let many = LOOKED_AT * (written + 1);
        let mut next = connection.prepare_cached(NEXT)?;
        let rows = next.query_map(
            params![self.after, i64::try_from(many).unwrap_or(i64::MAX)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let rows: Vec<(i64, bool)> = rows.collect::<rusqlite::Result<_>>()?;
        let mut remove = connection.prepare_cached(REMOVE)?;
        for (id, given_up) in &rows {
            if *given_up || self.mutant == Mutant::SweepTakesAll {
                remove.execute(params![id])?;
            }
            self.after = *id;
        }
        if rows.len() < many {
            *self = Sweep {
                after: 0,
                owed: self.new && self.mutant != Mutant::SweepOneLap,
                new: false,
                mutant: self.mutant,
            };
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
