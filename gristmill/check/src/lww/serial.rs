//! Lightweight transactions, judged as linearizable: one partition's conditional writes and serial reads must have an order
//! that real time allows and in which every answer is right.
//!
//! Just-in-time linearization (Lowe, *Testing for linearizability*, 2017): over the beginnings and ends of calls in the order
//! of time, keep every configuration (what stands in the partition, which unfinished calls have taken effect already). When a
//! call ends, it must have taken effect: configurations in which it cannot are dropped. None left: the promise is broken.
//!
//! ```text
//!  answers ──▶ calls, by partition ──▶ the floor passes: every call that began before it is known ──▶ walk on to the floor
//! ```
//!
//! Invariants:
//! * A1 a call is walked over only when all that began before its end are known: the floor says when.
//! * A2 a write of which nobody knows whether it happened may take effect at any time after its beginning, or never.
//! * A3 a write that was acknowledged and whose answer is lost (the worker was killed before it wrote the answer down) is one of
//!   which nobody knows. Where many are, or a budget did not suffice, the partition is not judged any more, and that is said of
//!   each of its answers.

use crate::evaluate::{Plan, View, explains};
use crate::layout::TableLayout;
use crate::model::{Enc, Partition};
use datagen::schema::ColumnId;
use datagen::value::Value;
use history::{
    Answer, Answered, Condition, Lts, Op, Part, Query, Rows, Select, Semantics, SessionId, Span, State, Step,
    Tick, Visit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Configurations of one partition, at most.
const CONFIGURATIONS_MAX: usize = 20_000;

/// Writes of one partition whose answers are lost, at most: each session had one under way when its worker was killed.
const LOST_MAX: usize = 16;

/// Why a partition's answers are no longer judged.
const LOST: &str = "calls of its partition's lightweight transactions are not known";
const TOO_MANY: &str = "too many orders of lightweight transactions";
const PAGED: &str = "a serial read in pages";

/// A row: its liveness, and its regular cells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    live: bool,
    cells: Vec<Option<u64>>,
}

/// A partition: visible rows by position.
type Content = BTreeMap<u64, Row>;

/// What a call did.
#[derive(Debug, Clone)]
enum What {
    /// A write, and whether it was applied (`None`: nobody knows).
    Write(Op, Condition, Option<bool>),
    /// A read of the whole or a part of it.
    Read(Arc<Visit>, Arc<Rows>),
}

/// One call.
#[derive(Debug, Clone)]
struct Call {
    answered: Answered,
    what: What,
}

impl Call {
    fn name(&self) -> (Lts, u8) {
        (self.answered.address.lts, self.answered.address.attempt)
    }

    /// When it was over; never, where nobody knows whether it happened.
    fn end(&self) -> Tick {
        match self.what {
            What::Write(_, _, None) => Tick(u64::MAX),
            _ => self.answered.span.answered,
        }
    }
}

/// What stands in the partition, and which of the calls that are not over have taken effect.
type Configuration = (Content, BTreeSet<usize>);

/// One partition.
#[derive(Default)]
struct Line {
    /// Those that are not over, or were not walked over yet.
    calls: BTreeMap<usize, Call>,
    next: usize,
    /// The last write that was over.
    last: Option<Lts>,
    /// Beginnings and ends (true) of calls that were not walked over yet.
    events: BTreeSet<(Tick, bool, usize)>,
    /// Calls that have begun and are not over.
    open: BTreeSet<usize>,
    configurations: BTreeSet<Configuration>,
    known: BTreeSet<(Lts, u8)>,
    /// Every writer up to here was looked at; those that were not over then.
    through: Option<Lts>,
    waiting: BTreeSet<Lts>,
    /// Writes that were acknowledged, and nobody has the answer.
    lost: usize,
    /// Why nothing is judged here any more.
    given_up: Option<&'static str>,
}

/// What the lines are asked with.
pub(crate) struct Around<'a> {
    pub(crate) history: &'a dyn history::Regenerate,
    pub(crate) tracker: &'a dyn history::Tracker,
    pub(crate) sessions: u32,
    pub(crate) semantics: &'a Semantics,
}

/// An answer that is judged when everything that began before its end is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Awaited {
    pub(crate) visit: Arc<Visit>,
    pub(crate) answered: Answered,
    pub(crate) part: Part,
}

