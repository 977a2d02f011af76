//! A database that tells the truth, small and concurrent: draws a history from a seed, runs its sessions step by step in
//! a drawn order, and answers as the claim allows. Then somebody may corrupt an answer.

use super::{World, schema, semantics};
use crate::twin::query;
use crate::twin::state::Content;
use datagen::schema::{ColumnId, Schema, Table};
use datagen::stream::mix;
use datagen::universe::Slice;
use datagen::value::{Order, Value};
use history::{
    Address, Aggregate, Answer, Answered, Cells, End, From, Level, Lts, Op, Part, Parts, Predicate, Query,
    Reason, ReasonKind, Relation, RowChoice, Rows, Select, SessionId, Snapshot, Span, State, Step, Tick,
    Track, Visit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Draws in a row from one seed.
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x6772_6973_746d_696c))
    }

    /// Below `n`, which is at least 1.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mix(self.0) % n as u64).expect("below n")
    }

    /// True one time in `n`.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// A finished run.
pub(crate) struct Run {
    pub(crate) world: Arc<World>,
    /// In the order in which they came.
    pub(crate) answers: Vec<Answered>,
}

type Db = BTreeMap<Part, Content>;

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

fn reason(kind: ReasonKind) -> Reason {
    Reason {
        kind,
        code: String::new(),
        text: String::new(),
    }
}

/// The true answer of a statement; a write is applied to `db`.
pub(crate) fn answer(schema: &Schema, step: &Step, db: &mut Db) -> Answer {
    match step {
        Step::Savepoint(_) | Step::RollbackTo(_) => Answer::Affected(0),
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
                        Parts::All => true,
                    }
            };
            let contents: Db = db
                .iter()
                .filter(|(p, _)| wanted(p))
                .map(|(p, c)| (*p, c.clone()))
                .collect();
            let lines = query::lines(query, schema, &contents, query::nulls(&semantics()));
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

// What is drawn.

fn draw_part(draws: &mut Draws, crowded: bool) -> Part {
    Part {
        table: u16::from(draws.one_in(if crowded { 6 } else { 2 })),
        position: draws.below(if crowded { 1 } else { 3 }) as u64,
    }
}

fn draw_visit(draws: &mut Draws, schema: &Schema, lts: Lts, slow: bool) -> Visit {
    let mut visit = Visit {
        lts,
        level: Level::Serializable,
        writes: Vec::new(),
        steps: Vec::new(),
        end: End::Commit,
    };
    if draws.one_in(3) || (slow && draws.below(5) > 1) {
        for _ in 0..=draws.below(3) {
            visit.steps.push(Step::Read(draw_query(draws, schema, slow)));
        }
        if visit.steps.len() == 1 {
            visit.end = End::Autocommit;
        }
        return visit;
    }
    let mut parts: Vec<Part> = (0..=draws.below(2)).map(|_| draw_part(draws, slow)).collect();
    parts.sort_unstable();
    parts.dedup();
    if draws.one_in(12) {
        let op = match draw_insert(draws, schema, parts[0]) {
            Op::Insert { part, row, cells, .. } => Op::Insert {
                part,
                row,
                cells,
                strict: true,
            },
            other => other,
        };
        visit.steps.push(Step::Write(op));
    }
    let mut saved = false;
    for _ in 0..=draws.below(4) {
        let step = match draws.below(10) {
            0 | 1 => Step::Read(draw_query(draws, schema, slow)),
            2 if saved => Step::RollbackTo(1),
            3 => {
                saved = true;
                Step::Savepoint(1)
            }
            _ => {
                let part = draws.pick(&parts);
                Step::Write(draw_op(draws, schema, part))
            }
        };
        visit.steps.push(step);
    }
    visit.writes = parts;
    let simple =
        matches!(visit.steps.as_slice(), [Step::Write(op)] if !matches!(op, Op::DeletePartition { .. }));
    visit.end = match draws.below(6) {
        0 => End::Rollback,
        1..=3 if simple && visit.writes.len() == 1 => End::Autocommit,
        _ => End::Commit,
    };
    visit
}

fn draw_value(draws: &mut Draws, table: &Table, column: ColumnId) -> Option<u64> {
    if draws.one_in(5) {
        return None;
    }
    let domain = table.domain(column);
    if draws.one_in(3) && !domain.specials().is_empty() {
        return Some(draws.pick(domain.specials()));
    }
    let size = u64::try_from(domain.size().min(1 << 60)).expect("at most 2^60");
    Some(size / 4 * draws.below(4) as u64)
}

