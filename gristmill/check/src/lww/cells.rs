//! The cells of a row, or of the shared columns, where some columns have several.
//!
//! ```text
//!  a plain column           one cell
//!  a set, map or udt        a head: the timestamp of the last deletion of the whole column, a tombstone or nothing;
//!                           then one cell an element, key or field
//!  = {…}  at t              the head at t − 1, the elements at t
//!  DELETE c  at t           the head at t
//!  a list                   like a set: an element's cell stands for all of its kind, and is there as long as any of them
//! ```
//!
//! Source: Cassandra's `Operation.Setter` of collections and user-defined types, tried on 5.0.9.
//!
//! Invariants:
//! * C1 no element stands at or below its head.
//! * C3 what deletes elements of a list deletes all up to a timestamp, and nothing in a list expires: so the newest of a kind
//!   outlives the others.
//! * C2 what a column shows is one descriptor, of its elements that are alive; without any it is NULL.

use super::cell::{Cell, Expiring, Rule};
use super::image::{Gone, shown};
use crate::layout::{Slots, TableLayout};
use datagen::domain::Domain;
use datagen::schema::ColumnId;
use history::{Op, Ties};
use std::collections::BTreeMap;
use std::ops::Range;

/// Which cells of a table are meant: those of a row (the first is its liveness), or the shared ones.
#[derive(Clone, Copy)]
pub(crate) struct Area<'t> {
    table: &'t TableLayout,
    slots: &'t Slots,
    shared: bool,
}

/// How a whole column is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    /// `c = …`, NULL too.
    Assigned,
    /// `DELETE c`
    Deleted,
}

impl<'t> Area<'t> {
    /// The cells of a row.
    pub(crate) fn row(table: &'t TableLayout) -> Self {
        Self {
            table,
            slots: table.regular_slots(),
            shared: false,
        }
    }

    /// The shared cells of a partition.
    pub(crate) fn shared(table: &'t TableLayout) -> Self {
        Self {
            table,
            slots: table.shared_slots(),
            shared: true,
        }
    }

