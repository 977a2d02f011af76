//! What can be taken out of a case: sessions, visits, statements, faults, lies, tables, columns, indexes, overlaps.
//!
//! Lists are shortened by delta debugging: halves, quarters, …, single items, and singles again until none can go.
//! Source: A. Zeller, R. Hildebrandt, *Simplifying and isolating failure-inducing input*, 2002.

use super::case::Case;
use super::search::Search;
use crate::RunError;
use datagen::schema::{ColumnId, Definition, Schema};
use history::{Aggregate, Change, Line, Op, Part, Query, Select, SessionId, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// How many items a case has of some sort.
type Count = fn(&Case) -> usize;
/// A case without those of them; `None` where that is no case.
type Without = fn(&Case, Range<usize>) -> Option<Case>;

impl Search<'_> {
    /// Takes out what can be, until nothing can.
    pub(super) fn take_out(&mut self) -> Result<(), RunError> {
        loop {
            let mut any = self.fewer_sessions()?;
            any |= self.fewer(|c| c.lines.len(), |c, r| Some(c.with(spliced(&c.lines, r))))?;
            any |= self.fewer(steps, without_steps)?;
            any |= self.fewer(faults, without_faults)?;
            any |= self.fewer(|c| c.schema.tables.len(), without_tables)?;
            any |= self.fewer(|c| columns(c).len(), without_columns)?;
            any |= self.fewer(|c| indexes(c).len(), without_indexes)?;
            any |= self.fewer(|c| c.lines.len(), one_after_another)?;
            if !any || self.is_over() {
                return Ok(());
            }
        }
    }

    /// Shortens a list of the best case; whether anything went.
    pub(super) fn fewer(&mut self, count: Count, without: Without) -> Result<bool, RunError> {
        let mut any = false;
        let mut chunk = count(self.best()).div_ceil(2).max(1);
        loop {
            let mut at = 0;
            let mut gone = false;
            while at < count(self.best()) {
                let end = (at + chunk).min(count(self.best()));
                let went = match without(self.best(), at..end) {
                    Some(case) => self.take(case)?,
                    None => false,
                };
                if went {
                    gone = true;
                } else {
                    at = end;
                }
                if self.is_over() {
                    return Ok(any | gone);
                }
            }
            any |= gone;
            if chunk == 1 && !gone {
                return Ok(any);
            }
            if chunk > 1 {
                chunk = chunk.div_ceil(2);
            }
        }
    }

    /// One session, or one less: a session's visits go, or are done by another.
    fn fewer_sessions(&mut self) -> Result<bool, RunError> {
        let sessions =
            |case: &Case| -> BTreeSet<SessionId> { case.lines.iter().map(|l| l.session).collect() };
        let done_by = |case: &Case, from: Option<SessionId>, to: SessionId| -> Case {
            let changed = case.lines.iter().map(|line| Line {
                session: if from.is_none_or(|from| from == line.session) {
                    to
                } else {
                    line.session
                },
                ..line.clone()
            });
            case.with(changed.collect())
        };
        let mut any = false;
        loop {
            let all = sessions(self.best());
            if all.len() < 2 {
                return Ok(any);
            }
            if self.take(done_by(self.best(), None, SessionId(1)))? {
                return Ok(true);
            }
            let mut gone = false;
            for session in all.iter().rev() {
                let kept = self.best().lines.iter().filter(|l| l.session != *session);
                let mut cases = vec![self.best().with(kept.cloned().collect())];
                let others = all.iter().filter(|other| *other != session).take(2);
                cases.extend(others.map(|other| done_by(self.best(), Some(*session), *other)));
                for case in cases {
                    gone = gone || self.take(case)?;
                }
                if gone {
                    break;
                }
            }
            any |= gone;
            if !gone || self.is_over() {
                return Ok(any);
            }
        }
    }
}

/// A list without a range of it.
fn spliced<T: Clone>(list: &[T], range: Range<usize>) -> Vec<T> {
    [&list[..range.start], &list[range.end..]].concat()
}

fn steps(case: &Case) -> usize {
    case.lines.iter().map(|l| l.visit.steps.len()).sum()
}

