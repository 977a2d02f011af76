//! What every target must do, in one order: types, answers, transactions, and then anything at all against the reference.

use super::differential;
use super::stage::Stage;
use super::tables::{every_type, offered, two_tables};
use crate::target::{Gone, OpenOptions};
use datagen::schema::ColumnId;
use datagen::stream::{Stream, below, draw};
use datagen::value::{Order, Value};
use expect_test::expect;
use history::{Answer, End, From, Level, Lts, Nulls, Op, Part, Parts, Query, RowChoice, Select, Step, Visit};

/// Runs the whole suite. `options(n)` gives options for the n-th database of its own.
pub(crate) fn everything(url: &str, options: &dyn Fn(u32) -> OpenOptions) {
    let mut stage = Stage::new(url, &options(1), every_type);
    types_keep_values_and_order(&mut stage);
    clean(stage);
    let mut stage = Stage::new(url, &options(2), two_tables);
    answers_are_what_sql_says(&mut stage);
    nulls_stand_where_the_semantics_say(&mut stage);
    a_replayed_request_is_the_same_request(&mut stage);
    a_session_that_ended_is_gone(&mut stage);
    clean(stage);
    for seed in 0..4 {
        let mut stage = Stage::new(url, &options(3 + seed), two_tables);
        differential::like_the_reference(&mut stage, u64::from(seed), 300);
        clean(stage);
    }
}

/// The part of the suite for another way to the same engine.
pub(crate) fn essentials(url: &str, options: &OpenOptions) {
    let mut stage = Stage::new(url, options, two_tables);
    answers_are_what_sql_says(&mut stage);
    nulls_stand_where_the_semantics_say(&mut stage);
    a_session_that_ended_is_gone(&mut stage);
    clean(stage);
}

/// Removes what was made, and sees that it can be made again.
fn clean(stage: Stage) {
    let Stage { target, schema, .. } = stage;
    let removed = target.cleanup().unwrap();
    let description = target.describe();
    if !removed.is_empty() {
        target.prepare(&schema).unwrap();
        assert_eq!(target.cleanup().unwrap(), removed);
    } else {
        assert!(description.embedded, "a server is left as it was found");
    }
}

fn visit(lts: u64, steps: Vec<Step>) -> Visit {
    Visit {
        stamp: None,
        lts: Lts(lts),
        level: Level::Serializable,
        writes: Vec::new(),
        steps,
        end: End::Autocommit,
    }
}

/// Ascending descriptors come back ascending, in both directions of key and ORDER BY, and every value as it was sent.
fn types_keep_values_and_order(stage: &mut Stage) {
    let types = offered(&*stage.target);
    for number in 0..types.len() * 2 {
        let table = u16::try_from(number).unwrap();
        let schema = std::sync::Arc::clone(&stage.schema);
        let definition = schema.table(table);
        let ty = types[number / 2];
        let part = Part { table, position: 1 };
        let rows = definition.rows().len();
        let (loose, strict) = (definition.domain(ColumnId(2)), definition.domain(ColumnId(3)));
        let descriptors = |domain: &datagen::domain::Domain, stream: u64| -> Vec<u64> {
            let mut all = domain.specials().to_vec();
            let last = u64::try_from(domain.size() - 1).unwrap();
            all.extend([0, last]);
            all.extend((0..40).map(|i| {
                let bits = draw(9, Stream::Sample, &[u64::from(table), stream, i]);
                if last == u64::MAX {
                    bits
                } else {
                    below(bits, last + 1)
                }
            }));
            all
        };
        let (v0, v1) = (descriptors(loose, 0), descriptors(strict, 1));
        let mut cells = Vec::new();
        let count = rows.min(u64::try_from(v0.len().max(v1.len())).unwrap());
        for row in 0..rows {
            let i = usize::try_from(row).unwrap();
            let pick = |list: &[u64]| {
                if row < count {
                    Some(list[i % list.len()])
                } else {
                    None
                }
            };
            cells.push((pick(&v0), pick(&v1)));
        }
        // More values than rows: several rounds over the same rows.
        let rounds = v0.len().max(v1.len()).div_ceil(usize::try_from(rows).unwrap());
        for round in 0..rounds {
            for row in (0..rows).rev() {
                let i = usize::try_from(row).unwrap();
                let at = round * usize::try_from(rows).unwrap() + i;
                cells[i] = (v0.get(at).copied(), v1.get(at).copied());
                let cells = vec![(ColumnId(2), cells[i].0), (ColumnId(3), cells[i].1)];
                let step = Step::Write(Op::Upsert {
                    part,
                    row,
                    cells: cells.into(),
                });
                let played = stage.play(0, &visit(1, vec![step]));
                assert_eq!(played.answers, [Answer::Affected(1)], "{ty} row {row}");
            }
            for (column, order) in [
                (1, Order::Asc),
                (1, Order::Desc),
                (3, Order::Asc),
                (3, Order::Desc),
            ] {
                sorted(stage, part, ColumnId(column), order, &cells);
            }
        }
    }
}

