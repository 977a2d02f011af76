//! What CQL can be asked: a function of the schema and the step, so that a history is refused before the server does it, or
//! is asked for something else.
//!
//! Source: the grammar and the restrictions of `StatementRestrictions` and `SelectStatement`, each tried on 5.0.9 and 4.1.

use datagen::schema::{ColumnId, Place, Schema, Table};
use datagen::universe::Slice;
use datagen::value::Type;
use history::{
    Aggregate, Change, ChangeKind, From, Op, Parts, Predicate, Query, Relation, RowChoice, Select, Step,
};
use std::collections::BTreeMap;

/// Whether a target can be asked something, and if not, what of it cannot be said, in a few words.
pub(crate) type Says = Result<(), &'static str>;

/// Whether CQL has words for a step on a table of the schema.
pub(crate) fn says(schema: &Schema, step: &Step) -> Says {
    match step {
        Step::Write(op) => write(schema.table(op.part().table), op),
        Step::Read(query) => read(schema.table(query.table), query),
        Step::Savepoint(_) | Step::RollbackTo(_) => Err("savepoints"),
        Step::Change(change) => self::change(schema.table(change.table), change),
    }
}

/// A column of an index of the schema is left alone, and a key's is no cell. Where a column was dropped, cells of an index on
/// it would have nothing to stand on.
fn change(table: &Table, change: &Change) -> Says {
    let definition = table.definition();
    if definition.counts() {
        return Err("changes of a table of counters: a column of them that was dropped is never added again");
    }
    let regular = definition.regular.iter().find(|c| c.id == change.column);
    let shared = definition.shared.iter().find(|c| c.id == change.column);
    if definition
        .indexes
        .iter()
        .any(|i| i.columns.contains(&change.column))
    {
        return Err("changes of a column of an index of the schema");
    }
    match (change.what, regular, shared) {
        (ChangeKind::CreateIndex | ChangeKind::DropIndex, Some(c), _) if c.ty.orders() => Ok(()),
        (ChangeKind::CreateIndex | ChangeKind::DropIndex, ..) => Err("an index on such a column"),
        (ChangeKind::DropColumn | ChangeKind::AddColumn, None, None) => Err("dropping a column of a key"),
        (ChangeKind::DropColumn | ChangeKind::AddColumn, ..) => Ok(()),
    }
}

fn write(table: &Table, op: &Op) -> Says {
    match op {
        Op::Add { .. } => Ok(()),
        Op::DeleteRow { .. } | Op::DeletePartition { .. } if table.definition().counts() => Ok(()),
        _ if table.definition().counts() => {
            Err("anything of counters but adding to them, and deletions of rows and partitions")
        }
        Op::Insert { strict: true, .. } => Err("an insert that a row refuses"),
        Op::DeleteSlice { slice, .. } if *slice == Slice::default() => {
            Err("a deletion of all rows but not of the static cells")
        }
        _ => Ok(()),
    }
}

fn read(table: &Table, q: &Query) -> Says {
    let definition = table.definition();
    let single = definition.partition.len() == 1;
    match q.from {
        From::Table | From::LeftJoin => {}
        From::Shared => distinct(q)?,
        From::InnerJoin => return Err("joins"),
    }
    if matches!(q.parts, Parts::In(_)) && !single {
        return Err("IN over a partition key of several columns");
    }
    if matches!(q.parts, Parts::All | Parts::Ring { .. })
        && !q.rows.is_every()
        && !definition.clustering.is_empty()
    {
        return Err("rows by their clustering key in all partitions");
    }
    if !q.filter.is_empty() && (matches!(q.parts, Parts::In(_)) || matches!(q.rows, RowChoice::In(_))) {
        return Err("a filter with IN");
    }
    if q.offset > 0 {
        return Err("OFFSET");
    }
    filter(q)?;
    ordered(table, q)?;
    order(table, q)?;
    match &q.select {
        Select::Columns(_) => Ok(()),
        Select::Distinct(columns) => of_partitions(table, q, columns),
        Select::Aggregates(aggregates) => self::aggregates(table, aggregates),
        Select::Group { by, aggregates } => {
            grouping(table, by)?;
            self::aggregates(table, aggregates)
        }
    }
}

/// `SELECT DISTINCT` takes the whole partition key, static columns, and nothing of rows.
fn of_partitions(table: &Table, q: &Query, columns: &[ColumnId]) -> Says {
    let definition = table.definition();
    let keyed = definition
        .partition
        .iter()
        .all(|k| columns.contains(&k.column.id));
    let theirs = |id: &ColumnId| matches!(table.place(*id), Place::Partition(_) | Place::Shared(_));
    if !keyed || !columns.iter().all(theirs) {
        return Err("DISTINCT of columns that are not of the partition");
    }
    if !q.rows.is_every() || !q.filter.is_empty() || !q.order.is_empty() {
        return Err("filters and orders over distinct partitions");
    }
    Ok(())
}

/// `SELECT DISTINCT` takes whole partitions only.
fn distinct(q: &Query) -> Says {
    match (&q.select, &q.rows) {
        (Select::Columns(_), RowChoice::All) if q.filter.is_empty() && q.order.is_empty() => Ok(()),
        _ => Err("filters, orders or aggregates over static columns"),
    }
}

