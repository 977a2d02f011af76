//! Partitions in which the greatest timestamp wins: of each cell the greatest write, of deletions what they cover.
//!
//! Invariants:
//! * M1 the order in which writes are applied, and how often, changes nothing ([`Bend`], which lies, apart); but what is added to
//!   a counter is added each time.
//! * M2 nothing is dropped: a cell under a tombstone stays, for a tombstone may be told away.

use crate::layout::{Place, TableLayout};
use datagen::domain::COUNTER_ZERO;
use datagen::schema::ColumnId;
use history::{Amounts, Change, Op, Part};
use std::collections::BTreeMap;
use std::ops::Range;

/// Every partition; with lies, what each was before its last write, and what a crash would leave of it.
#[derive(Debug, Default)]
pub(in crate::reference) struct Partitions {
    now: BTreeMap<Part, Partition>,
    before: BTreeMap<Part, Partition>,
    /// Partitions with a write that is in memory only, without it.
    disk: BTreeMap<Part, Partition>,
}

impl Partitions {
    pub(super) fn of(&mut self, part: Part, table: &TableLayout) -> &mut Partition {
        self.now.entry(part).or_insert_with(|| Partition::new(table))
    }

    pub(super) fn get(&self, part: Part) -> Option<&Partition> {
        self.now.get(&part)
    }

    pub(super) fn before(&self, part: Part) -> Option<&Partition> {
        self.before.get(&part)
    }

    /// The partitions of a table that were ever written.
    pub(super) fn all(&self, table: u16) -> Vec<Part> {
        let of = |position| Part { table, position };
        self.now
            .range(of(0)..=of(u64::MAX))
            .map(|(part, _)| *part)
            .collect()
    }

    pub(super) fn set(&mut self, part: Part, after: Partition, before: Partition) {
        self.now.insert(part, after);
        self.before.insert(part, before);
    }

    /// The write that comes next will not survive a crash.
    pub(super) fn only_in_memory(&mut self, part: Part, before: &Partition) {
        self.disk.entry(part).or_insert_with(|| before.clone());
    }

    pub(super) fn on_disk(&mut self, part: Part) -> Option<&mut Partition> {
        self.disk.get_mut(&part)
    }

    /// Whether a column has values up to a timestamp anywhere.
    pub(super) fn has_cells(&self, table: &TableLayout, change: &Change, at: i64) -> bool {
        let of = self.now.iter().filter(|(part, _)| part.table == change.table);
        let value = |cell: &Option<Write>| cell.is_some_and(|w| !w.deletion && w.at <= at);
        of.map(|(_, partition)| partition)
            .any(|p| p.cells(table, change.column).any(value))
    }

    /// Deletes the cells of a column up to a timestamp, wherever they are kept.
    pub(super) fn drop_column(&mut self, table: &TableLayout, change: &Change, at: i64) {
        let kept = [&mut self.now, &mut self.before, &mut self.disk];
        for (part, partition) in kept.into_iter().flatten() {
            if part.table == change.table {
                partition.drop_column(table, change.column, at);
            }
        }
    }

    /// The crash. How many partitions show something else now.
    pub(in crate::reference) fn crash(&mut self) -> u64 {
        let mut differ = 0;
        for (part, left) in std::mem::take(&mut self.disk) {
            differ += u64::from(
                self.now
                    .get(&part)
                    .is_none_or(|now| now.seen(false) != left.seen(false)),
            );
            self.now.insert(part, left);
        }
        differ
    }
}

/// What a lie does to a write.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bend {
    /// A cell with a greater timestamp gives way.
    pub(super) older_wins: bool,
    /// Of two writes of one timestamp the lesser stays.
    pub(super) tie_wrong: bool,
    /// A deleted range has a row more or less at one end; the number says which.
    pub(super) off_by_one: Option<u64>,
    /// Shared cells are not written.
    pub(super) no_statics: bool,
    /// What is added to counters is added so often instead of once.
    pub(super) times: Option<u8>,
}

/// The write that won a cell. The order of the fields is that of winning: time, then deletion before value, then value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Write {
    at: i64,
    deletion: bool,
    value: Option<u64>,
}

#[derive(Debug, Clone)]
struct Row {
    alive: Option<i64>,
    deleted: Option<i64>,
    cells: Vec<Option<Write>>,
}

/// One partition.
#[derive(Debug, Clone)]
pub(in crate::reference) struct Partition {
    deleted: Option<i64>,
    slices: Vec<(Range<u64>, i64)>,
    rows: BTreeMap<u64, Row>,
    shared: Vec<Option<Write>>,
}

/// A row as a read sees it: a cell, and when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeenRow {
    pub(super) cells: Vec<Option<u64>>,
    pub(super) stamps: Vec<Option<i64>>,
}

/// A partition as a read sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) rows: BTreeMap<u64, SeenRow>,
    pub(super) shared: SeenRow,
}

impl Partition {
    fn new(table: &TableLayout) -> Self {
        Self {
            deleted: None,
            slices: Vec::new(),
            rows: BTreeMap::new(),
            shared: vec![None; table.shared.len()],
        }
    }

