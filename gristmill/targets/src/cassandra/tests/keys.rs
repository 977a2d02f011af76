//! Composites in keys: they stand in the order of their descriptors, up and down, are found by value, by bounds and by IN, and
//! partitions of them lie on the ring by our tokens.

use super::types::{ask, read, rows, upsert};
use super::{World, column, key};
use crate::target::{Maintenance, Target};
use datagen::ring;
use datagen::schema::{ColumnId, Definition, Schema, SizeClass};
use datagen::universe::Slice;
use datagen::value::{Order, Type};
use history::{Cells, End, Op, Part, Parts, Query, RowChoice, Rows, Select, Step};
use std::sync::Arc;

const TYPES: [&str; 11] = [
    "frozen<list<int32>>",
    "frozen<list<text>>",
    "frozen<set<text>>",
    "frozen<set<int16>>",
    "frozen<map<int8,text>>",
    "frozen<map<text,decimal>>",
    "tuple<int16,text,bool>",
    "tuple<float64,frozen<list<timeuuid>>>",
    "frozen<udt<a:int64,b:inet>>",
    "vector<float32,3>",
    "vector<int32,2>",
];

/// Of each type two tables that are clustered by it, and one of partitions of it.
fn keyed(target: &dyn Target) -> Schema {
    let mut tables = Vec::new();
    for (i, ty) in TYPES.iter().enumerate() {
        let ty: Type = ty.parse().expect("a type");
        let table = |name: &str| Definition {
            name: format!("k{i}{name}"),
            size: SizeClass::Narrow { partitions: 12 },
            rows_max: 20,
            key_seed: 7,
            partition: vec![key(target, 0, "p0", Type::Int32, Order::Asc)],
            regular: vec![column(target, 9, "v0", Type::Int32)],
            ..Definition::default()
        };
        for order in [Order::Asc, Order::Desc] {
            tables.push(Definition {
                clustering: vec![
                    key(target, 1, "c0", ty, order),
                    key(target, 2, "c1", Type::Bool, Order::Asc),
                ],
                ..table(if order == Order::Asc { "a" } else { "d" })
            });
        }
        tables.push(Definition {
            partition: vec![
                key(target, 0, "p0", ty, Order::Asc),
                key(target, 3, "p1", Type::Int8, Order::Asc),
            ],
            ..table("p")
        });
    }
    Schema::new(tables).expect("it is sound")
}

/// What is answered of these rows of a table.
fn shown(schema: &Schema, table: u16, all: impl IntoIterator<Item = u64>) -> Rows {
    let universe = schema.table(table).rows();
    let mut out = Rows::default();
    for row in all {
        universe.inflate_into(row, &mut out.bytes);
        out.end_row();
    }
    out
}

pub(super) fn composites_are_keys(world: &World<'_>) {
    let mut stage = world.stage(keyed);
    let schema = Arc::clone(&stage.schema);
    let columns = || Select::Columns(vec![ColumnId(1), ColumnId(2)]);
    for number in (0..schema.tables.len()).map(|n| u16::try_from(n).expect("few")) {
        let name = &schema.table(number).definition().name;
        if schema.table(number).clustering.is_empty() {
            partitions_of_composites(&mut stage, &schema, number);
            continue;
        }
        let universe = schema.table(number).rows();
        let ty = universe.domain(0).ty();
        // Every other row is written, the last first, by a batch and again after a flush.
        let there: Vec<u64> = (0..universe.len()).filter(|row| row % 5 != 3).collect();
        for row in there.iter().rev() {
            ask(
                &mut stage,
                1,
                vec![upsert(number, *row, Cells::new())],
                End::Autocommit,
            );
        }
        let sees = |stage: &mut _, rows_asked: RowChoice, order, fits: &dyn Fn(u64) -> bool| {
            let (forward, order) = match order {
                Some(order) => (false, vec![(ColumnId(1), order), (ColumnId(2), Order::Desc)]),
                None => (true, Vec::new()),
            };
            let query = Query {
                rows: rows_asked,
                order,
                ..read(number, columns())
            };
            let mut expected: Vec<u64> = there.iter().copied().filter(|row| fits(*row)).collect();
            if !forward {
                expected.reverse();
            }
            let got = rows(stage, 2, query.clone());
            assert_eq!(got, shown(&schema, number, expected), "{ty} {name}: {query:?}");
        };
        let against = match universe.order(0) {
            Order::Asc => Order::Desc,
            Order::Desc => Order::Asc,
        };
        for flushed in [false, true] {
            sees(&mut stage, RowChoice::All, None, &|_| true);
            sees(&mut stage, RowChoice::All, Some(against), &|_| true);
            for row in 0..universe.len() {
                sees(&mut stage, RowChoice::One(row), None, &|r| r == row);
            }
            let some: Vec<u64> = (0..universe.len()).step_by(4).take(8).collect();
            sees(&mut stage, RowChoice::In(some.clone()), None, &|r| {
                some.contains(&r)
            });
            let last = universe.radix(0) - 1;
            for digit in [0, last / 2, last] {
                for inclusive in [true, false] {
                    for (lower, upper) in [
                        (Some((digit, inclusive)), None),
                        (None, Some((digit, inclusive))),
                        (Some((1.min(last), true)), Some((digit, inclusive))),
                    ] {
                        let slice = Slice {
                            prefix: Vec::new(),
                            lower,
                            upper,
                        };
                        let range = universe.range(&slice);
                        sees(&mut stage, RowChoice::Slice(slice), None, &|r| range.contains(&r));
                    }
                }
                let slice = Slice {
                    prefix: vec![digit],
                    ..Slice::default()
                };
                let range = universe.range(&slice);
                sees(&mut stage, RowChoice::Slice(slice), None, &|r| range.contains(&r));
            }
            if !flushed {
                stage.target.maintain(Maintenance::Flush).expect("flushed");
            }
        }
        let part = Part {
            table: number,
            position: 0,
        };
        let slice = Slice {
            prefix: Vec::new(),
            lower: Some((1, true)),
            upper: Some((universe.radix(0) - 1, false)),
        };
        let gone = universe.range(&slice);
        ask(
            &mut stage,
            3,
            vec![Step::Write(Op::DeleteSlice { part, slice })],
            End::Autocommit,
        );
        sees(&mut stage, RowChoice::All, None, &|row| !gone.contains(&row));
    }
}

fn partitions_of_composites(stage: &mut crate::conformance::Stage, schema: &Schema, number: u16) {
    let table = schema.table(number);
    let keys = table.partitions();
    for position in 0..12 {
        let part = Part {
            table: number,
            position,
        };
        let op = Op::Upsert {
            part,
            row: 0,
            cells: Cells::new(),
        };
        ask(stage, 1, vec![Step::Write(op)], End::Autocommit);
    }
    let select = || Select::Columns(vec![ColumnId(0), ColumnId(3)]);
    let mut sees = |parts: Parts, positions: Vec<u64>| {
        let query = Query {
            parts,
            ..read(number, select())
        };
        let mut expected = Rows::default();
        for position in positions {
            keys.inflate_into(position, &mut expected.bytes);
            expected.end_row();
        }
        let got = rows(stage, 2, query.clone());
        assert_eq!(got, expected, "{} {query:?}", keys.domain(0).ty());
    };
    for position in 0..12 {
        sees(Parts::One(position), vec![position]);
    }
    sees(Parts::All, ring::between(table, 12, None, None));
    for (after, upto) in [(Some(3), Some(7)), (None, Some(5)), (Some(0), None)] {
        sees(Parts::Ring { after, upto }, ring::between(table, 12, after, upto));
    }
}
