//! Values and their order, for every type.

use super::{World, column, key};
use crate::cell::Cell;
use crate::conformance::Stage;
use crate::target::{Request, Target};
use datagen::schema::{ColumnId, Definition, Schema, SizeClass};
use datagen::value::{Order, Type};
use history::{
    Address, Aggregate, Answer, Cells, Consistency, End, Extras, From, Level, Lts, Op, Part, Parts,
    Predicate, Query, Relation, RowChoice, Rows, Select, SessionId, Stamp, Step, Visit,
};
use std::time::Duration;

/// One partition; a regular column of every type.
fn wide(target: &dyn Target) -> Schema {
    let all = Type::ALL.into_iter().chain(Type::composites());
    let regular = (0..)
        .zip(all.filter(|ty| target.limits(ty).is_some()))
        .map(|(i, ty)| column(target, 10 + i, &format!("v{i}"), ty));
    let table = Definition {
        name: "t0".into(),
        size: SizeClass::Narrow { partitions: 2 },
        rows_max: 400,
        key_seed: 3,
        partition: vec![key(target, 0, "p0", Type::Int32, Order::Asc)],
        clustering: vec![key(target, 1, "c0", Type::Int32, Order::Asc)],
        regular: regular.collect(),
        ..Definition::default()
    };
    Schema::new(vec![table]).unwrap()
}

/// The types that can be in a key.
fn ordered() -> Vec<Type> {
    Type::ALL.into_iter().filter(|ty| ty.orders()).collect()
}

/// A table for each type, clustered by it, with a regular column of it in which equal means identical.
fn clustered(target: &dyn Target) -> Schema {
    let tables = (0..).zip(ordered()).map(|(i, ty)| {
        let order = if i % 2 == 0 { Order::Asc } else { Order::Desc };
        Definition {
            name: format!("y{i}"),
            size: SizeClass::Narrow { partitions: 2 },
            rows_max: 48,
            key_seed: 7,
            partition: vec![key(target, 0, "p0", Type::Int32, Order::Asc)],
            clustering: vec![key(target, 1, "c0", ty, order)],
            regular: vec![key(target, 2, "v0", ty, Order::Asc).column],
            ..Definition::default()
        }
    });
    let mut tables: Vec<Definition> = tables.collect();
    tables.iter_mut().for_each(|t| t.regular[0].nullable = true);
    Schema::new(tables).unwrap()
}

fn stamp(timestamp: i64) -> Stamp {
    Stamp {
        condition: None,
        timestamp,
        ttl: None,
        consistency: Consistency::One,
        node: 0,
    }
}

pub(super) fn ask(stage: &mut Stage, lts: u64, steps: Vec<Step>, end: End) -> Answer {
    let visit = Visit {
        lts: Lts(lts),
        level: Level::ReadCommitted,
        writes: Vec::new(),
        steps,
        end,
        stamp: Some(stamp(i64::try_from(lts).unwrap())),
    };
    super::play(stage, &visit)
}

pub(super) fn read(table: u16, select: Select) -> Query {
    Query {
        table,
        from: From::Table,
        parts: Parts::One(0),
        rows: RowChoice::All,
        filter: Vec::new(),
        select,
        order: Vec::new(),
        limit: None,
        offset: 0,
        extras: Extras::default(),
    }
}

pub(super) fn rows(stage: &mut Stage, lts: u64, query: Query) -> Rows {
    match ask(stage, lts, vec![Step::Read(query.clone())], End::Autocommit) {
        Answer::Rows(rows) => rows,
        other => panic!("{query:?}: {other:?}"),
    }
}

pub(super) fn upsert(table: u16, row: u64, cells: Cells) -> Step {
    let part = Part { table, position: 0 };
    Step::Write(Op::Upsert { part, row, cells })
}

/// Specials and some values between them, written and read; NULL in the rows of a shorter list.
pub(super) fn values_of_every_type_come_back(world: &World<'_>) {
    let mut stage = world.stage(wide);
    let schema = std::sync::Arc::clone(&stage.schema);
    let table = schema.table(0);
    let ids: Vec<ColumnId> = table.definition().regular.iter().map(|c| c.id).collect();
    let written: Vec<Vec<u64>> = ids
        .iter()
        .map(|id| {
            let domain = table.domain(*id);
            let size = domain.size();
            let spread = (0..20_u128).map(|i| u64::try_from((size - 1) * i / 19).unwrap());
            domain.specials().iter().copied().chain(spread).collect()
        })
        .collect();
    let longest = written.iter().map(Vec::len).max().unwrap();
    let cells_of = |row: usize| -> Cells {
        (0..ids.len())
            .map(|i| (ids[i], written[i].get(row).copied()))
            .collect()
    };
    for row in 0..longest {
        ask(
            &mut stage,
            1,
            vec![upsert(0, row as u64, cells_of(row))],
            End::Autocommit,
        );
    }
    let got = rows(
        &mut stage,
        2,
        Query {
            order: vec![(ColumnId(1), Order::Asc)],
            ..read(0, Select::Columns(ids.clone()))
        },
    );
    assert_eq!(got.len(), longest);
    texts_mean_what_was_executed(world, &stage, longest, &cells_of, &got);
    for (row, bytes) in got.iter().enumerate() {
        let mut expected = Vec::new();
        for (id, cell) in cells_of(row) {
            match cell {
                None => Cell::Null.put(&mut expected),
                Some(d) => table.domain(id).inflate_into(d, &mut expected),
            }
        }
        assert_eq!(bytes, expected, "row {row}");
    }
}

