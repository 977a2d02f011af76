//! Every option of the partitions workload, as plain data of the plan. Nothing is drawn later that is not here.
//!
//! Weights are relative; a weight of 0 switches a kind off. Chances are given in 256 (`_in_256`) or in 16
//! (`_in_16`): integers, because floats differ between platforms.

use std::collections::BTreeMap;

use datagen::select::{DECK_CARDS_MAX, Walk};
use history::Level;
use serde::{Deserialize, Serialize};

use super::lww::Lww;
use super::share::Share;

/// Kinds of visits at most.
pub const VISIT_KINDS_MAX: usize = 64;
/// Partitions that one visit may write, at most.
pub const PARTITIONS_PER_VISIT_MAX: u16 = 16;
/// Writes of one visit, and reads of one visit, at most.
pub const STEPS_PER_VISIT_MAX: u16 = 64;
/// Partitions, or rows, that one IN names at most.
pub const IN_MAX: u16 = 8;
/// Aggregates are drawn only over partitions on which at most this many visits can be open: what they must be
/// is tried for every choice of open visits.
pub const AGGREGATE_OPEN_MAX: u16 = 10;

/// The whole workload but its seed and its schema.
///
/// Invariant: [`Config::check`] finds nothing, or [`super::Partitions::new`] refuses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The isolation level that every visit asks for.
    pub level: Level,
    /// Visits that can be open at once: the sessions of the run.
    pub sessions: u16,
    /// Kinds of write operations.
    pub writes: Writes,
    /// Kinds of reads.
    pub reads: Reads,
    /// What reads look like beyond their kind.
    pub shapes: Shapes,
    /// Which partitions reads look at.
    pub pools: Pools,
    /// How visits that may be rolled back end.
    pub ends: Ends,
    /// Which values cells get.
    pub values: Values,
    /// Which rows visits touch.
    pub rows: Rows,
    /// Popularity of partitions in wide tables.
    pub wide: Popularity,
    /// Popularity of partitions in narrow tables.
    pub narrow: Popularity,
    /// What single tables do otherwise, by name.
    pub tables: BTreeMap<String, TableOptions>,
    /// Each visit that writes a partition leaves its number beside it: one row more of a table of their own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bookkeeping: bool,
    /// Others write the same tables: these partitions are ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// Discipline `lww`: what it adds. Without it, visits are ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lww: Option<Lww>,
    /// The kinds of visits.
    pub visits: Vec<VisitKind>,
}

/// One kind of visit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VisitKind {
    /// Its name in statistics.
    pub name: String,
    /// Visits of this kind in each unit; the weights of all kinds together are the unit.
    pub weight: u32,
    /// Partitions it writes; 0 for visits that only read. One partition may be chosen twice.
    pub partitions: u16,
    /// Write operations, at least one for each partition.
    pub writes: u16,
    /// Reads.
    pub reads: u16,
    /// One statement that commits by itself. An operation that takes two statements gets a transaction still.
    #[serde(default)]
    pub autocommit: bool,
    /// Its one write is an INSERT that is refused where the row exists.
    #[serde(default)]
    pub strict: bool,
}

/// Weights of write operations. An operation that a table cannot do stands for another one there: without
/// shared columns `shared` is an upsert; without a clustering key `delete-range` and `delete-slice` are
/// `delete-row`; without columns that may be NULL `delete-cells` is `update-some`; without regular columns
/// updates are upserts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each field is the name of an operation, see history::Op"
)]
pub struct Writes {
    pub insert: u32,
    pub upsert: u32,
    pub update_all: u32,
    pub update_some: u32,
    pub shared: u32,
    pub delete_row: u32,
    pub delete_cells: u32,
    pub delete_range: u32,
    pub delete_slice: u32,
    pub delete_partition: u32,
}

/// Weights of reads. A read that a table cannot do stands for another one there: `table` on a wide table is
/// `partitions`; `shared` and joins without shared columns are `partition`; ranges and slices without a
/// clustering key are `row`; predicates, groups and distinct without a fitting column are `partition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each field is the name of a read, see history::Query")]
pub struct Reads {
    pub partition: u32,
    pub row: u32,
    pub rows: u32,
    pub slice: u32,
    pub range: u32,
    pub limit: u32,
    pub partitions: u32,
    pub table: u32,
    pub shared: u32,
    pub inner_join: u32,
    pub left_join: u32,
    pub predicate: u32,
    pub predicate_indexed: u32,
    pub aggregate: u32,
    pub group: u32,
    pub distinct: u32,
}

/// What reads look like beyond their kind; each is a chance in 16.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Shapes {
    /// In the declared order of the keys.
    pub ascending_in_16: u8,
    /// Against it. What is left of 16 has no ORDER BY.
    pub descending_in_16: u8,
    /// Ordered by a regular column instead of the keys, where there is an order: ties.
    pub by_regular_in_16: u8,
    /// Some columns instead of all.
    pub columns_in_16: u8,
    /// OFFSET beside LIMIT.
    pub offset_in_16: u8,
    /// Reads, predicates and aggregates over the whole table, where it is narrow.
    pub table_wide_in_16: u8,
    /// A row, or a bound, that no operation ever writes.
    pub absent_in_16: u8,
    /// A read inside a writing visit looks at one of the visit's own partitions.
    pub own_in_16: u8,
    /// `sum` over numerics, where the target computes it exactly.
    pub numeric_sums: bool,
}

