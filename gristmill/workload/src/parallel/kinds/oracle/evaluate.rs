//! A second opinion on expressions: small ones over numbers, truth values, texts and NULL are worked out here as well, and the
//! target must come to the same.
//!
//! * V1 only what every target and the standard agree on is drawn: no overflow, no division by zero, no order of texts, plain
//!   letters.

use super::{halves, is_null, nested, not, output, select};
use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::query::bare;
use crate::parallel::speech::MARIA;
use history::parallel::expr::{Constant, Expr, Word};
use history::parallel::{Statement, Type};
use std::cmp::Ordering;

#[cfg(test)]
mod tests;

/// Numbers stay between minus this and this.
const MOST: i64 = 1_000_000_000_000;
/// Letters of a text at most.
const LONG: usize = 200;

/// A value, worked out here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
}

use Value::Null;

/// An expression, and what it comes to.
type Worked = (Expr, Value);

fn constant(value: &Value, ty: Type) -> Expr {
    let constant = match value {
        Null => Constant::Null,
        Value::Bool(b) => Constant::Bool(*b),
        Value::Int(n) => Constant::Int(*n),
        Value::Text(text) => Constant::Text(Word::Owned(text.clone())),
    };
    match constant {
        // Without a type of its own, NULL makes a text of a number beside it (MariaDB).
        Constant::Null => Expr::Cast(Box::new(Expr::Constant(Constant::Null, ty)), ty),
        constant => Expr::Constant(constant, ty),
    }
}

