//! Queries over plain maps, with plain loops.

use super::state::{Content, Line, is_in};
use datagen::schema::{ColumnId, Place, Schema, Table};
use datagen::value::{Nulls, Order, Type, Value};
use history::{Aggregate, From, Part, Parts, Predicate, Query, Relation, RowChoice, Select, Semantics, Sums};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// One row that a query chose: every column's value.
pub(crate) type Row = BTreeMap<ColumnId, Value>;

/// Added to a column's number: the column of its write timestamps.
const STAMP: u16 = 1 << 15;

/// The lines of a query before LIMIT, in order; each with a row that it comes from. `cql`: a table and its shared columns
/// are one table.
pub(crate) fn lines(
    query: &Query,
    schema: &Schema,
    contents: &BTreeMap<Part, Content>,
    semantics: &Semantics,
    cql: bool,
) -> Vec<(Row, Vec<Value>)> {
    let nulls = nulls(semantics);
    let table = schema.table(query.table);
    let rows = chosen(query, table, contents, cql);
    let mut lines: Vec<(Row, Vec<Value>)> = match &query.select {
        Select::Columns(columns) => {
            let mut wanted = columns.clone();
            if query.extras.stamps {
                let cell = |c: &&ColumnId| {
                    let is_cell = matches!(table.place(**c), Place::Regular(_) | Place::Shared(_));
                    is_cell && table.column(**c).ty.is_dated()
                };
                let stamps = columns.iter().filter(cell).map(|c| ColumnId(c.0 | STAMP));
                wanted.extend(stamps.collect::<Vec<_>>());
            }
            rows.into_iter()
                .map(|r| (r.clone(), values(&r, &wanted)))
                .collect()
        }
        Select::Distinct(columns) => {
            let mut seen: Vec<(Row, Vec<Value>)> = Vec::new();
            for row in rows {
                let line = values(&row, columns);
                if !seen.iter().any(|(_, l)| *l == line) {
                    seen.push((row, line));
                }
            }
            seen
        }
        Select::Aggregates(aggregates) => {
            let all: Vec<&Row> = rows.iter().collect();
            vec![(
                Row::new(),
                aggregates
                    .iter()
                    .map(|a| aggregate(*a, &all, table, semantics))
                    .collect(),
            )]
        }
        Select::Group { by, aggregates } => {
            let mut groups: Vec<(Vec<Value>, Vec<&Row>)> = Vec::new();
            for row in &rows {
                let key = values(row, by);
                match groups.iter_mut().find(|(k, _)| *k == key) {
                    Some((_, members)) => members.push(row),
                    None => groups.push((key, vec![row])),
                }
            }
            groups
                .into_iter()
                .map(|(mut key, members)| {
                    key.extend(
                        aggregates
                            .iter()
                            .map(|a| aggregate(*a, &members, table, semantics)),
                    );
                    (members[0].clone(), key)
                })
                .collect()
        }
    };
    lines.sort_by(|(a, _), (b, _)| by_order(query, nulls, a, b));
    lines
}

fn by_order(query: &Query, nulls: Nulls, a: &Row, b: &Row) -> Ordering {
    query
        .order
        .iter()
        .fold(Ordering::Equal, |so_far, (column, order)| {
            so_far.then_with(|| order.apply(get(a, *column).compare(&get(b, *column), nulls)))
        })
}

/// Where NULL sorts, in the words of values.
pub(crate) fn nulls(semantics: &Semantics) -> Nulls {
    match semantics.nulls {
        history::Nulls::First => Nulls::First,
        history::Nulls::Last => Nulls::Last,
    }
}

/// Whether the query over these partitions may give these rows.
pub(crate) fn gives(
    query: &Query,
    schema: &Schema,
    contents: &BTreeMap<Part, Content>,
    answer: &[Vec<Value>],
    semantics: &Semantics,
    cql: bool,
) -> bool {
    let nulls = nulls(semantics);
    let lines = lines(query, schema, contents, semantics, cql);
    let offset = if query.limit.is_some() {
        query.offset as usize
    } else {
        0
    };
    let limit = query.limit.map_or(usize::MAX, |n| n as usize);
    if answer.len() != lines.len().saturating_sub(offset).min(limit) {
        return false;
    }
    // Ties: whatever stands at place i must come from the group of rows whose places i lies among.
    let mut start = 0;
    while start < lines.len() {
        let tied = lines[start..]
            .iter()
            .take_while(|(r, _)| by_order(query, nulls, &lines[start].0, r).is_eq())
            .count();
        let mut group: Vec<&Vec<Value>> = lines[start..start + tied].iter().map(|(_, l)| l).collect();
        for place in start..start + tied {
            let Some(seen) = place.checked_sub(offset).and_then(|i| answer.get(i)) else {
                continue;
            };
            match group.iter().position(|l| equal(l, seen, &query.select)) {
                Some(i) => group.remove(i),
                None => return false,
            };
        }
        start += tied;
    }
    !semantics.clustered || is_clustered(query, schema.table(query.table), &lines, answer)
}

