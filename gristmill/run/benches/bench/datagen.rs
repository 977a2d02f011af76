//! `datagen`: how fast one thread makes operations, as descriptors and with their values, beside what a load generator
//! written by hand would do for the same rows: draw with `rand`, format with the standard library.

use crate::rounds::{self, Turn, cpu_seconds, interleaved};
use datagen::domain::Limits;
use datagen::schema::{Column, ColumnId, Definition, KeyColumn, Schema, SizeClass};
use datagen::value::{Order, Type};
use history::{Lts, Op, Regenerate, Step};
use std::hint::black_box;
use std::sync::Arc;
use workload::Partitions;
use workload::partitions::{Config, Ends, Popularity, Reads, VisitKind, Writes};

/// Operations of one turn.
const OPS: u64 = 600_000;
const OPS_PER_VISIT: u16 = 5;

/// The table of the reference vectors' `end_to_end`.
pub(crate) fn schema() -> Arc<Schema> {
    let mut next = 0;
    let mut column = |name: &str, ty: Type| {
        let id = ColumnId(next);
        next += 1;
        let limits = Limits {
            nan: false,
            infinities: false,
            nul_bytes: false,
            ..Limits::default()
        };
        Column {
            id,
            name: name.to_owned(),
            ty,
            nullable: true,
            limits,
        }
    };
    let key = |mut column: Column, order: Order| {
        column.nullable = false;
        column.limits.identity = true;
        KeyColumn { column, order }
    };
    let table = Definition {
        name: "tbl".to_owned(),
        size: SizeClass::Wide,
        rows_max: 20,
        partition: vec![
            key(column("pk1", Type::Int64), Order::Asc),
            key(column("pk2", Type::Ascii), Order::Asc),
        ],
        clustering: vec![
            key(column("ck1", Type::Ascii), Order::Asc),
            key(column("ck2", Type::Int64), Order::Desc),
        ],
        shared: vec![column("s1", Type::Int64), column("s2", Type::Int16)],
        regular: vec![
            column("v1", Type::Ascii),
            column("v2", Type::Int64),
            column("v3", Type::Int32),
        ],
        ..Definition::default()
    };
    Arc::new(Schema::new(vec![table]).expect("the reference table is a good one"))
}

/// Five operations a visit, in the proportions of the vectors.
pub(crate) fn writing() -> Config {
    let mut config = Config::named("default").expect("there is a default profile");
    config.writes = Writes {
        insert: 30,
        upsert: 10,
        update_all: 10,
        update_some: 15,
        shared: 20,
        delete_row: 4,
        delete_cells: 6,
        delete_range: 2,
        delete_slice: 2,
        delete_partition: 1,
    };
    config.reads = Reads {
        row: 1,
        ..config.reads
    };
    config.ends = Ends {
        commit: 1,
        rollback: 0,
        savepoint: 0,
        savepoint_kept: 0,
    };
    config.rows.per_partition = 20;
    config.rows.per_visit = OPS_PER_VISIT;
    config.wide = Popularity::Window {
        width: 3,
        repeats: 20,
    };
    config.visits = vec![VisitKind {
        name: "write".to_owned(),
        weight: 1,
        partitions: 1,
        writes: OPS_PER_VISIT,
        reads: 0,
        autocommit: false,
        strict: false,
    }];
    config
}

pub(crate) fn run(rounds: usize) {
    let schema = schema();
    let visits = Partitions::new(writing(), 7, Arc::clone(&schema)).expect("the workload fits the table");
    let count = OPS / u64::from(OPS_PER_VISIT);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let target = targets::open("sqlite:", &targets::OpenOptions::new(folder.path(), "gmbench"))
        .expect("SQLite is inside");
    let turns: Vec<Turn<'_>> = vec![
        (
            "descriptors",
            Box::new(|| per_second(OPS, || descriptors(&visits, count))),
        ),
        (
            "with values",
            Box::new(|| per_second(OPS, || values(&visits, &schema, count))),
        ),
        (
            "with SQL text, as sent",
            Box::new(|| per_second(OPS, || statements(&visits, &schema, target.as_ref(), count))),
        ),
        (
            "by hand: rand and format!",
            Box::new(|| per_second(OPS, || by_hand(OPS))),
        ),
    ];
    let series = interleaved(rounds, turns);
    println!("operations made by one thread, by its CPU time, {OPS} a turn, {rounds} rounds in turn");
    for one in &series {
        rounds::print(one, 1e6, "M/s");
    }
    rounds::goal(&series[0], 8e6, 1e6, "M/s");
    rounds::goal(&series[1], 3e6, 1e6, "M/s");
    rounds::goal(&series[2], 1.5e6, 1e6, "M/s");
    rounds::ratio(&series[1], &series[3], None);
}

