//! An object as the model believes it to be, and the facets by which it changes.

use crate::parallel::expr::Expr;
use crate::parallel::{KeptName, Name, ObjectId, Piece, Statement, Type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One fact about an object that can change by itself (P11). What has a number of facts carries which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facet {
    /// Whether it is there.
    Exists,
    /// Its name, with its parent: [`FactValue::Name`].
    Name,
    /// Its owner: [`FactValue::Object`], a role.
    Owner,
    /// The whole of columns, constraints, definition: only in touches ("reads the shape"), never set.
    Shape,
    /// A column: [`FactValue::Column`], or [`FactValue::Gone`].
    Column(Piece),
    /// A constraint: [`FactValue::Constraint`], or [`FactValue::Gone`].
    Constraint(Piece),
    /// Whether an index is valid, a constraint checked, a materialized view populated: [`FactValue::Flag`].
    Valid,
    /// What a view selects, what a function does: [`FactValue::Definition`].
    Definition,
    /// Whether it needs the other: [`FactValue::Flag`].
    DependsOn(ObjectId),
    /// Whether the role has the right on it, by grant: [`FactValue::Flag`].
    Grant(ObjectId, Right),
    /// Whether the role is a member of this one: [`FactValue::Flag`].
    Member(ObjectId),
    /// The row of a ledger with this key: [`FactValue::Number`], or [`FactValue::Gone`].
    Cell(u64),
    /// Its rows as a whole: only in touches (a read or write of data).
    Rows,
    /// A setting or comment that nothing else leans on: only in touches.
    Comment,
}

/// What a facet is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactValue {
    /// It is not there.
    Gone,
    /// Yes or no.
    Flag(bool),
    /// A name with its parent.
    Name(Name),
    /// Another object.
    Object(ObjectId),
    /// A column.
    Column(Column),
    /// A constraint.
    Constraint(Constraint),
    /// A definition.
    Definition(Arc<Statement>),
    /// The value of a row of a ledger, or what is added to it.
    Number(i64),
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Which, for its whole life.
    pub piece: Piece,
    /// What it is called now.
    pub name: KeptName,
    /// Its type.
    pub ty: Type,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Whether it has a default.
    pub has_default: bool,
    /// Whether it is computed from others and cannot be written.
    pub generated: bool,
    /// Whether no DDL may drop or narrow it (P26).
    pub protected: bool,
}

/// One respect in which a column changes: what others change of it meanwhile stays as they made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnEdit {
    /// It is called so from now on.
    Name(KeptName),
    /// It is of this type.
    Type(Type),
    /// Whether NULL is refused.
    NotNull(bool),
    /// Whether it has a default.
    Default(bool),
}

impl ColumnEdit {
    /// The column with the change.
    #[must_use]
    pub fn of(&self, column: &Column) -> Column {
        let mut column = column.clone();
        match self {
            Self::Name(name) => column.name = name.clone(),
            Self::Type(ty) => column.ty = *ty,
            Self::NotNull(yes) => column.not_null = *yes,
            Self::Default(yes) => column.has_default = *yes,
        }
        column
    }
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConstraintKind {
    /// Unique and not NULL.
    PrimaryKey,
    /// Unique.
    Unique,
    /// A row of the other table has the values, in these columns of its own.
    ForeignKey {
        /// The other table.
        references: ObjectId,
        /// Its columns.
        columns: Vec<Piece>,
    },
    /// A predicate holds.
    Check,
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// Which, for its whole life.
    pub piece: Piece,
    /// What it is called.
    pub name: KeptName,
    /// What it demands.
    pub kind: ConstraintKind,
    /// Of which columns.
    pub columns: Vec<Piece>,
    /// Whether rows that were there before have been checked.
    pub valid: bool,
    /// Whether it is checked at COMMIT.
    pub deferred: bool,
    /// What a CHECK demands, over the one column that it has, where an oracle can ask for it.
    pub predicate: Option<Box<Expr>>,
}

/// How long an object lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Persistence {
    /// Until dropped.
    #[default]
    Permanent,
    /// Until dropped; its rows may be lost by a crash.
    Unlogged,
    /// Until its session ends.
    Temporary,
}

/// A right that can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Read rows.
    Select,
    /// Insert rows.
    Insert,
    /// Update rows.
    Update,
    /// Delete rows.
    Delete,
    /// Empty a table.
    Truncate,
    /// Refer to it by a foreign key.
    References,
    /// Put a trigger on it.
    Trigger,
    /// Create in a schema or database.
    Create,
    /// Use a schema, sequence, type.
    Usage,
    /// Call a function.
    Execute,
    /// All that only its owner may: alter, drop, grant.
    Own,
}

/// What the values of a ledger mean: a table of (key, value) that only statements write whose effect on each row is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ledger {
    /// Rows come and go; a value names the statement that wrote it.
    Cells,
    /// Rows stay; values are only added to.
    Counters,
    /// Rows stay; what one gains another loses, so the sum stays as it began: [`Ledger::BALANCE`] a row.
    Bank,
}

impl Ledger {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cells, Self::Counters, Self::Bank];

    /// What each row of a bank begins with.
    pub const BALANCE: i64 = 1_000;
}

