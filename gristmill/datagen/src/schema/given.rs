//! A schema somebody wrote down, before the targets have said what they can keep.
//!
//! `toml` and `ddl` read text into [`GivenTable`]s; [`resolve`] gives each column its limits and makes
//! the schema. Every mistake is reported, not only the first.

use std::collections::BTreeMap;

use super::{Column, ColumnId, Definition, Index, KeyColumn, Schema, SchemaError, SizeClass};
use crate::domain::{Domain, KEY_BYTES_MAX, Limits};
use crate::stream::{Stream, draw};
use crate::value::{Order, Type};

/// What the targets of a plan can keep of a type; `None` where one of them does not offer it.
pub type LimitsOf<'a> = dyn Fn(Type) -> Option<Limits> + 'a;

/// Rows of a partition where nothing else is said.
const ROWS_MAX: u64 = 4096;

/// A mistake in a given schema: what is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    /// The text is none of its language.
    #[error("{0}")]
    Syntax(String),
    /// A column's text that is not `NAME TYPE`.
    #[error("table `{table}`: `{text}` is no column: write NAME TYPE, then `not null` or, in a key, `desc`")]
    Column {
        /// The table.
        table: String,
        /// What stands there.
        text: String,
    },
    /// A type that is none.
    #[error("table `{table}`: column `{column}`: {why}")]
    Type {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        why: String,
    },
    /// A type that a target lacks.
    #[error("table `{table}`: column `{column}`: the target does not offer {ty}; use another type")]
    NotOffered {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The type.
        ty: Type,
    },
    /// An index on a name that is no regular column.
    #[error("table `{table}`: an index names `{column}`, which is no regular column of it")]
    IndexColumn {
        /// The table.
        table: String,
        /// The name.
        column: String,
    },
    /// A statement that makes no table.
    #[error("{0} is not supported: leave CREATE TABLE and CREATE INDEX only")]
    Statement(String),
    /// What is understood and not supported.
    #[error("table `{table}`: {what} is not supported: {remedy}")]
    Refused {
        /// The table.
        table: String,
        /// What it is, by name.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The tables make no schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// A table as somebody wrote it down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GivenTable {
    pub(super) name: String,
    pub(super) partition: Vec<(GivenColumn, Order)>,
    pub(super) clustering: Vec<(GivenColumn, Order)>,
    pub(super) regular: Vec<GivenColumn>,
    pub(super) shared: Vec<GivenColumn>,
    /// Columns by name.
    pub(super) indexes: Vec<Vec<String>>,
    /// How many partitions; `None`: a wide table.
    pub(super) partitions: Option<u32>,
    pub(super) rows: Option<u64>,
    /// Of CQL, as text.
    pub(super) options: Vec<String>,
}

/// A column as somebody wrote it down, with bounds of its own where the type has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenColumn {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) nullable: bool,
    pub(super) length_max: Option<u32>,
    pub(super) subsecond_digits: Option<u8>,
}

/// Gives columns their limits, and makes the schema.
pub(super) fn resolve(
    given: Vec<GivenTable>,
    seed: u64,
    limits: &LimitsOf<'_>,
) -> Result<Schema, Vec<GivenError>> {
    let mut errors = Vec::new();
    let tables = (0..)
        .zip(&given)
        .map(|(number, table)| definition(number, table, seed, limits, &mut errors));
    let tables: Vec<Definition> = tables.collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    Schema::new(tables).map_err(|error| vec![error.into()])
}

