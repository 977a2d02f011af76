//! The whole answer by the model: rows in the order of their sort keys, tie groups marked.

use super::aggregate::Accumulator;
use super::plan::{aggregates, projected};
use super::{Plan, RowAt, View, descriptor, order_key, project};
use datagen::value::Value;
use history::{Aggregate, Rows, Select};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What the query gives before LIMIT and OFFSET.
pub(crate) struct Expected {
    /// In the order asked for; among ties by position.
    pub(crate) rows: Rows,
    /// Where a tie group ends, ascending; the last is the number of rows. Without ORDER BY all rows are one group.
    pub(crate) groups: Vec<usize>,
    /// Which rows LIMIT and OFFSET leave.
    pub(crate) window: (usize, usize),
    /// The rows' places in the model; empty where rows are made of several.
    pub(crate) origin: Vec<RowAt>,
    /// Which columns are sums: these are compared as numbers.
    sums: Vec<bool>,
}

impl Expected {
    /// The chosen rows' answer. Their bytes must have been made.
    pub(crate) fn new(plan: &Plan<'_>, views: &[View<'_>], mut rows: Vec<RowAt>) -> Self {
        match plan.query.select {
            Select::Columns(_) => {
                let keys = sort(plan, views, &mut rows);
                let mut out = Rows::default();
                for row in &rows {
                    project(plan, views, *row, &mut out.bytes);
                    out.end_row();
                }
                Self::finish(plan, out, &keys, rows)
            }
            _ => grouped(plan, views, &rows),
        }
    }

    /// Rows in given tie groups.
    #[cfg(test)]
    pub(crate) fn of_rows(rows: Rows, groups: Vec<usize>, window: (usize, usize)) -> Self {
        Self {
            rows,
            groups,
            window,
            origin: Vec::new(),
            sums: Vec::new(),
        }
    }

    fn finish(plan: &Plan<'_>, rows: Rows, keys: &[Vec<u128>], origin: Vec<RowAt>) -> Self {
        let mut groups: Vec<usize> = (1..keys.len()).filter(|i| keys[i - 1] != keys[*i]).collect();
        groups.push(rows.len());
        let window = plan.window(rows.len());
        let aggregates = aggregates(&plan.query.select)
            .iter()
            .map(|a| matches!(a, Aggregate::Sum(_) | Aggregate::Avg(_)));
        let sums: Vec<bool> = projected(&plan.query.select)
            .iter()
            .map(|_| false)
            .chain(aggregates)
            .collect();
        Self {
            rows,
            groups,
            window,
            origin,
            sums,
        }
    }

    /// The answer as it is compared: sums as numbers, whatever type they come in.
    pub(crate) fn comparable<'a>(&self, answer: &'a Rows) -> Cow<'a, Rows> {
        if !self.sums.contains(&true) {
            return Cow::Borrowed(answer);
        }
        let mut out = Rows::default();
        for row in answer.iter() {
            let mut rest = row;
            for sum in &self.sums {
                match Value::decode(&mut rest) {
                    Ok(value) if *sum => plain_number(value).encode(&mut out.bytes),
                    Ok(value) => value.encode(&mut out.bytes),
                    Err(_) => return Cow::Borrowed(answer),
                }
            }
            out.bytes.extend_from_slice(rest);
            out.end_row();
        }
        Cow::Owned(out)
    }
}

/// One form for a number of either type: an integer where it is one and fits, else without trailing zeros.
pub(crate) fn plain_number(value: Value) -> Value {
    let Value::Numeric(mut unscaled, mut scale) = value else {
        return value;
    };
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    match i64::try_from(unscaled) {
        Ok(n) if scale == 0 => Value::Int(n),
        _ => Value::Numeric(unscaled, scale),
    }
}

/// Sorts rows by the sort keys, ties by partition and position; the keys, side by side with the rows.
pub(crate) fn sort(plan: &Plan<'_>, views: &[View<'_>], rows: &mut Vec<RowAt>) -> Vec<Vec<u128>> {
    if plan.order.is_empty() {
        return Vec::new();
    }
    let key = |row: &RowAt| -> Vec<u128> {
        let term = |(source, order): &(_, _)| {
            order_key(plan, *source, descriptor(plan, views, *row, *source), *order)
        };
        plan.order.iter().map(term).collect()
    };
    let mut keyed: Vec<(Vec<u128>, RowAt)> = rows.iter().map(|r| (key(r), *r)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    rows.clear();
    rows.extend(keyed.iter().map(|(_, r)| *r));
    keyed.into_iter().map(|(k, _)| k).collect()
}

/// DISTINCT, GROUP BY and plain aggregates: rows whose projected bytes are equal are one.
fn grouped(plan: &Plan<'_>, views: &[View<'_>], rows: &[RowAt]) -> Expected {
    let select = &plan.query.select;
    let new = || {
        aggregates(select)
            .iter()
            .map(|a| Accumulator::new(*a))
            .collect::<Vec<_>>()
    };
    let mut groups: BTreeMap<Vec<u8>, (RowAt, Vec<Accumulator>)> = BTreeMap::new();
    for row in rows {
        let mut bytes = Vec::new();
        project(plan, views, *row, &mut bytes);
        let (_, accumulators) = groups.entry(bytes).or_insert_with(|| (*row, new()));
        for a in accumulators {
            a.add(plan, views, *row);
        }
    }
    let mut lines: Vec<(Vec<u128>, Vec<u8>)> = Vec::new();
    if projected(select).is_empty() && groups.is_empty() {
        // Aggregates over nothing are still one row.
        let mut bytes = Vec::new();
        new().iter().for_each(|a| a.finish(plan, &mut bytes));
        lines.push((Vec::new(), bytes));
    }
    for (mut bytes, (first, accumulators)) in groups {
        accumulators.iter().for_each(|a| a.finish(plan, &mut bytes));
        let term = |(source, order): &(_, _)| {
            order_key(plan, *source, descriptor(plan, views, first, *source), *order)
        };
        lines.push((plan.order.iter().map(term).collect(), bytes));
    }
    lines.sort();
    let mut out = Rows::default();
    for (_, bytes) in &lines {
        out.bytes.extend_from_slice(bytes);
        out.end_row();
    }
    let keys: Vec<Vec<u128>> = lines.into_iter().map(|(k, _)| k).collect();
    Expected::finish(plan, out, &keys, Vec::new())
}
