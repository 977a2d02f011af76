//! CQL: Cassandra's words. One table each, shared columns as static ones, no companions, no joins, no transactions.
//!
//! Statements name no keyspace: sessions are in one, and [`objects`] begins with the words that make it.
//! What CQL cannot say is told by [`says`], a function of the schema and the step alone.
//!
//! Besides D1–D4, C1: the statements of a batch stand between [`BATCHES`] and [`APPLY`], which are never sent by
//! themselves: the session makes one message of it all.

mod says;
#[cfg(test)]
mod tests;
mod writer;

use super::ddl::with_suffix;
use super::{Conflict, Dialect, Tuples, ddl, literal};
use crate::cell::{Cell, parts};
use crate::layout::{Col, Layout, TableLayout, quoted, same_udt};
use datagen::domain::Inner;
use datagen::schema::ColumnId;
use datagen::value::{Composite, Kind, Order, Type, Value};
use history::{Change, ChangeKind};
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub(crate) use says::{LEFT_OUT, says};

/// How a logged batch begins, an unlogged one, and one that adds to counters.
pub(crate) const BATCHES: [&str; 3] = ["BEGIN BATCH", "BEGIN UNLOGGED BATCH", "BEGIN COUNTER BATCH"];
/// How a batch ends.
pub(crate) const APPLY: &str = "APPLY BATCH";

pub(crate) const CQL: Dialect = Dialect {
    walk: writer::request,
    placeholder: '?',
    numbered: true,
    conflict: Conflict::OnConflict,
    tuples: Tuples::Rows,
    column_type,
    literal: write_literal,
    begin: |_, _| "BEGIN TRANSACTION",
    batch: |logged| (BATCHES[usize::from(!logged)], APPLY),
    descending_keys: true,
    indexed: |_| String::new(),
    table_options: |_| "",
    extreme: |_, _| ("", ""),
    sum: |_| ("", ""),
    told_apart: |_| None,
};

/// The server's type of ours. An unzoned timestamp has no type of its own and lives in `timestamp`.
fn column_type(ty: Type) -> Option<String> {
    let name = match ty {
        Type::Bool => "boolean",
        Type::Int8 => "tinyint",
        Type::Int16 => "smallint",
        Type::Int32 => "int",
        Type::Int64 => "bigint",
        Type::Float32 => "float",
        Type::Float64 => "double",
        Type::Numeric { .. } => "decimal",
        Type::Text => "text",
        Type::Ascii => "ascii",
        Type::Bytes => "blob",
        Type::Uuid => "uuid",
        Type::Date => "date",
        Type::Time => "time",
        Type::Timestamp | Type::TimestampTz => "timestamp",
        Type::Inet => "inet",
        Type::Varint => "varint",
        Type::Decimal => "decimal",
        Type::Duration => "duration",
        Type::TimeUuid => "timeuuid",
        Type::Counter => "counter",
        Type::Composite(composite) => return composed(composite, &|udt| Some(udt.to_string())),
    };
    Some(name.to_owned())
}

/// A composite's type; `udt` names user-defined ones.
fn composed(composite: &Composite, udt: &dyn Fn(&Composite) -> Option<String>) -> Option<String> {
    let part = |ty: &Type| match ty {
        Type::Composite(composite) => composed(composite, udt),
        scalar => column_type(*scalar),
    };
    let parts: Option<Vec<String>> = composite.parts.iter().map(part).collect();
    let parts = parts?.join(", ");
    let text = match composite.kind {
        Kind::List => format!("list<{parts}>"),
        Kind::Set => format!("set<{parts}>"),
        Kind::Map => format!("map<{parts}>"),
        Kind::Tuple => return Some(format!("tuple<{parts}>")),
        Kind::Vector(n) => return Some(format!("vector<{parts}, {n}>")),
        Kind::Udt => udt(composite)?,
    };
    Some(if composite.frozen {
        format!("frozen<{text}>")
    } else {
        text
    })
}

/// A column's type, with the names that the layout gives.
pub(crate) fn type_of(layout: &Layout, ty: Type) -> String {
    let udt = |composite: &Composite| {
        let named = layout.types.iter().find(|(known, _)| same_udt(known, composite));
        named.map(|(_, name)| name.clone())
    };
    let text = match ty {
        Type::Composite(composite) => composed(composite, &udt),
        scalar => column_type(scalar),
    };
    text.expect("every type of a schema is offered")
}

/// Which index a server makes best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IndexKind {
    /// `CREATE INDEX`: every version, a table of its own beside the table.
    Legacy,
    /// Storage-attached (5.0 and later).
    Sai,
}

