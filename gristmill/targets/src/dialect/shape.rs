//! What of a request its text depends on: all but the values. Requests of one shape differ in their parameters only, so the
//! text of a shape is written once.

use crate::target::Request;
use datagen::schema::ColumnId;
use datagen::universe::Slice;
use datagen::value::Order;
use history::{Aggregate, From, Level, Op, Parts, Query, Relation, RowChoice, Select, Step};

/// Appends the shape. Requests of different texts have different shapes: lists are preceded by their lengths, variants by
/// their tags.
pub(super) fn shape(request: &Request<'_>, into: &mut Vec<u8>) {
    match request {
        Request::Begin { level, writes } => {
            let level = match level {
                Level::ReadUncommitted => 0,
                Level::ReadCommitted => 1,
                Level::RepeatableRead => 2,
                Level::Snapshot => 3,
                Level::Serializable => 4,
            };
            into.extend_from_slice(&[0, level, u8::from(*writes)]);
        }
        Request::Commit => into.push(1),
        Request::Rollback => into.push(2),
        Request::Step(Step::Savepoint(n)) => into.extend_from_slice(&[3, *n]),
        Request::Step(Step::RollbackTo(n)) => into.extend_from_slice(&[4, *n]),
        Request::Step(Step::Write(op)) => {
            into.push(5);
            write(op, into);
        }
        Request::Step(Step::Read(query)) => {
            into.push(6);
            read(query, into);
        }
    }
}

fn write(op: &Op, into: &mut Vec<u8>) {
    into.extend_from_slice(&op.part().table.to_le_bytes());
    let (tag, cells) = match op {
        Op::Insert { strict, cells, .. } => (u8::from(*strict), Some(cells)),
        Op::Upsert { cells, .. } => (2, Some(cells)),
        Op::Update { cells, .. } => (3, Some(cells)),
        Op::Shared { cells, .. } => (4, Some(cells)),
        Op::DeleteRow { .. } => (5, None),
        Op::DeleteCells { .. } => (6, None),
        Op::DeleteSlice { .. } => (7, None),
        Op::DeletePartition { .. } => (8, None),
    };
    into.push(tag);
    if let Some(cells) = cells {
        length(cells.len(), into);
        for (id, _) in cells {
            column(*id, into);
        }
    }
    match op {
        Op::DeleteCells { columns, .. } => list(columns, into),
        Op::DeleteSlice { slice, .. } => bounds(slice, into),
        _ => {}
    }
}

fn read(q: &Query, into: &mut Vec<u8>) {
    into.extend_from_slice(&q.table.to_le_bytes());
    into.push(match q.from {
        From::Table => 0,
        From::Shared => 1,
        From::InnerJoin => 2,
        From::LeftJoin => 3,
    });
    match &q.parts {
        Parts::One(_) => into.push(0),
        Parts::In(positions) => {
            into.push(1);
            length(positions.len(), into);
        }
        Parts::All => into.push(2),
    }
    match &q.rows {
        RowChoice::All => into.push(0),
        RowChoice::One(_) => into.push(1),
        RowChoice::In(rows) => {
            into.push(2);
            length(rows.len(), into);
        }
        RowChoice::Slice(slice) => {
            into.push(3);
            bounds(slice, into);
        }
    }
    length(q.filter.len(), into);
    for predicate in &q.filter {
        column(predicate.column, into);
        into.push(match predicate.relation {
            Relation::Eq => 0,
            Relation::Ne => 1,
            Relation::Lt => 2,
            Relation::Le => 3,
            Relation::Gt => 4,
            Relation::Ge => 5,
            Relation::IsNull => 6,
            Relation::IsNotNull => 7,
        });
    }
    match &q.select {
        Select::Columns(columns) => {
            into.push(0);
            list(columns, into);
        }
        Select::Distinct(columns) => {
            into.push(1);
            list(columns, into);
        }
        Select::Aggregates(aggregates) => {
            into.push(2);
            made(aggregates, into);
        }
        Select::Group { by, aggregates } => {
            into.push(3);
            list(by, into);
            made(aggregates, into);
        }
    }
    length(q.order.len(), into);
    for (id, order) in &q.order {
        column(*id, into);
        into.push(u8::from(*order == Order::Desc));
    }
    into.push(u8::from(q.limit.is_some()) + 2 * u8::from(q.offset > 0));
}

fn made(aggregates: &[Aggregate], into: &mut Vec<u8>) {
    length(aggregates.len(), into);
    for aggregate in aggregates {
        let (tag, of) = match aggregate {
            Aggregate::CountRows => (0, None),
            Aggregate::Count(id) => (1, Some(id)),
            Aggregate::Min(id) => (2, Some(id)),
            Aggregate::Max(id) => (3, Some(id)),
            Aggregate::Sum(id) => (4, Some(id)),
        };
        into.push(tag);
        if let Some(id) = of {
            column(*id, into);
        }
    }
}

fn bounds(slice: &Slice, into: &mut Vec<u8>) {
    length(slice.prefix.len(), into);
    for bound in [&slice.lower, &slice.upper] {
        into.push(match bound {
            None => 0,
            Some((_, inclusive)) => 1 + u8::from(*inclusive),
        });
    }
}

fn list(columns: &[ColumnId], into: &mut Vec<u8>) {
    length(columns.len(), into);
    for id in columns {
        column(*id, into);
    }
}

fn column(id: ColumnId, into: &mut Vec<u8>) {
    into.extend_from_slice(&id.0.to_le_bytes());
}

fn length(n: usize, into: &mut Vec<u8>) {
    into.extend_from_slice(&u32::try_from(n).expect("a request fits in memory").to_le_bytes());
}
