//! What a query answers over a set of rows: written to be obviously right, not fast, and apart from the judge's evaluator.
//!
//! Values are compared as databases do (`Value::compare`): −0 equals 0, NULL is not equal to anything in a condition.
//! Invariant: the same rows and query give the same answer, byte for byte.

use super::store::Row;
use crate::layout::{Place, TableLayout};
use datagen::schema::ColumnId;
use datagen::value::{Nulls, Order, Value};
use history::{Aggregate, From, Predicate, Query, Relation, RowChoice, Rows, Select};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// PostgreSQL's order: NULL above every value.
pub(super) const NULLS: Nulls = Nulls::Last;

/// One row of what a query reads, before its conditions: a row, a companion row, or both.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) partition: u64,
    /// The position of the clustering key; `None` for a companion row alone.
    pub(super) row: Option<u64>,
    pub(super) regular: Option<Row>,
    pub(super) shared: Option<Row>,
    /// When the cells were written, where that is known.
    pub(super) stamps: Option<Stamps>,
}

/// Write timestamps of a row's cells; `None` where the cell is NULL.
#[derive(Debug, Clone)]
pub(super) struct Stamps {
    pub(super) regular: Vec<Option<i64>>,
    pub(super) shared: Vec<Option<i64>>,
}

/// Twists that lies need.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Twist {
    pub(super) no_limit: bool,
    pub(super) count_one_more: bool,
    /// Two rows of the ordered answer change places; the number says which.
    pub(super) swap: Option<u64>,
}

/// The answer over these rows, which come in the order of their keys.
pub(super) fn evaluate(table: &TableLayout, query: &Query, sources: &[Source], twist: Twist) -> Rows {
    let chosen: Vec<View<'_>> = sources
        .iter()
        .filter(|s| query.from != From::InnerJoin || s.shared.is_some())
        .map(|source| View::new(table, source))
        .filter(|view| in_choice(table, &query.rows, view.source.row))
        .filter(|view| query.filter.iter().all(|p| holds(view, p)))
        .collect();
    let chosen = match query.extras.per_partition {
        Some(most) => first_of_each(table, query, chosen, most),
        None => chosen,
    };
    let mut out: Vec<Line> = match &query.select {
        Select::Columns(ids) => {
            let stamps = query.extras.stamps;
            chosen.iter().map(|v| v.line(ids, stamps, &query.order)).collect()
        }
        Select::Distinct(ids) => {
            let groups: BTreeMap<Sorted, ()> = chosen.iter().map(|v| (Sorted(v.values(ids)), ())).collect();
            groups
                .into_keys()
                .map(|key| grouped(ids, key.0, Vec::new(), &query.order))
                .collect()
        }
        Select::Aggregates(list) => {
            vec![Line {
                cells: aggregates(list, &chosen, twist),
                keys: Vec::new(),
            }]
        }
        Select::Group { by, aggregates: list } => {
            let mut groups: BTreeMap<Sorted, Vec<&View<'_>>> = BTreeMap::new();
            for view in &chosen {
                groups.entry(Sorted(view.values(by))).or_default().push(view);
            }
            groups
                .into_iter()
                .map(|(key, views)| {
                    let rest = aggregates(list, &views, twist);
                    grouped(by, key.0, rest, &query.order)
                })
                .collect()
        }
    };
    let orders: Vec<Order> = query.order.iter().map(|(_, order)| *order).collect();
    out.sort_by(|a, b| in_order(&orders, &a.keys, &b.keys));
    if let (false, Some(limit)) = (twist.no_limit, query.limit) {
        let limit = usize::try_from(limit).expect("32 bits fit");
        let offset = usize::try_from(query.offset).expect("32 bits fit");
        out = out.into_iter().skip(offset).take(limit).collect();
    }
    if let Some(which) = twist.swap {
        swap(&mut out, &orders, which);
    }
    let mut rows = Rows::default();
    for line in out {
        for value in line.cells {
            value.encode(&mut rows.bytes);
        }
        rows.end_row();
    }
    rows
}

/// A row of the answer: what is selected, and what it is sorted by.
struct Line {
    cells: Vec<Value>,
    keys: Vec<Value>,
}

