//! Where rows come as they are clustered without being asked to, and sums are those of their column: CQL.

use super::planted::{PLAIN, answered, contents, must, world};
use crate::judged::{Judged, Options};
use crate::testkit::{World, sim};
use crate::twin::query;
use crate::{Judge, words};
use datagen::ring;
use datagen::value::Value;
use history::{Discipline, Parts, Query, Regenerate, Rows, Semantics, Step, Sums, Tick, Tracker};
use std::sync::Arc;

fn semantics() -> Semantics {
    Semantics {
        clustered: true,
        sums: Sums::OfColumn,
        ..PLAIN.semantics()
    }
}

fn asked(world: &World) -> &Query {
    match world.visits.last().and_then(|(visit, _)| visit.steps.last()) {
        Some(Step::Read(query)) => query,
        other => panic!("{other:?} where a read is asked"),
    }
}

/// What the last line answers, of each partition by itself.
fn truth(world: &World) -> Vec<Vec<Value>> {
    let query = asked(world);
    let contents = contents(world, PLAIN, must(world));
    let positions = match &query.parts {
        Parts::One(at) => vec![*at],
        Parts::In(list) => list.clone(),
        Parts::All => ring::between(world.schema.table(query.table), 3, None, None),
        Parts::Ring { after, upto } => ring::between(world.schema.table(query.table), 3, *after, *upto),
    };
    let of = |position| Query {
        parts: Parts::One(position),
        ..query.clone()
    };
    let lines = positions.into_iter().flat_map(|at| {
        let lines = query::lines(
            &of(at),
            &world.schema,
            &contents_of(&contents, query.table, at),
            &semantics(),
            true,
        );
        lines.into_iter().map(|(_, line)| line)
    });
    lines.collect()
}

fn contents_of(
    all: &std::collections::BTreeMap<history::Part, crate::twin::state::Content>,
    table: u16,
    position: u64,
) -> std::collections::BTreeMap<history::Part, crate::twin::state::Content> {
    let part = history::Part { table, position };
    all.iter()
        .filter(|(p, _)| **p == part)
        .map(|(p, c)| (*p, c.clone()))
        .collect()
}

/// The shape of what is found in an answer, confirmed by the twin; `explained` where nothing is.
fn verdict(world: &Arc<World>, lines: Vec<Vec<Value>>) -> String {
    told(&judge(world), world, lines)
}

/// The same where a tick is a second.
fn timed(world: &Arc<World>, lines: Vec<Vec<Value>>) -> String {
    let clock = Arc::new(|tick: Tick| tick.0.checked_mul(1_000_000_000));
    told(&judge(world).with_clock(clock, 0), world, lines)
}

fn judge(world: &Arc<World>) -> Judge {
    Judge::new(
        Arc::clone(world) as Arc<dyn Regenerate>,
        Arc::clone(world) as Arc<dyn Tracker>,
        PLAIN.claim(),
        semantics(),
        Options {
            discipline: Discipline::Lww,
            ..Options::default()
        },
    )
}

fn told(judge: &Judge, world: &Arc<World>, lines: Vec<Vec<Value>>) -> String {
    let rows: Rows = sim::encode(lines.into_iter());
    let a = answered(world, rows);
    match judge.conclude(judge.explain(a.clone())) {
        Judged::Explained(_) => "explained".to_owned(),
        Judged::NotCompared(why) => format!("not compared: {why}"),
        Judged::Broken(f) => {
            let again = judge.again(&mut std::iter::once(a), &f);
            assert!(matches!(again, Judged::Broken(_)), "the twin: {again:?}");
            let words = words(&f, &world.schema, &PLAIN.claim());
            format!("{}: {}", f.shape.name(), words.seen)
        }
    }
}

const T1: &str = "
    1: upsert t1/0/0 c2=5 | auto at 100 one ## s1 1..2 committed
    2: upsert t1/0/3 c2=6 | auto at 101 one ## s1 3..4 committed
    3: upsert t1/1/1 c2=7 | auto at 102 one ## s1 5..6 committed
    4: upsert t1/2/2 c2=8 | auto at 103 one ## s1 7..8 committed
    5: upsert t1/2/4 c2=9 | auto at 104 one ## s1 9..10 committed
    6: update t1/1/4 c2=4 | auto at 105 one ## s3 18..40 committed
";

fn of_t1(read: &str) -> Arc<World> {
    world(&format!("{T1}\n9: {read} | auto at 1 one ## s2 20..21 committed"))
}

#[test]
fn rows_of_a_partition_come_in_the_order_of_its_key() {
    let world = of_t1("read t1/0 select c1,c2");
    let rows = truth(&world);
    assert_eq!(verdict(&world, rows.clone()), "explained");
    let turned: Vec<_> = rows.into_iter().rev().collect();
    let found = verdict(&world, turned);
    assert!(found.starts_with("wrong order"), "{found}");
}

