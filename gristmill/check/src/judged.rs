//! What goes into the judge and what comes out of it.

use crate::lww::{Awaited, Raced};
use datagen::schema::{ColumnId, Schema};
use history::{
    Address, Answered, Atomic, Cells, Check, Claim, Discipline, Finding, Lts, Op, Query, SessionId, Span,
    Tick,
};
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Settings and limits of the judge. Of the limits none changes a verdict but `choices_max`, which turns an answer into
/// "not compared".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Memory for heads and checkpoints of partitions, in bytes; 0 keeps nothing between two answers.
    pub bytes_max: usize,
    /// Writers between two checkpoints of one partition; at least 1.
    pub checkpoint_every: u32,
    /// Choices of overlapping visits that are tried for one answer (F11).
    pub choices_max: u32,
    /// Into how many independently locked shards the partitions are divided; a power of two.
    pub shards: usize,
    /// Which order of the writes may be assumed.
    pub discipline: Discipline,
    /// How much is compared.
    pub check: Check,
    /// Under `lww`: no visit has a timestamp that is smaller by more than this than that of a visit with a lesser number.
    /// What is promised here lets old deletions be forgotten; [`i64::MAX`] promises nothing.
    pub displacement: i64,
    /// At most so many visits are begun and not over at any moment, each taken in the order of the numbers.
    pub sessions: u32,
    /// Table and column: where indexes come and go during the run, beside those of the schema.
    pub indexed: BTreeSet<(u16, ColumnId)>,
}

impl Options {
    /// Whether an index may answer a read, where what is visible as a whole is a page at most: its entries are read first and the
    /// rows after them, each by itself, so that a row is left out that fits neither then nor now.
    pub(crate) fn may_use_index(&self, claim: &Claim, query: &Query, schema: &Schema) -> bool {
        let table = schema.table(query.table);
        let stands = |column: ColumnId| {
            self.indexed.contains(&(query.table, column))
                || table.indexes.iter().any(|index| index.columns.contains(&column))
        };
        claim.atomic == Atomic::Page && query.filter.iter().any(|p| stands(p.column))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bytes_max: 256 << 20,
            checkpoint_every: 256,
            choices_max: 4096,
            shards: 64,
            discipline: Discipline::Ordered,
            check: Check::Exhaustive,
            displacement: i64::MAX,
            sessions: 256,
            indexed: BTreeSet::new(),
        }
    }
}

/// What was compared in one answer that was explained.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    /// Kinds of the op or query (`Op::kind`, `Query::kind`): none where nothing is judged (BEGIN, savepoints, COMMIT), each
    /// once for a batch, whose writes have one answer.
    pub kinds: SmallVec<[&'static str; 1]>,
    /// Whether it was a read.
    pub read: bool,
    /// Rows compared.
    pub rows: u64,
    /// Cells compared.
    pub cells: u64,
    /// Whether visits overlapped the snapshot, so that a choice explained it.
    pub overlapped: bool,
    /// Visits that were applied to the model for it.
    pub replayed: u64,
}

impl Explanation {
    /// Of one statement.
    pub(crate) fn of(kind: &'static str) -> Self {
        Self {
            kinds: smallvec![kind],
            ..Self::default()
        }
    }

    /// What its answer is called in a finding: the first kind, "" where there is none.
    pub(crate) fn action(&self) -> &'static str {
        self.kinds.first().copied().unwrap_or_default()
    }
}

/// The verdict on one answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// Some state that the claim allows gives this answer.
    Explained(Explanation),
    /// It was not compared, and why; to be counted.
    NotCompared(&'static str),
    /// No allowed state gives this answer.
    Broken(Box<Finding>),
}

/// What `Judge::explain` found out about one answer, for `Judge::conclude`.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    pub(crate) address: Address,
    pub(crate) session: SessionId,
    pub(crate) span: Span,
    pub(crate) snapshot: Span,
    pub(crate) stage: Stage,
}

impl Explained {
    /// When the answer came: `Judge::conclude` wants ascending order of this.
    pub fn answered(&self) -> Tick {
        self.span.answered
    }

    /// In which its snapshot was taken: `Judge::floor` must stay below its beginning until it is concluded.
    pub fn snapshot(&self) -> Span {
        self.snapshot
    }

    /// Which statement.
    pub fn address(&self) -> Address {
        self.address
    }
}

/// What stage 1 says of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// These choices of the overlapping visits give the answer; at least one.
    Fits(Explanation, Choices),
    /// The same, where visits race.
    Raced(Explanation, Box<Raced>),
    /// A lightweight transaction or a serial read: what it is worth is said later.
    Awaited(Explanation, Box<Awaited>),
    NotCompared(&'static str),
    Broken(Box<Finding>),
}

/// The visits that overlap a snapshot, and which choices of them explain the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choices {
    /// Sorted by `from`.
    pub(crate) open: Vec<Overlap>,
    /// Bit `i` set: `open[i]` is visible. Empty list of visits: nothing to choose.
    pub(crate) masks: Vec<u64>,
}

/// A visit that may or may not be visible to a snapshot: its effects appear at some point between `from` and `by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overlap {
    pub(crate) lts: Lts,
    /// Its COMMIT was not sent before this.
    pub(crate) from: Tick,
    /// It was acknowledged before this; `Tick(u64::MAX)` where it never was.
    pub(crate) by: Tick,
    /// Who did it.
    pub(crate) session: SessionId,
    /// Nobody said whether it happened.
    pub(crate) unknown: bool,
}

/// A read taken to settle an unknown visit, after its session was seen gone (F6).
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// A whole-partition read of one partition of the visit, rows or companion.
    pub query: Query,
    /// Its answer, in autocommit.
    pub answered: Answered,
}

/// What became of an unknown visit.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// Its effects are there.
    Committed,
    /// They are not.
    Rejected,
    /// Both states look the same: nothing that anybody can read tells them apart now.
    Alike,
    /// Neither state is what the probes show.
    Broken(Box<Finding>),
}

/// One partition at one moment: what `check RUN --at LTS` prints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionState {
    /// Position of the clustering key and every regular cell, sorted by position.
    pub rows: Vec<(u64, Cells)>,
    /// Every shared cell; `None` where there is no companion row.
    pub shared: Option<Cells>,
}

/// When everything that was acknowledged by the first tick was on every replica: the end of a repair that began after that tick
/// and was over before the second one, the earliest of them. `None`: there was none.
pub type Spread = Arc<dyn Fn(Tick, Tick) -> Option<Tick> + Send + Sync>;

/// One write of what is left of a partition where the greatest timestamp wins: what shows the same when it is written alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// Its timestamp.
    pub timestamp: i64,
    /// Seconds that it lives, counted from when it is written.
    pub ttl: Option<u32>,
    /// What is written: rows that are there by themselves are upserts, cells of another timestamp updates.
    pub op: Op,
}
