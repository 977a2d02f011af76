//! A configuration of Apache Cassandra Harry, read key by key: what has a counterpart becomes a setting, what has none is
//! named with its line, what Harry does not know is refused.
//!
//! The keys are those of its last stand-alone version (0.0.2). The draws are ours: the same file gives the same kind of
//! load, not the same values.
//!
//! Invariants:
//! * J1 no key of the file is passed over in silence: it is a setting, a remark or a mistake.
//! * J2 every mistake of the file is told at once, by line.

mod runner;
#[cfg(test)]
mod tests;
mod yaml;

use super::mistake::{Mistake, unknown_key};
use super::{Seed, Settings};
use std::collections::BTreeMap;
use toml::{Table, Value as Toml};
use yaml::{Entry, Node, Value};

/// What a file became.
#[derive(Debug, Clone, PartialEq)]
pub struct Harry {
    /// What has a counterpart.
    pub settings: Settings,
    /// What has none, or another meaning: `conf.yaml, line 7: …`.
    pub remarks: Vec<String>,
}

/// Reads a file; `name` is what mistakes and remarks call it.
pub fn read(text: &str, name: &str) -> Result<Harry, Vec<Mistake>> {
    let root = yaml::read(text, name).map_err(|mistake| vec![mistake])?;
    let mut reading = Reading {
        name,
        settings: Settings::default(),
        remarks: Vec::new(),
        mistakes: Vec::new(),
        reads: Vec::new(),
        operations: 1,
    };
    reading.file(&root);
    if !reading.mistakes.is_empty() {
        reading.mistakes.sort_by_key(|(line, _)| *line);
        return Err(reading.mistakes.into_iter().map(|(_, m)| m).collect());
    }
    reading.remarks.sort_by_key(|(line, _)| *line);
    let remark = |(line, words): (usize, String)| format!("{name}, line {line}: {words}");
    Ok(Harry {
        settings: reading.settings,
        remarks: reading.remarks.into_iter().map(remark).collect(),
    })
}

/// One file being read.
struct Reading<'n> {
    name: &'n str,
    settings: Settings,
    remarks: Vec<(usize, String)>,
    mistakes: Vec<(usize, Mistake)>,
    /// Partitions that are read in a round of the visitors, by what they are.
    reads: Vec<(&'static str, u32)>,
    /// Operations of a visit that writes.
    operations: u16,
}

/// What a value is made into, with what it must be.
type Parse<T> = fn(&str) -> Option<T>;

/// Kinds of operation with their counterparts; those with statics are two operations here.
const KINDS: [(&str, &[&str]); 10] = [
    ("INSERT", &["upsert"]),
    ("UPDATE", &["update-some"]),
    ("INSERT_WITH_STATICS", &["upsert", "shared"]),
    ("UPDATE_WITH_STATICS", &["update-some", "shared"]),
    ("DELETE_ROW", &["delete-row"]),
    ("DELETE_COLUMN", &["delete-cells"]),
    ("DELETE_COLUMN_WITH_STATICS", &["delete-cells"]),
    ("DELETE_PARTITION", &["delete-partition"]),
    ("DELETE_RANGE", &["delete-range"]),
    ("DELETE_SLICE", &["delete-slice"]),
];

