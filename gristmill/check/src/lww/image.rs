//! The visible face of a merged partition, kept as the ordered partitions are, so that the same code evaluates queries.
//!
//! A row is visible when its liveness or any of its cells is alive; the shared row is there when any shared cell is.

use super::cell::{CLASH, Cell, Kind};
use super::cells::Area;
use super::merged::{Dirty, Merged};
use crate::layout::TableLayout;
use crate::model::{Partition, SharedRow};

/// Which expiring writes are gone, by their number less one; all live where the list is shorter.
pub(crate) type Gone<'a> = &'a [bool];

/// Whether a cell holds a value that did not expire.
pub(crate) fn is_alive(cell: &Cell, gone: Gone<'_>) -> bool {
    matches!(cell.kind, Kind::Value | Kind::Sum)
        && (cell.expiring == 0
            || cell.expiring == CLASH
            || !gone.get(cell.expiring as usize - 1).is_some_and(|g| *g))
}

/// What a cell shows; `None` is NULL.
pub(crate) fn shown(cell: &Cell, gone: Gone<'_>) -> Option<u64> {
    is_alive(cell, gone).then_some(cell.value)
}

/// Brings the face up to date with what was changed.
pub(crate) fn refresh(
    image: &mut Partition,
    merged: &Merged,
    table: &TableLayout,
    dirty: &mut Dirty,
    gone: Gone<'_>,
) {
    dirty.rows.sort_unstable();
    dirty.rows.dedup();
    for position in dirty.rows.drain(..) {
        show_row(image, merged, table, position, gone);
    }
    if std::mem::take(&mut dirty.shared) {
        show_shared(image, merged, table, gone);
    }
}

/// Brings the whole face up to date.
pub(crate) fn refresh_all(image: &mut Partition, merged: &Merged, table: &TableLayout, gone: Gone<'_>) {
    for (position, _) in merged.rows() {
        show_row(image, merged, table, *position, gone);
    }
    show_shared(image, merged, table, gone);
}

/// Everything whose cells expire, as changed.
pub(crate) fn expiring(merged: &Merged, dirty: &mut Dirty) {
    let expires = |cells: &[Cell]| cells.iter().any(|c| c.expiring != 0);
    for (position, slot) in merged.rows() {
        if expires(merged.row(*slot)) {
            dirty.rows.push(*position);
        }
    }
    dirty.shared |= expires(merged.shared());
}

fn show_row(image: &mut Partition, merged: &Merged, table: &TableLayout, position: u64, gone: Gone<'_>) {
    let cells = merged.find(position).map(|slot| merged.row(slot));
    let Some(cells) = cells.filter(|cells| cells.iter().any(|c| is_alive(c, gone))) else {
        image.remove_one(position);
        return;
    };
    let (slot, new) = image.insert(position);
    let area = Area::row(table);
    let wanted = |c: usize| area.shown(cells, c, gone).map(|(d, _)| d);
    if !new {
        if (0..table.regular_count()).all(|c| image.cell(slot, c) == wanted(c)) {
            return;
        }
        image.touch(slot);
    }
    for c in 0..table.regular_count() {
        image.set(slot, c, wanted(c));
    }
}

fn show_shared(image: &mut Partition, merged: &Merged, table: &TableLayout, gone: Gone<'_>) {
    let cells = merged.shared();
    let area = Area::shared(table);
    let wanted = |c: usize| area.shown(cells, c, gone).map(|(d, _)| d);
    let row: Option<SharedRow> = cells
        .iter()
        .any(|c| is_alive(c, gone))
        .then(|| (0..table.shared_count()).map(wanted).collect());
    if row.as_deref() != image.shared() {
        image.set_shared(row);
    }
}
