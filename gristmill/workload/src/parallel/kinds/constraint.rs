//! Constraints of a table that is there.

use super::table;
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use history::parallel::expr::{Named, Word};
use history::parallel::statement::{Change, ConstraintDef, Define, Rule};
use history::parallel::{
    Column, Constraint, ConstraintKind, DataError, Effect, Facet, FactValue, Mode, Object, ObjectKind,
    Persistence, Piece, Right, Space, Statement, Type,
};

const MOST: usize = 6;

pub(super) fn add(b: &mut Brush<'_>) -> Option<Statement> {
    let table = b.choose(ObjectKind::Table, |t| {
        t.constraints.len() < MOST && !t.columns.is_empty()
    })?;
    let slot = b.changes(table, Facet::Shape, Mode::Redefines);
    let (rule, kind, columns, raises) = match b.draw.below(Purpose::Shape, 4) {
        0 => unique(b, table)?,
        1 => foreign(b, table, slot)?,
        _ => {
            let (check, piece) = table::check(b, &table.columns)?;
            (
                Rule::Check(check),
                ConstraintKind::Check,
                vec![piece],
                DataError::Check,
            )
        }
    };
    let predicate = match &rule {
        Rule::Check(predicate) => Some(Box::new(predicate.clone())),
        _ => None,
    };
    let can_wait = matches!(kind, ConstraintKind::Check | ConstraintKind::ForeignKey { .. });
    let not_valid = can_wait && b.draw.chance(Purpose::Shape, 1, 4);
    if !not_valid {
        b.raise(&[raises]);
    }
    let constraint: Named = b.part('n');
    b.new_part(slot, Space::Constraint, &constraint.name);
    b.op.touch(slot, Facet::Constraint(constraint.piece), Mode::Defines, None);
    b.set(
        slot,
        Facet::Constraint(constraint.piece),
        FactValue::Constraint(Constraint {
            piece: constraint.piece,
            name: constraint.name.clone(),
            kind,
            columns,
            valid: !not_valid,
            deferred: false,
            predicate,
        }),
    );
    alter(
        slot,
        Change::AddConstraint(ConstraintDef {
            constraint,
            rule,
            not_valid,
            deferred: false,
        }),
    )
}

type Made = (Rule, ConstraintKind, Vec<Piece>, DataError);

/// Its index takes the right to create in the schema: nothing for a role that has been given a table only.
fn unique(b: &mut Brush<'_>, table: &Object) -> Option<Made> {
    if b.view.session.role.is_some() {
        return None;
    }
    let fits = |c: &&Column| !matches!(c.ty, Type::Json);
    let keyed = table.columns.iter().filter(fits).map(|c| (c.piece.0, c));
    let column = b.draw.choose(Purpose::Column, keyed)?;
    let columns = vec![column.piece];
    let rule = Rule::Unique(table::named(&table.columns, &columns));
    Some((rule, ConstraintKind::Unique, columns, DataError::Unique))
}

fn foreign(b: &mut Brush<'_>, table: &Object, slot: u8) -> Option<Made> {
    if table.persistence != Persistence::Permanent {
        return None;
    }
    let keyed = table
        .columns
        .iter()
        .filter(|c| c.ty == Type::Int8)
        .map(|c| (c.piece.0, c));
    let own = b.draw.choose(Purpose::Column, keyed)?;
    let (other, key) = table::referable(b, Some(table.id))?;
    let to = b.slot(other);
    b.op.touch(to, Facet::Shape, Mode::Uses, Some(Right::References));
    b.set(slot, Facet::DependsOn(other.id), FactValue::Flag(true));
    let rule = Rule::Foreign {
        columns: vec![Brush::named(own)],
        table: to,
        to: vec![Brush::named(key)],
        on_delete: Word::Borrowed(""),
    };
    let kind = ConstraintKind::ForeignKey {
        references: other.id,
        columns: vec![key.piece],
    };
    Some((rule, kind, vec![own.piece], DataError::ForeignKey))
}

fn alter(slot: u8, change: Change) -> Option<Statement> {
    Some(Statement::Define(Box::new(Define::Alter {
        slot,
        changes: vec![change],
    })))
}

/// DROP CONSTRAINT, or now and then VALIDATE CONSTRAINT.
pub(super) fn drop(b: &mut Brush<'_>) -> Option<Statement> {
    let table = b.choose(ObjectKind::Table, |t| !t.constraints.is_empty())?;
    let keyed = table.constraints.iter().map(|c| (c.piece.0, c));
    let constraint = b.draw.choose(Purpose::Column, keyed)?;
    let named = Named {
        piece: constraint.piece,
        name: constraint.name.clone(),
    };
    let facet = Facet::Constraint(constraint.piece);
    let slot = b.changes(table, Facet::Shape, Mode::Redefines);
    if !constraint.valid && b.draw.chance(Purpose::Shape, 2, 3) {
        b.op.touch(slot, facet, Mode::Redefines, None);
        b.raise(&[DataError::Check, DataError::ForeignKey]);
        let valid = Constraint {
            valid: true,
            ..constraint.clone()
        };
        b.set(slot, facet, FactValue::Constraint(valid));
        return alter(slot, Change::Validate(named));
    }
    b.op.touch(slot, facet, Mode::Removes, None);
    let referred = b
        .catalog()
        .dependents(table.id)
        .any(|o| o.id.kind == ObjectKind::Table);
    let cascade = referred || b.draw.chance(Purpose::Shape, 1, 4);
    b.op.effects.push(Effect::RemovePart { slot, facet, cascade });
    alter(
        slot,
        Change::DropConstraint {
            constraint: named,
            cascade,
        },
    )
}
