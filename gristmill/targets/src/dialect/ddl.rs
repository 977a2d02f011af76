//! What is made and removed: tables, companions, indexes, all with the prefix of the run.

use super::Dialect;
use crate::layout::{Col, Keys, Layout, TableLayout};
use datagen::value::Order;

/// The statements that make the schema's objects, in order. Types that the dialect does not offer are said to be so.
pub(crate) fn objects(dialect: &Dialect, layout: &Layout) -> Vec<String> {
    let mut out = Vec::new();
    for table in &layout.tables {
        out.push(create(
            dialect,
            table,
            &table.name,
            &[&table.parts, &table.rows],
            &table.regular,
        ));
        if let Some(companion) = &table.companion {
            out.push(create(dialect, table, companion, &[&table.parts], &table.shared));
        }
        let descending = (0..table.rows.columns.len()).any(|j| table.rows.universe.order(j) == Order::Desc);
        if descending && !dialect.descending_keys {
            let name = with_suffix(&table.name, "_o");
            let columns = key_columns(&[&table.parts, &table.rows], true);
            out.push(format!("CREATE INDEX {name} ON {} ({columns})", table.name));
        }
        for (name, ids) in &table.indexes {
            let columns: Vec<&str> = ids.iter().map(|id| table.any(*id).name.as_str()).collect();
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

fn create(dialect: &Dialect, table: &TableLayout, name: &str, keys: &[&Keys], cells: &[Col]) -> String {
    let column = |col: &Col, nullable: bool| {
        let ty = (dialect.column_type)(col.ty).unwrap_or_else(|| format!("/* {} is not offered */", col.ty));
        format!("{} {ty}{}", col.name, if nullable { "" } else { " NOT NULL" })
    };
    let mut parts: Vec<String> = keys
        .iter()
        .flat_map(|k| &k.columns)
        .map(|c| column(c, false))
        .collect();
    parts.extend(cells.iter().map(|c| column(c, c.nullable)));
    parts.push(format!(
        "PRIMARY KEY ({})",
        key_columns(keys, dialect.descending_keys)
    ));
    format!(
        "CREATE TABLE {name} ({}){}",
        parts.join(", "),
        (dialect.table_options)(table.index)
    )
}

fn key_columns(keys: &[&Keys], directions: bool) -> String {
    let columns = keys.iter().flat_map(|k| {
        k.columns
            .iter()
            .enumerate()
            .map(|(j, c)| (c, k.universe.order(j)))
    });
    let columns: Vec<String> = columns
        .map(|(c, order)| match order {
            Order::Desc if directions => format!("{} DESC", c.name),
            _ => c.name.clone(),
        })
        .collect();
    columns.join(", ")
}

/// The name with something behind it, inside the quotes if it has some.
fn with_suffix(name: &str, suffix: &str) -> String {
    match name.strip_suffix('"') {
        Some(open) => format!("{open}{suffix}\""),
        None => format!("{name}{suffix}"),
    }
}
