//! Identities: two ways to ask for the same, which a planner takes different ways to answer.

use super::{
    count, halves, is_null, nested, one, output, predicate, query, relation, scalar, select, set, size, some,
    star, sum, three, union,
};
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::{Care, Visible};
use crate::parallel::query::bare;
use crate::parallel::speech::{Feature, LITE};
use history::parallel::expr::{Constant, Expr, Form, Sort, Word};
use history::parallel::statement::{Body, From, Join, Query, Select, SetOp};
use history::parallel::{ObjectKind, Statement, Type};

/// Pairs of rows that an oracle's join may look at.
const PAIRS: u64 = 40_000;

/// All rows are those where p is true, false or NULL.
pub(in crate::parallel::kinds) fn where_(b: &mut Brush<'_>) -> Option<Statement> {
    let (from, sight) = relation(b)?;
    let p = predicate(b, &sight);
    let parts = three(&p).map(|p| count(&from, Some(p)));
    halves(vec![count(&from, None)], vec![sum(parts.to_vec())])
}

/// A predicate keeps as many rows as it is true for, row by row.
pub(in crate::parallel::kinds) fn norec(b: &mut Brush<'_>) -> Option<Statement> {
    let (from, sight) = relation(b)?;
    let p = predicate(b, &sight);
    halves(vec![count(&from, Some(p.clone()))], vec![looked_at(&from, p)])
}

/// How many rows the predicate is true for, told by looking at each: no index helps, nothing can be pushed down.
pub(super) fn looked_at(from: &From, p: Expr) -> Expr {
    let case = Expr::Case {
        arms: vec![(p, Expr::int(1))],
        otherwise: None,
    };
    scalar(select(
        vec![Expr::function("count", vec![case])],
        Some(from.clone()),
        None,
    ))
}

/// The rows themselves, not only their number.
pub(in crate::parallel::kinds) fn rows(b: &mut Brush<'_>) -> Option<Statement> {
    let (from, sight) = relation(b)?;
    let columns = some(b, &sight)?;
    let p = predicate(b, &sight);
    let all = b.has(Feature::SetAll);
    let whole = || Body::Select(Box::new(select(columns.clone(), Some(from.clone()), None)));
    let parts = || {
        union(
            true,
            three(&p).map(|p| select(columns.clone(), Some(from.clone()), Some(p))),
        )
    };
    let more = query(set(SetOp::Except, all, whole(), parts()));
    let less = query(set(SetOp::Except, all, parts(), whole()));
    halves(
        vec![size(b, more), size(b, less)],
        vec![Expr::int(0), Expr::int(0)],
    )
}

/// Distinct values are those of the three parts, each once.
pub(in crate::parallel::kinds) fn distinct(b: &mut Brush<'_>) -> Option<Statement> {
    let (from, sight) = relation(b)?;
    let column = one(b, &sight)?;
    let p = predicate(b, &sight);
    let counted = Expr::Call {
        form: Form::Distinct,
        word: Word::Borrowed("count"),
        args: vec![column.clone()],
        filter: None,
    };
    let left = scalar(select(vec![counted], Some(from.clone()), None));
    let parts = three(&p).map(|p| select(vec![column.clone()], Some(from.clone()), Some(p)));
    let (parts, alias) = nested(b, query(union(false, parts)));
    let values = Expr::function("count", vec![output(alias, 0)]);
    halves(vec![left], vec![scalar(select(vec![values], Some(parts), None))])
}

/// An aggregate is the aggregate of those of the three parts. Of values that are equal and yet written differently (1 and
/// 1.0) a database may give either: of types that have none such.
pub(in crate::parallel::kinds) fn aggregate(b: &mut Brush<'_>) -> Option<Statement> {
    let (from, sight) = relation(b)?;
    let lite = b.speech.bit == LITE;
    let plain = |v: &&Visible| match v.ty {
        Type::Int2 | Type::Int4 | Type::Int8 | Type::Date | Type::Timestamp => !lite,
        Type::Text => true,
        _ => false,
    };
    let ordered = b.column_of(sight.iter().filter(plain));
    let (word, outer, column) = match ordered {
        Some(column) if b.draw.chance(Purpose::Shape, 3, 4) => {
            let word = b.draw.of(Purpose::Shape, &["min", "max"]);
            (word, word, column)
        }
        _ => ("count", "sum", one(b, &sight)?),
    };
    let p = predicate(b, &sight);
    let of = |filter| {
        let part = Expr::function(word, vec![column.clone()]);
        select(vec![part], Some(from.clone()), filter)
    };
    let (parts, alias) = nested(b, query(union(true, three(&p).map(|p| of(Some(p))))));
    let whole = Expr::function(outer, vec![output(alias, 0)]);
    halves(
        vec![scalar(of(None))],
        vec![scalar(select(vec![whole], Some(parts), None))],
    )
}

