//! Columns whose elements are cells of their own, and composites that are one value: each pair of writes, in either order of
//! arrival, with a flush between them and a compaction after.

use super::{World, column, key, play};
use crate::cassandra::value::encode;
use crate::cell::Cell;
use crate::conformance::Stage;
use crate::dialect::Slot;
use crate::target::{Maintenance, Target};
use datagen::schema::{ColumnId, Definition, Schema, SizeClass, Table};
use datagen::value::{Order, Type};
use history::{Answer, Rows, Visit};
use std::sync::Arc;

pub(super) const FIRST: u16 = 10;
/// Two slots each; the greater of two values of a slot has the greater bytes.
const WITH_ELEMENTS: [&str; 3] = ["set<bool>", "map<bool,bool>", "udt<a:bool,b:bool>"];
const FROZEN: [&str; 7] = [
    "frozen<set<int16>>",
    "frozen<map<text,int32>>",
    "frozen<list<text>>",
    "frozen<udt<a:int32,b:text>>",
    "tuple<int32,text>",
    "vector<float32,3>",
    "map<int8,frozen<list<tuple<inet,duration>>>>",
];

pub(super) fn of(target: &dyn Target, types: &[&str], partitions: u32) -> Schema {
    let regular = (FIRST..).zip(types).map(|(id, ty)| {
        let ty: Type = ty.parse().unwrap();
        column(target, id, &format!("v{id}"), ty)
    });
    let table = Definition {
        name: "t0".into(),
        size: SizeClass::Narrow { partitions },
        rows_max: 4,
        key_seed: 5,
        partition: vec![key(target, 0, "p0", Type::Int32, Order::Asc)],
        clustering: vec![key(target, 1, "c0", Type::Int32, Order::Asc)],
        regular: regular.collect(),
        ..Definition::default()
    };
    Schema::new(vec![table]).unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    Assigned,
    AssignedOther,
    AssignedNull,
    ColumnDeleted,
    Added,
    AddedAndRemoved,
    Removed,
    RowDeleted,
    PartitionDeleted,
}

const ALL: [Did; 9] = [
    Did::Assigned,
    Did::AssignedOther,
    Did::AssignedNull,
    Did::ColumnDeleted,
    Did::Added,
    Did::AddedAndRemoved,
    Did::Removed,
    Did::RowDeleted,
    Did::PartitionDeleted,
];

impl Did {
    /// What it says of the slots: a value, or removed.
    fn slots(self, top: u64) -> [Option<Option<u64>>; 2] {
        match self {
            Did::Assigned => [Some(Some(0)), None],
            Did::AssignedOther => [Some(Some(top)), Some(Some(0))],
            Did::Added => [Some(Some(top)), None],
            Did::AddedAndRemoved => [Some(None), Some(Some(top))],
            Did::Removed => [Some(None), None],
            Did::AssignedNull | Did::ColumnDeleted | Did::RowDeleted | Did::PartitionDeleted => [None, None],
        }
    }

    /// Up to when it deletes everything.
    fn empties(self, at: i64) -> Option<i64> {
        match self {
            Did::Assigned | Did::AssignedOther | Did::AssignedNull => Some(at - 1),
            Did::ColumnDeleted | Did::RowDeleted | Did::PartitionDeleted => Some(at),
            Did::Added | Did::AddedAndRemoved | Did::Removed => None,
        }
    }

    fn text(self, table: &Table, id: ColumnId, p: u64, at: i64) -> String {
        let elements = table.domain(id).elements().unwrap();
        let slots = self.slots(elements.values(0) - 1);
        let listed = (0..).zip(slots).filter_map(|(slot, said)| Some((slot, said?)));
        let words = match self {
            Did::Assigned | Did::AssignedOther => {
                let held: Vec<(usize, u64)> = listed.filter_map(|(slot, v)| Some((slot, v?))).collect();
                let d = elements.join(&held).unwrap();
                format!("update t0/{p}/0 c{}={d}", id.0)
            }
            Did::AssignedNull => format!("update t0/{p}/0 c{}=null", id.0),
            Did::ColumnDeleted => format!("delete t0/{p}/0 c{}", id.0),
            Did::Added | Did::AddedAndRemoved | Did::Removed => {
                let value = |v: Option<u64>| v.map_or_else(|| "null".to_owned(), |v| v.to_string());
                let list: Vec<String> = listed.map(|(slot, v)| format!("{slot}={}", value(v))).collect();
                format!("elements t0/{p}/0 c{} {}", id.0, list.join(","))
            }
            Did::RowDeleted => format!("delete t0/{p}/0"),
            Did::PartitionDeleted => format!("delete t0/{p}"),
        };
        format!("1: {words} | auto at {at} one")
    }
}

/// Two writes of a column in a partition of their own.
struct Case {
    column: ColumnId,
    writes: [(Did, i64); 2],
}

