//! Every pair of kinds of writes, in either order, with the lesser, the same and the greater timestamp, on an empty partition
//! and on one that holds something.

use super::expected::{Put, compare, compare_whole, write};
use crate::conformance::stage::Stage;
use crate::target::Maintenance;
use datagen::schema::ColumnId;
use datagen::universe::Slice;
use history::{Cells, Op, Part};

/// A kind of write.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    pub(super) op: Op,
    ttl: Option<u32>,
}

impl Kind {
    fn at(self, at: i64) -> Put {
        Put {
            at,
            ttl: self.ttl,
            op: self.op,
        }
    }
}

/// A partition, what is written there, and how much of that before what is in memory goes to disk.
struct Case {
    part: Part,
    puts: Vec<Put>,
    before: usize,
}

/// Every pair, in a partition of its own from this position on; how many partitions. `expiring`: writes may have a time to live.
/// Where files can be flushed and merged, each pair twice, once with a flush between the two; and everything is read
/// again from files, and from one file.
pub(crate) fn every_pair_of_operations_in_every_order(stage: &mut Stage, from: u64, expiring: bool) -> usize {
    let maintains = stage.target.describe().maintains;
    let flushes = maintains.contains(&Maintenance::Flush) && maintains.contains(&Maintenance::Compact);
    let cases = cases(from, expiring, flushes);
    for case in &cases {
        for put in &case.puts[..case.before] {
            write(stage, 0, case.part, std::slice::from_ref(put));
        }
    }
    if flushes {
        stage
            .target
            .maintain(Maintenance::Flush)
            .expect("it can be flushed");
    }
    for case in &cases {
        for put in &case.puts[case.before..] {
            write(stage, 0, case.part, std::slice::from_ref(put));
        }
        compare(stage, case.part, &case.puts);
    }
    if flushes {
        for what in [Maintenance::Flush, Maintenance::Compact] {
            stage
                .target
                .maintain(what)
                .expect("its files can be put in order");
            for case in &cases {
                compare_whole(stage, case.part, &case.puts);
            }
        }
    }
    cases.len()
}

fn cases(from: u64, expiring: bool, flushes: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    let part = |position| Part { table: 0, position };
    let many = kinds(part(from), 0, expiring).len();
    for flushed in [false, true] {
        if flushed && !flushes {
            continue;
        }
        for based in [false, true] {
            for first in 0..many {
                for second in 0..many {
                    for (earlier, later) in [(10, 11), (10, 10), (11, 10)] {
                        let part = part(from + cases.len() as u64);
                        let kind = |variant, which: usize| kinds(part, variant, expiring).swap_remove(which);
                        let mut puts = Vec::new();
                        if based {
                            puts.push(kind(2, 0).at(5));
                            puts.push(kind(2, 6).at(5));
                        }
                        puts.push(kind(0, first).at(earlier));
                        let before = if flushed { puts.len() } else { 0 };
                        puts.push(kind(1, second).at(later));
                        cases.push(Case { part, puts, before });
                    }
                }
            }
        }
    }
    cases
}

/// Every kind of write about one partition; `variant` gives other values, of which the ones of variant 1 are the greater in
/// some columns and the lesser in others.
pub(super) fn kinds(part: Part, variant: u64, expiring: bool) -> Vec<Kind> {
    let row = 9;
    let high = |n: u64| 40 + n * variant;
    let low = |n: u64| 40 - n * variant.min(1) + variant / 2;
    let full: Cells = [
        (ColumnId(4), Some(high(3))),
        (ColumnId(5), Some(low(2))),
        (ColumnId(7), Some(variant % 2)),
        (ColumnId(8), Some(low(5))),
        (ColumnId(9), Some(high(1))),
        (ColumnId(10), Some(low(1))),
    ]
    .into_iter()
    .collect();
    let some: Cells = [(ColumnId(4), Some(low(1))), (ColumnId(6), Some(high(1)))]
        .into_iter()
        .collect();
    let mixed: Cells = [(ColumnId(4), None), (ColumnId(5), Some(high(7)))]
        .into_iter()
        .collect();
    let shared: Cells = [(ColumnId(20), Some(high(2))), (ColumnId(21), Some(low(3)))]
        .into_iter()
        .collect();
    let unshared: Cells = [(ColumnId(20), None)].into_iter().collect();
    let slice = |prefix: &[u32], lower, upper| Slice {
        prefix: prefix.to_vec(),
        lower,
        upper,
    };
    let mut all: Vec<Kind> = [
        Op::Upsert {
            part,
            row,
            cells: full.clone(),
        },
        Op::Upsert {
            part,
            row,
            cells: Cells::new(),
        },
        Op::Upsert {
            part,
            row: row + variant,
            cells: mixed.clone(),
        },
        Op::Update {
            part,
            row,
            cells: full.clone(),
        },
        Op::Update {
            part,
            row,
            cells: some.clone(),
        },
        Op::Update {
            part,
            row,
            cells: mixed,
        },
        Op::Shared {
            part,
            cells: shared.clone(),
        },
        Op::Shared {
            part,
            cells: unshared,
        },
        Op::DeleteCells {
            part,
            row,
            columns: vec![ColumnId(4), ColumnId(7)],
        },
        Op::DeleteRow { part, row },
        Op::DeleteSlice {
            part,
            slice: slice(&[2], None, None),
        },
        Op::DeleteSlice {
            part,
            slice: slice(&[2], Some((1, variant == 0)), Some((3, true))),
        },
        Op::DeleteSlice {
            part,
            slice: slice(&[], Some((1, true)), Some((2, variant == 0))),
        },
        Op::DeletePartition { part },
    ]
    .map(|op| Kind { op, ttl: None })
    .into();
    if expiring {
        let mut dies = |ttl: u32, op: Op| {
            let ttl = Some(ttl + 10_000 * u32::try_from(variant).expect("a small number"));
            all.push(Kind { op, ttl });
        };
        // Far more apart than any two writes of the test.
        dies(
            100_000,
            Op::Upsert {
                part,
                row,
                cells: full,
            },
        );
        dies(
            200_000,
            Op::Update {
                part,
                row,
                cells: some,
            },
        );
        dies(300_000, Op::Shared { part, cells: shared });
    }
    all
}