fn draw_cells(draws: &mut Draws, table: &Table, columns: &[ColumnId], least: usize) -> Cells {
    let mut chosen: Vec<ColumnId> = columns.iter().copied().filter(|_| draws.one_in(2)).collect();
    if chosen.len() < least {
        chosen = vec![draws.pick(columns)];
    }
    chosen
        .into_iter()
        .map(|c| (c, draw_value(draws, table, c)))
        .collect()
}

fn ids(columns: &[datagen::schema::Column]) -> Vec<ColumnId> {
    columns.iter().map(|c| c.id).collect()
}

fn draw_row(draws: &mut Draws, table: &Table) -> u64 {
    let n = usize::try_from(table.rows().len()).expect("few rows");
    draws.below(n) as u64
}

fn draw_insert(draws: &mut Draws, schema: &Schema, part: Part) -> Op {
    let table = schema.table(part.table);
    let row = draw_row(draws, table);
    Op::Insert {
        part,
        row,
        cells: draw_cells(draws, table, &ids(&table.regular), 0),
        strict: false,
    }
}

fn draw_op(draws: &mut Draws, schema: &Schema, part: Part) -> Op {
    let table = schema.table(part.table);
    let row = draw_row(draws, table);
    let regular = ids(&table.regular);
    match draws.below(12) {
        0 | 1 | 2 => draw_insert(draws, schema, part),
        3 | 4 | 5 => Op::Upsert {
            part,
            row,
            cells: draw_cells(draws, table, &regular, 1),
        },
        6 | 7 => Op::Update {
            part,
            row,
            cells: draw_cells(draws, table, &regular, 1),
        },
        8 if !table.shared.is_empty() => Op::Shared {
            part,
            cells: draw_cells(draws, table, &ids(&table.shared), 1),
        },
        9 => Op::DeleteRow { part, row },
        10 if draws.one_in(2) => Op::DeleteCells {
            part,
            row,
            columns: draw_cells(draws, table, &regular, 1)
                .into_iter()
                .map(|(c, _)| c)
                .collect(),
        },
        11 if draws.one_in(3) => Op::DeletePartition { part },
        _ => Op::DeleteSlice {
            part,
            slice: draw_slice(draws, table),
        },
    }
}

fn draw_slice(draws: &mut Draws, table: &Table) -> Slice {
    let rows = table.rows();
    let digit = |j: usize, draws: &mut Draws| {
        u32::try_from(draws.below(usize::try_from(rows.radix(j)).expect("small"))).expect("small")
    };
    let depth = draws.below(rows.columns());
    let prefix: Vec<u32> = (0..depth).map(|j| digit(j, draws)).collect();
    let bound = |draws: &mut Draws| {
        if draws.one_in(3) {
            None
        } else {
            Some((digit(depth, draws), draws.one_in(2)))
        }
    };
    let (lower, upper) = (bound(draws), bound(draws));
    Slice { prefix, lower, upper }
}

