//! Queries over what is there: shapes by weight, sizes within a budget of rows.

use super::brush::Brush;
use super::draw::Purpose;
use super::expression::{Care, Visible};
use super::registry::{Aggregate, plain};
use super::speech::{Feature, MARIA};
use history::parallel::expr::{ColumnRef, Expr, Form, Sort, Word};
use history::parallel::statement::{Body, From, Join, Query, Select, SetOp, Source, TableExpression};
use history::parallel::{DataError, Object, ObjectKind, Type};

/// Pairs that a join may look at.
const PAIRS: u64 = 1_000_000;
/// Rows that come back.
const ROWS: u64 = 1_000;

/// What a query is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Plain,
    Join,
    Aggregate,
    Window,
    Set,
    With,
}

/// A query and the types of its outputs.
pub(crate) type Typed = (Query, Vec<Type>);

impl<'a> Brush<'a> {
    /// A query of a shape, with outputs of the wanted types where some are wanted.
    pub(crate) fn query(&mut self, shape: Shape, wants: Option<&[Type]>, care: Care) -> Option<Typed> {
        let types = match wants {
            Some(types) => types.iter().map(|t| plain(*t)).collect(),
            None => self.types(shape),
        };
        let (with, body) = match shape {
            Shape::Set => (Vec::new(), self.set_operation(&types, care)?),
            Shape::With => self.with(&types, care)?,
            shape => (
                Vec::new(),
                Body::Select(Box::new(self.select(shape, &types, care)?)),
            ),
        };
        let query = Query {
            with,
            body,
            order: Vec::new(),
            limit: None,
            offset: None,
            lock: None,
        };
        Some((query, types))
    }

    /// A query whose answer is small: with an order and a limit.
    pub(crate) fn bounded(&mut self, shape: Shape) -> Option<Typed> {
        let (mut query, types) = self.query(shape, None, Care::Any)?;
        if self.draw.chance(Purpose::Shape, 1, 2) {
            let outputs = 0..u8::try_from(types.len()).expect("outputs are few");
            query.order = outputs
                .filter(|i| types[usize::from(*i)] != Type::Json)
                .map(|i| self.sort(output(i)))
                .collect();
        }
        let limits = [0, 1, 10, 100, ROWS];
        query.limit = Some(self.draw.of(Purpose::Shape, &limits));
        if self.draw.chance(Purpose::Shape, 1, 8) {
            query.offset = Some(self.draw.below(Purpose::Shape, 20));
        }
        Some((query, types))
    }

    pub(crate) fn sort(&mut self, by: Expr) -> Sort {
        Sort {
            by,
            descending: self.draw.chance(Purpose::Shape, 1, 3),
            nulls_first: match self.draw.below(Purpose::Shape, 4) {
                _ if !self.has(Feature::NullsOrder) => None,
                0 => Some(true),
                1 => Some(false),
                _ => None,
            },
        }
    }

    /// Types for outputs.
    fn types(&mut self, shape: Shape) -> Vec<Type> {
        let n = self.draw.range(Purpose::Shape, 1, 4);
        let registry = self.registry;
        let types = (0..n).map(|_| match shape {
            Shape::Aggregate => {
                let keyed = registry.aggregated().map(|t| (1, t));
                self.draw
                    .weighted(Purpose::Type, keyed)
                    .expect("there are aggregates")
            }
            _ => self.any_type(),
        });
        types.collect()
    }

    fn select(&mut self, shape: Shape, types: &[Type], care: Care) -> Option<Select> {
        let (from, sight) = self.from(shape == Shape::Join, care)?;
        let filter = self
            .draw
            .chance(Purpose::Shape, 3, 4)
            .then(|| self.truth(&sight, 2, care));
        let mut select = Select {
            distinct: false,
            outputs: Vec::new(),
            from: Some(from),
            filter,
            group: Vec::new(),
            having: None,
        };
        match shape {
            Shape::Aggregate => self.aggregate(&mut select, types, &sight, care),
            Shape::Window => {
                let ranked = |t: &Type| matches!(t, Type::Int8);
                select.outputs = types
                    .iter()
                    .map(|ty| match ranked(ty) {
                        true => self.ranked(&sight),
                        false => self.beside(*ty, &sight, care),
                    })
                    .collect();
            }
            _ => {
                select.distinct = self.draw.chance(Purpose::Shape, 1, 8) && !types.contains(&Type::Json);
                select.outputs = types.iter().map(|ty| self.expr(*ty, &sight, 2, care)).collect();
            }
        }
        Some(select)
    }