#[test]
fn a_listed_partition_stands_anywhere_but_is_not_torn() {
    let world = of_t1("read t1/{0,2} select c0,c1,c2");
    let rows = truth(&world);
    let at = |order: [usize; 4]| order.map(|i| rows[i].clone()).to_vec();
    for kept in [[0, 1, 2, 3], [2, 3, 0, 1]] {
        assert_eq!(verdict(&world, at(kept)), "explained");
    }
    for torn in [[0, 2, 1, 3], [1, 0, 2, 3], [2, 0, 1, 3]] {
        let found = verdict(&world, at(torn));
        assert!(found.starts_with("wrong order"), "{torn:?}: {found}");
    }
}

#[test]
fn a_whole_table_comes_by_its_tokens() {
    let world = of_t1("read t1/* select c0,c1,c2");
    let rows = truth(&world);
    assert_eq!(verdict(&world, rows.clone()), "explained");
    let mut turned = rows;
    turned.rotate_left(1);
    assert_ne!(verdict(&world, turned), "explained");
}

#[test]
fn a_range_of_tokens_has_its_partitions_and_no_others() {
    let mut seen = std::collections::BTreeSet::new();
    for bounds in ["0..1", "1..0", "..2", "2..", "1..2", "2..1", "0..0"] {
        let world = of_t1(&format!("read t1/ring{bounds} select c0,c1,c2"));
        let rows = truth(&world);
        seen.insert(rows.len());
        assert_eq!(verdict(&world, rows.clone()), "explained", "{bounds}");
        let all = truth(&of_t1("read t1/* select c0,c1,c2"));
        if all.len() > rows.len() {
            let found = verdict(&world, all);
            assert!(found.starts_with("extra row"), "{bounds}: {found}");
        }
        if !rows.is_empty() {
            let found = verdict(&world, rows[1..].to_vec());
            assert!(found.starts_with("missing row"), "{bounds}: {found}");
        }
    }
    assert!(seen.len() > 2, "{seen:?}");
}

#[test]
fn sums_and_averages_are_those_of_their_column() {
    let base = "
        1: upsert t0/1/2 c3=65535 | auto at 100 one ## s1 1..2 committed
        2: upsert t0/1/7 c3=65534 | auto at 101 one ## s1 3..4 committed";
    let of = |read: &str| {
        world(&format!(
            "{base}\n9: {read} | auto at 1 one ## s2 20..21 committed"
        ))
    };
    let full = of("read t0/1 aggregate sum:c3,avg:c3");
    // 32767 and 32766 in 16 bits.
    let right = vec![vec![Value::Int(-3), Value::Int(32766)]];
    assert_eq!(verdict(&full, right), "explained");
    let exact = vec![vec![Value::Int(65533), Value::Int(32766)]];
    assert!(verdict(&full, exact).starts_with("wrong aggregate"));
    let empty = of("read t0/2 aggregate sum:c3,avg:c3");
    assert_eq!(
        verdict(&empty, vec![vec![Value::Int(0), Value::Int(0)]]),
        "explained"
    );
    let found = verdict(&empty, vec![vec![Value::Null, Value::Int(0)]]);
    assert!(found.starts_with("wrong aggregate"), "{found}");
}

#[test]
fn partitions_are_grouped_and_distinct() {
    let world = of_t1("read t1/* group c0 with count,max:c2");
    let mut rows = truth(&world);
    assert_eq!(rows.len(), 3);
    assert_eq!(verdict(&world, rows.clone()), "explained");
    rows[0][1] = Value::Int(7);
    assert!(verdict(&world, rows).starts_with("wrong aggregate"));
    let world = of_t1("read t1/* distinct c0");
    let mut rows = truth(&world);
    assert_eq!(verdict(&world, rows.clone()), "explained");
    rows.pop();
    assert_ne!(verdict(&world, rows), "explained");
}

