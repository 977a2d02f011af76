//! Lies told in the database: before a read its rows are changed by direct statements of another connection, as nobody of
//! the run has asked for. What the database answers from then on is true, and wrong.
//!
//! The statements are the target's own for writes of the history, so any target can be lied in.
//!
//! Invariant: a lie is counted only where a second look shows it in the database.

use crate::flaws::{Flaw, Liar};
use crate::layout::{Layout, TableLayout};
use crate::target::{Request, Session};
use datagen::schema::ColumnId;
use datagen::value::Value;
use history::{Address, Answer, Cells, Extras, From, Op, Part, Parts, Query, RowChoice, Select, Stamp, Step};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;

/// The lies, in the order in which they are tried at one address.
pub(super) const ORDER: [Flaw; 5] = [
    Flaw::DbHideRow,
    Flaw::DbExtraRow,
    Flaw::DbHideValue,
    Flaw::DbChangeValue,
    Flaw::DbShowValue,
];

/// The other connection.
#[derive(Default)]
pub(super) struct Inside {
    session: Mutex<Option<Box<dyn Session>>>,
}

/// Rows of a partition, by position: descriptors of the regular cells, and their timestamps under `lww`.
type Found = BTreeMap<u64, (Vec<Option<u64>>, Vec<Option<i64>>)>;

impl Inside {
    /// Whether there is a connection that can be used.
    pub(super) fn is_open(&self) -> bool {
        self.session.lock().as_ref().is_some_and(|s| !s.broken())
    }

    /// Takes a connection of its own.
    pub(super) fn open(&self, session: Box<dyn Session>) {
        *self.session.lock() = Some(session);
    }

    /// Tells the first lie that is wanted at this read and can be told about what it reads.
    pub(super) fn meddle(
        &self,
        liar: &Liar,
        layout: &Layout,
        at: Address,
        query: &Query,
        stamp: Option<&Stamp>,
        deadline: Duration,
    ) {
        for flaw in ORDER {
            if !liar.wants(flaw, at) {
                continue;
            }
            let mut session = self.session.lock();
            let Some(session) = session.as_mut() else { return };
            let mut there = There {
                session: &mut **session,
                table: layout.table(query.table),
                at,
                stamp,
                deadline,
            };
            let choice = liar.choice(flaw, at, 1);
            if there.lie(flaw, choice, query).is_some() {
                liar.tell(flaw, 1);
                return;
            }
        }
    }
}

/// The other connection, at one read.
struct There<'a> {
    session: &'a mut dyn Session,
    table: &'a TableLayout,
    at: Address,
    stamp: Option<&'a Stamp>,
    deadline: Duration,
}

fn index(n: usize, choice: u64) -> Option<usize> {
    let n = u64::try_from(n).expect("an index fits");
    (n > 0).then(|| usize::try_from(choice % n).expect("an index fits"))
}

