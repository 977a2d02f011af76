//! Tables, their keys, columns and types.
//!
//! What a plan stores is plain data: each column's type and the limits it was resolved with (for two
//! targets, what both can keep), each key's seed and size. Domains and key universes are functions of
//! that data, made once when a [`Schema`] is.
//!
//! ```text
//!  table ── partition key ─▶ partitions: Universe      which partition
//!        ── clustering key ─▶ rows: Universe            which row of it (none: exactly one)
//!        ── regular columns ─▶ Domain each              a cell of a row
//!        ── shared columns ─▶ Domain each               one cell a partition
//! ```
//!
//! This module must not know SQL or targets (`ddl` reads SQL text, and that is all it knows of it).
//! Invariants of a [`Schema`], checked when it is made:
//!
//! 1. Names of tables, and names and ids of columns within a table, are given once.
//! 2. Columns of keys and indexes have domains in which equal means identical.
//! 3. Key columns are never NULL; a key has at most 16 columns.
//! 4. A narrow table has as many partitions as its size class says.
//! 5. Where one column that is no key is a counter, all are.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{Domain, DomainError, Limits};
use crate::universe::{Universe, UniverseError};
use crate::value::{Kind, Order, Type};

/// A column of a table: unique in its table over key, regular and shared columns, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ColumnId(pub u16);

/// A column and what its targets can keep in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its number.
    pub id: ColumnId,
    /// Its name, without quotes.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Whether it may be NULL; never in a key. A column that may not is part of every insert.
    pub nullable: bool,
    /// What the targets of the plan can keep of its type.
    pub limits: Limits,
}

/// A column of a key and its direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyColumn {
    /// The column.
    pub column: Column,
    /// Its direction in the key. Of a partition key it says nothing but which position is which.
    #[serde(default)]
    pub order: Order,
}

/// An index on regular columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Its name, unique in its table.
    pub name: String,
    /// The indexed columns, in order.
    pub columns: Vec<ColumnId>,
    /// Always false for now: uniqueness of regular columns is not modelled.
    #[serde(default)]
    pub unique: bool,
}

/// How many partitions a table has, and so what may be asked of it as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum SizeClass {
    /// Few partitions, which stay in memory: reads of the whole table are possible.
    Narrow {
        /// How many; making the schema sets it to what the key's columns have.
        partitions: u32,
    },
    /// As many as there are keys, up to 2^32: reads name their partitions.
    #[default]
    Wide,
}

/// A table as plain data: what a plan stores, and what a test writes down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name, without prefix and quotes.
    pub name: String,
    /// How many partitions it has.
    pub size: SizeClass,
    /// How many rows a partition can have, about; see [`Universe::new`].
    pub rows_max: u64,
    /// Which values its keys take; below 2^63, because plans write it as a signed number.
    pub key_seed: u64,
    /// The columns that say which partition; at least one.
    pub partition: Vec<KeyColumn>,
    /// The columns that say which row of a partition; none: a partition has one row.
    #[serde(default)]
    pub clustering: Vec<KeyColumn>,
    /// The columns of a row.
    #[serde(default)]
    pub regular: Vec<Column>,
    /// The columns that all rows of a partition share.
    #[serde(default)]
    pub shared: Vec<Column>,
    /// Indexes on regular columns.
    #[serde(default)]
    pub indexes: Vec<Index>,
    /// What stands behind WITH where CQL makes the table: `compaction = {…}`, one text each; other databases know nothing of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// The most partitions that a narrow table may be asked to have.
const NARROW_PARTITIONS: u64 = 1 << 30;

/// The most partitions of a wide table.
const WIDE_PARTITIONS: u64 = 1 << 32;

/// Where a column stands in its table, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the partition key.
    Partition(usize),
    /// In the clustering key.
    Clustering(usize),
    /// Among the regular columns.
    Regular(usize),
    /// Among the shared columns.
    Shared(usize),
}

