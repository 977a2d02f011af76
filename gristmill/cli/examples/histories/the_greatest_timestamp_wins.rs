//! Writes that come late with an old timestamp, writes of one timestamp, deletions in a batch with what they delete: where the
//! greatest timestamp wins, the order in which they come does not matter.

use gristmill::{History, partition};

pub(crate) fn history() -> History {
    let late = partition().number(0).session(2).beside().at(900).inserts(4);
    let ties = partition().number(0).session(2).beside().at(1000);
    History::new(1)
        .set("discipline", "lww")
        .with(partition().number(0).at(1000).inserts(10).shared())
        .with(late)
        .with(ties.updates(6).delete_range())
        .with(partition().number(0).read().read_shared())
        .with(
            partition()
                .number(0)
                .simultaneously()
                .random_order(|p| p.delete_partition().delete_range().inserts(3)),
        )
        .with(partition().number(0).read())
        .with(partition().number(0).inserts(3).read())
}
