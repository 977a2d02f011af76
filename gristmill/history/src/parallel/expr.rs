//! Expressions of the parallel workload's statements: typed when they are drawn, written by the dialect.
//!
//! Functions and operators are words of the workload's registry and stand here by their spelling: an expression can be
//! read again from a trace by a binary whose registry has changed.
//!
//! * X1 no name of an object is here: columns stand with their identity, relations by the number of their alias.
//! * X2 every constant has a type, so that no server has to guess one.

use crate::parallel::statement::Query;
use crate::parallel::{KeptName, Piece, Type};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A word that is mostly known when the program is built.
pub type Word = Cow<'static, str>;

/// A column or constraint by identity, with its spelling at the time of the draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Which.
    pub piece: Piece,
    /// What it is called.
    pub name: KeptName,
}

/// What a column reference means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnRef {
    /// A column of an object.
    Kept(Named),
    /// The output with this number of a subquery, table expression or set operation.
    Output(u8),
    /// The value that an insert proposed, in ON CONFLICT … DO UPDATE.
    Proposed(Named),
}

/// A value written in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constant {
    /// NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Characters; also dates, decimals, floats and whatever else the dialect writes as a quoted text with a type.
    Text(Word),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// How a call is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// `word(a, b)`
    Function,
    /// `(a word b)`
    Infix,
    /// `(word a)`
    Prefix,
    /// `(a word)`
    Postfix,
    /// `word(DISTINCT a)`: an aggregate of distinct values.
    Distinct,
    /// `word(*)`
    Star,
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expr {
    /// A column. Of the relation with this alias, or without one where only one relation is in sight.
    Column {
        /// The alias.
        of: Option<u8>,
        /// Which column.
        column: ColumnRef,
    },
    /// A constant of a type.
    Constant(Constant, Type),
    /// A parameter of a prepared statement or function, from 1.
    Parameter(u8, Type),
    /// A function, operator or aggregate of the registry.
    Call {
        /// How it is written.
        form: Form,
        /// Its spelling.
        word: Word,
        /// What it is applied to.
        args: Vec<Expr>,
        /// FILTER (WHERE …) of an aggregate.
        filter: Option<Box<Expr>>,
    },
    /// A function over a window.
    Window {
        /// Its spelling.
        word: Word,
        /// What it is applied to; empty: nothing (`row_number()`), or every row (`count(*)`) if `star`.
        args: Vec<Expr>,
        /// `count(*)`
        star: bool,
        /// PARTITION BY.
        partition: Vec<Expr>,
        /// ORDER BY.
        order: Vec<Sort>,
        /// The frame, as it is written.
        frame: Option<Word>,
    },
    /// CASE WHEN … THEN … ELSE … END.
    Case {
        /// Conditions and values, at least one.
        arms: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// A cast.
    Cast(Box<Expr>, Type),
    /// IS NULL, IS NOT NULL.
    IsNull {
        /// Of what.
        of: Box<Expr>,
        /// Whether NOT.
        not: bool,
    },
    /// BETWEEN.
    Between {
        /// What.
        of: Box<Expr>,
        /// From.
        low: Box<Expr>,
        /// To.
        high: Box<Expr>,
        /// Whether NOT.
        not: bool,
    },
    /// IN of a list, at least one long.
    In {
        /// What.
        of: Box<Expr>,
        /// In what.
        list: Vec<Expr>,
        /// Whether NOT.
        not: bool,
    },
    /// IN of a subquery of one column.
    InQuery {
        /// What.
        of: Box<Expr>,
        /// In what.
        query: Box<Query>,
        /// Whether NOT.
        not: bool,
    },
    /// EXISTS of a subquery.
    Exists {
        /// Of what.
        query: Box<Query>,
        /// Whether NOT.
        not: bool,
    },
    /// A subquery of one column and at most one row.
    Scalar(Box<Query>),
    /// `nextval` of a sequence: the slot of the statement. Its effect is outside of transactions.
    NextValue(u8),
    /// A call of the function in a slot.
    Routine {
        /// Which.
        slot: u8,
        /// Its arguments.
        args: Vec<Expr>,
    },
}

/// A key of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sort {
    /// By what.
    pub by: Expr,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// NULLS FIRST (true), NULLS LAST (false), or as the target likes.
    pub nulls_first: Option<bool>,
}

impl Expr {
    /// A constant of 64 bits.
    pub fn int(value: i64) -> Self {
        Self::Constant(Constant::Int(value), Type::Int8)
    }

    /// A text.
    pub fn text(value: impl Into<Word>) -> Self {
        Self::Constant(Constant::Text(value.into()), Type::Text)
    }

    /// An operator between two.
    pub fn infix(word: impl Into<Word>, left: Expr, right: Expr) -> Self {
        Self::Call {
            form: Form::Infix,
            word: word.into(),
            args: vec![left, right],
            filter: None,
        }
    }

    /// A function.
    pub fn function(word: impl Into<Word>, args: Vec<Expr>) -> Self {
        Self::Call {
            form: Form::Function,
            word: word.into(),
            args,
            filter: None,
        }
    }

    /// The expressions and subqueries right below, in the order of the text.
    pub fn each<'a>(&'a self, see: &mut dyn FnMut(Below<'a>)) {
        match self {
            Self::Column { .. } | Self::Constant(..) | Self::Parameter(..) | Self::NextValue(_) => {}
            Self::Routine { args, .. } => args.iter().for_each(|e| see(Below::Expr(e))),
            Self::Call { args, filter, .. } => {
                args.iter().for_each(|e| see(Below::Expr(e)));
                filter.iter().for_each(|e| see(Below::Expr(e)));
            }
            Self::Window {
                args,
                partition,
                order,
                ..
            } => {
                args.iter().chain(partition).for_each(|e| see(Below::Expr(e)));
                order.iter().for_each(|s| see(Below::Expr(&s.by)));
            }
            Self::Case { arms, otherwise } => {
                for (when, then) in arms {
                    see(Below::Expr(when));
                    see(Below::Expr(then));
                }
                otherwise.iter().for_each(|e| see(Below::Expr(e)));
            }
            Self::Cast(of, _) | Self::IsNull { of, .. } => see(Below::Expr(of)),
            Self::Between { of, low, high, .. } => [of, low, high].iter().for_each(|e| see(Below::Expr(e))),
            Self::In { of, list, .. } => {
                see(Below::Expr(of));
                list.iter().for_each(|e| see(Below::Expr(e)));
            }
            Self::InQuery { of, query, .. } => {
                see(Below::Expr(of));
                see(Below::Query(query));
            }
            Self::Exists { query, .. } | Self::Scalar(query) => see(Below::Query(query)),
        }
    }
}

/// What stands right below an expression.
#[derive(Debug, Clone, Copy)]
pub enum Below<'a> {
    /// Another expression.
    Expr(&'a Expr),
    /// A subquery.
    Query(&'a Query),
}