/// Reads the partition sorted by a column, and compares with what descriptors say.
fn sorted(stage: &mut Stage, part: Part, by: ColumnId, order: Order, cells: &[(Option<u64>, Option<u64>)]) {
    let schema = std::sync::Arc::clone(&stage.schema);
    let table = schema.table(part.table);
    let universe = table.rows();
    let ids = [ColumnId(1), ColumnId(2), ColumnId(3)];
    let query = Query {
        extras: history::Extras::default(),
        table: part.table,
        from: From::Table,
        parts: Parts::One(part.position),
        rows: RowChoice::All,
        filter: Vec::new(),
        select: Select::Columns(ids.to_vec()),
        order: vec![(by, order), (ColumnId(1), Order::Asc)],
        limit: None,
        offset: 0,
    };
    let played = stage.play(0, &visit(2, vec![Step::Read(query)]));
    let Answer::Rows(rows) = &played.answers[0] else {
        panic!("{:?}", played.answers)
    };
    let mut expected: Vec<(Vec<u8>, u64, Option<u64>)> = Vec::new();
    for (row, (v0, v1)) in (0..).zip(cells) {
        let mut bytes = Vec::new();
        universe.inflate_into(row, &mut bytes);
        for (id, d) in [(ColumnId(2), v0), (ColumnId(3), v1)] {
            match d {
                Some(d) => table.domain(id).inflate_into(*d, &mut bytes),
                None => Value::Null.encode(&mut bytes),
            }
        }
        // Positions of a descending key run against the values.
        let by_value = if universe.order(0) == Order::Desc {
            universe.len() - 1 - row
        } else {
            row
        };
        expected.push((bytes, by_value, *v1));
    }
    let nulls_first = stage.target.semantics().nulls == Nulls::First;
    expected.sort_by(|a, b| {
        let key = |e: &(Vec<u8>, u64, Option<u64>)| match by {
            ColumnId(1) => (1, e.1),
            _ => e.2.map_or((if nulls_first { 0 } else { 2 }, 0), |d| (1, d)),
        };
        order.apply(key(a).cmp(&key(b))).then(a.1.cmp(&b.1))
    });
    let expected: Vec<&[u8]> = expected.iter().map(|e| e.0.as_slice()).collect();
    let actual: Vec<&[u8]> = rows.iter().collect();
    if expected != actual {
        let show = |rows: &[&[u8]]| {
            let lines: Vec<String> = rows.iter().map(|r| format!("{:?}", decoded(r))).collect();
            lines.join("\n")
        };
        panic!(
            "{} sorted by {by:?} {order:?}:\n{}\nexpected\n{}",
            table.name,
            show(&actual),
            show(&expected)
        );
    }
}

fn decoded(mut row: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    while !row.is_empty() {
        out.push(Value::decode(&mut row).unwrap().to_string());
    }
    out
}