/// Weights of what a read's partition is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Pools {
    /// Being written about now.
    pub recent: u32,
    /// Left by its window; of other shares, written before.
    pub retired: u32,
    /// Never written.
    pub unvisited: u32,
}

/// Weights of the ends of visits that write in a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Ends {
    /// COMMIT.
    pub commit: u32,
    /// ROLLBACK.
    pub rollback: u32,
    /// ROLLBACK TO a savepoint, then COMMIT of what is left.
    pub savepoint: u32,
    /// A savepoint that is never rolled back to.
    pub savepoint_kept: u32,
}

/// Which values cells get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Values {
    /// NULL, where the column may be NULL.
    pub null_in_256: u16,
    /// Not listed in an INSERT or upsert, where the column may be NULL.
    pub unset_in_256: u16,
    /// A boundary value: least, greatest, zero, empty, long, awkward.
    pub special_in_256: u16,
    /// One of a few values that come again and again, so that predicates hit and groups have members.
    pub recurring_in_256: u16,
    /// The same for columns with an index.
    pub recurring_indexed_in_256: u16,
    /// How many values recur in each column.
    pub recurring: u16,
}

/// Which rows visits touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Rows {
    /// How visits go over the rows of a partition.
    pub walk: Walk,
    /// Different rows that the operations of one visit on one partition share among them.
    pub per_visit: u16,
    /// Rows in a partition at most; a table may have fewer.
    pub per_partition: u32,
}

/// How often which partition of a table is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Popularity {
    /// A sliding window that retires what it leaves.
    Window {
        /// Partitions in the window.
        width: u64,
        /// Turns of each between two slides.
        repeats: u64,
    },
    /// The same; a quarter of the touches brings back what it has left.
    Returning {
        /// Partitions in the window.
        width: u64,
        /// Turns of each between two slides.
        repeats: u64,
    },
    /// So many partitions in rounds of changing order.
    Rotation {
        /// How many.
        count: u64,
    },
    /// Seven of eight touches go to few partitions.
    Hot {
        /// The few.
        hot: u64,
        /// The others.
        cold: u64,
    },
    /// Zipf with exponent 1 over so many partitions (rounded down to 2^k - 1).
    Zipf {
        /// How many.
        count: u64,
    },
    /// These, in this order.
    List {
        /// Partition indices.
        positions: Vec<u64>,
    },
}

/// What one table does otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TableOptions {
    /// Its weight beside other tables; 0 leaves it alone. Tables that are not named have 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Its own popularity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub popularity: Option<Popularity>,
    /// Under `lww`: its writes are lightweight transactions, and its reads are serial. Nothing else may write it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conditional: bool,
}

/// One option that cannot be, with where, what and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is {value}: {remedy}")]
pub struct Mistake {
    /// The option, as written in a file.
    pub key: String,
    /// What it is.
    pub value: String,
    /// What it should be.
    pub remedy: String,
}

