//! Ranges and slices, read and deleted, on keys of any shape: strings, several columns, descending ones.

use gristmill::{History, partition};

pub(crate) fn history() -> History {
    let filled = (0..12).fold(partition().number(1), |p, row| p.insert_row(row));
    History::new(3)
        .with(filled.read_ranges(4))
        .with(partition().number(1).delete_rows_between(3, 6).read().read_row(4))
        .with(partition().number(1).upsert_row(4).value(0, 1).read_range_at(2))
        .with(
            partition()
                .number(1)
                .random_order(|p| p.delete_slices(2).upserts(3).delete_cells())
                .read(),
        )
}
