//! Columns of a table that is there.

use super::table;
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::speech::Feature;
use crate::parallel::values;
use history::parallel::expr::{Expr, Word};
use history::parallel::statement::{Change, Define};
use history::parallel::{
    Column, ColumnEdit, Constraint, ConstraintKind, DataError, Detail, Effect, Facet, FactValue, Mode,
    Object, ObjectKind, Space, Statement, Type,
};

fn alter(slot: u8, change: Change) -> Option<Statement> {
    Some(Statement::Define(Box::new(Define::Alter {
        slot,
        changes: vec![change],
    })))
}

/// A table and one of its columns.
fn one<'a>(b: &mut Brush<'a>, pass: impl Fn(&Object, &Column) -> bool) -> Option<(&'a Object, &'a Column)> {
    let table = b.choose_any(ObjectKind::Table, |t| t.columns.iter().any(|c| pass(t, c)))?;
    let columns = table.columns.iter().filter(|c| pass(table, c));
    let column = b.draw.choose(Purpose::Column, columns.map(|c| (c.piece.0, c)))?;
    Some((table, column))
}

pub(super) fn add(b: &mut Brush<'_>) -> Option<Statement> {
    let most = b.plan.ceilings.columns;
    let table = b.choose_any(ObjectKind::Table, |t| t.columns.len() < most)?;
    let slot = b.changes(table, Facet::Shape, Mode::Redefines);
    let (def, column) = table::column(b, true);
    b.new_part(slot, Space::Column, &column.name);
    b.op.touch(slot, Facet::Column(column.piece), Mode::Defines, None);
    b.set(slot, Facet::Column(column.piece), FactValue::Column(column));
    alter(slot, Change::AddColumn(def))
}

/// One that is not the first: a table without columns says little. Where constraints and indexes are not dropped with
/// their column (SQLite), one that none of them holds.
pub(super) fn drop(b: &mut Brush<'_>) -> Option<Statement> {
    if table::broken(b) {
        return None;
    }
    let alone = !b.has(Feature::Cascade);
    let catalog = b.catalog();
    let held = |t: &Object, c: &Column| {
        let constrained = t.constraints.iter().any(|k| k.columns.contains(&c.piece));
        let indexed = |i: &Object| match &i.detail {
            Detail::Index {
                on,
                keys,
                partial,
                expression,
                ..
            } => *on == t.id && (keys.contains(&c.piece) || *partial || *expression),
            _ => false,
        };
        constrained || catalog.of(ObjectKind::Index).any(indexed)
    };
    let follow = b.has(Feature::ViewsFollow);
    let pass = |t: &Object, c: &Column| {
        (follow || !table::viewed(catalog, t))
            && t.columns.len() > 2
            && t.columns[0].piece != c.piece
            && !c.protected
            && !(alone && held(t, c))
    };
    let (table, column) = one(b, pass)?;
    let slot = b.changes(table, Facet::Shape, Mode::Redefines);
    let facet = Facet::Column(column.piece);
    b.op.touch(slot, facet, Mode::Removes, None);
    let needed = b
        .catalog()
        .dependents(table.id)
        .any(|o| !matches!(o.id.kind, ObjectKind::Index | ObjectKind::Trigger));
    let cascade = !alone && (needed || b.draw.chance(Purpose::Shape, 1, 4));
    let if_exists = b.has(Feature::DropColumnIfExists) && b.draw.chance(Purpose::Shape, 1, 10);
    b.op.lenient = if_exists;
    b.op.effects.push(Effect::RemovePart { slot, facet, cascade });
    alter(
        slot,
        Change::DropColumn {
            column: Brush::named(column),
            if_exists,
            cascade,
        },
    )
}

pub(super) fn rename(b: &mut Brush<'_>) -> Option<Statement> {
    if table::broken(b) {
        return None;
    }
    let (catalog, follow) = (b.catalog(), b.has(Feature::ViewsFollow));
    // Where views and checks are not led on (MariaDB), what they hold keeps its name.
    let checked = |t: &Object, c: &Column| {
        let holds = |k: &Constraint| k.kind == ConstraintKind::Check && k.columns.contains(&c.piece);
        t.constraints.iter().any(holds)
    };
    let free = |t: &Object, c: &Column| follow || !(table::viewed(catalog, t) || checked(t, c));
    let (table, column) = one(b, |t, c| !c.protected && free(t, c))?;
    let slot = b.changes(table, Facet::Shape, Mode::Redefines);
    let to = b.part('c').name;
    b.new_part(slot, Space::Column, &to);
    let facet = Facet::Column(column.piece);
    b.op.touch(slot, facet, Mode::Redefines, None);
    b.edit(slot, column, ColumnEdit::Name(to.clone()));
    alter(
        slot,
        Change::RenameColumn {
            column: Brush::named(column),
            to: Word::Owned(to.as_str().to_owned()),
        },
    )
}