impl There<'_> {
    /// `None` where there is nothing to lie about, or the lie did not arrive.
    fn lie(&mut self, flaw: Flaw, choice: u64, query: &Query) -> Option<()> {
        let position = match &query.parts {
            Parts::One(position) => *position,
            Parts::In(list) => list[index(list.len(), choice >> 16)?],
            Parts::All | Parts::Ring { .. } => return None,
        };
        let part = Part {
            table: query.table,
            position,
        };
        let before = self.look(part, &query.rows)?;
        let rows: Vec<u64> = before.keys().copied().collect();
        let first = index(rows.len(), choice)?;
        let turned = rows[first..].iter().chain(&rows[..first]);
        let (row, op) = turned
            .copied()
            .find_map(|row| Some((row, self.op(flaw, choice, query, part, row, &before)?)))?;
        let later = before[&row].1.iter().flatten().max();
        let later = later.map_or(1, |at| at.saturating_add(1));
        if !matches!(self.write(&op, later), Answer::Affected(_)) {
            return None;
        }
        let after = self.look(part, &query.rows)?;
        let cell = |column: ColumnId| {
            let i = self.table.regular.iter().position(|c| c.id == column)?;
            Some(after.get(&row)?.0[i])
        };
        let arrived = match &op {
            Op::DeleteRow { row, .. } => !after.contains_key(row),
            Op::DeleteCells { columns, .. } => cell(columns[0]) == Some(None),
            Op::Update { cells, .. } => cell(cells[0].0) == Some(cells[0].1),
            Op::Upsert { row, .. } => after.contains_key(row),
            // It was acknowledged, and others may add at the same time.
            Op::Add { .. } => true,
            _ => false,
        };
        arrived.then_some(())
    }

    /// The write that tells a lie about a row; `None` where nothing of it can be lied about.
    fn op(&self, flaw: Flaw, choice: u64, query: &Query, part: Part, row: u64, before: &Found) -> Option<Op> {
        let (cells, _) = &before[&row];
        let regular = &self.table.regular;
        let shown = |i: usize| match &query.select {
            Select::Columns(ids) | Select::Distinct(ids) => ids.contains(&regular[i].id),
            Select::Aggregates(_) | Select::Group { .. } => true,
        };
        let cell = |null: bool| -> Option<usize> {
            let some: Vec<usize> = (0..cells.len())
                .filter(|i| cells[*i].is_none() == null && shown(*i))
                .filter(|i| regular[*i].nullable || self.stamp.is_some())
                .collect();
            Some(some[index(some.len(), choice >> 32)?])
        };
        let update = |i: usize| {
            let other = regular[i]
                .other_descriptor(cells[i])
                .filter(|d| Some(*d) != cells[i])?;
            let cells: Cells = [(regular[i].id, Some(other))].into_iter().collect();
            Some(Op::Update { part, row, cells })
        };
        if self.table.counts() {
            // Nothing else can be done to a counter.
            let i = match flaw {
                Flaw::DbChangeValue => cell(false)?,
                Flaw::DbShowValue => cell(true)?,
                _ => return None,
            };
            let amounts = [(regular[i].id, 1)].into_iter().collect();
            let row = Some(row);
            return Some(Op::Add { part, row, amounts });
        }
        match flaw {
            Flaw::DbHideRow => Some(Op::DeleteRow { part, row }),
            Flaw::DbHideValue => Some(Op::DeleteCells {
                part,
                row,
                columns: vec![regular[cell(false)?].id],
            }),
            Flaw::DbChangeValue => update(cell(false)?),
            Flaw::DbShowValue => update(cell(true)?),
            _ => {
                let like = cells.iter().enumerate().map(|(i, d)| (regular[i].id, *d));
                Some(Op::Upsert {
                    part,
                    row: self.free(&query.rows, before, choice)?,
                    cells: like.filter(|(_, d)| d.is_some()).collect(),
                })
            }
        }
    }

    /// A position that the read asks for and where there is no row.
    fn free(&self, rows: &RowChoice, taken: &Found, choice: u64) -> Option<u64> {
        let universe = &self.table.rows.universe;
        let range = match rows {
            RowChoice::All => 0..universe.len(),
            RowChoice::Slice(slice) => universe.range(slice),
            RowChoice::One(_) | RowChoice::In(_) => return None,
        };
        let width = range.end - range.start;
        (0..width.min(32))
            .map(|i| range.start + (choice >> 8).wrapping_add(i) % width)
            .find(|row| !taken.contains_key(row))
    }

    fn ask(&mut self, step: &Step, timestamp: i64) -> Answer {
        let stamp = self.stamp.map(|stamp| Stamp {
            timestamp,
            ttl: None,
            ..*stamp
        });
        let request = match &stamp {
            None => Request::Step(step),
            Some(stamp) => Request::Stamped {
                steps: std::slice::from_ref(step),
                stamp,
                batch: None,
            },
        };
        self.session.execute(self.at, &request, self.deadline).answer
    }

    fn write(&mut self, op: &Op, timestamp: i64) -> Answer {
        self.ask(&Step::Write(op.clone()), timestamp)
    }

    /// The rows that the read would see of one partition, as far as their keys and values are somebody's.
    fn look(&mut self, part: Part, rows: &RowChoice) -> Option<Found> {
        let keys = self.table.rows.columns.iter();
        let regular = self.table.regular.iter();
        let select: Vec<ColumnId> = keys.chain(regular).map(|c| c.id).collect();
        let query = Query {
            table: part.table,
            from: From::Table,
            parts: Parts::One(part.position),
            rows: rows.clone(),
            filter: Vec::new(),
            select: Select::Columns(select),
            order: Vec::new(),
            limit: None,
            offset: 0,
            extras: Extras {
                stamps: self.stamp.is_some(),
                ..Extras::default()
            },
        };
        let Answer::Rows(answer) = self.ask(&Step::Read(query), 0) else {
            return None;
        };
        let mut found = Found::new();
        for mut bytes in answer.iter() {
            let mut values = Vec::new();
            while !bytes.is_empty() {
                values.push(Value::decode(&mut bytes).ok()?);
            }
            let width = self.table.rows.columns.len();
            let stamps = values.split_off((width + self.table.regular.len()).min(values.len()));
            let cells = values.split_off(width);
            let Some(row) = self.table.rows.universe.deflate(&values) else {
                continue;
            };
            let cells = self
                .table
                .regular
                .iter()
                .zip(&cells)
                .map(|(col, v)| col.deflate(v));
            let stamps = stamps.iter().map(|v| match v {
                Value::Int(at) => Some(*at),
                _ => None,
            });
            found.insert(row, (cells.collect(), stamps.collect()));
        }
        Some(found)
    }
}
