//! Oracles: statements whose answer tells by itself whether it is right. Each is one statement, hence one snapshot, and
//! gives one row; its left half must equal its right half, whatever else goes on.
//!
//! * O1 both halves are evaluated over the same relations, by predicates that raise nothing and depend on the row alone.
//! * O2 an oracle of a constraint or an index says by a touch ([`Mode::Uses`]) what must surely be there for it to count.
//!
//! Sources: ternary logic partitioning and NoREC are Rigger's and Su's (OOPSLA 2020, ESEC/FSE 2020).

mod evaluate;
mod identity;
mod moved;
mod promise;
mod standing;

pub(super) use evaluate::evaluate;
pub(super) use identity::{
    aggregate, cross, distinct, group, having, join, limit, norec, outer_join, rows, sets, where_,
};
pub(super) use promise::{check, foreign, index, not_null, unique};
pub(super) use standing::{kept, view};

use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::{Care, Visible};
use crate::parallel::query::bare;
use history::parallel::expr::{ColumnRef, Expr, Form, Word};
use history::parallel::statement::{Body, From, Query, Select, SetOp, Source};
use history::parallel::{Object, ObjectKind, Statement, Type};

/// One row: what the left side says, then what the right side says.
fn halves(left: Vec<Expr>, right: Vec<Expr>) -> Option<Statement> {
    debug_assert_eq!(left.len(), right.len(), "the halves are compared one by one");
    let outputs = left.into_iter().chain(right).collect();
    Some(Statement::Query(Box::new(bare(select(outputs, None, None)))))
}

fn select(outputs: Vec<Expr>, from: Option<From>, filter: Option<Expr>) -> Select {
    Select {
        distinct: false,
        outputs,
        from,
        filter,
        group: Vec::new(),
        having: None,
    }
}

fn scalar(select: Select) -> Expr {
    Expr::Scalar(Box::new(bare(select)))
}

fn star() -> Expr {
    Expr::Call {
        form: Form::Star,
        word: Word::Borrowed("count"),
        args: Vec::new(),
        filter: None,
    }
}

fn not(of: Expr) -> Expr {
    Expr::Call {
        form: Form::Prefix,
        word: Word::Borrowed("NOT"),
        args: vec![of],
        filter: None,
    }
}

fn is_null(of: Expr, not: bool) -> Expr {
    Expr::IsNull {
        of: Box::new(of),
        not,
    }
}

/// How many rows FROM has where the predicate holds.
fn count(from: &From, filter: Option<Expr>) -> Expr {
    scalar(select(vec![star()], Some(from.clone()), filter))
}

/// How many rows the query has.
fn size(b: &mut Brush<'_>, query: Query) -> Expr {
    let (from, _) = nested(b, query);
    count(&from, None)
}

/// The query as a relation, and its alias.
fn nested(b: &mut Brush<'_>, query: Query) -> (From, u8) {
    let alias = b.alias();
    let from = From::One {
        source: Source::Query(Box::new(query), false),
        alias,
    };
    (from, alias)
}

/// An output of the relation with the alias.
fn output(alias: u8, number: u8) -> Expr {
    Expr::Column {
        of: Some(alias),
        column: ColumnRef::Output(number),
    }
}

fn sum(mut all: Vec<Expr>) -> Expr {
    let first = all.remove(0);
    all.into_iter().fold(first, |sum, e| Expr::infix("+", sum, e))
}

/// The three predicates of which each row satisfies exactly one.
fn three(p: &Expr) -> [Expr; 3] {
    [p.clone(), not(p.clone()), is_null(p.clone(), false)]
}

fn set(op: SetOp, all: bool, left: Body, right: Body) -> Body {
    Body::Set {
        op,
        all,
        left: Box::new(left),
        right: Box::new(right),
    }
}

fn query(body: Body) -> Query {
    Query {
        with: Vec::new(),
        body,
        order: Vec::new(),
        limit: None,
        offset: None,
        lock: None,
    }
}

/// The rows of three selects together.
fn union(all: bool, [a, b, c]: [Select; 3]) -> Body {
    let [a, b, c] = [a, b, c].map(|s| Body::Select(Box::new(s)));
    set(SetOp::Union, all, set(SetOp::Union, all, a, b), c)
}

/// A relation with rows of its own: what a view shows may differ from one look to the next (LIMIT without an order).
fn relation(b: &mut Brush<'_>) -> Option<(From, Vec<Visible>)> {
    let catalog = b.catalog();
    let stored = |o: &&Object| match o.id.kind {
        ObjectKind::Table => !o.columns.is_empty(),
        ObjectKind::MaterializedView => o.valid && !o.columns.is_empty(),
        _ => false,
    };
    let object = b.pick(catalog.iter().filter(stored))?;
    Some(b.relation(object))
}

/// A predicate over what is in sight that raises nothing and asks no subquery.
fn predicate(b: &mut Brush<'_>, sight: &[Visible]) -> Expr {
    b.room = 0;
    b.truth(sight, 2, Care::Pure)
}

/// Some columns whose values can be told apart, at most three.
fn some(b: &mut Brush<'_>, sight: &[Visible]) -> Option<Vec<Expr>> {
    let mut out: Vec<Expr> = Vec::new();
    for _ in 0..b.draw.range(Purpose::Shape, 1, 3) {
        let column = b.column_of(sight.iter().filter(|v| is_comparable(v.ty)))?;
        if !out.contains(&column) {
            out.push(column);
        }
    }
    Some(out)
}

fn one(b: &mut Brush<'_>, sight: &[Visible]) -> Option<Expr> {
    b.column_of(sight.iter().filter(|v| is_comparable(v.ty)))
}

fn is_comparable(ty: Type) -> bool {
    !matches!(ty, Type::Json | Type::Named(_))
}