fn grouped(from: &From, column: &Expr, having: Option<Expr>) -> Select {
    Select {
        group: vec![column.clone()],
        having,
        ..select(vec![column.clone(), star()], Some(from.clone()), None)
    }
}

/// All groups are those for which a condition on the group is true, false or NULL.
pub(in crate::parallel::kinds) fn having(b: &mut Brush<'_>) -> Option<Statement> {
    let (from, sight) = relation(b)?;
    let column = one(b, &sight)?;
    let other = one(b, &sight)?;
    let counted = Expr::function("count", vec![other]);
    let least = Expr::int(b.draw.range(Purpose::Value, 0, 3));
    let condition = Expr::infix(">=", counted, least);
    let parts = three(&condition).map(|h| size(b, bare(grouped(&from, &column, Some(h)))));
    let whole = size(b, bare(grouped(&from, &column, None)));
    halves(vec![whole], vec![sum(parts.to_vec())])
}

/// Groups are the distinct values, and no row is lost or counted twice in them.
pub(in crate::parallel::kinds) fn group(b: &mut Brush<'_>) -> Option<Statement> {
    let (from, sight) = relation(b)?;
    let column = one(b, &sight)?;
    let groups = size(b, bare(grouped(&from, &column, None)));
    let values = Select {
        distinct: true,
        ..select(vec![column.clone()], Some(from.clone()), None)
    };
    let values = size(b, bare(values));
    let (all, alias) = nested(b, bare(grouped(&from, &column, None)));
    let total = Expr::function("sum", vec![output(alias, 1)]);
    let total = Expr::function("coalesce", vec![total, Expr::int(0)]);
    let total = scalar(select(vec![total], Some(all), None));
    halves(vec![groups, count(&from, None)], vec![values, total])
}

/// Two tables whose product is small.
fn pair(b: &mut Brush<'_>) -> Option<[(From, Vec<Visible>); 2]> {
    let first = b.choose(ObjectKind::Table, |t| !t.columns.is_empty())?;
    let room = PAIRS / b.ceiling(first).max(1);
    let second = b.choose(ObjectKind::Table, |t| {
        !t.columns.is_empty() && t.rows.max(1) <= room
    })?;
    Some([b.relation(first), b.relation(second)])
}

fn joined(kind: Join, left: &From, right: &From, on: Option<Expr>) -> From {
    From::Join {
        kind,
        left: Box::new(left.clone()),
        right: Box::new(right.clone()),
        on,
    }
}

/// The rows of a join are those where p is true, false or NULL.
pub(in crate::parallel::kinds) fn join(b: &mut Brush<'_>) -> Option<Statement> {
    let [(left, mut sight), (right, other)] = pair(b)?;
    b.room = 0;
    let kind = b.draw.of(Purpose::Shape, &[Join::Inner, Join::Left]);
    let on = b.fit(&sight, &other, Care::Pure);
    sight.extend(other);
    let from = joined(kind, &left, &right, Some(on));
    let p = predicate(b, &sight);
    let parts = three(&p).map(|p| count(&from, Some(p)));
    halves(vec![count(&from, None)], vec![sum(parts.to_vec())])
}