/// Whether the rows, which are the right ones, come as they are clustered: of each partition in the order of the key, one
/// partition after another, and by their tokens where it is not the query that names them.
fn is_clustered(query: &Query, table: &Table, lines: &[(Row, Vec<Value>)], answer: &[Vec<Value>]) -> bool {
    let columns = matches!(query.select, Select::Columns(_));
    if !columns || query.from == From::Shared || !(query.order.is_empty() || is_backwards(query, table)) {
        return true;
    }
    let key = |row: &Row| -> Vec<Value> {
        let keys = table.definition().partition.iter();
        keys.map(|k| get(row, k.column.id)).collect()
    };
    let mut partitions: Vec<(Vec<Value>, Vec<&Vec<Value>>)> = Vec::new();
    for (row, line) in lines {
        match partitions.last_mut() {
            Some((k, of)) if *k == key(row) => of.push(line),
            _ => partitions.push((key(row), vec![line])),
        }
    }
    match query.parts {
        Parts::One(_) => {
            let mut own: Vec<&(Row, Vec<Value>)> = lines.iter().collect();
            let position = |row: &Row| {
                let keys = table.definition().clustering.iter();
                let key: Vec<Value> = keys.map(|k| get(row, k.column.id)).collect();
                table.rows().deflate(&key)
            };
            own.sort_by_key(|(row, _)| position(row));
            if is_backwards(query, table) {
                own.reverse();
            }
            answer.iter().zip(own).all(|(seen, (_, ours))| seen == ours)
        }
        Parts::All | Parts::Ring { .. } => {
            partitions.sort_by_key(|(key, _)| {
                let position = table.partitions().deflate(key).expect("a key of ours");
                datagen::ring::token(table, position)
            });
            let all = partitions.into_iter().flat_map(|(_, of)| of);
            answer.iter().zip(all).all(|(seen, ours)| seen == ours)
        }
        Parts::In(_) => {
            let mut left: Vec<Vec<&Vec<Value>>> = partitions.into_iter().map(|(_, of)| of).collect();
            left.sort_by_key(|of| std::cmp::Reverse(of.len()));
            places(&left, answer)
        }
    }
}

/// A row of an answer: its partition, its position in it (`None`: the shared cells alone), and what is answered of it.
pub(crate) type Placed = (u64, Option<u64>, Vec<Value>);

/// The rows that a query of columns answers, in their order; partition by partition, and `true` where nothing says in which order
/// the partitions come.
pub(crate) fn in_blocks(
    query: &Query,
    schema: &Schema,
    contents: &BTreeMap<Part, Content>,
    semantics: &Semantics,
) -> (Vec<Vec<Placed>>, bool) {
    let table = schema.table(query.table);
    let key = |row: &Row, keys: &[datagen::schema::KeyColumn]| -> Vec<Value> {
        keys.iter().map(|k| get(row, k.column.id)).collect()
    };
    let definition = table.definition();
    let mut blocks: BTreeMap<u64, Vec<Placed>> = BTreeMap::new();
    for (row, line) in lines(query, schema, contents, semantics, true) {
        let part = table.partitions().deflate(&key(&row, &definition.partition));
        let part = part.expect("a key of ours");
        let position = table.rows().deflate(&key(&row, &definition.clustering));
        blocks.entry(part).or_default().push((part, position, line));
    }
    let mut blocks: Vec<Vec<Placed>> = blocks.into_values().collect();
    for block in &mut blocks {
        block.sort_by_key(|(_, position, _)| *position);
        if is_backwards(query, table) {
            block.reverse();
        }
        block.truncate(query.limit.map_or(usize::MAX, |n| n as usize));
    }
    blocks.sort_by_key(|block| datagen::ring::token(table, block[0].0));
    (blocks, matches!(query.parts, Parts::In(_)))
}

/// Whether an answer can be cut into these pieces, each used once.
fn places(pieces: &[Vec<&Vec<Value>>], answer: &[Vec<Value>]) -> bool {
    if answer.is_empty() {
        return pieces.is_empty();
    }
    (0..pieces.len()).any(|i| {
        let piece = &pieces[i];
        let fits = piece.len() <= answer.len() && piece.iter().zip(answer).all(|(ours, seen)| *ours == seen);
        fits && {
            let mut others = pieces.to_vec();
            others.remove(i);
            places(&others, &answer[piece.len()..])
        }
    })
}