fn draw_query(draws: &mut Draws, schema: &Schema, crowded: bool) -> Query {
    let part = draw_part(draws, crowded);
    let table = schema.table(part.table);
    let parts = match draws.below(6) {
        0 if part.table == 1 => Parts::All,
        1 => {
            let mut list: Vec<u64> = (0..=draws.below(3)).map(|_| draws.below(3) as u64).collect();
            list.sort_unstable();
            list.dedup();
            Parts::In(list)
        }
        _ => Parts::One(part.position),
    };
    let shares = !table.shared.is_empty();
    let from = match draws.below(8) {
        0 if shares => From::Shared,
        1 if shares => From::InnerJoin,
        2 if shares => From::LeftJoin,
        _ => From::Table,
    };
    let rows = match draws.below(8) {
        _ if from == From::Shared || (crowded && !draws.one_in(4)) => RowChoice::All,
        0 => RowChoice::One(draw_row(draws, table)),
        1 => {
            let mut list: Vec<u64> = (0..=draws.below(4)).map(|_| draw_row(draws, table)).collect();
            list.sort_unstable();
            list.dedup();
            RowChoice::In(list)
        }
        2 | 3 => RowChoice::Slice(draw_slice(draws, table)),
        _ => RowChoice::All,
    };
    let keys: Vec<ColumnId> = table.partition.iter().map(|k| k.column.id).collect();
    let clustering: Vec<ColumnId> = table.clustering.iter().map(|k| k.column.id).collect();
    let mut cells = Vec::new();
    if from != From::Shared {
        cells.extend(ids(&table.regular));
    }
    if from != From::Table {
        cells.extend(ids(&table.shared));
    }
    let mut all = keys;
    if from != From::Shared {
        all.extend(clustering);
    }
    all.extend(&cells);
    let filter = (0..2)
        .filter(|_| draws.one_in(4))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|_| {
            let column = draws.pick(&cells);
            let relation = draws.pick(&[
                Relation::Eq,
                Relation::Ne,
                Relation::Lt,
                Relation::Le,
                Relation::Gt,
                Relation::Ge,
                Relation::IsNull,
                Relation::IsNotNull,
            ]);
            Predicate {
                column,
                relation,
                value: draw_value(draws, table, column).unwrap_or(0),
            }
        })
        .collect();
    // Floats keep −0 beside 0: not for GROUP BY, DISTINCT, min and max.
    let exact: Vec<ColumnId> = all
        .iter()
        .copied()
        .filter(|c| (part.table, c.0) != (0, 6))
        .collect();
    let some = |draws: &mut Draws, of: &[ColumnId]| {
        let mut chosen: Vec<ColumnId> = of.iter().copied().filter(|_| draws.below(3) > 0).collect();
        if chosen.is_empty() {
            chosen.push(draws.pick(of));
        }
        if draws.one_in(4) {
            let i = draws.below(chosen.len());
            chosen.swap(0, i);
        }
        chosen
    };
    let aggregates = |draws: &mut Draws| {
        let number = ColumnId(if part.table == 0 { 3 } else { 2 });
        (0..=draws.below(2))
            .map(|_| match draws.below(5) {
                0 => Aggregate::CountRows,
                1 => Aggregate::Count(draws.pick(&exact)),
                2 => Aggregate::Min(draws.pick(&exact)),
                3 => Aggregate::Max(draws.pick(&exact)),
                _ if from == From::Shared => Aggregate::CountRows,
                _ => Aggregate::Sum(number),
            })
            .collect::<Vec<_>>()
    };
    let select = match draws.below(10) {
        0 => Select::Distinct(some(draws, &exact)),
        1 | 2 => Select::Aggregates(aggregates(draws)),
        3 => Select::Group {
            by: vec![draws.pick(&exact)],
            aggregates: aggregates(draws),
        },
        4..=6 => Select::Columns(all.clone()),
        _ => Select::Columns(some(draws, &all)),
    };
    let sortable: Vec<ColumnId> = match &select {
        Select::Columns(_) => all.clone(),
        Select::Distinct(c) => c.clone(),
        Select::Group { by, .. } => by.clone(),
        Select::Aggregates(_) => Vec::new(),
    };
    let mut order = Vec::new();
    if !sortable.is_empty() && draws.one_in(2) {
        let natural: Vec<ColumnId> = table.clustering.iter().map(|k| k.column.id).collect();
        if matches!(select, Select::Columns(_)) && from != From::Shared && draws.one_in(2) {
            let turned = draws.one_in(2);
            for (k, c) in table.clustering.iter().zip(natural) {
                let order_of = if (k.order == Order::Desc) == turned {
                    Order::Asc
                } else {
                    Order::Desc
                };
                order.push((c, order_of));
            }
        } else {
            for _ in 0..=draws.below(2) {
                order.push((draws.pick(&sortable), draws.pick(&[Order::Asc, Order::Desc])));
            }
        }
    }
    let limit = (!order.is_empty() && draws.one_in(2)).then(|| u32::try_from(draws.below(5)).expect("small"));
    let offset = if limit.is_some() && draws.one_in(3) {
        u32::try_from(draws.below(3)).expect("small")
    } else {
        0
    };
    Query {
        table: part.table,
        from,
        parts,
        rows,
        filter,
        select,
        order,
        limit,
        offset,
    }
}

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
    let answer = match &run.answers[at].answer {
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
                    if let Answer::Rows(rows) = self::answer(&schema, &Step::Read(query.clone()), &mut db) {
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
                    if let Answer::Rows(rows) = self::answer(&schema, &Step::Read(query.clone()), &mut db) {
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
    run.answers[at].answer = answer;
}
