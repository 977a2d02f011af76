//! What statements mean: reconciliation, liveness, static cells, batches, timestamps. Expectations rewrite themselves
//! (UPDATE_EXPECT=1); read the diff.

use super::{World, answers, one_table, play};
use datagen::schema::ColumnId;
use datagen::value::Value;
use expect_test::expect;
use history::{Answer, ReasonKind, Visit};

pub(super) fn every_write_is_read_back_with_its_timestamp(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let read = "read t0/0 select c1,c2,c4,c5,c6,c20,c21 order c1,-c2 stamps | auto at 0 one";
    let mut out = String::new();
    for (i, write) in [
        "upsert t0/0/3 c4=100 c6=7",
        "update t0/0/4 c4=105 c5=null",
        "shared t0/0 c20=7 c21=2",
        "upsert t0/0/5",
        "upsert t0/0/9 c4=1 c5=1 c6=1",
        "delete t0/0/9 c4,c5",
        "delete t0/0/3",
        "shared t0/0 c20=null",
        "upsert t0/0/12 c4=9",
        "delete t0/0[0:0..2)",
        "delete t0/0(:1..]",
        "delete t0/0",
        "update t0/0/1 c6=3",
    ]
    .iter()
    .enumerate()
    {
        let at = 100 + i;
        let read_of = answers(&mut stage, &format!("1: {write} | auto at {at} one\n2: {read}"));
        out.push_str(&format!("{write} at {at}\n{read_of}"));
    }
    expect![[r#"
        upsert t0/0/3 c4=100 c6=7 at 100
        2: rows (-2147483648,'\\''',-2147483548,null,-2147483642,null,null,100,null,100,null,null)
        update t0/0/4 c4=105 c5=null at 101
        2: rows (-2147483648,'\\''',-2147483548,null,-2147483642,null,null,100,null,100,null,null) (-2147483648,'A',-2147483543,null,null,null,null,101,null,null,null,null)
        shared t0/0 c20=7 c21=2 at 102
        2: rows (-2147483648,'\\''',-2147483548,null,-2147483642,-2147483642,' ',100,null,100,102,102) (-2147483648,'A',-2147483543,null,null,-2147483642,' ',101,null,null,102,102)
        upsert t0/0/5 at 103
        2: rows (-2147483648,'\\''',-2147483548,null,-2147483642,-2147483642,' ',100,null,100,102,102) (-2147483648,'A',-2147483543,null,null,-2147483642,' ',101,null,null,102,102) (-2147483648,'',null,null,null,-2147483642,' ',null,null,null,102,102)
        upsert t0/0/9 c4=1 c5=1 c6=1 at 104
        2: rows (-2147483648,'\\''',-2147483548,null,-2147483642,-2147483642,' ',100,null,100,102,102) (-2147483648,'A',-2147483543,null,null,-2147483642,' ',101,null,null,102,102) (-2147483648,'',null,null,null,-2147483642,' ',null,null,null,102,102) (-1,'\\''',-2147483647,'\u{1}',-2147483648,-2147483642,' ',104,104,104,102,102)
        delete t0/0/9 c4,c5 at 105
        2: rows (-2147483648,'\\''',-2147483548,null,-2147483642,-2147483642,' ',100,null,100,102,102) (-2147483648,'A',-2147483543,null,null,-2147483642,' ',101,null,null,102,102) (-2147483648,'',null,null,null,-2147483642,' ',null,null,null,102,102) (-1,'\\''',null,null,-2147483648,-2147483642,' ',null,null,104,102,102)
        delete t0/0/3 at 106
        2: rows (-2147483648,'A',-2147483543,null,null,-2147483642,' ',101,null,null,102,102) (-2147483648,'',null,null,null,-2147483642,' ',null,null,null,102,102) (-1,'\\''',null,null,-2147483648,-2147483642,' ',null,null,104,102,102)
        shared t0/0 c20=null at 107
        2: rows (-2147483648,'A',-2147483543,null,null,null,' ',101,null,null,null,102) (-2147483648,'',null,null,null,null,' ',null,null,null,null,102) (-1,'\\''',null,null,-2147483648,null,' ',null,null,104,null,102)
        upsert t0/0/12 c4=9 at 108
        2: rows (-2147483648,'A',-2147483543,null,null,null,' ',101,null,null,null,102) (-2147483648,'',null,null,null,null,' ',null,null,null,null,102) (-1,'\\''',null,null,-2147483648,null,' ',null,null,104,null,102) (1,'􏿿',-2147483639,null,null,null,' ',108,null,null,null,102)
        delete t0/0[0:0..2) at 109
        2: rows (-2147483648,'A',-2147483543,null,null,null,' ',101,null,null,null,102) (-2147483648,'',null,null,null,null,' ',null,null,null,null,102) (-1,'\\''',null,null,-2147483648,null,' ',null,null,104,null,102) (1,'􏿿',-2147483639,null,null,null,' ',108,null,null,null,102)
        delete t0/0(:1..] at 110
        2: rows (-2147483648,'A',-2147483543,null,null,null,' ',101,null,null,null,102) (-2147483648,'',null,null,null,null,' ',null,null,null,null,102) (-1,'\\''',null,null,-2147483648,null,' ',null,null,104,null,102)
        delete t0/0 at 111
        2: rows
        update t0/0/1 c6=3 at 112
        2: rows (-2147483648,'qıfk4D🦀sı€ñğλไa\\f(\u{a0}я',null,null,-2147483646,null,null,null,null,112,null,null)
    "#]].assert_eq(&out);
}

pub(super) fn a_deletion_beats_a_value_and_between_values_the_greater_bytes_win(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let schema = std::sync::Arc::clone(&stage.schema);
    let number = |v: i64| {
        schema
            .table(0)
            .domain(ColumnId(6))
            .deflate(&Value::Int(v))
            .unwrap()
    };
    let (minus, five, one) = (number(-3), number(5), number(1));
    let read = |p: u32| format!("9: read t0/{p} select c6 stamps | auto at 0 one\n");
    let mut script = String::new();
    // Both orders of arrival.
    for (p, a, b) in [(0, minus, five), (1, five, minus), (2, five, one), (3, one, five)] {
        script += &format!(
            "1: upsert t0/{p}/0 c6={a} | auto at 5 one\n2: upsert t0/{p}/0 c6={b} | auto at 5 one\n"
        );
        script += &read(p);
    }
    for (p, deletion) in [
        (4, "delete t0/4/0"),
        (5, "delete t0/5/0 c6"),
        (6, "delete t0/6"),
        (7, "delete t0/7[:..1]"),
    ] {
        let first = format!("1: {deletion} | auto at 5 one\n");
        let second = format!("2: upsert t0/{p}/0 c6={one} | auto at 5 one\n");
        script += &format!("{first}{second}{}{}", read(p), read(p).replace("9:", "10:"));
        let p = p + 10;
        let deletion = deletion.replacen(&format!("t0/{}", p - 10), &format!("t0/{p}"), 1);
        script += &format!(
            "1: upsert t0/{p}/0 c6={one} | auto at 5 one\n2: {deletion} | auto at 5 one\n{}",
            read(p)
        );
    }
    expect![[r#"
        9: rows (-3,5)
        9: rows (-3,5)
        9: rows (5,5)
        9: rows (5,5)
        9: rows
        10: rows
        9: rows
        9: rows (null,null)
        10: rows (null,null)
        9: rows (null,null)
        9: rows
        10: rows
        9: rows
        9: rows
        10: rows
        9: rows
    "#]]
    .assert_eq(&answers(&mut stage, &script));
}

pub(super) fn every_pair_of_writes_meets_in_every_order(world: &World<'_>) {
    let mut stage = world.stage(crate::conformance::wide);
    let pairs = crate::conformance::every_pair_of_operations_in_every_order(&mut stage, 0, true);
    println!("{pairs} partitions");
    assert!(pairs > 3_000, "{pairs} partitions");
    for _ in 1..3 {
        stage.connect();
    }
    crate::conformance::small_histories_in_any_order(&mut stage);
}

pub(super) fn a_row_lives_by_its_liveness_or_a_cell(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let script = "
        1: upsert t0/0/0 c6=5 | auto at 10 one
        2: update t0/0/1 c6=5 | auto at 10 one
        3: read t0/0 select c1,c6 order c1,-c2 stamps | auto at 0 one
        4: update t0/0/0 c6=null | auto at 11 one
        5: update t0/0/1 c6=null | auto at 11 one
        6: read t0/0 select c1,c6 order c1,-c2 stamps | auto at 0 one
        7: delete t0/0/0 | auto at 9 one
        8: read t0/0 select c1,c6 stamps | auto at 0 one
        9: delete t0/0/0 | auto at 10 one
        10: read t0/0 select c1,c6 stamps | auto at 0 one
        11: update t0/0/0 c4=3 | auto at 11 one
        12: delete t0/0/0 | auto at 10 one
        13: read t0/0 select c1,c4,c6 stamps | auto at 0 one";
    expect![[r#"
        3: rows (-2147483648,-2147483644,10) (-2147483648,-2147483644,10)
        6: rows (-2147483648,null,null)
        8: rows (-2147483648,null,null)
        10: rows
        13: rows (-2147483648,-2147483645,null,11,null)
    "#]]
    .assert_eq(&answers(&mut stage, script));
}

pub(super) fn a_partition_with_static_cells_alone_answers_one_row(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let script = "
        1: shared t0/0 c20=5 | auto at 10 one
        2: read t0/0 select c0,c1,c4,c20,c21 stamps | auto at 0 one
        3: read t0/0 select c1,c4 | auto at 0 one
        4: read t0/0 select c21 | auto at 0 one
        5: read t0/0 select c0 | auto at 0 one
        6: read t0/0/0 select c1,c20 | auto at 0 one
        7: read t0/0[:0..] select c1,c20 | auto at 0 one
        8: read t0/0/{0,1} select c1,c20 | auto at 0 one
        9: read t0/0 select c1,c20 where c4>=0 | auto at 0 one
        10: read t0/0 aggregate count,count:c4,count:c20,max:c20 | auto at 0 one
        11: read t0/0 aggregate count | auto at 0 one
        12: read t0/0 select c1,c20 order c1,-c2 limit 3 per-partition 2 | auto at 0 one
        13: read t0/{0,1} select c0,c1,c20 | auto at 0 one
        14: read t0/* select c0,c1,c20 | auto at 0 one
        15: read t0/0 of-shared select c0,c20 stamps | auto at 0 one
        16: upsert t0/0/3 c4=1 | auto at 11 one
        17: upsert t0/0/4 c4=2 | auto at 11 one
        18: read t0/0 select c1,c20 order c1,-c2 stamps | auto at 0 one
        19: delete t0/0/3 | auto at 12 one
        20: delete t0/0/4 | auto at 12 one
        21: read t0/0 select c1,c20 stamps | auto at 0 one
        22: read t0/0 select c1,c4 stamps | auto at 0 one
        23: delete t0/0 | auto at 10 one
        24: read t0/0 select c1,c20 stamps | auto at 0 one";
    expect![[r#"
        2: rows (-2147483648,null,null,-2147483644,null,null,10,null)
        3: rows (null,null)
        4: rows (null)
        5: rows (-2147483648)
        6: rows
        7: rows
        8: rows
        9: rows
        10: rows (1,0,1,-2147483644)
        11: rows (1)
        12: rows (null,-2147483644)
        13: rows (-2147483648,null,-2147483644)
        14: rows (-2147483648,null,-2147483644)
        15: rows (-2147483648,-2147483644,10)
        18: rows (-2147483648,-2147483644,10) (-2147483648,-2147483644,10)
        21: rows (null,-2147483644,10)
        22: rows (null,null,null)
        24: rows
    "#]]
    .assert_eq(&answers(&mut stage, script));
}

pub(super) fn rows_come_as_declared_or_reversed(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let mut script = String::new();
    for row in 0..12 {
        script += &format!("1: upsert t0/0/{row} c6={} | auto at 5 one\n", row * 3);
    }
    for partition in [1, 2] {
        script += &format!(
            "1: upsert t0/{partition}/0 c6=1 | auto at 5 one\n2: upsert t0/{partition}/1 c6=2 | auto at 5 one\n"
        );
    }
    script += "
        3: read t0/0 select c6 order c1,-c2 | auto at 0 one
        4: read t0/0 select c6 order -c1,c2 | auto at 0 one
        5: read t0/0 select c6 order -c1,c2 limit 5 page 2 | auto at 0 one
        6: read t0/0 select c6 order c1,-c2 page 5 | auto at 0 one
        7: read t0/0[0:1..] select c6 order -c1,c2 | auto at 0 one
        8: read t0/0(:0..1] select c6 order c1,-c2 | auto at 0 one
        9: read t0/0/{1,3,4} select c6 | auto at 0 one
        10: read t0/0/{1,3,4} select c6 order -c1,c2 page 1 | auto at 0 one
        11: read t0/{1,2} select c0,c6 per-partition 1 | auto at 0 one
        12: read t0/0 select c6 order -c1,c2 per-partition 3 | auto at 0 one
        13: read t0/0 select c6 where c6>=9,c6<20 | auto at 0 one
        14: read t0/0 select c6 where c4>=0 | auto at 0 one
        15: read t0/0 aggregate count,min:c6,max:c6,count:c4 page 2 | auto at 0 one
        16: read t0/0(:1..0) select c6 | auto at 0 one
        17: delete t0/0(:1..0) | auto at 9 one
        18: read t0/0 aggregate count | auto at 0 one";
    expect![[r#"
        3: rows (x'') (-2147483646) (-2147483643) (-2147483640) (-2147483637) (-2147483634) (-2147483631) (-2147483628) (-2147483625) (-2147483622) (-2147483619) (-2147483616)
        4: rows (-2147483616) (-2147483619) (-2147483622) (-2147483625) (-2147483628) (-2147483631) (-2147483634) (-2147483637) (-2147483640) (-2147483643) (-2147483646) (x'')
        5: rows (-2147483616) (-2147483619) (-2147483622) (-2147483625) (-2147483628)
        6: rows (x'') (-2147483646) (-2147483643) (-2147483640) (-2147483637) (-2147483634) (-2147483631) (-2147483628) (-2147483625) (-2147483622) (-2147483619) (-2147483616)
        7: rows (-2147483634) (-2147483637) (-2147483640) (-2147483643) (-2147483646)
        8: rows (-2147483631) (-2147483628) (-2147483625) (-2147483622) (-2147483619) (-2147483616)
        9: rows (-2147483646) (-2147483640) (-2147483637)
        10: rows (-2147483637) (-2147483640) (-2147483646)
        11: rows (-2048020654,-2147483648) (-1999739019,-2147483648)
        12: rows (-2147483616) (-2147483619) (-2147483622)
        13: rows (-2147483640) (-2147483637) (-2147483634) (-2147483631)
        14: rows
        15: rows (12,x'',-2147483616,0)
        16: rows
        18: rows (12)
    "#]].assert_eq(&answers(&mut stage, &script));
}

pub(super) fn a_batch_is_one_timestamp_and_a_range_deletion_kills_its_own_inserts(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let script = "
        1: upsert t0/0/0 c6=5; update t0/0/1 c6=6; shared t0/0 c20=1; upsert t0/0/9 c6=9 | batch at 10 one
        2: read t0/0 select c1,c6,c20 order c1,-c2 stamps | auto at 0 one
        3: upsert t0/0/2 c6=7; delete t0/0[:..0]; upsert t0/0/10 c6=8 | logged-batch at 20 one
        4: read t0/0 select c1,c6,c20 order c1,-c2 stamps | auto at 0 one
        5: delete t0/0/9; delete t0/0/10 c6; update t0/0/3 c4=1 c6=null | batch at 30 one
        6: read t0/0 select c1,c4,c6,c20 order c1,-c2 stamps | auto at 0 one
        7: delete t0/0; upsert t0/0/0 c6=1; shared t0/0 c20=1 | logged-batch at 40 one
        8: read t0/0 select c1,c6,c20 order c1,-c2 stamps | auto at 0 one";
    expect![[r#"
        1: affected 4
        2: rows (-2147483648,-2147483644,-2147483648,10,10) (-2147483648,-2147483643,-2147483648,10,10) (-1,-2147483640,-2147483648,10,10)
        3: affected 3
        4: rows (-1,-2147483640,-2147483648,10,10) (-1,-2147483641,-2147483648,20,10)
        5: affected 3
        6: rows (-2147483648,-2147483647,null,-2147483648,30,null,10) (-1,null,null,-2147483648,null,null,10)
        7: affected 3
        8: rows
    "#]].assert_eq(&answers(&mut stage, script));
}

/// Their timestamps are the server's clock, so they have tables of their own.
pub(super) fn a_conditional_write_says_whether_it_was_applied(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let mut ask = |text: &str| play(&mut stage, &text.parse::<Visit>().unwrap()).to_string();
    let mut out = String::new();
    for text in [
        "update t0/0/0 c4=3 | auto at 0 quorum if exists",
        "delete t0/0/0 | auto at 0 quorum if exists",
        "upsert t0/0/0 c4=3 c6=5 | auto at 0 quorum if not-exists",
        "upsert t0/0/0 c4=4 | auto at 0 quorum if not-exists",
        "insert t0/0/0 c4=4 | auto at 0 quorum",
        "read t0/0 select c4,c6 | auto at 0 serial",
        "update t0/0/0 c4=5 | auto at 0 one if c4=4",
        "update t0/0/0 c4=6 c6=null | auto at 0 one if c4=3",
        "read t0/0 select c4,c6 | auto at 0 serial",
        "update t0/0/0 c4=7 | auto at 0 one if c6=null",
        "update t0/0/0 c4=8 | auto at 0 one if exists",
        "delete t0/0/0 c4 | auto at 0 one if c4=7",
        "delete t0/0/0 c4 | auto at 0 one if c4=8",
        "read t0/0 select c4,c6 | auto at 0 serial",
        "update t0/0/5 c4=1 | auto at 0 one if c6=null",
        "read t0/0 select c1,c4,c6 | auto at 0 serial",
        "delete t0/0/0 | auto at 0 one if c4=null",
        "delete t0/0/5 | auto at 0 one if exists",
        "read t0/0 select c1,c4,c6 | auto at 0 serial",
        // A small timestamp loses against the clock's.
        "upsert t0/0/5 c4=7 | auto at 1000 one",
        "read t0/0 select c1,c4,c6 | auto at 0 serial",
    ] {
        out.push_str(&format!("{text}: {}\n", ask(&format!("1: {text}"))));
    }
    expect![[r#"
        update t0/0/0 c4=3 | auto at 0 quorum if exists: affected 0
        delete t0/0/0 | auto at 0 quorum if exists: affected 0
        upsert t0/0/0 c4=3 c6=5 | auto at 0 quorum if not-exists: affected 1
        upsert t0/0/0 c4=4 | auto at 0 quorum if not-exists: affected 0
        insert t0/0/0 c4=4 | auto at 0 quorum: affected 0
        read t0/0 select c4,c6 | auto at 0 serial: rows (-2147483645,-2147483644)
        update t0/0/0 c4=5 | auto at 0 one if c4=4: affected 0
        update t0/0/0 c4=6 c6=null | auto at 0 one if c4=3: affected 1
        read t0/0 select c4,c6 | auto at 0 serial: rows (-2147483642,null)
        update t0/0/0 c4=7 | auto at 0 one if c6=null: affected 1
        update t0/0/0 c4=8 | auto at 0 one if exists: affected 1
        delete t0/0/0 c4 | auto at 0 one if c4=7: affected 0
        delete t0/0/0 c4 | auto at 0 one if c4=8: affected 1
        read t0/0 select c4,c6 | auto at 0 serial: rows (null,null)
        update t0/0/5 c4=1 | auto at 0 one if c6=null: affected 1
        read t0/0 select c1,c4,c6 | auto at 0 serial: rows (-2147483648,null,null) (-2147483648,-2147483647,null)
        delete t0/0/0 | auto at 0 one if c4=null: affected 1
        delete t0/0/5 | auto at 0 one if exists: affected 1
        read t0/0 select c1,c4,c6 | auto at 0 serial: rows
        upsert t0/0/5 c4=7 | auto at 1000 one: affected 1
        read t0/0 select c1,c4,c6 | auto at 0 serial: rows
    "#]].assert_eq(&out);
}

pub(super) fn timestamps_reach_from_end_to_end_but_one(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let (least, greatest) = (i64::MIN + 1, i64::MAX);
    let script = format!(
        "1: upsert t0/0/0 c6=5 | auto at {least} one
         2: read t0/0 select c6 stamps | auto at 0 one
         3: upsert t0/0/0 c6=6 | auto at {greatest} one
         4: delete t0/0/0 | auto at {} one
         5: read t0/0 select c6 stamps | auto at 0 one
         6: delete t0/0/0 | auto at {greatest} one
         7: read t0/0 select c6 stamps | auto at 0 one",
        greatest - 1
    );
    expect![[r#"
        2: rows (-2147483644,-9223372036854775807)
        5: rows (-2147483643,9223372036854775807)
        7: rows
    "#]]
    .assert_eq(&answers(&mut stage, &script));
    let visit: Visit = format!("8: upsert t0/0/0 c6=5 | auto at {} one", i64::MIN)
        .parse()
        .unwrap();
    let refused = play(&mut stage, &visit);
    assert!(
        matches!(&refused, Answer::Refused(r) if r.code == "0x2200"),
        "{refused:?}"
    );
}

pub(super) fn what_cql_cannot_say_is_refused_and_said_beforehand(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let check = |text: &str, stage: &mut crate::conformance::Stage| {
        let visit: Visit = format!("1: {text} | auto at 5 one")
            .parse()
            .unwrap_or_else(|e| panic!("{text}: {e}"));
        let request = crate::Request::stamped(&visit).unwrap();
        let said = stage.target.says(&stage.schema, &request);
        (said, play(stage, &visit))
    };
    for text in [
        "read t0/0 select c6 order c1,c2",
        "read t0/0 select c6 order c6",
        "read t0/{0,1} select c6 order c1,-c2 page 3",
        "read t0/* select c6 order c1,-c2",
        "read t0/0 select c6 where c4<>3",
        "read t0/0 select c6 where c5 is-null",
        "read t0/0 select c6 where c6=3,c6=4",
        "read t0/0 select c6 where c6>3,c6>=4",
        "read t0/{0,1} select c6 where c4=3",
        "read t0/0 distinct c4",
        "read t0/0[0:1..] distinct c0",
        "read t0/0 group c4 with count",
        "read t0/ring0..5[0:1..] select c6",
        "savepoint 1",
    ] {
        let (said, answer) = check(text, &mut stage);
        assert!(
            matches!(&answer, Answer::Refused(r) if r.kind == ReasonKind::Other),
            "{text}: {answer:?}"
        );
        assert!(said.is_err(), "{text}: {answer:?}");
    }
    for text in [
        "read t0/0 select c6 order c1",
        "read t0/0 select c6 order c1,-c2 limit 3",
        "read t0/{0,1} select c6",
        "read t0/* select c6",
        "read t0/* select c6 where c4=3",
        "read t0/* select c6 where c6>=3,c6<9",
        "read t0/0[1:0..] select c6 where c4>=3",
        "read t0/{0,1}[1:0..] select c6",
        "read t0/{0,1}/{2,3} select c6",
        "read t0/0 group c0,c1 with count,max:c6",
        "read t0/* of-shared select c0,c20",
        "read t0/0[0:1..] select c20,c0 order c1,-c2 stamps",
        "read t0/0[0:1..] select c0",
        "read t0/0/3 select c21",
        "read t0/0/{3,4} select c21",
        "read t0/0[:1..] aggregate max:c20,count",
        "read t0/0/3 aggregate count:c20",
        "read t0/0[:1..] aggregate count",
        "read t0/0 select c20 where c4=3",
        "read t0/0 aggregate max:c20 where c6>=3",
        "read t0/0 aggregate sum:c6,avg:c6 where c6>=3",
        "read t0/{0,1} aggregate sum:c4,count",
        "read t0/* group c0,c1 with count,avg:c6",
        "read t0/* distinct c0,c20",
        "read t0/{0,3} distinct c0",
        "read t0/ring1..2 distinct c0,c21",
        "read t0/ring..2 select c6,c1 page 3 stamps",
        "read t0/ring4.. aggregate count",
        "read t0/ring4..7 select c6 where c4=3",
        "read t0/0 select c6,c20 order c1 ttls",
        "read t0/{0,3} select c1,c6,c20 stamps ttls",
        "read t0/ring1..4 select c6,c20 ttls",
        "read t0/0 select c6 where c4=3,c6>1,c6<5",
    ] {
        let (said, answer) = check(text, &mut stage);
        assert_eq!(said, Ok(()), "{text}");
        assert!(matches!(answer, Answer::Rows(_)), "{text}: {answer:?}");
    }
}

pub(super) fn a_column_dropped_and_added_again_is_empty(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    answers(&mut stage, "1: upsert t0/0/0 c6=5 c5=1 | auto at 10 one");
    let target = super::super::Cassandra::open(super::LOCAL, &world.options()).unwrap();
    let table = format!("gmt{n}.gmt{n}_t0", n = world.number);
    for words in [
        format!("ALTER TABLE {table} DROP v2"),
        format!("ALTER TABLE {table} ADD v2 int"),
    ] {
        target.ask(|client| client.ask(&words)).unwrap();
    }
    let got = answers(&mut stage, "2: read t0/0 select c5,c6 stamps | auto at 0 one");
    expect![[r#"
        2: rows ('\u{1}',null,10,null)
    "#]]
    .assert_eq(&got);
}

pub(super) fn what_has_a_time_to_live_is_gone_after_it(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    answers(
        &mut stage,
        "1: upsert t0/0/0 c6=5 | auto at 10 one ttl 2
         2: upsert t0/0/1 c6=6 c4=1 | auto at 10 one
         3: update t0/0/1 c6=7 | auto at 11 one ttl 2",
    );
    let read = "9: read t0/0 select c1,c4,c6 order c1,-c2 stamps | auto at 0 one";
    let mut last = answers(&mut stage, read);
    // Two seconds, and as much more as a slow machine makes of them.
    for _ in 0..3_000 {
        if last.matches('(').count() == 1 && last.contains("null") {
            break;
        }
        crate::process::pause(std::time::Duration::from_millis(20));
        last = answers(&mut stage, read);
    }
    expect![[r#"
        9: rows (-2147483648,-2147483647,null,10,null)
    "#]]
    .assert_eq(&last);
}

pub(super) fn partitions_lie_on_the_ring_by_our_tokens(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let mut script = String::new();
    for p in 0..64 {
        script += &format!("1: upsert t0/{p}/0 c6=1 | auto at 5 one\n");
    }
    answers(&mut stage, &script);
    let schema = std::sync::Arc::clone(&stage.schema);
    let table = schema.table(0);
    let positions = |answer: Answer| -> Vec<u64> {
        let Answer::Rows(rows) = answer else {
            panic!("{answer:?}")
        };
        let position = |row: &[u8]| {
            let key = Value::decode(&mut &*row).unwrap();
            table.partitions().deflate(&[key]).unwrap()
        };
        rows.iter().map(position).collect()
    };
    for (after, upto) in [
        (None, None),
        (Some(3), None),
        (None, Some(9)),
        (Some(3), Some(9)),
        (Some(9), Some(3)),
        (Some(5), Some(5)),
    ] {
        let bound = |at: Option<u64>| at.map_or_else(String::new, |at| at.to_string());
        let (from, to) = (bound(after), bound(upto));
        let visit: Visit = format!("2: read t0/ring{from}..{to} select c0 | auto at 0 one")
            .parse()
            .unwrap();
        let seen = positions(play(&mut stage, &visit));
        assert_eq!(seen, datagen::ring::between(table, 64, after, upto), "{visit}");
    }
}

pub(super) fn sums_are_those_of_their_column(world: &World<'_>) {
    let mut stage = world.stage(one_table);
    let schema = std::sync::Arc::clone(&stage.schema);
    let number = |v: i64| {
        schema
            .table(0)
            .domain(ColumnId(6))
            .deflate(&Value::Int(v))
            .unwrap()
    };
    let (most, minus) = (number(i64::from(i32::MAX)), number(-4));
    let got = answers(
        &mut stage,
        &format!(
            "1: upsert t0/0/0 c6={most} | auto at 10 one
             2: upsert t0/0/1 c6={most} | auto at 10 one
             3: upsert t0/1/0 c6={minus} | auto at 10 one
             4: upsert t0/1/1 c6={minus} | auto at 10 one
             5: upsert t0/1/2 c6={} | auto at 10 one
             6: shared t0/3 c20=7 | auto at 10 one
             10: read t0/0 aggregate sum:c6,avg:c6 | auto at 0 one
             11: read t0/1 aggregate sum:c6,avg:c6 | auto at 0 one
             12: read t0/2 aggregate sum:c6,avg:c6,count,max:c6 | auto at 0 one
             13: read t0/{{0,1}} aggregate sum:c6,count | auto at 0 one
             14: read t0/3 group c0 with count,sum:c6 | auto at 0 one
             15: read t0/3 group c0,c1 with count | auto at 0 one
             16: read t0/3 distinct c0,c20 | auto at 0 one",
            number(-3)
        ),
    );
    expect![[r#"
        10: rows (-2,2147483647)
        11: rows (-11,-3)
        12: rows (0,0,0,null)
        13: rows (-13,5)
        14: rows (-1906902621,1,0)
        15: rows (-1906902621,null,1)
        16: rows (-1906902621,-2147483642)
    "#]]
    .assert_eq(&got);
}