/// One number, one truth value and one text, as the target works them out from columns of a subquery, and as we do.
pub(in crate::parallel::kinds) fn evaluate(b: &mut Brush<'_>) -> Option<Statement> {
    let types = [Type::Int8, Type::Int8, Type::Bool, Type::Text];
    let given: Vec<(Type, Value)> = types.into_iter().map(|ty| (ty, leaf(b, ty))).collect();
    let row = given.iter().map(|(ty, value)| constant(value, *ty)).collect();
    let (from, alias) = nested(b, bare(select(row, None, None)));
    let mut sight: Vec<(Type, Worked)> = Vec::new();
    for (n, (ty, value)) in given.into_iter().enumerate() {
        let column = output(alias, u8::try_from(n).expect("they are four"));
        sight.push((ty, (column, value)));
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for ty in [Type::Int8, Type::Bool, Type::Text] {
        let (asked, due) = drawn(b, ty, &sight, 3);
        left.push(asked);
        right.push(constant(&due, ty));
    }
    let Some(Statement::Query(mut query)) = halves(left, right) else {
        return None;
    };
    if let history::parallel::statement::Body::Select(select) = &mut query.body {
        select.from = Some(from);
    }
    Some(Statement::Query(query))
}

fn leaf(b: &mut Brush<'_>, ty: Type) -> Value {
    if b.draw.chance(Purpose::Value, 1, 6) {
        return Null;
    }
    match ty {
        Type::Bool => Value::Bool(b.draw.chance(Purpose::Value, 1, 2)),
        Type::Text => {
            let n = b.draw.below(Purpose::Value, 6);
            let letters = (0..n).map(|_| b.draw.of(Purpose::Value, &['a', 'b', 'c', 'x', 'z']));
            Value::Text(letters.collect())
        }
        _ => Value::Int(b.draw.range(Purpose::Value, -20, 20)),
    }
}

fn int(b: &mut Brush<'_>, sight: &[(Type, Worked)], depth: u8) -> Worked {
    drawn(b, Type::Int8, sight, depth)
}

/// An expression of the type; where it cannot be worked out for certain, something smaller.
fn drawn(b: &mut Brush<'_>, ty: Type, sight: &[(Type, Worked)], depth: u8) -> Worked {
    if depth > 0
        && let Some(worked) = grown(b, ty, sight, depth - 1)
    {
        return worked;
    }
    let columns: Vec<&Worked> = sight.iter().filter(|(t, _)| *t == ty).map(|(_, w)| w).collect();
    if !columns.is_empty() && b.draw.chance(Purpose::Column, 2, 3) {
        let at = b.draw.index(Purpose::Column, columns.len());
        return columns[at].clone();
    }
    let value = leaf(b, ty);
    (constant(&value, ty), value)
}

fn grown(b: &mut Brush<'_>, ty: Type, sight: &[(Type, Worked)], depth: u8) -> Option<Worked> {
    let pick = b.draw.below(Purpose::Expression, 10);
    match pick {
        0 => {
            let (when, is) = drawn(b, Type::Bool, sight, depth);
            let (then, yes) = drawn(b, ty, sight, depth);
            let (other, no) = drawn(b, ty, sight, depth);
            let case = Expr::Case {
                arms: vec![(when, then)],
                otherwise: Some(Box::new(other)),
            };
            return Some((case, if is == Value::Bool(true) { yes } else { no }));
        }
        1 => {
            let (first, a) = drawn(b, ty, sight, depth);
            let (second, z) = drawn(b, ty, sight, depth);
            let value = if a == Null { z } else { a };
            return Some((Expr::function("coalesce", vec![first, second]), value));
        }
        _ => {}
    }
    match ty {
        Type::Bool => truth(b, sight, depth),
        Type::Text => text(b, sight, depth),
        _ => number(b, sight, depth),
    }
}

fn number(b: &mut Brush<'_>, sight: &[(Type, Worked)], depth: u8) -> Option<Worked> {
    let pick = b.draw.below(Purpose::Expression, 7);
    if pick == 0 {
        let (of, value) = drawn(b, Type::Text, sight, depth);
        let word = if b.speech.bit == MARIA {
            "char_length"
        } else {
            "length"
        };
        let long = match value {
            Value::Text(text) => Value::Int(i64::try_from(text.len()).ok()?),
            _ => Null,
        };
        return Some((Expr::function(word, vec![of]), long));
    }
    let (left, a) = int(b, sight, depth);
    if pick == 1 {
        let value = match a {
            Value::Int(n) => Value::Int(n.abs()),
            other => other,
        };
        return Some((Expr::function("abs", vec![left]), value));
    }
    if pick == 2 {
        // What is left has the sign of what was divided.
        let by = b.draw.range(Purpose::Value, 1, 9);
        let value = match a {
            Value::Int(n) => Value::Int(n % by),
            other => other,
        };
        return Some((Expr::infix("%", left, Expr::int(by)), value));
    }
    let (right, z) = int(b, sight, depth);
    if pick == 3 {
        let value = if a == z && a != Null { Null } else { a };
        return Some((Expr::function("nullif", vec![left, right]), value));
    }
    let word = ["+", "-", "*"][usize::try_from(pick - 4).expect("it is small")];
    let value = match (a, z) {
        (Value::Int(a), Value::Int(z)) => {
            let n = match word {
                "+" => a.checked_add(z),
                "-" => a.checked_sub(z),
                _ => a.checked_mul(z),
            };
            Value::Int(n.filter(|n| (-MOST..=MOST).contains(n))?)
        }
        _ => Null,
    };
    Some((Expr::infix(word, left, right), value))
}

/// What a comparison says of an order. NULL is neither.
fn compared(word: &str, order: Option<Ordering>) -> Value {
    let Some(order) = order else {
        return Null;
    };
    Value::Bool(match word {
        "=" => order == Ordering::Equal,
        "<>" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

fn order(a: &Value, z: &Value) -> Option<Ordering> {
    match (a, z) {
        (Value::Int(a), Value::Int(z)) => Some(a.cmp(z)),
        (Value::Text(a), Value::Text(z)) => Some(a.cmp(z)),
        _ => None,
    }
}

fn both(word: &str, a: &Value, z: &Value) -> Value {
    let decides = Value::Bool(word == "OR");
    match (a, z) {
        (a, z) if *a == decides || *z == decides => decides,
        (Value::Bool(_), Value::Bool(_)) => Value::Bool(word != "OR"),
        _ => Null,
    }
}

fn truth(b: &mut Brush<'_>, sight: &[(Type, Worked)], depth: u8) -> Option<Worked> {
    match b.draw.below(Purpose::Expression, 6) {
        0 => {
            let (of, value) = drawn(b, Type::Bool, sight, depth);
            let value = match value {
                Value::Bool(is) => Value::Bool(!is),
                other => other,
            };
            Some((not(of), value))
        }
        1 => {
            let ty = b.draw.of(Purpose::Type, &[Type::Int8, Type::Bool, Type::Text]);
            let (of, value) = drawn(b, ty, sight, depth);
            let no = b.draw.chance(Purpose::Expression, 1, 2);
            Some((is_null(of, no), Value::Bool((value == Null) != no)))
        }
        2 => {
            let word = b.draw.of(Purpose::Expression, &["AND", "OR"]);
            let (left, a) = drawn(b, Type::Bool, sight, depth);
            let (right, z) = drawn(b, Type::Bool, sight, depth);
            Some((Expr::infix(word, left, right), both(word, &a, &z)))
        }
        3 => {
            let (of, value) = int(b, sight, depth);
            let list: Vec<Value> = (0..3).map(|_| leaf(b, Type::Int8)).collect();
            let no = b.draw.chance(Purpose::Expression, 1, 3);
            let among = list.iter().fold(Value::Bool(false), |found, one| {
                both("OR", &found, &compared("=", order(&value, one)))
            });
            let value = match among {
                Value::Bool(is) => Value::Bool(is != no),
                other => other,
            };
            let list = list.iter().map(|v| constant(v, Type::Int8)).collect();
            let of = Box::new(of);
            Some((Expr::In { of, list, not: no }, value))
        }
        4 if b.speech.bit != MARIA => {
            // Which of two texts comes first is a matter of languages, and so is whether they are equal there.
            let word = b.draw.of(Purpose::Expression, &["=", "<>"]);
            let (left, a) = drawn(b, Type::Text, sight, depth);
            let (right, z) = drawn(b, Type::Text, sight, depth);
            Some((Expr::infix(word, left, right), compared(word, order(&a, &z))))
        }
        _ => {
            let word = b.draw.of(Purpose::Expression, &["=", "<>", "<", "<=", ">", ">="]);
            let (left, a) = int(b, sight, depth);
            let (right, z) = int(b, sight, depth);
            Some((Expr::infix(word, left, right), compared(word, order(&a, &z))))
        }
    }
}

fn text(b: &mut Brush<'_>, sight: &[(Type, Worked)], depth: u8) -> Option<Worked> {
    let (of, value) = drawn(b, Type::Text, sight, depth);
    let small = |n: i64| Expr::Constant(Constant::Int(n), Type::Int4);
    Some(match b.draw.below(Purpose::Expression, 4) {
        0 => {
            let (other, more) = drawn(b, Type::Text, sight, depth);
            let together = match (value, more) {
                (Value::Text(a), Value::Text(z)) if a.len() + z.len() <= LONG => Value::Text(a + &z),
                (Value::Text(_), Value::Text(_)) => return None,
                _ => Null,
            };
            let call = match b.speech.bit {
                MARIA => Expr::function("concat", vec![of, other]),
                _ => Expr::infix("||", of, other),
            };
            (call, together)
        }
        1 => {
            let (from, long) = (
                b.draw.range(Purpose::Value, 1, 4),
                b.draw.range(Purpose::Value, 0, 4),
            );
            let cut = |text: String| {
                let skip = usize::try_from(from - 1).expect("from 1 on");
                let letters = text.chars().skip(skip);
                letters.take(usize::try_from(long).expect("from 0 on")).collect()
            };
            let call = Expr::function("substr", vec![of, small(from), small(long)]);
            (call, mapped(value, cut))
        }
        2 => {
            let call = vec![of, Expr::text("a"), Expr::text("xy")];
            let longer = mapped(value, |text| text.replace('a', "xy"));
            if matches!(&longer, Value::Text(text) if text.len() > LONG) {
                return None;
            }
            (Expr::function("replace", call), longer)
        }
        _ => {
            let upper = b.draw.chance(Purpose::Expression, 1, 2);
            let word = if upper { "upper" } else { "lower" };
            let cased = |text: String| match upper {
                true => text.to_uppercase(),
                false => text.to_lowercase(),
            };
            (Expr::function(word, vec![of]), mapped(value, cased))
        }
    })
}

fn mapped(value: Value, of: impl FnOnce(String) -> String) -> Value {
    match value {
        Value::Text(text) => Value::Text(of(text)),
        other => other,
    }
}
