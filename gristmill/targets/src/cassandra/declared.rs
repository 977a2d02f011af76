//! The tables of somebody's keyspace, from `system_schema`, as CQL that makes their likes.
//!
//! What is asked of the server is in [`Catalog::read`]; what is made of it is a function of that. Whether a type, a column or an
//! index can be exercised is decided by [`ddl::read`] alone: it is given each by itself.
//!
//! Invariant: what stands in the catalog and not in the text is named.

#[cfg(test)]
mod tests;

use super::client::{Asked, Client};
use crate::target::Declared;
use datagen::domain::Limits;
use datagen::schema::{ddl, option_refusal};
use datagen::value::Type;
use std::collections::{BTreeMap, BTreeSet};

/// Options of a table that are taken over, and whether their values are texts.
const OPTIONS: [(&str, bool); 14] = [
    ("additional_write_policy", true),
    ("bloom_filter_fp_chance", false),
    ("caching", false),
    ("compaction", false),
    ("compression", false),
    ("crc_check_chance", false),
    ("default_time_to_live", false),
    ("gc_grace_seconds", false),
    ("max_index_interval", false),
    ("memtable_flush_period_in_ms", false),
    ("min_index_interval", false),
    ("read_repair", true),
    ("speculative_retry", true),
    ("memtable", true),
];

/// What can be kept of a type.
type LimitsOf<'a> = dyn Fn(Type) -> Option<Limits> + 'a;

/// What the server says of a keyspace.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    keyspace: String,
    /// As `CREATE KEYSPACE` takes it; `None`: there is no such keyspace.
    replication: Option<String>,
    durable: bool,
    types: Vec<Udt>,
    tables: BTreeMap<String, Described>,
    /// Beside tables: what it is, and its name.
    others: Vec<(&'static str, String)>,
}

#[derive(Debug)]
struct Udt {
    name: String,
    fields: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Described {
    flags: String,
    /// `name = value`.
    options: Vec<String>,
    columns: Vec<ColumnOf>,
    /// Name, and the column as the server names it, or what it is besides.
    indexes: Vec<(String, Result<String, String>)>,
}

/// A column.
#[derive(Debug, Clone)]
struct ColumnOf {
    name: String,
    kind: String,
    position: i64,
    ty: String,
    descending: bool,
}

impl Catalog {
    /// Asks the server. A keyspace that is not there has no replication.
    pub(super) fn read(client: &Client, keyspace: &str) -> Asked<Catalog> {
        let of = format!("WHERE keyspace_name = '{}'", keyspace.replace('\'', "''"));
        let ask = |columns: &str, table: &str| {
            client.ask(&format!("SELECT {columns} FROM system_schema.{table} {of}"))
        };
        let mut catalog = Catalog {
            keyspace: keyspace.to_owned(),
            durable: true,
            ..Catalog::default()
        };
        let Some(own) = ask("replication, durable_writes", "keyspaces")?
            .into_iter()
            .next()
        else {
            return Ok(catalog);
        };
        catalog.replication = own.first().cloned();
        catalog.durable = own.get(1).is_none_or(|durable| durable == "true");
        for row in ask("type_name, field_names, field_types", "types")? {
            let [name, names, types] = fields(row);
            let fields = listed(&names).into_iter().zip(listed(&types)).collect();
            catalog.types.push(Udt { name, fields });
        }
        // Which options there are depends on the version.
        let known = client.ask(
            "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'system_schema' AND table_name = 'tables'",
        )?;
        let known: BTreeSet<String> = known.into_iter().flatten().collect();
        let asked: Vec<(&str, bool)> = OPTIONS
            .into_iter()
            .filter(|(name, _)| known.contains(*name))
            .collect();
        let names: String = asked.iter().map(|(name, _)| format!(", {name}")).collect();
        for mut row in ask(&format!("table_name, flags{names}"), "tables")? {
            let values = row.split_off(2);
            let [name, flags] = fields(row);
            let options = asked.iter().zip(values).filter(|(_, value)| !value.is_empty());
            let options = options.map(|((option, text), value)| match text {
                true => format!("{option} = '{}'", value.replace('\'', "''")),
                false => format!("{option} = {value}"),
            });
            let options = options.collect();
            catalog.tables.insert(
                name,
                Described {
                    flags,
                    options,
                    ..Described::default()
                },
            );
        }
        for row in ask(
            "table_name, column_name, kind, position, type, clustering_order",
            "columns",
        )? {
            let [table, name, kind, position, ty, order] = fields(row);
            // Views have columns too.
            if let Some(table) = catalog.tables.get_mut(&table) {
                table.columns.push(ColumnOf {
                    name,
                    kind,
                    position: position.parse().unwrap_or(0),
                    ty,
                    descending: order == "desc",
                });
            }
        }
        for row in ask("table_name, index_name, options", "indexes")? {
            let [table, name, options] = fields(row);
            if let Some(table) = catalog.tables.get_mut(&table) {
                table.indexes.push((name, indexed(&options)));
            }
        }
        for (what, column, table) in [
            ("materialized view", "view_name", "views"),
            ("trigger", "trigger_name", "triggers"),
        ] {
            let names = ask(column, table)?.into_iter().flatten();
            catalog.others.extend(names.map(|name| (what, name)));
        }
        Ok(catalog)
    }

