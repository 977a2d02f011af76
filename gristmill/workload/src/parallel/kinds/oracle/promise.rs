//! Promises of the schema: what a constraint or an index says is looked for in the rows. Never is the server's word taken:
//! a fence (`OFFSET 0`) keeps the planner from concluding it from the constraint itself.

use super::identity::by_index;
use super::{count, halves, is_null, nested, not, output, select, star};
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::Visible;
use crate::parallel::query::bare;
use crate::parallel::registry::plain;
use crate::parallel::speech::LITE;
use crate::parallel::values;
use history::parallel::expr::{ColumnRef, Constant, Expr, Named};
use history::parallel::statement::{From, Query, Select};
use history::parallel::{
    Column, Constraint, ConstraintKind, Detail, Facet, Mode, Object, ObjectId, ObjectKind, Piece, Statement,
    Type,
};

/// Rows of some columns, fenced: the relation and its alias.
fn fenced(b: &mut Brush<'_>, from: From, columns: Vec<Expr>) -> (From, u8) {
    let query = Query {
        offset: Some(0),
        ..bare(select(columns, Some(from), None))
    };
    nested(b, query)
}

fn expressions(table: &Object, pieces: &[Piece], sight: &[Visible]) -> Option<Vec<Expr>> {
    let of = |piece: &Piece| {
        let at = table.columns.iter().position(|c| c.piece == *piece)?;
        Some(sight[at].expr())
    };
    pieces.iter().map(of).collect()
}

/// A table and what passes of its parts.
fn table_with<'a, T>(b: &mut Brush<'a>, of: impl Fn(&'a Object) -> Vec<(u64, T)>) -> Option<(&'a Object, T)> {
    let table = b.choose(ObjectKind::Table, |_| true)?;
    let any = of(table);
    let (table, items) = match any.is_empty() {
        false => (table, any),
        true => {
            let table = b.catalog().of(ObjectKind::Table).find(|t| !of(t).is_empty())?;
            (table, of(table))
        }
    };
    let item = b.draw.choose(Purpose::Column, items.into_iter())?;
    Some((table, item))
}

/// What is unique: by a constraint, or by an index of whole columns.
#[derive(Clone)]
struct Unique {
    claim: Facet,
    columns: Vec<Piece>,
}

/// No two rows have the key; a NULL in it is like no other.
pub(in crate::parallel::kinds) fn unique(b: &mut Brush<'_>) -> Option<Statement> {
    let catalog = b.catalog();
    let of = |table: &Object| -> Vec<(u64, Unique)> {
        let constraints = table.constraints.iter().filter(|c| is_unique(c)).map(|c| {
            let unique = Unique {
                claim: Facet::Constraint(c.piece),
                columns: c.columns.clone(),
            };
            (c.piece.0, unique)
        });
        let indexes = catalog.of(ObjectKind::Index).filter_map(|index| {
            let unique = Unique {
                claim: Facet::DependsOn(index.id),
                columns: whole_and_unique(index, table.id)?,
            };
            Some((index.id.number, unique))
        });
        constraints.chain(indexes).collect()
    };
    let (table, unique) = table_with(b, of)?;
    let (from, sight) = b.relation(table);
    let keys = expressions(table, &unique.columns, &sight)?;
    let slot = b.slot(table);
    b.op.touch(slot, unique.claim, Mode::Uses, None);
    let (fence, alias) = fenced(b, from, keys);
    let numbers = 0..u8::try_from(unique.columns.len()).expect("keys are few");
    let keys: Vec<Expr> = numbers.map(|i| output(alias, i)).collect();
    let known = keys.iter().map(|k| is_null(k.clone(), true));
    let filter = known.reduce(|all, k| Expr::infix("AND", all, k));
    let twice = Select {
        group: keys.clone(),
        having: Some(Expr::infix(">", star(), Expr::int(1))),
        ..select(keys, Some(fence), filter)
    };
    halves(vec![super::size(b, bare(twice))], vec![Expr::int(0)])
}

fn is_unique(c: &Constraint) -> bool {
    matches!(c.kind, ConstraintKind::PrimaryKey | ConstraintKind::Unique) && c.valid && !c.deferred
}

fn whole_and_unique(index: &Object, table: ObjectId) -> Option<Vec<Piece>> {
    match &index.detail {
        Detail::Index {
            on,
            keys,
            unique: true,
            partial: false,
            expression: false,
        } if *on == table && index.valid && !keys.is_empty() => Some(keys.clone()),
        _ => None,
    }
}

/// A column that refuses NULL has none.
pub(in crate::parallel::kinds) fn not_null(b: &mut Brush<'_>) -> Option<Statement> {
    let refuses = |t: &Object| {
        let columns = t.columns.iter().filter(|c| c.not_null);
        columns.map(|c| (c.piece.0, c.piece)).collect::<Vec<_>>()
    };
    let (table, piece) = table_with(b, refuses)?;
    let (from, sight) = b.relation(table);
    let column = expressions(table, &[piece], &sight)?;
    let slot = b.slot(table);
    b.op.touch(slot, Facet::Column(piece), Mode::Uses, None);
    let (fence, alias) = fenced(b, from, column);
    let none = is_null(output(alias, 0), false);
    halves(vec![count(&fence, Some(none))], vec![Expr::int(0)])
}

