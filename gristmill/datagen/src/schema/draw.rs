//! A schema from the seed.
//!
//! Every choice is a draw at an address of its own (table, place, column), so that one more column
//! somewhere changes no other. The first table is wide and has a clustering key and shared columns,
//! the second is narrow and has an index: what the workload can do is then reachable with any seed.

use serde::{Deserialize, Serialize};

use super::given::{key_bytes, key_seed};
use super::{Column, ColumnId, Definition, Index, KeyColumn, LimitsOf, Schema, SchemaError, SizeClass};
use crate::domain::{Domain, Limits};
use crate::stream::{Stream, below, chance, draw as number};
use crate::value::{Order, Type};

/// How many of something: both ends belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The fewest.
    pub min: u32,
    /// The most.
    pub max: u32,
}

const fn between(min: u32, max: u32) -> Between {
    Between { min, max }
}

/// What a drawn schema may look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchemaOptions {
    /// Tables, 1 to 100.
    pub tables: Between,
    /// Partition key columns, 1 to 16.
    pub partition: Between,
    /// Clustering columns, 0 to 16.
    pub clustering: Between,
    /// Regular columns, 1 to 200.
    pub regular: Between,
    /// Shared columns, 0 to 200.
    pub shared: Between,
    /// Indexes, 0 to 20.
    pub indexes: Between,
    /// Partitions of a narrow table.
    pub narrow_partitions: Between,
    /// Rows of a partition, about.
    pub rows: Between,
    /// Of 256 tables after the second, how many are narrow.
    pub narrow_in_256: u16,
    /// Of 256 regular or shared columns, how many may be NULL.
    pub nullable_in_256: u16,
    /// Of 256 clustering columns, how many are DESC.
    pub desc_in_256: u16,
    /// Of 256 regular or shared columns, but for the first and those of indexes, how many are composites, where the targets
    /// offer them.
    pub composites_in_256: u16,
    /// The types to draw from; those that a target does not offer fall out. Empty: all.
    pub types: Vec<Type>,
}

impl Default for SchemaOptions {
    fn default() -> SchemaOptions {
        SchemaOptions {
            tables: between(2, 3),
            partition: between(1, 3),
            clustering: between(0, 3),
            regular: between(3, 6),
            shared: between(0, 3),
            indexes: between(0, 2),
            narrow_partitions: between(4, 48),
            rows: between(200, 20_000),
            narrow_in_256: 85,
            nullable_in_256: 200,
            desc_in_256: 96,
            composites_in_256: 72,
            types: Vec::new(),
        }
    }
}

/// Why no schema can be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// A count that is impossible.
    #[error("{name} = {min} to {max} is impossible: give min <= max within {least} to {most}")]
    Count {
        /// The option.
        name: &'static str,
        /// What was given.
        min: u32,
        /// What was given.
        max: u32,
        /// The least possible.
        least: u32,
        /// The most possible.
        most: u32,
    },
    /// Nothing to draw from.
    #[error("the target offers none of the types to draw from: {0}")]
    NoType(String),
    /// What was drawn is no schema: limits without a value.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl SchemaOptions {
    /// Whether every option is possible.
    ///
    /// # Errors
    /// The first one that is not.
    pub fn check(&self) -> Result<(), DrawError> {
        let counts = [
            ("tables", self.tables, 1, 100),
            ("partition", self.partition, 1, 16),
            ("clustering", self.clustering, 0, 16),
            ("regular", self.regular, 1, 200),
            ("shared", self.shared, 0, 200),
            ("indexes", self.indexes, 0, 20),
            ("narrow_partitions", self.narrow_partitions, 1, 4096),
            ("rows", self.rows, 1, 1 << 30),
        ];
        let wrong = counts
            .into_iter()
            .find(|(_, c, least, most)| c.min > c.max || c.min < *least || c.max > *most);
        match wrong {
            Some((name, Between { min, max }, least, most)) => Err(DrawError::Count {
                name,
                min,
                max,
                least,
                most,
            }),
            None => Ok(()),
        }
    }
}