    /// FROM with one relation, or with two whose product is not too big.
    fn from(&mut self, join: bool, care: Care) -> Option<(From, Vec<Visible>)> {
        let first = self.readable()?;
        let (left, mut sight) = self.relation(first);
        if !join {
            return Some((left, sight));
        }
        let room = PAIRS / self.ceiling(first);
        let fits = |b: &Self, o: &Object| b.ceiling(o) <= room;
        let second = self.readable().filter(|o| fits(self, o)).unwrap_or(first);
        if !fits(self, second) {
            return Some((left, sight));
        }
        let (right, other) = self.relation(second);
        let mut kinds = vec![Join::Inner, Join::Inner, Join::Left, Join::Cross];
        if self.has(Feature::FullJoin) {
            kinds.push(Join::Right);
        }
        let kind = self.draw.of(Purpose::Shape, &kinds);
        let on = (kind != Join::Cross).then(|| self.fit(&sight, &other, care));
        sight.extend(other);
        let join = From::Join {
            kind,
            left: Box::new(left),
            right: Box::new(right),
            on,
        };
        Some((join, sight))
    }

    /// What two relations are joined on: mostly two columns of one type.
    pub(crate) fn fit(&mut self, left: &[Visible], right: &[Visible], care: Care) -> Expr {
        let pairs = left
            .iter()
            .flat_map(|l| right.iter().map(move |r| (l, r)))
            .filter(|(l, r)| l.ty == r.ty && !matches!(l.ty, Type::Json | Type::Jsonb));
        let count = pairs.clone().count();
        if count == 0 || self.draw.chance(Purpose::Shape, 1, 8) {
            let all: Vec<Visible> = left.iter().chain(right).cloned().collect();
            return self.truth(&all, 1, care.max(Care::Flat));
        }
        let at = self.draw.index(Purpose::Shape, count);
        let (l, r) = pairs.clone().nth(at).expect("counted");
        Expr::infix("=", l.expr(), r.expr())
    }

    /// A relation of FROM, and its columns.
    pub(crate) fn relation(&mut self, object: &Object) -> (From, Vec<Visible>) {
        let slot = self.reads(object);
        // What a view casts is cut off in a query and refused in a statement that writes.
        if object.id.kind == ObjectKind::View && self.speech.bit == MARIA {
            self.raise(&[DataError::NumericRange]);
        }
        let alias = self.alias();
        let from = From::One {
            source: Source::Slot(slot),
            alias,
        };
        (from, self.sight(object, Some(alias)))
    }

    fn aggregate(&mut self, select: &mut Select, types: &[Type], sight: &[Visible], care: Care) {
        let grouped = self.draw.chance(Purpose::Shape, 2, 3);
        let by = if grouped {
            self.column_of(
                sight
                    .iter()
                    .filter(|v| !matches!(v.ty, Type::Json | Type::Named(_))),
            )
        } else {
            None
        };
        let by_type = by
            .as_ref()
            .and_then(|e| sight.iter().find(|v| v.expr() == *e))
            .map(|v| v.ty);
        for ty in types {
            let output = match (&by, by_type) {
                (Some(by), Some(t)) if t == *ty && self.draw.chance(Purpose::Shape, 2, 3) => by.clone(),
                _ => self.aggregated(*ty, sight, care),
            };
            select.outputs.push(output);
        }
        if let Some(by) = by {
            select.group.push(by);
            if self.draw.chance(Purpose::Shape, 1, 3) {
                let count = Expr::Call {
                    form: Form::Star,
                    word: Word::Borrowed("count"),
                    args: Vec::new(),
                    filter: None,
                };
                let few = Expr::int(self.draw.range(Purpose::Value, 0, 3));
                select.having = Some(Expr::infix(">=", count, few));
            }
        }
    }

