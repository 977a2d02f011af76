//! The statements of the parallel workload as data: what they say, without a name and without a dialect.
//!
//! Objects stand by the number of their slot (`Op::slots` says what a slot binds), columns and constraints by identity
//! and spelling. `targets` writes the text; this module must not know how.
//!
//! * S1 a statement names nothing that is not in its op's slots or in a [`Named`] of it: [`walk`] finds all of them.
//! * S2 a statement is written whole into the trace and read from it again, equal.

pub mod walk;

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

/// A column as it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDef {
    /// Which, and what it is called.
    pub column: Named,
    /// Its type.
    pub ty: Type,
    /// NOT NULL.
    pub not_null: bool,
    /// DEFAULT.
    pub default: Option<Expr>,
    /// GENERATED ALWAYS AS … STORED.
    pub generated: Option<Expr>,
}

/// A constraint as it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstraintDef {
    /// Which, and what it is called.
    pub constraint: Named,
    /// What it demands.
    pub rule: Rule,
    /// NOT VALID.
    pub not_valid: bool,
    /// DEFERRABLE INITIALLY DEFERRED.
    pub deferred: bool,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// PRIMARY KEY.
    Primary(Vec<Named>),
    /// UNIQUE.
    Unique(Vec<Named>),
    /// CHECK.
    Check(Expr),
    /// FOREIGN KEY.
    Foreign {
        /// Of these columns.
        columns: Vec<Named>,
        /// To the table of this slot.
        table: u8,
        /// To these columns.
        to: Vec<Named>,
        /// ON DELETE, as it is written, or "".
        on_delete: Word,
    },
}

/// A key of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexKey {
    /// A column or an expression.
    pub by: Expr,
    /// DESC.
    pub descending: bool,
}

/// What makes, changes and drops objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Define {
    /// CREATE SCHEMA.
    Schema {
        /// The new one.
        slot: u8,
        /// IF NOT EXISTS.
        if_not_exists: bool,
    },
    /// CREATE TABLE.
    Table {
        /// The new one.
        slot: u8,
        /// TEMPORARY.
        temporary: bool,
        /// UNLOGGED.
        unlogged: bool,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Its columns.
        columns: Vec<ColumnDef>,
        /// Its constraints.
        constraints: Vec<ConstraintDef>,
    },
    /// CREATE TABLE … AS.
    TableAs {
        /// The new one.
        slot: u8,
        /// TEMPORARY.
        temporary: bool,
        /// What its columns are called.
        columns: Vec<Named>,
        /// Its rows.
        query: Query,
    },
    /// CREATE VIEW, MATERIALIZED VIEW.
    View {
        /// The new one, or the one that is replaced.
        slot: u8,
        /// MATERIALIZED.
        materialized: bool,
        /// OR REPLACE.
        or_replace: bool,
        /// TEMPORARY.
        temporary: bool,
        /// WITH NO DATA.
        empty: bool,
        /// What its columns are called.
        columns: Vec<Named>,
        /// What it selects.
        query: Query,
    },
    /// REFRESH MATERIALIZED VIEW.
    Refresh {
        /// Which.
        slot: u8,
        /// CONCURRENTLY.
        concurrently: bool,
        /// WITH NO DATA.
        empty: bool,
    },
    /// CREATE INDEX.
    Index {
        /// The new one.
        slot: u8,
        /// On which relation.
        on: u8,
        /// UNIQUE.
        unique: bool,
        /// CONCURRENTLY.
        concurrently: bool,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Its keys.
        keys: Vec<IndexKey>,
        /// WHERE.
        filter: Option<Expr>,
    },
    /// CREATE SEQUENCE.
    Sequence {
        /// The new one.
        slot: u8,
        /// INCREMENT BY.
        increment: i64,
        /// START WITH.
        start: i64,
        /// CYCLE.
        cycle: bool,
    },
    /// ALTER SEQUENCE … RESTART, INCREMENT BY.
    AlterSequence {
        /// Which.
        slot: u8,
        /// INCREMENT BY.
        increment: i64,
        /// RESTART.
        restart: bool,
    },
    /// CREATE FUNCTION in SQL.
    Function {
        /// The new one, or the one that is replaced.
        slot: u8,
        /// OR REPLACE.
        or_replace: bool,
        /// Types of its parameters.
        arguments: Vec<Type>,
        /// Type of its result.
        result: Type,
        /// IMMUTABLE, STABLE, VOLATILE.
        volatility: Word,
        /// What it gives.
        body: Expr,
    },
    /// CREATE FUNCTION … RETURNS trigger, which does nothing but let the row through.
    TriggerFunction {
        /// The new one.
        slot: u8,
    },
    /// CREATE TRIGGER.
    Trigger {
        /// The new one.
        slot: u8,
        /// On which table.
        on: u8,
        /// What it calls: the slot of a function; `None` where the dialect has the body in place.
        function: Option<u8>,
        /// BEFORE INSERT and so on, as it is written.
        when: Word,
    },
    /// CREATE TYPE … AS ENUM.
    Enum {
        /// The new one.
        slot: u8,
        /// Its labels.
        labels: Vec<Word>,
    },
    /// CREATE DOMAIN.
    Domain {
        /// The new one.
        slot: u8,
        /// What it stands on.
        base: Type,
        /// CHECK, over `VALUE`, as it is written, or "".
        check: Word,
    },
    /// ALTER TYPE … ADD VALUE.
    AddLabel {
        /// Which type.
        slot: u8,
        /// The label.
        label: Word,
    },
    /// DROP of anything.
    Drop {
        /// What it is.
        kind: ObjectKind,
        /// Which ones.
        slots: Vec<u8>,
        /// Of a trigger: its table.
        on: Option<u8>,
        /// IF EXISTS.
        if_exists: bool,
        /// CONCURRENTLY.
        concurrently: bool,
        /// CASCADE (true), RESTRICT (false), or nothing said.
        cascade: Option<bool>,
    },
    /// ALTER … RENAME TO.
    Rename {
        /// What it is.
        kind: ObjectKind,
        /// Which one.
        slot: u8,
        /// Of a trigger: its table.
        on: Option<u8>,
        /// The slot of the new name.
        to: u8,
    },
    /// ALTER … SET SCHEMA.
    Move {
        /// What it is.
        kind: ObjectKind,
        /// Which one.
        slot: u8,
        /// The slot of the schema; `None`: home.
        schema: Option<u8>,
    },
    /// ALTER TABLE.
    Alter {
        /// Which table.
        slot: u8,
        /// What changes, in one statement.
        changes: Vec<Change>,
    },
    /// COMMENT ON.
    Comment {
        /// What it is.
        kind: ObjectKind,
        /// Which one.
        slot: u8,
        /// Of one of its columns.
        column: Option<Named>,
        /// `None`: away with it.
        text: Option<Word>,
    },
}

