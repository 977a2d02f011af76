//! A database where the greatest timestamp wins, small and truthful: several writers of one partition at once, replicas
//! that lag, visits of which nobody knows whether they happened, values that expire.

use super::draw::{Draws, draw_query};
use super::race::{draw_write, stamp};
use super::sim::{Run, decode, encode, reason};
use super::{World, composites, counters, lists, schema, semantics};
use crate::twin::query;
use crate::twin::race::{Race, Written, written};
use crate::twin::state::Content;
use datagen::schema::Schema;
use datagen::value::Value;
use history::{
    Address, Answer, Answered, Atomic, Claim, Consistency, End, Level, Lts, Part, Parts, Query, ReasonKind,
    Rows, Select, Semantics, SessionId, Snapshot, Span, State, Step, Tick, Ties, Track, Visit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A tick in nanoseconds.
pub(crate) const TICK: u64 = 250_000_000;

/// What is different from run to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) replicas: u16,
    /// Reads may be cut into pages, each atomic by itself.
    pub(crate) pages: bool,
    /// Values expire.
    pub(crate) expire: bool,
    /// Commits take long, all crowd into one partition.
    pub(crate) slow: bool,
    /// How many different timestamps; few: they meet.
    pub(crate) times: usize,
    pub(crate) ties: Ties,
    /// Weaker consistency levels than half of the replicas.
    pub(crate) weak: bool,
    /// The first table has columns whose elements are cells.
    pub(crate) composites: bool,
    /// The first table has counters and nothing else.
    pub(crate) counters: bool,
    /// The first table has lists whose elements are cells; nothing expires.
    pub(crate) lists: bool,
}

impl Kind {
    /// One of every sort, by number.
    pub(crate) fn of(seed: u64) -> Self {
        Self {
            replicas: if seed % 5 == 3 { 3 } else { 1 },
            pages: seed % 3 == 1,
            expire: seed % 7 == 2,
            slow: seed % 2 == 1,
            times: [3, 10, 1000][usize::try_from(seed / 3 % 3).expect("below 3")],
            ties: if seed.is_multiple_of(4) {
                Ties::GreatestBytes
            } else {
                Ties::Greatest
            },
            weak: seed % 10 == 3,
            composites: seed % 8 >= 5,
            counters: seed % 8 == 3,
            lists: seed % 8 == 4,
        }
    }

    /// The tables of a run.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        match (self.composites, self.counters, self.lists) {
            (_, true, _) => counters(),
            (true, ..) => composites(),
            (_, _, true) => lists(),
            _ => schema(),
        }
    }

    pub(crate) fn claim(&self) -> Claim {
        Claim {
            level: Level::ReadCommitted,
            real_time: true,
            hidden_until_commit: true,
            atomic: if self.pages { Atomic::Page } else { Atomic::Visit },
            snapshot: Snapshot::Statement,
            durable: true,
        }
    }

    pub(crate) fn semantics(&self) -> Semantics {
        Semantics {
            update_creates_rows: true,
            affected: history::Affected::NotReported,
            ties: self.ties,
            replicas: self.replicas,
            ..semantics()
        }
    }
}

/// A write on a replica: since which tick, by the coordinator's clock.
#[derive(Clone)]
struct Kept {
    write: Written,
    /// The number of the statement in its visit.
    nth: usize,
    at: u64,
}

type Replica = BTreeMap<Part, Vec<Kept>>;

struct Sim {
    draws: Draws,
    kind: Kind,
    schema: Arc<Schema>,
    planned: Vec<Visit>,
    tracks: Vec<Track>,
    answers: Vec<Answered>,
    replicas: Vec<Replica>,
    /// Visits still on their way to replicas.
    late: Vec<(usize, usize, u64)>,
    next: usize,
    clock: u64,
}

struct Work {
    visit: usize,
    stage: u8,
    sent: Tick,
    rows: Option<Rows>,
    /// The first page, as it was seen before the rest.
    first: Option<FirstPage>,
}

/// Its rows, and the partition and row that it ended with.
type FirstPage = (Vec<Vec<Value>>, (u64, u64));

