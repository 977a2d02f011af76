//! Identities and names. An identity is made from the place of its creation; a name is what a server resolves.

use crate::SessionId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Names one op of a run: the n-th that its session drew, from 1. Session 0 is the run's own (preparation, catalogue).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct At {
    /// Who sends it.
    pub session: SessionId,
    /// Which of its ops.
    pub op: u64,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.session, self.op)
    }
}

/// What sort of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// A database.
    Database,
    /// A schema.
    Schema,
    /// A table, temporary or not, partitioned or not.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// An index.
    Index,
    /// A sequence.
    Sequence,
    /// A type or domain.
    Type,
    /// A function or procedure.
    Function,
    /// A trigger.
    Trigger,
    /// A role.
    Role,
}

impl ObjectKind {
    /// The word of SQL for it, in lower case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Table => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Index => "index",
            Self::Sequence => "sequence",
            Self::Type => "type",
            Self::Function => "function",
            Self::Trigger => "trigger",
            Self::Role => "role",
        }
    }

    /// In which space its name must be unique.
    pub fn space(self) -> Space {
        match self {
            Self::Database => Space::Database,
            Self::Schema => Space::Schema,
            Self::Table | Self::View | Self::MaterializedView | Self::Index | Self::Sequence => {
                Space::Relation
            }
            Self::Type => Space::Type,
            Self::Function => Space::Function,
            Self::Trigger => Space::Trigger,
            Self::Role => Space::Role,
        }
    }

    /// Whether rows can be selected from it.
    pub fn is_readable(self) -> bool {
        matches!(self, Self::Table | Self::View | Self::MaterializedView)
    }
}

/// An object of the run. Made by [`ObjectId::made`]; never used again and never a server's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    /// What it is.
    pub kind: ObjectKind,
    /// From the op and slot that creates it.
    pub number: u64,
}

impl ObjectId {
    /// The identity of what slot `slot` of the op creates. Panics past 2^40 ops of a session.
    pub fn made(kind: ObjectKind, at: At, slot: u8) -> Self {
        Self {
            kind,
            number: made(at, slot),
        }
    }

    /// The op and slot that created it.
    pub fn maker(self) -> (At, u8) {
        maker(self.number)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, slot) = self.maker();
        write!(f, "{} {at}.{slot}", self.kind.word())
    }
}

/// A column or a constraint of an object, for its whole life. Unique in the run, as [`ObjectId`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Piece(pub u64);

impl Piece {
    /// The `nth` column or constraint that the op makes. Columns and constraints count together. Panics past 2^40 ops.
    pub fn made(at: At, nth: u8) -> Self {
        Self(made(at, nth))
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, nth) = maker(self.0);
        write!(f, "{at}.{nth}")
    }
}

fn made(at: At, nth: u8) -> u64 {
    assert!(at.op < 1 << 40, "a session draws fewer than 2^40 ops");
    (u64::from(at.session.0) << 48) | (at.op << 8) | u64::from(nth)
}

fn maker(number: u64) -> (At, u8) {
    let at = At {
        session: SessionId(u16::try_from(number >> 48).expect("16 bits remain")),
        op: (number >> 8) & ((1 << 40) - 1),
    };
    (at, u8::try_from(number & 0xff).expect("8 bits remain"))
}

/// Where a name must be unique: within one space and one parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Space {
    /// Databases of the server.
    Database,
    /// Roles of the server.
    Role,
    /// Schemas of a database.
    Schema,
    /// Tables, views, indexes, sequences of a schema.
    Relation,
    /// Types and domains of a schema.
    Type,
    /// Functions of a schema.
    Function,
    /// Triggers of a table.
    Trigger,
    /// Columns of a relation.
    Column,
    /// Constraints of a table.
    Constraint,
}

/// A name as the target keeps it: folded and cut to its length, so that two names are equal here when they collide there.
/// Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeptName(Arc<str>);

impl KeptName {
    /// A name that is spelled as it is kept.
    pub fn new(kept: &str) -> Self {
        Self(Arc::from(kept))
    }

    /// The spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for KeptName {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeptName {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|s| Self(Arc::from(s)))
    }
}

/// What a server resolves to an object, a column, a constraint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    /// Unique among what.
    pub space: Space,
    /// The schema of a relation, the table of a column; `None` for the run's home schema and for what has no parent.
    pub parent: Option<ObjectId>,
    /// The spelling.
    pub kept: KeptName,
}

impl Name {
    /// A name in the run's home schema, or of what has no parent.
    pub fn home(space: Space, kept: &str) -> Self {
        Self {
            space,
            parent: None,
            kept: KeptName::new(kept),
        }
    }

    /// A name below a parent.
    pub fn under(space: Space, parent: ObjectId, kept: &str) -> Self {
        Self {
            space,
            parent: Some(parent),
            kept: KeptName::new(kept),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kept.fmt(f)
    }
}
