//! What is asked: visits, their steps, writes and queries, as descriptors. `targets::dialect` makes statements of it,
//! `check` evaluates it; neither sees the other.
//!
//! Values are descriptors of their column's domain: their order is the order of the values, so a model may compare numbers.

use crate::{Level, Lts, Part};
use datagen::domain::Inner;
use datagen::schema::ColumnId;
use datagen::universe::Slice;
use datagen::value::Order;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Cells of one row: column and descriptor, `None` is NULL; a column that is not listed is unset.
/// Sorted by column, no column twice. As many as most writes name are kept in place: a [`Step`] is as big as a [`Query`] anyway.
pub type Cells = SmallVec<[(ColumnId, Option<u64>); 4]>;

/// Elements of one cell: slot (see [`datagen::domain::Elements`]) and number of its value, `None` removes it.
/// Sorted by slot, no slot twice.
pub type Elements = SmallVec<[(u16, Option<u64>); 2]>;

/// What is added to counters of one row: column and amount. Sorted by column, no column twice.
pub type Amounts = SmallVec<[(ColumnId, i64); 4]>;

/// What one session does at one lts: one transaction, or one autocommit statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Its number.
    pub lts: Lts,
    /// The isolation level that is asked for.
    pub level: Level,
    /// The partitions it writes, sorted, none twice. Empty: a visit that only reads.
    pub writes: Vec<Part>,
    /// Its statements, in order. Exactly one where `end` is [`End::Autocommit`].
    pub steps: Vec<Step>,
    /// How it ends.
    pub end: End,
    /// What it says beside its statements where the greatest timestamp wins: there exactly under discipline `lww`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
}

/// What a visit says beside its statements where the greatest timestamp wins (discipline `lww`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Timestamp of every write of the visit, in microseconds, as the target keeps it.
    pub timestamp: i64,
    /// Seconds that what it writes lives; `None`: for ever.
    pub ttl: Option<u32>,
    /// How many replicas must take its writes, or answer its reads.
    pub consistency: Consistency,
    /// Which node is asked: an index modulo the nodes that are known.
    pub node: u16,
    /// Its one write is a lightweight transaction: it is done only where this holds, and its answer says whether it was
    /// (`Affected` of 1 or 0). Then the database gives the timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// What must hold of a row for a lightweight transaction on it to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// IF NOT EXISTS: there is no such row.
    NotExists,
    /// IF EXISTS: there is.
    Exists,
    /// IF column = value; `None`: it is NULL, or there is no such row.
    Equals {
        /// A regular column.
        column: ColumnId,
        /// Its descriptor.
        value: Option<u64>,
    },
}

/// How many replicas must take a write, or answer a read. The names are Cassandra's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// One replica.
    One,
    /// Two.
    Two,
    /// Three.
    Three,
    /// More than half.
    Quorum,
    /// Every one.
    All,
    /// One of the coordinator's data centre.
    LocalOne,
    /// More than half of the coordinator's data centre.
    LocalQuorum,
    /// More than half, in one order with lightweight transactions.
    Serial,
}

impl Visit {
    /// The change of the schema that it is, if it is one.
    pub fn change(&self) -> Option<&Change> {
        match self.steps.as_slice() {
            [Step::Change(change)] => Some(change),
            _ => None,
        }
    }

    /// The column of a table that it drops, if it does.
    pub fn drops(&self, table: u16) -> Option<ColumnId> {
        let drops = |c: &&Change| c.table == table && c.what == ChangeKind::DropColumn;
        self.change().filter(drops).map(|c| c.column)
    }
}

impl Consistency {
    /// Every one, with its name in plans and notation.
    pub const ALL: [(Consistency, &'static str); 8] = [
        (Self::One, "one"),
        (Self::Two, "two"),
        (Self::Three, "three"),
        (Self::Quorum, "quorum"),
        (Self::All, "all"),
        (Self::LocalOne, "local-one"),
        (Self::LocalQuorum, "local-quorum"),
        (Self::Serial, "serial"),
    ];

    /// How many of `of` replicas it waits for. One data centre: local is all there is.
    pub fn replicas(self, of: u16) -> u16 {
        match self {
            Self::One | Self::LocalOne => 1,
            Self::Two => 2,
            Self::Three => 3,
            Self::Quorum | Self::LocalQuorum | Self::Serial => of / 2 + 1,
            Self::All => of,
        }
    }

    /// Whether a read at this level meets every write that was acknowledged at `write`, with `of` replicas.
    pub fn meets(self, write: Consistency, of: u16) -> bool {
        self.replicas(of).saturating_add(write.replicas(of)) > of
    }

    /// Its name in plans and notation.
    pub fn name(self) -> &'static str {
        let line = Self::ALL.iter().find(|(level, _)| *level == self);
        line.expect("ALL lists every level").1
    }
}

