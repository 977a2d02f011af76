//! Evidence that a promise was broken. Data first; `report` makes words of it.

use crate::{Address, Lts, Part, SessionId, Span};
use datagen::schema::ColumnId;
use serde::{Deserialize, Serialize};

/// What sort of promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An answer that no state of the model explains.
    WrongResult,
    /// The claimed isolation was not kept.
    Isolation,
    /// A statement that should work was refused.
    UnexpectedError,
    /// The database went away by itself.
    Crash,
    /// No answer for too long, and nothing of ours explains it.
    Hang,
    /// Acknowledged and lost, or rejected and there.
    Durability,
    /// A stream of updates that does not add up.
    Stream,
    /// The catalogue is not what was made.
    Catalog,
    /// Allowed without the right, or refused with it.
    Privilege,
}

/// How sure, in three words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Judged twice, nothing open or unknown near it.
    Certain,
    /// True unless what the words beside it say were otherwise.
    Likely,
    /// A doubt, not a finding.
    Unknown,
}

/// Why a row or value should not have been there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// No visit ever wrote it there.
    NeverWritten,
    /// It was removed or overwritten by this visit before.
    Overwritten(Lts),
    /// Only this visit wrote it, and it was rejected or rolled back.
    RolledBack(Lts),
    /// Only this visit wrote it, and its COMMIT had not been sent.
    NotYetCommitted(Lts),
    /// A counter that lacks what this visit, and perhaps another one, added.
    Lacks(Lts),
    /// A counter to which what this visit added was added twice.
    AddedTwice(Lts),
}

/// What exactly differs. `expected` values come from the model, `actual` ones from the answer; values as
/// `datagen::value::Value` shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A row that must be there is not; `writer` made it.
    MissingRow {
        /// Who wrote it last.
        writer: Lts,
    },
    /// A row is there that must not be.
    ExtraRow {
        /// Why not.
        why: Why,
    },
    /// A cell has another value than it must have.
    WrongCell {
        /// By the model; NULL is a value.
        expected: String,
        /// Who wrote the expected value last, if anyone.
        writer: Option<Lts>,
        /// In the answer.
        actual: String,
        /// Where the actual value comes from.
        why: Why,
    },
    /// A cell has the right value and another write timestamp than it must have.
    WrongTimestamp {
        /// By the model, in the target's unit; NULL where the cell is.
        expected: String,
        /// Who wrote the cell last, if anyone.
        writer: Option<Lts>,
        /// In the answer.
        actual: String,
    },
    /// A cell lives longer or shorter than it may, or for ever.
    WrongTtl {
        /// What may be answered: a range of seconds, or NULL.
        expected: String,
        /// In the answer.
        actual: String,
    },
    /// A value that no descriptor of the column stands for.
    ForeignValue {
        /// In the answer.
        actual: String,
    },
    /// One row twice.
    DuplicateRow,
    /// The rows are right, their order is not.
    WrongOrder,
    /// Too many or too few rows under LIMIT, OFFSET.
    WrongCount {
        /// By the model.
        expected: u64,
        /// In the answer.
        actual: u64,
    },
    /// An aggregate, a group or a distinct value is wrong.
    WrongAggregate {
        /// By the model.
        expected: String,
        /// In the answer.
        actual: String,
    },
    /// The affected count of a write is wrong.
    WrongAffected {
        /// By the model.
        expected: u64,
        /// In the answer.
        actual: u64,
    },
    /// Refused as a duplicate, though the row was absent.
    RefusedAbsent,
    /// Accepted, though the row was there.
    AcceptedDuplicate,
    /// Parts of the answer need a visit to be visible, others need it not to be.
    Torn {
        /// The visit.
        visit: Lts,
    },
    /// A visit that an earlier read had shown is gone from a later one.
    NotMonotonic {
        /// The visit.
        visit: Lts,
        /// The read that had shown it.
        shown_by: Address,
    },
    /// No order of a partition's lightweight transactions and serial reads that real time allows gives this answer.
    NotLinearizable,
    /// The answer cannot be read: wrong number of columns, wrong type.
    Unreadable {
        /// What is wrong with it.
        what: String,
    },
    /// A statement was refused that nothing in the run explains.
    Refused {
        /// The server's code.
        code: String,
        /// The server's words.
        text: String,
    },
    /// A statement was done that nothing in the run allows.
    Allowed {
        /// What was in its way.
        what: String,
    },
    /// What the server says about its own objects, or a check of the whole database, is not what was made.
    Differs {
        /// Which check.
        check: String,
        /// The difference, in words.
        what: String,
    },
    /// A second database answers otherwise.
    Disagreement {
        /// Which, as a URL without password.
        with: String,
        /// The answer of the first.
        here: String,
        /// Its own.
        there: String,
    },
    /// The server, or the engine in our worker, ended by itself.
    Died {
        /// How it ended, in the operating system's words.
        how: String,
    },
    /// No statement of a session ended in time.
    Stalled {
        /// For how long, in milliseconds.
        waited_ms: u64,
        /// What the server says it waited for, if it says so.
        waiting_for: String,
    },
}

impl Shape {
    /// The name of the shape: what repeats of one cause share.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MissingRow { .. } => "missing row",
            Self::ExtraRow { .. } => "extra row",
            Self::WrongCell { .. } => "wrong cell",
            Self::WrongTimestamp { .. } => "wrong timestamp",
            Self::WrongTtl { .. } => "wrong time to live",
            Self::ForeignValue { .. } => "foreign value",
            Self::DuplicateRow => "duplicate row",
            Self::WrongOrder => "wrong order",
            Self::WrongCount { .. } => "wrong count",
            Self::WrongAggregate { .. } => "wrong aggregate",
            Self::WrongAffected { .. } => "wrong affected count",
            Self::RefusedAbsent => "refused as duplicate",
            Self::AcceptedDuplicate => "accepted duplicate",
            Self::Torn { .. } => "torn visit",
            Self::NotMonotonic { .. } => "not monotonic",
            Self::NotLinearizable => "not linearizable",
            Self::Unreadable { .. } => "unreadable answer",
            Self::Refused { .. } => "refused",
            Self::Allowed { .. } => "allowed",
            Self::Differs { .. } => "differs",
            Self::Disagreement { .. } => "disagreement",
            Self::Died { .. } => "died",
            Self::Stalled { .. } => "stalled",
        }
    }
}

/// One broken promise, with everything needed to say it and to judge it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What sort.
    pub kind: Kind,
    /// What differs.
    pub shape: Shape,
    /// The statement whose answer is wrong.
    pub read: Address,
    /// Who asked.
    pub session: SessionId,
    /// When.
    pub span: Span,
    /// In which its snapshot was taken.
    pub snapshot: Span,
    /// The kind of the query or op (`Query::kind`, `Op::kind`), or "" where there is none.
    pub action: String,
    /// Where, if at one place.
    pub part: Option<Part>,
    /// Which row.
    pub row: Option<u64>,
    /// Which column.
    pub column: Option<ColumnId>,
    /// The visits that explain the difference, oldest first: the smallest proof. The read's own is not among them.
    pub proof: Vec<Lts>,
    /// How sure.
    pub certainty: Certainty,
    /// Where `certainty` is not certain: what would have to be otherwise.
    pub doubt: String,
}

impl Finding {
    /// What repeats of one cause share: kind, shape, kind of statement.
    pub fn signature(&self) -> String {
        format!("{:?}/{}/{}", self.kind, self.shape.name(), self.action)
    }
}
