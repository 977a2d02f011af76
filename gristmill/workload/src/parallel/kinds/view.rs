//! Views and materialized views. What they select raises nothing, so that a reader of one has no reason of its own to fail.

use super::oracle::kept;
use super::table::{dropped, renamed, somewhere};
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::Care;
use crate::parallel::query::Shape;
use history::parallel::expr::{Expr, Named};
use history::parallel::statement::{Body, Define, Query, Select};
use history::parallel::{
    Column, DataError, Detail, Effect, Facet, FactValue, Mode, Object, ObjectId, ObjectKind, Right, Space,
    Statement, Target, Type,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How deep views stand on views.
const DEPTH: usize = 3;

/// A query for a view, with every output cast to its type, so that it can be replaced by another of these types.
fn defining(b: &mut Brush<'_>, wants: Option<&[Type]>) -> Option<(Query, Vec<Type>)> {
    let shape = b.draw.of(
        Purpose::Shape,
        &[
            Shape::Plain,
            Shape::Plain,
            Shape::Join,
            Shape::Aggregate,
            Shape::Set,
        ],
    );
    let shape = if wants.is_some() && shape == Shape::Aggregate {
        Shape::Plain
    } else {
        shape
    };
    let (mut query, types) = b.query(shape, wants, Care::Safe)?;
    cast(&mut query.body, &types);
    Some((query, types))
}

fn cast(body: &mut Body, types: &[Type]) {
    match body {
        Body::Select(select) => {
            let Select {
                outputs, distinct, ..
            } = &mut **select;
            *distinct = false;
            for (output, ty) in outputs.iter_mut().zip(types) {
                let old = std::mem::replace(output, Expr::int(0));
                *output = Expr::Cast(Box::new(old), *ty);
            }
        }
        Body::Set { left, right, .. } => {
            cast(left, types);
            cast(right, types);
        }
        Body::Values(_) => {}
    }
}

/// What the objects in the slots are, that the query reads.
fn read(b: &Brush<'_>, not: ObjectId) -> BTreeSet<ObjectId> {
    let objects = b.op.slots.iter().filter_map(|t| match t {
        Target::Object { object, .. }
            if (object.kind.is_readable() || object.kind == ObjectKind::Function) && *object != not =>
        {
            Some(*object)
        }
        _ => None,
    });
    objects.collect()
}

/// The query as the view keeps it.
fn definition(b: &Brush<'_>, depends: &BTreeSet<ObjectId>, query: &Query) -> Arc<Statement> {
    Arc::new(Statement::Query(Box::new(kept(&b.op, depends, query))))
}

/// How many views the deepest way down to a table goes through.
fn depth(b: &Brush<'_>, id: ObjectId, left: usize) -> usize {
    if id.kind == ObjectKind::Table || !id.kind.is_readable() || left == 0 {
        return 0;
    }
    let object = b.view.catalog.get(id);
    let below = object.into_iter().flat_map(|o| &o.depends);
    1 + below.map(|d| depth(b, *d, left - 1)).max().unwrap_or(0)
}

fn columns(b: &mut Brush<'_>, types: &[Type]) -> (Vec<Named>, Vec<Column>) {
    let columns: Vec<Column> = types
        .iter()
        .map(|ty| {
            let named = b.part('c');
            Column {
                piece: named.piece,
                name: named.name,
                ty: *ty,
                not_null: false,
                has_default: false,
                generated: false,
                protected: false,
            }
        })
        .collect();
    (columns.iter().map(Brush::named).collect(), columns)
}

pub(super) fn create(b: &mut Brush<'_>) -> Option<Statement> {
    if b.catalog().count(ObjectKind::View) >= b.plan.ceilings.views {
        return None;
    }
    made(b, ObjectKind::View)
}

pub(super) fn materialize(b: &mut Brush<'_>) -> Option<Statement> {
    if b.catalog().count(ObjectKind::MaterializedView) >= b.plan.ceilings.materialized_views {
        return None;
    }
    made(b, ObjectKind::MaterializedView)
}

fn made(b: &mut Brush<'_>, kind: ObjectKind) -> Option<Statement> {
    let schema = somewhere(b);
    let (slot, id, name) = b.makes(kind, schema);
    let (query, types) = defining(b, None)?;
    let depends = read(b, id);
    if depends.iter().any(|d| depth(b, *d, DEPTH + 1) >= DEPTH) {
        return None;
    }
    let (named, columns) = columns(b, &types);
    let materialized = kind == ObjectKind::MaterializedView;
    let empty = materialized && b.draw.chance(Purpose::Shape, 1, 6);
    let mut object = Object::new(id, name);
    object.columns = columns;
    object.depends = depends;
    object.definition = Some(definition(b, &object.depends, &query));
    object.valid = !empty;
    b.op.effects.push(Effect::Create(slot, Box::new(object)));
    Some(Statement::Define(Box::new(Define::View {
        slot,
        materialized,
        or_replace: false,
        temporary: false,
        empty,
        columns: named,
        query,
    })))
}

/// The same columns, another query.
pub(super) fn replace(b: &mut Brush<'_>) -> Option<Statement> {
    let view = b.choose(ObjectKind::View, |v| !v.columns.is_empty())?;
    let slot = b.changes(view, Facet::Definition, Mode::Redefines);
    let types: Vec<Type> = view.columns.iter().map(|c| c.ty).collect();
    let (query, _) = defining(b, Some(&types))?;
    let depends = read(b, view.id);
    // One that stands on this one, or so far up that it may, is left alone.
    let above = |d: &ObjectId| {
        d.kind != ObjectKind::Table
            && d.kind.is_readable()
            && depth(b, *d, DEPTH + 1) >= depth(b, view.id, DEPTH + 1)
    };
    if depends.iter().any(above) || b.op.slots.iter().filter(|t| is(t, view.id)).count() > 1 {
        return None;
    }
    if b.op
        .touches
        .iter()
        .any(|t| t.slot == slot && t.facet == Facet::Rows)
    {
        return None;
    }
    for old in view.depends.difference(&depends) {
        b.set(slot, Facet::DependsOn(*old), FactValue::Flag(false));
    }
    for new in depends.difference(&view.depends) {
        b.set(slot, Facet::DependsOn(*new), FactValue::Flag(true));
    }
    for column in &view.columns {
        b.op.slot(Target::Part {
            of: slot,
            space: Space::Column,
            piece: Some(column.piece),
            name: column.name.clone(),
        });
    }
    let definition = definition(b, &depends, &query);
    b.set(
        slot,
        Facet::Definition,
        FactValue::Definition(Arc::clone(&definition)),
    );
    // Where nobody has the name any more, it is made.
    let nth = u8::try_from(b.op.slots.len()).expect("an op has at most 255 slots");
    let made = Object {
        id: ObjectId::made(ObjectKind::View, b.op.at, nth),
        depends,
        definition: Some(definition),
        ..view.clone()
    };
    let new = b.op.slot(Target::New {
        object: made.id,
        name: made.name.clone(),
    });
    b.op.effects.push(Effect::Create(new, Box::new(made)));
    Some(Statement::Define(Box::new(Define::View {
        slot,
        materialized: false,
        or_replace: true,
        temporary: false,
        empty: false,
        columns: view.columns.iter().map(Brush::named).collect(),
        query,
    })))
}

fn is(target: &Target, id: ObjectId) -> bool {
    matches!(target, Target::Object { object, .. } if *object == id)
}

pub(super) fn drop(b: &mut Brush<'_>) -> Option<Statement> {
    dropped(b, ObjectKind::View)
}

pub(super) fn drop_materialized(b: &mut Brush<'_>) -> Option<Statement> {
    dropped(b, ObjectKind::MaterializedView)
}

pub(super) fn rename(b: &mut Brush<'_>) -> Option<Statement> {
    renamed(b, ObjectKind::View)
}

/// Whether it is a unique index of the view's columns, over all of its rows.
fn all_rows(index: &Object, view: ObjectId) -> bool {
    match &index.detail {
        Detail::Index {
            on,
            unique,
            partial,
            expression,
            ..
        } => *on == view && *unique && !partial && !expression,
        _ => false,
    }
}

/// Concurrently only where it is populated and a unique index over plain columns is there.
pub(super) fn refresh(b: &mut Brush<'_>) -> Option<Statement> {
    let view = b.choose(ObjectKind::MaterializedView, |_| true)?;
    let index = b.catalog().of(ObjectKind::Index).find(|i| all_rows(i, view.id));
    let slot = b.changes(view, Facet::Valid, Mode::Redefines);
    b.op.touch(slot, Facet::Rows, Mode::Writes, Some(Right::Own));
    let concurrently = index.is_some() && view.valid && b.draw.chance(Purpose::Shape, 1, 2);
    if concurrently {
        let index = index.expect("it is there");
        b.slot(index);
        b.raise(&[DataError::Cardinality]);
    }
    // Its indexes may be unique where the new rows are not.
    b.raise(&[DataError::Unique]);
    let empty = !concurrently && b.draw.chance(Purpose::Shape, 1, 10);
    b.set(slot, Facet::Valid, FactValue::Flag(!empty));
    Some(Statement::Define(Box::new(Define::Refresh {
        slot,
        concurrently,
        empty,
    })))
}