fn chosen(query: &Query, table: &Table, contents: &BTreeMap<Part, Content>, cql: bool) -> Vec<Row> {
    let mut all = Vec::new();
    for (part, content) in contents {
        let mut rows = Vec::new();
        let part_key = table.partitions().inflate(part.position);
        let stamp = |row: Option<u64>, c: ColumnId| {
            let timestamp = content.stamps.get(&(row, c)).copied();
            (ColumnId(c.0 | STAMP), timestamp.map_or(Value::Null, Value::Int))
        };
        let base = |line: Option<&Line>| -> Row {
            let mut row = Row::new();
            row.extend(line.into_iter().flatten().map(|(c, _)| stamp(None, *c)));
            for column in table.columns() {
                if let Place::Partition(j) = table.place(column.id) {
                    row.insert(column.id, part_key[j].clone());
                }
            }
            row.extend(line.into_iter().flatten().map(|(c, v)| (*c, v.clone())));
            row
        };
        match query.from {
            From::Shared => {
                if content.shared.is_some() || (cql && !content.rows.is_empty()) {
                    let row = base(content.shared.as_ref());
                    all.extend(Some(row).filter(|row| query.filter.iter().all(|p| holds(table, row, p))));
                }
                continue;
            }
            From::InnerJoin if content.shared.is_none() => continue,
            From::Table | From::InnerJoin | From::LeftJoin => {}
        }
        for (at, line) in &content.rows {
            let wanted = match &query.rows {
                RowChoice::All => true,
                RowChoice::One(p) => at == p,
                RowChoice::In(list) => list.contains(at),
                RowChoice::Slice(slice) => is_in(table, *at, slice),
            };
            if !wanted {
                continue;
            }
            let mut row = base(if query.from == From::Table && !cql {
                None
            } else {
                content.shared.as_ref()
            });
            row.extend(line.iter().map(|(c, v)| (*c, v.clone())));
            row.extend(line.keys().map(|c| stamp(Some(*at), *c)));
            let key = table.rows().inflate(*at);
            for column in table.columns() {
                if let Place::Clustering(j) = table.place(column.id) {
                    row.insert(column.id, key[j].clone());
                }
            }
            rows.push(row);
        }
        if cql && content.rows.is_empty() && query.rows == RowChoice::All && query.filter.is_empty() {
            rows.extend(content.shared.as_ref().map(|shared| base(Some(shared))));
        }
        rows.retain(|row| query.filter.iter().all(|p| holds(table, row, p)));
        if let Some(most) = query.extras.per_partition {
            let (most, n) = (most as usize, rows.len());
            if is_backwards(query, table) {
                rows.drain(..n.saturating_sub(most));
            } else {
                rows.truncate(most);
            }
        }
        all.extend(rows);
    }
    all
}

/// Whether the order that is asked for is that of the clustering key, turned round.
fn is_backwards(query: &Query, table: &Table) -> bool {
    let turned = |(j, (column, order)): (usize, &(ColumnId, Order))| {
        table.place(*column) == Place::Clustering(j) && table.rows().order(j) != *order
    };
    matches!(query.parts, history::Parts::One(_))
        && query.from != From::Shared
        && !query.order.is_empty()
        && query.order.iter().enumerate().all(turned)
}

fn holds(table: &Table, row: &Row, p: &Predicate) -> bool {
    let value = get(row, p.column);
    match p.relation {
        Relation::IsNull => return value.is_null(),
        Relation::IsNotNull => return !value.is_null(),
        _ if value.is_null() => return false,
        _ => {}
    }
    if p.relation.inner().is_some() {
        return is_inside(table, &value, p);
    }
    let order = value.compare(&table.domain(p.column).inflate(p.value), Nulls::First);
    match p.relation {
        Relation::Eq => order.is_eq(),
        Relation::Ne => order.is_ne(),
        Relation::Lt => order.is_lt(),
        Relation::Le => order.is_le(),
        Relation::Gt => order.is_gt(),
        Relation::Ge => order.is_ge(),
        _ => unreachable!("answered above"),
    }
}