    /// Applies one write.
    pub(super) fn apply(&mut self, table: &TableLayout, op: &Op, at: i64, bend: Bend) {
        // Of what was added to a deleted counter nothing is left.
        let deleted = if table.counts() { i64::MAX } else { at };
        match op {
            Op::Insert { .. } => unreachable!("sessions refuse what is not offered"),
            Op::Upsert { row, cells, .. } => {
                let row = self.row(*row, table);
                row.alive = row.alive.max(Some(at));
                put(table, &mut row.cells, cells.iter().copied(), at, bend);
            }
            Op::Update { row, cells, .. } => {
                let row = self.row(*row, table);
                put(table, &mut row.cells, cells.iter().copied(), at, bend);
            }
            Op::DeleteCells { row, columns, .. } => {
                let row = self.row(*row, table);
                put(
                    table,
                    &mut row.cells,
                    columns.iter().map(|id| (*id, None)),
                    at,
                    bend,
                );
            }
            Op::Shared { cells, .. } => {
                if !bend.no_statics {
                    put(table, &mut self.shared, cells.iter().copied(), at, bend);
                }
            }
            Op::Elements { .. } => unreachable!("no column here has elements of its own"),
            Op::Add { row, amounts, .. } => {
                for _ in 0..bend.times.unwrap_or(1) {
                    let cells = match row {
                        Some(row) => &mut self.row(*row, table).cells,
                        None => &mut self.shared,
                    };
                    add(table, cells, amounts);
                }
            }
            Op::DeleteRow { row, .. } => {
                let row = self.row(*row, table);
                row.deleted = row.deleted.max(Some(deleted));
            }
            Op::DeleteSlice { slice, .. } => {
                let rows = table.rows.universe.range(slice);
                let rows = match bend.off_by_one.map(|n| n % 4) {
                    None => rows,
                    Some(0) => rows.start..rows.end + 1,
                    Some(1) => rows.start..rows.end.saturating_sub(1),
                    Some(2) => rows.start.saturating_sub(1)..rows.end,
                    Some(_) => rows.start + 1..rows.end,
                };
                match self.slices.iter_mut().find(|(covered, _)| *covered == rows) {
                    Some((_, deleted)) => *deleted = at.max(*deleted),
                    None => self.slices.push((rows, at)),
                }
            }
            Op::DeletePartition { .. } => self.deleted = self.deleted.max(Some(deleted)),
        }
    }

    fn cells(&self, table: &TableLayout, column: ColumnId) -> impl Iterator<Item = &Option<Write>> {
        let (regular, shared) = match table.place(column) {
            Place::Regular(i) => (Some(i), None),
            Place::Shared(i) => (None, Some(i)),
            Place::Partition(_) | Place::Clustering(_) => (None, None),
        };
        let rows = self
            .rows
            .values()
            .filter_map(move |row| Some(&row.cells[regular?]));
        rows.chain(shared.map(|i| &self.shared[i]))
    }

    fn drop_column(&mut self, table: &TableLayout, column: ColumnId, at: i64) {
        let gone = || std::iter::once((column, None));
        match table.place(column) {
            Place::Shared(_) => put(table, &mut self.shared, gone(), at, Bend::default()),
            _ => {
                for row in self.rows.values_mut() {
                    put(table, &mut row.cells, gone(), at, Bend::default());
                }
            }
        }
    }

    fn row(&mut self, row: u64, table: &TableLayout) -> &mut Row {
        self.rows.entry(row).or_insert_with(|| Row {
            alive: None,
            deleted: None,
            cells: vec![None; table.regular.len()],
        })
    }

    /// What a read sees; `undead`: as if nothing but cells had ever been deleted.
    pub(super) fn seen(&self, undead: bool) -> Seen {
        let mut rows = BTreeMap::new();
        for (position, row) in &self.rows {
            let slices = self.slices.iter().filter(|(rows, _)| rows.contains(position));
            let dead = slices
                .map(|(_, at)| Some(*at))
                .chain([self.deleted, row.deleted])
                .max()
                .flatten()
                .filter(|_| !undead);
            let cells = shown(&row.cells, dead);
            if row.alive > dead || cells.cells.iter().any(Option::is_some) {
                rows.insert(*position, cells);
            }
        }
        let dead = self.deleted.filter(|_| !undead);
        Seen {
            rows,
            shared: shown(&self.shared, dead),
        }
    }
}

/// Deletion beats data at one timestamp: what is shown is later than it.
fn shown(cells: &[Option<Write>], dead: Option<i64>) -> SeenRow {
    let alive = |cell: &Option<Write>| cell.filter(|w| Some(w.at) > dead && !w.deletion);
    SeenRow {
        cells: cells.iter().map(|c| alive(c).and_then(|w| w.value)).collect(),
        stamps: cells.iter().map(|c| alive(c).map(|w| w.at)).collect(),
    }
}

/// A counter has no timestamp of its own; one that is not there begins with 0.
fn add(table: &TableLayout, cells: &mut [Option<Write>], amounts: &Amounts) {
    for (id, n) in amounts {
        let (Place::Regular(i) | Place::Shared(i)) = table.place(*id) else {
            panic!("{} is no cell", table.any(*id).name);
        };
        let sum = cells[i].and_then(|w| w.value).unwrap_or(COUNTER_ZERO);
        cells[i] = Some(Write {
            at: 0,
            deletion: false,
            value: Some(sum.wrapping_add(n.cast_unsigned())),
        });
    }
}

fn put(
    table: &TableLayout,
    row: &mut [Option<Write>],
    cells: impl Iterator<Item = (datagen::schema::ColumnId, Option<u64>)>,
    at: i64,
    bend: Bend,
) {
    for (id, value) in cells {
        let new = Write {
            at,
            deletion: value.is_none(),
            value,
        };
        let (Place::Regular(i) | Place::Shared(i)) = table.place(id) else {
            panic!("{} is no cell", table.any(id).name);
        };
        let cell = &mut row[i];
        let wins = match *cell {
            None => true,
            Some(old) if bend.older_wins && at < old.at => true,
            Some(old) if bend.tie_wrong && at == old.at => new < old,
            Some(old) => new > old,
        };
        if wins {
            *cell = Some(new);
        }
    }
}
