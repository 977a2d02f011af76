//! The statements of the parallel workload as data: what they say, without a name and without a dialect.
//!
//! Objects stand by the number of their slot (`Op::slots` says what a slot binds), columns and constraints by identity
//! and spelling. `targets` writes the text; this module must not know how.
//!
//! * S1 a statement names nothing that is not in its op's slots or in a [`Named`] of it: [`walk`] finds all of them.
//! * S2 a statement is written whole into the trace and read from it again, equal.

mod define;
pub mod walk;

pub use define::{Change, ColumnDef, ConstraintDef, Define, IndexKey, Rule};

use crate::Level;
use crate::parallel::expr::{Constant, Expr, Named, Sort, Word};
use crate::parallel::{ObjectKind, Right, Type};
use serde::{Deserialize, Serialize};

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statement {
    /// SELECT and its relatives.
    Query(Box<Query>),
    /// INSERT.
    Insert(Box<Insert>),
    /// UPDATE.
    Update(Box<Update>),
    /// DELETE.
    Delete(Box<Delete>),
    /// TRUNCATE.
    Truncate {
        /// Which tables.
        tables: Vec<u8>,
        /// RESTART IDENTITY.
        restart: bool,
        /// CASCADE.
        cascade: bool,
    },
    /// COPY … FROM STDIN.
    CopyIn {
        /// Into which table.
        table: u8,
        /// Its columns.
        columns: Vec<Named>,
        /// Types of the columns.
        types: Vec<Type>,
        /// What is sent.
        rows: Vec<Vec<Constant>>,
        /// Whether as CSV.
        csv: bool,
    },
    /// COPY (…) TO STDOUT.
    CopyOut {
        /// What is read.
        query: Box<Query>,
        /// Whether as CSV.
        csv: bool,
    },
    /// BEGIN, COMMIT and what lies between.
    Transaction(Transaction),
    /// A cursor.
    Cursor(Cursor),
    /// A prepared statement.
    Prepared(Prepared),
    /// EXPLAIN.
    Explain {
        /// Whether it is run.
        analyze: bool,
        /// What is explained.
        of: Box<Statement>,
    },
    /// SET, RESET, SHOW, DISCARD: what concerns the session.
    Session(Session),
    /// A query of the server's catalogue, by its name in the dialect's list.
    Catalogue(Word),
    /// What makes, changes and drops objects.
    Define(Box<Define>),
    /// GRANT, REVOKE and what belongs to them.
    Rights(Box<Rights>),
    /// VACUUM, ANALYZE, REINDEX and their like.
    Care(Care),
    /// As it is written: foreign sources.
    Verbatim(Word),
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// WITH: table expressions by alias.
    pub with: Vec<TableExpression>,
    /// What is selected.
    pub body: Body,
    /// ORDER BY.
    pub order: Vec<Sort>,
    /// LIMIT.
    pub limit: Option<u64>,
    /// OFFSET.
    pub offset: Option<u64>,
    /// FOR UPDATE and its relatives.
    pub lock: Option<Lock>,
}

/// A table expression of WITH; its columns are its query's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableExpression {
    /// The number of its name.
    pub number: u8,
    /// Whether it may refer to itself.
    pub recursive: bool,
    /// MATERIALIZED (true), NOT MATERIALIZED (false), or as the target likes.
    pub materialized: Option<bool>,
    /// What it stands for.
    pub query: Query,
}

/// What rows a query has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// SELECT.
    Select(Box<Select>),
    /// UNION, INTERSECT, EXCEPT.
    Set {
        /// Which.
        op: SetOp,
        /// Whether duplicates stay.
        all: bool,
        /// One side.
        left: Box<Body>,
        /// The other.
        right: Box<Body>,
    },
    /// VALUES.
    Values(Vec<Vec<Expr>>),
}

/// An operation of sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetOp {
    /// In one or the other.
    Union,
    /// In both.
    Intersect,
    /// In the first only.
    Except,
}

/// SELECT without its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Select {
    /// DISTINCT.
    pub distinct: bool,
    /// The outputs; the i-th is called by its number. Empty: `*`.
    pub outputs: Vec<Expr>,
    /// FROM.
    pub from: Option<From>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// GROUP BY.
    pub group: Vec<Expr>,
    /// HAVING.
    pub having: Option<Expr>,
}

/// What is selected from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// One relation.
    One {
        /// Which.
        source: Source,
        /// The number of its alias.
        alias: u8,
    },
    /// A join.
    Join {
        /// Which.
        kind: Join,
        /// One side.
        left: Box<From>,
        /// The other.
        right: Box<From>,
        /// ON; there exactly where `kind` is not [`Join::Cross`].
        on: Option<Expr>,
    },
}

/// A relation of FROM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// What a slot binds.
    Slot(u8),
    /// A table expression of WITH.
    Expression(u8),
    /// A subquery; the flag says LATERAL.
    Query(Box<Query>, bool),
}

/// How two relations are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Join {
    /// Rows that fit.
    Inner,
    /// And all of the left.
    Left,
    /// And all of the right.
    Right,
    /// And all of both.
    Full,
    /// Each with each.
    Cross,
}

/// How rows are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lock {
    /// SHARE instead of UPDATE.
    pub share: bool,
    /// NO KEY UPDATE, KEY SHARE.
    pub weak: bool,
    /// What to do with rows that others hold.
    pub wait: Wait,
}

/// What to do with rows that others hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// Wait.
    Block,
    /// Fail at once.
    NoWait,
    /// Leave them out.
    Skip,
}