/// The statements that make the schema's tables and indexes, in order; one index a column, which is all that CQL has.
///
/// `keyspace`: stands before the tables' names; `None`: whoever runs them is in it. `with`: options of every table.
pub(crate) fn objects(
    layout: &Layout,
    keyspace: Option<&str>,
    with: &[String],
    indexes: IndexKind,
) -> Vec<String> {
    let within = keyspace.map_or(String::new(), |k| format!("{k}."));
    let mut out: Vec<String> = layout
        .types
        .iter()
        .map(|(udt, name)| create_type(layout, udt, name, &within))
        .collect();
    for table in &layout.tables {
        out.push(create(layout, table, &within, with));
        let mut indexed = BTreeSet::new();
        for (name, ids) in &table.indexes {
            // One column may be in several of ours, and can have one of theirs.
            for (i, id) in ids.iter().enumerate().filter(|(_, id)| indexed.insert(**id)) {
                out.extend(index(table, &within, name, i, *id, indexes));
            }
        }
    }
    out
}

fn create_type(layout: &Layout, udt: &Composite, name: &str, within: &str) -> String {
    let fields = udt.names.iter().zip(&udt.parts);
    let fields: Vec<String> = fields
        .map(|(name, ty)| format!("{} {}", quoted(name), type_of(layout, *ty)))
        .collect();
    format!("CREATE TYPE {within}{name} ({})", fields.join(", "))
}

fn create(layout: &Layout, table: &TableLayout, within: &str, with: &[String]) -> String {
    let column = |col: &Col, word: &str| format!("{} {}{word}", col.name, type_of(layout, col.ty));
    let keys = table.parts.columns.iter().chain(&table.rows.columns);
    let mut parts: Vec<String> = keys.chain(&table.regular).map(|c| column(c, "")).collect();
    parts.extend(table.shared.iter().map(|c| column(c, " STATIC")));
    let names = |cols: &[Col]| {
        cols.iter()
            .map(|c| c.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut key = format!("({})", names(&table.parts.columns));
    if !table.rows.columns.is_empty() {
        key = format!("{key}, {}", names(&table.rows.columns));
    }
    parts.push(format!("PRIMARY KEY ({key})"));
    let mut text = format!("CREATE TABLE {within}{} ({})", table.name, parts.join(", "));
    let order = |(j, c): (usize, &Col)| match table.rows.universe.order(j) {
        Order::Asc => format!("{} ASC", c.name),
        Order::Desc => format!("{} DESC", c.name),
    };
    let orders: Vec<String> = table.rows.columns.iter().enumerate().map(order).collect();
    let clustered = (!orders.is_empty()).then(|| format!("CLUSTERING ORDER BY ({})", orders.join(", ")));
    // What the URL says of every table beats what one of them says.
    let named = |option: &str| option.split('=').next().unwrap_or_default().trim().to_owned();
    let beaten = |option: &&String| !with.iter().any(|over| named(over) == named(option));
    let own = table.options.iter().filter(beaten);
    for (i, option) in clustered.iter().chain(own).chain(with).enumerate() {
        text.push_str(if i == 0 { " WITH " } else { " AND " });
        text.push_str(option);
    }
    text
}

/// One statement for each thing that can be looked for: of a map its keys, its values and both together.
fn index(
    table: &TableLayout,
    within: &str,
    name: &str,
    i: usize,
    id: ColumnId,
    kind: IndexKind,
) -> Vec<String> {
    let col = table.any(id);
    let one = |(j, of): (usize, &&str)| {
        let suffix = match (i, j) {
            (0, 0) => String::new(),
            (_, 0) => format!("_{i}"),
            _ => format!("_{i}_{j}"),
        };
        let name = match suffix.as_str() {
            "" => name.to_owned(),
            suffix => with_suffix(name, suffix),
        };
        let what = match *of {
            "" => col.name.clone(),
            of => format!("{of}({})", col.name),
        };
        format!(
            "CREATE INDEX {name} ON {within}{} ({what}){}",
            table.name,
            using(col, kind)
        )
    };
    looked_for(col.ty).iter().enumerate().map(one).collect()
}

/// Of what of a column an index is made: of the column, of its whole value, or of what is inside of it.
fn looked_for(ty: Type) -> &'static [&'static str] {
    match ty {
        Type::Composite(composite) => match (composite.kind, composite.frozen) {
            (Kind::Tuple | Kind::Udt | Kind::Vector(_), _) => &[""],
            (_, true) => &["full"],
            (Kind::Map, false) => &["values", "keys", "entries"],
            (Kind::List | Kind::Set, false) => &["values"],
        },
        _ => &[""],
    }
}

/// The statement of a change of the schema; a drop says up to which timestamp it deletes.
pub(crate) fn change(table: &TableLayout, change: &Change, timestamp: Option<i64>) -> String {
    let (col, name) = (table.any(change.column), ddl::index_name(table, change.column));
    match change.what {
        ChangeKind::CreateIndex => {
            format!(
                "CREATE INDEX IF NOT EXISTS {name} ON {} ({}){}",
                table.name,
                col.name,
                using(col, IndexKind::Sai)
            )
        }
        ChangeKind::DropIndex => format!("DROP INDEX IF EXISTS {name}"),
        ChangeKind::DropColumn => {
            let using = timestamp.map_or_else(String::new, |at| format!(" USING TIMESTAMP {at}"));
            format!("ALTER TABLE {} DROP {}{using}", table.name, col.name)
        }
        ChangeKind::AddColumn => {
            let ty = column_type(col.ty).expect("every type has a name");
            let shared = if table.is_shared(change.column) {
                " STATIC"
            } else {
                ""
            };
            format!("ALTER TABLE {} ADD {} {ty}{shared}", table.name, col.name)
        }
    }
}

/// SAI has no index of bytes.
fn using(col: &Col, kind: IndexKind) -> &'static str {
    match kind {
        IndexKind::Sai if col.ty != Type::Bytes => SAI,
        _ => "",
    }
}