/// `cql`: how fast one thread makes operations and writes them as CQL, batches and their timestamps included.
pub(crate) fn cql(rounds: usize) {
    let schema = schema();
    let visits =
        Partitions::new(writing().lww(), 7, Arc::clone(&schema)).expect("the workload fits the table");
    let count = OPS / u64::from(OPS_PER_VISIT);
    let ops: u64 = (1..=count)
        .map(|lts| visits.visit(Lts(lts)).map_or(0, |v| v.steps.len() as u64))
        .sum();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let options = targets::OpenOptions {
        discipline: history::Discipline::Lww,
        ..targets::OpenOptions::new(folder.path(), "gmbench")
    };
    // Nothing is asked of it, so no node starts.
    let target = targets::open("cassandra:local", &options).expect("the URL is a good one");
    let turns: Vec<Turn<'_>> = vec![
        (
            "descriptors",
            Box::new(|| per_second(ops, || descriptors(&visits, count))),
        ),
        (
            "with CQL text, as sent",
            Box::new(|| per_second(ops, || statements(&visits, &schema, target.as_ref(), count))),
        ),
    ];
    let series = interleaved(rounds, turns);
    println!(
        "operations under lww made by one thread, by its CPU time, {ops} a turn, {rounds} rounds in turn"
    );
    for one in &series {
        rounds::print(one, 1e6, "M/s");
    }
    rounds::goal(&series[1], 1.5e6, 1e6, "M/s");
}

pub(crate) fn per_second<T>(units: u64, work: impl FnOnce() -> T) -> f64 {
    units as f64 / cpu_seconds(work)
}

fn descriptors(visits: &Partitions, count: u64) {
    for lts in 1..=count {
        black_box(visits.visit(Lts(lts)));
    }
}

/// Every statement as a session renders it: its text, its values bound, and the digest of both.
fn statements(visits: &Partitions, schema: &Schema, target: &dyn targets::Target, count: u64) {
    let mut renderer = target.renderer(schema);
    for lts in 1..=count {
        let Some(visit) = visits.visit(Lts(lts)) else {
            continue;
        };
        if let Some(request) = targets::Request::stamped(&visit) {
            black_box(renderer.render(&request));
            continue;
        }
        for step in &visit.steps {
            black_box(renderer.render(&targets::Request::Step(step)));
        }
    }
}

/// Every value of every operation in its canonical bytes, key columns too.
fn values(visits: &Partitions, schema: &Schema, count: u64) {
    let mut bytes = Vec::with_capacity(4096);
    for lts in 1..=count {
        let Some(visit) = visits.visit(Lts(lts)) else {
            continue;
        };
        for step in &visit.steps {
            bytes.clear();
            if let Step::Write(op) = step {
                inflate(op, schema, &mut bytes);
            }
            black_box(&bytes);
        }
    }
}

fn inflate(op: &Op, schema: &Schema, bytes: &mut Vec<u8>) {
    let table = schema.table(op.part().table);
    table.partitions().inflate_into(op.part().position, bytes);
    match op {
        Op::Insert { row, cells, .. } | Op::Upsert { row, cells, .. } | Op::Update { row, cells, .. } => {
            table.rows().inflate_into(*row, bytes);
            for (column, d) in cells {
                if let Some(d) = d {
                    table.domain(*column).inflate_into(*d, bytes);
                }
            }
        }
        Op::Shared { cells, .. } => {
            for (column, d) in cells {
                if let Some(d) = d {
                    table.domain(*column).inflate_into(*d, bytes);
                }
            }
        }
        Op::DeleteRow { row, .. } | Op::DeleteCells { row, .. } => table.rows().inflate_into(*row, bytes),
        Op::Elements { .. } | Op::Add { .. } | Op::DeleteSlice { .. } | Op::DeletePartition { .. } => {}
    }
}

/// What most load generators do: no way back from a value to who wrote it, no way to make the hundredth without the others.
fn by_hand(count: u64) {
    use rand::{RngExt, SeedableRng};
    use std::fmt::Write;
    let mut rng = rand::rngs::SmallRng::seed_from_u64(7);
    let mut text = String::with_capacity(256);
    for _ in 0..count {
        text.clear();
        let (pk, ck): (u64, u64) = (rng.random(), rng.random());
        let (v1, v2, v3): (u64, i64, i32) = (rng.random(), rng.random(), rng.random());
        write!(text, "{pk}{pk:016x}{ck:016x}{ck}{v1:016x}{v2}{v3}").expect("a string can be written");
        black_box(&text);
    }
}