impl Reading<'_> {
    fn mistake(&mut self, line: usize, what: String) {
        let place = format!("{}, line {line}", self.name);
        self.mistakes.push((line, Mistake { place, what }));
    }

    fn remark(&mut self, line: usize, words: impl Into<String>) {
        self.remarks.push((line, words.into()));
    }

    /// The entries of a map; a mistake where it is something else. Nothing is an empty map.
    fn map<'a>(&mut self, node: &'a Node, what: &str) -> &'a [Entry] {
        match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            _ => {
                self.mistake(node.line, format!("`{what}` holds keys of its own"));
                &[]
            }
        }
    }

    /// The one entry of a map that says which of several things it is: `concurrent: {…}`.
    fn choice<'a>(&mut self, node: &'a Node, what: &str, known: &[&str]) -> Option<&'a Entry> {
        match self.map(node, what) {
            [entry] if known.contains(&entry.key.as_str()) => Some(entry),
            [entry] => {
                let mut what = unknown_key(&entry.key, known.iter().copied());
                if known.len() <= CHOICES_LISTED && !what.ends_with(')') {
                    what += &format!(": one of {}", known.join(", "));
                }
                self.mistake(entry.line, what);
                None
            }
            _ => {
                self.mistake(
                    node.line,
                    format!("`{what}` is exactly one of {}", known.join(", ")),
                );
                None
            }
        }
    }

    fn scalar<T>(&mut self, entry: &Entry, expected: &str, parse: Parse<T>) -> Option<T> {
        let text = match &entry.node.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        };
        let parsed = text.and_then(|text| parse(text));
        if parsed.is_none() {
            let is = text.map_or_else(|| "no single value".to_owned(), |text| format!("{text:?}"));
            self.mistake(
                entry.node.line,
                format!("`{}` is {is}, expected {expected}", entry.key),
            );
        }
        parsed
    }

    fn number<T: std::str::FromStr>(&mut self, entry: &Entry) -> Option<T> {
        self.scalar(entry, "a whole number", |text| text.parse().ok())
    }

    fn yes(&mut self, entry: &Entry) -> Option<bool> {
        self.scalar(entry, "true or false", |text| text.parse().ok())
    }

    fn unknown(&mut self, entry: &Entry, known: &[&str]) {
        let what = unknown_key(&entry.key, known.iter().copied());
        self.mistake(entry.line, what);
    }

    /// Sets a key of the workload: `values.null-in-256` is a path.
    fn workload(&mut self, path: &[&str], value: impl Into<Toml>) {
        let (last, tables) = path.split_last().expect("a path has a key");
        let mut table = &mut self.settings.workload;
        for name in tables {
            let entry = table.entry(*name).or_insert_with(|| Toml::Table(Table::new()));
            table = entry.as_table_mut().expect("only tables are on the way");
        }
        table.insert((*last).to_owned(), value.into());
    }

    fn file(&mut self, root: &Node) {
        const KNOWN: [&str; 14] = [
            "seed",
            "schema_provider",
            "create_schema",
            "drop_schema",
            "create_keyspace",
            "keyspace_ddl",
            "truncate_schema",
            "truncate_table",
            "clock",
            "system_under_test",
            "data_tracker",
            "partition_descriptor_selector",
            "clustering_descriptor_selector",
            "runner",
        ];
        for entry in self.map(root, "the file") {
            match entry.key.as_str() {
                "seed" => {
                    let seed = self.number::<i64>(entry);
                    self.settings.seed = seed.map(|n| Seed(n.cast_unsigned()));
                }
                "schema_provider" => self.schema_provider(entry),
                "create_schema" => {
                    if self.yes(entry) == Some(false) {
                        self.remark(entry.line, "create_schema: a run makes its own tables always");
                    }
                }
                "drop_schema" => {
                    if self.yes(entry) == Some(false) {
                        self.settings.keep = Some(true);
                    }
                }
                "create_keyspace" | "keyspace_ddl" | "truncate_schema" | "truncate_table" => {
                    self.remark(
                        entry.line,
                        format!("{}: no counterpart: a run makes its own tables, empty, under a prefix of its own", entry.key),
                    );
                }
                "clock" => {
                    let known = ["approximate_monotonic", "debug_approximate_monotonic", "offset"];
                    if let Some(which) = self.choice(&entry.node, "clock", &known) {
                        let words = format!(
                            "clock {}: no counterpart: timestamps follow the visit's number (workload.lww.clock)",
                            which.key
                        );
                        self.remark(entry.line, words);
                    }
                }
                "system_under_test" => self.system(entry),
                "data_tracker" => self.tracker(entry),
                "partition_descriptor_selector" => self.partitions(entry),
                "clustering_descriptor_selector" => self.rows(entry),
                "runner" => self.runner(entry),
                "metric_reporter" => {
                    self.choice(&entry.node, "metric_reporter", &["no_op"]);
                }
                _ => self.unknown(entry, &[&KNOWN[..], &["metric_reporter"]].concat()),
            }
        }
        self.visits();
    }

    /// The kinds of visits: those that write, and where the runner has validators, those that read.
    fn visits(&mut self) {
        let kind = |name: &str, weight: u32, partitions: u16, writes: u16, reads: u16| {
            let mut kind = Table::new();
            kind.insert("name".to_owned(), name.into());
            kind.insert("weight".to_owned(), i64::from(weight).into());
            for (key, n) in [("partitions", partitions), ("writes", writes), ("reads", reads)] {
                kind.insert(key.to_owned(), i64::from(n).into());
            }
            kind.insert("autocommit".to_owned(), (writes + reads == 1).into());
            Toml::Table(kind)
        };
        let mut kinds = vec![kind("mutate", 1, 1, self.operations, 0)];
        let read: u32 = self.reads.iter().map(|(_, n)| n).sum();
        if read > 0 {
            kinds.push(kind("validate", read.min(READS_MAX), 0, 0, 1));
        }
        self.workload(&["visits"], kinds);
    }

    fn schema_provider(&mut self, entry: &Entry) {
        match self.choice(&entry.node, "schema_provider", &["default", "fixed", "parsing"]) {
            Some(which) if which.key == "fixed" => self.fixed_schema(which),
            Some(which) if which.key == "parsing" => {
                let words = "schema_provider parsing: no counterpart: give the tables as DDL with --schema";
                self.remark(which.line, words);
            }
            Some(which) => self.remark(
                which.line,
                "schema_provider default: the tables are drawn from the seed by our own draw",
            ),
            None => {}
        }
    }

    fn fixed_schema(&mut self, which: &Entry) {
        const KNOWN: [&str; 6] = [
            "keyspace",
            "table",
            "partition_keys",
            "clustering_keys",
            "regular_columns",
            "static_columns",
        ];
        let mut name = "t".to_owned();
        let mut columns: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
        for entry in self.map(&which.node, "fixed") {
            match entry.key.as_str() {
                "keyspace" => self.remark(
                    entry.line,
                    "keyspace: no counterpart: names begin with the run's prefix",
                ),
                "table" => {
                    if let Some(given) = self.scalar(entry, "a name", |text| Some(text.to_owned())) {
                        name = given;
                    }
                }
                "static_keys" => {
                    let what = "unknown key `static_keys` (did you mean `static_columns`?): Harry takes it and makes no statics";
                    self.mistake(entry.line, what.to_owned());
                }
                key @ ("partition_keys" | "clustering_keys" | "regular_columns" | "static_columns") => {
                    let list = self.columns(entry);
                    let key = KNOWN.iter().copied().find(|k| *k == key).expect("one of them");
                    columns.insert(key, list);
                }
                _ => self.unknown(entry, &KNOWN),
            }
        }
        let of = |key: &str| columns.get(key).cloned().unwrap_or_default();
        let (partition, clustering) = (of("partition_keys"), of("clustering_keys"));
        if partition.is_empty() {
            return self.mistake(which.line, "a table needs partition_keys".to_owned());
        }
        self.settings.schema_text = Some((
            self.name.to_owned(),
            ddl(
                &name,
                &partition,
                &clustering,
                &of("regular_columns"),
                &of("static_columns"),
            ),
        ));
    }

    /// Names and types, as `name: type`; `desc(type)` is a direction.
    fn columns(&mut self, entry: &Entry) -> Vec<(String, String)> {
        const TYPES: [&str; 8] = [
            "tinyint", "smallint", "int", "bigint", "float", "double", "ascii", "text",
        ];
        let mut columns = Vec::new();
        for column in self.map(&entry.node, &entry.key) {
            let Some(ty) = self.scalar(column, "a type", |text| Some(text.to_owned())) else {
                continue;
            };
            let plain = ty
                .strip_prefix("desc(")
                .and_then(|t| t.strip_suffix(')'))
                .unwrap_or(&ty);
            if TYPES.contains(&plain) {
                columns.push((column.key.clone(), ty));
            } else {
                let what = format!(
                    "`{}` is of type {ty:?}, expected one of {}",
                    column.key,
                    TYPES.join(", ")
                );
                self.mistake(column.node.line, what);
            }
        }
        columns
    }

    fn system(&mut self, entry: &Entry) {
        let known = ["in_jvm", "mixed_in_jvm", "external", "println", "no_op"];
        let Some(which) = self.choice(&entry.node, "system_under_test", &known) else {
            return;
        };
        if which.key != "external" {
            let words = format!(
                "system_under_test {}: no counterpart: name the database as TARGET, such as cassandra:local",
                which.key
            );
            return self.remark(which.line, words);
        }
        const KNOWN: [&str; 5] = [
            "contact_points",
            "port",
            "username",
            "password",
            "consistency_level",
        ];
        let (mut host, mut port, mut user, mut password) = (None, None, None, None);
        let word: Parse<String> = |text| Some(text.to_owned());
        for entry in self.map(&which.node, "external") {
            match entry.key.as_str() {
                "contact_points" => host = self.scalar(entry, "a host", word),
                "port" => port = self.number::<u16>(entry),
                "username" => user = self.scalar(entry, "a name", word),
                "password" => password = self.scalar(entry, "a password", word),
                "consistency_level" => self.remark(
                    entry.line,
                    "consistency_level: no counterpart: levels are drawn per visit (workload.lww)",
                ),
                _ => self.unknown(entry, &KNOWN),
            }
        }
        let Some(host) = host else {
            return self.mistake(which.line, "`external` needs contact_points".to_owned());
        };
        let who = match (user, password) {
            (Some(user), Some(password)) => format!("{}:{}@", escaped(&user), escaped(&password)),
            (Some(user), None) => format!("{}@", escaped(&user)),
            (None, _) => String::new(),
        };
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        self.settings.target = Some(format!("cassandra://{who}{host}{port}"));
    }

    fn tracker(&mut self, entry: &Entry) {
        let Some(which) = self.choice(&entry.node, "data_tracker", &["no_op", "default", "locking"]) else {
            return;
        };
        for key in self.map(&which.node, &which.key) {
            match key.key.as_str() {
                "max_seen_lts" | "max_complete_lts" | "reorder_buffer" => {
                    let words = format!(
                        "{}: no counterpart: what became of each visit is in the run's folder",
                        key.key
                    );
                    self.remark(key.line, words);
                }
                _ => self.unknown(key, &["max_seen_lts", "max_complete_lts", "reorder_buffer"]),
            }
        }
        let words = match which.key.as_str() {
            "no_op" => "data_tracker no_op: no counterpart: what became of each visit is always recorded",
            "locking" => {
                "data_tracker locking: readers need no lock here; --exclusion=true keeps writers apart under --discipline lww"
            }
            _ => return,
        };
        self.remark(which.line, words);
    }

    fn partitions(&mut self, entry: &Entry) {
        let Some(which) = self.choice(&entry.node, &entry.key, &["default", "always_same"]) else {
            return;
        };
        const KNOWN: [&str; 6] = [
            "window_size",
            "slide_after_repeats",
            "runner_index",
            "total_runners",
            "position_offset",
            "position_window_size",
        ];
        let (mut width, mut repeats, mut index, mut total) = (10, 100, None, None);
        for key in self.map(&which.node, &which.key) {
            match key.key.as_str() {
                "pd" if which.key == "always_same" => {
                    self.remark(
                        key.line,
                        "pd: always the same partition, but not of this number: the first of the table",
                    );
                }
                "window_size" => width = self.number::<u32>(key).unwrap_or(width),
                "slide_after_repeats" => repeats = self.number::<u32>(key).unwrap_or(repeats),
                "runner_index" => index = self.number::<u16>(key),
                "total_runners" => total = self.number::<u16>(key),
                "position_offset" | "position_window_size" => {
                    self.remark(key.line, format!("{}: no counterpart", key.key));
                }
                _ => self.unknown(key, &KNOWN),
            }
        }
        if let (Some(index), Some(total)) = (index, total)
            && total > 1
        {
            let words = format!(
                "runner {index} of {total}: several generators on one data set have no counterpart yet"
            );
            self.remark(which.line, words);
        }
        for table in ["wide", "narrow"] {
            if which.key == "always_same" {
                self.workload(
                    &[table],
                    choice("list", &[("positions", Toml::Array(vec![0.into()]))]),
                );
            } else {
                let keys = [
                    ("width", i64::from(width).into()),
                    ("repeats", i64::from(repeats).into()),
                ];
                self.workload(&[table], choice("window", &keys));
            }
        }
    }

    fn rows(&mut self, entry: &Entry) {
        let Some(which) = self.choice(&entry.node, &entry.key, &["default"]) else {
            return;
        };
        const KNOWN: [&str; 5] = [
            "operations_per_lts",
            "max_partition_size",
            "window_size",
            "operation_kind_weights",
            "column_mask_bitsets",
        ];
        for key in self.map(&which.node, &which.key) {
            match key.key.as_str() {
                "max_partition_size" | "window_size" => {
                    if let Some(rows) = self.number::<u32>(key) {
                        self.workload(&["rows", "per-partition"], i64::from(rows));
                    }
                }
                "operations_per_lts" => self.operations(key),
                "operation_kind_weights" => self.weights(key),
                "column_mask_bitsets" => self.remark(
                    key.line,
                    "column_mask_bitsets: no counterpart: columns are drawn per operation",
                ),
                _ => self.unknown(key, &KNOWN),
            }
        }
    }

    fn operations(&mut self, entry: &Entry) {
        let mut kind = None;
        for key in self.map(&entry.node, &entry.key) {
            match key.key.as_str() {
                "type" => {
                    kind = self.scalar(key, "identity, normal, constant or scaled", |t| {
                        Some(t.to_owned())
                    })
                }
                "constant" => {
                    if let Some(n) = self.scalar(key, "a number from 1 to 64", |t| {
                        t.parse().ok().filter(|n| (1..=64).contains(n))
                    }) {
                        self.operations = n;
                    }
                }
                "min" | "max" => self.remark(
                    key.line,
                    format!(
                        "{}: no counterpart: a visit has a fixed number of operations",
                        key.key
                    ),
                ),
                _ => self.unknown(key, &["type", "constant", "min", "max"]),
            }
        }
        if let Some(kind) = kind.filter(|kind| kind != "constant") {
            let words = format!(
                "operations_per_lts {kind}: no counterpart: every visit that writes has {} operation",
                self.operations
            );
            self.remark(entry.line, words);
        }
    }

    fn weights(&mut self, entry: &Entry) {
        let mut weights: BTreeMap<&str, u32> = BTreeMap::new();
        let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        for key in self.map(&entry.node, &entry.key) {
            let Some((name, ours)) = KINDS.iter().find(|(name, _)| *name == key.key) else {
                self.unknown(key, &names);
                continue;
            };
            let Some(weight) = self.number::<u32>(key) else {
                continue;
            };
            for kind in *ours {
                *weights.entry(kind).or_default() += weight;
            }
            if ours.len() > 1 || name.ends_with("STATICS") {
                self.remark(
                    key.line,
                    format!(
                        "{name}: row and shared cells are operations of their own here: {}",
                        ours.join(" and ")
                    ),
                );
            }
        }
        let all = [
            "insert",
            "upsert",
            "update-all",
            "update-some",
            "shared",
            "delete-row",
            "delete-cells",
            "delete-range",
            "delete-slice",
            "delete-partition",
        ];
        for kind in all {
            self.workload(
                &["writes", kind],
                i64::from(weights.get(kind).copied().unwrap_or(0)),
            );
        }
    }
}

