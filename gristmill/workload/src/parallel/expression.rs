//! Expressions of a wanted type over the columns in sight, within a budget of depth.
//!
//! * E1 what an expression may raise is said to the brush when it is drawn: the op lists it.
//! * E2 a `safe` expression raises nothing, and a `pure` one depends on nothing but the row.

use super::brush::Brush;
use super::draw::Purpose;
use super::registry::{Arg, Castable, Function, plain};
use super::speech::{DUCK, Feature, LITE, PG};
use super::values;
use history::parallel::expr::{ColumnRef, Constant, Expr, Form, Word};
use history::parallel::{DataError, Detail, Facet, Mode, Object, ObjectKind, Right, Type};

/// A column that an expression may use.
#[derive(Debug, Clone)]
pub(crate) struct Visible {
    pub(crate) alias: Option<u8>,
    pub(crate) column: ColumnRef,
    /// Without length or precision.
    pub(crate) ty: Type,
}

impl Visible {
    pub(crate) fn expr(&self) -> Expr {
        Expr::Column {
            of: self.alias,
            column: self.column.clone(),
        }
    }

    fn identity(&self) -> u64 {
        match &self.column {
            ColumnRef::Kept(named) | ColumnRef::Proposed(named) => named.piece.0,
            ColumnRef::Output(n) => u64::from(*n),
        }
    }
}

/// What an expression may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Care {
    /// Raise, and ask subqueries.
    Any,
    /// Raise, but ask no subquery: RETURNING, VALUES, conditions of upserts.
    Flat,
    /// Not raise: views and defaults.
    Safe,
    /// Not raise, and depend on the row alone: indexes, generated columns, checks.
    Pure,
}

