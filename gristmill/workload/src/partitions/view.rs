//! A table as the generator sees it: its universes, and which column may be used for what.
//!
//! This is the only file that reads the schema.

use datagen::domain::{Domain, Rate};
use datagen::perm::Perm;
use datagen::schema::{ColumnId, SizeClass, Table};
use datagen::select::Shuffles;
use datagen::stream::{Stream, below, draw};
use datagen::universe::Universe;
use datagen::value::{Order, Type};

use super::config::{Config, IN_MAX};
use super::share::Share;

/// A table, ready to be written and read.
#[derive(Debug)]
pub(super) struct View {
    /// Its number in the schema.
    pub(super) table: u16,
    /// Partition index to position in the universe of partition keys, all those who share the tables together.
    order: Perm,
    share: Share,
    /// How many partitions the selector may name.
    pub(super) partitions: u64,
    /// Positions of rows in a partition; the key tuples are the targets' affair.
    pub(super) universe: Universe,
    /// Rows that visits use in one partition: row indices run from 0 to `rows - 1`.
    pub(super) rows: u64,
    /// Row index to position, per partition.
    pub(super) row_order: Shuffles,
    /// Reads of the whole table are allowed: it is narrow, and nobody else writes it.
    pub(super) narrow: bool,
    /// Its writes are lightweight transactions.
    pub(super) conditional: bool,
    /// Its columns, but for the key, are counters.
    pub(super) counts: bool,
    /// How many seconds something lives in it that is written without a time to live.
    pub(super) time_to_live: Option<u32>,
    /// Some regular or shared column has elements that are cells of their own.
    pub(super) elements: bool,
    /// Some of them are lists, in which nothing expires.
    pub(super) lists: bool,
    pub(super) keys: Vec<ColumnId>,
    pub(super) clustering: Vec<(ColumnId, Order)>,
    pub(super) regular: Vec<Column>,
    pub(super) shared: Vec<Column>,
    /// The regular columns that may be NULL.
    pub(super) nullable: Vec<ColumnId>,
    /// All columns of a row: keys, clustering columns, regular columns.
    pub(super) row_columns: Vec<ColumnId>,
    /// The columns of the companion row: keys and shared columns.
    pub(super) shared_columns: Vec<ColumnId>,
    /// Of both, joined.
    pub(super) joined_columns: Vec<ColumnId>,
    /// Columns that rows may be grouped by: clustering columns but the last (which tells rows apart), and regular
    /// columns.
    pub(super) grouping: Vec<ColumnId>,
}

/// A column that operations write.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) id: ColumnId,
    pub(super) nullable: bool,
    pub(super) domain: Domain,
    /// How many values it has; 0 for 2^64.
    size: u64,
    /// Values that come again and again.
    pub(super) recurring: Vec<u64>,
    /// What becomes of its cells, by the flags of a draw.
    pub(super) chances: Chances,
    /// An index has it.
    pub(super) indexed: bool,
    /// Equal values are identical: it may be compared, sorted and grouped by.
    pub(super) identity: bool,
    /// It is asked for whole, or for what is inside of it: frozen, or a list, set or map.
    pub(super) made_of_others: bool,
    /// `min` and `max` exist for its type everywhere.
    pub(super) least: bool,
    /// `sum` over all the rows that one query can meet stays exact.
    pub(super) sums: bool,
}

/// Chances in 256, each against a byte of its own of a cell's flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chances {
    /// 0 where the column may not be NULL.
    unset: u16,
    /// 0 where the column may not be NULL.
    null: u16,
    recurring: u16,
    special: u16,
}

impl Chances {
    /// A new row leaves the cell out.
    #[inline]
    pub(super) fn unset(self, flags: u64) -> bool {
        (flags as u8 as u16) < self.unset
    }

    /// The cell is NULL.
    #[inline]
    pub(super) fn null(self, flags: u64) -> bool {
        ((flags >> 8) as u8 as u16) < self.null
    }
}

/// How many partitions of the table the selector may name: those of this share.
pub(super) fn partitions(config: &Config, table: &Table) -> u64 {
    let all = table.partitions().len();
    let all = match table.size {
        SizeClass::Narrow { partitions } => u64::from(partitions).clamp(1, all),
        SizeClass::Wide => all,
    };
    config.share.unwrap_or(Share::WHOLE).count(all)
}