/// Whether a list, set or map has what is asked for, looking at each of its parts in turn.
fn is_inside(table: &Table, value: &Value, p: &Predicate) -> bool {
    let domain = table.domain(p.column);
    let (Value::Composite(parts), Type::Composite(composite)) = (value, domain.ty()) else {
        return false;
    };
    let inner = p.relation.inner().expect("it is about the inside");
    let asked = domain.inside().expect("a collection").asked(inner, p.value);
    let asked: Vec<&Value> = asked.iter().map(|(_, value)| value).collect();
    parts
        .chunks(composite.parts.len())
        .any(|of| match (p.relation, asked.as_slice(), of) {
            (Relation::Contains, [asked], [.., last]) => *asked == last,
            (Relation::ContainsKey, [asked], [first, _]) => *asked == first,
            (Relation::ContainsEntry, [key, of_it], [first, last]) => *key == first && *of_it == last,
            _ => false,
        })
}

fn get(row: &Row, column: ColumnId) -> Value {
    row.get(&column).cloned().unwrap_or(Value::Null)
}

fn values(row: &Row, columns: &[ColumnId]) -> Vec<Value> {
    columns.iter().map(|c| get(row, *c)).collect()
}

fn aggregate(what: Aggregate, rows: &[&Row], table: &Table, semantics: &Semantics) -> Value {
    let nulls = nulls(semantics);
    let count = |n: usize| Value::Int(i64::try_from(n).expect("fewer rows than 2^63"));
    let present = |c: ColumnId| {
        rows.iter()
            .map(|r| get(r, c))
            .filter(|v| !v.is_null())
            .collect::<Vec<_>>()
    };
    match what {
        Aggregate::CountRows => count(rows.len()),
        Aggregate::Count(c) => count(present(c).len()),
        Aggregate::Min(c) => present(c)
            .into_iter()
            .min_by(|a, b| a.compare(b, nulls))
            .unwrap_or(Value::Null),
        Aggregate::Max(c) => present(c)
            .into_iter()
            .max_by(|a, b| a.compare(b, nulls))
            .unwrap_or(Value::Null),
        Aggregate::Sum(c) => present(c)
            .iter()
            .filter_map(number)
            .fold(Value::Null, |sum, (n, scale)| match sum {
                Value::Numeric(so_far, _) => Value::Numeric(so_far + n, scale),
                _ => Value::Numeric(n, scale),
            })
            .in_column(table, c, semantics.sums),
        Aggregate::Avg(c) => {
            let all: Vec<i128> = present(c).iter().filter_map(number).map(|(n, _)| n).collect();
            let sum: i128 = all.iter().sum();
            Value::Numeric(sum.checked_div(all.len() as i128).unwrap_or(0), 0)
        }
    }
}

/// A sum as its column has it.
trait InColumn {
    fn in_column(self, table: &Table, column: ColumnId, sums: Sums) -> Value;
}

impl InColumn for Value {
    fn in_column(self, table: &Table, column: ColumnId, sums: Sums) -> Value {
        let bits = match (sums, table.column(column).ty) {
            (Sums::Exact, _) => return self,
            (_, Type::Int8) => 8,
            (_, Type::Int16) => 16,
            (_, Type::Int32) => 32,
            (_, Type::Int64 | Type::Counter) => 64,
            (Sums::OfColumn, _) => 127,
        };
        let Value::Numeric(n, scale) = self else {
            return Value::Numeric(0, 0);
        };
        // Into the half-open interval of the signed numbers of so many bits.
        let half = 1_i128 << (bits - 1);
        Value::Numeric((n + half).rem_euclid(2 * half) - half, scale)
    }
}

fn number(v: &Value) -> Option<(i128, u8)> {
    match v {
        Value::Int(n) => Some((i128::from(*n), 0)),
        Value::Numeric(n, scale) => Some((*n, *scale)),
        _ => None,
    }
}

/// Whether two lines are the same; sums may come as any type of number.
fn equal(ours: &[Value], seen: &[Value], select: &Select) -> bool {
    let (plain, aggregates): (usize, &[Aggregate]) = match select {
        Select::Columns(c) | Select::Distinct(c) => (c.len(), &[]),
        Select::Aggregates(a) => (0, a),
        Select::Group { by, aggregates } => (by.len(), aggregates),
    };
    ours.len() == seen.len()
        && ours.iter().zip(seen).enumerate().all(|(i, (a, b))| {
            let sum = i >= plain
                && matches!(
                    aggregates.get(i - plain),
                    Some(Aggregate::Sum(_) | Aggregate::Avg(_))
                );
            match (sum, number(a), number(b)) {
                (true, Some((n, s)), Some((m, t))) => Value::Numeric(n, s)
                    .compare(&Value::Numeric(m, t), Nulls::First)
                    .is_eq(),
                _ => a == b,
            }
        })
}
