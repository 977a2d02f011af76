//! What a statement names: its slots, and the columns and constraints of them (P5).
//!
//! * A column stands under an alias; aliases are numbered once in a statement, so one pass over it knows whose column it is.
//! * Outputs of subqueries are no names of the schema and are left out.

use super::{
    Body, Care, Change, ColumnDef, ConstraintDef, Cursor, Define, From, IndexKey, Prepared, Query, Rights,
    Rows, Rule, Session, Source, Statement, Transaction,
};
use crate::parallel::Space;
use crate::parallel::expr::{Below, ColumnRef, Expr, Named, Sort};
use smallvec::SmallVec;

/// A column or constraint that a statement names.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Of the object in which slot.
    pub slot: u8,
    /// [`Space::Column`] or [`Space::Constraint`].
    pub space: Space,
    /// Which.
    pub named: &'a Named,
}

/// What a statement names.
#[derive(Debug, Clone, Default)]
pub struct Mentions<'a> {
    /// Slots, in the order of the text, again where they are said again.
    pub slots: SmallVec<[u8; 8]>,
    /// Columns and constraints that must be there, in the order of the text, again where they are said again.
    pub parts: SmallVec<[Part<'a>; 16]>,
    /// Those of them that stand in no WITH and in no subquery of an expression, but where that is an output by itself: no plan
    /// can do without them.
    pub planned: SmallVec<[u8; 8]>,
    /// How many such subqueries are around what is looked at.
    within: u32,
    /// How many subqueries of FROM are.
    nested: u32,
    /// What an alias stands for, by its number, where it is a slot.
    aliases: SmallVec<[(u8, u8); 8]>,
    /// Columns under an alias.
    under: SmallVec<[(u8, &'a Named); 16]>,
    /// Whose are columns without an alias.
    home: Option<u8>,
    /// Whether such a column was found.
    reads_home: bool,
}

/// What the statement names.
///
/// # Panics
/// When a column stands under an alias that the statement has not, or under none where no table is meant: our defect.
pub fn mentions(statement: &Statement) -> Mentions<'_> {
    let mut found = Mentions::default();
    found.statement(statement);
    let under = std::mem::take(&mut found.under);
    for (alias, named) in under {
        let slot = found.aliases.iter().find(|(a, _)| *a == alias);
        let (_, slot) = *slot.unwrap_or_else(|| panic!("r{alias} is no relation of the statement"));
        found.parts.push(Part {
            slot,
            space: Space::Column,
            named,
        });
    }
    found
}

/// Whether an expression of an INSERT, UPDATE or DELETE reads a column of the table that it writes. What it proposes for
/// conflicts is not counted.
pub fn reads_target(statement: &Statement) -> bool {
    let (alias, table) = match statement {
        Statement::Insert(insert) => (None, insert.table),
        Statement::Update(update) => (Some(update.alias), update.table),
        Statement::Delete(delete) => (Some(delete.alias), delete.table),
        _ => return false,
    };
    let mut found = Mentions::default();
    found.statement(statement);
    let also = |(a, slot): &(u8, u8)| *slot == table && found.under.iter().any(|(of, _)| of == a);
    found.reads_home || found.under.iter().any(|(of, _)| Some(*of) == alias) || found.aliases.iter().any(also)
}

impl<'a> Mentions<'a> {
    fn statement(&mut self, statement: &'a Statement) {
        match statement {
            Statement::Query(query) | Statement::CopyOut { query, .. } => self.query(query),
            Statement::Insert(insert) => {
                self.slot(insert.table);
                self.home = Some(insert.table);
                self.columns(insert.table, &insert.columns);
                match &insert.rows {
                    Rows::Values(rows) => rows.iter().flatten().flatten().for_each(|e| self.expr(e)),
                    Rows::Query(query) => self.query(query),
                    Rows::Defaults => {}
                }
                if let Some(conflict) = &insert.conflict {
                    self.columns(insert.table, &conflict.target);
                    for (column, value) in &conflict.set {
                        self.part(insert.table, Space::Column, column);
                        self.expr(value);
                    }
                }
                self.exprs(&insert.returning);
            }
            Statement::Update(update) => {
                self.slot(update.table);
                self.home = Some(update.table);
                self.aliases.push((update.alias, update.table));
                for (column, value) in &update.set {
                    self.part(update.table, Space::Column, column);
                    value.iter().for_each(|e| self.expr(e));
                }
                update.from.iter().for_each(|f| self.from(f));
                update.filter.iter().for_each(|e| self.expr(e));
                self.exprs(&update.returning);
            }
            Statement::Delete(delete) => {
                self.slot(delete.table);
                self.home = Some(delete.table);
                self.aliases.push((delete.alias, delete.table));
                delete.using.iter().for_each(|f| self.from(f));
                delete.filter.iter().for_each(|e| self.expr(e));
                self.exprs(&delete.returning);
            }
            Statement::Truncate { tables, .. } => self.slots.extend_from_slice(tables),
            Statement::CopyIn { table, columns, .. } => {
                self.slot(*table);
                self.columns(*table, columns);
            }
            Statement::Transaction(Transaction::Lock { tables, .. }) => self.slots.extend_from_slice(tables),
            Statement::Transaction(_) => {}
            Statement::Cursor(Cursor::Declare { query, .. }) => self.query(query),
            Statement::Cursor(_) => {}
            Statement::Prepared(Prepared::Prepare { of, .. }) | Statement::Explain { of, .. } => {
                self.statement(of)
            }
            Statement::Prepared(Prepared::Execute { args, .. }) => self.exprs(args),
            Statement::Prepared(Prepared::Deallocate(_)) => {}
            Statement::Session(Session::Role(Some(role))) => self.slot(*role),
            Statement::Session(_) | Statement::Catalogue(_) | Statement::Verbatim(_) => {}
            Statement::Define(define) => self.define(define),
            Statement::Rights(rights) => match &**rights {
                Rights::Role { slot } | Rights::AlterRole { slot, .. } => self.slot(*slot),
                Rights::Grant { slot, role, .. } => self.slots.extend([*slot, *role]),
                Rights::Member { role, to, .. } => self.slots.extend([*role, *to]),
                Rights::Owner { slot, role, .. } => {
                    self.slot(*slot);
                    self.slots.extend(*role);
                }
            },
            Statement::Care(care) => match care {
                Care::Analyze(slot) | Care::Vacuum { slot, .. } | Care::Reindex { slot, .. } => {
                    self.slot(*slot)
                }
                Care::Cluster { slot, index } => self.slots.extend([*slot, *index]),
                Care::Whole(_) => {}
            },
        }
    }

    fn define(&mut self, define: &'a Define) {
        match define {
            Define::Schema { slot, .. }
            | Define::Refresh { slot, .. }
            | Define::Sequence { slot, .. }
            | Define::AlterSequence { slot, .. }
            | Define::TriggerFunction { slot }
            | Define::Enum { slot, .. }
            | Define::Domain { slot, .. }
            | Define::AddLabel { slot, .. } => self.slot(*slot),
            Define::Table {
                slot,
                columns,
                constraints,
                ..
            } => {
                self.slot(*slot);
                for column in columns {
                    self.defaults(column);
                }
                for constraint in constraints {
                    self.refers(constraint);
                }
            }
            Define::TableAs { slot, query, .. } | Define::View { slot, query, .. } => {
                self.slot(*slot);
                self.query(query);
            }
            Define::Index {
                slot,
                on,
                keys,
                filter,
                ..
            } => {
                self.slots.extend([*slot, *on]);
                self.home = Some(*on);
                for IndexKey { by, .. } in keys {
                    self.expr(by);
                }
                filter.iter().for_each(|e| self.expr(e));
            }
            Define::Function { slot, body, .. } => {
                self.slot(*slot);
                self.expr(body);
            }
            Define::Trigger {
                slot, on, function, ..
            } => {
                self.slots.extend([*slot, *on]);
                self.slots.extend(*function);
            }
            Define::Drop { slots, on, .. } => {
                self.slots.extend_from_slice(slots);
                self.slots.extend(*on);
            }
            Define::Rename { slot, on, to, .. } => {
                self.slots.extend([*slot, *to]);
                self.slots.extend(*on);
            }
            Define::Move { slot, schema, .. } => {
                self.slot(*slot);
                self.slots.extend(*schema);
            }
            Define::Alter { slot, changes } => {
                self.slot(*slot);
                self.home = Some(*slot);
                for change in changes {
                    self.change(*slot, change);
                }
            }
            Define::Comment { slot, column, .. } => {
                self.slot(*slot);
                column.iter().for_each(|c| self.part(*slot, Space::Column, c));
            }
        }
    }

    fn change(&mut self, slot: u8, change: &'a Change) {
        match change {
            Change::AddColumn(column) => self.defaults(column),
            Change::DropColumn { column, .. }
            | Change::RenameColumn { column, .. }
            | Change::Retype { column, .. }
            | Change::NotNull { column, .. }
            | Change::Statistics { column, .. } => self.part(slot, Space::Column, column),
            Change::Default { column, value } => {
                self.part(slot, Space::Column, column);
                value.iter().for_each(|e| self.expr(e));
            }
            Change::AddConstraint(constraint) => {
                self.refers(constraint);
                match &constraint.rule {
                    Rule::Primary(columns) | Rule::Unique(columns) | Rule::Foreign { columns, .. } => {
                        self.columns(slot, columns);
                    }
                    Rule::Check(check) => self.expr(check),
                }
            }
            Change::DropConstraint { constraint, .. }
            | Change::Validate(constraint)
            | Change::RenameConstraint { constraint, .. } => self.part(slot, Space::Constraint, constraint),
            Change::ClusterOn(index) => self.slots.extend(*index),
            Change::FillFactor(_) | Change::Logged(_) | Change::ReplicaIdentity(_) | Change::Triggers(_) => {}
        }
    }

    /// Columns of the table that is made are no mentions: they need not be there before. What a default reads is.
    fn defaults(&mut self, column: &'a ColumnDef) {
        column.default.iter().for_each(|e| self.sequences(e));
    }

    fn sequences(&mut self, e: &'a Expr) {
        if let Expr::NextValue(slot) = e {
            self.slot(*slot);
        }
        e.each(&mut |below| {
            if let Below::Expr(e) = below {
                self.sequences(e);
            }
        });
    }

    /// The other table of a foreign key, with its columns.
    fn refers(&mut self, constraint: &'a ConstraintDef) {
        if let Rule::Foreign { table, to, .. } = &constraint.rule {
            self.slot(*table);
            self.columns(*table, to);
        }
    }

    fn slot(&mut self, slot: u8) {
        self.slots.push(slot);
        if self.within == 0 {
            self.planned.push(slot);
        }
    }

    /// A query that a plan may do without.
    fn inner(&mut self, query: &'a Query) {
        self.within += 1;
        self.query(query);
        self.within -= 1;
    }

    fn query(&mut self, query: &'a Query) {
        query.with.iter().for_each(|t| self.inner(&t.query));
        self.body(&query.body);
        self.sorts(&query.order);
    }

    fn body(&mut self, body: &'a Body) {
        match body {
            Body::Select(select) => {
                select.from.iter().for_each(|f| self.from(f));
                select.outputs.iter().for_each(|e| match e {
                    Expr::Scalar(query) if self.within == 0 && self.nested == 0 => self.query(query),
                    e => self.expr(e),
                });
                select.filter.iter().for_each(|e| self.expr(e));
                self.exprs(&select.group);
                select.having.iter().for_each(|e| self.expr(e));
            }
            Body::Set { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            Body::Values(rows) => rows.iter().for_each(|r| self.exprs(r)),
        }
    }

    fn from(&mut self, from: &'a From) {
        match from {
            From::One { source, alias } => match source {
                Source::Slot(slot) => {
                    self.slot(*slot);
                    self.aliases.push((*alias, *slot));
                }
                Source::Query(query, _) => {
                    self.nested += 1;
                    self.query(query);
                    self.nested -= 1;
                }
                Source::Expression(_) => {}
            },
            From::Join { left, right, on, .. } => {
                self.from(left);
                self.from(right);
                on.iter().for_each(|e| self.expr(e));
            }
        }
    }

    fn sorts(&mut self, sorts: &'a [Sort]) {
        sorts.iter().for_each(|s| self.expr(&s.by));
    }

    fn exprs(&mut self, exprs: &'a [Expr]) {
        exprs.iter().for_each(|e| self.expr(e));
    }

    fn expr(&mut self, e: &'a Expr) {
        match e {
            Expr::Column {
                of,
                column: ColumnRef::Kept(named) | ColumnRef::Proposed(named),
            } => match of {
                Some(alias) => self.under.push((*alias, named)),
                None => {
                    self.reads_home = true;
                    let slot = self
                        .home
                        .expect("a column without an alias belongs to the table of its statement");
                    self.part(slot, Space::Column, named);
                }
            },
            Expr::NextValue(slot) => self.slot(*slot),
            Expr::Routine { slot, args } => {
                self.slot(*slot);
                self.exprs(args);
            }
            _ => e.each(&mut |below| match below {
                Below::Expr(e) => self.expr(e),
                Below::Query(q) => self.inner(q),
            }),
        }
    }

    fn columns(&mut self, slot: u8, columns: &'a [Named]) {
        columns.iter().for_each(|c| self.part(slot, Space::Column, c));
    }

    fn part(&mut self, slot: u8, space: Space, named: &'a Named) {
        self.parts.push(Part { slot, space, named });
    }
}
