//! What a view shows is what its query says, in one snapshot (P37).
//!
//! * S1 a view's definition is kept with its slots numbered as what it depends on, in order: [`kept`] and [`view`] agree on that.
//! * S2 it counts only where the definition, and what each of its names means, are surely those that it was drawn with.

use super::moved::{aliases, moved};
use super::{count, halves, is_comparable, nested, query, set, size};
use crate::parallel::brush::Brush;
use crate::parallel::query::bare;
use crate::parallel::speech::Feature;
use history::parallel::expr::{Below, Expr};
use history::parallel::statement::walk::mentions;
use history::parallel::statement::{Body, Query, SetOp};
use history::parallel::{Facet, Mode, Object, ObjectId, ObjectKind, Op, Statement, Target};
use std::collections::BTreeSet;

/// Aggregates whose value hangs on the order of the rows, if only in its last digit.
const ORDERED: [&str; 6] = ["sum", "total", "avg", "stddev_pop", "string_agg", "group_concat"];

/// The definition as a view keeps it. One that cannot be asked again is kept as it is: nobody asks it.
pub(in crate::parallel::kinds) fn kept(op: &Op, depends: &BTreeSet<ObjectId>, query: &Query) -> Query {
    let number = |slot: u8| {
        let Some(Target::Object { object, .. }) = op.slots.get(usize::from(slot)) else {
            return None;
        };
        let at = depends.iter().position(|d| d == object)?;
        u8::try_from(at).ok()
    };
    moved(query, &number, 0).unwrap_or_else(|| query.clone())
}

/// As many rows, and the same ones, as its query has.
pub(in crate::parallel::kinds) fn view(b: &mut Brush<'_>) -> Option<Statement> {
    let view = b.choose(ObjectKind::View, |v| v.definition.is_some())?;
    let definition = view.definition.as_deref()?;
    let Statement::Query(query_of) = definition else {
        return None;
    };
    if !is_steady(&query_of.body) || !is_as_said(b, view, definition) {
        return None;
    }
    let bases: Option<Vec<&Object>> = view.depends.iter().map(|id| b.view.catalog.get(*id)).collect();
    let bases = bases?;
    let (shown, sight) = b.relation(view);
    let slot = b.slot(view);
    b.op.touch(slot, Facet::Definition, Mode::Uses, None);
    let mut slots = Vec::new();
    for base in bases {
        if !base.id.kind.is_readable() {
            return None;
        }
        let of = b.reads(base);
        b.op.touch(of, Facet::Name, Mode::Uses, None);
        b.op.touch(slot, Facet::DependsOn(base.id), Mode::Uses, None);
        slots.push(of);
    }
    let by = b.alias();
    let asked = moved(query_of, &|nth| slots.get(usize::from(nth)).copied(), by)?;
    for _ in 0..aliases(query_of) {
        b.alias();
    }
    for part in mentions(&Statement::Query(Box::new(asked.clone()))).parts {
        b.op.slot(Target::Part {
            of: part.slot,
            space: part.space,
            piece: Some(part.named.piece),
            name: part.named.name.clone(),
        });
    }
    let there = count(&shown, None);
    let due = size(b, asked.clone());
    // Rows are compared where all of their values can be.
    if !sight.iter().all(|v| is_comparable(v.ty)) {
        return halves(vec![there], vec![due]);
    }
    let columns: Vec<Expr> = sight.iter().map(super::Visible::expr).collect();
    let whole = || {
        Body::Select(Box::new(super::select(
            columns.clone(),
            Some(shown.clone()),
            None,
        )))
    };
    let (from, alias) = nested(b, asked);
    let numbers = 0..u8::try_from(columns.len()).expect("columns are few");
    let outputs: Vec<Expr> = numbers.map(|n| super::output(alias, n)).collect();
    let said = || bare(super::select(outputs.clone(), Some(from.clone()), None)).body;
    let all = b.has(Feature::SetAll);
    let more = size(b, query(set(SetOp::Except, all, whole(), said())));
    let less = size(b, query(set(SetOp::Except, all, said(), whole())));
    halves(vec![there, more, less], vec![due, Expr::int(0), Expr::int(0)])
}

/// Whether every column that the definition names still has the name that stands there.
fn is_as_said(b: &Brush<'_>, view: &Object, definition: &Statement) -> bool {
    let bases: Vec<&ObjectId> = view.depends.iter().collect();
    let said = mentions(definition);
    let in_order = said.slots.iter().all(|slot| usize::from(*slot) < bases.len());
    in_order
        && said.parts.iter().all(|part| {
            let base = b.view.catalog.get(*bases[usize::from(part.slot)]);
            let column = base.and_then(|base| base.column(part.named.piece));
            column.is_some_and(|column| column.name == part.named.name)
        })
}

/// Whether no aggregate of it depends on the order in which rows come.
fn is_steady(body: &Body) -> bool {
    match body {
        Body::Select(select) => {
            let outputs = select.outputs.iter().chain(&select.having);
            !outputs.into_iter().any(is_ordered)
        }
        Body::Set { left, right, .. } => is_steady(left) && is_steady(right),
        Body::Values(_) => true,
    }
}

fn is_ordered(e: &Expr) -> bool {
    let own = matches!(e, Expr::Call { word, .. } if ORDERED.contains(&word.as_ref()));
    let mut below = false;
    e.each(&mut |part| {
        if let Below::Expr(e) = part {
            below |= is_ordered(e);
        }
    });
    own || below
}