/// Why tables make no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A schema of nothing.
    #[error("the schema has no table: give at least one")]
    NoTable,
    /// More tables than their numbers can count.
    #[error("{0} tables: at most 65535 are supported")]
    Tables(usize),
    /// Two tables of one name.
    #[error("table `{0}` is defined twice")]
    TableTwice(String),
    /// A name that is empty or too long.
    #[error("table `{table}`: `{name}` is no name: use 1 to 40 characters")]
    Name {
        /// The table.
        table: String,
        /// The name.
        name: String,
    },
    /// Rows that nothing tells apart.
    #[error("table `{0}` has no key: give it at least one partition column")]
    NoKey(String),
    /// A table without rows.
    #[error("table `{0}`: rows_max = 0: a partition has at least one row")]
    NoRows(String),
    /// Two columns of one name.
    #[error("table `{table}`: column `{column}` is defined twice")]
    ColumnTwice {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Two columns of one number.
    #[error("table `{table}`: columns `{first}` and `{second}` have the same id {id}")]
    IdTwice {
        /// The table.
        table: String,
        /// The column that has it.
        first: String,
        /// The column that has it too.
        second: String,
        /// The number.
        id: u16,
    },
    /// A key column that may be NULL.
    #[error("table `{table}`: key column `{column}` may be NULL: say that it may not")]
    NullableKey {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Equal and identical differ where they must not.
    #[error("table `{table}`: column `{column}` is in a key or an index: its limits need identity = true")]
    Identity {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A type without an order where one is needed.
    #[error(
        "table `{table}`: column `{column}` is in a key or an index, and a {ty} has no order: use another column"
    )]
    NoOrder {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        ty: Type,
    },
    /// Counters beside columns that are none, or counters that cannot be NULL.
    #[error(
        "table `{table}`: column `{column}` stands beside counters: all columns of such a table but its key are counters, none NOT NULL"
    )]
    BesideCounters {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// An index on what is no regular column.
    #[error("table `{table}`: index `{index}` names column {column}, which is no regular column")]
    IndexColumn {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// The number it names.
        column: u16,
    },
    /// An index of nothing.
    #[error("table `{table}`: index `{index}` has no columns")]
    EmptyIndex {
        /// The table.
        table: String,
        /// The index.
        index: String,
    },
    /// An index that promises what we do not model.
    #[error("table `{table}`: index `{index}` is unique: only the primary key may be; leave `unique` out")]
    UniqueIndex {
        /// The table.
        table: String,
        /// The index.
        index: String,
    },
    /// An option that changes what is read.
    #[error("table `{table}`: {what} is not supported: {remedy}")]
    TableOption {
        /// The table.
        table: String,
        /// The option.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A column without values.
    #[error("table `{table}`: column `{column}`: {source}")]
    Domain {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Why.
        source: DomainError,
    },
    /// A key without positions.
    #[error("table `{table}`: {source}")]
    Universe {
        /// The table.
        table: String,
        /// Why.
        source: UniverseError,
    },
}

/// The tables of a run. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Schema {
    /// The tables; their number is their index.
    pub tables: Vec<Table>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    tables: Vec<Definition>,
}

impl TryFrom<Written> for Schema {
    type Error = SchemaError;

    fn try_from(written: Written) -> Result<Schema, SchemaError> {
        Schema::new(written.tables)
    }
}

impl From<Schema> for Written {
    fn from(schema: Schema) -> Written {
        Written {
            tables: schema
                .tables
                .iter()
                .map(|table| table.definition().clone())
                .collect(),
        }
    }
}

impl Schema {
    /// Checks the tables and makes their domains and universes.
    ///
    /// # Errors
    /// The first thing that breaks one of the module's invariants.
    pub fn new(tables: Vec<Definition>) -> Result<Schema, SchemaError> {
        match tables.len() {
            0 => return Err(SchemaError::NoTable),
            n if n > usize::from(u16::MAX) => return Err(SchemaError::Tables(n)),
            _ => {}
        }
        for (i, table) in tables.iter().enumerate() {
            if tables[..i].iter().any(|other| other.name == table.name) {
                return Err(SchemaError::TableTwice(table.name.clone()));
            }
        }
        let tables = tables.into_iter().map(Table::new).collect::<Result<_, _>>()?;
        Ok(Schema { tables })
    }

