//! What the database said. Never an `Err`: an `Err` is for us (A6).

use crate::{Address, SessionId, Tick};
use serde::{Deserialize, Serialize};

/// From the tick before the first byte was sent to the tick after the last was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// Before sending.
    pub sent: Tick,
    /// After receiving.
    pub answered: Tick,
}

impl Span {
    /// Whether the two share a moment.
    pub fn overlaps(&self, other: &Span) -> bool {
        self.sent < other.answered && other.sent < self.answered
    }
}

/// What the database said to one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The rows of a read.
    Rows(Rows),
    /// The affected count of a write; 0 for BEGIN, COMMIT, ROLLBACK, savepoints.
    Affected(u64),
    /// The server said no: nothing of this statement happened (a promise). The transaction, if any, is still ours to end.
    Refused(Reason),
    /// We do not know whether it happened.
    Unknown(Reason),
}

/// Why a statement was refused or its answer is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What it means to us.
    pub kind: ReasonKind,
    /// The server's own code (SQLSTATE, SQLite extended code), or "" where it gave none.
    pub code: String,
    /// The server's or driver's own words.
    pub text: String,
}

/// What a refusal means to us. One tested table per dialect fills it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonKind {
    /// The key exists.
    Duplicate,
    /// A serialization failure: try again.
    Serialization,
    /// A deadlock victim.
    Deadlock,
    /// Somebody holds a lock (SQLite BUSY, lock timeout).
    Busy,
    /// We, or somebody, cancelled the statement.
    Cancelled,
    /// The deadline passed without an answer.
    Deadline,
    /// The connection is gone.
    Disconnected,
    /// The server is starting, stopping, or recovering.
    Unavailable,
    /// COMMIT was answered by ROLLBACK.
    RolledBack,
    /// The transaction had failed before.
    InFailedTransaction,
    /// Anything else: a statement that should have worked was refused.
    Other,
}

/// Rows of an answer, flat, every cell in the canonical encoding of `datagen::value` (equal bytes: identical values).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rows {
    /// Cells of all rows, one after another.
    pub bytes: Vec<u8>,
    /// Where each row ends in `bytes`: row `i` is `bytes[ends[i - 1]..ends[i]]`.
    pub ends: Vec<u32>,
}

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Closes the row whose cells were appended to `bytes`. Panics past 4 GiB.
    pub fn end_row(&mut self) {
        self.ends
            .push(u32::try_from(self.bytes.len()).expect("an answer stays below 4 GiB"));
    }

    /// The cells of row `i`. Panics if there is no such row.
    pub fn row(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        &self.bytes[start..self.ends[i] as usize]
    }

    /// Every row, in the order of the answer.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.row(i))
    }
}

/// One step with its answer: what the judge is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Which statement.
    pub address: Address,
    /// Who asked.
    pub session: SessionId,
    /// Its statement span.
    pub span: Span,
    /// In which its snapshot was taken (F8). Equal to `span` for an autocommit statement.
    pub snapshot: Span,
    /// What came back.
    pub answer: Answer,
}

/// What became of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Acknowledged.
    Committed,
    /// A promise that nothing happened: refused, or rolled back by plan.
    Rejected,
    /// Either.
    Unknown,
}
