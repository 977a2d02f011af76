//! Schemas and sequences.

use super::table::{dropped, renamed, somewhere};
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::query::bare;
use history::parallel::expr::Expr;
use history::parallel::statement::{Define, Select};
use history::parallel::{Effect, Facet, Mode, Object, ObjectKind, Right, Statement};

pub(super) fn create(b: &mut Brush<'_>) -> Option<Statement> {
    if b.catalog().count(ObjectKind::Schema) >= b.plan.ceilings.schemas {
        return None;
    }
    let (slot, id, name) = b.makes(ObjectKind::Schema, None);
    let if_not_exists = b.draw.chance(Purpose::Shape, 1, 8);
    b.op.lenient = if_not_exists;
    b.op.effects
        .push(Effect::Create(slot, Box::new(Object::new(id, name))));
    Some(Statement::Define(Box::new(Define::Schema {
        slot,
        if_not_exists,
    })))
}

pub(super) fn drop(b: &mut Brush<'_>) -> Option<Statement> {
    dropped(b, ObjectKind::Schema)
}

pub(super) fn rename(b: &mut Brush<'_>) -> Option<Statement> {
    renamed(b, ObjectKind::Schema)
}

/// One that begins again at its end: no value of it is the last.
pub(super) fn sequence(b: &mut Brush<'_>) -> Option<Statement> {
    if b.catalog().count(ObjectKind::Sequence) >= b.plan.ceilings.sequences {
        return None;
    }
    let schema = somewhere(b);
    let (slot, id, name) = b.makes(ObjectKind::Sequence, schema);
    b.op.effects
        .push(Effect::Create(slot, Box::new(Object::new(id, name))));
    Some(Statement::Define(Box::new(Define::Sequence {
        slot,
        increment: b.draw.of(Purpose::Value, &[1, 2, -1, 100_000]),
        start: b.draw.of(Purpose::Value, &[1, 0, 1_000_000, -1_000_000]),
        cycle: true,
    })))
}

pub(super) fn alter(b: &mut Brush<'_>) -> Option<Statement> {
    let sequence = b.choose(ObjectKind::Sequence, |_| true)?;
    let slot = b.changes(sequence, Facet::Shape, Mode::Redefines);
    Some(Statement::Define(Box::new(Define::AlterSequence {
        slot,
        increment: b.draw.of(Purpose::Value, &[1, 3, -2, 50_000]),
        restart: b.draw.chance(Purpose::Shape, 1, 3),
    })))
}

pub(super) fn drop_sequence(b: &mut Brush<'_>) -> Option<Statement> {
    dropped(b, ObjectKind::Sequence)
}

/// Its value stays taken, whatever becomes of the transaction.
pub(super) fn next(b: &mut Brush<'_>) -> Option<Statement> {
    let sequence = b.choose(ObjectKind::Sequence, |_| true)?;
    let slot = b.slot(sequence);
    b.op.touch(slot, Facet::Rows, Mode::Writes, Some(Right::Usage));
    Some(Statement::Query(Box::new(bare(Select {
        distinct: false,
        outputs: vec![Expr::NextValue(slot)],
        from: None,
        filter: None,
        group: Vec::new(),
        having: None,
    }))))
}