    /// The tables that are named, or all of them, as CQL. The error: what is wrong, and the remedy.
    pub(super) fn declared(
        &self,
        wanted: &[String],
        limits: &LimitsOf<'_>,
    ) -> Result<Declared, (String, String)> {
        let keyspace = &self.keyspace;
        let Some(replication) = &self.replication else {
            let remedy = "name one that is there; without --schema the tables are drawn";
            return Err((format!("there is no keyspace {keyspace}"), remedy.to_owned()));
        };
        if let Some(name) = wanted.iter().find(|name| !self.tables.contains_key(*name)) {
            let known: Vec<&str> = self.tables.keys().map(String::as_str).collect();
            let remedy = format!("its tables are {}", known.join(", "));
            return Err((format!("keyspace {keyspace} has no table {name}"), remedy));
        }
        let mut out = Declared::default();
        let mut left_out = |what: String| out.left_out.push(what);
        if !self.durable {
            left_out("durable_writes = false: what was acknowledged must outlive the server".to_owned());
        }
        let keyspace_ddl = format!(
            "CREATE KEYSPACE {} WITH replication = {replication};\n",
            quoted(keyspace)
        );
        let keyspace_ddl = match ddl::replication(&keyspace_ddl) {
            Ok(_) => keyspace_ddl,
            Err(error) => {
                left_out(format!("replication = {replication} ({error})"));
                String::new()
            }
        };
        let types = self.types(limits, &mut left_out);
        let mut tables = String::new();
        for (name, table) in &self.tables {
            if wanted.is_empty() || wanted.contains(name) {
                tables += &table.declared(name, &types, limits, &mut left_out);
            }
        }
        for (what, name) in self.others.iter().filter(|_| wanted.is_empty()) {
            left_out(format!("{what} {name}"));
        }
        if tables.is_empty() {
            let what = format!("nothing of keyspace {keyspace} can be exercised");
            let remedy = match out.left_out.is_empty() {
                true => "it has no table: name another".to_owned(),
                false => format!("left out would be {}: name another", out.left_out.join("; ")),
            };
            return Err((what, remedy));
        }
        out.ddl = format!("{keyspace_ddl}{types}{tables}");
        Ok(out)
    }