/// The statements as people are shown them, run as they stand in place of the prepared ones.
fn texts_mean_what_was_executed(
    world: &World<'_>,
    stage: &Stage,
    rows: usize,
    cells_of: &dyn Fn(usize) -> Cells,
    expected: &Rows,
) {
    let target = super::super::Cassandra::open(super::LOCAL, &world.options()).unwrap();
    let keyspace = target.shared.keyspace().to_owned();
    let said = |words: &str| {
        target
            .ask(|client| client.ask(words))
            .unwrap_or_else(|e| panic!("{words}: {e}"))
    };
    said(&format!("USE {keyspace}"));
    said(&format!("TRUNCATE {keyspace}_t0"));
    for row in 0..rows {
        let steps = [upsert(0, row as u64, cells_of(row))];
        let batch = [None, Some(true), Some(false)][row % 3];
        let stamp = stamp(1);
        let request = Request::Stamped {
            steps: &steps,
            stamp: &stamp,
            batch,
        };
        for words in stage.target.text(&stage.schema, &request) {
            said(&words);
        }
    }
    let mut session = stage.target.connect(SessionId(7), &stage.schema).unwrap();
    let columns = stage
        .schema
        .table(0)
        .definition()
        .regular
        .iter()
        .map(|c| c.id)
        .collect();
    let step = [Step::Read(Query {
        order: vec![(ColumnId(1), Order::Asc)],
        ..read(0, Select::Columns(columns))
    })];
    let request = Request::Stamped {
        steps: &step,
        stamp: &stamp(1),
        batch: None,
    };
    let address = Address {
        lts: Lts(3),
        attempt: 0,
        step: 0,
    };
    let answer = session.execute(address, &request, Duration::from_secs(60)).answer;
    assert_eq!(answer, Answer::Rows(expected.clone()));
}

/// Clustering order, bounds, filters, min and max: what comes by value there goes by descriptor here.
pub(super) fn every_type_is_ordered_as_its_descriptors(world: &World<'_>) {
    let mut stage = world.stage(clustered);
    let schema = std::sync::Arc::clone(&stage.schema);
    for (number, ty) in (0..).zip(ordered()) {
        let table = schema.table(number);
        let (universe, domain) = (table.rows(), table.domain(ColumnId(2)));
        let last = u64::try_from(domain.size() - 1).unwrap();
        let count = universe.len();
        let value = |row: u64| {
            u64::try_from(u128::from(last) * u128::from(row) / u128::from(count.max(2) - 1)).unwrap()
        };
        let ops: Vec<Step> = (0..count)
            .rev()
            .map(|row| {
                upsert(
                    number,
                    row,
                    [(ColumnId(2), Some(value(row)))].into_iter().collect(),
                )
            })
            .collect();
        ask(&mut stage, 1, ops, End::Batch { logged: false });
        let all = rows(
            &mut stage,
            2,
            read(number, Select::Columns(vec![ColumnId(1), ColumnId(2)])),
        );
        let expected = |rows: &mut dyn Iterator<Item = u64>| {
            let mut out = Rows::default();
            for row in rows {
                universe.inflate_into(row, &mut out.bytes);
                domain.inflate_into(value(row), &mut out.bytes);
                out.end_row();
            }
            out
        };
        assert_eq!(all, expected(&mut (0..count)), "{ty}: in clustering order");
        for at in [0, count / 3, count - 1] {
            let bound = value(at);
            for relation in [
                Relation::Eq,
                Relation::Lt,
                Relation::Le,
                Relation::Gt,
                Relation::Ge,
            ] {
                let filter = vec![Predicate {
                    column: ColumnId(2),
                    relation,
                    value: bound,
                }];
                let select = Select::Columns(vec![ColumnId(1), ColumnId(2)]);
                let got = rows(
                    &mut stage,
                    3,
                    Query {
                        filter,
                        ..read(number, select)
                    },
                );
                let fits = |row: &u64| match relation {
                    Relation::Eq => value(*row) == bound,
                    Relation::Lt => value(*row) < bound,
                    Relation::Le => value(*row) <= bound,
                    Relation::Gt => value(*row) > bound,
                    _ => value(*row) >= bound,
                };
                assert_eq!(
                    got,
                    expected(&mut (0..count).filter(fits)),
                    "{ty} {relation:?} {bound}"
                );
            }
        }
        if ty == Type::TimeUuid {
            // The driver cannot read the type that the server gives to its min and max: `says` leaves them out.
            continue;
        }
        let extremes = Select::Aggregates(vec![
            Aggregate::Min(ColumnId(2)),
            Aggregate::Max(ColumnId(2)),
            Aggregate::CountRows,
        ]);
        let mut out = Vec::new();
        domain.inflate_into(value(0), &mut out);
        domain.inflate_into(value(count - 1), &mut out);
        Cell::Int(i64::try_from(count).unwrap()).put(&mut out);
        assert_eq!(
            rows(&mut stage, 4, read(number, extremes)).bytes,
            out,
            "{ty}: min, max, count"
        );
    }
}
