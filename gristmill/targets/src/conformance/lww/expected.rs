//! A brute force: a partition as a list of writes says it is, by scanning the list for each cell.
//!
//! Invariant: nothing of a target, of the reference or of the judge is used.

use crate::conformance::stage::Stage;
use datagen::schema::{ColumnId, Table};
use datagen::value::Value;
use history::{
    Answer, Consistency, End, Extras, From, Level, Lts, Op, Outcome, Part, Parts, Query, RowChoice, Select,
    Stamp, Step, Ties, Visit,
};
use std::collections::{BTreeMap, BTreeSet};

/// A write, with its timestamp and, where it does not stay, the seconds that it lives.
#[derive(Debug, Clone)]
pub(super) struct Put {
    pub(super) at: i64,
    pub(super) ttl: Option<u32>,
    pub(super) op: Op,
}

impl Put {
    pub(super) fn new(at: i64, op: Op) -> Self {
        Self { at, ttl: None, op }
    }
}

pub(super) fn visit(part: Part, steps: Vec<Step>, timestamp: i64, end: End) -> Visit {
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

/// Writes as one statement, or as one batch, which has one timestamp and one time to live.
pub(super) fn write(stage: &mut Stage, session: usize, part: Part, puts: &[Put]) {
    let steps: Vec<Step> = puts.iter().map(|put| Step::Write(put.op.clone())).collect();
    let end = match puts {
        [_] => End::Autocommit,
        _ => End::Batch { logged: false },
    };
    let mut visit = visit(part, steps, puts[0].at, end);
    visit.stamp.as_mut().expect("it has one").ttl = puts[0].ttl;
    let played = stage.play(session, &visit);
    assert_eq!(
        played.outcome,
        Outcome::Committed,
        "{puts:?}\n{:?}",
        played.answers
    );
}

/// Reads the partition in every way that shows all of it, and compares with the list of writes.
pub(super) fn compare(stage: &mut Stage, part: Part, puts: &[Put]) {
    let table = stage.schema.table(part.table).clone();
    let keys: Vec<ColumnId> = keys(&table).collect();
    let regular: Vec<ColumnId> = table.regular.iter().map(|c| c.id).collect();
    let shared: Vec<ColumnId> = table.shared.iter().map(|c| c.id).collect();
    compare_columns(stage, part, puts, &[&keys[..], &regular].concat());
    compare_whole(stage, part, puts);
    compare_columns(
        stage,
        part,
        puts,
        &[&shared[1..], &keys[2..], &regular[..1]].concat(),
    );
}

/// Reads everything in the partition once, and compares with the list of writes.
pub(super) fn compare_whole(stage: &mut Stage, part: Part, puts: &[Put]) {
    let table = stage.schema.table(part.table).clone();
    let cells = table.shared.iter().chain(&table.regular).map(|c| c.id);
    let all: Vec<ColumnId> = keys(&table).chain(cells).collect();
    compare_columns(stage, part, puts, &all);
}

fn keys(table: &Table) -> impl Iterator<Item = ColumnId> {
    table
        .partition
        .iter()
        .chain(&table.clustering)
        .map(|k| k.column.id)
}

fn compare_columns(stage: &mut Stage, part: Part, puts: &[Put], ids: &[ColumnId]) {
    let schema = std::sync::Arc::clone(&stage.schema);
    let table = schema.table(part.table);
    let actual = read(stage, table, part, ids);
    let ties = stage.target.semantics().ties;
    let expected = Expected::of(table, part, puts, ties).rows(table, part, ids);
    if actual != expected {
        let show = |rows: &[Vec<u8>]| {
            let lines: Vec<String> = rows.iter().map(|r| format!("{:?}", decoded(r))).collect();
            lines.join("\n")
        };
        let said = |put: &Put| match put.ttl {
            None => format!("{}: {}", put.at, put.op),
            Some(ttl) => format!("{} ttl {ttl}: {}", put.at, put.op),
        };
        let writes: Vec<String> = puts.iter().map(said).collect();
        panic!(
            "{ids:?} of {part} after\n{}\nanswered\n{}\nexpected\n{}",
            writes.join("\n"),
            show(&actual),
            show(&expected)
        );
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

pub(super) fn decoded(mut row: &[u8]) -> Vec<String> {
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
    fn of(table: &Table, part: Part, puts: &[Put], ties: Ties) -> Self {
        let puts: Vec<&Put> = puts.iter().filter(|put| put.op.part() == part).collect();
        let named: BTreeSet<u64> = puts.iter().filter_map(|put| put.op.row()).collect();
        let mut rows = BTreeMap::new();
        for row in named {
            let dead = puts.iter().filter(|put| match &put.op {
                Op::DeletePartition { .. } => true,
                Op::DeleteRow { row: gone, .. } => *gone == row,
                Op::DeleteSlice { slice, .. } => table.rows().range(slice).contains(&row),
                _ => false,
            });
            let dead = dead.map(|put| put.at).max();
            let cells: Vec<Alive> = table
                .regular
                .iter()
                .map(|c| {
                    let written = puts.iter().filter_map(|put| match &put.op {
                        Op::Upsert { row: r, cells, .. } | Op::Update { row: r, cells, .. } if *r == row => {
                            let (_, value) = cells.iter().find(|(id, _)| *id == c.id)?;
                            Some((*put, *value))
                        }
                        Op::DeleteCells { row: r, columns, .. } if *r == row && columns.contains(&c.id) => {
                            Some((*put, None))
                        }
                        _ => None,
                    });
                    alive(table, c.id, ties, written, dead)
                })
                .collect();
            let lively = puts
                .iter()
                .any(|put| matches!(put.op, Op::Upsert { row: r, .. } if r == row) && Some(put.at) > dead);
            if lively || cells.iter().any(Option::is_some) {
                rows.insert(row, cells);
            }
        }
        let gone = puts
            .iter()
            .filter(|put| matches!(put.op, Op::DeletePartition { .. }));
        let gone = gone.map(|put| put.at).max();
        let shared = table.shared.iter().map(|c| {
            let written = puts.iter().filter_map(|put| match &put.op {
                Op::Shared { cells, .. } => {
                    let (_, value) = cells.iter().find(|(id, _)| *id == c.id)?;
                    Some((*put, *value))
                }
                _ => None,
            });
            alive(table, c.id, ties, written, gone)
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

/// The value of the greatest timestamp; at one timestamp a deletion before any value, what expires before what stays, what
/// expires later before what expires sooner, then the greater value. Nothing where that is a deletion or not above the tombstones.
fn alive<'p>(
    table: &Table,
    column: ColumnId,
    ties: Ties,
    written: impl Iterator<Item = (&'p Put, Option<u64>)>,
    dead: Option<i64>,
) -> Alive {
    let worth = |value: u64| match ties {
        Ties::Greatest => value.to_be_bytes().to_vec(),
        Ties::GreatestBytes => serialized(&table.domain(column).inflate(value)),
    };
    let (put, value) =
        written.max_by_key(|(put, value)| (put.at, value.is_none(), put.ttl, value.map(worth)))?;
    value.filter(|_| Some(put.at) > dead).map(|value| (put.at, value))
}

/// A value as a cell of Cassandra holds it (native protocol, "Data Type Serialization Formats"); only of the types of the
/// suite's tables.
fn serialized(value: &Value) -> Vec<u8> {
    match value {
        Value::Bool(b) => vec![u8::from(*b)],
        // As wide as the widest integer: all of one column have one width, and the sign fills the rest.
        Value::Int(n) => n.to_be_bytes().to_vec(),
        Value::Timestamp(micros) => (micros / 1000).to_be_bytes().to_vec(),
        Value::Float64(x) => x.to_bits().to_be_bytes().to_vec(),
        Value::Numeric(unscaled, scale) => {
            let all = unscaled.to_be_bytes();
            // The least number of bytes whose first bit is the sign.
            let least = (1..=16).find(|n| {
                let kept = &all[16 - n..];
                let fill = if kept[0] & 0x80 == 0 { 0 } else { 0xff };
                all[..16 - n].iter().all(|byte| *byte == fill)
            });
            let mut bytes = i32::from(*scale).to_be_bytes().to_vec();
            bytes.extend_from_slice(&all[16 - least.expect("sixteen are enough")..]);
            bytes
        }
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::Uuid(bytes) => bytes.to_vec(),
        other => panic!("{other} is in no table of the suite"),
    }
}
