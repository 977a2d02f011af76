//! One lie of each shape where visits race: found, named, proved, by both judges; and the truth of the same history, which is
//! silent.
//!
//! A line is a visit in the notation of `history`, then who did it, when its effects may have appeared, and what became of
//! it. The last line is the read that is answered.

use crate::judge::planted::parse;
use crate::judged::{Judged, Options};
use crate::testkit::racing::Kind;
use crate::testkit::{World, schema, sim};
use crate::twin::race::{Race, written};
use crate::twin::state::Content;
use crate::twin::{lists, query};
use crate::{Judge, words};
use datagen::schema::ColumnId;
use datagen::value::Value;
use expect_test::{Expect, expect};
use history::{
    Address, Answer, Answered, Check, Discipline, Lts, Part, Regenerate, Rows, Span, State, Step, Tick, Ties,
    Tracker, Visit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One replica, nothing expires, deletions and the greatest bytes win.
pub(super) const PLAIN: Kind = Kind {
    replicas: 1,
    pages: false,
    expire: false,
    slow: false,
    times: 10,
    ties: Ties::GreatestBytes,
    weak: false,
    composites: false,
    counters: false,
    lists: false,
};

pub(super) fn world(text: &str) -> Arc<World> {
    world_of(text, PLAIN)
}

pub(super) fn world_of(text: &str, kind: Kind) -> Arc<World> {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    Arc::new(World {
        schema: kind.schema(),
        visits: lines.map(parse).collect(),
    })
}

/// What the last line answers when these visits are visible.
pub(super) fn answer_of(world: &World, kind: Kind, visible: impl Fn(&Visit) -> bool) -> Rows {
    let (asker, _) = world.visits.last().expect("somebody asks");
    let Some(Step::Read(query)) = asker.steps.last() else {
        panic!("a read is asked")
    };
    let contents = contents(world, kind, &visible)
        .into_iter()
        .filter(|(part, _)| part.table == query.table)
        .collect();
    let lines = query::lines(query, &world.schema, &contents, &kind.semantics(), true);
    let table = world.schema.table(query.table);
    let mut all: BTreeMap<Part, Vec<_>> = BTreeMap::new();
    for (visit, _) in world.visits.iter().filter(|(v, _)| visible(v)) {
        for part in &visit.writes {
            all.entry(*part).or_default().extend(written(visit, *part));
        }
    }
    let told = |line: &Vec<Value>| lists::told(table, query, line, &all, &|lts| lts.0);
    sim::encode(lines.iter().map(|(_, line)| told(line)))
}

/// The partitions when these visits are visible.
pub(super) fn contents(
    world: &World,
    kind: Kind,
    visible: impl Fn(&Visit) -> bool,
) -> BTreeMap<Part, Content> {
    let mut contents: BTreeMap<Part, Content> = BTreeMap::new();
    let parts: BTreeSet<Part> = world.visits.iter().flat_map(|(v, _)| v.writes.clone()).collect();
    for part in parts {
        let visits = world.visits.iter().map(|(v, _)| v).filter(|v| visible(v));
        let writes: Vec<_> = visits.flat_map(|v| written(v, part)).collect();
        let race = Race {
            table: world.schema.table(part.table),
            writes: &writes,
            expired: &BTreeSet::new(),
            semantics: &kind.semantics(),
        };
        contents.insert(part, race.content().expect("no doubt"));
    }
    contents
}

pub(super) fn answered(world: &World, rows: Rows) -> Answered {
    let (asker, when) = world.visits.last().expect("somebody asks");
    let span = Span {
        sent: when.visible_from,
        answered: when.visible_by,
    };
    Answered {
        address: Address {
            lts: asker.lts,
            attempt: 0,
            step: 0,
        },
        session: when.session,
        span,
        snapshot: span,
        answer: Answer::Rows(rows),
    }
}

/// What everybody must see: acknowledged before the read began.
pub(super) fn must(world: &World) -> impl Fn(&Visit) -> bool {
    let begin = world.visits.last().expect("somebody asks").1.visible_from;
    let seen: BTreeSet<_> = world
        .visits
        .iter()
        .filter(|(_, t)| t.state == State::Committed && t.visible_by < begin)
        .map(|(v, _)| v.lts)
        .collect();
    move |v| seen.contains(&v.lts)
}

fn judge(world: &Arc<World>, kind: Kind, check: Check) -> Judge {
    judge_by(world, kind, check, BTreeSet::new())
}

/// `indexed`: see [`Options::indexed`].
fn judge_by(world: &Arc<World>, kind: Kind, check: Check, indexed: BTreeSet<(u16, ColumnId)>) -> Judge {
    let judge = Judge::new(
        Arc::clone(world) as Arc<dyn Regenerate>,
        Arc::clone(world) as Arc<dyn Tracker>,
        kind.claim(),
        kind.semantics(),
        Options {
            discipline: Discipline::Lww,
            check,
            indexed,
            ..Options::default()
        },
    );
    // A tick is a second.
    judge.with_clock(Arc::new(|tick: Tick| tick.0.checked_mul(1_000_000_000)), 0)
}

/// The verdict on an answer in words; the twin must confirm what is broken.
pub(super) fn verdict(world: &Arc<World>, kind: Kind, rows: Rows) -> String {
    let judge = judge(world, kind, Check::Exhaustive);
    let a = answered(world, rows);
    match judge.conclude(judge.explain(a.clone())) {
        Judged::Explained(_) => "explained".to_owned(),
        Judged::NotCompared(why) => format!("not compared: {why}"),
        Judged::Broken(f) => {
            let again = judge.again(&mut std::iter::once(a), &f);
            assert!(matches!(again, Judged::Broken(_)), "the twin: {again:?}");
            let words = words(&f, &world.schema, &kind.claim());
            let proof: Vec<String> = f.proof.iter().map(ToString::to_string).collect();
            let (shape, seen, why) = (f.shape.name(), words.seen, words.proof);
            format!("{shape}\n{seen}\n{why}\nproof: {}", proof.join(" "))
        }
    }
}

pub(super) fn check_as(kind: Kind, history: &str, lie: impl FnOnce(&mut Vec<Vec<Value>>), expected: Expect) {
    let world = world_of(history, kind);
    let truth = answer_of(&world, kind, must(&world));
    assert_eq!(
        verdict(&world, kind, truth.clone()),
        "explained",
        "the truth is silent"
    );
    let mut lines = sim::decode(&truth);
    lie(&mut lines);
    expected.assert_eq(&verdict(&world, kind, sim::encode(lines.into_iter())));
}

/// Rows that were changed on the way.
fn check(history: &str, lie: impl FnOnce(&mut Vec<Vec<Value>>), expected: Expect) {
    check_as(PLAIN, history, lie, expected);
}

/// What a database answers that sees other visits than it must.
fn check_seen(history: &str, sees: &[u64], expected: Expect) {
    let world = world(history);
    let truth = answer_of(&world, PLAIN, must(&world));
    assert_eq!(verdict(&world, PLAIN, truth), "explained", "the truth is silent");
    let told = answer_of(&world, PLAIN, |v| sees.contains(&v.lts.0));
    expected.assert_eq(&verdict(&world, PLAIN, told));
}

const BASE: &str = "
    1: upsert t0/1/2 c3=5 c4=null | auto at 100 one ## s1 1..2 committed
    2: upsert t0/1/7 c3=100 | auto at 101 one ## s1 3..4 committed
    3: shared t0/1 c7=9 | auto at 102 one ## s1 5..6 committed
";
const READ: &str =
    "9: read t0/1 select c1,c2,c3,c7 order c1,-c2 stamps | auto at 1 one ## s2 20..21 committed";

fn after(rest: &str) -> String {
    format!("{BASE}{rest}")
}

fn with(rest: &str) -> String {
    format!("{BASE}{rest}\n{READ}")
}

#[test]
fn a_forgotten_row_is_missed() {
    check(
        &after(READ),
        |rows| drop(rows.remove(0)),
        expect![[r#"
        missing row
        visit 9 (read-partition): row (-128, '\''') of partition (-2147483645) of t0 is missing
        visit 1 wrote it; nothing removed it
        proof: 1"#]],
    );
}

#[test]
fn a_forgotten_cell_is_missed() {
    check(
        &after(READ),
        |rows| (rows[0][2], rows[0][4]) = (Value::Null, Value::Null),
        expect![[r#"
            wrong cell
            visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is NULL and must be -32763
            visit 1 wrote what must be there; no visit ever wrote what is seen
            proof: 1"#]],
    );
}

#[test]
fn an_older_write_must_not_win_though_it_came_later() {
    check_seen(
        &with(
            "5: update t0/1/2 c3=7 | auto at 200 one ## s1 7..8 committed\n7: update t0/1/2 c3=8 | auto at 150 one ## s1 9..10 committed",
        ),
        &[1, 2, 3, 7],
        expect![[r#"
            wrong cell
            visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is -32760 and must be -32761
            visit 5 overwrote what is seen
            proof: 5 7"#]],
    );
}

#[test]
fn a_row_whose_deletion_is_ignored_came_back() {
    check_seen(
        &with("5: delete t0/1/7 | auto at 101 one ## s1 7..8 committed"),
        &[1, 2, 3],
        expect![[r#"
            extra row
            visit 9 (read-partition): row (-21, '') of partition (-2147483645) of t0 is there and must not be
            visit 5 removed it
            proof: 2 5"#]],
    );
}

#[test]
fn a_partition_whose_deletion_is_ignored_came_back() {
    check_seen(
        &with("5: delete t0/1 | auto at 300 one ## s1 7..8 committed"),
        &[1, 2, 3],
        expect![[r#"
            extra row
            visit 9 (read-partition): row (-128, '\''') of partition (-2147483645) of t0 is there and must not be
            visit 5 removed it
            proof: 1 5"#]],
    );
}

#[test]
fn a_deletion_older_than_the_row_removes_nothing() {
    check_seen(
        &with("5: delete t0/1/7 | auto at 50 one ## s1 7..8 committed"),
        &[1, 3],
        expect![[r#"
            missing row
            visit 9 (read-partition): row (-21, '') of partition (-2147483645) of t0 is missing
            visit 2 wrote it; nothing removed it
            proof: 2"#]],
    );
}

#[test]
fn a_tie_is_decided_by_the_rule() {
    // -3 beats 5 beats 1: descriptor 32768 is 0.
    check_seen(
        &with(
            "5: update t0/1/2 c3=32773 | auto at 200 one ## s1 7..8 committed\n7: update t0/1/2 c3=32765 | auto at 200 one ## s1 9..10 committed",
        ),
        &[1, 2, 3, 5],
        expect![[r#"
            wrong cell
            visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is 5 and must be -3
            visit 7 overwrote what is seen
            proof: 5 7"#]],
    );
}

#[test]
fn a_range_that_reaches_too_far_is_noticed() {
    // Every row behind the second value of the first clustering column: the row at the bound stays.
    check(
        &with("5: delete t0/1(:2..] | auto at 300 one ## s1 7..8 committed"),
        |rows| drop(rows.remove(1)),
        expect![[r#"
            missing row
            visit 9 (read-partition): row (-21, '') of partition (-2147483645) of t0 is missing
            visit 2 wrote it; nothing removed it
            proof: 2"#]],
    );
}

#[test]
fn a_wrong_timestamp_is_noticed() {
    check(
        &after(READ),
        |rows| rows[0][4] = Value::Int(99),
        expect![[r#"
        wrong timestamp
        visit 9 (read-partition): the timestamp of column n of row (-128, '\''') of partition (-2147483645) of t0 is 99 and must be 100
        visit 1 wrote what stands there
        proof: 1"#]],
    );
}

#[test]
fn lost_shared_cells_are_missed() {
    check(
        &after(READ),
        |rows| {
            for row in rows {
                (row[3], row[5]) = (Value::Null, Value::Null);
            }
        },
        expect![[r#"
            wrong cell
            visit 9 (read-partition): column z of a row of partition (-2147483645) of t0 is NULL and must be -119
            visit 3 wrote what must be there; no visit ever wrote what is seen
            proof: 3"#]],
    );
}

#[test]
fn shared_cells_alone_answer_one_row() {
    check_seen(
        &with(
            "5: delete t0/1/2 | auto at 300 one ## s1 7..8 committed\n7: delete t0/1/7 | auto at 301 one ## s1 9..10 committed",
        ),
        &[1, 5, 7],
        expect![[r#"
            missing row
            visit 9 (read-partition): a row of partition (-2147483645) of t0 is missing
            visit 3 wrote it; nothing removed it
            proof: 3"#]],
    );
}

#[test]
fn a_row_without_liveness_goes_with_its_last_cell() {
    check_seen(
        &with(
            "5: update t0/1/4 c3=1 | auto at 300 one ## s1 7..8 committed\n7: update t0/1/4 c3=null | auto at 301 one ## s1 9..10 committed",
        ),
        &[1, 2, 3, 5],
        expect![[r#"
            extra row
            visit 9 (read-partition): row (-21, '􏿿') of partition (-2147483645) of t0 is there and must not be
            visit 7 removed it
            proof: 5 7"#]],
    );
}

#[test]
fn the_answer_to_a_batch_is_that_of_every_write_in_it() {
    let world = world(&after(
        "9: upsert t0/1/2 c3=7; delete t0/1/7; upsert t0/1/3 c3=8; shared t0/1 c7=1 | batch at 300 one ## s1 15..30 committed",
    ));
    let judge = judge(&world, PLAIN, Check::Exhaustive);
    let answered = Answered {
        answer: Answer::Affected(0),
        ..answered(&world, Rows::default())
    };
    let Judged::Explained(e) = judge.conclude(judge.explain(answered)) else {
        panic!("nothing can be wrong with it")
    };
    assert_eq!(e.kinds.as_slice(), ["upsert", "delete-row", "shared"]);
}

#[test]
fn the_state_of_a_partition_is_told_but_not_after_lightweight_transactions() {
    let world = world(&with(
        "5: update t0/1/2 c3=7 | auto at 300 one ## s1 7..8 committed
         6: upsert t0/2/2 c3=7 | auto at 301 quorum if not-exists ## s1 9..10 committed
         7: update t0/1/2 c3=8 | auto at 302 one ## s1 11..never unknown",
    ));
    let judge = judge(&world, PLAIN, Check::Exhaustive);
    let state = |position: u64, upto: u64| judge.state_of(Part { table: 0, position }, Lts(upto));
    let told = |upto: u64| {
        let rows = state(1, upto).expect("told").rows;
        let row = |(at, cells): &(u64, history::Cells)| format!("{at}:{:?}", cells[0].1);
        rows.iter().map(row).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        [told(1), told(4), told(9)],
        ["2:Some(5)", "2:Some(5) 7:Some(100)", "2:Some(7) 7:Some(100)"]
    );
    let why = state(2, 9).expect_err("nobody knows the order of lightweight transactions");
    assert_eq!(
        why,
        "lightweight transactions have an order that nobody wrote down"
    );
}

#[test]
fn half_a_batch_is_torn() {
    let batch = "5: update t0/1/2 c3=7; update t0/1/7 c3=8 | batch at 300 one ## s1 15..30 committed";
    let half = schema().table(0).domain(datagen::schema::ColumnId(3)).inflate(7);
    check(
        &with(batch),
        |rows| (rows[0][2], rows[0][4]) = (half, Value::Int(300)),
        expect![[r#"
            torn visit
            visit 9 (read-partition): one part of the answer shows visit 5, another part does not
            visit 5 was one transaction; no choice of it explains all that was seen
            proof: 5"#]],
    );
}

#[test]
fn what_was_refused_must_not_be_seen() {
    check_seen(
        &with("5: update t0/1/2 c3=7 | auto at 300 one ## s1 7..never rejected"),
        &[1, 2, 3, 5],
        expect![[r#"
            wrong cell
            visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is -32761 and must be -32763
            visit 1 wrote what must be there; only visit 5 wrote what is seen, and nothing of it was kept
            proof: 1 5"#]],
    );
}

#[test]
fn what_was_not_sent_must_not_be_seen() {
    let world = world(&with(
        "5: update t0/1/2 c3=7 | auto at 300 one ## s1 30..31 committed",
    ));
    let told = answer_of(&world, PLAIN, |v| v.lts.0 <= 5);
    expect![[r#"
        wrong cell
        visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is -32761 and must be -32763
        visit 1 wrote what must be there; only visit 5 wrote what is seen, and its commit was not sent before the answer
        proof: 1 5"#]].assert_eq(&verdict(&world, PLAIN, told));
}

#[test]
fn a_visit_of_which_nobody_knows_may_be_seen_or_not() {
    let world = world(&with(
        "5: update t0/1/2 c3=7 | auto at 300 one ## s1 7..never unknown",
    ));
    for sees in [&[1, 2, 3][..], &[1, 2, 3, 5]] {
        let told = answer_of(&world, PLAIN, |v| sees.contains(&v.lts.0));
        assert_eq!(verdict(&world, PLAIN, told), "explained");
    }
}

#[test]
fn what_was_seen_of_an_unknown_visit_stays_seen() {
    let world = world(&after(
        "5: update t0/1/2 c3=7 | auto at 300 one ## s1 7..never unknown
         7: read t0/1 select c1,c2,c3,c7 order c1,-c2 stamps | auto at 1 one ## s2 10..11 committed
         9: read t0/1 select c1,c2,c3,c7 order c1,-c2 stamps | auto at 1 one ## s3 20..21 committed",
    ));
    let both = |first: &[u64], second: &[u64]| {
        let judge = judge(&world, PLAIN, Check::Exhaustive);
        let answers: Vec<Answered> = [(3, first), (4, second)]
            .into_iter()
            .zip([4, 5])
            .map(|((_, sees), upto)| {
                let until = World {
                    schema: schema(),
                    visits: world.visits[..=upto].to_vec(),
                };
                answered(&until, answer_of(&until, PLAIN, |v| sees.contains(&v.lts.0)))
            })
            .collect();
        let verdicts: Vec<Judged> = answers
            .iter()
            .map(|a| judge.conclude(judge.explain(a.clone())))
            .collect();
        match &verdicts[1] {
            Judged::Broken(f) => {
                let again = judge.again(&mut answers.into_iter(), f);
                assert!(matches!(again, Judged::Broken(_)), "the twin: {again:?}");
                words(f, &world.schema, &PLAIN.claim()).seen
            }
            Judged::Explained(_) => "explained".to_owned(),
            Judged::NotCompared(why) => format!("not compared: {why}"),
        }
    };
    let (without, with) = (&[1, 2, 3][..], &[1, 2, 3, 5][..]);
    assert_eq!(both(without, without), "explained");
    assert_eq!(both(without, with), "explained");
    assert_eq!(both(with, with), "explained");
    expect!["visit 9 (read-partition): visit 5 is not in it, though the answer to 7.0.0 had shown it"]
        .assert_eq(&both(with, without));
}

#[test]
fn an_expiring_value_is_there_until_it_expires_and_not_longer() {
    let at = |sent: u64| {
        format!(
            "1: upsert t0/1/2 c3=5 | auto at 100 one ttl 10 ## s1 1..2 committed
             9: read t0/1 select c1,c2,c3 order c1,-c2 stamps | auto at 1 one ## s2 {sent}..{} committed",
            sent + 1
        )
    };
    let answers = |sent: u64, there: bool| {
        let world = world(&at(sent));
        verdict(&world, PLAIN, answer_of(&world, PLAIN, |_| there))
    };
    assert_eq!(
        (
            answers(5, true).as_str(),
            answers(5, false).starts_with("missing row")
        ),
        ("explained", true)
    );
    assert_eq!(
        (answers(11, true), answers(11, false)),
        ("explained".to_owned(), "explained".to_owned())
    );
    assert_eq!(
        (
            answers(20, true).starts_with("extra row"),
            answers(20, false).as_str()
        ),
        (true, "explained")
    );
}

#[test]
fn levels_that_do_not_overlap_promise_nothing() {
    let stale = |write: &str, read: &str| {
        let kind = Kind { replicas: 3, ..PLAIN };
        let world = world(&format!(
            "1: upsert t0/1/2 c3=5 | auto at 100 {write} ## s1 1..2 committed
             9: read t0/1 select c1,c2,c3 order c1,-c2 stamps | auto at 1 {read} ## s2 20..21 committed"
        ));
        let verdict = verdict(&world, kind, answer_of(&world, kind, |_| false));
        verdict.lines().next().expect("a word").to_owned()
    };
    assert_eq!(stale("one", "one"), "explained");
    assert_eq!(stale("one", "quorum"), "explained");
    assert_eq!(stale("quorum", "quorum"), "missing row");
    assert_eq!(stale("one", "all"), "missing row");
    assert_eq!(stale("all", "one"), "missing row");
}

#[test]
fn each_page_is_of_its_own_moment() {
    let pages = |kind: Kind| {
        let world = world(&after(
            "5: update t0/1/2 c3=7; update t0/1/7 c3=8 | batch at 300 one ## s1 15..30 committed
             9: read t0/1 select c1,c2,c3 order c1,-c2 page 1 stamps | auto at 1 one ## s2 20..40 committed",
        ));
        let (old, new) = (
            sim::decode(&answer_of(&world, kind, |v| v.lts.0 < 5)),
            sim::decode(&answer_of(&world, kind, |_| true)),
        );
        let told = sim::encode([old[0].clone(), new[1].clone()].into_iter());
        let judge = judge(&world, kind, Check::Exhaustive);
        match judge.conclude(judge.explain(answered(&world, told))) {
            Judged::Broken(f) => f.shape.name().to_owned(),
            other => format!("{other:?}"),
        }
    };
    let explained = pages(Kind { pages: true, ..PLAIN });
    assert!(explained.starts_with("Explained"), "{explained}");
    assert_eq!(pages(PLAIN), "torn visit");
}

#[test]
fn what_an_index_finds_is_of_one_moment_row_by_row_alone() {
    let found = |indexed: bool, shows: [bool; 2]| {
        let world = world(
            "1: upsert t0/1/2 c3=5; upsert t0/1/7 c3=9 | batch at 100 one ## s1 1..2 committed
             5: update t0/1/2 c3=9; update t0/1/7 c3=5 | batch at 300 one ## s1 15..30 committed
             9: read t0/1 select c1,c2,c3 where c3<=5 order c1,-c2 stamps | auto at 1 one ## s2 20..40 committed",
        );
        let kind = Kind { pages: true, ..PLAIN };
        let old = sim::decode(&answer_of(&world, kind, |v| v.lts.0 < 5));
        let new = sim::decode(&answer_of(&world, kind, |_| true));
        let rows = [old, new].into_iter().zip(shows);
        let told: Vec<_> = rows
            .filter(|(_, shown)| *shown)
            .flat_map(|(rows, _)| rows)
            .collect();
        let indexed = indexed.then_some((0, ColumnId(3))).into_iter().collect();
        let judge = judge_by(&world, kind, Check::Exhaustive, indexed);
        let a = answered(&world, sim::encode(told.into_iter()));
        match judge.conclude(judge.explain(a.clone())) {
            Judged::Explained(_) => "explained",
            Judged::NotCompared(why) => why,
            Judged::Broken(f) => {
                let again = judge.again(&mut std::iter::once(a), &f);
                assert!(matches!(again, Judged::Broken(_)), "the twin: {again:?}");
                f.shape.name()
            }
        }
    };
    for indexed in [false, true] {
        assert_eq!(found(indexed, [true, false]), "explained", "the old");
        assert_eq!(found(indexed, [false, true]), "explained", "the new");
    }
    // The first row left the range before it was fetched, the second came into it after the entries were read.
    assert_eq!(found(true, [false, false]), "explained");
    assert_eq!(found(true, [true, true]), "explained");
    assert_eq!(found(false, [false, false]), "torn visit");
    assert_eq!(found(false, [true, true]), "torn visit");
}

#[test]
fn pages_of_several_partitions_are_told_apart() {
    let pages = |read: &str| {
        let world = world(&after(&format!(
            "4: upsert t0/2/3 c3=1 | auto at 103 one ## s1 7..8 committed
             5: update t0/1/2 c3=7; update t0/1/7 c3=8 | batch at 300 one ## s1 15..30 committed
             9: read {read} stamps | auto at 1 one ## s2 20..40 committed"
        )));
        let kind = Kind { pages: true, ..PLAIN };
        let old = sim::decode(&answer_of(&world, kind, |v| v.lts.0 < 5));
        let mut told = sim::decode(&answer_of(&world, kind, |_| true));
        told[0] = old[0].clone();
        // The twin does not cut answers into pages.
        let judge = judge(&world, kind, Check::Exhaustive);
        let a = answered(&world, sim::encode(told.into_iter()));
        match judge.conclude(judge.explain(a)) {
            Judged::Broken(f) => f.shape.name(),
            Judged::Explained(_) => "explained",
            Judged::NotCompared(why) => why,
        }
    };
    // The old first row, then the new second one.
    assert_eq!(pages("t0/{1,2} select c0,c1,c2,c3 page 1"), "explained");
    assert_eq!(pages("t0/{1,2} select c0,c1,c2,c3 page 2"), "torn visit");
    // Rows that do not name themselves: which was on which page nobody knows.
    assert_eq!(
        pages("t0/1 select c3 order c1,-c2 page 1"),
        "the pages of the answer cannot be told apart"
    );
}

/// A tick is a second. What is written from 2 to 4 lives for 20: it expires while the read goes on, which is from 20 to 30.
#[test]
fn what_expires_between_two_pages_is_on_the_first_of_them_alone() {
    let shows = |page: &str, shown: &[usize]| {
        let world = world(&format!(
            "1: upsert t0/1/2 c3=5; upsert t0/1/7 c3=9 | batch at 100 one ttl 20 ## s1 2..4 committed
             2: upsert t0/1/4 c3=1 | auto at 101 one ## s1 5..6 committed
             9: read t0/1 select c1,c2,c3 order c1,-c2{page} stamps | auto at 1 one ## s2 20..30 committed"
        ));
        let kind = Kind { pages: true, ..PLAIN };
        let rows = sim::decode(&answer_of(&world, kind, |_| true));
        assert_eq!(rows.len(), 3);
        let told = sim::encode(shown.iter().map(|i| rows[*i].clone()));
        let clock = std::sync::Arc::new(|tick: history::Tick| tick.0.checked_mul(1_000_000_000));
        let judge = judge(&world, kind, Check::Exhaustive).with_clock(clock, 0);
        match judge.conclude(judge.explain(answered(&world, told))) {
            Judged::Broken(f) => f.shape.name(),
            Judged::Explained(_) => "explained",
            Judged::NotCompared(why) => why,
        }
    };
    for page in ["", " page 1", " page 2"] {
        assert_eq!(shows(page, &[0, 1, 2]), "explained", "before:{page}");
        assert_eq!(shows(page, &[1]), "explained", "after:{page}");
        // What is gone does not come back with a later page.
        assert_eq!(shows(page, &[1, 2]), "torn visit", "backwards:{page}");
    }
    assert_eq!(shows(" page 1", &[0, 1]), "explained");
    assert_eq!(shows(" page 2", &[0, 1]), "explained");
    assert_eq!(shows("", &[0, 1]), "torn visit");
    // They are on one page.
    assert_eq!(shows(" page 3", &[0, 1]), "torn visit");
    assert_eq!(shows(" page 1", &[0, 2]), "missing row");
}

#[test]
fn the_checker_has_four_settings() {
    let world = world(&with(
        "5: update t0/1/2 c3=7 | auto at 300 one ## s1 7..never unknown",
    ));
    let says = |check: Check, rows: Rows| {
        let judge = judge(&world, PLAIN, check);
        match judge.conclude(judge.explain(answered(&world, rows))) {
            Judged::Broken(f) => f.shape.name(),
            Judged::Explained(_) => "explained",
            Judged::NotCompared(why) => why,
        }
    };
    let truth = answer_of(&world, PLAIN, must(&world));
    let mut missing = sim::decode(&truth);
    missing.remove(0);
    let missing = sim::encode(missing.into_iter());
    let mut foreign = sim::decode(&truth);
    foreign[0][2] = Value::Int(77);
    let foreign = sim::encode(foreign.into_iter());
    assert_eq!(says(Check::None, foreign.clone()), "by plan: nothing is checked");
    assert_eq!(says(Check::Visible, truth.clone()), "explained");
    assert_eq!(says(Check::Visible, missing.clone()), "explained");
    assert_eq!(says(Check::Visible, foreign.clone()), "wrong cell");
    assert_eq!(
        says(Check::Quiescent, foreign.clone()),
        "by plan: a visit overlaps it"
    );
    assert_eq!(says(Check::Exhaustive, truth), "explained");
    assert_eq!(says(Check::Exhaustive, missing), "missing row");
    assert_eq!(says(Check::Exhaustive, foreign), "wrong cell");
}