/// What only one kind of object has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// Nothing more.
    #[default]
    Plain,
    /// An index.
    Index {
        /// Of which table or materialized view.
        on: ObjectId,
        /// Its columns, in order; expressions are left out.
        keys: Vec<Piece>,
        /// Whether it is unique.
        unique: bool,
        /// Whether it leaves rows out.
        partial: bool,
        /// Whether some key is an expression.
        expression: bool,
    },
    /// A table whose every row the model knows.
    Ledger {
        /// What its values mean.
        of: Ledger,
        /// Its keys are below this.
        keys: u64,
    },
    /// A trigger.
    Trigger {
        /// On which table.
        on: ObjectId,
    },
    /// A function.
    Function {
        /// Types of its arguments.
        arguments: Vec<Type>,
        /// Type of its result.
        result: Type,
    },
    /// An enumerated type or domain.
    Type {
        /// Labels of an enumeration; none for a domain.
        labels: Vec<String>,
        /// What a domain stands on.
        base: Option<Type>,
    },
    /// A role.
    Role {
        /// Whether it may log in.
        login: bool,
    },
}

/// An object as the model believes it to be. Clone is a few allocations: keep it behind an [`Arc`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Which.
    pub id: ObjectId,
    /// What it is called, and in which parent.
    pub name: Name,
    /// Its owner, where it is a role of the run; `None` is the role of the connection.
    pub owner: Option<ObjectId>,
    /// How long it lives.
    pub persistence: Persistence,
    /// Columns of a relation, in the order of the server.
    pub columns: Vec<Column>,
    /// Constraints of a table.
    pub constraints: Vec<Constraint>,
    /// What it needs: a view its tables, an index its table. The parent (schema) is not among them.
    pub depends: BTreeSet<ObjectId>,
    /// What a view selects, what a function does.
    pub definition: Option<Arc<Statement>>,
    /// Whether an index is valid, a materialized view populated.
    pub valid: bool,
    /// Rights by grant: role and right.
    pub grants: BTreeSet<(ObjectId, Right)>,
    /// Members of a role.
    pub members: BTreeSet<ObjectId>,
    /// What only its kind has.
    pub detail: Detail,
    /// A ceiling of its rows: bounds joins; never a claim.
    pub rows: u64,
    /// Whether no DDL but what keeps rows may touch it (P26): tables of invariants.
    pub protected: bool,
}

impl Object {
    /// An object with nothing but its name.
    pub fn new(id: ObjectId, name: Name) -> Self {
        Self {
            id,
            name,
            owner: None,
            persistence: Persistence::Permanent,
            columns: Vec::new(),
            constraints: Vec::new(),
            depends: BTreeSet::new(),
            definition: None,
            valid: true,
            grants: BTreeSet::new(),
            members: BTreeSet::new(),
            detail: Detail::Plain,
            rows: 0,
            protected: false,
        }
    }

    /// The column of that identity.
    pub fn column(&self, piece: Piece) -> Option<&Column> {
        self.columns.iter().find(|c| c.piece == piece)
    }

    /// The constraint of that identity.
    pub fn constraint(&self, piece: Piece) -> Option<&Constraint> {
        self.constraints.iter().find(|c| c.piece == piece)
    }

    /// Takes a new value of a facet. A facet that is only touched, and a value that does not fit, are our defects: panics.
    pub fn set(&mut self, facet: Facet, value: FactValue) {
        match (facet, value) {
            (Facet::Name, FactValue::Name(name)) => self.name = name,
            (Facet::Owner, FactValue::Object(role)) => self.owner = Some(role),
            (Facet::Owner, FactValue::Gone) => self.owner = None,
            (Facet::Column(piece), FactValue::Column(column)) => {
                match self.columns.iter_mut().find(|c| c.piece == piece) {
                    Some(old) => *old = column,
                    None => self.columns.push(column),
                }
            }
            (Facet::Column(piece), FactValue::Gone) => self.columns.retain(|c| c.piece != piece),
            (Facet::Constraint(piece), FactValue::Constraint(constraint)) => {
                match self.constraints.iter_mut().find(|c| c.piece == piece) {
                    Some(old) => *old = constraint,
                    None => self.constraints.push(constraint),
                }
            }
            (Facet::Constraint(piece), FactValue::Gone) => self.constraints.retain(|c| c.piece != piece),
            (Facet::Valid, FactValue::Flag(valid)) => self.valid = valid,
            (Facet::Definition, FactValue::Definition(definition)) => self.definition = Some(definition),
            (Facet::DependsOn(other), FactValue::Flag(yes)) => put(&mut self.depends, other, yes),
            (Facet::Grant(role, right), FactValue::Flag(yes)) => put(&mut self.grants, (role, right), yes),
            (Facet::Member(role), FactValue::Flag(yes)) => put(&mut self.members, role, yes),
            (facet, value) => panic!("{facet:?} of {} cannot be {value:?}", self.id),
        }
    }
}

fn put<T: Ord>(set: &mut BTreeSet<T>, item: T, there: bool) {
    if there {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}