    fn domain(self, column: usize) -> &'t Domain {
        if self.shared {
            self.table.shared_domain(column)
        } else {
            self.table.regular_domain(column)
        }
    }

    /// The number of a column in this area.
    pub(crate) fn index(self, column: ColumnId) -> usize {
        if self.shared {
            self.table.shared_index(column)
        } else {
            self.table.regular_index(column)
        }
    }

    /// The id of a column of this area.
    pub(crate) fn id(self, column: usize) -> ColumnId {
        if self.shared {
            self.table.shared_id(column)
        } else {
            self.table.regular_id(column)
        }
    }

    /// The columns whose elements are cells, with their values.
    pub(crate) fn with_elements(self) -> BTreeMap<ColumnId, Domain> {
        let columns = 0..self.slots.columns();
        let some = columns.filter(|c| self.of(*c).len() > 1);
        some.map(|c| (self.id(c), self.domain(c).clone())).collect()
    }

    /// The rule between two values of one timestamp in a cell.
    #[inline]
    pub(crate) fn rule(self, ties: Ties, slot: usize) -> Rule<'t> {
        let Some(column) = self.slots.column(slot) else {
            return Rule {
                ties,
                domain: None,
                element: None,
            };
        };
        let head = self.slots.head(slot);
        Rule {
            ties,
            domain: Some(self.domain(column)),
            element: (head != slot).then(|| slot - head - 1),
        }
    }

    /// Up to which timestamp a cell is deleted, in a row that is deleted up to another.
    #[inline]
    pub(crate) fn deleted(self, cells: &[Cell], slot: usize, deleted: i64) -> i64 {
        match self.slots.head(slot) {
            head if head != slot => deleted.max(cells[head].timestamp),
            _ => deleted,
        }
    }

    /// Takes a write of a cell in, in a row that is deleted up to a timestamp.
    #[inline]
    pub(crate) fn merge(self, cells: &mut [Cell], slot: usize, cell: &Cell, deleted: i64, ties: Ties) {
        let upto = self.deleted(cells, slot, deleted);
        cells[slot].merge(cell, upto, &self.rule(ties, slot));
        for element in self.slots.elements(slot) {
            cells[element].delete(cell.timestamp);
        }
    }

    /// What a column shows, with the timestamp where it has one; `None` is NULL.
    pub(crate) fn shown(self, cells: &[Cell], column: usize, gone: Gone<'_>) -> Option<(u64, i64)> {
        let head = self.slots.first(column);
        let elements = self.slots.elements(head);
        if elements.is_empty() {
            let cell = &cells[head];
            return shown(cell, gone).map(|d| (d, cell.timestamp));
        }
        let alive = |slot: usize| Some((slot - head - 1, shown(&cells[slot], gone)?));
        let alive: Vec<(usize, u64)> = elements.filter_map(alive).collect();
        let slots = self.domain(column).elements().expect("it has elements");
        slots.join(&alive).map(|d| (d, cells[head].timestamp))
    }

    /// What a write of a whole column leaves, cell by cell.
    #[inline]
    pub(crate) fn write(
        self,
        column: usize,
        d: Option<u64>,
        whole: Whole,
        (timestamp, expiring): (i64, Expiring),
        mut push: impl FnMut(usize, Cell),
    ) {
        let head = self.slots.first(column);
        if self.slots.elements(head).is_empty() {
            return push(head, Cell::written(timestamp, d, expiring));
        }
        let upto = match whole {
            Whole::Assigned => timestamp.saturating_sub(1),
            Whole::Deleted => timestamp,
        };
        push(head, Cell::written(upto, None, 0));
        let slots = self.domain(column).elements().expect("it has elements");
        for (slot, value) in d.map(|d| slots.split(d)).unwrap_or_default() {
            push(head + 1 + slot, Cell::written(timestamp, Some(value), expiring));
        }
    }

    /// What a write of elements leaves.
    pub(crate) fn write_elements(
        self,
        column: usize,
        elements: &[(u16, Option<u64>)],
        (timestamp, expiring): (i64, Expiring),
        mut push: impl FnMut(usize, Cell),
    ) {
        let head = self.slots.first(column);
        let slots = self.domain(column).elements().expect("it has elements");
        for (slot, value) in elements {
            push(
                head + 1 + usize::from(*slot),
                Cell::written(timestamp, value.map(|n| slots.kept(n)), expiring),
            );
        }
    }

    /// The cell of a column that is one cell.
    #[inline]
    pub(crate) fn alone(self, column: usize) -> Option<usize> {
        let head = self.slots.first(column);
        self.slots.elements(head).is_empty().then_some(head)
    }

    /// The cells of a column.
    pub(crate) fn of(self, column: usize) -> Range<usize> {
        let head = self.slots.first(column);
        head..head + 1 + self.slots.elements(head).len()
    }

    /// The column of a cell, `None` of a row's liveness; and which element of it, `None` of the head and of a plain one.
    pub(crate) fn place(self, slot: usize) -> Option<(usize, Option<usize>)> {
        let column = self.slots.column(slot)?;
        let head = self.slots.head(slot);
        Some((column, (head != slot).then(|| slot - head - 1)))
    }
}

/// What an op that adds to counters adds: the row (`None`: of the shared columns), then cell and amount; nothing of other ops.
pub(crate) fn amounts(table: &TableLayout, op: &Op) -> (Option<u64>, Vec<(usize, Cell)>) {
    let Op::Add { row, amounts, .. } = op else {
        return (None, Vec::new());
    };
    let (area, slots) = match row {
        Some(_) => (Area::row(table), table.regular_slots()),
        None => (Area::shared(table), table.shared_slots()),
    };
    let cell = |(c, n): &(ColumnId, i64)| (slots.first(area.index(*c)), Cell::added(*n));
    (*row, amounts.iter().map(cell).collect())
}

/// The area and row of an op that writes elements, its column and elements.
pub(crate) type OfElements<'t, 'o> = (Area<'t>, Option<u64>, usize, &'o [(u16, Option<u64>)]);

/// What an op that writes elements writes; `None` of every other one.
pub(crate) fn elements<'t, 'o>(table: &'t TableLayout, op: &'o Op) -> Option<OfElements<'t, 'o>> {
    let Op::Elements {
        row,
        column,
        elements,
        ..
    } = op
    else {
        return None;
    };
    let area = match row {
        Some(_) => Area::row(table),
        None => Area::shared(table),
    };
    Some((area, *row, area.index(*column), elements))
}
