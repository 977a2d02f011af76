//! One partition where the greatest timestamp wins: writes may be applied in any order, as often as one likes.
//!
//! ```text
//! deleted  timestamp of the partition's deletion         ranges  those of rows and ranges of rows
//! dropped  those of columns (ALTER TABLE … DROP)
//! index    (position, slot) …     sorted by position     shared  one cell a shared column
//! cells    slot 0 │ slot 1 │ …    per slot: the row's liveness, then the cells of the regular columns, in place (`cells`)
//! journal  what was there before, newest last, while recording
//! ```
//!
//! Must not know: queries, answers, visits' fates.
//!
//! Invariants:
//! * L4 two histories that hold the same writes leave the same [`Merged::content`], in whatever order, however often; only what
//!   is added to counters is applied once.
//! * L5 what a deletion covers is not kept: no cell stands at or below the deletions of its row.
//! * L6 after [`Merged::undo`] everything is what it was at the mark, but for slots that hold nothing.

use super::cell::{CLASH, Cell, Expiring, Kind, NEVER};
use super::cells::{Area, Whole, amounts, elements};
use super::ranges::Ranges;
use crate::layout::TableLayout;
use history::{Lts, Op, Stamp, Ties};
use std::cmp::Ordering;
use std::ops::Range;

/// A write that does not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expiry {
    pub(crate) lts: Lts,
    /// Seconds.
    pub(crate) ttl: u32,
}

/// What was changed by an application, so that whoever shows the partition need not look at all of it.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    /// Positions, each perhaps more than once.
    pub(crate) rows: Vec<u64>,
    pub(crate) shared: bool,
}

enum Undo {
    Inserted {
        at: usize,
    },
    /// The row's cells are the last of `saved`.
    Row {
        slot: u32,
    },
    /// The shared cells are the last of `saved`.
    Shared,
    Deleted {
        old: i64,
    },
    Ranges {
        old: Ranges,
    },
    Dropped {
        old: Vec<(Place, i64)>,
    },
}

/// A part of what a visit does to one partition: the smallest that is seen or not.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// Column 0 is the row's liveness, the cells of the regular ones follow ([`Area`]).
    Write {
        row: u64,
        column: usize,
        cell: Cell,
    },
    Shared {
        column: usize,
        cell: Cell,
    },
    Delete {
        rows: Range<u64>,
        timestamp: i64,
    },
    DeleteAll {
        timestamp: i64,
    },
    /// A column is dropped: its cells up to the timestamp are gone, and whatever is written below it never shows.
    Drop {
        place: Place,
        timestamp: i64,
    },
}

/// A column of one cell, by that cell's slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In a row, whose liveness has slot 0.
    Regular(usize),
    Shared(usize),
}