/// Runs a drawn history of so many visits.
pub(crate) fn run(seed: u64, visits: usize, kind: Kind) -> Run {
    let mut draws = Draws::new(seed);
    let schema = kind.schema();
    let planned: Vec<Visit> = (0..visits)
        .map(|i| draw(&mut draws, &schema, Lts(i as u64 * 2 + 1), kind))
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
        kind,
        schema,
        tracks: vec![idle; visits],
        planned,
        answers: Vec::new(),
        replicas: vec![Replica::new(); usize::from(kind.replicas)],
        late: Vec::new(),
        next: 0,
        clock: 0,
    };
    let mut sessions: Vec<Option<Work>> = (0..4).map(|_| None).collect();
    while sim.next < visits || sessions.iter().any(Option::is_some) {
        let i = sim.draws.below(sessions.len());
        let id = SessionId(u16::try_from(i + 1).expect("few"));
        let work = sessions[i].take();
        sessions[i] = sim.advance(id, work);
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

fn draw(draws: &mut Draws, schema: &Schema, lts: Lts, kind: Kind) -> Visit {
    let mut visit = if draws.below(5) < 2 {
        let mut query = draw_query(draws, schema, kind.slow);
        if matches!(query.select, Select::Columns(_)) {
            query.extras.stamps = draws.one_in(2);
            let shared = schema.table(query.table).shared.first().map(|c| c.id);
            if let (Select::Columns(columns), Some(shared), true) = (
                &mut query.select,
                shared,
                query.from == history::From::Table && draws.one_in(2),
            ) {
                columns.push(shared);
            }
        }
        if draws.one_in(6) {
            query.extras.per_partition = Some(1 + u32::try_from(draws.below(3)).expect("small"));
        }
        if kind.pages && draws.one_in(2) {
            query.extras.page = Some(1 + u32::try_from(draws.below(3)).expect("small"));
        }
        Visit {
            lts,
            level: Level::ReadCommitted,
            writes: Vec::new(),
            steps: vec![Step::Read(query)],
            end: End::Autocommit,
            stamp: Some(stamp(draws, kind.times)),
        }
    } else {
        let part = Part {
            table: u16::from(draws.one_in(if kind.slow { 6 } else { 2 })),
            position: draws.below(if kind.slow { 1 } else { 3 }) as u64,
        };
        draw_write(draws, schema, part, lts, kind.times)
    };
    let levels = if kind.weak {
        [Consistency::One, Consistency::Quorum, Consistency::All]
    } else {
        [Consistency::Quorum, Consistency::Quorum, Consistency::All]
    };
    let stamp = visit.stamp.as_mut().expect("just given");
    stamp.consistency = if kind.replicas == 1 {
        Consistency::One
    } else {
        draws.pick(&levels)
    };
    let adds = visit.writes.iter().any(|part| schema.table(part.table).counts());
    stamp.ttl = (kind.expire && !adds && !kind.lists && draws.one_in(2))
        .then(|| 2 + u32::try_from(draws.below(4)).expect("small"));
    visit
}

impl Sim {
    fn tick(&mut self) -> Tick {
        self.clock += 1;
        Tick(self.clock)
    }

    fn advance(&mut self, id: SessionId, work: Option<Work>) -> Option<Work> {
        self.deliver();
        let Some(mut work) = work else {
            if self.next == self.planned.len() {
                return None;
            }
            self.next += 1;
            return Some(Work {
                visit: self.next - 1,
                stage: 0,
                sent: Tick(0),
                rows: None,
                first: None,
            });
        };
        if self.kind.slow && work.stage > 0 && !self.draws.one_in(6) {
            return Some(work);
        }
        let visit = self.planned[work.visit].clone();
        work.stage += 1;
        let reads = visit.writes.is_empty();
        match (work.stage, reads) {
            (1, _) => {
                work.sent = self.tick();
                let track = &mut self.tracks[work.visit];
                (track.state, track.session) = (State::Open, id);
                if !reads {
                    track.visible_from = work.sent;
                }
                Some(work)
            }
            (2, true) => {
                self.look(&visit, &mut work);
                Some(work)
            }
            (2, false) => {
                if self.draws.one_in(15) {
                    self.tracks[work.visit].state = State::Rejected;
                    self.answer(
                        &visit,
                        id,
                        work.sent,
                        Answer::Refused(reason(ReasonKind::Unavailable)),
                    );
                    return None;
                }
                if self.draws.one_in(8) {
                    // Nobody answers; it arrives somewhere later, or never.
                    for replica in 0..self.replicas.len() {
                        if self.draws.one_in(2) {
                            self.late.push((work.visit, replica, self.clock));
                        }
                    }
                    self.tracks[work.visit].state = State::Unknown;
                    let why = Answer::Unknown(reason(ReasonKind::Deadline));
                    self.answer(&visit, id, work.sent, why);
                    return None;
                }
                let level = visit
                    .stamp
                    .expect("given")
                    .consistency
                    .replicas(self.kind.replicas);
                let first = self.draws.below(self.replicas.len());
                for i in 0..self.replicas.len() {
                    let replica = (first + i) % self.replicas.len();
                    if i < usize::from(level) {
                        self.put(work.visit, replica, self.clock);
                    } else if !self.draws.one_in(3) {
                        self.late.push((work.visit, replica, self.clock));
                    }
                }
                Some(work)
            }
            (3, true) if work.first.is_some() && self.draws.one_in(2) => {
                work.stage = 2;
                Some(work)
            }
            (_, true) => {
                if work.first.is_some() {
                    self.look(&visit, &mut work);
                }
                let rows = work.rows.take().expect("looked");
                self.answer(&visit, id, work.sent, Answer::Rows(rows));
                self.tracks[work.visit].state = State::Committed;
                None
            }
            (_, false) => {
                self.answer(&visit, id, work.sent, Answer::Affected(0));
                let track = &mut self.tracks[work.visit];
                track.state = State::Committed;
                track.visible_by = Tick(self.clock);
                None
            }
        }
    }

    fn answer(&mut self, visit: &Visit, session: SessionId, sent: Tick, answer: Answer) {
        let span = Span {
            sent,
            answered: self.tick(),
        };
        self.answers.push(Answered {
            address: Address {
                lts: visit.lts,
                attempt: 0,
                step: 0,
            },
            session,
            span,
            snapshot: span,
            answer,
        });
    }

    fn deliver(&mut self) {
        if !self.late.is_empty() && self.draws.one_in(6) {
            let i = self.draws.below(self.late.len());
            let (visit, replica, at) = self.late.swap_remove(i);
            self.put(visit, replica, at);
        }
    }

    fn put(&mut self, visit: usize, replica: usize, at: u64) {
        let visit = self.planned[visit].clone();
        for part in &visit.writes {
            let kept = self.replicas[replica].entry(*part).or_default();
            let writes = written(&visit, *part).into_iter().enumerate();
            kept.extend(writes.map(|(nth, write)| Kept { write, nth, at }));
        }
    }

    /// Reads, or reads on where the first page was read before.
    fn look(&mut self, visit: &Visit, work: &mut Work) {
        let Some(Step::Read(query)) = visit.steps.first() else {
            unreachable!("only reads look")
        };
        let level = visit
            .stamp
            .expect("given")
            .consistency
            .replicas(self.kind.replicas);
        let first = self.draws.below(self.replicas.len());
        let asked: Vec<usize> = (0..usize::from(level))
            .map(|i| (first + i) % self.replicas.len())
            .collect();
        let mut merged = Replica::new();
        for replica in &asked {
            for (part, kept) in &self.replicas[*replica] {
                merged.entry(*part).or_default().extend(kept.iter().cloned());
            }
        }
        // Whoever was asked knows it all from now on.
        for replica in &asked {
            let parts: Vec<Part> = merged.keys().copied().filter(|p| wants(query, *p)).collect();
            for part in parts {
                self.replicas[*replica].insert(part, merged[&part].clone());
            }
        }
        let lines = rows_of(query, &self.schema, &merged, self.clock, &self.kind.semantics());
        let page = query
            .extras
            .page
            .filter(|_| pages_by_key(query))
            .map(|n| n as usize);
        let all = |lines: &[(query::Row, Vec<Value>)]| -> Vec<Vec<Value>> {
            lines.iter().map(|(_, line)| line.clone()).collect()
        };
        match (page, work.first.take()) {
            (Some(n), None) if lines.len() > n => {
                let last = place(query, &self.schema, &lines[n - 1].0);
                work.first = Some((all(&lines[..n]), last));
            }
            (Some(_), Some((mut first, last))) => {
                let unlimited = Query {
                    limit: None,
                    ..query.clone()
                };
                let lines = rows_of(
                    &unlimited,
                    &self.schema,
                    &merged,
                    self.clock,
                    &self.kind.semantics(),
                );
                let rest = lines
                    .iter()
                    .filter(|(row, _)| place(query, &self.schema, row) > last);
                first.extend(rest.map(|(_, line)| line.clone()));
                first.truncate(query.limit.map_or(usize::MAX, |n| n as usize));
                work.rows = Some(encode(first.into_iter()));
            }
            _ => work.rows = Some(encode(all(&lines).into_iter())),
        }
    }
}

/// The partition and the row of a line; after the last row, where it is one of shared cells alone.
fn place(query: &Query, schema: &Schema, row: &query::Row) -> (u64, u64) {
    let table = schema.table(query.table);
    let key = |columns: &[datagen::schema::KeyColumn]| -> Vec<Value> {
        let ids = columns.iter().map(|k| k.column.id);
        ids.map(|c| row.get(&c).cloned().unwrap_or(Value::Null)).collect()
    };
    let part = table.partitions().deflate(&key(&table.partition));
    let at = table.rows().deflate(&key(&table.clustering));
    (part.unwrap_or(u64::MAX), at.unwrap_or(u64::MAX))
}

/// Whether a read can go on after a key.
fn pages_by_key(query: &Query) -> bool {
    matches!(query.select, Select::Columns(_))
        && query.order.is_empty()
        && query.offset == 0
        && query.extras.per_partition.is_none()
        && query.from != history::From::Shared
}

fn wants(query: &Query, part: Part) -> bool {
    part.table == query.table
        && match &query.parts {
            Parts::One(p) => part.position == *p,
            Parts::In(list) => list.contains(&part.position),
            Parts::All | Parts::Ring { .. } => true,
        }
}

/// Whether what was written at a tick has expired at another one, by whole seconds.
fn is_gone(written: u64, ttl: u32, now: u64) -> bool {
    let seconds = |tick: u64| tick * TICK / 1_000_000_000;
    seconds(now) >= seconds(written) + u64::from(ttl)
}

fn rows_of(
    query: &Query,
    schema: &Schema,
    db: &Replica,
    now: u64,
    semantics: &Semantics,
) -> Vec<(query::Row, Vec<Value>)> {
    let mut contents: BTreeMap<Part, Content> = BTreeMap::new();
    let mut all: BTreeMap<Part, Vec<Written>> = BTreeMap::new();
    let came: BTreeMap<Lts, u64> = db.values().flatten().map(|k| (k.write.lts, k.at)).collect();
    for (part, kept) in db.iter().filter(|(p, _)| wants(query, **p)) {
        let once: BTreeMap<(Lts, usize), &Written> =
            kept.iter().map(|k| ((k.write.lts, k.nth), &k.write)).collect();
        let writes: Vec<Written> = once.into_values().cloned().collect();
        let expired: BTreeSet<Lts> = kept
            .iter()
            .filter(|k| k.write.ttl.is_some_and(|ttl| is_gone(k.at, ttl, now)))
            .map(|k| k.write.lts)
            .collect();
        let race = Race {
            table: schema.table(part.table),
            writes: &writes,
            expired: &expired,
            semantics,
        };
        // Two expiring values at one timestamp: the judge must not compare it, whatever is answered.
        contents.insert(*part, race.content().unwrap_or_default());
        all.insert(*part, writes);
    }
    let mut lines = query::lines(query, schema, &contents, semantics, true);
    let table = schema.table(query.table);
    for (_, line) in &mut lines {
        *line = crate::twin::lists::told(table, query, line, &all, &|lts| came[&lts]);
    }
    let offset = if query.limit.is_some() {
        query.offset as usize
    } else {
        0
    };
    lines.drain(..offset.min(lines.len()));
    lines.truncate(query.limit.map_or(usize::MAX, |n| n as usize));
    lines
}

/// Makes one read's answer a lie, sometimes a harmless one.
pub(crate) fn corrupt(draws: &mut Draws, run: &mut Run, kind: Kind) {
    let reads: Vec<usize> = (0..run.answers.len())
        .filter(|i| matches!(run.answers[*i].answer, Answer::Rows(_)))
        .collect();
    if reads.is_empty() {
        return;
    }
    let at = draws.pick(&reads);
    let a = run.answers[at].clone();
    let visit = history::Regenerate::visit(&*run.world, a.address.lts).expect("answered");
    let (Step::Read(query), Answer::Rows(rows)) = (&visit.steps[0], &a.answer) else {
        unreachable!("a read with rows")
    };
    let mut lines = decode(rows);
    let n = lines.len();
    match draws.below(10) {
        0 if n > 0 => drop(lines.remove(draws.below(n))),
        1 if n > 0 => {
            let copy = lines[draws.below(n)].clone();
            lines.insert(draws.below(n + 1), copy);
        }
        2 if n > 0 => {
            let (row, other) = (draws.below(n), draws.below(n));
            let column = draws.below(lines[row].len());
            lines[row][column] = lines[other][column].clone();
        }
        3 if n > 0 => {
            let row = draws.below(n);
            let column = draws.below(lines[row].len());
            lines[row][column] = match &lines[row][column] {
                Value::Int(n) if draws.one_in(2) => Value::Int(n.wrapping_add(1)),
                _ => Value::Null,
            };
        }
        _ => {
            // As of another moment, or with something forgotten: some of the visits, whatever became of them.
            let forgets = 2 + draws.below(12);
            let mut db = Replica::new();
            for (v, t) in &run.world.visits {
                let begun = t.visible_from.0 < a.snapshot.answered.0 || draws.one_in(8);
                if draws.one_in(forgets) || !begun || (t.state == State::Rejected && !draws.one_in(3)) {
                    continue;
                }
                for part in &v.writes {
                    let kept = written(v, *part)
                        .into_iter()
                        .enumerate()
                        .map(|(nth, write)| Kept {
                            write,
                            nth,
                            at: t.visible_from.0.min(a.snapshot.sent.0),
                        });
                    db.entry(*part).or_default().extend(kept);
                }
            }
            let now = a.snapshot.sent.0;
            let told = rows_of(query, &run.world.schema, &db, now, &kind.semantics());
            lines = told.into_iter().map(|(_, line)| line).collect();
        }
    }
    run.answers[at].answer = Answer::Rows(encode(lines.into_iter()));
}
