//! What the database promised, and how its statements mean what they mean. Filled by `targets`, read by `check`.

use datagen::value::Nulls;
use serde::{Deserialize, Serialize};

/// An isolation level, as asked for and as claimed. Ordered from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// ANSI READ UNCOMMITTED.
    ReadUncommitted,
    /// ANSI READ COMMITTED.
    ReadCommitted,
    /// ANSI REPEATABLE READ, as locking systems mean it.
    RepeatableRead,
    /// Snapshot isolation.
    Snapshot,
    /// Serializable.
    Serializable,
}

/// The promise a history is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The level.
    pub level: Level,
    /// What was acknowledged before a session begins is seen by it, whoever wrote it.
    pub real_time: bool,
    /// Uncommitted data of others is never seen.
    pub hidden_until_commit: bool,
    /// How much of a visit becomes visible at once.
    pub atomic: Atomic,
    /// When the snapshot of a read inside a transaction is taken.
    pub snapshot: Snapshot,
    /// Acknowledged means kept, through crashes of the server's process.
    pub durable: bool,
}

/// What becomes visible as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Atomic {
    /// A whole visit.
    Visit,
    /// One statement.
    Statement,
    /// One page of a paged read.
    Page,
}

/// When the snapshot of a read inside a transaction is taken (F8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Snapshot {
    /// Each statement its own.
    Statement,
    /// At the first message after BEGIN (PostgreSQL: Parse included).
    FirstMessage,
    /// At BEGIN.
    Begin,
}

/// What an affected count counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Affected {
    /// Rows matched; an upsert counts 1.
    Matched,
    /// The target says nothing useful: counts are not compared.
    NotReported,
}

/// Which order of the writes the model may assume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Discipline {
    /// Visits that share a partition run one after another, in lts order.
    #[default]
    Ordered,
    /// Visits race; of each cell the greatest timestamp wins.
    Lww,
}

/// How much of what could be compared is compared: settings of one checker, from nothing to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Nothing: a load.
    None,
    /// What a read shows must have been written by a visit that may be visible; what it does not show is not asked for.
    Visible,
    /// Only answers that no other visit overlaps, but these exactly.
    Quiescent,
    /// Every answer, with visits in flight as a choice.
    #[default]
    Exhaustive,
}

/// How two values of one cell at one timestamp are decided. A deletion beats them both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// The greater value, in the order of its column.
    #[default]
    Greatest,
    /// The greater serialized bytes, compared without a sign (Cassandra): -3 beats 5 beats 1.
    GreatestBytes,
}

/// What `sum` and `avg` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sums {
    /// Exact, and NULL over nothing (SQL).
    #[default]
    Exact,
    /// In the type of the column: 0 over nothing, integers of a width wrap round, an average is cut off towards 0 (CQL).
    OfColumn,
}

/// How the target's statements mean what they mean (F29).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Semantics {
    /// An UPDATE of an absent row makes one (Cassandra).
    pub update_creates_rows: bool,
    /// Where NULL sorts in an ascending order.
    pub nulls: Nulls,
    /// What an affected count counts.
    pub affected: Affected,
    /// How equal timestamps are decided, under `lww`.
    pub ties: Ties,
    /// How many replicas keep each partition.
    pub replicas: u16,
    /// Without ORDER BY, the rows of a partition come in the order of its clustering key and partitions one after another; of
    /// whole tables and rings by their tokens (Cassandra).
    pub clustered: bool,
    /// What `sum` and `avg` are.
    pub sums: Sums,
}