/// Values in the order that databases sort them, so that a map can hold groups.
struct Sorted(Vec<Value>);

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0
            .iter()
            .zip(&other.0)
            .map(|(a, b)| a.compare(b, NULLS))
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sorted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Sorted {}

/// A source row with its keys inflated.
struct View<'a> {
    table: &'a TableLayout,
    source: &'a Source,
    partition: Vec<Value>,
    clustering: Vec<Value>,
}

impl<'a> View<'a> {
    fn new(table: &'a TableLayout, source: &'a Source) -> Self {
        let partition = table.parts.universe.inflate(source.partition);
        let clustering = source
            .row
            .map_or_else(Vec::new, |row| table.rows.universe.inflate(row));
        Self {
            table,
            source,
            partition,
            clustering,
        }
    }

    fn value(&self, id: ColumnId) -> Value {
        let cell = |row: &Option<Row>, i: usize| row.as_ref().and_then(|cells| cells[i]);
        let descriptor = match self.table.place(id) {
            Place::Partition(i) => return self.partition[i].clone(),
            // A partition that has nothing but shared cells has no clustering key.
            Place::Clustering(i) => return self.clustering.get(i).cloned().unwrap_or(Value::Null),
            Place::Regular(i) => cell(&self.source.regular, i),
            Place::Shared(i) => cell(&self.source.shared, i),
        };
        descriptor.map_or(Value::Null, |d| self.table.any(id).inflate(d))
    }

    fn values(&self, ids: &[ColumnId]) -> Vec<Value> {
        ids.iter().map(|id| self.value(*id)).collect()
    }

    /// When a cell was written; `None` for a key column, and for a counter.
    fn stamp(&self, id: ColumnId) -> Option<Value> {
        let stamps = self
            .source
            .stamps
            .as_ref()
            .expect("timestamps are kept where they are asked for");
        let at = match self.table.place(id) {
            _ if !self.table.any(id).ty.is_dated() => return None,
            Place::Partition(_) | Place::Clustering(_) => return None,
            Place::Regular(i) => stamps.regular[i],
            Place::Shared(i) => stamps.shared[i],
        };
        Some(at.map_or(Value::Null, Value::Int))
    }

    fn line(&self, ids: &[ColumnId], stamps: bool, order: &[(ColumnId, Order)]) -> Line {
        let mut cells = self.values(ids);
        if stamps {
            cells.extend(ids.iter().filter_map(|id| self.stamp(*id)));
        }
        Line {
            cells,
            keys: order.iter().map(|(id, _)| self.value(*id)).collect(),
        }
    }
}

/// A row of a grouped or distinct answer; it can be sorted by what it is grouped by only.
fn grouped(by: &[ColumnId], key: Vec<Value>, rest: Vec<Value>, order: &[(ColumnId, Order)]) -> Line {
    let keys = order
        .iter()
        .map(|(id, _)| {
            let at = by
                .iter()
                .position(|b| b == id)
                .expect("groups are sorted by their own columns");
            key[at].clone()
        })
        .collect();
    Line {
        cells: key.into_iter().chain(rest).collect(),
        keys,
    }
}

fn in_choice(table: &TableLayout, choice: &RowChoice, row: Option<u64>) -> bool {
    let Some(row) = row else { return true };
    match choice {
        RowChoice::All => true,
        RowChoice::One(one) => row == *one,
        RowChoice::In(list) => list.contains(&row),
        RowChoice::Slice(slice) => table.rows.universe.range(slice).contains(&row),
    }
}

fn holds(view: &View<'_>, p: &Predicate) -> bool {
    let value = view.value(p.column);
    match p.relation {
        Relation::IsNull => return value.is_null(),
        Relation::IsNotNull => return !value.is_null(),
        _ if value.is_null() => return false,
        _ => {}
    }
    let ordering = value.compare(&view.table.any(p.column).inflate(p.value), NULLS);
    match p.relation {
        Relation::Eq => ordering.is_eq(),
        Relation::Ne => ordering.is_ne(),
        Relation::Lt => ordering.is_lt(),
        Relation::Le => ordering.is_le(),
        Relation::Gt => ordering.is_gt(),
        Relation::Ge => ordering.is_ge(),
        Relation::IsNull | Relation::IsNotNull => unreachable!("answered above"),
        Relation::Contains | Relation::ContainsKey | Relation::ContainsEntry => {
            unreachable!("collections are not offered")
        }
    }
}

