//! An op: one statement as data, with what it touches and what is so when it has taken effect (P1 to P6).

use crate::Level;
use crate::parallel::{
    At, ColumnEdit, Constraint, Facet, FactValue, KeptName, Name, Object, ObjectId, ObjectKind, Piece,
    Question, Right, Space, Statement,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// To which kind of work an action belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Reads.
    Read,
    /// Cursors.
    Fetch,
    /// Inserts, copies, transactions of them.
    Write,
    /// Updates, deletes, counters, comments.
    Dml,
    /// What changes the schema.
    Ddl,
    /// Roles, grants, ownership.
    Privileges,
    /// Settings, reconnects, transaction control.
    Session,
    /// Vacuum, analyze, checkpoints, restarts.
    Lifecycle,
    /// Statements whose one row tells whether it is right: its left half must equal its right half. What that leans on beside
    /// the tables is in touches of [`Mode::Uses`].
    Oracle,
}

/// What a slot of an op means. Slots are numbered by their place in [`Op::slots`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The statement says this name and means this object: it is refused where the name resolves to nothing.
    Object {
        /// Which the drawer meant. What the server binds may be another, where names move.
        object: ObjectId,
        /// What the statement says.
        name: Name,
    },
    /// The statement gives this name to an object that it makes.
    New {
        /// The identity that the object will have.
        object: ObjectId,
        /// What the statement says.
        name: Name,
    },
    /// The statement says a name that the drawer believes nobody has: where to rename to, or an aim at nothing.
    Free(Name),
    /// A column or constraint of the object in another slot.
    Part {
        /// The slot of its relation.
        of: u8,
        /// [`Space::Column`] or [`Space::Constraint`].
        space: Space,
        /// Which the drawer meant; `None` for a name that nobody has.
        piece: Option<Piece>,
        /// What the statement says.
        name: KeptName,
    },
}

/// How an op leans on a facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Needs it to be as it is: a view in use by a reader, a referenced table.
    Uses,
    /// Reads it (rows, or the catalogue's word on it).
    Reads,
    /// Writes rows.
    Writes,
    /// Makes it.
    Defines,
    /// Changes it.
    Redefines,
    /// Takes it away.
    Removes,
}

/// One thing that an op does with one facet of what is in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Touch {
    /// Index into [`Op::slots`].
    pub slot: u8,
    /// Which facet.
    pub facet: Facet,
    /// How.
    pub mode: Mode,
    /// The right that it takes, where it takes one.
    pub right: Option<Right>,
}

/// What a setting bounds while it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// How long a statement may run.
    Statement,
    /// How long it may wait for a lock.
    Lock,
    /// How long a transaction may do nothing.
    IdleInTransaction,
}

/// What an op does to the transaction of its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameOp {
    /// A transaction begins.
    Begin {
        /// At which level; `None`: the session's own.
        level: Option<Level>,
        /// Whether it may not write.
        read_only: bool,
    },
    /// A savepoint.
    Savepoint(KeptName),
    /// Its end, without undoing anything.
    Release(KeptName),
    /// Everything since it is undone; it stays.
    RollbackTo(KeptName),
    /// The end that keeps.
    Commit,
    /// The end that undoes.
    Rollback,
}

/// What is so when the op has taken effect: at once for its own session, at COMMIT for the others (P4, P9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The object in this slot ([`Target::New`]) is there, as described: columns, constraints, what it depends on, all at once.
    Create(u8, Box<Object>),
    /// A facet of the object in the slot has another value. A constraint that is renamed is set with its new name.
    Set(u8, Facet, FactValue),
    /// A column of the object in the slot changes in one respect.
    Edit(u8, Piece, ColumnEdit),
    /// A row of the ledger in the slot, if the statement touched a row at all.
    Cell {
        /// The ledger.
        slot: u8,
        /// The key of the row.
        key: u64,
        /// What becomes of it.
        change: CellChange,
    },
    /// No effect: the answer's rows are (key, value) of the ledger in the slot, of every row with a key in the range, and are
    /// held against what is known of them; of a bank its one row is (number of rows, sum of values).
    Watch {
        /// The ledger.
        slot: u8,
        /// The first key.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The object in `slot` has the name in slot `to` ([`Target::Free`]) from now on.
    Rename {
        /// Which object.
        slot: u8,
        /// The slot with its new name.
        to: u8,
    },
    /// The object in the slot is gone.
    Remove {
        /// Which object.
        slot: u8,
        /// Whether all that needs it goes as well; otherwise a dependent refuses it.
        cascade: bool,
    },
    /// A column or constraint of the object in the slot is gone.
    RemovePart {
        /// Which object.
        slot: u8,
        /// [`Facet::Column`] or [`Facet::Constraint`].
        facet: Facet,
        /// Whether all that needs it goes as well.
        cascade: bool,
    },
    /// The objects of two slots have each other's names.
    Swap(u8, u8),
    /// The transaction of the session.
    Frame(FrameOp),
    /// A limit of the session is so many milliseconds, or none; with `local` to the end of the transaction.
    Limit {
        /// What it bounds.
        limit: Limit,
        /// Milliseconds; `None`: off.
        ms: Option<u64>,
        /// Whether it ends with the transaction.
        local: bool,
    },
    /// A statement is prepared under a name, or a cursor is opened.
    Name {
        /// Its name in the session.
        name: KeptName,
        /// Whether it is a cursor (ends with the transaction, unless held) or a prepared statement.
        cursor: bool,
    },
    /// A prepared statement or cursor is gone; `None`: all of both.
    Unname(Option<KeptName>),
    /// The role that the session acts as; `None`: that of the connection.
    Role(Option<ObjectId>),
    /// The object in the slot has at most so many rows more.
    Rows(u8, u64),
}