/// Choices that are listed in a message, where none of them is near.
const CHOICES_LISTED: usize = 8;
/// Reads of a round at most that weigh against one write.
const READS_MAX: u32 = 1000;

/// `{ name = { key = value, … } }`
fn choice(name: &str, keys: &[(&str, Toml)]) -> Toml {
    let inner: Table = keys.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    Toml::Table(Table::from_iter([(name.to_owned(), Toml::Table(inner))]))
}

/// A part of a URL.
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// The table as Cassandra would be told it.
fn ddl(
    name: &str,
    partition: &[(String, String)],
    clustering: &[(String, String)],
    regular: &[(String, String)],
    shared: &[(String, String)],
) -> String {
    let plain = |ty: &str| ty.trim_start_matches("desc(").trim_end_matches(')').to_owned();
    let mut columns: Vec<String> = Vec::new();
    for (list, suffix) in [
        (partition, ""),
        (clustering, ""),
        (regular, ""),
        (shared, " STATIC"),
    ] {
        columns.extend(
            list.iter()
                .map(|(name, ty)| format!("{name} {}{suffix}", plain(ty))),
        );
    }
    let names =
        |list: &[(String, String)]| list.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>().join(", ");
    let key = if clustering.is_empty() {
        format!("(({}))", names(partition))
    } else {
        format!("(({}), {})", names(partition), names(clustering))
    };
    columns.push(format!("PRIMARY KEY {key}"));
    let directions: Vec<String> = clustering
        .iter()
        .map(|(name, ty)| format!("{name} {}", if ty.starts_with("desc(") { "DESC" } else { "ASC" }))
        .collect();
    let order = if clustering.is_empty() {
        String::new()
    } else {
        format!(" WITH CLUSTERING ORDER BY ({})", directions.join(", "))
    };
    format!("CREATE TABLE {name} ({}){order};", columns.join(", "))
}
