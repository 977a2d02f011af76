//! What every target must do under discipline `lww`, against a brute force that keeps a list of writes and scans it.
//!
//! Invariant: the expectation uses nothing of a target, of the reference or of the judge.

use super::stage::Stage;
use super::tables::two_tables;
use crate::target::{OpenOptions, Request, Target};
use datagen::schema::{ColumnId, Schema, SizeClass, Table};
use datagen::stream::{Stream, below, draw};
use datagen::universe::Slice;
use datagen::value::Value;
use history::{
    Answer, Cells, Consistency, Discipline, End, Extras, From, Level, Lts, Op, Outcome, Part, Parts, Query,
    RowChoice, Select, Stamp, Step, Visit,
};
use std::collections::{BTreeMap, BTreeSet};

/// The whole suite. `options(n)` gives options for the n-th database of its own.
pub(crate) fn greatest_timestamp_wins(url: &str, options: &dyn Fn(u32) -> OpenOptions) {
    let lww = |n| OpenOptions {
        discipline: Discipline::Lww,
        ..options(n)
    };
    let mut stage = Stage::new(url, &lww(1), wide);
    if !stage.target.describe().one_session {
        stage.connect();
        stage.connect();
    }
    every_pair_of_operations_in_every_order(&mut stage);
    small_histories_in_any_order(&mut stage);
    what_is_not_offered_is_refused(&mut stage);
    let Stage { target, schema, .. } = stage;
    let removed = target.cleanup().unwrap();
    if !removed.is_empty() {
        target.prepare(&schema).unwrap();
        assert_eq!(target.cleanup().unwrap(), removed);
    }
}

/// The table with everything, and as many partitions as the tests need.
pub(crate) fn wide(target: &dyn Target) -> Schema {
    let schema = two_tables(target);
    let tables = schema.tables.iter().map(|table| {
        let mut definition = table.definition().clone();
        definition.size = SizeClass::Wide;
        definition
    });
    Schema::new(tables.collect()).unwrap()
}

const PAIRS: u64 = 0;
const HISTORIES: u64 = 10_000;

/// A write with its timestamp.
type Put = (i64, Op);

fn every_pair_of_operations_in_every_order(stage: &mut Stage) {
    let mut position = PAIRS;
    let kinds = kinds(Part { table: 0, position }, 0).len();
    for based in [false, true] {
        for first in 0..kinds {
            for second in 0..kinds {
                for (earlier, later) in [(10, 11), (10, 10), (11, 10)] {
                    let part = Part { table: 0, position };
                    position += 1;
                    let mut puts = Vec::new();
                    if based {
                        puts.push((5, kinds_of(part, 2, 0)));
                        puts.push((5, kinds_of(part, 2, 6)));
                    }
                    puts.push((earlier, kinds_of(part, 0, first)));
                    puts.push((later, kinds_of(part, 1, second)));
                    for put in &puts {
                        write(stage, 0, part, std::slice::from_ref(put));
                    }
                    compare(stage, part, &puts);
                }
            }
        }
    }
}

/// Every kind of write about one partition; `variant` gives other values, of which the ones of variant 1 are the greater in
/// some columns and the lesser in others.
fn kinds(part: Part, variant: u64) -> Vec<Op> {
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
    vec![
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
            cells: full,
        },
        Op::Update {
            part,
            row,
            cells: some,
        },
        Op::Update {
            part,
            row,
            cells: mixed,
        },
        Op::Shared { part, cells: shared },
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
}

fn kinds_of(part: Part, variant: u64, which: usize) -> Op {
    kinds(part, variant).swap_remove(which)
}

/// Drawn histories of few rows and fewer timestamps, alone and in batches, by several sessions; each of a few orders must end
/// in the same partition.
fn small_histories_in_any_order(stage: &mut Stage) {
    let mut position = HISTORIES;
    for history in 0..60 {
        let mut dice = Dice { history, next: 0 };
        let count = 2 + dice.below(7);
        let table = stage.schema.table(0).clone();
        let home = Part {
            table: 0,
            position: 0,
        };
        let drawn: Vec<Put> = (0..count)
            .map(|_| (dice.timestamp(), dice.op(&table, home)))
            .collect();
        for _ in 0..4 {
            let part = Part { table: 0, position };
            position += 1;
            let mut puts: Vec<Put> = drawn.iter().map(|(at, op)| (*at, moved(op, part))).collect();
            for i in (1..puts.len()).rev() {
                puts.swap(i, usize::try_from(dice.below(i as u64 + 1)).unwrap());
            }
            let mut rest = puts.as_slice();
            while let Some((at, _)) = rest.first() {
                // A batch has one timestamp.
                let same = rest.iter().take_while(|(other, _)| other == at).count();
                let session = usize::try_from(dice.below(stage.sessions() as u64)).unwrap();
                let (now, later) = rest.split_at(if dice.below(2) == 0 { 1 } else { same });
                write(stage, session, part, now);
                if dice.below(4) == 0 {
                    // Idempotent.
                    write(stage, 0, part, now);
                }
                rest = later;
            }
            compare(stage, part, &puts);
        }
    }
}

