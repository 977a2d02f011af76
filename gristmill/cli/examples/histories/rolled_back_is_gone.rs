//! What a transaction did and took back was never there, not even for a session that looks while it runs.

use gristmill::{History, partition};

pub(crate) fn history() -> History {
    History::new(2)
        .with(partition().number(3).inserts(6))
        .with(
            partition()
                .number(3)
                .rolled_back(|p| p.updates(3).deletes(2).inserts(2).read()),
        )
        .with(partition().number(3).session(2).beside().read().read_range())
        .with(partition().number(3).batch(|p| p.updates(2).read()).read())
}
