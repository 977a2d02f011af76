//! The nouns of a run, in the order a run meets them.
//!
//! | word | meaning |
//! |---|---|
//! | plan | seed + every option of a run; a run is a function of its plan and its target |
//! | [`Lts`] | logical timestamp: the number of a visit; the first is 1 |
//! | [`Visit`] | what one session does at one lts: a transaction or one autocommit statement |
//! | [`Part`] | a partition: (table, position in the universe of the table's partition keys) |
//! | row | a position in the universe of the table's clustering keys, inside a partition |
//! | descriptor | a 64-bit number that stands for a value of a column; [`datagen`] inflates and deflates it |
//! | [`Step`] | one statement of a visit: a write ([`Op`]), a read ([`Query`]), a savepoint |
//! | [`Change`] | a change of a table's schema: a visit of its own, in no partition and in all of its table |
//! | [`Address`] | (lts, attempt, step): names one statement in logs, lies, faults, findings |
//! | [`Answer`] | what the database said to one step: rows, a count, refused, unknown |
//! | [`Tick`] | time in judgements: one counter per process, taken before sending and after receiving |
//! | [`Track`] | the little that is not a function of the plan: state, attempt, session, visibility of a visit |
//! | [`Claim`] | the promise that the database is held to |
//! | [`Semantics`] | how the target's statements mean what they mean (null order, affected counts) |
//! | [`Explicit`] | a history that is written down, a [`Line`] a visit, instead of computed |
//! | [`Finding`] | evidence that a promise was broken: data first, words later |
//! | [`Verdict`] | what a run ends with: counts, findings, doubts, what was left out |
//!
//! Invariants:
//! * H1 nothing here knows how a history came to be; visits come through [`Regenerate`].
//! * H2 only `artefact`, `log` and `tracker` touch files; nothing reads a clock or starts a thread.
//! * H3 `Visit::encode` is canonical: equal visits have equal bytes, and so equal digests.

pub mod ast;
pub mod claim;
mod encode;
pub mod explicit;
pub mod finding;
pub mod ids;
mod names;
pub mod outcome;
pub mod parallel;
pub mod progress;
pub mod regenerate;
pub mod track;
pub mod verdict;

pub mod artefact;
pub mod log;
#[cfg(test)]
mod museum;
pub mod notation;
pub mod tracker;

pub use ast::{
    Aggregate, Amounts, Cells, Change, ChangeKind, Condition, Consistency, Elements, End, Extras, From, Op,
    Parts, Predicate, Query, Relation, RowChoice, Select, Stamp, Step, Visit,
};
pub use claim::{Affected, Atomic, Check, Claim, Discipline, Level, Semantics, Snapshot, Sums, Ties};
pub use datagen::value::Nulls;
pub use explicit::{Explicit, Line, Misfit};
pub use finding::{Certainty, Finding, Kind, Shape};
pub use ids::{Address, Lts, Part, SessionId, Tick};
pub use outcome::{Answer, Answered, Outcome, Reason, ReasonKind, Rows, Span};
pub use progress::{Progress, Watcher};
pub use regenerate::Regenerate;
pub use track::{State, Track, Tracker};
pub use verdict::{Counts, Status, Verdict};
