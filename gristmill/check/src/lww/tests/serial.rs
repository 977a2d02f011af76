//! Lightweight transactions: small histories against every order of their calls, and a lost update.

use crate::Judge;
use crate::judge::planted::parse;
use crate::judged::{Judged, Options};
use crate::testkit::draw::Draws;
use crate::testkit::racing::Kind;
use crate::testkit::sim::{decode, encode, reason};
use crate::testkit::{World, schema};
use crate::words;
use datagen::value::Value;
use expect_test::expect;
use history::{
    Address, Answer, Answered, Condition, Discipline, Finding, Op, ReasonKind, Regenerate, SessionId, Span,
    State, Step, Tick, Track, Tracker, Visit,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Row position to liveness and cells (columns 2 and 3).
type Model = BTreeMap<u64, (bool, [Option<u64>; 2])>;

/// Does a visit's write to the model; whether it was applied.
fn write(model: &mut Model, visit: &Visit) -> bool {
    let Some(Step::Write(op)) = visit.steps.first() else {
        panic!("a write")
    };
    let row = op.row().expect("one row");
    let there = model.get(&row).copied();
    let holds = match visit.stamp.expect("given").condition.expect("given") {
        Condition::NotExists => there.is_none(),
        Condition::Exists => there.is_some(),
        Condition::Equals { column, value } => {
            there.and_then(|(_, cells)| cells[usize::from(column.0) - 2]) == value
        }
    };
    if !holds {
        return false;
    }
    let (mut live, mut cells) = there.unwrap_or_default();
    match op {
        Op::Upsert { cells: list, .. } | Op::Update { cells: list, .. } => {
            for (c, d) in list {
                cells[usize::from(c.0) - 2] = *d;
            }
            live |= matches!(op, Op::Upsert { .. });
        }
        Op::DeleteCells { columns, .. } => columns.iter().for_each(|c| cells[usize::from(c.0) - 2] = None),
        Op::DeleteRow { .. } => {
            model.remove(&row);
            return true;
        }
        _ => panic!("no such lightweight transaction"),
    }
    if live || cells.iter().any(Option::is_some) {
        model.insert(row, (live, cells));
    } else {
        model.remove(&row);
    }
    true
}

fn rows(model: &Model) -> Vec<Vec<Value>> {
    let schema = schema();
    let table = schema.table(1);
    let cell = |c: u16, d: Option<u64>| {
        d.map_or(Value::Null, |d| {
            table.domain(datagen::schema::ColumnId(c)).inflate(d)
        })
    };
    model
        .iter()
        .map(|(row, (_, cells))| {
            let mut line = table.rows().inflate(*row);
            line.extend([cell(2, cells[0]), cell(3, cells[1])]);
            line
        })
        .collect()
}

/// Whether every call from here on has a place in some order that real time allows.
fn brute(calls: &[(Visit, Answered)], model: &Model, done: u32) -> bool {
    if done == (1 << calls.len()) - 1 {
        return true;
    }
    let left = |i: usize| done >> i & 1 == 0;
    let unknown = |i: usize| matches!(calls[i].1.answer, Answer::Unknown(_));
    (0..calls.len()).filter(|i| left(*i)).any(|i| {
        let (visit, a) = &calls[i];
        let first = (0..calls.len())
            .all(|j| !left(j) || j == i || unknown(j) || calls[j].1.span.answered > a.span.sent);
        let done = done | 1 << i;
        let mut after = model.clone();
        match &a.answer {
            Answer::Rows(seen) => first && decode(seen) == rows(model) && brute(calls, model, done),
            Answer::Affected(n) => {
                first && write(&mut after, visit) == (*n > 0) && brute(calls, &after, done)
            }
            Answer::Refused(_) => brute(calls, model, done),
            Answer::Unknown(_) => {
                (first && write(&mut after, visit) && brute(calls, &after, done)) || brute(calls, model, done)
            }
        }
    })
}

fn line(draws: &mut Draws, lts: u64) -> String {
    let row = draws.below(2);
    let value = |draws: &mut Draws| 100 * (1 + draws.below(2));
    let text = match draws.below(8) {
        0..=2 => return format!("{lts}: read t1/0 select c1,c2,c3 order c1 | auto at 1 serial"),
        3 => format!(
            "upsert t1/0/{row} c2={} | auto at 1 quorum if not-exists",
            value(draws)
        ),
        4 => format!("delete t1/0/{row} | auto at 1 quorum if exists"),
        5 => format!("delete t1/0/{row} c2 | auto at 1 quorum if exists"),
        6 => format!("update t1/0/{row} c3=1 | auto at 1 quorum if c2={}", value(draws)),
        _ => {
            let (new, old) = (value(draws), draws.one_in(3).then(|| value(draws)));
            let old = old.map_or_else(|| "null".to_owned(), |d| d.to_string());
            format!("update t1/0/{row} c2={new} | auto at 1 quorum if c2={old}")
        }
    };
    format!("{lts}: {text}")
}

/// Three sessions on one partition, truthful.
fn run(seed: u64) -> (World, Vec<(Visit, Answered)>) {
    let mut draws = Draws::new(seed);
    let n = 2 + draws.below(7) as u64;
    let mut visits: Vec<(Visit, Track)> = Vec::new();
    let mut model = Model::new();
    let mut clock = 0;
    let mut work: [Option<(usize, Tick, Option<Answer>)>; 3] = [None, None, None];
    let mut answers = Vec::new();
    while (visits.len() as u64) < n || work.iter().any(Option::is_some) {
        let s = draws.below(3);
        clock += 1;
        match work[s].take() {
            None if (visits.len() as u64) < n => {
                let visit: Visit = line(&mut draws, visits.len() as u64 + 1)
                    .parse()
                    .expect("a visit");
                let track = Track {
                    state: State::Open,
                    attempt: 0,
                    session: SessionId(s as u16),
                    visible_from: if visit.writes.is_empty() {
                        Tick(u64::MAX)
                    } else {
                        Tick(clock)
                    },
                    visible_by: Tick(u64::MAX),
                };
                work[s] = Some((visits.len(), Tick(clock), None));
                visits.push((visit, track));
            }
            None => {}
            Some((i, sent, None)) => {
                let visit = &visits[i].0;
                let answer = if visit.writes.is_empty() {
                    Answer::Rows(encode(rows(&model).into_iter()))
                } else if draws.one_in(6) {
                    if draws.one_in(2) {
                        write(&mut model, visit);
                    }
                    Answer::Unknown(reason(ReasonKind::Deadline))
                } else if draws.one_in(10) {
                    Answer::Refused(reason(ReasonKind::Unavailable))
                } else {
                    Answer::Affected(u64::from(write(&mut model, visit)))
                };
                work[s] = Some((i, sent, Some(answer)));
            }
            Some((i, sent, Some(answer))) => {
                let (visit, track) = &mut visits[i];
                track.state = match answer {
                    Answer::Unknown(_) => State::Unknown,
                    Answer::Refused(_) => State::Rejected,
                    _ => State::Committed,
                };
                if track.state == State::Committed {
                    track.visible_by = Tick(clock);
                }
                let span = Span {
                    sent,
                    answered: Tick(clock),
                };
                let answered = Answered {
                    address: Address {
                        lts: visit.lts,
                        attempt: 0,
                        step: 0,
                    },
                    session: track.session,
                    span,
                    snapshot: span,
                    answer,
                };
                answers.push((visit.clone(), answered));
            }
        }
    }
    let world = World {
        schema: schema(),
        visits,
    };
    (world, answers)
}

/// Every finding about these answers; the floor follows as a run's does.
fn judged(world: World, answers: &[(Visit, Answered)]) -> Vec<Finding> {
    let world = Arc::new(world);
    let kind = Kind::of(0);
    let judge = Judge::new(
        Arc::clone(&world) as Arc<dyn Regenerate>,
        world as Arc<dyn Tracker>,
        kind.claim(),
        kind.semantics(),
        Options {
            discipline: Discipline::Lww,
            ..Options::default()
        },
    );
    let mut found = Vec::new();
    for (i, (_, a)) in answers.iter().enumerate() {
        let floor = answers[i..]
            .iter()
            .map(|(_, a)| a.snapshot.sent)
            .min()
            .expect("one is left");
        judge.floor(floor);
        match judge.conclude(judge.explain(a.clone())) {
            Judged::Broken(finding) => found.push(*finding),
            Judged::Explained(_) => {}
            Judged::NotCompared(why) => {
                let silent = matches!(a.answer, Answer::Unknown(_) | Answer::Refused(_)) || !found.is_empty();
                assert!(silent, "{a}: {why}");
            }
        }
    }
    found.extend(judge.finish());
    found
}

#[test]
fn lightweight_transactions_are_judged_as_every_order_says() {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..2_000 {
        let (world, mut answers) = run(seed);
        let mut draws = Draws::new(seed ^ 0xca5);
        if seed % 2 == 1 {
            let i = draws.below(answers.len());
            let other = draws.below(answers.len());
            let told = match (&answers[i].1.answer, &answers[other].1.answer) {
                (Answer::Affected(n), _) => Answer::Affected(1 - n),
                (Answer::Rows(_), Answer::Rows(rows)) => Answer::Rows(rows.clone()),
                (answer, _) => answer.clone(),
            };
            answers[i].1.answer = told;
        }
        let fits = brute(&answers, &Model::new(), 0);
        assert!(fits || seed % 2 == 1, "seed {seed}: the truth has an order");
        let found = judged(world, &answers);
        assert_eq!(found.is_empty(), fits, "seed {seed}: {found:#?} {answers:#?}");
        right += u64::from(fits);
        wrong += u64::from(!fits);
    }
    assert!(right > 1_000 && wrong > 150, "{right} right, {wrong} wrong");
}

#[test]
fn a_lost_update_has_no_order() {
    let history = "
        1: upsert t1/0/1 c2=100 | auto at 1 quorum if not-exists ## s1 1..2 committed
        2: update t1/0/1 c2=200 | auto at 1 quorum if c2=100 ## s1 3..6 committed
        3: update t1/0/1 c2=300 | auto at 1 quorum if c2=100 ## s2 4..5 committed
        4: read t1/0 select c1,c2,c3 order c1 | auto at 1 serial ## s3 7..8 committed";
    let visits: Vec<(Visit, Track)> = history
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(parse)
        .collect();
    let answer = |i: usize, answer: Answer| {
        let (visit, track) = &visits[i];
        let span = Span {
            sent: track.visible_from,
            answered: track.visible_by,
        };
        let address = Address {
            lts: visit.lts,
            attempt: 0,
            step: 0,
        };
        let answered = Answered {
            address,
            session: track.session,
            span,
            snapshot: span,
            answer,
        };
        (visit.clone(), answered)
    };
    let at = |d: u64| {
        Answer::Rows(encode(
            rows(&Model::from([(1, (true, [Some(d), None]))])).into_iter(),
        ))
    };
    let world = || World {
        schema: schema(),
        visits: visits.clone(),
    };
    let lost = [
        answer(0, Answer::Affected(1)),
        answer(2, Answer::Affected(1)),
        answer(1, Answer::Affected(1)),
        answer(3, at(200)),
    ];
    let found = judged(world(), &lost);
    assert_eq!(found.len(), 1, "{found:#?}");
    let words = words(&found[0], &schema(), &Kind::of(0).claim());
    expect![[r#"
        lightweight transactions on a partition happen one after another, as all answers tell (read committed, real time)
        visit 2 (update): no order that real time allows gives this answer
        every order of the visits that were open then or over last was tried: 3"#]].assert_eq(&format!("{}\n{}\n{}", words.promised, words.seen, words.proof));
    let kept = [
        answer(0, Answer::Affected(1)),
        answer(2, Answer::Affected(1)),
        answer(1, Answer::Affected(0)),
        answer(3, at(300)),
    ];
    assert_eq!(judged(world(), &kept), Vec::new());
    let stale = [
        kept[0].clone(),
        kept[1].clone(),
        kept[2].clone(),
        answer(3, at(100)),
    ];
    assert_eq!(judged(world(), &stale).len(), 1);
    // The first answer went with its worker: what is right stays right, what no order explains is found still.
    assert_eq!(judged(world(), &kept[1..]), Vec::new());
    assert_eq!(judged(world(), &lost[1..]).len(), 1);
}