/// How a visit ends, by plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// One statement without BEGIN; it commits by itself. Never an op that needs two statements (`Op::tables_touched`).
    Autocommit,
    /// BEGIN … COMMIT.
    Commit,
    /// BEGIN … ROLLBACK: nothing of it may ever be seen.
    Rollback,
    /// Its steps, all of them writes of one partition, are one statement: BEGIN BATCH … APPLY BATCH, at one timestamp.
    Batch {
        /// Through the batch log.
        logged: bool,
    },
}

/// One step of a visit: one statement, but for a partition delete on a table with shared columns, which is two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A write.
    Write(Op),
    /// A read.
    Read(Query),
    /// SAVEPOINT n.
    Savepoint(u8),
    /// ROLLBACK TO SAVEPOINT n: the writes since that savepoint are undone, the savepoint stays.
    RollbackTo(u8),
    /// A change of a table's schema, the one statement of its visit; it writes no partition by its name.
    Change(Change),
}

/// A change of a table's schema while visits go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Index of the table.
    pub table: u16,
    /// The column that it is about.
    pub column: ColumnId,
    /// What happens to it.
    pub what: ChangeKind,
}

/// What a change of the schema does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// CREATE INDEX on a regular column: no read may show anything else by it.
    CreateIndex,
    /// DROP INDEX of the one that [`ChangeKind::CreateIndex`] makes.
    DropIndex,
    /// ALTER TABLE … DROP … USING TIMESTAMP (only under `lww`): deletes the column's cells of every partition up to the
    /// visit's timestamp. Until the column is added again nothing names it.
    DropColumn,
    /// ALTER TABLE … ADD of a column that was dropped.
    AddColumn,
}

impl ChangeKind {
    /// Every one, with its name in the notation and in statistics.
    pub const ALL: [(ChangeKind, &'static str); 4] = [
        (Self::CreateIndex, "create-index"),
        (Self::DropIndex, "drop-index"),
        (Self::DropColumn, "drop-column"),
        (Self::AddColumn, "add-column"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let line = Self::ALL.iter().find(|(kind, _)| *kind == self);
        line.expect("ALL lists every kind").1
    }

    /// Whether it changes what visits may name, so that no other visit may run beside it.
    pub fn is_alone(self) -> bool {
        matches!(self, Self::DropColumn | Self::AddColumn)
    }
}

/// One write. Every op names one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// INSERT. `strict: false`: on conflict do nothing, affected 0 or 1. `strict: true`: a row that exists refuses the
    /// statement (F27); then it is the first and only step of its visit.
    Insert {
        /// The partition.
        part: Part,
        /// Position of the clustering key.
        row: u64,
        /// Regular cells; what is not listed is NULL.
        cells: Cells,
        /// Refused when the row exists, instead of doing nothing.
        strict: bool,
    },
    /// INSERT … ON CONFLICT DO UPDATE: listed cells are set; a new row has NULL in the others.
    Upsert {
        /// The partition.
        part: Part,
        /// Position of the clustering key.
        row: u64,
        /// Regular cells.
        cells: Cells,
    },
    /// UPDATE of one row; nothing where the row is absent. At least one cell.
    Update {
        /// The partition.
        part: Part,
        /// Position of the clustering key.
        row: u64,
        /// Regular cells.
        cells: Cells,
    },
    /// Upsert of the companion row: the partition's shared cells.
    Shared {
        /// The partition.
        part: Part,
        /// Shared cells.
        cells: Cells,
    },
    /// DELETE of one row.
    DeleteRow {
        /// The partition.
        part: Part,
        /// Position of the clustering key.
        row: u64,
    },
    /// UPDATE … SET c = NULL: removes cells of one row, the row stays.
    DeleteCells {
        /// The partition.
        part: Part,
        /// Position of the clustering key.
        row: u64,
        /// Regular columns, sorted, at least one, none NOT NULL.
        columns: Vec<ColumnId>,
    },
    /// UPDATE of single elements of a set or map, or of single fields of a user-defined type: the others stay. Of columns
    /// whose elements are cells of their own ([`datagen::value::Type::cells`]), and only under discipline `lww`.
    Elements {
        /// The partition.
        part: Part,
        /// Position of the clustering key; `None`: the column is a shared one.
        row: Option<u64>,
        /// The column.
        column: ColumnId,
        /// At least one.
        elements: Elements,
    },
    /// UPDATE … SET c = c + n of one row's counters, which makes those that are not there yet. The only write of a table of
    /// counters ([`datagen::schema::Definition::counts`]), and only under discipline `lww`: when it is done, the timestamp of its
    /// visit says nothing about it. Sums wrap around in 64 bits.
    Add {
        /// The partition.
        part: Part,
        /// Position of the clustering key; `None`: the columns are shared ones.
        row: Option<u64>,
        /// At least one.
        amounts: Amounts,
    },
    /// DELETE of the rows of a slice: an equality prefix and at most one column bounded on one or both ends.
    DeleteSlice {
        /// The partition.
        part: Part,
        /// Which rows.
        slice: Slice,
    },
    /// DELETE of every row of the partition, and of its companion row where the table has shared columns.
    DeletePartition {
        /// The partition.
        part: Part,
    },
}

impl Op {
    /// The partition that is written.
    pub fn part(&self) -> Part {
        match self {
            Self::Insert { part, .. }
            | Self::Upsert { part, .. }
            | Self::Update { part, .. }
            | Self::Shared { part, .. }
            | Self::DeleteRow { part, .. }
            | Self::DeleteCells { part, .. }
            | Self::Elements { part, .. }
            | Self::Add { part, .. }
            | Self::DeleteSlice { part, .. }
            | Self::DeletePartition { part } => *part,
        }
    }