/// A tick is a second; the value of 60 seconds is written from 2 to 4 and read from 10 to 12.
#[test]
fn a_time_to_live_lies_within_what_plan_and_clock_allow() {
    let world = world(
        "1: upsert t0/1/2 c3=5 c4=2 | auto at 100 one ttl 60 ## s1 2..4 committed
         2: update t0/1/2 c4=3 | auto at 101 one ## s1 5..6 committed
         3: shared t0/1 c7=9 | auto at 102 one ttl 30 ## s1 7..8 committed
         9: read t0/1 select c1,c2,c3,c4,c7 stamps ttls | auto at 1 one ## s2 10..12 committed",
    );
    let rows = truth(&world);
    let with = |ttls: [Value; 3]| {
        let mut row = rows[0].clone();
        row.truncate(8);
        row.extend(ttls);
        timed(&world, vec![row])
    };
    let ttls = |n, s, z| with([n, s, z]);
    for (n, z) in [(49, 24), (54, 28), (50, 26)] {
        assert_eq!(
            ttls(Value::Int(n), Value::Null, Value::Int(z)),
            "explained",
            "{n} {z}"
        );
    }
    let wrong = [
        (Value::Int(48), Value::Null, Value::Int(26)),
        (Value::Int(55), Value::Null, Value::Int(26)),
        (Value::Null, Value::Null, Value::Int(26)),
        (Value::Int(50), Value::Int(50), Value::Int(26)),
        (Value::Int(50), Value::Null, Value::Null),
        (Value::Int(50), Value::Null, Value::Int(31)),
    ];
    for (n, s, z) in wrong {
        let found = ttls(n.clone(), s.clone(), z.clone());
        assert!(found.starts_with("wrong time to live"), "{n} {s} {z}: {found}");
    }
    let mut cell = rows[0].clone();
    cell.truncate(8);
    cell[2] = Value::Int(7);
    cell.extend([Value::Int(50), Value::Null, Value::Int(26)]);
    let found = timed(&world, vec![cell]);
    assert!(found.starts_with("wrong cell"), "{found}");
}

#[test]
fn a_time_to_live_says_which_of_two_racing_writes_stands() {
    let world = world(
        "1: upsert t0/1/2 c3=5 | auto at 100 one ttl 60 ## s1 2..4 committed
         2: update t0/1/2 c3=5 | auto at 101 one ttl 900 ## s3 9..15 committed
         9: read t0/1 select c1,c2,c3 ttls | auto at 1 one ## s2 10..12 committed",
    );
    let rows = truth(&world);
    let with = |ttl: i64| {
        let mut row = rows[0].clone();
        row.truncate(3);
        row.push(Value::Int(ttl));
        timed(&world, vec![row])
    };
    assert_eq!(with(50), "explained");
    assert_eq!(with(898), "explained");
    assert!(with(300).starts_with("wrong time to live"));
}

/// The partitions of a list come in any order, those of a range of tokens in theirs; each row has its own time to live.
#[test]
fn each_of_several_partitions_has_its_own_times_to_live() {
    let base = "
        1: upsert t1/0/0 c2=5 | auto at 100 one ttl 60 ## s1 2..4 committed
        2: upsert t1/1/0 c2=5 | auto at 101 one ttl 900 ## s1 5..6 committed
        3: upsert t1/1/3 c2=7 | auto at 102 one ## s1 7..8 committed";
    for read in [
        "read t1/{0,1} select c0,c1,c2 ttls",
        "read t1/{0,1} select c0,c1,c2 stamps ttls",
        "read t1/ring.. select c0,c1,c2 ttls",
        "read t1/* select c0,c1,c2 ttls",
        // Without the keys the first rows of the two differ by their times to live alone.
        "read t1/{0,1} select c2 ttls",
    ] {
        let world = world(&format!(
            "{base}\n9: {read} | auto at 1 one ## s2 10..12 committed"
        ));
        let rows = truth(&world);
        assert_eq!(rows.len(), 3);
        // The partition of one row, and that of two.
        let (own, other) = if rows[0][0] == rows[1][0] && read.contains("c0") {
            (2, 0)
        } else {
            (0, 1)
        };
        let all = [(own, 50), (other, 893), (other + 1, 0)];
        let with = |order: [usize; 3], lives: [i64; 3]| {
            let row = |i: usize| {
                let life = Some(lives[i]).filter(|life| *life > 0);
                let row = rows[all[i].0].iter().cloned();
                row.chain([life.map_or(Value::Null, Value::Int)]).collect()
            };
            timed(&world, order.map(row).to_vec())
        };
        let right = all.map(|(_, life)| life);
        let own_first = own == 0;
        let (natural, turned) = match own_first {
            true => ([0, 1, 2], [1, 2, 0]),
            false => ([1, 2, 0], [0, 1, 2]),
        };
        assert_eq!(with(natural, right), "explained", "{read}");
        let found = with(turned, right);
        match read.contains('{') {
            true => assert_eq!(found, "explained", "{read}"),
            false => assert_ne!(found, "explained", "{read}"),
        }
        for lives in [
            [893, 893, 0],
            [50, 50, 0],
            [50, 893, 893],
            [0, 893, 0],
            [50, 0, 0],
        ] {
            let found = with(natural, lives);
            assert!(
                found.starts_with("wrong time to live"),
                "{read} {lives:?}: {found}"
            );
        }
        // Both are right of some row, and not of this one.
        if read.contains("c0") {
            let found = with(natural, [893, 50, 0]);
            assert!(found.starts_with("wrong time to live"), "{read}: {found}");
        }
    }
}
