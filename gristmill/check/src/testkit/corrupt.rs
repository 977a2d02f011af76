//! Lies on the way from the database to the judge.

use super::draw::Draws;
use super::semantics;
use super::sim::{Db, Run, answer, decode, encode, reason};
use datagen::value::Value;
use history::{Answer, Op, ReasonKind, State, Step};
use std::sync::Arc;

/// Makes one answer a lie, sometimes a harmless one.
pub(crate) fn corrupt(draws: &mut Draws, run: &mut Run) {
    if run.answers.is_empty() {
        return;
    }
    let at = draws.below(run.answers.len());
    let address = run.answers[at].address;
    let schema = Arc::clone(&run.world.schema);
    let visit = history::Regenerate::visit(&*run.world, address.lts).expect("answered");
    let step = visit.steps[usize::from(address.step)].clone();
    let told = match &run.answers[at].answer {
        Answer::Rows(rows) => {
            let Step::Read(query) = &step else { return };
            let mut lines = decode(rows);
            let n = lines.len();
            match draws.below(12) {
                0 if n > 0 => {
                    lines.remove(draws.below(n));
                }
                1 if n > 0 => {
                    let copy = lines[draws.below(n)].clone();
                    lines.insert(draws.below(n + 1), copy);
                }
                2 if n > 1 => {
                    let (a, b) = (draws.below(n), draws.below(n));
                    lines.swap(a, b);
                }
                3 if n > 0 => {
                    let row = draws.below(n);
                    let column = draws.below(lines[row].len());
                    let other = draws.below(n);
                    lines[row][column] = lines[other][column].clone();
                }
                4 if n > 0 => {
                    let row = draws.below(n);
                    let column = draws.below(lines[row].len());
                    lines[row][column] = if draws.one_in(2) {
                        Value::Null
                    } else {
                        Value::Int(77)
                    };
                }
                5..=7 => {
                    // As of another moment of the snapshot: right alone, perhaps not beside what others saw.
                    let (from, to) = (
                        run.answers[at].snapshot.sent.0,
                        run.answers[at].snapshot.answered.0,
                    );
                    let moment = from + draws.below(usize::try_from(to - from).expect("short")) as u64;
                    let mut db = Db::new();
                    for (v, t) in &run.world.visits {
                        let happened = matches!(t.state, State::Committed | State::Unknown);
                        // A visit that spans the moment: either way.
                        let spans = t.visible_by.0 > moment && draws.one_in(2);
                        if !happened || t.visible_from.0 > moment || spans {
                            continue;
                        }
                        for part in &v.writes {
                            let table = schema.table(part.table);
                            db.entry(*part)
                                .or_default()
                                .play(table, *part, &v.steps, &semantics());
                        }
                    }
                    for part in &visit.writes {
                        let upto = &visit.steps[..usize::from(address.step)];
                        db.entry(*part).or_default().play(
                            schema.table(part.table),
                            *part,
                            upto,
                            &semantics(),
                        );
                    }
                    if let Answer::Rows(rows) = answer(&schema, &Step::Read(query.clone()), &mut db) {
                        lines = decode(&rows);
                    }
                }
                _ => {
                    // As of another moment: with only some of the visits applied, whatever became of them.
                    let mut db = Db::new();
                    for (v, _) in &run.world.visits {
                        if draws.one_in(5) {
                            continue;
                        }
                        for part in &v.writes {
                            let table = schema.table(part.table);
                            db.entry(*part)
                                .or_default()
                                .play(table, *part, &v.steps, &semantics());
                        }
                    }
                    if let Answer::Rows(rows) = answer(&schema, &Step::Read(query.clone()), &mut db) {
                        lines = decode(&rows);
                    }
                }
            }
            Answer::Rows(encode(lines.into_iter()))
        }
        Answer::Affected(n) => match (&step, draws.below(3)) {
            (Step::Write(Op::Insert { .. }), 0) => Answer::Refused(reason(ReasonKind::Duplicate)),
            (Step::Write(_), 1) => Answer::Affected(n + 1),
            (Step::Write(_), _) => Answer::Affected(n.saturating_sub(1)),
            _ => return,
        },
        Answer::Refused(_) => Answer::Affected(1),
        Answer::Unknown(_) => return,
    };
    run.answers[at].answer = told;
}