/// What a foreign key refers to is there.
pub(in crate::parallel::kinds) fn foreign(b: &mut Brush<'_>) -> Option<Statement> {
    let keys = |t: &'_ Object| -> Vec<(u64, Constraint)> {
        let keys = t.constraints.iter();
        let keys = keys
            .filter(|c| matches!(c.kind, ConstraintKind::ForeignKey { .. }) && c.valid && !c.deferred)
            .filter(|c| c.columns.len() == 1);
        keys.map(|c| (c.piece.0, c.clone())).collect()
    };
    let (table, constraint) = table_with(b, keys)?;
    let ConstraintKind::ForeignKey { references, columns } = &constraint.kind else {
        return None;
    };
    let other = b.catalog().get(*references).filter(|o| o.id != table.id)?;
    let whole = |c: Option<&Column>| c.is_some_and(|c| matches!(c.ty, Type::Int2 | Type::Int4 | Type::Int8));
    if !whole(table.column(constraint.columns[0])) || !whole(other.column(*columns.first()?)) {
        return None;
    }
    let (from, sight) = b.relation(table);
    let (to, theirs) = b.relation(other);
    let own = expressions(table, &constraint.columns, &sight)?;
    let key = expressions(other, columns, &theirs)?;
    let slot = b.slot(table);
    b.op.touch(slot, Facet::Constraint(constraint.piece), Mode::Uses, None);
    let (fence, alias) = fenced(b, from, own);
    let (keys, other) = fenced(b, to, key);
    let there = Expr::infix("=", output(other, 0), output(alias, 0));
    let missing = Expr::Exists {
        query: Box::new(bare(select(vec![Expr::int(1)], Some(keys), Some(there)))),
        not: true,
    };
    let lost = Expr::infix("AND", is_null(output(alias, 0), true), missing);
    halves(vec![count(&fence, Some(lost))], vec![Expr::int(0)])
}

/// No row is there for which a checked predicate is false.
pub(in crate::parallel::kinds) fn check(b: &mut Brush<'_>) -> Option<Statement> {
    let checks = |t: &'_ Object| -> Vec<(u64, Constraint)> {
        let checks = t.constraints.iter();
        let checks = checks.filter(|c| c.kind == ConstraintKind::Check && c.valid && c.predicate.is_some());
        checks.map(|c| (c.piece.0, c.clone())).collect()
    };
    let (table, constraint) = table_with(b, checks)?;
    let [piece] = constraint.columns[..] else {
        return None;
    };
    let (from, sight) = b.relation(table);
    let column = expressions(table, &[piece], &sight)?;
    let slot = b.slot(table);
    b.op.touch(slot, Facet::Constraint(constraint.piece), Mode::Uses, None);
    let (fence, alias) = fenced(b, from, column);
    let holds = over(constraint.predicate.as_deref()?, piece, &output(alias, 0))?;
    halves(vec![count(&fence, Some(not(holds)))], vec![Expr::int(0)])
}

/// A predicate over one column, over something else in its place. `None` for forms that no check has.
fn over(predicate: &Expr, piece: Piece, place: &Expr) -> Option<Expr> {
    let again = |e: &Expr| over(e, piece, place);
    Some(match predicate {
        Expr::Column {
            column: ColumnRef::Kept(Named { piece: p, .. }),
            ..
        } if *p == piece => place.clone(),
        Expr::Constant(..) => predicate.clone(),
        Expr::Call {
            form,
            word,
            args,
            filter: None,
        } => Expr::Call {
            form: *form,
            word: word.clone(),
            args: args.iter().map(again).collect::<Option<_>>()?,
            filter: None,
        },
        Expr::IsNull { of, not } => Expr::IsNull {
            of: Box::new(again(of)?),
            not: *not,
        },
        _ => return None,
    })
}

/// An index has what the table has: a condition on its first key, answered with the index where the planner likes and
/// without it.
pub(in crate::parallel::kinds) fn index(b: &mut Brush<'_>) -> Option<Statement> {
    let catalog = b.catalog();
    let lite = b.speech.bit == LITE;
    let of = |table: &Object| -> Vec<(u64, Piece)> {
        let indexed = catalog.of(ObjectKind::Index).filter_map(|i| match &i.detail {
            Detail::Index { on, keys, .. } if *on == table.id => Some((i.id.number, *keys.first()?)),
            _ => None,
        });
        // A primary key of whole numbers may be the table itself (SQLite's rowid).
        let apart = |c: &&Constraint| is_unique(c) && (!lite || c.kind == ConstraintKind::Unique);
        let unique = table.constraints.iter().filter(apart);
        let unique = unique.filter_map(|c| Some((c.piece.0, *c.columns.first()?)));
        indexed.chain(unique).collect()
    };
    let (table, piece) = table_with(b, of)?;
    let ty = table.column(piece)?.ty;
    if matches!(ty, Type::Json | Type::Jsonb | Type::Named(_)) {
        return None;
    }
    let (from, sight) = b.relation(table);
    let key = expressions(table, &[piece], &sight)?.remove(0);
    let word = b.draw.of(
        Purpose::Shape,
        &["=", "<", "<=", ">", ">=", "IS NULL", "IS NOT NULL"],
    );
    let condition = match word {
        "IS NULL" => is_null(key, false),
        "IS NOT NULL" => is_null(key, true),
        word => {
            let value: Constant = values::constant(&mut b.draw, b.speech, ty);
            Expr::infix(word, key, Expr::Constant(value, plain(ty)))
        }
    };
    // A column that no index has keeps the other side from being answered by one.
    let keyed = |piece: Piece| {
        let constraints = table.constraints.iter().any(|c| c.columns.contains(&piece));
        constraints
            || catalog.of(ObjectKind::Index).any(|i| match &i.detail {
                Detail::Index { on, keys, .. } => *on == table.id && keys.contains(&piece),
                _ => false,
            })
    };
    let free = table.columns.iter().position(|c| !keyed(c.piece));
    by_index(&from, condition, free.map(|at| sight[at].expr()))
}