impl View {
    pub(super) fn new(config: &Config, seed: u64, number: u16, table: &Table) -> View {
        let universe = table.rows().clone();
        let all = table.partitions().len();
        let share = config.share.unwrap_or(Share::WHOLE);
        let partitions = partitions(config, table);
        let narrow = matches!(table.size, SizeClass::Narrow { .. }) && share.is_whole();
        // An eighth of the keys is left for rows that are never there.
        let rows = u64::from(config.rows.per_partition).clamp(1, universe.len() - universe.len() / 8);
        let rows_met = rows
            * if narrow {
                partitions.max(u64::from(IN_MAX))
            } else {
                u64::from(IN_MAX)
            };
        let columns = |columns: &[datagen::schema::Column]| {
            let mut made: Vec<Column> = columns
                .iter()
                .map(|column| {
                    let indexed = table
                        .indexes
                        .iter()
                        .any(|index| index.columns.contains(&column.id));
                    Column::new(
                        config,
                        seed,
                        number,
                        column,
                        table.domain(column.id).clone(),
                        indexed,
                        rows_met,
                    )
                })
                .collect();
            made.sort_by_key(|column| column.id);
            made
        };
        let keys: Vec<ColumnId> = table.partition.iter().map(|key| key.column.id).collect();
        let clustering: Vec<(ColumnId, Order)> = table
            .clustering
            .iter()
            .map(|key| (key.column.id, key.order))
            .collect();
        let (regular, shared) = (columns(&table.regular), columns(&table.shared));
        let ids = |columns: &[Column]| columns.iter().map(|c| c.id).collect::<Vec<_>>();
        let sorted: Vec<ColumnId> = clustering.iter().map(|&(id, _)| id).collect();
        let leading = &sorted[..sorted.len().saturating_sub(1)];
        let comparable: Vec<ColumnId> = regular.iter().filter(|c| c.identity).map(|c| c.id).collect();
        View {
            table: number,
            order: Perm::new(draw(seed, Stream::Partition, &[u64::from(number)]), all),
            share,
            partitions,
            rows,
            row_order: Shuffles::new(draw(seed, Stream::Row, &[u64::from(number)]), universe.len()),
            narrow,
            conditional: config.lww.is_some()
                && config.tables.get(&table.name).is_some_and(|t| t.conditional),
            counts: table.counts(),
            time_to_live: table.time_to_live(),
            row_columns: [keys.clone(), sorted.clone(), ids(&regular)].concat(),
            shared_columns: [keys.clone(), ids(&shared)].concat(),
            joined_columns: [keys.clone(), sorted.clone(), ids(&regular), ids(&shared)].concat(),
            lists: table.has_lists(),
            elements: regular
                .iter()
                .chain(&shared)
                .any(|c| c.domain.elements().is_some()),
            grouping: [leading, comparable.as_slice()].concat(),
            keys,
            clustering,
            nullable: regular.iter().filter(|c| c.nullable).map(|c| c.id).collect(),
            regular,
            shared,
            universe,
        }
    }

    /// The position of the partition that the selector calls `index`. Inverse: [`View::index`].
    #[inline]
    pub(super) fn position(&self, index: u64) -> u64 {
        self.order.at(self.share.of_all(index))
    }

    /// The selector's index of the partition at a position, if it is one of those that this workload writes.
    #[inline]
    pub(super) fn index(&self, position: u64) -> Option<u64> {
        if position >= self.order.len() {
            return None;
        }
        self.share.index(self.order.index(position))
    }

    /// The position of row `index` in the partition at `position`. Indices from `rows` on are never written.
    pub(super) fn row(&self, position: u64, index: u64) -> u64 {
        self.row_order.get(position).at(index)
    }
}

impl Column {
    fn new(
        config: &Config,
        seed: u64,
        table: u16,
        column: &datagen::schema::Column,
        domain: Domain,
        indexed: bool,
        rows_met: u64,
    ) -> Column {
        let values = &config.values;
        let rate = Rate::new(u32::from(values.special_in_256), 256).expect("checked with the configuration");
        let recurring = (0..u64::from(values.recurring)).map(|i| {
            domain.draw(
                draw(
                    seed,
                    Stream::Recurring,
                    &[u64::from(table), u64::from(column.id.0), i],
                ),
                rate,
            )
        });
        let ty = domain.ty();
        let sum_max = domain
            .magnitude_max()
            .and_then(|most| most.checked_mul(u128::from(rows_met)));
        let sums = match ty {
            Type::Numeric { .. } => {
                config.shapes.numeric_sums && sum_max.is_some_and(|sum| sum < 10u128.pow(38))
            }
            // Where sums of a column are of its width, they wrap around as counters do.
            Type::Counter => true,
            // Some targets add 64-bit integers in 64 bits and raise an error beyond.
            _ => ty.sums() && sum_max.is_some_and(|sum| sum <= u128::from(i64::MAX.unsigned_abs())),
        };
        Column {
            id: column.id,
            size: u64::try_from(domain.size()).unwrap_or(0),
            nullable: column.nullable,
            recurring: recurring.collect(),
            chances: Chances {
                unset: if column.nullable { values.unset_in_256 } else { 0 },
                null: if column.nullable { values.null_in_256 } else { 0 },
                recurring: if indexed {
                    values.recurring_indexed_in_256
                } else {
                    values.recurring_in_256
                },
                special: values.special_in_256,
            },
            indexed,
            identity: ty.orders()
                && (domain.limits().identity || !matches!(ty, Type::Float32 | Type::Float64)),
            made_of_others: ty.is_frozen() || ty.is_collection(),
            // PostgreSQL 15 has no min() for these.
            least: ty.orders() && !matches!(ty, Type::Bool | Type::Uuid | Type::Bytes),
            sums,
            domain,
        }
    }

    /// Any value, evenly.
    #[inline]
    pub(super) fn any(&self, bits: u64) -> u64 {
        if self.size == 0 {
            bits
        } else {
            below(bits, self.size)
        }
    }

    /// The descriptor of a cell that is neither left out nor NULL: one that recurs, a boundary or awkward one where the
    /// column has any, or any.
    #[inline]
    pub(super) fn value(&self, flags: u64, bits: u64) -> u64 {
        if ((flags >> 16) as u8 as u16) < self.chances.recurring {
            return self.recurring[((flags >> 32) as u32 % self.recurring.len() as u32) as usize];
        }
        if ((flags >> 24) as u8 as u16) < self.chances.special {
            let specials = self.domain.specials();
            if !specials.is_empty() {
                return specials[below(bits, specials.len() as u64) as usize];
            }
        }
        self.any(bits)
    }
}
