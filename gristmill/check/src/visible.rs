//! The weakest setting of the checker: what a read shows must have been written by a visit that may be visible. What it does
//! not show is not asked for, and neither is what overwrote it.
//!
//! Harry's visible-rows checker compared the timestamps only; here each value must be one that a visit wrote to that very
//! cell, and its timestamp that visit's.

use crate::difference;
use crate::evaluate::{Plan, projected};
use crate::judge::Judge;
use crate::judged::{Choices, Explanation, Stage};
use crate::layout::{Source, TableLayout};
use crate::lww;
use datagen::schema::ColumnId;
use datagen::value::Value;
use history::finding::Why;
use history::{
    Answered, Discipline, Finding, Kind, Lts, Op, Part, Parts, Query, RowChoice, Rows, Select, Shape, State,
    Step, Visit,
};

const MADE_OF_SEVERAL: &str = "by plan: only rows as they are, are looked for";

/// A cell that was seen and whose writer is looked for.
#[derive(Debug, Clone)]
struct Seen {
    /// `None`: any partition that is read.
    part: Option<Part>,
    /// `None`: any row; not meant for shared columns.
    row: Option<u64>,
    column: ColumnId,
    d: u64,
    value: Value,
    timestamp: Option<i64>,
}

/// Judges a read by what it shows alone.
pub(crate) fn read(judge: &Judge, visit: &Visit, query: &Query, a: &Answered, rows: &Rows) -> Stage {
    if !matches!(query.select, Select::Columns(_) | Select::Distinct(_)) {
        return Stage::NotCompared(MADE_OF_SEVERAL);
    }
    let layout = judge.layout(visit.lts);
    let table = layout.table(query.table);
    let is_cql = judge.options.discipline == Discipline::Lww;
    let plan = Plan::new(query, table, &judge.semantics, is_cql);
    let mut seen = match cells(&plan, query, rows) {
        Ok(seen) => seen,
        Err(shape) => return Stage::Broken(Box::new(difference::simple(a, query.kind(), None, shape))),
    };
    let parts = table.parts_of(query, visit.lts);
    let mut excuses: Vec<(usize, Why, Lts)> = Vec::new();
    for part in &parts {
        let mut writers = Writers::new(judge, *part, visit.lts);
        while let Some(lts) = writers.next().filter(|_| !seen.is_empty()) {
            let Some(writer) = regenerated(judge, lts) else {
                continue;
            };
            let why = standing(judge, lts, visit, a);
            let mut i = 0;
            while i < seen.len() {
                let wrote = seen[i].part.is_none_or(|p| p == *part) && wrote(&seen[i], &writer, *part, table);
                match (wrote, why) {
                    (true, None) => drop(seen.swap_remove(i)),
                    (true, Some(why)) => {
                        excuses.push((usize::from(seen[i].column.0), why, lts));
                        i += 1;
                    }
                    (false, _) => i += 1,
                }
            }
        }
    }
    match seen.first() {
        None => {
            let explanation = Explanation {
                read: true,
                rows: rows.len() as u64,
                cells: (rows.len() * plan.width()) as u64,
                ..Explanation::of(query.kind())
            };
            Stage::Fits(explanation, Choices::default())
        }
        Some(cell) => Stage::Broken(Box::new(finding(query, a, cell, &excuses))),
    }
}

fn finding(query: &Query, a: &Answered, cell: &Seen, excuses: &[(usize, Why, Lts)]) -> Finding {
    let excuse = excuses
        .iter()
        .find(|(column, ..)| *column == usize::from(cell.column.0));
    let why = excuse.map_or(Why::NeverWritten, |(_, why, _)| *why);
    let stamp = cell
        .timestamp
        .map_or(String::new(), |t| format!(" at timestamp {t}"));
    let shape = Shape::WrongCell {
        expected: "a value that was written there".to_owned(),
        writer: None,
        actual: format!("{}{stamp}", cell.value),
        why,
    };
    let mut finding = difference::simple(a, query.kind(), cell.part, shape);
    if excuse.is_some() {
        finding.kind = Kind::Isolation;
    }
    finding.row = cell.row;
    finding.column = Some(cell.column);
    finding.proof = excuse.map(|(_, _, lts)| *lts).into_iter().collect();
    finding
}