    /// The row that a write of one row names.
    pub fn row(&self) -> Option<u64> {
        match self {
            Self::Insert { row, .. }
            | Self::Upsert { row, .. }
            | Self::Update { row, .. }
            | Self::DeleteRow { row, .. }
            | Self::DeleteCells { row, .. } => Some(*row),
            Self::Elements { row, .. } | Self::Add { row, .. } => *row,
            Self::Shared { .. } | Self::DeleteSlice { .. } | Self::DeletePartition { .. } => None,
        }
    }

    /// The name of its kind, as in statistics and `gristmill list actions`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Insert { strict: false, .. } => "insert",
            Self::Insert { strict: true, .. } => "insert-strict",
            Self::Upsert { .. } => "upsert",
            Self::Update { .. } => "update",
            Self::Shared { .. } => "shared",
            Self::DeleteRow { .. } => "delete-row",
            Self::DeleteCells { .. } => "delete-cells",
            Self::Elements { .. } => "elements",
            Self::Add { .. } => "add",
            Self::DeleteSlice { slice, .. } => {
                if slice.lower.is_some() && slice.upper.is_some() {
                    "delete-range"
                } else {
                    "delete-slice"
                }
            }
            Self::DeletePartition { .. } => "delete-partition",
        }
    }
}

/// One read over one table, its companion, or both joined by the partition key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Index of the table.
    pub table: u16,
    /// What is read.
    pub from: From,
    /// Which partitions.
    pub parts: Parts,
    /// Which rows in them. Only `RowChoice::All` where `from` is [`From::Shared`].
    pub rows: RowChoice,
    /// A conjunction over regular columns (shared ones where joined). NULL compares as in SQL: not true.
    pub filter: Vec<Predicate>,
    /// What comes back of each row.
    pub select: Select,
    /// ORDER BY; empty: the answer is a multiset. Sort columns that are not selected are allowed, but not under
    /// DISTINCT, aggregates or GROUP BY (there they come from the selected columns).
    pub order: Vec<(ColumnId, Order)>,
    /// LIMIT, only with ORDER BY.
    pub limit: Option<u32>,
    /// OFFSET, only with LIMIT.
    pub offset: u32,
    /// What only reads under `lww` say.
    #[serde(default, skip_serializing_if = "Extras::is_none")]
    pub extras: Extras,
}

/// What only reads under `lww` say; the default says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Extras {
    /// After the selected columns come the write timestamps of the selected regular and shared columns, in the same order,
    /// as 64-bit integers; NULL where the cell is. Only with [`Select::Columns`].
    pub stamps: bool,
    /// LIMIT of each partition.
    pub per_partition: Option<u32>,
    /// Rows of a page; `None`: one page.
    pub page: Option<u32>,
    /// After the columns and timestamps come the seconds that each selected regular and shared cell has still to live, as 32-bit
    /// integers; NULL where the cell is, or lives for ever. Only with [`Select::Columns`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ttls: bool,
}

impl Extras {
    /// Whether it says nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum From {
    /// The rows.
    Table,
    /// The companion rows: one a partition that has shared cells written.
    Shared,
    /// Rows joined with their partition's companion row; rows without one fall out.
    InnerJoin,
    /// Rows with their partition's companion row, NULLs where there is none.
    LeftJoin,
}

/// Which partitions a query reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parts {
    /// One, by its whole key.
    One(u64),
    /// At most eight, sorted, by IN over the whole key.
    In(Vec<u64>),
    /// The whole table; only on narrow tables (F30).
    All,
    /// Those whose token is above that of one partition and at most that of another; a bound that is not there is none.
    /// Only on narrow tables, and where partitions lie on a ring (Cassandra). See [`datagen::ring`].
    Ring {
        /// Below the first token.
        after: Option<u64>,
        /// The last token.
        upto: Option<u64>,
    },
}

