//! What every target must do under discipline `lww`, against a brute force that keeps a list of writes and scans it.
//!
//! Invariant: the expectation uses nothing of a target, of the reference or of the judge.

use super::stage::Stage;
use super::tables::two_tables;
use crate::target::{Maintenance, OpenOptions, Request, Target};
use datagen::schema::{ColumnId, Schema, SizeClass, Table};
use datagen::stream::{Stream, below, draw};
use datagen::universe::Slice;
use datagen::value::{Order, Value};
use history::{
    Aggregate, Answer, Cells, Condition, Consistency, Discipline, End, Extras, From, Level, Lts, Op, Outcome,
    Part, Parts, Predicate, Query, Relation, RowChoice, Select, Stamp, Step, Visit,
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
    reads_answer_like_the_reference(&mut stage);
    what_is_not_offered_is_refused(&mut stage);
    maintenance_changes_nothing(&mut stage);
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
const READS: u64 = 15_000;

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

/// Drawn reads over a few partitions, on the target and on the reference.
fn reads_answer_like_the_reference(stage: &mut Stage) {
    let schema = Schema::clone(&stage.schema);
    let options = OpenOptions {
        discipline: Discipline::Lww,
        ..OpenOptions::new("", "lww")
    };
    let mut reference = Stage::new("reference:", &options, |_| schema);
    let table = stage.schema.table(0).clone();
    let part = |n: u64| Part {
        table: 0,
        position: READS + n,
    };
    let mut dice = Dice {
        history: 1_000,
        next: 0,
    };
    // The last one has nothing but shared cells, the one before it nothing at all.
    let statics: Cells = [(ColumnId(21), Some(4))].into_iter().collect();
    let alone = (
        1,
        Op::Shared {
            part: part(5),
            cells: statics,
        },
    );
    let drawn = (0..160).map(|n| (dice.timestamp(), dice.op(&table, part(n % 4))));
    let puts: Vec<Put> = drawn.chain([alone]).collect();
    for put in &puts {
        for stage in [&mut *stage, &mut reference] {
            write(stage, 0, put.1.part(), std::slice::from_ref(put));
        }
    }
    let mut rows = 0;
    for n in 0..400 {
        let mut dice = Dice {
            history: 2_000 + n,
            next: 0,
        };
        let query = dice.query(&table);
        let sorted = !query.order.is_empty();
        let asked = |stage: &mut Stage| -> Vec<Vec<u8>> {
            let read = visit(part(0), vec![Step::Read(query.clone())], 0, End::Autocommit);
            match stage.play(0, &read).answers.as_slice() {
                [Answer::Rows(rows)] => {
                    let mut all: Vec<Vec<u8>> = rows.iter().map(<[u8]>::to_vec).collect();
                    if !sorted {
                        all.sort();
                    }
                    all
                }
                other => panic!("{query}: {other:?}"),
            }
        };
        let (here, there) = (asked(stage), asked(&mut reference));
        rows += here.len();
        if here != there {
            let show = |rows: &[Vec<u8>]| {
                let lines: Vec<String> = rows.iter().map(|r| format!("{:?}", decoded(r))).collect();
                lines.join("\n")
            };
            let step = Step::Read(query.clone());
            let read = visit(part(0), vec![step], 0, End::Autocommit);
            let text = stage
                .target
                .text(&stage.schema, &Request::stamped(&read).unwrap());
            panic!("{query}\n{text:?}\n{}\nreference\n{}", show(&here), show(&there));
        }
    }
    assert!(rows > 400, "{rows} rows prove little");
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

    fn some(&mut self, ids: Vec<ColumnId>) -> Vec<ColumnId> {
        let mut some: Vec<ColumnId> = ids.iter().copied().filter(|_| self.below(2) == 0).collect();
        if some.is_empty() {
            some.push(ids[0]);
        }
        some
    }

    /// What CQL can say, too.
    fn query(&mut self, table: &Table) -> Query {
        let keys = table
            .partition
            .iter()
            .chain(&table.clustering)
            .map(|k| k.column.id);
        let regular: Vec<ColumnId> = table.regular.iter().map(|c| c.id).collect();
        let shared = table.shared.iter().map(|c| c.id);
        let one = self.below(3) > 0;
        let parts = if one {
            Parts::One(READS + self.below(6))
        } else {
            let from = self.below(4);
            Parts::In((from..=from + self.below(3)).map(|n| READS + n).collect())
        };
        let rows = match self.below(6) {
            0 => RowChoice::One([0, 1, 8, 9, 10][usize::try_from(self.below(5)).unwrap()]),
            1 => RowChoice::In(vec![0, 9, 10]),
            2 => RowChoice::Slice(self.slice(table)),
            _ => RowChoice::All,
        };
        let mut filter = Vec::new();
        if self.below(4) == 0 {
            let column = regular[usize::try_from(self.below(5)).unwrap()];
            let relations = [
                Relation::Eq,
                Relation::Lt,
                Relation::Le,
                Relation::Gt,
                Relation::Ge,
            ];
            filter.push(Predicate {
                column,
                relation: relations[usize::try_from(self.below(5)).unwrap()],
                value: self.below(2),
            });
        }
        let (mut order, mut limit, mut extras) = (Vec::new(), None, Extras::default());
        let select = if one && self.below(5) == 0 {
            let sharp = |id: &ColumnId| table.column(*id).limits.identity;
            let id = regular.iter().copied().find(sharp).unwrap();
            let mut all = vec![
                Aggregate::CountRows,
                Aggregate::Count(regular[0]),
                Aggregate::Min(id),
                Aggregate::Max(id),
            ];
            if self.below(2) == 0 {
                all.push(Aggregate::Count(table.shared[1].id));
            }
            Select::Aggregates(all)
        } else {
            extras.stamps = self.below(2) == 0;
            extras.per_partition = (self.below(3) == 0).then(|| u32::try_from(1 + self.below(3)).unwrap());
            if one && self.below(2) == 0 {
                let turned = self.below(2) == 0;
                let by = table.clustering.iter().map(|k| {
                    let order = match (k.order, turned) {
                        (Order::Asc, false) | (Order::Desc, true) => Order::Asc,
                        _ => Order::Desc,
                    };
                    (k.column.id, order)
                });
                order = by.collect();
                limit = (self.below(2) == 0).then(|| u32::try_from(1 + self.below(4)).unwrap());
            }
            let columns = keys.chain(regular.clone());
            Select::Columns(if self.below(2) == 0 {
                self.some(columns.collect())
            } else {
                self.some(columns.chain(shared).collect())
            })
        };
        Query {
            table: 0,
            from: From::Table,
            parts,
            rows,
            filter,
            select,
            order,
            limit,
            offset: 0,
            extras,
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
            condition: None,
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
    let keys = table
        .partition
        .iter()
        .chain(&table.clustering)
        .map(|k| k.column.id);
    let keys: Vec<ColumnId> = keys.collect();
    let regular: Vec<ColumnId> = table.regular.iter().map(|c| c.id).collect();
    let shared: Vec<ColumnId> = table.shared.iter().map(|c| c.id).collect();
    let selected = [
        [&keys[..], &regular].concat(),
        [&keys[..], &shared, &regular].concat(),
        [&shared[1..], &keys[2..], &regular[..1]].concat(),
    ];
    for ids in selected {
        let actual = read(stage, table, part, &ids);
        let expected = expected.rows(table, part, &ids);
        if actual != expected {
            let show = |rows: &[Vec<u8>]| {
                let lines: Vec<String> = rows.iter().map(|r| format!("{:?}", decoded(r))).collect();
                lines.join("\n")
            };
            let writes: Vec<String> = puts.iter().map(|(at, op)| format!("{at}: {op}")).collect();
            panic!(
                "{ids:?} of {part} after\n{}\nanswered\n{}\nexpected\n{}",
                writes.join("\n"),
                show(&actual),
                show(&expected)
            );
        }
    }
}

/// The answer to a read of these columns in the order of the table, with timestamps.
fn read(stage: &mut Stage, table: &Table, part: Part, ids: &[ColumnId]) -> Vec<Vec<u8>> {
    let keys = table.clustering.iter();
    let query = Query {
        table: part.table,
        from: From::Table,
        parts: Parts::One(part.position),
        rows: RowChoice::All,
        filter: Vec::new(),
        select: Select::Columns(ids.to_vec()),
        order: keys.map(|k| (k.column.id, k.order)).collect(),
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
    fn rows(&self, table: &Table, part: Part, ids: &[ColumnId]) -> Vec<Vec<u8>> {
        let statics = table.shared.iter().zip(&self.shared);
        let any_static = self.shared.iter().any(Option::is_some);
        let nothing = vec![None; table.regular.len()];
        let mut chosen: Vec<(Option<u64>, &[Alive])> = Vec::new();
        for (row, cells) in &self.rows {
            chosen.push((Some(*row), cells));
        }
        if chosen.is_empty() && any_static {
            chosen.push((None, &nothing));
        }
        let mut out = Vec::new();
        for (row, cells) in chosen {
            let mut bytes = Vec::new();
            let mut stamps = Vec::new();
            for id in ids {
                let partition = table.partition.iter().position(|k| k.column.id == *id);
                let clustering = table.clustering.iter().position(|k| k.column.id == *id);
                if let Some(j) = partition {
                    table
                        .partitions()
                        .inflate_column(part.position, j)
                        .encode(&mut bytes);
                    continue;
                }
                if let Some(j) = clustering {
                    row.map_or(Value::Null, |row| table.rows().inflate_column(row, j))
                        .encode(&mut bytes);
                    continue;
                }
                let regular = table.regular.iter().zip(cells);
                let (_, cell) = regular.chain(statics.clone()).find(|(c, _)| c.id == *id).unwrap();
                match cell {
                    Some((_, value)) => table.domain(*id).inflate_into(*value, &mut bytes),
                    None => Value::Null.encode(&mut bytes),
                }
                stamps.push(cell.map_or(Value::Null, |(at, _)| Value::Int(at)));
            }
            stamps.iter().for_each(|at| at.encode(&mut bytes));
            out.push(bytes);
        }
        out
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
    let mut conditional = with_ttl.clone();
    let stamp = conditional.stamp.as_mut().unwrap();
    (stamp.ttl, stamp.condition) = (None, Some(Condition::NotExists));
    let insert = Op::Insert {
        part,
        row: 1,
        cells: Cells::new(),
        strict: false,
    };
    let insert = visit(part, vec![Step::Write(insert)], 1, End::Autocommit);
    for visit in [with_ttl, conditional, insert] {
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

fn maintenance_changes_nothing(stage: &mut Stage) {
    let part = Part {
        table: 0,
        position: 20_001,
    };
    let puts = [
        (5, kinds_of(part, 2, 0)),
        (6, kinds_of(part, 0, 6)),
        (4, kinds_of(part, 1, 3)),
        (7, kinds_of(part, 0, 8)),
    ];
    for put in &puts {
        write(stage, 0, part, std::slice::from_ref(put));
    }
    let mut all = stage.target.describe().maintains;
    // A restart ends the sessions.
    all.sort_by_key(|what| *what == Maintenance::Restart);
    for what in all {
        stage.target.maintain(what).unwrap();
        if what == Maintenance::Restart {
            while stage.sessions() > 0 {
                stage.drop_session(0);
            }
            stage.connect();
        }
        compare(stage, part, &puts);
    }
}