/// A left join is the inner one and the rows that have no partner.
pub(in crate::parallel::kinds) fn outer_join(b: &mut Brush<'_>) -> Option<Statement> {
    let [(left, sight), (right, other)] = pair(b)?;
    b.room = 0;
    let on = b.fit(&sight, &other, Care::Pure);
    let partner = Expr::Exists {
        query: Box::new(bare(select(
            vec![Expr::int(1)],
            Some(right.clone()),
            Some(on.clone()),
        ))),
        not: true,
    };
    let inner = joined(Join::Inner, &left, &right, Some(on.clone()));
    let outer = joined(Join::Left, &left, &right, Some(on));
    halves(
        vec![count(&outer, None)],
        vec![sum(vec![count(&inner, None), count(&left, Some(partner))])],
    )
}

/// Each with each are as many as the product says, and a predicate on one side keeps its share.
pub(in crate::parallel::kinds) fn cross(b: &mut Brush<'_>) -> Option<Statement> {
    let [(left, sight), (right, _)] = pair(b)?;
    let p = predicate(b, &sight);
    let from = joined(Join::Cross, &left, &right, None);
    let product = Expr::infix("*", count(&left, Some(p.clone())), count(&right, None));
    halves(vec![count(&from, Some(p))], vec![product])
}

/// UNION ALL adds up; INTERSECT and EXCEPT part the distinct rows.
pub(in crate::parallel::kinds) fn sets(b: &mut Brush<'_>) -> Option<Statement> {
    let (from, sight) = relation(b)?;
    let column = one(b, &sight)?;
    let (p, q) = (predicate(b, &sight), predicate(b, &sight));
    let side = |p: &Expr| {
        Body::Select(Box::new(select(
            vec![column.clone()],
            Some(from.clone()),
            Some(p.clone()),
        )))
    };
    let together = size(b, query(set(SetOp::Union, true, side(&p), side(&q))));
    let both = size(b, query(set(SetOp::Intersect, false, side(&p), side(&q))));
    let only = size(b, query(set(SetOp::Except, false, side(&p), side(&q))));
    let values = Select {
        distinct: true,
        ..select(vec![column.clone()], Some(from.clone()), Some(p.clone()))
    };
    let values = size(b, bare(values));
    let added = sum(vec![count(&from, Some(p)), count(&from, Some(q))]);
    halves(vec![together, sum(vec![both, only])], vec![added, values])
}

/// The first n rows are among the first n and some more, and are as many as there are.
pub(in crate::parallel::kinds) fn limit(b: &mut Brush<'_>) -> Option<Statement> {
    let (from, sight) = relation(b)?;
    let columns = some(b, &sight)?;
    let p = predicate(b, &sight);
    let order: Vec<Sort> = columns.iter().map(|c| b.sort(c.clone())).collect();
    let n = b.draw.below(Purpose::Shape, 30);
    let more = b.draw.range(Purpose::Shape, 1, 30).unsigned_abs();
    let first = |limit| Query {
        order: order.clone(),
        limit: Some(limit),
        ..bare(select(columns.clone(), Some(from.clone()), Some(p.clone())))
    };
    let mut side = |limit| {
        let (rows, alias) = nested(b, first(limit));
        let outputs = (0..u8::try_from(columns.len()).expect("columns are few")).map(|i| output(alias, i));
        Body::Select(Box::new(select(outputs.collect(), Some(rows), None)))
    };
    let beyond = query(set(SetOp::Except, false, side(n), side(n + more)));
    let beyond = size(b, beyond);
    let got = size(b, first(n));
    let there = || count(&from, Some(p.clone()));
    let n = Expr::int(i64::try_from(n).expect("it is small"));
    let due = Expr::Case {
        arms: vec![(Expr::infix("<", there(), n.clone()), there())],
        otherwise: Some(Box::new(n)),
    };
    halves(vec![beyond, got], vec![Expr::int(0), due])
}

/// A condition on the first key of an index, asked so that the index can answer, and so that it cannot.
pub(super) fn by_index(from: &From, condition: Expr, free: Option<Expr>) -> Option<Statement> {
    let null = Expr::Constant(Constant::Null, Type::Int8);
    let mut arms = vec![(condition.clone(), Expr::int(1))];
    arms.extend(free.map(|free| (is_null(free, false), null)));
    let case = Expr::Case {
        arms,
        otherwise: None,
    };
    let looked = Expr::function("count", vec![case]);
    let looked = scalar(select(vec![looked], Some(from.clone()), None));
    halves(vec![count(from, Some(condition))], vec![looked])
}