struct Dice {
    history: u64,
    next: u64,
}

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.next += 1;
        below(draw(3, Stream::Sample, &[self.history, self.next]), n)
    }

    fn timestamp(&mut self) -> i64 {
        [i64::MIN + 1, -7, 0, 1, 2, i64::MAX][usize::try_from(self.below(6)).unwrap()]
    }

    fn cells(&mut self, table: &Table, columns: &[ColumnId]) -> Cells {
        let mut cells = Cells::new();
        for id in columns {
            if self.below(2) == 0 || (cells.is_empty() && *id == columns[columns.len() - 1]) {
                let domain = table.domain(*id);
                let value = match self.below(4) {
                    0 => None,
                    1 if !domain.specials().is_empty() => {
                        let n = domain.specials().len() as u64;
                        Some(domain.specials()[usize::try_from(self.below(n)).unwrap()])
                    }
                    // Minus zero and zero are neighbours where there are both.
                    2 if domain.special("zero").is_some() => {
                        Some(domain.special("zero").unwrap() - self.below(2))
                    }
                    _ => Some(self.below(2)),
                };
                cells.push((*id, value));
            }
        }
        cells
    }

    fn op(&mut self, table: &Table, part: Part) -> Op {
        let regular: Vec<ColumnId> = table.regular.iter().map(|c| c.id).collect();
        let shared: Vec<ColumnId> = table.shared.iter().map(|c| c.id).collect();
        let row = [0, 1, 8, 9, 10][usize::try_from(self.below(5)).unwrap()];
        match self.below(12) {
            0..=2 => Op::Upsert {
                part,
                row,
                cells: self.cells(table, &regular),
            },
            3 => Op::Upsert {
                part,
                row,
                cells: Cells::new(),
            },
            4 | 5 => Op::Update {
                part,
                row,
                cells: self.cells(table, &regular),
            },
            6 | 7 => Op::Shared {
                part,
                cells: self.cells(table, &shared),
            },
            8 => Op::DeleteCells {
                part,
                row,
                columns: vec![ColumnId(4), ColumnId(8)],
            },
            9 => Op::DeleteRow { part, row },
            10 if self.below(3) == 0 => Op::DeletePartition { part },
            _ => Op::DeleteSlice {
                part,
                slice: self.slice(table),
            },
        }
    }

    fn slice(&mut self, table: &Table) -> Slice {
        let universe = table.rows();
        let depth = usize::try_from(self.below(2)).unwrap();
        let at = [0, 9][usize::try_from(self.below(2)).unwrap()];
        let prefix: Vec<u32> = (0..depth).map(|j| universe.digit(at, j)).collect();
        let radix = u64::from(universe.radix(depth));
        let mut bound =
            || (self.below(4) > 0).then(|| (u32::try_from(self.below(radix)).unwrap(), self.below(2) == 0));
        let (lower, upper) = (bound(), bound());
        if depth == 0 && lower.is_none() && upper.is_none() {
            return Slice {
                prefix,
                lower: Some((0, true)),
                upper,
            };
        }
        Slice { prefix, lower, upper }
    }
}

fn moved(op: &Op, to: Part) -> Op {
    let mut op = op.clone();
    match &mut op {
        Op::Insert { part, .. }
        | Op::Upsert { part, .. }
        | Op::Update { part, .. }
        | Op::Shared { part, .. }
        | Op::DeleteRow { part, .. }
        | Op::DeleteCells { part, .. }
        | Op::DeleteSlice { part, .. }
        | Op::DeletePartition { part } => *part = to,
    }
    op
}

fn visit(part: Part, steps: Vec<Step>, timestamp: i64, end: End) -> Visit {
    Visit {
        lts: Lts(1),
        level: Level::Serializable,
        writes: vec![part],
        steps,
        end,
        stamp: Some(Stamp {
            timestamp,
            ttl: None,
            consistency: Consistency::Quorum,
            node: 0,
        }),
    }
}