/// The schema of a seed, for targets with these limits. Pure.
///
/// # Errors
/// When an option is impossible, or the targets offer none of the types.
pub fn draw(seed: u64, options: &SchemaOptions, limits: &LimitsOf<'_>) -> Result<Schema, DrawError> {
    options.check()?;
    let wanted = if options.types.is_empty() {
        MENU.to_vec()
    } else {
        options.types.clone()
    };
    let menu: Vec<(Type, Limits)> = wanted.iter().filter_map(|ty| Some((*ty, limits(*ty)?))).collect();
    if menu.is_empty() {
        let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        return Err(DrawError::NoType(names.join(", ")));
    }
    let drawing = Drawing {
        seed,
        options,
        menu,
        limits,
    };
    let tables = drawing.count(options.tables, What::Tables, 0);
    Ok(Schema::new(
        (0..tables).map(|number| drawing.table(number)).collect(),
    )?)
}

/// What is drawn from when nothing is said.
const MENU: [Type; 19] = [
    Type::Bool,
    Type::Int8,
    Type::Int16,
    Type::Int32,
    Type::Int64,
    Type::Float32,
    Type::Float64,
    Type::Numeric {
        precision: 5,
        scale: 2,
    },
    Type::Numeric {
        precision: 18,
        scale: 6,
    },
    Type::Numeric {
        precision: 38,
        scale: 0,
    },
    Type::Text,
    Type::Text,
    Type::Ascii,
    Type::Bytes,
    Type::Uuid,
    Type::Date,
    Type::Time,
    Type::Timestamp,
    Type::TimestampTz,
];

/// What a number of [`Stream::Schema`] is drawn for, the first word of its address.
#[derive(Clone, Copy)]
#[repr(u64)]
enum What {
    Tables = 1,
    Partition,
    Clustering,
    Regular,
    Shared,
    Indexes,
    IndexWidth,
    IndexColumn,
    Narrow,
    NarrowPartitions,
    Rows,
    Nullable,
    Desc,
    Composite,
    CompositeKind,
    CompositePart,
    Inside,
}

/// Composites, as often as they stand here; each letter is a scalar.
const KINDS: &[&str] = &[
    "set<A>",
    "set<A>",
    "map<A,B>",
    "map<A,B>",
    "udt<a:A,b:B>",
    "udt<a:A,b:B,c:C>",
    "frozen<set<A>>",
    "frozen<map<A,B>>",
    "frozen<list<A>>",
    "frozen<udt<a:A,b:B>>",
    "list<A>",
    "tuple<A,B,C>",
];

/// Those of keys.
const KEY_KINDS: &[&str] = &[
    "frozen<set<A>>",
    "frozen<map<A,B>>",
    "frozen<list<A>>",
    "frozen<udt<a:A,b:B>>",
    "tuple<A,B>",
    "tuple<A,B,C>",
    "vector<int32,3>",
];

struct Drawing<'a> {
    seed: u64,
    options: &'a SchemaOptions,
    menu: Vec<(Type, Limits)>,
    limits: &'a LimitsOf<'a>,
}