/// A call that no order explains: its answer, and the partition.
pub(crate) struct Unordered {
    pub(crate) answered: Answered,
    pub(crate) part: Part,
    /// The writes that were open then, or ended last: what it was judged among.
    pub(crate) proof: Vec<Lts>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Serial {
    lines: BTreeMap<Part, Line>,
    floor: Tick,
}

/// Whether a visit is judged here: a conditional write, or a serial read. `Err`: it would be, but cannot.
pub(crate) fn part_of(visit: &Visit, rows: Option<&Rows>) -> Result<Option<Part>, &'static str> {
    let stamp = super::effects::stamp(visit);
    match visit.steps.first() {
        Some(Step::Write(op)) if stamp.condition.is_some() => Ok(Some(op.part())),
        Some(Step::Read(query)) if stamp.consistency == history::Consistency::Serial => match &query.parts {
            history::Parts::One(position) => {
                let full = |n: u32| rows.is_some_and(|rows| rows.len() >= n as usize);
                if query.extras.page.is_some_and(full) {
                    return Err(PAGED);
                }
                Ok(Some(Part {
                    table: query.table,
                    position: *position,
                }))
            }
            _ => Err("a serial read of several partitions"),
        },
        _ => Ok(None),
    }
}

impl Serial {
    /// Nothing that began before this tick will come any more.
    pub(crate) fn raise_floor(&mut self, tick: Tick) {
        self.floor = self.floor.max(tick);
    }

    /// Takes an answer in and walks on as far as everything is known. `Ok(None)`: nothing was wrong so far.
    pub(crate) fn conclude(
        &mut self,
        around: &Around<'_>,
        awaited: &Awaited,
        table: &TableLayout,
    ) -> Result<Option<Unordered>, &'static str> {
        let (visit, answered, part) = (&awaited.visit, awaited.answered.clone(), awaited.part);
        let floor = self.floor;
        let line = self.lines.entry(part).or_default();
        if line.configurations.is_empty() && line.given_up.is_none() {
            line.configurations.insert((Content::new(), BTreeSet::new()));
        }
        if let Some(what) = what(visit, &answered) {
            line.add(Call { answered, what });
        }
        line.walk(around, part, table, floor)
    }

    /// Walks to the end: no answer will come any more.
    pub(crate) fn finish(
        &mut self,
        around: &Around<'_>,
        mut table: impl FnMut(Part, &mut dyn FnMut(&TableLayout)),
    ) -> Vec<Unordered> {
        let mut found = Vec::new();
        for (part, line) in &mut self.lines {
            table(*part, &mut |table| {
                if let Ok(Some(unordered)) = line.walk(around, *part, table, Tick(u64::MAX)) {
                    found.push(unordered);
                }
            });
        }
        found
    }
}

fn what(visit: &Arc<Visit>, answered: &Answered) -> Option<What> {
    let step = visit.steps.first()?;
    match (step, &answered.answer, super::effects::stamp(visit).condition) {
        (Step::Write(op), Answer::Affected(n), Some(condition)) => {
            Some(What::Write(op.clone(), condition, Some(*n > 0)))
        }
        (Step::Write(op), Answer::Unknown(_), Some(condition)) => {
            Some(What::Write(op.clone(), condition, None))
        }
        (Step::Read(_), Answer::Rows(rows), _) => Some(What::Read(Arc::clone(visit), Arc::new(rows.clone()))),
        _ => None,
    }
}

impl Line {
    fn add(&mut self, call: Call) {
        if self.given_up.is_some() {
            return;
        }
        self.known.insert(call.name());
        let i = self.next;
        self.next += 1;
        self.events.insert((call.answered.span.sent, false, i));
        if call.end() < Tick(u64::MAX) {
            self.events.insert((call.end(), true, i));
        }
        self.calls.insert(i, call);
    }

