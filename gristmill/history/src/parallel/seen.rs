//! What a server's catalogue shows of ours at one moment: plain data, read by a target, compared with the model by the check.

use serde::{Deserialize, Serialize};

/// Everything of ours that is there, in the order of (kind, namespace, name).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The objects.
    pub objects: Vec<SeenObject>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeenObject {
    /// What it is.
    pub kind: SeenKind,
    /// The schema it lies in, as the server keeps the name; "" where it lies in none, or in the home of the run.
    pub namespace: String,
    /// Its name as the server keeps it.
    pub name: String,
    /// The table that an index, a constraint or a trigger belongs to, by its kept name; else "".
    pub on: String,
    /// Its owner, or "" where the target has none.
    pub owner: String,
    /// Of an index or a constraint: it is valid; of anything else `true`.
    pub valid: bool,
    /// It belongs to a session and goes with it.
    pub temporary: bool,
    /// Of a table or a view whose columns could be read: its columns in their order.
    pub columns: Vec<SeenColumn>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeenColumn {
    /// Its name as the server keeps it.
    pub name: String,
    /// Its type in the server's words.
    pub ty: String,
    /// It takes no NULL.
    pub not_null: bool,
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenKind {
    /// A schema.
    Schema,
    /// A table, partitioned or not.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// An index, those of constraints included.
    Index,
    /// A sequence.
    Sequence,
    /// A type or a domain.
    Type,
    /// A function or a procedure.
    Function,
    /// A trigger.
    Trigger,
    /// A constraint of a table; NOT NULL is said by its column.
    Constraint,
    /// A role.
    Role,
}

impl SeenKind {
    /// Its name in SQL, in small letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Table => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Index => "index",
            Self::Sequence => "sequence",
            Self::Type => "type",
            Self::Function => "function",
            Self::Trigger => "trigger",
            Self::Constraint => "constraint",
            Self::Role => "role",
        }
    }

    /// The kind of a name, the inverse of [`SeenKind::name`].
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Schema,
        Self::Table,
        Self::View,
        Self::MaterializedView,
        Self::Index,
        Self::Sequence,
        Self::Type,
        Self::Function,
        Self::Trigger,
        Self::Constraint,
        Self::Role,
    ];
}