/// Counts, refusals, savepoints, rollbacks: the same on every database.
fn answers_are_what_sql_says(stage: &mut Stage) {
    let out = stage.script(
        "1: insert t0/0/3 c4=100 c5=null | auto
         2: insert t0/0/3 c4=101 | auto
         3: insert! t0/0/3 c4=102 | auto
         4: read t0/0/3 select c4 | auto
         5: upsert t0/0/3 c4=103 | auto
         6: upsert t0/0/4 c4=104 | auto
         7: update t0/0/4 c4=105 | auto
         8: update t0/0/9 c4=106 | auto
         9: read t0/0 select c4 order c2,c3 | auto
         10: delete t0/0/4 c4 | auto
         11: shared t0/0 c21=7 | auto
         12: shared t0/0 c21=8 | auto
         13: insert t0/0/5 c4=1; savepoint 1; insert t0/0/6 c4=2; rollback to 1; insert t0/0/7 c4=3 | commit
         14: read t0/0 select c4 order c2,c3 | auto
         15: delete t0/0/5; delete t0/0/5; update t0/0/3 c4=9 | rollback
         16: read t0/0 select c4 order c2,c3 | auto
         17: insert! t0/0/3 c4=1 | commit
         18: read t0/0 join select c21,c4 order c2,c3 limit 2 | auto
         19: delete t0/0 | commit
         20: read t0/0 select c4 | auto
         21: read t0/0 aggregate count,sum:c4,min:c6,max:c10 | auto
         22: delete t0/0/3 | auto",
    );
    expect![[r#"
        1: affected 1 -> Committed
        2: affected 0 -> Committed
        3: refused duplicate -> Rejected
        4: rows (-32668) -> Committed
        5: affected 1 -> Committed
        6: affected 1 -> Committed
        7: affected 1 -> Committed
        8: affected 0 -> Committed
        9: rows (-32665) (-32663) -> Committed
        10: affected 1 -> Committed
        11: affected 1 -> Committed
        12: affected 1 -> Committed
        13: affected 1; affected 0; affected 1; affected 0; affected 1 -> Committed
        14: rows (-32765) (-32665) (null) (-32767) -> Committed
        15: affected 1; affected 0; affected 1 -> Rejected
        16: rows (-32765) (-32665) (null) (-32767) -> Committed
        17: refused duplicate -> Rejected
        18: rows (-9223372036854775800,-32765) (-9223372036854775800,-32665) -> Committed
        19: affected 5 -> Committed
        20: rows -> Committed
        21: rows (0,null,null,null) -> Committed
        22: affected 0 -> Committed
    "#]]
    .assert_eq(&out);
}

/// NULL sorts where the target says it does.
fn nulls_stand_where_the_semantics_say(stage: &mut Stage) {
    let out = stage.script(
        "30: insert t1/0/0 c2=3 | auto
         31: insert t1/1/0 c2=null | auto
         32: insert t1/2/0 c2=4 | auto
         33: read t1/* select c2 order c2 | auto
         34: read t1/* select c2 order -c2 | auto
         35: read t1/* select c2 where c2 is-null | auto",
    );
    match stage.target.semantics().nulls {
        Nulls::First => expect![[r#"
            30: affected 1 -> Committed
            31: affected 1 -> Committed
            32: affected 1 -> Committed
            33: rows (null) (-125) (-124) -> Committed
            34: rows (-124) (-125) (null) -> Committed
            35: rows (null) -> Committed
        "#]]
        .assert_eq(&out),
        Nulls::Last => expect![[r#"
            30: affected 1 -> Committed
            31: affected 1 -> Committed
            32: affected 1 -> Committed
            33: rows (-125) (-124) (null) -> Committed
            34: rows (null) (-124) (-125) -> Committed
            35: rows (null) -> Committed
        "#]]
        .assert_eq(&out),
    }
}

/// What was rendered beforehand does what is rendered on the way, and counts its rows.
fn a_replayed_request_is_the_same_request(stage: &mut Stage) {
    let step = |text: &str| {
        let visit: Visit = format!("1: {text} | auto").parse().unwrap();
        visit.steps.into_iter().next().unwrap()
    };
    for (text, affected) in [
        ("upsert t0/2/3 c4=1", 1),
        ("upsert t0/2/4 c4=2", 1),
        ("read t0/2 select c4,c5", 2),
        ("update t0/2/9 c4=2", 0),
        ("delete t0/2", 2),
    ] {
        let step = step(text);
        let Some(before) = stage
            .target
            .prerender(&stage.schema, &crate::Request::Step(&step))
        else {
            return;
        };
        let answer = stage.session(0).replay(&before, super::stage::DEADLINE);
        assert_eq!(answer, Answer::Affected(affected), "{text}");
    }
}

fn a_session_that_ended_is_gone(stage: &mut Stage) {
    if stage.target.describe().one_session {
        return;
    }
    let second = stage.connect();
    let who = stage.session(second).identity();
    assert_eq!(who.incarnation, stage.target.incarnation().unwrap());
    assert_eq!(stage.target.gone(&who), Gone::StillThere);
    stage.drop_session(second);
    // A server notices the end of a connection in its own time.
    let mut tries = 0;
    while stage.target.gone(&who) != Gone::Gone {
        tries += 1;
        assert!(tries < 6_000, "{who:?} is still there");
        crate::process::pause(std::time::Duration::from_millis(10));
    }
}
