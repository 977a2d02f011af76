//! Indexes.

use super::table::{dropped, renamed};
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::Care;
use crate::parallel::speech::Feature;
use history::parallel::expr::{ColumnRef, Expr};
use history::parallel::statement::{Define, IndexKey};
use history::parallel::{
    DataError, Detail, Effect, Facet, Mode, Object, ObjectKind, Piece, Right, Statement, Type,
};

pub(super) fn create(b: &mut Brush<'_>) -> Option<Statement> {
    made(b, false)
}

/// What it leaves behind when it is refused is an index that is not valid.
pub(super) fn concurrently(b: &mut Brush<'_>) -> Option<Statement> {
    b.op.leftover = true;
    made(b, true)
}

fn made(b: &mut Brush<'_>, concurrently: bool) -> Option<Statement> {
    if b.catalog().count(ObjectKind::Index) >= b.plan.ceilings.indexes {
        return None;
    }
    let kinds: &[ObjectKind] = match b.has(Feature::MaterializedViews) {
        true => &[ObjectKind::Table, ObjectKind::Table, ObjectKind::MaterializedView],
        false => &[ObjectKind::Table],
    };
    let kind = b.draw.of(Purpose::Shape, kinds);
    let table = b.choose_any(kind, |t| t.columns.iter().any(|c| c.ty != Type::Json))?;
    let schema = table.name.parent.and_then(|p| b.catalog().get(p));
    let (slot, id, name) = b.makes(ObjectKind::Index, schema);
    let on = b.changes(table, Facet::Shape, Mode::Uses);
    let sight: Vec<_> = b
        .sight(table, None)
        .into_iter()
        .filter(|v| v.ty != Type::Json)
        .collect();
    let mut keys: Vec<IndexKey> = Vec::new();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut expression = false;
    for _ in 0..b.draw.range(Purpose::Shape, 1, 3) {
        let by = if b.has(Feature::IndexExpressions) && b.draw.chance(Purpose::Shape, 1, 6) {
            let ty = b.any_type();
            b.expr(ty, &sight, 1, Care::Pure)
        } else {
            b.column_of(sight.iter())?
        };
        // A bare constant is no key.
        match &by {
            Expr::Column {
                column: ColumnRef::Kept(named),
                ..
            } if !pieces.contains(&named.piece) => pieces.push(named.piece),
            Expr::Column { .. } => continue,
            Expr::Call { .. } | Expr::Cast(..) if mentions(&by) => expression = true,
            _ => continue,
        }
        let descending = b.draw.chance(Purpose::Shape, 1, 4);
        keys.push(IndexKey { by, descending });
    }
    if keys.is_empty() {
        return None;
    }
    let unique = !table.protected && b.draw.chance(Purpose::Shape, 1, 5);
    if unique {
        b.raise(&[DataError::Unique]);
    }
    let partial = b.has(Feature::IndexExpressions) && b.draw.chance(Purpose::Shape, 1, 6);
    let filter = partial.then(|| b.truth(&sight, 1, Care::Pure));
    let if_not_exists = !concurrently && b.draw.chance(Purpose::Shape, 1, 12);
    b.op.lenient = if_not_exists;
    b.op.touch(on, Facet::Rows, Mode::Reads, Some(Right::Own));
    let mut object = Object::new(id, name);
    object.depends.insert(table.id);
    object.detail = Detail::Index {
        on: table.id,
        keys: pieces,
        unique,
        partial: filter.is_some(),
        expression,
    };
    b.op.effects.push(Effect::Create(slot, Box::new(object)));
    Some(Statement::Define(Box::new(Define::Index {
        slot,
        on,
        unique,
        concurrently,
        if_not_exists,
        keys,
        filter,
    })))
}

/// Whether a column stands in it.
fn mentions(e: &Expr) -> bool {
    let mut found = matches!(e, Expr::Column { .. });
    e.each(&mut |below| {
        if let history::parallel::expr::Below::Expr(e) = below {
            found |= mentions(e);
        }
    });
    found
}

pub(super) fn drop(b: &mut Brush<'_>) -> Option<Statement> {
    dropped(b, ObjectKind::Index)
}

pub(super) fn rename(b: &mut Brush<'_>) -> Option<Statement> {
    renamed(b, ObjectKind::Index)
}
