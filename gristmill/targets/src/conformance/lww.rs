//! What every target must do under discipline `lww`, against a brute force that keeps a list of writes and scans it.
//!
//! Invariant: the expectation uses nothing of a target, of the reference or of the judge.

mod dice;
mod expected;
mod pairs;

use super::stage::Stage;
use super::tables::two_tables;
use crate::target::{Maintenance, OpenOptions, Request, Target};
use datagen::schema::ColumnId;
use datagen::schema::{Schema, SizeClass};
use dice::Dice;
use expected::{Put, compare, decoded, visit, write};
use history::{Answer, Cells, Condition, Discipline, End, Op, Part, Step};
pub(crate) use pairs::every_pair_of_operations_in_every_order;
use pairs::kinds;

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
    every_pair_of_operations_in_every_order(&mut stage, PAIRS, false);
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
pub(crate) const HISTORIES: u64 = 10_000;
const READS: u64 = 15_000;

/// Drawn histories of few rows and fewer timestamps, alone and in batches, by several sessions; each of a few orders must end
/// in the same partition.
pub(crate) fn small_histories_in_any_order(stage: &mut Stage) {
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
            .map(|_| Put::new(dice.timestamp(), dice.op(&table, home)))
            .collect();
        for _ in 0..4 {
            let part = Part { table: 0, position };
            position += 1;
            let mut puts: Vec<Put> = drawn
                .iter()
                .map(|put| Put::new(put.at, moved(&put.op, part)))
                .collect();
            for i in (1..puts.len()).rev() {
                puts.swap(i, usize::try_from(dice.below(i as u64 + 1)).unwrap());
            }
            let mut rest = puts.as_slice();
            while let Some(Put { at, .. }) = rest.first() {
                // A batch has one timestamp.
                let same = rest.iter().take_while(|other| other.at == *at).count();
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
    let alone = Put::new(
        1,
        Op::Shared {
            part: part(5),
            cells: statics,
        },
    );
    let drawn = (0..160).map(|n| Put::new(dice.timestamp(), dice.op(&table, part(n % 4))));
    let puts: Vec<Put> = drawn.chain([alone]).collect();
    for put in &puts {
        for stage in [&mut *stage, &mut reference] {
            write(stage, 0, put.op.part(), std::slice::from_ref(put));
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

fn moved(op: &Op, to: Part) -> Op {
    let mut op = op.clone();
    match &mut op {
        Op::Insert { part, .. }
        | Op::Upsert { part, .. }
        | Op::Update { part, .. }
        | Op::Shared { part, .. }
        | Op::DeleteRow { part, .. }
        | Op::DeleteCells { part, .. }
        | Op::Elements { part, .. }
        | Op::Add { part, .. }
        | Op::DeleteSlice { part, .. }
        | Op::DeletePartition { part } => *part = to,
    }
    op
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
    let offers = stage.target.describe().conditional;
    let conditional = Some(conditional).filter(|_| !offers);
    for visit in [with_ttl, insert].into_iter().chain(conditional) {
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
    let put = |at, variant, which: usize| Put::new(at, kinds(part, variant, false).swap_remove(which).op);
    let puts = [put(5, 2, 0), put(6, 0, 6), put(4, 1, 3), put(7, 0, 8)];
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