    /// The user-defined types that can be exercised, those that others are made of first.
    fn types(&self, limits: &LimitsOf<'_>, left_out: &mut dyn FnMut(String)) -> String {
        let mut text = String::new();
        let mut open: Vec<&Udt> = self.types.iter().collect();
        loop {
            let before = open.len();
            open.retain(|udt| {
                let fields = udt
                    .fields
                    .iter()
                    .map(|(name, ty)| format!("{} {ty}", quoted(name)));
                let fields: Vec<String> = fields.collect();
                let create = format!("CREATE TYPE {} ({});\n", quoted(&udt.name), fields.join(", "));
                let fine = reads(
                    &format!("{text}{create}CREATE TABLE t (p int PRIMARY KEY);"),
                    limits,
                );
                if fine {
                    text += &create;
                }
                !fine
            });
            if open.len() == before {
                break;
            }
        }
        for udt in open {
            left_out(format!("type {}", udt.name));
        }
        text
    }
}

impl Described {
    /// The statements that make its like; "" where it cannot be exercised.
    fn declared(
        &self,
        name: &str,
        types: &str,
        limits: &LimitsOf<'_>,
        left_out: &mut dyn FnMut(String),
    ) -> String {
        if self.flags.contains("counter") {
            left_out(format!("table {name}: counters"));
            return String::new();
        }
        if self.flags.contains("dense") || self.flags.contains("super") || !self.flags.contains("compound") {
            left_out(format!("table {name}: COMPACT STORAGE"));
            return String::new();
        }
        let of = |kind: &str| {
            let mut columns: Vec<&ColumnOf> = self.columns.iter().filter(|c| c.kind == kind).collect();
            columns.sort_by_key(|c| (c.position, c.name.clone()));
            columns
        };
        let (partition, clustering) = (of("partition_key"), of("clustering"));
        for column in partition.iter().chain(&clustering) {
            let alone = format!(
                "{types}CREATE TABLE t ({} {} PRIMARY KEY);",
                quoted(&column.name),
                column.ty
            );
            if !reads(&alone, limits) {
                left_out(format!(
                    "table {name}: its key has column {} {}",
                    column.name, column.ty
                ));
                return String::new();
            }
        }
        let mut cells = of("regular");
        cells.extend(of("static"));
        cells.retain(|column| {
            let ty = format!("{} {}", quoted(&column.name), column.ty);
            let fine = reads(
                &format!("{types}CREATE TABLE t (\"the key\" int PRIMARY KEY, {ty});"),
                limits,
            );
            if !fine {
                left_out(format!("column {name}.{} {}", column.name, column.ty));
            }
            fine
        });
        let kept = |option: &&String| match option_refusal(option) {
            None => true,
            Some((what, _)) => {
                left_out(format!("table {name}: {what}"));
                false
            }
        };
        let options: Vec<&str> = self.options.iter().filter(kept).map(String::as_str).collect();
        let mut columns: Vec<String> = Vec::new();
        for column in partition.iter().chain(&clustering).chain(&cells) {
            let word = if column.kind == "static" { " static" } else { "" };
            columns.push(format!("{} {}{word}", quoted(&column.name), column.ty));
        }
        let names = |columns: &[&ColumnOf]| -> String {
            let names: Vec<String> = columns.iter().map(|c| quoted(&c.name)).collect();
            names.join(", ")
        };
        let mut key = format!("({})", names(&partition));
        if !clustering.is_empty() {
            key += &format!(", {}", names(&clustering));
        }
        columns.push(format!("PRIMARY KEY ({key})"));
        let mut with: Vec<String> = Vec::new();
        if !clustering.is_empty() {
            let order = |c: &&ColumnOf| {
                format!(
                    "{} {}",
                    quoted(&c.name),
                    if c.descending { "DESC" } else { "ASC" }
                )
            };
            let orders: Vec<String> = clustering.iter().map(order).collect();
            with.push(format!("CLUSTERING ORDER BY ({})", orders.join(", ")));
        }
        with.extend(options.into_iter().map(str::to_owned));
        let mut text = format!("CREATE TABLE {} (\n  {}\n)", quoted(name), columns.join(",\n  "));
        if !with.is_empty() {
            text += &format!(" WITH {}", with.join("\n  AND "));
        }
        text += ";\n";
        for (index, of) in &self.indexes {
            let create = of.as_ref().map(|column| {
                format!(
                    "CREATE INDEX {} ON {} ({});\n",
                    quoted(index),
                    quoted(name),
                    quoted(column)
                )
            });
            match (&create, of) {
                (Ok(create), _) if reads(&format!("{types}{text}{create}"), limits) => text += create,
                (_, Ok(of)) | (_, Err(of)) => left_out(format!("index {index} on {name} ({of})")),
            }
        }
        text
    }
}

/// Whether the text makes tables that can be exercised.
fn reads(text: &str, limits: &LimitsOf<'_>) -> bool {
    ddl::read(text, 0, limits).is_ok()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The fields of a row, missing ones empty.
fn fields<const N: usize>(row: Vec<String>) -> [String; N] {
    let mut row = row.into_iter();
    std::array::from_fn(|_| row.next().unwrap_or_default())
}

/// The texts of a list as it is shown: `['a','it''s']`.
fn listed(shown: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut chars = shown.chars().peekable();
    let mut text: Option<String> = None;
    while let Some(c) = chars.next() {
        match (&mut text, c) {
            (Some(inner), '\'') if chars.peek() == Some(&'\'') => {
                chars.next();
                inner.push('\'');
            }
            (Some(_), '\'') => out.extend(text.take()),
            (Some(inner), c) => inner.push(c),
            (None, '\'') => text = Some(String::new()),
            (None, _) => {}
        }
    }
    out
}

/// The column of an index, from its options `{'target':'v','class_name':'sai'}`; `Err`: it is an index of something else.
fn indexed(options: &str) -> Result<String, String> {
    let all = listed(options);
    let pairs = all.chunks_exact(2);
    let target = pairs
        .clone()
        .find(|pair| pair[0] == "target")
        .map(|pair| pair[1].clone());
    let target = target.ok_or_else(|| "of nothing that it names".to_owned())?;
    let more = pairs.filter(|pair| !matches!(pair[0].as_str(), "target" | "class_name"));
    if let Some(pair) = more.into_iter().next() {
        return Err(format!("{target}, {} = {}", pair[0], pair[1]));
    }
    // values(c), keys(c), entries(c), full(c): of a column that is indexed, all are made. A name that is not plain stands in quotes.
    let inside = ["values(", "keys(", "entries(", "full("]
        .iter()
        .find_map(|of| target.strip_prefix(of)?.strip_suffix(')'));
    let name = inside.unwrap_or(&target);
    let plain = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match plain {
        Some(name) => Ok(name.replace("\"\"", "\"")),
        None if name.contains('(') => Err(target),
        None => Ok(name.to_owned()),
    }
}