impl Case {
    /// Each slot by itself: the newest word about it above everything that empties, removal before a value among equals.
    fn expected(&self, table: &Table) -> Option<u64> {
        let elements = table.domain(self.column).elements().unwrap();
        let emptied = self.writes.iter().filter_map(|(did, at)| did.empties(*at)).max();
        let top = elements.values(0) - 1;
        let stands = (0..2).filter_map(|slot| {
            let said = self.writes.iter().filter_map(|(did, at)| {
                let said = did.slots(top)[slot]?;
                (emptied < Some(*at)).then_some((*at, said.is_none(), said))
            });
            Some((slot, said.max()?.2?))
        });
        elements.join(&stands.collect::<Vec<_>>())
    }
}

pub(super) fn write(stage: &mut Stage, text: &str) {
    let visit: Visit = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    let answer = play(stage, &visit);
    assert!(matches!(answer, Answer::Affected(_)), "{text}: {answer}");
}

pub(super) fn read(stage: &mut Stage, p: usize, id: ColumnId) -> Rows {
    let visit: Visit = format!("9: read t0/{p} select c1,c{} | auto at 0 one", id.0)
        .parse()
        .unwrap();
    match play(stage, &visit) {
        Answer::Rows(rows) => rows,
        other => panic!("partition {p}: {other}"),
    }
}

fn row(table: &Table, id: ColumnId, d: Option<u64>) -> Rows {
    let mut rows = Rows::default();
    if let Some(d) = d {
        table.rows().inflate_into(0, &mut rows.bytes);
        table.domain(id).inflate_into(d, &mut rows.bytes);
        rows.end_row();
    }
    rows
}

pub(super) fn elements_stand_for_themselves_whatever_the_order(world: &World<'_>) {
    let mut cases = Vec::new();
    for column in (FIRST..).map(ColumnId).take(WITH_ELEMENTS.len()) {
        for (a, b) in ALL.into_iter().flat_map(|a| ALL.map(|b| (a, b))) {
            for times in [(5, 5), (5, 6), (6, 5)] {
                cases.push(Case {
                    column,
                    writes: [(a, times.0), (b, times.1)],
                });
            }
        }
    }
    let partitions = u32::try_from(cases.len()).unwrap();
    let mut stage = world.stage(|target| of(target, &WITH_ELEMENTS, partitions));
    let schema = Arc::clone(&stage.schema);
    let table = schema.table(0);
    for i in 0..2 {
        for (p, case) in (0..).zip(&cases) {
            let (did, at) = case.writes[i];
            write(&mut stage, &did.text(table, case.column, p, at));
        }
        if i == 0 {
            stage.target.maintain(Maintenance::Flush).unwrap();
        }
    }
    for again in [false, true] {
        for (p, case) in cases.iter().enumerate() {
            let (got, expected) = (read(&mut stage, p, case.column), case.expected(table));
            assert_eq!(
                got,
                row(table, case.column, expected),
                "{:?} of {}",
                case.writes,
                case.column.0
            );
        }
        if !again {
            stage.target.maintain(Maintenance::Flush).unwrap();
            stage.target.maintain(Maintenance::Compact).unwrap();
        }
    }
}

/// Of two values of one timestamp the one whose serialized bytes are greater stays.
pub(super) fn frozen_composites_are_one_value(world: &World<'_>) {
    let frozen = &FROZEN[..6];
    let mut stage = world.stage(|target| of(target, frozen, 400));
    let schema = Arc::clone(&stage.schema);
    let table = schema.table(0);
    let mut p = 0;
    for (id, ty) in (FIRST..).map(ColumnId).zip(frozen) {
        let ty: Type = ty.parse().unwrap();
        let domain = table.domain(id);
        let size = u64::try_from(domain.size()).unwrap();
        let some: Vec<u64> = (0..6).map(|i| (size - 1) / 5 * i).chain([1, 2]).collect();
        let bytes = |d: u64| {
            let (mut canonical, mut wire) = (Vec::new(), Vec::new());
            domain.inflate_into(d, &mut canonical);
            assert!(encode(
                Cell::take(&mut canonical.as_slice()),
                Slot::Value(ty),
                &mut wire
            ));
            wire
        };
        for (a, b) in some.iter().flat_map(|a| some.iter().map(move |b| (*a, *b))) {
            for d in [a, b] {
                write(
                    &mut stage,
                    &format!("1: update t0/{p}/0 c{}={d} | auto at 5 one", id.0),
                );
            }
            let stays = if bytes(a) > bytes(b) { a } else { b };
            assert_eq!(
                read(&mut stage, p, id),
                row(table, id, Some(stays)),
                "{ty}: {a} and {b}"
            );
            p += 1;
        }
    }
}

/// Composites within composites come back, through texts too.
pub(super) fn composites_may_hold_others(world: &World<'_>) {
    let mut stage = world.stage(|target| of(target, &FROZEN[6..], 64));
    let schema = Arc::clone(&stage.schema);
    let (table, id) = (schema.table(0), ColumnId(FIRST));
    let size = u64::try_from(table.domain(id).size()).unwrap();
    for p in 0..50 {
        let d = (size - 1) / 49 * p;
        write(
            &mut stage,
            &format!("1: upsert t0/{p}/0 c{}={d} | auto at 5 one", id.0),
        );
        let p = usize::try_from(p).unwrap();
        assert_eq!(read(&mut stage, p, id), row(table, id, Some(d)));
    }
}