/// A column takes one equation, or at most one bound a side.
fn filter(q: &Query) -> Says {
    let mut seen: BTreeMap<ColumnId, Vec<char>> = BTreeMap::new();
    for p in &q.filter {
        let kind = match p.relation {
            Relation::Eq => '=',
            Relation::Lt | Relation::Le => '<',
            Relation::Gt | Relation::Ge => '>',
            Relation::Ne => return Err("<>"),
            Relation::IsNull | Relation::IsNotNull => return Err("IS NULL"),
            Relation::Contains | Relation::ContainsKey | Relation::ContainsEntry => 'c',
        };
        let kinds = seen.entry(p.column).or_default();
        if kind == 'c' && kinds.iter().all(|k| *k == 'c') {
            kinds.push(kind);
            continue;
        }
        if kinds.contains(&kind) || kinds.contains(&'=') || kind == '=' && !kinds.is_empty() {
            return Err("two conditions of a kind on one column");
        }
        kinds.push(kind);
    }
    Ok(())
}

/// Durations, composites and counters are not compared; of `min` and `max` of a timeuuid the server answers a type that
/// the driver cannot read.
fn ordered(table: &Table, q: &Query) -> Says {
    let ty = |id: &ColumnId| table.column(*id).ty;
    let aggregated = match &q.select {
        Select::Aggregates(list) | Select::Group { aggregates: list, .. } => list.as_slice(),
        Select::Columns(_) | Select::Distinct(_) => &[],
    };
    let extremes = aggregated.iter().filter_map(|aggregate| match aggregate {
        Aggregate::Min(id) | Aggregate::Max(id) => Some(ty(id)),
        Aggregate::CountRows | Aggregate::Count(_) | Aggregate::Sum(_) | Aggregate::Avg(_) => None,
    });
    let extremes: Vec<Type> = extremes.collect();
    if extremes.contains(&Type::TimeUuid) {
        return Err("min or max of a timeuuid");
    }
    let fits = |p: &Predicate| match p.relation {
        Relation::Eq => ty(&p.column).orders() || ty(&p.column).is_frozen(),
        Relation::Contains | Relation::ContainsKey => true,
        Relation::ContainsEntry => !ty(&p.column).is_frozen(),
        _ => ty(&p.column).orders(),
    };
    match q.filter.iter().all(fits) && extremes.into_iter().all(Type::orders) {
        true => Ok(()),
        false => Err(
            "comparing durations, composites (but for frozen ones that are equal) or counters, and entries of frozen maps",
        ),
    }
}

/// One partition, by the clustering key as declared or wholly reversed; columns of the partition key are constants.
fn order(table: &Table, q: &Query) -> Says {
    if q.order.is_empty() {
        return Ok(());
    }
    if !matches!(q.parts, Parts::One(_)) {
        return Err("ORDER BY over several partitions");
    }
    if matches!(q.select, Select::Group { .. } | Select::Aggregates(_)) {
        return Err("ORDER BY of groups");
    }
    let definition = table.definition();
    let of_partition = |id: ColumnId| definition.partition.iter().any(|k| k.column.id == id);
    let mut turned: Option<bool> = None;
    let asked = q.order.iter().filter(|(id, _)| !of_partition(*id));
    for (i, (id, order)) in asked.enumerate() {
        let Some(key) = definition.clustering.get(i).filter(|k| k.column.id == *id) else {
            return Err("ORDER BY of anything but the clustering key");
        };
        let turn = key.order != *order;
        if *turned.get_or_insert(turn) != turn {
            return Err("ORDER BY that is neither the declared order nor its reverse");
        }
    }
    Ok(())
}

/// Only what is exact: sums of floats depend on the order of the rows, averages of decimals are rounded.
fn aggregates(table: &Table, aggregates: &[Aggregate]) -> Says {
    let whole = |ty| {
        matches!(
            ty,
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Varint | Type::Counter
        )
    };
    for aggregate in aggregates {
        let ty = aggregate.column().map(|id| table.column(id).ty);
        match (aggregate, ty) {
            (Aggregate::Sum(_), Some(Type::Numeric { .. } | Type::Decimal)) => {}
            (Aggregate::Sum(_) | Aggregate::Avg(_), Some(ty)) if !whole(ty) => {
                return Err(
                    "sum of anything but whole numbers and decimals, avg of anything but whole numbers",
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// GROUP BY takes the columns of the primary key from the left.
fn grouping(table: &Table, by: &[ColumnId]) -> Says {
    let definition = table.definition();
    let key = definition.partition.iter().chain(&definition.clustering);
    let fits = by.len() >= definition.partition.len()
        && key.zip(by).all(|(k, id)| k.column.id == *id)
        && by.len() <= definition.partition.len() + definition.clustering.len();
    if fits {
        Ok(())
    } else {
        Err("GROUP BY of anything but the primary key from the left")
    }
}

/// What CQL cannot say or Cassandra cannot keep, one thing each, for people.
pub(crate) const LEFT_OUT: &[&str] = &[
    "−0 (equal to 0 in SQL, below it in CQL)",
    "microseconds of timestamps (Cassandra keeps milliseconds)",
    "c[i] = v, DELETE c[i] and c = c - [v] of lists that are not frozen (the server reads before it writes: what they meet is open)",
    "times to live beside lists that are not frozen",
    "writetime of columns whose elements are cells of their own (lists, sets, maps and user-defined types that are not frozen)",
    "deletions of single counters and of ranges of them, their timestamps and times to live",
    "sums of floating-point numbers and averages of anything but whole numbers (they are not exact)",
    "reads that CQL has no words for (OR, IS NULL, <>, joins, OFFSET, orders other than the clustering key's)",
];
