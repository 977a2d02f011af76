//! A partition as plain maps of values.

use datagen::schema::{ColumnId, Table};
use datagen::universe::Slice;
use datagen::value::Value;
use history::{Cells, Lts, Op, Part, Semantics, Step};
use std::collections::BTreeMap;

/// Values by column; a column that is missing is NULL.
pub(crate) type Line = BTreeMap<ColumnId, Value>;

/// Rows by the position of their key, and the companion row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) rows: BTreeMap<u64, Line>,
    pub(crate) shared: Option<Line>,
    /// Write timestamps, where the greatest wins: by row (`None`: the shared cells) and column.
    pub(crate) stamps: BTreeMap<(Option<u64>, ColumnId), i64>,
    /// Who wrote what expires, and for how many seconds.
    pub(crate) lives: BTreeMap<(Option<u64>, ColumnId), (Lts, u32)>,
}

impl Content {
    /// Plays the steps of a visit, savepoints included.
    pub(crate) fn play(&mut self, table: &Table, part: Part, steps: &[Step], semantics: &Semantics) {
        let mut saved: Vec<(u8, Content)> = Vec::new();
        for step in steps {
            match step {
                Step::Write(op) if op.part() == part => {
                    self.apply(table, op, semantics);
                }
                Step::Write(_) | Step::Read(_) | Step::Change(_) => {}
                Step::Savepoint(n) => saved.push((*n, self.clone())),
                Step::RollbackTo(n) => {
                    while saved.last().is_some_and(|(m, _)| m != n) {
                        saved.pop();
                    }
                    if let Some((_, then)) = saved.last() {
                        *self = then.clone();
                    }
                }
            }
        }
    }

    /// Applies a write; how many rows it affects.
    pub(crate) fn apply(&mut self, table: &Table, op: &Op, semantics: &Semantics) -> u64 {
        match op {
            Op::Insert { row, cells, .. } => {
                if self.rows.contains_key(row) {
                    return 0;
                }
                self.rows.insert(*row, line(table, cells));
                1
            }
            Op::Upsert { row, cells, .. } => {
                self.rows.entry(*row).or_default().extend(line(table, cells));
                1
            }
            Op::Update { row, cells, .. } => {
                if !self.rows.contains_key(row) && !semantics.update_creates_rows {
                    return 0;
                }
                self.rows.entry(*row).or_default().extend(line(table, cells));
                1
            }
            Op::Shared { cells, .. } => {
                self.shared.get_or_insert_default().extend(line(table, cells));
                1
            }
            Op::DeleteRow { row, .. } => u64::from(self.rows.remove(row).is_some()),
            Op::DeleteCells { row, columns, .. } => match self.rows.get_mut(row) {
                None => 0,
                Some(line) => {
                    line.retain(|c, _| !columns.contains(c));
                    1
                }
            },
            Op::Elements { .. } => {
                unreachable!("elements are written only where the greatest timestamp wins")
            }
            Op::Add { .. } => {
                unreachable!("counters are added to only where the greatest timestamp wins")
            }
            Op::DeleteSlice { slice, .. } => {
                let before = self.rows.len();
                self.rows.retain(|at, _| !is_in(table, *at, slice));
                (before - self.rows.len()) as u64
            }
            Op::DeletePartition { .. } => {
                let rows = self.rows.len() as u64;
                self.rows.clear();
                rows + u64::from(self.shared.take().is_some())
            }
        }
    }
}

fn line(table: &Table, cells: &Cells) -> Line {
    let value =
        |(c, d): &(ColumnId, Option<u64>)| (*c, d.map_or(Value::Null, |d| table.domain(*c).inflate(d)));
    cells.iter().map(value).collect()
}

/// Whether a row's key lies in a slice, digit by digit.
pub(crate) fn is_in(table: &Table, at: u64, slice: &Slice) -> bool {
    let digit = |j: usize| table.rows().digit(at, j);
    if slice.prefix.iter().enumerate().any(|(j, d)| digit(j) != *d) {
        return false;
    }
    let bound = slice.prefix.len();
    let above = slice
        .lower
        .is_none_or(|(d, inclusive)| digit(bound) > d || (inclusive && digit(bound) == d));
    let below = slice
        .upper
        .is_none_or(|(d, inclusive)| digit(bound) < d || (inclusive && digit(bound) == d));
    above && below
}
