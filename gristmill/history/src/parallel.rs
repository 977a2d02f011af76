//! The nouns of the parallel workload: statements over a schema that changes while they run.
//!
//! An *op* is one statement with its footprint and effects; a *group* is the ops that share one fate (a transaction, or
//! one autocommit op); a *slot* is a place in an op that binds an object or a name; a *facet* is one fact about an
//! object that can change by itself.
//!
//! | word | meaning |
//! |---|---|
//! | [`At`] | names one op: session and the number of the op in it |
//! | [`ObjectId`], [`Piece`] | an object, a column or constraint of one: made from the op that creates it, never used again |
//! | [`Name`] | space, parent, the spelling that the target keeps: what a server resolves |
//! | [`Facet`], [`FactValue`] | one fact of an object, and what it can be |
//! | [`Target`], [`Touch`], [`Effect`] | what a slot of an op means, what the op does with it, what is so afterwards |
//! | [`Op`] | a statement as data: AST, slots, touches, effects, what it can raise, what it aims at |
//! | [`Object`], [`Catalog`] | what the model believes to be there: the *likely state* that ops are drawn on |
//! | [`View`] | the likely state as one session sees it |
//! | [`Seen`] | what the server's catalogue says is there: names only, no identities |
//! | [`Answer`] | what the server said |
//! | [`Rules`], [`Row`] | a target's errors as data: which question makes which error an expected one |
//! | [`Question`], [`Tri`], [`Cause`] | what is asked of the model, the three answers, the witnesses |
//! | [`Explained`], [`Finding`] | what became of one answer |
//!
//! Invariants:
//! * N1 everything that a judgement needs is in the ops and the answers, so a trace of both is judged again alike (P2).
//! * N2 an identity is never a server's number and never used twice; two sessions make theirs without asking each other.
//! * N3 nothing here knows a target by its name: what differs is in [`Rules`] and in the rows of the dialects.

pub mod answer;
mod catalog;
mod explained;
pub mod expr;
mod ids;
mod object;
mod op;
mod rules;
pub mod seen;
pub mod statement;
mod types;
mod view;

pub use answer::{Answer, Said, Table, TxState};
pub use catalog::Catalog;
pub use explained::{Asked, Cause, Class, Explained, Finding, Question, Tri};
pub use ids::{At, KeptName, Name, ObjectId, ObjectKind, Piece, Space};
pub use object::{
    Column, ColumnEdit, Constraint, ConstraintKind, Detail, Facet, FactValue, Ledger, Object, Persistence,
    Right,
};
pub use op::{Aim, CellChange, DataError, Effect, Family, Fault, FrameOp, Limit, Mode, Op, Target, Touch};
pub use rules::{Match, Row, Rules, Source};
pub use seen::{Seen, SeenColumn, SeenKind, SeenObject};
pub use statement::Statement;
pub use types::Type;
pub use view::{SessionView, View};

#[cfg(test)]
mod tests;
