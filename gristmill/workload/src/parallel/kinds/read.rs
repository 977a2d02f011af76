//! Reads.

use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::Care;
use crate::parallel::query::{Shape, bare};
use history::parallel::expr::{Expr, Form, Word};
use history::parallel::statement::{Lock, Query, Select, Wait};
use history::parallel::{Facet, Mode, ObjectKind, Right, Statement};

fn shaped(b: &mut Brush<'_>, shape: Shape) -> Option<Statement> {
    b.bounded(shape).map(|(q, _)| Statement::Query(Box::new(q)))
}

pub(super) fn select(b: &mut Brush<'_>) -> Option<Statement> {
    shaped(b, Shape::Plain)
}

pub(super) fn join(b: &mut Brush<'_>) -> Option<Statement> {
    shaped(b, Shape::Join)
}

pub(super) fn aggregate(b: &mut Brush<'_>) -> Option<Statement> {
    shaped(b, Shape::Aggregate)
}

pub(super) fn window(b: &mut Brush<'_>) -> Option<Statement> {
    shaped(b, Shape::Window)
}

pub(super) fn set(b: &mut Brush<'_>) -> Option<Statement> {
    shaped(b, Shape::Set)
}

pub(super) fn with(b: &mut Brush<'_>) -> Option<Statement> {
    shaped(b, Shape::With)
}

pub(super) fn count(b: &mut Brush<'_>) -> Option<Statement> {
    let object = b.readable()?;
    let (from, _) = b.relation(object);
    let count = Expr::Call {
        form: Form::Star,
        word: Word::Borrowed("count"),
        args: Vec::new(),
        filter: None,
    };
    Some(Statement::Query(Box::new(bare(Select {
        distinct: false,
        outputs: vec![count],
        from: Some(from),
        filter: None,
        group: Vec::new(),
        having: None,
    }))))
}

pub(super) fn constant(_: &mut Brush<'_>) -> Option<Statement> {
    Some(crate::parallel::nothing())
}

/// Of a table: what a view locks is its tables', and a materialized view has nothing to lock.
pub(super) fn lock(b: &mut Brush<'_>) -> Option<Statement> {
    if b.view.session.read_only {
        return None;
    }
    let table = b.choose(ObjectKind::Table, |t| !t.columns.is_empty())?;
    let (from, sight) = b.relation(table);
    let slot = b.slot(table);
    b.op.touch(slot, Facet::Rows, Mode::Uses, Some(Right::Update));
    let output = b.column_of(sight.iter())?;
    let filter = b.truth(&sight, 1, Care::Flat);
    let wait = b.draw.of(Purpose::Shape, &[Wait::Block, Wait::Skip, Wait::Skip]);
    Some(Statement::Query(Box::new(Query {
        limit: Some(10),
        lock: Some(Lock {
            share: b.draw.chance(Purpose::Shape, 1, 3),
            weak: b.draw.chance(Purpose::Shape, 1, 3),
            wait,
        }),
        ..bare(Select {
            distinct: false,
            outputs: vec![output],
            from: Some(from),
            filter: Some(filter),
            group: Vec::new(),
            having: None,
        })
    })))
}

pub(super) fn explain(b: &mut Brush<'_>) -> Option<Statement> {
    let shape = b
        .draw
        .of(Purpose::Shape, &[Shape::Plain, Shape::Join, Shape::Aggregate]);
    let (query, _) = b.bounded(shape)?;
    Some(Statement::Explain {
        analyze: b.draw.chance(Purpose::Shape, 1, 3),
        of: Box::new(Statement::Query(Box::new(query))),
    })
}

pub(super) fn catalogue(b: &mut Brush<'_>) -> Option<Statement> {
    b.op.catalog = true;
    let name = b.draw.of(Purpose::Shape, b.speech.catalogue);
    Some(Statement::Catalogue(Word::Borrowed(name)))
}

pub(super) fn copy(b: &mut Brush<'_>) -> Option<Statement> {
    let (query, _) = b.bounded(Shape::Plain)?;
    Some(Statement::CopyOut {
        query: Box::new(query),
        csv: b.draw.chance(Purpose::Shape, 1, 2),
    })
}