fn definition(
    number: u64,
    given: &GivenTable,
    seed: u64,
    limits: &LimitsOf<'_>,
    errors: &mut Vec<GivenError>,
) -> Definition {
    let mut ids = (0..).map(ColumnId);
    // Both keys together are the primary key of a table that is kept as one.
    let key_columns = given.partition.len() + given.clustering.len();
    let mut key = |columns: &[(GivenColumn, Order)], errors: &mut Vec<GivenError>| -> Vec<KeyColumn> {
        let share = Some(key_bytes(key_columns));
        let made = columns.iter().map(|(column, order)| {
            let column = resolved(&given.name, column, share, &mut ids, limits, errors);
            KeyColumn {
                column: Column {
                    nullable: false,
                    ..column
                },
                order: *order,
            }
        });
        made.collect()
    };
    let (partition, clustering) = (key(&given.partition, errors), key(&given.clustering, errors));
    let widest_index = given.indexes.iter().map(Vec::len).max().unwrap_or(1);
    let mut cells = |columns: &[GivenColumn], errors: &mut Vec<GivenError>| -> Vec<Column> {
        let made = columns.iter().map(|column| {
            let indexed = given.indexes.iter().flatten().any(|name| *name == column.name);
            let share = indexed.then(|| key_bytes(widest_index));
            resolved(&given.name, column, share, &mut ids, limits, errors)
        });
        made.collect()
    };
    let (regular, shared) = (cells(&given.regular, errors), cells(&given.shared, errors));
    let by_name: BTreeMap<&str, ColumnId> = regular
        .iter()
        .map(|column| (column.name.as_str(), column.id))
        .collect();
    let mut indexes = Vec::new();
    for (columns, n) in given.indexes.iter().zip(1..) {
        let found = columns
            .iter()
            .filter_map(|name| match by_name.get(name.as_str()) {
                Some(id) => Some(*id),
                None => {
                    errors.push(GivenError::IndexColumn {
                        table: given.name.clone(),
                        column: name.clone(),
                    });
                    None
                }
            });
        indexes.push(Index {
            name: format!("i{n}"),
            columns: found.collect(),
            unique: false,
        });
    }
    for option in &given.options {
        if let Some((what, remedy)) = super::option_refusal(option) {
            let table = given.name.clone();
            errors.push(SchemaError::TableOption { table, what, remedy }.into());
        }
    }
    Definition {
        name: given.name.clone(),
        size: given
            .partitions
            .map_or(SizeClass::Wide, |partitions| SizeClass::Narrow { partitions }),
        rows_max: given.rows.unwrap_or(ROWS_MAX),
        key_seed: key_seed(seed, number),
        partition,
        clustering,
        regular,
        shared,
        indexes,
        options: given.options.clone(),
    }
}

/// The bytes that each of so many columns of a key may have.
pub(super) fn key_bytes(columns: usize) -> u32 {
    KEY_BYTES_MAX / u32::try_from(columns.max(1)).expect("a text has fewer than 2^32 columns")
}

/// Plans write integers as signed ones.
pub(super) fn key_seed(seed: u64, table: u64) -> u64 {
    draw(seed, Stream::Schema, &[u64::MAX, table]) >> 1
}

fn resolved(
    table: &str,
    given: &GivenColumn,
    key_share: Option<u32>,
    ids: &mut impl Iterator<Item = ColumnId>,
    limits: &LimitsOf<'_>,
    errors: &mut Vec<GivenError>,
) -> Column {
    let mut own = limits(given.ty).unwrap_or_else(|| {
        errors.push(GivenError::NotOffered {
            table: table.to_owned(),
            column: given.name.clone(),
            ty: given.ty,
        });
        Limits::default()
    });
    own.text_bytes_max = own.text_bytes_max.min(given.length_max.unwrap_or(u32::MAX));
    own.bytes_max = own.bytes_max.min(given.length_max.unwrap_or(u32::MAX));
    own.subsecond_digits = own.subsecond_digits.min(given.subsecond_digits.unwrap_or(6));
    if let Some(share) = key_share {
        own = own.for_key(share);
    }
    if let Err(source) = Domain::new(given.ty, own.clone()) {
        let (table, column) = (table.to_owned(), given.name.clone());
        errors.push(
            SchemaError::Domain {
                table,
                column,
                source,
            }
            .into(),
        );
    }
    Column {
        id: ids.next().unwrap_or(ColumnId(u16::MAX)),
        name: given.name.clone(),
        ty: given.ty,
        nullable: given.nullable,
        limits: own,
    }
}