impl Config {
    /// All mistakes at once, in the order of the options.
    pub fn check(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        let mut expect = |holds: bool, key: &str, value: &dyn ToString, remedy: &str| {
            if !holds {
                found.push(Mistake {
                    key: key.to_owned(),
                    value: value.to_string(),
                    remedy: remedy.to_owned(),
                });
            }
        };
        expect(
            self.sessions > 0,
            "sessions",
            &self.sessions,
            "at least 1 is needed",
        );
        for (key, weights) in [
            ("writes", self.writes.weights().to_vec()),
            ("reads", self.reads.weights().to_vec()),
            ("pools", self.pools.weights().to_vec()),
            ("ends", self.ends.weights().to_vec()),
        ] {
            let sum: u64 = weights.iter().map(|&w| u64::from(w)).sum();
            expect(sum > 0, key, &"all 0", "give at least one kind a weight");
            expect(
                sum <= DECK_CARDS_MAX,
                key,
                &format!("{sum} in all"),
                "at most 65536 can be dealt out exactly",
            );
        }
        let s = &self.shapes;
        for (key, chance) in [
            ("ascending", s.ascending_in_16.saturating_add(s.descending_in_16)),
            ("by-regular", s.by_regular_in_16),
            ("columns", s.columns_in_16),
            ("offset", s.offset_in_16),
            ("table-wide", s.table_wide_in_16),
            ("absent", s.absent_in_16),
            ("own", s.own_in_16),
        ] {
            expect(
                chance <= 16,
                &format!("shapes.{key}-in-16"),
                &chance,
                "at most 16 of 16 are possible",
            );
        }
        let v = &self.values;
        for (key, chance) in [
            ("null", v.null_in_256),
            ("unset", v.unset_in_256),
            ("special", v.special_in_256),
            ("recurring", v.recurring_in_256),
            ("recurring-indexed", v.recurring_indexed_in_256),
        ] {
            expect(
                chance <= 256,
                &format!("values.{key}-in-256"),
                &chance,
                "at most 256 of 256 are possible",
            );
        }
        expect(
            v.recurring > 0,
            "values.recurring",
            &v.recurring,
            "at least 1 is needed",
        );
        expect(
            self.rows.per_visit > 0,
            "rows.per-visit",
            &self.rows.per_visit,
            "at least 1 is needed",
        );
        expect(
            self.rows.per_partition > 0,
            "rows.per-partition",
            &self.rows.per_partition,
            "at least 1 is needed",
        );
        if let Some(Share { index, of }) = self.share {
            let remedy = "a share is counted from 1 to how many there are";
            expect(index > 0 && index <= of, "share.index", &index, remedy);
        }
        let kinds = self.visits.len();
        expect(
            kinds <= VISIT_KINDS_MAX,
            "visits",
            &format!("{kinds} kinds"),
            "at most 64 are possible",
        );
        expect(
            self.visits.iter().any(|v| v.weight > 0 && v.partitions > 0),
            "visits",
            &"without a kind that writes",
            "nothing would ever be there to read: give one a weight",
        );
        for (i, visit) in self.visits.iter().enumerate() {
            let at = |key: &str| format!("visits[{i}] ({}).{key}", visit.name);
            let (p, w, r) = (visit.partitions, visit.writes, visit.reads);
            expect(
                p <= PARTITIONS_PER_VISIT_MAX,
                &at("partitions"),
                &p,
                "at most 16 are possible",
            );
            expect(
                w <= STEPS_PER_VISIT_MAX,
                &at("writes"),
                &w,
                "at most 64 are possible",
            );
            expect(
                r <= STEPS_PER_VISIT_MAX,
                &at("reads"),
                &r,
                "at most 64 are possible",
            );
            expect(
                w >= p && (p > 0 || w == 0),
                &at("writes"),
                &w,
                "each partition needs a write, each write a partition",
            );
            expect(w + r > 0, &at("reads"), &r, "a visit without writes needs one");
            expect(
                !visit.autocommit || w + r == 1,
                &at("autocommit"),
                &true,
                "it needs exactly one write or read",
            );
            expect(
                !visit.strict || !self.bookkeeping || visit.weight == 0,
                &at("strict"),
                &true,
                "a strict insert stands alone, and bookkeeping adds a write: false, or without bookkeeping",
            );
            expect(
                !visit.strict || (w, r) == (1, 0),
                &at("strict"),
                &true,
                "a strict insert stands alone in its visit",
            );
        }
        if let Some(lww) = &self.lww {
            found.extend(self.lww_mistakes(lww));
        }
        found
    }
}

impl Writes {
    /// None of them: for `..Self::NONE`.
    pub const NONE: Self = Self {
        insert: 0,
        upsert: 0,
        update_all: 0,
        update_some: 0,
        shared: 0,
        delete_row: 0,
        delete_cells: 0,
        delete_range: 0,
        delete_slice: 0,
        delete_partition: 0,
    };

    /// In the order of [`super::write::Kind`].
    pub(super) fn weights(&self) -> [u32; 10] {
        let Writes {
            insert,
            upsert,
            update_all,
            update_some,
            shared,
            ..
        } = *self;
        let Writes {
            delete_row,
            delete_cells,
            delete_range,
            delete_slice,
            delete_partition,
            ..
        } = *self;
        [
            insert,
            upsert,
            update_all,
            update_some,
            shared,
            delete_row,
            delete_cells,
            delete_range,
            delete_slice,
            delete_partition,
        ]
    }
}

impl Reads {
    /// None of them: for `..Self::NONE`.
    pub const NONE: Self = Self {
        partition: 0,
        row: 0,
        rows: 0,
        slice: 0,
        range: 0,
        limit: 0,
        partitions: 0,
        table: 0,
        shared: 0,
        inner_join: 0,
        left_join: 0,
        predicate: 0,
        predicate_indexed: 0,
        aggregate: 0,
        group: 0,
        distinct: 0,
    };

    /// In the order of [`super::read::Kind`].
    pub(super) fn weights(&self) -> [u32; 16] {
        [
            self.partition,
            self.row,
            self.rows,
            self.slice,
            self.range,
            self.limit,
            self.partitions,
            self.table,
            self.shared,
            self.inner_join,
            self.left_join,
            self.predicate,
            self.predicate_indexed,
            self.aggregate,
            self.group,
            self.distinct,
        ]
    }
}

impl Pools {
    pub(super) fn weights(&self) -> [u32; 3] {
        [self.recent, self.retired, self.unvisited]
    }
}

impl Ends {
    pub(super) fn weights(&self) -> [u32; 4] {
        [self.commit, self.rollback, self.savepoint, self.savepoint_kept]
    }
}