    /// The table with this number.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn table(&self, number: u16) -> &Table {
        &self.tables[usize::from(number)]
    }

    /// The number of the table with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u16> {
        (0..)
            .zip(&self.tables)
            .find(|(_, table)| table.name == name)
            .map(|(number, _)| number)
    }
}

/// A table with its domains and universes. Dereferences to its [`Definition`]; cheap to clone.
#[derive(Clone)]
pub struct Table(Arc<Resolved>);

struct Resolved {
    definition: Definition,
    partitions: Universe,
    rows: Universe,
    columns: Vec<(Place, Domain)>,
    /// By the number of a column: where in `columns` it stands, [`NONE`] where there is no such column.
    numbers: Vec<u16>,
}

/// No column: there are never so many.
const NONE: u16 = u16::MAX;

impl Deref for Table {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        &self.0.definition
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.definition().fmt(f)
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.definition() == other.definition()
    }
}

impl Eq for Table {}

impl Table {
    fn new(mut definition: Definition) -> Result<Table, SchemaError> {
        check::names(&definition)?;
        check::keys(&definition)?;
        check::indexes(&definition)?;
        check::counters(&definition)?;
        check::options(&definition)?;
        let table = &definition.name;
        let mut columns = BTreeMap::new();
        for (place, column) in definition.places() {
            let domain =
                Domain::new(column.ty, column.limits.clone()).map_err(|source| SchemaError::Domain {
                    table: table.clone(),
                    column: column.name.clone(),
                    source,
                })?;
            if let Some((first, _)) = columns.insert(column.id, (place, domain)) {
                return Err(SchemaError::IdTwice {
                    table: table.clone(),
                    first: definition.at(first).name.clone(),
                    second: column.name.clone(),
                    id: column.id.0,
                });
            }
        }
        let universe = |key: &[KeyColumn], salt: u64, size| {
            let columns = key
                .iter()
                .map(|key| (columns[&key.column.id].1.clone(), key.order))
                .collect();
            Universe::new(columns, definition.key_seed.wrapping_add(salt), size).map_err(|source| {
                SchemaError::Universe {
                    table: table.clone(),
                    source,
                }
            })
        };
        let rows = universe(&definition.clustering, 1, definition.rows_max)?;
        let (partitions, size) = match definition.size {
            SizeClass::Wide => (
                universe(&definition.partition, 0, WIDE_PARTITIONS)?,
                SizeClass::Wide,
            ),
            SizeClass::Narrow { partitions: wanted } => {
                // A plan that is read again must give the same number, so ask until it is what comes.
                let mut wanted = u64::from(wanted).min(NARROW_PARTITIONS);
                let mut made = universe(&definition.partition, 0, wanted)?;
                while made.len() != wanted {
                    wanted = made.len();
                    made = universe(&definition.partition, 0, wanted)?;
                }
                let partitions = u32::try_from(wanted).expect("about 2^30 partitions at most");
                (made, SizeClass::Narrow { partitions })
            }
        };
        definition.size = size;
        let last = columns.last_key_value().map_or(0, |(id, _)| usize::from(id.0));
        let mut numbers = vec![NONE; last + 1];
        for (id, number) in columns.keys().zip(0..) {
            numbers[usize::from(id.0)] = number;
        }
        Ok(Table(Arc::new(Resolved {
            definition,
            partitions,
            rows,
            columns: columns.into_values().collect(),
            numbers,
        })))
    }

    #[inline]
    fn resolved(&self, id: ColumnId) -> &(Place, Domain) {
        let number = self.0.numbers.get(usize::from(id.0)).copied().unwrap_or(NONE);
        self.0
            .columns
            .get(usize::from(number))
            .expect("the column is one of its table")
    }

