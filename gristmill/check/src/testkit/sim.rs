//! A database that tells the truth, small and concurrent: draws a history from a seed, runs its sessions step by step in
//! a drawn order, and answers as the claim allows. Then `corrupt` may change an answer.

use super::draw::{Draws, draw_visit};
use super::{World, schema, semantics};
use crate::twin::query;
use crate::twin::state::Content;
use datagen::schema::Schema;
use datagen::value::Value;
use history::{
    Address, Answer, Answered, End, Lts, Op, Part, Parts, Reason, ReasonKind, Rows, SessionId, Snapshot,
    Span, State, Step, Tick, Track, Visit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A finished run.
pub(crate) struct Run {
    pub(crate) world: Arc<World>,
    /// In the order in which they came.
    pub(crate) answers: Vec<Answered>,
}

pub(crate) type Db = BTreeMap<Part, Content>;

struct Session {
    id: SessionId,
    work: Option<Work>,
}

/// A visit on its way.
struct Work {
    visit: usize,
    step: usize,
    stage: u8,
    sent: Tick,
    answer: Option<Answer>,
    /// The transaction's snapshot.
    snapshot: Option<(Span, Db)>,
    applied: bool,
}

/// Runs a drawn history of so many visits. `slow`: commits take long, most visits read, and all crowd into two partitions,
/// so that many reads meet one commit.
pub(crate) fn run(seed: u64, visits: usize, taken: Snapshot, slow: bool) -> Run {
    let mut draws = Draws::new(seed);
    let schema = schema();
    let planned: Vec<Visit> = (0..visits)
        .map(|i| draw_visit(&mut draws, &schema, Lts(i as u64 * 2 + 1), slow))
        .collect();
    let idle = Track {
        state: State::Waiting,
        attempt: 0,
        session: SessionId(0),
        visible_from: Tick(u64::MAX),
        visible_by: Tick(u64::MAX),
    };
    let mut sim = Sim {
        draws,
        schema,
        taken,
        slow,
        tracks: vec![idle; visits],
        planned,
        answers: Vec::new(),
        db: Db::new(),
        retired: BTreeSet::new(),
        clock: 0,
    };
    let mut sessions: Vec<Session> = (1..=4)
        .map(|n| Session {
            id: SessionId(n),
            work: None,
        })
        .collect();
    while sim
        .tracks
        .iter()
        .any(|t| matches!(t.state, State::Waiting | State::Open))
    {
        let i = sim.draws.below(sessions.len());
        sim.advance(&mut sessions[i]);
    }
    let mut answers = sim.answers;
    answers.sort_by_key(|a| a.span.answered);
    let world = World {
        schema: sim.schema,
        visits: sim.planned.into_iter().zip(sim.tracks).collect(),
    };
    Run {
        world: Arc::new(world),
        answers,
    }
}

struct Sim {
    draws: Draws,
    schema: Arc<Schema>,
    taken: Snapshot,
    slow: bool,
    planned: Vec<Visit>,
    tracks: Vec<Track>,
    answers: Vec<Answered>,
    db: Db,
    retired: BTreeSet<Part>,
    clock: u64,
}

impl Sim {
    fn tick(&mut self) -> Tick {
        self.clock += 1;
        Tick(self.clock)
    }

    fn advance(&mut self, session: &mut Session) {
        let Some(mut work) = session.work.take() else {
            session.work = self.start(session.id);
            return;
        };
        let visit = self.planned[work.visit].clone();
        let ends = work.step == visit.steps.len() && !visit.writes.is_empty();
        if self.slow && ends && !self.draws.one_in(10) {
            session.work = Some(work);
            return;
        }
        let goes_on = if work.step < visit.steps.len() {
            self.step(session.id, &visit, &mut work)
        } else {
            self.end(&visit, &mut work)
        };
        if goes_on {
            session.work = Some(work);
        }
    }

    fn start(&mut self, id: SessionId) -> Option<Work> {
        for i in 0..self.planned.len() {
            if self.tracks[i].state != State::Waiting {
                continue;
            }
            let writes = &self.planned[i].writes;
            if writes.iter().any(|p| self.retired.contains(p)) {
                self.tracks[i].state = State::Skipped;
                continue;
            }
            let busy = (0..i).any(|j| {
                matches!(self.tracks[j].state, State::Waiting | State::Open)
                    && self.planned[j].writes.iter().any(|p| writes.contains(p))
            });
            if !busy {
                self.tracks[i].state = State::Open;
                self.tracks[i].session = id;
                return Some(Work {
                    visit: i,
                    step: 0,
                    stage: 0,
                    sent: Tick(0),
                    answer: None,
                    snapshot: None,
                    applied: false,
                });
            }
        }
        None
    }

    /// One statement: sent, done, answered. False when the visit is over.
    fn step(&mut self, id: SessionId, visit: &Visit, work: &mut Work) -> bool {
        let auto = visit.end == End::Autocommit;
        work.stage += 1;
        match work.stage {
            1 => {
                work.sent = self.tick();
                if auto && !visit.writes.is_empty() {
                    self.tracks[work.visit].visible_from = work.sent;
                }
                true
            }
            2 => {
                let fresh = auto || self.taken == Snapshot::Statement || work.snapshot.is_none();
                if fresh {
                    let span = Span {
                        sent: work.sent,
                        answered: Tick(u64::MAX),
                    };
                    work.snapshot = Some((span, self.db.clone()));
                }
                let mut db = work.snapshot.as_ref().expect("just taken").1.clone();
                for part in &visit.writes {
                    let table = self.schema.table(part.table);
                    db.entry(*part)
                        .or_default()
                        .play(table, *part, &visit.steps[..work.step], &semantics());
                }
                let answer = answer(&self.schema, &visit.steps[work.step], &mut db);
                if auto && !visit.writes.is_empty() && !matches!(answer, Answer::Refused(_)) {
                    work.applied = !self.draws.one_in(20);
                    if work.applied {
                        self.apply(visit);
                    }
                }
                work.answer = Some(answer);
                true
            }
            _ => {
                let answered = self.tick();
                let span = Span {
                    sent: work.sent,
                    answered,
                };
                let kept = work.snapshot.as_mut().expect("taken at the second stage");
                if kept.0.answered == Tick(u64::MAX) {
                    kept.0.answered = answered;
                }
                let snapshot = if auto { span } else { kept.0 };
                let mut answer = work.answer.take().expect("made at the second stage");
                let refused = matches!(answer, Answer::Refused(_));
                let wrote = auto && !visit.writes.is_empty();
                if wrote && !refused && (!work.applied || self.draws.one_in(12)) {
                    answer = Answer::Unknown(reason(ReasonKind::Disconnected));
                }
                let unknown = matches!(answer, Answer::Unknown(_));
                self.answers.push(Answered {
                    address: Address {
                        lts: visit.lts,
                        attempt: 0,
                        step: u16::try_from(work.step).expect("few steps"),
                    },
                    session: id,
                    span,
                    snapshot,
                    answer,
                });
                work.stage = 0;
                work.step += 1;
                if refused {
                    self.tracks[work.visit].state = State::Rejected;
                    return false;
                }
                if auto {
                    self.over(visit, work, answered, unknown);
                    return false;
                }
                true
            }
        }
    }

    /// COMMIT or ROLLBACK: sent, done, answered. False when the visit is over.
    fn end(&mut self, visit: &Visit, work: &mut Work) -> bool {
        if visit.end == End::Rollback || visit.writes.is_empty() {
            self.tick();
            let rolled_back = visit.end == End::Rollback;
            self.tracks[work.visit].state = if rolled_back {
                State::Rejected
            } else {
                State::Committed
            };
            return false;
        }
        work.stage += 1;
        match work.stage {
            1 => {
                let from = self.tick();
                self.tracks[work.visit].visible_from = from;
                true
            }
            2 => {
                work.applied = !self.draws.one_in(8);
                if work.applied {
                    self.apply(visit);
                }
                true
            }
            _ => {
                let answered = self.tick();
                let unknown = self.draws.one_in(10);
                if !work.applied && !unknown {
                    self.tracks[work.visit].state = State::Rejected;
                } else {
                    self.over(visit, work, answered, unknown);
                }
                false
            }
        }
    }

    /// Says what became of a visit that was applied or not, and acknowledged or not.
    fn over(&mut self, visit: &Visit, work: &Work, answered: Tick, unknown: bool) {
        let settled = self.draws.one_in(2);
        let track = &mut self.tracks[work.visit];
        if !unknown || (settled && work.applied) {
            track.state = State::Committed;
            track.visible_by = answered;
        } else if settled {
            track.state = State::Rejected;
        } else {
            track.state = State::Unknown;
            self.retired.extend(visit.writes.iter().copied());
        }
    }

    fn apply(&mut self, visit: &Visit) {
        for part in &visit.writes {
            let table = self.schema.table(part.table);
            self.db
                .entry(*part)
                .or_default()
                .play(table, *part, &visit.steps, &semantics());
        }
    }
}

pub(crate) fn reason(kind: ReasonKind) -> Reason {
    Reason {
        kind,
        code: String::new(),
        text: String::new(),
    }
}

/// The true answer of a statement; a write is applied to `db`.
pub(crate) fn answer(schema: &Schema, step: &Step, db: &mut Db) -> Answer {
    match step {
        Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => Answer::Affected(0),
        Step::Write(op) => {
            let content = db.entry(op.part()).or_default();
            if let Op::Insert {
                row, strict: true, ..
            } = op
                && content.rows.contains_key(row)
            {
                return Answer::Refused(reason(ReasonKind::Duplicate));
            }
            Answer::Affected(content.apply(schema.table(op.part().table), op, &semantics()))
        }
        Step::Read(query) => {
            let wanted = |part: &Part| {
                part.table == query.table
                    && match &query.parts {
                        Parts::One(p) => part.position == *p,
                        Parts::In(list) => list.contains(&part.position),
                        Parts::All | Parts::Ring { .. } => true,
                    }
            };
            let contents: Db = db
                .iter()
                .filter(|(p, _)| wanted(p))
                .map(|(p, c)| (*p, c.clone()))
                .collect();
            let lines = query::lines(query, schema, &contents, &semantics(), false);
            let offset = if query.limit.is_some() {
                query.offset as usize
            } else {
                0
            };
            let limit = query.limit.map_or(usize::MAX, |n| n as usize);
            Answer::Rows(encode(lines.into_iter().skip(offset).take(limit).map(|(_, l)| l)))
        }
    }
}

pub(crate) fn encode(lines: impl Iterator<Item = Vec<Value>>) -> Rows {
    let mut rows = Rows::default();
    for line in lines {
        line.iter().for_each(|v| v.encode(&mut rows.bytes));
        rows.end_row();
    }
    rows
}

pub(crate) fn decode(rows: &Rows) -> Vec<Vec<Value>> {
    crate::twin::decode(rows).expect("our own rows can be read")
}