impl Brush<'_> {
    /// An expression of the type over what is in sight.
    pub(crate) fn expr(&mut self, ty: Type, sight: &[Visible], depth: u8, care: Care) -> Expr {
        let ty = plain(ty);
        let columns = sight.iter().filter(|v| v.ty == ty);
        let have = columns.clone().next().is_some();
        let pick = self.draw.below(Purpose::Expression, 12);
        if depth == 0 || pick < 3 {
            if have && pick != 0 {
                return self.column_of(columns).expect("there is one");
            }
            return self.constant(ty, care < Care::Safe);
        }
        match pick {
            3 | 4 if have => self.column_of(columns).expect("there is one"),
            3 | 4 => self.constant(ty, false),
            5 => Expr::Case {
                arms: vec![(
                    self.truth(sight, depth - 1, care),
                    self.expr(ty, sight, depth - 1, care),
                )],
                otherwise: Some(Box::new(self.expr(ty, sight, depth - 1, care))),
            },
            6 => {
                let args = (0..2).map(|_| self.expr(ty, sight, depth - 1, care)).collect();
                Expr::function("coalesce", args)
            }
            7 if self.compares(ty) => {
                let args = vec![self.expr(ty, sight, depth - 1, care), self.constant(ty, false)];
                Expr::function("nullif", args)
            }
            8 => self.cast(ty, sight, depth, care),
            9 if care == Care::Any && self.room > 0 => self.scalar(ty),
            _ if ty == Type::Bool => self.truth(sight, depth, care),
            _ => self.function(ty, sight, depth, care),
        }
    }

    /// A predicate.
    pub(crate) fn truth(&mut self, sight: &[Visible], depth: u8, care: Care) -> Expr {
        let depth = depth.max(1);
        match self.draw.below(Purpose::Expression, 14) {
            0..=5 => self.comparison(sight, depth - 1, care),
            6 => {
                let args = (0..2)
                    .map(|_| self.truth(sight, depth - 1, care))
                    .collect::<Vec<_>>();
                let word = self.draw.of(Purpose::Expression, &["AND", "OR"]);
                Expr::Call {
                    form: Form::Infix,
                    word: Word::Borrowed(word),
                    args,
                    filter: None,
                }
            }
            7 => match self.column_of(sight.iter()) {
                Some(of) => Expr::IsNull {
                    of: Box::new(of),
                    not: self.draw.chance(Purpose::Expression, 1, 2),
                },
                None => self.comparison(sight, depth - 1, care),
            },
            8 => {
                let ty = self.comparable(sight);
                Expr::Between {
                    of: Box::new(self.expr(ty, sight, depth - 1, care)),
                    low: Box::new(self.constant(ty, false)),
                    high: Box::new(self.constant(ty, false)),
                    not: self.draw.chance(Purpose::Expression, 1, 4),
                }
            }
            9 => {
                let ty = self.comparable(sight);
                let n = self.draw.range(Purpose::Expression, 1, 4);
                Expr::In {
                    of: Box::new(self.expr(ty, sight, depth - 1, care)),
                    list: (0..n).map(|_| self.constant(ty, care < Care::Safe)).collect(),
                    not: self.draw.chance(Purpose::Expression, 1, 3),
                }
            }
            10 if care == Care::Any && self.room > 0 => self.subquery_test(sight),
            11 if depth > 1 => Expr::Call {
                form: Form::Prefix,
                word: Word::Borrowed("NOT"),
                args: vec![self.truth(sight, depth - 1, care)],
                filter: None,
            },
            _ => {
                let bools = sight.iter().filter(|v| v.ty == Type::Bool);
                if self.draw.chance(Purpose::Expression, 1, 3)
                    && let Some(column) = self.column_of(bools)
                {
                    return column;
                }
                self.function(Type::Bool, sight, depth, care)
            }
        }
    }

    fn comparison(&mut self, sight: &[Visible], depth: u8, care: Care) -> Expr {
        let ty = self.comparable(sight);
        let words: &[&str] = match self.speech.bit {
            PG | DUCK => &[
                "=",
                "=",
                "=",
                "<>",
                "<",
                "<=",
                ">",
                ">=",
                "IS DISTINCT FROM",
                "IS NOT DISTINCT FROM",
            ],
            LITE => &["=", "=", "=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"],
            _ => &["=", "=", "=", "<>", "<", "<=", ">", ">=", "<=>"],
        };
        let word = self.draw.of(Purpose::Expression, words);
        let left = self.expr(ty, sight, depth, care);
        Expr::infix(word, left, self.expr(ty, sight, depth.saturating_sub(1), care))
    }

    /// A type that can be compared, mostly one in sight.
    fn comparable(&mut self, sight: &[Visible]) -> Type {
        let seen = self
            .draw
            .choose(Purpose::Expression, sight.iter().map(|v| (v.identity(), v.ty)));
        let ty = match seen {
            Some(ty) if self.draw.chance(Purpose::Expression, 7, 8) => ty,
            _ => self.any_type(),
        };
        if self.compares(ty) { ty } else { Type::Text }
    }

    /// Whether `<` is there for the type.
    fn compares(&self, ty: Type) -> bool {
        !matches!(ty, Type::Json | Type::Named(_))
    }

    /// A type of the target, without length or precision.
    pub(crate) fn any_type(&mut self) -> Type {
        plain(self.column_type())
    }

    /// A type for a column.
    pub(crate) fn column_type(&mut self) -> Type {
        let types = self.speech.types.iter().copied();
        self.draw
            .weighted(Purpose::Type, types)
            .expect("a target has types")
    }

    /// One of some columns.
    pub(crate) fn column_of<'v>(&mut self, columns: impl Iterator<Item = &'v Visible>) -> Option<Expr> {
        let keyed = columns.map(|v| (v.identity() ^ u64::from(v.alias.unwrap_or(0)) << 56, v));
        self.draw.choose(Purpose::Column, keyed).map(Visible::expr)
    }

    /// A constant of the type; with `null`, one in ten is NULL.
    pub(crate) fn constant(&mut self, ty: Type, null: bool) -> Expr {
        let value = if null && self.draw.chance(Purpose::Value, 1, 10) {
            Constant::Null
        } else {
            values::constant(&mut self.draw, self.speech, ty)
        };
        Expr::Constant(value, ty)
    }

    /// A call of a function of the run, now and then, where there is one.
    fn routine(&mut self, ty: Type, sight: &[Visible], depth: u8, care: Care) -> Option<Expr> {
        if care == Care::Pure || !self.has(Feature::Functions) || !self.draw.chance(Purpose::Expression, 1, 8)
        {
            return None;
        }
        let fits = |f: &Object| matches!(&f.detail, Detail::Function { result, .. } if *result == ty);
        let function = self.choose(ObjectKind::Function, fits)?;
        let Detail::Function { arguments, .. } = &function.detail else {
            return None;
        };
        let args = arguments
            .iter()
            .map(|ty| self.expr(*ty, sight, depth.saturating_sub(1), care))
            .collect();
        let slot = self.slot(function);
        self.op
            .touch(slot, Facet::Exists, Mode::Uses, Some(Right::Execute));
        Some(Expr::Routine { slot, args })
    }

    fn function(&mut self, ty: Type, sight: &[Visible], depth: u8, care: Care) -> Expr {
        if let Some(call) = self.routine(ty, sight, depth, care) {
            return call;
        }
        let registry = self.registry;
        let rows = registry.functions(ty);
        let fits = |f: &&Function| match care {
            Care::Any | Care::Flat => true,
            Care::Safe => f.raises.is_empty(),
            Care::Pure => f.raises.is_empty() && f.immutable,
        };
        let count = rows.iter().copied().filter(|f| fits(f)).count();
        if count == 0 {
            let columns = sight.iter().filter(|v| v.ty == ty);
            return match self.column_of(columns) {
                Some(column) => column,
                None => self.constant(ty, false),
            };
        }
        let at = self.draw.index(Purpose::Expression, count);
        let row = rows.iter().copied().filter(|f| fits(f)).nth(at).expect("counted");
        self.raise(row.raises);
        let args = self.arguments(row.args, sight, depth - 1, care);
        Expr::Call {
            form: row.form,
            word: Word::Borrowed(row.word),
            args,
            filter: None,
        }
    }

    pub(crate) fn arguments(
        &mut self,
        args: &'static [Arg],
        sight: &[Visible],
        depth: u8,
        care: Care,
    ) -> Vec<Expr> {
        let args = args.iter().map(|arg| match *arg {
            Arg::Of(ty) => self.expr(ty, sight, depth, care),
            Arg::Word(text) => Expr::text(text),
            Arg::Small(low, high) => {
                let value = Constant::Int(self.draw.range(Purpose::Value, low, high));
                Expr::Constant(value, Type::Int4)
            }
        });
        args.collect()
    }

    fn cast(&mut self, ty: Type, sight: &[Visible], depth: u8, care: Care) -> Expr {
        let registry = self.registry;
        let casts = registry.casts(ty);
        let fits = |(_, raises): &&Castable| care < Care::Safe || raises.is_empty();
        let count = casts.iter().filter(fits).count();
        if count == 0 {
            return self.function(ty, sight, depth, care);
        }
        let at = self.draw.index(Purpose::Expression, count);
        let (from, raises) = casts.iter().filter(fits).nth(at).expect("counted");
        // Few texts are numbers or dates: a cast of one is an error on purpose, and rare.
        let unlikely = raises
            .iter()
            .any(|e| matches!(e, DataError::InvalidText | DataError::InvalidDatetime));
        if unlikely && !self.draw.chance(Purpose::Expression, 1, 6) {
            return self.function(ty, sight, depth, care);
        }
        self.raise(raises);
        Expr::Cast(Box::new(self.expr(*from, sight, depth - 1, care)), ty)
    }
}