impl Effect {
    /// The name that it gives to a column or constraint of a relation that is there: slot, which part, name.
    pub fn names_part(&self) -> Option<(u8, Facet, &KeptName)> {
        match self {
            Self::Set(slot, facet, FactValue::Column(column)) => Some((*slot, *facet, &column.name)),
            Self::Set(slot, facet, FactValue::Constraint(constraint)) => {
                Some((*slot, *facet, &constraint.name))
            }
            Self::Edit(slot, piece, ColumnEdit::Name(name)) => Some((*slot, Facet::Column(*piece), name)),
            _ => None,
        }
    }
}

/// What a statement does to a row of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellChange {
    /// It is inserted with this value; where it is there, it stays as it is.
    Insert(i64),
    /// It has this value, whether it was there or not.
    Put(i64),
    /// It has this value, where it was there.
    Set(i64),
    /// It is deleted.
    Delete,
    /// This is added to it. It is there.
    Add(i64),
}

/// Why the values of a statement, not its names, may refuse it. The dialects' rows say which codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataError {
    /// Division by zero.
    DivisionByZero,
    /// A number outside its type.
    NumericRange,
    /// A date, time or interval outside its type.
    DatetimeRange,
    /// A text that is no value of the type.
    InvalidText,
    /// A text that is no date or time.
    InvalidDatetime,
    /// An argument that the function does not take.
    InvalidParameter,
    /// A substring of negative length.
    Substring,
    /// A regular expression that is none.
    RegularExpression,
    /// A logarithm of what has none.
    Logarithm,
    /// A power that is not real.
    Power,
    /// A negative LIMIT or OFFSET, or one of NULL.
    RowCount,
    /// A text longer than its column.
    TooLong,
    /// Characters that the encoding does not have.
    Encoding,
    /// An array index or dimension that cannot be.
    Array,
    /// A JSON text or path that is none.
    Json,
    /// More than one row from a scalar subquery, or a row touched twice by an upsert.
    Cardinality,
    /// An argument for `width_bucket`.
    WidthBucket,
    /// A value too big to make.
    TooBig,
    /// A stack, a statement or a row too deep or too long.
    Complexity,
    /// NULL where it is refused.
    NotNull,
    /// A key that is there.
    Unique,
    /// A key that is not there, or is needed.
    ForeignKey,
    /// A predicate that does not hold.
    Check,
    /// A value of another type than its column (SQLite, strict tables).
    Mismatch,
}

/// A failure on purpose (P3): it counts as planned, not against the share of errors. Judged as any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Aim {
    /// Which question the failure is to answer.
    pub question: Question,
    /// About which slot.
    pub slot: u8,
}

/// One statement as data, without closures: written whole into the trace (P2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Which op of which session.
    pub at: At,
    /// The action's name.
    pub kind: Cow<'static, str>,
    /// The action's family.
    pub family: Family,
    /// The statement.
    pub ast: Statement,
    /// What it names. At most 255.
    pub slots: Vec<Target>,
    /// What it does with what it names. A name that must resolve needs no touch of its own: the slot says it.
    pub touches: Vec<Touch>,
    /// What is so afterwards, in this order.
    pub effects: Vec<Effect>,
    /// Why its values may refuse it. Constraints of the tables it writes need not be listed: the model knows them.
    pub raises: Vec<DataError>,
    /// Whether it is to fail, and how.
    pub aim: Option<Aim>,
    /// IF EXISTS, IF NOT EXISTS: names of removed objects may be absent, names of new ones taken.
    pub lenient: bool,
    /// Whether it may leave some of its effects behind when refused (CREATE INDEX CONCURRENTLY).
    pub leftover: bool,
    /// Whether it reads the catalogue at large (functions over it, system views): any change of the schema may disturb it.
    pub catalog: bool,
}