/// Which rows of a partition a query reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowChoice {
    /// Every row.
    All,
    /// One row by its whole clustering key.
    One(u64),
    /// At most eight rows, sorted, by IN over the whole clustering key.
    In(Vec<u64>),
    /// Rows of a slice or range.
    Slice(Slice),
}

impl RowChoice {
    /// Whether it is every row, by whichever name.
    pub fn is_every(&self) -> bool {
        match self {
            Self::All => true,
            Self::Slice(slice) => *slice == Slice::default(),
            Self::One(_) | Self::In(_) => false,
        }
    }
}

impl Select {
    /// The columns that it names in its answer, those inside of aggregates too.
    pub fn columns(&self) -> impl Iterator<Item = ColumnId> {
        let (plain, aggregates): (&[ColumnId], &[Aggregate]) = match self {
            Self::Columns(ids) | Self::Distinct(ids) => (ids, &[]),
            Self::Aggregates(aggregates) => (&[], aggregates),
            Self::Group { by, aggregates } => (by, aggregates),
        };
        plain
            .iter()
            .copied()
            .chain(aggregates.iter().filter_map(Aggregate::column))
    }
}

/// One condition on a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predicate {
    /// A regular column (or a shared one, in joins).
    pub column: ColumnId,
    /// How it is compared.
    pub relation: Relation,
    /// With what: a descriptor of the column, or the number of what is inside of it ([`Relation::inner`]); unused by the null
    /// tests.
    pub value: u64,
}

/// Comparisons of predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relation {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `IS NULL`
    IsNull,
    /// `IS NOT NULL`
    IsNotNull,
    /// `CONTAINS`: a list or set has the element, a map the value.
    Contains,
    /// `CONTAINS KEY`: a map has the key.
    ContainsKey,
    /// `c[k] = v`: a map has the key with the value.
    ContainsEntry,
}

impl Relation {
    /// What of a collection it is about, numbered as in [`datagen::domain::Inside`]; `None`: the whole value.
    pub fn inner(self) -> Option<Inner> {
        match self {
            Self::Contains => Some(Inner::Value),
            Self::ContainsKey => Some(Inner::Key),
            Self::ContainsEntry => Some(Inner::Entry),
            _ => None,
        }
    }
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Select {
    /// These columns, in this order.
    Columns(Vec<ColumnId>),
    /// `SELECT DISTINCT` of these columns.
    Distinct(Vec<ColumnId>),
    /// One row of aggregates over everything that was chosen.
    Aggregates(Vec<Aggregate>),
    /// `GROUP BY`: the columns, then the aggregates, one row a group.
    Group {
        /// The grouping columns.
        by: Vec<ColumnId>,
        /// What is computed for each group.
        aggregates: Vec<Aggregate>,
    },
}

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aggregate {
    /// `count(*)`
    CountRows,
    /// `count(c)`: not NULL.
    Count(ColumnId),
    /// `min(c)`
    Min(ColumnId),
    /// `max(c)`
    Max(ColumnId),
    /// `sum(c)` over integers and numerics; the result is exact, NULL over nothing.
    Sum(ColumnId),
    /// `avg(c)` over integers, cut off towards 0; 0 over nothing. Only where [`crate::Sums::OfColumn`].
    Avg(ColumnId),
}

impl Aggregate {
    /// The column that it is over; `None` of `count(*)`.
    pub fn column(&self) -> Option<ColumnId> {
        match self {
            Self::CountRows => None,
            Self::Count(id) | Self::Min(id) | Self::Max(id) | Self::Sum(id) | Self::Avg(id) => Some(*id),
        }
    }
}

impl Query {
    /// The name of its kind, as in statistics.
    pub fn kind(&self) -> &'static str {
        match (&self.select, &self.rows, self.from) {
            (Select::Aggregates(_), ..) => "read-aggregate",
            (Select::Group { .. }, ..) => "read-group",
            (Select::Distinct(_), ..) => "read-distinct",
            (_, _, From::Shared) => "read-shared",
            (_, _, From::InnerJoin | From::LeftJoin) => "read-join",
            _ if !self.filter.is_empty() => "read-predicate",
            _ if self.limit.is_some() => "read-limit",
            _ if matches!(self.parts, Parts::Ring { .. }) => "read-ring",
            (_, RowChoice::One(_), _) => "read-row",
            (_, RowChoice::In(_), _) => "read-in",
            (_, RowChoice::Slice(s), _) if s.lower.is_some() && s.upper.is_some() => "read-range",
            (_, RowChoice::Slice(_), _) => "read-slice",
            (_, RowChoice::All, _) if matches!(self.parts, Parts::All) => "read-table",
            (_, RowChoice::All, _) if matches!(self.parts, Parts::In(_)) => "read-partitions",
            (_, RowChoice::All, _) => "read-partition",
        }
    }
}
