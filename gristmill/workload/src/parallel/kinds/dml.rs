//! What changes rows that are there.

use super::write::{assigned, foreign, keyed, returning};
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::Care;
use crate::parallel::speech::Feature;
use crate::parallel::values;
use history::parallel::expr::{Constant, Expr, Word};
use history::parallel::statement::{Define, Delete, Transaction, Update};
use history::parallel::{Aim, Column, Facet, Mode, Object, ObjectKind, Question, Right, Statement, Type};

/// One or two columns of a table get new values, in the rows of a predicate.
pub(super) fn update(b: &mut Brush<'_>) -> Option<Statement> {
    let table = b.choose(ObjectKind::Table, |t| {
        t.rows > 0 && t.columns.iter().any(|c| !c.generated)
    })?;
    let slot = b.writes(table, Right::Update);
    b.reads(table);
    let alias = b.alias();
    let mut sight = b.sight(table, Some(alias));
    let mut from = None;
    if b.has(Feature::UpdateFrom)
        && b.draw.chance(Purpose::Shape, 1, 6)
        && let Some(other) = b
            .readable()
            .filter(|o| b.ceiling(o) * b.ceiling(table) <= 100_000)
    {
        let (relation, more) = b.relation(other);
        from = Some(relation);
        sight.extend(more);
    }
    // What is a key, or refers to one, is hit by chance too often: now and then is enough.
    let bold = b.draw.chance(Purpose::Column, 1, 10);
    let free = |c: &Column| bold || !(keyed(table, c) || foreign(b, table, c).is_some());
    let writable: Vec<&Column> = table
        .columns
        .iter()
        .filter(|c| !c.generated && !c.protected && !matches!(c.ty, Type::Named(_)) && free(c))
        .collect();
    let n = b.draw.below(Purpose::Shape, 2) + 1;
    let mut set = Vec::new();
    for _ in 0..n {
        let keyed = writable.iter().map(|c| (c.piece.0, *c));
        let column = b.draw.choose(Purpose::Column, keyed)?;
        if set
            .iter()
            .any(|(named, _): &(history::parallel::expr::Named, _)| named.piece == column.piece)
        {
            continue;
        }
        let reset = column.has_default && !b.speech.loose_numbers && b.draw.chance(Purpose::Shape, 1, 8);
        let value = match reset {
            true => None,
            false if b.draw.chance(Purpose::Shape, 1, 2) => {
                let null = !column.not_null && b.draw.chance(Purpose::Value, 1, 8);
                let value = match null {
                    true => Constant::Null,
                    false => values::constant(&mut b.draw, b.speech, column.ty),
                };
                Some(Expr::Constant(value, column.ty))
            }
            false => Some(assigned(b, column, &sight, Care::Any)),
        };
        set.push((Brush::named(column), value));
    }
    let filter = b
        .draw
        .chance(Purpose::Shape, 9, 10)
        .then(|| b.truth(&sight, 2, Care::Any));
    let returning = if from.is_none() && b.has(Feature::UpdateReturning) {
        returning(b, table)
    } else {
        Vec::new()
    };
    Some(Statement::Update(Box::new(Update {
        table: slot,
        alias,
        set,
        from,
        filter,
        returning,
    })))
}

pub(super) fn delete(b: &mut Brush<'_>) -> Option<Statement> {
    let table = b.choose(ObjectKind::Table, |t| !t.columns.is_empty())?;
    let slot = b.writes(table, Right::Delete);
    b.reads(table);
    let alias = b.alias();
    let mut sight = b.sight(table, Some(alias));
    let mut using = None;
    if b.has(Feature::DeleteUsing)
        && b.draw.chance(Purpose::Shape, 1, 6)
        && let Some(other) = b
            .readable()
            .filter(|o| b.ceiling(o) * b.ceiling(table) <= 100_000)
    {
        let (relation, more) = b.relation(other);
        using = Some(relation);
        sight.extend(more);
    }
    let filter = b
        .draw
        .chance(Purpose::Shape, 19, 20)
        .then(|| b.truth(&sight, 2, Care::Any));
    let returning = if using.is_none() {
        returning(b, table)
    } else {
        Vec::new()
    };
    Some(Statement::Delete(Box::new(Delete {
        table: slot,
        alias,
        using,
        filter,
        returning,
    })))
}

pub(super) fn truncate(b: &mut Brush<'_>) -> Option<Statement> {
    let table = b.choose(ObjectKind::Table, |t| !t.protected)?;
    let slot = b.slot(table);
    let referred = |o: &Object| o.id.kind == ObjectKind::Table;
    if b.catalog().dependents(table.id).any(referred) {
        if !b.draw.chance(Purpose::Aim, 2, b.plan.aims) {
            return None;
        }
        b.op.aim = Some(Aim {
            question: Question::Dependents,
            slot,
        });
    }
    b.op.touch(slot, Facet::Rows, Mode::Removes, Some(Right::Truncate));
    Some(Statement::Truncate {
        tables: vec![slot],
        restart: b.has(Feature::RestartIdentity) && b.draw.chance(Purpose::Shape, 1, 4),
        cascade: false,
    })
}

pub(super) fn comment(b: &mut Brush<'_>) -> Option<Statement> {
    let kind = b.draw.of(
        Purpose::Shape,
        &[
            ObjectKind::Table,
            ObjectKind::Table,
            ObjectKind::View,
            ObjectKind::Index,
            ObjectKind::MaterializedView,
            ObjectKind::Schema,
            ObjectKind::Sequence,
        ],
    );
    let object = b.choose(kind, |_| true)?;
    let slot = b.changes(object, Facet::Comment, Mode::Redefines);
    let column = match kind {
        ObjectKind::Table | ObjectKind::View if b.draw.chance(Purpose::Shape, 1, 2) => {
            let keyed = object.columns.iter().map(|c| (c.piece.0, c));
            b.draw.choose(Purpose::Column, keyed).map(Brush::named)
        }
        _ => None,
    };
    let text = match values::constant(&mut b.draw, b.speech, Type::Text) {
        Constant::Text(text) if b.draw.chance(Purpose::Shape, 4, 5) => Some(text),
        _ => None,
    };
    Some(Statement::Define(Box::new(Define::Comment {
        kind,
        slot,
        column,
        text,
    })))
}

pub(super) fn lock(b: &mut Brush<'_>) -> Option<Statement> {
    let table = b.choose(ObjectKind::Table, |_| true)?;
    let modes = [
        "ACCESS SHARE",
        "ROW SHARE",
        "ROW EXCLUSIVE",
        "SHARE UPDATE EXCLUSIVE",
        "SHARE",
        "SHARE ROW EXCLUSIVE",
        "EXCLUSIVE",
        "ACCESS EXCLUSIVE",
    ];
    let slot = b.slot(table);
    b.op.touch(slot, Facet::Rows, Mode::Uses, Some(Right::Own));
    Some(Statement::Transaction(Transaction::Lock {
        tables: vec![slot],
        mode: Word::Borrowed(b.draw.of(Purpose::Shape, &modes)),
        no_wait: b.draw.chance(Purpose::Shape, 1, 3),
    }))
}