    fn give_up(&mut self, why: &'static str) -> &'static str {
        *self = Line {
            given_up: Some(why),
            ..Line::default()
        };
        why
    }

    /// Walks over the events before a tick.
    fn walk(
        &mut self,
        around: &Around<'_>,
        part: Part,
        table: &TableLayout,
        floor: Tick,
    ) -> Result<Option<Unordered>, &'static str> {
        if let Some(why) = self.given_up {
            return Err(why);
        }
        if !self.look_for_more(around, part, floor) {
            return Err(self.give_up(LOST));
        }
        while let Some((tick, ends, i)) = self.events.first().copied().filter(|(tick, ..)| *tick < floor) {
            self.events.remove(&(tick, ends, i));
            if !ends {
                self.open.insert(i);
                continue;
            }
            let Some(next) = self.end(i, around, part, table) else {
                return Err(self.give_up(TOO_MANY));
            };
            self.open.remove(&i);
            let call = self.calls.remove(&i).expect("kept until it is over");
            if next.is_empty() {
                let among = |j: &usize| Some(self.calls.get(j)?.name().0);
                let mut proof: Vec<Lts> = self.open.iter().filter_map(among).chain(self.last).collect();
                proof.sort_unstable();
                proof.dedup();
                self.give_up(LOST);
                return Ok(Some(Unordered {
                    answered: call.answered,
                    part,
                    proof,
                }));
            }
            if matches!(call.what, What::Write(..)) {
                self.last = Some(call.name().0);
            }
            self.configurations = next;
        }
        Ok(None)
    }

    /// Every configuration in which a call has taken effect when it ends; `None`: there are too many.
    fn end(
        &self,
        i: usize,
        around: &Around<'_>,
        part: Part,
        table: &TableLayout,
    ) -> Option<BTreeSet<Configuration>> {
        let mut next = BTreeSet::new();
        let mut seen: BTreeSet<Configuration> = self.configurations.clone();
        let mut todo: Vec<Configuration> = self.configurations.iter().cloned().collect();
        while let Some((content, mut effective)) = todo.pop() {
            if effective.contains(&i) {
                effective.remove(&i);
                next.insert((content, effective));
                continue;
            }
            for j in self.open.iter().filter(|j| !effective.contains(j)) {
                let Some(after) = take_effect(&self.calls[j], &content, around, part, table) else {
                    continue;
                };
                let mut more = effective.clone();
                more.insert(*j);
                let configuration = (after, more);
                if seen.insert(configuration.clone()) {
                    todo.push(configuration);
                }
                if seen.len() > CONFIGURATIONS_MAX {
                    return None;
                }
            }
        }
        Some(next)
    }

    /// Looks for writes that nobody answered; false where some were answered to somebody else.
    fn look_for_more(&mut self, around: &Around<'_>, part: Part, floor: Tick) -> bool {
        let mut late = Vec::new();
        let mut at = self.through.unwrap_or(Lts(0));
        let mut more: Vec<Lts> = self.waiting.iter().copied().collect();
        while let Some(next) = around.history.writer_after(part, at) {
            at = next;
            let begun = around.tracker.get(next).visible_from < floor;
            if begun {
                more.append(&mut late);
                more.push(next);
                self.through = Some(next);
            } else if late.len() > around.sessions as usize {
                break;
            } else {
                late.push(next);
            }
        }
        self.waiting.clear();
        for lts in more {
            let track = around.tracker.get(lts);
            let is_known = self.known.contains(&(lts, track.attempt));
            match track.state {
                State::Rejected | State::Skipped => {}
                _ if is_known => drop(self.known.remove(&(lts, track.attempt))),
                State::Waiting | State::Open => drop(self.waiting.insert(lts)),
                State::Committed if track.visible_by < floor && self.lost == LOST_MAX => return false,
                State::Committed if track.visible_by < floor => {
                    self.lost += 1;
                    self.nobody_knows(around, lts);
                }
                State::Committed => drop(self.waiting.insert(lts)),
                State::Unknown if track.visible_from >= floor => drop(self.waiting.insert(lts)),
                State::Unknown => self.nobody_knows(around, lts),
            }
        }
        true
    }

    /// A write that may have taken effect at any time after its beginning, or never will.
    fn nobody_knows(&mut self, around: &Around<'_>, lts: Lts) {
        let track = around.tracker.get(lts);
        let Some(visit) = around.history.visit(lts) else {
            return;
        };
        let (Some(Step::Write(op)), Some(condition)) =
            (visit.steps.first(), super::effects::stamp(&visit).condition)
        else {
            return;
        };
        let span = Span {
            sent: track.visible_from,
            answered: Tick(u64::MAX),
        };
        self.add(Call {
            answered: Answered {
                address: history::Address {
                    lts,
                    attempt: track.attempt,
                    step: 0,
                },
                session: SessionId(track.session.0),
                span,
                snapshot: span,
                answer: Answer::Affected(0),
            },
            what: What::Write(op.clone(), condition, None),
        });
        self.known.remove(&(lts, track.attempt));
    }
}