impl Drawing<'_> {
    fn number(&self, what: What, table: u64, i: u64) -> u64 {
        number(self.seed, Stream::Schema, &[what as u64, table, i])
    }

    fn count(&self, range: Between, what: What, table: u64) -> u64 {
        u64::from(range.min) + below(self.number(what, table, 0), u64::from(range.max - range.min) + 1)
    }

    fn table(&self, number: u64) -> Definition {
        let options = self.options;
        let narrow = match number {
            0 => false,
            1 => true,
            _ => chance(
                self.number(What::Narrow, number, 0),
                options.narrow_in_256.into(),
                256,
            ),
        };
        // What every run should meet, where the options allow it at all.
        let least = |range: Between, count: u64, least: u64| count.max(least.min(range.max.into()));
        let clustering = self.count(options.clustering, What::Clustering, number);
        let clustering = if number == 0 {
            least(options.clustering, clustering, 1)
        } else {
            clustering
        };
        let shared = self.count(options.shared, What::Shared, number);
        let shared = if number == 0 {
            least(options.shared, shared, 1)
        } else {
            shared
        };
        let indexes = self.count(options.indexes, What::Indexes, number);
        let indexes = if number == 1 {
            least(options.indexes, indexes, 1)
        } else {
            indexes
        };
        let partition = self.count(options.partition, What::Partition, number);
        let regular = self.count(options.regular, What::Regular, number);

        let mut ids = (0..).map(ColumnId);
        let partitions_wanted = self.count(options.narrow_partitions, What::NarrowPartitions, number);
        let rows_max = self.count(options.rows, What::Rows, number);
        let wide_enough = if narrow { partitions_wanted } else { 1 << 16 };
        let bytes = key_bytes((partition + clustering) as usize);
        let partition = self.key(number, What::Partition, partition, wide_enough, bytes, &mut ids);
        let clustering = self.key(
            number,
            What::Clustering,
            clustering,
            rows_max.min(64),
            bytes,
            &mut ids,
        );
        let mut regular: Vec<Column> = (0..regular)
            .map(|i| self.cell(number, What::Regular, i, &mut ids))
            .collect();
        let mut shared: Vec<Column> = (0..shared)
            .map(|i| self.cell(number, What::Shared, i, &mut ids))
            .collect();
        let mut indexes: Vec<Index> = (0..indexes)
            .map(|i| self.index(number, i, &mut regular))
            .collect();
        let indexed = |id| indexes.iter().any(|index| index.columns.contains(&id));
        for (i, column) in (0..).zip(&mut regular) {
            if i > 0 && !indexed(column.id) {
                self.compose(number, i, column);
            }
        }
        for (i, column) in (0..).zip(&mut shared) {
            self.compose(number, 1 << 32 | i, column);
        }
        indexes.extend((0..).zip(&mut regular).filter_map(|(i, column)| {
            let chosen = column.ty.is_collection() && chance(self.number(What::Inside, number, i), 1, 3);
            chosen.then(|| {
                column.limits = column.limits.for_key(key_bytes(2));
                Index {
                    columns: vec![column.id],
                    name: format!("x{}", i + 1),
                    unique: false,
                }
            })
        }));
        let narrow_size = SizeClass::Narrow {
            partitions: u32::try_from(partitions_wanted).expect("drawn between two 32-bit numbers"),
        };
        Definition {
            options: Vec::new(),
            name: format!("t{}", number + 1),
            size: if narrow { narrow_size } else { SizeClass::Wide },
            rows_max,
            key_seed: key_seed(self.seed, number),
            partition,
            clustering,
            regular,
            shared,
            indexes,
        }
    }

    fn ty(&self, table: u64, what: What, i: u64) -> (Type, Limits) {
        let pick = below(
            number(self.seed, Stream::ColumnType, &[what as u64, table, i]),
            self.menu.len() as u64,
        );
        self.menu[pick as usize].clone()
    }

    /// The columns of a key that has at least `size` different values, as far as the types go, each of
    /// at most `bytes` bytes.
    fn key(
        &self,
        table: u64,
        what: What,
        columns: u64,
        size: u64,
        bytes: u32,
        ids: &mut impl Iterator<Item = ColumnId>,
    ) -> Vec<KeyColumn> {
        let fit = |(ty, limits): (Type, Limits)| (ty, limits.for_key(bytes));
        let mut types: Vec<(Type, Limits)> = (0..columns).map(|i| fit(self.ty(table, what, i))).collect();
        let sizes = types.iter().map(|(ty, limits)| Domain::about(*ty, limits));
        if sizes.fold(1, u128::saturating_mul) < size.into()
            && let Some(last) = types.last_mut()
        {
            let widest = self
                .menu
                .iter()
                .cloned()
                .map(fit)
                .max_by_key(|(ty, limits)| Domain::about(*ty, limits));
            *last = widest.expect("the menu is not empty");
        }
        for (i, scalar) in (0..).zip(&mut types) {
            let place = (what as u64) << 32 | i;
            let made = self.composite(table, place, KEY_KINDS, self.options.composites_in_256 / 3);
            // Not one that would leave too few keys.
            let enough = Domain::about(scalar.0, &scalar.1).min(size.into());
            let made = made
                .map(fit)
                .filter(|(ty, limits)| Domain::about(*ty, limits) >= enough);
            *scalar = made.unwrap_or_else(|| scalar.clone());
        }
        let letter = if matches!(what, What::Partition) { 'p' } else { 'c' };
        let made = types.into_iter().zip(0_u64..).map(|((ty, limits), i)| {
            let desc = matches!(what, What::Clustering)
                && chance(
                    self.number(What::Desc, table, i),
                    self.options.desc_in_256.into(),
                    256,
                );
            let id = ids.next().expect("fewer than 2^16 columns");
            let column = Column {
                id,
                name: format!("{letter}{}", i + 1),
                ty,
                nullable: false,
                limits,
            };
            KeyColumn {
                column,
                order: if desc { Order::Desc } else { Order::Asc },
            }
        });
        made.collect()
    }

    fn cell(&self, table: u64, what: What, i: u64, ids: &mut impl Iterator<Item = ColumnId>) -> Column {
        let (mut ty, mut limits) = self.ty(table, what, i);
        // The first regular column can be summed, where any can.
        if matches!(what, What::Regular) && i == 0 {
            let sums: Vec<&(Type, Limits)> = self.menu.iter().filter(|(ty, _)| ty.sums()).collect();
            let pick = number(self.seed, Stream::ColumnType, &[what as u64, table, i]);
            if let Some(last) = sums.len().checked_sub(1) {
                (ty, limits) = sums[below(pick, last as u64 + 1) as usize].clone();
            }
        }
        let letter = if matches!(what, What::Regular) { 'r' } else { 's' };
        let address = if matches!(what, What::Regular) {
            i
        } else {
            1 << 32 | i
        };
        let nullable = chance(
            self.number(What::Nullable, table, address),
            self.options.nullable_in_256.into(),
            256,
        );
        let id = ids.next().expect("fewer than 2^16 columns");
        Column {
            id,
            name: format!("{letter}{}", i + 1),
            ty,
            nullable,
            limits,
        }
    }

    /// Makes a composite of a column, by chance and where the targets offer it.
    fn compose(&self, table: u64, id: u64, column: &mut Column) {
        let made = self.composite(table, id, KINDS, self.options.composites_in_256);
        if let Some((ty, limits)) = made {
            (column.ty, column.limits, column.nullable) = (ty, limits, true);
        }
    }

    /// A composite of one of these kinds, by chance and where the targets offer it.
    fn composite(&self, table: u64, id: u64, kinds: &[&str], in_256: u16) -> Option<(Type, Limits)> {
        let chosen = chance(self.number(What::Composite, table, id), in_256.into(), 256);
        let parts: Vec<Type> = self
            .menu
            .iter()
            .map(|(ty, _)| *ty)
            .filter(|ty| ty.orders())
            .collect();
        if !chosen || parts.is_empty() {
            return None;
        }
        let part = |i: u64| {
            let draw = number(
                self.seed,
                Stream::Schema,
                &[What::CompositePart as u64, table, id, i],
            );
            parts[below(draw, parts.len() as u64) as usize]
        };
        let kind = below(self.number(What::CompositeKind, table, id), kinds.len() as u64);
        let mut name = kinds[kind as usize].to_owned();
        for (letter, i) in [("A", 0), ("B", 1), ("C", 2)] {
            name = name.replace(letter, &part(i).to_string());
        }
        let ty: Type = name.parse().expect("scalars with an order make composites");
        Some((ty, (self.limits)(ty)?))
    }

    /// An index on one or two regular columns, which then are fit for one.
    fn index(&self, table: u64, i: u64, regular: &mut [Column]) -> Index {
        let width = (1 + below(self.number(What::IndexWidth, table, i), 2)).min(regular.len() as u64);
        let first = below(self.number(What::IndexColumn, table, i), regular.len() as u64);
        let columns = (0..width).map(|j| {
            let at = (first + j) as usize % regular.len();
            regular[at].limits = regular[at].limits.for_key(key_bytes(2));
            regular[at].id
        });
        Index {
            columns: columns.collect(),
            name: format!("i{}", i + 1),
            unique: false,
        }
    }
}

#[cfg(test)]
mod tests;
