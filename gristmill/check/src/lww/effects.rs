//! What a visit does to one partition, cut into the smallest pieces that a read may show or not.

use super::cell::{Cell, Expiring};
use super::cells::{Area, Whole, amounts, elements};
use super::merged::{Dirty, Effect, Merged, reaches};
use crate::layout::TableLayout;
use history::{Op, Part, Stamp, Step, Visit};

/// The stamp of a visit. Panics where it has none: under this discipline every visit has.
pub(crate) fn stamp(visit: &Visit) -> &Stamp {
    let stamp = visit.stamp.as_ref();
    stamp.unwrap_or_else(|| {
        panic!(
            "visit {} has no timestamp, though the discipline is lww",
            visit.lts
        )
    })
}

/// The writes of a visit to one partition.
pub(crate) fn writes(visit: &Visit, part: Part) -> impl Iterator<Item = &Op> {
    visit.steps.iter().filter_map(move |step| match step {
        Step::Write(op) if op.part() == part => Some(op),
        _ => None,
    })
}

/// Merges everything that a visit does to one partition. What it changes is added to `dirty`, where somebody wants to know.
pub(crate) fn merge(
    merged: &mut Merged,
    table: &TableLayout,
    part: Part,
    visit: &Visit,
    mut dirty: Option<&mut Dirty>,
) {
    let stamp = stamp(visit);
    for op in writes(visit, part) {
        merged.apply(table, visit.lts, op, stamp, dirty.as_deref_mut());
    }
    if let Some(column) = visit.drops(part.table) {
        merged.drop_column(table.place(column), stamp.timestamp, dirty);
    }
}

/// The effects of a visit on one partition; `expiring`: the number of its values, where they expire.
pub(crate) fn effects(table: &TableLayout, visit: &Visit, part: Part, expiring: Expiring) -> Vec<Effect> {
    let timestamp = reaches(table, stamp(visit));
    let mut all = Vec::new();
    all.extend(visit.drops(part.table).map(|column| Effect::Drop {
        place: table.place(column),
        timestamp,
    }));
    for op in writes(visit, part) {
        let live = |row: u64| Effect::Write {
            row,
            column: 0,
            cell: Cell::written(timestamp, Some(0), expiring),
        };
        let at = (timestamp, expiring);
        let mut write = |row: u64, column, d, whole| {
            let area = Area::row(table);
            area.write(area.index(column), d, whole, at, |column, cell| {
                all.push(Effect::Write { row, column, cell });
            });
        };
        match op {
            Op::Insert { row, cells, .. } | Op::Upsert { row, cells, .. } => {
                for (c, d) in cells {
                    write(*row, *c, *d, Whole::Assigned);
                }
                all.push(live(*row));
            }
            Op::Update { row, cells, .. } => {
                for (c, d) in cells {
                    write(*row, *c, *d, Whole::Assigned);
                }
            }
            Op::DeleteCells { row, columns, .. } => {
                for c in columns {
                    write(*row, *c, None, Whole::Deleted);
                }
            }
            Op::Shared { cells, .. } => {
                let area = Area::shared(table);
                for (c, d) in cells {
                    area.write(area.index(*c), *d, Whole::Assigned, at, |column, cell| {
                        all.push(Effect::Shared { column, cell });
                    });
                }
            }
            Op::Elements { .. } => {
                let (area, row, column, list) = elements(table, op).expect("it writes elements");
                area.write_elements(column, list, at, |column, cell| {
                    all.push(match row {
                        Some(row) => Effect::Write { row, column, cell },
                        None => Effect::Shared { column, cell },
                    });
                });
            }
            Op::Add { .. } => {
                let (row, list) = amounts(table, op);
                for (column, cell) in list {
                    add(&mut all, row, column, cell);
                }
            }
            Op::DeleteRow { row, .. } => all.push(Effect::Delete {
                rows: *row..*row + 1,
                timestamp,
            }),
            Op::DeleteSlice { slice, .. } => all.push(Effect::Delete {
                rows: table.rows_of(slice),
                timestamp,
            }),
            Op::DeletePartition { .. } => all.push(Effect::DeleteAll { timestamp }),
        }
    }
    all
}

/// What a visit adds to one counter is one effect, however many of its statements do.
fn add(all: &mut Vec<Effect>, row: Option<u64>, column: usize, cell: Cell) {
    for effect in all.iter_mut() {
        let known = match effect {
            Effect::Write {
                row: r,
                column: c,
                cell: known,
            } if (Some(*r), *c) == (row, column) => known,
            Effect::Shared {
                column: c,
                cell: known,
            } if row.is_none() && *c == column => known,
            _ => continue,
        };
        let sum = known.sum().and_then(|n| Some(n.wrapping_add(cell.sum()?)));
        *known = Cell::added(sum.expect("a table of counters has nothing else"));
        return;
    }
    all.push(match row {
        Some(row) => Effect::Write { row, column, cell },
        None => Effect::Shared { column, cell },
    });
}