    /// The table as plain data.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.0.definition
    }

    /// The partition keys.
    #[must_use]
    pub fn partitions(&self) -> &Universe {
        &self.0.partitions
    }

    /// The clustering keys, the same in every partition; one empty key where there are no such columns.
    #[must_use]
    pub fn rows(&self) -> &Universe {
        &self.0.rows
    }

    /// The column with this number.
    ///
    /// # Panics
    /// When the table has none.
    #[must_use]
    pub fn column(&self, id: ColumnId) -> &Column {
        self.at(self.place(id))
    }

    /// The values of a column.
    ///
    /// # Panics
    /// When the table has no such column.
    #[inline]
    #[must_use]
    pub fn domain(&self, id: ColumnId) -> &Domain {
        &self.resolved(id).1
    }

    /// Where a column stands.
    ///
    /// # Panics
    /// When the table has no such column.
    #[must_use]
    pub fn place(&self, id: ColumnId) -> Place {
        self.resolved(id).0
    }
}

impl Definition {
    /// All columns: partition key, clustering key, regular, shared.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.places().map(|(_, column)| column)
    }

    /// Whether its columns, but for its key, are counters: writes add to them, and nothing else is done to them.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.cells().any(|column| column.ty == Type::Counter)
    }

    /// How many seconds something lives in it that is written without a time to live; `None`: for ever. It is what CQL calls
    /// `default_time_to_live`; a database that knows no options of tables knows nothing of it.
    #[must_use]
    pub fn time_to_live(&self) -> Option<u32> {
        self.options.iter().find_map(|option| check::time_to_live(option))
    }

    /// Whether some column is a list whose elements are cells of their own. Nothing in such a table expires.
    #[must_use]
    pub fn has_lists(&self) -> bool {
        let listed = |ty: Type| ty.cells().is_some_and(|composite| composite.kind == Kind::List);
        self.cells().any(|column| listed(column.ty))
    }

    fn cells(&self) -> impl Iterator<Item = &Column> {
        self.regular.iter().chain(&self.shared)
    }

    fn places(&self) -> impl Iterator<Item = (Place, &Column)> {
        let partition = self
            .partition
            .iter()
            .enumerate()
            .map(|(i, key)| (Place::Partition(i), &key.column));
        let clustering = self
            .clustering
            .iter()
            .enumerate()
            .map(|(i, key)| (Place::Clustering(i), &key.column));
        let regular = self
            .regular
            .iter()
            .enumerate()
            .map(|(i, column)| (Place::Regular(i), column));
        let shared = self
            .shared
            .iter()
            .enumerate()
            .map(|(i, column)| (Place::Shared(i), column));
        partition.chain(clustering).chain(regular).chain(shared)
    }

    fn at(&self, place: Place) -> &Column {
        match place {
            Place::Partition(i) => &self.partition[i].column,
            Place::Clustering(i) => &self.clustering[i].column,
            Place::Regular(i) => &self.regular[i],
            Place::Shared(i) => &self.shared[i],
        }
    }
}

mod check;
pub mod ddl;
pub mod draw;
mod given;
pub mod toml;

pub use check::option_refusal;
pub use given::{GivenError, LimitsOf};

/// A schema in few words, for tests.
#[cfg(test)]
fn summary(schema: &Schema) -> String {
    use std::fmt::Write as _;

    let mut out = String::new();
    for table in &schema.tables {
        writeln!(
            out,
            "{} {:?}, {} rows",
            table.name,
            table.size,
            table.rows().len()
        )
        .unwrap();
        for column in table.columns() {
            let place = table.place(column.id);
            let null = if column.nullable { "" } else { " not null" };
            let desc = table.partition.iter().chain(&table.clustering);
            let desc = desc
                .clone()
                .any(|key| key.column.id == column.id && key.order == Order::Desc);
            let text = column.limits.text_bytes_max;
            writeln!(
                out,
                "  {place:?} {} {}{null}{} ≤{text}",
                column.name,
                column.ty,
                if desc { " desc" } else { "" }
            )
            .unwrap();
        }
        for index in &table.indexes {
            let names: Vec<&str> = index
                .columns
                .iter()
                .map(|id| table.column(*id).name.as_str())
                .collect();
            writeln!(out, "  {} on {}", index.name, names.join(", ")).unwrap();
        }
        for option in &table.options {
            writeln!(out, "  with {option}").unwrap();
        }
    }
    out
}

#[cfg(test)]
mod tests;