/// What a server before 5.0 does not know.
pub(crate) const SAI: &str = " USING 'sai'";

/// The reads that the indexes on the column answer, one each.
pub(crate) fn by_column(keyspace: &str, table: &TableLayout, col: &Col) -> Vec<String> {
    let from = format!("SELECT * FROM {keyspace}.{} WHERE {}", table.name, col.name);
    let put = |ty: Type, value: &Value, text: &mut String| {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        write_typed(ty, Cell::take(&mut bytes.as_slice()), text);
    };
    let one = |of: &&str| {
        let mut text = from.clone();
        let (word, inner) = match *of {
            "values" => (" CONTAINS ", Some(Inner::Value)),
            "keys" => (" CONTAINS KEY ", Some(Inner::Key)),
            "entries" => ("[", Some(Inner::Entry)),
            _ => (" = ", None),
        };
        text.push_str(word);
        match inner.zip(col.inside()) {
            None => {
                let mut value = Vec::new();
                col.inflate_into(0, &mut value);
                write_typed(col.ty, Cell::take(&mut value.as_slice()), &mut text);
            }
            Some((inner, inside)) => {
                for (i, (ty, value)) in inside.asked(inner, 0).iter().enumerate() {
                    text.push_str(if i == 0 { "" } else { "] = " });
                    put(*ty, value, &mut text);
                }
            }
        }
        text.push_str(" LIMIT 1");
        text
    };
    looked_for(col.ty).iter().map(one).collect()
}

/// A literal of a column's type that `cqlsh` reads.
pub(crate) fn write_typed(ty: Type, cell: Cell<'_>, out: &mut String) {
    let (Type::Composite(composite), Cell::Composite(run)) = (ty, cell) else {
        // Their bytes are ours to say, and the server's to read: those of an empty value, too.
        let as_bytes = matches!(cell, Cell::Bytes(_)) && ty != Type::Bytes;
        if let Some(name) = column_type(ty).filter(|_| as_bytes) {
            write!(out, "blobas{name}(").expect("a String takes everything");
        }
        write_literal(cell, out);
        return out.push_str(if as_bytes { ")" } else { "" });
    };
    let (open, close) = match composite.kind {
        Kind::List | Kind::Vector(_) => ("[", "]"),
        Kind::Set | Kind::Map | Kind::Udt => ("{", "}"),
        Kind::Tuple => ("(", ")"),
    };
    out.push_str(open);
    for (i, part) in parts(run).enumerate() {
        let column = i % composite.parts.len();
        out.push_str(match composite.kind {
            _ if i == 0 => "",
            Kind::Map if column == 1 => ": ",
            _ => ", ",
        });
        if let Some(name) = composite.names.get(column) {
            out.push_str(&quoted(name));
            out.push_str(": ");
        }
        write_typed(composite.parts[column], part, out);
    }
    out.push_str(close);
}

/// A literal that `cqlsh` reads.
fn write_literal(cell: Cell<'_>, out: &mut String) {
    match cell {
        Cell::Null => out.push_str("null"),
        Cell::Bool(v) => out.push_str(if v { "true" } else { "false" }),
        Cell::Int(v) => write!(out, "{v}").expect("a String takes everything"),
        Cell::Float32(v) => float(f64::from(v), &v, out),
        Cell::Float64(v) => float(v, &v, out),
        Cell::Numeric(unscaled, scale) => literal::numeric(unscaled, scale, out),
        Cell::Text(v) => literal::quoted(v, out),
        Cell::Bytes(v) => {
            out.push_str("0x");
            literal::hex(v, out);
        }
        Cell::Composite(_) => unreachable!("a composite is written with its type"),
        Cell::Uuid(v) => write!(out, "{}", Value::Uuid(v)).expect("a String takes everything"),
        // As days from the least day there is, because text is read only within the years 0 to 9999.
        Cell::Date(v) => write!(out, "{}", i64::from(v) + (1 << 31)).expect("a String takes everything"),
        Cell::Time(v) => write!(out, "'{}'", Value::Time(v)).expect("a String takes everything"),
        Cell::Timestamp(v) | Cell::TimestampTz(v) => {
            write!(out, "{}", v.div_euclid(1000)).expect("a String takes everything");
        }
    }
}

fn float(v: f64, short: &dyn std::fmt::Debug, out: &mut String) {
    match v {
        v if v.is_finite() => write!(out, "{short:?}").expect("a String takes everything"),
        v if v.is_nan() => out.push_str("NaN"),
        v => out.push_str(if v < 0.0 { "-Infinity" } else { "Infinity" }),
    }
}