    /// An aggregate with the result, or what comes near it without one: a constant.
    fn aggregated(&mut self, ty: Type, sight: &[Visible], care: Care) -> Expr {
        let registry = self.registry;
        let rows = registry.aggregates(ty);
        let fits = |a: &&Aggregate| care < Care::Safe || (a.raises.is_empty() && !a.ordered);
        let count = rows.iter().copied().filter(|a| fits(a)).count();
        if count == 0 {
            return self.constant(ty, false);
        }
        let at = self.draw.index(Purpose::Expression, count);
        let row = rows.iter().copied().filter(|a| fits(a)).nth(at).expect("counted");
        self.raise(row.raises);
        let inner = care.max(Care::Flat);
        let Some(of) = row.of else {
            return Expr::Call {
                form: Form::Star,
                word: Word::Borrowed(row.word),
                args: Vec::new(),
                filter: self.filter(sight, inner),
            };
        };
        let mut args = vec![self.expr(of, sight, 1, inner)];
        args.extend(self.arguments(row.more, sight, 0, inner));
        let distinct = row.more.is_empty() && !row.ordered && self.draw.chance(Purpose::Expression, 1, 6);
        Expr::Call {
            form: if distinct { Form::Distinct } else { Form::Function },
            word: Word::Borrowed(row.word),
            args,
            filter: self.filter(sight, inner),
        }
    }

    fn filter(&mut self, sight: &[Visible], care: Care) -> Option<Box<Expr>> {
        let yes = self.has(Feature::AggregateFilter) && self.draw.chance(Purpose::Expression, 1, 6);
        yes.then(|| Box::new(self.truth(sight, 1, care)))
    }

    /// A rank or a count over a window.
    fn ranked(&mut self, sight: &[Visible]) -> Expr {
        let word = self.draw.of(
            Purpose::Expression,
            &["row_number", "rank", "dense_rank", "count"],
        );
        let partition = match self.draw.chance(Purpose::Shape, 1, 2) {
            true => self.column_of(sight.iter()).into_iter().collect(),
            false => Vec::new(),
        };
        let order = self.column_of(sight.iter()).map(|e| self.sort(e));
        Expr::Window {
            word: Word::Borrowed(word),
            args: Vec::new(),
            star: word == "count",
            partition,
            order: order.into_iter().collect(),
            frame: None,
        }
    }

    /// A value of another row of the window.
    fn beside(&mut self, ty: Type, sight: &[Visible], care: Care) -> Expr {
        let word = self.draw.of(
            Purpose::Expression,
            &["lag", "lead", "first_value", "last_value", "nth_value"],
        );
        let mut args = vec![self.expr(ty, sight, 1, care.max(Care::Flat))];
        if word == "nth_value" {
            args.push(Expr::Constant(
                history::parallel::expr::Constant::Int(self.draw.range(Purpose::Value, 1, 3)),
                Type::Int4,
            ));
        }
        let order = self.column_of(sight.iter()).map(|e| self.sort(e));
        let frames = [
            None,
            Some("ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING"),
            Some("ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"),
            Some("GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES"),
        ];
        let most = if self.has(Feature::GroupFrames) { 4 } else { 3 };
        let frame = self.draw.of(Purpose::Expression, &frames[..most]);
        let framed = word.ends_with("value") && order.is_some();
        Expr::Window {
            word: Word::Borrowed(word),
            args,
            star: false,
            partition: Vec::new(),
            order: order.into_iter().collect(),
            frame: frame.filter(|_| framed).map(Word::Borrowed),
        }
    }

    fn set_operation(&mut self, types: &[Type], care: Care) -> Option<Body> {
        let op = self
            .draw
            .of(Purpose::Shape, &[SetOp::Union, SetOp::Intersect, SetOp::Except]);
        let all = (op == SetOp::Union || self.has(Feature::SetAll)) && self.draw.chance(Purpose::Shape, 1, 3);
        let left = self.select(Shape::Plain, types, care)?;
        let right = self.select(Shape::Plain, types, care)?;
        Some(Body::Set {
            op,
            all,
            left: Box::new(Body::Select(Box::new(left))),
            right: Box::new(Body::Select(Box::new(right))),
        })
    }