/// Up to which timestamp a write deletes: counters have none, and of what was added to a deleted one nothing is left.
pub(crate) fn reaches(table: &TableLayout, stamp: &Stamp) -> i64 {
    if table.counts() { i64::MAX } else { stamp.timestamp }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Merged {
    stride: usize,
    deleted: Option<i64>,
    ranges: Ranges,
    index: Vec<(u64, u32)>,
    cells: Vec<Cell>,
    free: Vec<u32>,
    shared: Vec<Cell>,
    /// Sorted, each place once.
    dropped: Vec<(Place, i64)>,
    expiries: Vec<Expiry>,
    ties: Option<Ties>,
    recording: bool,
    journal: Vec<Undo>,
    saved: Vec<Cell>,
}

impl Merged {
    /// An empty partition of a table.
    pub(crate) fn new(table: &TableLayout, ties: Ties) -> Self {
        Self {
            stride: table.regular_slots().len(),
            shared: vec![Cell::NOTHING; table.shared_slots().len()],
            ties: Some(ties),
            ..Self::default()
        }
    }

    /// Approximate memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + 16 * self.index.capacity()
            + size_of::<Cell>() * (self.cells.capacity() + self.saved.capacity())
            + size_of::<Expiry>() * self.expiries.capacity()
            + size_of::<Undo>() * self.journal.capacity()
            + self.ranges.bytes()
    }

    /// Rows in the order of their positions, those that hold nothing that is visible too: (position, slot).
    pub(crate) fn rows(&self) -> &[(u64, u32)] {
        &self.index
    }

    /// The slot of a row.
    pub(crate) fn find(&self, position: u64) -> Option<u32> {
        self.at(position).ok().map(|i| self.index[i].1)
    }

    /// The row's liveness, then its regular cells.
    pub(crate) fn row(&self, slot: u32) -> &[Cell] {
        let base = slot as usize * self.stride;
        &self.cells[base..base + self.stride]
    }

    /// The shared cells.
    pub(crate) fn shared(&self) -> &[Cell] {
        &self.shared
    }

    /// The writes that do not stay, as [`Cell::expiring`] counts them from 1.
    pub(crate) fn expiries(&self) -> &[Expiry] {
        &self.expiries
    }

    /// Up to which timestamp a row is deleted.
    #[inline]
    pub(crate) fn deleted_at(&self, position: u64) -> i64 {
        self.deleted().max(self.ranges.at(position))
    }

    /// Up to which timestamp a column was dropped.
    #[inline]
    pub(crate) fn dropped_at(&self, place: Place) -> i64 {
        if self.dropped.is_empty() {
            return NEVER;
        }
        let at = self.dropped.binary_search_by_key(&place, |(p, _)| *p);
        at.map_or(NEVER, |i| self.dropped[i].1)
    }

    /// Up to which timestamp the cells of a row's column are deleted, with the row; 0 is its liveness.
    #[inline]
    pub(crate) fn cell_deleted_at(&self, row_deleted: i64, column: usize) -> i64 {
        row_deleted.max(self.dropped_at(Place::Regular(column)))
    }

    /// Up to which timestamp the partition is deleted.
    pub(crate) fn deleted(&self) -> i64 {
        self.deleted.unwrap_or(NEVER)
    }

    /// Whether rows, ranges of them or all were deleted.
    pub(crate) fn has_deletions(&self) -> bool {
        self.deleted.is_some() || !self.ranges.is_empty()
    }

    /// How equal timestamps are decided.
    pub(crate) fn ties(&self) -> Ties {
        self.ties.expect("set by new")
    }

    /// The number of a write that does not stay; the same for the same visit.
    pub(crate) fn expiring(&mut self, lts: Lts, ttl: Option<u32>) -> Expiring {
        let Some(ttl) = ttl else { return 0 };
        let expiry = Expiry { lts, ttl };
        let at = self
            .expiries
            .iter()
            .rposition(|e| *e == expiry)
            .unwrap_or_else(|| {
                self.expiries.push(expiry);
                self.expiries.len() - 1
            });
        let number = Expiring::try_from(at + 1).expect("fewer than 2^32 writes expire");
        assert!(number != CLASH, "fewer than 2^32 writes expire");
        number
    }

    /// Applies one write of a visit. What it changes is added to `dirty`, where somebody wants to know.
    pub(crate) fn apply(
        &mut self,
        table: &TableLayout,
        lts: Lts,
        op: &Op,
        stamp: &Stamp,
        dirty: Option<&mut Dirty>,
    ) {
        let timestamp = reaches(table, stamp);
        match op {
            Op::Insert { row, cells, .. } | Op::Upsert { row, cells, .. } => {
                let expiring = self.expiring(lts, stamp.ttl);
                let listed = cells.iter().map(|(c, d)| (table.regular_index(*c), *d));
                self.write(
                    table,
                    *row,
                    true,
                    (timestamp, expiring),
                    Whole::Assigned,
                    listed,
                    dirty,
                );
            }
            Op::Update { row, cells, .. } => {
                let expiring = self.expiring(lts, stamp.ttl);
                let listed = cells.iter().map(|(c, d)| (table.regular_index(*c), *d));
                self.write(
                    table,
                    *row,
                    false,
                    (timestamp, expiring),
                    Whole::Assigned,
                    listed,
                    dirty,
                );
            }
            Op::DeleteCells { row, columns, .. } => {
                let listed = columns.iter().map(|c| (table.regular_index(*c), None));
                self.write(table, *row, false, (timestamp, 0), Whole::Deleted, listed, dirty);
            }
            Op::Shared { cells, .. } => {
                let expiring = self.expiring(lts, stamp.ttl);
                for (c, d) in cells {
                    let (area, column) = (Area::shared(table), table.shared_index(*c));
                    area.write(
                        column,
                        *d,
                        Whole::Assigned,
                        (timestamp, expiring),
                        |slot, cell| {
                            self.write_shared(table, slot, &cell);
                        },
                    );
                }
                if let Some(dirty) = dirty {
                    dirty.shared = true;
                }
            }
            Op::Elements { .. } => {
                let expiring = self.expiring(lts, stamp.ttl);
                let (area, row, column, list) = elements(table, op).expect("it writes elements");
                let mut changed = Dirty::default();
                area.write_elements(column, list, (timestamp, expiring), |slot, cell| {
                    let effect = match row {
                        Some(row) => Effect::Write {
                            row,
                            column: slot,
                            cell,
                        },
                        None => Effect::Shared { column: slot, cell },
                    };
                    self.take(table, &effect, &mut changed);
                });
                if let Some(dirty) = dirty {
                    dirty.rows.append(&mut changed.rows);
                    dirty.shared |= changed.shared;
                }
            }
            Op::Add { .. } => {
                let (row, list) = amounts(table, op);
                let mut changed = Dirty::default();
                for (column, cell) in list {
                    let effect = match row {
                        Some(row) => Effect::Write { row, column, cell },
                        None => Effect::Shared { column, cell },
                    };
                    self.take(table, &effect, &mut changed);
                }
                if let Some(dirty) = dirty {
                    dirty.rows.append(&mut changed.rows);
                    dirty.shared |= changed.shared;
                }
            }
            Op::DeleteRow { row, .. } => self.delete(*row..*row + 1, timestamp, dirty),
            Op::DeleteSlice { slice, .. } => self.delete(table.rows_of(slice), timestamp, dirty),
            Op::DeletePartition { .. } => self.delete_all(timestamp, dirty),
        }
    }

    /// Applies one effect.
    pub(crate) fn take(&mut self, table: &TableLayout, effect: &Effect, dirty: &mut Dirty) {
        match effect {
            Effect::Write { row, column, cell } => {
                let deleted = self.deleted_at(*row);
                if cell.timestamp <= deleted {
                    return;
                }
                let slot = self.insert(*row);
                self.save_row(slot);
                let deleted = self.cell_deleted_at(deleted, *column);
                let (ties, base) = (self.ties(), slot as usize * self.stride);
                let cells = &mut self.cells[base..base + self.stride];
                Area::row(table).merge(cells, *column, cell, deleted, ties);
                dirty.rows.push(*row);
            }
            Effect::Shared { column, cell } => {
                self.write_shared(table, *column, cell);
                dirty.shared = true;
            }
            Effect::Delete { rows, timestamp } => self.delete(rows.clone(), *timestamp, Some(dirty)),
            Effect::DeleteAll { timestamp } => self.delete_all(*timestamp, Some(dirty)),
            Effect::Drop { place, timestamp } => self.drop_column(*place, *timestamp, Some(dirty)),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one write, each as it comes"
    )]
    fn write(
        &mut self,
        table: &TableLayout,
        row: u64,
        live: bool,
        (timestamp, expiring): (i64, Expiring),
        whole: Whole,
        listed: impl Iterator<Item = (usize, Option<u64>)>,
        dirty: Option<&mut Dirty>,
    ) {
        let deleted = self.deleted_at(row);
        if timestamp <= deleted {
            return;
        }
        let slot = self.insert(row);
        self.save_row(slot);
        let (ties, area) = (self.ties(), Area::row(table));
        let base = slot as usize * self.stride;
        let cells = &mut self.cells[base..base + self.stride];
        let put = |cells: &mut [Cell], slot: usize, d: Option<u64>| {
            // Above every deletion already: most writes win by their timestamp alone.
            match timestamp.cmp(&cells[slot].timestamp) {
                Ordering::Greater => cells[slot] = Cell::written(timestamp, d, expiring),
                Ordering::Equal => {
                    let new = Cell::written(timestamp, d, expiring);
                    area.merge(cells, slot, &new, deleted, ties);
                }
                Ordering::Less => {}
            }
        };
        if live {
            put(cells, 0, Some(0));
        }
        let dropped = &self.dropped;
        for (column, d) in listed {
            let gone = |slot: usize| {
                let at = |(place, at): &(Place, i64)| *place == Place::Regular(slot) && timestamp <= *at;
                dropped.iter().any(at)
            };
            match area.alone(column) {
                Some(slot) if gone(slot) => {}
                Some(slot) => put(cells, slot, d),
                None => area.write(column, d, whole, (timestamp, expiring), |slot, cell| {
                    area.merge(cells, slot, &cell, deleted, ties);
                }),
            }
        }
        if let Some(dirty) = dirty {
            dirty.rows.push(row);
        }
    }

    fn write_shared(&mut self, table: &TableLayout, column: usize, cell: &Cell) {
        let deleted = self.deleted().max(self.dropped_at(Place::Shared(column)));
        let (ties, area) = (self.ties(), Area::shared(table));
        let upto = area.deleted(&self.shared, column, deleted);
        if self.shared[column].yields_to(cell, upto, &area.rule(ties, column)) {
            self.save_shared();
            area.merge(&mut self.shared, column, cell, deleted, ties);
        }
    }

    fn delete(&mut self, rows: Range<u64>, timestamp: i64, dirty: Option<&mut Dirty>) {
        if timestamp <= self.deleted() || rows.is_empty() || !self.ranges.lacks(&rows, timestamp) {
            return;
        }
        if self.recording {
            let old = self.ranges.clone();
            self.journal.push(Undo::Ranges { old });
        }
        self.ranges.add(rows.clone(), timestamp);
        let from = self.index.partition_point(|(p, _)| *p < rows.start);
        let to = self.index.partition_point(|(p, _)| *p < rows.end);
        self.delete_rows(from, to, timestamp, dirty);
    }

    fn delete_all(&mut self, timestamp: i64, mut dirty: Option<&mut Dirty>) {
        if timestamp <= self.deleted() {
            return;
        }
        if self.recording {
            let old = self.deleted();
            self.journal.push(Undo::Deleted { old });
            if !self.ranges.is_empty() {
                let old = self.ranges.clone();
                self.journal.push(Undo::Ranges { old });
            }
        }
        self.deleted = Some(timestamp);
        self.ranges.forget(timestamp);
        if self
            .shared
            .iter()
            .any(|c| c.kind != Kind::Never && c.timestamp <= timestamp)
        {
            self.save_shared();
            for cell in &mut self.shared {
                cell.delete(timestamp);
            }
            if let Some(dirty) = dirty.as_deref_mut() {
                dirty.shared = true;
            }
        }
        self.delete_rows(0, self.index.len(), timestamp, dirty);
    }

    /// Applies the drop of a column: its cells up to the timestamp are gone in every row.
    pub(crate) fn drop_column(&mut self, place: Place, timestamp: i64, mut dirty: Option<&mut Dirty>) {
        if timestamp <= self.dropped_at(place) {
            return;
        }
        if self.recording {
            let old = self.dropped.clone();
            self.journal.push(Undo::Dropped { old });
        }
        match self.dropped.binary_search_by_key(&place, |(p, _)| *p) {
            Ok(i) => self.dropped[i].1 = timestamp,
            Err(i) => self.dropped.insert(i, (place, timestamp)),
        }
        let falls = |c: &Cell| c.kind != Kind::Never && c.timestamp <= timestamp;
        match place {
            Place::Shared(column) => {
                if falls(&self.shared[column]) {
                    self.save_shared();
                    self.shared[column].delete(timestamp);
                }
                if let Some(dirty) = dirty {
                    dirty.shared = true;
                }
            }
            Place::Regular(column) => {
                for i in 0..self.index.len() {
                    let (position, slot) = self.index[i];
                    if !falls(&self.row(slot)[column]) {
                        continue;
                    }
                    self.save_row(slot);
                    self.cells[slot as usize * self.stride + column].delete(timestamp);
                    if let Some(dirty) = dirty.as_deref_mut() {
                        dirty.rows.push(position);
                    }
                }
                if !self.recording {
                    self.sweep(0, self.index.len());
                }
            }
        }
    }

    fn delete_rows(&mut self, from: usize, to: usize, timestamp: i64, mut dirty: Option<&mut Dirty>) {
        let mut emptied = false;
        for i in from..to {
            let (position, slot) = self.index[i];
            if !self
                .row(slot)
                .iter()
                .any(|c| c.kind != Kind::Never && c.timestamp <= timestamp)
            {
                continue;
            }
            self.save_row(slot);
            let base = slot as usize * self.stride;
            let mut left = false;
            for cell in &mut self.cells[base..base + self.stride] {
                cell.delete(timestamp);
                left |= cell.kind != Kind::Never;
            }
            emptied |= !left;
            if let Some(dirty) = dirty.as_deref_mut() {
                dirty.rows.push(position);
            }
        }
        if emptied && !self.recording {
            self.sweep(from, to);
        }
    }

    /// Forgets rows of `index[from..to]` that hold nothing.
    fn sweep(&mut self, from: usize, to: usize) {
        let mut kept = from;
        for i in from..to {
            let (_, slot) = self.index[i];
            if self.row(slot).iter().all(|c| c.kind == Kind::Never) {
                self.free.push(slot);
            } else {
                self.index[kept] = self.index[i];
                kept += 1;
            }
        }
        self.index.drain(kept..to);
    }

    /// Forgets deletions below a timestamp: the caller promises that no write at or below them will be applied any more.
    /// Only while nothing is recorded.
    pub(crate) fn forget(&mut self, below: i64) {
        assert!(self.journal.is_empty(), "what may be taken back is not forgotten");
        if below == NEVER {
            return;
        }
        self.deleted = self.deleted.filter(|t| *t >= below);
        self.ranges.forget(below - 1);
        self.dropped.retain(|(_, at)| *at >= below);
        for cell in self.cells.iter_mut().chain(&mut self.shared) {
            if cell.kind == Kind::Tombstone && cell.timestamp < below {
                *cell = Cell::NOTHING;
            }
        }
        self.sweep(0, self.index.len());
    }

    /// Forgets expiring writes that nothing is left of. Only while nothing is recorded.
    pub(crate) fn tidy_expiries(&mut self) {
        assert!(self.journal.is_empty(), "what may be taken back is not forgotten");
        if self.expiries.is_empty() {
            return;
        }
        let mut used = vec![false; self.expiries.len()];
        let cells = || self.cells.iter().chain(&self.shared);
        for n in cells().map(|c| c.expiring).filter(|n| *n != 0 && *n != CLASH) {
            used[n as usize - 1] = true;
        }
        let mut renumbered = vec![0; self.expiries.len()];
        let mut kept = Vec::new();
        for (old, _) in used.iter().enumerate().filter(|(_, used)| **used) {
            kept.push(self.expiries[old]);
            renumbered[old] = Expiring::try_from(kept.len()).expect("fewer than before");
        }
        for cell in self.cells.iter_mut().chain(&mut self.shared) {
            if cell.expiring != 0 && cell.expiring != CLASH {
                cell.expiring = renumbered[cell.expiring as usize - 1];
            }
        }
        self.expiries = kept;
    }

    /// From here on changes can be taken back.
    pub(crate) fn record(&mut self) {
        self.recording = true;
    }

    /// How much has been recorded: a place for [`Self::undo`].
    pub(crate) fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Takes everything after the mark back.
    pub(crate) fn undo(&mut self, mark: usize) {
        while self.journal.len() > mark {
            match self.journal.pop().expect("longer than the mark") {
                Undo::Inserted { at } => {
                    let (_, slot) = self.index.remove(at);
                    self.free.push(slot);
                }
                Undo::Row { slot } => {
                    let from = self.saved.len() - self.stride;
                    let base = slot as usize * self.stride;
                    self.cells[base..base + self.stride].copy_from_slice(&self.saved[from..]);
                    self.saved.truncate(from);
                }
                Undo::Shared => {
                    let from = self.saved.len() - self.shared.len();
                    self.shared.copy_from_slice(&self.saved[from..]);
                    self.saved.truncate(from);
                }
                Undo::Deleted { old } => self.deleted = (old != NEVER).then_some(old),
                Undo::Ranges { old } => self.ranges = old,
                Undo::Dropped { old } => self.dropped = old,
            }
        }
    }

    /// Takes everything back and records no more.
    pub(crate) fn stop(&mut self) {
        self.undo(0);
        self.recording = false;
    }

    /// Makes what was done before the mark final. Later marks count from here on: they are smaller by `mark`.
    pub(crate) fn settle(&mut self, mark: usize) {
        let saved = |undo: &Undo| match undo {
            Undo::Row { .. } => self.stride,
            Undo::Shared => self.shared.len(),
            Undo::Inserted { .. } | Undo::Deleted { .. } | Undo::Ranges { .. } | Undo::Dropped { .. } => 0,
        };
        let gone: usize = self.journal[..mark].iter().map(saved).sum();
        self.journal.drain(..mark);
        self.saved.drain(..gone);
    }

    /// Everything that is held, in one form for all orders of application: for tests.
    #[cfg(test)]
    pub(crate) fn content(&self) -> Content {
        let cell = |c: &Cell| {
            let expiry = match c.expiring {
                0 => None,
                CLASH => Some(None),
                n => Some(Some(self.expiries[n as usize - 1])),
            };
            (
                c.timestamp,
                matches!(c.kind, Kind::Value | Kind::Sum),
                c.value,
                expiry,
            )
        };
        Content {
            deleted: self.deleted,
            ranges: self.ranges.clone(),
            dropped: self.dropped.clone(),
            rows: self
                .index
                .iter()
                .filter(|(_, slot)| self.row(*slot).iter().any(|c| c.kind != Kind::Never))
                .map(|(position, slot)| (*position, self.row(*slot).iter().map(cell).collect()))
                .collect(),
            shared: self.shared.iter().map(cell).collect(),
        }
    }

    fn at(&self, position: u64) -> Result<usize, usize> {
        match self.index.last() {
            Some((last, _)) if *last < position => Err(self.index.len()),
            _ => self.index.binary_search_by_key(&position, |(p, _)| *p),
        }
    }

    fn insert(&mut self, position: u64) -> u32 {
        match self.at(position) {
            Ok(i) => self.index[i].1,
            Err(at) => {
                let slot = match self.free.pop() {
                    Some(slot) => {
                        let base = slot as usize * self.stride;
                        self.cells[base..base + self.stride].fill(Cell::NOTHING);
                        slot
                    }
                    None => {
                        let slot =
                            u32::try_from(self.cells.len() / self.stride).expect("fewer than 2^32 rows");
                        self.cells.resize(self.cells.len() + self.stride, Cell::NOTHING);
                        slot
                    }
                };
                self.index.insert(at, (position, slot));
                if self.recording {
                    self.journal.push(Undo::Inserted { at });
                }
                slot
            }
        }
    }

    fn save_row(&mut self, slot: u32) {
        if self.recording {
            let base = slot as usize * self.stride;
            self.saved
                .extend_from_slice(&self.cells[base..base + self.stride]);
            self.journal.push(Undo::Row { slot });
        }
    }

    fn save_shared(&mut self) {
        if self.recording {
            self.saved.extend_from_slice(&self.shared);
            self.journal.push(Undo::Shared);
        }
    }
}

/// A cell as a test compares it: timestamp, whether it is a value, the value, and the write that it expires with.
#[cfg(test)]
pub(crate) type Plain = (i64, bool, u64, Option<Option<Expiry>>);

/// See [`Merged::content`].
#[cfg(test)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    deleted: Option<i64>,
    ranges: Ranges,
    dropped: Vec<(Place, i64)>,
    rows: Vec<(u64, Vec<Plain>)>,
    shared: Vec<Plain>,
}
