//! What makes, changes and drops objects, as data.

use super::Query;
use crate::parallel::expr::{Expr, Named, Word};
use crate::parallel::{ObjectKind, Type};
use serde::{Deserialize, Serialize};

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
