//! Filters on what is made of others: what is inside of a collection, and whole values of what is frozen; with and without an
//! index, out of memory, after a flush and after a compaction.

use super::elements::{FIRST, write};
use super::{World, column, key, play};
use crate::conformance::Stage;
use crate::target::Maintenance;
use datagen::schema::{Column, ColumnId, Definition, Index, Schema, SizeClass, Table};
use datagen::value::{Order, Type};
use history::{Answer, Relation, Rows, Visit};
use std::sync::Arc;

const TYPES: [&str; 12] = [
    "list<int8>",
    "set<text>",
    "map<int16,text>",
    "map<bool,bool>",
    "frozen<list<bool>>",
    "frozen<set<int32>>",
    "frozen<map<text,int32>>",
    "tuple<int8,text>",
    "frozen<udt<a:int32,b:text>>",
    "vector<float32,2>",
    "list<frozen<tuple<int8,bool>>>",
    "map<inet,decimal>",
];
/// Where the columns begin that have an index.
const INDEXED: u16 = 40;
const ROWS: u64 = 14;

const ASKED: [(Relation, &str); 3] = [
    (Relation::Contains, "contains"),
    (Relation::ContainsKey, "contains-key"),
    (Relation::ContainsEntry, "contains-entry"),
];

fn schema(target: &dyn crate::target::Target) -> Schema {
    let types = || TYPES.iter().map(|ty| ty.parse::<Type>().expect("a type"));
    let plain = (FIRST..).zip(types());
    let indexed = (INDEXED..).zip(types()).filter(|(_, ty)| ty.is_collection());
    let indexed: Vec<(u16, Type)> = indexed.collect();
    let index = |(id, _): &(u16, Type)| Index {
        columns: vec![ColumnId(*id)],
        name: format!("i{id}"),
        unique: false,
    };
    let sharp = |(id, ty): &(u16, Type)| Column {
        nullable: true,
        ..key(target, *id, &format!("v{id}"), *ty, Order::Asc).column
    };
    let table = Definition {
        name: "t0".into(),
        size: SizeClass::Narrow { partitions: 2 },
        rows_max: ROWS,
        key_seed: 5,
        partition: vec![key(target, 0, "p0", Type::Int32, Order::Asc)],
        clustering: vec![key(target, 1, "c0", Type::Int32, Order::Desc)],
        indexes: indexed.iter().map(index).collect(),
        regular: plain
            .map(|(id, ty)| column(target, id, &format!("v{id}"), ty))
            .chain(indexed.iter().map(sharp))
            .collect(),
        ..Definition::default()
    };
    Schema::new(vec![table]).expect("it is sound")
}

/// Descriptors of a column, one a row: spread over all there are, the least among them, one twice.
fn held(table: &Table, id: ColumnId) -> Vec<u64> {
    let last = table.domain(id).size() - 1;
    let spread = (0..u128::from(ROWS)).map(|row| row / 2 * 2 * last / u128::from(ROWS));
    spread.map(|d| u64::try_from(d).expect("below 2^63")).collect()
}

fn asks(stage: &mut Stage, text: &str) -> Rows {
    let visit: Visit = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    match play(stage, &visit) {
        Answer::Rows(rows) => rows,
        other => panic!("{text}: {other}"),
    }
}

fn rows_of(table: &Table, fits: impl Fn(usize) -> bool) -> Rows {
    let mut rows = Rows::default();
    for row in (0..ROWS).filter(|row| fits(usize::try_from(*row).expect("few"))) {
        table.rows().inflate_into(row, &mut rows.bytes);
        rows.end_row();
    }
    rows
}

fn compare(stage: &mut Stage, table: &Table, when: &str) {
    for column in &table.regular {
        let (id, domain) = (column.id, table.domain(column.id));
        let all = held(table, id);
        let mut ask = |filter: String, fits: &dyn Fn(u64) -> bool| {
            for parts in ["t0/0", "t0/*"] {
                let text = format!("9: read {parts} select c1 where {filter} | auto at 0 one");
                let got = asks(stage, &text);
                let expected = rows_of(table, |row| fits(all[row]));
                assert_eq!(got, expected, "{} {when}: {text}", column.ty);
            }
        };
        if column.ty.is_frozen() {
            for d in [all[0], all[3], all[13], all[13] - 1] {
                ask(format!("c{}={d}", id.0), &|held| held == d);
            }
        }
        let Some(inside) = domain.inside() else { continue };
        for (relation, word) in ASKED {
            let inner = relation.inner().expect("of the inside");
            let count = match relation {
                Relation::ContainsEntry if column.ty.is_frozen() => 0,
                _ => inside.count(inner),
            };
            let step = usize::try_from(count / 5 + 1).expect("few");
            for n in (0..count).step_by(step) {
                let has = |d: u64| inside.holds(d, inner, n);
                ask(format!("c{} {word} {n}", id.0), &has);
                let m = (n + 1) % count;
                let two = format!("c{0} {word} {n},c{0} {word} {m}", id.0);
                ask(two, &|d| has(d) && inside.holds(d, inner, m));
            }
        }
    }
}

pub(super) fn filters_find_what_is_inside(world: &World<'_>) {
    let mut stage = world.stage(schema);
    let schema = Arc::clone(&stage.schema);
    let table = schema.table(0);
    for row in 0..ROWS {
        let at = usize::try_from(row).expect("few");
        let cells = |which: &dyn Fn(&Table, ColumnId) -> u64| {
            let cells = table
                .regular
                .iter()
                .map(|c| format!("c{}={}", c.id.0, which(table, c.id)));
            cells.collect::<Vec<_>>().join(" ")
        };
        // What stands there before is overwritten, and found no more.
        let before = cells(&|table, id| held(table, id)[ROWS as usize - 1 - at]);
        let now = cells(&|table, id| held(table, id)[at]);
        write(
            &mut stage,
            &format!("1: upsert t0/0/{row} {before} | auto at 5 one"),
        );
        if row == ROWS / 2 {
            stage.target.maintain(Maintenance::Flush).expect("flushed");
        }
        write(&mut stage, &format!("1: update t0/0/{row} {now} | auto at 6 one"));
    }
    compare(&mut stage, table, "at first");
    stage.target.maintain(Maintenance::Flush).expect("flushed");
    compare(&mut stage, table, "after a flush");
    stage.target.maintain(Maintenance::Compact).expect("compacted");
    compare(&mut stage, table, "after a compaction");
}
