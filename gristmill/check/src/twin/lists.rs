//! Lists whose elements are cells, as a plain row of cells: each order that the server's clock may have given them is tried.

use super::race::Written;
use crate::Judge;
use datagen::schema::{ColumnId, Place, Table};
use datagen::value::{Kind, Nulls, Value};
use history::{Lts, Op, Part, Parts, Query, RowChoice, Select};
use std::collections::BTreeMap;

/// Where a list adds an element: in front of the others.
const IN_FRONT: u64 = 1;

/// One element that stands in a list.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    value: Value,
    in_front: bool,
    lts: Lts,
    /// The statement among all writes, the element within it.
    nth: (usize, usize),
}

/// The lists that a query asks for: where in a row, and which.
fn asked(table: &Table, query: &Query) -> Vec<(usize, ColumnId)> {
    let Select::Columns(columns) = &query.select else {
        return Vec::new();
    };
    let is_list = |id: &ColumnId| {
        let composite = table.column(*id).ty.cells();
        composite.is_some_and(|c| c.kind == Kind::List)
    };
    let all = columns.iter().copied().enumerate();
    all.filter(|(_, id)| is_list(id)).collect()
}

/// The rows with each list as the set of what is in it.
pub(crate) fn as_sets(table: &Table, query: &Query, rows: &mut [Vec<Value>]) {
    for (at, _) in asked(table, query) {
        for row in rows.iter_mut() {
            if let Some(Value::Composite(all)) = row.get(at) {
                let mut each = all.to_vec();
                each.sort_by(|a, b| a.compare(b, Nulls::First));
                each.dedup();
                row[at] = Value::Composite(each.into());
            }
        }
    }
}

/// What these writes leave standing in a list, in the order of the writes.
fn standing(table: &Table, writes: &[Written], row: Option<u64>, id: ColumnId) -> Vec<Standing> {
    let elements = table.domain(id).elements().expect("a list has elements");
    let mut emptied = i64::MIN;
    let mut all: Vec<(i64, Standing)> = Vec::new();
    for (n, w) in writes.iter().enumerate() {
        let Some(op) = w.op() else { continue };
        let mut add = |m: usize, slot: usize, in_front: bool| {
            let value = elements.key(slot).expect("an element of a list");
            let standing = Standing {
                value,
                in_front,
                lts: w.lts,
                nth: (n, m),
            };
            all.push((w.timestamp, standing));
        };
        let covers = |r: u64| row == Some(r);
        let whole = match op {
            Op::Insert { row: r, cells, .. }
            | Op::Upsert { row: r, cells, .. }
            | Op::Update { row: r, cells, .. }
                if covers(*r) =>
            {
                cells.iter().find(|(c, _)| *c == id).map(|(_, d)| *d)
            }
            Op::Shared { cells, .. } if row.is_none() => {
                cells.iter().find(|(c, _)| *c == id).map(|(_, d)| *d)
            }
            _ => None,
        };
        if let Some(d) = whole {
            emptied = emptied.max(w.timestamp - i64::from(!w.deletes));
            let inside = d.map(|d| elements.split(d)).unwrap_or_default();
            for (m, (slot, _)) in inside.into_iter().enumerate() {
                add(m, slot, false);
            }
        }
        match op {
            Op::Elements {
                row: r,
                column,
                elements: list,
                ..
            } if (*r, *column) == (row, id) => {
                for (m, (slot, number)) in list.iter().enumerate() {
                    add(m, usize::from(*slot), *number == Some(IN_FRONT));
                }
            }
            Op::DeleteCells { row: r, columns, .. } if covers(*r) && columns.contains(&id) => {
                emptied = emptied.max(w.timestamp);
            }
            Op::DeleteRow { row: r, .. } if covers(*r) => emptied = emptied.max(w.timestamp),
            Op::DeleteSlice { slice, .. } if row.is_some_and(|r| table.rows().range(slice).contains(&r)) => {
                emptied = emptied.max(w.timestamp);
            }
            Op::DeletePartition { .. } => emptied = emptied.max(w.timestamp),
            _ => {}
        }
    }
    all.retain(|(timestamp, _)| *timestamp > emptied);
    all.into_iter().map(|(_, standing)| standing).collect()
}