fn write(stage: &mut Stage, session: usize, part: Part, puts: &[Put]) {
    let steps: Vec<Step> = puts.iter().map(|(_, op)| Step::Write(op.clone())).collect();
    let end = match puts {
        [_] => End::Autocommit,
        _ => End::Batch { logged: false },
    };
    let played = stage.play(session, &visit(part, steps, puts[0].0, end));
    assert_eq!(
        played.outcome,
        Outcome::Committed,
        "{puts:?}\n{:?}",
        played.answers
    );
}

/// Reads the partition in every way that shows all of it, and compares with the list of writes.
fn compare(stage: &mut Stage, part: Part, puts: &[Put]) {
    let schema = std::sync::Arc::clone(&stage.schema);
    let table = schema.table(part.table);
    let expected = Expected::of(table, part, puts);
    for from in [From::Table, From::LeftJoin, From::Shared] {
        let actual = read(stage, table, part, from);
        let expected = expected.rows(table, part, from);
        if actual != expected {
            let show = |rows: &[Vec<u8>]| {
                let lines: Vec<String> = rows.iter().map(|r| format!("{:?}", decoded(r))).collect();
                lines.join("\n")
            };
            let writes: Vec<String> = puts.iter().map(|(at, op)| format!("{at}: {op}")).collect();
            panic!(
                "{from:?} of {part} after\n{}\nanswered\n{}\nexpected\n{}",
                writes.join("\n"),
                show(&actual),
                show(&expected)
            );
        }
    }
}

fn columns(table: &Table, from: From) -> Vec<ColumnId> {
    let keys = table.partition.iter().map(|k| k.column.id);
    let rows = table.clustering.iter().map(|k| k.column.id);
    let regular = table.regular.iter().map(|c| c.id);
    let shared = table.shared.iter().map(|c| c.id);
    match from {
        From::Table => keys.chain(rows).chain(regular).collect(),
        From::Shared => keys.chain(shared).collect(),
        From::InnerJoin | From::LeftJoin => keys.chain(rows).chain(regular).chain(shared).collect(),
    }
}

/// The answer to a read of everything in the order of the table, with timestamps.
fn read(stage: &mut Stage, table: &Table, part: Part, from: From) -> Vec<Vec<u8>> {
    let order = match from {
        From::Shared => Vec::new(),
        _ => {
            let keys = table.clustering.iter();
            keys.map(|k| (k.column.id, k.order)).collect()
        }
    };
    let query = Query {
        table: part.table,
        from,
        parts: Parts::One(part.position),
        rows: RowChoice::All,
        filter: Vec::new(),
        select: Select::Columns(columns(table, from)),
        order,
        limit: None,
        offset: 0,
        extras: Extras {
            stamps: true,
            ..Extras::default()
        },
    };
    let read = visit(part, vec![Step::Read(query)], 0, End::Autocommit);
    match stage.play(0, &read).answers.as_slice() {
        [Answer::Rows(rows)] => rows.iter().map(<[u8]>::to_vec).collect(),
        other => panic!("{other:?}"),
    }
}

fn decoded(mut row: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    while !row.is_empty() {
        out.push(Value::decode(&mut row).unwrap().to_string());
    }
    out
}

/// What is alive of a cell.
type Alive = Option<(i64, u64)>;

/// A partition as a list of writes says it is.
struct Expected {
    rows: BTreeMap<u64, Vec<Alive>>,
    shared: Vec<Alive>,
}