/// At most so many rows of each partition: the first as the table is clustered, the last where the query runs against that.
fn first_of_each<'a>(table: &TableLayout, query: &Query, views: Vec<View<'a>>, most: u32) -> Vec<View<'a>> {
    let universe = &table.rows.universe;
    let direction = |id: ColumnId| match table.place(id) {
        Place::Clustering(j) => Some(universe.order(j)),
        _ => None,
    };
    let backwards = query
        .order
        .iter()
        .find_map(|(id, order)| Some(direction(*id)? != *order))
        .unwrap_or(false);
    let most = usize::try_from(most).expect("32 bits fit");
    let mut partitions: BTreeMap<u64, Vec<View<'a>>> = BTreeMap::new();
    for view in views {
        partitions.entry(view.source.partition).or_default().push(view);
    }
    let cut = partitions.into_values().flat_map(|mut views| {
        let skipped = if backwards {
            views.len().saturating_sub(most)
        } else {
            0
        };
        views.drain(..skipped);
        views.truncate(most);
        views
    });
    cut.collect()
}

fn in_order(orders: &[Order], a: &[Value], b: &[Value]) -> Ordering {
    orders
        .iter()
        .zip(a.iter().zip(b))
        .map(|(order, (a, b))| order.apply(a.compare(b, NULLS)))
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn aggregates<'a, V: std::borrow::Borrow<View<'a>>>(
    list: &[Aggregate],
    views: &[V],
    twist: Twist,
) -> Vec<Value> {
    let more = i64::from(twist.count_one_more);
    let count = |n: usize| Value::Int(i64::try_from(n).expect("fewer rows than 2^63") + more);
    let values = |id: ColumnId| {
        views
            .iter()
            .map(move |v| v.borrow().value(id))
            .filter(|v| !v.is_null())
    };
    list.iter()
        .map(|aggregate| match *aggregate {
            Aggregate::CountRows => count(views.len()),
            Aggregate::Count(id) => count(values(id).count()),
            Aggregate::Min(id) => values(id)
                .min_by(|a, b| a.compare(b, NULLS))
                .unwrap_or(Value::Null),
            Aggregate::Max(id) => values(id)
                .max_by(|a, b| a.compare(b, NULLS))
                .unwrap_or(Value::Null),
            Aggregate::Sum(id) => values(id).reduce(add).unwrap_or(Value::Null),
            Aggregate::Avg(_) => panic!("no average is asked for here: it is refused"),
        })
        .collect()
}

fn add(a: Value, b: Value) -> Value {
    match (a, b) {
        // Counters are numbers of 64 bits, and their sum is exact here.
        (Value::Int(a), Value::Int(b)) => whole(i128::from(a) + i128::from(b)),
        (Value::Numeric(a, 0), Value::Int(b)) => whole(a + i128::from(b)),
        (Value::Numeric(a, s), Value::Numeric(b, t)) => {
            assert_eq!(s, t, "the numerics of a column have one scale");
            Value::Numeric(a.checked_add(b).expect("the plan sums only what fits"), s)
        }
        (a, b) => panic!("sum of {a} and {b}"),
    }
}

/// A whole number, plain where it fits.
fn whole(n: i128) -> Value {
    i64::try_from(n).map_or(Value::Numeric(n, 0), Value::Int)
}

/// Two neighbours with different sort keys change places, if there are any.
fn swap(out: &mut [Line], orders: &[Order], which: u64) {
    let different: Vec<usize> = (1..out.len())
        .filter(|i| in_order(orders, &out[i - 1].keys, &out[*i].keys).is_ne())
        .collect();
    if !different.is_empty() {
        let n = u64::try_from(different.len()).expect("fewer rows than 2^64");
        let at = different[usize::try_from(which % n).expect("an index")];
        out.swap(at - 1, at);
    }
}