/// Partition and row of an answered row, where they can be told.
fn place(table: &Table, query: &Query, row: &[Value]) -> Option<(u64, Option<u64>)> {
    let Select::Columns(columns) = &query.select else {
        return None;
    };
    let key = |ids: Vec<ColumnId>| -> Option<Vec<Value>> {
        let at = |id: &ColumnId| columns.iter().position(|c| c == id);
        ids.iter().map(|id| row.get(at(id)?).cloned()).collect()
    };
    let part = match &query.parts {
        Parts::One(at) => *at,
        _ => {
            let key = key(table.partition.iter().map(|k| k.column.id).collect())?;
            table.partitions().deflate(&key)?
        }
    };
    let position = match &query.rows {
        RowChoice::One(at) => Some(*at),
        _ => {
            key(table.clustering.iter().map(|k| k.column.id).collect()).and_then(|k| table.rows().deflate(&k))
        }
    };
    Some((part, position))
}

/// The lists of a row that can be told apart, with what stands in each.
fn of_row<'s>(
    table: &Table,
    query: &Query,
    row: &'s [Value],
    writes: &BTreeMap<Part, Vec<Written>>,
) -> Vec<(usize, &'s Value, Vec<Standing>)> {
    let Some((part, position)) = place(table, query, row) else {
        return Vec::new();
    };
    let part = Part {
        table: query.table,
        position: part,
    };
    let Some(writes) = writes.get(&part) else {
        return Vec::new();
    };
    let lists = asked(table, query).into_iter().filter_map(|(at, id)| {
        let row_of = match table.place(id) {
            Place::Shared(_) => None,
            _ => Some(position?),
        };
        Some((at, row.get(at)?, standing(table, writes, row_of, id)))
    });
    lists.collect()
}

/// Whether the lists of an answer hold what stands in them, each as often, in an order that some clock may have given it.
pub(crate) fn right(
    judge: &Judge,
    table: &Table,
    query: &Query,
    rows: &[Vec<Value>],
    writes: &BTreeMap<Part, Vec<Written>>,
) -> bool {
    rows.iter().all(|row| {
        of_row(table, query, row, writes)
            .iter()
            .all(|(_, shown, stands)| match shown {
                Value::Composite(shown) => {
                    shown.len() == stands.len() && arranged(judge, shown, &mut stands.clone())
                }
                _ => true,
            })
    })
}

/// Whether what stands can be laid down in the order shown: each next one an element that need not come after one that is left.
fn arranged(judge: &Judge, shown: &[Value], left: &mut Vec<Standing>) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return true;
    };
    for i in 0..left.len() {
        let is_next =
            left[i].value == *first && !left.iter().any(|other| must_precede(judge, other, &left[i]));
        if !is_next {
            continue;
        }
        let taken = left.remove(i);
        if arranged(judge, rest, left) {
            return true;
        }
        left.insert(i, taken);
    }
    false
}

fn must_precede(judge: &Judge, a: &Standing, b: &Standing) -> bool {
    if a.in_front != b.in_front {
        return a.in_front;
    }
    if a.nth.0 == b.nth.0 {
        return a.nth.1 < b.nth.1;
    }
    // Replicas are told of the elements of a statement one by one: which came first is not known here.
    if judge.semantics.replicas > 1 {
        return false;
    }
    if a.lts == b.lts {
        return (a.nth < b.nth) != a.in_front;
    }
    let node = |lts: Lts| judge.history.visit(lts).and_then(|visit| Some(visit.stamp?.node));
    let (x, y) = (judge.tracker.get(a.lts), judge.tracker.get(b.lts));
    let before = |x: history::Track, y: history::Track| {
        x.state == history::State::Committed && x.visible_by < y.visible_from
    };
    node(a.lts) == node(b.lts) && if a.in_front { before(y, x) } else { before(x, y) }
}

/// A row as a server shows it whose clock says when each visit came; later in the list of writes is later.
#[cfg(test)]
pub(crate) fn told(
    table: &Table,
    query: &Query,
    row: &[Value],
    writes: &BTreeMap<Part, Vec<Written>>,
    at: &dyn Fn(Lts) -> u64,
) -> Vec<Value> {
    let mut told = row.to_vec();
    for (column, shown, mut stands) in of_row(table, query, row, writes) {
        if shown.is_null() {
            continue;
        }
        stands.sort_by_key(|s| (at(s.lts), s.nth.0));
        let mut list = std::collections::VecDeque::new();
        for same in stands.chunk_by(|a, b| a.nth.0 == b.nth.0) {
            let of = |in_front: bool| {
                let chosen = same.iter().filter(move |s| s.in_front == in_front);
                chosen.map(|s| s.value.clone()).collect::<Vec<_>>()
            };
            of(true)
                .into_iter()
                .rev()
                .for_each(|value| list.push_front(value));
            list.extend(of(false));
        }
        told[column] = Value::Composite(list.into_iter().collect());
    }
    told
}