/// Without the statements of these numbers, counted through all visits; a visit that does nothing any more is gone.
fn without_steps(case: &Case, range: Range<usize>) -> Option<Case> {
    let mut at = 0..;
    let lines = case.lines.iter().filter_map(|line| {
        let numbered = line.numbers.iter().copied().zip(line.visit.steps.iter().cloned());
        let kept = numbered.filter(|_| !at.next().is_some_and(|n| range.contains(&n)));
        line.with_steps(closed(kept.collect()))
    });
    let lines: Vec<Line> = lines.collect();
    (!lines.is_empty()).then(|| case.with(lines))
}

/// Without ways back to savepoints that are gone.
fn closed(steps: Vec<(u16, Step)>) -> Vec<(u16, Step)> {
    let mut savepoints = BTreeSet::new();
    let there = |(_, step): &(u16, Step)| match step {
        Step::Savepoint(n) => {
            savepoints.insert(*n);
            true
        }
        Step::RollbackTo(n) => savepoints.contains(n),
        _ => true,
    };
    steps.into_iter().filter(there).collect()
}

fn faults(case: &Case) -> usize {
    case.faults.len() + case.faults_at.len() + case.lies.len()
}

fn without_faults(case: &Case, range: Range<usize>) -> Option<Case> {
    let mut at = 0..;
    let mut stays = || !at.next().is_some_and(|n| range.contains(&n));
    let mut less = case.clone();
    less.faults.retain(|_, _| stays());
    less.faults_at.retain(|_| stays());
    less.lies.retain(|_, _| stays());
    Some(less)
}

/// Each of these visits begins only when everything above has ended.
fn one_after_another(case: &Case, range: Range<usize>) -> Option<Case> {
    let mut lines = case.lines.clone();
    for line in &mut lines[range] {
        line.beside.clear();
    }
    Some(case.with(lines))
}

/// The columns that may go, in the order of the tables.
fn columns(case: &Case) -> Vec<(usize, ColumnId)> {
    let tables = case.schema.tables.iter().enumerate();
    tables
        .flat_map(|(n, t)| t.regular.iter().chain(&t.shared).map(move |c| (n, c.id)))
        .collect()
}

fn indexes(case: &Case) -> Vec<(usize, usize)> {
    let tables = case.schema.tables.iter().enumerate();
    tables
        .flat_map(|(n, t)| (0..t.indexes.len()).map(move |i| (n, i)))
        .collect()
}

fn definitions(case: &Case) -> Vec<Definition> {
    case.schema
        .tables
        .iter()
        .map(|t| t.definition().clone())
        .collect()
}

fn without_indexes(case: &Case, range: Range<usize>) -> Option<Case> {
    let mut tables = definitions(case);
    for (table, index) in indexes(case)[range].iter().rev() {
        tables[*table].indexes.remove(*index);
    }
    on(case, tables, &|step| Some(step.clone()))
}

fn without_columns(case: &Case, range: Range<usize>) -> Option<Case> {
    let gone: BTreeSet<(usize, ColumnId)> = columns(case)[range].iter().copied().collect();
    let mut tables = definitions(case);
    for (n, table) in tables.iter_mut().enumerate() {
        let stays = |id: ColumnId| !gone.contains(&(n, id));
        table.regular.retain(|c| stays(c.id));
        table.shared.retain(|c| stays(c.id));
        table.indexes.retain(|i| i.columns.iter().all(|c| stays(*c)));
    }
    on(case, tables, &|step| {
        let stays = |table: u16, id: ColumnId| !gone.contains(&(usize::from(table), id));
        match step {
            Step::Write(op) => narrower(op, &|id| stays(op.part().table, id)).map(Step::Write),
            Step::Read(query) => narrower_read(query, &|id| stays(query.table, id)).map(Step::Read),
            Step::Change(change) => stays(change.table, change.column).then(|| step.clone()),
            other => Some(other.clone()),
        }
    })
}

/// An operation without columns; `None` where nothing is left of it.
pub(crate) fn narrower(op: &Op, stays: &dyn Fn(ColumnId) -> bool) -> Option<Op> {
    let mut op = op.clone();
    let left = match &mut op {
        Op::Insert { cells, .. } | Op::Upsert { cells, .. } => {
            cells.retain(|(id, _)| stays(*id));
            true
        }
        Op::Update { cells, .. } | Op::Shared { cells, .. } => {
            cells.retain(|(id, _)| stays(*id));
            !cells.is_empty()
        }
        Op::DeleteCells { columns, .. } => {
            columns.retain(|id| stays(*id));
            !columns.is_empty()
        }
        Op::Elements { column, .. } => stays(*column),
        Op::Add { amounts, .. } => {
            amounts.retain(|(id, _)| stays(*id));
            !amounts.is_empty()
        }
        Op::DeleteRow { .. } | Op::DeleteSlice { .. } | Op::DeletePartition { .. } => true,
    };
    left.then_some(op)
}

