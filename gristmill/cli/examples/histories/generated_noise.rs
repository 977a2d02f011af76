//! A test among others: what it says of its partition holds while generated visits write and read all around it.

use gristmill::{History, partition};

pub(crate) fn history() -> History {
    History::new(5)
        .generated(20)
        .with(partition().inserts(4).read())
        .generated(20)
        .with(
            partition()
                .simultaneously()
                .strict_order(|p| p.upserts(2).shared().deletes(2).read()),
        )
        .generated(20)
}
