//! Tables of counters: what adding does, with flushes and compactions between, and how they are read.

use super::{World, answers, column, key};
use crate::target::{Maintenance, Target};
use datagen::schema::{Definition, Schema, SizeClass};
use datagen::value::{Order, Type};
use expect_test::expect;
use std::sync::{Arc, Barrier};

fn counters(target: &dyn Target) -> Schema {
    let counter = |id, name| column(target, id, name, Type::Counter);
    let table = Definition {
        name: "t0".into(),
        size: SizeClass::Narrow { partitions: 8 },
        rows_max: 6,
        key_seed: 5,
        partition: vec![key(target, 0, "p0", Type::Int32, Order::Asc)],
        clustering: vec![key(target, 1, "c0", Type::Int32, Order::Desc)],
        regular: vec![counter(2, "n"), counter(3, "m")],
        shared: vec![counter(4, "s")],
        ..Definition::default()
    };
    Schema::new(vec![table]).unwrap()
}

const READS: &str = "
    101: read t0/0 select c1,c2,c3,c4 stamps ttls | auto at 0 one
    102: read t0/0 select c1,c2,c3,c4 order -c1 page 1 | auto at 0 one
    103: read t0/1 select c1,c2,c4 | auto at 0 one
    104: read t0/2 select c1,c2,c3,c4 | auto at 0 one
    105: read t0/0 aggregate count,count:c3,sum:c2,avg:c2,sum:c4 | auto at 0 one
    106: read t0/* group c0,c1 with sum:c2 per-partition 3 | auto at 0 one
    107: read t0/* distinct c0,c4 | auto at 0 one
    108: read t0/0[:..2] select c1,c2 order c1 limit 2 | auto at 0 one";

pub(super) fn counters_are_the_sums_of_what_was_added(world: &World<'_>) {
    let mut stage = world.stage(counters);
    let writes = "
        1: add t0/0/0 c2=5 c3=-7 | auto at 10 one
        2: add t0/0/0 c2=9223372036854775807 | auto at 9 one
        3: add t0/0/1 c3=0 | auto at 8 one
        4: add t0/0/2 c2=-9223372036854775808; add t0/0/2 c2=-1; add t0/0/3 c2=1; add t0/0 c4=2 | batch at 8 one
        5: add t0/1 c4=-3 | auto at 7 one
        6: add t0/0 c4=40 | auto at 1 one";
    let mut out = answers(&mut stage, writes);
    out += &answers(&mut stage, READS);
    for _ in 0..2 {
        stage.target.maintain(Maintenance::Flush).unwrap();
        out += "flushed\n";
        out += &answers(&mut stage, "7: add t0/0/0 c2=1 c3=1 | auto at 1 one");
        out += &answers(&mut stage, "101: read t0/0 select c1,c2,c3,c4 | auto at 0 one");
    }
    stage.target.maintain(Maintenance::Compact).unwrap();
    out += &answers(&mut stage, "101: read t0/0 select c1,c2,c3,c4 | auto at 0 one");
    expect![[r#"
        4: affected 4
        101: rows (2147483647,-9223372036854775804,-7,42) (1221907986,null,0,42) (1,9223372036854775807,null,42) (0,1,null,42)
        102: rows (2147483647,-9223372036854775804,-7,42) (1221907986,null,0,42) (1,9223372036854775807,null,42) (0,1,null,42)
        103: rows (null,null,-3)
        104: rows
        105: rows (4,2,4,1,168)
        106: rows (-2147483648,2147483647,-9223372036854775804) (-2147483648,1221907986,0) (-2147483648,1,9223372036854775807) (-1351779693,null,0)
        107: rows (-2147483648,42) (-1351779693,-3)
        108: rows (1,9223372036854775807) (1221907986,null)
        flushed
        101: rows (2147483647,-9223372036854775803,-6,42) (1221907986,null,0,42) (1,9223372036854775807,null,42) (0,1,null,42)
        flushed
        101: rows (2147483647,-9223372036854775802,-5,42) (1221907986,null,0,42) (1,9223372036854775807,null,42) (0,1,null,42)
        101: rows (2147483647,-9223372036854775802,-5,42) (1221907986,null,0,42) (1,9223372036854775807,null,42) (0,1,null,42)
    "#]].assert_eq(&out);
}

/// Four sessions add to the same counter at once; nothing is lost, nothing is added twice.
pub(super) fn sessions_that_add_at_once_lose_nothing(world: &World<'_>) {
    const EACH: u64 = 50;
    let target = crate::open(super::LOCAL, &world.options()).unwrap();
    let schema = Arc::new(counters(target.as_ref()));
    target.prepare(&schema).unwrap();
    let begin = Barrier::new(4);
    let add = |s: u16| {
        let mut session = target.connect(history::SessionId(s), &schema).unwrap();
        begin.wait();
        for n in 0..EACH {
            let lts = u64::from(s) * EACH + n + 1;
            let visit: history::Visit = format!("{lts}: add t0/0/0 c2=1 c3=-2 | auto at 1 one")
                .parse()
                .unwrap();
            let request = crate::Request::stamped(&visit).unwrap();
            let address = history::Address {
                lts: visit.lts,
                attempt: 0,
                step: 0,
            };
            let answer = session
                .execute(address, &request, std::time::Duration::from_secs(60))
                .answer;
            assert_eq!(answer, history::Answer::Affected(1), "{visit}");
        }
    };
    std::thread::scope(|scope| {
        for s in 0..4 {
            let add = &add;
            scope.spawn(move || add(s));
        }
    });
    let mut session = target.connect(history::SessionId(9), &schema).unwrap();
    let visit: history::Visit = "900: read t0/0 select c2,c3 | auto at 0 one".parse().unwrap();
    let request = crate::Request::stamped(&visit).unwrap();
    let address = history::Address {
        lts: visit.lts,
        attempt: 0,
        step: 0,
    };
    let answer = session
        .execute(address, &request, std::time::Duration::from_secs(60))
        .answer;
    assert_eq!(answer.to_string(), "rows (200,-400)");
    drop(session);
    target.cleanup().unwrap();
}
