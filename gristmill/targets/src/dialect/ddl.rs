//! What is made and removed: tables, companions, indexes, all with the prefix of the run.

use super::{Dialect, views};
use crate::layout::{Col, Keys, Layout, TableLayout};
use datagen::schema::ColumnId;
use datagen::value::{Order, Type};
use history::{Change, ChangeKind, Discipline};

/// The statements that make the schema's objects, in order. Types that the dialect does not offer are said to be so.
pub(crate) fn objects(dialect: &Dialect, layout: &Layout, discipline: Discipline) -> Vec<String> {
    let mut out = Vec::new();
    for table in &layout.tables {
        let (rows, shared) = match discipline {
            Discipline::Ordered => (cells(dialect, &table.regular), cells(dialect, &table.shared)),
            Discipline::Lww => {
                let liveness = declared(dialect, &table.hidden.liveness, Type::Int64, true);
                let rows = [liveness].into_iter().chain(stamped(dialect, &table.regular));
                (rows.collect(), stamped(dialect, &table.shared))
            }
        };
        let keys = [&table.parts, &table.rows];
        out.push(create(dialect, table, &table.name, &keys, rows));
        if let Some(companion) = &table.companion {
            out.push(create(dialect, table, companion, &keys[..1], shared));
        }
        if discipline == Discipline::Lww {
            out.push(tombstones(dialect, table));
            out.extend(views::of(table));
        }
        let descending = (0..table.rows.columns.len()).any(|j| table.rows.universe.order(j) == Order::Desc);
        if descending && !dialect.descending_keys {
            let name = with_suffix(&table.name, "_o");
            let columns = key_columns(dialect, &[&table.parts, &table.rows], true);
            out.push(format!("CREATE INDEX {name} ON {} ({columns})", table.name));
        }
        for (name, ids) in &table.indexes {
            let columns = ids.iter().map(|id| table.any(*id));
            let columns: Vec<String> = columns
                .map(|c| format!("{}{}", c.name, (dialect.indexed)(c)))
                .collect();
            let on = if ids.iter().all(|id| table.is_shared(*id)) {
                table.companion()
            } else {
                &table.name
            };
            out.push(format!("CREATE INDEX {name} ON {on} ({})", columns.join(", ")));
        }
    }
    out
}

/// A column as CREATE TABLE wants it.
fn declared(dialect: &Dialect, name: &str, ty: Type, nullable: bool) -> String {
    let ty = (dialect.column_type)(ty).unwrap_or_else(|| format!("/* {ty} is not offered */"));
    format!("{name} {ty}{}", if nullable { "" } else { " NOT NULL" })
}

fn cells(dialect: &Dialect, columns: &[Col]) -> Vec<String> {
    let declared = columns
        .iter()
        .map(|c| declared(dialect, &c.name, c.ty, c.nullable));
    declared.collect()
}

/// Cells with a timestamp beside each, which a NULL has, too, once it was written. A deletion may leave any of them.
fn stamped(dialect: &Dialect, columns: &[Col]) -> Vec<String> {
    let declared = columns.iter().flat_map(|c| {
        [
            declared(dialect, &c.name, c.ty, true),
            declared(dialect, &c.stamp, Type::Int64, true),
        ]
    });
    declared.collect()
}

fn create(dialect: &Dialect, table: &TableLayout, name: &str, keys: &[&Keys], cells: Vec<String>) -> String {
    let mut parts: Vec<String> = keys
        .iter()
        .flat_map(|k| &k.columns)
        .map(|c| declared(dialect, &c.name, c.ty, false))
        .collect();
    parts.extend(cells);
    parts.push(format!(
        "PRIMARY KEY ({})",
        key_columns(dialect, keys, dialect.descending_keys)
    ));
    format!(
        "CREATE TABLE {name} ({}){}",
        parts.join(", "),
        (dialect.table_options)(table.index)
    )
}

/// The table of tombstones: one a partition and thing deleted, with the greatest timestamp that deleted it.
fn tombstones(dialect: &Dialect, table: &TableLayout) -> String {
    let hidden = &table.hidden;
    let mut parts: Vec<String> = table
        .parts
        .columns
        .iter()
        .map(|c| declared(dialect, &c.name, c.ty, false))
        .collect();
    parts.push(declared(dialect, &hidden.what, Type::Text, false));
    for (col, bounds) in table.rows.columns.iter().zip(&hidden.bounds) {
        for (value, included) in [&bounds.from, &bounds.to] {
            parts.push(declared(dialect, value, col.ty, true));
            parts.push(declared(dialect, included, Type::Int16, true));
        }
    }
    parts.push(declared(dialect, &hidden.at, Type::Int64, false));
    let key = key_columns(dialect, &[&table.parts], false);
    parts.push(format!("PRIMARY KEY ({key}, {})", hidden.what));
    format!(
        "CREATE TABLE {} ({}){}",
        hidden.tombs,
        parts.join(", "),
        (dialect.table_options)(table.index)
    )
}

fn key_columns(dialect: &Dialect, keys: &[&Keys], directions: bool) -> String {
    let columns = keys.iter().flat_map(|k| {
        k.columns
            .iter()
            .enumerate()
            .map(|(j, c)| (c, k.universe.order(j)))
    });
    let columns: Vec<String> = columns
        .map(|(c, order)| match order {
            Order::Desc if directions => format!("{}{} DESC", c.name, (dialect.indexed)(c)),
            _ => format!("{}{}", c.name, (dialect.indexed)(c)),
        })
        .collect();
    columns.join(", ")
}

/// What an index that comes and goes is called: by its table and its column.
pub(crate) fn index_name(table: &TableLayout, column: ColumnId) -> String {
    with_suffix(&table.name, &format!("_x{}", column.0))
}

/// The statement of an index that comes or goes while visits go on. Columns that come and go are no SQL target's.
pub(super) fn change(table: &TableLayout, change: &Change) -> String {
    let name = index_name(table, change.column);
    match change.what {
        ChangeKind::CreateIndex => {
            let column = &table.any(change.column).name;
            format!("CREATE INDEX IF NOT EXISTS {name} ON {} ({column})", table.name)
        }
        ChangeKind::DropIndex => format!("DROP INDEX IF EXISTS {name}"),
        ChangeKind::DropColumn | ChangeKind::AddColumn => {
            let does = if change.what == ChangeKind::DropColumn {
                "DROP"
            } else {
                "ADD"
            };
            let column = &table.any(change.column).name;
            format!(
                "-- ALTER TABLE {} {does} {column}: columns of a SQL table stay",
                table.name
            )
        }
    }
}

/// The name with something behind it, inside the quotes if it has some.
pub(super) fn with_suffix(name: &str, suffix: &str) -> String {
    match name.strip_suffix('"') {
        Some(open) => format!("{open}{suffix}\""),
        None => format!("{name}{suffix}"),
    }
}