impl Op {
    /// An op that names nothing, does nothing and cannot be refused.
    pub fn new(at: At, kind: &'static str, family: Family, ast: Statement) -> Self {
        Self {
            at,
            kind: Cow::Borrowed(kind),
            family,
            ast,
            slots: Vec::new(),
            touches: Vec::new(),
            effects: Vec::new(),
            raises: Vec::new(),
            aim: None,
            lenient: false,
            leftover: false,
            catalog: false,
        }
    }

    /// Adds a slot and gives its number. Panics past 255.
    pub fn slot(&mut self, target: Target) -> u8 {
        let slot = u8::try_from(self.slots.len()).expect("an op has at most 255 slots");
        self.slots.push(target);
        slot
    }

    /// Adds a touch.
    pub fn touch(&mut self, slot: u8, facet: Facet, mode: Mode, right: Option<Right>) {
        self.touches.push(Touch {
            slot,
            facet,
            mode,
            right,
        });
    }

    /// Whether it changes an object that is there, be it by an index, and neither makes nor drops another one.
    pub fn alters(&self) -> bool {
        let is_index = |slot: u8| {
            let target = self.slots.get(usize::from(slot));
            matches!(
                target,
                Some(Target::Object { object, .. } | Target::New { object, .. })
                    if object.kind == ObjectKind::Index
            )
        };
        let alter = |e: &Effect| match e {
            Effect::Set(..) | Effect::Edit(..) | Effect::Rename { .. } | Effect::RemovePart { .. } => true,
            Effect::Create(slot, _) | Effect::Remove { slot, .. } => is_index(*slot),
            _ => false,
        };
        let other = |e: &Effect| match e {
            Effect::Create(slot, _) | Effect::Remove { slot, .. } => !is_index(*slot),
            _ => false,
        };
        self.effects.iter().any(alter) && !self.effects.iter().any(other)
    }

    /// Whether it changes the schema or rights when it takes effect.
    pub fn changes_schema(&self) -> bool {
        self.effects.iter().any(|e| {
            matches!(
                e,
                Effect::Create(..)
                    | Effect::Set(..)
                    | Effect::Edit(..)
                    | Effect::Rename { .. }
                    | Effect::Remove { .. }
                    | Effect::RemovePart { .. }
                    | Effect::Swap(..)
            )
        })
    }

    /// Whether it changes rows of a ledger when it takes effect.
    pub fn changes_cells(&self) -> bool {
        self.effects.iter().any(|e| matches!(e, Effect::Cell { .. }))
    }

    /// Whether the object takes the place of one of its name if there is one, and is new if there is none (OR REPLACE): the op
    /// names both.
    pub fn replaces(&self, name: &Name) -> bool {
        let old = |target: &Target| matches!(target, Target::Object { name: of, .. } if of == name);
        let new = |target: &Target| matches!(target, Target::New { name: of, .. } if of == name);
        self.slots.iter().any(old) && self.slots.iter().any(new)
    }

    /// What it does to the transaction of its session, if anything.
    pub fn frame(&self) -> Option<&FrameOp> {
        self.effects.iter().find_map(|e| match e {
            Effect::Frame(frame) => Some(frame),
            _ => None,
        })
    }

    /// Constraints that come into being with it.
    pub fn constraints(&self) -> impl Iterator<Item = &Constraint> {
        self.effects.iter().flat_map(|e| match e {
            Effect::Create(_, object) => object.constraints.as_slice(),
            Effect::Set(_, _, FactValue::Constraint(constraint)) => std::slice::from_ref(constraint),
            _ => &[],
        })
    }
}

/// What the run does to a session or the server on purpose (P20). Numbered by the op that sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// What the session does is cancelled: explains at most one interrupted statement of it, open then or begun later.
    Cancel {
        /// Whose statement.
        session: crate::SessionId,
    },
    /// The session is ended.
    Terminate {
        /// Which.
        session: crate::SessionId,
    },
    /// The server is killed or restarted: every session ends once.
    Kill,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel { session } => write!(f, "cancel {session}"),
            Self::Terminate { session } => write!(f, "terminate {session}"),
            Self::Kill => f.write_str("kill of the server"),
        }
    }
}