/// INSERT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Insert {
    /// Into which table.
    pub table: u8,
    /// Its columns.
    pub columns: Vec<Named>,
    /// The rows.
    pub rows: Rows,
    /// What to do where a row of the key is there.
    pub conflict: Option<Conflict>,
    /// RETURNING.
    pub returning: Vec<Expr>,
}

/// The rows of an insert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// VALUES; `None` is DEFAULT.
    Values(Vec<Vec<Option<Expr>>>),
    /// A query.
    Query(Box<Query>),
    /// DEFAULT VALUES.
    Defaults,
}

/// ON CONFLICT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The columns of the unique index; empty: any.
    pub target: Vec<Named>,
    /// DO UPDATE SET; empty: DO NOTHING.
    pub set: Vec<(Named, Expr)>,
}

/// UPDATE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Which table.
    pub table: u8,
    /// Its alias.
    pub alias: u8,
    /// SET; `None` is DEFAULT.
    pub set: Vec<(Named, Option<Expr>)>,
    /// FROM.
    pub from: Option<From>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// RETURNING.
    pub returning: Vec<Expr>,
}

/// DELETE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// From which table.
    pub table: u8,
    /// Its alias.
    pub alias: u8,
    /// USING.
    pub using: Option<From>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// RETURNING.
    pub returning: Vec<Expr>,
}

/// BEGIN, COMMIT and what lies between. Savepoints are numbered by the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transaction {
    /// BEGIN.
    Begin {
        /// At which level; `None`: the session's.
        level: Option<Level>,
        /// READ ONLY.
        read_only: bool,
    },
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
    /// SAVEPOINT.
    Savepoint(u32),
    /// RELEASE SAVEPOINT.
    Release(u32),
    /// ROLLBACK TO SAVEPOINT.
    RollbackTo(u32),
    /// LOCK TABLE in a mode.
    Lock {
        /// Which tables.
        tables: Vec<u8>,
        /// ACCESS SHARE and so on.
        mode: Word,
        /// NOWAIT.
        no_wait: bool,
    },
    /// SET CONSTRAINTS ALL, DEFERRED (true) or IMMEDIATE.
    Constraints(bool),
}

/// A cursor, numbered by the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cursor {
    /// DECLARE.
    Declare {
        /// Its number.
        number: u32,
        /// SCROLL.
        scroll: bool,
        /// WITH HOLD.
        hold: bool,
        /// What it goes through.
        query: Box<Query>,
    },
    /// FETCH or MOVE.
    Fetch {
        /// Its number.
        number: u32,
        /// Which rows, as it is written: `FORWARD 10`, `ALL`.
        which: Word,
        /// MOVE instead of FETCH.
        skip: bool,
    },
    /// CLOSE.
    Close(u32),
}

/// A prepared statement, numbered by the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prepared {
    /// PREPARE.
    Prepare {
        /// Its number.
        number: u32,
        /// Types of its parameters.
        types: Vec<Type>,
        /// What it does.
        of: Box<Statement>,
    },
    /// EXECUTE.
    Execute {
        /// Its number.
        number: u32,
        /// The parameters.
        args: Vec<Expr>,
    },
    /// DEALLOCATE.
    Deallocate(u32),
}

/// What concerns the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Session {
    /// SET.
    Set {
        /// What.
        name: Word,
        /// To what, as it is written.
        value: Word,
        /// SET LOCAL.
        local: bool,
    },
    /// RESET.
    Reset(Word),
    /// SHOW.
    Show(Word),
    /// DISCARD, of what: `PLANS`, `SEQUENCES`, `TEMP`, `ALL`.
    Discard(Word),
    /// SET ROLE of a slot, or back to one's own.
    Role(Option<u8>),
}

/// Roles and what they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rights {
    /// CREATE ROLE.
    Role {
        /// The new one.
        slot: u8,
    },
    /// ALTER ROLE … of a connection limit, which nothing leans on.
    AlterRole {
        /// Which.
        slot: u8,
        /// CONNECTION LIMIT.
        limit: i32,
    },
    /// GRANT (true) or REVOKE of rights on an object.
    Grant {
        /// Whether given.
        give: bool,
        /// Which.
        rights: Vec<Right>,
        /// What the object is.
        kind: ObjectKind,
        /// The object.
        slot: u8,
        /// The role.
        role: u8,
    },
    /// GRANT (true) or REVOKE of a role.
    Member {
        /// Whether given.
        give: bool,
        /// Which role.
        role: u8,
        /// To which.
        to: u8,
    },
    /// ALTER … OWNER TO.
    Owner {
        /// What the object is.
        kind: ObjectKind,
        /// The object.
        slot: u8,
        /// The role; `None`: the role of the connection.
        role: Option<u8>,
    },
}

/// What keeps a database in order and changes nothing in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Care {
    /// ANALYZE.
    Analyze(u8),
    /// VACUUM, with options as they are written, or "".
    Vacuum {
        /// Of which table.
        slot: u8,
        /// `FULL`, `FREEZE`, …
        options: Word,
    },
    /// REINDEX.
    Reindex {
        /// A table or an index.
        kind: ObjectKind,
        /// Which.
        slot: u8,
        /// CONCURRENTLY.
        concurrently: bool,
    },
    /// CLUSTER … USING.
    Cluster {
        /// Which table.
        slot: u8,
        /// By which index.
        index: u8,
    },
    /// CHECKPOINT and other things without an object, as they are written.
    Whole(Word),
}

impl Body {
    /// How many columns it gives; 0 where they are all of its relations.
    pub fn width(&self) -> u8 {
        let width = match self {
            Self::Select(select) => select.outputs.len(),
            Self::Set { left, .. } => return left.width(),
            Self::Values(rows) => rows.first().map_or(0, Vec::len),
        };
        u8::try_from(width).expect("a statement has at most 255 outputs")
    }
}