/// Another type that a cast of the server leads to.
fn wider(ty: Type) -> &'static [(Type, &'static [DataError])] {
    const RANGE: &[DataError] = &[DataError::NumericRange];
    match ty {
        Type::Int2 => &[(Type::Int4, &[]), (Type::Int8, &[]), (Type::Text, &[])],
        Type::Int4 => &[
            (Type::Int8, &[]),
            (Type::Int2, RANGE),
            (Type::Text, &[]),
            (Type::Float8, &[]),
        ],
        Type::Int8 => &[(Type::Int4, RANGE), (Type::Text, &[]), (Type::Float8, &[])],
        Type::Float4 => &[(Type::Float8, &[]), (Type::Text, &[])],
        Type::Float8 => &[(Type::Text, &[]), (Type::Float4, RANGE)],
        Type::Numeric(_) => &[(Type::Text, &[]), (Type::Float8, RANGE)],
        // An explicit cast cuts what is too long.
        Type::Text => &[(Type::Varchar(20), &[])],
        Type::Varchar(_) => &[(Type::Text, &[])],
        Type::Timestamp => &[(Type::Date, &[DataError::DatetimeRange])],
        Type::Date => &[(Type::Timestamp, &[DataError::DatetimeRange])],
        Type::Uuid | Type::Bool | Type::Jsonb => &[(Type::Text, &[])],
        _ => &[],
    }
}

/// What is checked or indexed by it keeps its operators only where the types agree, so such columns stay.
pub(super) fn retype(b: &mut Brush<'_>) -> Option<Statement> {
    let catalog = b.catalog();
    let free = |t: &Object, c: &Column| {
        let constrained = t.constraints.iter().any(|k| k.columns.contains(&c.piece));
        let indexed = |i: &Object| matches!(&i.detail, Detail::Index { on, .. } if *on == t.id);
        let viewed = catalog.dependents(t.id).any(|o| o.id.kind.is_readable());
        !constrained && !c.has_default && !viewed && !catalog.of(ObjectKind::Index).any(indexed)
    };
    let (table, column) = one(b, |t, c| !c.protected && !wider(c.ty).is_empty() && free(t, c))?;
    let slot = b.changes(table, Facet::Shape, Mode::Redefines);
    let facet = Facet::Column(column.piece);
    b.op.touch(slot, facet, Mode::Redefines, None);
    let (ty, raises) = b.draw.of(Purpose::Type, wider(column.ty));
    b.raise(raises);
    b.edit(slot, column, ColumnEdit::Type(ty));
    alter(
        slot,
        Change::Retype {
            column: Brush::named(column),
            ty,
        },
    )
}

pub(super) fn default(b: &mut Brush<'_>) -> Option<Statement> {
    let free = |c: &Column| !c.generated && !c.protected && !matches!(c.ty, Type::Named(_));
    let (table, column) = one(b, |_, c| free(c))?;
    let slot = b.changes(table, Facet::Shape, Mode::Redefines);
    let facet = Facet::Column(column.piece);
    b.op.touch(slot, facet, Mode::Redefines, None);
    let away = column.has_default && b.draw.chance(Purpose::Shape, 1, 2);
    let value =
        (!away).then(|| Expr::Constant(values::constant(&mut b.draw, b.speech, column.ty), column.ty));
    b.edit(slot, column, ColumnEdit::Default(value.is_some()));
    alter(
        slot,
        Change::Default {
            column: Brush::named(column),
            value,
        },
    )
}

/// A column of a primary key keeps its NOT NULL.
pub(super) fn null(b: &mut Brush<'_>) -> Option<Statement> {
    let primary = |t: &Object, c: &Column| {
        let of_it = |k: &&history::parallel::Constraint| {
            matches!(k.kind, history::parallel::ConstraintKind::PrimaryKey) && k.columns.contains(&c.piece)
        };
        t.constraints.iter().any(|k| of_it(&k))
    };
    let (table, column) = one(b, |t, c| !t.protected && !c.generated && !primary(t, c))?;
    let slot = b.changes(table, Facet::Shape, Mode::Redefines);
    let facet = Facet::Column(column.piece);
    b.op.touch(slot, facet, Mode::Redefines, None);
    let yes = !column.not_null && b.draw.chance(Purpose::Shape, 2, 3);
    if yes {
        b.raise(&[DataError::NotNull]);
    }
    b.edit(slot, column, ColumnEdit::NotNull(yes));
    alter(
        slot,
        Change::NotNull {
            column: Brush::named(column),
            yes,
        },
    )
}

pub(super) fn storage(b: &mut Brush<'_>) -> Option<Statement> {
    let (table, column) = one(b, |_, _| true)?;
    let slot = b.changes(table, Facet::Comment, Mode::Redefines);
    let change = match b.draw.below(Purpose::Shape, 4) {
        0 => Change::FillFactor(b.draw.of(Purpose::Shape, &[10, 50, 100])),
        1 => Change::ReplicaIdentity(Word::Borrowed(
            b.draw.of(Purpose::Shape, &["FULL", "NOTHING", "DEFAULT"]),
        )),
        2 => Change::Triggers(true),
        _ => Change::Statistics {
            column: Brush::named(column),
            target: b.draw.of(Purpose::Shape, &[0, 10, 1_000]),
        },
    };
    alter(slot, change)
}