    /// A table expression, and a query over it.
    fn with(&mut self, types: &[Type], care: Care) -> Option<(Vec<TableExpression>, Body)> {
        let inner = self.types(Shape::Plain);
        let select = self.select(Shape::Plain, &inner, care)?;
        let number = self.with;
        self.with += 1;
        let materialized = match self.draw.below(Purpose::Shape, 3) {
            _ if !self.has(Feature::MaterializedWith) => None,
            0 => Some(true),
            1 => Some(false),
            _ => None,
        };
        let alias = self.alias();
        let sight: Vec<Visible> = (0u8..)
            .zip(&inner)
            .map(|(i, ty)| Visible {
                alias: Some(alias),
                column: ColumnRef::Output(i),
                ty: *ty,
            })
            .collect();
        let filter = self
            .draw
            .chance(Purpose::Shape, 1, 2)
            .then(|| self.truth(&sight, 1, care.max(Care::Flat)));
        let outer = Select {
            distinct: false,
            outputs: types
                .iter()
                .map(|ty| self.expr(*ty, &sight, 1, care.max(Care::Flat)))
                .collect(),
            from: Some(From::One {
                source: Source::Expression(number),
                alias,
            }),
            filter,
            group: Vec::new(),
            having: None,
        };
        let with = TableExpression {
            number,
            recursive: false,
            materialized,
            query: bare(select),
        };
        Some((vec![with], Body::Select(Box::new(outer))))
    }

    /// A subquery of one row and one column.
    pub(crate) fn scalar(&mut self, ty: Type) -> Expr {
        self.room -= 1;
        let Some(object) = self.readable() else {
            return self.constant(ty, true);
        };
        let (from, sight) = self.relation(object);
        let mut query = bare(Select {
            distinct: false,
            outputs: vec![self.expr(ty, &sight, 1, Care::Flat)],
            from: Some(from),
            filter: Some(self.truth(&sight, 1, Care::Flat)),
            group: Vec::new(),
            having: None,
        });
        query.limit = Some(1);
        Expr::Scalar(Box::new(query))
    }

    /// EXISTS or IN of a subquery, mostly one that looks at the row outside.
    pub(crate) fn subquery_test(&mut self, sight: &[Visible]) -> Expr {
        self.room -= 1;
        let not = self.draw.chance(Purpose::Expression, 1, 3);
        let small = self.readable().filter(|o| self.ceiling(o) <= VISITS);
        let Some(object) = small else {
            return self.truth(sight, 1, Care::Flat);
        };
        let (from, inner) = self.relation(object);
        let mut select = Select {
            distinct: false,
            outputs: vec![Expr::int(1)],
            from: Some(from),
            filter: Some(self.fit(sight, &inner, Care::Flat)),
            group: Vec::new(),
            having: None,
        };
        let of = self.column_of(
            sight
                .iter()
                .filter(|v| !matches!(v.ty, Type::Json | Type::Named(_))),
        );
        if let Some(of) = of
            && self.draw.chance(Purpose::Expression, 1, 2)
        {
            let ty = sight.iter().find(|v| v.expr() == of).expect("it is in sight").ty;
            select.outputs = vec![self.expr(ty, &inner, 1, Care::Flat)];
            return Expr::InQuery {
                of: Box::new(of),
                query: Box::new(bare(select)),
                not,
            };
        }
        Expr::Exists {
            query: Box::new(bare(select)),
            not,
        }
    }
}

/// Rows of a relation that a subquery visits for each row outside.
const VISITS: u64 = 1_000;

/// The output of the query with this number.
pub(crate) fn output(i: u8) -> Expr {
    Expr::Column {
        of: None,
        column: ColumnRef::Output(i),
    }
}

/// A select as a query.
pub(crate) fn bare(select: Select) -> Query {
    Query {
        with: Vec::new(),
        body: Body::Select(Box::new(select)),
        order: Vec::new(),
        limit: None,
        offset: None,
        lock: None,
    }
}
