//! The views that make rows of what writes under discipline `lww` leave behind, so that the database computes the answer.
//!
//! ```text
//!   rows ─────────┐
//!                 ├──▶ live ──────────┐
//!   tombstones ───┤                   ├──▶ all   rows with their shared cells, and partitions that have only these
//!                 ├──▶ live statics ──┘
//!   companions ───┘
//! ```
//!
//! What is alive: a cell whose timestamp is greater than that of every tombstone over it and that is not NULL; a row whose
//! liveness or any cell is. Deletion beats data at one timestamp, so "greater" is strict.
//!
//! Only words that PostgreSQL and SQLite share are used. Every view hands conditions on the key down to its tables: the
//! tombstones are joined before the grouping, by the key that is grouped by.

use crate::layout::TableLayout;

/// The views of a table, in the order in which they must be made.
pub(super) fn of(table: &TableLayout) -> Vec<String> {
    let hidden = &table.hidden;
    let mut out = vec![format!("CREATE VIEW {} AS {}", hidden.live, live(table))];
    if let (Some(statics), Some(all)) = (&hidden.statics, &hidden.all) {
        out.push(format!("CREATE VIEW {statics} AS {}", live_statics(table)));
        out.push(format!(
            "CREATE VIEW {all} AS {}",
            rows_with_statics(table, statics)
        ));
    }
    out
}

fn live(table: &TableLayout) -> String {
    let hidden = &table.hidden;
    let (tombs, at, dead) = (&hidden.tombs, &hidden.at, &hidden.dead);
    let bounds = table
        .rows
        .columns
        .iter()
        .zip(&hidden.bounds)
        .map(|(col, bounds)| {
            let c = &col.name;
            let ((from, from_in), (to, to_in)) = (&bounds.from, &bounds.to);
            format!(
                " AND (d.{from} IS NULL OR t.{c} > d.{from} OR (t.{c} = d.{from} AND d.{from_in} = 1)) \
             AND (d.{to} IS NULL OR t.{c} < d.{to} OR (t.{c} = d.{to} AND d.{to_in} = 1))"
            )
        });
    let under: String = bounds.collect();
    let all = table.parts.columns.iter().chain(&table.rows.columns);
    let keys: Vec<&str> = all.map(|c| c.name.as_str()).collect();
    let of_table: Vec<String> = keys.iter().map(|k| format!("t.{k}")).collect();
    let of_table = of_table.join(", ");
    let kept: String = table
        .regular
        .iter()
        .map(|c| format!("t.{}, t.{}, ", c.name, c.stamp))
        .collect();
    let shown: String = table
        .regular
        .iter()
        .map(|col| {
            let (c, ts) = (&col.name, &col.stamp);
            format!(
                ", CASE WHEN {ts} > {dead} THEN {c} END AS {c}, \
                 CASE WHEN {ts} > {dead} AND {c} IS NOT NULL THEN {ts} END AS {ts}"
            )
        })
        .collect();
    let alive: String = table
        .regular
        .iter()
        .map(|c| format!(" OR ({} > {dead} AND {} IS NOT NULL)", c.stamp, c.name))
        .collect();
    format!(
        "SELECT {}{shown} FROM (SELECT {of_table}, t.{live}, {kept}coalesce(max(d.{at}), {NEVER}) AS {dead} \
         FROM {} t LEFT JOIN {tombs} d ON {}{under} GROUP BY {of_table}) x WHERE {live} > {dead}{alive}",
        keys.join(", "),
        table.name,
        same_partition(table, "d", "t"),
        live = hidden.liveness,
    )
}

/// A partition has one tombstone of its own at most, so nothing is grouped.
fn live_statics(table: &TableLayout) -> String {
    let alive: Vec<String> = table
        .shared
        .iter()
        .map(|c| format!("s.{0} > {1} AND s.{2} IS NOT NULL", c.stamp, dead(table), c.name))
        .collect();
    format!(
        "SELECT {}{} FROM {} s{} WHERE ({})",
        parts(table, "s"),
        statics(table),
        table.companion(),
        partition_tombstone(table, "s"),
        alive.join(") OR (")
    )
}

/// ` LEFT JOIN` with the tombstone of the whole partition.
fn partition_tombstone(table: &TableLayout, of: &str) -> String {
    let hidden = &table.hidden;
    format!(
        " LEFT JOIN {} d ON {} AND d.{} = 'partition'",
        hidden.tombs,
        same_partition(table, "d", of),
        hidden.what
    )
}

/// The timestamp of the partition's tombstone.
fn dead(table: &TableLayout) -> String {
    format!("coalesce(d.{}, {NEVER})", table.hidden.at)
}

/// The shared cells that are alive, each with its timestamp; `s` is the companion and `d` the partition's tombstone.
fn statics(table: &TableLayout) -> String {
    let dead = dead(table);
    let cells = table.shared.iter().map(|c| {
        let (c, ts) = (&c.name, &c.stamp);
        format!(
            ", CASE WHEN s.{ts} > {dead} THEN s.{c} END AS {c}, \
             CASE WHEN s.{ts} > {dead} AND s.{c} IS NOT NULL THEN s.{ts} END AS {ts}"
        )
    });
    cells.collect()
}

/// A timestamp below every other: the least of 64 bits, which has no literal of its own everywhere.
const NEVER: &str = "-9223372036854775807 - 1";

/// The companion is joined as a table, not as its view: SQLite would make all of the view first.
fn rows_with_statics(table: &TableLayout, live_statics: &str) -> String {
    let hidden = &table.hidden;
    let rows: String = table
        .rows
        .columns
        .iter()
        .map(|c| format!(", r.{}", c.name))
        .chain(
            table
                .regular
                .iter()
                .map(|c| format!(", r.{}, r.{}", c.name, c.stamp)),
        )
        .collect();
    // The first arm gives the columns their names and types.
    let nulls = ", NULL".repeat(table.rows.columns.len() + 2 * table.regular.len());
    let listed: String = table
        .shared
        .iter()
        .map(|c| format!(", s.{}, s.{}", c.name, c.stamp))
        .collect();
    format!(
        "SELECT {}{rows}{}, 1 AS {} FROM {} r LEFT JOIN {} s ON {same}{} \
         UNION ALL SELECT {}{nulls}{listed}, NULL FROM {live_statics} s \
         WHERE NOT EXISTS (SELECT 1 FROM {} r WHERE {same})",
        parts(table, "r"),
        statics(table),
        hidden.row,
        hidden.live,
        table.companion(),
        partition_tombstone(table, "r"),
        parts(table, "s"),
        hidden.live,
        same = same_partition(table, "s", "r"),
    )
}

/// `k.p0, k.p1`
fn parts(table: &TableLayout, alias: &str) -> String {
    let columns = &table.parts.columns;
    let all: Vec<String> = columns.iter().map(|c| format!("{alias}.{}", c.name)).collect();
    all.join(", ")
}

fn same_partition(table: &TableLayout, a: &str, b: &str) -> String {
    let same: Vec<String> = table
        .parts
        .columns
        .iter()
        .map(|c| format!("{a}.{0} = {b}.{0}", c.name))
        .collect();
    same.join(" AND ")
}