/// A read without columns; `None` where it asks by one of them, or for nothing else.
pub(crate) fn narrower_read(query: &Query, stays: &dyn Fn(ColumnId) -> bool) -> Option<Query> {
    let asks = query
        .filter
        .iter()
        .map(|p| p.column)
        .chain(query.order.iter().map(|o| o.0));
    if asks.into_iter().any(|id| !stays(id)) {
        return None;
    }
    let mut query = query.clone();
    let of = |a: &Aggregate| a.column().is_none_or(stays);
    let left = match &mut query.select {
        Select::Columns(all) | Select::Distinct(all) => {
            all.retain(|id| stays(*id));
            !all.is_empty()
        }
        Select::Aggregates(all) => {
            all.retain(of);
            !all.is_empty()
        }
        Select::Group { by, aggregates } => {
            by.retain(|id| stays(*id));
            aggregates.retain(of);
            !by.is_empty()
        }
    };
    left.then_some(query)
}

/// Without these tables and what is done to them; the others move up.
fn without_tables(case: &Case, range: Range<usize>) -> Option<Case> {
    let tables = spliced(&definitions(case), range.clone());
    let (first, gone) = (range.start, range.len());
    let moved = |table: u16| -> Option<u16> {
        match usize::from(table) {
            n if range.contains(&n) => None,
            n if n < first => Some(table),
            n => u16::try_from(n - gone).ok(),
        }
    };
    on(case, tables, &|step| match step {
        Step::Write(op) => {
            let part = op.part();
            let table = moved(part.table)?;
            Some(Step::Write(at(op, Part { table, ..part })))
        }
        Step::Read(query) => Some(Step::Read(Query {
            table: moved(query.table)?,
            ..query.clone()
        })),
        Step::Change(change) => Some(Step::Change(Change {
            table: moved(change.table)?,
            ..*change
        })),
        other => Some(other.clone()),
    })
}

/// The same operation on another partition.
pub(super) fn at(op: &Op, to: Part) -> Op {
    let mut op = op.clone();
    match &mut op {
        Op::Insert { part, .. }
        | Op::Upsert { part, .. }
        | Op::Update { part, .. }
        | Op::Shared { part, .. }
        | Op::DeleteRow { part, .. }
        | Op::DeleteCells { part, .. }
        | Op::Elements { part, .. }
        | Op::Add { part, .. }
        | Op::DeleteSlice { part, .. }
        | Op::DeletePartition { part } => *part = to,
    }
    op
}

/// The case on other tables, each step as `change` makes it.
fn on(case: &Case, tables: Vec<Definition>, change: &dyn Fn(&Step) -> Option<Step>) -> Option<Case> {
    let schema = Schema::new(tables).ok()?;
    let lines = case.lines.iter().filter_map(|line| {
        let numbered = line.numbers.iter().zip(&line.visit.steps);
        let kept = numbered.filter_map(|(number, step)| Some((*number, change(step)?)));
        line.with_steps(closed(kept.collect()))
    });
    let less = Case {
        lines: lines.collect(),
        schema: Arc::new(schema),
        ..case.clone()
    };
    (!less.lines.is_empty()).then_some(less)
}

/// Every partition that is written or read by its key, by table.
pub(super) fn positions(case: &Case) -> BTreeMap<u16, BTreeSet<u64>> {
    let mut all: BTreeMap<u16, BTreeSet<u64>> = BTreeMap::new();
    for step in case.lines.iter().flat_map(|l| &l.visit.steps) {
        match step {
            Step::Write(op) => {
                all.entry(op.part().table).or_default().insert(op.part().position);
            }
            Step::Read(query) => {
                let of = all.entry(query.table).or_default();
                match &query.parts {
                    history::Parts::One(p) => of.extend([*p]),
                    history::Parts::In(list) => of.extend(list),
                    history::Parts::All => {}
                    history::Parts::Ring { after, upto } => of.extend(after.iter().chain(upto)),
                }
            }
            Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => {}
        }
    }
    all
}
