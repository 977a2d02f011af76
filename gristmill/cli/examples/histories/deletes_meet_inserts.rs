//! Deletions of every extent in one transaction, in any order, over rows that are there, rows that were there, and rows that
//! come back.

use gristmill::{History, partition};

pub(crate) fn history() -> History {
    let deletions = partition()
        .number(0)
        .simultaneously()
        .random_order(|p| p.delete_partition().delete_range().inserts(3).delete());
    History::new(1)
        .with(partition().number(0).inserts(10).shared().read())
        .with(deletions)
        .with(partition().number(0).read().read_shared())
        .with(partition().number(0).inserts(5).read().delete_partition().read())
}