impl Expected {
    fn of(table: &Table, part: Part, puts: &[Put]) -> Self {
        let puts: Vec<&Put> = puts.iter().filter(|(_, op)| op.part() == part).collect();
        let named: BTreeSet<u64> = puts.iter().filter_map(|(_, op)| op.row()).collect();
        let mut rows = BTreeMap::new();
        for row in named {
            let dead = puts.iter().filter(|(_, op)| match op {
                Op::DeletePartition { .. } => true,
                Op::DeleteRow { row: gone, .. } => *gone == row,
                Op::DeleteSlice { slice, .. } => table.rows().range(slice).contains(&row),
                _ => false,
            });
            let dead = dead.map(|(at, _)| *at).max();
            let cells: Vec<Alive> = table
                .regular
                .iter()
                .map(|c| {
                    let written = puts.iter().filter_map(|(at, op)| match op {
                        Op::Upsert { row: r, cells, .. } | Op::Update { row: r, cells, .. } if *r == row => {
                            let (_, value) = cells.iter().find(|(id, _)| *id == c.id)?;
                            Some((*at, *value))
                        }
                        Op::DeleteCells { row: r, columns, .. } if *r == row && columns.contains(&c.id) => {
                            Some((*at, None))
                        }
                        _ => None,
                    });
                    alive(written, dead)
                })
                .collect();
            let lively = puts
                .iter()
                .any(|(at, op)| matches!(op, Op::Upsert { row: r, .. } if *r == row) && Some(*at) > dead);
            if lively || cells.iter().any(Option::is_some) {
                rows.insert(row, cells);
            }
        }
        let gone = puts
            .iter()
            .filter(|(_, op)| matches!(op, Op::DeletePartition { .. }));
        let gone = gone.map(|(at, _)| *at).max();
        let shared = table.shared.iter().map(|c| {
            let written = puts.iter().filter_map(|(at, op)| match op {
                Op::Shared { cells, .. } => {
                    let (_, value) = cells.iter().find(|(id, _)| *id == c.id)?;
                    Some((*at, *value))
                }
                _ => None,
            });
            alive(written, gone)
        });
        Self {
            shared: shared.collect(),
            rows,
        }
    }

    /// The rows of an answer, in canonical bytes.
    fn rows(&self, table: &Table, part: Part, from: From) -> Vec<Vec<u8>> {
        let statics = self.shared.iter().any(Option::is_some);
        let none = vec![None; table.regular.len()];
        let mut chosen: Vec<(Option<u64>, &[Alive])> = match from {
            From::Shared => Vec::new(),
            _ => self
                .rows
                .iter()
                .map(|(row, cells)| (Some(*row), cells.as_slice()))
                .collect(),
        };
        match from {
            From::Shared if statics || !self.rows.is_empty() => chosen.push((None, &[])),
            From::LeftJoin if statics && self.rows.is_empty() => chosen.push((None, &none)),
            _ => {}
        }
        let shared: &[Alive] = if from == From::Table { &[] } else { &self.shared };
        let row = |(row, cells): (Option<u64>, &[Alive])| {
            let mut bytes = Vec::new();
            table.partitions().inflate_into(part.position, &mut bytes);
            match row {
                Some(row) => table.rows().inflate_into(row, &mut bytes),
                None if from == From::Shared => {}
                None => (0..table.clustering.len()).for_each(|_| Value::Null.encode(&mut bytes)),
            }
            let regular = table.regular.iter().map(|c| c.id).zip(cells);
            let shared = table.shared.iter().map(|c| c.id).zip(shared);
            for (id, cell) in regular.chain(shared) {
                match cell {
                    Some((_, value)) => table.domain(id).inflate_into(*value, &mut bytes),
                    None => Value::Null.encode(&mut bytes),
                }
            }
            for cell in cells.iter().chain(if from == From::Table {
                &[]
            } else {
                self.shared.as_slice()
            }) {
                match cell {
                    Some((at, _)) => Value::Int(*at).encode(&mut bytes),
                    None => Value::Null.encode(&mut bytes),
                }
            }
            bytes
        };
        chosen.into_iter().map(row).collect()
    }
}

/// The value of the greatest timestamp, a deletion before any value, then the greater value; nothing where that is a deletion
/// or not above the tombstones.
fn alive(written: impl Iterator<Item = (i64, Option<u64>)>, dead: Option<i64>) -> Alive {
    let (at, value) = written.max_by_key(|(at, value)| (*at, value.is_none(), *value))?;
    value.filter(|_| Some(at) > dead).map(|value| (at, value))
}

fn what_is_not_offered_is_refused(stage: &mut Stage) {
    let part = Part {
        table: 0,
        position: 20_000,
    };
    let upsert = Op::Upsert {
        part,
        row: 1,
        cells: Cells::new(),
    };
    let mut with_ttl = visit(part, vec![Step::Write(upsert)], 1, End::Autocommit);
    with_ttl.stamp.as_mut().unwrap().ttl = Some(9);
    let insert = Op::Insert {
        part,
        row: 1,
        cells: Cells::new(),
        strict: false,
    };
    let insert = visit(part, vec![Step::Write(insert)], 1, End::Autocommit);
    for visit in [with_ttl, insert] {
        let request = Request::stamped(&visit).unwrap();
        let answer = stage.ask(0, (1, 0), &request);
        assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    }
    compare(stage, part, &[]);
    assert!(
        stage
            .target
            .left_out()
            .iter()
            .any(|words| words.contains("time to live"))
    );
    assert_eq!(stage.target.semantics().ties, history::Ties::Greatest);
}
