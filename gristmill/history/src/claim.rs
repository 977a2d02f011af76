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

/// How the target's statements mean what they mean (F29).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Semantics {
    /// An UPDATE of an absent row makes one (Cassandra).
    pub update_creates_rows: bool,
    /// Where NULL sorts in an ascending order.
    pub nulls: Nulls,
    /// What an affected count counts.
    pub affected: Affected,
}