/// The partition after a call took effect; `None` where its answer would have been another one, or nothing would change.
fn take_effect(
    call: &Call,
    content: &Content,
    around: &Around<'_>,
    part: Part,
    table: &TableLayout,
) -> Option<Content> {
    match &call.what {
        What::Read(visit, rows) => {
            let Some(Step::Read(query)) = visit.steps.first() else {
                unreachable!("a read reads")
            };
            answers(query, rows, content, around, part, table).then(|| content.clone())
        }
        What::Write(op, condition, applied) => {
            let row = op.row().expect("a lightweight transaction writes one row");
            let stands = content.get(&row);
            let holds = match condition {
                Condition::NotExists => stands.is_none(),
                Condition::Exists => stands.is_some(),
                Condition::Equals { column, value } => {
                    stands.and_then(|row| row.cells[table.regular_index(*column)]) == *value
                }
            };
            match applied {
                Some(applied) if *applied != holds => None,
                // Without effect it might as well not have happened.
                None if !holds => None,
                _ if holds => Some(written(op, row, content, table)),
                _ => Some(content.clone()),
            }
        }
    }
}

fn written(op: &Op, at: u64, content: &Content, table: &TableLayout) -> Content {
    let mut content = content.clone();
    let mut row = content.remove(&at).unwrap_or_else(|| Row {
        live: false,
        cells: vec![None; table.regular_count()],
    });
    let mut set = |c: &ColumnId, d: Option<u64>| row.cells[table.regular_index(*c)] = d;
    match op {
        Op::Insert { cells, .. } | Op::Upsert { cells, .. } => {
            cells.iter().for_each(|(c, d)| set(c, *d));
            row.live = true;
        }
        Op::Update { cells, .. } => cells.iter().for_each(|(c, d)| set(c, *d)),
        Op::DeleteCells { columns, .. } => columns.iter().for_each(|c| set(c, None)),
        Op::DeleteRow { .. } => return content,
        Op::Shared { .. }
        | Op::Elements { .. }
        | Op::Add { .. }
        | Op::DeleteSlice { .. }
        | Op::DeletePartition { .. } => {
            unreachable!("a lightweight transaction writes one row")
        }
    }
    if row.live || row.cells.iter().any(Option::is_some) {
        content.insert(at, row);
    }
    content
}

/// Whether a read of this content may give these rows. Timestamps are the database's own and are not compared.
fn answers(
    query: &Query,
    rows: &Rows,
    content: &Content,
    around: &Around<'_>,
    part: Part,
    table: &TableLayout,
) -> bool {
    let mut image = Partition::new(table.regular_count());
    for (position, row) in content {
        let (slot, _) = image.insert(*position);
        for (c, d) in row.cells.iter().enumerate() {
            image.set(slot, c, *d);
        }
    }
    let mut plain = query.clone();
    (plain.extras.stamps, plain.extras.ttls) = (false, false);
    let plan = Plan::new(&plain, table, around.semantics, true);
    let stripped;
    let rows = if query.extras.stamps || query.extras.ttls {
        let Some(without) = without_stamps(query, rows) else {
            return false;
        };
        stripped = without;
        &stripped
    } else {
        rows
    };
    let key: Enc = table.encode_part_key(part.position);
    let mut views = [View {
        part,
        key: &key,
        partition: &mut image,
        merged: None,
        lives: &[],
    }];
    explains(&plan, &mut views, rows)
}

/// The rows without their timestamps; `None` where they cannot be read.
fn without_stamps(query: &Query, rows: &Rows) -> Option<Rows> {
    let Select::Columns(columns) = &query.select else {
        return None;
    };
    let mut out = Rows::default();
    for row in rows.iter() {
        let mut rest = row;
        for _ in columns {
            Value::decode(&mut rest).ok()?;
        }
        out.bytes.extend_from_slice(&row[..row.len() - rest.len()]);
        out.end_row();
    }
    Some(out)
}