/// The cells of an answer that hold a value.
fn cells(plan: &Plan<'_>, query: &Query, rows: &Rows) -> Result<Vec<Seen>, Shape> {
    let columns = projected(&query.select);
    let mut seen = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let unreadable = |what: String| Shape::Unreadable { what };
        let mut rest = row;
        let mut values = Vec::new();
        while !rest.is_empty() {
            let value = Value::decode(&mut rest);
            values.push(
                value.map_err(|e| unreadable(format!("row {}, column {}: {e}", i + 1, values.len() + 1)))?,
            );
        }
        if values.len() != plan.width() {
            let (n, width) = (values.len(), plan.width());
            return Err(unreadable(format!(
                "row {} has {n} columns instead of {width}",
                i + 1
            )));
        }
        let (part, position) = plan.table.locate(columns, &values[..columns.len()]);
        let part = match query.parts {
            Parts::One(p) => Some(p),
            _ => part,
        };
        let row = match query.rows {
            RowChoice::One(at) => Some(at),
            _ => position.filter(|_| plan.table.row_key_count() > 0),
        };
        let mut stamps = values[columns.len()..].iter();
        for (column, value) in columns.iter().zip(&values) {
            let source = plan.table.source(*column);
            if !plan.table.is_one_cell(source) {
                // Of a key, or made of several writes.
                continue;
            }
            let timestamp = stamps.next();
            if value.is_null() {
                continue;
            }
            let Some(d) = plan.table.descriptor_of(source, value) else {
                let actual = value.to_string();
                return Err(Shape::ForeignValue { actual });
            };
            seen.push(Seen {
                part: part.map(|position| Part {
                    table: query.table,
                    position,
                }),
                row: row.filter(|_| matches!(source, Source::Regular(_))),
                column: *column,
                d,
                value: value.clone(),
                timestamp: match timestamp {
                    Some(Value::Int(t)) => Some(*t),
                    _ => None,
                },
            });
        }
    }
    Ok(seen)
}

fn regenerated(judge: &Judge, lts: Lts) -> Option<Visit> {
    judge.history.visit(lts)
}

/// `None`: what the visit wrote may be visible to the read; else why not.
fn standing(judge: &Judge, lts: Lts, asker: &Visit, a: &Answered) -> Option<Why> {
    let track = judge.tracker.get(lts);
    if lts == asker.lts {
        return None;
    }
    match track.state {
        State::Rejected => Some(Why::RolledBack(lts)),
        State::Waiting | State::Skipped => Some(Why::NotYetCommitted(lts)),
        _ if track.visible_from >= a.snapshot.answered => Some(Why::NotYetCommitted(lts)),
        State::Open | State::Committed | State::Unknown => None,
    }
}

/// Whether a visit wrote a value to a cell, at its timestamp.
fn wrote(seen: &Seen, visit: &Visit, part: Part, table: &TableLayout) -> bool {
    let stamp = visit.stamp.as_ref().map(|s| s.timestamp);
    if seen.timestamp.is_some() && stamp.is_some() && seen.timestamp != stamp {
        return false;
    }
    let shared = matches!(table.source(seen.column), Source::Shared(_));
    visit.steps.iter().any(|step| {
        let Step::Write(op) = step else { return false };
        let cells = match op {
            Op::Insert { row, cells, .. } | Op::Upsert { row, cells, .. } | Op::Update { row, cells, .. }
                if !shared && seen.row.is_none_or(|r| r == *row) =>
            {
                cells
            }
            Op::Shared { cells, .. } if shared => cells,
            _ => return false,
        };
        op.part() == part && cells.iter().any(|(c, d)| *c == seen.column && *d == Some(seen.d))
    })
}

/// The writers of a partition: those that may have begun, newest first, and a few after them, which may have leaked.
struct Writers<'a> {
    judge: &'a Judge,
    part: Part,
    at: Lts,
}

impl<'a> Writers<'a> {
    fn new(judge: &'a Judge, part: Part, near: Lts) -> Self {
        let (mut at, mut late) = (near, 0);
        while let Some(next) = judge.history.writer_after(part, at) {
            at = next;
            late = match judge.tracker.get(next).state {
                State::Waiting => late + 1,
                _ => 0,
            };
            if late > lww::late_max(&judge.options) {
                break;
            }
        }
        Self {
            judge,
            part,
            at: Lts(at.0.saturating_add(1)),
        }
    }

    fn next(&mut self) -> Option<Lts> {
        self.at = self.judge.history.writer_before(self.part, self.at)?;
        Some(self.at)
    }
}