/// A change of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// ADD COLUMN.
    AddColumn(ColumnDef),
    /// DROP COLUMN.
    DropColumn {
        /// Which.
        column: Named,
        /// IF EXISTS.
        if_exists: bool,
        /// CASCADE.
        cascade: bool,
    },
    /// RENAME COLUMN: alone in its statement.
    RenameColumn {
        /// Which.
        column: Named,
        /// To what.
        to: Word,
    },
    /// ALTER COLUMN … TYPE … USING a cast.
    Retype {
        /// Which.
        column: Named,
        /// To what.
        ty: Type,
    },
    /// ALTER COLUMN … SET DEFAULT, DROP DEFAULT.
    Default {
        /// Which.
        column: Named,
        /// To what.
        value: Option<Expr>,
    },
    /// ALTER COLUMN … SET NOT NULL, DROP NOT NULL.
    NotNull {
        /// Which.
        column: Named,
        /// Whether from now on.
        yes: bool,
    },
    /// ADD CONSTRAINT.
    AddConstraint(ConstraintDef),
    /// DROP CONSTRAINT.
    DropConstraint {
        /// Which.
        constraint: Named,
        /// CASCADE.
        cascade: bool,
    },
    /// VALIDATE CONSTRAINT.
    Validate(Named),
    /// RENAME CONSTRAINT: alone in its statement.
    RenameConstraint {
        /// Which.
        constraint: Named,
        /// To what.
        to: Word,
    },
    /// SET STATISTICS of a column.
    Statistics {
        /// Which.
        column: Named,
        /// To what.
        target: u16,
    },
    /// SET (fillfactor = …).
    FillFactor(u8),
    /// SET LOGGED (true), SET UNLOGGED.
    Logged(bool),
    /// REPLICA IDENTITY, as it is written.
    ReplicaIdentity(Word),
    /// CLUSTER ON an index, or SET WITHOUT CLUSTER.
    ClusterOn(Option<u8>),
    /// ENABLE (true) or DISABLE TRIGGER ALL of the user.
    Triggers(bool),
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
