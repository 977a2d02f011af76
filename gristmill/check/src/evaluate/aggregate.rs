//! Aggregates over chosen rows.

use super::expected::plain_number;
use super::{Plan, RowAt, View, area, descriptor, order_key};
use datagen::value::Order;
use datagen::value::Type;
use datagen::value::Value;
use history::{Aggregate, Sums};

/// One aggregate on its way.
pub(crate) struct Accumulator {
    what: Aggregate,
    count: i64,
    /// The least sort key so far, with its bytes; for max the order is turned.
    best: Option<(u128, Vec<u8>)>,
    sum: Option<(i128, u8)>,
}

impl Accumulator {
    pub(crate) fn new(what: Aggregate) -> Self {
        Self {
            what,
            count: 0,
            best: None,
            sum: None,
        }
    }

    pub(crate) fn add(&mut self, plan: &Plan<'_>, views: &[View<'_>], row: RowAt) {
        let Some(column) = self.what.column() else {
            self.count += 1;
            return;
        };
        let source = plan.table.source(column);
        let Some(d) = descriptor(plan, views, row, source) else {
            return;
        };
        self.count += 1;
        let bytes = || {
            let view = &views[row.view as usize];
            let (place, at) = plan.place(source);
            area(plan, view, row, place).columns(at, at + 1)
        };
        let order = match self.what {
            Aggregate::Min(_) => Order::Asc,
            Aggregate::Max(_) => Order::Desc,
            Aggregate::Sum(_) | Aggregate::Avg(_) => {
                let (unscaled, scale) = match Value::decode(&mut bytes()) {
                    Ok(Value::Int(n)) => (i128::from(n), 0),
                    Ok(Value::Numeric(unscaled, scale)) => (unscaled, scale),
                    // An empty value is no number, though it is not NULL.
                    Ok(Value::Bytes(empty)) if empty.is_empty() => {
                        self.count -= 1;
                        return;
                    }
                    other => panic!("sum over {other:?}: only integers and numerics are summed"),
                };
                let (sum, so_far) = self.sum.unwrap_or((0, scale));
                let common = so_far.max(scale);
                self.sum = Some((
                    ten_to(common - so_far) * sum + ten_to(common - scale) * unscaled,
                    common,
                ));
                return;
            }
            Aggregate::CountRows | Aggregate::Count(_) => return,
        };
        let key = order_key(plan, source, Some(d), order);
        if self.best.as_ref().is_none_or(|(best, _)| key < *best) {
            self.best = Some((key, bytes().to_vec()));
        }
    }

    /// Appends the result.
    pub(crate) fn finish(&self, plan: &Plan<'_>, into: &mut Vec<u8>) {
        match self.what {
            Aggregate::CountRows | Aggregate::Count(_) => Value::Int(self.count).encode(into),
            Aggregate::Min(_) | Aggregate::Max(_) => match &self.best {
                Some((_, bytes)) => into.extend_from_slice(bytes),
                None => Value::Null.encode(into),
            },
            Aggregate::Sum(column) => match (plan.sums, self.sum) {
                (Sums::Exact, None) => Value::Null.encode(into),
                (Sums::Exact, Some((unscaled, scale))) => {
                    plain_number(Value::Numeric(unscaled, scale)).encode(into);
                }
                (Sums::OfColumn, sum) => {
                    let (unscaled, scale) = sum.unwrap_or((0, 0));
                    let wrapped = wrapped(unscaled, plan.table.ty(column));
                    plain_number(Value::Numeric(wrapped, scale)).encode(into);
                }
            },
            Aggregate::Avg(_) => {
                let sum = self.sum.map_or(0, |(sum, _)| sum);
                let average = sum / i128::from(self.count.max(1));
                plain_number(Value::Numeric(average, 0)).encode(into);
            }
        }
    }
}

fn ten_to(n: u8) -> i128 {
    10_i128.pow(u32::from(n))
}

/// A sum in the width of its column.
fn wrapped(n: i128, ty: Type) -> i128 {
    match ty {
        Type::Int8 => i128::from(n as i8),
        Type::Int16 => i128::from(n as i16),
        Type::Int32 => i128::from(n as i32),
        Type::Int64 | Type::Counter => i128::from(n as i64),
        _ => n,
    }
}
