//! One lie of each shape: found, named, proved; and the truth of the same history, which is silent.
//!
//! A line is a visit in the notation of `history`, then who did it, when its effects may have appeared, and what became
//! of it. The last line is the statement that is answered, during the ticks given.

use crate::judged::{Judged, Options, Probe, Settled};
use crate::testkit::sim::{self, answer};
use crate::testkit::{World, claim, judge, schema, semantics};
use crate::{Judge, words};
use datagen::schema::Schema;
use datagen::value::Value;
use expect_test::{Expect, expect};
use history::{
    Address, Answer, Answered, Lts, Part, Query, Reason, ReasonKind, Regenerate, SessionId, Span, State,
    Step, Tick, Track, Tracker, Visit,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A visit and what became of it: `3: delete t0/1/2 | auto ## s1 10..12 committed`.
pub(crate) fn parse(line: &str) -> (Visit, Track) {
    let (visit, rest) = line.split_once("##").expect("a track after ##");
    let visit: Visit = visit.trim().parse().unwrap_or_else(|e| panic!("{line}: {e}"));
    let mut rest = rest.split_whitespace();
    let session = rest
        .next()
        .expect("a session")
        .trim_start_matches('s')
        .parse()
        .expect("a number");
    let (from, by) = rest.next().expect("ticks").split_once("..").expect("from..by");
    let tick = |t: &str| {
        Tick(if t == "never" {
            u64::MAX
        } else {
            t.parse().expect("a tick")
        })
    };
    let state = match rest.next().expect("a state") {
        "committed" => State::Committed,
        "rejected" => State::Rejected,
        "unknown" => State::Unknown,
        "open" => State::Open,
        other => panic!("no state: {other}"),
    };
    let track = Track {
        state,
        attempt: 0,
        session: SessionId(session),
        visible_from: tick(from),
        visible_by: tick(by),
    };
    (visit, track)
}

fn world(text: &str) -> Arc<World> {
    let visits = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(parse)
        .collect();
    Arc::new(World {
        schema: schema(),
        visits,
    })
}

/// The true answer to the last visit's last step, which sees every visit that was acknowledged before it began.
fn truth(world: &World) -> Answered {
    let (asker, when) = world.visits.last().expect("somebody asks");
    let mut db = BTreeMap::new();
    for (visit, track) in &world.visits {
        if track.state == State::Committed && track.visible_by < when.visible_from {
            for part in &visit.writes {
                let content: &mut crate::twin::state::Content = db.entry(*part).or_default();
                content.play(world.schema.table(part.table), *part, &visit.steps, &semantics());
            }
        }
    }
    let last = asker.steps.len() - 1;
    for part in &asker.writes {
        let content = db.entry(*part).or_default();
        content.play(
            world.schema.table(part.table),
            *part,
            &asker.steps[..last],
            &semantics(),
        );
    }
    let span = Span {
        sent: when.visible_from,
        answered: when.visible_by,
    };
    Answered {
        address: Address {
            lts: asker.lts,
            attempt: 0,
            step: u16::try_from(last).expect("few steps"),
        },
        session: when.session,
        span,
        snapshot: span,
        answer: answer(&world.schema, &asker.steps[last], &mut db),
    }
}

/// The verdict on an answer in words; the twin must say the same, and the truth must be silent.
fn judged(world: &Arc<World>, true_answer: &Answered, told: Answer) -> String {
    let judge = judge(world, claim(), Options::default());
    let right = judge.conclude(judge.explain(true_answer.clone()));
    assert!(
        matches!(right, Judged::Explained(_)),
        "the truth is silent: {right:#?}"
    );
    let lie = Answered {
        answer: told,
        ..true_answer.clone()
    };
    match judge.conclude(judge.explain(lie.clone())) {
        Judged::Broken(f) => {
            let again = judge.again(&mut std::iter::once(lie), &f);
            assert!(matches!(again, Judged::Broken(_)), "the twin: {again:?}");
            let words = words(&f, &world.schema, &claim());
            let proof: Vec<String> = f.proof.iter().map(Lts::to_string).collect();
            format!(
                "{}\n{}\n{}\nproof: {}",
                f.shape.name(),
                words.seen,
                words.proof,
                proof.join(" ")
            )
        }
        other => format!("{other:?}"),
    }
}

/// A read whose rows were changed on the way.
fn check(history: &str, lie: impl FnOnce(&mut Vec<Vec<Value>>), expected: Expect) {
    let world = world(history);
    let truth = truth(&world);
    let Answer::Rows(rows) = &truth.answer else {
        panic!("a read is asked")
    };
    let mut lines = sim::decode(rows);
    lie(&mut lines);
    let told = Answer::Rows(sim::encode(lines.into_iter()));
    expected.assert_eq(&judged(&world, &truth, told));
}

/// A write whose answer was changed on the way.
fn check_write(history: &str, told: Answer, expected: Expect) {
    let world = world(history);
    let truth = truth(&world);
    expected.assert_eq(&judged(&world, &truth, told));
}

/// What every history here begins with: two rows, one of them changed later.
const BASE: &str = "
    1: upsert t0/1/2 c3=5 c4=null; upsert t0/1/7 c3=100 | commit ## s1 1..2 committed
    2: update t0/1/2 c3=900 | auto ## s1 3..4 committed
";

fn after(rest: &str) -> String {
    format!("{BASE}{rest}")
}

const READ: &str = "9: read t0/1 select c1,c2,c3 order c1,-c2 | auto ## s2 20..21 committed";

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
fn a_row_shown_twice_is_noticed() {
    check(
        &after(READ),
        |rows| rows.insert(0, rows[0].clone()),
        expect![[r#"
        duplicate row
        visit 9 (read-partition): row (-128, '\''') of partition (-2147483645) of t0 comes twice
        visit 1 wrote it last; a key stands for one row
        proof: 1"#]],
    );
}

#[test]
fn an_older_cell_is_stale() {
    let old = schema().table(0).domain(datagen::schema::ColumnId(3)).inflate(5);
    check(
        &after(READ),
        |rows| rows[0][2] = old,
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is -32763 and must be -31868
        visit 2 overwrote what is seen
        proof: 1 2"#]],
    );
}

#[test]
fn a_cell_that_nobody_wrote_is_noticed() {
    check(
        &after(READ),
        |rows| rows[0][2] = Value::Int(77),
        expect![[r#"
        wrong cell
        visit 9 (read-partition): column n of row (-128, '\''') of partition (-2147483645) of t0 is 77 and must be -31868
        visit 2 wrote what must be there; no visit ever wrote what is seen
        proof: 2"#]],
    );
}

#[test]
fn a_value_that_is_nobodys_image_is_foreign() {
    check(
        &after(READ),
        |rows| rows[0][2] = Value::Text("zzzzzzzzzz".into()),
        expect![[r#"
        foreign value
        visit 9 (read-partition): column n of a row of partition (-2147483645) of t0 is 'zzzzzzzzzz', which nobody can have written
        no visit is needed to see it
        proof: "#]],
    );
}

#[test]
fn swapped_rows_are_out_of_order() {
    check(
        &after(READ),
        |rows| rows.swap(0, 1),
        expect![[r#"
        wrong order
        visit 9 (read-partition): the right rows come in another order
        no visit is needed to see it
        proof: "#]],
    );
}

#[test]
fn a_missing_column_is_unreadable() {
    check(
        &after(READ),
        |rows| drop(rows[0].pop()),
        expect![[r#"
        unreadable answer
        visit 9 (read-partition): the answer cannot be read: row 1 has 2 columns instead of 3
        no visit is needed to see it
        proof: "#]],
    );
}

#[test]
fn a_deleted_row_must_not_come_back() {
    let deleted = format!("3: delete t0/1/7 | auto ## s1 5..6 committed\n{READ}");
    let world = world(&after(READ));
    let Answer::Rows(rows) = truth(&world).answer else {
        unreachable!()
    };
    let old = sim::decode(&rows);
    check(
        &after(&deleted),
        |rows| *rows = old,
        expect![[r#"
        extra row
        visit 9 (read-partition): row (-21, '') of partition (-2147483645) of t0 is there and must not be
        visit 3 removed it
        proof: 1 3"#]],
    );
}

#[test]
fn a_rolled_back_row_must_not_be_seen() {
    let insert = "3: insert t0/1/4 c3=1 | rollback ## s1 never..never rejected";
    let seen = world(&after(&format!(
        "3: insert t0/1/4 c3=1 | commit ## s1 5..6 committed\n{READ}"
    )));
    let Answer::Rows(rows) = truth(&seen).answer else {
        unreachable!()
    };
    let dirty = sim::decode(&rows);
    check(
        &after(&format!("{insert}\n{READ}")),
        |rows| *rows = dirty,
        expect![[r#"
        extra row
        visit 9 (read-partition): row (-21, '􏿿') of partition (-2147483645) of t0 is there and must not be
        only visit 3 wrote what is seen, and nothing of it was kept
        proof: 3"#]],
    );
}

#[test]
fn a_row_whose_commit_was_not_sent_must_not_be_seen() {
    let insert = "12: insert t0/1/4 c3=1 | commit ## s1 40..41 committed";
    let seen = world(&after(&format!(
        "3: insert t0/1/4 c3=1 | commit ## s1 5..6 committed\n{READ}"
    )));
    let Answer::Rows(rows) = truth(&seen).answer else {
        unreachable!()
    };
    let dirty = sim::decode(&rows);
    let world = {
        let mut world = world(&after(READ));
        Arc::get_mut(&mut world)
            .expect("alone")
            .visits
            .push(parse(insert));
        world
    };
    let mut right = truth(&self::world(&after(READ)));
    right.address.lts = Lts(9);
    let told = Answer::Rows(sim::encode(dirty.into_iter()));
    expect![[r#"
        extra row
        visit 9 (read-partition): row (-21, '􏿿') of partition (-2147483645) of t0 is there and must not be
        only visit 12 wrote what is seen, and its commit was not sent before the answer
        proof: 12"#]]
    .assert_eq(&judged(&world, &right, told));
}

#[test]
fn a_write_taken_back_by_a_savepoint_must_not_be_seen() {
    let visit = "3: savepoint 1; insert t0/1/4 c3=1; rollback to 1 | commit ## s1 5..6 committed";
    let seen = world(&after(&format!(
        "3: insert t0/1/4 c3=1 | commit ## s1 5..6 committed\n{READ}"
    )));
    let Answer::Rows(rows) = truth(&seen).answer else {
        unreachable!()
    };
    let dirty = sim::decode(&rows);
    check(
        &after(&format!("{visit}\n{READ}")),
        |rows| *rows = dirty,
        expect![[r#"
        extra row
        visit 9 (read-partition): row (-21, '􏿿') of partition (-2147483645) of t0 is there and must not be
        only visit 3 wrote what is seen, and nothing of it was kept
        proof: 3"#]],
    );
}

#[test]
fn half_a_visit_is_torn() {
    let visit = "3: update t0/1/2 c3=7; update t0/1/7 c3=8 | commit ## s1 15..30 committed";
    let new = schema().table(0).domain(datagen::schema::ColumnId(3)).inflate(7);
    check(
        &after(&format!("{visit}\n{READ}")),
        |rows| rows[0][2] = new,
        expect![[r#"
        torn visit
        visit 9 (read-partition): one part of the answer shows visit 3, another part does not
        visit 3 was one transaction; no choice of it explains all that was seen
        proof: 3"#]],
    );
}

#[test]
fn a_limit_that_is_ignored_is_counted() {
    let read = "9: read t0/1 select c1,c2,c3 order c1,-c2 limit 1 | auto ## s2 20..21 committed";
    let all = world(&after(READ));
    let Answer::Rows(rows) = truth(&all).answer else {
        unreachable!()
    };
    let all = sim::decode(&rows);
    check(
        &after(read),
        |rows| *rows = all,
        expect![[r#"
        wrong count
        visit 9 (read-limit): 2 rows instead of 1
        no visit is needed to see it
        proof: "#]],
    );
}

#[test]
fn a_wrong_sum_is_noticed() {
    let read = "9: read t0/1 aggregate count,sum:c3 | auto ## s2 20..21 committed";
    check(
        &after(read),
        |rows| rows[0][1] = Value::Int(1),
        expect![[r#"
        wrong aggregate
        visit 9 (read-aggregate): 1 instead of -64536
        visit 2 was the last to write here
        proof: 2"#]],
    );
}

#[test]
fn a_sum_may_come_as_a_numeric() {
    let read = "9: read t0/1 aggregate sum:c3 | auto ## s2 20..21 committed";
    check(
        &after(read),
        |rows| {
            let Value::Int(sum) = rows[0][0] else {
                let Value::Numeric(n, s) = rows[0][0] else {
                    panic!("a sum")
                };
                assert_eq!(s, 0);
                rows[0][0] = Value::Int(i64::try_from(n).unwrap());
                return;
            };
            rows[0][0] = Value::Numeric(i128::from(sum) * 10, 1);
        },
        expect![[
            r#"Explained(Explanation { kinds: ["read-aggregate"], read: true, rows: 1, cells: 1, overlapped: false, replayed: 0 })"#
        ]],
    );
}

#[test]
fn a_wrong_affected_count_is_noticed() {
    let write = "9: update t0/1/2 c3=6 | auto ## s2 20..21 committed";
    check_write(
        &after(write),
        Answer::Affected(0),
        expect![[r#"
        wrong affected count
        visit 9 (update): 0 rows affected instead of 1
        visit 2 was the last to write here
        proof: 2"#]],
    );
    let write = "9: delete t0/1/3 | auto ## s2 20..21 committed";
    check_write(
        &after(write),
        Answer::Affected(1),
        expect![[r#"
        wrong affected count
        visit 9 (delete-row): 1 rows affected instead of 0
        no visit is needed to see it
        proof: "#]],
    );
}

#[test]
fn a_key_that_is_absent_must_not_be_refused() {
    let write = "9: insert! t0/1/3 c3=6 | auto ## s2 20..21 committed";
    let reason = Reason {
        kind: ReasonKind::Duplicate,
        code: "23505".to_owned(),
        text: "duplicate key".to_owned(),
    };
    check_write(
        &after(write),
        Answer::Refused(reason),
        expect![[r#"
        refused as duplicate
        visit 9 (insert-strict): refused as a duplicate, though row (-128, '') of partition (-2147483645) of t0 is absent
        no visit wrote it
        proof: "#]],
    );
}

#[test]
fn a_key_that_is_there_must_be_refused() {
    let write = "9: insert! t0/1/2 c3=6 | auto ## s2 20..21 rejected";
    check_write(
        &after(write),
        Answer::Affected(1),
        expect![[r#"
        accepted duplicate
        visit 9 (insert-strict): accepted, though row (-128, '\''') of partition (-2147483645) of t0 is there
        visit 2 wrote it last; a key stands for one row
        proof: 2"#]],
    );
}

#[test]
fn an_insert_that_does_nothing_on_conflict_must_not_be_refused() {
    let write = "9: insert t0/1/2 c3=6 | auto ## s2 20..21 committed";
    let reason = Reason {
        kind: ReasonKind::Duplicate,
        code: "23505".to_owned(),
        text: "duplicate key".to_owned(),
    };
    check_write(
        &after(write),
        Answer::Refused(reason),
        expect![[r#"
        refused
        visit 9 (insert): refused: duplicate key (23505)
        no visit is needed to see it
        proof: "#]],
    );
}

#[test]
fn what_one_read_showed_the_next_one_shows() {
    let history = after(
        "3: update t0/1/2 c3=7 | auto ## s1 10..60 committed
         5: read t0/1 select c1,c2,c3 | auto ## s2 20..21 committed
         9: read t0/1 select c1,c2,c3 | auto ## s3 30..31 committed",
    );
    let world = world(&history);
    let before = truth(&world);
    let mut later = world.visits.clone();
    later[2].1.visible_by = Tick(19);
    let after = truth(&World {
        schema: schema(),
        visits: later,
    });
    let read = |lts: u64, from: u64, answer: &Answer| {
        let span = Span {
            sent: Tick(from),
            answered: Tick(from + 1),
        };
        Answered {
            address: Address {
                lts: Lts(lts),
                attempt: 0,
                step: 0,
            },
            session: SessionId(2),
            span,
            snapshot: span,
            answer: answer.clone(),
        }
    };
    let both = |first: &Answer, second: &Answer| {
        let judge = judge(&world, claim(), Options::default());
        let answers = [read(5, 20, first), read(9, 30, second)];
        let verdicts: Vec<Judged> = answers
            .iter()
            .map(|a| judge.conclude(judge.explain(a.clone())))
            .collect();
        match &verdicts[1] {
            Judged::Broken(f) => {
                let again = judge.again(&mut answers.into_iter(), f);
                assert!(matches!(again, Judged::Broken(_)), "the twin: {again:?}");
                words(f, &world.schema, &claim()).seen
            }
            _ => "explained".to_owned(),
        }
    };
    let (old, new) = (&before.answer, &after.answer);
    assert_eq!(both(old, old), "explained");
    assert_eq!(both(old, new), "explained");
    assert_eq!(both(new, new), "explained");
    expect!["visit 9 (read-partition): visit 3 is not in it, though the answer to 5.0.0 had shown it"]
        .assert_eq(&both(new, old));
}

#[test]
fn reads_of_one_transaction_see_one_moment() {
    let world = world(&after(
        "3: update t0/1/2 c3=7 | auto ## s1 10..60 committed
         9: read t0/1 select c1,c2,c3; read t0/1 select c1,c2,c3 | commit ## s2 20..21 committed",
    ));
    let old = truth(&world);
    let mut later = world.visits.clone();
    later[2].1.visible_by = Tick(19);
    let new = truth(&World {
        schema: schema(),
        visits: later,
    });
    let both = |first: &Answer, second: &Answer| {
        let judge = judge(&world, claim(), Options::default());
        let snapshot = Span {
            sent: Tick(20),
            answered: Tick(21),
        };
        let answered = |step: u16, sent: u64, answer: &Answer| Answered {
            address: Address {
                lts: Lts(9),
                attempt: 0,
                step,
            },
            session: SessionId(2),
            span: Span {
                sent: Tick(sent),
                answered: Tick(sent + 1),
            },
            snapshot,
            answer: answer.clone(),
        };
        let answers = [answered(0, 20, first), answered(1, 30, second)];
        let verdicts: Vec<Judged> = answers
            .iter()
            .map(|a| judge.conclude(judge.explain(a.clone())))
            .collect();
        match &verdicts[1] {
            Judged::Broken(f) => {
                let again = judge.again(&mut answers.into_iter(), f);
                assert!(matches!(again, Judged::Broken(_)), "the twin: {again:?}");
                format!("{} {:?}", f.shape.name(), f.proof)
            }
            _ => "explained".to_owned(),
        }
    };
    let (old, new) = (&old.answer, &new.answer);
    assert_eq!(both(old, old), "explained");
    assert_eq!(both(new, new), "explained");
    assert_eq!(both(old, new), "torn visit [Lts(3)]");
    assert_eq!(both(new, old), "torn visit [Lts(3)]");
}

#[test]
fn an_answer_that_comes_too_early_is_not_compared() {
    let world = world(&after(&format!(
        "3: update t0/1/2 c3=7 | auto ## s1 10..never open\n{READ}"
    )));
    let judge = judge(&world, claim(), Options::default());
    let verdict = judge.conclude(judge.explain(truth(&world)));
    assert_eq!(verdict, Judged::NotCompared(crate::span::STILL_OPEN));
}

#[test]
fn an_unknown_visit_is_settled_by_what_is_seen() {
    let settle = |visit: &str, lie: &dyn Fn(&mut Vec<Vec<Value>>), applied: bool| {
        let world = world(&after(&format!("{visit}\n{READ}")));
        let mut shown = world.visits.clone();
        shown[2].1.state = if applied {
            State::Committed
        } else {
            State::Rejected
        };
        shown[2].1.visible_by = Tick(19);
        let query: Query = match "7: read t0/1 select c0,c1,c2,c3,c4,c5,c6 | auto"
            .parse::<Visit>()
            .unwrap()
            .steps
            .remove(0)
        {
            Step::Read(query) => query,
            other => panic!("{other:?}"),
        };
        shown.last_mut().expect("the reader").0.steps = vec![Step::Read(query.clone())];
        let mut answered = truth(&World {
            schema: schema(),
            visits: shown,
        });
        let Answer::Rows(rows) = &answered.answer else {
            unreachable!()
        };
        let mut lines = sim::decode(rows);
        lie(&mut lines);
        answered.answer = Answer::Rows(sim::encode(lines.into_iter()));
        let judge = judge(&world, claim(), Options::default());
        let probes = [Probe { query, answered }];
        let settled = judge.settle(Lts(3), &probes);
        let twin = judge.settle_again(Lts(3), &probes);
        let name = |s: &Settled| match s {
            Settled::Committed => "committed",
            Settled::Rejected => "rejected",
            Settled::Alike => "alike",
            Settled::Broken(_) => "broken",
        };
        assert_eq!(name(&settled), name(&twin));
        name(&settled)
    };
    let changing = "3: update t0/1/2 c3=7 | auto ## s1 10..never unknown";
    let idle = "3: update t0/1/3 c3=7 | auto ## s1 10..never unknown";
    assert_eq!(settle(changing, &|_| {}, true), "committed");
    assert_eq!(settle(changing, &|_| {}, false), "rejected");
    assert_eq!(settle(idle, &|_| {}, true), "alike");
    assert_eq!(settle(changing, &|rows| drop(rows.pop()), true), "broken");
}

#[test]
fn the_state_of_a_partition_is_told_at_any_visit() {
    let world = world(&after(READ));
    let judge = judge(&world, claim(), Options::default());
    let part = Part {
        table: 0,
        position: 1,
    };
    let tell = |upto: u64| {
        let state = judge.state_of(part, Lts(upto)).expect("nothing is open");
        let row = |(at, cells): &(u64, history::Cells)| format!("{at}:{:?}", cells[0].1);
        state.rows.iter().map(row).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        [tell(0), tell(1), tell(2)],
        ["", "2:Some(5) 7:Some(100)", "2:Some(900) 7:Some(100)"]
    );
}

/// A world that counts how often it is asked for the next writer.
struct Counted {
    world: Arc<World>,
    asked: AtomicUsize,
}

impl Regenerate for Counted {
    fn schema(&self, at: Lts) -> Arc<Schema> {
        self.world.schema(at)
    }

    fn visit(&self, lts: Lts) -> Option<Visit> {
        self.world.visit(lts)
    }

    fn writer_after(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.world.writer_after(part, lts)
    }

    fn writer_before(&self, part: Part, lts: Lts) -> Option<Lts> {
        self.world.writer_before(part, lts)
    }
}

/// Else a judge that has fallen behind is slower for it, and falls behind further.
#[test]
fn an_old_answer_costs_no_more_because_much_was_written_since() {
    let later: String = (10..400)
        .map(|n| {
            format!(
                "{n}: update t0/1/2 c3=900 | auto ## s1 {}..{} committed\n",
                3 * n,
                3 * n + 1
            )
        })
        .collect();
    let reader = READ.replacen('9', "1000", 1);
    let world = world(&after(&format!("{later}{reader}")));
    let counted = Arc::new(Counted {
        world: Arc::clone(&world),
        asked: AtomicUsize::new(0),
    });
    let judge = Judge::new(
        Arc::clone(&counted) as Arc<dyn Regenerate>,
        Arc::clone(&world) as Arc<dyn Tracker>,
        claim(),
        semantics(),
        Options::default(),
    );
    let judged = judge.explain(truth(&world));
    assert!(matches!(judge.conclude(judged), Judged::Explained(_)));
    let asked = counted.asked.load(Ordering::Relaxed);
    assert!(
        asked <= 4,
        "asked {asked} times for the next writer: two before the snapshot, one after it"
    );
}
